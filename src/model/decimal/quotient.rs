//! Whatever needs a division, exact until it is rounded for showing.

use std::cmp::Ordering;
use std::fmt;

use super::{Decimal, Exact, write_scaled, write_scaled_text};
use crate::model::code_list::code_list;
use crate::model::text::WriteText;

/// An exact quotient: a ratio, a mean, a percentage change, before it is rounded to be shown.
///
/// Always in lowest terms, the denominator above zero, so that equal values are equal fields.
///
/// ```
/// use conspectus::model::decimal::{Quotient, Rounding};
///
/// let rise = Quotient::of(1672.into(), 1600.into()).and_then(|it| it.checked_sub(1.into()));
/// let percent = rise.and_then(|it| it.checked_mul(100.into()));
/// let shown = percent.and_then(|it| it.round(1, Rounding::HalfUp));
/// assert_eq!(shown.map(|it| it.to_string()).as_deref(), Some("4.5"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quotient {
    pub(super) numerator: i128,
    pub(super) denominator: i128,
}

impl Quotient {
    /// Zero.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `numerator` over `denominator`; `None` when the denominator is zero, or on overflow.
    #[must_use]
    pub fn of(numerator: Exact, denominator: Exact) -> Option<Self> {
        Self::from(numerator).checked_div(denominator.into())
    }

    /// The sum, or `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.denominator == other.denominator {
            return Self::reduced(self.numerator.checked_add(other.numerator)?, self.denominator);
        }
        let shared = gcd(self.denominator, other.denominator)?;
        let (left, right) = (self.denominator / shared, other.denominator / shared);
        let numerator = self.numerator.checked_mul(right)?.checked_add(other.numerator.checked_mul(left)?)?;
        Self::reduced(numerator, left.checked_mul(other.denominator)?)
    }

    /// The difference, or `None` on overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let numerator = other.numerator.checked_neg()?;
        self.checked_add(Self { numerator, ..other })
    }

    /// The product, or `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        // Reduced crosswise first, the products are in lowest terms and as small as they can be.
        let left = Self::reduced(self.numerator, other.denominator)?;
        let right = Self::reduced(other.numerator, self.denominator)?;
        Some(Self {
            numerator: left.numerator.checked_mul(right.numerator)?,
            denominator: left.denominator.checked_mul(right.denominator)?,
        })
    }

    /// The quotient, or `None` when `other` is zero, or on overflow.
    #[must_use]
    pub fn checked_div(self, other: Self) -> Option<Self> {
        self.checked_mul(Self::reduced(other.denominator, other.numerator)?)
    }

    /// The same without its sign, or `None` on overflow.
    #[must_use]
    pub fn checked_abs(self) -> Option<Self> {
        Some(Self { numerator: self.numerator.checked_abs()?, ..self })
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The nearest number with so many decimals; `None` on overflow.
    #[must_use]
    pub fn round(self, decimals: u8, rounding: Rounding) -> Option<Rounded> {
        let factor = 10_i128.checked_pow(decimals.into())?;
        let scaled = self.numerator.checked_mul(factor)?;
        let (down, rest) = divide(scaled, self.denominator);
        // Twice the rest against the denominator, without doubling.
        let rest = rest.abs();
        let away = match rest.cmp(&(self.denominator - rest)) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => match rounding {
                Rounding::HalfUp => true,
                Rounding::HalfEven => down % 2 != 0,
            },
        };
        let step = if away { scaled.signum() } else { 0 };
        Some(Rounded { mantissa: down.checked_add(step)?, decimals })
    }

    /// The lowest terms of a fraction; `None` when the denominator is zero, or on overflow.
    fn reduced(numerator: i128, denominator: i128) -> Option<Self> {
        match denominator {
            0 => return None,
            1 => return Some(Self { numerator, denominator }),
            _ => {}
        }
        let shared = gcd(numerator, denominator)?;
        let (numerator, denominator) = (divide(numerator, shared).0, divide(denominator, shared).0);
        if denominator > 0 {
            return Some(Self { numerator, denominator });
        }
        Some(Self { numerator: numerator.checked_neg()?, denominator: denominator.checked_neg()? })
    }
}

/// Quotient, towards zero, and rest. Most numbers are small, and then it is much faster.
fn divide(number: i128, by: i128) -> (i128, i128) {
    match (i64::try_from(number), i64::try_from(by)) {
        // The least of all by -1 is the one quotient that doesn't fit.
        (Ok(number), Ok(by)) if number != i64::MIN => ((number / by).into(), (number % by).into()),
        _ => (number / by, number % by),
    }
}

/// The greatest common divisor, above zero unless both are zero; `None` for the one that doesn't fit.
fn gcd(left: i128, right: i128) -> Option<i128> {
    let (mut left, mut right) = (left.unsigned_abs(), right.unsigned_abs());
    while right != 0 {
        if let (Ok(left), Ok(right)) = (u64::try_from(left), u64::try_from(right)) {
            return Some(gcd_of_small(left, right).into());
        }
        (left, right) = (right, left % right);
    }
    i128::try_from(left).ok()
}

fn gcd_of_small(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

impl From<Exact> for Quotient {
    fn from(exact: Exact) -> Self {
        // 10 to the greatest scale fits, and dividing by the common divisor only makes it smaller.
        let denominator = 10_i128.pow(exact.scale);
        Self::reduced(exact.mantissa, denominator).unwrap_or(Self { numerator: exact.mantissa, denominator })
    }
}

impl From<Decimal> for Quotient {
    fn from(decimal: Decimal) -> Self {
        Exact::from(decimal).into()
    }
}

impl From<i64> for Quotient {
    fn from(whole: i64) -> Self {
        Exact::from(whole).into()
    }
}

impl Ord for Quotient {
    /// Compares whole parts, then what is left over by its reciprocal, and so on: as exact as cross
    /// multiplication, and it cannot overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        let (mut a, mut b) = (self.numerator, self.denominator);
        let (mut c, mut d) = (other.numerator, other.denominator);
        loop {
            let by_whole = a.div_euclid(b).cmp(&c.div_euclid(d));
            let (left, right) = (a.rem_euclid(b), c.rem_euclid(d));
            if by_whole.is_ne() || left == 0 || right == 0 {
                return by_whole.then((left != 0).cmp(&(right != 0)));
            }
            // left/b against right/d is d/right against b/left.
            (a, b, c, d) = (d, right, b, left);
        }
    }
}

impl PartialOrd for Quotient {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Quotient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

code_list! {
    /// What becomes of a value halfway between two that can be shown.
    pub enum Rounding {
        /// Away from zero, as in tables published by the Office for National Statistics and the
        /// Department for Education: 2.5 gives 3, and -2.5 gives -3.
        HalfUp = 1, "half-up";
        /// To the even neighbour, so that many roundings do not drift: 2.5 gives 2, and 3.5 gives 4.
        HalfEven = 2, "half-even";
    }
}

/// A rounded number, shown with exactly its decimals: `4.50` is not `4.5`, and zero has no sign.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rounded {
    mantissa: i128,
    decimals: u8,
}

impl Rounded {
    /// The digits without the point: `45` for `4.5`.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many digits follow the point.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.decimals
    }

    /// The same number as a [`Decimal`], or `None` when it is out of a decimal's range.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        Decimal::new(i64::try_from(self.mantissa).ok()?, self.decimals)
    }
}

impl WriteText for Rounded {
    fn write_text(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write_scaled_text(out, self.mantissa, self.decimals.into())
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.mantissa, self.decimals.into())
    }
}

impl fmt::Debug for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

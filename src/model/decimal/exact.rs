//! Sums and products of figures, exact.

use std::cmp::Ordering;
use std::fmt;

use super::{Decimal, write_scaled, write_scaled_text};
use crate::model::text::WriteText;

/// An exact sum or product of decimals: a whole number of up to 38 digits, divided by a power of ten.
///
/// Always in lowest terms, so that equal values are equal fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exact {
    pub(super) mantissa: i128,
    /// 0 to [`Exact::SCALE_MAX`].
    pub(super) scale: u32,
}

impl Exact {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// The most digits after the point: an `i128` can hold no higher power of ten.
    const SCALE_MAX: u32 = 38;

    /// The sum, or `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.scale == other.scale {
            return Self::trimmed(self.mantissa.checked_add(other.mantissa)?, self.scale);
        }
        let scale = self.scale.max(other.scale);
        let sum = self.at(scale)?.checked_add(other.at(scale)?)?;
        Self::trimmed(sum, scale)
    }

    /// The difference, or `None` on overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let difference = self.at(scale)?.checked_sub(other.at(scale)?)?;
        Self::trimmed(difference, scale)
    }

    /// The product, or `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = self.mantissa.checked_mul(other.mantissa)?;
        Self::trimmed(product, self.scale + other.scale)
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The mantissa it has at a scale no less than its own.
    fn at(self, scale: u32) -> Option<i128> {
        let factor = 10_i128.checked_pow(scale - self.scale)?;
        self.mantissa.checked_mul(factor)
    }

    /// The value in lowest terms, if its scale is then in range.
    pub(super) fn trimmed(mut mantissa: i128, mut scale: u32) -> Option<Self> {
        while scale > 0 {
            // Mostly the digits fit into 64 bits, which are divided many times faster than 128.
            let (rest, is_whole) = match i64::try_from(mantissa) {
                Ok(small) => (i128::from(small / 10), small % 10 == 0),
                Err(_) => (mantissa / 10, mantissa % 10 == 0),
            };
            if !is_whole {
                break;
            }
            (mantissa, scale) = (rest, scale - 1);
        }
        (scale <= Self::SCALE_MAX).then_some(Self { mantissa, scale })
    }
}

/// Decimals being added up: an [`Exact`] that is put in lowest terms once, at the end.
///
/// Adding can't overflow: the digits of so many decimals as memory holds stay well below an `i128`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    mantissa: i128,
    scale: u8,
}

impl Sum {
    /// Adds a decimal.
    #[inline]
    pub fn add(&mut self, decimal: Decimal) {
        self.add_scaled(decimal.mantissa.into(), decimal.scale);
    }

    /// Adds a sum of decimals.
    pub fn add_sum(&mut self, sum: Exact) {
        // That of decimals has no more digits after the point than one of them.
        self.add_scaled(sum.mantissa, u8::try_from(sum.scale).unwrap_or_default());
    }

    /// Adds decimals of one scale by the sum of their mantissas.
    #[inline]
    pub(crate) fn add_scaled(&mut self, mut mantissa: i128, scale: u8) {
        if scale > self.scale {
            self.mantissa *= 10_i128.pow(u32::from(scale - self.scale));
            self.scale = scale;
        } else if scale < self.scale {
            mantissa *= 10_i128.pow(u32::from(self.scale - scale));
        }
        self.mantissa += mantissa;
    }

    /// What was added.
    #[must_use]
    pub fn total(self) -> Exact {
        let (mantissa, scale) = (self.mantissa, self.scale.into());
        // A decimal's scale is in range, so there is always a trimmed form.
        Exact::trimmed(mantissa, scale).unwrap_or(Exact { mantissa, scale })
    }
}

/// Products of decimals being added up. None of their sums, in whichever order and by whichever parts they are added,
/// has too many digits; or it is known that one may have.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProductSum {
    mantissa: i128,
    /// The sum of the products without their signs.
    size: i128,
}

impl ProductSum {
    /// Twice that of a decimal, and that of a hundredth.
    const SCALE: u32 = 14;

    /// So that sums of decimals can be added to it still.
    const SIZE_MAX: i128 = i128::MAX / 4;

    /// Adds a product, or a sum of products; `None` when a sum may have too many digits.
    #[must_use]
    pub fn plus(self, product: Exact) -> Option<Self> {
        let mantissa = if product.scale <= Self::SCALE { product.at(Self::SCALE)? } else { return None };
        let size = self.size.checked_add(mantissa.checked_abs()?)?;
        (size <= Self::SIZE_MAX).then_some(Self { mantissa: self.mantissa + mantissa, size })
    }

    /// What was added.
    #[must_use]
    pub fn total(self) -> Option<Exact> {
        Exact::trimmed(self.mantissa, Self::SCALE)
    }
}

impl From<Decimal> for Exact {
    fn from(decimal: Decimal) -> Self {
        let (mantissa, scale) = (decimal.mantissa.into(), decimal.scale.into());
        // A decimal's scale is in range, so there is always a trimmed form.
        Self::trimmed(mantissa, scale).unwrap_or(Self { mantissa, scale })
    }
}

impl From<i64> for Exact {
    fn from(whole: i64) -> Self {
        Self { mantissa: whole.into(), scale: 0 }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at(scale), other.at(scale)) {
            (Some(left), Some(right)) => left.cmp(&right),
            // Only one of them needs scaling up. If it doesn't fit, it is further from zero than any
            // value that does.
            (None, _) => self.mantissa.cmp(&0),
            (_, None) => 0.cmp(&other.mantissa),
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl WriteText for Exact {
    fn write_text(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write_scaled_text(out, self.mantissa, self.scale)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.mantissa, self.scale)
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

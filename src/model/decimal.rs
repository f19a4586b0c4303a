//! Exact numbers: what was sent, sums and products of it, and quotients, rounded once at the end.
//!
//! A [`Decimal`] is a figure as it was written. [`Exact`] holds sums and products of figures, and
//! [`Quotient`] whatever needs a division; neither ever rounds. Each step answers `None` rather than
//! overflow. Only [`Quotient::round`] loses anything, and gives what is shown.

mod exact;
mod quotient;

pub use exact::{Exact, ProductSum, Sum};
pub use quotient::{Quotient, Rounded, Rounding};

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::violation::Quoted;

/// A figure as it was written: at most 15 significant digits, at most 6 of them after the point.
///
/// It keeps the scale it was written with, so `87.90` is shown as `87.90`; but it is compared and
/// hashed by value, so it equals `87.9`.
///
/// ```
/// use conspectus::model::decimal::Decimal;
///
/// let written: Decimal = "126,153".parse()?;
/// assert_eq!(written.to_string(), "126153");
/// assert_eq!("87.90".parse::<Decimal>()?, "87.9".parse()?);
/// # Ok::<(), conspectus::model::decimal::DecimalError>(())
/// ```
#[derive(Clone, Copy, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Why a text is not a [`Decimal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "found {}; allowed: a number in digits, such as 1234.5, -3 or 126,153, with at most 15 of them and at most 6 after the point",
    Quoted(.found)
)]
pub struct DecimalError {
    /// The text as it was given.
    pub found: String,
}

impl Decimal {
    /// Zero, with nothing after the point.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// The most digits after the point.
    pub const SCALE_MAX: u8 = 6;

    /// The greatest mantissa, 15 nines; its negative is the least.
    pub const MANTISSA_MAX: i64 = 999_999_999_999_999;

    /// `mantissa` divided by 10 to the `scale`: `new(8790, 2)` is `87.90`. `None` for a mantissa of
    /// more than 15 digits or a scale above 6.
    #[must_use]
    pub const fn new(mantissa: i64, scale: u8) -> Option<Self> {
        if scale > Self::SCALE_MAX || mantissa.unsigned_abs() > Self::MANTISSA_MAX.unsigned_abs() {
            return None;
        }
        Some(Self { mantissa, scale })
    }

    /// The digits without the point: `8790` for `87.90`.
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// How many digits follow the point, 0 to 6, as written.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The same value, written without zeros after its last digit that counts: `87.9` for `87.90`.
    #[must_use]
    pub(crate) const fn shortest(self) -> Self {
        let mut shortest = self;
        while shortest.scale > 0 && shortest.mantissa % 10 == 0 {
            shortest = Self { mantissa: shortest.mantissa / 10, scale: shortest.scale - 1 };
        }
        shortest
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

    /// The value in millionths, which every decimal is a whole number of.
    fn millionths(self) -> i128 {
        i128::from(self.mantissa) * 10_i128.pow(u32::from(Self::SCALE_MAX - self.scale))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.millionths().cmp(&other.millionths())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.millionths() == other.millionths()
    }
}

impl Eq for Decimal {}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.millionths().hash(state);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.mantissa.into(), self.scale.into())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Decimal {
    type Error = DecimalError;

    fn try_from(text: String) -> Result<Self, DecimalError> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Reads `-?\d+(\.\d+)?`, and thousands separators where they belong, as in `-126,153`.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::read(text.as_bytes()).ok_or_else(|| DecimalError { found: text.to_owned() })
    }
}

impl Decimal {
    /// The decimal of a text, by its bytes: none of those that it may have is other than ASCII.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (is_negative, unsigned) = match text {
            [b'-', unsigned @ ..] => (true, unsigned),
            _ => (false, text),
        };
        let (whole, fraction) = match unsigned.iter().position(|byte| *byte == b'.') {
            Some(point) if point + 1 == unsigned.len() => return None,
            Some(point) => (&unsigned[..point], &unsigned[point + 1..]),
            None => (unsigned, &[][..]),
        };
        if !is_grouped(whole) {
            return None;
        }
        let digits = whole.iter().filter(|byte| **byte != b',');
        let mantissa = digits.chain(fraction).try_fold(0_i64, |sum, byte| {
            let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
            let sum = sum * 10 + digit;
            (sum <= Self::MANTISSA_MAX).then_some(sum)
        })?;
        let scale = u8::try_from(fraction.len()).ok()?;
        Self::new(if is_negative { -mantissa } else { mantissa }, scale)
    }
}

/// Whether the commas, if any, part groups of three, the first of one to three. That one is not `0`:
/// in `0,125` the comma can only be a decimal point.
fn is_grouped(whole: &[u8]) -> bool {
    match whole.iter().position(|byte| *byte == b',') {
        None => !whole.is_empty(),
        Some(comma) => {
            (1..=3).contains(&comma)
                && whole[0] != b'0'
                && whole[comma + 1..].split(|byte| *byte == b',').all(|group| group.len() == 3)
        }
    }
}

/// Writes `mantissa` with the last `scale` of its digits after a point.
fn write_scaled(f: &mut fmt::Formatter<'_>, mantissa: i128, scale: u32) -> fmt::Result {
    let (text, start) = digits(mantissa, scale);
    f.pad_integral(mantissa >= 0, "", std::str::from_utf8(&text[start..]).unwrap_or_default())
}

/// The same, without a formatter.
fn write_scaled_text(out: &mut impl fmt::Write, mantissa: i128, scale: u32) -> fmt::Result {
    let (text, start) = digits(mantissa, scale);
    if mantissa < 0 {
        out.write_str("-")?;
    }
    out.write_str(std::str::from_utf8(&text[start..]).unwrap_or_default())
}

/// The digits of a number, the last `scale` of them after a point, and where they start.
fn digits(mantissa: i128, scale: u32) -> ([u8; TEXT_BYTES_MAX], usize) {
    let mut text = [b'0'; TEXT_BYTES_MAX];
    let mut start = TEXT_BYTES_MAX;
    let mut rest = mantissa.unsigned_abs();
    let mut places = 0;
    while rest > 0 || places <= scale {
        if places == scale && scale > 0 {
            start -= 1;
            text[start] = b'.';
        }
        let digit = match u64::try_from(rest) {
            Ok(small) => {
                rest = (small / 10).into();
                small % 10
            }
            Err(_) => {
                let digit = rest % 10;
                rest /= 10;
                u64::try_from(digit).unwrap_or_default()
            }
        };
        start -= 1;
        text[start] += u8::try_from(digit).unwrap_or_default();
        places += 1;
    }
    (text, start)
}

/// As many digits as an `i128` and its scale can have, and the point.
const TEXT_BYTES_MAX: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn quotient(numerator: i64, denominator: i64) -> Quotient {
        Quotient::of(numerator.into(), denominator.into()).unwrap()
    }

    #[test]
    fn a_decimal_is_shown_as_it_was_written_without_separators() {
        for (text, expect) in [
            ("0", "0"),
            ("7", "7"),
            ("007", "7"),
            ("-3", "-3"),
            ("87.90", "87.90"),
            ("-0.3", "-0.3"),
            ("0.000001", "0.000001"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("126,153", "126153"),
            ("1,234.5", "1234.5"),
            ("-12,345,678", "-12345678"),
            ("999999999999999", "999999999999999"),
            ("-999999999.999999", "-999999999.999999"),
        ] {
            assert_eq!(decimal(text).to_string(), expect);
        }
        assert_eq!(format!("[{:>6}]", decimal("-1.50")), "[ -1.50]");
    }

    #[test]
    fn nothing_else_is_a_decimal() {
        for text in [
            "",
            " ",
            "-",
            ".",
            "NaN",
            "nan",
            "inf",
            "-inf",
            "1e5",
            "1E5",
            "+5",
            " 5 ",
            "5 ",
            "5.",
            ".5",
            "-.5",
            "--5",
            "1.2.3",
            "1_000",
            "0x10",
            "5%",
            "\u{a3}5",
            "\u{2212}5",
            "\u{665}",
            "1,23",
            "12,34",
            "1234,567",
            ",123",
            "1,",
            "1,234,",
            "1,,234",
            "1,2345",
            "0,125",
            "1.234,5",
            "1.2,345",
            "-,123",
            "1000000000000000",
            "1.0000000",
            "9999999999.999999",
            "12 345",
            "c",
            "low",
        ] {
            let error = text.parse::<Decimal>().unwrap_err();
            assert_eq!(error.found, text);
        }
        assert_eq!(
            "1e5".parse::<Decimal>().unwrap_err().to_string(),
            "found `1e5`; allowed: a number in digits, such as 1234.5, -3 or 126,153, with at most 15 of them and at most 6 after the point"
        );
    }

    #[test]
    fn the_shortest_writing_of_a_value_is_the_same_value() {
        for (text, expect) in [("87.90", "87.9"), ("41.0", "41"), ("0.000", "0"), ("-1.50", "-1.5"), ("100", "100")] {
            assert_eq!(decimal(text).shortest().to_string(), expect);
            assert_eq!(decimal(text).shortest(), decimal(text));
        }
    }

    #[test]
    fn decimals_are_compared_and_hashed_by_value() {
        let hash = |text| BuildHasherDefault::<DefaultHasher>::default().hash_one(decimal(text));
        assert_eq!(decimal("87.90"), decimal("87.9"));
        assert_eq!(hash("87.90"), hash("87.9"));
        assert_eq!(decimal("0.000"), Decimal::ZERO);
        assert!(decimal("-0.1") < Decimal::ZERO);
        assert!(decimal("9.99") < decimal("10"));
        assert!(decimal("999999999999999") > decimal("0.000001"));
    }

    #[test]
    fn a_decimal_knows_what_it_is() {
        assert_eq!((decimal("87.90").mantissa(), decimal("87.90").scale()), (8790, 2));
        assert!(decimal("-0.01").is_negative() && !decimal("-0.0").is_negative());
        assert!(decimal("0.00").is_zero() && !decimal("0.01").is_zero());
        assert!(Decimal::new(Decimal::MANTISSA_MAX, 6).is_some());
        assert!(Decimal::new(-Decimal::MANTISSA_MAX - 1, 0).is_none());
        assert!(Decimal::new(i64::MIN, 0).is_none());
        assert!(Decimal::new(1, 7).is_none());
    }

    #[test]
    fn halves_round_as_the_mode_says_and_all_else_to_the_nearest() {
        for (numerator, denominator, decimals, half_up, half_even) in [
            (1, 2, 0, "1", "0"),
            (3, 2, 0, "2", "2"),
            (5, 2, 0, "3", "2"),
            (-1, 2, 0, "-1", "0"),
            (-3, 2, 0, "-2", "-2"),
            (-5, 2, 0, "-3", "-2"),
            (1, 4, 1, "0.3", "0.2"),
            (-1, 4, 1, "-0.3", "-0.2"),
            (3, 4, 1, "0.8", "0.8"),
            (1, 8, 2, "0.13", "0.12"),
            (5, 100, 1, "0.1", "0.0"),
            (-5, 100, 1, "-0.1", "0.0"),
            (49, 100, 0, "0", "0"),
            (-49, 100, 0, "0", "0"),
            (-4, 100, 1, "0.0", "0.0"),
            (51, 100, 0, "1", "1"),
            (1, 3, 3, "0.333", "0.333"),
            (2, 3, 3, "0.667", "0.667"),
            (-2, 3, 0, "-1", "-1"),
            (9_995, 100, 1, "100.0", "100.0"),
            (9_985, 100, 1, "99.9", "99.8"),
            (9, 2, 1, "4.5", "4.5"),
            (9, 2, 3, "4.500", "4.500"),
            (7, -2, 0, "-4", "-4"),
            (0, -3, 2, "0.00", "0.00"),
        ] {
            let value = quotient(numerator, denominator);
            for (rounding, expect) in [(Rounding::HalfUp, half_up), (Rounding::HalfEven, half_even)] {
                let shown = value.round(decimals, rounding).unwrap();
                assert_eq!(shown.to_string(), expect, "{value:?} {rounding:?}");
                assert_eq!(shown.decimal().unwrap().to_string(), expect);
            }
        }
    }

    #[test]
    fn quotients_order_by_value() {
        let ascending =
            [(-4, 1), (-7, 2), (-3, 1), (-1, 3), (0, 1), (1, 3), (2, 5), (1, 2), (3, 1), (22, 7), (7, 2), (4, 1)]
                .map(|(numerator, denominator)| quotient(numerator, denominator));
        for (at, left) in ascending.iter().enumerate() {
            for (with, right) in ascending.iter().enumerate() {
                assert_eq!(left.cmp(right), at.cmp(&with), "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_none_and_never_wrong() {
        let big = Exact::from(i64::MAX);
        let square = big.checked_mul(big).unwrap();
        assert!(square.checked_mul(big).is_none());
        let mut sum = square;
        while let Some(next) = sum.checked_add(square) {
            assert!(next > sum);
            sum = next;
        }
        let small = Exact::from(decimal("0.000001"));
        let tiny = (0..5).try_fold(small, |product, _| product.checked_mul(small)).unwrap();
        assert!(tiny.checked_mul(small).is_none(), "42 decimals");
        assert!(square.checked_add(tiny).is_none(), "74 digits");
        let negative = Exact::ZERO.checked_sub(square).unwrap();
        let ascending = [negative, Exact::ZERO, tiny, square];
        assert!(ascending.is_sorted());
        assert!(ascending.iter().rev().is_sorted_by(|left, right| left > right));
        assert!(Quotient::from(square) > Quotient::from(tiny));
        assert!(Quotient::from(square).checked_div(tiny.into()).is_none());
        assert!(Quotient::of(big, Exact::ZERO).is_none());
        assert!(Quotient::ZERO.checked_div(Quotient::ZERO).is_none());
        assert!(Quotient::from(square).round(6, Rounding::HalfUp).is_none());
        assert!(quotient(1, 3).round(39, Rounding::HalfUp).is_none());
        let long = quotient(1, 3).round(38, Rounding::HalfUp).unwrap();
        assert_eq!(long.to_string(), format!("0.{}", "3".repeat(38)));
        assert!(long.decimal().is_none());
    }

    /// Long division, a digit at a time, as on paper: the digits cut off after `decimals`, and how what
    /// is left compares with a half.
    fn long_division(numerator: u128, denominator: u128, decimals: u8) -> (u128, Ordering) {
        let (mut digits, mut rest) = (numerator / denominator, numerator % denominator);
        for _ in 0..decimals {
            rest *= 10;
            digits = digits * 10 + rest / denominator;
            rest %= denominator;
        }
        (digits, (rest * 2).cmp(&denominator))
    }

    fn any_decimal() -> impl Strategy<Value = Decimal> {
        let mantissa = prop_oneof![-2_000_i64..=2_000, -Decimal::MANTISSA_MAX..=Decimal::MANTISSA_MAX];
        (mantissa, 0..=Decimal::SCALE_MAX).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
    }

    fn millionths(decimal: Decimal) -> i128 {
        i128::from(decimal.mantissa()) * 10_i128.pow(6 - u32::from(decimal.scale()))
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_with_its_scale(value in any_decimal()) {
            let back = decimal(&value.to_string());
            prop_assert_eq!((back.mantissa(), back.scale()), (value.mantissa(), value.scale()));
        }

        #[test]
        fn separators_change_nothing(whole in 0_i64..=Decimal::MANTISSA_MAX) {
            let digits = whole.to_string();
            let mut grouped = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            prop_assert_eq!(decimal(&grouped).to_string(), digits);
        }

        #[test]
        fn any_text_is_read_or_refused_as_its_digits_say(text in "-?[0-9]{0,4}(\\.[0-9]{0,3})?|[-+0-9.,e ]{0,8}") {
            let well_formed = {
                let body = text.strip_prefix('-').unwrap_or(&text);
                body.split('.').count() <= 2
                    && body.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
            };
            let found = text.parse::<Decimal>();
            if well_formed {
                let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                prop_assert_eq!(found.is_ok(), places <= 6);
            } else {
                prop_assert!(found.is_err() || text.contains(','));
            }
        }

        #[test]
        fn sums_and_products_agree_with_millionths(a in any_decimal(), b in any_decimal()) {
            let (left, right) = (Exact::from(a), Exact::from(b));
            let of = |mantissa, scale| Exact::trimmed(mantissa, scale);
            prop_assert_eq!(left.checked_add(right), of(millionths(a) + millionths(b), 6));
            prop_assert_eq!(left.checked_sub(right), of(millionths(a) - millionths(b), 6));
            let product = i128::from(a.mantissa()) * i128::from(b.mantissa());
            let scale = u32::from(a.scale()) + u32::from(b.scale());
            prop_assert_eq!(left.checked_mul(right), of(product, scale));
            prop_assert_eq!(left.cmp(&right), millionths(a).cmp(&millionths(b)));
            prop_assert_eq!(a.cmp(&b), millionths(a).cmp(&millionths(b)));
            prop_assert_eq!(Quotient::from(a).cmp(&b.into()), millionths(a).cmp(&millionths(b)));
        }

        #[test]
        fn quotients_obey_the_rules_of_fractions(
            a in -999_999_i64..=999_999, b in 1_i64..=999_999, c in -999_999_i64..=999_999, d in 1_i64..=999_999
        ) {
            let (left, right) = (quotient(a, b), quotient(c, d));
            prop_assert_eq!(left.checked_add(right), Some(quotient(a * d + c * b, b * d)));
            prop_assert_eq!(left.checked_sub(right), Some(quotient(a * d - c * b, b * d)));
            prop_assert_eq!(left.checked_mul(right), Some(quotient(a * c, b * d)));
            prop_assert_eq!(left.cmp(&right), (a * d).cmp(&(c * b)));
            let ratio = (c != 0).then(|| quotient(a * d, b * c));
            prop_assert_eq!(left.checked_div(right), ratio);
        }

        #[test]
        fn order_survives_where_cross_multiplication_would_not(
            a in any::<i64>(), b in 1_i64..=i64::MAX, c in any::<i64>(), d in 1_i64..=i64::MAX
        ) {
            let cross = (i128::from(a) * i128::from(d)).cmp(&(i128::from(c) * i128::from(b)));
            prop_assert_eq!(quotient(a, b).cmp(&quotient(c, d)), cross);
            let huge = Quotient { numerator: i128::MAX, denominator: b.into() };
            let near = Quotient { numerator: i128::MAX - 1, denominator: b.into() };
            prop_assert!(near < huge);
        }

        #[test]
        fn rounding_agrees_with_long_division(
            numerator in prop_oneof![-2_000_i64..=2_000, -Decimal::MANTISSA_MAX..=Decimal::MANTISSA_MAX],
            denominator in prop_oneof![1_i64..=400, 1..=Decimal::MANTISSA_MAX],
            decimals in 0_u8..=6,
        ) {
            let magnitude = u128::from(numerator.unsigned_abs());
            let (cut, rest) = long_division(magnitude, u128::from(denominator.unsigned_abs()), decimals);
            for rounding in [Rounding::HalfUp, Rounding::HalfEven] {
                let up = rest.is_gt() || rest.is_eq() && (rounding == Rounding::HalfUp || cut % 2 == 1);
                let expect = i128::try_from(cut + u128::from(up)).unwrap() * i128::from(numerator.signum());
                let found = quotient(numerator, denominator).round(decimals, rounding).unwrap();
                prop_assert_eq!((found.mantissa(), found.decimals()), (expect, decimals));
            }
        }
    }
}

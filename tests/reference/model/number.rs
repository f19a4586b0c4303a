//! Fractions of any size, and their texts.

use conspectus::model::decimal::{Decimal, Rounding};
use conspectus::model::observation::Measure;
pub(crate) use num_rational::BigRational as Number;

pub(crate) fn whole(number: i64) -> Number {
    Number::from_integer(number.into())
}

pub(crate) fn fraction(decimal: Decimal) -> Number {
    whole(decimal.mantissa()) / whole(10_i64.pow(decimal.scale().into()))
}

/// What adds up of a submitted figure: a number, and its weight.
pub(crate) fn number_and_weight(measure: Measure) -> (Number, Number) {
    match measure {
        Measure::Number(number) => (fraction(number), whole(0)),
        Measure::Ratio { numerator, denominator } => (fraction(numerator), fraction(denominator)),
        Measure::Percentage { percent, base } => (fraction(percent) * fraction(base) / whole(100), fraction(base)),
        Measure::Mean { mean, count } => (fraction(mean) * fraction(count), fraction(count)),
    }
}

/// To so many decimals; a half away from zero, or to the even neighbour.
pub(crate) fn rounded(number: &Number, decimals: u8, rounding: Rounding) -> String {
    let (zero, one, two) = (whole(0), whole(1), whole(2));
    let negative = *number < zero;
    let scaled = number * whole(10_i64.pow(decimals.into()));
    let size = if negative { -scaled } else { scaled };
    let down = size.trunc();
    let twice = (&size - &down) * &two;
    let is_odd = &down / &two != (&down / &two).trunc();
    let up = twice > one || (twice == one && (rounding == Rounding::HalfUp || is_odd));
    let digits = (if up { down + one } else { down }).to_integer();
    let sign = if negative && digits != zero.to_integer() { "-" } else { "" };
    let places = usize::from(decimals);
    let text = format!("{digits:0>width$}", digits = digits.to_string(), width = places + 1);
    let (whole, rest) = text.split_at(text.len() - places);
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// A fraction that has a decimal text, in as few digits as it takes.
pub(crate) fn decimal(number: &Number) -> String {
    let has = |places: &u8| (number * whole(10_i64.pow((*places).into()))).is_integer();
    let places = (0..=18).find(has).unwrap();
    rounded(number, places, Rounding::HalfUp)
}

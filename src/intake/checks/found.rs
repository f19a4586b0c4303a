//! What a check finds of a figure, and what it expects instead, in words.

use std::fmt::{self, Display, Formatter};

use crate::catalogue::checks::{Check, CheckRule};
use crate::catalogue::items::{IndicatorVersion, Kind};
use crate::model::decimal::{Decimal, Quotient, Rounded, Rounding};
use crate::model::id::{CategoryId, DimensionId, IndicatorId};
use crate::model::observation::{Measure, Value};
use crate::model::period::Period;

/// What a check finds of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct What<'a> {
    /// The check.
    pub(super) check: &'a Check,
    /// The definition that the check is of.
    pub(super) version: &'a IndicatorVersion,
    pub(super) found: Found<'a>,
}

/// What is otherwise than expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found<'a> {
    /// A side has no value.
    Missing(Side<'a>),
    /// Numbers have too many digits.
    TooLarge,
    /// It is out of its range.
    OutOfRange { value: Quotient },
    /// A numerator is above its denominator.
    AboveDenominator { measure: Measure },
    /// The parts don't add up to the total.
    Parts { total: Quotient, sum: Quotient, allowed: Quotient },
    /// It is above another indicator's.
    Above { value: Quotient, other: Quotient, allowed: Quotient },
    /// It has changed too much.
    Changed { value: Quotient, before: Quotient, period: Period, allowed: Quotient },
    /// It is too far from the median of its history.
    Outlier { value: Quotient, median: Quotient, periods: usize, allowed: Quotient },
    /// It is zero, and none before was.
    Zero { periods: usize },
    /// A category has neither a figure nor a marker.
    NoCategory { category: &'a CategoryId, missing: usize },
}

/// A figure that a check needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Side<'a> {
    /// The one that it judges.
    Itself(Value),
    /// That of the period before.
    Before(Period),
    /// That of the other indicator.
    Other(&'a IndicatorId),
    /// The total of categories.
    Total,
    /// That of a category.
    Category(&'a CategoryId),
    /// Those before, of which there are so many.
    History(usize),
}

impl<'a> What<'a> {
    /// What was found.
    pub(crate) fn found(&self) -> impl Display + 'a {
        Words(*self, What::write_found)
    }

    /// What is expected.
    pub(crate) fn expected(&self) -> impl Display + 'a {
        Words(*self, What::write_expected)
    }

    /// How far the figure is from what is expected; none where that isn't a distance.
    pub(crate) fn distance(&self) -> Option<Quotient> {
        let apart = |one: Quotient, other: Quotient| one.checked_sub(other)?.checked_abs();
        match self.found {
            Found::Parts { total, sum, .. } => apart(total, sum),
            Found::Above { value, other, .. } => apart(value, other),
            Found::Changed { value, before, .. } => apart(value, before),
            Found::Outlier { value, median, .. } => apart(value, median),
            Found::OutOfRange { value } => {
                let CheckRule::Range { min, max } = &self.check.rule else { return None };
                let bounds = [min, max].into_iter().flatten();
                bounds.filter_map(|bound| apart(value, Quotient::from(*bound))).min()
            }
            Found::Missing(_)
            | Found::TooLarge
            | Found::AboveDenominator { .. }
            | Found::Zero { .. }
            | Found::NoCategory { .. } => None,
        }
    }

    fn shown(&self, value: Quotient) -> Shown<'a> {
        Shown { value, version: self.version }
    }

    /// A difference in the indicator's unit.
    fn apart(&self, difference: Quotient) -> impl Display + 'a {
        let unit = if self.version.kind == Kind::Ratio { " percentage points" } else { "" };
        let number = Number { value: difference, decimals: self.version.decimals };
        Words((number, unit), |(number, unit), f| write!(f, "{number}{unit}"))
    }

    fn dimension(&self) -> Option<&'a DimensionId> {
        match &self.check.rule {
            CheckRule::Parts { dimension } | CheckRule::Breakdown { dimension } => Some(dimension),
            CheckRule::Range { .. }
            | CheckRule::Numerator {}
            | CheckRule::NotAbove { .. }
            | CheckRule::Change {}
            | CheckRule::Outlier { .. }
            | CheckRule::Zero { .. } => None,
        }
    }

    fn write_found(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.found {
            Found::Missing(side) => self.write_missing(side, f),
            Found::TooLarge => f.write_str("numbers with too many digits to compute with"),
            Found::OutOfRange { value } => write!(f, "{}", self.shown(value)),
            Found::AboveDenominator { measure } => write!(f, "{measure}"),
            Found::Parts { total, sum, .. } => {
                write!(f, "a total of {}, and {} as the sum of its categories", self.shown(total), self.shown(sum))
            }
            Found::Above { value, other, .. } => {
                let CheckRule::NotAbove { indicator } = &self.check.rule else { return Ok(()) };
                let (value, other) = (self.shown(value), self.shown(other));
                write!(f, "{value} of `{}`, and {other} of `{indicator}`", self.version.id)
            }
            Found::Changed { value, before, period, .. } => {
                write!(f, "{}, and {} for {period}", self.shown(value), self.shown(before))?;
                let Some(change) = value.checked_sub(before) else { return Ok(()) };
                let sign = if change.is_negative() { "" } else { "+" };
                write!(f, ", a change of {sign}{}", self.apart(change))?;
                let percent = change.checked_mul(100.into()).and_then(|it| it.checked_div(before.checked_abs()?));
                match percent.and_then(|percent| percent.round(1, Rounding::HalfUp)) {
                    Some(percent) if self.version.kind != Kind::Ratio => write!(f, " ({sign}{percent}%)"),
                    Some(_) | None => Ok(()),
                }
            }
            Found::Outlier { value, median, periods, .. } => {
                write!(f, "{}, and a median of {} of the ", self.shown(value), self.shown(median))?;
                write!(f, "{periods} figures before it")
            }
            Found::Zero { periods } => write!(f, "0, and none of the {periods} figures before it is 0"),
            Found::NoCategory { category, missing } => {
                self.write_category(category, f)?;
                match missing {
                    1 => Ok(()),
                    _ => write!(f, ", and nothing for {} more", missing - 1),
                }
            }
        }
    }

    fn write_category(&self, category: &CategoryId, f: &mut Formatter<'_>) -> fmt::Result {
        match self.dimension() {
            Some(dimension) => write!(f, "nothing for {dimension}={category}"),
            None => write!(f, "nothing for {category}"),
        }
    }

    fn write_missing(&self, side: Side<'_>, f: &mut Formatter<'_>) -> fmt::Result {
        match side {
            Side::Itself(value) => write!(f, "{value}, which has no value"),
            Side::Before(period) => write!(f, "no value for {period}"),
            Side::Other(indicator) => write!(f, "no value of `{indicator}`"),
            Side::Total => f.write_str("no value of the total"),
            Side::Category(category) => self.write_category(category, f),
            Side::History(1) => f.write_str("1 figure before it"),
            Side::History(periods) => write!(f, "{periods} figures before it"),
        }
    }

    fn write_expected(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.found {
            Found::Missing(Side::History(_)) => write!(f, "at least {}", self.periods_min()),
            Found::Missing(_) => f.write_str("a value"),
            Found::TooLarge => f.write_str("numbers with fewer digits"),
            Found::OutOfRange { .. } => self.write_range(f),
            Found::AboveDenominator { measure: Measure::Percentage { .. } } => f.write_str("at most 100 %"),
            Found::AboveDenominator { .. } => f.write_str("a numerator of at most the denominator"),
            Found::Parts { allowed, .. } => self.write_difference("difference", allowed, f),
            Found::Above { other, allowed, .. } => {
                let most = other.checked_add(allowed).unwrap_or(other);
                write!(f, "at most {} of `{}`", self.shown(most), self.version.id)
            }
            Found::Changed { allowed, .. } => self.write_difference("change", allowed, f),
            Found::Outlier { allowed, .. } => {
                self.write_difference("difference", allowed, f)?;
                f.write_str(" from the median")
            }
            Found::Zero { .. } => f.write_str("another number than 0"),
            Found::NoCategory { .. } => {
                f.write_str("a figure or a marker for each category")?;
                self.dimension().map_or(Ok(()), |dimension| write!(f, " of `{dimension}`"))
            }
        }
    }

    fn periods_min(&self) -> u16 {
        match self.check.rule {
            CheckRule::Outlier { periods_min, .. } | CheckRule::Zero { periods_min } => periods_min,
            CheckRule::Range { .. }
            | CheckRule::Numerator {}
            | CheckRule::Parts { .. }
            | CheckRule::NotAbove { .. }
            | CheckRule::Change {}
            | CheckRule::Breakdown { .. } => 0,
        }
    }

    fn write_difference(&self, what: &str, allowed: Quotient, f: &mut Formatter<'_>) -> fmt::Result {
        if allowed.is_zero() {
            write!(f, "no {what}")
        } else {
            write!(f, "a {what} of at most {}", self.apart(allowed))
        }
    }

    fn write_range(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let CheckRule::Range { min, max } = &self.check.rule else { return Ok(()) };
        let unit = if self.version.kind == Kind::Ratio { "%" } else { "" };
        let shown = |bound: &Decimal| format!("{bound}{unit}");
        match (min.as_ref().map(shown), max.as_ref().map(shown)) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => Ok(()),
        }
    }
}

/// A value in the indicator's unit.
struct Shown<'a> {
    value: Quotient,
    version: &'a IndicatorVersion,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { value, version } = self;
        let unit = if version.kind == Kind::Ratio { "%" } else { "" };
        write!(f, "{}{unit}", Number { value: *value, decimals: version.decimals })
    }
}

/// A number with as many decimals as it has; one that has more than can be kept is rounded to one more than the
/// indicator shows.
struct Number {
    value: Quotient,
    decimals: u8,
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rounded = |decimals| self.value.round(decimals, Rounding::HalfUp);
        let is_exact = |decimals: &u8| {
            let decimal = rounded(*decimals).and_then(Rounded::decimal);
            decimal.is_some_and(|decimal| Quotient::from(decimal) == self.value)
        };
        let decimals = (0..=Decimal::SCALE_MAX).find(is_exact).unwrap_or((self.decimals + 1).min(Decimal::SCALE_MAX));
        match rounded(decimals) {
            Some(rounded) => write!(f, "{rounded}"),
            None => f.write_str("a number of too many digits"),
        }
    }
}

/// What is written by a function.
struct Words<T>(T, fn(&T, &mut Formatter<'_>) -> fmt::Result);

impl<T> Display for Words<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.1(&self.0, f)
    }
}

//! An observation: what was counted, where, when, of whom, and the value or why there is none.

use std::fmt;
use std::sync::Arc;

use super::decimal::Decimal;
use super::id::{AreaCode, CategoryId, DimensionId, IndicatorId};
use super::marker::Markers;
use super::period::Period;
use super::text::LookAlike;
use super::violation::Quoted;

/// A value in one of the forms that it can be submitted in. The indicator's kind says which it
/// takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// A count, a stock, an amount.
    Number(Decimal),
    /// The exact parts of a ratio; `numerator <= denominator`.
    Ratio {
        /// How many of the base did.
        numerator: Decimal,
        /// The base.
        denominator: Decimal,
    },
    /// A ratio as it was printed: a percentage, 0 to 100, and its base.
    Percentage {
        /// The printed percentage.
        percent: Decimal,
        /// What it is a percentage of.
        base: Decimal,
    },
    /// A mean and the count that it is the mean of.
    Mean {
        /// The mean.
        mean: Decimal,
        /// How many it was taken over.
        count: Decimal,
    },
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Ratio { numerator, denominator } => write!(f, "{numerator} of {denominator}"),
            Self::Percentage { percent, base } => write!(f, "{percent} % of {base}"),
            Self::Mean { mean, count } => write!(f, "{mean} over {count}"),
        }
    }
}

/// A measure with its markers, or the markers that say why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value {
    /// What was measured. None exactly when a marker says why.
    pub measure: Option<Measure>,
    /// What the figure says about itself.
    pub markers: Markers,
}

/// As a receipt shows it: `117188 [p]`, `87.90 % of 18496`, `[x]`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.measure {
            Some(measure) if self.markers.is_empty() => write!(f, "{measure}"),
            Some(measure) => write!(f, "{measure} {}", self.markers),
            None => write!(f, "{}", self.markers),
        }
    }
}

/// At most one category of each dimension, by dimension; empty for the total.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Breakdown(Vec<(DimensionId, CategoryId)>);

impl Breakdown {
    /// The breakdown of these categories, in any order. None when a dimension is there twice.
    pub fn new(mut categories: Vec<(DimensionId, CategoryId)>) -> Option<Self> {
        categories.sort();
        let twice = categories.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!twice).then_some(Self(categories))
    }

    /// Whether this is the total.
    pub fn is_total(&self) -> bool {
        self.0.is_empty()
    }

    /// The categories, by dimension.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(DimensionId, CategoryId)> {
        self.0.iter()
    }
}

/// Canonical text: `age-band=0-to-4;sex=female`; empty for the total.
impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (dimension, category)) in self.0.iter().enumerate() {
            write!(f, "{}{dimension}={category}", if index == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

/// The text isn't a breakdown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}{}; allowed: dimension=category, several separated by semicolons, no dimension twice", Quoted(.0), LookAlike(.0))]
pub struct BreakdownError(String);

impl std::str::FromStr for Breakdown {
    type Err = BreakdownError;

    fn from_str(text: &str) -> Result<Self, BreakdownError> {
        let error = || BreakdownError(text.to_owned());
        let categories = text
            .split(';')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (dimension, category) = part.split_once('=')?;
                Some((DimensionId::parse(dimension.trim()).ok()?, CategoryId::parse(category.trim()).ok()?))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(error)?;
        Self::new(categories).ok_or_else(error)
    }
}

/// One figure of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What is counted.
    pub indicator: IndicatorId,
    /// Where.
    pub area: AreaCode,
    /// When.
    pub period: Period,
    /// Of whom.
    pub breakdown: Breakdown,
    /// The figure.
    pub value: Value,
    /// A note kept with it.
    pub note: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakdown_has_one_text_whatever_the_order() {
        let one: Breakdown = "sex=female;age-band=0-to-4".parse().unwrap();
        assert_eq!(one.to_string(), "age-band=0-to-4;sex=female");
        assert_eq!(one.to_string().parse(), Ok(one));
        assert!("sex=female;sex=male".parse::<Breakdown>().is_err());
        assert!("sex".parse::<Breakdown>().is_err());
        assert!("".parse::<Breakdown>().unwrap().is_total());
    }
}

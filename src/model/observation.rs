//! An observation: what was counted, where, when, of whom, and the value or why there is none.

use std::fmt;
use std::sync::Arc;

use super::decimal::Decimal;
use super::id::{AreaCode, CategoryId, CheckId, DimensionId, IndicatorId};
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

/// A measure with its markers, or the markers that say why there is none; or neither, which withdraws the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value {
    /// What was measured. None where a marker says why, and where the figure is withdrawn.
    pub measure: Option<Measure>,
    /// What the figure says about itself.
    pub markers: Markers,
}

impl Value {
    /// That of an observation which withdraws the figure that is there. No input is read as this unless it says so: a
    /// missing value is an error.
    pub const WITHDRAWN: Self = Self { measure: None, markers: Markers::NONE };

    /// Whether it withdraws a figure.
    pub fn is_withdrawal(&self) -> bool {
        *self == Self::WITHDRAWN
    }
}

/// As a receipt shows it: `117188 [p]`, `87.90 % of 18496`, `[x]`, `withdrawn`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.measure {
            None if self.is_withdrawal() => f.write_str("withdrawn"),
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

    /// Its category of a dimension, if it has one.
    pub(crate) fn category(&self, dimension: &DimensionId) -> Option<&CategoryId> {
        self.0.iter().find(|(of, _)| of == dimension).map(|(_, category)| category)
    }

    /// The same without a dimension.
    pub(crate) fn without(&self, dimension: &DimensionId) -> Self {
        Self(self.0.iter().filter(|(of, _)| of != dimension).cloned().collect())
    }

    /// The same with another category of a dimension.
    pub(crate) fn with(&self, dimension: &DimensionId, category: &CategoryId) -> Self {
        let Self(mut categories) = self.without(dimension);
        categories.push((dimension.clone(), category.clone()));
        categories.sort();
        Self(categories)
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
    /// Why it is right although a check finds it questionable: by check, that for all checks first.
    pub explanations: Vec<Explanation>,
}

/// Why a figure is right although a check finds it questionable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Explanation {
    /// The check that it answers; every check of the figure when none.
    pub check: Option<CheckId>,
    /// The explanation.
    pub text: Arc<str>,
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

    #[test]
    fn a_dimension_of_a_breakdown_is_left_out_and_put_in_by_itself() {
        let (age, sex) = ("age".parse().unwrap(), "sex".parse().unwrap());
        let one: Breakdown = "age=0-to-4;sex=female".parse().unwrap();
        assert_eq!(one.without(&sex).to_string(), "age=0-to-4");
        assert_eq!(one.without(&sex).with(&sex, &"male".parse().unwrap()).to_string(), "age=0-to-4;sex=male");
        assert_eq!(one.with(&age, &"5-to-9".parse().unwrap()).to_string(), "age=5-to-9;sex=female");
        assert_eq!(one.category(&sex).map(CategoryId::as_str), Some("female"));
        assert_eq!(one.without(&sex).category(&sex), None);
    }
}

//! Between the served messages and the domain: what several services share.

pub(crate) mod columns;
pub(crate) mod draft;
mod look_up;
pub(crate) mod manifest;
pub(crate) mod observations;
#[cfg(test)]
pub(crate) mod observations_model;
pub(crate) mod parse_submission;
pub(crate) mod queries;
mod query_areas;
pub(crate) mod query_periods;
pub(crate) mod receipt;
pub(crate) mod responses;
pub(crate) mod rows;
#[cfg(test)]
mod rows_model;
#[cfg(test)]
mod rows_tests;
pub(crate) mod snapshot;
pub(crate) mod wire_observation;

use std::fmt::Display;

use crate::model::id::{CategoryId, DimensionId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Explanation, Measure, Value};
use crate::model::period::Period;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::rpc::proto;

pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    prost_types::Timestamp { seconds: at.0.div_euclid(1_000_000), nanos }
}

/// The instant of a timestamp, to the microsecond.
pub(crate) fn instant(at: &prost_types::Timestamp) -> Timestamp {
    Timestamp(at.seconds.saturating_mul(1_000_000).saturating_add(i64::from(at.nanos) / 1_000))
}

pub(crate) fn period(field: impl Display, text: &str, violations: &mut Violations) -> Option<Period> {
    violations.check(field, text.parse::<Period>())
}

pub(crate) fn breakdown(
    field: impl Display + Copy,
    categories: &[proto::CategoryRef],
    violations: &mut Violations,
) -> Option<Breakdown> {
    let mut parsed = Vec::with_capacity(categories.len());
    for (index, category) in categories.iter().enumerate() {
        let dimension =
            violations.check(format_args!("{field}[{index}].dimension"), DimensionId::parse(&category.dimension));
        let category =
            violations.check(format_args!("{field}[{index}].category"), CategoryId::parse(&category.category));
        parsed.push(dimension.zip(category));
    }
    let parsed = parsed.into_iter().collect::<Option<Vec<_>>>()?;
    let breakdown = Breakdown::new(parsed);
    if breakdown.is_none() {
        violations.add(field, "a dimension is there twice; allowed: at most one category of each dimension");
    }
    breakdown
}

pub(crate) fn categories(breakdown: &Breakdown) -> Vec<proto::CategoryRef> {
    let category = |(dimension, category): &(DimensionId, CategoryId)| proto::CategoryRef {
        dimension: dimension.to_string(),
        category: category.to_string(),
    };
    breakdown.iter().map(category).collect()
}

pub(crate) fn explanations<'a>(
    explanations: impl IntoIterator<Item = &'a Explanation>,
) -> Vec<proto::CheckExplanation> {
    let explanation = |it: &Explanation| proto::CheckExplanation {
        check: it.check.as_ref().map(ToString::to_string).unwrap_or_default(),
        explanation: it.text.to_string(),
    };
    explanations.into_iter().map(explanation).collect()
}

pub(crate) fn markers(markers: Markers) -> Vec<i32> {
    markers.iter().map(Marker::code).collect()
}

pub(crate) fn measure(value: &Value) -> Option<proto::observation::Measure> {
    use proto::observation::Measure as P;
    Some(match value.measure? {
        Measure::Number(number) => P::Number(number.to_string()),
        Measure::Ratio { numerator, denominator } => {
            P::Ratio(proto::Ratio { numerator: numerator.to_string(), denominator: denominator.to_string() })
        }
        Measure::Percentage { percent, base } => {
            P::Percentage(proto::Percentage { percent: percent.to_string(), base: base.to_string() })
        }
        Measure::Mean { mean, count } => P::Mean(proto::Mean { mean: mean.to_string(), count: count.to_string() }),
    })
}

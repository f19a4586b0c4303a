//! The reference model: docs/statistics.md in code, worked out from the list of entries each time.
//!
//! It is slow and obvious on purpose. Everything is looked up by text in plain vectors, each slot is a line in a list
//! rather than a count, fractions are exact and unbounded, and periods are divided by walking the calendar. It shares
//! with the service the plain types of `model` and `catalogue::items`, the messages, and nothing of how an answer is
//! found. One file is one section of that page, or a few.

pub(crate) mod areas;
pub(crate) mod change;
pub(crate) mod checks;
pub(crate) mod compare;
pub(crate) mod completeness;
pub(crate) mod corrections;
pub(crate) mod coverage;
pub(crate) mod discrepancy;
pub(crate) mod explain;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod number;
pub(crate) mod periods;
pub(crate) mod query;
pub(crate) mod question;
pub(crate) mod rate;
pub(crate) mod reconcile;
pub(crate) mod refuse;
pub(crate) mod series;
pub(crate) mod sight;
pub(crate) mod sum;

use conspectus::model::timestamp::Timestamp;

/// An instant, as messages carry it.
pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1_000_000) * 1_000).unwrap();
    prost_types::Timestamp { seconds: at.0.div_euclid(1_000_000), nanos }
}

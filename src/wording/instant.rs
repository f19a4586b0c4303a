//! Instants in words.

use prost_types::Timestamp;

/// An instant to the second, in UTC: `2022-09-30T17:00:00Z`; empty for none.
pub(crate) fn to_the_second(at: Option<&Timestamp>) -> String {
    let whole = |at: &Timestamp| Timestamp { seconds: at.seconds, nanos: 0 };
    at.map(|at| whole(at).to_string()).unwrap_or_default()
}

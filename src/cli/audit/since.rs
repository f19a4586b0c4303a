//! The times that a log is searched or pruned by.

use jiff::tz::TimeZone;

use crate::model::timestamp::Timestamp;

/// A date, from midnight UTC on, or an instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let midnight = || TimeZone::UTC.to_timestamp(text.parse::<jiff::civil::Date>()?.at(0, 0, 0, 0));
    let instant = text.parse::<jiff::Timestamp>().or_else(|_| midnight());
    instant
        .map(|instant| Timestamp(instant.as_microsecond()))
        .map_err(|_| "allowed: a date such as 2026-03-01, or an instant such as 2026-03-01T09:00:00Z".to_owned())
}

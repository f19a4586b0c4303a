//! Instants, as the journal keeps them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::date::Date;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

const MICROS_AN_HOUR: i64 = 3_600_000_000;

impl Timestamp {
    /// The instant of a system's clock; the first one of 1970 for one before.
    pub(crate) fn of_system(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// The instant so many hours later, or the last one that there is.
    #[must_use]
    pub const fn plus_hours(self, hours: i64) -> Self {
        Self(self.0.saturating_add(hours.saturating_mul(MICROS_AN_HOUR)))
    }

    /// The instant just after it, or the last one that there is.
    #[must_use]
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The instant just before it, or the first one that there is.
    #[must_use]
    pub(crate) const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The day in UTC, to print it. Which day an instant is on for everything else, a
    /// [`Zone`](super::zone::Zone) says.
    fn utc_date(self) -> Date {
        Date::of_unix_seconds(self.0.div_euclid(1_000_000))
    }
}

/// RFC 3339, in UTC, to the second: `2022-03-31T17:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.div_euclid(1_000_000).rem_euclid(86_400);
        write!(f, "{}T{:02}:{:02}:{:02}Z", self.utc_date(), second / 3_600, second / 60 % 60, second % 60)
    }
}

/// How many whole seconds an instant is after another; 0 where it isn't.
#[cfg(feature = "server")]
pub(crate) fn seconds_between(Timestamp(from): Timestamp, Timestamp(to): Timestamp) -> u64 {
    u64::try_from(to.saturating_sub(from) / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_to_the_second() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_648_746_061_999_999).to_string(), "2022-03-31T17:01:01Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59Z");
    }
}

//! Instants, as the journal keeps them.

use super::date::Date;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The day of the instant, in UTC.
    pub fn date(self) -> Date {
        Date::of_unix_seconds(self.0.div_euclid(1_000_000))
    }
}

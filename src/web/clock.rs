//! The time of day, for pages.

use std::fmt;
use std::sync::Arc;

use crate::model::date::Date;
use crate::model::timestamp::Timestamp;

/// Gives the time of day.
#[derive(Clone)]
pub(super) struct Clock(pub(super) Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Today, in UTC.
    pub(super) fn today(&self) -> Date {
        let Timestamp(microseconds) = self.now();
        Date::of_unix_seconds(microseconds.div_euclid(1_000_000))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").finish_non_exhaustive()
    }
}

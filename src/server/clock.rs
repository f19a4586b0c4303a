//! Whether the clock can be right.
//!
//! The journal's times never go back: after a start with a clock that is ahead, every entry is stamped as if it were
//! later than that, for as long as the clock was ahead. So a clock that is behind what was written is refused at the
//! start, until somebody says that it is the clock that is right. A clock that is ahead at a start can't be known
//! then; the next start with the right one is refused. While the server runs, a jump shows beside the monotonic clock.

use std::time::Instant;

use crate::model::timestamp::Timestamp;

/// How far behind or ahead a clock may be.
const APART_HOURS_MAX: i64 = 1;

/// What was written last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Newest {
    /// When the journal's newest entry was accepted.
    pub(super) entry: Option<Timestamp>,
    /// When the audit log's last line was written.
    pub(super) audit_line: Option<Timestamp>,
}

/// A clock that is behind what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock has {now}, and {what} is of {newest}")]
pub struct ClockBehind {
    now: Timestamp,
    what: &'static str,
    newest: Timestamp,
}

impl Newest {
    /// What was written more than an hour later than now.
    fn ahead_of(self, now: Timestamp) -> Option<ClockBehind> {
        let found =
            [("the newest entry of the journal", self.entry), ("the last line of the audit log", self.audit_line)];
        let ahead = found.into_iter().filter_map(|(what, newest)| Some(ClockBehind { now, what, newest: newest? }));
        ahead.filter(|found| found.newest > now.plus_hours(APART_HOURS_MAX)).max_by_key(|found| found.newest)
    }

    /// Checks the clock at the start.
    ///
    /// # Errors
    /// When it is behind, and that isn't accepted.
    pub(super) fn check(self, now: Timestamp, is_accepted: bool) -> Result<(), ClockBehind> {
        match self.ahead_of(now) {
            Some(behind) if !is_accepted => Err(behind),
            Some(behind) => {
                tracing::warn!(
                    "{behind}: entries are stamped as just after that until the clock has passed it, and keys expire by the clock"
                );
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The clock beside the monotonic one, as they go on.
pub(super) struct Watched {
    start: Timestamp,
    monotonic_start: Instant,
    in_doubt: bool,
}

impl Watched {
    pub(super) fn from(start: Timestamp, monotonic_start: Instant) -> Self {
        Self { start, monotonic_start, in_doubt: false }
    }

    /// Whether the clock is in doubt now; what changes in that is logged.
    pub(super) fn is_in_doubt(&mut self, wall: Timestamp, monotonic: Instant, entry: Option<Timestamp>) -> bool {
        let passed = monotonic.saturating_duration_since(self.monotonic_start).as_micros();
        let expected = Timestamp(self.start.0.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX)));
        let behind = Newest { entry, audit_line: None }.ahead_of(wall);
        let in_doubt = behind.is_some() || wall > expected.plus_hours(APART_HOURS_MAX);
        if in_doubt != self.in_doubt {
            self.in_doubt = in_doubt;
            match behind {
                _ if !in_doubt => tracing::info!("the clock is where it is expected again: it has {wall}"),
                Some(behind) => {
                    tracing::warn!("{behind}: entries are stamped as just after that until the clock has passed it");
                }
                None => tracing::warn!(
                    "the clock has jumped ahead, to {wall} from {expected}, or the machine was suspended: if the clock is wrong, stop the server and set it, because what is written now is stamped with it for good"
                ),
            }
        }
        in_doubt
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hours(hours: i64) -> Timestamp {
        Timestamp(0).plus_hours(hours)
    }

    #[test]
    fn a_clock_is_refused_when_it_is_more_than_an_hour_behind_what_was_written_and_that_is_not_accepted() {
        let written = |entry, audit_line| Newest { entry, audit_line };
        for (newest, now, is_right) in [
            (written(None, None), 0, true),
            (written(Some(hours(10)), None), 10, true),
            (written(Some(hours(10)), Some(hours(10))), 9, true),
            (written(Some(hours(10)), None), 8, false),
            (written(Some(hours(8)), Some(hours(10))), 8, false),
            (written(Some(hours(10)), None), 100_000, true),
        ] {
            assert_eq!(newest.check(hours(now), false).is_ok(), is_right, "{newest:?} at {now}");
            assert!(newest.check(hours(now), true).is_ok());
        }
    }

    #[test]
    fn a_clock_is_in_doubt_from_a_jump_ahead_until_it_is_set_back_and_nothing_is_stamped_later() {
        let start = Instant::now();
        let mut clock = Watched::from(hours(0), start);
        let mut at =
            |wall: Timestamp, seconds, entry| clock.is_in_doubt(wall, start + Duration::from_secs(seconds), entry);
        assert!(!at(Timestamp(1_000_000), 1, None));
        assert!(!at(Timestamp(1_900_000_000), 2, None), "half an hour");
        assert!(at(hours(20_000), 3, None));
        assert!(at(hours(20_000), 4, Some(hours(20_000))), "it goes on from there");
        assert!(at(Timestamp(5_000_000), 5, Some(hours(20_000))), "it is right, and behind an entry");
        assert!(!at(Timestamp(6_000_000), 6, None));
    }

    #[test]
    fn small_steps_and_a_clock_that_stands_still_are_no_jump() {
        let start = Instant::now();
        let mut clock = Watched::from(hours(0), start);
        for second in 1_u32..10_000 {
            let wall = Timestamp(if second < 5_000 { 0 } else { i64::from(second) * 1_001_000 });
            let now = start + Duration::from_secs(u64::from(second));
            assert!(!clock.is_in_doubt(wall, now, None), "{second}");
        }
    }
}

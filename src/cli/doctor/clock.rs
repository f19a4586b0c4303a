//! This machine's clock beside a server's.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::super::failure::Failure;

/// By how much two clocks may differ: what a Windows domain allows as well, for which its desktops keep theirs.
const DIFFERENCE_MAX: Duration = Duration::from_secs(5 * 60);

/// How this machine's clock compares with a server's, by the header `date` of an answer that arrives now. In words; none
/// when the answer has no such header.
///
/// # Errors
/// When they differ by so much that keys and certificates seem valid on one side alone.
pub(super) fn compare(date: Option<&str>, now: SystemTime) -> Option<Result<String, Failure>> {
    let server = rfc2822::parse(date?).ok()?.timestamp();
    let here = Timestamp::try_from(now).ok()?;
    let difference = here.duration_since(server);
    // The header is cut to seconds, and was on the way for a while.
    let seconds = difference.as_secs();
    let ahead = if seconds < 0 { "behind" } else { "ahead of" };
    let words = format!("{} s {ahead} the server's, which has {server}", seconds.unsigned_abs());
    Some(if difference.unsigned_abs() <= DIFFERENCE_MAX {
        Ok(words)
    } else {
        Err(Failure::failed(format!("{words}: set this machine's clock, or, if it is right, have the server's set")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        let server = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let compared = |now| match compare(Some("Sun, 09 Sep 2001 01:46:40 GMT"), now).unwrap() {
            Ok(words) => format!("ok: {words}"),
            Err(Failure::Message(_, words)) => words,
            Err(other) => panic!("{other:?}"),
        };
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let has = "which has 2001-09-09T01:46:40Z";
        assert_eq!(compared(server), format!("ok: 0 s ahead of the server's, {has}"));
        assert_eq!(compared(server - minutes(5)), format!("ok: 300 s behind the server's, {has}"));
        let set = "set this machine's clock, or, if it is right, have the server's set";
        assert_eq!(compared(server + minutes(6)), format!("360 s ahead of the server's, {has}: {set}"));
        assert_eq!(compared(server - minutes(6)), format!("360 s behind the server's, {has}: {set}"));
    }

    #[test]
    fn an_answer_without_a_date_says_nothing_of_the_clock() {
        for date in [None, Some(""), Some("yesterday")] {
            assert!(compare(date, SystemTime::now()).is_none());
        }
    }
}

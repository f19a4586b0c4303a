//! Instants as people read and write them, in UTC.

use prost_types::Timestamp;

use super::period::Span;
use crate::model::date::Date;
use crate::rpc::proto::Kind;

const SECONDS_IN_DAY: i64 = 86_400;

/// An instant to the second: `30 September 2022, 17:00:00 UTC`.
pub(crate) fn text(at: &Timestamp) -> String {
    let second = at.seconds.rem_euclid(SECONDS_IN_DAY);
    let day = Date::of_unix_seconds(at.seconds).to_string();
    let day = Span::Period(&day).name(Kind::Stock);
    format!("{day}, {:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}

/// An instant to the second, as machines have it: `2022-09-30T17:00:00Z`; empty for none.
pub(crate) fn to_the_second(at: Option<&Timestamp>) -> String {
    let whole = |at: &Timestamp| Timestamp { seconds: at.seconds, nanos: 0 };
    at.map(|at| whole(at).to_string()).unwrap_or_default()
}

/// Reads an instant, such as `2022-09-30T17:00:00Z`.
///
/// # Errors
/// What is allowed.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    // A date alone parses too, but which time zone's midnight it means would be a guess.
    let is_date_alone = text.len() <= "2022-09-30".len();
    text.parse()
        .ok()
        .filter(|_| !is_date_alone)
        .ok_or_else(|| "allowed: a date, a time and an offset, such as 2022-09-30T17:00:00Z".to_owned())
}

/// Reads when something begins or ends: an instant, or a date, which is from midnight in UTC on.
///
/// # Errors
/// What is allowed.
pub(crate) fn parse_bound(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "allowed: a date such as 2026-03-01, from midnight UTC, or an instant such as 2026-03-01T09:00:00Z".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_to_the_second() {
        let read = |instant: &str| text(&parse(instant).unwrap());
        assert_eq!(read("2022-09-30T17:00:00.999999Z"), "30 September 2022, 17:00:00 UTC");
        assert_eq!(read("2022-10-01T00:30:09+01:00"), "30 September 2022, 23:30:09 UTC");
        assert_eq!(read("1969-12-31T23:59:59Z"), "31 December 1969, 23:59:59 UTC");
    }

    #[test]
    fn an_instant_needs_a_date_a_time_and_an_offset() {
        for (text, seconds) in [
            ("2022-09-30T17:00:00Z", Some(1_664_557_200)),
            ("2022-09-30T18:00:00+01:00", Some(1_664_557_200)),
            ("2022-09-30 17:00:00Z", Some(1_664_557_200)),
            ("2022-09-30", None),
            ("2022-13-30T17:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok().map(|time| time.seconds), seconds, "{text}");
        }
    }
}

//! Instants in words.

use prost_types::Timestamp;

/// An instant to the second, in UTC: `2022-09-30T17:00:00Z`; empty for none.
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

#[cfg(test)]
mod tests {
    use super::*;

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

//! Time zones: which day an instant is on.

use std::fmt;
use std::str::FromStr;

use super::date::Date;
use super::timestamp::Timestamp;
use super::violation::Quoted;

/// A time zone of the IANA database, which is part of the program: the machine's own isn't asked.
///
/// ```
/// use conspectus::model::timestamp::Timestamp;
/// use conspectus::model::zone::Zone;
///
/// // Half past midnight on 1 July 2026 in London is still 30 June in UTC.
/// let at = Timestamp(1_782_862_200_000_000);
/// assert_eq!(at.to_string(), "2026-06-30T23:30:00Z");
/// assert_eq!("Europe/London".parse::<Zone>()?.date(at).to_string(), "2026-07-01");
/// # Ok::<(), conspectus::model::zone::ZoneError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(jiff::tz::TimeZone);

/// Universal time.
pub static UTC: Zone = Zone(jiff::tz::TimeZone::UTC);

/// Why a text is not a [`Zone`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}; allowed: a time zone of the IANA database, such as Europe/London", Quoted(.found))]
pub struct ZoneError {
    /// The text as it was given.
    pub found: String,
}

impl Zone {
    /// The name of the zone that days are counted in unless another is chosen.
    pub const DEFAULT: &'static str = "Europe/London";

    /// The day of an instant, clamped to the days that there are.
    pub fn date(&self, at: Timestamp) -> Date {
        let offset = self.instant(at).map_or(0, |instant| self.0.to_offset(instant).seconds());
        Date::of_unix_seconds(at.0.div_euclid(1_000_000).saturating_add(i64::from(offset)))
    }

    /// The first instant of the day after that of an instant.
    pub fn next_day(&self, at: Timestamp) -> Timestamp {
        const MICROS_A_DAY: i64 = 86_400_000_000;
        let start = || {
            let tomorrow = self.0.to_datetime(self.instant(at)?).date().tomorrow().ok()?;
            // Midnight; where the clocks go forward at midnight, the first instant after it.
            Some(Timestamp(tomorrow.to_zoned_datetime(self.0.clone()).ok()?.timestamp().as_microsecond()))
        };
        start().unwrap_or(Timestamp(at.0.saturating_add(MICROS_A_DAY)))
    }

    /// The first instant of the day of an instant.
    pub(crate) fn day_start(&self, at: Timestamp) -> Timestamp {
        let start = || {
            let today = self.0.to_datetime(self.instant(at)?).date();
            Some(Timestamp(today.to_zoned_datetime(self.0.clone()).ok()?.timestamp().as_microsecond()))
        };
        start().unwrap_or(at)
    }

    fn instant(&self, at: Timestamp) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(at.0).ok()
    }
}

/// [`Zone::DEFAULT`].
impl Default for Zone {
    fn default() -> Self {
        Self::DEFAULT.parse().expect("the database has the default zone")
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        jiff::tz::TimeZone::get(text).map(Self).map_err(|_| ZoneError { found: text.to_owned() })
    }
}

/// Its name in the database.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn a_day_begins_at_the_zones_midnight_in_summer_and_winter() {
        let london = Zone::default();
        for (instant, day, next) in [
            ("2026-06-30T22:59:59Z", "2026-06-30", "2026-06-30T23:00:00Z"),
            ("2026-06-30T23:00:00Z", "2026-07-01", "2026-07-01T23:00:00Z"),
            ("2026-01-31T23:59:59Z", "2026-01-31", "2026-02-01T00:00:00Z"),
            // The day on which the clocks go back has 25 hours.
            ("2026-10-24T23:00:00Z", "2026-10-25", "2026-10-26T00:00:00Z"),
        ] {
            assert_eq!(london.date(at(instant)).to_string(), day, "{instant}");
            assert_eq!(london.next_day(at(instant)), at(next), "{instant}");
        }
        assert_eq!(UTC.date(at("2026-06-30T23:30:00Z")).to_string(), "2026-06-30");
    }

    #[test]
    fn a_zone_is_known_by_its_name_only() {
        assert_eq!("Europe/London".parse::<Zone>().unwrap().to_string(), "Europe/London");
        assert_eq!(UTC.to_string(), "UTC");
        let refused = "Mars/Olympus".parse::<Zone>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "found `Mars/Olympus`; allowed: a time zone of the IANA database, such as Europe/London"
        );
    }

    #[test]
    fn any_instant_has_a_day() {
        for micros in [i64::MIN, i64::MAX] {
            Zone::default().date(Timestamp(micros));
            Zone::default().next_day(Timestamp(micros));
        }
    }
}

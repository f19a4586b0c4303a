//! A civil date, and nothing more: no clock, no time zone, no locale.

use std::fmt;
use std::str::FromStr;

use super::violation::Quoted;

/// A day of the proleptic Gregorian calendar, in the years 1900 to 2199.
///
/// Held as a count of days, so that comparing, hashing and stepping cost one integer operation.
///
/// ```
/// use conspectus::model::date::Date;
///
/// let date: Date = "2024-02-28".parse()?;
/// assert_eq!(date.plus_days(1).to_string(), "2024-02-29");
/// # Ok::<(), conspectus::model::date::DateError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    /// Days since 1970-01-01.
    days: i32,
}

/// Why a text is not a [`Date`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}; allowed: a day as YYYY-MM-DD, such as 2022-03-31, in the years 1900 to 2199", Quoted(.found))]
pub struct DateError {
    /// The text as it was given.
    pub found: String,
}

/// The names of the months, January first.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const SECONDS_IN_DAY: i64 = 86_400;

impl Date {
    /// 1900-01-01, the earliest date.
    pub const MIN: Self = Self { days: days_of_civil(1900, 1, 1) };

    /// 2199-12-31, the latest date.
    pub const MAX: Self = Self { days: days_of_civil(2199, 12, 31) };

    /// The date of a year (1900 to 2199), month (1 to 12) and day of the month (from 1), or `None`
    /// when the calendar has no such day.
    #[must_use]
    pub const fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        if year < 1900 || year > 2199 || month < 1 || month > 12 {
            return None;
        }
        if day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self { days: days_of_civil(year, month, day) })
    }

    /// The date that is `days` after 1970-01-01 (negative: before it), or `None` outside the range.
    #[must_use]
    pub const fn from_days(days: i32) -> Option<Self> {
        if days < Self::MIN.days || days > Self::MAX.days {
            return None;
        }
        Some(Self { days })
    }

    /// The UTC date of a Unix time in seconds; a time outside the range gives the nearest date in it.
    #[must_use]
    pub fn of_unix_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(SECONDS_IN_DAY);
        let days = days.clamp(Self::MIN.days.into(), Self::MAX.days.into());
        i32::try_from(days).map_or(Self::MAX, |days| Self { days })
    }

    /// Days since 1970-01-01, negative before it.
    #[must_use]
    pub const fn days(self) -> i32 {
        self.days
    }

    /// The year, 1900 to 2199.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.civil().0
    }

    /// The year and the month: one calculation, where the two apart are two.
    #[must_use]
    pub(crate) const fn year_and_month(self) -> (i32, u8) {
        let (year, month, _) = self.civil();
        (year, month)
    }

    /// The month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.civil().1
    }

    /// The day of the month, 1 to 31.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.civil().2
    }

    /// The ISO weekday: 1 is Monday, 7 is Sunday.
    #[must_use]
    pub const fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        narrow((self.days + 3).rem_euclid(7) + 1)
    }

    /// Whether this is the last day of its month.
    #[must_use]
    pub const fn is_month_end(self) -> bool {
        let (year, month, day) = self.civil();
        day == days_in_month(year, month)
    }

    /// The date `days` later (negative: earlier), stopping at [`Date::MIN`] and [`Date::MAX`].
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        let days = self.days.saturating_add(days);
        Self { days: days.clamp(Self::MIN.days, Self::MAX.days) }
    }

    /// The same date so many years before, 28 February for a 29 February that isn't there, stopping at
    /// [`Date::MIN`].
    #[must_use]
    pub fn years_before(self, years: i32) -> Self {
        let (year, month, day) = self.civil();
        let year = year.saturating_sub(years);
        Self::new(year, month, day.min(days_in_month(year, month))).unwrap_or(Self::MIN)
    }

    /// Year, month and day. The arithmetic is Howard Hinnant's `civil_from_days`: years are counted
    /// from 1 March, so that the leap day falls at the end, and 400 years are always 146,097 days.
    const fn civil(self) -> (i32, u8, u8) {
        let shifted = self.days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = narrow(day_of_year - (153 * month_from_march + 2) / 5 + 1);
        let month = narrow((month_from_march + 2) % 12 + 1);
        let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }
}

/// The number of days in a month (1 to 12) of a year.
#[must_use]
pub const fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Howard Hinnant's `days_from_civil`, the inverse of [`Date::civil`].
const fn days_of_civil(year: i32, month: u8, day: u8) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i32 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a weekday, a month or a day of the month: 1 to 31; TryFrom is not const"
)]
const fn narrow(small: i32) -> u8 {
    small as u8
}

/// Writes the last digits of a number, as many as there is room for. An answer has thousands of dates and periods, and
/// formatting a number takes ten times as long.
pub(super) fn write_digits(room: &mut [u8], mut number: u32) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let mut text = *b"0000-00-00";
        write_digits(&mut text[..4], year.unsigned_abs());
        write_digits(&mut text[5..7], month.into());
        write_digits(&mut text[8..], day.into());
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Date {
    type Error = DateError;

    fn try_from(text: String) -> Result<Self, DateError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl FromStr for Date {
    type Err = DateError;

    /// Reads `YYYY-MM-DD`, and only that.
    fn from_str(text: &str) -> Result<Self, DateError> {
        read(text).ok_or_else(|| DateError { found: text.to_owned() })
    }
}

fn read(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u16, |sum, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            Some(sum * 10 + u16::from(digit))
        })
    };
    let year = number(&[y1, y2, y3, y4])?;
    let month = u8::try_from(number(&[m1, m2])?).ok()?;
    let day = u8::try_from(number(&[d1, d2])?).ok()?;
    Date::new(year.into(), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_day_follows_the_one_before_it_by_the_calendars_rules() {
        let (mut year, mut month, mut day, mut weekday) = (1900, 1, 1, 1); // a Monday
        for days in Date::MIN.days()..=Date::MAX.days() {
            let date = Date::from_days(days).unwrap();
            assert_eq!((date.year(), date.month(), date.day()), (year, month, day));
            assert_eq!(date.weekday(), weekday, "{date}");
            assert_eq!(Date::new(year, month, day), Some(date));
            assert_eq!(date.to_string().parse(), Ok(date));
            weekday = weekday % 7 + 1;
            let leap = year % 4 == 0 && year != 1900 && year != 2100;
            let length = match month {
                2 => 28 + u8::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            assert_eq!(date.is_month_end(), day == length);
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == length => (year, month + 1, 1),
                (_, day) => (year, month, day + 1),
            };
        }
        assert_eq!((year, month, day), (2200, 1, 1));
    }

    #[test]
    fn only_real_days_in_the_range_are_dates() {
        for (year, month, day) in [
            (1899, 12, 31),
            (2200, 1, 1),
            (2022, 0, 1),
            (2022, 13, 1),
            (2022, 1, 0),
            (2022, 4, 31),
            (2022, 2, 29),
            (1900, 2, 29),
            (2100, 2, 29),
        ] {
            assert_eq!(Date::new(year, month, day), None, "{year} {month} {day}");
        }
        assert!(Date::new(2000, 2, 29).is_some());
    }

    #[test]
    fn only_the_full_hyphenated_form_is_read() {
        for text in [
            "",
            "2022-3-31",
            "2022-03-31 ",
            "31-03-2022",
            "2022/03/31",
            "2022-02-30",
            "20220331",
            "+022-03-31",
            "２022-03-31",
        ] {
            let error = text.parse::<Date>().unwrap_err();
            assert_eq!(error.found, text);
        }
        assert_eq!(
            "2022-02-30".parse::<Date>().unwrap_err().to_string(),
            "found `2022-02-30`; allowed: a day as YYYY-MM-DD, such as 2022-03-31, in the years 1900 to 2199"
        );
    }

    #[test]
    fn a_unix_time_falls_on_its_utc_day() {
        for (seconds, expect) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (1_648_771_199, "2022-03-31"),
            (i64::MAX, "2199-12-31"),
            (i64::MIN, "1900-01-01"),
        ] {
            assert_eq!(Date::of_unix_seconds(seconds).to_string(), expect);
        }
    }

    #[test]
    fn steps_stop_at_the_ends_of_the_range() {
        assert_eq!(Date::MAX.plus_days(1), Date::MAX);
        assert_eq!(Date::MIN.plus_days(i32::MIN), Date::MIN);
        assert_eq!(Date::MIN.plus_days(i32::MAX), Date::MAX);
        assert_eq!(Date::from_days(Date::MAX.days() + 1), None);
        assert_eq!(Date::from_days(Date::MIN.days() - 1), None);
    }

    #[test]
    fn a_date_so_many_years_before_is_the_same_date_or_the_last_of_february() {
        for (text, years, expect) in [
            ("2023-03-31", 10, "2013-03-31"),
            ("2024-02-29", 10, "2014-02-28"),
            ("2024-02-29", 4, "2020-02-29"),
            ("1905-07-01", 10, "1900-01-01"),
        ] {
            assert_eq!(text.parse::<Date>().unwrap().years_before(years).to_string(), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_order_as_their_texts_do(
            a in Date::MIN.days()..=Date::MAX.days(),
            b in Date::MIN.days()..=Date::MAX.days(),
        ) {
            let (a, b) = (Date::from_days(a).unwrap(), Date::from_days(b).unwrap());
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}

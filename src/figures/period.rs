//! A cell where a period is expected: the API's forms, further ones that spreadsheets have, and what is refused because
//! it may be two periods.
//!
//! | in the cell | read as |
//! |---|---|
//! | every form of `model/period/notation.rs` but the day that is refused below | the same |
//! | `Apr-22`, `Apr 22`, `April '22` | `2022-04` |
//! | `202204` | `2022-04` |
//! | `202122`, `19/20`, `Financial year 2024-25` | the financial year |
//! | `2013-14 (p)` | the year, and the marker `p` |
//! | a workbook's date that is shown as `Apr-22` | `2022-04` |
//! | `31/03/2022`, `31/03/2022 00:00`, a workbook's date | the day |
//! | `1/4/2022`, a workbook's date of 1 April | refused: April, 1 April or 4 January, unless [`DatesAre`] says which |
//! | `2011-12`, `201112`, a workbook's `Dec-11`, which it makes of `2011-12` | refused: December or the financial year |
//! | `10/11`, `22-Apr` | refused: a year (or a month), or a day without its year |
//! | `44743` | refused: a spreadsheet's number for a date |

use super::table::{Cell, CellKind, Moment};
use crate::model::date::Date;
use crate::model::marker::Marker;
use crate::model::period::{Frequency, Period};
use crate::model::violation::Quoted;

/// What the dates in a file's periods stand for, where its sender has said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatesAre {
    /// The months that they begin.
    Months,
    /// Days.
    Days,
}

/// A period as the API reads it, and a marker that stood beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) marker: Option<Marker>,
}

/// Reads a cell.
///
/// # Errors
/// What was found, and what would be accepted, where there is no reading or more than one.
pub(super) fn read(cell: &Cell, dates: Option<DatesAre>) -> Result<Written, String> {
    let unmarked = |text: String| Written { text, marker: None };
    match cell.kind {
        CellKind::Date(moment) => of_moment(&cell.text, moment, dates).map(unmarked),
        CellKind::Text | CellKind::Number | CellKind::Error | CellKind::FormulaWithoutValue => {
            let (text, marker) = without_marker(&cell.text);
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            of_text(&text, &cell.text, dates).map(|text| Written { text, marker })
        }
    }
}

/// The text, and a marker in brackets after it: `2013-14 (p)`.
fn without_marker(text: &str) -> (&str, Option<Marker>) {
    let open = |open, close| text.strip_suffix(close).and_then(|rest: &str| rest.rsplit_once(open));
    let found = open('(', ')').or_else(|| open('[', ']'));
    let marked = found.and_then(|(rest, marker)| Some((rest.trim_end(), marker.trim().parse::<Marker>().ok()?)));
    match marked {
        Some((rest, marker)) if !marker.is_absence() => (rest, Some(marker)),
        Some(_) | None => (text, None),
    }
}

/// The text as the API reads it. `found` is what the file has.
fn of_text(text: &str, found: &str, dates: Option<DatesAre>) -> Result<String, String> {
    if let Some((month, year)) = both_readings(text) {
        return Err(month_or_year(found, month, year));
    }
    if let Some(date) = WrittenDate::read(text) {
        return date.period(found, dates);
    }
    if let Some(result) =
        six_digits(text, found).or_else(|| two_short_years(text, found)).or_else(|| short_month(text, found))
    {
        return result;
    }
    if let Some(date) = of_serial(text) {
        return Err(format!(
            "found {}, which is a spreadsheet's number for {}; write {} or {date}: format the column as a date before \
             the file is saved",
            Quoted(found),
            in_words(date),
            month_of(date)
        ));
    }
    let reworded = reworded(text);
    match reworded.parse::<Period>() {
        Ok(_) if reworded == text => Ok(text.to_owned()),
        Ok(period) => Ok(period.to_string()),
        Err(mut error) => {
            found.clone_into(&mut error.found);
            Err(error.to_string())
        }
    }
}

/// The month and the financial year that a text may be: `2009-10` is October 2009 to the API, and a
/// financial year to whoever fills in a spreadsheet.
fn both_readings(text: &str) -> Option<(Period, Period)> {
    let month: Period = text.parse().ok()?;
    let year = format!("FY{text}").parse().ok()?;
    (month.frequency() == Frequency::Month && month.to_string() == text).then_some((month, year))
}

/// A period's text as a file has it, in which it has one reading.
pub(crate) fn unambiguous(period: &str) -> String {
    let in_words = both_readings(period).and_then(|(month, _)| month.in_words());
    in_words.unwrap_or_else(|| period.to_owned())
}

fn month_or_year(found: &str, month: Period, year: Period) -> String {
    let month = month.in_words().unwrap_or_default();
    let written = year.to_string();
    let years = written.trim_start_matches("FY");
    format!("found {}, which may be {month} or the financial year {years}; write {month} or {year}", Quoted(found))
}

/// A date in figures, and perhaps midnight after it, as databases write it.
struct WrittenDate {
    date: Date,
    /// The date that it is with the month before the day, where that is another one.
    month_first: Option<Date>,
    is_api_form: bool,
}

impl WrittenDate {
    fn read(text: &str) -> Option<Self> {
        let (day, time) = text.split_once([' ', 'T', 't']).unwrap_or((text, ""));
        let is_midnight =
            time.is_empty() || time.contains(':') && time.chars().all(|c| ['0', ':', '.', 'Z'].contains(&c));
        let separator = day.chars().find(|c| !c.is_ascii_digit())?;
        let parts: Vec<&str> = day.split(separator).collect();
        let [first, second, third] = parts[..] else { return None };
        let number = |part: &str| part.parse::<u8>().ok();
        let is_written = |parts: [&str; 2]| parts.iter().all(|part| (1..=2).contains(&part.len()));
        match separator {
            '/' if is_midnight && third.len() == 4 && is_written([first, second]) => {
                let (day, month, year) = (number(first)?, number(second)?, third.parse().ok()?);
                let month_first = Date::new(year, day, month).filter(|_| day != month);
                let date = Date::new(year, month, day)?;
                Some(Self { date, month_first, is_api_form: false })
            }
            '-' if is_midnight && first.len() == 4 && [second, third].iter().all(|part| part.len() == 2) => {
                let date = Date::new(first.parse().ok()?, number(second)?, number(third)?)?;
                Some(Self { date, month_first: None, is_api_form: time.is_empty() })
            }
            _ => None,
        }
    }

    fn period(&self, found: &str, dates: Option<DatesAre>) -> Result<String, String> {
        if self.is_api_form && dates != Some(DatesAre::Months) {
            return Ok(self.date.to_string());
        }
        of_date(self.date, self.month_first, found, dates)
    }
}

/// The period of a date, which on the first of a month may be the month.
fn of_date(date: Date, month_first: Option<Date>, found: &str, dates: Option<DatesAre>) -> Result<String, String> {
    match dates {
        Some(DatesAre::Days) => Ok(date.to_string()),
        Some(DatesAre::Months) if date.day() == 1 => month(date),
        Some(DatesAre::Months) => Err(format!(
            "found {}, which isn't the first day of a month; allowed with --dates months: the day that a month begins on, \
             or a period such as {}",
            Quoted(found),
            month_of(date)
        )),
        None if date.day() != 1 && month_first.is_none() => Ok(date.to_string()),
        None => {
            let mut readings = vec![format!("the day {}", in_words(date))];
            if date.day() == 1 {
                readings.insert(0, format!("the month {}", month_of(date)));
            }
            readings.extend(month_first.map(|other| format!("with the month first, {}", in_words(other))));
            let last = readings.pop().unwrap_or_default();
            let write = if date.day() == 1 { format!("{} or {date}", month_of(date)) } else { date.to_string() };
            Err(format!(
                "found {}, which may be {} or, {last}; write {write}, or say of all dates in the file what they are, with \
                 --dates months or --dates days",
                Quoted(found), readings.join(", ")
            )
            .replace(" or, the", " or the"))
        }
    }
}

/// A date of a workbook. Excel makes dates of texts that look like one.
fn of_moment(found: &str, moment: Moment, dates: Option<DatesAre>) -> Result<String, String> {
    let Some(date) = moment.date else {
        return Err(format!(
            "found {}, a time or a date that isn't in the years 1900 to 2199; allowed: a period, such as 2022-06",
            Quoted(found)
        ));
    };
    if moment.has_time {
        return Err(format!(
            "found {}, with a time of day; write the period, such as {} or {date}",
            Quoted(found),
            month_of(date)
        ));
    }
    match (moment.shows_day, moment.shows_year) {
        (false, true) if dates == Some(DatesAre::Months) => month(date),
        (false, true) => match both_readings(&month(date)?) {
            Some((month, year)) => Err(format!(
                "{}: a spreadsheet makes that of both. To keep such a text, format the cell as text first",
                month_or_year(found, month, year)
            )),
            None => month(date),
        },
        (true, true) => of_date(date, None, found, dates),
        (true, false) => {
            let year = date.year() / 100 * 100 + i32::from(date.day());
            let other = Period::of(Frequency::Month, Date::new(year, date.month(), 1).unwrap_or(date));
            let other = other.and_then(Period::in_words).unwrap_or_default();
            Err(format!(
                "found {}, the date {}, which a spreadsheet also makes of the text for {other}; write {other} or {date}, in a \
                 cell that is formatted as text",
                Quoted(found),
                in_words(date)
            ))
        }
        (false, false) => Err(format!(
            "found {}, the date {} shown without its year; write {} or {date}, in a cell that is formatted as text",
            Quoted(found),
            in_words(date),
            month_of(date)
        )),
    }
}

fn month(date: Date) -> Result<String, String> {
    Period::of(Frequency::Month, first_of_month(date))
        .map(|month| month.to_string())
        .ok_or_else(|| format!("found {date}; allowed: a month"))
}

fn first_of_month(date: Date) -> Date {
    Date::new(date.year(), date.month(), 1).unwrap_or(date)
}

/// `Apr 2022`.
fn month_of(date: Date) -> String {
    Period::of(Frequency::Month, first_of_month(date)).and_then(Period::in_words).unwrap_or_default()
}

/// `1 Apr 2022`.
fn in_words(date: Date) -> String {
    format!("{} {}", date.day(), month_of(date))
}

/// `202122` is a financial year, and `202204` a month.
fn six_digits(text: &str, found: &str) -> Option<Result<String, String>> {
    let digits = (text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)?;
    let (first, last) = digits.split_at(4);
    let year = format!("FY{first}-{last}").parse::<Period>().ok();
    let month =
        format!("{first}-{last}").parse::<Period>().ok().filter(|period| period.frequency() == Frequency::Month);
    match (month, year) {
        (Some(month), Some(year)) => Some(Err(month_or_year(found, month, year))),
        (Some(one), None) | (None, Some(one)) => Some(Ok(one.to_string())),
        (None, None) => None,
    }
}

/// The years that are written with their last two digits: 2000 to 2049.
const SHORT_YEAR_END: u8 = 50;

/// `19/20`, which is a financial year; `10/11` may be the 10th of November too.
fn two_short_years(text: &str, found: &str) -> Option<Result<String, String>> {
    let named = text.get(..2).filter(|start| start.eq_ignore_ascii_case("fy"));
    let years = named.map_or(text, |named| text[named.len()..].trim_start());
    let (first, last) = years.split_once(['/', '-', '\u{2013}'])?;
    let number = |text: &str| two_digits(text).filter(|year| *year < SHORT_YEAR_END);
    let (first, last) = (number(first)?, number(last)?);
    let year = format!("FY20{first:02}-{last:02}");
    year.parse::<Period>().ok()?;
    if named.is_none() && last <= 12 {
        let day = Date::new(2000, last, first).map(|day| in_words(day).trim_end_matches(" 2000").to_owned());
        let day = day.unwrap_or_default();
        return Some(Err(format!(
            "found {}, which may be the financial year {year} or the day {day}; write {year}",
            Quoted(found)
        )));
    }
    Some(Ok(year))
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `Apr-22`; the other way round it may be a day.
fn short_month(text: &str, found: &str) -> Option<Result<String, String>> {
    let join = |c: char| c == ' ' || c == '-' || c == '\u{2013}' || c == '/' || c == '\'' || c == '\u{2019}';
    let parts: Vec<&str> = text.split(join).filter(|part| !part.is_empty()).collect();
    let [first, last] = parts[..] else { return None };
    let month = |name: &str, year: u8| {
        format!("{name} 20{year:02}")
            .parse::<Period>()
            .ok()
            .filter(|_| name.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    if let Some(period) = two_digits(last).filter(|year| *year < SHORT_YEAR_END).and_then(|year| month(first, year)) {
        return Some(Ok(period.to_string()));
    }
    let period = two_digits(first).filter(|year| *year < SHORT_YEAR_END).and_then(|year| month(last, year))?;
    let in_words = period.in_words().unwrap_or_default();
    Some(Err(format!(
        "found {}, which may be {in_words} or a day of a year that isn't given; write {in_words}",
        Quoted(found)
    )))
}

/// The date that a spreadsheet's number stands for: the days since the last but one of 1899. Numbers of other lengths
/// are taken for what they look like.
fn of_serial(text: &str) -> Option<Date> {
    const FIRST_OF_MARCH_1900: i32 = 61;
    let days: i32 =
        (text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())??;
    Some(Date::new(1900, 3, 1)?.plus_days(days - FIRST_OF_MARCH_1900))
}

/// The text with the short names of years and quarters for their long ones.
fn reworded(text: &str) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("financial year ending", "year ending"),
        ("financial year ended", "year ending"),
        ("financial year", "FY"),
        ("academic year", "AY"),
        ("calendar year", "CY"),
        ("quarter", "Q"),
    ];
    let lower = text.to_ascii_lowercase();
    let found = NAMES.iter().find_map(|(long, short)| lower.find(long).map(|at| (at, *long, *short)));
    found.map_or_else(
        || text.to_owned(),
        |(at, long, short)| format!("{}{short}{}", &text[..at], &text[at + long.len()..]),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::number_format::DateFormat;
    use super::*;

    fn shown(cell: &Cell, dates: Option<DatesAre>) -> String {
        match read(cell, dates) {
            Ok(Written { text, marker: None }) => text,
            Ok(Written { text, marker: Some(marker) }) => format!("{text} [{marker}]"),
            Err(refusal) => refusal,
        }
    }

    fn text(text: &str) -> String {
        shown(&Cell::text(text), None)
    }

    fn date((year, month, day): (i32, u8, u8), code: &str, dates: Option<DatesAre>) -> String {
        let (date, format) = (Date::new(year, month, day).unwrap(), DateFormat::of(code));
        let moment = Moment {
            date: Some(date),
            has_time: false,
            shows_day: format.shows_day(),
            shows_year: format.shows_year(),
        };
        shown(&Cell { text: format.shown(date, [0; 3]), kind: CellKind::Date(moment) }, dates)
    }

    #[test]
    fn periods_are_read_as_people_write_them() {
        for (written, expect) in [
            ("2021-22", "2021-22"),
            ("Apr-Jun 2021", "Apr-Jun 2021"),
            ("Apr-22", "2022-04"),
            ("April\u{a0}22", "2022-04"),
            ("apr '22", "2022-04"),
            ("Sept-09", "2009-09"),
            ("202204", "2022-04"),
            ("202122", "FY2021-22"),
            ("19/20", "FY2019-20"),
            ("19-20", "FY2019-20"),
            ("FY 10/11", "FY2010-11"),
            ("Financial year 2024-25", "FY2024-25"),
            ("financial year ending 31 March 2025", "FY2024-25"),
            ("Academic Year 2023/24", "AY2023-24"),
            ("Calendar year 2022", "CY2022"),
            ("Quarter 1 2021-22", "FY2021-22-Q1"),
            ("2021-22 Quarter 3", "FY2021-22-Q3"),
            ("2013-14 (p)", "2013-14 [p]"),
            ("Apr-22 [p]", "2022-04 [p]"),
            ("31/03/2022", "2022-03-31"),
            ("31/03/2022 00:00", "2022-03-31"),
            ("2022-03-31 00:00:00", "2022-03-31"),
            ("2022-04-01", "2022-04-01"),
        ] {
            assert_eq!(text(written), expect, "{written}");
        }
    }

    #[test]
    fn a_date_of_a_workbook_is_what_is_shown_of_it() {
        assert_eq!(date((2022, 4, 1), "mmm-yy", None), "2022-04");
        assert_eq!(date((2022, 4, 15), "mmmm yyyy", None), "2022-04");
        assert_eq!(date((2022, 3, 31), "dd/mm/yyyy", None), "2022-03-31");
        assert_eq!(date((2022, 4, 1), "dd/mm/yyyy", Some(DatesAre::Months)), "2022-04");
        assert_eq!(date((2022, 4, 1), "dd/mm/yyyy", Some(DatesAre::Days)), "2022-04-01");
        assert_eq!(date((2011, 12, 1), "mmm-yy", Some(DatesAre::Months)), "2011-12");
    }

    #[test]
    fn what_has_no_reading_or_two_is_refused_with_what_to_write() {
        let texts = [
            "2022",
            "2009-10",
            "200910",
            "1/4/2022",
            "01/09/2022 00:00",
            "05/04/2022",
            "2022-04-01T00:00:00",
            "10/11",
            "09-10",
            "22-Apr",
            "44743",
            "99/00",
            "Apr-99",
            "31/03/2022 09:30",
            "2013-14 (x)",
            "Total",
            "Financial year 2024",
            "202213",
        ];
        let mut refused: Vec<String> = texts.map(text).to_vec();
        refused.extend([
            date((2011, 12, 1), "mmm-yy", None),
            date((2022, 4, 1), "dd/mm/yyyy", None),
            date((2026, 4, 21), "d-mmm", None),
            date((2022, 4, 1), "mmmm", None),
            date((2022, 4, 15), "dd/mm/yyyy", Some(DatesAre::Months)),
        ]);
        assert!(refused.iter().all(|text| text.starts_with("found ")), "{refused:?}");
        insta::assert_snapshot!(refused.join("\n"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_a_period_that_the_api_reads(
            written in "\\PC{0,16}|[0-9/ :-]{4,16}|(Apr|Financial year|FY|Q1)[ -]?[0-9/-]{2,7}",
            dates in prop::sample::select(vec![None, Some(DatesAre::Days), Some(DatesAre::Months)]),
        ) {
            match read(&Cell::text(&written), dates) {
                Ok(Written { text, .. }) => prop_assert!(text.parse::<Period>().is_ok(), "{}", text),
                Err(refusal) => prop_assert!(refusal.starts_with("found "), "{}", refusal),
            }
        }
    }
}

//! How people write periods: every form that is read, and why the others are refused.
//!
//! Case, surrounding and repeated spaces do not matter, an en dash is a hyphen, and months may be
//! short or long. Besides the canonical texts:
//!
//! | written | read as |
//! |---|---|
//! | `2021-22`, `2021/22`, `2021-2022`, `2021 to 2022`, `FY 2021/22` | `FY2021-22` |
//! | `Apr 2021 to Mar 2022`, `year ending 31 March 2022` | `FY2021-22` |
//! | `Q1 2021-22`, `2021/22 Q1`, `Apr-Jun 2021`, `Apr 2021 - Jun 2021` | `FY2021-22-Q1` |
//! | `H1 2021-22`, `Apr-Sep 2021` | `FY2021-22-H1` |
//! | `AY 2021/22`, `Sep 2021 - Aug 2022`, `year ending 31 August 2022` | `AY2021-22` |
//! | `CY 2021`, `Jan-Dec 2021`, `year ending 31 December 2021` | `CY2021` |
//! | `CY 2021 Q3` | `CY2021-Q3` |
//! | `June 2021`, `2021 June`, `06/2021` | `2021-06` |
//! | `2022W07`, `W07 2022` | `2022-W07` |
//! | `31/03/2022`, `31 March 2022`, `as at 31 March 2022` | `2022-03-31` (day first, as in Britain) |
//!
//! `2011-12` could be a month or a financial year. Since a period has one canonical text and that is
//! the month's, it is December 2011; the financial year is `2011/12` or `FY2011-12`. Only the exact
//! text is read so: `2011 – 12`, set as a range of years is, is refused.
//!
//! A bare `2022` is refused, and so is `Q1 2021`: see [`Refusal`].

use std::str::FromStr;

use super::{Frequency, Name, Period, first_of_month};
use crate::model::date::Date;
use crate::model::violation::Quoted;
use Token::{Dash, Month, One, Part, Slash, To, Two, Word, Year};

/// Why a text is not a [`Period`]: what was found, and one sentence on what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}, not a reference period: {reason}", Quoted(.found))]
pub struct PeriodError {
    /// The text as it was given.
    pub found: String,
    /// What is wrong with it.
    pub reason: Refusal,
}

/// What is wrong with the text of a period. Its `Display` says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A year alone, such as `2022` or `FY2022`.
    #[error(
        "publishers use {0} both for a financial year's first and for its last year; write {fy_before}, {fy}, {ay} or CY{0}",
        fy_before = two_years("FY", *.0 - 1), fy = two_years("FY", *.0), ay = two_years("AY", *.0)
    )]
    BareYear(i32),
    /// A quarter of a year alone, such as `Q1 2021`.
    #[error(
        "a quarter of {year} may be financial or calendar; write {}-Q{quarter} or CY{year}-Q{quarter}",
        two_years("FY", *.year)
    )]
    BareQuarter {
        /// The year as written.
        year: i32,
        /// The quarter as written.
        quarter: u8,
    },
    /// A half of a year alone, such as `H1 2021`.
    #[error(
        "half years are those of a financial year, which takes two years to name; write {}-H{half}",
        two_years("FY", *.year)
    )]
    BareHalf {
        /// The year as written.
        year: i32,
        /// The half as written.
        half: u8,
    },
    /// A month or a financial year, such as `2011 – 12`.
    #[error(
        "it may be a month or a financial year; write {month} for the month or {year} for the year",
        month = month_after(*.0), year = two_years("FY", *.0)
    )]
    MonthOrYear(i32),
    /// Two years that do not follow one another, such as `2021-23`.
    #[error("{0} and {1:02} are not years that follow one another; write {year}, or a month as 2022-06", year = two_years("FY", *.0))]
    NotConsecutive(i32, i32),
    /// A month's number above 12 or of 0.
    #[error("months are numbered 01 to 12")]
    NoSuchMonth,
    /// A quarter's number other than 1 to 4.
    #[error("quarters are numbered Q1 to Q4")]
    NoSuchQuarter,
    /// A half's number other than 1 and 2.
    #[error("half years are numbered H1 and H2")]
    NoSuchHalf,
    /// A week's number that its year does not have.
    #[error("that year has no week of that number; most end with W52, and some with W53")]
    NoSuchWeek,
    /// A day that is not in the calendar.
    #[error("the calendar has no such day; write 2022-03-31, or 31/03/2022 with the day first")]
    NoSuchDay,
    /// Months that are not a period, such as `Jan-Jun 2021`.
    #[error(
        "no period covers just those months; quarters begin in January, April, July and October, half years in April and October, years in April, January (calendar) and September (academic)"
    )]
    NoSuchMonths,
    /// A year that ends on some other day.
    #[error("years end on 31 March (financial), 31 August (academic) or 31 December (calendar)")]
    NoSuchYearEnd,
    /// A period that is not wholly in range.
    #[error("periods lie wholly in the years 1900 to 2199")]
    OutOfRange,
    /// Anything else.
    #[error(
        "write a month as 2022-06, a quarter as FY2021-22-Q1 or CY2021-Q3, a half year as FY2021-22-H1, a year as FY2021-22, CY2021 or AY2021-22, a week as 2022-W07 or a day as 2022-03-31"
    )]
    Unknown,
}

fn two_years(scheme: &str, first: i32) -> String {
    format!("{scheme}{first:04}-{:02}", after(first))
}

impl FromStr for Period {
    type Err = PeriodError;

    /// Reads the canonical text and every other form that [this file](self) lists.
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        read(text).map_err(|reason| PeriodError { found: text.to_owned(), reason })
    }
}

fn read(text: &str) -> Result<Period, Refusal> {
    if let Some((year, month)) = canonical_month(text.as_bytes()) {
        return beginning(Name::Month, year, month);
    }
    let lower = text.to_lowercase();
    let tokens = tokens(&lower).ok_or(Refusal::Unknown)?;
    match tokens[..] {
        [Year(first), Dash, Two(last)]
            if i32::from(last) == after(first)
                && (1..=12).contains(&last)
                && text.trim() != format!("{first:04}-{last:02}") =>
        {
            Err(Refusal::MonthOrYear(first))
        }
        [Word("as"), Word("at"), ref rest @ ..] => day(rest),
        [Word("year"), Word("ending" | "ended"), ref rest @ ..] => year_ending(rest),
        // A quarter, a half or a week may come first or last.
        [Part(part), One(number) | Two(number), ref rest @ ..]
        | [ref rest @ .., Dash, Part(part), One(number) | Two(number)]
        | [ref rest @ .., Part(part), One(number) | Two(number)] => part_of(part, number, rest),
        _ => whole(&tokens),
    }
}

/// The year and the month of a month's canonical text, which most are: `2022-06`. It needs no second look, since
/// nothing else is written so.
fn canonical_month(text: &[u8]) -> Option<(i32, u8)> {
    let [y0, y1, y2, y3, b'-', m0, m1] = text else { return None };
    let number = |digits: [&u8; 4]| {
        digits
            .into_iter()
            .try_fold(0_u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))
    };
    let month = u8::try_from(number([&b'0', &b'0', m0, m1])?).ok()?;
    Some((number([y0, y1, y2, y3])?.into(), month)).filter(|(_, month)| (1..=12).contains(month))
}

/// A quarter, a half or a week, and the tokens of its year.
fn part_of(part: Division, number: u8, year: &[Token<'_>]) -> Result<Period, Refusal> {
    match (part, year) {
        (Division::Quarter, _) if !(1..=4).contains(&number) => Err(Refusal::NoSuchQuarter),
        (Division::Quarter, &[Year(year)]) => Err(Refusal::BareQuarter { year, quarter: number }),
        (Division::Quarter, &[Word("cy"), Year(year)]) => beginning(Name::CalendarQuarter, year, 3 * number - 2),
        (Division::Quarter, years) => beginning(Name::FinancialQuarter, financial(years)?, 3 * number + 1),
        (Division::Half, _) if !(1..=2).contains(&number) => Err(Refusal::NoSuchHalf),
        (Division::Half, &[Year(year)]) => Err(Refusal::BareHalf { year, half: number }),
        (Division::Half, years) => beginning(Name::HalfYear, financial(years)?, 6 * number - 2),
        (Division::Week, &[Year(year)]) => week(year, number),
        (Division::Week, _) => Err(Refusal::Unknown),
    }
}

/// Years, months and days.
fn whole(tokens: &[Token<'_>]) -> Result<Period, Refusal> {
    match *tokens {
        [Year(year)] | [Word("fy" | "ay"), Year(year)] => Err(Refusal::BareYear(year)),
        [Word("cy"), Year(year)] => beginning(Name::CalendarYear, year, 1),
        [Word("ay"), ref years @ ..] => beginning(Name::AcademicYear, first_of_two(years)?, 9),
        [Year(year), Dash, Two(month @ 1..=12)]
        | [One(month) | Two(month), Slash, Year(year)]
        | [Month(month), Year(year)]
        | [Year(year), Month(month)] => beginning(Name::Month, year, month),
        [Month(first), Dash | To, Month(last), Year(year)] => months((year, first), (year, last)),
        [Month(first), Year(year), Dash | To, Month(last), Year(last_year)] => months((year, first), (last_year, last)),
        [Word("fy"), ..] | [Year(_), Dash | Slash | To, Two(_) | Year(_)] => {
            beginning(Name::FinancialYear, financial(tokens)?, 4)
        }
        _ => day(tokens),
    }
}

fn day(tokens: &[Token<'_>]) -> Result<Period, Refusal> {
    match *tokens {
        [Year(year), Dash, Two(month), Dash, Two(day)]
        | [One(day) | Two(day), Slash, One(month) | Two(month), Slash, Year(year)]
        | [One(day) | Two(day), Month(month), Year(year)] => date(year, month, day),
        _ => Err(Refusal::Unknown),
    }
}

fn date(year: i32, month: u8, day: u8) -> Result<Period, Refusal> {
    in_range(year)?;
    let date = Date::new(year, month, day).ok_or(Refusal::NoSuchDay)?;
    Period::of(Frequency::Day, date).ok_or(Refusal::OutOfRange)
}

/// The year that ends on a day, or with a month.
fn year_ending(tokens: &[Token<'_>]) -> Result<Period, Refusal> {
    let end = match *tokens {
        [Month(month), Year(year)] => beginning(Name::Month, year, month)?.end(),
        _ => day(tokens)?.end(),
    };
    let year = match (end.month(), end.day()) {
        (3, 31) => Name::FinancialYear,
        (8, 31) => Name::AcademicYear,
        (12, 31) => Name::CalendarYear,
        _ => return Err(Refusal::NoSuchYearEnd),
    };
    Period::holding(year, end).ok_or(Refusal::OutOfRange)
}

/// The period from one year and month through another.
fn months(first: (i32, u8), last: (i32, u8)) -> Result<Period, Refusal> {
    let start = beginning(Name::Month, first.0, first.1)?.start();
    let end = beginning(Name::Month, last.0, last.1)?.end();
    [Name::Month, Name::FinancialQuarter, Name::HalfYear, Name::FinancialYear, Name::CalendarYear, Name::AcademicYear]
        .into_iter()
        .filter_map(|name| Period::holding(name, start))
        .find(|period| (period.start(), period.end()) == (start, end))
        .ok_or(Refusal::NoSuchMonths)
}

fn week(year: i32, number: u8) -> Result<Period, Refusal> {
    in_range(year)?;
    Period::week(year, number.into()).ok_or(Refusal::NoSuchWeek)
}

/// The first year of a financial year's two, with `FY` before them or not.
fn financial(tokens: &[Token<'_>]) -> Result<i32, Refusal> {
    match *tokens {
        [Word("fy"), Year(year)] => Err(Refusal::BareYear(year)),
        [Word("fy"), ref years @ ..] => first_of_two(years),
        _ => first_of_two(tokens),
    }
}

fn first_of_two(tokens: &[Token<'_>]) -> Result<i32, Refusal> {
    match *tokens {
        [Year(first), Dash | Slash | To, Two(last)] if i32::from(last) == after(first) => Ok(first),
        [Year(first), Dash | Slash | To, Year(last)] if last == first + 1 => Ok(first),
        [Year(first), Dash | Slash | To, Two(last)] => Err(Refusal::NotConsecutive(first, last.into())),
        [Year(first), Dash | Slash | To, Year(last)] => Err(Refusal::NotConsecutive(first, last)),
        _ => Err(Refusal::Unknown),
    }
}

/// The month whose number is the last two digits of the year after, in words.
fn month_after(year: i32) -> String {
    u8::try_from(after(year)).ok().and_then(|month| month_in_words(year, month)).unwrap_or_default()
}

/// The last two digits of the year after.
fn after(year: i32) -> i32 {
    (year + 1) % 100
}

/// The period of a name that begins in a month; 13 and on are the next year's.
fn beginning(name: Name, year: i32, month: u8) -> Result<Period, Refusal> {
    if name == Name::Month && !(1..=12).contains(&month) {
        return Err(Refusal::NoSuchMonth);
    }
    first_of_month(year * 12 + i32::from(month) - 1)
        .and_then(|start| Period::holding(name, start))
        .ok_or(Refusal::OutOfRange)
}

fn in_range(year: i32) -> Result<(), Refusal> {
    let range = Date::MIN.year()..=Date::MAX.year();
    range.contains(&year).then_some(()).ok_or(Refusal::OutOfRange)
}

/// A piece of the text. Spaces only part them.
#[derive(Clone, Copy)]
enum Token<'a> {
    /// A number of four digits.
    Year(i32),
    /// A number of two digits.
    Two(u8),
    /// A number of one digit.
    One(u8),
    /// A hyphen or an en dash.
    Dash,
    Slash,
    To,
    /// A month by its name, 1 to 12.
    Month(u8),
    /// `q`, `h` or `w`.
    Part(Division),
    Word(&'a str),
}

#[derive(Clone, Copy)]
enum Division {
    Quarter,
    Half,
    Week,
}

/// The tokens of a text in lower case, or `None` when a piece of it is none.
fn tokens(lower: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = lower.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_of_run = |c: &char| match first {
            '0'..='9' => c.is_ascii_digit(),
            _ => first.is_ascii_alphabetic() && c.is_ascii_alphabetic(),
        };
        let run = rest.chars().take_while(is_of_run).count();
        let (piece, tail) = rest.split_at(run.max(first.len_utf8()));
        tokens.push(token(piece)?);
        rest = tail.trim_start();
    }
    Some(tokens)
}

/// The months, as they are named in the text of a period; the first three letters will do.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A month in words: `Oct 2009`.
fn month_in_words(year: i32, month: u8) -> Option<String> {
    let name = MONTHS.get(usize::from(month).checked_sub(1)?)?;
    Some(format!("{}{} {year:04}", name[..1].to_uppercase(), &name[1..3]))
}

impl Period {
    /// A month in words, which nobody takes for a year: `Oct 2009`. None for other periods.
    pub(crate) fn in_words(self) -> Option<String> {
        let month = (self.frequency() == Frequency::Month).then_some(self.start())?;
        month_in_words(month.year(), month.month())
    }
}

fn token(piece: &str) -> Option<Token<'_>> {
    let month = || {
        let is_named = |name: &&str| piece == *name || piece == &name[..3];
        let at = MONTHS.iter().position(is_named)?;
        u8::try_from(at + 1).ok().map(Month)
    };
    match piece {
        "-" | "–" => Some(Dash),
        "/" => Some(Slash),
        "to" => Some(To),
        "q" => Some(Part(Division::Quarter)),
        "h" => Some(Part(Division::Half)),
        "w" => Some(Part(Division::Week)),
        "sept" => Some(Month(9)),
        "fy" | "cy" | "ay" | "as" | "at" | "year" | "ending" | "ended" => Some(Word(piece)),
        _ => match piece.len() {
            1 => piece.parse().ok().map(One),
            2 => piece.parse().ok().map(Two),
            4 => piece.parse().ok().map(Year).or_else(month),
            _ => month(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, expect: &str) {
        let found = input.parse::<Period>().map(|period| period.to_string());
        assert_eq!(found.as_deref(), Ok(expect), "{input:?}");
    }

    fn refused(input: &str, expect: Refusal) {
        let error = input.parse::<Period>().unwrap_err();
        assert_eq!(error.reason, expect, "{input:?}");
        assert_eq!(error.found, input);
    }

    const ACCEPTED: &[(&str, &str)] = &[
        // canonical
        ("2022-06", "2022-06"),
        ("FY2021-22", "FY2021-22"),
        ("FY1999-00", "FY1999-00"),
        ("FY2021-22-Q1", "FY2021-22-Q1"),
        ("FY2021-22-H1", "FY2021-22-H1"),
        ("CY2021", "CY2021"),
        ("CY2021-Q3", "CY2021-Q3"),
        ("AY2021-22", "AY2021-22"),
        ("2022-W07", "2022-W07"),
        ("2022-03-31", "2022-03-31"),
        // financial years
        ("2021-22", "FY2021-22"),
        ("2021/22", "FY2021-22"),
        ("2021-2022", "FY2021-22"),
        ("2021/2022", "FY2021-22"),
        ("2021 to 2022", "FY2021-22"),
        ("2021 to 22", "FY2021-22"),
        ("FY 2021/22", "FY2021-22"),
        ("fy2021-2022", "FY2021-22"),
        ("2021–22", "FY2021-22"),
        ("2021 – 22", "FY2021-22"),
        ("  2021  -  22 ", "FY2021-22"),
        ("1999-00", "FY1999-00"),
        ("1999/2000", "FY1999-00"),
        ("Apr 2021 to Mar 2022", "FY2021-22"),
        ("year ending 31 March 2022", "FY2021-22"),
        ("Year ended 31/03/2022", "FY2021-22"),
        ("year ending March 2022", "FY2021-22"),
        ("year ending 31 March 2023", "FY2022-23"), // "2023" in the children in need statistics
        // a month or a financial year?
        ("2011-12", "2011-12"),
        ("2009-10", "2009-10"),
        (" 2011-12 ", "2011-12"),
        ("2011/12", "FY2011-12"),
        ("2011 to 12", "FY2011-12"),
        ("2011-2012", "FY2011-12"),
        ("FY2011–12", "FY2011-12"),
        ("2011-12 Q3", "FY2011-12-Q3"),
        ("2022–06", "2022-06"),
        // quarters and halves
        ("Apr-Jun 2021", "FY2021-22-Q1"),
        ("April to June 2021", "FY2021-22-Q1"),
        ("Apr 2021 - Jun 2021", "FY2021-22-Q1"),
        ("apr–jun 2021", "FY2021-22-Q1"),
        ("Q1 2021-22", "FY2021-22-Q1"),
        ("2021-22 Q1", "FY2021-22-Q1"),
        ("2021/22 Q1", "FY2021-22-Q1"),
        ("Q1 FY2021/22", "FY2021-22-Q1"),
        ("FY2021-22 Q1", "FY2021-22-Q1"),
        ("FY2021–22–Q1", "FY2021-22-Q1"),
        ("Jul-Sep 2021", "FY2021-22-Q2"),
        ("July to Sept 2021", "FY2021-22-Q2"),
        ("Oct-Dec 2021", "FY2021-22-Q3"),
        ("Jan-Mar 2022", "FY2021-22-Q4"),
        ("CY 2021 Q3", "CY2021-Q3"),
        ("Q3 CY2021", "CY2021-Q3"),
        ("H1 2021-22", "FY2021-22-H1"),
        ("2021/22 h2", "FY2021-22-H2"),
        ("Apr-Sep 2021", "FY2021-22-H1"),
        ("Oct 2021 to Mar 2022", "FY2021-22-H2"),
        // other years
        ("CY 2021", "CY2021"),
        ("Jan-Dec 2021", "CY2021"),
        ("year ending 31 December 2021", "CY2021"),
        ("AY 2021/22", "AY2021-22"),
        ("ay2021-2022", "AY2021-22"),
        ("AY1999-00", "AY1999-00"),
        ("Sep 2021 - Aug 2022", "AY2021-22"),
        ("year ending 31 August 2022", "AY2021-22"),
        // months
        ("June 2021", "2021-06"),
        ("JUN 2021", "2021-06"),
        ("2021 June", "2021-06"),
        ("06/2021", "2021-06"),
        ("6/2021", "2021-06"),
        ("May 2021", "2021-05"),
        ("Sept 2021", "2021-09"),
        ("Jun 2021 to Jun 2021", "2021-06"),
        // weeks
        ("2022W07", "2022-W07"),
        ("W07 2022", "2022-W07"),
        ("2022 w7", "2022-W07"),
        ("2020-W53", "2020-W53"),
        // days
        ("31/03/2022", "2022-03-31"),
        ("1/4/2022", "2022-04-01"),
        ("31 March 2022", "2022-03-31"),
        ("as at 31 March 2022", "2022-03-31"),
        ("As at 2022-03-31", "2022-03-31"),
        ("29 Feb 2024", "2024-02-29"),
    ];

    #[test]
    fn every_accepted_notation_becomes_its_canonical_text() {
        for (input, expect) in ACCEPTED {
            check(input, expect);
            check(&input.to_uppercase(), expect);
            check(&format!("\t{input}  "), expect);
            if input.contains(' ') {
                let spaced = input.trim().replace(' ', " \u{a0} ");
                check(&spaced, expect);
            }
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        refused("2022", Refusal::BareYear(2022));
        refused("FY2022", Refusal::BareYear(2022));
        refused("ay 2022", Refusal::BareYear(2022));
        refused("Q1 2021", Refusal::BareQuarter { year: 2021, quarter: 1 });
        refused("2021-Q3", Refusal::BareQuarter { year: 2021, quarter: 3 });
        refused("Q2 FY2021", Refusal::BareYear(2021));
        refused("H1 2021", Refusal::BareHalf { year: 2021, half: 1 });
        refused("2011 - 12", Refusal::MonthOrYear(2011));
        refused("2011–12", Refusal::MonthOrYear(2011));
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        refused("2021-23", Refusal::NotConsecutive(2021, 23));
        refused("FY2021-21", Refusal::NotConsecutive(2021, 21));
        refused("2021/2023", Refusal::NotConsecutive(2021, 2023));
        refused("2021-0022", Refusal::NotConsecutive(2021, 22));
        refused("AY2021-20", Refusal::NotConsecutive(2021, 20));
        refused("2021-00", Refusal::NotConsecutive(2021, 0));
        refused("2022/06", Refusal::NotConsecutive(2022, 6));
        refused("13/2021", Refusal::NoSuchMonth);
        refused("0/2021", Refusal::NoSuchMonth);
        refused("FY2021-22-Q5", Refusal::NoSuchQuarter);
        refused("Q0 2021-22", Refusal::NoSuchQuarter);
        refused("Q255 2021-22", Refusal::Unknown);
        refused("FY2021-22-H3", Refusal::NoSuchHalf);
        refused("2021-W53", Refusal::NoSuchWeek);
        refused("2022-W00", Refusal::NoSuchWeek);
        refused("2022-W99", Refusal::NoSuchWeek);
        refused("2022-02-29", Refusal::NoSuchDay);
        refused("03/31/2022", Refusal::NoSuchDay);
        refused("31 April 2022", Refusal::NoSuchDay);
        refused("Jan-Jun 2021", Refusal::NoSuchMonths);
        refused("May-Jul 2021", Refusal::NoSuchMonths);
        refused("Oct-Mar 2022", Refusal::NoSuchMonths);
        refused("Apr 2021 to Mar 2023", Refusal::NoSuchMonths);
        refused("year ending 30 June 2022", Refusal::NoSuchYearEnd);
        refused("1899-12", Refusal::OutOfRange);
        refused("FY1899-00", Refusal::OutOfRange);
        refused("FY2199-00", Refusal::OutOfRange);
        refused("CY2200", Refusal::OutOfRange);
        refused("0000-01-01", Refusal::OutOfRange);
        refused("9999-W01", Refusal::OutOfRange);
    }

    #[test]
    fn anything_else_is_refused() {
        for input in [
            "",
            " ",
            "-",
            "Q1",
            "-Q1",
            "-Q1 2021-22",
            "W07",
            "FY",
            "FY21-22",
            "21/22",
            "2021-22-",
            "2021--22",
            "2021_22",
            "20 21-22",
            "2021-2",
            "2022-3",
            "2022 06",
            "2022-3-31",
            "31/03/22",
            "31.03.2022",
            "31st March 2022",
            "as at June 2021",
            "as at as at 31 March 2022",
            "year ending 2022",
            "Smarch 2022",
            "CY2021-22",
            "CY2021-H1",
            "AY2021-22-Q1",
            "FY2021-22-W01",
            "June",
            "２０２２-06",
            "2022-06\0",
            "total",
        ] {
            refused(input, Refusal::Unknown);
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for (input, expect) in [
            (
                "2022",
                "found `2022`, not a reference period: publishers use 2022 both for a financial year's first and for its last year; write FY2021-22, FY2022-23, AY2022-23 or CY2022",
            ),
            (
                "Q1 2021",
                "found `Q1 2021`, not a reference period: a quarter of 2021 may be financial or calendar; write FY2021-22-Q1 or CY2021-Q1",
            ),
            (
                "H2 1999",
                "found `H2 1999`, not a reference period: half years are those of a financial year, which takes two years to name; write FY1999-00-H2",
            ),
            (
                "2008–09",
                "found `2008–09`, not a reference period: it may be a month or a financial year; write Sep 2008 for the month or FY2008-09 for the year",
            ),
            (
                "2021-20",
                "found `2021-20`, not a reference period: 2021 and 20 are not years that follow one another; write FY2021-22, or a month as 2022-06",
            ),
            (
                "soon",
                "found `soon`, not a reference period: write a month as 2022-06, a quarter as FY2021-22-Q1 or CY2021-Q3, a half year as FY2021-22-H1, a year as FY2021-22, CY2021 or AY2021-22, a week as 2022-W07 or a day as 2022-03-31",
            ),
        ] {
            assert_eq!(input.parse::<Period>().unwrap_err().to_string(), expect);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_reads_back(
            text in "\\PC{0,20}|[0-9qhwfcay/ –-]{0,14}|(Apr|Oct|Jan|mar|SEPT) ?(to|-)? ?[0-9a-z ]{0,9}"
        ) {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert_eq!(period.to_string().parse(), Ok(period));
            }
        }

        #[test]
        fn every_way_to_write_two_years_agrees(
            year in 1900_i32..=2198,
            full in any::<bool>(),
            join in "-|/|–| - | to | / ",
            scheme in "FY ?|fy",
        ) {
            let last = if full { format!("{}", year + 1) } else { format!("{:02}", (year + 1) % 100) };
            check(&format!("{scheme}{year}{join}{last}"), &two_years("FY", year));
            for quarter in 1..=4 {
                let expect = format!("{}-Q{quarter}", two_years("FY", year));
                check(&format!("Q{quarter} {year}{join}{last}"), &expect);
                check(&format!("{year}{join}{last} Q{quarter}"), &expect);
            }
            if full || join.contains(['/', 't']) {
                check(&format!("{year}{join}{last}"), &two_years("FY", year));
            }
        }
    }
}

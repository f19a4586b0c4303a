//! Reference periods: the stretch of time that a figure is about.
//!
//! Each kind of period is a regular grid over the calendar, of days or of months. So a period is its
//! first day and the name of its grid, and everything else is arithmetic on those two.
//!
//! | kind | canonical text | covers |
//! |---|---|---|
//! | month | `2022-06` | a calendar month |
//! | quarter, financial | `FY2021-22-Q1` | April to June 2021; Q4 is January to March 2022 |
//! | quarter, calendar | `CY2021-Q3` | July to September 2021 |
//! | half year | `FY2021-22-H1` | April to September 2021; H2 is October to March |
//! | financial year | `FY2021-22` | 1 April 2021 to 31 March 2022 |
//! | calendar year | `CY2021` | January to December 2021 |
//! | academic year | `AY2021-22` | 1 September 2021 to 31 August 2022 |
//! | week | `2022-W07` | an ISO 8601 week, Monday to Sunday |
//! | day | `2022-03-31` | a day, for figures "as at" it |
//!
//! What else is read, and what is refused and why, is in [`notation`].

mod frequency;
pub mod notation;
mod text;

use super::date::{Date, days_in_month};
pub(crate) use frequency::Frequencies;
pub use frequency::Frequency;
pub use notation::{PeriodError, Refusal};

/// A reference period, wholly within the years 1900 to 2199.
///
/// A period keeps the name it was written in: `CY2021-Q2` and `FY2021-22-Q1` cover the same three
/// months and are not equal. Their [`storage_key`](Self::storage_key) is, so that figures under either name meet.
///
/// Periods order by first day, then by last day, then a financial quarter before its calendar
/// namesake.
///
/// ```
/// use conspectus::model::period::Period;
///
/// let year: Period = "2021/22".parse()?;
/// assert_eq!(year.to_string(), "FY2021-22");
/// assert_eq!(year.end().to_string(), "2022-03-31");
/// assert!(year.contains("Apr-Jun 2021".parse()?));
/// # Ok::<(), conspectus::model::period::PeriodError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    start: Date,
    name: Name,
    /// How many there are. They follow from the rest, and are asked for far more often than a period is made.
    days: u16,
}

/// The kinds of period, a quarter under each of its two names.
///
/// Shortest first: of two that start on one day, the one that ends first comes first, which makes the
/// derived order of [`Period`] the documented one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Name {
    Day,
    Week,
    Month,
    FinancialQuarter,
    CalendarQuarter,
    HalfYear,
    FinancialYear,
    CalendarYear,
    AcademicYear,
}

/// Where periods of one name begin: every `count` days or months, `first` being one such beginning.
enum Grid {
    /// Days are counted as [`Date::days`] does.
    Days { count: i32, first: i32 },
    /// Months are counted as [`month_index`] does.
    Months { count: i32, first: i32 },
}

impl Name {
    const fn grid(self) -> Grid {
        let (count, first) = match self {
            Self::Day => return Grid::Days { count: 1, first: 0 },
            // 1970-01-05 was a Monday.
            Self::Week => return Grid::Days { count: 7, first: 4 },
            Self::Month => (1, 0),
            Self::FinancialQuarter | Self::CalendarQuarter => (3, 0),
            Self::HalfYear => (6, 3),
            Self::FinancialYear => (12, 3),
            Self::CalendarYear => (12, 0),
            Self::AcademicYear => (12, 8),
        };
        Grid::Months { count, first }
    }

    const fn frequency(self) -> Frequency {
        match self {
            Self::Day => Frequency::Day,
            Self::Week => Frequency::Week,
            Self::Month => Frequency::Month,
            Self::FinancialQuarter | Self::CalendarQuarter => Frequency::Quarter,
            Self::HalfYear => Frequency::HalfYear,
            Self::FinancialYear => Frequency::FinancialYear,
            Self::CalendarYear => Frequency::CalendarYear,
            Self::AcademicYear => Frequency::AcademicYear,
        }
    }
}

impl From<Frequency> for Name {
    fn from(frequency: Frequency) -> Self {
        match frequency {
            Frequency::Month => Self::Month,
            Frequency::Quarter => Self::FinancialQuarter,
            Frequency::HalfYear => Self::HalfYear,
            Frequency::FinancialYear => Self::FinancialYear,
            Frequency::CalendarYear => Self::CalendarYear,
            Frequency::AcademicYear => Self::AcademicYear,
            Frequency::Week => Self::Week,
            Frequency::Day => Self::Day,
        }
    }
}

impl Period {
    /// The period of a frequency that holds a date (a quarter under its financial name), or `None`
    /// when it reaches outside the years 1900 to 2199.
    #[must_use]
    pub fn of(frequency: Frequency, date: Date) -> Option<Self> {
        Self::holding(frequency.into(), date)
    }

    /// Its kind.
    #[must_use]
    pub const fn frequency(self) -> Frequency {
        self.name.frequency()
    }

    /// Its first day.
    #[must_use]
    pub const fn start(self) -> Date {
        self.start
    }

    /// Its last day, inclusive.
    #[must_use]
    pub fn end(self) -> Date {
        self.start.plus_days(i32::from(self.days) - 1)
    }

    /// Whether the whole of `other` lies within this one, by dates.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end() <= self.end()
    }

    /// Whether the stocks of both are of one day. Weeks share theirs only with days.
    pub(crate) fn shares_last_day(self, other: Self) -> bool {
        let is_week = |period: Self| period.frequency() == Frequency::Week;
        let is_day = |period: Self| period.frequency() == Frequency::Day;
        self.end() == other.end() && (is_week(self) == is_week(other) || is_day(self) || is_day(other))
    }

    /// The one of the same kind that begins the day after this ends; `None` at the end of the range.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let after = Date::from_days(self.end().days() + 1)?;
        Self::holding(self.name, after)
    }

    /// The one of the same kind that ends the day before this begins; `None` at the start of the range.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        let before = Date::from_days(self.start.days() - 1)?;
        Self::holding(self.name, before)
    }

    /// The same period a year before.
    ///
    /// A week goes to the week of the same number, so week 53 often has none. A day goes to the same
    /// day, except that the last day of a month stays the last: 2025-02-28 goes to 2024-02-29, and that
    /// to 2023-02-28, because "at the end of February" is what such a figure means. `None` when the
    /// year before has no such period, or lies outside the range.
    #[must_use]
    pub fn year_before(self) -> Option<Self> {
        let (year, month) = (self.start.year() - 1, self.start.month());
        match self.name {
            Name::Day => {
                let last = days_in_month(year, month);
                let day = if self.start.is_month_end() { last } else { self.start.day().min(last) };
                Self::holding(self.name, Date::new(year, month, day)?)
            }
            Name::Week => {
                let (year, week) = self.iso_week();
                Self::week(year - 1, week)
            }
            Name::Month
            | Name::FinancialQuarter
            | Name::CalendarQuarter
            | Name::HalfYear
            | Name::FinancialYear
            | Name::CalendarYear
            | Name::AcademicYear => Self::holding(self.name, Date::new(year, month, 1)?),
        }
    }

    /// Its first day, as a period: no period that begins later comes before it.
    #[must_use]
    pub const fn opening_day(self) -> Self {
        Self { start: self.start, name: Name::Day, days: 1 }
    }

    /// The key that figures for it are kept under: a calendar quarter's financial name, so that
    /// `CY2021-Q2` and `FY2021-22-Q1` meet; itself for every other period.
    #[must_use]
    pub fn storage_key(self) -> Self {
        let name = match self.name {
            Name::CalendarQuarter => Name::FinancialQuarter,
            Name::Day
            | Name::Week
            | Name::Month
            | Name::FinancialQuarter
            | Name::HalfYear
            | Name::FinancialYear
            | Name::CalendarYear
            | Name::AcademicYear => self.name,
        };
        Self { name, ..self }
    }

    /// The next finer periods that it is rolled up from, in order: a financial year's two halves, a
    /// half's two quarters, a calendar year's four calendar quarters, a quarter's three months, an
    /// academic year's twelve months. Empty for a month, a week and a day.
    #[must_use]
    pub fn subperiods(self) -> Vec<Self> {
        let finer = self.frequency().finer();
        finer.and_then(|it| self.divide(it)).unwrap_or_default()
    }

    /// The periods of a frequency that cover it exactly, in order; itself for its own frequency.
    ///
    /// `None` when there are none. Nothing longer divides into weeks or days: a February can be four
    /// whole weeks by accident, and days hold stocks, which are never added. A calendar year divides
    /// into quarters by their calendar names.
    #[must_use]
    pub fn divide(self, frequency: Frequency) -> Option<Vec<Self>> {
        let name = match frequency {
            same if same == self.frequency() => return Some(vec![self]),
            Frequency::Week | Frequency::Day => return None,
            Frequency::Quarter if self.name == Name::CalendarYear => Name::CalendarQuarter,
            Frequency::Month
            | Frequency::Quarter
            | Frequency::HalfYear
            | Frequency::FinancialYear
            | Frequency::CalendarYear
            | Frequency::AcademicYear => frequency.into(),
        };
        self.tiles(name)
    }

    /// The period of its own kind that begins its financial year, under calendar names for a calendar
    /// quarter.
    ///
    /// `None` for the kinds that a financial year does not divide into (calendar and academic years,
    /// weeks, days), and when its financial year reaches outside the range.
    #[must_use]
    pub fn first_of_financial_year(self) -> Option<Self> {
        match self.name {
            Name::Month | Name::FinancialQuarter | Name::CalendarQuarter | Name::HalfYear | Name::FinancialYear => {
                Self::holding(self.name, Self::holding(Name::FinancialYear, self.start)?.start)
            }
            Name::CalendarYear | Name::AcademicYear | Name::Week | Name::Day => None,
        }
    }

    /// What its financial year has up to its last day, as the longest periods that fill it: the year, or
    /// half years, then quarters, then months. None of them is shorter than it is.
    ///
    /// `None` where [`Self::first_of_financial_year`] is.
    #[must_use]
    pub fn year_to_date(self) -> Option<Vec<Self>> {
        let quarter = match self.name {
            Name::CalendarQuarter => Name::CalendarQuarter,
            Name::Month
            | Name::FinancialQuarter
            | Name::HalfYear
            | Name::FinancialYear
            | Name::CalendarYear
            | Name::AcademicYear
            | Name::Week
            | Name::Day => Name::FinancialQuarter,
        };
        let longest_first = [Name::FinancialYear, Name::HalfYear, quarter, Name::Month];
        let (mut day, end) = (self.first_of_financial_year()?.start, self.end());
        let mut run = Vec::new();
        while day <= end {
            let mut starting = longest_first.into_iter().filter_map(|name| Self::holding(name, day));
            let longest = starting.find(|period| period.start == day && period.end() <= end)?;
            run.push(longest);
            day = longest.end().plus_days(1);
        }
        Some(run)
    }

    /// The period of a name that holds a date, if all of it is in range.
    fn holding(name: Name, date: Date) -> Option<Self> {
        let floor = |at: i32, count: i32, first: i32| first + (at - first).div_euclid(count) * count;
        let (start, end) = match name.grid() {
            Grid::Days { count, first } => {
                let start = floor(date.days(), count, first);
                (Date::from_days(start)?, Date::from_days(start + count - 1)?)
            }
            Grid::Months { count, first } => {
                let month = floor(month_index(date), count, first);
                (first_of_month(month)?, last_before_month(month + count)?)
            }
        };
        let days = u16::try_from(end.days() - start.days() + 1).ok()?;
        Some(Self { start, name, days })
    }

    /// The periods of a name that cover it with no gap and nothing over.
    fn tiles(self, name: Name) -> Option<Vec<Self>> {
        let end = self.end();
        let first = Self::holding(name, self.start)?;
        let tiles: Vec<Self> =
            std::iter::successors(Some(first), |tile| tile.next()).take_while(|tile| tile.end() <= end).collect();
        let exact = first.start == self.start && tiles.last()?.end() == end;
        exact.then_some(tiles)
    }

    /// An ISO week by its year and number, if that year has it.
    fn week(year: i32, week: i32) -> Option<Self> {
        // 4 January is always in week 1.
        let first = Self::holding(Name::Week, Date::new(year, 1, 4)?)?;
        let monday = Date::from_days(first.start.days() + 7 * (week - 1))?;
        let period = Self::holding(Name::Week, monday)?;
        (period.iso_week() == (year, week)).then_some(period)
    }

    /// The ISO year and number of the week that it begins in: those of the week's Thursday.
    fn iso_week(self) -> (i32, i32) {
        let to_thursday = 4 - i32::from(self.start.weekday());
        let thursday = self.start.plus_days(to_thursday);
        let new_year = Date::new(thursday.year(), 1, 1).unwrap_or(thursday);
        (thursday.year(), (thursday.days() - new_year.days()) / 7 + 1)
    }
}

/// Months since the year 0, which began the count with January as 0.
fn month_index(date: Date) -> i32 {
    let (year, month) = date.year_and_month();
    year * 12 + i32::from(month) - 1
}

/// The index of the month after the last that there is, December 2199.
const MONTHS_END: i32 = 2200 * 12;

fn first_of_month(index: i32) -> Option<Date> {
    let month = u8::try_from(index.rem_euclid(12) + 1).ok()?;
    Date::new(index.div_euclid(12), month, 1)
}

/// The last day of the month before.
fn last_before_month(index: i32) -> Option<Date> {
    if index == MONTHS_END { Some(Date::MAX) } else { first_of_month(index).map(|first| first.plus_days(-1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [Name; 9] = [
        Name::Day,
        Name::Week,
        Name::Month,
        Name::FinancialQuarter,
        Name::CalendarQuarter,
        Name::HalfYear,
        Name::FinancialYear,
        Name::CalendarYear,
        Name::AcademicYear,
    ];

    fn period(text: &str) -> Period {
        let period: Period = text.parse().unwrap();
        assert_eq!(period.to_string(), text, "not the canonical text");
        period
    }

    fn texts(periods: impl IntoIterator<Item = Period>) -> String {
        let texts: Vec<String> = periods.into_iter().map(|it| it.to_string()).collect();
        texts.join(" ")
    }

    /// Every period of a name, from the first in range to the last.
    fn all(name: Name) -> impl Iterator<Item = Period> {
        let first = (0..400).find_map(|days| Period::holding(name, Date::MIN.plus_days(days)));
        std::iter::successors(first, |period| period.next())
    }

    fn any_period() -> impl Strategy<Value = Period> {
        let days = Date::MIN.days()..=Date::MAX.days();
        (proptest::sample::select(&NAMES[..]), days)
            .prop_filter_map("in range", |(name, days)| Period::holding(name, Date::from_days(days)?))
    }

    /// Periods close enough together to overlap often.
    fn near_period() -> impl Strategy<Value = Period> {
        let days = 18_800..=19_800;
        (proptest::sample::select(&NAMES[..]), days)
            .prop_filter_map("in range", |(name, days)| Period::holding(name, Date::from_days(days)?))
    }

    #[test]
    fn a_period_runs_from_its_first_day_through_its_last() {
        for (text, start, end) in [
            ("2022-06", "2022-06-01", "2022-06-30"),
            ("2024-02", "2024-02-01", "2024-02-29"),
            ("FY2021-22", "2021-04-01", "2022-03-31"),
            ("FY1999-00", "1999-04-01", "2000-03-31"),
            ("FY2021-22-Q1", "2021-04-01", "2021-06-30"),
            ("FY2021-22-Q2", "2021-07-01", "2021-09-30"),
            ("FY2021-22-Q3", "2021-10-01", "2021-12-31"),
            ("FY2021-22-Q4", "2022-01-01", "2022-03-31"),
            ("FY2021-22-H1", "2021-04-01", "2021-09-30"),
            ("FY2021-22-H2", "2021-10-01", "2022-03-31"),
            ("CY2021", "2021-01-01", "2021-12-31"),
            ("CY2021-Q1", "2021-01-01", "2021-03-31"),
            ("CY2021-Q3", "2021-07-01", "2021-09-30"),
            ("CY2021-Q4", "2021-10-01", "2021-12-31"),
            ("AY2021-22", "2021-09-01", "2022-08-31"),
            ("2022-W07", "2022-02-14", "2022-02-20"),
            ("2015-W53", "2015-12-28", "2016-01-03"),
            ("2020-W53", "2020-12-28", "2021-01-03"),
            ("2021-W01", "2021-01-04", "2021-01-10"),
            ("2025-W01", "2024-12-30", "2025-01-05"),
            ("2026-W53", "2026-12-28", "2027-01-03"),
            ("2022-03-31", "2022-03-31", "2022-03-31"),
        ] {
            let it = period(text);
            assert_eq!((it.start().to_string(), it.end().to_string()), (start.into(), end.into()));
        }
    }

    #[test]
    fn the_first_quarter_of_a_financial_year_is_april_to_june() {
        let first = period("FY2021-22").divide(Frequency::Quarter).unwrap()[0];
        assert_eq!(texts(first.subperiods()), "2021-04 2021-05 2021-06");
    }

    #[test]
    fn two_names_of_a_quarter_differ_and_share_a_slot() {
        let (calendar, financial) = (period("CY2021-Q2"), period("FY2021-22-Q1"));
        assert_ne!(calendar, financial);
        assert_eq!(calendar.storage_key(), financial);
        assert_eq!(financial.storage_key(), financial);
        assert_eq!(period("CY2022-Q1").storage_key(), period("FY2021-22-Q4"));
        assert!(calendar.contains(financial) && financial.contains(calendar));
        for text in ["2022-06", "FY2021-22-H1", "FY2021-22", "CY2021", "AY2021-22", "2022-W07", "2022-03-31"] {
            assert_eq!(period(text).storage_key(), period(text));
        }
    }

    #[test]
    fn the_same_period_a_year_before() {
        for (text, expect) in [
            ("2022-06", Some("2021-06")),
            ("FY2021-22", Some("FY2020-21")),
            ("FY2021-22-Q4", Some("FY2020-21-Q4")),
            ("FY2021-22-H2", Some("FY2020-21-H2")),
            ("CY2021", Some("CY2020")),
            ("CY2021-Q2", Some("CY2020-Q2")),
            ("AY2021-22", Some("AY2020-21")),
            ("2022-W07", Some("2021-W07")),
            ("2021-W52", Some("2020-W52")),
            ("2020-W53", None),
            ("2026-W53", None),
            ("2022-03-31", Some("2021-03-31")),
            ("2024-02-29", Some("2023-02-28")),
            ("2025-02-28", Some("2024-02-29")),
            ("2023-02-28", Some("2022-02-28")),
            ("2024-02-28", Some("2023-02-28")),
            ("1900-06", None),
            ("1900-01-01", None),
            ("1900-W01", None),
        ] {
            assert_eq!(period(text).year_before(), expect.map(period), "{text}");
        }
    }

    #[test]
    fn a_period_rolls_up_from_the_next_finer_ones() {
        for (text, expect) in [
            ("FY2021-22", "FY2021-22-H1 FY2021-22-H2"),
            ("FY2021-22-H2", "FY2021-22-Q3 FY2021-22-Q4"),
            ("CY2021", "CY2021-Q1 CY2021-Q2 CY2021-Q3 CY2021-Q4"),
            ("FY2021-22-Q4", "2022-01 2022-02 2022-03"),
            ("CY2021-Q2", "2021-04 2021-05 2021-06"),
            (
                "AY2021-22",
                "2021-09 2021-10 2021-11 2021-12 2022-01 2022-02 2022-03 2022-04 2022-05 2022-06 2022-07 2022-08",
            ),
            ("2022-06", ""),
            ("2022-W07", ""),
            ("2022-03-31", ""),
        ] {
            assert_eq!(texts(period(text).subperiods()), expect, "{text}");
        }
    }

    #[test]
    fn a_period_divides_only_into_what_covers_it_exactly() {
        use Frequency::{CalendarYear, Day, FinancialYear, HalfYear, Month, Quarter, Week};
        for (text, frequency, expect) in [
            ("FY2021-22", Quarter, Some("FY2021-22-Q1 FY2021-22-Q2 FY2021-22-Q3 FY2021-22-Q4")),
            ("FY2021-22", FinancialYear, Some("FY2021-22")),
            ("FY2021-22", CalendarYear, None),
            ("CY2021-Q2", Quarter, Some("CY2021-Q2")),
            ("FY2021-22-H1", Quarter, Some("FY2021-22-Q1 FY2021-22-Q2")),
            ("CY2021", HalfYear, None),
            ("CY2021", FinancialYear, None),
            ("AY2021-22", Quarter, None),
            ("AY2021-22", HalfYear, None),
            ("2021-06", Quarter, None),
            ("2021-06", Month, Some("2021-06")),
            ("2021-02", Week, None),      // four whole weeks, by accident
            ("FY2024-25-Q1", Week, None), // thirteen
            ("2021-06", Day, None),
            ("2022-W07", Day, None),
            ("2022-W07", Week, Some("2022-W07")),
            ("2022-W07", Month, None),
            ("2022-03-31", Day, Some("2022-03-31")),
        ] {
            let found = period(text).divide(frequency).map(texts);
            assert_eq!(found.as_deref(), expect, "{text} into {frequency}");
        }
        assert_eq!(period("FY2021-22").divide(Month).unwrap().len(), 12);
    }

    #[test]
    fn the_year_to_date_is_made_of_the_longest_periods_from_april() {
        for (text, expect) in [
            ("2021-04", Some("2021-04")),
            ("2021-05", Some("2021-04 2021-05")),
            ("2021-06", Some("FY2021-22-Q1")),
            ("2021-08", Some("FY2021-22-Q1 2021-07 2021-08")),
            ("2021-10", Some("FY2021-22-H1 2021-10")),
            ("2022-02", Some("FY2021-22-H1 FY2021-22-Q3 2022-01 2022-02")),
            ("2022-03", Some("FY2021-22")),
            ("FY2021-22-Q1", Some("FY2021-22-Q1")),
            ("FY2021-22-Q3", Some("FY2021-22-H1 FY2021-22-Q3")),
            ("CY2021-Q2", Some("CY2021-Q2")),
            ("CY2021-Q3", Some("FY2021-22-H1")),
            ("CY2021-Q4", Some("FY2021-22-H1 CY2021-Q4")),
            ("CY2022-Q1", Some("FY2021-22")),
            ("FY2021-22-H1", Some("FY2021-22-H1")),
            ("FY2021-22-H2", Some("FY2021-22")),
            ("FY2021-22", Some("FY2021-22")),
            ("CY2021", None),
            ("AY2021-22", None),
            ("2022-W07", None),
            ("2022-03-31", None),
            ("1900-01", None),
            ("2199-12", None),
        ] {
            let found = period(text).year_to_date().map(texts);
            assert_eq!(found.as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn a_financial_year_begins_with_a_period_of_the_same_kind() {
        for (text, expect) in [
            ("2022-02", Some("2021-04")),
            ("FY2021-22-Q3", Some("FY2021-22-Q1")),
            ("CY2022-Q1", Some("CY2021-Q2")),
            ("FY2021-22-H2", Some("FY2021-22-H1")),
            ("FY2021-22", Some("FY2021-22")),
            ("CY2021", None),
            ("2022-03-31", None),
        ] {
            assert_eq!(period(text).first_of_financial_year(), expect.map(period), "{text}");
        }
    }

    #[test]
    fn periods_order_by_first_day_then_last_then_financial_before_calendar() {
        let sorted = [
            "CY2020",
            "2021-W13",
            "2021-04-01",
            "2021-04",
            "FY2021-22-Q1",
            "CY2021-Q2",
            "FY2021-22-H1",
            "FY2021-22",
            "2021-04-02",
            "AY2021-22",
        ]
        .map(period);
        assert!(sorted.is_sorted());
    }

    #[test]
    fn the_period_of_a_date_is_the_one_that_holds_it() {
        let date: Date = "2022-02-16".parse().unwrap();
        let found = Frequency::ALL.iter().map(|frequency| Period::of(*frequency, date).unwrap());
        assert_eq!(texts(found), "2022-02 FY2021-22-Q4 FY2021-22-H2 FY2021-22 CY2022 AY2021-22 2022-W07 2022-02-16");
        assert_eq!(Period::of(Frequency::FinancialYear, Date::MIN), None);
        assert_eq!(Period::of(Frequency::FinancialYear, Date::MAX), None);
        assert_eq!(Period::of(Frequency::Month, Date::MAX), Some(period("2199-12")));
    }

    #[test]
    fn a_period_is_small() {
        assert_eq!(size_of::<Period>(), 8);
    }

    #[test]
    fn every_period_reads_back_follows_its_neighbour_and_holds_its_days() {
        for name in NAMES {
            let mut before: Option<Period> = None;
            for it in all(name) {
                assert_eq!(it.to_string().parse(), Ok(it));
                assert!(it.start() <= it.end());
                assert_eq!(it.previous(), before);
                if let Some(before) = before {
                    assert_eq!(before.end().plus_days(1), it.start(), "{before} {it}");
                    assert!(before < it);
                }
                assert_eq!(Period::holding(name, it.start()), Some(it));
                assert_eq!(Period::holding(name, it.end()), Some(it));
                before = Some(it);
            }
            assert!(before.unwrap().end().plus_days(365) == Date::MAX, "stopped early");
        }
    }

    #[test]
    fn weeks_are_numbered_as_a_slow_count_numbers_them() {
        // 1 January 1900 was a Monday: count on from there, a new year beginning with each week that
        // has most of its days in it.
        let (mut year, mut number, mut monday) = (1900, 1, Date::MIN);
        for week in all(Name::Week) {
            assert_eq!(week.start(), monday);
            assert_eq!(week.to_string(), format!("{year}-W{number:02}"));
            monday = monday.plus_days(7);
            let days_in_next_year = (0..7).filter(|day| monday.plus_days(*day).year() > year);
            if days_in_next_year.count() >= 4 {
                (year, number) = (year + 1, 0);
            }
            number += 1;
        }
    }

    proptest! {
        #[test]
        fn containment_is_a_partial_order_that_agrees_with_dates(
            a in near_period(), b in near_period(), c in near_period()
        ) {
            prop_assert!(a.contains(a));
            if a.contains(b) && b.contains(a) {
                prop_assert_eq!(a.storage_key(), b.storage_key());
            }
            if a.contains(b) && b.contains(c) {
                prop_assert!(a.contains(c));
            }
            let holds = |date: Date| a.start() <= date && date <= a.end();
            let by_dates = (b.start().days()..=b.end().days())
                .all(|days| holds(Date::from_days(days).unwrap()));
            prop_assert_eq!(a.contains(b), by_dates);
        }

        #[test]
        fn a_division_has_no_gap_and_no_overlap(it in any_period()) {
            for frequency in Frequency::ALL.iter().copied() {
                let Some(tiles) = it.divide(frequency) else { continue };
                prop_assert_eq!(tiles[0].start(), it.start());
                prop_assert_eq!(tiles[tiles.len() - 1].end(), it.end());
                prop_assert!(tiles.iter().all(|tile| tile.frequency() == frequency));
                for pair in tiles.windows(2) {
                    prop_assert_eq!(pair[0].end().plus_days(1), pair[1].start());
                }
            }
        }

        #[test]
        fn a_year_to_date_has_no_gap_and_nothing_shorter(it in any_period()) {
            if let Some(run) = it.year_to_date() {
                prop_assert_eq!(Some(run[0].start()), it.first_of_financial_year().map(Period::start));
                prop_assert_eq!(run[run.len() - 1].end(), it.end());
                prop_assert!(run.windows(2).all(|pair| pair[0].end().plus_days(1) == pair[1].start()));
                let days = |period: Period| period.end().days() - period.start().days();
                let short = days(it) - 3; // February, and a quarter with it
                prop_assert!(run.iter().all(|period| days(*period) >= short));
            }
        }

        #[test]
        fn a_month_by_the_year_before_is_twelve_months_before(it in any_period()) {
            if it.frequency() == Frequency::Month {
                let twelfth = (0..12).try_fold(it, |month, _| month.previous());
                prop_assert_eq!(it.year_before(), twelfth);
            }
        }

        #[test]
        fn order_is_by_start_then_end(a in near_period(), b in near_period()) {
            let by_dates = (a.start(), a.end()).cmp(&(b.start(), b.end()));
            prop_assert_eq!(a.cmp(&b), by_dates.then(a.name.cmp(&b.name)));
        }
    }
}

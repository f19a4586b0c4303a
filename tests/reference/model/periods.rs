//! Section 3: periods, by walking the calendar.

use conspectus::model::period::{Frequency, Period};

/// 3.1: `CY2021-Q2` and `FY2021-22-Q1` are one.
pub(crate) fn is_same(one: Period, other: Period) -> bool {
    (one.frequency(), one.start(), one.end()) == (other.frequency(), other.start(), other.end())
}

/// A period cut into those of a frequency, which must fill it exactly. Calendar years have calendar quarters.
pub(crate) fn cut(period: Period, frequency: Frequency) -> Vec<Period> {
    if frequency == period.frequency() {
        return vec![period];
    }
    if matches!(frequency, Frequency::Week | Frequency::Day) {
        return vec![];
    }
    let mut tiles = vec![];
    let mut at = period.start();
    while at <= period.end() {
        let Some(tile) = Period::of(frequency, at) else { return vec![] };
        if tile.start() != at || tile.end() > period.end() {
            return vec![];
        }
        at = tile.end().plus_days(1);
        let in_calendar_year = period.frequency() == Frequency::CalendarYear && frequency == Frequency::Quarter;
        let name = format!("CY{}-Q{}", tile.start().year(), tile.start().month().div_ceil(3));
        tiles.push(if in_calendar_year { name.parse().unwrap() } else { tile });
    }
    tiles
}

/// 3.2: "a year divides into half years (financial) or quarters (calendar) or months (academic), a half year
/// into quarters, a quarter into months".
pub(crate) fn next_finer(period: Period) -> Vec<Period> {
    let finer = match period.frequency() {
        Frequency::FinancialYear => Frequency::HalfYear,
        Frequency::CalendarYear | Frequency::HalfYear => Frequency::Quarter,
        Frequency::AcademicYear | Frequency::Quarter => Frequency::Month,
        Frequency::Month | Frequency::Week | Frequency::Day => return vec![],
    };
    cut(period, finer)
}

/// 4.2: whether a stock of the one period is as good for the other. "Weeks share a last day only with days."
pub(crate) fn shares_last_day(one: Period, other: Period) -> bool {
    let is_week = |period: Period| period.frequency() == Frequency::Week;
    let is_day = |period: Period| period.frequency() == Frequency::Day;
    let weeks = usize::from(is_week(one)) + usize::from(is_week(other));
    one.end() == other.end() && (weeks != 1 || is_day(one) || is_day(other))
}

/// The period of a frequency that ends on the last day of another, if a stock of it is as good.
pub(crate) fn closing(period: Period, frequency: Frequency) -> Option<Period> {
    if period.frequency() == frequency {
        return Some(period);
    }
    Period::of(frequency, period.end()).filter(|it| shares_last_day(*it, period))
}

/// 3.4: whether a period fits a frequency.
pub(crate) fn fits(period: Period, frequency: Frequency, is_stock: bool) -> bool {
    !cut(period, frequency).is_empty() || (is_stock && closing(period, frequency).is_some())
}

/// 8.1: "the longest periods that fill it from the start of the financial year: the year itself, or half years,
/// then quarters, then months, none shorter than the periods asked for".
pub(crate) fn year_to_date(period: Period) -> Vec<Period> {
    let lengths = [Frequency::FinancialYear, Frequency::HalfYear, Frequency::Quarter, Frequency::Month];
    let own = lengths.iter().position(|it| *it == period.frequency()).unwrap();
    let mut at = Period::of(Frequency::FinancialYear, period.end()).unwrap().start();
    let mut tiles = vec![];
    while at <= period.end() {
        let of = |frequency: &Frequency| Period::of(*frequency, at).unwrap();
        let fits = |tile: &Period| tile.start() == at && tile.end() <= period.end();
        let tile = lengths[..=own].iter().map(of).find(fits).unwrap();
        at = tile.end().plus_days(1);
        tiles.push(tile);
    }
    tiles
}

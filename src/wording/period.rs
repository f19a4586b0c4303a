//! Periods in the words of those who read reports: `2021-22`, `April to June 2021`, `31 March 2022`.

use crate::model::date::{Date, MONTHS};
use crate::model::period::{Frequency, Period};
use crate::rpc::proto::Kind;

/// The period or periods that a figure is of, in canonical texts. What isn't one stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span<'a> {
    /// One period.
    Period(&'a str),
    /// From the start of a period's financial year to the period's end.
    YearTo(&'a str),
    /// Periods that follow each other, put together.
    Run {
        /// The first of them.
        first: &'a str,
        /// The last of them.
        last: &'a str,
    },
}

/// How long the words may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `April to June 2021`, for sentences.
    Long,
    /// `Apr–Jun 2021`, for the axis of a chart.
    Short,
}

impl<'a> Span<'a> {
    /// The same of another period: a year to date stays one.
    pub(crate) fn of(self, period: &'a str) -> Self {
        match self {
            Self::YearTo(_) => Self::YearTo(period),
            Self::Period(_) | Self::Run { .. } => Self::Period(period),
        }
    }

    /// In words: `2021-22`, `April to June 2021`; of a stock, the day that it is of: `31 March 2022`.
    pub(crate) fn name(self, kind: Kind) -> String {
        self.words(kind, Style::Long)
    }

    /// The same, shorter: `Apr–Jun 2021`.
    pub(crate) fn label(self, kind: Kind) -> String {
        self.words(kind, Style::Short)
    }

    /// In words, with its preposition: `in 2021-22`, `at 31 March 2022`.
    pub(crate) fn when(self, kind: Kind) -> String {
        let is_day = self.last().is_some_and(|period| period.frequency() == Frequency::Day);
        let preposition = if is_day || kind == Kind::Stock { "at" } else { "in" };
        format!("{preposition} {}", self.name(kind))
    }

    fn words(self, kind: Kind, style: Style) -> String {
        match (self, self.last()) {
            (Self::Period(text) | Self::YearTo(text) | Self::Run { last: text, .. }, None) => text.to_owned(),
            (_, Some(last)) if kind == Kind::Stock => day(last.end(), style),
            (Self::Period(_), Some(period)) => one(period, style),
            (Self::YearTo(_), Some(period)) => match period.first_of_financial_year() {
                Some(first) => run(first, period, style),
                None => one(period, style),
            },
            (Self::Run { first, .. }, Some(last)) => match first.parse::<Period>() {
                Ok(first) => run(first, last, style),
                Err(_) => format!("{first} to {}", one(last, style)),
            },
        }
    }

    fn last(self) -> Option<Period> {
        match self {
            Self::Period(text) | Self::YearTo(text) | Self::Run { last: text, .. } => text.parse().ok(),
        }
    }
}

fn one(period: Period, style: Style) -> String {
    let text = period.to_string();
    match (period.frequency(), style) {
        (Frequency::Day, _) | (Frequency::Week, Style::Short) => day(period.start(), style),
        (Frequency::Week, Style::Long) => format!("the week from {}", day(period.start(), style)),
        (Frequency::FinancialYear, _) => text.trim_start_matches("FY").to_owned(),
        (Frequency::CalendarYear, Style::Long) => format!("the calendar year {}", text.trim_start_matches("CY")),
        (Frequency::AcademicYear, Style::Long) => format!("the academic year {}", text.trim_start_matches("AY")),
        (Frequency::Month | Frequency::Quarter | Frequency::HalfYear, _)
        | (Frequency::CalendarYear | Frequency::AcademicYear, Style::Short) => {
            months(period.start(), period.end(), style)
        }
    }
}

/// Periods that follow each other: of a part of a year its months.
fn run(first: Period, last: Period, style: Style) -> String {
    let whole = Period::of(Frequency::FinancialYear, first.start());
    match last.frequency() {
        _ if first == last => one(first, style),
        Frequency::Month | Frequency::Quarter | Frequency::HalfYear => match whole {
            Some(year) if (year.start(), year.end()) == (first.start(), last.end()) => one(year, style),
            Some(_) | None => months(first.start(), last.end(), style),
        },
        Frequency::FinancialYear
        | Frequency::CalendarYear
        | Frequency::AcademicYear
        | Frequency::Week
        | Frequency::Day => format!("{} to {}", one(first, style), one(last, style)),
    }
}

/// From the month of one day to that of another.
fn months(first: Date, last: Date, style: Style) -> String {
    let to = match style {
        Style::Long => " to ",
        Style::Short => "–",
    };
    let ((year, month), (last_year, last_month)) = (first.year_and_month(), last.year_and_month());
    let last = format!("{} {last_year}", month_name(last_month, style));
    if (year, month) == (last_year, last_month) {
        last
    } else if year == last_year {
        format!("{}{to}{last}", month_name(month, style))
    } else {
        format!("{} {year}{to}{last}", month_name(month, style))
    }
}

fn day(date: Date, style: Style) -> String {
    format!("{} {} {}", date.day(), month_name(date.month(), style), date.year())
}

fn month_name(month: u8, style: Style) -> &'static str {
    let name = MONTHS.get(usize::from(month).saturating_sub(1)).copied().unwrap_or_default();
    match style {
        Style::Long => name,
        Style::Short => name.get(..3).unwrap_or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_in_the_words_of_reports() {
        for (text, when, label) in [
            ("2022-06", "in June 2022", "Jun 2022"),
            ("FY2021-22-Q1", "in April to June 2021", "Apr–Jun 2021"),
            ("CY2021-Q2", "in April to June 2021", "Apr–Jun 2021"),
            ("FY2021-22-Q4", "in January to March 2022", "Jan–Mar 2022"),
            ("FY2021-22-H1", "in April to September 2021", "Apr–Sep 2021"),
            ("FY2021-22-H2", "in October 2021 to March 2022", "Oct 2021–Mar 2022"),
            ("FY1999-00", "in 1999-00", "1999-00"),
            ("CY2021", "in the calendar year 2021", "Jan–Dec 2021"),
            ("AY2021-22", "in the academic year 2021-22", "Sep 2021–Aug 2022"),
            ("2022-W07", "in the week from 14 February 2022", "14 Feb 2022"),
            ("2022-03-31", "at 31 March 2022", "31 Mar 2022"),
            ("2021 or so", "in 2021 or so", "2021 or so"),
        ] {
            let span = Span::Period(text);
            assert_eq!((span.when(Kind::Events), span.label(Kind::Events)), (when.to_owned(), label.to_owned()));
        }
    }

    #[test]
    fn a_stock_is_of_the_last_day_of_its_period() {
        for text in ["FY2021-22", "2022-03", "FY2021-22-Q4", "2022-03-31"] {
            let span = Span::Period(text);
            assert_eq!(
                (span.when(Kind::Stock), span.label(Kind::Stock)),
                ("at 31 March 2022".into(), "31 Mar 2022".into())
            );
        }
        assert_eq!(Span::Run { first: "FY2019-20", last: "FY2021-22" }.when(Kind::Stock), "at 31 March 2022");
    }

    #[test]
    fn a_year_to_date_and_a_run_are_of_their_months_or_years() {
        let run = |first, last| Span::Run { first, last };
        for (span, when) in [
            (Span::YearTo("2021-04"), "in April 2021"),
            (Span::YearTo("2021-09"), "in April to September 2021"),
            (Span::YearTo("2022-01"), "in April 2021 to January 2022"),
            (Span::YearTo("2022-03"), "in 2021-22"),
            (Span::YearTo("FY2021-22-Q2"), "in April to September 2021"),
            (Span::YearTo("CY2021"), "in the calendar year 2021"),
            (run("FY2017-18", "FY2021-22"), "in 2017-18 to 2021-22"),
            (run("FY2021-22-Q2", "FY2022-23-Q1"), "in July 2021 to June 2022"),
            (run("2021-04", "2022-03"), "in 2021-22"),
            (run("CY2020", "CY2021"), "in the calendar year 2020 to the calendar year 2021"),
            (run("long ago", "CY2021"), "in long ago to the calendar year 2021"),
        ] {
            assert_eq!(span.when(Kind::Events), when);
        }
        assert_eq!(Span::YearTo("2021-09").of("2020-09"), Span::YearTo("2020-09"));
    }
}

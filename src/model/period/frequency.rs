//! The lengths of a period, by the texts and numbers that the outside knows them by.

use crate::model::code_list::code_list;

code_list! {
    /// How often an indicator is reported: the length of its periods.
    pub enum Frequency {
        /// A calendar month.
        Month = 1, "month";
        /// Three months from April, July, October or January.
        Quarter = 2, "quarter";
        /// Six months from April or October.
        HalfYear = 3, "half-year";
        /// Twelve months from April.
        FinancialYear = 4, "financial-year";
        /// Twelve months from January.
        CalendarYear = 5, "calendar-year";
        /// Twelve months from September.
        AcademicYear = 6, "academic-year";
        /// An ISO 8601 week, Monday to Sunday.
        Week = 7, "week";
        /// One day.
        Day = 8, "day";
    }
}

impl Frequency {
    /// Its name as a sentence has it: `a month`, `an academic-year`.
    pub(crate) fn with_article(self) -> String {
        let article = match self {
            Self::AcademicYear => "an",
            Self::Month
            | Self::Quarter
            | Self::HalfYear
            | Self::FinancialYear
            | Self::CalendarYear
            | Self::Week
            | Self::Day => "a",
        };
        format!("{article} {self}")
    }

    /// The next finer one that periods of this one are made of.
    pub(crate) const fn finer(self) -> Option<Self> {
        match self {
            Self::FinancialYear => Some(Self::HalfYear),
            Self::CalendarYear | Self::HalfYear => Some(Self::Quarter),
            Self::AcademicYear | Self::Quarter => Some(Self::Month),
            Self::Month | Self::Week | Self::Day => None,
        }
    }
}

/// Some frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Frequencies(u16);

impl Frequencies {
    /// Adds one.
    pub(crate) fn insert(&mut self, frequency: Frequency) {
        self.0 |= 1 << frequency.code();
    }

    /// Whether one is among them.
    pub(crate) const fn contains(self, frequency: Frequency) -> bool {
        self.0 & (1 << frequency.code()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_known_by_its_text_and_its_code() {
        for (code, frequency) in (1..).zip(Frequency::ALL) {
            assert_eq!(frequency.code(), code);
            assert_eq!(Frequency::from_code(code), Some(*frequency));
            assert_eq!(frequency.to_string().parse(), Ok(*frequency));
        }
        assert_eq!((Frequency::from_code(0), Frequency::from_code(9)), (None, None));
        assert!("Month".parse::<Frequency>().is_err());
        assert_eq!(Frequency::AcademicYear.with_article(), "an academic-year");
        assert_eq!(Frequency::HalfYear.with_article(), "a half-year");
    }
}

//! A period's canonical text, written.

use std::fmt;

use super::{Name, Period};
use crate::model::date::write_digits;
use crate::model::text::WriteText;

impl WriteText for Period {
    /// Writes the canonical text.
    fn write_text(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let (year, month) = self.start.year_and_month();
        let months_from_april = (month + 8) % 12;
        let quarter = months_from_april / 3 + 1;
        let half = months_from_april / 6 + 1;
        let financial = TwoYears(if month < 4 { year - 1 } else { year });
        match self.name {
            Name::Day => write!(out, "{}", self.start),
            Name::Week => {
                let (year, week) = self.iso_week();
                write!(out, "{year}-W{week:02}")
            }
            Name::Month => {
                let mut text = *b"0000-00";
                write_digits(&mut text[..4], year.unsigned_abs());
                write_digits(&mut text[5..], month.into());
                out.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
            Name::FinancialQuarter => write!(out, "FY{financial}-Q{quarter}"),
            Name::CalendarQuarter => write!(out, "CY{year}-Q{}", (month - 1) / 3 + 1),
            Name::HalfYear => write!(out, "FY{financial}-H{half}"),
            Name::FinancialYear => write!(out, "FY{}", TwoYears(year)),
            Name::CalendarYear => write!(out, "CY{year}"),
            Name::AcademicYear => write!(out, "AY{}", TwoYears(year)),
        }
    }
}

impl fmt::Display for Period {
    /// Writes the canonical text. An answer has thousands: only one that is padded takes memory of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() {
            return self.write_text(f);
        }
        let mut text = String::new();
        self.write_text(&mut text)?;
        f.pad(&text)
    }
}

/// A year that begins in this one and ends in the next: `2021-22`.
struct TwoYears(i32);

impl fmt::Display for TwoYears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.0, (self.0 + 1) % 100)
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! Answers as tables for spreadsheets and scripts: which columns there are, and what stands in their cells.
//!
//! The command line's CSV, the files at an address and the workbooks are written from these. A column's name and
//! meaning are the same in all of them, and the value of a figure stands apart from its markers: a marker in a column of
//! numbers is an error in Excel and Power BI.

mod aggregate;
mod changes;
mod explanation;
mod figure;
mod history;
mod key;
mod labels;
mod list;
mod picture;
mod submissions;

// What only pages have as files.
#[cfg(feature = "server")]
mod access;
#[cfg(feature = "server")]
mod catalogue;
#[cfg(feature = "server")]
mod completeness;
#[cfg(feature = "server")]
mod submission;

pub(crate) use aggregate::AggregateTable;
pub(crate) use changes::{changes, measure};
pub(crate) use explanation::ExplanationTable;
pub(crate) use figure::{answer_cells, answer_headings, figure_cells, figure_headings};
pub(crate) use history::history;
pub(crate) use labels::Labels;
pub(crate) use list::ListTable;
pub(crate) use picture::PictureTable;
pub(crate) use submissions::submissions;
#[cfg(feature = "server")]
pub(crate) use {
    access::{about, audit, keys},
    catalogue::{agencies, areas, calendars, checks, dimensions, indicators, rules},
    completeness::completeness,
    submission::submission,
};

use prost_types::Timestamp;

use crate::figures::cell::neutralised;
use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::model::text::visible_lines;
use crate::rpc::proto::{CategoryRef, CheckExplanation, HistoryEvent};

/// A table of an answer: its columns, and the rows that an item of the answer makes.
pub(crate) trait Table {
    /// The message of an item.
    type Item;

    /// What the table is called, in words.
    fn title(&self) -> String;

    /// The headings, each another.
    fn headings(&self) -> Vec<String>;

    /// The rows of an item, under these headings.
    fn rows(&self, item: &Self::Item) -> Vec<Vec<Cell>>;
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// A text; empty where there is nothing to say.
    Text(String),
    /// A number as decimal text; none where there is nothing that it could be of.
    Number(Option<String>),
    /// In the place of a number, why there is none.
    Missing(Marker),
    /// Markers; none where a figure has none.
    Markers(Vec<Marker>),
    /// In the place of a key: the row is of all that was asked for, together.
    All,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn count(count: impl Into<i64>) -> Self {
        Self::Number(Some(count.into().to_string()))
    }

    /// `true` or `false`.
    pub(crate) fn flag(is_so: bool) -> Self {
        Self::Text(is_so.to_string())
    }

    /// An instant; empty for none.
    pub(crate) fn instant(at: Option<&Timestamp>) -> Self {
        Self::Text(at.map(ToString::to_string).unwrap_or_default())
    }

    /// A revision, or another number from 1 on; 0 stands for none.
    pub(crate) fn unless_0(number: impl Into<i64>) -> Self {
        let number = number.into();
        if number == 0 { Self::Text(String::new()) } else { Self::count(number) }
    }

    /// A submitted value, as the service writes it: a number where it is one, and in the place of one that isn't there the
    /// marker that says why. Its other markers stand beside it.
    pub(crate) fn submitted(value: &str) -> Self {
        let (value, markers) =
            value.split_once('[').map_or((value, ""), |(value, markers)| (value.trim_end(), markers));
        let mut markers = markers.split(['[', ']', ' ']).filter_map(|marker| marker.parse::<Marker>().ok());
        match (value, markers.find(|marker| marker.is_absence())) {
            ("", Some(marker)) => Self::Missing(marker),
            (value, _) if value.parse::<Decimal>().is_ok() => Self::Number(Some(value.to_owned())),
            (value, _) => Self::text(value),
        }
    }

    /// The markers of these codes.
    pub(crate) fn markers(codes: &[i32]) -> Self {
        Self::Markers(codes.iter().filter_map(|code| Marker::from_code(*code)).collect())
    }

    /// As text: what isn't there is empty.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.unwrap_or_default(),
            Self::Missing(_) | Self::All => String::new(),
            Self::Markers(markers) => markers.into_iter().map(Marker::text).collect::<Vec<_>>().join(" "),
        }
    }

    /// As a field of CSV: no spreadsheet takes it for a formula, and all of it can be seen. Of what is a number nothing is
    /// changed.
    pub(crate) fn into_field(self) -> String {
        match self {
            Self::Text(text) => neutralised(&visible_lines(&text)).into_owned(),
            Self::Number(_) | Self::Missing(_) | Self::Markers(_) | Self::All => self.into_text(),
        }
    }
}

/// Cells as texts.
pub(crate) fn texts(cells: Vec<Cell>) -> Vec<String> {
    cells.into_iter().map(Cell::into_text).collect()
}

/// What the rows of an answer are all of.
#[derive(Debug, Clone, Default)]
pub(crate) struct AsOf {
    /// The revision.
    pub(crate) revision: i64,
    /// The instant, as a question can name it.
    pub(crate) instant: Option<Timestamp>,
}

impl AsOf {
    const HEADINGS: [&'static str; 2] = ["revision", "as_of"];

    fn cells(&self) -> [Cell; 2] {
        [Cell::count(self.revision), Cell::instant(self.instant.as_ref())]
    }
}

/// Why a figure changed, in a word.
pub(crate) fn event(event: HistoryEvent) -> &'static str {
    match event {
        HistoryEvent::Unspecified => "",
        HistoryEvent::Submitted => "submitted",
        HistoryEvent::Restored => "restored",
        HistoryEvent::Withdrawn => "withdrawn",
    }
}

/// A breakdown as a file has it: `sex=female;age-band=0-to-4`; empty for the total.
pub(crate) fn breakdown(categories: &[CategoryRef]) -> String {
    categories.iter().map(|it| format!("{}={}", it.dimension, it.category)).collect::<Vec<_>>().join(";")
}

/// The explanations of a figure: those for single checks after the check.
pub(crate) fn explanations(explanations: &[CheckExplanation]) -> String {
    let text = |CheckExplanation { check, explanation }: &CheckExplanation| match check.as_str() {
        "" => explanation.clone(),
        check => format!("{check}: {explanation}"),
    };
    explanations.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// A code in its own text, such as `upper-tier`; empty for none.
#[cfg(feature = "server")]
fn code<T: std::fmt::Display>(code: Option<T>) -> Cell {
    Cell::Text(code.map(|code| code.to_string()).unwrap_or_default())
}

/// An id with what it stands for; empty for none.
fn named(id: &str, label: impl FnOnce(&str) -> String) -> [Cell; 2] {
    [Cell::text(id), Cell::Text(if id.is_empty() { String::new() } else { label(id) })]
}

fn headings<'h>(names: impl IntoIterator<Item = &'h str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_no_formula_and_a_number_stays_one() {
        let field = |cell: Cell| cell.into_field();
        assert_eq!(field(Cell::text("=HYPERLINK(1)")), "'=HYPERLINK(1)");
        assert_eq!(field(Cell::text("a\u{202e}b")), "a\\u{202e}b");
        assert_eq!(field(Cell::text("initial-contacts")), "initial-contacts");
        assert_eq!(field(Cell::Number(Some("-5.10".to_owned()))), "-5.10");
        assert_eq!(field(Cell::Missing(Marker::NotAvailable)), "");
        assert_eq!(Cell::submitted("-5.10 [p]"), Cell::Number(Some("-5.10".to_owned())));
        assert_eq!(Cell::submitted("[x]"), Cell::Missing(Marker::NotAvailable));
        assert_eq!(Cell::submitted("87.90 % of 18496 [e]"), Cell::text("87.90 % of 18496"));
        assert_eq!(Cell::submitted(""), Cell::text(""));
        assert_eq!(field(Cell::Markers(vec![Marker::Estimated, Marker::Provisional])), "e p");
    }
}

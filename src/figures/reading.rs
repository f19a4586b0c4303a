//! What could be read of a file, and where it has what is wrong.

use super::field::Field;
use super::figure::Figure;
use super::header::Header;
use super::input::Input;
use super::layout::Layout;
use super::problem::{Problem, ProblemColumn};
use super::table::Table;

/// What could be read of a file, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The figures, where they were kept.
    pub(crate) figures: Vec<Figure>,
    pub(crate) problems: Vec<Problem>,
    /// What the sender should know of how the file was read: which sheet, which row for the header.
    pub(crate) notes: Vec<String>,
    /// What it was read from, and how; none where that isn't a table.
    pub(super) source: Option<(Input, Layout)>,
    pub(super) table: Table,
    pub(super) header: Option<Header>,
}

impl Reading {
    /// A problem of a figure, where the file has it; none at a cell that couldn't be read, which is reported for that
    /// alone.
    pub(crate) fn problem(&self, figure: &Figure, field: Option<Field>, what: &str) -> Option<Problem> {
        if field.is_some_and(|field| figure.unread.contains(&field)) {
            return None;
        }
        let what = match field {
            Some(Field::Period) => &figure.in_its_own_text(what),
            Some(_) | None => what,
        };
        let across = figure.across.filter(|_| field == Some(Field::Value));
        Some(match (across, field) {
            (Some(place), Some(field)) => {
                let column = ProblemColumn { place: Some(place), name: field.name().to_owned() };
                Problem::new(&self.table, vec![figure.row], Some(column), what)
            }
            (_, field) => self.problem_at(vec![figure.row], field, what),
        })
    }

    /// A problem of rows.
    pub(crate) fn problem_at(&self, rows: Vec<u64>, field: Option<Field>, what: impl std::fmt::Display) -> Problem {
        let column = field.map(|field| ProblemColumn { place: self.place(field), name: field.name().to_owned() });
        Problem::new(&self.table, rows, column, what)
    }

    /// Where a column is, counted from 0.
    pub(super) fn place(&self, field: Field) -> Option<usize> {
        self.header.as_ref().and_then(|header| header.place(field))
    }

    /// The number of the row of the headings.
    pub(super) fn header_row(&self) -> Option<u64> {
        self.header.as_ref().map(|header| header.row)
    }
}

//! The rows and cells of a file, whatever its format: what the readers of formats make, and the reader of figures
//! takes. Its bounds are those of every format.

use std::collections::BTreeSet;

use crate::model::date::Date;

/// The most rows that a sheet may have, the blank ones too.
pub(crate) const ROWS_MAX: u64 = 10_000_000;

/// The most columns that a sheet may have.
pub(crate) const COLUMNS_MAX: usize = 500;

/// The most characters that a cell may have: as many as Excel's.
pub(crate) const CELL_CHARACTERS_MAX: usize = 32_767;

/// A text file, or one sheet of a workbook, as far as its header; what is below is read row by row.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The name of the sheet; none for a text file.
    pub(crate) sheet: Option<String>,
    /// How a number may be written in it.
    pub(super) notation: Notation,
    /// The first rows, but for those without any text.
    pub(super) rows: Vec<Row>,
    /// The numbers of the rows that a spreadsheet doesn't show.
    pub(super) hidden_rows: BTreeSet<u64>,
    pub(super) merged: Vec<Merged>,
}

/// Whether a comma in a number may be a decimal point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Notation {
    /// As in Britain: `1,234.5`.
    #[default]
    DecimalPoint,
    /// A file whose columns are separated by semicolons comes from a spreadsheet that may write `1.234,5`.
    PointOrComma,
}

/// Something that a row or a cell is unreadable for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Counted from 0; none for the whole row.
    pub(super) column: Option<usize>,
    pub(super) what: String,
}

/// Cells that are shown as one. Only the first has a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Merged {
    /// The rows, by number, both included.
    pub(super) rows: (u64, u64),
    /// The columns, counted from 0, both included.
    pub(super) columns: (usize, usize),
}

/// One row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Counted from 1 as a spreadsheet shows it, blank rows too.
    pub(crate) number: u64,
    pub(crate) cells: Vec<Cell>,
    /// What of it couldn't be read.
    pub(super) faults: Vec<Fault>,
}

impl Row {
    pub(super) fn cell(&self, column: usize) -> &Cell {
        const EMPTY: &Cell = &Cell { text: String::new(), kind: CellKind::Text };
        self.cells.get(column).unwrap_or(EMPTY)
    }

    /// Whether there is nothing to say of it.
    pub(super) fn is_blank(&self) -> bool {
        self.cells.iter().all(Cell::is_empty) && self.faults.is_empty()
    }

    /// A row that is unreadable as a whole.
    pub(super) fn unreadable(number: u64, what: String) -> Self {
        Self { number, cells: Vec::new(), faults: vec![Fault { column: None, what }] }
    }

    /// What the whole row is unreadable for.
    pub(super) fn faults_of_all(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().filter(|fault| fault.column.is_none()).map(|fault| fault.what.as_str())
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    /// What is in the file, as a spreadsheet shows it, without the spaces around it.
    pub(crate) text: String,
    pub(super) kind: CellKind,
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self { text: trimmed(text).to_owned(), kind: CellKind::Text }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// A text without the spaces around it, no-break spaces and byte-order marks among them.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}')
}

/// What a cell's text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CellKind {
    /// A text, which may be that of a number.
    #[default]
    Text,
    /// A number of a workbook.
    Number,
    /// A date of a workbook.
    Date(Moment),
    /// An error of a formula, such as `#N/A`.
    Error,
    /// A formula whose value isn't in the file.
    FormulaWithoutValue,
}

/// A date of a workbook, and what of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// None for one outside the years 1900 to 2199.
    pub(super) date: Option<Date>,
    pub(super) has_time: bool,
    pub(super) shows_day: bool,
    pub(super) shows_year: bool,
}

/// That a sheet has more rows than one may have.
pub(super) fn too_many_rows() -> String {
    format!("found more than {ROWS_MAX} rows; allowed: at most {ROWS_MAX}")
}

/// That a row has more columns than a sheet may have.
pub(super) fn too_wide() -> String {
    format!("found more than {COLUMNS_MAX} columns; allowed: at most {COLUMNS_MAX}")
}

/// That a cell has more characters than one may have.
pub(super) fn too_long(text: &str) -> Option<String> {
    let characters = if text.len() > CELL_CHARACTERS_MAX { text.chars().count() } else { 0 };
    (characters > CELL_CHARACTERS_MAX)
        .then(|| format!("found {characters} characters; allowed: at most {CELL_CHARACTERS_MAX}"))
}

/// A column as spreadsheets name it: `A`, `Z`, `AA`. Counted from 0.
pub(crate) fn column_letters(column: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()));
        rest /= 26;
    }
    letters.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_spreadsheets_name_them() {
        let names = [0, 1, 25, 26, 51, 52, 701, 702, 16_383].map(column_letters);
        assert_eq!(names, ["A", "B", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "XFD"]);
    }
}

//! The forms of a file: comma-separated values, or a workbook.

/// The most cells of a table: a workbook is made in memory, where each takes some hundred bytes.
pub(super) const CELLS_MAX: usize = 500_000;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Comma-separated values; with a byte order mark if it is asked for.
    Csv { has_bom: bool },
    /// A workbook for people.
    Workbook,
}

impl Form {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Csv { .. } => "csv",
            Self::Workbook => "xlsx",
        }
    }

    /// How much a file may have.
    pub(super) fn bounds(self) -> String {
        match self {
            Self::Csv { .. } => String::new(),
            Self::Workbook => format!("A workbook has at most {CELLS_MAX} cells."),
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
            Self::Workbook => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

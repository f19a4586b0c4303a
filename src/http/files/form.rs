//! The forms of a file: comma-separated values, or a workbook.

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

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
            Self::Workbook => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

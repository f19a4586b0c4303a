//! Where a spreadsheet is written, as what: its name's ending says it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A file to write.
#[derive(Debug, Clone)]
pub(super) enum SpreadsheetPath {
    Workbook(PathBuf),
    Csv(PathBuf),
}

impl std::str::FromStr for SpreadsheetPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let ending = path.extension().map(OsStr::to_ascii_lowercase);
        match ending.as_deref().and_then(OsStr::to_str) {
            Some("xlsx") => Ok(Self::Workbook(path)),
            Some("csv") => Ok(Self::Csv(path)),
            Some(_) | None => Err("allowed: a file whose name ends in .xlsx or .csv"),
        }
    }
}

impl SpreadsheetPath {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Workbook(path) | Self::Csv(path) => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_written_as_is_known_by_its_name() {
        let form = |name: &str| format!("{:?}", name.parse::<SpreadsheetPath>());
        assert_eq!(form("a.XLSX"), "Ok(Workbook(\"a.XLSX\"))");
        assert_eq!(form("a.csv"), "Ok(Csv(\"a.csv\"))");
        assert!(form("a.xls").starts_with("Err("));
    }
}

//! A file of all problems, for whoever mends them: a workbook with the sender's own rows, or a CSV file.

use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::super::format;
use crate::figures::problem::Problem;
use crate::figures::table::column_letters;
use crate::figures::{Reading, marked};

/// Where problems are written, as what.
#[derive(Debug, Clone)]
pub(super) enum ProblemReport {
    Workbook(PathBuf),
    Csv(PathBuf),
}

impl std::str::FromStr for ProblemReport {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match ending.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("xlsx") => Ok(Self::Workbook(path)),
            Some("csv") => Ok(Self::Csv(path)),
            Some(_) | None => Err("allowed: a file whose name ends in .xlsx or .csv"),
        }
    }
}

impl ProblemReport {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Workbook(path) | Self::Csv(path) => path,
        }
    }

    /// Writes the problems of a file.
    pub(super) fn write(&self, reading: &Reading, problems: &[Problem]) -> Result<(), Failure> {
        let bytes = match self {
            Self::Workbook(_) => marked::workbook(reading, problems)?,
            Self::Csv(_) => csv(problems)?.into_bytes(),
        };
        let path = self.path();
        std::fs::write(path, bytes).map_err(|error| Failure::failed(format!("can't write {}: {error}", path.display())))
    }
}

/// A line for each problem of each row.
fn csv(problems: &[Problem]) -> Result<String, Failure> {
    let lines = problems.iter().flat_map(|problem| {
        let rows: Vec<String> = match problem.rows.as_slice() {
            [] => vec![String::new()],
            rows => rows.iter().map(u64::to_string).collect(),
        };
        rows.into_iter().map(move |row| {
            let (letters, name) = match &problem.column {
                Some(column) => (column.place.map(column_letters).unwrap_or_default(), column.name.clone()),
                None => (String::new(), String::new()),
            };
            [problem.sheet.clone().unwrap_or_default(), row, letters, name, problem.what.clone()]
        })
    });
    format::csv(["sheet", "row", "column", "name", "problem"], lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::input::Input;
    use crate::figures::{Layout, problem::grouped, read_all};

    #[test]
    fn a_csv_report_has_a_line_for_each_problem_of_each_row() {
        let file = b"indicator,area,period,value\na,E1,2022,5\nb,E1,2022,'=1\n";
        let reading = read_all(&Input::of(file), &Layout::default());
        insta::assert_snapshot!(csv(&grouped(reading.problems)).unwrap());
    }

    #[test]
    fn a_reports_form_is_known_by_its_name() {
        let form = |name: &str| format!("{:?}", name.parse::<ProblemReport>());
        assert_eq!(form("a.XLSX"), "Ok(Workbook(\"a.XLSX\"))");
        assert_eq!(form("a.csv"), "Ok(Csv(\"a.csv\"))");
        assert!(form("a.xls").starts_with("Err("));
    }
}

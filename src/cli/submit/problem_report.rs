//! A file of all problems, for whoever mends them: a workbook with the sender's own rows, or a CSV file.

use super::super::failure::Failure;
use super::super::format;
use super::super::spreadsheet_path::SpreadsheetPath;
use crate::figures::problem::Problem;
use crate::figures::table::column_letters;
use crate::figures::{Reading, marked};

/// Writes the problems of a file.
pub(super) fn write(to: &SpreadsheetPath, reading: &Reading, problems: &[Problem]) -> Result<(), Failure> {
    let bytes = match to {
        SpreadsheetPath::Workbook(_) => marked::workbook(reading, problems)?,
        SpreadsheetPath::Csv(_) => csv(problems)?.into_bytes(),
    };
    let path = to.path();
    std::fs::write(path, bytes).map_err(|error| Failure::failed(format!("can't write {}: {error}", path.display())))
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
}

//! Figures in files, as people make them: CSV and other text files, and workbooks. Bytes in, figures and problems out.
//!
//! A file goes through these steps, each in a file of its own:
//!
//! 1. `source` has a `table` made of it, by what is in it and not by its name: by `workbook` (with `package` and
//!    `number_format`) or by `text_file`;
//! 2. `header` finds the row that names the columns (`field`), as the `layout` says they are called;
//! 3. `row` reads each row: its numbers by `number`, its period by `period`.
//!
//! A `mapping` is a layout that a partner has written down; `names` puts ids in the places of names;
//! `marked` gives the rows back with their problems.
//!
//! What may be two things is refused with both, at its sheet, row and column (`problem`). docs/files.md is the page
//! for those who make the files.

pub(crate) mod cell;
#[cfg(test)]
mod corpus;
pub(crate) mod field;
mod figure;
mod header;
mod layout;
mod mapping;
pub(crate) mod marked;
pub(crate) mod names;
mod number;
mod number_format;
mod package;
mod period;
pub(crate) mod problem;
mod row;
mod source;
pub(crate) mod table;
mod text_file;
mod workbook;

use std::collections::BTreeSet;
use std::io::Read;

pub(crate) use field::Field;
pub use figure::Figure;
use header::{Column, Header};
pub use layout::{DatesAre, Layout};
pub(crate) use period::unambiguous;
pub(crate) use problem::Problem;
use problem::ProblemColumn;
use row::RowReader;
use table::{Merged, Table};

use crate::model::violation::Violations;

/// Why rows in which nothing was filled in aren't taken, and what may be done about them.
const EMPTY_ROWS: &str = "found no value; write one, or say in markers why there is none (x not available, z not \
    applicable, c confidential, low rounds to zero but isn't). To leave such rows out, delete them or submit with \
    --skip-empty. An empty value is never zero";

/// What could be read of a file, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) figures: Vec<Figure>,
    pub(crate) problems: Vec<Problem>,
    /// What the sender should know of how the file was read: which sheet, which row for the header.
    pub(crate) notes: Vec<String>,
    pub(crate) table: Table,
    header: Option<Header>,
}

/// Reads the figures of a file that is laid out as the template is.
///
/// # Errors
/// Every problem in the file, by row and column.
pub fn read(mut file: impl Read) -> Result<Vec<Figure>, Violations> {
    let mut bytes = Vec::new();
    let mut violations = Violations::default();
    violations.check("", file.read_to_end(&mut bytes));
    let Reading { figures, problems, .. } = read_all(&bytes, &Layout::default());
    for problem in problems {
        violations.add(problem.location(), problem.what);
    }
    violations.into_result(figures)
}

/// Reads what can be read of a file.
pub(crate) fn read_all(bytes: &[u8], layout: &Layout) -> Reading {
    let mut reading = Reading::default();
    match source::table(bytes, layout, &mut reading.notes) {
        Ok(table) => reading.table = table,
        Err(problem) => {
            reading.problems.push(problem);
            return reading;
        }
    }
    let table = &reading.table;
    let Some(header) = Header::find(table, layout) else {
        let fault = table.faults.first().map(|fault| Problem::new(table, vec![fault.row], None, &fault.what));
        let problem = header::no_header(table, layout);
        reading.problems.extend([problem].into_iter().chain(fault));
        return reading;
    };
    let header = header.with_unheaded(table, layout);
    if header.index > 0 && layout.header_row.is_none() {
        reading.notes.push(format!("row {} was taken for the header; what is above it wasn't read", header.row));
    }
    reading.problems.extend(header.problems(table, layout));
    reading.problems.extend(unseen(table, &header));
    let rows = &table.rows[header.index + 1..];
    let mut reader = RowReader::new(table, &header, layout);
    let figures = rows.iter().flat_map(|row| reader.figures(row)).collect();
    let (problems, empty_across) = reader.finish();
    reading.figures = figures;
    reading.problems.extend(problems);
    if reading.figures.is_empty() && reading.problems.is_empty() {
        let what = format!("found no figures below the header, row {}; needed: a row for each figure", header.row);
        reading.problems.push(Problem::new(table, vec![], None, what));
    }
    if empty_across > 0 {
        let cells =
            if empty_across == 1 { "1 empty cell was".to_owned() } else { format!("{empty_across} empty cells were") };
        reading.notes.push(format!("{cells} left out"));
    }
    reading.header = Some(header);
    reading
}

impl Reading {
    /// Takes out the rows in which nothing was filled in: an empty value is never zero. They are left out, with a note,
    /// or they are one problem, with what may be done about them.
    pub(crate) fn take_empty_rows(&mut self, are_left_out: bool) {
        let (empty, filled): (Vec<Figure>, Vec<Figure>) =
            std::mem::take(&mut self.figures).into_iter().partition(|figure| figure.is_empty);
        self.figures = filled;
        let rows: Vec<u64> = empty.iter().map(|figure| figure.row).collect();
        if rows.is_empty() {
            return;
        }
        if !are_left_out {
            self.problems.push(self.problem_at(rows, None, EMPTY_ROWS));
        } else if self.figures.is_empty() && self.problems.is_empty() {
            self.problems.push(self.problem_at(rows, None, "found no value in any row; needed: at least one figure"));
        } else {
            let count =
                if rows.len() == 1 { "1 empty row was".to_owned() } else { format!("{} empty rows were", rows.len()) };
            let location = self.problem_at(rows, None, "").location();
            self.notes.push(format!("{count} left out: {location}"));
        }
    }

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
    fn place(&self, field: Field) -> Option<usize> {
        self.header.as_ref().and_then(|header| header.place(field))
    }

    /// The number of the row of the headings.
    fn header_row(&self) -> Option<u64> {
        self.header.as_ref().map(|header| header.row)
    }
}

/// Rows and cells that a person doesn't see as the file has them: hidden rows, and merged cells, of which only the
/// first has a text.
fn unseen(table: &Table, header: &Header) -> Vec<Problem> {
    const MERGED_SHOWN_MAX: usize = 100;
    let mut problems = Vec::new();
    let has_text: BTreeSet<u64> = table.rows[header.index + 1..].iter().map(|row| row.number).collect();
    let hidden: Vec<u64> = table.hidden_rows.intersection(&has_text).copied().collect();
    if !hidden.is_empty() {
        let what =
            "found rows that the spreadsheet hides; show them (in Excel: Data, Clear), or delete them".to_owned();
        problems.push(Problem::new(table, hidden, None, what));
    }
    let is_read = |merged: &&Merged| {
        let mut columns = (merged.columns.0..=merged.columns.1).take_while(|at| *at < header.columns.len());
        merged.rows.1 >= header.row && columns.any(|at| header.columns[at] != Column::Ignored)
    };
    let merged: Vec<&Merged> = table.merged.iter().filter(is_read).collect();
    for it in merged.iter().take(MERGED_SHOWN_MAX) {
        let (from, to) = (table::column_letters(it.columns.0), table::column_letters(it.columns.1));
        let (first, last) = it.rows;
        let what = format!("found merged cells, {from}{first} to {to}{last}; separate them and fill in each row");
        problems.push(Problem::new(table, vec![first], None, what));
    }
    if merged.len() > MERGED_SHOWN_MAX {
        let what =
            format!("found {} more merged cells; separate them and fill in each row", merged.len() - MERGED_SHOWN_MAX);
        problems.push(Problem::new(table, vec![], None, what));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(file: &[u8]) -> Vec<String> {
        read_all(file, &Layout::default()).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_bad_row_is_reported_at_once() {
        let file =
            "indicator,area,period,value,base,markers\na,E1,2022-06,1,,q\nb,E1,2022-06,1,,\nc,E1,2022-06,,5,\nd,E1,1\n";
        let violations = read(file.as_bytes()).unwrap_err();
        let lines: Vec<String> =
            violations.iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_period_of_a_file_that_reads_both_ways_is_refused_with_both_readings() {
        let read_period = |period: &str| problems(format!("indicator,area,period,value\na,E1,{period},5\n").as_bytes());
        // Of every two years that follow each other, twelve name a month too.
        let texts = (1990..2030).map(|year| format!("{year}-{:02}", (year + 1) % 100));
        let refused: Vec<String> = texts.filter(|text| !read_period(text).is_empty()).collect();
        assert_eq!((refused.len(), refused[0].as_str(), refused[11].as_str()), (12, "2000-01", "2011-12"));
        assert_eq!(
            read_period("2009-10")[0],
            "row 2, column period (C): found `2009-10`, which may be Oct 2009 or the financial year 2009-10; write Oct 2009 or FY2009-10"
        );
        for period in ["Oct 2009", "FY2009-10", "2009/10", "2009-11", "2021-22", "2022-06"] {
            assert!(read_period(period).is_empty(), "{period}");
        }
        assert_eq!((unambiguous("2009-10"), unambiguous("2009-11")), ("Oct 2009".to_owned(), "2009-11".to_owned()));
    }

    #[test]
    fn what_helps_to_fill_a_file_in_isnt_read() {
        let file = "indicator,title,area,place,period,previous,year before,value,note,unit,due\n\
            a,A title,E1,Portsmouth,2022-06,4,[x],5,,per cent,2022-07-31\n";
        let figures = read(file.as_bytes()).unwrap();
        assert_eq!(figures[0].observation.note, "");
    }

    #[test]
    fn empty_rows_are_one_problem_or_left_out_by_row_and_one_with_a_note_is_neither() {
        let file = "indicator,area,period,value,markers,note,unit\n\
            a,E1,2022-04,5,,,days\na,E1,2022-05,,,,days\na,E1,2022-06,,x,,days\na,E1,2022-07,,,,\n\
            a,E1,2022-08,,,the system was down,days\na,E1,2014-15 (p),,,,days\n";
        let taken = |file: &str, layout, are_left_out| {
            let mut reading = read_all(file.as_bytes(), &layout);
            reading.take_empty_rows(are_left_out);
            let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
            (reading.figures.iter().map(|figure| figure.row).collect::<Vec<_>>(), problems, reading.notes)
        };
        let refused = vec![format!("rows 3, 5 and 7: {EMPTY_ROWS}")];
        assert_eq!(taken(file, Layout::default(), false), (vec![2, 4, 6], refused, vec![]));
        let note = "3 empty rows were left out: rows 3, 5 and 7".to_owned();
        assert_eq!(taken(file, Layout::default(), true), (vec![2, 4, 6], vec![], vec![note]));
        let empty = "indicator,area,period,value\na,E1,2022-05,\n";
        let none = "row 2: found no value in any row; needed: at least one figure".to_owned();
        assert_eq!(taken(empty, Layout::default(), true), (vec![], vec![none], vec![]));
        let all_marked = Layout { constants: [(Field::Markers, "x".to_owned())].into(), ..Layout::default() };
        assert_eq!(taken(empty, all_marked, false), (vec![2], vec![], vec![]));
    }

    #[test]
    fn a_header_must_name_what_is_needed_once() {
        assert_eq!(
            problems(b"\nindicator,area,period,note,Notes\na,E1,2022-06,,\n"),
            ["row 2: found no column `value` (or `numerator` and `denominator`), which is needed"]
        );
        assert_eq!(
            problems(b"\nindicator,area,period,value,note,Notes\na,E1,2022-06,1,,\n"),
            [
                "row 2, column Notes (F): found `Notes` besides `note` in column E, both for the column note; allowed: one"
            ]
        );
        assert_eq!(problems(b""), ["the file is empty"]);
    }

    #[test]
    fn empty_columns_at_the_end_are_ignored_and_one_with_a_text_isnt() {
        let file = b"indicator,area,period,value,,\na,E1,2022-06,5,,\nb,E1,2022-06,6,,,\nc,E1,2022-06,7\n";
        assert_eq!(read(file.as_slice()).unwrap().len(), 3);
        assert_eq!(
            problems(b"indicator,area,period,value,,\na,E1,2022-06,5,,x\nb,E1,2022-06,5,,\nc,E1,2022-06,5,,y\n"),
            [
                "row 1, column F: found no heading, and a text in rows 2 and 4; give the column one of its names, or leave it out with --ignore-column F"
            ]
        );
    }

    #[test]
    fn markers_that_are_run_together_get_a_hint() {
        for markers in ["x;p", "e/p"] {
            let file = format!("indicator,area,period,value,markers\na,E1,2022-06,5,{markers}\n");
            assert_eq!(
                problems(file.as_bytes()),
                [format!("row 2, column markers (E): found `{markers}`; separate markers by spaces")]
            );
        }
    }

    #[test]
    fn an_unknown_column_is_refused_once_and_left_out_by_name() {
        let file = b"indicator,area,period,value,valeu\na,E1,2022-06,5,1\nb,E1,2022-06,5,2\n";
        let found = problems(file);
        assert_eq!(found.len(), 1);
        let start = "row 1, column valeu (E): found column `valeu` (did you mean `value`?); allowed: indicator, area";
        assert!(found[0].starts_with(start) && found[0].ends_with("add --ignore-column valeu"), "{found:?}");
        let layout = Layout { ignored_columns: vec!["Valeu".to_owned()], ..Layout::default() };
        let reading = read_all(file, &layout);
        assert_eq!((reading.figures.len(), reading.problems.len()), (2, 0));
    }
}

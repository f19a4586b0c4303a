//! Figures in files, as people make them: CSV and other text files, and workbooks. Bytes in, figures and problems out.
//!
//! A file (`input`) goes through these steps, row by row, so that it may be larger than memory:
//!
//! 1. `source` reads the rows of its `table`, by what is in it and not by its name: by `workbook` (with `package` and
//!    `number_format`) or by `text_file` (with `lines`);
//! 2. `header` finds the row that names the columns (`field`), as the `layout` says they are called;
//! 3. `row` reads each row: its numbers by `number`, its period by `period`; and `pass` hands the figures over.
//!
//! A `mapping` is a layout that a partner has written down; `names` puts ids in the places of names;
//! `marked` gives the rows back with their problems.
//!
//! What may be two things is refused with both, at its sheet, row and column (`problem`). docs/files.md is the page
//! for those who make the files.

pub(crate) mod cell;
#[cfg(test)]
mod corpus;
pub(crate) mod empty_rows;
pub(crate) mod field;
mod figure;
mod header;
pub(crate) mod input;
mod layout;
mod lines;
mod mapping;
pub(crate) mod marked;
pub(crate) mod names;
mod number;
mod number_format;
mod package;
pub(crate) mod pass;
mod period;
pub(crate) mod problem;
mod reading;
mod row;
mod source;
pub(crate) mod table;
mod text_file;
mod workbook;

use std::io::Read;

pub(crate) use field::Field;
pub use figure::Figure;
use input::Input;
pub use layout::{DatesAre, Layout};
pub(crate) use pass::{PROBLEMS_MAX, Taken, read_each};
pub(crate) use period::unambiguous;
pub(crate) use reading::Reading;

use crate::model::violation::Violations;

/// Reads the figures of a file that is laid out as the template is.
///
/// # Errors
/// Every problem in the file, by row and column.
pub fn read(mut file: impl Read) -> Result<Vec<Figure>, Violations> {
    let mut bytes = Vec::new();
    let mut violations = Violations::default();
    violations.check("", file.read_to_end(&mut bytes));
    let Reading { figures, problems, .. } = read_all(&Input::of(&bytes), &Layout::default());
    for problem in problems {
        violations.add(problem.location(), problem.what);
    }
    violations.into_result(figures)
}

/// Reads what can be read of a file that is small enough for all of its figures to be kept.
pub(crate) fn read_all(input: &Input, layout: &Layout) -> Reading {
    let mut figures = Vec::new();
    let reading = read_each(input, layout, |figure| {
        figures.push(figure);
        Taken::Yes
    });
    Reading { figures, ..reading }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(file: &[u8]) -> Vec<String> {
        read_all(&Input::of(file), &Layout::default()).problems.iter().map(ToString::to_string).collect()
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
        let reading = read_all(&Input::of(file), &layout);
        assert_eq!((reading.figures.len(), reading.problems.len()), (2, 0));
    }
}

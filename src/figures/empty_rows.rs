//! Rows in which nothing was filled in, as they are met: an empty value is never zero. They are left out, with a note, or
//! they are one problem, with what may be done about them.

use super::figure::Figure;
use super::problem::Problem;
use super::reading::Reading;

/// Why such rows aren't taken, and what may be done about them.
const WHY: &str = "found no value; write one, or say in markers why there is none (x not available, z not \
    applicable, c confidential, low rounds to zero but isn't). To leave such rows out, delete them or submit with \
    --skip-empty. An empty value is never zero";

/// The numbers of the rows.
#[derive(Debug, Default)]
pub(crate) struct EmptyRows(Vec<u64>);

impl EmptyRows {
    /// Whether a figure is of such a row.
    pub(crate) fn has(&mut self, figure: &Figure) -> bool {
        self.0.extend(figure.is_empty.then_some(figure.row));
        figure.is_empty
    }

    /// Whether there are none.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with them: that they are there, where they aren't left out; or that there is nothing else.
    pub(crate) fn problem(&self, reading: &Reading, are_left_out: bool, is_rest_empty: bool) -> Option<Problem> {
        let what = match (are_left_out, is_rest_empty) {
            (false, _) => WHY,
            (true, true) => "found no value in any row; needed: at least one figure",
            (true, false) => return None,
        };
        (!self.is_none()).then(|| reading.problem_at(self.0.clone(), None, what))
    }

    /// That they were left out, and where they are.
    pub(crate) fn note(&self, reading: &Reading) -> Option<String> {
        let count = match self.0.len() {
            0 => return None,
            1 => "1 empty row was".to_owned(),
            rows => format!("{rows} empty rows were"),
        };
        Some(format!("{count} left out: {}", reading.problem_at(self.0.clone(), None, "").location()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Input, Layout, Taken, read_each};
    use super::*;

    /// The rows of the other figures, the problems, and the note.
    fn taken(file: &str, layout: &Layout, are_left_out: bool) -> (Vec<u64>, Vec<String>, Option<String>) {
        let (mut empty, mut rows) = (EmptyRows::default(), Vec::new());
        let reading = read_each(&Input::of(file.as_bytes()), layout, |figure| {
            rows.extend((!empty.has(&figure)).then_some(figure.row));
            Taken::Yes
        });
        let problem = empty.problem(&reading, are_left_out, rows.is_empty());
        let problems = reading.problems.iter().chain(&problem).map(ToString::to_string).collect();
        let note = empty.note(&reading).filter(|_| are_left_out && problem.is_none());
        (rows, problems, note)
    }

    #[test]
    fn they_are_one_problem_or_left_out_by_row_and_one_with_a_note_is_neither() {
        let file = "indicator,area,period,value,markers,note,unit\n\
            a,E1,2022-04,5,,,days\na,E1,2022-05,,,,days\na,E1,2022-06,,x,,days\na,E1,2022-07,,,,\n\
            a,E1,2022-08,,,the system was down,days\na,E1,2014-15 (p),,,,days\n";
        let refused = vec![format!("rows 3, 5 and 7: {WHY}")];
        assert_eq!(taken(file, &Layout::default(), false), (vec![2, 4, 6], refused, None));
        let note = "3 empty rows were left out: rows 3, 5 and 7".to_owned();
        assert_eq!(taken(file, &Layout::default(), true), (vec![2, 4, 6], vec![], Some(note)));
        let empty = "indicator,area,period,value\na,E1,2022-05,\n";
        let none = "row 2: found no value in any row; needed: at least one figure".to_owned();
        assert_eq!(taken(empty, &Layout::default(), true), (vec![], vec![none], None));
        let all_marked = Layout { constants: [(Field::Markers, "x".to_owned())].into(), ..Layout::default() };
        assert_eq!(taken(empty, &all_marked, false), (vec![2], vec![], None));
    }

    #[test]
    fn a_row_that_withdraws_isnt_empty() {
        // Such a file needs no column of values, and a row that doesn't withdraw is empty.
        for file in [
            "indicator,area,period,value,action\na,E1,2022-05,,withdraw\na,E1,2022-06,,\n",
            "indicator,area,period,action\na,E1,2022-05,withdraw\na,E1,2022-06,\n",
        ] {
            assert_eq!(taken(file, &Layout::default(), false), (vec![2], vec![format!("row 3: {WHY}")], None));
        }
    }
}

//! What is wrong with a file, where the person who mends it looks: by sheet, row and column.

use std::collections::BTreeMap;
use std::fmt;

use super::table::{Table, column_letters};
use crate::model::violation::Quoted;

/// Something wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The sheet of a workbook.
    pub(crate) sheet: Option<String>,
    /// The rows that have it, in their order; none for a problem of the whole file.
    pub(crate) rows: Vec<u64>,
    /// The column; none for a problem of the whole row.
    pub(crate) column: Option<ProblemColumn>,
    /// What was found, and what is allowed.
    pub(crate) what: String,
}

/// A column that has a problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProblemColumn {
    /// Counted from 0; none for one that the file doesn't have.
    pub(crate) place: Option<usize>,
    /// The column's name, or its heading.
    pub(crate) name: String,
}

impl ProblemColumn {
    /// A column by its heading.
    pub(super) fn of_heading(place: usize, heading: &str) -> Self {
        Self { place: Some(place), name: heading.to_owned() }
    }
}

/// `value (D)`.
impl fmt::Display for ProblemColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.place.map(column_letters);
        match (self.name.as_str(), letters) {
            ("", Some(letters)) => f.write_str(&letters),
            (name, Some(letters)) => write!(f, "{name} ({letters})"),
            (name, None) => f.write_str(name),
        }
    }
}

impl Problem {
    /// A problem of a table.
    pub(super) fn new(table: &Table, rows: Vec<u64>, column: Option<ProblemColumn>, what: impl fmt::Display) -> Self {
        Self { sheet: table.sheet.clone(), rows, column, what: what.to_string() }
    }

    /// A problem of the whole file, or of how it is to be read.
    pub(crate) fn of_file(what: impl fmt::Display) -> Self {
        Self { sheet: None, rows: Vec::new(), column: None, what: what.to_string() }
    }

    /// The sheet, the rows and the column.
    pub(crate) fn location(&self) -> String {
        let sheet = self.sheet.as_ref().map(|sheet| format!("sheet {}", Quoted(sheet)));
        let rows = (!self.rows.is_empty()).then(|| listed(&self.rows));
        let column = self.column.as_ref().map(|column| format!("column {column}"));
        sheet.into_iter().chain(rows).chain(column).collect::<Vec<_>>().join(", ")
    }
}

/// `row 3, column value (D): found …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location() {
            location if location.is_empty() => f.write_str(&self.what),
            location => write!(f, "{location}: {}", self.what),
        }
    }
}

/// Rows for a sentence, at most ten of them; rows that follow each other as a span.
pub(crate) fn listed(rows: &[u64]) -> String {
    const SHOWN_MAX: usize = 10;
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for row in rows {
        match spans.last_mut() {
            Some((_, last)) if *row == *last + 1 => *last = *row,
            Some((_, last)) if *row == *last => {}
            _ => spans.push((*row, *row)),
        }
    }
    let text = |(first, last): &(u64, u64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    let shown = spans.iter().take(SHOWN_MAX).map(text).collect::<Vec<_>>().join(", ");
    let rest: u64 = spans.iter().skip(SHOWN_MAX).map(|(first, last)| last - first + 1).sum();
    match (rows, rest) {
        ([_], _) => format!("row {shown}"),
        (_, 0) => match shown.rsplit_once(", ") {
            Some((before, last)) => format!("rows {before} and {last}"),
            None => format!("rows {shown}"),
        },
        (_, rest) => format!("rows {shown} and {rest} more"),
    }
}

/// The problems by row, those that are the same in several rows as one.
pub(crate) fn grouped(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.rows.first().copied());
    let mut all: Vec<Problem> = Vec::new();
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for problem in problems {
        let key = (problem.sheet.clone(), problem.column.clone(), problem.what.clone());
        match places.get(&key) {
            Some(&at) => all[at].rows.extend(problem.rows),
            None => {
                places.insert(key, all.len());
                all.push(problem);
            }
        }
    }
    // Once: of a hundred thousand rows with one problem, each would be sorted in again.
    for problem in &mut all {
        problem.rows.sort_unstable();
        problem.rows.dedup();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_listed_as_people_would() {
        for (rows, expect) in [
            (vec![3], "row 3"),
            (vec![3, 4], "rows 3 and 4"),
            (vec![3, 4, 5], "rows 3 to 5"),
            (vec![3, 5, 6, 7, 9], "rows 3, 5 to 7 and 9"),
            ((0..15).map(|n| 2 * n + 1).collect(), "rows 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and 5 more"),
        ] {
            assert_eq!(listed(&rows), expect);
        }
    }

    #[test]
    fn the_same_in_several_rows_is_one_problem() {
        let problem = |row, what: &str| Problem { rows: vec![row], ..Problem::of_file(what) };
        let all = grouped(vec![problem(5, "a"), problem(3, "b"), problem(2, "a"), Problem::of_file("c")]);
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["c", "rows 2 and 5: a", "row 3: b"]);
    }
}

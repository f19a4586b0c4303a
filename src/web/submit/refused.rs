//! What is wrong with a file, at its sheets, rows and columns; and the file given back with that marked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::form::FieldProblem;
use crate::figures::Reading;
use crate::figures::marked;
use crate::figures::problem::{Problem, listed};
use crate::submitting::{Found, Sheet};

/// The most problems that are listed; the others are counted.
const PROBLEMS_SHOWN_MAX: usize = 1_000;
/// The most bytes of a workbook that is given back with the page.
const MARKED_BYTES_MAX: usize = 4 << 20;

/// What is wrong with a file.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) problems: Vec<Row>,
    /// How many there are in all.
    pub(super) count: usize,
    /// Whether some are of a sheet of a workbook.
    pub(super) has_sheets: bool,
    /// The sender's own rows as a workbook with each problem at its cell, as an address that holds it; empty for none.
    pub(super) marked: String,
    /// What is wrong with fields of the form.
    pub(super) of_form: Vec<FieldProblem>,
}

/// A problem, at one row or at several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) sheet: String,
    pub(super) rows: String,
    pub(super) column: String,
    pub(super) what: String,
}

impl Refused {
    /// What the file has, and what the service found in its figures.
    pub(super) fn of(sheet: &Sheet, found: &Found) -> Self {
        // What is of the form stands at its field.
        let (of_form, of_figures): (Vec<_>, Vec<_>) =
            found.listed.iter().cloned().partition(|(field, _)| label(field).is_some());
        let of_form =
            of_form.iter().map(|(field, what)| FieldProblem::new(field, label(field).unwrap_or_default(), what));
        let found = Found { listed: of_figures, ..*found };
        let (problems, omitted) = sheet.all_problems(&found);
        Self {
            problems: problems.iter().take(PROBLEMS_SHOWN_MAX).map(row).collect(),
            count: problems.len() + omitted,
            has_sheets: problems.iter().any(|problem| problem.sheet.is_some()),
            // Of what is wrong with the whole file no cell can be marked.
            marked: if problems.iter().any(|problem| !problem.rows.is_empty()) {
                marked(&sheet.reading, &problems).unwrap_or_default()
            } else {
                String::new()
            },
            of_form: of_form.collect(),
        }
    }

    /// How many aren't listed.
    pub(super) fn omitted(&self) -> usize {
        self.count - self.problems.len()
    }
}

/// What a field of a submission is called in the form; none for those that the file has.
fn label(field: &str) -> Option<&'static str> {
    match field {
        "agency" => Some("Agency"),
        "reason" => Some("Reason"),
        "source" => Some("Source"),
        _ => None,
    }
}

fn row(problem: &Problem) -> Row {
    let rows = if problem.rows.is_empty() { String::new() } else { listed(&problem.rows) };
    Row {
        sheet: problem.sheet.clone().unwrap_or_default(),
        rows: rows.trim_start_matches("rows ").trim_start_matches("row ").to_owned(),
        column: problem.column.as_ref().map(ToString::to_string).unwrap_or_default(),
        what: problem.what.clone(),
    }
}

/// The rows with the problems marked; none where they are too many to give back.
fn marked(reading: &Reading, problems: &[Problem]) -> Option<String> {
    let bytes = marked::workbook(reading, problems).ok().filter(|bytes| bytes.len() <= MARKED_BYTES_MAX)?;
    let media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    Some(format!("data:{media_type};base64,{}", STANDARD.encode(bytes)))
}

//! What goes with a file: the fields of the form, and what is wrong with them.

use std::fmt;

use super::upload::Upload;
use crate::figures::table::COLUMNS_MAX;
use crate::figures::{DatesAre, Field, Layout};
use crate::model::violation::Quoted;
use crate::submitting::Selection;
use crate::submitting::selection::named_column;

/// The fields of the form, but for the files.
#[derive(Debug, Default, Clone)]
pub(super) struct Form {
    pub(super) reason: String,
    pub(super) source: String,
    pub(super) sample: bool,
    pub(super) mapping: String,
    pub(super) sheet: String,
    pub(super) dates: String,
    pub(super) report: String,
    /// `NAME=HEADING`, each on a line.
    pub(super) columns: String,
    /// Headings, each on a line.
    pub(super) ignored_columns: String,
    pub(super) skip_empty: bool,
    pub(super) skip_other_agencies: bool,
    pub(super) percentages_as_given: bool,
}

/// Something wrong with a field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldProblem {
    /// Where it is on the page; empty for the whole form.
    pub(super) id: String,
    /// What the field is called there.
    pub(super) label: String,
    pub(super) what: String,
}

impl FieldProblem {
    pub(super) fn new(id: &str, label: &str, what: &dyn fmt::Display) -> Self {
        Self { id: id.to_owned(), label: label.to_owned(), what: what.to_string() }
    }
}

impl Form {
    /// The fields as they were sent.
    pub(super) fn of(upload: &Upload) -> Self {
        let text = |name: &str| upload.text(name).to_owned();
        Self {
            reason: text("reason"),
            source: text("source"),
            sample: upload.is_ticked("sample"),
            mapping: upload.mapping.clone(),
            sheet: text("sheet"),
            dates: text("dates"),
            report: text("report"),
            columns: text("columns"),
            ignored_columns: text("ignored_columns"),
            skip_empty: upload.is_ticked("skip_empty"),
            skip_other_agencies: upload.is_ticked("skip_other_agencies"),
            percentages_as_given: upload.is_ticked("percentages_as_given"),
        }
    }

    /// Which rows of the file are submitted for an agency, and how it is laid out.
    ///
    /// # Errors
    /// Everything that is wrong with the fields that say so.
    pub(super) fn selection(&self, agency: &str) -> Result<Selection, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let mut layout = Layout::default();
        if !self.mapping.is_empty() {
            layout = Layout::of_mapping(&self.mapping).unwrap_or_else(|found| {
                problems.extend(found.iter().map(|problem| FieldProblem::new("mapping", "Mapping", problem)));
                Layout::default()
            });
        }
        if !self.sheet.is_empty() {
            layout.sheet = Some(self.sheet.clone());
        }
        for (field, label, text) in [
            ("columns", "What columns are called", &self.columns),
            ("ignored_columns", "Columns to leave out", &self.ignored_columns),
        ] {
            let found = lines(text).count();
            if found > COLUMNS_MAX {
                let what = format_args!("found {found} lines; allowed: at most {COLUMNS_MAX}");
                return Err(vec![FieldProblem::new(field, label, &what)]);
            }
        }
        for line in lines(&self.columns) {
            match named_column(line) {
                Ok((field, heading)) => drop::<Option<String>>(layout.columns.insert(field, heading)),
                Err(allowed) => problems.push(FieldProblem::new(
                    "columns",
                    "What columns are called",
                    &format_args!("found {}; {allowed}", Quoted(line)),
                )),
            }
        }
        layout.ignored_columns.extend(lines(&self.ignored_columns).map(str::to_owned));
        match self.dates.as_str() {
            "" => {}
            "months" => layout.dates = Some(DatesAre::Months),
            "days" => layout.dates = Some(DatesAre::Days),
            other => problems.push(FieldProblem::new(
                "dates",
                "Dates",
                &format_args!("found {}; allowed: months, days", Quoted(other)),
            )),
        }
        let selection = Selection {
            agency: agency.to_owned(),
            layout,
            skip_other_agencies: self.skip_other_agencies,
            skip_empty: self.skip_empty,
            report: Some(self.report.clone()).filter(|report| !report.is_empty()),
            percentages_as_given: self.percentages_as_given,
        };
        if problems.is_empty() { Ok(selection) } else { Err(problems) }
    }

    /// Whether anything is said of how the file is laid out.
    pub(super) fn is_layout_set(&self) -> bool {
        let texts = [&self.mapping, &self.sheet, &self.dates, &self.report, &self.columns, &self.ignored_columns];
        let boxes = [self.skip_empty, self.skip_other_agencies, self.percentages_as_given];
        texts.iter().any(|text| !text.is_empty()) || boxes.contains(&true)
    }

    /// The names that a column may be given.
    pub(super) fn column_names() -> String {
        Field::allowed()
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_reported_at_once() {
        let form = Form {
            mapping: "colums = 1".to_owned(),
            columns: "period=Month\r\nvalue".to_owned(),
            dates: "weeks".to_owned(),
            ..Form::default()
        };
        let problems = form.selection("a").unwrap_err();
        let lines = problems.iter().map(|it| format!("{} ({}): {}", it.label, it.id, it.what));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn the_fields_say_how_the_file_is_laid_out() {
        let form = Form {
            columns: "period=Month\r\n".to_owned(),
            ignored_columns: "Team\r\n F \r\n".to_owned(),
            sheet: "Return".to_owned(),
            dates: "months".to_owned(),
            skip_empty: true,
            ..Form::default()
        };
        let selection = form.selection("a").unwrap();
        assert_eq!(selection.layout.columns, [(Field::Period, "Month".to_owned())].into());
        assert_eq!(selection.layout.ignored_columns, ["Team", "F"]);
        assert_eq!(
            (selection.layout.sheet.as_deref(), selection.layout.dates),
            (Some("Return"), Some(DatesAre::Months))
        );
        assert_eq!((selection.skip_empty, selection.skip_other_agencies, selection.report), (true, false, None));
    }
}

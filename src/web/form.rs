//! A form that asks a question, and what is wrong with what was entered.

use tonic::Status;
use tonic_types::StatusExt as _;

use super::question::AsOf;

/// A form: its answer is at an address that has all of its fields.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// The path of the page that answers.
    pub(super) action: &'static str,
    pub(super) fields: Vec<Field>,
    /// What goes with the fields unseen.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// What the button says.
    pub(super) button: &'static str,
    pub(super) problems: Vec<Problem>,
}

/// A field, named as the parameter of the address.
#[derive(Debug, Default)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: String,
    pub(super) value: String,
    pub(super) input: Input,
    /// What is wrong with it; empty if nothing is.
    pub(super) problem: String,
}

/// How a field is filled in.
#[derive(Debug)]
pub(super) enum Input {
    /// With any text; some are offered.
    Text(Vec<Choice>),
    /// With one of some choices, by group.
    OneOf(Vec<Group>),
    /// With a tick.
    Box,
}

impl Default for Input {
    fn default() -> Self {
        Self::Text(Vec::new())
    }
}

/// Choices that belong together, under a label; without one they stand alone.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) choices: Vec<Choice>,
}

/// A value that a field may have, and what it is called.
#[derive(Debug, Default, Clone)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// A problem, and the field that has it; empty if none has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) field: &'static str,
    pub(super) what: String,
}

impl Form {
    /// The form with what a status says is wrong: each problem at its field.
    pub(super) fn refused(mut self, status: &Status) -> Self {
        let found = status.get_details_bad_request().map(|found| found.field_violations).unwrap_or_default();
        for violation in found {
            let name = parameter(&violation.field);
            match self.fields.iter_mut().find(|field| field.name == name) {
                Some(field) => {
                    let separator = if field.problem.is_empty() { "" } else { "; " };
                    field.problem = format!("{}{separator}{}", field.problem, violation.description);
                    let what = format!("{}: {}", field.label, violation.description);
                    self.problems.push(Problem { field: field.name, what });
                }
                None => {
                    let what = format!("{}: {}", violation.field, violation.description);
                    self.problems.push(Problem { field: "", what: what.trim_start_matches(": ").to_owned() });
                }
            }
        }
        if self.problems.is_empty() {
            self.problems.push(Problem { field: "", what: status.message().to_owned() });
        }
        self
    }
}

impl Field {
    pub(super) fn text(name: &'static str, label: &'static str, hint: impl Into<String>, value: String) -> Self {
        Self { name, label, hint: hint.into(), value, ..Self::default() }
    }

    /// The ids of what describes it.
    pub(super) fn described_by(&self) -> String {
        let parts = [(&self.hint, "hint"), (&self.problem, "problem")].into_iter().filter(|(text, _)| !text.is_empty());
        parts.map(|(_, part)| format!("{}-{part}", self.name)).collect::<Vec<_>>().join(" ")
    }

    /// The fields that ask as of when.
    pub(super) fn as_of(revision: String, instant: String) -> [Self; 2] {
        let newest = "Empty for the newest. To see what was known at a time:";
        [
            Self::text(AsOf::REVISION, "As of revision", format!("{newest} its number, such as 12"), revision),
            Self::text(AsOf::INSTANT, "Or as of an instant", "Such as 2022-09-30T17:00:00Z", instant),
        ]
    }
}

/// The parameter that becomes a field of a request.
fn parameter(field: &str) -> &str {
    match field {
        "as_of_time" => AsOf::INSTANT,
        "comparison" => "compare",
        "after_revision" => "after",
        "period_range.first" => "from",
        "period_range.last" => "to",
        _ => match field.split(['[', '.']).next().unwrap_or_default() {
            "areas" => "area",
            "agencies" => "agency",
            "indicators" => "indicator",
            "periods" => "period",
            "period_range" => "from",
            "group_by" => "by",
            other => other,
        },
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    #[test]
    fn a_problem_stands_at_the_field_that_has_it() {
        let fields = vec![
            Field::text("period", "Period", "", String::new()),
            Field::text("as_of", "As of", "", String::new()),
            Field::text("area", "Area", "", String::new()),
        ];
        let problem = |field: &str, what: &str| FieldViolation::new(field, what);
        let details = ErrorDetails::with_bad_request(vec![
            problem("period", "is ambiguous"),
            problem("as_of_time", "is in the future"),
            problem("areas[0]", "isn't known"),
            problem("areas[1]", "isn't known either"),
            problem("aera", "this page has no such parameter"),
            problem("", "there is more"),
        ]);
        let status = Status::with_error_details(tonic::Code::InvalidArgument, "wrong", details);
        let form = Form { fields, ..Form::default() }.refused(&status);
        let of_fields: Vec<&str> = form.fields.iter().map(|field| field.problem.as_str()).collect();
        assert_eq!(of_fields, ["is ambiguous", "is in the future", "isn't known; isn't known either"]);
        let all: Vec<String> =
            form.problems.iter().map(|problem| format!("{}|{}", problem.field, problem.what)).collect();
        assert_eq!(
            all,
            [
                "period|Period: is ambiguous",
                "as_of|As of: is in the future",
                "area|Area: isn't known",
                "area|Area: isn't known either",
                "|aera: this page has no such parameter",
                "|there is more",
            ]
        );
    }
}

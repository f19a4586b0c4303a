//! Which lines of a log somebody looks for.

use super::line::{Event, NumberedLine};
use crate::model::timestamp::Timestamp;

/// The fields of a question that name areas, within whichever other.
const AREA_FIELDS: [&str; 3] = ["area", "areas", "benchmark_areas"];
/// What an abridged list has for what is left out.
const LEFT_OUT: &str = "…";

/// What a line must have; what isn't set, any has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// The identity, by id.
    pub(crate) identity: Option<String>,
    /// The method, by its name or its whole path.
    pub(crate) method: Option<String>,
    /// An area that the question names, by its code. A list of areas that is abridged in its line may name it.
    pub(crate) area: Option<String>,
    pub(crate) event: Option<Event>,
    /// A refusal, or a count of them.
    pub(crate) is_refusal: bool,
    /// A part of the purpose, in capitals or not.
    pub(crate) purpose: Option<String>,
    /// The earliest time.
    pub(crate) since: Option<Timestamp>,
    /// The time that it is before.
    pub(crate) until: Option<Timestamp>,
}

impl Filter {
    /// Whether a line has all of it.
    pub(crate) fn matches(&self, numbered: &NumberedLine) -> bool {
        let line = &numbered.line;
        let is_method = |method: &String| line.method == *method || line.method.rsplit('/').next() == Some(method);
        let is_purpose = |purpose: &String| line.purpose.to_lowercase().contains(&purpose.to_lowercase());
        (line.event.is_refusal() || !self.is_refusal)
            && self.event.is_none_or(|event| line.event == event)
            && self.identity.as_ref().is_none_or(|identity| line.identity == *identity)
            && self.method.as_ref().is_none_or(is_method)
            && self.purpose.as_ref().is_none_or(is_purpose)
            && self.area.as_ref().is_none_or(|area| names_area(&line.scope, area))
            && (self.since.is_none() && self.until.is_none() || numbered.at().is_some_and(|at| self.is_within(at)))
    }

    fn is_within(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// Whether a question in words names an area, or has a list of areas of which some are left out.
fn names_area(scope: &str, area: &str) -> bool {
    let quoted = format!("{area:?}");
    let is_it = |(field, value): (&str, &str)| {
        AREA_FIELDS.contains(&field) && (value == area || value == quoted || value == LEFT_OUT)
    };
    values(scope).into_iter().any(is_it)
}

/// The values in a question in words, each with its field: `area=E10000014 query=(areas=E1,"a b")`.
fn values(scope: &str) -> Vec<(&str, &str)> {
    let mut values = Vec::new();
    let (mut field, mut start) = ("", 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in scope.char_indices().chain([(scope.len(), ')')]) {
        if is_quoted && at < scope.len() {
            is_quoted = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '"' => is_quoted = true,
            '=' => (field, start) = (&scope[start..at], at + 1),
            ',' | ' ' | '(' | ')' => {
                if at > start {
                    values.push((field, &scope[start..at]));
                }
                if c != ',' {
                    field = "";
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::line::Line;
    use super::*;

    #[test]
    fn an_area_is_found_by_its_code_wherever_a_question_names_it_and_no_longer_code_is() {
        let names = |scope| names_area(scope, "E1000001");
        for scope in [
            "area=E1000001 period=FY2021-22",
            "indicators=contacts areas=E2,E1000001,E3",
            "query=(areas=E2 benchmark_areas=E1000001)",
            "picture=(area=\"E1000001\")",
            "areas=E2,E3,… and 40 more periods=2022-01",
        ] {
            assert!(names(scope), "{scope}");
        }
        for scope in [
            "",
            "area=E10000014 period=FY2021-22",
            "areas=E10000014,E100000",
            "indicators=E1000001",
            "purpose=\"areas=E1000001 \\\" area=E1000001\"",
            "request_id=\"E1000001\" area=E2",
            "areas=E2 periods=2022-01,… and 40 more",
        ] {
            assert!(!names(scope), "{scope}");
        }
    }

    #[test]
    fn a_line_has_all_that_is_looked_for() {
        let line = Line {
            identity: "ann".to_owned(),
            method: "/conspectus.v1.PictureService/GetPicture".to_owned(),
            purpose: "The annual Report".to_owned(),
            scope: "area=E1".to_owned(),
            ..Line::without_call(Event::Read, String::new())
        };
        let line = NumberedLine { n: 1, at: "2026-03-31T23:59:59Z".to_owned(), line };
        let some = |text: &str| Some(text.to_owned());
        let april = Timestamp(1_775_001_600_000_000);
        let whole = Filter {
            identity: some("ann"),
            method: some("GetPicture"),
            area: some("E1"),
            event: Some(Event::Read),
            purpose: some("annual report"),
            since: Some(Timestamp(april.0 - 1_000_000)),
            until: Some(april),
            is_refusal: false,
        };
        assert!(whole.matches(&line) && Filter::default().matches(&line));
        for other in [
            Filter { identity: some("an"), ..whole.clone() },
            Filter { method: some("Picture"), ..whole.clone() },
            Filter { area: some("E"), ..whole.clone() },
            Filter { event: Some(Event::Keys), ..whole.clone() },
            Filter { purpose: some("monthly"), ..whole.clone() },
            Filter { since: Some(april), ..whole.clone() },
            Filter { until: Some(Timestamp(april.0 - 1_000_000)), ..whole.clone() },
            Filter { is_refusal: true, ..whole },
        ] {
            assert!(!other.matches(&line), "{other:?}");
        }
    }
}

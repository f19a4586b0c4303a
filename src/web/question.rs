//! Addresses are questions: what one asks is read here, and links to others are written.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::request;
use serde::de::DeserializeOwned;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::refusal::Refusal;
use crate::catalogue::suggest::did_you_mean;
use crate::model::nearest::nearest;
use crate::model::violation::Violations;
use crate::rpc::proto::CategoryRef;
use crate::rpc::{REQUEST_BYTES_MAX, invalid};
use crate::wording::instant;

/// The parameters of a page that has few: the fields of a type, which refuses unknown ones.
#[derive(Debug)]
pub(super) struct Known<T>(pub(super) T);

impl<T: DeserializeOwned> Known<T> {
    /// Those of an address.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Status> {
        let mut problems = Violations::default();
        match problems.check("", serde_urlencoded::from_str(query.unwrap_or_default())) {
            Some(parameters) => Ok(Self(parameters)),
            None => Err(invalid(&problems, REQUEST_BYTES_MAX)),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Known<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self::read(parts.uri.query())?)
    }
}

/// The parameters of an address. One that is empty isn't there: a form sends all of its fields.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    given: Vec<(String, String)>,
    problems: Violations,
}

impl Parameters {
    /// Those of a page that has these and no others. One that is misspelt would silently not be asked for, and so it is a
    /// problem, as is one that is there twice.
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Self {
        let mut parameters = Self::default();
        let pairs = serde_urlencoded::from_str::<Vec<(Cow<'_, str>, Cow<'_, str>)>>(query.unwrap_or_default());
        let pairs = parameters.problems.check("", pairs).unwrap_or_default();
        for (name, value) in &pairs {
            let (name, value) = (name.trim(), value.trim());
            if !known.contains(&name) {
                let meant = did_you_mean(nearest(name, known.iter().copied()));
                parameters.problems.add(name, format_args!("this page has no such parameter{meant}"));
            } else if !value.is_empty() && !parameters.text(name).is_empty() {
                parameters.problems.add(name, "found more than one; allowed: one");
            } else if !value.is_empty() {
                parameters.given.push((name.to_owned(), value.to_owned()));
            }
        }
        parameters
    }

    /// The value of a parameter; empty if it isn't there.
    pub(super) fn text(&self, name: &str) -> String {
        let found = self.given.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The values of one that has several, with commas between.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    }

    /// One of some texts, which stand for something else; its own default if it isn't there.
    pub(super) fn choice<T: Default + Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> T {
        let text = self.text(name);
        if text.is_empty() {
            return T::default();
        }
        let found = choices.iter().find(|(choice, _)| *choice == text);
        found.map(|(_, meant)| *meant).unwrap_or_else(|| {
            let allowed: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            self.problems.add(name, format_args!("found `{text}`; allowed: {}", allowed.join(", ")));
            T::default()
        })
    }

    /// Whether something is asked for: `1`, as a box sends it that is ticked.
    pub(super) fn is_set(&mut self, name: &str) -> bool {
        self.choice(name, &[("1", true), ("0", false)])
    }

    /// A breakdown, such as `sex:female,age-band:0-to-4`.
    pub(super) fn breakdown(&mut self) -> Vec<CategoryRef> {
        let categories = self.list("breakdown");
        let category = |text: String| match text.split_once([':', '=']) {
            Some((dimension, category)) => {
                CategoryRef { dimension: dimension.trim().to_owned(), category: category.trim().to_owned() }
            }
            None => {
                self.problems.add("breakdown", format_args!("found `{text}`; allowed: such as sex:female"));
                CategoryRef::default()
            }
        };
        categories.into_iter().map(category).collect()
    }

    /// As of when.
    pub(super) fn as_of(&mut self) -> AsOf {
        let (revision, time) = (self.text(AsOf::REVISION), self.text(AsOf::INSTANT));
        AsOf::read(&revision, &time, &mut self.problems)
    }

    /// When what is asked for begins or ends; none if it isn't there.
    pub(super) fn bound(&mut self, name: &str) -> Option<prost_types::Timestamp> {
        let text = Some(self.text(name)).filter(|text| !text.is_empty())?;
        let found = instant::parse_bound(&text).map_err(|allowed| format!("found `{text}`; {allowed}"));
        self.problems.check(name, found)
    }

    /// Notes a problem of a parameter.
    pub(super) fn add(&mut self, name: &str, what: &str) {
        self.problems.add(name, what);
    }

    /// The answer to what was read, or every problem: those of the address together with those of the answer.
    ///
    /// # Errors
    /// Every problem; or why there is no answer, whatever is asked.
    pub(super) fn with_those_of<T>(&self, answer: Result<T, Status>) -> Result<T, Status> {
        let status = match answer {
            Ok(answer) => return self.check().map(|()| answer),
            Err(status) => status,
        };
        if status.code() != Code::InvalidArgument || self.problems.is_empty() {
            return Err(status);
        }
        let mut problems = self.problems.clone();
        for violation in status.get_details_bad_request().map(|found| found.field_violations).unwrap_or_default() {
            problems.add(violation.field, violation.description);
        }
        Err(invalid(&problems, REQUEST_BYTES_MAX))
    }

    /// Whether nothing is wrong with what was read.
    ///
    /// # Errors
    /// Every problem.
    pub(super) fn check(&self) -> Result<(), Status> {
        if self.problems.is_empty() { Ok(()) } else { Err(invalid(&self.problems, REQUEST_BYTES_MAX)) }
    }
}

/// As of which revision or instant; of the newest and now, if neither.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AsOf {
    pub(super) revision: i64,
    pub(super) time: Option<prost_types::Timestamp>,
}

impl AsOf {
    pub(super) const REVISION: &str = "as_of_revision";
    pub(super) const INSTANT: &str = "as_of";

    /// Reads the two parameters, which may be empty, and notes what is wrong with them.
    pub(super) fn read(revision: &str, time: &str, problems: &mut Violations) -> Self {
        let revision = match revision.trim() {
            "" => 0,
            text => text.parse().ok().filter(|revision| *revision > 0).unwrap_or_else(|| {
                problems.add(Self::REVISION, format_args!("found `{text}`; allowed: a whole number above 0"));
                0
            }),
        };
        let time = match time.trim() {
            "" => None,
            text => match instant::parse(text) {
                Ok(time) => Some(time),
                Err(allowed) => {
                    problems.add(Self::INSTANT, format_args!("found `{text}`; {allowed}"));
                    None
                }
            },
        };
        Self { revision, time }
    }

    pub(super) fn is_newest(&self) -> bool {
        self.revision == 0 && self.time.is_none()
    }
}

/// A link to a page, with the question that it asks.
#[derive(Debug, Clone)]
pub(super) struct Address {
    path: &'static str,
    parameters: Vec<(&'static str, String)>,
}

impl Address {
    pub(super) fn of(path: &'static str) -> Self {
        Self { path, parameters: Vec::new() }
    }

    /// The same that also has a parameter, unless that is empty.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.parameters.push((name, value));
        }
        self
    }

    pub(super) fn with_as_of(self, as_of: &AsOf) -> Self {
        let revision = if as_of.revision == 0 { String::new() } else { as_of.revision.to_string() };
        let time = as_of.time.as_ref().map(ToString::to_string).unwrap_or_default();
        self.with(AsOf::REVISION, revision).with(AsOf::INSTANT, time)
    }

    /// The same answer as files: the name of each form, and its address.
    pub(super) fn files(&self) -> Vec<FileLink> {
        [("CSV", ".csv"), ("Excel", ".xlsx"), ("JSON", ".json")].map(|(name, ending)| (name, self.text(ending))).into()
    }

    /// The address.
    pub(super) fn href(&self) -> String {
        self.text("")
    }

    fn text(&self, ending: &str) -> String {
        // Texts alone can always be written.
        let query = serde_urlencoded::to_string(&self.parameters).unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{ending}{mark}{query}", self.path)
    }
}

/// The name of a file's form, and where it is.
pub(super) type FileLink = (&'static str, String);

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["area", "period", "indicator", "as_of_revision", "as_of"];

    #[test]
    fn what_a_form_leaves_empty_is_not_asked_for() {
        let mut parameters = Parameters::read(Some("area=E1&period=&as_of_revision=&as_of=&indicator=a,+b,"), &KNOWN);
        assert_eq!((parameters.text("area"), parameters.text("period")), ("E1".to_owned(), String::new()));
        assert_eq!(parameters.list("indicator"), ["a", "b"]);
        assert!(parameters.as_of().is_newest());
        assert!(parameters.check().is_ok());
    }

    #[test]
    fn every_problem_of_an_address_is_found_at_once() {
        let query = "aera=E1&period=a&period=b&as_of_revision=-1&as_of=2022-09-30";
        let mut parameters = Parameters::read(Some(query), &KNOWN);
        parameters.as_of();
        let problems = parameters.check().unwrap_err().get_details_bad_request().unwrap().field_violations;
        let problems: Vec<String> =
            problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.description)).collect();
        insta::assert_snapshot!(problems.join("\n"));
    }

    #[test]
    fn a_link_carries_the_whole_question() {
        let time = "2022-09-30T17:00:00Z".parse().ok();
        let address = Address::of("/explain").with("area", "a b&<").with("agency", "");
        assert_eq!(address.href(), "/explain?area=a+b%26%3C");
        let as_of = AsOf { revision: 0, time };
        assert_eq!(
            address.with_as_of(&as_of).files()[2],
            ("JSON", "/explain.json?area=a+b%26%3C&as_of=2022-09-30T17%3A00%3A00Z".to_owned())
        );
        assert_eq!(Address::of("/picture").files()[0], ("CSV", "/picture.csv".to_owned()));
    }
}

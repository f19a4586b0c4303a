//! The parameters of an address, taken one after the other by whoever knows them. What is wrong with one is noted and the
//! others are read on; at the end those are wrong that nobody took.

use std::fmt::Display;

use prost_types::Timestamp;

use crate::catalogue::suggest::did_you_mean;
use crate::model::nearest::nearest;
use crate::model::violation::{Quoted, Violations};
use crate::wording::instant;

/// Names of parameters in which a key would be sent.
const SECRETS: [&str; 10] = [
    "key",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "token",
    "access_token",
    "authorization",
    "password",
    "secret",
];

/// A parameter that is known, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Parameter {
    pub(in crate::http) name: &'static str,
    pub(in crate::http) takes: Takes,
}

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Takes {
    Text,
    Texts,
    /// A whole number, 0 or more.
    Number,
    Instant,
    OneOf(Vec<String>),
    SomeOf(Vec<String>),
}

impl Takes {
    fn texts<T>(choices: &[(&str, T)]) -> Vec<String> {
        choices.iter().map(|(text, _)| (*text).to_owned()).collect()
    }
}

/// The parameters of an address, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Parameters {
    /// Those that nobody took yet, in the address's order.
    given: Vec<(String, String)>,
    /// Those that were asked for.
    known: Vec<Parameter>,
    problems: Violations,
}

impl Parameters {
    /// Those of the query of an address: what follows its question mark.
    pub(super) fn of(query: &str) -> Self {
        let mut problems = Violations::default();
        let given: Vec<(String, String)> = problems.check("", serde_urlencoded::from_str(query)).unwrap_or_default();
        let (secret, given) = given.into_iter().partition(|(name, _)| SECRETS.contains(&&*name.to_lowercase()));
        let secret: Vec<(String, String)> = secret;
        for (name, _) in &secret {
            problems.add(
                name,
                "an address ends up in logs and histories, so no key is taken from it, and this one should be replaced; \
                 allowed: the header `Authorization: Bearer …`, or HTTP Basic with the key as the password",
            );
        }
        Self { given, known: Vec::new(), problems }
    }

    /// The values of a parameter that may be given several times, or with several values separated by commas.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<String> {
        self.several(name, Takes::Texts)
    }

    fn several(&mut self, name: &'static str, takes: Takes) -> Vec<String> {
        let given = self.take(name, takes);
        let values: Vec<String> =
            given.iter().flat_map(|value| value.split(',')).map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            self.problems.add(name, "found nothing; allowed: a value, or no such parameter");
        }
        values.into_iter().filter(|value| !value.is_empty()).collect()
    }

    /// The value of a parameter that may be given once.
    pub(super) fn one(&mut self, name: &'static str) -> Option<String> {
        self.single(name, Takes::Text)
    }

    fn single(&mut self, name: &'static str, takes: Takes) -> Option<String> {
        let given = self.take(name, takes);
        if given.len() > 1 {
            self.problems.add(name, format_args!("found it {} times; allowed: once", given.len()));
        }
        let value = given.into_iter().next()?;
        if value.trim().is_empty() {
            self.problems.add(name, "found nothing; allowed: a value, or no such parameter");
            return None;
        }
        Some(value.trim().to_owned())
    }

    /// An instant.
    pub(super) fn instant(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.single(name, Takes::Instant)?;
        let wrong = |allowed| format!("found {}; {allowed}; in an address, %2B for +", Quoted(&text));
        instant::parse(&text).map_err(|allowed| self.problem(name, wrong(allowed))).ok()
    }

    /// A whole number, 0 where it isn't given.
    pub(super) fn number(&mut self, name: &'static str) -> i64 {
        let Some(value) = self.single(name, Takes::Number) else { return 0 };
        value.parse().ok().filter(|number| *number >= 0).unwrap_or_else(|| {
            self.problems.add(name, format_args!("found {}; allowed: a whole number, 0 or more", Quoted(&value)));
            0
        })
    }

    /// Yes or no; no where it isn't given.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.choice(name, &[("1", true), ("true", true), ("0", false), ("false", false)]).unwrap_or(false)
    }

    /// One of some values by their texts.
    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.single(name, Takes::OneOf(Takes::texts(choices)))?;
        self.chosen(name, &value, choices)
    }

    /// Some of some values by their texts.
    pub(super) fn choices<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Vec<T> {
        let values = self.several(name, Takes::SomeOf(Takes::texts(choices)));
        values.iter().filter_map(|value| self.chosen(name, value, choices)).collect()
    }

    fn chosen<T: Copy>(&mut self, name: &str, value: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(text, _)| *text == value).map(|(_, choice)| *choice);
        if found.is_none() {
            let allowed: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
            let meant = did_you_mean(nearest(value, allowed.iter().copied()));
            let what = format!("found {}; allowed: {}{meant}", Quoted(value), allowed.join(", "));
            self.problems.add(name, what);
        }
        found
    }

    /// Notes what else is wrong with a parameter.
    pub(super) fn problem(&mut self, name: &str, what: impl Display) {
        self.problems.add(name, what);
    }

    /// All that are known, once those are asked for that there are.
    pub(super) fn known(self) -> Vec<Parameter> {
        self.known
    }

    /// Everything that is wrong, once all that is known was taken: whatever is left isn't known.
    pub(super) fn problems(mut self) -> Violations {
        let known: Vec<&str> = self.known.iter().map(|parameter| parameter.name).collect();
        for (name, _) in &self.given {
            let meant = nearest(name, known.iter().copied());
            let what = match meant {
                Some(_) => format!("there is no such parameter{}", did_you_mean(meant)),
                None => format!("there is no such parameter; allowed: {}", known.join(", ")),
            };
            self.problems.add(name, what);
        }
        self.problems
    }

    fn take(&mut self, name: &'static str, takes: Takes) -> Vec<String> {
        self.known.push(Parameter { name, takes });
        self.given.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(parameters: Parameters) -> String {
        parameters.problems().iter().map(|problem| format!("{problem}\n")).collect()
    }

    #[test]
    fn a_list_is_repeated_or_separated_by_commas() {
        let mut parameters = Parameters::of("area=E1,E2&by=area&area=E3&period=Apr-Jun+2021&rate=1");
        assert_eq!(parameters.list("area"), ["E1", "E2", "E3"]);
        assert_eq!(parameters.list("period"), ["Apr-Jun 2021"]);
        assert_eq!(parameters.choices("by", &[("area", 1), ("agency", 2)]), [1]);
        assert!(parameters.flag("rate"));
        assert_eq!((parameters.number("after"), parameters.one("bom")), (0, None));
        assert_eq!(problems(parameters), "");
    }

    #[test]
    fn every_problem_is_found_at_once() {
        let mut parameters = Parameters::of(
            "area=&aera=E1&rate=yes&after=-1&compare=last&compare=none&by=are,agency&other=1&key=cps_secret&Token=x",
        );
        assert_eq!(parameters.list("area"), Vec::<String>::new());
        assert!(!parameters.flag("rate"));
        assert_eq!(parameters.number("after"), 0);
        parameters.choice("compare", &[("previous", 1), ("none", 2)]);
        parameters.choices("by", &[("area", 1), ("agency", 2)]);
        let problems = problems(parameters);
        assert!(!problems.contains("cps_secret"), "{problems}");
        insta::assert_snapshot!(problems);
    }
}

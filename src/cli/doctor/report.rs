//! What the checks found.

use serde::Serialize;

use super::super::failure::{Exit, Failure};
use super::super::next_step::NextStep;
use super::super::printout::Printout;
use super::super::table::{Align, Cell, Table};
use crate::model::text::visible_json;

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Failed,
    /// It has nothing to check, or the check before it that it needs has failed.
    Skipped,
}

/// A check that was made, or skipped.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    outcome: Outcome,
    /// What was found, or why nothing was.
    found: String,
    /// What to type next.
    #[serde(rename = "try", skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
}

/// The checks that were made, in order.
#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<Check>,
    /// The first that failed, and the status that it ends the program with.
    failed: Option<(&'static str, Exit)>,
}

impl Report {
    /// Notes what a check found; gives what the next checks need of it.
    pub(super) fn note<T>(&mut self, check: &'static str, result: Result<(T, String), Failure>) -> Option<T> {
        let (exit, message) = match result {
            Ok((value, found)) => {
                self.add(check, Outcome::Ok, found, Vec::new());
                return Some(value);
            }
            Err(Failure::Message(exit, message)) => (exit, message),
            Err(Failure::OutputClosed) => (Exit::Failed, "nobody reads what it says".to_owned()),
        };
        self.failed.get_or_insert((check, exit));
        let mut lines = message.split(NextStep::LINE);
        let found = lines.next().unwrap_or_default().to_owned();
        self.add(check, Outcome::Failed, found, lines.map(str::to_owned).collect());
        None
    }

    /// Notes that a check has nothing to check.
    pub(super) fn skip(&mut self, check: &'static str, why: impl Into<String>) {
        self.add(check, Outcome::Skipped, why.into(), Vec::new());
    }

    /// Notes that the others of all these checks need the one that was made last, and has failed.
    pub(super) fn skip_others(&mut self, all: &[&'static str]) {
        let last = self.checks.last().map_or("", |last| last.check);
        for check in &all[self.count()..] {
            self.skip(check, format!("needs {last}"));
        }
    }

    /// How many checks were made or skipped.
    pub(super) fn count(&self) -> usize {
        self.checks.len()
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, found: String, steps: Vec<String>) {
        self.checks.push(Check { check, outcome, found, steps });
    }

    /// A line for each check, for people.
    pub(super) fn printout(&self) -> Printout {
        let mut table = Table::new([("check", Align::Left), ("outcome", Align::Left), ("found", Align::Left)]);
        for Check { check, outcome, found, steps } in &self.checks {
            let word = match outcome {
                Outcome::Ok => Cell::from("ok".to_owned()),
                Outcome::Failed => Cell::needing_care("failed".to_owned()),
                Outcome::Skipped => Cell::from("skipped".to_owned()),
            };
            table.push([Cell::from((*check).to_owned()), word, Cell::from(found.clone())]);
            for step in steps {
                table.push([Cell::default(), Cell::default(), Cell::from(format!("Try: {step}"))]);
            }
        }
        Printout::default().table(table)
    }

    /// The same, for programs.
    pub(super) fn json(&self) -> Result<String, Failure> {
        Ok(visible_json(&serde_json::to_string_pretty(&self.checks)?).into_owned())
    }

    /// Whether all that was checked is well.
    pub(super) fn result(&self) -> Result<(), Failure> {
        match self.failed {
            None => Ok(()),
            Some((check, exit)) => Err(Failure::Message(exit, format!("the check `{check}` failed"))),
        }
    }
}

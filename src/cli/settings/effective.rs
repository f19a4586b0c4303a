//! Settings in effect: their values, where each is from, and what is wrong with what was given.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::super::failure::{Exit, Failure};
use super::definition::Definition;
use super::file::Place;

/// The settings that a running server takes up at SIGHUP.
pub(crate) const LIVE: [&str; 2] = ["calls-a-second", "log"];

/// Where a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Flag,
    Variable,
    File(Place),
    Default,
}

/// A setting in effect.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(super) definition: Definition,
    pub(super) values: Vec<OsString>,
    pub(super) origin: Origin,
}

impl Setting {
    pub(crate) fn name(&self) -> &str {
        self.definition.name()
    }

    /// Its values, as they would stand in a variable: none where there is no default, and several only of a list.
    pub(crate) fn values(&self) -> &[OsString] {
        &self.values
    }

    /// Its values in one text, unless they are secret; none where there are none.
    pub(crate) fn shown(&self) -> Option<String> {
        let texts: Vec<_> = self.values.iter().map(|value| value.to_string_lossy()).collect();
        match (texts.is_empty(), self.definition.is_secret()) {
            (true, _) => None,
            (false, true) => Some("(hidden)".to_owned()),
            (false, false) => Some(texts.join(",")),
        }
    }

    /// The file that is its value, where it has one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.values.first().filter(|_| self.definition.is_file()).map(Path::new)
    }

    pub(super) fn is_default(&self) -> bool {
        self.origin == Origin::Default
    }

    /// Its name as whoever gave it has written it.
    pub(super) fn given_as(&self) -> String {
        self.written_as(self.origin)
    }

    pub(super) fn written_as(&self, origin: Origin) -> String {
        match origin {
            Origin::Flag => format!("--{}", self.name()),
            Origin::Variable => self.definition.variable().to_owned(),
            Origin::File(_) | Origin::Default => self.name().to_owned(),
        }
    }
}

/// A setting that has changed.
#[derive(Debug)]
pub(crate) struct Change {
    /// Whether a running server takes it up.
    pub(crate) is_live: bool,
    /// What has changed, from what to what.
    pub(crate) text: String,
}

/// Something that is wrong with what was given.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    exit: Exit,
    pub(super) text: String,
}

impl Problem {
    /// Of a file, or anything else of this machine.
    pub(crate) fn of_machine(text: String) -> Self {
        Self { exit: Exit::Failed, text }
    }

    /// What a start would say.
    pub(crate) fn of_failure(failure: &Failure) -> Option<Self> {
        match failure {
            Failure::Message(exit, _) => Some(Self { exit: *exit, text: failure.in_a_line() }),
            Failure::OutputClosed => None,
        }
    }

    /// Of what was given.
    pub(super) fn of_setting(text: String) -> Self {
        Self { exit: Exit::Usage, text }
    }
}

/// The settings in effect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// What the command line gave.
    pub(super) flags: ArgMatches,
    pub(super) file: Option<PathBuf>,
    pub(super) all: Vec<Setting>,
    pub(super) problems: Vec<Problem>,
    /// Lines of the file that have no effect, in words.
    pub(super) overridden: Vec<String>,
}

impl Settings {
    /// The file that some of them may be from.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// All of them, in the order of their definitions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.all.iter()
    }

    /// The lines of the file that have no effect because a variable, which may be the service's own, goes before them.
    pub(crate) fn overridden(&self) -> &[String] {
        &self.overridden
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
        self.all.iter().find(|setting| setting.name() == name)
    }

    /// Where a setting's value is from: a flag, a variable, a line of the file, or `default`.
    pub(crate) fn source(&self, setting: &Setting) -> String {
        match setting.origin {
            Origin::Flag | Origin::Variable => setting.given_as(),
            Origin::File(place) => format!("{}:{}", self.file_name(), place.line),
            Origin::Default => "default".to_owned(),
        }
    }

    /// A setting's name as it was given, and where that is if it is in the file.
    pub(super) fn named(&self, setting: &Setting) -> String {
        match setting.origin {
            Origin::File(_) => format!("{} ({})", setting.name(), self.source(setting)),
            Origin::Flag | Origin::Variable | Origin::Default => setting.given_as(),
        }
    }

    /// A problem of a setting, which `what` names.
    pub(super) fn problem(&self, setting: &Setting, what: &str) -> Problem {
        Problem::of_setting(self.with_place(setting, what))
    }

    /// A problem of the file that is a setting's value.
    pub(crate) fn problem_of_file(&self, setting: &Setting, what: &str) -> Problem {
        Problem::of_machine(self.with_place(setting, &format!("{}: {what}", setting.given_as())))
    }

    /// What is said of a setting, after where it stands if that is in the file.
    fn with_place(&self, setting: &Setting, what: &str) -> String {
        match setting.origin {
            Origin::File(place) => format!("{}:{place}: {what}", self.file_name()),
            Origin::Flag | Origin::Variable | Origin::Default => what.to_owned(),
        }
    }

    fn file_name(&self) -> String {
        self.file().map(|file| file.display().to_string()).unwrap_or_default()
    }

    /// Everything that is wrong with what was given, and with what else was found.
    ///
    /// # Errors
    /// When anything is.
    pub(crate) fn check(&self, others: &[Problem]) -> Result<(), Failure> {
        let problems: Vec<&Problem> = self.problems.iter().chain(others).collect();
        let Some(first) = problems.first() else { return Ok(()) };
        let exit = problems.iter().map(|problem| problem.exit).find(|exit| *exit == Exit::Usage).unwrap_or(first.exit);
        let lines: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
        Err(Failure::Message(
            exit,
            match lines[..] {
                [one] => one.to_owned(),
                _ => format!("{} problems:\n  {}", lines.len(), lines.join("\n  ")),
            },
        ))
    }

    /// What differs in others.
    pub(crate) fn changes(&self, others: &Self) -> Vec<Change> {
        let pairs = self.all.iter().zip(&others.all).filter(|(from, to)| from.values != to.values);
        let shown = |setting: &Setting| setting.shown().unwrap_or_else(|| "nothing".to_owned());
        let change = |(from, to): (&Setting, &Setting)| {
            let text = format!("{} from {} to {}", from.name(), shown(from), shown(to));
            Change { is_live: LIVE.contains(&from.name()), text }
        };
        pairs.map(change).collect()
    }

    /// Takes up of others what a running server takes up.
    pub(crate) fn take_up(&mut self, others: &Self) {
        let pairs = self.all.iter_mut().zip(&others.all);
        pairs.filter(|(from, _)| LIVE.contains(&from.name())).for_each(|(from, to)| from.clone_from(to));
    }
}

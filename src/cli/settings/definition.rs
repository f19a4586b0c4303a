//! What settings there are, by the arguments of a command: their names, types, defaults and help.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};

use clap::builder::Str;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, ValueHint};

use crate::model::violation::Quoted;

/// A setting: an argument that has a variable too. One without is for a single start, such as `--demo`.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    argument: Arg,
    name: String,
    variable: String,
}

/// What a setting is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Text,
    Texts,
}

/// The argument that names the file: the file itself can't.
pub(crate) const FILE: &str = "config";

impl Definition {
    /// The settings of a command, in its order. Hidden arguments are none.
    pub(crate) fn all(command: &Command) -> Vec<Self> {
        let of = |argument: &Arg| {
            let (name, variable) = (argument.get_long()?, argument.get_env()?);
            let is_setting = name != FILE && !argument.is_hide_set();
            is_setting.then(|| Self {
                argument: argument.clone(),
                name: name.to_owned(),
                variable: variable.to_string_lossy().into_owned(),
            })
        };
        command.get_arguments().filter_map(of).collect()
    }

    /// Its name in a file, and after `--` as a flag.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its variable in the environment.
    pub(crate) fn variable(&self) -> &str {
        &self.variable
    }

    /// What clap knows it by.
    pub(crate) fn id(&self) -> &str {
        self.argument.get_id().as_str()
    }

    pub(crate) fn kind(&self) -> Kind {
        let holds = self.argument.get_value_parser().type_id();
        let integers = [
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i64>(),
        ];
        if matches!(self.argument.get_action(), ArgAction::Append) {
            Kind::Texts
        } else if holds == TypeId::of::<bool>() {
            Kind::Boolean
        } else if integers.iter().any(|integer| holds == *integer) {
            Kind::Integer
        } else {
            Kind::Text
        }
    }

    pub(crate) fn defaults(&self) -> Vec<OsString> {
        self.argument.get_default_values().iter().map(|value| value.as_os_str().to_owned()).collect()
    }

    /// What it is for, as `--help` says it.
    pub(crate) fn help(&self) -> String {
        let help = self.argument.get_long_help().or(self.argument.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }

    /// What stands for a value in its help.
    pub(crate) fn value_name(&self) -> &str {
        self.argument.get_value_names().and_then(<[Str]>::first).map_or("VALUE", Str::as_str)
    }

    /// Whether its value isn't to be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.argument.is_hide_env_values_set()
    }

    /// Whether its value is a file that is read.
    pub(crate) fn is_file(&self) -> bool {
        self.argument.get_value_hint() == ValueHint::FilePath
    }

    /// The values in a variable's text.
    pub(crate) fn values_of(&self, text: OsString) -> Vec<OsString> {
        match (self.argument.get_value_delimiter(), text.to_str()) {
            (Some(delimiter), Some(several)) => several.split(delimiter).map(OsString::from).collect(),
            (Some(_) | None, _) => vec![text],
        }
    }

    /// Why a value isn't one of this setting: what was found, and what would be accepted. None when it is one.
    pub(crate) fn refusal(&self, value: &OsStr) -> Option<String> {
        let mut flag = OsString::from(format!("--{}=", self.name));
        flag.push(value);
        // Only what the argument itself accepts: its relations to others are `relations`'.
        let alone = self.argument.clone().env(None);
        let error = Command::new("alone").no_binary_name(true).arg(alone).try_get_matches_from([flag]).err()?;
        let shown = if self.is_secret() { "a text".to_owned() } else { Quoted(&value.to_string_lossy()).to_string() };
        Some(self.reason(&error, &shown))
    }

    fn reason(&self, error: &clap::Error, shown: &str) -> String {
        if let Some(ContextValue::Strings(accepted)) = error.get(ContextKind::ValidValue)
            && !accepted.is_empty()
        {
            return format!("found {shown}; allowed: {}", accepted.join(" or "));
        }
        let reason = std::error::Error::source(error).map(ToString::to_string);
        match (error.kind(), reason) {
            // Many of our own types say it all themselves.
            (ErrorKind::ValueValidation, Some(reason)) if reason.contains("allowed: ") => reason,
            (ErrorKind::ValueValidation, Some(reason)) if reason.contains("expected ") => {
                format!("found {shown}: {reason}")
            }
            (ErrorKind::ValueValidation, Some(reason)) => match self.defaults().first() {
                Some(such) => format!("found {shown}: {reason}; allowed: such as {}", such.to_string_lossy()),
                None => format!("found {shown}: {reason}; allowed: {}", self.value_name()),
            },
            _ => format!("found {shown}; allowed: {}", self.value_name()),
        }
    }
}

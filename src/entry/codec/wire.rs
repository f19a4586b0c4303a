//! The messages of the format, and what reading any of them takes.

use std::fmt::Display;
use std::str::FromStr;

use crate::model::protobuf::Malformed;

#[allow(missing_docs, unreachable_pub, reason = "generated from proto/conspectus/journal/v1, where it is documented")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
pub(super) mod proto {
    include!(concat!(env!("OUT_DIR"), "/conspectus.journal.v1.rs"));
}

/// The bytes aren't an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of a known format: {0}")]
pub struct DecodeError(String);

impl DecodeError {
    pub(in crate::entry) fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> Self {
        Self::new(malformed)
    }
}

pub(super) fn texts<T: Display>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, DecodeError> {
    text.parse().map_err(DecodeError::new)
}

pub(super) fn parse_all<T: FromStr<Err: Display>>(texts: &[String]) -> Result<Vec<T>, DecodeError> {
    texts.iter().map(|text| parse(text)).collect()
}

/// The value of a code list's code.
pub(super) fn known<T>(what: &str, code: i32, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or_else(|| DecodeError::new(format!("an unknown {what}, {code}")))
}

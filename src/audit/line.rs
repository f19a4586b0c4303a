//! A line of the audit log, and how lines follow each other.
//!
//! A line is a JSON object whose last member is its `chain`: the hash of its text up to there, and of all lines before
//! it ([`AUDIT_LINES`]).

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::chain::{AUDIT_LINES, ChainHash};
use crate::model::timestamp::Timestamp;

/// The longest text of a line's scope.
const SCOPE_BYTES_MAX: usize = 1_000;
/// The longest line that is taken for one.
pub(super) const LINE_BYTES_MAX: u64 = 16 << 10;
const CHAIN_KEY: &str = ",\"chain\":\"";

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Unpublished figures were read.
    Read,
    /// A call was refused.
    Refused,
    /// Keys were changed.
    Keys,
    /// Further calls were refused in that second; `scope` says how many.
    RefusedMore,
    /// A line that was cut off when the machine stopped, and never acknowledged, was dropped; `scope`
    /// says how many bytes.
    Repaired,
}

/// A line, before it has its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub event: Event,
    /// The caller's identity; empty when it isn't known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// By what credential: the key's public name, or the certificate's URI.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credential: String,
    /// Where the call came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The method that was called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// What for, in the caller's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The revision of the answer, or of the change; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// `OK`, or the reason of the refusal.
    pub outcome: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A line with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedLine {
    /// Its number, from 1 without a gap.
    pub n: u64,
    /// When, as RFC 3339 has it.
    pub at: String,
    /// The line.
    #[serde(flatten)]
    pub line: Line,
}

impl Line {
    /// A line that no call is behind.
    pub(crate) fn without_call(event: Event, scope: String) -> Self {
        Self {
            event,
            identity: String::new(),
            credential: String::new(),
            address: String::new(),
            method: String::new(),
            scope,
            purpose: String::new(),
            revision: 0,
            outcome: "OK".to_owned(),
        }
    }
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTail {
    /// How many lines it has.
    pub n: u64,
    /// The last one's chain.
    pub chain: ChainHash,
}

impl LogTail {
    pub(super) const START: Self = Self { n: 0, chain: ChainHash::GENESIS };

    /// Adds a line to `text`, and returns where the log ends with it.
    pub(super) fn add(self, at: Timestamp, mut line: Line, text: &mut String) -> Self {
        truncate(&mut line.scope, SCOPE_BYTES_MAX);
        let n = self.n + 1;
        let numbered = NumberedLine { n, at: at.to_string(), line };
        let json = serde_json::to_string(&numbered).expect("texts and numbers make JSON");
        let json = json.trim_end_matches('}');
        let chain = AUDIT_LINES.next(self.chain, &[json.as_bytes()]);
        text.push_str(json);
        text.push_str(CHAIN_KEY);
        text.push_str(&chain.to_string());
        text.push_str("\"}\n");
        Self { n, chain }
    }

    /// Reads a line, of which nothing is known but that it may be the next, and returns it with where the log ends then.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn follow(self, line: &str) -> Result<(NumberedLine, Self), &'static str> {
        let (text, tail, numbered) = parse(line)?;
        if tail.n != self.n + 1 {
            return Err("lines are missing, or out of order");
        }
        if AUDIT_LINES.next(self.chain, &[text.as_bytes()]) != tail.chain {
            return Err("its chain doesn't follow from it and the lines before");
        }
        Ok((numbered, tail))
    }

    /// Reads a line, and where a log ends that ends with it, if it says the truth.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn read(line: &str) -> Result<(NumberedLine, Self), &'static str> {
        parse(line).map(|(_, tail, numbered)| (numbered, tail))
    }

    /// Where a log ends whose last line is this one, if it says the truth.
    pub(super) fn of_last(line: &str) -> Result<Self, &'static str> {
        parse(line).map(|(_, tail, _)| tail)
    }
}

/// Why the log can't be opened, or isn't what was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system reports an error.
    #[error("the audit log {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line isn't what was written.
    #[error("the audit log {} is not what was written, at line {n}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line.
        n: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A line's text up to its chain, and what both say.
fn parse(line: &str) -> Result<(&str, LogTail, NumberedLine), &'static str> {
    let (text, chain) = split_chain(line).ok_or("it has no chain")?;
    let numbered: NumberedLine = serde_json::from_str(&format!("{text}}}")).map_err(|_| "it can't be read")?;
    Ok((text, LogTail { n: numbered.n, chain }, numbered))
}

fn split_chain(line: &str) -> Option<(&str, ChainHash)> {
    let (text, rest) = line.rsplit_once(CHAIN_KEY)?;
    Some((text, ChainHash::parse(rest.strip_suffix("\"}")?)?))
}

fn truncate(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

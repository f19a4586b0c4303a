//! A line of the audit log, and how lines follow each other.
//!
//! A line is a JSON object whose last member is its `chain`: the hash of its text up to there, and of all lines before
//! it ([`AUDIT_LINES`]).

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::chain::{AUDIT_LINES, ChainHash};
use crate::model::timestamp::Timestamp;

/// The longest question that a line has whole: see [`Line::question`].
pub(crate) const SCOPE_BYTES_MAX: usize = 4_000;
/// The longest text of a line's scope; a question that is abridged to be in it is shorter.
const SCOPE_BYTES_CUT: usize = 12_000;
/// The longest line that is taken for one. In JSON a scope's quotes and backslashes are twice as long.
pub(super) const LINE_BYTES_MAX: u64 = 32 << 10;
const CHAIN_KEY: &str = ",\"chain\":\"";

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Unpublished figures were read, what an agency has submitted, or this log.
    Read,
    /// A call was refused.
    Refused,
    /// Keys were changed.
    Keys,
    /// Further calls of this caller were refused for this reason; `scope` says how many.
    RefusedMore,
    /// A line that was cut off when the machine stopped, and never acknowledged, was dropped; `scope`
    /// says how many bytes.
    Repaired,
    /// The first line of a file that goes on where another ended: `scope` is the name of that file where it was
    /// closed, and else says what was done to it.
    Continued,
    /// The first line of a file that goes on after the last line that the journal knows of: lines that it
    /// knows of are lost, as an operator accepted; `scope` says which.
    Lost,
    /// The journal is older than this log, as an operator accepted; `scope` says by how much.
    OlderJournal,
    /// The last line of a file that is full, or old enough; `scope` says what it is called from then on, and which line
    /// begins the next.
    Closed,
    /// The oldest files are deleted, by an operator's rule: `scope` says which lines they had, and the rule, and
    /// `previous` is the chain of the last of those lines.
    Pruned,
}

impl Event {
    /// Whether a line is about a refusal, or counts some.
    pub(crate) const fn is_refusal(self) -> bool {
        match self {
            Self::Refused | Self::RefusedMore => true,
            Self::Read
            | Self::Keys
            | Self::Repaired
            | Self::Continued
            | Self::Lost
            | Self::OlderJournal
            | Self::Closed
            | Self::Pruned => false,
        }
    }
}

/// A line, before it has its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub event: Event,
    /// The caller's identity; empty when it isn't known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// By what credential: the key's public name, the certificate's URI, or the subject of a sign-in and its issuer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credential: String,
    /// Where the call came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The method that was called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// What was asked for: the whole question, or one that is too long for a line abridged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Of an abridged question, the BLAKE3 of the whole one. If it was answered, a file of that name has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// What for, in the caller's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The revision of the answer, or of the change; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// `OK`, or the reason of the refusal.
    pub outcome: String,
    /// Of the first line of a file that goes on where another ended, the chain of the line before it; of a
    /// [`Pruned`](Event::Pruned) one, that of the last line that is deleted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub previous: String,
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
            question: String::new(),
            purpose: String::new(),
            revision: 0,
            outcome: "OK".to_owned(),
            previous: String::new(),
        }
    }

    /// That these lines are deleted, the last of which the log came to `end` with, by a rule in words.
    pub(super) fn of_pruned(
        (first, last): (u64, u64),
        (from, to): (Timestamp, Timestamp),
        rule: &str,
        end: LogTail,
    ) -> Self {
        let scope = format!("lines {first} to {last}, of {from} to {to}, are deleted: {rule}");
        Self { previous: end.chain.to_string(), ..Self::without_call(Event::Pruned, scope) }
    }
}

impl NumberedLine {
    /// When, to the second; none when that isn't a time.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.at.parse::<jiff::Timestamp>().ok()?.as_microsecond()))
    }

    /// Of the first line of a file that goes on where another ended, where that was.
    pub(super) fn before(&self) -> Option<LogTail> {
        let goes_on = match self.line.event {
            Event::Continued | Event::Lost => true,
            Event::Read
            | Event::Refused
            | Event::Keys
            | Event::RefusedMore
            | Event::Repaired
            | Event::OlderJournal
            | Event::Closed
            | Event::Pruned => false,
        };
        let chain = ChainHash::parse(&self.line.previous).filter(|_| goes_on)?;
        Some(LogTail { n: self.n.checked_sub(1)?, chain })
    }

    /// Of a line that says that lines are deleted, where the log was with the last of them.
    pub(super) fn pruned(&self) -> Option<LogTail> {
        let lines = self.line.scope.strip_prefix("lines ").filter(|_| self.line.event == Event::Pruned)?;
        let (last, _) = lines.split_once(" to ")?.1.split_once(',')?;
        Some(LogTail { n: last.parse().ok()?, chain: ChainHash::parse(&self.line.previous)? })
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
    /// Of a log without a line.
    pub const START: Self = Self { n: 0, chain: ChainHash::GENESIS };

    /// Adds a line to `text`, and returns where the log ends with it.
    pub(super) fn add(self, at: Timestamp, mut line: Line, text: &mut String) -> Self {
        truncate(&mut line.scope, SCOPE_BYTES_CUT);
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
        let before = if self == Self::START { numbered.before().unwrap_or(self) } else { self };
        if tail.n != before.n + 1 {
            return Err("lines are missing, or out of order");
        }
        if AUDIT_LINES.next(before.chain, &[text.as_bytes()]) != tail.chain {
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

    /// Where a log was before its first line, if that says the truth.
    pub(super) fn before_first(line: &str) -> Result<Self, &'static str> {
        parse(line).map(|(_, _, numbered)| numbered.before().unwrap_or(Self::START))
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
    /// Lines that the journal knows of aren't there, or aren't what was written.
    #[error(
        "the audit log {} isn't the one that the journal knows, with {known} lines: {what}. Put the right file back, or start with --accept-lost-audit-lines: what is there is then set aside, and the log goes on after line {known} and says so",
        path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// How many lines the journal knows of.
        known: u64,
        /// What was found instead.
        what: String,
    },
    /// The journal is older than the log.
    #[error(
        "the journal ends at revision {journal}, and the audit log {} has seen revision {seen}: the journal is an older one, in which keys that were revoked since are valid, and whose next revisions were given out before. Put the newer journal back, or start with --accept-older-journal: what the log knows to be revoked is then revoked again",
        path.display()
    )]
    OlderJournal {
        /// The file.
        path: PathBuf,
        /// The journal's newest revision.
        journal: u64,
        /// The newest revision in the log.
        seen: u64,
    },
    /// Lines aren't there, and nothing in the log says why.
    #[error(
        "lines {first} to {last} of the audit log are missing: {} goes on after them; put the files back that had them, unless they were pruned",
        path.display()
    )]
    Missing {
        /// The file that goes on after them.
        path: PathBuf,
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
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

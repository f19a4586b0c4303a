//! What a backup says of itself, at its beginning and at its end: JSON.

use serde::{Deserialize, Serialize};

use crate::audit::LogTail;
use crate::journal::{ChainHash, Format, LaterFormat, Tail, is_later_version};
use crate::model::revision::Revision;

/// Where the journal and the audit log are, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "PointText", try_from = "PointText")]
pub(crate) struct Point {
    /// Where the journal is.
    pub(crate) journal: Tail,
    /// Where the audit log is. All that the journal knows of it is before that, and its lines to there know of no
    /// later revision.
    pub(crate) audit: LogTail,
}

impl Point {
    /// Of a folder in which nothing is.
    pub(crate) const START: Self = Self { journal: Tail::EMPTY, audit: LogTail::START };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointText {
    revision: u64,
    chain: String,
    audit_lines: u64,
    audit_chain: String,
}

impl From<Point> for PointText {
    fn from(Point { journal, audit }: Point) -> Self {
        Self {
            revision: journal.revision.0,
            chain: journal.hash.to_string(),
            audit_lines: audit.n,
            audit_chain: audit.chain.to_string(),
        }
    }
}

impl TryFrom<PointText> for Point {
    type Error = &'static str;

    fn try_from(text: PointText) -> Result<Self, &'static str> {
        let hash = |text: &str| ChainHash::parse(text).ok_or("a chain hash has 64 hexadecimal digits");
        Ok(Self {
            journal: Tail { revision: Revision(text.revision), hash: hash(&text.chain)? },
            audit: LogTail { n: text.audit_lines, chain: hash(&text.audit_chain)? },
        })
    }
}

/// The backup that another goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Previous {
    /// Its id.
    pub(crate) id: String,
    /// Where it ends.
    #[serde(flatten)]
    pub(crate) to: Point,
}

/// What a manifest begins with, and later versions keep, so that earlier ones know that they can't read the rest.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The format of the data folder, and of the backup.
    #[serde(default)]
    format: u32,
    /// The oldest version that reads it.
    #[serde(default)]
    read_by: String,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

/// Why a manifest can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// A later version wrote it.
    #[error("{0}")]
    LaterFormat(LaterFormat),
    /// It isn't one.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of the program that took it.
    pub(crate) program: String,
    /// When it was begun: RFC 3339.
    pub(crate) taken_at: String,
    /// What whoever took it noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// The backup that it goes on from; none where it begins at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Previous>,
    /// Where it ends.
    pub(crate) to: Point,
}

impl Manifest {
    /// Its text.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let head = Head { format: Format::CURRENT.number, read_by: Format::CURRENT.since.to_owned() };
        serde_json::to_vec(&Whole { head, manifest: self })
    }

    /// That of the backup that goes by a name.
    pub(super) fn from_json(name: &str, json: &[u8]) -> Result<Self, Unreadable> {
        // One without it is of the first format that had backups.
        let Head { format, read_by } = serde_json::from_slice(json)?;
        if format > Format::CURRENT.number && is_later_version(&read_by) {
            let what = format_args!("the backup {name}");
            return Err(Unreadable::LaterFormat(LaterFormat::new(what, format, &read_by)));
        }
        Ok(serde_json::from_slice(json)?)
    }

    /// Where it begins.
    pub(crate) fn from(&self) -> Point {
        self.previous.as_ref().map_or(Point::START, |previous| previous.to)
    }
}

/// Hashes of what was answered from memory where a backup ends: what it is restored to must answer the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digests {
    /// Of the state: the catalogue, every submission and return, the identities.
    pub(crate) state: String,
    /// Of a sample of answers.
    pub(crate) answers: String,
    /// How many answers that is.
    pub(crate) answer_count: u64,
}

/// What a backup had in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Entries of the journal.
    pub(crate) entries: u64,
    /// Lines of the audit log.
    pub(crate) audit_lines: u64,
    /// Questions of the audit log.
    pub(crate) questions: u64,
    /// What the server answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digests: Option<Digests>,
}

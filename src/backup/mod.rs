//! Backups: what a data folder holds at a revision, in one stream of bytes that is checked to the last of them.
//!
//! A backup has the journal's entries from where the one before it ended, or from the beginning, and the lines that the
//! audit log gained meanwhile. It is made of [`frame`]s: the manifest, records of the journal, lines, questions, and the
//! totals. What is restored is a journal with the same chain of hashes, by whatever engine.

mod frame;
mod known;
mod lines;
mod manifest;
mod read;
mod restore;
mod take;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub(crate) use known::{KnownBackup, KnownBackups};
pub(crate) use lines::{export, import};
pub(crate) use manifest::{Digests, Manifest, Point, Previous};
pub(crate) use read::{Backup, Checked, Whole, read_all};
pub(crate) use restore::{Restored, Until, restore};
pub(crate) use take::{has_come_by, take};

pub(crate) use frame::FrameError;

use crate::journal::LaterFormat;
use crate::model::revision::Revision;
use crate::{audit, journal};

/// Why a backup can't be taken, or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The journal refuses or fails.
    #[error("{0}")]
    Journal(#[from] journal::Error),
    /// The audit log can't be read, or isn't what was written.
    #[error("{0}")]
    Audit(#[from] audit::Error),
    /// The backup can't be written.
    #[error("the backup can't be written: {0}")]
    Out(std::io::Error),
    /// A part of it can't be put into words.
    #[error("the backup can't be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The backup before it is of another journal.
    #[error(
        "the journal isn't the one that the backup to go on from was taken of: it has another entry at revision {revision}, or none; take a full backup"
    )]
    OtherJournal {
        /// Where they differ.
        revision: Revision,
    },
    /// The audit log lacks lines that came after the backup before it.
    #[error(
        "lines {first} to {last} of the audit log aren't there any more, and the backup to go on from hasn't got them: where they were pruned, take a full backup"
    )]
    Pruned {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The audit log isn't the one that is known.
    #[error("the audit log has another line {n} than is known, or none: `conspectus audit --verify` says more")]
    OtherLog {
        /// The line.
        n: u64,
    },
    /// A backup isn't what was written.
    #[error(
        "{name}: {what}; take a full backup now, if the folder is there, and restore from the backups before this one"
    )]
    Damaged {
        /// The backup.
        name: String,
        /// What is wrong, and where.
        what: FrameError,
    },
    /// A later version took it.
    #[error("{0}")]
    LaterFormat(LaterFormat),
    /// A backup doesn't go on from the one before.
    #[error(
        "{name} goes on from the backup {found}; the one before it is {expected}. Give the full backup first, and then each that goes on from the one before"
    )]
    Order {
        /// The backup.
        name: String,
        /// What it goes on from.
        found: String,
        /// What comes before it.
        expected: String,
    },
    /// An entry can't be read.
    #[error("the entry of revision {revision} can't be read: {what}")]
    Entry {
        /// Its revision.
        revision: Revision,
        /// What is wrong with it.
        what: String,
    },
    /// There is something where the folder is to be.
    #[error("{} isn't empty: restore to a new folder", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// An earlier restore didn't end.
    #[error("{} is what is left of a restore that didn't end: remove it first", folder.display())]
    Leftover {
        /// What is left.
        folder: PathBuf,
    },
    /// What was restored isn't what was backed up.
    #[error("what was restored isn't what was backed up: {what}")]
    Differs {
        /// How it differs.
        what: String,
    },
    /// A line of an export isn't what it must be.
    #[error("line {line}: {what}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The backups don't have a revision.
    #[error("the backups have no revision {wanted}: they end at revision {newest}")]
    NotReached {
        /// The revision that was asked for.
        wanted: Revision,
        /// The last that there is.
        newest: Revision,
    },
}

impl Error {
    /// Whether the same would be refused again: what was given isn't what it must be, or what is there isn't what was
    /// written. Otherwise something on this machine failed, such as a disk.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::OtherJournal { .. }
            | Self::OtherLog { .. }
            | Self::Pruned { .. }
            | Self::Damaged { .. }
            | Self::LaterFormat(_)
            | Self::Order { .. }
            | Self::Entry { .. }
            | Self::Differs { .. }
            | Self::Line { .. }
            | Self::NotReached { .. } => true,
            Self::Journal(_)
            | Self::Audit(_)
            | Self::Out(_)
            | Self::Json(_)
            | Self::Io { .. }
            | Self::Occupied { .. }
            | Self::Leftover { .. } => false,
        }
    }
}

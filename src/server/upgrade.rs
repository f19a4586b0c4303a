//! What the first start of this version does to a data folder that an earlier one has written to: looked at beforehand,
//! or done.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::audited::{self, Recorder};
use super::offline::end;
use super::{Error, check_clock, now, replay_with};
use crate::access::Actor;
use crate::audit::{self, Accepted, SegmentLimits};
use crate::intake::writer;
use crate::journal::{self, FREE_BYTES_MIN, FolderLock, Format, ReplayProgress, Space};
use crate::model::zone::Zone;

/// What is done to a folder.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum UpgradeStep {
    /// The folder says which format it is of.
    WriteFormat {
        /// The format's number.
        format: u32,
        /// The oldest version that reads it.
        read_by: &'static str,
    },
    /// The write-ahead log is created.
    CreateWriteAheadLog {
        /// How large it becomes.
        bytes_max: u64,
    },
    /// The whole audit log is verified.
    VerifyAuditLog {
        /// How many lines it has.
        lines: u64,
        /// In how many files.
        files: usize,
        /// How many bytes these have.
        bytes: u64,
        /// How long it took here, where it was done to look.
        milliseconds: u64,
    },
    /// The journal gets an entry that records how far the audit log has come.
    RecordAuditLog,
    /// What is left of an append that was cut off is dropped.
    DropTornAppend {
        /// The revision that it would have had.
        revision: u64,
    },
    /// What is left of a line of the audit log that was cut off is dropped, and a line says so.
    DropTornLine {
        /// How many bytes it has.
        bytes: u64,
    },
    /// A damaged snapshot file of the store is set aside.
    SetSnapshotAside {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner lose their rights to the store's files.
    CloseToOthers {
        /// How many.
        files: usize,
    },
}

/// What an upgrade comes to.
#[derive(Debug, Serialize)]
pub(crate) struct Upgrade {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The format that it is of; none where there is no journal.
    pub(crate) format: Option<u32>,
    /// The first version that wrote that.
    pub(crate) written_since: Option<&'static str>,
    /// The format that this version writes.
    pub(crate) format_written: u32,
    /// The oldest version that reads that.
    pub(crate) read_by: &'static str,
    /// Whether a server runs on it, or something else has it open.
    pub(crate) is_in_use: bool,
    /// The journal's newest revision, as far as it shows.
    pub(crate) revision: u64,
    /// What a first start does, in order.
    pub(crate) steps: Vec<UpgradeStep>,
    /// Why it doesn't start, as far as it shows.
    pub(crate) refused: Option<String>,
    /// How many bytes the folder's files have: a copy takes no more.
    pub(crate) bytes: u64,
    /// How many bytes have to be free.
    pub(crate) bytes_needed: u64,
    /// How many are.
    pub(crate) bytes_free: u64,
}

impl Upgrade {
    /// Looks at a folder, and changes nothing.
    ///
    /// # Errors
    /// When there is no such folder, it can't be read, or a later version has written to it.
    pub(crate) fn planned(folder: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: folder.to_owned(), source };
        let bytes = bytes_in(folder).map_err(failed)?;
        let found = journal::Found::of(folder)?;
        let (format, current) = (found.as_ref().map(|found| found.format), Format::CURRENT);
        let mut planned = Self {
            folder: folder.to_owned(),
            format: format.map(|format| format.number),
            written_since: format.map(|format| format.since),
            format_written: current.number,
            read_by: current.since,
            is_in_use: false,
            revision: 0,
            steps: Vec::new(),
            refused: None,
            bytes,
            bytes_needed: FREE_BYTES_MIN,
            bytes_free: Space::in_folder(folder)?.bytes_free(),
        };
        if let Some(found) = found {
            planned.add_journal(&found);
            planned.add_audit_log(&found);
        }
        Ok(planned)
    }

    fn add_journal(&mut self, found: &journal::Found) {
        (self.is_in_use, self.revision) = (found.is_in_use, found.tail.revision.0);
        let format = Format::CURRENT;
        if !found.format.is_current() {
            self.steps.push(UpgradeStep::WriteFormat { format: format.number, read_by: format.since });
        }
        if found.format == Format::BEFORE_WAL {
            let bytes_max = journal::Found::WAL_BYTES;
            self.bytes_needed += bytes_max;
            self.steps.push(UpgradeStep::CreateWriteAheadLog { bytes_max });
        }
        // What is being written just now looks torn.
        if let Some(revision) = found.torn.filter(|_| !found.is_in_use) {
            self.steps.push(UpgradeStep::DropTornAppend { revision: revision.0 });
        }
        if let Some(path) = &found.damaged_snapshot {
            self.steps.push(UpgradeStep::SetSnapshotAside { path: path.clone() });
        }
        if found.open_to_others > 0 {
            self.steps.push(UpgradeStep::CloseToOthers { files: found.open_to_others });
        }
    }

    /// Of a folder whose journal may know of the audit log, only what the next start compares shows more.
    fn add_audit_log(&mut self, journal: &journal::Found) {
        let begun = Instant::now();
        let found = match audit::Found::of(&self.folder) {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                self.refused = Some(error.to_string());
                return;
            }
        };
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let audit::Found { lines, files, bytes, torn_bytes, revision } = found;
        if torn_bytes > 0 && !journal.is_in_use {
            self.steps.push(UpgradeStep::DropTornLine { bytes: torn_bytes });
        }
        if journal.format.is_current() {
            return;
        }
        if revision > self.revision && !journal.is_in_use {
            let (path, journal) = (self.folder.join(audit::FILE_NAME), self.revision);
            self.refused = Some(audit::Error::OlderJournal { path, journal, seen: revision }.to_string());
        }
        self.steps.push(UpgradeStep::VerifyAuditLog { lines, files, bytes, milliseconds });
        if lines > 0 {
            self.steps.push(UpgradeStep::RecordAuditLog);
        }
    }
}

/// How many bytes the files have that are in a folder and in those within it.
fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { bytes_in(&entry.path())? } else { found.len() };
    }
    Ok(bytes)
}

/// Does what the first start does, and says what that was. Where that would be refused, or there is nothing to do, nothing
/// is done.
///
/// # Errors
/// When there is no such folder, it is in use, a later version has written to it, or it isn't what was written; and when
/// the clock is behind it, unless that is accepted.
pub(crate) async fn upgrade(folder: &Path, accept_clock_behind_journal: bool) -> Result<Upgrade, Error> {
    let planned = Upgrade::planned(folder)?;
    let lock = FolderLock::take(folder)?;
    if planned.refused.is_some() || planned.steps.is_empty() {
        return Ok(planned);
    }
    let (journal, mut fold) = replay_with(lock, &ReplayProgress::default(), |_| {})?;
    let state = fold.state();
    check_clock(folder, &state, now(), accept_clock_behind_journal)?;
    journal.write_format()?;
    let opened = audited::open(folder, &state, now(), Accepted::default(), SegmentLimits::default())?;
    let running = writer::start(Box::new(journal), fold, now, Zone::default());
    let mut recorder = Recorder::new(&opened, &state, running.handle.as_actor(Actor::Local));
    recorder.record().await;
    let (is_recorded, failure) = (recorder.is_recorded(), running.failure.borrow().clone());
    drop(recorder);
    end(opened, running).await?;
    if !is_recorded {
        let cause = failure.unwrap_or_else(|| "it takes no entry".to_owned());
        return Err(journal::Error::Poisoned { cause }.into());
    }
    Ok(planned)
}

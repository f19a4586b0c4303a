//! What is done to a data folder that no server runs on.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::audited::{self, ON_THIS_MACHINE};
use super::control::{BackupRequest, digests, point};
use super::retention::PruneRule;
use super::scrub::Verified;
use super::{Error, check_clock, now, replay};
use crate::access::AccessChange;
use crate::audit::{self, LogTail, Opened, Prunable};
use crate::backup::{self, Digests, KnownBackup, KnownBackups, Manifest};
use crate::catalogue::CataloguePut;
use crate::entry::codec;
use crate::intake::change_access::ChangeAccess;
use crate::intake::checks::{Caught, Grounds, catch};
use crate::intake::writer::{self, Running, Written};
use crate::journal::{self, ChainHash, DiskJournal, Journal};
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::model::zone::Zone;
use crate::state::State;

/// Changes identities or keys.
///
/// # Errors
/// When the journal is in use or can't be opened, the clock is behind it, or the change is refused.
pub(crate) async fn change_access_offline(
    folder: &Path,
    change: AccessChange,
    accept_clock_behind_journal: bool,
) -> Result<(), Error> {
    let (journal, mut fold) = replay(folder)?;
    let state = fold.state();
    check_clock(folder, &state, now(), accept_clock_behind_journal)?;
    journal.write_format()?;
    // A folder that a server would refuse is none to add a key to.
    let opened = audited::open(folder, &state, now(), audit::Accepted::default(), audit::SegmentLimits::default())?;
    let running = writer::start(Box::new(journal), fold, now, Zone::default());
    let line = audit::Line::without_call(audit::Event::Keys, format!("{ON_THIS_MACHINE}{change}"));
    let written = running.handle.write(ChangeAccess { changes: vec![change], now: now() }).await;
    if let Ok(Written::Accepted { revision, .. }) = &written {
        let line = audit::Line { revision: revision.0, ..line };
        opened.log.write(now(), line, None).await?;
    }
    end(opened, running).await?;
    written.map(drop).map_err(Error::Write)
}

/// Ends what was begun on a folder, which is closed then.
pub(super) async fn end(opened: Opened, running: Running) -> Result<(), Error> {
    // While the folder is locked, the file is nobody else's.
    drop(opened.log);
    drop(tokio::task::spawn_blocking(move || opened.thread.join()).await?);
    drop(running.handle);
    // The journal is closed once the thread has ended.
    drop(tokio::task::spawn_blocking(move || running.thread.join()).await?);
    Ok(())
}

/// What the checks of a draft would have caught of the submissions that stand, each as of when it came; or why the draft
/// couldn't be put.
///
/// # Errors
/// When there is no such folder, or the journal is in use or isn't what was written.
pub(crate) fn catch_offline(folder: &Path, draft: &CataloguePut) -> Result<Result<Caught, Violations>, Error> {
    std::fs::metadata(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    let (journal, mut fold) = replay(folder)?;
    let (state, reader, zone) = (fold.state(), journal.reader(), Zone::default());
    let violations = state.catalogue().review(draft);
    if !violations.is_empty() {
        return Ok(Err(violations));
    }
    let mut catalogue = state.catalogue().clone();
    catalogue.apply(draft);
    let mut caught = Caught::of(draft);
    let mut revision = Revision::ZERO;
    while revision < state.revision() {
        let before = revision;
        revision = revision.next();
        let is_standing = state.submission_at(revision).is_some() && state.withdrawn_at(revision).is_none();
        let Some(stored) = (if is_standing { reader.read(revision)? } else { None }) else { continue };
        let entry = codec::decode(&stored.payload).map_err(|error| journal::Error::Corrupt {
            location: format!("revision {revision}"),
            what: error.to_string(),
        })?;
        let grounds =
            Grounds { state: &state, catalogue: &catalogue, as_of: before, zone: &zone, today: zone.date(entry.at) };
        if let Some(submission) = entry.submission() {
            catch(grounds, submission, revision, &mut caught);
        }
    }
    Ok(Ok(caught))
}

/// The chain hash of each revision; none where the journal has no such revision.
///
/// # Errors
/// When there is no such folder, or the journal is in use or isn't what was written.
pub(crate) fn entries_offline(folder: &Path, revisions: &[Revision]) -> Result<Vec<Option<ChainHash>>, Error> {
    // Opening would make a folder where there is none.
    std::fs::metadata(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    let journal = DiskJournal::open(folder)?;
    let reader = journal.reader();
    let hash = |revision: &Revision| Ok(reader.read(*revision)?.map(|stored| stored.hash));
    revisions.iter().map(hash).collect()
}

/// A data folder that no server runs on, opened, replayed and verified.
pub(crate) struct OpenFolder {
    folder: PathBuf,
    journal: DiskJournal,
    state: State,
    /// Where its audit log ends.
    lines: LogTail,
    /// The backups that are known of it.
    pub(crate) backups: KnownBackups,
}

impl OpenFolder {
    /// Opens one.
    ///
    /// # Errors
    /// When there is no such folder, it is in use, or the journal or the audit log isn't what was written.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let found = |source| Error::Folder { path: folder.to_owned(), source };
        // Opening would make a folder where there is none.
        std::fs::metadata(folder).map_err(found)?;
        let (journal, mut fold) = replay(folder)?;
        let has_log = audit::has_log(folder)?;
        let lines = if has_log { audit::verify_folder(folder, &mut |_| {})?.tail } else { LogTail::START };
        let backups = KnownBackups::load(folder).map_err(found)?;
        Ok(Self { folder: folder.to_owned(), journal, state: fold.state(), lines, backups })
    }

    /// What it comes to.
    pub(crate) fn verified(&self) -> Verified {
        Verified::of(now(), self.journal.tail(), self.lines)
    }

    /// Checks that its audit log has what the journal knows of it, as a start does.
    ///
    /// # Errors
    /// When it hasn't.
    pub(crate) fn check_log(&self) -> Result<(), Error> {
        Ok(audit::check_known(&self.folder, self.known_log())?)
    }

    /// Where its audit log was when the journal last recorded it.
    pub(crate) fn known_log(&self) -> LogTail {
        audited::known_tail(&self.state)
    }

    /// Notes that a folder was restored from a backup; false when it isn't one of this folder's.
    ///
    /// # Errors
    /// When it can't be noted.
    pub(crate) fn note_verified(&self, id: &str) -> Result<bool, Error> {
        self.backups.verified(id, now()).map_err(|source| Error::Folder { path: self.folder.clone(), source })
    }

    /// The hashes of its state and of what it answers.
    pub(crate) fn digests(&self) -> Digests {
        digests(&self.state)
    }

    /// Writes its journal as lines of JSON.
    ///
    /// # Errors
    /// As [`backup::export`].
    pub(crate) fn export(&self, out: impl Write) -> Result<(), backup::Error> {
        backup::export(&*self.journal.reader(), out).map(drop)
    }

    /// Takes a backup, which is [noted](Self::note_taken) once it is where it was to go.
    ///
    /// # Errors
    /// As [`backup::take`].
    pub(crate) fn backup(
        &self,
        BackupRequest { previous, note }: BackupRequest,
        out: impl Write,
    ) -> Result<KnownBackup, backup::Error> {
        let reader = self.journal.reader();
        let to = point(&*reader, &self.state, self.lines)?;
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let manifest = Manifest { program, taken_at: now().to_string(), note, previous, to };
        let taken = backup::take((&*reader, &self.folder), &manifest, Some(self.digests()), out)?;
        Ok(KnownBackup::of(&manifest, &taken))
    }

    /// Notes that a backup was taken.
    ///
    /// # Errors
    /// When it can't be noted.
    pub(crate) fn note_taken(&self, taken: KnownBackup) -> Result<(), Error> {
        self.backups.add(taken).map_err(|source| Error::Folder { path: self.folder.clone(), source })
    }
}

/// What was deleted of a log, or would be.
#[derive(Debug)]
pub(crate) struct Pruned {
    /// The files, the oldest first.
    pub(crate) files: Vec<PathBuf>,
    /// The numbers of their first line and their last.
    pub(crate) lines: (u64, u64),
    /// When these were written.
    pub(crate) times: (Timestamp, Timestamp),
    /// How many questions went with them.
    pub(crate) questions: usize,
}

/// Deletes what is old enough in a data folder that no server runs on, if that is meant; none when nothing is.
///
/// # Errors
/// When there is no such folder, the journal is in use, or it or the log isn't what was written: then nothing is deleted.
pub(crate) async fn prune_offline(folder: &Path, rule: PruneRule, is_meant: bool) -> Result<Option<Pruned>, Error> {
    // Opening would make a folder where there is none.
    std::fs::metadata(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    let (journal, mut fold) = replay(folder)?;
    let state = fold.state();
    check_clock(folder, &state, now(), false)?;
    let by = match rule {
        PruneRule::Before(_) => "conspectus audit prune --before",
        PruneRule::KeepDays(_) => "conspectus audit prune --keep-days",
    };
    let Some(prunable) = Prunable::of(folder, rule.retention(by, now(), &state))? else { return Ok(None) };
    let (lines, times, questions) = (prunable.lines, prunable.times, prunable.questions.len());
    let pruned = Pruned { files: prunable.files.clone(), lines, times, questions };
    if is_meant {
        journal.write_format()?;
        // A folder that a server would refuse is none to delete of.
        let opened = audited::open(folder, &state, now(), audit::Accepted::default(), audit::SegmentLimits::default())?;
        let done = opened.log.prune(prunable).await;
        drop(opened.log);
        drop(tokio::task::spawn_blocking(move || opened.thread.join()).await?);
        done?;
    }
    Ok(Some(pruned))
}

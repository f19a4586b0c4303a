//! The engine on disk: a write-ahead log that makes appends durable, and sled, which keeps them.
//!
//! A journal's folder holds the files `lock`, `format` (the [`FormatFile`]), `witness` (the [`ControlFile`]), `ahead`
//! (the [`Wal`]) and `sled/` (the [`SledStore`]). An append is one write to the write-ahead log and one sync of it; a thread moves what has gathered
//! there to sled (the [`Flusher`]). So an acknowledgement costs what the disk costs, and rests on a file that has no
//! layout to lose; and neither of the two can lose something without the other or the control file showing it. A journal
//! that is closed leaves its log empty.

mod control_file;
mod failpoints;
#[cfg(test)]
mod faults;
mod files;
mod flusher;
mod folder_lock;
mod format_file;
#[cfg(test)]
mod format_tests;
mod look;
mod open;
mod parallel_read;
mod sled_store;
mod snapshot_file;
#[cfg(test)]
mod tests;
mod wal;

pub(crate) use files::{FREE_BYTES_MIN, Space, check_free_space, create_file, sync_folder};
pub(crate) use folder_lock::FolderLock;
pub(crate) use format_file::check_format;
#[cfg(test)]
use format_file::format_of;
pub(crate) use look::Found;

use super::contract::{Error, Journal, Reader, Tail};
use super::over_store::{Records, Store, StoreJournal};
use super::progress::ReplayProgress;
use super::record::Encoded;
use crate::metrics::{self, Registry};
use crate::model::chain::ChainHash;
use crate::model::revision::Revision;
use control_file::ControlFile;
use failpoints::Failpoints;
use files::{Paths, exists};
use flusher::Flusher;
use format_file::FormatFile;
use open::Opened;
use prometheus_client::metrics::histogram::Histogram;
use sled_store::SledStore;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use wal::{Wal, WalRecord};

/// The buckets of how many entries are appended together.
const GROUP_ENTRIES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// A journal in a folder, open in one process at a time.
///
/// The folder stays locked until the journal and all its readers are dropped.
pub struct DiskJournal {
    journal: StoreJournal<DiskStore>,
    /// The flusher's thread, until the journal is closed.
    flushing: Option<JoinHandle<()>>,
}

impl DiskJournal {
    /// Opens the journal in `folder`, creating it when nothing is there, and verifies all of it: checksums, contiguity
    /// from revision 1, the chain, and that it reaches what the control file has.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] when another process has it open, [`Error::Corrupt`] when anything is wrong or missing,
    /// [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_and_replay(folder, &ReplayProgress::default(), |_, _| Ok(()), |()| ())
    }

    /// As [`open`](Self::open), with the one pass over all entries that it takes: `decode` gets each entry's revision
    /// and payload, verified, on one of several threads, and `apply` gets the results, in order, on this one.
    ///
    /// How far it has come is in `progress`.
    ///
    /// What `apply` got is the journal's only if this returns `Ok`.
    ///
    /// # Errors
    ///
    /// As there, and whatever `decode` gives.
    pub(crate) fn open_and_replay<T: Send>(
        folder: &Path,
        progress: &ReplayProgress,
        decode: impl Fn(Revision, &[u8]) -> Result<T, Error> + Sync,
        apply: impl FnMut(T),
    ) -> Result<Self, Error> {
        Self::open_locked(FolderLock::take(folder)?, progress, decode, apply)
    }

    /// As [`open_and_replay`](Self::open_and_replay), in a folder that is this process's already.
    ///
    /// # Errors
    ///
    /// As there, but for [`Error::Locked`].
    pub(crate) fn open_locked<T: Send>(
        lock: FolderLock,
        progress: &ReplayProgress,
        decode: impl Fn(Revision, &[u8]) -> Result<T, Error> + Sync,
        apply: impl FnMut(T),
    ) -> Result<Self, Error> {
        Self::open_with(lock, &Failpoints::none(), progress, decode, apply)
    }

    /// Whether there is a journal in `folder`, or what is left of one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the folder can't be looked into.
    pub(crate) fn is_in(folder: &Path) -> Result<bool, Error> {
        let paths = Paths::of(folder);
        Ok(exists(&paths.control)? || exists(&paths.wal)? || exists(&paths.sled)?)
    }

    /// Has the folder say that it is of this version's format: for whoever is about to write something else to it than
    /// entries of the journal, before which it is done in any case.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn write_format(&self) -> Result<(), Error> {
        self.journal.store().write_format()
    }

    fn open_with<T: Send>(
        lock: FolderLock,
        failpoints: &Failpoints,
        progress: &ReplayProgress,
        decode: impl Fn(Revision, &[u8]) -> Result<T, Error> + Sync,
        apply: impl FnMut(T),
    ) -> Result<Self, Error> {
        let opened = open::open(lock, failpoints, progress, decode, apply)?;
        let tail = opened.tail;
        let store = DiskStore::from(opened);
        Ok(Self { flushing: Some(store.start_flusher()?), journal: StoreJournal::new(store, tail) })
    }

    /// Adds its metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let DiskStore { wal, groups, .. } = self.journal.store();
        let syncs = wal.lock().unwrap_or_else(PoisonError::into_inner).syncs.clone();
        metrics::register(
            registry,
            "conspectus_journal_fsync_duration_seconds",
            "How long the sync of the write-ahead log took that made a group durable",
            syncs,
        );
        metrics::register(
            registry,
            "conspectus_journal_append_group_entries",
            "How many entries were made durable together",
            groups.clone(),
        );
    }

    /// Closes the journal, and reports what dropping it would keep to itself.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store can't take what is left, the control file can't be synced, or the write-ahead log
    /// can't be emptied. All appended entries are durable in any case.
    pub fn close(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(flushing) = self.flushing.take() else { return Ok(()) };
        let store = self.journal.store();
        store.flusher.close();
        let ended = flushing.join().map_err(|_| "its thread panicked".to_owned());
        if let Some(cause) = ended.err().or_else(|| store.flusher.failure()) {
            return Err(flusher::failed(std::io::Error::other(cause)));
        }
        let sync = store.control().syncing();
        sync()?;
        store.empty_wal(self.journal.tail())
    }

    /// Waits until the store has all that was appended, or never will.
    #[cfg(test)]
    fn catch_up(&self) {
        self.journal.store().flusher.catch_up();
    }

    #[cfg(test)]
    fn insert_behind_its_back(&self, first: Revision) {
        self.journal.store().sled.insert_behind_its_back(first);
    }
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        // Every acknowledged append is durable already: this only leaves less to do for the next start.
        let _ = self.end();
    }
}

impl Journal for DiskJournal {
    fn tail(&self) -> Tail {
        self.journal.tail()
    }

    fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, Error> {
        self.journal.append(after, payloads)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.journal.reader()
    }
}

/// The write-ahead log and sled as one store of records.
struct DiskStore {
    format: FormatFile,
    wal: Mutex<Wal>,
    /// How many entries are appended together.
    groups: Histogram,
    flusher: Arc<Flusher>,
    control: Arc<Mutex<ControlFile>>,
    // Fields are dropped in their order: the lock goes last, once sled has let go of its files.
    sled: Arc<SledStore>,
    _lock: FolderLock,
}

impl From<Opened> for DiskStore {
    fn from(Opened { format, wal, unflushed, control, sled, lock, .. }: Opened) -> Self {
        Self {
            format,
            wal: Mutex::new(wal),
            groups: Histogram::new(GROUP_ENTRIES),
            flusher: Arc::new(Flusher::new(unflushed)),
            control: Arc::new(Mutex::new(control)),
            sled: Arc::new(sled),
            _lock: lock,
        }
    }
}

impl DiskStore {
    fn control(&self) -> MutexGuard<'_, ControlFile> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the folder say that it is of this version's format, in the control file too.
    fn write_format(&self) -> Result<(), Error> {
        if self.format.write_current()? {
            let mut control = self.control();
            control.write_known()?;
            control.syncing()()?;
        }
        Ok(())
    }

    /// Empties the write-ahead log at the end, unless the store hasn't caught up, or the disk is nearly full.
    fn empty_wal(&self, tail: Tail) -> Result<(), Error> {
        if !self.flusher.has_caught_up() || matches!(self.sled.check_free_space(), Err(Error::NoRoom { .. })) {
            return Ok(());
        }
        self.wal.lock().unwrap_or_else(PoisonError::into_inner).empty(tail)
    }

    fn start_flusher(&self) -> Result<JoinHandle<()>, Error> {
        let (flusher, sled, control) = (Arc::clone(&self.flusher), Arc::clone(&self.sled), Arc::clone(&self.control));
        thread::Builder::new()
            .name("flusher".to_owned())
            .spawn(move || flusher.run(&sled, &control))
            .map_err(Error::io("start a thread"))
    }
}

impl Store for DiskStore {
    fn put(&self, first: Revision, record: Encoded) -> Result<(), Error> {
        // What can be refused comes before the first byte is written: after it, every error is final.
        self.sled.check_free_space()?;
        let entries = u32::try_from(record.tail.revision.0.saturating_sub(first.0) + 1).unwrap_or(u32::MAX);
        let mut wal = self.wal.lock().unwrap_or_else(PoisonError::into_inner);
        let span = wal.span_for(record.bytes.len());
        self.flusher.wait_for(&span)?;
        // The log's sync is what makes the append durable. Only then does the control file have it: a control file that
        // ran ahead would, after a crash, refuse a journal that has lost nothing. And only then does the flusher get
        // the record, so that sled never has an entry that the log may still lose. Readers see it last, when the
        // caller moves the tail.
        let durable = self.write_format().and_then(|()| wal.write(&span, &record.bytes));
        let durable = durable.and_then(|()| self.control().write_tail(record.tail));
        durable.inspect_err(|failure| self.flusher.fail(failure.to_string()))?;
        self.groups.observe(f64::from(entries));
        self.flusher.push(WalRecord { span, first, tail: record.tail, bytes: record.bytes });
        Ok(())
    }

    fn records(&self, from: Revision, to: Revision) -> Records<'_> {
        // The flusher is asked before sled: a record leaves it only once sled has it, so none is missed in between.
        let (unflushed, oldest) = self.flusher.records(from, to);
        let unflushed = unflushed.into_iter().map(|record| Ok((record.first, record.bytes.clone())));
        let in_sled = oldest.map_or(to, |oldest| to.min(Revision(oldest.0 - 1)));
        if from > in_sled { Box::new(unflushed) } else { Box::new(self.sled.records(from, in_sled).chain(unflushed)) }
    }
}

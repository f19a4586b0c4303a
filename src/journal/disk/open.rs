//! Opening a journal: everything is read once and verified, and what is found wrong is refused.

use super::control_file::{ControlFile, Progress};
use super::failpoints::Failpoints;
use super::files::{Paths, check_writable, close_to_others, exists, forget_cached};
use super::folder_lock::FolderLock;
use super::format_file::FormatFile;
use super::parallel_read;
use super::sled_store::SledStore;
use super::snapshot_file;
use super::wal::{Contents, Wal, WalRecord};
use crate::journal::contract::{Error, Tail};
use crate::journal::format::Format;
use crate::journal::progress::ReplayProgress;
use crate::journal::record;
use crate::model::revision::Revision;

/// A journal whose every record is verified.
pub(super) struct Opened {
    pub(super) tail: Tail,
    pub(super) format: FormatFile,
    pub(super) wal: Wal,
    /// What the write-ahead log has and the store hasn't, in order.
    pub(super) unflushed: Vec<WalRecord>,
    pub(super) control: ControlFile,
    pub(super) sled: SledStore,
    pub(super) lock: FolderLock,
}

/// Opens or creates the journal in a folder that is locked. `decode` and `apply` are as for
/// [`DiskJournal::open_and_replay`](super::DiskJournal::open_and_replay).
pub(super) fn open<T: Send>(
    lock: FolderLock,
    failpoints: &Failpoints,
    progress: &ReplayProgress,
    decode: impl Fn(Revision, &[u8]) -> Result<T, Error> + Sync,
    apply: impl FnMut(T),
) -> Result<Opened, Error> {
    let paths = Paths::of(lock.path());
    // The format comes before all that it is of, and the control file before what it is there to check. sled comes last,
    // because it makes an empty store of one that has vanished.
    let format = FormatFile::open(&paths, failpoints)?;
    let (mut control, known) = open_control_file(&paths, &format, failpoints)?;
    progress.expect(known.tail.revision);
    let wal = open_wal(&paths, known, failpoints)?;
    let begun = known.tail != Tail::EMPTY || wal.as_ref().is_some_and(|(_, contents)| !contents.is_empty());
    if begun && !exists(&paths.db)? {
        let what = format!("the store is missing, but the control file has {}", known.tail);
        return Err(Error::corrupt(paths.sled.display(), what));
    }
    let sled = open_sled(&paths, known.stored, failpoints)?;

    let mut verifier = Verifier { tail: Tail::EMPTY, known: known.tail, at_known: Tail::EMPTY, progress, apply };
    verifier.follow(sled.records(Revision(1), Revision(u64::MAX)), &decode)?;
    let stored = verifier.tail;
    if stored.revision < known.stored {
        let what = format!("the control file has the store at revision {}, but it ends at {stored}", known.stored);
        return Err(Error::corrupt(format_args!("revision {}", stored.revision.next()), what));
    }
    let (wal, unflushed) = match wal {
        Some((mut wal, contents)) => {
            let unflushed = wal.records_after(contents, stored)?;
            verifier.follow(unflushed.iter().map(|record| Ok((record.first, record.bytes.clone()))), &decode)?;
            (wal, unflushed)
        }
        None => {
            let tail = verifier.end()?;
            format.write_current()?;
            (Wal::create(&paths.wal, tail, failpoints)?.0, Vec::new())
        }
    };
    let tail = verifier.end()?;
    progress.end();

    // The control file may only say what is durable. The write-ahead log is: it was read from the disk, or synced when
    // it was created. What opening has changed in sled isn't yet, so sled is synced before the control file is written.
    sled.sync()?;
    control.write(tail, stored.revision)?;
    // From now on a power cut leaves at least this known, however long the first flush takes to come.
    control.syncing()()?;
    // Before the first append is acknowledged: a synced file is lost with its folder's entry.
    paths.sync_folders()?;
    Ok(Opened { tail, format, wal, unflushed, control, sled, lock })
}

/// The control file is there, or nothing is.
fn open_control_file(
    paths: &Paths,
    format: &FormatFile,
    failpoints: &Failpoints,
) -> Result<(ControlFile, Progress), Error> {
    if !exists(&paths.control)? {
        let begun = exists(&paths.wal)? && !Wal::open(&paths.wal, failpoints)?.1.is_empty();
        if begun || exists(&paths.sled)? {
            return Err(Error::corrupt(paths.control.display(), "the file is missing, though there is a store"));
        }
        format.write_current()?;
        // Creating the log syncs the folder too, so both files stay. One of them alone, and empty, is what a crash in
        // between leaves: a journal that was never begun.
        ControlFile::create(&paths.control)?;
        Wal::create(&paths.wal, Tail::EMPTY, failpoints)?;
    }
    let (control, known) = ControlFile::open(&paths.control, &format.is_current, failpoints)?;
    if known.format() == Format::CURRENT {
        // It is so already, though somebody has taken the file away.
        format.write_current()?;
    }
    Ok((control, known))
}

/// The write-ahead log is there, or nothing was ever appended, or the journal was last written to by a version that had
/// none: then it is created once the store is verified, and whatever is there now is from a start that didn't end.
fn open_wal(paths: &Paths, known: Progress, failpoints: &Failpoints) -> Result<Option<(Wal, Contents)>, Error> {
    if !known.has_wal() {
        return Ok(None);
    }
    if exists(&paths.wal)? {
        forget_cached(&paths.wal)?;
        return Wal::open(&paths.wal, failpoints).map(Some);
    }
    if known.tail != Tail::EMPTY || exists(&paths.db)? {
        let what = format!("the file is missing, though the control file has {}", known.tail);
        return Err(Error::corrupt(paths.wal.display(), what));
    }
    Wal::create(&paths.wal, Tail::EMPTY, failpoints).map(Some)
}

fn open_sled(paths: &Paths, stored: Revision, failpoints: &Failpoints) -> Result<SledStore, Error> {
    if exists(&paths.db)? {
        check_writable(&paths.sled)?;
        forget_cached(&paths.db)?;
        snapshot_file::set_aside_damaged(&paths.sled)?;
    }
    let sled = SledStore::open(&paths.sled, stored, failpoints)?;
    close_to_others(&paths.sled)?;
    Ok(sled)
}

/// What has been verified so far, in order: each record must follow the one before.
struct Verifier<'a, F> {
    tail: Tail,
    /// The tail that the control file knows, and the entry that is there instead.
    known: Tail,
    at_known: Tail,
    progress: &'a ReplayProgress,
    apply: F,
}

impl<F> Verifier<'_, F> {
    /// Takes records that follow those taken so far.
    fn follow<T: Send>(
        &mut self,
        records: impl Iterator<Item = Result<(Revision, Vec<u8>), Error>> + Send,
        decode: &(impl Fn(Revision, &[u8]) -> Result<T, Error> + Sync),
    ) -> Result<(), Error>
    where
        F: FnMut(T),
    {
        parallel_read::in_order(records, |found| Verified::of(found?, decode), |verified| self.take(verified?))
    }

    fn take<T>(&mut self, verified: Verified<T>) -> Result<(), Error>
    where
        F: FnMut(T),
    {
        record::expect_next(self.tail, verified.key, verified.before)?;
        for (tail, decoded) in verified.entries {
            if tail.revision <= self.known.revision {
                self.at_known = tail;
            }
            (self.apply)(decoded);
        }
        self.tail = verified.tail;
        self.progress.reach(self.tail.revision);
        Ok(())
    }

    /// Where the journal ends: not before the tail that the control file knows.
    fn end(&self) -> Result<Tail, Error> {
        if self.at_known == self.known {
            return Ok(self.tail);
        }
        let location = self.at_known.revision.next().min(self.known.revision);
        let what = format!("the control file has {}, but the journal has instead {}", self.known, self.at_known);
        Err(Error::corrupt(format_args!("revision {location}"), what))
    }
}

/// A record, verified by itself, and what was decoded from its entries.
struct Verified<T> {
    key: Revision,
    before: Tail,
    tail: Tail,
    entries: Vec<(Tail, T)>,
}

impl<T> Verified<T> {
    fn of(
        (key, bytes): (Revision, Vec<u8>),
        decode: &impl Fn(Revision, &[u8]) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let record = record::decode(key, &bytes)?;
        let decoded = record.entries().map(|(tail, payload)| Ok((tail, decode(tail.revision, payload)?)));
        let entries = decoded.collect::<Result<_, Error>>()?;
        Ok(Self { key, before: record.before, tail: record.tail, entries })
    }
}

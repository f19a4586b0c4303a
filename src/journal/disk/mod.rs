//! The engine on disk: a write-ahead file that makes appends durable, and sled, which keeps them.
//!
//! A journal's folder holds `lock`, `witness`, `ahead` and `sled/`. An append is one write to the write-ahead file and
//! one sync of it; a thread carries what has gathered there over to sled ([`Backlog`]). So an acknowledgement costs
//! what the disk costs, and rests on a file that has no layout to lose; and neither of the two can lose something
//! without the other or the [`Witness`] telling.

mod control_file;
mod failpoints;
#[cfg(test)]
mod faults;
mod flusher;
mod pipeline;
mod sled_store;
mod wal;

use super::log::{Log, Records, Store};
use super::record::{self, Encoded};
use super::{ChainHash, Error, Journal, Reader, Stored, Tail};
use crate::model::revision::Revision;
use control_file::{Seen, Witness};
use failpoints::Calls;
use flusher::{Backlog, Waiting};
#[cfg(test)]
pub(super) use sled_store::open_store;

use rustix::fs::{Advice, FlockOperation, fadvise, flock};
use sled_store::Tree;
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use wal::{Ahead, Contents};

/// A journal in a folder, open in one process at a time.
///
/// The folder stays locked until the journal and all its readers are dropped.
pub struct DiskJournal {
    log: Log<DiskStore>,
    carrier: Option<JoinHandle<()>>,
}

struct DiskStore {
    backlog: Arc<Backlog>,
    ahead: Mutex<Ahead>,
    witness: Arc<Mutex<Witness>>,
    // Dropped in this order: the lock last.
    tree: Arc<Tree>,
    _lock: File,
}

impl DiskJournal {
    /// Opens the journal in `folder` as [`open_and_replay`](Self::open_and_replay) does, without a look at what
    /// the entries say.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_and_replay(folder, |_| Ok(()), |()| ())
    }

    /// Opens the journal in `folder`, creating it when nothing is there, and verifies all of it: checksums, contiguity
    /// from revision 1, the chain, and that it reaches what the witness saw. Reads it once for that: `decode` gets
    /// each entry, verified, on one of several threads, and `apply` what it made of them, in order, on this one.
    ///
    /// What `apply` got is the journal's only if this returns `Ok`.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] when another process has it open, [`Error::Corrupt`] when anything is amiss or missing,
    /// [`Error::Io`], and whatever `decode` gives.
    pub fn open_and_replay<T: Send>(
        folder: &Path,
        decode: impl Fn(&Stored) -> Result<T, Error> + Sync,
        apply: impl FnMut(T),
    ) -> Result<Self, Error> {
        Self::open_with(folder, &Calls::unwatched(), decode, apply)
    }

    fn open_with<T: Send>(
        folder: &Path,
        calls: &Calls,
        decode: impl Fn(&Stored) -> Result<T, Error> + Sync,
        mut apply: impl FnMut(T),
    ) -> Result<Self, Error> {
        let places = Places::of(folder);
        std::fs::create_dir_all(folder).map_err(Error::io(format!("create the folder {}", folder.display())))?;
        let lock = lock(folder)?;
        let (mut witness, seen) = places.open_witness(calls)?;
        let ahead = places.open_ahead(seen, calls)?;
        let begun = seen.tail != Tail::EMPTY || ahead.as_ref().is_some_and(|(_, found)| !found.is_empty());
        if begun && !exists(&places.db)? {
            let what = format!("the store is missing, but the witness saw {}", seen.tail);
            return Err(Error::corrupt(places.sled.display(), what));
        }

        let tree = places.open_tree(seen.stored, calls)?;
        let mut replay = Replay { tail: Tail::EMPTY, at_seen: Tail::EMPTY, seen: seen.tail, apply: &mut apply };
        let records = tree.records(Revision(1), Revision(u64::MAX));
        pipeline::in_order(records, |found| Verified::of(found?, &decode), |verified| replay.take(verified?))?;
        let stored = replay.tail;
        if stored.revision < seen.stored {
            let what = format!("the witness saw the store at revision {}, and it has instead {stored}", seen.stored);
            return Err(Error::corrupt(format_args!("revision {}", stored.revision.next()), what));
        }

        let (ahead, following) = match ahead {
            Some((ahead, found)) => (Some(ahead), found.after(&places.ahead, stored)?),
            None => (None, Vec::new()),
        };
        let ours = following.iter().map(|(_, found)| (found.record.before.revision.next(), found.bytes.clone()));
        pipeline::in_order(ours, |found| Verified::of(found, &decode), |verified| replay.take(verified?))?;
        let tail = replay.end()?;
        let mut ahead = match ahead {
            Some(ahead) => ahead,
            None => Ahead::create(&places.ahead, tail, calls)?.0,
        };
        ahead.resume_after(&following);

        tree.sync()?;
        witness.write(Seen { tail, stored: stored.revision, ahead: true })?;
        witness.syncing()()?;
        places.sync_folders()?;
        let backlog = Arc::new(Backlog::new(following.into_iter().map(Waiting::from).collect()));
        let store = DiskStore {
            backlog,
            ahead: Mutex::new(ahead),
            witness: Arc::new(Mutex::new(witness)),
            tree: Arc::new(tree),
            _lock: lock,
        };
        Ok(Self { carrier: Some(store.start_carrier()?), log: Log::new(store, tail) })
    }

    /// Closes the journal, and reports what dropping it would keep to itself.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store can't take what is left, or the witness can't be synced. All appended entries are
    /// durable in any case.
    pub fn close(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(carrier) = self.carrier.take() else { return Ok(()) };
        let store = self.log.store();
        store.backlog.close();
        let ended = carrier.join().map_err(|_| "its thread panicked".to_owned());
        if let Some(cause) = ended.err().or_else(|| store.backlog.failure()) {
            return Err(Error::io("carry entries over to the store")(std::io::Error::other(cause)));
        }
        let sync = store.witness().syncing();
        sync()
    }

    /// Waits until the store has all that was appended, or never will.
    #[cfg(test)]
    pub(super) fn catch_up(&self) {
        self.log.store().backlog.catch_up();
    }

    #[cfg(test)]
    pub(super) fn insert_behind_its_back(&self, first: Revision) {
        self.log.store().tree.insert_behind_its_back(first);
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
        self.log.tail()
    }

    fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, Error> {
        self.log.append(after, payloads)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.log.reader()
    }
}

impl DiskStore {
    fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_carrier(&self) -> Result<JoinHandle<()>, Error> {
        let (backlog, tree, witness) = (Arc::clone(&self.backlog), Arc::clone(&self.tree), Arc::clone(&self.witness));
        thread::Builder::new()
            .name("carrier".to_owned())
            .spawn(move || backlog.carry_over(&tree, &witness))
            .map_err(Error::io("start a thread"))
    }
}

impl Store for DiskStore {
    fn put(&self, first: Revision, record: Encoded) -> Result<(), Error> {
        self.tree.check_room()?;
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ahead.place_for(record.bytes.len());
        self.backlog.wait_for(&place)?;
        let durable = ahead.write(&place, &record.bytes).and_then(|()| self.witness().write_tail(record.tail));
        durable.inspect_err(|failure| self.backlog.fail(failure.to_string()))?;
        self.backlog.push(Waiting { place, first, tail: record.tail, bytes: record.bytes });
        Ok(())
    }

    fn records(&self, from: Revision, to: Revision) -> Records<'_> {
        // First what is not in the tree: what leaves the backlog after this is.
        let (waiting, oldest) = self.backlog.records(from, to);
        let ours = waiting.into_iter().map(|record| Ok((record.first, record.bytes.clone())));
        let in_tree = oldest.map_or(to, |oldest| to.min(Revision(oldest.0 - 1)));
        if from > in_tree { Box::new(ours) } else { Box::new(self.tree.records(from, in_tree).chain(ours)) }
    }
}

/// A record, verified by itself, and what was made of its entries.
struct Verified<T> {
    key: Revision,
    before: Tail,
    tail: Tail,
    entries: Vec<(Tail, T)>,
}

impl<T> Verified<T> {
    fn of((key, bytes): (Revision, Vec<u8>), decode: &impl Fn(&Stored) -> Result<T, Error>) -> Result<Self, Error> {
        let record = record::decode(key, &bytes)?;
        let decoded = |entry: Stored| Ok((Tail { revision: entry.revision, hash: entry.hash }, decode(&entry)?));
        let entries = record.entries.into_iter().map(decoded).collect::<Result<_, Error>>()?;
        Ok(Self { key, before: record.before, tail: record.tail, entries })
    }
}

/// The way through all records at the start.
struct Replay<'a, F> {
    tail: Tail,
    /// What the witness saw, and the entry that is there instead.
    seen: Tail,
    at_seen: Tail,
    apply: &'a mut F,
}

impl<F> Replay<'_, F> {
    fn take<T>(&mut self, verified: Verified<T>) -> Result<(), Error>
    where
        F: FnMut(T),
    {
        record::expect_next(self.tail, verified.key, verified.before)?;
        for (tail, decoded) in verified.entries {
            if tail.revision <= self.seen.revision {
                self.at_seen = tail;
            }
            (self.apply)(decoded);
        }
        self.tail = verified.tail;
        Ok(())
    }

    /// Where the journal ends: not before what the witness saw.
    fn end(&self) -> Result<Tail, Error> {
        if self.at_seen == self.seen {
            return Ok(self.tail);
        }
        let place = self.at_seen.revision.next().min(self.seen.revision);
        let what = format!("the witness saw {}, and the journal has instead {}", self.seen, self.at_seen);
        Err(Error::corrupt(format_args!("revision {place}"), what))
    }
}

/// Where the parts of a journal are.
struct Places {
    folder: PathBuf,
    witness: PathBuf,
    ahead: PathBuf,
    sled: PathBuf,
    db: PathBuf,
}

impl Places {
    fn of(folder: &Path) -> Self {
        let sled = folder.join("sled");
        Self {
            folder: folder.to_owned(),
            witness: folder.join("witness"),
            ahead: folder.join("ahead"),
            db: sled.join("db"),
            sled,
        }
    }

    /// The witness is there, or nothing is.
    fn open_witness(&self, calls: &Calls) -> Result<(Witness, Seen), Error> {
        if !exists(&self.witness)? {
            let begun = exists(&self.ahead)? && !Ahead::open(&self.ahead, calls)?.1.is_empty();
            if begun || exists(&self.sled)? {
                return Err(Error::corrupt(self.witness.display(), "the file is missing, though there is a store"));
            }
            Witness::create(&self.witness)?;
            Ahead::create(&self.ahead, Tail::EMPTY, calls)?;
        }
        Witness::open(&self.witness, calls)
    }

    /// The write-ahead file is there, or nothing was ever appended, or the journal was last written to by a version
    /// that had none: it is to be made once the store is verified, and whatever is there now was made by a start
    /// that didn't end.
    fn open_ahead(&self, seen: Seen, calls: &Calls) -> Result<Option<(Ahead, Contents)>, Error> {
        if !seen.ahead {
            return Ok(None);
        }
        if exists(&self.ahead)? {
            forget_cached(&self.ahead)?;
            return Ahead::open(&self.ahead, calls).map(Some);
        }
        if seen.tail != Tail::EMPTY || exists(&self.db)? {
            let what = format!("the file is missing, though the witness saw {}", seen.tail);
            return Err(Error::corrupt(self.ahead.display(), what));
        }
        Ahead::create(&self.ahead, Tail::EMPTY, calls).map(Some)
    }

    fn open_tree(&self, stored: Revision, calls: &Calls) -> Result<Tree, Error> {
        if exists(&self.db)? {
            forget_cached(&self.db)?;
        }
        Tree::open(&self.sled, stored, calls)
    }

    /// Makes durable what opening has made: sled's own files, and the folders that they are in.
    fn sync_folders(&self) -> Result<(), Error> {
        let parent = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for path in [&self.sled.join("conf"), &self.sled.join("blobs"), &self.sled, &self.folder, parent] {
            sync_folder(path)?;
        }
        Ok(())
    }
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io(format!("look for {}", path.display())))
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { path: folder.to_owned() }),
        Err(errno) => Err(Error::io(format!("lock {}", path.display()))(errno.into())),
    }
}

/// Makes a folder's entries durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(format!("sync {}", path.display())))
}

/// Makes what is read next come from the disk. After a failed sync, the kernel may keep pages as clean that never
/// reached it: an append that was not acknowledged would look durable after a restart, until the power fails.
fn forget_cached(path: &Path) -> Result<(), Error> {
    let forget = || {
        let file = File::open(path)?;
        file.sync_data()?;
        Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
    };
    forget().map_err(Error::io(format!("sync {}", path.display())))
}

//! The engine on disk: a write-ahead file that makes appends durable, and sled, which keeps them.
//!
//! A journal's folder holds `lock`, `witness`, `ahead` and `sled/`. An append is one write to the write-ahead file and
//! one sync of it; a thread carries what has gathered there over to sled ([`Flusher`]). So an acknowledgement costs
//! what the disk costs, and rests on a file that has no layout to lose; and neither of the two can lose something
//! without the other or the [`ControlFile`] telling.

mod control_file;
mod failpoints;
#[cfg(test)]
mod faults;
mod files;
mod flusher;
mod pipeline;
mod sled_store;
#[cfg(test)]
mod tests;
mod wal;

use super::contract::{ChainHash, Error, Journal, Reader, Stored, Tail};
use super::log::{Log, Records, Store};
use super::record::{self, Encoded};
use crate::model::revision::Revision;
use control_file::{ControlFile, Progress};
use failpoints::Failpoints;
use files::{Paths, exists, forget_cached, lock};
use flusher::{Flusher, Waiting};
use sled_store::SledStore;
use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use wal::{Contents, Wal};

/// A journal in a folder, open in one process at a time.
///
/// The folder stays locked until the journal and all its readers are dropped.
pub struct DiskJournal {
    log: Log<DiskStore>,
    flushing: Option<JoinHandle<()>>,
}

struct DiskStore {
    flusher: Arc<Flusher>,
    ahead: Mutex<Wal>,
    witness: Arc<Mutex<ControlFile>>,
    // Dropped in this order: the lock last.
    sled: Arc<SledStore>,
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
        Self::open_with(folder, &Failpoints::none(), decode, apply)
    }

    fn open_with<T: Send>(
        folder: &Path,
        failpoints: &Failpoints,
        decode: impl Fn(&Stored) -> Result<T, Error> + Sync,
        mut apply: impl FnMut(T),
    ) -> Result<Self, Error> {
        let places = Paths::of(folder);
        std::fs::create_dir_all(folder).map_err(Error::io(format!("create the folder {}", folder.display())))?;
        let lock = lock(folder)?;
        let (mut witness, seen) = places.open_control(failpoints)?;
        let ahead = places.open_wal(seen, failpoints)?;
        let begun = seen.tail != Tail::EMPTY || ahead.as_ref().is_some_and(|(_, found)| !found.is_empty());
        if begun && !exists(&places.db)? {
            let what = format!("the store is missing, but the witness saw {}", seen.tail);
            return Err(Error::corrupt(places.sled.display(), what));
        }

        let sled = places.open_sled(seen.stored, failpoints)?;
        let mut replay = Replay { tail: Tail::EMPTY, at_known: Tail::EMPTY, seen: seen.tail, apply: &mut apply };
        let records = sled.records(Revision(1), Revision(u64::MAX));
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
            None => Wal::create(&places.ahead, tail, failpoints)?.0,
        };
        ahead.resume_after(&following);

        sled.sync()?;
        witness.write(Progress { tail, stored: stored.revision, ahead: true })?;
        witness.syncing()()?;
        places.sync_folders()?;
        let flusher = Arc::new(Flusher::new(following.into_iter().map(Waiting::from).collect()));
        let store = DiskStore {
            flusher,
            ahead: Mutex::new(ahead),
            witness: Arc::new(Mutex::new(witness)),
            sled: Arc::new(sled),
            _lock: lock,
        };
        Ok(Self { flushing: Some(store.start_flusher()?), log: Log::new(store, tail) })
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
        let Some(flushing) = self.flushing.take() else { return Ok(()) };
        let store = self.log.store();
        store.flusher.close();
        let ended = flushing.join().map_err(|_| "its thread panicked".to_owned());
        if let Some(cause) = ended.err().or_else(|| store.flusher.failure()) {
            return Err(Error::io("carry entries over to the store")(std::io::Error::other(cause)));
        }
        let sync = store.witness().syncing();
        sync()
    }

    /// Waits until the store has all that was appended, or never will.
    #[cfg(test)]
    pub(super) fn catch_up(&self) {
        self.log.store().flusher.catch_up();
    }

    #[cfg(test)]
    pub(super) fn insert_behind_its_back(&self, first: Revision) {
        self.log.store().sled.insert_behind_its_back(first);
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
    fn witness(&self) -> MutexGuard<'_, ControlFile> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_flusher(&self) -> Result<JoinHandle<()>, Error> {
        let (flusher, sled, witness) = (Arc::clone(&self.flusher), Arc::clone(&self.sled), Arc::clone(&self.witness));
        thread::Builder::new()
            .name("flusher".to_owned())
            .spawn(move || flusher.run(&sled, &witness))
            .map_err(Error::io("start a thread"))
    }
}

impl Store for DiskStore {
    fn put(&self, first: Revision, record: Encoded) -> Result<(), Error> {
        self.sled.check_room()?;
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ahead.place_for(record.bytes.len());
        self.flusher.wait_for(&place)?;
        let durable = ahead.write(&place, &record.bytes).and_then(|()| self.witness().write_tail(record.tail));
        durable.inspect_err(|failure| self.flusher.fail(failure.to_string()))?;
        self.flusher.push(Waiting { place, first, tail: record.tail, bytes: record.bytes });
        Ok(())
    }

    fn records(&self, from: Revision, to: Revision) -> Records<'_> {
        // First what is not in the sled: what leaves the flusher after this is.
        let (waiting, oldest) = self.flusher.records(from, to);
        let ours = waiting.into_iter().map(|record| Ok((record.first, record.bytes.clone())));
        let in_tree = oldest.map_or(to, |oldest| to.min(Revision(oldest.0 - 1)));
        if from > in_tree { Box::new(ours) } else { Box::new(self.sled.records(from, in_tree).chain(ours)) }
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
    at_known: Tail,
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
                self.at_known = tail;
            }
            (self.apply)(decoded);
        }
        self.tail = verified.tail;
        Ok(())
    }

    /// Where the journal ends: not before what the witness saw.
    fn end(&self) -> Result<Tail, Error> {
        if self.at_known == self.seen {
            return Ok(self.tail);
        }
        let place = self.at_known.revision.next().min(self.seen.revision);
        let what = format!("the witness saw {}, and the journal has instead {}", self.seen, self.at_known);
        Err(Error::corrupt(format_args!("revision {place}"), what))
    }
}

impl Paths {
    /// The witness is there, or nothing is.
    fn open_control(&self, failpoints: &Failpoints) -> Result<(ControlFile, Progress), Error> {
        if !exists(&self.witness)? {
            let begun = exists(&self.ahead)? && !Wal::open(&self.ahead, failpoints)?.1.is_empty();
            if begun || exists(&self.sled)? {
                return Err(Error::corrupt(self.witness.display(), "the file is missing, though there is a store"));
            }
            ControlFile::create(&self.witness)?;
            Wal::create(&self.ahead, Tail::EMPTY, failpoints)?;
        }
        ControlFile::open(&self.witness, failpoints)
    }

    /// The write-ahead file is there, or nothing was ever appended, or the journal was last written to by a version
    /// that had none: it is to be made once the store is verified, and whatever is there now was made by a start
    /// that didn't end.
    fn open_wal(&self, seen: Progress, failpoints: &Failpoints) -> Result<Option<(Wal, Contents)>, Error> {
        if !seen.ahead {
            return Ok(None);
        }
        if exists(&self.ahead)? {
            forget_cached(&self.ahead)?;
            return Wal::open(&self.ahead, failpoints).map(Some);
        }
        if seen.tail != Tail::EMPTY || exists(&self.db)? {
            let what = format!("the file is missing, though the witness saw {}", seen.tail);
            return Err(Error::corrupt(self.ahead.display(), what));
        }
        Wal::create(&self.ahead, Tail::EMPTY, failpoints).map(Some)
    }

    fn open_sled(&self, stored: Revision, failpoints: &Failpoints) -> Result<SledStore, Error> {
        if exists(&self.db)? {
            forget_cached(&self.db)?;
        }
        SledStore::open(&self.sled, stored, failpoints)
    }
}

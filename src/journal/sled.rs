//! The engine on disk: sled 0.34, with nothing resting on its word alone.
//!
//! A journal's folder holds `lock`, `witness` and `sled/`. What was learnt about sled, and what follows:
//!
//! - Its `flush` is `sync_file_range` on Linux, which a power cut undoes: `fdatasync` on its file follows each.
//! - A leaf of more than a quarter of a segment is written to a file in `blobs/` that nothing syncs. A leaf
//!   holds up to 17 values and is rewritten as a whole, so it is the *leaf* that must stay below: records are
//!   cut into parts of [`PART_BYTES_MAX`], and 17 of them fit a quarter of a segment.
//! - It recovers a prefix of its log. So a record's first part is written last: where it is, the others are.
//! - It opens a damaged file as a shorter one, even as an empty one: see [`Witness`].
//! - It panics on some damage: every call is sheltered.
//! - Its cache lets go of a leaf only after some thousands of reads, whatever its limit: a scan may leave
//!   most of what it read in memory. Smaller parts make smaller leaves, and so less of it.
//! - It may wait for ever once the disk is full: an append is refused while there is still room.

use super::{
    ChainHash, Error, Journal, Reader, Revision, Tail,
    record::Encoded,
    store::{Log, Records, Store},
    witness::Witness,
};
use rustix::fs::{Advice, FlockOperation, fadvise, flock, fstatvfs};
use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

const SEGMENT_BYTES: usize = 8 << 20;
/// A journal is read once, at the start; the least that keeps its newest leaves at hand.
const CACHE_BYTES: u64 = 16 << 20;
/// 17 of these, with their keys, stay well below a quarter of a segment; smaller ones cost appends, larger ones memory.
const PART_BYTES_MAX: usize = 32 << 10;
/// More than one append can take, whatever sled rewrites on the way.
const ROOM_BYTES_MIN: u64 = 64 << 20;
/// sled lets go of its own lock a moment after it is dropped.
const STORE_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// A journal in a folder, open in one process at a time.
///
/// The folder stays locked until the journal and all its readers are dropped.
pub struct SledJournal(Log<SledStore>);

struct SledStore {
    /// sled's file, opened beside it to be synced.
    file: File,
    witness: Mutex<Witness>,
    // Dropped in this order: the lock last.
    db: sled::Db,
    _lock: File,
}

impl SledJournal {
    /// Opens the journal in `folder`, creating it when neither the witness nor the store is there, and verifies
    /// all of it: checksums, contiguity from revision 1, the chain, and that it reaches what the witness saw.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] when another process has it open, [`Error::Corrupt`] when anything is amiss or missing,
    /// [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let in_folder = |doing: &str| format!("{doing} {}", folder.display());
        std::fs::create_dir_all(folder).map_err(Error::io(in_folder("create the folder")))?;
        let lock = lock(folder)?;
        let (witness_path, path) = (folder.join("witness"), folder.join("sled"));
        if !exists(&witness_path)? {
            if exists(&path)? {
                return Err(Error::corrupt(witness_path.display(), "the file is missing, though there is a store"));
            }
            Witness::create(&witness_path)?;
        }
        let (witness, seen) = Witness::open(&witness_path)?;
        if seen != Tail::EMPTY && !exists(&path.join("db"))? {
            return Err(Error::corrupt(path.display(), format!("the store is missing, but the witness saw {seen}")));
        }

        forget_cached(&path.join("db"))?;
        let db = open_store(&path)?;
        drop_unfinished(&db, seen.revision)?;
        let file = File::open(path.join("db")).map_err(Error::io(in_folder("open the store in")))?;
        let store = SledStore { file, witness: Mutex::new(witness), db, _lock: lock };
        let mut at_seen = Tail::EMPTY;
        let log = Log::open(store, &mut |entry| {
            if entry.revision <= seen.revision {
                at_seen = Tail { revision: entry.revision, hash: entry.hash };
            }
        })?;
        if at_seen != seen {
            let place = at_seen.revision.next().min(seen.revision);
            let what = format!("the witness saw {seen}, and the store has instead {at_seen}");
            return Err(Error::corrupt(format_args!("revision {place}"), what));
        }
        log.store().settle(folder, log.tail())?;
        Ok(Self(log))
    }

    /// Closes the journal, and reports what dropping it would keep to itself.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the witness can't be synced. All appended entries are durable in any case.
    pub fn close(self) -> Result<(), Error> {
        self.0.store().witness().sync()
    }

    #[cfg(test)]
    pub(super) fn insert_behind_its_back(&self, key: &[u8]) {
        self.0.store().db.insert(key, b"not ours").unwrap();
    }
}

impl Drop for SledJournal {
    fn drop(&mut self) {
        // Every acknowledged append is durable already: this only brings the witness up to it.
        let _ = self.0.store().witness().sync();
    }
}

impl Journal for SledJournal {
    fn tail(&self) -> Tail {
        self.0.tail()
    }

    fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, Error> {
        self.0.append(after, payloads)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.0.reader()
    }
}

impl SledStore {
    fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) -> Result<(), Error> {
        sheltered("flush the store", || self.db.flush())?;
        self.file.sync_data().map_err(Error::io("sync the store"))
    }

    /// Makes what opening has written durable: sled's own files, the witness, and the folders they are in.
    fn settle(&self, folder: &Path, tail: Tail) -> Result<(), Error> {
        self.sync()?;
        {
            let mut witness = self.witness();
            witness.write(tail)?;
            witness.sync()?;
        }
        let store = folder.join("sled");
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for path in [&store.join("conf"), &store.join("blobs"), &store, folder, parent] {
            File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(format!("sync {}", path.display())))?;
        }
        Ok(())
    }

    fn check_room(&self) -> Result<(), Error> {
        let disk = fstatvfs(&self.file).map_err(|errno| Error::io("ask for free space")(errno.into()))?;
        let bytes_free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if bytes_free < ROOM_BYTES_MIN {
            return Err(Error::NoRoom { bytes_free, bytes_min: ROOM_BYTES_MIN });
        }
        Ok(())
    }
}

impl Store for SledStore {
    fn put(&self, first: Revision, record: &Encoded) -> Result<(), Error> {
        self.check_room()?;
        let parts = (0_u16..).zip(record.bytes.chunks(PART_BYTES_MAX)).collect::<Vec<_>>();
        for (part, bytes) in parts.into_iter().rev() {
            let key = key(first, part);
            let swapped =
                sheltered("write to the store", || self.db.compare_and_swap(key, None::<&[u8]>, Some(bytes)))?;
            if swapped.is_err() {
                return Err(Error::corrupt(format_args!("revision {first}"), "another writer has put a record there"));
            }
        }
        self.sync()?;
        self.witness().write(record.tail)
    }

    fn records(&self, from: Revision, to: Revision) -> Records<'_> {
        let start = match sheltered("read the store", || self.db.range(..=key(from, u16::MAX)).next_back().transpose())
        {
            Ok(found) => found.and_then(|(key, _)| parse_key(&key)).map_or(Revision::ZERO, |(first, _)| first),
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let mut pairs = self.db.range(key(start, 0)..=key(to, u16::MAX));
        let mut parts =
            std::iter::from_fn(move || sheltered("read the store", || pairs.next().transpose()).transpose())
                .map(|pair| pair.and_then(Part::parse))
                .peekable();
        Box::new(std::iter::from_fn(move || {
            Some(parts.next()?.and_then(|head| {
                let first = head.first;
                head.expect_number(0)?;
                let mut record = head.bytes.to_vec();
                for number in 1.. {
                    let Some(part) = parts.next_if(|next| next.as_ref().is_ok_and(|part| part.first == first)) else {
                        break;
                    };
                    let part = part?;
                    part.expect_number(number)?;
                    record.extend_from_slice(&part.bytes);
                }
                Ok((first, record))
            }))
        }))
    }
}

/// One key and value of the store.
struct Part {
    first: Revision,
    number: u16,
    bytes: sled::IVec,
}

impl Part {
    fn parse((key, bytes): (sled::IVec, sled::IVec)) -> Result<Self, Error> {
        let (first, number) = parse_key(&key)
            .ok_or_else(|| Error::corrupt("the store", format!("a key of {} bytes isn't the journal's", key.len())))?;
        Ok(Self { first, number, bytes })
    }

    fn expect_number(&self, expected: u16) -> Result<(), Error> {
        if self.number == expected {
            return Ok(());
        }
        let what = format!("part {expected} of the record is missing: part {} comes instead", self.number);
        Err(Error::corrupt(format_args!("revision {}", self.first), what))
    }
}

/// The key of a part: the first revision of its record, and the part's number, both big-endian.
fn key(first: Revision, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&first.0.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Option<(Revision, u16)> {
    let (first, part) = key.split_first_chunk::<8>()?;
    Some((Revision(u64::from_be_bytes(*first)), u16::from_be_bytes(part.try_into().ok()?)))
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

pub(super) fn open_store(path: &Path) -> Result<sled::Db, Error> {
    let deadline = Instant::now() + STORE_LOCK_TIMEOUT;
    loop {
        let config =
            sled::Config::new().path(path).segment_size(SEGMENT_BYTES).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        match sheltered("open the store", || config.open()) {
            Err(Error::Io { source, .. })
                if source.to_string().starts_with("could not acquire lock") && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// Makes what is read next come from the disk. After a failed sync, the kernel may keep pages as clean that never
/// reached it: an append that was not acknowledged would look durable after a restart, until the power fails.
fn forget_cached(path: &Path) -> Result<(), Error> {
    if exists(path)? {
        let forget = || {
            let file = File::open(path)?;
            file.sync_data()?;
            Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
        };
        forget().map_err(Error::io("sync the store"))?;
    }
    Ok(())
}

/// Removes the parts at the end that have no first part: a crash came between, so nobody was told of them.
fn drop_unfinished(db: &sled::Db, seen: Revision) -> Result<(), Error> {
    while let Some(last) = sheltered("read the store", || db.last())? {
        let Part { first, number, .. } = Part::parse(last)?;
        let finished = sheltered("read the store", || db.contains_key(key(first, 0)))?;
        if finished || first <= seen {
            break;
        }
        sheltered("tidy the store", || db.remove(key(first, number)))?;
    }
    Ok(())
}

/// Runs a call into sled, which panics on some kinds of damage, and puts its errors in our words.
fn sheltered<T>(doing: &str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(source))) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Err(Error::io(doing)(source))
        }
        Ok(Err(damage)) => Err(Error::corrupt("the store", format!("can't {doing}: {damage}"))),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(Error::corrupt("the store", format!("can't {doing}: sled panicked: {said}")))
        }
    }
}

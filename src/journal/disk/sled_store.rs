//! sled 0.34, whose promises alone are not relied on. What was found, and what follows:
//!
//! - Its `flush` is `sync_file_range` on Linux, which a power cut undoes: `fdatasync` on its file follows each.
//! - A leaf of more than a quarter of a segment is written to a file in `blobs/` that nothing syncs. A leaf
//!   holds up to 17 values and is rewritten as a whole, so it is the *leaf* that must stay below: records are
//!   cut into chunks of [`CHUNK_BYTES_MAX`], and 17 of them fit a quarter of a segment.
//! - It recovers a prefix of its log. So a record's first chunk is written last: where it is, the others are.
//! - It opens a damaged file as a shorter one, even as an empty one: the control file and the write-ahead log show it.
//! - It panics on some damage: every call catches panics.
//! - Its cache lets go of a leaf only after some thousands of reads, whatever its limit: a scan may leave
//!   most of what it read in memory. Smaller chunks make smaller leaves, and so less of it.
//! - It may wait for ever once the disk is full: nothing is put unless there is still space.

use super::failpoints::Failpoints;
use super::files::check_free_space;
use crate::journal::contract::Error;
use crate::journal::over_store::Records;
use crate::model::revision::Revision;
use std::{
    any::Any,
    fs::File,
    io,
    iter::Peekable,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::{Duration, Instant},
};

const SEGMENT_BYTES: usize = 8 << 20;
/// A journal is read once, at the start; the least that keeps its newest leaves at hand.
const CACHE_BYTES: u64 = 16 << 20;
/// 17 of these, with their keys, stay well below a quarter of a segment. sled writes a leaf anew as it fills, and what it
/// wrote before goes on taking space; of smaller leaves less is left, and of much smaller ones a scan takes longer.
/// Versions before 0.3 put chunks of 32 KiB.
const CHUNK_BYTES_MAX: usize = 8 << 10;
/// sled lets go of its own lock a moment after it is dropped.
const STORE_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The records in sled.
pub(super) struct SledStore {
    db: sled::Db,
    /// sled's file, opened beside it to be synced.
    file: File,
    failpoints: Failpoints,
}

impl SledStore {
    /// Opens or creates the store in a folder, without the chunks of a record after `stored` that was never
    /// finished: a crash came between, and the write-ahead log has all of it.
    pub(super) fn open(path: &Path, stored: Revision, failpoints: &Failpoints) -> Result<Self, Error> {
        let db = open_store(path)?;
        drop_unfinished(&db, stored)?;
        let file = File::open(path.join("db")).map_err(Error::io(format!("open the store in {}", path.display())))?;
        Ok(Self { db, file, failpoints: failpoints.clone() })
    }

    /// Puts a record under its first revision. Durable once [`sync`](Self::sync) returns.
    pub(super) fn put(&self, first: Revision, record: &[u8]) -> Result<(), Error> {
        let chunks = (0_u16..).zip(record.chunks(CHUNK_BYTES_MAX)).collect::<Vec<_>>();
        // The last chunk first: sled recovers a prefix of what was put, so a record whose first chunk is there is whole.
        for (number, bytes) in chunks.into_iter().rev() {
            let key = key(first, number);
            let doing = "write to the store";
            let swap = || catching_panics(doing, || self.db.compare_and_swap(key, None::<&[u8]>, Some(bytes)));
            if self.failpoints.around(doing, swap)?.is_err() {
                return Err(Error::corrupt(format_args!("revision {first}"), "another writer has put a record there"));
            }
        }
        Ok(())
    }

    /// Makes all that was put durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.failpoints.around("flush the store", || catching_panics("flush the store", || self.db.flush()))?;
        self.failpoints.around("sync the store", || self.file.sync_data().map_err(Error::io("sync the store")))
    }

    /// Refuses when the disk is nearly full.
    pub(super) fn check_free_space(&self) -> Result<(), Error> {
        check_free_space(&self.file)
    }

    /// As [`Store::records`](crate::journal::over_store::Store::records), of what is in sled.
    pub(super) fn records(&self, from: Revision, to: Revision) -> Records<'_> {
        // The record that holds `from` may begin before it.
        let start =
            match catching_panics("read the store", || self.db.range(..=key(from, u16::MAX)).next_back().transpose()) {
                Ok(found) => found.and_then(|(key, _)| parse_key(&key)).map_or(Revision::ZERO, |(first, _)| first),
                Err(error) => return Box::new(std::iter::once(Err(error))),
            };
        let mut pairs = self.db.range(key(start, 0)..=key(to, u16::MAX));
        let mut chunks =
            std::iter::from_fn(move || catching_panics("read the store", || pairs.next().transpose()).transpose())
                .map(|pair| pair.and_then(Chunk::parse))
                .peekable();
        Box::new(std::iter::from_fn(move || Some(chunks.next()?.and_then(|head| join(&head, &mut chunks)))))
    }

    #[cfg(test)]
    pub(super) fn insert_behind_its_back(&self, first: Revision) {
        self.db.insert(key(first, 0), b"not ours").unwrap();
    }
}

/// One key and value of the store.
struct Chunk {
    first: Revision,
    number: u16,
    bytes: sled::IVec,
}

impl Chunk {
    fn parse((key, bytes): (sled::IVec, sled::IVec)) -> Result<Self, Error> {
        let (first, number) = parse_key(&key)
            .ok_or_else(|| Error::corrupt("the store", format!("a key of {} bytes isn't the journal's", key.len())))?;
        Ok(Self { first, number, bytes })
    }

    fn expect_number(&self, expected: u16) -> Result<(), Error> {
        if self.number == expected {
            return Ok(());
        }
        let what = format!("chunk {expected} of the record is missing: chunk {} comes instead", self.number);
        Err(Error::corrupt(format_args!("revision {}", self.first), what))
    }
}

/// A record and its first revision, from its first chunk and as many of the rest as are of the same record.
fn join(
    head: &Chunk,
    rest: &mut Peekable<impl Iterator<Item = Result<Chunk, Error>>>,
) -> Result<(Revision, Vec<u8>), Error> {
    head.expect_number(0)?;
    let mut record = head.bytes.to_vec();
    for number in 1.. {
        // An error is the record's own: without it, the record would look damaged where the disk only failed.
        let Some(chunk) = rest.next_if(|next| next.as_ref().map_or(true, |chunk| chunk.first == head.first)) else {
            break;
        };
        let chunk = chunk?;
        chunk.expect_number(number)?;
        record.extend_from_slice(&chunk.bytes);
    }
    Ok((head.first, record))
}

/// The key of a chunk: the first revision of its record, and the chunk's number, both big-endian.
fn key(first: Revision, number: u16) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&first.0.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Option<(Revision, u16)> {
    let (first, number) = key.split_first_chunk::<8>()?;
    Some((Revision(u64::from_be_bytes(*first)), u16::from_be_bytes(number.try_into().ok()?)))
}

pub(super) fn open_store(path: &Path) -> Result<sled::Db, Error> {
    let deadline = Instant::now() + STORE_LOCK_TIMEOUT;
    loop {
        let config =
            sled::Config::new().path(path).segment_size(SEGMENT_BYTES).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        match catching_panics("open the store", || config.open()) {
            Err(Error::Io { source, .. })
                if source.to_string().starts_with("could not acquire lock") && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// Removes the chunks at the end whose record has no first chunk. From the last backwards, so that a crash in between
/// leaves the same to do again.
fn drop_unfinished(db: &sled::Db, stored: Revision) -> Result<(), Error> {
    while let Some(last) = catching_panics("read the store", || db.last())? {
        let Chunk { first, number, .. } = Chunk::parse(last)?;
        let finished = catching_panics("read the store", || db.contains_key(key(first, 0)))?;
        if finished || first <= stored {
            break;
        }
        catching_panics("tidy the store", || db.remove(key(first, number)))?;
    }
    Ok(())
}

/// Runs a call into sled, which panics on some kinds of damage, and puts its errors in our words.
fn catching_panics<T>(doing: &str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(source))) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Err(Error::io(doing)(source))
        }
        // Its own words are for whoever mends sled.
        Ok(Err(damage @ sled::Error::Corruption { .. })) => {
            tracing::debug!(%damage, "can't {doing}");
            Err(Error::corrupt("the store", format!("can't {doing}: what it has isn't what was written")))
        }
        Ok(Err(other)) => Err(Error::corrupt("the store", format!("can't {doing}: {other}"))),
        Err(panic) => {
            Err(Error::corrupt("the store", format!("can't {doing}: sled panicked: {}", panic_message(&*panic))))
        }
    }
}

/// What a panic says.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_the_middle_of_a_record_is_what_reading_it_gives() {
        let chunk = |first, number| Chunk { first: Revision(first), number, bytes: sled::IVec::from(b"x") };
        let joined = |rest: Vec<Result<Chunk, Error>>| {
            let mut rest = rest.into_iter().peekable();
            let record = join(&chunk(7, 0), &mut rest);
            (record, rest.count())
        };

        let (record, left) = joined(vec![Ok(chunk(7, 1)), Ok(chunk(8, 0))]);
        assert_eq!((record.unwrap(), left), ((Revision(7), b"xx".to_vec()), 1));
        let failure = Error::io("read the store")(io::Error::other("no such luck"));
        let (record, _) = joined(vec![Ok(chunk(7, 1)), Err(failure), Ok(chunk(7, 2))]);
        assert!(matches!(record, Err(Error::Io { .. })), "{record:?}");
        let (record, _) = joined(vec![Ok(chunk(7, 2))]);
        assert!(matches!(record, Err(Error::Corrupt { .. })), "{record:?}");
    }
}

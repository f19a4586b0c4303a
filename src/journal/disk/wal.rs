//! The write-ahead log: where an append becomes durable, before the store has it.
//!
//! It is a ring of blocks in a file that is written over in place: nothing about the file itself changes, so that one
//! `fdatasync` of the record's own bytes is all that an acknowledgement waits for. A record begins at a block and is
//! followed by zeros up to the next one: no write touches a block that holds an acknowledged record still needed.
//! The file grows to its full size with what is appended, so that a small journal stays small.
//!
//! Block 0 has, in [`HEADER_BYTES`], where the journal ended when the file was created: 8 bytes of magic, the
//! revision, the chain hash, BLAKE3 of these. The ring follows. Each record has before it 4 bytes of magic and 4 of its
//! length.
//!
//! Which record is the newest follows from the records: they name their revisions, and each the hash of the one
//! before. So there is no pointer to keep in step, and what an old record left behind can't be taken for a new one.
//!
//! # Positions
//!
//! A *position* counts the bytes of the ring on from one round to the next, and never wraps; it is at
//! `position % RING_BYTES` of the ring. So a record is written over by the first one that ends more than `RING_BYTES`
//! after its start, and comparing two numbers shows it. Positions aren't stored: a start finds each record at its offset
//! in the ring, and counts on from the oldest that is still needed.
//!
//! A record never straddles the end of the ring: what doesn't fit there begins at the next round's start, and the
//! blocks in between stay as they were. So a record is one write to one stretch of the file, and one look at each
//! block finds every record.

use super::failpoints::Failpoints;
use super::files::{create_file, sync_folder};
use crate::journal::contract::{Error, Tail};
use crate::journal::record::{self, Record};
use crate::metrics::sync_durations;
use crate::model::chain::ChainHash;
use crate::model::revision::Revision;
use prometheus_client::metrics::histogram::Histogram;
use std::{
    fs::{File, OpenOptions},
    io::Read,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Instant,
};

/// How many bytes of records the ring holds. Part of the format.
pub(super) const RING_BYTES: u64 = 16 << 20;
/// The page of the system's cache, and the block of its file systems.
const BLOCK_BYTES: usize = 4 << 10;
/// How much the file grows at a time, until it has its full size.
const GROWTH_BYTES: u64 = 1 << 20;
const MAGIC: &[u8; 8] = b"ahead\0\0\x01";
const RECORD_MAGIC: [u8; 4] = *b"\xC1rec";
const PREFIX_BYTES: usize = 8;
const HEADER_BYTES: usize = 80;

/// The open write-ahead log.
pub(super) struct Wal {
    path: PathBuf,
    file: File,
    failpoints: Failpoints,
    /// The position at which the newest record ends.
    next: u64,
    /// How much of the ring the file has.
    grown_bytes: u64,
    /// How long the syncs of records took.
    pub(super) syncs: Histogram,
}

/// A record that is durable in the write-ahead log.
pub(super) struct WalRecord {
    /// The positions that it takes.
    pub(super) span: Range<u64>,
    /// Its first revision.
    pub(super) first: Revision,
    /// The journal's tail with it.
    pub(super) tail: Tail,
    /// As [`record::encode`] made it.
    pub(super) bytes: Vec<u8>,
}

/// What an opened log holds.
pub(super) struct Contents {
    /// Where the journal ended when the file was created.
    base: Tail,
    /// By revision.
    records: Vec<WholeRecord>,
    /// The revisions that were begun and aren't whole.
    torn: Vec<Revision>,
}

/// A whole record, and where in the ring it is.
struct WholeRecord {
    offset: u64,
    bytes: Vec<u8>,
    before: Tail,
    tail: Tail,
}

impl Wal {
    /// Creates the log of a journal that ends at `base`, durably, and opens it.
    pub(super) fn create(path: &Path, base: Tail, failpoints: &Failpoints) -> Result<(Self, Contents), Error> {
        let fresh = path.with_extension("new");
        let write = || {
            let file = create_file(&fresh)?;
            file.write_all_at(&padded(&header(base)), 0)?;
            // Before the rename: a log that is there by its name is whole.
            file.sync_all()?;
            std::fs::rename(&fresh, path)
        };
        write().map_err(Error::io(format!("create the write-ahead log {}", path.display())))?;
        path.parent().map_or(Ok(()), sync_folder)?;
        Self::open(path, failpoints)
    }

    /// Begins the log anew at `tail`, once the store has all entries up to it: a folder at rest doesn't keep what it has
    /// twice, and the next start doesn't read it.
    pub(super) fn empty(&mut self, tail: Tail) -> Result<(), Error> {
        if self.grown_bytes == 0 {
            return Ok(());
        }
        let fresh = || Self::create(&self.path, tail, &self.failpoints);
        let (fresh, _) = self.failpoints.around("empty the write-ahead log", fresh)?;
        *self = Self { syncs: self.syncs.clone(), ..fresh };
        Ok(())
    }

    /// Opens the log and finds all whole records in it.
    pub(super) fn open(path: &Path, failpoints: &Failpoints) -> Result<(Self, Contents), Error> {
        let (file, contents, ring_bytes) = read(path, OpenOptions::new().read(true).write(true))?;
        // A last block that is cut short is written anew.
        let grown_bytes = (ring_bytes - ring_bytes % BLOCK_BYTES) as u64;
        let next = contents.records.last().map_or(0, |newest| newest.offset + span_bytes(newest.bytes.len()) as u64);
        let wal = Self {
            path: path.to_owned(),
            file,
            failpoints: failpoints.clone(),
            next,
            grown_bytes,
            syncs: sync_durations(),
        };
        Ok((wal, contents))
    }

    /// Returns the records that follow `stored`, where the store ends; the next append goes after them. An append that
    /// was cut off before it was acknowledged is dropped, and the server's log says so.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the log is older than the store, or has a hole.
    pub(super) fn records_after(&mut self, contents: Contents, stored: Tail) -> Result<Vec<WalRecord>, Error> {
        let newest = contents.newest();
        if newest.revision < stored.revision || (newest.revision == stored.revision && newest != stored) {
            let what = format!("the write-ahead log ends at {newest}, but the store has {stored}");
            return Err(Error::corrupt(self.path.display(), what));
        }
        let mut tail = stored;
        let mut following: Vec<WalRecord> = Vec::new();
        for WholeRecord { offset, bytes, before: follows, tail: end } in contents.records {
            if end.revision <= stored.revision {
                continue;
            }
            if follows != tail {
                let what = format!("the record follows {follows}, but what comes before it ends at {tail}");
                return Err(Error::corrupt(format_args!("revision {}", tail.revision.next()), what));
            }
            tail = end;
            // The first position at this offset that isn't before the end of the record before.
            let before = following.last().map_or(0, |record| record.span.end);
            let start = before + (offset + RING_BYTES - before % RING_BYTES) % RING_BYTES;
            let span = start..start + span_bytes(bytes.len()) as u64;
            self.next = span.end;
            following.push(WalRecord { span, first: follows.revision.next(), tail, bytes });
        }
        if tail.revision < newest.revision {
            let what = format!("the write-ahead log was created at {newest}, but the store has {stored}");
            return Err(Error::corrupt(self.path.display(), what));
        }
        if contents.torn.contains(&tail.revision.next()) {
            let revision = tail.revision.next().0;
            tracing::warn!(revision, "an append was cut off before it was acknowledged: what is left of it is dropped");
        }
        Ok(following)
    }

    /// The positions that a record of so many bytes would take.
    pub(super) fn span_for(&self, record_bytes: usize) -> Range<u64> {
        let bytes = span_bytes(record_bytes) as u64;
        let left = RING_BYTES - self.next % RING_BYTES;
        let start = if bytes > left { self.next + left } else { self.next };
        start..start + bytes
    }

    /// Writes a record over what was at its span in the rounds before, and returns once it is durable.
    pub(super) fn write(&mut self, span: &Range<u64>, record: &[u8]) -> Result<(), Error> {
        let io = |doing: &str| Error::io(format!("{doing} {}", self.path.display()));
        let offset = span.start % RING_BYTES;
        let end = offset + (span.end - span.start);
        if end > self.grown_bytes {
            // With zeros, and not by its length alone: a block that is allocated only when it is written would make
            // every sync wait for the file system's own journal too.
            let grown = end.next_multiple_of(GROWTH_BYTES).min(RING_BYTES);
            let zeros = vec![0; usize::try_from(grown - self.grown_bytes).unwrap_or_default()];
            self.failpoints.around("extend the write-ahead log", || {
                self.file.write_all_at(&zeros, BLOCK_BYTES as u64 + self.grown_bytes).map_err(io("extend"))
            })?;
            self.grown_bytes = grown;
        }
        let length = u32::try_from(record.len())
            .map_err(|_| Error::TooLarge { bytes: record.len(), bytes_max: record::RECORD_BYTES_MAX })?;
        let bytes = padded(&[RECORD_MAGIC.as_slice(), &length.to_be_bytes(), record].concat());
        self.failpoints.around("write to the write-ahead log", || {
            self.file.write_all_at(&bytes, BLOCK_BYTES as u64 + offset).map_err(io("write to"))
        })?;
        let begun = Instant::now();
        self.failpoints.around("sync the write-ahead log", || self.file.sync_data().map_err(io("sync")))?;
        self.syncs.observe(begun.elapsed().as_secs_f64());
        self.next = span.end;
        Ok(())
    }
}

/// Opens the file, and finds what it holds, and how many bytes of the ring it has.
fn read(path: &Path, options: &OpenOptions) -> Result<(File, Contents, usize), Error> {
    let read = || {
        let mut file = options.open(path)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(BLOCK_BYTES as u64 + RING_BYTES).read_to_end(&mut bytes)?;
        Ok((file, bytes))
    };
    let (file, bytes) = read().map_err(Error::io(format!("read the write-ahead log {}", path.display())))?;
    let base = parse_header(&bytes)
        .ok_or_else(|| Error::corrupt(path.display(), "its first block doesn't match its checksum"))?;
    let ring = bytes.get(BLOCK_BYTES..).unwrap_or_default();
    Ok((file, Contents::find(base, ring), ring.len()))
}

impl Contents {
    /// What a log holds. Changes nothing.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        read(path, OpenOptions::new().read(true)).map(|(_, contents, _)| contents)
    }

    /// The journal's tail with the newest whole record.
    pub(super) fn newest(&self) -> Tail {
        self.records.last().map_or(self.base, |found| found.tail)
    }

    /// Whether the record after a tail was begun and isn't whole.
    pub(super) fn is_torn_after(&self, tail: Tail) -> bool {
        self.torn.contains(&tail.revision.next())
    }

    /// Looks for a record at each block. Blocks within a record that is whole aren't looked at: what an older record
    /// left there was written over.
    fn find(base: Tail, ring: &[u8]) -> Self {
        let (mut records, mut torn) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(block) = ring.get(at..).filter(|rest| !rest.is_empty()) {
            at += match record_at(block) {
                Begun::Whole(bytes, record) => {
                    let (before, tail) = (record.before, record.tail);
                    records.push(WholeRecord { offset: at as u64, bytes: bytes.to_vec(), before, tail });
                    span_bytes(bytes.len())
                }
                Begun::Torn(revision) => {
                    torn.push(revision);
                    BLOCK_BYTES
                }
                Begun::Nothing => BLOCK_BYTES,
            };
        }
        records.sort_by_key(|found| found.tail.revision);
        Self { base, records, torn }
    }

    /// Whether nothing was ever appended to the journal, as far as the log shows.
    pub(super) fn is_empty(&self) -> bool {
        self.base == Tail::EMPTY && self.records.is_empty()
    }
}

/// What begins with a block.
enum Begun<'a> {
    Whole(&'a [u8], Record<'a>),
    /// A record that says it is of this revision, and isn't whole.
    Torn(Revision),
    Nothing,
}

fn record_at(block: &[u8]) -> Begun<'_> {
    let length = block.strip_prefix(&RECORD_MAGIC).and_then(<[u8]>::split_first_chunk::<4>);
    let Some((length, revision, rest)) =
        length.and_then(|(length, rest)| Some((u32::from_be_bytes(*length), record::first_revision(rest)?, rest)))
    else {
        return Begun::Nothing;
    };
    let bytes = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    match bytes.and_then(|bytes| Some((bytes, record::decode(revision, bytes).ok()?))) {
        Some((bytes, record)) => Begun::Whole(bytes, record),
        None => Begun::Torn(revision),
    }
}

/// How much of the ring a record takes, in whole blocks.
fn span_bytes(record_bytes: usize) -> usize {
    (PREFIX_BYTES + record_bytes).next_multiple_of(BLOCK_BYTES)
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut blocks = bytes.to_vec();
    blocks.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    blocks
}

fn header(base: Tail) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), &base.revision.0.to_be_bytes(), &base.hash.0].concat();
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    bytes
}

fn parse_header(bytes: &[u8]) -> Option<Tail> {
    let found = bytes.get(..HEADER_BYTES)?;
    let revision = Revision(u64::from_be_bytes(found.get(8..16)?.try_into().ok()?));
    let base = Tail { revision, hash: ChainHash(found.get(16..48)?.try_into().ok()?) };
    (header(base) == found).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn file() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = dir.path().join("ahead");
        Wal::create(&path, Tail::EMPTY, &Failpoints::none()).unwrap();
        (dir, path)
    }

    /// Writes one record for each length after `tail`, and returns the tail after each.
    fn write(path: &Path, mut tail: Tail, lengths: &[usize]) -> Vec<Tail> {
        let (mut wal, _) = Wal::open(path, &Failpoints::none()).unwrap();
        let each = lengths.iter().map(|length| {
            let record = record::encode(tail, &[vec![length.to_be_bytes()[7]; *length]]).unwrap();
            let span = wal.span_for(record.bytes.len());
            wal.write(&span, &record.bytes).unwrap();
            tail = record.tail;
            tail
        });
        each.collect()
    }

    /// The tails of the records after `stored`.
    fn found(path: &Path, stored: Tail) -> Result<Vec<Tail>, String> {
        let said = |error: Error| error.to_string().replace(&path.display().to_string(), "FILE");
        let (mut wal, contents) = Wal::open(path, &Failpoints::none()).map_err(said)?;
        let following = wal.records_after(contents, stored).map_err(said)?;
        let mut end = None;
        for WalRecord { span, .. } in &following {
            assert!(end.is_none_or(|end| end <= span.start) && span.start % BLOCK_BYTES as u64 == 0);
            end = Some(span.end);
        }
        Ok(following.into_iter().map(|record| record.tail).collect())
    }

    #[test]
    fn records_are_found_again_however_often_the_ring_went_round() {
        let (_dir, path) = file();
        let mut tails = vec![Tail::EMPTY];
        for life in 0..5 {
            let lengths: Vec<_> = (0..25).map(|n| (n * 77_777 + life * 5_555) % 1_000_000).collect();
            tails.extend(write(&path, *tails.last().unwrap(), &lengths));
            // What the last 8 MiB or so hold is there, with any number of records that the store has already.
            for stored in tails.len().saturating_sub(8)..tails.len() {
                assert_eq!(found(&path, tails[stored]).unwrap(), tails[stored + 1..], "life {life}, {stored}");
            }
        }
        assert_eq!(
            path.metadata().unwrap().len(),
            RING_BYTES + BLOCK_BYTES as u64,
            "it has its full size, and no more"
        );
    }

    #[test]
    fn however_the_newest_record_was_torn_the_others_are_there_and_another_takes_its_place() {
        let (_dir, path) = file();
        let tails = write(&path, Tail::EMPTY, &[10, 9_000, 3_000]);
        let before = std::fs::read(&path).unwrap();
        let newest = write(&path, tails[2], &[18_000])[0];
        let after = std::fs::read(&path).unwrap();
        let blocks: Vec<_> = (0..after.len() / BLOCK_BYTES)
            .map(|block| block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES)
            .filter(|block| before[block.clone()] != after[block.clone()])
            .collect();
        assert_eq!(blocks.len(), 5);
        for arrived in 0..1 << blocks.len() {
            let mut bytes = before.clone();
            for (_, block) in (0..).zip(&blocks).filter(|(bit, _)| arrived & (1 << bit) != 0) {
                bytes[block.clone()].copy_from_slice(&after[block.clone()]);
            }
            std::fs::write(&path, bytes).unwrap();
            let whole = arrived + 1 == 1 << blocks.len();
            let expected: Vec<_> = tails.iter().copied().chain(whole.then_some(newest)).collect();
            assert_eq!(found(&path, Tail::EMPTY).unwrap(), expected, "{arrived:b}");
            let other = write(&path, *expected.last().unwrap(), &[500])[0];
            assert_eq!(found(&path, Tail::EMPTY).unwrap().last(), Some(&other), "{arrived:b}");
        }
    }

    #[test]
    fn damage_before_the_newest_record_is_refused() {
        let (_dir, path) = file();
        let tails = write(&path, Tail::EMPTY, &[10, 50, 30]);
        let good = std::fs::read(&path).unwrap();
        for byte in [0, 30, BLOCK_BYTES, BLOCK_BYTES + 3, BLOCK_BYTES + 6, BLOCK_BYTES + 40, 2 * BLOCK_BYTES + 60] {
            let mut bytes = good.clone();
            bytes[byte] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(found(&path, Tail::EMPTY).is_err(), "byte {byte}");
        }
        std::fs::write(&path, &good[..2 * BLOCK_BYTES]).unwrap();
        insta::assert_snapshot!(found(&path, tails[1]).unwrap_err(), @"the journal is damaged at FILE: the write-ahead log ends at revision 1 with hash 192442d388e56308c3dde6803784698ae6ae82cc2590ffd6cff707f887a35b4c, but the store has revision 2 with hash f02e2aa1387f8d9f331513443e0a68b0589ad4b32e7271cec4cfd8a2efad973f; restore it from a backup");
    }

    #[test]
    fn a_store_that_ends_before_the_log_began_is_refused() {
        let (_dir, path) = file();
        let tails = write(&path, Tail::EMPTY, &[10, 50]);
        Wal::create(&path, tails[1], &Failpoints::none()).unwrap();
        assert_eq!(found(&path, tails[1]).unwrap(), []);
        insta::assert_snapshot!(found(&path, tails[0]).unwrap_err(), @"the journal is damaged at FILE: the write-ahead log was created at revision 2 with hash f02e2aa1387f8d9f331513443e0a68b0589ad4b32e7271cec4cfd8a2efad973f, but the store has revision 1 with hash 192442d388e56308c3dde6803784698ae6ae82cc2590ffd6cff707f887a35b4c; restore it from a backup");
    }

    #[test]
    fn a_log_of_another_history_is_refused() {
        let (_dir, path) = file();
        let tails = write(&path, Tail::EMPTY, &[10, 50, 30]);
        for revision in [2, 3, 4] {
            let other = Tail { revision: Revision(revision), ..tails[0] };
            assert!(found(&path, other).is_err(), "{other}");
        }
    }
}

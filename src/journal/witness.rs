//! The witness: a small file outside the store that remembers how far the journal once came.
//!
//! A store that has lost its end, or was replaced by an older copy, is still a well-formed store. The witness is
//! what makes the loss visible. It is written after every append, once that is durable, so it never runs ahead;
//! it is synced only when the journal opens and closes, so after a power cut it may be a little behind.
//!
//! Two slots of a sector each are written in turn, so that a torn write leaves the other one:
//! 8 bytes of magic, the revision (8 bytes, big-endian), the chain hash, BLAKE3 of all that.

use super::{ChainHash, Error, Revision, Tail};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"witness1";
const SLOT_BYTES: u64 = 512;

/// The open witness file.
pub(super) struct Witness {
    path: PathBuf,
    file: File,
    next_slot: u64,
}

impl Witness {
    /// Creates the witness of an empty journal, durably but for its folder entry.
    pub(super) fn create(path: &Path) -> Result<(), Error> {
        let fresh = path.with_extension("new");
        let write = || {
            let mut file = File::create(&fresh)?;
            file.write_all(&slot(Tail::EMPTY))?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)
        };
        write().map_err(Error::io(format!("create the witness {}", path.display())))
    }

    /// Opens the witness and tells what it has seen.
    pub(super) fn open(path: &Path) -> Result<(Self, Tail), Error> {
        let read = || {
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(2 * SLOT_BYTES).read_to_end(&mut bytes)?;
            Ok((file, bytes))
        };
        let (file, bytes) = read().map_err(Error::io(format!("read the witness {}", path.display())))?;
        let slots = [0, SLOT_BYTES].map(|at| usize::try_from(at).ok().and_then(|at| parse(bytes.get(at..)?)));
        let (seen, next_slot) = match slots {
            [Some(a), Some(b)] if a.revision > b.revision => (a, 1),
            [_, Some(b)] => (b, 0),
            [Some(a), None] => (a, 1),
            [None, None] => {
                return Err(Error::corrupt(path.display(), "neither of its two slots holds a valid revision and hash"));
            }
        };
        Ok((Self { path: path.to_owned(), file, next_slot }, seen))
    }

    /// Remembers a tail that is durable.
    pub(super) fn write(&mut self, tail: Tail) -> Result<(), Error> {
        self.file
            .seek(SeekFrom::Start(self.next_slot * SLOT_BYTES))
            .and_then(|_| self.file.write_all(&slot(tail)))
            .map_err(Error::io(format!("write the witness {}", self.path.display())))?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    /// Makes the newest write durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::io(format!("sync the witness {}", self.path.display())))
    }
}

fn slot(tail: Tail) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), &tail.revision.0.to_be_bytes(), &tail.hash.0].concat();
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<Tail> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (revision, rest) = rest.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let tail = Tail { revision: Revision(u64::from_be_bytes(*revision)), hash: ChainHash(*hash) };
    (magic == MAGIC && rest.starts_with(&slot(tail)[48..])).then_some(tail)
}

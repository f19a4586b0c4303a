//! The control file: a small file beside the others that remembers how far the journal once came. Its name on disk is
//! `witness`.
//!
//! A store or a write-ahead log that has lost its end, or was replaced by an older copy, is still well formed. The
//! control file is what makes the loss visible, and what separates an acknowledged record that was damaged from one
//! that was torn before it was acknowledged; so it is a file of its own. It is written after every append, once that
//! is durable, so it never runs ahead. It is synced only when the store has caught up, and when the journal opens
//! and closes, so after a power cut it may be a little behind.
//!
//! Two copies of a sector each are written in turn, so that a torn write leaves the other one:
//! 8 bytes of magic, the newest revision (8 bytes, big-endian) and its chain hash, the newest revision that the store
//! had (8 bytes), BLAKE3 of all that. The first version had no write-ahead log, and so no revision of the store.
//!
//! The magic is of the folder's format. That of the third says nothing else than the second; it is there because versions
//! that don't know the file `format` would open such a folder, and answer without what they don't know: they take this
//! control file for a damaged one.

use super::failpoints::Failpoints;
use super::files::create_file;
use crate::journal::contract::{Error, Tail};
use crate::journal::format::Format;
use crate::model::chain::ChainHash;
use crate::model::revision::Revision;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const MAGIC: &[u8; 8] = b"witness3";
const MAGIC_BEFORE_FORMAT_FILE: &[u8; 8] = b"witness2";
const MAGIC_BEFORE_WAL: &[u8; 8] = b"witness1";
const COPY_BYTES: usize = 512;

/// How far a journal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The newest entry that was durable.
    pub(super) tail: Tail,
    /// The newest revision that was durable in the store.
    pub(super) stored: Revision,
    /// The magic that it was written with.
    magic: &'static [u8; 8],
}

impl Progress {
    const EMPTY: Self = Self { tail: Tail::EMPTY, stored: Revision::ZERO, magic: MAGIC };

    /// Whether there was a write-ahead log.
    pub(super) fn has_wal(self) -> bool {
        self.magic != MAGIC_BEFORE_WAL
    }

    /// The format of the folder, or one before: later ones have the magic of this.
    pub(super) fn format(self) -> &'static Format {
        match self.magic {
            MAGIC_BEFORE_WAL => Format::BEFORE_WAL,
            MAGIC_BEFORE_FORMAT_FILE => Format::UNWRITTEN,
            _ => Format::FIRST_WRITTEN,
        }
    }
}

/// The open control file.
pub(super) struct ControlFile {
    path: PathBuf,
    file: Arc<File>,
    failpoints: Failpoints,
    known: Progress,
    /// Whether the folder says that it is of this version's format: until then the magic stays as it is.
    is_current: Arc<AtomicBool>,
    /// Which copy the next write goes to: the older one.
    next_copy: usize,
}

impl ControlFile {
    /// Creates the control file of an empty journal, durably but for its folder entry.
    pub(super) fn create(path: &Path) -> Result<(), Error> {
        let fresh = path.with_extension("new");
        let write = || {
            let mut file = create_file(&fresh)?;
            file.write_all(&encode(Progress::EMPTY))?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)
        };
        write().map_err(Error::io(format!("create the control file {}", path.display())))
    }

    /// Opens the file, and returns what it knows.
    pub(super) fn open(
        path: &Path,
        is_current: &Arc<AtomicBool>,
        failpoints: &Failpoints,
    ) -> Result<(Self, Progress), Error> {
        let (file, (known, next_copy)) = read_newest(path, OpenOptions::new().read(true).write(true))?;
        Ok((
            Self {
                path: path.to_owned(),
                file: Arc::new(file),
                failpoints: failpoints.clone(),
                known,
                is_current: Arc::clone(is_current),
                next_copy,
            },
            known,
        ))
    }

    /// Remembers a tail that is durable.
    pub(super) fn write_tail(&mut self, tail: Tail) -> Result<(), Error> {
        self.write(tail, self.known.stored)
    }

    /// Remembers how far the store has come.
    pub(super) fn write_stored(&mut self, stored: Revision) -> Result<(), Error> {
        self.write(self.known.tail, stored)
    }

    /// Remembers again what it knows: in the magic of this version, once the folder says so.
    pub(super) fn write_known(&mut self) -> Result<(), Error> {
        self.write(self.known.tail, self.known.stored)
    }

    /// Remembers both.
    pub(super) fn write(&mut self, tail: Tail, stored: Revision) -> Result<(), Error> {
        let is_current = self.known.magic == MAGIC || self.is_current.load(Ordering::Relaxed);
        let magic = if is_current { MAGIC } else { MAGIC_BEFORE_FORMAT_FILE };
        // Of two magics, an earlier version would go by the copy that it knows.
        let copies = if magic == self.known.magic { 1 } else { 2 };
        for _ in 0..copies {
            self.write_copy(Progress { tail, stored, magic })?;
        }
        Ok(())
    }

    fn write_copy(&mut self, progress: Progress) -> Result<(), Error> {
        self.failpoints.around("write the control file", || {
            let at = self.next_copy * COPY_BYTES;
            self.file
                .write_all_at(&encode(progress), at as u64)
                .map_err(Error::io(format!("write the control file {}", self.path.display())))
        })?;
        self.known = progress;
        self.next_copy = 1 - self.next_copy;
        Ok(())
    }

    /// What makes the newest write durable, without keeping the file from being written meanwhile.
    pub(super) fn syncing(&self) -> impl FnOnce() -> Result<(), Error> + use<> {
        let (path, file, failpoints) = (self.path.clone(), Arc::clone(&self.file), self.failpoints.clone());
        move || {
            failpoints.around("sync the control file", || {
                file.sync_data().map_err(Error::io(format!("sync the control file {}", path.display())))
            })
        }
    }
}

/// What the file knows. Changes nothing.
pub(super) fn read(path: &Path) -> Result<Progress, Error> {
    read_newest(path, OpenOptions::new().read(true)).map(|(_, (known, _))| known)
}

/// Opens the file, and returns its newer copy and which one the other is.
fn read_newest(path: &Path, options: &OpenOptions) -> Result<(File, (Progress, usize)), Error> {
    let read = || {
        let mut file = options.open(path)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(2 * COPY_BYTES as u64).read_to_end(&mut bytes)?;
        Ok((file, bytes))
    };
    let (file, bytes) = read().map_err(Error::io(format!("read the control file {}", path.display())))?;
    let newest = match [0, COPY_BYTES].map(|at| decode(bytes.get(at..)?)) {
        // Of two copies with one revision, the one that knows more of the store is the newer.
        [Some(a), Some(b)] if (a.magic, a.tail.revision, a.stored) > (b.magic, b.tail.revision, b.stored) => (a, 1),
        [_, Some(b)] => (b, 0),
        [Some(a), None] => (a, 1),
        [None, None] => {
            return Err(Error::corrupt(path.display(), "neither of its two copies holds a valid revision and hash"));
        }
    };
    Ok((file, newest))
}

fn encode(progress: Progress) -> Vec<u8> {
    let mut bytes =
        [progress.magic.as_slice(), &progress.tail.revision.0.to_be_bytes(), &progress.tail.hash.0].concat();
    bytes.extend(progress.stored.0.to_be_bytes());
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    bytes
}

/// As versions wrote it that didn't know the file `format`.
#[cfg(test)]
pub(super) fn encode_before_format_file(progress: Progress) -> Vec<u8> {
    encode(Progress { magic: MAGIC_BEFORE_FORMAT_FILE, ..progress })
}

fn decode(bytes: &[u8]) -> Option<Progress> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (revision, rest) = rest.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let tail = Tail { revision: Revision(u64::from_be_bytes(*revision)), hash: ChainHash(*hash) };
    let magic = [MAGIC, MAGIC_BEFORE_FORMAT_FILE, MAGIC_BEFORE_WAL].into_iter().find(|known| *known == magic)?;
    let (progress, checked) = if magic == MAGIC_BEFORE_WAL {
        // What was durable then was durable in the store.
        (Progress { tail, stored: tail.revision, magic }, 48)
    } else {
        let (stored, _) = rest.split_first_chunk::<8>()?;
        (Progress { tail, stored: Revision(u64::from_be_bytes(*stored)), magic }, 56)
    };
    let (framed, checksum) = bytes.split_at_checked(checked)?;
    checksum.starts_with(blake3::hash(framed).as_bytes()).then_some(progress)
}

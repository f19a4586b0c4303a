//! The contract of every engine of the journal, and its types.

use super::format::LaterFormat;
use crate::model::chain::{ChainHash, JOURNAL_ENTRIES};
use crate::model::revision::Revision;
use std::{fmt, path::PathBuf, sync::Arc};

/// The writing end: one for each journal, held by one writer.
///
/// What every engine promises:
///
/// - **Compare and append.** [`append`](Self::append) names the revision it believes to be the newest. If another
///   one is, nothing is stored and the answer is [`Error::Conflict`].
/// - **A group is atomic.** All entries of an append become visible together, and after a crash either all are
///   there or none is.
/// - **Durable, then answered.** `append` returns `Ok` only once the group would survive a power cut. Readers
///   see nothing before that.
/// - **Contiguous.** Revisions run 1, 2, 3, … without a gap; entries are never changed or removed.
/// - **A failure is final.** When storing fails, the group may or may not be on the disk, and only opening the
///   journal again shows which. That append and every later one gives [`Error::Poisoned`]; no sync is ever
///   retried, because a kernel may report a failed write once and then forget it. Reads go on.
/// - **A refusal is harmless.** [`Error::Conflict`], [`Error::TooLarge`] and [`Error::NoRoom`] leave no trace,
///   and the journal stays usable.
pub trait Journal: Send {
    /// The newest durable revision, and its hash.
    fn tail(&self) -> Tail;

    /// Appends `payloads` as the entries right after revision `after`, as one atomic group, and returns
    /// their chain hashes in order once they are durable. An empty group stores nothing and returns nothing,
    /// though `after` must still be the tail.
    ///
    /// The group must fit one record: [`record_bytes`](super::record_bytes) of it may be at most [`RECORD_BYTES_MAX`](super::RECORD_BYTES_MAX).
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`], [`Error::TooLarge`] and [`Error::NoRoom`] as refusals, [`Error::Poisoned`] after
    /// any failure to store.
    fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, Error>;

    /// A reading end. It sees each append once it is durable, and outlives a poisoned journal.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// A reading end: shared freely between threads, never ahead of what is durable.
pub trait Reader: Send + Sync {
    /// The newest durable revision, and its hash.
    fn tail(&self) -> Tail;

    /// The entry at `revision`, its record verified, or `None` when there is none (yet).
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the record fails its checks, [`Error::Io`] when it can't be read.
    fn read(&self, revision: Revision) -> Result<Option<Stored>, Error>;

    /// Hands every entry after `after`, in order, to `each`, up to the tail as it was when the scan began,
    /// and returns that tail. Verifies checksums, contiguity and the chain on the way: a scan that returns
    /// `Ok` has shown that these entries are the ones that lead to the tail.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`] as for [`read`](Self::read); an error from `each` ends the scan.
    fn scan(&self, after: Revision, each: &mut dyn FnMut(Stored) -> Result<(), Error>) -> Result<Tail, Error>;
}

/// Where a journal ends: the newest revision and the hash of everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The newest revision.
    pub revision: Revision,
    /// The chain hash at that revision. Two journals with the same hash at a revision hold the same entries up to it.
    ///
    /// `hash(n) = BLAKE3("conspectus journal entry v1", hash(n - 1) || n as 8 bytes, big-endian || payload)` with
    /// the text as BLAKE3's key-derivation context, and `hash(0)` 32 zero bytes.
    pub hash: ChainHash,
}

impl Tail {
    /// The tail of the empty journal.
    pub const EMPTY: Self = Self { revision: Revision::ZERO, hash: ChainHash::GENESIS };

    /// The tail once `payload` is appended.
    pub(super) fn extend(self, payload: &[u8]) -> Self {
        let revision = self.revision.next();
        Self { revision, hash: JOURNAL_ENTRIES.next(self.hash, &[&revision.0.to_be_bytes(), payload]) }
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {} with hash {}", self.revision, self.hash)
    }
}

/// An entry as read back, already verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The entry's number.
    pub revision: Revision,
    /// The chain hash at this entry.
    pub hash: ChainHash,
    /// What was appended.
    pub payload: Vec<u8>,
}

impl Stored {
    pub(super) fn at(tail: Tail, payload: &[u8]) -> Self {
        Self { revision: tail.revision, hash: tail.hash, payload: payload.to_vec() }
    }
}

/// Why the journal refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The append named a revision that isn't the newest. Nothing was stored.
    #[error("the journal is at {tail}: the writer is out of date")]
    Conflict {
        /// Where the journal really ends.
        tail: Tail,
    },
    /// The group would make a record above the limit. Nothing was stored.
    #[error("the group takes {bytes} bytes as a record, and a record holds at most {bytes_max}")]
    TooLarge {
        /// The size of the group's record.
        bytes: usize,
        /// The limit, [`RECORD_BYTES_MAX`](super::RECORD_BYTES_MAX).
        bytes_max: usize,
    },
    /// The disk is (nearly) full. Nothing was stored; appends work again when there is space.
    #[error("the disk has {bytes_free} bytes free, and the journal keeps {bytes_min} in reserve")]
    NoRoom {
        /// What the file system has left for this process.
        bytes_free: u64,
        /// What an append asks for, to be sure that it can't run out half-way.
        bytes_min: u64,
    },
    /// This append or an earlier one failed: whether its group is on the disk is unknown until the journal is
    /// opened again, so nothing more is appended.
    #[error("the journal takes no more entries, because an append failed ({cause}); restart to find out what was kept")]
    Poisoned {
        /// What failed.
        cause: String,
    },
    /// What is on the disk isn't what was appended.
    #[error("the journal is damaged at {location}: {what}; restore it from a backup")]
    Corrupt {
        /// Where: a revision, a file.
        location: String,
        /// What was found, and what was expected.
        what: String,
    },
    /// Another process has the journal open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The journal's folder.
        path: PathBuf,
    },
    /// A later version has written to it.
    #[error("{0}")]
    LaterFormat(#[from] LaterFormat),
    /// The file that says of which format the folder is can't be read as one.
    #[error(
        "{} isn't what any version writes there: it begins with {found}; restore the folder from a backup, or, if no version later than {own} has run on it, remove this file",
        path.display()
    )]
    FormatFile {
        /// The file.
        path: PathBuf,
        /// Its first line.
        found: String,
        /// The first version that writes what this one does.
        own: &'static str,
    },
    /// The operating system, or the store beneath, reports an error.
    #[error("can't {doing}: {source}")]
    Io {
        /// What was being done, as in "read the control file".
        doing: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }

    pub(super) fn corrupt(location: impl fmt::Display, what: impl Into<String>) -> Self {
        Self::Corrupt { location: location.to_string(), what: what.into() }
    }
}

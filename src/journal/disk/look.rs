//! Looking at a journal without changing it: what a start would find, as far as that shows without sled, which changes
//! what it opens.

use super::control_file;
use super::files::{Paths, exists, open_to_others};
use super::folder_lock::FolderLock;
use super::format_file::format_of;
use super::snapshot_file;
use super::wal::{self, Contents};
use crate::journal::contract::{Error, Tail};
use crate::journal::format::Format;
use crate::model::revision::Revision;
use std::path::{Path, PathBuf};

/// What there is of a journal.
#[derive(Debug)]
pub(crate) struct Found {
    /// What it is of.
    pub(crate) format: &'static Format,
    /// Whether another process has it open: what follows may have changed since.
    pub(crate) is_in_use: bool,
    /// Its newest entry, as far as it shows.
    pub(crate) tail: Tail,
    /// The revision of an append that was cut off before it was acknowledged, which a start drops.
    pub(crate) torn: Option<Revision>,
    /// A snapshot file that a start sets aside.
    pub(crate) damaged_snapshot: Option<PathBuf>,
    /// How many of the store's files others than their owner have rights to, which a start takes from them.
    pub(crate) open_to_others: usize,
}

impl Found {
    /// How many bytes the write-ahead log takes once it has its full size.
    pub(crate) const WAL_BYTES: u64 = wal::RING_BYTES;

    /// Looks at a folder; none where there is no journal.
    ///
    /// # Errors
    /// As [`format_of`](super::format_of), and when a file can't be read, or isn't what was written.
    pub(crate) fn of(folder: &Path) -> Result<Option<Self>, Error> {
        let Some(format) = format_of(folder)? else { return Ok(None) };
        let paths = Paths::of(folder);
        let is_in_use = FolderLock::is_taken(folder)?;
        let known = if exists(&paths.control)? { Some(control_file::read(&paths.control)?) } else { None };
        let mut tail = known.map_or(Tail::EMPTY, |known| known.tail);
        let mut torn = None;
        if known.is_some_and(control_file::Progress::has_wal) && exists(&paths.wal)? {
            let contents = Contents::of(&paths.wal)?;
            // The control file may be behind, after a power cut.
            if contents.newest().revision > tail.revision {
                tail = contents.newest();
            }
            torn = contents.is_torn_after(tail).then(|| tail.revision.next());
        }
        let has_store = exists(&paths.db)?;
        Ok(Some(Self {
            format,
            is_in_use,
            tail,
            torn,
            damaged_snapshot: if has_store { snapshot_file::damaged(&paths.sled)? } else { None },
            open_to_others: if has_store { open_to_others(&paths.sled)?.len() } else { 0 },
        }))
    }
}

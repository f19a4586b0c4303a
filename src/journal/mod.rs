//! The append-only, hash-chained log that everything else is derived from.
//!
//! The journal knows revisions and bytes; what an entry says, only the layers above know.
//! [`Journal`] and [`Reader`] are the contract, implemented once for all engines in `over_store`. [`DiskJournal`] is
//! the engine on disk: `disk::DiskStore::put` makes an append durable, by `disk::wal`. [`MemoryJournal`] is the one in
//! memory, with faults on demand. One conformance suite runs against both.

#[cfg(test)]
mod conformance;
mod contract;
mod disk;
mod format;
mod memory;
mod over_store;
mod progress;
mod record;

pub use crate::model::chain::ChainHash;
pub use contract::{Error, Journal, Reader, Stored, Tail};
pub use disk::DiskJournal;
pub(crate) use disk::{
    FREE_BYTES_MIN, FolderLock, Found, Space, check_format, check_free_space, create_file, sync_folder,
};
pub use format::LaterFormat;
pub(crate) use format::{Format, is_later_version};
pub use memory::{Fault, MemoryDisk, MemoryJournal};
pub use progress::ReplayProgress;
pub use record::{ENTRY_BYTES_MAX, RECORD_BYTES_MAX, record_bytes};
pub(crate) use record::{pack, unpack};

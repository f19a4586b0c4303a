//! The append-only, hash-chained log that everything else is derived from.
//!
//! The journal knows revisions and bytes; what an entry says, only the layers above know.
//! [`Journal`] and [`Reader`] are the contract, kept once for all engines in `log`. [`DiskJournal`] is
//! the engine on disk, [`MemoryJournal`] the one in memory, with faults on demand. One conformance suite
//! runs against both.

#[cfg(test)]
mod conformance;
mod contract;
mod disk;
mod log;
mod memory;
mod record;

pub use crate::model::chain::ChainHash;
pub use contract::{Error, Journal, Reader, Stored, Tail};
pub use disk::DiskJournal;
pub(crate) use disk::check_free_space;
pub use memory::{Fault, MemoryDisk, MemoryJournal};
pub use record::{ENTRY_BYTES_MAX, RECORD_BYTES_MAX, record_bytes};

//! The engine in memory: for tests that run years of traffic from a seed, with faults on demand.

use super::contract::{Error, Journal, Reader, Tail};
use super::over_store::{Records, Store, StoreJournal, walk};
use super::record::Encoded;
use crate::model::chain::ChainHash;
use crate::model::revision::Revision;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How an append fails. The journal is poisoned in each case; only opening the disk again shows what it kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing reaches the disk.
    BeforeStoring,
    /// Half of the record reaches the disk. Opening the disk again drops it.
    Torn,
    /// The whole record reaches the disk, and the answer is lost.
    AfterStoring,
}

/// A disk for [`MemoryJournal`]: a handle, so that a test keeps it when a journal is dropped.
#[derive(Clone, Debug)]
pub struct MemoryDisk(Arc<Mutex<Contents>>);

#[derive(Debug)]
struct Contents {
    records: BTreeMap<Revision, Vec<u8>>,
    /// The newest entry that was acknowledged: what comes after it may be torn.
    tail: Tail,
    appends: u64,
    faults: BTreeMap<u64, Fault>,
    /// Since a put failed: what is put after that is answered as if it were stored, and gone when the disk is opened
    /// again. So does a kernel that reports a failed sync once.
    lost: Option<Vec<Revision>>,
}

impl MemoryDisk {
    /// An empty disk that never fails.
    #[must_use]
    pub fn new() -> Self {
        let (records, faults) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Contents { records, tail: Tail::EMPTY, appends: 0, faults, lost: None })))
    }

    /// Makes the `k`-th append from now fail (the next one is 1). Refused and empty appends don't count.
    pub fn fail_append(&self, k: u64, fault: Fault) {
        let mut contents = self.contents();
        let at = contents.appends.saturating_add(k);
        contents.faults.insert(at, fault);
    }

    /// Loses what was put after a failure.
    fn lose(&self) {
        let contents = &mut *self.contents();
        for first in contents.lost.take().unwrap_or_default() {
            contents.records.remove(&first);
        }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryDisk {
    fn default() -> Self {
        Self::new()
    }
}

/// A journal in memory.
pub struct MemoryJournal(StoreJournal<MemoryDisk>);

impl MemoryJournal {
    /// Opens what the disk holds, verifying all of it. Two journals may be open on one disk, so that a test can
    /// have a stale writer.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], as for any engine.
    pub fn open(disk: &MemoryDisk) -> Result<Self, Error> {
        disk.lose();
        let acknowledged = disk.contents().tail.revision;
        // What was acknowledged is whole; what a fault left after it may be torn.
        disk.contents()
            .records
            .retain(|&first, bytes| first <= acknowledged || super::record::decode(first, bytes).is_ok());
        let records = disk.records(Revision(1), Revision(u64::MAX));
        let tail = walk(records, Revision::ZERO, &mut |_| Ok(()))?;
        disk.contents().tail = tail;
        Ok(Self(StoreJournal::new(disk.clone(), tail)))
    }

    /// Opens the disk of this journal again, as after a crash.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], as for any engine.
    pub fn reopen(self) -> Result<Self, Error> {
        Self::open(self.0.store())
    }
}

impl Journal for MemoryJournal {
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

impl Store for MemoryDisk {
    fn put(&self, first: Revision, record: Encoded) -> Result<(), Error> {
        let mut contents = self.contents();
        if contents.tail.revision.next() != first {
            return Err(Error::Conflict { tail: contents.tail });
        }
        contents.appends = contents.appends.saturating_add(1);
        let append = contents.appends;
        let fault = contents.faults.remove(&append);
        let kept = match fault {
            Some(Fault::BeforeStoring) => None,
            Some(Fault::Torn) => Some(record.bytes.len() / 2),
            Some(Fault::AfterStoring) | None => Some(record.bytes.len()),
        };
        if let Some(kept) = kept {
            contents.records.insert(first, record.bytes[..kept].to_vec());
        }
        match fault {
            Some(fault) => {
                contents.lost.get_or_insert_default();
                Err(Error::io("write to memory")(io::Error::other(format!("injected: {fault:?}"))))
            }
            None => {
                contents.lost.iter_mut().for_each(|lost| lost.push(first));
                contents.tail = record.tail;
                Ok(())
            }
        }
    }

    fn records(&self, from: Revision, to: Revision) -> Records<'_> {
        let records = &self.contents().records;
        let start = records.range(..=from).next_back().map_or(Revision::ZERO, |(&first, _)| first);
        let found: Vec<_> = records
            .range(start..)
            .take_while(|&(&first, _)| first <= to)
            .map(|(&first, bytes)| Ok((first, bytes.clone())))
            .collect();
        Box::new(found.into_iter())
    }
}

//! The contract, implemented once over any store of records: an engine only stores them and iterates over them.

use super::contract::{Error, Journal, Reader, Stored, Tail};
use super::record::{self, Encoded};
use crate::model::chain::ChainHash;
use crate::model::revision::Revision;
use std::sync::{Arc, PoisonError, RwLock};

/// Records in the order of their first revision, as the engine has them.
pub(super) type Records<'a> = Box<dyn Iterator<Item = Result<(Revision, Vec<u8>), Error>> + Send + 'a>;

/// What an engine does.
pub(super) trait Store: Send + Sync + 'static {
    /// Stores a record under its first revision and returns once it is durable, all or nothing.
    /// [`Error::Conflict`] and [`Error::NoRoom`] mean that nothing was stored; any other error leaves open whether it was.
    fn put(&self, first: Revision, record: Encoded) -> Result<(), Error>;

    /// For `from` up to `to`, both at least 1: the records with first revisions up to `to`, starting from the one that
    /// would hold `from`: the last that starts at or before it or, when there is none, the first of all.
    fn records(&self, from: Revision, to: Revision) -> Records<'_>;
}

/// A journal over any engine.
pub(super) struct StoreJournal<S> {
    shared: Arc<Shared<S>>,
    poisoned: Option<String>,
}

struct Shared<S> {
    store: S,
    /// The newest durable entry. Updated by the writer after each append; readers look no further.
    tail: RwLock<Tail>,
}

impl<S: Store> StoreJournal<S> {
    /// A journal over a store whose entries have been verified up to `tail`, its end.
    pub(super) fn new(store: S, tail: Tail) -> Self {
        Self { shared: Arc::new(Shared { store, tail: RwLock::new(tail) }), poisoned: None }
    }

    pub(super) fn store(&self) -> &S {
        &self.shared.store
    }
}

impl<S: Store> Journal for StoreJournal<S> {
    fn tail(&self) -> Tail {
        self.shared.tail()
    }

    fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, Error> {
        if let Some(cause) = &self.poisoned {
            return Err(Error::Poisoned { cause: cause.clone() });
        }
        let tail = self.tail();
        if after != tail.revision {
            return Err(Error::Conflict { tail });
        }
        if payloads.is_empty() {
            return Ok(Vec::new());
        }
        let mut record = record::encode(tail, payloads)?;
        let (hashes, tail) = (std::mem::take(&mut record.hashes), record.tail);
        match self.shared.store.put(after.next(), record) {
            Ok(()) => {
                // Only now do readers see the group: it is durable.
                *self.shared.tail.write().unwrap_or_else(PoisonError::into_inner) = tail;
                Ok(hashes)
            }
            Err(refusal @ (Error::Conflict { .. } | Error::NoRoom { .. })) => Err(refusal),
            Err(failure) => {
                let cause = failure.to_string();
                self.poisoned = Some(cause.clone());
                Err(Error::Poisoned { cause })
            }
        }
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.shared.clone()
    }
}

impl<S: Store> Reader for Shared<S> {
    fn tail(&self) -> Tail {
        *self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, revision: Revision) -> Result<Option<Stored>, Error> {
        if revision == Revision::ZERO || revision > self.tail().revision {
            return Ok(None);
        }
        let Some(found) = self.store.records(revision, revision).next() else {
            return Err(Error::corrupt(format_args!("revision {revision}"), "no record is found"));
        };
        let (key, bytes) = found?;
        let record = record::decode(key, &bytes)?;
        let found = record.entries().find(|(tail, _)| tail.revision == revision);
        match found {
            Some((tail, payload)) => Ok(Some(Stored::at(tail, payload))),
            None => Err(Error::corrupt(
                format_args!("revision {revision}"),
                format!("the record at revision {key} should hold it, and doesn't"),
            )),
        }
    }

    fn scan(&self, after: Revision, each: &mut dyn FnMut(Stored) -> Result<(), Error>) -> Result<Tail, Error> {
        let tail = self.tail();
        if tail == Tail::EMPTY {
            return Ok(tail);
        }
        let from = after.clamp(Revision(1), tail.revision);
        let found = walk(self.store.records(from, tail.revision), after, each)?;
        if found == tail {
            Ok(tail)
        } else {
            Err(Error::corrupt(
                format_args!("revision {}", found.revision.min(tail.revision).next()),
                format!("the journal was appended to up to {tail}, but what is found ends at {found}"),
            ))
        }
    }
}

/// Goes through records, each of which must follow the one before, and hands on the entries after `after`.
pub(super) fn walk(
    records: Records<'_>,
    after: Revision,
    each: &mut dyn FnMut(Stored) -> Result<(), Error>,
) -> Result<Tail, Error> {
    let mut tail = (after == Revision::ZERO).then_some(Tail::EMPTY);
    for found in records {
        let (key, bytes) = found?;
        // Only the first record of a scan that starts in the middle has nothing to be compared with; what ties it
        // to the rest is the hash at the end.
        let before = match tail {
            Some(tail) => tail,
            None => record::decode(key, &bytes)?.before,
        };
        let record = record::decode_after(before, key, &bytes)?;
        let following = record.entries().filter(|(tail, _)| tail.revision > after);
        following.map(|(tail, payload)| Stored::at(tail, payload)).try_for_each(&mut *each)?;
        tail = Some(record.tail);
    }
    Ok(tail.unwrap_or(Tail::EMPTY))
}

//! Replaying the journal: the state that its entries come to.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::entry::{Body, codec};
use crate::journal::{self, DiskJournal, FolderLock, Journal, ReplayProgress};
use crate::model::revision::Revision;
use crate::state::{Fold, ResolvedIds};

/// Opens the journal in a folder and replays it.
///
/// # Errors
/// When the journal isn't what was written: it is then not served from.
pub fn replay(folder: &Path) -> Result<(DiskJournal, Fold), journal::Error> {
    replay_with(FolderLock::take(folder)?, &ReplayProgress::default(), |_| {})
}

/// The same; `applied` sees what is replayed after each entry.
pub(super) fn replay_with(
    lock: FolderLock,
    progress: &ReplayProgress,
    mut applied: impl FnMut(&Fold),
) -> Result<(DiskJournal, Fold), journal::Error> {
    let start = Instant::now();
    let mut replayed = Fold::default();
    // For the threads that decode: ids are looked up there in whatever catalogue is applied by then. It is of an earlier
    // revision than the entry, and an index stays; what it lacks is looked up when the entry is applied.
    let catalogue = Mutex::new(replayed.catalogue());
    let newest = || Arc::clone(&catalogue.lock().unwrap_or_else(PoisonError::into_inner));
    let decode = |revision: Revision, payload: &[u8]| {
        let entry = codec::decode(payload).map_err(|error| journal::Error::Corrupt {
            location: format!("revision {revision}"),
            what: error.to_string(),
        })?;
        let ids = entry.submission().and_then(|submission| ResolvedIds::of(submission, &newest()));
        Ok::<_, journal::Error>((entry, ids))
    };
    let journal = DiskJournal::open_locked(lock, progress, decode, |(entry, ids)| {
        replayed.apply_resolved(&entry, ids.as_ref());
        if matches!(entry.body, Body::CataloguePut(_)) {
            *catalogue.lock().unwrap_or_else(PoisonError::into_inner) = replayed.catalogue();
        }
        applied(&replayed);
    })?;
    replayed.settle();
    let (tail, milliseconds) = (journal.tail(), start.elapsed().as_millis());
    tracing::info!(revision = tail.revision.0, chain = %tail.hash, milliseconds, "the journal is replayed and its chain verified");
    Ok((journal, replayed))
}

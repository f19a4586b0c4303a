//! What is durable in the write-ahead log and not yet in the store, and the thread that flushes it there.
//!
//! The thread sleeps until enough has gathered to be worth a sync of the store, or an append waits for space in the
//! ring, or the journal closes. It then works in rounds. A round takes the oldest records, merges small ones into larger
//! ones and compresses them, puts them into the store, syncs it, and only then lets go of them: so a reader finds each
//! entry in the one or the other, and the ring isn't written over too early.

use super::control_file::ControlFile;
use super::sled_store::{SledStore, panic_message};
use super::wal::{RING_BYTES, WalRecord};
use crate::journal::contract::Error;
use crate::journal::record;
use crate::model::revision::Revision;
use std::{
    collections::VecDeque,
    io,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How much of the ring is taken when the thread wakes: few enough syncs, and three quarters left for appends meanwhile.
const WAKE_BYTES: u64 = RING_BYTES / 4;
/// How much of it one round flushes. An append that waits for space waits for one round, not for all there is.
const ROUND_BYTES_MAX: u64 = RING_BYTES / 4;
/// How large a merged record may get, uncompressed: a reader of one entry reads all of it.
const MERGED_BYTES_MAX: usize = 256 << 10;
/// How long an append waits for the store before it takes it for broken.
const STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// The records that the store hasn't got, at most what the ring holds.
pub(super) struct Flusher {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// In order; shared with the readers that are at them.
    unflushed: VecDeque<Arc<WalRecord>>,
    /// Somebody waits for a round, however little there is to do.
    wanted: bool,
    closing: bool,
    /// Why the last round was put off: the bytes free, and those that must be.
    no_room: Option<(u64, u64)>,
    /// Why there will be no further round.
    failed: Option<String>,
}

impl Flusher {
    /// With what a start has found in the write-ahead log and not in the store.
    pub(super) fn new(unflushed: Vec<WalRecord>) -> Self {
        let unflushed = unflushed.into_iter().map(Arc::new).collect();
        let state = State { unflushed, wanted: false, closing: false, no_room: None, failed: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until nothing is needed any more of what a new record at this span is written over.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] when the store can't take what is there, [`Error::Io`] when it failed or stands still.
    pub(super) fn wait_for(&self, span: &Range<u64>) -> Result<(), Error> {
        let deadline = Instant::now() + STORE_TIMEOUT;
        let mut state = self.state();
        loop {
            if let Some(cause) = &state.failed {
                return Err(failed(io::Error::other(cause.clone())));
            }
            // More than a round after the oldest's start, it would be written over the oldest.
            if state.unflushed.front().is_none_or(|oldest| span.end <= oldest.span.start + RING_BYTES) {
                return Ok(());
            }
            // Only a round that was put off since this append asked for one counts: there may be space by now.
            if state.wanted
                && let Some((bytes_free, bytes_min)) = state.no_room
            {
                state.wanted = false;
                return Err(Error::NoRoom { bytes_free, bytes_min });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failed(io::ErrorKind::TimedOut.into()));
            }
            if !state.wanted {
                (state.wanted, state.no_room) = (true, None);
                self.changed.notify_all();
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a record that is durable in the write-ahead log.
    pub(super) fn push(&self, record: WalRecord) {
        let mut state = self.state();
        state.unflushed.push_back(Arc::new(record));
        if state.bytes() >= WAKE_BYTES {
            self.changed.notify_all();
        }
    }

    /// The records with first revisions up to `to`, starting from the one that holds `from` if it is here; and the
    /// first revision of the oldest record here: what comes before it is in the store.
    pub(super) fn records(&self, from: Revision, to: Revision) -> (Vec<Arc<WalRecord>>, Option<Revision>) {
        let state = self.state();
        let start = state.unflushed.partition_point(|record| record.tail.revision < from);
        let end = state.unflushed.partition_point(|record| record.first <= to);
        let oldest = state.unflushed.front().map(|record| record.first);
        (state.unflushed.range(start..end.max(start)).cloned().collect(), oldest)
    }

    /// Has the thread flush what there is, and end.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.changed.notify_all();
    }

    /// Ends all flushing: nothing more is written after a failure, here or elsewhere.
    pub(super) fn fail(&self, cause: String) {
        self.state().failed.get_or_insert(cause);
        self.changed.notify_all();
    }

    /// Waits until the thread has flushed all there is, or never will.
    #[cfg(test)]
    pub(super) fn catch_up(&self) {
        let mut state = self.state();
        while !state.unflushed.is_empty() && state.failed.is_none() && state.no_room.is_none() {
            state.wanted = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the store has all that came here.
    pub(super) fn has_caught_up(&self) -> bool {
        self.state().unflushed.is_empty()
    }

    /// Why the thread ended before its time.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failed.clone()
    }

    /// The thread: one round after the other, until the journal closes or something fails.
    pub(super) fn run(&self, sled: &SledStore, control: &Mutex<ControlFile>) {
        while let Some(round) = self.next_round() {
            // Without the state's lock: appends and readers go on meanwhile. Only this thread removes records, so the
            // round is still what is in front afterwards.
            let flushed = catch_unwind(AssertUnwindSafe(|| flush(&round, sled, control)));
            let mut state = self.state();
            match flushed {
                Ok(Ok(())) => {
                    state.unflushed.drain(..round.len());
                    (state.wanted, state.no_room) = (false, None);
                }
                // Nothing was written: the round is made again once an append asks for it.
                Ok(Err(Error::NoRoom { bytes_free, bytes_min })) => state.no_room = Some((bytes_free, bytes_min)),
                Ok(Err(error)) => state.failed = Some(error.to_string()),
                Err(panic) => state.failed = Some(format!("it panicked: {}", panic_message(&*panic))),
            }
            if let Some(cause) = &state.failed {
                tracing::error!(cause, "the store failed: no more writes are taken");
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits for something to do. `None` when there never will be.
    fn next_round(&self) -> Option<Vec<Arc<WalRecord>>> {
        let mut state = self.state();
        while !state.due() {
            if state.failed.is_some() || state.closing {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let start = state.unflushed.front()?.span.start;
        let within = |record: &&Arc<WalRecord>| record.span.end <= start + ROUND_BYTES_MAX;
        Some(state.unflushed.iter().take_while(within).cloned().collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How much of the ring is taken.
    fn bytes(&self) -> u64 {
        let (oldest, newest) = (self.unflushed.front(), self.unflushed.back());
        oldest.zip(newest).map_or(0, |(oldest, newest)| newest.span.end - oldest.span.start)
    }

    /// Whether a round is to be made now.
    fn due(&self) -> bool {
        let wanted = self.wanted || self.closing || self.bytes() >= WAKE_BYTES;
        wanted && !self.unflushed.is_empty() && self.no_room.is_none() && self.failed.is_none()
    }
}

/// What an append, or the end of the journal, reports of a flusher that failed.
pub(super) fn failed(cause: io::Error) -> Error {
    Error::io("flush entries to the store")(cause)
}

/// Puts a round's records into the store, and returns once they are durable there and in the control file.
fn flush(round: &[Arc<WalRecord>], sled: &SledStore, control: &Mutex<ControlFile>) -> Result<(), Error> {
    sled.check_free_space()?;
    let mut rest = round;
    while let Some(head) = rest.first() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|record| {
            bytes += record.bytes.len();
            bytes <= MERGED_BYTES_MAX
        });
        // At least one, however large it is.
        let (merged, after) = rest.split_at(fits.count().max(1));
        let plain: Vec<_> = merged.iter().map(|record| record.bytes.as_slice()).collect();
        let record = record::merge(&plain)
            .ok_or_else(|| Error::corrupt(format_args!("revision {}", head.first), "its record can't be merged"))?;
        sled.put(head.first, &record)?;
        rest = after;
    }
    // sled before the control file, which may only say what is durable; and the control file before these records may
    // be written over in the ring. Otherwise a store that lost them could look like one that never had them.
    sled.sync()?;
    let Some(newest) = round.last() else { return Ok(()) };
    let sync = {
        let mut control = control.lock().unwrap_or_else(PoisonError::into_inner);
        control.write_stored(newest.tail.revision)?;
        control.syncing()
    };
    // Without its lock: appends write the control file too.
    sync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::contract::Tail;
    use std::thread;

    fn record(span: Range<u64>, revision: u64) -> WalRecord {
        let tail = Tail { revision: Revision(revision), ..Tail::EMPTY };
        WalRecord { span, first: tail.revision, tail, bytes: Vec::new() }
    }

    #[test]
    fn a_span_is_not_written_over_before_the_store_has_its_record() {
        let flusher = Flusher::new(vec![record(4_096..8_192, 1), record(8_192..16_384, 2)]);
        flusher.wait_for(&(16_384..RING_BYTES + 4_096)).unwrap();
        thread::scope(|scope| {
            let over = scope.spawn(|| flusher.wait_for(&(RING_BYTES..RING_BYTES + 8_192)));
            thread::sleep(Duration::from_millis(100));
            assert!(!over.is_finished(), "the first record is still there");
            flusher.state().unflushed.pop_front();
            flusher.changed.notify_all();
            over.join().unwrap().unwrap();
        });
        flusher.fail("the disk is on fire".to_owned());
        assert!(flusher.wait_for(&(16_384..20_480)).is_err());
    }
}

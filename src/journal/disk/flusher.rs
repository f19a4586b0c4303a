//! What is durable in the write-ahead file and not yet in the store, and the thread that carries it over.
//!
//! The thread sleeps until enough waits for it to be worth a sync of the store, or an append waits for the ring, or
//! the journal closes. Small groups are merged into larger records on the way, and compressed. What it has carried over
//! leaves the flusher only once the store has it durably, so a reader finds each entry here or there.

use super::control_file::ControlFile;
use super::sled_store::SledStore;
use super::wal::{Found, RING_BYTES};
use crate::journal::contract::{Error, Tail};
use crate::journal::record;
use crate::model::revision::Revision;
use std::{
    any::Any,
    collections::VecDeque,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How much of the ring is taken when the thread wakes.
const WAKE_BYTES: u64 = RING_BYTES / 4;
/// How much of it one round carries over: what comes next waits no longer for the room.
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
    waiting: VecDeque<Arc<Waiting>>,
    /// Somebody waits for a round, however little there is to do.
    wanted: bool,
    closing: bool,
    /// Why the last round was put off.
    no_room: Option<(u64, u64)>,
    /// Why there will be no further round.
    failed: Option<String>,
}

/// A record that is durable in the write-ahead file.
pub(super) struct Waiting {
    /// Its place in the ring.
    pub(super) place: Range<u64>,
    /// Its first revision.
    pub(super) first: Revision,
    /// The journal's tail with it.
    pub(super) tail: Tail,
    /// As [`record::encode`] made it.
    pub(super) bytes: Vec<u8>,
}

impl From<(Range<u64>, Found)> for Waiting {
    fn from((place, found): (Range<u64>, Found)) -> Self {
        let (first, tail) = (found.record.before.revision.next(), found.record.tail);
        Self { place, first, tail, bytes: found.bytes }
    }
}

impl Flusher {
    pub(super) fn new(waiting: VecDeque<Waiting>) -> Self {
        let waiting = waiting.into_iter().map(Arc::new).collect();
        let state = State { waiting, wanted: false, closing: false, no_room: None, failed: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until nothing is needed any more of what a new record at this place writes over.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] when the store can't take what is there, [`Error::Io`] when it failed or stands still.
    pub(super) fn wait_for(&self, place: &Range<u64>) -> Result<(), Error> {
        let deadline = Instant::now() + STORE_TIMEOUT;
        let mut state = self.state();
        loop {
            if let Some(cause) = &state.failed {
                return Err(Error::io("carry entries over to the store")(std::io::Error::other(cause.clone())));
            }
            if state.waiting.front().is_none_or(|oldest| place.end <= oldest.place.start + RING_BYTES) {
                return Ok(());
            }
            if state.wanted
                && let Some((bytes_free, bytes_min)) = state.no_room
            {
                state.wanted = false;
                return Err(Error::NoRoom { bytes_free, bytes_min });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::io("carry entries over to the store")(std::io::ErrorKind::TimedOut.into()));
            }
            if !state.wanted {
                (state.wanted, state.no_room) = (true, None);
                self.changed.notify_all();
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a record that is durable in the write-ahead file.
    pub(super) fn push(&self, record: Waiting) {
        let mut state = self.state();
        state.waiting.push_back(Arc::new(record));
        if state.bytes() >= WAKE_BYTES {
            self.changed.notify_all();
        }
    }

    /// The records with first revisions up to `to`, starting from the one that holds `from` if it is here; and where
    /// those in the store end that come before.
    pub(super) fn records(&self, from: Revision, to: Revision) -> (Vec<Arc<Waiting>>, Option<Revision>) {
        let state = self.state();
        let start = state.waiting.partition_point(|record| record.tail.revision < from);
        let end = state.waiting.partition_point(|record| record.first <= to);
        let oldest = state.waiting.front().map(|record| record.first);
        (state.waiting.range(start..end.max(start)).cloned().collect(), oldest)
    }

    /// Has the thread carry over what there is, and end.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.changed.notify_all();
    }

    /// Ends all carrying over: nothing more is written after a failure, here or elsewhere.
    pub(super) fn fail(&self, cause: String) {
        self.state().failed.get_or_insert(cause);
        self.changed.notify_all();
    }

    /// Waits until the thread has carried over all there is, or never will.
    #[cfg(test)]
    pub(super) fn catch_up(&self) {
        let mut state = self.state();
        while !state.waiting.is_empty() && state.failed.is_none() && state.no_room.is_none() {
            state.wanted = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Why the thread ended before its time.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failed.clone()
    }

    /// Carries over whatever comes, until the journal closes or something fails.
    pub(super) fn run(&self, sled: &SledStore, witness: &Mutex<ControlFile>) {
        while let Some(round) = self.next_round() {
            let stored = catch_unwind(AssertUnwindSafe(|| store(&round, sled, witness)));
            let mut state = self.state();
            match stored {
                Ok(Ok(())) => {
                    state.waiting.drain(..round.len());
                    (state.wanted, state.no_room) = (false, None);
                }
                Ok(Err(Error::NoRoom { bytes_free, bytes_min })) => state.no_room = Some((bytes_free, bytes_min)),
                Ok(Err(error)) => state.failed = Some(error.to_string()),
                Err(panic) => state.failed = Some(format!("it panicked: {}", said(&*panic))),
            }
            if let Some(cause) = &state.failed {
                tracing::error!(cause, "the store failed: no more writes are taken");
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits for something to do. `None` when there never will be.
    fn next_round(&self) -> Option<Vec<Arc<Waiting>>> {
        let mut state = self.state();
        while !state.due() {
            if state.failed.is_some() || state.closing {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let start = state.waiting.front()?.place.start;
        let within = |record: &&Arc<Waiting>| record.place.end <= start + ROUND_BYTES_MAX;
        Some(state.waiting.iter().take_while(within).cloned().collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How much of the ring is taken.
    fn bytes(&self) -> u64 {
        let (oldest, newest) = (self.waiting.front(), self.waiting.back());
        oldest.zip(newest).map_or(0, |(oldest, newest)| newest.place.end - oldest.place.start)
    }

    /// Whether a round is to be made now.
    fn due(&self) -> bool {
        let asked = self.wanted || self.closing || self.bytes() >= WAKE_BYTES;
        asked && !self.waiting.is_empty() && self.no_room.is_none() && self.failed.is_none()
    }
}

/// Puts records into the store, and returns once they are durable there and the witness knows.
fn store(round: &[Arc<Waiting>], sled: &SledStore, witness: &Mutex<ControlFile>) -> Result<(), Error> {
    sled.check_room()?;
    let mut rest = round;
    while let Some(head) = rest.first() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|record| {
            bytes += record.bytes.len();
            bytes <= MERGED_BYTES_MAX
        });
        let (merged, after) = rest.split_at(fits.count().max(1));
        let plain: Vec<_> = merged.iter().map(|record| record.bytes.as_slice()).collect();
        let record = record::merge(&plain)
            .ok_or_else(|| Error::corrupt(format_args!("revision {}", head.first), "its record can't be merged"))?;
        sled.put(head.first, &record)?;
        rest = after;
    }
    sled.sync()?;
    let Some(newest) = round.last() else { return Ok(()) };
    let sync = {
        let mut witness = witness.lock().unwrap_or_else(PoisonError::into_inner);
        witness.write_stored(newest.tail.revision)?;
        witness.syncing()
    };
    sync()
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn waiting(place: Range<u64>, revision: u64) -> Waiting {
        let tail = Tail { revision: Revision(revision), ..Tail::EMPTY };
        Waiting { place, first: tail.revision, tail, bytes: Vec::new() }
    }

    #[test]
    fn a_place_is_not_written_over_before_the_store_has_its_record() {
        let flusher = Flusher::new([waiting(4_096..8_192, 1), waiting(8_192..16_384, 2)].into());
        flusher.wait_for(&(16_384..RING_BYTES + 4_096)).unwrap();
        thread::scope(|scope| {
            let over = scope.spawn(|| flusher.wait_for(&(RING_BYTES..RING_BYTES + 8_192)));
            thread::sleep(Duration::from_millis(100));
            assert!(!over.is_finished(), "the first record is still there");
            flusher.state().waiting.pop_front();
            flusher.changed.notify_all();
            over.join().unwrap().unwrap();
        });
        flusher.fail("the disk is on fire".to_owned());
        assert!(flusher.wait_for(&(16_384..20_480)).is_err());
    }
}

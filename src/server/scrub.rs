//! The scrub: reads the journal and the audit log again, all of them, and checks that they are what was written. It is
//! slow by design, so that nobody waits for it; asked for, it goes as fast as it can.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::audit::{self, LogTail};
use crate::journal::{self, Reader, Tail};
use crate::metrics::{self, Registry};
use crate::model::revision::Revision;
use crate::model::timestamp::{Timestamp, seconds_between};

/// How many bytes a second it reads when nobody waits for it.
const BYTES_A_SECOND: u64 = 8 << 20;
/// How many bytes it reads before it pauses.
const PART_BYTES: u64 = 1 << 20;
/// How soon a scrub that can't be done is tried again.
const RETRY: Duration = Duration::from_secs(3_600);

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    /// When that had ended: RFC 3339.
    pub(crate) at: String,
    /// The journal's newest revision then.
    pub(crate) revision: u64,
    /// Its chain hash.
    pub(crate) chain: String,
    /// How many lines the audit log had.
    pub(crate) audit_lines: u64,
}

/// Why a scrub didn't end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The journal isn't what was written, or can't be read.
    #[error("{0}")]
    Journal(#[from] journal::Error),
    /// The audit log isn't what was written, or can't be read.
    #[error("{0}")]
    Audit(#[from] audit::Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// What is known of the last scrub, and how to make another.
pub(crate) struct Scrub {
    reader: Arc<dyn Reader>,
    folder: PathBuf,
    log: audit::Log,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    known: Arc<Mutex<Known>>,
}

struct Known {
    verified: Verified,
    verified_at: Timestamp,
    failure: Option<String>,
}

impl Scrub {
    /// After a start, which has read all of the journal.
    pub(super) fn after_start(
        reader: Arc<dyn Reader>,
        folder: PathBuf,
        log: audit::Log,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        let (at, tail) = (clock(), reader.tail());
        let verified = Verified::of(at, tail, log.progress().tail);
        Self {
            reader,
            folder,
            log,
            clock,
            known: Arc::new(Mutex::new(Known { verified, verified_at: at, failure: None })),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// What was verified last.
    pub(crate) fn verified(&self) -> Verified {
        self.known().verified.clone()
    }

    /// Why the last scrub didn't end well, if it didn't.
    pub(crate) fn failure(&self) -> Option<String> {
        self.known().failure.clone()
    }

    /// Adds its metrics.
    pub(super) fn register(self: &Arc<Self>, registry: &mut Registry) {
        // The log isn't kept: its thread ends when nobody has it any more.
        let (known, clock) = (Arc::clone(&self.known), Arc::clone(&self.clock));
        let age = move || Some(seconds_between(lock(&known).verified_at, clock()));
        let help = "How long ago everything was read and verified last, in seconds: at the start, or by the last scrub";
        metrics::gauge(registry, "conspectus_verified_age_seconds", help, age);
        let known = Arc::clone(&self.known);
        let failed = move || Some(u64::from(lock(&known).failure.is_some()));
        let help = "1 while the last scrub found what isn't what was written, or couldn't read it";
        metrics::gauge(registry, "conspectus_scrub_failed", help, failed);
    }

    /// Reads and checks everything, on this thread. `pause` comes after each part of so many bytes, and says whether
    /// to go on.
    ///
    /// # Errors
    /// When anything isn't what was written, or `pause` ends it.
    pub(crate) fn run(&self, mut pause: impl FnMut(u64) -> bool) -> Result<Verified, Error> {
        let read = self.read(&mut pause);
        let mut known = self.known();
        match &read {
            Ok(verified) => {
                *known = Known { verified: verified.clone(), verified_at: (self.clock)(), failure: None };
                tracing::info!(revision = verified.revision, chain = %verified.chain, audit_lines = verified.audit_lines, "the journal and the audit log are what was written");
            }
            Err(Error::Stopping) => {}
            Err(error @ (Error::Journal(_) | Error::Audit(_))) => {
                tracing::error!(%error, "the journal or the audit log isn't what was written: restore from a backup");
                known.failure = Some(error.to_string());
            }
        }
        read
    }

    fn read(&self, pause: &mut dyn FnMut(u64) -> bool) -> Result<Verified, Error> {
        let (mut bytes, mut goes_on) = (0, true);
        let mut paced = |length: usize| {
            bytes += length as u64;
            if bytes >= PART_BYTES {
                goes_on = goes_on && pause(bytes);
                bytes = 0;
            }
            if goes_on { Ok(()) } else { Err(Error::Stopping) }
        };
        let (lines, mut stopped) = (self.log.progress().tail, None);
        let tail = self.reader.scan(Revision::ZERO, &mut |stored| {
            paced(stored.payload.len()).map_err(|error| {
                stopped = Some(error);
                // Any error ends the scan.
                journal::Error::Poisoned { cause: String::new() }
            })
        });
        let tail = tail.map_err(|error| stopped.unwrap_or(Error::Journal(error)))?;
        for line in audit::lines_after(&self.folder, LogTail::START, lines.n) {
            paced(line?.text.len())?;
        }
        Ok(Verified::of((self.clock)(), tail, lines))
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Verified {
    /// A journal and an audit log that were read to their ends.
    pub(super) fn of(at: Timestamp, journal: Tail, lines: LogTail) -> Self {
        Self { at: at.to_string(), revision: journal.revision.0, chain: journal.hash.to_string(), audit_lines: lines.n }
    }
}

/// Scrubs now and then until the stop.
pub(super) async fn scrub_now_and_then(scrub: Arc<Scrub>, every: Duration, mut stopping: watch::Receiver<bool>) {
    let mut next = every;
    while tokio::time::timeout(next, stopping.wait_for(|stop| *stop)).await.is_err() {
        let (scrub, stopping) = (Arc::clone(&scrub), stopping.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mut begun = Instant::now();
            scrub.run(|bytes| {
                let least = Duration::from_millis(1_000 * bytes / BYTES_A_SECOND);
                std::thread::sleep(least.saturating_sub(begun.elapsed()));
                begun = Instant::now();
                !*stopping.borrow()
            })
        });
        next = if matches!(done.await, Ok(Ok(_))) { every } else { RETRY.min(every) };
    }
}

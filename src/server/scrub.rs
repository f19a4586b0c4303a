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
    /// The audit log doesn't come to where it was written to.
    #[error("the audit log ends with line {found}, and line {written} was written, or is another one")]
    AuditEnd {
        /// The last line that is found.
        found: u64,
        /// The last that was written.
        written: u64,
    },
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
            Err(error @ (Error::Journal(_) | Error::Audit(_) | Error::AuditEnd { .. })) => {
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
        let mut stopped = None;
        let tail = self.reader.scan(Revision::ZERO, &mut |stored| {
            paced(stored.payload.len()).map_err(|error| {
                stopped = Some(error);
                // Any error ends the scan.
                journal::Error::Poisoned { cause: String::new() }
            })
        });
        let tail = tail.map_err(|error| stopped.unwrap_or(Error::Journal(error)))?;
        let lines = match self.read_log(&mut paced) {
            // A file may have been moved away or deleted meanwhile, which the log then says; damage stays.
            Err(Error::Audit(_) | Error::AuditEnd { .. }) => self.read_log(&mut paced)?,
            read => read?,
        };
        Ok(Verified::of((self.clock)(), tail, lines))
    }

    /// Reads the audit log up to its newest line.
    fn read_log(&self, paced: &mut impl FnMut(usize) -> Result<(), Error>) -> Result<LogTail, Error> {
        let (written, mut found) = (self.log.progress().tail, LogTail::START);
        for line in audit::lines_after(&self.folder, LogTail::START, written.n) {
            let line = line?;
            found = line.tail;
            paced(line.text.len())?;
        }
        if found == written { Ok(found) } else { Err(Error::AuditEnd { found: found.n, written: written.n }) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Accepted, Event, FILE_NAME, Known as KnownLog, Line, Log, SegmentLimits};
    use crate::journal::{Journal, MemoryDisk, MemoryJournal, Stored};

    /// A reader whose journal was damaged.
    struct Damaged;

    impl Reader for Damaged {
        fn tail(&self) -> Tail {
            Tail::EMPTY
        }

        fn read(&self, _: Revision) -> Result<Option<Stored>, journal::Error> {
            Ok(None)
        }

        fn scan(
            &self,
            _: Revision,
            _: &mut dyn FnMut(Stored) -> Result<(), journal::Error>,
        ) -> Result<Tail, journal::Error> {
            Err(journal::Error::Corrupt { location: "revision 7".to_owned(), what: "it is another".to_owned() })
        }
    }

    /// A log of some lines, and what its file has.
    async fn log(folder: &std::path::Path, lines: usize) -> (Log, String) {
        let known = KnownLog { tail: LogTail::START, revision: Revision::ZERO };
        let opened = Log::open(folder, Timestamp(0), known, Accepted::default(), SegmentLimits::default()).unwrap();
        for _ in 0..lines {
            let line = Line::without_call(Event::Read, "x".repeat(2_000));
            opened.log.write(Timestamp(0), line, None).await.unwrap();
        }
        let text = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap();
        (opened.log, text)
    }

    #[tokio::test]
    async fn what_is_not_what_was_written_is_found_and_stays_known_until_a_scrub_ends_well() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (log, text) = log(folder.path(), 5).await;
        let mut journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
        journal.append(Revision::ZERO, &[vec![1; 10]]).unwrap();
        let clock = Arc::new(|| Timestamp(0));
        // The log is read where a copy of it is, which no writer watches.
        let scrub = Scrub::after_start(journal.reader(), copy.path().to_owned(), log.clone(), clock.clone());
        let read = |text: &str| {
            std::fs::write(copy.path().join(FILE_NAME), text).unwrap();
            scrub.run(|_| true).map(|verified| (verified.revision, verified.audit_lines))
        };
        assert_eq!(read(&text).unwrap(), (1, 5));
        let last = text[..text.len() - 1].rfind('\n').unwrap() + 1;
        assert!(matches!(read(&text[..last]), Err(Error::AuditEnd { found: 4, written: 5 })));
        assert!(scrub.failure().unwrap().contains("ends with line 4"));
        assert!(matches!(read(""), Err(Error::AuditEnd { found: 0, written: 5 })));
        assert!(matches!(read(&text.replacen("xx", "xy", 1)), Err(Error::Audit(_))));
        read(&text).unwrap();
        assert_eq!(scrub.failure(), None);

        let scrub = Scrub::after_start(Arc::new(Damaged), copy.path().to_owned(), log, clock);
        assert!(scrub.run(|_| true).unwrap_err().to_string().contains("revision 7"));
    }

    #[tokio::test]
    async fn a_scrub_pauses_after_each_part_and_ends_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let (log, text) = log(folder.path(), 1_100).await;
        assert!(text.len() as u64 > 2 * PART_BYTES);
        let journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
        let scrub = Scrub::after_start(journal.reader(), folder.path().to_owned(), log, Arc::new(|| Timestamp(0)));
        let mut pauses = 0;
        scrub
            .run(|bytes| {
                assert!(bytes >= PART_BYTES);
                pauses += 1;
                true
            })
            .unwrap();
        assert_eq!(pauses, 2);
        assert!(matches!(scrub.run(|_| false), Err(Error::Stopping)));
        assert_eq!(scrub.failure(), None, "nothing is known to be wrong");
    }
}

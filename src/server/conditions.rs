//! What may go wrong while the server runs, and isn't an error of any call: it is looked at now and then, logged, and
//! in the health.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tonic_health::server::HealthReporter;

use super::clock::Watched;
use super::health::{Faults, set_serving};
use super::readiness::Phase;
use super::service_manager;
use crate::audit;
use crate::journal::{FREE_BYTES_MIN, Space};
use crate::rpc::Context;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often what is still so is logged again.
const REMIND_EVERY: Duration = Duration::from_secs(3_600);

/// What a running server depends on.
pub(super) struct Conditions {
    pub(super) folder: PathBuf,
    pub(super) context: Context,
    pub(super) health: HealthReporter,
    pub(super) audit: audit::Log,
    /// Why the journal takes no more entries.
    pub(super) journal_failure: watch::Receiver<Option<String>>,
    pub(super) clock: Watched,
    /// Says what was found.
    pub(super) phase: watch::Sender<Phase>,
}

impl Conditions {
    /// Says what is serving, and goes on doing so as that changes.
    pub(super) async fn watch(mut self) {
        let (mut known, mut disk) = (None, Disk::default());
        loop {
            let faults = self.faults(&mut disk).await;
            if known.replace(faults) != Some(faults) {
                set_serving(&self.health, faults).await;
            }
            service_manager::tell_of_life(&faults.words());
            self.phase.send_replace(Phase::Serving { faults, disk_bytes_free: disk.known.map(Space::bytes_free) });
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                // A failure of the journal is known at once. It is the last change; a writer that is gone makes none.
                Ok(_) = self.journal_failure.changed() => {}
            }
        }
    }

    async fn faults(&mut self, disk: &mut Disk) -> Faults {
        let journal_failed = self.journal_failure.borrow().is_some();
        Faults {
            journal_failed,
            audit_refuses: self.audit.is_refusing(),
            no_space: disk.is_full(self.folder.clone()).await,
            clock_in_doubt: self.is_clock_in_doubt(),
        }
    }

    fn is_clock_in_doubt(&mut self) -> bool {
        let newest = self.context.state.borrow().newest_at();
        self.clock.is_in_doubt((self.context.clock)(), Instant::now(), newest)
    }
}

/// What is known of the disk's space, and when it was last logged.
#[derive(Default)]
struct Disk {
    known: Option<Space>,
    logged: Option<Instant>,
}

impl Disk {
    /// Whether the disk is too full to write; what changes in its space is logged, and repeated while it is low.
    async fn is_full(&mut self, folder: PathBuf) -> bool {
        let asked = folder.clone();
        let asked = tokio::task::spawn_blocking(move || Space::in_folder(&asked)).await;
        // A file system that doesn't say counts as it did before: appends ask for themselves.
        if let Ok(Ok(space)) = asked {
            self.note(space, &folder.display().to_string(), Instant::now());
        }
        matches!(self.known, Some(Space::Out { .. }))
    }

    fn note(&mut self, space: Space, folder: &str, now: Instant) {
        let before = self.known.replace(space);
        let is_enough = matches!(space, Space::Enough { .. });
        let is_same =
            before.map_or(is_enough, |before| std::mem::discriminant(&before) == std::mem::discriminant(&space));
        let is_due =
            !is_enough && self.logged.is_some_and(|logged| now.saturating_duration_since(logged) >= REMIND_EVERY);
        if is_same && !is_due {
            return;
        }
        self.logged = Some(now);
        let mib_min = FREE_BYTES_MIN >> 20;
        match space {
            Space::Enough { .. } => tracing::info!(folder, "the disk has space again"),
            Space::Low { bytes_free } => {
                let mib_free = bytes_free >> 20;
                tracing::warn!(
                    folder,
                    mib_free,
                    "the disk is filling up: below {mib_min} MiB submissions, and reads that are audited, are refused"
                );
            }
            Space::Out { bytes_free } => {
                let mib_free = bytes_free >> 20;
                tracing::error!(
                    folder,
                    mib_free,
                    "the disk is nearly full: submissions, and reads that are audited, are refused until {mib_min} MiB are free"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::revision::Revision;
    use crate::model::timestamp::Timestamp;
    use crate::tests::logged;

    const ENOUGH: Space = Space::Enough { bytes_free: 1 << 40 };

    #[tokio::test]
    async fn a_journal_that_failed_and_an_audit_log_that_takes_no_lines_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let known = audit::Known { tail: audit::LogTail::START, revision: Revision::ZERO };
        let (accepted, limits) = (audit::Accepted::default(), audit::SegmentLimits::default());
        let opened = audit::Log::open(folder.path(), Timestamp(0), known, accepted, limits).unwrap();
        let (fail, journal_failure) = watch::channel(None);
        let mut conditions = Conditions {
            folder: folder.path().to_owned(),
            context: Context::in_memory(Timestamp(0)),
            health: tonic_health::server::health_reporter().0,
            audit: opened.log.clone(),
            journal_failure,
            clock: Watched::from(Timestamp(0), Instant::now()),
            phase: watch::channel(Phase::Starting).0,
        };
        let mut disk = Disk::default();
        let before = conditions.faults(&mut disk).await;
        assert!(!before.journal_failed && !before.audit_refuses);
        fail.send_replace(Some("it can't be written".to_owned()));
        assert_eq!(conditions.faults(&mut disk).await, Faults { journal_failed: true, ..before });
        // Its file is gone, and there is no place for another.
        folder.close().unwrap();
        let line = audit::Line::without_call(audit::Event::Read, String::new());
        opened.log.write(Timestamp(0), line, None).await.unwrap_err();
        assert_eq!(conditions.faults(&mut disk).await, Faults { journal_failed: true, audit_refuses: true, ..before });
    }

    #[test]
    fn that_there_is_space_again_is_logged() {
        let text = logged(|| {
            let mut disk = Disk::default();
            for space in [Space::Out { bytes_free: 1 }, ENOUGH] {
                disk.note(space, "data", Instant::now());
            }
        });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() == 2 && lines[1].contains("the disk has space again"), "{text}");
    }

    #[test]
    fn the_space_of_the_disk_is_logged_when_it_changes_and_while_it_is_low_every_hour() {
        const MINUTE: u64 = 60;
        let start = Instant::now();
        let low = |bytes_free| Space::Low { bytes_free };
        let out = Space::Out { bytes_free: 1 };
        for (first, looks) in [
            // When it was looked at, what was found, and whether that was to be logged.
            (ENOUGH, vec![(90, ENOUGH, false), (91, low(9), true)]),
            (low(9), vec![(1, low(8), false), (59, low(7), false), (60, low(7), true), (61, low(7), false)]),
            (low(9), vec![(1, out, true), (2, out, false), (61, out, true), (62, low(9), true)]),
            (out, vec![(1, ENOUGH, true), (100, ENOUGH, false)]),
        ] {
            let mut disk = Disk::default();
            disk.note(first, "data", start);
            assert_eq!(disk.logged.is_some(), first != ENOUGH, "at a start what is enough isn't said");
            for (minute, space, is_logged) in looks {
                let now = start + Duration::from_secs(minute * MINUTE);
                disk.note(space, "data", now);
                assert_eq!(disk.logged == Some(now), is_logged, "{space:?} after {first:?}, at {minute} minutes");
            }
        }
    }
}

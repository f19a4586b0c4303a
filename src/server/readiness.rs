//! Whether the server does all of its work, and if not, why.

use tokio::sync::watch;

use super::health::Faults;
use crate::journal::ReplayProgress;
use crate::metrics::{self, Registry};

/// How far the life of a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The journal is replayed.
    Starting,
    /// Calls are let in.
    Serving {
        /// What keeps it from some of its work.
        faults: Faults,
        /// How much the disk of the data folder has left, once that is known.
        disk_bytes_free: Option<u64>,
    },
    /// No calls are let in any more.
    Stopping,
}

/// What a server's phase is, for whoever asks.
#[derive(Debug, Clone)]
pub(super) struct Readiness {
    phase: watch::Receiver<Phase>,
    replay: ReplayProgress,
}

impl Readiness {
    pub(super) fn new(phase: watch::Receiver<Phase>, replay: ReplayProgress) -> Self {
        Self { phase, replay }
    }

    /// Whether calls are let in.
    pub(super) fn lets_calls_in(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Serving { .. })
    }

    /// Why the server doesn't do all of its work; nothing when it does.
    pub(super) fn reasons(&self) -> Vec<String> {
        match *self.phase.borrow() {
            Phase::Starting => vec![format!("the journal is being replayed: {} %", self.replay.thousandths() / 10)],
            Phase::Stopping => vec!["the server is stopping".to_owned()],
            Phase::Serving { faults, .. } => faults.words().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Adds the metrics of what the server looks at each second, and of the replay.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.replay.register(registry);
        let phase = self.phase.clone();
        let disk_free = move || match *phase.borrow() {
            Phase::Serving { disk_bytes_free, .. } => disk_bytes_free,
            Phase::Starting | Phase::Stopping => None,
        };
        let help = "What is free on the disk of the data folder, as of a second ago";
        metrics::gauge(registry, "conspectus_disk_free_bytes", help, disk_free);
        let phase = self.phase.clone();
        let clock_in_doubt = move || match *phase.borrow() {
            Phase::Serving { faults, .. } => Some(u64::from(faults.clock_in_doubt)),
            Phase::Starting | Phase::Stopping => None,
        };
        let help = "1 while the clock is behind the journal, or has jumped ahead";
        metrics::gauge(registry, "conspectus_clock_in_doubt", help, clock_in_doubt);
        let readiness = self.clone();
        let ready = move || Some(u64::from(readiness.reasons().is_empty()));
        metrics::gauge(
            registry,
            "conspectus_ready",
            "1 while the server does all of its work; /readyz says what it doesn't do",
            ready,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_once_it_is_replayed_and_while_nothing_keeps_it_from_its_work() {
        let (phase, phases) = watch::channel(Phase::Starting);
        let readiness = Readiness::new(phases, ReplayProgress::default());
        assert_eq!(readiness.reasons(), ["the journal is being replayed: 0 %"]);
        assert!(!readiness.lets_calls_in());
        let serving = |faults| phase.send_replace(Phase::Serving { faults, disk_bytes_free: None });
        serving(Faults::default());
        assert_eq!(readiness.reasons(), [""; 0]);
        serving(Faults { no_space: true, clock_in_doubt: true, ..Faults::default() });
        assert_eq!(
            readiness.reasons(),
            ["the disk is nearly full: nothing is written", "the clock is behind the journal, or has jumped ahead"]
        );
        assert!(readiness.lets_calls_in(), "what it can still do, it does");
        phase.send_replace(Phase::Stopping);
        assert!(!readiness.lets_calls_in());
        assert_eq!(readiness.reasons(), ["the server is stopping"]);
    }
}

//! What is known of the server while it runs, and where it is asked for.

use std::io;

use tokio::sync::watch;

use super::admin::{self, Metrics};
use super::listen::Listen;
use super::process;
use super::readiness::{Phase, Readiness};
use crate::journal::ReplayProgress;
use crate::metrics::Registry;
use crate::model::timestamp::Timestamp;

/// What is measured, how far the replay and the server have come, and the admin listener, where there is one: it ends
/// with this.
pub(super) struct Measured {
    pub(super) metrics: Metrics,
    pub(super) replay: ReplayProgress,
    pub(super) phase: watch::Sender<Phase>,
    _admin: Option<admin::Serving>,
}

impl Measured {
    /// Whether the server is ready, for whoever asks.
    pub(super) fn readiness(&self) -> Readiness {
        Readiness::new(self.phase.subscribe(), self.replay.clone())
    }

    /// Begins to measure a server that starts at an instant, and to be asked at an address, with what the program itself
    /// measures.
    ///
    /// # Errors
    /// When the system doesn't let it listen there.
    pub(super) fn begin(at: Option<(Listen, Registry)>, started: Timestamp) -> io::Result<Self> {
        let ((phase, phases), replay) = (watch::channel(Phase::Starting), ReplayProgress::default());
        let readiness = Readiness::new(phases, replay.clone());
        let (metrics, admin) = match at {
            None => (Metrics::default(), None),
            Some((listen, registry)) => {
                let metrics = Metrics::of(registry);
                (metrics.clone(), Some(admin::start(listen, metrics, readiness.clone())?))
            }
        };
        metrics.add(|registry| process::register(registry, started));
        metrics.add(|registry| readiness.register(registry));
        Ok(Self { metrics, replay, phase, _admin: admin })
    }
}

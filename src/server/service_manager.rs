//! What a service manager is told, where one asks: systemd, by `sd_notify(3)`. Without one nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;

use super::readiness::Phase;
use crate::journal::ReplayProgress;

/// How often it is told how far a start has come.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How much longer a start may take, each time it is told.
const MORE_TIME_MICROS: u32 = 30_000_000;
/// How often the log says how far a start has come.
const LOG_EVERY: Duration = Duration::from_secs(10);

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can't be told");
    }
}

/// Says how far the replay has come, to the service manager and now and then in the log, and that the server is ready.
/// Ends once it is ready, or stops.
pub(super) async fn tell_of_start(progress: ReplayProgress, mut phase: watch::Receiver<Phase>) {
    let begun = tokio::time::Instant::now();
    let mut logged = begun;
    let is_over = |phase: &Phase| *phase != Phase::Starting;
    while tokio::time::timeout(TELL_EVERY, phase.wait_for(is_over)).await.is_err() {
        let percent = progress.thousandths() / 10;
        tell(&[
            NotifyState::Status(&format!("replaying the journal: {percent} %")),
            NotifyState::ExtendTimeoutUsec(MORE_TIME_MICROS),
        ]);
        if logged.elapsed() >= LOG_EVERY {
            logged = tokio::time::Instant::now();
            tracing::info!(percent, seconds = begun.elapsed().as_secs(), "the journal is being replayed");
        }
    }
    if matches!(*phase.borrow(), Phase::Serving { .. }) {
        tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }
}

/// Says that the server still does its work; often enough, if it is asked for each second.
pub(super) fn tell_of_life(reasons: &[&str]) {
    let status = if reasons.is_empty() { "serving".to_owned() } else { reasons.join("; ") };
    tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
}

/// Says that the server stops, and how long that may take.
pub(super) fn tell_of_stop(within: Duration) {
    let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping"), NotifyState::ExtendTimeoutUsec(micros)]);
}

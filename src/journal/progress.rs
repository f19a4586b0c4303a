//! How far a replay has come.

use crate::metrics::{self, Registry};
use crate::model::revision::Revision;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Of which the whole has so many.
const PARTS: u32 = 1_000;

/// How far a journal's replay has come, for whoever asks meanwhile. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ReplayProgress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// The revision that is replayed.
    reached: AtomicU64,
    /// The newest that the control file knows; before it is read, none.
    expected: AtomicU64,
    ended: AtomicBool,
}

impl ReplayProgress {
    pub(super) fn expect(&self, newest: Revision) {
        self.0.expected.store(newest.0, Ordering::Relaxed);
    }

    pub(super) fn reach(&self, revision: Revision) {
        self.0.reached.store(revision.0, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// How much of the journal is replayed, in thousandths; 1,000 once all of it is.
    pub fn thousandths(&self) -> u32 {
        let Counts { reached, expected, ended } = &*self.0;
        if ended.load(Ordering::Relaxed) {
            return PARTS;
        }
        let (reached, expected) = (reached.load(Ordering::Relaxed), expected.load(Ordering::Relaxed));
        // The end is yet to be verified.
        let parts = reached.saturating_mul(PARTS.into()).checked_div(expected).unwrap_or(0);
        u32::try_from(parts).unwrap_or(PARTS).min(PARTS - 1)
    }

    /// Adds its metric.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let progress = self.clone();
        metrics::gauge(
            registry,
            "conspectus_journal_replay_progress_ratio",
            "How much of the journal is replayed at the start; 1 once all of it is",
            move || Some(ratio(progress.thousandths())),
        );
    }
}

#[expect(clippy::float_arithmetic, reason = "a metric is a float")]
fn ratio(thousandths: u32) -> f64 {
    f64::from(thousandths) / f64::from(PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_whole_only_once_its_end_is_verified() {
        let progress = ReplayProgress::default();
        assert_eq!(progress.thousandths(), 0, "nothing is known yet");
        progress.expect(Revision(200));
        progress.reach(Revision(83));
        assert_eq!(progress.thousandths(), 415);
        progress.reach(Revision(200));
        assert_eq!(progress.thousandths(), 999);
        // What was appended after the control file was last written is there too.
        progress.reach(Revision(201));
        assert_eq!(progress.thousandths(), 999);
        progress.end();
        assert_eq!(progress.thousandths(), 1_000);
    }
}

//! The audit log of a server: opened against what the journal knows of it, and recorded in the journal as it grows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::AccessChange;
use crate::audit::{self, Accepted, KeyChange, Known, LogTail, Opened, Progress, SegmentLimits};
use crate::entry::AuditAnchor;
use crate::intake::change_access::ChangeAccess;
use crate::intake::writer::{Handle, WriteError};
use crate::model::timestamp::Timestamp;
use crate::state::State;

/// How many lines may be added before the journal knows how far the log has come. Less often than that, it is an entry
/// that only costs a revision.
const UNRECORDED_LINES_MAX: u64 = 1_000;
/// How long fewer lines may be unknown to it.
const UNRECORDED_TIME_MAX: Duration = Duration::from_secs(600);
/// How often the server's log has how far the audit log has come: it may be kept where nobody of this machine can
/// change it, and costs no revision.
const LOGGED_EVERY: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How a line begins about what is done on the machine itself.
pub(super) const ON_THIS_MACHINE: &str = "on this machine: ";

/// Why what an older journal doesn't know to be revoked can't be revoked again.
#[derive(Debug, thiserror::Error)]
pub enum Unrevoked {
    /// It isn't in the journal.
    #[error("{0}")]
    Write(WriteError),
    /// It isn't in the audit log.
    #[error("{0}")]
    Unaudited(#[from] audit::Unwritten),
}

/// Opens the log of a data folder, which says by now that it is of this version's format, compared with what its journal
/// knows of it.
///
/// # Errors
/// When the log lacks lines or the journal is older, and that isn't accepted; or the log can't be opened.
pub(super) fn open(
    folder: &Path,
    state: &State,
    at: Timestamp,
    accepted: Accepted,
    limits: SegmentLimits,
) -> Result<Opened, audit::Error> {
    let known = Known { tail: known_tail(state), revision: state.revision() };
    audit::Log::open(folder, at, known, accepted, limits)
}

/// Where the log was when the journal last recorded it.
pub(super) fn known_tail(state: &State) -> LogTail {
    state.audit_anchor().map_or(LogTail::START, |anchor| LogTail { n: anchor.lines, chain: anchor.chain })
}

/// Revokes again what an older journal doesn't know to be revoked, as far as the log knows it.
///
/// # Errors
/// When that can't be written: such a server must not serve.
pub(super) async fn revoke_again(
    opened: &Opened,
    state: &watch::Receiver<Arc<State>>,
    writer: &Handle,
    at: Timestamp,
) -> Result<(), Unrevoked> {
    if opened.lost_revisions == 0 {
        return Ok(());
    }
    let known = state.borrow().revision().0;
    for KeyChange { revision, words } in &opened.key_changes {
        let words = words.strip_prefix(ON_THIS_MACHINE).unwrap_or(words);
        let Some(change) = AccessChange::parse_revocation(words) else {
            // What the journal has recorded of the log last may be before changes that the journal has itself.
            if !(1..=known).contains(revision) {
                tracing::warn!("a change of keys that the older journal lacks is lost: {words}");
            }
            continue;
        };
        let AccessChange::Revoke { identity, key } = &change else { continue };
        // By the newest state: the log has it twice when it was revoked again before.
        if !state.borrow().access().could_revoke(identity, *key) {
            continue;
        }
        tracing::warn!("revoked again, since the older journal lacks it: {words}");
        let line = audit::Line::without_call(audit::Event::Keys, format!("{ON_THIS_MACHINE}{change}"));
        writer.write(ChangeAccess { changes: vec![change], now: at }).await.map_err(Unrevoked::Write)?;
        opened.log.write(at, line, None).await?;
    }
    Ok(())
}

/// Records in the journal how far the log has come.
pub(super) struct Recorder {
    log: audit::Log,
    writer: Handle,
    /// How many lines the journal knows of.
    recorded: u64,
    files: u64,
    at: Instant,
    /// How many lines the server's log knows of, and since when.
    logged: (u64, Instant),
    lost_lines: bool,
    lost_revisions: u64,
    /// Whether the journal took the last anchor.
    is_recorded: bool,
}

impl Recorder {
    /// Begins, with what a start has found.
    pub(super) fn new(opened: &Opened, state: &State, writer: Handle) -> Self {
        Self {
            log: opened.log.clone(),
            writer,
            recorded: state.audit_anchor().map_or(0, |anchor| anchor.lines),
            files: 0,
            at: Instant::now(),
            logged: (0, Instant::now()),
            lost_lines: opened.lost_lines,
            lost_revisions: opened.lost_revisions,
            is_recorded: true,
        }
    }

    /// Whether the journal took what was last recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Records when it is due, until the stop.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) -> Self {
        while tokio::time::timeout(LOOK_EVERY, stopping.wait_for(|stop| *stop)).await.is_err() {
            let progress = self.log.progress();
            let (logged, logged_at) = self.logged;
            if progress.tail.n != logged && logged_at.elapsed() >= LOGGED_EVERY {
                self.log_progress(progress);
            }
            let lines = progress.tail.n.saturating_sub(self.recorded);
            if progress.files != self.files || is_due(lines, self.at.elapsed()) {
                self.record().await;
            }
        }
        self
    }

    fn log_progress(&mut self, Progress { tail, .. }: Progress) {
        tracing::info!(lines = tail.n, chain = %tail.chain, "the audit log has come so far");
        self.logged = (tail.n, Instant::now());
    }

    /// Records now, if there is anything new. A journal that takes no entries can't know; reads go on without.
    pub(super) async fn record(&mut self) {
        let progress = self.log.progress();
        let (lines, chain) = (progress.tail.n, progress.tail.chain);
        if lines == self.recorded && progress.files == self.files {
            return;
        }
        let anchor = AuditAnchor { lines, chain, lost_lines: self.lost_lines, lost_revisions: self.lost_revisions };
        match self.writer.write(anchor).await {
            Ok(_) => {
                (self.recorded, self.files, self.at) = (lines, progress.files, Instant::now());
                self.log_progress(progress);
                (self.lost_lines, self.lost_revisions) = (false, 0);
                self.is_recorded = true;
            }
            // Tried again each second, and logged once.
            Err(error) => {
                if std::mem::take(&mut self.is_recorded) {
                    tracing::warn!(%error, "the journal can't record how far the audit log has come");
                }
            }
        }
    }
}

/// Whether lines that the journal doesn't know of are too many, or have been unknown to it for too long.
fn is_due(lines: u64, since: Duration) -> bool {
    lines >= UNRECORDED_LINES_MAX || (lines > 0 && since >= UNRECORDED_TIME_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_cut_off_unseen_after_a_crash_is_ten_minutes_and_fewer_than_a_thousand_lines() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert!(!is_due(0, minutes(100)), "there is nothing new");
        assert!(!is_due(999, minutes(9)) && is_due(1_000, minutes(0)) && is_due(1, minutes(10)));
    }
}

//! Retention of the audit log: its oldest files are deleted by an operator's rule.

use std::path::PathBuf;
use std::time::Duration;

use super::audited::known_tail;
use crate::audit::{self, Prunable, Retention};
use crate::model::timestamp::Timestamp;
use crate::rpc::Context;
use crate::state::State;

/// How often a server looks whether files are old enough.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
const DAY_HOURS: i64 = 24;

/// An operator's rule by which files are deleted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PruneRule {
    /// Those whose lines are all from before then.
    Before(Timestamp),
    /// Those whose lines are all older than so many days.
    KeepDays(u16),
}

impl PruneRule {
    /// The rule as of an instant, by what it was given with.
    pub(super) fn retention(self, by: &str, now: Timestamp, state: &State) -> Retention {
        let (before, rule) = match self {
            Self::Before(before) => (before, format!("{by} {before}")),
            Self::KeepDays(days) => (now.plus_hours(-DAY_HOURS * i64::from(days)), format!("{by} {days}")),
        };
        Retention { before, known: known_tail(state), rule }
    }
}

/// Deletes what is old enough, now and then, until the stop.
pub(super) async fn prune_now_and_then(context: Context, (folder, log): (PathBuf, audit::Log), days: u16) {
    let mut stopping = context.stopping.clone();
    loop {
        let retention =
            PruneRule::KeepDays(days).retention("serve --audit-keep-days", (context.clock)(), &context.state.borrow());
        let folder = folder.clone();
        let found = tokio::task::spawn_blocking(move || Prunable::of(&folder, retention)).await;
        match found {
            Ok(Ok(Some(prunable))) => {
                let ((first, last), files) = (prunable.lines, prunable.files.len());
                match log.prune(prunable).await {
                    Ok(()) => tracing::info!(first, last, files, "the audit log's oldest files are deleted"),
                    Err(error) => tracing::error!(%error, "the audit log's oldest files can't be deleted"),
                }
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::error!(%error, "nothing of the audit log is deleted, which is read first"),
            Err(error) => tracing::error!(%error, "nothing of the audit log is deleted"),
        }
        if tokio::time::timeout(PRUNE_EVERY, stopping.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

//! What a running server says of itself to whoever runs the machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::process;
use super::readiness::Readiness;
use super::scrub::Verified;
use super::served::Served;
use crate::backup::KnownBackup;
use crate::model::timestamp::Timestamp;
use crate::rpc::{Guard, Open};

/// What a server is doing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The version of the program.
    pub(crate) version: String,
    /// Its process.
    pub(crate) process: u32,
    /// When it started: RFC 3339.
    pub(crate) started_at: String,
    /// Why it doesn't do all of its work; empty when it does.
    pub(crate) reasons: Vec<String>,
    /// Its memory, in bytes, where the system says.
    pub(crate) memory_bytes: Option<u64>,
    /// The files and connections that it has open, and may have open.
    pub(crate) open_files: Option<u64>,
    pub(crate) open_files_max: Option<u64>,
    /// What is open.
    pub(crate) open: OpenCounts,
    /// The same of each identity that has anything open.
    pub(crate) of_identity: BTreeMap<String, OpenCounts>,
    /// What there is once the journal is replayed.
    pub(crate) store: Option<StoreStatus>,
}

/// How much is open.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct OpenCounts {
    pub(crate) connections: usize,
    pub(crate) calls: usize,
    pub(crate) watchers: usize,
}

impl From<Open> for OpenCounts {
    fn from(Open { calls, watchers, connections }: Open) -> Self {
        Self { connections, calls, watchers }
    }
}

/// What a server has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoreStatus {
    /// The newest revision that is answered.
    pub(crate) revision: u64,
    /// How many that are durable aren't answered yet.
    pub(crate) lag: u64,
    /// How many commands wait to be written.
    pub(crate) queued: usize,
    /// How many figures were submitted.
    pub(crate) figures: u64,
    /// How many lines the audit log has.
    pub(crate) audit_lines: u64,
    /// The chain hash of the last of them.
    pub(crate) audit_chain: String,
    /// What was verified last.
    pub(crate) verified: Verified,
    /// Why the last scrub didn't end well, if it didn't.
    pub(crate) scrub_failure: Option<String>,
    /// The newest backup, and the newest that is known to restore.
    pub(crate) newest_backup: Option<KnownBackup>,
    pub(crate) newest_verified_backup: Option<KnownBackup>,
}

impl Status {
    pub(super) fn of(started: Timestamp, readiness: &Readiness, guard: &Guard, served: Option<&Served>) -> Self {
        let load = guard.load();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            started_at: started.to_string(),
            reasons: readiness.reasons(),
            memory_bytes: process::memory_bytes(),
            open_files: process::open_files(),
            open_files_max: process::open_files_max(),
            open: load.in_all.into(),
            of_identity: load.of_identity.into_iter().map(|(id, open)| (id.to_string(), open.into())).collect(),
            store: served.map(StoreStatus::of),
        }
    }
}

impl StoreStatus {
    fn of(Served { context, log, scrub, backups, .. }: &Served) -> Self {
        let state = context.newest();
        let (revision, durable) = (state.revision().0, context.reader.tail().revision.0);
        let (known, lines) = (backups.all(), log.progress().tail);
        Self {
            revision,
            lag: durable.saturating_sub(revision),
            queued: context.writer.waiting_commands(),
            figures: state.submitted_figures(),
            audit_lines: lines.n,
            audit_chain: lines.chain.to_string(),
            verified: scrub.verified(),
            scrub_failure: scrub.failure(),
            newest_verified_backup: known.iter().rev().find(|backup| backup.verified_at.is_some()).cloned(),
            newest_backup: known.into_iter().next_back(),
        }
    }
}

//! What a server has once the journal is replayed, for whoever runs the machine to ask about.

use std::path::PathBuf;
use std::sync::Arc;

use super::scrub::Scrub;
use crate::audit;
use crate::backup::KnownBackups;
use crate::rpc::Context;

/// What is asked about, once the journal is replayed.
pub(super) struct Served {
    pub(super) context: Context,
    pub(super) folder: PathBuf,
    pub(super) log: audit::Log,
    pub(super) scrub: Arc<Scrub>,
    pub(super) backups: Arc<KnownBackups>,
}

//! The edge that partners' systems and internal tools talk to: the only module that knows tonic and
//! the served messages.
//!
//! A handler converts the request, collecting every violation; has it written or computes the answer
//! on the newest durable state; and converts the answer. It holds no lock across an await, and no
//! call of it touches the disk but to fetch an old receipt.

pub mod codec;
mod convert;
mod guard;
mod page;
mod services;
mod status;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tonic::Status;

use crate::intake::writer::Handle;
use crate::journal::Reader;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::state::State;

pub use guard::{Guard, Limits, METHODS, PURPOSE_HEADER, local};
pub use services::{Catalogue, Keys, Picture, Submissions, new_secret, put_request};
pub use status::{DOMAIN, ERROR_BYTES_HEADER, Reason};

/// The served messages, services and clients, generated from `proto/conspectus/v1`.
#[allow(missing_docs, unreachable_pub, reason = "generated; the protos are the reference")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
pub mod proto {
    tonic::include_proto!("conspectus.v1");
}

/// The clients, generated from the same protos.
#[allow(missing_docs, unreachable_pub, reason = "generated; the protos are the reference")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
pub mod client {
    include!(concat!(env!("OUT_DIR"), "/client/conspectus.v1.rs"));
}

/// The descriptors of the served protos, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/conspectus.v1.bin"));

/// The largest request message that is taken.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The largest request message that is received, so that one too large can be told so.
pub const RECEIVED_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;

/// How long a query waits for the revision that it demands.
pub const MIN_REVISION_TIMEOUT: Duration = Duration::from_secs(10);

/// What every handler works with.
#[derive(Clone)]
pub struct Context {
    /// Takes writes.
    pub writer: Handle,
    /// The newest durable state.
    pub state: tokio::sync::watch::Receiver<Arc<State>>,
    /// Reads entries back.
    pub reader: Arc<dyn Reader>,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Becomes true when the server is told to stop: streams then end.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// Lets calls through once there is something to answer them with. Until then, while the journal is
/// replayed, they get `UNAVAILABLE`.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<OnceLock<Context>>);

impl Gate {
    /// Opens the gate, once and for all.
    pub fn open(&self, context: Context) {
        // Opened twice, it stays as it was.
        drop(self.0.set(context));
    }

    fn context(&self) -> Result<&Context, Status> {
        self.0.get().ok_or_else(|| {
            status::error(Reason::Starting, "the journal is still being replayed; try again in a moment")
        })
    }
}

impl Context {
    fn newest(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    /// The newest state once it has a revision.
    ///
    /// # Errors
    /// `DEADLINE_EXCEEDED` when it doesn't come in time.
    async fn at_least(&self, min_revision: i64) -> Result<Arc<State>, Status> {
        let wanted = u64::try_from(min_revision).unwrap_or(0);
        let mut state = self.state.clone();
        let arrived = state.wait_for(|state| state.revision().0 >= wanted);
        match tokio::time::timeout(MIN_REVISION_TIMEOUT, arrived).await {
            Ok(Ok(found)) => Ok(Arc::clone(&found)),
            Ok(Err(_)) => Err(status::error(Reason::Stopping, "the server is stopping")),
            Err(_) => Err(status::error(
                Reason::RevisionNotReached,
                format!("revision {wanted} was not reached in {} seconds", MIN_REVISION_TIMEOUT.as_secs()),
            )),
        }
    }
}

/// The revision that a query asks to be answered as of.
fn as_of(state: &State, as_of_revision: i64, violations: &mut Violations) -> Revision {
    let newest = state.revision();
    match u64::try_from(as_of_revision) {
        Ok(0) => newest,
        Ok(revision) if revision <= newest.0 => Revision(revision),
        Ok(_) | Err(_) => {
            let found = format!("found {as_of_revision}; allowed: 1 to {newest}, or 0 for the newest");
            violations.add("as_of_revision", found);
            newest
        }
    }
}

/// A revision as messages carry it.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// A count as messages carry it.
fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

//! What every handler works with, and the gate that it stands behind until the journal is replayed.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;

use super::status::{self, Reason};
use crate::intake::writer::Handle;
use crate::journal::Reader;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::state::State;

/// How long a query waits for the revision that it demands.
const MIN_REVISION_TIMEOUT: Duration = Duration::from_secs(10);

/// What every handler works with.
#[derive(Clone)]
pub struct Context {
    /// Takes writes.
    pub writer: Handle,
    /// The newest durable state.
    pub state: watch::Receiver<Arc<State>>,
    /// Reads entries back.
    pub reader: Arc<dyn Reader>,
    /// The time of day.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The time zone of days.
    pub zone: Zone,
    /// Becomes true when the server is to stop: streams then end.
    pub stopping: watch::Receiver<bool>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    pub(crate) fn context(&self) -> Result<&Context, Status> {
        self.0.get().ok_or_else(|| {
            status::error(Reason::Starting, "the journal is still being replayed; try again in a moment")
        })
    }
}

impl Context {
    pub(crate) fn newest(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    /// The newest state once it has a revision.
    ///
    /// # Errors
    /// `DEADLINE_EXCEEDED` when it doesn't come in time.
    pub(crate) async fn state_at_least(&self, min_revision: i64) -> Result<Arc<State>, Status> {
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

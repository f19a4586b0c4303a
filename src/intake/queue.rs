//! The writer's queue: bounded, in commands and in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::admit::Command;
use super::group_commit::{GroupCommit, Request, WriteError, WrittenOf};
use crate::access::Actor;
use crate::model::timestamp::Timestamp;

/// How many commands may wait for the writer.
pub(super) const QUEUE_COMMANDS_MAX: usize = 4_096;
/// How much memory they may take, nearly; one command of any size may wait alone.
pub(super) const QUEUE_BYTES_MAX: usize = 64 << 20;

/// What the queue's memory is counted in.
const PERMIT_BYTES: usize = 1 << 10;
const PERMITS_MAX: usize = QUEUE_BYTES_MAX / PERMIT_BYTES;

/// Sends commands to the writer. Cheap to clone; the writer stops when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Handle {
    queue: mpsc::Sender<Box<dyn Queued>>,
    /// For the queue's memory, in units of [`PERMIT_BYTES`].
    permits: Arc<Semaphore>,
    /// Who causes what is sent.
    actor: Actor,
}

/// The writer's end of the queue.
pub(super) type Commands = mpsc::Receiver<Box<dyn Queued>>;

/// A command in the queue, whatever its type.
pub(super) trait Queued: Send {
    /// Is taken into a group, or given back where that has no room for it.
    fn take(self: Box<Self>, group: &mut GroupCommit, now: Timestamp) -> Option<Box<dyn Queued>>;
}

struct Waiting<C: Command> {
    request: Request<C>,
    /// What it takes of the queue's memory, given back when a group has taken it.
    permit: OwnedSemaphorePermit,
}

impl<C: Command> Queued for Waiting<C> {
    fn take(self: Box<Self>, group: &mut GroupCommit, now: Timestamp) -> Option<Box<dyn Queued>> {
        let Self { request, permit } = *self;
        let request = group.take(request, now)?;
        Some(Box::new(Self { request, permit }))
    }
}

/// A command that is queued.
#[derive(Debug)]
pub(crate) struct Pending<C: Command>(oneshot::Receiver<Result<WrittenOf<C>, WriteError>>);

impl<C: Command> Pending<C> {
    /// What the writer did, once that is durable.
    ///
    /// # Errors
    /// When nothing was written; the error says why.
    pub(crate) async fn written(self) -> Result<WrittenOf<C>, WriteError> {
        self.0.await.unwrap_or(Err(WriteError::Stopping))
    }
}

/// A queue of so many commands: where they go in, and where the writer has them from.
pub(super) fn queue(commands: usize) -> (Handle, Commands) {
    let (queue, waiting) = mpsc::channel(commands);
    (Handle { queue, permits: Arc::new(Semaphore::new(PERMITS_MAX)), actor: Actor::Local }, waiting)
}

impl Handle {
    /// A handle whose entries are caused by this actor; otherwise it is whoever runs the machine.
    #[must_use]
    pub fn as_actor(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// Writes a command, and answers once that is durable.
    ///
    /// # Errors
    /// When nothing was written; the error says why.
    pub async fn write<C: Command>(&self, command: C) -> Result<WrittenOf<C>, WriteError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.try_acquire_many_owned(permits_for(&command)).map_err(|_| WriteError::QueueFull)?;
        let (request, pending) = self.request(command, permit);
        self.queue.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
        })?;
        pending.written().await
    }

    /// Queues a command, once a permit is free. Who calls this must bound how many it has in flight.
    ///
    /// # Errors
    /// When the server is stopping.
    pub(crate) async fn queue<C: Command>(&self, command: C) -> Result<Pending<C>, WriteError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_many_owned(permits_for(&command)).await.map_err(|_| WriteError::Stopping)?;
        let (request, pending) = self.request(command, permit);
        self.queue.send(request).await.map_err(|_| WriteError::Stopping)?;
        Ok(pending)
    }

    fn request<C: Command>(&self, command: C, permit: OwnedSemaphorePermit) -> (Box<dyn Queued>, Pending<C>) {
        let (reply, answer) = oneshot::channel();
        let request = Request { command, actor: self.actor.clone(), reply };
        (Box::new(Waiting { request, permit }), Pending(answer))
    }
}

/// How much of the queue's memory a command takes. One of any size may wait alone.
fn permits_for(command: &impl Command) -> u32 {
    let permits = (1 + command.queued_bytes() / PERMIT_BYTES).min(PERMITS_MAX);
    u32::try_from(permits).unwrap_or(u32::MAX)
}

//! The writer's queue: bounded, in commands and in memory; and who is on the way to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use super::admit::Command;
use super::group_commit::{GroupCommit, Request, Taken, WriteError, WrittenOf};
use crate::access::Actor;
use crate::metrics::{self, Registry};
use crate::model::id::AgencyId;
use crate::model::timestamp::Timestamp;

/// How many commands may wait for the writer.
pub(super) const QUEUE_COMMANDS_MAX: usize = 4_096;
/// How much memory they may take, nearly; one command of any size may wait alone.
pub(super) const QUEUE_BYTES_MAX: usize = 64 << 20;
/// The memory that goes with a place in the queue. A larger command takes several.
const PLACE_BYTES: usize = QUEUE_BYTES_MAX / QUEUE_COMMANDS_MAX;

/// Sends commands to the writer. Cheap to clone; the writer stops when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Handle {
    senders: Arc<Senders>,
    /// Who causes what is sent.
    actor: Actor,
    /// By which the writer knows that it is on its way.
    coming: Option<Arc<Coming>>,
}

/// All who may send.
#[derive(Debug)]
struct Senders(Arc<Queue>);

/// The writer's end of the queue.
pub(super) struct Commands(Arc<Queue>);

/// Somebody whose command is on its way to the queue, until it is there or he is gone.
#[derive(Debug)]
pub(crate) struct Coming {
    queue: Arc<Queue>,
    is_here: AtomicBool,
}

#[derive(Debug)]
struct Queue {
    places: Arc<Semaphore>,
    places_max: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// How many are on their way.
    coming: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Box<dyn Queued>>,
    /// How many commands the writer sleeps for, when it does, unless nobody else is on the way.
    wanted: Option<usize>,
    has_senders: bool,
    has_writer: bool,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}

/// A command in the queue, whatever its type.
pub(super) trait Queued: Send {
    /// Is taken into a group, or given back.
    fn take(self: Box<Self>, group: &mut GroupCommit, now: Timestamp) -> Result<(), GivenBack>;

    /// The agency whose figures it sends, where it sends some: those of one agency are taken in the order in which they
    /// were sent.
    fn agency(&self) -> Option<&AgencyId>;
}

/// A command that a group didn't take.
pub(super) struct GivenBack {
    pub(super) command: Box<dyn Queued>,
    /// Whether only those of its agency have to wait with it; otherwise the group takes no more.
    pub(super) is_alone_in_waiting: bool,
}

struct Placed<C: Command> {
    request: Request<C>,
    /// What it takes of the queue, given back when a group has taken it.
    places: OwnedSemaphorePermit,
}

impl<C: Command> Queued for Placed<C> {
    fn take(self: Box<Self>, group: &mut GroupCommit, now: Timestamp) -> Result<(), GivenBack> {
        let Self { request, places } = *self;
        let (request, is_alone_in_waiting) = match group.take(request, now) {
            Taken::Yes => return Ok(()),
            Taken::BehindItsAgency(request) => (request, true),
            Taken::NoRoom(request) => (request, false),
        };
        Err(GivenBack { command: Box::new(Self { request, places }), is_alone_in_waiting })
    }

    fn agency(&self) -> Option<&AgencyId> {
        self.request.command.agency()
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

/// A queue of so many places: where commands go in, and where the writer has them from.
pub(super) fn queue(places: usize) -> (Handle, Commands) {
    let queue = Arc::new(Queue {
        places: Arc::new(Semaphore::new(places)),
        places_max: places,
        waiting: Mutex::new(Waiting { has_senders: true, has_writer: true, ..Waiting::default() }),
        changed: Condvar::new(),
        coming: AtomicUsize::new(0),
    });
    let handle = Handle { senders: Arc::new(Senders(Arc::clone(&queue))), actor: Actor::Local, coming: None };
    (handle, Commands(queue))
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many places a command takes. One of any size may wait alone.
    fn places_for(&self, command: &impl Command) -> u32 {
        let places = (1 + command.queued_bytes() / PLACE_BYTES).min(self.places_max);
        u32::try_from(places).unwrap_or(u32::MAX)
    }

    fn is_anybody_coming(&self) -> bool {
        self.coming.load(Ordering::Acquire) > 0
    }
}

impl Handle {
    /// Adds the queue's metric.
    pub(super) fn register(&self, registry: &mut Registry) {
        // Not the senders: the writer ends when the last of those is gone.
        let queue = Arc::clone(&self.senders.0);
        metrics::gauge(
            registry,
            "conspectus_journal_queue_commands",
            "How many commands wait for the writer",
            move || Some(queue.waiting().commands.len() as u64),
        );
    }

    /// How many commands wait for the writer.
    pub(crate) fn waiting_commands(&self) -> usize {
        self.senders.0.waiting().commands.len()
    }

    /// A handle whose entries are caused by this actor; otherwise it is whoever runs the machine.
    #[must_use]
    pub fn as_actor(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// A handle of somebody whose command was announced.
    #[must_use]
    pub(crate) fn announced(&self, coming: Option<Arc<Coming>>) -> Self {
        Self { coming, ..self.clone() }
    }

    /// Announces a command, so that the writer waits a moment for it when it has others already.
    pub(crate) fn announce(&self) -> Arc<Coming> {
        let queue = Arc::clone(&self.senders.0);
        queue.coming.fetch_add(1, Ordering::AcqRel);
        Arc::new(Coming { queue, is_here: AtomicBool::new(false) })
    }

    /// Writes a command, and answers once that is durable.
    ///
    /// # Errors
    /// When nothing was written; the error says why.
    pub async fn write<C: Command>(&self, command: C) -> Result<WrittenOf<C>, WriteError> {
        let queue = &self.senders.0;
        let places = Arc::clone(&queue.places).try_acquire_many_owned(queue.places_for(&command));
        let places = places.map_err(|error| match error {
            TryAcquireError::NoPermits => WriteError::QueueFull,
            TryAcquireError::Closed => WriteError::Stopping,
        })?;
        self.push(command, places)?.written().await
    }

    /// Queues a command, once there is a place. Who calls this must bound how many it has in flight.
    ///
    /// # Errors
    /// When the server is stopping.
    pub(crate) async fn queue<C: Command>(&self, command: C) -> Result<Pending<C>, WriteError> {
        let queue = &self.senders.0;
        let places = Arc::clone(&queue.places).acquire_many_owned(queue.places_for(&command));
        let places = places.await.map_err(|_| WriteError::Stopping)?;
        self.push(command, places)
    }

    fn push<C: Command>(&self, command: C, places: OwnedSemaphorePermit) -> Result<Pending<C>, WriteError> {
        let queue = &*self.senders.0;
        let (reply, answer) = oneshot::channel();
        let request = Request { command, actor: self.actor.clone(), reply };
        let mut waiting = queue.waiting();
        if !waiting.has_writer {
            return Err(WriteError::Stopping);
        }
        waiting.commands.push_back(Box::new(Placed { request, places }));
        if let Some(coming) = &self.coming {
            coming.arrive();
        }
        let is_awaited = |wanted| waiting.commands.len() >= wanted || !queue.is_anybody_coming();
        if waiting.wanted.is_some_and(is_awaited) {
            queue.changed.notify_one();
        }
        Ok(Pending(answer))
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        self.0.waiting().has_senders = false;
        self.0.changed.notify_one();
    }
}

impl Coming {
    fn arrive(&self) {
        if !self.is_here.swap(true, Ordering::AcqRel) {
            self.queue.coming.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// One that was refused isn't waited for any more.
impl Drop for Coming {
    fn drop(&mut self) {
        if !*self.is_here.get_mut() {
            self.arrive();
            // The writer is looking, or will see that nobody comes.
            drop(self.queue.waiting());
            self.queue.changed.notify_one();
        }
    }
}

impl Commands {
    /// The next command, if there is one.
    pub(super) fn next(&self) -> Option<Box<dyn Queued>> {
        self.0.waiting().commands.pop_front()
    }

    /// Waits until there is a command; and then a moment for those that are on their way, or until there are half as
    /// many as were `recent`. A sync that begins with the first of many makes all others wait for another. Gives how
    /// many there are: none when nobody will send any more.
    pub(super) fn gather(&self, recent: usize, moment: Duration) -> usize {
        let Queue { changed, .. } = &*self.0;
        let mut waiting = self.0.waiting();
        waiting.wanted = Some(1);
        let is_idle = |waiting: &mut Waiting| waiting.commands.is_empty() && waiting.has_senders;
        waiting = changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner);
        let wanted = (recent / 2).max(1);
        waiting.wanted = Some(wanted);
        let is_short = |waiting: &mut Waiting| waiting.commands.len() < wanted && self.0.is_anybody_coming();
        let waited = changed.wait_timeout_while(waiting, moment, is_short);
        waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        waiting.wanted = None;
        waiting.commands.len()
    }
}

/// What is still queued gets no answer but that the writer has stopped.
impl Drop for Commands {
    fn drop(&mut self) {
        self.0.places.close();
        let mut waiting = self.0.waiting();
        waiting.has_writer = false;
        drop(std::mem::take(&mut waiting.commands));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::intake::change_access::ChangeAccess;

    /// Longer than any test takes.
    const HOUR: Duration = Duration::from_secs(3_600);

    fn nothing() -> ChangeAccess {
        ChangeAccess { changes: Vec::new(), now: Timestamp(0) }
    }

    fn send(handle: &Handle) {
        let places = Arc::clone(&handle.senders.0.places).try_acquire_owned().unwrap();
        handle.push(nothing(), places).unwrap();
    }

    /// Waits until the writer sleeps for so many commands.
    fn until_it_waits_for(wanted: usize, handle: &Handle, gathered: &thread::JoinHandle<usize>) {
        while handle.senders.0.waiting().wanted != Some(wanted) {
            assert!(!gathered.is_finished(), "it has not waited");
            thread::yield_now();
        }
    }

    #[test]
    fn a_command_that_comes_alone_is_not_kept_waiting() {
        let (handle, commands) = queue(8);
        send(&handle.announced(Some(handle.announce())));
        assert_eq!(commands.gather(100, HOUR), 1);
    }

    #[test]
    fn a_command_waits_for_half_as_many_as_were_recent_when_others_are_on_their_way() {
        let (handle, commands) = queue(8);
        let _others = [handle.announce(), handle.announce()];
        send(&handle);
        let gathered = thread::spawn(move || commands.gather(6, HOUR));
        until_it_waits_for(3, &handle, &gathered);
        send(&handle);
        until_it_waits_for(3, &handle, &gathered);
        send(&handle);
        assert_eq!(gathered.join().unwrap(), 3);
    }

    #[test]
    fn a_command_waits_until_all_who_were_on_their_way_are_there_or_gone() {
        let (handle, commands) = queue(8);
        let (comes, goes) = (handle.announced(Some(handle.announce())), handle.announce());
        send(&handle);
        let gathered = thread::spawn(move || commands.gather(100, HOUR));
        until_it_waits_for(50, &handle, &gathered);
        send(&comes);
        until_it_waits_for(50, &handle, &gathered);
        drop(goes);
        assert_eq!(gathered.join().unwrap(), 2);
    }

    #[test]
    fn nobody_is_waited_for_longer_than_a_moment() {
        let (handle, commands) = queue(8);
        let _slow = handle.announce();
        send(&handle);
        assert_eq!(commands.gather(100, Duration::from_micros(1)), 1);
    }

    #[tokio::test]
    async fn there_is_nothing_to_gather_once_nobody_sends_and_nobody_to_send_to_once_the_writer_is_gone() {
        let (handle, commands) = queue(8);
        let other = handle.clone();
        drop(handle);
        send(&other);
        assert_eq!(commands.gather(0, HOUR), 1);
        let pending = other.queue(nothing()).await.unwrap();
        drop(commands);
        assert_eq!(pending.written().await, Err(WriteError::Stopping));
        assert_eq!(other.write(nothing()).await, Err(WriteError::Stopping));
        let (handle, commands) = queue(8);
        drop(handle);
        assert_eq!(commands.gather(0, HOUR), 0);
    }
}

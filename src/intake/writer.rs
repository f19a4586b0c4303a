//! The writer: the one thread that decides, makes durable, and applies.
//!
//! Senders queue commands; the writer takes as many as are waiting, admits each against the state
//! as the ones before it leave it, appends them as one group, publishes the new state, and only
//! then answers. When the append fails, the state that it prepared is dropped, every sender of the
//! group is told, and no further write is taken: readers go on with what is durable.

use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::admit::{Command, Decision, Effect, Rejection, admit};
use crate::access::Actor;
use crate::entry::{Entry, codec};
use crate::journal::{ChainHash, ENTRY_BYTES_MAX, Error as JournalError, Journal, RECORD_BYTES_MAX, record_bytes};
use crate::model::observations::Line;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::state::State;

/// How many commands may wait for the writer.
pub const QUEUE_COMMANDS_MAX: usize = 4_096;
/// How much memory they may take, nearly; one command of any size may wait alone.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How many entries one group may have.
pub const GROUP_ENTRIES_MAX: usize = 1_024;

/// What the writer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The command became an entry.
    Accepted {
        /// The entry's revision.
        revision: Revision,
        /// The chain's hash with it.
        hash: ChainHash,
        /// When it was accepted.
        at: Timestamp,
        /// What it did.
        effect: Effect,
    },
    /// It was done before, at this revision.
    Already(Revision),
    /// It asks for what is already so.
    NothingChanges(Effect),
}

/// Why the writer wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The command isn't allowed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many commands are waiting. Try again in a moment.
    #[error("too many writes are waiting already; try again in a moment")]
    QueueFull,
    /// The entry would be too large to store.
    #[error("the request takes {bytes} bytes to store; allowed: {ENTRY_BYTES_MAX}. Send it in parts")]
    TooLarge {
        /// The bytes that it would take.
        bytes: usize,
    },
    /// There is no room on the disk. Reads go on.
    #[error("no room: {0}")]
    NoRoom(String),
    /// The journal failed. Nothing is written until the server is started again.
    #[error("the journal failed, and nothing more is written: {0}")]
    Failed(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

struct Request {
    command: Command,
    by: Actor,
    reply: oneshot::Sender<Result<Written, WriteError>>,
    /// What it takes of the queue's memory, given back when the writer has taken it.
    _room: OwnedSemaphorePermit,
}

/// Sends commands to the writer. Cheap to clone; the writer stops when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Handle {
    queue: mpsc::Sender<Request>,
    /// In units of [`ROOM_BYTES`].
    room: Arc<Semaphore>,
    by: Actor,
}

/// What the queue's memory is counted in.
const ROOM_BYTES: usize = 1 << 10;
const ROOMS_MAX: usize = QUEUE_BYTES_MAX / ROOM_BYTES;

/// A command that is queued.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Written, WriteError>>);

impl Pending {
    /// What the writer did, once that is durable.
    ///
    /// # Errors
    /// When nothing was written; the error says why.
    pub async fn written(self) -> Result<Written, WriteError> {
        self.0.await.unwrap_or(Err(WriteError::Stopping))
    }
}

impl Handle {
    /// A handle for what this caller has written. Without it, it is whoever runs the machine.
    #[must_use]
    pub fn by(&self, by: Actor) -> Self {
        Self { by, ..self.clone() }
    }

    /// Has a command written, and answers once it is durable.
    ///
    /// # Errors
    /// When nothing was written; the error says why.
    pub async fn write(&self, command: Command) -> Result<Written, WriteError> {
        let rooms = rooms(&command);
        let room = Arc::clone(&self.room).try_acquire_many_owned(rooms).map_err(|_| WriteError::QueueFull)?;
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Request { command, by: self.by.clone(), reply, _room: room }).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => WriteError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
            },
        )?;
        Pending(answer).written().await
    }

    /// Queues a command, once there is room. Who calls this must bound how many it has under way.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn queue(&self, command: Command) -> Result<Pending, WriteError> {
        let rooms = rooms(&command);
        let room = Arc::clone(&self.room).acquire_many_owned(rooms).await.map_err(|_| WriteError::Stopping)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { command, by: self.by.clone(), reply, _room: room };
        self.queue.send(request).await.map_err(|_| WriteError::Stopping)?;
        Ok(Pending(answer))
    }
}

/// How much of the queue's memory a command takes.
fn rooms(command: &Command) -> u32 {
    let bytes = match command {
        Command::Submit(prepared) => {
            prepared.bytes().len() + prepared.submission().observations.len() * size_of::<Line>()
        }
        // Rare, and at the most about this.
        Command::PutCatalogue(_) => ENTRY_BYTES_MAX,
        Command::Withdraw(_) | Command::ChangeAccess(_) => 0,
    };
    let rooms = (1 + bytes / ROOM_BYTES).min(ROOMS_MAX);
    u32::try_from(rooms).unwrap_or(u32::MAX)
}

/// A running writer.
#[derive(Debug)]
pub struct Running {
    /// Sends it commands.
    pub handle: Handle,
    /// The newest durable state.
    pub state: watch::Receiver<Arc<State>>,
    /// Why no write is taken any more, once that is so.
    pub failure: watch::Receiver<Option<String>>,
    /// Ends when the last handle is gone and what was queued is answered.
    pub thread: thread::JoinHandle<()>,
}

/// Starts the writer on a journal and the state that it replays to. `clock` tells the time.
pub fn start(journal: Box<dyn Journal>, state: State, clock: impl Fn() -> Timestamp + Send + 'static) -> Running {
    let (queue, commands) = mpsc::channel(QUEUE_COMMANDS_MAX);
    let (publish, published) = watch::channel(Arc::new(state.clone()));
    let (fail, failure) = watch::channel(None);
    let writer = Writer { journal, state, clock, publish, fail };
    let thread = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || writer.run(commands))
        .expect("the system starts a thread");
    let room = Arc::new(Semaphore::new(ROOMS_MAX));
    Running { handle: Handle { queue, room, by: Actor::Local }, state: published, failure, thread }
}

struct Writer<C> {
    journal: Box<dyn Journal>,
    /// The newest state, with what the current group adds to it.
    state: State,
    clock: C,
    publish: watch::Sender<Arc<State>>,
    fail: watch::Sender<Option<String>>,
}

/// Entries that are admitted and applied to the writer's state, and not yet durable.
#[derive(Default)]
struct Group {
    payloads: Vec<Vec<u8>>,
    bytes: usize,
    waiting: Vec<Waiting>,
}

struct Waiting {
    outcome: Outcome,
    reply: oneshot::Sender<Result<Written, WriteError>>,
}

enum Outcome {
    /// The n-th entry of the group.
    Entry {
        place: usize,
        at: Timestamp,
        effect: Effect,
    },
    Other(Result<Written, WriteError>),
}

impl<C: Fn() -> Timestamp> Writer<C> {
    fn run(mut self, mut commands: mpsc::Receiver<Request>) {
        let mut group = Group::default();
        while let Some(first) = commands.blocking_recv() {
            self.take(first, &mut group);
            while group.waiting.len() < GROUP_ENTRIES_MAX {
                let Ok(next) = commands.try_recv() else { break };
                self.take(next, &mut group);
            }
            self.commit(&mut group);
        }
    }

    /// Admits one command into the group; commits the group first when it has no room.
    fn take(&mut self, Request { command, by, reply, _room }: Request, group: &mut Group) {
        if reply.is_closed() {
            return; // The sender has gone; it can ask again.
        }
        if let Some(cause) = self.fail.borrow().clone() {
            drop(reply.send(Err(WriteError::Failed(cause))));
            return;
        }
        let outcome = match admit(&self.state, &command, (self.clock)()) {
            Err(rejection) => Outcome::Other(Err(rejection.into())),
            Ok(Decision::Already(revision)) => Outcome::Other(Ok(Written::Already(revision))),
            Ok(Decision::NothingChanges(effect)) => Outcome::Other(Ok(Written::NothingChanges(effect))),
            Ok(Decision::Accept(entry, effect)) => {
                let entry = Entry { by, ..entry };
                let (payload, ids) = match &command {
                    Command::Submit(prepared) => {
                        (codec::encode_around(entry.at, prepared.bytes(), &entry.by), prepared.ids())
                    }
                    Command::PutCatalogue(_) | Command::Withdraw(_) | Command::ChangeAccess(_) => {
                        (codec::encode(&entry), None)
                    }
                };
                if payload.len() > ENTRY_BYTES_MAX {
                    Outcome::Other(Err(WriteError::TooLarge { bytes: payload.len() }))
                } else {
                    if !group.fits(&payload) && !self.commit(group) {
                        let cause = self.fail.borrow().clone();
                        let error =
                            cause.map_or_else(|| WriteError::NoRoom("the disk is full".to_owned()), WriteError::Failed);
                        drop(reply.send(Err(error)));
                        return;
                    }
                    let at = entry.at;
                    self.state.apply_resolved(&entry, ids);
                    Outcome::Entry { place: group.push(payload), at, effect }
                }
            }
        };
        group.waiting.push(Waiting { outcome, reply });
    }

    /// Makes the group durable, publishes the state, and answers. Whether that went well.
    fn commit(&mut self, group: &mut Group) -> bool {
        let Group { payloads, waiting, .. } = std::mem::take(group);
        let before = self.publish.borrow().revision();
        let appended = if payloads.is_empty() { Ok(Vec::new()) } else { self.journal.append(before, &payloads) };
        match appended {
            Ok(hashes) => {
                if !hashes.is_empty() {
                    self.publish.send_replace(Arc::new(self.state.clone()));
                }
                for Waiting { outcome, reply } in waiting {
                    // A sender that has gone finds its receipt by asking again.
                    drop(reply.send(outcome.answer(before, &hashes)));
                }
                true
            }
            Err(error) => {
                self.state = State::clone(&self.publish.borrow());
                let error = self.failed(&error);
                for Waiting { reply, .. } in waiting {
                    drop(reply.send(Err(error.clone())));
                }
                false
            }
        }
    }

    fn failed(&mut self, error: &JournalError) -> WriteError {
        match error {
            JournalError::NoRoom { .. } => WriteError::NoRoom(error.to_string()),
            JournalError::Conflict { .. }
            | JournalError::TooLarge { .. }
            | JournalError::Poisoned { .. }
            | JournalError::Corrupt { .. }
            | JournalError::Locked { .. }
            | JournalError::Io { .. } => {
                tracing::error!(%error, "the journal failed: no more writes are taken");
                self.fail.send_replace(Some(error.to_string()));
                WriteError::Failed(error.to_string())
            }
        }
    }
}

impl Group {
    fn fits(&self, payload: &[u8]) -> bool {
        self.payloads.is_empty() || self.bytes + record_bytes([payload.len()]) <= RECORD_BYTES_MAX
    }

    fn push(&mut self, payload: Vec<u8>) -> usize {
        // Counts the frame once for each entry: a little too much, never too little.
        self.bytes += record_bytes([payload.len()]);
        self.payloads.push(payload);
        self.payloads.len() - 1
    }
}

impl Outcome {
    fn answer(self, before: Revision, hashes: &[ChainHash]) -> Result<Written, WriteError> {
        match self {
            Self::Other(answer) => answer,
            Self::Entry { place, at, effect } => Ok(Written::Accepted {
                revision: Revision(before.0 + place as u64 + 1),
                hash: hashes[place],
                at,
                effect,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::catalogue::CataloguePut;
    use crate::entry::Withdrawal;
    use crate::journal::{MemoryDisk, MemoryJournal};

    fn withdrawal() -> Command {
        Command::Withdraw(Withdrawal {
            agency: "nobody".parse().unwrap(),
            request_id: "none".parse().unwrap(),
            reason: String::new(),
        })
    }

    /// A writer that stands still until it is let go, once it has taken one command.
    async fn held() -> (Running, std::sync::mpsc::Sender<()>) {
        let (go, wait) = channel();
        let (taken, mut is_taken) = mpsc::unbounded_channel();
        let wait = Mutex::new(wait);
        let clock = move || {
            taken.send(()).unwrap_or_default();
            wait.lock().unwrap().recv().unwrap_or_default(); // Let go for good by a sender that is gone.
            Timestamp(0)
        };
        let journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
        let running = start(Box::new(journal), State::default(), clock);
        let pending = running.handle.queue(withdrawal()).await.unwrap();
        is_taken.recv().await.unwrap();
        tokio::spawn(pending.written());
        (running, go)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_calls_and_holds_streams_up() {
        let (running, go) = held().await;
        let mut waiting = Vec::new();
        for _ in 0..QUEUE_COMMANDS_MAX {
            waiting.push(running.handle.queue(withdrawal()).await.unwrap());
        }
        assert_eq!(running.handle.write(withdrawal()).await, Err(WriteError::QueueFull));
        let handle = running.handle.clone();
        let held_up = tokio::spawn(async move { handle.queue(withdrawal()).await.unwrap().written().await });
        tokio::task::yield_now().await;
        assert!(!held_up.is_finished());
        drop(go);
        let not_there =
            |answer| assert!(matches!(answer, Err(WriteError::Rejected(Rejection::NoSuchSubmission { .. }))));
        for pending in waiting {
            not_there(pending.written().await);
        }
        not_there(held_up.await.unwrap());
    }

    #[tokio::test]
    async fn a_queue_is_full_of_few_large_commands() {
        let (running, go) = held().await;
        let large = || Command::PutCatalogue(CataloguePut::default());
        let mut waiting = Vec::new();
        let full = loop {
            match tokio::time::timeout(std::time::Duration::from_millis(200), running.handle.queue(large())).await {
                Ok(queued) => waiting.push(queued.unwrap()),
                Err(_) => break running.handle.write(large()).await,
            }
        };
        assert_eq!(full, Err(WriteError::QueueFull));
        assert!((1..QUEUE_BYTES_MAX / ENTRY_BYTES_MAX + 1).contains(&waiting.len()), "{}", waiting.len());
        drop(go);
        for pending in waiting {
            assert!(matches!(pending.written().await, Err(WriteError::Rejected(Rejection::Invalid(_)))));
        }
    }
}

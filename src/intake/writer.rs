//! The writer: the one thread that admits commands, applies them, makes them durable and publishes the
//! state.
//!
//! Senders queue commands; the writer takes as many as are waiting, admits each against the state
//! as the ones before it leave it, appends them as one group, publishes the new state, and only
//! then answers. When the append fails, the state that it prepared is dropped, every sender of the
//! group gets the error, and no further write is taken: readers go on with what is durable.

use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::admit::{Command, Decision, DecisionOf, Rejection};
use super::timeline::Timeline;
use crate::access::Actor;
use crate::entry::Entry;
use crate::journal::{ChainHash, ENTRY_BYTES_MAX, Error as JournalError, Journal, RECORD_BYTES_MAX, record_bytes};
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::state::State;

/// How many commands may wait for the writer.
pub(crate) const QUEUE_COMMANDS_MAX: usize = 4_096;
/// How much memory they may take, nearly; one command of any size may wait alone.
pub(crate) const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How many entries one group may have.
pub(crate) const GROUP_ENTRIES_MAX: usize = 1_024;

/// What the writer answers, of a command's [effect](Command::Effect) and of what was
/// [so already](Command::Already).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<E, A> {
    /// The command became an entry.
    Accepted {
        /// The entry's revision.
        revision: Revision,
        /// The chain's hash with it.
        hash: ChainHash,
        /// When it was accepted.
        at: Timestamp,
        /// What it did.
        effect: E,
    },
    /// There was nothing to write.
    Already(A),
}

/// What the writer answers to a command of this type.
pub type WrittenOf<C> = Written<<C as Command>::Effect, <C as Command>::Already>;

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
    /// The disk is nearly full. Reads go on.
    #[error("the disk is nearly full: {0}")]
    NoRoom(String),
    /// The journal failed. Nothing is written until the server is started again.
    #[error("the journal failed, and nothing more is written: {0}")]
    Failed(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// What the writer would decide on a command now: a dry run.
///
/// # Errors
/// When the command isn't allowed.
pub(crate) fn validate<C: Command>(
    state: &State,
    command: &C,
    now: Timestamp,
    zone: &Zone,
) -> Result<DecisionOf<C>, WriteError> {
    Ok(command.admit(state, state.not_before_newest(now), zone)?)
}

/// A command in the queue, and whom to answer.
struct Request<C: Command> {
    command: C,
    actor: Actor,
    reply: oneshot::Sender<Result<WrittenOf<C>, WriteError>>,
    /// What it takes of the queue's memory, given back when the writer has taken it.
    _permit: OwnedSemaphorePermit,
}

/// A [`Request`], whatever the type of its command.
trait Queued: Send {
    /// Is admitted by the writer.
    fn take(self: Box<Self>, writer: &mut Writer, group: &mut Group);
}

impl<C: Command> Queued for Request<C> {
    fn take(self: Box<Self>, writer: &mut Writer, group: &mut Group) {
        writer.take(*self, group);
    }
}

/// Sends commands to the writer. Cheap to clone; the writer stops when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Handle {
    queue: mpsc::Sender<Box<dyn Queued>>,
    /// For the queue's memory, in units of [`PERMIT_BYTES`].
    permits: Arc<Semaphore>,
    /// Who causes what is sent.
    actor: Actor,
}

/// What the queue's memory is counted in.
const PERMIT_BYTES: usize = 1 << 10;
const PERMITS_MAX: usize = QUEUE_BYTES_MAX / PERMIT_BYTES;

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
        (Box::new(Request { command, actor: self.actor.clone(), reply, _permit: permit }), Pending(answer))
    }
}

/// How much of the queue's memory a command takes. One of any size may wait alone.
fn permits_for(command: &impl Command) -> u32 {
    let permits = (1 + command.queued_bytes() / PERMIT_BYTES).min(PERMITS_MAX);
    u32::try_from(permits).unwrap_or(u32::MAX)
}

/// A running writer.
#[derive(Debug)]
pub struct Running {
    /// Sends it commands.
    pub handle: Handle,
    /// The newest durable state.
    pub state: watch::Receiver<Arc<State>>,
    /// The instants of its entries, and of answers.
    pub timeline: Timeline,
    /// Why no write is taken any more, once that is so.
    pub failure: watch::Receiver<Option<String>>,
    /// Ends when the last handle is gone and what was queued is answered.
    pub thread: thread::JoinHandle<()>,
}

/// Starts the writer on a journal and the state that it replays to. `clock` gives the time, and `zone` the
/// day.
pub fn start(
    journal: Box<dyn Journal>,
    state: State,
    clock: impl Fn() -> Timestamp + Send + 'static,
    zone: Zone,
) -> Running {
    let (queue, commands) = mpsc::channel(QUEUE_COMMANDS_MAX);
    let (publish, published) = watch::channel(Arc::new(state.clone()));
    let (fail, failure) = watch::channel(None);
    let timeline = Timeline::default();
    let writer = Writer { journal, state, clock: Box::new(clock), zone, timeline: timeline.clone(), publish, fail };
    let thread = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || writer.run(commands))
        .expect("the system starts a thread");
    let permits = Arc::new(Semaphore::new(PERMITS_MAX));
    let handle = Handle { queue, permits, actor: Actor::Local };
    Running { handle, state: published, timeline, failure, thread }
}

struct Writer {
    journal: Box<dyn Journal>,
    /// The newest state, with what the current group adds to it.
    state: State,
    clock: Box<dyn Fn() -> Timestamp + Send>,
    zone: Zone,
    timeline: Timeline,
    publish: watch::Sender<Arc<State>>,
    fail: watch::Sender<Option<String>>,
}

/// Entries that are admitted and applied to the writer's state, and not yet durable.
#[derive(Default)]
struct Group {
    payloads: Vec<Vec<u8>>,
    bytes: usize,
    /// Answers each command that was taken, also those that became no entry: they were decided on by a
    /// state that isn't durable yet.
    answers: Vec<Answer>,
}

/// Answers one sender, once the group is appended or has failed.
type Answer = Box<dyn FnOnce(Result<&Appended, &WriteError>)>;

/// A group that is durable.
struct Appended {
    /// The revision before it.
    before: Revision,
    /// The chain's hash with each entry of it.
    hashes: Vec<ChainHash>,
}

/// A command that is admitted.
enum Admitted<E, A> {
    Entry {
        /// Its index in the group.
        index: usize,
        at: Timestamp,
        effect: E,
    },
    Already(A),
}

impl Writer {
    fn run(mut self, mut commands: mpsc::Receiver<Box<dyn Queued>>) {
        let mut group = Group::default();
        while let Some(first) = commands.blocking_recv() {
            first.take(&mut self, &mut group);
            while group.answers.len() < GROUP_ENTRIES_MAX {
                let Ok(next) = commands.try_recv() else { break };
                next.take(&mut self, &mut group);
            }
            // The error is in the answers.
            drop(self.commit(&mut group, None));
        }
    }

    /// Takes one command into the group.
    fn take<C: Command>(&mut self, Request { command, actor, reply, _permit }: Request<C>, group: &mut Group) {
        if reply.is_closed() {
            return; // The sender has gone; it can ask again.
        }
        let admitted = self.admit(&command, actor, group);
        group.answers.push(Box::new(move |appended| {
            let written = match appended {
                Ok(appended) => admitted.map(|admitted| admitted.written(appended)),
                Err(error) => Err(error.clone()),
            };
            // A sender that has gone finds its receipt by asking again.
            drop(reply.send(written));
        }));
    }

    /// Admits a command, and applies its entry to the writer's state; commits the group first when
    /// that wouldn't fit.
    fn admit<C: Command>(
        &mut self,
        command: &C,
        actor: Actor,
        group: &mut Group,
    ) -> Result<Admitted<C::Effect, C::Already>, WriteError> {
        if let Some(cause) = self.fail.borrow().clone() {
            return Err(WriteError::Failed(cause));
        }
        let at = self.timeline.admit((self.clock)(), self.state.newest_at());
        let (entry, effect) = match command.admit(&self.state, at, &self.zone)? {
            Decision::Accept(body, effect) => (Entry { at, actor, body }, effect),
            Decision::Already(already) => return Ok(Admitted::Already(already)),
        };
        let payload = command.encode(&entry);
        if payload.len() > ENTRY_BYTES_MAX {
            return Err(WriteError::TooLarge { bytes: payload.len() });
        }
        if !group.fits(&payload) {
            // Where this fails, so does the command: it was decided on by a state that is dropped.
            self.commit(group, Some(at))?;
        }
        command.apply(&mut self.state, &entry);
        Ok(Admitted::Entry { index: group.push(payload), at, effect })
    }

    /// Makes the group durable, publishes the state, and answers.
    ///
    /// The state is published after the append, so that no reader sees what a power cut may undo, and
    /// before the answers, so that whoever has an answer finds its entry in the newest state. `next` is the
    /// instant of an entry that is admitted already and goes into the group after it.
    fn commit(&mut self, group: &mut Group, next: Option<Timestamp>) -> Result<(), WriteError> {
        let Group { payloads, answers, .. } = std::mem::take(group);
        let before = self.publish.borrow().revision();
        let hashes = if payloads.is_empty() { Ok(Vec::new()) } else { self.journal.append(before, &payloads) };
        let appended = match hashes {
            Ok(hashes) => {
                if !hashes.is_empty() {
                    self.publish.send_replace(Arc::new(self.state.clone()));
                }
                Ok(Appended { before, hashes })
            }
            Err(error) => {
                self.state = State::clone(&self.publish.borrow());
                Err(self.failed(&error))
            }
        };
        self.timeline.settle(next);
        for answer in answers {
            answer(appended.as_ref());
        }
        appended.map(drop)
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

/// Also one that panics leaves nobody waiting for what was under way.
impl Drop for Writer {
    fn drop(&mut self) {
        self.timeline.settle(None);
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

impl<E, A> Admitted<E, A> {
    fn written(self, appended: &Appended) -> Written<E, A> {
        match self {
            Self::Entry { index, at, effect } => Written::Accepted {
                revision: Revision(appended.before.0 + index as u64 + 1),
                hash: appended.hashes[index],
                at,
                effect,
            },
            Self::Already(already) => Written::Already(already),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Body, Withdrawal};
    use crate::journal::{MemoryDisk, MemoryJournal, Reader, Tail};
    use crate::model::zone::UTC;

    fn withdrawal() -> Withdrawal {
        Withdrawal { agency: "nobody".parse().unwrap(), request_id: "none".parse().unwrap(), reason: String::new() }
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
        let running = start(Box::new(journal), State::default(), clock, UTC.clone());
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
        let not_there = |answer: Result<WrittenOf<Withdrawal>, _>| {
            assert!(matches!(answer, Err(WriteError::Rejected(Rejection::NoSuchSubmission { .. }))));
        };
        for pending in waiting {
            not_there(pending.written().await);
        }
        not_there(held_up.await.unwrap());
    }

    #[tokio::test]
    async fn a_queue_is_full_of_few_large_commands() {
        let (running, go) = held().await;
        let large = CataloguePut::default;
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

    #[tokio::test]
    async fn an_entry_is_after_the_one_before_it_though_the_clock_is_set_back() {
        let times = Mutex::new([9, 5].map(Timestamp).into_iter());
        let journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
        let clock = move || times.lock().unwrap().next().unwrap();
        let running = start(Box::new(journal), State::default(), clock, UTC.clone());
        let put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
        let mut renamed = CataloguePut { agencies: put.agencies.clone(), ..CataloguePut::default() };
        renamed.agencies[0].name.push_str(", renamed");
        for (put, instant) in [(put, 9), (renamed, 10)] {
            let written = running.handle.write(put).await.unwrap();
            assert!(matches!(written, Written::Accepted { at, .. } if at == Timestamp(instant)), "{written:?}");
        }
    }

    /// A journal whose appends do as they are told: to go on, or to panic.
    struct Told(MemoryJournal, Mutex<std::sync::mpsc::Receiver<bool>>, mpsc::UnboundedSender<()>);

    impl Journal for Told {
        fn tail(&self) -> Tail {
            self.0.tail()
        }

        fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, JournalError> {
            self.2.send(()).unwrap();
            assert!(self.1.lock().unwrap().recv().unwrap(), "told to panic");
            self.0.append(after, payloads)
        }

        fn reader(&self) -> Arc<dyn Reader> {
            self.0.reader()
        }
    }

    /// A command whose entry takes this many bytes.
    struct Sized(usize);

    impl Command for Sized {
        type Effect = ();
        type Already = ();

        fn admit(&self, _: &State, _: Timestamp, _: &Zone) -> Result<DecisionOf<Self>, Rejection> {
            Ok(Decision::Accept(Body::Access(Vec::new()), ()))
        }

        fn encode(&self, _: &Entry) -> Vec<u8> {
            vec![0; self.0]
        }
    }

    /// A writer with two commands in its queue, which take a group each, and its journal, which has been asked for
    /// an append of the first: the times are 10 and 20.
    async fn told() -> (Running, std::sync::mpsc::Sender<bool>, mpsc::UnboundedReceiver<()>) {
        let (tell, told) = channel();
        let (asked, mut is_asked) = mpsc::unbounded_channel();
        let journal = Told(MemoryJournal::open(&MemoryDisk::new()).unwrap(), Mutex::new(told), asked);
        let (go, wait) = channel::<i64>();
        let wait = Mutex::new(wait);
        let clock = move || Timestamp(wait.lock().unwrap().recv().unwrap());
        let running = start(Box::new(journal), State::default(), clock, UTC.clone());
        for _ in 0..2 {
            let pending = running.handle.queue(Sized(ENTRY_BYTES_MAX)).await.unwrap();
            tokio::spawn(pending.written());
        }
        go.send(10).unwrap();
        go.send(20).unwrap();
        is_asked.recv().await.unwrap();
        (running, tell, is_asked)
    }

    #[tokio::test]
    async fn an_entry_that_had_no_room_in_the_group_is_under_way_when_that_is_written() {
        let (running, tell, mut is_asked) = told().await;
        let newest = |now| running.timeline.newest(&move || Timestamp(now), &running.state).at;
        assert_eq!(newest(30), Timestamp(9));
        tell.send(true).unwrap();
        is_asked.recv().await.unwrap();
        assert_eq!(running.state.borrow().revision(), Revision(1));
        assert_eq!(newest(30), Timestamp(19));
        tell.send(true).unwrap();
        running.timeline.settled(&|| Timestamp(30), Timestamp(30), &running.state).await;
        assert_eq!((running.state.borrow().revision(), newest(30)), (Revision(2), Timestamp(30)));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_writer_that_panicked() {
        let (running, tell, _is_asked) = told().await;
        let state = running.state.clone();
        let timeline = running.timeline.clone();
        let waiting = tokio::spawn(async move { timeline.settled(&|| Timestamp(30), Timestamp(25), &state).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        tell.send(false).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.unwrap().unwrap();
        assert_eq!(running.state.borrow().revision(), Revision::ZERO);
    }
}

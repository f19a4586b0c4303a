//! The writer: the one thread that changes the state.
//!
//! Senders queue commands; the writer takes as many as are waiting into a group, and commits
//! it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::admit::{Command, DecisionOf};
use super::basis::Basis;
use super::group_commit::GroupCommit;
pub use super::group_commit::{GroupBounds, WriteError, Written, WrittenOf};
pub use super::queue::Handle;
pub(crate) use super::queue::{Coming, Pending};
use super::queue::{Commands, GivenBack, QUEUE_COMMANDS_MAX, Queued, queue};
use super::timeline::Timeline;
use crate::journal::Journal;
use crate::metrics::{self, Registry};
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::state::{Fold, State};

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
    Ok(command.admit(&Basis::durable(state, state.not_before_newest(now), zone))?)
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

impl Running {
    /// Adds the metrics of the queue, and of what is durable.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.handle.register(registry);
        let state = self.state.clone();
        let revision = move || Some(state.borrow().revision().0);
        metrics::gauge(registry, "conspectus_journal_revision", "The newest revision that is durable", revision);
        let state = self.state.clone();
        metrics::gauge(
            registry,
            "conspectus_observations",
            "How many figures were submitted, those that were since revised or withdrawn among them",
            move || Some(state.borrow().submitted_figures()),
        );
        let failure = self.failure.clone();
        metrics::gauge(
            registry,
            "conspectus_journal_failed",
            "1 once the journal failed: nothing is written until a restart",
            move || Some(u64::from(failure.borrow().is_some())),
        );
    }
}

/// Starts the writer on a journal and the fold of its entries. `clock` gives the time, and `zone` the
/// day.
pub fn start(
    journal: Box<dyn Journal>,
    fold: Fold,
    clock: impl Fn() -> Timestamp + Send + 'static,
    zone: Zone,
) -> Running {
    let (writer, handle) = Writer::new(journal, fold, clock, zone, Bounds::default());
    let (state, timeline, failure) = (writer.published(), writer.timeline(), writer.failure());
    let thread = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || writer.run())
        .expect("the system starts a thread");
    Running { handle, state, timeline, failure, thread }
}

/// How much a writer takes at once.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many commands may wait.
    pub queue_commands: usize,
    /// How large a group may become.
    pub group: GroupBounds,
    /// How long a group waits for those that are on their way to it.
    pub company_wait: Duration,
}

/// How many commands may be set aside while a group is made up.
const ASIDE_MAX: usize = 256;

/// About what the disk takes for a sync, which they would have to wait for otherwise.
const COMPANY_WAIT: Duration = Duration::from_micros(300);

impl Default for Bounds {
    fn default() -> Self {
        Self { queue_commands: QUEUE_COMMANDS_MAX, group: GroupBounds::default(), company_wait: COMPANY_WAIT }
    }
}

/// A writer that does nothing by itself: [`start`] gives it a thread.
pub struct Writer {
    commands: Commands,
    /// The commands that are taken next, in this order: the group before gave them back.
    next: VecDeque<Box<dyn Queued>>,
    group: GroupCommit,
    company_wait: Duration,
    journal: Box<dyn Journal>,
    clock: Box<dyn Fn() -> Timestamp + Send>,
}

impl Writer {
    /// A writer on a journal and the fold of its entries, and its queue.
    pub fn new(
        journal: Box<dyn Journal>,
        fold: Fold,
        clock: impl Fn() -> Timestamp + Send + 'static,
        zone: Zone,
        bounds: Bounds,
    ) -> (Self, Handle) {
        let (handle, commands) = queue(bounds.queue_commands);
        let group = GroupCommit::new(fold, zone, bounds.group);
        (
            Self {
                commands,
                next: VecDeque::new(),
                group,
                company_wait: bounds.company_wait,
                journal,
                clock: Box::new(clock),
            },
            handle,
        )
    }

    /// The newest durable state.
    pub fn published(&self) -> watch::Receiver<Arc<State>> {
        self.group.publish.subscribe()
    }

    /// The instants of its entries, and of answers.
    pub fn timeline(&self) -> Timeline {
        self.group.timeline.clone()
    }

    /// Why no write is taken any more, once that is so.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.group.fail.subscribe()
    }

    fn run(mut self) {
        let mut recent = 0;
        while !self.next.is_empty() || self.commands.gather(recent, self.company_wait) > 0 {
            recent = self.write_group();
        }
    }

    /// Writes what is waiting, up to a full group. Gives how many commands were taken.
    ///
    /// A command that waits for its agency's figures holds up that agency's alone: they are set aside together.
    pub fn write_group(&mut self) -> usize {
        let (mut taken, mut aside) = (0, VecDeque::<Box<dyn Queued>>::new());
        while !self.group.is_full()
            && aside.len() < ASIDE_MAX
            && let Some(command) = self.next.pop_front().or_else(|| self.commands.next())
        {
            let agency = command.agency();
            if agency.is_some() && aside.iter().any(|before| before.agency() == agency) {
                aside.push_back(command);
                continue;
            }
            taken += 1;
            if let Err(GivenBack { command, is_alone_in_waiting }) = command.take(&mut self.group, (self.clock)()) {
                aside.push_back(command);
                if !is_alone_in_waiting {
                    break;
                }
            }
        }
        // What was set aside came before what is left of the group before.
        aside.append(&mut self.next);
        self.next = aside;
        self.group.commit(&mut *self.journal);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use tokio::sync::mpsc;

    use super::super::queue::QUEUE_BYTES_MAX;
    use super::*;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Body, Entry, Withdrawal};
    use crate::intake::admit::{Decision, Rejection, Withdraw};
    use crate::journal::{ChainHash, ENTRY_BYTES_MAX, Error as JournalError, MemoryDisk, MemoryJournal, Reader, Tail};
    use crate::model::revision::Revision;
    use crate::model::zone::UTC;

    fn withdrawal() -> Withdraw {
        let (agency, request_id) = ("nobody".parse().unwrap(), "none".parse().unwrap());
        Withdrawal { agency, request_id, reason: String::new() }.into()
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
        let running = start(Box::new(journal), Fold::default(), clock, UTC.clone());
        let pending = running.handle.queue(withdrawal()).await.unwrap();
        is_taken.recv().await.unwrap();
        tokio::spawn(pending.written());
        (running, go)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_calls_and_holds_streams_up() {
        let (running, go) = held().await;
        let mut waiting = Vec::new();
        // The one that the writer has in its hand has its place still.
        for _ in 1..QUEUE_COMMANDS_MAX {
            waiting.push(running.handle.queue(withdrawal()).await.unwrap());
        }
        assert_eq!(running.handle.write(withdrawal()).await, Err(WriteError::QueueFull));
        let handle = running.handle.clone();
        let held_up = tokio::spawn(async move { handle.queue(withdrawal()).await.unwrap().written().await });
        tokio::task::yield_now().await;
        assert!(!held_up.is_finished());
        drop(go);
        let not_there = |answer: Result<WrittenOf<Withdraw>, _>| {
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
        let running = start(Box::new(journal), Fold::default(), clock, UTC.clone());
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

        fn admit(&self, _: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
            Ok(Decision::Accept(Body::Access(Vec::new()), ()))
        }

        fn encode(&self, _: &Entry) -> Vec<u8> {
            vec![0; self.0]
        }
    }

    /// A writer with two commands in its queue, which take a group each, and its journal, which has been asked for
    /// an append of the first: it was admitted at 10, and the second is at 25, having had no room at 20.
    async fn told() -> (Running, std::sync::mpsc::Sender<bool>, mpsc::UnboundedReceiver<()>) {
        let (tell, told) = channel();
        let (asked, mut is_asked) = mpsc::unbounded_channel();
        let journal = Told(MemoryJournal::open(&MemoryDisk::new()).unwrap(), Mutex::new(told), asked);
        let (go, wait) = channel::<i64>();
        let wait = Mutex::new(wait);
        let clock = move || Timestamp(wait.lock().unwrap().recv().unwrap());
        let running = start(Box::new(journal), Fold::default(), clock, UTC.clone());
        for _ in 0..2 {
            let pending = running.handle.queue(Sized(ENTRY_BYTES_MAX)).await.unwrap();
            tokio::spawn(pending.written());
        }
        for time in [10, 20, 25] {
            go.send(time).unwrap();
        }
        is_asked.recv().await.unwrap();
        (running, tell, is_asked)
    }

    #[tokio::test]
    async fn an_entry_that_had_no_room_in_a_group_is_under_way_with_the_next() {
        let (running, tell, mut is_asked) = told().await;
        let newest = |now| running.timeline.newest(&move || Timestamp(now), &running.state).at;
        assert_eq!(newest(30), Timestamp(9));
        tell.send(true).unwrap();
        is_asked.recv().await.unwrap();
        assert_eq!(running.state.borrow().revision(), Revision(1));
        assert_eq!(newest(30), Timestamp(24));
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

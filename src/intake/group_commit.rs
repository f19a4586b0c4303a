//! Group commit: what the writer does with a group of commands. It decides on each by the durable state and what
//! the ones before it in the group take, appends their entries together, applies them, publishes the state that they
//! come to, and only then answers.
//!
//! There is no queue, thread or clock in it: the [`writer`](super::writer) has those, and hands on commands,
//! the time and the journal. When the append fails, nothing has been applied: every sender of the group gets the
//! error. Unless the journal only refused it, no further write is taken: readers go on with what is durable.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::admit::{Command, Decision, Rejection};
use super::basis::{Basis, Reserved};
use super::timeline::Timeline;
use crate::access::Actor;
use crate::entry::{Body, Entry};
use crate::journal::{ChainHash, ENTRY_BYTES_MAX, Error as JournalError, Journal, RECORD_BYTES_MAX, record_bytes};
use crate::model::id::AgencyId;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::state::{Fold, Outcome, ResolvedIds, State};

/// How many entries one group may have.
const GROUP_ENTRIES_MAX: usize = 1_024;

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

/// A command, who causes it, and whom to answer.
pub(super) struct Request<C: Command> {
    pub(super) command: C,
    pub(super) actor: Actor,
    pub(super) reply: oneshot::Sender<Result<WrittenOf<C>, WriteError>>,
}

/// How large a group may become.
#[derive(Debug, Clone, Copy)]
pub struct GroupBounds {
    /// How many commands it may answer.
    pub commands: usize,
    /// How many bytes its record may have, nearly; an entry of any size may be alone.
    pub bytes: usize,
}

impl Default for GroupBounds {
    fn default() -> Self {
        Self { commands: GROUP_ENTRIES_MAX, bytes: RECORD_BYTES_MAX }
    }
}

/// What is durable, and the group that is gathered.
pub(super) struct GroupCommit {
    fold: Fold,
    /// What the fold has come to.
    state: Arc<State>,
    group: Group,
    bounds: GroupBounds,
    zone: Zone,
    pub(super) timeline: Timeline,
    /// The newest durable state.
    pub(super) publish: watch::Sender<Arc<State>>,
    /// Why no write is taken any more, once that is so.
    pub(super) fail: watch::Sender<Option<String>>,
}

/// Entries that are admitted, and neither durable nor applied yet.
#[derive(Default)]
struct Group {
    entries: Vec<(Entry, Option<Arc<ResolvedIds>>)>,
    payloads: Vec<Vec<u8>>,
    bytes: usize,
    reserved: Reserved,
    /// Whether its entry has it for itself.
    is_closed: bool,
    /// Answers each command that was taken, also those that became no entry: what they were decided on by may not
    /// be durable yet.
    answers: Vec<Answer>,
}

/// Answers one sender, once the group is appended or has failed.
type Answer = Box<dyn FnOnce(Result<&mut Appended, &WriteError>) + Send>;

/// A group that is durable.
struct Appended {
    /// The revision before it.
    before: Revision,
    /// The chain's hash with each entry of it.
    hashes: Vec<ChainHash>,
    /// For each entry, what its figures did; taken with its answer.
    outcomes: Vec<Vec<Outcome>>,
}

/// What becomes of a command that is to go into a group.
pub(super) enum Taken<C: Command> {
    /// It is decided on, or its sender has gone.
    Yes,
    /// It looks at figures of its agency, and the group has some that aren't applied yet.
    BehindItsAgency(Request<C>),
    /// The group takes no more, or no more of its kind or size.
    NoRoom(Request<C>),
}

/// What becomes of a command that is allowed.
#[expect(clippy::large_enum_variant, reason = "it is handed on once, and seldom the smaller")]
enum Admitted<E, A> {
    Entry { entry: Entry, payload: Vec<u8>, effect: E },
    Already(A),
}

impl GroupCommit {
    pub(super) fn new(mut fold: Fold, zone: Zone, bounds: GroupBounds) -> Self {
        let state = Arc::new(fold.state());
        let (publish, _) = watch::channel(Arc::clone(&state));
        let (fail, _) = watch::channel(None);
        Self { fold, state, group: Group::default(), bounds, zone, timeline: Timeline::default(), publish, fail }
    }

    /// Whether the group takes no more commands.
    pub(super) fn is_full(&self) -> bool {
        self.group.answers.len() >= self.bounds.commands
    }

    /// Takes a command into the group, or gives it back: it is decided on once the group is written.
    pub(super) fn take<C: Command>(&mut self, request: Request<C>, now: Timestamp) -> Taken<C> {
        if request.reply.is_closed() {
            return Taken::Yes; // The sender has gone; it can ask again.
        }
        if self.group.is_closed || (C::IS_ALONE && !self.group.entries.is_empty()) {
            return Taken::NoRoom(request);
        }
        let has_figures = |agency: &AgencyId| self.group.reserved.has_figures_of(agency);
        if request.command.agency().is_some_and(has_figures) && request.command.looks_at_figures(&self.state) {
            return Taken::BehindItsAgency(request);
        }
        let decided = match self.admit(&request, now) {
            Ok(Admitted::Entry { payload, .. }) if !self.group.fits(&payload, self.bounds) => {
                return Taken::NoRoom(request);
            }
            Ok(Admitted::Entry { entry, payload, effect }) => {
                let at = entry.at;
                self.group.is_closed = C::IS_ALONE;
                Ok(Decided::Entry { index: self.push(entry, request.command.ids(), payload), at, effect })
            }
            Ok(Admitted::Already(already)) => Ok(Decided::Already(already)),
            Err(error) => Err(error),
        };
        self.group.answers.push(Box::new(move |appended| {
            let written = match appended {
                Ok(appended) => decided.map(|decided: Decided<C>| decided.written(appended)),
                Err(error) => Err(error.clone()),
            };
            // A sender that has gone finds its receipt by asking again.
            drop(request.reply.send(written));
        }));
        Taken::Yes
    }

    /// Decides on a command.
    fn admit<C: Command>(
        &self,
        Request { command, actor, .. }: &Request<C>,
        now: Timestamp,
    ) -> Result<Admitted<C::Effect, C::Already>, WriteError> {
        if let Some(cause) = self.fail.borrow().clone() {
            return Err(WriteError::Failed(cause));
        }
        let newest_at = self.group.entries.last().map(|(entry, _)| entry.at).or(self.state.newest_at());
        let at = self.timeline.admit(now, newest_at);
        let basis = Basis::durable(&self.state, at, &self.zone).behind(&self.group.reserved);
        let (body, effect) = match command.admit(&basis)? {
            Decision::Accept(body, effect) => (body, effect),
            Decision::Already(already) => return Ok(Admitted::Already(already)),
        };
        let entry = Entry { at, actor: actor.clone(), body };
        let payload = command.encode(&entry);
        if payload.len() > ENTRY_BYTES_MAX {
            return Err(WriteError::TooLarge { bytes: payload.len() });
        }
        Ok(Admitted::Entry { entry, payload, effect })
    }

    /// Takes an entry into the group. Gives its index there.
    fn push(&mut self, entry: Entry, ids: Option<&Arc<ResolvedIds>>, payload: Vec<u8>) -> usize {
        let index = self.group.entries.len();
        if let Body::Submission { submission, fingerprint } = &entry.body {
            let revision = Revision(self.state.revision().0 + index as u64 + 1);
            self.group.reserved.add(&self.state, submission, *fingerprint, revision);
        }
        // Counts the frame once for each entry: a little too much, never too little.
        self.group.bytes += record_bytes([payload.len()]);
        self.group.payloads.push(payload);
        self.group.entries.push((entry, ids.cloned()));
        index
    }

    /// Makes the group durable, applies and publishes it, and answers.
    ///
    /// The entries are applied after the append, so that what is shared with readers holds nothing that a power cut
    /// may undo. The state is published before the answers, so that whoever has an answer finds its entry in the
    /// newest state.
    pub(super) fn commit(&mut self, journal: &mut dyn Journal) {
        let Group { entries, payloads, answers, .. } = std::mem::take(&mut self.group);
        let before = self.state.revision();
        let hashes = if payloads.is_empty() { Ok(Vec::new()) } else { journal.append(before, &payloads) };
        let mut appended = match hashes {
            Ok(hashes) => Ok(Appended { before, hashes, outcomes: self.apply(&entries) }),
            Err(error) => Err(self.failed(&error)),
        };
        self.timeline.settle();
        for answer in answers {
            answer(appended.as_mut().map_err(|error| &*error));
        }
    }

    /// Applies and publishes entries. Gives for each what its figures did.
    fn apply(&mut self, entries: &[(Entry, Option<Arc<ResolvedIds>>)]) -> Vec<Vec<Outcome>> {
        if entries.is_empty() {
            return Vec::new();
        }
        let resolved = entries.iter().map(|(entry, ids)| (entry, ids.as_deref()));
        let (state, outcomes) = self.fold.apply_group(resolved);
        self.state = Arc::new(state);
        self.publish.send_replace(Arc::clone(&self.state));
        let mut outcomes = outcomes.into_iter();
        entries.iter().map(|(entry, _)| outcomes.by_ref().take(entry.body.figures()).collect()).collect()
    }

    fn failed(&self, error: &JournalError) -> WriteError {
        match error {
            JournalError::NoRoom { .. } => WriteError::NoRoom(error.to_string()),
            JournalError::Conflict { .. }
            | JournalError::TooLarge { .. }
            | JournalError::Poisoned { .. }
            | JournalError::Corrupt { .. }
            | JournalError::Locked { .. }
            | JournalError::LaterFormat(_)
            | JournalError::FormatFile { .. }
            | JournalError::Io { .. } => {
                tracing::error!(%error, "the journal failed: no more writes are taken");
                self.fail.send_replace(Some(error.to_string()));
                WriteError::Failed(error.to_string())
            }
        }
    }
}

/// Also one that panics leaves nobody waiting for what was under way.
impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.timeline.settle();
    }
}

impl Group {
    fn fits(&self, payload: &[u8], bounds: GroupBounds) -> bool {
        self.payloads.is_empty() || self.bytes + record_bytes([payload.len()]) <= bounds.bytes
    }
}

/// What was decided on a command of the group.
enum Decided<C: Command> {
    Entry {
        /// Its index in the group.
        index: usize,
        at: Timestamp,
        effect: C::Effect,
    },
    Already(C::Already),
}

impl<C: Command> Decided<C> {
    fn written(self, appended: &mut Appended) -> WrittenOf<C> {
        match self {
            Self::Entry { index, at, effect } => Written::Accepted {
                revision: Revision(appended.before.0 + index as u64 + 1),
                hash: appended.hashes[index],
                at,
                effect: C::applied(effect, std::mem::take(&mut appended.outcomes[index])),
            },
            Self::Already(already) => Written::Already(already),
        }
    }
}

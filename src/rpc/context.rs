//! What every handler works with, and the gate that it stands behind until the journal is replayed.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;

use super::status::{self, Reason};
use crate::intake::admit::{Command, DecisionOf};
use crate::intake::timeline::{Newest, Timeline};
use crate::intake::writer::{self, Handle, WriteError};
use crate::journal::Reader;
use crate::model::date::Date;
use crate::model::revision::Revision;
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
    /// The instants of entries and of answers.
    pub timeline: Timeline,
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

/// The newest state, and the newest instant that it can be answered as of.
#[derive(Clone)]
pub(crate) struct Now {
    pub(crate) state: Arc<State>,
    pub(crate) at: Timestamp,
    /// The newest instant that can be asked about: an answer was of it, though the clock may have been set back
    /// since.
    pub(crate) answered: Timestamp,
}

impl Context {
    pub(crate) fn newest(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    /// The newest state, and the newest instant that it can be answered as of.
    pub(crate) fn now(&self) -> Now {
        let Newest { state, at, answered, .. } = self.timeline.newest(&*self.clock, &self.state);
        Now { state, at, answered }
    }

    /// Where an instant is wanted, waits until [`Self::now`] has everything that was accepted by then.
    pub(crate) async fn until_settled(&self, wanted: Option<Timestamp>) {
        if let Some(wanted) = wanted {
            self.timeline.settled(&*self.clock, wanted, &self.state).await;
        }
    }

    /// Today, as a state has it.
    pub(crate) fn today(&self, state: &State) -> Date {
        self.zone.date(state.not_before_newest((self.clock)()))
    }

    /// The first instant as of which an answer is what it is as of a later one, `at`: when its revision was accepted, or
    /// when the day of `at` began, if that was later. Answers depend on their instant by its day alone.
    pub(crate) fn unchanged_since(&self, revision: Revision, at: Timestamp) -> Timestamp {
        let accepted = self.newest().accepted_at(revision);
        let since = self.zone.day_start(at);
        accepted.map_or(since, |accepted| accepted.max(since)).min(at)
    }

    /// What the writer would decide on a command now, by a state: a dry run.
    ///
    /// # Errors
    /// When the command isn't allowed.
    pub(crate) fn validate<C: Command>(&self, state: &State, command: &C) -> Result<DecisionOf<C>, WriteError> {
        writer::validate(state, command, (self.clock)(), &self.zone)
    }

    /// Waits for a revision.
    ///
    /// # Errors
    /// `DEADLINE_EXCEEDED` when it doesn't come in time, `UNAVAILABLE` when the server stops.
    pub(crate) async fn until_revision(&self, min_revision: i64) -> Result<(), Status> {
        let wanted = u64::try_from(min_revision).unwrap_or(0);
        let mut state = self.state.clone();
        let arrived = state.wait_for(|state| state.revision().0 >= wanted);
        let mut stopping = self.stopping.clone();
        let arrived = tokio::select! {
            biased;
            arrived = tokio::time::timeout(MIN_REVISION_TIMEOUT, arrived) => arrived.map(|arrived| arrived.is_ok()),
            // What comes no more isn't waited for.
            Ok(_) = stopping.wait_for(|stops| *stops) => Ok(false),
        };
        match arrived {
            Ok(true) => Ok(()),
            Ok(false) => Err(status::error(Reason::Stopping, "the server is stopping")),
            Err(_) => Err(status::error(
                Reason::RevisionNotReached,
                format!("revision {wanted} was not reached in {} seconds", MIN_REVISION_TIMEOUT.as_secs()),
            )),
        }
    }
}

#[cfg(test)]
impl Context {
    /// On an empty journal in memory, at an instant in UTC.
    pub(crate) fn in_memory(now: Timestamp) -> Self {
        use crate::journal::{Journal, MemoryDisk, MemoryJournal};
        use crate::model::zone::UTC;
        use crate::state::Fold;

        let journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
        let reader = journal.reader();
        let running = writer::start(Box::new(journal), Fold::default(), move || now, UTC.clone());
        Self {
            writer: running.handle,
            state: running.state,
            timeline: running.timeline,
            reader,
            clock: Arc::new(move || now),
            zone: UTC.clone(),
            stopping: watch::channel(false).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Body, Entry};
    use crate::state::Fold;

    #[test]
    fn an_answer_is_unchanged_since_its_revision_or_since_its_day_began() {
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let mut fold = Fold::default();
        let body = Body::CataloguePut(CataloguePut::default());
        fold.apply(&Entry { at: at("2026-06-30T12:00:00.5Z"), actor: Actor::Local, body });
        let context = Context {
            state: watch::channel(Arc::new(fold.state())).1,
            zone: Zone::default(),
            ..Context::in_memory(Timestamp(0))
        };
        for (asked, since) in [
            ("2026-06-30T22:59:59Z", "2026-06-30T12:00:00.5Z"),
            // London's midnight in summer.
            ("2026-06-30T23:00:00Z", "2026-06-30T23:00:00Z"),
            ("2026-07-01T09:00:00Z", "2026-06-30T23:00:00Z"),
            ("2026-06-30T12:00:00.5Z", "2026-06-30T12:00:00.5Z"),
        ] {
            assert_eq!(context.unchanged_since(Revision(1), at(asked)), at(since), "{asked}");
        }
    }
}

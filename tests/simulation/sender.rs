//! Those that write: each sends one request after the other, retries until it has an answer, and sometimes gives up
//! waiting and sends the same again.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use conspectus::catalogue::CataloguePut;
use conspectus::intake::admit::{ChangeAccess, Rejection, Withdraw};
use conspectus::intake::prepare::Prepared;
use conspectus::intake::writer::{Handle, WriteError, Written};
use conspectus::journal::ChainHash;
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::State;
use conspectus::state::columns::Withdrawn;

use crate::fixture::{self, AGENCIES, IDENTITIES, REQUESTS, VERSIONS};
use crate::schedule::Schedule;
use crate::world::World;

/// What is asked for, so that it can be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Submit { agency: usize, request: usize, variant: usize },
    Withdraw { agency: usize, request: usize },
    Change { agency: usize, version: usize },
    Create(usize),
    Revoke(usize),
}

impl Asked {
    pub(crate) fn any(schedule: &mut Schedule) -> Self {
        let kind = schedule.below(16);
        match kind {
            0..10 => Self::Submit {
                agency: schedule.below(AGENCIES.len()),
                request: schedule.below(REQUESTS),
                variant: usize::from(schedule.one_in(8)),
            },
            10..13 => Self::Withdraw { agency: schedule.below(AGENCIES.len()), request: schedule.below(REQUESTS) },
            13 => Self::Change { agency: schedule.below(AGENCIES.len()), version: schedule.below(VERSIONS) },
            14 => Self::Create(schedule.below(IDENTITIES)),
            _ => Self::Revoke(schedule.below(IDENTITIES)),
        }
    }

    /// What a handler makes of it: everything that can be done before the writer takes it. None when it is refused
    /// already.
    fn prepare(self, state: &State, now: Timestamp) -> Option<Command> {
        let access = |change| Command::Access(ChangeAccess { changes: vec![change], now });
        Some(match self {
            Self::Submit { agency, request, variant } => {
                let submission = fixture::submission(agency, request, variant);
                Command::Submit(Prepared::reviewed(submission, state, UTC.date(now), &UTC).ok()?)
            }
            Self::Withdraw { agency, request } => Command::Withdraw(fixture::withdrawal(agency, request).into()),
            Self::Change { agency, version } => Command::Put(fixture::change(agency, version)),
            Self::Create(identity) => access(fixture::create(identity, now)),
            Self::Revoke(identity) => access(fixture::revoke(identity)),
        })
    }
}

pub(crate) enum Command {
    Submit(Prepared),
    Withdraw(Withdraw),
    Put(CataloguePut),
    Access(ChangeAccess),
}

/// What the writer answers, to a command of whichever type.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Of a withdrawal also what it did.
    Accepted {
        revision: Revision,
        hash: ChainHash,
        at: Timestamp,
        withdrawn: Option<Withdrawn>,
    },
    /// It is so already; since a revision, where the answer says so.
    Already(Option<Revision>),
    Rejected(Rejection),
    /// Nothing was decided: it may be asked again.
    Unwritten(WriteError),
}

fn answer<E, A>(
    written: Result<Written<E, A>, WriteError>,
    withdrawn: impl FnOnce(E) -> Option<Withdrawn>,
    since: impl FnOnce(A) -> Option<Revision>,
) -> Answer {
    match written {
        Ok(Written::Accepted { revision, hash, at, effect, .. }) => {
            Answer::Accepted { revision, hash, at, withdrawn: withdrawn(effect) }
        }
        Ok(Written::Already(already)) => Answer::Already(since(already)),
        Err(WriteError::Rejected(rejection)) => Answer::Rejected(rejection),
        Err(error) => Answer::Unwritten(error),
    }
}

type Call = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Command {
    fn call(self, handle: Handle) -> Call {
        Box::pin(async move {
            match self {
                Self::Submit(prepared) => answer(handle.write(prepared).await, |_| None, Some),
                Self::Withdraw(withdrawal) => answer(handle.write(withdrawal).await, Some, Some),
                Self::Put(put) => answer(handle.write(put).await, |_| None, |_| None),
                Self::Access(change) => answer(handle.write(change).await, |()| None, |never| match never {}),
            }
        })
    }
}

#[derive(Default)]
pub(crate) struct Sender {
    /// What it has no answer to yet.
    asked: Option<Asked>,
    doing: Doing,
}

#[derive(Default)]
enum Doing {
    #[default]
    Nothing,
    /// What a handler has made of it, and is about to queue.
    Prepared(Command),
    /// In the queue, since this revision was the newest that is durable.
    Waiting(Call, Revision),
}

impl Sender {
    /// Whether it has no answer yet.
    pub(crate) fn is_open(&self) -> bool {
        self.asked.is_some()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.doing, Doing::Waiting(..))
    }

    /// The server is gone, and with it the answer that was waited for.
    pub(crate) fn cut_off(&mut self) {
        self.doing = Doing::Nothing;
    }
}

impl World {
    /// A sender goes one step on.
    pub(crate) fn send(&mut self, at: usize, waker: &Waker) {
        let Some(handle) = self.life.as_ref().map(|life| life.handle.clone()) else { return };
        let asked = match self.senders[at].asked {
            Some(asked) => asked,
            None if self.is_ending => return,
            None => *self.senders[at].asked.insert(Asked::any(&mut self.schedule)),
        };
        match std::mem::take(&mut self.senders[at].doing) {
            Doing::Nothing => {
                let state = self.published();
                self.trace(|| format!("sender {at} prepares {asked:?} by revision {}", state.revision()));
                match asked.prepare(&state, self.now()) {
                    Some(command) => self.senders[at].doing = Doing::Prepared(command),
                    None => self.answered_early(at, asked, state.revision()),
                }
            }
            Doing::Prepared(command) => {
                self.trace(|| format!("sender {at} queues {asked:?}"));
                let since = self.log.newest();
                self.wait(at, asked, command.call(handle), since, waker);
            }
            Doing::Waiting(call, since) if self.is_ending || !self.schedule.one_in(8) => {
                self.wait(at, asked, call, since, waker);
            }
            Doing::Waiting(..) => self.trace(|| format!("sender {at} gives up waiting, and will ask again")),
        }
    }

    fn wait(&mut self, at: usize, asked: Asked, mut call: Call, since: Revision, waker: &Waker) {
        match call.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Pending => self.senders[at].doing = Doing::Waiting(call, since),
            Poll::Ready(answer) => {
                self.trace(|| format!("sender {at} has the answer to {asked:?}: {answer:?}"));
                match self.check_answer(asked, since, &answer) {
                    Ok(true) => self.senders[at].asked = None,
                    Ok(false) => {}
                    Err(wrong) => self.wrong(format!("{asked:?} is answered {answer:?}: {wrong}")),
                }
            }
        }
    }

    /// A submission that a handler refuses.
    fn answered_early(&mut self, at: usize, asked: Asked, by: Revision) {
        self.senders[at].asked = None;
        if let Asked::Submit { agency, request, variant } = asked
            && !self.refuses(&fixture::submission(agency, request, variant), by..=by)
        {
            self.wrong(format!("{asked:?} is refused by a state of revision {by}"));
        }
    }
}

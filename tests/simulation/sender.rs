//! Those that write: each sends one request after the other, retries until it has an answer, and sometimes gives up
//! waiting and sends the same again.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use conspectus::access::Actor;
use conspectus::catalogue::CataloguePut;
use conspectus::entry::ReturnCompletion;
use conspectus::intake::admit::{Rejection, SubmissionEffect, Withdraw};
use conspectus::intake::change_access::ChangeAccess;
use conspectus::intake::corrections::Locks;
use conspectus::intake::prepare::Prepared;
use conspectus::intake::writer::{Handle, WriteError, Written};
use conspectus::journal::ChainHash;
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::violation::Violations;
use conspectus::model::zone::UTC;
use conspectus::state::State;
use conspectus::state::columns::Withdrawn;

use crate::fixture::{
    self, AGENCY_VERSIONS, Content, IDENTITIES, INDICATORS, REQUESTS, RETURNS, USUAL_RETURN, USUAL_VARIANT, VARIANTS,
};
use crate::log::Log;
use crate::returns::MISTAKES;
use crate::schedule::Schedule;
use crate::world::World;

/// What is asked for, and by whom, so that it can be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Maybe only over what its sender saw at a revision.
    Submit {
        content: Content,
        seen: Option<Revision>,
        locks: Locks,
    },
    /// With what its sender saw at a revision that a return has, or a mistake in that.
    Complete {
        agency: usize,
        of_return: usize,
        seen: Revision,
        mistake: Option<usize>,
    },
    Withdraw {
        agency: usize,
        request: usize,
        locks: Locks,
    },
    ChangeAgency {
        agency: usize,
        version: usize,
    },
    ChangeIndicator(usize),
    Create(usize),
    Revoke(usize),
}

impl Asked {
    /// Anything, by somebody who sees the newest revision, and has sent a submission before, maybe.
    fn any(schedule: &mut Schedule, newest: Revision, sent: Option<Content>) -> Self {
        let kind = schedule.below(26);
        let (agency, request) = (usize::from(schedule.one_in(3)), schedule.below(REQUESTS));
        let locks = if schedule.one_in(4) { Locks::Lifted } else { Locks::Kept };
        match kind {
            0..14 => {
                let variant = if schedule.one_in(3) { schedule.below(VARIANTS) } else { USUAL_VARIANT[request] };
                let of_return = if schedule.one_in(8) { Some(schedule.below(RETURNS)) } else { USUAL_RETURN[request] };
                let seen = schedule.one_in(3).then(|| seen(schedule, newest));
                Self::Submit { content: Content { agency, request, variant, of_return }, seen, locks }
            }
            14..18 => {
                let sent = sent.filter(|_| !schedule.one_in(4)).map(|it| (it.agency, it.request));
                let (agency, request) = sent.unwrap_or((agency, request));
                Self::Withdraw { agency, request, locks }
            }
            18 => Self::ChangeAgency { agency, version: schedule.below(AGENCY_VERSIONS) },
            19..22 => Self::ChangeIndicator(schedule.below(INDICATORS.len())),
            22 => Self::Create(schedule.below(IDENTITIES)),
            23 => Self::Revoke(schedule.below(IDENTITIES)),
            _ => {
                let sent = sent.filter(|_| !schedule.one_in(8)).and_then(|it| Some((it.agency, it.of_return?)));
                let (agency, of_return) = sent.unwrap_or((agency, schedule.below(RETURNS)));
                let mistake = schedule.one_in(4).then(|| schedule.below(MISTAKES.len()));
                Self::Complete { agency, of_return, seen: seen(schedule, newest), mistake }
            }
        }
    }

    /// Who asks.
    pub(crate) fn actor(self) -> Actor {
        match self {
            Self::Submit { locks, .. } | Self::Withdraw { locks, .. } => fixture::actor(locks),
            Self::Complete { .. }
            | Self::ChangeAgency { .. }
            | Self::ChangeIndicator(_)
            | Self::Create(_)
            | Self::Revoke(_) => Actor::Local,
        }
    }

    /// What a handler makes of it: everything that can be done before the writer takes it.
    ///
    /// # Errors
    /// What it finds wrong with a submission.
    fn prepare(self, log: &Log, state: &State, now: Timestamp) -> Result<Command, Violations> {
        let access = |change| Command::Access(ChangeAccess { changes: vec![change], now });
        Ok(match self {
            Self::Submit { content, seen, locks } => {
                let today = log.day(state.revision(), now);
                let prepared = Prepared::reviewed_for(fixture::submission(content), state, today, &UTC, locks)?;
                Command::Submit(match seen {
                    Some(seen) => prepared.unless_changed_since(seen),
                    None => prepared,
                })
            }
            Self::Complete { agency, of_return, seen, mistake } => {
                Command::Complete(log.said(agency, of_return, seen, mistake))
            }
            Self::Withdraw { agency, request, locks } => {
                Command::Withdraw(Withdraw { withdrawal: fixture::withdrawal(agency, request), locks })
            }
            Self::ChangeAgency { agency, version } => Command::Put(fixture::change_of_agency(agency, version)),
            Self::ChangeIndicator(version) => Command::Put(fixture::change_of_indicator(version)),
            Self::Create(identity) => access(fixture::create(identity, now)),
            Self::Revoke(identity) => access(fixture::revoke(identity)),
        })
    }
}

/// The revision that somebody has seen: the newest, or an old one.
fn seen(schedule: &mut Schedule, newest: Revision) -> Revision {
    let back = if schedule.one_in(3) { schedule.below(8) as u64 } else { 0 };
    Revision(newest.0.saturating_sub(back).max(1))
}

pub(crate) enum Command {
    Submit(Prepared),
    Complete(ReturnCompletion),
    Withdraw(Withdraw),
    Put(CataloguePut),
    Access(ChangeAccess),
}

/// What the writer answers, to a command of whichever type.
#[derive(Debug)]
pub(crate) enum Answer {
    Accepted {
        revision: Revision,
        hash: ChainHash,
        at: Timestamp,
        did: Did,
    },
    /// It is so already; since a revision, where the answer says so.
    Already(Option<Revision>),
    Rejected(Rejection),
    /// Nothing was decided: it may be asked again.
    Unwritten(WriteError),
}

/// What an entry did to figures.
#[derive(Debug)]
pub(crate) enum Did {
    Submitted(SubmissionEffect),
    Withdrew(Withdrawn),
    Nothing,
}

fn answer<E, A>(
    written: Result<Written<E, A>, WriteError>,
    did: impl FnOnce(E) -> Did,
    since: impl FnOnce(A) -> Option<Revision>,
) -> Answer {
    match written {
        Ok(Written::Accepted { revision, hash, at, effect }) => {
            Answer::Accepted { revision, hash, at, did: did(effect) }
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
                Self::Submit(prepared) => answer(handle.write(prepared).await, Did::Submitted, Some),
                Self::Withdraw(withdraw) => answer(handle.write(withdraw).await, Did::Withdrew, Some),
                Self::Complete(completion) => answer(handle.write(completion).await, |()| Did::Nothing, Some),
                Self::Put(put) => answer(handle.write(put).await, |_| Did::Nothing, |_| None),
                Self::Access(change) => answer(handle.write(change).await, |()| Did::Nothing, |never| match never {}),
            }
        })
    }
}

#[derive(Default)]
pub(crate) struct Sender {
    /// What it has no answer to yet.
    asked: Option<Asked>,
    /// A submission that it has an answer to.
    sent: Option<Content>,
    doing: Doing,
}

#[derive(Default)]
enum Doing {
    #[default]
    Nothing,
    /// What a handler has made of it, and is about to queue.
    Prepared(Command),
    /// In the queue, since this moment of the life.
    Waiting(Call, usize),
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
            None => {
                let newest = self.published().revision();
                let asked = Asked::any(&mut self.schedule, newest, self.senders[at].sent);
                *self.senders[at].asked.insert(asked)
            }
        };
        match std::mem::take(&mut self.senders[at].doing) {
            Doing::Nothing => {
                let (state, now) = (self.published(), self.now());
                let by = state.revision();
                self.trace(|| format!("sender {at} prepares {asked:?} by revision {by}"));
                let prepared = asked.prepare(&self.log, &state, now);
                self.check_prepared(asked, by, prepared.as_ref().err());
                match prepared {
                    Ok(command) => self.senders[at].doing = Doing::Prepared(command),
                    Err(_) => self.senders[at].asked = None,
                }
            }
            Doing::Prepared(command) => {
                self.trace(|| format!("sender {at} queues {asked:?}"));
                let queued = self.moments.len() - 1;
                self.wait(at, asked, command.call(handle.as_actor(asked.actor())), queued, waker);
            }
            Doing::Waiting(call, queued) if self.is_ending || !self.schedule.one_in(8) => {
                self.wait(at, asked, call, queued, waker);
            }
            Doing::Waiting(..) => self.trace(|| format!("sender {at} gives up waiting, and will ask again")),
        }
    }

    fn wait(&mut self, at: usize, asked: Asked, mut call: Call, queued: usize, waker: &Waker) {
        match call.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Pending => self.senders[at].doing = Doing::Waiting(call, queued),
            Poll::Ready(answer) => {
                self.trace(|| format!("sender {at} has the answer to {asked:?}: {answer:?}"));
                match self.check_answer(asked, queued, &answer) {
                    Ok(true) => {
                        self.senders[at].asked = None;
                        if let Asked::Submit { content, .. } = asked {
                            self.senders[at].sent = Some(content);
                        }
                    }
                    Ok(false) => {}
                    Err(wrong) => self.wrong(format!("{asked:?} is answered {answer:?}: {wrong}")),
                }
            }
        }
    }
}

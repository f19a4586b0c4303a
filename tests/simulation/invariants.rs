//! What must hold, at each step and of each answer.

use std::ops::RangeInclusive;

use conspectus::entry::{Body, Entry, codec};
use conspectus::intake::admit::Rejection;
use conspectus::intake::writer::WriteError;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;

use crate::fixture;
use crate::sender::{Answer, Asked};
use crate::world::World;

impl World {
    /// What holds at each step, whoever looks: nobody sees what isn't durable, and nothing that was seen is gone.
    pub(crate) fn check(&mut self) {
        let Some(life) = &self.life else { return };
        let published = life.states.borrow().revision();
        let has_failed = life.failure.borrow().is_some();
        let durable = self.log.newest();
        if published > durable {
            self.wrong(format!("revision {published} is published, and only {durable} is durable"));
        }
        if published < self.seen_published {
            self.wrong(format!("revision {published} is published after {}", self.seen_published));
        }
        if self.seen_failure && !has_failed {
            self.wrong("a failure is forgotten".to_owned());
        }
        (self.seen_published, self.seen_failure) = (published, has_failed);
        let wrong = self.answered.iter().find(|(at, revision)| self.log.accepted_by(*at) != *revision);
        if let Some((at, revision)) = wrong.copied() {
            self.check_instant(at, revision);
        }
    }

    /// An answer of a revision as of an instant has everything that was ever accepted by then.
    pub(crate) fn check_instant(&mut self, at: Timestamp, revision: Revision) {
        let accepted = self.log.accepted_by(at);
        if accepted != revision {
            self.wrong(format!("revision {revision} was answered as of {}, by when {accepted} was accepted", at.0));
        }
    }

    /// What a group is that is about to be appended: after the newest, later than it, and of nothing that is there.
    pub(crate) fn check_group(&mut self, after: Revision, entries: &[Entry]) {
        if after != self.log.newest() {
            self.wrong(format!("a group is appended after revision {after}, and {} is the newest", self.log.newest()));
        }
        let mut newest = self.log.0.last().map(|logged| logged.entry.at);
        for entry in entries {
            if newest.is_some_and(|newest| entry.at <= newest) {
                self.wrong(format!("an entry is of {}, not after the one before it", entry.at.0));
            }
            newest = Some(entry.at);
        }
        for (index, Entry { body, .. }) in entries.iter().enumerate() {
            let before = entries[..index].iter().map(|entry| &entry.body);
            match body {
                Body::Submission { submission, .. } => {
                    let Submission { agency, request_id, .. } = &**submission;
                    let is_same = |body: &Body| {
                        matches!(body, Body::Submission { submission, .. }
                            if submission.agency == *agency && submission.request_id == *request_id)
                    };
                    let known = self.log.submission(self.log.newest(), agency, request_id);
                    if known.is_some() || before.into_iter().any(is_same) {
                        self.wrong(format!("{agency} {request_id} is stored twice"));
                    }
                }
                Body::Withdrawal(withdrawal) => {
                    let is_same = |body: &Body| *body == Body::Withdrawal(withdrawal.clone());
                    let newest = self.log.newest();
                    let known = self.log.withdrawal(newest, &withdrawal.agency, &withdrawal.request_id);
                    if known.is_some() || before.into_iter().any(is_same) {
                        self.wrong(format!("{withdrawal:?} is stored twice"));
                    }
                }
                Body::CataloguePut(_) | Body::Access(_) | Body::AuditAnchor(_) | Body::ReturnCompletion(_) => {}
            }
        }
    }

    /// Whether the entries after the first so many could be accepted, each after those before it.
    pub(crate) fn check_logged(&mut self, first: usize) {
        for before in (first..self.log.0.len()).map(|index| Revision(index as u64)) {
            let is_right = match &self.log.at(before.next()).unwrap().entry.body {
                Body::Submission { submission, .. } => !self.refuses(submission, before..=before),
                Body::Withdrawal(it) => self.log.submission(before, &it.agency, &it.request_id).is_some(),
                Body::CataloguePut(_) | Body::Access(_) | Body::AuditAnchor(_) | Body::ReturnCompletion(_) => true,
            };
            if !is_right {
                self.wrong(format!("revision {} isn't allowed after those before it", before.next()));
            }
        }
    }

    /// Whether an answer is the end of what was asked; an error when it can't be right. What was asked was queued when
    /// revision `since` was the newest.
    pub(crate) fn check_answer(&mut self, asked: Asked, since: Revision, answer: &Answer) -> Result<bool, String> {
        let newest = self.log.newest();
        match answer {
            Answer::Unwritten(error) => self.check_unwritten(error).map(|()| false),
            Answer::Accepted { revision, hash, at, withdrawn } => {
                let Some(logged) = self.log.at(*revision) else { return Err("it isn't durable".to_owned()) };
                if (logged.hash, logged.entry.at) != (*hash, *at) {
                    return Err("the hash or the time are another entry's".to_owned());
                }
                if !is_of(&logged.entry.body, asked) {
                    return Err("another entry is there".to_owned());
                }
                if let (Body::Withdrawal(withdrawal), Some(found)) = (&logged.entry.body, withdrawn) {
                    let effect = self.log.effect(*revision, withdrawal);
                    if effect != *found {
                        return Err(format!("it did {effect:?}"));
                    }
                }
                if self.published().revision() < *revision {
                    return Err("it isn't in the newest state".to_owned());
                }
                self.met.accepted += 1;
                Ok(true)
            }
            Answer::Already(Some(revision)) => match self.log.at(*revision) {
                None => Err("it isn't durable".to_owned()),
                Some(logged) if !is_of(&logged.entry.body, asked) => Err("another entry is there".to_owned()),
                Some(_) => {
                    self.met.already += 1;
                    Ok(true)
                }
            },
            Answer::Already(None) => match asked {
                Asked::Change { agency, version } => {
                    let put = &fixture::change(agency, version).agencies[0];
                    let is_so = |by| self.log.agency(Revision(by), &put.id).as_ref() == Some(put);
                    (since.0..=newest.0).any(is_so).then_some(true).ok_or("it wasn't so".to_owned())
                }
                Asked::Submit { .. } | Asked::Withdraw { .. } | Asked::Create(_) | Asked::Revoke(_) => {
                    Err("it should say since when".to_owned())
                }
            },
            Answer::Rejected(rejection) => {
                self.met.rejected += 1;
                self.check_rejected(asked, since..=newest, rejection).map(|()| true)
            }
        }
    }

    /// A rejection rests on what was durable at some moment since the command was queued.
    fn check_rejected(
        &self,
        asked: Asked,
        during: RangeInclusive<Revision>,
        rejection: &Rejection,
    ) -> Result<(), String> {
        let (first, newest) = (*during.start(), *during.end());
        let is_right = match (asked, rejection) {
            (Asked::Submit { agency, request, variant }, Rejection::Invalid(_)) => {
                self.refuses(&fixture::submission(agency, request, variant), during)
            }
            (Asked::Submit { agency, request, variant }, Rejection::RequestIdReused { revision, .. }) => {
                let other = Asked::Submit { agency, request, variant: 1 - variant };
                self.log.at(*revision).is_some_and(|logged| is_of(&logged.entry.body, other))
            }
            (Asked::Withdraw { agency, request }, Rejection::NoSuchSubmission { .. }) => {
                let it = fixture::withdrawal(agency, request);
                self.log.submission(first, &it.agency, &it.request_id).is_none()
            }
            (Asked::Create(identity), Rejection::Invalid(_)) => {
                self.log.is_known(newest, &fixture::identity_id(identity))
            }
            (Asked::Revoke(identity), Rejection::Invalid(_)) => {
                let id = fixture::identity_id(identity);
                let is_revoked =
                    self.log.is_known(newest, &id) && self.log.key(newest, &id) != crate::log::Key::Accepted;
                is_revoked || !self.log.is_known(first, &id)
            }
            _ => false,
        };
        is_right.then_some(()).ok_or("nothing that is durable says so".to_owned())
    }

    /// Whether the catalogue at some revision refuses a submission.
    pub(crate) fn refuses(&self, submission: &Submission, during: RangeInclusive<Revision>) -> bool {
        let is_refused = |by: u64| {
            let agency = self.log.agency(Revision(by), &submission.agency);
            agency.is_none_or(|agency| submission.observations.iter().any(|it| !agency.areas.contains(&it.area)))
        };
        (during.start().0..=during.end().0).any(is_refused)
    }

    fn check_unwritten(&mut self, error: &WriteError) -> Result<(), String> {
        let has_happened = match error {
            WriteError::QueueFull => {
                self.met.queue_full += 1;
                true
            }
            WriteError::NoRoom(_) => self.met.no_room > 0,
            WriteError::Failed(_) => self.has_failed,
            WriteError::Stopping => self.life.is_none() || self.is_dead,
            WriteError::TooLarge { .. } | WriteError::Rejected(_) => false,
        };
        has_happened.then_some(()).ok_or("nothing of that kind has happened".to_owned())
    }
}

/// Whether an entry is what was asked for.
fn is_of(body: &Body, asked: Asked) -> bool {
    match (body, asked) {
        (Body::Submission { submission, .. }, Asked::Submit { agency, request, variant }) => {
            **submission == fixture::submission(agency, request, variant)
        }
        (Body::Withdrawal(withdrawal), Asked::Withdraw { agency, request }) => {
            *withdrawal == fixture::withdrawal(agency, request)
        }
        (Body::CataloguePut(put), Asked::Change { agency, version }) => *put == fixture::change(agency, version),
        (Body::Access(changes), Asked::Create(identity)) => {
            changes.iter().map(ToString::to_string).eq([fixture::create(identity, Timestamp(0)).to_string()])
        }
        (Body::Access(changes), Asked::Revoke(identity)) => *changes == [fixture::revoke(identity)],
        _ => false,
    }
}

/// The entries of a group, as replay reads them.
pub(crate) fn decode(payloads: &[Vec<u8>]) -> Vec<Entry> {
    payloads.iter().map(|payload| codec::decode(payload).unwrap()).collect()
}

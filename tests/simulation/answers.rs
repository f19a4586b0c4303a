//! What must hold of each answer: of a handler's, and of the writer's.

use std::collections::BTreeSet;

use conspectus::entry::{Body, Entry, Withdrawal};
use conspectus::intake::admit::{Rejection, SubmissionEffect};
use conspectus::intake::basis::Basis;
use conspectus::intake::corrections::Locks;
use conspectus::intake::writer::WriteError;
use conspectus::model::date::Date;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::violation::Violations;
use conspectus::model::zone::UTC;
use conspectus::state::{Outcome, State};

use crate::fixture::{self, AGENCIES, RETURNS};
use crate::log::{Cell, Key, Log, lines};
use crate::met::Thing;
use crate::returns::{Verdict, fields};
use crate::rules::{Found, Problem, Refusal};
use crate::sender::{Answer, Asked, Did};
use crate::world::{Moment, World};

impl World {
    /// A handler takes a submission by the entries up to a revision, or finds all that is wrong with it.
    pub(crate) fn check_prepared(&mut self, asked: Asked, by: Revision, found: Option<&Violations>) {
        let Asked::Submit { content, locks, .. } = asked else { return };
        let submission = fixture::submission(content);
        let problems = self.log.problems(by, self.log.day(by, self.now()), &submission, locks);
        if found.map(fields).unwrap_or_default() != fields_of(&problems) {
            self.wrong(format!("a handler finds {found:?} wrong with {asked:?}, and there should be {problems:?}"));
        }
        problems.iter().for_each(|problem| self.met.count(problem.met_early()));
    }

    /// Whether an answer is the end of what was asked; an error when it can't be right. What was asked was queued at a
    /// moment of this life.
    pub(crate) fn check_answer(&mut self, asked: Asked, queued: usize, answer: &Answer) -> Result<bool, String> {
        let during = self.moments[queued..].to_vec();
        match answer {
            Answer::Unwritten(error) => self.check_unwritten(error).map(|()| false),
            Answer::Accepted { revision, hash, at, did } => {
                let Some(logged) = self.log.at(*revision) else { return Err("it isn't durable".to_owned()) };
                if (logged.hash, logged.entry.at) != (*hash, *at) {
                    return Err("the hash or the time are another entry's".to_owned());
                }
                if !self.is_of(&logged.entry.body, asked) || asked.actor() != logged.entry.actor {
                    return Err("another entry is there".to_owned());
                }
                if self.published().revision() < *revision {
                    return Err("it isn't in the newest state".to_owned());
                }
                self.check_seen_stands(asked, *revision)?;
                let mut met = check_did(&self.log, *revision, did)?;
                met.extend(met_by_acceptance(&self.log, during[0].newest, *revision));
                met.into_iter().for_each(|thing| self.met.count(thing));
                self.met.count(Thing::Accepted);
                self.receipts.push((*revision, *hash));
                Ok(true)
            }
            Answer::Already(Some(revision)) => match self.log.at(*revision) {
                None => Err("it isn't durable".to_owned()),
                Some(logged) if !self.is_of(&logged.entry.body, asked) => Err("another entry is there".to_owned()),
                Some(_) => {
                    if let Asked::Complete { agency, of_return, seen, mistake } = asked {
                        let said = self.log.said(agency, of_return, seen, mistake);
                        let is_so = |it: &Moment| self.log.verdict(it.newest, &said) == Verdict::Already(*revision);
                        if !during.iter().any(is_so) {
                            return Err("it wasn't complete".to_owned());
                        }
                        self.met.count(Thing::CompleteAlready);
                    }
                    self.met.count(Thing::Already);
                    Ok(true)
                }
            },
            Answer::Already(None) => self.check_so_already(asked, &during).map(|()| true),
            Answer::Rejected(rejection) => {
                self.met.count(Thing::Rejected);
                let met = self.check_rejected(asked, &during, rejection)?;
                met.into_iter().for_each(|thing| self.met.count(thing));
                Ok(true)
            }
        }
    }

    /// A put that changes nothing: it was so at some moment.
    fn check_so_already(&self, asked: Asked, during: &[Moment]) -> Result<(), String> {
        let was_so = |is_so: &dyn Fn(Revision) -> bool| during.iter().any(|moment| is_so(moment.newest));
        let is_right = match asked {
            Asked::ChangeAgency { agency, version } => {
                let put = &fixture::change_of_agency(agency, version).agencies[0];
                was_so(&|by| self.log.agency(by, &put.id).as_ref() == Some(put))
            }
            Asked::ChangeIndicator(version) => {
                was_so(&|by| self.log.indicator(by) == Some(&fixture::INDICATORS[version]))
            }
            Asked::Submit { .. }
            | Asked::Withdraw { .. }
            | Asked::Complete { .. }
            | Asked::Create(_)
            | Asked::Revoke(_) => {
                return Err("it should say since when".to_owned());
            }
        };
        is_right.then_some(()).ok_or("it wasn't so".to_owned())
    }

    /// A rejection rests on what was so at some moment since the command was queued. Gives what it meets.
    fn check_rejected(&self, asked: Asked, during: &[Moment], rejection: &Rejection) -> Result<Vec<Thing>, String> {
        let (first, newest) = (during[0].newest, self.log.newest());
        let is_right = match (asked, rejection) {
            (Asked::Submit { content, seen, locks }, _) => {
                return self.check_refused(&fixture::submission(content), seen, locks, during, rejection);
            }
            (Asked::Complete { agency, of_return, seen, mistake }, _) => {
                let said = self.log.said(agency, of_return, seen, mistake);
                let found = Verdict::of_rejection(rejection);
                let is_so = |it: &Moment| found == Some(self.log.verdict(it.newest, &said));
                return if during.iter().any(is_so) {
                    let is_known = !matches!(rejection, Rejection::NoSuchReturn { .. });
                    Ok(vec![if is_known { Thing::ManifestDiffers } else { Thing::NoSuchReturn }])
                } else {
                    Err("the return is otherwise".to_owned())
                };
            }
            (Asked::Withdraw { agency, request, .. }, Rejection::NoSuchSubmission { .. }) => {
                let it = fixture::withdrawal(agency, request);
                self.log.submission(first, &it.agency, &it.request_id).is_none()
            }
            (Asked::Withdraw { agency, request, locks }, Rejection::Invalid(found)) => {
                let it = fixture::withdrawal(agency, request);
                let locked = |(by, on)| self.log.locked_periods(by, on, &it, locks);
                let fields = fields(found);
                let is_right = self.grounds(during).into_iter().map(locked).any(|locked| locked == fields.len());
                return if is_right && !fields.is_empty() && fields.iter().all(|field| field == "request_id") {
                    Ok(vec![Thing::WithdrawalLocked])
                } else {
                    Err("nothing that it changes was locked".to_owned())
                };
            }
            (Asked::Create(identity), Rejection::Invalid(_)) => {
                self.log.is_known(newest, &fixture::identity_id(identity))
            }
            (Asked::Revoke(identity), Rejection::Invalid(_)) => {
                let id = fixture::identity_id(identity);
                let is_revoked = self.log.is_known(newest, &id) && self.log.key(newest, &id) != Key::Accepted;
                is_revoked || !self.log.is_known(first, &id)
            }
            _ => false,
        };
        is_right.then(Vec::new).ok_or("nothing that is durable says so".to_owned())
    }

    /// A submission is refused for what spoke against it at some moment, and all of that.
    fn check_refused(
        &self,
        submission: &Submission,
        seen: Option<Revision>,
        locks: Locks,
        during: &[Moment],
        rejection: &Rejection,
    ) -> Result<Vec<Thing>, String> {
        let refusal = |(by, on)| self.log.refusal(by, on, submission, seen, locks);
        let is_said = |refusal: &Refusal| match (refusal, rejection) {
            (Refusal::Reused(at), Rejection::RequestIdReused { revision, .. })
            | (Refusal::ReturnComplete(at), Rejection::ReturnComplete { revision, .. }) => at == revision,
            (Refusal::Changed(of), Rejection::FiguresChanged { since, changed, count }) => {
                (of, seen, submission.observations.len()) == (changed, Some(*since), *count)
            }
            (Refusal::Problems(problems), Rejection::Invalid(found)) => fields_of(problems) == fields(found),
            _ => false,
        };
        let grounds = self.grounds(during);
        let first = refusal(grounds[0]);
        let Some(refused) = grounds.iter().copied().filter_map(refusal).find(is_said) else {
            let all: Vec<_> = grounds.into_iter().map(refusal).collect();
            return Err(format!("what speaks against it is one of {all:?}"));
        };
        let mut met = match &refused {
            Refusal::Reused(_) => Vec::new(),
            Refusal::ReturnComplete(_) => vec![Thing::ReturnComplete],
            Refusal::Changed(_) => vec![Thing::FiguresChanged],
            Refusal::Problems(problems) => problems.iter().map(Problem::met_late).collect(),
        };
        let is_same_state = during.iter().all(|moment| moment.newest == during[0].newest);
        if is_same_state && first.is_none() && met.contains(&Thing::LateLocked) {
            met.push(Thing::LockedOvernight);
        }
        if first.is_none() && met.contains(&Thing::FiguresChanged) {
            met.push(Thing::LateFiguresChanged);
        }
        Ok(met)
    }

    /// Whether an entry is what was asked for.
    fn is_of(&self, body: &Body, asked: Asked) -> bool {
        match (body, asked) {
            (Body::Submission { submission, .. }, Asked::Submit { content, .. }) => {
                **submission == fixture::submission(content)
            }
            (Body::Withdrawal(withdrawal), Asked::Withdraw { agency, request, .. }) => {
                *withdrawal == fixture::withdrawal(agency, request)
            }
            (Body::ReturnCompletion(it), Asked::Complete { agency, of_return, seen, mistake }) => {
                *it == self.log.said(agency, of_return, seen, mistake)
            }
            (Body::CataloguePut(put), Asked::ChangeAgency { agency, version }) => {
                *put == fixture::change_of_agency(agency, version)
            }
            (Body::CataloguePut(put), Asked::ChangeIndicator(version)) => *put == fixture::change_of_indicator(version),
            (Body::Access(changes), Asked::Create(identity)) => {
                changes.iter().map(ToString::to_string).eq([fixture::create(identity, Timestamp(0)).to_string()])
            }
            (Body::Access(changes), Asked::Revoke(identity)) => *changes == [fixture::revoke(identity)],
            _ => false,
        }
    }

    /// What the sender of an accepted submission has seen stood until then.
    fn check_seen_stands(&mut self, asked: Asked, accepted: Revision) -> Result<(), String> {
        let Asked::Submit { content, seen: Some(seen), .. } = asked else { return Ok(()) };
        let (submission, before) = (fixture::submission(content), Revision(accepted.0 - 1));
        let changed = self.log.changed(seen, before, &submission);
        if changed > 0 {
            return Err(format!("{changed} of its figures have changed since revision {seen}"));
        }
        if self.log.submissions(before).any(|(at, it)| at > seen && it.agency == submission.agency) {
            self.met.count(Thing::OthersChanged);
        }
        Ok(())
    }

    /// The returns of a state are what the log has by then: what becomes of their completion.
    pub(crate) fn check_returns(&mut self, state: &State) {
        let (by, basis) = (state.revision(), Basis::durable(state, self.now(), &UTC));
        for (agency, of_return) in (0..AGENCIES.len()).flat_map(|agency| (0..RETURNS).map(move |it| (agency, it))) {
            let said = self.log.said(agency, of_return, by, None);
            let (found, expected) = (Verdict::of(&basis, &said), self.log.verdict(by, &said));
            if found != expected {
                self.wrong(format!("at revision {by}, {said:?} is answered {found:?}, and should be {expected:?}"));
            }
        }
    }

    /// The entries and the days by which something may have been decided on. The writer's time is the clock's, or just
    /// after that of the newest entry or answer; no answer is of a time that the clock hasn't had.
    fn grounds(&self, during: &[Moment]) -> Vec<(Revision, Date)> {
        let newest_at = self.log.at(self.log.newest()).map(|logged| logged.entry.at);
        let days = |moment: &Moment| {
            let Moment { newest, now, latest } = *moment;
            let before = newest_at.map_or(latest, |at| at.max(latest));
            let (first, last) = (self.log.day(newest, now), UTC.date(Timestamp(before.0 + 1)));
            let days = std::iter::successors(Some(first), |day| Some(day.plus_days(1)));
            days.take_while(move |day| *day <= last).map(move |day| (newest, day))
        };
        let mut grounds: Vec<(Revision, Date)> = during.iter().flat_map(days).collect();
        grounds.dedup();
        grounds
    }

    fn check_unwritten(&mut self, error: &WriteError) -> Result<(), String> {
        let has_happened = match error {
            WriteError::QueueFull => {
                self.met.count(Thing::QueueFull);
                true
            }
            WriteError::NoRoom(_) => self.met.of(Thing::NoRoom) > 0,
            WriteError::Failed(_) => self.has_failed,
            WriteError::Stopping => self.life.is_none() || self.is_dead,
            WriteError::TooLarge { .. } | WriteError::Rejected(_) => false,
        };
        has_happened.then_some(()).ok_or("nothing of that kind has happened".to_owned())
    }
}

/// What an entry is said to have done must be what it does after those before it. Gives what that meets.
fn check_did(log: &Log, revision: Revision, did: &Did) -> Result<Vec<Thing>, String> {
    let before = Revision(revision.0 - 1);
    match (&log.at(revision).unwrap().entry.body, did) {
        (Body::Submission { submission, .. }, Did::Submitted(SubmissionEffect { outcomes, findings })) => {
            let (expected, found) = (log.outcomes(before, submission), log.found(before, submission));
            let kept = findings.iter().flat_map(|findings| &findings.kept);
            let kept: Vec<Found> =
                kept.map(|it| (it.line as usize, it.check.clone(), it.explanation.clone())).collect();
            if (outcomes, &kept) != (&expected, &found) {
                return Err(format!("it did {expected:?}, and checks find {found:?}"));
            }
            let met = lines(submission).zip(&expected).map(|((_, line), it)| outcome(it, line.value.is_withdrawal()));
            Ok(met.chain(found.iter().map(|_| Thing::Explained)).collect())
        }
        (Body::Withdrawal(withdrawal), Did::Withdrew(counts)) => {
            let effect = log.effect(before, withdrawal);
            if effect != *counts {
                return Err(format!("it did {effect:?}"));
            }
            Ok(met_by_withdrawal(log, revision, withdrawal))
        }
        (Body::ReturnCompletion(_), Did::Nothing) => Ok(vec![Thing::Completed]),
        (Body::CataloguePut(_) | Body::Access(_), Did::Nothing) => Ok(Vec::new()),
        _ => Err("it is something else that it is said to have done".to_owned()),
    }
}

fn outcome(outcome: &Outcome, withdraws: bool) -> Thing {
    match outcome {
        Outcome::New { withdrawn: None } => Thing::New,
        Outcome::New { withdrawn: Some(_) } => Thing::NewAgain,
        Outcome::Revised { .. } => Thing::Revised,
        Outcome::Unchanged { .. } if withdraws => Thing::WithdrawnAlready,
        Outcome::Unchanged { .. } => Thing::Unchanged,
        Outcome::Withdrawn { .. } => Thing::Withdrawn,
    }
}

fn met_by_withdrawal(log: &Log, revision: Revision, withdrawal: &Withdrawal) -> Vec<Thing> {
    let before = Revision(revision.0 - 1);
    let was = log.figures(before);
    let said: BTreeSet<Cell> = log.standing(revision).flat_map(lines).map(|(cell, _)| cell).collect();
    let changed = log.changed_by(before, withdrawal).into_iter();
    let met = changed.filter_map(|(cell, is_there)| match is_there {
        true => (!was.contains_key(&cell)).then_some(Thing::BroughtBack),
        false => said.contains(&cell).then_some(Thing::GoneAgain),
    });
    let withdrawn = log.submissions(before).map(|(_, it)| it);
    let mut withdrawn =
        withdrawn.filter(|it| (&it.agency, &it.request_id) == (&withdrawal.agency, &withdrawal.request_id));
    let was_complete = withdrawn.any(|it| log.return_of(before, it).is_some_and(|it| it.completed.is_some()));
    met.chain(was_complete.then_some(Thing::OpenedAgain)).collect()
}

/// What the acceptance of a submission meets, beside what it did, that was queued at one revision and accepted at another.
fn met_by_acceptance(log: &Log, queued: Revision, accepted: Revision) -> Vec<Thing> {
    let (before, Entry { at, body, .. }) = (Revision(accepted.0 - 1), &log.at(accepted).unwrap().entry);
    let Body::Submission { submission, .. } = body else { return Vec::new() };
    let withdraws = lines(submission).any(|(_, line)| line.value.is_withdrawal());
    let looks_at_figures = withdraws || log.indicator(before) != Some(&fixture::INDICATORS[0]);
    let mut others = log.submissions(before).filter(|(at, it)| *at > queued && it.agency == submission.agency);
    let is_overtaken = looks_at_figures && others.next().is_some();
    let kept = log.problems(before, UTC.date(*at), submission, Locks::Kept);
    let is_unlocked = kept.iter().any(|problem| matches!(problem, Problem::Locked(_)));
    let met = [(is_overtaken, Thing::Overtaken), (is_unlocked, Thing::Unlocked)];
    met.into_iter().filter_map(|(is_met, thing)| is_met.then_some(thing)).collect()
}

fn fields_of(problems: &[Problem]) -> Vec<String> {
    let mut fields: Vec<String> = problems.iter().map(ToString::to_string).collect();
    fields.sort();
    fields
}

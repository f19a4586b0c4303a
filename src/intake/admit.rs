//! Deciding: whether a command becomes an entry. Pure: the command and its [`Basis`] in, the decision out.
//!
//! The commands are a [`CataloguePut`], a [`Prepared`] submission, [`Withdraw`], a `ReturnCompletion` (in `complete`),
//! changes of access (in [`change_access`](super::change_access)), and an [`AuditAnchor`]. What each is answered with
//! follows from its type.

use std::fmt::Debug;
use std::sync::Arc;

use super::basis::Basis;
use super::checks::Findings;
use super::corrections::{self, Locks};
use super::prepare::Prepared;
use crate::catalogue::{CataloguePut, PutOutcomes};
use crate::entry::{AuditAnchor, Body, Entry, Withdrawal, codec};
use crate::journal::ENTRY_BYTES_MAX;
use crate::model::id::AgencyId;
use crate::model::manifest::PARTS_MAX;
use crate::model::observation::Breakdown;
use crate::model::observations::Line;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::violation::Violations;
use crate::state::columns::{BreakdownIx, WithdrawalEffect, Withdrawn};
use crate::state::{Outcome, ResolvedIds, State};

/// Something that a caller wants written.
pub trait Command: Send + 'static {
    /// What its entry does.
    type Effect: Debug + Send + 'static;
    /// What it is answered with when there is nothing to write, since it is so already.
    type Already: Debug + Send + 'static;

    /// Whether its entry has a group for itself, so that it is decided on by a state to which every entry before it
    /// is applied. Entries that come often share a group: what they need of those ahead is in the [`Basis`].
    const IS_ALONE: bool = true;

    /// Decides on it. For a dry run this is all there is to do.
    ///
    /// # Errors
    /// When it isn't allowed; nothing of it is then written.
    fn admit(&self, basis: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection>;

    /// What it did, once its entry is applied: what was decided that it would do, or for a submission what each of its
    /// figures did.
    fn applied(effect: Self::Effect, _outcomes: Vec<Outcome>) -> Self::Effect {
        effect
    }

    /// The bytes of its entry in the journal.
    fn encode(&self, entry: &Entry) -> Vec<u8> {
        codec::encode(entry)
    }

    /// The ids of its submission, where they are looked up already.
    fn ids(&self) -> Option<&Arc<ResolvedIds>> {
        None
    }

    /// The agency whose figures it sends, where it sends some.
    fn agency(&self) -> Option<&AgencyId> {
        None
    }

    /// Whether it is decided on by other figures of its agency: it then waits until those of a group ahead of it are
    /// applied.
    fn looks_at_figures(&self, _state: &State) -> bool {
        false
    }

    /// The memory that it takes while it waits for the writer, when that is much.
    fn queued_bytes(&self) -> usize {
        0
    }
}

/// What becomes of a command that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<E, A> {
    /// It becomes an entry that says this, with this effect.
    Accept(Body, E),
    /// It is so already, and changes nothing.
    Already(A),
}

/// The decision on a command of this type.
pub type DecisionOf<C> = Decision<<C as Command>::Effect, <C as Command>::Already>;

/// Why a command isn't allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The input is wrong.
    #[error("{0}")]
    Invalid(Violations),
    /// The request id was used for other content.
    #[error(
        "request id `{request_id}` was received at revision {revision} with other content; use a new id for new content"
    )]
    RequestIdReused {
        /// The request id.
        request_id: String,
        /// The revision of the submission that used it.
        revision: Revision,
    },
    /// A submission names a return whose sender has said that it is complete.
    #[error(
        "return `{return_id}` was completed at revision {revision}, without this submission; use a new id for a new \
         return, or withdraw one of its submissions first, which opens it again"
    )]
    ReturnComplete {
        /// The return.
        return_id: String,
        /// The revision at which it was completed.
        revision: Revision,
    },
    /// Other values stand by now than its sender has seen.
    #[error(
        "{changed} of {count} figures changed after revision {since}; check the submission again, which shows what stands now"
    )]
    FiguresChanged {
        /// The revision that its sender has seen.
        since: Revision,
        /// How many of its figures have changed.
        changed: usize,
        /// How many it has.
        count: usize,
    },
    /// There is no such return.
    #[error("`{agency}` has no return `{return_id}`")]
    NoSuchReturn {
        /// The agency.
        agency: String,
        /// The return.
        return_id: String,
    },
    /// There is no such submission.
    #[error("`{agency}` has no submission `{request_id}`")]
    NoSuchSubmission {
        /// The agency.
        agency: String,
        /// The request id.
        request_id: String,
    },
}

impl Command for CataloguePut {
    /// For each item, what the put does to it.
    type Effect = PutOutcomes;
    /// The same: that nothing changes.
    type Already = PutOutcomes;

    fn admit(&self, Basis { state, .. }: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        state.catalogue().review(self).into_result(()).map_err(Rejection::Invalid)?;
        Ok(admit_reviewed(self, state))
    }

    /// Puts are rare; at the most it is about this.
    fn queued_bytes(&self) -> usize {
        ENTRY_BYTES_MAX
    }
}

fn admit_reviewed(put: &CataloguePut, state: &State) -> DecisionOf<CataloguePut> {
    let outcomes = state.catalogue().outcomes(put);
    if outcomes.nothing_changes() {
        return Decision::Already(outcomes);
    }
    Decision::Accept(Body::CataloguePut(put.clone()), outcomes)
}

/// A put that is reviewed before the writer takes it, and when it is admitted only if the catalogue has changed since.
#[derive(Debug, Clone)]
pub(crate) struct ReviewedPut {
    put: CataloguePut,
    /// The revision that made the catalogue that it was reviewed against.
    against: Revision,
}

impl ReviewedPut {
    /// A put that a state's catalogue takes.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn new(put: CataloguePut, state: &State) -> Result<Self, Violations> {
        let against = state.catalogue_revision();
        state.catalogue().review(&put).into_result(Self { put, against })
    }
}

impl Command for ReviewedPut {
    type Effect = PutOutcomes;
    type Already = PutOutcomes;

    fn admit(&self, basis: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        if self.against == basis.state.catalogue_revision() {
            Ok(admit_reviewed(&self.put, basis.state))
        } else {
            self.put.admit(basis)
        }
    }

    fn queued_bytes(&self) -> usize {
        self.put.queued_bytes()
    }
}

/// What a submission did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmissionEffect {
    /// What each figure did, which is known once the entry is applied; of a dry run [`State::outcomes`] says it.
    pub outcomes: Vec<Outcome>,
    /// What checks found, and was taken all the same.
    pub findings: Option<Arc<Findings>>,
}

impl Command for Prepared {
    type Effect = SubmissionEffect;
    /// The revision at which it was received before.
    type Already = Revision;

    const IS_ALONE: bool = false;

    fn admit(&self, basis: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        let submission = self.submission();
        if let Some((revision, fingerprint)) = basis.request(&submission.agency, &submission.request_id) {
            return if self.is_of(fingerprint) {
                Ok(Decision::Already(revision))
            } else {
                let request_id = submission.request_id.to_string();
                Err(Rejection::RequestIdReused { request_id, revision })
            };
        }
        let mut violations = self.violations(basis.state, basis.day());
        check_open_return(basis.state, submission, &mut violations)?;
        bound_breakdowns(basis, &submission.observations.dictionaries().breakdowns, &mut violations);
        violations.into_result(()).map_err(Rejection::Invalid)?;
        self.check_unchanged(basis.state)?;
        let findings = self.findings(basis.state, basis.day(), basis.zone).map_err(Rejection::Invalid)?;
        Ok(Decision::Accept(self.body(), SubmissionEffect { outcomes: Vec::new(), findings }))
    }

    fn applied(submitted: SubmissionEffect, outcomes: Vec<Outcome>) -> SubmissionEffect {
        SubmissionEffect { outcomes, ..submitted }
    }

    fn encode(&self, entry: &Entry) -> Vec<u8> {
        codec::encode_around(entry.at, self.bytes(), &entry.actor)
    }

    fn ids(&self) -> Option<&Arc<ResolvedIds>> {
        Self::ids(self)
    }

    fn agency(&self) -> Option<&AgencyId> {
        Some(&self.submission().agency)
    }

    fn looks_at_figures(&self, state: &State) -> bool {
        self.seen().is_some() || self.looks_at_others(state)
    }

    fn queued_bytes(&self) -> usize {
        self.bytes().len() + self.submission().observations.len() * size_of::<Line>()
    }
}

impl Prepared {
    /// What its sender saw must still stand, in each place that one of its figures goes to.
    fn check_unchanged(&self, state: &State) -> Result<(), Rejection> {
        let Some(since) = self.seen() else { return Ok(()) };
        if !state.has_new_figures(&self.submission().agency, since) {
            return Ok(());
        }
        let [then, now] = [since, state.revision()].map(|as_of| self.outcomes(state, as_of));
        match then.iter().zip(&now).filter(|(then, now)| then != now).count() {
            0 => Ok(()),
            changed => Err(Rejection::FiguresChanged { since, changed, count: now.len() }),
        }
    }
}

/// A return takes submissions until it is complete, and only so many.
fn check_open_return(state: &State, submission: &Submission, violations: &mut Violations) -> Result<(), Rejection> {
    let Some(return_id) = &submission.return_id else { return Ok(()) };
    let Some(known) = state.return_of(&submission.agency, return_id) else { return Ok(()) };
    if let Some((revision, _)) = known.completed {
        return Err(Rejection::ReturnComplete { return_id: return_id.to_string(), revision });
    }
    if known.part_count() >= PARTS_MAX {
        violations
            .add("return_id", format_args!("`{return_id}` has {PARTS_MAX} submissions already, which is the most"));
    }
    Ok(())
}

/// The columns hold only so many different breakdowns.
fn bound_breakdowns(basis: &Basis<'_>, breakdowns: &[Breakdown], violations: &mut Violations) {
    let known = basis.breakdown_count();
    if known + breakdowns.len() <= BreakdownIx::MAX {
        return;
    }
    let new = breakdowns.iter().filter(|breakdown| !basis.knows_breakdown(breakdown)).count();
    if known + new > BreakdownIx::MAX {
        violations
            .add("observations", format_args!("too many different breakdowns; allowed: {} in all", BreakdownIx::MAX));
    }
}

/// The withdrawal of a submission, by somebody.
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// The withdrawal.
    pub withdrawal: Withdrawal,
    /// Whether the locks of periods hold for whoever withdraws.
    pub locks: Locks,
}

/// By somebody whom they hold for.
impl From<Withdrawal> for Withdraw {
    fn from(withdrawal: Withdrawal) -> Self {
        Self { withdrawal, locks: Locks::Kept }
    }
}

impl Command for Withdraw {
    /// How many figures go back, and how many go.
    type Effect = Withdrawn;
    /// The revision at which the submission was withdrawn before.
    type Already = Revision;

    fn admit(&self, basis: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        let (Self { withdrawal, locks }, state) = (self, basis.state);
        let submission = state.submission(&withdrawal.agency, &withdrawal.request_id);
        let submission = submission.ok_or_else(|| Rejection::NoSuchSubmission {
            agency: withdrawal.agency.to_string(),
            request_id: withdrawal.request_id.to_string(),
        })?;
        if let Some(revision) = state.withdrawn_at(submission.revision) {
            return Ok(Decision::Already(revision));
        }
        let WithdrawalEffect { counts, changed } = state.withdrawal_effect(withdrawal);
        let violations = corrections::review_withdrawal(state.catalogue(), &changed, basis.day(), *locks);
        violations.into_result(()).map_err(Rejection::Invalid)?;
        Ok(Decision::Accept(Body::Withdrawal(withdrawal.clone()), counts))
    }
}

impl Command for AuditAnchor {
    type Effect = ();
    /// That it is recorded.
    type Already = ();

    fn admit(&self, Basis { state, .. }: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        if state.audit_anchor() == Some(*self) {
            return Ok(Decision::Already(()));
        }
        Ok(Decision::Accept(Body::AuditAnchor(*self), ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::entry::Fingerprint;
    use crate::model::timestamp::Timestamp;
    use crate::model::zone::UTC;
    use crate::state::Fold;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const DAY_MICROS: i64 = 86_400_000_000;

    fn catalogue() -> CataloguePut {
        toml::from_str(include_str!("../../data/catalogue.toml")).unwrap()
    }

    fn fold_of(puts: &[CataloguePut]) -> Fold {
        let mut fold = Fold::default();
        for put in puts {
            take(&mut fold, put).unwrap();
        }
        fold
    }

    fn basis(state: &State) -> Basis<'_> {
        Basis::durable(state, NOW, &UTC)
    }

    fn take<C: Command>(fold: &mut Fold, command: &C) -> Result<DecisionOf<C>, Rejection> {
        let decision = command.admit(&basis(&fold.state()))?;
        if let Decision::Accept(body, _) = &decision {
            fold.apply(&entry(body.clone()));
        }
        Ok(decision)
    }

    fn entry(body: Body) -> Entry {
        Entry { at: NOW, actor: Actor::Local, body }
    }

    fn submission(period: &str) -> Submission {
        let observation = crate::model::observation::Observation {
            indicator: "initial-contacts".parse().unwrap(),
            area: "E10000014".parse().unwrap(),
            period: period.parse().unwrap(),
            breakdown: crate::model::observation::Breakdown::default(),
            value: crate::model::observation::Value {
                measure: Some(crate::model::observation::Measure::Number("5".parse().unwrap())),
                markers: crate::model::marker::Markers::NONE,
            },
            note: None,
            explanations: Vec::new(),
        };
        Submission {
            agency: "hampshire-childrens-services".parse().unwrap(),
            request_id: "one".parse().unwrap(),
            source: String::new(),
            sample: false,
            reason: String::new(),
            return_id: None,
            observations: std::iter::once(observation).collect(),
        }
    }

    /// The catalogue in which the agency reports for nowhere any more.
    fn elsewhere() -> CataloguePut {
        let mut put = CataloguePut { agencies: catalogue().agencies, ..CataloguePut::default() };
        put.agencies.iter_mut().for_each(|agency| agency.areas.truncate(0));
        put
    }

    #[test]
    fn what_was_reviewed_is_reviewed_again_once_the_catalogue_changes() {
        let mut fold = fold_of(&[catalogue()]);
        let prepared = Prepared::reviewed(submission("FY2021-22"), &fold.state(), UTC.date(NOW), &UTC).unwrap();
        take(&mut fold, &elsewhere()).unwrap();
        let refused = take(&mut fold, &prepared).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "observations[0].area: found `E10000014`; `hampshire-childrens-services` reports for nothing"
        );
    }

    #[test]
    fn what_was_reviewed_is_reviewed_again_on_another_day() {
        // A clock that is set back between the two: the period isn't over on the entry's day.
        let mut fold = fold_of(&[catalogue()]);
        let later = Timestamp(NOW.0 + 300 * DAY_MICROS);
        let prepared = Prepared::reviewed(submission("FY2023-24"), &fold.state(), UTC.date(later), &UTC).unwrap();
        assert!(matches!(prepared.admit(&basis(&fold.state())), Err(Rejection::Invalid(_))));
    }

    #[test]
    fn what_was_received_is_answered_so_though_it_would_be_refused_now() {
        let mut fold = fold_of(&[catalogue()]);
        let prepared = Prepared::reviewed(submission("FY2021-22"), &fold.state(), UTC.date(NOW), &UTC).unwrap();
        take(&mut fold, &prepared).unwrap();
        take(&mut fold, &elsewhere()).unwrap();
        let again = Prepared::reviewed(submission("FY2021-22"), &fold.state(), UTC.date(NOW), &UTC).unwrap();
        assert_eq!(take(&mut fold, &again), Ok(Decision::Already(Revision(2))));
        let other = Prepared::reviewed(submission("FY2020-21"), &fold.state(), UTC.date(NOW), &UTC).unwrap();
        assert!(matches!(take(&mut fold, &other), Err(Rejection::RequestIdReused { .. })));
    }

    /// The state in which an earlier version received a submission.
    fn fold_with(submission: &Submission, fingerprint: Fingerprint) -> Fold {
        let mut fold = fold_of(&[catalogue()]);
        fold.apply(&entry(Body::Submission { submission: Arc::new(submission.clone()), fingerprint }));
        fold
    }

    #[test]
    fn a_retry_of_what_an_earlier_version_received_is_recognised_by_that_versions_fingerprint() {
        let sent = submission("FY2021-22");
        let mut fold = fold_with(&sent, Fingerprint::v1_of(&sent));
        let again = Prepared::reviewed(sent, &fold.state(), UTC.date(NOW), &UTC).unwrap();
        assert_eq!(take(&mut fold, &again), Ok(Decision::Already(Revision(2))));
        let other = Prepared::reviewed(submission("FY2020-21"), &fold.state(), UTC.date(NOW), &UTC).unwrap();
        assert!(matches!(take(&mut fold, &other), Err(Rejection::RequestIdReused { .. })));
    }

    #[test]
    fn text_that_is_refused_now_is_still_replayed_and_its_retry_recognised() {
        let sent = Submission { source: "a\u{1b}[31m".to_owned(), ..submission("FY2021-22") };
        let mut fold = fold_with(&sent, Fingerprint::v1_of(&sent));
        let again = Prepared::reviewed(sent.clone(), &fold.state(), UTC.date(NOW), &UTC).unwrap();
        assert_eq!(take(&mut fold, &again), Ok(Decision::Already(Revision(2))));
        let new = Submission { request_id: "two".parse().unwrap(), ..sent };
        assert!(Prepared::reviewed(new, &fold.state(), UTC.date(NOW), &UTC).is_err());
    }

    #[test]
    fn it_is_applied_and_answered_alike_whether_its_ids_are_resolved_or_not() {
        let (mut resolved, mut found) = (fold_of(&[catalogue()]), fold_of(&[catalogue()]));
        let state = resolved.state();
        let prepared = Prepared::reviewed(submission("FY2021-22"), &state, UTC.date(NOW), &UTC).unwrap();
        let Ok(Decision::Accept(body, _)) = prepared.admit(&basis(&state)) else { panic!() };
        let entry = entry(body);
        resolved.apply_resolved(&entry, prepared.ids().map(Arc::as_ref));
        found.apply(&entry);
        let (resolved, found) = (resolved.state(), found.state());
        for revision in [Revision(1), Revision(2)] {
            let outcomes = prepared.outcomes(&resolved, revision);
            assert_eq!(outcomes, found.outcomes(prepared.submission(), revision));
            assert_eq!(outcomes, Prepared::new(submission("FY2021-22")).outcomes(&found, revision));
        }
    }
}

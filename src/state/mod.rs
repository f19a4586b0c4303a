//! The state: a fold of the journal.
//!
//! `State` is a value. The writer folds entries once they are durable, and publishes the state that they come to;
//! it shares with the ones before all that didn't change, and most of what did (see [`columns`]). A reader holds a
//! published one for as long as it likes: nothing in it ever changes.
//!
//! A [`Fold`] is the one way in which a state changes, live and at the start. So replay equals live operation.

pub mod columns;
mod digest;
mod explanations;
mod fold;
mod outcome;
mod reasons;
mod resolved_ids;
mod returns;
mod submissions;
pub mod view;

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use crate::access::Register as AccessRegister;
use crate::catalogue::Catalogue;
use crate::entry::{AuditAnchor, Withdrawal};
use crate::model::id::{AgencyId, RequestId, ReturnId};
use crate::model::observation::Explanation;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use columns::{Columns, WithdrawalEffect};
use explanations::Explanations;
use reasons::Reasons;
use returns::Returns;
use submissions::Submissions;

pub use columns::Outcome;
pub(crate) use explanations::FigureKey;
pub use fold::Fold;
pub use resolved_ids::ResolvedIds;
pub(crate) use returns::{Return, ReturnKey};
pub(crate) use submissions::SubmissionRecord;

/// When a revision was accepted.
fn accepted_at(times: &Vector<Timestamp>, revision: Revision) -> Option<Timestamp> {
    let index = usize::try_from(revision.0.checked_sub(1)?).ok()?;
    times.get(index).copied()
}

/// How many of the first times something holds for. Times never go back, so it holds for none after those.
fn count_of_first(times: &Vector<Timestamp>, holds: impl Fn(Timestamp) -> bool) -> u64 {
    let (mut low, mut high) = (0, times.len());
    while low < high {
        let middle = low.midpoint(high);
        if holds(times[middle]) { low = middle + 1 } else { high = middle }
    }
    low as u64
}

/// Everything that is known at a revision, and at every one before it.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// When each entry was accepted, by revision less one; ascending, each once.
    times: Vector<Timestamp>,
    /// The catalogue, by the revision that made it.
    catalogues: OrdMap<Revision, Arc<Catalogue>>,
    catalogue: Arc<Catalogue>,
    columns: Columns,
    submissions: Submissions,
    returns: Returns,
    explanations: Explanations,
    reasons: Reasons,
    access: AccessRegister,
    audit_anchor: Option<AuditAnchor>,
}

impl State {
    /// The newest revision; 0 before the first entry.
    pub fn revision(&self) -> Revision {
        Revision(self.times.len() as u64)
    }

    /// When the newest entry was accepted.
    pub(crate) fn newest_at(&self) -> Option<Timestamp> {
        self.times.last().copied()
    }

    /// An instant, or the newest entry's when that is later: a clock may have been set back, and the
    /// journal's never is.
    pub(crate) fn not_before_newest(&self, at: Timestamp) -> Timestamp {
        self.newest_at().map_or(at, |newest| newest.max(at))
    }

    /// When a revision was accepted.
    pub(crate) fn accepted_at(&self, revision: Revision) -> Option<Timestamp> {
        accepted_at(&self.times, revision)
    }

    /// The newest revision that was accepted by an instant; 0 when none was.
    pub fn revision_at(&self, at: Timestamp) -> Revision {
        Revision(count_of_first(&self.times, |accepted| accepted <= at))
    }

    /// The newest catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The revision that made the newest catalogue.
    pub(crate) fn catalogue_revision(&self) -> Revision {
        self.catalogues.get_max().map_or(Revision(0), |(revision, _)| *revision)
    }

    /// The catalogue as of a revision.
    pub fn catalogue_as_of(&self, revision: Revision) -> Arc<Catalogue> {
        self.catalogues.get_prev(&revision).map(|(_, catalogue)| Arc::clone(catalogue)).unwrap_or_default()
    }

    /// The figures.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The identities and their keys: the newest, whatever revision is asked about. What was allowed
    /// once isn't allowed now.
    pub fn access(&self) -> &AccessRegister {
        &self.access
    }

    /// How far the audit log had come when that was last recorded.
    pub(crate) fn audit_anchor(&self) -> Option<AuditAnchor> {
        self.audit_anchor
    }

    /// A submission by agency and request id.
    pub(crate) fn submission(&self, agency: &AgencyId, request_id: &RequestId) -> Option<SubmissionRecord<'_>> {
        let (agency, _) = self.catalogue.agency(agency)?;
        self.submissions.by_request(agency, request_id)
    }

    /// A submission by revision.
    pub(crate) fn submission_at(&self, revision: Revision) -> Option<SubmissionRecord<'_>> {
        self.submissions.by_revision(revision)
    }

    /// The submissions before a revision, newest first.
    pub(crate) fn submissions_before(&self, revision: Revision) -> impl Iterator<Item = SubmissionRecord<'_>> {
        self.submissions.before(revision)
    }

    /// The revision that withdrew a submission.
    pub(crate) fn withdrawn_at(&self, submission: Revision) -> Option<Revision> {
        self.submissions.withdrawn_at(submission)
    }

    /// Why the submission or the withdrawal of a revision corrects what was there; empty where it doesn't say.
    pub(crate) fn reason(&self, revision: Revision) -> &str {
        self.reasons.of(revision)
    }

    /// A return by agency and id.
    pub(crate) fn return_of(&self, agency: &AgencyId, return_id: &ReturnId) -> Option<&Return> {
        let (agency, _) = self.catalogue.agency(agency)?;
        self.returns.get(&(agency, return_id.clone()))
    }

    /// The returns after one, by agency and id; all without one.
    pub(crate) fn returns_after(&self, after: Option<ReturnKey>) -> impl Iterator<Item = (&ReturnKey, &Return)> {
        self.returns.after(after)
    }

    /// The return that a submission named.
    pub(crate) fn return_of_submission(&self, submission: Revision) -> Option<&ReturnId> {
        self.returns.of_submission(submission)
    }

    /// Whether figures of an agency may have changed after a revision: there was a submission of it, or a withdrawal.
    pub(crate) fn has_new_figures(&self, agency: &AgencyId, after: Revision) -> bool {
        let agency = self.catalogue.agency(agency).map(|(agency, _)| agency);
        let newer = self.submissions.before(self.revision().next()).take_while(|record| record.revision > after);
        newer.into_iter().any(|record| Some(record.agency) == agency) || self.submissions.has_withdrawal_after(after)
    }

    /// The explanations of a figure that came with the newest submission that has some: one from a revision on, before
    /// another, that stands as of a third.
    pub(crate) fn explanations(
        &self,
        figure: FigureKey,
        from: Revision,
        before: Revision,
        as_of: Revision,
    ) -> &[Explanation] {
        let stands = |submission| self.withdrawn_at(submission).is_none_or(|at| at > as_of);
        self.explanations.of(figure, from, before.min(as_of.next()), stands)
    }

    /// What each observation does to the figures as of a revision: the one before the submission's
    /// own, for its receipt, or the newest, for one that is yet to come.
    pub fn outcomes(&self, submission: &Submission, as_of: Revision) -> Vec<Outcome> {
        let ids = ResolvedIds::of(submission, &self.catalogue);
        ids.map_or_else(Vec::new, |ids| self.outcomes_resolved(&ids, submission, as_of))
    }

    /// The same as [`Self::outcomes`], the submission's ids looked up already.
    pub(crate) fn outcomes_resolved(
        &self,
        ids: &ResolvedIds,
        submission: &Submission,
        as_of: Revision,
    ) -> Vec<Outcome> {
        outcome::outcomes(ids, submission, &self.columns, as_of)
    }

    /// What a withdrawal would do.
    pub(crate) fn withdrawal_effect(&self, withdrawal: &Withdrawal) -> WithdrawalEffect {
        let submission = self.withdrawn_by(withdrawal);
        let stands = |other| other != submission && self.withdrawn_at(other).is_none();
        self.columns.withdrawal_effect(submission, self.revision().next(), &stands)
    }

    /// How many figures were submitted, those that were since revised or withdrawn among them.
    pub(crate) fn submitted_figures(&self) -> u64 {
        self.submissions.figures()
    }

    /// The submission that a withdrawal is of.
    fn withdrawn_by(&self, Withdrawal { agency, request_id, .. }: &Withdrawal) -> Revision {
        self.submission(agency, request_id).expect("admission knows the submission").revision
    }
}

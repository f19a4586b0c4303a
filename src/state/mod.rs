//! The state: a fold of the journal.
//!
//! `State` is a value. The writer holds one and applies entries to it; once they are durable it
//! publishes a clone, which shares all that didn't change. A reader holds a published one for as
//! long as it likes: nothing in it ever changes.
//!
//! A state is changed by [`State::apply`], `State::apply_resolved` (the ids looked up already) and, at
//! the start, [`Replay`]. All go through one function; `Replay` differs only in when figures are merged
//! into the columns, and a test holds them equal. So replay equals live operation.

pub mod columns;
mod outcome;
mod replay;
mod resolved_ids;
mod submissions;
pub mod view;

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use crate::access::Register as AccessRegister;
use crate::catalogue::Catalogue;
use crate::entry::{AuditAnchor, Body, Entry, Withdrawal};
use crate::model::id::{AgencyId, RequestId};
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use columns::{Columns, Pending, Row, RowKey, SlabRow, Withdrawn};
use submissions::Submissions;

pub use outcome::Outcome;
pub use replay::Replay;
pub(crate) use resolved_ids::ResolvedIds;
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

    /// Applies an admitted entry. It can't fail: admission has checked all that could be wrong.
    pub fn apply(&mut self, entry: &Entry) {
        self.change(entry, None, None);
    }

    /// The same as [`Self::apply`]; the ids of a submission may be looked up already.
    pub(crate) fn apply_resolved(&mut self, entry: &Entry, ids: Option<&ResolvedIds>) {
        self.change(entry, ids, None);
    }

    /// The one way in which a state changes. A submission's figures are put into the columns, or wait in
    /// `pending`, which must be settled before any other entry.
    fn change(&mut self, entry: &Entry, ids: Option<&ResolvedIds>, pending: Option<&mut Pending>) {
        // No two revisions are of one instant, so that an instant has one newest revision. In journals from before
        // the writer saw to that, some entries have the time of the one before.
        self.times.push_back(self.newest_at().map_or(entry.at, |newest| entry.at.max(newest.next())));
        let revision = self.revision();
        match &entry.body {
            Body::CataloguePut(put) => {
                Arc::make_mut(&mut self.catalogue).apply(put);
                if !put.areas.is_empty() {
                    self.columns.cover_again(&self.catalogue);
                }
                self.catalogues.insert(revision, Arc::clone(&self.catalogue));
            }
            Body::Submission { submission, fingerprint } => {
                let found;
                let ids = match ids {
                    Some(ids) => ids,
                    None => {
                        found = ResolvedIds::of(submission, &self.catalogue).expect("admission knows every id");
                        &found
                    }
                };
                let mut rows = self.slab_rows(revision, submission, ids);
                match pending {
                    Some(pending) => pending.add(&rows),
                    None => self.columns.put(&mut rows, &self.catalogue),
                }
                self.submissions.add(revision, ids.agency, submission, *fingerprint);
            }
            Body::Withdrawal(withdrawal) => {
                self.withdraw(revision, withdrawal);
            }
            Body::Access(changes) => self.access.apply(changes, entry.at),
            Body::AuditAnchor(anchor) => self.audit_anchor = Some(*anchor),
        }
    }

    /// Puts what waited into the columns.
    fn settle(&mut self, pending: Pending) {
        self.columns.put_pending(pending, &self.catalogue);
    }

    /// The figures of a submission, each with its slab.
    fn slab_rows(&mut self, revision: Revision, submission: &Submission, ids: &ResolvedIds) -> Vec<SlabRow> {
        let dictionaries = submission.observations.dictionaries();
        let breakdowns: Vec<_> = dictionaries.breakdowns.iter().map(|it| self.columns.intern(it)).collect();
        let rows = submission.observations.lines().iter().map(|line| {
            let key = RowKey::new(ids.areas[line.area as usize], breakdowns[line.breakdown as usize], ids.agency);
            SlabRow {
                indicator: ids.indicators[line.indicator as usize],
                period: dictionaries.periods[line.period as usize].storage_key(),
                row: Row::new(key, &line.value, submission.sample, revision),
            }
        });
        rows.collect()
    }

    fn withdraw(&mut self, revision: Revision, withdrawal: &Withdrawal) -> Withdrawn {
        let record = self.submission(&withdrawal.agency, &withdrawal.request_id);
        let submission = record.expect("admission knows the submission").revision;
        self.submissions.withdraw(submission, revision);
        let submissions = &self.submissions;
        let stands = |submission| submissions.withdrawn_at(submission).is_none();
        self.columns.withdraw(submission, revision, &stands)
    }

    /// What a withdrawal would do, or what it did when asked of the state before it.
    pub(crate) fn withdrawal_effect(&self, withdrawal: &Withdrawal) -> Withdrawn {
        self.clone().withdraw(self.revision().next(), withdrawal)
    }
}

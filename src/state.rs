//! The state: a fold of the journal.
//!
//! `State` is a value. The writer holds one and applies entries to it; once they are durable it
//! publishes a clone, which shares all that didn't change. A reader holds a published one for as
//! long as it likes: nothing in it ever changes.
//!
//! Nothing but [`State::apply`] changes a state, at start-up and after, so replay equals live.

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use crate::access::Register as AccessRegister;
use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::entry::{Body, Entry, Fingerprint, Withdrawal};
use crate::journal::Revision;
use crate::model::id::{AgencyId, RequestId};
use crate::model::observation::{Observation, Submission, Value};
use crate::model::timestamp::Timestamp;
use crate::picture::columns::{Columns, RowKey, Withdrawn};

/// Everything that is known at a revision, and at every one before it.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// When each entry was accepted, by revision less one.
    times: Vector<Timestamp>,
    /// The catalogue, by the revision that made it.
    catalogues: OrdMap<Revision, Arc<Catalogue>>,
    catalogue: Arc<Catalogue>,
    columns: Columns,
    register: Register,
    access: AccessRegister,
}

/// What is known of the submissions themselves.
#[derive(Debug, Clone, Default)]
struct Register {
    by_revision: OrdMap<Revision, Arc<SubmissionRecord>>,
    by_request: OrdMap<(AgencyIx, RequestId), Revision>,
    /// The submissions that were withdrawn, and the revision that did it.
    withdrawn: OrdMap<Revision, Revision>,
}

/// What is known of a submission, but for its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRecord {
    /// Its revision.
    pub revision: Revision,
    /// Whose it is.
    pub agency: AgencyId,
    /// The sender's own id for it.
    pub request_id: RequestId,
    /// When it was accepted.
    pub at: Timestamp,
    /// How many observations it has.
    pub observation_count: usize,
    /// Where its figures come from.
    pub source: String,
    /// Whether they are made up.
    pub sample: bool,
    /// Tells other content under the same request id apart.
    pub fingerprint: Fingerprint,
}

/// What one observation of a submission did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was no figure before.
    New,
    /// It replaced a different figure.
    Revised {
        /// The figure that it replaced.
        from: Value,
        /// The revision of that figure.
        since: Revision,
    },
    /// The same figure was already there.
    Unchanged {
        /// The revision of that figure.
        since: Revision,
    },
}

impl State {
    /// The newest revision; 0 before the first entry.
    pub fn revision(&self) -> Revision {
        Revision(self.times.len() as u64)
    }

    /// When the newest entry was accepted.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.times.last().copied()
    }

    /// When a revision was accepted.
    pub fn accepted_at(&self, revision: Revision) -> Option<Timestamp> {
        let place = usize::try_from(revision.0.checked_sub(1)?).ok()?;
        self.times.get(place).copied()
    }

    /// The newest revision that was accepted by an instant; 0 when none was.
    pub fn revision_at(&self, at: Timestamp) -> Revision {
        // Times never go back, so the later half of any span is its later half in time.
        let (mut low, mut high) = (0, self.times.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.times[middle] <= at { low = middle + 1 } else { high = middle }
        }
        Revision(low as u64)
    }

    /// The newest catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The revision that made the newest catalogue.
    pub fn catalogue_revision(&self) -> Revision {
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

    /// A submission by agency and request id.
    pub fn submission(&self, agency: AgencyIx, request_id: &RequestId) -> Option<&SubmissionRecord> {
        let revision = self.register.by_request.get(&(agency, request_id.clone()))?;
        self.submission_at(*revision)
    }

    /// A submission by revision.
    pub fn submission_at(&self, revision: Revision) -> Option<&SubmissionRecord> {
        self.register.by_revision.get(&revision).map(Arc::as_ref)
    }

    /// The submissions before a revision, newest first.
    pub fn submissions_before(&self, revision: Revision) -> impl Iterator<Item = &SubmissionRecord> {
        self.register.by_revision.range(..revision).rev().map(|(_, record)| record.as_ref())
    }

    /// The revision that withdrew a submission.
    pub fn withdrawn_at(&self, submission: Revision) -> Option<Revision> {
        self.register.withdrawn.get(&submission).copied()
    }

    /// What each observation does to the figures as of a revision: the one before the submission's
    /// own, for its receipt, or the newest, for one that is yet to come.
    pub fn outcomes(&self, submission: &Submission, as_of: Revision) -> Vec<Outcome> {
        let Some((agency, _)) = self.catalogue.agency(&submission.agency) else { return Vec::new() };
        submission
            .observations
            .iter()
            .map(|observation| self.outcome(agency, observation, submission.sample, as_of))
            .collect()
    }

    fn outcome(&self, agency: AgencyIx, observation: &Observation, sample: bool, as_of: Revision) -> Outcome {
        let found = self.place(observation).and_then(|(indicator, area)| {
            let breakdown = self.columns.breakdown(&observation.breakdown)?;
            let key = RowKey::new(area, breakdown, agency);
            self.columns.row(indicator, observation.period, key, as_of)
        });
        match found.and_then(|row| row.value().map(|value| (row, value))) {
            None => Outcome::New,
            Some((row, value)) if value == observation.value && row.is_sample() == sample => {
                Outcome::Unchanged { since: row.revision() }
            }
            Some((row, from)) => Outcome::Revised { from, since: row.revision() },
        }
    }

    fn place(&self, observation: &Observation) -> Option<(IndicatorIx, AreaIx)> {
        let (indicator, _) = self.catalogue.indicator(&observation.indicator)?;
        let (area, _) = self.catalogue.area(&observation.area)?;
        Some((indicator, area))
    }

    /// Applies an admitted entry. It can't fail: admission has seen to all that could be wrong.
    pub fn apply(&mut self, entry: &Entry) {
        self.times.push_back(entry.at);
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
                self.apply_submission(revision, entry.at, submission, *fingerprint);
            }
            Body::Withdrawal(withdrawal) => {
                self.apply_withdrawal(revision, withdrawal);
            }
            Body::Access(changes) => self.access.apply(changes, entry.at),
        }
    }

    fn apply_submission(
        &mut self,
        revision: Revision,
        at: Timestamp,
        submission: &Submission,
        fingerprint: Fingerprint,
    ) {
        let catalogue = Arc::clone(&self.catalogue);
        let (agency, _) = catalogue.agency(&submission.agency).expect("admission knows the agency");
        for observation in &submission.observations {
            let (indicator, area) = self.place(observation).expect("admission knows indicator and area");
            let key = RowKey::new(area, self.columns.intern(&observation.breakdown), agency);
            self.columns.put(indicator, observation.period, key, &observation.value, submission.sample, revision);
            self.columns.cover(indicator, area, &catalogue);
        }
        let record = SubmissionRecord {
            revision,
            agency: submission.agency.clone(),
            request_id: submission.request_id.clone(),
            at,
            observation_count: submission.observations.len(),
            source: submission.source.clone(),
            sample: submission.sample,
            fingerprint,
        };
        self.register.by_request.insert((agency, submission.request_id.clone()), revision);
        self.register.by_revision.insert(revision, Arc::new(record));
    }

    fn apply_withdrawal(&mut self, revision: Revision, withdrawal: &Withdrawal) -> Withdrawn {
        let (agency, _) = self.catalogue.agency(&withdrawal.agency).expect("admission knows the agency");
        let submission =
            self.submission(agency, &withdrawal.request_id).expect("admission knows the submission").revision;
        self.register.withdrawn.insert(submission, revision);
        let register = &self.register;
        let stands = |submission| !register.withdrawn.contains_key(&submission);
        self.columns.withdraw(submission, revision, &stands)
    }

    /// What a withdrawal would do, or what it did when asked of the state before it.
    pub fn withdrawal_effect(&self, withdrawal: &Withdrawal) -> Withdrawn {
        self.clone().apply_withdrawal(Revision(self.revision().0 + 1), withdrawal)
    }
}

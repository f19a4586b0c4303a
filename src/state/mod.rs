//! The state: a fold of the journal.
//!
//! `State` is a value. The writer holds one and applies entries to it; once they are durable it
//! publishes a clone, which shares all that didn't change. A reader holds a published one for as
//! long as it likes: nothing in it ever changes.
//!
//! Nothing but [`State::apply`] changes a state, at start-up and after, so replay equals live.

pub mod columns;
pub mod view;

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use crate::access::Register as AccessRegister;
use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::entry::{Body, Entry, Fingerprint, Withdrawal};
use crate::model::id::{AgencyId, RequestId};
use crate::model::observation::Value;
use crate::model::observations::Line;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use columns::{Columns, Pending, Row, RowKey, SlabRow, Withdrawn};

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

impl Register {
    fn take(
        &mut self,
        revision: Revision,
        at: Timestamp,
        submission: &Submission,
        agency: AgencyIx,
        fingerprint: Fingerprint,
    ) {
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
        self.by_request.insert((agency, submission.request_id.clone()), revision);
        self.by_revision.insert(revision, Arc::new(record));
    }
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

/// Where the figures of a submission go, by their places in its dictionaries. An index stays, so this
/// holds for every later state too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedIds {
    agency: AgencyIx,
    indicators: Vec<IndicatorIx>,
    areas: Vec<AreaIx>,
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

    /// An instant, or the newest entry's when that is later: a clock may have been set back, and the
    /// journal's never is.
    pub fn not_before_newest(&self, at: Timestamp) -> Timestamp {
        self.newest_at().map_or(at, |newest| newest.max(at))
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
        let places = self.places(submission);
        places.map_or_else(Vec::new, |places| self.outcomes_at(&places, submission, as_of))
    }

    /// The same as [`Self::outcomes`], the places known.
    pub fn outcomes_at(&self, places: &ResolvedIds, submission: &Submission, as_of: Revision) -> Vec<Outcome> {
        let table = &submission.observations;
        let breakdown = |breakdown| self.columns.breakdown(breakdown);
        let breakdowns: Vec<_> = table.dictionaries().breakdowns.iter().map(breakdown).collect();
        let outcome = |line: &Line| {
            let Some(breakdown) = breakdowns[line.breakdown as usize] else { return Outcome::New };
            let key = RowKey::new(places.areas[line.area as usize], breakdown, places.agency);
            let (indicator, period) =
                (places.indicators[line.indicator as usize], table.dictionaries().periods[line.period as usize]);
            let row = self.columns.row(indicator, period, key, as_of);
            match row.and_then(|row| row.value().map(|value| (row, value))) {
                None => Outcome::New,
                Some((row, value)) if value == line.value && row.is_sample() == submission.sample => {
                    Outcome::Unchanged { since: row.revision() }
                }
                Some((row, from)) => Outcome::Revised { from, since: row.revision() },
            }
        };
        table.lines().iter().map(outcome).collect()
    }

    /// Where the figures of a submission go, each of its ids looked up once. None when the catalogue
    /// lacks one.
    pub fn places(&self, submission: &Submission) -> Option<ResolvedIds> {
        let dictionaries = submission.observations.dictionaries();
        let indicator = |id| Some(self.catalogue.indicator(id)?.0);
        let area = |code| Some(self.catalogue.area(code)?.0);
        Some(ResolvedIds {
            agency: self.catalogue.agency(&submission.agency)?.0,
            indicators: dictionaries.indicators.iter().map(indicator).collect::<Option<_>>()?,
            areas: dictionaries.areas.iter().map(area).collect::<Option<_>>()?,
        })
    }

    /// Applies an admitted entry. It can't fail: admission has seen to all that could be wrong.
    pub fn apply(&mut self, entry: &Entry) {
        self.apply_at(None, entry);
    }

    /// The same as [`Self::apply`]; where a submission's figures go may be known already.
    pub fn apply_at(&mut self, places: Option<&ResolvedIds>, entry: &Entry) {
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
                let found;
                let places = match places {
                    Some(places) => places,
                    None => {
                        found = self.places(submission).expect("admission knows every id");
                        &found
                    }
                };
                self.apply_submission(revision, entry.at, submission, places, *fingerprint);
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
        places: &ResolvedIds,
        fingerprint: Fingerprint,
    ) {
        let mut figures = self.placed(revision, submission, places);
        self.columns.put(&mut figures, &self.catalogue);
        self.register.take(revision, at, submission, places.agency, fingerprint);
    }

    /// The figures of a submission, and where each goes.
    fn placed(&mut self, revision: Revision, submission: &Submission, places: &ResolvedIds) -> Vec<SlabRow> {
        let ResolvedIds { agency, indicators, areas } = places;
        let agency = *agency;
        let dictionaries = submission.observations.dictionaries();
        let breakdowns: Vec<_> = dictionaries.breakdowns.iter().map(|it| self.columns.intern(it)).collect();
        let figures = submission.observations.lines().iter().map(|line| {
            let key = RowKey::new(areas[line.area as usize], breakdowns[line.breakdown as usize], agency);
            SlabRow {
                indicator: indicators[line.indicator as usize],
                period: dictionaries.periods[line.period as usize].storage_key(),
                row: Row::new(key, &line.value, submission.sample, revision),
            }
        });
        figures.collect()
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

/// A state that entries are replayed into: as [`State::apply`] does it, but for the figures, which go
/// into the columns many submissions' at a time.
#[derive(Debug, Default)]
pub struct Replay {
    state: State,
    pending: Pending,
}

/// Some 10 MB.
const PENDING_ROWS_MAX: usize = 250_000;

impl Replay {
    /// Applies the next entry.
    pub fn apply(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Submission { submission, fingerprint } => {
                let state = &mut self.state;
                state.times.push_back(entry.at);
                let (revision, places) = (state.revision(), state.places(submission));
                let places = places.expect("admission knows every id");
                self.pending.add(&state.placed(revision, submission, &places));
                state.register.take(revision, entry.at, submission, places.agency, *fingerprint);
                if self.pending.len() >= PENDING_ROWS_MAX {
                    self.settle();
                }
            }
            Body::CataloguePut(_) | Body::Withdrawal(_) | Body::Access(_) => {
                self.settle();
                self.state.apply(entry);
            }
        }
    }

    fn settle(&mut self) {
        if !self.pending.is_empty() {
            self.state.columns.put_pending(std::mem::take(&mut self.pending), &self.state.catalogue);
        }
    }

    /// The state after all entries.
    pub fn finish(mut self) -> State {
        self.settle();
        self.state
    }
}

//! The returns: which submissions each has that stand, what their figures come to, and whether its sender has said that it
//! is complete.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use crate::catalogue::AgencyIx;
use crate::entry::ReturnCompletion;
use crate::model::id::{IndicatorId, RequestId, ReturnId};
use crate::model::manifest::{self, Manifest, Totals};
use crate::model::revision::Revision;
use crate::model::submission::Submission;

/// A return's place among all: its agency, and its id.
pub(crate) type ReturnKey = (AgencyIx, ReturnId);

/// The returns, as of a state's revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns {
    returns: OrdMap<ReturnKey, Return>,
    of_submission: OrdMap<Revision, ReturnKey>,
}

/// A return.
#[derive(Debug, Clone)]
pub(crate) struct Return {
    /// The revision of the first submission that named it.
    pub opened: Revision,
    /// The submissions that stand, by revision.
    parts: OrdMap<Revision, Arc<Part>>,
    /// The revision at which it was completed, and what its sender said that it has. A withdrawal reopens it.
    pub completed: Option<(Revision, Arc<Manifest>)>,
}

#[derive(Debug)]
struct Part {
    request_id: RequestId,
    totals: BTreeMap<IndicatorId, Totals>,
}

impl Return {
    /// What its submissions have.
    pub(crate) fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::default();
        for part in self.parts.values() {
            manifest.parts.insert(part.request_id.clone());
            for (indicator, totals) in &part.totals {
                manifest.figures += totals.figures;
                manifest.totals.entry(indicator.clone()).or_default().merge(*totals);
            }
        }
        manifest
    }

    /// How many submissions it has that stand.
    pub(crate) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// How many figures these have.
    pub(crate) fn figures(&self) -> u64 {
        self.parts.values().flat_map(|part| part.totals.values()).map(|totals| totals.figures).sum()
    }
}

impl Returns {
    /// Adds a submission to its return, if it names one.
    pub(super) fn add(&mut self, revision: Revision, agency: AgencyIx, submission: &Submission) {
        let Some(return_id) = &submission.return_id else { return };
        let key = (agency, return_id.clone());
        let request_id = submission.request_id.clone();
        let part = Arc::new(Part { request_id, totals: manifest::totals_of(submission) });
        let new = || Return { opened: revision, parts: OrdMap::new(), completed: None };
        self.returns.entry(key.clone()).or_insert_with(new).parts.insert(revision, part);
        self.of_submission.insert(revision, key);
    }

    /// Takes a submission out of its return, which is open again.
    pub(super) fn withdraw(&mut self, submission: Revision) {
        let Some(key) = self.of_submission.get(&submission) else { return };
        if let Some(of) = self.returns.get_mut(key) {
            of.parts.remove(&submission);
            of.completed = None;
        }
    }

    pub(super) fn complete(&mut self, revision: Revision, agency: AgencyIx, completion: &ReturnCompletion) {
        if let Some(of) = self.returns.get_mut(&(agency, completion.return_id.clone())) {
            of.completed = Some((revision, Arc::new(completion.manifest.clone())));
        }
    }

    pub(super) fn get(&self, key: &ReturnKey) -> Option<&Return> {
        self.returns.get(key)
    }

    pub(super) fn of_submission(&self, submission: Revision) -> Option<&ReturnId> {
        self.of_submission.get(&submission).map(|(_, return_id)| return_id)
    }

    /// Those after one, by agency and id; all without one.
    pub(super) fn after(&self, after: Option<ReturnKey>) -> impl Iterator<Item = (&ReturnKey, &Return)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.returns.range((from, Bound::Unbounded))
    }
}

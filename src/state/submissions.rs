//! The register of submissions: what is known of each but for its figures, and which are withdrawn.

use std::sync::Arc;

use imbl::OrdMap;

use crate::catalogue::AgencyIx;
use crate::entry::Fingerprint;
use crate::model::id::{AgencyId, RequestId};
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;

/// What is known of a submission, but for its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubmissionRecord {
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
    /// Separates a retry from other content under the same request id.
    pub fingerprint: Fingerprint,
}

/// The submissions, as of the newest revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Submissions {
    by_revision: OrdMap<Revision, Arc<SubmissionRecord>>,
    by_request: OrdMap<(AgencyIx, RequestId), Revision>,
    /// The submissions that were withdrawn, and the revision that did it.
    withdrawn: OrdMap<Revision, Revision>,
}

impl Submissions {
    pub(super) fn add(
        &mut self,
        revision: Revision,
        at: Timestamp,
        (agency, agency_id): (AgencyIx, &AgencyId),
        submission: &Submission,
        fingerprint: Fingerprint,
    ) {
        let record = SubmissionRecord {
            revision,
            // The catalogue's own: a submission's would be another allocation for each.
            agency: agency_id.clone(),
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

    pub(super) fn withdraw(&mut self, submission: Revision, at: Revision) {
        self.withdrawn.insert(submission, at);
    }

    pub(super) fn by_request(&self, agency: AgencyIx, request_id: &RequestId) -> Option<&SubmissionRecord> {
        let revision = self.by_request.get(&(agency, request_id.clone()))?;
        self.by_revision(*revision)
    }

    pub(super) fn by_revision(&self, revision: Revision) -> Option<&SubmissionRecord> {
        self.by_revision.get(&revision).map(Arc::as_ref)
    }

    /// Those before a revision, newest first.
    pub(super) fn before(&self, revision: Revision) -> impl Iterator<Item = &SubmissionRecord> {
        self.by_revision.range(..revision).rev().map(|(_, record)| record.as_ref())
    }

    pub(super) fn withdrawn_at(&self, submission: Revision) -> Option<Revision> {
        self.withdrawn.get(&submission).copied()
    }
}

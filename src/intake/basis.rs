//! What a command is decided on by: the durable state, the instant, and what the submissions of a group have taken that
//! aren't durable yet.

use std::collections::{BTreeSet, HashMap};

use crate::entry::Fingerprint;
use crate::model::date::Date;
use crate::model::id::{AgencyId, RequestId};
use crate::model::observation::Breakdown;
use crate::model::observations::Hashing;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::state::State;

/// What a command is decided on by.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The durable state.
    pub state: &'a State,
    /// The instant; not before the newest entry's.
    pub at: Timestamp,
    /// Whose day the instant's is.
    pub zone: &'a Zone,
    /// What goes ahead of the command, and isn't durable yet; nothing in a dry run.
    reserved: Option<&'a Reserved>,
}

impl<'a> Basis<'a> {
    /// The durable state, with nothing under way.
    pub fn durable(state: &'a State, at: Timestamp, zone: &'a Zone) -> Self {
        Self { state, at, zone, reserved: None }
    }

    /// The same, behind the submissions of a group.
    pub(super) fn behind(self, reserved: &'a Reserved) -> Self {
        Self { reserved: Some(reserved), ..self }
    }

    /// The day.
    pub(super) fn day(&self) -> Date {
        self.zone.date(self.at)
    }

    /// The revision and the fingerprint of a submission, by its request id.
    pub(super) fn request(&self, agency: &AgencyId, request_id: &RequestId) -> Option<(Revision, Fingerprint)> {
        let reserved = || self.reserved?.requests.get(&(agency.clone(), request_id.clone())).copied();
        let known = self.state.submission(agency, request_id);
        known.map(|known| (known.revision, known.fingerprint)).or_else(reserved)
    }

    /// How many breakdowns have been used.
    pub(super) fn breakdown_count(&self) -> usize {
        self.state.columns().breakdown_count() + self.reserved.map_or(0, |reserved| reserved.breakdowns.len())
    }

    /// Whether a breakdown has been used.
    pub(super) fn knows_breakdown(&self, breakdown: &Breakdown) -> bool {
        let is_reserved = |reserved: &Reserved| reserved.breakdowns.contains(breakdown);
        self.state.columns().breakdown(breakdown).is_some() || self.reserved.is_some_and(is_reserved)
    }
}

/// What the submissions of a group take, each for itself, until the group is durable or has failed.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    requests: HashMap<(AgencyId, RequestId), (Revision, Fingerprint), Hashing>,
    /// Those that no submission has used before.
    breakdowns: BTreeSet<Breakdown>,
}

impl Reserved {
    /// Whether there are figures of an agency.
    pub(super) fn has_figures_of(&self, agency: &AgencyId) -> bool {
        self.requests.keys().any(|(of, _)| of == agency)
    }

    /// Takes the request id and the breakdowns of a submission that is to have a revision.
    pub(super) fn add(&mut self, state: &State, submission: &Submission, fingerprint: Fingerprint, revision: Revision) {
        let request = (submission.agency.clone(), submission.request_id.clone());
        self.requests.insert(request, (revision, fingerprint));
        let breakdowns = &submission.observations.dictionaries().breakdowns;
        let new = breakdowns.iter().filter(|breakdown| state.columns().breakdown(breakdown).is_none());
        self.breakdowns.extend(new.cloned());
    }
}

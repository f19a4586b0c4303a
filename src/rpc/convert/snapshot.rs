//! The state that a read is answered from.

use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::model::zone::Zone;
use crate::rpc::Context;
use crate::state::State;
use crate::state::view::{AreasAsOf, View};

/// A state, the revision of it that is asked about, and the instant that the answer is of.
pub(crate) struct Snapshot {
    pub(crate) state: Arc<State>,
    pub(crate) revision: Revision,
    pub(crate) catalogue: Arc<Catalogue>,
    /// The instant: lateness is judged on its day.
    pub(crate) at: Timestamp,
    zone: Zone,
    today: Date,
}

impl Snapshot {
    /// The state's newest revision.
    pub(crate) fn newest(context: &Context, state: Arc<State>) -> Self {
        let (revision, now) = (state.revision(), state.not_before_newest((context.clock)()));
        Self::of(context, state, revision, now)
    }

    /// The state as of a revision that it has, at the instant at which that was accepted.
    pub(crate) fn at(context: &Context, state: Arc<State>, revision: Revision) -> Self {
        let at = state.accepted_at(revision).unwrap_or_else(|| (context.clock)());
        Self::of(context, state, revision, at)
    }

    /// The state as of a revision, at an instant.
    pub(crate) fn of(context: &Context, state: Arc<State>, revision: Revision, at: Timestamp) -> Self {
        let catalogue = state.catalogue_as_of(revision);
        let zone = context.zone.clone();
        Self { state, revision, catalogue, at, today: zone.date(at), zone }
    }

    /// The newest state, as of the revision or else the instant that a request asks for.
    pub(crate) fn requested(
        context: &Context,
        state: Arc<State>,
        as_of_revision: i64,
        as_of_time: Option<&prost_types::Timestamp>,
        violations: &mut Violations,
    ) -> Self {
        let revision = match as_of_time {
            None => as_of(&state, as_of_revision, violations),
            Some(_) if as_of_revision != 0 => {
                let what = "found both as_of_revision and as_of_time; allowed: one of the two";
                violations.add("as_of_time", what);
                state.revision()
            }
            Some(at) => {
                let micros = at.seconds.saturating_mul(1_000_000).saturating_add(i64::from(at.nanos) / 1_000);
                let revision = state.revision_at(Timestamp(micros));
                if revision == Revision::ZERO {
                    violations.add("as_of_time", "nothing had been accepted by then; allowed: a later instant");
                    return Self::at(context, Arc::clone(&state), state.revision());
                }
                revision
            }
        };
        Self::at(context, state, revision)
    }

    pub(crate) fn view(&self, areas: AreasAsOf) -> View<'_> {
        self.state.view(&self.catalogue, self.revision, &self.zone, self.today, areas)
    }
}

/// The revision that a query asks to be answered as of.
pub(crate) fn as_of(state: &State, as_of_revision: i64, violations: &mut Violations) -> Revision {
    let newest = state.revision();
    match u64::try_from(as_of_revision) {
        Ok(0) => newest,
        Ok(revision) if revision <= newest.0 => Revision(revision),
        Ok(_) | Err(_) => {
            let found = format!("found {as_of_revision}; allowed: 1 to {newest}, or 0 for the newest");
            violations.add("as_of_revision", found);
            newest
        }
    }
}

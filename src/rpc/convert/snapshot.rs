//! The state that a read is answered from.

use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::model::zone::Zone;
use crate::rpc::Context;
use crate::rpc::context::Now;
use crate::rpc::page::Position;
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
    /// The newest state, now.
    pub(crate) fn newest(context: &Context, Now { state, at, .. }: Now) -> Self {
        let revision = state.revision();
        Self::of(context, state, Position { revision, at })
    }

    /// The state as of a revision, at the instant at which that was accepted.
    fn at(context: &Context, Now { state, at, .. }: Now, revision: Revision) -> Self {
        let at = state.accepted_at(revision).unwrap_or(at);
        Self::of(context, state, Position { revision, at })
    }

    /// The state as of a revision that it has, at an instant.
    pub(crate) fn of(context: &Context, state: Arc<State>, Position { revision, at }: Position) -> Self {
        let catalogue = state.catalogue_as_of(revision);
        let zone = context.zone.clone();
        Self { state, revision, catalogue, at, today: zone.date(at), zone }
    }

    /// The newest state, as of the revision or else the instant that a request asks for.
    pub(crate) fn requested(
        context: &Context,
        now: Now,
        as_of_revision: i64,
        as_of_time: Option<Timestamp>,
        violations: &mut Violations,
    ) -> Self {
        let Some(at) = as_of_time else {
            return match as_of_revision {
                0 => Self::newest(context, now),
                revision => {
                    let revision = as_of(&now.state, revision, violations);
                    Self::at(context, now, revision)
                }
            };
        };
        let revision = now.state.revision_at(at);
        if as_of_revision != 0 {
            violations.add("as_of_time", "found both as_of_revision and as_of_time; allowed: one of the two");
        } else if at > now.answered {
            violations.add("as_of_time", in_future(at, now.at));
        } else if revision == Revision::ZERO {
            violations.add("as_of_time", "nothing had been accepted by then; allowed: a later instant");
        } else {
            return Self::of(context, now.state, Position { revision, at });
        }
        Self::newest(context, now)
    }

    /// What the answer is of.
    pub(crate) fn position(&self) -> Position {
        Position { revision: self.revision, at: self.at }
    }

    /// The day of the instant.
    pub(crate) fn today(&self) -> Date {
        self.today
    }

    pub(crate) fn view(&self, areas: AreasAsOf) -> View<'_> {
        self.state.view(&self.catalogue, self.revision, &self.zone, self.today, areas)
    }
}

/// That an instant is in the future.
pub(crate) fn in_future(found: Timestamp, now: Timestamp) -> String {
    format!("found {found}, which is in the future; allowed: until now, {now}")
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

//! Replay: a state from all entries of a journal, faster than one by one.

use super::State;
use super::columns::Pending;
use crate::entry::{Body, Entry};

/// A state that entries are replayed into. It does what [`State::apply`] does, except that figures are
/// collected and put into the columns many submissions at a time, so that each slab is merged less often.
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
        let needs_figures = match &entry.body {
            Body::Submission { .. } | Body::AuditAnchor(_) => false,
            Body::CataloguePut(_) | Body::Withdrawal(_) | Body::Access(_) => true,
        };
        if needs_figures || self.pending.len() >= PENDING_ROWS_MAX {
            self.settle();
        }
        self.state.change(entry, None, Some(&mut self.pending));
    }

    /// Whether anybody has credentials, or has had some.
    pub fn has_identities(&self) -> bool {
        !self.state.access().is_empty()
    }

    fn settle(&mut self) {
        if !self.pending.is_empty() {
            self.state.settle(std::mem::take(&mut self.pending));
        }
    }

    /// The state after all entries.
    pub fn finish(mut self) -> State {
        self.settle();
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::access::Actor;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Fingerprint, Withdrawal};
    use crate::model::id::{AgencyId, RequestId};
    use crate::model::marker::Markers;
    use crate::model::observation::{Measure, Observation, Value};
    use crate::model::submission::Submission;
    use crate::model::timestamp::Timestamp;

    const AREAS: [&str; 3] = ["E10000014", "E06000046", "E06000045"];
    const PERIODS: [&str; 2] = ["2022-06", "FY2021-22"];
    const BREAKDOWNS: [&str; 2] = ["", "sex=female"];
    const NUMBERS: [&str; 5] = ["0", "1", "1.0", "1.00", "2"];

    /// One step of a history: figures as area, period, breakdown and number; or another kind of entry.
    #[derive(Debug, Clone)]
    enum Step {
        Submit(Vec<(usize, usize, usize, usize)>),
        /// The newest submission but so many that isn't withdrawn yet.
        Withdraw(usize),
        Put,
        Settle,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let figure = (0..AREAS.len(), 0..PERIODS.len(), 0..BREAKDOWNS.len(), 0..NUMBERS.len());
        let step = prop_oneof![
            6 => prop::collection::vec(figure, 1..6).prop_map(Step::Submit),
            2 => (0..3_usize).prop_map(Step::Withdraw),
            1 => Just(Step::Put),
            1 => Just(Step::Settle),
        ];
        prop::collection::vec(step, 1..24)
    }

    fn agency() -> AgencyId {
        "hampshire-constabulary".parse().unwrap()
    }

    fn submission(request: usize, figures: &[(usize, usize, usize, usize)]) -> Body {
        let observation = |(area, period, breakdown, number): &(usize, usize, usize, usize)| Observation {
            indicator: "initial-contacts".parse().unwrap(),
            area: AREAS[*area].parse().unwrap(),
            period: PERIODS[*period].parse().unwrap(),
            breakdown: BREAKDOWNS[*breakdown].parse().unwrap(),
            value: Value { measure: Some(Measure::Number(NUMBERS[*number].parse().unwrap())), markers: Markers::NONE },
            note: None,
        };
        // One figure once.
        let mut figures = figures.to_vec();
        figures.sort_unstable();
        figures.dedup_by_key(|(area, period, breakdown, _)| (*area, *period, *breakdown));
        let submission = Submission {
            agency: agency(),
            request_id: request_id(request),
            source: String::new(),
            sample: false,
            observations: figures.iter().map(observation).collect(),
        };
        let fingerprint = Fingerprint::of(&submission);
        Body::Submission { submission: Arc::new(submission), fingerprint }
    }

    fn request_id(request: usize) -> RequestId {
        format!("r{request}").parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_replayed_state_is_the_same_as_one_that_entries_were_applied_to(steps in steps()) {
            let put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
            // Of one seed, so that what is in the order of hashes is in the same.
            let mut live = State::default();
            let mut replay = Replay { state: live.clone(), pending: Pending::default() };
            let mut at = Timestamp(0);
            let mut take = |live: &mut State, replay: &mut Replay, body| {
                at = Timestamp(at.0 + 1);
                let entry = Entry { at, actor: Actor::Local, body };
                live.apply(&entry);
                replay.apply(&entry);
            };
            take(&mut live, &mut replay, Body::CataloguePut(put.clone()));
            let mut standing = Vec::new();
            for (request, step) in steps.iter().enumerate() {
                match step {
                    Step::Submit(figures) => {
                        take(&mut live, &mut replay, submission(request, figures));
                        standing.push(request);
                    }
                    Step::Withdraw(back) => {
                        let Some(at) = standing.len().checked_sub(back + 1) else { continue };
                        let request_id = request_id(standing.remove(at));
                        let withdrawal = Withdrawal { agency: agency(), request_id, reason: String::new() };
                        take(&mut live, &mut replay, Body::Withdrawal(withdrawal));
                    }
                    Step::Put => {
                        let areas = put.areas.clone();
                        take(&mut live, &mut replay, Body::CataloguePut(CataloguePut { areas, ..CataloguePut::default() }));
                    }
                    // As after very many rows.
                    Step::Settle => replay.settle(),
                }
            }
            prop_assert_eq!(format!("{:?}", replay.finish()), format!("{:?}", live));
        }
    }
}

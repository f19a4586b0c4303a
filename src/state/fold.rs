//! The fold of the journal's entries to a state, live and at the start.

use std::sync::Arc;

use super::columns::{Pending, Row, RowKey};
use super::{Outcome, ResolvedIds, State};
use crate::catalogue::Catalogue;
use crate::entry::{Body, Entry, Withdrawal};
use crate::model::submission::Submission;

/// What entries come to. Figures are collected and put into the columns many submissions at a time, so that each
/// slab is merged once.
///
/// The columns are shared with the states that it has given: of a journal there is one fold. Entries are applied
/// once they are durable, so that no fault takes one back.
#[derive(Debug, Default)]
pub struct Fold {
    state: State,
    pending: Pending,
    /// How many rows were put into the columns at a start.
    rows: usize,
}

/// How many rows are collected at a start: a share of those that are in the columns already, so that a slab is merged
/// seldom however many there are. Some 10 MB at least and 80 at most.
const SETTLED_SHARE: usize = 16;
const PENDING_ROWS_MIN: usize = 250_000;
const PENDING_ROWS_MAX: usize = 2_000_000;

impl Fold {
    /// Applies the next entry. It can't fail: admission has checked all that could be wrong.
    pub fn apply(&mut self, entry: &Entry) {
        self.apply_resolved(entry, None);
    }

    /// The same as [`Self::apply`]; the ids of a submission may be looked up already.
    pub(crate) fn apply_resolved(&mut self, entry: &Entry, ids: Option<&ResolvedIds>) {
        self.take(entry, ids);
        if self.pending.len() >= (self.rows / SETTLED_SHARE).clamp(PENDING_ROWS_MIN, PENDING_ROWS_MAX) {
            self.settle();
        }
    }

    /// Applies a group of entries, with the ids of submissions. Gives the state after it, and what each figure of its
    /// submissions did, in their order.
    pub(crate) fn apply_group<'a>(
        &mut self,
        entries: impl IntoIterator<Item = (&'a Entry, Option<&'a ResolvedIds>)>,
    ) -> (State, Vec<Outcome>) {
        self.settle();
        entries.into_iter().for_each(|(entry, ids)| self.take(entry, ids));
        let outcomes = self.state.columns.put_pending(&std::mem::take(&mut self.pending), &self.state.catalogue);
        (self.state(), outcomes)
    }

    fn take(&mut self, entry: &Entry, ids: Option<&ResolvedIds>) {
        // No two revisions are of one instant, so that an instant has one newest revision. In journals from before
        // the writer saw to that, some entries have the time of the one before.
        self.state.times.push_back(self.state.newest_at().map_or(entry.at, |newest| entry.at.max(newest.next())));
        match &entry.body {
            Body::CataloguePut(put) => {
                self.settle();
                let revision = self.state.revision();
                let State { catalogue, catalogues, columns, .. } = &mut self.state;
                Arc::make_mut(catalogue).apply(put);
                if !put.areas.is_empty() {
                    columns.cover_again(catalogue);
                }
                catalogues.insert(revision, Arc::clone(catalogue));
            }
            Body::Submission { submission, fingerprint } => {
                let found;
                let ids = match ids {
                    Some(ids) => ids,
                    None => {
                        found = ResolvedIds::of(submission, &self.state.catalogue);
                        found.as_ref().expect("admission knows every id")
                    }
                };
                self.collect(submission, ids);
                let revision = self.state.revision();
                if !submission.observations.explanations().is_empty() {
                    let State { explanations, columns, .. } = &mut self.state;
                    let breakdowns = &submission.observations.dictionaries().breakdowns;
                    let known = |breakdown: u32| columns.breakdown(&breakdowns[breakdown as usize]);
                    explanations.add(revision, submission, ids, known);
                }
                self.state.reasons.add(revision, &submission.reason);
                self.state.submissions.add(revision, ids.agency, submission, *fingerprint);
                self.state.returns.add(revision, ids.agency, submission);
            }
            Body::Withdrawal(withdrawal) => {
                self.settle();
                self.withdraw(withdrawal);
            }
            Body::Access(changes) => self.state.access.apply(changes, entry.at),
            Body::AuditAnchor(anchor) => self.state.audit_anchor = Some(*anchor),
            Body::ReturnCompletion(completion) => {
                let (agency, _) = self.state.catalogue.agency(&completion.agency).expect("admission knows the agency");
                self.state.returns.complete(self.state.revision(), agency, completion);
            }
        }
    }

    /// The catalogue after the entries so far.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.state.catalogue)
    }

    /// Whether anybody has credentials, or has had some.
    pub fn has_identities(&self) -> bool {
        !self.state.access.is_empty()
    }

    /// The state after all entries so far.
    pub fn state(&mut self) -> State {
        self.settle();
        State { columns: self.state.columns.unseen(), ..self.state.clone() }
    }

    /// Puts what is collected into the columns.
    pub(crate) fn settle(&mut self) {
        if self.pending.len() > 0 {
            self.rows += self.pending.len();
            self.state.columns.put_many_pending(&std::mem::take(&mut self.pending), &self.state.catalogue);
        }
    }

    /// Collects the figures of a submission.
    fn collect(&mut self, submission: &Submission, ids: &ResolvedIds) {
        let (revision, columns) = (self.state.revision(), &mut self.state.columns);
        let dictionaries = submission.observations.dictionaries();
        let breakdowns: Vec<_> = dictionaries.breakdowns.iter().map(|it| columns.intern(it)).collect();
        let periods: Vec<_> = dictionaries.periods.iter().map(|period| period.storage_key()).collect();
        self.pending.add(submission.observations.lines().iter().map(|line| {
            let key = RowKey::new(ids.areas[line.area as usize], breakdowns[line.breakdown as usize], ids.agency);
            let slab = (ids.indicators[line.indicator as usize], periods[line.period as usize]);
            (slab, Row::new(key, &line.value, submission.sample, revision))
        }));
    }

    fn withdraw(&mut self, withdrawal: &Withdrawal) {
        let (submission, revision) = (self.state.withdrawn_by(withdrawal), self.state.revision());
        self.state.submissions.withdraw(submission, revision);
        self.state.reasons.add(revision, &withdrawal.reason);
        self.state.returns.withdraw(submission);
        let State { submissions, columns, .. } = &mut self.state;
        columns.withdraw(submission, revision, &|submission| submissions.withdrawn_at(submission).is_none());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::access::Actor;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Fingerprint, ReturnCompletion, Withdrawal};
    use crate::model::id::{AgencyId, RequestId};
    use crate::model::marker::Markers;
    use crate::model::observation::{Measure, Observation, Value};
    use crate::model::revision::Revision;
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
        Complete(usize),
        Settle,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let figure = (0..AREAS.len(), 0..PERIODS.len(), 0..BREAKDOWNS.len(), 0..NUMBERS.len());
        let step = prop_oneof![
            6 => prop::collection::vec(figure, 1..6).prop_map(Step::Submit),
            2 => (0..3_usize).prop_map(Step::Withdraw),
            1 => Just(Step::Put),
            1 => (0..2_usize).prop_map(Step::Complete),
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
            explanations: Vec::new(),
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
            reason: String::new(),
            // Every third is of one of two returns.
            return_id: request.is_multiple_of(3).then(|| format!("return-{}", request % 2).parse().unwrap()),
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
            let mut live = Fold::default();
            // Of one seed, so that what is in the order of hashes is in the same.
            let submissions = live.state.submissions.emptied();
            let mut replay = Fold { state: State { submissions, ..State::default() }, ..Fold::default() };
            let mut at = Timestamp(0);
            let mut take = |live: &mut Fold, replay: &mut Fold, body| {
                at = Timestamp(at.0 + 1);
                let entry = Entry { at, actor: Actor::Local, body };
                let (state, did) = live.apply_group([(&entry, None)]);
                if let Body::Submission { submission, .. } = &entry.body {
                    assert_eq!(did, state.outcomes(submission, Revision(state.revision().0 - 1)));
                }
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
                    Step::Complete(which) => {
                        let return_id: crate::model::id::ReturnId = format!("return-{which}").parse().unwrap();
                        let known = live.state().return_of(&agency(), &return_id).map(crate::state::Return::manifest);
                        let Some(manifest) = known else { continue };
                        let completion = ReturnCompletion { agency: agency(), return_id, manifest };
                        take(&mut live, &mut replay, Body::ReturnCompletion(completion));
                    }
                    // As after very many rows.
                    Step::Settle => replay.settle(),
                }
            }
            prop_assert_eq!(format!("{:?}", replay.state()), format!("{:?}", live.state()));
        }
    }
}

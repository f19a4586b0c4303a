//! Making a submission ready: all that can be done before its turn with the writer, on as many
//! threads as there are. What is left to the writer is what depends on the entries just before.

use std::sync::Arc;

use bytes::Bytes;

use super::review::{Draft, review};
use crate::entry::{Body, Fingerprint, codec};
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::state::{Outcome, ResolvedIds, State};

/// A submission with its fingerprint, its bytes in the journal, and what it was reviewed against. Cheap
/// to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    submission: Arc<Submission>,
    fingerprint: Fingerprint,
    bytes: Bytes,
    reviewed: Option<(Revision, Date)>,
    ids: Option<Arc<ResolvedIds>>,
}

impl Prepared {
    /// A submission that is reviewed when it is admitted.
    pub fn new(submission: Submission) -> Self {
        let fingerprint = Fingerprint::of(&submission);
        let submission = Arc::new(submission);
        let body = Body::Submission { submission: Arc::clone(&submission), fingerprint };
        let bytes = codec::encode_body(&body).into();
        Self { submission, fingerprint, bytes, reviewed: None, ids: None }
    }

    /// A submission that was reviewed against a state: as long as neither the catalogue nor the day
    /// changes, it isn't again.
    ///
    /// # Errors
    /// Every violation, unless the request was received before: that is for admission to tell.
    pub fn reviewed(submission: Submission, state: &State, now: Timestamp) -> Result<Self, Violations> {
        let today = state.not_before_newest(now).date();
        let violations = review_whole(&submission, state, today);
        if violations.is_empty() {
            let ids = ResolvedIds::of(&submission, state.catalogue()).map(Arc::new);
            let reviewed = Some((state.catalogue_revision(), today));
            return Ok(Self { reviewed, ids, ..Self::new(submission) });
        }
        let agency = state.catalogue().agency(&submission.agency);
        let known = agency.and_then(|(agency, _)| state.submission(agency, &submission.request_id));
        if known.is_some() { Ok(Self::new(submission)) } else { Err(violations) }
    }

    /// The problems that it has with a state on a day; none, without a look, when it was reviewed
    /// against the same.
    pub fn violations(&self, state: &State, today: Date) -> Violations {
        if self.reviewed == Some((state.catalogue_revision(), today)) {
            return Violations::default();
        }
        review_whole(&self.submission, state, today)
    }

    /// The submission.
    pub fn submission(&self) -> &Arc<Submission> {
        &self.submission
    }

    /// The fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Its ids as the catalogue has them, when it was reviewed.
    pub(crate) fn ids(&self) -> Option<&ResolvedIds> {
        self.ids.as_deref()
    }

    /// What its observations do to a state's figures as of a revision.
    pub fn outcomes(&self, state: &State, as_of: Revision) -> Vec<Outcome> {
        match self.ids() {
            Some(ids) => state.outcomes_resolved(ids, &self.submission, as_of),
            None => state.outcomes(&self.submission, as_of),
        }
    }

    /// The entry's body.
    pub fn body(&self) -> Body {
        Body::Submission { submission: Arc::clone(&self.submission), fingerprint: self.fingerprint }
    }

    /// The body's bytes in the journal.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn review_whole(submission: &Submission, state: &State, today: Date) -> Violations {
    let table = &submission.observations;
    let drafts = table.lines().iter().copied().map(Draft::from);
    review(state.catalogue(), Some(&submission.agency), table.dictionaries(), drafts, today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::CataloguePut;
    use crate::intake::admit::{Command, Decision, Rejection, admit};

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const DAY_MICROS: i64 = 86_400_000_000;

    fn catalogue() -> CataloguePut {
        toml::from_str(include_str!("../../data/catalogue.toml")).unwrap()
    }

    fn state_of(puts: &[CataloguePut]) -> State {
        let mut state = State::default();
        for put in puts {
            take(&mut state, &Command::PutCatalogue(put.clone())).unwrap();
        }
        state
    }

    fn take(state: &mut State, command: &Command) -> Result<Decision, Rejection> {
        let decision = admit(state, command, NOW)?;
        if let Decision::Accept(entry, _) = &decision {
            state.apply(entry);
        }
        Ok(decision)
    }

    fn submission(period: &str) -> Submission {
        let observation = crate::model::observation::Observation {
            indicator: "initial-contacts".parse().unwrap(),
            area: "E10000014".parse().unwrap(),
            period: period.parse().unwrap(),
            breakdown: crate::model::observation::Breakdown::default(),
            value: crate::model::observation::Value {
                measure: Some(crate::model::observation::Measure::Number("5".parse().unwrap())),
                markers: crate::model::marker::Markers::NONE,
            },
            note: None,
        };
        Submission {
            agency: "hampshire-childrens-services".parse().unwrap(),
            request_id: "one".parse().unwrap(),
            source: String::new(),
            sample: false,
            observations: std::iter::once(observation).collect(),
        }
    }

    /// The catalogue in which the agency reports for nowhere any more.
    fn elsewhere() -> CataloguePut {
        let mut put = CataloguePut { agencies: catalogue().agencies, ..CataloguePut::default() };
        put.agencies.iter_mut().for_each(|agency| agency.areas.truncate(0));
        put
    }

    #[test]
    fn what_was_reviewed_is_reviewed_again_once_the_catalogue_changes() {
        let mut state = state_of(&[catalogue()]);
        let prepared = Prepared::reviewed(submission("FY2021-22"), &state, NOW).unwrap();
        take(&mut state, &Command::PutCatalogue(elsewhere())).unwrap();
        let refused = take(&mut state, &Command::Submit(prepared)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "observations[0].area: found `E10000014`; `hampshire-childrens-services` reports for nothing"
        );
    }

    #[test]
    fn what_was_reviewed_is_reviewed_again_on_another_day() {
        // A clock that is set back between the two: the period hasn't begun on the entry's day.
        let state = state_of(&[catalogue()]);
        let later = Timestamp(NOW.0 + 300 * DAY_MICROS);
        let prepared = Prepared::reviewed(submission("FY2024-25"), &state, later).unwrap();
        assert!(matches!(admit(&state, &Command::Submit(prepared), NOW), Err(Rejection::Invalid(_))));
    }

    #[test]
    fn what_was_received_is_told_so_though_it_would_be_refused_now() {
        let mut state = state_of(&[catalogue()]);
        let prepared = Prepared::reviewed(submission("FY2021-22"), &state, NOW).unwrap();
        take(&mut state, &Command::Submit(prepared)).unwrap();
        take(&mut state, &Command::PutCatalogue(elsewhere())).unwrap();
        let again = Prepared::reviewed(submission("FY2021-22"), &state, NOW).unwrap();
        assert_eq!(take(&mut state, &Command::Submit(again)), Ok(Decision::Already(Revision(2))));
        let other = Prepared::reviewed(submission("FY2020-21"), &state, NOW).unwrap();
        assert!(matches!(take(&mut state, &Command::Submit(other)), Err(Rejection::RequestIdReused { .. })));
    }

    #[test]
    fn it_is_applied_and_told_alike_whether_its_places_are_known_or_not() {
        let mut known = state_of(&[catalogue()]);
        let mut found = known.clone();
        let prepared = Prepared::reviewed(submission("FY2021-22"), &known, NOW).unwrap();
        let Ok(Decision::Accept(entry, _)) = admit(&known, &Command::Submit(prepared.clone()), NOW) else { panic!() };
        known.apply_resolved(&entry, prepared.ids());
        found.apply(&entry);
        for revision in [Revision(1), Revision(2)] {
            let told = prepared.outcomes(&known, revision);
            assert_eq!(told, found.outcomes(prepared.submission(), revision));
            assert_eq!(told, Prepared::new(submission("FY2021-22")).outcomes(&found, revision));
        }
    }
}

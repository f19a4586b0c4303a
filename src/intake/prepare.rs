//! Making a submission ready: all that can be done before the writer takes it, on as many
//! threads as there are. The writer does only the work that depends on the entries before.

use std::sync::Arc;

use bytes::Bytes;

use super::checks::{Findings, Grounds, Reach, judge, reach};
use super::corrections::{self, Locks};
use super::review::{Reviewed, review, review_explanations, review_texts};
use crate::catalogue::Catalogue;
use crate::entry::{Body, Fingerprint, codec};
use crate::model::date::Date;
use crate::model::observations::Order;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::violation::Violations;
use crate::model::zone::Zone;
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
    locks: Locks,
    judged: Option<Judged>,
    seen: Option<Revision>,
}

/// What the checks of a catalogue found of a submission.
#[derive(Debug, Clone)]
struct Judged {
    /// The newest revision whose figures it was held against.
    against: Revision,
    reach: Reach,
    /// None where there are none.
    findings: Option<Arc<Findings>>,
}

impl Prepared {
    /// A submission that is reviewed when it is admitted.
    pub fn new(submission: Submission) -> Self {
        let order = Order::of(&submission.observations);
        Self::in_order(submission, &order)
    }

    fn in_order(submission: Submission, order: &Order) -> Self {
        let fingerprint = Fingerprint::in_order(&submission, order);
        let submission = Arc::new(submission);
        let body = Body::Submission { submission: Arc::clone(&submission), fingerprint };
        let bytes = codec::encode_body(&body).into();
        Self { submission, fingerprint, bytes, reviewed: None, ids: None, locks: Locks::Kept, judged: None, seen: None }
    }

    /// A submission that is reviewed against a state today, and when it is admitted only if the catalogue or
    /// the day has changed since, or figures that its checks look at.
    ///
    /// # Errors
    /// Every violation, unless its request id was received before: admission then answers.
    pub fn reviewed(submission: Submission, state: &State, today: Date, zone: &Zone) -> Result<Self, Violations> {
        Self::reviewed_for(submission, state, today, zone, Locks::Kept)
    }

    /// The same, from somebody whom the locks of periods may not hold for.
    ///
    /// # Errors
    /// As [`Self::reviewed`].
    pub fn reviewed_for(
        submission: Submission,
        state: &State,
        today: Date,
        zone: &Zone,
        locks: Locks,
    ) -> Result<Self, Violations> {
        let order = Order::of(&submission.observations);
        let Reviewed { violations, ids } = review_whole(&submission, &order, state, today);
        let grounds = Grounds { state, catalogue: state.catalogue(), as_of: state.revision(), zone, today };
        // Only what is right by itself is held against other figures.
        let judged = match (violations.is_empty(), &ids) {
            (true, Some(ids)) => Judged::of(&submission, ids, grounds, locks).map(Some),
            (true, None) => Ok(None),
            (false, _) => Err(violations),
        };
        match judged {
            Ok(judged) => {
                let reviewed = Some((state.catalogue_revision(), today));
                let ids = ids.map(Arc::new);
                Ok(Self { reviewed, ids, locks, judged, ..Self::in_order(submission, &order) })
            }
            Err(violations) => {
                let is_known = state.submission(&submission.agency, &submission.request_id).is_some();
                if is_known { Ok(Self { locks, ..Self::in_order(submission, &order) }) } else { Err(violations) }
            }
        }
    }

    /// The same, sent by somebody for whom the locks of periods mean this. What was found out about it is forgotten.
    #[must_use]
    pub fn under(self, locks: Locks) -> Self {
        Self { locks, reviewed: None, judged: None, ..self }
    }

    /// The same, to be admitted only where what stood at a revision, which its sender has seen, still stands.
    #[must_use]
    pub fn unless_changed_since(self, seen: Revision) -> Self {
        Self { seen: Some(seen), ..self }
    }

    /// The revision that its sender has seen, if it is to be admitted only where that still stands.
    pub(crate) fn seen(&self) -> Option<Revision> {
        self.seen
    }

    /// What the locks of periods mean for its sender.
    pub fn locks(&self) -> Locks {
        self.locks
    }

    /// The problems that it has with a state on a day. There are none, and it isn't reviewed again, when it
    /// was reviewed against the same.
    pub(crate) fn violations(&self, state: &State, today: Date) -> Violations {
        if self.reviewed == Some((state.catalogue_revision(), today)) {
            return Violations::default();
        }
        review_whole(&self.submission, &Order::of(&self.submission.observations), state, today).violations
    }

    /// What the checks of a state's catalogue find of it on a day, and take all the same. It was found out before,
    /// unless figures of its agency or the catalogue have changed since.
    ///
    /// # Errors
    /// A violation for each finding that refuses it, and for each correction that isn't allowed.
    pub(crate) fn findings(
        &self,
        state: &State,
        today: Date,
        zone: &Zone,
    ) -> Result<Option<Arc<Findings>>, Violations> {
        let is_reviewed = self.reviewed == Some((state.catalogue_revision(), today));
        if let Some(judged) = self.judged.as_ref().filter(|_| is_reviewed) {
            let holds = judged.reach < Reach::Others || !state.has_new_figures(&self.submission.agency, judged.against);
            if holds {
                return Ok(judged.findings.clone());
            }
        }
        let ids = self.ids.clone().or_else(|| ResolvedIds::of(&self.submission, state.catalogue()).map(Arc::new));
        let Some(ids) = ids else { return Ok(None) };
        let grounds = Grounds { state, catalogue: state.catalogue(), as_of: state.revision(), zone, today };
        Ok(Judged::of(&self.submission, &ids, grounds, self.locks)?.findings)
    }

    /// Whether it is decided on by other figures than its own.
    pub(crate) fn looks_at_others(&self, state: &State) -> bool {
        let known = self
            .judged
            .as_ref()
            .filter(|_| self.reviewed.is_some_and(|(revision, _)| revision == state.catalogue_revision()));
        let reach = known.map(|judged| judged.reach).or_else(|| {
            ResolvedIds::of(&self.submission, state.catalogue())
                .map(|ids| reach_of(state.catalogue(), &self.submission, &ids))
        });
        reach == Some(Reach::Others)
    }

    /// The submission.
    pub fn submission(&self) -> &Arc<Submission> {
        &self.submission
    }

    /// Whether a fingerprint, of this version or an earlier one, is of this content.
    pub(crate) fn is_of(&self, fingerprint: Fingerprint) -> bool {
        self.fingerprint == fingerprint || Fingerprint::v1_of(&self.submission) == fingerprint
    }

    /// Its ids as the catalogue has them, when it was reviewed.
    pub(crate) fn ids(&self) -> Option<&Arc<ResolvedIds>> {
        self.ids.as_ref()
    }

    /// What its observations do to a state's figures as of a revision.
    pub(crate) fn outcomes(&self, state: &State, as_of: Revision) -> Vec<Outcome> {
        match self.ids() {
            Some(ids) => state.outcomes_resolved(ids, &self.submission, as_of),
            None => state.outcomes(&self.submission, as_of),
        }
    }

    /// The entry's body.
    pub(crate) fn body(&self) -> Body {
        Body::Submission { submission: Arc::clone(&self.submission), fingerprint: self.fingerprint }
    }

    /// The body's bytes in the journal.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Judged {
    fn of(submission: &Submission, ids: &ResolvedIds, grounds: Grounds<'_>, locks: Locks) -> Result<Self, Violations> {
        let reach = reach_of(grounds.catalogue, submission, ids);
        let corrections = corrections::review(grounds, submission, ids, locks);
        let findings = match reach {
            Reach::Nothing => None,
            Reach::Itself | Reach::Others => match judge(grounds, submission, ids) {
                Ok(findings) => Some(findings).filter(Findings::are_some),
                Err(mut violations) => {
                    violations.extend(corrections);
                    violations.sort();
                    return Err(violations);
                }
            },
        };
        corrections.into_result(Self { against: grounds.as_of, reach, findings: findings.map(Arc::new) })
    }
}

/// How far what decides on a submission looks: its checks, and whether it may correct what it corrects.
fn reach_of(catalogue: &Catalogue, submission: &Submission, ids: &ResolvedIds) -> Reach {
    if corrections::depend_on_figures(catalogue, submission, ids) { Reach::Others } else { reach(catalogue, ids) }
}

fn review_whole(submission: &Submission, order: &Order, state: &State, today: Date) -> Reviewed {
    let (catalogue, table) = (state.catalogue(), &submission.observations);
    let (dictionaries, is_each_once) = (table.dictionaries(), !order.has_twice(table));
    let Reviewed { mut violations, ids } =
        review(catalogue, Some(&submission.agency), dictionaries, table.lines(), today, is_each_once);
    violations.extend(review_explanations(catalogue, dictionaries, table.lines(), table.explanations()));
    violations.extend(review_texts(&submission.source, &submission.reason, table.notes()));
    violations.sort();
    Reviewed { violations, ids }
}

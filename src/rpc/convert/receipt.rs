//! Receipts: what a submission did, or would do.

use std::sync::Arc;

use crate::intake::admit::SubmissionEffect;
use crate::intake::checks::{self, Finding, Grounds};
use crate::journal::ChainHash;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::rpc::{convert, count, number, proto};
use crate::state::{Outcome, ResolvedIds, State};

/// How a submission came, and so how its outcomes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As messages.
    Messages,
    /// As columns.
    Columns,
}

/// Where and when a submission was accepted.
#[derive(Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) revision: Revision,
    /// The chain's hash with it.
    pub(crate) hash: ChainHash,
    pub(crate) at: Timestamp,
}

impl Accepted {
    /// The revision whose figures the outcomes of a receipt are about.
    pub(crate) fn before(self) -> Revision {
        Revision(self.revision.0 - 1)
    }
}

/// The receipt of a submission as the journal has it.
pub(crate) fn of_stored(state: &State, submission: &Submission, accepted: Accepted, zone: &Zone) -> proto::Receipt {
    receipt(submission, Form::Messages, Some(accepted), &did(state, submission, accepted, zone))
}

/// What a submission that was accepted did, worked out again by what was known just before.
pub(crate) fn did(state: &State, submission: &Submission, accepted: Accepted, zone: &Zone) -> SubmissionEffect {
    let (before, catalogue) = (accepted.before(), state.catalogue_as_of(accepted.before()));
    let grounds = Grounds { state, catalogue: &catalogue, as_of: before, zone, today: zone.date(accepted.at) };
    let ids = ResolvedIds::of(submission, &catalogue);
    // What was accepted isn't refused by what this version would find.
    let findings = ids.and_then(|ids| checks::judge(grounds, submission, &ids).ok());
    SubmissionEffect { outcomes: state.outcomes(submission, before), findings: findings.map(Arc::new) }
}

/// The receipt of a submission; of one that is only checked without where and when.
pub(crate) fn receipt(
    submission: &Submission,
    form: Form,
    accepted: Option<Accepted>,
    SubmissionEffect { outcomes, findings }: &SubmissionEffect,
) -> proto::Receipt {
    let (messages, columns): (&[Outcome], &[Outcome]) = match form {
        Form::Messages => (outcomes, &[]),
        Form::Columns => (&[], outcomes),
    };
    let of_kind = |kind: fn(&Outcome) -> bool| count(outcomes.iter().filter(|outcome| kind(outcome)).count());
    proto::Receipt {
        agency: submission.agency.to_string(),
        request_id: submission.request_id.to_string(),
        revision: accepted.map(|accepted| number(accepted.revision)).unwrap_or_default(),
        accepted_at: accepted.map(|accepted| convert::timestamp(accepted.at)),
        chain_hash: accepted.map(|accepted| accepted.hash.0.to_vec()).unwrap_or_default(),
        new_count: of_kind(|outcome| matches!(outcome, Outcome::New { .. })),
        revised_count: of_kind(|outcome| matches!(outcome, Outcome::Revised { .. })),
        unchanged_count: of_kind(|outcome| matches!(outcome, Outcome::Unchanged { .. })),
        withdrawn_count: of_kind(|outcome| matches!(outcome, Outcome::Withdrawn { .. })),
        outcomes: messages.iter().map(outcome_message).collect(),
        outcome_column: column(columns.iter().map(|outcome| code(outcome).into())),
        previous_revision_column: column(columns.iter().map(since)),
        findings: findings.iter().flat_map(|it| &it.kept).map(finding_message).collect(),
        more_findings_count: findings.as_ref().map_or(0, |it| count(it.omitted)),
    }
}

fn finding_message(finding: &Finding) -> proto::Finding {
    proto::Finding {
        observation: i32::try_from(finding.line).unwrap_or(i32::MAX),
        indicator: finding.indicator.to_string(),
        check: finding.check.to_string(),
        severity: finding.severity.code(),
        found: finding.found.clone(),
        expected: finding.expected.clone(),
        explanation: finding.explanation.as_ref().map(|it| it.text.to_string()).unwrap_or_default(),
    }
}

/// An item for each, or one that holds for all.
fn column<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    if items.iter().all(|item| *item == items[0]) {
        items.truncate(1);
    }
    items
}

fn code(outcome: &Outcome) -> proto::Outcome {
    match outcome {
        Outcome::New { .. } => proto::Outcome::New,
        Outcome::Revised { .. } => proto::Outcome::Revised,
        Outcome::Unchanged { .. } => proto::Outcome::Unchanged,
        Outcome::Withdrawn { .. } => proto::Outcome::Withdrawn,
    }
}

fn since(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::New { withdrawn } => withdrawn.map_or(0, number),
        Outcome::Revised { since, .. } | Outcome::Unchanged { since } | Outcome::Withdrawn { since, .. } => {
            number(*since)
        }
    }
}

fn outcome_message(outcome: &Outcome) -> proto::ObservationOutcome {
    let revised_from = match outcome {
        Outcome::Revised { from, .. } | Outcome::Withdrawn { from, .. } => from.to_string(),
        Outcome::New { .. } | Outcome::Unchanged { .. } => String::new(),
    };
    proto::ObservationOutcome { outcome: code(outcome).into(), revised_from, previous_revision: since(outcome) }
}

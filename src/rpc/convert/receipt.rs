//! Receipts: what a submission did, or would do.

use crate::journal::ChainHash;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::rpc::{convert, count, number, proto};
use crate::state::{Outcome, State};

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
pub(crate) fn of_stored(state: &State, submission: &Submission, accepted: Accepted) -> proto::Receipt {
    receipt(submission, Form::Messages, Some(accepted), &state.outcomes(submission, accepted.before()))
}

/// The receipt of a submission; of one that is only checked without where and when.
pub(crate) fn receipt(
    submission: &Submission,
    form: Form,
    accepted: Option<Accepted>,
    outcomes: &[Outcome],
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
        outcomes: messages.iter().map(outcome_message).collect(),
        outcome_column: column(columns.iter().map(|outcome| code(outcome).into())),
        previous_revision_column: column(columns.iter().map(since)),
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
    }
}

fn since(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::New { withdrawn } => withdrawn.map_or(0, number),
        Outcome::Revised { since, .. } | Outcome::Unchanged { since } => number(*since),
    }
}

fn outcome_message(outcome: &Outcome) -> proto::ObservationOutcome {
    let revised_from = match outcome {
        Outcome::Revised { from, .. } => from.to_string(),
        Outcome::New { .. } | Outcome::Unchanged { .. } => String::new(),
    };
    proto::ObservationOutcome { outcome: code(outcome).into(), revised_from, previous_revision: since(outcome) }
}

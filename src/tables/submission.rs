//! A submission as a table: a row for each of its figures as it was received, with what it did.

use super::changes::{MEASURE_HEADINGS, measure};
use super::key::{self, Submitted};
use super::{Cell, Labels, ListTable, breakdown, explanations};
use crate::rpc::proto::{GetSubmissionResponse, Observation, ObservationOutcome, Outcome};

/// Before what each figure is, and after its numbers.
const BEFORE: [&str; 3] = ["revision", "accepted_at", "request_id"];
const AFTER: [&str; 7] = ["markers", "sample", "outcome", "replaced", "previous_revision", "note", "explanation"];

/// The table of an answer, of which each page is an item: what each figure did stands apart from the figures there.
pub(crate) fn submission(labels: Labels) -> ListTable<GetSubmissionResponse> {
    let keys = BEFORE.into_iter().chain(key::SUBMITTED).chain(["breakdown"]);
    let headings = keys.chain(MEASURE_HEADINGS).chain(AFTER);
    ListTable::new("A submission", headings, move |page: &GetSubmissionResponse| {
        let outcomes = page.receipt.iter().flat_map(|receipt| &receipt.outcomes);
        page.observations.iter().zip(outcomes).map(|(figure, did)| row(page, figure, did, &labels)).collect()
    })
}

fn row(page: &GetSubmissionResponse, figure: &Observation, did: &ObservationOutcome, labels: &Labels) -> Vec<Cell> {
    let submission = page.submission.clone().unwrap_or_default();
    let mut cells = vec![
        Cell::count(submission.revision),
        Cell::instant(submission.accepted_at.as_ref()),
        Cell::text(&submission.request_id),
    ];
    cells.extend(Submitted::of(&submission.agency, figure).cells(labels));
    cells.push(Cell::Text(breakdown(&figure.breakdown)));
    cells.extend(measure(figure.measure.as_ref()).map(Cell::Number));
    let explanation = [figure.explanation.clone(), explanations(&figure.check_explanations)];
    let explanation: Vec<String> = explanation.into_iter().filter(|text| !text.is_empty()).collect();
    cells.extend([
        Cell::markers(&figure.markers),
        Cell::flag(submission.sample),
        Cell::text(outcome(did.outcome())),
        Cell::text(&did.revised_from),
        Cell::unless_0(did.previous_revision),
        Cell::text(&figure.note),
        Cell::Text(explanation.join("; ")),
    ]);
    cells
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "",
        Outcome::New => "new",
        Outcome::Revised => "revised",
        Outcome::Unchanged => "unchanged",
        Outcome::Withdrawn => "withdrew",
    }
}

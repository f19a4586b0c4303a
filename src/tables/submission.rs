//! A submission as a table: a row for each of its figures as it was received, with what it did.

use super::changes::{MEASURE_HEADINGS, measure};
use super::picture::period;
use super::{Cell, Labels, ListTable, breakdown, explanations, named};
use crate::model::period::Period;
use crate::rpc::proto::{GetSubmissionResponse, Observation, ObservationOutcome, Outcome};

/// Before the numbers, and after them.
const BEFORE: [&str; 14] = [
    "revision",
    "accepted_at",
    "agency",
    "agency_name",
    "request_id",
    "indicator",
    "indicator_title",
    "unit",
    "area",
    "area_name",
    "period",
    "period_start",
    "period_end",
    "breakdown",
];
const AFTER: [&str; 7] = ["markers", "sample", "outcome", "replaced", "previous_revision", "note", "explanation"];

/// The table of an answer, of which each page is an item: what each figure did stands apart from the figures there.
pub(crate) fn submission(labels: Labels) -> ListTable<GetSubmissionResponse> {
    let headings = BEFORE.into_iter().chain(MEASURE_HEADINGS).chain(AFTER);
    ListTable::new("A submission", headings, move |page: &GetSubmissionResponse| {
        let outcomes = page.receipt.iter().flat_map(|receipt| &receipt.outcomes);
        page.observations.iter().zip(outcomes).map(|(figure, did)| row(page, figure, did, &labels)).collect()
    })
}

fn row(page: &GetSubmissionResponse, figure: &Observation, did: &ObservationOutcome, labels: &Labels) -> Vec<Cell> {
    let submission = page.submission.clone().unwrap_or_default();
    let label = labels.indicator(&figure.indicator, figure.period.parse().ok().map(Period::end));
    let mut cells = vec![Cell::count(submission.revision), Cell::instant(submission.accepted_at.as_ref())];
    cells.extend(named(&submission.agency, |id| labels.agency(id)));
    cells.extend([Cell::text(&submission.request_id), Cell::text(&figure.indicator)]);
    cells.extend([Cell::Text(label.title), Cell::Text(label.unit)]);
    cells.extend(named(&figure.area, |code| labels.area(code)));
    cells.extend(period(&figure.period));
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

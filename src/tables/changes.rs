//! Changed figures as a table: a row for each change, with the figure as it was submitted.

use super::key::{self, Submitted};
use super::{Cell, Labels, ListTable, breakdown, event};
use crate::rpc::proto::FigureChange;
use crate::rpc::proto::observation::Measure;

/// Before what each figure is, and after its numbers.
const BEFORE: [&str; 3] = ["revision", "accepted_at", "event"];
/// The columns of a file that hold a submitted figure's numbers.
pub(super) const MEASURE_HEADINGS: [&str; 5] = ["value", "base", "numerator", "denominator", "count"];
const AFTER: [&str; 4] = ["markers", "sample", "request_id", "reason"];

/// The table of an answer.
pub(crate) fn changes(labels: Labels) -> ListTable<FigureChange> {
    let keys = BEFORE.into_iter().chain(key::SUBMITTED).chain(["breakdown"]);
    let headings = keys.chain(MEASURE_HEADINGS).chain(AFTER);
    ListTable::new("Changes of submitted figures", headings, move |change: &FigureChange| {
        let figure = change.observation.clone().unwrap_or_default();
        let mut cells = vec![
            Cell::count(change.revision),
            Cell::instant(change.accepted_at.as_ref()),
            Cell::text(event(change.event())),
        ];
        cells.extend(Submitted::of(&change.agency, &figure).cells(&labels));
        cells.push(Cell::Text(breakdown(&figure.breakdown)));
        cells.extend(measure(figure.measure.as_ref()).map(Cell::Number));
        cells.extend([
            Cell::markers(&figure.markers),
            Cell::flag(change.sample),
            Cell::text(&change.request_id),
            Cell::text(&change.reason),
        ]);
        vec![cells]
    })
}

/// The numbers of a submitted figure, as its file has them: value, base, numerator, denominator and count.
pub(crate) fn measure(measure: Option<&Measure>) -> [Option<String>; MEASURE_HEADINGS.len()] {
    match measure.cloned() {
        None => [None, None, None, None, None],
        Some(Measure::Number(number)) => [Some(number), None, None, None, None],
        Some(Measure::Percentage(it)) => [Some(it.percent), Some(it.base), None, None, None],
        Some(Measure::Ratio(it)) => [None, None, Some(it.numerator), Some(it.denominator), None],
        Some(Measure::Mean(it)) => [Some(it.mean), None, None, None, Some(it.count)],
    }
}

//! The history of a submitted figure as a table: a row for each value that it has had, the oldest first.

use super::key::{self, Submitted};
use super::{Cell, Labels, ListTable, breakdown, event, explanations};
use crate::rpc::proto::{GetHistoryRequest, HistoryItem};

/// Behind the figure.
const HEADINGS: [&str; 11] = [
    "breakdown",
    "revision",
    "accepted_at",
    "event",
    "value",
    "markers",
    "sample",
    "request_id",
    "source",
    "explanation",
    "reason",
];

/// The table of the answer to a question.
pub(crate) fn history(asked: &GetHistoryRequest, labels: &Labels) -> ListTable<HistoryItem> {
    let GetHistoryRequest { agency, indicator, area, period, .. } = asked;
    let figure = Submitted { agency, indicator, area, period };
    let title = format!("{}: every value that was submitted", figure.label(labels).title);
    let mut keys = figure.cells(labels);
    keys.push(Cell::Text(breakdown(&asked.breakdown)));
    let headings = key::SUBMITTED.into_iter().chain(HEADINGS);
    ListTable::new(title, headings, move |item: &HistoryItem| vec![[keys.clone(), cells(item)].concat()])
}

fn cells(item: &HistoryItem) -> Vec<Cell> {
    vec![
        Cell::count(item.revision),
        Cell::instant(item.accepted_at.as_ref()),
        Cell::text(event(item.event())),
        Cell::submitted(&item.value),
        Cell::markers(&item.markers),
        Cell::flag(item.sample),
        Cell::text(&item.request_id),
        Cell::text(&item.source),
        Cell::Text(explanations(&item.explanations)),
        Cell::text(&item.reason),
    ]
}

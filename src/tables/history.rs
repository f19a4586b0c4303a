//! The history of a submitted figure as a table: a row for each value that it has had, the oldest first.

use super::picture::period;
use super::{Cell, Labels, ListTable, breakdown, event, explanations, named};
use crate::model::period::Period;
use crate::rpc::proto::{GetHistoryRequest, HistoryItem};

const HEADINGS: [&str; 21] = [
    "indicator",
    "indicator_title",
    "unit",
    "agency",
    "agency_name",
    "area",
    "area_name",
    "period",
    "period_start",
    "period_end",
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
    let of = asked.period.parse::<Period>();
    let label = labels.indicator(&asked.indicator, of.as_ref().ok().copied().map(Period::end));
    let title = format!("{}: every value that was submitted", label.title);
    let mut keys = vec![Cell::text(&asked.indicator), Cell::Text(label.title), Cell::Text(label.unit)];
    keys.extend(named(&asked.agency, |id| labels.agency(id)));
    keys.extend(named(&asked.area, |code| labels.area(code)));
    keys.extend(period(&of.map_or_else(|_| asked.period.clone(), |period| period.to_string())));
    keys.push(Cell::Text(breakdown(&asked.breakdown)));
    ListTable::new(title, HEADINGS, move |item: &HistoryItem| vec![[keys.clone(), cells(item)].concat()])
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

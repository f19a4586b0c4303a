//! What is expected as a table: a row for each figure, whether it was reported and when.

use super::picture::period;
use super::{AsOf, Cell, Labels, ListTable, named};
use crate::model::period::Period;
use crate::rpc::proto::Slot;
use crate::wording::figure::slot_status;

const HEADINGS: [&str; 19] = [
    "agency",
    "agency_name",
    "indicator",
    "indicator_title",
    "unit",
    "area",
    "area_name",
    "period",
    "period_start",
    "period_end",
    "due",
    "status",
    "received_at",
    "days_late",
    "contained_in_area",
    "contained_in_period",
    "locked_from",
    "revision",
    "as_of",
];

/// The table of an answer.
pub(crate) fn completeness(labels: Labels, as_of: AsOf) -> ListTable<Slot> {
    ListTable::new("Figures that are expected", HEADINGS, move |slot: &Slot| {
        let label = labels.indicator(&slot.indicator, slot.period.parse().ok().map(Period::end));
        let mut cells = Vec::from(named(&slot.agency, |id| labels.agency(id)));
        cells.extend([Cell::text(&slot.indicator), Cell::Text(label.title), Cell::Text(label.unit)]);
        cells.extend(named(&slot.area, |code| labels.area(code)));
        cells.extend(period(&slot.period));
        cells.extend([
            Cell::text(&slot.due),
            Cell::text(slot_status(slot.status())),
            Cell::instant(slot.received_at.as_ref()),
            Cell::count(slot.days_late),
            Cell::text(&slot.contained_in_area),
            Cell::text(&slot.contained_in_period),
            Cell::text(&slot.locked_from),
        ]);
        cells.extend(as_of.cells());
        vec![cells]
    })
}

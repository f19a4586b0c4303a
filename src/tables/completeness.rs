//! What is expected as a table: a row for each figure, whether it was reported and when.

use super::key::{self, Submitted};
use super::{AsOf, Cell, Labels, ListTable};
use crate::rpc::proto::Slot;
use crate::wording::figure::slot_status;

/// Behind the figure that is expected.
const HEADINGS: [&str; 7] =
    ["due", "status", "received_at", "days_late", "contained_in_area", "contained_in_period", "locked_from"];

/// The table of an answer.
pub(crate) fn completeness(labels: Labels, as_of: AsOf) -> ListTable<Slot> {
    let headings = key::SUBMITTED.into_iter().chain(HEADINGS).chain(AsOf::HEADINGS);
    ListTable::new("Figures that are expected", headings, move |slot: &Slot| {
        let Slot { agency, indicator, area, period, .. } = slot;
        let mut cells = Submitted { agency, indicator, area, period }.cells(&labels);
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

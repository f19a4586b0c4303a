//! The history of a figure: each value submitted, restored or withdrawn.

use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::observation::Value;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::FigureKey;
use crate::state::columns::{BreakdownIx, Row, RowKey, Slab};
use crate::state::view::View;

/// Asks for the history of a submitted figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HistoryQuery {
    /// The indicator.
    pub(crate) indicator: IndicatorIx,
    /// The area.
    pub(crate) area: AreaIx,
    /// The agency.
    pub(crate) agency: AgencyIx,
    /// The period.
    pub(crate) period: Period,
    /// The breakdown; none for one that nothing was ever submitted under.
    pub(crate) breakdown: Option<BreakdownIx>,
}

impl HistoryQuery {
    /// The figure; none for one under a breakdown that nothing was ever submitted under.
    pub(crate) fn figure(&self) -> Option<FigureKey> {
        let row = RowKey::new(self.area, self.breakdown?, self.agency);
        Some(FigureKey { indicator: self.indicator, period: self.period.storage_key(), row })
    }
}

/// How a figure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistoryEvent {
    /// This was submitted.
    Submitted(Value),
    /// What replaced it was withdrawn, and this is back.
    Restored(Value),
    /// It was withdrawn by a submission; or with its own submission, and nothing was there before.
    Withdrawn,
}

/// What a figure was from one revision on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HistoryItem {
    /// The revision.
    pub(crate) revision: Revision,
    /// How it came to be so.
    pub(crate) event: HistoryEvent,
    /// Whether it is made up.
    pub(crate) sample: bool,
    /// The revision of the submission that it is of: an earlier one when it was restored.
    pub(crate) source: Revision,
    /// The first revision at which it was otherwise, or that isn't known yet.
    pub(crate) until: Revision,
}

/// Everything that a figure has been by the revision that the view is as of, the oldest first. A withdrawal that
/// leaves what another submission said too has changed nothing.
pub(crate) fn history(view: View<'_>, query: &HistoryQuery) -> Vec<HistoryItem> {
    let slab = view.columns.slab(query.indicator, query.period);
    let Some((slab, breakdown)) = slab.zip(query.breakdown) else { return Vec::new() };
    let rows = slab.history(RowKey::new(query.area, breakdown, query.agency));
    let rows = rows.take_while(|row| row.revision() <= view.as_of && view.spend(1).is_ok());
    // A withdrawal may leave a figure as it was, when another submission said the same.
    let rows: Vec<Row> = rows.filter(|row| slab.is_change(row)).collect();
    let ends = rows.iter().skip(1).map(Row::revision).chain([view.as_of.next()]);
    rows.iter().zip(ends).map(|(row, until)| item(slab, row, until)).collect()
}

/// What a figure became with a row of a slab, and was until a revision.
pub(super) fn item(slab: &Slab, row: &Row, until: Revision) -> HistoryItem {
    let (revision, source) = (row.revision(), slab.source(row));
    let event = match row.value() {
        None => HistoryEvent::Withdrawn,
        Some(value) if source != revision => HistoryEvent::Restored(value),
        Some(value) => HistoryEvent::Submitted(value),
    };
    HistoryItem { revision, event, sample: row.is_sample(), source, until }
}

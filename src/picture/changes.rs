//! What changed after a revision: every submitted figure that became another, in the order of the journal.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::history::{HistoryItem, item};
use super::submitted::ROWS_A_STEP;
use crate::catalogue::{AgencyIx, ApartSpans, AreaIx, IndicatorIx};
use crate::model::observation::Value;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::columns::{Row, RowKey, Slab};
use crate::state::view::View;

/// Asks for the changes after a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangesQuery {
    /// After this revision.
    pub(crate) after: Revision,
    /// Of these areas, and of those that lie within them by the view's hierarchy of today.
    pub(crate) areas: Vec<AreaIx>,
    /// Of these indicators.
    pub(crate) indicators: Vec<IndicatorIx>,
    /// Of these agencies; of all when none.
    pub(crate) agencies: Option<HashSet<AgencyIx>>,
}

/// Which change it is, in the order in which they are listed: a figure changes once with a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChangeKey {
    pub(crate) revision: Revision,
    pub(crate) indicator: IndicatorIx,
    pub(crate) period: Period,
    pub(crate) figure: RowKey,
}

impl fmt::Display for ChangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, indicator, period, figure } = self;
        write!(f, "{revision} {} {period} {}", indicator.0, figure.bits())
    }
}

impl ChangeKey {
    /// The key of a text that was written for one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let key = Self {
            revision: Revision(parts.next()?.parse().ok()?),
            indicator: IndicatorIx(parts.next()?.parse().ok()?),
            period: parts.next()?.parse().ok()?,
            figure: RowKey::of_bits(parts.next()?.parse().ok()?),
        };
        parts.next().is_none().then_some(key)
    }
}

/// A figure that changed, and what it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FigureChange {
    pub(crate) key: ChangeKey,
    pub(crate) item: HistoryItem,
    /// What it was until then, and whether that is made up; none if nothing was there, or it was withdrawn.
    pub(crate) before: Option<(Value, bool)>,
}

/// The first changes by the revision that the view is as of: as many as are wanted, after one of them where it is given.
///
/// It takes one pass over the slabs that have changed since, and holds no more than what it gives.
pub(crate) fn changes(
    view: View<'_>,
    query: &ChangesQuery,
    after: Option<ChangeKey>,
    wanted: usize,
) -> Vec<FigureChange> {
    let hierarchy = view.catalogue.hierarchy(view.today);
    let areas = ApartSpans::of(query.areas.iter().map(|area| hierarchy.span(*area)).zip(0..).collect());
    let is_asked_for = |row: &Row| {
        let agency = row.key.agency();
        query.agencies.as_ref().is_none_or(|agencies| agencies.contains(&agency))
            && areas.holding(hierarchy.position(row.key.area())).is_some()
    };
    // Of the revision of the last change there may be more.
    let since = after.map_or(Revision::ZERO, |after| Revision(after.revision.0.saturating_sub(1))).max(query.after);
    let mut first: BTreeMap<ChangeKey, (&Slab, Row)> = BTreeMap::new();
    for indicator in &query.indicators {
        for (period, slab) in view.columns.slabs(*indicator).into_iter().flatten() {
            let work = if slab.has_changed_since(since) { slab.len() / ROWS_A_STEP } else { 0 };
            if view.spend(1 + work).is_err() {
                return Vec::new();
            }
            for row in slab.changes(since, view.as_of).filter(&is_asked_for) {
                let key =
                    ChangeKey { revision: row.revision(), indicator: *indicator, period: *period, figure: row.key };
                let is_late = || first.len() == wanted && first.last_key_value().is_some_and(|(last, _)| *last < key);
                if after.is_some_and(|after| key <= after) || is_late() {
                    continue;
                }
                first.insert(key, (slab, row));
                if first.len() > wanted {
                    first.pop_last();
                }
            }
        }
    }
    first
        .into_iter()
        .map(|(key, (slab, row))| FigureChange {
            key,
            item: item(slab, &row, view.as_of.next()),
            before: before(slab, key),
        })
        .collect()
}

fn before(slab: &Slab, change: ChangeKey) -> Option<(Value, bool)> {
    let row = slab.row(change.figure, Revision(change.revision.0.checked_sub(1)?))?;
    row.value().map(|value| (value, row.is_sample()))
}

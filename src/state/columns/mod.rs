//! Where the figures are: for each indicator and period a slab of columns, sorted so that a query
//! touches only the figures it needs.
//!
//! A slab holds the newest row of every figure, by breakdown, area and agency; what a row
//! replaced is kept beside it, by revision, so that the newest costs nothing extra and any
//! revision is exact. Everything is shared between clones: a clone is a snapshot.
//!
//! Changed by [`crate::state::State`] alone: see `State::change`.

mod pending;
mod row;
mod slab;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};

use crate::catalogue::{AreaIx, Catalogue, IndicatorIx};
use crate::model::observation::Breakdown;
use crate::model::period::Period;
use crate::model::revision::Revision;
pub(crate) use pending::Pending;
pub(super) use row::{Revision32, narrow, widen};
pub use row::{Row, RowKey};
pub use slab::Slab;

/// A breakdown's index in the order of first use; the total is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakdownIx(u32);

impl BreakdownIx {
    /// The total.
    pub const TOTAL: Self = Self(0);
    /// The most breakdowns that the columns can tell apart.
    pub const MAX: usize = (1 << 24) - 1;
}

/// How many figures a withdrawal changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withdrawn {
    /// Figures that went back to an earlier value.
    pub restored: usize,
    /// Figures that are now missing.
    pub removed: usize,
}

/// The slabs of one indicator, by period ([`Period::storage_key`]).
pub type Slabs = OrdMap<Period, Arc<Slab>>;

/// The figures of one indicator.
#[derive(Debug, Clone, Default)]
struct Indicator {
    slabs: Slabs,
    /// The areas that have or had a figure, and all areas that they are or were within: an area that
    /// isn't here has nothing at or below it.
    covered: OrdSet<AreaIx>,
}

impl Indicator {
    /// Takes note of the areas of rows, which come by key.
    fn cover(&mut self, rows: &[Row], catalogue: &Catalogue) {
        for rows in rows.chunk_by(|one, other| one.key.area() == other.key.area()) {
            let area = rows[0].key.area();
            if !self.covered.contains(&area) {
                cover(&mut self.covered, catalogue, area);
            }
        }
    }
}

/// All figures, at every revision.
#[derive(Debug, Clone)]
pub struct Columns {
    /// By the indicator's index. Indicators without a figure may be missing at the end.
    indicators: Vector<Indicator>,
    breakdowns: Vector<Arc<Breakdown>>,
    breakdown_index: OrdMap<Arc<Breakdown>, BreakdownIx>,
}

impl Default for Columns {
    fn default() -> Self {
        let total = Arc::new(Breakdown::default());
        Self {
            indicators: Vector::new(),
            breakdowns: Vector::unit(Arc::clone(&total)),
            breakdown_index: OrdMap::unit(total, BreakdownIx::TOTAL),
        }
    }
}

impl Columns {
    /// The slabs of an indicator, by period.
    pub(crate) fn slabs(&self, indicator: IndicatorIx) -> Option<&Slabs> {
        self.indicators.get(indicator.0 as usize).map(|indicator| &indicator.slabs)
    }

    /// The areas at or below which an indicator has or had a figure.
    pub(crate) fn covered(&self, indicator: IndicatorIx) -> OrdSet<AreaIx> {
        self.indicators.get(indicator.0 as usize).map(|indicator| indicator.covered.clone()).unwrap_or_default()
    }

    /// Takes note of areas that have come to lie within others.
    pub(crate) fn cover_again(&mut self, catalogue: &Catalogue) {
        for indicator in &mut self.indicators {
            for area in indicator.covered.clone() {
                cover(&mut indicator.covered, catalogue, area);
            }
        }
    }

    /// The slab of an indicator and a period, under whichever name the period goes.
    pub fn slab(&self, indicator: IndicatorIx, period: Period) -> Option<&Slab> {
        self.slabs(indicator)?.get(&period.storage_key()).map(Arc::as_ref)
    }

    /// The index of a breakdown that has been used.
    pub fn breakdown(&self, breakdown: &Breakdown) -> Option<BreakdownIx> {
        if breakdown.is_total() {
            return Some(BreakdownIx::TOTAL);
        }
        self.breakdown_index.get(breakdown).copied()
    }

    /// The breakdown of an index.
    pub fn breakdown_at(&self, ix: BreakdownIx) -> &Breakdown {
        &self.breakdowns[ix.0 as usize]
    }

    /// How many breakdowns have been used, the total included.
    pub(crate) fn breakdown_count(&self) -> usize {
        self.breakdowns.len()
    }

    /// The index of a breakdown, given to it now when it has none.
    pub(crate) fn intern(&mut self, breakdown: &Breakdown) -> BreakdownIx {
        if let Some(known) = self.breakdown(breakdown) {
            return known;
        }
        let ix = BreakdownIx(u32::try_from(self.breakdowns.len()).expect("admission bounds the breakdowns"));
        let shared = Arc::new(breakdown.clone());
        self.breakdowns.push_back(Arc::clone(&shared));
        self.breakdown_index.insert(shared, ix);
        ix
    }

    /// Sets figures, in any order; one that is already so keeps its revision. None is older than what
    /// is there.
    pub(crate) fn put(&mut self, figures: &mut [SlabRow], catalogue: &Catalogue) {
        figures.sort_unstable_by_key(|figure| (figure.indicator, figure.period, figure.row.key, figure.row.revision()));
        let mut rows = Vec::new();
        for of_indicator in figures.chunk_by(|one, other| one.indicator == other.indicator) {
            let indicator = self.indicator_mut(of_indicator[0].indicator);
            for of_period in of_indicator.chunk_by(|one, other| one.period == other.period) {
                rows.clear();
                rows.extend(of_period.iter().map(|figure| figure.row));
                Arc::make_mut(indicator.slabs.entry(of_period[0].period).or_default()).put(&rows);
                indicator.cover(&rows, catalogue);
            }
        }
    }

    fn indicator_mut(&mut self, ix: IndicatorIx) -> &mut Indicator {
        while self.indicators.len() <= ix.0 as usize {
            self.indicators.push_back(Indicator::default());
        }
        &mut self.indicators[ix.0 as usize]
    }

    /// Takes back what a submission set. `stands` says whether a submission stands.
    pub(crate) fn withdraw(
        &mut self,
        submission: Revision,
        at: Revision,
        stands: &dyn Fn(Revision) -> bool,
    ) -> Withdrawn {
        let mut counts = Withdrawn::default();
        for Indicator { slabs, .. } in &mut self.indicators {
            let touched: Vec<Period> = slabs
                .iter()
                .filter(|(_, slab)| slab.of_submission(submission).next().is_some())
                .map(|(period, _)| *period)
                .collect();
            for period in touched {
                if let Some(slab) = slabs.get_mut(&period) {
                    let changed = Arc::make_mut(slab).withdraw(submission, at, stands);
                    counts.restored += changed.restored;
                    counts.removed += changed.removed;
                }
            }
        }
        counts
    }
}

/// A row, and the slab that it goes into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlabRow {
    /// The indicator.
    pub indicator: IndicatorIx,
    /// The period, as its [storage key](Period::storage_key).
    pub period: Period,
    /// The row.
    pub row: Row,
}

/// Adds an area, and all that it is or was within.
fn cover(covered: &mut OrdSet<AreaIx>, catalogue: &Catalogue, area: AreaIx) {
    let mut open = vec![area];
    while let Some(at) = open.pop() {
        covered.insert(at);
        let parents = catalogue.area_at(at).all_parents().filter_map(|code| catalogue.area(code)).map(|(ix, _)| ix);
        open.extend(parents.filter(|parent| !covered.contains(parent)));
    }
}

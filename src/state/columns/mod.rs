//! Where the figures are: for each indicator and period a slab of columns, sorted so that a query
//! touches only the figures it needs.
//!
//! A slab holds the newest row of every figure, by breakdown, area and agency; what a row
//! replaced is kept beside it, by revision, so that the newest costs nothing extra and any
//! revision is exact.
//!
//! There is one set of them, which entries change in place once they are durable. A state looks at an
//! indicator's slabs as they are when it first asks, and keeps them; whatever came after the state's own revision is
//! left out when it reads, as it is for every earlier revision. So a state never changes, and what nobody looks at
//! is never copied.
//!
//! Changed by [`crate::state::Fold`] alone.

mod cells;
mod outcome;
mod pending;
mod row;
mod slab;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use imbl::{OrdMap, OrdSet, Vector};

use crate::catalogue::{AreaIx, Catalogue, IndicatorIx};
use crate::model::observation::Breakdown;
use crate::model::period::{Frequencies, Period};
use crate::model::revision::Revision;
pub use outcome::Outcome;
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

/// What a withdrawal would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct WithdrawalEffect {
    /// How many figures it would change.
    pub(crate) counts: Withdrawn,
    /// The indicators and periods ([`Period::storage_key`]) of those figures, in that order.
    pub(crate) changed: Vec<(IndicatorIx, Period)>,
}

impl Withdrawn {
    fn are_some(self) -> bool {
        self != Self::default()
    }

    fn add(&mut self, other: Self) {
        self.restored += other.restored;
        self.removed += other.removed;
    }
}

/// The slabs of one indicator, by period ([`Period::storage_key`]).
pub type Slabs = OrdMap<Period, Arc<Slab>>;

/// The figures of one indicator.
#[derive(Debug, Clone, Default)]
struct Indicator {
    slabs: Slabs,
    /// Those of the slabs' periods.
    frequencies: Frequencies,
    /// The areas that have or had a figure, and all areas that they are or were within: an area that
    /// isn't here has nothing at or below it.
    covered: OrdSet<AreaIx>,
}

impl Indicator {
    /// Sets figures of a period, which come by key and then by revision; one that is already so keeps its revision.
    /// None is older than what is there. In place, where no state looks at the slab.
    fn put(&mut self, period: Period, rows: &[NewRow], catalogue: &Catalogue, did: &mut impl FnMut(u32, Outcome)) {
        self.frequencies.insert(period.frequency());
        let slab = match self.slabs.get_mut(&period) {
            Some(slab) => slab,
            None => self.slabs.entry(period).or_default(),
        };
        Arc::make_mut(slab).put(rows, did);
        self.cover(rows, catalogue);
    }

    /// Takes note of the areas of rows, which come by key.
    fn cover(&mut self, rows: &[NewRow], catalogue: &Catalogue) {
        for rows in rows.chunk_by(|one, other| one.row.key.area() == other.row.key.area()) {
            let area = rows[0].row.key.area();
            if !self.covered.contains(&area) {
                cover(&mut self.covered, catalogue, area);
            }
        }
    }
}

/// All figures, at every revision, as a state has them.
#[derive(Debug, Clone)]
pub struct Columns {
    shared: Arc<Shared>,
    /// What was looked at, by the indicator's index. Indicators that have no figure by the state's revision may be
    /// missing at the end.
    looked_at: Arc<LookedAt>,
    breakdowns: Vector<Arc<Breakdown>>,
    breakdown_index: OrdMap<Arc<Breakdown>, BreakdownIx>,
}

/// What a state has looked at. Of most nobody looks at anything: only then is there a place for each indicator.
#[derive(Debug, Default)]
struct LookedAt {
    /// How many indicators there are.
    count: usize,
    indicators: OnceLock<Box<[OnceLock<Box<Indicator>>]>>,
}

impl LookedAt {
    fn indicator(&self, ix: IndicatorIx) -> Option<&OnceLock<Box<Indicator>>> {
        let unseen = || (0..self.count).map(|_| OnceLock::new()).collect();
        self.indicators.get_or_init(unseen).get(ix.0 as usize)
    }
}

impl Default for Columns {
    fn default() -> Self {
        let total = Arc::new(Breakdown::default());
        Self {
            shared: Arc::default(),
            looked_at: Arc::default(),
            breakdowns: Vector::unit(Arc::clone(&total)),
            breakdown_index: OrdMap::unit(total, BreakdownIx::TOTAL),
        }
    }
}

impl Columns {
    fn indicator(&self, ix: IndicatorIx) -> Option<&Indicator> {
        let looked_at = self.looked_at.indicator(ix)?;
        Some(looked_at.get_or_init(|| Box::new(lock(&self.shared.indicators()[ix.0 as usize]).clone())))
    }

    /// The slabs of an indicator, by period.
    pub(crate) fn slabs(&self, indicator: IndicatorIx) -> Option<&Slabs> {
        self.indicator(indicator).map(|indicator| &indicator.slabs)
    }

    /// How long the periods are that an indicator has or had figures for.
    pub(crate) fn frequencies(&self, indicator: IndicatorIx) -> Frequencies {
        self.indicator(indicator).map(|indicator| indicator.frequencies).unwrap_or_default()
    }

    /// The areas at or below which an indicator has or had a figure.
    pub(crate) fn covered(&self, indicator: IndicatorIx) -> OrdSet<AreaIx> {
        self.indicator(indicator).map(|indicator| indicator.covered.clone()).unwrap_or_default()
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

    /// The breakdown of an index; none for one that a later revision was the first to use.
    pub fn breakdown_at(&self, ix: BreakdownIx) -> Option<&Breakdown> {
        self.breakdowns.get(ix.0 as usize).map(Arc::as_ref)
    }

    /// How many breakdowns have been used, the total included.
    pub(crate) fn breakdown_count(&self) -> usize {
        self.breakdowns.len()
    }

    /// What a withdrawal would do. `stands` says whether a submission stands.
    pub(super) fn withdrawal_effect(
        &self,
        submission: Revision,
        at: Revision,
        stands: &dyn Fn(Revision) -> bool,
    ) -> WithdrawalEffect {
        let mut effect = WithdrawalEffect::default();
        for (indicator, ix) in self.shared.indicators().iter().zip(0..) {
            // A clone, so that nobody is held up meanwhile.
            let slabs = lock(indicator).slabs.clone();
            for (period, slab) in &slabs {
                let counts = slab.withdrawal(submission, at, stands).counts;
                effect.counts.add(counts);
                effect.changed.extend(counts.are_some().then_some((IndicatorIx(ix), *period)));
            }
        }
        effect
    }
}

/// What changes the columns.
impl Columns {
    /// The columns for a state: it has looked at nothing yet.
    pub(super) fn unseen(&self) -> Self {
        let count = self.shared.indicators().len();
        Self { looked_at: Arc::new(LookedAt { count, indicators: OnceLock::new() }), ..self.clone() }
    }

    /// The index of a breakdown, given to it now when it has none.
    pub(super) fn intern(&mut self, breakdown: &Breakdown) -> BreakdownIx {
        if let Some(known) = self.breakdown(breakdown) {
            return known;
        }
        let ix = BreakdownIx(u32::try_from(self.breakdowns.len()).expect("admission bounds the breakdowns"));
        let shared = Arc::new(breakdown.clone());
        self.breakdowns.push_back(Arc::clone(&shared));
        self.breakdown_index.insert(shared, ix);
        ix
    }

    /// Takes note of areas that have come to lie within others.
    pub(super) fn cover_again(&mut self, catalogue: &Catalogue) {
        for indicator in self.shared.indicators().iter() {
            let mut indicator = lock(indicator);
            for area in indicator.covered.clone() {
                cover(&mut indicator.covered, catalogue, area);
            }
        }
    }

    /// Takes back what a submission set. `stands` says whether a submission stands.
    pub(super) fn withdraw(&mut self, submission: Revision, at: Revision, stands: &dyn Fn(Revision) -> bool) {
        for indicator in self.shared.indicators().iter() {
            let mut indicator = lock(indicator);
            let found = indicator.slabs.iter().map(|(period, slab)| (*period, slab.withdrawal(submission, at, stands)));
            let found: Vec<_> = found.filter(|(_, withdrawal)| !withdrawal.is_empty()).collect();
            for (period, withdrawal) in found {
                let slab = indicator.slabs.get_mut(&period).expect("it was found there");
                Arc::make_mut(slab).withdraw(&withdrawal, at);
            }
        }
    }
}

/// The figures of every indicator, by its index.
#[derive(Debug, Default)]
struct Shared(RwLock<Vec<Mutex<Indicator>>>);

impl Shared {
    fn indicators(&self) -> RwLockReadGuard<'_, Vec<Mutex<Indicator>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for an indicator and all before it.
    fn reach(&self, ix: IndicatorIx) {
        let count = ix.0 as usize + 1;
        if self.indicators().len() < count {
            self.0.write().unwrap_or_else(PoisonError::into_inner).resize_with(count, Mutex::default);
        }
    }
}

/// An indicator. A merge that panicked leaves rows of a revision that is never published, and those are left out.
fn lock(indicator: &Mutex<Indicator>) -> MutexGuard<'_, Indicator> {
    indicator.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A row that is to go into a slab, and which line of what is applied it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRow {
    pub(super) row: Row,
    pub(super) line: u32,
}

impl From<Row> for NewRow {
    fn from(row: Row) -> Self {
        Self { row, line: 0 }
    }
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

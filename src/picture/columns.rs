//! Where the figures are: for each indicator and period a slab of rows, sorted so that a query
//! touches only the rows it needs.
//!
//! A slab holds the newest row of every figure, by area, breakdown and agency; what a row
//! replaced is kept beside it, by revision, so that the newest costs nothing extra and any
//! revision is exact. Everything is shared between clones: a clone is a snapshot.
//!
//! Updated by [`crate::state::State::apply`] alone.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};

use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::journal::Revision;
use crate::model::decimal::Decimal;
use crate::model::marker::Markers;
use crate::model::observation::{Breakdown, Measure, Value};
use crate::model::period::Period;

/// A breakdown's place in the order of first use; the total is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakdownIx(u32);

impl BreakdownIx {
    /// The total.
    pub const TOTAL: Self = Self(0);
    /// The most breakdowns that the columns can tell apart.
    pub const MAX: usize = 1 << 24;
}

/// Which figure of a slab a row is: the area, the breakdown, the agency, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(u64);

impl RowKey {
    /// The key of a figure. Areas and breakdowns take 24 bits, agencies 16.
    pub fn new(area: AreaIx, breakdown: BreakdownIx, agency: AgencyIx) -> Self {
        Self((u64::from(area.0) << 40) | (u64::from(breakdown.0) << 16) | u64::from(agency.0))
    }

    /// The area.
    pub fn area(self) -> AreaIx {
        AreaIx(low_bits(self.0 >> 40, 24))
    }

    /// The breakdown.
    pub fn breakdown(self) -> BreakdownIx {
        BreakdownIx(low_bits(self.0 >> 16, 24))
    }

    /// The agency.
    pub fn agency(self) -> AgencyIx {
        AgencyIx(low_bits(self.0, 16))
    }
}

fn low_bits(bits: u64, count: u32) -> u32 {
    u32::try_from(bits & ((1 << count) - 1)).expect("at most 24 bits are asked for")
}

/// A revision in 32 bits: a row is 32 bytes. The writer stops long before there are 4 billion.
type Revision32 = u32;

/// One figure, from one revision on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which figure of its slab.
    pub key: RowKey,
    first: i64,
    second: i64,
    packed: u32,
    revision: Revision32,
}

const FORM_MASK: u32 = 0b111;
const FIRST_SCALE_SHIFT: u32 = 3;
const SECOND_SCALE_SHIFT: u32 = 6;
const SCALE_MASK: u32 = 0b111;
const MARKERS_SHIFT: u32 = 9;
const MARKERS_MASK: u32 = 0x1ff;
const SAMPLE_BIT: u32 = 1 << 18;
const WITHDRAWN_BIT: u32 = 1 << 19;

impl Row {
    fn new(key: RowKey, value: &Value, sample: bool, revision: Revision) -> Self {
        let (form, first, second) = match value.measure {
            None => (0, None, None),
            Some(Measure::Number(number)) => (1, Some(number), None),
            Some(Measure::Ratio { numerator, denominator }) => (2, Some(numerator), Some(denominator)),
            Some(Measure::Percentage { percent, base }) => (3, Some(percent), Some(base)),
            Some(Measure::Mean { mean, count }) => (4, Some(mean), Some(count)),
        };
        let digits = |part: Option<Decimal>| part.map_or(0, Decimal::mantissa);
        let scale = |part: Option<Decimal>| part.map_or(0, |decimal| u32::from(decimal.scale()));
        let packed = form
            | (scale(first) << FIRST_SCALE_SHIFT)
            | (scale(second) << SECOND_SCALE_SHIFT)
            | (u32::from(value.markers.bits()) << MARKERS_SHIFT)
            | if sample { SAMPLE_BIT } else { 0 };
        Self { key, first: digits(first), second: digits(second), packed, revision: narrow(revision) }
    }

    fn withdrawn(key: RowKey, revision: Revision) -> Self {
        Self { key, first: 0, second: 0, packed: WITHDRAWN_BIT, revision: narrow(revision) }
    }

    /// The figure; none where it was withdrawn and nothing was there before.
    pub fn value(&self) -> Option<Value> {
        (self.packed & WITHDRAWN_BIT == 0).then(|| Value { measure: self.measure(), markers: self.markers() })
    }

    /// What was measured.
    pub fn measure(&self) -> Option<Measure> {
        let decimal = |digits, shift| {
            let scale = u8::try_from((self.packed >> shift) & SCALE_MASK).ok()?;
            Decimal::new(digits, scale)
        };
        let first = decimal(self.first, FIRST_SCALE_SHIFT)?;
        let second = decimal(self.second, SECOND_SCALE_SHIFT)?;
        match self.packed & FORM_MASK {
            1 => Some(Measure::Number(first)),
            2 => Some(Measure::Ratio { numerator: first, denominator: second }),
            3 => Some(Measure::Percentage { percent: first, base: second }),
            4 => Some(Measure::Mean { mean: first, count: second }),
            _ => None,
        }
    }

    /// The markers.
    pub fn markers(&self) -> Markers {
        let bits = (self.packed >> MARKERS_SHIFT) & MARKERS_MASK;
        u16::try_from(bits).ok().and_then(Markers::from_bits).unwrap_or_default()
    }

    /// Whether the figure is made up.
    pub fn is_sample(&self) -> bool {
        self.packed & SAMPLE_BIT != 0
    }

    /// The revision since which the figure is this.
    pub fn revision(&self) -> Revision {
        Revision(u64::from(self.revision))
    }
}

fn narrow(revision: Revision) -> Revision32 {
    Revision32::try_from(revision.0).expect("the writer stops before revision 2^32")
}

/// The figures of one indicator and one period.
#[derive(Debug, Clone, Default)]
pub struct Slab {
    /// The newest row of each figure, by key.
    rows: Vec<Row>,
    /// What the rows replaced, by key and revision.
    replaced: Vec<Row>,
    /// Rows that said what was already so, by key and revision: they decide nothing until the
    /// submission that said it first is withdrawn.
    confirmed: Vec<Row>,
    /// For each row that a withdrawal brought back: its key, its revision, and the revision of the
    /// submission that it is of; by key and revision.
    restored: Vec<(RowKey, Revision32, Revision32)>,
}

impl Slab {
    /// The newest row of a figure.
    fn newest(&self, key: RowKey) -> Option<&Row> {
        self.rows.binary_search_by_key(&key, |row| row.key).ok().map(|at| &self.rows[at])
    }

    /// The row as of a revision, given the newest one.
    fn row_as_of<'a>(&'a self, newest: &'a Row, as_of: Revision) -> Option<&'a Row> {
        if newest.revision() <= as_of {
            return Some(newest);
        }
        let after = self.replaced.partition_point(|row| (row.key, row.revision()) <= (newest.key, as_of));
        after.checked_sub(1).map(|at| &self.replaced[at]).filter(|row| row.key == newest.key)
    }

    /// The rows of an area and a breakdown as of a revision, by agency, withdrawn ones left out.
    pub fn area_rows(&self, area: AreaIx, breakdown: BreakdownIx, as_of: Revision) -> impl Iterator<Item = &Row> {
        let from = RowKey::new(area, breakdown, AgencyIx(0));
        let start = self.rows.partition_point(|row| row.key < from);
        self.rows[start..]
            .iter()
            .take_while(move |row| row.key.area() == area && row.key.breakdown() == breakdown)
            .filter_map(move |row| self.row_as_of(row, as_of))
            .filter(|row| row.packed & WITHDRAWN_BIT == 0)
    }

    /// The rows of an area and an agency under every breakdown but the total, as of a revision,
    /// withdrawn ones left out.
    pub fn breakdown_rows(
        &self,
        area: AreaIx,
        agency: AgencyIx,
        as_of: Revision,
    ) -> impl Iterator<Item = (BreakdownIx, &Row)> {
        let from = RowKey::new(area, BreakdownIx(1), AgencyIx(0));
        let start = self.rows.partition_point(|row| row.key < from);
        self.rows[start..]
            .iter()
            .take_while(move |row| row.key.area() == area)
            .filter(move |row| row.key.agency() == agency)
            .filter_map(move |row| self.row_as_of(row, as_of))
            .filter(|row| row.packed & WITHDRAWN_BIT == 0)
            .map(|row| (row.key.breakdown(), row))
    }

    /// All rows as of a revision, by key, withdrawn ones left out.
    pub fn rows(&self, as_of: Revision) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter_map(move |row| self.row_as_of(row, as_of)).filter(|row| row.packed & WITHDRAWN_BIT == 0)
    }

    /// Every row that a figure has had, the oldest first, withdrawn ones too.
    pub fn history(&self, key: RowKey) -> impl Iterator<Item = &Row> {
        let start = self.replaced.partition_point(|row| row.key < key);
        self.replaced[start..].iter().take_while(move |row| row.key == key).chain(self.newest(key))
    }

    /// The revision of the submission that a row is of: its own, unless a withdrawal restored it.
    pub fn source(&self, row: &Row) -> Revision {
        let restored = self.restored.binary_search_by_key(&(row.key, row.revision), |(key, at, _)| (*key, *at));
        Revision(u64::from(restored.map_or(row.revision, |at| self.restored[at].2)))
    }

    /// Sets a figure, or notes that it is already so.
    fn put(&mut self, row: Row) {
        if self.newest(row.key).is_some_and(|known| known.is_same_figure(&row)) {
            insert_sorted(&mut self.confirmed, row);
        } else {
            self.replace(row);
        }
    }

    fn replace(&mut self, row: Row) {
        match self.rows.binary_search_by_key(&row.key, |known| known.key) {
            Err(at) => self.rows.insert(at, row),
            Ok(at) => {
                let replaced = std::mem::replace(&mut self.rows[at], row);
                insert_sorted(&mut self.replaced, replaced);
            }
        }
    }

    /// Takes back, at a revision, what a submission set and is still so. A figure goes back to what
    /// the newest submission that stands said of it.
    fn withdraw(&mut self, submission: Revision, at: Revision, stands: &dyn Fn(Revision) -> bool) -> Withdrawn {
        let mut counts = Withdrawn::default();
        let affected: Vec<RowKey> = self
            .rows
            .iter()
            .filter(|row| row.packed & WITHDRAWN_BIT == 0 && self.source(row) == submission)
            .map(|row| row.key)
            .collect();
        for key in affected {
            let confirmed = self.confirmed.iter().filter(|row| row.key == key);
            let back = self
                .history(key)
                .chain(confirmed)
                .filter(|row| row.packed & WITHDRAWN_BIT == 0)
                .map(|row| (self.source(row), *row))
                .filter(|(source, _)| stands(*source))
                .max_by_key(|(source, _)| *source);
            match back {
                None => {
                    self.replace(Row::withdrawn(key, at));
                    counts.removed += 1;
                }
                Some((source, row)) => {
                    let source = narrow(source);
                    self.replace(Row { revision: narrow(at), ..row });
                    let place = self.restored.partition_point(|(known, since, _)| (*known, *since) < (key, narrow(at)));
                    self.restored.insert(place, (key, narrow(at), source));
                    counts.restored += 1;
                }
            }
        }
        counts
    }
}

fn insert_sorted(rows: &mut Vec<Row>, row: Row) {
    let place = rows.partition_point(|known| (known.key, known.revision) < (row.key, row.revision));
    rows.insert(place, row);
}

/// How many figures a withdrawal changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withdrawn {
    /// Figures that went back to an earlier value.
    pub restored: usize,
    /// Figures that are now missing.
    pub removed: usize,
}

/// The slabs of one indicator, by period ([`Period::slot`]).
pub type Slabs = OrdMap<Period, Arc<Slab>>;

/// The figures of one indicator.
#[derive(Debug, Clone, Default)]
struct Indicator {
    slabs: Slabs,
    /// The areas that have or had a figure, and all areas that they are or were within: an area that
    /// isn't here has nothing at or below it.
    covered: OrdSet<AreaIx>,
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
    pub fn slabs(&self, indicator: IndicatorIx) -> Option<&Slabs> {
        self.indicators.get(indicator.0 as usize).map(|indicator| &indicator.slabs)
    }

    /// The areas at or below which an indicator has or had a figure.
    pub fn covered(&self, indicator: IndicatorIx) -> OrdSet<AreaIx> {
        self.indicators.get(indicator.0 as usize).map(|indicator| indicator.covered.clone()).unwrap_or_default()
    }

    /// Takes note that an indicator has a figure for an area.
    pub fn cover(&mut self, indicator: IndicatorIx, area: AreaIx, catalogue: &Catalogue) {
        if let Some(indicator) = self.indicators.get_mut(indicator.0 as usize)
            && !indicator.covered.contains(&area)
        {
            cover(&mut indicator.covered, catalogue, area);
        }
    }

    /// Takes note of areas that have come to lie within others.
    pub fn cover_again(&mut self, catalogue: &Catalogue) {
        for indicator in &mut self.indicators {
            for area in indicator.covered.clone() {
                cover(&mut indicator.covered, catalogue, area);
            }
        }
    }

    /// The slab of an indicator and a period, under whichever name the period goes.
    pub fn slab(&self, indicator: IndicatorIx, period: Period) -> Option<&Slab> {
        self.slabs(indicator)?.get(&period.slot()).map(Arc::as_ref)
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
    pub fn breakdown_count(&self) -> usize {
        self.breakdowns.len()
    }

    /// The row of one figure as of a revision. Its value is none where it was withdrawn.
    pub fn row(&self, indicator: IndicatorIx, period: Period, key: RowKey, as_of: Revision) -> Option<&Row> {
        let slab = self.slab(indicator, period)?;
        slab.row_as_of(slab.newest(key)?, as_of)
    }

    /// The index of a breakdown, given to it now when it has none.
    pub fn intern(&mut self, breakdown: &Breakdown) -> BreakdownIx {
        if let Some(known) = self.breakdown(breakdown) {
            return known;
        }
        let ix = BreakdownIx(u32::try_from(self.breakdowns.len()).expect("admission bounds the breakdowns"));
        let shared = Arc::new(breakdown.clone());
        self.breakdowns.push_back(Arc::clone(&shared));
        self.breakdown_index.insert(shared, ix);
        ix
    }

    /// Sets a figure from a revision on. A figure that is already so keeps its revision.
    pub fn put(
        &mut self,
        indicator: IndicatorIx,
        period: Period,
        key: RowKey,
        value: &Value,
        sample: bool,
        revision: Revision,
    ) {
        let row = Row::new(key, value, sample, revision);
        while self.indicators.len() <= indicator.0 as usize {
            self.indicators.push_back(Indicator::default());
        }
        let indicator = &mut self.indicators[indicator.0 as usize];
        Arc::make_mut(indicator.slabs.entry(period.slot()).or_default()).put(row);
    }

    /// Takes back what a submission set. `stands` says whether a submission stands.
    pub fn withdraw(&mut self, submission: Revision, at: Revision, stands: &dyn Fn(Revision) -> bool) -> Withdrawn {
        let mut counts = Withdrawn::default();
        for Indicator { slabs, .. } in &mut self.indicators {
            let touched: Vec<Period> = slabs
                .iter()
                .filter(|(_, slab)| slab.rows.iter().any(|row| slab.source(row) == submission))
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

/// Adds an area, and all that it is or was within.
fn cover(covered: &mut OrdSet<AreaIx>, catalogue: &Catalogue, area: AreaIx) {
    let mut open = vec![area];
    while let Some(at) = open.pop() {
        covered.insert(at);
        let parents = &catalogue.area_at(at).parents;
        open.extend(parents.iter().filter_map(|parent| catalogue.area(&parent.code)).map(|(ix, _)| ix));
    }
}

impl Row {
    /// Whether both say the same of the same figure, whenever they came.
    pub fn is_same_figure(&self, other: &Self) -> bool {
        (self.key, self.first, self.second, self.packed) == (other.key, other.first, other.second, other.packed)
    }
}

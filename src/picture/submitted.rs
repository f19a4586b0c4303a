//! What was submitted of one indicator under one breakdown: the rows of an area and a period, and the
//! periods that there are rows for.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};

use imbl::OrdSet;

use super::combine::{OverTime, over_time};
use crate::catalogue::items::Kind;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::marker::Marker;
use crate::model::observations::Hashing;
use crate::model::period::{Frequencies, Frequency, Period};
use crate::model::revision::Revision;
use crate::state::columns::{BreakdownIx, Row, RowKey, Slab, Slabs};
use crate::state::view::{AreasAsOf, View};

/// As many rows are passed over in the time that it takes to look for those of one area, nearly.
pub(super) const LOOK_UP_ROWS: usize = 32;

/// As many rows are passed over in the time of a step of the work.
pub(super) const ROWS_A_STEP: usize = 2;

/// What was submitted of one indicator under one breakdown, by some agencies or all.
pub(super) struct Submitted<'a> {
    view: View<'a>,
    kind: Kind,
    rule: OverTime,
    breakdown: Option<BreakdownIx>,
    /// Only these agencies; all when none.
    agencies: Option<HashSet<AgencyIx>>,
    slabs: Option<&'a Slabs>,
    frequencies: Frequencies,
    /// The periods that have a slab, by their last day.
    by_end: OnceCell<Vec<(Date, Period)>>,
    /// The areas at or below which there is or was a figure.
    areas: OrdSet<AreaIx>,
    /// The day on which the first revision was accepted.
    first_day: OnceCell<Option<Date>>,
    /// By a period's last day: [`Self::unfinished`].
    unfinished: RefCell<HashMap<Date, Revision, Hashing>>,
}

impl<'a> Submitted<'a> {
    pub(super) fn new(
        view: View<'a>,
        ix: IndicatorIx,
        breakdown: Option<BreakdownIx>,
        agencies: Option<HashSet<AgencyIx>>,
    ) -> Self {
        let kind = view.catalogue.indicator_at(ix).kind();
        Self {
            view,
            kind,
            rule: over_time(kind),
            breakdown,
            agencies,
            slabs: view.columns.slabs(ix),
            frequencies: view.columns.frequencies(ix),
            by_end: OnceCell::new(),
            areas: view.columns.covered(ix),
            first_day: OnceCell::new(),
            unfinished: RefCell::default(),
        }
    }

    /// How the indicator's figures combine over time.
    pub(super) fn rule(&self) -> OverTime {
        self.rule
    }

    fn is_stock(&self) -> bool {
        self.rule == OverTime::Last
    }

    /// Whether areas may be rolled up by another hierarchy than that of their figures' period, so that two figures of
    /// a sum may be of areas that lay within each other. By the hierarchy of the sum's own period they may where a
    /// stock is older than its sum, and where a sum is of a longer period, of a year at most.
    pub(super) fn may_overlap(&self, period: Period) -> bool {
        const YEAR: i32 = 366;
        if self.is_stock() || self.view.areas != AreasAsOf::Then {
            return self.view.catalogue.has_several_hierarchies();
        }
        let on = |day: Date| self.view.catalogue.hierarchy(day);
        !std::ptr::eq(on(period.end().plus_days(-YEAR)), on(period.start().plus_days(YEAR)))
    }

    /// The breakdown that the figures are of; none for one that nothing was ever submitted under.
    pub(super) fn breakdown(&self) -> Option<BreakdownIx> {
        self.breakdown
    }

    /// Whether an agency is among those asked for.
    pub(super) fn asks_for(&self, agency: AgencyIx) -> bool {
        self.agencies.as_ref().is_none_or(|agencies| agencies.contains(&agency))
    }

    /// Whether there is or was a figure for an area or for one within it.
    pub(super) fn covers(&self, area: AreaIx) -> bool {
        self.areas.contains(&area)
    }

    /// How long the periods are that figures were submitted for.
    pub(super) fn frequencies(&self) -> Frequencies {
        self.frequencies
    }

    /// The slab of a period.
    pub(super) fn slab(&self, period: Period) -> Option<&'a Slab> {
        self.slabs?.get(&period.storage_key()).map(AsRef::as_ref)
    }

    /// The periods that figures were submitted for, each after its last day, by that.
    fn by_end(&self) -> &[(Date, Period)] {
        self.by_end.get_or_init(|| {
            let periods = self.slabs.into_iter().flat_map(|slabs| slabs.keys());
            let mut by_end: Vec<_> = periods.map(|period| (period.end(), *period)).collect();
            by_end.sort_unstable();
            by_end
        })
    }

    /// The periods that figures were submitted for that end from one day to another.
    pub(super) fn ending(&self, from: Date, to: Date) -> impl Iterator<Item = Period> {
        let by_end = self.by_end();
        let first = by_end.partition_point(|(end, _)| *end < from);
        by_end[first..].iter().take_while(move |(end, _)| *end <= to).map(|(_, period)| *period)
    }

    /// What each agency submitted for the area and the period themselves, after the name that it was
    /// submitted under: of several the first of [`Self::under_each_name`].
    pub(super) fn best(&self, area: AreaIx, period: Period) -> Vec<(Period, Row)> {
        let mut rows = self.under_each_name(area, period);
        rows.dedup_by_key(|(_, row)| row.key);
        rows
    }

    /// What each agency submitted for the area and the period themselves, after the name that it was
    /// submitted under: by agency, a figure before a marker, and then by the order of the names.
    pub(super) fn under_each_name(&self, area: AreaIx, period: Period) -> Vec<(Period, Row)> {
        let Some(breakdown) = self.breakdown else { return Vec::new() };
        let under = |name: Period| {
            let rows = self.slab(name).map(|slab| slab.area_rows(area, breakdown, self.view.as_of));
            rows.into_iter().flatten().map(move |row| (name, row))
        };
        let rows = self.names(period).into_iter().flat_map(under);
        let mut rows: Vec<_> = rows.filter(|(_, row)| self.asks_for(row.key.agency())).collect();
        rows.sort_by_key(|(_, row)| (row.key, row.measure().is_none()));
        rows
    }

    /// The figures of the area and the period themselves that agencies have withdrawn, by agency.
    pub(super) fn withdrawn(&self, area: AreaIx, period: Period) -> Vec<Row> {
        let Some(breakdown) = self.breakdown else { return Vec::new() };
        let under = |name| self.slab(name).map(|slab| slab.area_withdrawn(area, breakdown, self.view.as_of));
        let rows = self.names(period).into_iter().filter_map(under).flatten();
        let mut rows: Vec<_> = rows.filter(|row| self.asks_for(row.key.agency())).collect();
        rows.sort_by_key(|row| (row.key, row.revision()));
        rows
    }

    /// The periods that a figure for this one can have been submitted for: itself; for a stock, of the
    /// periods that figures were submitted for, also every other of the same last day, the shortest first.
    pub(super) fn names(&self, period: Period) -> Vec<Period> {
        if !self.is_stock() {
            return vec![period.storage_key()];
        }
        let (end, itself) = (period.end(), period.storage_key());
        let is_other = |known: &Period| *known != itself && known.shares_last_day(period);
        let mut others: Vec<Period> = self.ending(end, end).filter(is_other).collect();
        others.sort_by_key(|known| std::cmp::Reverse(*known));
        [itself].into_iter().chain(others).collect()
    }

    /// For a stock the name that all figures of a period were submitted under, those as at an earlier day of it too;
    /// none where they were under several, or are of another day.
    pub(super) fn only_name(&self, period: Period) -> Option<Period> {
        let mut within = self.ending(period.start(), period.end());
        match (within.next(), within.next()) {
            (None, _) => Some(period),
            (Some(name), None) => name.shares_last_day(period).then_some(name),
            (Some(_), Some(_)) => None,
        }
    }

    /// The newest revision that was accepted before a period was over: a figure for it that isn't newer is a
    /// figure to date.
    pub(super) fn unfinished(&self, period: Period) -> Revision {
        let last = self.kind.last_unfinished_day(period);
        // Mostly all figures came after.
        let first = self.first_day.get_or_init(|| self.view.accepted_at(Revision(1)).map(|at| self.view.date(at)));
        if first.is_none_or(|first| first > last) {
            return Revision(0);
        }
        *self.unfinished.borrow_mut().entry(last).or_insert_with(|| self.view.revision_on(last))
    }

    /// For a figure to date, the last day that it includes.
    pub(super) fn to_date(&self, name: Period, row: &Row) -> Option<Date> {
        let unfinished = self.unfinished(name);
        if unfinished == Revision(0) || !row.fills_slot() {
            return None;
        }
        let slab = self.slab(name).filter(|slab| slab.is_of_submission_by(row, unfinished))?;
        self.day_before(slab.source(row))
    }

    /// The day before a revision was accepted.
    pub(super) fn day_before(&self, revision: Revision) -> Option<Date> {
        self.view.accepted_at(revision).map(|at| self.view.date(at).plus_days(-1))
    }

    /// Whether an agency has a figure of an area and a period that fills a slot within it.
    pub(super) fn fills(&self, name: Period, area: AreaIx, agency: AgencyIx, slot: Period) -> bool {
        let row = || self.slab(name)?.row(RowKey::new(area, self.breakdown?, agency), self.view.as_of);
        row().is_some_and(|row| self.row_fills(name, &row, slot))
    }

    /// Whether a row fills a slot within its period: all of them but for those that weren't over when it was
    /// accepted.
    fn row_fills(&self, name: Period, row: &Row, slot: Period) -> bool {
        row.fills_slot() && self.to_date(name, row).is_none_or(|last| slot.end() <= last)
    }

    /// The revision since which a figure of an agency has filled a slot without a gap.
    pub(super) fn filled_since(&self, name: Period, area: AreaIx, agency: AgencyIx, slot: Period) -> Option<Revision> {
        let rows = self.slab(name)?.history(RowKey::new(area, self.breakdown?, agency));
        let rows = rows.take_while(|row| row.revision() <= self.view.as_of);
        rows.fold(None, |since, row| self.row_fills(name, &row, slot).then(|| since.unwrap_or(row.revision())))
    }

    /// Whether a figure was ever submitted within a period, or for a stock as at a day of it.
    pub(super) fn has_figures_within(&self, period: Period) -> bool {
        self.within(period.start(), period.end()).next().is_some()
    }

    /// The periods that figures were submitted for and that lie within some days, or of a stock end on one of them,
    /// each with its slab.
    fn within(&self, first: Date, last: Date) -> impl Iterator<Item = (Period, &'a Slab)> {
        let stocks = self.is_stock().then(|| self.ending(first, last)).into_iter().flatten();
        let stocks = stocks.filter_map(|period| Some((period, self.slab(period)?)));
        let opening = Period::of(Frequency::Day, first).filter(|_| !self.is_stock());
        let others = self.slabs.zip(opening).into_iter().flat_map(|(slabs, opening)| slabs.range(opening..));
        let others = others.take_while(move |(period, _)| period.start() <= last);
        let others = others.filter(move |(period, _)| period.end() <= last);
        stocks.chain(others.map(|(period, slab)| (*period, slab.as_ref())))
    }

    /// The periods between two by the rule of [`super::change`] with a figure that has or had the marker of a break.
    pub(super) fn with_breaks(&self, earlier: Period, later: Period) -> Vec<(Period, &'a Slab)> {
        let between = self.within(earlier.end().plus_days(1), later.end());
        between.filter(|(_, slab)| slab.may_have_break()).collect()
    }

    /// The agencies that mark a break in one of some periods, for the areas or those within them.
    pub(super) fn break_markers(&self, areas: &[AreaIx], periods: &[(Period, &Slab)]) -> BTreeSet<AgencyIx> {
        let mut agencies = BTreeSet::new();
        let Some(breakdown) = self.breakdown else { return agencies };
        for (period, slab) in periods {
            if self.view.spend(areas.len()).is_err() {
                break;
            }
            let hierarchy = self.view.hierarchy(*period);
            let is_inside = |row: &Row| {
                let position = hierarchy.position(row.key.area());
                areas.iter().any(|area| hierarchy.span(*area).contains(&position))
            };
            let mut add = |row: Row| {
                if row.markers().contains(Marker::Break) && self.asks_for(row.key.agency()) && is_inside(&row) {
                    agencies.insert(row.key.agency());
                }
            };
            match areas {
                // Of one area of a long answer, with few within it, the rows are found without passing over all.
                [area] if hierarchy.within(*area).len() <= slab.breakdown_len(breakdown) / LOOK_UP_ROWS + 1 => {
                    let within = hierarchy.within(*area).iter();
                    let rows = within.flat_map(|area| slab.area_rows(*area, breakdown, self.view.as_of));
                    rows.for_each(add);
                }
                _ => slab.breakdown_rows(breakdown, self.view.as_of).for_each(&mut add),
            }
        }
        agencies
    }
}

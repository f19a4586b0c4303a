//! What was submitted of one indicator under one breakdown: the rows of an area and a period, and the
//! periods that there are rows for.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use imbl::OrdSet;

use super::combine::{OverTime, over_time};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::marker::Marker;
use crate::model::period::{Frequency, Period};
use crate::state::columns::{BreakdownIx, Row, Slab, Slabs};
use crate::state::view::View;

/// What was submitted of one indicator under one breakdown, by some agencies or all.
pub(super) struct Submitted<'a> {
    view: View<'a>,
    ix: IndicatorIx,
    is_stock: bool,
    breakdown: Option<BreakdownIx>,
    /// Only these agencies; all when none.
    agencies: Option<HashSet<AgencyIx>>,
    slabs: Option<&'a Slabs>,
    /// The periods that have a slab, by their last day.
    by_end: OnceCell<Vec<(Date, Period)>>,
    /// The areas at or below which there is or was a figure.
    areas: OrdSet<AreaIx>,
}

impl<'a> Submitted<'a> {
    pub(super) fn new(
        view: View<'a>,
        ix: IndicatorIx,
        breakdown: Option<BreakdownIx>,
        agencies: Option<HashSet<AgencyIx>>,
    ) -> Self {
        Self {
            view,
            ix,
            is_stock: over_time(view.catalogue.indicator_at(ix).kind()) == OverTime::Last,
            breakdown,
            agencies,
            slabs: view.columns.slabs(ix),
            by_end: OnceCell::new(),
            areas: view.columns.covered(ix),
        }
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

    /// The slab of a period.
    pub(super) fn slab(&self, period: Period) -> Option<&'a Slab> {
        self.view.columns.slab(self.ix, period)
    }

    /// The periods that figures were submitted for, each after its last day, by that.
    pub(super) fn by_end(&self) -> &[(Date, Period)] {
        self.by_end.get_or_init(|| {
            let periods = self.slabs.into_iter().flat_map(|slabs| slabs.keys());
            let mut by_end: Vec<_> = periods.map(|period| (period.end(), *period)).collect();
            by_end.sort_unstable();
            by_end
        })
    }

    /// The periods that figures were submitted for that end from one day to another.
    fn ending(&self, from: Date, to: Date) -> impl Iterator<Item = Period> {
        let by_end = self.by_end();
        let first = by_end.partition_point(|(end, _)| *end < from);
        by_end[first..].iter().take_while(move |(end, _)| *end <= to).map(|(_, period)| *period)
    }

    /// What each agency submitted for the area and the period themselves, after the name that it was
    /// submitted under: of several, a figure before a marker, and then by the order of the names.
    pub(super) fn best(&self, area: AreaIx, period: Period) -> Vec<(Period, Row)> {
        let Some(breakdown) = self.breakdown else { return Vec::new() };
        let under = |name: Period| {
            let rows = self.slab(name).map(|slab| slab.area_rows(area, breakdown, self.view.as_of));
            rows.into_iter().flatten().map(move |row| (name, row))
        };
        let rows = self.names(period).into_iter().flat_map(under);
        let mut rows: Vec<_> = rows.filter(|(_, row)| self.asks_for(row.key.agency())).collect();
        rows.sort_by_key(|(_, row)| (row.key, row.measure().is_none()));
        rows.dedup_by_key(|(_, row)| row.key);
        rows
    }

    /// The periods that a figure for this one can have been submitted for: itself; and for a stock
    /// every other that ends on the same day, the shortest first. Weeks share only with days.
    pub(super) fn names(&self, period: Period) -> Vec<Period> {
        let mut names = vec![period];
        if self.is_stock {
            let is_week = |period: Period| period.frequency() == Frequency::Week;
            let is_day = |period: Period| period.frequency() == Frequency::Day;
            let shares = |known: &Period| {
                *known != period.storage_key()
                    && (is_week(*known) == is_week(period) || is_day(*known) || is_day(period))
            };
            let end = period.end();
            let mut others: Vec<Period> = self.ending(end, end).filter(shares).collect();
            others.sort_by_key(|known| std::cmp::Reverse(*known));
            names.extend(others);
        }
        names
    }

    /// Whether a figure was ever submitted within a period, or for a stock as at a day of it.
    pub(super) fn has_figures_within(&self, period: Period) -> bool {
        self.slab(period).is_some() || self.slabs_within(period).next().is_some()
    }

    /// The slabs whose figures can go into that of a period: those of periods within it, or for a stock
    /// those as at a day of it.
    fn slabs_within(&self, period: Period) -> impl Iterator<Item = &'a Slab> {
        let stocks = self.is_stock.then(|| self.ending(period.start(), period.end())).into_iter().flatten();
        let stocks = stocks.filter_map(|known| self.slab(known));
        let others = self.slabs.filter(|_| !self.is_stock).into_iter();
        let others = others.flat_map(move |slabs| slabs.range(period.opening_day()..));
        let others = others.take_while(move |(known, _)| known.start() <= period.end());
        let others = others.filter(move |(known, _)| period.contains(**known)).map(|(_, slab)| slab.as_ref());
        stocks.chain(others)
    }

    /// The agencies that mark a break between two periods, for the areas or those within them, by the rule
    /// of [`super::change`].
    pub(super) fn break_markers(&self, areas: &[AreaIx], earlier: Period, later: Period) -> BTreeSet<AgencyIx> {
        let mut agencies = BTreeSet::new();
        let Some(breakdown) = self.breakdown else { return agencies };
        let is_between = |period: &Period| self.is_stock || period.start() > earlier.end();
        for period in self.ending(earlier.end().plus_days(1), later.end()).filter(is_between) {
            let Some(slab) = self.slab(period).filter(|slab| slab.may_have_break()) else { continue };
            let hierarchy = self.view.hierarchy(period);
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
                // Of an area with none within it, as most of a long answer's are, the rows lie together.
                [area] if hierarchy.span(*area).len() == 1 => {
                    slab.area_rows(*area, breakdown, self.view.as_of).for_each(add);
                }
                _ => slab.breakdown_rows(breakdown, self.view.as_of).for_each(&mut add),
            }
        }
        agencies
    }
}

//! The figure of each agency for an area and a period, from what was submitted for it or for its
//! parts.
//!
//! For one agency, one area and one period:
//!
//! 1. A figure submitted for the area and the period themselves is it. (For a stock, one submitted
//!    for another period that ends on the same day is as good: the day itself first, then the
//!    shortest. Weeks share only with days.)
//! 2. Otherwise there may be two ways to build it: over time, from the same area's figures of the
//!    period's parts (a year from halves, from quarters, from months), and over areas, from the
//!    figures of the areas directly below for the same period. Each part is found by these same
//!    rules. The way that misses fewer of its reports, as a share, is taken. Of two that miss as
//!    many, for a stock the one over areas is; for other kinds the one that rests on fewer submitted
//!    figures, so that a year that one area submitted whole isn't passed over for its months; and
//!    when these are as many too, the one over time.
//!    A way that finds markers only is taken last of all.
//! 3. Otherwise a marker submitted in place of a figure says why there is none.
//!
//! Beside each figure stand its **slots**: one for each reporter (an agency that is expected, or one
//! that has reported), each area it reports for, and each period at the indicator's frequency (for a
//! stock: the one that closes the period). A figure submitted whole fills all slots of its area and
//! period.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use imbl::OrdSet;

use super::columns::{BreakdownIx, Columns, Row};
use super::combine::{OverTime, Parts, over_time};
use crate::catalogue::items::{Agency, ExpectedAgency, Indicator, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::journal::Revision;
use crate::model::date::Date;
use crate::model::marker::{Marker, Markers};
use crate::model::period::{Frequency, Period};

/// How many missing slots a figure names.
pub const MISSING_NAMED_MAX: usize = 20;

/// What a query sees: figures and definitions as of one revision, on one day.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The catalogue as of the revision.
    pub catalogue: &'a Catalogue,
    /// The figures, of every revision.
    pub columns: &'a Columns,
    /// The revision.
    pub as_of: Revision,
    /// The day that lateness is judged on.
    pub today: Date,
    /// Which hierarchy areas are rolled up by.
    pub areas: AreasAsOf,
}

/// Which hierarchy areas are rolled up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AreasAsOf {
    /// That of each period's last day.
    #[default]
    Then,
    /// Today's, for every period.
    Now,
}

impl View<'_> {
    /// The day whose hierarchy a period is rolled up by.
    pub fn hierarchy_day(&self, period: Period) -> Date {
        match self.areas {
            AreasAsOf::Then => period.end(),
            AreasAsOf::Now => self.today,
        }
    }
}

/// How many slots stand behind a figure, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slots {
    /// All of them.
    pub expected: usize,
    /// Those with a figure, or said not to apply.
    pub reported: usize,
    /// Those without, past their due date.
    pub late: usize,
    /// Those submitted as not available, confidential or low.
    pub not_available: usize,
    /// Those of the reported that their sender marks as estimated.
    pub imputed: usize,
}

impl Slots {
    fn plus(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            reported: self.reported + other.reported,
            late: self.late + other.late,
            not_available: self.not_available + other.not_available,
            imputed: self.imputed + other.imputed,
        }
    }

    /// How the share of these that is reported stands to the other's. No slots at all count as none
    /// reported: a way through periods shorter than the frequency knows nothing of coverage.
    fn compare_share(self, other: Self) -> Ordering {
        let crosswise = |one: Self, other: Self| one.reported * other.expected.max(1);
        crosswise(self, other).cmp(&crosswise(other, self))
    }
}

/// Why a slot has no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingReason {
    /// Its due date has passed.
    Late,
    /// It isn't due yet.
    NotDue,
    /// The sender said that there is none.
    NotAvailable,
}

/// A slot without a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The agency.
    pub agency: AgencyIx,
    /// The area.
    pub area: AreaIx,
    /// The period.
    pub period: Period,
    /// Why.
    pub reason: MissingReason,
}

/// A figure that can still be combined, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// The exact parts; none when there is no value.
    pub parts: Option<Parts>,
    /// Whether a sum had too many digits.
    pub too_large: bool,
    /// The markers of all that went into it.
    pub markers: Markers,
    /// Whether something made up went into it.
    pub sample: bool,
    /// How many submitted figures and markers it rests on.
    pub submitted: usize,
    /// Its slots.
    pub slots: Slots,
    /// For a stock that is older than the period's close: the period that it is of.
    pub as_at: Option<Period>,
    /// Whether parts were submitted that can't be combined, so that something is missing here.
    pub uncombined: bool,
    /// Some of the slots without a figure, at most [`MISSING_NAMED_MAX`].
    pub missing: Vec<Missing>,
}

impl Tally {
    /// Adds a figure, value and slots.
    pub fn add(&mut self, other: &Self) {
        self.parts = match (self.parts, other.parts) {
            (Some(a), Some(b)) => {
                let sum = a.plus(b);
                self.too_large |= sum.is_none();
                sum
            }
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        };
        self.too_large |= other.too_large;
        self.markers = self.markers.union(other.markers);
        self.sample |= other.sample;
        self.submitted += other.submitted;
        // The oldest is told: the one that closed first, whenever it began.
        self.as_at = self.as_at.into_iter().chain(other.as_at).min_by_key(|period| (period.end(), *period));
        self.add_slots(other);
    }

    /// Adds the slots of a figure, and not its value.
    pub fn add_slots(&mut self, other: &Self) {
        self.uncombined |= other.uncombined;
        self.slots = self.slots.plus(other.slots);
        let room = MISSING_NAMED_MAX.saturating_sub(self.missing.len());
        self.missing.extend(other.missing.iter().take(room));
    }

    /// Whether there is a figure, even one of too many digits, and not just markers.
    pub fn has_figure(&self) -> bool {
        self.parts.is_some() || self.too_large
    }

    /// Of two ways to build a figure, whether this one over areas is taken rather than the other over
    /// time: it ends in a figure and the other doesn't, or else by the rules of this module.
    pub(super) fn is_taken_over(&self, over_time: &Self, rule: OverTime) -> bool {
        match (self.has_figure(), over_time.has_figure()) {
            (true, true) | (false, false) => match self.slots.compare_share(over_time.slots) {
                Ordering::Equal => rule == OverTime::Last || self.submitted < over_time.submitted,
                unequal @ (Ordering::Less | Ordering::Greater) => unequal.is_gt(),
            },
            (has_figure, _) => has_figure,
        }
    }

    /// Whether nothing expected is missing and nothing is older than it should be.
    pub fn is_complete(&self) -> bool {
        self.slots.reported == self.slots.expected && self.as_at.is_none() && !self.uncombined
    }
}

/// The figures of one indicator under one breakdown, for any area and period.
pub struct Series<'a> {
    view: View<'a>,
    /// The indicator.
    pub ix: IndicatorIx,
    /// Its definition.
    pub indicator: &'a Indicator,
    breakdown: Option<BreakdownIx>,
    /// Only these agencies; all when none.
    agencies: Option<HashSet<AgencyIx>>,
    /// The periods that have a slab, ascending.
    periods: Vec<Period>,
    /// The areas at or below which there is or was a figure.
    areas: OrdSet<AreaIx>,
    known: HashMap<(AreaIx, Period), Rc<ByAgency>>,
    /// What each period rests on, by [`Series::frequency_parts`].
    parts: RefCell<HashMap<Period, Rc<[Period]>>>,
}

/// Figures by agency, ascending by index.
pub type ByAgency = BTreeMap<AgencyIx, Tally>;

impl<'a> Series<'a> {
    /// The figures of an indicator under a breakdown, of some agencies or all.
    pub fn new(
        view: View<'a>,
        ix: IndicatorIx,
        breakdown: Option<BreakdownIx>,
        agencies: Option<HashSet<AgencyIx>>,
    ) -> Self {
        let slabs = view.columns.slabs(ix);
        let periods = slabs.into_iter().flat_map(|slabs| slabs.keys().copied()).collect();
        let areas = view.columns.covered(ix);
        let indicator = view.catalogue.indicator_at(ix);
        Self {
            view,
            ix,
            indicator,
            breakdown,
            agencies,
            periods,
            areas,
            known: HashMap::new(),
            parts: RefCell::default(),
        }
    }

    /// What the series is looked at through.
    pub fn view(&self) -> View<'a> {
        self.view
    }

    /// The breakdown that the figures are of; none for one that nothing was ever submitted under.
    pub fn breakdown(&self) -> Option<BreakdownIx> {
        self.breakdown
    }

    /// The periods that figures were submitted for, ascending.
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// The version of the definition in force for a period.
    pub fn version(&self, period: Period) -> &'a IndicatorVersion {
        self.indicator.version_for(period)
    }

    /// The figure of every agency that has submitted one, or a marker in its place, for the area and
    /// the period or for parts of them.
    pub fn figures(&mut self, area: AreaIx, period: Period) -> Rc<ByAgency> {
        if let Some(known) = self.known.get(&(area, period)) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.resolve(area, period));
        self.known.insert((area, period), Rc::clone(&found));
        found
    }

    /// The slots of the agencies that are expected to report for the area and the periods, and are
    /// not among those found. Below the reporting level nobody is expected.
    pub fn silent(&self, area: AreaIx, periods: &[Period], found: &ByAgency) -> ByAgency {
        let mut silent = ByAgency::new();
        // Who is expected is for the definition of each part to say: it may have changed within a period.
        for part in periods.iter().flat_map(|period| self.frequency_parts(*period).to_vec()) {
            let version = self.version(part);
            if self.view.catalogue.area_at(area).level > version.reporting_level {
                continue;
            }
            let ids: BTreeSet<_> = version.expected_agencies.iter().map(|expected| &expected.agency).collect();
            for (agency, _) in ids.into_iter().filter_map(|id| self.view.catalogue.agency(id)) {
                if self.asks_for(agency) && !found.contains_key(&agency) {
                    let mut owed = Tally::default();
                    self.owe_expected(&mut owed, agency, area, part);
                    if owed.slots.expected > 0 {
                        silent.entry(agency).or_default().add_slots(&owed);
                    }
                }
            }
        }
        silent
    }

    fn asks_for(&self, agency: AgencyIx) -> bool {
        self.agencies.as_ref().is_none_or(|agencies| agencies.contains(&agency))
    }

    fn resolve(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let mut marked = ByAgency::new();
        let mut found = ByAgency::new();
        for row in self.direct(area, period) {
            let tally = self.whole(row, area, period);
            let place = if tally.has_figure() { &mut found } else { &mut marked };
            place.entry(row.key.agency()).or_insert(tally);
        }
        // What is built of nothing but markers is no figure: the area's and period's own marker says more.
        let (built, empty): (ByAgency, ByAgency) =
            self.built(area, period).into_iter().partition(|(_, tally)| tally.has_figure());
        for (agency, tally) in built.into_iter().chain(marked).chain(empty) {
            found.entry(agency).or_insert(tally);
        }
        if over_time(self.indicator.kind()) == OverTime::Never {
            for agency in self.uncombined(area, period) {
                found.entry(agency).or_insert_with(|| Tally { uncombined: true, ..Tally::default() });
            }
        }
        found
    }

    /// The agencies that have figures for parts of the period, of a kind that doesn't combine.
    fn uncombined(&mut self, area: AreaIx, period: Period) -> BTreeSet<AgencyIx> {
        let mut agencies = BTreeSet::new();
        if self.areas.contains(&area) {
            for part in period.parts() {
                if self.has_figures_within(part) {
                    agencies.extend(self.figures(area, part).keys().copied());
                }
            }
        }
        agencies
    }

    /// The rows submitted for the area and the period themselves, under any of its names.
    pub(super) fn direct(&self, area: AreaIx, period: Period) -> Vec<&'a Row> {
        let Some(breakdown) = self.breakdown else { return Vec::new() };
        self.names(period)
            .into_iter()
            .filter_map(|name| self.view.columns.slab(self.ix, name))
            .flat_map(|slab| slab.area_rows(area, breakdown, self.view.as_of))
            .filter(|row| self.asks_for(row.key.agency()))
            .collect()
    }

    /// The periods that a figure for this one can have been submitted for: itself; and for a stock
    /// every other that ends on the same day, the shortest first. Weeks share only with days.
    pub(super) fn names(&self, period: Period) -> Vec<Period> {
        let mut names = vec![period];
        if over_time(self.indicator.kind()) == OverTime::Last {
            let is_week = |period: Period| period.frequency() == Frequency::Week;
            let is_day = |period: Period| period.frequency() == Frequency::Day;
            let shares = |known: &&Period| {
                known.end() == period.end()
                    && **known != period.slot()
                    && (is_week(**known) == is_week(period) || is_day(**known) || is_day(period))
            };
            let mut others: Vec<Period> = self.periods.iter().filter(shares).copied().collect();
            others.sort_by_key(|known| std::cmp::Reverse(*known));
            names.extend(others);
        }
        names
    }

    /// A submitted row as a figure that fills all slots of its area and period.
    fn whole(&self, row: &Row, area: AreaIx, period: Period) -> Tally {
        let agency = row.key.agency();
        let owed = self.owed_by_reporter(agency, area, period);
        let expected = owed.slots.expected;
        let measure = row.measure();
        let parts = measure.and_then(Parts::of);
        let mut markers = row.markers();
        if parts.is_some_and(|parts| parts.derived) {
            markers = markers.with(Marker::Estimated);
        }
        let mut slots = Slots { expected, ..Slots::default() };
        let mut missing = Vec::new();
        if measure.is_some() || markers.contains(Marker::NotApplicable) {
            slots.reported = expected;
            slots.imputed = if row.markers().contains(Marker::Estimated) { expected } else { 0 };
        } else {
            slots.not_available = expected;
            missing = owed.missing;
            for slot in &mut missing {
                slot.reason = MissingReason::NotAvailable;
            }
        }
        Tally {
            parts,
            too_large: measure.is_some() && parts.is_none(),
            markers,
            sample: row.is_sample(),
            submitted: 1,
            slots,
            as_at: None,
            uncombined: false,
            missing,
        }
    }

    /// The figures that can be built from parts, over time or over areas.
    fn built(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let rule = over_time(self.indicator.kind());
        let mut built = self.over_areas(area, period);
        for (agency, over_time) in self.over_time(area, period) {
            match built.get(&agency) {
                Some(over_areas) if over_areas.is_taken_over(&over_time, rule) => {}
                Some(_) | None => {
                    built.insert(agency, over_time);
                }
            }
        }
        built
    }

    /// The figures built from the areas directly below, for the same period.
    pub(super) fn over_areas(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let children: Vec<AreaIx> = self.view.catalogue.children(area, self.view.hierarchy_day(period)).collect();
        if !children.iter().any(|child| self.areas.contains(child)) {
            return ByAgency::new();
        }
        let found: Vec<(AreaIx, Rc<ByAgency>)> = children
            .into_iter()
            .map(|child| {
                let figures = if self.areas.contains(&child) { self.figures(child, period) } else { Rc::default() };
                (child, figures)
            })
            .collect();
        let mut sums = ByAgency::new();
        for agency in found.iter().flat_map(|(_, figures)| figures.keys().copied()) {
            sums.entry(agency).or_default();
        }
        for (agency, sum) in &mut sums {
            for (child, figures) in &found {
                match figures.get(agency) {
                    Some(figure) => sum.add(figure),
                    None => sum.add_slots(&self.owed(*agency, *child, period)),
                }
            }
        }
        sums
    }

    /// The figures built from the period's parts, for the same area.
    pub(super) fn over_time(&mut self, area: AreaIx, period: Period) -> ByAgency {
        if over_time(self.indicator.kind()) == OverTime::Never || !self.areas.contains(&area) {
            return ByAgency::new();
        }
        let parts = period.parts();
        if !parts.iter().any(|part| self.has_figures_within(*part)) {
            return ByAgency::new();
        }
        self.joined(area, &parts)
    }

    /// The figures of an area for consecutive periods together, by the kind's rule over time. A
    /// single period is itself, for every kind.
    pub fn joined(&mut self, area: AreaIx, periods: &[Period]) -> ByAgency {
        if let [one] = periods {
            return ByAgency::clone(&self.figures(area, *one));
        }
        let found: Vec<(Period, Rc<ByAgency>)> = periods
            .iter()
            .map(|period| {
                let figures =
                    if self.has_figures_within(*period) { self.figures(area, *period) } else { Rc::default() };
                (*period, figures)
            })
            .collect();
        let agencies: BTreeSet<AgencyIx> = found.iter().flat_map(|(_, figures)| figures.keys().copied()).collect();
        let rule = over_time(self.indicator.kind());
        let join = |agency| match rule {
            OverTime::Add => self.sum(agency, area, &found),
            OverTime::Last => self.last(agency, area, &found),
            OverTime::Never => Tally { uncombined: true, ..Tally::default() },
        };
        agencies.into_iter().map(|agency| (agency, join(agency))).collect()
    }

    /// Whether a figure was ever submitted within a period, or for a stock as at a day of it.
    fn has_figures_within(&self, period: Period) -> bool {
        if over_time(self.indicator.kind()) == OverTime::Last {
            return self.periods.iter().any(|known| self.is_of(*known, period));
        }
        // Periods are in the order of their first days.
        let from = self.periods.partition_point(|known| known.start() < period.start());
        let known = self.periods[from..].iter().take_while(|known| known.start() <= period.end());
        known.into_iter().any(|known| period.contains(*known))
    }

    /// Whether a figure of one period can go into that of another: it lies within, or for a stock it
    /// is as at a day of it.
    fn is_of(&self, known: Period, period: Period) -> bool {
        match over_time(self.indicator.kind()) {
            OverTime::Add | OverTime::Never => period.contains(known),
            OverTime::Last => period.start() <= known.end() && known.end() <= period.end(),
        }
    }

    fn sum(&self, agency: AgencyIx, area: AreaIx, found: &[(Period, Rc<ByAgency>)]) -> Tally {
        let mut sum = Tally::default();
        for (part, figures) in found {
            match figures.get(&agency) {
                Some(figure) => sum.add(figure),
                None => sum.add_slots(&self.owed_by_reporter(agency, area, *part)),
            }
        }
        sum
    }

    /// The stock at the end of the last part that has one. When that isn't the last part, the slots
    /// of the period's close are as they are: still owed, or said to be not available.
    fn last(&self, agency: AgencyIx, area: AreaIx, found: &[(Period, Rc<ByAgency>)]) -> Tally {
        let Some(&(period, _)) = found.last() else { return Tally::default() };
        let figures = || found.iter().rev().filter_map(|(part, figures)| Some((*part, figures.get(&agency)?)));
        let valued = figures().find(|(_, figure)| figure.has_figure());
        let Some((part, figure)) = valued.or_else(|| figures().next()) else {
            return self.owed_by_reporter(agency, area, period);
        };
        if part.end() == period.end() {
            return figure.clone();
        }
        let close = figures().next().filter(|(part, _)| part.end() == period.end());
        let mut stale = Tally {
            parts: figure.parts,
            too_large: figure.too_large,
            markers: figure.markers,
            sample: figure.sample,
            submitted: figure.submitted,
            // A marker isn't a stock, whenever it is of.
            as_at: valued.map(|_| figure.as_at.unwrap_or(part)),
            ..Tally::default()
        };
        match close {
            Some((_, marked)) => stale.add_slots(marked),
            None => stale.add_slots(&self.owed_by_reporter(agency, area, period)),
        }
        stale
    }

    /// The slots of one that reports for this very area: what it is expected to report, and at least
    /// the area itself.
    fn owed_by_reporter(&self, agency: AgencyIx, area: AreaIx, period: Period) -> Tally {
        let owed = self.owed(agency, area, period);
        if owed.slots.expected > 0 {
            return owed;
        }
        let mut own = Tally::default();
        for &part in &*self.frequency_parts(period) {
            self.owe(&mut own, agency, area, part);
        }
        own
    }

    /// The slots that an agency has not filled, if it has filled none: of the areas at the reporting
    /// level that it is expected to report for; below that level, of the area itself, because the
    /// sum of an area needs all that it is made of.
    fn owed(&self, agency: AgencyIx, area: AreaIx, period: Period) -> Tally {
        let mut owed = Tally::default();
        let level = self.view.catalogue.area_at(area).level;
        for &part in &*self.frequency_parts(period) {
            if level > self.version(part).reporting_level {
                self.owe(&mut owed, agency, area, part);
            } else {
                self.owe_expected(&mut owed, agency, area, part);
            }
        }
        owed
    }

    /// Owes a period at the indicator's frequency, for each area at the reporting level that the
    /// agency is expected to report for.
    fn owe_expected(&self, owed: &mut Tally, agency: AgencyIx, area: AreaIx, part: Period) {
        let version = self.version(part);
        let Agency { id, areas: reports_for, .. } = self.view.catalogue.agency_at(agency);
        let expects = |expected: &ExpectedAgency| expected.agency == *id && expected.validity.covers(part);
        if version.expected_agencies.iter().any(expects) {
            let day = self.view.hierarchy_day(part);
            for place in self.view.catalogue.areas_of_level(area, version.reporting_level, day) {
                if reports_for.contains(&self.view.catalogue.area_at(place).code) {
                    self.owe(owed, agency, place, part);
                }
            }
        }
    }

    fn owe(&self, owed: &mut Tally, agency: AgencyIx, area: AreaIx, period: Period) {
        let is_late = self.version(period).due(period) < self.view.today;
        owed.slots.expected += 1;
        owed.slots.late += usize::from(is_late);
        if owed.missing.len() < MISSING_NAMED_MAX {
            let reason = if is_late { MissingReason::Late } else { MissingReason::NotDue };
            owed.missing.push(Missing { agency, area, period, reason });
        }
    }

    /// The periods at the indicator's frequency that a figure of this period rests on.
    fn frequency_parts(&self, period: Period) -> Rc<[Period]> {
        let known = self.parts.borrow().get(&period).map(Rc::clone);
        known.unwrap_or_else(|| {
            let parts: Rc<[Period]> = self.divided(period).into();
            self.parts.borrow_mut().insert(period, Rc::clone(&parts));
            parts
        })
    }

    fn divided(&self, period: Period) -> Vec<Period> {
        let frequency = self.version(period).frequency;
        let mut parts = period.divide(frequency).unwrap_or_default();
        match over_time(self.indicator.kind()) {
            OverTime::Add => parts,
            OverTime::Last => parts.split_off(parts.len().saturating_sub(1)),
            OverTime::Never if period.frequency() == frequency => parts,
            OverTime::Never => Vec::new(),
        }
    }

    /// Whether some figure within the period carries its sender's marker of a break.
    pub fn has_break_marker(&self, period: Period) -> bool {
        let slabs = self.view.columns.slabs(self.ix).into_iter().flatten();
        slabs
            .filter(|(known, _)| self.is_of(**known, period))
            .any(|(_, slab)| slab.rows(self.view.as_of).any(|row| row.markers().contains(Marker::Break)))
    }
}

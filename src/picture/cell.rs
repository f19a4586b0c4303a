//! One agency's figure of one area, as it is added up of rows, period after period: see [`super::sums`].

use std::ops::Range;
use std::rc::Rc;

use super::accumulator::{Accumulator, Missing, MissingReason};
use super::combine::MeasureSum;
use super::expected::{Expected, ExpectedPeriod};
use super::submitted::Submitted;
use crate::catalogue::items::AreaLevel;
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::model::date::Date;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::columns::{Row, Slab};
use crate::state::view::View;

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'s, 'a> {
    pub(super) view: View<'a>,
    pub(super) submitted: &'s Submitted<'a>,
    pub(super) expected: &'s Expected<'a>,
    pub(super) areas: &'s [AreaIx],
}

/// The index of an area among those asked about, and an agency.
pub(super) type CellKey = (u32, AgencyIx);

/// A period of those that are added.
pub(super) struct Step<'a> {
    pub(super) period: Period,
    /// The periods at the indicator's frequency that it is made of.
    pub(super) slots: Rc<[ExpectedPeriod<'a>]>,
    /// The areas, by their index, whose figures for it were found by the rules.
    pub(super) by_rules: Vec<u32>,
}

/// One slot's period, whose rows are passed over.
pub(super) struct Pass<'p> {
    slot: &'p ExpectedPeriod<'p>,
    /// What they were submitted for: of a stock another name of the slot's last day may be.
    name: Period,
    slab: &'p Slab,
    /// [`Submitted::unfinished`].
    unfinished: Revision,
    /// [`Submitted::may_overlap`].
    may_overlap: bool,
}

impl<'p> Pass<'p> {
    /// None where there are no rows.
    pub(super) fn over(asked: Asked<'p, '_>, slot: &'p ExpectedPeriod<'_>, name: Period) -> Option<Self> {
        let slab = asked.submitted.slab(name)?;
        let unfinished = asked.submitted.unfinished(name);
        Some(Self { slot, name, slab, unfinished, may_overlap: asked.submitted.may_overlap(slot.period) })
    }

    /// The rows in a place, of the agencies that are asked for.
    #[inline]
    pub(super) fn rows(&self, asked: Asked<'p, '_>, range: &Range<usize>) -> impl Iterator<Item = Row> {
        let rows = self.slab.standing(range.clone(), asked.view.as_of);
        rows.filter(move |row| asked.submitted.asks_for(row.key.agency()))
    }

    /// For a figure to date, the revision at which it was accepted. Its only slot is the period, which wasn't over.
    fn to_date(&self, row: &Row) -> Option<Revision> {
        let is_to_date =
            self.unfinished > Revision(0) && row.fills_slot() && self.slab.is_of_submission_by(row, self.unfinished);
        is_to_date.then(|| self.slab.source(row))
    }
}

/// Where an agency reports within the area, at the reporting level.
struct Reported<'a> {
    hierarchy: &'a Hierarchy,
    level: AreaLevel,
    /// The day that the areas are of; none where all exist on all days.
    day: Option<Date>,
    /// The areas at the level, ascending; where it isn't expected no more than the first.
    areas: Vec<AreaIx>,
    is_expected: bool,
    /// Whether it reports for the area or for one of any level within it.
    is_within: bool,
}

/// An agency's figure of an area.
pub(super) struct Cell<'a> {
    key: CellKey,
    sum: MeasureSum,
    /// All but the sum.
    figure: Accumulator,
    /// How many periods are in it.
    periods: usize,
    /// How many slots of the period in hand are in it; none are while it isn't open.
    slots: usize,
    /// Whether it has slots in the period in hand.
    has_slots: bool,
    /// Whether it matters for the slot in hand which areas it has rows for.
    looks: bool,
    /// Those areas, ascending.
    seen: Vec<AreaIx>,
    reported: Option<Reported<'a>>,
}

impl<'a> Cell<'a> {
    pub(super) fn new(key: CellKey) -> Self {
        let (sum, figure, seen) = (MeasureSum::default(), Accumulator::default(), Vec::new());
        Self { key, sum, figure, periods: 0, slots: 0, has_slots: false, looks: false, seen, reported: None }
    }

    /// Whether it has rows of the period in hand.
    pub(super) fn is_open(&self) -> bool {
        self.slots > 0
    }

    /// Adds the slots of the periods so far that it has no rows for.
    pub(super) fn catch_up(&mut self, asked: Asked<'_, 'a>, periods: &[Step<'a>]) {
        let (ix, agency) = self.key;
        let without = periods.get(self.periods..).unwrap_or_default();
        let slots: usize = without.iter().map(|period| period.slots.len()).sum();
        if asked.view.spend(slots).is_err() {
            return;
        }
        self.periods = periods.len();
        for period in without {
            if period.by_rules.binary_search(&ix).is_ok() {
                asked.expected.add_reporter(&mut self.figure, agency, asked.areas[ix as usize], period.period);
            } else {
                period.slots.iter().for_each(|slot| self.add_without_rows(asked, slot));
            }
        }
    }

    /// Goes on to a slot of the period in hand that it has rows for.
    #[inline]
    pub(super) fn begin(&mut self, asked: Asked<'_, 'a>, slots: &[ExpectedPeriod<'a>], nth: usize) {
        if self.slots > nth {
            return;
        }
        let without = &slots[self.slots..nth];
        self.slots = nth + 1;
        if asked.view.spend(without.len()).is_ok() {
            without.iter().for_each(|slot| self.add_without_rows(asked, slot));
        }
        let (slot, (ix, agency)) = (&slots[nth], self.key);
        self.has_slots = asked.expected.has_slots(slot, agency);
        self.looks = self.has_slots
            && (!self.figure.lacks_areas || slot.expects(agency))
            && slot.hierarchy.span(asked.areas[ix as usize]).len() > 1;
        self.seen.clear();
    }

    /// Adds a row of the slot in hand.
    #[inline]
    pub(super) fn add(&mut self, asked: Asked<'_, 'a>, pass: &Pass<'_>, row: &Row) {
        let (figure, area) = (&mut self.figure, row.key.area());
        let (ix, agency) = self.key;
        if let Some(measure) = row.measure() {
            self.sum.add(measure);
            if pass.may_overlap {
                figure.added.push((area, pass.name));
            }
        }
        figure.markers = figure.markers.union(row.markers());
        figure.sample |= row.is_sample();
        figure.submitted += 1;
        figure.is_own = figure.submitted == 1 && area == asked.areas[ix as usize];
        if self.looks {
            self.seen.push(area);
        }
        if !row.fills_slot() {
            if self.has_slots {
                let reason = MissingReason::NotAvailable;
                figure.add_missing(Missing { agency, area, period: pass.slot.period, reason });
            }
        } else if let Some(revision) = pass.to_date(row) {
            // The last day that the earliest of them includes.
            let last_day = asked.submitted.day_before(revision);
            figure.to_date = figure.to_date.into_iter().chain(last_day).min();
            if self.has_slots {
                asked.expected.add_slot(figure, pass.slot, agency, area);
            }
        } else if self.has_slots {
            figure.coverage.expected += 1;
            figure.coverage.reported += 1;
            figure.coverage.imputed += usize::from(row.is_imputed());
        }
    }

    /// Is done with the rows of a slot's period, if it has any. Adds the slots besides: one for each area without a row
    /// that the agency is expected to report.
    pub(super) fn end(&mut self, asked: Asked<'_, 'a>, slots: &[ExpectedPeriod<'a>], nth: usize) {
        if self.slots <= nth || !self.looks {
            return;
        }
        let slot = &slots[nth];
        let area = asked.areas[self.key.0 as usize];
        let is_expected = slot.expects(self.key.1);
        if is_expected {
            self.look_up_reported(asked, slot);
        }
        let Self { key: (_, agency), figure, reported, seen, .. } = self;
        let mut seen = seen.iter().peekable();
        let mut is_other = |area: AreaIx| {
            while seen.next_if(|row| **row < area).is_some() {}
            seen.peek() != Some(&&area)
        };
        match reported.as_ref().filter(|_| is_expected) {
            Some(reported) => {
                let others = reported.areas.iter().filter(|area| is_other(**area));
                others.for_each(|area| asked.expected.add_slot(figure, slot, *agency, *area));
            }
            // Mostly the first decides.
            None => figure.lacks_areas = asked.expected.areas(slot, *agency, area).any(is_other),
        }
    }

    /// Is done with the period in hand.
    pub(super) fn close(&mut self, asked: Asked<'_, 'a>, slots: &[ExpectedPeriod<'a>], periods: usize) {
        let without = &slots[self.slots..];
        (self.periods, self.slots) = (periods, 0);
        if asked.view.spend(without.len()).is_ok() {
            without.iter().for_each(|slot| self.add_without_rows(asked, slot));
        }
    }

    /// Adds a figure of the period in hand.
    pub(super) fn add_figure(&mut self, figure: &Accumulator, periods: usize) {
        if let Some(components) = figure.components {
            self.sum.add_components(components);
        }
        self.figure.add_all_but_value(figure);
        self.periods = periods;
    }

    /// Adds what a slot's period has where it has no rows, as [`Expected::add_reporter`] does.
    fn add_without_rows(&mut self, asked: Asked<'_, 'a>, slot: &ExpectedPeriod<'a>) {
        let (ix, agency) = self.key;
        if !asked.expected.has_slots(slot, agency) {
            return;
        }
        self.look_up_reported(asked, slot);
        let Self { figure, reported: Some(reported), .. } = self else { return };
        let is_expected = slot.expects(agency);
        figure.lacks_areas |= !is_expected && !reported.areas.is_empty();
        if is_expected && !reported.areas.is_empty() {
            reported.areas.iter().for_each(|area| asked.expected.add_slot(figure, slot, agency, *area));
        } else if reported.is_within {
            asked.expected.add_slot(figure, slot, agency, asked.areas[ix as usize]);
        }
    }

    /// Looks up where the agency reports. Mostly that is the same for every period.
    fn look_up_reported(&mut self, asked: Asked<'_, 'a>, slot: &ExpectedPeriod<'a>) {
        let (ix, agency) = self.key;
        let (hierarchy, level, area) = (slot.hierarchy, slot.version.reporting_level, asked.areas[ix as usize]);
        let day = asked.view.catalogue.has_bounded_areas().then_some(slot.last);
        let is_expected = slot.expects(agency);
        let is_it = |known: &Reported<'_>| {
            let same = (known.level, known.day, known.is_expected) == (level, day, is_expected);
            same && std::ptr::eq(known.hierarchy, hierarchy)
        };
        if !self.reported.as_ref().is_some_and(is_it) {
            let wanted = if is_expected { usize::MAX } else { 1 };
            let areas: Vec<AreaIx> = asked.expected.areas(slot, agency, area).take(wanted).collect();
            let is_within = !areas.is_empty() || asked.expected.reports_within(slot, agency, area);
            self.reported = Some(Reported { hierarchy, level, day, areas, is_expected, is_within });
        }
    }

    /// Puts what was added up into a figure. Returns false where there may be too many digits, depending on what is added
    /// first.
    pub(super) fn finish(&mut self, periods: &[Step<'_>], figure: &mut Accumulator) -> bool {
        let Ok(components) = self.sum.total() else { return false };
        std::mem::swap(figure, &mut self.figure);
        figure.is_own &= matches!(periods, [one] if one.slots.len() == 1);
        figure.components = components.filter(|_| !figure.too_large && !figure.overlaps);
        true
    }
}

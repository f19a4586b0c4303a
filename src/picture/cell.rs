//! One agency's figure of one area, as it is added up of rows, period after period: see [`super::sums`].

use super::accumulator::{Accumulator, Missing, MissingReason};
use super::combine::MeasureSum;
use super::expected::ExpectedPeriod;
use super::pass::{Asked, Pass, Step};
use crate::catalogue::items::AreaLevel;
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::state::columns::Row;

/// The index of an area among those asked about, and an agency.
pub(super) type CellKey = (u32, AgencyIx);

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

/// Rows of one word that aren't in the sum yet.
#[derive(Default)]
struct Plain {
    word: u32,
    mantissas: [i128; 2],
    rows: usize,
}

/// An agency's figure of an area.
pub(super) struct Cell<'a> {
    key: CellKey,
    sum: MeasureSum,
    /// Rows with nothing to be said of them but that they are reported, of which there are most.
    plain: Plain,
    /// All but the sum.
    figure: Accumulator,
    /// How many periods are in it, but for rows of the last that are still to come.
    periods: usize,
    /// How many slots of the next period are in it; none are while it isn't open.
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
        Self {
            key,
            sum,
            plain: Plain::default(),
            figure,
            periods: 0,
            slots: 0,
            has_slots: false,
            looks: false,
            seen,
            reported: None,
        }
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

    pub(super) fn key(&self) -> CellKey {
        self.key
    }

    /// Whether a slot of the period after so many is still to be begun.
    #[inline]
    pub(super) fn is_before(&self, periods: usize, nth: usize) -> bool {
        self.periods <= periods && self.slots <= nth
    }

    /// Goes on to a slot, that it has rows for, of the period after the steps so far. Returns whether it is open now, and
    /// wasn't: then it is to be [closed](Self::close).
    #[inline]
    pub(super) fn begin(&mut self, asked: Asked<'_, 'a>, pass: &Pass<'_, 'a>, steps: &[Step<'a>]) -> bool {
        // Mostly it is a volunteer that goes on to the next month, and of which is known already that it lacks areas.
        let is_next = pass.slots.len() == 1 && self.periods == steps.len();
        if is_next && pass.expects_nobody && self.has_slots && self.figure.lacks_areas {
            self.periods += 1;
            self.looks = false;
            return false;
        }
        self.begin_any(asked, pass, steps)
    }

    fn begin_any(&mut self, asked: Asked<'_, 'a>, pass: &Pass<'_, 'a>, steps: &[Step<'a>]) -> bool {
        let was_open = self.slots > 0;
        if self.periods < steps.len() {
            self.catch_up(asked, steps);
        }
        if self.slots < pass.nth {
            let without = &pass.slots[self.slots..pass.nth];
            if asked.view.spend(without.len()).is_ok() {
                without.iter().for_each(|slot| self.add_without_rows(asked, slot));
            }
        }
        let ((ix, agency), slot) = (self.key, pass.slot());
        let area = asked.areas[ix as usize];
        let has_slots = asked.expected.has_slots(slot, agency);
        if has_slots != self.has_slots {
            self.add_plain();
            self.has_slots = has_slots;
        }
        let is_expected = slot.expects(agency);
        self.looks = self.has_slots && slot.hierarchy.span(area).len() > 1;
        self.seen.clear();
        if self.looks && !is_expected && !self.figure.lacks_areas {
            // Mostly the first decides.
            let mut areas = asked.expected.areas(slot, agency, area);
            self.figure.lacks_areas = areas.next().is_some_and(|first| !pass.has(asked, agency, first));
        }
        self.looks &= is_expected || !self.figure.lacks_areas;
        if pass.slots.len() == 1 && !self.looks {
            self.periods = steps.len() + 1;
            return false;
        }
        self.slots = pass.nth + 1;
        !was_open
    }

    /// Adds a row of the slot in hand.
    #[inline]
    pub(super) fn add(&mut self, asked: Asked<'_, 'a>, pass: &Pass<'_, '_>, row: &Row) {
        let plain = row.plain().filter(|_| !pass.may_overlap && pass.unfinished == Revision(0));
        if let Some(packed) = plain {
            if packed.word == self.plain.word {
                self.plain.mantissas[0] += i128::from(packed.first);
                self.plain.mantissas[1] += i128::from(packed.second);
                self.plain.rows += 1;
                if self.looks {
                    self.seen.push(row.key.area());
                }
                return;
            }
            self.add_plain();
            // The next ones; this one is looked at, so that its scales are known to be some.
            self.plain.word = packed.word;
        }
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
                figure.add_missing(Missing { agency, area, period: pass.slot().period, reason });
            }
        } else if let Some(revision) = pass.to_date(row) {
            // The last day that the earliest of them includes.
            let last_day = asked.submitted.day_before(revision);
            figure.to_date = figure.to_date.into_iter().chain(last_day).min();
            if self.has_slots {
                asked.expected.add_slot(figure, pass.slot(), agency, area);
            }
        } else if self.has_slots {
            figure.coverage.expected += 1;
            figure.coverage.reported += 1;
            figure.coverage.imputed += usize::from(row.is_imputed());
        }
    }

    /// Adds the rows that aren't in the sum yet. One before them was looked at.
    fn add_plain(&mut self) {
        let Plain { word, mantissas, rows } = std::mem::take(&mut self.plain);
        if rows == 0 {
            return;
        }
        self.sum.add_plain(word, mantissas);
        self.figure.submitted += rows;
        self.figure.is_own = false;
        if self.has_slots {
            self.figure.coverage.expected += rows;
            self.figure.coverage.reported += rows;
        }
    }

    /// Is done with the rows of a slot, if it has any that it looks at. Adds the slots besides: one for each area without
    /// a row that the agency is expected to report.
    pub(super) fn end(&mut self, asked: Asked<'_, 'a>, slots: &[ExpectedPeriod<'a>], nth: usize) {
        if self.slots <= nth || !self.looks {
            return;
        }
        let slot = &slots[nth];
        let is_expected = slot.expects(self.key.1);
        if is_expected {
            self.look_up_reported(asked, slot);
        }
        let Self { key: (ix, agency), figure, reported, seen, .. } = self;
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
            None => {
                let mut areas = asked.expected.areas(slot, *agency, asked.areas[*ix as usize]);
                figure.lacks_areas = areas.any(is_other);
            }
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
        self.add_plain();
        let Ok(components) = self.sum.total() else { return false };
        std::mem::swap(figure, &mut self.figure);
        figure.is_own &= matches!(periods, [one] if one.slots.len() == 1);
        figure.components = components.filter(|_| !figure.too_large && !figure.overlaps);
        true
    }
}

//! The short way to figures: where those of some areas can only be the sums of what was submitted for areas of one level
//! and periods of one length, they are found by one pass over each period's slab, for all of the areas at once.
//!
//! It gives what [`super::resolve`]'s rules give, because they have one way left. Nothing was ever
//! submitted for a subperiod, so there is no way over time. Every figure within the area is of the
//! reporting level: at that level it is the area's own, submitted; above it, the way over areas goes down
//! to just those figures, and whatever lies between adds them up, in any order. The slots are the same
//! too: one for each row, and one for each area of the level that an agency is expected to report and has
//! no row for. Of several periods each is found so, and they add.

use std::ops::Range;

use super::accumulator::{Accumulator, ByAgency, Missing, MissingReason};
use super::combine::{MeasureSum, OverTime};
use super::expected::{Expected, ExpectedPeriod};
use super::submitted::{LOOK_UP_ROWS, Submitted};
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::columns::{BreakdownIx, Row, Slab};
use crate::state::view::View;

/// As many rows are passed over in the time of a step of the work.
const ROWS_A_STEP: usize = 16;

/// What is added up: what was submitted for some areas, each for itself, and consecutive periods together.
#[derive(Clone, Copy)]
pub(super) struct Sums<'s, 'a> {
    pub(super) view: View<'a>,
    pub(super) submitted: &'s Submitted<'a>,
    pub(super) expected: &'s Expected<'a>,
    pub(super) areas: &'s [AreaIx],
    pub(super) periods: &'s [Period],
}

/// The index of an area among those asked about, and an agency.
type CellKey = (u32, AgencyIx);

/// An agency's figure of an area.
struct Cell {
    key: CellKey,
    sum: MeasureSum,
    /// All but the sum.
    figure: Accumulator,
    /// How many of the periods are in it.
    periods: usize,
}

/// What has been added up.
struct Added {
    /// Of each area, whether there has been nothing to choose.
    is_plain: Vec<bool>,
    /// By key.
    cells: Vec<Cell>,
    /// The rows of the period that is being added.
    rows: Vec<(CellKey, Row)>,
}

/// One period, whose rows are passed over.
struct Pass<'p> {
    /// The index of the period.
    nth: usize,
    slot: &'p ExpectedPeriod<'p>,
    slab: &'p Slab,
    breakdown: BreakdownIx,
    /// [`Submitted::unfinished`].
    unfinished: Revision,
    /// [`Submitted::may_overlap`].
    may_overlap: bool,
}

impl Pass<'_> {
    /// For a figure to date, the revision at which it was accepted. Its only slot is the period, which wasn't over.
    fn to_date(&self, row: &Row) -> Option<Revision> {
        let is_to_date =
            self.unfinished > Revision(0) && row.fills_slot() && self.slab.is_of_submission_by(row, self.unfinished);
        is_to_date.then(|| self.slab.source(row))
    }
}

/// Where the areas are that rows are looked for in, by that, each with its index among those asked about. None of them
/// lies within another.
struct Spans(Vec<(Range<u32>, u32)>);

impl Spans {
    /// The one that holds a position.
    fn holding(&self, position: u32) -> Option<(&Range<u32>, u32)> {
        let after = self.0.partition_point(|(span, _)| span.start <= position);
        let (span, ix) = self.0.get(after.checked_sub(1)?)?;
        span.contains(&position).then_some((span, *ix))
    }
}

impl Sums<'_, '_> {
    /// The figures of each area; none for one of which there is something to choose, or where they don't just add.
    pub(super) fn by_area(self) -> Vec<Option<ByAgency>> {
        let adds = self.periods.len() == 1 || self.submitted.rule() == OverTime::Add;
        let mut added = Added { is_plain: vec![adds; self.areas.len()], cells: Vec::new(), rows: Vec::new() };
        for nth in 0..self.periods.len() {
            if !added.is_plain.contains(&true) || self.view.spend(0).is_err() {
                break;
            }
            self.add_period(nth, &mut added);
        }
        self.finish(added)
    }

    /// Adds what was submitted for a period, where there is nothing to choose.
    fn add_period(self, nth: usize, added: &mut Added) {
        let period = self.periods[nth];
        let slots = self.expected.periods(period);
        let slot = match &*slots {
            [slot] if self.is_only_way(period, slot) => slot,
            _ => return added.is_plain.fill(false),
        };
        // What is added up of rows that weren't looked at is no answer, and isn't used as one.
        if self.view.spend(self.areas.len()).is_err() {
            return;
        }
        let spans = self.spans(slot, &mut added.is_plain);
        let Some((slab, breakdown)) = self.submitted.slab(period).zip(self.submitted.breakdown()) else { return };
        let (unfinished, may_overlap) = (self.submitted.unfinished(period), self.submitted.may_overlap(period));
        let pass = Pass { nth, slot, slab, breakdown, unfinished, may_overlap };
        self.collect(&pass, &spans, added);
        let Added { cells, rows, .. } = added;
        let (mut at, known) = (0, cells.len());
        for rows in rows.chunk_by(|(one, _), (other, _)| one == other) {
            let key = rows[0].0;
            // Mostly it is the next.
            if cells[at..known].first().is_some_and(|next| next.key < key) {
                at += cells[at..known].partition_point(|cell| cell.key < key);
            }
            if cells[at..known].first().is_some_and(|next| next.key == key) {
                self.add(&mut cells[at], &pass, rows);
                at += 1;
            } else {
                let mut cell = Cell { key, sum: MeasureSum::default(), figure: Accumulator::default(), periods: 0 };
                self.add(&mut cell, &pass, rows);
                cells.push(cell);
            }
        }
        if known > 0 && cells.len() > known {
            cells.sort_by_key(|cell| cell.key);
        }
    }

    /// Whether figures of a period can only be the sums of what was submitted for it.
    fn is_only_way(self, period: Period, slot: &ExpectedPeriod<'_>) -> bool {
        self.view.has_own_hierarchy(period)
            && slot.period.storage_key() == period.storage_key()
            && !period.subperiods().iter().any(|subperiod| self.submitted.has_figures_within(*subperiod))
            && self.submitted.names(period).len() == 1
    }

    /// Where the areas are whose figures can only be the sums of those at the reporting level. For one that lies within
    /// another of them a pass of its own is made.
    fn spans(self, slot: &ExpectedPeriod<'_>, is_plain: &mut [bool]) -> Spans {
        let (hierarchy, reporting_level) = (slot.hierarchy, slot.version.reporting_level);
        let mut spans = Vec::with_capacity(self.areas.len());
        for ((ix, area), is_plain) in (0..).zip(self.areas).zip(&mut *is_plain).filter(|(_, plain)| **plain) {
            let level = hierarchy.level(*area);
            let has_below = || hierarchy.children(*area).any(|child| self.submitted.covers(child));
            *is_plain = level < reporting_level || (level == reporting_level && !has_below());
            if *is_plain {
                spans.push((hierarchy.span(*area), ix));
            }
        }
        spans.sort_unstable_by_key(|(span, _)| span.start);
        let mut end = 0;
        spans.retain(|(span, ix)| {
            let is_apart = span.start >= end;
            is_plain[*ix as usize] = is_apart;
            end = end.max(span.end);
            is_apart
        });
        Spans(spans)
    }

    /// Collects the rows of the agencies that are asked for within the areas, by cell, those of a cell by area. An area
    /// with a figure at another level than the reporting level, or of an area that isn't of the period, isn't plain.
    fn collect(self, pass: &Pass<'_>, spans: &Spans, added: &mut Added) {
        let Added { is_plain, rows, .. } = added;
        rows.clear();
        let Pass { slot, slab, breakdown, .. } = *pass;
        let (hierarchy, reporting_level) = (slot.hierarchy, slot.version.reporting_level);
        let within: usize = spans.0.iter().map(|(span, _)| span.len()).sum();
        let slab_rows = slab.breakdown_len(breakdown);
        if self.view.spend(within.min(1 + slab_rows / ROWS_A_STEP)).is_err() {
            return;
        }
        let mut holder = |area: AreaIx| {
            let (span, ix) = spans.holding(hierarchy.position(area))?;
            let is_of_slot = || hierarchy.level(area) == reporting_level && self.expected.exists(slot, area);
            is_plain[ix as usize] &= span.len() == 1 || is_of_slot();
            Some(ix)
        };
        let mut last = None;
        let add = |row: Row| {
            let area = row.key.area();
            let holder = match last {
                Some((known, holder)) if known == area => holder,
                _ => holder(area),
            };
            last = Some((area, holder));
            if let Some(ix) = holder.filter(|_| self.submitted.asks_for(row.key.agency())) {
                rows.push(((ix, row.key.agency()), row));
            }
        };
        // Where looking for each is less work than passing over every row: so the districts of a country take no more
        // work than its wards.
        if within * LOOK_UP_ROWS < slab_rows {
            let areas = spans.0.iter().flat_map(|(_, ix)| hierarchy.within(self.areas[*ix as usize]));
            let mut areas: Vec<AreaIx> = areas.copied().collect();
            areas.sort_unstable();
            areas.into_iter().flat_map(|area| slab.area_rows(area, breakdown, self.view.as_of)).for_each(add);
        } else {
            slab.breakdown_rows(breakdown, self.view.as_of).for_each(add);
        }
        rows.sort_by_key(|(key, _)| *key);
    }

    /// Adds what an agency submitted for a period within an area, at least one row. Where it has slots, there is one for
    /// each row, and one for each area besides that it is expected to report.
    fn add(self, cell: &mut Cell, pass: &Pass<'_>, rows: &[(CellKey, Row)]) {
        self.add_without_rows(cell, pass.nth);
        cell.periods = pass.nth + 1;
        let (slot, (ix, agency)) = (pass.slot, cell.key);
        let (area, figure) = (self.areas[ix as usize], &mut cell.figure);
        let has_slots = self.expected.has_slots(slot, agency);
        let (mut reported, mut imputed, mut to_date) = (0, 0, None::<Revision>);
        for (_, row) in rows {
            if let Some(measure) = row.measure() {
                cell.sum.add(measure);
                if pass.may_overlap {
                    figure.added.push((row.key.area(), slot.period));
                }
            }
            figure.markers = figure.markers.union(row.markers());
            figure.sample |= row.is_sample();
            if !row.fills_slot() {
                if has_slots {
                    let (area, reason) = (row.key.area(), MissingReason::NotAvailable);
                    figure.add_missing(Missing { agency, area, period: slot.period, reason });
                }
            } else if let Some(revision) = pass.to_date(row) {
                to_date = to_date.into_iter().chain([revision]).min();
            } else {
                reported += 1;
                imputed += usize::from(row.is_imputed());
            }
        }
        figure.submitted += rows.len();
        figure.is_own = self.periods.len() == 1 && rows.len() == 1 && rows[0].1.key.area() == area;
        // The last day that the earliest of them includes.
        let last_day = to_date.and_then(|revision| self.submitted.day_before(revision));
        figure.to_date = figure.to_date.into_iter().chain(last_day).min();
        if !has_slots {
            return;
        }
        figure.coverage.expected += reported;
        figure.coverage.reported += reported;
        figure.coverage.imputed += imputed;
        if to_date.is_some() {
            let to_date = rows.iter().filter(|(_, row)| pass.to_date(row).is_some());
            to_date.for_each(|(_, row)| self.expected.add_slot(figure, slot, agency, row.key.area()));
        }
        let is_expected = slot.expects(agency);
        if !is_expected && figure.lacks_areas {
            return;
        }
        // Both ascend by index.
        let mut areas = rows.iter().map(|(_, row)| row.key.area()).peekable();
        let has_no_row = |area: &AreaIx| {
            while areas.next_if(|row| row < area).is_some() {}
            areas.peek() != Some(area)
        };
        let mut others = self.expected.areas(slot, agency, area).filter(has_no_row);
        if is_expected {
            others.for_each(|area| self.expected.add_slot(figure, slot, agency, area));
        } else {
            figure.lacks_areas = others.next().is_some();
        }
    }

    /// Adds the slots of the periods up to one that an agency has no rows for.
    fn add_without_rows(self, cell: &mut Cell, until: usize) {
        let without = &self.periods[cell.periods..until];
        if self.view.spend(without.len()).is_ok() {
            let (ix, agency) = cell.key;
            without.iter().for_each(|period| {
                self.expected.add_reporter(&mut cell.figure, agency, self.areas[ix as usize], *period);
            });
        }
    }

    fn finish(self, added: Added) -> Vec<Option<ByAgency>> {
        let Added { is_plain, cells, .. } = added;
        let mut figures: Vec<_> = is_plain.into_iter().map(|is_plain| is_plain.then(ByAgency::default)).collect();
        for mut cell in cells {
            let (ix, agency) = (cell.key.0 as usize, cell.key.1);
            // Whether there are too many digits depends on what is added first.
            if self.periods.len() > 1 && cell.sum.is_weighted() {
                figures[ix] = None;
            }
            let Some(figures) = &mut figures[ix] else { continue };
            self.add_without_rows(&mut cell, self.periods.len());
            match cell.sum.total() {
                Ok(components) => cell.figure.components = components,
                Err(_) => cell.figure.too_large = true,
            }
            figures.or_insert_with(agency, || cell.figure);
        }
        figures
    }
}

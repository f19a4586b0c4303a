//! The short way to a figure: where an area's figure can only be the sum of what was submitted for
//! areas of one level and one period, it is one pass over the slab.
//!
//! It gives what [`super::resolve`]'s rules give, because they have one way left. Nothing was ever
//! submitted for a subperiod, so there is no way over time. Every figure within the area is of the
//! reporting level: at that level it is the area's own, submitted; above it, the way over areas goes down
//! to just those figures, and whatever lies between adds them up, in any order. The slots are the same
//! too: one for each row, and one for each area of the level that an agency is expected to report and has
//! no row for.

use std::num::NonZeroU32;

use super::accumulator::{Accumulator, ByAgency, Coverage, Missing, MissingReason};
use super::combine::MeasureSum;
use super::expected::{Expected, ExpectedPeriod};
use super::submitted::{LOOK_UP_ROWS, Submitted};
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::date::Date;
use crate::model::marker::Markers;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::columns::{BreakdownIx, Row, Slab};

/// As many rows are passed over in the time of a step of the work.
const ROWS_A_STEP: usize = 16;

/// What is scanned: the figures of a slab under a breakdown, for an area.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    pub(super) slab: &'a Slab,
    pub(super) breakdown: BreakdownIx,
    pub(super) as_of: Revision,
    pub(super) area: AreaIx,
    /// The name that the slab's figures were submitted under.
    pub(super) name: Period,
    /// The period, which is of the indicator's frequency.
    pub(super) period: &'a ExpectedPeriod<'a>,
}

/// One agency's figures, added up.
#[derive(Default)]
struct Added {
    sum: MeasureSum,
    markers: Markers,
    sample: bool,
    rows: usize,
    reported: usize,
    imputed: usize,
    /// Those with a value, where another sum may have them too.
    valued: Vec<AreaIx>,
    not_available: Vec<AreaIx>,
    /// Of figures to date: the area, and the revision at which it was accepted. The only slot is the period,
    /// which wasn't over.
    to_date: Vec<(AreaIx, Revision)>,
    /// The areas that it has a row for, by index.
    areas: Vec<AreaIx>,
}

/// Every agency's figures. Agencies are few, and mostly the first of the catalogue's.
#[derive(Default)]
struct AddedByAgency {
    /// By the agency's index, one more than that of its figures in `added`.
    indices: Vec<Option<NonZeroU32>>,
    added: Vec<(AgencyIx, Added)>,
}

impl AddedByAgency {
    fn of(&mut self, agency: AgencyIx) -> &mut Added {
        let ix = agency.0 as usize;
        if ix >= self.indices.len() {
            self.indices.resize(ix + 1, None);
        }
        let end = u32::try_from(self.added.len()).ok().and_then(|end| NonZeroU32::MIN.checked_add(end));
        if self.indices[ix].is_none() {
            self.added.push((agency, Added::default()));
            self.indices[ix] = end;
        }
        let index = self.indices[ix].map_or(0, |index| index.get() as usize - 1);
        &mut self.added[index].1
    }
}

impl Scan<'_> {
    /// The figures by agency; none where a figure lies at another level than the reporting level, or is of an
    /// area that isn't of the period, so that there is something to choose.
    pub(super) fn by_agency(&self, submitted: &Submitted<'_>, expected: &Expected<'_>) -> Option<ByAgency> {
        let mut added = AddedByAgency::default();
        let (hierarchy, level) = (self.period.hierarchy, self.period.version.reporting_level);
        let span = hierarchy.span(self.area);
        let unfinished = submitted.unfinished(self.period.period);
        let may_be_to_date = unfinished > Revision(0);
        let may_overlap = submitted.may_overlap(self.name);
        let is_of_slot = |area: AreaIx| hierarchy.level(area) == level && expected.exists(self.period, area);
        let mut add = |row: Row| {
            let added = added.of(row.key.agency());
            let is_to_date = may_be_to_date && self.slab.is_of_submission_by(&row, unfinished);
            added.add(row, is_to_date.then(|| self.slab.source(&row)));
            added.areas.push(row.key.area());
            if may_overlap && row.measure().is_some() {
                added.valued.push(row.key.area());
            }
        };
        if span.len() == 1 {
            self.slab.area_rows(self.area, self.breakdown, self.as_of).for_each(add);
        } else if let Some(areas) = self.few_areas() {
            for row in areas.iter().flat_map(|area| self.slab.area_rows(*area, self.breakdown, self.as_of)) {
                if !is_of_slot(row.key.area()) {
                    return None;
                }
                add(row);
            }
        } else {
            for row in self.slab.breakdown_rows(self.breakdown, self.as_of) {
                let area = row.key.area();
                if span.contains(&hierarchy.position(area)) {
                    if !is_of_slot(area) {
                        return None;
                    }
                    add(row);
                }
            }
        }
        let found = added.added.into_iter().filter(|(agency, _)| submitted.asks_for(*agency));
        Some(found.map(|(agency, added)| (agency, self.accumulator(submitted, expected, agency, &added))).collect())
    }

    /// The area and those within it, as the slab has them, where looking for each is less work than passing over
    /// every row: so the districts of a country take no more work than its wards.
    fn few_areas(&self) -> Option<Vec<AreaIx>> {
        let within = self.period.hierarchy.within(self.area);
        (within.len() * LOOK_UP_ROWS < self.slab.breakdown_len(self.breakdown)).then(|| {
            let mut areas = within.to_vec();
            areas.sort_unstable();
            areas
        })
    }

    /// The steps of the work that it takes.
    pub(super) fn steps(&self) -> usize {
        let areas = self.period.hierarchy.span(self.area).len();
        areas.min(1 + self.slab.breakdown_len(self.breakdown) / ROWS_A_STEP)
    }

    /// An agency's figures as a sum. Where it has slots, there is one for each row, and one for each area
    /// besides that it is expected to report.
    fn accumulator(
        &self,
        submitted: &Submitted<'_>,
        expected: &Expected<'_>,
        agency: AgencyIx,
        added: &Added,
    ) -> Accumulator {
        let (reported, imputed) = (added.reported, added.imputed);
        let mut sum = Accumulator {
            coverage: Coverage { expected: reported, reported, imputed, ..Coverage::default() },
            markers: added.markers,
            sample: added.sample,
            is_own: added.areas == [self.area],
            submitted: added.rows,
            added: added.valued.iter().map(|area| (*area, self.name)).collect(),
            ..Accumulator::default()
        };
        match added.sum.total() {
            Ok(components) => sum.components = components,
            Err(_) => sum.too_large = true,
        }
        if !expected.has_slots(self.period, agency) {
            sum.coverage = Coverage::default();
            sum.to_date = Self::to_date(submitted, added);
            return sum;
        }
        for area in &added.not_available {
            let reason = MissingReason::NotAvailable;
            sum.add_missing(Missing { agency, area: *area, period: self.period.period, reason });
        }
        for (area, _) in &added.to_date {
            expected.add_slot(&mut sum, self.period, agency, *area);
        }
        sum.to_date = Self::to_date(submitted, added);
        // Both ascend by index.
        let mut rows = added.areas.iter().peekable();
        let has_no_row = |area: &AreaIx| {
            while rows.next_if(|row| *row < area).is_some() {}
            rows.peek() != Some(&area)
        };
        let mut others = expected.areas(self.period, agency, self.area).filter(has_no_row);
        if self.period.expects(agency) {
            others.for_each(|area| expected.add_slot(&mut sum, self.period, agency, area));
        } else {
            sum.lacks_areas = others.next().is_some();
        }
        sum
    }

    /// The last day that the earliest of an agency's figures to date includes.
    fn to_date(submitted: &Submitted<'_>, added: &Added) -> Option<Date> {
        submitted.day_before(added.to_date.iter().map(|(_, revision)| *revision).min()?)
    }
}

impl Added {
    /// Adds a row, with the revision of its submission where that came before the period was over.
    fn add(&mut self, row: Row, unfinished: Option<Revision>) {
        let markers = row.markers();
        if let Some(measure) = row.measure() {
            self.sum.add(measure);
        }
        self.rows += 1;
        self.sample |= row.is_sample();
        if !markers.is_empty() {
            self.markers = self.markers.union(markers);
        }
        if !row.fills_slot() {
            self.not_available.push(row.key.area());
        } else if let Some(revision) = unfinished {
            self.to_date.push((row.key.area(), revision));
        } else {
            self.reported += 1;
            self.imputed += usize::from(row.is_imputed());
        }
    }
}

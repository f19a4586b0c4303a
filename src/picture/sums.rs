//! The short way to figures: where those of some areas can only be the sums of what was submitted for areas of one level
//! and periods of one length, they are found by one pass over each period's slab, for all of the areas at once.
//!
//! It gives what [`super::resolve`]'s rules give, because they have one way left. Every figure within the area is of the
//! reporting level: at that level it is the area's own, submitted; above it, the way over areas goes down
//! to just those figures, and whatever lies between adds them up, in any order. The slots are the same
//! too: one for each row, and one for each area of the level that an agency is expected to report and has
//! no row for.
//!
//! Of a longer period the figures of the periods at the indicator's frequency add, where all of them have its definition
//! and its hierarchy, and nothing was submitted for the period itself, or for one between. The way over areas
//! adds the same figures, and can't miss a smaller share of its reports. Take one agency and one of the periods. Over
//! areas its slots are one for each area that it has a figure for in *any* of the periods, and one for each that it is
//! expected to report. Over time they are one for each area that it has a figure for in *this* period, and the latter,
//! or a single one when these are none at all. The reported are as many both ways; so over time no more are missing. Of
//! equals, the way over time is taken. Nor may an area begin or end within the period: over areas it has fewer slots
//! then than over time.
//!
//! Where there is something to choose, for an area and a period, whoever asked finds the figures by the rules, and they
//! go into the same sums.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::accumulator::ByAgency;
use super::cell::{Cell, CellKey};
use super::combine::OverTime;
use super::expected::ExpectedPeriod;
use super::pass::{Asked, Pass, Step};
use super::submitted::{LOOK_UP_ROWS, ROWS_A_STEP};
use crate::catalogue::items::AreaLevel;
use crate::catalogue::{ApartSpans, AreaIx, Hierarchy};
use crate::model::observations::Hashing;
use crate::model::period::{Frequency, Period};

/// For as many agencies of one area, at the most, there is room from the beginning.
const CELLS_MIN_MAX: usize = 64;

/// What has been added up: figures of some areas, each for itself, and consecutive periods together.
pub(super) struct Sums<'s, 'a> {
    asked: Asked<'s, 'a>,
    /// The periods so far.
    steps: Vec<Step<'a>>,
    cells: Vec<Cell<'a>>,
    index: Index,
    /// Those of the period before, which mostly are the next one's too.
    spans: Option<Rc<Spans<'a>>>,
    /// Where the rows of each slot of the period in hand are.
    rows: Vec<SlotRows>,
}

/// Where the areas are that rows are looked for in. None of them lies within another.
struct Spans<'a> {
    hierarchy: &'a Hierarchy,
    reporting_level: AreaLevel,
    /// Each with its index among those asked about.
    apart: ApartSpans,
    /// How many areas there are in them.
    within: usize,
    /// By the index among those asked about: whether its figures can only be the sums of those in its span.
    is_plain: Vec<bool>,
}

impl Spans<'_> {
    /// The one that holds an area.
    #[inline]
    fn holding(&self, area: AreaIx) -> Option<(&Range<u32>, u32)> {
        self.apart.holding(self.hierarchy.position(area))
    }
}

/// Where rows of a slot are in its slab, each run after the index of the area asked about that it lies within.
type SlotRows = Vec<(u32, Range<usize>)>;

impl<'s, 'a> Sums<'s, 'a> {
    pub(super) fn new(asked: Asked<'s, 'a>) -> Self {
        // A cell is large: what has to grow for cells is copied.
        let agencies = asked.view.catalogue.agency_count();
        let cells = asked.areas.len().max(agencies.min(CELLS_MIN_MAX));
        let index = match asked.areas {
            [_] => Index::OfOne(vec![None; agencies]),
            _ => Index::OfSeveral(HashMap::with_capacity_and_hasher(cells, Hashing::default())),
        };
        Self { asked, steps: Vec::new(), cells: Vec::with_capacity(cells), index, spans: None, rows: Vec::new() }
    }

    /// Adds what was submitted for a period. Returns the areas, by their index, of which there is something to choose, or
    /// that lie within others of them: nothing is added of these.
    pub(super) fn add_period(&mut self, period: Period) -> Vec<u32> {
        let Asked { view, expected, areas, .. } = self.asked;
        let slots = expected.periods(period);
        let names = self.only_names(period, &slots).unwrap_or_default();
        let mut is_plain = vec![false; areas.len()];
        let mut rows = std::mem::take(&mut self.rows);
        rows.resize_with(names.len(), Vec::new);
        rows.iter_mut().for_each(Vec::clear);
        // What is added up of rows that weren't looked at is no answer, and isn't used as one.
        if !names.is_empty() && view.spend(areas.len()).is_ok() {
            let spans = self.spans(&slots);
            is_plain.copy_from_slice(&spans.is_plain);
            self.find_longer(period, &slots, &spans, &mut is_plain);
            for ((slot, name), rows) in slots.iter().zip(&names).zip(&mut rows) {
                self.collect(slot, *name, &spans, &mut is_plain, rows);
            }
        }
        let by_rules: Vec<u32> = (0..).zip(&is_plain).filter(|(_, is_plain)| !**is_plain).map(|(ix, _)| ix).collect();
        self.steps.push(Step { period, slots: Rc::clone(&slots), by_rules: by_rules.clone() });
        self.add_rows((&slots, &names), &rows, &is_plain);
        self.rows = rows;
        by_rules
    }

    /// Adds an area's figures for the last period, which were found by the rules.
    pub(super) fn add_figures(&mut self, ix: u32, figures: &ByAgency) {
        let before = self.steps.len() - 1;
        for (agency, figure) in figures.iter() {
            let at = self.cell((ix, agency));
            let cell = &mut self.cells[at];
            cell.catch_up(self.asked, &self.steps[..before]);
            cell.add_figure(figure, before + 1);
        }
    }

    /// The figures of each area; none where there may be too many digits, depending on what is added first.
    pub(super) fn finish(mut self) -> Vec<Option<Rc<ByAgency>>> {
        let nothing = Rc::default();
        let mut figures = vec![Some(Rc::clone(&nothing)); self.asked.areas.len()];
        let mut order: Vec<(CellKey, usize)> = self.cells.iter().map(Cell::key).zip(0..).collect();
        order.sort_unstable();
        for of_area in order.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            let mut by_agency = ByAgency::with_capacity(of_area.len());
            let is_finished = of_area.iter().all(|((_, agency), at)| {
                let cell = &mut self.cells[*at];
                cell.catch_up(self.asked, &self.steps);
                cell.finish(&self.steps, by_agency.entry(*agency))
            });
            let ((ix, _), _) = of_area[0];
            figures[ix as usize] = is_finished.then(|| Rc::new(by_agency));
        }
        figures
    }

    /// What the figures were submitted for that a period's can only be the sums of: the period, or of a longer one each
    /// period at the indicator's frequency within it. None where there may be something to choose.
    fn only_names(&self, period: Period, slots: &[ExpectedPeriod<'_>]) -> Option<Vec<Period>> {
        let Asked { view, submitted, .. } = self.asked;
        if !slots.iter().all(|slot| view.has_own_hierarchy(slot.period)) {
            return None;
        }
        let has_parts = |slot: &ExpectedPeriod<'_>| {
            slot.period.subperiods().iter().any(|subperiod| submitted.has_figures_within(*subperiod))
        };
        match slots {
            [_] if submitted.rule() == OverTime::Last => Some(vec![submitted.only_name(period)?]),
            [slot] => (slot.period.storage_key() == period.storage_key() && !has_parts(slot)).then(|| vec![period]),
            [first, .., last] if submitted.rule() == OverTime::Add => {
                let is_alike = |slot: &ExpectedPeriod<'_>| {
                    std::ptr::eq(slot.version, first.version) && std::ptr::eq(slot.hierarchy, first.hierarchy)
                };
                let follow = |pair: &[ExpectedPeriod<'_>]| pair[0].last.plus_days(1) == pair[1].period.start();
                let is_made_of_them = (first.period.start(), last.last) == (period.start(), period.end())
                    && slots.windows(2).all(follow)
                    && slots.iter().all(|slot| is_alike(slot) && !has_parts(slot));
                is_made_of_them.then(|| slots.iter().map(|slot| slot.period).collect())
            }
            _ => None,
        }
    }

    /// Where the areas are whose figures can only be the sums of those at the reporting level. For one that lies within
    /// another of them a pass of its own is made.
    fn spans(&mut self, slots: &[ExpectedPeriod<'a>]) -> Rc<Spans<'a>> {
        let Asked { view, submitted, areas, .. } = self.asked;
        let (hierarchy, reporting_level) = (slots[0].hierarchy, slots[0].version.reporting_level);
        let depends_on_days = slots.len() > 1 && view.catalogue.has_bounded_areas();
        let is_it = |known: &&Rc<Spans<'_>>| {
            std::ptr::eq(known.hierarchy, hierarchy) && known.reporting_level == reporting_level
        };
        if let Some(known) = self.spans.as_ref().filter(is_it).filter(|_| !depends_on_days) {
            return Rc::clone(known);
        }
        let mut plain = Vec::with_capacity(areas.len());
        for (ix, area) in (0..).zip(areas) {
            let level = hierarchy.level(*area);
            let has_below = || hierarchy.children(*area).any(|child| submitted.covers(child));
            let exist = |slot: &ExpectedPeriod<'_>| view.catalogue.all_exist_on(hierarchy.within(*area), slot.last);
            let is_plain = (level < reporting_level || (level == reporting_level && !has_below()))
                && (!depends_on_days || slots.iter().all(exist));
            if is_plain {
                plain.push((hierarchy.span(*area), ix));
            }
        }
        let (apart, mut is_plain) = (ApartSpans::of(plain), vec![false; areas.len()]);
        apart.iter().for_each(|(_, ix)| is_plain[ix as usize] = true);
        let within = apart.iter().map(|(span, _)| span.len()).sum();
        let spans = Rc::new(Spans { hierarchy, reporting_level, apart, within, is_plain });
        self.spans = (!depends_on_days).then(|| Rc::clone(&spans));
        spans
    }

    /// Finds the areas with a figure of a longer period than its slots: they aren't plain.
    fn find_longer(&self, period: Period, slots: &[ExpectedPeriod<'_>], spans: &Spans<'_>, is_plain: &mut [bool]) {
        let Asked { view, submitted, .. } = self.asked;
        let Some(breakdown) = submitted.breakdown().filter(|_| slots.len() > 1) else { return };
        for slab in longer(period, slots[0].period.frequency()).into_iter().filter_map(|one| submitted.slab(one)) {
            if view.spend(1 + slab.breakdown_len(breakdown) / ROWS_A_STEP).is_err() {
                return;
            }
            for row in slab.breakdown_rows(breakdown, view.as_of) {
                if let Some((_, ix)) = spans.holding(row.key.area()) {
                    is_plain[ix as usize] = false;
                }
            }
        }
    }

    /// Collects where the rows within the areas are. An area with a figure at another level than the reporting level, or
    /// of an area that isn't of the period, isn't plain.
    fn collect(
        &self,
        slot: &ExpectedPeriod<'_>,
        name: Period,
        spans: &Spans<'_>,
        is_plain: &mut [bool],
        rows: &mut SlotRows,
    ) {
        let Asked { view, submitted, expected, areas } = self.asked;
        let Some((slab, breakdown)) = submitted.slab(name).zip(submitted.breakdown()) else { return };
        let slab_rows = slab.breakdown_len(breakdown);
        if view.spend(spans.within.min(1 + slab_rows / ROWS_A_STEP)).is_err() {
            return;
        }
        let Spans { hierarchy, reporting_level, .. } = spans;
        let mut add = |(area, range): (AreaIx, Range<usize>)| {
            let Some((span, ix)) = spans.holding(area) else { return };
            let is_of_slot = || hierarchy.level(area) == *reporting_level && expected.exists(slot, area);
            is_plain[ix as usize] &= span.len() == 1 || is_of_slot();
            match rows.last_mut() {
                Some((last_ix, last)) if *last_ix == ix && last.end == range.start => last.end = range.end,
                _ => rows.push((ix, range)),
            }
        };
        // Where looking for each is less work than passing over every row: so the districts of a country take no more
        // work than its wards.
        if spans.within * LOOK_UP_ROWS < slab_rows {
            let areas = spans.apart.iter().flat_map(|(_, ix)| hierarchy.within(areas[ix as usize]));
            let mut areas: Vec<AreaIx> = areas.copied().collect();
            areas.sort_unstable();
            let ranges = areas.into_iter().map(|area| (area, slab.area_range(area, breakdown)));
            ranges.filter(|(_, range)| slab.may_stand(range, view.as_of)).for_each(add);
        } else {
            slab.area_ranges(breakdown, view.as_of).for_each(&mut add);
        }
    }

    /// Adds the rows of each slot of the last period to the cells of their areas and agencies.
    fn add_rows(&mut self, (slots, names): (&[ExpectedPeriod<'a>], &[Period]), rows: &[SlotRows], is_plain: &[bool]) {
        let asked = self.asked;
        let (before, mut open) = (self.steps.len() - 1, Vec::new());
        for (nth, rows) in rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let Some(pass) = Pass::over(asked, slots, nth, names[nth]) else { continue };
            for (ix, range) in rows.iter().filter(|(ix, _)| is_plain[*ix as usize]) {
                for row in pass.rows(asked, range) {
                    let at = self.cell((*ix, row.key.agency()));
                    let cell = &mut self.cells[at];
                    if cell.is_before(before, nth) && cell.begin(asked, &pass, &self.steps[..before]) {
                        open.push(at);
                    }
                    cell.add(asked, &pass, &row);
                }
            }
            open.iter().for_each(|at: &usize| self.cells[*at].end(asked, slots, nth));
        }
        open.into_iter().for_each(|at| self.cells[at].close(asked, slots, before + 1));
    }

    /// Where the cell of an area and an agency is.
    #[inline]
    fn cell(&mut self, key: CellKey) -> usize {
        let cells = &mut self.cells;
        let add = || {
            cells.push(Cell::new(key));
            cells.len() - 1
        };
        match &mut self.index {
            Index::OfOne(at) => *at[key.1.0 as usize].get_or_insert_with(add),
            Index::OfSeveral(at) => *at.entry(key).or_insert_with(add),
        }
    }
}

/// Where the cells are.
enum Index {
    /// By the agency's index, where one area is asked about.
    OfOne(Vec<Option<usize>>),
    OfSeveral(HashMap<CellKey, usize, Hashing>),
}

/// A period, and those that it is rolled up from, that are longer than those of a frequency.
fn longer(period: Period, frequency: Frequency) -> Vec<Period> {
    let (mut found, mut from) = (vec![period], 0);
    while let Some(one) = found.get(from).copied() {
        if one.frequency().finer() != Some(frequency) {
            found.extend(one.subperiods());
        }
        from += 1;
    }
    found
}

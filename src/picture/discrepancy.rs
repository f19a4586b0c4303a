//! Submitted figures that should agree and don't: a year and its months, a county and its districts,
//! a total and its breakdown. The submitted whole is what is answered; the difference is shown
//! beside it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::accumulator::{Accumulator, ByAgency};
use super::combine::{CategorySum, Components, OverTime, category_sum};
use super::resolve::Series;
use super::submitted::{LOOK_UP_ROWS, ROWS_A_STEP};
use super::value::FigureValue;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::decimal::Rounded;
use crate::model::id::DimensionId;
use crate::model::observation::Breakdown;
use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::state::columns::{BreakdownIx, Row, Slab};

/// What a submitted whole was put beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscrepancyKind {
    /// The figures of all of the period's subperiods; for a stock, that under another name of its last day.
    OverTime,
    /// The figures of all areas directly below.
    OverAreas,
    /// The figures of a dimension's categories.
    Breakdown(DimensionId),
}

/// A submitted figure, and what its parts come to instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// What it was put beside.
    pub kind: DiscrepancyKind,
    /// The agency that submitted both.
    pub agency: AgencyIx,
    /// What was submitted, as shown.
    pub submitted: Rounded,
    /// What the parts come to, as shown.
    pub parts: Rounded,
    /// Parts less submitted, as shown.
    pub difference: Rounded,
}

/// The discrepancies of the figures submitted for some areas and a period. The rules are in docs/statistics.md, section
/// 14.
pub(super) struct Discrepancies<'q> {
    areas: &'q [AreaIx],
    period: Period,
    /// Whether nothing but the areas below them can disagree.
    is_by_areas_alone: OnceCell<bool>,
    by_category: OnceCell<ByCategory>,
}

impl<'q> Discrepancies<'q> {
    pub(super) fn new(areas: &'q [AreaIx], period: Period) -> Self {
        Self { areas, period, is_by_areas_alone: OnceCell::new(), by_category: OnceCell::new() }
    }

    /// Whether there is something that the figures of an area can differ from. Mostly there is nothing.
    fn may_be(&self, series: &Series<'_>, area: AreaIx) -> bool {
        let (view, submitted, period) = (series.view(), &*series.submitted, self.period);
        let is_by_areas_alone = || {
            let names = submitted.names(period);
            let is_divided =
                || names.iter().filter_map(|name| submitted.slab(*name)).any(|slab| slab.breakdowns().next().is_some());
            let is_total = submitted.breakdown() == Some(BreakdownIx::TOTAL);
            let has_figures = |subperiod: &Period| submitted.has_figures_within(*subperiod);
            names.len() == 1 && !(is_total && is_divided()) && !period.subperiods().iter().any(has_figures)
        };
        !*self.is_by_areas_alone.get_or_init(is_by_areas_alone)
            || view.hierarchy(period).children(area).any(|child| submitted.covers(child))
    }

    /// Those of one of the areas, by agency.
    pub(super) fn of(&self, series: &mut Series<'_>, area: AreaIx) -> Vec<Discrepancy> {
        let period = self.period;
        if !self.may_be(series, area) {
            return Vec::new();
        }
        let submitted = series.submitted.under_each_name(area, period);
        let over_time = match series.submitted.rule() {
            OverTime::Add => series.over_time(area, period),
            OverTime::Last | OverTime::Never => ByAgency::default(),
        };
        let over_areas = over_all_areas(series, area, period);
        let mut found = Vec::new();
        for of_agency in submitted.chunk_by(|(_, one), (_, other)| one.key == other.key) {
            let agency = of_agency[0].1.key.agency();
            let Some(figure) = whole(&of_agency[0].1) else { continue };
            // A stock under another name of its last day.
            for other in of_agency[1..].iter().filter_map(|(_, row)| whole(row)) {
                found.extend(compare(series, period, agency, DiscrepancyKind::OverTime, &figure, &other));
            }
            let built = [(DiscrepancyKind::OverTime, &over_time), (DiscrepancyKind::OverAreas, &over_areas)];
            for (kind, parts) in built {
                if let Some(parts) = parts.get(agency).filter(|parts| parts.is_complete()) {
                    found.extend(compare(series, period, agency, kind, &figure, parts));
                }
            }
            if series.submitted.breakdown() == Some(BreakdownIx::TOTAL) {
                let by_category = self.by_category.get_or_init(|| ByCategory::of(series, self.areas, period));
                found.extend(breakdowns(series, (area, period), agency, &figure, by_category));
            }
        }
        found
    }
}

/// A submitted figure; none for a marker in its place.
fn whole(row: &Row) -> Option<Accumulator> {
    let components = Some(Components::of(row.measure()?)?);
    Some(Accumulator { components, ..Accumulator::default() })
}

/// The figures built over areas, of the agencies that have one for every area directly below that is of the
/// period.
fn over_all_areas(series: &mut Series<'_>, area: AreaIx, period: Period) -> ByAgency {
    let mut built = series.over_areas(area, period);
    if built.is_empty() {
        return built;
    }
    let view = series.view();
    for child in view.hierarchy(period).children(area).filter(|child| view.catalogue.exists_on(*child, period.end())) {
        let figures = series.figures(child, period);
        built.retain(|agency| figures.get(agency).is_some_and(Accumulator::has_figure));
    }
    built
}

/// Which of the definition's dimensions one is.
type DimensionNumber = usize;

/// The figures of the categories of one dimension, together.
#[derive(Clone, Copy)]
struct Together {
    /// None when there are too many digits.
    sum: Option<Components>,
    categories: usize,
}

/// The figures that were submitted for a period by one dimension, by their area, agency and dimension.
struct ByCategory(HashMap<(AreaIx, AgencyIx, DimensionNumber), Together, Hashing>);

impl ByCategory {
    /// Those of some areas, added by the order of the categories: of a stock's several the first by the order of its
    /// names.
    fn of(series: &Series<'_>, areas: &[AreaIx], period: Period) -> Self {
        let (view, names) = (series.view(), series.submitted.names(period));
        let wanted: HashSet<AreaIx, Hashing> = areas.iter().copied().collect();
        let slabs: Vec<&Slab> = names.iter().filter_map(|name| series.submitted.slab(*name)).collect();
        let (mut found, mut known) = (HashMap::default(), HashSet::new());
        for (number, breakdown) in by_one_dimension(series, &slabs, period) {
            for slab in &slabs {
                let add = |row: Row| {
                    let (area, agency) = (row.key.area(), row.key.agency());
                    let components = row.measure().and_then(Components::of).filter(|_| wanted.contains(&area));
                    let components = components.filter(|_| slabs.len() == 1 || known.insert(row.key));
                    if let Some(components) = components {
                        let one = Together { sum: Some(components), categories: 1 };
                        let add = |known: &mut Together| {
                            known.sum = known.sum.and_then(|sum| sum.plus(components));
                            known.categories += 1;
                        };
                        found.entry((area, agency, number)).and_modify(add).or_insert(one);
                    }
                };
                let rows = slab.breakdown_len(breakdown);
                if areas.len() * LOOK_UP_ROWS < rows {
                    areas.iter().flat_map(|area| slab.area_rows(*area, breakdown, view.as_of)).for_each(add);
                } else if view.spend(rows / ROWS_A_STEP).is_ok() {
                    slab.breakdown_rows(breakdown, view.as_of).for_each(add);
                }
            }
        }
        Self(found)
    }
}

/// The breakdowns of some slabs by one of the definition's dimensions alone, by dimension and category.
fn by_one_dimension(series: &Series<'_>, slabs: &[&Slab], period: Period) -> Vec<(DimensionNumber, BreakdownIx)> {
    let (view, dimensions) = (series.view(), &series.version(period).dimensions);
    let mut found = Vec::new();
    for breakdown in slabs.iter().flat_map(|slab| slab.breakdowns()).take_while(|_| view.spend(1).is_ok()) {
        let mut categories = view.columns.breakdown_at(breakdown).into_iter().flat_map(Breakdown::iter);
        let (Some((dimension, category)), None) = (categories.next(), categories.next()) else { continue };
        found.extend(dimensions.iter().position(|id| id == dimension).map(|number| (number, category, breakdown)));
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(number, _, breakdown)| (number, breakdown)).collect()
}

/// The total beside each dimension that it was broken down by.
fn breakdowns(
    series: &Series<'_>,
    (area, period): (AreaIx, Period),
    agency: AgencyIx,
    total: &Accumulator,
    figures: &ByCategory,
) -> Vec<Discrepancy> {
    let version = series.version(period);
    let rule = category_sum(version.kind);
    if rule == CategorySum::Unrelated {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, id) in version.dimensions.iter().enumerate() {
        let Some(Together { sum, categories }) = figures.0.get(&(area, agency, number)).copied() else { continue };
        let Some(dimension) = series.view().catalogue.dimension(id) else { continue };
        let sum = Accumulator { components: sum, too_large: sum.is_none(), ..Accumulator::default() };
        let is_all = categories == dimension.categories.len();
        let kind = DiscrepancyKind::Breakdown(dimension.id.clone());
        let compared = compare(series, period, agency, kind, total, &sum);
        let exceeds = |one: &Discrepancy| rule == CategorySum::Bounded && one.difference.mantissa() > 0;
        found.extend(compared.filter(|one| is_all || exceeds(one)));
    }
    found
}

fn compare(
    series: &Series<'_>,
    period: Period,
    agency: AgencyIx,
    kind: DiscrepancyKind,
    submitted: &Accumulator,
    parts: &Accumulator,
) -> Option<Discrepancy> {
    let version = series.version(period);
    let (submitted, parts) = (submitted.value(version)?.ok()?, parts.value(version)?.ok()?);
    if submitted.rounded == parts.rounded {
        return None;
    }
    let exact = parts.exact.checked_sub(submitted.exact)?;
    let difference = FigureValue::of(exact, version.decimals, version).ok()?.rounded;
    Some(Discrepancy { kind, agency, submitted: submitted.rounded, parts: parts.rounded, difference })
}

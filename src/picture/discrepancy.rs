//! Submitted figures that should agree and don't: a year and its months, a county and its districts,
//! a total and its breakdown. The submitted whole is what is answered; the difference is shown
//! beside it.

use std::collections::BTreeMap;

use super::accumulator::{Accumulator, ByAgency};
use super::combine::{CategorySum, Components, OverTime, category_sum};
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::decimal::Rounded;
use crate::model::id::{CategoryId, DimensionId};
use crate::model::observation::Breakdown;
use crate::model::period::Period;
use crate::state::columns::{BreakdownIx, Row, RowKey};

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

/// Every discrepancy of the figures submitted for an area and a period, by agency. The rules are in
/// docs/statistics.md, section 14.
pub(super) fn find(series: &mut Series<'_>, area: AreaIx, period: Period) -> Vec<Discrepancy> {
    let submitted = series.submitted.under_each_name(area, period);
    if submitted.is_empty() {
        return Vec::new();
    }
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
            found.extend(breakdowns(series, area, period, agency, &figure));
        }
    }
    found
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

/// The total beside each dimension that it was broken down by.
fn breakdowns(
    series: &Series<'_>,
    area: AreaIx,
    period: Period,
    agency: AgencyIx,
    total: &Accumulator,
) -> Vec<Discrepancy> {
    let version = series.version(period);
    let rule = category_sum(version.kind);
    if rule == CategorySum::Unrelated {
        return Vec::new();
    }
    let view = series.view();
    let categories = by_category(series, area, period, agency);
    let mut found = Vec::new();
    for dimension in version.dimensions.iter().filter_map(|id| view.catalogue.dimension(id)) {
        let mut sum = Accumulator::default();
        let figures = categories.iter().filter(|((id, _), _)| **id == dimension.id);
        let count = figures.map(|(_, figure)| sum.add(figure)).count();
        let is_all = count == dimension.categories.len();
        let kind = DiscrepancyKind::Breakdown(dimension.id.clone());
        let compared = compare(series, period, agency, kind, total, &sum);
        let exceeds = |one: &Discrepancy| rule == CategorySum::Bounded && one.difference.mantissa() > 0;
        found.extend(compared.filter(|one| is_all || exceeds(one)));
    }
    found
}

/// The figures that an agency submitted for an area and a period by one dimension, by category: of a stock's
/// several the first by the order of its names.
fn by_category<'a>(
    series: &Series<'a>,
    area: AreaIx,
    period: Period,
    agency: AgencyIx,
) -> BTreeMap<(&'a DimensionId, &'a CategoryId), Accumulator> {
    let view = series.view();
    let mut found = BTreeMap::new();
    for slab in series.submitted.names(period).into_iter().filter_map(|name| series.submitted.slab(name)) {
        for breakdown in slab.breakdowns().take_while(|_| view.spend(1).is_ok()) {
            let mut categories = view.columns.breakdown_at(breakdown).into_iter().flat_map(Breakdown::iter);
            let (Some((dimension, category)), None) = (categories.next(), categories.next()) else { continue };
            let row = slab.row(RowKey::new(area, breakdown, agency), view.as_of).filter(|row| row.value().is_some());
            if let Some(figure) = row.as_ref().and_then(whole) {
                found.entry((dimension, category)).or_insert(figure);
            }
        }
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

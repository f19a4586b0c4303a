//! Submitted figures that should agree and don't: a year and its months, a county and its districts,
//! a total and its breakdown. The submitted whole is what is answered; the difference is shown
//! beside it.

use super::accumulator::{Accumulator, ByAgency};
use super::combine::{Components, adds_over_areas};
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::decimal::Rounded;
use crate::model::id::DimensionId;
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;

/// What a submitted whole was put beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscrepancyKind {
    /// The figures of all of the period's subperiods.
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

/// Every discrepancy of the figures submitted for an area and a period, by agency.
pub(super) fn find(series: &mut Series<'_>, area: AreaIx, period: Period) -> Vec<Discrepancy> {
    let submitted: ByAgency = series
        .submitted
        .chosen(area, period)
        .into_iter()
        .filter_map(|(agency, (_, row))| {
            let components = Components::of(row.measure()?)?;
            Some((agency, Accumulator { components: Some(components), ..Accumulator::default() }))
        })
        .collect();
    if submitted.is_empty() {
        return Vec::new();
    }
    let over_time = series.over_time(area, period);
    let over_areas = series.over_areas(area, period);
    let mut found = Vec::new();
    for (agency, whole) in submitted.iter() {
        let built = [(DiscrepancyKind::OverTime, &over_time), (DiscrepancyKind::OverAreas, &over_areas)];
        for (kind, figures) in built {
            if let Some(parts) = figures.get(agency).filter(|parts| parts.is_complete()) {
                found.extend(compare(series, period, agency, kind, whole, parts));
            }
        }
        if series.submitted.breakdown() == Some(BreakdownIx::TOTAL) {
            found.extend(breakdowns(series, area, period, agency, whole));
        }
    }
    found
}

/// The total beside each dimension that it was broken down by.
fn breakdowns(
    series: &Series<'_>,
    area: AreaIx,
    period: Period,
    agency: AgencyIx,
    whole: &Accumulator,
) -> Vec<Discrepancy> {
    let view = series.view();
    let version = series.version(period);
    let Some(slab) = view.columns.slab(series.ix, period) else { return Vec::new() };
    let mut found = Vec::new();
    for dimension in version.dimensions.iter().filter_map(|id| view.catalogue.dimension(id)) {
        let mut sum = Accumulator::default();
        let mut categories_found = 0;
        for (breakdown, row) in slab.broken_down(area, agency, view.as_of) {
            let mut categories = view.columns.breakdown_at(breakdown).iter();
            let (Some((id, _)), None) = (categories.next(), categories.next()) else { continue };
            let components = row.measure().and_then(Components::of);
            if *id == dimension.id && components.is_some() {
                sum.add(&Accumulator { components, ..Accumulator::default() });
                categories_found += 1;
            }
        }
        let all = categories_found == dimension.categories.len();
        let kind = DiscrepancyKind::Breakdown(dimension.id.clone());
        let compared = compare(series, period, agency, kind, whole, &sum);
        found.extend(compared.filter(|one| all || (adds_over_areas(version.kind) && one.difference.mantissa() > 0)));
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

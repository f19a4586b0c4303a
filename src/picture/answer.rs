//! The rows that answer a picture or an aggregate query.

use std::collections::{BTreeSet, HashSet};

use super::aggregate::{Aggregate, Compared, Who};
use super::change::{Change, ChangeRule};
use super::derived::{self, Benchmark, Population, Rank, Rate, Rates, Share};
use super::figure::Figure;
use super::question::{AggregateQuery, PictureQuery, QueryBreakdown};
use super::resolve::Series;
use crate::catalogue::items::IndicatorVersion;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::decimal::Quotient;
use crate::model::id::CategoryId;
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;
use crate::state::view::View;

/// One indicator in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRow {
    /// The indicator's definition for the period.
    pub version: IndicatorVersion,
    /// Each agency that has reported or is expected to, by id.
    pub cells: Vec<PictureCell>,
    /// All of them together.
    pub combined: Figure,
    /// The change of the combined figure.
    pub change: Option<Change>,
}

/// One agency's figure in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureCell {
    /// The agency.
    pub agency: AgencyIx,
    /// Its figure.
    pub figure: Figure,
    /// The figure's change.
    pub change: Option<Change>,
}

/// The picture: a row for each indicator, by id.
pub fn picture(view: View<'_>, query: &PictureQuery) -> Vec<PictureRow> {
    let catalogue = view.catalogue;
    let is_wanted = |ix: &IndicatorIx| query.indicators.as_ref().is_none_or(|only| only.contains(ix));
    let indicators = catalogue.indicators_after(None);
    let indicators = indicators.filter_map(|indicator| catalogue.indicator(&indicator.newest().id));
    indicators
        .map(|(ix, _)| ix)
        .filter(is_wanted)
        .map(|ix| picture_row(view, query, ix))
        .filter(|row| !row.cells.is_empty() || query.indicators.is_some())
        .collect()
}

fn picture_row(view: View<'_>, query: &PictureQuery, ix: IndicatorIx) -> PictureRow {
    let mut series = Series::new(view, ix, Some(BreakdownIx::TOTAL), None);
    let rule = ChangeRule { comparison: query.comparison, across_breaks: false };
    let mut compared = Compared::of(&mut series, &[query.area], &[query.period], rule, |period| vec![period]);
    compared.now.find_discrepancies(&mut series, query.area, query.period);
    let mut agencies: Vec<AgencyIx> = compared.now.agencies().collect();
    agencies.sort_by(|a, b| view.catalogue.agency_at(*a).id.cmp(&view.catalogue.agency_at(*b).id));
    let cell = |agency: AgencyIx| {
        let (figure, change) = compared.figure(&series, Who::Agency(agency));
        PictureCell { agency, figure, change }
    };
    let cells = agencies.into_iter().map(cell).collect();
    let (combined, change) = compared.figure(&series, Who::Combined);
    PictureRow { version: series.version(query.period).clone(), cells, combined, change }
}

/// One answered figure, and what it is of. A key that is combined is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateRow {
    /// The indicator.
    pub indicator: IndicatorIx,
    /// The area.
    pub area: Option<AreaIx>,
    /// The agency.
    pub agency: Option<AgencyIx>,
    /// The period.
    pub period: Option<Period>,
    /// The category.
    pub category: Option<CategoryId>,
    /// The figure.
    pub figure: Figure,
    /// Its change.
    pub change: Option<Change>,
    /// Its rate.
    pub rate: Option<Rate>,
    /// Its share.
    pub share: Option<Share>,
    /// Its rank, when it has a value.
    pub rank: Option<Rank>,
    /// Its benchmark.
    pub benchmark: Option<Benchmark>,
}

/// The answer to a query that passed [`review`](super::question::review), by indicator, category, area,
/// agency and period.
pub fn aggregate(view: View<'_>, query: &AggregateQuery) -> Vec<AggregateRow> {
    let mut rows = Vec::new();
    for ix in &query.indicators {
        let mut rates = query.derived.rate.then(|| Rates::new(view, *ix));
        for breakdown in &query.breakdowns {
            let agencies = query.agencies.as_ref().map(|agencies| agencies.iter().copied().collect::<HashSet<_>>());
            let mut series = Series::new(view, *ix, breakdown.breakdown, agencies);
            let first = rows.len();
            for areas in groups(&query.areas, query.by_area) {
                let of_areas = rows.len();
                for periods in groups(&query.periods, query.by_period) {
                    answer(&mut series, query, breakdown, areas, periods, rates.as_mut(), &mut rows);
                }
                let id = |agency: AgencyIx| &view.catalogue.agency_at(agency).id;
                rows[of_areas..].sort_by_cached_key(|row| (row.agency.map(id), row.period));
            }
            if query.derived.rank {
                let unranked = rows.split_off(first);
                let values: Vec<_> = unranked.iter().map(AggregateRow::ranked_by).collect();
                let ranks = derived::ranks(&values, view.catalogue.indicator_at(*ix));
                rows.extend(unranked.into_iter().zip(ranks).map(|(row, rank)| AggregateRow { rank, ..row }));
            }
        }
    }
    rows
}

impl AggregateRow {
    /// The ranking that the row is in, and by what: its rate where there are rates.
    fn ranked_by(&self) -> ((Option<AgencyIx>, Option<Period>), Option<Quotient>) {
        let value = self.rate.as_ref().map_or(self.figure.value, |rate| rate.value);
        ((self.agency, self.period), value.ok().map(|value| value.exact))
    }
}

/// Each item for itself, or all of them together.
fn groups<T>(items: &[T], apart: bool) -> impl Iterator<Item = &[T]> {
    items.chunks(if apart { 1 } else { items.len().max(1) })
}

/// Adds the rows of some areas and some periods: one for all agencies together, or one for each.
fn answer(
    series: &mut Series<'_>,
    query: &AggregateQuery,
    breakdown: &QueryBreakdown,
    areas: &[AreaIx],
    periods: &[Period],
    rates: Option<&mut Rates<'_>>,
    rows: &mut Vec<AggregateRow>,
) {
    let group = |period: Period| {
        let to_date = if query.year_to_date { period.year_to_date() } else { None };
        to_date.unwrap_or_else(|| vec![period])
    };
    let mut compared = Compared::of(series, areas, periods, query.change, group);
    if let ([area], [period], false) = (areas, periods, query.year_to_date) {
        compared.now.find_discrepancies(series, *area, *period);
    }
    let version = series.version(periods[periods.len() - 1]);
    let aggregate_of = |areas: &[AreaIx]| Compared::of(series, areas, periods, ChangeRule::default(), group).now;
    let additions = Additions::of(query, areas, periods, rates, aggregate_of);
    let series = &*series;
    let row = |who| {
        let (figure, change) = compared.figure(series, who);
        let mut row = AggregateRow {
            indicator: series.ix,
            area: query.by_area.then(|| areas[0]),
            agency: match who {
                Who::Agency(agency) if query.by_agency => Some(agency),
                Who::Agency(_) | Who::Combined => None,
            },
            period: query.by_period.then(|| periods[0]),
            category: breakdown.category.clone(),
            figure,
            change,
            rate: None,
            share: None,
            rank: None,
            benchmark: None,
        };
        additions.add_to(&mut row, series, who, version);
        row
    };
    rows.extend(whose(query, &compared.now).into_iter().map(row));
}

/// What is added to the figures of some areas and some periods, but for ranks: those are among rows.
struct Additions {
    rate: Option<Population>,
    /// All areas asked for.
    total: Option<Aggregate>,
    benchmark: Option<Aggregate>,
    benchmark_rate: Option<Population>,
}

impl Additions {
    fn of(
        query: &AggregateQuery,
        areas: &[AreaIx],
        periods: &[Period],
        mut rates: Option<&mut Rates<'_>>,
        mut aggregate_of: impl FnMut(&[AreaIx]) -> Aggregate,
    ) -> Self {
        let (group, last) = (&query.derived.benchmark, periods[periods.len() - 1]);
        let benchmark = (!group.is_empty()).then(|| aggregate_of(group));
        Self {
            rate: rates.as_mut().map(|rates| rates.population(areas, last)),
            total: query.derived.share.then(|| aggregate_of(&query.areas)),
            benchmark_rate: benchmark.as_ref().and(rates).map(|rates| rates.population(group, last)),
            benchmark,
        }
    }

    fn add_to(&self, row: &mut AggregateRow, series: &Series<'_>, who: Who, version: &IndicatorVersion) {
        row.rate = self.rate.as_ref().map(|population| Rate::of(&row.figure, population, version));
        row.share = self.total.as_ref().map(|total| Share::of(&row.figure, total.figure(series, who), version));
        row.benchmark = self.benchmark.as_ref().map(|group| {
            let group = group.figure(series, who);
            let group_rate = self.benchmark_rate.as_ref().map(|population| Rate::of(&group, population, version));
            Benchmark::of(&row.figure, row.rate.as_ref(), group, group_rate, version)
        });
    }
}

/// Whose figures are answered: each agency's that is known or asked for, one agency's, or all
/// together.
fn whose(query: &AggregateQuery, aggregate: &Aggregate) -> Vec<Who> {
    let named = query.agencies.as_deref();
    match named {
        _ if query.by_agency => {
            let agencies: BTreeSet<AgencyIx> =
                aggregate.agencies().chain(named.into_iter().flatten().copied()).collect();
            agencies.into_iter().map(Who::Agency).collect()
        }
        Some([one]) => vec![Who::Agency(*one)],
        Some(_) | None => vec![Who::Combined],
    }
}

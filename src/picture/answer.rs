//! The rows that answer a picture or an aggregate query.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::aggregate::{Aggregate, Compared, Earlier, Who};
use super::among;
use super::derived::Benchmark;
use super::discrepancy::Discrepancies;
use super::figure::Figure;
use super::question::{AggregateQuery, PictureQuery, QUERY_CELLS_MAX, QueryBreakdown};
use super::rate::{Populations, Rate, Rates};
use super::resolve::Series;
pub use super::rows::{AggregateRow, PictureCell, PictureRow};
use crate::catalogue::items::IndicatorVersion;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;
use crate::state::view::View;

/// The steps of the work that a figure takes besides what goes into it.
const FIGURE_STEPS: usize = 4;

/// The picture: a row for each indicator, by id.
pub fn picture(view: View<'_>, query: &PictureQuery) -> Vec<PictureRow> {
    let catalogue = view.catalogue;
    let only = query.indicators.as_ref().map(|only| only.iter().copied().collect::<BTreeSet<IndicatorIx>>());
    let is_wanted = |ix: &IndicatorIx| only.as_ref().is_none_or(|only| only.contains(ix));
    let indicators = catalogue.indicators_after(None);
    let indicators = indicators.filter_map(|indicator| catalogue.indicator(&indicator.newest().id));
    let indicators: Vec<IndicatorIx> = indicators.map(|(ix, _)| ix).filter(is_wanted).collect();
    // Each area below is looked at for each, at least: where that is much already, nothing needs to be tried.
    let least = indicators.len().saturating_mul(view.parts(query.area, query.period).count());
    if view.foresee(u64::try_from(least).unwrap_or(u64::MAX)).is_err() {
        return Vec::new();
    }
    indicators
        .into_iter()
        .take_while(|_| view.spend(FIGURE_STEPS).is_ok())
        .filter_map(|ix| picture_row(view, query, ix))
        .filter(|row| !row.cells.is_empty() || query.indicators.is_some())
        .collect()
}

fn picture_row(view: View<'_>, query: &PictureQuery, ix: IndicatorIx) -> Option<PictureRow> {
    let mut series = Series::new(view, ix, Some(BreakdownIx::TOTAL), None);
    let areas = [query.area];
    let earlier = query.comparison.map(|comparison| {
        let period = comparison.earlier(query.period)?;
        Some(Earlier { period, areas: &areas, run: vec![period], unbroken_since: Some(period) })
    });
    let mut compared = Compared::groups(&mut series, &areas, false, &[query.period], earlier).pop()?;
    compared.now.find_discrepancies(&mut series, &Discrepancies::new(&areas, query.period));
    let mut agencies: Vec<AgencyIx> = compared.now.agencies().collect();
    let ranks = view.catalogue.agency_ranks();
    agencies.sort_unstable_by_key(|agency| ranks[agency.0 as usize]);
    let cell = |agency: AgencyIx| {
        let (figure, change) = compared.figure(&series, Who::Agency(agency));
        PictureCell { agency, figure, change }
    };
    let figures = (agencies.len() + 1) * if query.comparison.is_some() { 2 } else { 1 };
    view.spend(figures * FIGURE_STEPS).ok()?;
    let cells = agencies.into_iter().map(cell).collect();
    let (combined, change) = compared.figure(&series, Who::Combined);
    Some(PictureRow { indicator: ix, period: query.period, cells, combined, change })
}

/// The answer to a query that passed [`review`](super::review::review), by indicator, area, agency, period
/// and category: the total first, then the categories in the order of the catalogue.
pub fn aggregate(view: View<'_>, query: &AggregateQuery) -> Vec<AggregateRow> {
    let mut rows = Vec::new();
    for ix in &query.indicators {
        let first = rows.len();
        let mut rates = query.derived.rate.then(|| Rates::new(view, *ix));
        for breakdown in &query.breakdowns {
            let agencies = query.agencies.as_ref().map(|agencies| agencies.iter().copied().collect::<HashSet<_>>());
            let series = Series::new(view, *ix, breakdown.breakdown, agencies);
            let mut answer = Answer { query, breakdown, series };
            for periods in groups(&query.periods, query.by_period).take_while(|_| view.spend(0).is_ok()) {
                answer.add_rows(periods, rates.as_mut(), &mut rows);
            }
        }
        let is_sorted =
            !query.by_agency && query.breakdowns.len() == 1 && (!query.by_period || query.periods.len() == 1);
        if !is_sorted {
            sort(view, &mut rows[first..]);
        }
    }
    rows
}

/// Sorts rows by area, agency and period. It keeps the order of those of which all are equal, and so that of the
/// categories.
fn sort(view: View<'_>, rows: &mut [AggregateRow]) {
    let (areas, agencies) = (view.catalogue.area_ranks(), view.catalogue.agency_ranks());
    let key = |row: &AggregateRow| {
        let area = row.area.map(|area| areas[area.0 as usize]);
        (area, row.agency.map(|agency| agencies[agency.0 as usize]), row.period)
    };
    rows.sort_by_cached_key(key);
}

/// Each item for itself, or all of them together.
fn groups<T>(items: &[T], apart: bool) -> impl Iterator<Item = &[T]> {
    items.chunks(if apart { 1 } else { items.len().max(1) })
}

/// What is answered of one indicator under one breakdown.
struct Answer<'q, 'v> {
    query: &'q AggregateQuery,
    breakdown: &'q QueryBreakdown,
    series: Series<'v>,
}

/// A figure, and its rate where rates are asked for.
type FigureAndRate = (Rc<Figure>, Option<Rate>);

/// What the rows of a run of periods share.
struct Group<'a, 'v> {
    /// The periods as they were asked for.
    periods: &'a [Period],
    /// The periods that they stand for.
    run: Vec<Period>,
    version: &'a IndicatorVersion,
    benchmark: Option<Aggregate<'a, 'v>>,
    /// Of figures that are each of one area and one period.
    discrepancies: Option<Discrepancies<'a>>,
    /// Its figures and rates, which many rows have beside theirs.
    benchmarks: RefCell<HashMap<Who, FigureAndRate>>,
}

impl<'v> Answer<'_, 'v> {
    /// Adds the rows of some periods: one, or several together.
    fn add_rows(&mut self, periods: &[Period], rates: Option<&mut Rates<'v>>, rows: &mut Vec<AggregateRow>) {
        let (query, first) = (self.query, rows.len());
        let last = periods[periods.len() - 1];
        let areas = query.areas.of(last);
        let run = query.run(periods);
        let benchmark_areas = query.derived.benchmark.as_slice();
        let benchmark = (!benchmark_areas.is_empty()).then(|| Aggregate::of(&mut self.series, benchmark_areas, &run));
        let version = self.series.version(last);
        let discrepancies = match run.as_slice() {
            [period] if query.by_area || areas.len() == 1 => Some(Discrepancies::new(areas, *period)),
            _ => None,
        };
        let group = Group { periods, run, version, benchmark, discrepancies, benchmarks: RefCell::default() };
        let mut populations = rates.map(|rates| {
            let each = if query.by_area { areas } else { &[] };
            Populations::new(rates, self.breakdown, last, each)
        });
        let earlier = earlier(query, areas, &group);
        let compared = Compared::groups(&mut self.series, areas, query.by_area, &group.run, earlier);
        // Rows are large: what has to grow for them is copied.
        rows.reserve(compared.len());
        for (areas, compared) in groups(areas, query.by_area).zip(compared) {
            if self.series.view().spend(1).is_err() {
                return;
            }
            self.add_rows_of(areas, compared, &group, populations.as_mut(), rows);
        }
        let total = query.derived.share.then(|| Aggregate::of(&mut self.series, areas, &group.run));
        let series = &self.series;
        let total = total.as_ref().map(|total| {
            |agency: Option<AgencyIx>| total.figure(series, agency.map_or_else(|| together(query), Who::Agency))
        });
        if query.derived.share || query.derived.rank {
            among::add(&mut rows[first..], group.version, total.as_ref(), query.derived.rank);
        }
    }

    /// Adds the rows of some areas: one for all agencies together, or one for each.
    fn add_rows_of(
        &mut self,
        areas: &[AreaIx],
        mut compared: Compared<'_, 'v>,
        group: &Group<'_, 'v>,
        mut populations: Option<&mut Populations<'_, 'v>>,
        rows: &mut Vec<AggregateRow>,
    ) {
        let (query, series) = (self.query, &mut self.series);
        if let Some(discrepancies) = &group.discrepancies {
            compared.now.find_discrepancies(series, discrepancies);
        }
        let series = &*series;
        let mut rate_of = |figure: &Figure, aggregate: &Aggregate<'_, 'v>, who| {
            let populations = populations.as_mut()?;
            let population = populations.of(aggregate.areas(), aggregate.behind(series, who))?;
            Some(Rate::of(figure, &population, group.version))
        };
        let row = |who| {
            let (figure, change) = compared.figure(series, who);
            let rate = rate_of(&figure, &compared.now, who);
            let benchmark = group.benchmark.as_ref().map(|aggregate| {
                let mut known = group.benchmarks.borrow_mut();
                let (theirs, their_rate) = known.entry(who).or_insert_with(|| {
                    let theirs = aggregate.figure(series, who);
                    let rate = rate_of(&theirs, aggregate, who);
                    (theirs, rate)
                });
                Box::new(Benchmark::of(&figure, rate.as_ref(), theirs, their_rate.clone(), group.version))
            });
            AggregateRow {
                indicator: series.ix,
                area: query.by_area.then(|| areas[0]),
                agency: match who {
                    Who::Agency(agency) if query.by_agency => Some(agency),
                    Who::Agency(_) | Who::Combined => None,
                },
                period: query.by_period.then(|| group.periods[0]),
                category: self.breakdown.category.clone(),
                figure,
                change,
                rate: rate.map(Box::new),
                share: None,
                rank: None,
                benchmark,
            }
        };
        let each = if query.by_agency { each_agency(query, &compared.now) } else { Vec::new() };
        let whose = if query.by_agency { each.as_slice() } else { &[together(query)] };
        // So many rows are too many to hold, whatever was foreseen.
        let steps = if compared.now.is_nothing() { 1 } else { FIGURE_STEPS };
        let steps = if rows.len() + whose.len() > QUERY_CELLS_MAX { usize::MAX } else { steps };
        let goes_on = |_: &Who| series.view().spend(steps).is_ok();
        rows.extend(whose.iter().copied().take_while(goes_on).map(row));
    }
}

/// What the figures of some areas are compared with: those of the same areas, or of all that were asked for
/// of the earlier period.
fn earlier<'a>(query: &'a AggregateQuery, areas: &'a [AreaIx], group: &Group<'_, '_>) -> Option<Option<Earlier<'a>>> {
    let comparison = query.change.comparison?;
    Some(comparison.earlier(group.periods[0]).map(|period| Earlier {
        period,
        areas: if query.by_area { areas } else { query.areas.of(period) },
        run: query.run(&[period]),
        unbroken_since: (!query.change.across_breaks).then(|| query.first_of_run(period)),
    }))
}

/// Each agency that is known or asked for.
fn each_agency(query: &AggregateQuery, aggregate: &Aggregate<'_, '_>) -> Vec<Who> {
    let named = query.agencies.iter().flatten().copied();
    let agencies: BTreeSet<AgencyIx> = aggregate.agencies().chain(named).collect();
    agencies.into_iter().map(Who::Agency).collect()
}

/// Whose figure is answered where agencies aren't kept apart.
fn together(query: &AggregateQuery) -> Who {
    match query.agencies.as_deref() {
        Some([one]) => Who::Agency(*one),
        Some(_) | None => Who::Combined,
    }
}

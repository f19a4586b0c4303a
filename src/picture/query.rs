//! The questions that can be asked, and their answers.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::answer::{Change, ChangeRule, Comparison, Figure};
use super::columns::BreakdownIx;
use super::combine::{OverTime, over_time};
use super::derived::{self, Benchmark, Rank, Rate, Rates, Share};
use super::discrepancy;
use super::resolve::Series;
use super::together::{Compared, Together, Who};
use super::view::View;
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::id::CategoryId;
use crate::model::period::Period;
use crate::model::violation::Violations;

/// The most figures that one query may rest on: indicators × areas × periods × categories.
pub const QUERY_CELLS_MAX: usize = 200_000;

/// Asks for the picture of an area and a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureQuery {
    /// The area.
    pub area: AreaIx,
    /// The period.
    pub period: Period,
    /// Only these indicators; all that anything is expected or known of when none.
    pub indicators: Option<Vec<IndicatorIx>>,
    /// What to compare with.
    pub comparison: Option<Comparison>,
}

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
    let asked = |ix: &IndicatorIx| query.indicators.as_ref().is_none_or(|only| only.contains(ix));
    let indicators = catalogue.indicators_after(None);
    let indicators = indicators.filter_map(|indicator| catalogue.indicator(&indicator.newest().id));
    indicators
        .map(|(ix, _)| ix)
        .filter(asked)
        .map(|ix| picture_row(view, query, ix))
        .filter(|row| !row.cells.is_empty() || query.indicators.is_some())
        .collect()
}

fn picture_row(view: View<'_>, query: &PictureQuery, ix: IndicatorIx) -> PictureRow {
    let mut series = Series::new(view, ix, Some(BreakdownIx::TOTAL), None);
    let rule = ChangeRule { comparison: query.comparison, across_breaks: false };
    let compared = Compared::of(&mut series, &[query.area], &[query.period], rule, |period| vec![period]);
    let told = discrepancy::find(&mut series, query.area, query.period, &compared.now);
    let mut agencies: Vec<AgencyIx> = compared.now.agencies().collect();
    agencies.sort_by(|a, b| view.catalogue.agency_at(*a).id.cmp(&view.catalogue.agency_at(*b).id));
    let cell = |agency: AgencyIx| {
        let (mut figure, change) = compared.figure(&series, Who::Agency(agency));
        figure.discrepancies = told.iter().filter(|told| told.agency == agency).cloned().collect();
        PictureCell { agency, figure, change }
    };
    let cells = agencies.into_iter().map(cell).collect();
    let (mut combined, change) = compared.figure(&series, Who::Combined);
    combined.discrepancies = told.iter().filter(|told| told.counts_in(&series, query.period)).cloned().collect();
    PictureRow { version: series.version(query.period).clone(), cells, combined, change }
}

/// Asks for figures of some indicators, areas, agencies and periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateQuery {
    /// The indicators, each once.
    pub indicators: Vec<IndicatorIx>,
    /// The areas, each once, by code.
    pub areas: Vec<AreaIx>,
    /// Only these agencies; all when none.
    pub agencies: Option<Vec<AgencyIx>>,
    /// The periods, each once, ascending.
    pub periods: Vec<Period>,
    /// The breakdowns, each kept apart: at least one.
    pub breakdowns: Vec<AskedBreakdown>,
    /// Keep indicators apart.
    pub by_indicator: bool,
    /// Keep areas apart.
    pub by_area: bool,
    /// Keep agencies apart.
    pub by_agency: bool,
    /// Keep periods apart.
    pub by_period: bool,
    /// What to compare with.
    pub change: ChangeRule,
    /// Each period stands for all of its length from the first of its financial year up to it.
    pub year_to_date: bool,
    /// What to add to each figure.
    pub derived: Derived,
}

/// A breakdown that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBreakdown {
    /// The category, where a dimension's are kept apart; none for the breakdown as it was asked for.
    pub category: Option<CategoryId>,
    /// The breakdown; none for one that nothing was ever submitted under.
    pub breakdown: Option<BreakdownIx>,
}

impl AskedBreakdown {
    /// The total.
    pub const TOTAL: Self = Self { category: None, breakdown: Some(BreakdownIx::TOTAL) };
}

/// What can be added to each figure of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derived {
    /// The rate.
    pub rate: bool,
    /// The share of all areas asked for.
    pub share: bool,
    /// The rank among the areas asked for.
    pub rank: bool,
    /// The areas whose figure together is the benchmark; none for no benchmark.
    pub benchmark: Vec<AreaIx>,
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

/// Every reason why a query has no right answer.
pub fn review(view: View<'_>, query: &AggregateQuery) -> Violations {
    let mut violations = Violations::default();
    let cells = query.indicators.len() * query.areas.len() * query.periods.len() * query.breakdowns.len();
    if cells > QUERY_CELLS_MAX {
        violations.add(
            "indicators",
            format!(
                "{} indicators × {} areas × {} periods × {} breakdowns are {cells} figures; allowed: {QUERY_CELLS_MAX}. Ask for fewer of one of them",
                query.indicators.len(),
                query.areas.len(),
                query.periods.len(),
                query.breakdowns.len()
            ),
        );
        return violations;
    }
    if query.indicators.len() > 1 && !query.by_indicator {
        violations.add("group_by", "several indicators never combine; group by indicator, or ask for one");
    }
    if query.change.comparison.is_some() && query.periods.len() > 1 && !query.by_period {
        violations
            .add("comparison", "several periods together have no earlier period; group by period, or ask for one");
    }
    if !query.by_period || query.year_to_date {
        review_periods(view, query, &mut violations);
    }
    if query.year_to_date {
        review_year_to_date(query, &mut violations);
    }
    if !query.by_area || query.derived.share {
        let field = if query.by_area { "share" } else { "areas" };
        review_areas(view, field, &query.areas, query, &mut violations);
    }
    review_areas(view, "benchmark_areas", &query.derived.benchmark, query, &mut violations);
    if !query.by_agency && query.agencies.as_ref().is_none_or(|agencies| agencies.len() > 1) {
        review_agencies(view, query, &mut violations);
    }
    derived::review(view, query, &mut violations);
    violations
}

fn review_periods(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    if !query.by_period {
        for pair in query.periods.windows(2) {
            if pair[0].frequency() != pair[1].frequency() || pair[0].next().map(Period::slot) != Some(pair[1].slot()) {
                violations.add(
                    "periods",
                    format!(
                        "{} and {} are combined; allowed: consecutive periods of one length. Or group by period",
                        pair[0], pair[1]
                    ),
                );
            }
        }
    }
    for ix in &query.indicators {
        let indicator = view.catalogue.indicator_at(*ix);
        let combines = query.year_to_date || query.periods.len() > 1;
        if combines && over_time(indicator.kind()) == OverTime::Never {
            let id = &indicator.newest().id;
            violations.add(
                if query.year_to_date { "year_to_date" } else { "group_by" },
                format!(
                    "`{id}` counts distinct people, who would be counted once for each period; group by period, or ask for a period that was submitted"
                ),
            );
        }
    }
}

fn review_year_to_date(query: &AggregateQuery, violations: &mut Violations) {
    if query.periods.len() > 1 && !query.by_period {
        violations
            .add("year_to_date", "several periods overlap when each is cumulative; group by period, or ask for one");
    }
    for period in query.periods.iter().filter(|period| period.year_to_date().is_none()) {
        let length = period.frequency();
        violations
            .add("year_to_date", format!("found `{period}`, a {length}; allowed: months, quarters and half years"));
    }
}

fn review_areas(view: View<'_>, field: &str, areas: &[AreaIx], query: &AggregateQuery, violations: &mut Violations) {
    let days: BTreeSet<Date> = query.periods.iter().flat_map(|period| hierarchy_days(view, *period)).collect();
    for inner in areas {
        for outer in areas.iter().filter(|outer| *outer != inner) {
            if days.iter().any(|day| view.catalogue.hierarchy(*day).is_within(*inner, *outer)) {
                violations.add(
                    field,
                    format!(
                        "{} lies within {}, and would be counted twice; group by area, or leave one out",
                        view.catalogue.area_at(*inner).code,
                        view.catalogue.area_at(*outer).code
                    ),
                );
            }
        }
    }
}

/// The days whose hierarchy decides what a period's figures are built from: its own and those of its
/// parts.
fn hierarchy_days(view: View<'_>, period: Period) -> Vec<Date> {
    period.parts().into_iter().flat_map(|part| hierarchy_days(view, part)).chain([view.hierarchy_day(period)]).collect()
}

fn review_agencies(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    let Some(last) = query.periods.last() else { return };
    for ix in &query.indicators {
        let version = view.catalogue.indicator_at(*ix).version_for(*last);
        if version.across_agencies == AcrossAgencies::SideBySide {
            violations.add(
                "group_by",
                format!(
                    "the agencies' figures of `{}` are views of one thing and stay side by side; group by agency, or ask for one agency",
                    version.id
                ),
            );
        }
    }
}

/// The answer to a query that passed [`review`], by indicator, category, area, agency and period.
pub fn aggregate(view: View<'_>, query: &AggregateQuery) -> Vec<AggregateRow> {
    let mut rows = Vec::new();
    for ix in &query.indicators {
        let mut rates = query.derived.rate.then(|| Rates::new(view, *ix));
        for asked in &query.breakdowns {
            let agencies = query.agencies.as_ref().map(|agencies| agencies.iter().copied().collect::<HashSet<_>>());
            let mut series = Series::new(view, *ix, asked.breakdown, agencies);
            let first = rows.len();
            for areas in groups(&query.areas, query.by_area) {
                let mut answers = BTreeMap::new();
                for periods in groups(&query.periods, query.by_period) {
                    for (who, row) in answer(&mut series, query, asked, areas, periods, rates.as_mut()) {
                        let id = match who {
                            Who::Agency(agency) => Some(&view.catalogue.agency_at(agency).id),
                            Who::Combined => None,
                        };
                        answers.insert((id, periods[0]), row);
                    }
                }
                rows.extend(answers.into_values());
            }
            if query.derived.rank {
                derived::rank(&mut rows[first..], view.catalogue.indicator_at(*ix));
            }
        }
    }
    rows
}

/// Each item for itself, or all of them together.
fn groups<T>(items: &[T], apart: bool) -> impl Iterator<Item = &[T]> {
    items.chunks(if apart { 1 } else { items.len().max(1) })
}

/// The rows of some areas and some periods: one for all agencies together, or one for each.
fn answer(
    series: &mut Series<'_>,
    query: &AggregateQuery,
    asked: &AskedBreakdown,
    areas: &[AreaIx],
    periods: &[Period],
    mut rates: Option<&mut Rates<'_>>,
) -> Vec<(Who, AggregateRow)> {
    let group = |period: Period| {
        let to_date = if query.year_to_date { period.year_to_date() } else { None };
        to_date.unwrap_or_else(|| vec![period])
    };
    let compared = Compared::of(series, areas, periods, query.change, group);
    let told = match (areas, periods) {
        ([area], [period]) if !query.year_to_date => discrepancy::find(series, *area, *period, &compared.now),
        _ => Vec::new(),
    };
    let together = |series: &mut Series<'_>, areas: &[AreaIx]| {
        Compared::of(series, areas, periods, ChangeRule::default(), group).now
    };
    let all_areas = query.derived.share.then(|| together(series, &query.areas));
    let benchmark = (!query.derived.benchmark.is_empty()).then(|| together(series, &query.derived.benchmark));
    let last = periods[periods.len() - 1];
    let rate = rates.as_mut().map(|rates| rates.population(areas, last));
    let benchmark_rate = benchmark.as_ref().and(rates).map(|rates| rates.population(&query.derived.benchmark, last));
    let series = &*series;
    let version = series.version(last);
    whose(query, &compared.now)
        .into_iter()
        .map(|who| {
            let (mut figure, change) = compared.figure(series, who);
            figure.discrepancies = told
                .iter()
                .filter(|told| match who {
                    Who::Agency(agency) => told.agency == agency,
                    Who::Combined => told.counts_in(series, last),
                })
                .cloned()
                .collect();
            let rate = rate.as_ref().map(|population| Rate::of(&figure, population, version));
            let share = all_areas.as_ref().map(|all| Share::of(&figure, all.figure(series, who), version));
            let benchmark = benchmark.as_ref().map(|group| {
                let group = group.figure(series, who);
                let group_rate = benchmark_rate.as_ref().map(|population| Rate::of(&group, population, version));
                Benchmark::of(&figure, rate.as_ref(), group, group_rate, version)
            });
            let row = AggregateRow {
                indicator: series.ix,
                area: query.by_area.then(|| areas[0]),
                agency: match who {
                    Who::Agency(agency) if query.by_agency => Some(agency),
                    Who::Agency(_) | Who::Combined => None,
                },
                period: query.by_period.then(|| periods[0]),
                category: asked.category.clone(),
                figure,
                change,
                rate,
                share,
                rank: None,
                benchmark,
            };
            (who, row)
        })
        .collect()
}

/// Whose figures are answered: each agency's that is known or asked for, one agency's, or all
/// together.
fn whose(query: &AggregateQuery, together: &Together) -> Vec<Who> {
    let asked = query.agencies.as_deref();
    match asked {
        _ if query.by_agency => {
            let agencies: BTreeSet<AgencyIx> =
                together.agencies().chain(asked.into_iter().flatten().copied()).collect();
            agencies.into_iter().map(Who::Agency).collect()
        }
        Some([one]) => vec![Who::Agency(*one)],
        Some(_) | None => vec![Who::Combined],
    }
}

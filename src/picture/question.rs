//! The queries of the picture and of aggregates, and whether they have a right answer.

use std::collections::BTreeSet;

use super::areas::Areas;
use super::change::{ChangeRule, Comparison};
use super::combine::{OverTime, adds_over_areas, over_time};
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy, IndicatorIx};
use crate::model::date::Date;
use crate::model::id::{CategoryId, DimensionId};
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::state::columns::BreakdownIx;
use crate::state::view::View;

/// The most figures that one query may rest on: indicators × areas × periods × categories.
pub const QUERY_CELLS_MAX: usize = 200_000;

/// The most work that one answer may take, in figures looked at: for each of those that it rests on, one by each agency
/// that is asked for or expected, and for each what is added to it.
pub const QUERY_WORK_MAX: u64 = 20_000_000;

/// The most periods of which a year to date is put together: months are the shortest.
const YEAR_TO_DATE_FIGURES: usize = 12;

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

/// Asks for figures of some indicators, areas, agencies and periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateQuery {
    /// The indicators, each once.
    pub indicators: Vec<IndicatorIx>,
    /// The areas.
    pub areas: Areas,
    /// Only these agencies; all when none.
    pub agencies: Option<Vec<AgencyIx>>,
    /// The periods, each once, ascending.
    pub periods: Vec<Period>,
    /// The breakdowns, each kept apart: at least one.
    pub breakdowns: Vec<QueryBreakdown>,
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

impl AggregateQuery {
    /// The periods that some stand for: themselves, or of one its year to date.
    pub(super) fn run(&self, periods: &[Period]) -> Vec<Period> {
        let to_date = match periods {
            [period] if self.year_to_date => period.year_to_date(),
            _ => None,
        };
        to_date.unwrap_or_else(|| periods.to_vec())
    }

    /// The first period of the length asked for of those that one stands for.
    pub(super) fn first_of_run(&self, period: Period) -> Period {
        let first = if self.year_to_date { period.first_of_financial_year() } else { None };
        first.unwrap_or(period)
    }

    /// The runs of periods that are answered together.
    fn runs(&self) -> impl Iterator<Item = &[Period]> {
        self.periods.chunks(if self.by_period { 1 } else { self.periods.len().max(1) })
    }
}

/// A breakdown that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryBreakdown {
    /// The category, where a dimension's are kept apart; none for the breakdown as it was asked for.
    pub category: Option<CategoryId>,
    /// The breakdown; none for one that nothing was ever submitted under.
    pub breakdown: Option<BreakdownIx>,
    /// The dimensions that it is by.
    pub dimensions: Vec<DimensionId>,
}

impl QueryBreakdown {
    /// The total.
    pub const TOTAL: Self = Self { category: None, breakdown: Some(BreakdownIx::TOTAL), dimensions: Vec::new() };
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

/// Every reason why a query has no right answer.
pub fn review(view: View<'_>, query: &AggregateQuery) -> Violations {
    let mut violations = Violations::default();
    let areas = query.areas.most();
    let cells = query.indicators.len() * areas * query.periods.len() * query.breakdowns.len();
    if cells > QUERY_CELLS_MAX {
        violations.add(
            "indicators",
            format_args!(
                "{} indicators × {} areas × {} periods × {} breakdowns are {cells} figures; allowed: {QUERY_CELLS_MAX}. Ask for fewer of one of them",
                query.indicators.len(),
                areas,
                query.periods.len(),
                query.breakdowns.len()
            ),
        );
        return violations;
    }
    let work = Work::of(view, query);
    if work.figures() > QUERY_WORK_MAX {
        work.refuse(&mut violations);
    }
    // What takes more than it may here is reviewed where it may.
    if !violations.is_empty() || view.foresee(work.figures()).is_err() {
        return violations;
    }
    if query.indicators.len() > 1 && !query.by_indicator {
        violations.add("group_by", "several indicators never combine; group by indicator, or ask for one");
    }
    if query.change.comparison.is_some() && query.periods.len() > 1 && !query.by_period {
        violations
            .add("comparison", "several periods together have no earlier period; group by period, or ask for one");
    }
    if !query.by_period {
        review_area_lists(view, query, &mut violations);
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
    let group = Areas::listed(query.derived.benchmark.clone());
    review_areas(view, "benchmark_areas", &group, query, &mut violations);
    if !query.by_agency && query.agencies.as_ref().is_none_or(|agencies| agencies.len() > 1) {
        review_agencies(view, query, &mut violations);
    }
    review_derived(view, query, &mut violations);
    violations
}

/// How many figures are looked at for an answer, counted before any is.
struct Work {
    series: usize,
    areas: usize,
    periods: usize,
    /// Those asked for, or expected to report.
    agencies: usize,
    /// How many figures of an agency and an area a period has: of those asked about, or of those reported for.
    of_period: usize,
    /// The figure, and what is added to it.
    each: usize,
    /// The areas of the benchmark, once a period.
    benchmark: usize,
}

impl Work {
    fn of(view: View<'_>, query: &AggregateQuery) -> Self {
        let areas = query.areas.most();
        let expected = query.indicators.iter().flat_map(|ix| view.catalogue.indicator_at(*ix).versions());
        let expected = expected.flat_map(|version| &version.expected_agencies);
        let expected: BTreeSet<AgencyIx> =
            expected.filter_map(|named| view.catalogue.agency(&named.agency)).map(|(agency, _)| agency).collect();
        let reported: usize = expected.iter().map(|agency| view.catalogue.reports_for(*agency).len()).sum();
        let agencies = query.agencies.as_ref().map_or(expected.len(), Vec::len).max(1);
        let is_row_each = query.by_agency && query.agencies.is_some();
        let of_each = areas.saturating_mul(agencies);
        let of_period = if is_row_each { of_each } else { of_each.min(areas + reported) };
        let Derived { rate, share, rank, benchmark } = &query.derived;
        let added = [query.change.comparison.is_some(), *rate, *share, *rank, !benchmark.is_empty()];
        let months = if query.year_to_date { YEAR_TO_DATE_FIGURES } else { 1 };
        Self {
            series: query.indicators.len() * query.breakdowns.len(),
            areas,
            periods: query.periods.len(),
            agencies,
            of_period,
            each: months * (1 + added.into_iter().map(usize::from).sum::<usize>()),
            benchmark: benchmark.len(),
        }
    }

    fn figures(&self) -> u64 {
        let of_period = self.of_period.saturating_mul(self.each).saturating_add(self.benchmark);
        let factors = [of_period, self.series, self.periods];
        factors.into_iter().map(|factor| u64::try_from(factor).unwrap_or(u64::MAX)).fold(1, u64::saturating_mul)
    }

    /// That it is too much, at each field that less of can be asked for.
    fn refuse(&self, violations: &mut Violations) {
        let Self { series, areas, periods, agencies, each, .. } = self;
        let figures = self.figures();
        for (field, found) in [("areas", areas), ("periods", periods), ("agencies", agencies)] {
            violations.add(
                field,
                format_args!(
                    "found {found}; {areas} areas, {periods} periods, {agencies} agencies and {series} indicators and breakdowns, each with {each} figures to look at, are {figures} in all; allowed: {QUERY_WORK_MAX}. Ask for fewer {field}, or for fewer of the others"
                ),
            );
        }
    }
}

fn review_periods(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    if !query.by_period {
        for pair in query.periods.windows(2) {
            if pair[0].frequency() != pair[1].frequency()
                || pair[0].next().map(Period::storage_key) != Some(pair[1].storage_key())
            {
                violations.add(
                    "periods",
                    format_args!(
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
                format_args!(
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
        let length = period.frequency().with_article();
        violations.add(
            "year_to_date",
            format_args!("found `{period}`, {length}; allowed: months, quarters, half years and financial years"),
        );
    }
}

/// The areas of a level are each period's own; several periods together have one list, or no answer.
fn review_area_lists(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    let Some(pair) = query.periods.windows(2).find(|pair| query.areas.of(pair[0]) != query.areas.of(pair[1])) else {
        return;
    };
    let (before, after) = (query.areas.of(pair[0]), query.areas.of(pair[1]));
    let sets = [before, after].map(|areas| areas.iter().copied().collect::<BTreeSet<AreaIx>>());
    let differs = before.iter().find(|area| !sets[1].contains(area));
    let differs = differs.or_else(|| after.iter().find(|area| !sets[0].contains(area)));
    let code = differs.map(|area| view.catalogue.area_at(*area).code.to_string()).unwrap_or_default();
    violations.add(
        "area_level",
        format_args!(
            "{} and {} are combined, and have different areas of that level, such as {code}; group by period, ask for periods that have the same areas, or name the areas",
            pair[0], pair[1]
        ),
    );
}

/// Areas that are combined don't lie within each other, in any hierarchy that their figures are built by.
fn review_areas(view: View<'_>, field: &str, areas: &Areas, query: &AggregateQuery, violations: &mut Violations) {
    let mut seen: Vec<(&[AreaIx], &Hierarchy)> = Vec::new();
    let mut nested = BTreeSet::new();
    for run in query.runs() {
        let earlier = query.change.comparison.and_then(|comparison| comparison.earlier(run[0]));
        for (asked, run) in
            earlier.iter().map(|earlier| (*earlier, std::slice::from_ref(earlier))).chain([(run[run.len() - 1], run)])
        {
            let list = areas.of(asked);
            for day in query.run(run).into_iter().flat_map(|period| hierarchy_days(view, period)) {
                let hierarchy = view.catalogue.hierarchy(day);
                if !seen.iter().any(|(known, of)| std::ptr::eq(*known, list) && std::ptr::eq(*of, hierarchy)) {
                    seen.push((list, hierarchy));
                    nested.extend(hierarchy.nested(list));
                }
            }
        }
    }
    let code = |area: AreaIx| &view.catalogue.area_at(area).code;
    let mut nested: Vec<_> = nested.into_iter().map(|(inner, outer)| (code(inner), code(outer))).collect();
    nested.sort();
    for (inner, outer) in nested {
        let what = format!("{inner} lies within {outer}, and would be counted twice; group by area, or leave one out");
        violations.add(field, what);
    }
}

/// The days whose hierarchy decides what a period's figures are built from: its own and those of its
/// subperiods.
fn hierarchy_days(view: View<'_>, period: Period) -> Vec<Date> {
    period
        .subperiods()
        .into_iter()
        .flat_map(|subperiod| hierarchy_days(view, subperiod))
        .chain([view.hierarchy_day(period)])
        .collect()
}

fn review_agencies(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    let Some(last) = query.periods.last() else { return };
    for ix in &query.indicators {
        let version = view.catalogue.indicator_at(*ix).version_for(*last);
        if version.across_agencies == AcrossAgencies::SideBySide {
            violations.add(
                "group_by",
                format_args!(
                    "the agencies' figures of `{}` are views of one thing and stay side by side; group by agency, or ask for one agency",
                    version.id
                ),
            );
        }
    }
}

/// Every reason why what is asked to be added has no right answer.
fn review_derived(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    let asked = &query.derived;
    for (field, needs_area) in [("share", asked.share), ("rank", asked.rank)] {
        if needs_area && !query.by_area {
            violations.add(field, "allowed only grouped by area");
        }
    }
    for version in versions(view, query) {
        let id = &version.id;
        if asked.rate && version.rate.is_none() {
            violations.add(
                "rate",
                format_args!("`{id}` has no rate rule in the catalogue; allowed for indicators that have one"),
            );
        }
        if asked.share && !adds_over_areas(version.kind) {
            violations.add(
                "share",
                format_args!(
                    "`{id}` is of kind {}, which is no part of a total; allowed for kinds that add",
                    version.kind
                ),
            );
        }
        if !asked.benchmark.is_empty() && adds_over_areas(version.kind) && !asked.rate {
            violations.add(
                "benchmark_areas",
                format_args!("`{id}` counts, and a group's count is no benchmark for one area; ask for its rate too"),
            );
        }
    }
}

/// The versions of the indicators asked for, each once, in force for the periods asked for.
fn versions<'a>(view: View<'a>, query: &AggregateQuery) -> Vec<&'a IndicatorVersion> {
    let mut versions: Vec<&IndicatorVersion> = Vec::new();
    for ix in &query.indicators {
        let indicator = view.catalogue.indicator_at(*ix);
        let first = versions.len();
        for period in &query.periods {
            let version = indicator.version_for(*period);
            // Of one indicator, whose versions are few.
            if !versions[first..].iter().any(|known| std::ptr::eq(*known, version)) {
                versions.push(version);
            }
        }
    }
    versions
}

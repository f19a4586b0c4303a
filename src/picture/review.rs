//! Whether a query has a right answer.

use std::collections::BTreeSet;

use super::areas::Areas;
use super::combine::{OverTime, adds_over_areas, over_time};
use super::question::{AggregateQuery, QUERY_CELLS_MAX};
use super::work::Work;
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion};
use crate::catalogue::{AreaIx, Hierarchy};
use crate::model::date::Date;
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::state::view::View;

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
    work.review(&mut violations);
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

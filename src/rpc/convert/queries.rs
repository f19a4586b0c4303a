//! Requests as queries: what is asked for, looked up in the catalogue, with every violation.

use super::look_up::{agencies, find, find_agency, find_area, find_indicator, find_indicators};
use super::query_areas::{areas, benchmark, refuse_ended};
use super::query_periods::{PICTURE_COMPARISON, comparison, periods};
use crate::catalogue::IndicatorIx;
use crate::catalogue::items::Category;
use crate::catalogue::suggest::did_you_mean;
use crate::model::nearest::nearest;
use crate::model::observation::Breakdown;
use crate::model::revision::Revision;
use crate::model::violation::{NO_SUCH, Violations};
use crate::picture::aggregate::Who;
use crate::picture::change::ChangeRule;
use crate::picture::changes::ChangesQuery;
use crate::picture::completeness::{AskedPeriods, CompletenessQuery};
use crate::picture::explain::ExplainQuery;
use crate::picture::history::HistoryQuery;
use crate::picture::question::{AggregateQuery, Derived, PictureQuery, QUERY_CELLS_MAX, QueryBreakdown};
use crate::picture::reconcile::ReconcileQuery;
use crate::picture::review::review;
use crate::rpc::{convert, proto};
use crate::state::view::{AreasAsOf, View};

/// Which hierarchy a request asks for.
pub(crate) fn areas_as_of(code: i32, violations: &mut Violations) -> AreasAsOf {
    match proto::AreasAsOf::try_from(code) {
        Ok(proto::AreasAsOf::Unspecified | proto::AreasAsOf::Then) => AreasAsOf::Then,
        Ok(proto::AreasAsOf::Now) => AreasAsOf::Now,
        Err(_) => {
            violations.add("areas_as_of", format_args!("found {code}; allowed: then, now"));
            AreasAsOf::Then
        }
    }
}

/// The query of a picture request.
pub(crate) fn picture(
    view: View<'_>,
    request: &proto::GetPictureRequest,
    violations: &mut Violations,
) -> Option<PictureQuery> {
    let area = find_area(view.catalogue, "area", &request.area, violations);
    let period = convert::period("period", &request.period, violations);
    let indicators = find_indicators(view.catalogue, &request.indicators, violations);
    refuse_ended(view, "area", area, period.as_slice(), violations);
    let (code, with) = (request.comparison, &request.compare_with);
    let comparison = comparison(code, with, PICTURE_COMPARISON, period.as_slice(), violations);
    let indicators = indicators?;
    Some(PictureQuery {
        area: area?,
        period: period?,
        indicators: (!indicators.is_empty()).then_some(indicators),
        comparison,
    })
}

/// The query of an aggregate request, reviewed.
pub(crate) fn aggregate(
    view: View<'_>,
    request: &proto::QueryAggregateRequest,
    violations: &mut Violations,
) -> Option<AggregateQuery> {
    let catalogue = view.catalogue;
    if request.indicators.is_empty() {
        violations.add("indicators", "found none; allowed: at least one");
    }
    let indicators = find_indicators(catalogue, &request.indicators, violations);
    let periods = periods(&request.periods, request.period_range.as_ref(), violations);
    let compared = periods.as_deref().unwrap_or_default();
    // What goes on without them is no question any more, and isn't used as one.
    view.spend(compared.len()).ok()?;
    let comparison = comparison(request.comparison, &request.compare_with, None, compared, violations);
    let areas = areas(view, &request.areas, request.area_level, (compared, comparison), violations);
    let benchmark = benchmark(catalogue, &request.benchmark_areas, violations);
    let agencies = agencies(catalogue, &request.agencies, violations);
    let groups = groups(&request.group_by, violations);
    let breakdowns = breakdowns(view, request, violations);
    let has = |group| groups.as_ref().is_some_and(|groups| groups.contains(&group));
    let query = AggregateQuery {
        indicators: indicators?,
        areas: areas?,
        agencies: agencies?,
        periods: periods?,
        breakdowns: breakdowns?,
        by_indicator: has(proto::GroupBy::Indicator),
        by_area: has(proto::GroupBy::Area),
        by_agency: has(proto::GroupBy::Agency),
        by_period: has(proto::GroupBy::Period),
        change: ChangeRule { comparison, across_breaks: request.compare_across_breaks },
        year_to_date: request.year_to_date,
        derived: Derived { rate: request.rate, share: request.share, rank: request.rank, benchmark: benchmark? },
    };
    if violations.is_empty() {
        violations.extend(review(view, &query));
    }
    Some(query)
}

/// The breakdown asked for; with a dimension, it for each category, and first for none of them.
fn breakdowns(
    view: View<'_>,
    request: &proto::QueryAggregateRequest,
    violations: &mut Violations,
) -> Option<Vec<QueryBreakdown>> {
    let asked = breakdown(view, "breakdown", &request.breakdown, violations)?;
    let query = |category, breakdown: &Breakdown| QueryBreakdown {
        category,
        breakdown: view.columns.breakdown(breakdown),
        dimensions: breakdown.iter().map(|(dimension, _)| dimension.clone()).collect(),
    };
    let as_asked = query(None, &asked);
    if request.by_dimension.is_empty() {
        return Some(vec![as_asked]);
    }
    let dimension = find(
        "by_dimension",
        "dimension",
        &request.by_dimension,
        violations,
        |id| view.catalogue.dimension(id),
        |text| view.catalogue.like_dimension(text),
    )?;
    if asked.iter().any(|(id, _)| *id == dimension.id) {
        let what = format!("`{}` is also in the breakdown; allowed: one of the two", dimension.id);
        violations.add("by_dimension", what);
        return None;
    }
    let of_category = |category: &Category| {
        let own = (dimension.id.clone(), category.id.clone());
        let breakdown = Breakdown::new(asked.iter().cloned().chain([own]).collect())?;
        Some(query(Some(category.id.clone()), &breakdown))
    };
    let mut all = vec![as_asked];
    all.extend(dimension.categories.iter().filter_map(of_category));
    Some(all)
}

/// A breakdown of dimensions and categories that the catalogue has.
fn breakdown(
    view: View<'_>,
    field: &str,
    categories: &[proto::CategoryRef],
    violations: &mut Violations,
) -> Option<Breakdown> {
    let breakdown = convert::breakdown(field, categories, violations)?;
    for (dimension, category) in breakdown.iter() {
        let known = view.catalogue.dimension(dimension);
        match known {
            None => {
                let meant = view.catalogue.like_dimension(dimension.as_str());
                let what = format_args!("found `{dimension}`; {NO_SUCH} dimension in the catalogue{meant}");
                violations.add(field, what);
            }
            Some(known) if known.categories.iter().all(|other| other.id != *category) => {
                let meant = nearest(category.as_str(), known.categories.iter().map(|known| known.id.as_str()));
                let meant = did_you_mean(meant);
                let what = format_args!("found `{category}`; {NO_SUCH} category of `{dimension}`{meant}");
                violations.add(field, what);
            }
            Some(_) => {}
        }
    }
    Some(breakdown)
}

/// The query of a request to explain.
pub(crate) fn explain(
    view: View<'_>,
    request: &proto::ExplainFigureRequest,
    violations: &mut Violations,
) -> Option<ExplainQuery> {
    let indicator = find_indicator(view.catalogue, "indicator", &request.indicator, violations);
    let area = find_area(view.catalogue, "area", &request.area, violations);
    let period = convert::period("period", &request.period, violations);
    let who = if request.agency.is_empty() {
        Some(Who::Combined)
    } else {
        find_agency(view.catalogue, "agency", &request.agency, violations).map(Who::Agency)
    };
    refuse_ended(view, "area", area, period.as_slice(), violations);
    let breakdown = breakdown(view, "breakdown", &request.breakdown, violations);
    Some(ExplainQuery {
        indicator: indicator?,
        area: area?,
        period: period?,
        breakdown: view.columns.breakdown(&breakdown?),
        who: who?,
    })
}

/// The query of a history request.
pub(crate) fn history(
    view: View<'_>,
    request: &proto::GetHistoryRequest,
    violations: &mut Violations,
) -> Option<HistoryQuery> {
    let indicator = find_indicator(view.catalogue, "indicator", &request.indicator, violations);
    let area = find_area(view.catalogue, "area", &request.area, violations);
    let agency = find_agency(view.catalogue, "agency", &request.agency, violations);
    let period = convert::period("period", &request.period, violations);
    let breakdown = breakdown(view, "breakdown", &request.breakdown, violations);
    Some(HistoryQuery {
        indicator: indicator?,
        area: area?,
        agency: agency?,
        period: period?,
        breakdown: view.columns.breakdown(&breakdown?),
    })
}

/// The query of a request for changes.
pub(crate) fn changes(
    view: View<'_>,
    request: &proto::ListChangesRequest,
    violations: &mut Violations,
) -> Option<ChangesQuery> {
    let after = u64::try_from(request.after_revision).ok().map(Revision).filter(|after| *after <= view.as_of);
    if after.is_none() {
        let (found, newest) = (request.after_revision, view.as_of);
        violations.add("after_revision", format_args!("found {found}; allowed: 0 to {newest}, the newest"));
    }
    if request.areas.is_empty() {
        violations.add("areas", "found none; allowed: at least one");
    }
    let find =
        |(index, code): (usize, &String)| find_area(view.catalogue, format_args!("areas[{index}]"), code, violations);
    let areas: Vec<_> = request.areas.iter().enumerate().map(find).collect();
    let indicators = indicators_or_all(view, &request.indicators, violations);
    let agencies = agencies(view.catalogue, &request.agencies, violations);
    let areas = areas.into_iter().collect::<Option<Vec<_>>>()?;
    let agencies = agencies?.map(|agencies| agencies.into_iter().collect());
    Some(ChangesQuery { after: after?, areas, indicators: indicators?, agencies })
}

/// The indicators that are asked for; all where none is.
fn indicators_or_all(view: View<'_>, ids: &[String], violations: &mut Violations) -> Option<Vec<IndicatorIx>> {
    let named = find_indicators(view.catalogue, ids, violations)?;
    if !named.is_empty() {
        return Some(named);
    }
    let all = view.catalogue.indicators_after(None);
    Some(all.filter_map(|indicator| view.catalogue.indicator(&indicator.newest().id)).map(|(ix, _)| ix).collect())
}

/// The query of a completeness request.
pub(crate) fn completeness(
    view: View<'_>,
    request: &proto::GetCompletenessRequest,
    violations: &mut Violations,
) -> Option<CompletenessQuery> {
    let area = find_area(view.catalogue, "area", &request.area, violations);
    let periods = if request.due_within_days == 0 {
        let periods = periods(&request.periods, request.period_range.as_ref(), violations);
        view.spend(periods.as_ref().map_or(0, Vec::len)).ok()?;
        refuse_ended(view, "area", area, periods.as_deref().unwrap_or_default(), violations);
        periods.map(AskedPeriods::Named)
    } else {
        due_within(view, request, violations)
    };
    let indicators = indicators_or_all(view, &request.indicators, violations);
    let agencies = agencies(view.catalogue, &request.agencies, violations);
    Some(CompletenessQuery { area: area?, periods: periods?, indicators: indicators?, agencies: agencies? })
}

/// The periods that are due in the next days.
fn due_within(
    view: View<'_>,
    request: &proto::GetCompletenessRequest,
    violations: &mut Violations,
) -> Option<AskedPeriods> {
    let (field, days) = ("due_within_days", request.due_within_days);
    if !request.periods.is_empty() || request.period_range.is_some() {
        violations.add(field, "found periods too; allowed: either");
    }
    if request.late_only {
        violations.add(field, "found `late_only` too; allowed: either");
    }
    if !(1..=DUE_WITHIN_DAYS_MAX).contains(&days) {
        violations.add(field, format_args!("found {days}; allowed: 1 to {DUE_WITHIN_DAYS_MAX}"));
        return None;
    }
    Some(AskedPeriods::Due { from: view.today, by: view.today.plus_days(days) })
}

/// The most days from now on within which figures may be asked for that are due.
const DUE_WITHIN_DAYS_MAX: i32 = 366;

/// The query of a request to reconcile.
pub(crate) fn reconcile<'a>(
    view: View<'a>,
    request: &proto::ReconcileRequest,
    violations: &mut Violations,
) -> Option<ReconcileQuery<'a>> {
    let find_rule = |(index, id): (usize, &String)| {
        find(
            format_args!("rules[{index}]"),
            "reconciliation rule",
            id,
            violations,
            |id| view.catalogue.rule(id),
            |text| did_you_mean(nearest(text, view.catalogue.rules_after(None).map(|rule| rule.id.as_str()))),
        )
    };
    let rules: Vec<_> = request.rules.iter().enumerate().map(find_rule).collect();
    let mut rules = rules.into_iter().collect::<Option<Vec<_>>>();
    if request.rules.is_empty() {
        rules = Some(view.catalogue.rules_after(None).collect());
    }
    let periods = periods(&request.periods, request.period_range.as_ref(), violations);
    view.spend(periods.as_ref().map_or(0, Vec::len)).ok()?;
    let asked = (periods.as_deref().unwrap_or_default(), None);
    let areas = areas(view, &request.areas, request.area_level, asked, violations);
    let (rules, areas, periods) = (rules?, areas?, periods?);
    let cells = rules.len() * areas.most() * periods.len();
    if cells > QUERY_CELLS_MAX {
        let what = format!(
            "{} rules × {} areas × {} periods are {cells} pairs; allowed: {QUERY_CELLS_MAX}. Ask for fewer of one of them",
            rules.len(),
            areas.most(),
            periods.len()
        );
        violations.add("rules", what);
    }
    view.foresee(u64::try_from(cells).unwrap_or(u64::MAX)).ok()?;
    Some(ReconcileQuery { rules, areas, periods })
}

fn groups(codes: &[i32], violations: &mut Violations) -> Option<Vec<proto::GroupBy>> {
    let mut groups = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        match proto::GroupBy::try_from(*code) {
            Ok(proto::GroupBy::Unspecified) | Err(_) => {
                violations.add(
                    format_args!("group_by[{index}]"),
                    format_args!("found {code}; allowed: indicator, area, agency, period"),
                );
            }
            Ok(group) => groups.push(group),
        }
    }
    Some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Body, Entry};
    use crate::model::budget::{Budget, Stopped};
    use crate::model::timestamp::Timestamp;
    use crate::model::zone::UTC;
    use crate::state::Fold;
    use crate::state::view::AreasAsOf;

    const MONTHS: u64 = 24;

    /// What is left of a budget once a question over 24 months was converted, and whether it is a question.
    fn convert<T>(
        budget: u64,
        question: impl FnOnce(View<'_>, proto::PeriodRange, &mut Violations) -> Option<T>,
    ) -> (Result<u64, Stopped>, bool) {
        let mut fold = Fold::default();
        let put: CataloguePut = toml::from_str(include_str!("../../../data/catalogue.toml")).unwrap();
        let (at, today) = (Timestamp(0), "2024-01-01".parse().unwrap());
        fold.apply(&Entry { at, actor: Actor::Local, body: Body::CataloguePut(put) });
        let state = fold.state();
        let budget = Budget::new(budget, Default::default());
        let view = state.view(state.catalogue(), state.revision(), &UTC, today, AreasAsOf::Then).within(&budget);
        let range = proto::PeriodRange { first: "2020-01".to_owned(), last: "2021-12".to_owned() };
        let is_question = question(view, range, &mut Violations::default()).is_some();
        (budget.outcome().map(|()| budget.left()), is_question)
    }

    #[test]
    fn each_period_that_is_compared_is_a_step() {
        // Of an indicator that there isn't, nothing else is looked at.
        let ask = |budget| {
            convert(budget, |view, range, violations| {
                let indicators = vec!["none".to_owned()];
                let request =
                    proto::QueryAggregateRequest { indicators, period_range: Some(range), ..Default::default() };
                aggregate(view, &request, violations)
            })
        };
        assert_eq!(ask(MONTHS + 1), (Ok(1), false));
        assert_eq!(ask(MONTHS - 1), (Err(Stopped::TooMuch), false));
    }

    #[test]
    fn a_reconciliation_of_more_pairs_than_there_are_steps_for_is_no_question() {
        let ask = |budget| {
            convert(budget, |view, range, violations| {
                let rules = view.catalogue.rules_after(None).take(1).map(|rule| rule.id.to_string()).collect();
                let areas = vec!["E10000014".to_owned()];
                let request = proto::ReconcileRequest { rules, areas, period_range: Some(range), ..Default::default() };
                reconcile(view, &request, violations).map(drop)
            })
        };
        assert_eq!(ask(2 * MONTHS), (Ok(MONTHS), true));
        assert_eq!(ask(2 * MONTHS - 1), (Err(Stopped::TooMuch), false));
    }
}

//! The picture service: answers out.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::proto::picture_service_server::PictureService;
use super::{Context, Gate, as_of, convert, number, page, proto, status};
use crate::catalogue::items::AreaLevel;
use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::journal::Revision;
use crate::model::id::{AgencyId, AreaCode, IndicatorId};
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::picture::answer::Comparison;
use crate::picture::query::{
    self, AggregateQuery, AggregateRow, PictureCell, PictureQuery, PictureRow, QUERY_CELLS_MAX,
};
use crate::picture::resolve::View;
use crate::state::State;

const ROWS_DEFAULT: usize = 1_000;
const ROWS_MAX: usize = 10_000;

/// Serves `conspectus.v1.PictureService`.
#[derive(Debug, Clone)]
pub struct Picture(pub Gate);

#[tonic::async_trait]
impl PictureService for Picture {
    async fn get_picture(
        &self,
        request: Request<proto::GetPictureRequest>,
    ) -> Result<Response<proto::GetPictureResponse>, Status> {
        let context = self.0.context()?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let snapshot = snapshot(context, request.min_revision, request.as_of_revision).await;
        let (snapshot, mut violations) = snapshot?;
        let query = picture_query(&snapshot.catalogue, &request, &mut violations);
        let Some(query) = query.filter(|_| violations.is_empty()) else {
            return Err(status::invalid(&violations, bytes_max));
        };
        let catalogue = &*snapshot.catalogue;
        let rows = query::picture(snapshot.view(today(context)), &query);
        Ok(Response::new(proto::GetPictureResponse {
            revision: number(snapshot.revision),
            area: Some(convert::area(catalogue.area_at(query.area))),
            period: query.period.to_string(),
            rows: rows.iter().map(|row| picture_row(catalogue, row)).collect(),
        }))
    }

    async fn query_aggregate(
        &self,
        request: Request<proto::QueryAggregateRequest>,
    ) -> Result<Response<proto::QueryAggregateResponse>, Status> {
        let context = self.0.context()?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let mut violations = Violations::default();
        let cleared = proto::QueryAggregateRequest {
            page_size: 0,
            page_token: String::new(),
            min_revision: 0,
            ..request.clone()
        };
        let paging = page::Query::of("QueryAggregate", &cleared);
        let start = paging.start(&request.page_token, &mut violations);
        let size = page::size(request.page_size, ROWS_DEFAULT, ROWS_MAX, &mut violations);
        let as_of_revision = start.as_ref().map_or(request.as_of_revision, |start| number(start.revision));
        let (snapshot, more) = snapshot(context, request.min_revision, as_of_revision).await?;
        violations.extend(more);
        let query = aggregate_query(&snapshot, &request, &mut violations);
        let view = snapshot.view(today(context));
        if let Some(query) = &query {
            violations.extend(query::review(view, query));
        }
        let Some(query) = query.filter(|_| violations.is_empty()) else {
            return Err(status::invalid(&violations, bytes_max));
        };
        let rows = query::aggregate(view, &query);
        let offset = start.and_then(|start| start.after.parse().ok()).unwrap_or(0usize).min(rows.len());
        let end = rows.len().min(offset + size);
        let more = end < rows.len();
        let next = more.then(|| paging.token(&page::Start { revision: snapshot.revision, after: end.to_string() }));
        Ok(Response::new(proto::QueryAggregateResponse {
            revision: number(snapshot.revision),
            rows: rows[offset..end].iter().map(|row| aggregate_row(&snapshot.catalogue, row)).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }
}

/// The state, and the revision of it that is asked about.
struct Snapshot {
    state: Arc<State>,
    revision: Revision,
    catalogue: Arc<Catalogue>,
}

impl Snapshot {
    fn view(&self, today: crate::model::date::Date) -> View<'_> {
        View { catalogue: &self.catalogue, columns: self.state.columns(), as_of: self.revision, today }
    }
}

fn today(context: &Context) -> crate::model::date::Date {
    (context.clock)().date()
}

async fn snapshot(context: &Context, min_revision: i64, as_of_revision: i64) -> Result<(Snapshot, Violations), Status> {
    let state = context.at_least(min_revision).await?;
    let mut violations = Violations::default();
    if min_revision < 0 {
        violations.add("min_revision", format!("found {min_revision}; allowed: 0 or more"));
    }
    let revision = as_of(&state, as_of_revision, &mut violations);
    let catalogue = state.catalogue_as_of(revision);
    Ok((Snapshot { state, revision, catalogue }, violations))
}

/// Finds a thing of the catalogue by the text of its id.
fn find<I: FromStr<Err: Display> + Display, T>(
    field: String,
    what: &str,
    text: &str,
    violations: &mut Violations,
    look: impl FnOnce(&I) -> Option<T>,
) -> Option<T> {
    let id: I = violations.check(field.clone(), text.parse())?;
    let found = look(&id);
    if found.is_none() {
        violations.add(field, format!("found `{id}`; there is no such {what} in the catalogue"));
    }
    found
}

fn find_area(catalogue: &Catalogue, field: String, text: &str, violations: &mut Violations) -> Option<AreaIx> {
    find(field, "area", text, violations, |code: &AreaCode| catalogue.area(code).map(|(ix, _)| ix))
}

fn find_indicators(catalogue: &Catalogue, ids: &[String], violations: &mut Violations) -> Option<Vec<IndicatorIx>> {
    let find = |(index, id): (usize, &String)| {
        find(format!("indicators[{index}]"), "indicator", id, violations, |id: &IndicatorId| {
            catalogue.indicator(id).map(|(ix, _)| ix)
        })
    };
    let found: Vec<_> = ids.iter().enumerate().map(find).collect();
    let mut found = found.into_iter().collect::<Option<Vec<_>>>()?;
    found.sort_by(|a, b| catalogue.indicator_at(*a).newest().id.cmp(&catalogue.indicator_at(*b).newest().id));
    found.dedup();
    Some(found)
}

/// What to compare the periods with: a rule, or one earlier period of their length.
fn comparison(
    code: i32,
    with: &str,
    default: Option<Comparison>,
    periods: &[Period],
    violations: &mut Violations,
) -> Option<Comparison> {
    if !with.is_empty() {
        if code != 0 {
            violations.add("compare_with", "found both comparison and compare_with; allowed: one of the two");
        }
        let earlier = convert::period("compare_with", with, violations)?;
        if let Some(wrong) =
            periods.iter().find(|period| earlier >= **period || earlier.frequency() != period.frequency())
        {
            let length = wrong.frequency();
            violations.add("compare_with", format!("found `{earlier}`; allowed: a {length} before `{wrong}`"));
        }
        return Some(Comparison::With(earlier));
    }
    match proto::Comparison::try_from(code) {
        Ok(proto::Comparison::Unspecified) => default,
        Ok(proto::Comparison::PreviousPeriod) => Some(Comparison::PreviousPeriod),
        Ok(proto::Comparison::YearBefore) => Some(Comparison::YearBefore),
        Ok(proto::Comparison::None) => None,
        Err(_) => {
            violations.add("comparison", format!("found {code}; allowed: previous period, year before, none"));
            None
        }
    }
}

fn picture_query(
    catalogue: &Catalogue,
    request: &proto::GetPictureRequest,
    violations: &mut Violations,
) -> Option<PictureQuery> {
    let area = find_area(catalogue, "area".to_owned(), &request.area, violations);
    let period = convert::period("period", &request.period, violations);
    let indicators = find_indicators(catalogue, &request.indicators, violations);
    let default = Some(Comparison::PreviousPeriod);
    let comparison = comparison(request.comparison, &request.compare_with, default, period.as_slice(), violations);
    let indicators = indicators?;
    Some(PictureQuery {
        area: area?,
        period: period?,
        indicators: (!indicators.is_empty()).then_some(indicators),
        comparison,
    })
}

fn aggregate_query(
    snapshot: &Snapshot,
    request: &proto::QueryAggregateRequest,
    violations: &mut Violations,
) -> Option<AggregateQuery> {
    let catalogue = &*snapshot.catalogue;
    for (field, empty) in [("indicators", request.indicators.is_empty()), ("areas", request.areas.is_empty())] {
        if empty {
            violations.add(field, "found none; allowed: at least one");
        }
    }
    let indicators = find_indicators(catalogue, &request.indicators, violations);
    let periods = periods(request, violations);
    let areas = areas(catalogue, request, periods.as_deref(), violations);
    let agencies = agencies(catalogue, &request.agencies, violations);
    let groups = groups(&request.group_by, violations);
    let breakdown = convert::breakdown("breakdown", &request.breakdown, violations);
    let breakdown = breakdown.map(|breakdown| snapshot.state.columns().breakdown(&breakdown));
    let compared = periods.as_deref().unwrap_or_default();
    let comparison = comparison(request.comparison, &request.compare_with, None, compared, violations);
    let has = |group| groups.as_ref().is_some_and(|groups| groups.contains(&group));
    Some(AggregateQuery {
        indicators: indicators?,
        areas: areas?,
        agencies: agencies?,
        periods: periods?,
        breakdown: breakdown?,
        by_indicator: has(proto::GroupBy::Indicator),
        by_area: has(proto::GroupBy::Area),
        by_agency: has(proto::GroupBy::Agency),
        by_period: has(proto::GroupBy::Period),
        comparison,
        across_breaks: request.compare_across_breaks,
    })
}

/// The periods asked for, ascending, each once.
fn periods(request: &proto::QueryAggregateRequest, violations: &mut Violations) -> Option<Vec<Period>> {
    match (&request.period_range, request.periods.is_empty()) {
        (None, true) => {
            violations.add("periods", "found none; allowed: at least one, or a period_range");
            None
        }
        (Some(_), false) => {
            violations.add("period_range", "found both periods and a period_range; allowed: one of the two");
            None
        }
        (None, false) => {
            let parse =
                |(index, text): (usize, &String)| convert::period(&format!("periods[{index}]"), text, violations);
            let parsed: Vec<_> = request.periods.iter().enumerate().map(parse).collect();
            let mut parsed = parsed.into_iter().collect::<Option<Vec<_>>>()?;
            parsed.sort();
            parsed.dedup();
            Some(parsed)
        }
        (Some(range), true) => {
            let first = convert::period("period_range.first", &range.first, violations);
            let last = convert::period("period_range.last", &range.last, violations);
            period_range(first?, last?, violations)
        }
    }
}

fn period_range(first: Period, last: Period, violations: &mut Violations) -> Option<Vec<Period>> {
    if first.frequency() != last.frequency() {
        violations.add(
            "period_range.last",
            format!(
                "found `{last}`, a {}; allowed: a {}, the length of the first",
                last.frequency(),
                first.frequency()
            ),
        );
        return None;
    }
    if last < first {
        violations.add(
            "period_range.last",
            format!("found `{last}`, before the first, `{first}`; allowed: the first or a later one"),
        );
        return None;
    }
    let following = std::iter::successors(Some(first), |period| period.next());
    let range: Vec<Period> = following.take_while(|period| *period <= last).take(QUERY_CELLS_MAX + 1).collect();
    Some(range)
}

/// The areas asked for, expanded to a level where one is given, by code, each once.
fn areas(
    catalogue: &Catalogue,
    request: &proto::QueryAggregateRequest,
    periods: Option<&[Period]>,
    violations: &mut Violations,
) -> Option<Vec<AreaIx>> {
    let find = |(index, code): (usize, &String)| find_area(catalogue, format!("areas[{index}]"), code, violations);
    let found: Vec<_> = request.areas.iter().enumerate().map(find).collect();
    let mut found = found.into_iter().collect::<Option<Vec<_>>>()?;
    if request.area_level != 0 {
        let Some(level) = AreaLevel::from_code(request.area_level) else {
            violations.add("area_level", format!("found {}; allowed: {}", request.area_level, AreaLevel::allowed()));
            return None;
        };
        let day = periods?.last()?.end();
        found = found.into_iter().flat_map(|area| catalogue.areas_of_level(area, level, day)).collect();
        if found.is_empty() && !request.areas.is_empty() {
            violations.add(
                "area_level",
                format!("there is no {level} within the areas on {day}; allowed: a level that they have"),
            );
        }
    }
    found.sort_by(|a, b| catalogue.area_at(*a).code.cmp(&catalogue.area_at(*b).code));
    found.dedup();
    Some(found)
}

/// The agencies asked for; `Some(None)` for all.
fn agencies(catalogue: &Catalogue, ids: &[String], violations: &mut Violations) -> Option<Option<Vec<AgencyIx>>> {
    if ids.is_empty() {
        return Some(None);
    }
    let find = |(index, id): (usize, &String)| {
        find(format!("agencies[{index}]"), "agency", id, violations, |id: &AgencyId| {
            catalogue.agency(id).map(|(ix, _)| ix)
        })
    };
    let found: Vec<_> = ids.iter().enumerate().map(find).collect();
    let found: BTreeSet<_> = found.into_iter().collect::<Option<_>>()?;
    Some(Some(found.into_iter().collect()))
}

fn groups(codes: &[i32], violations: &mut Violations) -> Option<Vec<proto::GroupBy>> {
    let mut groups = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        match proto::GroupBy::try_from(*code) {
            Ok(proto::GroupBy::Unspecified) | Err(_) => {
                violations.add(
                    format!("group_by[{index}]"),
                    format!("found {code}; allowed: indicator, area, agency, period"),
                );
            }
            Ok(group) if groups.contains(&group) => {
                violations.add(format!("group_by[{index}]"), "found twice; allowed: each once");
            }
            Ok(group) => groups.push(group),
        }
    }
    Some(groups)
}

fn picture_row(catalogue: &Catalogue, row: &PictureRow) -> proto::PictureRow {
    let cell = |cell: &PictureCell| proto::PictureCell {
        agency: Some(convert::agency(catalogue.agency_at(cell.agency))),
        figure: Some(convert::figure(catalogue, &cell.figure)),
        change: cell.change.as_ref().map(|change| convert::change(catalogue, change)),
    };
    proto::PictureRow {
        indicator: Some(convert::indicator(&row.version)),
        cells: row.cells.iter().map(cell).collect(),
        combined: Some(convert::figure(catalogue, &row.combined)),
        change: row.change.as_ref().map(|change| convert::change(catalogue, change)),
    }
}

fn aggregate_row(catalogue: &Catalogue, row: &AggregateRow) -> proto::AggregateRow {
    proto::AggregateRow {
        indicator: catalogue.indicator_at(row.indicator).newest().id.to_string(),
        area: row.area.map(|ix| catalogue.area_at(ix).code.to_string()).unwrap_or_default(),
        agency: row.agency.map(|ix| catalogue.agency_at(ix).id.to_string()).unwrap_or_default(),
        period: row.period.map(|period| period.to_string()).unwrap_or_default(),
        figure: Some(convert::figure(catalogue, &row.figure)),
        change: row.change.as_ref().map(|change| convert::change(catalogue, change)),
    }
}

//! Who reports, for where, and what is counted.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tonic::Code;

use super::form::{Field, Form};
use super::hierarchy::{self, EndedArea, LAST_DAY, Step};
use super::json;
use super::lists::Lists;
use super::page::Page;
use super::question::{Address, AsOf, FileLink, Parameters};
use super::refusal::{self, Refusal};
use super::visitor::Visitor;
use crate::catalogue::items::{AcrossAgencies, Kind, Sector};
use crate::model::date::Date;
use crate::model::period::Frequency;
use crate::model::text::visible;
use crate::rpc::proto::{
    Agency, Calendar, Dimension, Indicator, ListAgenciesRequest, ListAreasRequest, ListCalendarsRequest,
    ListDimensionsRequest, ListIndicatorsRequest, ListReconciliationRulesRequest, ReconciliationRule,
};
use crate::submitting::service::PAGE;
use crate::wording::check;

const DAY: &str = "day";

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(query.as_deref(), &[DAY, AsOf::REVISION]);
    let as_of = parameters.as_of();
    let day = day(&mut parameters);
    let (lists, refusal) = match parameters.with_those_of(Lists::of(&visitor, as_of.revision).await) {
        Ok(lists) => (lists, None),
        Err(status) if status.code() == Code::InvalidArgument => (Lists::default(), Some(status)),
        Err(status) => return Err(status.into()),
    };
    let code = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let form = refusal.iter().fold(form(&parameters), Form::refused);
    Ok((code, Page(CataloguePage::new(&lists, day, &as_of, form))).into_response())
}

fn form(parameters: &Parameters) -> Form {
    let text = |name| parameters.text(name);
    let empty = "Such as 2022-03-31; empty for how the areas stand until further notice";
    let revision = "Its number, such as 12; empty for the newest";
    let fields = vec![
        Field::text(DAY, "Areas on the day", empty, text(DAY)),
        Field::text(AsOf::REVISION, "As of revision", revision, text(AsOf::REVISION)),
    ];
    Form { action: "/catalogue", fields, button: "Show the catalogue", ..Form::default() }
}

/// Each list as the service gives it: `/catalogue/areas.json`.
pub(super) async fn json(visitor: Visitor, Path(name): Path<String>, RawQuery(query): RawQuery, at: Uri) -> Response {
    let mut parameters = Parameters::read(query.as_deref(), &["page_token", AsOf::REVISION]);
    let (page_size, page_token, as_of_revision) = (PAGE, parameters.text("page_token"), parameters.as_of().revision);
    if let Err(status) = parameters.check() {
        return json::refused(&status);
    }
    match name.as_str() {
        "areas.json" => {
            let request = ListAreasRequest { page_size, page_token, as_of_revision };
            json::answer(&visitor, "/conspectus.v1.CatalogueService/ListAreas", &request).await
        }
        "agencies.json" => {
            let request = ListAgenciesRequest { page_size, page_token, as_of_revision };
            json::answer(&visitor, "/conspectus.v1.CatalogueService/ListAgencies", &request).await
        }
        "indicators.json" => {
            let request = ListIndicatorsRequest { page_size, page_token, as_of_revision };
            json::answer(&visitor, "/conspectus.v1.CatalogueService/ListIndicators", &request).await
        }
        "dimensions.json" => {
            let request = ListDimensionsRequest { page_size, page_token, as_of_revision };
            json::answer(&visitor, "/conspectus.v1.CatalogueService/ListDimensions", &request).await
        }
        "calendars.json" => {
            let request = ListCalendarsRequest { page_size, page_token, as_of_revision };
            json::answer(&visitor, "/conspectus.v1.CatalogueService/ListCalendars", &request).await
        }
        "rules.json" => {
            let request = ListReconciliationRulesRequest { page_size, page_token, as_of_revision };
            json::answer(&visitor, "/conspectus.v1.CatalogueService/ListReconciliationRules", &request).await
        }
        _ => refusal::not_found(at).await,
    }
}

/// The day as it was asked for; none for how things stand until further notice.
fn day(parameters: &mut Parameters) -> Option<Date> {
    let text = parameters.text(DAY);
    let day = text.parse::<Date>().ok();
    if day.is_none() && !text.is_empty() {
        parameters.add(DAY, &format!("found `{text}`; allowed: a day, such as 2022-03-31"));
    }
    day
}

#[derive(Debug, Template)]
#[template(path = "catalogue.html")]
struct CataloguePage {
    revision: i64,
    /// The day that was asked for; empty for how things stand until further notice.
    day: String,
    /// That it isn't of the newest revision; and the address of the newest.
    banner: String,
    newest: String,
    form: Form,
    steps: Vec<Step>,
    ended: Vec<EndedArea>,
    agencies: Vec<AgencyView>,
    indicators: Vec<IndicatorView>,
    checks: Vec<CheckView>,
    dimensions: Vec<DimensionView>,
    rules: Vec<RuleView>,
    calendars: Vec<CalendarView>,
    /// The names of the lists, and where each is as JSON.
    files: Vec<FileLink>,
}

#[derive(Debug)]
struct AgencyView {
    id: String,
    name: String,
    sector: String,
    areas: String,
}

#[derive(Debug)]
struct IndicatorView {
    id: String,
    title: String,
    href: String,
    unit: String,
    kind: String,
    frequency: String,
    across: String,
}

#[derive(Debug)]
struct CheckView {
    indicator: String,
    id: String,
    expects: String,
    consequence: &'static str,
    when_missing: &'static str,
}

#[derive(Debug)]
struct DimensionView {
    title: String,
    id: String,
    categories: Vec<(String, String)>,
}

#[derive(Debug)]
struct RuleView {
    title: String,
    left: String,
    right: String,
}

#[derive(Debug)]
struct CalendarView {
    title: String,
    source: String,
    holidays: String,
}

/// A text that somebody wrote, with what can't be seen in it by its number.
fn seen(text: &str) -> String {
    visible(text).into_owned()
}

/// A code in words.
fn words<T: std::fmt::Display>(code: Option<T>) -> String {
    code.map(|code| code.to_string().replace('-', " ")).unwrap_or_default()
}

impl CataloguePage {
    fn new(lists: &Lists, day: Option<Date>, as_of: &AsOf, form: Form) -> Self {
        let of_day = day.map_or_else(|| LAST_DAY.to_owned(), |day| day.to_string());
        let file = |path| Address::of(path).with_as_of(as_of).href();
        Self {
            revision: lists.revision,
            day: day.map(|day| day.to_string()).unwrap_or_default(),
            banner: if as_of.is_newest() {
                String::new()
            } else {
                format!("As it was at revision {}.", lists.revision)
            },
            newest: Address::of("/catalogue").with(DAY, day.map(|day| day.to_string()).unwrap_or_default()).href(),
            form,
            steps: hierarchy::steps(&lists.areas, &of_day),
            ended: hierarchy::ended(&lists.areas, &of_day),
            agencies: lists.agencies.iter().map(|agency| agency_view(lists, agency)).collect(),
            indicators: lists.indicators.iter().map(|indicator| indicator_view(lists, indicator, as_of)).collect(),
            checks: lists.indicators.iter().flat_map(check_views).collect(),
            dimensions: lists.dimensions.iter().map(dimension_view).collect(),
            rules: lists.rules.iter().map(|rule| rule_view(lists, rule)).collect(),
            calendars: lists.calendars.iter().map(calendar_view).collect(),
            files: vec![
                ("areas", file("/catalogue/areas.json")),
                ("agencies", file("/catalogue/agencies.json")),
                ("indicators", file("/catalogue/indicators.json")),
                ("dimensions", file("/catalogue/dimensions.json")),
                ("reconciliation rules", file("/catalogue/rules.json")),
                ("calendars", file("/catalogue/calendars.json")),
            ],
        }
    }
}

fn agency_view(lists: &Lists, agency: &Agency) -> AgencyView {
    let areas: Vec<&str> = agency.areas.iter().map(|code| lists.area(code)).collect();
    AgencyView {
        id: agency.id.clone(),
        name: seen(&agency.name),
        sector: words(Sector::from_code(agency.sector)),
        areas: seen(&areas.join(", ")),
    }
}

fn indicator_view(lists: &Lists, indicator: &Indicator, as_of: &AsOf) -> IndicatorView {
    let lead = match indicator.lead_agency.as_str() {
        "" => String::new(),
        lead => format!(" {}", lists.agency(lead)),
    };
    IndicatorView {
        id: indicator.id.clone(),
        title: seen(&indicator.title),
        href: Address::of("/indicator").with("indicator", &indicator.id).with_as_of(as_of).href(),
        unit: seen(&indicator.unit),
        kind: words(Kind::from_code(indicator.kind)),
        frequency: words(Frequency::from_code(indicator.frequency)),
        across: seen(&format!("{}{lead}", words(AcrossAgencies::from_code(indicator.across_agencies)))),
    }
}

fn check_views(indicator: &Indicator) -> impl Iterator<Item = CheckView> {
    indicator.checks.iter().map(|it| CheckView {
        indicator: seen(&indicator.title),
        id: it.id.clone(),
        expects: seen(&check::expectation(it)),
        consequence: check::consequence(it.severity()),
        when_missing: check::when_missing(it.missing_values()),
    })
}

fn dimension_view(dimension: &Dimension) -> DimensionView {
    let categories = dimension.categories.iter().map(|category| (category.id.clone(), seen(&category.title)));
    DimensionView { title: seen(&dimension.title), id: dimension.id.clone(), categories: categories.collect() }
}

fn rule_view(lists: &Lists, rule: &ReconciliationRule) -> RuleView {
    let of = |indicator: &str, agency: &str| {
        let title = lists.indicator(indicator);
        seen(&if agency.is_empty() { title.to_owned() } else { format!("{title}, by {}", lists.agency(agency)) })
    };
    RuleView {
        title: seen(&rule.title),
        left: of(&rule.left_indicator, &rule.left_agency),
        right: of(&rule.right_indicator, &rule.right_agency),
    }
}

fn calendar_view(calendar: &Calendar) -> CalendarView {
    CalendarView {
        title: seen(&calendar.title),
        source: seen(&calendar.source),
        holidays: calendar.holidays.join(", "),
    }
}

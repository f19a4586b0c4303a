//! Who reports, for where, and what is counted.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::{Code, Status};

use super::form::{Field, Form};
use super::hierarchy::{self, EndedArea, LAST_DAY, Step};
use super::lists::Lists;
use super::names::Names;
use super::page::Page;
use super::question::{Address, AsOf, FileLink, Parameters};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::catalogue::items::{AcrossAgencies, Kind, Sector};
use crate::http::files::{self, Question};
use crate::model::date::Date;
use crate::model::period::Frequency;
use crate::model::text::visible;
use crate::rpc::proto::{
    Agency, Calendar, Dimension, Indicator, ListAgenciesRequest, ListAgenciesResponse, ListAreasRequest,
    ListAreasResponse, ListCalendarsRequest, ListCalendarsResponse, ListDimensionsRequest, ListDimensionsResponse,
    ListIndicatorsRequest, ListIndicatorsResponse, ListReconciliationRulesRequest, ListReconciliationRulesResponse,
    ReconciliationRule,
};
use crate::submitting::service::PAGE;
use crate::tables::{self, AsOf as AnswerAsOf};
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

/// What is asked of a list: the revision, and of JSON the page.
fn read(query: Option<&str>) -> Result<(i64, String), Status> {
    let mut parameters = Parameters::read(query, &["page_token", AsOf::REVISION]);
    let asked = (parameters.as_of().revision, parameters.text("page_token"));
    parameters.check().map(|()| asked)
}

/// The lists, each as files of its own: `/catalogue/areas.csv`.
macro_rules! lists {
    ($($name:ident: $method:literal, $items:literal, $request:ident -> $response:ident, $names:ident, $table:expr;)*) => {$(
        pub(super) async fn $name(_: Visitor, query: Option<String>) -> Result<Question, Status> {
            let (as_of_revision, page_token) = read(query.as_deref())?;
            let request = $request { page_size: PAGE, page_token, as_of_revision }.encode_to_vec();
            let method = concat!("/conspectus.v1.CatalogueService/", $method);
            let table = |_: $response, labels, as_of: AnswerAsOf| $table(labels, as_of.revision);
            Ok(Question::new(stringify!($name), (method, $items), request, table).with_names(files::Names::$names))
        }
    )*};
}

lists! {
    areas: "ListAreas", "areas", ListAreasRequest -> ListAreasResponse, Places, tables::areas;
    agencies: "ListAgencies", "agencies", ListAgenciesRequest -> ListAgenciesResponse, Places, tables::agencies;
    indicators: "ListIndicators", "indicators", ListIndicatorsRequest -> ListIndicatorsResponse, Places, tables::indicators;
    checks: "ListIndicators", "indicators", ListIndicatorsRequest -> ListIndicatorsResponse, None, tables::checks;
    dimensions: "ListDimensions", "dimensions", ListDimensionsRequest -> ListDimensionsResponse, None, tables::dimensions;
    rules: "ListReconciliationRules", "reconciliation_rules",
        ListReconciliationRulesRequest -> ListReconciliationRulesResponse, All, tables::rules;
    calendars: "ListCalendars", "calendars", ListCalendarsRequest -> ListCalendarsResponse, None, tables::calendars;
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
    /// The names of the lists, and the files of each.
    lists: Vec<(&'static str, Vec<FileLink>)>,
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
        let names = Names::from(lists);
        let of_day = day.map_or_else(|| LAST_DAY.to_owned(), |day| day.to_string());
        let files = |path| Address::of(path).with_as_of(as_of).files();
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
            agencies: lists.agencies.iter().map(|agency| agency_view(&names, agency)).collect(),
            indicators: lists.indicators.iter().map(|indicator| indicator_view(&names, indicator, as_of)).collect(),
            checks: lists.indicators.iter().flat_map(check_views).collect(),
            dimensions: lists.dimensions.iter().map(dimension_view).collect(),
            rules: lists.rules.iter().map(|rule| rule_view(&names, rule)).collect(),
            calendars: lists.calendars.iter().map(calendar_view).collect(),
            lists: vec![
                ("Areas", files("/catalogue/areas")),
                ("Agencies", files("/catalogue/agencies")),
                ("Indicators", files("/catalogue/indicators")),
                ("Checks", files("/catalogue/checks")),
                ("Breakdowns", files("/catalogue/dimensions")),
                ("Reconciliation rules", files("/catalogue/rules")),
                ("Calendars", files("/catalogue/calendars")),
            ],
        }
    }
}

fn agency_view(names: &Names, agency: &Agency) -> AgencyView {
    let areas: Vec<String> = agency.areas.iter().map(|code| names.area(code)).collect();
    AgencyView {
        id: agency.id.clone(),
        name: seen(&agency.name),
        sector: words(Sector::from_code(agency.sector)),
        areas: seen(&areas.join(", ")),
    }
}

fn indicator_view(names: &Names, indicator: &Indicator, as_of: &AsOf) -> IndicatorView {
    let lead = match indicator.lead_agency.as_str() {
        "" => String::new(),
        lead => format!(" {}", names.agency(lead)),
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

fn rule_view(names: &Names, rule: &ReconciliationRule) -> RuleView {
    let of = |indicator: &str, agency: &str| {
        let title = names.indicator(indicator);
        seen(&if agency.is_empty() { title } else { format!("{title}, by {}", names.agency(agency)) })
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

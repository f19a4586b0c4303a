//! What changed since a revision: every figure with what it was before, and why.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

use super::figure::{Explained, Notes};
use super::form::{Choice, Field, Form, Group, Input};
use super::hierarchy;
use super::lists::Lists;
use super::names::Names;
use super::page::Page;
use super::picture_form;
use super::question::{Address, FileLink, Parameters};
use super::refusal::Refusal;
use super::scope::Scope;
use super::submitted::breakdown_text;
use super::visitor::Visitor;
use crate::http::files::Question;
use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::model::text::{visible, visible_lines};
use crate::rpc::proto::observation::Measure;
use crate::rpc::proto::{FigureChange, HistoryEvent, Kind, ListChangesRequest, ListChangesResponse, Observation};
use crate::wording::number::thousands;
use crate::wording::{instant, period::Span};

/// How many changes a page shows.
const CHANGES_MAX: i32 = 100;
/// How many revisions back a page looks that isn't asked since when.
const REVISIONS_DEFAULT: i64 = 50;

const PARAMETERS: [&str; 5] = ["after", "area", "indicator", "agency", "page_token"];

fn read(query: Option<&str>) -> (Parameters, ListChangesRequest) {
    let mut parameters = Parameters::read(query, &PARAMETERS);
    let after = parameters.text("after");
    let after_revision = after.parse::<i64>().ok().filter(|revision| *revision >= 0);
    if after_revision.is_none() && !after.is_empty() {
        parameters.add("after", &format!("found `{after}`; allowed: a revision, a whole number from 0 on"));
    }
    let request = ListChangesRequest {
        after_revision: after_revision.unwrap_or_default(),
        areas: parameters.list("area"),
        indicators: parameters.list("indicator"),
        agencies: parameters.list("agency"),
        page_size: CHANGES_MAX,
        page_token: parameters.text("page_token"),
        ..ListChangesRequest::default()
    };
    (parameters, request)
}

/// Whether an address says everything that an answer depends on.
fn is_whole(parameters: &Parameters) -> bool {
    ["after", "area"].iter().all(|name| !parameters.text(name).is_empty())
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, request) = read(query.as_deref());
    let lists = Lists::of(&visitor, 0).await?;
    let request = complete(&visitor, &parameters, request, &lists).await?;
    let answer = visitor.calls.pictures().list_changes(request.clone()).await;
    let (answer, refusal) = match parameters.with_those_of(answer) {
        Ok(answer) => (answer.into_inner(), None),
        Err(status) if status.code() == Code::InvalidArgument => (ListChangesResponse::default(), Some(status)),
        Err(status) => return Err(status.into()),
    };
    let code = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = ChangesPage::new(&parameters, &request, &answer, &lists);
    let form = refusal.iter().fold(page.form, Form::refused);
    Ok((code, Page(ChangesPage { form, ..page })).into_response())
}

/// The question with what isn't asked for: the newest revisions; and of whoever may see some areas and sectors alone
/// those, of others the areas at the top, which have all.
async fn complete(
    visitor: &Visitor,
    parameters: &Parameters,
    mut request: ListChangesRequest,
    lists: &Lists,
) -> Result<ListChangesRequest, Status> {
    if parameters.text("after").is_empty() {
        request.after_revision = (lists.revision - REVISIONS_DEFAULT).max(0);
    }
    if request.areas.is_empty() {
        let scope = Scope::of(visitor).await?;
        if request.agencies.is_empty() {
            request.agencies = scope.agencies(&lists.agencies);
        }
        request.areas = if scope.areas.is_empty() { hierarchy::tops(&lists.areas) } else { scope.areas };
    }
    Ok(request)
}

pub(super) async fn file(visitor: Visitor, query: Option<String>) -> Result<Question, Status> {
    let (parameters, request) = read(query.as_deref());
    parameters.check()?;
    if is_whole(&parameters) {
        return Ok(Question::changes(&request));
    }
    let lists = Lists::of(&visitor, 0).await?;
    Ok(Question::changes(&complete(&visitor, &parameters, request, &lists).await?))
}

#[derive(Debug, Template)]
#[template(path = "changes.html")]
struct ChangesPage {
    after: i64,
    revision: i64,
    form: Form,
    changes: Vec<ChangeView>,
    notes: Explained,
    /// Where the later changes are; empty if these are all.
    next: String,
    /// Shows what will have changed since now.
    since_now: String,
    files: Vec<FileLink>,
}

#[derive(Debug)]
struct ChangeView {
    revision: i64,
    accepted: String,
    event: &'static str,
    indicator: String,
    agency: String,
    area: String,
    period: String,
    breakdown: String,
    before: String,
    before_notes: Vec<String>,
    value: String,
    notes: Vec<String>,
    reason: String,
    history: String,
}

impl ChangesPage {
    fn new(parameters: &Parameters, request: &ListChangesRequest, answer: &ListChangesResponse, lists: &Lists) -> Self {
        let question = |after: i64| {
            Address::of("/changes")
                .with("after", after.to_string())
                .with("area", request.areas.join(","))
                .with("indicator", request.indicators.join(","))
                .with("agency", request.agencies.join(","))
        };
        let this = question(request.after_revision);
        let next = Some(&answer.next_page_token).filter(|token| !token.is_empty());
        let (mut notes, names) = (Notes::default(), Names::from(lists));
        Self {
            after: request.after_revision,
            revision: answer.revision,
            form: form(parameters, request, lists),
            changes: answer.changes.iter().map(|change| view(&mut notes, change, (lists, &names))).collect(),
            notes: notes.explained(),
            next: next.map(|token| this.clone().with("page_token", token).href()).unwrap_or_default(),
            since_now: question(answer.revision).href(),
            files: this.files(),
        }
    }
}

fn form(parameters: &Parameters, request: &ListChangesRequest, lists: &Lists) -> Form {
    let after = match parameters.text("after") {
        text if text.is_empty() => request.after_revision.to_string(),
        text => text,
    };
    let area = picture_form::area(&lists.areas, request.areas.join(","));
    let indicators = lists.indicators.iter().map(|it| Choice::new(&it.id, visible(&it.title)));
    let agencies = lists.agencies.iter().map(|it| Choice::new(&it.id, visible(&it.name)));
    let fields = vec![
        Field::text("after", "After revision", "Its number, such as 12; 0 for everything", after),
        Field { hint: "With those within it".to_owned(), ..area },
        one_of("indicator", "Indicator", indicators, &request.indicators),
        one_of("agency", "Agency", agencies, &request.agencies),
    ];
    Form { action: "/changes", fields, button: "Show the changes", ..Form::default() }
}

/// A field with one choice for all, and one for what is asked for where that is several.
fn one_of(name: &'static str, label: &'static str, known: impl Iterator<Item = Choice>, asked: &[String]) -> Field {
    let value = asked.join(",");
    let mut choices: Vec<Choice> = [Choice::new("", "All")].into_iter().chain(known).collect();
    if choices.iter().all(|known| known.value != value) {
        choices.push(Choice::new(&value, &value));
    }
    let input = Input::OneOf(vec![Group { choices, ..Group::default() }]);
    Field { input, ..Field::text(name, label, "", value) }
}

fn view(notes: &mut Notes, change: &FigureChange, (lists, names): (&Lists, &Names)) -> ChangeView {
    let none = Observation::default();
    let figure = change.observation.as_ref().unwrap_or(&none);
    let before = change.before.as_ref().unwrap_or(&none);
    let kind = lists
        .indicators
        .iter()
        .find(|indicator| indicator.id == figure.indicator)
        .map(crate::rpc::proto::Indicator::kind);
    let breakdown = breakdown_text(&figure.breakdown);
    let history = Address::of("/history")
        .with("indicator", &figure.indicator)
        .with("agency", &change.agency)
        .with("area", &figure.area)
        .with("period", &figure.period)
        .with("breakdown", &breakdown);
    let seen = |text: &str| visible(text).into_owned();
    ChangeView {
        revision: change.revision,
        accepted: change.accepted_at.as_ref().map(instant::text).unwrap_or_default(),
        event: match change.event() {
            HistoryEvent::Unspecified => "",
            HistoryEvent::Submitted if change.before.is_some() => "revised",
            HistoryEvent::Submitted => "new",
            HistoryEvent::Restored => "restored, as what replaced it was withdrawn",
            HistoryEvent::Withdrawn => "withdrawn",
        },
        indicator: seen(&names.indicator(&figure.indicator)),
        agency: seen(&names.agency(&change.agency)),
        area: seen(&names.area(&figure.area)),
        period: Span::Period(&figure.period).name(kind.unwrap_or(Kind::Unspecified)),
        breakdown,
        before: value(before),
        before_notes: notes.submitted(&before.markers, change.before_sample),
        value: value(figure),
        notes: notes.submitted(&figure.markers, change.sample),
        reason: visible_lines(&change.reason).into_owned(),
        history: history.href(),
    }
}

/// A submitted value with its markers: `117,188 [p]`, `87.90 % of 18,496`, `[x]`; empty if it is withdrawn.
fn value(figure: &Observation) -> String {
    let grouped =
        |text: &str| if text.parse::<Decimal>().is_ok() { thousands(text) } else { visible(text).into_owned() };
    let measure = figure.measure.as_ref().map(|measure| match measure {
        Measure::Number(number) => grouped(number),
        Measure::Percentage(it) => format!("{} % of {}", grouped(&it.percent), grouped(&it.base)),
        Measure::Ratio(it) => format!("{} of {}", grouped(&it.numerator), grouped(&it.denominator)),
        Measure::Mean(it) => format!("{} over {}", grouped(&it.mean), grouped(&it.count)),
    });
    let markers = figure.markers.iter().filter_map(|code| Marker::from_code(*code)).map(|marker| format!("[{marker}]"));
    measure.into_iter().chain(markers).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Agency, Area, Indicator};
    use crate::web::tests::main_of;

    #[test]
    fn a_change_says_what_was_there_what_is_and_why() {
        let text = str::to_owned;
        let lists = Lists {
            revision: 9,
            areas: vec![Area { code: text("E1"), name: text("<b>Hampshire</b>"), ..Area::default() }],
            agencies: vec![Agency { id: text("police"), name: text("The \"Police\""), ..Agency::default() }],
            indicators: vec![Indicator {
                id: text("visits"),
                title: text("Visits & calls"),
                kind: 1,
                ..Indicator::default()
            }],
            ..Lists::default()
        };
        let figure = |number: &str, markers: &[i32]| Observation {
            indicator: text("visits"),
            area: text("E1"),
            period: text("FY2021-22"),
            measure: Some(Measure::Number(text(number))),
            markers: markers.to_vec(),
            ..Observation::default()
        };
        let change = |revision, event: HistoryEvent, observation, before| FigureChange {
            revision,
            accepted_at: Some(prost_types::Timestamp { seconds: 1_664_557_200, nanos: 0 }),
            event: event.into(),
            agency: text("police"),
            observation: Some(observation),
            before,
            ..FigureChange::default()
        };
        let withdrawn = Observation { measure: None, withdraw: true, ..figure("", &[]) };
        let answer = ListChangesResponse {
            revision: 9,
            changes: vec![
                FigureChange { sample: true, ..change(7, HistoryEvent::Submitted, figure("1250", &[7]), None) },
                FigureChange {
                    reason: text("<script>alert(1)</script>"),
                    before_sample: true,
                    ..change(8, HistoryEvent::Submitted, figure("1300", &[]), Some(figure("1250", &[7])))
                },
                change(9, HistoryEvent::Withdrawn, withdrawn, Some(figure("1300", &[]))),
            ],
            next_page_token: text("t"),
        };
        let request =
            ListChangesRequest { after_revision: 6, areas: vec![text("E1")], ..ListChangesRequest::default() };
        let page = ChangesPage::new(&Parameters::default(), &request, &answer, &lists);
        insta::assert_snapshot!(main_of(&page));
    }
}

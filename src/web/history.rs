//! Every value that a submitted figure has had.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::Status;

use super::figure::{Explained, Notes};
use super::names::Names;
use super::page::Page;
use super::question::{Address, FileLink, Parameters};
use super::refusal::Refusal;
use super::reporters;
use super::submitted::{Columns, Submitted, breakdown_text};
use super::visitor::Visitor;
use crate::http::files;
use crate::model::text::visible;
use crate::rpc::proto::{GetHistoryRequest, GetHistoryResponse, GetIndicatorRequest, HistoryEvent, HistoryItem, Kind};
use crate::submitting::value::shown;
use crate::tables;
use crate::wording::instant;
use crate::wording::period::Span;

/// How many values a page shows.
const VALUES_MAX: i32 = 200;

const PARAMETERS: [&str; 6] = ["indicator", "agency", "area", "period", "breakdown", "page_token"];

fn read(query: Option<&str>) -> (Parameters, GetHistoryRequest) {
    let mut parameters = Parameters::read(query, &PARAMETERS);
    let request = GetHistoryRequest {
        indicator: parameters.text("indicator"),
        agency: parameters.text("agency"),
        area: parameters.text("area"),
        period: parameters.text("period"),
        breakdown: parameters.breakdown(),
        page_size: VALUES_MAX,
        page_token: parameters.text("page_token"),
    };
    (parameters, request)
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, request) = read(query.as_deref());
    if request.agency.is_empty() {
        let agencies = parameters.with_those_of(reporters::of(&visitor, &request).await)?;
        return Ok(reporters::choose(&agencies, &address("/history", &request)));
    }
    let answer = visitor.calls.pictures().get_history(request.clone()).await;
    let answer = parameters.with_those_of(answer)?.into_inner();
    let names = Names::of_places(&visitor, answer.revision).await?;
    let definition = GetIndicatorRequest {
        id: request.indicator.clone(),
        as_of_revision: answer.revision,
        ..GetIndicatorRequest::default()
    };
    let versions = visitor.calls.catalogue().get_indicator(definition).await?.into_inner().versions;
    let (title, kind) = versions.last().map(|it| (it.title.clone(), it.kind())).unwrap_or_default();
    Ok(Page(HistoryPage::new(&request, &answer, &names, (&title, kind))).into_response())
}

/// All values, not only the page's.
pub(super) async fn file(visitor: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let (mut parameters, mut request) = read(query.as_deref());
    parameters.check()?;
    if request.agency.is_empty() {
        request.agency = match &reporters::of(&visitor, &request).await?[..] {
            [one] => one.id.clone(),
            agencies => {
                let ids: Vec<&str> = agencies.iter().map(|agency| agency.id.as_str()).collect();
                parameters.add("agency", &format!("found nothing; allowed: {}", ids.join(", ")));
                String::new()
            }
        };
        parameters.check()?;
    }
    let names = files::Names::Indicators { ids: vec![request.indicator.clone()], dimension: String::new() };
    let (method, message) = ("/conspectus.v1.PictureService/GetHistory", request.encode_to_vec());
    let table = move |_: GetHistoryResponse, labels, _| tables::history(&request, &labels);
    Ok(files::Question::new("history", (method, "items"), message, table).with_names(names))
}

#[derive(Debug, Template)]
#[template(path = "history.html")]
struct HistoryPage {
    title: String,
    /// Whose figure it is, of where, when and what.
    of: String,
    agency: String,
    revision: i64,
    items: Vec<ItemView>,
    columns: Columns,
    notes: Explained,
    /// Where the later values are; empty if these are all.
    next: String,
    explain: String,
    files: Vec<FileLink>,
}

#[derive(Debug)]
struct ItemView {
    event: &'static str,
    submitted: Submitted,
}

impl HistoryPage {
    fn new(
        request: &GetHistoryRequest,
        answer: &GetHistoryResponse,
        names: &Names,
        (title, kind): (&str, Kind),
    ) -> Self {
        let question = |path| address(path, request);
        let next = Some(&answer.next_page_token).filter(|token| !token.is_empty());
        let agency = visible(&names.agency(&request.agency)).into_owned();
        let period = Span::Period(&request.period).name(kind);
        let of = [names.area(&request.area), period, agency.clone(), breakdown_text(&request.breakdown)];
        let of: Vec<String> = of.into_iter().filter(|part| !part.is_empty()).collect();
        let mut notes = Notes::default();
        let items: Vec<ItemView> = answer.items.iter().map(|item| view(&mut notes, item)).collect();
        Self {
            title: visible(title).into_owned(),
            of: visible(&of.join(", ")).into_owned(),
            agency,
            revision: answer.revision,
            columns: Columns::of(items.iter().map(|item| &item.submitted)),
            items,
            notes: notes.explained(),
            next: next.map(|token| question("/history").with("page_token", token).href()).unwrap_or_default(),
            explain: question("/explain").href(),
            files: question("/history").files(),
        }
    }
}

fn address(path: &'static str, request: &GetHistoryRequest) -> Address {
    Address::of(path)
        .with("indicator", &request.indicator)
        .with("agency", &request.agency)
        .with("area", &request.area)
        .with("period", &request.period)
        .with("breakdown", breakdown_text(&request.breakdown))
}

fn view(notes: &mut Notes, item: &HistoryItem) -> ItemView {
    ItemView {
        event: match item.event() {
            HistoryEvent::Unspecified => "",
            HistoryEvent::Submitted => "submitted",
            HistoryEvent::Restored => "restored",
            HistoryEvent::Withdrawn => "withdrawn",
        },
        submitted: Submitted {
            value: if item.value.is_empty() { "no value".to_owned() } else { shown(&item.value) },
            notes: notes.submitted(&item.markers, item.sample),
            revision: item.revision,
            accepted: item.accepted_at.as_ref().map(instant::text).unwrap_or_default(),
            ..Submitted::new(&item.request_id, &item.source, &item.reason, &item.explanations)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::tests::main_of;

    #[test]
    fn a_history_says_what_happened_to_each_value() {
        let item = |revision, event: HistoryEvent, value: &str, request_id: &str, reason: &str| HistoryItem {
            revision,
            accepted_at: "2021-07-15T09:30:00Z".parse().ok(),
            event: event.into(),
            value: value.to_owned(),
            request_id: request_id.to_owned(),
            reason: reason.to_owned(),
            ..HistoryItem::default()
        };
        let answer = GetHistoryResponse {
            revision: 9,
            items: vec![
                item(3, HistoryEvent::Submitted, "126150", "one", ""),
                item(5, HistoryEvent::Submitted, "126153 [r]", "two", "Three were <missed>"),
                item(7, HistoryEvent::Restored, "126150", "one", "sent by mistake"),
                item(8, HistoryEvent::Withdrawn, "", "", "sent by mistake"),
            ],
            next_page_token: "more".to_owned(),
        };
        let (_, request) = read(Some("indicator=contacts&agency=care&area=E1&period=FY2020-21"));
        let page = HistoryPage::new(&request, &answer, &Names::default(), ("Initial contacts", Kind::Events));
        insta::assert_snapshot!(main_of(&page));
    }
}

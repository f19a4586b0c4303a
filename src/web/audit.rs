//! Who read what and what for, who was refused, and who changed keys; for operators. No figure is in it.

use std::iter;

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::{Code, Status};

use super::form::{Choice, Field, Form, Group, Input};
use super::page::Page;
use super::question::{Address, FileLink, Parameters};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http::files::Question;
use crate::model::text::visible;
use crate::rpc::proto::{AuditEvent, AuditLine, ListAuditLinesRequest, ListAuditLinesResponse};
use crate::tables;
use crate::wording::instant;

/// How many lines a page shows.
const LINES_MAX: i32 = 100;

/// Which page of the lines.
const PAGE_TOKEN: &str = "page_token";

/// What lines are looked for by.
const FILTERS: [&str; 8] = ["identity", "method", "area", "event", "purpose", "since", "until", "refusals"];

const EVENTS: [AuditEvent; 10] = [
    AuditEvent::Read,
    AuditEvent::Refused,
    AuditEvent::RefusedMore,
    AuditEvent::Keys,
    AuditEvent::Closed,
    AuditEvent::Continued,
    AuditEvent::Pruned,
    AuditEvent::Repaired,
    AuditEvent::Lost,
    AuditEvent::OlderJournal,
];

fn read(query: Option<&str>) -> (Parameters, ListAuditLinesRequest) {
    let known: Vec<&str> = FILTERS.into_iter().chain([PAGE_TOKEN]).collect();
    let mut parameters = Parameters::read(query, &known);
    let names = EVENTS.map(name);
    let events: Vec<(&str, AuditEvent)> = names.iter().map(String::as_str).zip(EVENTS).collect();
    let request = ListAuditLinesRequest {
        identity: parameters.text("identity"),
        method: parameters.text("method"),
        area: parameters.text("area"),
        event: parameters.choice("event", &events).into(),
        purpose: parameters.text("purpose"),
        since: parameters.bound("since"),
        until: parameters.bound("until"),
        only_refusals: parameters.is_set("refusals"),
        page_size: LINES_MAX,
        page_token: parameters.text(PAGE_TOKEN),
    };
    (parameters, request)
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, request) = read(query.as_deref());
    let answer = visitor.calls.audit().list_audit_lines(request).await;
    let (answer, refusal) = match parameters.with_those_of(answer) {
        Ok(answer) => (answer.into_inner(), None),
        Err(status) if status.code() == Code::InvalidArgument => (ListAuditLinesResponse::default(), Some(status)),
        Err(status) => return Err(status.into()),
    };
    let code = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let form = refusal.iter().fold(form(&parameters), Form::refused);
    Ok((code, Page(AuditPage::new(&parameters, &answer, form))).into_response())
}

/// All lines, not only the page's.
pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<Question, Status> {
    let (parameters, request) = read(query.as_deref());
    parameters.check()?;
    let (method, message) = ("/conspectus.v1.AuditService/ListAuditLines", request.encode_to_vec());
    let table = |_: ListAuditLinesResponse, _, _| tables::audit();
    Ok(Question::new("audit", (method, "lines"), message, table).of_the_moment())
}

fn form(parameters: &Parameters) -> Form {
    let field = |name, label, hint| Field::text(name, label, hint, parameters.text(name));
    let any = iter::once(Choice::new("", "Anything"));
    let choices = any.chain(EVENTS.map(|event| Choice::new(name(event), words(event)))).collect();
    let event = Input::OneOf(vec![Group { label: String::new(), choices }]);
    let fields = vec![
        field("identity", "Identity", "Its id; empty for everybody"),
        field("method", "Method", "Such as GetPicture; empty for all"),
        field("area", "Area that was asked for", "Its code, such as E10000014; empty for all"),
        Field { input: event, ..field("event", "What happened", "") },
        field("purpose", "Words of what it was for", "Empty for any"),
        field("since", "Since", "A date, from midnight UTC on, such as 2026-03-01, or an instant"),
        field("until", "Before", "The same"),
        Field { input: Input::Box, ..field("refusals", "Refusals alone", "") },
    ];
    Form { action: "/audit", fields, button: "Show the lines", ..Form::default() }
}

#[derive(Debug, Template)]
#[template(path = "audit.html")]
struct AuditPage {
    of: &'static str,
    form: Form,
    lines: Vec<LineView>,
    /// Where the older lines are; empty if these are the oldest.
    next: String,
    /// That still older lines are in a file that was moved away.
    is_continued: bool,
    files: Vec<FileLink>,
}

#[derive(Debug)]
struct LineView {
    number: i64,
    at: String,
    event: &'static str,
    identity: String,
    /// The lines of this identity.
    href: String,
    credential: String,
    address: String,
    method: String,
    scope: String,
    /// Of a question that is too long for the line.
    question_hash: String,
    purpose: String,
    /// Empty for none.
    revision: String,
    outcome: String,
}

impl AuditPage {
    fn new(parameters: &Parameters, answer: &ListAuditLinesResponse, form: Form) -> Self {
        let with = |address: Address, name| address.with(name, parameters.text(name));
        let this = FILTERS.into_iter().fold(Address::of("/audit"), with);
        let next = Some(&answer.next_page_token).filter(|token| !token.is_empty());
        let is_searched = FILTERS.into_iter().any(|name| !parameters.text(name).is_empty());
        Self {
            of: if is_searched { "The lines that were looked for" } else { "The lines" },
            form,
            lines: answer.lines.iter().map(view).collect(),
            next: next.map(|token| this.clone().with(PAGE_TOKEN, token).href()).unwrap_or_default(),
            is_continued: next.is_none() && answer.lines.last().is_some_and(|line| is_first_of_another(line.event())),
            files: this.files(),
        }
    }
}

fn is_first_of_another(event: AuditEvent) -> bool {
    matches!(event, AuditEvent::Continued | AuditEvent::Lost)
}

/// An event as an address has it: as the log's own lines do.
fn name(event: AuditEvent) -> String {
    event.as_str_name().trim_start_matches("AUDIT_EVENT_").to_ascii_lowercase().replace('_', "-")
}

fn words(event: AuditEvent) -> &'static str {
    match event {
        AuditEvent::Unspecified => "",
        AuditEvent::Read => "read",
        AuditEvent::Refused => "refused",
        AuditEvent::Keys => "keys changed",
        AuditEvent::RefusedMore => "refused, counted",
        AuditEvent::Repaired => "a line that was cut off was dropped",
        AuditEvent::Continued => "goes on after another file",
        AuditEvent::Lost => "lines before are lost, as was accepted",
        AuditEvent::OlderJournal => "the journal is older than this log, as was accepted",
        AuditEvent::Closed => "closes its file of the log: the next goes on",
        AuditEvent::Pruned => "the oldest files of the log are deleted",
    }
}

fn view(line: &AuditLine) -> LineView {
    let seen = |text: &str| visible(text).into_owned();
    LineView {
        number: line.number,
        at: line.at.as_ref().map(instant::text).unwrap_or_default(),
        event: words(line.event()),
        identity: seen(&line.identity),
        href: Address::of("/audit").with("identity", &line.identity).href(),
        credential: seen(&line.credential),
        address: seen(&line.address),
        method: seen(line.method.rsplit('/').next().unwrap_or_default()),
        scope: seen(&line.scope),
        question_hash: line.question_hash.clone(),
        purpose: seen(&line.purpose),
        revision: Some(line.revision).filter(|revision| *revision > 0).map(|it| it.to_string()).unwrap_or_default(),
        outcome: seen(&line.outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::tests::main_of;

    #[test]
    fn a_line_says_who_asked_what_and_what_for_and_nothing_of_it_is_markup() {
        let read = AuditLine {
            number: 12,
            at: "2022-09-30T17:00:00Z".parse().ok(),
            event: AuditEvent::Read.into(),
            identity: "analyst".to_owned(),
            credential: "key 0123456789abcdef".to_owned(),
            address: "192.0.2.7".to_owned(),
            method: "/conspectus.v1.PictureService/GetPicture".to_owned(),
            scope: "area=E10000014 period=FY2021-22".to_owned(),
            purpose: "<script>alert(1)</script>".to_owned(),
            revision: 9,
            outcome: "OK".to_owned(),
            ..AuditLine::default()
        };
        let refused = AuditLine {
            event: AuditEvent::Refused.into(),
            identity: String::new(),
            credential: String::new(),
            question_hash: "00ff".to_owned(),
            revision: 0,
            outcome: "UNAUTHENTICATED".to_owned(),
            ..read.clone()
        };
        let first = AuditLine { number: 11, event: AuditEvent::Continued.into(), ..AuditLine::default() };
        let answer = ListAuditLinesResponse { revision: 9, lines: vec![read, refused, first], ..Default::default() };
        let (parameters, _) = super::read(Some("refusals=1&event=refused-more"));
        insta::assert_snapshot!(main_of(&AuditPage::new(&parameters, &answer, form(&parameters))));
    }

    #[test]
    fn every_event_can_be_looked_for_by_the_name_that_its_lines_have() {
        let all: Vec<AuditEvent> = (1..100).filter_map(|number| AuditEvent::try_from(number).ok()).collect();
        assert_eq!(all.len(), EVENTS.len());
        for event in all {
            let (parameters, request) = super::read(Some(&format!("event={}", name(event))));
            assert!(parameters.check().is_ok() && request.event() == event, "{event:?}");
            let line = format!("\"{}\"", name(event));
            assert!(serde_json::from_str::<crate::audit::Event>(&line).is_ok(), "{line}");
        }
    }
}

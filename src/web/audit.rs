//! Who read what and what for, who was refused, and who changed keys; for operators. No figure is in it.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::{Code, Status};

use super::form::{Field, Form, Input};
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

const PARAMETERS: [&str; 3] = ["identity", "refusals", "page_token"];

fn read(query: Option<&str>) -> (Parameters, ListAuditLinesRequest) {
    let mut parameters = Parameters::read(query, &PARAMETERS);
    let request = ListAuditLinesRequest {
        identity: parameters.text("identity"),
        only_refusals: parameters.is_set("refusals"),
        page_size: LINES_MAX,
        page_token: parameters.text("page_token"),
    };
    (parameters, request)
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, request) = read(query.as_deref());
    let answer = visitor.calls.audit().list_audit_lines(request.clone()).await;
    let (answer, refusal) = match parameters.with_those_of(answer) {
        Ok(answer) => (answer.into_inner(), None),
        Err(status) if status.code() == Code::InvalidArgument => (ListAuditLinesResponse::default(), Some(status)),
        Err(status) => return Err(status.into()),
    };
    let code = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let form = refusal.iter().fold(form(&parameters), Form::refused);
    Ok((code, Page(AuditPage::new(&request, &answer, form))).into_response())
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
    let text = |name| parameters.text(name);
    let fields = vec![
        Field::text("identity", "Identity", "Its id; empty for everybody", text("identity")),
        Field { input: Input::Box, ..Field::text("refusals", "Refusals alone", "", text("refusals")) },
    ];
    Form { action: "/audit", fields, button: "Show the lines", ..Form::default() }
}

#[derive(Debug, Template)]
#[template(path = "audit.html")]
struct AuditPage {
    /// Whose lines, and which.
    of: String,
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
    fn new(request: &ListAuditLinesRequest, answer: &ListAuditLinesResponse, form: Form) -> Self {
        let this = Address::of("/audit")
            .with("identity", &request.identity)
            .with("refusals", if request.only_refusals { "1" } else { "" });
        let next = Some(&answer.next_page_token).filter(|token| !token.is_empty());
        let whose = match request.identity.as_str() {
            "" => "of everybody".to_owned(),
            identity => format!("of {identity}"),
        };
        Self {
            of: format!("{} {whose}", if request.only_refusals { "Refusals" } else { "Lines" }),
            form,
            lines: answer.lines.iter().map(view).collect(),
            next: next.map(|token| this.clone().with("page_token", token).href()).unwrap_or_default(),
            is_continued: next.is_none() && answer.lines.last().is_some_and(|line| is_first_of_another(line.event())),
            files: this.files(),
        }
    }
}

fn is_first_of_another(event: AuditEvent) -> bool {
    matches!(event, AuditEvent::Continued | AuditEvent::Lost)
}

fn view(line: &AuditLine) -> LineView {
    let seen = |text: &str| visible(text).into_owned();
    LineView {
        number: line.number,
        at: line.at.as_ref().map(instant::text).unwrap_or_default(),
        event: match line.event() {
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
        },
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
        let request = ListAuditLinesRequest { only_refusals: true, ..ListAuditLinesRequest::default() };
        insta::assert_snapshot!(main_of(&AuditPage::new(&request, &answer, form(&Parameters::default()))));
    }
}

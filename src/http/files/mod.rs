//! Figures at an address: `GET /v1/figures.csv?indicator=…&area=…&from=…&to=…`, for whatever fetches an address and reads
//! a table, such as Excel, Power BI, R and pandas.
//!
//! The question is that of the service's own message, and is asked of the service as any caller asks it: so permission,
//! bounds, the turn to compute and the line of the audit log are the same, for each page. What the caller allows
//! for time is not read here: a file is as many calls as it has pages, each within the server's own bound.

mod credentials;
mod csv;
mod etag;
mod fields;
mod form;
mod json;
mod labels;
mod pages;
mod parameters;
mod question;
mod refusal;
mod served;
mod sheets;
mod workbook;

use std::fmt::Display;

use axum::extract::{Request, State};
use axum::routing::get;
use http_body_util::Full;
use prost_reflect::FieldDescriptor;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use self::etag::ETag;
pub(crate) use self::form::Form;
pub(crate) use self::json::json;
pub(crate) use self::labels::Names;
use self::pages::Pages;
use self::parameters::Parameters;
pub(super) use self::parameters::{Parameter, Takes};
pub(crate) use self::question::Question;
use self::served::Kind;
use super::calls::Calls;
use crate::net::Peer;
use crate::rpc::Router;
use crate::tables::Labels;

/// The revision of a file, for whoever goes on from there.
pub(super) const REVISION: HeaderName = HeaderName::from_static("conspectus-revision");

/// The addresses.
const FILES: [(&str, Kind, Form); 6] = [
    ("/v1/figures.csv", Kind::Figures, Form::Csv { has_bom: false }),
    ("/v1/figures.xlsx", Kind::Figures, Form::Workbook),
    ("/v1/picture.csv", Kind::Picture, Form::Csv { has_bom: false }),
    ("/v1/picture.xlsx", Kind::Picture, Form::Workbook),
    ("/v1/changes.csv", Kind::Changes, Form::Csv { has_bom: false }),
    ("/v1/changes.xlsx", Kind::Changes, Form::Workbook),
];

/// What answers at these addresses.
pub(crate) fn routes() -> axum::Router<Router> {
    FILES.into_iter().fold(axum::Router::new(), |routes, (path, kind, form)| {
        let handler = move |State(router): State<Router>, request: Request| answer(router, kind, form, request);
        routes.route(path, get(handler))
    })
}

async fn answer(router: Router, kind: Kind, form: Form, request: Request) -> http::Response<Body> {
    let (head, _) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().cloned() else {
        return refusal::response(&Status::internal("the request comes from nowhere"), &head.headers);
    };
    let mut parameters = Parameters::of(head.uri.query().unwrap_or_default());
    let (question, form, headers) = read(kind, form, &head.headers, &mut parameters);
    let calls = Calls::of(router, peer, &headers);
    let problems = parameters.problems();
    let file = if problems.is_empty() {
        file(&calls, &question, form, &head.headers).await
    } else {
        Err(refusal::of_the_address(problems, &pages::review(&calls, &question).await))
    };
    file.unwrap_or_else(|status| refusal::response(&status, &head.headers))
}

/// What an address asks, in which form, and the headers by which its caller asks.
fn read(kind: Kind, form: Form, headers: &HeaderMap, parameters: &mut Parameters) -> (Question, Form, HeaderMap) {
    let question = kind.take(parameters);
    let form = match form {
        Form::Csv { .. } => Form::Csv { has_bom: parameters.flag("bom") },
        Form::Workbook => Form::Workbook,
    };
    (question, form, credentials::headers(headers, parameters))
}

/// An address, for its description.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) path: &'static str,
    /// What it answers, in a sentence.
    pub(super) summary: &'static str,
    /// How much that may be.
    pub(super) bounds: String,
    /// The type of a file.
    pub(super) media_type: &'static str,
    /// The path of the method that answers.
    pub(super) method: &'static str,
    /// Those that are read, each with the field of the method's request that it sets, if it sets one.
    pub(super) parameters: Vec<(Parameter, Option<FieldDescriptor>)>,
    /// The parameters that must be given.
    pub(super) required: &'static [&'static str],
}

/// The addresses. What the parameters are is found out by reading an address that has none.
pub(super) fn addresses() -> impl Iterator<Item = Address> {
    FILES.into_iter().map(|(path, kind, form)| {
        let mut parameters = Parameters::of("");
        let (question, form, _) = read(kind, form, &HeaderMap::new(), &mut parameters);
        let request = question.descriptor().ok().map(|method| method.input());
        let of_field = |it: Parameter| {
            let field = request.as_ref().and_then(|request| fields::field(request, it.name));
            (it, field)
        };
        Address {
            path,
            summary: kind.summary(),
            bounds: [kind.bounds(), form.bounds()].join(" ").trim().to_owned(),
            media_type: form.media_type(),
            method: question.method(),
            parameters: parameters.known().into_iter().map(of_field).collect(),
            required: kind.required(),
        }
    })
}

/// The file that answers a question, or that it is the one that a request's caller has already.
///
/// # Errors
/// What the service refuses; or that the file would be too large for its form.
pub(crate) async fn file(
    calls: &Calls,
    question: &Question,
    form: Form,
    request: &HeaderMap,
) -> Result<http::Response<Body>, Status> {
    // Before the question: of an answer that doesn't say what it is of, the day isn't later than that.
    let asked_at = calls.router().now()?;
    let (head, pages) = Pages::first(calls, question).await?;
    let of = head.as_of.as_ref().unwrap_or(&asked_at);
    let since = if question.is_of_a_revision() { calls.router().unchanged_since(head.revision, of)? } else { *of };
    let headings = question.table(&head, &since, Labels::default())?.headings();
    let tag = question.is_of_a_revision().then(|| ETag::of(question, form, &headings, &head, &since));
    let mut response = if tag.as_ref().is_some_and(|tag| tag.is_known(request)) {
        let mut unchanged = http::Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        let table = question.table(&head, &since, question.names().read(calls, head.revision).await?)?;
        let body = match form {
            Form::Csv { has_bom } => Body::new(axum::body::Body::from_stream(csv::stream(table, pages, has_bom))),
            Form::Workbook => Body::new(Full::from(workbook::bytes(question, &head, since, table, pages).await?)),
        };
        let mut response = http::Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
        let name = format!("{}-r{}.{}", question.name(), head.revision, form.extension());
        headers.insert(header::CONTENT_DISPOSITION, value(format_args!("inline; filename=\"{name}\"")));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    };
    let headers = response.headers_mut();
    // For its caller alone, who asks each time whether it is still so.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Some(tag) = tag {
        headers.insert(header::ETAG, tag.header());
    }
    headers.insert(REVISION, value(head.revision));
    Ok(response)
}

/// A text of digits, letters and quotation marks as a header.
fn value(text: impl Display) -> HeaderValue {
    HeaderValue::try_from(text.to_string()).unwrap_or(HeaderValue::from_static(""))
}

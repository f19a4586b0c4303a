//! What the service is: its version, how far it has come, how accessible it is, and where its API is described.

use askama::Template;
use axum::Json;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use serde_json::Value;
use tonic::Status;

use super::page::Page;
use super::question::{Address, FileLink, Parameters};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::access::Role;
use crate::http;
use crate::http::files::Question;
use crate::model::hex::Hex;
use crate::rpc::proto::{GetCallerRequest, GetCallerResponse};
use crate::tables;
use crate::wording::instant;

#[derive(Debug, Template)]
#[template(path = "about.html")]
struct About {
    version: String,
    /// The newest revision, and the chain hash up to it.
    revision: i64,
    chain_hash: String,
    /// The service's clock.
    time: String,
    is_operator: bool,
    files: Vec<FileLink>,
}

#[derive(Debug, Template)]
#[template(path = "accessibility.html")]
struct Accessibility;

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let parameters = Parameters::read(query.as_deref(), &[]);
    let answer = visitor.calls.keys().get_caller(GetCallerRequest::default()).await;
    let answer = parameters.with_those_of(answer)?.into_inner();
    let about = About {
        version: answer.server_version,
        revision: answer.newest_revision,
        chain_hash: Hex(&answer.chain_hash).to_string(),
        time: answer.server_time.as_ref().map(instant::text).unwrap_or_default(),
        is_operator: visitor.role == Role::Operator,
        files: Address::of("/about").files(),
    };
    Ok(Page(about).into_response())
}

/// A row: kept again and again, the chain hashes of many revisions stand below each other.
pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<Question, Status> {
    Parameters::read(query.as_deref(), &[]).check()?;
    let message = GetCallerRequest::default().encode_to_vec();
    let table = |_: GetCallerResponse, _, _| tables::about();
    Ok(Question::new("about", ("/conspectus.v1.KeyService/GetCaller", ""), message, table).of_the_moment())
}

/// For anybody, whoever they are: who can't sign in may need it most.
pub(super) async fn accessibility() -> impl IntoResponse {
    Page(Accessibility)
}

/// The description of the JSON lane.
pub(super) async fn openapi() -> Json<&'static Value> {
    http::openapi_answer().await
}

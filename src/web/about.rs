//! What the service is: its version, how far it has come, how accessible it is, and where its API is described.

use askama::Template;
use axum::Json;
use axum::response::IntoResponse;
use serde_json::Value;

use super::page::Page;
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http;
use crate::rpc::proto::{ListAreasRequest, ListKeysRequest};

#[derive(Debug, Template)]
#[template(path = "about.html")]
struct About {
    version: &'static str,
    /// The newest revision, for whoever may read something.
    revision: Option<i64>,
}

/// Anybody may read it, whoever they are.
pub(super) async fn show(visitor: Result<Visitor, Refusal>) -> impl IntoResponse {
    let revision = match visitor {
        Ok(visitor) => newest_revision(&visitor).await,
        Err(_) => None,
    };
    Page(About { version: env!("CARGO_PKG_VERSION"), revision })
}

/// The newest revision, by what a visitor may read: the catalogue, or an operator the keys. None for who may read neither.
async fn newest_revision(visitor: &Visitor) -> Option<i64> {
    let areas = ListAreasRequest { page_size: 1, ..ListAreasRequest::default() };
    if let Ok(answer) = visitor.calls.catalogue().list_areas(areas).await {
        return Some(answer.into_inner().revision);
    }
    let keys = ListKeysRequest { page_size: 1, ..ListKeysRequest::default() };
    let answer = visitor.calls.keys().list_keys(keys).await.ok()?;
    Some(answer.into_inner().revision)
}

/// The description of the JSON lane.
pub(super) async fn openapi() -> Json<&'static Value> {
    http::openapi_answer().await
}

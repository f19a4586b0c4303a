//! The first page: what there is to ask.

use askama::Template;
use axum::response::IntoResponse;

use super::page::Page;
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::rpc::proto::{Area, ListAreasRequest};

#[derive(Debug, Template)]
#[template(path = "home.html")]
struct Home {
    areas: Vec<Area>,
}

pub(super) async fn show(visitor: Visitor) -> Result<impl IntoResponse, Refusal> {
    let areas = visitor.calls.catalogue().list_areas(ListAreasRequest::default()).await?.into_inner().areas;
    Ok(Page(Home { areas }))
}

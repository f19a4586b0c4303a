//! Whose figures a page is about: an agency in the address, or a choice of one.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tonic::Status;

use super::page::Page;
use super::question::Address;
use super::visitor::Visitor;
use crate::rpc::proto::{Agency, Area, GetAgencyRequest, GetCallerRequest};
use crate::submitting::catalogue;

/// The part of an address that names an agency.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// Its id; empty where none is named.
    #[serde(default)]
    pub(super) agency: String,
}

/// The page that asks which agency is meant.
#[derive(Debug, Template)]
#[template(path = "agency.html")]
struct Choose {
    title: &'static str,
    /// The page that is shown then.
    path: &'static str,
    agencies: Vec<Agency>,
    /// The areas that may be asked about instead.
    areas: Vec<Area>,
}

/// On to the page of the visitor's own agency, if they have one.
pub(super) async fn own(visitor: &Visitor, path: &'static str) -> Result<Option<Response>, Status> {
    let caller = visitor.calls.keys().get_caller(GetCallerRequest::default()).await?.into_inner();
    let own = caller.identity.unwrap_or_default().agency;
    let to = || Redirect::to(&Address::of(path).with("agency", own.as_str()).href()).into_response();
    Ok((!own.is_empty()).then(to))
}

/// The page that asks which agency is meant, or which area: of that every agency may be asked about.
pub(super) async fn choose(
    visitor: &Visitor,
    title: &'static str,
    path: &'static str,
    areas: Vec<Area>,
) -> Result<Response, Status> {
    let agencies = catalogue::agencies(&mut visitor.calls.catalogue(), 0).await?;
    Ok(Page(Choose { title, path, agencies, areas }).into_response())
}

/// An agency by its id.
pub(super) async fn find(visitor: &Visitor, id: &str) -> Result<Agency, Status> {
    let request = GetAgencyRequest { id: id.to_owned(), as_of_revision: 0 };
    Ok(visitor.calls.catalogue().get_agency(request).await?.into_inner().agency.unwrap_or_default())
}

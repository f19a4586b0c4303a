//! Whose figures a page is about: an agency in the address, or a choice of one.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tonic::Status;

use super::page::Page;
use super::question::Address;
use super::visitor::Visitor;
use crate::rpc::proto::{Agency, Area, GetAgencyRequest, GetCallerRequest, ListAgenciesRequest};
use crate::submitting::service::PAGE;

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
    Ok(Page(Choose { title, path, agencies: all(visitor).await?, areas }).into_response())
}

/// The agencies of the catalogue.
async fn all(visitor: &Visitor) -> Result<Vec<Agency>, Status> {
    let (mut client, mut found, mut page_token) = (visitor.calls.catalogue(), Vec::new(), String::new());
    loop {
        let request = ListAgenciesRequest { page_size: PAGE, page_token, as_of_revision: 0 };
        let page = client.list_agencies(request).await?.into_inner();
        found.extend(page.agencies);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// An agency by its id.
pub(super) async fn find(visitor: &Visitor, id: &str) -> Result<Agency, Status> {
    let request = GetAgencyRequest { id: id.to_owned(), as_of_revision: 0 };
    Ok(visitor.calls.catalogue().get_agency(request).await?.into_inner().agency.unwrap_or_default())
}

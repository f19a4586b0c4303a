//! Whose figures a page is about: an agency in the address, or a choice of one.

use askama::Template;
use serde::Deserialize;
use tonic::Status;

use super::visitor::Visitor;
use crate::rpc::proto::{Agency, Area, GetAgencyRequest, ListAgenciesRequest};
use crate::submitting::service::PAGE;

/// The part of an address that names an agency.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Whose {
    /// Its id; empty where none is named.
    #[serde(default)]
    pub(super) agency: String,
}

/// The page that asks which agency is meant.
#[derive(Debug, Template)]
#[template(path = "agency.html")]
pub(super) struct Choose {
    pub(super) title: &'static str,
    /// The page that is shown then.
    pub(super) path: &'static str,
    pub(super) agencies: Vec<Agency>,
    /// The areas that may be asked about instead.
    pub(super) areas: Vec<Area>,
}

/// Asks for an agency, on the way to a page.
pub(super) async fn choose(visitor: &Visitor, title: &'static str, path: &'static str) -> Result<Choose, Status> {
    Ok(Choose { title, path, agencies: all(visitor).await?, areas: Vec::new() })
}

/// The agencies of the catalogue.
pub(super) async fn all(visitor: &Visitor) -> Result<Vec<Agency>, Status> {
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

//! What ids stand for, as of the revision of an answer.

use std::collections::BTreeMap;

use tonic::Status;

use super::visitor::Visitor;
use crate::rpc::proto::{Area, ListAgenciesRequest, ListAreasRequest};

/// The largest page that the service gives.
const PAGE_SIZE: i32 = 1_000;

/// The names of the agencies and areas of the catalogue.
#[derive(Debug, Default)]
pub(super) struct Names {
    agencies: BTreeMap<String, String>,
    areas: BTreeMap<String, String>,
}

impl Names {
    /// Those of a revision; 0 means the newest.
    pub(super) async fn of(visitor: &Visitor, revision: i64) -> Result<Self, Status> {
        let areas = areas(visitor, revision).await?;
        let areas = areas.into_iter().map(|area| (area.code, area.name)).collect();
        let mut names = Self { areas, ..Self::default() };
        let mut page_token = String::new();
        loop {
            let request = ListAgenciesRequest { page_size: PAGE_SIZE, page_token, as_of_revision: revision };
            let page = visitor.calls.catalogue().list_agencies(request).await?.into_inner();
            names.agencies.extend(page.agencies.into_iter().map(|agency| (agency.id, agency.name)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(names);
            }
        }
    }

    /// The name of an agency; its id if it isn't known.
    pub(super) fn agency(&self, id: &str) -> String {
        self.agencies.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// The name of an area; its code if it isn't known.
    pub(super) fn area(&self, code: &str) -> String {
        self.areas.get(code).cloned().unwrap_or_else(|| code.to_owned())
    }
}

/// All areas of a revision, by code; 0 means the newest.
pub(super) async fn areas(visitor: &Visitor, revision: i64) -> Result<Vec<Area>, Status> {
    let (mut areas, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAreasRequest { page_size: PAGE_SIZE, page_token, as_of_revision: revision };
        let page = visitor.calls.catalogue().list_areas(request).await?.into_inner();
        areas.extend(page.areas);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(areas);
        }
    }
}

//! Items of the catalogue that tables and templates show beside an answer.

use std::collections::BTreeMap;

use tonic::Status;

use super::connect::{Server, pages, refusal};
use super::failure::Failure;
use crate::rpc::proto::{
    Agency, Area, Calendar, Dimension, Indicator, Kind, ListAgenciesRequest, ListCalendarsRequest,
    ListReconciliationRulesRequest, ReconciliationRule,
};
use crate::submitting::catalogue;
use crate::submitting::service::PAGE;

/// The newest version of each indicator, by id.
pub(super) async fn indicators(server: &Server) -> Result<BTreeMap<String, Indicator>, Failure> {
    found(catalogue::indicators(&mut server.catalogue().await?).await)
}

/// The areas, by code.
pub(super) async fn areas(server: &Server) -> Result<Vec<Area>, Failure> {
    found(catalogue::areas(&mut server.catalogue().await?).await)
}

/// The breakdown dimensions, by id.
pub(super) async fn dimensions(server: &Server) -> Result<Vec<Dimension>, Failure> {
    found(catalogue::dimensions(&mut server.catalogue().await?).await)
}

fn found<T>(found: Result<T, Status>) -> Result<T, Failure> {
    found.map_err(|status| refusal(&status, str::to_owned))
}

/// The agencies, by id.
pub(super) async fn agencies(server: &Server) -> Result<Vec<Agency>, Failure> {
    let mut client = server.catalogue().await?;
    let mut found = Vec::new();
    let list = async |page_token| {
        client.list_agencies(ListAgenciesRequest { page_size: PAGE, page_token, as_of_revision: 0 }).await
    };
    pages(list, |page| {
        found.extend(page.agencies);
        page.next_page_token
    })
    .await?;
    Ok(found)
}

/// The calendars, by id.
pub(super) async fn calendars(server: &Server) -> Result<Vec<Calendar>, Failure> {
    let mut client = server.catalogue().await?;
    let mut found = Vec::new();
    let list = async |page_token| {
        client.list_calendars(ListCalendarsRequest { page_size: PAGE, page_token, as_of_revision: 0 }).await
    };
    pages(list, |page| {
        found.extend(page.calendars);
        page.next_page_token
    })
    .await?;
    Ok(found)
}

/// The reconciliation rules, by id.
pub(super) async fn rules(server: &Server) -> Result<BTreeMap<String, ReconciliationRule>, Failure> {
    let mut client = server.catalogue().await?;
    let mut found = BTreeMap::new();
    let list = async |page_token| {
        let request = ListReconciliationRulesRequest { page_size: PAGE, page_token, as_of_revision: 0 };
        client.list_reconciliation_rules(request).await
    };
    pages(list, |page| {
        found.extend(page.reconciliation_rules.into_iter().map(|rule| (rule.id.clone(), rule)));
        page.next_page_token
    })
    .await?;
    Ok(found)
}

/// The kind of an indicator; unspecified when the catalogue doesn't have it.
pub(super) fn kind_of(indicators: &BTreeMap<String, Indicator>, id: &str) -> Kind {
    indicators.get(id).map(Indicator::kind).unwrap_or_default()
}

//! Items of the catalogue that tables and templates show beside an answer.

use std::collections::BTreeMap;

use tonic::Status;

use super::connect::{Server, pages, refusal, response};
use super::failure::Failure;
use crate::rpc::proto::{
    Agency, Area, Calendar, Dimension, GetDimensionRequest, GetIndicatorRequest, Indicator, Kind, ListAgenciesRequest,
    ListCalendarsRequest, ListReconciliationRulesRequest, QueryAggregateRequest, ReconciliationRule,
};
use crate::submitting::catalogue;
use crate::submitting::service::PAGE;
use crate::tables::Labels;

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

/// What the ids of the rows of a query's answer stand for.
pub(super) async fn labels(server: &Server, question: &QueryAggregateRequest) -> Result<Labels, Failure> {
    let mut labels = names(server).await?;
    let mut client = server.catalogue().await?;
    for id in &question.indicators {
        let request = GetIndicatorRequest { id: id.clone(), ..GetIndicatorRequest::default() };
        let versions = response(client.get_indicator(request).await)?.versions;
        versions.into_iter().for_each(|version| labels.add_indicator(version));
    }
    if !question.by_dimension.is_empty() {
        let request = GetDimensionRequest { id: question.by_dimension.clone(), as_of_revision: 0 };
        labels.add_categories(response(client.get_dimension(request).await)?.dimension.unwrap_or_default());
    }
    Ok(labels)
}

/// What the ids of all indicators, areas and agencies stand for, as of now.
pub(super) async fn all_labels(server: &Server) -> Result<Labels, Failure> {
    let mut labels = names(server).await?;
    indicators(server).await?.into_values().for_each(|indicator| labels.add_indicator(indicator));
    Ok(labels)
}

async fn names(server: &Server) -> Result<Labels, Failure> {
    let mut labels = Labels::default();
    areas(server).await?.into_iter().for_each(|area| labels.add_area(area));
    agencies(server).await?.into_iter().for_each(|agency| labels.add_agency(agency));
    Ok(labels)
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

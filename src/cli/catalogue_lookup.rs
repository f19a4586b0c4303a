//! Items of the catalogue that tables and templates show beside an answer.

use std::collections::BTreeMap;

use tonic::Status;

use super::connect::{Server, refusal, response};
use super::failure::Failure;
use crate::rpc::proto::{
    Agency, Area, Calendar, Dimension, GetDimensionRequest, GetIndicatorRequest, Indicator, Kind,
    QueryAggregateRequest, ReconciliationRule,
};
use crate::submitting::catalogue;
use crate::tables::Labels;

/// The newest version of each indicator, by id.
pub(super) async fn indicators(server: &Server) -> Result<BTreeMap<String, Indicator>, Failure> {
    let indicators = found(catalogue::indicators(&mut server.catalogue().await?, 0).await)?;
    Ok(indicators.into_iter().map(|indicator| (indicator.id.clone(), indicator)).collect())
}

/// The areas, by code.
pub(super) async fn areas(server: &Server) -> Result<Vec<Area>, Failure> {
    found(catalogue::areas(&mut server.catalogue().await?, 0).await)
}

/// The agencies, by id.
pub(super) async fn agencies(server: &Server) -> Result<Vec<Agency>, Failure> {
    found(catalogue::agencies(&mut server.catalogue().await?, 0).await)
}

/// The breakdown dimensions, by id.
pub(super) async fn dimensions(server: &Server) -> Result<Vec<Dimension>, Failure> {
    found(catalogue::dimensions(&mut server.catalogue().await?, 0).await)
}

/// The calendars, by id.
pub(super) async fn calendars(server: &Server) -> Result<Vec<Calendar>, Failure> {
    found(catalogue::calendars(&mut server.catalogue().await?, 0).await)
}

/// The reconciliation rules, by id.
pub(super) async fn rules(server: &Server) -> Result<BTreeMap<String, ReconciliationRule>, Failure> {
    let rules = found(catalogue::rules(&mut server.catalogue().await?, 0).await)?;
    Ok(rules.into_iter().map(|rule| (rule.id.clone(), rule)).collect())
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

/// The kind of an indicator; unspecified when the catalogue doesn't have it.
pub(super) fn kind_of(indicators: &BTreeMap<String, Indicator>, id: &str) -> Kind {
    indicators.get(id).map(Indicator::kind).unwrap_or_default()
}

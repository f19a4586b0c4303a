//! What the catalogue has, as a client reads it: the names of things, and the definitions of indicators.

use std::collections::BTreeMap;

use tonic::Status;

use super::service::{PAGE, Transport};
use crate::catalogue::items;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::indicator_versions;
use crate::rpc::proto::{
    Area, Dimension, GetIndicatorRequest, Indicator, ListAreasRequest, ListDimensionsRequest, ListIndicatorsRequest,
};

/// The newest version of each indicator, by id.
///
/// # Errors
/// The service's refusal; so with the others.
pub(crate) async fn indicators<T: Transport>(
    client: &mut CatalogueServiceClient<T>,
) -> Result<BTreeMap<String, Indicator>, Status> {
    let (mut found, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let page = client
            .list_indicators(ListIndicatorsRequest { page_size: PAGE, page_token, as_of_revision: 0 })
            .await?
            .into_inner();
        found.extend(page.indicators.into_iter().map(|indicator| (indicator.id.clone(), indicator)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// Indicators with all of their versions, by id.
pub(crate) async fn definitions<T: Transport>(
    client: &mut CatalogueServiceClient<T>,
    ids: impl IntoIterator<Item = &String>,
) -> Result<BTreeMap<String, items::Indicator>, Status> {
    let mut found = BTreeMap::new();
    for id in ids {
        let request = GetIndicatorRequest { id: id.clone(), ..GetIndicatorRequest::default() };
        let versions = client.get_indicator(request).await?.into_inner().versions;
        let versions = indicator_versions(&versions).map_err(|unknown| {
            Status::internal(format!(
                "the server's definition of `{id}` can't be read, upgrade this program: {unknown}"
            ))
        })?;
        let mut versions = versions.into_iter();
        let Some(first) = versions.next() else { continue };
        let mut indicator = items::Indicator::new(first);
        versions.for_each(|version| indicator.put(version));
        found.insert(id.clone(), indicator);
    }
    Ok(found)
}

/// The areas, by code.
pub(crate) async fn areas<T: Transport>(client: &mut CatalogueServiceClient<T>) -> Result<Vec<Area>, Status> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page =
            client.list_areas(ListAreasRequest { page_size: PAGE, page_token, as_of_revision: 0 }).await?.into_inner();
        found.extend(page.areas);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// The breakdown dimensions, by id.
pub(crate) async fn dimensions<T: Transport>(client: &mut CatalogueServiceClient<T>) -> Result<Vec<Dimension>, Status> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = client
            .list_dimensions(ListDimensionsRequest { page_size: PAGE, page_token, as_of_revision: 0 })
            .await?
            .into_inner();
        found.extend(page.dimensions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

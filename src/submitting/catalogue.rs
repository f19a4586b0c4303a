//! What the catalogue has, as a client reads it: its lists, each whole, and the definitions of indicators.

use std::collections::BTreeMap;

use tonic::Status;

use super::service::{PAGE, Transport};
use crate::catalogue::items;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::indicator_versions;
use crate::rpc::proto::{
    Agency, Area, Calendar, Dimension, GetIndicatorRequest, Indicator, ListAgenciesRequest, ListAreasRequest,
    ListCalendarsRequest, ListDimensionsRequest, ListIndicatorsRequest, ListReconciliationRulesRequest,
    ReconciliationRule,
};

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident = $method:ident($Request:ident), $items:ident of $Item:ident;)*) => {$(
        $(#[$doc])*
        /// As of a revision; 0 means the newest.
        ///
        /// # Errors
        /// The service's refusal.
        pub(crate) async fn $name<T: Transport>(
            client: &mut CatalogueServiceClient<T>,
            as_of_revision: i64,
        ) -> Result<Vec<$Item>, Status> {
            let (mut found, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = $Request { page_size: PAGE, page_token, as_of_revision };
                let page = client.$method(request).await?.into_inner();
                found.extend(page.$items);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return Ok(found);
                }
            }
        }
    )*};
}

lists! {
    /// The areas, by code.
    areas = list_areas(ListAreasRequest), areas of Area;
    /// The agencies, by id.
    agencies = list_agencies(ListAgenciesRequest), agencies of Agency;
    /// The newest version of each indicator, by id.
    indicators = list_indicators(ListIndicatorsRequest), indicators of Indicator;
    /// The breakdown dimensions, by id.
    dimensions = list_dimensions(ListDimensionsRequest), dimensions of Dimension;
    /// The calendars, by id.
    calendars = list_calendars(ListCalendarsRequest), calendars of Calendar;
    /// The reconciliation rules, by id.
    rules = list_reconciliation_rules(ListReconciliationRulesRequest), reconciliation_rules of ReconciliationRule;
}

/// Indicators with all of their versions, by id.
///
/// # Errors
/// The service's refusal, or a definition that this program can't read.
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

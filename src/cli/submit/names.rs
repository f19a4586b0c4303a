//! The names that figures may have in the places of ids.

use super::super::catalogue_lookup;
use super::super::connect::Server;
use super::super::failure::Failure;
use crate::submitting::CatalogueNames;

/// Those of the server's catalogue.
pub(super) async fn catalogue_names(server: &Server) -> Result<CatalogueNames, Failure> {
    let indicators = catalogue_lookup::indicators(server).await?.into_values();
    Ok(CatalogueNames::of(indicators, catalogue_lookup::areas(server).await?))
}

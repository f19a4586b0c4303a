//! Saying of a return that it is complete: what it has is taken from the files, and compared by the server with what it
//! received.

use std::collections::BTreeMap;

use tonic::Code;

use super::super::connect::{Server, refusal, response};
use super::super::failure::Failure;
use crate::model::manifest::Totals;
use crate::rpc::proto::{
    CompleteReturnRequest, CompleteReturnResponse, GetReturnRequest, GetReturnResponse, ReturnManifest, ReturnTotals,
};
use crate::submitting::part::Surveyed;

/// What a return has: its submissions, and what the figures of its files come to.
pub(super) fn manifest<'a>(parts: Vec<String>, files: impl IntoIterator<Item = &'a Surveyed>) -> ReturnManifest {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (mut figures, mut all): (u64, BTreeMap<&str, Totals>) = (0, BTreeMap::new());
    for file in files {
        figures += file.figures;
        for (indicator, totals) in &file.totals {
            all.entry(indicator).or_default().merge(*totals);
        }
    }
    let totals = all.into_iter().map(|(indicator, totals)| ReturnTotals {
        indicator: indicator.to_owned(),
        figures: number(totals.figures),
        sum: totals.sum.to_string(),
        base_sum: totals.base_sum.to_string(),
    });
    ReturnManifest { parts, figures: number(figures), totals: totals.collect() }
}

/// Says that a return is complete.
pub(super) async fn complete(
    server: &Server,
    agency: &str,
    return_id: &str,
    manifest: ReturnManifest,
) -> Result<CompleteReturnResponse, Failure> {
    let (agency, return_id) = (agency.to_owned(), return_id.to_owned());
    let request = CompleteReturnRequest { agency, return_id, manifest: Some(manifest), validate_only: false };
    response(server.submissions().await?.complete_return(request).await)
}

/// A return as the server has it; none where no submission named it.
pub(super) async fn find(server: &Server, agency: &str, return_id: &str) -> Result<Option<GetReturnResponse>, Failure> {
    let request = GetReturnRequest { agency: agency.to_owned(), return_id: return_id.to_owned() };
    match server.submissions().await?.get_return(request).await {
        Ok(found) => Ok(Some(found.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(refusal(&status, str::to_owned)),
    }
}

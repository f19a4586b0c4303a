//! Which agencies report a figure: whose history is meant, where the address doesn't say so.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use tonic::Status;

use super::page::Page;
use super::question::Address;
use super::scope::Scope;
use super::series::is_void;
use super::visitor::Visitor;
use crate::model::text::visible;
use crate::rpc::proto::{Agency, GetHistoryRequest, GroupBy, QueryAggregateRequest};
use crate::submitting::catalogue;

/// The agencies that are expected to report a figure or have reported it, of those that a visitor may see.
///
/// # Errors
/// What the service refuses.
pub(super) async fn of(visitor: &Visitor, asked: &GetHistoryRequest) -> Result<Vec<Agency>, Status> {
    let agencies = catalogue::agencies(&mut visitor.calls.catalogue(), 0).await?;
    let request = QueryAggregateRequest {
        indicators: vec![asked.indicator.clone()],
        areas: vec![asked.area.clone()],
        agencies: Scope::of(visitor).await?.agencies(&agencies),
        periods: vec![asked.period.clone()],
        breakdown: asked.breakdown.clone(),
        group_by: vec![GroupBy::Agency.into()],
        ..QueryAggregateRequest::default()
    };
    let rows = visitor.calls.pictures().query_aggregate(request).await?.into_inner().rows;
    // An agency that is named has a row whether or not it reports.
    let reports = |agency: &Agency| rows.iter().any(|row| row.agency == agency.id && !is_void(row));
    Ok(agencies.into_iter().filter(reports).collect())
}

#[derive(Debug, Template)]
#[template(path = "reporters.html")]
struct ReportersPage {
    /// Of each agency its name, and where the history of its figure is.
    agencies: Vec<(String, String)>,
}

/// On to the history of the one agency that reports a figure; or a page that asks which is meant.
pub(super) fn choose(agencies: &[Agency], history: &Address) -> Response {
    let of = |agency: &Agency| history.clone().with("agency", &agency.id).href();
    if let [one] = agencies {
        return Redirect::to(&of(one)).into_response();
    }
    let agencies = agencies.iter().map(|agency| (visible(&agency.name).into_owned(), of(agency))).collect();
    Page(ReportersPage { agencies }).into_response()
}

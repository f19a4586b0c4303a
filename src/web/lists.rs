//! All that a revision's catalogue lists.

use tonic::Status;

use super::visitor::Visitor;
use crate::rpc::proto::{Agency, Area, Calendar, Dimension, Indicator, ListAreasRequest, ReconciliationRule};
use crate::submitting::catalogue;

/// The lists, each by id.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// The revision that all are of.
    pub(super) revision: i64,
    pub(super) areas: Vec<Area>,
    pub(super) agencies: Vec<Agency>,
    pub(super) indicators: Vec<Indicator>,
    pub(super) dimensions: Vec<Dimension>,
    pub(super) calendars: Vec<Calendar>,
    pub(super) rules: Vec<ReconciliationRule>,
}

impl Lists {
    /// Those of a revision; 0 means the newest.
    pub(super) async fn of(visitor: &Visitor, revision: i64) -> Result<Self, Status> {
        let mut client = visitor.calls.catalogue();
        let first = ListAreasRequest { page_size: 1, as_of_revision: revision, ..ListAreasRequest::default() };
        // All are of the revision that is the newest now.
        let revision = client.list_areas(first).await?.into_inner().revision;
        Ok(Self {
            revision,
            areas: catalogue::areas(&mut client, revision).await?,
            agencies: catalogue::agencies(&mut client, revision).await?,
            indicators: catalogue::indicators(&mut client, revision).await?,
            dimensions: catalogue::dimensions(&mut client, revision).await?,
            calendars: catalogue::calendars(&mut client, revision).await?,
            rules: catalogue::rules(&mut client, revision).await?,
        })
    }
}

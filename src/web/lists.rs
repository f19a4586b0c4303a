//! All that a revision's catalogue lists.

use tonic::{Response, Status};

use super::visitor::Visitor;
use crate::rpc::proto::{
    Agency, Area, Calendar, Dimension, Indicator, ListAgenciesRequest, ListAreasRequest, ListCalendarsRequest,
    ListDimensionsRequest, ListIndicatorsRequest, ListReconciliationRulesRequest, ReconciliationRule,
};

/// The largest page that the service gives.
pub(super) const PAGE_SIZE: i32 = 1_000;

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
        let client = || visitor.calls.catalogue();
        let first = ListAreasRequest { page_size: 1, as_of_revision: revision, ..ListAreasRequest::default() };
        let as_of_revision = client().list_areas(first).await?.into_inner().revision;
        let mut lists = Self { revision: as_of_revision, ..Self::default() };
        let page_size = PAGE_SIZE;
        let list = |page_token| {
            let (mut client, request) = (client(), ListAreasRequest { page_size, page_token, as_of_revision });
            async move { client.list_areas(request).await }
        };
        every_page(list, |page| {
            lists.areas.extend(page.areas);
            page.next_page_token
        })
        .await?;
        let list = |page_token| {
            let (mut client, request) = (client(), ListAgenciesRequest { page_size, page_token, as_of_revision });
            async move { client.list_agencies(request).await }
        };
        every_page(list, |page| {
            lists.agencies.extend(page.agencies);
            page.next_page_token
        })
        .await?;
        let list = |page_token| {
            let (mut client, request) = (client(), ListIndicatorsRequest { page_size, page_token, as_of_revision });
            async move { client.list_indicators(request).await }
        };
        every_page(list, |page| {
            lists.indicators.extend(page.indicators);
            page.next_page_token
        })
        .await?;
        let list = |page_token| {
            let (mut client, request) = (client(), ListDimensionsRequest { page_size, page_token, as_of_revision });
            async move { client.list_dimensions(request).await }
        };
        every_page(list, |page| {
            lists.dimensions.extend(page.dimensions);
            page.next_page_token
        })
        .await?;
        let list = |page_token| {
            let (mut client, request) = (client(), ListCalendarsRequest { page_size, page_token, as_of_revision });
            async move { client.list_calendars(request).await }
        };
        every_page(list, |page| {
            lists.calendars.extend(page.calendars);
            page.next_page_token
        })
        .await?;
        let list = |page_token| {
            let (mut client, request) =
                (client(), ListReconciliationRulesRequest { page_size, page_token, as_of_revision });
            async move { client.list_reconciliation_rules(request).await }
        };
        every_page(list, |page| {
            lists.rules.extend(page.reconciliation_rules);
            page.next_page_token
        })
        .await?;
        Ok(lists)
    }

    /// The title of an indicator; its id if it isn't known.
    pub(super) fn indicator<'a>(&'a self, id: &'a str) -> &'a str {
        self.indicators.iter().find(|indicator| indicator.id == id).map_or(id, |indicator| &indicator.title)
    }

    /// The name of an agency; its id if it isn't known.
    pub(super) fn agency<'a>(&'a self, id: &'a str) -> &'a str {
        self.agencies.iter().find(|agency| agency.id == id).map_or(id, |agency| &agency.name)
    }

    /// The name of an area; its code if it isn't known.
    pub(super) fn area<'a>(&'a self, code: &'a str) -> &'a str {
        self.areas.iter().find(|area| area.code == code).map_or(code, |area| &area.name)
    }
}

/// Takes page after page; `take` returns the token of the next one.
async fn every_page<P, F: Future<Output = Result<Response<P>, Status>>>(
    mut list: impl FnMut(String) -> F,
    mut take: impl FnMut(P) -> String,
) -> Result<(), Status> {
    let mut token = String::new();
    loop {
        token = take(list(token).await?.into_inner());
        if token.is_empty() {
            return Ok(());
        }
    }
}

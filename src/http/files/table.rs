//! The table that a file has: by its question, and by what its ids stand for at the revision of the answer.

use prost::Message as _;
use prost_types::Timestamp;
use tonic::Status;

use super::pages::{Head, unreadable};
use super::question::Question;
use crate::http::calls::Calls;
use crate::rpc::proto::{
    AggregateRow, FigureChange, GetDimensionRequest, GetIndicatorRequest, ListAgenciesRequest, ListAreasRequest,
    ListIndicatorsRequest, PictureRow, QueryAggregateRequest,
};
use crate::tables::{AggregateTable, AsOf, Cell, ChangesTable, Labels, PictureTable};

/// The largest page of the catalogue that the service gives, in items.
const PAGE_ITEMS: i32 = 1_000;

/// A file's columns and rows.
pub(super) enum Table {
    Figures(Box<AggregateTable>),
    Picture(PictureTable),
    Changes(ChangesTable),
}

impl Table {
    /// The table of a question without an answer, of which only the headings are meant.
    pub(super) fn without_labels(question: &Question, head: &Head, since: &Timestamp) -> Self {
        Self::with(question, head, since, Labels::default())
    }

    /// The table of an answer.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub(super) async fn of(calls: &Calls, question: &Question, head: &Head, since: &Timestamp) -> Result<Self, Status> {
        let labels = match question {
            Question::Figures(request) => of_figures(calls, request, head.revision).await?,
            Question::Changes(_) => of_all(calls, head.revision).await?,
            // It has all names itself.
            Question::Picture(_) => Labels::default(),
        };
        Ok(Self::with(question, head, since, labels))
    }

    fn with(question: &Question, head: &Head, since: &Timestamp, labels: Labels) -> Self {
        let as_of = AsOf { revision: head.revision, instant: Some(*since) };
        match question {
            Question::Figures(request) => {
                Self::Figures(Box::new(AggregateTable::new((**request).clone(), labels, as_of)))
            }
            Question::Picture(request) => {
                Self::Picture(PictureTable::new(request, head.area.clone(), head.period.clone(), as_of))
            }
            Question::Changes(_) => Self::Changes(ChangesTable::new(labels)),
        }
    }

    pub(super) fn headings(&self) -> Vec<String> {
        match self {
            Self::Figures(table) => table.headings(),
            Self::Picture(table) => table.headings(),
            Self::Changes(table) => table.headings(),
        }
    }

    /// The rows that a row of the answer makes, of its message's bytes.
    ///
    /// # Errors
    /// When they are no such message.
    pub(super) fn rows(&self, row: &[u8]) -> Result<Vec<Vec<Cell>>, Status> {
        match self {
            Self::Figures(table) => {
                Ok(vec![table.cells(&AggregateRow::decode(row).map_err(|error| unreadable(&error))?)])
            }
            Self::Picture(table) => Ok(table.rows(&PictureRow::decode(row).map_err(|error| unreadable(&error))?)),
            Self::Changes(table) => {
                Ok(vec![table.cells(&FigureChange::decode(row).map_err(|error| unreadable(&error))?)])
            }
        }
    }
}

/// What the ids in the rows of a query stand for.
async fn of_figures(calls: &Calls, question: &QueryAggregateRequest, revision: i64) -> Result<Labels, Status> {
    let mut labels = Labels::default();
    let mut client = calls.catalogue();
    for id in &question.indicators {
        let mut page_token = String::new();
        loop {
            let request =
                GetIndicatorRequest { id: id.clone(), as_of_revision: revision, page_size: PAGE_ITEMS, page_token };
            let page = client.get_indicator(request).await?.into_inner();
            page.versions.into_iter().for_each(|version| labels.add_indicator(version));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    if !question.by_dimension.is_empty() {
        let request = GetDimensionRequest { id: question.by_dimension.clone(), as_of_revision: revision };
        labels.add_categories(client.get_dimension(request).await?.into_inner().dimension.unwrap_or_default());
    }
    add_places(calls, revision, &mut labels).await?;
    Ok(labels)
}

/// What all ids stand for.
async fn of_all(calls: &Calls, revision: i64) -> Result<Labels, Status> {
    let (mut labels, mut page_token) = (Labels::default(), String::new());
    let mut client = calls.catalogue();
    loop {
        let request = ListIndicatorsRequest { page_size: PAGE_ITEMS, page_token, as_of_revision: revision };
        let page = client.list_indicators(request).await?.into_inner();
        page.indicators.into_iter().for_each(|indicator| labels.add_indicator(indicator));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    add_places(calls, revision, &mut labels).await?;
    Ok(labels)
}

/// Takes in the names of all areas and agencies.
async fn add_places(calls: &Calls, revision: i64, labels: &mut Labels) -> Result<(), Status> {
    let mut client = calls.catalogue();
    let mut page_token = String::new();
    loop {
        let request = ListAreasRequest { page_size: PAGE_ITEMS, page_token, as_of_revision: revision };
        let page = client.list_areas(request).await?.into_inner();
        page.areas.into_iter().for_each(|area| labels.add_area(area));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    loop {
        let request = ListAgenciesRequest { page_size: PAGE_ITEMS, page_token, as_of_revision: revision };
        let page = client.list_agencies(request).await?.into_inner();
        page.agencies.into_iter().for_each(|agency| labels.add_agency(agency));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

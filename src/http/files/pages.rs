//! The rows of an answer, page after page, each asked for when the one before is sent: so an answer of any size takes the
//! memory of a page. All pages are of the first one's revision and instant.
//!
//! Of a page its bytes are kept as the service answered them, and rows are taken from them one by one. So what isn't sent
//! yet counts as the caller's, as an answer over gRPC does, and a caller who doesn't read uses up its own share.

use std::time::{Duration, Instant};
use std::vec::IntoIter;

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::question::Question;
use crate::http::calls::Calls;
use crate::rpc::proto::{Area, GetPictureRequest, ListChangesRequest, QueryAggregateRequest};

/// The largest page that the service gives, in rows.
const PAGE_ROWS: i32 = 10_000;
/// How long a page after the first may be refused for what its caller has open besides. A page refused for good ends the
/// file before its end.
const PAGE_WAIT_MAX: Duration = Duration::from_secs(30);
/// After how long it is asked for again, where the refusal doesn't say.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// What an answer says besides its rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) revision: i64,
    /// The instant that it is of; none of changes, which say it of each.
    pub(super) as_of: Option<Timestamp>,
    /// Of a picture.
    pub(super) area: Area,
    /// Of a picture, in canonical text.
    pub(super) period: String,
}

/// An answer's rows.
pub(super) struct Pages {
    calls: Calls,
    question: Question,
    /// The rest of the page.
    rows: IntoIter<Bytes>,
    next_page_token: String,
}

/// A page, its rows as they were sent.
struct Page {
    head: Head,
    rows: Vec<Bytes>,
    next_page_token: String,
}

impl Pages {
    /// The first page of an answer.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) async fn first(calls: &Calls, question: &Question) -> Result<(Head, Self), Status> {
        let page = page(calls, question, String::new()).await?;
        let Page { head, rows, next_page_token } = page;
        let pages = Self { calls: calls.clone(), question: question.clone(), rows: rows.into_iter(), next_page_token };
        Ok((head, pages))
    }

    /// The next row, as its message's bytes; none after the last.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) async fn next_row(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            if self.next_page_token.is_empty() {
                return Ok(None);
            }
            // Before the next page there is nothing left that counts as the caller's.
            self.rows = Vec::new().into_iter();
            let page = self.next_page().await?;
            (self.rows, self.next_page_token) = (page.rows.into_iter(), page.next_page_token);
        }
    }

    async fn next_page(&self) -> Result<Page, Status> {
        let since = Instant::now();
        loop {
            match page(&self.calls, &self.question, self.next_page_token.clone()).await {
                Err(status) if status.code() == Code::ResourceExhausted && since.elapsed() < PAGE_WAIT_MAX => {
                    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
                    tokio::time::sleep(delay.unwrap_or(RETRY_DELAY)).await;
                }
                page => return page,
            }
        }
    }
}

/// What is wrong with a question, without an answer to it.
pub(super) async fn review(calls: &Calls, question: &Question) -> Status {
    // There is no such revision, which is found with everything else.
    let min_revision = REVIEW_REVISION;
    let question = match question.clone() {
        Question::Figures(request) => Question::Figures(Box::new(QueryAggregateRequest { min_revision, ..*request })),
        Question::Picture(request) => Question::Picture(GetPictureRequest { min_revision, ..request }),
        Question::Changes(request) => Question::Changes(ListChangesRequest { min_revision, ..request }),
    };
    let answer = page(calls, &question, String::new()).await;
    answer.err().unwrap_or_else(|| Status::invalid_argument(""))
}

/// One that nothing is answered at.
const REVIEW_REVISION: i64 = -1;

const QUERY_AGGREGATE: &str = "/conspectus.v1.PictureService/QueryAggregate";
const GET_PICTURE: &str = "/conspectus.v1.PictureService/GetPicture";
const LIST_CHANGES: &str = "/conspectus.v1.PictureService/ListChanges";

async fn page(calls: &Calls, question: &Question, page_token: String) -> Result<Page, Status> {
    match question.clone() {
        Question::Figures(request) => {
            let request = QueryAggregateRequest { page_size: PAGE_ROWS, page_token, ..*request };
            rows(calls.unary(QUERY_AGGREGATE, request.encode_to_vec()).await?)
        }
        Question::Changes(request) => {
            let request = ListChangesRequest { page_size: PAGE_ROWS, page_token, ..request };
            rows(calls.unary(LIST_CHANGES, request.encode_to_vec()).await?)
        }
        Question::Picture(request) => picture(calls.unary(GET_PICTURE, request.encode_to_vec()).await?),
    }
}

/// A page of `QueryAggregateResponse` or `ListChangesResponse`, whose fields these are.
#[derive(Clone, PartialEq, prost::Message)]
struct RowsMessage {
    #[prost(int64, tag = "1")]
    revision: i64,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    rows: Vec<Bytes>,
    #[prost(string, tag = "3")]
    next_page_token: String,
    #[prost(message, optional, tag = "4")]
    as_of: Option<Timestamp>,
}

/// `GetPictureResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct PictureMessage {
    #[prost(int64, tag = "1")]
    revision: i64,
    #[prost(message, optional, tag = "2")]
    area: Option<Area>,
    #[prost(string, tag = "3")]
    period: String,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    rows: Vec<Bytes>,
    #[prost(message, optional, tag = "5")]
    as_of: Option<Timestamp>,
}

fn rows(message: Bytes) -> Result<Page, Status> {
    let RowsMessage { revision, rows, next_page_token, as_of } =
        RowsMessage::decode(message).map_err(|error| unreadable(&error))?;
    Ok(Page { head: Head { revision, as_of, ..Head::default() }, rows, next_page_token })
}

fn picture(message: Bytes) -> Result<Page, Status> {
    let PictureMessage { revision, area, period, rows, as_of } =
        PictureMessage::decode(message).map_err(|error| unreadable(&error))?;
    let head = Head { revision, as_of, area: area.unwrap_or_default(), period };
    Ok(Page { head, rows, next_page_token: String::new() })
}

/// The service's own answer isn't what it should be.
pub(super) fn unreadable(error: &prost::DecodeError) -> Status {
    Status::internal(format!("an answer can't be read: {error}"))
}

//! The items of an answer, page after page, each asked for when the one before is sent: so an answer of any size takes the
//! memory of a page. All pages are of the first one's revision and instant.
//!
//! Of a page its bytes are kept as the service answered them, and items are taken from them one by one. So what isn't sent
//! yet counts as the caller's, as an answer over gRPC does, and a caller who doesn't read uses up its own share.

use std::time::{Duration, Instant};
use std::vec::IntoIter;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::question::{Head, Page, Question};
use crate::http::calls::Calls;

/// How long a page after the first may be refused for what its caller has open besides. A page refused for good ends the
/// file before its end.
const PAGE_WAIT_MAX: Duration = Duration::from_secs(30);
/// After how long it is asked for again, where the refusal doesn't say.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// An answer's rows.
pub(super) struct Pages {
    calls: Calls,
    question: Question,
    /// The rest of the page.
    items: IntoIter<Bytes>,
    next_page_token: String,
}

impl Pages {
    /// The first page of an answer.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) async fn first(calls: &Calls, question: &Question) -> Result<(Head, Self), Status> {
        let Page { head, items, next_page_token } = match question.answer() {
            Some(answer) => question.read(answer)?,
            None => page(calls, question, String::new()).await?,
        };
        let pages =
            Self { calls: calls.clone(), question: question.clone(), items: items.into_iter(), next_page_token };
        Ok((head, pages))
    }

    /// The next item, as its message's bytes; none after the last.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) async fn next_item(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(item) = self.items.next() {
                return Ok(Some(item));
            }
            if self.next_page_token.is_empty() {
                return Ok(None);
            }
            // Before the next page there is nothing left that counts as the caller's.
            self.items = Vec::new().into_iter();
            let page = self.next_page().await?;
            (self.items, self.next_page_token) = (page.items.into_iter(), page.next_page_token);
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
    let answer = match question.message([("min_revision", Value::I64(REVIEW_REVISION))]) {
        Ok(message) => calls.unary(question.method(), message.encode_to_vec()).await,
        Err(status) => Err(status),
    };
    answer.err().unwrap_or_else(|| Status::invalid_argument(""))
}

/// One that nothing is answered at.
const REVIEW_REVISION: i64 = -1;

async fn page(calls: &Calls, question: &Question, page_token: String) -> Result<Page, Status> {
    question.read(&calls.unary(question.method(), question.page(page_token)?).await?)
}

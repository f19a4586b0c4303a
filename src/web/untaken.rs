//! Pages that a browser hasn't taken yet. Each is in memory as a whole, so their bytes are counted as their reader's until
//! they are on their way: whoever asks for large pages and reads none is refused further ones.

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::refusal::Refusal;
use super::shares::Shares;
use crate::net::Share;

/// Pages up to here aren't counted: connections are, and each has few.
const SMALL_BYTES: u64 = 64 << 10;
/// The bytes of pages that aren't taken: in all, of one identity, and kept for each identity whatever the others have. The
/// largest page is a file of 8 MiB that is to be sent, as base64, with what it would change.
const UNTAKEN: Share = Share { max: 128 << 20, of_identity_max: 32 << 20, kept: 16 << 20 };
/// How much of a page is handed over at once. What is handed over is no longer counted.
const CHUNK_BYTES: usize = 64 << 10;

/// The account of pages. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Untaken(Shares);

impl Default for Untaken {
    fn default() -> Self {
        Self(Shares::of(UNTAKEN))
    }
}

impl Untaken {
    /// An answer to somebody, counted; or the refusal, where too much isn't taken.
    ///
    /// # Errors
    /// When too much of theirs, or of all together, isn't taken.
    pub(super) async fn count(&self, who: &str, answer: Response) -> Result<Response, Refusal> {
        let Some(length) = answer.body().size_hint().exact().filter(|length| *length > SMALL_BYTES) else {
            // Files are counted by the guard.
            return Ok(answer);
        };
        let busy = || {
            let message = "Pages that were asked for before haven't been read yet. Ask again when they are".to_owned();
            Refusal::of_page(StatusCode::SERVICE_UNAVAILABLE, "The service is busy", message)
        };
        let held = usize::try_from(length).ok().and_then(|length| self.0.take(who, length)).ok_or_else(busy)?;
        let (mut head, body) = answer.into_parts();
        // It is there already.
        let bytes = to_bytes(body, usize::MAX).await.map_err(|_| busy())?;
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        let chunks = (0..bytes.len()).step_by(CHUNK_BYTES).map(move |at| {
            let _ = &held;
            // A copy: a slice would keep all of them.
            let end = (at + CHUNK_BYTES).min(bytes.len());
            Ok::<_, std::convert::Infallible>(Bytes::copy_from_slice(&bytes[at..end]))
        });
        Ok(Response::from_parts(head, Body::from_stream(tokio_stream::iter(chunks))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: usize) -> Response {
        Response::new(Body::from(vec![b'a'; bytes]))
    }

    #[tokio::test]
    async fn who_reads_nothing_gets_no_further_large_page_and_others_do() {
        let untaken = Untaken::default();
        let mut unread = Vec::new();
        for _ in 0..3 {
            unread.push(untaken.count("a", page(10 << 20)).await.unwrap());
        }
        assert!(untaken.count("a", page(10 << 20)).await.is_err());
        untaken.count("a", page(1_000)).await.unwrap();
        untaken.count("b", page(10 << 20)).await.unwrap();
        let read = to_bytes(unread.pop().unwrap().into_body(), usize::MAX).await.unwrap();
        assert_eq!(read.len(), 10 << 20);
        let answer = untaken.count("a", page(10 << 20)).await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], "10485760");
    }
}

//! Answers that are sent as they are written, such as a backup: nobody holds all of one.

use std::io;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::refusal::Refusal;
use crate::backup;

/// How many bytes of a backup are handed on at once, and how many of these wait at the most.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNKS_MAX: usize = 8;

/// The trailer of an answer that was broken off: the status that it would have had, and [`Refused`](super::refusal::Refused) as JSON.
pub(crate) const BROKEN_OFF: HeaderName = HeaderName::from_static("conspectus-broken-off");

/// An answer that is sent as it is written, on a thread of its own. One that can't be written to its end is broken off, and
/// ends with why.
pub(super) fn written(
    turn: OwnedSemaphorePermit,
    write: impl FnOnce(Chunks) -> Result<(), backup::Error> + Send + 'static,
) -> Response {
    let (chunks, body) = mpsc::channel::<io::Result<Frame<Bytes>>>(CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let out = Chunks { chunks: chunks.clone(), chunk: Vec::with_capacity(CHUNK_BYTES) };
        if let Err(error) = write(out) {
            tracing::warn!(%error, "what was asked for on the control socket was broken off");
            drop(chunks.blocking_send(broken_off(error.into())));
        }
    });
    let body = Body::new(StreamBody::new(ReceiverStream::new(body)));
    ([(header::TRAILER, BROKEN_OFF.as_str())], body).into_response()
}

/// What ends an answer that is broken off.
fn broken_off(Refusal(status, refused): Refusal) -> io::Result<Frame<Bytes>> {
    let text = format!("{} {}", status.as_u16(), serde_json::to_string(&refused)?);
    let value = HeaderValue::from_bytes(text.as_bytes()).map_err(io::Error::other)?;
    Ok(Frame::trailers([(BROKEN_OFF, value)].into_iter().collect()))
}

/// Hands on what is written, in chunks.
pub(super) struct Chunks {
    chunks: mpsc::Sender<io::Result<Frame<Bytes>>>,
    chunk: Vec<u8>,
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked for it is gone");
        self.chunks.blocking_send(Ok(Frame::data(chunk.into()))).map_err(gone)
    }
}

//! A request of HTTP/1.1 that is answered before its body is read, as a refused one is: its peer is still sending, and would
//! see a broken connection instead of the answer if it were closed. So what is left of the body is read for a while and thrown
//! away, which nginx calls a lingering close.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;

/// How much is thrown away: more than most send, and little to read.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// For how long.
const LINGER: Duration = Duration::from_secs(2);

/// A request whose connection lingers if its body isn't read to the end. HTTP/2 resets the stream alone.
pub(crate) fn lingering(request: http::Request<Body>) -> http::Request<Body> {
    if request.version() >= http::Version::HTTP_2 || request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(Lingering { body }))
}

struct Lingering {
    body: Body,
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut self.body);
        if let (false, Ok(runtime)) = (rest.is_end_stream(), Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LINGER, discard(rest)));
        }
    }
}

async fn discard(mut rest: Body) {
    let mut left = LINGER_BYTES_MAX;
    while let Some(Ok(frame)) = rest.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(less) = left.checked_sub(length) else { return };
        left = less;
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// A connection on which every request is answered before its body is read.
    fn hasty() -> DuplexStream {
        let (near, far) = tokio::io::duplex(1 << 12);
        let answer = service_fn(|request: http::Request<Incoming>| async move {
            drop(lingering(request.map(Body::new)));
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(near), answer));
        far
    }

    async fn ask(connection: &mut DuplexStream, length: usize) -> String {
        let head = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn who_sends_on_after_the_answer_can_ask_again_on_the_same_connection() {
        let mut connection = hasty();
        for length in [100_000, LINGER_BYTES_MAX] {
            assert_eq!(ask(&mut connection, length).await, "HTTP/1.1 200");
            connection.write_all(&vec![b' '; length]).await.unwrap();
            let mut rest = Vec::new();
            while !rest.ends_with(b"\r\n\r\n") {
                rest.push(connection.read_u8().await.unwrap());
            }
        }
    }

    #[tokio::test]
    async fn who_sends_on_for_ever_is_cut_off() {
        let mut connection = hasty();
        assert_eq!(ask(&mut connection, usize::MAX >> 1).await, "HTTP/1.1 200");
        let (mut answer, mut body) = tokio::io::split(connection);
        let sent = async move {
            let mut sent = 0;
            while let Ok(length) = body.write(&[b' '; 4_096]).await {
                sent += length;
            }
            sent
        };
        let mut rest = Vec::new();
        let (sent, _) = tokio::join!(sent, answer.read_to_end(&mut rest));
        assert!((LINGER_BYTES_MAX..LINGER_BYTES_MAX + (1 << 20)).contains(&sent), "{sent} bytes");
    }
}

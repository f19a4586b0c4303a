//! HTTP on each connection, /2 or /1.1, and its bounds.

use std::convert::Infallible;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::{Service as HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codegen::http;

use crate::net::{Connection, Cork, OpenCalls, Peer, lingering};

/// How many calls one connection may have open at once.
const CONCURRENT_STREAMS_MAX: u32 = 256;
/// How many streams that the peer broke a connection may have reset (rapid reset, made you reset).
const LOCAL_RESETS_MAX: usize = 1_024;
/// How many streams the peer may reset before they are accepted.
const PENDING_RESETS_MAX: usize = 20;
/// Header lists are small: metadata of a call.
const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// The largest frame that a peer may send: HTTP/2's own default, and least.
const FRAME_BYTES_MAX: u32 = 16 << 10;
/// How much a peer may send of one stream, and of all of a connection, before it is read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The head of a request of HTTP/1.1: its line and its headers. A question in an address may be that long.
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 64;
/// How long the head of the next request may take to come: an idle connection is closed then.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection this old is asked to make another, and ended after a while more: so every caller comes
/// by today's certificates, and streams resume.
const AGE: Age = Age { max: Duration::from_secs(3_600), grace: Duration::from_secs(300) };
/// Notices a peer that is gone without closing its connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How old a connection may become, and how much longer its calls may take.
#[derive(Clone, Copy)]
struct Age {
    max: Duration,
    grace: Duration,
}

/// Serves connections until the stop, and then until the last has ended its calls. Dropped, it ends them all.
pub(super) async fn serve<A, F>(mut connections: mpsc::Receiver<Connection>, answer: A, stopping: watch::Receiver<bool>)
where
    A: Fn(Peer, http::Request<Body>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'static,
{
    let (mut open, mut stopped) = (JoinSet::new(), stopping.clone());
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(connection) = connections.recv() => {
                let calls = OpenCalls::default();
                let service = service(connection.peer().clone(), answer.clone(), calls.clone());
                open.spawn(serve_connection(Cork::new(connection, calls), service, AGE, stopping.clone()));
            }
            Some(_) = open.join_next() => {}
        }
    }
    // Whoever connects from now on is refused, and not kept waiting.
    drop(connections);
    while open.join_next().await.is_some() {}
}

/// What answers the calls of a connection.
fn service<A, F>(peer: Peer, answer: A, calls: OpenCalls) -> impl Answers
where
    A: Fn(Peer, http::Request<Body>) -> F + Send + 'static,
    F: Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'static,
{
    service_fn(move |request: http::Request<Incoming>| {
        let (open, answer) = (calls.open(), answer(peer.clone(), lingering(request.map(Body::new))));
        async move {
            let answer = answer.await;
            drop(open);
            answer
        }
    })
}

trait Answers:
    HttpService<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible, Future: Send + 'static>
    + Send
    + 'static
{
}

impl<S> Answers for S where
    S: HttpService<
            http::Request<Incoming>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + Send
        + 'static
{
}

/// Serves one until its peer ends it; or until it is old or the server stops, and then until its calls have ended.
async fn serve_connection<C>(connection: C, service: impl Answers, age: Age, mut stopping: watch::Receiver<bool>)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = http();
    let serving = http.serve_connection(TokioIo::new(connection), service);
    tokio::pin!(serving);
    let grace = tokio::select! {
        biased;
        // It may fail in whatever way its peer likes.
        _ = &mut serving => return,
        // Who stops the server waits as long as it likes.
        _ = stopping.wait_for(|stop| *stop) => Duration::MAX,
        () = tokio::time::sleep(age.max) => age.grace,
    };
    serving.as_mut().graceful_shutdown();
    drop(tokio::time::timeout(grace, serving).await);
}

fn http() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(CONCURRENT_STREAMS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    http
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    /// Serves a connection whose calls are never answered, with so many of them open, and says after how long it ended.
    async fn ended_after(calls: usize, age: Age, stopping: watch::Receiver<bool>) -> Duration {
        let (near, far) = tokio::io::duplex(1 << 16);
        let never = service_fn(|_: http::Request<Incoming>| pending::<Result<http::Response<Body>, Infallible>>());
        tokio::spawn(serve_connection(near, never, age, stopping));
        let start = Instant::now();
        let (requests, connection) = h2::client::handshake(far).await.unwrap();
        let ended = tokio::spawn(connection);
        let mut requests = requests.ready().await.unwrap();
        let ask = |_| requests.send_request(http::Request::new(()), true).unwrap().0;
        let _asked: Vec<_> = (0..calls).map(ask).collect();
        drop(ended.await.unwrap());
        start.elapsed()
    }

    #[tokio::test]
    async fn an_old_connection_is_asked_to_end_and_after_a_while_its_calls_are_ended_too() {
        let (_stop, stopping) = watch::channel(false);
        let (soon, late) = (Duration::from_millis(20), Duration::from_secs(20));
        assert!(ended_after(0, Age { max: soon, grace: late }, stopping.clone()).await < late);
        assert!(ended_after(1, Age { max: soon, grace: soon }, stopping).await >= 2 * soon);
    }

    #[tokio::test]
    async fn a_connection_without_calls_ends_at_the_stop() {
        let (stop, stopping) = watch::channel(false);
        let late = Duration::from_secs(20);
        let ended = tokio::spawn(ended_after(0, Age { max: late, grace: late }, stopping));
        tokio::task::yield_now().await;
        stop.send_replace(true);
        assert!(ended.await.unwrap() < late);
    }
}

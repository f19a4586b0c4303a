//! Deadlines of calls: a server that accepts a connection and then stays silent holds nobody up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::{Code, Status};
use tower::{BoxError, Service};

use super::causes::root_cause;
use super::connect::Route;

/// Which part of a call must have come when its time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timed {
    /// The whole answer.
    Whole,
    /// Its beginning: what follows comes whenever there is something.
    Beginning,
}

/// How long a call may take.
#[derive(Clone)]
pub(super) struct Limit {
    pub(super) time: Duration,
    pub(super) timed: Timed,
    /// The server's address, to name it.
    pub(super) server: String,
    /// The way to it, to find out why a call breaks.
    pub(super) route: Route,
}

impl Limit {
    /// What to say when the time is up.
    pub(super) fn exceeded(&self, what: &str) -> String {
        let seconds = self.time.as_secs();
        format!("{} {what} within {seconds} s", self.server)
    }
}

/// A channel each of whose calls ends in time.
#[derive(Clone)]
pub(super) struct Deadline<S> {
    inner: S,
    limit: Limit,
}

impl<S> Deadline<S> {
    pub(super) fn new(inner: S, limit: Limit) -> Self {
        Self { inner, limit }
    }
}

impl<S> Service<http::Request<Body>> for Deadline<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let limit = self.limit.clone();
        let mut deadline = Box::pin(tokio::time::sleep(limit.time));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = tokio::select! {
                answer = answer => answer.map_err(|error| broken(error, &limit)),
                () = &mut deadline => return Err(status(&limit).into()),
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(broken) => {
                    let is_gone = matches!(broken.code(), Code::Unavailable | Code::Cancelled);
                    let instead = if is_gone { limit.route.tls_instead().await } else { None };
                    return Err(instead.map_or(broken, Status::unavailable).into());
                }
            };
            Ok(match limit.timed {
                Timed::Beginning => answer,
                Timed::Whole => answer.map(|body| Body::new(TimedBody { body, deadline, limit })),
            })
        })
    }
}

fn status(limit: &Limit) -> Status {
    Status::deadline_exceeded(limit.exceeded("didn't answer"))
}

/// A call that ended without an answer: the connection broke, or what is at the other end is no server of ours.
fn broken(error: impl Into<BoxError>, limit: &Limit) -> Status {
    let status = Status::from_error(error.into());
    if !matches!(status.code(), Code::Unknown | Code::Internal) {
        return status;
    }
    let cause = root_cause(&status);
    Status::unavailable(format!("the connection to {} broke: {cause}", limit.server))
}

/// An answer that must have come whole by a deadline.
struct TimedBody {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    limit: Limit,
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() && self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(status(&self.limit))));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

//! A call as operators see it, from its arrival to the end of its answer, whoever ends it: its metrics, its line in the log,
//! the span that the lines within it have, and its trace.
//!
//! Of what a call is about nothing is here: a refusal's message may quote a figure, so the log has its reason alone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderValue};
use tonic::{Code, Status};
use tracing::Span;

use super::metrics::{Metrics, method_of, name_of};
use super::trace::Trace;
use crate::model::id::IdentityId;
use crate::model::revision::Revision;
use crate::rpc::REQUEST_ID_HEADER;
use crate::rpc::status::Reason;

/// The longest id of a request that is taken from its caller.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// What sees the calls.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(super) metrics: Metrics,
    /// From where on ids are counted; random, so that those of another start differ.
    next_request_id: AtomicU64,
    tracer: Option<super::Tracer>,
}

impl Observer {
    pub(crate) fn new(first_request_id: u64, tracer: Option<super::Tracer>) -> Self {
        Self { metrics: Metrics::default(), next_request_id: first_request_id.into(), tracer }
    }

    /// The id that a request has, if it is sane: it stands in logs. Otherwise one that is made.
    fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        let is_sane = |id: &&HeaderValue| {
            let has = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
            (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(has)
        };
        headers.get(REQUEST_ID_HEADER).filter(is_sane).cloned().unwrap_or_else(|| {
            let id = format!("{:016x}", self.next_request_id.fetch_add(1, Ordering::Relaxed));
            HeaderValue::from_str(&id).expect("digits can stand in a header")
        })
    }
}

/// The revision that a call is known to be answered at, or to have written. Clones share it; 0 is none.
#[derive(Debug, Clone, Default)]
pub(super) struct AnsweredAt(Arc<AtomicU64>);

impl AnsweredAt {
    pub(super) fn note(&self, Revision(revision): Revision) {
        self.0.store(revision, Ordering::Relaxed);
    }
}

/// A call that has come. One that is dropped before it has ended was given up by its caller.
pub(super) struct ObservedCall {
    observer: Arc<Observer>,
    request_id: HeaderValue,
    method: &'static str,
    begun: Instant,
    identity: Option<IdentityId>,
    revision: AnsweredAt,
    span: Span,
    trace: Option<Trace>,
    ended: bool,
}

impl ObservedCall {
    pub(super) fn begin(observer: &Arc<Observer>, path: &str, headers: &HeaderMap) -> Self {
        let method = method_of(path);
        observer.metrics.started(method);
        let request_id = observer.request_id(headers);
        let trace = observer.tracer.as_ref().map(|tracer| Trace::begin(tracer, method, headers));
        Self {
            observer: Arc::clone(observer),
            request_id,
            method,
            begun: Instant::now(),
            identity: None,
            revision: AnsweredAt::default(),
            span: Span::none(),
            trace,
            ended: false,
        }
    }

    /// Who is calling, once that is known.
    pub(super) fn of(&mut self, identity: Option<&IdentityId>) {
        self.identity = identity.cloned();
    }

    /// Where its revision is to be noted.
    pub(super) fn revision(&self) -> AnsweredAt {
        self.revision.clone()
    }

    /// Its trace, if it has one.
    pub(super) fn trace(&self) -> Option<Trace> {
        self.trace.clone()
    }

    /// The span of all that is done for it.
    pub(super) fn span(&mut self) -> Span {
        if self.span.is_none() {
            let request_id = self.request_id.to_str().unwrap_or_default();
            let identity = self.identity.as_ref().map(IdentityId::as_str);
            let trace_id = self.trace.as_ref().and_then(Trace::id).map(tracing::field::display);
            self.span = tracing::info_span!("call", request_id, method = self.method, identity, trace_id);
        }
        self.span.clone()
    }

    /// The answer, which ends the call once it is sent. A refusal has its status at the head, and has ended it already.
    pub(super) fn answered(mut self, mut answer: http::Response<Body>) -> http::Response<Body> {
        answer.headers_mut().insert(REQUEST_ID_HEADER, self.request_id.clone());
        if let Some(refusal) = Status::from_header_map(answer.headers()) {
            self.end(refusal.code(), Some(&refusal));
            return answer;
        }
        // Of nothing, the library asks for nothing.
        if answer.body().is_end_stream() {
            self.end_by(None);
            return answer;
        }
        answer.map(|body| Body::new(ObservedBody { body, call: self }))
    }

    fn end(&mut self, code: Code, refusal: Option<&Status>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.begun.elapsed();
        self.observer.metrics.ended(self.method, code, took.as_secs_f64());
        let reason = refusal.and_then(Reason::of);
        if code != Code::Ok && code != Code::Cancelled {
            self.observer.metrics.refused(reason);
        }
        let (status, reason) = (name_of(code), reason.map(Reason::text));
        let revision = Some(self.revision.0.load(Ordering::Relaxed)).filter(|revision| *revision > 0);
        if let Some(trace) = &self.trace {
            trace.end(code, reason, revision);
        }
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Each is a kind of its own to the log, so that refusals, of which strangers may cause any number, hide no failure.
        let span = self.span();
        let _within = span.enter();
        match code {
            Code::Ok | Code::Cancelled => tracing::debug!(status, revision, microseconds, "a call has ended"),
            Code::Unknown | Code::Internal | Code::DataLoss => {
                tracing::warn!(status, reason, revision, microseconds, "a call has failed");
            }
            Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unavailable
            | Code::Unauthenticated => tracing::info!(status, reason, revision, microseconds, "a call is refused"),
        }
    }

    /// Ends the call by what comes after the answer's last message. A message without gRPC's frame has nothing there.
    fn end_by(&mut self, trailers: Option<&HeaderMap>) {
        let is_ok = |trailers: &HeaderMap| trailers.get("grpc-status").is_none_or(|code| code == "0");
        match trailers.filter(|trailers| !is_ok(trailers)).and_then(Status::from_header_map) {
            Some(status) => self.end(status.code(), Some(&status)),
            None => self.end(Code::Ok, None),
        }
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        self.end(Code::Cancelled, None);
    }
}

/// An answer as it is sent.
struct ObservedBody {
    body: Body,
    call: ObservedCall,
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.call.end_by(None),
            Some(Err(status)) => self.call.end(status.code(), Some(status)),
            Some(Ok(frame)) => match frame.trailers_ref() {
                Some(trailers) => self.call.end_by(Some(trailers)),
                // Who sends it asks for nothing after the last frame.
                None if self.body.is_end_stream() => self.call.end_by(None),
                None => {}
            },
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full, StreamBody};
    use prometheus_client::encoding::text::encode;
    use tonic::codegen::http::HeaderValue;

    use super::*;
    use crate::metrics::Registry;
    use crate::rpc::status;

    const METHOD: &str = "/conspectus.v1.PictureService/GetPicture";

    /// What is counted of a call, by status and by reason.
    fn counted(call: impl AsyncFnOnce(ObservedCall)) -> Vec<String> {
        let (observer, mut registry) = (Arc::new(Observer::new(1, None)), Registry::default());
        observer.metrics.register(&mut registry);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(call(ObservedCall::begin(&observer, METHOD, &HeaderMap::new())));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let is_counted =
            |line: &&str| line.contains("_seconds_count{") || line.starts_with("conspectus_refusals_total{");
        let quoted = |line: &str| line.split('"').skip(1).step_by(2).last().unwrap().to_owned();
        text.lines().filter(is_counted).map(quoted).collect()
    }

    fn answer(body: Body) -> http::Response<Body> {
        http::Response::new(body)
    }

    fn trailers(code: &'static str) -> Body {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(code))]);
        let frames = [Frame::data(Bytes::from_static(b"message")), Frame::trailers(trailers)];
        Body::new(StreamBody::new(tokio_stream::iter(frames.map(Ok::<_, Status>))))
    }

    #[test]
    fn a_call_ends_as_its_answer_says_once_that_is_sent() {
        for (body, expect) in
            [(trailers("0"), "OK"), (trailers("5"), "NOT_FOUND"), (Body::new(Full::new(Bytes::new())), "OK")]
        {
            let found = counted(async |call| drop(call.answered(answer(body)).into_body().collect().await));
            assert_eq!(found[0], expect);
        }
    }

    #[test]
    fn a_refusal_is_counted_by_its_reason() {
        let refusal = status::error(Reason::RateLimited, "too many");
        let found = counted(async |call| drop(call.answered(refusal.into_http())));
        assert_eq!(found, ["RESOURCE_EXHAUSTED", "RATE_LIMITED"]);
        let found = counted(async |call| drop(call.answered(Status::internal("it broke").into_http())));
        assert_eq!(found, ["INTERNAL", "OTHER"]);
    }

    #[test]
    fn a_sane_request_id_is_kept_and_another_is_made_that_is_no_other_calls() {
        let observer = Observer::new(0xabc, None);
        let id = |header: &[u8]| {
            let headers = [(REQUEST_ID_HEADER.parse().unwrap(), HeaderValue::from_bytes(header).unwrap())];
            observer.request_id(&HeaderMap::from_iter(headers)).to_str().unwrap().to_owned()
        };
        assert_eq!(id(b"0190-ab_c.d:1"), "0190-ab_c.d:1");
        let long = "x".repeat(REQUEST_ID_BYTES_MAX + 1);
        let made = [b"" as &[u8], b"a b", "\u{202e}".as_bytes(), long.as_bytes()].map(id);
        assert_eq!(made, ["0000000000000abc", "0000000000000abd", "0000000000000abe", "0000000000000abf"]);
    }

    #[test]
    fn a_calls_line_has_what_finds_it_again_and_no_message() {
        let text = crate::tests::logged(|| {
            let observer = Arc::new(Observer::new(0xabc, None));
            let mut call = ObservedCall::begin(&observer, METHOD, &HeaderMap::new());
            call.of(IdentityId::parse("ana").ok().as_ref());
            call.revision().note(Revision(7));
            let refusal = status::error(Reason::InvalidRequest, "found 4711");
            let answer = call.answered(refusal.into_http());
            assert_eq!(answer.headers()[REQUEST_ID_HEADER], "0000000000000abc");
        });
        for part in [
            "request_id=\"0000000000000abc\"",
            "method=\"conspectus.v1.PictureService/GetPicture\"",
            "identity=\"ana\"",
            "status=\"INVALID_ARGUMENT\"",
            "reason=\"INVALID_REQUEST\"",
            "revision=7",
            "microseconds=",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("4711"), "{text}");
    }

    #[test]
    fn a_call_whose_caller_has_gone_is_cancelled_whether_it_was_answered_or_not() {
        assert_eq!(counted(async |call| drop(call)), ["CANCELLED"]);
        assert_eq!(counted(async |call| drop(call.answered(answer(trailers("0"))))), ["CANCELLED"]);
    }
}

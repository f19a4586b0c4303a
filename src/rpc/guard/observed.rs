//! A call as operators see it, from its arrival to the end of its answer, whoever ends it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap};
use tonic::{Code, Status};

use super::metrics::{Metrics, method_of};
use crate::rpc::status::Reason;

/// A call that has come. One that is dropped before it has ended was given up by its caller.
pub(super) struct ObservedCall {
    metrics: Metrics,
    method: &'static str,
    begun: Instant,
    ended: bool,
}

impl ObservedCall {
    pub(super) fn begin(metrics: &Metrics, path: &str) -> Self {
        let method = method_of(path);
        metrics.started(method);
        Self { metrics: metrics.clone(), method, begun: Instant::now(), ended: false }
    }

    /// The answer, which ends the call once it is sent. A refusal has its status at the head, and has ended it already.
    pub(super) fn answered(mut self, answer: http::Response<Body>) -> http::Response<Body> {
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
        self.metrics.ended(self.method, code, self.begun.elapsed().as_secs_f64());
        if code != Code::Ok && code != Code::Cancelled {
            self.metrics.refused(refusal.and_then(Reason::of));
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
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(call(ObservedCall::begin(&metrics, METHOD)));
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
    fn a_call_whose_caller_has_gone_is_cancelled_whether_it_was_answered_or_not() {
        assert_eq!(counted(async |call| drop(call)), ["CANCELLED"]);
        assert_eq!(counted(async |call| drop(call.answered(answer(trailers("0"))))), ["CANCELLED"]);
    }
}

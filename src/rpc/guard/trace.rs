//! Traces of calls by OpenTelemetry, where somebody takes them: a span for the call, by the semantic conventions for RPC
//! (<https://opentelemetry.io/docs/specs/semconv/rpc/>), under that of its caller by the W3C's Trace Context; and spans for
//! what it waits for. There is nothing in them of what is asked or answered.

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, TraceId, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::Code;
use tonic::codegen::http::{HeaderMap, HeaderName};

use super::metrics::name_of;

/// What makes spans.
pub type Tracer = opentelemetry_sdk::trace::SdkTracer;

/// The span of a call. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    tracer: Tracer,
    context: Context,
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl Trace {
    /// Begins the span of a call, under the one that its headers name.
    pub(super) fn begin(tracer: &Tracer, method: &'static str, headers: &HeaderMap) -> Self {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let attributes = [KeyValue::new("rpc.system.name", "grpc"), KeyValue::new("rpc.method", method)];
        let span = tracer.span_builder(method).with_kind(SpanKind::Server).with_attributes(attributes);
        Self { context: parent.with_span(span.start_with_context(tracer, &parent)), tracer: tracer.clone() }
    }

    /// The trace's id, where the call is sampled.
    pub(super) fn id(&self) -> Option<TraceId> {
        let span = self.context.span();
        span.is_recording().then(|| span.span_context().trace_id())
    }

    /// A span of something that the call waits for; it ends when it is dropped.
    pub(super) fn part(&self, name: &'static str) -> opentelemetry_sdk::trace::Span {
        self.tracer.span_builder(name).start_with_context(&self.tracer, &self.context)
    }

    /// Ends the call's span.
    pub(super) fn end(&self, code: Code, reason: Option<&'static str>, revision: Option<u64>) {
        let span = self.context.span();
        if !span.is_recording() {
            return;
        }
        span.set_attribute(KeyValue::new("rpc.response.status_code", name_of(code)));
        if code != Code::Ok {
            span.set_attribute(KeyValue::new("error.type", reason.unwrap_or_else(|| name_of(code))));
        }
        if let Some(revision) = revision.and_then(|revision| i64::try_from(revision).ok()) {
            span.set_attribute(KeyValue::new("conspectus.revision", revision));
        }
        // Of a server's spans, only its own faults are errors: the conventions list the codes.
        let is_own_fault = match code {
            Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => true,
            Code::Ok
            | Code::Cancelled
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unauthenticated => false,
        };
        if is_own_fault {
            span.set_status(Status::error(name_of(code)));
        }
        span.end();
    }
}

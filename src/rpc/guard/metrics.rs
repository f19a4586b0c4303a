//! The metrics of calls, by the names and buckets of gRFC A66
//! (<https://github.com/grpc/proposal/blob/master/A66-otel-stats.md>), as Prometheus has names. Labels are methods, codes
//! and reasons: there are as many as the program knows.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use tonic::Code;

use super::methods::{METHODS, OPEN_METHODS};
use crate::metrics::{self, Registry};
use crate::rpc::status::Reason;

/// The buckets of a call's duration in seconds, as the proposal has them.
const CALL_SECONDS: [f64; 41] = [
    0.0, 0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01,
    0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8,
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];

/// The method of a call to none that there is.
const NO_METHOD: &str = "other";

/// The reason of an error that names none.
const NO_REASON: &str = "OTHER";

/// What is measured of calls. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    started: Family<OfMethod, Counter>,
    durations: Family<Ended, Histogram, fn() -> Histogram>,
    refusals: Family<Refused, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMethod {
    grpc_method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    grpc_method: &'static str,
    grpc_status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(CALL_SECONDS)) as fn() -> Histogram);
        Self { started: Family::default(), durations, refusals: Family::default() }
    }
}

impl Metrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { started, durations, refusals } = self;
        metrics::register(registry, "grpc_server_call_started", "Calls that came, let in or not", started.clone());
        metrics::register(
            registry,
            "grpc_server_call_duration_seconds",
            "How long calls took, from their arrival to the end of their answer",
            durations.clone(),
        );
        metrics::register(
            registry,
            "conspectus_refusals",
            "Calls that ended with an error, by the reason that it names",
            refusals.clone(),
        );
    }

    pub(super) fn started(&self, grpc_method: &'static str) {
        self.started.get_or_create(&OfMethod { grpc_method }).inc();
    }

    pub(super) fn ended(&self, grpc_method: &'static str, code: Code, seconds: f64) {
        let grpc_status = name_of(code);
        self.durations.get_or_create(&Ended { grpc_method, grpc_status }).observe(seconds);
    }

    pub(super) fn refused(&self, reason: Option<Reason>) {
        let reason = reason.map_or(NO_REASON, Reason::text);
        self.refusals.get_or_create(&Refused { reason }).inc();
    }
}

/// The method that a path names, as service and method.
pub(super) fn method_of(path: &str) -> &'static str {
    let known = METHODS.iter().map(|(path, _)| *path).chain(OPEN_METHODS);
    known.into_iter().find(|known| *known == path).and_then(|known| known.strip_prefix('/')).unwrap_or(NO_METHOD)
}

/// A code's name, as the specification has it.
pub(super) fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_names_no_method_adds_no_label() {
        assert_eq!(method_of("/conspectus.v1.PictureService/GetPicture"), "conspectus.v1.PictureService/GetPicture");
        assert_eq!(method_of("/grpc.health.v1.Health/Check"), "grpc.health.v1.Health/Check");
        for path in ["", "/", "/conspectus.v1.PictureService/GetPictures", "/grpc.health.v1.Health/x"] {
            assert_eq!(method_of(path), NO_METHOD, "{path}");
        }
    }
}

//! Traces to a collector by OpenTelemetry's protocol over gRPC, where the environment names one. The variables are the
//! standard ones (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>), and the library reads
//! most of them itself: endpoint, headers, timeout, sampler, resource attributes, and the bounds of the queue.
//!
//! Spans wait in a bounded queue for a thread of the library's; what finds it full is lost. A collector that can't be
//! reached is one line of the log, and another once it is back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

use super::failure::Failure;
use crate::rpc::Tracer;

const SERVICE: &str = "conspectus";
/// Where a collector is: without one of these there are no traces.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How long the end of the program waits for spans to be sent.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// What sends traces, until it is ended.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send them where the environment asks for it.
    ///
    /// # Errors
    /// When the environment asks for what this program doesn't do.
    pub(super) fn start() -> Result<Option<Self>, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if !is_wanted(variable).map_err(Failure::usage)? {
            return Ok(None);
        }
        let exporter = OtlpExporter::builder().with_tonic().build();
        let exporter = exporter.map_err(|error| Failure::usage(format!("traces can't be sent: {error}")))?;
        let is_named = variable("OTEL_SERVICE_NAME").is_some()
            || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
        let resource = Resource::builder();
        let resource = if is_named { resource } else { resource.with_service_name(SERVICE) };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(Exporter { exporter, is_down: AtomicBool::default() })
            .build();
        tracing::info!("traces are sent by OTLP");
        Ok(Some(Self(provider)))
    }

    pub(super) fn tracer(&self) -> Tracer {
        self.0.tracer(SERVICE)
    }

    /// Sends what waits, if it can be sent soon.
    pub(super) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(END_TIMEOUT));
        if let Ok(Err(error)) = ended.await {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Whether traces are sent, by the variables of the environment that have a value.
///
/// # Errors
/// In words, where they ask for another exporter or protocol than there is.
fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> Result<bool, String> {
    let is_disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let exporter = variable("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
    if is_disabled || exporter == "none" || ENDPOINTS.iter().all(|name| variable(name).is_none()) {
        return Ok(false);
    }
    let mut problems = Vec::new();
    if exporter != "otlp" {
        problems.push(format!("OTEL_TRACES_EXPORTER: found `{exporter}`; allowed: otlp, none"));
    }
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        if let Some(protocol) = variable(name).filter(|protocol| protocol != "grpc") {
            problems.push(format!("{name}: found `{protocol}`; allowed: grpc"));
        }
    }
    if problems.is_empty() { Ok(true) } else { Err(problems.join("; ")) }
}

/// The library's exporter, which says nothing when it fails.
#[derive(Debug)]
struct Exporter {
    exporter: OtlpExporter,
    is_down: AtomicBool,
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_down = self.is_down.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_down => tracing::warn!(%error, "traces can't be sent, and are lost until they can"),
            Ok(()) if was_down => tracing::info!("traces are sent again"),
            Ok(()) | Err(_) => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_sent_where_a_collector_is_named_and_nothing_turns_them_off() {
        const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        let wanted = |variables: &[(&str, &str)]| {
            is_wanted(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(wanted(&[]), Ok(false));
        assert_eq!(wanted(&[ENDPOINT]), Ok(true));
        assert_eq!(wanted(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://here")]), Ok(true));
        assert_eq!(wanted(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]), Ok(false));
        assert_eq!(wanted(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]), Ok(false));
        let refusal =
            wanted(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]);
        let refusal = refusal.unwrap_err();
        assert!(refusal.contains("zipkin") && refusal.contains("allowed: grpc"), "{refusal}");
    }
}

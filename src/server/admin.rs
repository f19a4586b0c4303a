//! The admin listener, for operators' tools: `/metrics` for Prometheus, `/livez` and `/readyz` for whatever restarts the
//! server or sends it traffic. It has neither TLS nor credentials, so it is of this machine alone unless somebody says
//! that another address is meant; and nothing there names an identity or a figure.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::{prometheus_text, text};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codegen::http;
use tower::ServiceExt as _;

use super::listen::Listen;
use super::readiness::Readiness;
use super::serving;
use crate::metrics::Registry;
use crate::net::{self, Bounds, Connections, Peer};

/// What Prometheus asks for where it may choose.
const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A few tools ask, each over a connection or two.
const CONNECTIONS_MAX: usize = 32;

/// Everything that is measured. Modules add what they measure when they are there.
#[derive(Debug, Clone, Default)]
pub(super) struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// With what is measured already.
    pub(super) fn of(registry: Registry) -> Self {
        Self(Arc::new(Mutex::new(registry)))
    }

    /// Has something add its metrics.
    pub(super) fn add(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn text(&self, is_open_metrics: bool) -> Result<String, std::fmt::Error> {
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = String::new();
        let encode = if is_open_metrics { text::encode } else { prometheus_text::encode };
        encode(&mut written, &registry)?;
        Ok(written)
    }
}

/// What is served; it ends when it is dropped.
pub(super) struct Serving {
    _tasks: JoinSet<()>,
    _stop: watch::Sender<bool>,
}

/// Serves from now on, whatever the server does.
///
/// # Errors
/// When the system doesn't let it listen.
pub(super) fn start(at: Listen, metrics: Metrics, readiness: Readiness) -> io::Result<Serving> {
    let address = at.local_addr()?;
    let listener = at.listen()?;
    tracing::info!(%address, "metrics and readiness are served");
    let pages = pages(metrics, readiness);
    let bounds = Bounds { connections_max: CONNECTIONS_MAX, ..Bounds::default() };
    let (stop, until) = watch::channel(false);
    let answer = move |peer: Peer, request: http::Request<Body>| {
        // Nobody presents credentials here, so the connection of whoever asks may stay.
        peer.trust();
        let pages = pages.clone();
        async move { Ok(pages.oneshot(request.map(axum::body::Body::new)).await?.map(Body::new)) }
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(serving::serve(net::accept(listener, None, Connections::new(bounds)), answer, until));
    Ok(Serving { _tasks: tasks, _stop: stop })
}

fn pages(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .with_state(metrics)
        .route("/livez", get(async || "the server runs\n"))
        .route("/readyz", get(ready).with_state(readiness))
        .fallback(async || (StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n"))
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    let is_open_metrics = accepted.contains(OPEN_METRICS);
    let content_type = if is_open_metrics { OPEN_METRICS_TYPE } else { TEXT_TYPE };
    match metrics.text(is_open_metrics) {
        Ok(text) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics can't be written as text");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let reasons = readiness.reasons();
    match (readiness.lets_calls_in(), reasons.is_empty()) {
        (true, true) => "ready\n".into_response(),
        // What it can still do, it does: whoever balances load goes on sending.
        (true, false) => format!("ready, but\n{}\n", reasons.join("\n")).into_response(),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response(),
    }
}

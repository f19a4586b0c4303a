//! What others notice: health, a cheap question and a single submission, each asked again and again, and the
//! server's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{Observation, QueryAggregateRequest, SubmitObservationsRequest};
use hdrhistogram::Histogram;
use prost::Message;
use tonic::transport::{Channel, Endpoint};

use crate::binary::Server;
use crate::binary::memory::memory_bytes;
use crate::call::Caller;
use crate::requests::Form;
use crate::world::{self, PROBE_AGENCY, PROBE_ANALYST, PROBE_AREA, PROBE_INDICATOR, PROBE_SUBMITTER};

const PROBE_INTERVAL: Duration = Duration::from_millis(5);
/// The longest that one may take before it is given up.
const PROBE_MAX: Duration = Duration::from_secs(20);

/// What is asked beside everything.
pub(crate) const PROBES: [&str; 3] = ["health", "cheap query", "submission"];

/// How long each took, by probe; and those that weren't answered.
#[derive(Debug, Clone)]
pub(crate) struct Noticed {
    pub(crate) micros: [Histogram<u64>; 3],
    pub(crate) refused: Vec<String>,
}

impl Noticed {
    /// A quantile of each, in milliseconds.
    pub(crate) fn milliseconds(&self, quantile: f64) -> [f64; 3] {
        self.micros.each_ref().map(|micros| micros.value_at_quantile(quantile) as f64 / 1e3)
    }
}

static SUBMITTED: AtomicU64 = AtomicU64::new(0);

fn probe(ix: usize) -> (&'static str, Bytes) {
    match ix {
        0 => ("/grpc.health.v1.Health/Check", Bytes::new()),
        1 => {
            let question = QueryAggregateRequest {
                indicators: vec![world::ward_indicator(0)],
                areas: vec![world::history_area()],
                periods: vec![world::month(1)],
                ..QueryAggregateRequest::default()
            };
            ("/conspectus.v1.PictureService/QueryAggregate", question.encode_to_vec().into())
        }
        _ => {
            let number = SUBMITTED.fetch_add(1, Ordering::Relaxed);
            let observation = Observation {
                indicator: PROBE_INDICATOR.to_owned(),
                area: PROBE_AREA.to_owned(),
                period: world::month(1),
                measure: Some(Measure::Number(number.to_string())),
                ..Observation::default()
            };
            let submission = SubmitObservationsRequest {
                agency: PROBE_AGENCY.to_owned(),
                request_id: format!("probe-{}-{number}", std::process::id()),
                observations: vec![observation],
                sample: true,
                ..SubmitObservationsRequest::default()
            };
            ("/conspectus.v1.SubmissionService/SubmitObservations", submission.encode_to_vec().into())
        }
    }
}

/// Asks each, over a connection of its own, until the time is up. They have threads of their own, so that nothing
/// else in this process makes them wait.
pub(crate) async fn probe_for(server: &Server, time: Duration) -> Noticed {
    let ask = |ix: usize| {
        let endpoint = endpoint(server);
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(probe_over(endpoint, ix, time))
        })
    };
    let (health, cheap, submission) = tokio::join!(ask(0), ask(1), ask(2));
    let mut refused = Vec::new();
    let micros = [health, cheap, submission].map(|probed| {
        let (micros, of_probe) = probed.unwrap();
        refused.extend(of_probe);
        micros
    });
    Noticed { micros, refused }
}

async fn probe_over(endpoint: Endpoint, ix: usize, time: Duration) -> (Histogram<u64>, Vec<String>) {
    let name = if ix == 2 { PROBE_SUBMITTER } else { PROBE_ANALYST }.to_owned();
    let caller = Caller { name, channel: endpoint.connect_lazy() };
    let (mut micros, mut refused) = (Histogram::new(3).unwrap(), Vec::new());
    let start = Instant::now();
    while start.elapsed() < time {
        let (path, message) = probe(ix);
        let begun = Instant::now();
        let answer = caller.call((path, Form::Unary), message, PROBE_MAX).await;
        micros.record(u64::try_from(begun.elapsed().as_micros()).unwrap()).unwrap();
        if let Err(status) = answer {
            refused.push(format!("{}: {:?} {}", PROBES[ix], status.code(), status.message()));
        }
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
    (micros, refused)
}

fn endpoint(server: &Server) -> Endpoint {
    let window = 4 << 20;
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    endpoint.initial_stream_window_size(window).initial_connection_window_size(window)
}

/// A connection that is made when something is sent.
pub(crate) fn channel(server: &Server) -> Channel {
    endpoint(server).connect_lazy()
}

/// What the system says of the server's process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn of(server: &Server) -> Self {
        Self(server.id())
    }

    /// The time that its threads have computed.
    pub(crate) fn cpu(self) -> Duration {
        // A thread may end meanwhile.
        let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0)).unwrap();
        Duration::from_nanos(threads.filter_map(of_thread).sum())
    }

    /// The memory that it has, in bytes.
    pub(crate) fn resident(self) -> u64 {
        memory_bytes(self.0, "VmRSS")
    }

    /// Has the peak of its memory counted from now on; what there is now.
    pub(crate) fn begin(self) -> u64 {
        std::fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
        self.resident()
    }

    /// The peak since then.
    pub(crate) fn peak(self) -> u64 {
        memory_bytes(self.0, "VmHWM")
    }

    /// How much it grew by since then.
    pub(crate) fn peak_since(self, before: u64) -> u64 {
        self.peak().saturating_sub(before)
    }
}

/// Set when hostile callers stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

//! What telemetry costs: single submissions and audited reads of a server without it, of one that is scraped each
//! second and logs JSON, and of those that trace one call in ten, and each, to a collector on the same machine. Run it by `cargo bench --bench telemetry`;
//! docs/performance.md has what it printed.
//!
//! The servers take turns, so that what else the machine does falls on all of them. A figure is the median of the rounds,
//! and each ratio the median of a round's; the server's processor time is of all rounds together. With `CONSPECTUS_BEFORE=BINARY` another build takes part too,
//! without telemetry.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "rates and ratios are for reading; whatever fails ends the benchmark"
)]

#[expect(dead_code, reason = "another benchmark asks for the page")]
mod demo;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{GetPictureRequest, Observation, SubmitObservationsRequest};
use demo::Demo;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

const ROUNDS: usize = 25;
const ROUND: Duration = Duration::from_secs(1);
const CLIENTS: usize = 8;
const AGENCY: &str = "portsmouth-childrens-services";
const AREA: &str = "E06000044";
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// Takes spans, and counts them.
#[derive(Clone, Default)]
struct Sink(std::sync::Arc<AtomicU64>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|of| &of.scope_spans);
        self.0.fetch_add(scopes.map(|scope| scope.spans.len() as u64).sum(), Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A demo's server.
struct Server {
    name: &'static str,
    demo: Demo,
    channel: Channel,
    submitter: String,
    analyst: String,
    calls: [u64; 2],
    ticks: [u64; 2],
    rates: [Vec<f64>; 2],
}

impl Server {
    async fn start(name: &'static str, binary: &Path, folder: &Path, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(binary);
        command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--calls-a-second", "1000000", "--data"])
            .arg(folder);
        more(&mut command);
        // Somebody reads the log, as in production.
        command.stderr(std::fs::File::create(folder.with_extension("log")).unwrap());
        let demo = Demo::start(&mut command);
        let key = |name: &str| demo.keys[name].clone();
        let (submitter, analyst) = (key("PORTSMOUTH_CHILDRENS_SERVICES"), key("ANALYST"));
        let channel = Endpoint::from_shared(format!("http://{}", demo.address)).unwrap().connect().await.unwrap();
        let [calls, ticks] = [[0; 2]; 2];
        Self { name, demo, channel, submitter, analyst, calls, ticks, rates: Default::default() }
    }

    /// The processor time that it has taken, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.demo.process.0.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = fields.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Calls it for a round: to submit, or to read.
    async fn round(&mut self, is_read: bool, counted: bool, next: &mut u64) {
        let (before, begun) = (self.ticks(), Instant::now());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            *next += 1;
            let (channel, first) = (self.channel.clone(), *next * 10_000_000);
            let key = if is_read { &self.analyst } else { &self.submitter };
            let authorization = format!("Bearer {key}").parse::<tonic::metadata::MetadataValue<_>>().unwrap();
            clients.spawn(async move {
                let mut submissions = SubmissionServiceClient::new(channel.clone());
                let mut pictures = PictureServiceClient::new(channel);
                let mut done = 0_u64;
                while begun.elapsed() < ROUND {
                    if is_read {
                        let mut request = Request::new(GetPictureRequest {
                            area: "E10000014".to_owned(),
                            period: "FY2021-22".to_owned(),
                            ..GetPictureRequest::default()
                        });
                        request.metadata_mut().insert("authorization", authorization.clone());
                        request.metadata_mut().insert("conspectus-purpose", "the benchmark".parse().unwrap());
                        pictures.get_picture(request).await.unwrap();
                    } else {
                        let mut request = Request::new(submission(first + done));
                        request.metadata_mut().insert("authorization", authorization.clone());
                        submissions.submit_observations(request).await.unwrap();
                    }
                    done += 1;
                }
                done
            });
        }
        let done: u64 = clients.join_all().await.into_iter().sum();
        if counted {
            let kind = usize::from(is_read);
            self.calls[kind] += done;
            self.ticks[kind] += self.ticks() - before;
            self.rates[kind].push(done as f64 / begun.elapsed().as_secs_f64());
        }
    }
}

/// A submission of one figure, unlike any other.
fn submission(number: u64) -> SubmitObservationsRequest {
    let observation = Observation {
        indicator: "initial-contacts".to_owned(),
        area: AREA.to_owned(),
        period: "FY2021-22".to_owned(),
        measure: Some(Measure::Number((number % 1_000_000).to_string())),
        ..Observation::default()
    };
    SubmitObservationsRequest {
        request_id: format!("bench-{number}"),
        agency: AGENCY.to_owned(),
        observations: vec![observation],
        ..SubmitObservationsRequest::default()
    }
}

/// Scrapes for ever, and gives how long it took at the longest, in microseconds.
fn scrape(admin: SocketAddr, longest: &AtomicU64) {
    loop {
        std::thread::sleep(SCRAPE_EVERY);
        let begun = Instant::now();
        let Ok(mut stream) = TcpStream::connect(admin) else { continue };
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        longest.fetch_max(u64::try_from(begun.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
    runtime.shutdown_background();
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_conspectus"));
    let (sink, listener) = (Sink::default(), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let collector = listener.local_addr().unwrap();
    let service = TraceServiceServer::new(sink.clone());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    static LONGEST: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(move || scrape(admin, &LONGEST));

    let mut servers = Vec::new();
    if let Some(before) = std::env::var_os("CONSPECTUS_BEFORE") {
        servers.push(Server::start("before", Path::new(&before), &folder.path().join("before"), |_| {}).await);
    }
    servers.push(Server::start("without", &program, &folder.path().join("without"), |_| {}).await);
    let scraped = |command: &mut Command| {
        command.args(["--admin", &admin.to_string(), "--log-format", "json"]);
    };
    servers.push(Server::start("metrics, JSON log", &program, &folder.path().join("scraped"), scraped).await);
    for (name, ratio) in [("JSON log, one call in ten traced", "0.1"), ("JSON log, every call traced", "1")] {
        let traced = |command: &mut Command| {
            command.args(["--log-format", "json"]);
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
            command.env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio").env("OTEL_TRACES_SAMPLER_ARG", ratio);
        };
        servers.push(Server::start(name, &program, &folder.path().join(ratio), traced).await);
    }

    let mut next = 0;
    for round in 0..=ROUNDS {
        for is_read in [false, true] {
            for server in &mut servers {
                server.round(is_read, round > 0, &mut next).await;
            }
        }
    }
    for (kind, what) in ["single submissions", "audited pictures"].into_iter().enumerate() {
        println!(
            "\n{what}, {CLIENTS} at a time\n| server | calls a second | × | processor time of the server, a call | × |\n|---|---|---|---|---|"
        );
        let figures = |server: &Server| {
            (median(&server.rates[kind]), server.ticks[kind] as f64 * 10_000.0 / server.calls[kind] as f64)
        };
        let took = figures(&servers[0]).1;
        let ratio = |server: &Server| {
            let rounds = server.rates[kind].iter().zip(&servers[0].rates[kind]);
            median(&rounds.map(|(rate, without)| rate / without).collect::<Vec<_>>())
        };
        for server in &servers {
            let (found_rate, found_took) = figures(server);
            println!(
                "| {} | {found_rate:.0} | {:.3} | {found_took:.1} µs | {:.3} |",
                server.name,
                ratio(server),
                found_took / took
            );
        }
    }
    println!(
        "\nspans taken: {}; the longest scrape: {} µs",
        sink.0.load(Ordering::Relaxed),
        LONGEST.load(Ordering::Relaxed)
    );
}

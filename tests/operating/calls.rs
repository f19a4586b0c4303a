//! What a server's log and its traces say of calls: enough to find one again, and nothing of what it was about.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::Value;
use tonic::{Request, Response, Status};

use crate::drills::{READ, begin_as, submission};
use crate::{PATIENCE, POLL_INTERVAL, Server, folder};

/// A figure that nothing else in a log looks like.
const FIGURE: u32 = 48_151_623;
const SUBMIT: &str = "conspectus.v1.SubmissionService/SubmitObservations";
const QUERY: &str = "conspectus.v1.PictureService/QueryAggregate";
/// What the command line asks first.
const LIST: &str = "conspectus.v1.CatalogueService/ListIndicators";

fn lines_of(log: &[String]) -> Vec<Value> {
    let parsed = log.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    parsed.collect()
}

#[test]
fn the_log_at_its_fullest_has_each_call_once_and_no_figure_key_or_message() {
    let folder = folder();
    let talkative = |data: &std::path::Path| {
        let change = |command: &mut Command| {
            command.args(["--log-format", "json"]).env("CONSPECTUS_LOG", "conspectus=trace");
        };
        Server::start_with(
            |command| {
                change(command);
                command
            },
            data,
        )
    };
    let (server, keys) = begin_as(folder.path(), talkative);
    let (revision, receipt) = server.submit(&keys, FIGURE);
    let read = server.does(&keys.analyst, READ);
    assert!(read.contains("48,151,623"), "{read}");
    // A refusal quotes what it was sent to whoever sent it, and to nobody else.
    let quoted = format!("i{FIGURE}");
    server.refuses(&keys.analyst, &format!("picture {quoted} FY2021-22"), &quoted);
    server.refuses("cps_48151623_48151623", READ, "");
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    for secret in [&keys.submitter, &keys.analyst, "48151623", "48,151,623"] {
        let secret = secret.rsplit('_').next().unwrap();
        assert!(log.iter().all(|line| !line.contains(secret)), "{secret}: {log:#?}");
    }
    assert!(!log.iter().any(|line| line.contains(&receipt)));

    let lines = lines_of(&log);
    let of = |method: &str, status: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["span"]["method"] == method && line["status"] == status).collect()
    };
    // The command line has a file checked before it sends it.
    let [_checked, submitted] = of(SUBMIT, "OK")[..] else { panic!("{log:#?}") };
    assert_eq!(submitted["span"]["identity"], "feed");
    assert_eq!(submitted["revision"], revision);
    assert_eq!(submitted["level"], "DEBUG");
    assert!(submitted["microseconds"].as_u64().unwrap() > 0);
    let [read] = of(QUERY, "OK")[..] else { panic!("{log:#?}") };
    assert_eq!((&read["span"]["identity"], &read["revision"]), (&"ana".into(), &revision.into()));
    let [mistaken] = of("conspectus.v1.PictureService/GetPicture", "INVALID_ARGUMENT")[..] else { panic!("{log:#?}") };
    assert_eq!(mistaken["reason"], "INVALID_REQUEST");
    let [refused] = of(LIST, "UNAUTHENTICATED")[..] else { panic!("{log:#?}") };
    assert_eq!((&refused["level"], &refused["reason"]), (&"INFO".into(), &"UNAUTHENTICATED".into()));
    let fields = |line: &Value| -> Vec<String> {
        let of = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        [of(line), of(&line["span"])].concat()
    };
    let page = std::fs::read_to_string("docs/logs.md").unwrap();
    let example = page.split("```json\n").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(fields(refused), fields(&serde_json::from_str(example).unwrap()));
    let ids: std::collections::BTreeSet<&str> =
        [submitted, read, refused].iter().map(|line| line["span"]["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_log_of_json_counts_what_it_does_not_write_in_json_too() {
    let folder = folder();
    let change = |command: &mut Command| {
        command.env("CONSPECTUS_LOG_FORMAT", "json");
    };
    let (server, _keys) = begin_as(folder.path(), |data| {
        Server::start_with(
            |command| {
                change(command);
                command
            },
            data,
        )
    });
    for _ in 0..25 {
        server.refuses("cps_nobody", READ, "");
    }
    let (_, log) = server.stop();
    let lines = lines_of(&log);
    let refusals = lines.iter().filter(|line| line["message"] == "a call is refused").count();
    assert_eq!(refusals, 20);
    let more =
        lines.iter().filter_map(|line| line["message"].as_str()).find(|text| text.contains("more lines like this one"));
    assert!(more.is_some_and(|text| text.ends_with("not written: a call is refused")), "{log:#?}");
}

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts it, on a thread that ends with the process.
    fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = tonic::transport::server::TcpIncoming::from(listener);
                tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
            });
        });
        (collector, address)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().unwrap();
        let scopes = requests.iter().flat_map(|request| &request.resource_spans).flat_map(|of| &of.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn resource(&self) -> BTreeMap<String, String> {
        let requests = self.0.lock().unwrap();
        attributes(&requests[0].resource_spans[0].resource.as_ref().unwrap().attributes)
    }
}

fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<Any>| match value.as_ref().and_then(|any| any.value.clone()) {
        Some(AnyValue::StringValue(text)) => text,
        Some(AnyValue::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    of.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_submission_and_a_read_are_spans_under_their_callers_with_what_they_waited_for() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";
    let (collector, address) = Collector::start();
    let folder = folder();
    let traced = |command: &mut Command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
        command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=a-drill");
        command.env("OTEL_BSP_SCHEDULE_DELAY", "50");
    };
    let (server, keys) = begin_as(folder.path(), |data| {
        Server::start_with(
            |command| {
                traced(command);
                command
            },
            data,
        )
    });
    let (sheet, line) = submission(FIGURE);
    for (key, line) in [(&keys.submitter, line.as_str()), (&keys.analyst, READ)] {
        let mut verb = crate::binary::command();
        verb.args(line.split(' ')).env("CONSPECTUS_SERVER", format!("http://{}", server.address));
        verb.env("CONSPECTUS_KEY", key).env("CONSPECTUS_PURPOSE", "a drill");
        verb.env("TRACEPARENT", format!("00-{TRACE}-{PARENT}-01"));
        let output = verb.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    drop(sheet);
    server.refuses("cps_nobody", READ, "");
    assert_eq!(server.stop().0.code(), Some(0));

    let spans = collector.spans();
    let calls = |method: &str, status: &str| -> Vec<&Span> {
        let has =
            |span: &&Span| attributes(&span.attributes).get("rpc.response.status_code").is_some_and(|it| it == status);
        spans.iter().filter(|span| span.name == method).filter(has).collect()
    };
    for (method, parts) in [(SUBMIT, &["write the journal"][..]), (QUERY, &["compute", "write the audit log"])] {
        // The command line has a file checked before it sends it.
        let Some(call) = calls(method, "OK").pop() else { panic!("{method}: {spans:#?}") };
        assert_eq!((hex(&call.trace_id).as_str(), hex(&call.parent_span_id).as_str()), (TRACE, PARENT));
        assert_eq!(call.kind, SpanKind::Server as i32);
        let attributes = attributes(&call.attributes);
        assert_eq!((&*attributes["rpc.system.name"], &*attributes["rpc.method"]), ("grpc", method));
        assert!(attributes["conspectus.revision"].parse::<u64>().unwrap() > 1);
        let children: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == call.span_id).collect();
        assert_eq!(children.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), parts);
        for child in children {
            assert_eq!(child.trace_id, call.trace_id);
            assert!(call.start_time_unix_nano <= child.start_time_unix_nano);
            assert!(child.end_time_unix_nano <= call.end_time_unix_nano);
        }
    }
    let [refused] = calls(LIST, "UNAUTHENTICATED")[..] else { panic!("{spans:#?}") };
    assert_eq!(attributes(&refused.attributes)["error.type"], "UNAUTHENTICATED");
    assert!(refused.parent_span_id.is_empty(), "nobody passed a trace on");
    // A caller's mistake is no error of the server's.
    assert_eq!(refused.status.as_ref().map_or(0, |status| status.code), 0);
    let resource = collector.resource();
    assert_eq!((&*resource["service.name"], &*resource["deployment.environment.name"]), ("conspectus", "a-drill"));
    let text = format!("{spans:?}");
    assert!(!text.contains("48151623") && !text.contains("cps_"), "{text}");
}

#[test]
fn a_collector_that_is_gone_is_one_line_and_holds_nobody_up() {
    let folder = folder();
    let nowhere = crate::free_address();
    let traced = |command: &mut Command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{nowhere}")).env("OTEL_BSP_SCHEDULE_DELAY", "20");
    };
    let (server, keys) = begin_as(folder.path(), |data| {
        Server::start_with(
            |command| {
                traced(command);
                command
            },
            data,
        )
    });
    let start = Instant::now();
    for figure in 1..5 {
        server.submit(&keys, figure);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(start.elapsed() < PATIENCE);
    server.until_logged("traces can't be sent");
    std::thread::sleep(POLL_INTERVAL);
    let stopping = Instant::now();
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(stopping.elapsed() < Duration::from_secs(8), "{:?}", stopping.elapsed());
    assert!(!log.iter().any(|line| line.contains("traces can't be sent")), "{log:#?}");
}

#[test]
fn what_the_environment_asks_for_that_there_is_not_is_refused_at_the_start() {
    let folder = folder();
    let said = crate::refusal_to_serve(folder.path(), |command| {
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    });
    assert!(said.contains("OTEL_EXPORTER_OTLP_PROTOCOL: found `http/json`; allowed: grpc"), "{said}");
}

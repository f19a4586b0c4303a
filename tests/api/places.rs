//! Known callers at their worst: what they hold leaves a place to others, and what they send takes no more memory
//! than it may.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conspectus::net::Bounds;
use conspectus::rpc::Limits;
use conspectus::rpc::client::catalogue_service_client::CatalogueServiceClient;
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::stream_submissions_response::Result as StreamResult;
use conspectus::rpc::proto::{
    Area, CategoryRef, CreateKeyRequest, FigureColumns, GetPictureRequest, ListAreasRequest, Observation,
    PutCatalogueRequest, QueryAggregateRequest, Role, StreamSubmissionsRequest, StreamSubmissionsResponse,
    SubmitObservationsRequest, WatchPictureRequest, WatchPictureResponse,
};
use conspectus::server::Network;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, CONSTABULARY, HAMPSHIRE, TestApp, endpoint, figure, refusal_text, submission};
use crate::binary::Server;
use crate::binary::memory::memory_bytes;
use crate::identities::{self, Condition, authorization, with};
use crate::raw::{Call, call};

const CONTACTS: &str = "initial-contacts";
const YEAR: &str = "FY2021-22";
/// Much longer than anything here takes, and much shorter than a stream stays open.
const IN_TIME: Duration = Duration::from_secs(20);

async fn seeded(network: Network) -> TestApp {
    TestApp::seeded_with(identities::seed, network, |address| endpoint("http", address)).await
}

/// The credentials of identities that are made now.
async fn made<const N: usize>(app: &TestApp, role: Role, agency: &str) -> [String; N] {
    let operator = authorization("operator", Condition::Good).unwrap();
    let mut keys = KeyServiceClient::new(app.channel());
    let mut credentials = Vec::new();
    for n in 0..N {
        let request = CreateKeyRequest {
            identity: format!("one-of-many-{n}"),
            role: role.into(),
            agency: agency.to_owned(),
            ..CreateKeyRequest::default()
        };
        let secret = keys.create_key(with(request, &operator)).await.unwrap().into_inner().secret;
        credentials.push(format!("Bearer {secret}"));
    }
    credentials.try_into().unwrap()
}

/// Connections of its own, for many calls.
async fn channels(app: &TestApp, count: usize) -> Vec<Channel> {
    let mut channels = Vec::new();
    for _ in 0..count {
        channels.push(app.endpoint().connect().await.unwrap());
    }
    channels
}

/// An open stream of submissions.
struct Open {
    send: mpsc::Sender<StreamSubmissionsRequest>,
    answers: Streaming<StreamSubmissionsResponse>,
}

impl Open {
    async fn by(authorization: &str, channel: &Channel) -> Result<Self, Status> {
        let (send, messages) = mpsc::channel(1);
        let mut client = SubmissionServiceClient::new(channel.clone());
        let answers = client.stream_submissions(with(ReceiverStream::new(messages), authorization)).await?.into_inner();
        Ok(Self { send, answers })
    }

    /// Sends one, and waits for its answer: `OK`, or the refusal.
    async fn ask(&mut self, submission: SubmitObservationsRequest) -> String {
        let request_id = submission.request_id.clone();
        self.send.send(StreamSubmissionsRequest { submission: Some(submission) }).await.unwrap();
        let answer = tokio::time::timeout(IN_TIME, self.answers.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(answer.request_id, request_id);
        match answer.result.unwrap() {
            StreamResult::Accepted(_) => "OK".to_owned(),
            StreamResult::Refused(refusal) => {
                let fields = refusal.violations.iter().map(|it| format!(" {}: {}", it.field, it.description));
                format!("{:?} {}{}", Code::from(refusal.code), refusal.reason, fields.collect::<String>())
            }
        }
    }
}

#[tokio::test]
async fn idle_streams_of_a_few_leave_the_bulk_lane_to_everybody_else() {
    let app = seeded(Network::default()).await;
    let few: [String; 5] = made(&app, Role::Submitter, CHILDRENS_SERVICES).await;
    let mut open = Vec::new();
    for (authorization, most) in few.iter().zip([16, 16, 16, 16, 2]) {
        let refused = loop {
            match Open::by(authorization, &app.channel()).await {
                Ok(stream) => open.push((authorization, stream)),
                Err(refused) => break refused,
            }
        };
        assert!(refusal_text(&refused).starts_with("ResourceExhausted TOO_MANY_STREAMS"), "{refused:?}");
        assert!(refused.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some()));
        assert_eq!(open.iter().filter(|(of, _)| *of == authorization).count(), most);
    }
    let submitter = authorization("submitter", Condition::Good).unwrap();
    let mut stream = Open::by(&submitter, &app.channel()).await.unwrap();
    assert_eq!(stream.ask(submission("one", [figure(CONTACTS, YEAR, "5")])).await, "OK");
}

#[tokio::test]
async fn watches_of_a_few_leave_watching_to_everybody_else() {
    let app = seeded(Network::default()).await;
    let few: [String; 5] = made(&app, Role::Analyst, "").await;
    let channels = channels(&app, 5).await;
    let watch = async |authorization: &str, channel: &Channel| -> Result<Streaming<WatchPictureResponse>, Status> {
        let area = HAMPSHIRE.to_owned();
        let picture = Some(GetPictureRequest { area, period: YEAR.to_owned(), ..GetPictureRequest::default() });
        let request = WatchPictureRequest { picture, after_revision: 0, after_time: None };
        Ok(PictureServiceClient::new(channel.clone()).watch_picture(with(request, authorization)).await?.into_inner())
    };
    let mut open = Vec::new();
    for ((authorization, channel), most) in few.iter().zip(&channels).zip([64, 64, 64, 64, 4]) {
        let refused = loop {
            match watch(authorization, channel).await {
                Ok(stream) => open.push((authorization, stream)),
                Err(refused) => break refused,
            }
        };
        assert!(refusal_text(&refused).starts_with("ResourceExhausted TOO_MANY_WATCHERS"), "{refused:?}");
        assert_eq!(open.iter().filter(|(of, _)| *of == authorization).count(), most);
    }
    let analyst = authorization("analyst", Condition::Good).unwrap();
    let mut watched = watch(&analyst, &app.channel()).await.unwrap();
    assert!(tokio::time::timeout(IN_TIME, watched.message()).await.unwrap().unwrap().unwrap().snapshot);
}

#[tokio::test]
async fn open_calls_of_a_few_leave_calls_to_everybody_else() {
    let limits = Limits { calls_max: 8, calls_of_identity_max: 4, calls_kept_of_identity: 2, ..Limits::default() };
    let app = seeded(Network { limits, ..Network::default() }).await;
    let few: [String; 3] = made(&app, Role::Submitter, CHILDRENS_SERVICES).await;
    let mut open = Vec::new();
    for (authorization, reason) in few.iter().zip(["RATE_LIMITED", "RATE_LIMITED", "OVERLOADED"]) {
        let refused = loop {
            match Open::by(authorization, &app.channel()).await {
                Ok(stream) => open.push(stream),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused.get_details_error_info().unwrap().reason, reason);
    }
    assert_eq!(open.len(), 10);
    let steward = authorization("steward", Condition::Good).unwrap();
    let mut catalogue = CatalogueServiceClient::new(app.channel());
    catalogue.list_areas(with(ListAreasRequest::default(), &steward)).await.unwrap();
}

#[tokio::test]
async fn connections_of_a_few_leave_connections_to_everybody_else() {
    let bounds = Bounds {
        connections_max: 16,
        connections_of_identity_max: 8,
        connections_kept_of_identity: 1,
        ..Bounds::default()
    };
    let app = seeded(Network { bounds, ..Network::default() }).await;
    let few: [String; 3] = made(&app, Role::Submitter, CHILDRENS_SERVICES).await;
    let call_once = async |authorization: &str| -> Result<Channel, Status> {
        // What is too much is closed: at once, or when another comes.
        let channel = app.endpoint().connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut catalogue = CatalogueServiceClient::new(channel.clone());
        catalogue.list_areas(with(ListAreasRequest::default(), authorization)).await?;
        Ok(channel)
    };
    let mut open = Vec::new();
    for authorization in &few {
        for _ in 0..20 {
            open.extend(call_once(authorization).await);
        }
    }
    // Three quarters, one of them the test's own, and one more that is kept for the last of them.
    assert_eq!(open.len(), 12);
    let steward = authorization("steward", Condition::Good).unwrap();
    call_once(&steward).await.unwrap();
}

/// A connection that begins to speak HTTP/2, and over which nobody calls.
async fn silent(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answered = [0; 9];
    stream.read_exact(&mut answered).await.unwrap();
    stream
}

async fn is_closed(mut stream: TcpStream) -> bool {
    let closed = async { while stream.read(&mut [0; 1_024]).await.is_ok_and(|bytes| bytes > 0) {} };
    tokio::time::timeout(IN_TIME, closed).await.is_ok()
}

#[tokio::test]
async fn a_connection_over_which_nobody_calls_is_closed_after_a_while_or_for_another() {
    // Longer than a start takes, over whose connection nobody calls either.
    let bounds = Bounds { unknown_timeout: IN_TIME / 2, ..Bounds::default() };
    let app = seeded(Network { bounds, ..Network::default() }).await;
    assert!(is_closed(silent(app.address()).await).await, "after a while");
    let bounds = Bounds { connections_max: 2, ..Bounds::default() };
    let app = seeded(Network { bounds, ..Network::default() }).await;
    let first = silent(app.address()).await;
    let _others = [silent(app.address()).await, silent(app.address()).await];
    assert!(is_closed(first).await, "for another");
}

#[tokio::test]
async fn a_stream_that_brings_nothing_for_a_while_is_ended_and_says_why() {
    const IDLE_TIMEOUT: Duration = Duration::from_millis(1_500);
    let limits = Limits { stream_idle_timeout: IDLE_TIMEOUT, ..Limits::default() };
    let app = seeded(Network { limits, ..Network::default() }).await;
    let submitter = authorization("submitter", Condition::Good).unwrap();
    let mut stream = Open::by(&submitter, &app.channel()).await.unwrap();
    // As long as it brings something it stays.
    let begun = Instant::now();
    while begun.elapsed() < IDLE_TIMEOUT * 4 / 3 {
        assert_eq!(stream.ask(submission("one", [figure(CONTACTS, YEAR, "5")])).await, "OK");
    }
    let ended = tokio::time::timeout(IN_TIME, stream.answers.message()).await.unwrap().unwrap_err();
    assert_eq!(
        refusal_text(&ended),
        "DeadlineExceeded STREAM_IDLE: no submission came for 1.5 seconds; open another stream when there is one"
    );
}

/// Columns of Hampshire's initial contacts, with what they add to a stream's dictionaries.
fn columns(periods: &[&str], period: u32) -> FigureColumns {
    FigureColumns {
        periods: periods.iter().map(|text| (*text).to_owned()).collect(),
        period: vec![period],
        digits: vec![5],
        ..FigureColumns::default()
    }
}

fn of_columns(request_id: &str, columns: FigureColumns) -> SubmitObservationsRequest {
    SubmitObservationsRequest { columns: Some(columns), ..submission(request_id, []) }
}

#[tokio::test]
async fn a_submission_that_is_not_permitted_or_too_long_is_answered_for_itself_and_the_stream_goes_on() {
    let app = seeded(Network::default()).await;
    let submitter = authorization("submitter", Condition::Good).unwrap();
    let mut stream = Open::by(&submitter, &app.channel()).await.unwrap();
    let first = FigureColumns {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        ..columns(&[YEAR], 0)
    };
    let others = SubmitObservationsRequest { agency: CONSTABULARY.to_owned(), ..of_columns("others", first) };
    assert_eq!(stream.ask(others).await, "PermissionDenied PERMISSION_DENIED");
    // Its dictionaries are part of the stream all the same, so that indexes stay what their sender means.
    assert_eq!(stream.ask(of_columns("two", columns(&["FY2020-21"], 1))).await, "OK");
    let too_long = FigureColumns { digits: vec![1; 10_001], ..columns(&["FY2019-20"], 2) };
    assert_eq!(
        stream.ask(of_columns("three", too_long.clone())).await,
        "InvalidArgument INVALID_REQUEST columns.digits: found more than 10000; allowed: 10000 at the most"
    );
    assert_eq!(stream.ask(of_columns("four", columns(&[], 2))).await, "OK");
    let too_long = SubmitObservationsRequest { agency: CONSTABULARY.to_owned(), ..of_columns("five", too_long) };
    assert_eq!(stream.ask(too_long).await, "PermissionDenied PERMISSION_DENIED");
    assert_eq!(stream.ask(submission("six", [figure(CONTACTS, YEAR, "6")])).await, "OK");
}

#[tokio::test]
async fn large_submissions_whose_answers_nobody_takes_are_held_up_by_their_bytes() {
    const SENT: usize = 30;
    let app = seeded(Network::default()).await;
    let submitter = authorization("submitter", Condition::Good).unwrap();
    let observations = vec![Observation { note: "n".repeat(490), ..figure(CONTACTS, "2022", "5") }; 6_000];
    let large = submission("large", observations);
    // Windows so small that few answers fit between the server and a reader who doesn't read.
    let endpoint = app.endpoint().initial_stream_window_size(1_024).initial_connection_window_size(64 << 10);
    let Open { send, mut answers } = Open::by(&submitter, &endpoint.connect().await.unwrap()).await.unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for _ in 0..SENT {
            send.send(StreamSubmissionsRequest { submission: Some(large.clone()) }).await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    // It stops by itself, well before all are taken.
    let mut last = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = sent.load(Ordering::Relaxed);
        if now > 0 && now == last {
            break;
        }
        last = now;
    }
    assert!(last < SENT * 2 / 3, "{last} of {SENT} were taken from a sender who reads nothing");
    for _ in 0..SENT {
        let answer = tokio::time::timeout(IN_TIME, answers.message()).await.unwrap().unwrap().unwrap();
        assert!(matches!(answer.result, Some(StreamResult::Refused(_))));
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn items_are_counted_before_they_are_decoded_whatever_the_message() {
    let app = TestApp::with_catalogue().await;
    let submitted = |observations| SubmitObservationsRequest { observations, ..submission("x", []) }.encode_to_vec();
    let of_columns = |columns| of_columns("x", columns).encode_to_vec();
    let many = 1_000_000;
    let texts = vec![String::new(); many];
    let categories = Observation { breakdown: vec![CategoryRef::default(); many], ..Observation::default() };
    for (method, message, refused) in [
        (
            "SubmissionService/SubmitObservations",
            submitted(vec![Observation::default(); many]),
            "observations: found more than 10000; allowed: 10000 at the most",
        ),
        (
            "SubmissionService/SubmitObservations",
            submitted(vec![categories]),
            "observations.breakdown: found more than 100000; allowed: 100000 at the most",
        ),
        (
            "SubmissionService/SubmitObservations",
            of_columns(FigureColumns { markers: vec![0; many], ..FigureColumns::default() }),
            "columns.markers: found more than 10000; allowed: 10000 at the most",
        ),
        (
            "SubmissionService/SubmitObservations",
            of_columns(FigureColumns { breakdowns: texts.clone(), ..FigureColumns::default() }),
            "columns.breakdowns: found more than 65536; allowed: 65536 at the most",
        ),
        (
            "CatalogueService/PutCatalogue",
            PutCatalogueRequest { areas: vec![Area::default(); many], ..PutCatalogueRequest::default() }
                .encode_to_vec(),
            "areas: found more than 10000; allowed: 10000 at the most",
        ),
        (
            "PictureService/QueryAggregate",
            QueryAggregateRequest { areas: texts[..250_000].to_vec(), ..QueryAggregateRequest::default() }
                .encode_to_vec(),
            "areas: found more than 200000; allowed: 200000 at the most",
        ),
    ] {
        let status = call(Call::to(&app, method, message)).await.unwrap_err();
        assert_eq!(refusal_text(&status), format!("InvalidArgument INVALID_REQUEST\n  {refused}"), "{method}");
    }
}

#[tokio::test]
async fn large_submissions_that_never_end_leave_large_ones_to_others() {
    const CALLS_OF_EACH: usize = 8;
    let app = seeded(Network::default()).await;
    let few: [String; 8] = made(&app, Role::Submitter, CHILDRENS_SERVICES).await;
    let large = SubmitObservationsRequest {
        observations: vec![Observation { note: "n".repeat(490), ..figure(CONTACTS, "2022", "5") }; 6_000],
        ..submission("large", [])
    };
    let message = large.encode_to_vec();
    assert!(message.len() > 3 << 20);
    let whole = Bytes::from([&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat());
    // Half of them never send the last byte, the others never end the call.
    let (begun, mut all_begun) = mpsc::channel(1);
    let mut stalled = JoinSet::new();
    for authorization in &few {
        for n in 0..CALLS_OF_EACH {
            let (address, authorization, begun) = (app.address(), authorization.clone(), begun.clone());
            let sent = whole.slice(..whole.len() - n % 2);
            stalled.spawn(async move { stall(address, &authorization, sent, begun).await });
        }
    }
    drop(begun);
    while all_begun.recv().await.is_some() {}
    let submitter = authorization("submitter", Condition::Good).unwrap();
    let mut client = SubmissionServiceClient::new(app.endpoint().connect().await.unwrap());
    for _ in 0..5 {
        let refused = client.submit_observations(with(large.clone(), &submitter));
        let refused = tokio::time::timeout(IN_TIME, refused).await.unwrap().unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "INVALID_REQUEST", "{refused:?}");
    }
}

/// Begins a submission and never ends it.
async fn stall(address: SocketAddr, authorization: &str, sent: Bytes, begun: mpsc::Sender<()>) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let uri = format!("http://{address}/conspectus.v1.SubmissionService/SubmitObservations");
    let request = http::Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    let request = request.header("authorization", authorization).body(()).unwrap();
    let (answer, mut body) = send.ready().await.unwrap().send_request(request, false).unwrap();
    body.send_data(sent, false).unwrap();
    drop(begun);
    let _ = answer.await;
    driver.abort();
}

#[tokio::test]
async fn forty_submissions_of_empty_observations_at_once_take_little_memory() {
    const AT_ONCE: usize = 40;
    const GROWTH_BYTES_MAX: u64 = 100 << 20;
    let folder = tempfile::tempdir().unwrap();
    let (server, variables) = Server::start_demo(folder.path()).await;
    let key = |name: &str| format!("Bearer {}", variables.iter().find(|(known, _)| known == name).unwrap().1);
    let submitter = key("CONSPECTUS_KEY_HAMPSHIRE_CONSTABULARY");
    let message = SubmitObservationsRequest {
        agency: CONSTABULARY.to_owned(),
        request_id: "hostile".to_owned(),
        observations: vec![Observation::default(); 1_900_000],
        ..SubmitObservationsRequest::default()
    };
    let message = message.encode_to_vec();
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    let before = memory_bytes(server.id(), "VmRSS");
    let mut calls = JoinSet::new();
    let start = Instant::now();
    for _ in 0..AT_ONCE {
        let (endpoint, message, authorization) = (endpoint.clone(), message.clone(), Some(submitter.clone()));
        calls.spawn(async move {
            let channel = endpoint.connect().await.unwrap();
            let path = "/conspectus.v1.SubmissionService/SubmitObservations".parse().unwrap();
            call(Call { channel, path, message, authorization, purpose: None }).await.unwrap_err()
        });
    }
    for refused in calls.join_all().await {
        let expected =
            "InvalidArgument INVALID_REQUEST\n  observations: found more than 10000; allowed: 10000 at the most";
        assert_eq!(refusal_text(&refused), expected);
    }
    let (elapsed, grown) = (start.elapsed(), memory_bytes(server.id(), "VmHWM").saturating_sub(before));
    println!("{AT_ONCE} of {} bytes: {} MiB more at the most, in {elapsed:?}", message.len(), grown >> 20);
    assert!(grown < GROWTH_BYTES_MAX, "{} MiB more", grown >> 20);
}

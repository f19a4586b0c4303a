//! Questions that take long to answer, and what others notice of them: nothing. In the world of these tests the
//! dearest question takes seconds; in a release build a twentieth of that.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use conspectus::rpc::Limits;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::proto::{GetHistoryRequest, GroupBy, PeriodRange, QueryAggregateRequest, WatchAggregateRequest};
use conspectus::server::{Config, Network};
use h2::client::SendRequest;
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tonic::codegen::http;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::app::{HAMPSHIRE, TestApp, endpoint, health, refusal_text};
use crate::binary::Server;
use crate::identities::{Condition, PURPOSE, authorization, by};
use crate::world::{self, OTHER_ANALYST, World, cheap, dearest};

const WORLD: World = World { districts: 40, wards: 10 };
const ANALYSTS: [&str; 2] = ["analyst", OTHER_ANALYST];

/// A server with few threads that compute, and these limits besides.
async fn app(limits: Limits) -> TestApp {
    let limits = Limits { computing_max: 1, computing_of_identity_max: 1, ..limits };
    let network = Network { limits, ..Network::default() };
    let seed = async |folder: &Path| WORLD.seed(folder).await;
    TestApp::seeded_with(seed, network, |address| endpoint("http", address)).await
}

async fn ask(channel: Channel, name: &str, question: QueryAggregateRequest) -> Result<usize, Status> {
    let answer = PictureServiceClient::new(channel).query_aggregate(by(name, question)).await?;
    Ok(answer.into_inner().rows.len())
}

/// What takes a turn on a thread that computes, and not long.
fn middling() -> QueryAggregateRequest {
    QueryAggregateRequest {
        comparison: 0,
        year_to_date: false,
        period_range: Some(PeriodRange { first: "2021-01".to_owned(), last: "2021-03".to_owned() }),
        ..dearest()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_cheap_questions_are_answered_at_once_while_the_dearest_are_computed() {
    /// Far below what a dear answer takes, and far above what a cheap one does on a busy machine.
    const AT_ONCE: Duration = Duration::from_millis(1_000);
    let app = app(Limits::default()).await;
    let mut dear = JoinSet::new();
    for name in ANALYSTS.into_iter().cycle().take(6) {
        dear.spawn(ask(app.channel(), name, dearest()));
    }
    let mut took = Vec::new();
    for name in ANALYSTS.into_iter().cycle().take(100) {
        let begun = Instant::now();
        health(&app.channel(), "").await;
        took.push(begun.elapsed());
        let begun = Instant::now();
        ask(app.channel(), name, cheap()).await.unwrap();
        took.push(begun.elapsed());
    }
    while dear.try_join_next().is_some() {}
    assert!(!dear.is_empty(), "dear ones were computed all the while");
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!("p50 {:?}, p99 {:?}, the longest {:?}", at(50), at(99), at(100));
    assert!(at(100) < AT_ONCE, "{:?}", at(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_waits_for_is_not_computed_any_more() {
    let app = app(Limits::default()).await;
    let begun = Instant::now();
    ask(app.channel(), "analyst", dearest()).await.unwrap();
    let dear = begun.elapsed();
    // A caller that goes away while its answer is computed, and one whose time is up then. There is one thread to
    // compute, so whoever asks next would wait for the rest of it.
    for is_reset in [true, false] {
        let begun = Instant::now();
        let mut client = PictureServiceClient::new(app.channel());
        let mut request = by("analyst", dearest());
        let time = dear / 5;
        if is_reset {
            assert!(tokio::time::timeout(time, client.query_aggregate(request)).await.is_err());
        } else {
            request.set_timeout(time);
            let late = client.query_aggregate(request).await.unwrap_err();
            assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
        }
        ask(app.channel(), OTHER_ANALYST, middling()).await.unwrap();
        assert!(begun.elapsed() < dear * 4 / 5, "{:?} of {dear:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_within_its_bound_whatever_is_computed() {
    const DRAIN: Duration = Duration::from_secs(1);
    /// The program has to end, on a busy machine; what is left to compute takes far longer.
    const TO_END: Duration = Duration::from_secs(5);
    let folder = tempfile::tempdir().unwrap();
    WORLD.seed(folder.path()).await;
    let server = Server::start_with(folder.path(), &["--drain-seconds", "1"]).await.unwrap();
    let channel = Endpoint::from_shared(format!("http://{}", server.address())).unwrap().connect().await.unwrap();
    let mut asked = JoinSet::new();
    for name in ANALYSTS.into_iter().cycle().take(20) {
        asked.spawn(ask(channel.clone(), name, dearest()));
    }
    // All of them wait for their turns by now, or for the answer.
    ask(channel.clone(), "analyst", cheap()).await.unwrap();
    let took = server.terminate().await;
    assert!(took < DRAIN + TO_END, "{took:?}");
    let answered = asked.join_all().await.iter().filter(|answer| answer.is_ok()).count();
    assert!(answered < 20, "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_when_a_server_has_stopped_is_not_computed_to_its_end() {
    let mut app = app(Limits::default()).await;
    app.restart_with(|config| Config { drain_timeout: Duration::ZERO, ..config }).await;
    let channel = app.channel();
    let dear = tokio::spawn(ask(channel.clone(), "analyst", dearest()));
    // It has waited for its turn before this one's.
    ask(channel, "analyst", cheap()).await.unwrap();
    app.stop().await;
    assert!(dear.await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_much_work_is_refused_with_what_to_ask_less_of() {
    let app = app(Limits::default()).await;
    let months = Some(PeriodRange { first: "2000-01".to_owned(), last: "2040-12".to_owned() });
    let agencies = (0..WORLD.districts).map(world::agency).collect();
    let group_by = [GroupBy::Area, GroupBy::Period, GroupBy::Agency].map(i32::from).to_vec();
    let question = QueryAggregateRequest { period_range: months, agencies, group_by, ..dearest() };
    let refused = ask(app.channel(), "analyst", question).await.unwrap_err();
    let text = refusal_text(&refused);
    assert!(text.starts_with("InvalidArgument INVALID_REQUEST"), "{text}");
    let fields = refused.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<&str> = fields.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["areas", "periods", "agencies"]);
    for found in ["found 400;", "found 492;", "found 40;", "allowed: 20000000"] {
        assert!(text.contains(found), "{found} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_comes_in_pages_that_every_client_takes() {
    const REVISIONS: usize = 2_500;
    const CLIENT_BYTES_MAX: usize = 4 << 20;
    let seed = async |folder: &Path| world::seed_history(folder, REVISIONS).await;
    let app = TestApp::seeded_with(seed, Network::default(), |address| endpoint("http", address)).await;
    let request = |page_size: usize, page_token: String| GetHistoryRequest {
        indicator: "initial-contacts".to_owned(),
        agency: crate::app::CHILDRENS_SERVICES.to_owned(),
        area: HAMPSHIRE.to_owned(),
        period: "FY2021-22".to_owned(),
        page_size: i32::try_from(page_size).unwrap(),
        page_token,
        ..GetHistoryRequest::default()
    };
    let mut client = PictureServiceClient::new(app.channel());
    let mut histories = Vec::new();
    for page_size in [0, 700, 10_000] {
        let (mut items, mut pages, mut token, mut revisions) = (Vec::new(), Vec::new(), String::new(), Vec::new());
        loop {
            let page = client.get_history(by("analyst", request(page_size, token))).await.unwrap().into_inner();
            assert!(page.encoded_len() < CLIENT_BYTES_MAX);
            pages.push(page.items.len());
            revisions.push(page.revision);
            items.extend(page.items);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(items.len(), REVISIONS);
        assert!(revisions.iter().all(|revision| *revision == revisions[0]));
        match page_size {
            0 => assert_eq!(pages, [1_000, 1_000, 500]),
            700 => assert_eq!(pages, [700, 700, 700, 400]),
            _ => assert_eq!(pages.len(), 2, "a page ends where the next value would make it too large: {pages:?}"),
        }
        histories.push(items);
    }
    assert!(histories.iter().all(|items| *items == histories[0]));
    let foreign = GetHistoryRequest { period: "FY2020-21".to_owned(), ..request(0, "00".to_owned()) };
    let refused = client.get_history(by("analyst", foreign)).await.unwrap_err();
    assert!(refusal_text(&refused).contains("page_token: not a token of this query"));
}

/// A thousand rows.
fn wide() -> QueryAggregateRequest {
    QueryAggregateRequest { rate: false, rank: false, share: false, ..middling() }
}

/// Asks, and takes the head of the answer alone: the status, where it is a refusal.
/// A connection over which nothing of an answer is taken but its head.
async fn connect_without_taking(app: &TestApp) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(app.address()).await.unwrap();
    let (connection, driver) =
        h2::client::Builder::new().initial_window_size(1).handshake::<_, Bytes>(stream).await.unwrap();
    (connection, tokio::spawn(driver))
}

async fn ask_without_taking(
    connection: &SendRequest<Bytes>,
    method: &str,
    message: &impl Message,
) -> http::Response<h2::RecvStream> {
    let request = http::Request::post(format!("http://localhost/conspectus.v1.PictureService/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", authorization("analyst", Condition::Good).unwrap())
        .header("conspectus-purpose", PURPOSE)
        .body(())
        .unwrap();
    let message = message.encode_to_vec();
    let mut data = BytesMut::new();
    data.put_u8(0);
    data.put_u32(u32::try_from(message.len()).unwrap());
    data.put_slice(&message);
    let (answer, mut body) = connection.clone().ready().await.unwrap().send_request(request, false).unwrap();
    body.send_data(data.freeze(), true).unwrap();
    answer.await.unwrap()
}

/// Waits until a caller's answer isn't refused.
async fn until_answered(app: &TestApp, question: fn() -> QueryAggregateRequest) {
    let answered = async {
        while ask(app.channel(), "analyst", question()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap();
}

/// Few bytes that aren't taken, and how many of the wide answers they are.
async fn few_untaken() -> (TestApp, usize) {
    let limits =
        Limits { untaken_bytes_of_identity_max: 200 << 10, untaken_bytes_kept_of_identity: 0, ..Limits::default() };
    let app = app(limits.clone()).await;
    let mut client = PictureServiceClient::new(app.channel());
    let bytes = client.query_aggregate(by("analyst", wide())).await.unwrap().into_inner().encoded_len();
    let most = limits.untaken_bytes_of_identity_max / bytes;
    assert!((1..8).contains(&most), "{bytes}");
    (app, most)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_their_caller_does_not_take_are_bounded_and_others_are_answered() {
    let (app, most) = few_untaken().await;
    let (connection, driver) = connect_without_taking(&app).await;
    let mut untaken = Vec::new();
    for _ in 0..most {
        let answer = ask_without_taking(&connection, "QueryAggregate", &wide()).await;
        assert!(answer.headers().get("grpc-status").is_none(), "{answer:?}");
        untaken.push(answer);
    }
    let refused = ask_without_taking(&connection, "QueryAggregate", &wide()).await;
    let refused = Status::from_header_map(refused.headers()).unwrap();
    assert!(refusal_text(&refused).starts_with("ResourceExhausted RATE_LIMITED"), "{refused:?}");
    assert!(refused.get_details_retry_info().is_some());
    // Small answers of the same caller, and all of another, are none of that.
    ask(app.channel(), "analyst", cheap()).await.unwrap();
    ask(app.channel(), OTHER_ANALYST, wide()).await.unwrap();
    // Once the connection is gone, what it held is free.
    drop((untaken, connection));
    driver.abort();
    until_answered(&app, wide).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_watch_sends_counts_until_it_is_taken_and_waits_while_there_is_no_room() {
    let (app, most) = few_untaken().await;
    let watch = || WatchAggregateRequest { query: Some(wide()), ..WatchAggregateRequest::default() };
    let (connection, driver) = connect_without_taking(&app).await;
    let mut untaken = Vec::new();
    for _ in 0..most {
        untaken.push(ask_without_taking(&connection, "WatchAggregate", &watch()).await);
    }
    let refused = async {
        while ask(app.channel(), "analyst", wide()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), refused).await.expect("the watches send");

    let mut client = PictureServiceClient::new(app.channel());
    let mut waiting = client.watch_aggregate(by("analyst", watch())).await.unwrap().into_inner();
    let early = tokio::time::timeout(Duration::from_millis(600), waiting.message()).await;
    assert!(early.is_err(), "{early:?}");
    drop((untaken, connection));
    driver.abort();
    let first = tokio::time::timeout(Duration::from_secs(30), waiting.message()).await.unwrap().unwrap().unwrap();
    assert!(first.snapshot && !first.rows.is_empty());
    until_answered(&app, wide).await;
}

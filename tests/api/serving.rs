//! The server itself: health, reflection, stopping, starting again, history and pages.

use std::time::{Duration, Instant};

use conspectus::rpc::proto::{
    Agency, AggregateRow, GetAgencyRequest, GetIndicatorRequest, GetPictureRequest, GetPictureResponse, GroupBy,
    Indicator, ListAgenciesRequest, ListAreasRequest, ListDimensionsRequest, ListIndicatorsRequest, PeriodRange,
    PutCatalogueRequest, QueryAggregateRequest,
};
use conspectus::server::{self, Config};
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt;

use crate::app::{
    CHILDRENS_SERVICES, DRAIN_TIMEOUT, HAMPSHIRE, TestApp, catalogue, figure, health, outcome_texts, query, submission,
};
use crate::raw::submit_bytes;

const CONTACTS: &str = "initial-contacts";
const SERVICES: [&str; 5] = [
    "conspectus.v1.AuditService",
    "conspectus.v1.CatalogueService",
    "conspectus.v1.KeyService",
    "conspectus.v1.PictureService",
    "conspectus.v1.SubmissionService",
];

async fn picture(app: &TestApp, as_of_revision: i64) -> GetPictureResponse {
    let request = GetPictureRequest {
        area: "HIPS".to_owned(),
        period: "FY2021-22".to_owned(),
        as_of_revision,
        ..GetPictureRequest::default()
    };
    app.pictures().get_picture(request).await.unwrap().into_inner()
}

/// The picture as of an instant.
async fn picture_at(app: &TestApp, as_of_time: Option<prost_types::Timestamp>) -> GetPictureResponse {
    let request = GetPictureRequest {
        area: "HIPS".to_owned(),
        period: "FY2021-22".to_owned(),
        as_of_time,
        ..GetPictureRequest::default()
    };
    app.pictures().get_picture(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_compressed_request_is_refused_with_a_reason() {
    let app = TestApp::with_catalogue().await;
    let request = |encoding: &str| {
        let mut request = tonic::Request::new(GetPictureRequest {
            area: "HIPS".to_owned(),
            period: "FY2021-22".to_owned(),
            ..GetPictureRequest::default()
        });
        request.metadata_mut().insert("grpc-encoding", encoding.parse().unwrap());
        request
    };
    let refusal = app.pictures().get_picture(request("gzip")).await.unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.message()),
        (Code::Unimplemented, "the messages are compressed; send them as they are")
    );
    assert_eq!(refusal.get_details_error_info().unwrap().reason, "UNIMPLEMENTED");
    assert_eq!(refusal.metadata().get("grpc-accept-encoding").unwrap(), "identity");
    app.pictures().get_picture(request("identity")).await.unwrap();
}

#[tokio::test]
async fn each_service_is_serving_once_the_server_is() {
    let app = TestApp::empty().await;
    for service in SERVICES.iter().chain(&[""]) {
        assert_eq!(health(&app.channel(), service).await, ServingStatus::Serving, "{service:?}");
    }
    let unknown = HealthCheckRequest { service: "conspectus.v1.Nothing".to_owned() };
    let refusal = HealthClient::new(app.channel()).check(unknown).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let app = TestApp::empty().await;
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut client = ServerReflectionClient::new(app.channel());
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
    let mut names: Vec<_> = listed.service.into_iter().map(|service| service.name).collect();
    names.sort();
    let expect = [SERVICES.as_slice(), &["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]].concat();
    assert_eq!(names, expect);
}

#[tokio::test]
async fn a_call_that_is_open_when_the_server_stops_is_answered() {
    let mut app = TestApp::with_catalogue().await;
    let (send, message) = tokio::sync::mpsc::channel(1);
    let message = tokio_stream::wrappers::ReceiverStream::new(message);
    let call = tokio::spawn(submit_bytes(app.channel(), message));
    // The call is at the server, and its message is not.
    health(&app.channel(), "").await;
    let idle = app.endpoint().connect().await.unwrap();
    let ended = app.begin_stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!ended.is_finished());

    let request = submission("late", [figure(CONTACTS, "FY2021-22", "5")]);
    send.send(request.encode_to_vec()).await.unwrap();
    drop(send);
    let receipt = call.await.unwrap().unwrap().into_inner().receipt.unwrap();
    assert_eq!(outcome_texts(&receipt), ["new"]);
    let start = Instant::now();
    ended.await.unwrap().unwrap();
    assert!(start.elapsed() < DRAIN_TIMEOUT / 2, "an idle connection delays nothing");
    drop(idle);
}

#[tokio::test]
async fn a_watcher_of_health_learns_of_the_stop_and_does_not_delay_it() {
    let mut app = TestApp::empty().await;
    let mut watched = HealthClient::new(app.channel()).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let start = Instant::now();
    app.stop().await;
    assert!(start.elapsed() < DRAIN_TIMEOUT / 2, "{:?}", start.elapsed());
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watched.next().await.is_none());
}

#[tokio::test]
async fn what_stays_open_is_cut_off_at_the_deadline() {
    let drain_timeout = Duration::from_millis(400);
    let mut app = TestApp::start(false, drain_timeout).await;
    let (asks, questions) = tokio::sync::mpsc::channel::<ServerReflectionRequest>(1);
    let questions = tokio_stream::wrappers::ReceiverStream::new(questions);
    let stream = ServerReflectionClient::new(app.channel()).server_reflection_info(questions).await.unwrap();
    let mut waits = GetPictureRequest { area: "HIPS".to_owned(), period: "FY2021-22".to_owned(), ..Default::default() };
    waits.min_revision = 1_000;
    let mut pictures = app.pictures();
    let waiting = tokio::spawn(async move { pictures.get_picture(waits).await });
    health(&app.channel(), "").await;

    let start = Instant::now();
    app.stop().await;
    let took = start.elapsed();
    assert!((drain_timeout..drain_timeout * 3).contains(&took), "{took:?}");
    drop((stream, asks, waiting));
}

#[tokio::test]
async fn a_server_whose_calls_may_take_for_ever_to_end_stops() {
    let mut app = TestApp::start(false, Duration::MAX).await;
    app.stop().await;
}

#[tokio::test]
async fn a_server_that_is_started_again_gives_the_same_bytes() {
    let mut app = TestApp::with_demo().await;
    let before = picture(&app, 0).await;
    let bytes = before.encode_to_vec();
    assert!(bytes.len() > 10_000);
    app.restart().await;
    assert_eq!(picture_at(&app, before.as_of).await.encode_to_vec(), bytes);
}

#[tokio::test]
async fn a_small_answer_is_not_held_back() {
    let app = TestApp::with_catalogue().await;
    let request = submission("one", [figure(CONTACTS, "FY2021-22", "5")]);
    app.receipt(request.clone()).await;
    let start = Instant::now();
    for _ in 0..40 {
        app.receipt(request.clone()).await;
    }
    // Nagle's algorithm would hold many of them back for 40 ms.
    assert!(start.elapsed() < Duration::from_millis(800), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_in_plain_words() {
    let app = TestApp::empty().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config { drain_timeout: DRAIN_TIMEOUT, ..Config::new(app.folder()) };
    let refusal = server::run(listener, config, std::future::pending()).await.unwrap_err();
    assert_eq!(refusal.to_string(), format!("{} is in use by another process", app.folder().display()));
}

#[tokio::test]
async fn every_earlier_revision_answers_as_it_did() {
    let mut app = TestApp::with_catalogue().await;
    let indicator = catalogue().indicators.into_iter().find(|indicator| indicator.id == CONTACTS).unwrap();
    let renamed = |title: &str| Indicator { title: title.to_owned(), ..indicator.clone() };
    let version = |from: &str| Indicator {
        effective_from: from.to_owned(),
        breaks_comparability: true,
        ..renamed("Contacts, counted otherwise")
    };
    let put = |indicator| PutCatalogueRequest { indicators: vec![indicator], ..PutCatalogueRequest::default() };

    let mut pictures = vec![picture(&app, 0).await];
    let mut indicators = Vec::new();
    for step in 0..6 {
        match step {
            0 => drop(app.receipt(submission("one", [figure(CONTACTS, "FY2021-22", "5")])).await),
            1 => drop(app.receipt(submission("two", [figure(CONTACTS, "FY2020-21", "4")])).await),
            2 => drop(app.catalogue().put_catalogue(put(renamed("Contacts"))).await.unwrap()),
            3 => drop(app.receipt(submission("three", [figure(CONTACTS, "FY2021-22", "6")])).await),
            4 => drop(app.catalogue().put_catalogue(put(version("2021-04-01"))).await.unwrap()),
            _ => {
                let boundary = PutCatalogueRequest {
                    areas: catalogue()
                        .areas
                        .into_iter()
                        .filter(|area| area.code == HAMPSHIRE)
                        .map(|mut area| {
                            area.parents.clear();
                            area
                        })
                        .collect(),
                    ..PutCatalogueRequest::default()
                };
                drop(app.catalogue().put_catalogue(boundary).await.unwrap());
            }
        }
        pictures.push(picture(&app, 0).await);
        let request = GetIndicatorRequest { id: CONTACTS.to_owned(), as_of_revision: 0, ..Default::default() };
        indicators.push(app.catalogue().get_indicator(request).await.unwrap().into_inner());
    }
    assert!(pictures.windows(2).all(|pair| pair[0].rows != pair[1].rows), "each step changes the picture");
    assert_eq!(indicators.last().unwrap().versions.len(), 2);
    for _ in 0..2 {
        for before in &pictures {
            assert_eq!(picture_at(&app, before.as_of).await, *before);
            assert_eq!(picture(&app, before.revision).await.rows, before.rows);
        }
        for before in &indicators {
            let request =
                GetIndicatorRequest { id: CONTACTS.to_owned(), as_of_revision: before.revision, ..Default::default() };
            assert_eq!(app.catalogue().get_indicator(request).await.unwrap().get_ref(), before);
        }
        app.restart().await;
    }
    let request = GetAgencyRequest { id: "new".to_owned(), as_of_revision: 1 };
    app.catalogue().put_catalogue(agencies([agency("new")])).await.unwrap();
    assert_eq!(app.catalogue().get_agency(request).await.unwrap_err().code(), tonic::Code::NotFound);
}

fn agency(id: &str) -> Agency {
    Agency { id: id.to_owned(), name: id.to_owned(), sector: 6, areas: vec![HAMPSHIRE.to_owned()] }
}

fn agencies(agencies: impl Into<Vec<Agency>>) -> PutCatalogueRequest {
    PutCatalogueRequest { agencies: agencies.into(), ..PutCatalogueRequest::default() }
}

/// The keys on all pages of a list, the agency `aa-…` being put between each two of them.
macro_rules! keys_of_pages {
    ($app:expr, $method:ident, $Request:ident, $items:ident, $key:ident, $page_size:expr) => {{
        let mut keys = Vec::new();
        let mut revisions = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = $Request { page_size: $page_size, page_token, as_of_revision: 0 };
            let page = $app.catalogue().$method(request).await.unwrap().into_inner();
            keys.extend(page.$items.into_iter().map(|item| item.$key));
            revisions.push(page.revision);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
            let between = [agency(&format!("zz-{}-{}", stringify!($method).replace('_', "-"), keys.len()))];
            $app.catalogue().put_catalogue(agencies(between)).await.unwrap();
        }
        assert!(revisions.iter().all(|revision| *revision == revisions[0]), "{revisions:?}");
        keys
    }};
}

#[tokio::test]
async fn the_pages_of_a_list_agree_though_writes_come_between() {
    let app = TestApp::with_catalogue().await;
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    let known = catalogue();
    let all = sorted(known.agencies.into_iter().map(|agency| agency.id).collect());
    assert_eq!(keys_of_pages!(app, list_agencies, ListAgenciesRequest, agencies, id, 3), all);
    let all = sorted(known.areas.into_iter().map(|area| area.code).collect());
    assert_eq!(keys_of_pages!(app, list_areas, ListAreasRequest, areas, code, 8), all);
    let all = sorted(known.dimensions.into_iter().map(|dimension| dimension.id).collect());
    assert_eq!(keys_of_pages!(app, list_dimensions, ListDimensionsRequest, dimensions, id, 2), all);
    let mut all = sorted(known.indicators.into_iter().map(|indicator| indicator.id).collect());
    all.dedup(); // One of them has two versions.
    assert_eq!(keys_of_pages!(app, list_indicators, ListIndicatorsRequest, indicators, id, 7), all);
}

#[tokio::test]
async fn the_pages_of_an_answer_agree_though_writes_come_between() {
    let app = TestApp::with_demo().await;
    let range = PeriodRange { first: "FY2015-16".to_owned(), last: "FY2021-22".to_owned() };
    let whole = QueryAggregateRequest {
        period_range: Some(range),
        ..query([CONTACTS, "referrals", "missing-episodes"], [], [GroupBy::Indicator, GroupBy::Period, GroupBy::Agency])
    };
    let expect = app.query(whole.clone()).await;
    assert!(expect.len() > 10, "{}", expect.len());
    for page_size in [1, 4, 1_000] {
        let before = app.try_query(whole.clone()).await.unwrap();
        let mut rows: Vec<AggregateRow> = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = app.try_query(QueryAggregateRequest { page_size, page_token, ..whole.clone() }).await.unwrap();
            assert_eq!(page.revision, before.revision);
            rows.extend(page.rows);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
            let between = [figure(CONTACTS, "FY2014-15", "1"), figure(CONTACTS, "FY2021-22", &rows.len().to_string())];
            app.receipt(submission(&format!("between-{page_size}-{}", rows.len()), between)).await;
        }
        assert_eq!(rows, before.rows, "{page_size} rows a page");
    }
    assert_eq!(expect[0].agency, CHILDRENS_SERVICES);
}

#[tokio::test]
async fn a_server_that_may_drain_for_ever_stops_once_its_calls_have_ended() {
    let mut app = TestApp::start(false, Duration::MAX).await;
    app.stop().await;
}

//! Streams that say when an answer changed.

use std::time::Duration;

use conspectus::rpc::proto::{
    AggregateRow, GetPictureRequest, GroupBy, QueryAggregateRequest, WatchAggregateRequest, WatchAggregateResponse,
    WatchPictureRequest, WatchPictureResponse, WithdrawSubmissionRequest,
};
use tonic::Streaming;
use tonic_types::StatusExt;

use crate::app::{TestApp, figure, query, submission};

fn picture(after_revision: i64) -> WatchPictureRequest {
    let picture = GetPictureRequest {
        area: "E10000014".to_owned(),
        period: "2021/22".to_owned(),
        ..GetPictureRequest::default()
    };
    WatchPictureRequest { picture: Some(picture), after_revision, after_time: None }
}

async fn next<T>(stream: &mut Streaming<T>) -> T {
    let message = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
    message.expect("a message comes in time").unwrap().expect("the stream goes on")
}

fn texts(message: &WatchPictureResponse) -> Vec<String> {
    let rows = message.rows.iter().map(|row| {
        let combined = row.combined.clone().unwrap_or_default();
        format!("{} {}", row.indicator.as_ref().unwrap().id, combined.value.unwrap_or_default())
    });
    rows.chain(message.removed_indicators.iter().map(|id| format!("{id} gone"))).collect()
}

#[tokio::test]
async fn a_watcher_gets_the_whole_picture_and_then_its_changes() {
    let app = TestApp::with_catalogue().await;
    let mut stream = app.pictures().watch_picture(picture(0)).await.unwrap().into_inner();
    let whole = next(&mut stream).await;
    assert!(whole.snapshot && whole.period == "FY2021-22");

    let receipt = app.receipt(submission("one", [figure("initial-contacts", "FY2021-22", "153033")])).await;
    let changed = next(&mut stream).await;
    assert_eq!(
        (changed.snapshot, changed.revision, texts(&changed)),
        (false, receipt.revision, vec!["initial-contacts 153033".to_owned()])
    );

    // A write that changes nothing of the picture is passed over.
    app.receipt(submission("two", [figure("initial-contacts", "FY2015-16", "77934")])).await;
    let receipt = app.receipt(submission("three", [figure("referrals", "FY2021-22", "60761")])).await;
    let changed = next(&mut stream).await;
    assert_eq!((changed.revision, texts(&changed)), (receipt.revision, vec!["referrals 60761".to_owned()]));
}

#[tokio::test]
async fn a_watcher_resumes_after_the_revision_that_it_had() {
    let app = TestApp::with_catalogue().await;
    let first = app.receipt(submission("one", [figure("initial-contacts", "FY2021-22", "1")])).await.revision;
    app.receipt(submission("two", [figure("initial-contacts", "FY2021-22", "2")])).await;
    app.receipt(submission("three", [figure("referrals", "FY2021-22", "3")])).await;

    let mut stream = app.pictures().watch_picture(picture(first)).await.unwrap().into_inner();
    let missed = next(&mut stream).await;
    assert!(!missed.snapshot);
    assert_eq!(texts(&missed), ["initial-contacts 2", "referrals 3"]);

    // Nothing was missed: nothing is sent until something changes.
    let mut stream = app.pictures().watch_picture(picture(missed.revision)).await.unwrap().into_inner();
    assert!(tokio::time::timeout(Duration::from_millis(200), stream.message()).await.is_err());
    let withdrawal = WithdrawSubmissionRequest {
        agency: "hampshire-childrens-services".to_owned(),
        request_id: "two".to_owned(),
        reason: "sent by mistake".to_owned(),
        validate_only: false,
    };
    app.submissions().withdraw_submission(withdrawal).await.unwrap();
    assert_eq!(texts(&next(&mut stream).await), ["initial-contacts 1"]);
}

fn row_texts(message: &WatchAggregateResponse) -> Vec<String> {
    let row = |row: &AggregateRow| {
        let value = row.figure.clone().unwrap_or_default().value.unwrap_or_default();
        format!("{} {value}", row.period)
    };
    message
        .rows
        .iter()
        .map(row)
        .chain(message.removed_rows.iter().map(|gone| format!("{} gone", gone.period)))
        .collect()
}

#[tokio::test]
async fn a_watched_query_sends_the_rows_that_changed() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("one", [figure("initial-contacts", "FY2020-21", "126153")])).await;
    let query: QueryAggregateRequest = query(["initial-contacts"], ["FY2020-21", "FY2021-22"], [GroupBy::Period]);
    let request = WatchAggregateRequest { query: Some(query), after_revision: 0, after_time: None };
    let mut stream = app.pictures().watch_aggregate(request).await.unwrap().into_inner();
    let whole = next(&mut stream).await;
    assert!(whole.snapshot);
    assert_eq!(row_texts(&whole), ["FY2020-21 126153", "FY2021-22 "]);
    app.receipt(submission("two", [figure("initial-contacts", "FY2021-22", "153033")])).await;
    assert_eq!(row_texts(&next(&mut stream).await), ["FY2021-22 153033"]);
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_before_the_stream_begins() {
    let app = TestApp::with_catalogue().await;
    let mut request = picture(99);
    request.picture.as_mut().unwrap().as_of_revision = 1;
    request.picture.as_mut().unwrap().area = "E99".to_owned();
    let refusal = app.pictures().watch_picture(request).await.unwrap_err();
    let fields: Vec<String> = refusal
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    assert_eq!(fields, ["after_revision", "picture.as_of_revision", "picture.area"]);
}

#[tokio::test]
async fn a_watcher_learns_that_the_server_stops_and_does_not_delay_it() {
    let mut app = TestApp::with_catalogue().await;
    let mut stream = app.pictures().watch_picture(picture(0)).await.unwrap().into_inner();
    next(&mut stream).await;
    let started = std::time::Instant::now();
    let stopping = app.begin_stop();
    let last = tokio::time::timeout(Duration::from_secs(5), stream.message()).await.unwrap().unwrap_err();
    assert_eq!(last.get_details_error_info().unwrap().reason, "STOPPING");
    stopping.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

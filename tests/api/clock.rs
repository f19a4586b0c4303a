//! A clock that is wrong: refused at a start where that can be known, in the health while the server runs, and never
//! what makes an expired key good.

use std::time::{Duration, Instant};

use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::proto::{
    CreateKeyRequest, CreateKeyResponse, ListKeysRequest, ListSubmissionsRequest, Role, RotateKeyRequest,
};
use conspectus::server::{Config, Error};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::app::{TestApp, TestClock, error_at_start, figure, health, instant, submission};

const CATALOGUE: &str = include_str!("../../data/catalogue.toml");
const CLOCK: &str = "conspectus.clock";

/// A server whose first entries were written by a clock two years ahead, stopped, and its clock, set right.
async fn after_a_start_two_years_ahead() -> (TestApp, TestClock) {
    let clock = TestClock::at("2028-06-01T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    clock.set("2026-06-01T12:00:00Z");
    (app, clock)
}

fn with_key<T>(message: T, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

fn keys(app: &TestApp) -> KeyServiceClient<Channel> {
    KeyServiceClient::new(app.channel())
}

/// Lists the keys by one of them.
async fn list(app: &TestApp, secret: &str) -> Result<(), Status> {
    keys(app).list_keys(with_key(ListKeysRequest::default(), secret)).await.map(drop)
}

async fn create(app: &TestApp, days: i32) -> CreateKeyResponse {
    let role = Role::Operator.into();
    let request = CreateKeyRequest { identity: "jo".to_owned(), role, days, ..CreateKeyRequest::default() };
    keys(app).create_key(request).await.unwrap().into_inner()
}

async fn until_clock_is(app: &TestApp, status: ServingStatus) {
    let start = Instant::now();
    while health(&app.channel(), CLOCK).await != status {
        assert!(start.elapsed() < Duration::from_secs(20), "its health isn't {status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_start_with_a_clock_behind_the_journal_is_refused_with_both_times_and_how_to_go_on() {
    let (mut app, clock) = after_a_start_two_years_ahead().await;
    clock.set("2028-06-01T11:30:00Z");
    app.restart_with(|config| Config { clock: clock.clock(), ..config }).await;
    app.stop().await;
    let refusal_at = async |now: &str| {
        clock.set(now);
        error_at_start(Config { clock: clock.clock(), ..Config::new(app.folder()) }).await
    };
    let refusal = refusal_at("2026-06-01T12:00:00Z").await;
    assert!(matches!(refusal, Error::ClockBehind(_)));
    let refusal = refusal.to_string();
    let expect = "the clock has 2026-06-01T12:00:00Z, and the newest entry of the journal is of 2028-06-01T12:00:00Z. ";
    assert!(refusal.starts_with(expect) && refusal.contains("--accept-clock-behind-journal"), "{refusal}");
    // The audit log has a line of every refusal, later than the journal's last entry.
    let line = r#"{"n":1,"at":"2029-01-01T00:00:00Z","event":"refused","outcome":"NO","chain":"CHAIN"}"#;
    let text = line.replace("CHAIN", &"0".repeat(64)) + "\n";
    std::fs::write(app.folder().join("audit.log"), text).unwrap();
    let refusal = refusal_at("2028-06-01T12:00:00Z").await.to_string();
    assert!(refusal.contains("the last line of the audit log is of 2029-01-01T00:00:00Z"), "{refusal}");
}

#[tokio::test]
async fn a_clock_behind_the_journal_that_is_accepted_stamps_entries_in_order_and_is_in_the_health() {
    let (mut app, clock) = after_a_start_two_years_ahead().await;
    app.restart_with(|config| Config { clock: clock.clock(), accept_clock_behind_journal: true, ..config }).await;
    let receipt = app.receipt(submission("one", [figure("initial-contacts", "FY2021-22", "5")])).await;
    let at = receipt.accepted_at.unwrap();
    assert_eq!(Some(at.seconds), instant("2028-06-01T12:00:00Z").map(|newest| newest.seconds));
    assert!(at.nanos > 0, "{at}");
    until_clock_is(&app, ServingStatus::NotServing).await;
    assert_eq!(health(&app.channel(), "").await, ServingStatus::Serving);
}

#[tokio::test]
async fn keys_expire_by_the_clock_whatever_the_journal_is_stamped_with() {
    let (mut app, clock) = after_a_start_two_years_ahead().await;
    app.restart_with(|config| Config { clock: clock.clock(), accept_clock_behind_journal: true, ..config }).await;
    let first = create(&app, 30).await;
    assert_eq!(first.expires_at, instant("2026-07-01T12:00:00Z"));
    list(&app, &first.secret).await.unwrap();
    // Both are good while one replaces the other, though the entry that says so is of 2028.
    let rotate = RotateKeyRequest { identity: "jo".to_owned(), days: 60, overlap_hours: Some(24) };
    let second = keys(&app).rotate_key(with_key(rotate, &first.secret)).await.unwrap().into_inner();
    list(&app, &first.secret).await.unwrap();
    list(&app, &second.secret).await.unwrap();
    for (now, first_is_good, second_is_good) in [
        ("2026-06-02T11:59:59Z", true, true),
        ("2026-06-02T12:00:00Z", false, true),
        ("2026-08-01T12:00:00Z", false, false),
    ] {
        clock.set(now);
        for (secret, is_good) in [(&first.secret, first_is_good), (&second.secret, second_is_good)] {
            let code = list(&app, secret).await.map_or_else(|refusal| refusal.code(), |()| Code::Ok);
            assert_eq!(code == Code::Ok, is_good, "{now}");
        }
    }
    // The same after a restart.
    clock.set("2026-06-02T11:59:59Z");
    app.restart_with(|config| Config { clock: clock.clock(), accept_clock_behind_journal: true, ..config }).await;
    list(&app, &first.secret).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_while_the_server_runs_is_in_the_health_until_it_is_set_back() {
    let clock = TestClock::at("2026-06-01T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    until_clock_is(&app, ServingStatus::Serving).await;
    clock.set("2028-06-01T12:00:00Z");
    until_clock_is(&app, ServingStatus::NotServing).await;
    app.submissions().list_submissions(ListSubmissionsRequest::default()).await.unwrap();
    clock.set("2026-06-01T12:00:01Z");
    until_clock_is(&app, ServingStatus::Serving).await;
}

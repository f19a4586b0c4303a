//! Reads whose answers aren't sent, and what the audit log says of them.

use conspectus::audit::{self, Event};
use conspectus::rpc::Limits;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::proto::{
    GetSubmissionRequest, GroupBy, Observation, PeriodRange, QueryAggregateRequest, SubmitObservationsRequest,
};
use conspectus::server::Network;
use tonic::Status;

use crate::app::{TestApp, endpoint, figure, query, refusal_text, submission};
use crate::identities::{self, by};

/// What the lines of a server that has stopped say.
fn lines(app: &TestApp) -> Vec<(Event, String, String)> {
    let mut lines = Vec::new();
    audit::verify(&app.folder().join(audit::FILE_NAME), &mut |line| {
        lines.push((line.line.event, line.line.scope.clone(), line.line.outcome.clone()));
    })
    .unwrap();
    lines
}

/// A server for which any answer but a small one is too much.
async fn without_room() -> TestApp {
    let limits = Limits { untaken_bytes_of_identity_max: 0, untaken_bytes_kept_of_identity: 0, ..Limits::default() };
    let network = Network { limits, ..Network::default() };
    TestApp::seeded_with(identities::seed, network, |address| endpoint("http", address)).await
}

fn is_refused(refused: &Status) -> bool {
    refusal_text(refused).starts_with("ResourceExhausted RATE_LIMITED")
}

#[tokio::test]
async fn an_answer_that_there_is_no_room_for_is_refused_before_its_line() {
    let mut app = without_room().await;
    let months = Some(PeriodRange { first: "1950-01".to_owned(), last: "2019-12".to_owned() });
    let large = QueryAggregateRequest { period_range: months, ..query(["initial-contacts"], [], [GroupBy::Period]) };
    let mut client = PictureServiceClient::new(app.channel());
    let refused = client.query_aggregate(by("analyst", large)).await.unwrap_err();
    assert!(is_refused(&refused), "{refused:?}");
    let small = query(["initial-contacts"], ["FY2021-22"], []);
    client.query_aggregate(by("analyst", small)).await.unwrap();
    app.stop().await;
    let lines = lines(&app);
    let said: Vec<_> = lines.iter().map(|(event, _, outcome)| (*event, outcome.as_str())).collect();
    assert_eq!(said, [(Event::Read, "OK")], "of the small one");
}

#[tokio::test]
async fn a_read_that_is_refused_after_its_line_has_a_line_that_says_so() {
    let mut app = without_room().await;
    let year = |first: i32| format!("FY{first}-{:02}", (first + 1) % 100);
    let noted = |first| Observation { note: "n".repeat(500), ..figure("initial-contacts", &year(first), "7") };
    let figures: Vec<_> = (1970..2020).map(noted).collect();
    let mut client = app.submissions();
    client.submit_observations(by("submitter", submission("large", figures))).await.unwrap();
    client
        .submit_observations(by("submitter", submission("small", [figure("initial-contacts", "FY2021-22", "7")])))
        .await
        .unwrap();
    let read = |request_id: &str| {
        let (agency, request_id) = (submission("", []).agency, request_id.to_owned());
        by("submitter", GetSubmissionRequest { agency, request_id, ..GetSubmissionRequest::default() })
    };
    let refused = client.get_submission(read("large")).await.unwrap_err();
    assert!(is_refused(&refused), "{refused:?}");
    client.get_submission(read("small")).await.unwrap();
    app.stop().await;
    let lines = lines(&app);
    let said: Vec<_> = lines.iter().map(|(event, _, outcome)| (*event, outcome.as_str())).collect();
    assert_eq!(said, [(Event::Read, "OK"), (Event::Refused, "RATE_LIMITED"), (Event::Read, "OK")]);
    assert_eq!(lines[0].1, lines[1].1, "it says which read");
}

#[tokio::test]
async fn a_dry_run_that_is_refused_is_no_read() {
    let mut app = TestApp::seeded(identities::seed).await;
    let request = |number: &str, validate_only| SubmitObservationsRequest {
        validate_only,
        ..submission("one", [figure("initial-contacts", "FY2021-22", number)])
    };
    let mut client = app.submissions();
    client.submit_observations(by("submitter", request("7", false))).await.unwrap();
    let refused = client.submit_observations(by("submitter", request("8", true))).await.unwrap_err();
    assert!(refusal_text(&refused).starts_with("AlreadyExists REQUEST_ID_REUSED"), "{refused:?}");
    client.submit_observations(by("submitter", request("7", true))).await.unwrap();
    app.stop().await;
    let reads = lines(&app).into_iter().filter(|(event, ..)| *event == Event::Read).count();
    assert_eq!(reads, 1);
}

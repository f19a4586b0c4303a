//! What every read goes through, whatever it asks for: its caller's compute permit, and the audit log.

use std::time::Duration;

use conspectus::audit;
use conspectus::rpc::Limits;
use conspectus::rpc::proto::{
    ExplainFigureRequest, GetAreaRequest, GetCompletenessRequest, GetHistoryRequest, GetPictureRequest,
    GetSubmissionRequest, ListAreasRequest, ListChangesRequest, QueryAggregateRequest, ReconcileRequest,
    WatchAggregateRequest, WatchPictureRequest,
};
use conspectus::server::Network;
use tonic::{Request, Status, Streaming};

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, endpoint, figure, query, submission};
use crate::identities::{self, by};

const INDICATOR: &str = "initial-contacts";
const YEAR: &str = "FY2021-22";

fn by_analyst<T>(message: T) -> Request<T> {
    by("analyst", message)
}

fn picture() -> GetPictureRequest {
    GetPictureRequest { area: HAMPSHIRE.to_owned(), period: YEAR.to_owned(), ..GetPictureRequest::default() }
}

fn aggregate() -> QueryAggregateRequest {
    query([INDICATOR], [YEAR], [])
}

async fn first<T>(stream: Streaming<T>) -> Result<T, Status> {
    let mut stream = stream;
    Ok(stream.message().await?.expect("a first message"))
}

/// Makes each read once, and says what became of it.
async fn read_everything(app: &TestApp) -> Vec<(&'static str, Result<(), Status>)> {
    let (indicator, agency) = (INDICATOR.to_owned(), CHILDRENS_SERVICES.to_owned());
    let (area, period) = (HAMPSHIRE.to_owned(), YEAR.to_owned());
    let (areas, periods) = (vec![area.clone()], vec![period.clone()]);
    let explain = ExplainFigureRequest {
        indicator: indicator.clone(),
        area: area.clone(),
        period: period.clone(),
        ..ExplainFigureRequest::default()
    };
    let history = GetHistoryRequest { indicator, area: area.clone(), period, agency, ..GetHistoryRequest::default() };
    let changes = ListChangesRequest { areas: areas.clone(), ..ListChangesRequest::default() };
    let completeness = GetCompletenessRequest { area, periods: periods.clone(), ..GetCompletenessRequest::default() };
    let reconcile = ReconcileRequest { areas, periods, ..ReconcileRequest::default() };
    let watch_picture = WatchPictureRequest { picture: Some(picture()), after_revision: 0, after_time: None };
    let watch_aggregate = WatchAggregateRequest { query: Some(aggregate()), after_revision: 0, after_time: None };
    let mut client = app.pictures();
    let mut done = vec![
        ("GetPicture", client.get_picture(by_analyst(picture())).await.map(drop)),
        ("QueryAggregate", client.query_aggregate(by_analyst(aggregate())).await.map(drop)),
        ("ExplainFigure", client.explain_figure(by_analyst(explain)).await.map(drop)),
        ("GetHistory", client.get_history(by_analyst(history)).await.map(drop)),
        ("ListChanges", client.list_changes(by_analyst(changes)).await.map(drop)),
        ("GetCompleteness", client.get_completeness(by_analyst(completeness)).await.map(drop)),
        ("Reconcile", client.reconcile(by_analyst(reconcile)).await.map(drop)),
    ];
    let watched = match client.watch_picture(by_analyst(watch_picture)).await {
        Ok(stream) => first(stream.into_inner()).await.map(drop),
        Err(refused) => Err(refused),
    };
    done.push(("WatchPicture", watched));
    let watched = match client.watch_aggregate(by_analyst(watch_aggregate)).await {
        Ok(stream) => first(stream.into_inner()).await.map(drop),
        Err(refused) => Err(refused),
    };
    done.push(("WatchAggregate", watched));
    done
}

#[tokio::test]
async fn every_read_of_the_pictures_is_in_the_audit_log_completeness_too() {
    let mut app = TestApp::seeded(identities::seed).await;
    let mut read: Vec<&str> = Vec::new();
    for (method, outcome) in read_everything(&app).await {
        outcome.unwrap();
        read.push(method);
    }
    app.stop().await;
    let mut audited = Vec::new();
    audit::verify(&app.folder().join(audit::FILE_NAME), &mut |numbered| {
        audited.push(numbered.line.method.rsplit('/').next().unwrap().to_owned());
    })
    .unwrap();
    assert_eq!(audited, read);
}

#[tokio::test]
async fn every_read_waits_until_its_caller_may_have_another_answer_computed() {
    let limits = Limits { computing_of_identity_max: 0, call_timeout: Duration::from_millis(200), ..Limits::default() };
    let network = Network { limits, ..Network::default() };
    let app = TestApp::seeded_with(identities::seed, network, |address| endpoint("http", address)).await;
    for (method, outcome) in read_everything(&app).await {
        assert_eq!(outcome.unwrap_err().code(), tonic::Code::DeadlineExceeded, "{method}");
    }
    // Lists are as long as their pages; a thing by its name isn't.
    let list = app.catalogue().list_areas(by_analyst(ListAreasRequest::default())).await;
    assert_eq!(list.unwrap_err().code(), tonic::Code::DeadlineExceeded);
    let get = GetAreaRequest { code: HAMPSHIRE.to_owned(), as_of_revision: 0 };
    app.catalogue().get_area(by_analyst(get)).await.unwrap();
}

#[tokio::test]
async fn what_is_read_back_from_the_disk_waits_for_a_turn_and_what_is_written_does_not() {
    let limits = Limits { computing_of_identity_max: 0, call_timeout: Duration::from_millis(200), ..Limits::default() };
    let network = Network { limits, ..Network::default() };
    let app = TestApp::seeded_with(identities::seed, network, |address| endpoint("http", address)).await;
    let submit = || by("submitter", submission("one", [figure(INDICATOR, YEAR, "1")]));
    app.submissions().submit_observations(submit()).await.unwrap();
    let again = app.submissions().submit_observations(submit()).await;
    assert_eq!(again.unwrap_err().code(), tonic::Code::DeadlineExceeded, "its receipt is read back");
    let get = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "one".to_owned(),
        ..GetSubmissionRequest::default()
    };
    let get = app.submissions().get_submission(by("submitter", get)).await;
    assert_eq!(get.unwrap_err().code(), tonic::Code::DeadlineExceeded);
}

//! What changed after a revision: for those who keep a copy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{FigureChange, HistoryEvent, ListChangesRequest, ListChangesResponse, Observation};
use tonic::Code;
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, DRAIN_TIMEOUT, HAMPSHIRE, TestApp, figure, refusal_text, submission};
use crate::identities::{self, by};

const CONTACTS: &str = "initial-contacts";
const REFERRALS: &str = "referrals";

/// A copy of the figures: the text of each by its agency, indicator, area, period.
#[derive(Default)]
struct Copy {
    revision: i64,
    figures: BTreeMap<String, String>,
}

fn request(after_revision: i64) -> ListChangesRequest {
    ListChangesRequest { after_revision, areas: vec![HAMPSHIRE.to_owned()], ..ListChangesRequest::default() }
}

fn number(figure: &Observation) -> String {
    match &figure.measure {
        Some(Measure::Number(number)) => number.clone(),
        other => panic!("{other:?}"),
    }
}

impl Copy {
    /// Takes every page of what changed since.
    async fn catch_up(&mut self, app: &TestApp, page_size: i32) {
        let mut page_token = String::new();
        loop {
            let request = ListChangesRequest { page_size, page_token, ..request(self.revision) };
            let page = app.pictures().list_changes(request).await.unwrap().into_inner();
            page.changes.iter().for_each(|change| self.apply(change));
            if page.next_page_token.is_empty() {
                self.revision = page.revision;
                return;
            }
            page_token = page.next_page_token;
        }
    }

    fn apply(&mut self, change: &FigureChange) {
        let figure = change.observation.clone().unwrap();
        let key = format!("{} {} {} {}", change.agency, figure.indicator, figure.area, figure.period);
        match change.event() {
            HistoryEvent::Submitted | HistoryEvent::Restored => drop(self.figures.insert(key, number(&figure))),
            HistoryEvent::Withdrawn => drop(self.figures.remove(&key)),
            HistoryEvent::Unspecified => panic!("{change:?}"),
        }
    }
}

#[tokio::test]
async fn a_copy_that_takes_all_changes_has_what_the_service_has_whatever_is_revised_and_withdrawn() {
    let mut app = TestApp::with_catalogue().await;
    let mut copies = [Copy::default(), Copy::default(), Copy::default()];
    let of = |number: &str, year: &str| figure(CONTACTS, year, number);
    app.receipt(submission("a", [of("5", "FY2019-20"), of("6", "FY2020-21"), of("7", "FY2021-22")])).await;
    copies[0].catch_up(&app, 2).await;
    app.receipt(submission("b", [of("8", "FY2020-21"), of("7", "FY2021-22")])).await;
    copies[1].catch_up(&app, 1).await;
    app.receipt(submission("c", [of("9", "FY2018-19"), of("10", "FY2020-21")])).await;
    app.withdraw("a").await;
    app.restart().await;
    copies[0].catch_up(&app, 2).await;
    app.withdraw("c").await;
    for copy in &mut copies {
        copy.catch_up(&app, 0).await;
    }
    // The last year's was said by the second too.
    let key = |year: &str| format!("{CHILDRENS_SERVICES} {CONTACTS} {HAMPSHIRE} {year}");
    let expected: BTreeMap<_, _> =
        [(key("FY2020-21"), "8".to_owned()), (key("FY2021-22"), "7".to_owned())].into_iter().collect();
    for copy in copies {
        assert_eq!(copy.figures, expected);
    }
}

#[tokio::test]
async fn a_change_says_what_the_figure_became_and_by_which_submission() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("a", [figure(CONTACTS, "FY2021-22", "5")])).await;
    app.receipt(submission("b", [figure(CONTACTS, "FY2021-22", "6"), figure(REFERRALS, "FY2021-22", "1")])).await;
    app.receipt(submission("c", [figure(CONTACTS, "FY2021-22", "6.0")])).await;
    app.withdraw("b").await;
    let text = |change: &FigureChange| {
        let figure = change.observation.as_ref().unwrap();
        let value = figure.measure.as_ref().map(|_| number(figure)).unwrap_or_default();
        let event = change.event().as_str_name().trim_start_matches("HISTORY_EVENT_");
        let before = change.before.as_ref().map(|before| format!(", was {}", number(before))).unwrap_or_default();
        format!("{} {event} {} {value} {}{before}", change.revision, figure.indicator, change.request_id)
    };
    let list = async |request: ListChangesRequest| -> (i64, Vec<String>) {
        let ListChangesResponse { revision, changes, .. } =
            app.pictures().list_changes(request).await.unwrap().into_inner();
        (revision, changes.iter().map(text).collect())
    };
    let all = [
        "2 SUBMITTED initial-contacts 5 a",
        "3 SUBMITTED initial-contacts 6 b, was 5",
        "3 SUBMITTED referrals 1 b",
        // Another submission says the same of the contacts, so that they stay as they were.
        "5 WITHDRAWN referrals  , was 1",
    ];
    assert_eq!(list(request(0)).await, (5, all.map(str::to_owned).to_vec()));
    assert_eq!(list(request(3)).await.1, [all[3]]);
    assert_eq!(list(request(5)).await, (5, vec![]));
    let only = |indicator: &str| ListChangesRequest { indicators: vec![indicator.to_owned()], ..request(0) };
    assert_eq!(list(only(CONTACTS)).await.1, [all[0], all[1]]);
    let by_another = ListChangesRequest { agencies: vec!["hampshire-constabulary".to_owned()], ..request(0) };
    assert_eq!(list(by_another).await.1, [""; 0]);
    let elsewhere = ListChangesRequest { areas: vec!["E06000044".to_owned()], ..request(0) };
    assert_eq!(list(elsewhere).await.1, [""; 0]);
    let within = ListChangesRequest { areas: vec!["HIPS".to_owned()], ..request(0) };
    assert_eq!(list(within).await.1.len(), 4);
}

#[tokio::test]
async fn later_pages_are_of_the_first_ones_revision() {
    let app = TestApp::with_catalogue().await;
    let years = ["FY2018-19", "FY2019-20", "FY2020-21"];
    app.receipt(submission("a", years.map(|year| figure(CONTACTS, year, "5")))).await;
    let page = async |page_token: String| {
        let request = ListChangesRequest { page_size: 2, page_token, ..request(0) };
        app.pictures().list_changes(request).await.unwrap().into_inner()
    };
    let first = page(String::new()).await;
    app.receipt(submission("b", [figure(CONTACTS, "FY2021-22", "6")])).await;
    let second = page(first.next_page_token.clone()).await;
    assert_eq!((first.changes.len(), second.changes.len(), second.revision), (2, 1, first.revision));
    assert_eq!(second.next_page_token, "");
    let other = ListChangesRequest { page_token: first.next_page_token, ..request(1) };
    let refused = app.pictures().list_changes(other).await.unwrap_err();
    assert!(refusal_text(&refused).contains("not a token of this query"), "{refused:?}");
}

#[tokio::test]
async fn a_reader_waits_for_the_next_change() {
    let app = TestApp::with_catalogue().await;
    let next = ListChangesRequest { min_revision: 2, ..request(1) };
    let mut pictures = app.pictures();
    let waits = tokio::spawn(async move { pictures.list_changes(next).await.unwrap().into_inner() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waits.is_finished());
    let sent = Instant::now();
    app.receipt(submission("a", [figure(CONTACTS, "FY2021-22", "5")])).await;
    assert_eq!(waits.await.unwrap().changes.len(), 1);
    assert!(sent.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn everything_that_is_wrong_is_reported_at_once() {
    let app = TestApp::with_catalogue().await;
    let request = ListChangesRequest {
        after_revision: 7,
        areas: Vec::new(),
        indicators: vec!["contacts".to_owned()],
        agencies: vec!["nobody".to_owned()],
        page_size: -1,
        ..ListChangesRequest::default()
    };
    let refused = app.pictures().list_changes(request).await.unwrap_err();
    let mut fields: Vec<String> =
        refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|it| it.field).collect();
    fields.sort();
    assert_eq!(fields, ["after_revision", "agencies[0]", "areas", "indicators[0]", "page_size"]);
}

#[tokio::test]
async fn an_analyst_of_some_areas_is_shown_only_what_lies_in_them() {
    let app = TestApp::seeded(identities::seed).await;
    let list = async |areas: &[&str]| {
        let areas = areas.iter().map(ToString::to_string).collect();
        let request = ListChangesRequest { areas, ..ListChangesRequest::default() };
        let answer = app.pictures().list_changes(by("analyst-of-hampshire", request)).await;
        answer.map(|answer| answer.into_inner().changes).map_err(|status| status.code())
    };
    let sent = submission("a", [figure(CONTACTS, "FY2021-22", "5")]);
    app.submissions().submit_observations(by("submitter", sent)).await.unwrap();
    let changes = list(&[HAMPSHIRE]).await.unwrap();
    assert!(!changes.is_empty());
    assert!(changes.iter().all(|change| change.observation.as_ref().unwrap().area == HAMPSHIRE));
    for areas in [&["HIPS"][..], &["E06000044"], &[HAMPSHIRE, "E06000044"]] {
        assert_eq!(list(areas).await.unwrap_err(), Code::PermissionDenied, "{areas:?}");
    }
    assert_eq!(list(&[]).await.unwrap_err(), Code::InvalidArgument);
}

#[tokio::test]
async fn whoever_waits_for_the_next_change_does_not_hold_up_a_stop() {
    let mut app = TestApp::with_catalogue().await;
    let next = ListChangesRequest { min_revision: 2, ..request(1) };
    let mut pictures = app.pictures();
    let waits = tokio::spawn(async move { pictures.list_changes(next).await.unwrap_err() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    app.stop().await;
    assert!(began.elapsed() < DRAIN_TIMEOUT / 2, "{:?}", began.elapsed());
    let refused = waits.await.unwrap();
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "STOPPING", "{refused:?}");
}

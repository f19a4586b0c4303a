//! Corrections: figures that are withdrawn one by one, reasons, locked periods, and what is due on working days.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use conspectus::catalogue::CataloguePut;
use conspectus::model::date::Date;
use conspectus::rpc::proto::stream_submissions_response::Result as StreamResult;
use conspectus::rpc::proto::{
    CategoryRef, FigureColumns, GetCompletenessRequest, GetHistoryRequest, GetSubmissionRequest, ListCalendarsRequest,
    Marker, Observation, ReceiptVerdict, SubmitObservationsRequest, SubmitObservationsResponse, ValueForm,
    VerifyReceiptRequest, WithdrawSubmissionRequest,
};
use conspectus::rpc::put_request;
use tonic::{Code, Request, Response, Status};

use crate::app::{
    CHILDRENS_SERVICES, HAMPSHIRE, TestApp, TestClock, absent, catalogue, figure, outcome_texts, refusal_text,
    submission, withdrawal,
};
use crate::identities::{self, by};

const CONTACTS: &str = "initial-contacts";
const REFERRALS: &str = "referrals";
const YEAR: &str = "FY2021-22";

fn withdrawn(indicator: &str, period: &str) -> Observation {
    Observation { measure: None, withdraw: true, ..figure(indicator, period, "") }
}

fn because(reason: &str, request: SubmitObservationsRequest) -> SubmitObservationsRequest {
    SubmitObservationsRequest { reason: reason.to_owned(), ..request }
}

/// The history of the contacts of a year, a line for each item.
async fn history(app: &TestApp) -> String {
    let request = GetHistoryRequest {
        indicator: CONTACTS.to_owned(),
        area: HAMPSHIRE.to_owned(),
        period: YEAR.to_owned(),
        agency: CHILDRENS_SERVICES.to_owned(),
        ..GetHistoryRequest::default()
    };
    let answer = app.pictures().get_history(request).await.unwrap().into_inner();
    answer.items.iter().fold(String::new(), |mut text, item| {
        let event = item.event().as_str_name().trim_start_matches("HISTORY_EVENT_").to_lowercase();
        let (value, of) = (&item.value, &item.request_id);
        writeln!(text, "{} {event} {value} of `{of}`: {}", item.revision, item.reason).unwrap();
        text
    })
}

#[tokio::test]
async fn a_figure_is_withdrawn_by_itself_and_its_history_keeps_it() {
    let app = TestApp::with_catalogue().await;
    app.submit(submission("one", [figure(CONTACTS, YEAR, "100"), figure(REFERRALS, YEAR, "50")])).await;
    let gone = because("of another year", submission("two", [withdrawn(CONTACTS, YEAR)]));
    let checked = app.submit(SubmitObservationsRequest { validate_only: true, ..gone.clone() }).await;
    let receipt = app.receipt(gone.clone()).await;
    assert_eq!(outcome_texts(&checked.receipt.unwrap()), outcome_texts(&receipt));
    assert_eq!(outcome_texts(&receipt), ["withdrew 100 of revision 2"]);
    assert_eq!(receipt.withdrawn_count, 1);
    assert_eq!(app.value(CONTACTS, YEAR).await, "NOT_REPORTED");
    assert_eq!(app.value(REFERRALS, YEAR).await, "50");
    assert!(app.submit(gone).await.already_received);

    // What is withdrawn already stays so, under another id too.
    let again = app.receipt(submission("three", [withdrawn(CONTACTS, YEAR)])).await;
    assert_eq!(outcome_texts(&again), ["unchanged since 3"]);
    let back = app.receipt(submission("four", [figure(CONTACTS, YEAR, "90")])).await;
    assert_eq!(outcome_texts(&back), ["new"]);
    assert_eq!(back.outcomes[0].previous_revision, 3);
    app.submit(because("counted twice", submission("five", [withdrawn(CONTACTS, YEAR)]))).await;
    // The withdrawal's submission is withdrawn: what stood before stands again.
    app.withdraw("five").await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "90");
    app.withdraw("four").await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "NOT_REPORTED");
    app.withdraw("two").await;
    app.withdraw("three").await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "100");
    insta::assert_snapshot!(history(&app).await);
    let request = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "five".to_owned(),
        ..GetSubmissionRequest::default()
    };
    let stored = app.submissions().get_submission(request).await.unwrap().into_inner();
    assert_eq!(stored.observations, [withdrawn(CONTACTS, YEAR)]);
    let submission = stored.submission.unwrap();
    assert_eq!([submission.reason, submission.withdrawal_reason], ["counted twice", "sent by mistake"]);
}

#[tokio::test]
async fn a_restart_knows_what_was_withdrawn_and_why() {
    let mut app = TestApp::with_catalogue().await;
    app.submit(submission("one", [figure(CONTACTS, YEAR, "100")])).await;
    app.submit(because("of another year", submission("two", [withdrawn(CONTACTS, YEAR)]))).await;
    app.submit(submission("three", [figure(CONTACTS, YEAR, "90")])).await;
    app.withdraw("three").await;
    let before = history(&app).await;
    app.restart().await;
    assert_eq!(history(&app).await, before);
    assert_eq!(app.value(CONTACTS, YEAR).await, "NOT_REPORTED");
}

#[tokio::test]
async fn a_receipt_verifies_for_as_long_as_the_journal_has_what_it_says() {
    let mut app = TestApp::with_catalogue().await;
    let receipt = app.receipt(submission("one", [figure(CONTACTS, YEAR, "100")])).await;
    app.submit(submission("two", [figure(CONTACTS, YEAR, "101")])).await;
    app.withdraw("one").await;
    app.restart().await;
    let request = VerifyReceiptRequest {
        agency: receipt.agency.clone(),
        request_id: receipt.request_id.clone(),
        revision: receipt.revision,
        chain_hash: receipt.chain_hash.clone(),
    };
    let verify = async |request| app.submissions().verify_receipt(request).await.map(Response::into_inner);
    let answer = verify(request.clone()).await.unwrap();
    assert_eq!((answer.verdict(), answer.found_revision, answer.revision), (ReceiptVerdict::Verified, 2, 4));
    assert_eq!((answer.withdrawn_at_revision, &answer.found_chain_hash), (4, &receipt.chain_hash));
    let other = verify(VerifyReceiptRequest { revision: 3, ..request.clone() }).await.unwrap();
    assert_eq!(other.verdict(), ReceiptVerdict::OtherRevision);
    let other = verify(VerifyReceiptRequest { chain_hash: vec![7; 32], ..request.clone() }).await.unwrap();
    assert_eq!(other.verdict(), ReceiptVerdict::OtherHash);
    let none = verify(VerifyReceiptRequest { request_id: "three".to_owned(), ..request.clone() }).await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
    let short = verify(VerifyReceiptRequest { chain_hash: vec![7; 31], ..request }).await.unwrap_err();
    let expect = "InvalidArgument INVALID_REQUEST\n  chain_hash: found 31 bytes; allowed: 32";
    assert_eq!(refusal_text(&short), expect);
}

#[tokio::test]
async fn what_cannot_be_withdrawn_is_refused_at_its_field() {
    let app = TestApp::with_catalogue().await;
    app.submit(submission("one", [figure(CONTACTS, YEAR, "100")])).await;
    let both = Observation { withdraw: true, ..figure(CONTACTS, YEAR, "5") };
    let marked = Observation { withdraw: true, ..absent(CONTACTS, "FY2020-21", Marker::NotAvailable) };
    let columns = FigureColumns {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: vec![YEAR.to_owned(), "FY2020-21".to_owned()],
        period: vec![0, 1],
        form: vec![ValueForm::Withdrawn.into()],
        digits: vec![5, 0],
        ..FigureColumns::default()
    };
    let columns = SubmitObservationsRequest { columns: Some(columns), ..submission("columns", []) };
    let never = submission("never", [withdrawn(CONTACTS, YEAR), withdrawn(CONTACTS, "FY2020-21")]);
    let mut report = String::new();
    for request in [submission("both", [both, marked]), columns, never] {
        let refused = refusal_text(&app.try_submit(request.clone()).await.unwrap_err());
        writeln!(report, "{}\n{refused}", request.request_id).unwrap();
    }
    insta::assert_snapshot!(report);
    assert_eq!(app.revision().await, 2, "what is refused leaves nothing");
}

#[tokio::test]
async fn columns_withdraw_too() {
    let app = TestApp::with_catalogue().await;
    app.submit(submission("one", [figure(CONTACTS, YEAR, "100"), figure(CONTACTS, "FY2020-21", "80")])).await;
    let columns = FigureColumns {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: vec![YEAR.to_owned(), "FY2020-21".to_owned()],
        period: vec![0, 1],
        form: vec![ValueForm::Withdrawn.into(), ValueForm::Number.into()],
        digits: vec![0, 81],
        ..FigureColumns::default()
    };
    let receipt = app.receipt(SubmitObservationsRequest { columns: Some(columns), ..submission("two", []) }).await;
    assert_eq!([receipt.withdrawn_count, receipt.revised_count], [1, 1]);
    assert_eq!(app.value(CONTACTS, YEAR).await, "NOT_REPORTED");
    assert_eq!(app.value(CONTACTS, "FY2020-21").await, "81");
}

/// The demo's catalogue, whose contacts are changed so.
fn contacts_with(change: impl Fn(&mut conspectus::catalogue::items::IndicatorVersion)) -> CataloguePut {
    let mut put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
    put.indicators.retain(|version| version.id.as_str() == CONTACTS);
    put.indicators.iter_mut().for_each(|version| version.checks.clear());
    put.indicators.iter_mut().for_each(change);
    CataloguePut { indicators: put.indicators, ..CataloguePut::default() }
}

#[tokio::test]
async fn a_correction_has_a_reason_where_its_indicator_asks_for_one() {
    let app = TestApp::with_catalogue().await;
    let put = contacts_with(|version| version.correction_reason_required = true);
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    let figures = [figure(CONTACTS, YEAR, "100"), figure(CONTACTS, "FY2020-21", "80"), figure(REFERRALS, YEAR, "50")];
    app.submit(submission("one", figures)).await;
    // What is new or the same needs none, nor does another indicator's.
    let same = [figure(CONTACTS, YEAR, "100.0"), figure(CONTACTS, "FY2019-20", "70"), figure(REFERRALS, YEAR, "51")];
    app.submit(submission("two", same)).await;
    let mut report = String::new();
    for (request_id, observation) in
        [("revised", figure(CONTACTS, YEAR, "101")), ("withdrawn", withdrawn(CONTACTS, "FY2020-21"))]
    {
        let request = submission(request_id, [figure(REFERRALS, "FY2020-21", "40"), observation]);
        let refused = app.try_submit(request.clone()).await.unwrap_err();
        writeln!(report, "{request_id}\n{}", refusal_text(&refused)).unwrap();
        app.submit(because("a late return", request)).await;
    }
    insta::assert_snapshot!(report);
    assert_eq!(app.value(CONTACTS, YEAR).await, "101");
    for (reason, found) in [(" \n\u{a0}", "only spaces"), (&*"x".repeat(501), "501 characters")] {
        let request = because(reason, submission("blank", [figure(CONTACTS, YEAR, "102")]));
        let refused = refusal_text(&app.try_submit(request).await.unwrap_err());
        let allowed = "1 to 500 characters, not all of them spaces";
        let expect = format!("InvalidArgument INVALID_REQUEST\n  reason: found {found}; allowed: {allowed}");
        assert_eq!(refused.lines().take(2).collect::<Vec<_>>().join("\n"), expect);
    }
}

#[tokio::test]
async fn what_the_catalogue_no_longer_takes_can_still_be_withdrawn() {
    let app = TestApp::with_catalogue().await;
    let female = CategoryRef { dimension: "sex".to_owned(), category: "female".to_owned() };
    let of_sex = |observation| Observation { breakdown: vec![female.clone()], ..observation };
    app.submit(submission("one", [figure(CONTACTS, YEAR, "100"), of_sex(figure(CONTACTS, YEAR, "60"))])).await;
    let put = contacts_with(|version| version.dimensions.clear());
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    let refused = app.try_submit(submission("two", [of_sex(figure(CONTACTS, YEAR, "61"))])).await.unwrap_err();
    assert!(refusal_text(&refused).contains("observations[0].breakdown"));
    let receipt = app.receipt(submission("three", [of_sex(withdrawn(CONTACTS, YEAR))])).await;
    assert_eq!(outcome_texts(&receipt), ["withdrew 60 of revision 2"]);
    let explained = Observation { explanation: "a slip".to_owned(), ..withdrawn(CONTACTS, YEAR) };
    let refused = app.try_submit(submission("four", [explained])).await.unwrap_err();
    let expect =
        "observations[0].explanation: found one of a figure that is withdrawn; say why in the submission's `reason`";
    assert_eq!(refusal_text(&refused), format!("InvalidArgument INVALID_REQUEST\n  {expect}"));
}

async fn sent(
    app: &TestApp,
    name: &str,
    request: SubmitObservationsRequest,
) -> Result<SubmitObservationsResponse, Status> {
    // Checking it alone says the same.
    let check = SubmitObservationsRequest { validate_only: true, ..request.clone() };
    let checked = app.submissions().submit_observations(by(name, check)).await;
    let done = app.submissions().submit_observations(by(name, request)).await.map(Response::into_inner);
    let refusal = |status: Option<&Status>| status.map(refusal_text);
    assert_eq!(refusal(checked.as_ref().err()), refusal(done.as_ref().err()));
    done
}

/// A server with everybody's keys, on which the contacts of past years are locked.
async fn locked() -> TestApp {
    let app = TestApp::seeded(identities::seed).await;
    let figures = [figure(CONTACTS, YEAR, "100"), figure(CONTACTS, "FY2020-21", "80"), figure(REFERRALS, YEAR, "50")];
    app.submissions().submit_observations(by("submitter", submission("one", figures))).await.unwrap();
    let put = contacts_with(|version| version.lock_days = Some(30));
    app.catalogue().put_catalogue(by("steward", put_request(&put, false))).await.unwrap();
    app
}

#[tokio::test]
async fn a_locked_period_is_corrected_by_a_corrector_with_a_reason() {
    let app = locked().await;
    let changes = [
        figure(CONTACTS, YEAR, "101"),
        withdrawn(CONTACTS, "FY2020-21"),
        figure(CONTACTS, "FY2019-20", "70"),
        figure(REFERRALS, YEAR, "51"),
    ];
    let mut report = String::new();
    for (name, reason) in [("submitter", ""), ("submitter", "a late return"), ("corrector", "")] {
        let request = because(reason, submission("two", changes.clone()));
        let refused = sent(&app, name, request).await.unwrap_err();
        writeln!(report, "{name}, reason {reason:?}\n{}", refusal_text(&refused)).unwrap();
    }
    insta::assert_snapshot!(report);
    // What leaves the locked figures as they are goes through, as in a return of all years each night.
    let same = [figure(CONTACTS, YEAR, "100"), figure(CONTACTS, "FY2020-21", "80"), figure(REFERRALS, YEAR, "51")];
    sent(&app, "submitter", submission("three", same)).await.unwrap();
    let answer = sent(&app, "corrector", because("a late return", submission("two", changes))).await.unwrap();
    let outcomes = outcome_texts(&answer.receipt.unwrap());
    assert_eq!(
        outcomes,
        ["revised from 100 of revision 10", "withdrew 80 of revision 10", "new", "unchanged since 12"]
    );
}

#[tokio::test]
async fn a_longer_period_is_locked_with_the_first_that_it_is_made_of() {
    let app = TestApp::seeded(identities::seed).await;
    // So many days that April 2021 has just been locked, and May hasn't.
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let today = Date::of_unix_seconds(today.try_into().unwrap());
    let lock_days = today.days() - "2021-04-30".parse::<Date>().unwrap().days() - 3;
    let indicator = |id: &str, kind: &str| {
        format!(
            r#"
            [[indicators]]
            id = "{id}"
            title = "{id}"
            unit = "{id}"
            kind = "{kind}"
            frequency = "month"
            lock_days = {lock_days}
            reporting_level = "upper-tier"
            across_agencies = "add"
            expected_agencies = [{{ agency = "hampshire-childrens-services" }}]
            "#
        )
    };
    identities::put(&app, &[indicator("visits", "events"), indicator("beds", "stock")].concat()).await;
    let periods = [
        figure("visits", "2021-04", "9"),
        figure("visits", "2021-05", "9"),
        figure("visits", "FY2021-22-Q1", "9"),
        figure("visits", "FY2021-22", "9"),
        figure("visits", "FY2021-22-Q2", "9"),
        figure("beds", "2021-04", "9"),
        figure("beds", "FY2021-22-Q1", "9"),
    ];
    let refused = refusal_text(&sent(&app, "submitter", submission("one", periods.clone())).await.unwrap_err());
    let locked: Vec<&str> = refused.lines().skip(1).map(|line| line.trim().split(']').next().unwrap()).collect();
    assert_eq!(locked, [0, 2, 3, 5].map(|index| format!("observations[{index}")), "{refused}");
    let completeness = GetCompletenessRequest {
        area: HAMPSHIRE.to_owned(),
        periods: vec!["2021-04".to_owned()],
        indicators: vec!["visits".to_owned()],
        ..GetCompletenessRequest::default()
    };
    let answer = app.pictures().get_completeness(by("steward", completeness)).await.unwrap().into_inner();
    assert_eq!(answer.slots[0].locked_from, today.plus_days(-2).to_string());
    sent(&app, "corrector", because("a late return", submission("one", periods))).await.unwrap();
}

#[tokio::test]
async fn a_stream_keeps_locks_as_a_call_does() {
    let app = locked().await;
    for (name, is_taken) in [("submitter", false), ("corrector", true)] {
        let request = because("a late return", submission("two", [figure(CONTACTS, YEAR, "101")]));
        let message = conspectus::rpc::proto::StreamSubmissionsRequest { submission: Some(request) };
        let stream = by(name, tokio_stream::iter([message]));
        let mut answers = app.submissions().stream_submissions(stream).await.unwrap().into_inner();
        match answers.message().await.unwrap().unwrap().result.unwrap() {
            StreamResult::Accepted(_) => assert!(is_taken, "{name}"),
            StreamResult::Refused(refusal) => {
                assert!(!is_taken && refusal.violations[0].field == "observations[0].period", "{refusal:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_submission_with_locked_figures_is_withdrawn_by_a_corrector() {
    let app = locked().await;
    let withdraw = async |name, validate_only| {
        let request: Request<WithdrawSubmissionRequest> =
            by(name, WithdrawSubmissionRequest { validate_only, ..withdrawal("one") });
        app.submissions().withdraw_submission(request).await.map(Response::into_inner)
    };
    let refused = refusal_text(&withdraw("submitter", false).await.unwrap_err());
    assert_eq!(refusal_text(&withdraw("submitter", true).await.unwrap_err()), refused);
    insta::assert_snapshot!(refused);
    assert_eq!(withdraw("corrector", false).await.unwrap().removed_count, 3);
    // Once its figures are gone, nothing changes any more.
    assert_eq!(withdraw("submitter", false).await.unwrap().removed_count, 0);
}

/// Monthly figures of two agencies, due after ten days by a calendar in which Good Friday and Easter Monday of 2026 are.
const DUE: &str = r#"
    [[areas]]
    code = "U1"
    name = "A county"
    level = "upper-tier"
    parents = []

    [[agencies]]
    id = "care"
    name = "Care"
    sector = "social-care"
    areas = ["U1"]

    [[calendars]]
    id = "england-and-wales"
    title = "England and Wales"
    holidays = ["2026-04-03", "2026-04-06"]

    [[indicators]]
    id = "contacts"
    title = "Contacts"
    unit = "contacts"
    kind = "events"
    frequency = "month"
    due_days = 3
    due_calendar = "england-and-wales"
    reporting_level = "upper-tier"
    across_agencies = "add"
    expected_agencies = [{ agency = "care" }]

    [[indicators]]
    id = "visits"
    title = "Visits"
    unit = "visits"
    kind = "events"
    frequency = "week"
    due_days = 5
    reporting_level = "upper-tier"
    across_agencies = "add"
    expected_agencies = [{ agency = "care" }]
"#;

#[tokio::test]
async fn what_is_due_soon_is_listed_by_working_days() {
    let clock = TestClock::at("2026-04-02T09:00:00Z");
    let app = TestApp::with_clock(&clock, DUE).await;
    let due_within = async |days| {
        let request = GetCompletenessRequest {
            area: "U1".to_owned(),
            due_within_days: days,
            ..GetCompletenessRequest::default()
        };
        let answer = app.pictures().get_completeness(request).await.map(Response::into_inner);
        answer.map(|answer| {
            let slots = answer.slots.iter().map(|slot| format!("{} {} {}", slot.indicator, slot.period, slot.due));
            slots.collect::<Vec<_>>()
        })
    };
    // Three days after March is Good Friday, and the Tuesday after Easter the next working day.
    assert_eq!(due_within(4).await.unwrap(), ["visits 2026-W13 2026-04-03"]);
    assert_eq!(due_within(5).await.unwrap(), ["contacts 2026-03 2026-04-07", "visits 2026-W13 2026-04-03"]);
    let all = ["contacts 2026-03 2026-04-07", "visits 2026-W13 2026-04-03", "visits 2026-W14 2026-04-10"];
    assert_eq!(due_within(10).await.unwrap(), all);
    // What is reported is no longer listed, nor is what has become late.
    let observation = Observation { area: "U1".to_owned(), ..figure("contacts", "2026-03", "5") };
    app.submit(SubmitObservationsRequest { agency: "care".to_owned(), ..submission("one", [observation]) }).await;
    clock.set("2026-04-04T09:00:00Z");
    assert_eq!(due_within(8).await.unwrap(), ["visits 2026-W14 2026-04-10"]);
    assert_eq!(
        refusal_text(&due_within(400).await.unwrap_err()),
        "InvalidArgument INVALID_REQUEST\n  due_within_days: found 400; allowed: 1 to 366"
    );
}

#[tokio::test]
async fn calendars_are_listed_and_one_that_is_wrong_is_refused() {
    let clock = TestClock::at("2026-04-02T09:00:00Z");
    let app = TestApp::with_clock(&clock, DUE).await;
    let answer = app.catalogue().list_calendars(ListCalendarsRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.calendars[0].holidays, ["2026-04-03", "2026-04-06"]);
    let mut put = catalogue();
    put.calendars.clone_from(&answer.calendars);
    put.calendars[0].holidays = vec!["2026-04-06".to_owned(), "2026-04-03".to_owned(), "2026-04-31".to_owned()];
    put.indicators[0].due_calendar = "scotland".to_owned();
    put.indicators[0].lock_days = Some(4_000);
    let refused = app.catalogue().put_catalogue(put).await.unwrap_err();
    let unparsed = refusal_text(&refused);
    let mut put = catalogue();
    put.calendars.clone_from(&answer.calendars);
    put.calendars[0].holidays = vec!["2026-04-06".to_owned(), "2026-04-03".to_owned()];
    put.indicators[0].due_calendar = "scotland".to_owned();
    put.indicators[0].lock_days = Some(4_000);
    let wrong = refusal_text(&app.catalogue().put_catalogue(put).await.unwrap_err());
    insta::assert_snapshot!(format!("{unparsed}\n{wrong}"));
}

//! Days and instants: what an answer is as of, the time zone of days, periods that aren't over, areas that
//! end, and watches over midnight. On small worlds of their own, by a clock that the test sets.

use std::process::Stdio;
use std::time::Duration;

use conspectus::catalogue::CataloguePut;
use conspectus::model::zone::UTC;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    AggregateRow, Area, AreaLevel, AreasAsOf, Coverage, ExplainFigureRequest, GetCompletenessRequest,
    GetPictureRequest, GroupBy, Marker, Observation, PutCatalogueRequest, QueryAggregateRequest, ReconcileRequest,
    SlotStatus, SubmitObservationsRequest, WatchAggregateRequest, WatchAggregateResponse, WatchPictureRequest,
    WithdrawSubmissionRequest,
};
use conspectus::rpc::put_request;
use prost::Message;
use tonic::Streaming;

use crate::app::{TestApp, TestClock, figure_text, instant, refusal_text};
use crate::binary;

/// `sent` of a month is due 20 days after its end: that of June 2026 on 20 July.
const CATALOGUE: &str = r#"
    areas = [
        { code = "U1", name = "First", level = "upper-tier" },
        { code = "U2", name = "Second", level = "upper-tier" },
        { code = "D1", name = "One", level = "district", parents = [{ code = "U1" }] },
        { code = "D2", name = "Two", level = "district", parents = [{ code = "U1" }] },
    ]
    agencies = [
        { id = "police", name = "Police", sector = "police", areas = ["D1", "D2"] },
        { id = "care", name = "Care", sector = "social-care", areas = ["D1", "D2"] },
    ]

    [[indicators]]
    id = "sent"
    title = "Referrals sent"
    unit = "referrals"
    kind = "events"
    frequency = "month"
    due_days = 20
    reporting_level = "district"
    across_agencies = "add"
    expected_agencies = [{ agency = "police" }]

    [[indicators]]
    id = "received"
    title = "Referrals received"
    unit = "referrals"
    kind = "events"
    frequency = "month"
    due_days = 20
    reporting_level = "district"
    across_agencies = "add"

    [[indicators]]
    id = "children"
    title = "Children"
    unit = "children"
    kind = "stock"
    frequency = "quarter"
    reporting_level = "district"
    across_agencies = "add"

    [[indicators]]
    id = "open"
    title = "Episodes of the year"
    unit = "episodes"
    kind = "events"
    frequency = "financial-year"
    reporting_level = "district"
    across_agencies = "add"
    unfinished_periods = "to-date"

    [[reconciliation_rules]]
    id = "referrals"
    title = "Sent and received"
    left = { indicator = "sent", agency = "police" }
    right = { indicator = "received", agency = "care" }
"#;

/// Figures as `indicator area period value [p]`, one on a line.
fn submission(agency: &str, request_id: &str, figures: &str) -> SubmitObservationsRequest {
    let observation = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Observation {
            indicator: words[0].to_owned(),
            area: words[1].to_owned(),
            period: words[2].to_owned(),
            measure: Some(Measure::Number(words[3].to_owned())),
            markers: words.get(4).map(|_| Marker::Provisional.into()).into_iter().collect(),
            ..Observation::default()
        }
    };
    SubmitObservationsRequest {
        agency: agency.to_owned(),
        request_id: request_id.to_owned(),
        observations: figures.lines().filter(|line| !line.trim().is_empty()).map(observation).collect(),
        ..SubmitObservationsRequest::default()
    }
}

fn put(catalogue: &str) -> PutCatalogueRequest {
    put_request(&toml::from_str::<CataloguePut>(catalogue).unwrap(), false)
}

/// A query by area and period.
fn query(indicator: &str, areas: &[&str], periods: &[&str]) -> QueryAggregateRequest {
    QueryAggregateRequest {
        indicators: vec![indicator.to_owned()],
        areas: areas.iter().map(|area| (*area).to_owned()).collect(),
        periods: periods.iter().map(|period| (*period).to_owned()).collect(),
        group_by: vec![GroupBy::Area.into(), GroupBy::Period.into()],
        ..QueryAggregateRequest::default()
    }
}

/// Rows in short: `U1 11`.
fn texts(rows: &[AggregateRow]) -> Vec<String> {
    rows.iter().map(|row| format!("{} {}", row.area, figure_text(row.figure.as_ref().unwrap()))).collect()
}

/// `0 of 1, 1 late`.
fn coverage(coverage: Option<&Coverage>) -> String {
    let Coverage { expected, reported, late, .. } = coverage.unwrap();
    format!("{reported} of {expected}, {late} late")
}

fn row_coverage(row: &AggregateRow) -> String {
    coverage(row.figure.as_ref().unwrap().coverage.as_ref())
}

#[tokio::test]
async fn as_of_an_instant_what_is_late_is_what_was_late_then_in_every_answer() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let revision = app.receipt(submission("care", "one", "received D1 2026-06 7")).await.revision;

    // On 10 July the figure of June isn't due; on 25 July it is 5 days late.
    let then = [(instant("2026-07-10T12:00:01Z"), 0), (None, revision)];
    let asks = then.map(|as_of| (as_of, "0 of 1, 0 late", SlotStatus::NotDue, 0));
    clock.set("2026-07-25T12:00:00Z");
    for ((as_of_time, as_of_revision), expect, status, days_late) in
        asks.into_iter().chain([((None, 0), "0 of 1, 1 late", SlotStatus::Late, 5)])
    {
        let mut pictures = app.pictures();
        let picture = GetPictureRequest {
            area: "D1".to_owned(),
            period: "2026-06".to_owned(),
            as_of_time,
            as_of_revision,
            ..GetPictureRequest::default()
        };
        let picture = pictures.get_picture(picture).await.unwrap().into_inner();
        let sent = picture.rows.iter().find(|row| row.indicator.as_ref().unwrap().id == "sent").unwrap();
        assert_eq!(coverage(sent.combined.as_ref().unwrap().coverage.as_ref()), expect);

        let query = QueryAggregateRequest { as_of_time, as_of_revision, ..query("sent", &["D1"], &["2026-06"]) };
        assert_eq!(row_coverage(&app.query(query).await[0]), expect);

        let explain = ExplainFigureRequest {
            indicator: "sent".to_owned(),
            area: "D1".to_owned(),
            period: "2026-06".to_owned(),
            as_of_time,
            as_of_revision,
            ..ExplainFigureRequest::default()
        };
        let explained = pictures.explain_figure(explain).await.unwrap().into_inner();
        assert_eq!(coverage(explained.figure.unwrap().coverage.as_ref()), expect);

        let complete = GetCompletenessRequest {
            indicators: vec!["sent".to_owned()],
            area: "D1".to_owned(),
            periods: vec!["2026-06".to_owned()],
            as_of_time,
            as_of_revision,
            ..GetCompletenessRequest::default()
        };
        let complete = pictures.get_completeness(complete).await.unwrap().into_inner();
        let slot = &complete.slots[0];
        assert_eq!((slot.status(), slot.days_late), (status, days_late));

        let reconcile = ReconcileRequest {
            areas: vec!["D1".to_owned()],
            periods: vec!["2026-06".to_owned()],
            as_of_time,
            as_of_revision,
            ..ReconcileRequest::default()
        };
        let pairs = pictures.reconcile(reconcile).await.unwrap().into_inner();
        let left = pairs.rows[0].left.as_ref().unwrap();
        assert_eq!(coverage(left.coverage.as_ref()), expect);
    }
}

/// The bytes of every answer that states what it is of, its pages included, and that instant.
async fn recorded(app: &TestApp, as_of: &[Option<prost_types::Timestamp>]) -> Vec<(Vec<u8>, prost_types::Timestamp)> {
    let mut given = as_of.iter();
    let mut as_of_time = || given.next().copied().flatten();
    let (mut pictures, mut answers) = (app.pictures(), Vec::new());
    for areas_as_of in [AreasAsOf::Then, AreasAsOf::Now] {
        let picture = GetPictureRequest {
            area: "U1".to_owned(),
            period: "2026-06".to_owned(),
            as_of_time: as_of_time(),
            areas_as_of: areas_as_of.into(),
            ..GetPictureRequest::default()
        };
        let answer = pictures.get_picture(picture).await.unwrap().into_inner();
        answers.push((answer.encode_to_vec(), answer.as_of.unwrap()));
    }
    let mut token = String::new();
    for page in 0..2 {
        let query = QueryAggregateRequest {
            page_size: 2,
            page_token: token,
            as_of_time: as_of_time(),
            ..query("sent", &["D1", "D2"], &["2026-05", "2026-06"])
        };
        let answer = app.try_query(query).await.unwrap();
        assert_eq!((answer.rows.len(), answer.next_page_token.is_empty()), (2, page == 1));
        answers.push((answer.encode_to_vec(), answer.as_of.unwrap()));
        token = answer.next_page_token;
    }
    let explain = ExplainFigureRequest {
        indicator: "sent".to_owned(),
        area: "U1".to_owned(),
        period: "2026-06".to_owned(),
        as_of_time: as_of_time(),
        ..ExplainFigureRequest::default()
    };
    let answer = pictures.explain_figure(explain).await.unwrap().into_inner();
    answers.push((answer.encode_to_vec(), answer.as_of.unwrap()));
    let mut token = String::new();
    for page in 0..2 {
        let complete = GetCompletenessRequest {
            indicators: vec!["sent".to_owned()],
            area: "U1".to_owned(),
            periods: vec!["2026-06".to_owned()],
            page_size: 1,
            page_token: token,
            as_of_time: as_of_time(),
            ..GetCompletenessRequest::default()
        };
        let answer = pictures.get_completeness(complete).await.unwrap().into_inner();
        assert_eq!((answer.slots.len(), answer.next_page_token.is_empty()), (1, page == 1));
        answers.push((answer.encode_to_vec(), answer.as_of.unwrap()));
        token = answer.next_page_token;
    }
    let reconcile = ReconcileRequest {
        areas: vec!["D1".to_owned(), "D2".to_owned()],
        periods: vec!["2026-06".to_owned()],
        include_agreeing: true,
        as_of_time: as_of_time(),
        ..ReconcileRequest::default()
    };
    let answer = pictures.reconcile(reconcile).await.unwrap().into_inner();
    answers.push((answer.encode_to_vec(), answer.as_of.unwrap()));
    answers
}

#[tokio::test]
async fn a_recorded_answer_asked_for_again_as_of_its_instant_has_the_same_bytes() {
    let clock = TestClock::at("2026-07-10T12:00:00.123456Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    app.receipt(submission("police", "one", "sent D1 2026-06 10\nsent D1 2026-05 8")).await;
    app.receipt(submission("care", "two", "received D1 2026-06 9\nreceived D2 2026-06 4")).await;
    clock.set("2026-07-10T12:00:01Z");
    let before = recorded(&app, &[]).await;
    let instants: Vec<_> = before.iter().map(|(_, at)| Some(*at)).collect();

    // The clock stands still: what is accepted is later than what was answered all the same.
    app.receipt(submission("police", "three", "sent D2 2026-06 1\nsent D1 2026-06 11")).await;
    assert_eq!(recorded(&app, &instants).await, before);

    clock.set("2026-07-25T12:00:00Z");
    let withdrawal = WithdrawSubmissionRequest {
        agency: "care".to_owned(),
        request_id: "two".to_owned(),
        reason: "wrong month".to_owned(),
        ..WithdrawSubmissionRequest::default()
    };
    app.submissions().withdraw_submission(withdrawal).await.unwrap();
    let changed = r#"
        areas = [{ code = "D2", name = "Moved", level = "district", parents = [
            { code = "U1", valid_to = "2026-07-14" }, { code = "U2", valid_from = "2026-07-15" }
        ] }]
        [[indicators]]
        id = "sent"
        effective_from = "2026-06-01"
        title = "Referrals sent, counted otherwise"
        unit = "referrals"
        kind = "events"
        frequency = "month"
        reporting_level = "district"
        across_agencies = "add"
        breaks_comparability = true
        expected_agencies = [{ agency = "police" }]
    "#;
    app.catalogue().put_catalogue(put(changed)).await.unwrap();
    app.receipt(submission("police", "four", "sent D1 2026-06 12")).await;
    assert_eq!(recorded(&app, &instants).await, before);
    assert!(recorded(&app, &[]).await.iter().zip(&before).all(|(now, then)| now != then), "all of it has changed");
}

#[tokio::test]
async fn an_answer_that_is_given_during_writes_has_the_same_bytes_when_it_is_asked_for_again() {
    let app = TestApp::with_catalogue().await;
    let request = |as_of_time| QueryAggregateRequest {
        as_of_time,
        ..crate::app::query(["initial-contacts"], ["FY2021-22"], [GroupBy::Period])
    };
    let writes = async {
        for number in 0..60 {
            let figure = crate::app::figure("initial-contacts", "FY2021-22", &number.to_string());
            app.receipt(crate::app::submission(&format!("write-{number}"), [figure])).await;
        }
    };
    let reads = async {
        let mut answers = Vec::new();
        for _ in 0..300 {
            answers.push(app.try_query(request(None)).await.unwrap());
        }
        answers
    };
    let ((), answers) = tokio::join!(writes, reads);
    let revisions = answers.iter().map(|answer| answer.revision).collect::<std::collections::BTreeSet<_>>();
    assert!(revisions.len() > 10, "{revisions:?}");
    for answer in answers {
        assert_eq!(app.try_query(request(answer.as_of)).await.unwrap(), answer);
    }
}

#[tokio::test]
async fn later_pages_are_of_the_instant_of_the_first_and_no_other() {
    let clock = TestClock::at("2026-07-20T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let query = QueryAggregateRequest { page_size: 1, ..query("sent", &["D1", "D2"], &["2026-06"]) };
    let first = app.try_query(query.clone()).await.unwrap();
    clock.set("2026-07-25T12:00:00Z");
    let next = QueryAggregateRequest { page_token: first.next_page_token, ..query };
    let second = app.try_query(next.clone()).await.unwrap();
    assert_eq!((second.as_of, row_coverage(&second.rows[0])), (first.as_of, "0 of 1, 0 late".to_owned()));
    let other = QueryAggregateRequest { as_of_time: instant("2026-07-21T12:00:00Z"), ..next };
    assert_eq!(
        refusal_text(&app.try_query(other).await.unwrap_err()),
        "InvalidArgument INVALID_REQUEST\n  page_token: not a token of this query; allowed: the next_page_token of \
         its page before, with nothing else changed"
    );
}

#[tokio::test]
async fn an_instant_in_the_future_is_refused() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let as_of = |text| QueryAggregateRequest { as_of_time: instant(text), ..query("sent", &["D1"], &["2026-05"]) };
    assert_eq!(
        refusal_text(&app.try_query(as_of("2026-07-10T12:00:10Z")).await.unwrap_err()),
        "InvalidArgument INVALID_REQUEST\n  as_of_time: found 2026-07-10T12:00:10Z, which is in the future; allowed: \
         until now, 2026-07-10T12:00:00Z"
    );
    clock.set("2026-07-10T12:00:10Z");
    app.try_query(as_of("2026-07-10T12:00:10Z")).await.unwrap();
    // A clock that is set back isn't believed before the newest entry: now is the later of the two.
    let accepted = app.receipt(submission("police", "one", "sent D1 2026-05 1")).await.accepted_at;
    clock.set("2026-07-10T11:00:00Z");
    let newest = QueryAggregateRequest { as_of_time: accepted, ..query("sent", &["D1"], &["2026-05"]) };
    assert_eq!(texts(&app.query(newest).await), ["D1 1"]);
}

#[tokio::test]
async fn today_is_a_day_in_london_half_past_midnight_on_1_july() {
    let clock = TestClock::at("2026-06-30T22:30:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let june = submission("police", "june", "sent D1 2026-06 1");
    let july = submission("police", "july", "children D1 2026-07-01 5");
    for request in [&june, &july] {
        app.try_submit(request.clone()).await.unwrap_err();
    }
    clock.set("2026-06-30T23:30:00Z");
    app.submit(june).await;
    app.submit(july).await;

    // The figure of May is due on 20 June: it is late from 21 June, 23:00 in UTC the day before.
    for (now, expect) in [("2026-06-20T22:59:59Z", "0 of 1, 0 late"), ("2026-06-20T23:00:00Z", "0 of 1, 1 late")] {
        let clock = TestClock::at(now);
        let app = TestApp::with_clock(&clock, CATALOGUE).await;
        assert_eq!(row_coverage(&app.query(query("sent", &["D1"], &["2026-05"])).await[0]), expect, "{now}");
    }
    let app = TestApp::with_clock_in(&clock, UTC.clone(), CATALOGUE).await;
    let refused = app.try_submit(submission("police", "july", "children D1 2026-07-01 5")).await.unwrap_err();
    assert!(refusal_text(&refused).contains("isn't over until 2026-07-01"), "{refused:?}");
}

#[test]
fn an_unknown_time_zone_is_refused_by_name() {
    let refused = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let flag = refused(binary::command().args(["serve", "--time-zone", "Mars/Olympus"]));
    let variable = refused(binary::command().arg("serve").env("CONSPECTUS_TIME_ZONE", "Mars/Olympus"));
    for text in [flag, variable] {
        let expect = "found `Mars/Olympus`; allowed: a time zone of the IANA database, such as Europe/London";
        assert!(text.contains(expect), "{text}");
    }
}

#[tokio::test]
async fn a_period_that_is_not_over_has_no_figure_but_one_to_date_where_the_indicator_takes_those() {
    let clock = TestClock::at("2026-11-25T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let refused = async |figure: &str| {
        let refused = app.try_submit(submission("police", "one", figure)).await.unwrap_err();
        refusal_text(&refused).lines().skip(1).collect::<Vec<_>>().join("\n")
    };
    let field = "  observations[0].period: found";
    for (figure, expect) in [
        ("sent D1 FY2026-27 5", "`FY2026-27`, which isn't over until 2027-03-31; allowed: a period that is over"),
        ("sent D1 2026-11 5 p", "`2026-11`, which isn't over until 2026-11-30; allowed: a period that is over"),
        ("children D1 2026-11-26 5", "`2026-11-26`, which isn't over until 2026-11-26; allowed: a period that is over"),
        (
            "open D1 FY2026-27 5",
            "`FY2026-27`, which isn't over until 2027-03-31; allowed before it is over: a figure to date, marked `p`",
        ),
        ("open D1 FY2027-28 5 p", "`FY2027-28`, which begins on 2027-04-01; allowed: a period that has begun"),
    ] {
        assert_eq!(refused(figure).await, format!("{field} {expect}"));
    }
    app.submit(submission("police", "to-date", "open D1 FY2026-27 5 p\nchildren D1 2026-11-25 9")).await;
    // A period is over on the day after its last day, and a stock has its figure on the day.
    clock.set("2026-11-30T23:59:59Z");
    refused("sent D1 2026-11 5").await;
    clock.set("2026-12-01T00:00:00Z");
    app.submit(submission("police", "november", "sent D1 2026-11 5\nchildren D1 2026-12-01 9")).await;
    clock.set("2027-04-01T00:00:00Z");
    app.submit(submission("police", "final", "open D1 FY2026-27 6")).await;
}

#[tokio::test]
async fn now_is_the_instant_of_the_answer_also_for_the_hierarchy() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let moves = r#"
        areas = [{ code = "D1", name = "One", level = "district", parents = [
            { code = "U1", valid_to = "2026-07-14" }, { code = "U2", valid_from = "2026-07-15" }
        ] }]
    "#;
    app.catalogue().put_catalogue(put(moves)).await.unwrap();
    // U1 has 10 of D1, which moves to U2 on 15 July, and 1 of D2.
    let revision = app.receipt(submission("police", "one", "sent D1 2026-06 10\nsent D2 2026-06 1")).await.revision;
    clock.set("2026-07-25T12:00:00Z");
    let query =
        QueryAggregateRequest { areas_as_of: AreasAsOf::Now.into(), ..query("sent", &["U1", "U2"], &["2026-06"]) };
    let then = QueryAggregateRequest { as_of_revision: revision, ..query.clone() };
    assert_eq!(texts(&app.query(then).await), ["U1 11", "U2 NOT_REPORTED"]);
    let on_14_july = QueryAggregateRequest { as_of_time: instant("2026-07-14T22:59:59Z"), ..query.clone() };
    assert_eq!(texts(&app.query(on_14_july).await), ["U1 11", "U2 NOT_REPORTED"]);
    assert_eq!(texts(&app.query(query).await), ["U1 1", "U2 10"]);
}

/// D1 and D2 go into the new D3 after March 2026, and D3 lies in U2.
const MERGER: &str = r#"
    areas = [
        { code = "D1", name = "One", level = "district", parents = [{ code = "U1" }], valid_to = "2026-03-31", successors = ["D3"] },
        { code = "D2", name = "Two", level = "district", parents = [{ code = "U1" }], valid_to = "2026-03-31", successors = ["D3"] },
        { code = "D3", name = "Three", level = "district", parents = [{ code = "U2" }], valid_from = "2026-04-01" },
    ]
    agencies = [{ id = "police", name = "Police", sector = "police", areas = ["D1", "D2", "D3"] }]
"#;

#[tokio::test]
async fn a_figure_for_an_area_that_is_not_of_its_period_is_refused_with_its_successors() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    app.catalogue().put_catalogue(put(MERGER)).await.unwrap();
    app.submit(submission("police", "good", "sent D1 2026-03 5\nsent D3 2026-04 6")).await;
    // The area of a period is one that exists on its last day.
    let figures = "sent D1 2026-04 5\nsent D1 FY2026-27-Q1 5\nsent D3 2026-03 6";
    assert_eq!(
        refusal_text(&app.try_submit(submission("police", "bad", figures)).await.unwrap_err()),
        "InvalidArgument INVALID_REQUEST
  observations[0].area: `D1` ended on 2026-03-31; it went into D3; allowed for `2026-04`: an area that exists on 2026-04-30
  observations[1].area: `D1` ended on 2026-03-31; it went into D3; allowed for `FY2026-27-Q1`: an area that exists on 2026-06-30
  observations[2].area: `D3` begins on 2026-04-01; allowed for `2026-03`: an area that exists on 2026-03-31"
    );
}

#[tokio::test]
async fn an_area_that_ended_is_counted_where_it_went() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    // The figures come before the merger is known, and D3 has none of its own yet.
    app.submit(submission("police", "before", "sent D1 2026-03 5\nsent D2 2026-03 6")).await;
    app.catalogue().put_catalogue(put(MERGER)).await.unwrap();
    let by = async |areas_as_of: AreasAsOf, areas: &[&str], period| {
        let query = QueryAggregateRequest { areas_as_of: areas_as_of.into(), ..query("sent", areas, &[period]) };
        texts(&app.query(query).await)
    };
    // In March D1 and D2 were in U1. Now they lie within D3, and that within U2.
    assert_eq!(by(AreasAsOf::Then, &["U1", "U2"], "2026-03").await, ["U1 11", "U2 NOT_REPORTED"]);
    assert_eq!(by(AreasAsOf::Now, &["U1", "U2"], "2026-03").await, ["U1 NOT_REPORTED", "U2 11"]);
    assert_eq!(by(AreasAsOf::Now, &["D3"], "2026-03").await, ["D3 11"]);
    assert_eq!(by(AreasAsOf::Now, &["U2"], "FY2025-26-Q4").await, ["U2 11"]);
    app.submit(submission("police", "after", "sent D3 2026-04 12")).await;
    assert_eq!(by(AreasAsOf::Then, &["U1", "U2"], "2026-04").await, ["U1 NOT_REPORTED", "U2 12"]);

    // The areas of a level are those of the period, wherever the hierarchy of the other day has them.
    let districts = async |areas_as_of: AreasAsOf, area: &str, period| {
        let level = AreaLevel::District.into();
        let query = QueryAggregateRequest {
            area_level: level,
            areas_as_of: areas_as_of.into(),
            ..query("sent", &[area], &[period])
        };
        texts(&app.query(query).await)
    };
    assert_eq!(districts(AreasAsOf::Then, "U1", "2026-03").await, ["D1 5", "D2 6"]);
    assert_eq!(districts(AreasAsOf::Now, "U2", "2026-03").await, ["D1 5", "D2 6"]);
    assert_eq!(districts(AreasAsOf::Then, "U2", "2026-04").await, ["D3 12"]);
}

#[tokio::test]
async fn what_was_sent_for_a_county_and_for_a_district_that_has_left_it_is_never_added_up() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let both = r#"
        areas = [
            { code = "P", name = "Both", level = "partnership" },
            { code = "U1", name = "First", level = "upper-tier", parents = [{ code = "P" }] },
            { code = "U2", name = "Second", level = "upper-tier", parents = [{ code = "P" }] },
        ]
        agencies = [{ id = "police", name = "Police", sector = "police", areas = ["U1", "D1"] }]
    "#;
    app.catalogue().put_catalogue(put(both)).await.unwrap();
    // In March 5 of U1's 12 are D1's. D1 went into D3 of U2, and so today's U2 has them too.
    app.submit(submission("police", "one", "sent U1 2026-03 12\nsent D1 2026-03 5")).await;
    app.catalogue().put_catalogue(put(MERGER)).await.unwrap();
    for (areas_as_of, expected) in [(AreasAsOf::Then, "P 12"), (AreasAsOf::Now, "P NOT_COMBINABLE")] {
        let query = QueryAggregateRequest { areas_as_of: areas_as_of.into(), ..query("sent", &["P"], &["2026-03"]) };
        assert_eq!(texts(&app.query(query).await), [expected]);
    }
}

#[tokio::test]
async fn an_area_that_was_split_stays_where_it_was() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let split = r#"
        areas = [
            { code = "D1", name = "One", level = "district", parents = [{ code = "U1" }], valid_to = "2026-03-31", successors = ["D3", "D4"] },
            { code = "D3", name = "Three", level = "district", parents = [{ code = "U2" }], valid_from = "2026-04-01" },
            { code = "D4", name = "Four", level = "district", parents = [{ code = "U2" }], valid_from = "2026-04-01" },
        ]
    "#;
    app.catalogue().put_catalogue(put(split)).await.unwrap();
    app.submit(submission("police", "one", "sent D1 2026-03 5")).await;
    let now =
        QueryAggregateRequest { areas_as_of: AreasAsOf::Now.into(), ..query("sent", &["U1", "U2"], &["2026-03"]) };
    assert_eq!(texts(&app.query(now).await), ["U1 5", "U2 NOT_REPORTED"]);
    let refused = app.try_submit(submission("police", "two", "sent D1 2026-04 5")).await.unwrap_err();
    assert!(refusal_text(&refused).contains("`D1` ended on 2026-03-31; it went into D3 and D4;"), "{refused:?}");
}

#[tokio::test]
async fn an_area_stays_as_wide_as_those_that_went_into_it_and_none_leads_back() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    app.catalogue().put_catalogue(put(MERGER)).await.unwrap();
    let d3 = |level: AreaLevel, successors: &[&str]| PutCatalogueRequest {
        areas: vec![Area {
            code: "D3".to_owned(),
            name: "Three".to_owned(),
            level: level.into(),
            valid_from: "2026-04-01".to_owned(),
            valid_to: "2026-06-30".to_owned(),
            successors: successors.iter().map(|code| (*code).to_owned()).collect(),
            ..Area::default()
        }],
        ..PutCatalogueRequest::default()
    };
    let refused = async |request| refusal_text(&app.catalogue().put_catalogue(request).await.unwrap_err());
    assert_eq!(
        refused(d3(AreaLevel::Ward, &[])).await,
        "InvalidArgument INVALID_REQUEST\n  areas[0].level: found `ward`, and `D1`, of level district, went into it; \
         allowed: `district` or wider"
    );
    assert_eq!(
        refused(d3(AreaLevel::District, &["D1"])).await,
        "InvalidArgument INVALID_REQUEST\n  areas[0].successors[0]: `D1` has no first day; allowed: an area that begins \
         on 2026-07-01. One that takes in another has a new code\n  areas[0].successors: D3, D1, D3 would go into \
         each other in a circle; allowed: areas that don't lead back"
    );
}

async fn next<T>(stream: &mut Streaming<T>) -> T {
    let message = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
    message.expect("a message comes in time").unwrap().expect("the stream goes on")
}

async fn says_nothing<T>(stream: &mut Streaming<T>) -> bool {
    tokio::time::timeout(Duration::from_millis(300), stream.message()).await.is_err()
}

fn watch(after_revision: i64, after_time: Option<prost_types::Timestamp>) -> WatchAggregateRequest {
    let query = QueryAggregateRequest { group_by: vec![GroupBy::Area.into()], ..query("sent", &["D1"], &["2026-06"]) };
    WatchAggregateRequest { query: Some(query), after_revision, after_time }
}

fn late(message: &WatchAggregateResponse) -> Vec<String> {
    message.rows.iter().map(row_coverage).collect()
}

#[tokio::test]
async fn a_watch_says_what_becomes_late_at_midnight_without_a_submission() {
    // A tenth of a second before the day after the due day begins in London.
    let clock = TestClock::at("2026-07-20T22:59:59.900Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let mut stream = app.pictures().watch_aggregate(watch(0, None)).await.unwrap().into_inner();
    let picture =
        GetPictureRequest { area: "D1".to_owned(), period: "2026-06".to_owned(), ..GetPictureRequest::default() };
    let picture = WatchPictureRequest { picture: Some(picture), ..WatchPictureRequest::default() };
    let mut pictures = app.pictures().watch_picture(picture).await.unwrap().into_inner();
    let whole = next(&mut stream).await;
    assert_eq!((whole.snapshot, late(&whole)), (true, vec!["0 of 1, 0 late".to_owned()]));
    assert!(next(&mut pictures).await.snapshot);
    assert!(says_nothing(&mut stream).await);

    clock.set("2026-07-20T23:00:00Z");
    let message = next(&mut stream).await;
    assert_eq!((message.snapshot, late(&message)), (false, vec!["0 of 1, 1 late".to_owned()]));
    assert_eq!((message.revision, message.as_of), (whole.revision, instant("2026-07-20T23:00:00Z")));
    let message = next(&mut pictures).await;
    assert_eq!((message.snapshot, message.as_of), (false, instant("2026-07-20T23:00:00Z")));
    let changed: Vec<_> = message.rows.iter().map(|row| row.indicator.as_ref().unwrap().id.as_str()).collect();
    assert_eq!(changed, ["sent"]);
}

#[tokio::test]
async fn a_watch_resumes_after_an_instant_or_the_acceptance_of_a_revision() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let revision = app.receipt(submission("care", "one", "received D1 2026-06 7")).await.revision;
    clock.set("2026-07-25T12:00:00Z");
    let mut client = app.pictures();
    let mut resume =
        async |after_time| client.watch_aggregate(watch(revision, after_time)).await.map(tonic::Response::into_inner);
    // What has become late since is sent: since the revision was accepted, or since the instant of a message.
    for after in [None, instant("2026-07-20T12:00:00Z")] {
        let message = next(&mut resume(after).await.unwrap()).await;
        assert_eq!((message.snapshot, late(&message)), (false, vec!["0 of 1, 1 late".to_owned()]));
        assert_eq!(message.as_of, instant("2026-07-25T12:00:00Z"));
    }
    assert!(says_nothing(&mut resume(instant("2026-07-21T12:00:00Z")).await.unwrap()).await);

    let refused = |answer: Result<Streaming<_>, tonic::Status>| refusal_text(&answer.unwrap_err());
    assert_eq!(
        refused(resume(instant("2026-07-26T12:00:00Z")).await),
        "InvalidArgument INVALID_REQUEST\n  after_time: found 2026-07-26T12:00:00Z, which is in the future; allowed: \
         until now, 2026-07-25T12:00:00Z"
    );
    assert_eq!(
        refused(resume(instant("2026-07-10T11:00:00Z")).await),
        "InvalidArgument INVALID_REQUEST\n  after_time: found 2026-07-10T11:00:00Z; allowed: from \
         2026-07-10T12:00:00Z, when revision 2 was accepted"
    );
    let alone = app.pictures().watch_aggregate(watch(0, instant("2026-07-20T12:00:00Z"))).await;
    assert_eq!(
        refusal_text(&alone.unwrap_err()),
        "InvalidArgument INVALID_REQUEST\n  after_time: found without after_revision; allowed: both of one message"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lines_watch_goes_on_after_the_instant_of_its_last_message() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let mut app = TestApp::with_clock(&clock, CATALOGUE).await;
    app.submit(submission("care", "one", "received D1 2026-06 7")).await;
    // What has become late since the newest revision is in the first message.
    clock.set("2026-07-25T12:00:00Z");
    let mut command = binary::command();
    command.args(["watch", "D1", "2026-06", "--json", "--count", "2", "--server"]);
    command.arg(format!("http://{}", app.address())).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watch = binary::Process(command.spawn().unwrap());
    let printed = binary::lines(watch.0.stdout.take().unwrap());
    let noted = binary::lines(watch.0.stderr.take().unwrap());
    let next = async || {
        let line = tokio::task::block_in_place(|| printed.recv_timeout(Duration::from_secs(10))).unwrap();
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        (message["revision"].clone(), message["snapshot"].clone())
    };
    assert_eq!(next().await, ("2".into(), true.into()));
    app.restart_in_place(&clock).await;
    let note = tokio::task::block_in_place(|| noted.recv_timeout(Duration::from_secs(10))).unwrap();
    assert!(note.contains("the connection broke"), "{note}");
    // Time to connect again, and to say again what became late, which it must not.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    app.submit(submission("police", "two", "sent D1 2026-06 3")).await;
    assert_eq!(next().await, ("3".into(), serde_json::Value::Null));
}

#[tokio::test]
async fn revisions_within_20_ms_of_each_other_may_be_one_message_of_a_watch() {
    let clock = TestClock::at("2026-07-10T12:00:00Z");
    let app = TestApp::with_clock(&clock, CATALOGUE).await;
    let mut stream = app.pictures().watch_aggregate(watch(0, None)).await.unwrap().into_inner();
    next(&mut stream).await;
    let [one, two, three] =
        [1, 2, 3].map(|number| submission("police", &format!("write-{number}"), &format!("sent D1 2026-06 {number}")));
    tokio::join!(app.submit(one), app.submit(two), app.submit(three));
    let newest = app.revision().await;
    // However they were joined, the last message is of the newest revision, and none is after it.
    let (mut messages, mut last) = (0, 0);
    while last < newest {
        last = next(&mut stream).await.revision;
        messages += 1;
    }
    assert!((1..=3).contains(&messages) && says_nothing(&mut stream).await, "{messages}");
}

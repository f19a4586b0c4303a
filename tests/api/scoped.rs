//! An analyst who is limited to an area: one rule for every way to ask, also where areas have moved.

use std::collections::BTreeSet;
use std::time::Duration;

use conspectus::rpc::proto::{
    AreaLevel, AreasAsOf, Comparison, ExplainFigureRequest, GetCompletenessRequest, GetHistoryRequest,
    GetPictureRequest, GroupBy, PeriodRange, QueryAggregateRequest, ReconcileRequest, WatchAggregateRequest,
    WatchPictureRequest,
};
use tonic::{Code, Request, Status};

use crate::app::{CHILDRENS_SERVICES, CONSTABULARY, HAMPSHIRE, TestApp, query};
use crate::identities::{self, by, put};

const INDICATOR: &str = "initial-contacts";

/// Areas that move at the end of March 2021: `GONE` leaves Hampshire, `COME` comes to it, `BRIEF` was in it for a year,
/// and the ward goes from the one that comes to the one that goes.
const MOVED: &str = r#"
    areas = [
        { code = "ELSEWHERE", name = "Elsewhere", level = "upper-tier" },
        { code = "GONE", name = "Gone", level = "district", parents = [
            { code = "E10000014", valid_to = "2021-03-31" },
            { code = "ELSEWHERE", valid_from = "2021-04-01" },
        ] },
        { code = "COME", name = "Come", level = "district", parents = [
            { code = "ELSEWHERE", valid_to = "2021-03-31" },
            { code = "E10000014", valid_from = "2021-04-01" },
        ] },
        { code = "BRIEF", name = "Brief", level = "district", parents = [
            { code = "ELSEWHERE", valid_to = "2020-03-31" },
            { code = "E10000014", valid_from = "2020-04-01", valid_to = "2021-03-31" },
            { code = "ELSEWHERE", valid_from = "2021-04-01" },
        ] },
        { code = "WARD", name = "Ward", level = "ward", parents = [
            { code = "COME", valid_to = "2021-03-31" },
            { code = "GONE", valid_from = "2021-04-01" },
        ] },
        { code = "WRONG", name = "Put in the wrong place", level = "district", parents = [{ code = "E10000014" }] },
    ]
"#;
const CORRECTED: &str = r#"
    areas = [{ code = "WRONG", name = "Put right", level = "district", parents = [{ code = "ELSEWHERE" }] }]
"#;

fn limited<T>(message: T) -> Request<T> {
    by("analyst-of-hampshire", message)
}

async fn with_moved_areas() -> TestApp {
    let app = TestApp::seeded(identities::seed).await;
    put(&app, MOVED).await;
    app
}

fn query_of(area: &str, period: &str) -> QueryAggregateRequest {
    QueryAggregateRequest { areas: vec![area.to_owned()], ..query([INDICATOR], [period], [GroupBy::Area]) }
}

fn picture_of(area: &str, period: &str) -> GetPictureRequest {
    GetPictureRequest {
        area: area.to_owned(),
        period: period.to_owned(),
        comparison: Comparison::None.into(),
        ..GetPictureRequest::default()
    }
}

fn is_permitted<T>(answer: Result<T, Status>) -> bool {
    !answer.is_err_and(|status| status.code() == Code::PermissionDenied)
}

/// Whether each way to ask about an area in a period is open to the analyst of Hampshire.
async fn ways(app: &TestApp, area: &str, period: &str) -> Vec<(&'static str, bool)> {
    let mut client = app.pictures();
    let (areas, periods) = (vec![area.to_owned()], vec![period.to_owned()]);
    let (area_text, period_text, indicator) = (area.to_owned(), period.to_owned(), INDICATOR.to_owned());
    let explain = ExplainFigureRequest {
        indicator: indicator.clone(),
        area: area_text.clone(),
        period: period_text.clone(),
        ..ExplainFigureRequest::default()
    };
    let history = GetHistoryRequest {
        indicator,
        agency: CHILDRENS_SERVICES.to_owned(),
        area: area_text.clone(),
        period: period_text,
        ..GetHistoryRequest::default()
    };
    let completeness =
        GetCompletenessRequest { area: area_text, periods: periods.clone(), ..GetCompletenessRequest::default() };
    let reconcile = ReconcileRequest { areas: areas.clone(), periods, ..ReconcileRequest::default() };
    let benchmark = QueryAggregateRequest { benchmark_areas: areas, ..query_of(HAMPSHIRE, period) };
    let by_level = QueryAggregateRequest { area_level: AreaLevel::Ward.into(), ..query_of(area, period) };
    let watch_query = WatchAggregateRequest { query: Some(query_of(area, period)), ..WatchAggregateRequest::default() };
    let watch_picture =
        WatchPictureRequest { picture: Some(picture_of(area, period)), ..WatchPictureRequest::default() };
    vec![
        ("picture", is_permitted(client.get_picture(limited(picture_of(area, period))).await)),
        ("query", is_permitted(client.query_aggregate(limited(query_of(area, period))).await)),
        ("by level", is_permitted(client.query_aggregate(limited(by_level)).await)),
        ("benchmark", is_permitted(client.query_aggregate(limited(benchmark)).await)),
        ("explain", is_permitted(client.explain_figure(limited(explain)).await)),
        ("history", is_permitted(client.get_history(limited(history)).await)),
        ("completeness", is_permitted(client.get_completeness(limited(completeness)).await)),
        ("reconcile", is_permitted(client.reconcile(limited(reconcile)).await)),
        ("watch a query", is_permitted(client.watch_aggregate(limited(watch_query)).await)),
        ("watch a picture", is_permitted(client.watch_picture(limited(watch_picture)).await)),
    ]
}

#[tokio::test]
async fn an_analysts_areas_are_what_lay_within_them_in_the_period_or_lies_in_them_today_for_every_way_to_ask() {
    let app = with_moved_areas().await;
    for (area, period, expected) in [
        ("GONE", "FY2020-21", true),
        ("GONE", "FY2021-22", false),
        ("COME", "FY2020-21", true),
        ("COME", "FY2021-22", true),
        ("BRIEF", "FY2019-20", false),
        ("BRIEF", "FY2020-21", true),
        ("BRIEF", "FY2021-22", false),
        // Where it lies on the last day of a period counts.
        ("BRIEF", "CY2020", true),
        ("GONE", "CY2021", false),
        // It lay within what lies in Hampshire today.
        ("WARD", "FY2020-21", true),
        ("WARD", "FY2021-22", false),
        (HAMPSHIRE, "FY2020-21", true),
        ("ELSEWHERE", "FY2020-21", false),
        ("NOWHERE", "FY2020-21", false),
    ] {
        for (way, permitted) in ways(&app, area, period).await {
            assert_eq!(permitted, expected, "{way} of {area} in {period}");
        }
    }
}

#[tokio::test]
async fn nothing_comes_out_by_level_that_would_be_refused_by_name() {
    let app = with_moved_areas().await;
    let wrong_revision =
        app.catalogue().list_areas(by("steward", Default::default())).await.unwrap().get_ref().revision;
    put(&app, CORRECTED).await;
    let mut seen = BTreeSet::new();
    for period in ["FY2019-20", "FY2020-21", "FY2021-22"] {
        for areas_as_of in [AreasAsOf::Then, AreasAsOf::Now] {
            for level in [AreaLevel::District, AreaLevel::Ward] {
                for (outer, as_of_revision) in [(HAMPSHIRE, 0), (HAMPSHIRE, wrong_revision), ("COME", 0)] {
                    let asked = |area: &str, level: i32| QueryAggregateRequest {
                        area_level: level,
                        areas_as_of: areas_as_of.into(),
                        as_of_revision,
                        ..query_of(area, period)
                    };
                    let answer = app.pictures().query_aggregate(limited(asked(outer, level.into()))).await;
                    let Ok(answer) = answer else { continue };
                    for row in answer.into_inner().rows {
                        let by_name = app.pictures().query_aggregate(limited(asked(&row.area, 0))).await;
                        let what = format!("{} in {period}, {areas_as_of:?}, as of {as_of_revision}", row.area);
                        assert!(is_permitted(by_name), "{what}");
                        seen.insert(row.area);
                    }
                }
            }
        }
    }
    // Each kind of move was met.
    let met = ["GONE", "COME", "BRIEF", "WARD", "WRONG"].map(str::to_owned);
    assert!(met.iter().all(|area| seen.contains(area)), "{seen:?}");
    // What was only recorded in the wrong place is nobody's to ask about as it is now.
    let now = app.pictures().query_aggregate(limited(query_of("WRONG", "FY2020-21"))).await;
    assert!(!is_permitted(now));
}

#[tokio::test]
async fn what_a_period_is_compared_with_is_asked_about_too_and_todays_areas_are_those_of_today() {
    let app = with_moved_areas().await;
    let mut client = app.pictures();
    let compared = GetPictureRequest { comparison: 0, ..picture_of("BRIEF", "FY2020-21") };
    assert!(!is_permitted(client.get_picture(limited(compared)).await), "a picture is compared with the year before");
    let with = QueryAggregateRequest { compare_with: "FY2019-20".to_owned(), ..query_of("BRIEF", "FY2020-21") };
    assert!(!is_permitted(client.query_aggregate(limited(with)).await));
    let over = |first: &str| {
        let range = PeriodRange { first: first.to_owned(), last: "FY2020-21".to_owned() };
        QueryAggregateRequest { periods: Vec::new(), period_range: Some(range), ..query_of("BRIEF", "") }
    };
    assert!(is_permitted(client.query_aggregate(limited(over("FY2020-21"))).await));
    assert!(!is_permitted(client.query_aggregate(limited(over("FY2019-20"))).await), "the first of a range");
    let now = |area| QueryAggregateRequest { areas_as_of: AreasAsOf::Now.into(), ..query_of(area, "FY2020-21") };
    assert!(!is_permitted(client.query_aggregate(limited(now("GONE"))).await));
    assert!(is_permitted(client.query_aggregate(limited(now("COME"))).await));
}

#[tokio::test]
async fn a_watch_ends_when_its_area_has_moved_out_of_the_callers() {
    let app = with_moved_areas().await;
    let watch = WatchPictureRequest { picture: Some(picture_of("WRONG", "FY2021-22")), ..Default::default() };
    let mut watched = app.pictures().watch_picture(limited(watch)).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    put(&app, CORRECTED).await;
    let ended = tokio::time::timeout(Duration::from_secs(30), watched.message()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn whoever_is_limited_to_some_agencies_may_ask_about_them_alone() {
    let app = TestApp::seeded(identities::seed).await;
    let mut client = app.pictures();
    let (own, other) = (CHILDRENS_SERVICES.to_owned(), CONSTABULARY.to_owned());
    for (agencies, rate, expected) in [
        (vec![own.clone()], false, true),
        // A rate rests on a population, which may be anyone's.
        (vec![own.clone()], true, false),
        (vec![own.clone(), other.clone()], false, false),
        (vec![other.clone()], false, false),
        (vec![], false, false),
    ] {
        let asked = QueryAggregateRequest { agencies: agencies.clone(), rate, ..query_of(HAMPSHIRE, "FY2021-22") };
        let answer = client.query_aggregate(by("analyst-of-social-care", asked)).await;
        assert_eq!(is_permitted(answer), expected, "an analyst of a sector: {agencies:?}, {rate}");
        let asked = GetCompletenessRequest {
            area: HAMPSHIRE.to_owned(),
            periods: vec!["FY2021-22".to_owned()],
            agencies: agencies.clone(),
            ..GetCompletenessRequest::default()
        };
        let answer = client.get_completeness(by("submitter", asked)).await;
        assert_eq!(is_permitted(answer), agencies == [own.clone()], "a submitter: {agencies:?}");
    }
}

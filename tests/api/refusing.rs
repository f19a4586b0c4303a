//! What is refused, and how it is reported: every problem at once, each at its field, nothing stored.

use conspectus::rpc::ERROR_BYTES_HEADER;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    Agency, Area, AreaLevel, AreaParent, Category, CategoryRef, Comparison, Dimension, ExpectedAgency,
    GetAgencyRequest, GetIndicatorRequest, GetPictureRequest, GetSubmissionRequest, GroupBy, Indicator, Kind,
    ListAreasRequest, ListSubmissionsRequest, Marker, Mean, Observation, Percentage, PeriodRange, PutCatalogueRequest,
    QueryAggregateRequest, Ratio, SubmitObservationsRequest,
};

use prost::Message;
use std::fmt::Write as _;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, absent, catalogue, figure, query, refusal_text, submission};
use crate::raw::submit_bytes;

const CONTACTS: &str = "initial-contacts";
const TIMELY: &str = "assessments-timely";
const LOOKED_AFTER: &str = "children-looked-after";
const YEAR: &str = "FY2021-22";

fn contacts(number: &str) -> Observation {
    figure(CONTACTS, YEAR, number)
}

fn ratio(indicator: &str, numerator: &str, denominator: &str) -> Observation {
    let ratio = Ratio { numerator: numerator.to_owned(), denominator: denominator.to_owned() };
    Observation { measure: Some(Measure::Ratio(ratio)), ..figure(indicator, YEAR, "") }
}

fn percentage(indicator: &str, percent: &str, base: &str) -> Observation {
    let percentage = Percentage { percent: percent.to_owned(), base: base.to_owned() };
    Observation { measure: Some(Measure::Percentage(percentage)), ..figure(indicator, YEAR, "") }
}

fn mean(indicator: &str, mean: &str, count: &str) -> Observation {
    let mean = Mean { mean: mean.to_owned(), count: count.to_owned() };
    Observation { measure: Some(Measure::Mean(mean)), ..figure(indicator, YEAR, "") }
}

fn broken_down(observation: Observation, categories: &[(&str, &str)]) -> Observation {
    let category = |(dimension, category): &(&str, &str)| CategoryRef {
        dimension: (*dimension).to_owned(),
        category: (*category).to_owned(),
    };
    Observation { breakdown: categories.iter().map(category).collect(), ..observation }
}

fn marked(observation: Observation, markers: &[i32]) -> Observation {
    Observation { markers: markers.to_vec(), ..observation }
}

/// Observations with something wrong with each, and what that is.
fn bad_observations() -> Vec<(&'static str, Observation)> {
    let c = Marker::Confidential.into();
    let x = Marker::NotAvailable.into();
    let p = Marker::Provisional.into();
    vec![
        ("an unknown indicator", figure("initial-contracts", YEAR, "5")),
        ("no indicator", figure("", YEAR, "5")),
        ("an indicator's title for its id", figure("Initial contacts", YEAR, "5")),
        ("an area that the agency doesn't report for", Observation { area: "E06000046".to_owned(), ..contacts("5") }),
        ("an unknown area", Observation { area: "E99999999".to_owned(), ..contacts("5") }),
        ("an area's name for its code", Observation { area: "King's Lynn".to_owned(), ..contacts("5") }),
        ("no period", figure(CONTACTS, "", "5")),
        ("a bare year", figure(CONTACTS, "2022", "5")),
        ("years that don't follow one another", figure(CONTACTS, "2021-23", "5")),
        ("a day that no calendar has", figure(LOOKED_AFTER, "31/02/2022", "5")),
        ("a period that is not over", figure(CONTACTS, "FY2190-91", "5")),
        ("a period finer than the indicator's", figure(CONTACTS, "2021-06", "5")),
        ("a period not made of the indicator's", figure(CONTACTS, "CY2021", "5")),
        ("a day for events", figure(CONTACTS, "2022-03-31", "5")),
        ("a negative count", contacts("-5")),
        ("no number", contacts("NaN")),
        ("an empty number", contacts("")),
        ("an exponent", contacts("1e3")),
        ("too many digits", contacts("1234567890123456")),
        ("decimals of a whole number", contacts("5.5")),
        ("more decimals than can be kept", percentage(TIMELY, "87.1234567", "18496")),
        ("a numerator above the denominator", ratio(TIMELY, "6", "5")),
        ("a negative denominator", ratio(TIMELY, "5", "-6")),
        ("a percentage above 100", percentage(TIMELY, "100.1", "18496")),
        ("a percentage without its base", percentage(TIMELY, "87.9", "")),
        ("a number for a ratio", figure(TIMELY, YEAR, "87.9")),
        ("a ratio for events", ratio(CONTACTS, "5", "6")),
        ("a mean for a stock", mean(LOOKED_AFTER, "5", "6")),
        ("a number for a mean", figure("camhs-first-appointment-wait", YEAR, "5")),
        ("a negative count of a mean", mean("camhs-first-appointment-wait", "5", "-1")),
        ("an unknown breakdown", broken_down(contacts("5"), &[("ethnicity", "white")])),
        ("a breakdown that the indicator doesn't allow", broken_down(ratio(TIMELY, "5", "6"), &[("sex", "female")])),
        ("an unknown category", broken_down(contacts("5"), &[("sex", "girls")])),
        ("a dimension twice", broken_down(contacts("5"), &[("sex", "female"), ("sex", "male")])),
        ("a marker for no value beside a value", marked(contacts("5"), &[c])),
        ("no value and no marker", marked(Observation { measure: None, ..contacts("") }, &[])),
        ("no value and a marker that needs one", marked(Observation { measure: None, ..contacts("") }, &[p])),
        ("two reasons for no value", marked(Observation { measure: None, ..contacts("") }, &[c, x])),
        ("a marker that doesn't exist", marked(contacts("5"), &[0, 42])),
        ("a note that is a novel", Observation { note: "n".repeat(501), ..contacts("5") }),
        ("nothing at all", Observation::default()),
        ("several things at once", Observation { area: "Kent".to_owned(), ..figure("initial-contracts", "2022", "-") }),
    ]
}

/// The violations of a refusal, by field.
fn violations(status: &Status) -> Vec<(String, String)> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(status.get_details_error_info().unwrap().reason, "INVALID_REQUEST");
    let details = status.get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
}

fn lines(violations: &[(String, String)]) -> String {
    violations.iter().fold(String::new(), |mut text, (field, description)| {
        writeln!(text, "  {field}: {description}").unwrap();
        text
    })
}

async fn assert_nothing_is_stored(app: &TestApp) {
    let listed = app.submissions().list_submissions(ListSubmissionsRequest::default()).await.unwrap().into_inner();
    assert_eq!((listed.revision, listed.submissions), (1, Vec::new()));
}

/// Submits, with headers large enough for all violations, and returns them.
async fn all_violations(app: &TestApp, request: SubmitObservationsRequest) -> Vec<(String, String)> {
    let channel = app.endpoint().http2_max_header_list_size(2 << 20).connect().await.unwrap();
    let mut request = Request::new(request);
    request.metadata_mut().insert(ERROR_BYTES_HEADER, (1_u32 << 20).into());
    violations(&SubmissionServiceClient::new(channel).submit_observations(request).await.unwrap_err())
}

#[tokio::test]
async fn each_bad_observation_is_reported_at_its_field() {
    let app = TestApp::with_catalogue().await;
    let mut report = String::new();
    for (name, observation) in bad_observations() {
        let found = all_violations(&app, submission("bad", [figure(CONTACTS, "FY2015-16", "1"), observation])).await;
        assert!(found.iter().all(|(field, _)| field.starts_with("observations[1]")), "{name}: {found:?}");
        write!(report, "{name}\n{}", lines(&found)).unwrap();
    }
    insta::assert_snapshot!(report);
    assert_nothing_is_stored(&app).await;
}

#[tokio::test]
async fn all_bad_observations_are_reported_at_once() {
    let app = TestApp::with_catalogue().await;
    let (mut expect, mut all) = (Vec::new(), Vec::new());
    for (index, (_, observation)) in bad_observations().into_iter().enumerate() {
        let alone = all_violations(&app, submission("bad", [observation.clone()])).await;
        expect.extend(alone.into_iter().map(|(field, text)| {
            let rest = field.strip_prefix("observations[0]").unwrap();
            (format!("observations[{index}]{rest}"), text)
        }));
        all.push(observation);
    }
    let mut found = all_violations(&app, submission("bad", all)).await;
    // Several are of one figure, which is wrong too, and not meant here.
    found.retain(|(_, text)| !text.starts_with("the same figure as"));
    assert!(found.is_sorted_by_key(|(field, _)| index(field)), "{found:?}");
    expect.sort();
    found.sort();
    assert_eq!(found, expect);
    assert_nothing_is_stored(&app).await;
}

/// Which observation a field is of.
fn index(field: &str) -> usize {
    field.strip_prefix("observations[").unwrap().split(']').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_figure_may_not_come_twice_under_any_name() {
    let app = TestApp::with_catalogue().await;
    let sex = |category| broken_down(contacts("5"), &[("sex", category)]);
    let girls = ("sex", "female");
    let babies = ("age-band", "under-1");
    let twice = [
        contacts("5"),
        figure(CONTACTS, "2021/22", "6"),
        sex("female"),
        sex("male"),
        sex("female"),
        figure(LOOKED_AFTER, "CY2021-Q2", "5"),
        figure(LOOKED_AFTER, "FY2021-22-Q1", "5"),
        absent(LOOKED_AFTER, "Apr-Jun 2021", Marker::NotAvailable),
        broken_down(contacts("5"), &[girls, babies]),
        broken_down(contacts("5"), &[babies, girls]),
    ];
    let found = all_violations(&app, submission("twice", twice)).await;
    insta::assert_snapshot!(lines(&found));
    assert_nothing_is_stored(&app).await;
}

#[tokio::test]
async fn a_submission_itself_can_be_wrong() {
    let app = TestApp::with_catalogue().await;
    let good = submission("good", [contacts("5")]);
    let cases = [
        ("nothing", SubmitObservationsRequest::default()),
        ("no figures", submission("good", [])),
        ("an unknown agency", SubmitObservationsRequest { agency: "kent-police".to_owned(), ..good.clone() }),
        ("spaces in the id", SubmitObservationsRequest { request_id: "a b".to_owned(), ..good.clone() }),
        ("a long id", SubmitObservationsRequest { request_id: "r".repeat(65), ..good.clone() }),
        ("a long source", SubmitObservationsRequest { source: "s".repeat(501), ..good.clone() }),
        ("too many figures", submission("good", vec![contacts("5"); 10_001])),
        (
            "an unknown agency with a bad figure",
            SubmitObservationsRequest { agency: "kent-police".to_owned(), ..submission("x", [contacts("-1")]) },
        ),
    ];
    let mut report = String::new();
    for (name, request) in cases {
        let mut found = all_violations(&app, request).await;
        found.retain(|(_, text)| !text.starts_with("the same figure as"));
        write!(report, "{name}\n{}", lines(&found)).unwrap();
    }
    insta::assert_snapshot!(report);
    assert_nothing_is_stored(&app).await;
}

#[tokio::test]
async fn junk_is_refused_in_plain_words_however_large() {
    let app = TestApp::with_catalogue().await;
    let mut report = String::new();
    let junk = |bytes: usize| "\u{0}ß'\";--".repeat(bytes / 8);
    for (name, request) in [
        ("3 MB of junk as the agency", SubmitObservationsRequest { agency: junk(3 << 20), ..submission("x", []) }),
        ("3 MB of junk as the id", submission(&junk(3 << 20), [contacts("5")])),
        ("3 MB of junk as the indicator", submission("x", [figure(&junk(3 << 20), YEAR, "5")])),
        ("3 MB of junk as the area", submission("x", [Observation { area: junk(3 << 20), ..contacts("5") }])),
        ("3 MB of junk as the period", submission("x", [figure(CONTACTS, &junk(3 << 20), "5")])),
        ("3 MB of junk as the number", submission("x", [contacts(&junk(3 << 20))])),
        ("3 MB of junk as the note", submission("x", [Observation { note: junk(3 << 20), ..contacts("5") }])),
        ("3 MB of junk as a category", submission("x", [broken_down(contacts("5"), &[("sex", &junk(3 << 20))])])),
        ("10 MB of junk as the number", submission("x", [contacts(&junk(10 << 20))])),
    ] {
        // As any client gets it, with nothing asked for.
        let refusal = app.try_submit(request).await.unwrap_err();
        write!(report, "{name}\n{}", lines(&violations(&refusal))).unwrap();
    }
    insta::assert_snapshot!(report);
    assert_nothing_is_stored(&app).await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let app = TestApp::with_catalogue().await;
    let mut seed = 7_u64;
    let mut random = |length: usize| -> Vec<u8> {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    };
    for length in [1, 100, 4 << 20, 10 << 20, 17 << 20] {
        let refusal = submit_bytes(app.channel(), tokio_stream::once(random(length))).await.unwrap_err();
        let found = violations(&refusal);
        let [(field, text)] = found.as_slice() else { panic!("{found:?}") };
        let expect = if length > 4 << 20 {
            format!("the request has {length} bytes; allowed: 4194304. Send it in parts")
        } else {
            "not a message of this method: ".to_owned()
        };
        assert!(field.is_empty() && text.starts_with(&expect), "{length}: {found:?}");
    }
    assert_nothing_is_stored(&app).await;
    app.receipt(submission("after", [contacts("5")])).await;
}

#[tokio::test]
async fn a_call_that_has_one_message_is_refused_another() {
    const ANOTHER: &str = "found another message; allowed: one in a call of this method";
    let app = TestApp::with_catalogue().await;
    let small = submission("small", [contacts("5")]).encode_to_vec();
    // Large enough for turns: the first is waited for whole.
    let large = SubmitObservationsRequest { source: "x".repeat(600 << 10), ..submission("large", [contacts("5")]) };
    for message in [small, large.encode_to_vec()] {
        let twice = tokio_stream::iter([message.clone(), message]);
        let refusal = submit_bytes(app.channel(), twice).await.unwrap_err();
        assert_eq!(violations(&refusal), [(String::new(), ANOTHER.to_owned())]);
    }
    assert_nothing_is_stored(&app).await;
}

#[tokio::test]
async fn a_read_may_be_as_large_as_a_list_of_all_small_areas_and_has_few_categories() {
    const BYTES_MAX: usize = 512 << 10;
    let app = TestApp::with_catalogue().await;
    let refused =
        async |query: QueryAggregateRequest| violations(&app.pictures().query_aggregate(query).await.unwrap_err());
    let lower_super_output_areas = (0..34_000).map(|ix| format!("E01{ix:06}")).collect();
    let query = QueryAggregateRequest { areas: lower_super_output_areas, ..QueryAggregateRequest::default() };
    assert!(query.encoded_len() < BYTES_MAX);
    let found = refused(query.clone()).await;
    assert!(found.iter().any(|(field, _)| field == "areas[33999]" || field.is_empty()), "{:?}", found.last());
    let areas = query.areas.into_iter().cycle().take(BYTES_MAX / 11 + 1).collect();
    let query = QueryAggregateRequest { areas, ..QueryAggregateRequest::default() };
    let bytes = query.encoded_len();
    let expect = format!("the request has {bytes} bytes; allowed: {BYTES_MAX}. Send it in parts");
    assert_eq!(refused(query).await, [(String::new(), expect)]);
    let breakdown = vec![CategoryRef::default(); 101];
    let found = refused(QueryAggregateRequest { breakdown, ..QueryAggregateRequest::default() }).await;
    assert_eq!(found, [("breakdown".to_owned(), "found more than 100; allowed: 100 at the most".to_owned())]);
}

#[tokio::test]
async fn a_client_with_small_headers_gets_as_many_violations_as_fit() {
    let app = TestApp::with_catalogue().await;
    let bad: Vec<_> = (0..1_200).map(|_| figure("ünknown", "2022", "many")).collect();
    let channel = app.endpoint().http2_max_header_list_size(8 << 10).connect().await.unwrap();
    let mut client = SubmissionServiceClient::new(channel);
    let kept = violations(&client.submit_observations(submission("x", bad.clone())).await.unwrap_err());
    assert!((10..100).contains(&kept.len()), "{}", kept.len());
    let (_, last) = kept.last().unwrap();
    let omitted = 3_600 - (kept.len() - 1);
    assert_eq!(
        *last,
        format!(
            "{omitted} more violations; send header {ERROR_BYTES_HEADER} with the bytes that you take, up to 1048576"
        )
    );
    // One that takes more asks for more, and gets the first thousand.
    let all = all_violations(&app, submission("x", bad)).await;
    assert_eq!(all.len(), 1_001);
    assert!(all[1_000].1.starts_with("2600 more violations"), "{:?}", all[1_000]);
}

#[tokio::test]
async fn a_question_without_a_right_answer_is_refused() {
    let app = TestApp::with_demo().await;
    let by = |group_by: &[GroupBy]| group_by.iter().copied().map(i32::from).collect::<Vec<_>>();
    let contacts = || query([CONTACTS], [YEAR], [GroupBy::Period]);
    let range = |first: &str, last: &str| Some(PeriodRange { first: first.to_owned(), last: last.to_owned() });
    let cases = [
        ("nothing", QueryAggregateRequest::default()),
        (
            "unknown ids",
            QueryAggregateRequest {
                indicators: vec![CONTACTS.to_owned(), "initial-contracts".to_owned(), "Initial contacts".to_owned()],
                areas: vec!["E99999999".to_owned(), "Isle of Wight".to_owned()],
                agencies: vec!["kent-police".to_owned(), "Kent".to_owned()],
                group_by: by(&[GroupBy::Indicator]),
                ..contacts()
            },
        ),
        ("bad periods", query([CONTACTS], ["2022", "FY2021-22", ""], [GroupBy::Period])),
        ("periods and a range", QueryAggregateRequest { period_range: range(YEAR, YEAR), ..contacts() }),
        (
            "a reversed range",
            QueryAggregateRequest { period_range: range(YEAR, "FY2020-21"), ..query([CONTACTS], [], []) },
        ),
        (
            "a range of two lengths",
            QueryAggregateRequest { period_range: range(YEAR, "2022-06"), ..query([CONTACTS], [], []) },
        ),
        ("a range of nothing", QueryAggregateRequest { period_range: range("", ""), ..query([CONTACTS], [], []) }),
        (
            "overlapping areas",
            QueryAggregateRequest {
                areas: ["HIPS", HAMPSHIRE, "E07000084"].map(str::to_owned).to_vec(),
                ..query([CONTACTS], [YEAR], [])
            },
        ),
        ("periods with a hole", query([CONTACTS], ["FY2019-20", "FY2021-22"], [])),
        ("periods of two lengths", query([LOOKED_AFTER], ["FY2019-20", "FY2020-21-Q1"], [])),
        (
            "distinct people over periods",
            QueryAggregateRequest {
                period_range: range("FY2021-22-Q1", "FY2021-22-Q4"),
                ..query(["children-missing"], [], [GroupBy::Agency])
            },
        ),
        ("views of one thing together", query(["missing-episodes"], [YEAR], [GroupBy::Period])),
        (
            "several wrong combinations",
            query([CONTACTS, "missing-episodes", "children-missing"], ["FY2020-21", "FY2021-22"], []),
        ),
        (
            "a comparison of several periods together",
            QueryAggregateRequest {
                comparison: Comparison::PreviousPeriod.into(),
                ..query([CONTACTS], ["FY2020-21", "FY2021-22"], [])
            },
        ),
        ("an unknown comparison", QueryAggregateRequest { comparison: 9, ..contacts() }),
        ("unknown groups", QueryAggregateRequest { group_by: vec![0, 9, 4, 4], ..contacts() }),
        ("an unknown level", QueryAggregateRequest { area_level: 9, ..contacts() }),
        ("a level that isn't there", QueryAggregateRequest { area_level: AreaLevel::Ward.into(), ..contacts() }),
        (
            "too many figures",
            QueryAggregateRequest {
                period_range: range("1900-01-01", "2199-12-31"),
                ..query([CONTACTS, "referrals"], [], [GroupBy::Period, GroupBy::Indicator])
            },
        ),
        ("a page too large", QueryAggregateRequest { page_size: 10_001, ..contacts() }),
        ("a page below nothing", QueryAggregateRequest { page_size: -1, ..contacts() }),
        ("a token of nothing", QueryAggregateRequest { page_token: "junk".to_owned(), ..contacts() }),
        ("a revision yet to come", QueryAggregateRequest { as_of_revision: 1_000, ..contacts() }),
        ("a revision below nothing", QueryAggregateRequest { as_of_revision: -1, min_revision: -1, ..contacts() }),
        (
            "a breakdown twice",
            QueryAggregateRequest {
                breakdown: broken_down(Observation::default(), &[("sex", "female"), ("sex", "male")]).breakdown,
                ..contacts()
            },
        ),
    ];
    let newest = app.revision().await;
    let mut report = String::new();
    for (name, request) in cases {
        let refusal = app.try_query(request).await.expect_err(name);
        write!(report, "{name}\n{}", lines(&violations(&refusal))).unwrap();
    }
    for (name, request) in [
        ("a picture of nothing", GetPictureRequest::default()),
        (
            "a picture of what isn't there",
            GetPictureRequest {
                area: "Kent".to_owned(),
                period: "2022".to_owned(),
                indicators: vec!["initial-contracts".to_owned()],
                comparison: 9,
                as_of_revision: newest + 1,
                ..GetPictureRequest::default()
            },
        ),
    ] {
        let refusal = app.pictures().get_picture(request).await.unwrap_err();
        write!(report, "{name}\n{}", lines(&violations(&refusal))).unwrap();
    }
    insta::assert_snapshot!(report.replace(&format!("1 to {newest},"), "1 to NEWEST,"));
}

#[tokio::test]
async fn a_page_token_is_for_its_own_query() {
    let app = TestApp::with_demo().await;
    let mut first = query([CONTACTS], ["FY2020-21", "FY2021-22"], [GroupBy::Period]);
    first.page_size = 1;
    let token = app.try_query(first.clone()).await.unwrap().next_page_token;
    assert!(!token.is_empty());
    let mut tampered = token.clone();
    tampered.replace_range(0..1, if token.starts_with('0') { "1" } else { "0" });
    // Its instant, the eight bytes after those of the query and of the revision, is in the future, or before its revision's.
    let at = |micros: i64| format!("{}{micros:016x}{}", &token[..32], &token[48..]);
    let others = [
        QueryAggregateRequest { page_token: at(i64::MAX), ..first.clone() },
        QueryAggregateRequest { page_token: at(0), ..first.clone() },
        QueryAggregateRequest { indicators: vec!["referrals".to_owned()], page_token: token.clone(), ..first.clone() },
        QueryAggregateRequest { as_of_revision: 1, page_token: token.clone(), ..first.clone() },
        QueryAggregateRequest { page_token: tampered, ..first.clone() },
        QueryAggregateRequest { page_token: format!("{token}0"), ..first.clone() },
        QueryAggregateRequest { page_token: "é".repeat(1_000), ..first.clone() },
    ];
    for other in others {
        let refusal = app.try_query(other).await.unwrap_err();
        assert_eq!(
            violations(&refusal),
            [(
                "page_token".to_owned(),
                "not a token of this query; allowed: the next_page_token of its page before, with nothing else changed"
                    .to_owned()
            )]
        );
    }
    let request = ListAreasRequest { page_token: token.clone(), page_size: 1_001, as_of_revision: 99 };
    let refusal = app.catalogue().list_areas(request).await.unwrap_err();
    let fields: Vec<_> = violations(&refusal).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["page_size", "page_token", "as_of_revision"]);
    let request = ListSubmissionsRequest { page_token: token, page_size: -1, agency: "Kent!".to_owned() };
    let refusal = app.submissions().list_submissions(request).await.unwrap_err();
    let fields: Vec<_> = violations(&refusal).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["page_size", "page_token", "agency"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::with_catalogue().await;
    let request = GetIndicatorRequest { id: "initial-contracts".to_owned(), as_of_revision: 0, ..Default::default() };
    let refusal = app.catalogue().get_indicator(request).await.unwrap_err();
    assert_eq!(
        refusal_text(&refusal),
        "NotFound NOT_FOUND: there is no `initial-contracts` in the catalogue at revision 1"
    );
    let request = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "none".to_owned(),
        ..Default::default()
    };
    let thing = |refusal: &tonic::Status| {
        let info = refusal.get_details_resource_info().unwrap();
        (info.resource_type, info.resource_name)
    };
    assert_eq!(thing(&refusal), ("indicator".to_owned(), "initial-contracts".to_owned()));
    let refusal = app.submissions().get_submission(request).await.unwrap_err();
    assert_eq!(refusal_text(&refusal), "NotFound NOT_FOUND: `hampshire-childrens-services` has no submission `none`");
    assert_eq!(thing(&refusal), ("submission".to_owned(), "none".to_owned()));
    let request = GetAgencyRequest { id: "kent".to_owned(), as_of_revision: 0 };
    let refusal = app.catalogue().get_agency(request).await.unwrap_err();
    assert_eq!(thing(&refusal), ("agency".to_owned(), "kent".to_owned()));
}

#[tokio::test]
async fn a_catalogue_that_would_not_hold_together_is_refused() {
    let app = TestApp::with_catalogue().await;
    let known = catalogue();
    let area = |code: &str| known.areas.iter().find(|area| area.code == code).unwrap().clone();
    let indicator = |id: &str| known.indicators.iter().find(|indicator| indicator.id == id).unwrap().clone();
    let parent = |code: &str, from: &str, to: &str| AreaParent {
        code: code.to_owned(),
        valid_from: from.to_owned(),
        valid_to: to.to_owned(),
    };
    let district = |parents: Vec<AreaParent>| Area { parents, name: "New".to_owned(), ..area("E07000084") };
    let ended = |from: &str, to: &str, successors: &[&str]| Area {
        valid_from: from.to_owned(),
        valid_to: to.to_owned(),
        successors: successors.iter().map(|code| (*code).to_owned()).collect(),
        ..area("E07000084")
    };
    let areas = |areas: Vec<Area>| PutCatalogueRequest { areas, ..PutCatalogueRequest::default() };
    let indicators = |indicators: Vec<Indicator>| PutCatalogueRequest { indicators, ..PutCatalogueRequest::default() };
    let new = || Indicator { id: "new".to_owned(), ..indicator(CONTACTS) };
    let category = |id: &str| Category { id: id.to_owned(), title: id.to_owned() };
    let dimension = |id: &str, categories: Vec<Category>| PutCatalogueRequest {
        dimensions: vec![Dimension { id: id.to_owned(), title: id.to_owned(), categories }],
        ..PutCatalogueRequest::default()
    };
    let expected = |agency: &str, from: &str, to: &str| ExpectedAgency {
        agency: agency.to_owned(),
        valid_from: from.to_owned(),
        valid_to: to.to_owned(),
    };
    let cases = [
        ("nothing", PutCatalogueRequest::default()),
        ("an area in one that isn't there", areas(vec![district(vec![parent("E10000099", "", "")])])),
        (
            "areas in each other",
            areas(vec![
                Area { parents: vec![parent("B", "", "")], code: "A".to_owned(), ..area(HAMPSHIRE) },
                Area { parents: vec![parent("A", "", "")], code: "B".to_owned(), ..area(HAMPSHIRE) },
            ]),
        ),
        ("an area in itself", areas(vec![district(vec![parent("E07000084", "", "")])])),
        ("a county below its districts", areas(vec![Area { level: AreaLevel::Ward.into(), ..area(HAMPSHIRE) }])),
        ("an area twice", areas(vec![area(HAMPSHIRE), area(HAMPSHIRE)])),
        (
            "a validity that ends before it starts",
            areas(vec![district(vec![parent(HAMPSHIRE, "2022-04-01", "2022-03-31")])]),
        ),
        (
            "two parents on one day",
            areas(vec![district(vec![parent(HAMPSHIRE, "", "2022-03-31"), parent("E06000044", "2022-03-31", "")])]),
        ),
        ("a day that no calendar has", areas(vec![district(vec![parent(HAMPSHIRE, "2022-02-30", "soon")])])),
        ("an area that ends before it begins", areas(vec![ended("2022-04-01", "2022-03-31", &[])])),
        ("an area that goes on and went into another", areas(vec![ended("", "", &["E07000085"])])),
        (
            "an area that went into itself, into a wider level, twice into one and into what isn't there",
            areas(vec![ended("", "2022-03-31", &["E07000084", HAMPSHIRE, "E07000085", "E07000085", "E07000999"])]),
        ),
        (
            "an area that went into one that was there already",
            areas(vec![
                Area { valid_from: "2020-04-01".to_owned(), ..area("E07000085") },
                ended("", "2022-03-31", &["E07000085"]),
            ]),
        ),
        (
            "an area that went into a narrower level",
            areas(vec![Area {
                valid_to: "2022-03-31".to_owned(),
                successors: vec!["E07000084".to_owned()],
                ..area("E06000044")
            }]),
        ),
        (
            "an area that went into too many",
            areas(vec![Area { successors: vec!["E07000085".to_owned(); 101], ..ended("", "2022-03-31", &[]) }]),
        ),
        (
            "areas that went into each other in a circle",
            areas(vec![
                Area { code: "A".to_owned(), ..ended("", "2020-03-31", &["B"]) },
                Area { code: "B".to_owned(), ..ended("", "2021-03-31", &["E07000085", "C"]) },
                Area { code: "C".to_owned(), ..ended("", "2022-03-31", &["B"]) },
            ]),
        ),
        ("an area without a level or a name", areas(vec![Area { code: "NEW".to_owned(), ..Area::default() }])),
        (
            "an agency with everything wrong",
            PutCatalogueRequest {
                agencies: vec![Agency {
                    id: "Kent Police".to_owned(),
                    name: String::new(),
                    sector: 9,
                    areas: vec!["Kent!".to_owned()],
                }],
                ..PutCatalogueRequest::default()
            },
        ),
        (
            "an agency of areas that aren't there",
            PutCatalogueRequest {
                agencies: vec![Agency {
                    id: "kent-police".to_owned(),
                    name: "N".repeat(201),
                    sector: 1,
                    areas: vec!["E10000016".to_owned(), HAMPSHIRE.to_owned(), HAMPSHIRE.to_owned()],
                }],
                ..PutCatalogueRequest::default()
            },
        ),
        ("a dimension of nothing", dimension("new", vec![])),
        ("a category twice", dimension("new", vec![category("a"), category("a")])),
        ("a category taken away", dimension("sex", vec![category("female"), category("male")])),
        ("a kind that changes", indicators(vec![Indicator { kind: Kind::Stock.into(), ..indicator(CONTACTS) }])),
        (
            "an indicator of what isn't there",
            indicators(vec![Indicator {
                dimensions: vec!["ethnicity".to_owned(), "sex".to_owned(), "sex".to_owned()],
                expected_agencies: vec![
                    expected("kent-police", "", ""),
                    expected(CHILDRENS_SERVICES, "2022-04-01", "2022-03-31"),
                    expected(CHILDRENS_SERVICES, "", ""),
                    expected(CHILDRENS_SERVICES, "2021-04-01", ""),
                ],
                across_agencies: 2,
                lead_agency: "kent-police".to_owned(),
                ..new()
            }]),
        ),
        ("a lead without a name", indicators(vec![Indicator { across_agencies: 2, ..new() }])),
        (
            "a lead that leads nobody",
            indicators(vec![Indicator { lead_agency: CHILDRENS_SERVICES.to_owned(), ..new() }]),
        ),
        ("a second version first", indicators(vec![Indicator { effective_from: "2022-04-01".to_owned(), ..new() }])),
        ("a first version that breaks", indicators(vec![Indicator { breaks_comparability: true, ..new() }])),
        ("a version twice", indicators(vec![new(), new()])),
        (
            "a stock to date",
            indicators(vec![Indicator { kind: Kind::Stock.into(), unfinished_periods: 2, frequency: 1, ..new() }]),
        ),
        ("events by the day", indicators(vec![Indicator { frequency: 8, ..new() }])),
        (
            "numbers out of bounds",
            indicators(vec![Indicator {
                decimals: 7,
                due_days: 3_661,
                title: String::new(),
                unit: "u".repeat(65),
                ..new()
            }]),
        ),
        (
            "an indicator of nothing",
            indicators(vec![Indicator { decimals: -1, due_days: 1 << 20, ..Indicator::default() }]),
        ),
    ];
    let mut report = String::new();
    for (name, request) in cases {
        for validate_only in [true, false] {
            let request = PutCatalogueRequest { validate_only, ..request.clone() };
            let refusal = app.catalogue().put_catalogue(request).await.expect_err(name);
            if validate_only {
                write!(report, "{name}\n{}", lines(&violations(&refusal))).unwrap();
            }
        }
    }
    insta::assert_snapshot!(report);
    assert_nothing_is_stored(&app).await;
}

//! Checks of the catalogue: what refuses a submission, what is taken with an explanation, and where that is shown.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::checks::Check;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    CategoryRef, CheckExplanation, CheckSeverity, ExplainFigureRequest, FigureColumns, FigureExplanation,
    GetHistoryRequest, GetIndicatorRequest, GetSubmissionRequest, Marker, Observation, PutCatalogueRequest, Ratio,
    Receipt, SubmitObservationsRequest,
};
use conspectus::rpc::put_request;
use std::fmt::Write as _;
use tonic::Status;
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, absent, figure, submission};

const CONTACTS: &str = "initial-contacts";
const REFERRALS: &str = "referrals";
const TIMELY: &str = "assessments-timely";
const YEAR: &str = "FY2021-22";

/// The demo's catalogue with checks of its indicators, in the order of the demo's: by indicator, in TOML.
pub(crate) fn with_checks(checks: &[(&str, &str)]) -> PutCatalogueRequest {
    #[derive(serde::Deserialize)]
    struct Checks {
        checks: Vec<Check>,
    }
    let mut put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
    put.indicators.iter_mut().for_each(|version| version.checks.clear());
    for (indicator, check) in checks {
        let Checks { mut checks } = toml::from_str(&format!("checks = [{{ {check} }}]")).unwrap();
        let version = put.indicators.iter_mut().find(|version| version.id.as_str() == *indicator).unwrap();
        version.checks.append(&mut checks);
    }
    put_request(&put, false)
}

async fn app(checks: &[(&str, &str)]) -> TestApp {
    let app = TestApp::empty().await;
    app.catalogue().put_catalogue(with_checks(checks)).await.unwrap();
    app
}

fn contacts(period: &str, number: &str) -> Observation {
    figure(CONTACTS, period, number)
}

fn ratio(numerator: &str, denominator: &str) -> Observation {
    let ratio = Ratio { numerator: numerator.to_owned(), denominator: denominator.to_owned() };
    Observation { measure: Some(Measure::Ratio(ratio)), ..figure(TIMELY, YEAR, "") }
}

fn of_sex(observation: Observation, category: &str) -> Observation {
    let sex = CategoryRef { dimension: "sex".to_owned(), category: category.to_owned() };
    Observation { breakdown: vec![sex], ..observation }
}

fn explained(observation: Observation, explanation: &str) -> Observation {
    Observation { explanation: explanation.to_owned(), ..observation }
}

fn for_check(observation: Observation, check: &str, explanation: &str) -> Observation {
    let explanation = CheckExplanation { check: check.to_owned(), explanation: explanation.to_owned() };
    Observation { check_explanations: vec![explanation], ..observation }
}

/// The violations of a refusal, a line for each.
fn refused(status: &Status) -> String {
    assert_eq!(status.get_details_error_info().unwrap().reason, "INVALID_REQUEST", "{status:?}");
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.iter().fold(String::new(), |mut text, violation| {
        writeln!(text, "{}: {}", violation.field, violation.description).unwrap();
        text
    })
}

/// The findings of a receipt, a line for each.
fn findings(receipt: &Receipt) -> String {
    receipt.findings.iter().fold(String::new(), |mut text, finding| {
        let severity = finding.severity().as_str_name().trim_start_matches("CHECK_SEVERITY_").to_lowercase();
        let check = format!("{} {}/{}", severity, finding.indicator, finding.check);
        let explanation = if finding.explanation.is_empty() { "" } else { ": " };
        writeln!(
            text,
            "{} {check}: found {}; expected {}{explanation}{}",
            finding.observation, finding.found, finding.expected, finding.explanation
        )
        .unwrap();
        text
    })
}

/// What becomes of a submission: refused, or taken with findings; and checking it alone says the same.
async fn outcome(app: &TestApp, request: SubmitObservationsRequest) -> String {
    let check = SubmitObservationsRequest { validate_only: true, ..request.clone() };
    let checked = match app.try_submit(check).await {
        Ok(answer) => findings(&answer.receipt.unwrap()),
        Err(status) => format!("refused\n{}", refused(&status)),
    };
    let done = match app.try_submit(request).await {
        Ok(answer) => findings(&answer.receipt.unwrap()),
        Err(status) => format!("refused\n{}", refused(&status)),
    };
    assert_eq!(checked, done);
    done
}

/// What becomes of submissions, one after the other, each with its name.
async fn outcomes(app: &TestApp, submissions: Vec<(&str, Vec<Observation>)>) -> String {
    let mut report = String::new();
    for (name, observations) in submissions {
        let request_id = name.replace(' ', "-");
        let outcome = outcome(app, submission(&request_id, observations)).await;
        let outcome = if outcome.is_empty() { "taken".to_owned() } else { outcome.trim_end().replace('\n', "\n  ") };
        writeln!(report, "{name}\n  {outcome}").unwrap();
    }
    report
}

#[tokio::test]
async fn a_figure_that_an_error_finds_refuses_its_submission() {
    let app = app(&[
        (CONTACTS, r#"id = "plausible", severity = "error", kind = "range", min = "1", max = "200000""#),
        (TIMELY, r#"id = "within", severity = "error", kind = "numerator""#),
        (TIMELY, r#"id = "high", severity = "error", kind = "range", min = "50""#),
    ])
    .await;
    let none = [absent(CONTACTS, YEAR, Marker::NotAvailable), absent(TIMELY, YEAR, Marker::Confidential)];
    let found = [contacts(YEAR, "0"), contacts("FY2020-21", "200000.0"), contacts("FY2019-20", "200001")];
    let submissions = vec![
        ("out of range", found.to_vec()),
        ("a numerator above", vec![ratio("6", "5")]),
        ("an explanation answers no error", vec![explained(ratio("2", "5"), "a flood")]),
        ("at the ends", vec![contacts(YEAR, "1"), ratio("5", "5")]),
        ("no values", none.to_vec()),
        ("all at once", vec![contacts(YEAR, "0"), ratio("1", "5")]),
    ];
    insta::assert_snapshot!(outcomes(&app, submissions).await);
    assert_eq!(app.revision().await, 3, "what is refused leaves nothing");
}

#[tokio::test]
async fn a_query_is_answered_by_an_explanation_and_a_note_by_nothing() {
    let app = app(&[
        (CONTACTS, r#"id = "steady", severity = "query", kind = "change", tolerance = "20", tolerance_percent = "10""#),
        (CONTACTS, r#"id = "small", severity = "query", kind = "range", max = "150""#),
        (CONTACTS, r#"id = "round", severity = "note", kind = "range", max = "120""#),
        (TIMELY, r#"id = "within", severity = "query", kind = "numerator""#),
    ])
    .await;
    let submissions = vec![
        ("the first", vec![contacts("FY2019-20", "100")]),
        ("as much as is allowed", vec![contacts("FY2020-21", "120")]),
        ("more in number and within per cent", vec![contacts("FY2020-21", "121")]),
        ("found by several", vec![contacts(YEAR, "160"), ratio("6", "5")]),
        ("one of several answered", vec![for_check(contacts(YEAR, "160"), "steady", "a flood")]),
        ("all answered", vec![explained(contacts(YEAR, "160"), "a flood"), explained(ratio("6", "5"), "a backlog")]),
        ("a check that it has not", vec![for_check(contacts(YEAR, "160"), "stedy", "a flood")]),
        ("explained and not asked", vec![explained(contacts(YEAR, "115"), "no flood")]),
    ];
    insta::assert_snapshot!(outcomes(&app, submissions).await);
}

/// The years before the last one, with these numbers, the newest last.
fn years(numbers: &[&str]) -> Vec<Observation> {
    let first = 2021 - numbers.len();
    let year =
        |(at, number): (usize, &&str)| contacts(&format!("FY{}-{:02}", first + at, (first + at + 1) % 100), number);
    numbers.iter().enumerate().map(year).collect()
}

#[tokio::test]
async fn each_kind_finds_what_it_is_about() {
    let app = app(&[
        (CONTACTS, r#"id = "sexes", severity = "note", kind = "parts", dimension = "sex", tolerance = "2""#),
        (CONTACTS, r#"id = "both", severity = "note", kind = "breakdown", dimension = "sex""#),
        (CONTACTS, r#"id = "usual", severity = "note", kind = "outlier", deviations = "3", periods_min = 5"#),
        (CONTACTS, r#"id = "some", severity = "note", kind = "zero", periods_min = 5"#),
        (CONTACTS, r#"id = "steady", severity = "note", kind = "change", tolerance_percent = "50""#),
        (REFERRALS, r#"id = "fewer", severity = "note", kind = "not-above", indicator = "initial-contacts", tolerance_percent = "10""#),
    ])
    .await;
    let sexes = |total: &str, female: &str, male: &str| {
        let of = |number: &str, category| of_sex(contacts(YEAR, number), category);
        vec![contacts(YEAR, total), of(female, "female"), of(male, "male"), of("0", "not-known")]
    };
    let submissions = vec![
        ("a history", years(&["10", "12", "9", "11", "14", "10"])),
        ("an outlier", vec![contacts(YEAR, "30")]),
        ("none where never none", vec![contacts(YEAR, "0")]),
        ("parts within the tolerance", sexes("14", "6", "6")),
        ("parts that are too few", sexes("14", "5", "6")),
        ("a part alone", vec![of_sex(contacts(YEAR, "8"), "female")]),
        ("a part that is revised", vec![of_sex(contacts(YEAR, "3"), "female"), of_sex(contacts(YEAR, "3"), "male")]),
        ("a part without a value", vec![of_sex(absent(CONTACTS, YEAR, Marker::Low), "female")]),
        ("above another by the tolerance", vec![figure(REFERRALS, YEAR, "15.0")]),
        ("above another", vec![figure(REFERRALS, YEAR, "16")]),
        ("the other comes below it", vec![contacts(YEAR, "13")]),
    ];
    insta::assert_snapshot!(outcomes(&app, submissions).await);
}

#[tokio::test]
async fn what_is_missing_is_skipped_or_found() {
    let check = |missing: &str, kind: &str| {
        format!(r#"id = "{}", severity = "note", missing_values = "{missing}", {kind}"#, missing.replace("skip-", ""))
    };
    for (name, kind) in [
        ("range", r#"kind = "range", min = "0""#),
        ("change", r#"kind = "change", tolerance = "5""#),
        ("outlier", r#"kind = "outlier", deviations = "3", periods_min = 2"#),
        ("parts", r#"kind = "parts", dimension = "sex""#),
        ("not-above", r#"kind = "not-above", indicator = "referrals""#),
    ] {
        let all = ["skip-any", "skip-all", "fail"].map(|missing| check(missing, kind));
        let app = app(&all.each_ref().map(|check| (CONTACTS, check.as_str()))).await;
        let submissions = vec![
            ("a marker", vec![absent(CONTACTS, YEAR, Marker::NotAvailable)]),
            ("a figure", vec![contacts(YEAR, "5")]),
            ("a category", vec![of_sex(contacts(YEAR, "5"), "female")]),
        ];
        insta::assert_snapshot!(format!("missing_values_of_{name}"), outcomes(&app, submissions).await);
    }
}

/// Where a figure is explained.
async fn shown(app: &TestApp) -> [Vec<CheckExplanation>; 2] {
    let (indicator, area, period) = (CONTACTS.to_owned(), HAMPSHIRE.to_owned(), YEAR.to_owned());
    let explain = ExplainFigureRequest { indicator, area, period, ..Default::default() };
    let explained = app.pictures().explain_figure(explain.clone()).await.unwrap().into_inner();
    let history = GetHistoryRequest {
        indicator: explain.indicator,
        area: explain.area,
        period: explain.period,
        agency: CHILDRENS_SERVICES.to_owned(),
        ..Default::default()
    };
    let history = app.pictures().get_history(history).await.unwrap().into_inner();
    let last = history.items.last().unwrap().explanations.clone();
    [explained.contributions.into_iter().flat_map(|it| it.explanations).collect(), last]
}

fn texts(explanations: &[CheckExplanation]) -> Vec<String> {
    explanations.iter().map(|it| format!("{}:{}", it.check, it.explanation)).collect()
}

#[tokio::test]
async fn an_explanation_is_kept_and_shown_with_its_figure_after_a_restart_too() {
    let mut app = app(&[
        (CONTACTS, r#"id = "small", severity = "query", kind = "range", max = "150""#),
        (CONTACTS, r#"id = "tiny", severity = "query", kind = "range", max = "100""#),
    ])
    .await;
    let both =
        Observation { explanation: "a flood".to_owned(), ..for_check(contacts(YEAR, "160"), "small", "a new form") };
    let request = submission("one", [both.clone(), contacts("FY2020-21", "5")]);
    let first = app.receipt(request.clone()).await;
    let retold = findings(&first);
    assert_eq!(retold.lines().count(), 2, "{retold}");
    for _ in 0..2 {
        let [explained, history] = shown(&app).await;
        assert_eq!(texts(&explained), [":a flood", "small:a new form"]);
        assert_eq!(texts(&history), texts(&explained));
        let get = GetSubmissionRequest {
            agency: CHILDRENS_SERVICES.to_owned(),
            request_id: "one".to_owned(),
            ..Default::default()
        };
        let got = app.submissions().get_submission(get).await.unwrap().into_inner();
        assert_eq!((&got.observations[0], got.receipt.as_ref()), (&both, Some(&first)));
        let again = app.submit(request.clone()).await;
        assert_eq!((again.already_received, again.receipt.as_ref()), (true, Some(&first)));
        app.restart().await;
    }

    // The same figure explained anew, then another, then that taken back.
    app.receipt(submission("two", [explained(contacts(YEAR, "160.0"), "twice the forms")])).await;
    assert_eq!(texts(&shown(&app).await[0]), [":twice the forms"]);
    app.receipt(submission("three", [explained(contacts(YEAR, "170"), "more still")])).await;
    assert_eq!(texts(&shown(&app).await[1]), [":more still"]);
    for (request_id, left) in [("three", vec![":twice the forms"]), ("two", vec![":a flood", "small:a new form"])] {
        app.withdraw(request_id).await;
        assert_eq!(texts(&shown(&app).await[0]), left);
    }
}

#[tokio::test]
async fn an_explanation_is_content_and_columns_carry_it_too() {
    let app = app(&[(CONTACTS, r#"id = "small", severity = "query", kind = "range", max = "150""#)]).await;
    app.receipt(submission("one", [explained(contacts(YEAR, "160"), "a flood")])).await;
    for other in [
        contacts(YEAR, "160"),
        explained(contacts(YEAR, "160"), "floods"),
        for_check(contacts(YEAR, "160"), "small", "a flood"),
    ] {
        let refused = app.try_submit(submission("one", [other])).await.unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "REQUEST_ID_REUSED");
    }
    let columns = |explanations: Vec<(u32, &str, &str)>| {
        let explanation = |(figure, check, text): (u32, &str, &str)| FigureExplanation {
            figure,
            check: check.to_owned(),
            explanation: text.to_owned(),
        };
        FigureColumns {
            indicators: vec![CONTACTS.to_owned()],
            areas: vec![HAMPSHIRE.to_owned()],
            periods: vec![YEAR.to_owned(), "FY2020-21".to_owned()],
            period: vec![1, 0],
            digits: vec![5, 160],
            explanations: explanations.into_iter().map(explanation).collect(),
            ..FigureColumns::default()
        }
    };
    let request = |request_id: &str, explanations| SubmitObservationsRequest {
        columns: Some(columns(explanations)),
        ..submission(request_id, [])
    };
    let mut report = String::new();
    for (name, explanations) in [
        ("nothing", vec![]),
        ("for all checks", vec![(1, "", "a flood")]),
        ("for one", vec![(1, "small", "a flood"), (1, "", "floods")]),
        ("of another figure", vec![(0, "", "a flood")]),
        ("of no figure, and twice", vec![(2, "", "a flood"), (1, "small", "a"), (1, "small", "b")]),
        ("no text, no check's id", vec![(1, "small", ""), (1, "Small", "a"), (1, "", "n\u{202e}")]),
        ("a check that it has not", vec![(0, "smaller", "a flood"), (1, "", "a flood")]),
    ] {
        let outcome = outcome(&app, request(&name.replace([' ', ','], "-"), explanations)).await;
        writeln!(report, "{name}\n{outcome}").unwrap();
    }
    insta::assert_snapshot!(report);
}

#[tokio::test]
async fn a_receipt_names_the_first_findings_and_counts_the_others() {
    let app = app(&[
        (CONTACTS, r#"id = "a", severity = "note", kind = "range", max = "0""#),
        (CONTACTS, r#"id = "b", severity = "note", kind = "range", max = "1""#),
    ])
    .await;
    let many: Vec<Observation> =
        (1940..2020).map(|year: i32| contacts(&format!("FY{year}-{:02}", (year + 1) % 100), "7")).collect();
    let receipt = app.receipt(submission("many", many)).await;
    assert_eq!((receipt.findings.len(), receipt.more_findings_count), (100, 60));
    assert_eq!((receipt.findings[99].observation, receipt.findings[99].check.as_str()), (49, "b"));
    assert_eq!(receipt.findings[0].severity(), CheckSeverity::Note);
}

#[tokio::test]
async fn checks_are_versioned_with_their_indicator_and_come_back_as_they_were_put() {
    let app = app(&[]).await;
    let request = with_checks(&[
        (CONTACTS, r#"id = "steady", severity = "query", kind = "change", tolerance = "20", missing_values = "fail""#),
        (CONTACTS, r#"id = "usual", severity = "note", kind = "outlier", deviations = "3.5", periods_min = 5"#),
    ]);
    let put = |request: &PutCatalogueRequest| {
        let (mut client, request) = (app.catalogue(), request.clone());
        async move { client.put_catalogue(request).await.unwrap().into_inner() }
    };
    app.receipt(submission("before", [contacts(YEAR, "5")])).await;
    assert_eq!(put(&request).await.revision, 3);
    assert_eq!(put(&request).await.revision, 3, "unchanged");
    let get = |as_of_revision| {
        let (mut client, request) =
            (app.catalogue(), GetIndicatorRequest { id: CONTACTS.to_owned(), as_of_revision, ..Default::default() });
        async move { client.get_indicator(request).await.unwrap().into_inner().versions[0].clone() }
    };
    let sent = request.indicators.iter().find(|indicator| indicator.id == CONTACTS).unwrap();
    assert_eq!(&get(0).await, sent);
    assert!(get(2).await.checks.is_empty());
    // What was accepted before stays, and so does its receipt.
    let again = app.submit(submission("before", [contacts(YEAR, "5")])).await;
    assert!(again.already_received && again.receipt.unwrap().findings.is_empty());
    let new = app.try_submit(submission("after", [contacts(YEAR, "6")])).await.unwrap_err();
    assert_eq!(refused(&new).lines().count(), 1);
}

#[tokio::test]
async fn checks_that_could_not_hold_are_refused() {
    const STOCK: &str = "children-looked-after";
    let app = TestApp::empty().await;
    let mut report = String::new();
    for (name, checks) in [
        ("a range of nothing", vec![(CONTACTS, r#"id = "a", severity = "error", kind = "range""#)]),
        (
            "a range that ends before it begins",
            vec![(CONTACTS, r#"id = "a", severity = "error", kind = "range", min = "2", max = "1.9""#)],
        ),
        ("a numerator of events", vec![(CONTACTS, r#"id = "a", severity = "error", kind = "numerator""#)]),
        (
            "parts of a ratio, which it isn't broken down by",
            vec![(TIMELY, r#"id = "a", severity = "error", kind = "parts", dimension = "sex""#)],
        ),
        (
            "a dimension that it hasn't",
            vec![(CONTACTS, r#"id = "a", severity = "error", kind = "breakdown", dimension = "ethnicity""#)],
        ),
        (
            "not above what isn't there",
            vec![(CONTACTS, r#"id = "a", severity = "error", kind = "not-above", indicator = "contracts""#)],
        ),
        (
            "not above itself",
            vec![(CONTACTS, r#"id = "a", severity = "error", kind = "not-above", indicator = "initial-contacts""#)],
        ),
        (
            "not above a ratio",
            vec![(CONTACTS, r#"id = "a", severity = "error", kind = "not-above", indicator = "assessments-timely""#)],
        ),
        (
            "not above each other, in a circle",
            vec![
                (CONTACTS, r#"id = "a", severity = "error", kind = "not-above", indicator = "referrals""#),
                (REFERRALS, r#"id = "a", severity = "error", kind = "not-above", indicator = "children-looked-after""#),
                (STOCK, r#"id = "a", severity = "note", kind = "not-above", indicator = "initial-contacts""#),
            ],
        ),
        ("a change without a tolerance", vec![(CONTACTS, r#"id = "a", severity = "error", kind = "change""#)]),
        (
            "a ratio's change in per cent",
            vec![(TIMELY, r#"id = "a", severity = "error", kind = "change", tolerance_percent = "5""#)],
        ),
        (
            "tolerances that are none",
            vec![
                (
                    CONTACTS,
                    r#"id = "a", severity = "error", kind = "change", tolerance = "-1", tolerance_percent = "1001""#,
                ),
                (
                    CONTACTS,
                    r#"id = "b", severity = "error", kind = "range", min = "0", tolerance = "1", tolerance_percent = "2""#,
                ),
            ],
        ),
        (
            "histories of no length",
            vec![
                (CONTACTS, r#"id = "a", severity = "error", kind = "outlier", deviations = "0", periods_min = 0"#),
                (
                    CONTACTS,
                    r#"id = "b", severity = "error", kind = "outlier", deviations = "1000.1", periods_min = 121"#,
                ),
                (CONTACTS, r#"id = "c", severity = "error", kind = "zero", periods_min = 0"#),
            ],
        ),
        ("one twice", vec![(TIMELY, r#"id = "a", severity = "error", kind = "numerator""#); 2]),
        ("twenty-one", vec![(CONTACTS, r#"id = "a", severity = "error", kind = "range", min = "0""#); 21]),
    ] {
        let status = app.catalogue().put_catalogue(with_checks(&checks)).await.unwrap_err();
        let violations = refused(&status);
        // Which of the demo's indicators it is isn't the point.
        let lines = violations.lines().take(4).map(|line| line.split_once("].").unwrap().1);
        writeln!(report, "{name}\n  {}", lines.collect::<Vec<_>>().join("\n  ")).unwrap();
    }
    let mut put = with_checks(&[(CONTACTS, r#"id = "a", severity = "error", kind = "zero", periods_min = 1"#)]);
    let at = put.indicators.iter().position(|indicator| indicator.id == CONTACTS).unwrap();
    put.indicators[at].checks[0] =
        conspectus::rpc::proto::Check { tolerance: "wide".to_owned(), missing_values: 9, ..Default::default() };
    let status = app.catalogue().put_catalogue(put).await.unwrap_err();
    writeln!(report, "nothing at all\n{}", refused(&status)).unwrap();
    insta::assert_snapshot!(report);
    assert_eq!(app.revision().await, 0);
}

//! What two published reports say of their own tables, asked of the service.

use conspectus::rpc::proto::{
    AggregateRow, Comparison, GetSubmissionRequest, GroupBy, PeriodRange, QueryAggregateRequest,
};

use crate::app::{CHILDRENS_SERVICES, TestApp, figure_text, outcome_texts, query, refusal_text};

/// A row in short: `106010 to 117188: +11178, 10.5 %`.
fn text(row: &AggregateRow) -> String {
    let value = figure_text(row.figure.as_ref().unwrap());
    let Some(change) = &row.change else { return value };
    let from = change.from.as_ref().map(figure_text).unwrap_or_default();
    let difference = change.difference.as_deref().unwrap_or("no difference");
    let percent = change.percent.as_deref().unwrap_or("none");
    format!("{} {from} to {value}: {difference}, {percent} %", change.from_period)
}

async fn check(app: &TestApp, request: QueryAggregateRequest, expect: &[&str]) {
    let question = format!("{:?} {:?}", request.indicators, request.periods);
    let rows = app.query(request).await;
    assert_eq!(rows.iter().map(text).collect::<Vec<_>>(), expect, "{question}");
}

#[tokio::test]
async fn the_changes_that_the_reports_print_are_the_services_answers() {
    let app = TestApp::with_demo().await;
    let cases = [
        // 2018/19 report: "11.9%" more contacts in 2016-17 than the year before.
        ("initial-contacts", "FY2016-17", "FY2015-16 77934 to 87235: 9301, 11.9 %"),
        // 2021/22 report: "21%" more contacts in 2021-22 than the year before.
        ("initial-contacts", "FY2021-22", "FY2020-21 126153 to 153033: 26880, 21.3 %"),
        // 2018/19 report: full-time children looked after rose by 72, 4.5%, to 31 March 2019.
        ("children-looked-after", "FY2018-19", "FY2017-18 1592 to 1664: 72, 4.5 %"),
        // As the later report has it for 2017-18: not 19,435 "CIN referrals" to 35,953 "referrals".
        ("referrals", "FY2017-18", "FY2016-17 NOT_REPORTED to 35953: no difference, none %"),
    ];
    for (indicator, period, expect) in cases {
        let request = QueryAggregateRequest {
            comparison: Comparison::PreviousPeriod.into(),
            ..query([indicator], [period], [GroupBy::Period])
        };
        check(&app, request, &[expect]).await;
    }
    // 2018/19 report: "34%" more contacts in 2018-19 than two years before.
    let two_years = QueryAggregateRequest {
        compare_with: "FY2016-17".to_owned(),
        ..query(["initial-contacts"], ["FY2018-19"], [GroupBy::Period])
    };
    check(&app, two_years, &["FY2016-17 87235 to 117188: 29953, 34.3 %"]).await;
}

#[tokio::test]
async fn two_kinds_of_referrals_are_never_one_series() {
    let app = TestApp::with_demo().await;
    let both = ["referrals", "cin-referrals"];
    let request = QueryAggregateRequest {
        comparison: Comparison::PreviousPeriod.into(),
        ..query(both, ["FY2017-18"], [GroupBy::Indicator])
    };
    let rows = app.query(request).await;
    let texts: Vec<_> = rows.iter().map(|row| format!("{} {}", row.indicator, text(row))).collect();
    assert_eq!(
        texts,
        [
            "cin-referrals FY2016-17 19435 to 16596: -2839, -14.6 %",
            "referrals FY2016-17 NOT_REPORTED to 35953: no difference, none %",
        ]
    );
    let together = app.try_query(query(both, ["FY2017-18"], [])).await.unwrap_err();
    insta::assert_snapshot!(refusal_text(&together), @r"
    InvalidArgument INVALID_REQUEST
      group_by: several indicators never combine; group by indicator, or ask for one
    ");
}

#[tokio::test]
async fn timeliness_over_two_years_is_weighted_by_the_assessments() {
    let app = TestApp::with_demo().await;
    let range = PeriodRange { first: "2017-18".to_owned(), last: "2018/19".to_owned() };
    let rows =
        app.query(QueryAggregateRequest { period_range: Some(range), ..query(["assessments-timely"], [], []) }).await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let figure = row.figure.as_ref().unwrap();
    // 87.9 % of 18,496 is 16,257.984; 90.9 % of 18,003 is 16,364.727.
    assert_eq!(figure.numerator.as_deref(), Some("32622.711"));
    assert_eq!(figure.denominator.as_deref(), Some("36499"));
    assert_eq!(figure.value.as_deref(), Some("89.4"));
}

#[tokio::test]
async fn figures_that_both_reports_print_are_unchanged_in_the_laters_receipt() {
    let app = TestApp::with_demo().await;
    let request = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "demo-2021-22-report".to_owned(),
        ..Default::default()
    };
    let later = app.submissions().get_submission(request).await.unwrap().into_inner();
    let receipt = later.receipt.unwrap();
    let unchanged: Vec<String> = later
        .observations
        .iter()
        .zip(outcome_texts(&receipt))
        .filter(|(_, outcome)| outcome == "unchanged since 2")
        .map(|(observation, _)| format!("{} {}", observation.indicator, observation.period))
        .collect();
    // 87.90 % is the figure that 87.9 % was.
    assert_eq!(
        unchanged,
        [
            "initial-contacts FY2017-18",
            "initial-contacts FY2018-19",
            "assessments-timely FY2017-18",
            "assessments-timely FY2018-19",
        ]
    );
    assert_eq!((receipt.unchanged_count, receipt.revised_count), (4, 0));
}

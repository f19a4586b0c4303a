//! The further questions: rates, shares, ranks, benchmarks, breakdowns, explanations, histories, what
//! is expected of whom, who disagrees. On a small world of their own, so that every number can be worked out by
//! hand.

use conspectus::catalogue::CataloguePut;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    AggregateRow, CategoryRef, Comparison, ExplainFigureRequest, ExplainFigureResponse, GetCompletenessRequest,
    GetHistoryRequest, GroupBy, Marker, Observation, Percentage, QueryAggregateRequest, ReconcileRequest,
    SubmitObservationsRequest, WithdrawSubmissionRequest,
};
use conspectus::rpc::put_request;

use crate::app::{TestApp, figure_text};

const CATALOGUE: &str = r#"
    areas = [
        { code = "C", name = "County", level = "upper-tier" },
        { code = "D1", name = "First", level = "district", parents = [{ code = "C" }] },
        { code = "D2", name = "Second", level = "district", parents = [{ code = "C" }] },
        { code = "D3", name = "Third", level = "district", parents = [{ code = "C" }] },
    ]
    agencies = [
        { id = "police", name = "Police", sector = "police", areas = ["C", "D1", "D2", "D3"] },
        { id = "care", name = "Care", sector = "social-care", areas = ["C", "D1", "D2", "D3"] },
        { id = "health", name = "Health", sector = "health", areas = ["C"] },
    ]
    dimensions = [{ id = "sex", title = "Sex", categories = [{ id = "female", title = "Female" }, { id = "male", title = "Male" }] }]

    [[indicators]]
    id = "sent"
    title = "Referrals sent"
    unit = "referrals"
    kind = "events"
    frequency = "month"
    due_days = 30
    reporting_level = "district"
    across_agencies = "add"
    polarity = "lower-is-better"
    dimensions = ["sex"]
    expected_agencies = [{ agency = "police" }]
    rate = { population_indicator = "children", per = 1000, rule = "latest", decimals = 2 }

    [[indicators]]
    id = "received"
    title = "Referrals received"
    unit = "referrals"
    kind = "events"
    frequency = "month"
    reporting_level = "district"
    across_agencies = "add"
    expected_agencies = [{ agency = "care" }]

    [[indicators]]
    id = "children"
    title = "Children"
    unit = "children"
    kind = "stock"
    frequency = "calendar-year"
    reporting_level = "district"
    across_agencies = "add"

    [[indicators]]
    id = "in-time"
    title = "In time"
    unit = "per cent"
    kind = "ratio"
    decimals = 1
    frequency = "month"
    reporting_level = "district"
    across_agencies = "add"

    [[indicators]]
    id = "led"
    title = "Missing children"
    unit = "children"
    kind = "ratio"
    decimals = 1
    frequency = "month"
    reporting_level = "district"
    across_agencies = "lead"
    lead_agency = "care"

    [[reconciliation_rules]]
    id = "referrals"
    title = "Sent and received"
    left = { indicator = "sent", agency = "police" }
    right = { indicator = "received", agency = "care" }
    tolerance = "1"
    tolerance_percent = "10"
"#;

/// Figures as `indicator area period value [sex]`, one on a line.
pub(crate) fn submission(agency: &str, request_id: &str, figures: &str) -> SubmitObservationsRequest {
    let observation = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let measure = match words[3].split_once('/') {
            Some((numerator, denominator)) => Measure::Ratio(conspectus::rpc::proto::Ratio {
                numerator: numerator.to_owned(),
                denominator: denominator.to_owned(),
            }),
            None => Measure::Number(words[3].to_owned()),
        };
        let sex = words.get(4).map(|sex| CategoryRef { dimension: "sex".to_owned(), category: (*sex).to_owned() });
        Observation {
            indicator: words[0].to_owned(),
            area: words[1].to_owned(),
            period: words[2].to_owned(),
            breakdown: sex.into_iter().collect(),
            measure: Some(measure),
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

async fn world() -> TestApp {
    let app = TestApp::empty().await;
    let put: CataloguePut = toml::from_str(CATALOGUE).unwrap();
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    app.receipt(submission(
        "police",
        "police-1",
        "sent D1 2022-04 10\n sent D2 2022-04 30\n sent D3 2022-04 60
         sent D1 2022-05 20\n sent D2 2022-05 30
         sent D1 2022-04 4 female\n sent D1 2022-04 5 male
         children D1 CY2021 1000\n children D2 CY2021 6000\n children D3 CY2021 3000
         in-time D1 2022-04 8/10\n in-time D2 2022-04 30/90",
    ))
    .await;
    app.receipt(submission(
        "care",
        "care-1",
        "received D1 2022-04 11\n received D2 2022-04 20\n received D3 2022-05 7",
    ))
    .await;
    app
}

fn districts(indicator: &str, period: &str) -> QueryAggregateRequest {
    QueryAggregateRequest {
        indicators: vec![indicator.to_owned()],
        areas: vec!["C".to_owned()],
        area_level: 5,
        periods: vec![period.to_owned()],
        group_by: vec![GroupBy::Area.into()],
        ..QueryAggregateRequest::default()
    }
}

fn row_texts(rows: &[AggregateRow]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let mut text =
                format!("{}{}{} {}", row.area, row.category, row.period, figure_text(row.figure.as_ref().unwrap()));
            if let Some(rate) = &row.rate {
                text += &format!(
                    ", {} per {} of {}",
                    rate.value.clone().unwrap_or_default(),
                    rate.per,
                    rate.population_period
                );
            }
            if let Some(share) = &row.share {
                text += &format!(
                    ", {}% of {}",
                    share.percent.clone().unwrap_or_default(),
                    figure_text(share.total.as_ref().unwrap())
                );
            }
            if let Some(rank) = &row.rank {
                text += &format!(", {} of {} in quarter {}", rank.rank, rank.of, rank.quartile);
            }
            if let Some(benchmark) = &row.benchmark {
                let (value, difference) = (&benchmark.value, &benchmark.difference);
                text +=
                    &format!(", {} from {}", difference.clone().unwrap_or_default(), value.clone().unwrap_or_default());
            }
            text
        })
        .collect()
}

#[tokio::test]
async fn rates_shares_and_ranks_stand_beside_each_area() {
    let app = world().await;
    let query = QueryAggregateRequest { rate: true, share: true, rank: true, ..districts("sent", "2022-04") };
    assert_eq!(
        row_texts(&app.query(query).await),
        [
            "D1 10, 10.00 per 1000 of 2021-12-31, 10.0% of 100, 2 of 3 in quarter 2",
            "D2 30, 5.00 per 1000 of 2021-12-31, 30.0% of 100, 1 of 3 in quarter 1",
            "D3 60, 20.00 per 1000 of 2021-12-31, 60.0% of 100, 3 of 3 in quarter 3",
        ]
    );
}

#[tokio::test]
async fn a_benchmark_is_the_group_together_and_never_a_mean_of_percentages() {
    let app = world().await;
    let query = QueryAggregateRequest { benchmark_areas: vec!["C".to_owned()], ..districts("in-time", "2022-04") };
    assert_eq!(
        row_texts(&app.query(query).await),
        // 38 of 100, not the mean of 80 and 33.3.
        ["D1 80.0, 42.0 from 38.0", "D2 33.3, -4.7 from 38.0", "D3 NOT_REPORTED,  from 38.0"]
    );
}

#[tokio::test]
async fn a_lead_that_was_not_asked_for_has_not_failed_to_report() {
    let app = world().await;
    let query = |agencies: [&str; 2]| QueryAggregateRequest {
        indicators: vec!["led".to_owned()],
        areas: vec!["D1".to_owned()],
        agencies: agencies.map(str::to_owned).to_vec(),
        periods: vec!["2022-04".to_owned()],
        ..QueryAggregateRequest::default()
    };
    assert_eq!(row_texts(&app.query(query(["care", "police"])).await), [" LEAD_NOT_REPORTED"]);
    assert_eq!(row_texts(&app.query(query(["health", "police"])).await), [" LEAD_NOT_ASKED"]);
}

/// A printed percentage is shown as it was printed; the quarter's is combined of two, and so an estimate.
#[tokio::test]
async fn only_what_is_combined_from_printed_percentages_is_estimated() {
    let app = world().await;
    let mut request = submission("care", "care-2", "led D1 2022-04 0\n led D1 2022-05 0");
    for (observation, percent) in request.observations.iter_mut().zip(["80", "90"]) {
        let percentage = Percentage { percent: percent.to_owned(), base: "10".to_owned() };
        observation.measure = Some(Measure::Percentage(percentage));
    }
    app.receipt(request).await;
    for (period, value, markers) in
        [("2022-04", "80.0", vec![]), ("FY2022-23-Q1", "85.0", vec![i32::from(Marker::Estimated)])]
    {
        let query = QueryAggregateRequest { areas: vec!["D1".to_owned()], area_level: 0, ..districts("led", period) };
        let figure = app.query(query).await[0].figure.clone().unwrap();
        assert_eq!((figure.value.as_deref(), figure.markers), (Some(value), markers));
    }
}

#[tokio::test]
async fn a_breakdown_stands_beside_its_total_and_a_difference_between_them_is_reported() {
    let app = world().await;
    let query = QueryAggregateRequest { by_dimension: "sex".to_owned(), ..districts("sent", "2022-04") };
    let rows = app.query(QueryAggregateRequest { areas: vec!["D1".to_owned()], ..query }).await;
    assert_eq!(row_texts(&rows), ["D1 10", "D1female 4", "D1male 5"]);
    let [discrepancy] = rows[0].figure.as_ref().unwrap().discrepancies.as_slice() else { panic!("one discrepancy") };
    assert_eq!(
        (
            discrepancy.dimension.as_str(),
            discrepancy.submitted.as_str(),
            discrepancy.parts.as_str(),
            discrepancy.difference.as_str()
        ),
        ("sex", "10", "9", "-1")
    );
}

#[tokio::test]
async fn a_year_to_date_grows_and_says_what_is_missing_of_it() {
    let app = world().await;
    let query = QueryAggregateRequest {
        area_level: 0,
        periods: vec!["2022-04".to_owned(), "2022-05".to_owned()],
        group_by: vec![GroupBy::Period.into()],
        year_to_date: true,
        ..districts("sent", "2022-04")
    };
    let rows = app.query(query).await;
    assert_eq!(row_texts(&rows), ["2022-04 100", "2022-05 150"]);
    let coverage = rows[1].figure.as_ref().unwrap().coverage.as_ref().unwrap();
    assert_eq!((coverage.reported, coverage.expected, coverage.complete), (5, 6, false));
}

#[tokio::test]
async fn a_submitted_year_beats_its_months_and_their_difference_is_reported() {
    let app = world().await;
    let months: String = (4..=12).map(|month| format!("sent C 2021-{month:02} 10\n")).collect();
    let rest: String = (1..=3).map(|month| format!("sent C 2022-{month:02} 10\n")).collect();
    app.receipt(submission("police", "police-2", &format!("{months}{rest}sent C FY2021-22 125"))).await;
    let query = QueryAggregateRequest { area_level: 0, ..districts("sent", "FY2021-22") };
    let rows = app.query(query).await;
    assert_eq!(row_texts(&rows), ["C 125"]);
    let [discrepancy] = rows[0].figure.as_ref().unwrap().discrepancies.as_slice() else { panic!("one discrepancy") };
    assert_eq!((discrepancy.parts.as_str(), discrepancy.difference.as_str()), ("120", "-5"));
}

#[tokio::test]
async fn a_stock_is_the_same_for_every_period_that_ends_on_its_day() {
    let app = world().await;
    let query = QueryAggregateRequest {
        area_level: 0,
        periods: ["2021-12", "2021-12-31", "FY2021-22-Q3", "CY2021"].map(str::to_owned).to_vec(),
        group_by: vec![GroupBy::Period.into()],
        ..districts("children", "CY2021")
    };
    let values: Vec<String> =
        app.query(query).await.iter().map(|row| figure_text(row.figure.as_ref().unwrap())).collect();
    assert_eq!(values, ["10000", "10000", "10000", "10000"]);
}

async fn explained(app: &TestApp, agency: &str, area: &str, period: &str) -> ExplainFigureResponse {
    let request = ExplainFigureRequest {
        indicator: "sent".to_owned(),
        area: area.to_owned(),
        period: period.to_owned(),
        agency: agency.to_owned(),
        ..ExplainFigureRequest::default()
    };
    app.pictures().explain_figure(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn an_explanation_names_every_figure_that_went_in_and_gives_the_sum() {
    let app = world().await;
    let answer = explained(&app, "police", "C", "2022-04").await;
    assert_eq!(answer.formula, "10 + 30 + 60 = 100");
    assert_eq!(
        answer.rule,
        "Events add over time and over areas. This figure is built from those of the areas directly below."
    );
    let contributions: Vec<String> = answer
        .contributions
        .iter()
        .map(|one| format!("{} {} {} {} {}", one.agency, one.area, one.period, one.value, one.request_id))
        .collect();
    assert_eq!(
        contributions,
        ["police D1 2022-04 10 police-1", "police D2 2022-04 30 police-1", "police D3 2022-04 60 police-1"]
    );
    let nothing = explained(&app, "", "C", "2019-04").await;
    assert_eq!((nothing.contribution_count, nothing.formula.as_str()), (0, ""));
}

#[tokio::test]
async fn a_history_has_every_value_with_its_submission_and_its_withdrawal() {
    let app = world().await;
    app.receipt(submission("police", "police-2", "sent D1 2022-04 12")).await;
    let withdrawal = WithdrawSubmissionRequest {
        agency: "police".to_owned(),
        request_id: "police-2".to_owned(),
        reason: "counted twice".to_owned(),
        validate_only: false,
    };
    app.submissions().withdraw_submission(withdrawal).await.unwrap();
    let request = GetHistoryRequest {
        indicator: "sent".to_owned(),
        agency: "police".to_owned(),
        area: "D1".to_owned(),
        period: "April 2022".to_owned(),
        breakdown: Vec::new(),
        ..GetHistoryRequest::default()
    };
    let answer = app.pictures().get_history(request).await.unwrap().into_inner();
    let items: Vec<String> = answer
        .items
        .iter()
        .map(|item| format!("{} {} {}", item.event().as_str_name(), item.value, item.request_id))
        .collect();
    assert_eq!(
        items,
        [
            "HISTORY_EVENT_SUBMITTED 10 police-1",
            "HISTORY_EVENT_SUBMITTED 12 police-2",
            "HISTORY_EVENT_RESTORED 10 police-1"
        ]
    );
}

#[tokio::test]
async fn completeness_says_what_is_expected_of_whom_and_how_late_it_came() {
    let app = world().await;
    let request = GetCompletenessRequest {
        area: "C".to_owned(),
        periods: vec!["2022-04".to_owned(), "2022-05".to_owned()],
        indicators: vec!["sent".to_owned(), "received".to_owned()],
        ..GetCompletenessRequest::default()
    };
    let answer = app.pictures().get_completeness(request.clone()).await.unwrap().into_inner();
    let rates: Vec<String> = answer
        .rates
        .iter()
        .map(|rate| {
            format!("{} {}: {} of {}, {} late", rate.agency, rate.period, rate.reported, rate.expected, rate.late)
        })
        .collect();
    assert_eq!(
        rates,
        [
            "care 2022-04: 2 of 3, 1 late",
            "care 2022-05: 1 of 3, 2 late",
            "police 2022-04: 3 of 3, 0 late",
            "police 2022-05: 2 of 3, 1 late"
        ]
    );
    assert!(answer.slots.iter().all(|slot| slot.days_late > 0), "all of it came or is years after its due date");
    let late = GetCompletenessRequest { late_only: true, ..request };
    let answer = app.pictures().get_completeness(late).await.unwrap().into_inner();
    let slots: Vec<String> = answer
        .slots
        .iter()
        .map(|slot| format!("{} {} {} {} due {}", slot.agency, slot.indicator, slot.area, slot.period, slot.due))
        .collect();
    assert_eq!(
        slots,
        [
            "care received D1 2022-05 due 2022-05-31",
            "care received D2 2022-05 due 2022-05-31",
            "care received D3 2022-04 due 2022-04-30",
            "police sent D3 2022-05 due 2022-06-30"
        ]
    );
}

#[tokio::test]
async fn figures_that_should_agree_are_listed_when_they_do_not() {
    let app = world().await;
    let request = ReconcileRequest {
        areas: vec!["C".to_owned()],
        area_level: 5,
        periods: vec!["2022-04".to_owned(), "2022-05".to_owned()],
        ..ReconcileRequest::default()
    };
    let rows = |rows: Vec<conspectus::rpc::proto::ReconciliationRow>| -> Vec<String> {
        let row = |row: &conspectus::rpc::proto::ReconciliationRow| {
            let (left, right) = (figure_text(row.left.as_ref().unwrap()), figure_text(row.right.as_ref().unwrap()));
            let status = row.status().as_str_name().trim_start_matches("RECONCILIATION_STATUS_").to_owned();
            format!(
                "{} {} {left} {right} {} {status}",
                row.area,
                row.period,
                row.difference.clone().unwrap_or_default()
            )
        };
        rows.iter().map(row).collect()
    };
    let answer = app.pictures().reconcile(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        rows(answer.rows),
        [
            "D1 2022-05 20 NOT_REPORTED  ONE_SIDED",
            "D2 2022-04 30 20 10 DIFFERS",
            "D2 2022-05 30 NOT_REPORTED  ONE_SIDED",
            "D3 2022-04 60 NOT_REPORTED  ONE_SIDED",
            "D3 2022-05 NOT_REPORTED 7  ONE_SIDED",
        ]
    );
    let answer = app.pictures().reconcile(ReconcileRequest { include_agreeing: true, ..request }).await.unwrap();
    assert_eq!(rows(answer.into_inner().rows)[0], "D1 2022-04 10 11 -1 AGREES");
}

#[tokio::test]
async fn what_has_no_right_answer_is_refused_with_the_reason() {
    let app = world().await;
    let cases = [
        ("a rate of what has none", QueryAggregateRequest { rate: true, ..districts("received", "2022-04") }),
        ("a share of percentages", QueryAggregateRequest { share: true, ..districts("in-time", "2022-04") }),
        (
            "a rank of areas together",
            QueryAggregateRequest { rank: true, group_by: Vec::new(), ..districts("sent", "2022-04") },
        ),
        (
            "a benchmark of counts",
            QueryAggregateRequest { benchmark_areas: vec!["C".to_owned()], ..districts("sent", "2022-04") },
        ),
        ("a cumulative year", QueryAggregateRequest { year_to_date: true, ..districts("sent", "CY2021") }),
        ("a cumulative academic year", QueryAggregateRequest { year_to_date: true, ..districts("sent", "AY2020-21") }),
        (
            "a dimension that isn't there",
            QueryAggregateRequest { by_dimension: "age".to_owned(), ..districts("sent", "2022-04") },
        ),
        (
            "a change from a later period",
            QueryAggregateRequest { compare_with: "2022-06".to_owned(), ..districts("sent", "2022-04") },
        ),
        (
            "a change from itself under another name",
            QueryAggregateRequest { compare_with: "FY2021-22-Q1".to_owned(), ..districts("sent", "CY2021-Q2") },
        ),
        (
            "two things to compare with",
            QueryAggregateRequest {
                compare_with: "2022-03".to_owned(),
                comparison: Comparison::PreviousPeriod.into(),
                ..districts("sent", "2022-04")
            },
        ),
    ];
    let mut refusals = String::new();
    for (name, request) in cases {
        let refusal = app.try_query(request).await.expect_err(name);
        refusals += &format!("{name}: {}\n", refusal.message());
    }
    insta::assert_snapshot!(refusals);
}

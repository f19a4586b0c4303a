//! Rates, shares, ranks, benchmarks, changes and years to date: each rests on everything that went into
//! it, is of the same thing on both sides, and says when something is missing. On small worlds, so that
//! every number can be worked out by hand.

use conspectus::catalogue::CataloguePut;
use conspectus::rpc::proto::{
    AggregateRow, CategoryRef, ChangeGap, Comparison, ExplainFigureRequest, Gap, GetCompletenessRequest,
    GetPictureRequest, GroupBy, Marker, QueryAggregateRequest, ReconcileRequest, WatchAggregateRequest,
};
use conspectus::rpc::put_request;

use crate::app::{CONSTABULARY, TestApp, figure_text, refusal_text};
use crate::querying::submission;

/// A partnership of three authorities, one of which has two districts.
const AREAS: &str = r#"
    areas = [
        { code = "P", name = "Partnership", level = "partnership" },
        { code = "U1", name = "First", level = "upper-tier", parents = [{ code = "P" }] },
        { code = "U2", name = "Second", level = "upper-tier", parents = [{ code = "P" }] },
        { code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P" }] },
    ]
"#;

const CATALOGUE: &str = r#"
    agencies = [
        { id = "police", name = "Police", sector = "police", areas = ["P", "U1", "U2", "U3"] },
        { id = "care", name = "Care", sector = "social-care", areas = ["P", "U1", "U2", "U3"] },
    ]
    dimensions = [
        { id = "sex", title = "Sex", categories = [{ id = "male", title = "Male" }, { id = "female", title = "Female" }] },
        { id = "age", title = "Age", categories = [{ id = "young", title = "Young" }] },
    ]

    [[indicators]]
    id = "pop"
    title = "Population"
    unit = "people"
    kind = "stock"
    frequency = "quarter"
    reporting_level = "upper-tier"
    across_agencies = "add"
    dimensions = ["sex"]

    [[indicators]]
    id = "ev"
    title = "Events"
    unit = "events"
    kind = "events"
    frequency = "month"
    reporting_level = "upper-tier"
    across_agencies = "add"
    polarity = "lower-is-better"
    dimensions = ["sex", "age"]
    expected_agencies = [{ agency = "police" }]
    rate = { population_indicator = "pop", per = 1000, rule = "latest", decimals = 1 }

    [[indicators]]
    id = "timely"
    title = "In time"
    unit = "per cent"
    kind = "ratio"
    decimals = 1
    frequency = "month"
    reporting_level = "upper-tier"
    across_agencies = "add"

    [[indicators]]
    id = "net"
    title = "Net spending"
    unit = "pounds"
    kind = "amount"
    frequency = "month"
    reporting_level = "upper-tier"
    across_agencies = "add"
"#;

/// A world of these areas.
async fn world_of(areas: &str) -> TestApp {
    let app = TestApp::empty().await;
    put(&app, &format!("{areas}{CATALOGUE}")).await;
    app
}

async fn world() -> TestApp {
    world_of(AREAS).await
}

async fn put(app: &TestApp, catalogue: &str) {
    let put: CataloguePut = toml::from_str(catalogue).unwrap();
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
}

/// A query of some areas and periods, given as words.
fn query(indicator: &str, areas: &str, periods: &str, by: &[GroupBy]) -> QueryAggregateRequest {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    QueryAggregateRequest {
        indicators: vec![indicator.to_owned()],
        areas: words(areas),
        periods: words(periods),
        group_by: by.iter().map(|key| i32::from(*key)).collect(),
        ..QueryAggregateRequest::default()
    }
}

fn gap(gap: Gap) -> String {
    gap.as_str_name().trim_start_matches("GAP_").to_owned()
}

/// A rate in short: `40.0 of 500 at 2023-09-30`, or why there is none; `partial` when it is.
fn rate_text(row: &AggregateRow) -> String {
    let rate = row.rate.as_ref().unwrap();
    let value = rate.value.clone().unwrap_or_else(|| gap(rate.gap()));
    let of = rate
        .population
        .as_ref()
        .map(|population| format!(" of {} at {}", figure_text(population), rate.population_period));
    format!("{value}{}{}", of.unwrap_or_default(), if rate.partial { ", partial" } else { "" })
}

/// A rank in short: `1 of 3, quarter 1`, or why there is none; and which areas are apart.
fn rank_text(row: &AggregateRow) -> String {
    let rank = row.rank.as_ref().unwrap();
    let position = if rank.rank == 0 { gap(rank.gap()) } else { rank.rank.to_string() };
    let apart = if rank.partial_count == 0 {
        String::new()
    } else {
        format!(", {} partial: {}", rank.partial_count, rank.partial_areas.join(" "))
    };
    format!("{position} of {}, quarter {}{apart}", rank.of, rank.quartile)
}

fn share_text(row: &AggregateRow) -> String {
    let share = row.share.as_ref().unwrap();
    let percent = share.percent.clone().map_or_else(|| gap(share.gap()), |percent| format!("{percent}%"));
    let of = figure_text(share.total.as_ref().unwrap());
    format!("{percent} of {of}{}", if share.partial { ", partial" } else { "" })
}

/// What a row is of, and its figure.
fn figure_of(row: &AggregateRow) -> String {
    let keys = [&row.area, &row.agency, &row.period, &row.category];
    let keys: Vec<&str> = keys.into_iter().map(String::as_str).filter(|key| !key.is_empty()).collect();
    format!("{} {}", keys.join(" "), figure_text(row.figure.as_ref().unwrap())).trim().to_owned()
}

fn change_text(row: &AggregateRow) -> String {
    let change = row.change.as_ref().unwrap();
    let from = change.from.as_ref().map(figure_text).unwrap_or_default();
    let why = change.gap().as_str_name().trim_start_matches("CHANGE_GAP_");
    format!("{from} then {}", change.difference.clone().unwrap_or_else(|| why.to_owned()))
}

/// The population of all four areas is there for mid-2021; one newer figure, of one area, arrives. The rate
/// of them all stays 10,000 × 6,176 / 407,100 = 151.7, and doesn't become 10,000 × 6,176 / 43,900 = 1,406.8.
/// That of the one area takes it: 10,000 × 946 / 43,900 = 215.5.
#[tokio::test]
async fn a_population_covers_all_areas_of_its_figure() {
    let app = TestApp::with_demo().await;
    let rate = async |area: &str| {
        let agencies = vec![CONSTABULARY.to_owned()];
        let request = query("missing-episodes", area, "FY2021-22", &[]);
        rate_text(&app.query(QueryAggregateRequest { rate: true, agencies, ..request }).await[0])
    };
    assert_eq!(rate("HIPS").await, "151.7 of 407100 at 2021-06-30");
    assert_eq!(rate("E06000044").await, "216.5 of 43700 at 2021-06-30");
    app.receipt(submission("hampshire-icb", "newer", "population-0-17 E06000044 2021-12-31 43900")).await;
    assert_eq!(rate("HIPS").await, "151.7 of 407100 at 2021-06-30");
    assert_eq!(rate("E06000044").await, "215.5 of 43900 at 2021-12-31");
}

/// U1 has a population for June and U2 for September, so that no day covers both. What comes later for U3
/// changes nothing, then or now.
#[tokio::test]
async fn nothing_that_came_later_or_is_of_another_area_reaches_a_rate() {
    let app = world().await;
    let first = submission(
        "police",
        "one",
        "pop U1 2023-06-30 1000\n pop U2 2023-09-30 500\n ev U1 FY2023-24 10\n ev U2 FY2023-24 10",
    );
    let revision = app.receipt(first).await.revision;
    let together = QueryAggregateRequest { rate: true, ..query("ev", "U1 U2", "FY2023-24", &[]) };
    let as_of = QueryAggregateRequest { as_of_revision: revision, ..together.clone() };
    let before = app.query(as_of.clone()).await;
    // Neither 1000 × 20 / 500 = 40.0 nor 1000 × 20 / 1000.
    assert_eq!(rate_text(&before[0]), "NO_POPULATION of 500 at 2023-09-30, partial");

    app.receipt(submission("police", "two", "pop U3 FY2023-24 7")).await;
    assert_eq!(app.query(as_of).await, before);
    assert_eq!(app.query(together.clone()).await, before);

    // With U1's population of the same day, 1000 × 20 / (1000 + 500) = 13.3.
    app.receipt(submission("police", "three", "pop U1 2023-09-30 1000")).await;
    assert_eq!(rate_text(&app.query(together).await[0]), "13.3 of 1500 at 2023-09-30");
}

/// U3 comes to P in 2022. The population of 2021 is of the areas that the figure is of: 20,000 + 30,000 +
/// 10,000, and 1000 × 4,200 / 60,000 = 70.0, not 84.0.
#[tokio::test]
async fn a_population_is_rolled_up_by_the_hierarchy_of_the_figures_period() {
    let moved = r#"{ code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P", valid_from = "2022-04-01" }] }"#;
    let areas =
        AREAS.replace(r#"{ code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P" }] }"#, moved);
    let app = world_of(&areas).await;
    app.receipt(submission(
        "police",
        "one",
        "pop U1 2021-06-30 20000\n pop U2 2021-06-30 30000\n pop U3 2021-06-30 10000
         ev U1 FY2022-23 1000\n ev U2 FY2022-23 2000\n ev U3 FY2022-23 1200
         ev U1 FY2021-22 1000\n ev U2 FY2021-22 2000\n ev U3 FY2021-22 1200",
    ))
    .await;
    let request = QueryAggregateRequest { rate: true, ..query("ev", "P", "FY2021-22 FY2022-23", &[GroupBy::Period]) };
    let rows = app.query(request).await;
    let texts: Vec<String> = rows.iter().map(|row| format!("{}, {}", figure_of(row), rate_text(row))).collect();
    assert_eq!(texts, ["FY2021-22 3000, 60.0 of 50000 at 2021-06-30", "FY2022-23 4200, 70.0 of 60000 at 2021-06-30"]);
}

/// A wider area's population covers it whole; the parts of an area cover it only all together, and then only
/// those that there are on the day.
#[tokio::test]
async fn an_area_is_covered_by_itself_or_by_all_areas_directly_below_it() {
    let app = world().await;
    app.receipt(submission(
        "police",
        "one",
        "pop P 2019-06-30 90\n pop U1 2020-06-30 10\n pop U2 2020-06-30 20\n pop U1 2021-06-30 11
         ev P FY2021-22 9",
    ))
    .await;
    let request = QueryAggregateRequest { rate: true, ..query("ev", "P", "FY2021-22", &[]) };
    assert_eq!(rate_text(&app.query(request.clone()).await[0]), "100.0 of 90 at 2019-06-30");
    // U3 didn't exist in 2020 yet: U1 and U2 were all of it, 1000 × 9 / 30 = 300.0.
    put(
        &app,
        r#"areas = [{ code = "U3", name = "Third", level = "upper-tier", valid_from = "2020-07-01", parents = [{ code = "P", valid_from = "2020-07-01" }] }]"#,
    )
    .await;
    assert_eq!(rate_text(&app.query(request).await[0]), "300.0 of 30 at 2020-06-30");
}

/// 10 boys of 100 and 20 girls of 200 are 100.0 per 1000 each: not 33.3 and 66.7 of everybody's 300.
#[tokio::test]
async fn a_category_has_the_population_of_the_same_category_or_no_rate() {
    let app = world().await;
    app.receipt(submission(
        "police",
        "one",
        "pop U1 2021-06-30 300\n pop U1 2021-06-30 100 male\n pop U1 2021-06-30 200 female
         ev U1 2022-04 30\n ev U1 2022-04 10 male\n ev U1 2022-04 20 female
         pop U2 2021-06-30 50\n ev U2 2022-04 5 male",
    ))
    .await;
    let mut young = submission("police", "two", "ev U1 2022-04 3");
    young.observations[0].breakdown = vec![CategoryRef { dimension: "age".to_owned(), category: "young".to_owned() }];
    app.receipt(young).await;
    let by = |dimension: &str, area: &str| QueryAggregateRequest {
        rate: true,
        by_dimension: dimension.to_owned(),
        ..query("ev", area, "2022-04", &[])
    };
    let texts = async |request| -> Vec<String> {
        let rows = app.query(request).await;
        rows.iter().map(|row| format!("{}, {}", figure_of(row), rate_text(row))).collect()
    };
    assert_eq!(
        texts(by("sex", "U1")).await,
        [
            "30, 100.0 of 300 at 2021-06-30",
            "male 10, 100.0 of 100 at 2021-06-30",
            "female 20, 100.0 of 200 at 2021-06-30"
        ]
    );
    // Nobody submitted the boys' population of U2.
    assert_eq!(texts(by("sex", "U2")).await[1], "male 5, NO_POPULATION");
    // The population isn't broken down by age.
    assert_eq!(texts(by("age", "U1")).await[1], "young 3, POPULATION_NOT_BROKEN_DOWN");
    let boys = vec![CategoryRef { dimension: "sex".to_owned(), category: "male".to_owned() }];
    let request = QueryAggregateRequest { rate: true, breakdown: boys, ..query("ev", "U1", "2022-04", &[]) };
    assert_eq!(texts(request).await, ["10, 100.0 of 100 at 2021-06-30"]);
}

/// The period ends on 2023-03-31: the population of 2013-01-31 is older than ten years, that of 2013-03-31
/// isn't.
#[tokio::test]
async fn a_population_is_at_most_ten_years_older_by_date() {
    let app = world().await;
    app.receipt(submission("police", "one", "pop U1 2013-01-31 100\n ev U1 FY2022-23 10")).await;
    let request = QueryAggregateRequest { rate: true, ..query("ev", "U1", "FY2022-23", &[]) };
    assert_eq!(rate_text(&app.query(request.clone()).await[0]), "NO_POPULATION");
    app.receipt(submission("police", "two", "pop U1 2013-03-31 200")).await;
    assert_eq!(rate_text(&app.query(request).await[0]), "50.0 of 200 at 2013-03-31");
}

/// What was found for one period serves the next, where it is still within ten years of that, and nothing newer
/// came in between.
#[tokio::test]
async fn each_periods_rate_is_the_same_whatever_else_is_asked() {
    let app = world().await;
    let figures = "pop U1 2013-03-31 100\n pop U2 2013-03-31 100\n pop U1 2023-04-30 200\n\
        ev U1 2023-03 10\n ev U1 2023-04 10\n ev U1 2023-05 10\n ev U2 2023-03 10\n ev U2 2023-04 10";
    app.receipt(submission("police", "one", figures)).await;
    let by = [GroupBy::Area, GroupBy::Period];
    let request = QueryAggregateRequest { rate: true, ..query("ev", "P U1 U2", "2023-03 2023-04 2023-05", &by) };
    let rows = app.query(request.clone()).await;
    let texts: Vec<String> =
        rows.iter().map(|row| format!("{} {}: {}", row.area, row.period, rate_text(row))).collect();
    assert_eq!(
        texts,
        [
            // U3 has no population.
            "P 2023-03: NO_POPULATION of 200 at 2013-03-31, partial",
            "P 2023-04: NO_POPULATION of 200 at 2023-04-30, partial",
            "P 2023-05: NO_POPULATION of 200 at 2023-04-30, partial",
            "U1 2023-03: 100.0 of 100 at 2013-03-31",
            "U1 2023-04: 50.0 of 200 at 2023-04-30",
            "U1 2023-05: 50.0 of 200 at 2023-04-30",
            "U2 2023-03: 100.0 of 100 at 2013-03-31",
            // 2013-03-31 is more than ten years before 2023-04-30.
            "U2 2023-04: NO_POPULATION",
            "U2 2023-05: NOT_REPORTED, partial",
        ]
    );
    for row in rows {
        let (areas, periods) = (vec![row.area.clone()], vec![row.period.clone()]);
        assert_eq!(app.query(QueryAggregateRequest { areas, periods, ..request.clone() }).await, [row]);
    }
}

/// U1 has 6 of 12 months. It isn't ranked, though its 6 would be the best, and doesn't move the others; and
/// whatever rests on it says so.
#[tokio::test]
async fn partial_figures_are_ranked_apart_and_what_rests_on_them_is_partial() {
    let app = world().await;
    let months = ["2022-04", "2022-05", "2022-06", "2022-07", "2022-08", "2022-09"];
    let half =
        |area: &str, number: u32| -> String { months.map(|month| format!("ev {area} {month} {number}\n")).concat() };
    let rest = "ev U2 FY2022-23-H2 20\n ev U3 FY2022-23-H2 40\n pop U1 2022-06-30 1000\n pop U2 2022-06-30 1000\n pop U3 2022-06-30 1000";
    let figures = [half("U1", 1), half("U2", 2), half("U3", 3), rest.to_owned()].concat();
    app.receipt(submission("police", "one", &figures)).await;
    let request = QueryAggregateRequest {
        rank: true,
        share: true,
        benchmark_areas: vec!["P".to_owned()],
        ..query("ev", "U1 U2 U3", "FY2022-23", &[GroupBy::Area])
    };
    let rows = app.query(QueryAggregateRequest { rate: true, ..request.clone() }).await;
    let texts: Vec<String> = rows.iter().map(|row| format!("{}: {}", figure_of(row), rank_text(row))).collect();
    // 6, 12 + 20 = 32, 18 + 40 = 58.
    assert_eq!(
        texts,
        [
            "U1 6: PARTIAL of 2, quarter 0, 1 partial: U1",
            "U2 32: 1 of 2, quarter 1, 1 partial: U1",
            "U3 58: 2 of 2, quarter 3, 1 partial: U1",
        ]
    );
    // 6, 32 and 58 of 96.
    let shares: Vec<String> = rows.iter().map(share_text).collect();
    assert_eq!(shares, ["6.3% of 96, partial", "33.3% of 96, partial", "60.4% of 96, partial"]);
    assert_eq!(rate_text(&rows[0]), "6.0 of 1000 at 2022-06-30, partial");
    assert_eq!(rate_text(&rows[1]), "32.0 of 1000 at 2022-06-30");
    let benchmark = rows[1].benchmark.clone().unwrap();
    // 1000 × 96 / 3000 = 32.0.
    assert_eq!((benchmark.value.as_deref(), benchmark.difference.as_deref()), (Some("32.0"), Some("0.0")));
    assert!(benchmark.partial && benchmark.rate.as_ref().is_some_and(|rate| rate.partial));
    let coverage = benchmark.figure.and_then(|figure| figure.coverage).unwrap();
    assert_eq!((coverage.reported, coverage.expected), (30, 36));

    // Without rates the figures are ranked, in the same way.
    let request = QueryAggregateRequest { benchmark_areas: Vec::new(), ..request };
    let ranks: Vec<String> = app.query(request).await.iter().map(rank_text).collect();
    assert_eq!(ranks[1], "1 of 2, quarter 1, 1 partial: U1");
}

/// Of the figures that are ranked; those of areas that aren't don't count.
#[tokio::test]
async fn a_rank_carries_the_markers_of_all_that_are_ranked_and_whether_one_is_made_up() {
    let app = world().await;
    let mut marked = submission("police", "one", "ev U1 2022-04 1\n ev U2 2022-04 2\n ev U3 FY2022-23-Q1 3");
    marked.observations[0].markers = vec![Marker::Unreliable.into()];
    marked.sample = true;
    app.receipt(marked).await;
    let request = QueryAggregateRequest { rank: true, ..query("ev", "U1 U2 U3", "2022-04", &[GroupBy::Area]) };
    let rows = app.query(request).await;
    for row in &rows {
        let rank = row.rank.as_ref().unwrap();
        assert_eq!(
            (rank.of, rank.markers.as_slice(), rank.sample),
            (2, [i32::from(Marker::Unreliable)].as_slice(), true)
        );
    }
    assert_eq!(rows[2].rank.as_ref().unwrap().rank, 0);
}

/// ⌊4 × (rank − 1) ∕ of⌋ + 1.
#[tokio::test]
async fn the_best_is_in_the_first_quarter_of_however_many() {
    let app = world().await;
    app.receipt(submission(
        "police",
        "one",
        "ev U1 2022-04 1\n ev U1 2022-05 1\n ev U2 2022-05 2\n ev U1 2022-06 1\n ev U2 2022-06 2\n ev U3 2022-06 3",
    ))
    .await;
    let quartiles = async |month: &str| -> Vec<i32> {
        let request = QueryAggregateRequest { rank: true, ..query("ev", "U1 U2 U3", month, &[GroupBy::Area]) };
        app.query(request).await.iter().map(|row| row.rank.as_ref().unwrap().quartile).collect()
    };
    assert_eq!(quartiles("2022-04").await, [1, 0, 0]);
    assert_eq!(quartiles("2022-05").await, [1, 3, 0]);
    assert_eq!(quartiles("2022-06").await, [1, 2, 3]);
}

/// Lower was better until March 2023, and higher is since. Two months together are of the version of the
/// last, also when a newer one exists.
#[tokio::test]
async fn a_rank_goes_by_the_polarity_of_the_version_in_force_for_the_last_period() {
    let app = world().await;
    let version = |from: &str, polarity: &str| {
        format!(
            r#"
            [[indicators]]
            id = "turned"
            {from}
            title = "Turned"
            unit = "things"
            kind = "events"
            frequency = "month"
            reporting_level = "upper-tier"
            across_agencies = "add"
            polarity = "{polarity}"
            "#
        )
    };
    let newer = version(r#"effective_from = "2023-04-01""#, "higher-is-better");
    put(&app, &(version("", "lower-is-better") + &newer)).await;
    app.receipt(submission(
        "police",
        "one",
        "turned U1 2023-02 1\n turned U2 2023-02 2\n turned U1 2023-03 1\n turned U2 2023-03 2\n turned U1 2023-04 1\n turned U2 2023-04 2",
    ))
    .await;
    let ranks = async |periods: &str, by: &[GroupBy]| -> Vec<i32> {
        let request = QueryAggregateRequest { rank: true, ..query("turned", "U1 U2", periods, by) };
        app.query(request).await.iter().map(|row| row.rank.as_ref().unwrap().rank).collect()
    };
    assert_eq!(ranks("2023-02 2023-03", &[GroupBy::Area]).await, [1, 2]);
    assert_eq!(ranks("2023-03 2023-04", &[GroupBy::Area]).await, [2, 1]);
    assert_eq!(ranks("2023-03", &[GroupBy::Area, GroupBy::Period]).await, [1, 2]);
}

/// 1 of 3 and 3,333 of 10,000 are both 33.3%, and 2 of 7 is less.
#[tokio::test]
async fn equal_answered_values_have_equal_ranks_and_the_next_counts_them_all() {
    let app = world().await;
    app.receipt(submission(
        "police",
        "one",
        "timely U1 2022-04 1/3\n timely U2 2022-04 3333/10000\n timely U3 2022-04 2/7",
    ))
    .await;
    let request = QueryAggregateRequest { rank: true, ..query("timely", "U1 U2 U3", "2022-04", &[GroupBy::Area]) };
    let ranks: Vec<String> = app.query(request).await.iter().map(rank_text).collect();
    assert_eq!(ranks, ["1 of 3, quarter 1", "1 of 3, quarter 1", "3 of 3, quarter 3"]);
}

/// 30 − 10 + 20 = 40: 30 of 40 would be 75% and −10 of 40 would be −25%.
#[tokio::test]
async fn there_are_no_shares_where_a_part_is_below_zero_or_the_total_is_zero() {
    let app = world().await;
    app.receipt(submission(
        "police",
        "one",
        "net U1 2022-04 30\n net U2 2022-04 -10\n net U3 2022-04 20
         net U1 2022-05 0\n net U2 2022-05 0\n net U1 2022-06 1\n net U2 2022-06 3",
    ))
    .await;
    let shares = async |month: &str| -> Vec<String> {
        let request = QueryAggregateRequest { share: true, ..query("net", "U1 U2 U3", month, &[GroupBy::Area]) };
        app.query(request).await.iter().map(share_text).collect()
    };
    assert_eq!(shares("2022-04").await, ["NEGATIVE_PART of 40", "NEGATIVE_PART of 40", "NEGATIVE_PART of 40"]);
    assert_eq!(shares("2022-05").await[0], "ZERO_BASE of 0, partial");
    // The total lacks the third area that the police report for.
    let partial = ["25.0% of 4, partial", "75.0% of 4, partial", "NOT_REPORTED of 4, partial"];
    assert_eq!(shares("2022-06").await, partial);
}

/// U1, with 10, is in P until March 2023. By level, P has U1 and U2 in the one year, 11, and U2 alone in the
/// next, 1; and the change is from the 11.
#[tokio::test]
async fn the_areas_of_a_level_are_each_periods_own() {
    let areas = AREAS.replace(
        r#"{ code = "U1", name = "First", level = "upper-tier", parents = [{ code = "P" }] }"#,
        r#"{ code = "U1", name = "First", level = "upper-tier", parents = [{ code = "P", valid_to = "2023-03-31" }] }"#,
    );
    let app = world_of(&areas).await;
    app.receipt(submission(
        "police",
        "one",
        "ev U1 FY2022-23 10\n ev U2 FY2022-23 1\n ev U1 FY2023-24 10\n ev U2 FY2023-24 1",
    ))
    .await;
    let both = QueryAggregateRequest {
        area_level: 4,
        comparison: Comparison::PreviousPeriod.into(),
        ..query("ev", "P", "FY2022-23 FY2023-24", &[GroupBy::Period])
    };
    let rows = app.query(both).await;
    assert_eq!(rows.iter().map(figure_of).collect::<Vec<_>>(), ["FY2022-23 11", "FY2023-24 1"]);
    assert_eq!(change_text(&rows[1]), "11 then -10");

    let by_area = QueryAggregateRequest {
        area_level: 4,
        share: true,
        ..query("ev", "P", "FY2022-23 FY2023-24", &[GroupBy::Area, GroupBy::Period])
    };
    let rows = app.query(by_area).await;
    let texts: Vec<String> = rows.iter().map(|row| format!("{}, {}", figure_of(row), share_text(row))).collect();
    assert_eq!(
        texts,
        [
            "U1 FY2022-23 10, 90.9% of 11, partial",
            "U2 FY2022-23 1, 9.1% of 11, partial",
            "U2 FY2023-24 1, 100.0% of 1, partial",
            "U3 FY2022-23 NOT_REPORTED, NOT_REPORTED of 11, partial",
            "U3 FY2023-24 NOT_REPORTED, NOT_REPORTED of 1, partial",
        ]
    );

    let together = QueryAggregateRequest { area_level: 4, ..query("ev", "P", "FY2022-23 FY2023-24", &[]) };
    insta::assert_snapshot!(refusal_text(&app.try_query(together).await.unwrap_err()), @r"
    InvalidArgument INVALID_REQUEST
      area_level: FY2022-23 and FY2023-24 are combined, and have different areas of that level, such as U1; group by period, ask for periods that have the same areas, or name the areas
    ");
}

#[tokio::test]
async fn areas_that_lay_within_each_other_in_the_earlier_period_are_not_compared_together() {
    let areas = AREAS.replace(
        r#"{ code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P" }] }"#,
        r#"{ code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P", valid_to = "2023-03-31" }] }"#,
    );
    let app = world_of(&areas).await;
    let now = query("ev", "P U3", "FY2023-24", &[]);
    app.query(now.clone()).await;
    let compared = QueryAggregateRequest { comparison: Comparison::PreviousPeriod.into(), ..now };
    insta::assert_snapshot!(refusal_text(&app.try_query(compared).await.unwrap_err()), @r"
    InvalidArgument INVALID_REQUEST
      areas: U3 lies within P, and would be counted twice; group by area, or leave one out
    ");
}

#[tokio::test]
async fn a_question_about_an_area_that_had_ended_names_its_successors() {
    let areas = AREAS.replace(
        r#"{ code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P" }] }"#,
        r#"{ code = "U3", name = "Third", level = "upper-tier", parents = [{ code = "P" }], valid_to = "2023-03-31", successors = ["U1", "U2"] }"#,
    );
    let app = world_of(&areas).await;
    let refusals = [
        refusal_text(&app.try_query(query("ev", "U3", "2023-04 2023-05", &[])).await.unwrap_err()),
        {
            let (area, period) = ("U3".to_owned(), "FY2023-24".to_owned());
            let request = GetPictureRequest { area, period, ..GetPictureRequest::default() };
            refusal_text(&app.pictures().get_picture(request).await.unwrap_err())
        },
        {
            let (indicator, area, period) = ("ev".to_owned(), "U3".to_owned(), "FY2023-24".to_owned());
            let request = ExplainFigureRequest { indicator, area, period, ..ExplainFigureRequest::default() };
            refusal_text(&app.pictures().explain_figure(request).await.unwrap_err())
        },
        {
            let (area, periods) = ("U3".to_owned(), vec!["FY2023-24".to_owned()]);
            let request = GetCompletenessRequest { area, periods, ..GetCompletenessRequest::default() };
            refusal_text(&app.pictures().get_completeness(request).await.unwrap_err())
        },
        {
            let (areas, periods) = (vec!["U3".to_owned()], vec!["FY2023-24".to_owned()]);
            let request = ReconcileRequest { areas, periods, ..ReconcileRequest::default() };
            refusal_text(&app.pictures().reconcile(request).await.unwrap_err())
        },
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r"
    InvalidArgument INVALID_REQUEST
      areas[0]: `U3` ended on 2023-03-31; it went into U1 and U2; allowed: periods that end by then
    InvalidArgument INVALID_REQUEST
      area: `U3` ended on 2023-03-31; it went into U1 and U2; allowed: periods that end by then
    InvalidArgument INVALID_REQUEST
      area: `U3` ended on 2023-03-31; it went into U1 and U2; allowed: periods that end by then
    InvalidArgument INVALID_REQUEST
      area: `U3` ended on 2023-03-31; it went into U1 and U2; allowed: periods that end by then
    InvalidArgument INVALID_REQUEST
      areas[0]: `U3` ended on 2023-03-31; it went into U1 and U2; allowed: periods that end by then
    ");
    // It is of one of these periods.
    app.query(query("ev", "U3", "2023-03 2023-04", &[GroupBy::Period])).await;
}

/// The first quarter was submitted whole, 30, and July is 5.
#[tokio::test]
async fn a_year_to_date_is_made_of_the_longest_periods() {
    let app = world().await;
    app.receipt(submission("police", "one", "ev U1 FY2022-23-Q1 30\n ev U1 2022-07 5\n ev U1 2022-04 7")).await;
    let request = QueryAggregateRequest {
        year_to_date: true,
        ..query("ev", "U1", "2022-04 2022-06 2022-07", &[GroupBy::Period])
    };
    let rows = app.query(request).await;
    let texts: Vec<String> = rows
        .iter()
        .map(|row| {
            let coverage = row.figure.as_ref().unwrap().coverage.as_ref().unwrap();
            format!("{}, {} of {}", figure_of(row), coverage.reported, coverage.expected)
        })
        .collect();
    assert_eq!(texts, ["2022-04 7, 1 of 1", "2022-06 30, 3 of 3", "2022-07 35, 4 of 4"]);
}

/// The definition breaks on 2021-07-01, and a sender marks 2020-07 `b`: within the run of April to August of
/// the year before. The year to June has no break in it.
#[tokio::test]
async fn a_year_to_date_that_spans_a_break_is_not_compared() {
    let app = world().await;
    let indicator = |id: &str, from: &str| {
        format!(
            r#"
            [[indicators]]
            id = "{id}"
            {from}
            title = "Broken"
            unit = "things"
            kind = "events"
            frequency = "month"
            reporting_level = "upper-tier"
            across_agencies = "add"
            "#
        )
    };
    let broken = "effective_from = \"2021-07-01\"\nbreaks_comparability = true";
    put(&app, &[indicator("defined", ""), indicator("defined", broken), indicator("marked", "")].concat()).await;
    let months = |indicator: &str, year: i32| -> String {
        (4..=8).map(|month| format!("{indicator} U1 {year}-{month:02} {}\n", year - 2019)).collect()
    };
    let figures = [months("defined", 2021), months("defined", 2022), months("marked", 2020), months("marked", 2021)];
    let mut request = submission("police", "one", &figures.concat());
    let july = request.observations.iter_mut().find(|it| it.indicator == "marked" && it.period == "2020-07").unwrap();
    july.markers = vec![Marker::Break.into()];
    app.receipt(request).await;
    let change = async |indicator: &str, period: &str| {
        let request = QueryAggregateRequest {
            year_to_date: true,
            comparison: Comparison::YearBefore.into(),
            ..query(indicator, "U1", period, &[])
        };
        change_text(&app.query(request).await[0])
    };
    // 5 × 2 in 2021, and 5 × 3 in 2022.
    assert_eq!(change("defined", "2022-08").await, "10 then BREAK");
    assert_eq!(change("marked", "2021-08").await, "5 then BREAK");
    assert_eq!(change("defined", "2022-06").await, "6 then BREAK");
    // Of June's run of 2020 the break of July 2020 comes after it, and before June 2021.
    assert_eq!(change("marked", "2021-06").await, "3 then BREAK");
    let across = QueryAggregateRequest {
        year_to_date: true,
        comparison: Comparison::YearBefore.into(),
        compare_across_breaks: true,
        ..query("marked", "U1", "2021-08", &[])
    };
    let rows = app.query(across).await;
    assert_eq!(
        (change_text(&rows[0]), rows[0].change.as_ref().unwrap().gap()),
        ("5 then 5".to_owned(), ChangeGap::Unspecified)
    );
}

/// By indicator, area, agency, period, and then category: the total first, then the catalogue's order, in
/// which male comes before female.
#[tokio::test]
async fn rows_come_by_area_agency_period_and_category() {
    let app = world().await;
    for agency in ["police", "care"] {
        app.receipt(submission(
            agency,
            "one",
            "ev U1 2022-04 3\n ev U1 2022-04 1 male\n ev U1 2022-04 2 female\n ev U1 2022-05 4\n ev U2 2022-04 5\n ev U2 2022-04 5 female",
        ))
        .await;
    }
    let request = QueryAggregateRequest {
        by_dimension: "sex".to_owned(),
        agencies: vec!["police".to_owned(), "care".to_owned()],
        ..query("ev", "U2 U1", "2022-05 2022-04", &[GroupBy::Area, GroupBy::Agency, GroupBy::Period])
    };
    let rows = app.query(request).await;
    let keys: Vec<String> =
        rows.iter().map(|row| format!("{} {} {} {}", row.area, row.agency, row.period, row.category)).collect();
    let mut expect = Vec::new();
    for area in ["U1", "U2"] {
        for agency in ["care", "police"] {
            for period in ["2022-04", "2022-05"] {
                expect.extend(["", "male", "female"].map(|sex| format!("{area} {agency} {period} {sex}")));
            }
        }
    }
    assert_eq!(keys, expect);
}

/// By the rule *same period* only the population of the period's last day counts, here 2022-06-30.
#[tokio::test]
async fn by_the_rule_same_period_the_population_is_of_the_periods_last_day() {
    let app = world().await;
    let indicator = r#"
        [[indicators]]
        id = "same"
        title = "Same"
        unit = "things"
        kind = "events"
        frequency = "quarter"
        reporting_level = "upper-tier"
        across_agencies = "add"
        rate = { population_indicator = "pop", per = 1000, rule = "same-period", decimals = 1 }
    "#;
    put(&app, indicator).await;
    app.receipt(submission(
        "police",
        "one",
        "same U1 FY2022-23-Q1 10\n same U1 FY2022-23-Q2 10\n pop U1 CY2022-Q2 100",
    ))
    .await;
    let quarters = "FY2022-23-Q1 FY2022-23-Q2";
    let request = QueryAggregateRequest { rate: true, ..query("same", "U1", quarters, &[GroupBy::Period]) };
    let rates: Vec<String> = app.query(request).await.iter().map(rate_text).collect();
    assert_eq!(rates, ["100.0 of 100 at 2022-06-30", "NO_POPULATION"]);
}

/// The group's gap comes first, and then the figure's.
#[tokio::test]
async fn a_benchmark_says_why_there_is_none() {
    let app = world().await;
    app.receipt(submission("police", "one", "timely U1 2022-04 1/2\n timely U2 2022-05 1/4")).await;
    let gaps = async |month: &str| -> Vec<String> {
        let benchmark_areas = vec!["U1".to_owned()];
        let request = query("timely", "U1 U2", month, &[GroupBy::Area]);
        let rows = app.query(QueryAggregateRequest { benchmark_areas, ..request }).await;
        let text = |row: &AggregateRow| {
            let benchmark = row.benchmark.as_ref().unwrap();
            let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            format!("{} {} {}", of(&benchmark.value), of(&benchmark.difference), gap(benchmark.gap()))
        };
        rows.iter().map(text).collect()
    };
    assert_eq!(gaps("2022-04").await, ["50.0 0.0 UNSPECIFIED", "50.0 none NOT_REPORTED"]);
    assert_eq!(gaps("2022-05").await, ["none none NOT_REPORTED", "none none NOT_REPORTED"]);
}

/// Each agency's figures have their own total and their own ranks.
#[tokio::test]
async fn shares_and_ranks_are_among_the_figures_of_one_agency() {
    let app = world().await;
    app.receipt(submission("police", "one", "ev U1 2022-04 1\n ev U2 2022-04 3\n ev U3 2022-04 4")).await;
    app.receipt(submission("care", "one", "ev U1 2022-04 30\n ev U2 2022-04 10")).await;
    let request = query("ev", "U1 U2 U3", "2022-04", &[GroupBy::Area, GroupBy::Agency]);
    let rows = app.query(QueryAggregateRequest { share: true, rank: true, ..request }).await;
    let texts: Vec<String> =
        rows.iter().map(|row| format!("{}: {}; {}", figure_of(row), share_text(row), rank_text(row))).collect();
    assert_eq!(
        texts,
        [
            // Nobody expects the care's figures. It has sent two of the three that it reports for.
            "U1 care 30: 75.0% of 40, partial; 2 of 2, quarter 3",
            "U1 police 1: 12.5% of 8; 1 of 3, quarter 1",
            "U2 care 10: 25.0% of 40, partial; 1 of 2, quarter 1",
            "U2 police 3: 37.5% of 8; 2 of 3, quarter 2",
            "U3 police 4: 50.0% of 8; 3 of 3, quarter 3",
        ]
    );
}

/// The rows of a watch come by their keys as texts: female before male, whatever the catalogue's order.
#[tokio::test]
async fn a_watch_sends_rows_by_their_keys() {
    let app = world().await;
    app.receipt(submission("police", "one", "ev U1 2022-04 3\n ev U2 2022-04 1\n ev U1 2022-04 1 male")).await;
    let query =
        QueryAggregateRequest { by_dimension: "sex".to_owned(), ..query("ev", "U1 U2", "2022-04", &[GroupBy::Area]) };
    let request = WatchAggregateRequest { query: Some(query), ..WatchAggregateRequest::default() };
    let mut stream = app.pictures().watch_aggregate(request).await.unwrap().into_inner();
    let message = stream.message().await.unwrap().unwrap();
    let keys: Vec<String> = message.rows.iter().map(|row| format!("{} {}", row.area, row.category)).collect();
    assert_eq!(keys, ["U1 ", "U1 female", "U1 male", "U2 ", "U2 female", "U2 male"]);
}

/// Rule 10.8: 300 events of U1 over its own 10,000 people, and not over the 60,000 of the partnership. Where
/// the second agency is expected to report U2, the figure of both is of both areas, though it is partial.
#[tokio::test]
async fn a_figure_of_a_part_of_the_area_has_the_population_of_that_part() {
    let app = world().await;
    put(
        &app,
        r#"agencies = [
            { id = "first", name = "First", sector = "social-care", areas = ["U1"] },
            { id = "second", name = "Second", sector = "social-care", areas = ["U2"] },
        ]

        [[indicators]]
        id = "cases"
        title = "Cases"
        unit = "cases"
        kind = "events"
        frequency = "month"
        reporting_level = "upper-tier"
        across_agencies = "add"
        expected_agencies = [{ agency = "first" }, { agency = "second", valid_from = "2022-04-01" }]
        rate = { population_indicator = "pop", per = 1000, rule = "latest", decimals = 1 }"#,
    )
    .await;
    let people = "pop U1 2021-06-30 10000\n pop U2 2021-06-30 20000\n pop U3 2021-06-30 30000";
    app.receipt(submission("police", "people", people)).await;
    app.receipt(submission("first", "cases", "cases U1 FY2021-22 300\n cases U1 FY2022-23 300")).await;
    let request = |by: &[GroupBy]| QueryAggregateRequest {
        rate: true,
        benchmark_areas: vec!["P".to_owned()],
        ..query("cases", "P", "FY2021-22 FY2022-23", by)
    };
    let rows = app.query(request(&[GroupBy::Period])).await;
    assert_eq!(
        rows.iter().map(rate_text).collect::<Vec<_>>(),
        ["30.0 of 10000 at 2021-06-30", "10.0 of 30000 at 2021-06-30, partial"]
    );
    let of_first = QueryAggregateRequest { agencies: vec!["first".to_owned()], ..request(&[GroupBy::Period]) };
    let rows = app.query(of_first).await;
    assert_eq!(rows.iter().map(rate_text).collect::<Vec<_>>(), ["30.0 of 10000 at 2021-06-30"; 2]);
    let benchmarks: Vec<_> = rows.iter().map(|row| row.benchmark.clone().unwrap().value.unwrap()).collect();
    assert_eq!(benchmarks, ["30.0"; 2]);
}

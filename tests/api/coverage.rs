//! What became of every expected figure: the same in pictures, queries, explanations and completeness. The areas
//! are P over U1 and U2; `care` is expected to report for both, `police` isn't.

use std::collections::BTreeMap;

use conspectus::catalogue::CataloguePut;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    CategoryRef, ExplainFigureRequest, ExplainFigureResponse, Figure, Frequency, GetCompletenessRequest,
    GetCompletenessResponse, GetPictureRequest, GroupBy, MissingReason, Observation, QueryAggregateRequest, SlotStatus,
    SubmitObservationsRequest,
};
use conspectus::rpc::put_request;

use crate::app::{TestApp, figure_text};

const CATALOGUE: &str = r#"
    areas = [
        { code = "P", name = "Partnership", level = "partnership" },
        { code = "U1", name = "First", level = "upper-tier", parents = [{ code = "P" }] },
        { code = "U2", name = "Second", level = "upper-tier", parents = [{ code = "P" }] },
    ]
    agencies = [
        { id = "care", name = "Care", sector = "social-care", areas = ["P", "U1", "U2"] },
        { id = "police", name = "Police", sector = "police", areas = ["P", "U1", "U2"] },
    ]
    dimensions = [{ id = "sex", title = "Sex", categories = [{ id = "female", title = "Female" }, { id = "male", title = "Male" }] }]
"#;

/// An indicator for each kind and frequency that a test asks for, `events-month` for one.
fn catalogue(indicators: &[&str]) -> CataloguePut {
    let indicator = |id: &&str| {
        let (kind, frequency) = id.split_once('-').unwrap();
        format!(
            r#"
            [[indicators]]
            id = "{id}"
            title = "{id}"
            unit = "things"
            kind = "{kind}"
            frequency = "{frequency}"
            reporting_level = "upper-tier"
            across_agencies = "add"
            dimensions = ["sex"]
            expected_agencies = [{{ agency = "care" }}]
            "#
        )
    };
    toml::from_str(&indicators.iter().fold(CATALOGUE.to_owned(), |text, id| text + &indicator(id))).unwrap()
}

struct World {
    app: TestApp,
    requests: usize,
}

impl World {
    async fn of(indicators: &[&str]) -> Self {
        let app = TestApp::empty().await;
        app.catalogue().put_catalogue(put_request(&catalogue(indicators), false)).await.unwrap();
        Self { app, requests: 0 }
    }

    /// Figures as `indicator area period value [sex]`, one in each text.
    async fn send(&mut self, agency: &str, figures: &[&str]) {
        let observation = |text: &&str| {
            let words: Vec<&str> = text.split(' ').collect();
            let sex = words.get(4).map(|sex| CategoryRef { dimension: "sex".to_owned(), category: (*sex).to_owned() });
            Observation {
                indicator: words[0].to_owned(),
                area: words[1].to_owned(),
                period: words[2].to_owned(),
                breakdown: sex.into_iter().collect(),
                measure: Some(Measure::Number(words[3].to_owned())),
                ..Observation::default()
            }
        };
        self.requests += 1;
        let request = SubmitObservationsRequest {
            agency: agency.to_owned(),
            request_id: format!("r{}", self.requests),
            observations: figures.iter().map(observation).collect(),
            ..SubmitObservationsRequest::default()
        };
        self.app.receipt(request).await;
    }

    async fn query(&self, indicator: &str, agency: &str, area: &str, periods: &[&str]) -> Figure {
        let request = QueryAggregateRequest {
            indicators: vec![indicator.to_owned()],
            areas: vec![area.to_owned()],
            agencies: vec![agency.to_owned()],
            periods: periods.iter().map(|it| (*it).to_owned()).collect(),
            ..QueryAggregateRequest::default()
        };
        self.app.query(request).await[0].figure.clone().unwrap()
    }

    async fn explain(&self, indicator: &str, agency: &str, area: &str, period: &str) -> ExplainFigureResponse {
        let request = ExplainFigureRequest {
            indicator: indicator.to_owned(),
            area: area.to_owned(),
            period: period.to_owned(),
            agency: agency.to_owned(),
            ..ExplainFigureRequest::default()
        };
        self.app.pictures().explain_figure(request).await.unwrap().into_inner()
    }

    async fn picture(&self, indicator: &str, agency: &str, area: &str, period: &str) -> Option<Figure> {
        let request = GetPictureRequest {
            area: area.to_owned(),
            period: period.to_owned(),
            indicators: vec![indicator.to_owned()],
            ..GetPictureRequest::default()
        };
        let rows = self.app.pictures().get_picture(request).await.unwrap().into_inner().rows;
        let cell = rows[0].cells.iter().find(|cell| cell.agency.as_ref().unwrap().id == agency)?;
        cell.figure.clone()
    }

    async fn completeness(&self, area: &str, periods: &[&str]) -> GetCompletenessResponse {
        let request = GetCompletenessRequest {
            area: area.to_owned(),
            periods: periods.iter().map(|it| (*it).to_owned()).collect(),
            ..GetCompletenessRequest::default()
        };
        self.app.pictures().get_completeness(request).await.unwrap().into_inner()
    }
}

/// A figure in short: its value, and how many slots are reported of how many, late and contained.
fn text(figure: &Figure) -> String {
    let coverage = figure.coverage.as_ref().unwrap();
    let partial = if coverage.complete { "" } else { " partial" };
    format!(
        "{} {}/{} {} late {} contained{partial}",
        figure_text(figure),
        coverage.reported,
        coverage.expected,
        coverage.late,
        coverage.contained
    )
}

/// Years aren't made of weeks: that is why there is no figure, and no figure is expected.
#[tokio::test]
async fn a_period_that_does_not_fit_the_frequency_is_said_to_be_so() {
    let mut world = World::of(&["events-week"]).await;
    world.send("care", &["events-week U1 2021-W20 5"]).await;
    let year = world.query("events-week", "care", "U1", &["FY2021-22"]).await;
    assert_eq!(text(&year), "PERIOD_MISMATCH 0/0 0 late 0 contained partial");
    let rule = world.explain("events-week", "care", "U1", "FY2021-22").await.rule;
    assert!(rule.contains("FY2021-22 doesn't fit the indicator"), "{rule}");
    let completeness = world.completeness("U1", &["FY2021-22", "2021-W20"]).await;
    let mismatches: Vec<_> =
        completeness.period_mismatches.iter().map(|it| (&*it.indicator, &*it.period, it.frequency())).collect();
    assert_eq!(mismatches, [("events-week", "FY2021-22", Frequency::Week)]);
    assert_eq!((completeness.slots.len(), completeness.rates.len()), (1, 1));
}

/// A half year submitted whole, and its second quarter asked for: three months that were reported and can't be
/// split off, to a query, a picture, an explanation and completeness alike.
#[tokio::test]
async fn a_quarter_of_a_half_year_that_was_submitted_whole_is_one_story() {
    let mut world = World::of(&["events-month"]).await;
    world.send("care", &["events-month U1 FY2021-22-H1 60"]).await;
    let quarter = world.query("events-month", "care", "U1", &["FY2021-22-Q2"]).await;
    assert_eq!(text(&quarter), "CONTAINED 0/3 0 late 3 contained partial");
    let missing = &quarter.coverage.as_ref().unwrap().missing[0];
    assert_eq!(
        (missing.reason(), &*missing.period, &*missing.contained_in_area, &*missing.contained_in_period),
        (MissingReason::Contained, "2021-07", "U1", "FY2021-22-H1")
    );
    let explained = world.explain("events-month", "care", "U1", "FY2021-22-Q2").await;
    assert_eq!(explained.figure.unwrap(), quarter);
    assert_eq!(
        explained.rule,
        "Events add over time and over areas. It lies within the figure of `care` for U1 and FY2021-22-H1, which can't be split."
    );
    assert_eq!(world.picture("events-month", "care", "U1", "FY2021-22-Q2").await.unwrap(), quarter);
    let completeness = world.completeness("U1", &["FY2021-22-Q2"]).await;
    let [rate] = completeness.rates.as_slice() else { panic!("one rate") };
    assert_eq!((rate.expected, rate.reported, rate.late), (3, 3, 0));
    for slot in &completeness.slots {
        assert_eq!(slot.status(), SlotStatus::ReportedLate);
        assert_eq!((&*slot.contained_in_area, &*slot.contained_in_period), ("U1", "FY2021-22-H1"));
    }
    // The half itself is whole, and the sum of both areas lacks the other.
    assert_eq!(text(&world.query("events-month", "care", "U1", &["FY2021-22-H1"]).await), "60 6/6 0 late 0 contained");
    let both = world.query("events-month", "care", "P", &["FY2021-22-H1"]).await;
    assert_eq!(text(&both), "60 6/12 6 late 0 contained partial");
}

#[tokio::test]
async fn stocks_of_joined_periods_have_the_slots_of_the_last() {
    let mut world = World::of(&["stock-quarter"]).await;
    // U1 and U2 at the end of Q2; what is missing of Q1 isn't missing from the half.
    world.send("care", &["stock-quarter U1 FY2021-22-Q1 10", "stock-quarter U2 FY2021-22-Q2 20"]).await;
    let joined = world.query("stock-quarter", "care", "P", &["FY2021-22-Q1", "FY2021-22-Q2"]).await;
    let half = world.query("stock-quarter", "care", "P", &["FY2021-22-H1"]).await;
    assert_eq!(joined.coverage.as_ref().unwrap().expected, 2);
    assert_eq!(half.coverage.as_ref().unwrap().expected, 2);
    let two = world.query("stock-quarter", "care", "U1", &["FY2021-22-Q3", "FY2021-22-Q4"]).await;
    assert_eq!(text(&two), "NOT_REPORTED 0/1 1 late 0 contained partial");
}

#[tokio::test]
async fn a_slot_has_one_line_whatever_it_is_called_and_whatever_contains_it() {
    let mut world = World::of(&["events-quarter"]).await;
    world.send("care", &["events-quarter U1 CY2021-Q2 10"]).await;
    let completeness = world.completeness("U1", &["CY2021", "FY2021-22"]).await;
    let slots: Vec<_> = completeness.slots.iter().map(|slot| (&*slot.period, slot.status())).collect();
    assert_eq!(
        slots,
        [
            ("CY2021-Q1", SlotStatus::Late),
            ("CY2021-Q2", SlotStatus::ReportedLate),
            ("CY2021-Q3", SlotStatus::Late),
            ("CY2021-Q4", SlotStatus::Late),
            ("FY2021-22-Q4", SlotStatus::Late)
        ]
    );
    let rates: Vec<_> = completeness.rates.iter().map(|rate| (&*rate.period, rate.expected, rate.reported)).collect();
    assert_eq!(rates, [("CY2021", 4, 1), ("FY2021-22", 4, 1)]);
}

/// The quarters' people were submitted, whoever stands beside them.
#[tokio::test]
async fn distinct_people_of_parts_are_not_nothing_also_side_by_side() {
    let mut put = catalogue(&["distinct-quarter"]);
    put.indicators[0].across_agencies = conspectus::catalogue::items::AcrossAgencies::SideBySide;
    let app = TestApp::empty().await;
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    let mut world = World { app, requests: 0 };
    world.send("care", &["distinct-quarter U1 FY2021-22-Q1 10"]).await;
    for agency in ["", "care"] {
        let rule = world.explain("distinct-quarter", agency, "U1", "FY2021-22").await.rule;
        assert!(rule.contains("Parts of it were submitted, and are never combined."), "{rule}");
    }
}

#[tokio::test]
async fn an_explanation_has_the_discrepancies_that_a_query_has() {
    let mut world = World::of(&["events-quarter"]).await;
    world.send("care", &["events-quarter P FY2021-22-Q1 30", "events-quarter U1 FY2021-22-Q1 10"]).await;
    let of = async |world: &World| {
        let queried = world.query("events-quarter", "care", "P", &["FY2021-22-Q1"]).await;
        let explained = world.explain("events-quarter", "care", "P", "FY2021-22-Q1").await.figure.unwrap();
        assert_eq!(queried, explained);
        explained.discrepancies.iter().map(|it| format!("{} beside {}", it.submitted, it.parts)).collect::<Vec<_>>()
    };
    assert!(of(&world).await.is_empty(), "U2 has no figure");
    world.send("care", &["events-quarter U2 FY2021-22-Q1 19"]).await;
    assert_eq!(of(&world).await, ["30 beside 29"]);
}

/// Of a total of 10 the girls alone are 12: for events something is wrong. Money can be below zero, so that the
/// rest may be -2; and of distinct people one may be in both categories, whatever they come to.
#[tokio::test]
async fn categories_are_held_to_their_total_where_they_must_add_up_to_it() {
    for (kind, girls, both) in [("events", 1, 1), ("stock", 1, 1), ("amount", 0, 1), ("distinct", 0, 0)] {
        let indicator = format!("{kind}-month");
        let mut world = World::of(&[&indicator]).await;
        world
            .send("care", &[&format!("{indicator} U1 2021-06 10"), &format!("{indicator} U1 2021-06 12 female")])
            .await;
        let figure = world.query(&indicator, "care", "U1", &["2021-06"]).await;
        assert_eq!(figure.discrepancies.len(), girls, "{kind}");
        // 12 and 3 are 15.
        world.send("care", &[&format!("{indicator} U1 2021-06 3 male")]).await;
        let figure = world.query(&indicator, "care", "U1", &["2021-06"]).await;
        assert_eq!(figure.discrepancies.len(), both, "{kind}");
    }
}

/// The categories of a stock are those of its last day, under whichever name they were submitted.
#[tokio::test]
async fn a_stocks_categories_count_under_every_name_of_its_last_day() {
    let mut world = World::of(&["stock-month"]).await;
    let figures =
        ["stock-month U1 2021-06-30 10", "stock-month U1 2021-06 6 female", "stock-month U1 FY2021-22-Q1 3 male"];
    world.send("care", &figures).await;
    for period in ["2021-06-30", "2021-06", "FY2021-22-Q1"] {
        let found = world.query("stock-month", "care", "U1", &[period]).await.discrepancies;
        let [discrepancy] = found.as_slice() else { panic!("one discrepancy for {period}: {found:?}") };
        assert_eq!((&*discrepancy.submitted, &*discrepancy.parts), ("10", "9"));
    }
}

/// Every slot of a small world is the same to a picture, a query, an explanation and completeness.
#[tokio::test]
async fn every_answer_says_the_same_of_every_slot() {
    let indicators = ["events-month", "stock-quarter", "distinct-quarter"];
    let mut world = World::of(&indicators).await;
    world
        .send("care", &["events-month U1 FY2021-22-Q1 30", "events-month U2 2021-05 4", "events-month P CY2021 99"])
        .await;
    world.send("care", &["stock-quarter U1 2021-06-30 10", "stock-quarter P FY2021-22-Q2 25"]).await;
    world.send("care", &["distinct-quarter U2 FY2021-22-Q1 7", "distinct-quarter P FY2021-22-Q3 8"]).await;
    world.send("police", &["events-month P FY2021-22 500"]).await;
    let completeness = world.completeness("P", &["CY2021", "FY2021-22"]).await;
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    for slot in &completeness.slots {
        let key = (&*slot.indicator, &*slot.agency, &*slot.area, &*slot.period);
        let queried = world.query(key.0, key.1, key.2, &[key.3]).await;
        let explained = world.explain(key.0, key.1, key.2, key.3).await.figure.unwrap();
        assert_eq!(queried, explained, "{key:?}");
        assert_eq!(world.picture(key.0, key.1, key.2, key.3).await.unwrap(), queried, "{key:?}");
        let coverage = queried.coverage.unwrap();
        let status = match (coverage.reported, coverage.contained, coverage.late) {
            (1, 0, 0) => "reported",
            (0, 1, 0) => "contained",
            (0, 0, 1) => "late",
            other => panic!("{key:?}: {other:?}"),
        };
        let listed = match slot.status() {
            SlotStatus::ReportedLate if slot.contained_in_period.is_empty() => "reported",
            SlotStatus::ReportedLate => "contained",
            SlotStatus::Late => "late",
            other @ (SlotStatus::Unspecified | SlotStatus::OnTime | SlotStatus::NotDue | SlotStatus::NotAvailable) => {
                panic!("{key:?}: {other:?}")
            }
        };
        assert_eq!(status, listed, "{key:?}");
        *statuses.entry(status).or_default() += 1;
    }
    // Events: 15 months (January 2021 to March 2022) of two areas. May of U2 was submitted; the calendar year, of
    // both areas, contains the 12 months of 2021, but for that one; the first three of 2022 are late.
    // Stocks: 5 quarters of two areas. U1's second of 2021 was submitted, and P's third contains both.
    // Distinct people: 5 quarters of two areas. U2's second was submitted, and P's fourth contains both.
    let events = [("contained", 23), ("late", 6), ("reported", 1)];
    let others = [("contained", 2 + 2), ("late", 7 + 7), ("reported", 1 + 1)];
    let both = events.into_iter().zip(others).map(|((status, of_events), (_, others))| (status, of_events + others));
    assert_eq!(statuses, both.collect());
    let group_by = vec![GroupBy::Agency.into()];
    let request = QueryAggregateRequest {
        indicators: vec!["events-month".to_owned()],
        areas: vec!["P".to_owned()],
        periods: vec!["FY2021-22".to_owned()],
        group_by,
        ..QueryAggregateRequest::default()
    };
    // The year is built of Q1 of U1 and May of U2. Nothing of the sum is missing but what is contained and late.
    let rows = world.app.query(request).await;
    assert_eq!(text(rows[0].figure.as_ref().unwrap()), "34 4/24 6 late 14 contained partial");
    // The police, whom nobody expects, submitted the year of P whole.
    assert_eq!(text(rows[1].figure.as_ref().unwrap()), "500 12/12 0 late 0 contained");
}

/// Rule 5.2. O1 and O2 end in March 2024 and go into N1; D moves from U1 to U2 in April. Each sends 1 a month, and
/// N1 100: U2 has 3 × 2 of O1 and O2, 9 × 100 of N1 and 9 × 1 of D; U1 has 3 × 1 of D. Rolled up by December's
/// hierarchy alone, O1, O2 and D's first three months would be somewhere else, or nowhere.
#[tokio::test]
async fn each_part_of_a_year_in_which_areas_change_is_rolled_up_as_it_was() {
    let app = TestApp::empty().await;
    let put: CataloguePut = toml::from_str(
        r#"
        areas = [
            { code = "P", name = "P", level = "partnership" },
            { code = "U1", name = "U1", level = "upper-tier", parents = [{ code = "P" }] },
            { code = "U2", name = "U2", level = "upper-tier", parents = [{ code = "P" }] },
            { code = "O1", name = "O1", level = "district", parents = [{ code = "U2" }], valid_to = "2024-03-31", successors = ["N1"] },
            { code = "O2", name = "O2", level = "district", parents = [{ code = "U2" }], valid_to = "2024-03-31", successors = ["N1"] },
            { code = "N1", name = "N1", level = "district", parents = [{ code = "U2" }], valid_from = "2024-04-01" },
            { code = "D", name = "D", level = "district", parents = [{ code = "U1", valid_to = "2024-03-31" }, { code = "U2", valid_from = "2024-04-01" }] },
        ]
        agencies = [{ id = "care", name = "Care", sector = "social-care", areas = ["O1", "O2", "N1", "D"] }]

        [[indicators]]
        id = "events"
        title = "Events"
        unit = "events"
        kind = "events"
        frequency = "month"
        reporting_level = "district"
        across_agencies = "add"
        expected_agencies = [{ agency = "care" }]
        "#,
    )
    .unwrap();
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    let mut world = World { app, requests: 0 };
    let months = |areas: &[&str], months: std::ops::RangeInclusive<u32>, value: u32| -> Vec<String> {
        let pairs = areas.iter().flat_map(|area| months.clone().map(move |month| (area, month)));
        pairs.map(|(area, month)| format!("events {area} 2024-{month:02} {value}")).collect()
    };
    let figures = [months(&["O1", "O2"], 1..=3, 1), months(&["N1"], 4..=12, 100), months(&["D"], 1..=12, 1)].concat();
    world.send("care", &figures.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (area, expected) in [("U1", "3 3/3"), ("U2", "915 24/24"), ("P", "918 27/27"), ("N1", "900 9/9")] {
        let expected = format!("{expected} 0 late 0 contained");
        let year = world.query("events", "care", area, &["CY2024"]).await;
        assert_eq!(text(&year), expected, "{area}");
        let quarters = ["CY2024-Q1", "CY2024-Q2", "CY2024-Q3", "CY2024-Q4"];
        assert_eq!(text(&world.query("events", "care", area, &quarters).await), expected, "{area}");
        assert_eq!(world.explain("events", "care", area, "CY2024").await.figure.unwrap().value, year.value, "{area}");
        let slots = world.completeness(area, &["CY2024"]).await.slots.len();
        assert_eq!(slots, usize::try_from(year.coverage.unwrap().expected).unwrap(), "{area}");
    }
}

/// Rule 6.2. Nobody expects the police's figures: one of the two areas that they report for is not all of P, also
/// for a day and for distinct people of a year, of which nobody is expected to report any. The care is expected from
/// October: what it sends for April is welcome, and May isn't missing.
#[tokio::test]
async fn a_volunteer_is_held_to_the_areas_that_it_reports_for_and_an_expected_agency_to_what_is_expected() {
    let mut world = World::of(&["stock-quarter", "distinct-quarter", "events-month"]).await;
    let mut put = catalogue(&["events-month"]);
    put.indicators[0].expected_agencies[0].validity.valid_from = Some("2021-10-01".parse().unwrap());
    world.app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    let figures = ["stock-quarter U1 2021-08-20 5", "distinct-quarter U1 FY2021-22 6", "events-month U1 2021-10 7"];
    world.send("police", &figures).await;
    for (indicator, period, value) in
        [("stock-quarter", "2021-08-20", 5), ("distinct-quarter", "FY2021-22", 6), ("events-month", "2021-10", 7)]
    {
        let figure = world.query(indicator, "police", "P", &[period]).await;
        assert_eq!(text(&figure), format!("{value} 1/1 0 late 0 contained partial"), "{indicator}");
        let figure = world.query(indicator, "police", "U1", &[period]).await;
        assert_eq!(text(&figure), format!("{value} 1/1 0 late 0 contained"), "{indicator}");
    }
    world.send("care", &["events-month U1 2021-04 1"]).await;
    let months: Vec<String> =
        (10..=12).flat_map(|month| ["U1", "U2"].map(|area| format!("events-month {area} 2021-{month} 1"))).collect();
    world.send("care", &months.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let year = world.query("events-month", "care", "P", &["CY2021"]).await;
    assert_eq!(text(&year), "7 6/6 0 late 0 contained");
    let rates = world.completeness("P", &["CY2021"]).await.rates;
    let of_care = rates.iter().find(|rate| rate.agency == "care").unwrap();
    // The other two indicators' slots are four quarters of two areas each.
    assert_eq!((of_care.expected, of_care.reported), (6 + 16, 6));
}

/// One agency reports for 30 districts in U1 and 2 in U2.
#[tokio::test]
async fn who_reports_for_many_areas_is_expected_for_each_of_them_within_any_area() {
    let app = TestApp::empty().await;
    let district = |name: &str, parent: &str| {
        format!(r#"{{ code = "{name}", name = "{name}", level = "district", parents = [{{ code = "{parent}" }}] }},"#)
    };
    let names: Vec<String> = (0..30).map(|count| format!("A{count:02}")).collect();
    let districts: String = names.iter().map(|name| district(name, "U1")).collect();
    let districts = districts + &district("Z1", "U2") + &district("Z0", "U2") + &district("Z2", "U2");
    let put = format!(
        r#"
        areas = [
            {{ code = "P", name = "P", level = "partnership" }},
            {{ code = "U1", name = "U1", level = "upper-tier", parents = [{{ code = "P" }}] }},
            {{ code = "U2", name = "U2", level = "upper-tier", parents = [{{ code = "P" }}] }},
            {districts}
        ]
        agencies = [{{ id = "care", name = "Care", sector = "social-care", areas = ["{}", "Z0", "Z1"] }}]
        [[indicators]]
        id = "it"
        title = "It"
        unit = "things"
        kind = "events"
        frequency = "month"
        reporting_level = "district"
        across_agencies = "add"
        expected_agencies = [{{ agency = "care" }}]
        "#,
        names.join(r#"", ""#)
    );
    let put: CataloguePut = toml::from_str(&put).unwrap();
    app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
    let request = QueryAggregateRequest {
        indicators: vec!["it".to_owned()],
        areas: ["A07", "P", "U1", "U2", "Z1", "Z2"].map(str::to_owned).into(),
        periods: vec!["2022-04".to_owned()],
        group_by: vec![GroupBy::Area.into()],
        ..QueryAggregateRequest::default()
    };
    let found: Vec<_> = app
        .query(request)
        .await
        .into_iter()
        .map(|row| {
            let coverage = row.figure.unwrap().coverage.unwrap();
            let mut missing: Vec<String> = coverage.missing.into_iter().map(|missing| missing.area).collect();
            missing.sort();
            missing.truncate(2);
            (row.area, coverage.expected, missing.join(" "))
        })
        .collect();
    let found: Vec<_> =
        found.iter().map(|(area, expected, missing)| (area.as_str(), *expected, missing.as_str())).collect();
    assert_eq!(
        found,
        [
            ("A07", 1, "A07"),
            ("P", 32, "A00 A01"),
            ("U1", 30, "A00 A01"),
            ("U2", 2, "Z0 Z1"),
            ("Z1", 1, "Z1"),
            ("Z2", 0, ""),
        ]
    );
}

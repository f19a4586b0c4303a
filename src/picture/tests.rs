//! Coverage, figures to date and discrepancies, at instants of the test's choosing: what became of each slot, the
//! same in pictures, explanations and completeness. The areas are P over U1, U2 and U3, and U1 over D1 and D2, and D3 until it
//! moves to U2;
//! `care` is expected to report for all of them, `police` isn't.

use std::rc::Rc;
use std::sync::Arc;

use super::accumulator::MissingReason;
use super::aggregate::{Aggregate, Who};
use super::answer;
use super::combine::Gap;
use super::completeness::{self, AskedPeriods, Completeness, CompletenessQuery, Status};
use super::explain::{self, ExplainQuery, Explanation};
use super::figure::Figure;
use super::question::PictureQuery;
use super::resolve::Series;
use crate::access::Actor;
use crate::catalogue::{AgencyIx, AreaIx, CataloguePut, IndicatorIx};
use crate::entry::{Body, Entry, Fingerprint, Withdrawal};
use crate::model::date::Date;
use crate::model::id::AgencyId;
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Measure, Observation, Value};
use crate::model::period::Period;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::model::zone::UTC;
use crate::state::columns::BreakdownIx;
use crate::state::view::{AreasAsOf, View};
use crate::state::{Fold, State};

const AREAS_AND_AGENCIES: &str = r#"
    areas = [
        { code = "P", name = "P", level = "partnership" },
        { code = "U1", name = "U1", level = "upper-tier", parents = [{ code = "P" }] },
        { code = "U2", name = "U2", level = "upper-tier", parents = [{ code = "P" }] },
        { code = "U3", name = "U3", level = "upper-tier", parents = [{ code = "P" }], valid_to = "2021-08-31" },
        { code = "D1", name = "D1", level = "district", parents = [{ code = "U1" }] },
        { code = "D2", name = "D2", level = "district", parents = [{ code = "U1" }] },
        { code = "D3", name = "D3", level = "district", parents = [{ code = "U1", valid_to = "2021-05-31" }, { code = "U2", valid_from = "2021-06-01" }] },
    ]
    agencies = [
        { id = "care", name = "Care", sector = "social-care", areas = ["P", "U1", "U2", "U3", "D1", "D2", "D3"] },
        { id = "police", name = "Police", sector = "police", areas = ["P", "U1", "U2", "U3", "D1", "D2", "D3"] },
    ]
"#;

struct World {
    fold: Fold,
    state: State,
    day: Date,
}

impl World {
    /// Indicator `it` of a kind and a frequency, due ten days after its period.
    fn of(kind: &str, frequency: &str) -> Self {
        Self::of_agencies(kind, frequency, r#"across_agencies = "add""#)
    }

    fn of_agencies(kind: &str, frequency: &str, across_agencies: &str) -> Self {
        let indicator = format!(
            r#"
            [[indicators]]
            id = "it"
            title = "It"
            unit = "things"
            kind = "{kind}"
            frequency = "{frequency}"
            due_days = 10
            reporting_level = "upper-tier"
            {across_agencies}
            expected_agencies = [{{ agency = "care" }}]
            "#
        );
        let put: CataloguePut = toml::from_str(&format!("{AREAS_AND_AGENCIES}{indicator}")).unwrap();
        let mut world = Self { fold: Fold::default(), state: State::default(), day: date("2021-01-01") };
        world.apply(Body::CataloguePut(put));
        world
    }

    fn apply(&mut self, body: Body) {
        const MICROS_A_DAY: i64 = 86_400_000_000;
        let at = Timestamp(i64::from(self.day.days()) * MICROS_A_DAY + MICROS_A_DAY / 2);
        self.fold.apply(&Entry { at, actor: Actor::default(), body });
        self.state = self.fold.state();
    }

    /// Goes to a day.
    fn on(&mut self, day: &str) -> &mut Self {
        self.day = date(day);
        self
    }

    /// Takes figures as `area period value`, one in each text: a number, a ratio as `1/2`, or markers in brackets,
    /// or a number and markers.
    fn send(&mut self, agency: &str, request_id: &str, figures: &[&str]) -> &mut Self {
        let observation = |text: &&str| {
            let words: Vec<&str> = text.split(' ').collect();
            let is_marker = |word: &&&str| word.starts_with('[');
            let markers: Markers = words
                .iter()
                .filter(is_marker)
                .map(|it| it.trim_matches(['[', ']']).parse::<Marker>().unwrap())
                .collect();
            let measure = match words[2].split_once('/') {
                None => words[2].parse().ok().map(Measure::Number),
                Some((numerator, denominator)) => Some(Measure::Ratio {
                    numerator: numerator.parse().unwrap(),
                    denominator: denominator.parse().unwrap(),
                }),
            };
            Observation {
                indicator: "it".parse().unwrap(),
                area: words[0].parse().unwrap(),
                period: words[1].parse().unwrap(),
                breakdown: Breakdown::default(),
                value: Value { measure, markers },
                note: None,
                explanations: Vec::new(),
            }
        };
        let submission = Submission {
            agency: agency.parse().unwrap(),
            request_id: request_id.parse().unwrap(),
            source: String::new(),
            sample: false,
            reason: String::new(),
            return_id: None,
            observations: figures.iter().map(observation).collect(),
        };
        let fingerprint = Fingerprint::of(&submission);
        self.apply(Body::Submission { submission: Arc::new(submission), fingerprint });
        self
    }

    fn withdraw(&mut self, agency: &str, request_id: &str) -> &mut Self {
        let (agency, request_id) = (agency.parse().unwrap(), request_id.parse().unwrap());
        self.apply(Body::Withdrawal(Withdrawal { agency, request_id, reason: String::new() }));
        self
    }

    fn view(&self) -> View<'_> {
        self.state.view(self.state.catalogue(), self.state.revision(), &UTC, self.day, AreasAsOf::Then)
    }

    fn indicator(&self) -> IndicatorIx {
        self.state.catalogue().indicator(&"it".parse().unwrap()).unwrap().0
    }

    fn area(&self, code: &str) -> AreaIx {
        self.state.catalogue().area(&code.parse().unwrap()).unwrap().0
    }

    fn agency(&self, id: &str) -> AgencyIx {
        self.state.catalogue().agency(&id.parse::<AgencyId>().unwrap()).unwrap().0
    }

    fn figure(&self, agency: &str, area: &str, periods: &[&str]) -> Rc<Figure> {
        let mut series = Series::new(self.view(), self.indicator(), Some(BreakdownIx::TOTAL), None);
        let periods: Vec<Period> = periods.iter().map(|it| it.parse().unwrap()).collect();
        Aggregate::of(&mut series, &[self.area(area)], &periods).figure(&series, Who::Agency(self.agency(agency)))
    }

    /// The figure of `care`: its value or why there is none, and what became of its slots.
    fn care(&self, area: &str, period: &str) -> String {
        self.text(&self.figure("care", area, &[period]))
    }

    fn text(&self, figure: &Figure) -> String {
        let coverage = figure.coverage;
        let mut text = match &figure.value {
            Ok(value) => value.rounded.to_string(),
            Err(gap) => format!("{gap:?}"),
        };
        text += &format!(" {}/{}", coverage.reported, coverage.expected);
        for (count, what) in
            [(coverage.late, "late"), (coverage.not_available, "not available"), (coverage.contained, "contained")]
        {
            if count > 0 {
                text += &format!(" {count} {what}");
            }
        }
        let within = figure.missing.iter().find_map(|missing| match missing.reason {
            MissingReason::Contained { area, period } => Some((area, period)),
            MissingReason::Late | MissingReason::NotDue | MissingReason::NotAvailable => None,
        });
        if let Some((area, period)) = within {
            text += &format!(" in {} {period}", self.state.catalogue().area_at(area).code);
        }
        if let Some(day) = figure.to_date {
            text += &format!(" to {day}");
        }
        if !figure.complete {
            text += " partial";
        }
        text
    }

    fn explained(&self, agency: Option<&str>, area: &str, period: &str) -> Explanation {
        let query = ExplainQuery {
            indicator: self.indicator(),
            area: self.area(area),
            period: period.parse().unwrap(),
            breakdown: Some(BreakdownIx::TOTAL),
            who: agency.map_or(Who::Combined, |id| Who::Agency(self.agency(id))),
        };
        explain::explain(self.view(), query)
    }

    fn completeness(&self, area: &str, periods: &[&str]) -> Completeness {
        let query = CompletenessQuery {
            area: self.area(area),
            periods: AskedPeriods::Named(periods.iter().map(|it| it.parse().unwrap()).collect()),
            indicators: vec![self.indicator()],
            agencies: None,
        };
        completeness::completeness(self.view(), &query).unwrap()
    }

    /// Each slot of an area: its period, what became of it, and by how many days it was late.
    fn slots(&self, area: &str, periods: &[&str]) -> Vec<String> {
        let slots = self.completeness(area, periods).slots;
        let text = |slot: &completeness::Slot| match slot.days_late {
            0 => format!("{} {:?}", slot.period, slot.status),
            days => format!("{} {:?} {days}", slot.period, slot.status),
        };
        slots.iter().map(text).collect()
    }

    fn discrepancies(&self, area: &str, period: &str) -> Vec<String> {
        let found = self.explained(Some("care"), area, period).figure.discrepancies.clone();
        found.iter().map(|it| format!("{:?} {} beside {}", it.kind, it.submitted, it.parts)).collect()
    }
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn a_figure_that_was_withdrawn_and_sent_again_came_when_it_was_sent_again() {
    let mut world = World::of("events", "month");
    // April is due on 10 May.
    world.on("2021-05-05").send("care", "r1", &["U1 2021-04 10"]);
    assert_eq!(world.slots("U1", &["2021-04"]), ["2021-04 OnTime"]);
    world.on("2021-05-20").withdraw("care", "r1");
    assert_eq!(world.slots("U1", &["2021-04"]), ["2021-04 Late 10"]);
    // 10 May to 4 July are 55 days.
    world.on("2021-07-04").send("care", "r2", &["U1 2021-04 10"]);
    assert_eq!(world.slots("U1", &["2021-04"]), ["2021-04 ReportedLate 55"]);
    // A correction leaves no gap.
    world.on("2021-08-01").send("care", "r3", &["U1 2021-04 11"]);
    assert_eq!(world.slots("U1", &["2021-04"]), ["2021-04 ReportedLate 55"]);
    world.on("2021-08-02").send("care", "r4", &["U1 2021-04 [x]"]);
    assert_eq!(world.slots("U1", &["2021-04"]), ["2021-04 NotAvailable"]);
    // 10 May to 3 August are 85 days.
    world.on("2021-08-03").send("care", "r5", &["U1 2021-04 11"]);
    assert_eq!(world.slots("U1", &["2021-04"]), ["2021-04 ReportedLate 85"]);
}

#[test]
fn a_figure_to_date_fills_the_slots_that_were_over_when_it_was_accepted() {
    let mut world = World::of("events", "month");
    // On 5 November, April to October are over: 7 of 12.
    world.on("2021-11-05").send("care", "r1", &["U1 FY2021-22 70 [p]"]);
    assert_eq!(world.care("U1", "FY2021-22"), "70 7/12 to 2021-11-04 partial");
    assert_eq!(world.care("U1", "2021-10"), "Contained 0/1 1 contained in U1 FY2021-22 partial");
    assert_eq!(world.care("U1", "2021-11"), "NotReported 0/1 partial");
    // Half of H1 and all of Q3 but November and December.
    assert_eq!(world.care("U1", "FY2021-22-Q3"), "Contained 0/3 1 contained in U1 FY2021-22 partial");
    let year = world.slots("U1", &["FY2021-22"]);
    // October is due on 10 November.
    assert_eq!(year[0], "2021-04 ReportedLate 179");
    assert_eq!(year[6..8], ["2021-10 OnTime", "2021-11 NotDue"]);
    world.on("2021-12-15");
    assert_eq!(world.care("U1", "FY2021-22"), "70 7/12 1 late to 2021-11-04 partial");
    assert_eq!(world.slots("U1", &["2021-11"]), ["2021-11 Late 5"]);
    // The same value sent again is the same figure; without the marker it is final.
    world.on("2022-04-02").send("care", "r2", &["U1 FY2021-22 70 [p]"]);
    assert_eq!(world.care("U1", "FY2021-22"), "70 7/12 4 late to 2021-11-04 partial");
    world.send("care", "r3", &["U1 FY2021-22 70"]);
    assert_eq!(world.care("U1", "FY2021-22"), "70 12/12");
    // What a withdrawal brings back is as old as its own submission.
    world.on("2022-04-20").withdraw("care", "r3");
    world.withdraw("care", "r2");
    assert_eq!(world.care("U1", "FY2021-22"), "70 7/12 5 late to 2021-11-04 partial");
}

#[test]
fn a_figure_to_date_of_a_period_of_the_frequency_fills_no_slot_and_is_in_every_sum() {
    let mut world = World::of("events", "month");
    world.on("2021-06-30").send("care", "r1", &["U1 2021-06 3 [p]", "U2 2021-05 4"]);
    world.on("2021-07-02").send("care", "r2", &["U2 2021-06 5", "U3 2021-06 6"]);
    world.on("2021-07-11");
    // The last day of a period is part of it: June wasn't over on 30 June.
    assert_eq!(world.care("U1", "2021-06"), "3 0/1 1 late to 2021-06-29 partial");
    assert_eq!(world.care("P", "2021-06"), "14 2/3 1 late to 2021-06-29 partial");
    assert_eq!(world.slots("U1", &["2021-06"]), ["2021-06 Late 1"]);
    world.send("care", "r3", &["U1 2021-06 3"]);
    assert_eq!(world.care("P", "2021-06"), "14 3/3");
}

#[test]
fn an_area_is_expected_only_for_periods_on_whose_last_day_it_exists() {
    let mut world = World::of("events", "month");
    world.on("2022-01-01").send("care", "r1", &["U1 2021-08 1", "U1 2021-09 1"]);
    // U3 ended on 31 August.
    assert_eq!(world.care("P", "2021-08"), "1 1/3 2 late partial");
    assert_eq!(world.care("P", "2021-09"), "1 1/2 1 late partial");
    assert_eq!(world.slots("U3", &["FY2021-22-Q2"]), ["2021-07 Late 144", "2021-08 Late 113"]);
}

#[test]
fn a_stock_has_the_slots_of_the_period_of_its_frequency_that_ends_on_its_last_day() {
    let mut world = World::of("stock", "quarter");
    world.on("2022-07-01").send("care", "r1", &["U1 FY2021-22-Q1 10", "U2 2021-09-30 20"]);
    // Q1 and Q2 together have the slots of Q2, as the half has: U1 and U2; U3 ended in August.
    for periods in [&["FY2021-22-Q1", "FY2021-22-Q2"][..], &["FY2021-22-H1"], &["2021-09"], &["2021-09-30"]] {
        let coverage = world.figure("care", "P", periods).coverage;
        assert_eq!(coverage.expected, 2, "{periods:?}");
    }
    assert_eq!(world.care("U2", "2021-09"), "20 1/1");
    assert_eq!(world.care("U2", "FY2021-22-Q2"), "20 1/1");
    // Nothing of a quarter ends on 31 August.
    assert_eq!(world.care("U2", "2021-08"), "PeriodMismatch 0/0 partial");
    assert_eq!(world.slots("U2", &["2021-09-30"]), ["FY2021-22-Q2 ReportedLate 264"]);
    assert_eq!(world.completeness("U2", &["2021-08"]).mismatches.len(), 1);
    // Every quarter of a year is expected, though the year's stock is that of the last.
    assert_eq!(world.slots("U1", &["FY2021-22"]).len(), 4);
}

#[test]
fn a_quarter_is_one_slot_whatever_it_is_called() {
    let mut world = World::of("events", "quarter");
    world.on("2021-07-02").send("care", "r1", &["U1 CY2021-Q2 10"]);
    for period in ["CY2021-Q2", "FY2021-22-Q1"] {
        assert_eq!(world.slots("U1", &[period]), [format!("{period} OnTime")]);
        assert_eq!(world.care("U1", period), "10 1/1");
    }
    // Both years have the three quarters from April to December: five slots, counted four times each.
    let both = world.completeness("U1", &["CY2021", "FY2021-22"]);
    let periods: Vec<String> = both.slots.iter().map(|slot| slot.period.to_string()).collect();
    assert_eq!(periods, ["CY2021-Q1", "CY2021-Q2", "CY2021-Q3", "CY2021-Q4", "FY2021-22-Q4"]);
    assert!(both.rates.values().all(|rate| (rate.expected, rate.reported, rate.on_time) == (4, 1, 1)));
}

#[test]
fn a_quarter_sent_for_one_area_leaves_the_year_of_another_to_its_months() {
    let mut world = World::of("events", "month");
    let months = ["U1 2022-04 1", "U1 2022-07 3", "U2 2022-04 2", "U2 2022-12 5"];
    world.on("2023-04-20").send("care", "r1", &months);
    assert_eq!(world.care("U1", "FY2022-23"), "4 2/12 10 late partial");
    world.send("care", "r2", &["U1 FY2022-23-Q1 10"]);
    assert_eq!(world.care("U1", "FY2022-23"), "13 4/12 8 late partial");
    assert_eq!(world.care("U2", "FY2022-23"), "7 2/12 10 late partial");
    let explained = |area| world.explained(Some("care"), area, "FY2022-23").contributions.len();
    assert_eq!((explained("U1"), explained("U2")), (2, 2));
}

#[test]
fn a_figure_of_a_wider_area_or_a_longer_period_contains_the_slots_in_it() {
    let mut world = World::of("events", "quarter");
    world.on("2021-10-05").send("care", "r1", &["P FY2021-22-Q1 100", "U1 FY2021-22-H1 60", "P CY2021 9"]);
    // The area's own figure is nearer than the shorter one of a wider area.
    assert_eq!(world.care("U1", "FY2021-22-Q1"), "Contained 0/1 1 contained in U1 FY2021-22-H1 partial");
    assert_eq!(world.care("U2", "FY2021-22-Q1"), "Contained 0/1 1 contained in P FY2021-22-Q1 partial");
    // The calendar year was to date: its third quarter was over, its last wasn't.
    assert_eq!(world.care("U2", "FY2021-22-Q2"), "Contained 0/1 1 contained in P CY2021 partial");
    assert_eq!(world.care("U2", "FY2021-22-Q3"), "NotReported 0/1 partial");
    assert_eq!(world.slots("U1", &["FY2021-22-H1"]), ["FY2021-22-Q1 ReportedLate 87", "FY2021-22-Q2 OnTime"]);
    // One that isn't expected has no slots, until it is asked for by name.
    world.send("police", "r2", &["U1 FY2021-22-H1 6"]);
    let police = world.figure("police", "D1", &["FY2021-22-Q2"]);
    assert_eq!(world.text(&police), "Contained 0/1 1 contained in U1 FY2021-22-H1 partial");
    let explained = world.explained(Some("police"), "D1", "FY2021-22-Q2");
    assert_eq!(
        explained.rule,
        "Events add over time and over areas. It lies within the figure of `police` for U1 and FY2021-22-H1, which can't be split."
    );
    // A marker in a figure's place is not available, whatever it lies within.
    world.send("care", "r3", &["U1 FY2021-22-Q1 [c]"]);
    assert_eq!(world.care("U1", "FY2021-22-Q1"), "Marked 0/1 1 not available partial");
    assert_eq!(world.slots("U1", &["FY2021-22-Q1"]), ["FY2021-22-Q1 NotAvailable"]);
}

#[test]
fn distinct_people_and_stocks_lie_within_wider_areas_only() {
    for (kind, quarter) in [("distinct", "NotReported 0/1 1 late partial"), ("stock", "NotReported 0/1 1 late partial")]
    {
        let mut world = World::of(kind, "quarter");
        world.on("2022-05-01").send("care", "r1", &["U1 FY2021-22 60", "P FY2021-22-Q2 100"]);
        assert_eq!(world.care("U1", "FY2021-22-Q1"), quarter, "{kind}");
        assert_eq!(world.care("U1", "FY2021-22-Q2"), "Contained 0/1 1 contained in P FY2021-22-Q2 partial", "{kind}");
    }
}

#[test]
fn all_areas_directly_below_disagree_only_when_each_has_a_figure() {
    let mut world = World::of("events", "quarter");
    // D2 isn't expected of anybody; U3 ended before the quarter did.
    world.on("2022-01-01").send("care", "r1", &["U1 FY2021-22-Q3 10", "D1 FY2021-22-Q3 4", "P FY2021-22-Q3 30"]);
    assert!(world.discrepancies("U1", "FY2021-22-Q3").is_empty());
    world.send("care", "r2", &["D2 FY2021-22-Q3 5"]);
    assert_eq!(world.discrepancies("U1", "FY2021-22-Q3"), ["OverAreas 10 beside 9"]);
    assert!(world.discrepancies("P", "FY2021-22-Q3").is_empty());
    world.send("care", "r3", &["U2 FY2021-22-Q3 [z]"]);
    assert!(world.discrepancies("P", "FY2021-22-Q3").is_empty(), "U2 has no figure");
    world.send("care", "r4", &["U2 FY2021-22-Q3 21"]);
    assert_eq!(world.discrepancies("P", "FY2021-22-Q3"), ["OverAreas 30 beside 31"]);
}

#[test]
fn a_stock_differs_from_its_other_names_under_each_of_them() {
    let mut world = World::of("stock", "month");
    world.on("2022-05-01").send("care", "r1", &["U1 2022-03-31 6", "U1 FY2021-22-Q4 7", "U1 FY2021-22 8"]);
    assert_eq!(world.discrepancies("U1", "FY2021-22"), ["OverTime 8 beside 6", "OverTime 8 beside 7"]);
    assert_eq!(world.discrepancies("U1", "2022-03-31"), ["OverTime 6 beside 7", "OverTime 6 beside 8"]);
    // Submitted for none of its own name: the day's figure.
    assert_eq!(world.discrepancies("U1", "2022-03"), ["OverTime 6 beside 7", "OverTime 6 beside 8"]);
}

#[test]
fn an_explanation_says_why_there_is_no_value() {
    let rule = |world: &World, area: &str, period: &str| world.explained(Some("care"), area, period).rule;
    let mut world = World::of("distinct", "quarter");
    world.on("2022-05-01").send("care", "r1", &["U1 FY2021-22-Q1 3", "U2 FY2021-22-Q1 [x]"]);
    assert!(rule(&world, "U1", "FY2021-22").ends_with("Parts of it were submitted, and are never combined."));
    assert!(
        rule(&world, "U1", "2021-04")
            .ends_with("2021-04 doesn't fit the indicator: it isn't made of whole periods of the frequency `quarter`.")
    );
    assert!(rule(&world, "U1", "FY2021-22-Q3").ends_with("Nothing was submitted."));
    assert!(rule(&world, "U2", "FY2021-22-Q1").ends_with("A marker was submitted in place of a figure."));
}

#[test]
fn an_explanation_of_a_figure_without_a_value_never_says_that_nothing_was_submitted_when_something_was() {
    let mut world = World::of("ratio", "quarter");
    world.on("2022-05-01").send("care", "r1", &["U1 FY2021-22-Q1 0/0"]);
    let explained = world.explained(Some("care"), "U1", "FY2021-22-Q1");
    assert_eq!(
        explained.rule,
        "A ratio is the sum of its numerators over the sum of its denominators. This figure was submitted for the \
         area and the period themselves. Its base is zero."
    );
    let mut world = World::of_agencies("events", "quarter", r#"across_agencies = "side-by-side""#);
    world.on("2022-05-01").send("care", "r1", &["U1 FY2021-22-Q1 3"]).send("police", "r1", &["U1 FY2021-22-Q1 4"]);
    let explained = world.explained(None, "U1", "FY2021-22-Q1");
    assert_eq!(explained.contributions.len(), 2);
    assert_eq!(
        explained.rule,
        "Events add over time and over areas. The agencies' figures are views of one thing, and stay side by side."
    );
    assert!(world.explained(None, "U2", "FY2021-22-Q1").rule.contains("Nothing was submitted."));
}

#[test]
fn an_explanation_says_whose_figure_was_withdrawn_and_when() {
    let mut world = World::of_agencies("events", "quarter", r#"across_agencies = "add""#);
    let rule = |world: &World, who, period| {
        let rule = world.explained(who, "U1", period).rule;
        rule.split_once("over areas. ").unwrap().1.to_owned()
    };
    world.on("2022-05-01").send("care", "r1", &["U1 FY2021-22-Q1 3"]).send("police", "r1", &["U1 FY2021-22-Q1 4"]);
    world.withdraw("care", "r1");
    let of_care = "The figure of `care` was withdrawn at revision 4.";
    assert_eq!(rule(&world, Some("care"), "FY2021-22-Q1"), of_care);
    // What stands is explained by what it is of.
    assert!(!rule(&world, None, "FY2021-22-Q1").contains("withdrawn"));
    world.withdraw("police", "r1");
    let of_both =
        "The figure of `care` was withdrawn at revision 4. The figure of `police` was withdrawn at revision 5.";
    assert!(rule(&world, None, "FY2021-22-Q1").starts_with(of_both));
    assert_eq!(rule(&world, Some("care"), "FY2021-22-Q1"), of_care);
    assert_eq!(rule(&world, Some("care"), "FY2021-22-Q2"), "Nothing was submitted.");
    world.send("care", "r2", &["U1 FY2021-22-Q1 3"]);
    assert!(!rule(&world, Some("care"), "FY2021-22-Q1").contains("withdrawn"));
}

/// A generator of small numbers, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// In random worlds every slot that is expected of `care` is the same in a picture, a query, an explanation and
/// completeness; and every marker of a figure is on a contribution to it.
#[test]
fn every_answer_has_the_same_of_every_slot() {
    const AREAS: [&str; 7] = ["P", "U1", "U2", "U3", "D1", "D2", "D3"];
    const PERIODS: [&str; 12] = [
        "2021-04",
        "2021-05",
        "2021-06",
        "2021-07",
        "2021-09-30",
        "2021-06-30",
        "FY2021-22-Q1",
        "CY2021-Q3",
        "FY2021-22-Q2",
        "FY2021-22-H1",
        "FY2021-22",
        "CY2021",
    ];
    for seed in 0..100 {
        let mut numbers = Numbers(seed);
        let kind = numbers.one(&["events", "stock", "distinct", "amount"]);
        let frequency = numbers.one(&["month", "quarter", "half-year"]);
        let across_agencies = numbers.one(&[
            r#"across_agencies = "add""#,
            r#"across_agencies = "side-by-side""#,
            "across_agencies = \"lead\"\nlead_agency = \"police\"",
        ]);
        let mut world = World::of_agencies(kind, frequency, across_agencies);
        let indicator = world.state.catalogue().indicator_at(world.indicator()).newest();
        let taken: Vec<&str> = PERIODS.into_iter().filter(|it| indicator.takes(it.parse().unwrap())).collect();
        let mut days = vec!["2021-07-03", "2021-09-30", "2021-10-08", "2021-12-01", "2022-04-20"].into_iter();
        for request in 0..5 {
            world.on(days.next().unwrap());
            let figures: Vec<String> = (0..=numbers.below(6))
                .map(|_| {
                    let (area, period) = (numbers.one(&AREAS), numbers.one(&taken));
                    let value = numbers.one(&["1", "2", "3 [e]", "4 [p]", "[x]", "[z]", "[c]"]);
                    format!("{area} {period} {value}")
                })
                .collect();
            let figures: Vec<&str> = figures.iter().map(String::as_str).collect();
            let agency = numbers.one(&["care", "care", "police"]);
            world.send(agency, &format!("r{request}"), &figures);
            if numbers.below(4) == 0 {
                world.withdraw(agency, &format!("r{request}"));
            }
        }
        for period in PERIODS {
            holds_equal(&world, period, &format!("seed {seed}, {kind} by {frequency}, {period}"));
            for (agency, area) in AREAS.iter().flat_map(|area| [(Some("care"), area), (None, area)]) {
                carries_its_markers(
                    &world.explained(agency, area, period),
                    &format!("seed {seed}, {kind}, {area} {period}"),
                );
            }
        }
    }
}

fn holds_equal(world: &World, period: &str, what: &str) {
    let found = world.completeness("P", &[period]);
    for slot in &found.slots {
        let code = world.state.catalogue().area_at(slot.area).code.to_string();
        let name = slot.period.to_string();
        let queried = world.figure("care", &code, &[&name]);
        let picture = PictureQuery { area: slot.area, period: slot.period, indicators: None, comparison: None };
        let rows = answer::picture(world.view(), &picture);
        let cell = rows[0].cells.iter().find(|cell| cell.agency == slot.agency).unwrap();
        let explained = world.explained(Some("care"), &code, &name).figure;
        assert_eq!(cell.figure, explained, "{what}: {code} {name}");
        assert_eq!(
            Figure { discrepancies: cell.figure.discrepancies.clone(), ..(*queried).clone() },
            *cell.figure,
            "{what}: {code} {name}"
        );
        let coverage = cell.figure.coverage;
        let filled = coverage.reported + coverage.contained;
        let status = if filled == coverage.expected {
            assert!(slot.received.is_some(), "{what}: {code} {name}");
            if slot.days_late > 0 { Status::ReportedLate } else { Status::OnTime }
        } else if coverage.late > 0 {
            Status::Late
        } else if filled + coverage.not_available < coverage.expected {
            Status::NotDue
        } else {
            Status::NotAvailable
        };
        assert_eq!(slot.status, status, "{what}: {code} {name}");
        // Beside a value only where that is to date, and the slot lies within a figure that is whole.
        assert!(slot.contained_in.is_none() || coverage.contained > 0, "{what}: {code} {name}");
        assert!(slot.contained_in.is_none() || coverage.reported == 0, "{what}: {code} {name}");
    }
}

fn carries_its_markers(explained: &Explanation, what: &str) {
    let contributed = explained.contributions.iter().fold(Markers::NONE, |all, one| all.union(one.value.markers));
    match explained.figure.value {
        // The figures of agencies side by side are all there, and no figure is made of them.
        Err(Gap::SideBySide) => assert_eq!(explained.figure.markers, Markers::NONE, "{what}"),
        Ok(_) | Err(_) => assert_eq!(explained.figure.markers, contributed, "{what}"),
    }
}

//! Tables worked out by hand: each kind, each rule, each unit of change, each rounding.
//!
//! A line is the value, `reported/expected` slots, and what else there is to say.

use conspectus::catalogue::items::{AcrossAgencies, ExpectedAgency, IndicatorVersion, Kind, Validity};
use conspectus::model::decimal::Rounding;
use conspectus::model::period::Frequency;
use conspectus::picture::change::Comparison::{PreviousPeriod, YearBefore};

use crate::fixture::{Fixture, day, version};

fn quarterly(kind: Kind) -> Fixture {
    Fixture::of(version(kind, Frequency::Quarter))
}

fn yearly(kind: Kind, decimals: u8) -> Fixture {
    Fixture::of(IndicatorVersion { decimals, ..version(kind, Frequency::FinancialYear) })
}

const FOUR_QUARTERS: [&str; 4] =
    ["U1 FY2021-22-Q1 10", "U1 FY2021-22-Q2 20", "U1 FY2021-22-Q3 0", "U1 FY2021-22-Q4 30"];

// ---- Kinds, over time and over areas ----

/// Events and amounts add; a stock is its last; distinct people are only what was submitted as the year.
/// DfE, Children in need methodology: a child with two referrals in a year counts once as a child, so that
/// children of periods don't add. ONS, stocks and flows: a flow adds over time, a stock doesn't.
#[test]
fn each_kind_of_count_has_its_own_year() {
    for (kind, year, half) in [
        (Kind::Events, "60 4/4", "30 2/2"),
        (Kind::Amount, "60 4/4", "30 2/2"),
        (Kind::Stock, "30 1/1", "20 1/1"),
        (Kind::Distinct, "NotCombinable 0/1 partial", "NotCombinable 0/1 partial"),
    ] {
        let mut fixture = quarterly(kind);
        fixture.send("care", &FOUR_QUARTERS);
        assert_eq!(fixture.all("U1", "FY2021-22"), year, "{kind}");
        assert_eq!(fixture.all("U1", "FY2021-22-H1"), half, "{kind}");
    }
}

#[test]
fn distinct_people_of_a_year_are_what_was_submitted_for_the_year() {
    let mut fixture = quarterly(Kind::Distinct);
    fixture.send("care", &FOUR_QUARTERS);
    fixture.send("care", &["U1 FY2021-22 45", "U2 FY2021-22 5"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "45 1/1");
    assert_eq!(fixture.all("P", "FY2021-22"), "50 2/2", "over areas they add");
}

#[test]
fn every_kind_of_count_adds_over_areas() {
    for kind in [Kind::Events, Kind::Amount, Kind::Stock, Kind::Distinct] {
        let mut fixture = quarterly(kind);
        fixture.send("care", &["U1 FY2021-22-Q1 10", "U2 FY2021-22-Q1 7"]);
        assert_eq!(fixture.all("P", "FY2021-22-Q1"), "17 2/2", "{kind}");
    }
}

/// Numerators over denominators, never a mean of percentages: (16,257.984 + 16,364.727) / 36,499, where the
/// mean of the two would be 89.400. DfE, Characteristics of children in need, methodology. Figures:
/// Hampshire's report of 2018/19, assessments within 45 days.
#[test]
fn percentages_are_weighted_by_their_base() {
    let mut fixture = yearly(Kind::Ratio, 3);
    fixture.send("care", &["U1 FY2021-22 87.9 % of 18496", "U2 FY2021-22 90.9 % of 18003"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "87.900 1/1 (16257.984 over 18496 printed)");
    assert_eq!(fixture.all("P", "FY2021-22"), "89.380 2/2 (32622.711 over 36499 estimated) [e]");
}

#[test]
fn counted_parts_of_a_ratio_add_and_are_not_estimated() {
    let mut fixture = Fixture::of(IndicatorVersion { decimals: 1, ..version(Kind::Ratio, Frequency::Quarter) });
    fixture.send("care", &["U1 FY2021-22-Q1 1 of 2", "U1 FY2021-22-Q2 0 of 7", "U1 FY2021-22-Q3 0 of 0"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "11.1 2/2 (1 over 9)");
    assert_eq!(fixture.all("U1", "FY2021-22-Q3"), "ZeroBase 1/1 (0 over 0)");
}

#[test]
fn a_mean_is_weighted_by_its_count() {
    let mut fixture = Fixture::of(IndicatorVersion { decimals: 1, ..version(Kind::Mean, Frequency::Quarter) });
    fixture.send("care", &["U1 FY2021-22-Q1 10 over 1", "U1 FY2021-22-Q2 20 over 3", "U2 FY2021-22-Q1 -4 over 1"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "17.5 2/2 (70 over 4)");
    assert_eq!(fixture.all("P", "FY2021-22-Q1"), "3.0 2/2 (6 over 2)");
}

// ---- Which figure it is ----

#[test]
fn a_figure_submitted_for_the_whole_beats_one_built_of_parts() {
    let mut fixture = quarterly(Kind::Events);
    fixture.send("care", &FOUR_QUARTERS);
    fixture.send("care", &["U1 FY2021-22 61"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "61 4/4");
    assert_eq!(fixture.all("U1", "FY2021-22-H2"), "30 2/2", "and leaves the parts as they are");
}

#[test]
fn of_two_ways_the_one_that_misses_less_is_taken_and_over_time_when_equal() {
    let over_areas = ["D1 FY2021-22-H1 1", "D2 FY2021-22-H1 1"];
    let mut fixture = quarterly(Kind::Events);
    fixture.send("care", &over_areas);
    fixture.send("care", &["U1 FY2021-22-Q1 50"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "2 4/4", "over areas misses none");
    fixture.send("care", &["U1 FY2021-22-Q2 50"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "100 2/2", "over time misses none either");
}

#[test]
fn a_calendar_quarter_and_its_financial_namesake_are_one() {
    let mut fixture = quarterly(Kind::Events);
    fixture.send("care", &["U1 CY2021-Q2 3", "U1 CY2021-Q3 4", "U1 CY2021-Q4 5", "U1 CY2021-Q1 6"]);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "3 1/1");
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "7 2/2");
    assert_eq!(fixture.all("U1", "CY2021"), "18 4/4");
    assert_eq!(fixture.all("U1", "FY2021-22"), "12 3/4 1 late partial");
}

/// DfE, children looked after: "at 31 March" is the stock of the year, and of its last quarter and month.
#[test]
fn a_stock_as_at_the_last_day_is_the_stock_of_the_period() {
    let mut fixture = quarterly(Kind::Stock);
    fixture.send("care", &["U1 2022-03-31 8", "U1 2021-12-30 9"]);
    for period in ["2022-03-31", "2022-03", "FY2021-22-Q4", "CY2022-Q1", "FY2021-22-H2", "FY2021-22"] {
        assert!(fixture.all("U1", period).starts_with("8 "), "{period}");
    }
    assert_eq!(fixture.all("U1", "FY2021-22-Q3"), "NotReported 0/1 1 late partial", "30 December isn't its close");
    fixture.send("care", &["U1 FY2021-22 7"]);
    assert!(fixture.all("U1", "FY2021-22").starts_with("7 "), "the period's own name comes first");
}

#[test]
fn a_stock_without_its_close_is_as_at_an_earlier_period() {
    let mut fixture = quarterly(Kind::Stock);
    fixture.send("care", &["U1 FY2021-22-Q1 10", "U1 FY2021-22-Q2 20 [p]"]);
    // The half's stock is its last quarter's.
    assert_eq!(fixture.all("U1", "FY2021-22"), "20 0/1 [p] 1 late as at FY2021-22-H1 partial");
    fixture.send("care", &["U1 FY2021-22-Q4 [x]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "20 0/1 [p] 1 not available as at FY2021-22-H1 partial");
}

// ---- Agencies ----

fn of_two_agencies(across_agencies: AcrossAgencies) -> Fixture {
    let expected = |agency: &str| ExpectedAgency { agency: agency.parse().unwrap(), validity: Validity::default() };
    let mut fixture = Fixture::of(IndicatorVersion {
        across_agencies,
        lead_agency: (across_agencies == AcrossAgencies::Lead).then(|| "care".parse().unwrap()),
        expected_agencies: vec![expected("care"), expected("police")],
        ..version(Kind::Events, Frequency::Quarter)
    });
    fixture.send("police", &["U1 FY2021-22-Q1 30", "U1 FY2021-22-Q2 20 [e]"]);
    fixture.send("care", &["U1 FY2021-22-Q1 7", "U1 FY2021-22-Q3 [c]"]);
    fixture
}

#[test]
fn agencies_add_or_are_led_or_stay_side_by_side() {
    for (rule, both, police_only, marked) in [
        (
            AcrossAgencies::Add,
            "37 2/2",
            "20 1/2 [e] 1 late 1 imputed partial",
            "Marked 0/2 [c] 1 late 1 not available partial",
        ),
        (AcrossAgencies::Lead, "7 1/1", "LeadNotReported 0/1 1 late partial", "Marked 0/1 [c] 1 not available partial"),
        (
            AcrossAgencies::SideBySide,
            "SideBySide 2/2",
            "SideBySide 1/2 1 late 1 imputed partial",
            "SideBySide 0/2 1 late 1 not available partial",
        ),
    ] {
        let fixture = of_two_agencies(rule);
        assert_eq!(fixture.all("U1", "FY2021-22-Q1"), both, "{rule}");
        assert_eq!(fixture.all("U1", "FY2021-22-Q2"), police_only, "{rule}");
        assert_eq!(fixture.all("U1", "FY2021-22-Q3"), marked, "{rule}");
        assert_eq!(fixture.of_agency("police", "U1", "FY2021-22-Q1"), "30 1/1", "{rule}");
    }
}

/// A total that would count someone twice, or add views of one thing, is no total.
#[test]
fn a_combination_that_would_be_a_lie_is_refused() {
    let fixture = quarterly(Kind::Events);
    assert!(!fixture.refuses(&["U1", "U2"], &["FY2021-22-Q1", "FY2021-22-Q2"]));
    assert!(fixture.refuses(&["U1", "D1"], &["FY2021-22-Q1"]), "a county and its own district");
    assert!(fixture.refuses(&["U1"], &["FY2021-22-Q1", "FY2021-22-Q3"]), "with a gap");
    assert!(fixture.refuses(&["U1"], &["2021-06", "FY2021-22-Q2"]), "of two lengths");
    let fixture = quarterly(Kind::Distinct);
    assert!(!fixture.refuses(&["U1", "U2"], &["FY2021-22-Q1"]));
    assert!(fixture.refuses(&["U1"], &["FY2021-22-Q1", "FY2021-22-Q2"]), "people counted twice");
    assert!(of_two_agencies(AcrossAgencies::SideBySide).refuses(&["U1"], &["FY2021-22-Q1"]));
}

// ---- Coverage and markers ----

#[test]
fn a_figure_is_late_from_the_day_after_its_due_day() {
    let mut fixture = quarterly(Kind::Events);
    // 30 June and 30 days.
    fixture.today = day("2021-07-30");
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "NotReported 0/1 partial");
    fixture.today = day("2021-07-31");
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "NotReported 0/1 1 late partial");
    fixture.send("care", &["U1 FY2021-22-Q1 0"]);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "0 1/1", "zero is a value");
}

/// Government Analysis Function, "Symbols and shorthand": `c`, `x` and `low` stand for figures that there are
/// or should be; `z` says that there can be none, so nothing is missing.
#[test]
fn what_is_not_applicable_is_reported_and_what_is_not_available_is_missing() {
    for (marker, line) in [
        ("[z]", "Marked 1/1 [z]"),
        ("[x]", "Marked 0/1 [x] 1 not available partial"),
        ("[c]", "Marked 0/1 [c] 1 not available partial"),
        ("[low]", "Marked 0/1 [low] 1 not available partial"),
    ] {
        let mut fixture = quarterly(Kind::Events);
        fixture.send("care", &[&format!("U1 FY2021-22-Q1 {marker}")]);
        assert_eq!(fixture.all("U1", "FY2021-22-Q1"), line);
    }
}

#[test]
fn a_total_carries_everything_that_went_into_it() {
    let mut fixture = quarterly(Kind::Events);
    fixture.send("care", &["U1 FY2021-22-Q1 10 [p]", "U1 FY2021-22-Q2 20 [e]", "U1 FY2021-22-Q3 [x]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "30 2/4 [x] [e] [p] 1 late 1 not available 1 imputed partial");
    fixture.submit("care", true, &["U2 FY2021-22-Q1 5"]);
    assert_eq!(fixture.all("P", "FY2021-22-Q1"), "15 2/2 [p] sample");
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "10 1/1 [p]");
}

#[test]
fn a_withdrawn_submission_leaves_what_stood_before_it() {
    let mut fixture = quarterly(Kind::Events);
    let first = fixture.send("care", &["U1 FY2021-22-Q1 10"]);
    let second = fixture.send("care", &["U1 FY2021-22-Q1 12"]);
    let again = fixture.send("care", &["U1 FY2021-22-Q1 12"]);
    fixture.withdraw("care", &second);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "12 1/1", "it was said again");
    fixture.withdraw("care", &again);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "10 1/1");
    fixture.withdraw("care", &first);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "NotReported 0/1 1 late partial");
    for (as_of, line) in [(2, "10"), (3, "12"), (4, "12"), (5, "12"), (6, "10"), (7, "NotReported")] {
        fixture.as_of = Some(as_of);
        assert!(fixture.all("U1", "FY2021-22-Q1").starts_with(line), "as of {as_of}");
    }
}

// ---- Versions ----

#[test]
fn the_version_in_force_on_the_last_day_rounds_and_a_break_is_marked() {
    let first = version(Kind::Ratio, Frequency::Quarter);
    let second = IndicatorVersion {
        effective_from: Some(day("2021-09-30")),
        decimals: 2,
        breaks_comparability: true,
        ..first.clone()
    };
    let mut fixture = Fixture::of_versions(vec![first, second]);
    fixture.send("care", &["U1 FY2021-22-Q1 1 of 3", "U1 FY2021-22-Q2 1 of 3", "U1 FY2021-22-Q3 1 of 3"]);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "33 1/1 (1 over 3)");
    assert_eq!(fixture.all("U1", "FY2021-22-Q2"), "33.33 1/1 (1 over 3) [b]");
    assert_eq!(fixture.all("U1", "FY2021-22-Q3"), "33.33 1/1 (1 over 3)");
    assert_eq!(fixture.change("U1", "FY2021-22-Q2", PreviousPeriod), "from 33 in FY2021-22-Q1: Break");
    assert_eq!(fixture.change("U1", "FY2021-22-Q3", PreviousPeriod), "from 33.33 in FY2021-22-Q2: 0.00 points");
}

#[test]
fn a_senders_break_marker_breaks_the_change_up_to_it() {
    let mut fixture = quarterly(Kind::Events);
    fixture.send("care", &["U1 FY2020-21-Q3 1", "U1 FY2021-22-Q1 2", "U1 FY2021-22-Q2 3 [b]", "U1 FY2021-22-Q3 4"]);
    assert_eq!(fixture.change("U1", "FY2021-22-Q2", PreviousPeriod), "from 2 in FY2021-22-Q1: Break");
    assert_eq!(fixture.change("U1", "FY2021-22-Q3", PreviousPeriod), "from 3 in FY2021-22-Q2: 1 33.3%");
    assert_eq!(fixture.change("U1", "FY2021-22-Q3", YearBefore), "from 1 in FY2020-21-Q3: Break");
}

// ---- Change ----

/// Hampshire's reports of 2018/19 and 2021/22: children looked after rose by 72, or 4.5%, to 31 March 2019;
/// contacts in 2016-17 are 11.9% above 2015-16; in 2021-22 they are 21% above 2020-21.
#[test]
fn a_count_changes_by_a_number_and_a_percentage() {
    let mut fixture = yearly(Kind::Stock, 0);
    fixture.send("care", &["U1 FY2017-18 1592", "U1 FY2018-19 1664"]);
    assert_eq!(fixture.change("U1", "FY2018-19", PreviousPeriod), "from 1592 in FY2017-18: 72 4.5%");
    let mut fixture = yearly(Kind::Events, 0);
    fixture.send("care", &["U1 FY2015-16 77934", "U1 FY2016-17 87235", "U1 FY2020-21 126153", "U1 FY2021-22 153033"]);
    assert_eq!(fixture.change("U1", "FY2016-17", YearBefore), "from 77934 in FY2015-16: 9301 11.9%");
    assert_eq!(fixture.change("U1", "FY2021-22", PreviousPeriod), "from 126153 in FY2020-21: 26880 21.3%");
}

/// ONS style guide: the difference of two percentages is in percentage points, never in per cent.
#[test]
fn a_percentage_changes_by_points_worked_out_before_rounding() {
    let mut fixture = yearly(Kind::Ratio, 1);
    fixture.send("care", &["U1 FY2020-21 1 of 3", "U1 FY2021-22 2 of 3"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "66.7 1/1 (2 over 3)");
    // 66.66… less 33.33… is 33.33…: the rounded two differ by 33.4.
    assert_eq!(fixture.change("U1", "FY2021-22", PreviousPeriod), "from 33.3 in FY2020-21: 33.3 points");
}

#[test]
fn a_change_that_has_no_percentage_says_why() {
    let mut fixture = yearly(Kind::Amount, 1);
    fixture
        .send("care", &["U1 FY2017-18 0", "U1 FY2018-19 -4", "U1 FY2019-20 2.5", "U1 FY2020-21 [x]", "U1 FY2021-22 9"]);
    for (period, line) in [
        ("FY2018-19", "from 0.0 in FY2017-18: -4.0 FromZero"),
        ("FY2019-20", "from -4.0 in FY2018-19: 6.5 FromBelowZero"),
        ("FY2020-21", "from 2.5 in FY2019-20: NoLaterValue partial"),
        ("FY2021-22", "from Marked in FY2020-21: NoEarlierValue partial"),
        ("FY1900-01", "from nothing: NoEarlierPeriod"),
    ] {
        assert_eq!(fixture.change("U1", period, PreviousPeriod), line);
    }
}

#[test]
fn a_mean_changes_by_a_number_and_week_53_has_no_year_before() {
    let mut fixture = Fixture::of(IndicatorVersion { decimals: 1, ..version(Kind::Mean, Frequency::Week) });
    fixture.send("care", &["U1 2020-W52 10 over 2", "U1 2020-W53 9 over 1"]);
    assert_eq!(fixture.change("U1", "2020-W53", PreviousPeriod), "from 10.0 in 2020-W52: -1.0 -10.0%");
    assert_eq!(fixture.change("U1", "2020-W53", YearBefore), "from nothing: NoEarlierPeriod");
}

/// Two means of 30 digits over 15 each are exact; their difference would need 45.
#[test]
fn what_has_too_many_digits_is_refused_and_never_rounded_on_the_way() {
    let mut fixture = quarterly(Kind::Mean);
    fixture.send("care", &["U1 FY2021-22-Q1 999999999999989 over 999999999.999937"]);
    fixture.send("care", &["U2 FY2021-22-Q1 999999999999947 over 888888888.888883"]);
    fixture.send("care", &["U1 FY2021-22-Q2 777777777777767 over 777777777.777773"]);
    fixture.send("care", &["U2 FY2021-22-Q2 666666666666659 over 999999999.999829"]);
    // (999999999999989 × 999999999999937 + 999999999999947 × 888888888888883) / 1888888888888820.
    let mean = "999999999999969 2/2 (1888888888888761888888888.889894 over 1888888888.88882)";
    assert_eq!(fixture.all("P", "FY2021-22-Q1"), mean);
    assert_eq!(fixture.change("P", "FY2021-22-Q2", PreviousPeriod), "from 999999999999969 in FY2021-22-Q1: TooLarge");
}

// ---- Rounding ----

/// Half up, away from zero, as ONS and DfE publish (DfE, "percentages are rounded to …; halves up"); half to
/// even, IEEE 754's default, so that many roundings don't drift. Once, at the end: 0.45 is 0, never 0.5 and then 1.
#[test]
fn a_half_goes_away_from_zero_or_to_the_even_neighbour() {
    for (mean, up, even) in [
        ("2.5", "3", "2"),
        ("3.5", "4", "4"),
        ("-2.5", "-3", "-2"),
        ("-3.5", "-4", "-4"),
        ("0.5", "1", "0"),
        ("-0.5", "-1", "0"),
        ("2.51", "3", "3"),
        ("2.49", "2", "2"),
        ("-0.4", "0", "0"),
        ("0.45", "0", "0"),
    ] {
        for (rounding, expect) in [(Rounding::HalfUp, up), (Rounding::HalfEven, even)] {
            let mut fixture = Fixture::of(IndicatorVersion { rounding, ..version(Kind::Mean, Frequency::Quarter) });
            fixture.send("care", &[&format!("U1 FY2021-22-Q1 {mean} over 1")]);
            assert_eq!(fixture.all("U1", "FY2021-22-Q1").split(' ').next(), Some(expect), "{mean} {rounding}");
        }
    }
}

/// 1 in 80 is 1.25%: the percentage of a change is rounded by the indicator's rule too.
#[test]
fn a_percentage_change_is_rounded_by_the_indicators_rule() {
    for (rounding, expect) in [(Rounding::HalfUp, "1.3%"), (Rounding::HalfEven, "1.2%")] {
        let mut fixture = Fixture::of(IndicatorVersion { rounding, ..version(Kind::Events, Frequency::Quarter) });
        fixture.send("care", &["U1 FY2021-22-Q1 80", "U1 FY2021-22-Q2 81"]);
        let change = fixture.change("U1", "FY2021-22-Q2", PreviousPeriod);
        assert_eq!(change, format!("from 80 in FY2021-22-Q1: 1 {expect}"));
    }
}

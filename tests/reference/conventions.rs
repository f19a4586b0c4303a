//! Cases in which the service was once wrong, each with the rule that decides it.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{AcrossAgencies, AreaLevel, ExpectedAgency, IndicatorVersion, Kind, Validity};
use conspectus::model::period::Frequency;
use conspectus::picture::change::Comparison::{PreviousPeriod, With, YearBefore};

use crate::fixture::{Fixture, agency, area, day, version};

/// "Any query can be asked as of an earlier revision": the areas that came later are no reason to panic.
#[test]
fn a_revision_before_an_area_can_still_be_asked_about() {
    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    fixture.send("care", &["U1 FY2021-22-Q1 10"]);
    let before = fixture.revision();
    let areas = vec![area("U3", AreaLevel::UpperTier, "P")];
    fixture.put(CataloguePut { areas, agencies: vec![agency("care", &["P", "U1", "U3"])], ..CataloguePut::default() });
    fixture.send("care", &["U3 FY2021-22-Q1 5"]);
    assert!(fixture.all("P", "FY2021-22-Q1").starts_with("15 "));
    fixture.as_of = Some(before);
    assert!(fixture.all("P", "FY2021-22-Q1").starts_with("10 "));
}

/// "Distinct people are only what was submitted": what others submitted, elsewhere or later, is no reason to say
/// that figures don't combine; and a year that was submitted as confidential is not a year that doesn't combine.
#[test]
fn only_figures_of_subperiods_dont_combine_into_the_years() {
    let mut fixture = Fixture::of(version(Kind::Distinct, Frequency::Quarter));
    let empty = fixture.revision();
    fixture.send("police", &["D1 FY2021-22-Q1 10"]);
    assert_eq!(fixture.all("U2", "FY2021-22"), "NotReported 0/0 partial");
    assert_eq!(fixture.all("U1", "FY2021-22"), "NotCombinable 0/2 partial", "D1 is within U1");
    fixture.send("police", &["U1 FY2021-22 [c]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "Marked 0/1 [c] 1 not available partial");
    fixture.as_of = Some(empty);
    assert_eq!(fixture.all("U1", "FY2021-22"), "NotReported 0/0 partial");
}

/// The combined figure is the lead's: when the lead's doesn't combine, it has not failed to report.
#[test]
fn a_lead_with_figures_of_parts_has_reported() {
    let mut fixture = Fixture::of(IndicatorVersion {
        across_agencies: AcrossAgencies::Lead,
        lead_agency: Some("care".parse().unwrap()),
        ..version(Kind::Distinct, Frequency::Quarter)
    });
    fixture.send("police", &["U1 FY2021-22-Q1 10"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "LeadNotReported 0/0 partial");
    fixture.send("care", &["U1 FY2021-22-Q1 10"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "NotCombinable 0/1 partial");
}

/// The combined figure is the lead's: of agencies that it isn't among there is none, whether or not it has reported.
#[test]
fn a_lead_that_was_not_asked_for_has_not_failed_to_report() {
    let mut fixture = Fixture::of(IndicatorVersion {
        across_agencies: AcrossAgencies::Lead,
        lead_agency: Some("care".parse().unwrap()),
        ..version(Kind::Events, Frequency::Quarter)
    });
    fixture.put(CataloguePut { agencies: vec![agency("health", &["U1"])], ..CataloguePut::default() });
    fixture.send("police", &["U1 FY2021-22-Q1 10"]);
    for lead in ["LeadNotReported 0/1 1 late partial", "7 1/1"] {
        assert_eq!(fixture.of_agencies(&["care", "police"], "U1", "FY2021-22-Q1"), lead);
        assert_eq!(fixture.of_agencies(&["health", "police"], "U1", "FY2021-22-Q1"), "LeadNotAsked 0/0 partial");
        fixture.send("care", &["U1 FY2021-22-Q1 7"]);
    }
}

/// "One expected agency, for one period at the indicator's frequency": who is expected for a quarter is for the
/// version of that quarter to say. A year whose last version expects nobody still misses what its first did.
#[test]
fn an_agency_expected_for_a_part_of_the_year_is_missing_from_the_year() {
    let first = version(Kind::Events, Frequency::Quarter);
    let effective_from = Some(day("2021-10-01"));
    let expected = ExpectedAgency { agency: "police".parse().unwrap(), validity: Validity::default() };
    let second = IndicatorVersion { effective_from, expected_agencies: vec![expected], ..first.clone() };
    let fixture = Fixture::of_versions(vec![first, second]);
    assert_eq!(fixture.of_agency("care", "U1", "FY2021-22"), "NotReported 0/2 2 late partial");
    assert_eq!(fixture.all("U1", "FY2021-22"), "NotReported 0/4 4 late partial");
}

/// `as_at` is "the period that the value is the stock of": with no value there is none.
#[test]
fn a_marker_is_not_a_stock_as_at_its_period() {
    let mut fixture = Fixture::of(version(Kind::Stock, Frequency::Quarter));
    fixture.send("care", &["U1 FY2021-22-Q1 [x]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "Marked 0/1 [x] 1 late partial");
}

/// Of several stocks that are out of date it is the oldest, the one that closed first.
#[test]
fn the_oldest_of_two_stocks_is_the_one_that_closed_first() {
    let mut fixture = Fixture::of(version(Kind::Stock, Frequency::Month));
    fixture.send("care", &["U1 2021-05 10", "U2 FY2021-22-H1 5"]);
    assert_eq!(fixture.all("P", "FY2021-22"), "15 0/2 2 late as at 2021-05 partial");
}

/// "Otherwise a marker submitted in place of a figure says why there is none": what parts say of themselves
/// is no figure, and comes after it.
#[test]
fn a_years_own_marker_comes_before_those_of_its_parts() {
    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    fixture.send("care", &["U1 FY2021-22-Q1 [x]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "Marked 0/4 [x] 3 late 1 not available partial");
    fixture.send("care", &["U1 FY2021-22 [c]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "Marked 0/4 [c] 4 not available partial");
}

/// "There may be two ways to build it": one that ends without a figure doesn't build one.
#[test]
fn districts_with_figures_come_before_quarters_that_dont_apply() {
    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    fixture.send("care", &["U1 FY2021-22-Q1 [z]", "U1 FY2021-22-Q2 [z]"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "Marked 2/2 [z]");
    fixture.send("care", &["D1 FY2021-22-H1 3"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "3 2/4 partial");
}

/// "A county together with its own district is refused": on any day that decides what the figures are built of,
/// not on the last alone.
#[test]
fn a_district_that_left_during_the_periods_is_still_counted_twice() {
    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    let mut moved = area("D1", AreaLevel::District, "U1");
    moved.parents[0].validity.valid_to = Some(day("2021-06-30"));
    fixture.put(CataloguePut { areas: vec![moved], ..CataloguePut::default() });
    assert!(fixture.refuses(&["D1", "U1"], &["FY2021-22-Q1", "FY2021-22-Q2"]));
    assert!(fixture.refuses(&["D1", "U1"], &["FY2021-22"]), "the year is built of quarters");
    assert!(!fixture.refuses(&["D1", "U1"], &["FY2021-22-Q2", "FY2021-22-Q3"]));
}

/// "A figure submitted for the year itself beats the sum of its months", one level up too: of two ways that are
/// as complete, the one that rests on fewer submitted figures has the more that were submitted whole.
#[test]
fn a_year_that_one_area_submitted_whole_is_in_the_year_of_the_area_above() {
    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    let quarters = |area: &str, number: &str| -> Vec<String> {
        (1..=4).map(|quarter| format!("{area} FY2021-22-Q{quarter} {number}")).collect()
    };
    let figures: Vec<String> = quarters("U1", "10").into_iter().chain(quarters("U2", "1")).collect();
    fixture.send("care", &figures.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(fixture.all("P", "FY2021-22"), "44 8/8");
    fixture.send("care", &["U1 FY2021-22 45"]);
    assert_eq!(fixture.all("P", "FY2021-22"), "49 8/8");
}

/// "The service adds a marker only where it is true of the answer: a percentage shown as it was printed is not
/// estimated; one combined from printed percentages is."
#[test]
fn a_printed_percentage_is_estimated_only_when_it_is_combined() {
    let ratio = version(Kind::Ratio, Frequency::Quarter);
    let lead = AcrossAgencies::Lead;
    let mut fixture = Fixture::of(IndicatorVersion {
        across_agencies: lead,
        lead_agency: Some("care".parse().unwrap()),
        ..ratio.clone()
    });
    fixture.send("care", &["U1 FY2021-22-Q1 90 % of 10"]);
    fixture.send("police", &["U1 FY2021-22-Q1 50 % of 10"]);
    assert_eq!(fixture.of_agency("care", "U1", "FY2021-22-Q1"), "90 1/1 (9 over 10 printed)");
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "90 1/1 (9 over 10 printed)", "the lead's is carried as it is");
    assert_eq!(fixture.all("P", "FY2021-22-Q1"), "90 1/2 (9 over 10 printed) 1 late partial", "it is the only one");
    assert_eq!(fixture.all("U1", "FY2021-22"), "90 1/4 (9 over 10 printed) 3 late partial", "so it is of the year");
    fixture.send("care", &["U1 FY2021-22-Q2 [x]", "U2 FY2021-22-Q1 1 of 10"]);
    assert_eq!(
        fixture.all("U1", "FY2021-22-H1"),
        "90 1/2 (9 over 10 printed) [x] 1 not available partial",
        "a marker isn't a figure"
    );
    assert_eq!(fixture.all("P", "FY2021-22-Q1"), "50 2/2 (10 over 20 estimated) [e]", "with a counted one");
    fixture.send("care", &["U1 FY2021-22-Q2 80 % of 10"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "85 2/2 (17 over 20 estimated) [e]", "over time");
    fixture.send("care", &["U1 FY2021-22-Q1 0 % of 0", "U1 FY2021-22-Q2 0 % of 0"]);
    assert_eq!(fixture.all("U1", "FY2021-22-H1"), "ZeroBase 2/2 (0 over 0 printed)", "nothing is estimated");
    let mut fixture = Fixture::of(ratio);
    fixture.send("care", &["U1 FY2021-22-Q1 90 % of 10 [e]"]);
    assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "90 1/1 (9 over 10 printed) [e] 1 imputed", "the sender's own stays");
    fixture.send("police", &["U2 FY2021-22-Q1 50 % of 10"]);
    fixture.send("care", &["U1 FY2021-22-Q1 90 % of 10"]);
    assert_eq!(fixture.all("P", "FY2021-22-Q1"), "70 2/3 (14 over 20 estimated) [e] 1 late partial", "over agencies");
}

/// "Kept exactly, combined by weight, and told apart from an exact numerator": of a base of zero nothing is combined.
#[test]
fn a_percentage_of_nothing_makes_nothing_an_estimate() {
    let mut fixture = Fixture::of(version(Kind::Ratio, Frequency::Quarter));
    for (first, second, of_both) in [
        ("3 of 9", "0 % of 0", "33 2/2 (3 over 9)"),
        ("87.9 % of 18496", "0 of 0", "88 2/2 (16257.984 over 18496 printed)"),
        ("87.9 % of 18496", "0 % of 0", "88 2/2 (16257.984 over 18496 printed)"),
        ("0 of 0", "0 of 0", "ZeroBase 2/2 (0 over 0)"),
        ("0 of 0", "0 % of 0", "ZeroBase 2/2 (0 over 0 printed)"),
        ("0 % of 9", "1 of 1", "10 2/2 (1 over 10 estimated) [e]"),
    ] {
        for (one, other) in [(first, second), (second, first)] {
            fixture.send("care", &[&format!("U1 FY2021-22-Q1 {one}"), &format!("U1 FY2021-22-Q2 {other}")]);
            assert_eq!(fixture.all("U1", "FY2021-22-H1"), of_both);
            fixture.send("care", &[&format!("U1 FY2021-22-Q3 {one}"), &format!("U2 FY2021-22-Q3 {other}")]);
            assert_eq!(fixture.all("P", "FY2021-22-Q3"), of_both);
        }
    }
}

/// "The exact result has more digits than the service computes with": no part of it stands beside that, least of all
/// what came after.
#[test]
fn a_sum_of_too_many_digits_has_no_numerator() {
    let mut fixture = Fixture::of(version(Kind::Mean, Frequency::Month));
    let largest = "999999999999999 over 999999999999999";
    for order in [[largest, "0.000001 over 0.000001", "2 over 5"], ["2 over 5", largest, "0.000001 over 0.000001"]] {
        let months = ["2021-04", "2021-05", "2021-06"].iter().zip(order);
        let figures: Vec<String> = months.map(|(month, mean)| format!("U1 {month} {mean}")).collect();
        fixture.send("care", &figures.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(fixture.all("U1", "FY2021-22-Q1"), "TooLarge 3/3");
    }
}

/// "A break in series" is its sender's: another agency's figures are as comparable as they were, and the combined
/// one is broken when a broken one goes into it.
#[test]
fn a_senders_break_breaks_its_own_series_and_the_total_that_it_goes_into() {
    let whole = "from 7 in FY2021-22-Q1: 1 14.3%";
    for (across_agencies, of_police, of_all) in [
        (AcrossAgencies::Add, "from 30 in FY2021-22-Q1: Break", "from 37 in FY2021-22-Q1: Break"),
        (AcrossAgencies::Lead, "from 30 in FY2021-22-Q1: Break", whole),
        (AcrossAgencies::SideBySide, "from 30 in FY2021-22-Q1: Break", "from SideBySide in FY2021-22-Q1: NoLaterValue"),
    ] {
        let lead_agency = (across_agencies == AcrossAgencies::Lead).then(|| "care".parse().unwrap());
        let first = IndicatorVersion { across_agencies, lead_agency, ..version(Kind::Events, Frequency::Quarter) };
        let mut fixture = Fixture::of(first.clone());
        fixture.send("police", &["U1 FY2021-22-Q1 30", "U1 FY2021-22-Q2 20 [b]"]);
        fixture.send("care", &["U1 FY2021-22-Q1 7", "U1 FY2021-22-Q2 8", "U2 FY2021-22-Q2 9 [b]"]);
        assert_eq!(fixture.change_of_agency("care", "U1", "FY2021-22-Q2"), whole, "{across_agencies}");
        assert_eq!(fixture.change_of_agency("police", "U1", "FY2021-22-Q2"), of_police, "{across_agencies}");
        assert_eq!(fixture.change("U1", "FY2021-22-Q2", PreviousPeriod), of_all, "{across_agencies}");
        let effective_from = Some(day("2021-08-01"));
        let second = IndicatorVersion { effective_from, breaks_comparability: true, ..first };
        fixture.put(CataloguePut { indicators: vec![second], ..CataloguePut::default() });
        let by_definition = fixture.change_of_agency("care", "U1", "FY2021-22-Q2");
        assert_eq!(by_definition, "from 7 in FY2021-22-Q1: Break", "a definition is everyone's");
    }
}

/// "A break in series" lies where its sender says, whatever the length of the periods that are compared: on a
/// quarter or a day within the year, on a close without a value, on a district.
#[test]
fn a_break_within_a_longer_period_breaks_it() {
    let mut fixture = Fixture::of(version(Kind::Stock, Frequency::Quarter));
    let quarters = ["U1 FY2021-22-Q2 151", "U1 FY2021-22-Q3 152", "U1 FY2021-22-Q4 153"];
    fixture.send("care", &["U1 FY2020-21-Q2 99", "U1 FY2020-21-Q4 100", "U1 FY2021-22-Q1 150 [b]"]);
    fixture.send("care", &quarters);
    assert_eq!(fixture.change("U1", "FY2021-22", PreviousPeriod), "from 100 in FY2020-21: Break");
    assert_eq!(fixture.change_of_agency("care", "U1", "FY2021-22"), "from 100 in FY2020-21: Break");
    assert_eq!(fixture.change("U1", "FY2021-22-H2", YearBefore), "from 100 in FY2020-21-H2: Break");
    assert_eq!(fixture.change("P", "FY2021-22", PreviousPeriod), "from 100 in FY2020-21: Break partial");
    assert_eq!(fixture.change("U1", "FY2021-22-H2", PreviousPeriod), "from 151 in FY2021-22-H1: 2 1.3%");
    fixture.send("care", &["U1 FY2021-22-Q4 [x] [b]"]);
    assert_eq!(fixture.change("U1", "FY2021-22-H2", PreviousPeriod), "from 151 in FY2021-22-H1: Break partial");

    let mut fixture = Fixture::of(version(Kind::Stock, Frequency::Month));
    fixture.send("care", &["U1 2021-05 100", "U1 2021-06-15 150 [b]", "U1 2021-06 151", "U1 2021-07 152"]);
    assert_eq!(fixture.change("U1", "2021-06", PreviousPeriod), "from 100 in 2021-05: Break");
    assert_eq!(fixture.change("U1", "2021-07", PreviousPeriod), "from 151 in 2021-06: 1 0.7%");

    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    fixture.send("care", &["U1 FY2020-21 100", "U1 FY2021-22 150", "U1 FY2021-22-Q3 40 [b]", "U1 FY2021-22-Q4 41"]);
    assert_eq!(fixture.change("U1", "FY2021-22", PreviousPeriod), "from 100 in FY2020-21: Break");
    assert_eq!(fixture.change("U1", "FY2021-22-Q4", PreviousPeriod), "from 40 in FY2021-22-Q3: 1 2.5%");
    fixture.send("care", &["U1 FY2021-22-Q3 40", "D1 FY2021-22-Q3 40 [b]"]);
    assert_eq!(fixture.change("U1", "FY2021-22", PreviousPeriod), "from 100 in FY2020-21: Break");
    fixture.send("care", &["D1 FY2021-22-Q3 40", "U1 FY2021-22 150 [b]"]);
    let whole = "from 40 in FY2021-22-Q3: 1 2.5%";
    assert_eq!(fixture.change("U1", "FY2021-22-Q4", PreviousPeriod), whole, "the year began before");
}

/// A quarter has two names, and is one period: its own break doesn't come after it.
#[test]
fn a_quarter_is_not_later_than_itself_under_its_other_name() {
    let mut fixture = Fixture::of(version(Kind::Events, Frequency::Quarter));
    fixture.send("care", &["U1 FY2021-22-Q1 10 [b]", "U1 FY2021-22-Q2 20"]);
    for first in ["FY2021-22-Q1", "CY2021-Q2"] {
        let change = fixture.change("U1", "CY2021-Q3", With(first.parse().unwrap()));
        assert_eq!(change, format!("from 10 in {first}: 10 100.0%"));
    }
}

/// An explanation takes the way that its figure took: the last subperiod that has a stock, and of a stock that is
/// known by markers alone, the last of these.
#[test]
fn an_explanation_takes_the_way_of_its_figure() {
    let mut fixture = Fixture::of(version(Kind::Stock, Frequency::Quarter));
    fixture.send("care", &["U1 FY2021-22-Q1 [c]", "U1 FY2021-22-Q3 [x]"]);
    assert_eq!(fixture.all("U1", "FY2021-22"), "Marked 0/1 [x] 1 late partial");
    assert_eq!(fixture.explained("U1", "FY2021-22"), "OverTime: U1 FY2021-22-Q3 [x]");
    fixture.send("care", &["U1 FY2021-22-Q2 20"]);
    assert!(fixture.all("U1", "FY2021-22").starts_with("20 "));
    assert_eq!(fixture.explained("U1", "FY2021-22"), "OverTime: U1 FY2021-22-Q2 20");
    fixture.send("care", &["D1 FY2021-22 3", "D2 FY2021-22-Q4 4"]);
    assert!(fixture.all("U1", "FY2021-22").starts_with("7 "));
    assert_eq!(fixture.explained("U1", "FY2021-22"), "OverAreas: D1 FY2021-22 3, D2 FY2021-22-Q4 4");
    fixture.send("care", &["U1 FY2021-22 [z]"]);
    assert!(fixture.all("U1", "FY2021-22").starts_with("7 "), "a marker comes after what can be built");
    fixture.send("care", &["U1 2022-03-31 8"]);
    assert_eq!(fixture.explained("U1", "FY2021-22"), "Submitted: U1 2022-03-31 8");
}

/// What one agency's figure alone is, combined or not, came about as that figure did.
#[test]
fn a_figure_of_one_agency_is_not_combined_over_agencies() {
    let lead = IndicatorVersion {
        across_agencies: AcrossAgencies::Lead,
        lead_agency: Some("care".parse().unwrap()),
        ..version(Kind::Events, Frequency::Quarter)
    };
    for (version, of_both) in [
        (lead.clone(), "OverTime: U1 FY2021-22-Q1 7, U1 FY2021-22-Q2 8"),
        (
            IndicatorVersion { across_agencies: AcrossAgencies::Add, lead_agency: None, ..lead },
            "OverAgencies: U1 FY2021-22-Q1 7, U1 FY2021-22-Q2 8, U1 FY2021-22-Q1 1",
        ),
    ] {
        let mut fixture = Fixture::of(version);
        fixture.send("care", &["U1 FY2021-22-Q1 7", "U1 FY2021-22-Q2 8"]);
        let (explained, rule) = fixture.explained_of(None, "U1", "FY2021-22");
        assert_eq!(explained, "OverTime: U1 FY2021-22-Q1 7, U1 FY2021-22-Q2 8");
        assert!(rule.contains("This figure is built from those of the period's subperiods."), "{rule}");
        fixture.send("police", &["U1 FY2021-22-Q1 1"]);
        assert_eq!(fixture.explained_of(None, "U1", "FY2021-22").0, of_both);
    }
}

/// What was submitted for the quarters was submitted: the year says that it isn't combined.
#[test]
fn distinct_people_of_quarters_are_not_nothing() {
    let mut fixture = Fixture::of(version(Kind::Distinct, Frequency::Quarter));
    let rule = |fixture: &Fixture, agency| fixture.explained_of(agency, "U1", "FY2021-22").1;
    let (nothing, not_combined) = ("Nothing was submitted.", "Parts of it were submitted, and are never combined.");
    for agency in [None, Some("care")] {
        assert!(rule(&fixture, agency).contains(nothing));
    }
    fixture.send("care", &["U1 FY2021-22-Q1 10"]);
    for agency in [None, Some("care")] {
        let rule = rule(&fixture, agency);
        assert!(rule.contains(not_combined) && !rule.contains(nothing), "{rule}");
    }
    assert!(rule(&fixture, Some("police")).contains(nothing));
}

/// "A submitted figure that differs from what its parts come to": a stock's figure under two names is one figure.
#[test]
fn a_stock_submitted_under_two_names_differs_from_its_parts_once() {
    let mut fixture = Fixture::of(version(Kind::Stock, Frequency::FinancialYear));
    fixture.send("care", &["U1 FY2021-22 7", "U1 2022-03-31 7", "D1 FY2021-22 3", "D2 FY2021-22 3"]);
    assert_eq!(fixture.discrepancies("U1", "FY2021-22"), ["care OverAreas: 7 beside 6"]);
    fixture.send("care", &["U1 FY2021-22 [x]", "U1 2022-03-31 6"]);
    assert!(fixture.discrepancies("U1", "FY2021-22").is_empty(), "the figure comes before the marker");
    fixture.send("care", &["U1 FY2021-22 8"]);
    let both = ["care OverTime: 8 beside 6", "care OverAreas: 8 beside 6"];
    assert_eq!(fixture.discrepancies("U1", "FY2021-22"), both, "the day is a part of the year");
    assert_eq!(fixture.explained("U1", "FY2021-22"), "Submitted: U1 FY2021-22 8");
}

//! The model, and with it the service, against numbers worked out by hand.
//!
//! Areas are a partnership P over U1, U2 and U3, U1 over D1 and D2; `care` is expected to report, and `police` isn't.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{
    Area, AreaLevel, AreaParent, Category, Dimension, IndicatorVersion, Kind, Polarity, PopulationRule, RateRule,
    UnfinishedPeriods, Validity,
};
use conspectus::entry::Withdrawal;
use conspectus::model::observation::Observation;
use conspectus::model::period::Frequency;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::rpc::proto::{AggregateRow, Figure, GetCompletenessResponse, Rate};

use crate::answer::{Answer, Body, expected};
use crate::command::Command;
use crate::fixture::{agency, area, day, submit, value, version};
use crate::model::question::{AsOf, CompletenessQuestion, HistoryQuestion, QueryQuestion, Question, What};
use crate::service::Service;
use crate::world::{History, Lived};

const AREAS: [&str; 6] = ["P", "U1", "U2", "U3", "D1", "D2"];

struct Worked {
    history: History,
    requests: usize,
}

fn noon(text: &str) -> Timestamp {
    Timestamp((i64::from(day(text).days()) * 24 + 12) * 3_600_000_000)
}

/// An indicator, by its id.
fn indicator(id: &str, kind: Kind, frequency: Frequency) -> IndicatorVersion {
    IndicatorVersion { id: id.parse().unwrap(), ..version(kind, frequency) }
}

/// The population `pop`, which nobody is expected to report, and events `ev` with a rate of it per 1,000.
fn with_rate(rule: PopulationRule) -> Vec<IndicatorVersion> {
    let mut pop = indicator("pop", Kind::Stock, Frequency::FinancialYear);
    pop.expected_agencies.clear();
    let mut ev = indicator("ev", Kind::Events, Frequency::FinancialYear);
    let population_indicator = "pop".parse().unwrap();
    ev.rate = Some(RateRule { population_indicator, per: 1_000, rule, decimals: 1 });
    vec![pop, ev]
}

impl Worked {
    fn of(indicators: Vec<IndicatorVersion>) -> Self {
        let mut worked = Self { history: History { commands: vec![], zone: UTC.clone() }, requests: 0 };
        let categories = ["f", "m"].map(|id| Category { id: id.parse().unwrap(), title: id.to_owned() }).to_vec();
        worked.put(
            "2020-01-01",
            CataloguePut {
                areas: vec![
                    area("P", AreaLevel::Partnership, ""),
                    area("U1", AreaLevel::UpperTier, "P"),
                    area("U2", AreaLevel::UpperTier, "P"),
                    area("U3", AreaLevel::UpperTier, "P"),
                    area("D1", AreaLevel::District, "U1"),
                    area("D2", AreaLevel::District, "U1"),
                ],
                agencies: vec![agency("police", &AREAS), agency("care", &AREAS)],
                dimensions: vec![Dimension { id: "sex".parse().unwrap(), title: "Sex".to_owned(), categories }],
                indicators,
                reconciliation_rules: vec![],
                calendars: vec![],
            },
        );
        worked
    }

    fn put(&mut self, on: &str, put: CataloguePut) {
        self.history.commands.push((noon(on), Command::PutCatalogue(put)));
    }

    /// Figures as `indicator area period breakdown value`, the breakdown a dash for the total.
    fn send(&mut self, on: &str, agency: &str, figures: &[&str]) -> String {
        let observation = |text: &&str| {
            let words: Vec<&str> = text.splitn(5, ' ').collect();
            Observation {
                indicator: words[0].parse().unwrap(),
                area: words[1].parse().unwrap(),
                period: words[2].parse().unwrap(),
                breakdown: words[3].trim_matches('-').parse().unwrap(),
                value: value(words[4]),
                note: None,
                explanations: Vec::new(),
            }
        };
        self.requests += 1;
        let request_id = format!("r{}", self.requests);
        let submission = Submission {
            agency: agency.parse().unwrap(),
            request_id: request_id.parse().unwrap(),
            source: String::new(),
            sample: false,
            reason: String::new(),
            return_id: None,
            observations: figures.iter().map(observation).collect(),
        };
        self.history.commands.push((noon(on), submit(submission)));
        request_id
    }

    fn withdraw(&mut self, on: &str, agency: &str, request_id: &str) {
        let (agency, request_id) = (agency.parse().unwrap(), request_id.parse().unwrap());
        let withdrawal = Withdrawal { agency, request_id, reason: String::new() };
        self.history.commands.push((noon(on), Command::Withdraw(withdrawal.into())));
    }

    fn lived(&self) -> Lived {
        let lived = self.history.live();
        assert_eq!(lived.entries.len(), self.history.commands.len(), "every command is admitted");
        lived
    }

    /// D1 lies within U1 until one day, and within U2 from another.
    fn move_d1(&mut self, until: &str, from: &str) {
        let parent = |code: &str, valid_from, valid_to| AreaParent {
            code: code.parse().unwrap(),
            validity: Validity { valid_from, valid_to },
        };
        let parents = vec![parent("U1", None, Some(day(until))), parent("U2", Some(day(from)), None)];
        let areas = vec![Area { parents, ..area("D1", AreaLevel::District, "") }];
        self.put("2024-03-11", CataloguePut { areas, ..CataloguePut::default() });
    }

    /// The answer of the model, which is the service's too.
    fn ask(&self, on: &str, as_of: AsOf, what: What) -> Answer {
        let (lived, question) = (self.lived(), Question { now: noon(on), as_of, what });
        let answer = expected(&lived, &question);
        assert_eq!(Service::of(lived.state, &lived.zone).ask(&question), answer);
        answer.unwrap()
    }

    fn rows(&self, on: &str, as_of: AsOf, asked: QueryQuestion) -> Vec<AggregateRow> {
        let Body::Rows(rows) = self.ask(on, as_of, What::Query(Box::new(asked))).body else { unreachable!() };
        rows
    }

    fn figure(&self, on: &str, asked: QueryQuestion) -> Figure {
        self.rows(on, AsOf::Now, asked).remove(0).figure.unwrap()
    }

    fn rate(&self, as_of: AsOf, asked: QueryQuestion) -> Rate {
        self.rows("2026-01-01", as_of, QueryQuestion { rate: true, ..asked }).remove(0).rate.unwrap()
    }

    fn completeness(&self, on: &str, area: &str, period: &str) -> GetCompletenessResponse {
        let (area, periods) = (area.parse().unwrap(), vec![period.parse().unwrap()]);
        let what = CompletenessQuestion { area, periods, indicators: vec![], agencies: vec![], late_only: false };
        let Body::Completeness(answer) = self.ask(on, AsOf::Now, What::Completeness(what)).body else { unreachable!() };
        *answer
    }
}

fn of(indicator: &str, areas: &[&str], periods: &[&str]) -> QueryQuestion {
    QueryQuestion {
        indicators: vec![indicator.parse().unwrap()],
        areas: areas.iter().map(|code| code.parse().unwrap()).collect(),
        area_level: None,
        agencies: vec![],
        periods: periods.iter().map(|period| period.parse().unwrap()).collect(),
        breakdown: "".parse().unwrap(),
        by_indicator: false,
        by_area: false,
        by_agency: false,
        by_period: false,
        comparison: None,
        across_breaks: false,
        areas_now: false,
        year_to_date: false,
        by_dimension: None,
        rate: false,
        share: false,
        rank: false,
        benchmark_areas: vec![],
    }
}

/// Value, reported of expected, contained, late.
fn shown(figure: &Figure) -> String {
    let coverage = figure.coverage.as_ref().unwrap();
    let value = figure.value.clone().unwrap_or_else(|| figure.gap().as_str_name().to_owned());
    let (reported, expected) = (coverage.reported, coverage.expected);
    format!("{value} {reported}/{expected} contained {} late {}", coverage.contained, coverage.late)
}

/// U1 has people on 30 June and U2 on 30 September: on no day are there people of both.
#[test]
fn a_population_covers_the_areas_of_its_figure_or_there_is_no_rate() {
    let mut worked = Worked::of(with_rate(PopulationRule::Latest));
    worked.send("2024-01-01", "care", &["pop U1 2023-06-30 - 1000", "pop U2 2023-09-30 - 500"]);
    worked.send("2025-01-01", "care", &["ev U1 FY2023-24 - 10", "ev U2 FY2023-24 - 10"]);
    let rate = worked.rate(AsOf::Now, of("ev", &["U1", "U2"], &["FY2023-24"]));
    assert_eq!((rate.value.clone(), rate.gap().as_str_name()), (None, "GAP_NO_POPULATION"));
    assert_eq!(rate.population_period, "2023-09-30");
    // 1000 × 10 ∕ 1000, and of U2 1000 × 10 ∕ 500.
    for (area, value) in [("U1", "10.0"), ("U2", "20.0")] {
        assert_eq!(worked.rate(AsOf::Now, of("ev", &[area], &["FY2023-24"])).value.as_deref(), Some(value));
    }
    // People of U3, who weren't asked about, change nothing; of all three together 1000 × 20 ∕ 2007 = 9.965.
    let revision = AsOf::Revision(3);
    worked.send("2025-02-01", "care", &["pop U3 FY2023-24 - 7"]);
    for as_of in [revision, AsOf::Now] {
        assert_eq!(worked.rate(as_of, of("ev", &["U1", "U2"], &["FY2023-24"])).population_period, "2023-09-30");
    }
    worked.send("2025-03-01", "care", &["pop U1 2024-03-31 - 1000", "pop U2 2024-03-31 - 1000"]);
    let rate = worked.rate(AsOf::Now, of("ev", &["U1", "U2", "U3"], &["FY2023-24"]));
    assert_eq!((rate.value.as_deref(), rate.population_period.as_str()), (Some("10.0"), "2024-03-31"));
}

/// 10.5: 12 of 36 girls and 24 of 24 boys, of 60 children 36.
#[test]
fn girls_are_divided_by_girls() {
    let mut indicators = with_rate(PopulationRule::Latest);
    indicators.iter_mut().for_each(|it| it.dimensions = vec!["sex".parse().unwrap()]);
    let mut worked = Worked::of(indicators);
    let people = ["pop U1 2023-06-30 - 60", "pop U1 2023-06-30 sex=f 36", "pop U1 2023-06-30 sex=m 24"];
    worked.send("2025-01-01", "care", &people);
    worked.send(
        "2025-01-02",
        "care",
        &["ev U1 FY2023-24 - 36", "ev U1 FY2023-24 sex=f 12", "ev U1 FY2023-24 sex=m 24"],
    );
    let asked =
        QueryQuestion { by_dimension: Some("sex".parse().unwrap()), rate: true, ..of("ev", &["U1"], &["FY2023-24"]) };
    let rows = worked.rows("2026-01-01", AsOf::Now, asked);
    let rates: Vec<_> = rows.iter().map(|row| row.rate.as_ref().unwrap().value.clone().unwrap()).collect();
    assert_eq!(rates, ["600.0", "333.3", "1000.0"]);
}

/// 10.4: a district of 10,000 people moves from U2 to U1 on 1 April 2023, after the people were counted.
#[test]
fn a_population_is_of_the_areas_of_its_figure() {
    let mut worked = Worked::of(with_rate(PopulationRule::Latest));
    let moved = |code: &str, until: &str, from: &str| AreaParent {
        code: code.parse().unwrap(),
        validity: Validity {
            valid_from: (!from.is_empty()).then(|| day(from)),
            valid_to: (!until.is_empty()).then(|| day(until)),
        },
    };
    let parents = vec![moved("U2", "2023-03-31", ""), moved("U1", "", "2023-04-01")];
    let district = Area { parents, ..area("D2", AreaLevel::District, "") };
    worked.put("2020-01-02", CataloguePut { areas: vec![district], ..CataloguePut::default() });
    worked.send("2025-01-01", "care", &["pop D1 2022-06-30 - 50000", "pop D2 2022-06-30 - 10000"]);
    worked.send("2025-01-02", "care", &["ev U1 FY2023-24 - 4200"]);
    let rate = worked.rate(AsOf::Now, of("ev", &["U1"], &["FY2023-24"]));
    // 1000 × 4200 ∕ 60,000.
    assert_eq!(rate.value.as_deref(), Some("70.0"));
}

/// 12.3: the quartile of the best is the first, however few there are; and 12.1: a partial figure isn't ranked.
#[test]
fn the_best_are_in_the_first_quartile_and_partial_figures_apart() {
    let mut ev = indicator("ev", Kind::Events, Frequency::HalfYear);
    ev.polarity = Polarity::LowerIsBetter;
    let mut worked = Worked::of(vec![ev]);
    worked.send("2024-06-01", "care", &["ev U1 FY2023-24 - 5", "ev U2 FY2023-24 - 5", "ev U3 FY2023-24-H1 - 1"]);
    let asked = QueryQuestion { by_area: true, rank: true, ..of("ev", &["U1", "U2", "U3"], &["FY2023-24"]) };
    let rows = worked.rows("2024-07-01", AsOf::Now, asked.clone());
    let ranks = |rows: &[AggregateRow]| -> Vec<_> {
        let ranks = rows.iter().map(|row| row.rank.clone().unwrap());
        ranks.map(|rank| (rank.rank, rank.of, rank.quartile, rank.partial_areas)).collect()
    };
    let partial = vec!["U3".to_owned()];
    assert_eq!(ranks(&rows), [(1, 2, 1, partial.clone()), (1, 2, 1, partial.clone()), (0, 2, 0, partial)]);
    // Of three ranks 1, 2 and 3 are in the quartiles 1, ⌊4 × 1 ∕ 3⌋ + 1 = 2 and ⌊4 × 2 ∕ 3⌋ + 1 = 3.
    worked.send("2024-06-02", "care", &["ev U1 FY2023-24 - 6", "ev U3 FY2023-24-H2 - 6"]);
    let rows = worked.rows("2024-07-01", AsOf::Now, asked);
    assert_eq!(ranks(&rows), [(2, 3, 2, vec![]), (1, 3, 1, vec![]), (3, 3, 3, vec![])]);
}

/// 6.5: a half year submitted whole; its first quarter is three months that lie within it, and that came with it.
#[test]
fn a_quarter_of_a_half_year_submitted_whole_lies_within_it() {
    let mut worked = Worked::of(vec![indicator("ev", Kind::Events, Frequency::Month)]);
    worked.send("2023-10-31", "care", &["ev U1 FY2023-24-H1 - 60"]);
    assert_eq!(shown(&worked.figure("2024-01-01", of("ev", &["U1"], &["FY2023-24-H1"]))), "60 6/6 contained 0 late 0");
    let quarter = worked.figure("2024-01-01", of("ev", &["U1"], &["FY2023-24-Q1"]));
    assert_eq!(shown(&quarter), "GAP_CONTAINED 0/3 contained 3 late 0");
    let completeness = worked.completeness("2024-01-01", "U1", "FY2023-24-Q1");
    // Due on 30 May, 30 June and 30 July: 154, 123 and 93 days before.
    let days: Vec<_> = completeness.slots.iter().map(|slot| slot.days_late).collect();
    assert_eq!(days, [154, 123, 93]);
    assert!(completeness.slots.iter().all(|slot| slot.contained_in_period == "FY2023-24-H1"));
    assert_eq!((completeness.rates[0].expected, completeness.rates[0].reported), (3, 3));
}

/// 6.2: police submitted October for the partnership, and isn't expected to report anything: of U1's half year one slot
/// lies within that figure, and nobody is late with the others.
#[test]
fn of_an_agency_that_is_no_reporter_there_are_only_the_slots_within_its_figures() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.expected_agencies.clear();
    let mut worked = Worked::of(vec![ev]);
    worked.send("2024-06-01", "police", &["ev P 2023-10 - 9"]);
    let of_police = |areas: &[&str], periods: &[&str]| QueryQuestion {
        agencies: vec!["police".parse().unwrap()],
        ..of("ev", areas, periods)
    };
    let half = worked.figure("2024-07-01", of_police(&["U1"], &["FY2023-24-H2"]));
    assert_eq!(shown(&half), "GAP_CONTAINED 0/1 contained 1 late 0");
    let run = worked.figure("2024-07-01", of_police(&["U1", "U2"], &["2023-09", "2023-10"]));
    assert_eq!(shown(&run), "GAP_CONTAINED 0/2 contained 2 late 0");
}

/// 17.2: the quarter of D1 lies within U1's, which came in time; a figure of November is no figure of the quarter.
#[test]
fn a_stock_as_at_an_earlier_day_does_not_fill_its_slot() {
    let mut stock = indicator("stock", Kind::Stock, Frequency::Quarter);
    stock.reporting_level = AreaLevel::District;
    let mut worked = Worked::of(vec![stock]);
    worked.send("2022-01-10", "care", &["stock U1 CY2021-Q4 - 15"]);
    worked.send("2022-04-10", "care", &["stock D1 2021-11-30 - 6"]);
    let slot = worked.completeness("2022-05-01", "D1", "CY2021-Q4").slots.remove(0);
    // Due on 30 January.
    assert_eq!((slot.status().as_str_name(), slot.days_late), ("SLOT_STATUS_ON_TIME", 0));
    assert_eq!((slot.contained_in_area.as_str(), slot.contained_in_period.as_str()), ("U1", "FY2021-22-Q3"));
}

/// 6.1: distinct people of months, and from October on of quarters: the quarter is expected, whatever was sent before.
#[test]
fn a_quarter_of_distinct_people_is_expected_though_its_months_were_sent() {
    let mut worked = Worked::of(vec![indicator("people", Kind::Distinct, Frequency::Month)]);
    worked.send("2023-12-01", "care", &["people U1 2023-10 - 5"]);
    let mut quarterly = indicator("people", Kind::Distinct, Frequency::Quarter);
    quarterly.effective_from = Some(day("2023-10-01"));
    worked.put("2024-01-01", CataloguePut { indicators: vec![quarterly], ..CataloguePut::default() });
    let quarter = worked.figure("2024-06-01", of("people", &["U1"], &["FY2023-24-Q3"]));
    assert_eq!(shown(&quarter), "GAP_NOT_COMBINABLE 0/1 contained 0 late 1");
    assert_eq!(worked.completeness("2024-06-01", "U1", "FY2023-24-Q3").rates[0].late, 1);
}

/// 6.1: until September years were expected, and from October on months: six slots of the year.
#[test]
fn the_months_before_a_definition_became_monthly_have_no_slots() {
    let mut worked = Worked::of(vec![indicator("ev", Kind::Events, Frequency::FinancialYear)]);
    let mut monthly = indicator("ev", Kind::Events, Frequency::Month);
    monthly.effective_from = Some(day("2023-10-01"));
    worked.put("2023-09-01", CataloguePut { indicators: vec![monthly], ..CataloguePut::default() });
    let year = worked.figure("2024-06-01", of("ev", &["U1"], &["FY2023-24"]));
    assert_eq!(shown(&year), "GAP_NOT_REPORTED 0/6 contained 0 late 6");
    assert_eq!(worked.completeness("2024-06-01", "U1", "FY2023-24").rates[0].expected, 6);
}

/// 4.3 and 6.3: the year up to 14 November has the seven months to October.
#[test]
fn a_figure_to_date_fills_the_months_that_were_over() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.unfinished_periods = UnfinishedPeriods::ToDate;
    let mut worked = Worked::of(vec![ev]);
    worked.send("2023-11-15", "care", &["ev U1 FY2023-24 - 70 [p]"]);
    let figure = worked.figure("2023-11-16", of("ev", &["U1"], &["FY2023-24"]));
    assert_eq!(shown(&figure), "70 7/12 contained 0 late 0");
    assert_eq!(figure.to_date.as_deref(), Some("2023-11-14"));
    // 4.4: the same without `p`, when the year is over, is final.
    worked.send("2024-04-02", "care", &["ev U1 FY2023-24 - 70"]);
    let figure = worked.figure("2024-04-03", of("ev", &["U1"], &["FY2023-24"]));
    assert_eq!((shown(&figure).as_str(), figure.to_date), ("70 12/12 contained 0 late 0", None));
}

/// 1.3: June is due on 5 July. On the 10th it is five days late; asked on the 25th as of the 10th, still.
#[test]
fn lateness_is_that_of_the_instant() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.due_days = 5;
    let worked = Worked::of(vec![ev]);
    let what = || {
        let (area, periods) = ("U1".parse().unwrap(), vec!["2023-06".parse().unwrap()]);
        let (indicators, agencies) = (vec![], vec![]);
        What::Completeness(CompletenessQuestion { area, periods, indicators, agencies, late_only: false })
    };
    let on_the_10th = worked.ask("2023-07-10", AsOf::Now, what());
    let Body::Completeness(answer) = &on_the_10th.body else { unreachable!() };
    assert_eq!(answer.slots[0].days_late, 5);
    assert_eq!(worked.ask("2023-07-25", AsOf::Time(noon("2023-07-10")), what()), on_the_10th);
}

/// 8.1: the year to June is the first quarter, also where that was submitted whole.
#[test]
fn a_year_to_date_is_made_of_the_longest_periods() {
    let mut worked = Worked::of(vec![indicator("ev", Kind::Events, Frequency::Month)]);
    worked.send("2024-01-01", "care", &["ev U1 FY2023-24-Q1 - 30", "ev U1 FY2023-24-Q2 - 12", "ev U1 2023-10 - 4"]);
    let to = |month| QueryQuestion { year_to_date: true, ..of("ev", &["U1"], &[month]) };
    assert_eq!(shown(&worked.figure("2024-02-01", to("2023-06"))), "30 3/3 contained 0 late 0");
    assert_eq!(shown(&worked.figure("2024-02-01", to("2023-10"))), "46 7/7 contained 0 late 0");
    // July lies within the second quarter: April to June, and a month that can't be split off.
    assert_eq!(shown(&worked.figure("2024-02-01", to("2023-07"))), "30 3/4 contained 1 late 0");
}

/// 17.2: June is due on 30 July. It came in time, was withdrawn in September, and came again on 23 September, 55 days
/// after it was due.
#[test]
fn a_figure_that_was_sent_again_came_when_it_was_sent_again() {
    let mut worked = Worked::of(vec![indicator("ev", Kind::Events, Frequency::Month)]);
    let first = worked.send("2023-07-20", "care", &["ev U1 2023-06 - 5"]);
    worked.withdraw("2023-09-01", "care", &first);
    worked.send("2023-09-23", "care", &["ev U1 2023-06 - 5"]);
    let slot = worked.completeness("2024-01-01", "U1", "2023-06").slots.remove(0);
    assert_eq!((slot.status().as_str_name(), slot.days_late), ("SLOT_STATUS_REPORTED_LATE", 55));
}

/// 4.1: 5 and 5.0 are one value.
#[test]
fn the_same_number_in_other_words_is_no_change() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.decimals = 1;
    let mut worked = Worked::of(vec![ev]);
    worked.send("2023-07-20", "care", &["ev U1 2023-06 - 5"]);
    worked.send("2023-07-21", "care", &["ev U1 2023-06 - 5.0"]);
    let what = HistoryQuestion {
        indicator: "ev".parse().unwrap(),
        area: "U1".parse().unwrap(),
        period: "2023-06".parse().unwrap(),
        agency: "care".parse().unwrap(),
        breakdown: "".parse().unwrap(),
    };
    let answer = worked.ask("2024-01-01", AsOf::Now, What::History(what));
    let Body::History(items) = answer.body else { unreachable!() };
    assert_eq!(items.iter().map(|item| item.value.as_str()).collect::<Vec<_>>(), ["5"]);
}

/// 6.1: two quarters together have the slot of the last of them, as the half year has.
#[test]
fn a_stock_over_periods_has_the_slots_of_the_last() {
    let mut worked = Worked::of(vec![indicator("stock", Kind::Stock, Frequency::Quarter)]);
    worked.send("2024-01-01", "care", &["stock U1 FY2023-24-Q1 - 5", "stock U1 FY2023-24-Q2 - 7"]);
    for periods in [&["FY2023-24-Q1", "FY2023-24-Q2"][..], &["FY2023-24-H1"]] {
        assert_eq!(shown(&worked.figure("2024-02-01", of("stock", &["U1"], periods))), "7 1/1 contained 0 late 0");
    }
}

/// 5.2: D1, the only area below U1, begins in March 2021. Over time the year to August has twelve slots, eleven of U1 and
/// July of D1; over areas it has the six of D1 from March on. Of each, one is reported. Rolled up as it was then, the year is
/// built over time; by the hierarchy of today, which is one for all months, the way that misses less.
#[test]
fn a_year_in_which_an_area_begins_is_built_over_time() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.expected_agencies.clear();
    let mut worked = Worked::of(vec![ev]);
    let begins = Area { valid_from: Some(day("2021-03-01")), ..area("D1", AreaLevel::District, "U1") };
    let areas = vec![begins, area("D2", AreaLevel::District, "U2")];
    worked.put("2020-01-02", CataloguePut { areas, ..CataloguePut::default() });
    worked.send("2022-01-01", "police", &["ev D1 2021-07 - 4"]);
    for (areas_now, expected) in [(false, "4 1/12 contained 0 late 11"), (true, "4 1/6 contained 0 late 5")] {
        let asked = QueryQuestion { areas_now, ..of("ev", &["U1"], &["AY2020-21"]) };
        assert_eq!(shown(&worked.figure("2022-06-01", asked)), expected);
    }
}

/// 5.2: O1 and O2 end with March 2024 and go into N1. By the hierarchy of December U3 has only N1, with 6; each month rolled
/// up as it was, 3 × (100 + 200) + 6 = 906, of 3 + 3 + 9 slots.
#[test]
fn a_year_in_which_areas_go_into_a_new_one_has_what_they_had() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.reporting_level = AreaLevel::District;
    let mut worked = Worked::of(vec![ev]);
    let ended = |code: &str| Area {
        valid_to: Some(day("2024-03-31")),
        successors: vec!["N1".parse().unwrap()],
        ..area(code, AreaLevel::District, "U3")
    };
    let new = Area { valid_from: Some(day("2024-04-01")), ..area("N1", AreaLevel::District, "U3") };
    let areas = vec![ended("O1"), ended("O2"), new];
    let agencies = vec![agency("care", &["O1", "O2", "N1"])];
    worked.put("2020-01-02", CataloguePut { areas, agencies, ..CataloguePut::default() });
    for month in ["2024-01", "2024-02", "2024-03"] {
        worked.send("2025-01-01", "care", &[&format!("ev O1 {month} - 100"), &format!("ev O2 {month} - 200")]);
    }
    for (month, value) in (4..).zip([1, 1, 1, 1, 1, 1, 0, 0, 0]) {
        worked.send("2025-01-02", "care", &[&format!("ev N1 2024-{month:02} - {value}")]);
    }
    let asked = of("ev", &["U3"], &["CY2024"]);
    assert_eq!(shown(&worked.figure("2025-02-01", asked.clone())), "906 15/15 contained 0 late 0");
    // By the hierarchy of today O1 and O2 lie within N1, and are below no other area.
    let now = worked.figure("2025-02-01", QueryQuestion { areas_now: true, ..asked });
    assert_eq!(shown(&now), "906 15/15 contained 0 late 0");
}

/// 6.2: nobody is expected to report the people, and care reports for all four areas. It has sent those of one.
#[test]
fn the_people_of_one_of_four_areas_are_partial() {
    let mut worked = Worked::of(with_rate(PopulationRule::Latest));
    let areas = vec![area("U4", AreaLevel::UpperTier, "P")];
    let agencies = vec![agency("care", &["P", "U1", "U2", "U3", "U4"])];
    worked.put("2020-01-02", CataloguePut { areas, agencies, ..CataloguePut::default() });
    worked.send("2024-06-01", "care", &["pop U1 FY2023-24 - 1000", "ev P FY2023-24 - 40"]);
    for areas in [&["P"][..], &["U1", "U2", "U3", "U4"]] {
        let people = worked.figure("2025-01-01", of("pop", areas, &["FY2023-24"]));
        assert_eq!(shown(&people), "1000 1/1 contained 0 late 0");
        assert!(!people.coverage.unwrap().complete, "it lacks three areas that care reports for");
    }
    let rate = worked.rate(AsOf::Now, of("ev", &["P"], &["FY2023-24"]));
    assert_eq!((rate.value.clone(), rate.partial, rate.gap().as_str_name()), (None, true, "GAP_NO_POPULATION"));
}

/// 6.2: care is expected from October on. It is late with November to March, and not with April, whatever it sends of what
/// was before, for an area below the reporting level as well.
#[test]
fn an_agency_that_is_expected_from_october_is_not_late_for_april() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.expected_agencies[0].validity.valid_from = Some(day("2023-10-01"));
    let mut worked = Worked::of(vec![ev]);
    worked.send("2024-06-01", "care", &["ev U1 2023-05 - 3", "ev U1 2023-10 - 4"]);
    worked.send("2024-06-02", "care", &["ev D1 2023-05 - 2", "ev D1 2023-10 - 1"]);
    let year = |areas: &[&str]| worked.figure("2024-07-01", of("ev", areas, &["FY2023-24"]));
    assert_eq!(shown(&year(&["U1"])), "7 1/6 contained 0 late 5");
    assert_eq!(shown(&year(&["D1"])), "3 1/6 contained 0 late 5");
    // Of U2, of which it has sent nothing, the same six, and none before.
    assert_eq!(shown(&year(&["U1", "U2"])), "7 1/12 contained 0 late 11");
    // April is expected of nobody, and May has come all the same.
    let month = |month| worked.figure("2024-07-01", of("ev", &["U1"], &[month]));
    assert_eq!(shown(&month("2023-04")), "GAP_NOT_REPORTED 0/0 contained 0 late 0");
    assert_eq!(shown(&month("2023-05")), "3 0/0 contained 0 late 0");
}

/// 6.1: a year of distinct people of whom quarters are expected is expected of nobody; one that was sent is its own slot.
#[test]
fn a_year_of_distinct_people_that_was_sent_is_one_slot() {
    let mut worked = Worked::of(vec![indicator("people", Kind::Distinct, Frequency::Quarter)]);
    let year = |areas: &[&str]| of("people", areas, &["FY2023-24"]);
    assert_eq!(shown(&worked.figure("2024-07-01", year(&["U1"]))), "GAP_NOT_REPORTED 0/0 contained 0 late 0");
    worked.send("2024-06-01", "care", &["people U1 FY2023-24 - 90"]);
    assert_eq!(shown(&worked.figure("2024-07-01", year(&["U1"]))), "90 1/1 contained 0 late 0");
    // Nobody is expected to report U2's, but both together lack it.
    let both = worked.figure("2024-07-01", year(&["U1", "U2"]));
    assert_eq!(shown(&both), "90 1/1 contained 0 late 0");
    assert!(!both.coverage.unwrap().complete);
}

/// 4.4: what was sent in November is withdrawn; the same value had been sent again in February, and is of the time up to then.
#[test]
fn a_figure_to_date_is_as_old_as_the_oldest_submission_that_is_left() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.unfinished_periods = UnfinishedPeriods::ToDate;
    let mut worked = Worked::of(vec![ev]);
    let first = worked.send("2023-11-15", "care", &["ev U1 FY2023-24 - 24 [p]"]);
    worked.send("2024-02-19", "care", &["ev U1 FY2023-24 - 24 [p]"]);
    let figure = |worked: &Worked| {
        let figure = worked.figure("2024-03-01", of("ev", &["U1"], &["FY2023-24"]));
        (shown(&figure), figure.to_date)
    };
    // The seven months to October; November and December are late, and January is due on that day.
    assert_eq!(figure(&worked), ("24 7/12 contained 0 late 2".to_owned(), Some("2023-11-14".to_owned())));
    worked.withdraw("2024-02-20", "care", &first);
    // The ten months to January.
    assert_eq!(figure(&worked), ("24 10/12 contained 0 late 0".to_owned(), Some("2024-02-18".to_owned())));
    // December is due on 30 January. It has had a figure since the withdrawal, 21 days after.
    let slot = worked.completeness("2024-03-01", "U1", "2023-12").slots.remove(0);
    assert_eq!((slot.status().as_str_name(), slot.days_late), ("SLOT_STATUS_REPORTED_LATE", 21));
}

/// 4.4: 24 was sent in November and again in February. A correction that came after both is withdrawn: the year is of the
/// time up to November, as it was before the correction.
#[test]
fn a_correction_that_is_withdrawn_leaves_a_figure_to_date_as_it_was() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.unfinished_periods = UnfinishedPeriods::ToDate;
    let mut worked = Worked::of(vec![ev]);
    worked.send("2023-11-15", "care", &["ev U1 FY2023-24 - 24 [p]"]);
    worked.send("2024-02-01", "care", &["ev U1 FY2023-24 - 24 [p]"]);
    let asked = || of("ev", &["U1"], &["FY2023-24"]);
    let before = worked.figure("2024-03-01", asked());
    assert_eq!(before.to_date.as_deref(), Some("2023-11-14"));
    let correction = worked.send("2024-02-19", "care", &["ev U1 FY2023-24 - 30 [p]"]);
    worked.withdraw("2024-02-20", "care", &correction);
    assert_eq!(worked.figure("2024-03-01", asked()), before);
}

/// 6.2: police reports for the districts alone, and nobody expects it. It sent those of July 2023: the other eleven months
/// of U1 are missing, so that over time 2 of 13 are reported, and over areas 2 of 24. Rolled up to P, whose U2 and U3 it
/// doesn't report for, it is the same.
#[test]
fn a_year_of_which_an_agency_sent_one_month_is_not_complete() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.expected_agencies.clear();
    let mut worked = Worked::of(vec![ev]);
    worked
        .put("2020-01-02", CataloguePut { agencies: vec![agency("police", &["D1", "D2"])], ..CataloguePut::default() });
    worked.send("2024-06-01", "police", &["ev D1 2023-07 - 3", "ev D2 2023-07 - 4"]);
    for area in ["U1", "P"] {
        let year = worked.figure("2024-07-01", of("ev", &[area], &["FY2023-24"]));
        assert_eq!(shown(&year), "7 2/13 contained 0 late 11", "{area}");
    }
    // Of what has moved away there is nothing to report: D1 and D2 have been U2's since August.
    let moved = |code: &str| {
        let validity =
            |from: Option<&str>, to: Option<&str>| Validity { valid_from: from.map(day), valid_to: to.map(day) };
        let parents = vec![
            AreaParent { code: "U1".parse().unwrap(), validity: validity(None, Some("2023-07-31")) },
            AreaParent { code: "U2".parse().unwrap(), validity: validity(Some("2023-08-01"), None) },
        ];
        Area { parents, ..area(code, AreaLevel::District, "") }
    };
    worked.put("2024-06-02", CataloguePut { areas: vec![moved("D1"), moved("D2")], ..CataloguePut::default() });
    // April to June, and July.
    let year = worked.figure("2024-07-01", of("ev", &["U1"], &["FY2023-24"]));
    assert_eq!(shown(&year), "7 2/5 contained 0 late 3");
}

/// 6.5: care submitted U1 whole, and reports for no district; of D1 it is asked by name.
#[test]
fn what_lies_within_a_figure_is_contained_though_its_agency_does_not_report_for_it() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.reporting_level = AreaLevel::District;
    let mut worked = Worked::of(vec![ev]);
    worked.put("2020-01-02", CataloguePut { agencies: vec![agency("care", &["U1"])], ..CataloguePut::default() });
    worked.send("2024-06-01", "care", &["ev U1 2023-07 - 3"]);
    let asked = QueryQuestion { agencies: vec!["care".parse().unwrap()], ..of("ev", &["D1"], &["2023-07"]) };
    assert_eq!(shown(&worked.figure("2024-07-01", asked)), "GAP_CONTAINED 0/1 contained 1 late 0");
}

/// 5.2: U3 is in P until July 2021. In July D2 isn't applicable, and the sum lacks U3, for which police, a volunteer, reports;
/// in August and September P has U1 alone, of which police reports for D2 only: 1 of 3 slots.
#[test]
fn a_quarter_without_a_figure_in_which_the_hierarchy_changes_has_the_slots_of_its_months() {
    let mut worked = Worked::of(vec![indicator("ev", Kind::Events, Frequency::Month)]);
    let until = Validity { valid_from: None, valid_to: Some(day("2021-07-31")) };
    let parents = vec![AreaParent { code: "P".parse().unwrap(), validity: until }];
    let areas = vec![
        Area { parents, ..area("U3", AreaLevel::UpperTier, "") },
        area("D1", AreaLevel::District, "U2"),
        area("D2", AreaLevel::District, "U1"),
    ];
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.expected_agencies.clear();
    let agencies = vec![agency("police", &["U3", "D2"])];
    worked.put("2020-01-02", CataloguePut { areas, agencies, indicators: vec![ev], ..CataloguePut::default() });
    worked.send("2023-03-16", "police", &["ev D2 2021-07 - [z]"]);
    let quarter = worked.figure("2023-04-01", of("ev", &["P"], &["FY2021-22-Q2"]));
    assert_eq!(shown(&quarter), "GAP_MARKED 1/3 contained 0 late 2");
}

/// 2.3: U3 and its districts E1 and E2 end with March 2023 and go into N. By the hierarchy of today February's 4 and 6 of the
/// districts are the 10 of U3 still, and not 10 more.
#[test]
fn what_went_into_a_new_area_with_its_parent_is_part_of_the_parent_still() {
    let mut worked = Worked::of(vec![indicator("ev", Kind::Events, Frequency::Month)]);
    let ended = |code: &str, level, parent: &str| Area {
        valid_to: Some(day("2023-03-31")),
        successors: vec!["N".parse().unwrap()],
        ..area(code, level, parent)
    };
    let new = Area { valid_from: Some(day("2023-04-01")), ..area("N", AreaLevel::UpperTier, "P") };
    let (e1, e2) = (ended("E1", AreaLevel::District, "U3"), ended("E2", AreaLevel::District, "U3"));
    let areas = vec![ended("U3", AreaLevel::UpperTier, "P"), e1, e2, new];
    let agencies = vec![agency("care", &["U3", "E1", "E2", "N"])];
    worked.put("2020-01-02", CataloguePut { areas, agencies, ..CataloguePut::default() });
    worked.send("2024-06-01", "care", &["ev U3 2023-02 - 10", "ev E1 2023-02 - 4", "ev E2 2023-02 - 6"]);
    for area in ["N", "P"] {
        let asked = QueryQuestion { areas_now: true, ..of("ev", &[area], &["2023-02"]) };
        assert_eq!(shown(&worked.figure("2024-07-01", asked)), "10 1/1 contained 0 late 0", "{area}");
    }
}

/// 5.6: D1, with 4 of U1's 10, moves to U2 after March 2024. By today's hierarchy P is U1 over U2, and U1's 10 have the 4
/// of U2 in them: no sum of the two. By the hierarchy of February U2 has nothing, and P has 10.
#[test]
fn what_was_sent_for_an_area_and_for_one_that_has_left_it_is_never_added_up() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Month);
    ev.expected_agencies.clear();
    let mut worked = Worked::of(vec![ev]);
    worked.send("2024-03-10", "care", &["ev U1 2024-02 - 10", "ev D1 2024-02 - 4"]);
    worked.move_d1("2024-03-31", "2024-04-01");
    let asked = |areas: &[&str], areas_now| QueryQuestion { areas_now, ..of("ev", areas, &["2024-02"]) };
    let shown = |areas: &[&str], areas_now| shown(&worked.figure("2024-06-01", asked(areas, areas_now)));
    assert_eq!(shown(&["U1"], true), "10 1/1 contained 0 late 0");
    assert_eq!(shown(&["U2"], true), "4 1/1 contained 0 late 0");
    for areas in [&["P"][..], &["U1", "U2"]] {
        assert_eq!(shown(areas, true), "GAP_NOT_COMBINABLE 2/2 contained 0 late 0");
        assert!(!worked.figure("2024-06-01", asked(areas, true)).coverage.unwrap().complete);
        assert!(shown(areas, false).starts_with("10 1/"), "{}", shown(areas, false));
    }
}

/// The same of a stock by any hierarchy: February's U1 had D1, which is the year's U2 now. June's U1 is 6, and its U2, with
/// D1's 5, 21: what was submitted for the very area comes before what its districts add up to.
#[test]
fn stocks_of_a_day_on_which_their_areas_lay_within_each_other_are_never_added_up() {
    let mut people = indicator("people", Kind::Stock, Frequency::Month);
    people.expected_agencies.clear();
    let mut worked = Worked::of(vec![people]);
    worked.send("2024-03-10", "care", &["people U1 2024-02 - 10", "people D1 2024-02 - 4"]);
    worked.move_d1("2024-03-31", "2024-04-01");
    let asked = of("people", &["U1", "U2"], &["CY2024"]);
    let june = shown(&worked.figure("2024-07-01", asked.clone()));
    assert!(june.starts_with("GAP_NOT_COMBINABLE "), "{june}");
    worked.send("2024-07-10", "care", &["people U1 2024-06 - 6", "people D1 2024-06 - 5", "people U2 2024-06 - 21"]);
    let july = shown(&worked.figure("2024-08-01", asked));
    assert!(july.starts_with("27 "), "{july}");
}

/// 10.2: a population of 31 March 2013 is ten years old at the end of 2022-23, and one day too old a day earlier. What
/// served the year before is looked at again.
#[test]
fn a_population_is_ten_years_old_at_the_most() {
    for (day, served) in [("2013-03-31", [true, true]), ("2013-03-30", [true, false]), ("2012-03-30", [false, false])] {
        let mut worked = Worked::of(with_rate(PopulationRule::Latest));
        let figures = [&format!("pop U1 {day} - 1000"), "ev U1 FY2021-22 - 10", "ev U1 FY2022-23 - 20"];
        worked.send("2024-01-01", "care", &figures);
        let asked = QueryQuestion { rate: true, by_period: true, ..of("ev", &["U1"], &["FY2021-22", "FY2022-23"]) };
        let rows = worked.rows("2024-02-01", AsOf::Now, asked);
        assert_eq!(
            rows.iter().map(|row| row.rate.as_ref().unwrap().value.is_some()).collect::<Vec<_>>(),
            served,
            "{day}"
        );
    }
}

/// 6.2: U3 ended and went into N, which has D3 below it. By today's hierarchy N is U3 and D3, and so is P: care has reported
/// one part of that sum, and has a slot for the other.
#[test]
fn what_stands_beside_an_area_that_ended_is_a_part_of_the_same_sum() {
    let mut ev = indicator("ev", Kind::Events, Frequency::Quarter);
    ev.expected_agencies.clear();
    let mut worked = Worked::of(vec![ev]);
    let until = day("2023-03-31");
    let mut ended = area("U3", AreaLevel::UpperTier, "P");
    (ended.valid_to, ended.successors) = (Some(until), vec!["N".parse().unwrap()]);
    let new = Area { valid_from: Some(day("2023-04-01")), ..area("N", AreaLevel::UpperTier, "P") };
    let areas = vec![ended, new, area("D3", AreaLevel::District, "N")];
    worked.put("2020-01-02", CataloguePut { areas, ..CataloguePut::default() });
    worked.send("2024-01-01", "care", &["ev U3 FY2022-23-Q1 - 4"]);
    let asked = QueryQuestion { areas_now: true, ..of("ev", &["P"], &["FY2022-23-Q1"]) };
    assert_eq!(shown(&worked.figure("2024-06-01", asked)), "4 1/2 contained 0 late 1");
}

//! How much work answers take: at most in proportion to the figures that they rest on.

use serde_json::json;

use super::aggregate::Who;
use super::answer;
use super::areas::{Areas, by_code};
use super::change::{ChangeRule, Comparison};
use super::completeness::{self, AskedPeriods, CompletenessQuery};
use super::explain::{self, ExplainQuery};
use super::history::{self, HistoryQuery};
use super::question::{AggregateQuery, Derived, PictureQuery, QueryBreakdown};
use super::reconcile::{self, ReconcileQuery};
use super::review::review;
use crate::access::Actor;
use crate::catalogue::items::AreaLevel;
use crate::catalogue::{AreaIx, CataloguePut};
use crate::entry::{Body, Entry, Fingerprint};
use crate::model::budget::{Budget, StopFlag, Stopped};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Measure, Observation, Value};
use crate::model::period::Period;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::model::zone::UTC;
use crate::state::columns::BreakdownIx;
use crate::state::view::{AreasAsOf, View};
use crate::state::{Fold, State};

const WARDS: usize = 6;
/// 2024-01-01.
const NOW: Timestamp = Timestamp(1_704_067_200_000_000);

fn ward(district: usize, ix: usize) -> String {
    format!("W{district:03}{ix}")
}

/// Districts of six wards, each with an agency that reports its wards' cases in the months of 2022.
fn world(districts: usize) -> State {
    fold(districts).state()
}

fn fold(districts: usize) -> Fold {
    let wards = || (0..districts).flat_map(|district| (0..WARDS).map(move |ix| (district, ix)));
    let area = |code: String, level: &str, parent: String| json!({ "code": code, "name": code, "level": level, "parents": [{ "code": parent }] });
    let areas: Vec<_> = [json!({ "code": "ALL", "name": "ALL", "level": "upper-tier" })]
        .into_iter()
        .chain((0..districts).map(|ix| area(format!("D{ix:03}"), "district", "ALL".to_owned())))
        .chain(wards().map(|(district, ix)| area(ward(district, ix), "ward", format!("D{district:03}"))))
        .collect();
    let id = |ix: usize| format!("agency-{ix}");
    let agency = |ix: usize| {
        let areas: Vec<_> = (0..WARDS).map(|of| ward(ix, of)).collect();
        json!({ "id": id(ix), "name": id(ix), "sector": "health", "areas": areas })
    };
    let indicator = |id: &str, kind: &str, frequency: &str| {
        json!({
            "id": id, "title": id, "unit": "people", "kind": kind, "frequency": frequency, "due_days": 10,
            "reporting_level": "ward", "across_agencies": "add", "expected_agencies": [],
        })
    };
    let mut cases = indicator("cases", "events", "month");
    cases["rate"] = json!({ "population_indicator": "people", "per": 100, "rule": "latest", "decimals": 1 });
    cases["expected_agencies"] = (0..districts).map(|ix| json!({ "agency": id(ix) })).collect();
    cases["dimensions"] = json!(["sex"]);
    let rule = json!({
        "id": "agree", "title": "agree", "left": { "indicator": "cases", "agency": id(0) },
        "right": { "indicator": "cases", "agency": id(1) },
    });
    let categories = json!([{ "id": "female", "title": "female" }, { "id": "male", "title": "male" }]);
    let put: CataloguePut = serde_json::from_value(json!({
        "areas": areas,
        "dimensions": [{ "id": "sex", "title": "sex", "categories": categories }],
        "reconciliation_rules": [rule],
        "agencies": (0..districts).map(agency).collect::<Vec<_>>(),
        "indicators": [indicator("people", "stock", "calendar-year"), cases],
    }))
    .unwrap();
    let mut fold = Fold::default();
    let mut apply = |body| fold.apply(&Entry { at: NOW, actor: Actor::default(), body });
    apply(Body::CataloguePut(put));
    for district in 0..districts {
        let observation = |indicator: &str, ix: usize, period: &str| seven(indicator, &ward(district, ix), period);
        let months: Vec<String> = months().iter().map(ToString::to_string).collect();
        let observations = (0..WARDS).flat_map(|ix| {
            let cases = months.iter().map(move |month| observation("cases", ix, month));
            [observation("people", ix, "2021-06-30")].into_iter().chain(cases)
        });
        apply(submission(&id(district), "all", observations.collect()));
    }
    fold
}

fn seven(indicator: &str, area: &str, period: &str) -> Observation {
    Observation {
        indicator: indicator.parse().unwrap(),
        area: area.parse().unwrap(),
        period: period.parse().unwrap(),
        breakdown: Breakdown::default(),
        value: Value { measure: Some(Measure::Number("7".parse().unwrap())), markers: Markers::default() },
        note: None,
        explanations: Vec::new(),
    }
}

fn submission(agency: &str, request_id: &str, observations: Vec<Observation>) -> Body {
    let submission = Submission {
        agency: agency.parse().unwrap(),
        request_id: request_id.parse().unwrap(),
        source: String::new(),
        sample: false,
        reason: String::new(),
        return_id: None,
        observations: observations.into_iter().collect(),
    };
    let fingerprint = Fingerprint::of(&submission);
    Body::Submission { submission: submission.into(), fingerprint }
}

fn months() -> Vec<Period> {
    std::iter::successors("2022-01".parse().ok(), |month: &Period| month.next()).take(12).collect()
}

fn view(state: &State) -> View<'_> {
    state.view(state.catalogue(), state.revision(), &UTC, "2024-01-01".parse().unwrap(), AreasAsOf::Then)
}

/// The areas whose codes begin so.
fn areas(view: View<'_>, begin: &str) -> Vec<AreaIx> {
    let all = view.catalogue.areas_after(None).filter(|area| area.code.as_str().starts_with(begin));
    by_code(view, all.map(|area| view.catalogue.area(&area.code).unwrap().0).collect())
}

fn query(view: View<'_>, begin: &str) -> AggregateQuery {
    AggregateQuery {
        indicators: vec![view.catalogue.indicator(&"cases".parse().unwrap()).unwrap().0],
        areas: Areas::listed(areas(view, begin)),
        agencies: None,
        periods: months(),
        breakdowns: vec![QueryBreakdown::TOTAL],
        by_indicator: false,
        by_area: true,
        by_agency: false,
        by_period: true,
        change: ChangeRule::default(),
        year_to_date: false,
        derived: Derived::default(),
    }
}

fn unlimited() -> Budget {
    Budget::new(u64::MAX, Default::default())
}

/// The steps that a question takes, and how many rows its answer has.
fn steps(state: &State, question: impl Fn(View<'_>) -> AggregateQuery) -> (u64, usize) {
    let budget = unlimited();
    let rows = answer::aggregate(view(state).within(&budget), &question(view(state))).len();
    assert_eq!(budget.outcome(), Ok(()));
    (u64::MAX - budget.left(), rows)
}

#[test]
fn twice_the_areas_are_twice_the_work_whatever_is_asked_besides() {
    type Change = fn(View<'_>, &mut AggregateQuery);
    let changes: [(&str, Change); 9] = [
        ("nothing", |_, _| {}),
        ("rate", |_, query| query.derived.rate = true),
        ("share", |_, query| query.derived.share = true),
        ("rank", |_, query| query.derived.rank = true),
        ("comparison", |_, query| query.change.comparison = Some(Comparison::YearBefore)),
        ("year to date", |_, query| query.year_to_date = true),
        ("benchmark", |view, query| {
            query.derived = Derived { rate: true, benchmark: areas(view, "W"), ..Derived::default() };
        }),
        ("by agency", |_, query| query.by_agency = true),
        ("together", |_, query| (query.by_area, query.by_period) = (false, false)),
    ];
    let (half, whole) = (world(20), world(40));
    for begin in ["W", "D"] {
        for (name, change) in changes {
            let question = |view: View<'_>| {
                let mut query = query(view, begin);
                change(view, &mut query);
                query
            };
            let ((once, rows), (twice, more_rows)) = (steps(&half, question), steps(&whole, question));
            assert!(twice < once * 5 / 2, "{name} of {begin}: {once} steps, then {twice}");
            assert!(name == "together" || more_rows == 2 * rows, "{name} of {begin}: {rows} rows, then {more_rows}");
        }
    }
}

#[test]
fn a_district_takes_no_more_work_among_many_than_among_few() {
    let people = |view: View<'_>| AggregateQuery {
        indicators: vec![view.catalogue.indicator(&"people".parse().unwrap()).unwrap().0],
        periods: vec!["2021-06-30".parse().unwrap()],
        ..query(view, "D000")
    };
    let of_one = |districts| steps(&world(districts), people);
    // Of so few all rows are passed over; of so many the district's wards are looked for, and most areas have no row.
    assert_eq!(of_one(100), of_one(4));
}

#[test]
fn an_answer_ends_at_the_step_at_which_it_is_stopped() {
    let state = world(4);
    let question = query(view(&state), "W");
    let budget = unlimited();
    let whole = answer::aggregate(view(&state).within(&budget), &question);
    let steps = u64::MAX - budget.left();
    for allowed in [0, 1, steps / 3, steps - 1] {
        let budget = Budget::new(allowed, Default::default());
        let rows = answer::aggregate(view(&state).within(&budget), &question);
        assert_eq!(budget.outcome(), Err(Stopped::TooMuch), "{allowed} of {steps}");
        assert!(rows.len() < whole.len());
    }
    let budget = Budget::new(steps, Default::default());
    assert_eq!(answer::aggregate(view(&state).within(&budget), &question), whole);
    assert_eq!(budget.outcome(), Ok(()));
    let gone = StopFlag::default();
    gone.set();
    let budget = Budget::new(u64::MAX, [gone, StopFlag::default()]);
    assert!(answer::aggregate(view(&state).within(&budget), &question).is_empty());
    assert_eq!(budget.outcome(), Err(Stopped::Left));
}

/// A world in which every loop of an answer has something to go through: besides what all districts report, a break, a
/// figure by sex, a whole year, and an agency that has not reported.
fn varied() -> State {
    let mut fold = fold(4);
    let mut broken = seven("cases", &ward(0, 0), "2022-06");
    broken.value.markers = Markers::default().with(Marker::Break);
    let by_sex = Observation {
        breakdown: Breakdown::new(vec![("sex".parse().unwrap(), "female".parse().unwrap())]).unwrap(),
        ..seven("cases", &ward(0, 1), "2022-06")
    };
    let more = vec![broken, by_sex, seven("cases", &ward(0, 2), "CY2022"), seven("cases", "D001", "2022-03")];
    fold.apply(&Entry { at: NOW, actor: Actor::default(), body: submission("agency-0", "more", more) });
    fold.state()
}

/// Has a question answered.
type Ask = Box<dyn Fn(View<'_>)>;

/// What each question costs, in steps, where every loop has something to go through. A loop that isn't looked at any
/// more, so that nobody can stop it, costs nothing: its questions are cheaper then.
#[test]
fn every_loop_of_an_answer_spends_of_its_budget() {
    let state = varied();
    let cost = |answer: &dyn Fn(View<'_>)| {
        let budget = unlimited();
        answer(view(&state).within(&budget));
        assert_eq!(budget.outcome(), Ok(()));
        u64::MAX - budget.left()
    };
    let aggregate = |begin: &'static str, change: fn(View<'_>, &mut AggregateQuery)| {
        move |view: View<'_>| {
            let mut query = query(view, begin);
            change(view, &mut query);
            drop(answer::aggregate(view, &query));
        }
    };
    let area = |view: View<'_>, code: &str| view.catalogue.area(&code.parse().unwrap()).unwrap().0;
    let agency = |view: View<'_>, id: &str| view.catalogue.agency(&id.parse().unwrap()).unwrap().0;
    let cases = |view: View<'_>| view.catalogue.indicator(&"cases".parse().unwrap()).unwrap().0;
    let year: Period = "CY2022".parse().unwrap();
    let explained = |code: &'static str, period: Period, who: fn(View<'_>) -> Who| {
        move |view: View<'_>| {
            let (indicator, area, who) = (cases(view), area(view, code), who(view));
            let breakdown = Some(BreakdownIx::TOTAL);
            drop(explain::explain(view, ExplainQuery { indicator, area, period, breakdown, who }));
        }
    };
    let questions: Vec<(&str, Ask)> = vec![
        ("wards", Box::new(aggregate("W", |_, _| {}))),
        ("districts", Box::new(aggregate("D", |_, _| {}))),
        ("all", Box::new(aggregate("ALL", |_, _| {}))),
        ("districts, a year", Box::new(aggregate("D", |_, query| query.periods = vec!["CY2022".parse().unwrap()]))),
        ("wards together", Box::new(aggregate("W", |_, query| (query.by_area, query.by_period) = (false, false)))),
        ("districts by agency", Box::new(aggregate("D", |_, query| query.by_agency = true))),
        (
            "districts, changes",
            Box::new(aggregate("D", |_, query| query.change.comparison = Some(Comparison::PreviousPeriod))),
        ),
        (
            "wards, changes",
            Box::new(aggregate("W", |_, query| query.change.comparison = Some(Comparison::PreviousPeriod))),
        ),
        ("districts, rates", Box::new(aggregate("D", |_, query| query.derived.rate = true))),
        ("all, rates", Box::new(aggregate("ALL", |_, query| query.derived.rate = true))),
        ("districts, shares", Box::new(aggregate("D", |_, query| query.derived.share = true))),
        ("districts, ranks", Box::new(aggregate("D", |_, query| query.derived.rank = true))),
        ("districts, year to date", Box::new(aggregate("D", |_, query| query.year_to_date = true))),
        ("districts, benchmark", Box::new(aggregate("D", |view, query| query.derived.benchmark = areas(view, "W")))),
        (
            "wards by level",
            Box::new(move |view: View<'_>| {
                let (all, months) = ([area(view, "ALL")], months());
                drop(Areas::of_level(view, &all, AreaLevel::Ward, months, usize::MAX));
            }),
        ),
        (
            "picture",
            Box::new(move |view: View<'_>| {
                let query = PictureQuery { area: area(view, "ALL"), period: year, indicators: None, comparison: None };
                drop(answer::picture(view, &query));
            }),
        ),
        ("explanation of all", Box::new(explained("ALL", year, |_| Who::Combined))),
        (
            "explanation of an agency",
            Box::new(explained("D000", year, |view| {
                Who::Agency(view.catalogue.agency(&"agency-0".parse().unwrap()).unwrap().0)
            })),
        ),
        ("explanation of a ward's month", Box::new(explained("W0001", "2022-06".parse().unwrap(), |_| Who::Combined))),
        (
            "history",
            Box::new(move |view: View<'_>| {
                let (area, agency) = (area(view, "W0000"), agency(view, "agency-0"));
                let (period, breakdown) = ("2022-06".parse().unwrap(), Some(BreakdownIx::TOTAL));
                drop(history::history(view, &HistoryQuery { indicator: cases(view), area, agency, period, breakdown }));
            }),
        ),
        (
            "completeness",
            Box::new(move |view: View<'_>| {
                let (area, indicators) = (area(view, "ALL"), vec![cases(view)]);
                let periods = AskedPeriods::Named(vec![year]);
                drop(completeness::completeness(
                    view,
                    &CompletenessQuery { area, periods, indicators, agencies: None },
                ));
            }),
        ),
        (
            "reconciliation",
            Box::new(move |view: View<'_>| {
                let (rules, areas) = (view.catalogue.rules_after(None).collect(), Areas::listed(areas(view, "D")));
                let query = ReconcileQuery { rules, areas, periods: months() };
                assert!(reconcile::pairs(view, &query).count() > 0);
            }),
        ),
    ];
    let costs: Vec<String> =
        questions.iter().map(|(name, answer)| format!("{name}: {}", cost(answer.as_ref()))).collect();
    insta::assert_snapshot!(costs.join("\n"));
}

#[test]
fn each_stock_that_may_be_of_an_area_within_anothers_is_a_step_of_its_sum() {
    const DISTRICTS: usize = 4;
    let plain = world(DISTRICTS);
    // Where any area has moved, any two stocks of a sum may overlap.
    let mut moved = fold(DISTRICTS);
    let area =
        |code: &str, level: &str, parents| json!({ "code": code, "name": code, "level": level, "parents": parents });
    let parents = json!([{ "code": "ONE", "valid_to": "2020-12-31" }, { "code": "OTHER", "valid_from": "2021-01-01" }]);
    let areas =
        [area("ONE", "district", json!([])), area("OTHER", "district", json!([])), area("MOVED", "ward", parents)];
    let put = serde_json::from_value(json!({ "areas": areas })).unwrap();
    moved.apply(&Entry { at: NOW, actor: Actor::default(), body: Body::CataloguePut(put) });
    let stock = |view: View<'_>| AggregateQuery {
        indicators: vec![view.catalogue.indicator(&"people".parse().unwrap()).unwrap().0],
        periods: vec!["2021-06-30".parse().unwrap()],
        by_area: false,
        ..query(view, "D")
    };
    let ((plain, _), (moved, _)) = (steps(&plain, stock), steps(&moved.state(), stock));
    // Each in the sum of all: that of its district is by the hierarchy of their own day.
    assert_eq!(moved, plain + (DISTRICTS * WARDS) as u64);
}

#[test]
fn a_question_that_takes_more_than_its_budget_is_not_reviewed_either() {
    let state = world(4);
    let budget = Budget::new(100, Default::default());
    let whole = view(&state).within(&budget);
    assert!(review(whole, &query(view(&state), "W")).is_empty());
    assert_eq!((budget.outcome(), budget.left()), (Err(Stopped::TooMuch), 100));
}

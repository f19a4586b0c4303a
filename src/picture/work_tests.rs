//! How much work answers take: at most in proportion to the figures that they rest on.

use serde_json::json;

use super::answer;
use super::areas::{Areas, by_code};
use super::change::{ChangeRule, Comparison};
use super::question::{AggregateQuery, Derived, QueryBreakdown};
use crate::access::Actor;
use crate::catalogue::{AreaIx, CataloguePut};
use crate::entry::{Body, Entry, Fingerprint};
use crate::model::budget::{Budget, StopFlag, Stopped};
use crate::model::marker::Markers;
use crate::model::observation::{Breakdown, Measure, Observation, Value};
use crate::model::period::Period;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;
use crate::model::zone::UTC;
use crate::state::State;
use crate::state::view::{AreasAsOf, View};

const WARDS: usize = 6;
/// 2024-01-01.
const NOW: Timestamp = Timestamp(1_704_067_200_000_000);

fn ward(district: usize, ix: usize) -> String {
    format!("W{district:03}{ix}")
}

/// Districts of six wards, each with an agency that reports its wards' cases in the months of 2022.
fn world(districts: usize) -> State {
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
    let put: CataloguePut = serde_json::from_value(json!({
        "areas": areas,
        "agencies": (0..districts).map(agency).collect::<Vec<_>>(),
        "indicators": [indicator("people", "stock", "calendar-year"), cases],
    }))
    .unwrap();
    let mut state = State::default();
    let mut apply = |body| state.apply(&Entry { at: NOW, actor: Actor::default(), body });
    apply(Body::CataloguePut(put));
    for district in 0..districts {
        let observation = |indicator: &str, ix: usize, period: &str| Observation {
            indicator: indicator.parse().unwrap(),
            area: ward(district, ix).parse().unwrap(),
            period: period.parse().unwrap(),
            breakdown: Breakdown::default(),
            value: Value { measure: Some(Measure::Number("7".parse().unwrap())), markers: Markers::default() },
            note: None,
        };
        let months: Vec<String> = months().iter().map(ToString::to_string).collect();
        let observations = (0..WARDS).flat_map(|ix| {
            let cases = months.iter().map(move |month| observation("cases", ix, month));
            [observation("people", ix, "2021-06-30")].into_iter().chain(cases)
        });
        let submission = Submission {
            agency: id(district).parse().unwrap(),
            request_id: "all".parse().unwrap(),
            source: String::new(),
            sample: false,
            observations: observations.collect(),
        };
        let fingerprint = Fingerprint::of(&submission);
        apply(Body::Submission { submission: submission.into(), fingerprint });
    }
    state
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

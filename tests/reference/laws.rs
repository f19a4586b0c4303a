//! Laws that the service obeys whatever the rules are: properties of its own answers, without the model.

use std::collections::{BTreeMap, BTreeSet};

use conspectus::catalogue::items::{AcrossAgencies, Kind, Validity};
use conspectus::entry::{Body, Withdrawal, codec};
use conspectus::model::date::Date;
use conspectus::model::id::{AreaCode, IndicatorId};
use conspectus::model::observation::Observation;
use conspectus::model::period::{Frequency, Period};
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::picture::aggregate::Who;
use conspectus::picture::answer;
use conspectus::picture::combine::Gap;
use conspectus::picture::explain::{Contribution, ExplainQuery, explain};
use conspectus::picture::figure::Figure;
use conspectus::picture::question::PictureQuery;
use conspectus::state::columns::BreakdownIx;
use conspectus::state::view::AreasAsOf;
use conspectus::state::{Outcome, Replay, State};
use num_rational::BigRational as Number;

use crate::agree::{read_out, seeds};
use crate::canonical::{CanonicalFigure, Row};
use crate::command::Command;
use crate::fixture::{day, submit, with};
use crate::generate::{History, Lived, Random, World, history};
use crate::model::{Sight, number_and_weight, whole};
use crate::oracle::ends;
use crate::question::{AggregateQuestion, PictureQuestion, Question, What, ask};

const WORLDS: u64 = 250;
const QUESTIONS: usize = 5;

/// Tries a law on every world; the law says how often it had something to check.
fn on_every_world(law: impl Fn(&History, &mut World, &Lived) -> usize) {
    let mut checked = 0;
    let seeds = seeds(WORLDS);
    let worlds = seeds.end - seeds.start;
    for seed in seeds {
        let (history, mut world) = history(Random(seed));
        let lived = history.live();
        if !lived.entries.is_empty() {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| law(&history, &mut world, &lived)));
            checked += result.unwrap_or_else(|_| panic!("seed {seed}\n{}", read_out(&history)));
        }
    }
    println!("checked {checked} times");
    assert!(worlds < WORLDS || checked > 100, "checked {checked} times only");
}

/// Both states give one answer to questions about their newest revisions; says how many values there were.
fn same_answers(world: &mut World, one: &Lived, other: &Lived) -> usize {
    let mut values = 0;
    for _ in 0..QUESTIONS {
        let question = world.question(one);
        let answer = |lived: &Lived| ask(&lived.state, &Question { as_of: lived.entries.len(), ..question.clone() });
        let expected = answer(one);
        assert_eq!(answer(other), expected, "{question:#?}");
        values += values_of(expected.as_deref());
    }
    values
}

fn values_of(rows: Option<&[Row]>) -> usize {
    rows.into_iter().flatten().filter(|row| row.figure.exact.is_some()).count()
}

#[test]
fn the_order_in_which_independent_submissions_arrive_changes_nothing() {
    on_every_world(|history, world, _| {
        let mut taken: Vec<(String, Observation)> = Vec::new();
        let mut commands = history.commands.clone();
        commands.retain(|command| !matches!(command, Command::Withdraw(_)));
        let (mut puts, mut submissions): (Vec<_>, Vec<_>) =
            commands.into_iter().partition(|command| matches!(command, Command::PutCatalogue(_)));
        // Two that say something of one figure depend on each other: only the first keeps it.
        for command in &mut submissions {
            let Command::Submit(prepared) = command else { unreachable!() };
            let submission = prepared.submission().clone();
            let agency = submission.agency.to_string();
            let first = submission.observations.iter().filter(|it| {
                let is_new = !taken.iter().any(|(by, known)| *by == agency && is_same_figure(known, it));
                taken.push((agency.clone(), it.clone()));
                is_new
            });
            *command = with(&submission, first);
        }
        let mut backwards = puts.clone();
        backwards.extend(submissions.iter().rev().cloned());
        puts.extend(submissions);
        let (forth, back) = (History { commands: puts }.live(), History { commands: backwards }.live());
        same_answers(world, &forth, &back)
    });
}

fn is_same_figure(one: &Observation, other: &Observation) -> bool {
    (&one.indicator, &one.area, one.period.storage_key(), &one.breakdown)
        == (&other.indicator, &other.area, other.period.storage_key(), &other.breakdown)
}

#[test]
fn an_earlier_revision_answers_as_it_did_then() {
    on_every_world(|_, world, lived| {
        let mut values = 0;
        for as_of in 1..=lived.entries.len() {
            let mut then = Lived { entries: lived.entries[..as_of].to_vec(), state: State::default() };
            then.entries.iter().for_each(|entry| then.state.apply(entry));
            let question = Question { as_of, ..world.question(&then) };
            let answer = ask(&then.state, &question);
            assert_eq!(ask(&lived.state, &question), answer, "{question:#?}");
            values += values_of(answer.as_deref());
        }
        values
    });
}

#[test]
fn a_replayed_journal_answers_as_the_live_state_does() {
    on_every_world(|_, world, lived| {
        let (mut entries, mut replay) = (Vec::new(), Replay::default());
        for entry in &lived.entries {
            let read = codec::decode(&codec::encode(entry)).unwrap();
            assert_eq!(read, *entry);
            replay.apply(&read);
            entries.push(read);
        }
        same_answers(world, lived, &Lived { entries, state: replay.finish() })
    });
}

#[test]
fn sending_the_same_again_changes_nothing_but_the_revision() {
    on_every_world(|_, world, lived| {
        let Some(last) = last_submission(lived) else { return 0 };
        let again = Submission { request_id: "again".parse().unwrap(), ..last };
        let at = Timestamp(lived.entries[lived.entries.len() - 1].at.0 + 1);
        let Ok(Some(entry)) = submit(again.clone()).admit(&lived.state, at) else { return 0 };
        let outcomes = lived.state.outcomes(&again, lived.state.revision());
        if !outcomes.iter().all(|outcome| matches!(outcome, Outcome::Unchanged { .. })) {
            return 0;
        }
        let mut after = Lived { entries: lived.entries.clone(), state: lived.state.clone() };
        after.state.apply(&entry);
        after.entries.push(entry.clone());
        let Body::Submission { submission, .. } = &entry.body else { unreachable!() };
        let said = |lived: &Lived| lived.state.outcomes(submission, lived.state.revision());
        assert_eq!(said(&after), said(lived), "each figure keeps the revision it has had");
        same_answers(world, lived, &after)
    });
}

/// The newest submission that stands whole: nothing was put or withdrawn after it.
fn last_submission(lived: &Lived) -> Option<Submission> {
    let last = lived.entries.iter().rev().find(|entry| !matches!(entry.body, Body::CataloguePut(_)))?;
    let Body::Submission { submission, .. } = &last.body else { return None };
    Some(Submission::clone(submission))
}

#[test]
fn a_withdrawn_submission_was_never_received() {
    on_every_world(|history, world, lived| {
        let sent = lived.entries.iter().filter_map(|entry| match &entry.body {
            Body::Submission { submission, .. } => Some(submission.as_ref()),
            Body::CataloguePut(_) | Body::Withdrawal(_) | Body::Access(_) => None,
        });
        let sent: Vec<&Submission> = sent.collect();
        if sent.is_empty() {
            return 0;
        }
        let gone = (*world.random.pick(&sent)).clone();
        let mut withdrawn = history.clone();
        withdrawn.commands.push(Command::Withdraw(Withdrawal {
            agency: gone.agency.clone(),
            request_id: gone.request_id.clone(),
            reason: String::new(),
        }));
        let mut never = history.clone();
        never.commands.retain(|command| match command {
            Command::Submit(prepared) => prepared.submission().request_id != gone.request_id,
            Command::PutCatalogue(_) | Command::Withdraw(_) => true,
        });
        same_answers(world, &never.live(), &withdrawn.live())
    });
}

/// In worlds where boundaries never change and everyone reports by the indicator's own frequency, an area of
/// which every part has reported is the sum of its parts.
#[test]
fn an_area_is_the_sum_of_the_areas_below_it() {
    on_every_world(|history, world, _| {
        let mut history = history.clone();
        let frequencies = first_frequencies(&history);
        for command in &mut history.commands {
            simplify(command, &frequencies);
        }
        let lived = history.live();
        let sight = Sight::of(&lived.entries, lived.entries.len(), day("2022-01-01"));
        let mut checked = 0;
        let additive = [Kind::Events, Kind::Amount, Kind::Stock, Kind::Distinct];
        for observation in world.sent_observations().into_iter().take(12) {
            let Some(version) = sight.versions.iter().find(|it| it.id == observation.indicator) else { continue };
            if !additive.contains(&version.kind) {
                continue;
            }
            for period in [observation.period, Period::of(observation.period.frequency(), day("2021-08-15")).unwrap()] {
                for area in sight.areas.iter().map(|area| &area.code).filter(|code| code.as_str() == "P") {
                    let cells = |code| {
                        let (area, indicators) = (sight.area(code).code.clone(), Some(vec![version.id.clone()]));
                        let asked = PictureQuestion { area, period, indicators, comparison: None };
                        let what = What::Picture(asked);
                        let question = Question { as_of: lived.entries.len(), today: sight.today, what };
                        let rows = ask(&lived.state, &question).unwrap();
                        rows.into_iter().map(|row| (row.key.clone(), row.figure)).collect::<BTreeMap<_, _>>()
                    };
                    let children: Vec<_> = sight.children(area, period.end()).into_iter().map(cells).collect();
                    for (key, figure) in cells(area) {
                        let complete = |cells: &BTreeMap<String, CanonicalFigure>| {
                            cells.get(&key).cloned().filter(|it| it.complete)
                        };
                        let parts = children.iter().map(|cells| fraction(complete(cells)?.exact.as_deref()?));
                        let parts: Option<Vec<Number>> = parts.collect();
                        if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
                            let sum: Number = parts.into_iter().fold(whole(0), |sum, part| sum + part);
                            assert_eq!(figure.exact.as_deref().and_then(fraction), Some(sum), "{key} {area} {period}");
                            checked += 1;
                        }
                    }
                }
            }
        }
        checked
    });
}

fn first_frequencies(history: &History) -> BTreeMap<IndicatorId, Frequency> {
    let puts = history.commands.iter().filter_map(|command| match command {
        Command::PutCatalogue(put) => Some(put),
        Command::Submit { .. } | Command::Withdraw(_) => None,
    });
    let versions = puts.flat_map(|put| &put.indicators).filter(|version| version.effective_from.is_none());
    versions.map(|version| (version.id.clone(), version.frequency)).collect()
}

/// Leaves out what the top area reports itself, other frequencies, and changes of boundary.
fn simplify(command: &mut Command, frequencies: &BTreeMap<IndicatorId, Frequency>) {
    match command {
        Command::PutCatalogue(put) => {
            put.indicators.retain(|version| version.effective_from.is_none());
            for area in &mut put.areas {
                area.parents.truncate(1);
                area.parents.iter_mut().for_each(|parent| parent.validity = Validity::default());
            }
        }
        Command::Submit(prepared) => {
            let is_own = |it: &Observation| frequencies.get(&it.indicator) == Some(&it.period.frequency());
            let submission = prepared.submission().clone();
            let simple = submission.observations.iter().filter(|it| it.area.as_str() != "P" && is_own(it));
            *command = with(&submission, simple);
        }
        Command::Withdraw(_) => {}
    }
}

fn fraction(text: &str) -> Option<Number> {
    text.parse().ok()
}

/// What a question keeps apart adds up to what it combines: over areas for every kind that adds, over agencies
/// when the indicator says so, over periods for those that add over time.
#[test]
fn the_groups_of_an_answer_add_up_to_the_whole() {
    on_every_world(|_, world, lived| {
        let mut checked = 0;
        for _ in 0..3 * QUESTIONS {
            let question = world.question(lived);
            let What::Aggregate(asked) = &question.what else { continue };
            let sight = Sight::of(&lived.entries, question.as_of, question.today);
            let indicator: &IndicatorId = &asked.indicators[0];
            let version = sight.version(indicator, asked.periods[asked.periods.len() - 1]);
            let (adds, adds_over_time) = match version.kind {
                Kind::Events | Kind::Amount => (true, true),
                Kind::Stock | Kind::Distinct => (true, false),
                Kind::Ratio | Kind::Mean => (false, false),
            };
            let add_agencies = adds && version.across_agencies == AcrossAgencies::Add;
            let whole = AggregateQuestion {
                indicators: vec![indicator.clone()],
                by_area: false,
                by_agency: false,
                by_period: false,
                comparison: None,
                ..asked.clone()
            };
            let splits = [
                (adds, AggregateQuestion { by_area: true, ..whole.clone() }),
                (add_agencies, AggregateQuestion { by_agency: true, ..whole.clone() }),
                (adds_over_time, AggregateQuestion { by_period: true, ..whole.clone() }),
            ];
            let answer = |asked: AggregateQuestion| {
                ask(&lived.state, &Question { what: What::Aggregate(asked), ..question.clone() })
            };
            let Some(answered) = answer(whole) else { continue };
            let Some(expected) = answered[0].figure.exact.as_deref().and_then(fraction) else { continue };
            for (_, split) in splits.into_iter().filter(|(applies, _)| *applies) {
                // Where the rule over agencies changes within the periods, each follows its own.
                let rule = |period: &Period| {
                    let version = sight.version(indicator, *period);
                    (version.across_agencies, &version.lead_agency)
                };
                let is_one_rule = asked.periods.windows(2).all(|pair| rule(&pair[0]) == rule(&pair[1]));
                if split.by_period && !is_one_rule {
                    continue;
                }
                let rows = answer(split).unwrap();
                let sum = rows
                    .iter()
                    .filter_map(|row| fraction(row.figure.exact.as_deref()?))
                    .fold(crate::model::whole(0), |a, b| a + b);
                assert_eq!(sum, expected, "{question:#?}\n{rows:#?}");
                checked += 1;
            }
        }
        checked
    });
}

/// "One answer, built from everyone's figures, that can always say where each number came from": what an explanation
/// names is what the figure was added up from, and where there is no value, the markers that say why.
#[test]
fn the_contributions_of_a_figure_add_up_to_it() {
    on_every_world(|_, world, lived| {
        let mut checked = 0;
        for _ in 0..QUESTIONS {
            let question = world.question(lived);
            let What::Picture(asked) = &question.what else { continue };
            let as_of = Revision(question.as_of as u64);
            let catalogue = lived.state.catalogue_as_of(as_of);
            let sight = Sight::of(&lived.entries, question.as_of, question.today);
            let view = lived.state.view(&catalogue, as_of, &UTC, question.today, AreasAsOf::Then);
            let (area, period) = (catalogue.area(&asked.area).unwrap().0, asked.period);
            for row in answer::picture(view, &PictureQuery { area, period, indicators: None, comparison: None }) {
                let indicator = catalogue.indicator(&row.version.id).unwrap().0;
                let cells = row.cells.iter().map(|cell| (Who::Agency(cell.agency), &cell.figure));
                for (who, figure) in cells.chain([(Who::Combined, &row.combined)]) {
                    let breakdown = Some(BreakdownIx::TOTAL);
                    let explained = explain(view, ExplainQuery { indicator, area, period, breakdown, who });
                    let measures = explained.contributions.iter().map(|it| it.value.measure).collect::<Vec<_>>();
                    let sum = measures.iter().flatten().map(|measure| number_and_weight(*measure));
                    let (number, weight) = sum.fold((whole(0), whole(0)), |a, b| (a.0 + b.0, a.1 + b.1));
                    let is_right = match &figure.value {
                        Ok(_) => exact(figure) == value(row.version.kind, number, weight),
                        Err(Gap::ZeroBase) => weight == whole(0) && measures.iter().any(Option::is_some),
                        Err(Gap::Marked) => !measures.is_empty() && measures.iter().all(Option::is_none),
                        Err(Gap::SideBySide | Gap::TooLarge) => true,
                        Err(
                            Gap::NotReported
                            | Gap::LeadNotReported
                            | Gap::LeadNotAsked
                            | Gap::NotCombinable
                            | Gap::Contained
                            | Gap::PeriodMismatch,
                        ) => measures.is_empty(),
                        // Of rates, shares and ranks only.
                        Err(Gap::NoPopulation | Gap::PopulationNotBrokenDown | Gap::NegativePart | Gap::Partial) => {
                            false
                        }
                    };
                    assert!(is_right, "{} of {who:?}: {explained:#?}\n{question:#?}", row.version.id);
                    let goes_in = |it: &Contribution| match (who, row.version.across_agencies) {
                        (Who::Agency(agency), _) => it.agency == agency,
                        (Who::Combined, AcrossAgencies::Add | AcrossAgencies::SideBySide) => true,
                        (Who::Combined, AcrossAgencies::Lead) => {
                            Some(&catalogue.agency_at(it.agency).id) == row.version.lead_agency.as_ref()
                        }
                    };
                    let is_inside = |it: &Contribution| {
                        may_lie_within(&sight, &catalogue.area_at(it.area).code, &asked.area, &ends(asked.period))
                    };
                    let cells: BTreeSet<_> =
                        explained.contributions.iter().map(|it| (it.agency, it.area, it.period)).collect();
                    let are_its_own = explained.contributions.iter().all(|it| goes_in(it) && is_inside(it))
                        && cells.len() == explained.contributions.len();
                    assert!(are_its_own, "{} of {who:?}: {explained:#?}\n{question:#?}", row.version.id);
                    checked += measures.len();
                }
            }
        }
        checked
    });
}

/// Whether an area lies within another on some of the days, or by one step on one of them and the next on another:
/// a year is built of its areas on its last day, and each of these of its months.
fn may_lie_within(sight: &Sight, inner: &AreaCode, outer: &AreaCode, days: &[Date]) -> bool {
    let mut parents = days.iter().filter_map(|day| sight.parent(inner, *day));
    inner == outer || parents.any(|parent| may_lie_within(sight, parent, outer, days))
}

fn exact(figure: &Figure) -> Option<Number> {
    fraction(&format!("{:?}", figure.value.ok()?.exact))
}

fn value(kind: Kind, number: Number, weight: Number) -> Option<Number> {
    match kind {
        Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => Some(number),
        Kind::Ratio => (weight != whole(0)).then(|| number * whole(100) / weight),
        Kind::Mean => (weight != whole(0)).then(|| number / weight),
    }
}

//! Laws that the service obeys whatever the rules are: properties of its own answers, without the model.

use std::collections::BTreeSet;

use conspectus::catalogue::items::{AcrossAgencies, Kind};
use conspectus::entry::{Body, Withdrawal, codec};
use conspectus::intake::admit::Withdraw;
use conspectus::intake::corrections::Locks;
use conspectus::model::decimal::Decimal;
use conspectus::model::id::AgencyId;
use conspectus::model::marker::Marker;
use conspectus::model::observation::Observation;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{AggregateRow, FigureChange, ListChangesRequest};
use conspectus::state::Outcome;

use crate::agree::seeds;
use crate::answer::{self, Answer};
use crate::command::Command;
use crate::fixture::{submit, with};
use crate::model::number::{Number, fraction, whole};
use crate::model::periods::is_same;
use crate::model::question::{AsOf, QueryQuestion, Question, What};
use crate::service::Service;
use crate::world::{History, Lived, Random, World, corrected, history};

const WORLDS: u64 = 120;
const QUESTIONS: usize = 5;

/// Tries a law on every world; the law says how often it had something to check.
fn on_every_world(law: impl Fn(&History, &mut World, &Lived) -> usize) {
    let mut checked = 0;
    let seeds = seeds(WORLDS);
    let worlds = seeds.end - seeds.start;
    for seed in seeds {
        let (history, mut world) = history(Random(seed));
        let history = corrected(seed, history);
        let lived = history.live();
        if !lived.entries.is_empty() {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| law(&history, &mut world, &lived)));
            checked += result.unwrap_or_else(|_| panic!("seed {seed}\n{}", history.read_out()));
        }
    }
    println!("checked {checked} times");
    assert!(worlds < WORLDS || checked > 50, "checked {checked} times only");
}

fn service(lived: &Lived) -> Service {
    Service::of(lived.state.clone(), &lived.zone)
}

/// Both states give one answer to questions about now; says how many values there were.
fn same_answers(world: &mut World, one: &Lived, other: &Lived) -> usize {
    let mut values = 0;
    let (left, right) = (service(one), service(other));
    for _ in 0..QUESTIONS {
        let question = Question { as_of: AsOf::Now, ..world.question(one) };
        let now = question.now.max(other.newest_at()).max(one.newest_at());
        let question = Question { now, ..question };
        let (expected, found) = (left.ask(&question), right.ask(&question));
        let body = |answer: &Option<Answer>| answer.as_ref().map(|it| it.body.clone());
        assert_eq!(body(&found), body(&expected), "{question:#?}");
        values += values_of(expected.as_ref());
    }
    values
}

fn rows(answer: Option<&Answer>) -> &[AggregateRow] {
    match answer.map(|it| &it.body) {
        Some(answer::Body::Rows(rows)) => rows,
        _ => &[],
    }
}

fn values_of(answer: Option<&Answer>) -> usize {
    rows(answer).iter().filter(|row| value(row).is_some()).count()
}

fn value(row: &AggregateRow) -> Option<Number> {
    let text = row.figure.as_ref()?.value.as_ref()?;
    Some(fraction(text.parse::<Decimal>().unwrap()))
}

/// The same commands in an order, one after the other, when all that they are about is over.
fn in_order(commands: impl IntoIterator<Item = Command>, of: &History) -> History {
    const AFTERWARDS: Timestamp = Timestamp(1_767_225_600_000_000);
    let commands = commands.into_iter().zip(0..).map(|(command, hours)| (AFTERWARDS.plus_hours(hours), command));
    History { commands: commands.collect(), zone: of.zone.clone() }
}

#[test]
fn the_order_in_which_independent_submissions_arrive_changes_nothing() {
    on_every_world(|history, world, _| {
        let mut taken: Vec<(String, Observation)> = Vec::new();
        let commands = history.commands.iter().map(|(_, command)| command.clone());
        let commands = commands.filter(|command| !matches!(command, Command::Withdraw(_)));
        let (puts, mut submissions): (Vec<_>, Vec<_>) =
            commands.partition(|command| matches!(command, Command::PutCatalogue(_)));
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
        let forth = in_order(puts.iter().chain(&submissions).cloned(), history).live();
        let back = in_order(puts.iter().chain(submissions.iter().rev()).cloned(), history).live();
        if forth.entries.is_empty() { 0 } else { same_answers(world, &forth, &back) }
    });
}

fn is_same_figure(one: &Observation, other: &Observation) -> bool {
    (&one.indicator, &one.area, &one.breakdown) == (&other.indicator, &other.area, &other.breakdown)
        && is_same(one.period, other.period)
}

#[test]
fn an_earlier_revision_answers_as_it_did_then() {
    on_every_world(|_, world, lived| {
        let mut values = 0;
        let now = service(lived);
        for revision in 1..=lived.entries.len() {
            let then = Lived::of(&lived.entries[..revision], &lived.zone);
            let question = Question { as_of: AsOf::Revision(revision), ..world.question(&then) };
            let answer = service(&then).ask(&question);
            let later = Question { now: question.now.max(lived.newest_at()), ..question };
            assert_eq!(now.ask(&later), answer, "{later:#?}");
            values += values_of(answer.as_ref());
        }
        values
    });
}

#[test]
fn a_state_that_is_held_answers_as_before_while_later_entries_are_applied() {
    on_every_world(|_, world, lived| {
        let (mut now, mut held) = (Lived::of(&[], &lived.zone), Vec::new());
        for entry in &lived.entries {
            now.apply(entry.clone());
            let question = world.question(&now);
            // One is asked before and after, the other only after: what it then looks at has moved on.
            let (asked, unasked) = (service(&now), Service::of(now.unasked(), &lived.zone));
            held.push((asked.ask(&question), asked, unasked, question));
        }
        let answers = held.into_iter().map(|(answer, asked, unasked, question)| {
            assert_eq!(asked.ask(&question), answer, "{question:#?}");
            assert_eq!(unasked.ask(&question), answer, "{question:#?}");
            values_of(answer.as_ref())
        });
        answers.sum()
    });
}

#[test]
fn a_replayed_journal_answers_as_the_live_state_does() {
    on_every_world(|_, world, lived| {
        let read: Vec<_> = lived.entries.iter().map(|it| codec::decode(&codec::encode(it)).unwrap()).collect();
        assert_eq!(read, lived.entries);
        same_answers(world, lived, &Lived::of(&read, &lived.zone))
    });
}

#[test]
fn sending_the_same_again_changes_nothing_but_the_revision() {
    on_every_world(|_, world, lived| {
        let Some(last) = last_submission(lived) else { return 0 };
        let again = Submission { request_id: "again".parse().unwrap(), ..last };
        let at = lived.newest_at().plus_hours(1);
        let Ok(Some(entry)) = submit(again.clone()).admit(&lived.state, at) else { return 0 };
        let outcomes = lived.state.outcomes(&again, lived.state.revision());
        if !outcomes.iter().all(|outcome| matches!(outcome, Outcome::Unchanged { .. })) {
            return 0;
        }
        let mut after = Lived::of(&lived.entries, &lived.zone);
        after.apply(entry.clone());
        let Body::Submission { submission, .. } = &entry.body else { unreachable!() };
        let said = |lived: &Lived| lived.state.outcomes(submission, lived.state.revision());
        assert_eq!(said(&after), said(lived), "each figure keeps the revision it has had");
        same_answers(world, lived, &after)
    });
}

/// A change of a figure, whether its history or the list of all changes has it.
type ChangeOfFigure = (i64, i32, String, String, String, bool, String);

#[test]
fn the_changes_are_the_histories_of_all_figures_in_the_order_of_the_journal() {
    on_every_world(|_, world, lived| {
        let sent = lived.entries.iter().filter_map(|entry| match &entry.body {
            Body::Submission { submission, .. } => Some(submission.as_ref()),
            Body::CataloguePut(_)
            | Body::Withdrawal(_)
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        });
        let mut figures: Vec<(&AgencyId, Observation)> = Vec::new();
        for (agency, figure) in sent.flat_map(|it| it.observations.iter().map(move |figure| (&it.agency, figure))) {
            if !figures.iter().any(|(by, known)| *by == agency && is_same_figure(known, &figure)) {
                figures.push((agency, figure));
            }
        }
        let service = service(lived);
        service.set_clock(lived.newest_at());
        let mut expected: Vec<ChangeOfFigure> = Vec::new();
        for (agency, figure) in &figures {
            let which = format!("{agency} {} {} {}", figure.indicator, figure.area, figure.breakdown);
            expected.extend(service.history(agency, figure).into_iter().map(|item| {
                let markers = format!("{:?}", item.markers);
                (item.revision, item.event, which.clone(), item.value, markers, item.sample, item.request_id)
            }));
        }
        expected.sort();
        let areas: BTreeSet<String> = figures.iter().map(|(_, figure)| figure.area.to_string()).collect();
        if areas.is_empty() {
            return 0;
        }
        let after = i64::try_from(world.random.below(lived.entries.len())).unwrap();
        for (after_revision, page_size) in [(0, 10_000), (0, 1), (after, 3)] {
            let areas = areas.iter().cloned().collect();
            let request = ListChangesRequest { after_revision, areas, page_size, ..ListChangesRequest::default() };
            let changes = service.changes(&request);
            assert!(changes.is_sorted_by_key(|change| change.revision), "{changes:#?}");
            let mut found: Vec<ChangeOfFigure> = changes.iter().map(change_of_figure).collect();
            found.sort();
            let expected: Vec<_> = expected.iter().filter(|change| change.0 > after_revision).cloned().collect();
            assert_eq!(found, expected, "after {after_revision}, by {page_size}");
        }
        expected.len()
    });
}

fn change_of_figure(change: &FigureChange) -> ChangeOfFigure {
    let figure = change.observation.clone().unwrap();
    let breakdown: Vec<_> = figure.breakdown.iter().map(|it| format!("{}={}", it.dimension, it.category)).collect();
    let which = format!("{} {} {} {}", change.agency, figure.indicator, figure.area, breakdown.join(";"));
    let measure = figure.measure.map(|measure| match measure {
        Measure::Number(number) => number,
        Measure::Percentage(it) => format!("{} % of {}", it.percent, it.base),
        Measure::Ratio(it) => format!("{} of {}", it.numerator, it.denominator),
        Measure::Mean(it) => format!("{} over {}", it.mean, it.count),
    });
    let markers = figure.markers.iter().map(|code| format!("[{}]", Marker::from_code(*code).unwrap()));
    let value: Vec<String> = measure.into_iter().chain(markers).collect();
    let markers = format!("{:?}", figure.markers);
    (change.revision, change.event, which, value.join(" "), markers, change.sample, change.request_id.clone())
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
            Body::CataloguePut(_)
            | Body::Withdrawal(_)
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        });
        let sent: Vec<&Submission> = sent.collect();
        if sent.is_empty() {
            return 0;
        }
        let gone = (*world.random.pick(&sent)).clone();
        let withdrawal =
            Withdrawal { agency: gone.agency.clone(), request_id: gone.request_id.clone(), reason: String::new() };
        let commands = || history.commands.iter().map(|(_, command)| command.clone());
        let withdraw = Command::Withdraw(Withdraw { withdrawal, locks: Locks::Lifted });
        let withdrawn = in_order(commands().chain([withdraw]), history);
        let is_kept = |command: &Command| match command {
            Command::Submit(prepared) => prepared.submission().request_id != gone.request_id,
            Command::PutCatalogue(_) | Command::Withdraw(_) => true,
        };
        let never = in_order(commands().filter(is_kept), history).live();
        // Without it, what corrects its figures may be refused.
        let is_otherwise_same = never.entries.len() + 1 == lived.entries.len();
        if is_otherwise_same && !never.entries.is_empty() { same_answers(world, &never, &withdrawn.live()) } else { 0 }
    });
}

/// What is asked of several areas, each for itself, is what each of them answers alone.
#[test]
fn an_area_has_the_same_figures_beside_others_as_alone() {
    on_every_world(|_, world, lived| {
        let service = service(lived);
        (0..4 * QUESTIONS).map(|_| beside_others(world, lived, &service)).sum()
    });
}

fn beside_others(world: &mut World, lived: &Lived, service: &Service) -> usize {
    let question = world.about_rows(lived, |asked| {
        asked.by_area = true;
        (asked.share, asked.rank, asked.area_level) = (false, false, None);
    });
    let What::Query(asked) = &question.what else { unreachable!() };
    let answered = service.ask(&question);
    let rows = rows(answered.as_ref());
    let mut checked = 0;
    for area in asked.areas.iter().filter(|_| asked.areas.len() > 1 && answered.is_some()) {
        let mut alone = asked.clone();
        alone.areas = vec![area.clone()];
        // One that is of none of the periods, and has ended, isn't asked about alone.
        let Some(alone) = service.ask(&Question { what: What::Query(alone), ..question.clone() }) else { continue };
        let beside: Vec<AggregateRow> = rows.iter().filter(|row| row.area == area.as_str()).cloned().collect();
        assert_eq!(beside, self::rows(Some(&alone)), "{area:?} of {question:#?}");
        checked += beside.len();
    }
    checked
}

/// What a question keeps apart adds up to what it combines: over areas for every kind that adds, over agencies
/// when the indicator says so, over periods for those that add over time.
#[test]
fn the_groups_of_an_answer_add_up_to_the_whole() {
    on_every_world(|_, world, lived| {
        let service = service(lived);
        (0..4 * QUESTIONS).map(|_| groups_add_up(world, lived, &service)).sum()
    });
}

fn groups_add_up(world: &mut World, lived: &Lived, service: &Service) -> usize {
    let question = world.about_rows(lived, |asked| {
        asked.comparison = None;
        asked.indicators.truncate(1);
        (asked.by_area, asked.by_agency, asked.by_period) = (false, false, false);
    });
    let What::Query(asked) = &question.what else { unreachable!() };
    let sight = answer::sight(lived, &question).2;
    let version = |period| sight.version(&asked.indicators[0], period);
    let last = version(asked.periods[asked.periods.len() - 1]);
    let (adds, adds_over_time) = match last.kind {
        Kind::Events | Kind::Amount => (true, true),
        Kind::Stock | Kind::Distinct => (true, false),
        Kind::Ratio | Kind::Mean => (false, false),
    };
    // Where the rules change within the periods, each follows its own; and where decimals do, so does rounding.
    let rule = |it| (version(it).across_agencies, &version(it).lead_agency);
    let is_one_rule = asked.periods.iter().all(|it| rule(*it) == rule(asked.periods[0]));
    let mut versions = sight.versions_of(&asked.indicators[0]);
    if !versions.all(|it| it.decimals == last.decimals) {
        return 0;
    }
    let split = |by: fn(&mut QueryQuestion)| {
        let mut split = asked.clone();
        by(&mut split);
        Question { what: What::Query(split), ..question.clone() }
    };
    let splits = [
        (adds, split(|it| it.by_area = true)),
        (adds && last.across_agencies == AcrossAgencies::Add, split(|it| it.by_agency = true)),
        (adds_over_time && is_one_rule, split(|it| it.by_period = true)),
    ];
    let answered = service.ask(&question);
    let Some(expected) = rows(answered.as_ref()).first().and_then(value) else { return 0 };
    let mut checked = 0;
    for (_, split) in splits.into_iter().filter(|(applies, _)| *applies) {
        let answer = service.ask(&split);
        let sum = rows(answer.as_ref()).iter().filter_map(value).fold(whole(0), |a, b| a + b);
        assert_eq!(sum, expected, "{split:#?}\n{answer:#?}");
        checked += 1;
    }
    checked
}

//! The service and the model give the same answer to every question.

use std::panic::{AssertUnwindSafe, catch_unwind};

use conspectus::model::decimal::Decimal;
use conspectus::model::marker::Marker;
use conspectus::model::observation::Measure;

use crate::canonical::{CanonicalFigure, Row};
use crate::command::Command;
use crate::fixture::with;
use crate::generate::{History, Random, history};
use crate::model::Sight;
use crate::oracle;
use crate::question::{Question, What, ask};

const WORLDS: u64 = 1_500;
const QUESTIONS: usize = 6;

/// How many worlds a property is tried on, and the first seed.
pub(crate) fn seeds(worlds: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let first = number("CONSPECTUS_SEED").unwrap_or(1);
    first..first + number("CONSPECTUS_CASES").unwrap_or(worlds)
}

/// What differs between the two answers; none when nothing does.
fn difference(history: &History, question: &Question) -> Option<String> {
    let lived = history.live();
    let question = Question { as_of: question.as_of.min(lived.entries.len()), ..question.clone() };
    let sight = Sight::of(&lived.entries, question.as_of, question.today);
    if !names_are_known(&sight, &question.what) {
        return None;
    }
    let expected = oracle::answer(&sight, &question.what);
    let found = catch_unwind(AssertUnwindSafe(|| ask(&lived.state, &question)));
    match found {
        Err(_) => Some("the service panicked".to_owned()),
        Ok(found) if found == expected => None,
        Ok(found) => Some(say(found.as_deref(), expected.as_deref())),
    }
}

/// A smaller history may lack what the question names.
fn names_are_known(sight: &Sight, what: &What) -> bool {
    let (areas, indicators, agencies) = match what {
        What::Picture(asked) => (vec![&asked.area], asked.indicators.iter().flatten().collect(), vec![]),
        What::Aggregate(asked) => (
            asked.areas.iter().collect(),
            asked.indicators.iter().collect::<Vec<_>>(),
            asked.agencies.iter().flatten().collect(),
        ),
    };
    let ids = sight.indicator_ids();
    areas.iter().all(|code| sight.areas.iter().any(|area| area.code == **code))
        && indicators.iter().all(|id| ids.contains(*id))
        && agencies.iter().all(|id| sight.agency_ids().contains(*id))
}

fn say(found: Option<&[Row]>, expected: Option<&[Row]>) -> String {
    let (Some(found), Some(expected)) = (found, expected) else {
        let says = |rows: Option<&[Row]>| if rows.is_some() { "answers" } else { "refuses" };
        return format!("the service {}, the model {}", says(found), says(expected));
    };
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>();
    if keys(found) != keys(expected) {
        return format!("the service has rows {:#?}\nthe model {:#?}", keys(found), keys(expected));
    }
    let (found, expected) = found.iter().zip(expected).find(|(a, b)| a != b).unwrap();
    let (found, expected) = (format!("{found:#?}"), format!("{expected:#?}"));
    let lines = found.lines().zip(expected.lines()).filter(|(a, b)| a != b).take(12);
    let differing: String = lines.map(|(a, b)| format!("  service {a}\n  model   {b}\n")).collect();
    format!("{differing}\nthe service's row:\n{found}")
}

/// The history without what isn't needed for the difference: commands, then observations.
fn smallest(mut history: History, question: &Question) -> History {
    let fails = |history: &History| difference(history, question).is_some();
    loop {
        let before = format!("{history:?}").len();
        for at in (0..history.commands.len()).rev() {
            let mut smaller = history.clone();
            smaller.commands.remove(at);
            if fails(&smaller) {
                history = smaller;
            }
        }
        for at in 0..history.commands.len() {
            for item in (0..items(&history.commands[at])).rev() {
                let mut smaller = history.clone();
                smaller.commands[at] = without(&history.commands[at], item);
                if fails(&smaller) {
                    history = smaller;
                }
            }
        }
        if format!("{history:?}").len() == before {
            return history;
        }
    }
}

fn items(command: &Command) -> usize {
    match command {
        Command::PutCatalogue(put) => put.areas.len() + put.agencies.len() + put.indicators.len(),
        Command::Submit(prepared) => prepared.submission().observations.len(),
        Command::Withdraw(_) => 0,
    }
}

fn without(command: &Command, item: usize) -> Command {
    let mut smaller = command.clone();
    match &mut smaller {
        Command::PutCatalogue(put) => {
            let (areas, agencies) = (put.areas.len(), put.agencies.len());
            if item < areas {
                put.areas.remove(item);
            } else if item < areas + agencies {
                put.agencies.remove(item - areas);
            } else {
                put.indicators.remove(item - areas - agencies);
            }
        }
        Command::Submit(prepared) => {
            let submission = prepared.submission().clone();
            let mut observations: Vec<_> = submission.observations.iter().collect();
            observations.remove(item);
            smaller = with(&submission, observations);
        }
        Command::Withdraw(_) => {}
    }
    smaller
}

/// A history as a person reads it.
pub(crate) fn read_out(history: &History) -> String {
    let mut text = String::new();
    let mut line = |it: String| text += &format!("{it}\n");
    for command in &history.commands {
        match command {
            Command::PutCatalogue(put) => {
                line("put".to_owned());
                let validity = |it: conspectus::catalogue::items::Validity| match (it.valid_from, it.valid_to) {
                    (None, None) => String::new(),
                    (from, to) => format!(
                        "[{}..{}]",
                        from.map(|it| it.to_string()).unwrap_or_default(),
                        to.map(|it| it.to_string()).unwrap_or_default()
                    ),
                };
                for it in &put.areas {
                    let parents: Vec<_> =
                        it.parents.iter().map(|it| format!("{}{}", it.code, validity(it.validity))).collect();
                    line(format!("  area {} {} within {}", it.code, it.level, parents.join(", ")));
                }
                for it in &put.agencies {
                    line(format!("  agency {} for {:?}", it.id, it.areas));
                }
                for it in &put.indicators {
                    let expected: Vec<_> = it
                        .expected_agencies
                        .iter()
                        .map(|it| format!("{}{}", it.agency, validity(it.validity)))
                        .collect();
                    line(format!(
                        "  indicator {} from {:?}: {} by {}, {} decimals {}, due {}, level {}, {} {:?}, expects {}, breaks {}",
                        it.id,
                        it.effective_from.map(|it| it.to_string()),
                        it.kind,
                        it.frequency,
                        it.decimals,
                        it.rounding,
                        it.due_days,
                        it.reporting_level,
                        it.across_agencies,
                        it.lead_agency,
                        expected.join(", "),
                        it.breaks_comparability
                    ));
                }
            }
            Command::Submit(prepared) => {
                let submission = prepared.submission();
                let sample = if submission.sample { ", sample" } else { "" };
                line(format!("{} submits {}{sample}", submission.agency, submission.request_id));
                for it in submission.observations.iter() {
                    line(format!("  {} {} {} {}: {}", it.indicator, it.area, it.period, it.breakdown, it.value));
                }
            }
            Command::Withdraw(it) => line(format!("{} withdraws {}", it.agency, it.request_id)),
        }
    }
    text
}

/// The numbers as large as they come: each answer is exact, or says that it has too many digits.
#[test]
fn the_largest_numbers_are_exact_or_refused() {
    let (mut exact, mut refused) = (0_usize, 0_usize);
    for seed in seeds(WORLDS / 10) {
        let (mut history, mut world) = history(Random(seed));
        history.commands.iter_mut().for_each(enlarge);
        let lived = history.live();
        if lived.entries.is_empty() {
            continue;
        }
        for _ in 0..QUESTIONS {
            let question = world.question(&lived);
            let sight = Sight::of(&lived.entries, question.as_of, question.today);
            let (found, expected) = (ask(&lived.state, &question), oracle::answer(&sight, &question.what));
            assert_eq!(found.is_some(), expected.is_some(), "seed {seed}");
            for (found, expected) in found.into_iter().flatten().zip(expected.into_iter().flatten()) {
                let is_refused = format!("{found:?}").contains("\"TooLarge\"");
                let expected = if is_refused { refused_as(expected, &found) } else { expected };
                assert_eq!(found, expected, "seed {seed}\n{}\n{question:#?}", read_out(&history));
                refused += usize::from(is_refused);
                exact += usize::from(found.figure.exact.is_some());
            }
        }
    }
    println!("{exact} exact, {refused} refused");
    assert!(exact > refused, "too many are refused");
}

/// The row without what the service refuses of it: values of too many digits, and the changes from or to them.
fn refused_as(mut row: Row, found: &Row) -> Row {
    let refuse = |figure: &mut CanonicalFigure, found: &CanonicalFigure| {
        if found.value == "TooLarge" {
            (figure.value, figure.exact) = (found.value.clone(), None);
            (figure.fraction, figure.numerator_basis) = (None, None);
            figure.complete &= figure.expected > 0;
            // Whose own markers are of the value.
            if !found.markers.contains(&Marker::Estimated) {
                figure.markers.remove(&Marker::Estimated);
            }
            if !found.markers.contains(&Marker::Break) {
                figure.markers.remove(&Marker::Break);
            }
        }
    };
    refuse(&mut row.figure, &found.figure);
    if let (Some(change), Some(found)) = (&mut row.change, &found.change) {
        if let (Some((_, from)), Some((_, found))) = (&mut change.from, &found.from) {
            refuse(from, found);
        }
        change.gap.clone_from(&found.gap);
        change.difference.clone_from(&found.difference);
        change.percent.clone_from(&found.percent);
    }
    row
}

/// Makes every number as long as a number may be, and keeps a numerator below its denominator.
fn enlarge(command: &mut Command) {
    let Command::Submit(prepared) = command else { return };
    let submission = prepared.submission().clone();
    let mut observations: Vec<_> = submission.observations.iter().collect();
    let long = |decimal: Decimal, scale: u8| {
        // A remainder, so that little cancels.
        let digits = decimal.mantissa() * (Decimal::MANTISSA_MAX / 10_000) + decimal.mantissa() % 89;
        Decimal::new(digits, scale).unwrap()
    };
    for observation in &mut observations {
        observation.value.measure = observation.value.measure.map(|measure| match measure {
            Measure::Number(number) => Measure::Number(long(number, number.scale())),
            Measure::Ratio { numerator, denominator } => {
                Measure::Ratio { numerator, denominator: long(denominator, 0) }
            }
            Measure::Percentage { percent, base } => Measure::Percentage { percent, base: long(base, 6) },
            Measure::Mean { mean, count } => Measure::Mean { mean: long(mean, 0), count: long(count, 6) },
        });
    }
    *command = with(&submission, observations);
}

#[test]
fn the_service_answers_as_the_model_does() {
    let (mut values, mut built, mut changes) = (0_usize, 0_usize, 0_usize);
    let mut asked = 0_usize;
    for seed in seeds(WORLDS) {
        let (history, mut world) = history(Random(seed));
        let lived = history.live();
        if lived.entries.is_empty() {
            continue;
        }
        for _ in 0..QUESTIONS {
            let question = world.question(&lived);
            if let Some(difference) = difference(&history, &question) {
                let smallest = smallest(history.clone(), &question);
                let left = self::difference(&smallest, &question).unwrap_or(difference);
                panic!("seed {seed}\n{}\n{question:#?}\n{left}", read_out(&smallest));
            }
            asked += 1;
            for row in ask(&lived.state, &question).into_iter().flatten() {
                values += usize::from(row.figure.exact.is_some());
                built += usize::from(row.figure.exact.is_some() && row.figure.expected > 1);
                changes += usize::from(row.change.is_some_and(|change| change.difference.is_some()));
            }
        }
    }
    println!("{asked} questions, {values} values, {built} of several slots, {changes} changes");
    assert!(values * 2 > asked && built > 0 && changes > 0, "the worlds are too empty to show anything");
}

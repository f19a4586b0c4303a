//! The numbers as large as they come: each answer is exact, or says that it has too many digits.

use conspectus::model::decimal::Decimal;
use conspectus::model::observation::Measure;
use conspectus::rpc::proto::{AggregateRow, Gap};

use super::{keep, seeds};
use crate::answer::{Answer, Body, expected};
use crate::command::Command;
use crate::fixture::with;
use crate::service::Service;
use crate::world::{Random, history};

const WORLDS: u64 = 60;
const QUESTIONS: usize = 5;

#[test]
fn the_largest_numbers_are_exact_or_refused() {
    let (mut exact, mut refused) = (0_usize, 0_usize);
    for seed in seeds(WORLDS) {
        let (mut history, mut world) = history(Random(seed));
        history.commands.iter_mut().for_each(|(_, command)| enlarge(command));
        let lived = history.live();
        if lived.entries.is_empty() {
            continue;
        }
        let service = Service::of(lived.state.clone(), &lived.zone);
        for _ in 0..QUESTIONS {
            let question = world.question(&lived);
            let (found, expected) = (service.ask(&question), expected(&lived, &question));
            for (found, expected) in rows(found.map(keep::values)).into_iter().zip(rows(expected.map(keep::values))) {
                let figure = found.figure.as_ref().unwrap();
                if figure.gap() == Gap::TooLarge {
                    refused += 1;
                } else {
                    exact += usize::from(figure.value.is_some());
                    assert_eq!(found, expected, "seed {seed}\n{}\n{question:?}", history.read_out());
                }
            }
        }
    }
    println!("{exact} exact, {refused} refused");
    assert!(exact >= refused, "too many are refused");
}

fn rows(answer: Option<Answer>) -> Vec<AggregateRow> {
    match answer.map(|it| it.body) {
        Some(Body::Rows(rows)) => rows,
        None => vec![],
        Some(_) => unreachable!("rows were asked for"),
    }
}

/// Makes every number as long as a number may be, and keeps a numerator below its denominator.
fn enlarge(command: &mut Command) {
    let Command::Submit(prepared) = command else { return };
    let submission = prepared.submission().clone();
    let mut observations: Vec<_> = submission.observations.iter().collect();
    let long = |decimal: Decimal, scale: u8| {
        // A remainder, so that little cancels.
        let digits = decimal.mantissa() % 10_000 * (Decimal::MANTISSA_MAX / 10_000) + decimal.mantissa() % 89;
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

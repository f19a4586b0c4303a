//! The aspects, in the order of the page.

use super::{agree, keep, seeds};
use crate::answer::{Answer, Body};
use crate::command::Command;
use crate::model::question::{AsOf, QueryQuestion, Question};
use crate::model::sight::Sight;
use crate::world::{Lived, Random, World, corrected, history};

const WORLDS: u64 = 120;

#[test]
fn instants_are_as_the_model_says() {
    let ask = |world: &mut World, lived: &Lived| {
        let question = world.question(lived);
        match question.as_of {
            AsOf::Now => Question { as_of: AsOf::Revision(lived.entries.len()), ..question },
            AsOf::Revision(_) | AsOf::Time(_) => question,
        }
    };
    agree(WORLDS, ask, keep::instants, |answer| keep::any(answer, |_| true));
}

#[test]
fn rows_are_as_the_model_says() {
    agree(WORLDS, World::question, keep::keys, |answer| keep::any(answer, |_| true));
}

#[test]
fn figures_are_as_the_model_says() {
    agree(2 * WORLDS, World::question, keep::values, keep::has_value);
}

#[test]
fn coverage_is_as_the_model_says() {
    agree(2 * WORLDS, World::question, keep::coverage, |answer| {
        keep::any(answer, |row| row.figure.as_ref().is_some_and(|it| it.coverage.as_ref().unwrap().expected > 1))
    });
}

#[test]
fn years_to_date_are_as_the_model_says() {
    let ask = |world: &mut World, lived: &Lived| world.about_rows(lived, |asked| asked.year_to_date = true);
    let keep = |answer| keep::rows(answer, |row| row);
    agree(WORLDS, ask, keep, keep::has_value);
}

#[test]
fn changes_are_as_the_model_says() {
    agree(WORLDS, World::question, keep::changes, |answer| {
        keep::any(answer, |row| row.change.as_ref().is_some_and(|change| change.difference.is_some()))
    });
}

fn of_areas(change: impl Fn(&mut QueryQuestion) + Copy) -> impl Fn(&mut World, &Lived) -> Question {
    move |world, lived| world.about_areas(lived, change)
}

#[test]
fn breakdown_rows_are_as_the_model_says() {
    let ask = of_areas(|asked| {
        asked.by_dimension = Some("sex".parse().unwrap());
        asked.breakdown = "".parse().unwrap();
    });
    agree(WORLDS, ask, |answer| keep::rows(answer, |row| row), keep::has_value);
}

#[test]
fn rates_are_as_the_model_says() {
    let ask = of_areas(|asked| asked.rate = true);
    agree(2 * WORLDS, ask, keep::rates, |answer| {
        keep::any(answer, |row| row.rate.as_ref().is_some_and(|rate| rate.value.is_some()))
    });
}

#[test]
fn shares_are_as_the_model_says() {
    let ask = of_areas(|asked| asked.share = true);
    agree(WORLDS, ask, keep::shares, |answer| {
        keep::any(answer, |row| row.share.as_ref().is_some_and(|share| share.percent.is_some()))
    });
}

#[test]
fn ranks_are_as_the_model_says() {
    let ask = |world: &mut World, lived: &Lived| {
        let rate = world.random.percent(30);
        world.about_areas(lived, |asked| (asked.rank, asked.rate) = (true, rate))
    };
    agree(2 * WORLDS, ask, keep::ranks, |answer| {
        keep::any(answer, |row| row.rank.as_ref().is_some_and(|rank| rank.rank > 0))
    });
}

#[test]
fn benchmarks_are_as_the_model_says() {
    let ask = |world: &mut World, lived: &Lived| {
        let rate = world.random.percent(60);
        let group = if world.random.percent(50) { vec!["P"] } else { vec!["U1", "U2"] };
        world.about_areas(lived, |asked| {
            asked.rate = rate;
            asked.benchmark_areas = group.iter().map(|code| code.parse().unwrap()).collect();
        })
    };
    agree(2 * WORLDS, ask, keep::benchmarks, |answer| {
        keep::any(answer, |row| row.benchmark.as_ref().is_some_and(|it| it.value.is_some()))
    });
}

#[test]
fn discrepancies_are_as_the_model_says() {
    agree(2 * WORLDS, World::question, keep::discrepancies, |answer| {
        keep::any(answer, |row| row.figure.as_ref().is_some_and(|it| !it.discrepancies.is_empty()))
    });
}

#[test]
fn explanations_are_as_the_model_says() {
    agree(
        WORLDS,
        World::about_explanation,
        keep::contributions,
        |answer| matches!(&answer.body, Body::Explanation(it) if !it.contributions.is_empty()),
    );
}

#[test]
fn histories_are_as_the_model_says() {
    agree(
        WORLDS,
        World::about_history,
        |answer: Answer| Answer { as_of: None, ..answer },
        |answer| matches!(&answer.body, Body::History(items) if !items.is_empty()),
    );
}

#[test]
fn completeness_is_as_the_model_says() {
    agree(
        WORLDS,
        World::about_completeness,
        |answer: Answer| Answer { as_of: None, ..answer },
        |answer| matches!(&answer.body, Body::Completeness(it) if !it.slots.is_empty()),
    );
}

#[test]
fn reconciliation_is_as_the_model_says() {
    agree(
        WORLDS,
        World::about_reconciliation,
        |answer: Answer| Answer { as_of: None, ..answer },
        |answer| matches!(&answer.body, Body::Reconciliation(rows) if !rows.is_empty()),
    );
}

/// 2.2, 4.3: what is taken is of areas that are of its period, and of periods that are over, or to date.
#[test]
fn submissions_are_taken_as_the_model_says() {
    let (mut taken, mut refused) = (0, 0);
    for seed in seeds(8 * WORLDS) {
        let (history, _) = history(Random(seed));
        let history = corrected(seed, history);
        let mut lived = crate::world::History { commands: vec![], zone: history.zone.clone() }.live();
        for (at, command) in &history.commands {
            if let Command::Submit(prepared) = command {
                let sight = Sight::of(&lived.entries, lived.entries.len(), *at, &lived.zone);
                let submission = prepared.submission();
                if sight.knows(submission) {
                    let is_taken = command.admit(&lived.state, *at).is_ok();
                    let corrects = sight.refused_corrections(submission, prepared.locks()).is_empty();
                    let expected = corrects && sight.takes(submission);
                    assert_eq!(is_taken, expected, "seed {seed}\n{}\n{submission:#?}", history.read_out());
                    *(if is_taken { &mut taken } else { &mut refused }) += 1;
                }
            }
            lived.take(command, *at);
        }
    }
    println!("{taken} taken, {refused} refused");
    let is_whole = seeds(8 * WORLDS).end - seeds(8 * WORLDS).start >= 8 * WORLDS;
    assert!(!is_whole || refused > 3, "too few are refused");
}

//! The service and the model give the same answer to every question: one test an aspect of the answers.
//!
//! An aspect compares what its section of the page is about and nothing else, so that a failure names the rule.

mod aspects;
mod checks;
mod keep;
mod large;
mod returns;
mod shrink;
mod slots;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::answer::{Answer, Body, expected};
use crate::model::question::{AsOf, Question, What};
use crate::service::Service;
use crate::world::{History, Lived, Random, World, corrected, history};

const QUESTIONS: usize = 5;

/// How many worlds a property is tried on, and the first seed.
pub(crate) fn seeds(worlds: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let first = number("CONSPECTUS_SEED").unwrap_or(1);
    first..first + number("CONSPECTUS_CASES").unwrap_or(worlds)
}

/// Holds the service against the model on random worlds.
///
/// `keep` leaves of an answer what is compared; `shows` says whether it has something to compare.
fn agree(
    worlds: u64,
    ask: impl Fn(&mut World, &Lived) -> Question,
    keep: impl Fn(Answer) -> Answer,
    shows: impl Fn(&Answer) -> bool,
) {
    let (mut asked, mut shown) = (0_usize, 0_usize);
    for seed in seeds(worlds) {
        let (history, mut world) = history(Random(seed));
        let history = corrected(seed, history);
        let lived = history.live();
        if lived.entries.is_empty() {
            continue;
        }
        let service = Service::of(lived.state.clone(), &lived.zone);
        for _ in 0..QUESTIONS {
            let question = ask(&mut world, &lived);
            let expected = expected(&lived, &question).map(&keep);
            if let Some(found) = difference_of(&service, &question, expected.as_ref(), &keep) {
                let (smallest, question) = shrink::smallest(history.clone(), &question, |history, question| {
                    difference(history, question, &keep).is_some()
                });
                let left = self::difference(&smallest, &question, &keep).unwrap_or(found);
                panic!("seed {seed}\n{}\n{question:?}\n{left}", smallest.read_out());
            }
            asked += 1;
            shown += usize::from(expected.is_some_and(|expected| shows(&expected)));
        }
    }
    println!("{asked} questions, {shown} with something to show");
    assert!(asked < 100 || shown * 50 > asked, "the worlds are too empty to show anything: {shown} of {asked}");
}

/// What differs between the two answers; none when nothing does.
fn difference(history: &History, question: &Question, keep: impl Fn(Answer) -> Answer) -> Option<String> {
    let lived = history.live();
    if !is_about_what_is_there(&lived, question) {
        return None;
    }
    let expected = expected(&lived, question).map(&keep);
    difference_of(&Service::of(lived.state, &lived.zone), question, expected.as_ref(), keep)
}

fn difference_of(
    service: &Service,
    question: &Question,
    expected: Option<&Answer>,
    keep: impl Fn(Answer) -> Answer,
) -> Option<String> {
    let found = catch_unwind(AssertUnwindSafe(|| service.ask(question).map(&keep)));
    match found {
        Err(_) => Some("the service panicked".to_owned()),
        Ok(found) if found.as_ref() == expected => None,
        Ok(found) => Some(say(found.as_ref(), expected)),
    }
}

/// A smaller history may lack what the question names.
fn is_about_what_is_there(lived: &Lived, question: &Question) -> bool {
    let newest = lived.entries.len();
    let revision = match question.as_of {
        AsOf::Now => newest,
        AsOf::Revision(revision) => revision,
        AsOf::Time(at) => lived.entries.iter().take_while(|entry| entry.at <= at).count(),
    };
    if newest == 0 || revision == 0 || revision > newest || question.now < lived.newest_at() {
        return false;
    }
    let sight = crate::answer::sight(lived, question).2;
    let (areas, indicators, agencies) = match &question.what {
        What::Picture(it) => (vec![&it.area], it.indicators.iter().collect(), vec![]),
        What::Query(it) => {
            let areas = it.areas.iter().chain(&it.benchmark_areas).collect();
            (areas, it.indicators.iter().collect::<Vec<_>>(), it.agencies.iter().collect())
        }
        What::Explain(it) => (vec![&it.area], vec![&it.indicator], it.agency.iter().collect()),
        What::History(it) => (vec![&it.area], vec![&it.indicator], vec![&it.agency]),
        What::Completeness(it) => (vec![&it.area], it.indicators.iter().collect(), it.agencies.iter().collect()),
        What::Reconcile(it) => (it.areas.iter().collect(), vec![], vec![]),
    };
    let ids = sight.indicator_ids();
    let has_dimension = match &question.what {
        What::Query(it) => it.by_dimension.is_none() && it.breakdown.is_total() || !sight.dimensions.is_empty(),
        What::Picture(_) | What::Explain(_) | What::History(_) | What::Completeness(_) | What::Reconcile(_) => {
            !sight.dimensions.is_empty()
        }
    };
    has_dimension
        && areas.iter().all(|code| sight.areas.iter().any(|area| area.code == **code))
        && indicators.iter().all(|id| ids.contains(*id))
        && agencies.iter().all(|id| sight.agencies.iter().any(|agency| agency.id == **id))
}

/// The first thing that differs, and the service's in full.
fn say(found: Option<&Answer>, expected: Option<&Answer>) -> String {
    let (Some(found), Some(expected)) = (found, expected) else {
        let says = |answer: Option<&Answer>| if answer.is_some() { "answers" } else { "refuses" };
        return format!("the service {}, the model {}", says(found), says(expected));
    };
    let (found, expected) = match (&found.body, &expected.body) {
        (Body::Rows(a), Body::Rows(b)) if a.len() == b.len() && found.as_of == expected.as_of => {
            let differing = a.iter().zip(b).find(|(a, b)| a != b);
            differing.map_or_else(|| (String::new(), String::new()), |(a, b)| (format!("{a:#?}"), format!("{b:#?}")))
        }
        _ => (format!("{found:#?}"), format!("{expected:#?}")),
    };
    // What isn't there isn't worth a line.
    let is_said =
        |line: &&str| ![": None,", ": \"\",", ": [],", ": false,", ": 0,"].iter().any(|end| line.ends_with(end));
    let short = |text: &str| text.lines().filter(is_said).map(|line| format!("{line}\n")).collect::<String>();
    let (found, expected) = (short(&found), short(&expected));
    let lines = found.lines().zip(expected.lines()).filter(|(a, b)| a != b).take(12);
    let differing: String = lines.map(|(a, b)| format!("  service {a}\n  model   {b}\n")).collect();
    let longest = found.lines().count().max(expected.lines().count());
    let both = if longest < 150 { format!("the service:\n{found}\nthe model:\n{expected}") } else { String::new() };
    format!("{differing}\n{both}")
}

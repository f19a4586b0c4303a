//! The smallest history that still fails.

use conspectus::catalogue::CataloguePut;
use conspectus::model::submission::Submission;

use crate::command::Command;
use crate::fixture::submit;
use crate::model::question::{AsOf, Question, What};
use crate::world::History;

/// The history, and the question, without what isn't needed for the failure: commands, then what is in them.
pub(super) fn smallest(
    mut history: History,
    question: &Question,
    fails: impl Fn(&History, &Question) -> bool,
) -> (History, Question) {
    let mut question = question.clone();
    loop {
        let before = format!("{history:?}{question:?}").len();
        for smaller in smaller_questions(&question) {
            if fails(&history, &smaller) {
                question = smaller;
            }
        }
        for at in (0..history.commands.len()).rev() {
            let mut smaller = history.clone();
            smaller.commands.remove(at);
            let asked = fewer_revisions(&question);
            if fails(&smaller, &question) {
                history = smaller;
            } else if let Some(asked) = asked.filter(|asked| fails(&smaller, asked)) {
                (history, question) = (smaller, asked);
            }
        }
        for at in 0..history.commands.len() {
            for item in (0..items(&history.commands[at].1)).rev() {
                let mut smaller = history.clone();
                without(&mut smaller.commands[at].1, item);
                if fails(&smaller, &question) {
                    history = smaller;
                }
            }
        }
        if format!("{history:?}{question:?}").len() == before {
            return (history, question);
        }
    }
}

fn fewer_revisions(question: &Question) -> Option<Question> {
    match question.as_of {
        AsOf::Revision(revision) if revision > 1 => {
            Some(Question { as_of: AsOf::Revision(revision - 1), ..question.clone() })
        }
        AsOf::Revision(_) | AsOf::Now | AsOf::Time(_) => None,
    }
}

fn smaller_questions(question: &Question) -> Vec<Question> {
    let mut all = vec![Question { as_of: AsOf::Now, ..question.clone() }];
    let mut with = |what: What| all.push(Question { what, ..question.clone() });
    match &question.what {
        What::Picture(asked) => {
            let mut simpler = asked.clone();
            simpler.comparison = None;
            with(What::Picture(simpler));
        }
        What::Query(asked) => {
            type Change = fn(&mut crate::model::question::QueryQuestion);
            let changes: [Change; 12] = [
                |it| it.comparison = None,
                |it| it.rate = false,
                |it| it.share = false,
                |it| it.rank = false,
                |it| it.by_dimension = None,
                |it| it.year_to_date = false,
                |it| it.agencies = vec![],
                |it| it.by_agency = false,
                |it| it.areas_now = false,
                |it| it.periods.truncate(1),
                |it| it.areas.truncate(1),
                |it| it.area_level = None,
            ];
            for change in changes {
                let mut simpler = asked.clone();
                change(&mut simpler);
                with(What::Query(simpler));
            }
        }
        What::Completeness(asked) => {
            for at in 0..asked.periods.len() {
                let mut simpler = asked.clone();
                simpler.periods.remove(at);
                if !simpler.periods.is_empty() {
                    with(What::Completeness(simpler));
                }
            }
        }
        What::Reconcile(asked) => {
            for at in 0..asked.areas.len() {
                let mut simpler = asked.clone();
                simpler.areas.remove(at);
                if !simpler.areas.is_empty() {
                    with(What::Reconcile(simpler));
                }
            }
        }
        What::Explain(_) | What::History(_) => {}
    }
    all.retain(|it| format!("{it:?}").len() < format!("{question:?}").len());
    all
}

fn lists(put: &CataloguePut) -> [usize; 6] {
    [
        put.areas.len(),
        put.agencies.len(),
        put.indicators.len(),
        put.dimensions.len(),
        put.reconciliation_rules.len(),
        put.agencies.iter().map(|it| it.areas.len()).sum(),
    ]
}

fn items(command: &Command) -> usize {
    match command {
        Command::PutCatalogue(put) => lists(put).iter().sum(),
        Command::Submit(prepared) => prepared.submission().observations.len(),
        Command::Withdraw(_) => 0,
    }
}

fn without(command: &mut Command, item: usize) {
    match command {
        Command::PutCatalogue(put) => {
            let mut item = item;
            for (list, length) in lists(put).into_iter().enumerate() {
                if item >= length {
                    item -= length;
                    continue;
                }
                match list {
                    0 => drop(put.areas.remove(item)),
                    1 => drop(put.agencies.remove(item)),
                    2 => drop(put.indicators.remove(item)),
                    3 => drop(put.dimensions.remove(item)),
                    4 => drop(put.reconciliation_rules.remove(item)),
                    _ => {
                        for agency in &mut put.agencies {
                            if item < agency.areas.len() {
                                agency.areas.remove(item);
                                return;
                            }
                            item -= agency.areas.len();
                        }
                    }
                }
                return;
            }
        }
        Command::Submit(prepared) => {
            let submission = prepared.submission();
            let mut observations: Vec<_> = submission.observations.iter().collect();
            observations.remove(item);
            let observations = observations.into_iter().collect();
            *command = submit(Submission { observations, ..Submission::clone(submission) });
        }
        Command::Withdraw(_) => {}
    }
}

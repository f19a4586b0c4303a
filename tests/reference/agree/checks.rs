//! The service's checks find what the model's do, at each submission of a random history.

use std::collections::BTreeMap;

use conspectus::intake::admit::{Command as _, Decision, Rejection};
use conspectus::intake::basis::Basis;
use conspectus::intake::checks::Findings;
use conspectus::intake::prepare::Prepared;
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::violation::{Violation, Violations};
use conspectus::model::zone::UTC;

use super::seeds;
use crate::answer::Body;
use crate::command::Command;
use crate::model::checks::Found;
use crate::model::corrections::Refused;
use crate::model::question::{AsOf, HistoryQuestion, Question, What};
use crate::model::sight::{Key, Sight};
use crate::random::Random;
use crate::service::Service;
use crate::world::{History, Lived, checked_history, corrected};

const WORLDS: u64 = 400;

/// What the service makes of a submission: its findings, or what refuses it.
fn of_service(prepared: &Prepared, lived: &Lived, at: Timestamp) -> Option<Result<Vec<Found>, Violations>> {
    match prepared.admit(&Basis::durable(&lived.state, at, &UTC)) {
        Ok(Decision::Accept(_, effect)) => Some(Ok(effect.findings.as_deref().map(found).unwrap_or_default())),
        Ok(Decision::Already(_)) => None,
        Err(Rejection::Invalid(violations)) => Some(Err(violations)),
        Err(other) => panic!("{other}"),
    }
}

fn found(findings: &Findings) -> Vec<Found> {
    let of = findings.kept.iter().map(|it| Found {
        line: usize::try_from(it.line).unwrap(),
        indicator: it.indicator.clone(),
        check: it.check.clone(),
        severity: it.severity.code(),
        explanation: it.explanation.clone(),
    });
    let mut found: Vec<Found> = of.collect();
    found.sort();
    found
}

fn line(violation: &Violation) -> usize {
    let (_, index) = violation.field.split_once('[').unwrap();
    index.split_once(']').unwrap().0.parse().unwrap()
}

/// The correction that a violation refuses, if it does.
fn correction(violation: &Violation) -> Option<Refused> {
    match (violation.field.as_str(), violation.description.as_str()) {
        ("reason", _) => Some(Refused::Unreasoned),
        (field, _) if field.ends_with(".withdraw") => Some(Refused::NeverWas(line(violation))),
        (_, what) if what.contains("which is locked for") => Some(Refused::Locked(line(violation))),
        _ => None,
    }
}

/// The lines and checks that violations name.
fn named(violations: &Violations) -> Vec<(usize, String)> {
    let of = violations.iter().filter(|it| correction(it).is_none()).map(|it| {
        let (_, check) = it.description.split_once("allowed by check `").unwrap();
        (line(it), check.split_once('`').unwrap().0.to_owned())
    });
    let mut named: Vec<_> = of.collect();
    named.sort();
    named
}

#[test]
fn submissions_are_checked_as_the_model_says() {
    let (mut counts, mut refusals, mut submissions) = (BTreeMap::<String, usize>::new(), 0, 0);
    for seed in seeds(WORLDS) {
        let history = corrected(seed, checked_history(seed));
        let mut lived = History { commands: vec![], zone: history.zone.clone() }.live();
        for (at, command) in &history.commands {
            if let Command::Submit(prepared) = command
                && let Some(answer) = of_service(prepared, &lived, *at).filter(is_of_checks)
            {
                let sight = Sight::of(&lived.entries, lived.entries.len(), *at, &lived.zone);
                let submission = prepared.submission();
                let say = || format!("seed {seed}\n{}\n{submission:#?}", history.read_out());
                let expected = sight.found_by_checks(submission);
                let refusing: Vec<_> = expected.iter().filter(|it| it.refuses()).collect();
                let corrections = sight.refused_corrections(submission, prepared.locks());
                match &answer {
                    Ok(found) => {
                        let is_as_expected = *found == expected && refusing.is_empty() && corrections.is_empty();
                        assert!(is_as_expected, "{found:#?}\nmodel {expected:#?}\n{}", say());
                    }
                    Err(violations) => {
                        let expected: Vec<_> = refusing.iter().map(|it| (it.line, it.check.to_string())).collect();
                        assert_eq!(named(violations), expected, "{}", say());
                        let mut found: Vec<Refused> = violations.iter().filter_map(correction).collect();
                        found.sort();
                        assert_eq!(found, corrections, "{}", say());
                        refusals += 1;
                        for it in corrections {
                            *counts.entry(format!("{it:?}").replace(char::is_numeric, "")).or_default() += 1;
                        }
                    }
                }
                // What is found out before the writer takes it is what the writer finds.
                let (it, locks) = (submission.as_ref().clone(), prepared.locks());
                let reviewed = Prepared::reviewed_for(it, &lived.state, UTC.date(*at), &UTC, locks);
                let admitted = match reviewed {
                    Ok(reviewed) => of_service(&reviewed, &lived, *at).unwrap(),
                    Err(violations) => Err(violations),
                };
                assert_eq!(admitted, answer, "{}", say());
                submissions += 1;
                for it in &expected {
                    let mut checks = sight.versions_of(&it.indicator).flat_map(|version| &version.checks);
                    let kind = checks.find(|check| check.id == it.check).map(|check| check.rule.kind());
                    *counts.entry(kind.unwrap().to_string()).or_default() += 1;
                }
            }
            lived.take(command, *at);
        }
    }
    println!("{submissions} submissions, {refusals} refused, found {counts:?}");
    let is_whole = seeds(WORLDS).end - seeds(WORLDS).start >= WORLDS;
    assert!(!is_whole || (counts.len() == 11 && counts.values().all(|count| *count > 10)), "{counts:?}");
}

/// A submission that is to be stored only over what its sender has seen is refused where one of its figures has changed
/// since, of which the history says so.
#[test]
fn what_has_changed_since_it_was_seen_is_not_stored_over() {
    let (mut stored, mut refused) = (0, 0);
    for seed in seeds(WORLDS) {
        let (history, mut random) = (corrected(seed, checked_history(seed)), Random(seed.rotate_left(16)));
        let mut lived = History { commands: vec![], zone: history.zone.clone() }.live();
        for (at, command) in &history.commands {
            if let Command::Submit(prepared) = command
                && let newest = lived.entries.len()
                && newest > 0
            {
                let seen = usize::try_from(random.between(1, newest.try_into().unwrap())).unwrap();
                let since = Revision(seen as u64);
                let basis = Basis::durable(&lived.state, *at, &UTC);
                let admitted = prepared.clone().unless_changed_since(since).admit(&basis);
                let sight = Sight::of(&lived.entries, newest, *at, &lived.zone);
                let has_changed = |key: &Key| {
                    sight.items.iter().any(|it| it.revision > seen && !it.leaves_the_same && it.key.is(key))
                };
                let submission = prepared.submission();
                let keys = submission.observations.iter().map(|it| Key::of(&submission.agency, &it));
                let (count, changed) = (submission.observations.len(), keys.filter(has_changed).count());
                match prepared.admit(&basis) {
                    Ok(Decision::Accept(..)) if changed > 0 => {
                        let expected = Err(Rejection::FiguresChanged { since, changed, count });
                        let say = || format!("seed {seed}, seen {seen}\n{}\n{submission:#?}", history.read_out());
                        assert_eq!(admitted, expected, "{}", say());
                        refused += 1;
                    }
                    // Received before, it changes nothing; and nothing else lets it pass.
                    otherwise => {
                        let is_held_back_first = otherwise.is_err() && changed > 0;
                        assert!(is_held_back_first || admitted == otherwise, "{admitted:?} {otherwise:?}");
                        stored += usize::from(otherwise.is_ok());
                    }
                }
            }
            lived.take(command, *at);
        }
    }
    println!("{stored} stored, {refused} refused");
    let is_whole = seeds(WORLDS).end - seeds(WORLDS).start >= WORLDS;
    assert!(!is_whole || (stored > 500 && refused > 50), "{stored} {refused}");
}

/// 20.18: the explanations of every figure at every change of it.
#[test]
fn explanations_stand_beside_the_values_that_the_model_says() {
    let (mut items, mut explained) = (0, 0);
    for seed in seeds(WORLDS / 2) {
        let history = corrected(seed, checked_history(seed));
        let lived = history.live();
        if lived.entries.is_empty() {
            continue;
        }
        let now = lived.newest_at();
        let sight = Sight::of(&lived.entries, lived.entries.len(), now, &lived.zone);
        let service = Service::of(lived.state, &lived.zone);
        for Key { agency, indicator, area, period, breakdown } in sight.figures.iter().map(|it| it.key.clone()) {
            let asked = HistoryQuestion { indicator, area, period, agency, breakdown };
            let question = Question { as_of: AsOf::Now, now, what: What::History(asked.clone()) };
            let answer = service.ask(&question).unwrap();
            let Body::History(found) = answer.body else { panic!("{question:?}") };
            assert_eq!(found, sight.history(&asked), "seed {seed}\n{}", history.read_out());
            items += found.len();
            explained += found.iter().filter(|it| !it.explanations.is_empty()).count();
        }
    }
    println!("{items} items, {explained} explained");
    assert!(items < 1_000 || explained * 10 > items, "{explained} of {items}");
}

/// Whether a submission is refused by nothing but checks, and for what it corrects.
fn is_of_checks(answer: &Result<Vec<Found>, Violations>) -> bool {
    answer.as_ref().err().is_none_or(|violations| {
        violations.iter().all(|it| correction(it).is_some() || it.description.contains("allowed by check"))
    })
}

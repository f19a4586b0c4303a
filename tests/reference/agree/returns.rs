//! Parts of returns are taken, and returns completed, as the model says, at each command of a random history.

use std::collections::BTreeMap;

use conspectus::access::Actor;
use conspectus::entry::{Body, Entry, ReturnCompletion, codec};
use conspectus::intake::admit::{Command as _, Decision, Rejection};
use conspectus::intake::basis::Basis;
use conspectus::intake::corrections::Locks;
use conspectus::intake::prepare::Prepared;
use conspectus::model::id::{AgencyId, ReturnId};
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::State;

use super::seeds;
use crate::command::Command;
use crate::random::Random;
use crate::returns::{MISTAKES, Return, Verdict};
use crate::world::{History, Lived, checked_history, corrected};

const WORLDS: u64 = 400;
const RETURNS: [&str; 2] = ["annual", "monthly"];

#[test]
fn returns_are_completed_as_the_model_says() {
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut count = |what| *counts.entry(what).or_default() += 1;
    for seed in seeds(WORLDS) {
        let (history, mut random) = (corrected(seed, checked_history(seed)), Random(seed.rotate_left(8)));
        let mut lived = History { commands: vec![], zone: history.zone.clone() }.live();
        let say = || format!("seed {seed}\n{}", history.read_out());
        for (at, command) in &history.commands {
            let mut command = command.clone();
            if let Command::Submit(prepared) = &mut command {
                let submission = prepared.submission().as_ref().clone();
                *prepared = of_return(submission, return_id(&mut random), prepared.locks());
                // Sometimes one is sent again that was received before, as it was or as a part of another return.
                let again = random.percent(20).then(|| received(&lived)).into_iter().flatten();
                let again: Vec<Prepared> = again
                    .map(|it| {
                        let return_id = if random.percent(50) { it.return_id.clone() } else { return_id(&mut random) };
                        of_return(it.clone(), return_id, Locks::Kept)
                    })
                    .collect();
                for prepared in again.iter().chain([&*prepared]) {
                    let (found, expected) = (taken(prepared, &lived.state, *at), expected(prepared, &lived, *at));
                    assert_eq!(found, expected, "{}\n{:#?}", say(), prepared.submission());
                    count(match &expected {
                        Err(Rejection::ReturnComplete { .. }) => "of a complete return",
                        Err(Rejection::RequestIdReused { .. }) => "received otherwise",
                        Ok(Some(_)) => "received before",
                        _ => "as any other",
                    });
                }
            }
            lived.take(&command, *at);
            if lived.entries.is_empty() || random.percent(40) {
                continue;
            }
            let completion = completion(&mut random, &lived);
            let at = Timestamp(lived.newest_at().0 + 1);
            let (found, expected) =
                (verdict(&lived.state, at, &completion), Verdict::after(&bodies(&lived), &completion));
            assert_eq!(found, expected, "{}\n{completion:#?}", say());
            count(match expected {
                Verdict::Completes => "completed",
                Verdict::Already(_) => "complete already",
                Verdict::NoSuchReturn => "not there",
                Verdict::Differs(_) => "different",
            });
            if found == Verdict::Completes {
                lived.apply(Entry { at, actor: Actor::default(), body: Body::ReturnCompletion(completion) });
            }
        }
        let read: Vec<_> = lived.entries.iter().map(|it| codec::decode(&codec::encode(it)).unwrap()).collect();
        let replayed = Lived::of(&read, &lived.zone);
        for _ in 0..4 {
            let completion = completion(&mut random, &lived);
            let at = Timestamp(replayed.newest_at().0 + 1);
            let expected = Verdict::after(&bodies(&lived), &completion);
            assert_eq!(verdict(&replayed.state, at, &completion), expected, "replayed {}\n{completion:#?}", say());
        }
    }
    println!("{counts:?}");
    let is_whole = seeds(WORLDS).end - seeds(WORLDS).start >= WORLDS;
    assert!(!is_whole || (counts.len() == 8 && counts.values().all(|count| *count > 50)), "{counts:?}");
}

fn return_id(random: &mut Random) -> Option<ReturnId> {
    random.percent(80).then(|| random.pick(&RETURNS).parse().unwrap())
}

fn of_return(submission: Submission, return_id: Option<ReturnId>, locks: Locks) -> Prepared {
    Prepared::new(Submission { return_id, ..submission }).under(locks)
}

fn received(lived: &Lived) -> impl Iterator<Item = &Submission> {
    lived.entries.iter().filter_map(|entry| {
        let Body::Submission { submission, .. } = &entry.body else { return None };
        Some(submission.as_ref())
    })
}

/// What a sender says of a return of any agency, now and then wrongly.
fn completion(random: &mut Random, lived: &Lived) -> ReturnCompletion {
    let mut agencies: Vec<AgencyId> = received(lived).map(|it| it.agency.clone()).collect();
    agencies.push("nobody".parse().unwrap());
    let (agency, return_id) = (random.pick(&agencies).clone(), random.pick(&RETURNS).parse().unwrap());
    let known = Return::after(&bodies(lived), &agency, &return_id);
    let mut manifest = known.map(|it| it.manifest).unwrap_or_default();
    if random.percent(30) {
        random.pick(&MISTAKES)(&mut manifest);
    }
    ReturnCompletion { agency, return_id, manifest }
}

fn bodies(lived: &Lived) -> Vec<&Body> {
    lived.entries.iter().map(|entry| &entry.body).collect()
}

fn verdict(state: &State, at: Timestamp, completion: &ReturnCompletion) -> Verdict {
    Verdict::of(&Basis::durable(state, at, &UTC), completion)
}

/// The revision at which the service received a submission before; none when it accepts it now.
fn taken(prepared: &Prepared, state: &State, at: Timestamp) -> Result<Option<Revision>, Rejection> {
    match prepared.admit(&Basis::durable(state, at, &UTC))? {
        Decision::Accept(..) => Ok(None),
        Decision::Already(revision) => Ok(Some(revision)),
    }
}

/// The same by the model: what is of no complete return is taken as if it were of none.
fn expected(prepared: &Prepared, lived: &Lived, at: Timestamp) -> Result<Option<Revision>, Rejection> {
    let submission = prepared.submission();
    let known = (1..).map(Revision).zip(&lived.entries).find_map(|(revision, entry)| {
        let Body::Submission { submission: it, .. } = &entry.body else { return None };
        ((&it.agency, &it.request_id) == (&submission.agency, &submission.request_id)).then_some((revision, it))
    });
    if let Some((revision, known)) = known {
        let request_id = submission.request_id.to_string();
        return if known == submission {
            Ok(Some(revision))
        } else {
            Err(Rejection::RequestIdReused { request_id, revision })
        };
    }
    if let Some(return_id) = &submission.return_id
        && let Some((revision, _)) =
            Return::after(&bodies(lived), &submission.agency, return_id).and_then(|it| it.completed)
    {
        return Err(Rejection::ReturnComplete { return_id: return_id.to_string(), revision });
    }
    taken(&of_return(submission.as_ref().clone(), None, prepared.locks()), &lived.state, at)
}

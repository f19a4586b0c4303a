//! A random history whose figures are corrected: withdrawn one by one, with reasons, after locks; and due on working days.

use conspectus::catalogue::items::Calendar;
use conspectus::entry::Withdrawal;
use conspectus::intake::admit::Withdraw;
use conspectus::intake::corrections::Locks;
use conspectus::intake::prepare::Prepared;
use conspectus::model::id::CalendarId;
use conspectus::model::observation::{Observation, Value};
use conspectus::model::submission::Submission;

use super::{History, Random, day};
use crate::command::Command;
use crate::model::sight::Key;

/// The same history with corrections, of a stream of its own.
pub(crate) fn corrected(seed: u64, mut history: History) -> History {
    let mut random = Random(seed.rotate_left(32));
    let calendar: CalendarId = "offices".parse().unwrap();
    let (locks, requires) = (random.percent(40), random.percent(40));
    let mut sent: Vec<Key> = Vec::new();
    for (_, command) in &mut history.commands {
        match command {
            Command::PutCatalogue(put) => {
                if !put.indicators.is_empty() {
                    put.calendars.push(offices(&mut random, &calendar));
                }
                for version in &mut put.indicators {
                    version.due_calendar = random.percent(50).then(|| calendar.clone());
                    version.lock_days = (locks && random.percent(60)).then(|| *random.pick(&[0, 5, 60, 300]));
                    version.correction_reason_required = requires && random.percent(60);
                }
            }
            Command::Submit(prepared) => {
                let submission = correcting(&mut random, prepared.submission(), &sent);
                sent.extend(submission.observations.iter().map(|it| Key::of(&submission.agency, &it)));
                *prepared = Prepared::new(submission).under(somebody(&mut random));
            }
            Command::Withdraw(Withdraw { withdrawal, locks }) => {
                *locks = somebody(&mut random);
                *withdrawal = Withdrawal { reason: reason(&mut random), ..withdrawal.clone() };
            }
        }
    }
    history
}

/// Some holidays in the years that worlds are about.
fn offices(random: &mut Random, id: &CalendarId) -> Calendar {
    let days: Vec<i32> = (0..1_000).collect();
    let holidays = random.some(&days, 10).into_iter().map(|it| day("2021-01-01").plus_days(it)).collect();
    Calendar { id: id.clone(), title: "Offices".to_owned(), source: String::new(), holidays }
}

fn somebody(random: &mut Random) -> Locks {
    if random.percent(60) { Locks::Lifted } else { Locks::Kept }
}

fn reason(random: &mut Random) -> String {
    (*random.pick(&["", "counted twice", "a late return"])).to_owned()
}

/// A submission some of whose figures are withdrawn, of those that were sent before; and now and then one that wasn't.
fn correcting(random: &mut Random, submission: &Submission, sent: &[Key]) -> Submission {
    let often = *random.pick(&[0, 20, 100]);
    let mut observations: Vec<Observation> = submission.observations.iter().collect();
    for it in &mut observations {
        let key = Key::of(&submission.agency, it);
        let was_sent = sent.iter().any(|sent| sent.is(&key));
        if random.percent(if was_sent { often } else { 1 }) {
            it.value = Value::WITHDRAWN;
        }
    }
    Submission { observations: observations.into_iter().collect(), reason: reason(random), ..submission.clone() }
}

//! Random small worlds: a history of commands and questions about it, each from a seed.
//!
//! They are small, so that things meet: a partnership of three upper tiers and some districts, three agencies, one
//! or two indicators and a population, most figures in one financial year, and numbers that often tie.

mod catalogue;
mod checks;
mod corrections;
mod figures;
mod questions;
mod read_out;

use conspectus::catalogue::items::{Agency, Area, IndicatorVersion};
use conspectus::entry::{Entry, Withdrawal};
use conspectus::model::date::Date;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::{UTC, Zone};
use conspectus::state::{Fold, State};

use crate::command::Command;
pub(crate) use crate::random::Random;
pub(crate) use checks::checked_history;
pub(crate) use corrections::corrected;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;
const SUBMISSIONS_MAX: usize = 12;

/// The commands of a history, each with the instant at which it is sent.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) commands: Vec<(Timestamp, Command)>,
    pub(crate) zone: Zone,
}

/// The entries that were admitted, and the state that they made.
pub(crate) struct Lived {
    pub(crate) entries: Vec<Entry>,
    fold: Fold,
    pub(crate) state: State,
    pub(crate) zone: Zone,
}

impl History {
    /// Admits and applies each command; those that are refused, or change nothing, are left out.
    pub(crate) fn live(&self) -> Lived {
        let mut lived = Lived::of(&[], &self.zone);
        for (at, command) in &self.commands {
            lived.take(command, *at);
        }
        lived
    }
}

impl Lived {
    /// Some entries, replayed.
    pub(crate) fn of(entries: &[Entry], zone: &Zone) -> Self {
        let mut fold = Fold::default();
        entries.iter().for_each(|entry| fold.apply(entry));
        Self { entries: entries.to_vec(), state: fold.state(), fold, zone: zone.clone() }
    }

    pub(crate) fn take(&mut self, command: &Command, at: Timestamp) {
        if let Ok(Some(entry)) = command.admit(&self.state, at) {
            self.apply(entry);
        }
    }

    pub(crate) fn apply(&mut self, entry: Entry) {
        self.fold.apply(&entry);
        self.state = self.fold.state();
        self.entries.push(entry);
    }

    /// The same state, which hasn't been asked anything.
    pub(crate) fn unasked(&mut self) -> State {
        self.fold.state()
    }

    pub(crate) fn newest_at(&self) -> Timestamp {
        self.entries[self.entries.len() - 1].at
    }
}

/// What a world is made of, as it is being made.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) zone: Zone,
    now: Timestamp,
    areas: Vec<Area>,
    agencies: Vec<Agency>,
    indicators: Vec<IndicatorVersion>,
    commands: Vec<(Timestamp, Command)>,
    sent: Vec<Submission>,
    requests: usize,
}

/// A random history.
pub(crate) fn history(random: Random) -> (History, World) {
    let mut world = World {
        random,
        zone: UTC.clone(),
        now: Timestamp(0),
        areas: Vec::new(),
        agencies: Vec::new(),
        indicators: Vec::new(),
        commands: Vec::new(),
        sent: Vec::new(),
        requests: 0,
    };
    world.begin();
    world.first_puts();
    if world.random.percent(60) {
        world.population();
    }
    for _ in 0..1 + world.random.below(SUBMISSIONS_MAX) {
        world.pass_time();
        match world.random.below(100) {
            0..54 => world.submission(),
            54..68 => world.population(),
            68..78 => world.again(),
            78..89 => world.withdrawal(),
            _ => world.catalogue_change(),
        }
    }
    (History { commands: std::mem::take(&mut world.commands), zone: world.zone.clone() }, world)
}

impl World {
    /// Most worlds begin when what they are about is over, some in the middle of it.
    fn begin(&mut self) {
        let days = if self.random.percent(70) { self.random.between(0, 200) } else { self.random.between(-330, 0) };
        let start = day("2022-05-01").plus_days(i32::try_from(days).unwrap());
        self.now = Timestamp(i64::from(start.days()) * DAY_MICROS + self.random.between(0, 23) * HOUR_MICROS);
    }

    fn pass_time(&mut self) {
        let hours = *self.random.pick(&[1, 1, 5, 24, 24, 100, 500, 1_000, 2_000]);
        self.now = self.now.plus_hours(hours);
    }

    fn today(&self) -> Date {
        self.zone.date(self.now)
    }

    fn send(&mut self, command: Command) {
        self.now = Timestamp(self.now.0 + 60_000_000);
        self.commands.push((self.now, command));
    }

    fn withdrawal(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let sent = self.random.pick(&self.sent).clone();
        let (agency, request_id) = (sent.agency.clone(), sent.request_id.clone());
        self.send(Command::Withdraw(Withdrawal { agency, request_id, reason: String::new() }.into()));
        // Sent again, sometimes later.
        if self.random.percent(40) {
            self.pass_time();
            self.requests += 1;
            let request_id = format!("r{}", self.requests).parse().unwrap();
            self.submit(Submission { request_id, ..sent });
        }
    }

    fn submit(&mut self, submission: Submission) {
        self.sent.push(submission.clone());
        self.send(crate::fixture::submit(submission));
    }
}

pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

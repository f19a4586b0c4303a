//! The world of a run: senders and readers around a writer, and what happens next, as the schedule decides.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Waker};

use conspectus::intake::timeline::Newest;
use conspectus::intake::writer::{Bounds, GroupBounds};
use conspectus::journal::{ChainHash, MemoryDisk};
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::state::State;

use crate::fixture::{INDICATORS, START};
use crate::life::Life;
use crate::log::Log;
use crate::met::{Met, Thing};
use crate::reader::Reader;
use crate::schedule::Schedule;
use crate::sender::Sender;

pub(crate) type Watcher = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct World {
    pub(crate) schedule: Schedule,
    pub(crate) trace: Vec<String>,
    pub(crate) wrong: Option<String>,
    pub(crate) met: Met,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) disk: MemoryDisk,
    pub(crate) bounds: Bounds,
    /// How often something goes wrong: once in so many times.
    pub(crate) fault_in: usize,
    /// What is durable.
    pub(crate) log: Log,
    /// A group of which it isn't known whether it is on the disk.
    pub(crate) in_doubt: Option<Vec<Vec<u8>>>,
    pub(crate) life: Option<Life>,
    /// Are woken, as others in other threads would be, when a state is published, and when nothing is under way.
    pub(crate) watchers: [Option<Watcher>; 2],
    pub(crate) senders: Vec<Sender>,
    pub(crate) readers: Vec<Reader>,
    /// Whether the schedule decides already: what is there first is put undisturbed.
    pub(crate) has_begun: bool,
    /// From here on everybody gets an answer, and nothing goes wrong.
    pub(crate) is_ending: bool,
    /// The process has died: what its threads still do isn't seen by anybody.
    pub(crate) is_dead: bool,
    /// An append has failed in this life.
    pub(crate) has_failed: bool,
    pub(crate) seen_published: Revision,
    pub(crate) seen_failure: bool,
    /// The version of the indicator that the first catalogue has, and whether there are figures from the first on.
    pub(crate) first_indicator: usize,
    pub(crate) has_first_figures: bool,
    /// The moments of this life, by which what was queued may have been decided on.
    pub(crate) moments: Vec<Moment>,
    /// What senders were answered, in all lives.
    pub(crate) receipts: Vec<(Revision, ChainHash)>,
    /// The instants that this life has answered as of, and the revision that each had.
    pub(crate) answered: Vec<(Timestamp, Revision)>,
}

/// What was so until something became durable, or the clock went on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// What was durable.
    pub(crate) newest: Revision,
    pub(crate) now: Timestamp,
    /// The latest that the clock had been.
    pub(crate) latest: Timestamp,
}

pub(crate) enum Act {
    Nothing,
    Write,
    /// The process is told to stop.
    Stop,
    End,
}

impl World {
    pub(crate) fn new(mut schedule: Schedule) -> Self {
        let senders = 1 + schedule.below(6);
        let readers = 1 + schedule.below(3);
        let pick = |schedule: &mut Schedule, from: &[usize]| from[schedule.below(from.len())];
        let commands = pick(&mut schedule, &[1_024, 3, 1, 2]);
        // A submission takes some 150 bytes.
        let bytes = pick(&mut schedule, &[1 << 20, 500, 200]);
        let queue_commands = pick(&mut schedule, &[64, 3, 1]);
        let fault_in = pick(&mut schedule, &[usize::from(u16::MAX), 12, 4]);
        let (first_indicator, has_first_figures) = (schedule.below(INDICATORS.len()), schedule.below(2) > 0);
        Self {
            schedule,
            trace: Vec::new(),
            wrong: None,
            met: Met::default(),
            clock: Arc::new(AtomicI64::new(START.0)),
            disk: MemoryDisk::new(),
            bounds: Bounds { queue_commands, group: GroupBounds { commands, bytes }, ..Bounds::default() },
            fault_in,
            log: Log::default(),
            in_doubt: None,
            life: None,
            watchers: [None, None],
            senders: (0..senders).map(|_| Sender::default()).collect(),
            readers: (0..readers).map(|_| Reader::default()).collect(),
            has_begun: false,
            is_ending: false,
            is_dead: false,
            has_failed: false,
            seen_published: Revision::ZERO,
            seen_failure: false,
            first_indicator,
            has_first_figures,
            moments: Vec::new(),
            receipts: Vec::new(),
            answered: Vec::new(),
        }
    }

    pub(crate) fn trace(&mut self, what: impl FnOnce() -> String) {
        if self.schedule.is_traced {
            self.trace.push(what());
        }
    }

    /// Something is wrong: the first that is counts.
    pub(crate) fn wrong(&mut self, what: String) {
        if self.wrong.is_none() {
            self.trace(|| format!("WRONG: {what}"));
            self.wrong = Some(what);
        }
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }

    pub(crate) fn clock(&self) -> impl Fn() -> Timestamp + Send + Sync + use<> {
        let clock = Arc::clone(&self.clock);
        move || Timestamp(clock.load(Ordering::Relaxed))
    }

    /// The newest state that is published.
    pub(crate) fn published(&self) -> Arc<State> {
        self.life.as_ref().map(|life| Arc::clone(&life.states.borrow())).unwrap_or_default()
    }

    /// What a read is answered from.
    pub(crate) fn newest(&self) -> Option<Newest> {
        let life = self.life.as_ref()?;
        Some(life.timeline.newest(&self.clock(), &life.states))
    }

    /// What happens next.
    pub(crate) fn act(&mut self, waker: &Waker) -> Act {
        const STEPS_MAX: usize = 120;
        self.check();
        if self.schedule.is_over() || self.met.of(Thing::Group) + self.schedule.made.len() / 4 > STEPS_MAX {
            return Act::End;
        }
        match self.schedule.below(16) {
            0..3 => return Act::Write,
            3..9 => self.somebody_sends(waker),
            9..13 => self.somebody_reads(Some(waker)),
            13 => self.pass_time(),
            14 => {
                if self.schedule.one_in(8) {
                    return Act::Stop;
                }
            }
            _ => {
                // A journal that has failed is opened again only by a new life.
                let times = if self.has_failed { 2 } else { 4 * self.fault_in };
                if self.schedule.one_in(times) {
                    self.die("between two groups");
                }
            }
        }
        Act::Nothing
    }

    fn somebody_sends(&mut self, waker: &Waker) {
        let at = self.schedule.below(self.senders.len());
        self.send(at, waker);
    }

    fn somebody_reads(&mut self, waker: Option<&Waker>) {
        let at = self.schedule.below(self.readers.len());
        self.read(at, waker);
    }

    fn pass_time(&mut self) {
        const HOUR: i64 = 3_600_000_000;
        let steps = [1, 5, 50, -3, -50, 3 * HOUR, -2 * HOUR, 24 * HOUR];
        let by = steps[self.schedule.below(steps.len())];
        let now = self.clock.fetch_add(by, Ordering::Relaxed) + by;
        self.trace(|| format!("the clock goes by {by} to {now}"));
        self.moment_begins();
    }

    /// Something has become durable, or the clock has gone on.
    pub(crate) fn moment_begins(&mut self) {
        let (newest, now) = (self.log.newest(), self.now());
        let latest = self.moments.last().map_or(now, |moment| moment.latest.max(now));
        self.moments.push(Moment { newest, now, latest });
    }

    /// Has somebody wait for the next state, and for what is under way to be settled.
    pub(crate) fn watch(&mut self, waker: &Waker) {
        let Some(life) = &self.life else { return };
        let (mut states, settled_states) = (life.states.clone(), life.states.clone());
        let (timeline, clock, now) = (life.timeline.clone(), self.clock(), self.now());
        states.mark_unchanged();
        let published: Watcher = Box::pin(async move { drop(states.changed().await) });
        let settled: Watcher = Box::pin(async move { timeline.settled(&clock, now, &settled_states).await });
        self.watchers = [published, settled].map(Some);
        for watcher in &mut self.watchers {
            watcher.take_if(|watcher| watcher.as_mut().poll(&mut Context::from_waker(waker)).is_ready());
        }
    }

    /// Others go on, or the process ends. Readers that wait, or would, go on only with a waker.
    pub(crate) fn interrupted(&mut self, when: &str, waker: &Waker, for_waiting: Option<&Waker>) {
        if !self.has_begun || self.is_dead || self.is_wrong() {
            return;
        }
        self.check();
        if self.is_ending {
            return;
        }
        let what = self.schedule.below(10);
        if what < 5 {
            return;
        }
        self.met.count(Thing::Interruption);
        self.trace(|| format!("meanwhile, {when}:"));
        match what {
            5 => self.somebody_sends(waker),
            6 | 7 => self.somebody_reads(for_waiting),
            8 => self.pass_time(),
            _ => {
                if self.schedule.one_in(self.fault_in) {
                    self.die(when);
                }
            }
        }
    }

    pub(crate) fn begin_end(&mut self) {
        self.trace(|| "from here on nothing goes wrong".to_owned());
        self.is_ending = true;
    }

    pub(crate) fn everybody_goes_on(&mut self, waker: &Waker) {
        for at in 0..self.senders.len() {
            self.send(at, waker);
        }
        for at in 0..self.readers.len() {
            self.read(at, Some(waker));
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        !self.senders.iter().any(Sender::is_open) && !self.readers.iter().any(Reader::is_waiting)
    }

    /// The whole history, as a last life has it.
    pub(crate) fn check_all(&mut self) {
        let state = self.published();
        for revision in 0..=self.log.newest().0 {
            self.check_seen(&state, Revision(revision));
        }
    }
}

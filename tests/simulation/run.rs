//! A run, from its first life to its last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use conspectus::entry::codec;
use conspectus::intake::prepare::Prepared;
use conspectus::intake::writer::Writer;
use conspectus::journal::{Journal, MemoryJournal};
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::Fold;

use crate::fixture;
use crate::journal::SimulatedJournal;
use crate::life::Life;
use crate::met::Met;
use crate::schedule::Schedule;
use crate::world::{Act, World};

/// How a run went.
pub(crate) struct Ran {
    /// What is wrong; none when nothing is.
    pub(crate) wrong: Option<String>,
    /// What happened, where that is asked for.
    pub(crate) trace: Vec<String>,
    pub(crate) decisions: Vec<u32>,
    pub(crate) met: Met,
}

/// A run. The writer runs outside of the world, so that the world can go on wherever the writer wakes somebody.
pub(crate) struct Simulation(Mutex<World>);

/// Whoever waits is woken at once, and may run before the writer goes on.
impl Wake for Simulation {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In which order a channel wakes those who wait for it is left to chance: none of them goes on meanwhile.
        self.interrupted("as somebody is woken", None);
    }
}

/// Runs a schedule to its end.
pub(crate) fn run(schedule: Schedule) -> Ran {
    let simulation = Arc::new(Simulation(Mutex::new(World::new(schedule))));
    let panicked = catch_unwind(AssertUnwindSafe(|| simulation.run())).err();
    let mut world = simulation.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(panic) = panicked {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.wrong(format!("a panic: {}", what.unwrap_or_default()));
    }
    // Who waits holds on to the simulation.
    (world.life, world.watchers) = (None, [None, None]);
    world.senders.clear();
    world.readers.clear();
    Ran {
        wrong: world.wrong.take(),
        trace: std::mem::take(&mut world.trace),
        decisions: std::mem::take(&mut world.schedule.made),
        met: world.met.clone(),
    }
}

impl Simulation {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Others may run here, or the process may end.
    pub(crate) fn interrupt(self: &Arc<Self>, when: &str) {
        self.interrupted(when, Some(&Waker::from(Arc::clone(self))));
    }

    /// Others may run here too when the state is published, and when nothing is under way any more.
    pub(crate) fn watch(self: &Arc<Self>) {
        self.world().watch(&Waker::from(Arc::clone(self)));
    }

    fn interrupted(self: &Arc<Self>, when: &str, for_waiting: Option<&Waker>) {
        // The world itself has woken somebody.
        let Ok(mut world) = self.0.try_lock() else { return };
        world.interrupted(when, &Waker::from(Arc::clone(self)), for_waiting);
    }

    fn run(self: &Arc<Self>) {
        let Some(mut writer) = self.open() else { return };
        self.put_first(&mut writer);
        let waker = Waker::from(Arc::clone(self));
        loop {
            let act = self.world().act(&waker);
            match act {
                Act::Nothing => {}
                Act::Write => self.write(&mut writer),
                Act::Stop => {
                    while writer.write_group() > 0 {}
                    self.world().stop(&waker);
                }
                Act::End => break,
            }
            if self.world().is_dead {
                drop(writer);
                let Some(opened) = self.open() else { return };
                writer = opened;
            }
            if self.world().is_wrong() {
                return;
            }
        }
        self.end(writer, &waker);
    }

    fn write(&self, writer: &mut Writer) {
        self.world().trace(|| "the writer takes what is queued".to_owned());
        writer.write_group();
        self.world().check();
    }

    /// A life of the process begins: it opens the journal, replays it, and starts a writer. None when that is wrong.
    fn open(self: &Arc<Self>) -> Option<Writer> {
        let (disk, clock, bounds) = self.world().begin_life();
        let inner = match MemoryJournal::open(&disk) {
            Ok(journal) => journal,
            Err(error) => {
                self.world().wrong(format!("the journal doesn't open: {error}"));
                return None;
            }
        };
        let (mut fold, mut found) = (Fold::default(), Vec::new());
        let scanned = inner.reader().scan(Revision::ZERO, &mut |stored| {
            fold.apply(&codec::decode(&stored.payload).unwrap());
            found.push(stored);
            Ok(())
        });
        let mut world = self.world();
        if let Err(error) = scanned {
            world.wrong(format!("the journal can't be read: {error}"));
        }
        world.recover(found, &fold.state());
        let (simulation, of_journal) = (Arc::clone(self), Arc::clone(self));
        let journal = SimulatedJournal { disk, inner, simulation: of_journal };
        let clock = move || {
            simulation.interrupt("as the writer asks for the time");
            Timestamp(clock.load(Ordering::Relaxed))
        };
        let (writer, handle) = Writer::new(Box::new(journal), fold, clock, UTC.clone(), bounds);
        let (states, timeline, failure) = (writer.published(), writer.timeline(), writer.failure());
        world.life = Some(Life { handle, states, timeline, failure });
        (!world.is_wrong()).then_some(writer)
    }

    /// Puts the first catalogue, and maybe the first figures, undisturbed.
    fn put_first(&self, writer: &mut Writer) {
        let (handle, indicator, has_figures) = {
            let world = self.world();
            (world.life.as_ref().unwrap().handle.clone(), world.first_indicator, world.has_first_figures)
        };
        put(writer, handle.write(fixture::catalogue(indicator)));
        if has_figures {
            put(writer, handle.write(Prepared::new(fixture::submission(fixture::FIRST))));
        }
        self.world().has_begun = true;
    }

    /// Everybody gets an answer; and then a last life finds everything.
    fn end(self: &Arc<Self>, mut writer: Writer, waker: &Waker) {
        self.world().begin_end();
        for _ in 0..100 {
            if self.world().has_failed {
                self.world().die("since its journal has failed");
                drop(writer);
                let Some(opened) = self.open() else { return };
                writer = opened;
            }
            self.world().everybody_goes_on(waker);
            self.write(&mut writer);
            if self.world().is_quiet() || self.world().is_wrong() {
                break;
            }
        }
        if !self.world().is_quiet() {
            // Where something is wrong already, that is why.
            self.world().wrong("somebody never gets an answer".to_owned());
        }
        if !self.world().is_wrong() {
            self.world().die("at the end");
            drop(writer);
            let Some(_writer) = self.open() else { return };
            self.world().check_all();
        }
    }
}

/// Has something written by itself.
fn put<T>(writer: &mut Writer, written: impl Future<Output = T>) {
    let (mut written, mut context) = (pin!(written), Context::from_waker(Waker::noop()));
    assert!(written.as_mut().poll(&mut context).is_pending());
    writer.write_group();
    assert!(written.as_mut().poll(&mut context).is_ready());
}

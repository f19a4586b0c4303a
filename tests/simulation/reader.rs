//! Those that read: each holds what it was answered from while writes go on, and asks the same again; or waits until
//! everything that was accepted by an instant is there.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use conspectus::access::{Caller, authenticate};
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::picture::answer;
use conspectus::picture::areas::Areas;
use conspectus::picture::change::ChangeRule;
use conspectus::picture::question::{AggregateQuery, Derived, QueryBreakdown};
use conspectus::state::State;
use conspectus::state::view::{AreasAsOf, View};

use crate::fixture::{self, AGENCIES, AREAS, IDENTITIES};
use crate::log::{Cell, Key, Seen};
use crate::world::World;

#[derive(Default)]
pub(crate) enum Reader {
    #[default]
    Nothing,
    /// A state that was the newest, as of a revision, and what was seen in it.
    Holds(Arc<State>, Revision, Seen),
    /// For the state as of an instant.
    Waits(Timestamp, Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Reader {
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waits(..))
    }
}

impl World {
    /// A reader goes one step on. It waits only with a waker.
    pub(crate) fn read(&mut self, at: usize, waker: Option<&Waker>) {
        match std::mem::take(&mut self.readers[at]) {
            Reader::Nothing if self.is_ending => {}
            Reader::Nothing => match self.schedule.below(6) {
                0..4 => self.readers[at] = self.look(),
                4 => {
                    if let Some(waker) = waker {
                        self.wait_for_instant(at, waker);
                    }
                }
                _ => self.look_back(),
            },
            Reader::Holds(state, as_of, before) => {
                self.trace(|| format!("reader {at} asks again as of revision {as_of} what it holds"));
                let seen = seen(&state, as_of, self.now());
                if seen != before {
                    self.wrong(format!("a view as of revision {as_of} has changed from {before:?} to {seen:?}"));
                }
                self.check_returns(&state);
                if self.schedule.below(3) > 0 {
                    self.readers[at] = Reader::Holds(state, as_of, before);
                }
            }
            Reader::Waits(wanted, waiting) => match waker {
                Some(waker) => self.wait_on(at, wanted, waiting, waker),
                None => self.readers[at] = Reader::Waits(wanted, waiting),
            },
        }
    }

    /// Looks at the newest state, as of its revision or an earlier one.
    fn look(&mut self) -> Reader {
        let Some(newest) = self.newest() else { return Reader::Nothing };
        let (state, at) = (newest.state, newest.at);
        self.trace(|| format!("a reader has revision {} as of {}", state.revision(), at.0));
        // What it has is everything that was accepted by the instant of the answer.
        self.check_instant(at, state.revision());
        self.answered.push((at, state.revision()));
        let keys: Vec<Key> = (0..IDENTITIES).map(|identity| key(&state, identity, self.now())).collect();
        let expected: Vec<Key> =
            (0..IDENTITIES).map(|it| self.log.key(state.revision(), &fixture::identity_id(it))).collect();
        if keys != expected {
            self.wrong(format!("at revision {} the keys are {keys:?}, not {expected:?}", state.revision()));
        }
        let back = if self.schedule.one_in(3) { self.schedule.below(8) as u64 } else { 0 };
        let as_of = Revision(state.revision().0.saturating_sub(back));
        self.check_returns(&state);
        let seen = self.check_seen(&state, as_of);
        Reader::Holds(state, as_of, seen)
    }

    /// Asks for what an earlier answer was of, as of its instant.
    fn look_back(&mut self) {
        let Some(count) = Some(self.answered.len()).filter(|count| *count > 0) else { return };
        let (at, revision) = self.answered[self.schedule.below(count)];
        let state = self.published();
        self.trace(|| format!("a reader asks again as of {}", at.0));
        let found = state.revision_at(at);
        if found != revision {
            self.wrong(format!("as of {} revision {revision} was answered, and now {found} is", at.0));
        }
    }

    fn wait_for_instant(&mut self, at: usize, waker: &Waker) {
        let wanted = Timestamp(self.now().0 - 2 + i64::try_from(self.schedule.below(5)).unwrap());
        let Some(life) = &self.life else { return };
        let (timeline, states, clock) = (life.timeline.clone(), life.states.clone(), self.clock());
        let waiting = Box::pin(async move { timeline.settled(&clock, wanted, &states).await });
        self.trace(|| format!("reader {at} waits for the state as of {}", wanted.0));
        self.wait_on(at, wanted, waiting, waker);
    }

    fn wait_on(
        &mut self,
        at: usize,
        wanted: Timestamp,
        mut waiting: Pin<Box<dyn Future<Output = ()> + Send>>,
        waker: &Waker,
    ) {
        if waiting.as_mut().poll(&mut Context::from_waker(waker)) == Poll::Pending {
            self.readers[at] = Reader::Waits(wanted, waiting);
            return;
        }
        let Some(newest) = self.newest() else { return };
        // The future is refused.
        if wanted <= newest.answered {
            let revision = newest.state.revision_at(wanted);
            self.trace(|| format!("reader {at} has revision {revision} as of {}", wanted.0));
            self.check_instant(wanted, revision);
            self.answered.push((wanted, revision));
            self.check_seen(&newest.state, revision);
        }
    }

    /// What a state shows as of a revision, which must be what the log has by then.
    pub(crate) fn check_seen(&mut self, state: &State, as_of: Revision) -> Seen {
        let seen = seen(state, as_of, self.now());
        let expected = self.log.seen(as_of, &AGENCIES.map(|id| id.parse().unwrap()));
        if seen != expected {
            self.wrong(format!("as of revision {as_of} there is {seen:?}, and there should be {expected:?}"));
        }
        seen
    }
}

/// Whether an identity's key is taken.
fn key(state: &State, identity: usize, now: Timestamp) -> Key {
    match fixture::with_key(identity, |credentials| authenticate(state.access(), credentials, now)) {
        Ok(Caller::Open | Caller::Local) => Key::NotNeeded,
        Ok(Caller::Known(_)) => Key::Accepted,
        Err(_) => Key::Refused,
    }
}

/// Everything that there is to see as of a revision.
fn seen(state: &State, as_of: Revision, now: Timestamp) -> Seen {
    let catalogue = state.catalogue_as_of(as_of);
    let Some((indicator, _)) = catalogue.indicator(&"cases".parse().unwrap()) else { return Seen::default() };
    let agencies = AGENCIES.iter().filter_map(|id| catalogue.agency(&id.parse().unwrap()));
    let agencies = agencies.map(|(_, agency)| agency.clone()).collect();
    let areas = AREAS.iter().map(|code| catalogue.area(&code.parse().unwrap()).unwrap().0).collect();
    let view = state.view(&catalogue, as_of, &UTC, UTC.date(now), AreasAsOf::Then);
    let apart = AggregateQuery {
        indicators: vec![indicator],
        areas: Areas::listed(areas),
        agencies: None,
        periods: fixture::periods(),
        breakdowns: vec![QueryBreakdown::TOTAL],
        by_indicator: true,
        by_area: true,
        by_agency: true,
        by_period: true,
        change: ChangeRule::default(),
        year_to_date: false,
        derived: Derived::default(),
    };
    let together = AggregateQuery { by_area: false, by_agency: false, by_period: false, ..apart.clone() };
    let figures = rows(view, &apart).into_iter().map(|(cell, value)| (cell.expect("all are kept apart"), value));
    let figures = figures.collect();
    Seen { agencies, figures, total: rows(view, &together).into_iter().next().map(|(_, value)| value) }
}

type Row = (Option<Cell>, String);

fn rows(view: View<'_>, query: &AggregateQuery) -> Vec<Row> {
    let rows = answer::aggregate(view, query).into_iter().filter_map(|row| {
        let cell = row.agency.zip(row.area).zip(row.period).map(|((agency, area), period)| {
            let catalogue = view.catalogue;
            (catalogue.agency_at(agency).id.clone(), catalogue.area_at(area).code.clone(), period)
        });
        Some((cell, row.figure.value.ok()?.rounded.to_string()))
    });
    rows.collect()
}

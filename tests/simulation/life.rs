//! The lives of the process: how one ends, and what the next must find.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::task::Waker;

use conspectus::entry::codec;
use conspectus::intake::timeline::Timeline;
use conspectus::intake::writer::{Bounds, Handle};
use conspectus::journal::{MemoryDisk, Stored};
use conspectus::state::State;
use tokio::sync::watch;

use crate::log::Logged;
use crate::met::Thing;
use crate::reader::Reader;
use crate::sender::Sender;
use crate::world::World;

/// What a life of the process offers to senders and readers.
pub(crate) struct Life {
    pub(crate) handle: Handle,
    pub(crate) states: watch::Receiver<Arc<State>>,
    pub(crate) timeline: Timeline,
    pub(crate) failure: watch::Receiver<Option<String>>,
}

impl World {
    pub(crate) fn die(&mut self, when: &str) {
        self.trace(|| format!("the process dies {when}"));
        self.is_dead = true;
        self.met.count(Thing::Death);
    }

    /// The process has stopped as it should: everybody has an answer.
    pub(crate) fn stop(&mut self, waker: &Waker) {
        if self.is_dead {
            return;
        }
        self.check();
        for at in 0..self.senders.len() {
            if self.senders[at].is_waiting() {
                self.send(at, waker);
            }
        }
        self.trace(|| "the process stops".to_owned());
        self.met.count(Thing::Stop);
        self.is_dead = true;
    }

    pub(crate) fn begin_life(&mut self) -> (MemoryDisk, Arc<AtomicI64>, Bounds) {
        (self.life, self.watchers) = (None, [None, None]);
        self.senders.iter_mut().for_each(Sender::cut_off);
        self.readers.iter_mut().for_each(|reader| *reader = Reader::default());
        self.answered.clear();
        self.moments.clear();
        (self.has_failed, self.seen_failure, self.is_dead) = (false, false, false);
        (self.disk.clone(), Arc::clone(&self.clock), self.bounds)
    }

    /// What a new life finds must be what is durable, and of a group in doubt all or nothing.
    pub(crate) fn recover(&mut self, found: Vec<Stored>, state: &State) {
        self.trace(|| format!("a life begins with {} entries", found.len()));
        let durable = self.log.0.len();
        let is_same =
            |(logged, stored): (&Logged, &Stored)| logged.payload == stored.payload && logged.hash == stored.hash;
        if found.len() < durable || !self.log.0.iter().zip(&found).all(is_same) {
            self.wrong(format!("of {durable} durable entries some are lost or altered: {} are found", found.len()));
            return;
        }
        let more: Vec<Vec<u8>> = found[durable..].iter().map(|stored| stored.payload.clone()).collect();
        let in_doubt = self.in_doubt.take();
        if !more.is_empty() && Some(&more) != in_doubt.as_ref() {
            self.wrong(format!("{} entries are found that are no whole group in doubt", more.len()));
            return;
        }
        if !more.is_empty() {
            self.met.count(Thing::Kept);
        }
        let logged = found.into_iter().skip(durable).map(|Stored { hash, payload, .. }| {
            let entry = codec::decode(&payload).unwrap();
            Logged { hash, payload, entry }
        });
        self.log.0.extend(logged);
        self.check_logged(durable);
        self.moment_begins();
        if state.revision() != self.log.newest() {
            self.wrong(format!("replay ends at revision {}", state.revision()));
        }
        self.check_receipts(state);
        self.check_returns(state);
        self.check_seen(state, self.log.newest());
    }
}

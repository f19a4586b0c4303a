//! The journal as the writer has it: in memory, and around each append whatever may happen there.

use std::io;
use std::sync::Arc;

use conspectus::journal::{ChainHash, Error, Fault, Journal, MemoryDisk, MemoryJournal, Reader, Tail};
use conspectus::model::revision::Revision;

use crate::invariants::decode;
use crate::log::Logged;
use crate::met::Thing;
use crate::run::Simulation;
use crate::world::World;

/// What becomes of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stored,
    /// The disk is nearly full: a refusal that leaves no trace.
    NoRoom,
    /// The append fails.
    Fails(Fault),
    /// The process dies meanwhile, and this is left.
    Dies(Fault),
}

pub(crate) struct SimulatedJournal {
    pub(crate) disk: MemoryDisk,
    pub(crate) inner: MemoryJournal,
    pub(crate) simulation: Arc<Simulation>,
}

impl Journal for SimulatedJournal {
    fn tail(&self) -> Tail {
        self.inner.tail()
    }

    fn append(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Result<Vec<ChainHash>, Error> {
        let gone = || Error::Io { doing: "append".to_owned(), source: io::Error::other("the process is gone") };
        self.simulation.interrupt("before an append");
        self.simulation.watch();
        let Some(fate) = self.simulation.world().append_begins(after, payloads) else { return Err(gone()) };
        match fate {
            Fate::Stored => {}
            Fate::NoRoom => return Err(Error::NoRoom { bytes_free: 0, bytes_min: 1 }),
            Fate::Fails(fault) | Fate::Dies(fault) => self.disk.fail_append(1, fault),
        }
        let appended = self.inner.append(after, payloads);
        self.simulation.world().append_ends(fate, payloads, appended.as_ref().ok());
        self.simulation.interrupt("after an append");
        appended
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }
}

impl World {
    /// A group is about to be appended. Gives what becomes of that; none when the process is dead.
    pub(crate) fn append_begins(&mut self, after: Revision, payloads: &[Vec<u8>]) -> Option<Fate> {
        if self.is_dead {
            return None;
        }
        let entries = decode(payloads);
        self.trace(|| format!("{} entries are appended after revision {after}", entries.len()));
        if self.has_failed {
            self.wrong("an append is tried though one has failed".to_owned());
        }
        self.check_group(after, &entries);
        self.met.count(Thing::Group);
        let fate = self.fate();
        if fate != Fate::Stored {
            self.trace(|| format!("the append: {fate:?}"));
        }
        if fate == Fate::NoRoom {
            self.met.count(Thing::NoRoom);
        }
        Some(fate)
    }

    fn fate(&mut self) -> Fate {
        if !self.has_begun || self.is_ending || !self.schedule.one_in(self.fault_in) {
            return Fate::Stored;
        }
        let fault = [Fault::BeforeStoring, Fault::Torn, Fault::AfterStoring][self.schedule.below(3)];
        match self.schedule.below(3) {
            0 => Fate::NoRoom,
            1 => Fate::Fails(fault),
            _ => Fate::Dies(fault),
        }
    }

    /// An append has returned: its hashes when it is durable.
    pub(crate) fn append_ends(&mut self, fate: Fate, payloads: &[Vec<u8>], hashes: Option<&Vec<ChainHash>>) {
        if let Some(hashes) = hashes {
            let entries = decode(payloads).into_iter().zip(payloads).zip(hashes);
            let logged =
                entries.map(|((entry, payload), hash)| Logged { hash: *hash, payload: payload.clone(), entry });
            let durable = self.log.0.len();
            self.log.0.extend(logged);
            self.check_logged(durable);
            self.moment_begins();
        } else {
            self.in_doubt = Some(payloads.to_vec());
        }
        match fate {
            Fate::Stored | Fate::NoRoom => {}
            Fate::Fails(_) => {
                self.has_failed = true;
                self.met.count(Thing::Failure);
            }
            Fate::Dies(_) => self.die("during the append"),
        }
    }
}

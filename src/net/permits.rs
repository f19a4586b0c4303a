//! How many connections there may be, and which is evicted for another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::share::Share;
use crate::model::id::IdentityId;

/// Bounds of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many there may be in all.
    pub connections_max: usize,
    /// How many of one address.
    pub connections_of_address_max: usize,
    /// How many of one identity.
    pub connections_of_identity_max: usize,
    /// How many are kept for each identity, whatever others have.
    pub connections_kept_of_identity: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a connection may take to begin to speak HTTP.
    pub preface_timeout: Duration,
    /// How long a connection may stay without a call of a caller who is known.
    pub unknown_timeout: Duration,
}

impl Bounds {
    /// How identities share them, in all or of one address. A quarter is left to connections over which nobody
    /// who is known has called yet: only there can somebody new begin.
    fn share(&self, connections_max: usize) -> Share {
        Share {
            max: connections_max - connections_max / 4,
            of_identity_max: self.connections_of_identity_max,
            kept: self.connections_kept_of_identity,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_of_address_max: 1_024,
            connections_of_identity_max: 256,
            connections_kept_of_identity: 4,
            handshake_timeout: Duration::from_secs(10),
            preface_timeout: Duration::from_secs(10),
            unknown_timeout: Duration::from_secs(60),
        }
    }
}

/// The connections that there are.
#[derive(Debug)]
pub(crate) struct Connections {
    bounds: Bounds,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of_address: BTreeMap<IpAddr, usize>,
    of_identity: BTreeMap<IdentityId, usize>,
    /// How many identities call over them; over a connection, several may. In all, and by address.
    claims: usize,
    claims_of_address: BTreeMap<IpAddr, usize>,
    /// The connections over which nobody who is known has called, the oldest first: its address, and how
    /// each is evicted.
    unknown: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    next: u64,
}

impl Counts {
    /// Evicts the oldest of the unknown, in all or of an address. None when everybody is known.
    fn evict(&mut self, of: Option<IpAddr>) -> Option<()> {
        let mut unknown = self.unknown.iter();
        let (&number, _) = unknown.find(|(_, (address, _))| of.is_none_or(|of| *address == of))?;
        let (_, oldest) = self.unknown.remove(&number)?;
        // One that is gone needs no eviction.
        let _ = oldest.send(());
        Some(())
    }
}

impl Connections {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, counts: Mutex::default() })
    }

    /// How many there are.
    pub(crate) fn in_all(&self) -> usize {
        self.counts().all
    }

    /// Over how many each identity calls.
    pub(crate) fn of_identities(&self) -> BTreeMap<IdentityId, usize> {
        self.counts().of_identity.clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit for a connection, unless there is none left, and what says that it is evicted.
    pub(super) fn permit(self: &Arc<Self>, address: IpAddr) -> Option<(ConnectionPermit, oneshot::Receiver<()>)> {
        let mut counts = self.counts();
        let of_address = counts.of_address.get(&address).copied().unwrap_or(0);
        if of_address >= self.bounds.connections_of_address_max {
            counts.evict(Some(address))?;
        } else if counts.all >= self.bounds.connections_max {
            counts.evict(None)?;
        }
        let (evict, evicted) = oneshot::channel();
        let number = counts.next;
        counts.next += 1;
        counts.unknown.insert(number, (address, evict));
        counts.all += 1;
        counts.of_address.insert(address, of_address + 1);
        let connections = Arc::clone(self);
        Some((ConnectionPermit { connections, number, address, identities: Mutex::default() }, evicted))
    }
}

/// A permit for one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    connections: Arc<Connections>,
    number: u64,
    address: IpAddr,
    identities: Mutex<BTreeSet<IdentityId>>,
}

impl ConnectionPermit {
    pub(super) fn bounds(&self) -> Bounds {
        self.connections.bounds
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    fn identities(&self) -> MutexGuard<'_, BTreeSet<IdentityId>> {
        self.identities.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an identity calls over the connection. False when it has too many connections.
    pub(super) fn claim(&self, identity: &IdentityId) -> bool {
        let mut identities = self.identities();
        if identities.contains(identity) {
            return true;
        }
        let (bounds, mut counts) = (self.connections.bounds, self.connections.counts());
        let held = counts.of_identity.get(identity).copied().unwrap_or(0);
        let of_address = counts.claims_of_address.get(&self.address).copied().unwrap_or(0);
        for (max, claims) in [(bounds.connections_max, counts.claims), (bounds.connections_of_address_max, of_address)]
        {
            if bounds.share(max).admit(claims, Some(held), 1).is_err() {
                return false;
            }
        }
        counts.claims += 1;
        counts.claims_of_address.insert(self.address, of_address + 1);
        counts.of_identity.insert(identity.clone(), held + 1);
        identities.insert(identity.clone());
        true
    }

    /// The connection isn't evicted from now on.
    pub(super) fn keep(&self) {
        self.connections.counts().unknown.remove(&self.number);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        fn less<K: Ord + Clone>(counts: &mut BTreeMap<K, usize>, key: &K) {
            match counts.get_mut(key) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => drop(counts.remove(key)),
                None => {}
            }
        }
        let mut counts = self.connections.counts();
        counts.all -= 1;
        counts.unknown.remove(&self.number);
        less(&mut counts.of_address, &self.address);
        for identity in self.identities().iter() {
            counts.claims -= 1;
            less(&mut counts.claims_of_address, &self.address);
            less(&mut counts.of_identity, identity);
        }
    }
}

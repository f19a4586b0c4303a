//! The network: connections are accepted, counted, made secret by TLS, and handed on once they have
//! begun to speak HTTP/2. One that is slow or silent until then, or that shows no credentials for a
//! while after, is closed. When there is no place for another, the one that has been there longest
//! without credentials makes way: so however many are held open, whoever has some gets in.

mod connection;
pub mod tls;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

pub use connection::Connection;
use connection::Stream;
use tls::Tls;

use crate::model::id::{CertificateUri, IdentityId};

/// Bounds of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many there may be in all.
    pub connections_max: usize,
    /// How many of one address.
    pub connections_of_address_max: usize,
    /// How many of one identity.
    pub connections_of_identity_max: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a connection may take to begin to speak HTTP/2.
    pub preface_timeout: Duration,
    /// How long a connection may stay without a call of a caller who is known.
    pub unknown_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_of_address_max: 1_024,
            connections_of_identity_max: 256,
            handshake_timeout: Duration::from_secs(10),
            preface_timeout: Duration::from_secs(10),
            unknown_timeout: Duration::from_secs(60),
        }
    }
}

/// The connections that there are.
#[derive(Debug)]
struct Connections {
    bounds: Bounds,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of_address: BTreeMap<IpAddr, usize>,
    of_identity: BTreeMap<IdentityId, usize>,
    /// The connections over which nobody who is known has called, the oldest first, and how each is told
    /// to make way.
    unknown: BTreeMap<u64, oneshot::Sender<()>>,
    next: u64,
}

impl Connections {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection, unless there is none, and how it is told to make way for another.
    fn place(self: &Arc<Self>, address: IpAddr) -> Option<(ConnectionPermit, oneshot::Receiver<()>)> {
        let mut counts = self.counts();
        let of_address = counts.of_address.get(&address).copied().unwrap_or(0);
        if of_address >= self.bounds.connections_of_address_max {
            return None;
        }
        if counts.all >= self.bounds.connections_max {
            let (_, oldest) = counts.unknown.pop_first()?;
            // One that is gone makes way anyway.
            let _ = oldest.send(());
        }
        let (make_way, told) = oneshot::channel();
        let number = counts.next;
        counts.next += 1;
        counts.unknown.insert(number, make_way);
        counts.all += 1;
        counts.of_address.insert(address, of_address + 1);
        Some((ConnectionPermit { connections: Arc::clone(self), number, address, identities: Mutex::default() }, told))
    }
}

/// A connection's place among them.
#[derive(Debug)]
struct ConnectionPermit {
    connections: Arc<Connections>,
    number: u64,
    address: IpAddr,
    identities: Mutex<BTreeSet<IdentityId>>,
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
        for identity in self.identities.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            less(&mut counts.of_identity, identity);
        }
    }
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: Option<tls::ClientCertificate>,
    known: AtomicBool,
    place: ConnectionPermit,
}

/// The certificate that a connection was made with is no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLongerGood;

impl Peer {
    /// Where it is.
    pub fn address(&self) -> IpAddr {
        self.0.place.address
    }

    /// The URI of its certificate, when it has shown one with exactly one URI.
    ///
    /// # Errors
    /// When the certificate is no longer good.
    pub fn certificate(&self) -> Result<Option<&CertificateUri>, NoLongerGood> {
        self.0.certificate.as_ref().map(|shown| shown.uri().ok_or(NoLongerGood)).transpose()
    }

    /// Notes that an identity calls over this connection. False when it has too many connections.
    #[must_use]
    pub fn claim(&self, identity: &IdentityId) -> bool {
        self.trust();
        let mut identities = self.0.place.identities.lock().unwrap_or_else(PoisonError::into_inner);
        if identities.contains(identity) {
            return true;
        }
        let connections = &self.0.place.connections;
        let mut counts = connections.counts();
        let count = counts.of_identity.entry(identity.clone()).or_default();
        if *count >= connections.bounds.connections_of_identity_max {
            return false;
        }
        *count += 1;
        identities.insert(identity.clone());
        true
    }

    /// Notes that somebody who may call does: the connection may stay.
    pub fn trust(&self) {
        if !self.0.known.swap(true, Ordering::Relaxed) {
            self.0.place.connections.counts().unknown.remove(&self.0.place.number);
        }
    }

    fn is_known(&self) -> bool {
        self.0.known.load(Ordering::Relaxed)
    }
}

/// Accepts connections, until what it gives is dropped.
pub fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    bounds: Bounds,
) -> ReceiverStream<Result<Connection, io::Error>> {
    /// Connections that wait to be taken over.
    const READY_MAX: usize = 64;
    /// How long it waits after the system could not give a connection, for want of descriptors say.
    const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
    let (ready, taken) = mpsc::channel(READY_MAX);
    let connections = Arc::new(Connections { bounds, counts: Mutex::default() });
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ready.closed() => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    // Above the bounds it is closed at once.
                    let Some((place, mut told)) = connections.place(canonical(address)) else { continue };
                    let (tls, ready) = (tls.clone(), ready.clone());
                    tokio::spawn(async move {
                        let opened = tokio::select! {
                            opened = open(stream, tls, place) => opened,
                            _ = &mut told => None,
                        };
                        if let Some(connection) = opened {
                            drop(ready.send(Ok(connection.unless(told))).await);
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted; trying again in a moment");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    ReceiverStream::new(taken)
}

/// An address of IPv4 that came by IPv6 is the one that it is.
fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

/// A connection, once it has shown that it speaks HTTP/2, in time.
async fn open(stream: TcpStream, tls: Option<Tls>, place: ConnectionPermit) -> Option<Connection> {
    let bounds = place.connections.bounds;
    // Small answers go out at once: held back by Nagle's algorithm, they wait for the caller's delayed
    // acknowledgement, some 40 ms.
    stream.set_nodelay(true).ok()?;
    let (stream, certificate) = match tls {
        None => (Stream::Plain(stream), None),
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls.server()).accept(stream);
            let stream = tokio::time::timeout(bounds.handshake_timeout, handshake).await.ok()?.ok()?;
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let certificate = tls::ClientCertificate::of(chain, &tls);
            (Stream::Tls(Box::new(stream)), certificate)
        }
    };
    let peer = Peer(Arc::new(Inner { certificate, known: AtomicBool::new(false), place }));
    let connection = Connection::new(stream, peer, bounds.unknown_timeout);
    tokio::time::timeout(bounds.preface_timeout, connection.begun()).await.ok()?.ok()
}

impl fmt::Display for NoLongerGood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is no longer good")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(connections_max: usize) -> Arc<Connections> {
        let bounds = Bounds {
            connections_max,
            connections_of_address_max: 2,
            connections_of_identity_max: 1,
            ..Bounds::default()
        };
        Arc::new(Connections { bounds, counts: Mutex::default() })
    }

    fn address(host: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, host])
    }

    fn peer(place: ConnectionPermit) -> Peer {
        Peer(Arc::new(Inner { certificate: None, known: AtomicBool::new(false), place }))
    }

    #[test]
    fn an_address_has_its_share_of_the_connections() {
        let connections = connections(10);
        let first = connections.place(address(1)).unwrap();
        let _second = connections.place(address(1)).unwrap();
        assert!(connections.place(address(1)).is_none());
        assert!(connections.place(address(2)).is_some());
        drop(first);
        assert!(connections.place(address(1)).is_some());
    }

    #[test]
    fn the_longest_unknown_makes_way_and_one_who_is_known_does_not() {
        let connections = connections(3);
        let (known, mut known_told) = connections.place(address(1)).unwrap();
        let (_older, mut older_told) = connections.place(address(2)).unwrap();
        let (_newer, mut newer_told) = connections.place(address(3)).unwrap();
        let known = peer(known);
        known.trust();
        let _new = connections.place(address(4)).unwrap();
        assert!(older_told.try_recv().is_ok());
        assert!(newer_told.try_recv().is_err() && known_told.try_recv().is_err());
        let _newest = connections.place(address(4)).unwrap();
        assert!(newer_told.try_recv().is_ok());
    }

    #[test]
    fn when_everybody_is_known_nobody_makes_way() {
        let connections = connections(1);
        let (place, _told) = connections.place(address(1)).unwrap();
        peer(place).trust();
        let (place, _told) = connections.place(address(1)).unwrap();
        let known = peer(place);
        known.trust();
        assert!(connections.place(address(2)).is_none());
    }

    #[test]
    fn an_identity_has_its_share_whatever_its_addresses() {
        let connections = connections(10);
        let id = IdentityId::parse("feed").unwrap();
        let [one, other] = [1, 2].map(|host| peer(connections.place(address(host)).unwrap().0));
        assert!(one.claim(&id) && one.claim(&id));
        assert!(!other.claim(&id));
        drop(one);
        assert!(other.claim(&id));
    }
}

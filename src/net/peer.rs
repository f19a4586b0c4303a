//! The other end of a connection.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::permits::ConnectionPermit;
use super::tls::ClientCertificate;
use crate::model::id::{CertificateUri, IdentityId};

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: Option<ClientCertificate>,
    tls: Option<&'static str>,
    known: AtomicBool,
    permit: ConnectionPermit,
}

/// The certificate that a connection was made with is no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoLongerGood;

impl fmt::Display for NoLongerGood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is no longer good")
    }
}

impl Peer {
    pub(super) fn new(
        certificate: Option<ClientCertificate>,
        tls: Option<&'static str>,
        permit: ConnectionPermit,
    ) -> Self {
        Self(Arc::new(Inner { certificate, tls, known: AtomicBool::new(false), permit }))
    }

    /// Where it is.
    pub(crate) fn address(&self) -> IpAddr {
        self.0.permit.address()
    }

    /// The version of TLS that the connection is encrypted by; none where it isn't.
    pub(crate) fn tls(&self) -> Option<&'static str> {
        self.0.tls
    }

    /// The URI of its certificate, when it has presented one with exactly one URI.
    ///
    /// # Errors
    /// When the certificate is no longer good.
    pub(crate) fn certificate(&self) -> Result<Option<&CertificateUri>, NoLongerGood> {
        self.0.certificate.as_ref().map(|certificate| certificate.uri().ok_or(NoLongerGood)).transpose()
    }

    /// Notes that an identity calls over this connection. False when it has too many connections: one over
    /// which nobody else has called stays unknown, and makes room for others.
    #[must_use]
    pub(crate) fn claim(&self, identity: &IdentityId) -> bool {
        let is_claimed = self.0.permit.claim(identity);
        if is_claimed {
            self.trust();
        }
        is_claimed
    }

    /// Notes that somebody who may call does: the connection may stay.
    pub(crate) fn trust(&self) {
        if !self.0.known.swap(true, Ordering::Relaxed) {
            self.0.permit.keep();
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.known.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::permits::{Bounds, Connections};
    use super::*;

    fn connections(connections_max: usize) -> Arc<Connections> {
        Connections::new(Bounds {
            connections_max,
            connections_of_address_max: 2,
            connections_of_identity_max: 1,
            connections_kept_of_identity: 1,
            ..Bounds::default()
        })
    }

    fn address(host: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, host])
    }

    fn peer(permit: ConnectionPermit) -> Peer {
        Peer::new(None, None, permit)
    }

    #[test]
    fn an_address_has_its_share_of_the_connections() {
        let connections = connections(10);
        let known = || {
            let (permit, _evicted) = connections.permit(address(1)).unwrap();
            let peer = peer(permit);
            peer.trust();
            peer
        };
        let (first, _second) = (known(), known());
        assert!(connections.permit(address(1)).is_none());
        assert!(connections.permit(address(2)).is_some());
        drop(first);
        let (_other, mut other_evicted) = connections.permit(address(2)).unwrap();
        let (_unknown, mut evicted) = connections.permit(address(1)).unwrap();
        // A newcomer takes the permit of the unknown of its own address, though another's is there longer.
        assert!(connections.permit(address(1)).is_some());
        assert!(evicted.try_recv().is_ok() && other_evicted.try_recv().is_err());
    }

    #[test]
    fn known_identities_leave_connections_to_newcomers_and_each_gets_its_first() {
        let bounds = Bounds { connections_of_identity_max: 8, connections_kept_of_identity: 1, ..Bounds::default() };
        for bounds in [Bounds { connections_max: 16, ..bounds }, Bounds { connections_of_address_max: 16, ..bounds }] {
            let connections = Connections::new(bounds);
            let mut held = Vec::new();
            let mut claims = |name: &str| {
                let id = IdentityId::parse(name).unwrap();
                let opened = (0..10).map_while(|_| connections.permit(address(1)));
                let peers = opened.map(|(permit, _)| peer(permit)).filter(|peer| peer.claim(&id));
                let claimed: Vec<_> = peers.collect();
                held.extend(claimed);
                held.len()
            };
            assert_eq!(claims("a"), 8);
            assert_eq!(claims("b"), 12, "three quarters of all");
            assert_eq!(claims("c"), 13, "the one that is kept for it");
            assert_eq!(claims("d"), 14);
        }
    }

    #[test]
    fn one_with_too_many_connections_holds_no_other() {
        let connections = connections(10);
        let id = IdentityId::parse("feed").unwrap();
        let (first, _evicted) = connections.permit(address(1)).unwrap();
        let first = peer(first);
        let (second, mut evicted) = connections.permit(address(1)).unwrap();
        let second = peer(second);
        assert!(first.claim(&id) && !second.claim(&id) && !second.is_known());
        assert!(connections.permit(address(1)).is_some(), "it makes room for a newcomer");
        assert!(evicted.try_recv().is_ok());
    }

    #[test]
    fn the_longest_unknown_is_evicted_and_one_who_is_known_is_not() {
        let connections = connections(3);
        let (known, mut known_evicted) = connections.permit(address(1)).unwrap();
        let (_older, mut older_evicted) = connections.permit(address(2)).unwrap();
        let (_newer, mut newer_evicted) = connections.permit(address(3)).unwrap();
        let known = peer(known);
        known.trust();
        let _new = connections.permit(address(4)).unwrap();
        assert!(older_evicted.try_recv().is_ok());
        assert!(newer_evicted.try_recv().is_err() && known_evicted.try_recv().is_err());
        let _newest = connections.permit(address(4)).unwrap();
        assert!(newer_evicted.try_recv().is_ok());
    }

    #[test]
    fn when_everybody_is_known_nobody_is_evicted() {
        let connections = connections(1);
        let (permit, _evicted) = connections.permit(address(1)).unwrap();
        peer(permit).trust();
        let (permit, _evicted) = connections.permit(address(1)).unwrap();
        let known = peer(permit);
        known.trust();
        assert!(connections.permit(address(2)).is_none());
    }

    #[test]
    fn an_identity_has_its_share_whatever_its_addresses() {
        let connections = connections(10);
        let id = IdentityId::parse("feed").unwrap();
        let [one, other] = [1, 2].map(|host| peer(connections.permit(address(host)).unwrap().0));
        assert!(one.claim(&id) && one.claim(&id));
        assert!(!other.claim(&id));
        drop(one);
        assert!(other.claim(&id));
    }

    #[test]
    fn what_known_identities_hold_is_given_back_with_their_connections() {
        let [a, b] = ["a", "b"].map(|name| IdentityId::parse(name).unwrap());
        for (connections_max, connections_of_address_max) in [(2, 8), (8, 2)] {
            let connections = Connections::new(Bounds {
                connections_max,
                connections_of_address_max,
                connections_kept_of_identity: 0,
                ..Bounds::default()
            });
            let known = |id: &IdentityId| {
                let peer = connections.permit(address(1)).map(|(permit, _)| peer(permit));
                peer.filter(|peer| peer.claim(id))
            };
            for _ in 0..3 {
                let held = [known(&a).unwrap(), known(&b).unwrap()];
                assert!(known(&a).is_none());
                drop(held);
            }
        }
    }
}

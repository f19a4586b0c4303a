//! From a listener to connections that speak HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ProtocolVersion;

use super::connection::{Connection, Stream};
use super::peer::Peer;
use super::permits::{ConnectionPermit, Connections};
use super::tls::{ClientCertificate, Tls};

/// Accepts connections, until what it gives is dropped.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    connections: Arc<Connections>,
) -> mpsc::Receiver<Connection> {
    /// Connections that wait to be taken over.
    const READY_MAX: usize = 64;
    /// How long it waits after the system could not give a connection, for want of descriptors say.
    const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
    let (ready, taken) = mpsc::channel(READY_MAX);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ready.closed() => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    // Above the bounds it is closed at once.
                    let Some((permit, mut evicted)) = connections.permit(canonical(address)) else { continue };
                    let (tls, ready) = (tls.clone(), ready.clone());
                    tokio::spawn(async move {
                        let opened = tokio::select! {
                            opened = open(stream, tls, permit) => opened,
                            _ = &mut evicted => None,
                        };
                        if let Some(connection) = opened {
                            drop(ready.send(connection.until(evicted)).await);
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
    taken
}

/// An address; one of IPv4 that arrived as IPv6, as IPv4.
fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

/// A connection, once its client has begun to speak, in time.
async fn open(stream: TcpStream, tls: Option<Tls>, permit: ConnectionPermit) -> Option<Connection> {
    let bounds = permit.bounds();
    // Small answers go out at once: held back by Nagle's algorithm, they wait for the caller's delayed
    // acknowledgement, some 40 ms.
    stream.set_nodelay(true).ok()?;
    let (stream, certificate, version) = match tls {
        None => (Stream::Plain(stream), None, None),
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls.server()).accept(stream);
            let stream = tokio::time::timeout(bounds.handshake_timeout, handshake).await.ok()?.ok()?;
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let certificate = ClientCertificate::of(chain, &tls);
            // No other is accepted.
            let is_newest = stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
            let version = if is_newest { "TLS 1.3" } else { "TLS 1.2" };
            (Stream::Tls(Box::new(stream)), certificate, Some(version))
        }
    };
    let connection = Connection::new(stream, Peer::new(certificate, version, permit), bounds.unknown_timeout);
    tokio::time::timeout(bounds.preface_timeout, connection.begun()).await.ok()?.ok()
}

//! Where a server is reached, and from when on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, watch};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// An address that a server owns.
#[derive(Debug)]
pub enum Listen {
    /// Nobody is connected to it yet: that begins once the server knows that it may serve there.
    Bound(TcpSocket),
    /// Connections are taken already, and wait until they may be served.
    Listening(TcpListener),
}

impl From<TcpListener> for Listen {
    fn from(listener: TcpListener) -> Self {
        Self::Listening(listener)
    }
}

impl Listen {
    /// Takes an address, so that nobody else does, without listening on it.
    ///
    /// # Errors
    /// When it can't be had.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A server that is started again takes over from connections that are still being closed.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self::Bound(socket))
    }

    /// The address.
    ///
    /// # Errors
    /// When the system doesn't know it any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Bound(socket) => socket.local_addr(),
            Self::Listening(listener) => listener.local_addr(),
        }
    }

    /// Listens.
    pub(super) fn listen(self) -> io::Result<TcpListener> {
        match self {
            Self::Bound(socket) => {
                let listener = socket.listen(BACKLOG)?;
                tracing::info!(address = %listener.local_addr()?, "listening");
                Ok(listener)
            }
            Self::Listening(listener) => Ok(listener),
        }
    }
}

/// What says when to listen. On this machine that is at once. A network address waits until there is an identity:
/// without one the server is open to anyone, and is refused there. That is known as soon as the replay of the journal
/// comes to the first, since identities are never deleted; so health is answered for the rest of it.
#[derive(Clone)]
pub(super) struct Start {
    /// Whether there is an identity.
    pub(super) found: watch::Receiver<bool>,
    /// The server is to stop.
    pub(super) stopping: watch::Receiver<bool>,
    /// The system doesn't let it listen.
    pub(super) failed: Arc<Notify>,
}

impl Start {
    /// Listens when it is time to; none when it never is.
    pub(super) async fn listen(mut self, at: Listen) -> io::Result<Option<TcpListener>> {
        if !at.local_addr()?.ip().is_loopback() {
            let is_found = tokio::select! {
                found = self.found.wait_for(|found| *found) => found.is_ok(),
                _ = self.stopping.wait_for(|stop| *stop) => false,
            };
            if !is_found {
                return Ok(None);
            }
        }
        at.listen().inspect_err(|_| self.failed.notify_one()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::task::Poll;

    use tokio::net::TcpStream;

    use super::*;

    const NETWORK: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

    fn start() -> (Start, watch::Sender<bool>, watch::Sender<bool>) {
        let ((identities, found), (stop, stopping)) = (watch::channel(false), watch::channel(false));
        (Start { found, stopping, failed: Arc::default() }, identities, stop)
    }

    /// An address, and the same as this machine reaches it.
    fn bind(ip: Ipv4Addr) -> (Listen, SocketAddr) {
        let at = Listen::bind((ip, 0).into()).unwrap();
        let port = at.local_addr().unwrap().port();
        (at, (Ipv4Addr::LOCALHOST, port).into())
    }

    #[tokio::test]
    async fn a_network_address_takes_connections_once_there_is_an_identity_and_this_machines_at_once() {
        let ((start, identities, _stop), (at, address)) = (start(), bind(NETWORK));
        let mut listening = Box::pin(start.listen(at));
        assert!(matches!(poll_once(&mut listening).await, Poll::Pending));
        TcpStream::connect(address).await.unwrap_err();
        identities.send_replace(true);
        let _listener = listening.await.unwrap().unwrap();
        TcpStream::connect(address).await.unwrap();

        let ((start, _identities, _stop), (at, address)) = (self::start(), bind(Ipv4Addr::LOCALHOST));
        let _listener = start.listen(at).await.unwrap().unwrap();
        TcpStream::connect(address).await.unwrap();
    }

    #[tokio::test]
    async fn a_network_address_is_given_up_when_the_server_stops_or_has_found_nobody() {
        let (start, _identities, stop) = start();
        stop.send_replace(true);
        assert!(start.listen(bind(NETWORK).0).await.unwrap().is_none());
        let (start, identities, _stop) = self::start();
        drop(identities);
        assert!(start.listen(bind(NETWORK).0).await.unwrap().is_none());
    }

    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))).await
    }
}

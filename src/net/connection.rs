//! One connection: bytes in and out, and who is at the other end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::peer::Peer;

/// What a client of HTTP/2 sends first. No request of HTTP/1.1 begins so.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bytes of a connection, encrypted or not.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    peer: Peer,
    /// What was read of its first bytes, and how many of those are handed on.
    first: [u8; PREFACE.len()],
    first_read: usize,
    handed_on: usize,
    /// When it is closed, unless somebody who is known has called by then.
    unknown_until: Option<Pin<Box<Sleep>>>,
    /// Says that it is evicted for another, as long as nobody who is known has called.
    evicted: Option<oneshot::Receiver<()>>,
}

impl Connection {
    pub(super) fn new(stream: Stream, peer: Peer, unknown_timeout: Duration) -> Self {
        let unknown_until = Some(Box::pin(tokio::time::sleep(unknown_timeout)));
        Self { stream, peer, first: [0; _], first_read: 0, handed_on: 0, unknown_until, evicted: None }
    }

    /// The connection, until it is evicted.
    pub(super) fn until(self, evicted: oneshot::Receiver<()>) -> Self {
        Self { evicted: Some(evicted), ..self }
    }

    /// The connection, once the client has begun to speak: all of the preface of HTTP/2, or what isn't that.
    pub(super) async fn begun(mut self) -> io::Result<Self> {
        while self.first_read < PREFACE.len() && PREFACE.starts_with(&self.first[..self.first_read]) {
            let rest = &mut self.first[self.first_read..];
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(rest).await?,
                Stream::Tls(stream) => stream.read(rest).await?,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.first_read += read;
        }
        Ok(self)
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Fails once the connection has been without a caller who is known for too long.
    fn poll_unknown(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(until) = &mut self.unknown_until else { return Ok(()) };
        if self.peer.is_known() {
            (self.unknown_until, self.evicted) = (None, None);
            return Ok(());
        }
        let evicted = self.evicted.as_mut().map_or(Poll::Pending, |evicted| Pin::new(evicted).poll(cx));
        if evicted.is_ready() || until.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        if connection.handed_on < connection.first_read {
            let first = &connection.first[connection.handed_on..connection.first_read];
            let now = &first[..first.len().min(buf.remaining())];
            buf.put_slice(now);
            connection.handed_on += now.len();
            return Poll::Ready(Ok(()));
        }
        connection.poll_unknown(cx)?;
        match &mut connection.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

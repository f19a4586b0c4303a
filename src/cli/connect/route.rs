//! The way to a server: a connection, to it or to a proxy that passes it on, and TLS over that.

use std::future::poll_fn;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::codegen::http::{Uri, uri};
use tower::Service;

use super::super::causes::root_cause;
use super::super::next_step::NextStep;
use super::proxy::{Proxy, is_this_machine};
use super::tls::{ALPN_HTTP2, Tls, no_http2};
use super::tunnel;
use super::unreachable::Unreachable;

/// How long it may take to find out whether a server that didn't answer speaks TLS.
const TLS_LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to a server, by whatever way.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a server.
pub(crate) enum Secured {
    /// Over TLS.
    Tls(Box<TlsStream<BufReader<TcpStream>>>),
    /// Without.
    Plain(BufReader<TcpStream>),
}

/// The way to a server.
#[derive(Clone)]
pub(crate) struct Route {
    /// The server's address, to name it.
    pub(super) server: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) proxy: Option<Proxy>,
    /// None for a server that is spoken to without TLS.
    pub(super) tls: Option<Tls>,
}

impl Route {
    /// Goes all of it.
    ///
    /// # Errors
    /// When the server isn't reached.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Unreachable> {
        let stream = self.pass_proxy(self.dial().await?).await?;
        match self.secure(stream).await? {
            Secured::Plain(stream) => Ok(Box::new(stream)),
            Secured::Tls(stream) => {
                self.check_http2(stream.get_ref().1.alpn_protocol())?;
                Ok(stream)
            }
        }
    }

    /// The host and the port that are connected to first.
    pub(crate) fn first_hop(&self) -> (&str, u16) {
        self.proxy.as_ref().map_or((&self.host, self.port), |proxy| (&proxy.host, proxy.port))
    }

    /// The proxy in between.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Whether it leads to this machine, without leaving it.
    pub(super) fn is_within_this_machine(&self) -> bool {
        self.proxy.is_none() && is_this_machine(&self.host)
    }

    /// Whether nobody else can read what is sent: it is encrypted, or stays on this machine.
    pub(super) fn is_private(&self) -> bool {
        self.tls.is_some() || self.is_within_this_machine()
    }

    /// The server, as a proxy and an error name it.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects to the server, or to the proxy.
    ///
    /// # Errors
    /// When there is no such host, or nothing answers there.
    pub(crate) async fn dial(&self) -> Result<TcpStream, Unreachable> {
        let (host, port) = self.first_hop();
        let dialled = async {
            let address = Uri::builder().scheme(uri::Scheme::HTTP).authority(format!("{host}:{port}"));
            let address = address.path_and_query("/").build().map_err(|error| error.to_string())?;
            // It tries a host's addresses of both kinds beside each other.
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|error| root_cause(&error).to_string())?;
            let connected = connector.call(address).await.map_err(|error| root_cause(&error).to_string())?;
            Ok(connected.into_inner())
        };
        dialled.await.map_err(|cause: String| match &self.proxy {
            Some(proxy) => Unreachable {
                message: format!("the proxy {proxy} doesn't answer: {cause}"),
                step: Some(NextStep::Proxy),
            },
            None => Unreachable {
                message: format!("no server answers at {}: {cause}", self.server),
                step: Some(if cfg!(feature = "server") && self.is_within_this_machine() {
                    NextStep::Serve
                } else {
                    NextStep::Doctor
                }),
            },
        })
    }

    /// That the server speaks TLS, where it is spoken to without and that breaks: it answers with an alert.
    pub(crate) async fn tls_instead(&self) -> Option<String> {
        const ALERT: u8 = 21;
        if self.tls.is_some() {
            return None;
        }
        let first = async {
            let mut stream = self.pass_proxy(self.dial().await.ok()?).await.ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.ok()?;
            stream.read_u8().await.ok()
        };
        let answer = tokio::time::timeout(TLS_LOOK_TIMEOUT, first).await.ok().flatten();
        (answer == Some(ALERT)).then(|| format!("the server at {} speaks TLS", self.server))
    }

    /// Has the proxy pass the connection on, if there is one.
    ///
    /// # Errors
    /// When it doesn't.
    pub(crate) async fn pass_proxy(&self, stream: TcpStream) -> Result<BufReader<TcpStream>, Unreachable> {
        let Some(proxy) = &self.proxy else { return Ok(BufReader::new(stream)) };
        let server = self.authority();
        let opened = tunnel::open(stream, proxy, &server).await;
        opened.map_err(|error| match &error {
            tunnel::Error::Refused(refusal) if refusal.wants_authentication() => wants_authentication(proxy, refusal),
            tunnel::Error::Refused(_) => Unreachable {
                message: format!("the proxy {proxy} doesn't connect to {server}: {error}"),
                step: Some(NextStep::ProxyRule),
            },
            tunnel::Error::Io(_) | tunnel::Error::Closed | tunnel::Error::NotHttp | tunnel::Error::TooLong => {
                Unreachable { message: format!("the proxy {proxy} failed: {error}"), step: Some(NextStep::Proxy) }
            }
        })
    }

    /// Secures a connection by TLS; gives it back as it is when the server is spoken to without.
    ///
    /// # Errors
    /// When the server doesn't speak TLS, isn't trusted, or isn't the one that is called.
    pub(crate) async fn secure(&self, stream: BufReader<TcpStream>) -> Result<Secured, Unreachable> {
        match &self.tls {
            Some(tls) => Ok(Secured::Tls(Box::new(tls.connect(&self.server, stream).await?))),
            None => Ok(Secured::Plain(stream)),
        }
    }

    /// Whether the server speaks HTTP/2, by the protocol that it has chosen over TLS.
    ///
    /// # Errors
    /// When it doesn't.
    pub(crate) fn check_http2(&self, protocol: Option<&[u8]>) -> Result<(), Unreachable> {
        if protocol == Some(ALPN_HTTP2) { Ok(()) } else { Err(no_http2(&self.server)) }
    }
}

/// A proxy that wants to know who is asking.
fn wants_authentication(proxy: &Proxy, refusal: &tunnel::Refusal) -> Unreachable {
    let (message, step) = match (refusal.takes_basic(), &proxy.authorization) {
        (true, None) => (format!("the proxy {proxy} wants a name and a password"), NextStep::ProxyPassword),
        (true, Some(_)) => {
            (format!("the proxy {proxy} doesn't accept this name and password"), NextStep::ProxyPassword)
        }
        (false, _) => {
            let schemes =
                if refusal.schemes.is_empty() { "nothing known".to_owned() } else { refusal.schemes.join(" or ") };
            (
                format!("the proxy {proxy} takes {schemes} to say who is asking, which conspectus can't do"),
                NextStep::Relay,
            )
        }
    };
    Unreachable { message, step: Some(step) }
}

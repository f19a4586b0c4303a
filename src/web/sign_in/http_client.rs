//! Requests to the provider: each on a connection of its own, bounded in time and size, over TLS unless the provider
//! is on this machine. Redirects aren't followed, so nothing leads the server elsewhere.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper_util::rt::TokioIo;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tonic::codegen::http::header::HOST;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::{HeaderValue, Request, Uri};

use crate::model::id::is_this_machine;

/// How long a request to the provider may take, with its connection.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is taken: lists of keys are a hundredth of it.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why the provider can't be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The address isn't one that is asked.
    #[error("{0} isn't an address over TLS")]
    Address(Uri),
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came over it isn't HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// It took too long.
    #[error("no answer within {} seconds", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    /// The answer is too long, or broke off.
    #[error("{0}")]
    Answer(String),
}

/// Asks the provider.
#[derive(Clone)]
pub(super) struct HttpClient(TlsConnector);

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient(..)")
    }
}

impl HttpClient {
    /// One that trusts the authorities that this machine does.
    pub(super) fn new() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!("an authority that this machine trusts can't be read: {error}");
        }
        let mut authorities = RootCertStore::empty();
        authorities.add_parsable_certificates(found.certs);
        Self::trusting(authorities)
    }

    fn trusting(authorities: RootCertStore) -> Self {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the ciphers of TLS 1.2 and 1.3")
            .with_root_certificates(authorities)
            .with_no_client_auth();
        Self(TlsConnector::from(Arc::new(config)))
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let (mut parts, body) = request.into_parts();
        let uri = std::mem::take(&mut parts.uri);
        let refused = || Error::Address(uri.clone());
        let authority = uri.authority().ok_or_else(refused)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_this_machine(authority.as_str()) => false,
            Some(_) | None => return Err(refused()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        parts.headers.insert(HOST, HeaderValue::try_from(authority.as_str()).map_err(|_| refused())?);
        parts.uri = Uri::from(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        let request = Request::from_parts(parts, Body::from(body));
        let stream = TcpStream::connect((host, port)).await?;
        if is_tls {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| refused())?;
            exchange(self.0.connect(name, stream).await?, request).await
        } else {
            exchange(stream, request).await
        }
    }
}

/// Sends a request over a connection, and receives its answer.
async fn exchange<S>(stream: S, request: Request<Body>) -> Result<HttpResponse, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let receive = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = to_bytes(Body::new(body), ANSWER_BYTES_MAX)
            .await
            .map_err(|error| Error::Answer(error.source().map_or_else(|| error.to_string(), ToString::to_string)))?;
        Ok(HttpResponse::from_parts(parts, body.to_vec()))
    };
    tokio::pin!(receive);
    // The connection brings the answer on for as long as somebody waits for it, and no longer.
    tokio::select! {
        biased;
        answer = &mut receive => answer,
        ended = connection => match ended {
            Ok(()) => receive.await,
            Err(error) => Err(error.into()),
        },
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            tokio::time::timeout(REQUEST_TIMEOUT, self.ask(request)).await.unwrap_or(Err(Error::Timeout))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;

    /// Answers one request with bytes, and says what was asked.
    async fn answered(answer: Vec<u8>) -> (Result<HttpResponse, Error>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4_096];
            let read = stream.read(&mut asked).await.unwrap();
            // Who has refused the answer may be gone.
            drop(stream.write_all(&answer).await);
            String::from_utf8(asked[..read].to_vec()).unwrap()
        });
        let client = HttpClient::trusting(RootCertStore::empty());
        let request = Request::get(format!("http://{address}/keys?a=b")).body(Vec::new()).unwrap();
        let answer = client.call(request).await;
        (answer, serving.await.unwrap())
    }

    #[tokio::test]
    async fn a_request_is_sent_and_its_answer_given_back() {
        let (answer, asked) =
            answered(b"HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 2\r\n\r\nok".into()).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (302, b"ok".as_slice()), "it isn't followed");
        assert!(asked.starts_with("GET /keys?a=b HTTP/1.1\r\nhost: 127.0.0.1:"), "{asked}");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_or_broken_off_or_no_http_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(ANSWER_BYTES_MAX + 1));
        assert_eq!(answered(long.into()).await.0.unwrap_err().to_string(), "length limit exceeded");
        let (broken, _) = answered(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok".into()).await;
        assert!(broken.is_err());
        let (junk, _) = answered(b"220 mail.example\r\n".into()).await;
        assert!(matches!(junk.unwrap_err(), Error::Http(_)));
    }

    #[tokio::test]
    async fn a_certificate_must_be_the_hosts_and_of_an_authority_that_is_trusted() {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                drop(stream.read(&mut [0; 4_096]).await);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await);
                drop(stream.shutdown().await);
            }
        });
        let mut authorities = RootCertStore::empty();
        authorities.add(cert.der().clone()).unwrap();
        let ask = async |authorities: &RootCertStore, host: &str| {
            let request = Request::get(format!("https://{host}:{port}/")).body(Vec::new()).unwrap();
            HttpClient::trusting(authorities.clone()).call(request).await.map(HttpResponse::into_body)
        };
        assert_eq!(ask(&authorities, "localhost").await.unwrap(), b"ok");
        for (authorities, host) in [(&authorities, "127.0.0.1"), (&RootCertStore::empty(), "localhost")] {
            let refused = ask(authorities, host).await.unwrap_err().to_string();
            assert!(refused.contains("invalid peer certificate"), "{refused}");
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_without_tls_but_on_this_machine() {
        let client = HttpClient::trusting(RootCertStore::empty());
        for other in ["http://192.0.2.1/keys", "http://localhost.example/", "ftp://localhost/", "/keys"] {
            let request = Request::get(other).body(Vec::new()).unwrap();
            assert!(matches!(client.call(request).await, Err(Error::Address(_))), "{other}");
        }
    }
}

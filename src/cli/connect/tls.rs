//! TLS to a server: whom it trusts, and in words why it doesn't.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError,
    InconsistentKeys, ProtocolVersion, RootCertStore, SignatureScheme,
};

use super::super::failure::Failure;
use super::super::next_step::NextStep;
use super::certificate::Certificate;
use super::unreachable::Unreachable;

/// The protocol that a server must speak over TLS.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// How a server is spoken to over TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    presented: Arc<Presented>,
    /// The file of the authority that is trusted; none when those of this machine are.
    authority: Option<PathBuf>,
}

impl Tls {
    /// TLS to a host, trusting the authority in a file, or else those that this machine trusts; with a certificate and
    /// its key, in files, to say who calls.
    ///
    /// # Errors
    /// When a file can't be read or used, or this machine trusts nobody.
    pub(super) fn new(host: &str, authority: Option<&Path>, own: Option<(&Path, &Path)>) -> Result<Self, Failure> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match authority {
            None => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(|error| {
                Failure::usage(format!("this machine's trusted authorities can't be read: {error}"))
                    .and_try(Some(NextStep::Authority))
            })?),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(in_file(path))?;
                }
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(in_file(path))?
            }
        };
        let presented = Arc::new(Presented { verifier, certificate: Mutex::default() });
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::clone(&presented) as _);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(in_file(key))?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| {
                    if error == TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) {
                        let certificate = certificate.display();
                        return in_file(key)(format!("the key isn't that of the certificate {certificate}"));
                    }
                    in_file(certificate)(error.to_string())
                })?
            }
        };
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        let no_host = |_| Failure::usage(format!("`{host}` isn't a host that a certificate can be for"));
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(host.to_owned()).map_err(no_host)?,
            presented,
            authority: authority.map(Path::to_owned),
        })
    }

    /// Whom it trusts.
    pub(crate) fn trusted(&self) -> String {
        match &self.authority {
            None => "the authorities that this machine trusts".to_owned(),
            Some(path) => format!("the authority in {}", path.display()),
        }
    }

    /// Secures a connection to the server at an address, which is for its errors.
    ///
    /// # Errors
    /// When the server doesn't speak TLS, isn't trusted, or isn't the one that is called.
    pub(super) async fn connect<S>(&self, server: &str, stream: S) -> Result<TlsStream<S>, Unreachable>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connected = self.connector.connect(self.name.clone(), stream).await;
        connected.map_err(|error| self.unreachable(server, &error))
    }

    fn unreachable(&self, server: &str, error: &io::Error) -> Unreachable {
        let plain = Some(NextStep::Plaintext);
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            // A server without TLS takes its beginning for nonsense: it answers with something else, or hangs up.
            None => {
                let hung_up = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof);
                let step = if hung_up { plain } else { Some(NextStep::Doctor) };
                Unreachable { message: format!("no server answers at {server}: {error}"), step }
            }
            Some(TlsError::InvalidMessage(_)) => {
                Unreachable { message: format!("TLS with {server} failed: {error}"), step: plain }
            }
            Some(TlsError::InvalidCertificate(why)) => {
                let certificate = self.presented.take();
                let (why, step) = self.untrusted(why, certificate.as_ref());
                Unreachable { message: format!("the certificate of {server} {why}"), step }
            }
            Some(TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)) => no_http2(server),
            Some(_) => {
                Unreachable { message: format!("TLS with {server} failed: {error}"), step: Some(NextStep::Doctor) }
            }
        }
    }

    /// Why a certificate isn't accepted, as the end of a sentence, and what helps.
    fn untrusted(&self, why: &CertificateError, certificate: Option<&Certificate>) -> (String, Option<NextStep>) {
        let is = |known: &[CertificateError]| known.contains(why);
        let Some(Certificate { subject, issuer, names, from, until }) = certificate else {
            return (format!("can't be read: {why}"), Some(NextStep::Authority));
        };
        // An authority of the same name, with another key, makes it a bad signature.
        if is(&[CertificateError::UnknownIssuer, CertificateError::BadSignature]) {
            let trusted = match &self.authority {
                None => "this machine doesn't trust".to_owned(),
                Some(path) => format!("isn't in {}", path.display()),
            };
            return (
                format!("({subject}) isn't trusted: it was issued by {issuer}, which {trusted}"),
                Some(NextStep::Authority),
            );
        }
        if is(&[CertificateError::Expired]) || matches!(why, CertificateError::ExpiredContext { .. }) {
            return (
                format!(
                    "({subject}) ended at {until}, by this machine's clock: if that is right, whoever runs the server has to renew it (docs/runbook.md, ConspectusCertificateEnded)"
                ),
                None,
            );
        }
        if is(&[CertificateError::NotValidYet]) || matches!(why, CertificateError::NotValidYetContext { .. }) {
            return (
                format!(
                    "({subject}) begins at {from}, by this machine's clock: if that is right, whoever runs the server has to wait with it, or get another"
                ),
                None,
            );
        }
        if is(&[CertificateError::NotValidForName]) || matches!(why, CertificateError::NotValidForNameContext { .. }) {
            let names = if names.is_empty() { "no host".to_owned() } else { names.join(", ") };
            return (format!("({subject}) is for {names}"), Some(NextStep::OtherHost));
        }
        (format!("({subject}, issued by {issuer}) isn't accepted: {why}"), Some(NextStep::Authority))
    }
}

/// What two sides have agreed on, and whom the server's certificate is of.
pub(crate) fn described(session: &ClientConnection) -> String {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        other => format!("{other:?}"),
    };
    let suite =
        session.negotiated_cipher_suite().map_or_else(String::new, |suite| format!(" with {:?}", suite.suite()));
    let certificate = session.peer_certificates().and_then(<[_]>::first).and_then(Certificate::read);
    let certificate = certificate.map_or_else(String::new, |certificate| format!("; {certificate}"));
    format!("{version}{suite}{certificate}")
}

/// A server, or something between, that speaks TLS and no HTTP/2.
pub(super) fn no_http2(server: &str) -> Unreachable {
    let message = format!(
        "{server} speaks TLS, but not HTTP/2, which gRPC needs: it is another server, or something between takes the connection apart"
    );
    Unreachable { message, step: Some(NextStep::Doctor) }
}

/// Keeps the certificate that a server presents, whatever is thought of it.
struct Presented {
    verifier: Arc<dyn ServerCertVerifier>,
    certificate: Mutex<Option<Certificate>>,
}

impl Presented {
    fn take(&self) -> Option<Certificate> {
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Presented {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Certificate::read(own);
        self.verifier.verify_server_cert(own, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::usage(format!("can't read {}: {error}", path.display())))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(in_file(path))?;
    if found.is_empty() {
        return Err(in_file(path)("there is no certificate in it, as PEM"));
    }
    Ok(found)
}

/// What is wrong with a file.
fn in_file<E: fmt::Display>(path: &Path) -> impl Fn(E) -> Failure {
    move |error| Failure::usage(format!("{}: {error}", path.display()))
}

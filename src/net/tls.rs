//! TLS: the server's certificate, and the client certificates that it takes.
//!
//! The files are read again every few seconds, and what changed in them counts for the next connection: no
//! restart, and no call fails. The certificate of an open connection is checked again with its calls,
//! so one that is revoked or has expired is refused within `CHECK_EVERY`. Files that can't be read
//! change nothing, and are logged as an error, once. A certificate that has ended, or soon will, is logged at the
//! start, when it is read again, and daily.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, watch};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use super::certificates::{Ends, sections};
pub use super::tls_version::{NotAVersion, Version};
use crate::metrics::{self, Registry};
use crate::model::id::CertificateUri;

/// How often the files are read again, by default.
pub(crate) const RELOAD_EVERY_DEFAULT: Duration = Duration::from_secs(10);
/// How long a certificate that was verified counts as valid, while the files stay the same.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// How often a certificate that has ended, or soon will, is logged again.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// What TLS is made of: PEM files of certificates, and the versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The oldest version that is accepted.
    pub min: Version,
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose client certificates are taken; none takes no client certificates.
    pub client_authorities: Option<PathBuf>,
    /// The authorities' lists of revoked certificates: one of each authority.
    pub client_revocations: Option<PathBuf>,
    /// How often the files are read again.
    pub reload_every: Duration,
}

impl Settings {
    /// Reads the files once, as a start does. What will soon end is logged.
    ///
    /// # Errors
    /// When they can't be used.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        load(self, 0).await.map(|loaded| loaded.warn_of_ends())
    }
}

/// Why TLS can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file isn't PEM of the right kind.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// TLS can't be set up at all.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The key is another certificate's.
    #[error("{} and {}: the key isn't that of the certificate", certificate.display(), key.display())]
    OtherKey {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
    },
    /// The certificate and its key can't be used together.
    #[error("{} and {}: {source}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// The authorities and their lists of revoked certificates don't match.
    #[error("client certificates: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

impl Error {
    /// What is wrong with a file.
    fn in_file<E: fmt::Display>(path: &Path) -> impl FnOnce(E) -> Self {
        move |error| Self::File { path: path.to_owned(), what: error.to_string() }
    }
}

/// What the next connection is made with.
struct Loaded {
    generation: u64,
    contents: Vec<Vec<u8>>,
    server: Arc<ServerConfig>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    /// When the certificates end, the server's and the authorities'.
    ends: Vec<Ends>,
}

impl Loaded {
    fn warn_of_ends(&self) {
        for warning in self.ends.iter().filter_map(|ends| ends.warning(SystemTime::now())) {
            tracing::warn!("{warning}");
        }
    }
}

/// The TLS of a server, kept up to date with its files for as long as it is there.
#[derive(Clone)]
pub(crate) struct Tls(watch::Receiver<Arc<Loaded>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files, and goes on reading them in a task of its own, at once when it is asked to.
    ///
    /// # Errors
    /// When they can't be used.
    pub(crate) async fn start(settings: Settings, asked: Arc<Notify>) -> Result<Self, Error> {
        let first = load(&settings, 0).await?;
        first.warn_of_ends();
        let (publish, current) = watch::channel(Arc::new(first));
        tokio::spawn(Reload::new(settings, publish).run(asked));
        Ok(Self(current))
    }

    /// Adds the metric of when certificates end.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let current = self.0.clone();
        metrics::gauge(
            registry,
            "conspectus_certificate_expiry_seconds",
            "How long until the first of the server's certificates and its clients' authorities ends; negative once it has",
            move || current.borrow().ends.iter().map(|ends| ends.seconds_left(SystemTime::now())).min(),
        );
    }

    /// The configuration of the next connection.
    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow().server)
    }
}

/// Reads the files again.
struct Reload {
    settings: Settings,
    publish: watch::Sender<Arc<Loaded>>,
    /// Whether it is logged that what is there can't be used.
    reported: bool,
    /// When it was last said which certificates end.
    reminded: Instant,
}

impl Reload {
    fn new(settings: Settings, publish: watch::Sender<Arc<Loaded>>) -> Self {
        Self { settings, publish, reported: false, reminded: Instant::now() }
    }

    async fn run(mut self, asked: Arc<Notify>) {
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(self.settings.reload_every) => false,
                () = asked.notified() => true,
                () = self.publish.closed() => return,
            };
            self.look(is_asked, Instant::now()).await;
        }
    }

    async fn look(&mut self, is_asked: bool, now: Instant) {
        let current = Arc::clone(&self.publish.borrow());
        if now.saturating_duration_since(self.reminded) >= REMIND_EVERY {
            self.reminded = now;
            current.warn_of_ends();
        }
        // Who asks is answered, also with what was reported before.
        self.reported &= !is_asked;
        match read(&self.settings).await {
            Ok(contents) if contents == current.contents => {
                self.reported = false;
                if is_asked {
                    tracing::info!("the certificates are read again: nothing has changed in them");
                }
            }
            Ok(_) | Err(_) => match load(&self.settings, current.generation + 1).await {
                Ok(loaded) => {
                    tracing::info!("the certificates are read again: what changed counts from now on");
                    loaded.warn_of_ends();
                    self.publish.send_replace(Arc::new(loaded));
                    self.reported = false;
                }
                // Files that are being replaced may not go together for a moment.
                Err(error) if !self.reported => {
                    tracing::error!(%error, "the certificates have changed and can't be used: the former ones still count");
                    self.reported = true;
                }
                Err(_) => {}
            },
        }
    }
}

/// The bytes of the files, in order.
async fn read(settings: &Settings) -> Result<Vec<Vec<u8>>, Error> {
    let Settings { certificate, key, client_authorities, client_revocations, .. } = settings;
    let paths = [Some(certificate), Some(key), client_authorities.as_ref(), client_revocations.as_ref()];
    let paths: Vec<PathBuf> = paths.into_iter().flatten().cloned().collect();
    let read = tokio::task::spawn_blocking(move || {
        let one = |path: &PathBuf| std::fs::read(path).map_err(|source| Error::Read { path: path.clone(), source });
        paths.iter().map(one).collect()
    });
    read.await.unwrap_or_else(|error| Err(Error::File { path: PathBuf::new(), what: error.to_string() }))
}

async fn load(settings: &Settings, generation: u64) -> Result<Loaded, Error> {
    let contents = read(settings).await?;
    let mut rest = contents.iter();
    let mut next = || rest.next().map(Vec::as_slice).unwrap_or_default();
    let provider = Arc::new(ring::default_provider());
    let chain: Vec<CertificateDer<'static>> =
        sections(next(), "certificate").map_err(Error::in_file(&settings.certificate))?;
    let key = PrivateKeyDer::from_pem_slice(next()).map_err(Error::in_file(&settings.key))?;
    let mut ends = Ends::of(&settings.certificate, &chain);
    let clients = match &settings.client_authorities {
        None => None,
        Some(path) => {
            let authorities: Vec<CertificateDer<'static>> =
                sections(next(), "certificate of an authority").map_err(Error::in_file(path))?;
            ends.extend(Ends::of(path, &authorities));
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority).map_err(Error::in_file(path))?;
            }
            let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            if let Some(path) = &settings.client_revocations {
                // Without a list nothing would count as revoked.
                let lists: Vec<CertificateRevocationListDer<'static>> =
                    sections(next(), "list of revoked certificates").map_err(Error::in_file(path))?;
                builder = builder.with_crls(lists);
            }
            // Who has no certificate may have a key.
            Some(builder.allow_unauthenticated().build()?)
        }
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(settings.min.and_newer())?;
    let builder = match &clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
    };
    let Settings { certificate, key: key_path, .. } = settings.clone();
    let mut server = builder.with_single_cert(chain, key).map_err(|source| {
        if source == rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) {
            return Error::OtherKey { certificate, key: key_path };
        }
        Error::Pair { certificate, key: key_path, source }
    })?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session's certificate isn't verified again.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Loaded { generation, contents, server: Arc::new(server), clients, ends })
}

/// The client certificate that a connection was made with.
pub(super) struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    uri: CertificateUri,
    tls: Tls,
    /// Verified with these files, then.
    checked: Mutex<(u64, Instant)>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({})", self.uri)
    }
}

impl ClientCertificate {
    /// The certificate of a connection whose handshake has verified it, when it has exactly one URI.
    pub(super) fn of(chain: &[CertificateDer<'_>], tls: &Tls) -> Option<Self> {
        let own = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
        let mut names = own.valid_uri_names();
        let uri = CertificateUri::parse(names.next()?).ok()?;
        if names.next().is_some() {
            return None;
        }
        let generation = tls.0.borrow().generation;
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Self { chain, uri, tls: tls.clone(), checked: Mutex::new((generation, Instant::now())) })
    }

    /// The URI in it, as long as it is valid: neither revoked nor expired, and of an authority whose
    /// certificates are taken.
    pub(super) fn uri(&self) -> Option<&CertificateUri> {
        let loaded = Arc::clone(&self.tls.0.borrow());
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, at) = *checked;
        if generation == loaded.generation && at.elapsed() < CHECK_EVERY {
            return Some(&self.uri);
        }
        let (own, between) = self.chain.split_first()?;
        loaded.clients.as_ref()?.verify_client_cert(own, between, UnixTime::now()).ok()?;
        *checked = (loaded.generation, Instant::now());
        Some(&self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::logged;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// What is logged by each look at the files of a server whose certificate has ended: after so long, when somebody
    /// asks or not, what is in them by then.
    fn looks(looks: &[(Duration, bool, Option<&str>)]) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            min: Version::default(),
            certificate: folder.path().join("server.pem"),
            key: folder.path().join("server-key.pem"),
            client_authorities: None,
            client_revocations: None,
            reload_every: RELOAD_EVERY_DEFAULT,
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["server".to_owned()]).unwrap();
        params.not_after = time::OffsetDateTime::UNIX_EPOCH;
        std::fs::write(&settings.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&settings.key, key.serialize_pem()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = runtime.block_on(load(&settings, 0)).unwrap();
        let mut reload = Reload::new(settings, watch::channel(Arc::new(first)).0);
        let start = reload.reminded;
        let look = |(after, is_asked, content): &(Duration, bool, Option<&str>)| {
            if let Some(content) = content {
                std::fs::write(&reload.settings.certificate, content).unwrap();
            }
            let text = logged(|| runtime.block_on(reload.look(*is_asked, start + *after)));
            text.lines().count()
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_certificate_that_has_ended_is_logged_again_daily() {
        let after = |hours| (hours * HOUR, false, None);
        assert_eq!(looks(&[after(23), after(24), after(25), after(47), after(48)]), [0, 1, 0, 0, 1]);
    }

    #[test]
    fn files_that_cannot_be_used_are_logged_once_and_to_whoever_asks() {
        let junk = Some("junk");
        assert_eq!(
            looks(&[(HOUR, false, junk), (HOUR, false, None), (HOUR, true, None), (HOUR, false, junk)]),
            [1, 0, 1, 0]
        );
    }
}

//! Real certificates: who is let in by them, how they are replaced under load, and how those who are
//! revoked are cut off. And the versions of TLS: which are accepted, and that none resumes a session.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use conspectus::net::tls::{Settings, Version};
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::proto::get_caller_response::Credential;
use conspectus::rpc::proto::{GetAgencyRequest, GetCallerRequest, ListSubmissionsRequest};
use conspectus::server::{self, Config, Network};
use prost::Message;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version,
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};

use crate::app::{CHILDRENS_SERVICES, CONSTABULARY, TestApp, endpoint, health};
use crate::binary;
use crate::identities::{self, Condition, authorization};
use crate::raw::{Call, call};

const CHILDRENS_SERVICES_URI: &str = "spiffe://partners.test/childrens-services";
const RELOAD_EVERY: Duration = Duration::from_millis(20);

/// A development authority, and what it issues.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let certificates = Self(tempfile::tempdir().unwrap());
        certificates.run(&["authority"]);
        certificates.run(&["server"]);
        certificates
    }

    fn run(&self, args: &[&str]) {
        let folder = self.0.path().to_str().unwrap();
        binary::run(["cert", "--folder", folder].iter().chain(args));
    }

    fn client(&self, name: &str, uri: &str) {
        self.run(&["client", name, "--uri", uri]);
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn settings(&self) -> Settings {
        Settings {
            min: Version::default(),
            certificate: self.file("server.pem"),
            key: self.file("server-key.pem"),
            client_authorities: Some(self.file("ca.pem")),
            client_revocations: Some(self.file("ca-crl.pem")),
            reload_every: RELOAD_EVERY,
        }
    }

    /// A way to the server, with a client certificate or without.
    fn reach(&self, app: SocketAddr, client: Option<&str>) -> Endpoint {
        let read = |name: &str| std::fs::read(self.file(name)).unwrap();
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca.pem")));
        let tls = match client {
            None => tls,
            Some(name) => {
                tls.identity(Identity::from_pem(read(&format!("{name}.pem")), read(&format!("{name}-key.pem"))))
            }
        };
        endpoint("https", app).tls_config(tls).unwrap()
    }

    async fn app(&self, seed: impl AsyncFnOnce(&Path)) -> TestApp {
        self.app_with(seed, Version::default()).await
    }

    /// The same, with an oldest version of TLS.
    async fn app_with(&self, seed: impl AsyncFnOnce(&Path), min: Version) -> TestApp {
        let network = Network { tls: Some(Settings { min, ..self.settings() }), ..Network::default() };
        TestApp::seeded_with(seed, network, |address| self.reach(address, None)).await
    }
}

/// What becomes of listing an agency's submissions.
async fn list(channel: &Channel, agency: &str, authorization: Option<String>) -> Result<Vec<u8>, Status> {
    let message = ListSubmissionsRequest { agency: agency.to_owned(), ..ListSubmissionsRequest::default() };
    let path = "/conspectus.v1.SubmissionService/ListSubmissions".parse().unwrap();
    let (channel, message) = (channel.clone(), message.encode_to_vec());
    call(Call { channel, path, message, authorization, purpose: None }).await
}

fn code(result: &Result<Vec<u8>, Status>) -> Code {
    result.as_ref().map_or_else(Status::code, |_| Code::Ok)
}

#[tokio::test]
async fn a_certificate_grants_exactly_what_its_identity_may_do() {
    let certificates = Certificates::new();
    certificates.client("ours", CHILDRENS_SERVICES_URI);
    certificates.client("unknown", "spiffe://partners.test/somebody-else");
    certificates.client("longer", "spiffe://partners.test/childrens-services/more");
    let app = certificates.app(identities::seed).await;
    let connect = async |client| certificates.reach(app.address(), client).connect().await.unwrap();
    let (ours, unknown) = (connect(Some("ours")).await, connect(Some("unknown")).await);
    let (longer, none) = (connect(Some("longer")).await, connect(None).await);
    let key = |name| authorization(name, Condition::Good);
    for (channel, agency, key, expected) in [
        (&ours, CHILDRENS_SERVICES, None, Code::Ok),
        (&ours, CONSTABULARY, None, Code::PermissionDenied),
        (&ours, CHILDRENS_SERVICES, key("analyst"), Code::PermissionDenied),
        (&ours, CHILDRENS_SERVICES, authorization("submitter", Condition::Revoked), Code::Unauthenticated),
        (&unknown, CHILDRENS_SERVICES, None, Code::Unauthenticated),
        (&longer, CHILDRENS_SERVICES, None, Code::Unauthenticated),
        (&none, CHILDRENS_SERVICES, None, Code::Unauthenticated),
        (&none, CHILDRENS_SERVICES, key("submitter"), Code::Ok),
    ] {
        assert_eq!(code(&list(channel, agency, key).await), expected, "{agency}");
    }
    let caller = KeyServiceClient::new(ours).get_caller(GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!(caller.identity.unwrap().id, "submitter");
    assert_eq!(caller.credential, Some(Credential::Certificate(CHILDRENS_SERVICES_URI.to_owned())));
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_none_at_all_is_not_let_in() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    others.client("ours", CHILDRENS_SERVICES_URI);
    let app = certificates.app(identities::seed).await;
    std::fs::copy(certificates.file("ca.pem"), others.file("ca.pem")).unwrap();
    let refused = match others.reach(app.address(), Some("ours")).connect().await {
        Err(_) => true,
        // In TLS 1.3 a client learns of it from its first answer.
        Ok(channel) => list(&channel, CHILDRENS_SERVICES, None).await.is_err(),
    };
    assert!(refused);
    assert!(
        endpoint("http", app.address()).connect().await.is_err() || {
            let plain = endpoint("http", app.address()).connect_lazy();
            list(&plain, CHILDRENS_SERVICES, authorization("submitter", Condition::Good)).await.is_err()
        }
    );
}

#[tokio::test]
async fn a_caller_whose_certificate_is_revoked_is_cut_off_on_its_open_connection() {
    let certificates = Certificates::new();
    certificates.client("ours", CHILDRENS_SERVICES_URI);
    let app = certificates.app(identities::seed).await;
    let channel = certificates.reach(app.address(), Some("ours")).connect().await.unwrap();
    assert_eq!(code(&list(&channel, CHILDRENS_SERVICES, None).await), Code::Ok);
    certificates.run(&["revoke", "ours"]);
    let start = Instant::now();
    while code(&list(&channel, CHILDRENS_SERVICES, None).await) == Code::Ok {
        assert!(start.elapsed() < Duration::from_secs(20), "it is still let in");
        tokio::time::sleep(RELOAD_EVERY).await;
    }
    let again = certificates.reach(app.address(), Some("ours")).connect().await;
    let let_in = match again {
        Err(_) => false,
        Ok(channel) => list(&channel, CHILDRENS_SERVICES, None).await.is_ok(),
    };
    assert!(!let_in, "it is let in on a new connection");
}

/// The server's certificate is replaced a hundred times, and its authority's list with it, while callers
/// call, on connections that stay and on new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_under_load_and_no_call_fails() {
    const TIMES: usize = 100;
    let certificates = Arc::new(Certificates::new());
    certificates.client("ours", CHILDRENS_SERVICES_URI);
    let app = certificates.app(identities::seed).await;
    let address = app.address();
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = [true, false]
        .into_iter()
        .map(|stays| {
            let (certificates, stop, calls) = (Arc::clone(&certificates), Arc::clone(&stop), Arc::clone(&calls));
            tokio::spawn(async move {
                let mut channel = certificates.reach(address, Some("ours")).connect().await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    if !stays {
                        channel = certificates.reach(address, Some("ours")).connect().await.unwrap();
                    }
                    list(&channel, CHILDRENS_SERVICES, None).await.unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 0..TIMES {
        let certificates = Arc::clone(&certificates);
        tokio::task::spawn_blocking(move || {
            certificates.run(&["server"]);
            certificates.run(&["revoke", "server"][..if n % 2 == 0 { 1 } else { 2 }]);
        })
        .await
        .unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(calls.load(Ordering::Relaxed) > TIMES, "{calls:?} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_over_one_encrypted_connection_are_all_answered() {
    const CALLS: usize = 200;
    let certificates = Certificates::new();
    let app = certificates.app(identities::seed).await;
    let channel = certificates.reach(app.address(), None).connect().await.unwrap();
    let key = authorization("submitter", Condition::Good);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let (channel, key) = (channel.clone(), key.clone());
        calls.spawn(async move { list(&channel, CHILDRENS_SERVICES, key).await.unwrap() });
    }
    let answers = calls.join_all().await;
    let alone = list(&channel, CHILDRENS_SERVICES, key).await.unwrap();
    assert!(answers.len() == CALLS && answers.iter().all(|answer| *answer == alone));
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let certificates = Certificates::new();
    let app = certificates.app(identities::seed).await;
    std::fs::write(certificates.file("server.pem"), "not a certificate").unwrap();
    tokio::time::sleep(RELOAD_EVERY * 5).await;
    let channel = certificates.reach(app.address(), None).connect().await.unwrap();
    health(&channel, "").await;
    let message = GetAgencyRequest { id: CONSTABULARY.to_owned(), as_of_revision: 0 }.encode_to_vec();
    let path = "/conspectus.v1.CatalogueService/GetAgency".parse().unwrap();
    let authorization = authorization("analyst", Condition::Good);
    call(Call { channel, path, message, authorization, purpose: None }).await.unwrap();
}

/// This machine always gets the protos by reflection, the network only when that is enabled.
#[tokio::test]
async fn reflection_answers_the_network_only_when_that_is_enabled() {
    let certificates = Certificates::new();
    for reflection in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        identities::seed(folder.path()).await;
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let address = (std::net::Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()).into();
        let network = Network { tls: Some(certificates.settings()), reflection, ..Network::default() };
        let config = Config { network, ..Config::new(folder.path()) };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(server::run(listener, config, async { drop(stopped.await) }));
        let channel = certificates.reach(address, None).connect().await.unwrap();
        health(&channel, "").await;
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".parse().unwrap();
        // Field 7 of a request asks for the list of services.
        let message = vec![0x3a, 0];
        let listed = call(Call { channel, path, message, authorization: None, purpose: None }).await;
        assert_eq!(code(&listed), if reflection { Code::Ok } else { Code::Unimplemented });
        drop(stop);
        running.await.unwrap().unwrap();
    }
}

/// Clients that have TLS 1.2 alone, and 1.3 alone.
const CLIENTS: [(&SupportedProtocolVersion, ProtocolVersion); 2] =
    [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)];

impl Certificates {
    fn connector(&self, version: &'static SupportedProtocolVersion) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

/// A connection whose server has begun to speak HTTP/2, so that whatever could resume its session was received too.
async fn begin(connector: &TlsConnector, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, TcpStream::connect(address).await?).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    stream.read_exact(&mut [0; 9]).await?;
    Ok(stream)
}

#[tokio::test]
async fn tls_1_2_is_refused_unless_it_is_accepted_expressly() {
    let certificates = Certificates::new();
    for min in [Version::V1_3, Version::V1_2] {
        let app = certificates.app_with(identities::seed, min).await;
        for (client, expected) in CLIENTS {
            let begun = begin(&certificates.connector(client), app.address()).await;
            if min == Version::V1_3 && expected == ProtocolVersion::TLSv1_2 {
                let refused = begun.unwrap_err().to_string();
                assert!(refused.contains("ProtocolVersion"), "{refused}");
            } else {
                assert_eq!(begun.unwrap().get_ref().1.protocol_version(), Some(expected));
            }
        }
    }
}

/// The certificate of a session that is resumed wouldn't be verified again.
#[tokio::test]
async fn no_version_of_tls_resumes_a_session() {
    let certificates = Certificates::new();
    let app = certificates.app_with(identities::seed, Version::V1_2).await;
    for (client, version) in CLIENTS {
        let connector = certificates.connector(client);
        for _ in 0..2 {
            let stream = begin(&connector, app.address()).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full), "{version:?}");
        }
    }
}

/// A client that shares no code with the server. Without `openssl` the test prints `skipped`, and passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_ciphers_and_older_versions_are_never_accepted() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: there is no openssl");
        return;
    }
    let certificates = Certificates::new();
    let app = certificates.app_with(identities::seed, Version::V1_2).await;
    for (options, accepted) in [
        ("-tls1_3", true),
        ("-tls1_2", true),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", true),
        ("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", true),
        // CBC with a separate hash, and no ephemeral key exchange.
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256@SECLEVEL=0", false),
        ("-tls1_2 -cipher AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", false),
        ("-tls1_1 -cipher ALL@SECLEVEL=0", false),
    ] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-alpn", "h2", "-verify_return_error", "-CAfile"]).arg(certificates.file("ca.pem"));
        command.args(["-servername", "localhost", "-connect", &app.address().to_string()]);
        let output = command.args(options.split(' ')).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), accepted, "{options}: {said}");
        assert!(accepted || said.contains("alert"), "the server refuses {options}, not the client: {said}");
    }
}

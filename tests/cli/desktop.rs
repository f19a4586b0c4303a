//! From a managed desktop: whose certificates are trusted, and the way through a proxy.

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

use super::*;

/// A host that no name server knows: only the proxy leads there.
const HOST: &str = "conspectus.test";
/// The name and the password that a proxy may want, `jo` and `s@cret`.
const LOGIN: &str = "Proxy-Authorization: Basic am86c0BjcmV0";

/// A server with TLS, and a folder with its authority's certificate, and another's.
struct TlsServer {
    address: String,
    folder: tempfile::TempDir,
    _process: binary::Process,
}

impl TlsServer {
    /// A server whose certificate is made with these arguments.
    fn start(certificate: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for authority in ["own", "other"] {
            binary::run(["cert", "--folder", &at(authority), "authority"]);
        }
        binary::run([&["cert", "--folder", &at("own"), "server"], certificate].concat());
        let mut server = binary::command();
        server.args(["serve", "--listen", "127.0.0.1:0", "--data", &at("data")]);
        server.args(["--tls-cert", &at("own/server.pem"), "--tls-key", &at("own/server-key.pem")]);
        let mut process = binary::Process(server.stderr(Stdio::piped()).spawn().unwrap());
        let logged = binary::lines(process.0.stderr.take().unwrap());
        // The address is logged first when it is bound, and nobody listens there yet.
        let mut listening = logged.iter().filter(|line| line.contains("listening"));
        let address = listening.find_map(|line| Some(line.split_once("address=")?.1.split(' ').next()?.to_owned()));
        Self { address: address.unwrap(), folder, _process: process }
    }

    fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A server with the same certificate that agrees on no protocol above TLS, as a web server may.
    fn another_protocol(&self) -> SocketAddr {
        let certificate = CertificateDer::from_pem_file(self.file("own/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.file("own/server-key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                // Until the client goes away.
                while connection.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
            }
        });
        address
    }

    /// Asks for its health, as a host, on a machine that trusts its authority. Nothing of this machine's proxy counts.
    fn health(&self, host: &str) -> Command {
        self.health_of(&format!("https://{host}:{}", self.port()))
    }

    /// The same of another server.
    fn health_of(&self, url: &str) -> Command {
        let mut command = binary::command();
        command.args(["health", "--server", url]);
        for name in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "CONSPECTUS_PROXY", "CONSPECTUS_CA"] {
            command.env_remove(name);
        }
        command.env("SSL_CERT_FILE", self.file("own/ca.pem")).env_remove("SSL_CERT_DIR").env("CONSPECTUS_TIMEOUT", "5");
        command
    }

    /// The same, through a proxy.
    fn health_by(&self, proxy: &str) -> Command {
        let mut command = self.health(HOST);
        command.env("HTTPS_PROXY", proxy);
        command
    }
}

/// What a command prints, once the server is ready.
fn said(command: &mut Command) -> String {
    let start = Instant::now();
    loop {
        let printed = printed_of(command);
        if printed != "5: conspectus: NOT_SERVING" || start.elapsed() > Duration::from_secs(60) {
            return printed;
        }
    }
}

#[test]
fn the_authorities_of_the_machine_are_trusted_unless_one_is_given() {
    let server = TlsServer::start(&[]);
    let url = format!("https://localhost:{}", server.port());
    assert_eq!(said(&mut server.health("localhost")), "SERVING");
    let (own, other) = (server.file("own/ca.pem"), server.file("other/ca.pem"));
    let subject = "CN=server";
    let issuer = "CN=conspectus development authority";
    let untrusted = |why: &str| {
        format!(
            "5: conspectus: the certificate of {url} ({subject}) isn't trusted: it was issued by {issuer}, which {why}\n\
             Try: --ca FILE, the authority that issued the server's certificate; or set CONSPECTUS_CA"
        )
    };
    let printed = said(server.health("localhost").env("SSL_CERT_FILE", &other));
    assert_eq!(printed, untrusted("this machine doesn't trust"));
    let printed = said(server.health("localhost").args(["--ca", &other]));
    assert_eq!(printed, untrusted(&format!("isn't in {other}")));
    // What is given is all that is trusted.
    let printed = said(server.health("localhost").args(["--ca", &own]).env("SSL_CERT_FILE", &other));
    assert_eq!(printed, "SERVING");
    let printed = said(server.health("localhost").args(["--ca", &server.file("own/server-key.pem")]));
    assert!(printed.ends_with("server-key.pem: there is no certificate in it, as PEM"), "{printed}");
}

#[test]
fn a_certificate_for_another_host_or_that_has_ended_is_refused_in_words() {
    let server = TlsServer::start(&["--host", "conspectus.test,192.0.2.7"]);
    let url = format!("https://localhost:{}", server.port());
    assert_eq!(
        said(&mut server.health("localhost")),
        format!(
            "5: conspectus: the certificate of {url} (CN=server) is for conspectus.test, 192.0.2.7\n\
             Try: --server https://HOST:PORT, with a host that the certificate is for"
        )
    );
    // It ends with the second in which it was made.
    let server = TlsServer::start(&["--days", "0"]);
    let start = Instant::now();
    let printed = loop {
        let printed = said(&mut server.health("localhost"));
        if printed != "SERVING" {
            break printed;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "it is still accepted");
    };
    assert!(
        printed.contains(" ended at 20") && printed.contains("Z, by this machine's clock: if that is right"),
        "{printed}"
    );
    assert!(printed.contains("whoever runs the server has to renew it") && !printed.contains("Try: "), "{printed}");
}

/// A proxy that answers CONNECT, and then passes bytes on to one address, whatever is asked for.
struct TestProxy {
    address: SocketAddr,
    requests: mpsc::Receiver<String>,
}

impl TestProxy {
    /// A proxy that answers each request so; an answer of success has bytes passed on.
    fn start(server: &str, answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        let server = server.to_owned();
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut request = String::new();
                let mut lines = BufReader::new(&client);
                while !request.ends_with("\r\n\r\n") && lines.read_line(&mut request).is_ok_and(|read| read > 0) {}
                let answer = answer(&request);
                let _ = sender.send(request);
                let _ = client.write_all(answer.as_bytes());
                if answer.starts_with("HTTP/1.1 200") {
                    pass_on(&client, &server);
                }
            }
        });
        Self { address, requests }
    }

    /// A proxy that lets those pass who give the login, and says to others which schemes it takes.
    fn with_login(server: &str, schemes: &'static [&'static str]) -> Self {
        let challenges: String = schemes.iter().map(|scheme| format!("Proxy-Authenticate: {scheme}\r\n")).collect();
        Self::start(server, move |request| match request.contains(LOGIN) {
            true => CONNECTED.to_owned(),
            false => format!("HTTP/1.1 407 Proxy Authentication Required\r\n{challenges}Content-Length: 0\r\n\r\n"),
        })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

const CONNECTED: &str = "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n";

fn pass_on(client: &TcpStream, server: &str) {
    let onward = TcpStream::connect(server).unwrap();
    for (from, to) in [(client, &onward), (&onward, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
}

#[test]
fn a_server_is_reached_through_the_proxy_of_the_desktop() {
    let server = TlsServer::start(&["--host", HOST]);
    let proxy = TestProxy::start(&server.address, |_| CONNECTED.to_owned());
    assert_eq!(said(&mut server.health_by(&proxy.url())), "SERVING");
    let target = format!("{HOST}:{}", server.port());
    assert_eq!(proxy.requests.recv().unwrap(), format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"));
    // By the option too, and not where it says that there is none, or the server is exempt.
    assert_eq!(said(server.health(HOST).args(["--proxy", &proxy.url()])), "SERVING");
    for command in [
        server.health_by(&proxy.url()).args(["--proxy", ""]),
        server.health_by(&proxy.url()).env("NO_PROXY", "localhost,.test"),
    ] {
        let printed = said(command);
        assert!(printed.starts_with(&format!("5: conspectus: no server answers at https://{target}: ")), "{printed}");
        assert!(
            printed.ends_with("\nTry: conspectus doctor, which checks the way to the server step by step"),
            "{printed}"
        );
    }
}

#[test]
fn a_name_and_a_password_are_given_to_the_proxy_and_never_shown() {
    let server = TlsServer::start(&["--host", HOST]);
    let proxy = TestProxy::with_login(&server.address, &["NTLM", "Basic realm=\"the office, floor 2\""]);
    let with = |login: &str| format!("http://{login}@{}", proxy.address);
    assert_eq!(said(&mut server.health_by(&with("jo:s%40cret"))), "SERVING");
    let step = "Try: --proxy http://NAME:PASSWORD@HOST:PORT, in CONSPECTUS_PROXY, where other users of this machine don't see it";
    let url = proxy.url();
    // Whatever is logged.
    let printed = said(server.health_by(&with("jo:wrong")).env("CONSPECTUS_LOG", "trace"));
    let expect = format!("conspectus: the proxy {url} doesn't accept this name and password\n{step}");
    assert!(printed.ends_with(&expect) && printed.contains("TRACE"), "{printed}");
    assert!(!["jo:", "wrong", "am86d3Jvbmc"].iter().any(|secret| printed.contains(secret)), "{printed}");
    assert_eq!(
        said(&mut server.health_by(&url)),
        format!("5: conspectus: the proxy {url} wants a name and a password\n{step}")
    );
    let unusable = said(server.health(HOST).args(["--proxy", "socks5://jo:secret@127.0.0.1:1080"]));
    assert!(
        unusable.starts_with("2: conspectus: --proxy: found something else; allowed: ") && !unusable.contains("secret")
    );
}

#[test]
fn a_proxy_that_does_not_connect_is_quoted_with_what_to_do() {
    let server = TlsServer::start(&["--host", HOST]);
    let target = format!("{HOST}:{}", server.port());
    let proxy = TestProxy::with_login(&server.address, &["Negotiate", "NTLM"]);
    assert_eq!(
        said(&mut server.health_by(&proxy.url())),
        format!(
            "5: conspectus: the proxy {} takes Negotiate or NTLM to say who is asking, which conspectus can't do\n\
             Try: --proxy http://127.0.0.1:3128, once a relay that knows this way, such as px or cntlm, listens there; \
             or JSON over HTTP, by a program that knows it (docs/json.md)",
            proxy.url()
        )
    );
    let another = "Try: --proxy http://HOST:PORT, or an empty one, which uses none; or set CONSPECTUS_PROXY";
    let rule = "Try: --proxy '', where the server is reached without one; or ask whoever runs the proxy to let it connect to the server's host and port";
    for (answer, failed, step) in [
        (
            "HTTP/1.1 403 Forbidden by rule 7\r\n\r\n",
            format!("doesn't connect to {target}: 403 Forbidden by rule 7"),
            rule,
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n", "failed: what answers there isn't an HTTP proxy".to_owned(), another),
        ("", "failed: it closed the connection without an answer".to_owned(), another),
    ] {
        let proxy = TestProxy::start(&server.address, |_| answer.to_owned());
        let url = proxy.url();
        assert_eq!(said(&mut server.health_by(&url)), format!("5: conspectus: the proxy {url} {failed}\n{step}"));
    }
    let nobody = "http://127.0.0.1:1";
    let printed = said(&mut server.health_by(nobody));
    let refused =
        format!("5: conspectus: the proxy {nobody} doesn't answer: Connection refused (os error 111)\n{another}");
    assert_eq!(printed, refused);
}

#[test]
fn a_proxy_that_stays_silent_holds_nobody_up() {
    let server = TlsServer::start(&["--host", HOST]);
    let (address, _listener) = silent();
    let expect = format!(
        "5: conspectus: https://{HOST}:{} didn't let anyone connect within 1 s\n\
         Try: --timeout SECONDS, which gives it longer\n\
         Try: conspectus doctor, which checks the way to the server step by step",
        server.port()
    );
    assert_ends_in_time(server.health_by(&format!("http://{address}")).args(["--timeout", "1"]), &expect);
}

/// As a proxy that looks into what is encrypted does, or a web server.
#[test]
fn a_server_that_speaks_no_http_2_over_tls_is_said_to_be_another() {
    let server = TlsServer::start(&[]);
    let url = format!("https://localhost:{}", server.another_protocol().port());
    let printed = said(&mut server.health_of(&url));
    let expect = format!("5: conspectus: {url} speaks TLS, but not HTTP/2, which gRPC needs: ");
    assert!(printed.starts_with(&expect), "{printed}");
}

/// The lines of a report: check, outcome, and what was found.
fn report(command: &mut Command) -> (i32, Vec<String>) {
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    (output.status.code().unwrap(), lines.collect())
}

impl TlsServer {
    /// The doctor, once the server is ready.
    fn doctor(&self, host: &str) -> Command {
        while said(&mut self.health("localhost")) == "5: conspectus: NOT_SERVING" {}
        let health = self.health(host);
        let mut command = binary::command();
        command.arg("doctor").args(health.get_args().skip(1));
        for (name, value) in health.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

#[test]
fn the_doctor_goes_all_the_way_through_a_proxy() {
    let server = TlsServer::start(&["--host", "conspectus.test,localhost"]);
    let proxy = TestProxy::with_login(&server.address, &["Basic"]);
    let with_login = format!("http://jo:s%40cret@{}", proxy.address);
    let (code, lines) = report(server.doctor(HOST).env("HTTPS_PROXY", with_login));
    let (url, port) = (proxy.url(), server.port());
    let tls = "tls ok TLS 1.3 with TLS13_AES_256_GCM_SHA384; CN=server, issued by CN=conspectus development authority, valid until 20";
    for (line, expect) in lines.iter().zip([
        format!("address ok https://{HOST}:{port}"),
        format!("proxy ok {url}, by HTTPS_PROXY"),
        "trust ok the authorities that this machine trusts".to_owned(),
        "name skipped 127.0.0.1 is an address".to_owned(),
        format!("connection ok to {}", proxy.address),
        format!("tunnel ok the proxy connects to {HOST}:{port}"),
        tls.to_owned(),
        "http/2 ok chosen by ALPN".to_owned(),
        "service ok serving".to_owned(),
        "clock ok ".to_owned(),
        "key ok none is needed: the server has no identities yet".to_owned(),
        "identity skipped nobody in particular is calling".to_owned(),
        "role skipped nobody in particular is calling".to_owned(),
        "purpose skipped nobody in particular is calling".to_owned(),
    ]) {
        assert!(line.starts_with(&expect), "{line}\n{expect}");
    }
    assert_eq!((code, lines.len()), (0, 14), "{lines:?}");
}

#[test]
fn the_doctor_skips_what_needs_a_check_that_failed() {
    let server = TlsServer::start(&[]);
    let (code, lines) = report(server.doctor("localhost").env("SSL_CERT_FILE", server.file("other/ca.pem")));
    assert_eq!(code, 5);
    let tls =
        lines.iter().position(|line| line.starts_with("tls failed the certificate of https://localhost:")).unwrap();
    assert_eq!(lines[tls - 1], "tunnel skipped there is no proxy");
    let rest = lines[tls..].join("\n");
    assert!(rest.contains("isn't trusted") && rest.contains("\nTry: --ca FILE"), "{rest}");
    assert!(rest.ends_with("role skipped needs tls\npurpose skipped needs tls"), "{rest}");
    for (host, proxy, failed, status) in [
        ("conspectus.invalid", "", "name failed there is no host conspectus.invalid", 5),
        (HOST, "http://127.0.0.1:1", "connection failed the proxy http://127.0.0.1:1 doesn't answer", 5),
        (HOST, "ftp://127.0.0.1", "proxy failed --proxy: found something else", 2),
    ] {
        let (code, lines) = report(server.doctor(host).args(["--proxy", proxy]));
        assert_eq!(code, status, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains(" failed ")).count(), 1, "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with(failed)), "{lines:?}");
    }
    let json = server.doctor("localhost").args(["--json", "--ca", "nowhere.pem"]).output().unwrap();
    let checks: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((checks[2]["check"].as_str(), checks[2]["outcome"].as_str()), (Some("trust"), Some("failed")));
    assert!(checks[2]["found"].as_str().unwrap().starts_with("can't read nowhere.pem: "), "{checks}");
}

#[test]
fn the_doctor_says_who_is_calling_and_what_that_opens() {
    let sender = Sender::start();
    let asked = |options: &str| {
        let (code, lines) = report(&mut sender.demo.verb(&format!("doctor {options}")));
        let at = lines.iter().position(|line| line.starts_with("key ")).unwrap();
        (code, lines[at..].to_vec())
    };
    let (code, lines) = asked(&format!("--as {AGENCY}"));
    assert!(code == 0 && lines[0].starts_with("key ok key ") && lines[0].contains(", valid until 20"), "{lines:?}");
    let role = format!("role ok submitter of {AGENCY}");
    let rest = [&format!("identity ok {AGENCY}"), &role, "purpose skipped only an analyst states one"];
    assert_eq!(lines[1..], rest);
    let (code, lines) = asked("--as analyst");
    assert_eq!(lines[1..], ["identity ok analyst", "role ok analyst", "purpose ok trying the demo"]);
    assert_eq!(code, 0);
    let (code, lines) = asked("--key cps_wrong");
    assert!(lines[0].starts_with("key failed ") && lines[1].starts_with("Try: --as NAME"), "{lines:?}");
    assert_eq!(code, 4);
    let (code, lines) = report(sender.demo.verb("doctor").env_remove("CONSPECTUS_PURPOSE"));
    let last = &lines[lines.len() - 2..];
    assert_eq!(last[0], "purpose failed an analyst says what figures are read for");
    assert_eq!((last[1].as_str(), code), ("Try: --purpose WORDS, or set CONSPECTUS_PURPOSE", 2));
}

//! Connecting to a server, and showing its refusals.

mod certificate;
mod credentials;
mod proxy;
mod route;
mod tls;
mod tunnel;
mod unreachable;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueHint};
use hyper_util::rt::TokioIo;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use super::causes::{causes, root_cause};
use super::deadline::{Deadline, Limit, Timed};
use super::failure::{Exit, Failure};
use super::next_step::NextStep;
use super::secret::{Hidden, Ways};
use crate::access::Purpose;
use crate::model::text::visible;
use crate::rpc::Reason;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::client::key_service_client::KeyServiceClient;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::submitting::Found;
pub(super) use credentials::key_variable;
use credentials::{ERROR_BYTES_MAX, Headers};
use proxy::Proxy;
pub(super) use route::{Route, Secured};
use tls::Tls;
pub(super) use tls::described;
pub(super) use unreachable::Unreachable;

/// The most bytes that an answer may have; a full page of rows has far fewer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// In a header Base64 makes four bytes of three, and the other headers take some too.
const HEADER_BYTES_MAX: u32 = 2 * ERROR_BYTES_MAX;

/// The options below are the same for every verb: its help lists them after its own.
const HEADING: &str = "Connection";

/// Which server to call, and as whom.
#[derive(Debug, Clone, Parser)]
pub(super) struct Server {
    /// The server's address: http://HOST:PORT or https://HOST:PORT.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_SERVER", default_value = "http://127.0.0.1:50051")]
    server: String,
    /// Your API key. Other users of this machine can see it on a command line: set the variable instead.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<Hidden>,
    /// The file with your API key, instead of the key.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_KEY_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    key_file: Option<PathBuf>,
    /// Where systemd keeps a service's credentials: the key is the one named `key`.
    #[arg(long, global = true, hide = true, env = "CREDENTIALS_DIRECTORY", value_name = "FOLDER")]
    credentials: Option<PathBuf>,
    /// Take the key from another variable: `--as portsmouth-feed` takes CONSPECTUS_KEY_PORTSMOUTH_FEED, or the file that
    /// CONSPECTUS_KEY_PORTSMOUTH_FEED_FILE names.
    #[arg(long = "as", global = true, help_heading = HEADING, value_name = "NAME")]
    key_name: Option<String>,
    /// What you read figures for. An analyst must state it, and the audit log records it.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_PURPOSE", value_name = "WORDS")]
    purpose: Option<String>,
    /// The proxy to the server: http://HOST:PORT, with NAME:PASSWORD@ before the host if it wants them; empty for none.
    /// By default that of HTTPS_PROXY, for https:// to other machines. NO_PROXY exempts servers.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_PROXY", hide_env_values = true, value_name = "URL")]
    proxy: Option<Hidden>,
    /// The authority that issued the server's certificate: PEM. By default those that this machine trusts.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_CA", value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,
    /// Your client certificate, if the server accepts them: PEM.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_CERT", value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// The certificate's private key: PEM.
    #[arg(long, global = true, help_heading = HEADING, env = "CONSPECTUS_CERT_KEY", value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
    /// How many seconds the server may take to answer: to connect, and then for each call. A watch
    /// finds out within that time that its server is gone.
    #[arg(
        long, global = true, help_heading = HEADING, env = "CONSPECTUS_TIMEOUT", value_name = "SECONDS",
        default_value_t = TIMEOUT_SECONDS_DEFAULT, value_parser = clap::value_parser!(u64).range(1..=TIMEOUT_SECONDS_MAX)
    )]
    timeout: u64,
}

const TIMEOUT_SECONDS_DEFAULT: u64 = 60;
const TIMEOUT_SECONDS_MAX: u64 = 86_400;

pub(super) type Connection = InterceptedService<Deadline<Channel>, Headers>;

impl Server {
    /// The server at an address, without TLS or credentials.
    pub(super) fn at(address: SocketAddr) -> Self {
        Self {
            server: format!("http://{address}"),
            key: None,
            key_file: None,
            credentials: None,
            key_name: None,
            purpose: None,
            // The server is on this machine.
            proxy: Some(Hidden(String::new())),
            ca: None,
            cert: None,
            cert_key: None,
            timeout: TIMEOUT_SECONDS_DEFAULT,
        }
    }

    /// The same server, called with a key, for a purpose.
    pub(super) fn with_key(self, key: String, purpose: &str) -> Self {
        Self { key: Some(Hidden(key)), purpose: Some(purpose.to_owned()), ..self }
    }

    /// The way to the server.
    ///
    /// # Errors
    /// When an option isn't what it should be, or a file of TLS can't be used.
    pub(super) fn route(&self) -> Result<Route, Failure> {
        let server = self.uri()?;
        Ok(self.route_by(&server, self.proxy(&server)?, self.tls(&server)?))
    }

    /// The way to the server, which has this address, by a proxy or none, with TLS or without.
    pub(super) fn route_by(&self, server: &Uri, proxy: Option<Proxy>, tls: Option<Tls>) -> Route {
        let port = server.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let host = server.host().unwrap_or_default().to_owned();
        Route { server: self.server.clone(), host, port, proxy, tls }
    }

    /// The proxy to the server, which has this address.
    ///
    /// # Errors
    /// When what is named isn't the address of a proxy.
    pub(super) fn proxy(&self, server: &Uri) -> Result<Option<Proxy>, Failure> {
        let given = self.proxy.as_ref().map(|Hidden(proxy)| proxy.as_str());
        Proxy::choose(given, server, |name| std::env::var(name).ok())
    }

    /// TLS to the server, which has this address; none for http://.
    ///
    /// # Errors
    /// When a file of TLS can't be used.
    pub(super) fn tls(&self, server: &Uri) -> Result<Option<Tls>, Failure> {
        if server.scheme_str() != Some("https") {
            return Ok(None);
        }
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
        let own = self.cert.as_deref().zip(self.cert_key.as_deref());
        Tls::new(host, self.ca.as_deref(), own).map(Some)
    }

    /// The server's address, as it is given.
    pub(super) fn address(&self) -> &str {
        &self.server
    }

    /// The server's address.
    ///
    /// # Errors
    /// When it isn't one.
    pub(super) fn uri(&self) -> Result<Uri, Failure> {
        let uri = self.server.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        uri.ok_or_else(|| Failure::usage(format!("`{}` isn't an address; allowed: http(s)://HOST:PORT", self.server)))
    }

    /// What it is called for.
    ///
    /// # Errors
    /// When that isn't a purpose.
    pub(super) fn stated_purpose(&self) -> Result<Option<Purpose>, Failure> {
        let purpose = self.purpose.as_deref().map(Purpose::parse).transpose();
        purpose.map_err(|error| Failure::usage(format!("--purpose: {error}")))
    }

    /// The same server, called without a purpose.
    pub(super) fn without_purpose(&self) -> Self {
        Self { purpose: None, ..self.clone() }
    }

    /// The same server, called without a key and a purpose.
    pub(super) fn anonymous(&self) -> Self {
        Self { key: None, key_file: None, credentials: None, key_name: None, ..self.without_purpose() }
    }

    /// What comes of a step, if it comes within the time that the server has to answer.
    ///
    /// # Errors
    /// The step's, or that it takes too long.
    pub(super) async fn in_time<T>(&self, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let taken = tokio::time::timeout(Duration::from_secs(self.timeout), step).await;
        taken.unwrap_or_else(|_| {
            let silent = Failure::unreachable(format!("nothing came within {} s", self.timeout));
            Err(silent.and_try(Some(NextStep::Timeout)))
        })
    }

    /// The key: that of the name, or else the caller's own.
    ///
    /// # Errors
    /// When it is given twice, its file can't be used, or the name has none.
    fn key(&self) -> Result<Option<Hidden>, Failure> {
        let Some(name) = &self.key_name else {
            let ways = Ways {
                text: self.key.as_ref().map(|key| ("CONSPECTUS_KEY or --key", key)),
                file: self.key_file.as_deref().map(|file| ("CONSPECTUS_KEY_FILE or --key-file", file)),
                credential: (self.credentials.as_deref(), "key"),
            };
            return ways.secret();
        };
        credentials::key_of(name)
    }

    fn headers(&self, route: &Route) -> Result<Headers, Failure> {
        let key = self.key()?.map(|Hidden(key)| key);
        if key.is_some() && !route.is_private() {
            let server = &self.server;
            let unencrypted = Failure::usage(format!("the key would cross the network unencrypted to {server}"));
            return Err(unencrypted.and_try(Some(NextStep::Encrypt)));
        }
        Headers::new(key.as_deref(), self.stated_purpose()?.as_ref())
    }

    async fn connect(&self, timed: Timed) -> Result<Connection, Failure> {
        let origin = self.uri()?;
        let route = self.route()?;
        let (time, server) = (Duration::from_secs(self.timeout), self.server.clone());
        let limit = Limit { time, timed, server, route: route.clone() };
        let headers = self.headers(&route)?;
        // TLS is the route's: to the library the connection is plain.
        let mut endpoint = Endpoint::from_static("http://server").origin(origin);
        endpoint = endpoint.http2_max_header_list_size(HEADER_BYTES_MAX);
        if timed == Timed::Beginning {
            // A server that is gone answers no ping: one is sent after half of the time, also while no message
            // comes. It is awaited for longer than the other half, so that the beginning is timed by its own limit.
            endpoint = endpoint
                .http2_keep_alive_interval(limit.time / 2)
                .keep_alive_timeout(limit.time * 3 / 4)
                .keep_alive_while_idle(true);
        }
        let way = route.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let way = way.clone();
            async move { way.connect().await.map(TokioIo::new) }
        });
        let connected = tokio::time::timeout(limit.time, endpoint.connect_with_connector(connector)).await;
        let channel = match connected.map(|connected| connected.map_err(|error| NotConnected::of(&error))) {
            Ok(Ok(channel)) => channel,
            Ok(Err(NotConnected::Unreachable(why))) => return Err(why.failure()),
            Ok(Err(NotConnected::NoHttp2(cause))) => {
                let instead = route.tls_instead().await;
                let what = instead.unwrap_or_else(|| format!("no server answers at {}: {cause}", self.server));
                return Err(Failure::unreachable(what).and_try(Some(NextStep::Address)));
            }
            Err(_) => {
                let silent = Failure::unreachable(limit.exceeded("didn't let anyone connect"));
                let doctor = (!route.is_within_this_machine()).then_some(NextStep::Doctor);
                return Err(silent.and_try(Some(NextStep::Timeout)).and_try(doctor));
            }
        };
        Ok(InterceptedService::new(Deadline::new(channel, limit), headers))
    }

    pub(super) async fn catalogue(&self) -> Result<CatalogueServiceClient<Connection>, Failure> {
        Ok(CatalogueServiceClient::new(self.connect(Timed::Whole).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn submissions(&self) -> Result<SubmissionServiceClient<Connection>, Failure> {
        Ok(SubmissionServiceClient::new(self.connect(Timed::Whole).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// For a stream of submissions, which goes on for as long as there are some.
    pub(super) async fn streamed_submissions(&self) -> Result<SubmissionServiceClient<Connection>, Failure> {
        let connection = self.connect(Timed::Beginning).await?;
        Ok(SubmissionServiceClient::new(connection).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn pictures(&self) -> Result<PictureServiceClient<Connection>, Failure> {
        Ok(PictureServiceClient::new(self.connect(Timed::Whole).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// For answers that go on for as long as they are read.
    pub(super) async fn watched_pictures(&self) -> Result<PictureServiceClient<Connection>, Failure> {
        Ok(PictureServiceClient::new(self.connect(Timed::Beginning).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn keys(&self) -> Result<KeyServiceClient<Connection>, Failure> {
        Ok(KeyServiceClient::new(self.connect(Timed::Whole).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn channel(&self) -> Result<Connection, Failure> {
        self.connect(Timed::Whole).await
    }
}

/// Why there is no connection.
enum NotConnected {
    /// There is no way to the server.
    Unreachable(Unreachable),
    /// It was connected to, and then didn't speak HTTP/2.
    NoHttp2(String),
}

impl NotConnected {
    fn of(error: &tonic::transport::Error) -> Self {
        let unreachable = causes(error).find_map(|cause| cause.downcast_ref::<Unreachable>().cloned());
        unreachable.map_or_else(|| Self::NoHttp2(root_cause(error).to_string()), Self::Unreachable)
    }
}

/// A server's response, or its refusal with the fields as they are.
pub(super) fn response<A>(result: Result<Response<A>, Status>) -> Result<A, Failure> {
    result.map(Response::into_inner).map_err(|status| refusal(&status, str::to_owned))
}

/// Fetches every page. `list` requests the page of a token, which is empty for the first; `take` takes
/// a page and returns the token of the next, which is empty after the last.
pub(super) async fn pages<P>(
    mut list: impl AsyncFnMut(String) -> Result<Response<P>, Status>,
    mut take: impl FnMut(P) -> String,
) -> Result<(), Failure> {
    let mut token = String::new();
    loop {
        token = take(response(list(token).await)?);
        if token.is_empty() {
            return Ok(());
        }
    }
}

/// A server's refusal: its violations, each on a line of its own when there are several. `location`
/// turns a field into where the user wrote it.
pub(super) fn refusal(status: &Status, location: impl Fn(&str) -> String) -> Failure {
    refusal_to(status, location, |step| step)
}

/// The same, of a verb that leads on to other steps than those that help mostly.
pub(super) fn refusal_to(
    status: &Status,
    location: impl Fn(&str) -> String,
    lead: impl Fn(NextStep) -> NextStep,
) -> Failure {
    let exit = Exit::of(status);
    let info = status.get_details_error_info();
    let reason = info.as_ref().and_then(|info| Reason::parse(&info.reason));
    if reason == Some(Reason::PurposeMissing) {
        return Failure::usage("say what you read figures for").and_try(NextStep::after(Reason::PurposeMissing));
    }
    let violations = Found::of(status);
    if violations.listed.is_empty() {
        let step = match (info, reason) {
            (None, _) => without_reason(status),
            (Some(_), Some(reason)) => NextStep::after(reason).or_else(|| missing(status)),
            // A later server's.
            (Some(_), None) => None,
        };
        return Failure::Message(exit, visible(status.message()).into_owned()).and_try(step.map(lead));
    }
    let line = |(field, description): &(String, String)| {
        if field.is_empty() { description.clone() } else { format!("{}: {description}", location(field)) }
    };
    let lines: Vec<String> = violations.listed.iter().map(line).collect();
    let mut steps: Vec<NextStep> = Vec::new();
    let found = violations.listed.iter().filter_map(|(_, description)| NextStep::of_problem(description));
    for step in found.map(lead) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps.into_iter().fold(problems("", &lines, violations.omitted), |failure, step| failure.and_try(Some(step)))
}

/// What there is instead of a thing that isn't there.
fn missing(status: &Status) -> Option<NextStep> {
    NextStep::choices(&status.get_details_resource_info()?.resource_type)
}

/// What helps where no server of ours has said why: the connection broke, or something else answered.
fn without_reason(status: &Status) -> Option<NextStep> {
    match Exit::of(status) {
        Exit::Unreachable if status.code() == Code::DeadlineExceeded => Some(NextStep::Timeout),
        Exit::Unreachable => Some(NextStep::Address),
        Exit::Failed | Exit::Usage | Exit::Refused | Exit::NotAllowed | Exit::Busy | Exit::StartRefused => None,
    }
}

/// How long a server asks to wait before the same is tried again.
pub(super) fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}

/// The most problems that are listed; the others are counted.
const PROBLEMS_SHOWN_MAX: usize = 1_000;

/// Problems of what was sent or was to be, each on a line of its own when there are several. `of_what` says of what, as in ` in a file`;
/// `omitted` is how many there are besides these.
pub(super) fn problems(of_what: &str, lines: &[String], omitted: usize) -> Failure {
    let omitted = omitted + lines.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    let lines = &lines[..lines.len().min(PROBLEMS_SHOWN_MAX)];
    Failure::refused(match (lines, omitted) {
        ([one], 0) => one.clone(),
        (several, 0) => format!("{} problems{of_what}:\n  {}", several.len(), several.join("\n  ")),
        (several, omitted) => {
            let (all, shown) = (several.len() + omitted, several.len());
            format!("{all} problems{of_what}, the first {shown}:\n  {}", several.join("\n  "))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn what_a_server_says_shows_what_cannot_be_seen() {
        let said = |status: &Status| {
            let Failure::Message(_, message) = refusal(status, str::to_owned) else { panic!("{status:?}") };
            message
        };
        assert_eq!(said(&Status::not_found("no a\u{1b}[2J")), "no a\\u{1b}[2J");
        let details = ErrorDetails::with_bad_request_violation("a\u{202e}", "found b\u{1b}");
        let invalid = Status::with_error_details(Code::InvalidArgument, "", details);
        assert_eq!(said(&invalid), "a\\u{202e}: found b\\u{1b}");
        let details = ErrorDetails::with_error_info(Reason::Unauthenticated.text(), "conspectus", HashMap::new());
        let unknown = Status::with_error_details(Code::Unauthenticated, "who is a\u{1b}", details);
        let later = ErrorDetails::with_error_info("A_LATER_REASON", "conspectus", HashMap::new());
        let later = Status::with_error_details(Code::Unavailable, "not now", later);
        assert_eq!(said(&later), "not now");
        assert!(said(&unknown).starts_with("who is a\\u{1b}\nTry: --as NAME"));
    }
}

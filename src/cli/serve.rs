//! `conspectus serve`: runs the server.

mod demo;
mod reload;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueHint};
use rustix::fs::Mode;
use rustix::process::{Signal, umask};
use tokio::signal::unix::SignalKind;
use tokio::sync::oneshot;

use super::advice::this_user;
use super::failure::{Exit, Failure};
use super::log;
use super::log::FilterChange;
use super::log_filter::Filter;
use super::secret::warn_if_open;
use super::settings::Settings;
use super::sign_in_args::SignInArgs;
use super::traces::Traces;
use crate::audit::{self, Accepted, SegmentLimits};
use crate::http::PageOrigin;
use crate::journal;
use crate::metrics::Registry;
use crate::model::violation::Quoted;
use crate::model::zone::Zone;
use crate::net::{self, tls};
use crate::rpc::{CallRate, Limits};
use crate::server::{self, Admin, Config, Listen, Network, Web};

const LISTEN_DEFAULT: &str = "127.0.0.1:50051";
const WEB_PORT_DEFAULT: u16 = 50_080;

/// Run the server, until Ctrl-C or SIGTERM.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus serve --demo --data conspectus-demo\n  conspectus serve --config /etc/conspectus/conspectus.toml --listen 127.0.0.1:50051"
)]
pub(super) struct Args {
    /// A file of settings, in TOML: what isn't given here or by a variable is taken from it.
    #[arg(long, env = "CONSPECTUS_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, env = "CONSPECTUS_LISTEN", default_value = LISTEN_DEFAULT, value_name = "ADDRESS", value_parser = address)]
    listen: SocketAddr,
    /// Serve the page, for browsers, at this address too. The demo does so at 127.0.0.1:50080, unless another is given.
    #[arg(long, env = "CONSPECTUS_WEB", value_name = "ADDRESS", value_parser = address)]
    web: Option<SocketAddr>,
    #[command(flatten)]
    sign_in: SignInArgs,
    /// Serve /metrics, /livez and /readyz, for monitoring, at this address too.
    #[arg(long, env = "CONSPECTUS_ADMIN", value_name = "ADDRESS", value_parser = address)]
    admin: Option<SocketAddr>,
    /// Serve them where the network can reach them, though no key is asked for there.
    #[arg(long, env = "CONSPECTUS_ALLOW_ADMIN_NETWORK", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    allow_admin_network: bool,
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data", value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// The time zone of days: of due dates, and of today.
    #[arg(long, env = "CONSPECTUS_TIME_ZONE", default_value = Zone::DEFAULT, value_name = "ZONE")]
    time_zone: Zone,
    /// The server's TLS certificate, with any intermediate certificates: PEM.
    #[arg(long, env = "CONSPECTUS_TLS_CERT", value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key: PEM.
    #[arg(long, env = "CONSPECTUS_TLS_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_key: Option<PathBuf>,
    /// The oldest version of TLS that is accepted: 1.2 or 1.3.
    #[arg(long, env = "CONSPECTUS_TLS_MIN", default_value_t, value_name = "VERSION")]
    tls_min: tls::Version,
    /// The authorities whose client certificates are accepted: PEM.
    #[arg(long, env = "CONSPECTUS_CLIENT_CA", value_name = "FILE", value_hint = ValueHint::FilePath)]
    client_ca: Option<PathBuf>,
    /// The lists of revoked certificates of these authorities, one for each: PEM.
    #[arg(long, env = "CONSPECTUS_CLIENT_CRL", value_name = "FILE", value_hint = ValueHint::FilePath)]
    client_crl: Option<PathBuf>,
    /// Serve the network without TLS: only behind something that encrypts, such as a TLS proxy.
    #[arg(long, env = "CONSPECTUS_ALLOW_PLAINTEXT_NETWORK", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    allow_plaintext_network: bool,
    /// Serve reflection to the network too; otherwise only to this machine.
    #[arg(long, env = "CONSPECTUS_REFLECTION", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    reflection: bool,
    /// A page elsewhere whose scripts may call: its origin, such as https://intranet.example.gov.uk. May be given again.
    #[arg(long = "page-origin", env = "CONSPECTUS_PAGE_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    page_origins: Vec<PageOrigin>,
    /// How many calls an identity may make in a second, on average.
    #[arg(long, env = "CONSPECTUS_CALLS_A_SECOND", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    calls_a_second: u32,
    /// What to log: off, error, warn, info, debug or trace, or levels of their own for modules besides, such as
    /// warn,conspectus::net=debug.
    #[arg(long, env = "CONSPECTUS_LOG", default_value = "info", value_name = "FILTER")]
    log: Filter,
    /// How the log is written, on standard error: as text, or as json, an object a line.
    #[arg(long, env = "CONSPECTUS_LOG_FORMAT", default_value_t, value_name = "FORMAT")]
    pub(super) log_format: log::Format,
    /// Load the demo's figures, once: two published reports, and made-up figures that are marked so.
    #[arg(long)]
    demo: bool,
    /// How many seconds open calls have to end when the server stops.
    #[arg(long, env = "CONSPECTUS_DRAIN_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=server::DRAIN_TIMEOUT_MAX.as_secs()))]
    drain_seconds: u64,
    /// How many seconds calls are still let in once the server is to stop, so that whoever balances load learns of it from
    /// its health first.
    #[arg(long, env = "CONSPECTUS_LAME_DUCK_SECONDS", default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3_600))]
    lame_duck_seconds: u64,
    /// After how many days the journal and the audit log are read again, slowly, and verified; 0 for never.
    #[arg(long, env = "CONSPECTUS_SCRUB_DAYS", default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(..=366))]
    scrub_days: u16,
    /// How long a file of the audit log may be before it is closed and the next begins, in MiB.
    #[arg(long, env = "CONSPECTUS_AUDIT_SEGMENT_MIB", default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    audit_segment_mib: u64,
    /// How many days after its first line a file of the audit log is closed all the same.
    #[arg(long, env = "CONSPECTUS_AUDIT_SEGMENT_DAYS", default_value_t = 31, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3_660))]
    audit_segment_days: u64,
    /// After how many days the audit log's closed files are deleted, which the log then says; without it they never are.
    #[arg(long, env = "CONSPECTUS_AUDIT_KEEP_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=36_600))]
    audit_keep_days: Option<u16>,
    /// Start though the clock is more than an hour behind what was written last: for when the clock is right now, and
    /// wasn't then. Entries are stamped as just after the newest one until the clock has passed it.
    #[arg(long)]
    accept_clock_behind_journal: bool,
    /// Start though the audit log lacks lines that the journal knows of. What is there is set aside, and the log goes on
    /// with a line that says so.
    #[arg(long)]
    accept_lost_audit_lines: bool,
    /// Start though the journal is older than the audit log, as after a restore. Keys that the log knows to be revoked
    /// since are revoked again.
    #[arg(long)]
    accept_older_journal: bool,
}

/// An address to listen on.
///
/// # Errors
/// In words, when it isn't one.
fn address(text: &str) -> Result<SocketAddr, String> {
    let refused = |_| format!("found {}; allowed: an IP address and a port, such as {LISTEN_DEFAULT}", Quoted(text));
    text.parse().map_err(refused)
}

impl Args {
    /// What to log.
    pub(super) fn log_filter(&self) -> &Filter {
        &self.log
    }

    /// What a start would refuse, as far as that shows without one.
    pub(super) async fn refused(&self) -> Vec<Failure> {
        let mut refused = Vec::new();
        let mut note = |result: Result<(), Failure>| refused.extend(result.err());
        let tls = self.tls();
        if let Some(tls) = &tls {
            warn_if_open(&tls.key);
            note(tls.check().await.map_err(Failure::from));
        }
        let (is_tls, is_allowed) = (tls.is_some(), self.allow_plaintext_network);
        for address in std::iter::once(self.listen).chain(self.web) {
            note(server::check_encrypted(address, is_tls || is_allowed).map_err(failure));
        }
        if let (Some(address), None) = (self.web, &self.sign_in.web_url) {
            note(server::web_url(address, is_tls).map(drop).map_err(failure));
        }
        if let Some(address) = self.admin {
            note(server::check_admin(address, self.allow_admin_network).map_err(failure));
        }
        note(self.sign_in.provider().map(drop));
        refused
    }

    fn tls(&self) -> Option<tls::Settings> {
        let (certificate, key) = self.tls_cert.clone().zip(self.tls_key.clone())?;
        Some(tls::Settings {
            min: self.tls_min,
            certificate,
            key,
            client_authorities: self.client_ca.clone(),
            client_revocations: self.client_crl.clone(),
            reload_every: tls::RELOAD_EVERY_DEFAULT,
        })
    }
}

pub(super) async fn run(args: Args, settings: Settings, change_filter: FilterChange) -> Result<(), Failure> {
    settings.check(&[])?;
    for overridden in settings.overridden() {
        tracing::warn!("{overridden}");
    }
    // Also what other libraries create is its owner's alone.
    umask(Mode::RWXG | Mode::RWXO);
    let network = network(&args)?;
    let rate = network.limits.calls_a_second_of_identity_max.clone();
    let reload = reload::at_hangup(args.tls_cert.is_some(), settings, move |args: &Args| {
        rate.set(args.calls_a_second);
        change_filter(&args.log);
    })?;
    // What is refused is never listened on: by its flags, before it is bound; for want of identities, before the
    // server listens.
    network.check(args.listen).map_err(failure)?;
    let at = bind(args.listen, "")?;
    let address = at.local_addr()?;
    let web = web(&args)?;
    let admin = admin(&args)?;
    let page = web.as_ref().map(|web| web.listen.local_addr()).transpose()?;
    tracing::info!(%address, data = %args.data.display(), "starting");
    let mut demo_keys = None;
    if args.demo {
        let (sender, keys) = oneshot::channel();
        demo_keys = Some(sender);
        let is_tls = args.tls_cert.is_some();
        tokio::spawn(async move {
            // The server goes on without a reader of its standard output.
            if let Err(Failure::Message(_, message)) = demo::show(address, LISTEN_DEFAULT, page, is_tls, keys).await {
                tracing::error!("the demo's picture can't be shown: {message}");
            }
        });
    }
    let traces = Traces::start()?;
    let config = Config {
        tracer: traces.as_ref().map(Traces::tracer),
        network,
        web,
        admin,
        demo: args.demo,
        zone: args.time_zone,
        drain_timeout: Duration::from_secs(args.drain_seconds),
        lame_duck: Duration::from_secs(args.lame_duck_seconds),
        scrub_every: (args.scrub_days > 0).then(|| Duration::from_secs(24 * 3_600) * u32::from(args.scrub_days)),
        accept_clock_behind_journal: args.accept_clock_behind_journal,
        reload,
        demo_keys,
        audit_segments: SegmentLimits {
            bytes_max: args.audit_segment_mib << 20,
            age_max: Duration::from_secs(args.audit_segment_days * 24 * 3_600),
        },
        audit_keep_days: args.audit_keep_days,
        accepted: Accepted { lost_lines: args.accept_lost_audit_lines, older_journal: args.accept_older_journal },
        ..Config::new(args.data)
    };
    let ended = server::run(at, config, signal()).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    ended.map_err(failure)
}

/// Why a server ends, or doesn't start, with the status by which whoever starts it again knows whether that is of any use.
fn failure(error: server::Error) -> Failure {
    use server::Error;
    let exit = match &error {
        Error::Plaintext(_) | Error::AdminOnNetwork(_) | Error::NoWebUrl(_) => Some(Exit::Usage),
        Error::Open(_) => Some(Exit::StartRefused),
        Error::Journal(error) => match error {
            journal::Error::Corrupt { .. } | journal::Error::LaterFormat(_) | journal::Error::FormatFile { .. } => {
                Some(Exit::StartRefused)
            }
            journal::Error::Conflict { .. }
            | journal::Error::TooLarge { .. }
            | journal::Error::NoRoom { .. }
            | journal::Error::Poisoned { .. }
            | journal::Error::Locked { .. }
            | journal::Error::Io { .. } => None,
        },
        Error::Audit(error) => match error {
            audit::Error::Lost { .. }
            | audit::Error::OlderJournal { .. }
            | audit::Error::Missing { .. }
            | audit::Error::Damaged { .. } => Some(Exit::StartRefused),
            audit::Error::Io { .. } => None,
        },
        // A clock may be set, and a file be put in its place, meanwhile.
        Error::ClockBehind(_)
        | Error::Tls(_)
        | Error::Unrevoked(_)
        | Error::Folder { .. }
        | Error::Reflection(_)
        | Error::Random(_)
        | Error::Demo(_)
        | Error::Unaudited(_)
        | Error::NotPruned(_)
        | Error::Listener(_)
        | Error::Write(_)
        | Error::Task(_) => None,
    };
    match (exit, Failure::from(error)) {
        (Some(exit), Failure::Message(_, message)) => Failure::Message(exit, message),
        (_, failure) => failure,
    }
}

/// Listens at an address for something, which its error names.
fn bind(address: SocketAddr, what: &str) -> Result<Listen, Failure> {
    const PRIVILEGED_BELOW: u16 = 1_024;
    Listen::bind(address).map_err(|error| {
        let is_privileged = error.kind() == ErrorKind::PermissionDenied && address.port() < PRIVILEGED_BELOW;
        let why = if is_privileged {
            let user = this_user();
            format!(": the user {user} may not listen on ports below {PRIVILEGED_BELOW}; docs/page.md has what to do")
        } else {
            String::new()
        };
        Failure::failed(format!("can't listen on {address}{what}: {error}{why}"))
    })
}

/// Where the page is. The demo's is at the page's usual port if the server is at its own, and else at one that is free.
fn web(args: &Args) -> Result<Option<Web>, Failure> {
    let usual: SocketAddr = (Ipv4Addr::LOCALHOST, WEB_PORT_DEFAULT).into();
    let free = (Ipv4Addr::LOCALHOST, 0).into();
    let of_demo = if args.listen.to_string() == LISTEN_DEFAULT { usual } else { free };
    let Some(address) = args.web.or(args.demo.then_some(of_demo)) else { return Ok(None) };
    let listen = bind(address, " for the page")?;
    Ok(Some(Web { listen, at: args.sign_in.web_url.clone(), provider: args.sign_in.provider()? }))
}

/// Where operators' tools ask.
fn admin(args: &Args) -> Result<Option<Admin>, Failure> {
    let Some(address) = args.admin else { return Ok(None) };
    let allow_network = args.allow_admin_network;
    let listen = bind(address, " for metrics")?;
    let mut metrics = Registry::default();
    log::register(&mut metrics);
    Ok(Some(Admin { listen, allow_network, metrics }))
}

/// Who is let in from the network, and how much of it.
fn network(args: &Args) -> Result<Network, Failure> {
    let bounds = bounds_within(descriptors())?;
    let tls = args.tls();
    if let Some(tls) = &tls {
        warn_if_open(&tls.key);
    }
    let limits = Limits { calls_a_second_of_identity_max: CallRate::new(args.calls_a_second), ..Limits::default() };
    Ok(Network {
        tls,
        allow_plaintext_network: args.allow_plaintext_network,
        reflection: args.reflection,
        page_origins: args.page_origins.clone(),
        bounds,
        limits,
    })
}

/// Has the allocator keep few arenas, by starting the program again: that can be said only before it starts. glibc has
/// up to eight for each core, and each keeps what its threads have freed: more than half of the memory that bursts of
/// large requests took above the data. Who has set the variable knows better.
pub(super) fn keep_few_arenas() {
    const VARIABLE: &str = "MALLOC_ARENA_MAX";
    let is_set = [VARIABLE, "GLIBC_TUNABLES"].iter().any(|name| std::env::var_os(name).is_some());
    if cfg!(not(target_env = "gnu")) || is_set {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut args = std::env::args_os();
    let mut again = Command::new(program);
    again.arg0(args.next().unwrap_or_default()).args(args).env(VARIABLE, cores.to_string());
    // It returns where that fails, as when the program's file was replaced: then there are more of them.
    let _: std::io::Error = again.exec();
}

/// File descriptors that aren't for connections: the journal's, the logs', and some to spare.
const DESCRIPTORS_KEPT: usize = 128;
/// With fewer there would be too few connections to serve anybody well.
const DESCRIPTORS_MIN: usize = 2 * DESCRIPTORS_KEPT;

/// The bounds of a process that may have so many open files.
fn bounds_within(descriptors: usize) -> Result<net::Bounds, Failure> {
    if descriptors < DESCRIPTORS_MIN {
        return Err(Failure::failed(format!(
            "the system allows this process {descriptors} open files, and {DESCRIPTORS_MIN} are needed: {DESCRIPTORS_KEPT} for itself, and one for each connection; raise the limit (`ulimit -n`)"
        )));
    }
    let bounds = net::Bounds::default();
    Ok(net::Bounds { connections_max: bounds.connections_max.min(descriptors - DESCRIPTORS_KEPT), ..bounds })
}

/// Raises this process's limit of file descriptors as far as the system allows, and returns it.
fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    let allowed = if setrlimit(Resource::Nofile, limit).is_ok() { limit.current } else { soft };
    allowed.map_or(usize::MAX, |allowed| usize::try_from(allowed).unwrap_or(usize::MAX))
}

/// Has a write past the system's limit of file sizes (`ulimit -f`) fail, as one to a full disk does. Unhandled, its signal
/// ends the process.
pub(super) fn survive_file_size_limit() -> Result<(), Failure> {
    // A handler stays once there was one.
    drop(tokio::signal::unix::signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
    Ok(())
}

/// Ends at Ctrl-C or SIGTERM.
async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(interrupt.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_connections_than_files_may_be_open() {
        let connections = |descriptors| bounds_within(descriptors).map(|bounds| bounds.connections_max);
        assert!(connections(255).is_err());
        assert_eq!(connections(256).unwrap(), 128);
        assert_eq!(connections(usize::MAX).unwrap(), net::Bounds::default().connections_max);
    }
}

//! `conspectus serve`: runs the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::connect::{Server, key_variable};
use super::{Failure, health, picture};
use crate::access::Secret;
use crate::model::id::IdentityId;
use crate::net::{self, tls};
use crate::rpc::Limits;
use crate::server::{self, Config, Network};

/// What the demo reads figures for.
const DEMO_PURPOSE: &str = "trying the demo";
const LISTEN_DEFAULT: &str = "127.0.0.1:50051";

/// Run the server, until Ctrl-C or SIGTERM.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// The address to listen on.
    #[arg(long, env = "CONSPECTUS_LISTEN", default_value = LISTEN_DEFAULT)]
    listen: SocketAddr,
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Its TLS certificate, and those between it and its authority: PEM.
    #[arg(long, env = "CONSPECTUS_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key: PEM.
    #[arg(long, env = "CONSPECTUS_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The authorities whose client certificates are taken: PEM.
    #[arg(long, env = "CONSPECTUS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// These authorities' lists of revoked certificates, one of each: PEM.
    #[arg(long, env = "CONSPECTUS_CLIENT_CRL", value_name = "FILE", requires = "client_ca")]
    client_crl: Option<PathBuf>,
    /// Speak in clear to the network: only where something in front of it makes what is said secret.
    #[arg(long, conflicts_with = "tls_cert")]
    allow_plaintext_network: bool,
    /// Tell the API by reflection to the network too, and not to this machine alone.
    #[arg(long)]
    reflection: bool,
    /// How many calls an identity may begin in a second, over time.
    #[arg(long, env = "CONSPECTUS_CALLS_A_SECOND", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    calls_a_second: u32,
    /// Load the demo, once: two published reports, and made-up figures marked so.
    #[arg(long)]
    demo: bool,
    /// How many seconds calls may take to end once the server is told to stop.
    #[arg(long, env = "CONSPECTUS_DRAIN_SECONDS", default_value_t = 10)]
    drain_seconds: u64,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure(format!("can't listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, data = %args.data.display(), "listening");
    let (demo_keys, keys) = mpsc::unbounded_channel();
    if args.demo {
        tokio::spawn(show_demo(address, args.tls_cert.is_some(), keys));
    }
    let files = args.tls_cert.zip(args.tls_key).map(|(certificate, key)| tls::Files {
        certificate,
        key,
        client_authorities: args.client_ca,
        client_revocations: args.client_crl,
        reload_every: tls::RELOAD_EVERY_DEFAULT,
    });
    let mut bounds = net::Bounds::default();
    bounds.connections_max = bounds.connections_max.min(descriptors().saturating_sub(DESCRIPTORS_KEPT));
    let network = Network {
        tls: files,
        allow_plaintext_network: args.allow_plaintext_network,
        reflection: args.reflection,
        bounds,
        limits: Limits { calls_a_second_of_identity_max: args.calls_a_second, ..Limits::default() },
    };
    let config = Config {
        network,
        demo: args.demo,
        drain_timeout: Duration::from_secs(args.drain_seconds),
        demo_keys: args.demo.then_some(demo_keys),
        ..Config::new(args.data)
    };
    Ok(server::run(listener, config, signal()).await?)
}

/// File descriptors that are no connections: the journal's, the logs', and some to spare.
const DESCRIPTORS_KEPT: usize = 128;

/// How many file descriptors this process may have: as many as the system allows it.
fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    let allowed = if setrlimit(Resource::Nofile, limit).is_ok() { limit.current } else { soft };
    allowed.map_or(usize::MAX, |allowed| usize::try_from(allowed).unwrap_or(usize::MAX))
}

/// Once the server serves, asks it for a picture, as anyone would, and shows it.
async fn show_demo(
    mut address: SocketAddr,
    is_tls: bool,
    mut keys: mpsc::UnboundedReceiver<Vec<(IdentityId, Secret)>>,
) {
    const ASK_EVERY: Duration = Duration::from_millis(50);
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let Some(keys) = keys.recv().await else { return };
    if is_tls {
        // The server's name and authority are for its callers to know.
        println!(
            "{}\nServing on {address}. In another terminal, set these, and ask with --server and --ca.",
            exports(&keys)
        );
        return;
    }
    let analyst = keys.iter().find(|(id, _)| id.as_str() == "analyst").map(|(_, secret)| secret.reveal());
    let server = Server::at(address);
    let server = match analyst {
        Some(key) => server.with_key(key, DEMO_PURPOSE),
        None => server,
    };
    while health::check(&server, String::new()).await.is_err() {
        tokio::time::sleep(ASK_EVERY).await;
    }
    let program = std::env::args().next().unwrap_or_else(|| "conspectus".to_owned());
    let elsewhere =
        if address.to_string() == LISTEN_DEFAULT { String::new() } else { format!(" --server http://{address}") };
    match picture::show(&server, "E10000014", "FY2021-22").await {
        Ok(table) => println!(
            "{table}\n{}\nServing on {address}. In another terminal, set these, and ask for another picture, such as\n  {program} picture HIPS FY2020-21{elsewhere}",
            exports(&keys)
        ),
        Err(failure) => tracing::error!("the demo's picture can't be shown: {}", failure.0),
    }
}

/// The demo's keys, as a shell takes them. The analyst's is the one that is used unless told otherwise.
fn exports(keys: &[(IdentityId, Secret)]) -> String {
    if keys.is_empty() {
        return "There are other identities in this data folder, so no keys are made for the demo.\n".to_owned();
    }
    let line =
        |(id, secret): &(IdentityId, Secret)| format!("export {}={}\n", key_variable(id.as_str()), secret.reveal());
    let lines: String = keys.iter().map(line).collect();
    format!(
        "{lines}export {}=\"${}\" CONSPECTUS_PURPOSE=\"{DEMO_PURPOSE}\"\n",
        "CONSPECTUS_KEY",
        key_variable("analyst")
    )
}

/// Ends at Ctrl-C or SIGTERM.
async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    drop(interrupt.await);
}

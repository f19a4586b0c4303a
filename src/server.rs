//! The wiring: the only file that sees everything.
//!
//! [`run`] takes a listener and a shutdown signal, so that a test owns the port and the stop. It
//! answers health checks at once, with `NOT_SERVING` until the journal is replayed; opens the gate
//! when it is; and on shutdown lets calls end within a deadline.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tower::layer::util::{Identity, Stack};

use crate::access::{AccessChange, Secret};
use crate::entry::codec;
use crate::intake::admit::ChangeAccess;
use crate::intake::writer::{self, WriteError};
use crate::journal::{self, DiskJournal, Journal};
use crate::model::id::IdentityId;
use crate::model::timestamp::Timestamp;
use crate::net::tls::{self, Tls};
use crate::rpc::proto::catalogue_service_server::CatalogueServiceServer;
use crate::rpc::proto::key_service_server::KeyServiceServer;
use crate::rpc::proto::picture_service_server::PictureServiceServer;
use crate::rpc::proto::submission_service_server::SubmissionServiceServer;
use crate::rpc::{
    Catalogue, Context, FILE_DESCRIPTOR_SET, Gate, Guard, Keys, Limits, Picture, RECEIVED_BYTES_MAX, Submissions,
};
use crate::state::{Replay, State};
use crate::{audit, demo, net};

/// How many calls one connection may have open at once. hyper's own guard, which tonic removes
/// by default.
const CONCURRENT_STREAMS_MAX: u32 = 256;
/// How many streams that the peer broke a connection may have reset (rapid reset, made you reset).
const LOCAL_RESETS_MAX: usize = 1_024;
/// How many streams the peer may reset before they are accepted.
const PENDING_RESETS_MAX: usize = 20;
/// Header lists are small: metadata of a call.
const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// The largest frame that a peer may send: HTTP/2's own default, and least.
const FRAME_BYTES_MAX: u32 = 16 << 10;
/// How much a peer may send of one stream, and of all of a connection, before it is read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How often the file of when keys were last used is written.
const LAST_USED_EVERY: Duration = Duration::from_secs(60);
/// A connection this old is asked to make another, and ended after a while more: so every caller comes
/// by today's certificates, and streams resume.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3_600);
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(300);
/// Notices a peer that is gone without closing its connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long calls may take to end at a stop, by default.
pub(crate) const DRAIN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The services whose health is served, beside that of the server as a whole.
const SERVICES: [&str; 4] = [
    "conspectus.v1.CatalogueService",
    "conspectus.v1.KeyService",
    "conspectus.v1.PictureService",
    "conspectus.v1.SubmissionService",
];
/// The one that stops when the journal fails.
const SUBMISSIONS: &str = SERVICES[3];

/// Takes the demo's identities, each with its key.
pub type DemoKeys = mpsc::UnboundedSender<Vec<(IdentityId, Secret)>>;

/// How a server runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Whether to load the published figures and the sample ones, once.
    pub demo: bool,
    /// How long calls may take to end at a stop.
    pub drain_timeout: Duration,
    /// Who is let in from the network, and how much of it.
    pub network: Network,
    /// Where the demo's keys go. With none, none are made, and the demo is open.
    pub demo_keys: Option<DemoKeys>,
}

impl Config {
    /// A server on a data folder, with nothing asked for beyond that.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            demo: false,
            drain_timeout: DRAIN_TIMEOUT_DEFAULT,
            network: Network::default(),
            demo_keys: None,
        }
    }
}

/// Who is let in from the network, and how much of it.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The certificates; without any, nothing is encrypted, and only this machine is served.
    pub tls: Option<tls::Files>,
    /// Serve the network unencrypted all the same: something in front encrypts.
    pub allow_plaintext_network: bool,
    /// Serve the protos by reflection to the network too, as to this machine.
    pub reflection: bool,
    /// Bounds of the connections.
    pub bounds: net::Bounds,
    /// Bounds of the calls.
    pub limits: Limits,
}

/// Why a server stopped, or didn't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal can't be opened, or isn't what was written.
    #[error("{0}")]
    Journal(#[from] journal::Error),
    /// The network failed.
    #[error("the network failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The reflection service can't be built.
    #[error("the reflection service can't be built: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The demo's figures were refused.
    #[error("the demo can't be loaded: {0}")]
    Demo(#[from] demo::Error),
    /// The audit log can't be opened, or isn't what was written.
    #[error("{0}")]
    Audit(#[from] audit::Error),
    /// A change of keys isn't in the audit log.
    #[error("{0}")]
    Unaudited(#[from] audit::Unwritten),
    /// The network can reach the server, and nobody has credentials.
    #[error(
        "there are no credentials, so anyone who can reach {0} could read and write everything; listen on this machine only, or make a first key: `conspectus key create --data FOLDER --role operator`"
    )]
    Open(SocketAddr),
    /// Without TLS, the network could listen.
    #[error(
        "{0} can be reached from the network, and nothing is secret without TLS: give --tls-cert and --tls-key, or, behind something that makes it secret, --allow-plaintext-network"
    )]
    Plaintext(SocketAddr),
    /// The certificates can't be used.
    #[error("{0}")]
    Tls(#[from] tls::Error),
    /// The listener is gone.
    #[error("the listener failed: {0}")]
    Listener(std::io::Error),
    /// A change was refused.
    #[error("{0}")]
    Write(WriteError),
    /// A task of the server panicked.
    #[error("a part of the server failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Serves on a listener until the shutdown signal, then drains.
///
/// # Errors
/// When the journal or the network fail; the journal is closed by then.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::Listener)?;
    if !address.ip().is_loopback() && config.network.tls.is_none() && !config.network.allow_plaintext_network {
        return Err(Error::Plaintext(address));
    }
    let tls = match &config.network.tls {
        Some(files) => Some(Tls::start(files.clone()).await?),
        None => None,
    };
    let gate = Gate::default();
    let guard = Guard::new(gate.clone(), config.network.limits);
    let (health, health_service) = tonic_health::server::health_reporter();
    set_health(&health, ServingStatus::NotServing).await;
    let (stop, stopped) = watch::channel(false);

    let is_reflected = address.ip().is_loopback() || config.network.reflection;
    let router = router(&gate, &guard, health_service, is_reflected)?;
    let mut until = stopped.clone();
    let incoming = net::accept(listener, tls, config.network.bounds);
    let serving = tokio::spawn(router.serve_with_incoming_shutdown(incoming, async move {
        drop(until.wait_for(|stop| *stop).await);
    }));

    let outcome = serve(&config, address, (&gate, &guard), &health, stopped, shutdown).await;
    let deadline = tokio::time::Instant::now() + config.drain_timeout;
    set_health(&health, ServingStatus::NotServing).await;
    end_watches(health).await;
    stop.send_replace(true);
    let abort = serving.abort_handle();
    match tokio::time::timeout_at(deadline, serving).await {
        Ok(ended) => ended??,
        Err(_) => {
            let seconds = config.drain_timeout.as_secs_f64();
            tracing::warn!(seconds, "calls were still open at the deadline: they are cut off");
            abort.abort();
        }
    }
    save_last_used_now(guard, config.data).await;
    drop(gate);
    if let Some(writer) = outcome? {
        // The gate's handles are gone with the calls; the writer ends once its queue is empty.
        drop(tokio::time::timeout_at(deadline, tokio::task::spawn_blocking(move || writer.join())).await);
    }
    Ok(())
}

/// The services behind the guard, and the bounds of HTTP/2.
fn router(
    gate: &Gate,
    guard: &Guard,
    health: HealthServer<impl Health>,
    is_reflected: bool,
) -> Result<Router<Stack<Guard, Identity>>, Error> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let catalogue = CatalogueServiceServer::new(Catalogue(gate.clone()));
    let keys = KeyServiceServer::new(Keys::new(gate.clone(), guard.clone()));
    let pictures = PictureServiceServer::new(Picture::new(gate.clone()));
    let submissions = SubmissionServiceServer::new(Submissions::new(gate.clone()));
    Ok(Server::builder()
        .max_concurrent_streams(CONCURRENT_STREAMS_MAX)
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_connection_age(CONNECTION_AGE_MAX)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(guard.clone())
        .add_service(health)
        .add_optional_service(is_reflected.then(|| reflection().build_v1()).transpose()?)
        .add_optional_service(is_reflected.then(|| reflection().build_v1alpha()).transpose()?)
        .add_service(catalogue.max_decoding_message_size(RECEIVED_BYTES_MAX))
        .add_service(keys.max_decoding_message_size(RECEIVED_BYTES_MAX))
        .add_service(pictures.max_decoding_message_size(RECEIVED_BYTES_MAX))
        .add_service(submissions.max_decoding_message_size(RECEIVED_BYTES_MAX)))
}

type WriterThread = std::thread::JoinHandle<()>;

/// Opens the journal, replays it, opens the gate, and waits for the shutdown signal.
async fn serve(
    config: &Config,
    address: SocketAddr,
    (gate, guard): (&Gate, &Guard),
    health: &HealthReporter,
    stopping: watch::Receiver<bool>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Option<WriterThread>, Error> {
    let (folder, last_used) = (config.data.clone(), guard.clone());
    let mut opening = tokio::task::spawn_blocking(move || {
        let (journal, state) = replay(&folder)?;
        last_used.used().load(&folder);
        Ok::<_, Error>((journal, state, audit::Log::open(&folder, now())?))
    });
    tokio::pin!(shutdown);
    let (journal, state, audit) = tokio::select! {
        opened = &mut opening => opened??,
        () = &mut shutdown => return Ok(None),
    };
    let reader = journal.reader();
    let running = writer::start(Box::new(journal), state, now);
    let context = Context { writer: running.handle, state: running.state, reader, clock: Arc::new(now), stopping };
    if config.demo {
        load_demo(&context, &audit, config.demo_keys.as_ref()).await?;
    }
    if context.state.borrow().access().is_empty() {
        if !address.ip().is_loopback() {
            return Err(Error::Open(address));
        }
        tracing::warn!(%address, "NO CREDENTIALS ARE CONFIGURED: anyone on this machine can read and write everything, and nothing is audited");
    }
    guard.audit(audit);
    tokio::spawn(save_last_used(guard.clone(), config.data.clone(), context.stopping.clone()));
    gate.open(context);
    set_health(health, ServingStatus::Serving).await;
    let mut failure = running.failure;
    let failed = async { failure.wait_for(Option::is_some).await.is_ok() };
    tokio::select! {
        () = &mut shutdown => tracing::info!("stopping"),
        failed = failed => {
            // Reads go on; writes are refused, and health says so.
            if failed {
                health.set_service_status(SUBMISSIONS, ServingStatus::NotServing).await;
            }
            shutdown.await;
        }
    }
    Ok(Some(running.thread))
}

/// Loads the demo, and makes keys for it where somebody wants them.
async fn load_demo(context: &Context, audit: &audit::Log, receiver: Option<&DemoKeys>) -> Result<(), Error> {
    demo::load(context).await?;
    let Some(receiver) = receiver else { return Ok(()) };
    let keys = demo::keys(context).await?;
    for (identity, key) in &keys {
        let scope = format!("on this machine: the demo's key {} of {identity}", key.id());
        audit.write(now(), audit::Line::without_call(audit::Event::Keys, scope)).await?;
    }
    // Whoever asked for them may have gone.
    drop(receiver.send(keys));
    Ok(())
}

/// Opens the journal in a folder and replays it.
///
/// # Errors
/// When the journal isn't what was written: it is then not served from.
pub fn replay(folder: &Path) -> Result<(DiskJournal, State), journal::Error> {
    let start = Instant::now();
    let mut replayed = Replay::default();
    let decode = |stored: &journal::Stored| {
        codec::decode(&stored.payload).map_err(|error| journal::Error::Corrupt {
            location: format!("revision {}", stored.revision),
            what: error.to_string(),
        })
    };
    let journal = DiskJournal::open_and_replay(folder, decode, |entry| replayed.apply(&entry))?;
    let state = replayed.finish();
    let (tail, milliseconds) = (journal.tail(), start.elapsed().as_millis());
    tracing::info!(revision = tail.revision.0, chain = %tail.hash, milliseconds, "the journal is replayed and its chain verified");
    Ok((journal, state))
}

/// Writes when keys were last used to a file, now and then, until the stop.
async fn save_last_used(guard: Guard, folder: PathBuf, mut stopping: watch::Receiver<bool>) {
    while tokio::time::timeout(LAST_USED_EVERY, stopping.wait_for(|stop| *stop)).await.is_err() {
        save_last_used_now(guard.clone(), folder.clone()).await;
    }
}

async fn save_last_used_now(guard: Guard, folder: PathBuf) {
    let saved = tokio::task::spawn_blocking(move || guard.used().save(&folder)).await;
    if let Err(error) = saved.unwrap_or_else(|error| Err(error.into())) {
        tracing::warn!(%error, "when keys were last used can't be written");
    }
}

/// Changes identities or keys in a data folder that no server runs on.
///
/// # Errors
/// When the journal is in use or can't be opened, or the change is refused.
pub(crate) async fn change_access_offline(folder: &Path, change: AccessChange) -> Result<(), Error> {
    let (journal, state) = replay(folder)?;
    let running = writer::start(Box::new(journal), state, now);
    let line = audit::Line::without_call(audit::Event::Keys, format!("on this machine: {change}"));
    let written = running.handle.write(ChangeAccess(vec![change])).await;
    if written.is_ok() {
        audit::Log::open(folder, now())?.write(now(), line).await?;
    }
    drop(running.handle);
    // The journal is closed once the thread has ended.
    drop(tokio::task::spawn_blocking(move || running.thread.join()).await?);
    written.map(drop).map_err(Error::Write)
}

async fn set_health(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// Ends the streams of those who watch the health. They have its last change; left open, each would hold
/// up the stop until its deadline.
async fn end_watches(mut health: HealthReporter) {
    for service in SERVICES.iter().chain(&[""]) {
        health.clear_service_status(service).await;
    }
}

/// The time of day, read here alone and passed down. Beside it, `net` and the guard measure how long
/// things take, and TLS asks the system itself whether a certificate holds.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

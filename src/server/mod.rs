//! The wiring: opens the journal, starts the writer, and serves behind the guard.
//!
//! [`run`] takes an address and a shutdown signal, so that a test owns the port and the stop. It
//! answers health checks with `NOT_SERVING` until the journal is replayed, on this machine at once,
//! and to the network once it is known that there are identities; opens the gate when it is replayed;
//! and on shutdown lets calls end within a deadline.

mod admin;
mod audited;
mod clock;
mod conditions;
mod config;
mod control;
mod error;
mod health;
mod listen;
mod measured;
mod offline;
mod process;
mod readiness;
mod replay;
mod retention;
mod scrub;
mod served;
mod service_manager;
mod serving;
mod status;
mod upgrade;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, watch};
use tonic_health::server::HealthReporter;

pub use audited::Unrevoked;
use audited::{ON_THIS_MACHINE, Recorder};
pub use clock::ClockBehind;
use clock::{Newest, Watched};
use conditions::Conditions;
pub use config::{Admin, Clock, Config, DemoKeys, Network, Web};
pub(crate) use config::{DRAIN_TIMEOUT_MAX, check_admin, check_encrypted, web_url};
use control::Control;
pub(crate) use control::{
    BROKEN_OFF, BackupRequest, Refused, TakenBackup, VerifiedBackup, path as control_path, socket,
};
pub use error::Error;
use health::{end_watches, set_not_serving};
pub use listen::Listen;
use listen::Start;
use measured::Measured;
pub(crate) use offline::{OpenFolder, Pruned, catch_offline, change_access_offline, entries_offline, prune_offline};
use readiness::Phase;
pub use replay::replay;
use replay::replay_with;
pub(crate) use retention::PruneRule;
use retention::prune_now_and_then;
pub(crate) use scrub::Verified;
use scrub::{Scrub, scrub_now_and_then};
use served::Served;
pub(crate) use status::{OpenCounts, Status, StoreStatus};
pub(crate) use upgrade::{Upgrade, UpgradeStep, upgrade};

use crate::access::Actor;
use crate::backup::KnownBackups;
use crate::http::Doors;
use crate::intake::writer;
use crate::journal::{FolderLock, Journal};
use crate::model::timestamp::Timestamp;
use crate::net::Connections;
use crate::net::tls::Tls;
use crate::rpc::{Context, Gate, Guard, Observer, Router};
use crate::state::State;
use crate::web::Pages;
use crate::web::csrf::TokenKey;
use crate::{audit, demo, net, web};

/// How long a stop waits for the journal to record how far the audit log has come.
const RECORD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stop waits at least for the audit log's thread, which doesn't end while calls that were cut off hold the
/// log.
const AUDIT_TIMEOUT_MIN: Duration = Duration::from_millis(200);
/// How often the file of when keys were last used is written.
const LAST_USED_EVERY: Duration = Duration::from_secs(60);

/// Serves at an address until the shutdown signal, then drains.
///
/// # Errors
/// When the journal or the network fail; the journal is closed by then.
pub async fn run(
    at: impl Into<Listen>,
    mut config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let at = at.into();
    let address = at.local_addr().map_err(Error::Listener)?;
    config.network.check(address)?;
    let page = match &config.web {
        None => None,
        Some(web) => {
            config.network.check(web.listen.local_addr().map_err(Error::Listener)?)?;
            Some((web.at(config.network.tls.is_some())?, TokenKey::from_random(random()?)))
        }
    };
    let tls = match &config.network.tls {
        Some(settings) => Some(Tls::start(settings.clone(), Arc::clone(&config.reload)).await?),
        None => None,
    };
    // What another process has, or nobody can write to, isn't served: that is known before anybody can connect.
    let lock = FolderLock::take(&config.data)?;
    if let Some(admin) = &config.admin {
        admin.check()?;
    }
    let Clock(clock) = &config.clock;
    let admin = config.admin.take().map(|admin| (admin.listen, admin.metrics));
    let measured = Measured::begin(admin, clock()).map_err(Error::Listener)?;
    if let Some(tls) = &tls {
        measured.metrics.add(|registry| tls.register(registry));
    }
    let gate = Gate::default();
    let bounds = config.network.bounds;
    let [api_connections, web_connections] = [Connections::new(bounds), Connections::new(bounds)];
    let connections = [("api", Arc::clone(&api_connections)), ("web", Arc::clone(&web_connections))];
    let observer = Observer::new(u64::from_be_bytes(random()?), config.tracer.take());
    let guard = Guard::new(gate.clone(), config.network.limits.clone(), connections.into(), observer);
    measured.metrics.add(|registry| guard.register(registry));
    let (health, health_service) = tonic_health::server::health_reporter();
    set_not_serving(&health).await;
    let (stop, stopped) = watch::channel(false);

    let is_reflected = address.ip().is_loopback() || config.network.reflection;
    let router = Router::new(&gate, &guard, health_service, is_reflected)?;
    let doors = Doors::new(router.clone(), &config.network.page_origins);
    let (identities, found) = watch::channel(false);
    let failed = Arc::new(Notify::new());
    let start = Start { found, stopping: stopped.clone(), failed: Arc::clone(&failed) };
    let web = config.web.take().zip(page).map(|(web, (at, tokens))| {
        let Clock(clock) = config.clock.clone();
        let settings = web::Settings { at, provider: web.provider, clock, random: Arc::new(random), tokens };
        (start.clone(), web.listen, tls.clone(), Pages::new(router, settings), stopped.clone())
    });
    let Clock(clock) = config.clock.clone();
    tokio::spawn(service_manager::tell_of_start(measured.replay.clone(), measured.phase.subscribe()));
    let control = Control::new(clock(), measured.readiness(), guard.clone());
    let controlling = match control::listen(&config.data) {
        Ok(listener) => Some(tokio::spawn(control.clone().serve(listener, stopped.clone()))),
        Err(error) => {
            tracing::warn!(%error, "the control socket can't be had: no backup can be taken while this server runs");
            None
        }
    };
    let until = stopped.clone();
    let serving = tokio::spawn(async move {
        let api = async {
            let Some(listener) = start.listen(at).await.map_err(Error::Listener)? else { return Ok(()) };
            let answer = move |peer, request| doors.answer(peer, request);
            serving::serve(net::accept(listener, tls, api_connections), answer, until).await;
            Ok::<_, Error>(())
        };
        let web = async {
            let Some((start, at, tls, pages, until)) = web else { return Ok(()) };
            let Some(listener) = start.listen(at).await.map_err(Error::Listener)? else { return Ok(()) };
            let answer = move |peer, request| pages.answer(peer, request);
            serving::serve(net::accept(listener, tls, web_connections), answer, until).await;
            Ok::<_, Error>(())
        };
        tokio::try_join!(api, web).map(drop)
    });
    let shutdown = async {
        tokio::select! {
            () = shutdown => {}
            () = failed.notified() => {}
        }
    };

    let doors = (&gate, &guard, &control);
    let at = (address, identities);
    let outcome = serve(&mut config, (lock, &measured), at, doors, &health, stopped, shutdown).await;
    set_not_serving(&health).await;
    measured.phase.send_replace(Phase::Stopping);
    let drain_timeout = config.drain_timeout.min(DRAIN_TIMEOUT_MAX);
    service_manager::tell_of_stop(config.lame_duck + drain_timeout + RECORD_TIMEOUT);
    if matches!(outcome, Ok(Some(_))) {
        // Whoever balances load is told first, so that no call finds the door closed.
        tokio::time::sleep(config.lame_duck).await;
    }
    let deadline = tokio::time::Instant::now() + drain_timeout;
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
    guard.stop_computing();
    save_last_used_now(guard, config.data.clone()).await;
    drop(gate);
    drop(control);
    if let Some(controlling) = controlling {
        drop(controlling.await);
        control::forget(&config.data);
    }
    if let Some(Ending { writer, recording, audit }) = outcome? {
        // The calls have ended, and with them what they had to write.
        let recorded = async {
            if let Ok(mut recorder) = recording.await {
                recorder.record().await;
            }
        };
        drop(tokio::time::timeout(RECORD_TIMEOUT, recorded).await);
        // The log's handles are gone with the calls and the recorder. Its thread looks at its file once more, so it ends
        // while the journal keeps the folder locked.
        let audited_by = deadline.max(tokio::time::Instant::now() + AUDIT_TIMEOUT_MIN);
        drop(tokio::time::timeout_at(audited_by, tokio::task::spawn_blocking(move || audit.join())).await);
        // The gate's handles are gone with the calls; the writer ends once its queue is empty.
        drop(tokio::time::timeout_at(deadline, tokio::task::spawn_blocking(move || writer.join())).await);
    }
    Ok(())
}

/// What has to end after the calls: the recorder of the audit log, then the log, and the writer.
struct Ending {
    writer: std::thread::JoinHandle<()>,
    recording: tokio::task::JoinHandle<Recorder>,
    audit: std::thread::JoinHandle<()>,
}

/// Opens the journal, replays it, opens the gate, and waits for the shutdown signal.
async fn serve(
    config: &mut Config,
    (lock, measured): (FolderLock, &Measured),
    (address, identities): (SocketAddr, watch::Sender<bool>),
    (gate, guard, control): (&Gate, &Guard, &Control),
    health: &HealthReporter,
    stopping: watch::Receiver<bool>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Option<Ending>, Error> {
    let (folder, last_used, accepted) = (config.data.clone(), guard.clone(), config.accepted);
    let limits = config.audit_segments;
    let Clock(clock) = config.clock.clone();
    let opened_at = clock();
    let watched_clock = Watched::from(opened_at, Instant::now());
    let is_accepted = config.accept_clock_behind_journal;
    let identities = Arc::new(identities);
    let found = Arc::clone(&identities);
    let progress = measured.replay.clone();
    let mut opening = tokio::task::spawn_blocking(move || {
        let (journal, mut fold) = replay_with(lock, &progress, |replayed| {
            if !*found.borrow() && replayed.has_identities() {
                found.send_replace(true);
            }
        })?;
        let state = fold.state();
        check_clock(&folder, &state, opened_at, is_accepted)?;
        last_used.used().load(&folder);
        journal.write_format()?;
        let audit = audited::open(&folder, &state, opened_at, accepted, limits)?;
        Ok::<_, Error>((journal, fold, audit))
    });
    tokio::pin!(shutdown);
    let (journal, fold, opened) = tokio::select! {
        opened = &mut opening => opened??,
        () = &mut shutdown => return Ok(None),
    };
    measured.metrics.add(|registry| journal.register(registry));
    measured.metrics.add(|registry| opened.log.register(registry));
    let reader = journal.reader();
    let running = writer::start(
        Box::new(journal),
        fold,
        {
            let clock = Arc::clone(&clock);
            move || clock()
        },
        config.zone.clone(),
    );
    measured.metrics.add(|registry| running.register(registry));
    let context = Context {
        writer: running.handle,
        state: running.state,
        timeline: running.timeline,
        reader,
        clock,
        zone: config.zone.clone(),
        stopping,
    };
    let writer = context.writer.as_actor(Actor::Local);
    let replayed = context.newest();
    audited::revoke_again(&opened, &context.state, &writer, (context.clock)()).await?;
    let mut recorder = Recorder::new(&opened, &replayed, writer);
    recorder.record().await;
    if config.demo {
        load_demo(&context, &opened.log, config.demo_keys.take()).await?;
    }
    if context.state.borrow().access().is_empty() {
        if !address.ip().is_loopback() {
            return Err(Error::Open(address));
        }
        tracing::warn!(%address, "NO CREDENTIALS ARE CONFIGURED: anyone on this machine can read and write everything, and nothing is audited");
    } else {
        // Also of the demo's, which are new.
        identities.send_replace(true);
    }
    guard.audit(opened.log.clone());
    let recording = tokio::spawn(recorder.run(context.stopping.clone()));
    tokio::spawn(save_last_used(guard.clone(), config.data.clone(), context.stopping.clone()));
    gate.open(context.clone());
    let folder = config.data.clone();
    let backups = KnownBackups::load(&folder).map_err(|source| Error::Folder { path: folder.clone(), source })?;
    let (reader, clock) = (Arc::clone(&context.reader), Arc::clone(&context.clock));
    let scrub = Arc::new(Scrub::after_start(reader, folder.clone(), opened.log.clone(), clock));
    if let Some(every) = config.scrub_every {
        tokio::spawn(scrub_now_and_then(Arc::clone(&scrub), every, context.stopping.clone()));
    }
    if let Some(days) = config.audit_keep_days {
        tokio::spawn(prune_now_and_then(context.clone(), (folder.clone(), opened.log.clone()), days));
    }
    let (log, backups) = (opened.log.clone(), Arc::new(backups));
    measured.metrics.add(|registry| {
        scrub.register(registry);
        backups.register(registry, Arc::clone(&context.clock));
    });
    control.open(Served { context: context.clone(), folder, log, scrub, backups });
    let conditions = Conditions {
        folder: config.data.clone(),
        context,
        health: health.clone(),
        audit: opened.log,
        journal_failure: running.failure,
        clock: watched_clock,
        phase: measured.phase.clone(),
    };
    tokio::select! {
        () = &mut shutdown => tracing::info!("stopping"),
        () = conditions.watch() => {}
    }
    Ok(Some(Ending { writer: running.thread, recording, audit: opened.thread }))
}

/// Checks the clock against what was written last.
fn check_clock(folder: &Path, state: &State, now: Timestamp, is_accepted: bool) -> Result<(), Error> {
    let newest = Newest { entry: state.newest_at(), audit_line: audit::newest_line(folder)? };
    Ok(newest.check(now, is_accepted)?)
}

/// Loads the demo, and makes keys for it where somebody wants them.
async fn load_demo(context: &Context, audit: &audit::Log, receiver: Option<DemoKeys>) -> Result<(), Error> {
    demo::load(context).await?;
    let Some(receiver) = receiver else { return Ok(()) };
    let keys = demo::keys(context).await?;
    for (identity, key) in &keys {
        let scope = format!("{ON_THIS_MACHINE}the demo's key {} of {identity}", key.id());
        audit.write((context.clock)(), audit::Line::without_call(audit::Event::Keys, scope), None).await?;
    }
    // Nobody may be waiting for them any more.
    drop(receiver.send(keys));
    Ok(())
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

/// Random bytes of the system.
fn random<const BYTES: usize>() -> Result<[u8; BYTES], getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// The system's time of day: it is read here and passed down. Durations are measured by the monotonic clock,
/// and TLS asks the system itself whether a certificate is valid.
pub(crate) fn now() -> Timestamp {
    Timestamp::of_system(SystemTime::now())
}

//! The control socket: what whoever runs the machine asks a running server for. It is a Unix socket in the data folder,
//! so that who may open that may ask, and nobody else: a backup has every figure, and no method over the network gives
//! that to anyone.
//!
//! It speaks HTTP/1.1 and JSON, to this program's own command line: [`path`] has the addresses.

mod refusal;
mod written;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::refusal::Refusal;
pub(crate) use self::refusal::Refused;
pub(crate) use self::written::BROKEN_OFF;
use self::written::written;
use super::audited::{ON_THIS_MACHINE, known_tail};
use super::readiness::Readiness;
use super::scrub::Verified;
use super::served::Served;
use super::status::Status;
use crate::audit::{self, LogTail};
use crate::backup::{self, KnownBackup, Manifest, Point, Previous};
use crate::model::timestamp::Timestamp;
use crate::rpc::Guard;
use crate::state::State as Figures;

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = "control";
/// How many connections there may be at once.
const CONNECTIONS_MAX: usize = 8;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How many backups that were sent are remembered until their receiver says that it has them.
const SENT_MAX: usize = 8;

/// Where things are asked for.
pub(crate) mod path {
    /// `POST` [`super::BackupRequest`]: a backup, as it is written to a file.
    pub(crate) const BACKUP: &str = "/backup";
    /// `POST` [`super::TakenBackup`]: that all of a backup is where it was to go. It is known from then on.
    pub(crate) const TAKEN: &str = "/taken";
    /// `GET`: what the server is doing, as [`crate::server::Status`].
    pub(crate) const STATUS: &str = "/status";
    /// `POST`: the journal as lines of JSON.
    pub(crate) const EXPORT: &str = "/export";
    /// `GET`: the backups that are known, as a list of [`crate::backup::KnownBackup`].
    pub(crate) const BACKUPS: &str = "/backups";
    /// `POST`: reads everything again, and answers [`crate::server::Verified`].
    pub(crate) const VERIFY: &str = "/verify";
    /// `POST` [`super::VerifiedBackup`]: that a backup was restored from, and is good.
    pub(crate) const VERIFIED: &str = "/verified";
}

/// What a backup is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BackupRequest {
    /// The one to go on from; none for a full one.
    pub(crate) previous: Option<Previous>,
    /// What is noted in it.
    pub(crate) note: String,
}

/// A backup that whoever asked for it has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TakenBackup {
    /// Its id.
    pub(crate) id: String,
}

/// A backup that was restored from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VerifiedBackup {
    /// Its id.
    pub(crate) id: String,
    /// Where it ends.
    pub(crate) to: Point,
}

/// The socket, and what is served on it.
#[derive(Clone)]
pub(super) struct Control(Arc<Inner>);

struct Inner {
    started: Timestamp,
    readiness: Readiness,
    guard: Guard,
    served: OnceLock<Served>,
    /// Backups and scrubs that are asked for: one at a time.
    turn: Arc<Semaphore>,
    /// The newest backups that were sent, and aren't yet where they were to go.
    sent: Mutex<VecDeque<KnownBackup>>,
}

impl Inner {
    fn sent(&self) -> MutexGuard<'_, VecDeque<KnownBackup>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Before the journal is replayed, of a server that started at an instant.
    pub(super) fn new(started: Timestamp, readiness: Readiness, guard: Guard) -> Self {
        let (served, turn) = (OnceLock::new(), Arc::new(Semaphore::new(1)));
        Self(Arc::new(Inner { started, readiness, guard, served, turn, sent: Mutex::default() }))
    }

    /// Answers from now on.
    pub(super) fn open(&self, served: Served) {
        drop(self.0.served.set(served));
    }

    fn served(&self) -> Result<&Served, Refusal> {
        self.0.served.get().ok_or_else(|| {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the journal is still being replayed; try again in a moment")
        })
    }

    fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.0.turn).try_acquire_owned().map_err(|_| Refusal::busy())
    }

    /// Serves on a socket until the stop, which ends what is open.
    pub(super) async fn serve(self, listener: UnixListener, mut stopping: watch::Receiver<bool>) {
        let router = self.router();
        let (places, mut open) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), tokio::task::JoinSet::new());
        loop {
            let accept = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => break,
                accepted = accept => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // There are no file descriptors left, for a while.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let service = TowerToHyperService::new(router.clone());
            open.spawn(async move {
                let _place = place;
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
                // Whoever is gone is gone.
                drop(http.serve_connection(TokioIo::new(stream), service).await);
            });
            while open.try_join_next().is_some() {}
        }
        open.shutdown().await;
    }

    fn router(self) -> Router {
        Router::new()
            .route(path::BACKUP, post(take_backup))
            .route(path::BACKUPS, get(backups))
            .route(path::EXPORT, post(export))
            .route(path::STATUS, get(status))
            .route(path::TAKEN, post(taken))
            .route(path::VERIFY, post(verify))
            .route(path::VERIFIED, post(verified))
            .with_state(self)
    }
}

/// A folder's socket, as a path that is short enough for one, and what keeps that path good.
///
/// # Errors
/// When the folder can't be opened.
pub(crate) fn socket(folder: &FsPath) -> io::Result<(PathBuf, Option<File>)> {
    /// Linux takes 107, and some systems 103.
    const PATH_BYTES_MAX: usize = 100;
    let path = folder.join(SOCKET);
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let folder = File::open(folder)?;
    Ok((FsPath::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(SOCKET), Some(folder)))
}

/// Listens on a folder's socket. The folder is this process's, so what is there is from one that is gone.
pub(super) fn listen(folder: &FsPath) -> io::Result<UnixListener> {
    let path = folder.join(SOCKET);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
        Ok(_) => return Err(io::Error::other(format!("{} isn't a socket", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let (path, _folder) = socket(folder)?;
    UnixListener::bind(path)
}

/// Removes a folder's socket at the stop.
pub(super) fn forget(folder: &FsPath) {
    if let Err(error) = fs::remove_file(folder.join(SOCKET)) {
        tracing::warn!(%error, "the control socket can't be removed");
    }
}

async fn status(State(control): State<Control>) -> Json<Status> {
    let Inner { started, readiness, guard, served, .. } = &*control.0;
    Json(Status::of(*started, readiness, guard, served.get()))
}

async fn take_backup(State(control): State<Control>, Json(request): Json<BackupRequest>) -> Result<Response, Refusal> {
    let (served, turn) = (control.served()?, control.turn()?);
    let (state, manifest) = begin(served, request)?;
    let (from, to) = (manifest.from().journal.revision, manifest.to.journal.revision);
    audit_reading(served, format!("a backup of the revisions after {from} up to {to}"), &manifest.note).await?;
    let (reader, folder) = (Arc::clone(&served.context.reader), served.folder.clone());
    let inner = Arc::clone(&control.0);
    Ok(written(turn, move |out| {
        let digests = Some(digests(&state));
        drop(state);
        let taken = backup::take((&*reader, &folder), &manifest, digests, out)?;
        let (id, bytes) = (&taken.id, taken.bytes);
        tracing::info!(%id, bytes, revision = to.0, "a backup was sent");
        let mut sent = inner.sent();
        if sent.len() >= SENT_MAX {
            sent.pop_front();
        }
        sent.push_back(KnownBackup::of(&manifest, &taken));
        Ok(())
    }))
}

/// Only whoever asked for a backup knows that all of it has arrived.
async fn taken(
    State(control): State<Control>,
    Json(TakenBackup { id }): Json<TakenBackup>,
) -> Result<StatusCode, Refusal> {
    let served = control.served()?;
    let sent = {
        let mut sent = control.0.sent();
        let at = sent.iter().position(|backup| backup.id == id);
        at.and_then(|at| sent.remove(at))
    };
    let sent = sent.ok_or_else(|| Refusal::refused(format!("no backup {id} was sent just now")))?;
    served.backups.add(sent).map_err(Refusal::failed)?;
    tracing::info!(%id, "a backup was taken");
    Ok(StatusCode::NO_CONTENT)
}

async fn export(State(control): State<Control>) -> Result<Response, Refusal> {
    let (served, turn) = (control.served()?, control.turn()?);
    let reader = Arc::clone(&served.context.reader);
    audit_reading(served, format!("an export of the journal up to revision {}", reader.tail().revision), "").await?;
    Ok(written(turn, move |out| backup::export(&*reader, out).map(drop)))
}

/// What a backup that begins now has.
fn begin(
    served: &Served,
    BackupRequest { previous, note }: BackupRequest,
) -> Result<(Arc<Figures>, Manifest), backup::Error> {
    // In this order: what the log has by now knows of no revision after those of the state that is looked at next.
    let lines = served.log.progress().tail;
    let state = served.context.newest();
    let to = point(&*served.context.reader, &state, lines)?;
    let taken_at = (served.context.clock)().to_string();
    let manifest = Manifest { program: env!("CARGO_PKG_VERSION").to_owned(), taken_at, note, previous, to };
    Ok((state, manifest))
}

/// Where a backup of a state ends: its audit log has what the journal knows of it, and all lines up to `lines`.
pub(super) fn point(
    reader: &dyn crate::journal::Reader,
    state: &Figures,
    lines: LogTail,
) -> Result<Point, backup::Error> {
    let revision = state.revision();
    let journal = match reader.read(revision)? {
        Some(stored) => crate::journal::Tail { revision, hash: stored.hash },
        None => crate::journal::Tail::EMPTY,
    };
    let known = known_tail(state);
    let audit = if known.n > lines.n { known } else { lines };
    Ok(Point { journal, audit })
}

/// Hashes of a state, and of what it answers.
pub(super) fn digests(state: &Figures) -> backup::Digests {
    let (answers, answer_count) = crate::picture::digest::answers(state);
    backup::Digests { state: state.digest().to_hex().to_string(), answers: answers.to_hex().to_string(), answer_count }
}

/// That everything is read is a line of the audit log, if there is one, before the first byte is sent.
async fn audit_reading(served: &Served, what: String, purpose: &str) -> Result<(), Refusal> {
    let state = served.context.newest();
    if state.access().is_empty() {
        return Ok(());
    }
    let scope = format!("{ON_THIS_MACHINE}{what}");
    let line = audit::Line {
        revision: state.revision().0,
        purpose: purpose.to_owned(),
        ..audit::Line::without_call(audit::Event::Read, scope)
    };
    Ok(served.log.write((served.context.clock)(), line, None).await?)
}

async fn backups(State(control): State<Control>) -> Result<Json<Vec<KnownBackup>>, Refusal> {
    Ok(Json(control.served()?.backups.all()))
}

async fn verify(State(control): State<Control>) -> Result<Json<Verified>, Refusal> {
    let (served, turn) = (control.served()?, control.turn()?);
    let (scrub, stopping) = (Arc::clone(&served.scrub), served.context.stopping.clone());
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        scrub.run(|_| !*stopping.borrow())
    });
    let verified = done.await.map_err(Refusal::failed)?;
    verified.map(Json).map_err(Refusal::failed)
}

async fn verified(
    State(control): State<Control>,
    Json(VerifiedBackup { id, to }): Json<VerifiedBackup>,
) -> Result<StatusCode, Refusal> {
    let served = control.served()?;
    let revision = to.journal.revision;
    if !backup::has_come_by(&*served.context.reader, to.journal).map_err(Refusal::failed)? {
        let what = "it is of another journal: the one here has another entry";
        return Err(Refusal::refused(format!("{what} at revision {revision}, or none")));
    }
    if !served.backups.verified(&id, (served.context.clock)()).map_err(Refusal::failed)? {
        return Err(Refusal::refused(format!("no backup {id} is known here")));
    }
    tracing::info!(%id, %revision, "a folder was restored from a backup, and is what was backed up");
    Ok(StatusCode::NO_CONTENT)
}

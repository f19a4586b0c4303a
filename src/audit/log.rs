//! The log as a server has it: opened against what the journal knows, and the queue of the thread that writes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{oneshot, watch};

use super::backwards::{LineStart, LinesBefore};
use super::file::LogFile;
use super::filter::Filter;
use super::line::{Error, Event, Line, LogTail};
use super::prune::Prunable;
use super::questions::Questions;
use super::refusals::Refusals;
use super::search;
use super::segments::{FILE_NAME, closed};
use super::start::{Accepted, Compared, KeyChange, Known, Since, compare};
use super::writer::{NotPruned, Progress, Pruning, SegmentLimits, Unwritten, Waiting, Writer, lock};
use crate::metrics::{self, Registry};
use crate::model::timestamp::Timestamp;

/// How many lines may wait to be written.
const QUEUE_LINES_MAX: usize = 4_096;

/// A log that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: Log,
    /// How many revisions the journal lacks that the log has seen, as was accepted.
    pub lost_revisions: u64,
    /// Whether lines are lost that the journal knows of, as was accepted.
    pub lost_lines: bool,
    /// The changes of keys that came after what the journal knows of the log.
    pub key_changes: Vec<KeyChange>,
    /// Ends when the last clone of the log is gone, and what was left to write is written.
    pub thread: thread::JoinHandle<()>,
}

/// Writes lines. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Log {
    path: Arc<PathBuf>,
    queue: SyncSender<Waiting>,
    prunings: SyncSender<Pruning>,
    is_refusing: Arc<AtomicBool>,
    refusals: Arc<Mutex<Refusals>>,
    progress: watch::Receiver<Progress>,
    syncs: Histogram,
}

impl Log {
    /// Opens the log of a data folder, compares it with what the journal knows of it, and starts the thread that writes
    /// it.
    ///
    /// # Errors
    /// When the file can't be opened, lacks what the journal knows of, has seen revisions that the journal lacks, or
    /// isn't what was written; unless that is accepted.
    pub fn open(
        folder: &Path,
        now: Timestamp,
        known: Known,
        accepted: Accepted,
        limits: SegmentLimits,
    ) -> Result<Opened, Error> {
        let path = folder.join(FILE_NAME);
        let mut unreadable = None;
        let file = match LogFile::open(&path) {
            // What isn't a log at all is like one that has nothing.
            Err(Error::Damaged { what, .. }) => {
                accept_loss(&path, known, accepted, what.to_owned())?;
                unreadable = Some(what.to_owned());
                LogFile::set_aside(&path, known.tail.n + 1)?;
                LogFile::open(&path)?
            }
            opened => opened?,
        };
        let (queue, waiting) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let (prunings, pruning) = mpsc::sync_channel(1);
        let (sender, progress) = watch::channel(Progress { tail: file.tail(), files: 0, disturbances: 0 });
        let refusals = Arc::new(Mutex::new(Refusals::default()));
        let questions = Questions::open(folder)?;
        let is_refusing = Arc::<AtomicBool>::default();
        let syncs = metrics::sync_durations();
        let mut writer = Writer {
            file,
            limits,
            questions,
            notes: Vec::new(),
            refusals: Arc::clone(&refusals),
            progress: sender,
            failed: false,
            trouble: None,
            is_refusing: Arc::clone(&is_refusing),
            syncs: syncs.clone(),
        };
        if known.tail == LogTail::START && writer.file.tail() != LogTail::START {
            let lines = writer.file.tail().n;
            tracing::info!(lines, "the journal doesn't know the audit log yet: all of it is verified");
        }
        let begun = Instant::now();
        let (since, lost) = compared(folder, known, accepted)?;
        let (lines, milliseconds) = (writer.file.tail().n, begun.elapsed().as_millis());
        tracing::info!(lines, milliseconds, "the audit log is compared with the journal");
        let lost = unreadable.or(lost);
        if let Some(why) = &lost {
            // What else has the numbers of lines that come now.
            for segment in closed(&path)?.into_iter().filter(|segment| segment.last > Some(known.tail.n)) {
                LogFile::set_aside(&segment.path, known.tail.n + 1)?;
            }
            let gone_on = writer.go_on(now, Event::Lost, format!("{why}; accepted at a start"), known.tail);
            gone_on.map_err(|source| Error::Io { path: path.clone(), source })?;
        }
        let bytes = writer.file.torn_bytes();
        if bytes > 0 {
            tracing::warn!(path = %path.display(), bytes, "the audit log ended in a line that was cut off: it is dropped");
            writer.notes.push((now, Line::without_call(Event::Repaired, format!("{bytes} bytes"))));
        }
        let lost_revisions = since.revision.saturating_sub(known.revision.0);
        if lost_revisions > 0 {
            let what = format!("it ends at revision {}, and this log has seen {}", known.revision, since.revision);
            tracing::warn!("the journal is older than the audit log, as is accepted: {what}");
            writer.notes.push((now, Line::without_call(Event::OlderJournal, format!("{what}; accepted at a start"))));
        }
        // What a crash left undone of a rotation.
        writer.watch(now);
        writer.group(now, Vec::new(), Refusals::counts_if_due);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run((&waiting, &pruning), now))
            .map_err(|source| Error::Io { path, source })?;
        let path = Arc::new(folder.join(FILE_NAME));
        let log = Self { path, queue, prunings, is_refusing, refusals, progress, syncs };
        Ok(Opened { log, lost_revisions, lost_lines: lost.is_some(), key_changes: since.key_changes, thread })
    }

    /// Adds its metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        // Not the queue: the thread ends when the last of those who send is gone.
        let (progress, is_refusing) = (self.progress.clone(), Arc::clone(&self.is_refusing));
        metrics::register(
            registry,
            "conspectus_audit_sync_duration_seconds",
            "How long it took to write lines of the audit log and make them durable",
            self.syncs.clone(),
        );
        metrics::gauge(registry, "conspectus_audit_lines", "How many lines the audit log has", move || {
            Some(progress.borrow().tail.n)
        });
        let progress = self.progress.clone();
        metrics::counter(
            registry,
            "conspectus_audit_disturbances",
            "How often the audit log's file was moved away, cut or changed by something else, and the log went on in a new one",
            move || progress.borrow().disturbances,
        );
        metrics::gauge(
            registry,
            "conspectus_audit_refusing",
            "1 while the audit log takes no lines: what must be audited isn't answered",
            move || Some(u64::from(is_refusing.load(Ordering::Relaxed))),
        );
    }

    /// Whether it takes no lines, as of a moment ago: so that what must be audited isn't answered.
    pub(crate) fn is_refusing(&self) -> bool {
        self.is_refusing.load(Ordering::Relaxed)
    }

    /// Writes a line, and returns once it is durable. Where the line has the hash of its question, `question` is the
    /// whole of it, and durable before.
    ///
    /// # Errors
    /// When it isn't; what it is about must then not happen.
    pub(crate) async fn write(&self, at: Timestamp, line: Line, question: Option<String>) -> Result<(), Unwritten> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Waiting { at, line, question, reply: Some(reply) }).map_err(|error| match error {
            TrySendError::Full(_) => Unwritten::Busy,
            TrySendError::Disconnected(_) => Unwritten::Failed,
        })?;
        answer.await.unwrap_or(Err(Unwritten::Failed))
    }

    /// Has files deleted, as a line says that is durable before, and returns once they are.
    ///
    /// # Errors
    /// When they aren't, or not all.
    pub(crate) async fn prune(&self, prunable: Prunable) -> Result<(), NotPruned> {
        let (reply, answer) = oneshot::channel();
        self.prunings.try_send(Pruning { prunable, reply }).map_err(|error| match error {
            TrySendError::Full(_) => Unwritten::Busy,
            TrySendError::Disconnected(_) => Unwritten::Failed,
        })?;
        answer.await.unwrap_or(Err(Unwritten::Failed.into()))
    }

    /// Has a refusal written soon, without an answer; or counted, when there are too many.
    pub(crate) fn refused(&self, at: Timestamp, line: Line) {
        let mut refusals = lock(&self.refusals);
        if !refusals.has_a_line(at, &line) {
            return;
        }
        if let Err(TrySendError::Full(Waiting { line, .. }) | TrySendError::Disconnected(Waiting { line, .. })) =
            self.queue.try_send(Waiting::unanswered((at, line)))
        {
            refusals.count(at, &line);
        }
    }

    /// The newest lines that a filter finds before one, or of all: at least so many, unless it has looked at 16 MiB of
    /// the log before. None when that one isn't there: the log goes on without it since. It reads files, so it isn't for
    /// a thread that serves.
    ///
    /// # Errors
    /// When a file can't be read, or isn't what was written.
    pub(crate) fn newest(
        &self,
        filter: &Filter,
        before: Option<LineStart>,
        wanted: usize,
    ) -> Result<Option<LinesBefore>, Error> {
        search::newest(&self.path, self.progress().tail, filter, before, wanted)
    }

    /// How far it has come.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }
}

/// What came after the lines that the journal knows of, and why those aren't there, when that is accepted.
fn compared(folder: &Path, known: Known, accepted: Accepted) -> Result<(Since, Option<String>), Error> {
    let path = &folder.join(FILE_NAME);
    let lost = |what| Compared { since: Since::default(), lost: Some(what) };
    let Compared { since, lost } = match compare(folder, known.tail) {
        Err(Error::Damaged { n, what, .. }) => lost(format!("line {n} is not what was written: {what}")),
        Err(Error::Missing { first, last, .. }) => lost(format!("lines {first} to {last} are missing")),
        compared => compared?,
    };
    if since.revision > known.revision.0 {
        if !accepted.older_journal {
            let (journal, seen) = (known.revision.0, since.revision);
            return Err(Error::OlderJournal { path: path.to_owned(), journal, seen });
        }
        if let Some(what) = &lost {
            tracing::warn!("changes of keys in lines of the audit log that aren't there stay unknown: {what}");
        }
        // What such a journal knows of the log says nothing about it.
        return Ok((since, None));
    }
    if let Some(what) = &lost {
        accept_loss(path, known, accepted, what.clone())?;
    }
    Ok((since, lost))
}

/// Whether the log may go on without what isn't there.
fn accept_loss(path: &Path, known: Known, accepted: Accepted, what: String) -> Result<(), Error> {
    if accepted.lost_lines {
        tracing::warn!(path = %path.display(), lines = known.tail.n, "the audit log isn't the one that the journal knows, as is accepted: {what}");
        return Ok(());
    }
    Err(Error::Lost { path: path.to_owned(), known: known.tail.n, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::revision::Revision;

    #[test]
    fn a_journal_that_lacks_one_revision_of_the_log_is_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LogFile::open(&folder.path().join(FILE_NAME)).unwrap();
        for revision in [5, 3] {
            let mut text = String::new();
            let line = Line { revision, ..Line::without_call(Event::Read, String::new()) };
            let tail = file.tail().add(Timestamp(0), line, &mut text);
            file.append(Timestamp(0), &text, (tail, false)).unwrap();
        }
        drop(file);
        let open = |revision| {
            let known = Known { tail: LogTail::START, revision: Revision(revision) };
            let opened = Log::open(folder.path(), Timestamp(0), known, Accepted::default(), SegmentLimits::default());
            opened.map(|opened| opened.lost_revisions)
        };
        assert!(matches!(open(4), Err(Error::OlderJournal { journal: 4, seen: 5, .. })));
        assert_eq!(open(5).unwrap(), 0);
    }

    #[test]
    fn a_refusal_that_finds_the_queue_full_is_counted() {
        let (queue, _waiting) = mpsc::sync_channel(1);
        let progress = watch::Sender::new(Progress { tail: LogTail::START, files: 0, disturbances: 0 }).subscribe();
        let (is_refusing, syncs) = (Arc::default(), metrics::sync_durations());
        let (prunings, _) = mpsc::sync_channel(1);
        let log = Log { path: Arc::default(), queue, prunings, is_refusing, refusals: Arc::default(), progress, syncs };
        for _ in 0..3 {
            log.refused(Timestamp(0), Line::without_call(Event::Refused, String::new()));
        }
        let counts: Vec<String> = lock(&log.refusals).all_counts().into_iter().map(|(_, line)| line.scope).collect();
        assert_eq!(counts, ["2 more"]);
    }
}

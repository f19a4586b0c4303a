//! Writing the log: a queue, and the thread that writes what waits in it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::file::LogFile;
use super::line::{Error, Event, Line, LogTail};
use super::questions::Questions;
use super::refusals::Refusals;
use super::start::{Accepted, Compared, Known, Since, compare};
use crate::journal::{self, check_free_space};
use crate::model::timestamp::Timestamp;

/// The file's name in the data folder.
pub const FILE_NAME: &str = "audit.log";
/// How many lines may wait to be written.
const QUEUE_LINES_MAX: usize = 4_096;
/// How many lines one sync is for, at the most.
const GROUP_LINES_MAX: usize = 1_024;
/// How often the file is looked at when nothing is written.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a line wasn't written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// Too many are waiting.
    #[error("too many calls wait for the audit log; try again in a moment")]
    Busy,
    /// The question can't be kept: it is too long.
    #[error("the question is too long to be kept in the audit log; ask for less at once")]
    TooLong,
    /// The disk is nearly full.
    #[error("the disk is nearly full: what must be audited can't be read")]
    NoRoom,
    /// The log failed, and is written no more until a restart.
    #[error("the audit log failed: what must be audited can't be read until a restart")]
    Failed,
}

type Reply = oneshot::Sender<Result<(), Unwritten>>;

/// A line that waits to be written, and who waits for it.
struct Waiting {
    at: Timestamp,
    line: Line,
    /// The whole question, where the line has its hash.
    question: Option<String>,
    reply: Option<Reply>,
}

impl Waiting {
    fn unanswered((at, line): (Timestamp, Line)) -> Self {
        Self { at, line, question: None, reply: None }
    }
}

/// How far a log has come, for the journal to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it ends: these lines are durable.
    pub tail: LogTail,
    /// How often it went on in a new file, since it was opened.
    pub files: u64,
}

/// A log that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: Log,
    /// How many revisions the journal lacks that the log has seen, as was accepted.
    pub lost_revisions: u64,
    /// Whether lines are lost that the journal knows of, as was accepted.
    pub lost_lines: bool,
    /// The changes of keys, in words, that came after what the journal knows of the log.
    pub key_changes: Vec<String>,
}

/// Writes lines. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Log {
    queue: SyncSender<Waiting>,
    /// Nothing is written after a failure.
    failed: Arc<AtomicBool>,
    refusals: Arc<Mutex<Refusals>>,
    progress: watch::Receiver<Progress>,
}

impl Log {
    /// Opens the log of a data folder, compares it with what the journal knows of it, and starts the thread that writes
    /// it.
    ///
    /// # Errors
    /// When the file can't be opened, lacks what the journal knows of, has seen revisions that the journal lacks, or
    /// isn't what was written; unless that is accepted.
    pub fn open(folder: &Path, now: Timestamp, known: Known, accepted: Accepted) -> Result<Opened, Error> {
        let path = folder.join(FILE_NAME);
        let mut unreadable = None;
        let (file, dropped) = match LogFile::open(&path) {
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
        let (sender, progress) = watch::channel(Progress { tail: file.tail(), files: 0 });
        let refusals = Arc::new(Mutex::new(Refusals::default()));
        let questions = Questions::open(folder)?;
        let mut writer =
            Writer { file, questions, refusals: Arc::clone(&refusals), progress: sender, failed: Arc::default() };
        let failed = Arc::clone(&writer.failed);
        let note = |event, what| Waiting::unanswered((now, Line::without_call(event, what)));
        if dropped > 0 {
            tracing::warn!(path = %path.display(), bytes = dropped, "the audit log ended in a line that was cut off: it is dropped");
            writer.group(vec![note(Event::Repaired, format!("{dropped} bytes"))]);
        }
        let (since, lost) = compared(&path, known, accepted)?;
        let lost = unreadable.or(lost);
        if let Some(why) = &lost {
            let gone_on = writer.go_on(now, Event::Lost, format!("{why}; accepted at a start"), known.tail);
            gone_on.map_err(|source| Error::Io { path: path.clone(), source })?;
        }
        let lost_revisions = since.revision.saturating_sub(known.revision.0);
        if lost_revisions > 0 {
            let what = format!("it ends at revision {}, and this log has seen {}", known.revision, since.revision);
            tracing::warn!("the journal is older than the audit log, as is accepted: {what}");
            writer.group(vec![note(Event::OlderJournal, format!("{what}; accepted at a start"))]);
        }
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(|source| Error::Io { path, source })?;
        let log = Self { queue, failed, refusals, progress };
        Ok(Opened { log, lost_revisions, lost_lines: lost.is_some(), key_changes: since.key_changes })
    }

    /// Whether it has failed, and takes no more lines until a restart.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
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

    /// How far it has come.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }
}

fn lock(refusals: &Mutex<Refusals>) -> MutexGuard<'_, Refusals> {
    refusals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came after the lines that the journal knows of, and why those aren't there, when that is accepted.
fn compared(path: &Path, known: Known, accepted: Accepted) -> Result<(Since, Option<String>), Error> {
    let Compared { since, lost } = match compare(path, known.tail) {
        Err(Error::Damaged { n, what, .. }) => {
            Compared { since: Since::default(), lost: Some(format!("line {n} is not what was written: {what}")) }
        }
        compared => compared?,
    };
    if since.revision > known.revision.0 {
        if !accepted.older_journal {
            let (journal, seen) = (known.revision.0, since.revision);
            return Err(Error::OlderJournal { path: path.to_owned(), journal, seen });
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

struct Writer {
    file: LogFile,
    questions: Questions,
    refusals: Arc<Mutex<Refusals>>,
    progress: watch::Sender<Progress>,
    /// Nothing is written after a failure.
    failed: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, waiting: &mpsc::Receiver<Waiting>) {
        let mut newest = Timestamp::default();
        loop {
            // What gathered during the last sync is one group.
            let mut group = match waiting.recv_timeout(LOOK_EVERY) {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            group.extend(waiting.try_iter().take(GROUP_LINES_MAX - 1));
            group.extend(lock(&self.refusals).counts(Instant::now()).into_iter().map(Waiting::unanswered));
            newest = group.iter().map(|waiting| waiting.at).max().unwrap_or(newest);
            if !self.failed.load(Ordering::Relaxed) {
                self.watch(newest);
            }
            self.group(group);
        }
        let counts = lock(&self.refusals).all_counts();
        self.group(counts.into_iter().map(Waiting::unanswered).collect());
    }

    /// Goes on in a new file when something was done to this one. Where it can't, appending finds that out.
    fn watch(&mut self, at: Timestamp) {
        match self.file.disturbance() {
            Ok(None) => {}
            Ok(Some(what)) => {
                let (lines, tail) = (self.file.tail().n, self.file.tail());
                tracing::warn!(lines, "the audit log was disturbed: {what}; it goes on in a new file");
                if let Err(error) = self.go_on(at, Event::Continued, format!("after line {lines}: {what}"), tail) {
                    tracing::error!(%error, "the audit log can't go on in a new file");
                }
            }
            Err(error) => tracing::error!(%error, "the audit log can't be looked at"),
        }
    }

    fn go_on(&mut self, at: Timestamp, event: Event, why: String, tail: LogTail) -> std::io::Result<()> {
        self.file.go_on(at, event, why, tail)?;
        self.progress.send_modify(|progress| {
            *progress = Progress { tail: self.file.tail(), files: progress.files + 1 };
        });
        Ok(())
    }

    /// Writes lines and makes them durable together, then answers.
    fn group(&mut self, group: Vec<Waiting>) {
        let mut text = String::new();
        let mut replies = Vec::new();
        let mut tail = self.file.tail();
        let ready = self.ready();
        for Waiting { at, line, question, reply } in group {
            let kept = ready.clone().and_then(|()| self.keep(&line, question));
            if kept.is_ok() {
                tail = tail.add(at, line, &mut text);
            }
            replies.extend(reply.map(|reply| (reply, kept)));
        }
        let written = if text.is_empty() { Ok(()) } else { self.append(&text, tail) };
        for (reply, kept) in replies {
            drop(reply.send(kept.and(written.clone())));
        }
    }

    /// Whether anything can be written.
    fn ready(&self) -> Result<(), Unwritten> {
        // What is written to a file that its path doesn't lead to any more would be lost with it.
        if self.failed.load(Ordering::Relaxed) || !matches!(self.file.disturbance(), Ok(None)) {
            return Err(Unwritten::Failed);
        }
        check_free_space(self.file.file()).map_err(|error| {
            if matches!(error, journal::Error::NoRoom { .. }) { Unwritten::NoRoom } else { Unwritten::Failed }
        })
    }

    /// Keeps the whole question of a line that has its hash.
    fn keep(&mut self, line: &Line, question: Option<String>) -> Result<(), Unwritten> {
        let Some(question) = question else { return Ok(()) };
        self.questions.keep(&line.question, &question).map_err(|error| {
            tracing::error!(%error, "a question can't be kept for the audit log, and isn't answered");
            Unwritten::Failed
        })
    }

    fn append(&mut self, text: &str, tail: LogTail) -> Result<(), Unwritten> {
        self.file.append(text, tail).map_err(|error| {
            // What is on the disk now is known only when the file is opened again.
            self.failed.store(true, Ordering::Relaxed);
            tracing::error!(%error, "the audit log failed: what must be audited isn't answered any more");
            Unwritten::Failed
        })?;
        self.progress.send_modify(|progress| progress.tail = tail);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::verify::verify;
    use super::*;
    use crate::model::revision::Revision;

    fn read(writer: &mut Writer) -> Result<(), Unwritten> {
        let (reply, mut answer) = oneshot::channel();
        let line = Line::without_call(Event::Read, String::new());
        writer.group(vec![Waiting { at: Timestamp(0), line, question: None, reply: Some(reply) }]);
        answer.try_recv().unwrap()
    }

    fn writer(file: LogFile) -> Writer {
        let questions = Questions::open(Path::new("nowhere")).unwrap();
        let progress = watch::Sender::new(Progress { tail: file.tail(), files: 0 });
        Writer { file, questions, refusals: Arc::default(), progress, failed: Arc::default() }
    }

    #[test]
    fn once_a_line_was_not_written_none_is_until_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let (mut good, ..) = LogFile::open(&path).unwrap();
        // A file that can't be written to: what a broken disk does.
        let mut writer = writer(LogFile::of(&path, File::open(&path).unwrap()));
        assert_eq!(read(&mut writer), Err(Unwritten::Failed));
        std::mem::swap(&mut writer.file, &mut good);
        assert_eq!(read(&mut writer), Err(Unwritten::Failed), "what is on the disk is known after a restart");
        assert_eq!(writer.file.tail(), LogTail::START);
        assert_eq!(verify(&path, &mut |_| {}).unwrap(), LogTail::START);
    }

    #[test]
    fn what_would_go_to_a_file_that_was_moved_away_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join(FILE_NAME), folder.path().join("moved"));
        let mut writer = writer(LogFile::open(&path).unwrap().0);
        read(&mut writer).unwrap();
        std::fs::rename(&path, &moved).unwrap();
        assert_eq!(read(&mut writer), Err(Unwritten::Failed));
        writer.watch(Timestamp(0));
        read(&mut writer).unwrap();
        assert_eq!(verify(&moved, &mut |_| {}).unwrap().n, 1);
        assert_eq!(verify(&path, &mut |_| {}).unwrap().n, 3);
    }

    #[test]
    fn a_journal_that_lacks_one_revision_of_the_log_is_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(LogFile::open(&folder.path().join(FILE_NAME)).unwrap().0);
        for revision in [5, 3] {
            let line = Line { revision, ..Line::without_call(Event::Read, String::new()) };
            writer.group(vec![Waiting::unanswered((Timestamp(0), line))]);
        }
        let open = |revision| {
            let known = Known { tail: LogTail::START, revision: Revision(revision) };
            Log::open(folder.path(), Timestamp(0), known, Accepted::default()).map(|opened| opened.lost_revisions)
        };
        assert!(matches!(open(4), Err(Error::OlderJournal { journal: 4, seen: 5, .. })));
        assert_eq!(open(5).unwrap(), 0);
    }

    #[test]
    fn a_question_that_cannot_be_kept_has_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(LogFile::open(&folder.path().join(FILE_NAME)).unwrap().0);
        let (reply, mut answer) = oneshot::channel();
        let line = Line { question: "hash".to_owned(), ..Line::without_call(Event::Read, String::new()) };
        writer.group(vec![Waiting { at: Timestamp(0), line, question: Some("whole".to_owned()), reply: Some(reply) }]);
        assert_eq!(answer.try_recv().unwrap(), Err(Unwritten::Failed));
        assert_eq!(writer.file.tail(), LogTail::START);
        read(&mut writer).unwrap();
    }

    #[test]
    fn a_refusal_that_finds_the_queue_full_is_counted() {
        let (queue, _waiting) = mpsc::sync_channel(1);
        let progress = watch::Sender::new(Progress { tail: LogTail::START, files: 0 }).subscribe();
        let log = Log { queue, failed: Arc::default(), refusals: Arc::default(), progress };
        for _ in 0..3 {
            log.refused(Timestamp(0), Line::without_call(Event::Refused, String::new()));
        }
        let counts: Vec<String> = lock(&log.refusals).all_counts().into_iter().map(|(_, line)| line.scope).collect();
        assert_eq!(counts, ["2 more"]);
    }

    #[test]
    fn the_lines_and_their_chain_never_change_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut writer = writer(LogFile::open(&path).unwrap().0);
        read(&mut writer).unwrap();
        let line = Line {
            event: Event::Refused,
            identity: "ann".to_owned(),
            credential: "k1".to_owned(),
            address: "127.0.0.1:9".to_owned(),
            method: "M".to_owned(),
            scope: "a \"quoted\" scope".to_owned(),
            question: String::new(),
            purpose: "to see".to_owned(),
            revision: 7,
            outcome: "DENIED".to_owned(),
            previous: String::new(),
        };
        writer.group(vec![Waiting::unanswered((Timestamp(1_648_746_061_999_999), line))]);
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        {"n":1,"at":"1970-01-01T00:00:00Z","event":"read","outcome":"OK","chain":"135ea823d665cf07281a25b63fa0959545e681ee4688e84e72bd7ac2832cdfaa"}
        {"n":2,"at":"2022-03-31T17:01:01Z","event":"refused","identity":"ann","credential":"k1","address":"127.0.0.1:9","method":"M","scope":"a \"quoted\" scope","purpose":"to see","revision":7,"outcome":"DENIED","chain":"6c01f32dd696bbabd0164ac0585f3422b8a79f3e60680b8ef3b1e635d1a4fd1e"}
        "#);
    }
}

//! The thread that writes the log: it takes what waits, writes it, and makes it durable together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{oneshot, watch};

use super::file::LogFile;
use super::line::{Error, Event, Line, LogTail};
use super::prune::Prunable;
use super::questions::Questions;
use super::refusals::Refusals;
use crate::journal::{self, check_free_space};
use crate::model::timestamp::Timestamp;

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
    /// The question can't be kept: its folder is full, or can't be written.
    #[error(
        "the question is too long for its line in the audit log, and can't be kept beside it now; ask for less at once"
    )]
    NotKept,
    /// The disk is nearly full.
    #[error("the disk is nearly full: what must be audited can't be read")]
    NoRoom,
    /// The file was disturbed, and no new one can be made. That is tried again each second.
    #[error("the audit log can't be written now: what must be audited can't be read until that is mended")]
    Unavailable,
    /// The log failed, and is written no more until a restart.
    #[error("the audit log failed: what must be audited can't be read until a restart")]
    Failed,
}

/// Why files weren't deleted, or not all.
#[derive(Debug, thiserror::Error)]
pub enum NotPruned {
    /// The line that says so can't be written: nothing was deleted.
    #[error("nothing of the audit log was deleted, because its line that says so can't be written: {0}")]
    Unwritten(#[from] Unwritten),
    /// A file can't be read, or deleted. The line is there, and what is left is deleted the next time.
    #[error("{0}")]
    Log(#[from] Error),
}

/// What the thread is to delete, and who waits for it.
pub(super) struct Pruning {
    pub(super) prunable: Prunable,
    pub(super) reply: oneshot::Sender<Result<(), NotPruned>>,
}

/// How far a log has come, for the journal to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it ends: these lines are durable.
    pub tail: LogTail,
    /// How often it went on in a new file, since it was opened.
    pub files: u64,
    /// How often that was because somebody moved the file away, cut it, or changed it.
    pub disturbances: u64,
}

/// When a file of the log is closed, and the next begun: with the line that takes it past one of these.
#[derive(Debug, Clone, Copy)]
pub struct SegmentLimits {
    /// How long it may be, in bytes. The lines that became durable together stay together, so it may be some longer.
    pub bytes_max: u64,
    /// How long after its first line another may be written.
    pub age_max: Duration,
}

impl Default for SegmentLimits {
    /// 64 MiB, some 150,000 lines; 31 days.
    fn default() -> Self {
        Self { bytes_max: 64 << 20, age_max: Duration::from_secs(31 * 24 * 3_600) }
    }
}

pub(super) type Reply = oneshot::Sender<Result<(), Unwritten>>;

/// A line that waits to be written, and who waits for it.
pub(super) struct Waiting {
    pub(super) at: Timestamp,
    pub(super) line: Line,
    /// The whole question, where the line has its hash.
    pub(super) question: Option<String>,
    pub(super) reply: Option<Reply>,
}

impl Waiting {
    pub(super) fn unanswered((at, line): (Timestamp, Line)) -> Self {
        Self { at, line, question: None, reply: None }
    }
}

pub(super) fn lock(refusals: &Mutex<Refusals>) -> MutexGuard<'_, Refusals> {
    refusals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread works with.
pub(super) struct Writer {
    pub(super) file: LogFile,
    pub(super) limits: SegmentLimits,
    pub(super) questions: Questions,
    /// What a start has to say, until it is written.
    pub(super) notes: Vec<(Timestamp, Line)>,
    pub(super) refusals: Arc<Mutex<Refusals>>,
    pub(super) progress: watch::Sender<Progress>,
    /// Nothing is written after a failure.
    pub(super) failed: bool,
    /// Why nothing can be written for now, as it was logged.
    pub(super) trouble: Option<String>,
    /// Whether no lines are taken, for whoever asks.
    pub(super) is_refusing: Arc<AtomicBool>,
    /// How long it took to make lines durable.
    pub(super) syncs: Histogram,
}

impl Writer {
    /// Works until nobody can send anything any more. It was opened at `now`.
    pub(super) fn run(mut self, (waiting, prunings): (&Receiver<Waiting>, &Receiver<Pruning>), now: Timestamp) {
        let mut newest = (now, Instant::now());
        loop {
            // What gathered during the last sync is one group.
            let mut group = match waiting.recv_timeout(LOOK_EVERY) {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            group.extend(waiting.try_iter().take(GROUP_LINES_MAX - 1));
            if let Some(at) = group.iter().map(|waiting| waiting.at).max() {
                newest = (at, Instant::now());
            }
            self.watch(later(newest));
            self.group(later(newest), group, Refusals::counts_if_due);
            self.prune_what_waits(prunings, later(newest));
        }
        self.prune_what_waits(prunings, later(newest));
        // The next start looks for the file by its path: whoever moved it away just now finds a new one there, too.
        self.watch(later(newest));
        self.group(later(newest), Vec::new(), Refusals::all_counts);
        for (_, line) in lock(&self.refusals).all_counts() {
            let Line { identity, outcome, scope, .. } = line;
            tracing::warn!(identity, outcome, "refusals that aren't in the audit log, which can't be written: {scope}");
        }
    }

    fn prune_what_waits(&mut self, prunings: &Receiver<Pruning>, now: Timestamp) {
        for Pruning { prunable, reply } in prunings.try_iter() {
            // Nobody may be waiting for it any more.
            drop(reply.send(self.prune(now, prunable)));
        }
    }

    /// Deletes files once the line that says so is durable. Lines wait for it: no question is named meanwhile that goes
    /// with them.
    pub(super) fn prune(&mut self, now: Timestamp, prunable: Prunable) -> Result<(), NotPruned> {
        let (reply, mut answer) = oneshot::channel();
        let waiting = Waiting { at: now, line: prunable.line(), question: None, reply: Some(reply) };
        self.group(now, vec![waiting], Refusals::counts_if_due);
        answer.try_recv().unwrap_or(Err(Unwritten::Failed))?;
        Ok(prunable.delete(self.file.tail().n)?)
    }

    /// Goes on in a new file when this one is closed, or something was done to it. Where it can't, nothing is written until it can. What
    /// changes in that is logged.
    pub(super) fn watch(&mut self, at: Timestamp) {
        if self.failed {
            return;
        }
        let trouble = match self.file.disturbance() {
            _ if self.file.is_closed() => self.begin_next(at).err(),
            Ok(None) => matches!(self.ready(), Err(Unwritten::NoRoom)).then(|| "its disk is nearly full".to_owned()),
            Ok(Some(what)) => self.go_on_after(at, what).err(),
            Err(error) => Some(format!("it can't be looked at: {error}")),
        };
        if trouble == self.trouble {
            return;
        }
        match &trouble {
            Some(why) => {
                tracing::error!("the audit log can't be written, and what must be audited isn't answered: {why}");
            }
            None => tracing::info!("the audit log can be written again"),
        }
        self.trouble = trouble;
    }

    /// Begins the next file after this one, which is closed.
    pub(super) fn begin_next(&mut self, at: Timestamp) -> Result<(), String> {
        let taken = self.file.begin_next(at);
        let taken = taken.map_err(|error| format!("its file is closed, and the next can't be begun: {error}"))?;
        if let Some(what) = taken {
            tracing::warn!("the audit log's file was disturbed as it was closed: {what}");
        }
        self.progress.send_modify(|progress| {
            let more = u64::from(taken.is_some());
            let (files, disturbances) = (progress.files + more, progress.disturbances + more);
            *progress = Progress { tail: self.file.tail(), files, disturbances };
        });
        Ok(())
    }

    /// Whether this file is to be closed once these bytes are in it.
    fn is_full(&self, at: Timestamp, bytes: usize) -> bool {
        let begun = self.file.begun();
        // One that has nothing but where it goes on isn't closed.
        if bytes == 0 && begun.is_none() {
            return false;
        }
        let micros = begun.map_or(0, |begun| u64::try_from(at.0.saturating_sub(begun.0)).unwrap_or(0));
        self.file.length() + bytes as u64 >= self.limits.bytes_max
            || Duration::from_micros(micros) >= self.limits.age_max
    }

    /// Goes on in a new file after this one, to which something was done.
    fn go_on_after(&mut self, at: Timestamp, what: &str) -> Result<(), String> {
        let tail = self.file.tail();
        let gone_on = self.go_on(at, Event::Continued, format!("after line {}: {what}", tail.n), tail);
        gone_on.map_err(|error| format!("{what}, and it can't go on in a new file: {error}"))?;
        self.progress.send_modify(|progress| progress.disturbances += 1);
        tracing::warn!(lines = tail.n, "the audit log was disturbed: {what}; it goes on in a new file");
        Ok(())
    }

    pub(super) fn go_on(&mut self, at: Timestamp, event: Event, why: String, tail: LogTail) -> std::io::Result<()> {
        self.file.go_on(at, event, why, tail)?;
        self.progress.send_modify(|progress| {
            (progress.tail, progress.files) = (self.file.tail(), progress.files + 1);
        });
        Ok(())
    }

    /// Writes lines and makes them durable together, then answers; and if the file is full, closes it with them. What nobody waits for is kept until it can be
    /// written: notes as they are, refusals by their number, which `counts` makes lines of.
    pub(super) fn group(
        &mut self,
        now: Timestamp,
        mut group: Vec<Waiting>,
        counts: fn(&mut Refusals) -> Vec<(Timestamp, Line)>,
    ) {
        let mut text = String::new();
        let mut replies = Vec::new();
        let mut tail = self.file.tail();
        let ready = self.ready();
        self.is_refusing.store(ready.is_err(), Ordering::Relaxed);
        if ready.is_ok() {
            group.splice(0..0, self.notes.drain(..).map(Waiting::unanswered));
            group.extend(counts(&mut lock(&self.refusals)).into_iter().map(Waiting::unanswered));
        }
        for Waiting { at, line, question, reply } in group {
            let kept = ready.clone().and_then(|()| self.keep(&line, question));
            if kept.is_ok() {
                tail = tail.add(at, line, &mut text);
            } else if reply.is_none() {
                lock(&self.refusals).count(at, &line);
            }
            replies.extend(reply.map(|reply| (reply, kept)));
        }
        let closes = ready.is_ok() && self.is_full(now, text.len());
        if closes {
            let last = tail.n + 1;
            let scope = format!("{}; the next begins with line {}", self.file.closed_name(last), last + 1);
            tail = tail.add(now, Line::without_call(Event::Closed, scope), &mut text);
        }
        let written = if text.is_empty() { Ok(()) } else { self.append(now, &text, (tail, closes)) };
        for (reply, kept) in replies {
            drop(reply.send(kept.and(written.clone())));
        }
        // They don't wait for the next file.
        if closes {
            self.watch(now);
        }
    }

    /// Whether anything can be written.
    fn ready(&self) -> Result<(), Unwritten> {
        if self.failed {
            return Err(Unwritten::Failed);
        }
        check_free_space(self.file.file()).map_err(|error| {
            if matches!(error, journal::Error::NoRoom { .. }) { Unwritten::NoRoom } else { Unwritten::Unavailable }
        })?;
        // What is written to a file that its path doesn't lead to any more would be lost with it.
        let is_ready = !self.file.is_closed() && matches!(self.file.disturbance(), Ok(None));
        if is_ready { Ok(()) } else { Err(Unwritten::Unavailable) }
    }

    /// Keeps the whole question of a line that has its hash.
    fn keep(&mut self, line: &Line, question: Option<String>) -> Result<(), Unwritten> {
        let Some(question) = question else { return Ok(()) };
        self.questions.keep(&line.question, &question).map_err(|error| {
            tracing::error!(%error, "a question can't be kept for the audit log, and isn't answered");
            Unwritten::NotKept
        })
    }

    fn append(&mut self, now: Timestamp, text: &str, end: (LogTail, bool)) -> Result<(), Unwritten> {
        let begun = Instant::now();
        self.file.append(now, text, end).inspect(|()| self.syncs.observe(begun.elapsed().as_secs_f64())).map_err(
            |error| {
                // What is on the disk now is known only when the file is opened again.
                self.failed = true;
                self.is_refusing.store(true, Ordering::Relaxed);
                tracing::error!(%error, "the audit log failed: what must be audited isn't answered any more");
                Unwritten::Failed
            },
        )?;
        self.progress.send_modify(|progress| progress.tail = end.0);
        Ok(())
    }
}

/// The time now, by that of a line and the time since it came.
fn later((at, seen): (Timestamp, Instant)) -> Timestamp {
    Timestamp(at.0.saturating_add(i64::try_from(seen.elapsed().as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::super::verify::verify;
    use super::*;

    fn read(writer: &mut Writer) -> Result<(), Unwritten> {
        let (reply, mut answer) = oneshot::channel();
        let line = Line::without_call(Event::Read, String::new());
        let waiting = Waiting { at: Timestamp(0), line, question: None, reply: Some(reply) };
        writer.group(Timestamp(0), vec![waiting], Refusals::counts_if_due);
        answer.try_recv().unwrap()
    }

    fn writer(file: LogFile) -> Writer {
        let questions = Questions::open(Path::new("nowhere")).unwrap();
        let progress = watch::Sender::new(Progress { tail: file.tail(), files: 0, disturbances: 0 });
        Writer {
            file,
            limits: SegmentLimits::default(),
            questions,
            notes: Vec::new(),
            refusals: Arc::default(),
            progress,
            failed: false,
            trouble: None,
            is_refusing: Arc::default(),
            syncs: crate::metrics::sync_durations(),
        }
    }

    #[test]
    fn once_a_line_was_not_written_none_is_until_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut good = LogFile::open(&path).unwrap();
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
        let (path, moved) = (folder.path().join("audit.log"), folder.path().join("moved"));
        let mut writer = writer(LogFile::open(&path).unwrap());
        read(&mut writer).unwrap();
        std::fs::rename(&path, &moved).unwrap();
        assert_eq!(read(&mut writer), Err(Unwritten::Unavailable));
        writer.watch(Timestamp(0));
        read(&mut writer).unwrap();
        assert_eq!(verify(&moved, &mut |_| {}).unwrap().n, 1);
        assert_eq!(verify(&path, &mut |_| {}).unwrap().n, 3);
    }

    #[test]
    fn a_question_that_cannot_be_kept_has_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(LogFile::open(&folder.path().join("audit.log")).unwrap());
        let (reply, mut answer) = oneshot::channel();
        let line = Line { question: "hash".to_owned(), ..Line::without_call(Event::Read, String::new()) };
        let waiting = Waiting { at: Timestamp(0), line, question: Some("whole".to_owned()), reply: Some(reply) };
        writer.group(Timestamp(0), vec![waiting], Refusals::counts_if_due);
        assert_eq!(answer.try_recv().unwrap(), Err(Unwritten::NotKept));
        assert_eq!(writer.file.tail(), LogTail::START);
        read(&mut writer).unwrap();
    }

    #[test]
    fn while_no_line_can_be_written_refusals_are_counted_and_what_a_start_has_to_say_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut writer = writer(LogFile::open(&path).unwrap());
        writer.notes.push((Timestamp(0), Line::without_call(Event::Repaired, String::new())));
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("no folder").join("log"), &path).unwrap();
        writer.watch(Timestamp(1));
        assert_eq!(read(&mut writer), Err(Unwritten::Unavailable));
        let refusal = || (Timestamp(2), Line::without_call(Event::Refused, String::new()));
        writer.group(
            Timestamp(2),
            vec![refusal(), refusal()].into_iter().map(Waiting::unanswered).collect(),
            Refusals::all_counts,
        );
        assert!(writer.is_refusing.load(Ordering::Relaxed));

        std::fs::remove_file(&path).unwrap();
        writer.watch(Timestamp(3));
        writer.group(Timestamp(3), Vec::new(), Refusals::all_counts);
        assert!(!writer.is_refusing.load(Ordering::Relaxed));
        let mut lines = Vec::new();
        verify(&path, &mut |line| lines.push((line.line.event, line.line.scope.clone()))).unwrap();
        let events: Vec<_> = lines.iter().map(|(event, _)| *event).collect();
        assert_eq!(events, [Event::Continued, Event::Repaired, Event::RefusedMore]);
        assert_eq!(lines[2].1, "2 more");
    }

    #[test]
    fn the_lines_and_their_chain_never_change_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut writer = writer(LogFile::open(&path).unwrap());
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
        let at = Timestamp(1_648_746_061_999_999);
        writer.group(at, vec![Waiting::unanswered((at, line))], Refusals::counts_if_due);
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        {"n":1,"at":"1970-01-01T00:00:00Z","event":"read","outcome":"OK","chain":"135ea823d665cf07281a25b63fa0959545e681ee4688e84e72bd7ac2832cdfaa"}
        {"n":2,"at":"2022-03-31T17:01:01Z","event":"refused","identity":"ann","credential":"k1","address":"127.0.0.1:9","method":"M","scope":"a \"quoted\" scope","purpose":"to see","revision":7,"outcome":"DENIED","chain":"6c01f32dd696bbabd0164ac0585f3422b8a79f3e60680b8ef3b1e635d1a4fd1e"}
        "#);
    }
}

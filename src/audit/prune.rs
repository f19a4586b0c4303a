//! Retention: the oldest files of a log are deleted, by an operator's rule, once a line of the log says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::line::{Error, Line, LogTail, NumberedLine};
use super::questions;
use super::reader::lines_after;
use super::segments::{FILE_NAME, Span, spans};
use super::verify::verify_folder;
use crate::journal::sync_folder;
use crate::model::timestamp::Timestamp;

/// The rule by which files are deleted.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    /// Files are old enough whose lines are all from before then.
    pub(crate) before: Timestamp,
    /// Where the log was when the journal last recorded it: what the journal doesn't know of isn't deleted.
    pub(crate) known: LogTail,
    /// Whose rule that is, in words: it is in the log.
    pub(crate) rule: String,
}

/// What is deleted of a log that was verified.
#[derive(Debug)]
pub(crate) struct Prunable {
    folder: PathBuf,
    rule: String,
    /// The files, the oldest first: they are closed.
    pub(crate) files: Vec<PathBuf>,
    /// The numbers of their first line and their last.
    pub(crate) lines: (u64, u64),
    /// When these were written.
    pub(crate) times: (Timestamp, Timestamp),
    end: LogTail,
    /// The questions, by their hashes, that lines of these files name, and none after them as far as `verified`.
    pub(crate) questions: BTreeSet<String>,
    verified: LogTail,
}

impl Prunable {
    /// What a rule has deleted of a data folder's log; none when nothing is old enough. All of the log is read and
    /// verified for that, unless nothing is.
    ///
    /// # Errors
    /// When the log isn't what was written: nothing of such a log is deleted.
    pub(crate) fn of(folder: &Path, Retention { before, known, rule }: Retention) -> Result<Option<Self>, Error> {
        let is_old = |span: &Span| span.is_closed && span.times.0.max(span.times.1) < before && span.end.n <= known.n;
        let spans = spans(folder)?.into_iter().take_while(is_old).collect::<Vec<_>>();
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(None) };
        let (lines, times, end) = ((first.first, last.end.n), (first.times.0, last.times.1), last.end);
        let mut questions = BTreeSet::new();
        let verified = verify_folder(folder, &mut |NumberedLine { n, line, .. }| {
            if *n <= end.n && questions::is_kept(folder, &line.question) {
                questions.insert(line.question.clone());
            } else if *n > end.n {
                questions.remove(&line.question);
            }
        })?;
        let files = spans.into_iter().map(|span| span.path).collect();
        Ok(Some(Self { folder: folder.to_owned(), rule, files, lines, times, end, questions, verified: verified.tail }))
    }

    /// The line that says that they are deleted.
    pub(super) fn line(&self) -> Line {
        Line::of_pruned(self.lines, self.times, &self.rule, self.end)
    }

    /// Deletes them, once that line is durable in a log whose lines come up to `last`. Nobody adds to it meanwhile.
    pub(super) fn delete(mut self, last: u64) -> Result<(), Error> {
        for line in lines_after(&self.folder, self.verified, last) {
            self.questions.remove(&line?.numbered.line.question);
        }
        // While the files are there a crash leaves something to go on with.
        for hash in &self.questions {
            questions::delete(&self.folder, hash)?;
        }
        for path in &self.files {
            fs::remove_file(path).map_err(|source| Error::Io { path: path.clone(), source })?;
        }
        let folder = self.files.first().and_then(|path| path.parent()).unwrap_or(&self.folder);
        let io = |source| Error::Io { path: self.folder.join(FILE_NAME), source };
        sync_folder(folder).map_err(std::io::Error::other).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Event;
    use super::super::log::Log;
    use super::super::start::{Accepted, Known};
    use super::super::verify::Taken;
    use super::super::writer::SegmentLimits;
    use super::*;
    use crate::model::revision::Revision;

    const DAY: i64 = 24 * 3_600_000_000;

    fn open(folder: &Path, tail: LogTail) -> (Log, std::thread::JoinHandle<()>) {
        let known = Known { tail, revision: Revision(0) };
        let opened = Log::open(folder, Timestamp(0), known, Accepted::default(), SegmentLimits::default()).unwrap();
        (opened.log, opened.thread)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn write(log: &Log, day: i64, question: &str) {
        let hash =
            if question.is_empty() { String::new() } else { blake3::hash(question.as_bytes()).to_hex().to_string() };
        let line = Line { question: hash.clone(), ..Line::without_call(Event::Read, "asked".to_owned()) };
        let whole = (!hash.is_empty()).then(|| question.to_owned());
        block_on(log.write(Timestamp(day * DAY), line, whole)).unwrap();
    }

    /// A log of three files, with lines 1 to 5 up to day 32, 6 to 10 up to day 91, and 11 to 12.
    fn three_files() -> (tempfile::TempDir, LogTail) {
        let folder = tempfile::tempdir().unwrap();
        let (log, thread) = open(folder.path(), LogTail::START);
        let questions = ["early", "both", "", "", "both", "later", "", "newest"];
        for (day, question) in [0, 1, 30, 32, 33, 34, 91, 92].into_iter().zip(questions) {
            write(&log, day, question);
        }
        drop(log);
        thread.join().unwrap();
        let spans = spans(folder.path()).unwrap();
        assert_eq!(spans.iter().map(|span| (span.first, span.end.n)).collect::<Vec<_>>(), [(1, 5), (6, 10), (11, 12)]);
        (folder, spans[2].end)
    }

    fn of(folder: &Path, day: i64, known: LogTail) -> Option<Prunable> {
        let rule = "a test's --before".to_owned();
        Prunable::of(folder, Retention { before: Timestamp(day * DAY), known, rule }).unwrap()
    }

    fn prune(folder: &Path, day: i64, known: LogTail) {
        let prunable = of(folder, day, known).unwrap();
        let (log, thread) = open(folder, known);
        block_on(log.prune(prunable)).unwrap();
        drop(log);
        thread.join().unwrap();
    }

    fn taken(folder: &Path) -> Vec<(u64, u64, u64)> {
        let taken = verify_folder(folder, &mut |_| {}).unwrap().taken;
        taken.into_iter().map(|Taken { first, last, says }| (first, last, says.n)).collect()
    }

    fn kept(folder: &Path) -> Vec<&'static str> {
        let is_kept = |question: &&str| questions::is_kept(folder, blake3::hash(question.as_bytes()).to_hex().as_str());
        ["early", "both", "later", "newest"].into_iter().filter(is_kept).collect()
    }

    #[test]
    fn whole_files_are_deleted_that_are_old_enough_and_the_log_says_which_and_by_what_rule() {
        let (folder, known) = three_files();
        let files = |day| of(folder.path(), day, known).map_or(0, |prunable| prunable.files.len());
        assert_eq!([32, 33, 91, 92, 10_000].map(files), [0, 1, 1, 2, 2], "never the one that is written to");
        prune(folder.path(), 33, known);
        assert_eq!(taken(folder.path()), [(1, 5, 13)]);
        let mut says = Vec::new();
        verify_folder(folder.path(), &mut |line| says.push(line.clone())).unwrap();
        let NumberedLine { n: 13, line, .. } = says.pop().unwrap() else { panic!("{says:?}") };
        let scope = "lines 1 to 5, of 1970-01-01T00:00:00Z to 1970-02-02T00:00:0";
        assert!(line.event == Event::Pruned && line.scope.starts_with(scope), "{line:?}");
        assert!(line.scope.ends_with(", are deleted: a test's --before"), "{line:?}");
        assert_eq!(line.previous, says[0].line.previous, "the chain of line 5, as line 6 has it");
        // The same again finds nothing, and what is deleted later is added up.
        assert!(of(folder.path(), 33, known).is_none());
        prune(folder.path(), 92, spans(folder.path()).unwrap().last().unwrap().end);
        assert_eq!(taken(folder.path()), [(1, 10, 14)]);
    }

    #[test]
    fn what_the_journal_does_not_know_of_is_kept() {
        let (folder, known) = three_files();
        let ends: Vec<LogTail> = spans(folder.path()).unwrap().into_iter().map(|span| span.end).collect();
        let files = |known| of(folder.path(), 10_000, known).map_or(0, |prunable| prunable.files.len());
        let before = |tail: LogTail| LogTail { n: tail.n - 1, ..tail };
        assert_eq!([LogTail::START, before(ends[0]), ends[0], before(ends[1]), known].map(files), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn a_question_goes_with_the_last_line_that_names_it() {
        let (folder, known) = three_files();
        assert_eq!(kept(folder.path()), ["early", "both", "later", "newest"]);
        prune(folder.path(), 33, known);
        assert_eq!(kept(folder.path()), ["both", "later", "newest"]);
        let known = spans(folder.path()).unwrap().last().unwrap().end;
        let prunable = of(folder.path(), 92, known).unwrap();
        assert_eq!(prunable.questions.len(), 2);
        // One that is asked again in between stays.
        let (log, thread) = open(folder.path(), known);
        write(&log, 93, "later");
        block_on(log.prune(prunable)).unwrap();
        drop(log);
        thread.join().unwrap();
        assert_eq!(kept(folder.path()), ["later", "newest"]);
    }

    #[test]
    fn a_crash_while_files_are_deleted_leaves_a_log_that_is_whole_and_goes_on_with_it() {
        let (folder, known) = three_files();
        let second = spans(folder.path()).unwrap()[1].path.clone();
        let text = fs::read(&second).unwrap();
        prune(folder.path(), 92, known);
        assert_eq!(taken(folder.path()), [(1, 10, 13)]);
        fs::write(&second, text).unwrap();
        assert_eq!(taken(folder.path()), [(1, 5, 13)]);
        prune(folder.path(), 92, spans(folder.path()).unwrap().last().unwrap().end);
        assert_eq!(taken(folder.path()), [(1, 10, 13)], "by the first line that says so");
    }

    #[test]
    fn lines_that_are_missing_without_such_a_line_are_an_error_and_nothing_is_deleted_of_what_is_not_whole() {
        let (folder, known) = three_files();
        let paths: Vec<PathBuf> = spans(folder.path()).unwrap().into_iter().map(|span| span.path).collect();
        prune(folder.path(), 33, known);
        let text = fs::read(&paths[1]).unwrap();
        // More is missing than was deleted.
        fs::remove_file(&paths[1]).unwrap();
        let missing = verify_folder(folder.path(), &mut |_| {});
        assert!(matches!(missing, Err(Error::Missing { first: 1, last: 10, .. })), "{missing:?}");
        let mut changed = text;
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&paths[1], changed).unwrap();
        let rule = Retention { before: Timestamp(92 * DAY), known, rule: String::new() };
        Prunable::of(folder.path(), rule).unwrap_err();
        assert!(paths[1].exists());
    }
}

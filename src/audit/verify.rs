//! Checking that a log is what was written.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::line::{Error, Event, LogTail, NumberedLine};
use super::lines::Lines;
use super::reader::{lines_after, says_what_was_taken};
use super::segments::{FILE_NAME, Span, may_be_within, spans};
use crate::model::timestamp::Timestamp;

/// How often, and how many times, the file is looked for that goes on after one that was closed just now.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 20;
const NOTHING_AFTER: &str = "it closes its file, and there is none that goes on after it: a server that was stopped at that moment begins it at its next start; otherwise put the newest audit.log back";

/// Reads one file of a log from its beginning, hands each line to `each`, and checks that it is what was
/// written: every line, in order, and none left out but perhaps at the end. Of a file that goes on
/// where another ended, whether it follows from that is for who has both: its first line says where
/// that was.
///
/// # Errors
/// At the first line that isn't.
pub fn verify(path: &Path, each: &mut dyn FnMut(&NumberedLine)) -> Result<LogTail, Error> {
    let mut lines = Lines::open(path)?;
    let mut tail = LogTail::START;
    while let Some(line) = lines.next(tail.n + 1)? {
        let followed = tail.follow(line);
        let (numbered, next) = followed.map_err(|what| lines.damaged(tail.n + 1, what))?;
        each(&numbered);
        tail = next;
    }
    if lines.is_cut_off() { Err(lines.damaged(tail.n + 1, "it is cut off")) } else { Ok(tail) }
}

/// What a log has, all its files together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Where it ends.
    pub tail: LogTail,
    /// How many files were read.
    pub files: usize,
    /// How many were not, because all their lines are of another time.
    pub skipped: usize,
    /// The lines that aren't there, and what the log says of it, in order.
    pub taken: Vec<Taken>,
}

/// Lines that aren't there, as the log itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The first of them.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The line that says so.
    pub says: NumberedLine,
}

/// Reads a data folder's whole log, from its oldest line to its newest, across its files, hands each line to `each`, and
/// checks that it is what was written: every line, in order; that each file is what its name says; and that lines are
/// missing only where a line says so, as one does after a file that was moved away, or lost, or when the oldest files were
/// deleted. A server may be writing.
///
/// # Errors
/// At the first line, or file, that isn't.
pub fn verify_folder(folder: &Path, each: &mut dyn FnMut(&NumberedLine)) -> Result<Verified, Error> {
    verify_within(folder, (None, None), each)
}

/// The same, of the files that may have lines from the first of two times on, and before the second: by their first and
/// last lines, and a day more, since a clock may have been set. What is in the others isn't read.
pub(crate) fn verify_within(
    folder: &Path,
    times: (Option<Timestamp>, Option<Timestamp>),
    each: &mut dyn FnMut(&NumberedLine),
) -> Result<Verified, Error> {
    // The names, and what is at the ends of the files; opening a file that is none would wait.
    let spans = spans(folder)?;
    let wanted: Vec<&Span> = spans.iter().filter(|span| may_be_within(span.times, times)).collect();
    let skipped = spans.len() - wanted.len();
    let (after, last) = match (wanted.first(), wanted.last()) {
        _ if skipped == 0 => (LogTail::START, u64::MAX),
        (Some(first), Some(last)) => (first.before, if last.is_closed { last.end.n } else { u64::MAX }),
        (None, _) | (_, None) => {
            let tail = spans.last().map_or(LogTail::START, |span| span.end);
            return Ok(Verified { tail, files: 0, skipped, taken: Vec::new() });
        }
    };
    let mut verified = Verified { tail: after, files: wanted.len(), skipped, taken: Vec::new() };
    let mut lines = lines_after(folder, after, last);
    let (mut is_closed, mut looks) = (false, 0);
    // The last line before the oldest, whose chain that has, until a line says that it was deleted.
    let mut unexplained: Option<LogTail> = None;
    loop {
        let Some(line) = lines.next().transpose()? else {
            looks += 1;
            if is_closed && verified.tail.n < last && looks < LOOKS_MAX {
                thread::sleep(LOOK_EVERY);
                continue;
            }
            break;
        };
        let expected = verified.tail.n + 1;
        if line.tail.n > expected {
            if says_what_was_taken(&line.numbered) {
                verified.taken.push(Taken { first: expected, last: line.tail.n - 1, says: line.numbered.clone() });
            } else {
                unexplained = line.numbered.before();
            }
        }
        // A crash while files were deleted leaves the newest of them.
        let is_pruned =
            |before: &mut LogTail| line.numbered.pruned().is_some_and(|last| before.n < last.n || *before == last);
        if let Some(before) = unexplained.take_if(is_pruned) {
            verified.taken.insert(0, Taken { first: 1, last: before.n, says: line.numbered.clone() });
        }
        each(&line.numbered);
        is_closed = line.numbered.line.event == Event::Closed;
        verified.tail = line.tail;
    }
    if let Some(before) = unexplained {
        let path = spans.first().map_or_else(|| folder.join(FILE_NAME), |span| span.path.clone());
        return Err(Error::Missing { path, first: 1, last: before.n });
    }
    let Some(file) = lines.file() else { return Lines::open(&folder.join(FILE_NAME)).map(|_| verified) };
    if file.is_cut_off() {
        return Err(file.damaged(verified.tail.n + 1, "it is cut off"));
    }
    if is_closed && verified.tail.n < last {
        return Err(file.damaged(verified.tail.n, NOTHING_AFTER));
    }
    Ok(verified)
}

#[cfg(test)]
mod tests {
    use super::super::line::{Event, Line};
    use super::*;
    use crate::journal::ChainHash;

    #[test]
    fn a_file_goes_on_where_another_ended_by_its_first_line_alone_and_only_by_one_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let verified = |text: &str| {
            let path = folder.path().join("log");
            std::fs::write(&path, text).unwrap();
            verify(&path, &mut |_| {}).map(|tail| tail.n)
        };
        let elsewhere = LogTail { n: 8, chain: ChainHash::GENESIS };
        let line = |event| Line { previous: elsewhere.chain.to_string(), ..Line::without_call(event, String::new()) };
        let goes_on = |event| {
            let mut text = String::new();
            elsewhere.add(Timestamp(0), line(event), &mut text);
            text
        };
        for event in [Event::Continued, Event::Lost] {
            assert_eq!(verified(&goes_on(event)).unwrap(), 9);
        }
        for event in [Event::Read, Event::Refused, Event::Keys, Event::Repaired, Event::OlderJournal] {
            verified(&goes_on(event)).unwrap_err();
        }
        let mut first = String::new();
        let read = || Line::without_call(Event::Read, String::new());
        let LogTail { chain, .. } = LogTail::START.add(Timestamp(0), read(), &mut first);
        assert_eq!(verified(&first).unwrap(), 1);
        verified(&(first.clone() + &goes_on(Event::Continued))).unwrap_err();
        // Nor does a line that follows by its chain and not by its number.
        LogTail { n: 2, chain }.add(Timestamp(0), read(), &mut first);
        verified(&first).unwrap_err();
    }
}

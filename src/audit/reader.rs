//! Reads a log across its segments as the one log that it is, each line checked to follow from the one before.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::line::{Error, Event, LogTail, NumberedLine};
use super::lines::Lines;
use super::segments::{self, FILE_NAME, LOOKS_MAX, Segment, span_of_name};

/// A line as it was written, and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawLine {
    /// Its text, without the line break.
    pub(crate) text: String,
    /// What it says.
    pub(crate) numbered: NumberedLine,
    /// Where the log ends with it: its number and its chain.
    pub(crate) tail: LogTail,
}

/// The lines of a data folder's log after `after`, whose last line number and chain it has, up to line `last` or to
/// where the log ends, in order. Each is checked to follow from the one before, the first from `after`. At most one
/// line is in memory, of 32 KiB, and one file is open; nothing is read until the first is asked for. A server may be
/// writing, and closing files: a line that it is writing isn't there yet, and is found when it is asked again after
/// `None`. The texts, with a line break each, are the same bytes as the files one after the other.
///
/// After [`LogTail::START`] it begins with the oldest line that there is. Elsewhere lines can be left out only where the
/// log says that they were taken from it: before a `continued` line that says that a file was disturbed, or a `lost` one.
/// Then numbers of lines leave out those.
///
/// # Errors
/// [`Error::Missing`] when lines aren't there, without such a line; [`Error::Damaged`] at the first line that isn't what
/// was written, by file and number; [`Error::Io`]. After one there is nothing more to ask for.
pub(crate) fn lines_after(folder: &Path, after: LogTail, last: u64) -> LinesAfter {
    let is_leap = after == LogTail::START;
    LinesAfter { log: folder.join(FILE_NAME), tail: after, last, lines: None, is_near: false, is_leap }
}

/// See [`lines_after`].
#[derive(Debug)]
pub(crate) struct LinesAfter {
    log: PathBuf,
    tail: LogTail,
    last: u64,
    lines: Option<Lines>,
    /// The file was opened before the next line, which wasn't come to yet.
    is_near: bool,
    /// The next line says itself what it follows.
    is_leap: bool,
}

impl Iterator for LinesAfter {
    type Item = Result<RawLine, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

impl LinesAfter {
    /// Where it has come.
    pub(super) fn tail(&self) -> LogTail {
        self.tail
    }

    /// Has what was read on the disk. Of a file before this one it was, once this one was begun.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.lines.as_ref().map_or(Ok(()), Lines::sync)
    }

    /// The file that it reads.
    pub(super) fn file(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }

    fn next_line(&mut self) -> Result<Option<RawLine>, Error> {
        while self.tail.n < self.last {
            if let Some(lines) = &mut self.lines {
                while let Some(text) = lines.next(self.tail.n + 1)? {
                    let from = if self.is_leap { LogTail::START } else { self.tail };
                    let text = text.to_owned();
                    let (numbered, tail) = match from.follow(&text) {
                        Ok(followed) => followed,
                        Err(_) if self.is_near && LogTail::of_last(&text).is_ok_and(|it| it.n <= self.tail.n) => {
                            continue;
                        }
                        Err(what) => return Err(lines.damaged(self.tail.n + 1, what)),
                    };
                    (self.tail, self.is_leap, self.is_near) = (tail, false, false);
                    return Ok(Some(RawLine { text, numbered, tail }));
                }
            }
            if !self.open_next()? {
                break;
            }
        }
        Ok(None)
    }

    /// Opens the file with the next line; false when there is none.
    fn open_next(&mut self) -> Result<bool, Error> {
        let next = self.tail.n + 1;
        let mut looks = 0;
        loop {
            looks += 1;
            let segments = segments::list(&self.log)?;
            let has_next = |segment: &&Segment| match &self.lines {
                // Of the file that is open there is nothing more.
                Some(_) => segment.first == next,
                None => segment.first <= next && segment.last.is_none_or(|last| last >= next),
            };
            if let Some(segment) = segments.iter().find(has_next) {
                if let Some(lines) = segment.open(next)? {
                    (self.lines, self.is_near) = (Some(lines), segment.first < next);
                    return Ok(true);
                }
                if looks < LOOKS_MAX {
                    continue;
                }
                return Err(not_found(&segment.path));
            }
            let Some(after) = segments.iter().find(|segment| segment.first > next) else { return Ok(false) };
            if looks < LOOKS_MAX {
                continue;
            }
            if let Some(cut_off) = self.lines.as_ref().filter(|lines| lines.is_cut_off()) {
                return Err(cut_off.damaged(next, "it is cut off"));
            }
            self.leap_to(after)?;
            return Ok(true);
        }
    }

    /// Goes on in a file that begins after the next line, if that is known not to be there.
    fn leap_to(&mut self, segment: &Segment) -> Result<(), Error> {
        let mut lines = Lines::open(&segment.path)?;
        let first = lines.next(segment.first)?.map(LogTail::read).transpose();
        let first = first.map_err(|what| lines.damaged(segment.first, what))?;
        if !self.is_leap && !first.is_some_and(|(line, _)| says_what_was_taken(&line)) {
            let (path, first, last) = (segment.path.clone(), self.tail.n + 1, segment.first - 1);
            return Err(Error::Missing { path, first, last });
        }
        (self.lines, self.is_leap, self.is_near) = (Some(Lines::open(&segment.path)?), true, false);
        Ok(())
    }
}

/// Whether a line says that lines before it were taken from the log: its first one after that.
pub(super) fn says_what_was_taken(NumberedLine { line, .. }: &NumberedLine) -> bool {
    match line.event {
        Event::Lost => true,
        // One that follows a closed segment names it, and nothing else.
        Event::Continued => span_of_name(&line.scope).is_none(),
        Event::Read
        | Event::Refused
        | Event::Keys
        | Event::RefusedMore
        | Event::Repaired
        | Event::OlderJournal
        | Event::Closed
        | Event::Pruned => false,
    }
}

/// Reads the line of a log that comes after where it was, and returns it with where the log ends then; true if lines
/// before it were left out, as it says itself.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn follow_or_leap(tail: LogTail, line: &str) -> Result<(NumberedLine, LogTail, bool), &'static str> {
    match tail.follow(line) {
        Ok((numbered, after)) => Ok((numbered, after, false)),
        Err(what) => {
            let (numbered, after) = LogTail::START.follow(line)?;
            if after.n > tail.n && says_what_was_taken(&numbered) { Ok((numbered, after, true)) } else { Err(what) }
        }
    }
}

/// Where a log was with its line `n`, which is checked itself; none when it isn't there. Of one that was taken from the
/// log, that is what the line after it says.
///
/// # Errors
/// When the line isn't what was written, or can't be read.
pub(crate) fn tail_at(folder: &Path, n: u64) -> Result<Option<LogTail>, Error> {
    let log = folder.join(FILE_NAME);
    for _ in 0..LOOKS_MAX {
        let segments = segments::list(&log)?;
        let has = |segment: &&Segment| segment.first <= n && segment.last.is_none_or(|last| last >= n);
        if let Some(segment) = segments.iter().find(has) {
            // The one before says its chain, which the line is checked with.
            let Some(lines) = segment.open(n.saturating_sub(1))? else { continue };
            return tail_within(lines, n);
        }
        // The line after it says its chain.
        if let Some(after) = segments.iter().find(|segment| n > 0 && segment.first == n + 1) {
            let mut lines = Lines::open(&after.path)?;
            let before = lines.next(after.first)?.map(LogTail::before_first).transpose();
            return before.map_err(|what| lines.damaged(after.first, what));
        }
    }
    Ok(None)
}

/// Where a log was with its line `n`, by the lines of its file from before it on; none when the file ends before.
fn tail_within(mut lines: Lines, n: u64) -> Result<Option<LogTail>, Error> {
    let mut before = LogTail::START;
    while let Some(text) = lines.next(n)? {
        let text = text.to_owned();
        let tail = LogTail::of_last(&text).map_err(|what| lines.damaged(n, what))?;
        if tail.n >= n {
            let followed = before.follow(&text).map_err(|what| lines.damaged(n, what))?.1;
            return if followed.n == n { Ok(Some(followed)) } else { Err(lines.damaged(n, "it isn't there")) };
        }
        before = tail;
    }
    Ok(None)
}

fn not_found(path: &Path) -> Error {
    Error::Io { path: path.to_owned(), source: ErrorKind::NotFound.into() }
}

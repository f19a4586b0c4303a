//! Reading a log from its end: the newest lines first, a part at a time.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::str::FromStr;

use super::line::{Error, LogTail, NumberedLine};
use super::lines::check_is_file;
use super::segments::{LOOKS_MAX, Segment, list};

/// How much of a file is read at once: 32 lines as long as any may be, and some thousands of usual ones.
const PART_BYTES_MAX: u64 = 1 << 20;

/// Where a line begins: its number, and its place in its file in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineStart {
    n: u64,
    offset: u64,
}

impl LineStart {
    /// Where the file begins that has line `n` first, or will.
    pub(super) const fn of_file(n: u64) -> Self {
        Self { n, offset: 0 }
    }
}

impl fmt::Display for LineStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.n, self.offset)
    }
}

impl FromStr for LineStart {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (n, offset) = text.split_once(':').ok_or(())?;
        Ok(Self { n: n.parse().map_err(drop)?, offset: offset.parse().map_err(drop)? })
    }
}

/// Some lines that follow each other.
#[derive(Debug, Default)]
pub(crate) struct LinesBefore {
    /// The newest first, each with where it begins.
    pub(crate) lines: Vec<(LineStart, NumberedLine)>,
    /// Where the oldest of them begins, if the log has older ones.
    pub(crate) rest: Option<LineStart>,
}

/// The lines of a log before one; without one the newest, of which the last that was written came to `tail`. They are
/// those of one file, so there may be older ones. None when that one isn't there: the log goes on without it since. What
/// is being written isn't a line yet.
///
/// # Errors
/// When the file can't be read, or a line doesn't follow from the one before it.
pub(super) fn lines_before(log: &Path, tail: LogTail, end: Option<LineStart>) -> Result<Option<LinesBefore>, Error> {
    check_is_file(log).map_err(|source| Error::Io { path: log.to_owned(), source })?;
    for looks in 1.. {
        let segments = list(log)?;
        let found = match end {
            None => segments.last(),
            Some(end) => segments.iter().find(|segment| is_before(segment, end)),
        };
        // Nothing was written, or it was moved away and nothing was since.
        let Some(segment) = found else { return Ok(end.is_none().then(LinesBefore::default)) };
        match read_part(&segment.path, end.map(|end| end.offset).filter(|offset| *offset > 0)) {
            Ok(Some(part)) => {
                let found = lines_of(&segments, segment, part, (tail, end))?;
                if found.as_ref().is_some_and(|found| !found.lines.is_empty()) || looks >= LOOKS_MAX {
                    return Ok(found);
                }
            }
            Ok(None) if looks >= LOOKS_MAX => return Ok(None),
            Ok(None) => {}
            // It was closed since, and has another name.
            Err(error) if error.kind() == ErrorKind::NotFound && looks < LOOKS_MAX => {}
            Err(source) => return Err(Error::Io { path: segment.path.clone(), source }),
        }
    }
    Ok(None)
}

/// Whether a file has the line before another. At the beginning of its file that is the last of a file that is closed.
fn is_before(segment: &Segment, end: LineStart) -> bool {
    let n = end.n.saturating_sub(1);
    let is_within = n > 0 && segment.first <= n && segment.last.is_none_or(|last| last >= n);
    is_within && (end.offset > 0 || segment.last == Some(n))
}

/// The lines in a part of a file.
fn lines_of(
    segments: &[Segment],
    segment: &Segment,
    (from, bytes): (u64, Vec<u8>),
    (tail, end): (LogTail, Option<LineStart>),
) -> Result<Option<LinesBefore>, Error> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if end.is_some() && whole != bytes.len() {
        return Ok(None);
    }
    // What was read may begin within a line, and within a character.
    let first = match from {
        0 => 0,
        _ => bytes[..whole].iter().position(|byte| *byte == b'\n').map_or(whole, |at| at + 1),
    };
    let damaged = |n, what| Error::Damaged { path: segment.path.clone(), n, what };
    let text = std::str::from_utf8(&bytes[first..whole]).map_err(|_| damaged(0, "a line isn't text"))?;
    let (mut lines, mut before, mut offset) = (Vec::new(), None::<LogTail>, from + first as u64);
    for line in text.split_terminator('\n') {
        let read = before.map_or_else(|| LogTail::read(line), |before| before.follow(line));
        let (numbered, after) = read.map_err(|what| damaged(before.map_or(0, |before| before.n + 1), what))?;
        if after.n == tail.n && after.chain != tail.chain {
            return Err(damaged(after.n, "it isn't the one that was written"));
        }
        lines.push((LineStart { n: numbered.n, offset }, numbered));
        (before, offset) = (Some(after), offset + line.len() as u64 + 1);
    }
    if end.is_some_and(|end| before.is_none_or(|last| last.n + 1 != end.n)) {
        return Ok(None);
    }
    let has_older = |start: &LineStart| start.offset > 0 || segments.iter().any(|segment| is_before(segment, *start));
    let rest = lines.first().map(|(start, _)| *start).filter(has_older);
    lines.reverse();
    Ok(Some(LinesBefore { lines, rest }))
}

/// The part of a file up to a place, or to its end, and where the part begins; none if the file isn't so long.
fn read_part(path: &Path, end: Option<u64>) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let end = end.unwrap_or(length);
    if end > length {
        return Ok(None);
    }
    let from = end.saturating_sub(PART_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(end - from).read_to_end(&mut bytes)?;
    Ok(Some((from, bytes)))
}

#[cfg(test)]
mod tests {
    use super::super::line::{Event, Line};
    use super::*;
    use crate::model::timestamp::Timestamp;

    /// A log of some lines whose scopes are long, and where it ends.
    fn log(lines: usize, scope_bytes: usize) -> (String, LogTail) {
        let mut text = String::new();
        let line = || Line::without_call(Event::Read, "é".repeat(scope_bytes / 2));
        let tail = (0..lines).fold(LogTail::START, |tail, _| tail.add(Timestamp(0), line(), &mut text));
        (text, tail)
    }

    #[test]
    fn a_long_log_is_read_part_by_part_each_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (text, tail) = log(500, 8_000);
        assert!(text.len() as u64 > 3 * PART_BYTES_MAX);
        std::fs::write(&path, text + "{\"n\":501,\"at\":\"").unwrap();
        let (mut numbers, mut end, mut parts) = (Vec::new(), None, 0);
        loop {
            let LinesBefore { lines, rest } = lines_before(&path, tail, end).unwrap().unwrap();
            numbers.extend(lines.into_iter().map(|(_, line)| line.n));
            parts += 1;
            end = match rest {
                Some(start) => Some(start.to_string().parse().unwrap()),
                None => break,
            };
        }
        assert_eq!(numbers, (1..=500).rev().collect::<Vec<u64>>());
        assert_eq!(parts, 4);
    }

    #[test]
    fn a_line_that_is_not_there_has_none_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let read = |end| lines_before(&path, LogTail::START, end).unwrap().map(|found| found.lines.len());
        assert_eq!((read(None), read(Some(LineStart { n: 1, offset: 0 }))), (Some(0), None), "there is no file");
        let (text, _) = log(3, 10);
        let second = text.find('\n').unwrap() as u64 + 1;
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(Some(LineStart { n: 2, offset: second })), Some(1));
        for (n, offset) in [(3, second), (2, second + 1), (2, 1 << 40), (0, 0)] {
            assert_eq!(read(Some(LineStart { n, offset })), None, "{n}:{offset}");
        }
    }

    #[test]
    fn a_line_that_was_changed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (text, tail) = log(3, 10);
        let damaged = |text: &str| {
            std::fs::write(&path, text).unwrap();
            matches!(lines_before(&path, tail, None), Err(Error::Damaged { .. }))
        };
        assert!(!damaged(&text));
        for n in 2..=3 {
            assert!(damaged(&text.replace(&format!("\"n\":{n}"), &format!("\"n\":{}", n + 3))), "{n}");
        }
        let (other, _) = log(3, 12);
        assert!(damaged(&other), "whole, and another log");
    }
}

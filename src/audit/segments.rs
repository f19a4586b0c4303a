//! The files of a log: the one that is written to, and those that were closed before, each named by its first line and
//! its last: `audit-000000000001-000000052311.log`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::line::{Error, Event, LogTail, NumberedLine};
use super::lines::{Lines, read_end};
use crate::model::timestamp::Timestamp;

/// The name, in the data folder, of the file that is written to.
pub const FILE_NAME: &str = "audit.log";
/// How many links lead from a log's path to its file, at the most.
const LINKS_MAX: usize = 16;
/// How often files are looked for: a server may close one at the same time.
pub(super) const LOOKS_MAX: u32 = 10;
const DAY_HOURS: i64 = 24;

/// A file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The number of its first line.
    pub(super) first: u64,
    /// That of its last; none of the file that is written to.
    pub(super) last: Option<u64>,
}

impl Segment {
    /// Opens it near line `n`; none when it has another name since, and perhaps another file is in its place: a server
    /// has closed it.
    pub(super) fn open(&self, n: u64) -> Result<Option<Lines>, Error> {
        let mut lines = match Lines::open(&self.path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if self.last.is_none() {
            let first = lines.next(self.first)?.map(LogTail::read).and_then(Result::ok);
            if first.is_none_or(|(first, _)| first.n != self.first) {
                return Ok(None);
            }
        }
        lines.go_near(n)?;
        Ok(Some(lines))
    }
}

/// Where the file is that a path leads to, which may be a link's; there may be no file.
pub(super) fn place(log: &Path) -> PathBuf {
    let mut place = log.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&place) else { break };
        place = place.parent().unwrap_or(Path::new("")).join(to);
    }
    place
}

/// Where a log's file is put once it is closed: beside it.
pub(super) fn closed_path(log: &Path, first: u64, last: u64) -> PathBuf {
    let place = place(log);
    let stem = place.file_stem().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!("{stem}-{first:012}-{last:012}.log"))
}

/// The first and the last line of a closed segment, by its name.
pub(super) fn span_of_name(name: &str) -> Option<(u64, u64)> {
    let (rest, last) = name.strip_suffix(".log")?.rsplit_once('-')?;
    let (_, first) = rest.rsplit_once('-')?;
    let number = |text: &str| text.parse().ok().filter(|number| format!("{number:012}") == text);
    let span: (u64, u64) = (number(first)?, number(last)?);
    (0 < span.0 && span.0 <= span.1).then_some(span)
}

/// The closed segments of a log, in order.
pub(super) fn closed(log: &Path) -> Result<Vec<Segment>, Error> {
    let place = place(log);
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some((first, last)) = path.file_name().and_then(|name| span_of_name(name.to_str()?)) else { continue };
        // Two logs may be in one folder.
        if closed_path(log, first, last).file_name() == path.file_name() {
            segments.push(Segment { path, first, last: Some(last) });
        }
    }
    segments.sort_by_key(|segment| (segment.first, segment.last));
    Ok(segments)
}

/// The segments of a log, in order, by their names; the one that is written to last, once it has a line.
pub(super) fn list(log: &Path) -> Result<Vec<Segment>, Error> {
    let mut segments = closed(log)?;
    if let Some(first) = first_line(log)? {
        segments.push(Segment { path: log.to_owned(), first: first.n, last: None });
    }
    Ok(segments)
}

/// Whether a data folder has a log, in whatever files. One has none before anybody is known there.
///
/// # Errors
/// When the folder can't be read.
pub(crate) fn has_log(folder: &Path) -> Result<bool, Error> {
    let log = folder.join(FILE_NAME);
    Ok(fs::symlink_metadata(&log).is_ok() || !closed(&log)?.is_empty())
}

/// The first line of a file; none when it has none, or there is no file.
fn first_line(path: &Path) -> Result<Option<NumberedLine>, Error> {
    let mut lines = match Lines::open(path) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let first = lines.next(0)?.map(|line| LogTail::read(line).map(|(line, _)| line)).transpose();
    first.map_err(|what| lines.damaged(0, what))
}

/// The last whole line of a file; none when it has none, or there is no file.
pub(super) fn last_line(path: &Path) -> Result<Option<(NumberedLine, LogTail)>, Error> {
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        read_end(&mut file, length)
    });
    let end = match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| Error::Io { path: path.to_owned(), source })?,
    };
    let damaged = |what| Error::Damaged { path: path.to_owned(), n: 0, what };
    let Some(line) = end.line else { return Ok(None) };
    let line = std::str::from_utf8(&line).map_err(|_| damaged("its last line isn't text"))?;
    LogTail::read(line).map(Some).map_err(damaged)
}

/// Where a log's closed segments end, and the segment that ends there; none when there is none. Its last line has to be
/// one that closes it.
pub(super) fn newest_closed(log: &Path) -> Result<Option<(Segment, LogTail)>, Error> {
    let Some(segment) = closed(log)?.pop() else { return Ok(None) };
    let damaged = |what| Error::Damaged { path: segment.path.clone(), n: segment.last.unwrap_or(0), what };
    match last_line(&segment.path)? {
        Some((line, tail)) if line.line.event == Event::Closed && Some(tail.n) == segment.last => {
            Ok(Some((segment, tail)))
        }
        Some(_) | None => Err(damaged("the file doesn't end with the line that closes it")),
    }
}

/// What the first and the last line of a segment say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// The file.
    pub(crate) path: PathBuf,
    /// The number of its first line.
    pub(crate) first: u64,
    /// Where the log was before it.
    pub(crate) before: LogTail,
    /// Where it ends: for the file that is written to, its last whole line as of now.
    pub(crate) end: LogTail,
    /// When its first line and its last were written.
    pub(crate) times: (Timestamp, Timestamp),
    /// Whether no more is written to it.
    pub(crate) is_closed: bool,
}

/// Whether what was written between two times, of which the clock said the first before the second, may have lines from
/// the first bound on and before the second: a day more counts, because a clock may have been set.
pub(super) fn may_be_within(
    (first, last): (Timestamp, Timestamp),
    (since, until): (Option<Timestamp>, Option<Timestamp>),
) -> bool {
    since.is_none_or(|since| last.plus_hours(DAY_HOURS) >= since)
        && until.is_none_or(|until| first.plus_hours(-DAY_HOURS) < until)
}

/// The segments of a data folder's log, in order, as their first and last lines have them. They are checked against
/// their names and against each other: one that follows another by its number also does by its chain. What is
/// between the first and the last line of each is for whoever reads it; whether lines between two are missing for a
/// reason, for [`verify_folder`](super::verify_folder).
///
/// # Errors
/// When a file can't be read, or one of these lines isn't what was written.
pub(crate) fn spans(folder: &Path) -> Result<Vec<Span>, Error> {
    let log = folder.join(FILE_NAME);
    let mut spans: Vec<Span> = Vec::new();
    for segment in list(&log)? {
        let damaged = |n, what| Error::Damaged { path: segment.path.clone(), n, what };
        let (Some(first), Some((last, end))) = (first_line(&segment.path)?, last_line(&segment.path)?) else {
            // A file that was closed just now has the name that it is found by next.
            if segment.last.is_none() {
                continue;
            }
            return Err(damaged(segment.first, "the file has no line"));
        };
        let time = |line: &NumberedLine| line.at().ok_or_else(|| damaged(line.n, "its time isn't one"));
        let times = (time(&first)?, time(&last)?);
        let before = first.before().unwrap_or(LogTail::START);
        if first.n != segment.first && segment.last.is_none() {
            continue;
        }
        if first.n != segment.first || before.n + 1 != first.n {
            return Err(damaged(segment.first, "the file begins with another line"));
        }
        let is_closed = segment.last.is_some();
        if is_closed && (segment.last != Some(end.n) || last.line.event != Event::Closed) {
            return Err(damaged(segment.last.unwrap_or(0), "the file doesn't end with the line that closes it"));
        }
        if let Some(previous) = spans.last() {
            if previous.end.n >= first.n {
                return Err(damaged(first.n, "another file has this line too"));
            }
            if previous.end.n == before.n && previous.end != before {
                return Err(damaged(first.n, "it doesn't follow from the last line of the file before"));
            }
        }
        spans.push(Span { path: segment.path.clone(), first: first.n, before, end, times, is_closed });
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_span_of_its_lines_and_no_other_name_does() {
        let log = Path::new("data").join(FILE_NAME);
        for (first, last) in [(1, 1), (1, 52_311), (999_999_999_999, 1_000_000_000_000), (u64::MAX, u64::MAX)] {
            let path = closed_path(&log, first, last);
            assert_eq!(span_of_name(path.file_name().unwrap().to_str().unwrap()), Some((first, last)), "{path:?}");
        }
        let name = "audit-000000000001-000000052311.log";
        assert_eq!(closed_path(&log, 1, 52_311), Path::new("data").join(name));
        for wrong in [
            "audit.log",
            "audit-1-2.log",
            "audit-000000000001-000000052311.log.gz",
            "audit-000000000002-000000000001.log",
            "audit-000000000000-000000000001.log",
            "audit-+00000000001-000000000002.log",
        ] {
            assert_eq!(span_of_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_sort_as_their_lines_do_and_another_logs_files_are_not_this_ones() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join(FILE_NAME);
        for (name, first, last) in [("audit.log", 3, 9), ("audit.log", 1, 2), ("other.log", 1, 7)] {
            File::create(closed_path(&folder.path().join(name), first, last)).unwrap();
        }
        let found = closed(&log).unwrap().into_iter().map(|segment| (segment.first, segment.last));
        assert_eq!(found.collect::<Vec<_>>(), [(1, Some(2)), (3, Some(9))]);
    }

    #[test]
    fn a_closed_file_is_put_beside_the_one_that_a_link_leads_to() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = folder.path().join(FILE_NAME);
        std::os::unix::fs::symlink(disk.path().join("county.log"), &log).unwrap();
        assert_eq!(closed_path(&log, 1, 2), disk.path().join("county-000000000001-000000000002.log"));
    }
}

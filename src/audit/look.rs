//! Looking at a log without changing it: what a start finds whose journal knows nothing of the log.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::line::{Error, LogTail};
use super::lines::read_end;
use super::reader::lines_after;
use super::segments::{FILE_NAME, has_log, list};

/// What there is of a log, all of which was read, and is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// How many lines.
    pub(crate) lines: u64,
    /// In how many files.
    pub(crate) files: usize,
    /// How many bytes these have.
    pub(crate) bytes: u64,
    /// How many bytes follow the last whole line, of one that was cut off, which a start drops.
    pub(crate) torn_bytes: u64,
    /// The newest revision that a line has seen.
    pub(crate) revision: u64,
}

impl Found {
    /// Reads a data folder's log; none where there is none.
    ///
    /// # Errors
    /// At the first line that isn't what was written, and when a file can't be read.
    pub(crate) fn of(folder: &Path) -> Result<Option<Self>, Error> {
        if !has_log(folder)? {
            return Ok(None);
        }
        let (mut lines, mut revision) = (0, 0);
        for line in lines_after(folder, LogTail::START, u64::MAX) {
            (lines, revision) = (lines + 1, line?.numbered.line.revision.max(revision));
        }
        let log = folder.join(FILE_NAME);
        let (segments, mut bytes) = (list(&log)?, 0);
        for segment in &segments {
            let found = fs::metadata(&segment.path);
            bytes += found.map_err(|source| Error::Io { path: segment.path.clone(), source })?.len();
        }
        let end = File::open(&log).and_then(|mut file| {
            let length = file.metadata()?.len();
            read_end(&mut file, length)
        });
        let torn_bytes = match end {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            end => end.map_err(|source| Error::Io { path: log, source })?.torn_bytes,
        };
        Ok(Some(Self { lines, files: segments.len(), bytes, torn_bytes, revision }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{Event, Line};
    use super::*;
    use crate::model::timestamp::Timestamp;

    #[test]
    fn a_log_is_read_whole_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Found::of(folder.path()).unwrap(), None);
        let (mut text, mut tail) = (String::new(), LogTail::START);
        for revision in [1, 7, 2] {
            let line = Line { revision, ..Line::without_call(Event::Read, String::new()) };
            tail = tail.add(Timestamp(0), line, &mut text);
        }
        let whole = text.len() as u64;
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, text.clone() + "{\"n\":4").unwrap();
        let found = Found { lines: 3, files: 1, bytes: whole + 6, torn_bytes: 6, revision: 7 };
        assert_eq!(Found::of(folder.path()).unwrap(), Some(found));
        fs::write(&path, text.replacen("\"revision\":7", "\"revision\":8", 1)).unwrap();
        assert!(matches!(Found::of(folder.path()), Err(Error::Damaged { n: 2, .. })));
    }
}

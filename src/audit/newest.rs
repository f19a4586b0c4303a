//! When the last line of a log was written.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::file::check_is_file;
use super::line::{Error, LINE_BYTES_MAX, LogTail, NumberedLine};
use super::log::FILE_NAME;
use crate::model::timestamp::Timestamp;

/// When the last whole line of a data folder's log was written; none when there is no such line, which opening the log
/// finds out about.
///
/// # Errors
/// When the file can't be read.
pub(crate) fn newest_line(folder: &Path) -> Result<Option<Timestamp>, Error> {
    let path = folder.join(FILE_NAME);
    let read = || {
        check_is_file(&path)?;
        let mut file = File::open(&path)?;
        let from = file.metadata()?.len().saturating_sub(2 * LINE_BYTES_MAX);
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(2 * LINE_BYTES_MAX).read_to_end(&mut end)?;
        Ok::<_, std::io::Error>(end)
    };
    match read() {
        Ok(end) => Ok(written_at(&end)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path, source }),
    }
}

fn written_at(end: &[u8]) -> Option<Timestamp> {
    let whole = end.iter().rposition(|byte| *byte == b'\n')?;
    let last = std::str::from_utf8(end[..whole].rsplit(|byte| *byte == b'\n').next()?).ok()?;
    let (NumberedLine { at, .. }, _) = LogTail::read(last).ok()?;
    Some(Timestamp(at.parse::<jiff::Timestamp>().ok()?.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::super::line::{Event, Line};
    use super::*;

    #[test]
    fn the_last_whole_line_says_when_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let newest = |text: &str| {
            std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
            newest_line(folder.path()).unwrap()
        };
        assert_eq!(newest_line(folder.path()).unwrap(), None);
        let mut text = String::new();
        let line = || Line::without_call(Event::Keys, String::new());
        let tail = LogTail::START.add(Timestamp(5_000_000), line(), &mut text);
        assert_eq!(newest(&text), Some(Timestamp(5_000_000)));
        tail.add(Timestamp(7_999_999), line(), &mut text);
        assert_eq!(newest(&text), Some(Timestamp(7_000_000)), "it is written to the second");
        assert_eq!(newest(&format!("{text}{{\"n\":3")), Some(Timestamp(7_000_000)));
        assert_eq!(newest("not a line\n"), None);
        assert_eq!(newest(""), None);
    }
}

//! When the last line of a log was written.

use std::path::Path;

use super::line::Error;
use super::lines::check_is_file;
use super::segments::{FILE_NAME, closed, last_line};
use crate::model::timestamp::Timestamp;

/// When the last whole line of a data folder's log was written; none when there is no such line, which opening the log
/// finds out about.
///
/// # Errors
/// When the file can't be read.
pub(crate) fn newest_line(folder: &Path) -> Result<Option<Timestamp>, Error> {
    let log = folder.join(FILE_NAME);
    check_is_file(&log).map_err(|source| Error::Io { path: log.clone(), source })?;
    let last = match last_line(&log) {
        // Between two files there is none that is written to.
        Ok(None) if folder.exists() => closed(&log)?.pop().map_or(Ok(None), |segment| last_line(&segment.path)),
        last => last,
    };
    match last {
        Ok(last) => Ok(last.and_then(|(line, _)| line.at())),
        Err(Error::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{Event, Line, LogTail};
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

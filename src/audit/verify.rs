//! Reading a log, and checking that it is what was written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};
use std::path::{Path, PathBuf};

use super::line::{Error, LINE_BYTES_MAX, LogTail, NumberedLine};

/// The lines of a log, in order; what is in them isn't checked.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<Take<File>>,
    line: String,
}

impl Lines {
    /// Those within the first so many bytes of a file.
    pub(super) fn open(path: &Path, bytes: u64) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file.take(bytes)), line: String::new() })
    }

    /// The next line, which has the number `n`; none at the end.
    pub(super) fn next(&mut self, n: u64) -> Result<Option<&str>, Error> {
        self.line.clear();
        // The bound keeps damage from asking for memory: a line without an end is one that is cut off.
        let read = Read::by_ref(&mut self.reader).take(LINE_BYTES_MAX).read_line(&mut self.line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) => self.line.strip_suffix('\n').map(Some).ok_or_else(|| self.damaged(n, "it is cut off")),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.damaged(n, "it isn't text")),
            Err(source) => Err(Error::Io { path: self.path.clone(), source }),
        }
    }

    /// That a line isn't what was written.
    pub(super) fn damaged(&self, n: u64, what: &'static str) -> Error {
        Error::Damaged { path: self.path.clone(), n, what }
    }
}

/// Reads a log from its beginning, hands each line to `each`, and checks that it is what was
/// written: every line, in order, and none left out but perhaps at the end. Of a file that goes on
/// where another ended, whether it follows from that is for who has both: its first line says where
/// that was.
///
/// # Errors
/// At the first line that isn't.
pub fn verify(path: &Path, each: &mut dyn FnMut(&NumberedLine)) -> Result<LogTail, Error> {
    let mut lines = Lines::open(path, u64::MAX)?;
    let mut tail = LogTail::START;
    while let Some(line) = lines.next(tail.n + 1)? {
        let followed = tail.follow(line);
        let (numbered, next) = followed.map_err(|what| lines.damaged(tail.n + 1, what))?;
        each(&numbered);
        tail = next;
    }
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::super::line::{Event, Line};
    use super::*;
    use crate::journal::ChainHash;
    use crate::model::timestamp::Timestamp;

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

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

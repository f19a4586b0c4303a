//! Reading a log, and checking that it is what was written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::line::{Error, LINE_BYTES_MAX, LogTail, NumberedLine};

/// Reads a log from its beginning, hands each line to `each`, and checks that it is what was
/// written: every line, in order, and none left out but perhaps at the end.
///
/// # Errors
/// At the first line that isn't.
pub fn verify(path: &Path, each: &mut dyn FnMut(&NumberedLine)) -> Result<LogTail, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut tail = LogTail::START;
    let mut line = String::new();
    loop {
        line.clear();
        let damaged = |what| Error::Damaged { path: path.to_owned(), n: tail.n + 1, what };
        // The bound keeps damage from asking for memory: a line without an end is one that is cut off.
        let read = Read::by_ref(&mut reader).take(LINE_BYTES_MAX).read_line(&mut line);
        match read {
            Ok(0) => return Ok(tail),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged("it isn't text")),
            Err(error) => return Err(io(error)),
        }
        let whole = line.strip_suffix('\n').ok_or_else(|| damaged("it is cut off"))?;
        let (numbered, next) = tail.follow(whole).map_err(damaged)?;
        each(&numbered);
        tail = next;
    }
}

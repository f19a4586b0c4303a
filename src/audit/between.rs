//! The lines between two ends of a log, as they are written.

use std::path::Path;

use super::line::{Error, LogTail, NumberedLine};
use super::log::FILE_NAME;
use super::verify::{Lines, verify};

/// A line as it stands in the file, without its line break.
pub(crate) struct WrittenLine {
    pub(crate) text: String,
    pub(crate) numbered: NumberedLine,
}

/// The lines of a data folder's log after `from` up to `to`, each checked to follow from the one before.
///
/// # Errors
/// When the log can't be read, isn't what was written, or doesn't lead from the one to the other.
pub(crate) fn lines_between(
    folder: &Path,
    from: LogTail,
    to: LogTail,
) -> Result<impl Iterator<Item = Result<WrittenLine, Error>>, Error> {
    let path = folder.join(FILE_NAME);
    let mut lines = if from == to { None } else { Some(Lines::open(&path, u64::MAX)?) };
    let mut tail = LogTail::START;
    let mut next = move || {
        let Some(lines) = &mut lines else { return Ok(None) };
        loop {
            let n = tail.n + 1;
            let Some(text) = lines.next(n)?.map(str::to_owned) else {
                return Err(lines.damaged(n, "it isn't there"));
            };
            let (numbered, after) = tail.follow(&text).map_err(|what| lines.damaged(n, what))?;
            tail = after;
            if tail.n == from.n && tail != from {
                return Err(lines.damaged(n, "it isn't the one that is known"));
            }
            if tail.n > from.n {
                return Ok(Some((WrittenLine { text, numbered }, tail)));
            }
        }
    };
    let mut ended = from == to;
    Ok(std::iter::from_fn(move || {
        if std::mem::replace(&mut ended, true) {
            return None;
        }
        match next() {
            Ok(found) => found.map(|(line, tail)| {
                ended = tail.n >= to.n;
                Ok(line)
            }),
            Err(error) => Some(Err(error)),
        }
    }))
}

/// Reads a data folder's log from its beginning, checks that it is what was written, and says where it ends; a folder
/// may have none.
///
/// # Errors
/// At the first line that isn't.
pub(crate) fn verify_folder(folder: &Path) -> Result<LogTail, Error> {
    let path = folder.join(FILE_NAME);
    if path.exists() { verify(&path, &mut |_| {}) } else { Ok(LogTail::START) }
}

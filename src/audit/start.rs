//! What a start compares: the log with what the journal knows of it, and the journal with what the log has seen.

use std::path::Path;

use super::line::{Error, Event, LogTail, NumberedLine};
use super::verify::Lines;
use crate::model::revision::Revision;

/// What the journal knows.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Where the log was when the journal last recorded it.
    pub tail: LogTail,
    /// The journal's newest revision.
    pub revision: Revision,
}

/// What an operator accepts at a start, each by a flag named for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accepted {
    /// That the log lacks lines that the journal knows of.
    pub lost_lines: bool,
    /// That the journal is older than the log.
    pub older_journal: bool,
}

/// What the lines have that came after those that the journal knows of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The newest revision.
    pub(super) revision: u64,
    /// The changes of keys, in words.
    pub(super) key_changes: Vec<String>,
}

impl Since {
    fn take(&mut self, NumberedLine { line, .. }: NumberedLine) {
        self.revision = self.revision.max(line.revision);
        if line.event == Event::Keys {
            self.key_changes.push(line.scope);
        }
    }
}

/// What a log has beside what the journal knows of it.
#[derive(Debug)]
pub(super) struct Compared {
    /// The lines that the journal doesn't know of.
    pub(super) since: Since,
    /// Why lines that it knows of aren't there, when they aren't.
    pub(super) lost: Option<String>,
}

/// Finds the last line that the journal knows of, and follows the lines after it, within the first so many bytes of a
/// file. What comes before it is tied to it
/// by its chain; to read it all is for `verify`.
pub(super) fn compare(path: &Path, bytes: u64, known: LogTail) -> Result<Compared, Error> {
    let mut lines = Lines::open(path, bytes)?;
    let mut since = Since::default();
    let mut lost = None;
    let mut line = lines.next(1)?.map(str::to_owned);
    let mut tail = match &line {
        Some(first) => LogTail::before_first(first).map_err(|what| lines.damaged(1, what))?,
        None => LogTail::START,
    };
    let mut n = tail.n;
    while n < known.n {
        let Some(text) = line else {
            return Ok(Compared { since, lost: Some(format!("the file ends with line {n}")) });
        };
        n += 1;
        // The last of them is checked itself, so the chain of the one before it is needed.
        if n + 1 == known.n {
            tail = LogTail::of_last(&text).map_err(|what| lines.damaged(n, what))?;
        } else if n == known.n {
            tail = tail.follow(&text).map_err(|what| lines.damaged(n, what))?.1;
        }
        line = lines.next(n + 1)?.map(str::to_owned);
    }
    // Of a log of which the journal knows nothing, nothing is missing.
    if known != LogTail::START && tail != known {
        lost = Some(if n == known.n {
            format!("its line {n} is another one")
        } else {
            format!("the file begins after line {n}")
        });
    }
    while let Some(text) = line {
        let (numbered, next) = tail.follow(&text).map_err(|what| lines.damaged(tail.n + 1, what))?;
        since.take(numbered);
        tail = next;
        line = lines.next(tail.n + 1)?.map(str::to_owned);
    }
    Ok(Compared { since, lost })
}

#[cfg(test)]
mod tests {
    use super::super::line::Line;
    use super::*;
    use crate::model::timestamp::Timestamp;

    #[test]
    fn as_many_lines_as_the_journal_knows_of_are_not_enough_when_the_last_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        // Two logs of three lines that differ in the last one alone.
        let log = |last: &str| {
            let mut text = String::new();
            let add = |tail: LogTail, scope: &&str| {
                tail.add(Timestamp(0), Line::without_call(Event::Read, (*scope).to_owned()), &mut text)
            };
            let tail = ["a", "b", last].iter().fold(LogTail::START, add);
            (text, tail)
        };
        let ((text, tail), (_, other)) = (log("c"), log("d"));
        std::fs::write(&path, &text).unwrap();
        let lost = |known| compare(&path, text.len() as u64, known).unwrap().lost;
        assert_eq!(lost(tail), None);
        assert_eq!(lost(other).unwrap(), "its line 3 is another one");
    }
}

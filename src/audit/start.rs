//! What a start compares: the log with what the journal knows of it, and the journal with what the log has seen.

use std::path::Path;

use super::line::{Error, Event, LogTail, NumberedLine};
use super::reader::{lines_after, tail_at};
use super::segments::FILE_NAME;
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

/// A change of keys, as its line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The revision at which the journal has it; 0 for one that was made on the machine while no server ran.
    pub revision: u64,
    /// What it is.
    pub words: String,
}

/// What the lines have that came after those that the journal knows of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The newest revision.
    pub(super) revision: u64,
    pub(super) key_changes: Vec<KeyChange>,
}

impl Since {
    fn take(&mut self, NumberedLine { line, .. }: NumberedLine) {
        self.revision = self.revision.max(line.revision);
        if line.event == Event::Keys {
            self.key_changes.push(KeyChange { revision: line.revision, words: line.scope });
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

/// Finds the last line that the journal knows of, and follows the lines after it. What comes before it is tied to it by
/// its chain; to read it all is for `verify`.
pub(super) fn compare(folder: &Path, known: LogTail) -> Result<Compared, Error> {
    let mut since = Since::default();
    // Of a log of which the journal knows nothing, nothing is missing.
    let found = if known == LogTail::START { Some(known) } else { tail_at(folder, known.n)? };
    let (after, lost) = match found {
        Some(found) if found == known => (known, None),
        Some(found) => (found, Some(format!("its line {} is another one", known.n))),
        // It begins after that line, or ends before.
        None => (LogTail::START, None),
    };
    let mut lines = lines_after(folder, after, u64::MAX);
    let mut begins_after = None;
    for line in &mut lines {
        let line = line?;
        begins_after.get_or_insert(line.tail.n - 1);
        if line.tail.n > known.n {
            since.take(line.numbered);
        }
    }
    let lost = lost.or_else(|| match begins_after {
        _ if found.is_some() => None,
        Some(n) if n > known.n => Some(format!("the log begins after line {n}")),
        _ if lines.tail().n < known.n => Some(format!("the log ends with line {}", lines.tail().n)),
        Some(_) | None => Some(format!("its line {} isn't there", known.n)),
    });
    Ok(Compared { since, lost })
}

/// Checks that a log has the last line that is known of it, to its journal or to the server that writes it, as a start
/// does.
///
/// # Errors
/// When it hasn't, or has another in its place; and when it can't be read, or isn't what was written.
pub(crate) fn check_known(folder: &Path, known: LogTail) -> Result<(), Error> {
    let Some(what) = compare(folder, known)?.lost else { return Ok(()) };
    Err(Error::Lost { path: folder.join(FILE_NAME), known: known.n, what })
}

#[cfg(test)]
mod tests {
    use super::super::line::Line;
    use super::*;
    use crate::model::timestamp::Timestamp;

    #[test]
    fn as_many_lines_as_the_journal_knows_of_are_not_enough_when_the_last_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
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
        let lost = |known| compare(folder.path(), known).unwrap().lost;
        assert_eq!(lost(tail), None);
        assert_eq!(lost(other).unwrap(), "its line 3 is another one");
    }
}

//! Reading a backup, and checking that it is what was written and leads to where it says.

use std::collections::BTreeSet;
use std::io::Read;

use super::Error;
use super::frame::{FrameError, FrameReader, Kind};
use super::manifest::{Manifest, Point, Previous, Totals, Unreadable};
use crate::audit::{self, LogTail};
use crate::journal::{Stored, Tail, unpack};

/// The length of a question's name: a hash in hexadecimal digits.
const NAME_BYTES: usize = 64;

/// Takes what is in backups, each part once it is checked, in order.
pub(crate) trait Sink {
    /// Entries of the journal that follow those before.
    fn entries(&mut self, entries: Vec<Stored>) -> Result<(), Error>;
    /// Whole lines of the audit log that follow those before, each with its line break.
    fn audit_lines(&mut self, text: &str) -> Result<(), Error>;
    /// A question of the audit log, by its hash.
    fn question(&mut self, hash: &str, text: &str) -> Result<(), Error>;
}

/// Takes nothing: what is read is only checked.
pub(crate) struct Checked;

impl Sink for Checked {
    fn entries(&mut self, _: Vec<Stored>) -> Result<(), Error> {
        Ok(())
    }

    fn audit_lines(&mut self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn question(&mut self, _: &str, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// A backup that is being read.
pub(crate) struct Backup<R> {
    name: String,
    frames: FrameReader<R>,
    pub(crate) manifest: Manifest,
}

/// A backup that was read to its end, and is what was written.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// What others call it.
    pub(crate) id: String,
    pub(crate) manifest: Manifest,
    pub(crate) totals: Totals,
}

impl Whole {
    /// What a backup that goes on from it says.
    pub(crate) fn as_previous(&self) -> Previous {
        Previous { id: self.id.clone(), to: self.manifest.to }
    }
}

impl<R: Read> Backup<R> {
    /// Reads the beginning of a backup that goes by a name.
    ///
    /// # Errors
    /// When it isn't one, or a later version took it.
    pub(crate) fn open(name: &str, from: R) -> Result<Self, Error> {
        let damaged = |what| Error::Damaged { name: name.to_owned(), what };
        let mut frames = FrameReader::begin(from).map_err(damaged)?;
        let manifest = match frames.next().map_err(damaged)? {
            (Kind::Manifest, json) => Manifest::from_json(name, &json),
            (Kind::Record | Kind::AuditLines | Kind::Question | Kind::End, _) => {
                return Err(damaged(frames.damaged("it isn't the manifest, with which a backup begins")));
            }
        };
        let manifest = manifest.map_err(|error| match error {
            Unreadable::LaterFormat(later) => Error::LaterFormat(later),
            Unreadable::Json(error) => damaged(frames.damaged(format!("its manifest can't be read: {error}"))),
        })?;
        Ok(Self { name: name.to_owned(), frames, manifest })
    }

    /// Reads it to its end, and hands on what is in it.
    ///
    /// # Errors
    /// When it isn't what was written, or doesn't lead to where it says; and what the sink gives.
    pub(crate) fn read(mut self, sink: &mut dyn Sink) -> Result<Whole, Error> {
        let Point { mut journal, mut audit } = self.manifest.from();
        let mut counted = Totals::default();
        let mut asked = BTreeSet::new();
        loop {
            let (kind, content) = self.frames.next().map_err(|what| self.damaged(what))?;
            match kind {
                Kind::Manifest => return Err(self.wrong("a second manifest")),
                Kind::Record => {
                    let entries = unpack(journal, &content).map_err(|error| self.wrong(error.to_string()))?;
                    if let Some(last) = entries.last() {
                        journal = Tail { revision: last.revision, hash: last.hash };
                    }
                    counted.entries += entries.len() as u64;
                    sink.entries(entries)?;
                }
                Kind::AuditLines => {
                    let text = self.text(&content)?;
                    for line in text.split_terminator('\n') {
                        let (numbered, tail, _) =
                            audit::follow_or_leap(audit, line).map_err(|what| self.wrong(what))?;
                        (audit, counted.audit_lines) = (tail, counted.audit_lines + 1);
                        asked.insert(numbered.line.question);
                    }
                    sink.audit_lines(text)?;
                }
                Kind::Question => {
                    let text = self.text(&content)?;
                    let (hash, question) = text.split_at_checked(NAME_BYTES).ok_or_else(|| self.wrong("no name"))?;
                    if !asked.remove(hash) || !audit::is_question(hash, question) {
                        return Err(
                            self.wrong("a question that no line of the audit log names, or that was there before")
                        );
                    }
                    counted.questions += 1;
                    sink.question(hash, question)?;
                }
                Kind::End => {
                    let totals = serde_json::from_slice(&content).map_err(|error| self.wrong(error.to_string()))?;
                    self.frames.expect_end().map_err(|what| self.damaged(what))?;
                    return self.ended((journal, audit), &counted, totals);
                }
            }
        }
    }

    /// Checks that it had what it says that it has.
    fn ended(self, (journal, audit): (Tail, LogTail), counted: &Totals, totals: Totals) -> Result<Whole, Error> {
        let to = self.manifest.to;
        let found = Point { journal, audit };
        if found != to || (Totals { digests: totals.digests.clone(), ..counted.clone() }) != totals {
            return Err(self.wrong("what was read isn't what the manifest and the last frame say"));
        }
        let id = self.frames.hash().to_string();
        Ok(Whole { id, manifest: self.manifest, totals })
    }

    fn text<'a>(&self, content: &'a [u8]) -> Result<&'a str, Error> {
        std::str::from_utf8(content).map_err(|_| self.wrong("it isn't text"))
    }

    fn damaged(&self, what: FrameError) -> Error {
        Error::Damaged { name: self.name.clone(), what }
    }

    /// That what a frame holds isn't what it must be, though its hash is right.
    fn wrong(&self, what: impl Into<String>) -> Error {
        self.damaged(self.frames.damaged(what))
    }
}

/// Reads backups that go on from each other, the first of which begins at the beginning, and hands on what is in them.
///
/// # Errors
/// At the first that isn't what was written, or doesn't go on from the one before; and what the sink gives.
pub(crate) fn read_all<R: Read>(
    backups: impl IntoIterator<Item = Result<(String, R), Error>>,
    sink: &mut dyn Sink,
) -> Result<Vec<Whole>, Error> {
    let mut read: Vec<Whole> = Vec::new();
    for backup in backups {
        let (name, from) = backup?;
        let backup = Backup::open(&name, from)?;
        let expected = read.last().map(Whole::as_previous);
        if backup.manifest.previous != expected {
            let words = |previous: Option<&Previous>| {
                previous.map_or_else(
                    || "none".to_owned(),
                    |previous| format!("{} (revision {})", previous.id, previous.to.journal.revision),
                )
            };
            let (found, expected) = (words(backup.manifest.previous.as_ref()), words(expected.as_ref()));
            return Err(Error::Order { name, found, expected });
        }
        read.push(backup.read(sink)?);
    }
    Ok(read)
}

//! Taking a backup.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::Error;
use super::frame::{CONTENT_BYTES_MAX, FrameWriter, Kind};
use super::manifest::{Digests, Manifest, Point, Totals};
use crate::audit::{self, LogTail};
use crate::journal::{self, Reader, Tail, pack, record_bytes};

/// How large a record becomes before it is written.
const RECORD_BYTES: usize = 256 << 10;
/// How many bytes of lines are written together.
const LINES_BYTES: usize = 256 << 10;

/// A backup that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// Its id: the hash that its last frame ends with, in 64 hexadecimal digits.
    pub(crate) id: String,
    /// How many bytes it has.
    pub(crate) bytes: u64,
}

/// Writes what a journal and its folder's audit log have gained from where the manifest begins to where it ends.
///
/// # Errors
/// When that isn't what the journal has, or it can't be read or written. What was written then is no backup.
pub(crate) fn take(
    (reader, folder): (&dyn Reader, &Path),
    manifest: &Manifest,
    digests: Option<Digests>,
    out: impl Write,
) -> Result<Taken, Error> {
    let (from, to) = (manifest.from(), manifest.to);
    expect_same_journal(reader, from)?;
    expect_not_pruned(folder, from, to.audit)?;
    let mut frames = FrameWriter::begin(out).map_err(Error::Out)?;
    frames.write(Kind::Manifest, &manifest.to_json()?).map_err(Error::Out)?;
    let mut totals = Totals { digests, ..Totals::default() };
    totals.entries =
        journal_records(reader, from, to, |record| frames.write(Kind::Record, record).map_err(Error::Out))?;
    audit_lines(folder, (from.audit, to.audit), &mut totals, |kind, content| {
        frames.write(kind, content).map_err(Error::Out)
    })?;
    frames.write(Kind::End, &serde_json::to_vec(&totals)?).map_err(Error::Out)?;
    let (hash, bytes, mut out) = frames.end();
    out.flush().map_err(Error::Out)?;
    Ok(Taken { id: hash.to_string(), bytes })
}

/// Refuses to go on from a backup after which lines of the audit log were deleted.
fn expect_not_pruned(folder: &Path, from: Point, to: LogTail) -> Result<(), Error> {
    match audit::lines_after(folder, from.audit, to.n).next() {
        Some(Err(audit::Error::Missing { first, last, .. })) if from.audit != LogTail::START => {
            Err(Error::Pruned { first, last })
        }
        _ => Ok(()),
    }
}

/// Refuses to go on from a backup of another journal.
fn expect_same_journal(reader: &dyn Reader, from: Point) -> Result<(), Error> {
    if has_come_by(reader, from.journal)? {
        Ok(())
    } else {
        Err(Error::OtherJournal { revision: from.journal.revision })
    }
}

/// Whether a journal has what another had when that ended at `tail`.
///
/// # Errors
/// When it can't be read.
pub(crate) fn has_come_by(reader: &dyn Reader, tail: Tail) -> Result<bool, journal::Error> {
    // Each begins empty.
    Ok(tail == Tail::EMPTY || reader.read(tail.revision)?.is_some_and(|stored| stored.hash == tail.hash))
}

/// The entries between two points as records, and how many they are.
fn journal_records(
    reader: &dyn Reader,
    from: Point,
    to: Point,
    mut write: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let (mut before, mut payloads, mut bytes, mut failed) = (from.journal, Vec::new(), 0, None);
    let mut flush = |payloads: &mut Vec<Vec<u8>>| {
        if payloads.is_empty() {
            return Ok(());
        }
        let (record, tail) = pack(before, payloads)?;
        payloads.clear();
        before = tail;
        write(&record)
    };
    reader
        .scan(from.journal.revision, &mut |stored| {
            // What came since isn't of this backup.
            if stored.revision > to.journal.revision {
                return Ok(());
            }
            let added = record_bytes([stored.payload.len()]);
            if bytes + added > RECORD_BYTES {
                bytes = 0;
                if let Err(error) = flush(&mut payloads) {
                    failed = Some(error);
                    return Err(journal::Error::Poisoned { cause: "the backup ends".to_owned() });
                }
            }
            bytes += added;
            payloads.push(stored.payload);
            Ok(())
        })
        .map_err(|error| failed.take().unwrap_or(Error::Journal(error)))?;
    flush(&mut payloads)?;
    if before == to.journal {
        Ok(before.revision.0 - from.journal.revision.0)
    } else {
        Err(Error::OtherJournal { revision: to.journal.revision })
    }
}

/// The lines between two ends of the audit log, and the questions that they name.
fn audit_lines(
    folder: &Path,
    (from, to): (LogTail, LogTail),
    totals: &mut Totals,
    mut write: impl FnMut(Kind, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut text, mut questions) = (String::new(), BTreeSet::new());
    let mut end = from;
    for line in audit::lines_after(folder, from, to.n) {
        let line = line?;
        end = line.tail;
        if text.len() + line.text.len() >= LINES_BYTES {
            write(Kind::AuditLines, text.as_bytes())?;
            text.clear();
        }
        text.push_str(&line.text);
        text.push('\n');
        totals.audit_lines += 1;
        if !line.numbered.line.question.is_empty() {
            questions.insert(line.numbered.line.question);
        }
    }
    if !text.is_empty() {
        write(Kind::AuditLines, text.as_bytes())?;
    }
    if end != to {
        return Err(Error::OtherLog { n: to.n });
    }
    for hash in questions {
        // Of a refusal there is the hash alone; and old questions may have been moved away.
        let Ok(question) = audit::read_question(folder, &hash) else { continue };
        let content = [hash.as_bytes(), question.as_bytes()].concat();
        if content.len() <= CONTENT_BYTES_MAX {
            write(Kind::Question, &content)?;
            totals.questions += 1;
        }
    }
    Ok(())
}

//! The journal as JSON lines, for other programs to read, and to begin a journal with the same chain of hashes from.
//!
//! The first line is a [`Head`]; then comes a [`Line`] for each entry, in order. An `entry` is
//! `conspectus.journal.v1.Entry` in protobuf's JSON. Where an earlier version wrote the entry in another way than this
//! one does, the line has its bytes besides.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::restore::new_folder;
use crate::entry::{codec, json};
use crate::journal::{self, DiskJournal, ENTRY_BYTES_MAX, Journal, Reader, Tail, record_bytes};
use crate::model::revision::Revision;

/// What the first line says that it is.
const FORMAT: &str = "conspectus journal lines 1";
/// The longest line: an entry's JSON is a few times as long as its bytes.
const LINE_BYTES_MAX: u64 = 16 * ENTRY_BYTES_MAX as u64;
/// How many bytes of entries are appended together.
const GROUP_BYTES: usize = 256 << 10;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// [`FORMAT`].
    format: String,
    /// The newest revision.
    revision: u64,
    /// Its chain hash.
    chain: String,
}

/// The line of an entry.
#[derive(Debug, Deserialize)]
struct Line {
    /// Its revision.
    revision: u64,
    /// Its chain hash.
    chain: String,
    /// The entry.
    entry: Value,
    /// Its bytes in base64, where they aren't what this version makes of `entry`.
    #[serde(default)]
    bytes: Option<String>,
}

/// Writes a journal as lines.
///
/// # Errors
/// When it can't be read, or the lines can't be written.
pub(crate) fn export(reader: &dyn Reader, mut out: impl Write) -> Result<Tail, Error> {
    let tail = reader.tail();
    let head = Head { format: FORMAT.to_owned(), revision: tail.revision.0, chain: tail.hash.to_string() };
    writeln!(out, "{}", serde_json::to_string(&head)?).map_err(Error::Out)?;
    let mut failed = None;
    let scanned = reader.scan(Revision::ZERO, &mut |stored| {
        // What came since isn't of this export.
        if stored.revision > tail.revision {
            return Ok(());
        }
        let revision = stored.revision;
        let written = json::to_json(&stored.payload)
            .map_err(|error| Error::Entry { revision, what: error.to_string() })
            .and_then(|(entry, is_same)| {
                let bytes = match is_same {
                    true => String::new(),
                    false => format!(",\"bytes\":\"{}\"", BASE64_STANDARD.encode(&stored.payload)),
                };
                writeln!(out, "{{\"revision\":{revision},\"chain\":\"{}\",\"entry\":{entry}{bytes}}}", stored.hash)
                    .map_err(Error::Out)
            });
        written.map_err(|error| {
            failed = Some(error);
            // Any error ends the scan.
            journal::Error::Poisoned { cause: String::new() }
        })
    });
    scanned.map_err(|error| failed.unwrap_or(Error::Journal(error)))?;
    out.flush().map_err(Error::Out)?;
    Ok(tail)
}

/// Makes a data folder, which mustn't be there yet, or be empty, of the lines of a journal, and says where that
/// ends. `check` looks at it before it is there.
///
/// # Errors
/// When a line isn't what it must be, or the folder can't be written: then nothing is there.
pub(crate) fn import(
    lines: impl BufRead,
    folder: &Path,
    check: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<Tail, Error> {
    new_folder(folder, |folder| {
        let imported = fill(lines, folder)?;
        check(folder).map(|()| imported)
    })
}

fn fill(lines: impl BufRead, folder: &Path) -> Result<Tail, Error> {
    let mut lines = Lines { from: lines, number: 0, text: String::new() };
    let head: Head = lines.next()?.ok_or_else(|| lines.wrong("there is none"))?;
    if head.format != FORMAT {
        return Err(lines.wrong(format!("found the format `{}`; allowed: `{FORMAT}`", head.format)));
    }
    let mut journal = DiskJournal::open(folder)?;
    let (mut group, mut bytes): (Vec<Entry>, usize) = (Vec::new(), 0);
    while let Some(line) = lines.next::<Line>()? {
        let payload = payload(&line).map_err(|what| lines.wrong(what))?;
        let added = record_bytes([payload.len()]);
        if bytes + added > GROUP_BYTES {
            append(&mut journal, std::mem::take(&mut group))?;
            bytes = 0;
        }
        bytes += added;
        group.push((payload, line.revision, line.chain));
    }
    append(&mut journal, group)?;
    let tail = journal.tail();
    if (tail.revision.0, tail.hash.to_string()) != (head.revision, head.chain) {
        return Err(
            lines.wrong(format!("the lines end at {tail}, and the first of them says revision {}", head.revision))
        );
    }
    journal.close()?;
    Ok(tail)
}

/// The bytes of an entry, and the revision and the chain hash that its line says.
type Entry = (Vec<u8>, u64, String);

/// Appends entries, each of which must come to what its line says.
fn append(journal: &mut DiskJournal, group: Vec<Entry>) -> Result<(), Error> {
    let after = journal.tail().revision;
    let (payloads, said): (Vec<_>, Vec<_>) =
        group.into_iter().map(|(payload, revision, chain)| (payload, (revision, chain))).unzip();
    let hashes = journal.append(after, &payloads)?;
    for ((hash, (said, chain)), n) in hashes.into_iter().zip(said).zip(1..) {
        let revision = after.0 + n;
        if (said, chain.as_str()) != (revision, hash.to_string().as_str()) {
            let what = format!(
                "the entry comes to revision {revision} with the chain hash {hash}, and its line says {said} and {chain}"
            );
            // The head stands before the first.
            return Err(Error::Line { line: revision + 1, what });
        }
    }
    Ok(())
}

/// The bytes of an entry.
fn payload(line: &Line) -> Result<Vec<u8>, String> {
    let payload = match &line.bytes {
        None => json::from_json(line.entry.clone()).map_err(|error| error.to_string())?,
        Some(bytes) => {
            let bytes = BASE64_STANDARD.decode(bytes).map_err(|error| format!("its bytes: {error}"))?;
            let is_same = json::from_json(line.entry.clone()).ok()
                == codec::decode(&bytes).ok().map(|entry| codec::encode(&entry));
            is_same.then_some(bytes).ok_or("its bytes aren't those of its entry")?
        }
    };
    if payload.len() > ENTRY_BYTES_MAX {
        return Err(format!("the entry has {} bytes; allowed: {ENTRY_BYTES_MAX}", payload.len()));
    }
    Ok(payload)
}

/// Lines of JSON.
struct Lines<R> {
    from: R,
    number: u64,
    text: String,
}

impl<R: BufRead> Lines<R> {
    /// The next line; none at the end.
    fn next<T: for<'a> Deserialize<'a>>(&mut self) -> Result<Option<T>, Error> {
        self.number += 1;
        self.text.clear();
        match Read::by_ref(&mut self.from).take(LINE_BYTES_MAX).read_line(&mut self.text) {
            Ok(0) => Ok(None),
            Ok(_) if !self.text.ends_with('\n') => Err(self.wrong("it is cut off, or too long")),
            Ok(_) => serde_json::from_str(&self.text).map(Some).map_err(|error| self.wrong(error.to_string())),
            Err(error) => Err(self.wrong(error.to_string())),
        }
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        Error::Line { line: self.number, what: what.into() }
    }
}

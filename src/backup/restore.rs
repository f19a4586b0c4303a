//! Restoring a data folder from backups.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::Error;
use super::read::{Sink, Whole, read_all};
use crate::audit::{self, RestoredLog};
use crate::entry::codec;
use crate::journal::{DiskJournal, Journal, Stored, sync_folder};
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;

/// How far to restore.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// As far as the backups go.
    End,
    /// To a revision.
    Revision(Revision),
    /// To the newest revision that was accepted by an instant.
    Instant(Timestamp),
}

/// What was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The backups.
    pub(crate) backups: Vec<Whole>,
    /// Where the journal ends.
    pub(crate) revision: Revision,
}

impl Restored {
    /// Whether the journal has everything that the backups have.
    pub(crate) fn is_all(&self) -> bool {
        self.backups.last().is_some_and(|last| last.manifest.to.journal.revision == self.revision)
    }
}

/// Restores a folder, which mustn't be there yet, or be empty. It appears under its name once all of it is there, durable
/// and checked, by `check` besides; the audit log is restored whole, however far the journal is.
///
/// # Errors
/// When a backup isn't what was written, or the folder can't be written: then nothing is there.
pub(crate) fn restore<R: Read>(
    backups: impl IntoIterator<Item = Result<(String, R), Error>>,
    until: Until,
    folder: &Path,
    check: impl FnOnce(&Path, &Restored) -> Result<(), Error>,
) -> Result<Restored, Error> {
    new_folder(folder, |folder| {
        let restored = fill(backups, until, folder)?;
        check(folder, &restored).map(|()| restored)
    })
}

/// Makes a folder, which mustn't be there yet, or be empty, of what `fill` puts into it; nothing where that fails.
pub(super) fn new_folder<T>(folder: &Path, fill: impl FnOnce(&Path) -> Result<T, Error>) -> Result<T, Error> {
    expect_nothing(folder)?;
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let beside = folder.with_file_name(name);
    if beside.exists() {
        return Err(Error::Leftover { folder: beside });
    }
    let made = fill(&beside).and_then(|made| put_in_place(&beside, folder).map(|()| made));
    if made.is_err() {
        // Nobody takes what is there in part for a data folder.
        drop(fs::remove_dir_all(&beside));
    }
    made
}

fn expect_nothing(folder: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::Occupied { folder: folder.to_owned() }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(error)),
    }
}

fn fill<R: Read>(
    backups: impl IntoIterator<Item = Result<(String, R), Error>>,
    until: Until,
    folder: &Path,
) -> Result<Restored, Error> {
    let mut filling = Filling { journal: DiskJournal::open(folder)?, until, folder, log: RestoredLog::new(folder) };
    let backups = read_all(backups, &mut filling)?;
    let Filling { journal, log, .. } = filling;
    let revision = journal.tail().revision;
    if let Until::Revision(wanted) = until
        && wanted != revision
    {
        return Err(Error::NotReached { wanted, newest: revision });
    }
    journal.close()?;
    log.finish()?;
    Ok(Restored { backups, revision })
}

fn put_in_place(from: &Path, to: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { path: to.to_owned(), source };
    sync_folder(from)?;
    // An empty folder may be in its place.
    if to.exists() {
        fs::remove_dir(to).map_err(io)?;
    }
    fs::rename(from, to).map_err(io)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(sync_folder(parent)?)
}

/// A data folder that is being filled.
struct Filling<'a> {
    journal: DiskJournal,
    until: Until,
    folder: &'a Path,
    log: RestoredLog,
}

impl Filling<'_> {
    fn is_wanted(&self, entry: &Stored) -> Result<bool, Error> {
        Ok(match self.until {
            Until::End => true,
            Until::Revision(revision) => entry.revision <= revision,
            Until::Instant(at) => {
                codec::accepted_at(&entry.payload)
                    .map_err(|error| Error::Entry { revision: entry.revision, what: error.to_string() })?
                    <= at
            }
        })
    }
}

impl Sink for Filling<'_> {
    fn entries(&mut self, entries: Vec<Stored>) -> Result<(), Error> {
        let mut payloads = Vec::with_capacity(entries.len());
        for entry in entries {
            // Instants never go back: after one that isn't wanted none is.
            if !self.is_wanted(&entry)? {
                break;
            }
            payloads.push(entry.payload);
        }
        let tail = self.journal.tail();
        Ok(self.journal.append(tail.revision, &payloads).map(drop)?)
    }

    fn audit_lines(&mut self, text: &str) -> Result<(), Error> {
        Ok(self.log.add(text)?)
    }

    fn question(&mut self, hash: &str, text: &str) -> Result<(), Error> {
        Ok(audit::put_question(self.folder, hash, text)?)
    }
}

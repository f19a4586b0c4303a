//! When each key was last used. This isn't an entry of the journal, which would grow with every call: it
//! is kept in memory, and written to a small file of the data folder each minute and at the stop. A
//! crash loses a minute of it, and nothing depends on it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::access::KeyId;
use crate::journal::create_file;
use crate::model::timestamp::Timestamp;

const FILE_NAME: &str = "last-used";

/// When each key was last used.
#[derive(Debug, Default)]
pub(crate) struct LastUsed {
    at: Mutex<BTreeMap<KeyId, Timestamp>>,
    changed: AtomicBool,
}

impl LastUsed {
    fn at(&self) -> MutexGuard<'_, BTreeMap<KeyId, Timestamp>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a key is used.
    pub(crate) fn note(&self, key: KeyId, now: Timestamp) {
        self.at().insert(key, now);
        self.changed.store(true, Ordering::Relaxed);
    }

    /// When a key was last used.
    pub(crate) fn get(&self, key: KeyId) -> Option<Timestamp> {
        self.at().get(&key).copied()
    }

    /// Reads a data folder's file. Lines that aren't of its form are passed over, and a missing file is an empty one.
    pub(crate) fn load(&self, folder: &Path) {
        let text = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap_or_default();
        let parse = |line: &str| {
            let (key, at) = line.split_once(' ')?;
            Some((key.parse().ok()?, Timestamp(at.parse().ok()?)))
        };
        self.at().extend(text.lines().filter_map(parse));
    }

    /// Writes the file, unless nothing has changed.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        // What isn't written now is written next time.
        self.write(folder).inspect_err(|_| self.changed.store(true, Ordering::Relaxed))
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let text = self.at().iter().fold(String::new(), |mut text, (key, at)| {
            let _ = writeln!(text, "{key} {}", at.0); // Writing to a string can't fail.
            text
        });
        // A crash while it is written leaves the one before.
        let fresh = folder.join(format!("{FILE_NAME}.new"));
        create_file(&fresh)?.write_all(text.as_bytes())?;
        std::fs::rename(&fresh, folder.join(FILE_NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let key: KeyId = "0123456789abcdef".parse().unwrap();
        let used = LastUsed::default();
        used.note(key, Timestamp(7));
        used.save(&folder.path().join("not there")).unwrap_err();
        used.save(folder.path()).unwrap();
        let again = LastUsed::default();
        again.load(folder.path());
        assert_eq!(again.get(key), Some(Timestamp(7)));
    }
}

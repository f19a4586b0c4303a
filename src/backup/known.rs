//! What a data folder knows of the backups that were taken of it: a file, `backups`, of the newest of them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, Point, Previous};
use super::take::Taken;
use crate::journal::{create_file, sync_folder};
use crate::metrics::{self, Registry};
use crate::model::timestamp::{Timestamp, seconds_between};

const FILE_NAME: &str = "backups";
/// How many are known, the newest.
const KNOWN_MAX: usize = 1_000;

/// A backup that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownBackup {
    /// Its id.
    pub(crate) id: String,
    /// When it was begun: RFC 3339.
    pub(crate) taken_at: String,
    /// Where it ends.
    #[serde(flatten)]
    pub(crate) to: Point,
    /// How many bytes it has.
    pub(crate) bytes: u64,
    /// The one that it goes on from; none of a full one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    /// What whoever took it noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// When it was last shown that a folder can be restored from it: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verified_at: Option<String>,
}

impl KnownBackup {
    /// A backup that was just taken.
    pub(crate) fn of(manifest: &Manifest, taken: &Taken) -> Self {
        Self {
            id: taken.id.clone(),
            taken_at: manifest.taken_at.clone(),
            to: manifest.to,
            bytes: taken.bytes,
            previous: manifest.previous.as_ref().map(|previous| previous.id.clone()),
            note: manifest.note.clone(),
            verified_at: None,
        }
    }

    /// What a backup that goes on from it says.
    pub(crate) fn as_previous(&self) -> Previous {
        Previous { id: self.id.clone(), to: self.to }
    }
}

/// The backups that are known, the oldest first.
#[derive(Debug)]
pub(crate) struct KnownBackups {
    folder: PathBuf,
    backups: Mutex<Vec<KnownBackup>>,
}

impl KnownBackups {
    /// Those of a data folder.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(crate) fn load(folder: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(folder.join(FILE_NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        // A line of another version, or one that was damaged, is passed over: nothing rests on what is known here but
        // how old the newest backup is.
        let backups = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { folder: folder.to_owned(), backups: Mutex::new(backups) })
    }

    fn backups(&self) -> MutexGuard<'_, Vec<KnownBackup>> {
        self.backups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<KnownBackup> {
        self.backups().clone()
    }

    /// When the newest that is known to restore was taken.
    pub(crate) fn newest_verified_at(&self) -> Option<Timestamp> {
        let backups = self.backups();
        let newest = backups.iter().rev().find(|backup| backup.verified_at.is_some())?;
        newest.taken_at.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
    }

    /// Adds the metric of how old the newest is that is known to restore.
    pub(crate) fn register(self: &Arc<Self>, registry: &mut Registry, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) {
        let known = Arc::clone(self);
        let age = move || Some(seconds_between(known.newest_verified_at()?, clock()));
        let help = "How old the newest backup is that is known to restore, in seconds; none where there is none";
        metrics::gauge(registry, "conspectus_backup_age_seconds", help, age);
    }

    /// Adds one.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn add(&self, backup: KnownBackup) -> io::Result<()> {
        let mut backups = self.backups();
        backups.push(backup);
        let more = backups.len().saturating_sub(KNOWN_MAX);
        backups.drain(..more);
        self.save(&backups)
    }

    /// Notes that a folder was restored from one; false when it isn't known.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn verified(&self, id: &str, at: Timestamp) -> io::Result<bool> {
        let mut backups = self.backups();
        let Some(backup) = backups.iter_mut().rev().find(|backup| backup.id == id) else { return Ok(false) };
        backup.verified_at = Some(at.to_string());
        self.save(&backups).map(|()| true)
    }

    fn save(&self, backups: &[KnownBackup]) -> io::Result<()> {
        let mut text = String::new();
        for backup in backups {
            text.push_str(&serde_json::to_string(backup)?);
            text.push('\n');
        }
        let fresh = self.folder.join(format!("{FILE_NAME}.new"));
        let mut file = create_file(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, self.folder.join(FILE_NAME))?;
        sync_folder(&self.folder).map_err(io::Error::other)
    }
}

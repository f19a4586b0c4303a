//! A journal's files: where they are, and what is done to them beside reading and writing.

use crate::journal::contract::Error;
use rustix::fs::{Advice, FlockOperation, fadvise, flock};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Where the parts of a journal are.
pub(super) struct Paths {
    pub(super) folder: PathBuf,
    pub(super) witness: PathBuf,
    pub(super) ahead: PathBuf,
    pub(super) sled: PathBuf,
    pub(super) db: PathBuf,
}

impl Paths {
    pub(super) fn of(folder: &Path) -> Self {
        let sled = folder.join("sled");
        Self {
            folder: folder.to_owned(),
            witness: folder.join("witness"),
            ahead: folder.join("ahead"),
            db: sled.join("db"),
            sled,
        }
    }

    /// Makes durable what opening has made: sled's own files, and the folders that they are in.
    pub(super) fn sync_folders(&self) -> Result<(), Error> {
        let parent = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for path in [&self.sled.join("conf"), &self.sled.join("blobs"), &self.sled, &self.folder, parent] {
            sync_folder(path)?;
        }
        Ok(())
    }
}

pub(super) fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io(format!("look for {}", path.display())))
}

pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { path: folder.to_owned() }),
        Err(errno) => Err(Error::io(format!("lock {}", path.display()))(errno.into())),
    }
}

/// Makes a folder's entries durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(format!("sync {}", path.display())))
}

/// Makes what is read next come from the disk. After a failed sync, the kernel may keep pages as clean that never
/// reached it: an append that was not acknowledged would look durable after a restart, until the power fails.
pub(super) fn forget_cached(path: &Path) -> Result<(), Error> {
    let forget = || {
        let file = File::open(path)?;
        file.sync_data()?;
        Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
    };
    forget().map_err(Error::io(format!("sync {}", path.display())))
}

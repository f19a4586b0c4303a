//! A journal's files: where they are, the lock, what makes them durable, and the space that is left for them.

use crate::journal::contract::Error;
use rustix::fs::{Advice, FlockOperation, fadvise, flock, fstatvfs};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// The free space below which nothing is written, neither here nor to the audit log: more than everything that waits to
/// be put into sled can take, whatever sled rewrites on the way. sled may wait for ever once the disk is full.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// Where a journal's files are. The names on disk are those that they had first, and part of the format.
pub(super) struct Paths {
    folder: PathBuf,
    pub(super) control: PathBuf,
    pub(super) wal: PathBuf,
    pub(super) sled: PathBuf,
    /// The one of sled's files that holds the records.
    pub(super) db: PathBuf,
}

impl Paths {
    pub(super) fn of(folder: &Path) -> Self {
        let sled = folder.join("sled");
        Self {
            folder: folder.to_owned(),
            control: folder.join("witness"),
            wal: folder.join("ahead"),
            db: sled.join("db"),
            sled,
        }
    }

    /// Makes durable what opening has created: sled's own files, and the folders that they are in.
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

/// A folder that is this process's alone, until this is dropped.
pub(super) struct FolderLock(File);

impl Drop for FolderLock {
    // Closing the file isn't enough: a process that is being started holds a copy of every open file for a moment,
    // and with it the lock.
    fn drop(&mut self) {
        if let Err(errno) = flock(&self.0, FlockOperation::Unlock) {
            tracing::warn!(%errno, "a data folder can't be unlocked");
        }
    }
}

/// Takes the folder for this process.
pub(super) fn lock(folder: &Path) -> Result<FolderLock, Error> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(FolderLock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { path: folder.to_owned() }),
        Err(errno) => Err(Error::io(format!("lock {}", path.display()))(errno.into())),
    }
}

/// Makes a folder's entries durable: a synced file that its folder doesn't name is lost by a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(format!("sync {}", path.display())))
}

/// Makes what is read next come from the disk. After a failed sync, the kernel may keep pages as clean that never
/// reached it: an append that was not acknowledged would look durable after a restart, until the power fails.
pub(super) fn forget_cached(path: &Path) -> Result<(), Error> {
    let forget = || {
        let file = File::open(path)?;
        // Only clean pages can be dropped.
        file.sync_data()?;
        Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
    };
    forget().map_err(Error::io(format!("sync {}", path.display())))
}

/// Refuses with [`Error::NoRoom`] when the disk that a file is on is nearly full.
pub(crate) fn check_free_space(file: &File) -> Result<(), Error> {
    let disk = fstatvfs(file).map_err(|errno| Error::io("ask for free space")(errno.into()))?;
    let bytes_free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if bytes_free < FREE_BYTES_MIN {
        return Err(Error::NoRoom { bytes_free, bytes_min: FREE_BYTES_MIN });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::lock;

    /// What a process that is being started holds until it has become another program.
    #[test]
    fn a_copy_of_the_lock_doesnt_keep_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let copy = held.0.try_clone().unwrap();
        assert!(lock(folder.path()).is_err());
        drop(held);
        assert!(lock(folder.path()).is_ok());
        drop(copy);
    }
}

//! The lock of a data folder: one process has it open at a time.

use super::files::{check_writable, create_file, create_folder};
use super::format_file::check_format;
use crate::journal::contract::Error;
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, lchown},
    path::{Path, PathBuf},
};

const FILE_NAME: &str = "lock";

/// A data folder that is this process's alone, until this is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    path: PathBuf,
    /// The file that says so to every version, and the folder itself: the file may be deleted.
    locked: [File; 2],
}

impl Drop for FolderLock {
    // Closing a file isn't enough: a process that is being started holds a copy of every open file for a moment,
    // and with it the lock.
    fn drop(&mut self) {
        if let Some(owner) = self.owner_but_root() {
            hand_over(&self.path, owner);
        }
        for file in &self.locked {
            if let Err(errno) = flock(file, FlockOperation::Unlock) {
                tracing::warn!(%errno, "a data folder can't be unlocked");
            }
        }
    }
}

impl FolderLock {
    /// Takes a folder for this process, which is created if it isn't there.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is another's, [`Error::Io`] when it can't be created or written to; and as
    /// [`check_format`], before anything in it is changed.
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        check_format(folder)?;
        create_folder(folder)?;
        let path = folder.join(FILE_NAME);
        let file = create_file(&path).map_err(Error::io(format!("create {}", path.display())))?;
        let itself = File::open(folder).map_err(Error::io(format!("open {}", folder.display())))?;
        let locked = Self { path: folder.to_owned(), locked: [file, itself] };
        for file in &locked.locked {
            match flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Locked { path: folder.to_owned() }),
                Err(errno) => return Err(Error::io(format!("lock {}", path.display()))(errno.into())),
            }
        }
        check_writable(folder)?;
        Ok(locked)
    }

    /// Whether another process has a folder. Changes nothing.
    pub(super) fn is_taken(folder: &Path) -> Result<bool, Error> {
        for path in [folder.to_owned(), folder.join(FILE_NAME)] {
            let file = match File::open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Error::io(format!("open {}", path.display())))?,
            };
            // Shared: who looks at the same time finds no other either.
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => drop(flock(&file, FlockOperation::Unlock)),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(true),
                Err(errno) => return Err(Error::io(format!("lock {}", path.display()))(errno.into())),
            }
        }
        Ok(false)
    }

    /// Whose the folder is, where this is root and it is another's: a server that runs as that user opens no file of root's.
    fn owner_but_root(&self) -> Option<(u32, u32)> {
        let owner = self.locked[1].metadata().ok()?;
        (geteuid().is_root() && owner.uid() != 0).then(|| (owner.uid(), owner.gid()))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Gives what is root's in a folder to its owner.
fn hand_over(folder: &Path, owner: (u32, u32)) {
    let failed = |path: &Path, error| tracing::warn!(path = %path.display(), %error, "a file of root's stays root's");
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return failed(folder, error),
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        // A link leads elsewhere, and what is there is somebody's own.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.uid() == 0
            && let Err(error) = lchown(&path, Some(owner.0), Some(owner.1))
        {
            failed(&path, error);
        }
        if found.is_dir() {
            hand_over(&path, owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FolderLock;

    /// What a process that is being started holds until it has become another program.
    #[test]
    fn a_copy_of_the_lock_doesnt_keep_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let copies = held.locked.each_ref().map(|file| file.try_clone().unwrap());
        assert!(FolderLock::take(folder.path()).is_err());
        drop(held);
        assert!(FolderLock::take(folder.path()).is_ok());
        drop(copies);
    }

    #[test]
    fn a_folder_is_locked_though_the_lock_file_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join("lock")).unwrap();
        let refused = FolderLock::take(folder.path()).unwrap_err();
        assert!(refused.to_string().ends_with("is in use by another process"), "{refused}");
        drop(held);
        FolderLock::take(folder.path()).unwrap();
    }
}

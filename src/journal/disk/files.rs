//! A journal's files: where they are, who may open them, what makes them durable, and the space that is left for them.

use crate::journal::contract::Error;
use rustix::fs::{Advice, StatVfs, fadvise, fstatvfs, statvfs};
use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The rights of a data folder, and of a file in it: its owner's alone, whatever the umask would allow.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The free space below which nothing is written, neither here nor to the audit log: more than everything that waits to
/// be put into sled can take, whatever sled rewrites on the way. sled may wait for ever once the disk is full.
pub(crate) const FREE_BYTES_MIN: u64 = 64 << 20;
/// The free space below which an operator is warned: 16 times that, so that there is time to act.
const FREE_BYTES_LOW: u64 = 1 << 30;

/// Where a journal's files are. The names on disk are those that they had first, and part of the format.
#[derive(Clone)]
pub(super) struct Paths {
    pub(super) folder: PathBuf,
    pub(super) format: PathBuf,
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
            format: folder.join("format"),
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

/// Creates a folder that only its owner can look into; says so of one that is there and that others can, too.
pub(super) fn create_folder(folder: &Path) -> Result<(), Error> {
    let failed = || Error::io(format!("create the folder {}", folder.display()));
    if exists(folder)? {
        let mode = std::fs::metadata(folder).map_err(failed())?.permissions().mode();
        if mode & OTHERS != 0 {
            let (folder, mode) = (folder.display(), format!("{:o}", mode & 0o7777));
            tracing::warn!(%folder, %mode, "others than its owner can look into the data folder: `chmod -R go-rwx {folder}` takes that from them");
        }
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(failed())?;
    // A umask may have taken from the owner too.
    std::fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)).map_err(failed())
}

/// Creates a file, or empties it, that only its owner can open.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    let permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o777 != FILE_MODE {
        // It was there before, or a umask has taken from the owner too. Another owner's file stays as it is.
        drop(file.set_permissions(Permissions::from_mode(FILE_MODE)));
    }
    Ok(file)
}

/// A folder and its files to which others than the owner have rights, and the rights of each.
pub(super) fn open_to_others(folder: &Path) -> Result<Vec<(PathBuf, u32)>, Error> {
    let list = || {
        let mut open = Vec::new();
        let within = std::fs::read_dir(folder)?.map(|entry| Ok::<_, io::Error>(entry?.path()));
        for path in std::iter::once(Ok(folder.to_owned())).chain(within) {
            let path = path?;
            let mode = std::fs::metadata(&path)?.permissions().mode();
            if mode & OTHERS != 0 {
                open.push((path, mode));
            }
        }
        Ok(open)
    };
    list().map_err(Error::io(format!("list {}", folder.display())))
}

/// Takes from others than the owner the rights to a folder and its files, which were created by code that isn't ours.
pub(super) fn close_to_others(folder: &Path) -> Result<(), Error> {
    for (path, mode) in open_to_others(folder)? {
        // Another owner's stays as it is.
        drop(std::fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 & !OTHERS)));
    }
    Ok(())
}

/// Refuses a folder that no file can be created in. The files that are there may be writable all the same, so that
/// nothing else would fail before a file is replaced.
pub(super) fn check_writable(folder: &Path) -> Result<(), Error> {
    let path = folder.join("writable");
    let probe = || create_file(&path).and_then(|_| std::fs::remove_file(&path));
    match probe() {
        // A full disk can still be read from.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        probed => probed.map_err(Error::io(format!("write to the folder {}", folder.display()))),
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
    match Space::of(&disk) {
        Space::Enough { .. } | Space::Low { .. } => Ok(()),
        Space::Out { bytes_free } => Err(Error::NoRoom { bytes_free, bytes_min: FREE_BYTES_MIN }),
    }
}

/// How much space there still is on the disk of a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Enough.
    Enough {
        /// What is left.
        bytes_free: u64,
    },
    /// Still enough to write, and little enough to warn of.
    Low {
        /// What is left.
        bytes_free: u64,
    },
    /// Too little to write anything.
    Out {
        /// What is left.
        bytes_free: u64,
    },
}

impl Space {
    /// The space that is left for a data folder.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, Error> {
        let disk = statvfs(folder).map_err(|errno| Error::io("ask for free space")(errno.into()))?;
        Ok(Self::of(&disk))
    }

    /// How many bytes are left.
    pub(crate) fn bytes_free(self) -> u64 {
        match self {
            Self::Enough { bytes_free } | Self::Low { bytes_free } | Self::Out { bytes_free } => bytes_free,
        }
    }

    fn of(disk: &StatVfs) -> Self {
        let bytes_free = disk.f_bavail.saturating_mul(disk.f_frsize);
        match bytes_free {
            ..FREE_BYTES_MIN => Self::Out { bytes_free },
            FREE_BYTES_MIN..FREE_BYTES_LOW => Self::Low { bytes_free },
            FREE_BYTES_LOW.. => Self::Enough { bytes_free },
        }
    }
}

//! sled's snapshot file, which only makes it open faster: it has how far sled had read its own log, and ends in the
//! length and the CRC-32 of what comes before. sled doesn't open with a damaged one, nor name it; without one it reads
//! all of its log.

use crate::journal::contract::Error;
use std::fs;
use std::path::{Path, PathBuf};

const LENGTH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;

/// What ends the name of one that sled is writing. It reads it all the same.
const UNFINISHED: &str = ".generating";

/// Renames the snapshot file that sled would read, where it is damaged, and names it in the log; one that sled didn't
/// finish, as on a full disk, is removed. What sled reads then is verified as ever.
pub(super) fn set_aside_damaged(sled: &Path) -> Result<(), Error> {
    while let Some(path) = damaged(sled)? {
        set_aside(&path)?;
    }
    Ok(())
}

fn set_aside(path: &Path) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(UNFINISHED) {
        return fs::remove_file(path).map_err(Error::io(format!("remove {}", path.display())));
    }
    // sled looks for names that begin with `snap.`.
    let aside = path.with_file_name(format!("damaged-{name}"));
    fs::rename(path, &aside).map_err(Error::io(format!("rename {}", path.display())))?;
    let (path, aside) = (path.display(), aside.display());
    tracing::warn!(%path, %aside, "a snapshot file of the store is damaged and is set aside: nothing is lost, but something has damaged the disk or the file");
    Ok(())
}

/// The snapshot file that sled would read, where it is damaged.
pub(super) fn damaged(sled: &Path) -> Result<Option<PathBuf>, Error> {
    let Some(path) = newest(sled)? else { return Ok(None) };
    let bytes = fs::read(&path).map_err(Error::io(format!("read {}", path.display())))?;
    Ok((!is_whole(&bytes)).then_some(path))
}

/// As sled chooses it: the last by name.
fn newest(sled: &Path) -> Result<Option<PathBuf>, Error> {
    let list = || {
        let names = fs::read_dir(sled)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
        let is_snapshot = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("snap.") && !name.ends_with(".in___motion")
        };
        Ok(names.into_iter().filter(is_snapshot).max())
    };
    list().map_err(Error::io(format!("list {}", sled.display())))
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some((rest, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return false };
    let Some((content, _)) = rest.split_last_chunk::<LENGTH_BYTES>() else { return false };
    !content.is_empty() && crc32fast::hash(content) == u32::from_le_bytes(*checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_finished_one_by_name_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["snap.01", "snap.03", "snap.02", "snap.04.in___motion", "damaged-snap.09", "conf"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(newest(folder.path()).unwrap(), Some(folder.path().join("snap.03")));
    }

    #[test]
    fn what_was_never_finished_is_removed_and_what_is_damaged_is_kept_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["snap.01", "snap.02.generating"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        set_aside_damaged(folder.path()).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["damaged-snap.01"]);
    }

    #[test]
    fn a_file_with_nothing_in_it_is_not_whole_though_its_checksum_is_right() {
        let file = |content: &[u8]| {
            let checksum = crc32fast::hash(content).to_le_bytes();
            [content, &(content.len() as u64).to_le_bytes(), &checksum].concat()
        };
        assert!(is_whole(&file(b"content")));
        assert!(!is_whole(&file(b"")) && !is_whole(b""));
    }
}

//! Data folders that earlier versions left behind, in `tests/journals`, and what shows that a folder wasn't touched.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest file of any.
const FILE_BYTES_MAX: usize = 16 << 20;

/// Makes a folder as a version left it. Files are stored packed where that pays.
pub(crate) fn unpack(version: &str, to: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(version), to);
    // sled's folder for large values, which is empty; a repository keeps no empty folders.
    let blobs = to.join("sled/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::set_permissions(blobs, Permissions::from_mode(0o755)).unwrap();
    // A server says of a folder that others can look into that they can.
    fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let into = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &into);
            continue;
        }
        let bytes = fs::read(&entry).unwrap();
        let is_packed = entry.extension().is_some_and(|extension| extension == "zst");
        let (into, bytes) = match is_packed {
            true => (into.with_extension(""), zstd::bulk::decompress(&bytes, FILE_BYTES_MAX).unwrap()),
            false => (into, bytes),
        };
        fs::write(&into, bytes).unwrap();
        // Whatever the umask and the checkout made of them.
        fs::set_permissions(&into, Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
}

/// Of each file and folder in a folder: a hash of its bytes, its rights, and when it and its entry were changed.
pub(crate) fn all_of(folder: &Path) -> BTreeMap<PathBuf, (String, u32, [i64; 4])> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let mut hash = String::new();
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            hash = blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string();
        }
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        found.insert(path, (hash, metadata.mode(), times));
    }
    found
}

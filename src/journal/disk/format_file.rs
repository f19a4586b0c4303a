//! The file `format`, which says of what format a data folder is, and for versions that don't know that, which version
//! does. It is two lines of text, for people too; versions may add lines to it.
//!
//! It is written before anything else that an earlier version couldn't read, and not by who only reads: so what was
//! upgraded in part is never taken for an older folder, and looking at a folder with a new version leaves it to the old.

use super::control_file;
use super::failpoints::Failpoints;
use super::files::{Paths, create_file, exists, sync_folder};
use crate::journal::contract::Error;
use crate::journal::format::{Format, LaterFormat, is_later_version};
use crate::model::violation::Quoted;
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The longest file that is read.
const BYTES_MAX: u64 = 4 << 10;
const NUMBER_BEFORE: &str = "conspectus data folder, format ";
const VERSION_BEFORE: &str = "read by version ";
const VERSION_AFTER: &str = " and later";

/// The format of what is in a folder; none where there is nothing of a journal. Changes nothing.
///
/// # Errors
/// [`Error::LaterFormat`], [`Error::FormatFile`] when the file isn't one that any version writes, and as for the
/// control file, by which earlier formats are told apart.
pub(crate) fn format_of(folder: &Path) -> Result<Option<&'static Format>, Error> {
    let paths = Paths::of(folder);
    if let Some(format) = read(&paths)? {
        return Ok(Some(format));
    }
    if exists(&paths.control)? {
        return control_file::read(&paths.control).map(|known| Some(known.format()));
    }
    // What is missing beside it is for the start to say.
    Ok((exists(&paths.wal)? || exists(&paths.sled)?).then_some(Format::UNWRITTEN))
}

/// Refuses a folder that a later version has written to. Changes nothing.
///
/// # Errors
/// [`Error::LaterFormat`], and [`Error::FormatFile`].
pub(crate) fn check_format(folder: &Path) -> Result<(), Error> {
    read(&Paths::of(folder)).map(drop)
}

/// What the file says; none where there is none.
fn read(paths: &Paths) -> Result<Option<&'static Format>, Error> {
    let path = &paths.format;
    let mut text = Vec::new();
    let found = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut text));
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(Error::io(format!("read {}", path.display())))?,
    };
    let text = String::from_utf8_lossy(&text);
    let wrong = || Error::FormatFile {
        path: path.clone(),
        found: Quoted(text.lines().next().unwrap_or_default()).to_string(),
        own: Format::CURRENT.since,
    };
    let (number, since) = parse(&text).ok_or_else(wrong)?;
    match Format::of(number) {
        Some(format) if text == text_of(format) => Ok(Some(format)),
        None if number > Format::CURRENT.number && is_later_version(since) => {
            let what = format_args!("the data folder {}", paths.folder.display());
            Err(LaterFormat::new(what, number, since).into())
        }
        Some(_) | None => Err(wrong()),
    }
}

fn parse(text: &str) -> Option<(u32, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let (second, _) = rest.split_once('\n')?;
    let number = first.strip_prefix(NUMBER_BEFORE)?.parse().ok()?;
    Some((number, second.strip_prefix(VERSION_BEFORE)?.strip_suffix(VERSION_AFTER)?))
}

fn text_of(Format { number, since, .. }: &Format) -> String {
    format!("{NUMBER_BEFORE}{number}\n{VERSION_BEFORE}{since}{VERSION_AFTER}\n")
}

/// The file of a folder that is this process's.
pub(super) struct FormatFile {
    paths: Paths,
    failpoints: Failpoints,
    /// Whether the folder says that it is of this version's format.
    pub(super) is_current: Arc<AtomicBool>,
}

impl FormatFile {
    /// Looks at the file.
    ///
    /// # Errors
    /// As [`check_format`].
    pub(super) fn open(paths: &Paths, failpoints: &Failpoints) -> Result<Self, Error> {
        let is_current = Arc::new(read(paths)?.is_some_and(Format::is_current).into());
        Ok(Self { paths: paths.clone(), failpoints: failpoints.clone(), is_current })
    }

    /// Writes that the folder is of this version's format, durably, unless it says so already: to be done before
    /// anything is written that an earlier version couldn't read. Returns whether it was written now.
    pub(super) fn write_current(&self) -> Result<bool, Error> {
        if self.is_current.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (path, fresh): (_, PathBuf) = (&self.paths.format, self.paths.format.with_extension("new"));
        let io = || Error::io(format!("write {}", path.display()));
        let file = self.failpoints.around("write the format file", || {
            let mut file = create_file(&fresh).map_err(io())?;
            file.write_all(text_of(Format::CURRENT).as_bytes()).map_err(io())?;
            Ok(file)
        })?;
        // Before it has its name: a file that is there by its name is whole.
        self.failpoints.around("sync the format file", || file.sync_all().map_err(io()))?;
        self.failpoints.around("name the format file", || std::fs::rename(&fresh, path).map_err(io()))?;
        self.failpoints.around("sync the format file's folder", || sync_folder(&self.paths.folder))?;
        self.is_current.store(true, Ordering::Relaxed);
        let Format { number, since, .. } = Format::CURRENT;
        tracing::info!(format = number, "the data folder is of the format that version {since} and later read");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("format"), text).unwrap();
        let refused = format_of(folder.path()).unwrap_err();
        refused.to_string().replace(folder.path().to_str().unwrap(), "FOLDER").replace(env!("CARGO_PKG_VERSION"), "OWN")
    }

    #[test]
    fn what_is_written_says_its_format_to_people_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(format_of(folder.path()).unwrap(), None);
        let file = FormatFile::open(&Paths::of(folder.path()), &Failpoints::none()).unwrap();
        file.write_current().unwrap();
        assert_eq!(format_of(folder.path()).unwrap(), Some(Format::CURRENT));
        insta::assert_snapshot!(std::fs::read_to_string(folder.path().join("format")).unwrap(), @r"
        conspectus data folder, format 3
        read by version 0.3.0 and later
        ");
    }

    #[test]
    fn a_later_format_is_refused_with_the_version_that_reads_it_whatever_else_the_file_says() {
        let later = b"conspectus data folder, format 71\nread by version 12.0.1 and later\nand more \xff\n";
        insta::assert_snapshot!(refusal(later), @"the data folder FOLDER has format 71, which version 12.0.1 and later read, and this is version OWN, which reads formats up to 3: install version 12.0.1, or go back to the copy or the backup from before the upgrade");
    }

    #[test]
    fn a_file_that_no_version_writes_is_refused_with_what_to_do() {
        insta::assert_snapshot!(refusal(b"conspectus data folder, fo"), @"FOLDER/format isn't what any version writes there: it begins with `conspectus data folder, fo`; restore the folder from a backup, or, if no version later than 0.3.0 has run on it, remove this file");
        for wrong in [
            "",
            "conspectus data folder, format 3\n",
            "conspectus data folder, format 3\nread by version 0.3.1 and later\n",
            "conspectus data folder, format 7\nread by version 0.3.0 and later\n",
            "conspectus data folder, format 0\nread by version 0.0.1 and later\n",
            "conspectus data folder, format 2\nread by version 0.3.0 and later\n",
            "conspectus data folder, format 3\nread by version 0.3.0 and later\nmore\n",
        ] {
            assert!(refusal(wrong.as_bytes()).contains("isn't what any version writes there"), "{wrong:?}");
        }
    }
}

//! The questions that are too long for a line: a file for each, named by its hash, which the line has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::line::Error;
use crate::journal::sync_folder;

/// The folder of the questions in the data folder.
pub const QUESTIONS_FOLDER: &str = "audit-questions";
/// The longest question that is kept; a longer one isn't answered.
pub(crate) const QUESTION_BYTES_MAX: usize = 1 << 20;
/// How much all questions take, at the most. Those whose lines are in a file that was moved away can go with it.
const QUESTIONS_BYTES_MAX: u64 = 1 << 30;

/// The questions of a data folder.
#[derive(Debug)]
pub(super) struct Questions {
    folder: PathBuf,
    /// What they take, or took: some may have been moved away.
    bytes: u64,
    /// What they may take: [`QUESTIONS_BYTES_MAX`], except in a test.
    bytes_max: u64,
}

impl Questions {
    /// Those in a data folder; there may be none.
    pub(super) fn open(data: &Path) -> Result<Self, Error> {
        let folder = data.join(QUESTIONS_FOLDER);
        let bytes = bytes_in(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
        Ok(Self { folder, bytes, bytes_max: QUESTIONS_BYTES_MAX })
    }

    /// Keeps a question, durably; none twice.
    pub(super) fn keep(&mut self, hash: &str, text: &str) -> io::Result<()> {
        if !self.folder.exists() {
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(&self.folder)?;
            sync(self.folder.parent().unwrap_or(Path::new(".")))?;
        }
        let path = self.folder.join(hash);
        if !path.exists() {
            let is_full = |bytes: u64| bytes.saturating_add(text.len() as u64) > self.bytes_max;
            if is_full(self.bytes) {
                self.bytes = bytes_in(&self.folder)?;
            }
            if is_full(self.bytes) {
                return Err(io::Error::other(format!("{} is full: move old questions away", self.folder.display())));
            }
            let fresh = path.with_extension("new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file: File = options.open(&fresh)?;
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            if let Err(error) = written.and_then(|()| fs::rename(&fresh, &path)) {
                // What is left of it takes space, and is no question.
                drop(fs::remove_file(&fresh));
                return Err(error);
            }
            self.bytes += text.len() as u64;
        }
        // Also of one that is there: whoever wrote it may not have come so far.
        sync(&self.folder)
    }
}

/// What the files of a folder take; nothing when there is no such folder.
fn bytes_in(folder: &Path) -> io::Result<u64> {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.try_fold(0, |bytes, entry| Ok(bytes + entry?.metadata()?.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    sync_folder(folder).map_err(io::Error::other)
}

/// Whether a text is the question that goes by a hash.
pub(crate) fn is_question(hash: &str, text: &str) -> bool {
    blake3::hash(text.as_bytes()).to_hex().as_str() == hash.to_ascii_lowercase()
}

/// Puts a question into a data folder, as it was restored from a backup.
///
/// # Errors
/// When it can't be written.
pub(crate) fn put_question(data: &Path, hash: &str, text: &str) -> Result<(), Error> {
    let mut questions = Questions::open(data)?;
    questions.keep(hash, text).map_err(|source| Error::Io { path: questions.folder.join(hash), source })
}

/// Whether a data folder has a file for the question of a line, if that names one.
pub(super) fn is_kept(data: &Path, hash: &str) -> bool {
    !hash.is_empty() && data.join(QUESTIONS_FOLDER).join(hash).is_file()
}

/// Deletes a question that no line names any more.
pub(super) fn delete(data: &Path, hash: &str) -> Result<(), Error> {
    let path = data.join(QUESTIONS_FOLDER).join(hash);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Io { path, source }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reads a question back from a data folder, by its hash.
///
/// # Errors
/// When it isn't there, or isn't what was asked.
pub fn read_question(data: &Path, hash: &str) -> Result<String, Error> {
    let path = data.join(QUESTIONS_FOLDER).join(hash);
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let read = if is_hash {
        fs::read_to_string(&path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "a question goes by 64 hexadecimal digits"))
    };
    let text = read.map_err(|source| Error::Io { path: path.clone(), source })?;
    if !is_question(hash, &text) {
        return Err(Error::Damaged { path, n: 0, what: "the question isn't the one that was asked" });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_folder_takes_questions_again_once_old_ones_are_moved_away() {
        let data = tempfile::tempdir().unwrap();
        let mut questions = Questions { bytes_max: 10, ..Questions::open(data.path()).unwrap() };
        questions.keep("a", "12345678").unwrap();
        questions.keep("a", "12345678").unwrap();
        let full = questions.keep("b", "1234").unwrap_err().to_string();
        assert!(full.contains("is full: move old questions away"), "{full}");
        fs::rename(data.path().join(QUESTIONS_FOLDER), data.path().join("old")).unwrap();
        questions.keep("b", "1234").unwrap();
        assert_eq!(bytes_in(&data.path().join(QUESTIONS_FOLDER)).unwrap(), 4);
    }

    #[test]
    fn questions_take_no_more_space_than_they_may_and_those_from_before_a_start_count() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |hash: &str| folder.path().join(QUESTIONS_FOLDER).join(hash).exists();
        let mut questions = Questions::open(folder.path()).unwrap();
        questions.keep("one", "what is asked").unwrap();
        questions.keep("one", "what is asked").unwrap();
        let mut questions = Questions::open(folder.path()).unwrap();
        assert_eq!(questions.bytes, 13, "none is kept twice");
        questions.bytes_max = 16;
        questions.keep("three", "???").unwrap();
        let full = questions.keep("four", "?").unwrap_err();
        assert!(full.to_string().contains("is full: move old questions away"), "{full}");
        assert!(kept("three") && !kept("four"));
        questions.keep("one", "what is asked").unwrap();
    }

    #[test]
    fn a_question_goes_by_its_hash_and_no_other_file_is_read() {
        let data = tempfile::tempdir().unwrap();
        let mut questions = Questions::open(data.path()).unwrap();
        let hash = blake3::hash(b"what is asked").to_hex();
        questions.keep(&hash, "what is asked").unwrap();
        assert_eq!(read_question(data.path(), &hash).unwrap(), "what is asked");
        fs::write(data.path().join("other"), "nobody's question").unwrap();
        let other = data.path().join("other").display().to_string();
        for name in ["../other", &other, &hash[1..], &"g".repeat(64)] {
            let refused = read_question(data.path(), name).unwrap_err().to_string();
            assert!(refused.contains("a question goes by 64 hexadecimal digits"), "{refused}");
        }
    }
}

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
    /// What they take.
    bytes: u64,
}

impl Questions {
    /// Those in a data folder; there may be none.
    pub(super) fn open(data: &Path) -> Result<Self, Error> {
        let folder = data.join(QUESTIONS_FOLDER);
        let mut bytes = 0;
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let length = entry.and_then(|entry| entry.metadata()).map(|metadata| metadata.len());
                    bytes += length.map_err(|source| Error::Io { path: folder.clone(), source })?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { path: folder, source }),
        }
        Ok(Self { folder, bytes })
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
            if self.bytes.saturating_add(text.len() as u64) > QUESTIONS_BYTES_MAX {
                return Err(io::Error::other(format!("{} is full: move old questions away", self.folder.display())));
            }
            let fresh = path.with_extension("new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file: File = options.open(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            self.bytes += text.len() as u64;
        }
        // Also of one that is there: whoever wrote it may not have come so far.
        sync(&self.folder)
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    sync_folder(folder).map_err(io::Error::other)
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
    if blake3::hash(text.as_bytes()).to_hex().as_str() != hash.to_ascii_lowercase() {
        return Err(Error::Damaged { path, n: 0, what: "the question isn't the one that was asked" });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_take_no_more_space_than_they_may_and_those_from_before_a_start_count() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |hash: &str| folder.path().join(QUESTIONS_FOLDER).join(hash).exists();
        let mut questions = Questions::open(folder.path()).unwrap();
        questions.keep("one", "what is asked").unwrap();
        questions.keep("one", "what is asked").unwrap();
        let mut questions = Questions::open(folder.path()).unwrap();
        assert_eq!(questions.bytes, 13, "none is kept twice");
        questions.bytes = QUESTIONS_BYTES_MAX - 3;
        questions.keep("three", "???").unwrap();
        let full = questions.keep("four", "?").unwrap_err();
        assert!(full.to_string().contains("is full: move old questions away"), "{full}");
        assert!(kept("three") && !kept("four"));
        questions.keep("one", "what is asked").unwrap();
    }
}

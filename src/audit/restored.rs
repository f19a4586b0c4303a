//! A log that is written again from its lines, as a backup has them: in the files that it was in.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::file::set_aside;
use super::line::{Error, Event, LogTail};
use super::reader::follow_or_leap;
use super::segments::{FILE_NAME, closed_path};
use crate::journal::create_file;

/// The log of a data folder that has none yet.
pub(crate) struct RestoredLog {
    path: PathBuf,
    tail: LogTail,
    /// The file that is written to, and its first line.
    file: Option<(File, u64)>,
}

impl RestoredLog {
    /// One without a line.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE_NAME), tail: LogTail::START, file: None }
    }

    /// Adds lines, each of which follows from the one before, or says itself what it follows.
    ///
    /// # Errors
    /// When one doesn't, or can't be written.
    pub(crate) fn add(&mut self, lines: &str) -> Result<(), Error> {
        for line in lines.split_inclusive('\n') {
            self.add_line(line)?;
        }
        Ok(())
    }

    fn add_line(&mut self, line: &str) -> Result<(), Error> {
        let damaged = |what| Error::Damaged { path: self.path.clone(), n: self.tail.n + 1, what };
        let (numbered, tail, is_leap) = follow_or_leap(self.tail, line.trim_end_matches('\n')).map_err(damaged)?;
        if is_leap && self.close()?.is_some() {
            // The file that it goes on after wasn't closed: it was disturbed, and what was in it isn't all here. The log
            // says so; here it is nothing new.
            set_aside(&self.path, tail.n).map_err(self.io())?;
        }
        let (file, first) = match &mut self.file {
            Some(open) => open,
            none => none.insert((
                create_file(&self.path).map_err(|source| Error::Io { path: self.path.clone(), source })?,
                tail.n,
            )),
        };
        let first = *first;
        file.write_all(line.as_bytes()).map_err(|source| Error::Io { path: self.path.clone(), source })?;
        self.tail = tail;
        if numbered.line.event == Event::Closed {
            self.close()?;
            fs::rename(&self.path, closed_path(&self.path, first, tail.n)).map_err(self.io())?;
        }
        Ok(())
    }

    /// Makes what was written durable; the files' folder is for whoever made that.
    ///
    /// # Errors
    /// When it can't be.
    pub(crate) fn finish(mut self) -> Result<LogTail, Error> {
        self.close()?;
        Ok(self.tail)
    }

    /// Ends the file that is written to, and gives its first line; none when there is no such file.
    fn close(&mut self) -> Result<Option<u64>, Error> {
        let Some((file, first)) = self.file.take() else { return Ok(None) };
        file.sync_all().map_err(self.io())?;
        Ok(Some(first))
    }

    fn io(&self) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = self.path.clone();
        |source| Error::Io { path, source }
    }
}

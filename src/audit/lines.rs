//! The lines of one file: read in order, from any of them on, and its first and last.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::line::{Error, LINE_BYTES_MAX, LogTail};

/// A part of a file in which there is a whole line, wherever it begins.
const PART_BYTES: u64 = 2 * LINE_BYTES_MAX;

/// The lines of a file, in order; what is in them isn't checked.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    /// All of them.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        check_is_file(path).map_err(io)?;
        let file = File::open(path).map_err(io)?;
        Ok(Self { path: path.to_owned(), reader: BufReader::with_capacity(1 << 16, file), line: Vec::new() })
    }

    /// Goes to near line `n`: not after it, and at most some hundred kilobytes before.
    pub(super) fn go_near(&mut self, n: u64) -> Result<(), Error> {
        self.line.clear();
        let near = start_near(self.reader.get_mut(), n).and_then(|at| self.reader.seek(SeekFrom::Start(at)));
        near.map(drop).map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    /// The next whole line, which has the number `n`; none at the end. What is written after that is found when it is
    /// asked again.
    pub(super) fn next(&mut self, n: u64) -> Result<Option<&str>, Error> {
        if self.line.last() == Some(&b'\n') {
            self.line.clear();
        }
        // The bound keeps damage from asking for memory.
        let rest = LINE_BYTES_MAX.saturating_sub(self.line.len() as u64);
        let read = Read::by_ref(&mut self.reader).take(rest).read_until(b'\n', &mut self.line);
        read.map_err(|source| Error::Io { path: self.path.clone(), source })?;
        if self.line.last() != Some(&b'\n') {
            return if (self.line.len() as u64) < LINE_BYTES_MAX {
                Ok(None)
            } else {
                Err(self.damaged(n, "it is longer than any line may be"))
            };
        }
        let line = std::str::from_utf8(&self.line[..self.line.len() - 1]);
        line.map(Some).map_err(|_| self.damaged(n, "it isn't text"))
    }

    /// Whether the last line has no end, at the end of the file.
    pub(super) fn is_cut_off(&self) -> bool {
        self.line.last().is_some_and(|last| *last != b'\n')
    }

    /// Has what was read until now on the disk, whoever wrote it.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.reader.get_ref().sync_data().map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    /// That a line isn't what was written.
    pub(super) fn damaged(&self, n: u64, what: &'static str) -> Error {
        Error::Damaged { path: self.path.clone(), n, what }
    }
}

/// Refuses what is in a file's place and is none: lines that are written to `/dev/null` are nowhere, and opening a
/// pipe waits for ever. There may be nothing yet.
pub(super) fn check_is_file(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it isn't a regular file")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Where a line begins that isn't after line `n`, and near it: lines have numbers that only grow. Where they don't, or
/// aren't lines, it is earlier.
fn start_near(file: &mut File, n: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    while high - low > 2 * PART_BYTES {
        let middle = low + (high - low) / 2;
        let part = read_part(file, middle, PART_BYTES)?;
        // The part begins within a line.
        let Some(start) = part.iter().position(|byte| *byte == b'\n').map(|at| at + 1) else { break };
        let Some(line) = part[start..].split(|byte| *byte == b'\n').next() else { break };
        let Some(found) = std::str::from_utf8(line).ok().and_then(|line| LogTail::of_last(line).ok()) else { break };
        if found.n <= n { low = middle + start as u64 } else { high = middle }
    }
    Ok(low)
}

fn read_part(file: &mut File, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    Read::by_ref(file).take(bytes).read_to_end(&mut part)?;
    Ok(part)
}

/// How a file ends.
#[derive(Debug)]
pub(super) struct End {
    /// The last whole line, without its line break; none where there is no line, or what is there is longer than any.
    pub(super) line: Option<Vec<u8>>,
    /// How many bytes follow it, of a line that was cut off; more than a line may have when there is no line.
    pub(super) torn_bytes: u64,
}

/// How a file ends that has so many bytes.
pub(super) fn read_end(file: &mut File, length: u64) -> io::Result<End> {
    let from = length.saturating_sub(PART_BYTES);
    let part = read_part(file, from, length - from)?;
    let whole = part.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // What was read may begin within a line, and within a character.
    let line = (whole > 0).then(|| part[..whole - 1].rsplit(|byte| *byte == b'\n').next().unwrap_or_default());
    Ok(End { line: line.map(<[u8]>::to_owned), torn_bytes: (part.len() - whole) as u64 })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::line::{Event, Line};
    use super::*;
    use crate::model::timestamp::Timestamp;

    fn log(lines: usize) -> String {
        let mut text = String::new();
        let line = |n: usize| Line::without_call(Event::Read, "é".repeat(n % 700));
        (0..lines).fold(LogTail::START, |tail, n| tail.add(Timestamp(0), line(n), &mut text));
        text
    }

    #[test]
    fn any_line_of_a_long_file_is_found_without_reading_it_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, log(5_000)).unwrap();
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(length > 20 * PART_BYTES);
        for n in (1..=5_000).step_by(97).chain([5_000, 5_001]) {
            let mut file = File::open(&path).unwrap();
            let start = start_near(&mut file, n).unwrap();
            let mut lines = Lines::open(&path).unwrap();
            lines.go_near(n).unwrap();
            let first = LogTail::of_last(lines.next(0).unwrap().unwrap()).unwrap().n;
            assert!(first <= n && n - first < 2_000, "{n}: {first}");
            assert!(n < 4_000 || start > length / 2, "{n}: {start}");
        }
    }

    #[test]
    fn a_line_that_is_being_written_is_one_once_it_has_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let text = log(2);
        let cut = text.len() - 10;
        std::fs::write(&path, &text[..cut]).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert!(lines.next(1).unwrap().is_some() && !lines.is_cut_off());
        assert!(lines.next(2).unwrap().is_none() && lines.is_cut_off());
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&text.as_bytes()[cut..]).unwrap();
        assert_eq!(lines.next(2).unwrap(), text.lines().nth(1));
        assert!(lines.next(3).unwrap().is_none() && !lines.is_cut_off());
    }

    #[test]
    fn what_is_no_line_takes_no_more_memory_than_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        lines.go_near(7).unwrap();
        let said = lines.next(1).unwrap_err().to_string();
        assert!(said.contains("line 1: it is longer than any line may be"), "{said}");
        assert!(lines.line.capacity() as u64 <= 2 * LINE_BYTES_MAX);
    }
}

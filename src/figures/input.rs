//! The bytes of a file, read as often as it takes: a large file is never in memory as a whole.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes that a file may have.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 30;

/// The most bytes of what can be read only once, such as a pipe: it is kept in memory.
pub(crate) const PIPE_BYTES_MAX: u64 = 16 << 20;

/// A file on disk, or bytes in memory.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Memory(Arc<[u8]>),
    /// A file, which each reader seeks its place in, and how many bytes it had when it was opened.
    File(Arc<Mutex<File>>, u64),
}

impl Input {
    /// Bytes that are in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::Memory(bytes.into())
    }

    /// An open file. What can't be read from any place, such as a pipe, is read into memory; of one that is too large
    /// only so much that this is seen.
    pub(crate) fn of_file(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_file() {
            return Ok(Self::File(Arc::new(Mutex::new(file)), metadata.len()));
        }
        let mut bytes = Vec::new();
        file.take(PIPE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(Self::Memory(bytes.into()))
    }

    /// Whether all of it is in memory.
    pub(super) const fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// How many bytes there are.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, bytes) => *bytes,
        }
    }

    /// The most bytes that it may have.
    pub(super) const fn bytes_max(&self) -> u64 {
        match self {
            Self::Memory(_) => PIPE_BYTES_MAX,
            Self::File(..) => FILE_BYTES_MAX,
        }
    }

    /// Fills a buffer from the beginning, as far as there are bytes; how many there are in it.
    pub(super) fn start(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (mut reader, mut filled) = (self.reader(), 0);
        loop {
            match reader.read(&mut buffer[filled..])? {
                0 => return Ok(filled),
                count => filled += count,
            }
        }
    }

    /// Reads from the beginning, whatever else is reading.
    pub(super) fn reader(&self) -> InputReader {
        InputReader { input: self.clone(), at: 0 }
    }
}

/// Where a reader of an input is.
#[derive(Debug)]
pub(super) struct InputReader {
    input: Input,
    at: u64,
}

impl Read for InputReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.input {
            Input::Memory(bytes) => {
                let from = usize::try_from(self.at).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[from..]).read(buffer)?
            }
            Input::File(file, bytes) => {
                let left = usize::try_from(bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
                let most = buffer.len().min(left);
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.at))?;
                file.read(&mut buffer[..most])?
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for InputReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.input.bytes().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the beginning"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn readers_of_a_file_and_of_memory_read_the_same_side_by_side() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abcdef").unwrap();
        for input in [Input::of(b"abcdef"), Input::of_file(file).unwrap()] {
            let (mut first, mut second) = (input.reader(), input.reader());
            let mut text = String::new();
            first.seek(SeekFrom::End(-2)).unwrap();
            first.read_to_string(&mut text).unwrap();
            second.seek(SeekFrom::Current(3)).unwrap();
            second.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), input.bytes()), ("efdef", 6));
            assert!(first.seek(SeekFrom::Current(-9)).is_err());
            assert_eq!(first.seek(SeekFrom::Start(9)).unwrap(), 9);
            assert_eq!(first.read(&mut [0]).unwrap(), 0);
        }
    }
}

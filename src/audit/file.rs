//! The file of a log that is written to: it is only ever added to, and watched. Whoever moves it away, cuts it or puts
//! another in its place finds the next line in a new file that says where it goes on. One that is full is closed: its
//! last line says so, then it has its own name, and the next begins. What a crash left undone of that, the next start
//! does.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::line::{Error, Event, LINE_BYTES_MAX, Line, LogTail};
use super::lines::{Lines, check_is_file, read_end};
use super::segments::{closed_path, newest_closed, place};
use crate::journal::sync_folder;
use crate::model::timestamp::Timestamp;

/// An open log.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// The file's device and number on it.
    id: (u64, u64),
    length: u64,
    /// What follows the last whole line, of a file that was cut off there: it stays until a line is written over it.
    torn_bytes: u64,
    /// The first line's number, or that of the next line, and when it was written; no time when there is none yet.
    first: (u64, Option<Timestamp>),
    tail: LogTail,
    /// The last line closes the file. What is left to be done of that is to call it so, unless it is, and begin the next.
    is_closed: bool,
}

#[cfg(unix)]
fn id_of(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

fn open_to_append(path: &Path) -> io::Result<File> {
    check_is_file(path)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the folder that a file is in know it, before a line in it is relied on. The path may be a link's.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let place = place(path);
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(folder).map_err(io::Error::other)
}

impl LogFile {
    /// Opens the file after its last whole line; without one, after the last file that was closed.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = open_to_append(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        let length = metadata.len();
        let end = read_end(&mut file, length).map_err(io)?;
        let damaged = || Error::Damaged { path: path.to_owned(), n: 0, what: "its last line isn't one" };
        if length == 0 {
            sync_folder_of(path).map_err(io)?;
        }
        let (id, torn_bytes) = (id_of(&metadata), end.torn_bytes);
        let length = length - torn_bytes;
        let log = |first, tail, is_closed| {
            Ok(Self { path: path.to_owned(), file, id, length, torn_bytes, first, tail, is_closed })
        };
        if let Some(last) = end.line {
            let last = std::str::from_utf8(&last).map_err(|_| damaged())?;
            let (last, tail) = LogTail::read(last).map_err(|_| damaged())?;
            let mut lines = Lines::open(path)?;
            let first = lines.next(0)?.map(LogTail::read).transpose();
            // Whether it is what was written is for whoever reads it.
            let first = first.ok().flatten().map_or((tail.n, last.at()), |(first, _)| (first.n, first.at()));
            return log(first, tail, last.line.event == Event::Closed);
        }
        if torn_bytes > LINE_BYTES_MAX {
            return Err(damaged());
        }
        // One that isn't what was written is missed when it is compared with what the journal knows.
        match newest_closed(path).ok().flatten() {
            Some((segment, tail)) => log((segment.first, None), tail, true),
            None => log((1, None), LogTail::START, false),
        }
    }

    /// Moves a file out of the way that isn't a log.
    pub(super) fn set_aside(path: &Path, n: u64) -> Result<(), Error> {
        set_aside_aloud(path, n).map_err(|source| Error::Io { path: path.to_owned(), source })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where it ends.
    pub(super) fn tail(&self) -> LogTail {
        self.tail
    }

    /// How many bytes of whole lines it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes follow them, of a line that was cut off.
    pub(super) fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Whether its last line closes it: nothing is added to it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// When its first line was written; none when that is the one that says where it goes on, and there is no other.
    pub(super) fn begun(&self) -> Option<Timestamp> {
        self.first.1.filter(|_| self.tail.n > self.first.0)
    }

    /// What it is called once it is closed with the line `last`.
    pub(super) fn closed_name(&self, last: u64) -> String {
        let path = closed_path(&self.path, self.first.0, last);
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Adds lines, durably, and with them comes to `tail`; whether the last of them closes the file. What was cut off before them is dropped.
    pub(super) fn append(&mut self, at: Timestamp, text: &str, (tail, is_closed): (LogTail, bool)) -> io::Result<()> {
        if self.torn_bytes > 0 {
            self.file.set_len(self.length)?;
            self.torn_bytes = 0;
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.length += text.len() as u64;
        // A chain never goes on from a line that may not be there.
        (self.tail, self.is_closed) = (tail, is_closed);
        self.first.1.get_or_insert(at);
        Ok(())
    }

    /// Gives a file that is closed its own name, unless it has it, and goes on in a new one. Where it fails, the same is
    /// to be done again. Returns what somebody did to the file meanwhile.
    pub(super) fn begin_next(&mut self, at: Timestamp) -> io::Result<Option<&'static str>> {
        let closed = closed_path(&self.path, self.first.0, self.tail.n);
        let is_this = |path: &Path| fs::metadata(path).is_ok_and(|found| id_of(&found) == self.id);
        // Where a crash came after that, the new one has no line yet.
        if self.length == 0 {
            self.file.set_len(0)?;
        } else if is_this(&self.path) {
            if closed.exists() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there", closed.display())));
            }
            fs::rename(place(&self.path), &closed)?;
            sync_folder_of(&self.path)?;
        }
        let taken = (self.length > 0 && !is_this(&closed)).then_some("it was moved away or deleted");
        let why = match taken {
            Some(what) => format!("after line {}: {what}", self.tail.n),
            None => self.closed_name(self.tail.n),
        };
        self.go_on(at, Event::Continued, why, self.tail)?;
        Ok(taken)
    }

    /// What was done to the file since the last line; none when nothing was.
    pub(super) fn disturbance(&self) -> io::Result<Option<&'static str>> {
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("it was moved away or deleted")),
            Err(error) => return Err(error),
        };
        let length = self.length + self.torn_bytes;
        Ok(if id_of(&found) != self.id {
            Some("it was moved away or deleted, and another file is in its place")
        } else if found.len() < length {
            Some("it was cut")
        } else if found.len() > length {
            Some("something else was added to it")
        } else {
            None
        })
    }

    /// Goes on in a new file, after `tail`, with a first line that says why.
    pub(super) fn go_on(&mut self, at: Timestamp, event: Event, why: String, tail: LogTail) -> io::Result<()> {
        set_aside_aloud(&self.path, tail.n + 1)?;
        let mut file = open_to_append(&self.path)?;
        let line = Line { previous: tail.chain.to_string(), ..Line::without_call(event, why) };
        let mut text = String::new();
        let tail = tail.add(at, line, &mut text);
        let first = (tail.n, Some(at));
        let written =
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_folder_of(&self.path));
        if let Err(error) = written {
            // It was empty: whatever is tried again finds it so, instead of setting aside what is left of each try.
            drop(file.set_len(0));
            return Err(error);
        }
        let id = id_of(&file.metadata()?);
        let path = std::mem::take(&mut self.path);
        *self = Self { path, file, id, length: text.len() as u64, torn_bytes: 0, first, tail, is_closed: false };
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn of(path: &Path, file: File) -> Self {
        let metadata = file.metadata().unwrap();
        let (path, id, length) = (path.to_owned(), id_of(&metadata), metadata.len());
        let first = (1, None);
        Self { path, file, id, length, torn_bytes: 0, first, tail: LogTail::START, is_closed: false }
    }
}

/// Moves what is there instead out of the way, unless it is empty: nothing is ever deleted. Where it is then.
pub(super) fn set_aside(path: &Path, n: u64) -> io::Result<Option<PathBuf>> {
    match fs::metadata(path) {
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let name = |count: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".set-aside-before-line-{n}"));
        if count > 1 {
            name.push(format!("-{count}"));
        }
        PathBuf::from(name)
    };
    let free = (1..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(1));
    fs::rename(path, &free)?;
    Ok(Some(free))
}

/// The same, as the log says.
fn set_aside_aloud(path: &Path, n: u64) -> io::Result<()> {
    if let Some(aside) = set_aside(path, n)? {
        tracing::warn!(from = %path.display(), to = %aside.display(), "what is in the audit log's place is set aside");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_opened_wherever_in_a_character_what_is_read_of_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        // Enough lines that the first aren't read, and each length of the last, of characters of four bytes.
        for longer in 0..4 {
            let (mut text, mut tail) = (String::new(), LogTail::START);
            let scopes = std::iter::repeat_n("😀".repeat(200), 200).chain(["a".repeat(longer)]);
            for scope in scopes {
                tail = tail.add(Timestamp(0), Line::without_call(Event::Read, scope), &mut text);
            }
            assert!(text.len() as u64 > 2 * LINE_BYTES_MAX);
            let path = folder.path().join(format!("{longer}.log"));
            fs::write(&path, text).unwrap();
            assert_eq!(LogFile::open(&path).unwrap().tail(), tail, "{longer}");
        }
    }

    #[test]
    fn what_is_set_aside_takes_the_place_of_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        for text in ["one", "two", ""] {
            fs::write(&path, text).unwrap();
            set_aside(&path, 4).unwrap();
        }
        let aside = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(aside("audit.log.set-aside-before-line-4"), "one");
        assert_eq!(aside("audit.log.set-aside-before-line-4-2"), "two");
        assert_eq!(aside("audit.log"), "", "of what is empty there is nothing to keep");
    }
}

//! The audit log: who read unpublished figures, who was refused, who changed keys.
//!
//! A file of its own, `audit.log` in the data folder, that is only ever added to: a JSON object on
//! each line, tied to all lines before it by its `chain`, as [`verify`] checks. It holds what was
//! asked for and what for, never a figure and never a secret.
//!
//! A read is answered only once its line is durable. One thread writes: it takes all lines that are
//! waiting, writes them, and makes one `fdatasync` for all of them, so a read costs one sync when it
//! is alone, and a share of one when many wait. When there is no room for a line on the disk, or the
//! file fails, reads that must be audited are refused.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::model::timestamp::Timestamp;

/// The file's name in the data folder.
pub const FILE_NAME: &str = "audit.log";
/// How many lines may wait to be written.
const QUEUE_LINES_MAX: usize = 4_096;
/// How many lines one sync is for, at the most.
const GROUP_LINES_MAX: usize = 1_024;
/// How many refusals are told each second, one by one. More are counted: whoever is refused must not
/// be able to fill the disk.
const REFUSALS_A_SECOND_MAX: u64 = 100;
/// The longest text of a line's scope.
const SCOPE_BYTES_MAX: usize = 1_000;
/// The longest line that is taken for one.
const LINE_BYTES_MAX: u64 = 16 << 10;
/// The room on the disk below which nothing is written: as for the journal.
const ROOM_BYTES_MIN: u64 = 64 << 20;
const CONTEXT: &str = "conspectus audit line v1";
const CHAIN_KEY: &str = ",\"chain\":\"";
const MICROS_A_SECOND: i64 = 1_000_000;

/// What a line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Unpublished figures were read.
    Read,
    /// A call was refused.
    Refused,
    /// Keys were changed.
    Keys,
    /// Further calls were refused in that second; `scope` says how many.
    RefusedMore,
    /// A line that was cut off when the machine stopped, and never acknowledged, was dropped; `scope`
    /// says how many bytes.
    Repaired,
}

/// A line, before it has its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it tells of.
    pub event: Event,
    /// The caller's identity; empty when it isn't known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// What showed who is calling: the key's public name, or the certificate's URI.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credential: String,
    /// Where the call came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The method that was called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// What for, in the caller's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The revision of the answer, or of the change; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// `OK`, or the reason of the refusal.
    pub outcome: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A line in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedLine {
    /// Its number, from 1 without a gap.
    pub n: u64,
    /// When, as RFC 3339 has it.
    pub at: String,
    /// The line.
    #[serde(flatten)]
    pub line: Line,
}

/// A line's tie to all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain([u8; 32]);

impl Chain {
    const START: Self = Self([0; 32]);

    /// The tie of a line's text, up to its `chain`.
    fn after(self, text: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&self.0);
        hasher.update(text.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many lines it has.
    pub n: u64,
    /// The last one's tie.
    pub chain: Chain,
}

impl Head {
    const START: Self = Self { n: 0, chain: Chain::START };
}

/// Why the log can't be opened, or isn't what was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system reports an error.
    #[error("the audit log {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line isn't what was written.
    #[error("the audit log {} is not what was written, at line {n}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line.
        n: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// Why a line wasn't written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// Too many are waiting.
    #[error("too many calls wait for the audit log; try again in a moment")]
    Busy,
    /// There is no room on the disk.
    #[error("the disk is nearly full: what must be audited can't be read")]
    NoRoom,
    /// The log failed, and is written no more until a restart.
    #[error("the audit log failed: what must be audited can't be read until a restart")]
    Failed,
}

type Reply = oneshot::Sender<Result<(), Unwritten>>;

struct Waiting {
    at: Timestamp,
    line: Line,
    reply: Option<Reply>,
}

/// Writes lines. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Log {
    queue: SyncSender<Waiting>,
}

impl Log {
    /// Opens the log of a data folder, and starts the thread that writes it.
    ///
    /// # Errors
    /// When the file can't be opened, or its last line isn't one.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Error> {
        let path = folder.join(FILE_NAME);
        let (file, head, dropped) = open(&path)?;
        let (queue, waiting) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let mut writer = Writer { file, head, second: 0, refusals: 0, untold: 0, failed: false };
        if dropped > 0 {
            tracing::warn!(path = %path.display(), bytes = dropped, "the audit log ended in a line that was cut off: it is dropped");
            let line = Line::told(Event::Repaired, format!("{dropped} bytes"));
            writer.group(vec![Waiting { at: now, line, reply: None }]);
        }
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(|source| Error::Io { path, source })?;
        Ok(Self { queue })
    }

    /// Writes a line, and answers once it is durable.
    ///
    /// # Errors
    /// When it isn't; what it tells of must then not happen.
    pub async fn write(&self, at: Timestamp, line: Line) -> Result<(), Unwritten> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Waiting { at, line, reply: Some(reply) }).map_err(|error| match error {
            TrySendError::Full(_) => Unwritten::Busy,
            TrySendError::Disconnected(_) => Unwritten::Failed,
        })?;
        answer.await.unwrap_or(Err(Unwritten::Failed))
    }

    /// Has a line written soon. When too many are waiting, it is let go: only refusals are written so.
    pub fn note(&self, at: Timestamp, line: Line) {
        if self.queue.try_send(Waiting { at, line, reply: None }).is_err() {
            tracing::warn!("a refusal isn't in the audit log: it has too much to write, or failed");
        }
    }
}

impl Line {
    /// A line that no call is behind.
    pub fn told(event: Event, scope: String) -> Self {
        Self {
            event,
            identity: String::new(),
            credential: String::new(),
            address: String::new(),
            method: String::new(),
            scope,
            purpose: String::new(),
            revision: 0,
            outcome: "OK".to_owned(),
        }
    }
}

struct Writer {
    file: File,
    head: Head,
    /// The second whose refusals are counted.
    second: i64,
    refusals: u64,
    untold: u64,
    failed: bool,
}

impl Writer {
    fn run(mut self, waiting: &mpsc::Receiver<Waiting>) {
        loop {
            let group = match waiting.recv_timeout(Duration::from_secs(1)) {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(waiting.try_iter().take(GROUP_LINES_MAX - 1));
                    group
                }
                Err(RecvTimeoutError::Timeout) if self.untold > 0 => vec![self.untold_line()],
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.group(group);
        }
    }

    fn untold_line(&mut self) -> Waiting {
        let line = Line::told(Event::RefusedMore, format!("{} more", self.untold));
        self.untold = 0;
        Waiting { at: Timestamp((self.second + 1) * MICROS_A_SECOND), line, reply: None }
    }

    /// Writes lines and makes them durable together, then answers.
    fn group(&mut self, group: Vec<Waiting>) {
        let mut text = String::new();
        let mut replies = Vec::new();
        let mut head = self.head;
        for waiting in group {
            if waiting.line.event == Event::Refused {
                if self.is_one_too_many(waiting.at) {
                    continue;
                }
                if self.untold > 0 {
                    let more = self.untold_line();
                    head = place(head, more.at, more.line, &mut text);
                }
            }
            head = place(head, waiting.at, waiting.line, &mut text);
            replies.extend(waiting.reply);
        }
        let written = self.append(&text);
        if written.is_ok() {
            self.head = head;
        }
        for reply in replies {
            drop(reply.send(written.clone()));
        }
    }

    fn is_one_too_many(&mut self, at: Timestamp) -> bool {
        let second = at.0.div_euclid(MICROS_A_SECOND);
        if second != self.second {
            self.second = second;
            self.refusals = 0;
        }
        self.refusals += 1;
        let too_many = self.refusals > REFUSALS_A_SECOND_MAX;
        self.untold += u64::from(too_many);
        too_many
    }

    fn append(&mut self, text: &str) -> Result<(), Unwritten> {
        if text.is_empty() {
            return Ok(());
        }
        if self.failed {
            return Err(Unwritten::Failed);
        }
        let disk = rustix::fs::fstatvfs(&self.file).map_err(|_| Unwritten::Failed)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM_BYTES_MIN {
            return Err(Unwritten::NoRoom);
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            // What is on the disk now is known only when the file is opened again.
            self.failed = true;
            tracing::error!(%error, "the audit log failed: what must be audited isn't answered any more");
            Unwritten::Failed
        })
    }
}

/// Adds a line to the text, and gives the head with it.
fn place(head: Head, at: Timestamp, mut line: Line, text: &mut String) -> Head {
    cut(&mut line.scope, SCOPE_BYTES_MAX);
    let n = head.n + 1;
    let placed = NumberedLine { n, at: at.to_string(), line };
    let json = serde_json::to_string(&placed).expect("texts and numbers make JSON");
    let json = json.trim_end_matches('}');
    let chain = head.chain.after(json);
    text.push_str(json);
    text.push_str(CHAIN_KEY);
    text.push_str(&chain.to_string());
    text.push_str("\"}\n");
    Head { n, chain }
}

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// Opens the file at its end; what follows the last whole line is dropped: how many bytes.
fn open(path: &Path) -> Result<(File, Head, u64), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let from = length.saturating_sub(2 * LINE_BYTES_MAX);
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(from)).map_err(io)?;
    Read::by_ref(&mut file).take(length - from).read_to_end(&mut end).map_err(io)?;
    let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let dropped = (end.len() - whole) as u64;
    let damaged = || Error::Damaged { path: path.to_owned(), n: 0, what: "its last line isn't one" };
    let mut head = Head::START;
    if whole > 0 {
        let lines = std::str::from_utf8(&end[..whole - 1]).map_err(|_| damaged())?;
        let last = lines.rsplit('\n').next().unwrap_or_default();
        let (text, chain) = parts(last).ok_or_else(damaged)?;
        let placed: NumberedLine = serde_json::from_str(&format!("{text}}}")).map_err(|_| damaged())?;
        head = Head { n: placed.n, chain };
    } else if from > 0 || dropped > LINE_BYTES_MAX {
        return Err(damaged());
    }
    if dropped > 0 {
        file.set_len(length - dropped).and_then(|()| file.sync_all()).map_err(io)?;
    }
    if length == 0 {
        // The folder must know the file before a line in it is relied on.
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok((file, head, dropped))
}

/// A line's text up to its chain, and the chain.
fn parts(line: &str) -> Option<(&str, Chain)> {
    let (text, rest) = line.rsplit_once(CHAIN_KEY)?;
    let hex = rest.strip_suffix("\"}")?;
    let hash = blake3::Hash::from_hex(hex).ok()?;
    Some((text, Chain(*hash.as_bytes())))
}

/// Reads a log from its beginning, hands each line to `each`, and checks that it is what was
/// written: every line, in its place, and none left out but perhaps at the end.
///
/// # Errors
/// At the first line that isn't.
pub fn verify(path: &Path, each: &mut dyn FnMut(&NumberedLine)) -> Result<Head, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut head = Head::START;
    let mut line = String::new();
    loop {
        line.clear();
        let n = head.n + 1;
        let damaged = |what| Error::Damaged { path: path.to_owned(), n, what };
        let read = Read::by_ref(&mut reader).take(LINE_BYTES_MAX).read_line(&mut line);
        match read {
            Ok(0) => return Ok(head),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged("it isn't text")),
            Err(error) => return Err(io(error)),
        }
        let whole = line.strip_suffix('\n').ok_or_else(|| damaged("it is cut off"))?;
        let (text, chain) = parts(whole).ok_or_else(|| damaged("it has no chain"))?;
        let placed: NumberedLine =
            serde_json::from_str(&format!("{text}}}")).map_err(|_| damaged("it can't be read"))?;
        if placed.n != n {
            return Err(damaged("lines are missing, or out of order"));
        }
        if head.chain.after(text) != chain {
            return Err(damaged("its chain doesn't follow from it and the lines before"));
        }
        each(&placed);
        head = Head { n, chain };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(writer: &mut Writer) -> Result<(), Unwritten> {
        let (reply, mut answer) = oneshot::channel();
        let line = Line { event: Event::Read, ..Line::told(Event::Read, String::new()) };
        writer.group(vec![Waiting { at: Timestamp(0), line, reply: Some(reply) }]);
        answer.try_recv().unwrap()
    }

    fn writer(file: File) -> Writer {
        Writer { file, head: Head::START, second: 0, refusals: 0, untold: 0, failed: false }
    }

    #[test]
    fn a_line_that_was_not_written_is_told_so_and_so_is_every_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let (mut good, ..) = open(&path).unwrap();
        // A file that can't be written to: what a broken disk does.
        let mut writer = writer(File::open(&path).unwrap());
        assert_eq!(read(&mut writer), Err(Unwritten::Failed));
        std::mem::swap(&mut writer.file, &mut good);
        assert_eq!(read(&mut writer), Err(Unwritten::Failed), "what is on the disk is known after a restart");
        assert_eq!(writer.head, Head::START);
        assert_eq!(verify(&path, &mut |_| {}).unwrap(), Head::START);
    }

    #[test]
    fn the_lines_and_their_chain_never_change_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut writer = writer(open(&path).unwrap().0);
        read(&mut writer).unwrap();
        let line = Line {
            event: Event::Refused,
            identity: "ann".to_owned(),
            credential: "k1".to_owned(),
            address: "127.0.0.1:9".to_owned(),
            method: "M".to_owned(),
            scope: "a \"quoted\" scope".to_owned(),
            purpose: "to see".to_owned(),
            revision: 7,
            outcome: "DENIED".to_owned(),
        };
        writer.group(vec![Waiting { at: Timestamp(1_648_746_061_999_999), line, reply: None }]);
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        {"n":1,"at":"1970-01-01T00:00:00Z","event":"read","outcome":"OK","chain":"135ea823d665cf07281a25b63fa0959545e681ee4688e84e72bd7ac2832cdfaa"}
        {"n":2,"at":"2022-03-31T17:01:01Z","event":"refused","identity":"ann","credential":"k1","address":"127.0.0.1:9","method":"M","scope":"a \"quoted\" scope","purpose":"to see","revision":7,"outcome":"DENIED","chain":"6c01f32dd696bbabd0164ac0585f3422b8a79f3e60680b8ef3b1e635d1a4fd1e"}
        "#);
    }

    #[test]
    fn refusals_past_a_bound_are_counted_and_reads_never_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut writer = writer(open(&path).unwrap().0);
        let refused = |at| Waiting { at: Timestamp(at), line: Line::told(Event::Refused, String::new()), reply: None };
        for _ in 0..REFUSALS_A_SECOND_MAX + 50 {
            writer.group(vec![refused(0)]);
            read(&mut writer).unwrap();
        }
        writer.group(vec![refused(MICROS_A_SECOND)]);
        let (mut refusals, mut reads, mut more) = (0, 0, String::new());
        let head = verify(&path, &mut |placed| match placed.line.event {
            Event::Read => reads += 1,
            Event::Refused => refusals += 1,
            Event::RefusedMore => more.clone_from(&placed.line.scope),
            Event::Keys | Event::Repaired => panic!("{placed:?}"),
        });
        assert_eq!(
            (refusals, reads, more.as_str()),
            (REFUSALS_A_SECOND_MAX + 1, REFUSALS_A_SECOND_MAX + 50, "50 more")
        );
        assert_eq!(open(&path).unwrap().1, head.unwrap(), "opened again, it goes on where it was");
    }
}

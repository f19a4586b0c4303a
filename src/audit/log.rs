//! Writing the log: a queue, and the thread that writes what waits in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::line::{Error, Event, LINE_BYTES_MAX, Line, LogTail};
use crate::journal::{self, check_free_space, sync_folder};
use crate::model::timestamp::Timestamp;

/// The file's name in the data folder.
pub const FILE_NAME: &str = "audit.log";
/// How many lines may wait to be written.
const QUEUE_LINES_MAX: usize = 4_096;
/// How many lines one sync is for, at the most.
const GROUP_LINES_MAX: usize = 1_024;
/// How many refusals get a line of their own each second. More are only counted: whoever is refused must not
/// be able to fill the disk.
const REFUSALS_A_SECOND_MAX: u64 = 100;
const MICROS_A_SECOND: i64 = 1_000_000;

/// Why a line wasn't written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// Too many are waiting.
    #[error("too many calls wait for the audit log; try again in a moment")]
    Busy,
    /// The disk is nearly full.
    #[error("the disk is nearly full: what must be audited can't be read")]
    NoRoom,
    /// The log failed, and is written no more until a restart.
    #[error("the audit log failed: what must be audited can't be read until a restart")]
    Failed,
}

type Reply = oneshot::Sender<Result<(), Unwritten>>;

/// A line that waits to be written, and who waits for it.
struct Waiting {
    at: Timestamp,
    line: Line,
    reply: Option<Reply>,
}

/// Writes lines. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Log {
    queue: SyncSender<Waiting>,
    /// Nothing is written after a failure.
    failed: Arc<AtomicBool>,
}

impl Log {
    /// Opens the log of a data folder, and starts the thread that writes it.
    ///
    /// # Errors
    /// When the file can't be opened, or its last line isn't one.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Error> {
        let path = folder.join(FILE_NAME);
        let (file, tail, dropped) = open(&path)?;
        let (queue, waiting) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let mut writer = Writer { file, tail, second: 0, refusals: 0, suppressed: 0, failed: Arc::default() };
        let failed = Arc::clone(&writer.failed);
        if dropped > 0 {
            tracing::warn!(path = %path.display(), bytes = dropped, "the audit log ended in a line that was cut off: it is dropped");
            let line = Line::without_call(Event::Repaired, format!("{dropped} bytes"));
            writer.group(vec![Waiting { at: now, line, reply: None }]);
        }
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(|source| Error::Io { path, source })?;
        Ok(Self { queue, failed })
    }

    /// Whether it has failed, and takes no more lines until a restart.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Writes a line, and returns once it is durable.
    ///
    /// # Errors
    /// When it isn't; what it is about must then not happen.
    pub(crate) async fn write(&self, at: Timestamp, line: Line) -> Result<(), Unwritten> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Waiting { at, line, reply: Some(reply) }).map_err(|error| match error {
            TrySendError::Full(_) => Unwritten::Busy,
            TrySendError::Disconnected(_) => Unwritten::Failed,
        })?;
        answer.await.unwrap_or(Err(Unwritten::Failed))
    }

    /// Has a line written soon, without an answer. It is dropped when too many are waiting, so only refusals are written
    /// like this.
    pub(crate) fn note(&self, at: Timestamp, line: Line) {
        if self.queue.try_send(Waiting { at, line, reply: None }).is_err() {
            tracing::warn!("a refusal isn't in the audit log: it has too much to write, or failed");
        }
    }
}

struct Writer {
    file: File,
    tail: LogTail,
    /// The second whose refusals are counted.
    second: i64,
    refusals: u64,
    /// The refusals that got no line, and aren't counted in one yet.
    suppressed: u64,
    /// Nothing is written after a failure.
    failed: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, waiting: &mpsc::Receiver<Waiting>) {
        loop {
            // What gathered during the last sync is one group. Without new lines, the suppressed refusals of a second
            // are still counted soon after it.
            let group = match waiting.recv_timeout(Duration::from_secs(1)) {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(waiting.try_iter().take(GROUP_LINES_MAX - 1));
                    group
                }
                Err(RecvTimeoutError::Timeout) if self.suppressed > 0 => vec![self.suppressed_line()],
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.group(group);
        }
    }

    /// The line that counts the refusals without one.
    fn suppressed_line(&mut self) -> Waiting {
        let line = Line::without_call(Event::RefusedMore, format!("{} more", self.suppressed));
        self.suppressed = 0;
        Waiting { at: Timestamp((self.second + 1) * MICROS_A_SECOND), line, reply: None }
    }

    /// Writes lines and makes them durable together, then answers.
    fn group(&mut self, group: Vec<Waiting>) {
        let mut text = String::new();
        let mut replies = Vec::new();
        let mut tail = self.tail;
        for waiting in group {
            if waiting.line.event == Event::Refused {
                if self.is_one_too_many(waiting.at) {
                    continue;
                }
                if self.suppressed > 0 {
                    let more = self.suppressed_line();
                    tail = tail.add(more.at, more.line, &mut text);
                }
            }
            tail = tail.add(waiting.at, waiting.line, &mut text);
            replies.extend(waiting.reply);
        }
        let written = self.append(&text);
        // A chain never goes on from a line that may not be there.
        if written.is_ok() {
            self.tail = tail;
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
        self.suppressed += u64::from(too_many);
        too_many
    }

    fn append(&mut self, text: &str) -> Result<(), Unwritten> {
        if text.is_empty() {
            return Ok(());
        }
        if self.failed.load(Ordering::Relaxed) {
            return Err(Unwritten::Failed);
        }
        check_free_space(&self.file).map_err(|error| {
            if matches!(error, journal::Error::NoRoom { .. }) { Unwritten::NoRoom } else { Unwritten::Failed }
        })?;
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            // What is on the disk now is known only when the file is opened again.
            self.failed.store(true, Ordering::Relaxed);
            tracing::error!(%error, "the audit log failed: what must be audited isn't answered any more");
            Unwritten::Failed
        })
    }
}

/// Opens the file at its end; what follows the last whole line is dropped: how many bytes.
fn open(path: &Path) -> Result<(File, LogTail, u64), Error> {
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
    let mut tail = LogTail::START;
    if whole > 0 {
        let lines = std::str::from_utf8(&end[..whole - 1]).map_err(|_| damaged())?;
        let last = lines.rsplit('\n').next().unwrap_or_default();
        tail = LogTail::of_last(last).map_err(|_| damaged())?;
    } else if from > 0 || dropped > LINE_BYTES_MAX {
        return Err(damaged());
    }
    if dropped > 0 {
        file.set_len(length - dropped).and_then(|()| file.sync_all()).map_err(io)?;
    }
    if length == 0 {
        // The folder must know the file before a line in it is relied on.
        let folder = path.parent().unwrap_or(Path::new("."));
        sync_folder(folder).map_err(|error| io(io::Error::other(error)))?;
    }
    Ok((file, tail, dropped))
}

#[cfg(test)]
mod tests {
    use super::super::verify::verify;
    use super::*;

    fn read(writer: &mut Writer) -> Result<(), Unwritten> {
        let (reply, mut answer) = oneshot::channel();
        let line = Line { event: Event::Read, ..Line::without_call(Event::Read, String::new()) };
        writer.group(vec![Waiting { at: Timestamp(0), line, reply: Some(reply) }]);
        answer.try_recv().unwrap()
    }

    fn writer(file: File) -> Writer {
        Writer { file, tail: LogTail::START, second: 0, refusals: 0, suppressed: 0, failed: Arc::default() }
    }

    #[test]
    fn once_a_line_was_not_written_none_is_until_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let (mut good, ..) = open(&path).unwrap();
        // A file that can't be written to: what a broken disk does.
        let mut writer = writer(File::open(&path).unwrap());
        assert_eq!(read(&mut writer), Err(Unwritten::Failed));
        std::mem::swap(&mut writer.file, &mut good);
        assert_eq!(read(&mut writer), Err(Unwritten::Failed), "what is on the disk is known after a restart");
        assert_eq!(writer.tail, LogTail::START);
        assert_eq!(verify(&path, &mut |_| {}).unwrap(), LogTail::START);
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
        let refused =
            |at| Waiting { at: Timestamp(at), line: Line::without_call(Event::Refused, String::new()), reply: None };
        for _ in 0..REFUSALS_A_SECOND_MAX + 50 {
            writer.group(vec![refused(0)]);
            read(&mut writer).unwrap();
        }
        writer.group(vec![refused(MICROS_A_SECOND)]);
        let (mut refusals, mut reads, mut more) = (0, 0, String::new());
        let tail = verify(&path, &mut |numbered| match numbered.line.event {
            Event::Read => reads += 1,
            Event::Refused => refusals += 1,
            Event::RefusedMore => more.clone_from(&numbered.line.scope),
            Event::Keys | Event::Repaired => panic!("{numbered:?}"),
        });
        assert_eq!(
            (refusals, reads, more.as_str()),
            (REFUSALS_A_SECOND_MAX + 1, REFUSALS_A_SECOND_MAX + 50, "50 more")
        );
        assert_eq!(open(&path).unwrap().1, tail.unwrap(), "opened again, it goes on where it was");
    }
}

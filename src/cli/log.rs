//! The log: one line an event, on standard error.
//!
//! Whoever reads it may be gone, slow, or out of space, and none of that may hold the server up. So a thread of its
//! own writes the lines, from a bounded queue; one that can't be written is lost, and counted in the next that can. A
//! panic is a line too. Of one kind of event, which strangers may cause, only so many lines in a while are written; the
//! others are counted in one.

mod format;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, reload};

use super::failure::Failure;
use super::log_filter::Filter;
use super::terminal;
pub(super) use format::Format;

/// How many lines may wait to be written.
const QUEUE_LINES_MAX: usize = 4_096;
/// How many lines of one kind are written in each [`WINDOW`].
const LINES_OF_KIND_MAX: u64 = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// How often the thread looks for lines that were only counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long the end of the program waits for what is still in the queue.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The log of this process, until it is dropped: what was logged by then is written, unless nobody takes it.
pub(super) struct Log {
    format: Format,
    queue: SyncSender<Queued>,
    #[cfg(feature = "server")]
    change: FilterChange,
}

/// Has what is logged from now on pass another filter.
#[cfg(feature = "server")]
pub(super) type FilterChange = Arc<dyn Fn(&Filter) + Send + Sync>;

enum Queued {
    Line(String),
    /// Nothing follows that is waited for.
    End(SyncSender<()>),
}

impl Log {
    /// Has this process log to standard error what passes the filter.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub(super) fn start(format: Format, filter: &Filter) -> Result<Self, Failure> {
        #[cfg(feature = "server")]
        let stderr = super::own_stderr::open()?;
        #[cfg(not(feature = "server"))]
        let stderr = io::stderr();
        let is_terminal = stderr.is_terminal();
        let (queue, queued) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let (begun, counts) = (Instant::now(), Arc::new(Counts::of(format)));
        let writing = Arc::clone(&counts);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_queued(&queued, stderr, &writing, begun))?;
        let lines = Lines { queue: queue.clone(), counts, begun, is_terminal };
        let (filtering, handle) = reload::Layer::new(filter.compiled());
        let layer = fmt::layer().with_writer(lines).log_internal_errors(false);
        let layer = match format {
            Format::Text => layer.with_ansi(terminal::has_colour(&io::stderr())).with_target(false).boxed(),
            Format::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        };
        tracing_subscriber::registry().with(filtering).with(layer).init();
        #[cfg(not(feature = "server"))]
        drop(handle);
        // The subscriber is the process's, so it is never gone.
        #[cfg(feature = "server")]
        let change = Arc::new(move |filter: &Filter| drop(handle.reload(filter.compiled())));
        std::panic::set_hook(Box::new(|panic| {
            let what = panic.to_string().replace('\n', " ");
            tracing::error!("a thread {what}");
        }));
        Ok(Self {
            format,
            queue,
            #[cfg(feature = "server")]
            change,
        })
    }

    /// What changes the filter.
    #[cfg(feature = "server")]
    pub(super) fn change(&self) -> FilterChange {
        Arc::clone(&self.change)
    }

    /// Writes why the program ends, if anybody takes it.
    pub(super) fn write(&self, failure: &str) {
        let line = match self.format {
            Format::Text => format!("{failure}\n"),
            Format::Json => self.format.own_line(Level::ERROR, failure),
        };
        drop(self.queue.try_send(Queued::Line(line)));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        const TRY_EVERY: Duration = Duration::from_millis(10);
        let (written, is_written) = mpsc::sync_channel(1);
        let deadline = Instant::now() + END_TIMEOUT;
        let mut end = Queued::End(written);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(end) {
            if Instant::now() >= deadline {
                return;
            }
            end = back;
            thread::sleep(TRY_EVERY);
        }
        let _ = is_written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// How many lines of this process are lost for good: an operator's figure, where `Counts` has what the next line says.
static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// Adds the log's metric.
#[cfg(feature = "server")]
pub(super) fn register(registry: &mut crate::metrics::Registry) {
    let help = "Lines of the log that could not be written";
    crate::metrics::counter(registry, "conspectus_log_lines_lost", help, || LINES_LOST.load(Ordering::Relaxed));
}

/// What wasn't written.
#[derive(Default)]
struct Counts {
    format: Format,
    /// Lines that could not be written.
    lost: AtomicU64,
    kinds: Mutex<BTreeMap<Kind, OfKind>>,
}

/// Where in the code an event is logged, and its level: other libraries' events all come from one place.
type Kind = (&'static str, Level);

/// The lines of one kind.
#[derive(Default)]
struct OfKind {
    /// Which window, since the start.
    window: u64,
    /// How many there were in it.
    lines: u64,
    /// How many aren't written, nor counted in a line yet; and the first of them.
    more: u64,
    first: String,
}

impl Counts {
    fn of(format: Format) -> Self {
        Self { format, ..Self::default() }
    }

    /// Counts a line that can't be written.
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        LINES_LOST.fetch_add(1, Ordering::Relaxed);
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<Kind, OfKind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a line of a kind is one more than are written; it is then counted.
    fn is_one_too_many(&self, kind: Kind, window: u64, line: &str) -> bool {
        let mut kinds = self.kinds();
        let of_kind = kinds.entry(kind).or_default();
        if of_kind.window != window {
            (of_kind.window, of_kind.lines) = (window, 0);
        }
        of_kind.lines += 1;
        let is_too_many = of_kind.lines > LINES_OF_KIND_MAX;
        if is_too_many {
            of_kind.more += 1;
            if of_kind.first.is_empty() {
                line.clone_into(&mut of_kind.first);
            }
        }
        is_too_many
    }

    /// The lines that count those of windows before this one.
    fn counted(&self, window: u64) -> Vec<String> {
        let mut kinds = self.kinds();
        let past = kinds.values_mut().filter(|of_kind| of_kind.more > 0 && of_kind.window < window);
        let count = |of_kind: &mut OfKind| {
            let what = self.format.what(&std::mem::take(&mut of_kind.first));
            let more = std::mem::take(&mut of_kind.more);
            self.format.own_line(Level::WARN, &format!("{more} more lines like this one, not written: {what}"))
        };
        past.map(count).collect()
    }
}

/// Takes the lines from events.
struct Lines {
    queue: SyncSender<Queued>,
    counts: Arc<Counts>,
    begun: Instant,
    is_terminal: bool,
}

impl Lines {
    fn take(&self, kind: Kind, bytes: &[u8]) {
        let line = self.counts.format.line(&String::from_utf8_lossy(bytes), self.is_terminal);
        if self.counts.is_one_too_many(kind, window(self.begun), &line) {
            return;
        }
        if self.queue.try_send(Queued::Line(line)).is_err() {
            self.counts.lose();
        }
    }
}

/// Which window it is, since the start.
fn window(begun: Instant) -> u64 {
    begun.elapsed().as_secs() / WINDOW.as_secs()
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { lines: self, kind: ("", Level::INFO) }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> LineWriter<'a> {
        LineWriter { lines: self, kind: (event.name(), *event.level()) }
    }
}

/// Takes the line of one event, which comes in one piece.
struct LineWriter<'a> {
    lines: &'a Lines,
    kind: Kind,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.take(self.kind, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what is queued, until the program ends.
fn write_queued(queued: &Receiver<Queued>, mut to: impl Write, counts: &Counts, begun: Instant) {
    loop {
        let next = queued.recv_timeout(COUNT_EVERY);
        for line in counts.counted(window(begun)) {
            write_counting(&mut to, &line, counts);
        }
        match next {
            Ok(Queued::Line(line)) => write_counting(&mut to, &line, counts),
            Ok(Queued::End(written)) => {
                for line in counts.counted(u64::MAX) {
                    write_counting(&mut to, &line, counts);
                }
                // Who waited may have given up.
                let _ = written.send(());
            }
            // It is tried again in a while.
            Err(RecvTimeoutError::Timeout) => drop(write_lost(&mut to, counts)),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Writes a line, after the one that counts those that are lost; if it can't, it is lost too.
fn write_counting(to: &mut impl Write, text: &str, counts: &Counts) {
    let written = write_lost(to, counts).and_then(|()| to.write_all(text.as_bytes()));
    if written.is_err() {
        counts.lose();
    }
}

/// Writes a line that counts those that are lost, if any are.
fn write_lost(to: &mut impl Write, counts: &Counts) -> io::Result<()> {
    let lost = counts.lost.load(Ordering::Relaxed);
    if lost > 0 {
        let counted = format!("{lost} lines of the log are lost: they could not be written");
        let counted = counts.format.own_line(Level::WARN, &counted);
        // What is there may end in the beginning of a line.
        to.write_all(format!("\n{counted}").as_bytes())?;
        counts.lost.fetch_sub(lost, Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::format::LINE_BYTES_MAX;
    use super::*;

    /// A file on a disk that is full for a while.
    struct Disk<'a> {
        is_full: bool,
        file: &'a mut Vec<u8>,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full { Err(io::ErrorKind::StorageFull.into()) } else { self.file.write(bytes) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_in_the_next_one_that_can() {
        let (counts, mut file) = (Counts::default(), Vec::new());
        for _ in 0..3 {
            write_counting(&mut Disk { is_full: true, file: &mut file }, "gone\n", &counts);
        }
        for _ in 0..2 {
            write_counting(&mut Disk { is_full: false, file: &mut file }, "there\n", &counts);
        }
        let text = String::from_utf8(file).unwrap();
        let (_, lost) = text.split_once("  WARN ").unwrap();
        assert_eq!(lost, "3 lines of the log are lost: they could not be written\nthere\nthere\n");
    }

    #[test]
    fn a_queue_that_nobody_takes_from_loses_lines_and_holds_nobody_up() {
        let (queue, _queued) = mpsc::sync_channel(1);
        let lines = Lines { queue, counts: Arc::default(), begun: Instant::now(), is_terminal: false };
        for _ in 0..4 {
            lines.make_writer().write_all(b"a line\n").unwrap();
        }
        assert_eq!(lines.counts.lost.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn of_one_kind_only_so_many_lines_are_written_and_the_others_are_counted_in_one() {
        let counts = Counts::default();
        let (ours, other) = (("event a.rs:1", Level::WARN), ("event b.rs:1", Level::WARN));
        let written = (0..1_000).filter(|_| !counts.is_one_too_many(ours, 0, "12:00  WARN no\n")).count();
        assert_eq!(written as u64, LINES_OF_KIND_MAX);
        assert!(!counts.is_one_too_many(other, 0, "12:00  WARN other\n"));
        assert!(counts.counted(0).is_empty(), "it isn't over yet");
        let counted = counts.counted(1);
        assert_eq!(counted.len(), 1);
        let (_, what) = counted[0].split_once("  ").unwrap();
        assert_eq!(what, "WARN 980 more lines like this one, not written: WARN no\n");
        assert!(counts.counted(2).is_empty());
        assert!(!counts.is_one_too_many(ours, 1, "12:10  WARN no\n"));
    }

    #[test]
    fn an_event_is_one_line_whatever_others_have_put_into_it() {
        let (queue, queued) = mpsc::sync_channel(2);
        let lines = Lines { queue, counts: Arc::default(), begun: Instant::now(), is_terminal: false };
        lines.make_writer().write_all("a\u{1b}[2Jb\nc \u{202e}d\n".as_bytes()).unwrap();
        lines.make_writer().write_all(format!("{}\n", "é".repeat(LINE_BYTES_MAX)).as_bytes()).unwrap();
        let taken: Vec<String> = queued
            .try_iter()
            .map(|queued| match queued {
                Queued::Line(line) => line,
                Queued::End(_) => panic!("nothing ends"),
            })
            .collect();
        assert_eq!(taken[0], "a\\u{1b}[2Jb\\u{a}c \\u{202e}d\n");
        assert!(taken[1].len() <= LINE_BYTES_MAX + "…\n".len() && taken[1].ends_with("é…\n"), "{}", taken[1].len());
    }

    #[test]
    fn events_of_different_places_are_of_different_kinds() {
        let (queue, queued) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let lines = Lines { queue, counts: Arc::default(), begun: Instant::now(), is_terminal: false };
        tracing::subscriber::with_default(tracing_subscriber::fmt().with_writer(lines).finish(), || {
            for _ in 0..2 * LINES_OF_KIND_MAX {
                tracing::warn!("a stranger's");
            }
            tracing::warn!("another");
        });
        let written = queued.try_iter().count();
        assert_eq!(written as u64, LINES_OF_KIND_MAX + 1);
    }

    #[test]
    fn lines_that_were_not_written_are_counted_at_the_end_though_their_time_is_not_over() {
        let counts = Counts::default();
        for _ in 0..LINES_OF_KIND_MAX + 7 {
            counts.is_one_too_many(("event a.rs:1", Level::WARN), 0, "12:00  WARN no\n");
        }
        let ((queue, queued), (written, is_written)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        queue.send(Queued::End(written)).unwrap();
        drop(queue);
        let mut log = Vec::new();
        write_queued(&queued, &mut log, &counts, Instant::now());
        is_written.recv().unwrap();
        let log = String::from_utf8(log).unwrap();
        assert!(log.ends_with("WARN 7 more lines like this one, not written: WARN no\n"), "{log}");
    }

    #[test]
    fn a_panic_is_a_line() {
        // The log is a process's: this test is another one that panics.
        const PANICS: &str = "CONSPECTUS_TEST_PANICS";
        if std::env::var_os(PANICS).is_some() {
            let log = Log::start(Format::Text, &Filter::default()).unwrap();
            thread::spawn(|| panic!("of two\nlines")).join().unwrap_err();
            drop(log);
            return;
        }
        let mut other = std::process::Command::new(std::env::current_exe().unwrap());
        other.args(["--exact", "cli::log::tests::a_panic_is_a_line"]).env(PANICS, "1").env_remove("CONSPECTUS_LOG");
        let output = other.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let line = text.lines().find(|line| line.contains("ERROR")).unwrap_or_else(|| panic!("{text}"));
        assert!(
            output.status.success() && line.contains("a thread panicked at ") && line.ends_with("of two lines"),
            "{text}"
        );
    }
}

//! The log over many files: as one log, after a crash at any step of a rotation, and with any of it changed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backwards::lines_before;
use super::line::{Error, Event, Line, LogTail, NumberedLine};
use super::log::Log;
use super::reader::{RawLine, lines_after, tail_at};
use super::segments::{FILE_NAME, closed_path, list, spans};
use super::start::{Accepted, Known};
use super::verify::{verify, verify_folder};
use super::writer::SegmentLimits;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;

const DAY: i64 = 24 * 3_600_000_000;
const SMALL: SegmentLimits = SegmentLimits { bytes_max: 1_000, age_max: Duration::from_secs(31 * 24 * 3_600) };

/// Opens a folder's log as a server does whose journal knows it up to `known`, and has lines written one by one, each at
/// a time.
fn write(folder: &Path, known: LogTail, limits: SegmentLimits, lines: &[(Timestamp, &str)]) -> Result<(), Error> {
    let known = Known { tail: known, revision: Revision(0) };
    let now = lines.first().map_or(Timestamp(0), |(at, _)| *at);
    let opened = Log::open(folder, now, known, Accepted::default(), limits)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (at, scope) in lines {
        let line = Line::without_call(Event::Read, (*scope).to_owned());
        runtime.block_on(opened.log.write(*at, line, None)).unwrap();
    }
    drop(opened.log);
    opened.thread.join().unwrap();
    Ok(())
}

/// A log of 30 lines in several files.
fn rotated() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let scopes: Vec<String> = (1..=30).map(|n| format!("é line {n}")).collect();
    let lines: Vec<_> = scopes.iter().map(|scope| (Timestamp(0), scope.as_str())).collect();
    write(folder.path(), LogTail::START, SMALL, &lines).unwrap();
    assert!(list(&folder.path().join(FILE_NAME)).unwrap().len() > 5);
    folder
}

fn read(folder: &Path, after: LogTail, last: u64) -> Vec<RawLine> {
    lines_after(folder, after, last).collect::<Result<_, _>>().unwrap()
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    list(&folder.join(FILE_NAME)).unwrap().into_iter().map(|segment| segment.path).collect()
}

fn events(lines: &[RawLine], event: Event) -> usize {
    lines.iter().filter(|line| line.numbered.line.event == event).count()
}

#[test]
fn the_files_one_after_the_other_are_one_log_which_can_be_read_from_any_line_to_any_other() {
    let folder = rotated();
    let files: String = paths(folder.path()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let all = read(folder.path(), LogTail::START, u64::MAX);
    assert_eq!(all.iter().map(|line| line.text.clone() + "\n").collect::<String>(), files);
    let one = folder.path().join("one");
    fs::write(&one, &files).unwrap();
    let tail = verify(&one, &mut |_| {}).unwrap();
    assert_eq!((tail, tail.n), (all.last().unwrap().tail, all.len() as u64));
    let verified = verify_folder(folder.path(), &mut |_| {}).unwrap();
    assert_eq!((verified.tail, verified.taken), (tail, vec![]));
    assert_eq!(events(&all, Event::Read), 30);
    assert_eq!(events(&all, Event::Closed), verified.files - 1);
    assert_eq!(events(&all, Event::Continued), verified.files - 1);
    for (n, line) in all.iter().enumerate() {
        assert_eq!(tail_at(folder.path(), line.tail.n).unwrap(), Some(line.tail));
        assert_eq!(read(folder.path(), line.tail, u64::MAX), all[n + 1..]);
        assert_eq!(read(folder.path(), LogTail::START, line.tail.n), all[..=n]);
    }
    assert_eq!(tail_at(folder.path(), tail.n + 1).unwrap(), None);
    let spans = spans(folder.path()).unwrap();
    assert_eq!(spans[0].before, LogTail::START);
    assert!(spans.windows(2).all(|two| two[0].end == two[1].before && two[0].is_closed));
    assert_eq!(spans.last().unwrap().end, tail);
}

#[test]
fn a_reader_that_waits_finds_what_is_written_since_also_in_other_files() {
    let folder = rotated();
    let mut lines = lines_after(folder.path(), LogTail::START, u64::MAX);
    let before = lines.by_ref().count() as u64;
    let known = lines.tail();
    let scopes: Vec<String> = (0..20).map(|n| format!("later {n}")).collect();
    let more: Vec<_> = scopes.iter().map(|scope| (Timestamp(0), scope.as_str())).collect();
    write(folder.path(), known, SMALL, &more).unwrap();
    let since: Vec<RawLine> = lines.collect::<Result<_, _>>().unwrap();
    assert_eq!(since[0].tail.n, before + 1);
    assert_eq!(events(&since, Event::Read), 20);
    assert!(events(&since, Event::Closed) > 2);
}

#[test]
fn a_file_is_closed_by_its_age_too_and_not_for_want_of_lines() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [0, 1, 30, 32, 33, 34, 91, 92].map(|day| (Timestamp(day * DAY), "read"));
    write(folder.path(), LogTail::START, SegmentLimits::default(), &lines).unwrap();
    let spans: Vec<_> = spans(folder.path()).unwrap().into_iter().map(|span| (span.first, span.end.n)).collect();
    // The reads of days 0 to 32, of 33 to 91, and of 92.
    assert_eq!(spans, [(1, 5), (6, 10), (11, 12)]);
}

/// The folder of a log as a crash leaves it, with these files.
fn crashed(files: &[(&Path, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        fs::write(folder.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    folder
}

#[test]
fn a_crash_at_any_step_of_a_rotation_loses_nothing_doubles_nothing_and_disturbs_nothing() {
    let whole = rotated();
    let (closed, next) = (&paths(whole.path())[0], &paths(whole.path())[1]);
    let live = whole.path().join(FILE_NAME);
    let text = fs::read(closed).unwrap();
    let length = text.len();
    let closing = text[..length - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let next = fs::read(next).unwrap();
    let goes_on = next.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let reads = text[..closing].iter().filter(|byte| **byte == b'\n').count() as u64;
    let known = read(whole.path(), LogTail::START, reads).last().unwrap().tail;

    // The closing line is being written, the file has its name, the next one's first line is being written.
    let mut states: Vec<Vec<(&Path, &[u8])>> = Vec::new();
    states.extend((closing..=length).map(|end| vec![(live.as_path(), &text[..end])]));
    states.push(vec![(closed, &text[..])]);
    states.extend((0..=goes_on).map(|end| vec![(closed.as_path(), &text[..]), (live.as_path(), &next[..end])]));
    for state in states {
        let folder = crashed(&state);
        let name = format!("{:?}", state.iter().map(|(path, bytes)| (path, bytes.len())).collect::<Vec<_>>());
        write(folder.path(), known, SMALL, &[(Timestamp(0), "after the crash")]).unwrap();
        let lines = read(folder.path(), LogTail::START, u64::MAX);
        let verified = verify_folder(folder.path(), &mut |_| {}).unwrap();
        assert_eq!((verified.tail.n, verified.taken), (lines.len() as u64, vec![]), "{name}");
        let first: String =
            lines[..usize::try_from(reads).unwrap()].iter().map(|line| line.text.clone() + "\n").collect();
        assert_eq!(first.as_bytes(), &text[..closing], "{name}");
        assert_eq!(events(&lines, Event::Read), usize::try_from(reads).unwrap() + 1, "{name}");
        assert_eq!((events(&lines, Event::Closed), events(&lines, Event::Continued)), (1, 1), "{name}");
        let aside = fs::read_dir(folder.path())
            .unwrap()
            .filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().contains("set-aside"));
        assert_eq!(aside.count(), 0, "{name}");
    }
}

#[test]
fn any_change_of_any_file_is_found_and_the_file_is_named() {
    let folder = rotated();
    let files = paths(folder.path());
    let says = |what: &str, path: &Path| {
        let said = verify_folder(folder.path(), &mut |_| {}).expect_err(what).to_string();
        assert!(said.contains(path.file_name().unwrap().to_str().unwrap()), "{what}: {said}");
    };
    for path in &files {
        let whole = fs::read(path).unwrap();
        let is_near_an_end = |at: &usize| *at < 300 || at + 300 > whole.len();
        for at in (0..whole.len()).filter(|at| is_near_an_end(at) || at % 7 == 0) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(path, &changed).unwrap();
            // What one says of the file before is found there.
            let said = verify_folder(folder.path(), &mut |_| {}).expect_err("a byte").to_string();
            assert!(said.contains("audit"), "{path:?} byte {at}: {said}");
        }
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(path, &whole[..length]).unwrap();
            if !(path.ends_with(FILE_NAME) && length == 0) {
                says("cut", path);
            }
        }
        fs::write(path, &whole).unwrap();
    }
    verify_folder(folder.path(), &mut |_| {}).unwrap();
    // A file that isn't there: the one after it is named, or the one that ends before the newest.
    for (n, path) in files.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        let said = verify_folder(folder.path(), &mut |_| {}).expect_err("removed").to_string();
        let named = files.get(n + 1).or_else(|| files.get(n.wrapping_sub(1))).unwrap();
        assert!(said.contains(named.file_name().unwrap().to_str().unwrap()), "{said}");
        fs::write(path, whole).unwrap();
    }
    for two in files.windows(2) {
        let whole = [fs::read(&two[0]).unwrap(), fs::read(&two[1]).unwrap()];
        fs::write(&two[0], &whole[1]).unwrap();
        fs::write(&two[1], &whole[0]).unwrap();
        says("swapped", &two[0]);
        fs::write(&two[0], &whole[0]).unwrap();
        fs::write(&two[1], &whole[1]).unwrap();
    }
    // A second file with the same lines.
    let twice = closed_path(&folder.path().join(FILE_NAME), 1, 2);
    fs::copy(&files[0], &twice).unwrap();
    says("twice", &twice);
}

#[test]
fn lines_of_a_file_that_was_moved_away_are_missing_as_the_log_says_and_only_those() {
    let folder = rotated();
    let known = read(folder.path(), LogTail::START, u64::MAX).last().unwrap().tail;
    let live = folder.path().join(FILE_NAME);
    let opened = Log::open(
        folder.path(),
        Timestamp(0),
        Known { tail: known, revision: Revision(0) },
        Accepted::default(),
        SMALL,
    );
    let opened = opened.unwrap();
    let first = spans(folder.path()).unwrap().last().unwrap().first;
    fs::rename(&live, folder.path().join("moved")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for n in 0..20 {
        let line = Line::without_call(Event::Read, format!("later {n}"));
        runtime.block_on(opened.log.write(Timestamp(0), line, None)).unwrap();
    }
    drop(opened.log);
    opened.thread.join().unwrap();
    let verified = verify_folder(folder.path(), &mut |_| {}).unwrap();
    let taken: Vec<_> = verified.taken.iter().map(|taken| (taken.first, taken.last, taken.says.n)).collect();
    assert_eq!(taken, [(first, known.n, known.n + 1)]);
    // Another file is missing without a word.
    let files = paths(folder.path());
    fs::rename(&files[files.len() - 2], folder.path().join("moved too")).unwrap();
    assert!(matches!(verify_folder(folder.path(), &mut |_| {}), Err(Error::Missing { .. })));
}

#[test]
fn a_file_that_the_journal_knows_of_and_is_another_is_set_aside_with_all_that_follow_once_that_is_accepted() {
    let folder = rotated();
    let known = read(folder.path(), LogTail::START, 12).last().unwrap().tail;
    let other = LogTail { n: known.n, chain: crate::journal::ChainHash([7; 32]) };
    assert!(matches!(write(folder.path(), other, SMALL, &[]), Err(Error::Lost { known: 12, .. })));
    let known = Known { tail: other, revision: Revision(0) };
    let accepted = Accepted { lost_lines: true, ..Accepted::default() };
    let opened = Log::open(folder.path(), Timestamp(0), known, accepted, SMALL).unwrap();
    assert!(opened.lost_lines);
    drop(opened.log);
    opened.thread.join().unwrap();
    write(folder.path(), other, SMALL, &[(Timestamp(0), "goes on")]).unwrap();
    let mut seen: Vec<NumberedLine> = Vec::new();
    let verified = verify_folder(folder.path(), &mut |line| seen.push(line.clone())).unwrap();
    assert_eq!(verified.taken.len(), 1);
    assert_eq!(verified.taken[0].last, 12);
    assert_eq!(verified.taken[0].says.line.event, Event::Lost);
    assert_eq!(seen.last().unwrap().line.scope, "goes on");
}

#[test]
fn what_an_earlier_version_wrote_goes_on_and_is_closed_as_the_first_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let line = || Line::without_call(Event::Read, "by an earlier version".to_owned());
    let tail = (0..40).fold(LogTail::START, |tail, _| tail.add(Timestamp(0), line(), &mut text));
    fs::write(folder.path().join(FILE_NAME), &text).unwrap();
    write(folder.path(), tail, SMALL, &[(Timestamp(0), "and by this one")]).unwrap();
    let first = closed_path(&folder.path().join(FILE_NAME), 1, 41);
    assert!(fs::read_to_string(first).unwrap().starts_with(&text));
    assert_eq!(verify_folder(folder.path(), &mut |_| {}).unwrap().tail.n, 43);
}

/// Writes the files of a log to another folder as a server does, step by step: lines, the closed file's name, the first
/// line of the next.
fn rotate_again(files: &[Vec<u8>], folder: &Path) {
    let (live, mut first) = (folder.join(FILE_NAME), 1);
    for (n, bytes) in files.iter().enumerate() {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&live).unwrap();
        bytes.split_inclusive(|byte| *byte == b'\n').for_each(|line| file.write_all(line).unwrap());
        if n + 1 < files.len() {
            std::thread::sleep(Duration::from_millis(1));
            let last = first + bytes.iter().filter(|byte| **byte == b'\n').count() as u64 - 1;
            fs::rename(&live, closed_path(&live, first, last)).unwrap();
            first = last + 1;
        }
    }
}

#[test]
fn whoever_reads_while_files_are_closed_finds_what_was_written() {
    let whole = rotated();
    let files: Vec<Vec<u8>> = paths(whole.path()).iter().map(|path| fs::read(path).unwrap()).collect();
    let all = read(whole.path(), LogTail::START, u64::MAX);
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                rotate_again(&files, folder.path());
                is_done.store(true, Ordering::Release);
            });
            let readers: [Box<dyn Fn() + Send>; 4] = [
                Box::new(|| {
                    let found = read(folder.path(), LogTail::START, u64::MAX);
                    assert_eq!(found, all[..found.len()]);
                }),
                Box::new(|| {
                    if let Some(tail) = tail_at(folder.path(), 9).unwrap() {
                        assert_eq!(tail, all[8].tail);
                        assert!(read(folder.path(), tail, u64::MAX).iter().zip(&all[9..]).all(|(one, two)| one == two));
                    }
                }),
                // One that was closed just now may not be among them.
                Box::new(|| drop(spans(folder.path()).unwrap())),
                Box::new(|| {
                    let newest = lines_before(&folder.path().join(FILE_NAME), LogTail::START, None).unwrap();
                    let newest = newest.unwrap_or_default().lines;
                    assert!(newest.iter().all(|(_, line)| *line == all[usize::try_from(line.n).unwrap() - 1].numbered));
                }),
            ];
            for reader in readers {
                let is_done = &is_done;
                threads.spawn(move || {
                    while !is_done.load(Ordering::Acquire) {
                        reader();
                    }
                });
            }
        });
        assert_eq!(read(folder.path(), LogTail::START, u64::MAX), all);
    }
}

//! A year of a busy partnership's log: written, closed, searched, verified, opened and pruned, with the time of each.
//!
//! `cargo test --lib audit::year -- --ignored --nocapture` prints what `docs/audit.md` has.

use std::time::Instant;

use tokio::task::JoinSet;

use super::filter::Filter;
use super::line::{Event, Line, LogTail};
use super::log::Log;
use super::prune::{Prunable, Retention};
use super::reader::tail_at;
use super::segments::{FILE_NAME, spans};
use super::start::{Accepted, Known};
use super::verify::{verify_folder, verify_within};
use super::writer::SegmentLimits;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;

/// 150 people who look at 80 pictures on each of 250 days.
const LINES: u64 = 3_000_000;
const PEOPLE: u64 = 150;
const AREAS: u64 = 331;
/// How many calls are waiting at once.
const CALLS: u64 = 1_000;
/// 2026-01-01T00:00:00Z.
const YEAR: Timestamp = Timestamp(1_767_225_600_000_000);
const HOURS: i64 = 365 * 24;

/// When a line is written: they are spread over the year.
fn at(n: u64) -> Timestamp {
    let micros = i128::from(HOURS) * 3_600_000_000 * i128::from(n) / i128::from(LINES);
    Timestamp(YEAR.0 + i64::try_from(micros).unwrap())
}

fn area(n: u64) -> String {
    format!("E10{:06}", n % AREAS)
}

fn line(n: u64) -> Line {
    Line {
        identity: format!("analyst-{}", n % PEOPLE),
        credential: format!("k{:015x}", n % PEOPLE),
        address: format!("10.20.{}.{}:{}", n % 4, n % PEOPLE, 40_000 + n % 20_000),
        method: "/conspectus.v1.PictureService/GetPicture".to_owned(),
        purpose: "quarterly report on children's services".to_owned(),
        revision: n / 100 + 1,
        ..Line::without_call(Event::Read, format!("area={} period=FY2025-26 by=sector", area(n)))
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    println!("{what}: {} ms", begun.elapsed().as_millis());
    done
}

#[test]
#[ignore = "writes a gigabyte"]
fn a_year_of_lines_is_written_searched_verified_opened_and_pruned() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path();
    let open = |tail: LogTail| {
        let known = Known { tail, revision: Revision(u64::MAX) };
        Log::open(folder, at(LINES), known, Accepted::default(), SegmentLimits::default()).unwrap()
    };
    let close = |log: Log, thread: std::thread::JoinHandle<()>| {
        drop(log);
        thread.join().unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let opened = {
        let known = Known { tail: LogTail::START, revision: Revision(u64::MAX) };
        Log::open(folder, YEAR, known, Accepted::default(), SegmentLimits::default()).unwrap()
    };
    timed(&format!("{LINES} lines written, {CALLS} calls at once"), || {
        runtime.block_on(async {
            for first in (0..LINES).step_by(usize::try_from(CALLS).unwrap()) {
                let mut calls = JoinSet::new();
                for n in first..first + CALLS {
                    let log = opened.log.clone();
                    calls.spawn(async move { log.write(at(n), line(n), None).await });
                }
                calls.join_all().await.into_iter().for_each(|written| written.unwrap());
            }
        });
    });
    close(opened.log, opened.thread);
    let files = spans(folder).unwrap();
    let bytes: u64 = files.iter().map(|span| std::fs::metadata(&span.path).unwrap().len()).sum();
    println!("{} files, {bytes} bytes, {} a line", files.len(), bytes / LINES);

    let (mut reads, mut first) = (0, None);
    let verified = timed("verified", || {
        verify_folder(folder, &mut |line| {
            reads += u64::from(line.line.event == Event::Read);
            first.get_or_insert(line.n);
        })
    });
    let tail = verified.unwrap().tail;
    assert_eq!((reads, first), (LINES, Some(1)));

    // Everything of a year, and one month of it.
    let identity = Some("analyst-7".to_owned());
    let asked = Filter { identity, area: Some(area(7)), ..Filter::default() };
    let month = (Some(YEAR.plus_hours(59 * 24)), Some(YEAR.plus_hours(90 * 24)));
    for (what, (since, until)) in [("the year", (None, None)), ("March", month)] {
        let filter = Filter { since, until, ..asked.clone() };
        let mut found = 0;
        let read = timed(&format!("searched {what} for a person and an area"), || {
            verify_within(folder, (since, until), &mut |line| found += u64::from(filter.matches(line))).unwrap()
        });
        let is_within = |n: &u64| {
            // A line has whole seconds.
            let at = Timestamp(at(*n).0 / 1_000_000 * 1_000_000);
            since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
        };
        let expected = (0..LINES).filter(|n| n % PEOPLE == 7 && n % AREAS == 7 && is_within(n)).count() as u64;
        assert!(expected > 0);
        assert_eq!(found, expected, "{what}");
        println!("{found} found, {} files read, {} not", read.files, read.skipped);
    }

    // The journal knows all but a thousand lines, or is from before there was a log.
    for (what, known) in [("as usual", tail_at(folder, tail.n - 1_000).unwrap().unwrap()), ("of all", LogTail::START)] {
        let opened = timed(&format!("opened at a start, compared {what}"), || open(known));
        let newest = timed("the newest page", || opened.log.newest(&Filter::default(), None, 100)).unwrap().unwrap();
        assert_eq!(newest.lines[0].1.n, tail.n);
        close(opened.log, opened.thread);
    }

    let before = YEAR.plus_hours(HOURS / 2);
    let prunable = timed("verified, to delete half a year", || {
        Prunable::of(folder, Retention { before, known: tail, rule: "a test's".to_owned() }).unwrap().unwrap()
    });
    let (_, last) = prunable.lines;
    let opened = open(tail);
    timed("deleted", || runtime.block_on(opened.log.prune(prunable))).unwrap();
    close(opened.log, opened.thread);
    let left = verify_folder(folder, &mut |_| {}).unwrap();
    assert_eq!((left.taken[0].first, left.taken[0].last, left.tail.n), (1, last, tail.n + 1));
    assert!(folder.join(FILE_NAME).exists() && spans(folder).unwrap().len() < files.len());
}

//! Looking for lines from the newest on: a part of the log after another, until there are enough.

use std::path::Path;

use super::backwards::{LineStart, LinesBefore, lines_before};
use super::filter::Filter;
use super::line::{Error, LogTail, NumberedLine};
use super::segments::{Span, may_be_within, spans};

/// How many parts of a log one search looks at, of 1 MiB each.
const PARTS_MAX: usize = 16;

/// The newest lines that a filter finds before one, or of all, of which the last that was written came to `tail`: at least
/// so many, unless there aren't as many, or it has looked at [`PARTS_MAX`] parts. `rest` is where to look on. None when
/// the line before which it looks isn't there: the log goes on without it since.
///
/// # Errors
/// When a file can't be read, or a line doesn't follow from the one before it.
pub(super) fn newest(
    log: &Path,
    tail: LogTail,
    filter: &Filter,
    before: Option<LineStart>,
    wanted: usize,
) -> Result<Option<LinesBefore>, Error> {
    let (mut found, mut end) = (LinesBefore::default(), before);
    if before.is_none() && filter.until.is_some() {
        match newest_of_time(log, filter)? {
            Some(span) => end = span.is_closed.then(|| LineStart::of_file(span.end.n + 1)),
            None => return Ok(Some(found)),
        }
    }
    for _ in 0..PARTS_MAX {
        let Some(LinesBefore { lines, rest }) = lines_before(log, tail, end)? else { return Ok(None) };
        let is_too_old = lines.last().is_some_and(|(_, oldest)| !may_have_older(oldest, filter));
        found.rest = rest.filter(|_| !is_too_old);
        found.lines.extend(lines.into_iter().filter(|(_, line)| filter.matches(line)));
        if found.rest.is_none() || found.lines.len() >= wanted {
            break;
        }
        end = found.rest;
    }
    Ok(Some(found))
}

/// The newest file that may have lines of a filter's time.
fn newest_of_time(log: &Path, filter: &Filter) -> Result<Option<Span>, Error> {
    let spans = spans(log.parent().unwrap_or(log))?;
    Ok(spans.into_iter().rev().find(|span| may_be_within(span.times, (filter.since, filter.until))))
}

/// Whether lines before one may be of a filter's time.
fn may_have_older(line: &NumberedLine, filter: &Filter) -> bool {
    line.at().is_none_or(|at| may_be_within((at, at), (filter.since, None)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::super::line::{Event, Line};
    use super::super::log::Log;
    use super::super::segments::FILE_NAME;
    use super::super::start::{Accepted, Known};
    use super::super::verify::verify_folder;
    use super::super::writer::SegmentLimits;
    use super::*;
    use crate::model::revision::Revision;
    use crate::model::timestamp::Timestamp;

    const LINES: i64 = 1_200;

    /// When a line is written: two in a day.
    fn at(n: i64) -> Timestamp {
        Timestamp(0).plus_hours(12 * n)
    }

    /// A log of several files and 20 MiB, where each of seven people asks for one of three areas.
    fn log() -> (tempfile::TempDir, LogTail) {
        let folder = tempfile::tempdir().unwrap();
        let limits = SegmentLimits { bytes_max: 6 << 20, age_max: Duration::from_secs(1 << 30) };
        let known = Known { tail: LogTail::START, revision: Revision(0) };
        let opened = Log::open(folder.path(), at(0), known, Accepted::default(), limits).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for first in (0..LINES).step_by(100) {
            let mut calls = JoinSet::new();
            for n in first..first + 100 {
                let (log, scope) = (opened.log.clone(), format!("area=E{} {}", n % 3, "é".repeat(8_500)));
                let event = if n % 5 == 0 { Event::Refused } else { Event::Read };
                let line = Line { identity: format!("person-{}", n % 7), ..Line::without_call(event, scope) };
                calls.spawn_on(async move { log.write(at(n), line, None).await }, runtime.handle());
            }
            runtime.block_on(calls.join_all()).into_iter().for_each(|written| written.unwrap());
        }
        drop(opened.log);
        opened.thread.join().unwrap();
        let tail = verify_folder(folder.path(), &mut |_| {}).unwrap().tail;
        assert!(spans(folder.path()).unwrap().len() > 2);
        (folder, tail)
    }

    #[test]
    fn every_line_that_a_filter_finds_is_found_once_the_newest_first_and_a_time_is_gone_to_at_once() {
        let (folder, tail) = log();
        let path = folder.path().join(FILE_NAME);
        let mut all = Vec::new();
        verify_folder(folder.path(), &mut |line| all.push(line.clone())).unwrap();
        all.reverse();
        let text = |text: &str| Some(text.to_owned());
        let person = Filter { identity: text("person-3"), area: text("E1"), ..Filter::default() };
        let refused = Filter { is_refusal: true, ..Filter::default() };
        let nobody = Filter { identity: text("nobody"), ..Filter::default() };
        let early = Filter { since: Some(at(40)), until: Some(at(80)), ..person.clone() };
        let late = Filter { since: Some(at(LINES - 50)), ..nobody.clone() };
        let before = Filter { until: Some(Timestamp(-1)), ..Filter::default() };
        let after = Filter { since: Some(at(LINES + 100)), ..Filter::default() };
        // How many searches each takes that wants ten lines at a time.
        for (filter, searches) in
            [(person, 6), (refused, 25), (nobody, 2), (early, 1), (late, 1), (before, 1), (after, 1)]
        {
            let (mut found, mut from, mut count) = (Vec::new(), None, 0);
            loop {
                let page = newest(&path, tail, &filter, from, 10).unwrap().unwrap();
                found.extend(page.lines.into_iter().map(|(_, line)| line));
                (from, count) = (page.rest, count + 1);
                if from.is_none() {
                    break;
                }
            }
            let expected: Vec<_> = all.iter().filter(|line| filter.matches(line)).cloned().collect();
            assert_eq!(found, expected, "{filter:?}");
            assert!(count <= searches, "{count}: {filter:?}");
        }
    }
}

//! `conspectus audit --follow`: each line as it was written, once it is durable, for a program that keeps them elsewhere.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::failure::Failure;
use super::super::output;
use crate::audit::{LogTail, lines_after, tail_at};

/// How often lines are looked for when there are none.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How much is printed at once, about.
const PART_BYTES: usize = 64 << 10;

/// Prints the lines after line `after`, until standard output is closed or a line isn't what was written.
pub(super) fn follow(data: &Path, after: u64) -> Result<(), Failure> {
    let after = match after {
        0 => LogTail::START,
        n => tail_at(data, n)?
            .ok_or_else(|| {
                let what = format!("the audit log has no line {n}, to go on after");
                let advice = "where it was restored from a backup, go on after its last line, which `conspectus audit --verify` says, and begin a new file where they arrive (docs/audit.md)";
                Failure::refused(format!("{what}: {advice}"))
            })?,
    };
    let mut lines = lines_after(data, after, u64::MAX);
    loop {
        let (mut part, mut found) = (String::new(), None);
        while part.len() < PART_BYTES {
            found = lines.next();
            let Some(Ok(line)) = &found else { break };
            part.push_str(&line.text);
            part.push('\n');
        }
        if !part.is_empty() {
            // What the server has written and not synced yet could be gone after a power cut.
            lines.sync()?;
            output::print(part)?;
        }
        if found.transpose()?.is_none() && is_closed_within(LOOK_EVERY)? {
            return Err(Failure::OutputClosed);
        }
    }
}

/// Waits, unless nobody reads standard output any more: without lines to write that would never be noticed.
fn is_closed_within(wait: Duration) -> Result<bool, Failure> {
    let stdout = io::stdout();
    // Nothing is asked for: what can't be read any more is said all the same.
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
    match poll(&mut polled, Some(&wait)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

//! The audit log: who read unpublished figures, who was refused, who changed keys.
//!
//! A file of its own, `audit.log` in the data folder, that is only ever added to: a JSON object on
//! each line, tied to all lines before it by its `chain`, as [`verify`] checks. When it is full, or old, it is closed
//! and has a name of its own, and the next goes on: all of them, one after the other, are one log. It holds what was
//! asked for and what for, never a figure and never a secret. A question that is too long for a line has
//! a file, which the line names by its hash.
//!
//! A read is answered only once its line is durable. One thread writes: it takes all lines that are
//! waiting, writes them, and makes one `fdatasync` for all of them, so a read costs one sync when it
//! is alone, and a share of one when many wait. When there is no space on the disk for a line, or the
//! file fails, reads that must be audited are refused.
//!
//! The journal records how far the log has come, and a start compares both: lines can't vanish, nor can
//! the journal go back, without a word. A file that is moved away while the server runs is followed by a
//! new one.

mod backwards;
mod file;
mod filter;
mod line;
mod lines;
mod log;
mod look;
mod newest;
mod prune;
mod questions;
mod reader;
mod refusals;
mod restored;
#[cfg(test)]
mod rotation_tests;
mod search;
mod segments;
mod start;
mod verify;
mod writer;
#[cfg(test)]
mod year_tests;

pub(crate) use backwards::LinesBefore;
pub(crate) use filter::Filter;
pub(crate) use line::SCOPE_BYTES_MAX;
pub use line::{Error, Event, Line, LogTail, NumberedLine};
pub use log::{Log, Opened};
pub(crate) use look::Found;
pub(crate) use newest::newest_line;
pub(crate) use prune::{Prunable, Retention};
pub(crate) use questions::{QUESTION_BYTES_MAX, is_question, put_question};
pub use questions::{QUESTIONS_FOLDER, read_question};
pub(crate) use reader::{follow_or_leap, lines_after, tail_at};
pub(crate) use restored::RestoredLog;
pub use segments::FILE_NAME;
pub(crate) use segments::has_log;
pub(crate) use start::check_known;
pub use start::{Accepted, KeyChange, Known};
pub(crate) use verify::verify_within;
pub use verify::{Taken, Verified, verify, verify_folder};
pub use writer::{NotPruned, Progress, SegmentLimits, Unwritten};

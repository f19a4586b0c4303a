//! The audit log: who read unpublished figures, who was refused, who changed keys.
//!
//! A file of its own, `audit.log` in the data folder, that is only ever added to: a JSON object on
//! each line, tied to all lines before it by its `chain`, as [`verify`] checks. It holds what was
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
mod between;
mod file;
mod line;
mod log;
mod newest;
mod questions;
mod refusals;
mod start;
mod verify;
mod writer;

pub(crate) use backwards::LinesBefore;
pub(crate) use between::{lines_between, verify_folder};
pub(crate) use line::SCOPE_BYTES_MAX;
pub use line::{Error, Event, Line, LogTail, NumberedLine};
pub use log::{FILE_NAME, Log, Opened};
pub(crate) use newest::newest_line;
pub(crate) use questions::{QUESTION_BYTES_MAX, is_question, put_question};
pub use questions::{QUESTIONS_FOLDER, read_question};
pub use start::{Accepted, Known};
pub use verify::verify;
pub use writer::{Progress, Unwritten};

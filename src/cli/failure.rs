//! Why a verb ends without having done all that was asked, and the status that the program ends with.

use std::error::Error;

use tonic::{Code, Status};

#[cfg(feature = "server")]
use super::advice::advice;
#[cfg(feature = "server")]
use super::causes::causes;
use super::next_step::NextStep;
#[cfg(feature = "server")]
use crate::audit::Unwritten;
#[cfg(feature = "server")]
use crate::journal;
use crate::rpc::Reason;

/// The status that the program ends with: a contract that scripts rely on, listed in docs/scripts.md. 0 is that all was
/// done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Anything else: a file that can't be read, a disk that is full, a server that failed.
    Failed = 1,
    /// The command can't be what was meant: an option, or a variable, is missing or wrong.
    Usage = 2,
    /// What was sent, or the file that was to be, is refused: sent again it is refused again.
    Refused = 3,
    /// The caller isn't known, or may not do this.
    NotAllowed = 4,
    /// No server answers, in time: the same may be done later.
    Unreachable = 5,
    /// The server has too much to do, or no room: the same may be done in a while.
    Busy = 6,
    /// A server doesn't start on what is there: started again, it doesn't either.
    StartRefused = 7,
}

impl Exit {
    /// That of a server's refusal.
    pub(super) fn of(status: &Status) -> Self {
        // The server answers, and can't do this just now: its disk is nearly full, most of all.
        if Reason::of(status) == Some(Reason::AuditUnavailable) {
            return Self::Busy;
        }
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented => Self::Refused,
            Code::Unauthenticated | Code::PermissionDenied => Self::NotAllowed,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => Self::Unreachable,
            Code::ResourceExhausted => Self::Busy,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Failed,
        }
    }

    /// That of an error of this machine: one that may be gone in a while, or any other.
    #[cfg(feature = "server")]
    fn of_error(error: &(dyn Error + 'static)) -> Self {
        let is_busy = causes(error).any(|cause| {
            matches!(cause.downcast_ref(), Some(journal::Error::Locked { .. } | journal::Error::NoRoom { .. }))
                || matches!(cause.downcast_ref(), Some(Unwritten::Busy | Unwritten::NoRoom | Unwritten::Unavailable))
        });
        if is_busy { Self::Busy } else { Self::Failed }
    }
}

/// Why a verb ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// What went wrong: one plain sentence, or several lines of them.
    Message(Exit, String),
    /// Whoever read standard output has gone, as after `| head`: nothing is wrong.
    OutputClosed,
}

impl Failure {
    /// Of a file, or anything else of this machine.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Message(Exit::Failed, message.into())
    }

    /// Of the command itself.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Message(Exit::Usage, message.into())
    }

    /// Of what was to be sent.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::Message(Exit::Refused, message.into())
    }

    /// Of a server that has something else to do.
    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self::Message(Exit::Busy, message.into())
    }

    /// The same, with what to type next.
    pub(super) fn and_try(self, step: Option<NextStep>) -> Self {
        match (self, step) {
            (Self::Message(exit, message), Some(step)) => Self::Message(exit, format!("{message}\n{step}")),
            (Self::Message(exit, message), None) => Self::Message(exit, message),
            (Self::OutputClosed, _) => Self::OutputClosed,
        }
    }

    /// Of a server that can't be reached.
    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self::Message(Exit::Unreachable, message.into())
    }
}

#[cfg(feature = "server")]
impl Failure {
    /// It without line breaks, for the log.
    pub(super) fn in_a_line(&self) -> String {
        match self {
            Self::Message(_, message) => message.replace(":\n  ", ": ").replace("\n  ", "; ").replace('\n', " "),
            Self::OutputClosed => "nobody reads what is printed".to_owned(),
        }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    #[cfg(feature = "server")]
    fn from(error: E) -> Self {
        Self::Message(Exit::of_error(&error), format!("{error}{}", advice(&error)))
    }

    #[cfg(not(feature = "server"))]
    fn from(error: E) -> Self {
        Self::failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "server")]
    use std::io;

    use super::*;

    #[cfg(feature = "server")]
    #[test]
    fn an_error_of_the_system_says_what_to_do_and_one_that_passes_is_busy() {
        let failure = |error: journal::Error| match Failure::from(crate::server::Error::from(error)) {
            Failure::Message(exit, message) => (exit, message),
            other @ Failure::OutputClosed => panic!("{other:?}"),
        };
        let io = |kind: io::ErrorKind| journal::Error::Io { doing: "open the store".to_owned(), source: kind.into() };
        let (exit, message) = failure(io(io::ErrorKind::PermissionDenied));
        assert!(message.contains("; this ran as the user "), "{message}");
        assert_eq!(exit, Exit::Failed);
        let (_, message) = failure(io(io::ErrorKind::StorageFull));
        assert!(message.contains("copy it to another disk (`cp -a`)"), "{message}");
        assert_eq!(failure(io(io::ErrorKind::Other)).1, "can't open the store: other error");
        assert_eq!(failure(journal::Error::Locked { path: "data".into() }).0, Exit::Busy);
        assert_eq!(failure(journal::Error::NoRoom { bytes_free: 1, bytes_min: 2 }).0, Exit::Busy);
    }

    #[test]
    fn every_refusal_of_a_server_has_its_exit_status() {
        let statuses = (0..=16).map(|code| Exit::of(&Status::new(Code::from_i32(code), "")) as u8);
        // By number: ok, cancelled, unknown, invalid, deadline, not found, exists, permission, exhausted, precondition,
        // aborted, range, unimplemented, internal, unavailable, data loss, unauthenticated.
        assert_eq!(statuses.collect::<Vec<_>>(), [1, 5, 1, 3, 5, 3, 3, 4, 6, 3, 5, 3, 3, 1, 5, 1, 4]);
    }
}

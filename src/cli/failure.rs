//! Why a verb ends without having done all that was asked, and the status that the program ends with.

use tonic::{Code, Status};

use super::next_step::NextStep;

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
}

impl Exit {
    /// That of a server's refusal.
    pub(super) fn of(status: &Status) -> Self {
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
    #[cfg(feature = "server")]
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

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::failed(error.to_string())
    }
}

/// The first cause of an error.
pub(super) fn root_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_a_server_has_its_exit_status() {
        let statuses = (0..=16).map(|code| Exit::of(&Status::new(Code::from_i32(code), "")) as u8);
        // By number: ok, cancelled, unknown, invalid, deadline, not found, exists, permission, exhausted, precondition,
        // aborted, range, unimplemented, internal, unavailable, data loss, unauthenticated.
        assert_eq!(statuses.collect::<Vec<_>>(), [1, 5, 1, 3, 5, 3, 3, 4, 6, 3, 5, 3, 3, 1, 5, 1, 4]);
    }
}

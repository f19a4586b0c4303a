//! The stable reasons of errors, and the gRPC code that goes with each.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The stable reasons of errors: `ErrorInfo.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The request is wrong; a `BadRequest` lists every violation.
    InvalidRequest,
    /// There is no such thing.
    NotFound,
    /// The request id was used for other content.
    RequestIdReused,
    /// The return is complete, and takes no further submission.
    ReturnComplete,
    /// Figures have changed since the revision that the sender has seen.
    FiguresChanged,
    /// Too many writes are waiting.
    QueueFull,
    /// The request is too large to store as one entry.
    TooLarge,
    /// The disk is full.
    NoRoom,
    /// The journal failed; nothing is written until a restart.
    JournalFailed,
    /// An entry can't be read back.
    JournalUnreadable,
    /// The revision that was waited for did not come.
    RevisionNotReached,
    /// Too many streams watch already.
    TooManyWatchers,
    /// A stream's reader didn't take a message in time.
    WatchTooSlow,
    /// Too many streams of submissions are open already.
    TooManyStreams,
    /// A stream's sender didn't take the answers in time.
    StreamTooSlow,
    /// A stream brought no submission for too long.
    StreamIdle,
    /// The server is starting.
    Starting,
    /// The server is stopping.
    Stopping,
    /// Nobody that is known is calling.
    Unauthenticated,
    /// The caller's key has expired.
    KeyExpired,
    /// The caller may not do this.
    PermissionDenied,
    /// Figures are read for a stated purpose, and none was stated.
    PurposeMissing,
    /// The caller calls too often, or has too many calls or connections open.
    RateLimited,
    /// The server has all the calls that it takes at once.
    Overloaded,
    /// The call took longer than its caller, or the server, allows.
    DeadlineExceeded,
    /// There is no such method.
    Unimplemented,
    /// What must be audited can't be, so it isn't answered.
    AuditUnavailable,
    /// The system has no random bytes for a key.
    NoRandomness,
}

impl Reason {
    /// All of them.
    pub(crate) const ALL: [Self; 28] = [
        Self::InvalidRequest,
        Self::NotFound,
        Self::RequestIdReused,
        Self::ReturnComplete,
        Self::FiguresChanged,
        Self::QueueFull,
        Self::TooLarge,
        Self::NoRoom,
        Self::JournalFailed,
        Self::JournalUnreadable,
        Self::RevisionNotReached,
        Self::TooManyWatchers,
        Self::WatchTooSlow,
        Self::TooManyStreams,
        Self::StreamTooSlow,
        Self::StreamIdle,
        Self::Starting,
        Self::Stopping,
        Self::Unauthenticated,
        Self::KeyExpired,
        Self::PermissionDenied,
        Self::PurposeMissing,
        Self::RateLimited,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::Unimplemented,
        Self::AuditUnavailable,
        Self::NoRandomness,
    ];

    /// The reason of an error, if it is one of these.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        status.get_details_error_info().and_then(|info| Self::parse(&info.reason))
    }

    /// The reason with this text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.text() == text)
    }

    /// The reason's text; it never changes.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::NotFound => "NOT_FOUND",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::ReturnComplete => "RETURN_COMPLETE",
            Self::FiguresChanged => "FIGURES_CHANGED",
            Self::QueueFull => "QUEUE_FULL",
            Self::TooLarge => "TOO_LARGE",
            Self::NoRoom => "NO_ROOM",
            Self::JournalFailed => "JOURNAL_FAILED",
            Self::JournalUnreadable => "JOURNAL_UNREADABLE",
            Self::RevisionNotReached => "REVISION_NOT_REACHED",
            Self::TooManyWatchers => "TOO_MANY_WATCHERS",
            Self::WatchTooSlow => "WATCH_TOO_SLOW",
            Self::TooManyStreams => "TOO_MANY_STREAMS",
            Self::StreamTooSlow => "STREAM_TOO_SLOW",
            Self::StreamIdle => "STREAM_IDLE",
            Self::Starting => "STARTING",
            Self::Stopping => "STOPPING",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::KeyExpired => "KEY_EXPIRED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::PurposeMissing => "PURPOSE_MISSING",
            Self::RateLimited => "RATE_LIMITED",
            Self::Overloaded => "OVERLOADED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::NoRandomness => "NO_RANDOMNESS",
        }
    }

    /// The status code that goes with it.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::InvalidRequest | Self::TooLarge => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::RequestIdReused => Code::AlreadyExists,
            Self::ReturnComplete => Code::FailedPrecondition,
            Self::FiguresChanged => Code::Aborted,
            Self::QueueFull
            | Self::NoRoom
            | Self::TooManyWatchers
            | Self::WatchTooSlow
            | Self::TooManyStreams
            | Self::StreamTooSlow
            | Self::RateLimited => Code::ResourceExhausted,
            Self::JournalFailed
            | Self::Starting
            | Self::Stopping
            | Self::Overloaded
            | Self::AuditUnavailable
            | Self::NoRandomness => Code::Unavailable,
            Self::JournalUnreadable => Code::DataLoss,
            Self::RevisionNotReached | Self::StreamIdle | Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Unauthenticated | Self::KeyExpired => Code::Unauthenticated,
            Self::PermissionDenied | Self::PurposeMissing => Code::PermissionDenied,
            Self::Unimplemented => Code::Unimplemented,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_found_by_its_text() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!((reason as usize, Reason::parse(reason.text())), (index, Some(reason)));
        }
        assert_eq!(Reason::parse("NO_SUCH_REASON"), None);
    }
}

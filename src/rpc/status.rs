//! Errors as gRPC carries them: one place that maps every error to a code, a stable reason and
//! details.

use std::collections::HashMap;
use std::time::Duration;

use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::contract::{ERROR_BYTES_HEADER, MORE};
use super::proto;
pub(crate) use super::reason::Reason;
use crate::access::{Denied, Unauthenticated};
use crate::audit::Unwritten;
use crate::intake::admit::Rejection;
use crate::intake::writer::WriteError;
use crate::model::text::visible;
use crate::model::violation::Violations;

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "conspectus";

/// Error details travel in a header. Clients of the common libraries take 8 KiB of headers by
/// default, and base64 makes four bytes of three.
pub(crate) const ERROR_BYTES_DEFAULT: usize = 4 << 10;
const ERROR_BYTES_MAX: usize = 1 << 20;
/// The kinds of things that submissions and returns are.
pub(crate) const SUBMISSION: &str = "submission";
pub(crate) const RETURN: &str = "return";
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// Somebody has to free disk space first.
const NO_ROOM_RETRY_DELAY: Duration = Duration::from_secs(30);

/// An error with its reason.
pub(crate) fn error(reason: Reason, message: impl Into<String>) -> Status {
    with_details(reason, &message.into(), ErrorDetails::new())
}

/// The error of a bound that is reached, and after how long to try again.
pub(crate) fn exhausted(reason: Reason, message: impl Into<String>) -> Status {
    with_details(reason, &message.into(), ErrorDetails::with_retry_info(Some(RETRY_DELAY)))
}

/// The error of a thing that isn't there: the kind of thing, such as `agency`, and its id.
pub(crate) fn not_found(kind: &str, id: &str, message: impl Into<String>) -> Status {
    let mut details = ErrorDetails::new();
    details.set_resource_info(kind, id, "", "");
    with_details(Reason::NotFound, &message.into(), details)
}

/// A status as a stream carries it, of one submission.
pub(crate) fn refusal(status: &Status) -> proto::Refusal {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default();
    let field =
        |it: &FieldViolation| proto::RefusedField { field: it.field.clone(), description: it.description.clone() };
    let delay = details.retry_info().and_then(|it| it.retry_delay).unwrap_or_default();
    proto::Refusal {
        code: status.code().into(),
        reason: details.error_info().map(|it| it.reason.clone()).unwrap_or_default(),
        message: status.message().to_owned(),
        violations: violations.iter().map(field).collect(),
        retry_after_milliseconds: i32::try_from(delay.as_millis()).unwrap_or(i32::MAX),
    }
}

/// Every error's way out. A message may quote what others wrote, so what can't be seen of it is shown by its number.
fn with_details(reason: Reason, message: &str, mut details: ErrorDetails) -> Status {
    let message = visible(message);
    details.set_error_info(reason.text(), DOMAIN, HashMap::new());
    Status::with_error_details(reason.code(), message, details)
}

/// An error that is worth another try after a while.
pub(crate) fn retry(reason: Reason, message: impl Into<String>, after: Duration) -> Status {
    with_details(reason, &message.into(), ErrorDetails::with_retry_info(Some(after)))
}

/// The error of a call whose caller isn't known.
pub(crate) fn unauthenticated(why: Unauthenticated) -> Status {
    let reason = match why {
        Unauthenticated::Missing | Unauthenticated::Refused => Reason::Unauthenticated,
        Unauthenticated::Expired => Reason::KeyExpired,
    };
    error(reason, why.to_string())
}

/// The error of a call that isn't allowed.
pub(crate) fn denied(why: Denied) -> Status {
    let reason = match why {
        Denied::NotAllowed => Reason::PermissionDenied,
        Denied::PurposeMissing => Reason::PurposeMissing,
    };
    error(reason, why.to_string())
}

/// The error of a read that couldn't be audited.
pub(crate) fn unaudited(why: &Unwritten) -> Status {
    match why {
        Unwritten::Busy => retry(Reason::Overloaded, why.to_string(), RETRY_DELAY),
        Unwritten::TooLong => error(Reason::TooLarge, why.to_string()),
        Unwritten::NotKept | Unwritten::NoRoom | Unwritten::Unavailable | Unwritten::Failed => {
            error(Reason::AuditUnavailable, why.to_string())
        }
    }
}

/// How many bytes of error details the caller takes. Only `call` asks.
pub(crate) fn error_bytes(metadata: &MetadataMap) -> usize {
    let asked = metadata.get(ERROR_BYTES_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    asked.unwrap_or(ERROR_BYTES_DEFAULT).min(ERROR_BYTES_MAX)
}

/// The error of a wrong request: every violation that fits, and how many more there are.
pub(crate) fn invalid(violations: &Violations, bytes_max: usize) -> Status {
    let mut listed = Vec::new();
    let mut bytes = 0;
    for violation in violations.iter() {
        bytes += violation.field.len() + violation.description.len() + 8;
        if bytes > bytes_max && !listed.is_empty() {
            break;
        }
        listed.push(FieldViolation::new(violation.field.clone(), violation.description.clone()));
    }
    let omitted = violations.len() - listed.len();
    if omitted > 0 {
        let more = format!(
            "{omitted}{MORE}; send header {ERROR_BYTES_HEADER} with the bytes that you take, up to {ERROR_BYTES_MAX}"
        );
        listed.push(FieldViolation::new("", more));
    }
    with_details(Reason::InvalidRequest, &violations.to_string(), ErrorDetails::with_bad_request(listed))
}

/// The error of a write that wasn't made.
pub(crate) fn of_write(write: &WriteError, bytes_max: usize) -> Status {
    let message = write.to_string();
    match write {
        WriteError::Rejected(Rejection::Invalid(violations)) => invalid(violations, bytes_max),
        WriteError::Rejected(Rejection::RequestIdReused { .. }) => error(Reason::RequestIdReused, message),
        WriteError::Rejected(Rejection::ReturnComplete { .. }) => error(Reason::ReturnComplete, message),
        WriteError::Rejected(Rejection::FiguresChanged { .. }) => error(Reason::FiguresChanged, message),
        WriteError::Rejected(Rejection::NoSuchReturn { return_id, .. }) => not_found(RETURN, return_id, message),
        WriteError::Rejected(Rejection::NoSuchSubmission { request_id, .. }) => {
            not_found(SUBMISSION, request_id, message)
        }
        WriteError::QueueFull => exhausted(Reason::QueueFull, message),
        WriteError::TooLarge { .. } => error(Reason::TooLarge, message),
        WriteError::NoRoom(_) => retry(Reason::NoRoom, message, NO_ROOM_RETRY_DELAY),
        WriteError::Failed(_) => error(Reason::JournalFailed, message),
        WriteError::Stopping => error(Reason::Stopping, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_not_quoted_as_it_is() {
        assert_eq!(error(Reason::NotFound, "no `a\u{1b}\u{202e}`").message(), "no `a\\u{1b}\\u{202e}`");
    }
}

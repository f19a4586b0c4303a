//! What both sides agree on besides the protos: headers, and how an error says that it leaves violations out.

use tonic::codegen::http::HeaderValue;
use tonic_types::FieldViolation;

use crate::access::Purpose;

/// The request header by which a client that takes long response headers asks for more violations:
/// the bytes of error details that it takes.
pub const ERROR_BYTES_HEADER: &str = "conspectus-error-bytes-max";
/// The request header in which an analyst says what figures are read for, in UTF-8.
pub(crate) const PURPOSE_HEADER: &str = "conspectus-purpose";

/// The header by which a call is found again in the logs of its caller and of the server: taken from the request where it
/// has a sane one, otherwise made, and sent back with the answer.
pub(crate) const REQUEST_ID_HEADER: &str = "x-request-id";

/// A purpose as the header has it.
pub(crate) fn purpose_header(purpose: &Purpose) -> HeaderValue {
    HeaderValue::from_bytes(purpose.as_str().as_bytes()).expect("a purpose has no control characters")
}

/// The purpose that a header has, if it is one.
pub(crate) fn purpose_of(header: &HeaderValue) -> Option<Purpose> {
    Purpose::parse(str::from_utf8(header.as_bytes()).ok()?).ok()
}

/// Follows the number of the violations that aren't listed.
pub(super) const MORE: &str = " more violations";

/// How many violations aren't listed, where a violation says that.
pub(crate) fn omitted_count(violation: &FieldViolation) -> Option<usize> {
    let (count, _) = violation.description.split_once(MORE)?;
    if violation.field.is_empty() { count.parse().ok() } else { None }
}

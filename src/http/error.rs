//! Errors as the Connect protocol has them: a status of HTTP, and JSON with the code, the message and the details.
//!
//! <https://connectrpc.com/docs/protocol/#error-end-stream>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde::Serialize;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderValue, StatusCode, header};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::rpc::DESCRIPTORS;

/// An error.
#[derive(Debug, Serialize)]
struct Error<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

/// A detail: its type, its bytes, and what they say.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(rename = "type")]
    type_name: String,
    /// Base64 without padding.
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<DynamicMessage>,
}

impl Detail {
    fn of(any: &prost_types::Any) -> Self {
        let type_name = any.type_url.rsplit('/').next().unwrap_or_default().to_owned();
        let debug = DESCRIPTORS.get_message_by_name(&type_name);
        let debug = debug.and_then(|descriptor| DynamicMessage::decode(descriptor, &*any.value).ok());
        Self { type_name, value: STANDARD_NO_PAD.encode(&any.value), debug }
    }
}

/// The answer that an error is.
pub(crate) fn response(status: &Status) -> http::Response<Body> {
    let details = tonic_types::pb::Status::decode(status.details()).unwrap_or_default().details;
    let (code, status_code) = names(status.code());
    let error = Error { code, message: status.message(), details: details.iter().map(Detail::of).collect() };
    // It has texts alone.
    let body = serde_json::to_vec(&error).unwrap_or_default();
    let mut response = http::Response::new(Body::new(http_body_util::Full::from(body)));
    *response.status_mut() = status_code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status.code() == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"conspectus\""));
    }
    if let Some(delay) = status.get_details_retry_info().and_then(|retry| retry.retry_delay) {
        headers.insert(header::RETRY_AFTER, seconds(delay).into());
    }
    response
}

/// Whole seconds, no fewer than there are.
fn seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

/// The status of HTTP that goes with a code.
pub(crate) fn status_code(code: Code) -> StatusCode {
    names(code).1
}

/// A code's name, and the status of HTTP that goes with it.
fn names(code: Code) -> (&'static str, StatusCode) {
    match code {
        // Nothing is wrong, and yet it is an error.
        Code::Ok | Code::Unknown => ("unknown", StatusCode::INTERNAL_SERVER_ERROR),
        // 499: the client closed its request.
        Code::Cancelled => ("canceled", StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)),
        Code::InvalidArgument => ("invalid_argument", StatusCode::BAD_REQUEST),
        Code::DeadlineExceeded => ("deadline_exceeded", StatusCode::GATEWAY_TIMEOUT),
        Code::NotFound => ("not_found", StatusCode::NOT_FOUND),
        Code::AlreadyExists => ("already_exists", StatusCode::CONFLICT),
        Code::PermissionDenied => ("permission_denied", StatusCode::FORBIDDEN),
        Code::ResourceExhausted => ("resource_exhausted", StatusCode::TOO_MANY_REQUESTS),
        Code::FailedPrecondition => ("failed_precondition", StatusCode::BAD_REQUEST),
        Code::Aborted => ("aborted", StatusCode::CONFLICT),
        Code::OutOfRange => ("out_of_range", StatusCode::BAD_REQUEST),
        Code::Unimplemented => ("unimplemented", StatusCode::NOT_IMPLEMENTED),
        Code::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        Code::DataLoss => ("data_loss", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED),
    }
}

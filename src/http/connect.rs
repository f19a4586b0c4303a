//! Unary calls by the Connect protocol: <https://connectrpc.com/docs/protocol/#unary-request>.
//!
//! A request is turned into the call that gRPC would make, whose message is marked with its format. A method without side
//! effects may be called by GET, its message in the address.

use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http_body_util::Full;
use prost_reflect::MethodDescriptor;
use prost_types::method_options::IdempotencyLevel;
use serde::Deserialize;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::error;
use crate::net::Peer;
use crate::rpc::{self, ERROR_BYTES_HEADER, Format, PURPOSE_HEADER, REQUEST_ID_HEADER, Router};

/// The headers of the protocol.
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
pub(super) const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");
/// The most bytes of an error's details: as many as there are.
pub(super) const ERROR_BYTES_MAX: HeaderValue = HeaderValue::from_static("16777216");
/// What this door takes.
const MEDIA_TYPES: &str = "application/json, application/proto";
/// Base64 for addresses, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Answers a call.
pub(super) async fn answer(State(router): State<Router>, request: Request) -> http::Response<Body> {
    let (head, body) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().cloned() else {
        return error::response(&Status::internal("the request comes from nowhere"));
    };
    let path = head.uri.path();
    let Some(method) = rpc::method(path) else { return not_found(path) };
    let is_read = has_no_side_effects(&method);
    let (format, body) = match head.method {
        Method::POST => match format(&head.headers) {
            Ok(format) => (format, Body::new(body)),
            Err(what) => return unsupported(what),
        },
        Method::GET if is_read => match question(head.uri.query().unwrap_or_default()) {
            Ok((format, message)) => (format, Body::new(Full::new(message))),
            Err(what) => return error::response(&Status::invalid_argument(what)),
        },
        _ => return not_allowed(if is_read { "GET, POST" } else { "POST" }),
    };
    let call = match headers(&head.headers) {
        Ok(headers) => call(path, headers, format, body),
        Err(what) => return error::response(&Status::invalid_argument(what)),
    };
    let Ok(answer) = router.answer(peer, call).await;
    finished(answer)
}

/// What the services answered to a [`call`], as it is sent.
pub(super) fn finished(mut answer: http::Response<Body>) -> http::Response<Body> {
    if let Some(status) = Status::from_header_map(answer.headers()) {
        let request_id = answer.headers_mut().remove(REQUEST_ID_HEADER);
        let mut refusal = error::response(&status);
        refusal.headers_mut().extend(request_id.map(|id| (HeaderName::from_static(REQUEST_ID_HEADER), id)));
        return refusal;
    }
    // What is live is asked for again.
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Whether a method only reads, as its proto says.
pub(crate) fn has_no_side_effects(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects)
}

/// How the message in the body is written.
fn format(headers: &HeaderMap) -> Result<Format, String> {
    let content = headers.get(header::CONTENT_TYPE).and_then(|content| content.to_str().ok()).unwrap_or_default();
    let (media_type, parameters) = content.split_once(';').unwrap_or((content, ""));
    let is_utf8 = parameters.trim().is_empty() || parameters.trim().eq_ignore_ascii_case("charset=utf-8");
    let format = [Format::Json, Format::Proto].into_iter();
    let mut format = format.filter(|format| is_utf8 && media_type.trim().eq_ignore_ascii_case(format.media_type()));
    format.next().ok_or_else(|| format!("found content-type `{content}`; expected one of {MEDIA_TYPES}"))
}

/// A call in the address: `?connect=v1&encoding=json&message=%7B%7D`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default)]
    connect: Option<String>,
    encoding: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    compression: Option<String>,
}

fn question(query: &str) -> Result<(Format, Bytes), String> {
    let question: Question = serde_urlencoded::from_str(query).map_err(|error| {
        format!("the address isn't that of a call: {error}; expected ?encoding=json&message=…, and connect=v1 perhaps")
    })?;
    let one_of = |name: &str, found: &Option<String>, expected: &[&str]| match found {
        Some(found) if !expected.contains(&found.as_str()) => {
            Err(format!("found {name} `{found}`; allowed: {}", expected.join(", ")))
        }
        Some(_) | None => Ok(()),
    };
    one_of("connect", &question.connect, &["v1"])?;
    one_of("base64", &question.base64, &["0", "1"])?;
    one_of("compression", &question.compression, &["identity"])?;
    let format = match question.encoding.as_str() {
        "json" => Format::Json,
        "proto" => Format::Proto,
        other => return Err(format!("found encoding `{other}`; allowed: json, proto")),
    };
    let message = match question.base64.as_deref() {
        Some("1") => BASE64.decode(&question.message).map_err(|error| format!("the message isn't base64: {error}"))?,
        Some(_) | None => question.message.into_bytes(),
    };
    Ok((format, message.into()))
}

/// The headers of the call that gRPC would make.
fn headers(given: &HeaderMap) -> Result<HeaderMap, String> {
    if let Some(version) = given.get(PROTOCOL_VERSION).filter(|version| *version != "1") {
        return Err(format!("found {PROTOCOL_VERSION} {version:?}; allowed: 1"));
    }
    let mut headers = HeaderMap::new();
    for name in [header::AUTHORIZATION.as_str(), PURPOSE_HEADER, REQUEST_ID_HEADER, "traceparent", "tracestate"] {
        for value in given.get_all(name) {
            headers.append(HeaderName::from_static(name), value.clone());
        }
    }
    let errors = given.get(ERROR_BYTES_HEADER).cloned().unwrap_or(ERROR_BYTES_MAX);
    headers.insert(HeaderName::from_static(ERROR_BYTES_HEADER), errors);
    if let Some(encoding) = given.get(header::CONTENT_ENCODING) {
        headers.insert("grpc-encoding", encoding.clone());
    }
    if let Some(timeout) = given.get(TIMEOUT) {
        headers.insert("grpc-timeout", deadline(timeout)?);
    }
    Ok(headers)
}

/// A deadline as gRPC has it, of at most eight digits, from one of at most ten.
fn deadline(milliseconds: &HeaderValue) -> Result<HeaderValue, String> {
    let text = milliseconds.to_str().unwrap_or_default();
    let is_number = !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(milliseconds) = is_number.then(|| text.parse::<u64>().ok()).flatten() else {
        return Err(format!("found {TIMEOUT} `{text}`; allowed: milliseconds, of 1 to 10 digits"));
    };
    let timeout =
        if text.len() <= 8 { format!("{milliseconds}m") } else { format!("{}S", milliseconds.div_ceil(1_000)) };
    HeaderValue::from_str(&timeout).map_err(|error| error.to_string())
}

/// The call that gRPC would make, but for its message's format.
pub(super) fn call(path: &str, headers: HeaderMap, format: Format, body: Body) -> http::Request<Body> {
    let mut call = http::Request::new(body);
    *call.method_mut() = Method::POST;
    *call.uri_mut() = path.parse().unwrap_or_default();
    *call.headers_mut() = headers;
    call.extensions_mut().insert(format);
    call
}

/// An answer that no client of the protocol expects, for whoever looks at it.
fn plain(status: StatusCode, what: String) -> http::Response<Body> {
    let mut response = http::Response::new(Body::new(Full::from(what + "\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn not_found(path: &str) -> http::Response<Body> {
    let what = format!("there is nothing at {path}; the methods are listed in /openapi.json");
    plain(StatusCode::NOT_FOUND, what)
}

fn unsupported(what: String) -> http::Response<Body> {
    let mut refusal = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, what);
    refusal.headers_mut().insert("accept-post", HeaderValue::from_static(MEDIA_TYPES));
    refusal
}

fn not_allowed(methods: &'static str) -> http::Response<Body> {
    let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, format!("allowed here: {methods}"));
    refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    refusal
}

//! Calls whose one message isn't framed as gRPC has it: as JSON, by protobuf's own mapping, or as protobuf alone.
//!
//! This stands behind the guard, before the services: what a call is let in for, what it counts as, and how long it may
//! take is decided as for any other. The bytes of a request are counted as they arrive, JSON is decoded in a turn where
//! there is much of it, and an answer counts by the bytes that are sent.
//!
//! The mapping: <https://protobuf.dev/programming-guides/json/>. A field that isn't known is refused: misspelt, it would
//! silently not be asked for.

use std::fmt;
use std::sync::LazyLock;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;

use super::codec::invalid;
use super::format::Format;
use super::guard::{Answer, Session, Thread};
use super::reason::Reason;
use super::{FILE_DESCRIPTOR_SET, LARGE_BYTES, beside_the_runtime, status};
use crate::model::text::visible;

/// The most values that the JSON of a request has, objects and lists among them: decoded, each takes up to a hundred
/// bytes. A submission of 10,000 figures has a third of that.
const VALUES_MAX: usize = 500_000;
/// More fields than any message has.
const FIELDS_MAX: usize = 64;
/// The largest request of a service that anyone may ask: it has a name.
const OPEN_BYTES_MAX: usize = 4 << 10;
/// Before each message of gRPC: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// What is served, by its own descriptors: the services and their messages, those of health among them.
pub(crate) static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    for set in [FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET, tonic_types::pb::FILE_DESCRIPTOR_SET] {
        // They were made with the program.
        pool.decode_file_descriptor_set(set).expect("the program's own descriptors are whole");
    }
    pool
});

/// The method that a path names.
pub(crate) fn method(path: &str) -> Option<MethodDescriptor> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    DESCRIPTORS.get_service_by_name(service)?.methods().find(|found| found.name() == method)
}

/// Answers a call whose message is written in a format, by the service that takes it in gRPC's frame.
pub(super) async fn answer(
    format: Format,
    request: http::Request<Body>,
    service: impl FnOnce(http::Request<Body>) -> Answer + Send,
) -> http::Response<Body> {
    try_answer(format, request, service).await.unwrap_or_else(Status::into_http)
}

async fn try_answer(
    format: Format,
    request: http::Request<Body>,
    service: impl FnOnce(http::Request<Body>) -> Answer + Send,
) -> Result<http::Response<Body>, Status> {
    let unserved = || status::error(Reason::Unimplemented, "there is no such method");
    let method = method(request.uri().path()).ok_or_else(unserved)?;
    if method.is_client_streaming() || method.is_server_streaming() {
        let what = "this method is a stream, which is served over gRPC alone";
        return Err(status::error(Reason::Unimplemented, what));
    }
    let session = request.extensions().get::<Session>().cloned();
    let (head, body) = request.into_parts();
    let message = match &session {
        Some(session) => session.receive_whole(body).await?,
        // Of a service that anyone may ask.
        None => Limited::new(body, OPEN_BYTES_MAX).collect().await.map_err(Status::from_error)?.to_bytes(),
    };
    let message = to_protobuf(format, &method.input(), message)?;
    let request = http::Request::from_parts(head, Body::new(Full::new(framed(&message))));
    // Not kept while the answer is waited for.
    drop(message);
    let Ok(answer) = service(request).await;
    if Status::from_header_map(answer.headers()).is_some() {
        return Ok(answer);
    }
    let (mut head, body) = answer.into_parts();
    let collected = body.collect().await?;
    if let Some(status) = collected.trailers().and_then(Status::from_header_map)
        && status.code() != tonic::Code::Ok
    {
        return Err(status);
    }
    let mut message = collected.to_bytes();
    let _prefix = message.split_to(PREFIX_BYTES.min(message.len()));
    let received = message.len();
    let thread = match &session {
        Some(session) => session.thread_for(received).await?,
        None => Thread::default(),
    };
    let message = thread.work(|| of_protobuf(format, method.output(), message))?;
    if let Some(session) = &session {
        session.admit(message.len().saturating_sub(received))?;
    }
    head.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(format.media_type()));
    Ok(http::Response::from_parts(head, Body::new(Full::new(message))))
}

fn to_protobuf(format: Format, message: &MessageDescriptor, bytes: Bytes) -> Result<Bytes, Status> {
    match format {
        Format::Proto => Ok(bytes),
        Format::Json => beside_the_runtime(bytes.len() > LARGE_BYTES, || from_json(message, &bytes)),
    }
}

fn of_protobuf(format: Format, message: MessageDescriptor, bytes: Bytes) -> Result<Bytes, Status> {
    match format {
        Format::Proto => Ok(bytes),
        Format::Json => to_json(message, &bytes),
    }
}

fn framed(message: &Bytes) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    // Nobody receives four gigabytes.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// A message of JSON, as protobuf. No JSON at all is a message with nothing in it.
fn from_json(message: &MessageDescriptor, json: &[u8]) -> Result<Bytes, Status> {
    if json.is_empty() {
        return Ok(Bytes::new());
    }
    if values(json) > VALUES_MAX {
        let what = format!("the request has more than {VALUES_MAX} values; allowed: {VALUES_MAX}. Send it in parts");
        return Err(invalid("", what));
    }
    let not_json = |path: &str, error: &dyn std::fmt::Display| {
        invalid(if [".", "?"].contains(&path) { "" } else { path }, format!("not JSON of this method: {error}"))
    };
    let once = serde_path_to_error::deserialize::<_, EachOnce>(&mut serde_json::Deserializer::from_slice(json));
    once.map_err(|error| not_json(&error.path().to_string(), error.inner()))?;
    let mut json = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let decoded =
        DynamicMessage::deserialize(message.clone(), serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let decoded = decoded.map_err(|error| not_json(&track.path().to_string(), &error))?;
    json.end().map_err(|error| not_json("", &error))?;
    Ok(decoded.encode_to_vec().into())
}

/// JSON in which no field of a message is there twice, by either of its names. Of two the last would count, and the first
/// silently not be asked for.
struct EachOnce;

impl<'de> Deserialize<'de> for EachOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for EachOnce {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        // A message has few, so a set would cost more.
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = fields.next_key::<String>()? {
            fields.next_value::<Self>()?;
            // `group_by` is `groupBy`.
            let plain = name.replace('_', "").to_ascii_lowercase();
            if names.contains(&plain) {
                return Err(serde::de::Error::custom(format!("`{}` is there twice", visible(&name))));
            }
            // No message has more fields: of an object that has, the names are refused anyway.
            if names.len() < FIELDS_MAX {
                names.push(plain);
            }
        }
        Ok(self)
    }
}

/// How many values there are in JSON, or more.
fn values(json: &[u8]) -> usize {
    let (mut values, mut is_text, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    values
}

/// A message, as JSON.
fn to_json(message: MessageDescriptor, bytes: &[u8]) -> Result<Bytes, Status> {
    let json = DynamicMessage::decode(message, bytes).map_err(|error| error.to_string());
    let json = json.and_then(|message| serde_json::to_vec(&message).map_err(|error| error.to_string()));
    // It was encoded here, by the same descriptors.
    json.map(Bytes::from).map_err(|error| Status::internal(format!("the answer can't be written as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto;

    fn of(name: &str) -> MessageDescriptor {
        DESCRIPTORS.get_message_by_name(&format!("conspectus.v1.{name}")).unwrap()
    }

    #[test]
    fn a_message_of_json_is_the_message_and_back() {
        let json = br#"{"indicators":["initial-contacts"],"areas":["E10000014"],"periodRange":{"first":"2020-21","last":"2021-22"},"groupBy":["GROUP_BY_PERIOD"],"asOfRevision":"12"}"#;
        let request = from_json(&of("QueryAggregateRequest"), json).unwrap();
        let message = proto::QueryAggregateRequest::decode(&*request).unwrap();
        assert_eq!((message.as_of_revision, &*message.areas), (12, &["E10000014".to_owned()][..]));
        assert_eq!(to_json(of("QueryAggregateRequest"), &request).unwrap(), &json[..]);
        assert_eq!(from_json(&of("QueryAggregateRequest"), b"").unwrap(), "");
        assert_eq!(from_json(&of("QueryAggregateRequest"), b"{}").unwrap(), "");
    }

    #[test]
    fn what_is_wrong_with_json_is_said_with_its_place() {
        let wrong = |json: &str| {
            let status = from_json(&of("SubmitObservationsRequest"), json.as_bytes()).unwrap_err();
            status.message().to_owned()
        };
        let wrong = [
            r#"{"agency":1}"#,
            r#"{"observations":[{"indicator":"a"},{"indicatr":"a"}]}"#,
            r#"{"observations":[{"markers":["MARKER_NONE_SUCH"]}]}"#,
            r#"{"observations":{}}"#,
            r#"{"observations":[{"indicator":"a"},{"period":"2021","period":"2022"}]}"#,
            r#"{"validateOnly":true,"validate_only":false}"#,
            r#"{"agency":"a""#,
            r#"{} {}"#,
            "[]",
            "\u{feff}{}",
        ]
        .map(wrong);
        insta::assert_snapshot!(wrong.join("\n"));
    }

    #[test]
    fn what_would_take_much_memory_is_counted_before_it_is_decoded() {
        assert_eq!(values(br#"{"a":["x,[{\",",{}],"b":1}"#), 6);
        let many = format!(r#"{{"observations":[{}{{}}]}}"#, "{},".repeat(VALUES_MAX));
        let refusal = from_json(&of("SubmitObservationsRequest"), many.as_bytes()).unwrap_err();
        assert!(refusal.message().contains("more than 500000 values"), "{}", refusal.message());
    }

    #[test]
    fn every_method_is_found_by_its_path() {
        for (path, _) in crate::rpc::METHODS {
            assert!(method(path).is_some(), "{path}");
        }
        for path in ["", "/", "/conspectus.v1.KeyService", "/conspectus.v1.KeyService/", "/a/b/c"] {
            assert!(method(path).is_none(), "{path}");
        }
    }
}

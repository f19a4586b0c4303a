//! The server's codec: protobuf, with a proper error for a message that is too large, has too many items or
//! can't be read.
//!
//! tonic's own answers are `OUT_OF_RANGE` and `INTERNAL` without details, which don't say what is
//! wrong with the request.

mod count;
mod shape;
mod streamed;
mod submitted;

use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes};
use prost::{DecodeError, Message, Name};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use self::count::{Uncounted, count};
use self::shape::Shape;
pub use self::streamed::Streamed;
pub(crate) use self::streamed::TooMany;
pub use self::submitted::Submitted;
pub(crate) use self::submitted::SubmittedFields;
use super::{LARGE_BYTES, REQUEST_BYTES_MAX, beside_the_runtime, status};
use crate::model::protobuf::Malformed;
use crate::model::violation::Violations;

/// What the buffer of an answer has from the start: enough for the receipt of a figure. tonic's own 8 KiB, for each
/// request and each answer, took a quarter of the allocator's time.
const ANSWER_BUFFER_BYTES: usize = 512;
/// tonic's own bound: what is encoded is sent when there is as much.
const YIELD_BYTES: usize = 32 << 10;

/// Encodes `T`, decodes `U`.
#[derive(Debug)]
pub(crate) struct RequestCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for RequestCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for RequestCodec<T, U>
where
    T: Sent + Send + 'static,
    U: Received + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = AnswerEncoder<T>;
    type Decoder = RequestDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        AnswerEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder(PhantomData)
    }
}

/// Encodes answers.
#[derive(Debug)]
pub(crate) struct AnswerEncoder<T>(PhantomData<T>);

impl<T: Sent> Encoder for AnswerEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, answer: T, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer.put(buf);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(ANSWER_BUFFER_BYTES, YIELD_BYTES)
    }
}

/// What a method sends.
pub(crate) trait Sent {
    /// Appends its bytes.
    fn put(self, buf: &mut EncodeBuf<'_>);
}

impl<M: Message> Sent for M {
    fn put(self, buf: &mut EncodeBuf<'_>) {
        buf.reserve(self.encoded_len());
        self.encode_raw(buf);
    }
}

/// A message that was encoded when it was made: what waits to be sent takes as much memory as its bytes.
#[derive(Debug)]
pub struct Encoded(pub(crate) Bytes);

impl Encoded {
    /// The message.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn decode<M: Message + Default>(&self) -> Result<M, DecodeError> {
        M::decode(&*self.0)
    }
}

impl Sent for Encoded {
    fn put(self, buf: &mut EncodeBuf<'_>) {
        buf.put(self.0);
    }
}

/// Decodes requests, and says what is wrong with those that it can't.
#[derive(Debug)]
pub(crate) struct RequestDecoder<U>(PhantomData<U>);

impl<U: Received> Decoder for RequestDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buf.remaining();
        if bytes > REQUEST_BYTES_MAX {
            return Err(too_large(bytes, REQUEST_BYTES_MAX));
        }
        // A message is one piece of the buffer.
        let decoded = beside_the_runtime(bytes > LARGE_BYTES, || U::of(buf.chunk()));
        buf.advance(bytes);
        decoded.map(Some)
    }

    /// The buffer is as large as what arrives.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(0, YIELD_BYTES)
    }
}

/// What a method receives.
pub(crate) trait Received: Sized {
    /// What a whole message says.
    ///
    /// # Errors
    /// When it can't be read, or has too many items.
    fn of(bytes: &[u8]) -> Result<Self, Status>;
}

impl<M: Message + Name + Default> Received for M {
    fn of(bytes: &[u8]) -> Result<Self, Status> {
        if let Some(shape) = Shape::of(M::NAME) {
            count(bytes, shape).map_err(|why| violation(why, ""))?;
        }
        decode(bytes)
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| not_a_message(&error.to_string()))
}

/// What the library says of a message that couldn't be read.
fn undecodable<M: Message + Default>(bytes: &[u8]) -> Status {
    decode::<M>(bytes).err().unwrap_or_else(|| not_a_message(&Malformed.to_string()))
}

/// The error of a message of too many bytes.
pub(super) fn too_large(bytes: usize, bytes_max: usize) -> Status {
    invalid("", format!("the request has {bytes} bytes; allowed: {bytes_max}. Send it in parts"))
}

/// The error of more messages than the one that a method takes. The library would read them all, and drop them.
pub(super) fn another_message() -> Status {
    invalid("", "found another message; allowed: one in a call of this method".to_owned())
}

fn not_a_message(what: &str) -> Status {
    invalid("", format!("not a message of this method: {what}"))
}

/// The error of a request that can't be read.
pub(super) fn invalid(field: &str, what: String) -> Status {
    let mut violations = Violations::default();
    violations.add(field, what);
    status::invalid(&violations, REQUEST_BYTES_MAX)
}

/// What is wrong with a request that isn't decoded, where its fields are within `message`.
fn violation(why: Uncounted<'_>, message: &str) -> Status {
    match why {
        Uncounted::TooMany(field, counted) => {
            let path = field.path.strip_prefix(message).unwrap_or(&field.path);
            invalid(path, format!("found more than {0}; allowed: {0} at the most", counted.max))
        }
        Uncounted::Malformed(what) => not_a_message(what),
    }
}

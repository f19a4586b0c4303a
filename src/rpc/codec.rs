//! The server's codec: protobuf, with a proper error for a message that is too large or can't be
//! read.
//!
//! tonic's own answers are `OUT_OF_RANGE` and `INTERNAL` without details, which don't say what is
//! wrong with the request.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::{REQUEST_BYTES_MAX, status};
use crate::model::violation::Violations;

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
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = RequestDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder(PhantomData)
    }
}

/// Decodes requests, and says what is wrong with those that it can't.
#[derive(Debug)]
pub(crate) struct RequestDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for RequestDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buf.remaining();
        if bytes > REQUEST_BYTES_MAX {
            return Err(too_large(bytes));
        }
        U::decode(buf).map(Some).map_err(|error| invalid(format!("not a message of this method: {error}")))
    }
}

/// The error of a message of too many bytes.
pub(super) fn too_large(bytes: usize) -> Status {
    invalid(format!("the request has {bytes} bytes; allowed: {REQUEST_BYTES_MAX}. Send it in parts"))
}

fn invalid(what: String) -> Status {
    let mut violations = Violations::default();
    violations.add("", what);
    status::invalid(&violations, REQUEST_BYTES_MAX)
}

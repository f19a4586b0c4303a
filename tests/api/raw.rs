//! Calls that no generated client makes: bytes that are no message, and messages that come late.

use bytes::BufMut;
use conspectus::rpc::proto::SubmitObservationsResponse;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::{ProstCodec, ProstDecoder};

/// Submits the bytes that the stream brings as one message.
pub(crate) async fn submit_bytes(
    channel: Channel,
    message: impl Stream<Item = Vec<u8>> + Send + 'static,
) -> Result<Response<SubmitObservationsResponse>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/conspectus.v1.SubmissionService/SubmitObservations");
    client.client_streaming(Request::new(message), path, Bytes).await
}

struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = SubmitObservationsResponse;
    type Encoder = Self;
    type Decoder = ProstDecoder<SubmitObservationsResponse>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<(), SubmitObservationsResponse>::default().decoder()
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

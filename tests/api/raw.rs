//! Calls that no generated client makes: bytes that are no message, and messages that come late.

use std::marker::PhantomData;

use bytes::BufMut;
use conspectus::rpc::proto::{StreamSubmissionsResponse, SubmitObservationsResponse};
use prost::Message;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::{ProstCodec, ProstDecoder};

/// Submits the bytes that the stream brings as one message.
pub(crate) async fn submit_bytes(
    channel: Channel,
    message: impl Stream<Item = Vec<u8>> + Send + 'static,
) -> Result<Response<SubmitObservationsResponse>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/conspectus.v1.SubmissionService/SubmitObservations");
    client.client_streaming(Request::new(message), path, Bytes(PhantomData)).await
}

/// Opens a stream of submissions, whose messages are the bytes that the stream brings.
pub(crate) async fn stream_bytes(
    channel: Channel,
    messages: impl Stream<Item = Vec<u8>> + Send + 'static,
) -> Result<Streaming<StreamSubmissionsResponse>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/conspectus.v1.SubmissionService/StreamSubmissions");
    Ok(client.streaming(Request::new(messages), path, Bytes(PhantomData)).await?.into_inner())
}

/// Sends bytes, and reads answers of a kind.
struct Bytes<T>(PhantomData<T>);

impl<T: Message + Default + Send + 'static> Codec for Bytes<T> {
    type Encode = Vec<u8>;
    type Decode = T;
    type Encoder = Self;
    type Decoder = ProstDecoder<T>;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<(), T>::default().decoder()
    }
}

impl<T> Encoder for Bytes<T> {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

//! Calls that no generated client makes: bytes that are no message, and messages that come late.

use std::marker::PhantomData;

use bytes::{Buf, BufMut};
use conspectus::rpc::proto::{StreamSubmissionsResponse, SubmitObservationsResponse};
use prost::Message;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::{ProstCodec, ProstDecoder};

use crate::app::TestApp;

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

/// A call of any method, with any credentials.
pub(crate) struct Call {
    pub(crate) channel: Channel,
    pub(crate) path: PathAndQuery,
    pub(crate) message: Vec<u8>,
    pub(crate) authorization: Option<String>,
    pub(crate) purpose: Option<&'static str>,
}

impl Call {
    /// A call of a method, such as `KeyService/ListKeys`, with no credentials.
    pub(crate) fn to(app: &TestApp, method: &str, message: Vec<u8>) -> Self {
        let path = format!("/conspectus.v1.{method}").parse().unwrap();
        Self { channel: app.channel(), path, message, authorization: None, purpose: None }
    }
}

/// Makes a call, of whatever kind, and gives the first message of the answer.
pub(crate) async fn call(call: Call) -> Result<Vec<u8>, Status> {
    let mut client = Grpc::new(call.channel);
    client.ready().await.unwrap();
    let mut request = Request::new(tokio_stream::once(call.message));
    if let Some(authorization) = call.authorization {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    if let Some(purpose) = call.purpose {
        request.metadata_mut().insert("conspectus-purpose", purpose.parse().unwrap());
    }
    let mut answer = client.streaming(request, call.path, RawBytes).await?.into_inner();
    Ok(answer.message().await?.unwrap_or_default())
}

/// Makes a call by HTTP/2 alone, and gives its status.
pub(crate) async fn status_of(
    address: std::net::SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    message: &[u8],
) -> Code {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut send = send.ready().await.unwrap();
    let (answer, mut body) = send.send_request(request.body(()).unwrap(), false).unwrap();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    // An answer may come, and the stream end, before the message is sent.
    let _ = body.send_data(frame.into(), true);
    let mut answer = answer.await.unwrap();
    let status = |headers: &http::HeaderMap| headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()));
    let code = match status(answer.headers()) {
        Some(code) => code,
        None => {
            while let Some(data) = answer.body_mut().data().await {
                data.unwrap();
            }
            status(&answer.body_mut().trailers().await.unwrap().unwrap()).unwrap()
        }
    };
    driver.abort();
    code
}

/// Bytes in, bytes out.
struct RawBytes;

impl Codec for RawBytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Bytes<()>;
    type Decoder = Self;

    fn encoder(&mut self) -> Bytes<()> {
        Bytes(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Decoder for RawBytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

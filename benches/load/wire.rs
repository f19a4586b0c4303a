//! Calls as bytes: messages are encoded before the clock starts and answers are not read, so that
//! the two cores go to the server.

use bytes::Bytes;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use crate::raw::Raw;

/// Answers may be large: a picture is.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 << 20;

pub(crate) const ECHO: &str = "/bench.Echo/Echo";
pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";
pub(crate) const PUT_CATALOGUE: &str = "/conspectus.v1.CatalogueService/PutCatalogue";
pub(crate) const SUBMIT: &str = "/conspectus.v1.SubmissionService/SubmitObservations";
pub(crate) const STREAM: &str = "/conspectus.v1.SubmissionService/StreamSubmissions";
pub(crate) const ECHO_STREAM: &str = "/bench.Echo/Stream";
pub(crate) const PICTURE: &str = "/conspectus.v1.PictureService/GetPicture";
pub(crate) const AGGREGATE: &str = "/conspectus.v1.PictureService/QueryAggregate";

/// A call, ready to go.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) message: Bytes,
}

/// Calls, and gives the answer's bytes.
pub(crate) async fn call(channel: &Channel, call: Call) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(call.method);
    Ok(grpc.unary(tonic::Request::new(call.message), path, Raw).await?.into_inner())
}

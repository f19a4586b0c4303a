//! Calls as bytes: messages are encoded before the clock starts and answers are not read, so that
//! the two cores go to the server.

use bytes::Bytes;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::raw::Raw;

/// Answers may be large: a picture is.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 << 20;

pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";
pub(crate) const PUT_CATALOGUE: &str = "/conspectus.v1.CatalogueService/PutCatalogue";
pub(crate) const CREATE_KEY: &str = "/conspectus.v1.KeyService/CreateKey";
pub(crate) const SUBMIT: &str = "/conspectus.v1.SubmissionService/SubmitObservations";
pub(crate) const STREAM: &str = "/conspectus.v1.SubmissionService/StreamSubmissions";
pub(crate) const PICTURE: &str = "/conspectus.v1.PictureService/GetPicture";
pub(crate) const AGGREGATE: &str = "/conspectus.v1.PictureService/QueryAggregate";

/// An API key, as the header that presents it.
pub(crate) type Key = AsciiMetadataValue;

/// A call, ready to go.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: &'static str,
    message: Bytes,
    key: Option<Key>,
}

impl Call {
    pub(crate) fn new(method: &'static str, message: impl Into<Bytes>) -> Self {
        Self { method, message: message.into(), key: None }
    }

    /// The same call by who has this key; without one, by anyone.
    pub(crate) fn by(self, key: Option<&Key>) -> Self {
        Self { key: key.cloned(), ..self }
    }
}

/// Calls, and gives the answer's bytes.
pub(crate) async fn call(channel: &Channel, call: Call) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(call.message);
    if let Some(key) = call.key {
        request.metadata_mut().insert("authorization", key);
        request.metadata_mut().insert("conspectus-purpose", AsciiMetadataValue::from_static("measuring"));
    }
    Ok(grpc.unary(request, PathAndQuery::from_static(call.method), Raw).await?.into_inner())
}

//! The service, as a client in the same process calls it: through the guard, as whoever the request came from.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use prost_reflect::DynamicMessage;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderName, header};
use tonic::codegen::{BoxFuture, Service};

use super::connect::{self, ERROR_BYTES_MAX};
use super::error;
use crate::net::Peer;
use crate::rpc::client::audit_service_client::AuditServiceClient;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::client::key_service_client::KeyServiceClient;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::{self, ERROR_BYTES_HEADER, Format, PURPOSE_HEADER, Router, SignedIn};

/// More than any answer has: those are under 4 MiB.
const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Calls as somebody. Clones are as good.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    router: Router,
    peer: Peer,
    credentials: HeaderMap,
    signed_in: Option<SignedIn>,
}

impl Calls {
    /// Calls as whoever sent a request with these headers: of them the credentials and the purpose are taken.
    pub(crate) fn of(router: Router, peer: Peer, headers: &HeaderMap) -> Self {
        let mut credentials = HeaderMap::new();
        for name in [header::AUTHORIZATION, HeaderName::from_static(PURPOSE_HEADER)] {
            // One that comes twice is refused by the guard.
            for value in headers.get_all(&name) {
                credentials.append(name.clone(), value.clone());
            }
        }
        Self { router, peer, credentials, signed_in: None }
    }

    /// Calls as whoever a request is of, who may also have signed in at a provider; none of one that came from nowhere.
    pub(crate) fn as_sender_of<B>(router: Router, request: &http::Request<B>) -> Option<Self> {
        let peer = request.extensions().get::<Peer>()?.clone();
        let signed_in = request.extensions().get::<SignedIn>().cloned();
        Some(Self { signed_in, ..Self::of(router, peer, request.headers()) })
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Self> {
        AuditServiceClient::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn catalogue(&self) -> CatalogueServiceClient<Self> {
        CatalogueServiceClient::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn keys(&self) -> KeyServiceClient<Self> {
        KeyServiceClient::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn pictures(&self) -> PictureServiceClient<Self> {
        PictureServiceClient::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn submissions(&self) -> SubmissionServiceClient<Self> {
        SubmissionServiceClient::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// The answer of a method as JSON, with its status: what somebody who sends the same question to the JSON door gets.
    pub(super) async fn json(&self, path: &str, question: &[u8]) -> http::Response<Body> {
        match json(path, question) {
            Ok(question) => {
                let question = Body::new(Full::from(question));
                let call = connect::call(path, HeaderMap::new(), Format::Json, question);
                connect::finished(self.clone().send(call).await)
            }
            Err(status) => error::response(&status),
        }
    }

    /// Makes a unary call by its path, with the bytes of its message. The bytes of the answer's message count as the
    /// caller's, and the call as open, for as long as any of them is kept.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) async fn unary(&self, path: &str, message: Vec<u8>) -> Result<Bytes, Status> {
        let call = connect::call(path, HeaderMap::new(), Format::Proto, Body::new(Full::from(message)));
        let answer = self.clone().send(call).await;
        match Status::from_header_map(answer.headers()) {
            Some(refusal) => Err(refusal),
            // It is one frame, which isn't copied.
            None => Ok(answer.into_body().collect().await?.to_bytes()),
        }
    }

    /// By whom what is called is answered.
    pub(super) fn router(&self) -> &Router {
        &self.router
    }

    async fn send(self, mut request: http::Request<Body>) -> http::Response<Body> {
        let headers = request.headers_mut();
        headers.extend(self.credentials);
        headers.insert(HeaderName::from_static(ERROR_BYTES_HEADER), ERROR_BYTES_MAX);
        // The generated clients name the method alone.
        if let Some(signed_in) = self.signed_in {
            request.extensions_mut().insert(signed_in);
        }
        let Ok(answer) = self.router.answer(self.peer, request).await;
        answer
    }
}

/// A message of a method, as JSON.
fn json(path: &str, message: &[u8]) -> Result<Vec<u8>, Status> {
    let method = rpc::method(path).ok_or_else(|| Status::internal(format!("there is no method {path}")))?;
    // It was made here, by the same protos.
    let message = DynamicMessage::decode(method.input(), message);
    let message = message.map_err(|error| Status::internal(error.to_string()))?;
    serde_json::to_vec(&message).map_err(|error| Status::internal(error.to_string()))
}

impl Service<http::Request<Body>> for Calls {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let calls = self.clone();
        Box::pin(async move { Ok(calls.send(request).await) })
    }
}

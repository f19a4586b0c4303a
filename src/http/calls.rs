//! The service, as a client in the same process calls it: through the guard, as whoever the request came from.

use std::convert::Infallible;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderName, header};
use tonic::codegen::{BoxFuture, Service};

use super::MESSAGE_BYTES_MAX;
use crate::net::Peer;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::client::key_service_client::KeyServiceClient;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::{ERROR_BYTES_HEADER, PURPOSE_HEADER, Router};

/// The most bytes of an error's details: as many as there are.
pub(super) const ERROR_BYTES_MAX: http::HeaderValue = http::HeaderValue::from_static("16777216");

/// Calls as somebody. Clones are as good.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    router: Router,
    peer: Peer,
    credentials: HeaderMap,
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
        Self { router, peer, credentials }
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
}

impl Service<http::Request<Body>> for Calls {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.extend(self.credentials.clone());
        headers.insert(HeaderName::from_static(ERROR_BYTES_HEADER), ERROR_BYTES_MAX);
        // The generated clients name the method alone.
        Box::pin(self.router.answer(self.peer.clone(), request))
    }
}

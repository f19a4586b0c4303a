//! Which door a request is for.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use axum::routing::get;
use futures_util::future::Either;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderName, HeaderValue, Method, header};
use tower::ServiceExt as _;
use tower_http::cors::CorsLayer;

use super::connect::{self, PROTOCOL_VERSION, TIMEOUT};
use super::{files, hello, openapi};
use crate::net::Peer;
use crate::rpc::{ERROR_BYTES_HEADER, PURPOSE_HEADER, REQUEST_ID_HEADER, Router};

/// For how long a browser needn't ask again whether a page elsewhere may call.
const PREFLIGHT_AGE: Duration = Duration::from_secs(2 * 3_600);

/// A page elsewhere, whose scripts may call: `https://intranet.example.gov.uk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOrigin(HeaderValue);

impl PageOrigin {
    /// An origin as browsers send it: a scheme, a host, and a port unless it is the scheme's own.
    ///
    /// # Errors
    /// When it is anything else, such as `*`, or an address with a path.
    pub fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let uri: http::Uri = text.parse().map_err(|_| NotAnOrigin)?;
        let (scheme, host) = (uri.scheme_str().ok_or(NotAnOrigin)?, uri.authority().ok_or(NotAnOrigin)?);
        let canonical = format!("{scheme}://{host}");
        if !["http", "https"].contains(&scheme) || host.as_str().contains('@') || canonical != text.to_lowercase() {
            return Err(NotAnOrigin);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| NotAnOrigin)
    }
}

impl std::str::FromStr for PageOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        Self::parse(text)
    }
}

/// Something else than the origin of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin; expected a scheme, a host and perhaps a port, such as https://intranet.example.gov.uk")]
pub struct NotAnOrigin;

/// Every door of a listener.
#[derive(Clone)]
pub(crate) struct Doors {
    router: Router,
    others: axum::Router,
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").finish_non_exhaustive()
    }
}

impl Doors {
    /// The doors to what is behind the guard. Scripts of pages elsewhere may call from these origins.
    pub(crate) fn new(router: Router, origins: &[PageOrigin]) -> Self {
        let cors = CorsLayer::new()
            .allow_origin(origins.iter().map(|PageOrigin(origin)| origin.clone()).collect::<Vec<_>>())
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([
                header::AUTHORIZATION,
                header::IF_NONE_MATCH,
                header::CONTENT_TYPE,
                PROTOCOL_VERSION,
                TIMEOUT,
                HeaderName::from_static(PURPOSE_HEADER),
                HeaderName::from_static(ERROR_BYTES_HEADER),
                HeaderName::from_static(REQUEST_ID_HEADER),
                HeaderName::from_static("traceparent"),
                HeaderName::from_static("tracestate"),
            ])
            .expose_headers([
                header::RETRY_AFTER,
                header::ETAG,
                files::REVISION,
                HeaderName::from_static(REQUEST_ID_HEADER),
            ])
            .max_age(PREFLIGHT_AGE);
        let others = axum::Router::new()
            .route("/openapi.json", get(openapi::answer))
            .route(hello::PATH, get(hello::answer))
            .merge(files::routes())
            .fallback(connect::answer)
            .with_state(router.clone())
            .layer(cors);
        Self { router, others }
    }

    /// Answers a request from a peer.
    pub(crate) fn answer(
        &self,
        peer: Peer,
        mut request: http::Request<Body>,
    ) -> impl Future<Output = Result<http::Response<Body>, Infallible>> + use<> {
        let content = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        if content.is_some_and(|content| content.starts_with(b"application/grpc")) {
            return Either::Left(self.router.answer(peer, request));
        }
        let others = self.others.clone();
        request.extensions_mut().insert(peer);
        Either::Right(Box::pin(async move {
            let answer = others.oneshot(request.map(axum::body::Body::new)).await?;
            Ok(answer.map(Body::new))
        }))
    }
}

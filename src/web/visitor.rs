//! Who looks at a page.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

use super::refusal::Refusal;
use super::submit::Places;
use crate::http::Calls;
use crate::net::Peer;
use crate::rpc::Router;

/// What the handlers of pages share.
#[derive(Debug, Clone, FromRef)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) uploads: Places,
}

/// Who looks at a page, and the service as they may call it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) calls: Calls,
    /// What each form that is sent by POST has as its first field, `csrf`.
    pub(super) csrf: String,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| tonic::Status::internal("the request comes from nowhere"))?;
        Ok(Self { calls: Calls::of(shared.router.clone(), peer, &parts.headers), csrf: String::new() })
    }
}

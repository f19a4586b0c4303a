//! Who looks at a page.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::clock::Clock;
use super::refusal::Refusal;
use crate::http::Calls;
use crate::model::date::Date;
use crate::net::Peer;
use crate::rpc::Router;

/// What the handlers of pages share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) clock: Clock,
}

/// Who looks at a page, and the service as they may call it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) calls: Calls,
    /// What each form that is sent by POST has as its first field, `csrf`.
    pub(super) csrf: String,
    /// The day on which they look, in UTC.
    pub(super) today: Date,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| tonic::Status::internal("the request comes from nowhere"))?;
        let calls = Calls::of(shared.router.clone(), peer, &parts.headers);
        Ok(Self { calls, csrf: String::new(), today: shared.clock.today() })
    }
}

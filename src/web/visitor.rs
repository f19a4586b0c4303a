//! Who looks at a page.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use tonic::Status;
use tonic::codegen::http::Request;

use super::clock::Clock;
use super::refusal::Refusal;
use super::session::Session;
use super::submit::Places;
use crate::access::Role;
use crate::http::Calls;
use crate::model::date::Date;
use crate::model::timestamp::Timestamp;
use crate::net::Peer;
use crate::rpc::Router;

/// What the handlers of pages share.
#[derive(Debug, Clone, FromRef)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) uploads: Places,
    pub(super) clock: Clock,
}

/// Who looks at a page, and the service as they may call it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) calls: Calls,
    /// Who has signed in.
    pub(super) identity: String,
    pub(super) role: Role,
    /// What they read figures for; empty where nobody has to say.
    pub(super) purpose: String,
    /// What each form of theirs has as its first field.
    pub(super) csrf: String,
    /// When they look.
    pub(super) now: Timestamp,
    /// That day, in UTC.
    pub(super) today: Date,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let session =
            parts.extensions.get::<Session>().ok_or_else(|| Status::unauthenticated("nobody has signed in"))?;
        let mut call = Request::new(());
        if let Some(peer) = parts.extensions.get::<Peer>() {
            call.extensions_mut().insert(peer.clone());
        }
        session.authorise(&mut call);
        let calls = Calls::as_sender_of(shared.router.clone(), &call);
        let calls = calls.ok_or_else(|| Status::internal("the request comes from nowhere"))?;
        let identity = session.identity();
        let purpose = session.purpose().map(|purpose| purpose.as_str().to_owned()).unwrap_or_default();
        Ok(Self {
            calls,
            identity: identity.id.to_string(),
            role: identity.role,
            purpose,
            csrf: session.csrf().to_string(),
            now: shared.clock.now(),
            today: shared.clock.today(),
        })
    }
}

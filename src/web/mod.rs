//! The page: what people with a browser see and do, rendered here and usable without scripts.
//!
//! Every page calls the service in process, as whoever looks at it, through the guard (`http::Calls`): so it may show and
//! do what that caller may over gRPC, and each read has its line in the audit log. An address is the whole question, so it
//! can be kept and mailed.

mod agency;
mod assets;
mod due;
mod home;
mod json;
mod link;
mod page;
mod refusal;
mod submission;
mod submissions;
mod submit;
mod titles;
mod visitor;

use std::convert::Infallible;
use std::fmt;

use axum::routing::{get, post};
use tonic::body::Body;
use tonic::codegen::http;
use tower::ServiceExt as _;

use visitor::Shared;

use crate::net::Peer;
use crate::rpc::Router;

/// The pages.
#[derive(Clone)]
pub(crate) struct Pages(axum::Router);

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    /// The pages, of what is behind the guard.
    pub(crate) fn new(router: Router) -> Self {
        let pages = axum::Router::new()
            .route("/", get(home::show))
            .route("/due", get(due::show))
            .route("/due.json", get(due::json))
            .route("/due/template.xlsx", get(due::template))
            .route("/submissions", get(submissions::show))
            .route("/submissions.json", get(submissions::json))
            .route("/submission", get(submission::show))
            .route("/submission.csv", get(submission::csv))
            .route("/submission.json", get(submission::json))
            .route("/submission/receipt", get(submission::receipt))
            .route("/submission/withdraw", get(submission::ask).post(submission::withdraw))
            .route("/submit", get(submit::show))
            .route("/submit/check", post(submit::check))
            .route("/submit/send", post(submit::send))
            .merge(assets::routes())
            .fallback(refusal::not_found)
            .layer(axum::middleware::map_response(page::secure))
            .with_state(Shared { router, uploads: submit::Places::default() });
        Self(pages)
    }

    /// Answers a request from a peer.
    pub(crate) fn answer(
        &self,
        peer: Peer,
        mut request: http::Request<Body>,
    ) -> impl Future<Output = Result<http::Response<Body>, Infallible>> + use<> {
        let pages = self.0.clone();
        request.extensions_mut().insert(peer);
        async move { Ok(pages.oneshot(request.map(axum::body::Body::new)).await?.map(Body::new)) }
    }
}

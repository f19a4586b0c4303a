//! The page: what people with a browser see and do, rendered here and usable without scripts.
//!
//! Every page calls the service in process, as whoever looks at it, through the guard (`http::Calls`): so it may show and
//! do what that caller may over gRPC, and each read has its line in the audit log. An address is the whole question, so it
//! can be kept and mailed.

mod about;
mod as_of;
mod assets;
mod catalogue;
mod changes;
mod chart;
mod clock;
mod explain;
mod figure;
mod form;
mod hierarchy;
mod history;
mod home;
mod indicator;
mod json;
mod keys;
mod lists;
mod names;
mod page;
mod picture;
mod picture_form;
mod question;
mod reference;
mod refusal;
mod sentence;
mod series;
mod subject;
mod submitted;
mod visitor;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::routing::get;
use tonic::body::Body;
use tonic::codegen::http;
use tower::ServiceExt as _;

use visitor::Shared;

use clock::Clock;

use crate::model::timestamp::Timestamp;
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
    /// The pages, of what is behind the guard, by a clock.
    pub(crate) fn new(router: Router, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        let pages = axum::Router::new()
            .route("/", get(home::show))
            .route("/picture", get(picture::show))
            .route("/picture.json", get(picture::json))
            .route("/explain", get(explain::show))
            .route("/explain.json", get(explain::json))
            .route("/history", get(history::show))
            .route("/history.json", get(history::json))
            .route("/indicator", get(indicator::show))
            .route("/indicator.json", get(indicator::json))
            .route("/about", get(about::show))
            .route("/about/api", get(reference::index))
            .route("/about/api/{service}", get(reference::show))
            .route("/about/openapi.json", get(about::openapi))
            .route("/catalogue", get(catalogue::show))
            .route("/catalogue/{list}", get(catalogue::json))
            .route("/changes", get(changes::show))
            .route("/changes.json", get(changes::json))
            .route("/keys", get(keys::show))
            .route("/keys.json", get(keys::json))
            .route("/keys/revoke", get(keys::confirm).post(keys::revoke))
            .merge(assets::routes())
            .fallback(refusal::not_found)
            .layer(axum::middleware::map_response(page::secure))
            .with_state(Shared { router, clock: Clock(clock) });
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

#[cfg(test)]
mod tests {
    //! What tests of several files use.

    use askama::Template;

    use crate::demo;
    use crate::model::timestamp::Timestamp;
    use crate::rpc::proto::{Agency, Change, Coverage, Figure, Indicator, Kind};
    use crate::rpc::{Context, Gate, Picture};

    /// 1 January 2026, when all that the demo lacks is late.
    const NOW: Timestamp = Timestamp(1_767_225_600_000_000);

    /// A service that has the demo in it.
    pub(super) async fn demo_pictures() -> Picture {
        let context = Context::in_memory(NOW);
        demo::load(&context).await.unwrap();
        let gate = Gate::default();
        gate.open(context);
        Picture::new(gate)
    }

    /// The part of a page that is its own.
    pub(super) fn main_of(page: &impl Template) -> String {
        let html = page.render().unwrap();
        html.split("<main").nth(1).unwrap().split_once('>').unwrap().1.split("</main>").next().unwrap().to_owned()
    }

    pub(super) fn indicator(id: &str, title: &str, kind: Kind, unit: &str) -> Indicator {
        Indicator {
            id: id.to_owned(),
            title: title.to_owned(),
            kind: kind.into(),
            unit: unit.to_owned(),
            ..Indicator::default()
        }
    }

    /// A figure of which some reports of those expected are there.
    pub(super) fn figure(value: &str, reported: i64, expected: i64) -> Figure {
        let late = expected - reported;
        let coverage = Coverage { expected, reported, late, complete: late == 0, ..Coverage::default() };
        Figure { value: Some(value.to_owned()), coverage: Some(coverage), ..Figure::default() }
    }

    pub(super) fn change(from: Figure, difference: &str, percent: &str) -> Change {
        Change {
            from_period: "FY2020-21".to_owned(),
            from: Some(from),
            difference: Some(difference.to_owned()),
            percent: Some(percent.to_owned()).filter(|percent| !percent.is_empty()),
            ..Change::default()
        }
    }

    pub(super) fn agency(id: &str, name: &str) -> Option<Agency> {
        Some(Agency { id: id.to_owned(), name: name.to_owned(), ..Agency::default() })
    }
}

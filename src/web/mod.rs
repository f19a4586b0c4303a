//! The page: what people with a browser see and do, rendered here and usable without scripts.
//!
//! Every page calls the service in process, as whoever looks at it, through the guard (`http::Calls`): so it may show and
//! do what that caller may over gRPC, and each read has its line in the audit log. So nothing here decides what anybody may
//! do. An address is the whole question, so it can be kept and mailed.
//!
//! [`sign_in`] begins and ends a [`session`]; [`csrf`] keeps other sites from using one; [`headers`] says what a
//! browser may do with a page.

mod about;
mod account;
mod address;
mod agency;
mod as_of;
mod assets;
mod audit;
mod catalogue;
mod changes;
mod chart;
mod clock;
mod cookie;
pub mod csrf;
mod due;
mod explain;
mod figure;
mod files;
mod form;
pub mod headers;
mod hierarchy;
mod history;
mod home;
mod indicator;
mod keys;
mod lists;
mod local_path;
mod names;
mod page;
mod picture;
mod picture_form;
mod question;
mod reference;
mod refusal;
mod reporters;
mod scope;
mod sentence;
mod series;
pub mod session;
mod shares;
pub mod sign_in;
mod subject;
mod submission;
mod submissions;
mod submit;
mod submitted;
mod untaken;
mod visitor;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use axum::routing::get;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::http;
use tower::ServiceExt as _;

pub use address::{NotAWebUrl, WebUrl};
use clock::Clock;
pub use cookie::CookieSecret;
use csrf::TokenKey;
use files::Files as _;
pub use local_path::LocalPath;
use session::SignedInIdentity;
use sign_in::{ProviderSettings, Randomness, Refusal, SignIns, TimeOfDay, WhoIsCalling, require_session};
use visitor::Shared;

use crate::access::Role;
use crate::http::Calls;
use crate::model::id::IdentityId;
use crate::net::Peer;
use crate::rpc::Router;
use crate::rpc::proto::GetCallerRequest;

/// What the pages need of the server.
pub(crate) struct Settings {
    /// Where browsers reach them.
    pub(crate) at: WebUrl,
    /// Where one signs in besides with a key.
    pub(crate) provider: Option<ProviderSettings>,
    /// The time of day.
    pub(crate) clock: TimeOfDay,
    /// Random bytes.
    pub(crate) random: Randomness,
    /// What the tokens of forms are made with.
    pub(crate) tokens: TokenKey,
}

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
    pub(crate) fn new(router: Router, settings: Settings) -> Self {
        let Settings { at, provider, clock, random, tokens } = settings;
        let who_is_calling = who_is_calling(router.clone());
        let (stopwatch, days) = (Arc::new(Instant::now), Clock(Arc::clone(&clock)));
        let settings = sign_in::Settings { at: at.clone(), provider, who_is_calling, clock, stopwatch, random, tokens };
        let sign_ins = SignIns::new(settings);
        let pages = axum::Router::new()
            .route("/", get(home::show))
            .route("/due", get(due::show))
            .files("/due", due::file)
            .route("/due/template.xlsx", get(due::template))
            .route("/submissions", get(submissions::show))
            .files("/submissions", submissions::file)
            .route("/submission", get(submission::show))
            .files("/submission", submission::file)
            .route("/submission/figures.csv", get(submission::figures))
            .route("/submission/receipt", get(submission::receipt))
            .route("/submission/withdraw", get(submission::ask).post(submission::withdraw))
            .route("/submit", get(submit::show))
            .route("/submit/check", get(submit::back).post(submit::check))
            .route("/submit/send", get(submit::back).post(submit::send))
            .route("/picture", get(picture::show))
            .files("/picture", picture::file)
            .route("/explain", get(explain::show))
            .files("/explain", explain::file)
            .route("/history", get(history::show))
            .files("/history", history::file)
            .route("/indicator", get(indicator::show))
            .files("/indicator", indicator::file)
            .route("/changes", get(changes::show))
            .files("/changes", changes::file)
            .route("/catalogue", get(catalogue::show))
            .files("/catalogue/areas", catalogue::areas)
            .files("/catalogue/agencies", catalogue::agencies)
            .files("/catalogue/indicators", catalogue::indicators)
            .files("/catalogue/checks", catalogue::checks)
            .files("/catalogue/dimensions", catalogue::dimensions)
            .files("/catalogue/rules", catalogue::rules)
            .files("/catalogue/calendars", catalogue::calendars)
            .route("/keys", get(keys::show))
            .files("/keys", keys::file)
            .route("/keys/revoke", get(keys::confirm).post(keys::revoke))
            .route("/audit", get(audit::show))
            .files("/audit", audit::file)
            .route("/account", get(account::show))
            .route("/about", get(about::show))
            .files("/about", about::file)
            .fallback(refusal::not_found)
            .method_not_allowed_fallback(refusal::not_so)
            .with_state(Shared { router, clock: days, uploads: submit::Places::default() })
            .layer(axum::middleware::from_fn_with_state(sign_ins.clone(), require_session));
        // For anybody, whoever they are.
        let open = assets::routes()
            .route("/accessibility", get(about::accessibility))
            .route("/about/api", get(reference::index))
            .route("/about/api/{service}", get(reference::show))
            .route("/about/openapi.json", get(about::openapi))
            .layer(axum::middleware::map_response(move |mut answer: Response| {
                headers::secure(&at, answer.headers_mut());
                std::future::ready(answer)
            }));
        Self(pages.merge(sign_in::router(sign_ins)).merge(open))
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

/// Asks the service itself, as whoever signs in.
fn who_is_calling(router: Router) -> WhoIsCalling {
    Arc::new(move |call: http::Request<()>| {
        let calls = Calls::as_sender_of(router.clone(), &call);
        Box::pin(async move {
            let calls = calls.ok_or_else(|| Refusal::Unavailable("The request comes from nowhere.".to_owned()))?;
            let caller = calls.keys().get_caller(GetCallerRequest::default()).await.map_err(|status| {
                let words = status.message().to_owned();
                if status.code() == Code::Unauthenticated {
                    Refusal::NotAccepted(words)
                } else {
                    Refusal::Unavailable(words)
                }
            })?;
            let identity = caller.into_inner().identity.unwrap_or_default();
            let known = IdentityId::parse(&identity.id).ok().zip(Role::from_code(identity.role));
            let (id, role) = known.ok_or_else(|| {
                // An open server: a key would be of nobody.
                let words = "This server has no keys yet, so nobody can sign in. Whoever runs it makes the first: conspectus key \
                             create NAME --role operator";
                Refusal::NotAccepted(words.to_owned())
            })?;
            Ok(SignedInIdentity { id, role })
        })
    })
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

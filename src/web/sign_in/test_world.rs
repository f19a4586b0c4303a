//! The page with the service behind it, and browsers, for tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use openidconnect::ClientSecret;
use tower::ServiceExt as _;

use super::test_provider::{CLIENT_ID, CLIENT_SECRET};
use super::{ProviderSettings, Refusal, Settings, SignIns, TimeOfDay, require_session, router};
use crate::access::{Role, Secret};
use crate::model::id::{IdentityId, Issuer};
use crate::rpc::SignedIn;
use crate::web::csrf::TokenKey;
use crate::web::session::{Session, SignedInIdentity};

pub(super) const AT: &str = "https://figures.example";
/// Who is known to the service, by their key or subject; or what it says instead.
pub(super) type Known = Arc<Mutex<BTreeMap<String, Result<(&'static str, Role), Refusal>>>>;

/// The page, and the service behind it.
pub(super) struct World {
    app: Router,
    pub(super) known: Known,
    issuer: String,
    /// How many seconds the stopwatch is on.
    seconds: Arc<AtomicU64>,
}

pub(super) fn key(n: u8) -> String {
    Secret::from_random([n; Secret::RANDOM_BYTES]).reveal()
}

/// By what a call to the service is somebody's.
fn presented(call: &Request<()>) -> String {
    match call.extensions().get::<SignedIn>() {
        Some(SignedIn(sign_in)) => sign_in.subject.to_string(),
        None => call.headers()[header::AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned(),
    }
}

async fn shown(Extension(session): Extension<Session>) -> String {
    let purpose = session.purpose().map_or("", |purpose| purpose.as_str());
    format!("{} [{purpose}] {}", session.identity().id, session.csrf())
}

impl World {
    /// With a provider, at a time of day.
    pub(super) fn new(issuer: &str, clock: TimeOfDay) -> Self {
        let known = Known::default();
        {
            let mut known = known.lock().unwrap();
            known.insert(key(1), Ok(("feed", Role::Submitter)));
            known.insert(key(2), Ok(("al", Role::Analyst)));
            known.insert("7".to_owned(), Ok(("al", Role::Analyst)));
        }
        let seconds = Arc::new(AtomicU64::new(0));
        let (start, on, asked) = (Instant::now(), Arc::clone(&seconds), Arc::clone(&known));
        let settings = Settings {
            at: AT.parse().unwrap(),
            provider: Some(ProviderSettings {
                issuer: Issuer::parse(issuer).unwrap(),
                client_id: CLIENT_ID.to_owned(),
                client_secret: Some(ClientSecret::new(CLIENT_SECRET.to_owned())),
            }),
            who_is_calling: Arc::new(move |call| {
                let nobody = Err(Refusal::NotAccepted("these credentials are not accepted".to_owned()));
                let found = asked.lock().unwrap().get(&presented(&call)).cloned().unwrap_or(nobody);
                let found = found.map(|(name, role)| SignedInIdentity { id: IdentityId::parse(name).unwrap(), role });
                Box::pin(std::future::ready(found))
            }),
            clock,
            stopwatch: Arc::new(move || start + Duration::from_secs(on.load(Ordering::Relaxed))),
            random: Arc::new(|| {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).map(|()| bytes)
            }),
            tokens: TokenKey::from_random([5; 32]),
        };
        let sign_ins = SignIns::new(settings);
        let pages = Router::new()
            .route("/", get(shown))
            .route("/due", get(shown).post(async |body: String| body))
            .layer(middleware::from_fn_with_state(sign_ins.clone(), require_session));
        Self { app: pages.merge(router(sign_ins)), known, issuer: issuer.to_owned(), seconds }
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new() }
    }

    pub(super) fn forget(&self, who: &str) {
        self.known.lock().unwrap().remove(who);
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

#[derive(Clone)]
pub(super) struct Browser<'w> {
    world: &'w World,
    cookies: BTreeMap<String, String>,
}

pub(super) struct Shown {
    pub(super) status: StatusCode,
    /// Where it leads.
    pub(super) location: String,
    pub(super) text: String,
}

impl Browser<'_> {
    pub(super) async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Shown {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(Body::from(body)).unwrap();
        let answer = self.world.app.clone().oneshot(request).await.unwrap();
        for name in [header::CONTENT_SECURITY_POLICY, header::STRICT_TRANSPORT_SECURITY, header::CACHE_CONTROL] {
            assert!(answer.headers().contains_key(&name), "{name}");
        }
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let (parts, body) = answer.into_parts();
        let location = parts.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap()).to_owned();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Shown { status: parts.status, location, text }
    }

    pub(super) async fn get(&mut self, path: &str) -> Shown {
        self.send(Request::get(path), String::new()).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::ORIGIN, AT);
        self.send(request, form).await
    }

    /// The token of the form on a page.
    pub(super) async fn token(&mut self, path: &str) -> String {
        let page = self.get(path).await.text;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    pub(super) async fn sign_in(&mut self, key: &str, next: &str) -> Shown {
        let token = self.token("/sign-in").await;
        self.post("/sign-in", &[("csrf", &token), ("next", next), ("key", key)]).await
    }

    /// Where the provider asks who it is.
    pub(super) async fn provider_address(&mut self, next: &str) -> String {
        let sent = self.get(&format!("/sign-in/provider?next={next}")).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        assert!(sent.location.starts_with(&self.world.issuer), "{}", sent.location);
        sent.location
    }

    /// What the provider is asked.
    pub(super) async fn go_to_provider(&mut self, next: &str) -> BTreeMap<String, String> {
        let address = self.provider_address(next).await;
        let (_, query) = address.split_once('?').unwrap();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    pub(super) async fn back(&mut self, state: &str, code: &str) -> Shown {
        self.get(&format!("/sign-in/callback?state={state}&code={code}")).await
    }

    pub(super) async fn is_signed_in(&mut self) -> bool {
        !self.get("/due").await.location.starts_with("/sign-in?")
    }
}

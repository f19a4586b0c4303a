//! What all of signing in works with.

#![expect(clippy::result_large_err, reason = "an answer is sent in either case")]

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::response::{IntoResponse, Redirect, Response};
use tonic::codegen::http::header::{RETRY_AFTER, SET_COOKIE};
use tonic::codegen::http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode};

use super::attempts::Attempts;
use super::page::{Problem, SignInPage};
use super::pending::{self, PendingSignIns};
use super::provider::{Provider, ProviderSettings};
use crate::model::timestamp::Timestamp;
use crate::net::Peer;
use crate::web::cookie::Cookie;
use crate::web::csrf::{CsrfToken, TokenKey};
use crate::web::page::Page;
use crate::web::refusal::page_refusal;
use crate::web::session::{self, Means, Session, Sessions, SignedInIdentity};
use crate::web::untaken::Untaken;
use crate::web::{CookieSecret, LocalPath, WebUrl};

/// Asks the service who is calling, by a call that lacks no more than its method and its message.
pub type WhoIsCalling = Arc<dyn Fn(Request<()>) -> BoxFuture<Result<SignedInIdentity, Refusal>> + Send + Sync>;
/// Gives the time of day.
pub type TimeOfDay = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Gives the instants by which durations are measured.
pub type Stopwatch = Arc<dyn Fn() -> Instant + Send + Sync>;
/// Gives random bytes.
pub type Randomness = Arc<dyn Fn() -> Result<[u8; 32], getrandom::Error> + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why somebody isn't signed in, or no longer is, in words for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The service doesn't accept their credentials.
    NotAccepted(String),
    /// The service can't say now.
    Unavailable(String),
}

/// What signing in needs of the server.
#[derive(Clone)]
pub struct Settings {
    /// Where browsers reach the page.
    pub at: WebUrl,
    /// The provider, where there is one besides keys.
    pub provider: Option<ProviderSettings>,
    /// Who is calling.
    pub who_is_calling: WhoIsCalling,
    /// The time of day.
    pub clock: TimeOfDay,
    /// The monotonic clock.
    pub stopwatch: Stopwatch,
    /// Random bytes.
    pub random: Randomness,
    /// What the tokens of forms are made with.
    pub tokens: TokenKey,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, provider, .. } = self;
        f.debug_struct("Settings").field("at", at).field("provider", provider).finish_non_exhaustive()
    }
}

/// Who has signed in, and how one does. Clones share it.
#[derive(Clone)]
pub struct SignIns(Arc<Inner>);

struct Inner {
    settings: Settings,
    provider: Option<Provider>,
    sessions: Sessions,
    pending: PendingSignIns,
    attempts: Attempts,
    untaken: Untaken,
}

impl fmt::Debug for SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignIns").field(&self.0.settings).finish()
    }
}

impl SignIns {
    /// None are signed in yet.
    pub fn new(settings: Settings) -> Self {
        let provider = settings.provider.clone().map(|provider| Provider::new(provider, &settings.at));
        let sessions = Sessions::new(settings.tokens.clone());
        let (pending, attempts, untaken) = (PendingSignIns::default(), Attempts::default(), Untaken::default());
        Self(Arc::new(Inner { settings, provider, sessions, pending, attempts, untaken }))
    }

    /// The pages that browsers haven't taken yet.
    pub(super) fn untaken(&self) -> &Untaken {
        &self.0.untaken
    }

    /// Where browsers reach the page.
    pub(super) fn at(&self) -> &WebUrl {
        &self.0.settings.at
    }

    /// The provider, where there is one.
    pub(super) fn provider(&self) -> Option<&Provider> {
        self.0.provider.as_ref()
    }

    /// Who has signed in.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Who is at the provider.
    pub(super) fn pending(&self) -> &PendingSignIns {
        &self.0.pending
    }

    /// The time of day.
    pub(super) fn now(&self) -> Timestamp {
        (self.0.settings.clock)()
    }

    /// The instant by which durations are measured.
    pub(super) fn instant(&self) -> Instant {
        (self.0.settings.stopwatch)()
    }

    /// The session of a browser.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<Session> {
        self.sessions().of(&Cookie::Session.read(self.at(), headers)?, self.instant())
    }

    /// 256 random bits.
    ///
    /// # Errors
    /// An answer that says that there are none.
    pub(super) fn random(&self) -> Result<[u8; 32], Response> {
        (self.0.settings.random)().map_err(|error| {
            tracing::error!(%error, "the system gives no random bytes");
            let words = "The system of this server gives no random bytes. Try again in a minute";
            page_refusal(StatusCode::SERVICE_UNAVAILABLE, "Nobody can sign in just now", words.to_owned())
        })
    }

    /// Takes one of the attempts of whoever has sent a request with these extensions.
    ///
    /// # Errors
    /// An answer that says when to try again.
    pub(super) fn attempt(&self, extensions: &Extensions) -> Result<(), Response> {
        let peer = extensions.get::<Peer>();
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), Peer::address);
        self.0.attempts.take(address, self.instant()).map_err(|after| {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            let words = format!("Nobody was signed in. Try again in {seconds} s.");
            let page = page_refusal(StatusCode::TOO_MANY_REQUESTS, "Too many attempts to sign in", words);
            ([(RETRY_AFTER, HeaderValue::from(seconds))], page).into_response()
        })
    }

    /// Who the service says is calling, by means that were presented with a request.
    ///
    /// # Errors
    /// When it accepts nobody by them, or can't say.
    pub(super) async fn who(&self, means: &Means, peer: Option<Peer>) -> Result<SignedInIdentity, Refusal> {
        let mut call = Request::new(());
        if let Some(peer) = peer {
            call.extensions_mut().insert(peer);
        }
        means.authorise(&mut call);
        (self.0.settings.who_is_calling)(call).await
    }

    /// The secret of a browser that is about to sign in, and the cookie to give it.
    ///
    /// # Errors
    /// An answer that says that there are no random bytes.
    pub(super) fn browser(&self, headers: &HeaderMap) -> Result<(CookieSecret, HeaderValue), Response> {
        let secret = match Cookie::SigningIn.read(self.at(), headers) {
            Some(secret) => secret,
            None => CookieSecret::from_random(self.random()?),
        };
        let cookie = Cookie::SigningIn.set(self.at(), &secret, pending::AGE_MAX);
        Ok((secret, cookie))
    }

    /// The form to sign in with, for a browser, and what is wrong.
    pub(super) fn form(
        &self,
        headers: &HeaderMap,
        next: LocalPath,
        status: StatusCode,
        problem: Option<Problem>,
    ) -> Response {
        let (secret, cookie) = match self.browser(headers) {
            Ok(browser) => browser,
            Err(answer) => return answer,
        };
        let provider = self.provider().map(|provider| provider.name().to_owned());
        let form = SignInPage { csrf: CsrfToken::of(&secret), next, provider, problem };
        ([(SET_COOKIE, cookie)], (status, Page(form))).into_response()
    }

    /// Signs in whoever presented means, if the service accepts them, in a session of a new cookie: whoever knew a cookie
    /// of before knows nothing of it.
    pub(super) async fn begin(
        &self,
        headers: &HeaderMap,
        peer: Option<Peer>,
        means: Means,
        next: LocalPath,
    ) -> Response {
        let identity = match self.who(&means, peer).await {
            Ok(identity) => identity,
            Err(refusal) => return self.refused(headers, &means, next, refusal),
        };
        let secret = match self.random() {
            Ok(bytes) => CookieSecret::from_random(bytes),
            Err(answer) => return answer,
        };
        if let Some(before) = self.session(headers) {
            self.sessions().end(&before);
        }
        tracing::info!(identity = %identity.id, by = %means, "signed in");
        self.sessions().begin(&secret, means, identity, self.instant());
        let cookies = [
            (SET_COOKIE, Cookie::Session.set(self.at(), &secret, session::AGE_MAX)),
            (SET_COOKIE, Cookie::SigningIn.clear(self.at())),
        ];
        // Whoever has to say first what figures are read for is asked on the way there.
        (axum::response::AppendHeaders(cookies), Redirect::to(&next.to_string())).into_response()
    }

    fn refused(&self, headers: &HeaderMap, means: &Means, next: LocalPath, refusal: Refusal) -> Response {
        let (status, problem) = match (refusal, means) {
            (Refusal::NotAccepted(words), Means::Key(_)) => (StatusCode::FORBIDDEN, Problem::of_field(&words)),
            (Refusal::NotAccepted(_), Means::Provider(sign_in)) => {
                tracing::info!(%sign_in, "nobody is known by this sign-in");
                let words = format!(
                    "You have signed in at the provider, and are not known here. Whoever keeps the keys can let you in: \
                     you are {} at {}.",
                    sign_in.subject, sign_in.issuer
                );
                (StatusCode::FORBIDDEN, Problem::of_page(&words))
            }
            (Refusal::Unavailable(words), _) => (StatusCode::SERVICE_UNAVAILABLE, Problem::of_page(&words)),
        };
        self.form(headers, next, status, Some(problem))
    }
}

//! Signing in at an OpenID Connect provider: the authorization code flow, with PKCE, state and nonce.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    SignatureVerificationError, TokenResponse as _,
};

use super::http_client::HttpClient;
use super::pending::Secrets;
use crate::access::SignIn;
use crate::model::id::{Issuer, Subject, is_this_machine};
use crate::model::timestamp::Timestamp;
use crate::web::WebUrl;

/// Where the provider sends the browser back to.
pub(super) const CALLBACK_PATH: &str = "/sign-in/callback";
/// How far the provider's clock and this one may be apart.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(60);
/// How old an ID token may be that has just been asked for.
const TOKEN_AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// How old what is known of the provider may be: addresses and keys.
const METADATA_AGE_MAX: Duration = Duration::from_secs(3_600);
/// How old, when a token is signed with a key that isn't known.
const KEYS_AGE_MAX: Duration = Duration::from_secs(10);
/// How ID tokens may be signed: by a key of the provider's alone.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What the provider knows this server as.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// The provider.
    pub issuer: Issuer,
    /// The id that it has given this server.
    pub client_id: String,
    /// The secret that it has given this server, if it has.
    pub client_secret: Option<ClientSecret>,
}

impl ProviderSettings {
    /// Those with the secret that the provider has given this server, if it has.
    pub fn new(issuer: Issuer, client_id: String, client_secret: Option<String>) -> Self {
        Self { issuer, client_id, client_secret: client_secret.map(ClientSecret::new) }
    }
}

/// Why nobody is signed in. What it was goes to the log; the page says it in the words of [`super::page`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The provider can't be reached, or answers nothing that can be used.
    #[error("the provider can't be asked: {0}")]
    Unavailable(String),
    /// The provider doesn't accept the code, or this server.
    #[error("the provider refuses the code: {0}")]
    Refused(String),
    /// What the provider says of who has signed in isn't good.
    #[error("the ID token isn't accepted: {0}")]
    Token(String),
}

/// What is known of the provider, and since when.
#[derive(Clone)]
struct Discovered {
    metadata: Arc<CoreProviderMetadata>,
    at: Instant,
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The provider.
pub(super) struct Provider {
    settings: ProviderSettings,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: HttpClient,
    discovered: Mutex<Option<Discovered>>,
}

impl Provider {
    /// One that sends browsers back to the page's address.
    pub(super) fn new(settings: ProviderSettings, at: &WebUrl) -> Self {
        let issuer = IssuerUrl::new(settings.issuer.to_string()).expect("an issuer is a URL");
        let redirect = RedirectUrl::new(format!("{at}{CALLBACK_PATH}")).expect("an origin with a path is a URL");
        Self { settings, issuer, redirect, http: HttpClient::new(), discovered: Mutex::default() }
    }

    /// Its host, by which people may know it.
    pub(super) fn name(&self) -> &str {
        self.issuer.url().host_str().unwrap_or_default()
    }

    /// Its issuer, as its answers name it.
    pub(super) fn issuer(&self) -> &Issuer {
        &self.settings.issuer
    }

    /// Where the browser is sent to sign in.
    ///
    /// # Errors
    /// When the provider can't be asked for its addresses, or has none over TLS.
    pub(super) async fn authorization_url(&self, secrets: Secrets, now: Instant) -> Result<String, Error> {
        let metadata = self.metadata(METADATA_AGE_MAX, now).await?;
        let Secrets { state, nonce, verifier } = secrets;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let client = self.client(&metadata);
        let request = client.authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce));
        let (url, _, _) = request.set_pkce_challenge(challenge).url();
        if url.scheme() != "https" && !is_this_machine(url.authority()) {
            return Err(Error::Unavailable(format!("its address for signing in isn't over TLS: {}", url.authority())));
        }
        Ok(url.into())
    }

    /// Who has signed in, of whom the provider has sent a code by their browser. `at` is the time of day.
    ///
    /// # Errors
    /// When the provider can't be asked, or what it says isn't good.
    pub(super) async fn redeem(
        &self,
        code: String,
        secrets: Secrets,
        now: Instant,
        at: Timestamp,
    ) -> Result<SignIn, Error> {
        let Secrets { nonce, verifier, .. } = secrets;
        let metadata = self.metadata(METADATA_AGE_MAX, now).await?;
        let client = self.client(&metadata);
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| unavailable(&error))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let answer = request.request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(refusal) => Error::Refused(refusal.to_string()),
            error @ (RequestTokenError::Request(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
                unavailable(&error)
            }
        })?;
        let token = answer.id_token().ok_or_else(|| Error::Token("there is none".to_owned()))?;
        let nonce = Nonce::new(nonce);
        match self.subject(&client, token, &nonce, at) {
            // The provider may have changed its keys since.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => {
                let metadata = self.metadata(KEYS_AGE_MAX, now).await?;
                self.subject(&self.client(&metadata), token, &nonce, at)
            }
            known => known,
        }
        .map_err(|error| Error::Token(error.to_string()))
        .and_then(|subject| {
            let subject = Subject::parse(&subject).map_err(|error| Error::Token(error.to_string()))?;
            Ok(SignIn { issuer: self.settings.issuer.clone(), subject })
        })
    }

    /// The subject of an ID token that is good: the provider's, for this server, for what was begun, and of now.
    fn subject(
        &self,
        client: &Client,
        token: &CoreIdToken,
        nonce: &Nonce,
        at: Timestamp,
    ) -> Result<String, ClaimsVerificationError> {
        let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(at.0).unwrap_or_default());
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || (now - CLOCK_SKEW_MAX).into())
            .set_issue_time_verifier_fn(move |issued| {
                let issued = SystemTime::from(issued);
                let (earliest, latest) = (now - CLOCK_SKEW_MAX - TOKEN_AGE_MAX, now + CLOCK_SKEW_MAX);
                if (earliest..=latest).contains(&issued) { Ok(()) } else { Err("it isn't of now".to_owned()) }
            });
        let claims = token.claims(&verifier, nonce)?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.settings.client_id) {
            return Err(ClaimsVerificationError::InvalidAudience("it is for another party".to_owned()));
        }
        Ok(claims.subject().as_str().to_owned())
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        let ProviderSettings { client_id, client_secret, .. } = &self.settings;
        let id = ClientId::new(client_id.clone());
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, client_secret.clone())
            .set_redirect_uri(self.redirect.clone());
        let takes_basic = metadata
            .token_endpoint_auth_methods_supported()
            .is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        client.set_auth_type(if takes_basic { AuthType::BasicAuth } else { AuthType::RequestBody })
    }

    /// What is known of the provider, asked for again when it is older than this. When it can't be asked, what was known
    /// before will do.
    async fn metadata(&self, age_max: Duration, now: Instant) -> Result<Arc<CoreProviderMetadata>, Error> {
        let known = self.discovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.as_ref().filter(|known| now.duration_since(known.at) < age_max) {
            return Ok(Arc::clone(&known.metadata));
        }
        match CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                let discovered = Discovered { metadata: Arc::clone(&metadata), at: now };
                *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) = Some(discovered);
                Ok(metadata)
            }
            Err(error) => match known {
                Some(known) => {
                    tracing::warn!("what is known of the provider stays as it is: {}", unavailable(&error));
                    Ok(known.metadata)
                }
                None => Err(unavailable(&error)),
            },
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

/// With all its causes.
fn unavailable(error: &dyn std::error::Error) -> Error {
    let causes = std::iter::successors(Some(error), |error| error.source());
    Error::Unavailable(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

//! A provider for tests, on this machine, that says whatever a test has it say.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    Audience, ClientId, EmptyAdditionalClaims, IssuerUrl, JsonWebKeyId, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    PrivateSigningKey as _, StandardClaims, SubjectIdentifier,
};
use rcgen::{KeyPair, PKCS_ED25519};
use tokio::net::TcpListener;

pub(super) const CLIENT_ID: &str = "figures";
pub(super) const CLIENT_SECRET: &str = "the secret of this client";

/// By what an ID token is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SignedBy {
    /// The key that the provider publishes.
    ItsKey,
    /// A key that goes by the same name.
    AnotherKey,
    /// The secret that the client has too.
    SharedSecret,
}

/// What the provider says of whoever signs in. Times are in seconds from the test's.
#[derive(Clone)]
pub(super) struct Says {
    pub(super) issuer: Option<&'static str>,
    pub(super) audiences: &'static [&'static str],
    pub(super) party: Option<&'static str>,
    pub(super) subject: &'static str,
    pub(super) issued: i64,
    pub(super) expires: i64,
    pub(super) nonce: Option<&'static str>,
    pub(super) signed: SignedBy,
}

/// What is good.
pub(super) const GOOD: Says = Says {
    issuer: None,
    audiences: &[CLIENT_ID],
    party: None,
    subject: "7",
    issued: 0,
    expires: 300,
    nonce: None,
    signed: SignedBy::ItsKey,
};

struct State {
    issuer: String,
    now_seconds: i64,
    says: Says,
    /// The key that it publishes, and another.
    keys: [String; 2],
    key_id: String,
    /// The nonce and the challenge of each code that isn't redeemed.
    codes: BTreeMap<String, (String, String)>,
    is_down: bool,
}

/// The provider.
#[derive(Clone)]
pub(super) struct TestProvider(Arc<Mutex<State>>);

impl TestProvider {
    /// One that serves, at a time of day.
    pub(super) async fn start(now_seconds: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let key = || KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem();
        let provider = Self(Arc::new(Mutex::new(State {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            now_seconds,
            says: GOOD,
            keys: [key(), key()],
            key_id: "first".to_owned(),
            codes: BTreeMap::new(),
            is_down: false,
        })));
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let provider = provider.clone();
                    async move { Ok::<_, Infallible>(provider.answer(request.map(Body::new)).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        provider
    }

    pub(super) fn issuer(&self) -> String {
        self.0.lock().unwrap().issuer.clone()
    }

    /// What it says from now on.
    pub(super) fn says(&self, says: Says) {
        self.0.lock().unwrap().says = says;
    }

    /// Whether it answers nothing of use from now on.
    pub(super) fn is_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    /// Goes over to another key.
    pub(super) fn rotate(&self) {
        let mut state = self.0.lock().unwrap();
        state.keys.reverse();
        state.key_id = "second".to_owned();
    }

    /// A code, as it comes back after somebody has signed in where the browser was sent.
    pub(super) fn code(&self, query: &BTreeMap<String, String>) -> String {
        let mut state = self.0.lock().unwrap();
        let code = format!("code-{}", state.codes.len());
        state.codes.insert(code.clone(), (query["nonce"].clone(), query["code_challenge"].clone()));
        code
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let form = to_bytes(request.into_body(), 1 << 16).await.unwrap();
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&form).into_owned().collect();
        let mut state = self.0.lock().unwrap();
        let (status, json) = match path.as_str() {
            _ if state.is_down => (StatusCode::BAD_GATEWAY, String::new()),
            "/.well-known/openid-configuration" => (StatusCode::OK, state.metadata()),
            "/keys" => (StatusCode::OK, state.published()),
            "/token" => state.token(&form),
            _ => (StatusCode::NOT_FOUND, String::new()),
        };
        Response::builder().status(status).header("content-type", "application/json").body(json.into()).unwrap()
    }
}

impl State {
    fn metadata(&self) -> String {
        let issuer = &self.issuer;
        serde_json::json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA", "HS256"],
        })
        .to_string()
    }

    fn key(&self, which: usize) -> CoreEdDsaPrivateSigningKey {
        CoreEdDsaPrivateSigningKey::from_ed25519_pem(&self.keys[which], Some(JsonWebKeyId::new(self.key_id.clone())))
            .unwrap()
    }

    fn published(&self) -> String {
        serde_json::to_string(&CoreJsonWebKeySet::new(vec![self.key(0).as_verification_key()])).unwrap()
    }

    /// An ID token for a code, once, for whoever has asked for the code.
    fn token(&mut self, form: &BTreeMap<String, String>) -> (StatusCode, String) {
        let refused = (StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#.to_owned());
        let Some((nonce, challenge)) = self.codes.remove(&form["code"]) else { return refused };
        let verifier = PkceCodeVerifier::new(form["code_verifier"].clone());
        if PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str() != challenge {
            return refused;
        }
        let at = |seconds: i64| {
            let since = Duration::from_secs(u64::try_from(self.now_seconds + seconds).unwrap());
            (UNIX_EPOCH + since).into()
        };
        let says = &self.says;
        let claims = CoreIdTokenClaims::new(
            IssuerUrl::new(says.issuer.map_or_else(|| self.issuer.clone(), str::to_owned)).unwrap(),
            says.audiences.iter().map(|audience| Audience::new((*audience).to_owned())).collect(),
            at(says.expires),
            at(says.issued),
            StandardClaims::new(SubjectIdentifier::new(says.subject.to_owned())),
            EmptyAdditionalClaims {},
        )
        .set_nonce(Some(Nonce::new(says.nonce.map_or(nonce, str::to_owned))))
        .set_authorized_party(says.party.map(|party| ClientId::new(party.to_owned())));
        let token = match says.signed {
            SignedBy::SharedSecret => {
                let key = CoreHmacKey::new(CLIENT_SECRET.as_bytes());
                CoreIdToken::new(claims, &key, CoreJwsSigningAlgorithm::HmacSha256, None, None)
            }
            SignedBy::ItsKey => CoreIdToken::new(claims, &self.key(0), CoreJwsSigningAlgorithm::EdDsa, None, None),
            SignedBy::AnotherKey => CoreIdToken::new(claims, &self.key(1), CoreJwsSigningAlgorithm::EdDsa, None, None),
        };
        let token = token.unwrap().to_string();
        let answer = serde_json::json!({ "access_token": "unused", "token_type": "Bearer", "id_token": token });
        (StatusCode::OK, answer.to_string())
    }
}

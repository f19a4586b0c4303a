//! Signing in as browsers do, by keys and at a provider that may say anything.

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

use super::test_provider::{CLIENT_ID, CLIENT_SECRET, GOOD, Says, SignedBy, TestProvider};
use super::*;
use crate::access::{Role, Secret};
use crate::model::id::{IdentityId, Issuer};
use crate::model::timestamp::Timestamp;
use crate::rpc::SignedIn;
use crate::web::session::{Session, SignedInIdentity};

const AT: &str = "https://figures.example";
const NOW_SECONDS: i64 = 1_800_000_000;

/// Who is known to the service, by their key or subject; or what it says instead.
type Known = Arc<Mutex<BTreeMap<String, Result<(&'static str, Role), Refusal>>>>;

/// The page, and the provider and the service behind it.
struct World {
    app: Router,
    known: Known,
    provider: TestProvider,
    /// How many seconds the stopwatch is on.
    seconds: Arc<AtomicU64>,
}

fn key(n: u8) -> String {
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
    async fn new() -> Self {
        let provider = TestProvider::start(NOW_SECONDS).await;
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
                issuer: Issuer::parse(&provider.issuer()).unwrap(),
                client_id: CLIENT_ID.to_owned(),
                client_secret: Some(ClientSecret::new(CLIENT_SECRET.to_owned())),
            }),
            who_is_calling: Arc::new(move |call| {
                let nobody = Err(Refusal::NotAccepted("these credentials are not accepted".to_owned()));
                let found = asked.lock().unwrap().get(&presented(&call)).cloned().unwrap_or(nobody);
                let found = found.map(|(name, role)| SignedInIdentity { id: IdentityId::parse(name).unwrap(), role });
                Box::pin(std::future::ready(found))
            }),
            clock: Arc::new(|| Timestamp(NOW_SECONDS * 1_000_000)),
            stopwatch: Arc::new(move || start + Duration::from_secs(on.load(Ordering::Relaxed))),
            random: Arc::new(|| {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).map(|()| bytes)
            }),
        };
        let sign_ins = SignIns::new(settings);
        let pages = Router::new()
            .route("/", get(shown))
            .route("/due", get(shown).post(async |body: String| body))
            .layer(middleware::from_fn_with_state(sign_ins.clone(), require_session));
        Self { app: pages.merge(router(sign_ins)), known, provider, seconds }
    }

    fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new() }
    }

    fn forget(&self, who: &str) {
        self.known.lock().unwrap().remove(who);
    }

    fn wait(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Browser<'w> {
    world: &'w World,
    cookies: BTreeMap<String, String>,
}

struct Shown {
    status: StatusCode,
    /// Where it leads.
    location: String,
    text: String,
}

impl Browser<'_> {
    async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Shown {
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

    async fn get(&mut self, path: &str) -> Shown {
        self.send(Request::get(path), String::new()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::ORIGIN, AT);
        self.send(request, form).await
    }

    /// The token of the form on a page.
    async fn token(&mut self, path: &str) -> String {
        let page = self.get(path).await.text;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn sign_in(&mut self, key: &str, next: &str) -> Shown {
        let token = self.token("/sign-in").await;
        self.post("/sign-in", &[("csrf", &token), ("next", next), ("key", key)]).await
    }

    /// What the provider is asked.
    async fn go_to_provider(&mut self, next: &str) -> BTreeMap<String, String> {
        let sent = self.get(&format!("/sign-in/provider?next={next}")).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let (address, query) = sent.location.split_once('?').unwrap();
        assert_eq!(address, format!("{}/authorize", self.world.provider.issuer()));
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    async fn back(&mut self, state: &str, code: &str) -> Shown {
        self.get(&format!("/sign-in/callback?state={state}&code={code}")).await
    }

    async fn sign_in_at_provider(&mut self) -> Shown {
        let asked = self.go_to_provider("/due").await;
        let code = self.world.provider.code(&asked);
        self.back(&asked["state"], &code).await
    }

    async fn is_signed_in(&mut self) -> bool {
        !self.get("/due").await.location.starts_with("/sign-in?")
    }
}

#[tokio::test]
async fn a_key_begins_a_session_and_signing_out_ends_it() {
    let world = World::new().await;
    let mut browser = world.browser();
    let sent = browser.get("/due?a=b").await;
    assert_eq!((sent.status, sent.location.as_str()), (StatusCode::SEE_OTHER, "/sign-in?next=%2Fdue%3Fa%3Db"));
    let sent = browser.sign_in(&format!(" {} ", key(1)), "/due?a=b").await;
    assert_eq!((sent.status, sent.location.as_str()), (StatusCode::SEE_OTHER, "/due?a=b"));
    let shown = browser.get("/due").await;
    let (who, token) = shown.text.rsplit_once(' ').unwrap();
    assert_eq!(who, "feed []");
    let stolen = browser.clone();
    assert_eq!(browser.post("/sign-out", &[("csrf", &"0".repeat(64))]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.post("/sign-out", &[("csrf", token)]).await.location, "/sign-in");
    assert!(!browser.is_signed_in().await);
    assert!(!stolen.clone().is_signed_in().await, "the cookie is worth nothing any more");
}

#[tokio::test]
async fn a_key_that_is_none_or_is_not_accepted_is_refused_at_its_field() {
    let world = World::new().await;
    let mut browser = world.browser();
    for (key, status, words) in [
        ("cps_1", StatusCode::BAD_REQUEST, "not a key"),
        ("", StatusCode::BAD_REQUEST, "not a key"),
        (key(9).as_str(), StatusCode::FORBIDDEN, "these credentials are not accepted"),
    ] {
        let shown = browser.sign_in(key, "/due").await;
        assert_eq!(shown.status, status);
        assert!(shown.text.contains(words) && shown.text.contains("value=\"/due\""), "{}", shown.text);
        assert!(!shown.text.contains("cps_1"), "what may be a secret isn't shown again");
    }
    world.known.lock().unwrap().insert(key(9), Err(Refusal::Unavailable("the journal is replayed".to_owned())));
    let shown = browser.sign_in(&key(9), "/due").await;
    assert_eq!(shown.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(shown.text.contains("the journal is replayed"));
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_site_nor_led_to_one() {
    let world = World::new().await;
    let mut browser = world.browser();
    // With the token of the attacker's own browser.
    let token = world.browser().token("/sign-in").await;
    let fields = [("csrf", token.as_str()), ("key", &key(1))];
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::FORBIDDEN, "without a cookie");
    browser.get("/sign-in").await;
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::FORBIDDEN, "with its own");
    let token = browser.token("/sign-in").await;
    let form = format!("csrf={token}&key={}", key(1));
    let request = Request::post("/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let shown = browser.send(request.header("sec-fetch-site", "cross-site"), form).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(!browser.is_signed_in().await);
    assert_eq!(browser.sign_in(&key(1), "//other.example").await.location, "/");
}

#[tokio::test]
async fn a_form_is_taken_from_its_own_session_alone_and_whole() {
    let world = World::new().await;
    let mut browser = world.browser();
    let shown = browser.post("/due", &[("csrf", &"0".repeat(64)), ("a", "b")]).await;
    assert_eq!(shown.location, "/sign-in?next=%2F");
    browser.sign_in(&key(1), "/").await;
    let token = browser.get("/due").await.text.rsplit_once(' ').unwrap().1.to_owned();
    let mut other = world.browser();
    other.sign_in(&key(1), "/").await;
    for fields in [vec![("a", "b")], vec![("a", "b"), ("csrf", token.as_str())]] {
        assert_eq!(browser.post("/due", &fields).await.status, StatusCode::FORBIDDEN);
    }
    let fields = [("csrf", token.as_str()), ("a", "b")];
    assert_eq!(other.post("/due", &fields).await.status, StatusCode::FORBIDDEN, "the same person's, elsewhere");
    let shown = browser.post("/due", &fields).await;
    assert_eq!((shown.status, shown.text), (StatusCode::OK, format!("csrf={token}&a=b")));
}

#[tokio::test]
async fn the_provider_is_asked_with_all_that_ties_its_answer_to_this_browser() {
    let world = World::new().await;
    let asked = world.browser().go_to_provider("/due").await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("scope", "openid"),
        ("redirect_uri", "https://figures.example/sign-in/callback"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    let again = world.browser().go_to_provider("/due").await;
    for secret in ["state", "nonce", "code_challenge"] {
        assert!(asked[secret].len() >= 43 && asked[secret] != again[secret], "{secret}");
    }
}

#[tokio::test]
async fn whoever_the_provider_knows_is_signed_in_and_an_analyst_says_first_what_for() {
    let world = World::new().await;
    let mut browser = world.browser();
    assert_eq!(browser.sign_in_at_provider().await.location, "/due");
    assert_eq!(browser.get("/due").await.location, "/sign-in/purpose?next=%2Fdue");
    let token = browser.token("/sign-in/purpose?next=%2Fdue").await;
    let shown = browser.post("/sign-in/purpose", &[("csrf", &token), ("next", "/due"), ("purpose", "é")]).await;
    assert_eq!(shown.status, StatusCode::BAD_REQUEST);
    assert!(shown.text.contains("3 to 200 printable ASCII characters"), "{}", shown.text);
    let fields = [("csrf", token.as_str()), ("next", "/due"), ("purpose", "the annual report")];
    assert_eq!(browser.post("/sign-in/purpose", &fields).await.location, "/due");
    assert!(browser.get("/due").await.text.starts_with("al [the annual report] "));
    assert_eq!(world.browser().get("/sign-in/purpose").await.location, "/sign-in?next=%2F");
}

#[tokio::test]
async fn what_the_provider_says_counts_only_if_all_of_it_is_good() {
    let world = World::new().await;
    for (what, is_good, says) in [
        ("good", true, GOOD),
        ("a clock a minute behind", true, Says { issued: -360, expires: -59, ..GOOD }),
        ("a clock a minute ahead", true, Says { issued: 60, ..GOOD }),
        ("the party named", true, Says { party: Some(CLIENT_ID), ..GOOD }),
        ("expired", false, Says { issued: -300, expires: -61, ..GOOD }),
        ("of the future", false, Says { issued: 61, ..GOOD }),
        ("of long ago", false, Says { issued: -400, ..GOOD }),
        ("for another", false, Says { audiences: &["other"], ..GOOD }),
        ("for another too", false, Says { audiences: &[CLIENT_ID, "other"], ..GOOD }),
        ("for nobody", false, Says { audiences: &[], ..GOOD }),
        ("for another party", false, Says { party: Some("other"), ..GOOD }),
        ("of another issuer", false, Says { issuer: Some("https://other.example"), ..GOOD }),
        ("for another sign-in", false, Says { nonce: Some("another"), ..GOOD }),
        ("by another key", false, Says { signed: SignedBy::AnotherKey, ..GOOD }),
        ("by the shared secret", false, Says { signed: SignedBy::SharedSecret, ..GOOD }),
        ("of nobody", false, Says { subject: "", ..GOOD }),
        ("of a subject that can't be", false, Says { subject: "a\nb", ..GOOD }),
    ] {
        world.provider.says(says);
        world.wait(60);
        let mut browser = world.browser();
        let shown = browser.sign_in_at_provider().await;
        let expected = if is_good { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(shown.status, expected, "{what}: {}", shown.text);
        assert_eq!(browser.is_signed_in().await, is_good, "{what}");
        assert_eq!(shown.text.contains("can&#39;t be trusted"), !is_good, "{what}: {}", shown.text);
    }
}

#[tokio::test]
async fn a_sign_in_is_finished_once_and_by_who_began_it() {
    let world = World::new().await;
    let (mut browser, mut other) = (world.browser(), world.browser());
    let asked = browser.go_to_provider("/due").await;
    let code = world.provider.code(&asked);
    // Somebody else's sign-in, handed to this browser, or this one's to somebody else.
    other.get("/sign-in").await;
    assert_eq!(other.back(&asked["state"], &code).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.back(&"0".repeat(64), &code).await.status, StatusCode::BAD_REQUEST);

    let asked = browser.go_to_provider("/due").await;
    let code = world.provider.code(&asked);
    let mut stolen = browser.clone();
    assert_eq!(browser.back(&asked["state"], &code).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stolen.back(&asked["state"], &code).await.status, StatusCode::BAD_REQUEST, "replayed");
    let again = stolen.go_to_provider("/due").await;
    let shown = stolen.back(&again["state"], &code).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN, "the provider knows that the code was used");
    assert!(!stolen.is_signed_in().await && !other.is_signed_in().await);

    let asked = browser.go_to_provider("/due").await;
    let code = world.provider.code(&asked);
    world.wait(601);
    assert_eq!(browser.back(&asked["state"], &code).await.status, StatusCode::BAD_REQUEST, "too late");
}

#[tokio::test]
async fn a_refusal_of_the_provider_and_another_provider_sign_nobody_in() {
    let world = World::new().await;
    let mut browser = world.browser();
    let asked = browser.go_to_provider("/due").await;
    let refused = format!("/sign-in/callback?state={}&error=access_denied<b>", asked["state"]);
    let shown = browser.get(&refused.replace('<', "%3C").replace('>', "%3E")).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(!shown.text.contains("access_denied"), "what others say isn't shown");
    for (issuer, status) in [("https://other.example", 403), (world.provider.issuer().as_str(), 303)] {
        let asked = browser.go_to_provider("/due").await;
        let code = world.provider.code(&asked);
        let path = format!("/sign-in/callback?state={}&code={code}&iss={issuer}", asked["state"]);
        assert_eq!(browser.get(&path).await.status.as_u16(), status, "{issuer}");
    }
}

#[tokio::test]
async fn whoever_is_not_known_here_learns_as_whom_they_have_signed_in() {
    let world = World::new().await;
    world.forget("7");
    let mut browser = world.browser();
    let shown = browser.sign_in_at_provider().await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(shown.text.contains(&format!("you are 7 at {}", world.provider.issuer())), "{}", shown.text);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn whoever_is_revoked_is_out_within_a_minute() {
    let world = World::new().await;
    for (who, sign_in) in [("7".to_owned(), None), (key(1), Some(key(1)))] {
        let mut browser = world.browser();
        match sign_in {
            Some(key) => browser.sign_in(&key, "/").await,
            None => browser.sign_in_at_provider().await,
        };
        assert!(browser.is_signed_in().await);
        world.wait(60);
        let unavailable = Err(Refusal::Unavailable("the server is busy".to_owned()));
        let before = world.known.lock().unwrap().insert(who.clone(), unavailable).unwrap();
        assert_eq!(browser.get("/due").await.status, StatusCode::SERVICE_UNAVAILABLE);
        world.known.lock().unwrap().insert(who.clone(), before);
        assert!(browser.is_signed_in().await, "it was busy, and nothing else");
        world.forget(&who);
        world.wait(60);
        assert!(!browser.is_signed_in().await);
    }
}

#[tokio::test]
async fn a_provider_that_changes_its_keys_is_asked_for_them_and_one_that_is_gone_says_so() {
    let world = World::new().await;
    assert_eq!(world.browser().sign_in_at_provider().await.status, StatusCode::SEE_OTHER);
    world.provider.rotate();
    world.wait(60);
    assert_eq!(world.browser().sign_in_at_provider().await.status, StatusCode::SEE_OTHER);
    let mut browser = world.browser();
    let asked = browser.go_to_provider("/due").await;
    let code = world.provider.code(&asked);
    world.provider.is_down(true);
    let shown = browser.back(&asked["state"], &code).await;
    assert_eq!(shown.status, StatusCode::BAD_GATEWAY);
    assert!(shown.text.contains("can&#39;t be reached"), "{}", shown.text);
    world.wait(7_200);
    let logged = browser.get("/sign-in/provider").await;
    assert_eq!(logged.status, StatusCode::SEE_OTHER, "what was known of it will do");
    let other = World::new().await;
    other.provider.is_down(true);
    assert_eq!(other.browser().get("/sign-in/provider").await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let world = World::new().await;
    let mut browser = world.browser();
    let token = browser.token("/sign-in").await;
    let fields = [("csrf", token.as_str()), ("key", "cps_")];
    for _ in 0..60 {
        assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::BAD_REQUEST);
    }
    for path in ["/sign-in/provider", "/sign-in/callback?state=a&code=b"] {
        assert_eq!(browser.get(path).await.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.wait(1);
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let world = World::new().await;
    let shown = world.browser().sign_in(&"a".repeat(FORM_BYTES_MAX), "/").await;
    assert_eq!(shown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_older_session_of_the_browser_ends_when_another_begins() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.sign_in(&key(1), "/").await;
    let mut before = browser.clone();
    assert!(before.is_signed_in().await);
    browser.sign_in(&key(2), "/").await;
    assert!(browser.is_signed_in().await && !before.is_signed_in().await);
}

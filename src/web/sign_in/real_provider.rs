//! Signing in at a provider that shares no code with this one: npm's `oidc-provider`.
//!
//! `CONSPECTUS_OIDC_PROVIDER` names a folder with it in `node_modules`; `tests/clients/run` makes one. Without it the
//! test says `skipped`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{Request, StatusCode, header};
use openidconnect::{AsyncHttpClient, HttpResponse};

use super::http_client::HttpClient;
use super::test_world::{AT, Browser, Shown, World};
use crate::model::timestamp::Timestamp;

/// The provider, while a test runs.
struct RealProvider(Child);

impl RealProvider {
    /// Starts it, and says what its issuer is.
    fn start(folder: &str) -> (Self, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oidc/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        (Self(child), issuer.trim().to_owned())
    }
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What a browser has of the provider.
struct AtProvider {
    http: HttpClient,
    issuer: String,
    cookies: BTreeMap<String, String>,
}

impl AtProvider {
    fn new(issuer: &str) -> Self {
        Self { http: HttpClient::new(), issuer: issuer.to_owned(), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, address: &str, form: Option<&str>) -> HttpResponse {
        let address = if address.starts_with('/') { format!("{}{address}", self.issuer) } else { address.to_owned() };
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if form.is_some() { Request::post(&address) } else { Request::get(&address) };
        let request = request
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.unwrap_or_default().as_bytes().to_vec())
            .unwrap();
        let answer = self.http.call(request).await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// Signs somebody in, or gives up, and follows to where the provider sends the browser back.
    async fn sign_in(&mut self, address: &str, subject: Option<&str>) -> String {
        let mut address = address.to_owned();
        for _ in 0..10 {
            if let Some(back) = address.strip_prefix(AT) {
                return back.to_owned();
            }
            let answer = self.send(&address, None).await;
            let answer = match (answer.status().is_redirection(), subject) {
                (true, _) => answer,
                (false, None) => self.send(&format!("{address}/abort"), None).await,
                (false, Some(subject)) => {
                    let page = String::from_utf8_lossy(answer.body()).into_owned();
                    let prompt = if page.contains("value=\"login\"") { "login" } else { "consent" };
                    self.send(&address, Some(&format!("prompt={prompt}&login={subject}&password=any"))).await
                }
            };
            address = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
        }
        panic!("the provider sends the browser round in circles: {address}");
    }
}

async fn sign_in(browser: &mut Browser<'_>, issuer: &str, subject: Option<&str>) -> (Shown, String) {
    let address = browser.provider_address("/due").await;
    let back = AtProvider::new(issuer).sign_in(&address, subject).await;
    (browser.get(&back).await, back)
}

#[tokio::test]
async fn people_sign_in_at_a_real_provider_and_nobody_else_does() {
    let Ok(folder) = std::env::var("CONSPECTUS_OIDC_PROVIDER") else {
        return eprintln!("skipped: CONSPECTUS_OIDC_PROVIDER names no folder with the provider");
    };
    let (_provider, issuer) = RealProvider::start(&folder);
    let ahead_seconds = Arc::new(AtomicI64::new(0));
    let ahead = Arc::clone(&ahead_seconds);
    let clock = move || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        Timestamp(i64::try_from(now).unwrap() + ahead.load(Ordering::Relaxed) * 1_000_000)
    };
    let world = World::new(&issuer, Arc::new(clock));

    let mut browser = world.browser();
    let (shown, back) = sign_in(&mut browser, &issuer, Some("7")).await;
    assert_eq!((shown.status, shown.location.as_str()), (StatusCode::SEE_OTHER, "/due"), "{}", shown.text);
    assert_eq!(browser.get("/due").await.location, "/sign-in/purpose?next=%2Fdue");
    let (_, state) = back.split_once("state=").unwrap();
    assert!(back.contains("iss=") && !state.is_empty(), "{back}");

    // The same again, and its code in another sign-in of the same browser.
    assert_eq!(browser.get(&back).await.status, StatusCode::BAD_REQUEST);
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(back.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
    let mut thief = world.browser();
    let asked = thief.go_to_provider("/due").await;
    assert_eq!(thief.back(&asked["state"], &query["code"]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(thief.back("another", &query["code"]).await.status, StatusCode::BAD_REQUEST);
    assert!(!thief.is_signed_in().await);

    // Nobody that is known, and nobody at all.
    let (shown, _) = sign_in(&mut world.browser(), &issuer, Some("nobody")).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(shown.text.contains(&format!("you are nobody at {issuer}")), "{}", shown.text);
    let (shown, back) = sign_in(&mut world.browser(), &issuer, None).await;
    assert!(shown.status == StatusCode::FORBIDDEN && back.contains("error=access_denied"), "{back}");

    // Tokens are good for 30 seconds, and clocks may be a minute apart.
    for (ahead, is_good) in [(60, true), (-50, true), (120, false), (-90, false)] {
        ahead_seconds.store(ahead, Ordering::Relaxed);
        let (shown, _) = sign_in(&mut world.browser(), &issuer, Some("7")).await;
        let expected = if is_good { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(shown.status, expected, "{ahead} s: {}", shown.text);
    }

    world.forget("7");
    world.wait(60);
    assert!(!browser.is_signed_in().await, "revoked");
}

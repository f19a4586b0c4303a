//! Signing in as browsers do, by keys and at a provider that may say anything.

use std::sync::Arc;

use axum::http::{Request, StatusCode, header};

use super::test_provider::{CLIENT_ID, GOOD, Says, SignedBy, TestProvider};
use super::test_world::{Browser, Shown, World, key};
use super::{FORM_BYTES_MAX, Refusal};
use crate::model::timestamp::Timestamp;
use crate::web::session::IDLE_MAX;

const NOW_SECONDS: i64 = 1_800_000_000;

async fn mocked() -> (World, TestProvider) {
    let provider = TestProvider::start(NOW_SECONDS).await;
    (World::new(&provider.issuer(), Arc::new(|| Timestamp(NOW_SECONDS * 1_000_000))), provider)
}

/// Signs in at the provider, and comes back.
async fn sign_in_at(provider: &TestProvider, browser: &mut Browser<'_>) -> Shown {
    let asked = browser.go_to_provider("/due").await;
    let code = provider.code(&asked);
    browser.back(&asked["state"], &code).await
}

#[tokio::test]
async fn a_key_begins_a_session_and_signing_out_ends_it() {
    let (world, _) = mocked().await;
    let mut browser = world.browser();
    let sent = browser.get("/due?a=b").await;
    assert_eq!((sent.status, sent.location.as_str()), (StatusCode::SEE_OTHER, "/sign-in?next=%2Fdue%3Fa%3Db"));
    let sent = browser.sign_in(&format!(" {} ", key(1)), "/due?a=b").await;
    assert_eq!((sent.status, sent.location.as_str()), (StatusCode::SEE_OTHER, "/due?a=b"));
    let shown = browser.get("/due").await;
    let (who, token) = shown.text.rsplit_once(' ').unwrap();
    assert_eq!(who, "feed []");
    let stolen = browser.clone();
    let refused = browser.post("/sign-out", &[("csrf", &"0".repeat(64))]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("You are still signed in: "), "{}", refused.text);
    let opened = browser.get("/sign-out").await;
    assert_eq!(opened.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(opened.text.contains("The address /sign-out belongs to a form"), "{}", opened.text);
    assert_eq!(browser.post("/sign-out", &[("csrf", token)]).await.location, "/sign-in");
    assert!(!browser.is_signed_in().await);
    assert!(!stolen.clone().is_signed_in().await, "the cookie is worth nothing any more");
}

#[tokio::test]
async fn a_key_that_is_none_or_is_not_accepted_is_refused_at_its_field() {
    let (world, _) = mocked().await;
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
    let (world, _) = mocked().await;
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
async fn a_form_is_taken_from_whoever_it_was_made_for_alone_and_whole() {
    let (world, _) = mocked().await;
    let mut browser = world.browser();
    let shown = browser.post("/due", &[("csrf", &"0".repeat(64)), ("a", "b")]).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(shown.text.contains("What you sent was not taken: nothing was stored"), "{}", shown.text);
    browser.sign_in(&key(1), "/").await;
    let token = browser.get("/due").await.text.rsplit_once(' ').unwrap().1.to_owned();
    for fields in [vec![("a", "b")], vec![("a", "b"), ("csrf", token.as_str())]] {
        assert_eq!(browser.post("/due", &fields).await.status, StatusCode::FORBIDDEN);
    }
    let fields = [("csrf", token.as_str()), ("a", "b")];
    let mut other = world.browser();
    other.sign_in(&key(2), "/").await;
    assert_eq!(other.post("/due", &fields).await.status, StatusCode::FORBIDDEN, "it was made for another");
    let shown = browser.post("/due", &fields).await;
    assert_eq!((shown.status, shown.text), (StatusCode::OK, format!("csrf={token}&a=b")));
}

#[tokio::test]
async fn a_form_that_took_longer_than_the_session_is_taken_after_signing_in_again() {
    let (world, _) = mocked().await;
    let mut browser = world.browser();
    browser.sign_in(&key(1), "/").await;
    let token = browser.get("/due").await.text.rsplit_once(' ').unwrap().1.to_owned();
    let fields = [("csrf", token.as_str()), ("a", "b")];
    world.wait(IDLE_MAX.as_secs());
    let refused = browser.post("/due", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for words in ["nothing was stored", "load it again", r#"<a href="/account" target="_blank""#] {
        assert!(refused.text.contains(words), "{words}: {}", refused.text);
    }
    browser.sign_in(&key(1), "/").await;
    assert_eq!(browser.post("/due", &fields).await.text, format!("csrf={token}&a=b"));
    // Whoever sits at it by then may be somebody else.
    world.wait(IDLE_MAX.as_secs());
    browser.sign_in(&key(2), "/").await;
    assert_eq!(browser.post("/due", &fields).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_provider_is_asked_with_all_that_ties_its_answer_to_this_browser() {
    let (world, _) = mocked().await;
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
    let (world, provider) = mocked().await;
    let mut browser = world.browser();
    assert_eq!(sign_in_at(&provider, &mut browser).await.location, "/due");
    assert_eq!(browser.get("/due").await.location, "/sign-in/purpose?next=%2Fdue");
    let token = browser.token("/sign-in/purpose?next=%2Fdue").await;
    let shown = browser.post("/sign-in/purpose", &[("csrf", &token), ("next", "/due"), ("purpose", "é–")]).await;
    assert_eq!(shown.status, StatusCode::BAD_REQUEST);
    assert!(shown.text.contains("3 to 200 characters on one line"), "{}", shown.text);
    let fields = [("csrf", token.as_str()), ("next", "/due"), ("purpose", "the board’s report – 2026")];
    assert_eq!(browser.post("/sign-in/purpose", &fields).await.location, "/due");
    assert!(browser.get("/due").await.text.starts_with("al [the board’s report – 2026] "));
    assert_eq!(world.browser().get("/sign-in/purpose").await.location, "/sign-in?next=%2F");
}

#[tokio::test]
async fn what_the_provider_says_counts_only_if_all_of_it_is_good() {
    let (world, provider) = mocked().await;
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
        provider.says(says);
        world.wait(60);
        let mut browser = world.browser();
        let shown = sign_in_at(&provider, &mut browser).await;
        let expected = if is_good { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(shown.status, expected, "{what}: {}", shown.text);
        assert_eq!(browser.is_signed_in().await, is_good, "{what}");
        assert_eq!(shown.text.contains("can&#39;t be trusted"), !is_good, "{what}: {}", shown.text);
    }
}

#[tokio::test]
async fn a_sign_in_is_finished_once_and_by_who_began_it() {
    let (world, provider) = mocked().await;
    let (mut browser, mut other) = (world.browser(), world.browser());
    let asked = browser.go_to_provider("/due").await;
    let code = provider.code(&asked);
    // Somebody else's sign-in, handed to this browser, or this one's to somebody else.
    other.get("/sign-in").await;
    assert_eq!(other.back(&asked["state"], &code).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.back(&"0".repeat(64), &code).await.status, StatusCode::BAD_REQUEST);

    let asked = browser.go_to_provider("/due").await;
    let code = provider.code(&asked);
    let mut stolen = browser.clone();
    assert_eq!(browser.back(&asked["state"], &code).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stolen.back(&asked["state"], &code).await.status, StatusCode::BAD_REQUEST, "replayed");
    let again = stolen.go_to_provider("/due").await;
    let shown = stolen.back(&again["state"], &code).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN, "the provider knows that the code was used");
    assert!(!stolen.is_signed_in().await && !other.is_signed_in().await);

    let asked = browser.go_to_provider("/due").await;
    let code = provider.code(&asked);
    world.wait(601);
    assert_eq!(browser.back(&asked["state"], &code).await.status, StatusCode::BAD_REQUEST, "too late");
}

#[tokio::test]
async fn a_refusal_of_the_provider_and_another_provider_sign_nobody_in() {
    let (world, provider) = mocked().await;
    let mut browser = world.browser();
    let asked = browser.go_to_provider("/due").await;
    let refused = format!("/sign-in/callback?state={}&error=access_denied<b>", asked["state"]);
    let shown = browser.get(&refused.replace('<', "%3C").replace('>', "%3E")).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(!shown.text.contains("access_denied"), "what others say isn't shown");
    for (issuer, status) in [("https://other.example", 403), (provider.issuer().as_str(), 303)] {
        let asked = browser.go_to_provider("/due").await;
        let code = provider.code(&asked);
        let path = format!("/sign-in/callback?state={}&code={code}&iss={issuer}", asked["state"]);
        assert_eq!(browser.get(&path).await.status.as_u16(), status, "{issuer}");
    }
}

#[tokio::test]
async fn whoever_is_not_known_here_learns_as_whom_they_have_signed_in() {
    let (world, provider) = mocked().await;
    world.forget("7");
    let mut browser = world.browser();
    let shown = sign_in_at(&provider, &mut browser).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(shown.text.contains(&format!("you are 7 at {}", provider.issuer())), "{}", shown.text);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn whoever_is_revoked_is_out_within_a_minute() {
    let (world, provider) = mocked().await;
    for (who, sign_in) in [("7".to_owned(), None), (key(1), Some(key(1)))] {
        let mut browser = world.browser();
        match sign_in {
            Some(key) => browser.sign_in(&key, "/").await,
            None => sign_in_at(&provider, &mut browser).await,
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
    let (world, provider) = mocked().await;
    assert_eq!(sign_in_at(&provider, &mut world.browser()).await.status, StatusCode::SEE_OTHER);
    provider.rotate();
    world.wait(60);
    assert_eq!(sign_in_at(&provider, &mut world.browser()).await.status, StatusCode::SEE_OTHER);
    let mut browser = world.browser();
    let asked = browser.go_to_provider("/due").await;
    let code = provider.code(&asked);
    provider.is_down(true);
    let shown = browser.back(&asked["state"], &code).await;
    assert_eq!(shown.status, StatusCode::BAD_GATEWAY);
    assert!(shown.text.contains("can&#39;t be reached"), "{}", shown.text);
    world.wait(7_200);
    let logged = browser.get("/sign-in/provider").await;
    assert_eq!(logged.status, StatusCode::SEE_OTHER, "what was known of it will do");
    let (other, gone) = mocked().await;
    gone.is_down(true);
    assert_eq!(other.browser().get("/sign-in/provider").await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let (world, _) = mocked().await;
    let mut browser = world.browser();
    let token = browser.token("/sign-in").await;
    let fields = [("csrf", token.as_str()), ("key", "cps_")];
    for _ in 0..60 {
        assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::BAD_REQUEST);
    }
    for path in ["/sign-in/provider", "/sign-in/callback?state=a&code=b"] {
        let refused = browser.get(path).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert!(refused.text.contains("<h1>Too many attempts to sign in</h1>"), "{}", refused.text);
    }
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.wait(1);
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let (world, _) = mocked().await;
    let shown = world.browser().sign_in(&"a".repeat(FORM_BYTES_MAX), "/").await;
    assert_eq!(shown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_older_session_of_the_browser_ends_when_another_begins() {
    let (world, _) = mocked().await;
    let mut browser = world.browser();
    browser.sign_in(&key(1), "/").await;
    let mut before = browser.clone();
    assert!(before.is_signed_in().await);
    browser.sign_in(&key(2), "/").await;
    assert!(browser.is_signed_in().await && !before.is_signed_in().await);
}

//! A browser of somebody who has signed in to the page.

use hyper::{Method, StatusCode};

use crate::app::TestApp;
use crate::http::{Answer, send};
use crate::identities::{Condition, PURPOSE, authorization};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The cookie that an answer sets.
pub(crate) fn cookie(answer: &Answer, name: &str) -> String {
    let mut cookies = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let found = cookies.find(|cookie| cookie.starts_with(name) && !cookie.contains("Max-Age=0"));
    let found = found.unwrap_or_else(|| panic!("{answer:?}"));
    found.split(';').next().unwrap().to_owned()
}

/// The token of the first form of a page.
pub(crate) fn csrf(html: &str) -> String {
    html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// What a browser gets that nobody has signed in with yet, when a key is given.
pub(crate) async fn try_sign_in(app: &TestApp, key: &str) -> Answer {
    let form = send(app.web(), Method::GET, "/sign-in", &[], "").await;
    let (browser, csrf) = (cookie(&form, "conspectus"), csrf(form.text()));
    let fields = serde_urlencoded::to_string([("csrf", csrf.as_str()), ("next", "/account"), ("key", key)]).unwrap();
    send(app.web(), Method::POST, "/sign-in", &[FORM, ("cookie", &browser)], fields).await
}

/// Signs in with somebody's good key, and says what figures are read for where that is asked; the session's cookie.
pub(crate) async fn sign_in(app: &TestApp, who: &str) -> String {
    let known = app.cookies().lock().unwrap().get(who).cloned();
    if let Some(cookie) = known {
        return cookie;
    }
    let key = authorization(who, Condition::Good).unwrap();
    let answer = try_sign_in(app, key.trim_start_matches("Bearer ")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let session = cookie(&answer, "conspectus");
    let account = send(app.web(), Method::GET, "/account", &[("cookie", &session)], "").await;
    if account.header("location").is_some_and(|to| to.starts_with("/sign-in/purpose")) {
        let form = send(app.web(), Method::GET, "/sign-in/purpose", &[("cookie", &session)], "").await;
        let body = format!("csrf={}&next=/&purpose={}", csrf(form.text()), PURPOSE.replace(' ', "+"));
        let stated = send(app.web(), Method::POST, "/sign-in/purpose", &[FORM, ("cookie", &session)], body).await;
        assert_eq!(stated.status, StatusCode::SEE_OTHER, "{}", stated.text());
    }
    app.cookies().lock().unwrap().insert(who.to_owned(), session.clone());
    session
}

/// What is at an address, as somebody sees it who has signed in.
pub(crate) async fn get_as(app: &TestApp, who: &str, path: &str) -> Answer {
    let session = sign_in(app, who).await;
    send(app.web(), Method::GET, path, &[("cookie", &session)], "").await
}

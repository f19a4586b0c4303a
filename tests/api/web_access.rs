//! The access matrix of the page: every address by every identity, in every state of a credential.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hyper::{Method, StatusCode};

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, figure, submission};
use crate::http::{Answer, send};
use crate::identities::{self, Condition, IDENTITIES, authorization, by};
use crate::web::{self, csrf, sign_in};

/// An address, with what somebody who may see it asks there; a form's fields where it takes one.
struct Door {
    path: Cow<'static, str>,
    question: &'static str,
    form: Option<(&'static str, &'static str)>,
}

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=x";

const fn get(path: &'static str, question: &'static str) -> Door {
    Door { path: Cow::Borrowed(path), question, form: None }
}

const AGENCY: &str = "agency=hampshire-childrens-services";
const SUBMISSION: &str = "agency=hampshire-childrens-services&request_id=one";
const PICTURE: &str = "area=E10000014&period=2020-21";
const SERIES: &str = "indicator=initial-contacts&area=E10000014&to=2020-21&rank=1";
const FIGURE: &str = "indicator=initial-contacts&area=E10000014&period=2020-21";
const HISTORY: &str = "indicator=initial-contacts&area=E10000014&period=2020-21&agency=hampshire-childrens-services";

/// Every address that isn't everybody's, but for those of files.
const PAGES: [Door; 25] = [
    get("/", ""),
    get("/picture", PICTURE),
    get("/indicator", SERIES),
    get("/explain", FIGURE),
    get("/history", HISTORY),
    get("/due", AGENCY),
    get("/due/template.xlsx", "agency=hampshire-childrens-services&period=FY2020-21"),
    get("/submissions", AGENCY),
    get("/submission", SUBMISSION),
    get("/submission/receipt", SUBMISSION),
    get("/submission/figures.csv", SUBMISSION),
    get("/submission/withdraw", SUBMISSION),
    Door {
        path: Cow::Borrowed("/submission/withdraw"),
        question: "",
        form: Some((URLENCODED, "csrf=CSRF&agency=hampshire-childrens-services&request_id=none&reason=wrong")),
    },
    get("/submit", AGENCY),
    // A form without a file: whoever may submit is asked for one.
    Door {
        path: Cow::Borrowed("/submit/check"),
        question: AGENCY,
        form: Some((MULTIPART, "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nCSRF\r\n--x--\r\n")),
    },
    Door {
        path: Cow::Borrowed("/submit/send"),
        question: AGENCY,
        form: Some((MULTIPART, "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nCSRF\r\n--x--\r\n")),
    },
    get("/changes", ""),
    get("/catalogue", ""),
    get("/keys", ""),
    get("/keys/revoke", "identity=reader"),
    // Nobody is called so: whoever may revoke learns so.
    Door {
        path: Cow::Borrowed("/keys/revoke"),
        question: "",
        form: Some((URLENCODED, "csrf=CSRF&identity=nobody&key_id=")),
    },
    get("/audit", ""),
    get("/about", ""),
    get("/account", ""),
    get("/nowhere", ""),
];

/// What is also files, by its address without their endings.
pub(crate) const FILES: [(&str, &str); 19] = [
    ("/picture", PICTURE),
    ("/indicator", SERIES),
    ("/indicator/areas", SERIES),
    ("/explain", FIGURE),
    ("/history", HISTORY),
    ("/due", "agency=hampshire-childrens-services&period=FY2020-21"),
    ("/submissions", AGENCY),
    ("/submission", SUBMISSION),
    ("/changes", "after=0&area=E10000014"),
    ("/catalogue/areas", ""),
    ("/catalogue/agencies", ""),
    ("/catalogue/indicators", ""),
    ("/catalogue/checks", ""),
    ("/catalogue/dimensions", ""),
    ("/catalogue/rules", ""),
    ("/catalogue/calendars", ""),
    ("/keys", ""),
    ("/audit", ""),
    ("/about", ""),
];

/// The endings of files.
pub(crate) const ENDINGS: [&str; 3] = ["csv", "xlsx", "json"];

/// Every address that isn't everybody's.
fn doors() -> Vec<Door> {
    let file = |(page, question): &(&str, &'static str), ending: &str| Door {
        path: Cow::Owned(format!("{page}.{ending}")),
        question,
        form: None,
    };
    let files = FILES.iter().flat_map(|page| ENDINGS.map(|ending| file(page, ending)));
    PAGES.into_iter().chain(files).collect()
}

/// Every page, with what somebody who may see it asks there.
pub(crate) fn pages() -> Vec<(Cow<'static, str>, &'static str)> {
    PAGES.into_iter().filter(|door| door.form.is_none()).map(|door| (door.path, door.question)).collect()
}

/// The addresses that are everybody's, besides those of signing in.
const OPEN: [&str; 4] = ["/accessibility", "/about/api", "/about/api/{service}", "/about/openapi.json"];

impl Door {
    fn method(&self) -> Method {
        if self.form.is_some() { Method::POST } else { Method::GET }
    }

    /// Whoever asks signs in first; whoever sends a form is told that it wasn't taken.
    fn assert_closed(&self, answer: &Answer) {
        if self.form.is_some() {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", self.path);
            assert!(answer.text().contains("nothing was stored"), "{}: {}", self.path, answer.text());
        } else {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", self.path);
            assert!(answer.header("location").unwrap().starts_with("/sign-in"), "{}", self.path);
        }
    }

    async fn knock(&self, app: &TestApp, cookie: Option<&str>, csrf: &str) -> Answer {
        let mut headers: Vec<(&str, &str)> = cookie.map(|cookie| ("cookie", cookie)).into_iter().collect();
        headers.extend(self.form.map(|(content_type, _)| ("content-type", content_type)));
        let body = self.form.map(|(_, fields)| fields.replace("CSRF", csrf)).unwrap_or_default();
        send(app.web(), self.method(), &format!("{}?{}", self.path, self.question), &headers, body).await
    }
}

/// An address of a route that is everybody's.
fn address(route: &str) -> String {
    route.replace("{service}", "KeyService")
}

async fn with_a_submission() -> TestApp {
    let app = TestApp::seeded(identities::seed).await;
    let one = submission("one", [figure("initial-contacts", "2020-21", "126150")]);
    app.submissions().submit_observations(by("submitter", one)).await.unwrap();
    assert_eq!((CHILDRENS_SERVICES, HAMPSHIRE), ("hampshire-childrens-services", "E10000014"));
    app
}

#[test]
fn every_route_is_in_the_matrix() {
    let source = include_str!("../../src/web/mod.rs");
    let named = |call: &str| -> Vec<&str> {
        source.split(call).skip(1).map(|route| route.split('"').next().unwrap()).collect()
    };
    let files = named(".files(\"").into_iter().flat_map(|page| ENDINGS.map(|ending| format!("{page}.{ending}")));
    let routes: BTreeSet<String> = named(".route(\"").into_iter().map(str::to_owned).chain(files).collect();
    let doors = doors().into_iter().map(|door| door.path.into_owned()).filter(|path| path != "/nowhere");
    let doors: BTreeSet<String> = doors.chain(OPEN.map(str::to_owned)).collect();
    assert_eq!(routes, doors);
}

#[tokio::test]
async fn every_address_by_every_identity() {
    let app = with_a_submission().await;
    let mut rows = vec![format!("{:34}", "")];
    for identity in &IDENTITIES {
        rows[0].push_str(&format!("{:>24}", identity.name));
    }
    for door in &doors() {
        let mut row = format!("{:34}", format!("{} {}", door.method(), door.path));
        for identity in &IDENTITIES {
            let cookie = sign_in(&app, identity.name).await;
            let account = send(app.web(), Method::GET, "/account", &[("cookie", &cookie)], "").await;
            let answer = door.knock(&app, Some(&cookie), &csrf(account.text())).await;
            row.push_str(&format!("{:>24}", answer.status.as_u16()));
        }
        rows.push(row);
    }
    insta::assert_snapshot!(rows.join("\n"));
}

#[tokio::test]
async fn what_is_everybodys_is_there_for_who_has_no_session() {
    let app = with_a_submission().await;
    for route in OPEN {
        let answer = send(app.web(), Method::GET, &address(route), &[], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{route}");
    }
}

#[tokio::test]
async fn whoever_has_no_session_signs_in_first_whatever_the_address() {
    let app = with_a_submission().await;
    let good = authorization("analyst", Condition::Good).unwrap();
    let session = sign_in(&app, "analyst").await;
    let (name, value) = session.split_once('=').unwrap();
    let cut = format!("{name}={}", &value[..value.len() - 1]);
    let another = format!("{name}={}", "0".repeat(value.len()));
    for door in &doors() {
        for cookie in [None, Some(""), Some(name), Some(&*cut), Some(&*another), Some(&*format!("{name}={good}"))] {
            let answer = door.knock(&app, cookie, &"0".repeat(64)).await;
            door.assert_closed(&answer);
        }
    }
}

#[tokio::test]
async fn a_good_key_alone_begins_a_session() {
    let app = with_a_submission().await;
    for identity in &IDENTITIES {
        for condition in Condition::ALL {
            let sent = authorization(identity.name, condition).unwrap_or_default();
            let key = if condition == Condition::Malformed { &sent } else { sent.trim_start_matches("Bearer ") };
            let answer = web::try_sign_in(&app, key).await;
            let cookie = web::cookie(&answer, "conspectus");
            let account = send(app.web(), Method::GET, "/account", &[("cookie", &cookie)], "").await;
            let is_in = condition == Condition::Good;
            let who = format!("{} {condition:?}", identity.name);
            assert_eq!(answer.status == StatusCode::SEE_OTHER, is_in, "{who}: {}", answer.status);
            let leads_to = account.header("location").unwrap_or("/account");
            assert_eq!(leads_to.starts_with("/sign-in?"), !is_in, "{who}: {leads_to}");
        }
    }
}

/// How quickly whoever is revoked is out: a session is looked at again when it was last 15 seconds ago.
const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

#[tokio::test]
async fn a_session_ends_within_a_minute_of_the_revocation_of_its_key_on_every_page() {
    use conspectus::rpc::client::key_service_client::KeyServiceClient;
    use conspectus::rpc::proto::RevokeKeyRequest;

    let app = with_a_submission().await;
    let cookie = sign_in(&app, "analyst").await;
    assert_eq!(send(app.web(), Method::GET, "/account", &[("cookie", &cookie)], "").await.status, StatusCode::OK);
    let revoke = RevokeKeyRequest { identity: "analyst".to_owned(), key_id: String::new() };
    KeyServiceClient::new(app.channel()).revoke_key(by("operator", revoke)).await.unwrap();
    let start = std::time::Instant::now();
    while send(app.web(), Method::GET, "/account", &[("cookie", &cookie)], "").await.status == StatusCode::OK {
        assert!(start.elapsed() < MINUTE, "it goes on");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for door in &doors() {
        let answer = door.knock(&app, Some(&cookie), &"0".repeat(64)).await;
        door.assert_closed(&answer);
    }
}

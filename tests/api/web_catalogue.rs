//! The pages of the catalogue, of what has changed, of the keys, and about the service.

use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::proto::{ListAreasRequest, ListKeysRequest, RotateKeyRequest, SubmitObservationsRequest};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, figure, submission, withdrawal};
use crate::http::{Answer, send};
use crate::identities::{self, Condition, PURPOSE, authorization, by, put};

const CONTACTS: &str = "initial-contacts";
const EVERYBODY: [&str; 6] = ["operator", "steward", "reader", "submitter", "corrector", "analyst"];

/// A request of somebody's browser.
async fn ask(app: &TestApp, who: &str, method: Method, path: &str, form: &'static str) -> Answer {
    let key = authorization(who, Condition::Good).unwrap();
    let headers = [("authorization", &*key), ("conspectus-purpose", PURPOSE)];
    let form_type = [("content-type", "application/x-www-form-urlencoded")];
    let headers = if form.is_empty() { headers.to_vec() } else { [&headers[..], &form_type].concat() };
    send(app.web(), method, path, &headers, form).await
}

async fn get(app: &TestApp, who: &str, path: &str) -> Answer {
    ask(app, who, Method::GET, path, "").await
}

async fn page(app: &TestApp, who: &str, path: &str) -> String {
    let answer = get(app, who, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.text().to_owned()
}

/// Who may see a page; the others are refused.
async fn allowed(app: &TestApp, path: &str) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for who in EVERYBODY {
        match get(app, who, path).await.status {
            StatusCode::OK => allowed.push(who),
            status => assert_eq!(status, StatusCode::FORBIDDEN, "{who}"),
        }
    }
    let nobody = send(app.web(), Method::GET, path, &[], "").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{path}");
    allowed
}

#[tokio::test]
async fn each_page_is_for_those_who_may_read_what_it_shows() {
    let app = TestApp::seeded(identities::seed).await;
    let readers_of_the_catalogue = ["steward", "submitter", "corrector", "analyst"];
    assert_eq!(allowed(&app, "/catalogue").await, readers_of_the_catalogue);
    assert_eq!(allowed(&app, "/catalogue/areas.json").await, readers_of_the_catalogue);
    assert_eq!(allowed(&app, "/changes").await, ["analyst"]);
    assert_eq!(allowed(&app, "/changes.json?area=HIPS").await, ["analyst"]);
    assert_eq!(allowed(&app, "/keys").await, ["operator"]);
    assert_eq!(allowed(&app, "/keys.json").await, ["operator"]);
    assert_eq!(allowed(&app, "/keys/revoke?identity=steward").await, ["operator"]);
    for path in ["/about", "/about/api", "/about/api/PictureService", "/about/openapi.json"] {
        assert_eq!(send(app.web(), Method::GET, path, &[], "").await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(send(app.web(), Method::GET, "/about/api/Nothing", &[], "").await.status, StatusCode::NOT_FOUND);
    for who in EVERYBODY {
        let names_revision = page(&app, who, "/about").await.contains("Newest revision");
        assert_eq!(names_revision, who != "reader", "{who}");
    }
}

#[tokio::test]
async fn what_somebody_writes_stays_text() {
    let app = TestApp::seeded(identities::seed).await;
    put(
        &app,
        r#"
        areas = [{ code = "X1", name = "<script>alert(1)</script>", level = "upper-tier" }]
        agencies = [{ id = "quoted", name = '" onfocus="alert(2)', sector = "other", areas = ["X1"] }]
        "#,
    )
    .await;
    for who in ["analyst", "steward"] {
        let html = page(&app, who, "/catalogue").await;
        assert!(html.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{html}");
        assert!(!html.contains("<script") && !html.contains("\" onfocus"), "{html}");
    }
    let hostile = "/changes?area=%22%3E%3Cscript%3E&after=javascript:alert(1)";
    let refused = get(&app, "analyst", hostile).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("&#34;&#62;&#60;script&#62;"), "{}", refused.text());
    assert!(refused.text().contains("<code>after</code>") && !refused.text().contains("<script"), "{}", refused.text());
    let html = page(&app, "operator", "/keys/revoke?identity=%22%3E%3Cscript%3E").await;
    assert!(!html.contains("<script"), "{html}");
}

#[tokio::test]
async fn a_change_is_shown_with_what_was_there_before_and_why() {
    let app = TestApp::seeded(identities::seed).await;
    let reason = "<b>recounted</b>".to_owned();
    let corrected = submission("b", [figure(CONTACTS, "FY2021-22", "153033")]);
    let corrected = SubmitObservationsRequest { reason, ..corrected };
    for request in [submission("a", [figure(CONTACTS, "FY2021-22", "126153")]), corrected] {
        app.submissions().submit_observations(by("submitter", request)).await.unwrap();
    }
    let withdrawn = app.submissions().withdraw_submission(by("submitter", withdrawal("b"))).await.unwrap();
    let newest = withdrawn.into_inner().revision;
    let of = async |path: &str| get(&app, "analyst", path).await;
    let all = of("/changes").await;
    let rows: Vec<&str> = all.text().split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 3, "{}", all.text());
    let cells = |row: &str, cells: [&str; 3]| cells.iter().all(|cell| row.contains(&format!(">{cell}</td>")));
    assert!(cells(rows[0], ["none", "126,153", "new"]), "{}", rows[0]);
    assert!(cells(rows[1], ["126,153", "153,033", "revised"]), "{}", rows[1]);
    assert!(rows[1].contains("&#60;b&#62;recounted&#60;/b&#62;"), "{}", rows[1]);
    assert!(cells(rows[2], ["153,033", "126,153", "restored, as what replaced it was withdrawn"]), "{}", rows[2]);
    let since_now = format!("href=\"/changes?after={newest}&#38;area=HIPS\"");
    assert!(all.text().contains(&since_now), "{}", all.text());

    assert!(of(&format!("/changes?after={newest}&area=HIPS")).await.text().contains("Nothing has changed."));
    let only =
        of(&format!("/changes?after={}&area={HAMPSHIRE}&indicator={CONTACTS}&agency={CHILDRENS_SERVICES}", newest - 2))
            .await;
    assert_eq!(only.text().split("<tr>").count(), 4);
    assert!(of("/changes?after=2&indicator=referrals").await.text().contains("Nothing has changed."));
}

#[tokio::test]
async fn the_catalogue_as_of_a_revision_stays_the_same_to_the_byte() {
    let app = TestApp::seeded(identities::seed).await;
    let newest = app.catalogue().list_areas(by("steward", ListAreasRequest::default())).await.unwrap().into_inner();
    let path = format!("/catalogue?as_of_revision={}&day=2022-03-31", newest.revision);
    let before = page(&app, "analyst", &path).await;
    put(&app, "areas = [{ code = \"X1\", name = \"Another\", level = \"upper-tier\" }]").await;
    assert_eq!(page(&app, "analyst", &path).await, before);
    assert!(page(&app, "analyst", "/catalogue").await.contains("Another"));
    let wrong = get(&app, "analyst", "/catalogue?day=31.3.2022&as_of_revision=-1&dya=1").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    for field in ["day", "as_of_revision", "dya"] {
        assert!(wrong.text().contains(&format!("<code>{field}</code>")), "{}", wrong.text());
    }
}

/// What a page's JSON is, and what a method answers by the Connect protocol.
async fn both(app: &TestApp, who: &str, path: &str, method: &str, message: &Value) -> (Value, Value) {
    let key = authorization(who, Condition::Good).unwrap();
    let headers = [("authorization", &*key), ("conspectus-purpose", PURPOSE), ("content-type", "application/json")];
    let method = format!("/conspectus.v1.{method}");
    let answer = send(app.address(), Method::POST, &method, &headers, message.to_string()).await;
    (get(app, who, path).await.json(), answer.json())
}

#[tokio::test]
async fn the_json_of_a_page_is_the_served_answer() {
    let app = TestApp::seeded(identities::seed).await;
    app.submissions()
        .submit_observations(by("submitter", submission("a", [figure(CONTACTS, "FY2021-22", "5")])))
        .await
        .unwrap();
    for (list, method) in [
        ("areas", "ListAreas"),
        ("agencies", "ListAgencies"),
        ("indicators", "ListIndicators"),
        ("dimensions", "ListDimensions"),
        ("calendars", "ListCalendars"),
        ("rules", "ListReconciliationRules"),
    ] {
        let (path, method) = (format!("/catalogue/{list}.json"), format!("CatalogueService/{method}"));
        let (page, answer) = both(&app, "analyst", &path, &method, &json!({ "pageSize": 1000 })).await;
        assert_eq!(page, answer, "{list}");
        assert!(page["revision"].is_string(), "{page}");
    }
    let question = json!({ "areas": ["HIPS"], "pageSize": 100 });
    let (page, answer) =
        both(&app, "analyst", "/changes.json?area=HIPS", "PictureService/ListChanges", &question).await;
    assert_eq!(page, answer);
    assert_eq!(page["changes"][0]["observation"]["number"], "5");
    let refused = get(&app, "analyst", "/changes.json?area=HIPS&after=x").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_argument")));
}

#[tokio::test]
async fn an_operator_revokes_a_key_and_then_an_identity() {
    let app = TestApp::seeded(identities::seed).await;
    let mut keys = KeyServiceClient::new(app.channel());
    let request = RotateKeyRequest { identity: "analyst".to_owned(), ..RotateKeyRequest::default() };
    let new = keys.rotate_key(by("operator", request)).await.unwrap().into_inner();
    let identities = keys.list_keys(by("operator", ListKeysRequest::default())).await.unwrap().into_inner().identities;
    let analyst = identities.iter().find(|identity| identity.id == "analyst").unwrap();
    assert!(analyst.keys.iter().any(|key| key.id == new.key_id));

    let html = page(&app, "operator", "/keys").await;
    let link = format!("/keys/revoke?identity=analyst&#38;key_id={}", new.key_id);
    assert!(html.contains(&link), "{html}");
    let html = page(&app, "operator", &link.replace("&#38;", "&")).await;
    assert!(
        html.contains("<form action=\"/keys/revoke\" method=\"post\">\n<input type=\"hidden\" name=\"csrf\""),
        "{html}"
    );
    assert_eq!(get(&app, "analyst", "/catalogue").await.status, StatusCode::OK, "asking revokes nothing");

    let revoke = "csrf=&identity=analyst&key_id=";
    for who in EVERYBODY.into_iter().filter(|who| *who != "operator") {
        let refused = ask(&app, who, Method::POST, "/keys/revoke", revoke).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
    }
    let done = ask(&app, "operator", Method::POST, "/keys/revoke", revoke).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, Some("/keys")));
    assert_eq!(get(&app, "analyst", "/catalogue").await.status, StatusCode::UNAUTHORIZED);
    assert!(page(&app, "operator", "/keys").await.contains("revoked"));
    let again = ask(&app, "operator", Method::POST, "/keys/revoke", "csrf=&identity=nobody-there").await;
    assert!(again.status.is_client_error(), "{}", again.status);
}

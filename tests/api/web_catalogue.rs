//! The pages of the catalogue, of what has changed, of the keys and the audit log, and about the service.

use conspectus::rpc::client::audit_service_client::AuditServiceClient;
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::proto::{
    AuditEvent, AuditLine, ListAreasRequest, ListAuditLinesRequest, ListAuditLinesResponse, ListKeysRequest,
    RotateKeyRequest, SubmitObservationsRequest,
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, figure, submission, withdrawal};
use crate::http::{Answer, send};
use crate::identities::{self, Condition, PURPOSE, authorization, by, put};
use crate::web::{csrf, get_as, sign_in};

const CONTACTS: &str = "initial-contacts";
const EVERYBODY: [&str; 6] = ["operator", "steward", "reader", "submitter", "corrector", "analyst"];

async fn page(app: &TestApp, who: &str, path: &str) -> String {
    let answer = get_as(app, who, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.text().to_owned()
}

/// What a form of somebody's browser is answered.
async fn post(app: &TestApp, who: &str, path: &str, form: String) -> Answer {
    let session = sign_in(app, who).await;
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    send(app.web(), Method::POST, path, &[("cookie", &session), form_type], form).await
}

/// Who may see a page; the others are refused.
async fn allowed(app: &TestApp, path: &str) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for who in EVERYBODY {
        match get_as(app, who, path).await.status {
            StatusCode::OK => allowed.push(who),
            status => assert_eq!(status, StatusCode::FORBIDDEN, "{who}"),
        }
    }
    let nobody = send(app.web(), Method::GET, path, &[], "").await;
    assert!(nobody.header("location").is_some_and(|to| to.starts_with("/sign-in?next=")), "{path}: {nobody:?}");
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
    assert_eq!(allowed(&app, "/audit").await, ["operator"]);
    assert_eq!(allowed(&app, "/audit.json").await, ["operator"]);
    for path in ["/about", "/about.json"] {
        assert_eq!(allowed(&app, path).await, EVERYBODY, "{path}");
    }
    for path in ["/accessibility", "/about/api", "/about/api/PictureService", "/about/openapi.json"] {
        assert_eq!(send(app.web(), Method::GET, path, &[], "").await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(send(app.web(), Method::GET, "/about/api/Nothing", &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn about_has_the_chain_hash_of_the_newest_revision() {
    let app = TestApp::seeded(identities::seed).await;
    let request = submission("b", [figure(CONTACTS, "FY2021-22", "5")]);
    let receipt = app.submissions().submit_observations(by("submitter", request)).await.unwrap().into_inner();
    let receipt = receipt.receipt.unwrap();
    let hash: String = receipt.chain_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for who in EVERYBODY {
        let html = page(&app, who, "/about").await;
        assert!(html.contains(&format!("<code>{hash}</code>")), "{html}");
        assert!(html.contains(&format!("<dd>{}. Every", receipt.revision)), "{html}");
        assert_eq!(html.contains("href=\"/audit\""), who == "operator");
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
    let refused = get_as(&app, "analyst", hostile).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("&#34;&#62;&#60;script&#62;"), "{}", refused.text());
    assert!(refused.text().contains("href=\"#after\"") && !refused.text().contains("<script"), "{}", refused.text());
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
    let of = async |path: &str| get_as(&app, "analyst", path).await;
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
    let wrong = get_as(&app, "analyst", "/catalogue?day=31.3.2022&as_of_revision=-1&dya=1").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    for problem in ["href=\"#day\"", "href=\"#as_of_revision\"", "dya: this page has no such parameter"] {
        assert!(wrong.text().contains(problem), "{problem}: {}", wrong.text());
    }
}

/// What a page's JSON is, and what a method answers by the Connect protocol.
async fn both(app: &TestApp, who: &str, path: &str, method: &str, message: &Value) -> (Value, Value) {
    let key = authorization(who, Condition::Good).unwrap();
    let headers = [("authorization", &*key), ("conspectus-purpose", PURPOSE), ("content-type", "application/json")];
    let method = format!("/conspectus.v1.{method}");
    let answer = send(app.address(), Method::POST, &method, &headers, message.to_string()).await;
    (get_as(app, who, path).await.json(), answer.json())
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
    let refused = get_as(&app, "analyst", "/changes.json?area=HIPS&after=x").await;
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
    assert_eq!(get_as(&app, "analyst", "/catalogue").await.status, StatusCode::OK, "asking revokes nothing");

    for who in EVERYBODY.into_iter().filter(|who| *who != "operator") {
        let token = csrf(&page(&app, who, "/account").await);
        let refused = post(&app, who, "/keys/revoke", format!("csrf={token}&identity=analyst&key_id=")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
        let others = csrf(&html);
        let forged = post(&app, who, "/keys/revoke", format!("csrf={others}&identity=analyst&key_id=")).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN, "{who}");
    }
    let forged = post(&app, "operator", "/keys/revoke", "csrf=&identity=analyst&key_id=".to_owned()).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert_eq!(get_as(&app, "analyst", "/catalogue").await.status, StatusCode::OK, "refused, nothing is revoked");

    let token = csrf(&html);
    let revoke = async |what: &str| post(&app, "operator", "/keys/revoke", format!("csrf={token}&{what}")).await;
    let done = revoke(&format!("identity=analyst&key_id={}", new.key_id)).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, Some("/keys")));
    let html = page(&app, "operator", "/keys").await;
    assert!(!html.contains(&link) && html.contains("/keys/revoke?identity=analyst&#38;key_id="), "{html}");
    let done = revoke("identity=analyst&key_id=").await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, Some("/keys")));
    let html = page(&app, "operator", "/keys").await;
    assert!(!html.contains("/keys/revoke?identity=analyst\"") && html.contains("<strong>revoked"), "{html}");
    let key = authorization("analyst", Condition::Good).unwrap();
    let headers = [("authorization", &*key), ("conspectus-purpose", PURPOSE), ("content-type", "application/json")];
    let path = "/conspectus.v1.CatalogueService/ListAreas";
    assert_eq!(send(app.address(), Method::POST, path, &headers, "{}").await.status, StatusCode::UNAUTHORIZED);
    for wrong in ["identity=nobody-there", "identity=", "identity=steward&key_id=zz", "identity=steward&keyid=00"] {
        let refused = revoke(wrong).await;
        assert!(refused.status.is_client_error(), "{wrong}: {}", refused.status);
    }
    assert!(page(&app, "operator", "/audit").await.contains("keys changed"));
}

async fn lines(
    app: &TestApp,
    who: &str,
    request: ListAuditLinesRequest,
) -> Result<ListAuditLinesResponse, tonic::Status> {
    let answer = AuditServiceClient::new(app.channel()).list_audit_lines(by(who, request)).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn the_audit_log_says_who_read_what_and_that_it_was_read_and_has_no_figure() {
    let app = TestApp::seeded(identities::seed).await;
    let request = submission("a", [figure(CONTACTS, "FY2021-22", "153033")]);
    app.submissions().submit_observations(by("submitter", request)).await.unwrap();
    page(&app, "analyst", &format!("/picture?area={HAMPSHIRE}&period=FY2021-22")).await;
    assert_eq!(get_as(&app, "steward", "/audit").await.status, StatusCode::FORBIDDEN);

    let html = page(&app, "operator", "/audit").await;
    let rows: Vec<&str> = html.split("<tr>").skip(2).collect();
    let read = rows.iter().find(|row| row.contains("<td>GetPicture</td>")).unwrap();
    for cell in ["<td>read</td>", "href=\"/audit?identity=analyst\"", PURPOSE, HAMPSHIRE, "<td>OK</td>"] {
        assert!(read.contains(cell), "{cell}: {read}");
    }
    assert!(!html.contains("153033") && !html.contains("153,033"), "{html}");
    let refusals = page(&app, "operator", "/audit?identity=steward&refusals=1").await;
    let rows: Vec<&str> = refusals.split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 1, "{refusals}");
    assert!(rows[0].contains("PERMISSION_DENIED") && rows[0].contains("ListAuditLines"), "{}", rows[0]);
    let own = page(&app, "operator", "/audit?identity=operator").await;
    assert!(own.contains("identity=steward only_refusals=true"), "the reading itself: {own}");
    let (page, answer) = both(
        &app,
        "operator",
        "/audit.json?identity=analyst",
        "AuditService/ListAuditLines",
        &json!({"identity": "analyst", "pageSize": 100}),
    )
    .await;
    assert_eq!(page["lines"], answer["lines"]);
    let wrong = get_as(&app, "operator", "/audit?identity=No%20One&refusals=2&page_token=ff").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    for problem in ["href=\"#identity\"", "href=\"#refusals\"", "page_token: not a token"] {
        assert!(wrong.text().contains(problem), "{problem}: {}", wrong.text());
    }
}

#[tokio::test]
async fn the_audit_log_is_searched_by_who_how_what_when_and_what_for() {
    let app = TestApp::seeded(identities::seed).await;
    page(&app, "analyst", &format!("/picture?area={HAMPSHIRE}&period=FY2021-22")).await;
    get_as(&app, "steward", "/keys").await;
    let all = lines(&app, "operator", ListAuditLinesRequest::default()).await.unwrap().lines;
    let (oldest, newest) = (all.last().unwrap().at, all[0].at);
    let none = ListAuditLinesRequest::default;
    let pictures = ListAuditLinesRequest { method: "GetPicture".to_owned(), area: HAMPSHIRE.to_owned(), ..none() };
    let path = "/conspectus.v1.PictureService/GetPicture".to_owned();
    let later = |at: Option<prost_types::Timestamp>, seconds| {
        at.map(|at| prost_types::Timestamp { seconds: at.seconds + seconds, nanos: 0 })
    };
    for (request, is_found) in [
        (pictures.clone(), true),
        (ListAuditLinesRequest { method: path, purpose: PURPOSE.to_uppercase(), ..pictures.clone() }, true),
        (ListAuditLinesRequest { since: oldest, until: later(newest, 1), ..pictures.clone() }, true),
        (ListAuditLinesRequest { event: AuditEvent::Read.into(), ..pictures.clone() }, true),
        (ListAuditLinesRequest { event: AuditEvent::Refused.into(), ..pictures.clone() }, false),
        (ListAuditLinesRequest { area: "E10000015".to_owned(), ..pictures.clone() }, false),
        (ListAuditLinesRequest { purpose: "something else".to_owned(), ..pictures.clone() }, false),
        (ListAuditLinesRequest { since: later(newest, 1), ..pictures.clone() }, false),
        (ListAuditLinesRequest { until: oldest, ..pictures.clone() }, false),
        (ListAuditLinesRequest { method: "Picture".to_owned(), ..pictures }, false),
    ] {
        let found = lines(&app, "operator", request.clone()).await.unwrap().lines;
        let is_picture = |line: &AuditLine| line.identity == "analyst" && line.method.ends_with("/GetPicture");
        assert_eq!(!found.is_empty(), is_found, "{request:?}");
        assert!(found.iter().all(is_picture), "{request:?}: {found:?}");
    }
    let refused = ListAuditLinesRequest { area: "a b".to_owned(), event: 99, since: newest, until: newest, ..none() };
    let refused = lines(&app, "operator", refused).await.unwrap_err();
    let fields: Vec<String> =
        refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|it| it.field).collect();
    assert_eq!(fields, ["area", "until", "event"]);

    let address =
        |more: &str| format!("/audit?method=GetPicture&area={HAMPSHIRE}&purpose=annual&since=2020-01-01{more}");
    let html = page(&app, "operator", &address("&event=read")).await;
    let rows: Vec<&str> = html.split("<tr>").skip(2).collect();
    assert!(rows.len() == 1 && rows[0].contains("<td>GetPicture</td>"), "{html}");
    assert!(html.contains("value=\"read\" selected") && html.contains("value=\"2020-01-01\""), "{html}");
    assert!(
        html.contains("/audit.csv?method=GetPicture&#38;area=E10000014&#38;event=read&#38;purpose=annual"),
        "{html}"
    );
    let file = get_as(&app, "operator", &address("&until=2020-01-02").replace("/audit?", "/audit.csv?")).await;
    assert_eq!(file.text().lines().count(), 1, "{}", file.text());
    let wrong = get_as(&app, "operator", "/audit?event=reads&since=soon&until=2026-13-01&refusals=1").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    for problem in ["href=\"#event\"", "href=\"#since\"", "href=\"#until\"", "allowed: a date such as 2026-03-01"] {
        assert!(wrong.text().contains(problem), "{problem}: {}", wrong.text());
    }
}

#[tokio::test]
async fn the_pages_of_the_audit_log_have_each_line_once_until_it_goes_on_in_another_file() {
    let app = TestApp::seeded(identities::seed).await;
    for _ in 0..5 {
        page(&app, "analyst", &format!("/picture?area={HAMPSHIRE}&period=FY2021-22")).await;
    }
    let all = lines(&app, "operator", ListAuditLinesRequest::default()).await.unwrap();
    assert!(all.next_page_token.is_empty() && all.lines.len() >= 5, "{all:?}");
    let newest = all.lines[0].number;
    assert_eq!(all.lines.iter().map(|line| line.number).collect::<Vec<_>>(), (1..=newest).rev().collect::<Vec<_>>());

    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAuditLinesRequest { page_size: 2, page_token, ..ListAuditLinesRequest::default() };
        let page = lines(&app, "operator", request).await.unwrap();
        assert!(page.lines.len() <= 2);
        found.extend(page.lines);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    // The pages before were lines by then.
    assert_eq!(
        found.iter().filter(|line| line.number <= newest).collect::<Vec<_>>(),
        all.lines.iter().collect::<Vec<_>>()
    );
    assert!(found.windows(2).all(|two| two[0].number == two[1].number + 1));

    let request = ListAuditLinesRequest { page_size: 1, ..ListAuditLinesRequest::default() };
    let page_token = lines(&app, "operator", request.clone()).await.unwrap().next_page_token;
    std::fs::rename(app.folder().join("audit.log"), app.folder().join("audit.log.1")).unwrap();
    let first = lines(&app, "operator", request.clone()).await.unwrap();
    assert_eq!(first.lines.len(), 0, "nothing was written since: {first:?}");
    let after = lines(&app, "operator", ListAuditLinesRequest::default()).await.unwrap();
    assert_eq!(after.lines.last().unwrap().event(), AuditEvent::Continued);
    let stale = lines(&app, "operator", ListAuditLinesRequest { page_token, ..request }).await.unwrap_err();
    assert_eq!(stale.code(), Code::InvalidArgument);
}

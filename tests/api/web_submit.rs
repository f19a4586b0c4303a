//! Submitting from a browser, without scripts: check, send, receipt, withdrawal, and what is due; and attacks on the upload.

use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::IndicatorVersion;
use conspectus::rpc::proto::{GetSubmissionRequest, GetSubmissionResponse, ListSubmissionsRequest};
use conspectus::rpc::put_request;
use hyper::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zip::write::SimpleFileOptions;

use crate::app::{CHILDRENS_SERVICES, TestApp, figure, submission};
use crate::http::{Answer, send};
use crate::identities::{self, by};
use crate::web::{csrf, sign_in};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const HEAD: &str = "indicator,area,period,value,note\n";

/// A server with its page, and somebody in front of it.
struct Browser {
    app: TestApp,
    cookie: String,
    csrf: String,
}

impl Browser {
    /// Somebody in front of the page of a server with identities.
    async fn of(who: &str) -> Self {
        let app = TestApp::seeded(identities::seed).await;
        let mut browser = Self { app, cookie: String::new(), csrf: String::new() };
        browser.as_other(who).await;
        browser
    }

    /// Signs in as somebody.
    async fn as_other(&mut self, who: &str) -> &Self {
        self.cookie = sign_in(&self.app, who).await;
        self.csrf = csrf(self.get("/account").await.text());
        self
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        send(self.app.web(), method, path, &[&[("cookie", &*self.cookie)], headers].concat(), body).await
    }

    /// Sends a form without files.
    async fn post_fields(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = [&[("csrf", &*self.csrf)], fields].concat();
        let urlencoded = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &urlencoded, serde_urlencoded::to_string(fields).unwrap().into_bytes()).await
    }

    fn form(&self) -> Form {
        Form::default().texts(&[("csrf", &*self.csrf)])
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    async fn post(&self, path: &str, form: Form) -> Answer {
        self.send(Method::POST, path, &[("content-type", Form::TYPE)], form.bytes()).await
    }

    async fn check(&self, file: &[u8], more: &[(&str, &str)]) -> Answer {
        let form = self.form().texts(more).file("figures.csv", file);
        self.post(&format!("/submit/check?agency={CHILDRENS_SERVICES}"), form).await
    }

    /// Sends what was checked, with answers.
    async fn send_checked(&self, checked: &Answer, answers: &[(&str, &str)]) -> Answer {
        let form = Form::default().texts(&hidden(checked.text())).texts(answers);
        self.post(&format!("/submit/send?agency={CHILDRENS_SERVICES}"), form).await
    }

    /// Has an indicator be defined otherwise.
    async fn redefine(&self, indicator: &str, change: impl Fn(&mut IndicatorVersion)) {
        let put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
        let mut put = CataloguePut { indicators: put.indicators, ..CataloguePut::default() };
        put.indicators.retain(|version| version.id.as_str() == indicator);
        put.indicators.iter_mut().for_each(change);
        self.app.catalogue().put_catalogue(by("steward", put_request(&put, false))).await.unwrap();
    }

    async fn stored(&self, request_id: &str) -> GetSubmissionResponse {
        let (agency, request_id) = (CHILDRENS_SERVICES.to_owned(), request_id.to_owned());
        let request = GetSubmissionRequest { agency, request_id, ..GetSubmissionRequest::default() };
        self.app.submissions().get_submission(by("submitter", request)).await.unwrap().into_inner()
    }

    /// How many submissions there are.
    async fn count(&self) -> usize {
        let request =
            ListSubmissionsRequest { agency: CHILDRENS_SERVICES.to_owned(), ..ListSubmissionsRequest::default() };
        self.app.submissions().list_submissions(by("submitter", request)).await.unwrap().into_inner().submissions.len()
    }
}

/// A form as browsers send it.
#[derive(Default)]
struct Form(Vec<u8>);

impl Form {
    const TYPE: &'static str = "multipart/form-data; boundary=----conspectus";

    fn texts<N: AsRef<str>, V: AsRef<str>>(mut self, texts: &[(N, V)]) -> Self {
        for (name, value) in texts {
            let head =
                format!("------conspectus\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", name.as_ref());
            self.0.extend([head.as_bytes(), value.as_ref().as_bytes(), b"\r\n"].concat());
        }
        self
    }

    fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        let name = name.replace('"', "%22");
        let head = format!(
            "------conspectus\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        self.0.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        self
    }

    fn bytes(self) -> Vec<u8> {
        [self.0, b"------conspectus--\r\n".to_vec()].concat()
    }
}

/// The hidden fields of the form on a page.
fn hidden(page: &str) -> Vec<(String, String)> {
    let fields = page.split("<input type=\"hidden\" name=\"").skip(1);
    let field = |text: &str| {
        let (name, rest) = text.split_once("\" value=\"").unwrap();
        (name.to_owned(), unescaped(rest.split_once('"').unwrap().0))
    };
    fields.map(field).collect()
}

fn unescaped(text: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, original)| text.replace(escaped, original))
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// A parameter of an address.
fn parameter(address: &str, name: &str) -> String {
    let (_, rest) = address.split_once(&format!("{name}=")).unwrap();
    rest.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_is_checked_then_sent_and_its_receipt_kept_and_sending_twice_stores_it_once() {
    let browser = Browser::of("submitter").await;
    let form = browser.get(&format!("/submit?agency={CHILDRENS_SERVICES}")).await;
    assert_eq!(form.status, StatusCode::OK);
    assert!(form.text().contains("<h1>Submit figures: Hampshire County Council Children&#39;s Services</h1>"));
    browser
        .app
        .submissions()
        .submit_observations(by("submitter", submission("before", [figure("initial-contacts", "FY2020-21", "120000")])))
        .await
        .unwrap();

    let file =
        format!("{HEAD}initial-contacts,E10000014,2020-21,126153,\ninitial-contacts,Hampshire,2021-22,153033,\n");
    let checked = browser.check(file.as_bytes(), &[("source", "Case system")]).await;
    assert_eq!(checked.status, StatusCode::OK, "{}", checked.text());
    let text = checked.text();
    assert!(text.contains("Sending it would give: 1 new, 1 revised, 0 unchanged. Nothing is stored yet."), "{text}");
    let row = "<th scope=\"row\">2</th><td>Initial contacts</td><td>Hampshire</td><td>2020-21</td><td>total</td>\
               <td class=\"number\">120,000</td><td class=\"number\">126,153</td><td class=\"number\">+5.1%</td>";
    assert!(text.contains(row), "{text}");
    assert_eq!(browser.count().await, 1, "nothing is stored by a check");

    let receipt = location(&browser.send_checked(&checked, &[("reason", "counted again")]).await);
    let request_id = parameter(&receipt, "request_id");
    let stored = browser.stored(&request_id).await;
    let submission = stored.submission.unwrap();
    assert_eq!((submission.source.as_str(), submission.reason.as_str()), ("Case system", "counted again"));
    let page = browser.get(&receipt).await;
    assert_eq!(page.status, StatusCode::OK);
    let hash: String = stored.receipt.as_ref().unwrap().chain_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for part in ["Your figures were received.", hash.as_str(), "revised from 120000", "153,033"] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }

    let again = location(&browser.send_checked(&checked, &[("reason", "counted again")]).await);
    assert_eq!(parameter(&again, "request_id"), request_id);
    assert!(browser.get(&again).await.text().contains("These figures had been received before."));
    assert_eq!(browser.count().await, 2, "the same form sent twice is stored once");
    let nothing = browser.check(file.as_bytes(), &[("source", "Case system")]).await;
    assert!(nothing.text().contains("There is nothing to send."), "{}", nothing.text());
    for words in ["Your figures were received.", "These figures had been received before."] {
        let anyway = location(&browser.send_checked(&nothing, &[]).await);
        assert_ne!(parameter(&anyway, "request_id"), request_id);
        assert!(browser.get(&anyway).await.text().contains(words), "{words}");
        assert_eq!(browser.count().await, 3, "what changes nothing is stored once more where that is asked for");
    }

    let file = browser.get(&receipt.replace("/submission?", "/submission/receipt?")).await;
    let text = file.text();
    let name = format!("attachment; filename=\"receipt-{}.toml\"", stored.receipt.as_ref().unwrap().revision);
    assert_eq!(file.header("content-disposition"), Some(name.as_str()));
    assert!(text.contains("file = \"figures.csv\"") && text.contains(&format!("receipt = \"{hash}\"")), "{text}");
    let csv = browser.get(&receipt.replace("/submission?", "/submission/figures.csv?")).await;
    assert!(csv.text().starts_with("indicator,area,period,breakdown,value"), "{}", csv.text());
    assert!(csv.text().contains("initial-contacts,E10000014,FY2021-22,,153033"), "{}", csv.text());
    let json = browser.get(&receipt.replace("/submission?", "/submission.json?")).await.json();
    assert_eq!(json["submission"]["requestId"], request_id.as_str());
    let list = browser.get(&format!("/submissions?agency={CHILDRENS_SERVICES}")).await;
    assert!(list.text().contains(&request_id) && list.text().contains(">before</a>"), "{}", list.text());
}

#[tokio::test]
async fn every_problem_is_shown_at_its_cell_and_the_file_is_given_back_with_them_marked() {
    let browser = Browser::of("submitter").await;
    let file = format!(
        "{HEAD}initial-contacts,E10000014,2022,5,\nno-such,E10000014,2021-22,5,\ninitial-contacts,E10000014,2021-22,,\n"
    );
    let refused = browser.check(file.as_bytes(), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = unescaped(refused.text());
    for part in [
        "<a href=\"#problems\">3 problems in figures.csv</a>",
        "<td>2</td><td>period (C)</td><td>found `2022`",
        "<td>3</td><td>indicator (A)</td><td>found `no-such`; there is no such indicator",
        "<td>4</td><td></td><td>found no value",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, marked) = text.split_once(&format!("data:{XLSX};base64,")).unwrap();
    let marked = STANDARD.decode(marked.split('"').next().unwrap()).unwrap();
    let mut package = zip::ZipArchive::new(Cursor::new(marked)).unwrap();
    assert!(package.by_name("xl/worksheets/sheet1.xml").is_ok());
    let fewer = browser.check(file.as_bytes(), &[("skip_empty", "1")]).await;
    assert!(fewer.text().contains(">2 problems in figures.csv</a>"), "{}", fewer.text());
    let wrong = browser.check(file.as_bytes(), &[("dates", "weeks"), ("columns", "value")]).await;
    assert!(unescaped(wrong.text()).contains("<a href=\"#dates\">Dates</a>: found `weeks`; allowed: months, days"));
    assert!(unescaped(wrong.text()).contains("<a href=\"#columns\">What columns are called</a>: found `value`"));
    let large: String = (0..10_001)
        .map(|row| format!("initial-contacts,E10000014,FY{}-{:02},5,\n", 2000 + row % 20, row % 20 + 1))
        .collect();
    let large = browser.check(format!("{HEAD}{large}").as_bytes(), &[]).await;
    assert!(
        large.text().contains("The file has 10,001 figures, and this page sends at most 10,000 at once."),
        "{}",
        large.text()
    );
    assert!(browser.check(b"", &[]).await.text().contains("the file is empty"));
    assert_eq!(browser.count().await, 0);
}

#[tokio::test]
async fn what_only_the_service_finds_is_reported_together_with_what_the_file_has() {
    let browser = Browser::of("submitter").await;
    browser.redefine("initial-contacts", |version| version.lock_days = Some(1)).await;
    let lines = ["2022,5", "2021-22,x", "2020-21,5"].map(|line| format!("initial-contacts,E10000014,{line},\n"));
    let refused = browser.check(format!("{HEAD}{}", lines.concat()).as_bytes(), &[]).await;
    let text = unescaped(refused.text());
    for part in [
        ">3 problems in figures.csv</a>",
        "<td>2</td><td>period (C)</td><td>found `2022`",
        "<td>3</td><td>period (C)</td><td>found `2021-22`, which is locked",
        "<td>4</td><td>period (C)</td><td>found `2020-21`, which is locked",
        "The 1 row that has a problem of its own was left out",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn what_a_check_asks_is_answered_on_the_page_and_so_is_a_reason_that_is_required() {
    let browser = Browser::of("submitter").await;
    browser.redefine("missing-episodes", |version| version.correction_reason_required = true).await;
    let before = [figure("missing-episodes", "2021-04", "100"), figure("missing-episodes", "2021-05", "100")];
    browser.app.submissions().submit_observations(by("submitter", submission("before", before))).await.unwrap();

    let file = format!("{HEAD}missing-episodes,E10000014,2021-05,900,\n");
    let checked = browser.check(file.as_bytes(), &[]).await;
    assert_eq!(checked.status, StatusCode::OK, "{}", checked.text());
    let text = unescaped(checked.text());
    assert!(text.contains("<label for=\"explanation-0\">Row 2: Missing episodes of children"), "{text}");
    assert!(text.contains("found 900, and 100 for 2021-04"), "{text}");
    assert!(
        text.contains("<td class=\"number\">100</td><td class=\"number\">900</td><td class=\"number\">+800.0%</td>"),
        "{text}"
    );

    let unanswered = browser.send_checked(&checked, &[("explanation-0", " "), ("reason", "")]).await;
    assert_eq!(unanswered.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = unanswered.text();
    assert!(
        text.contains("<a href=\"#explanation-0\">Row 2</a>") && text.contains("<a href=\"#reason\">Reason</a>"),
        "{text}"
    );
    let long = "x".repeat(501);
    let too_long = browser.send_checked(&unanswered, &[("explanation-0", &*long), ("reason", "counted again")]).await;
    assert!(too_long.text().contains("<a href=\"#explanation-0\">Row 2</a>"), "{}", too_long.text());
    assert_eq!(browser.count().await, 1);

    let answers = [("explanation-0", "a new way to count"), ("reason", "counted again")];
    let receipt = location(&browser.send_checked(&unanswered, &answers).await);
    let stored = browser.stored(&parameter(&receipt, "request_id")).await;
    assert_eq!(stored.observations[0].explanation, "a new way to count");
    assert_eq!(stored.submission.unwrap().reason, "counted again");
}

#[tokio::test]
async fn what_has_changed_since_the_check_is_shown_before_anything_is_stored() {
    let browser = Browser::of("submitter").await;
    let file = format!("{HEAD}initial-contacts,E10000014,2021-22,100,\n");
    let checked = browser.check(file.as_bytes(), &[]).await;
    let other = submission("between", [figure("initial-contacts", "FY2021-22", "50")]);
    browser.app.submissions().submit_observations(by("corrector", other)).await.unwrap();
    let changed = browser.send_checked(&checked, &[]).await;
    assert_eq!(changed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(changed.text().contains("What stands has changed since you checked the file."), "{}", changed.text());
    assert!(changed.text().contains("0 new, 1 revised"), "{}", changed.text());
    assert_eq!(browser.count().await, 1);
    location(&browser.send_checked(&changed, &[("reason", "ours is right")]).await);
    assert_eq!(browser.count().await, 2);
}

#[tokio::test]
async fn of_two_forms_that_are_sent_at_the_same_moment_one_is_stored() {
    let browser = Browser::of("submitter").await;
    for round in 0..5 {
        let file = |value: i32| format!("{HEAD}initial-contacts,E10000014,2021-22,{},\n", 1_000 * round + value);
        let (one, other) = (file(1), file(2));
        let (one, other) = (browser.check(one.as_bytes(), &[]).await, browser.check(other.as_bytes(), &[]).await);
        let before = browser.count().await;
        let answers = [("reason", "counted again")];
        let (one, other) = tokio::join!(browser.send_checked(&one, &answers), browser.send_checked(&other, &answers));
        let (sent, changed): (Vec<_>, Vec<_>) =
            [one, other].into_iter().partition(|answer| answer.status == StatusCode::SEE_OTHER);
        assert_eq!((sent.len(), changed.len(), browser.count().await), (1, 1, before + 1), "{round}");
        assert!(changed[0].text().contains("What stands has changed since you checked the file."));
    }
}

#[tokio::test]
async fn a_form_without_the_revision_that_was_looked_at_is_shown_again() {
    let browser = Browser::of("submitter").await;
    let file = format!("{HEAD}initial-contacts,E10000014,2021-22,100,\n");
    let checked = browser.check(file.as_bytes(), &[]).await;
    let fields = hidden(checked.text());
    for (seen, shown) in [
        ("0", "What stands has changed since you checked the file."),
        ("5f3c", "What stands has changed since you checked the file."),
        ("99999999", "found 99999999; allowed: 0, or a revision up to"),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(
                |(name, value)| {
                    if name == "seen" { (name.clone(), seen.to_owned()) } else { (name.clone(), value.clone()) }
                },
            )
            .collect();
        let answer =
            browser.post("/submit/send?agency=hampshire-childrens-services", Form::default().texts(&fields)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{seen}");
        assert!(answer.text().contains(shown), "{seen}: {}", answer.text());
    }
    assert_eq!(browser.count().await, 0);
}

#[tokio::test]
async fn the_address_of_a_form_that_is_opened_by_itself_leads_to_the_form_or_says_so() {
    let browser = Browser::of("submitter").await;
    for path in ["check", "send"] {
        let answer = browser.get(&format!("/submit/{path}?agency={CHILDRENS_SERVICES}")).await;
        assert_eq!(location(&answer), format!("/submit?agency={CHILDRENS_SERVICES}"), "{path}");
    }
    let sent = browser.post_fields("/due", &[]).await;
    assert_eq!(sent.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(sent.text().contains("Nothing was stored, and nothing was changed."), "{}", sent.text());
    let wrong = browser.get("/changes.csv?after=x").await;
    assert_eq!(wrong.text().matches("found `x`; allowed").count(), 1, "{}", wrong.text());
}

#[tokio::test]
async fn a_submission_is_withdrawn_after_it_is_said_what_that_does_and_why() {
    let browser = Browser::of("submitter").await;
    let one = submission("one/../two?", [figure("initial-contacts", "FY2021-22", "100")]);
    browser.app.submissions().submit_observations(by("submitter", one)).await.unwrap();
    let question = format!("agency={CHILDRENS_SERVICES}&request_id=one%2F..%2Ftwo%3F");
    let list = browser.get(&format!("/submissions?agency={CHILDRENS_SERVICES}")).await;
    assert!(unescaped(list.text()).contains(&format!("href=\"/submission?{question}\"")), "{}", list.text());
    let page = browser.get(&format!("/submission?{question}")).await;
    assert!(unescaped(page.text()).contains(&format!("href=\"/submission/withdraw?{question}\"")), "{}", page.text());
    let ask = browser.get(&format!("/submission/withdraw?{question}")).await;
    assert!(ask.text().contains("0 figures go back to the value before, 1 has no value any more"), "{}", ask.text());

    let post = async |reason: &str| {
        let fields = [("agency", CHILDRENS_SERVICES), ("request_id", "one/../two?"), ("reason", reason)];
        browser.post_fields("/submission/withdraw", &fields).await
    };
    let unanswered = post(" ").await;
    assert_eq!(unanswered.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unanswered.text().contains("<a href=\"#reason\">Reason</a>: Say why"), "{}", unanswered.text());
    assert_eq!(browser.stored("one/../two?").await.submission.unwrap().withdrawn_at_revision, 0);
    assert_eq!(location(&post("sent by mistake").await), format!("/submission?{question}"));
    let withdrawn = browser.get(&format!("/submission?{question}")).await;
    assert!(
        withdrawn.text().contains("It was withdrawn at revision ") && withdrawn.text().contains(": sent by mistake")
    );
    assert!(!withdrawn.text().contains("/submission/withdraw"));
}

#[tokio::test]
async fn what_is_due_is_shown_to_whoever_may_see_it_with_a_workbook_to_fill_in() {
    let mut browser = Browser::of("submitter").await;
    let path = format!("/due?agency={CHILDRENS_SERVICES}&period=FY2021-22");
    let due = browser.get(&path).await;
    assert_eq!(due.status, StatusCode::OK);
    let text = unescaped(due.text());
    assert!(
        text.contains("<th scope=\"row\">Initial contacts</th><td>Hampshire</td><td>FY2021-22</td><td>2022-07-31</td>"),
        "{text}"
    );
    let (_, template) = text.split_once("<a class=\"button\" href=\"").unwrap();
    let template = browser.get(template.split('"').next().unwrap()).await;
    assert_eq!((template.status, template.header("content-type")), (StatusCode::OK, Some(XLSX)));
    let name = format!("attachment; filename=\"{CHILDRENS_SERVICES}.xlsx\"");
    assert_eq!(template.header("content-disposition"), Some(name.as_str()));
    let empty = browser.check(&template.body, &[]).await;
    assert!(unescaped(empty.text()).contains("found no value; write one"), "the workbook is read as it was made");
    let json = browser.get(&path.replace("/due?", "/due.json?")).await.json();
    assert!(json["slots"].as_array().unwrap().len() > 12);
    assert_eq!(browser.get(&format!("/due?agency={CHILDRENS_SERVICES}")).await.status, StatusCode::OK);
    assert_eq!(location(&browser.get("/due").await), format!("/due?agency={CHILDRENS_SERVICES}"));
    let choice = browser.as_other("steward").await.get("/due").await;
    assert!(
        choice.text().contains("<option value=\"hampshire-icb\">") && choice.text().contains("<option value=\"HIPS\">")
    );
    assert_eq!(
        browser.as_other("submitter").await.get("/due?agency=hampshire-icb").await.status,
        StatusCode::FORBIDDEN
    );
    for who in ["corrector", "analyst", "steward"] {
        assert_eq!(browser.as_other(who).await.get(&path).await.status, StatusCode::OK, "{who}");
    }
    assert_eq!(browser.as_other("steward").await.get("/due?area=HIPS&period=2021-04").await.status, StatusCode::OK);
    for who in ["reader", "operator"] {
        assert_eq!(browser.as_other(who).await.get(&path).await.status, StatusCode::FORBIDDEN, "{who}");
    }
}

#[tokio::test]
async fn nobody_submits_withdraws_or_sees_what_they_may_not_over_grpc() {
    let mut browser = Browser::of("submitter").await;
    let one = submission("one", [figure("initial-contacts", "FY2021-22", "100")]);
    browser.app.submissions().submit_observations(by("submitter", one)).await.unwrap();
    let file = format!("{HEAD}initial-contacts,E10000014,2021-22,5,\n");
    let form = async |browser: &Browser, path: &str, agency: &str| {
        let form = browser.form().file("figures.csv", file.as_bytes());
        browser.post(&format!("{path}?agency={agency}"), form).await.status
    };
    for path in ["/submit/check", "/submit/send"] {
        browser.as_other("submitter").await;
        assert_eq!(form(&browser, path, "hampshire-icb").await, StatusCode::FORBIDDEN);
        assert_eq!(form(&browser, path, "%3Cscript%3E").await, StatusCode::FORBIDDEN);
        let address = format!("{path}?agency={CHILDRENS_SERVICES}");
        let of_another = Form::default().texts(&[("csrf", "0".repeat(64))]).file("figures.csv", file.as_bytes());
        assert_eq!(browser.post(&address, of_another).await.status, StatusCode::FORBIDDEN, "another's form");
        let nobody = browser.form().file("figures.csv", file.as_bytes()).bytes();
        let refused = send(browser.app.web(), Method::POST, &address, &[("content-type", Form::TYPE)], nobody).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text().contains("What you sent was not taken: nothing was stored"), "{}", refused.text());
        for who in ["reader", "analyst", "steward", "operator"] {
            browser.as_other(who).await;
            assert_eq!(form(&browser, path, CHILDRENS_SERVICES).await, StatusCode::FORBIDDEN, "{who}");
        }
    }
    let question = format!("agency={CHILDRENS_SERVICES}&request_id=one");
    for who in ["reader", "analyst", "steward", "operator"] {
        browser.as_other(who).await;
        for path in [
            "/submission",
            "/submission/receipt",
            "/submission/figures.csv",
            "/submission.csv",
            "/submission.json",
            "/submission/withdraw",
        ] {
            assert_eq!(browser.get(&format!("{path}?{question}")).await.status, StatusCode::FORBIDDEN, "{who} {path}");
        }
        let list = format!("/submissions?agency={CHILDRENS_SERVICES}");
        assert_eq!(browser.get(&list).await.status, StatusCode::FORBIDDEN, "{who}");
        let fields = [("agency", CHILDRENS_SERVICES), ("request_id", "one"), ("reason", "x")];
        let refused = browser.post_fields("/submission/withdraw", &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
    }
    assert_eq!(
        browser.as_other("submitter").await.get("/submission?agency=a&request_id=b").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(browser.count().await, 1);
    assert_eq!(browser.stored("one").await.submission.unwrap().withdrawn_at_revision, 0);
}

#[tokio::test]
async fn no_text_that_somebody_sends_is_more_than_text_on_a_page() {
    const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>javascript:";
    let browser = Browser::of("submitter").await;
    let unharmed = |answer: &Answer| {
        let text = answer.text();
        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    };
    let csv = HOSTILE.replace('"', "\"\"");
    let fields = [("source", HOSTILE), ("reason", HOSTILE), ("sheet", ""), ("report", "")];
    let path = format!("/submit/check?agency={CHILDRENS_SERVICES}");
    let file = format!("{HEAD}\"{csv}\",\"{csv}\",\"{csv}\",\"{csv}\",\"{csv}\"\n");
    let form = browser.form().texts(&fields).texts(&[("columns", HOSTILE)]).file(HOSTILE, file.as_bytes());
    unharmed(&browser.post(&path, form).await);
    let form = browser.form().texts(&fields).file(&format!("..\\../{HOSTILE}.csv"), file.as_bytes());
    let refused = browser.post(&path, form).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    unharmed(&refused);
    let form = browser.form().texts(&[("sheet", HOSTILE), ("report", HOSTILE)]).file("a.csv", file.as_bytes());
    unharmed(&browser.post(&path, form).await);

    let file = format!("{HEAD}initial-contacts,E10000014,2021-22,5,\"{csv}\"\n");
    let form = browser.form().texts(&fields[..2]).file(HOSTILE, file.as_bytes());
    let checked = browser.post(&path, form).await;
    assert_eq!(checked.status, StatusCode::OK, "{}", checked.text());
    unharmed(&checked);
    let sent = browser.send_checked(&checked, &[]).await;
    let receipt = location(&sent);
    assert!(sent.headers.len() < 20 && !receipt.contains(['<', '"', '\n']), "{receipt}");
    unharmed(&browser.get(&receipt).await);
    unharmed(&browser.get(&format!("/submissions?agency={CHILDRENS_SERVICES}")).await);
    let file = browser.get(&receipt.replace("/submission?", "/submission/receipt?")).await;
    assert!(file.header("content-type").unwrap().starts_with("application/toml"));
    let injected = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%0D%0Aset-cookie:%20a=b";
    for path in [
        "/submit",
        "/submissions",
        "/submission",
        "/submission/withdraw",
        "/due",
        "/submission/receipt",
        "/due/template.xlsx",
    ] {
        let answer = browser
            .get(&format!("{path}?agency={injected}&request_id={injected}&period={injected}&file={injected}"))
            .await;
        assert!(answer.status.is_client_error() && answer.header("set-cookie").is_none(), "{path}: {}", answer.status);
        unharmed(&answer);
    }
}

#[tokio::test]
async fn a_parameter_that_is_misspelt_or_there_twice_is_named() {
    let browser = Browser::of("submitter").await;
    for path in ["/submit", "/submissions", "/submission", "/submission.csv", "/submission/withdraw", "/due"] {
        for (question, says) in
            [("agencie=a", "unknown field `agencie`"), ("agency=a&agency=b", "duplicate field `agency`")]
        {
            let refused = browser.get(&format!("{path}?{question}")).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(refused.text().contains(says), "{path}: {}", refused.text());
        }
    }
}

/// A workbook with one sheet of figures, of which a part is something else.
fn workbook(part: &str, content: impl FnOnce(&mut zip::ZipWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut zip = zip::ZipWriter::new(&mut bytes);
    let parts = [
        ("[Content_Types].xml", "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"),
        (
            "_rels/.rels",
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
        ),
        (
            "xl/workbook.xml",
            "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
        ),
    ];
    for (name, text) in parts.into_iter().filter(|(name, _)| *name != part) {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.start_file(part, SimpleFileOptions::default()).unwrap();
    content(&mut zip);
    zip.finish().unwrap();
    bytes.into_inner()
}

#[tokio::test]
async fn bombs_in_workbooks_are_refused_in_words() {
    let browser = Browser::of("submitter").await;
    let zeros = vec![b' '; 1 << 20];
    let zip_bomb = workbook("xl/sharedStrings.xml", |zip| (0..200).for_each(|_| zip.write_all(&zeros).unwrap()));
    assert!(zip_bomb.len() < 1 << 20);
    let mut entities = String::from("<?xml version=\"1.0\"?><!DOCTYPE worksheet [<!ENTITY a0 \"lol\">");
    for level in 1..30 {
        entities.push_str(&format!("<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)));
    }
    entities.push_str("]><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>&a29;</t></is></c></row></sheetData></worksheet>");
    let entity_bomb = workbook("xl/worksheets/sheet1.xml", |zip| zip.write_all(entities.as_bytes()).unwrap());
    let begin = Instant::now();
    for (name, bomb) in [("zip", zip_bomb), ("entities", entity_bomb), ("cut", b"PK\x03\x04rubbish".to_vec())] {
        let refused = browser.check(&bomb, &[]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(refused.text().contains(" in figures.csv</a>"), "{name}: {}", refused.text());
        // Sent again as what was checked, it is refused too.
        let form = browser.form().texts(&[
            ("file_name", "b.xlsx"),
            ("file_again", &*URL_SAFE_NO_PAD.encode(&bomb)),
            ("seen", ""),
        ]);
        let sent = browser.post(&format!("/submit/send?agency={CHILDRENS_SERVICES}"), form).await;
        assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert_eq!(browser.get("/account").await.status, StatusCode::OK, "the page still serves");
    assert_eq!(browser.count().await, 0);
}

#[tokio::test]
async fn small_files_that_take_much_work_are_refused_soon() {
    let browser = Browser::of("submitter").await;
    let many_sheets = workbook("xl/workbook.xml", |zip| {
        let sheet = "<sheet name=\"\" sheetId=\"1\" r:id=\"r1\"/>";
        let head = "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets>";
        zip.write_all([head, &sheet.repeat(50_000), "</sheets></workbook>"].concat().as_bytes()).unwrap();
    });
    let rows = b"<row/>".repeat(1 << 17);
    let many_rows = workbook("xl/worksheets/sheet1.xml", |zip| {
        zip.write_all(b"<worksheet><sheetData>").unwrap();
        (0..200).for_each(|_| zip.write_all(&rows).unwrap());
    });
    let long_text = workbook("xl/worksheets/sheet1.xml", |zip| {
        zip.write_all(b"<worksheet><sheetData><row><c t=\"inlineStr\"><is><t>").unwrap();
        (0..100).for_each(|_| zip.write_all(&vec![b'a'; 1 << 20]).unwrap());
    });
    for (name, says, file) in [
        ("sheets", "sheets; allowed: at most 250", many_sheets),
        ("rows", "unpacks to more than 64 MiB, which is the most", many_rows),
        ("text", "unpacks to more than 64 MiB, which is the most", long_text),
    ] {
        assert!(file.len() < 1 << 20, "{name}");
        let begin = Instant::now();
        let refused = browser.check(&file, &[]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(refused.text().contains(says), "{name}: {}", refused.text());
        assert!(begin.elapsed() < Duration::from_secs(20), "{name}: {:?}", begin.elapsed());
    }
    let lines: String = (0..26_000).map(|n| format!("a{n}=1\n")).collect();
    let file = format!("{HEAD}initial-contacts,E10000014,2020-21,126153,\n");
    for (field, value) in [("mapping_again", lines), ("columns", "x\n".repeat(131_000))] {
        let begin = Instant::now();
        let refused = browser.check(file.as_bytes(), &[(field, &value)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(refused.text().len() < 2 << 20, "{field}: {}", refused.text().len());
        assert!(begin.elapsed() < Duration::from_secs(10), "{field}: {:?}", begin.elapsed());
    }
    assert_eq!(browser.count().await, 0);
}

#[tokio::test]
async fn who_reads_no_pages_gets_no_further_large_ones() {
    let browser = Browser::of("submitter").await;
    let padded = format!("{HEAD}initial-contacts,E10000014,2020-21,126153,\n") + &"\n".repeat(7 << 20);
    let form = browser.form().file("figures.csv", padded.as_bytes()).bytes();
    let head = format!(
        "POST /submit/check?agency={CHILDRENS_SERVICES} HTTP/1.1\r\nhost: test\r\ncookie: {}\r\ncontent-type: {}\r\n\
         content-length: {}\r\n\r\n",
        browser.cookie,
        Form::TYPE,
        form.len()
    );
    let mut unread = Vec::new();
    for n in 0..5 {
        let mut stream = TcpStream::connect(browser.app.web()).await.unwrap();
        stream.write_all(&[head.as_bytes(), &form].concat()).await.unwrap();
        let mut status = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut status));
        read.await.unwrap().unwrap();
        let status = String::from_utf8_lossy(&status).into_owned();
        assert_eq!(status, if n < 3 { "HTTP/1.1 200" } else { "HTTP/1.1 503" }, "{n}");
        unread.push(stream);
    }
    // Others read on, and so does whoever takes them after all.
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    drop(unread);
    let start = Instant::now();
    while browser.check(padded.as_bytes(), &[]).await.status != StatusCode::OK {
        assert!(start.elapsed() < Duration::from_secs(20), "what isn't wanted any more stays counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_refused_before_it_is_sent_and_a_large_file_in_words() {
    let browser = Browser::of("submitter").await;
    let path = format!("/submit/check?agency={CHILDRENS_SERVICES}");
    let mut stream = TcpStream::connect(browser.app.web()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncookie: {}\r\ncontent-type: {}\r\ncontent-length: 104857600\r\n\r\n",
        browser.cookie,
        Form::TYPE
    );
    let begin = browser.form().file("large.csv", &[b'a'; 1 << 10]).0;
    stream.write_all(&[head.as_bytes(), &begin].concat()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let large = browser.form().file("large.csv", &vec![b'a'; 20 << 20]);
    let refused = browser.post(&path, large).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.text().contains("more than 8 MiB"), "{}", refused.text());
    let cut = Form::default().texts(&[("csrf", &*browser.csrf)]).file("cut.csv", b"a").0;
    let refused = browser.send(Method::POST, &path, &[("content-type", Form::TYPE)], cut).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("The form can&#39;t be read"), "{}", refused.text());
    let nothing = browser.post(&path, browser.form()).await;
    assert!(nothing.text().contains("<a href=\"#file\">File</a>: Choose a file"), "{}", nothing.text());
    assert_eq!(browser.count().await, 0);
}

//! Figures at an address: what is in a file, who gets it, and when it has changed.

use std::io::Cursor;
use std::net::SocketAddr;

use calamine::{Data, DataType as _, Reader as _, Xlsx};
use conspectus::access::Role;
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::proto::{
    AreaLevel, GetPictureRequest, GroupBy, PeriodRange, QueryAggregateRequest, RevokeKeyRequest,
};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, TestClock, figure, query, submission};
use crate::http::{self, Answer};
use crate::identities::{self, Condition, IDENTITIES, authorization, by, secret};

const CONTACTS: &str = "/v1/figures.csv?indicator=initial-contacts&area=E10000014&from=2019-20&to=2021-22&by=period";

async fn get(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    http::send(server, Method::GET, path, headers, "").await
}

/// The rows of a file under their headings.
pub(crate) struct Rows {
    pub(crate) headings: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert!(answer.text().ends_with("\r\n"), "RFC 4180");
        let mut reader = csv::Reader::from_reader(&*answer.body);
        let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let headings = texts(reader.headers().unwrap());
        Self { headings, rows: reader.records().map(|row| texts(&row.unwrap())).collect() }
    }

    /// The fields of some columns, row by row.
    pub(crate) fn columns(&self, names: &[&str]) -> Vec<Vec<&str>> {
        let column = |name: &&str| self.headings.iter().position(|heading| heading == name).unwrap();
        let columns: Vec<usize> = names.iter().map(column).collect();
        self.rows.iter().map(|row| columns.iter().map(|column| row[*column].as_str()).collect()).collect()
    }
}

/// A file without the instant that it is of.
fn shown(answer: &Answer) -> String {
    let rows = Rows::of(answer);
    assert!(!answer.text().replace("\r\n", "").contains('\n'), "RFC 4180");
    let instant = rows.headings.iter().position(|heading| heading == "as_of").unwrap();
    let line = |row: &Vec<String>| {
        let mut row = row.clone();
        assert!(row[instant].ends_with('Z'), "{}", row[instant]);
        row[instant] = "[as of]".to_owned();
        row.join(",") + "\n"
    };
    std::iter::once(rows.headings.join(",") + "\n").chain(rows.rows.iter().map(line)).collect()
}

#[tokio::test]
async fn a_file_has_ids_and_labels_values_and_markers_coverage_revision_and_instant() {
    let app = TestApp::with_demo().await;
    let figures = get(app.address(), CONTACTS, &[]).await;
    assert_eq!(figures.header("content-type").unwrap(), "text/csv; charset=utf-8; header=present");
    assert_eq!(figures.header("cache-control").unwrap(), "private, no-cache");
    let revision = app.revision().await;
    assert_eq!(figures.header("conspectus-revision").unwrap(), revision.to_string());
    let name = format!("inline; filename=\"figures-r{revision}.csv\"");
    assert_eq!(figures.header("content-disposition").unwrap(), name);
    insta::assert_snapshot!("figures", shown(&figures));
    let everything = "/v1/figures.csv?indicator=missing-episodes&area=HIPS&area_level=upper-tier&period=2021-22\
        &agency=hampshire-constabulary&by=area&compare=previous&rate=1&share=1&rank=1&benchmark=HIPS&bom=0";
    insta::assert_snapshot!("figures_with_all_that_may_be_added", shown(&get(app.address(), everything, &[]).await));
    let picture = get(app.address(), "/v1/picture.csv?area=E06000044&period=2021-22&compare=none", &[]).await;
    insta::assert_snapshot!("picture", shown(&picture));
}

#[tokio::test]
async fn the_numbers_are_those_of_the_service_to_the_character() {
    let app = TestApp::with_demo().await;
    let indicators = ["initial-contacts", "assessments-timely", "missing-episodes", "children-looked-after"];
    let path = format!(
        "/v1/figures.csv?indicator={}&area=HIPS&area_level=upper-tier&from=2018-19&to=2021-22\
         &by=indicator,area,agency,period&compare=year-before",
        indicators.join(",")
    );
    let asked = QueryAggregateRequest {
        indicators: indicators.map(str::to_owned).to_vec(),
        areas: vec!["HIPS".to_owned()],
        area_level: AreaLevel::UpperTier.into(),
        period_range: Some(PeriodRange { first: "2018-19".to_owned(), last: "2021-22".to_owned() }),
        group_by: [GroupBy::Indicator, GroupBy::Area, GroupBy::Agency, GroupBy::Period].map(i32::from).to_vec(),
        comparison: 2,
        page_size: 10_000,
        ..QueryAggregateRequest::default()
    };
    let answered = app.query(asked).await;
    let file = Rows::of(&get(app.address(), &path, &[]).await);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let expected: Vec<Vec<String>> = answered
        .iter()
        .map(|row| {
            let figure = row.figure.clone().unwrap();
            let change = row.change.clone().unwrap();
            let coverage = figure.coverage.clone().unwrap();
            vec![
                row.indicator.clone(),
                row.area.clone(),
                row.agency.clone(),
                row.period.clone(),
                text(&figure.value),
                text(&figure.numerator),
                coverage.expected.to_string(),
                coverage.reported.to_string(),
                text(&change.difference),
                text(&change.percent),
            ]
        })
        .collect();
    let names = [
        "indicator",
        "area",
        "agency",
        "period",
        "value",
        "numerator",
        "expected",
        "reported",
        "difference",
        "percent",
    ];
    assert!(expected.len() > 50);
    assert_eq!(file.columns(&names), expected);

    let picture = GetPictureRequest { area: "HIPS".to_owned(), period: "2021-22".to_owned(), ..Default::default() };
    let picture = app.pictures().get_picture(picture).await.unwrap().into_inner();
    let figures = picture.rows.iter().flat_map(|row| {
        row.cells.iter().map(|cell| &cell.figure).chain([&row.combined]).map(|figure| figure.clone().unwrap())
    });
    let expected: Vec<Vec<String>> = figures.map(|figure| vec![text(&figure.value)]).collect();
    let file = Rows::of(&get(app.address(), "/v1/picture.csv?area=HIPS&period=2021-22", &[]).await);
    assert_eq!(file.columns(&["value"]), expected);
}

#[tokio::test]
async fn every_problem_is_reported_at_once_with_what_is_allowed() {
    let app = TestApp::with_demo().await;
    let path = "/v1/figures.csv?indicator=initial-contact&aera=E10000014&area=E1000014&period=2022&by=area,perod\
        &rate=yes&as_of=yesterday&agency=hampshire-icb&agency=hampshire-icb&from=2021-04";
    let refused = get(app.address(), path, &[]).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.header("content-type").unwrap(), "text/plain; charset=utf-8");
    insta::assert_snapshot!(refused.text());
    let json = get(app.address(), path, &[("accept", "application/json")]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(json["code"], "invalid_argument");
    let debug =
        &json["details"].as_array().unwrap().iter().find(|it| it["type"] == "google.rpc.BadRequest").unwrap()["debug"];
    let violations = debug["fieldViolations"].as_array().unwrap();
    assert_eq!(violations.len(), refused.text().lines().count());
    assert!(violations.iter().any(|violation| violation["field"] == "aera"), "{violations:?}");

    // Of a right address what the question lacks, by the names that an address has.
    let empty = get(app.address(), "/v1/figures.csv", &[]).await;
    insta::assert_snapshot!("what_a_question_needs", empty.text());
    let changes = get(app.address(), "/v1/changes.csv?after=1000000", &[]).await;
    insta::assert_snapshot!("what_changes_need", changes.text());
    assert_eq!(http::send(app.address(), Method::POST, CONTACTS, &[], "").await.status, 405);
}

#[tokio::test]
async fn a_key_in_an_address_is_refused_and_not_repeated() {
    let app = TestApp::seeded(identities::seed).await;
    let (key, bearer) =
        (secret("analyst", Condition::Good).reveal(), authorization("analyst", Condition::Good).unwrap());
    let path = format!("{CONTACTS}&purpose=a+test&key={key}");
    let refused = get(app.address(), &path, &[("authorization", &bearer)]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().starts_with("key: an address ends up in logs") && !refused.text().contains(&*key));
}

fn basic(name: &str, key: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{key}")))
}

#[tokio::test]
async fn whoever_may_not_read_figures_over_grpc_gets_no_file() {
    let app = TestApp::seeded(identities::seed).await;
    let path = format!("{CONTACTS}&purpose=a+test");
    for identity in &IDENTITIES {
        for condition in Condition::ALL {
            let authorization = authorization(identity.name, condition);
            let headers: Vec<(&str, &str)> = authorization.iter().map(|it| ("authorization", it.as_str())).collect();
            let answer = get(app.address(), &path, &headers).await;
            let expected = match condition {
                // Not limited to a sector: all agencies' figures are in the answer.
                Condition::Good if identity.name == "analyst" || identity.name == "analyst-of-hampshire" => 200,
                Condition::Good => 403,
                Condition::Absent
                | Condition::Expired
                | Condition::Revoked
                | Condition::Gone
                | Condition::Wrong
                | Condition::Malformed => 401,
            };
            assert_eq!(answer.status, expected, "{} {condition:?}: {}", identity.name, answer.text());
            let challenges = answer.headers.get_all("www-authenticate").iter().map(|it| it.to_str().unwrap());
            let schemes: Vec<&str> = challenges.map(|it| it.split(' ').next().unwrap()).collect();
            assert_eq!(schemes, if expected == 401 { &["Bearer", "Basic"][..] } else { &[] });
        }
        let password = basic("whoever", &secret(identity.name, Condition::Good).reveal());
        let answer = get(app.address(), &path, &[("authorization", &password)]).await;
        assert_eq!(answer.status == 200, identity.role == Role::Analyst && identity.name != "analyst-of-social-care");
    }
    // An area beyond the scope, and a tag that would be right.
    let bearer = authorization("analyst-of-hampshire", Condition::Good).unwrap();
    let elsewhere = path.replace("E10000014", "E06000044");
    let tagged = [("authorization", bearer.as_str()), ("if-none-match", "*")];
    assert_eq!(get(app.address(), &elsewhere, &tagged).await.status, 403);
    assert_eq!(get(app.address(), &path, &tagged).await.status, 304);
    // What is wrong with a question is said to those who may ask it.
    let nobodys = get(app.address(), "/v1/figures.csv?other=1", &[]).await;
    assert_eq!((nobodys.status.as_u16(), nobodys.text().contains("other")), (401, false));
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(get(app.address(), &path, &twice).await.status, 401);
    // gRPC takes no password.
    let mut request = tonic::Request::new(query(["initial-contacts"], ["FY2021-22"], []));
    let password = basic("analyst", &secret("analyst", Condition::Good).reveal());
    request.metadata_mut().insert("authorization", password.parse().unwrap());
    assert_eq!(app.pictures().query_aggregate(request).await.unwrap_err().code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn a_purpose_stands_in_the_header_or_in_the_address() {
    let app = TestApp::seeded(identities::seed).await;
    let bearer = authorization("analyst", Condition::Good).unwrap();
    let ask = async |path: &str, purpose: Option<&str>| {
        let headers = [("authorization", bearer.as_str())];
        let purpose = purpose.map(|purpose| ("conspectus-purpose", purpose));
        get(app.address(), path, &headers.into_iter().chain(purpose).collect::<Vec<_>>()).await
    };
    let none = ask(CONTACTS, None).await;
    assert_eq!(none.status, 403);
    assert!(none.text().contains("in the address, as purpose=…, or in the header"), "{}", none.text());
    assert_eq!(ask(CONTACTS, Some("a test")).await.status, 200);
    assert_eq!(ask(&format!("{CONTACTS}&purpose=a+test"), None).await.status, 200);
    assert_eq!(ask(&format!("{CONTACTS}&purpose=the+board%E2%80%99s+report"), None).await.status, 200);
    let hidden = ask(&format!("{CONTACTS}&purpose=a%E2%80%AEtest"), None).await;
    assert!(hidden.status == 403 && hidden.text().contains("each of which can be seen"), "{}", hidden.text());
    assert_eq!(ask(&format!("{CONTACTS}&purpose=a+test"), Some("a test")).await.status, 400);
    app.pictures().query_aggregate(by("analyst", query(["initial-contacts"], ["FY2021-22"], []))).await.unwrap();
    let log = std::fs::read_to_string(app.folder().join("audit.log")).unwrap();
    assert_eq!(log.matches("a test").count(), 2, "a line for each file: {log}");
    assert_eq!(log.matches("the board’s report").count(), 1, "{log}");
}

#[tokio::test]
async fn a_file_is_the_same_until_a_revision_or_a_day_changes_it() {
    let clock = TestClock::at("2021-07-20T09:00:00Z");
    let app = TestApp::with_clock(&clock, include_str!("../../data/catalogue.toml")).await;
    let path = "/v1/figures.csv?indicator=missing-episodes&area=E06000044&period=2021-06&by=agency";
    let ask = async |known: &str| get(app.address(), path, &[("if-none-match", known)]).await;
    let first = ask("\"other\"").await;
    let (tag, late) =
        (first.header("etag").unwrap().to_owned(), Rows::of(&first).columns(&["late"]).concat().join(" "));

    clock.set("2021-07-20T22:30:00Z");
    let same = ask(&format!("\"other\", W/{tag}")).await;
    assert_eq!((same.status.as_u16(), same.body.len(), same.header("etag").unwrap()), (304, 0, &*tag));
    assert_eq!(ask("\"other\"").await.body, first.body, "to the byte");
    let of_workbook = get(app.address(), &path.replace(".csv", ".xlsx"), &[("if-none-match", &tag)]).await;
    assert_eq!(of_workbook.status, 200, "a form has tags of its own");

    // London's midnight: what was due on 20 July is late.
    clock.set("2021-07-20T23:00:00Z");
    let next_day = ask(&tag).await;
    assert_ne!(Rows::of(&next_day).columns(&["late"]).concat().join(" "), late);
    let tag = next_day.header("etag").unwrap();
    assert_eq!(ask(tag).await.status, 304);

    app.submit(submission("one", [figure("initial-contacts", "FY2020-21", "10")])).await;
    let next_revision = ask(tag).await;
    let rows = Rows::of(&next_revision);
    let as_of = rows.columns(&["revision", "as_of"])[0].clone();
    // Just after the answer of the day's first instant: what an answer was of stays as it was.
    assert_eq!(as_of, ["2", "2021-07-20T23:00:00.000001Z"]);

    // The instant that a file names asks for the same bytes, whatever has come since.
    clock.set("2021-08-01T12:00:00Z");
    app.submit(submission("two", [figure("initial-contacts", "FY2020-21", "11")])).await;
    let then = get(app.address(), &format!("{path}&as_of={}", as_of[1]), &[]).await;
    assert_eq!(then.body, next_revision.body);
}

#[tokio::test]
async fn a_head_has_no_body_and_a_byte_order_mark_is_there_if_it_is_asked_for() {
    let app = TestApp::with_demo().await;
    let head = http::send(app.address(), Method::HEAD, CONTACTS, &[], "").await;
    let whole = get(app.address(), CONTACTS, &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    for name in ["etag", "content-type", "content-disposition", "cache-control", "conspectus-revision"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let marked = get(app.address(), &format!("{CONTACTS}&bom=1"), &[]).await;
    assert_eq!(&*marked.body, [b"\xef\xbb\xbf", &*whole.body].concat());
    assert_ne!(marked.header("etag"), whole.header("etag"));
}

/// Days, of which there are more than pages have room for.
const DAYS: &str = "/v1/figures.csv?indicator=initial-contacts&area=E06000044,E06000045&from=1980-01-01&to=2019-12-31\
    &by=area,period&purpose=a+test";

#[tokio::test]
async fn all_pages_are_in_a_file() {
    let app = TestApp::with_demo().await;
    let rows = Rows::of(&get(app.address(), DAYS, &[]).await);
    let days = rows.columns(&["area", "period"]);
    assert_eq!(days.len(), 2 * 14_610);
    assert!(
        days.is_sorted() && days[14_609] == ["E06000044", "2019-12-31"] && days[14_610] == ["E06000045", "1980-01-01"]
    );
    let too_many = get(app.address(), &DAYS.replace(".csv", ".xlsx"), &[]).await;
    assert_eq!(too_many.status, 400);
    assert!(too_many.text().contains("larger than a workbook") && too_many.text().contains("with .csv"));
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_to_its_end_is_broken_off() {
    let app = TestApp::seeded(identities::seed).await;
    let bearer = authorization("analyst", Condition::Good).unwrap();
    // With the smallest room for what arrives: more is only sent once it is read.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut stream = socket.connect(app.address()).await.unwrap();
    let request = format!("GET {DAYS} HTTP/1.1\r\nhost: files.test\r\nauthorization: {bearer}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.peek(&mut [0]).await.unwrap();
    let revoke = RevokeKeyRequest { identity: "analyst".to_owned(), ..RevokeKeyRequest::default() };
    KeyServiceClient::new(app.channel()).revoke_key(by("operator", revoke)).await.unwrap();
    let mut answer = Vec::new();
    // It ends as it likes.
    drop(stream.read_to_end(&mut answer).await);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("transfer-encoding: chunked\r\n"));
    assert!(!answer.ends_with("\r\n0\r\n\r\n"), "without the chunk that ends a whole answer");
    assert!(answer.lines().count() < 2 * 14_610, "what isn't permitted any more isn't sent");
}

#[tokio::test]
async fn a_workbook_has_the_same_table_without_an_empty_cell() {
    let app = TestApp::with_demo().await;
    let path = "/v1/figures.xlsx?indicator=missing-episodes,assessments-timely&area=HIPS&area_level=upper-tier\
        &from=2019-20&to=2021-22&by=indicator,area,agency,period&compare=previous";
    let workbook = get(app.address(), path, &[]).await;
    assert_eq!(workbook.status, 200);
    let mut sheets: Xlsx<_> = Xlsx::new(Cursor::new(workbook.body)).unwrap();
    assert_eq!(sheets.sheet_names(), ["Cover", "Notes", "Figures"]);
    for sheet in ["Cover", "Notes", "Figures"] {
        assert!(sheets.merge_cells_by_sheet_name(sheet).is_ok_and(|merged| merged.is_empty()), "{sheet}");
    }
    sheets.load_tables().unwrap();
    let table = sheets.table_by_name("figures").unwrap();
    let file = Rows::of(&get(app.address(), &path.replace(".xlsx", ".csv"), &[]).await);
    assert_eq!(table.columns(), file.headings);
    assert_eq!(table.data().rows().count(), file.rows.len());
    for (row, fields) in table.data().rows().zip(&file.rows) {
        for ((cell, field), heading) in row.iter().zip(fields).zip(&file.headings) {
            assert!(is_same(heading, cell, field), "{heading}: {cell:?} {field}");
        }
    }
}

/// Whether a workbook's cell under a heading says what a field of CSV does.
pub(crate) fn is_same(heading: &str, cell: &Data, field: &str) -> bool {
    match (cell.as_f64(), cell.as_string()) {
        (Some(number), _) if cell.is_float() => field.parse() == Ok(number),
        (_, Some(text)) if field.is_empty() => ["none", "All"].contains(&&*text) || text.starts_with('['),
        (_, Some(text)) if heading.ends_with("markers") => text.replace(['[', ']'], "") == *field,
        // Only CSV needs an apostrophe to stay text.
        (_, Some(text)) => {
            text == field.strip_prefix('\'').filter(|rest| !text.starts_with('\'') && !rest.is_empty()).unwrap_or(field)
        }
        (_, None) => false,
    }
}

#[tokio::test]
async fn changes_after_a_revision_go_on_where_the_last_file_ended() {
    let app = TestApp::with_catalogue().await;
    let path = |after: i64| format!("/v1/changes.csv?after={after}&area={HAMPSHIRE}");
    let none = get(app.address(), &path(1), &[]).await;
    assert_eq!((Rows::of(&none).rows.len(), none.header("conspectus-revision")), (0, Some("1")));
    app.submit(submission("one", [figure("initial-contacts", "FY2020-21", "10")])).await;
    app.submit(submission("two", [figure("initial-contacts", "FY2020-21", "11")])).await;
    let names =
        ["revision", "event", "agency", "agency_name", "indicator_title", "area_name", "period", "period_end", "value"];
    let name = "Hampshire County Council Children's Services";
    let row = |revision, value| {
        vec![
            revision,
            "submitted",
            CHILDRENS_SERVICES,
            name,
            "Initial contacts",
            "Hampshire",
            "FY2020-21",
            "2021-03-31",
            value,
        ]
    };
    let all = get(app.address(), &path(1), &[]).await;
    assert_eq!(Rows::of(&all).columns(&names), [row("2", "10"), row("3", "11")]);
    let later = get(app.address(), &path(2), &[]).await;
    assert_eq!(Rows::of(&later).columns(&names), [row("3", "11")]);
    let tag = later.header("etag").unwrap();
    assert_eq!(get(app.address(), &path(2), &[("if-none-match", tag)]).await.status, 304);
}

/// Values that the demo's server takes, for each parameter that is described.
const TAKEN: [(&str, &str); 25] = [
    ("indicator", "initial-contacts"),
    ("area", "E10000014"),
    ("area_level", "district"),
    ("agency", CHILDRENS_SERVICES),
    ("period", "2021-22"),
    ("from", "2021-22"),
    ("to", "2021-22"),
    ("by", "area"),
    ("breakdown", "sex:female"),
    ("by_dimension", "sex"),
    ("compare", "previous"),
    ("compare_with", "2020-21"),
    ("across_breaks", "1"),
    ("year_to_date", "1"),
    ("rate", "1"),
    ("share", "1"),
    ("rank", "1"),
    ("benchmark", "HIPS"),
    ("areas_as_of", "now"),
    ("as_of_revision", "1"),
    ("as_of", "2022-09-30T17:00:00Z"),
    ("min_revision", "1"),
    ("purpose", "a test"),
    ("bom", "1"),
    ("after", "1"),
];

#[tokio::test]
async fn the_parameters_that_are_described_are_those_that_are_read() {
    let app = TestApp::with_demo().await;
    let described = get(app.address(), "/openapi.json", &[]).await.json();
    let mut met = Vec::new();
    for (path, item) in described["paths"].as_object().unwrap().iter().filter(|(path, _)| path.ends_with(".csv")) {
        let parameters = item["get"]["parameters"].as_array().unwrap();
        let parameters: Vec<_> = parameters.iter().filter(|it| it["in"] == "query").collect();
        let names: Vec<&str> = parameters.iter().map(|it| it["name"].as_str().unwrap()).collect();
        met.extend(names.clone());
        // Everything that it takes, and one thing more.
        let query = |names: &[&str]| {
            let value = |name: &&str| TAKEN.iter().find(|(taken, _)| taken == name).unwrap().1.replace(' ', "+");
            let pairs: Vec<String> = names.iter().map(|name| format!("{name}={}", value(name))).collect();
            format!("{path}?{}", pairs.join("&"))
        };
        let refused = get(app.address(), &query(&names), &[]).await;
        assert!(!refused.text().contains("no such parameter"), "{}", refused.text());
        for (other, _) in TAKEN.iter().filter(|(name, _)| !names.contains(name)) {
            let refused = get(app.address(), &format!("{}&{other}=1", query(&names)), &[]).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{other}");
            assert!(refused.text().contains(&format!("{other}: there is no such parameter")), "{}", refused.text());
        }
        // What must be given, and nothing without it.
        let mut required: Vec<&str> =
            parameters.iter().filter(|it| it["required"] == true).map(|it| it["name"].as_str().unwrap()).collect();
        required.extend(names.contains(&"from").then_some("period"));
        let taken = get(app.address(), &query(&required), &[]).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text());
        for name in &required {
            let others: Vec<&str> = required.iter().filter(|other| *other != name).copied().collect();
            let refused = get(app.address(), &query(&others), &[]).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{name} of {path}");
        }
        // Each text of a code list, and nothing else in the place of one, of a number or of an instant.
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap();
            let schema = parameter["schema"].get("items").unwrap_or(&parameter["schema"]);
            let texts = schema["enum"].as_array().into_iter().flatten().map(|text| (text.as_str().unwrap(), true));
            let other = (schema["enum"].is_array() || schema["format"].is_string()).then_some(("other", false));
            for (text, is_taken) in texts.chain(other) {
                let answer = get(app.address(), &format!("{path}?{name}={text}"), &[]).await;
                let is_refused = answer.text().contains(&format!("{name}: found `{text}`"));
                assert_ne!(is_refused, is_taken, "{name}={text} at {path}: {}", answer.text());
            }
        }
    }
    met.sort_unstable();
    met.dedup();
    let mut taken = TAKEN.map(|(name, _)| name);
    taken.sort_unstable();
    assert_eq!(met, taken);
}

//! Every page that shows a table is also comma-separated values, a workbook and JSON.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use conspectus::rpc::proto::SubmitObservationsRequest;
use hyper::StatusCode;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, figure, submission};
use crate::files::{Rows, is_same};
use crate::identities::{self, by};
use crate::web::get_as;
use crate::web_access::{ENDINGS, FILES, pages};

/// Pages whose tables aren't answers: what they show is in no file.
const WITHOUT_FILES: [&str; 0] = [];

/// Who may see a page.
fn reader(page: &str) -> &'static str {
    match page {
        "/keys" | "/audit" | "/about" | "/keys/revoke" => "operator",
        "/due" | "/submissions" | "/submission" | "/submission/withdraw" | "/submit" => "submitter",
        _ => "analyst",
    }
}

async fn with_submissions() -> TestApp {
    let app = TestApp::seeded(identities::seed).await;
    let one = SubmitObservationsRequest {
        source: "=HYPERLINK(\"http://elsewhere.example\")".to_owned(),
        ..submission("one", [figure("initial-contacts", "2020-21", "126150")])
    };
    let two = SubmitObservationsRequest {
        reason: "recounted".to_owned(),
        ..submission("two", [figure("initial-contacts", "2020-21", "126153")])
    };
    for request in [one, two] {
        app.submissions().submit_observations(by("submitter", request)).await.unwrap();
    }
    app
}

#[tokio::test]
async fn every_page_with_a_table_leads_to_its_files() {
    let app = with_submissions().await;
    let mut with_tables = Vec::new();
    for (page, question) in pages() {
        let shown = get_as(&app, reader(&page), &format!("{page}?{question}")).await;
        if !shown.header("content-type").is_some_and(|it| it.starts_with("text/html"))
            || !shown.text().contains("<table")
        {
            continue;
        }
        assert_eq!(shown.status, StatusCode::OK, "{page}: {}", shown.text());
        let files = FILES.iter().filter(|(file, _)| *file == page || file.starts_with(&format!("{page}/")));
        let files: Vec<&str> = files.map(|(file, _)| *file).collect();
        assert_ne!(files.is_empty(), !WITHOUT_FILES.contains(&&*page), "{page}");
        for (file, ending) in files.iter().flat_map(|file| ENDINGS.map(|ending| (file, ending))) {
            assert!(
                shown.text().contains(&format!("href=\"{file}.{ending}")),
                "{page} doesn't lead to {file}.{ending}"
            );
        }
        with_tables.push(page);
    }
    insta::assert_snapshot!(with_tables.join("\n"));
}

/// What differs from one day or one run to the next.
const LIVE: [&str; 4] = ["days_late", "last_used_at", "line", "server_time"];

/// A field without what is another in each run.
fn steady(heading: &str, field: &str) -> String {
    let is_hexadecimal = |length: usize| field.len() == length && field.bytes().all(|byte| byte.is_ascii_hexdigit());
    match heading {
        _ if LIVE.contains(&heading) => "[live]".to_owned(),
        _ if field.len() > 19 && field.ends_with('Z') && field.as_bytes()[10] == b'T' => "[instant]".to_owned(),
        _ if is_hexadecimal(64) => "[hash]".to_owned(),
        "version" => "[version]".to_owned(),
        _ => field.to_owned(),
    }
}

#[tokio::test]
async fn each_file_is_the_same_table_as_csv_and_as_a_workbook_and_the_answer_as_json() {
    let app = with_submissions().await;
    let mut rows = String::new();
    for (page, question) in FILES {
        let get = async |ending: &str| get_as(&app, reader(page), &format!("{page}.{ending}?{question}")).await;
        let csv = get("csv").await;
        assert_eq!(
            csv.header("content-type"),
            Some("text/csv; charset=utf-8; header=present"),
            "{page}: {}",
            csv.text()
        );
        let file = Rows::of(&csv);
        let fields = file.headings.iter().zip(&file.rows[0]).map(|(heading, field)| (heading, steady(heading, field)));
        let fields: Vec<String> = fields.map(|(heading, field)| format!("{heading}={field}")).collect();
        // How often the log was written to depends on how often somebody had to wait.
        let count = if page == "/audit" { "some".to_owned() } else { file.rows.len().to_string() };
        rows.push_str(&format!("{page}, {count} rows\n    {}\n", fields.join("\n    ")));

        let answer = get("xlsx").await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(answer.body)).unwrap();
        let sheets = workbook.sheet_names();
        assert_eq!(sheets[..2], ["Cover", "Notes"], "{page}");
        workbook.load_tables().unwrap();
        let table = workbook.table_by_name(&sheets[2].to_lowercase()).unwrap();
        assert_eq!(table.columns(), file.headings, "{page}");
        // That the audit log was read is in it, as its newest line.
        let read_since = table.data().rows().count() - file.rows.len();
        assert_eq!(read_since, usize::from(page == "/audit"), "{page}");
        for (row, fields) in table.data().rows().skip(read_since).zip(&file.rows) {
            for ((cell, field), heading) in row.iter().zip(fields).zip(&file.headings) {
                let is_live = LIVE.contains(&&**heading) && !matches!(cell, Data::Empty);
                assert!(is_live || is_same(heading, cell, field), "{page} {heading}: {cell:?} {field}");
            }
        }

        let json = get("json").await;
        assert_eq!((json.status, json.header("content-type")), (StatusCode::OK, Some("application/json")), "{page}");
        assert!(json.json()["revision"].is_string(), "{page}: {}", json.text());
    }
    insta::assert_snapshot!(rows);
}

#[tokio::test]
async fn what_partners_write_is_no_formula_in_a_file() {
    let app = with_submissions().await;
    let csv = get_as(&app, "submitter", &format!("/submissions.csv?agency={CHILDRENS_SERVICES}")).await;
    assert_eq!(
        Rows::of(&csv).columns(&["request_id", "source", "reason"]),
        [["two", "", "recounted"], ["one", "'=HYPERLINK(\"http://elsewhere.example\")", ""]]
    );
}

#[tokio::test]
async fn a_file_has_all_pages_each_read_and_audited_as_the_caller_s() {
    let app = TestApp::seeded(identities::seed).await;
    let months = (0..1_200).map(|month| format!("{}-{:02}", 1_900 + month / 12, 1 + month % 12));
    let figures: Vec<_> =
        months.enumerate().map(|(at, month)| figure("missing-episodes", &month, &at.to_string())).collect();
    app.submissions().submit_observations(by("submitter", submission("many", figures))).await.unwrap();
    let question = format!("agency={CHILDRENS_SERVICES}&request_id=many");
    let csv = get_as(&app, "submitter", &format!("/submission.csv?{question}")).await;
    let file = Rows::of(&csv);
    let values: Vec<String> = file.columns(&["value"]).concat().into_iter().map(str::to_owned).collect();
    assert_eq!(values, (0..1_200).map(|at| at.to_string()).collect::<Vec<_>>());
    assert!(file.columns(&["outcome"]).iter().all(|outcome| *outcome == ["new"]));
    let log = std::fs::read_to_string(app.folder().join("audit.log")).unwrap();
    assert_eq!(log.matches("GetSubmission\"").count(), 2, "a line for each page: {log}");
    let page = get_as(&app, "submitter", &format!("/submission.json?{question}")).await.json();
    assert_eq!(page["observations"].as_array().unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_file_that_is_of_a_revision_is_known_again_and_one_of_the_moment_is_not() {
    let app = with_submissions().await;
    let changes = get_as(&app, "analyst", &format!("/changes.csv?after=0&area={HAMPSHIRE}")).await;
    assert!(changes.header("etag").is_some());
    for page in ["/keys", "/audit", "/about"] {
        let file = get_as(&app, "operator", &format!("{page}.csv")).await;
        assert_eq!((file.status, file.header("etag")), (StatusCode::OK, None), "{page}");
        assert!(file.header("conspectus-revision").is_some());
    }
    // What is wrong with an address is said as the page says it.
    let refused = get_as(&app, "operator", "/audit.csv?identiti=jo").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("did you mean `identity`?"), "{}", refused.text());
}

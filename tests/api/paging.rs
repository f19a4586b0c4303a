//! Pages, and what their tokens open.

use conspectus::rpc::proto::{GetCompletenessRequest, GroupBy, QueryAggregateRequest};
use tonic::{Code, Request};

use crate::app::{HAMPSHIRE, TestApp, query};
use crate::identities::{self, by, put};

/// A district that was first put elsewhere, and then, put right, in Hampshire until the end of March 2021.
const ELSEWHERE: &str = r#"
    areas = [
        { code = "ELSEWHERE", name = "Elsewhere", level = "upper-tier" },
        { code = "MOVED", name = "Moved", level = "district", parents = [{ code = "ELSEWHERE" }] },
    ]
"#;
const PUT_RIGHT: &str = r#"
    areas = [{ code = "MOVED", name = "Moved", level = "district", parents = [
        { code = "E10000014", valid_to = "2021-03-31" },
        { code = "ELSEWHERE", valid_from = "2021-04-01" },
    ] }]
"#;
const INDICATOR: &str = "initial-contacts";

fn limited<T>(message: T) -> Request<T> {
    by("analyst-of-hampshire", message)
}

/// A token for the same page as of another revision and the instant of it: both stand in it as they are.
fn as_of(token: &str, revision: i64, at: &prost_types::Timestamp) -> String {
    let micros = at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
    format!("{}{revision:016x}{micros:016x}{}", &token[..16], &token[48..])
}

#[tokio::test]
async fn a_token_opens_no_page_that_as_of_revision_would_not() {
    let app = TestApp::seeded(identities::seed).await;
    let before = put(&app, ELSEWHERE).await;
    put(&app, PUT_RIGHT).await;
    let mut client = app.pictures();
    let periods = ["FY2019-20", "FY2020-21"];
    let asked =
        QueryAggregateRequest { areas: vec!["MOVED".to_owned()], page_size: 1, ..query([INDICATOR], periods, []) };
    let asked = QueryAggregateRequest { group_by: vec![GroupBy::Period.into()], ..asked };
    let first = client.query_aggregate(limited(asked.clone())).await.unwrap().into_inner();
    let then = QueryAggregateRequest { as_of_revision: before, ..asked.clone() };
    assert_eq!(client.query_aggregate(limited(then)).await.unwrap_err().code(), Code::PermissionDenied);

    // The instant of that revision, from an answer that is open to this caller.
    let hampshire = QueryAggregateRequest { as_of_revision: before, ..query([INDICATOR], ["FY2020-21"], []) };
    let at = client.query_aggregate(limited(hampshire)).await.unwrap().into_inner().as_of.unwrap();
    let made = as_of(&first.next_page_token, before, &at);
    let page = |page_token: &str| limited(QueryAggregateRequest { page_token: page_token.to_owned(), ..asked.clone() });
    assert_eq!(client.query_aggregate(page(&made)).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(client.query_aggregate(page(&first.next_page_token)).await.unwrap().get_ref().rows.len(), 1);
    // Whoever may ask as of then has the page.
    let everywhere = QueryAggregateRequest { page_token: made, ..asked };
    assert_eq!(client.query_aggregate(by("analyst", everywhere)).await.unwrap().get_ref().revision, before);
}

#[tokio::test]
async fn a_token_is_good_after_a_restart() {
    let mut app = TestApp::seeded(identities::seed).await;
    let completeness = GetCompletenessRequest {
        area: HAMPSHIRE.to_owned(),
        periods: vec!["FY2020-21".to_owned(), "FY2021-22".to_owned()],
        page_size: 1,
        ..GetCompletenessRequest::default()
    };
    let first = app.pictures().get_completeness(by("steward", completeness.clone())).await.unwrap().into_inner();
    app.restart().await;
    put(&app, ELSEWHERE).await;
    let second = GetCompletenessRequest { page_token: first.next_page_token, ..completeness };
    let second = app.pictures().get_completeness(by("steward", second)).await.unwrap().into_inner();
    assert_eq!((second.revision, second.as_of), (first.revision, first.as_of));
}

//! Returns: several submissions of which their sender says what they have in all.

use conspectus::rpc::proto::{
    CompleteReturnRequest, GetReturnRequest, ListReturnsRequest, ReturnManifest, ReturnTotals,
    SubmitObservationsRequest,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, TestApp, figure, submission};

const CONTACTS: &str = "initial-contacts";

fn part(request_id: &str, period: &str, number: &str) -> SubmitObservationsRequest {
    let return_id = "spring".to_owned();
    SubmitObservationsRequest { return_id, ..submission(request_id, [figure(CONTACTS, period, number)]) }
}

fn manifest(parts: &[&str], figures: i64, sum: &str) -> ReturnManifest {
    let totals = ReturnTotals { indicator: CONTACTS.to_owned(), figures, sum: sum.to_owned(), base_sum: String::new() };
    ReturnManifest { parts: parts.iter().map(|part| (*part).to_owned()).collect(), figures, totals: vec![totals] }
}

async fn complete(app: &TestApp, manifest: ReturnManifest) -> Result<i64, Status> {
    let request = CompleteReturnRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        return_id: "spring".to_owned(),
        manifest: Some(manifest),
        validate_only: false,
    };
    app.submissions().complete_return(request).await.map(|answer| answer.into_inner().completed_at_revision)
}

async fn state(app: &TestApp) -> (bool, i32, i64) {
    let request = GetReturnRequest { agency: CHILDRENS_SERVICES.to_owned(), return_id: "spring".to_owned() };
    let found = app.submissions().get_return(request).await.unwrap().into_inner().summary.unwrap();
    (found.complete, found.part_count, found.figure_count)
}

fn fields(refused: &Status) -> Vec<String> {
    refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|it| it.field).collect()
}

#[tokio::test]
async fn a_return_is_complete_when_it_has_what_its_sender_says_and_takes_nothing_more() {
    let app = TestApp::with_catalogue().await;
    assert_eq!(complete(&app, manifest(&["one"], 1, "5")).await.unwrap_err().code(), Code::NotFound);
    app.submit(part("one", "FY2020-21", "5")).await;
    app.submit(part("two", "FY2021-22", "7")).await;
    assert_eq!(state(&app).await, (false, 2, 2));
    let refused = complete(&app, manifest(&["one"], 1, "5")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        fields(&refused),
        [
            "manifest.parts",
            "manifest.figures",
            "manifest.totals[initial-contacts].figures",
            "manifest.totals[initial-contacts].sum"
        ]
    );
    let completed = complete(&app, manifest(&["two", "one"], 2, "12")).await.unwrap();
    assert_eq!((state(&app).await, completed), ((true, 2, 2), 4));
    assert_eq!(complete(&app, manifest(&["one", "two"], 2, "12.0")).await.unwrap(), 4, "the same again");
    let further = app.try_submit(part("three", "FY2019-20", "1")).await.unwrap_err();
    assert_eq!(further.code(), Code::FailedPrecondition);
    assert_eq!(further.get_details_error_info().unwrap().reason, "RETURN_COMPLETE");
    assert!(app.submit(part("two", "FY2021-22", "7")).await.already_received, "a retry");
}

#[tokio::test]
async fn a_withdrawal_opens_a_return_again() {
    let app = TestApp::with_catalogue().await;
    app.submit(part("one", "FY2020-21", "5")).await;
    app.submit(part("two", "FY2021-22", "7")).await;
    complete(&app, manifest(&["one", "two"], 2, "12")).await.unwrap();
    app.withdraw("two").await;
    assert_eq!(state(&app).await, (false, 1, 1));
    assert!(complete(&app, manifest(&["one", "two"], 2, "12")).await.is_err());
    app.submit(part("three", "FY2021-22", "8")).await;
    complete(&app, manifest(&["one", "three"], 2, "13")).await.unwrap();
    assert_eq!(state(&app).await, (true, 2, 2));
}

#[tokio::test]
async fn what_a_return_is_of_is_content_of_a_submission() {
    let app = TestApp::with_catalogue().await;
    app.submit(part("one", "FY2020-21", "5")).await;
    let other = SubmitObservationsRequest { return_id: String::new(), ..part("one", "FY2020-21", "5") };
    assert_eq!(app.try_submit(other).await.unwrap_err().code(), Code::AlreadyExists);
    let wrong = SubmitObservationsRequest { return_id: "two words".to_owned(), ..part("two", "FY2020-21", "5") };
    assert_eq!(fields(&app.try_submit(wrong).await.unwrap_err()), ["return_id"]);
}

#[tokio::test]
async fn returns_are_listed_in_pages() {
    let app = TestApp::with_catalogue().await;
    for (id, period) in [("b", "FY2018-19"), ("a", "FY2019-20"), ("c", "FY2020-21")] {
        let return_id = id.to_owned();
        app.submit(SubmitObservationsRequest { return_id, ..part(id, period, "5") }).await;
    }
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListReturnsRequest { agency: CHILDRENS_SERVICES.to_owned(), page_size: 2, page_token };
        let page = app.submissions().list_returns(request).await.unwrap().into_inner();
        listed.extend(page.returns.into_iter().map(|it| (it.return_id, it.opened_at_revision)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, [("a".to_owned(), 3), ("b".to_owned(), 2), ("c".to_owned(), 4)]);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_is_refused_with_every_reason() {
    let app = TestApp::with_catalogue().await;
    let totals = |indicator: &str, sum: &str| ReturnTotals {
        indicator: indicator.to_owned(),
        figures: -1,
        sum: sum.to_owned(),
        base_sum: "x".to_owned(),
    };
    let wrong = ReturnManifest {
        parts: vec!["one".to_owned(), "one".to_owned(), String::new()],
        figures: -1,
        totals: vec![totals("No!", "1e3")],
    };
    let refused = complete(&app, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "manifest.parts[1]",
            "manifest.parts[2]",
            "manifest.figures",
            "manifest.totals[0].indicator",
            "manifest.totals[0].figures",
            "manifest.totals[0].sum",
            "manifest.totals[0].base_sum",
        ]
    );
}

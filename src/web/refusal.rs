//! What a page says instead of an answer.

use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::page::Page;
use crate::http::status_code;

/// A refusal of the service, as a page.
#[derive(Debug)]
pub(super) struct Refusal(Box<Status>);

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self(Box::new(status))
    }
}

#[derive(Debug, Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    title: &'static str,
    message: String,
    /// Each problem: its field, and what is wrong with it.
    problems: Vec<(String, String)>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status) = self;
        let problems = status.get_details_bad_request().map(|found| found.field_violations).unwrap_or_default();
        let problems = problems.into_iter().map(|problem| (problem.field, problem.description)).collect();
        let title = match status.code() {
            tonic::Code::InvalidArgument => "There is a problem with the question",
            tonic::Code::Unauthenticated => "You are not signed in",
            tonic::Code::PermissionDenied => "You may not see this",
            tonic::Code::NotFound => "Not found",
            tonic::Code::Unavailable | tonic::Code::ResourceExhausted | tonic::Code::DeadlineExceeded => {
                "The service is busy"
            }
            tonic::Code::Ok
            | tonic::Code::Cancelled
            | tonic::Code::Unknown
            | tonic::Code::AlreadyExists
            | tonic::Code::FailedPrecondition
            | tonic::Code::Aborted
            | tonic::Code::OutOfRange
            | tonic::Code::Unimplemented
            | tonic::Code::Internal
            | tonic::Code::DataLoss => "That did not work",
        };
        let page = RefusalPage { title, message: status.message().to_owned(), problems };
        (status_code(status.code()), Page(page)).into_response()
    }
}

/// The page for an address at which there is none.
pub(super) async fn not_found(address: Uri) -> Response {
    let message = format!("There is no page at {}.", address.path());
    (StatusCode::NOT_FOUND, Page(RefusalPage { title: "Not found", message, problems: Vec::new() })).into_response()
}

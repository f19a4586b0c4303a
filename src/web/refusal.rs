//! What a page says instead of an answer.

use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::page::Page;
use crate::http::status_code;

/// A refusal, as a page.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The service's.
    Service(Box<Status>),
    /// The page's own.
    Page(StatusCode, &'static str, String),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Service(Box::new(status))
    }
}

impl Refusal {
    /// The page's own: its status, its title, and what it says.
    pub(super) fn of_page(status: StatusCode, title: &'static str, message: String) -> Self {
        Self::Page(status, title, message)
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
        let status = match self {
            Self::Service(status) => status,
            Self::Page(status, title, message) => {
                return (status, Page(RefusalPage { title, message, problems: Vec::new() })).into_response();
            }
        };
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

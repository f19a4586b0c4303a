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
    Page(StatusCode, Box<RefusalPage>),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Service(Box::new(status))
    }
}

impl Refusal {
    /// The page's own: its status, its title, and what it says.
    pub(super) fn of_page(status: StatusCode, title: &'static str, message: String) -> Self {
        Self::Page(status, Box::new(RefusalPage { title, message, ..RefusalPage::default() }))
    }

    /// The same of the page's own with where to go on: what the link says, and its address.
    pub(super) fn with_link(self, words: &'static str, href: String) -> Self {
        self.with(Link { words, href, is_apart: false })
    }

    /// The same with a link to a page beside this one, which stays open and can be loaded again.
    pub(super) fn with_link_apart(self, words: &'static str, href: String) -> Self {
        self.with(Link { words, href, is_apart: true })
    }

    fn with(mut self, link: Link) -> Self {
        if let Self::Page(_, page) = &mut self {
            page.links.push(link);
        }
        self
    }
}

/// Why there is no answer, in words.
#[derive(Debug, Default, Template)]
#[template(path = "refusal.html")]
pub(super) struct RefusalPage {
    title: &'static str,
    /// Empty where the problems say it.
    message: String,
    /// Each problem: its field, and what is wrong with it.
    problems: Vec<(String, String)>,
    /// Where to go on.
    links: Vec<Link>,
}

/// Where to go on.
#[derive(Debug)]
struct Link {
    words: &'static str,
    href: String,
    /// Whether it opens in another tab.
    is_apart: bool,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Service(status) => status,
            Self::Page(status, page) => return (status, Page(*page)).into_response(),
        };
        let problems = status.get_details_bad_request().map(|found| found.field_violations).unwrap_or_default();
        let problems: Vec<_> = problems.into_iter().map(|problem| (problem.field, problem.description)).collect();
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
        // The message of a status lists the same problems.
        let message = if problems.is_empty() { status.message().to_owned() } else { String::new() };
        let page = RefusalPage { title, message, problems, links: Vec::new() };
        (status_code(status.code()), Page(page)).into_response()
    }
}

/// A refusal of the page's own, as it is answered.
pub(super) fn page_refusal(status: StatusCode, title: &'static str, message: String) -> Response {
    Refusal::of_page(status, title, message).into_response()
}

/// The page for an address at which there is none.
pub(super) async fn not_found(address: Uri) -> Response {
    let message = format!("There is no page at {}.", address.path());
    page_refusal(StatusCode::NOT_FOUND, "Not found", message)
}

/// The page for an address that only a form is sent to, or that no form is sent to.
pub(super) async fn not_so(address: Uri) -> Refusal {
    let message = format!(
        "The address {} belongs to a form: it is reached by the button of the page that has the form, and can't be opened by \
         itself. Nothing was stored, and nothing was changed.",
        address.path()
    );
    Refusal::of_page(StatusCode::METHOD_NOT_ALLOWED, "Open the form first", message)
        .with_link("The first page", "/".to_owned())
}

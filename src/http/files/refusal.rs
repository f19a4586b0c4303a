//! Why there is no file, for whoever reads it: a line a problem as plain text, which spreadsheets and browsers show; for
//! programs that ask for it, JSON as of any other call.

use http_body_util::Full;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderValue, StatusCode, header};
use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt as _};

use super::credentials::CHALLENGES;
use super::fields::parameter;
use crate::access::PURPOSE_ALLOWED;
use crate::http::error;
use crate::model::violation::Violations;
use crate::rpc::{self, PURPOSE_HEADER, Reason};

/// As much as there may be.
const ERROR_BYTES_MAX: usize = 1 << 20;
/// The answer that a refusal is, to a request with these headers.
pub(super) fn response(status: &Status, request: &HeaderMap) -> http::Response<Body> {
    let status = in_terms_of_the_address(status);
    let mut response = error::response(&status);
    if response.status() == StatusCode::UNAUTHORIZED {
        let headers = response.headers_mut();
        headers.remove(header::WWW_AUTHENTICATE);
        for challenge in CHALLENGES {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    let accepted = request.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/json") {
        return response;
    }
    *response.body_mut() = Body::new(Full::from(text(&status)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// What is wrong with an address, and with what it asks for, together.
pub(super) fn of_the_address(mut problems: Violations, found: &Status) -> Status {
    // Whoever may not ask isn't told what is wrong with the question.
    if found.code() != Code::InvalidArgument {
        return found.clone();
    }
    // By the revision nothing was to be answered; what an address may say of it is right.
    for problem in violations(found).into_iter().filter(|problem| problem.field != "min_revision") {
        problems.add(parameter(&problem.field), description(&problem.description));
    }
    rpc::invalid(&problems, ERROR_BYTES_MAX)
}

/// A refusal for one reason, which is no parameter's.
pub(super) fn invalid(what: &str) -> Status {
    let mut problems = Violations::default();
    problems.add("", what);
    rpc::invalid(&problems, ERROR_BYTES_MAX)
}

/// A refusal by the names of the address's parameters.
fn in_terms_of_the_address(status: &Status) -> Status {
    match Reason::of(status) {
        Some(Reason::InvalidRequest) => {
            let mut problems = Violations::default();
            for problem in violations(status) {
                problems.add(parameter(&problem.field), description(&problem.description));
            }
            rpc::invalid(&problems, ERROR_BYTES_MAX)
        }
        Some(Reason::PurposeMissing) => {
            let what = format!(
                "say what you read figures for: in the address, as purpose=…, or in the header `{PURPOSE_HEADER}`: \
                 {PURPOSE_ALLOWED}"
            );
            Status::with_error_details(status.code(), what, status.get_error_details())
        }
        Some(_) | None => status.clone(),
    }
}

/// A description that names the parameters of a range.
fn description(text: &str) -> String {
    text.replace("a period_range", "`from` and `to`").replace("as_of_time", "as_of")
}

/// A line a problem; the message alone where it has none.
fn text(status: &Status) -> String {
    let problems = violations(status);
    if problems.is_empty() {
        return format!("{}\n", status.message());
    }
    let line = |problem: FieldViolation| match &*problem.field {
        "" => format!("{}\n", problem.description),
        field => format!("{field}: {}\n", problem.description),
    };
    problems.into_iter().map(line).collect()
}

fn violations(status: &Status) -> Vec<FieldViolation> {
    status.get_details_bad_request().map(|found| found.field_violations).unwrap_or_default()
}

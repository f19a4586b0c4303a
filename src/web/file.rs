//! A page's answer as a file: comma-separated values, or a workbook, as the service's own addresses give it.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tonic::Status;

use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http::files::{self, Form, Question};

pub(super) const CSV: Form = Form::Csv { has_bom: false };
pub(super) const WORKBOOK: Form = Form::Workbook;

/// The file of a page's question, unless there is something wrong with it.
pub(super) async fn answer(
    visitor: &Visitor,
    question: Result<Question, Status>,
    form: Form,
    headers: &HeaderMap,
) -> Response {
    let file = match question {
        Ok(question) => files::file(&visitor.calls, &question, form, headers).await,
        Err(status) => Err(status),
    };
    file.map_or_else(|status| Refusal::from(status).into_response(), |file| file.map(axum::body::Body::new))
}

//! A page's answer as the service gives it: the JSON at the same address with `.json` behind its path.

use axum::response::Response;
use prost::Message;
use tonic::Status;

use super::visitor::Visitor;
use crate::http::error_response;

/// What a method answers to the question of a page.
pub(super) async fn answer(visitor: &Visitor, path: &str, question: &impl Message) -> Response {
    visitor.calls.json(path, question).await.map(axum::body::Body::new)
}

/// What is wrong with a question that can't be put to a method.
pub(super) fn refused(status: &Status) -> Response {
    error_response(status).map(axum::body::Body::new)
}

//! A page's answer as the service gives it: the JSON at the same address with `.json` behind its path.

use axum::Json;
use axum::response::{IntoResponse, Response};
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::Status;

use super::visitor::Visitor;
use crate::http::error_response;
use crate::rpc;

/// What a method answers to the question of a page.
pub(super) async fn answer(visitor: &Visitor, path: &str, question: &impl Message) -> Response {
    visitor.calls.json(path, question).await.map(axum::body::Body::new)
}

/// An answer that was put together of several of a method's, as JSON.
pub(super) fn of_answer(path: &str, answer: &impl Message) -> Result<Response, Status> {
    let method = rpc::method(path).ok_or_else(|| Status::internal(format!("there is no method {path}")))?;
    let answer = DynamicMessage::decode(method.output(), &*answer.encode_to_vec());
    Ok(Json(answer.map_err(|error| Status::internal(error.to_string()))?).into_response())
}

/// What is wrong with a question that can't be put to a method.
pub(super) fn refused(status: &Status) -> Response {
    error_response(status).map(axum::body::Body::new)
}

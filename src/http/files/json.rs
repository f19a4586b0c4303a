//! A file's question answered as JSON: what somebody who puts it to the JSON door gets, a page of it.

use axum::Json;
use axum::response::IntoResponse as _;
use prost_reflect::DynamicMessage;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;

use super::question::Question;
use crate::http::calls::Calls;
use crate::http::error;

/// The answer, or why there is none.
pub(crate) async fn json(calls: &Calls, question: &Question) -> http::Response<Body> {
    match question.answer() {
        None => calls.json(question.method(), question.request()).await,
        Some(answer) => of_answer(question, answer).unwrap_or_else(|status| error::response(&status)),
    }
}

/// One that was put together of several of the method's.
fn of_answer(question: &Question, answer: &[u8]) -> Result<http::Response<Body>, Status> {
    let answer = DynamicMessage::decode(question.descriptor()?.output(), answer)
        .map_err(|error| Status::internal(error.to_string()))?;
    Ok(Json(answer).into_response().map(Body::new))
}

//! A page's answer as the service gives it: the JSON at the same address with `.json` behind its path.

use axum::response::Response;
use prost::Message;

use super::visitor::Visitor;

/// What a method answers to the question of a page.
pub(super) async fn answer(visitor: &Visitor, path: &str, question: &impl Message) -> Response {
    visitor.calls.json(path, question).await.map(axum::body::Body::new)
}

//! A page as it is sent.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// A rendered template.
#[derive(Debug)]
pub(super) struct Page<T>(pub(super) T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(text) => Html(text).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page can't be rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "This page can't be shown.").into_response()
            }
        }
    }
}

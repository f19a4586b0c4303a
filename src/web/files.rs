//! A page's answer as files: comma-separated values, a workbook, and JSON, each at the page's address with another ending.

use std::future::Future;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tonic::Status;

use super::refusal::Refusal;
use super::visitor::{Shared, Visitor};
use crate::http::error_response;
use crate::http::files::{self, Form, Question};

/// The forms by the ending of an address; none is JSON, which has one page of an answer where the others have all.
const FORMS: [(&str, Option<Form>); 3] =
    [("csv", Some(Form::Csv { has_bom: false })), ("xlsx", Some(Form::Workbook)), ("json", None)];

/// Routes of pages that are also files.
pub(super) trait Files {
    /// The files of a page: each answers the question that the page's handler reads from the address.
    fn files<F, A>(self, page: &str, question: F) -> Self
    where
        F: Fn(Visitor, Option<String>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Question, Status>> + Send + 'static;
}

impl Files for Router<Shared> {
    fn files<F, A>(self, page: &str, question: F) -> Self
    where
        F: Fn(Visitor, Option<String>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Question, Status>> + Send + 'static,
    {
        FORMS.into_iter().fold(self, |routes, (ending, form)| {
            let question = question.clone();
            let handler = async move |visitor: Visitor, RawQuery(query): RawQuery, headers: HeaderMap| {
                let question = question(visitor.clone(), query).await;
                answer(&visitor, question, form, &headers).await
            };
            routes.route(&format!("{page}.{ending}"), get(handler))
        })
    }
}

async fn answer(
    visitor: &Visitor,
    question: Result<Question, Status>,
    form: Option<Form>,
    headers: &HeaderMap,
) -> Response {
    match (question, form) {
        (Ok(question), None) => files::json(&visitor.calls, &question).await.map(axum::body::Body::new),
        (Err(status), None) => error_response(&status).map(axum::body::Body::new),
        (question, Some(form)) => {
            let file = match question {
                Ok(question) => files::file(&visitor.calls, &question, form, headers).await,
                Err(status) => Err(status),
            };
            file.map_or_else(|status| Refusal::from(status).into_response(), |file| file.map(axum::body::Body::new))
        }
    }
}

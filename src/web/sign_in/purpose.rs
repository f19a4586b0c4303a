//! What an analyst reads figures for: said before anything is read, and changed whenever it changes.

use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tonic::codegen::http::{HeaderMap, StatusCode};

use super::page::{Problem, PurposePage};
use super::shared::SignIns;
use super::with_key::Next;
use crate::access::Purpose;
use crate::web::LocalPath;
use crate::web::csrf;
use crate::web::page::Page;
use crate::web::session::Session;

#[derive(Deserialize)]
struct PurposeForm {
    #[serde(default)]
    next: String,
    #[serde(default)]
    purpose: String,
}

pub(super) async fn form(
    State(sign_ins): State<SignIns>,
    Query(Next { next }): Query<Next>,
    headers: HeaderMap,
) -> Response {
    let next = LocalPath::or_first(&next);
    match sign_ins.session(&headers) {
        Some(session) => {
            let purpose = session.purpose().map_or("", Purpose::as_str);
            asked(&session, next, purpose, StatusCode::OK, None)
        }
        None => Redirect::to(&next.after("/sign-in")).into_response(),
    }
}

pub(super) async fn state(State(sign_ins): State<SignIns>, request: Request) -> Response {
    let first = LocalPath::or_first("");
    let Some(session) = sign_ins.session(request.headers()) else {
        return Redirect::to(&first.after("/sign-in")).into_response();
    };
    let again = |status, problem| asked(&session, first.clone(), "", status, Some(problem));
    let request = match csrf::check(request, session.csrf(), sign_ins.at()).await {
        Ok(request) => request,
        Err(forged) => return again(StatusCode::FORBIDDEN, Problem::of_page(&forged)),
    };
    let Ok(Form(PurposeForm { next, purpose })) = Form::from_request(request, &()).await else {
        return again(StatusCode::BAD_REQUEST, Problem::of_page("this isn't what the form sends"));
    };
    let next = LocalPath::or_first(&next);
    match Purpose::parse(&purpose) {
        Ok(purpose) => {
            sign_ins.sessions().set_purpose(&session, purpose);
            Redirect::to(&next.to_string()).into_response()
        }
        Err(error) => asked(&session, next, &purpose, StatusCode::BAD_REQUEST, Some(Problem::of_field(&error))),
    }
}

fn asked(session: &Session, next: LocalPath, purpose: &str, status: StatusCode, problem: Option<Problem>) -> Response {
    let identity = session.identity().id.to_string();
    let page = PurposePage { csrf: session.csrf(), next, identity, purpose: purpose.to_owned(), problem };
    (status, Page(page)).into_response()
}

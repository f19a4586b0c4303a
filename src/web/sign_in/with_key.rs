//! Signing in with an API key.

use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::response::Response;
use serde::Deserialize;
use tonic::codegen::http::{HeaderMap, StatusCode};

use super::page::Problem;
use super::shared::SignIns;
use crate::access::Secret;
use crate::net::Peer;
use crate::web::LocalPath;
use crate::web::cookie::Cookie;
use crate::web::csrf::{self, CsrfToken, Forged};
use crate::web::session::Means;

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub(super) next: String,
}

#[derive(Deserialize)]
struct KeyForm {
    #[serde(default)]
    next: String,
    #[serde(default)]
    key: String,
}

pub(super) async fn form(
    State(sign_ins): State<SignIns>,
    Query(Next { next }): Query<Next>,
    headers: HeaderMap,
) -> Response {
    sign_ins.form(&headers, LocalPath::or_first(&next), StatusCode::OK, None)
}

pub(super) async fn sign_in(State(sign_ins): State<SignIns>, request: Request) -> Response {
    if let Err(answer) = sign_ins.attempt(request.extensions()) {
        return answer;
    }
    let headers = request.headers().clone();
    let peer = request.extensions().get::<Peer>().cloned();
    let again = |status, next, problem| sign_ins.form(&headers, next, status, Some(problem));
    let browser = Cookie::SigningIn.read(sign_ins.at(), &headers);
    let checked = match browser.as_ref().map(CsrfToken::of) {
        Some(token) => csrf::check(request, token, sign_ins.at()).await,
        // The cookie of a form that was left open for long is gone.
        None => Err(Forged::Token),
    };
    let request = match checked {
        Ok(request) => request,
        Err(forged) => return again(StatusCode::FORBIDDEN, LocalPath::or_first(""), Problem::of_page(&forged)),
    };
    let Ok(Form(KeyForm { next, key })) = Form::from_request(request, &()).await else {
        let problem = Problem::of_page("this isn't what the form sends");
        return again(StatusCode::BAD_REQUEST, LocalPath::or_first(""), problem);
    };
    let next = LocalPath::or_first(&next);
    match Secret::parse(key.trim()) {
        Ok(secret) => sign_ins.begin(&headers, peer, Means::Key(secret), next).await,
        Err(error) => again(StatusCode::BAD_REQUEST, next, Problem::of_field(&error)),
    }
}

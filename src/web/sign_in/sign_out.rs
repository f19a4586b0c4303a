//! Signing out.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use tonic::codegen::http::StatusCode;
use tonic::codegen::http::header::SET_COOKIE;

use super::shared::SignIns;
use crate::web::cookie::Cookie;
use crate::web::csrf;
use crate::web::refusal::page_refusal;

/// Ends a browser's session. One that is over already is no reason to complain.
pub(super) async fn sign_out(State(sign_ins): State<SignIns>, request: Request) -> Response {
    if let Some(session) = sign_ins.session(request.headers()) {
        if let Err(forged) = csrf::check(request, session.csrf(), sign_ins.at()).await {
            let words = format!("You are still signed in: {forged}");
            return page_refusal(StatusCode::FORBIDDEN, "This form can't be taken", words);
        }
        sign_ins.sessions().end(&session);
        tracing::info!(identity = %session.identity().id, "signed out");
    }
    ([(SET_COOKIE, Cookie::Session.clear(sign_ins.at()))], Redirect::to("/sign-in")).into_response()
}

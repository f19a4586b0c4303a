//! Signing in at the provider: there, and back.

use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tonic::codegen::http::header::SET_COOKIE;
use tonic::codegen::http::{HeaderMap, StatusCode};

use super::page::Problem;
use super::pending::{Pending, Secrets};
use super::provider::{Error, Provider};
use super::shared::SignIns;
use super::with_key::Next;
use crate::model::violation::Quoted;
use crate::net::Peer;
use crate::web::LocalPath;
use crate::web::cookie::Cookie;
use crate::web::refusal::page_refusal;
use crate::web::session::Means;

/// What the provider sends back by the browser.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Callback {
    state: String,
    code: String,
    error: String,
    /// Who answers (RFC 9207), when the answer says so.
    iss: Option<String>,
}

pub(super) async fn begin(
    State(sign_ins): State<SignIns>,
    Query(Next { next }): Query<Next>,
    parts: Parts,
) -> Response {
    let next = LocalPath::or_first(&next);
    match to_provider(&sign_ins, next, &parts).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn to_provider(sign_ins: &SignIns, next: LocalPath, parts: &Parts) -> Result<Response, Response> {
    sign_ins.attempt(&parts.extensions)?;
    let provider = sign_ins.provider().ok_or_else(no_provider)?;
    let (browser, cookie) = sign_ins.browser(&parts.headers)?;
    let secrets = Secrets::from_random([sign_ins.random()?, sign_ins.random()?, sign_ins.random()?]);
    let now = sign_ins.instant();
    let url = provider
        .authorization_url(secrets.clone(), now)
        .await
        .map_err(|error| refused(sign_ins, &parts.headers, next.clone(), &error))?;
    sign_ins.pending().begin(&secrets, next, &browser, now);
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&url)).into_response())
}

pub(super) async fn finish(
    State(sign_ins): State<SignIns>,
    Query(callback): Query<Callback>,
    parts: Parts,
) -> Response {
    match back(&sign_ins, callback, &parts).await {
        Ok((next, means)) => {
            let peer = parts.extensions.get::<Peer>().cloned();
            sign_ins.begin(&parts.headers, peer, means, next).await
        }
        Err(answer) => answer,
    }
}

/// There is nowhere to sign in but here.
fn no_provider() -> Response {
    let words = "Nobody signs in to this service elsewhere. Sign in with a key, at /sign-in";
    page_refusal(StatusCode::NOT_FOUND, "Not found", words.to_owned())
}

/// Who comes back from the provider, and where they were going.
async fn back(sign_ins: &SignIns, callback: Callback, parts: &Parts) -> Result<(LocalPath, Means), Response> {
    sign_ins.attempt(&parts.extensions)?;
    let provider = sign_ins.provider().ok_or_else(no_provider)?;
    let headers = &parts.headers;
    let now = sign_ins.instant();
    let browser = Cookie::SigningIn.read(sign_ins.at(), headers);
    let pending = browser.and_then(|browser| sign_ins.pending().finish(&callback.state, &browser, now));
    let Some(Pending { secrets, next, .. }) = pending else {
        let words = "This sign-in was begun in another browser, is finished already, or took too long. Begin again.";
        let problem = Some(Problem::of_page(words));
        return Err(sign_ins.form(headers, LocalPath::or_first(""), StatusCode::BAD_REQUEST, problem));
    };
    let code = code(provider, callback).map_err(|error| refused(sign_ins, headers, next.clone(), &error))?;
    match provider.redeem(code, secrets, now, sign_ins.now()).await {
        Ok(sign_in) => Ok((next, Means::Provider(sign_in))),
        Err(error) => Err(refused(sign_ins, headers, next, &error)),
    }
}

/// The code that the provider has sent.
fn code(provider: &Provider, callback: Callback) -> Result<String, Error> {
    if callback.iss.as_ref().is_some_and(|issuer| issuer != provider.issuer().as_str()) {
        return Err(Error::Token("another provider has answered".to_owned()));
    }
    if callback.code.is_empty() {
        return Err(Error::Refused(Quoted(&callback.error).to_string()));
    }
    Ok(callback.code)
}

/// The form again, and why nobody is signed in. Its cause goes to the log.
fn refused(sign_ins: &SignIns, headers: &HeaderMap, next: LocalPath, error: &Error) -> Response {
    let (status, words) = match error {
        Error::Unavailable(_) => {
            tracing::error!("signing in at the provider: {error}");
            (StatusCode::BAD_GATEWAY, "The provider can't be reached. Try again in a moment, or sign in with a key.")
        }
        Error::Refused(_) => {
            tracing::info!("signing in at the provider: {error}");
            (StatusCode::FORBIDDEN, "The provider didn't let you sign in. Begin again.")
        }
        Error::Token(_) => {
            tracing::warn!("signing in at the provider: {error}");
            (StatusCode::FORBIDDEN, "What the provider says of you can't be trusted. Begin again.")
        }
    };
    sign_ins.form(headers, next, status, Some(Problem::of_page(words)))
}

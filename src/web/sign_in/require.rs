//! What every other page of the page stands behind.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tonic::codegen::http::{Method, StatusCode};

use super::shared::{Refusal, SignIns};
use crate::net::Peer;
use crate::web::refusal::{Refusal as RefusalPage, page_refusal};
use crate::web::session::Session;
use crate::web::{LocalPath, csrf, headers};

/// Lets a request through that is of a session, as its extension [`Session`], and sends everybody else to sign in first.
/// What changes anything must be a form of this session's, and an analyst must have said what figures are read for.
/// Whoever is revoked is out within 15 seconds.
pub async fn require_session(State(sign_ins): State<SignIns>, request: Request, next: Next) -> Response {
    let mut answer = match admitted(&sign_ins, request).await {
        Ok((request, who)) => {
            let answer = next.run(request).await;
            sign_ins.untaken().count(&who, answer).await.unwrap_or_else(IntoResponse::into_response)
        }
        Err(answer) => answer,
    };
    headers::secure(sign_ins.at(), answer.headers_mut());
    answer
}

/// The request with its session, and who that is of.
async fn admitted(sign_ins: &SignIns, request: Request) -> Result<(Request, String), Response> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let here = LocalPath::or_first(path);
    let elsewhere = |page| {
        if is_read {
            return Redirect::to(&here.after(page)).into_response();
        }
        // The browser still has what its form sent, as long as this page stays open.
        let message = "Your session has ended, or you have signed out. What you sent was not taken: nothing was stored, and \
                       nothing was changed. It is not lost either. Keep this page open, sign in again in another tab, \
                       then come back to this one and load it again: your browser asks whether it should send the same \
                       once more.";
        RefusalPage::of_page(StatusCode::FORBIDDEN, "You are not signed in", message.to_owned())
            .with_link_apart("Sign in again, in another tab", "/account".to_owned())
            .into_response()
    };
    let session = sign_ins.session(request.headers()).ok_or_else(|| elsewhere("/sign-in"))?;
    let session = match confirmed(sign_ins, session, request.extensions().get::<Peer>().cloned()).await {
        Ok(session) => session,
        Err(Refusal::NotAccepted(_)) => return Err(elsewhere("/sign-in")),
        Err(Refusal::Unavailable(words)) => {
            return Err(page_refusal(StatusCode::SERVICE_UNAVAILABLE, "The service is busy", words));
        }
    };
    if session.lacks_purpose() {
        return Err(elsewhere("/sign-in/purpose"));
    }
    let mut request = if is_read {
        request
    } else {
        csrf::check(request, session.csrf(), sign_ins.at()).await.map_err(|forged| {
            let message = format!("Nothing was stored, and nothing was changed: {forged}");
            page_refusal(StatusCode::FORBIDDEN, "This form can't be taken", message)
        })?
    };
    let who = session.identity().id.to_string();
    request.extensions_mut().insert(session);
    Ok((request, who))
}

/// A session whose holder the service still knows, as it has said of late.
///
/// # Errors
/// When it doesn't, which ends the session; or can't say.
async fn confirmed(sign_ins: &SignIns, session: Session, peer: Option<Peer>) -> Result<Session, Refusal> {
    let now = sign_ins.instant();
    if !session.is_to_be_confirmed(now) {
        return Ok(session);
    }
    match sign_ins.who(session.means(), peer).await {
        Ok(identity) => Ok(sign_ins.sessions().confirm(session, identity, now)),
        Err(refusal) => {
            if let Refusal::NotAccepted(_) = refusal {
                sign_ins.sessions().end(&session);
                tracing::info!(identity = %session.identity().id, "no longer signed in: not accepted any more");
            }
            Err(refusal)
        }
    }
}

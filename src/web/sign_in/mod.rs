//! Signing in, and out: with an API key, or at an OpenID Connect provider.
//!
//! Whoever signs in is an identity of the register, by its key, or by the issuer and subject that the provider gives.
//! The service itself says so, asked as by a call of theirs; and is asked again while they stay. An analyst says what
//! figures are read for, before anything else.
//!
//! | path | |
//! |---|---|
//! | `GET /sign-in` | the form |
//! | `POST /sign-in` | a key |
//! | `GET /sign-in/provider` | off to the provider |
//! | `GET /sign-in/callback` | back from it |
//! | `GET`, `POST /sign-in/purpose` | what an analyst reads figures for |
//! | `POST /sign-out` | ends the session |

mod at_provider;
mod attempts;
mod http_client;
mod page;
mod pending;
mod provider;
mod purpose;
#[cfg(test)]
mod real_provider;
mod require;
mod shared;
mod sign_out;
#[cfg(test)]
mod test_provider;
#[cfg(test)]
mod test_world;
#[cfg(test)]
mod tests;
mod with_key;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{get, post};

pub use provider::ProviderSettings;
pub use require::require_session;
pub use shared::{Randomness, Refusal, Settings, SignIns, Stopwatch, TimeOfDay, WhoIsCalling};

use super::{headers, refusal};

/// The longest form that is taken: a key and a path are a fraction of it.
const FORM_BYTES_MAX: usize = 8 << 10;

/// The pages with which one signs in and out.
pub fn router(sign_ins: SignIns) -> Router {
    let at = sign_ins.at().clone();
    Router::new()
        .route("/sign-in", get(with_key::form).post(with_key::sign_in))
        .route("/sign-in/provider", get(at_provider::begin))
        .route("/sign-in/callback", get(at_provider::finish))
        .route("/sign-in/purpose", get(purpose::form).post(purpose::state))
        .route("/sign-out", post(sign_out::sign_out))
        .method_not_allowed_fallback(refusal::not_so)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(axum::middleware::map_response(move |mut answer: Response| {
            headers::secure(&at, answer.headers_mut());
            std::future::ready(answer)
        }))
        .with_state(sign_ins)
}

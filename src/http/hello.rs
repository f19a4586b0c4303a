//! `GET /v1/hello`: what arrives of a caller, for a desktop that has nothing but a browser. It answers whether or not the
//! caller is known, so that whoever isn't sees what stands between; `conspectus doctor` says more.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tonic::Status;
use tonic::codegen::http::header;
use tonic_types::StatusExt as _;

use super::calls::Calls;
use super::error;
use crate::access::Role;
use crate::net::Peer;
use crate::rpc::proto::{GetCallerRequest, GetCallerResponse};
use crate::rpc::{Reason, Router};

/// Where it is.
pub(super) const PATH: &str = "/v1/hello";

/// What the server sees of a caller.
#[derive(Debug, Serialize)]
struct Hello {
    service: &'static str,
    version: &'static str,
    /// `HTTP/1.1`, `HTTP/2.0`.
    protocol: String,
    /// `TLS 1.3`, `TLS 1.2`; none where nothing is encrypted, as behind a proxy that ends TLS.
    tls: Option<&'static str>,
    /// Where the connection comes from: of a proxy's, the proxy.
    address: String,
    /// Whether a header `authorization` has arrived: some proxies take it away.
    sent_credentials: bool,
    #[serde(flatten)]
    caller: Caller,
}

#[derive(Debug, Serialize)]
#[serde(tag = "caller", rename_all = "snake_case")]
enum Caller {
    /// Nobody in particular is calling: there are no identities yet.
    Anyone,
    Known {
        identity: String,
        role: String,
        agency: String,
    },
    Unknown {
        reason: String,
        message: String,
        remedy: &'static str,
    },
}

impl From<GetCallerResponse> for Caller {
    fn from(answer: GetCallerResponse) -> Self {
        let Some(identity) = answer.identity else { return Self::Anyone };
        let role = Role::from_code(identity.role).map_or_else(String::new, |role| role.to_string());
        Self::Known { identity: identity.id, role, agency: identity.agency }
    }
}

impl From<Status> for Caller {
    fn from(status: Status) -> Self {
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        let remedy = match Reason::parse(&reason) {
            Some(Reason::Unauthenticated) => {
                "send your key as `Authorization: Bearer cps_…`; if you did, ask whether it was revoked, and whether a proxy on the way removes that header"
            }
            Some(Reason::KeyExpired) => "ask whoever keeps the keys for another",
            Some(Reason::Starting) => "the server has just been started: try again in a moment",
            _ => "try again in a moment, and then tell whoever runs the server",
        };
        Self::Unknown { reason, message: status.message().to_owned(), remedy }
    }
}

/// The answer as OpenAPI describes it.
pub(super) fn schema() -> Value {
    let text = |says: &str| json!({ "type": "string", "description": says });
    json!({
        "type": "object",
        "properties": {
            "service": { "type": "string", "const": "conspectus" },
            "version": text("The server's version."),
            "protocol": text("The version of HTTP that arrives, such as `HTTP/1.1`."),
            "tls": { "type": ["string", "null"], "description": "`TLS 1.3` or `TLS 1.2`; null where nothing is encrypted, as behind a proxy that ends TLS." },
            "address": text("Where the connection comes from: of a proxy's, the proxy."),
            "sent_credentials": { "type": "boolean", "description": "Whether a header `authorization` has arrived: some proxies take it away." },
            "caller": { "type": "string", "enum": ["anyone", "known", "unknown"], "description": "`anyone` as long as there are no identities." },
            "identity": text("Of one that is known, its id."),
            "role": text("Of one that is known."),
            "agency": text("Of one that is known; empty if it is of none."),
            "reason": text("Of one that isn't known, the stable reason, such as `KEY_EXPIRED`."),
            "message": text("The same in words."),
            "remedy": text("What to do about it."),
        },
        "required": ["service", "version", "protocol", "tls", "address", "sent_credentials", "caller"],
        "additionalProperties": false,
    })
}

pub(super) async fn answer(State(router): State<Router>, request: Request) -> Response {
    let (Some(calls), Some(peer)) = (Calls::as_sender_of(router, &request), request.extensions().get::<Peer>()) else {
        return error::response(&Status::internal("the request comes from nowhere")).map(axum::body::Body::new);
    };
    let (tls, address) = (peer.tls(), peer.address().to_string());
    let protocol = format!("{:?}", request.version());
    let sent_credentials = request.headers().contains_key(header::AUTHORIZATION);
    let caller = match calls.keys().get_caller(GetCallerRequest::default()).await {
        Ok(answer) => answer.into_inner().into(),
        Err(status) => status.into(),
    };
    let version = env!("CARGO_PKG_VERSION");
    let hello = Hello { service: "conspectus", version, protocol, tls, address, sent_credentials, caller };
    ([(header::CACHE_CONTROL, "no-store")], Json(hello)).into_response()
}

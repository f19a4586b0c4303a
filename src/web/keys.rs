//! Who may call, with which keys, and when each was last used; for operators. A key is created by the command line alone: its
//! secret is shown once, to whoever keeps it.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Redirect, Response};

use super::json;
use super::page::Page;
use super::question::{Address, Parameters};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::access::Role;
use crate::catalogue::items::Sector;
use crate::model::text::visible;
use crate::rpc::proto::{Identity, ListKeysRequest, ListKeysResponse, RevokeKeyRequest};
use crate::wording::instant;

/// How many identities a page shows.
const IDENTITIES_MAX: i32 = 100;

fn read(query: Option<&str>) -> (Parameters, ListKeysRequest) {
    let parameters = Parameters::read(query, &["page_token"]);
    let request = ListKeysRequest { page_size: IDENTITIES_MAX, page_token: parameters.text("page_token") };
    (parameters, request)
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, request) = read(query.as_deref());
    let answer = parameters.with_those_of(visitor.calls.keys().list_keys(request).await)?.into_inner();
    Ok(Page(KeysPage::new(&answer)).into_response())
}

pub(super) async fn json(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let (parameters, request) = read(query.as_deref());
    match parameters.check() {
        Ok(()) => json::answer(&visitor, "/conspectus.v1.KeyService/ListKeys", &request).await,
        Err(status) => json::refused(&status),
    }
}

/// Asks before it is done.
pub(super) async fn confirm(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let parameters = Parameters::read(query.as_deref(), &["identity", "key_id"]);
    // Whoever may not revoke it isn't asked.
    let request = ListKeysRequest { page_size: 1, ..ListKeysRequest::default() };
    parameters.with_those_of(visitor.calls.keys().list_keys(request).await)?;
    let (identity, key_id) = (parameters.text("identity"), parameters.text("key_id"));
    Ok(Page(RevokePage { csrf: visitor.csrf, identity, key_id }).into_response())
}

/// Revokes a key; or an identity with all that it has, where no key is named.
pub(super) async fn revoke(visitor: Visitor, form: String) -> Result<Redirect, Refusal> {
    let parameters = Parameters::read(Some(&form), &["csrf", "identity", "key_id"]);
    parameters.check()?;
    let (identity, key_id) = (parameters.text("identity"), parameters.text("key_id"));
    visitor.calls.keys().revoke_key(RevokeKeyRequest { identity, key_id }).await?;
    Ok(Redirect::to("/keys"))
}

#[derive(Debug, Template)]
#[template(path = "revoke.html")]
struct RevokePage {
    csrf: String,
    identity: String,
    key_id: String,
}

#[derive(Debug, Template)]
#[template(path = "keys.html")]
struct KeysPage {
    revision: i64,
    identities: Vec<IdentityView>,
    /// Where the later identities are; empty if these are all.
    next: String,
    json: String,
}

#[derive(Debug)]
struct IdentityView {
    id: String,
    role: String,
    /// The agency of a submitter or corrector; the sectors and areas of an analyst.
    scope: String,
    created: String,
    /// When it was revoked; empty if it wasn't.
    revoked: String,
    credentials: Vec<CredentialView>,
    /// Where it can be revoked; empty if it is.
    revoke: String,
}

#[derive(Debug)]
struct CredentialView {
    name: String,
    created: String,
    /// Until when it is valid, or when it was revoked.
    until: String,
    last_used: String,
    /// Where it can be revoked by itself; empty if it can't.
    revoke: String,
}

impl KeysPage {
    fn new(answer: &ListKeysResponse) -> Self {
        let page = Address::of("/keys");
        let next = Some(&answer.next_page_token).filter(|token| !token.is_empty());
        let [_, _, (_, json)] = page.files();
        Self {
            revision: answer.revision,
            identities: answer.identities.iter().map(identity_view).collect(),
            next: next.map(|token| page.clone().with("page_token", token).href()).unwrap_or_default(),
            json,
        }
    }
}

fn identity_view(identity: &Identity) -> IdentityView {
    let at = |at: Option<&prost_types::Timestamp>| at.map(instant::text).unwrap_or_default();
    let sectors = identity.sectors.iter().filter_map(|code| Sector::from_code(*code)).map(|sector| sector.to_string());
    let agency = Some(identity.agency.clone()).filter(|agency| !agency.is_empty());
    let scope: Vec<String> = agency.into_iter().chain(sectors).chain(identity.areas.iter().cloned()).collect();
    let revoke = Address::of("/keys/revoke").with("identity", &identity.id);
    let is_revoked = identity.revoked_at.is_some();
    let keys = identity.keys.iter().map(|key| {
        let revoked = key.revoked_at.as_ref().or(identity.revoked_at.as_ref());
        CredentialView {
            name: format!("key {}", key.id),
            created: at(key.issued_at.as_ref()),
            until: revoked
                .map_or_else(|| at(key.expires_at.as_ref()), |revoked| format!("revoked {}", at(Some(revoked)))),
            last_used: key.last_used_at.as_ref().map_or_else(|| "never".to_owned(), instant::text),
            revoke: if revoked.is_some() { String::new() } else { revoke.clone().with("key_id", &key.id).href() },
        }
    });
    let certificates = identity.certificates.iter().map(|uri| CredentialView {
        name: format!("certificate {}", visible(uri)),
        created: at(identity.created_at.as_ref()),
        until: if is_revoked { "revoked with its identity" } else { "as long as the certificate" }.to_owned(),
        last_used: "not recorded".to_owned(),
        revoke: String::new(),
    });
    IdentityView {
        id: identity.id.clone(),
        role: Role::from_code(identity.role).map(|role| role.to_string()).unwrap_or_default(),
        scope: visible(&scope.join(", ")).into_owned(),
        created: at(identity.created_at.as_ref()),
        revoked: at(identity.revoked_at.as_ref()),
        credentials: keys.chain(certificates).collect(),
        revoke: if is_revoked { String::new() } else { revoke.href() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::Key;

    #[test]
    fn each_credential_says_until_when_it_is_good_and_where_it_is_revoked() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let key = |id: &str, revoked_at, last_used_at| Key {
            id: id.to_owned(),
            issued_at: at(0),
            expires_at: at(86_400 * 365),
            revoked_at,
            last_used_at,
        };
        let submitter = Identity {
            id: "portsmouth-feed".to_owned(),
            role: 1,
            agency: "portsmouth-childrens-services".to_owned(),
            certificates: vec!["spiffe://feeds/<b>".to_owned()],
            created_at: at(0),
            keys: vec![key("0123456789abcdef", None, at(3_600)), key("fedcba9876543210", at(7_200), None)],
            ..Identity::default()
        };
        let gone = Identity {
            id: "gone".to_owned(),
            role: 5,
            revoked_at: at(9_000),
            keys: vec![key("00", None, None)],
            ..Identity::default()
        };
        let answer =
            ListKeysResponse { revision: 7, identities: vec![submitter, gone], next_page_token: "a b".to_owned() };
        insta::assert_snapshot!(KeysPage::new(&answer).render().unwrap());
    }
}

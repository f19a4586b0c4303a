//! Who may call, with which keys, and when each was last used; for operators. A key is created by the command line alone: its
//! secret is shown once, to whoever keeps it.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Redirect, Response};
use prost::Message as _;
use tonic::Status;

use super::page::Page;
use super::question::{Address, FileLink, Parameters};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::access::Role;
use crate::catalogue::items::Sector;
use crate::http::files::Question;
use crate::model::text::visible;
use crate::model::timestamp::Timestamp;
use crate::rpc::proto::{Identity, ListKeysRequest, ListKeysResponse, RevokeKeyRequest};
use crate::tables::{self, AsOf};
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
    Ok(Page(KeysPage::new(&answer, visitor.now)).into_response())
}

pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<Question, Status> {
    let (parameters, request) = read(query.as_deref());
    parameters.check()?;
    let (method, message) = ("/conspectus.v1.KeyService/ListKeys", request.encode_to_vec());
    let table = |_: ListKeysResponse, _, as_of: AsOf| tables::keys(as_of.revision);
    // When a key was last used changes without a revision.
    Ok(Question::new("keys", (method, "identities"), message, table).of_the_moment())
}

/// Asks before it is done.
pub(super) async fn confirm(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let parameters = Parameters::read(query.as_deref(), &["identity", "key_id"]);
    // Whoever may not revoke it isn't asked.
    let request = ListKeysRequest { page_size: 1, ..ListKeysRequest::default() };
    parameters.with_those_of(visitor.calls.keys().list_keys(request).await)?;
    let (identity, key_id) = named(&parameters)?;
    let is_own = identity == visitor.identity;
    Ok(Page(RevokePage { csrf: visitor.csrf, identity, key_id, is_own }).into_response())
}

/// Revokes a key; or an identity with all that it has, where no key is named.
pub(super) async fn revoke(visitor: Visitor, form: String) -> Result<Redirect, Refusal> {
    let parameters = Parameters::read(Some(&form), &["csrf", "identity", "key_id"]);
    let (identity, key_id) = named(&parameters)?;
    visitor.calls.keys().revoke_key(RevokeKeyRequest { identity, key_id }).await?;
    Ok(Redirect::to("/keys"))
}

/// What is to be revoked: the identity, and the key or nothing.
///
/// # Errors
/// Everything that is wrong with what was sent.
fn named(parameters: &Parameters) -> Result<(String, String), Status> {
    parameters.check()?;
    Ok((parameters.text("identity"), parameters.text("key_id")))
}

#[derive(Debug, Template)]
#[template(path = "revoke.html")]
struct RevokePage {
    csrf: String,
    identity: String,
    key_id: String,
    /// Whether it is of whoever asks.
    is_own: bool,
}

#[derive(Debug, Template)]
#[template(path = "keys.html")]
struct KeysPage {
    revision: i64,
    identities: Vec<IdentityView>,
    /// Where the later identities are; empty if these are all.
    next: String,
    files: Vec<FileLink>,
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
    /// `valid`, `expired` or `revoked`.
    status: &'static str,
    /// Until when it is valid, since when it has expired, or when it was revoked.
    when: String,
    last_used: String,
    /// Where it can be revoked by itself; empty if it can't.
    revoke: String,
}

impl KeysPage {
    fn new(answer: &ListKeysResponse, now: Timestamp) -> Self {
        let page = Address::of("/keys");
        let next = Some(&answer.next_page_token).filter(|token| !token.is_empty());
        Self {
            revision: answer.revision,
            identities: answer.identities.iter().map(|identity| identity_view(identity, now)).collect(),
            next: next.map(|token| page.clone().with("page_token", token).href()).unwrap_or_default(),
            files: page.files(),
        }
    }
}

fn identity_view(identity: &Identity, now: Timestamp) -> IdentityView {
    let at = |at: Option<&prost_types::Timestamp>| at.map(instant::text).unwrap_or_default();
    let sectors = identity.sectors.iter().filter_map(|code| Sector::from_code(*code)).map(|sector| sector.to_string());
    let agency = Some(identity.agency.clone()).filter(|agency| !agency.is_empty());
    let scope: Vec<String> = agency.into_iter().chain(sectors).chain(identity.areas.iter().cloned()).collect();
    let revoke = Address::of("/keys/revoke").with("identity", &identity.id);
    let is_revoked = identity.revoked_at.is_some();
    let keys = identity.keys.iter().map(|key| {
        let revoked = key.revoked_at.as_ref().or(identity.revoked_at.as_ref());
        let expires = key.expires_at.as_ref();
        let is_expired = expires.is_some_and(|expires| expires.seconds * 1_000_000 <= now.0);
        let (status, when) = match revoked {
            Some(revoked) => ("revoked", at(Some(revoked))),
            None if is_expired => ("expired", at(expires)),
            None => ("valid", format!("until {}", at(expires))),
        };
        CredentialView {
            name: format!("key {}", key.id),
            created: at(key.issued_at.as_ref()),
            status,
            when,
            last_used: key.last_used_at.as_ref().map_or_else(|| "never".to_owned(), instant::text),
            revoke: if status == "valid" { revoke.clone().with("key_id", &key.id).href() } else { String::new() },
        }
    });
    let certificates = identity.certificates.iter().map(|uri| format!("certificate {}", visible(uri)));
    let sign_ins = identity.sign_ins.iter();
    let sign_ins = sign_ins.map(|it| format!("sign-in {} at {}", visible(&it.subject), visible(&it.issuer)));
    let others = certificates.chain(sign_ins).map(|name| CredentialView {
        name,
        created: at(identity.created_at.as_ref()),
        status: if is_revoked { "revoked" } else { "valid" },
        when: if is_revoked { at(identity.revoked_at.as_ref()) } else { "as long as its issuer says so".to_owned() },
        last_used: "not recorded".to_owned(),
        revoke: String::new(),
    });
    IdentityView {
        id: identity.id.clone(),
        role: Role::from_code(identity.role).map(|role| role.to_string()).unwrap_or_default(),
        scope: visible(&scope.join(", ")).into_owned(),
        created: at(identity.created_at.as_ref()),
        revoked: at(identity.revoked_at.as_ref()),
        credentials: keys.chain(others).collect(),
        revoke: if is_revoked { String::new() } else { revoke.href() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Key, SignIn};
    use crate::web::tests::main_of;

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
            sign_ins: vec![SignIn { issuer: "https://login.example".to_owned(), subject: "<jo>".to_owned() }],
            created_at: at(0),
            keys: vec![
                key("0123456789abcdef", None, at(3_600)),
                key("fedcba9876543210", at(7_200), None),
                Key { expires_at: at(86_400 * 299), ..key("1111111111111111", None, None) },
            ],
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
        let now = Timestamp(86_400 * 300 * 1_000_000);
        insta::assert_snapshot!(main_of(&KeysPage::new(&answer, now)));
    }
}

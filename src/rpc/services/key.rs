//! The key service: who may call.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use super::read;
use crate::access::{AccessChange, Credential, Identity, IdentityRecord, Key, NewKey, Role, Scope, Secret, SignIn};
use crate::catalogue::items::Sector;
use crate::intake::change_access::{AskedAccess, ChangeAccess};
use crate::intake::writer::Written;
use crate::model::budget::Budget;
use crate::model::id::{AgencyId, AreaCode, CertificateUri, IdentityId, Issuer, Subject};
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::{Lazy, Violations};
use crate::rpc::call::{self, Call, Refusal};
use crate::rpc::guard::{Guard, Session};
use crate::rpc::page::{self, Paging, TokenBinding};
use crate::rpc::proto::key_service_server::KeyService;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Gate, convert, number, proto};
use crate::state::State;

const DAYS_DEFAULT: i32 = 365;
const OVERLAP_HOURS_DEFAULT: i32 = 7 * 24;

/// Serves `conspectus.v1.KeyService`.
#[derive(Debug, Clone)]
pub struct Keys {
    gate: Gate,
    guard: Guard,
}

impl Keys {
    /// The service behind a gate and a guard.
    pub fn new(gate: Gate, guard: Guard) -> Self {
        Self { gate, guard }
    }
}

#[tonic::async_trait]
impl KeyService for Keys {
    async fn create_key(
        &self,
        request: Request<proto::CreateKeyRequest>,
    ) -> Result<Response<proto::CreateKeyResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, received, .. }| async move {
            let names = message.certificates.len() + message.sign_ins.len();
            let items = message.areas.len() + message.sectors.len() + names;
            let secret = if message.without_key { None } else { Some(random()?) };
            let created = || created(context, &message, secret.as_ref());
            let (created, expires_at) = received.work(items, created).await??;
            drop(received);
            let revision = change(context, &session, created).await?;
            Ok(proto::CreateKeyResponse {
                revision,
                key_id: secret.as_ref().map(|secret| secret.id().to_string()).unwrap_or_default(),
                expires_at: secret.as_ref().map(|_| convert::timestamp(expires_at)),
                secret: secret.map(|secret| secret.reveal()).unwrap_or_default(),
            })
        })
        .await
    }

    async fn rotate_key(
        &self,
        request: Request<proto::RotateKeyRequest>,
    ) -> Result<Response<proto::RotateKeyResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let now = (context.clock)();
            let mut violations = Violations::default();
            let identity = violations.check("identity", IdentityId::parse(&message.identity));
            let expires_at = expiry(message.days, now, &mut violations);
            let hours = i64::from(message.overlap_hours.unwrap_or(OVERLAP_HOURS_DEFAULT));
            if hours < 0 {
                violations.add("overlap_hours", format_args!("found {hours}; allowed: 0 or more"));
            }
            let identity = identity.filter(|_| violations.is_empty());
            let Some(identity) = identity else { return Err(violations.into()) };
            let older_until = now.plus_hours(hours);
            let secret = random()?;
            let key = new_key(&secret, expires_at);
            let revision = change(context, &session, AccessChange::Rotate { identity, key, older_until }).await?;
            Ok(proto::RotateKeyResponse {
                revision,
                key_id: secret.id().to_string(),
                secret: secret.reveal(),
                expires_at: Some(convert::timestamp(expires_at)),
                older_until: Some(convert::timestamp(older_until)),
            })
        })
        .await
    }

    async fn revoke_key(
        &self,
        request: Request<proto::RevokeKeyRequest>,
    ) -> Result<Response<proto::RevokeKeyResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let mut violations = Violations::default();
            let identity = violations.check("identity", IdentityId::parse(&message.identity));
            let text = message.key_id.as_str();
            let key = if text.is_empty() { None } else { violations.check("key_id", text.parse()) };
            let identity = identity.filter(|_| violations.is_empty());
            let Some(identity) = identity else { return Err(violations.into()) };
            let revision = change(context, &session, AccessChange::Revoke { identity, key }).await?;
            Ok(proto::RevokeKeyResponse { revision })
        })
        .await
    }

    async fn list_keys(
        &self,
        request: Request<proto::ListKeysRequest>,
    ) -> Result<Response<proto::ListKeysResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let (keys, state) = (self.clone(), context.newest());
            let answer = move |budget: &Budget| keys.list(&state, &message, budget);
            read::compute(session.compute(), answer, read::smaller_pages).await
        })
        .await
    }

    async fn get_caller(
        &self,
        request: Request<proto::GetCallerRequest>,
    ) -> Result<Response<proto::GetCallerResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, .. }| async move {
            let (state, tail) = (context.newest(), context.reader.tail());
            let known = session.known();
            let record = known.and_then(|known| state.access().get(&known.identity.id));
            let key = |id| Some(self.key_message(state.access().of_key(id)?.1));
            Ok(proto::GetCallerResponse {
                revision: number(state.revision()),
                identity: record.map(identity_message),
                credential: known.and_then(|known| match &known.credential {
                    Credential::Key(id) => key(*id).map(proto::get_caller_response::Credential::Key),
                    Credential::Certificate(uri) => {
                        Some(proto::get_caller_response::Credential::Certificate(uri.to_string()))
                    }
                    Credential::SignIn(sign_in) => {
                        Some(proto::get_caller_response::Credential::SignIn(sign_in_message(sign_in)))
                    }
                }),
                newest_revision: number(tail.revision),
                chain_hash: tail.hash.0.to_vec(),
                server_version: env!("CARGO_PKG_VERSION").to_owned(),
                server_time: Some(convert::timestamp((context.clock)())),
            })
        })
        .await
    }
}

/// Has a change written to the journal and to the audit log; its revision.
async fn change(context: &Context, session: &Session, change: AccessChange) -> Result<i64, Refusal> {
    let scope = change.to_string();
    let command = AskedAccess(ChangeAccess { changes: vec![change], now: (context.clock)() });
    let Written::Accepted { revision, .. } = session.writer(context).write(command).await?;
    session.audit_key_change(scope, revision).await?;
    Ok(number(revision))
}

impl Keys {
    fn list(
        &self,
        state: &State,
        request: &proto::ListKeysRequest,
        budget: &Budget,
    ) -> Result<proto::ListKeysResponse, Violations> {
        let mut violations = Violations::default();
        let binding = TokenBinding::of("ListKeys", &proto::ListKeysRequest::default());
        let paging = Paging { binding, size: request.page_size, token: &request.page_token };
        let page = paging.page(page::ITEMS, &mut violations);
        violations.into_result(())?;
        let after = page.after().and_then(|after| IdentityId::parse(after).ok());
        let all = state.access().iter().map_while(|record| budget.spend(1).ok().map(|()| record));
        let rest = all.filter(|record| after.as_ref().is_none_or(|after| record.identity.id > *after));
        let (identities, next_page_token) = page.cut(
            rest,
            Revision::ZERO,
            |record| record.identity.id.to_string(),
            |record| {
                // Once there is no budget left, no identity follows.
                let _ = budget.spend(record.identity.scope.areas.len());
                let keys = record.keys.iter().map(|key| self.key_message(key)).collect();
                proto::Identity { keys, ..identity_message(record) }
            },
        );
        Ok(proto::ListKeysResponse { revision: number(state.revision()), identities, next_page_token })
    }

    fn key_message(&self, key: &Key) -> proto::Key {
        proto::Key {
            id: key.id.to_string(),
            issued_at: Some(convert::timestamp(key.issued_at)),
            expires_at: Some(convert::timestamp(key.expires_at)),
            revoked_at: key.revoked_at.map(convert::timestamp),
            last_used_at: self.guard.last_used(key.id).map(convert::timestamp),
        }
    }
}

/// An identity, without its keys.
fn identity_message(record: &IdentityRecord) -> proto::Identity {
    let IdentityRecord { identity, created_at, revoked_at, keys: _ } = record;
    proto::Identity {
        id: identity.id.to_string(),
        role: identity.role.code(),
        agency: identity.agency.as_ref().map(ToString::to_string).unwrap_or_default(),
        sectors: identity.scope.sectors.iter().map(|sector| sector.code()).collect(),
        areas: identity.scope.areas.iter().map(ToString::to_string).collect(),
        certificates: identity.certificates.iter().map(ToString::to_string).collect(),
        created_at: Some(convert::timestamp(*created_at)),
        revoked_at: revoked_at.map(convert::timestamp),
        keys: Vec::new(),
        sign_ins: identity.sign_ins.iter().map(sign_in_message).collect(),
    }
}

fn sign_in_message(sign_in: &SignIn) -> proto::SignIn {
    proto::SignIn { issuer: sign_in.issuer.to_string(), subject: sign_in.subject.to_string() }
}

fn random() -> Result<Secret, Status> {
    new_secret().map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        status::error(Reason::NoRandomness, "no key can be made")
    })
}

/// A new key, of the system's randomness.
///
/// # Errors
/// When the system has none to give.
pub fn new_secret() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; Secret::RANDOM_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::from_random(bytes))
}

fn new_key(secret: &Secret, expires_at: Timestamp) -> NewKey {
    NewKey { id: secret.id(), hash: secret.hash(), expires_at }
}

/// When a key of so many days expires. That there aren't too many is for the register to say.
fn expiry(days: i32, now: Timestamp, violations: &mut Violations) -> Timestamp {
    if days < 0 {
        violations.add("days", format_args!("found {days}; allowed: 1 or more, or 0 for {DAYS_DEFAULT}"));
    }
    let days = if days == 0 { DAYS_DEFAULT } else { days };
    now.plus_hours(i64::from(days) * 24)
}

/// What creates the identity that a request describes, and when its key expires. It is reviewed here, so that the
/// writer has little to do with it: there are no more areas then than the catalogue has.
///
/// # Errors
/// Everything that is wrong with it.
fn created(
    context: &Context,
    request: &proto::CreateKeyRequest,
    secret: Option<&Secret>,
) -> Result<(AccessChange, Timestamp), Violations> {
    let (state, now) = (context.newest(), (context.clock)());
    let mut violations = Violations::default();
    let identity = identity(request, &mut violations);
    let expires_at = expiry(request.days, now, &mut violations);
    let Some(identity) = identity.filter(|_| violations.is_empty()) else { return Err(violations) };
    let created = AccessChange::Create { identity, key: secret.map(|secret| new_key(secret, expires_at)) };
    let violations = state.access().review(std::slice::from_ref(&created), state.catalogue(), now);
    violations.into_result((created, expires_at))
}

fn identity(request: &proto::CreateKeyRequest, violations: &mut Violations) -> Option<Identity> {
    let id = violations.check("identity", IdentityId::parse(&request.identity));
    let role = Role::from_code(request.role);
    if role.is_none() {
        violations.add("role", format_args!("found {}; allowed: {}", request.role, Role::allowed()));
    }
    let agency = (!request.agency.is_empty()).then(|| violations.check("agency", AgencyId::parse(&request.agency)));
    let mut sectors = BTreeSet::new();
    for (index, code) in request.sectors.iter().enumerate() {
        match Sector::from_code(*code) {
            Some(sector) => drop(sectors.insert(sector)),
            None => {
                violations.add(
                    format_args!("sectors[{index}]"),
                    format_args!("found {code}; allowed: {}", Lazy(Sector::allowed)),
                );
            }
        }
    }
    let mut areas = BTreeSet::new();
    for (index, code) in request.areas.iter().enumerate() {
        areas.extend(violations.check(format_args!("areas[{index}]"), AreaCode::parse(code)));
    }
    let mut certificates = Vec::new();
    for (index, uri) in request.certificates.iter().enumerate() {
        certificates.extend(violations.check(format_args!("certificates[{index}]"), CertificateUri::parse(uri)));
    }
    let mut sign_ins = Vec::new();
    for (index, message) in request.sign_ins.iter().enumerate() {
        let issuer = violations.check(format_args!("sign_ins[{index}].issuer"), Issuer::parse(&message.issuer));
        let subject = violations.check(format_args!("sign_ins[{index}].subject"), Subject::parse(&message.subject));
        sign_ins.extend(issuer.zip(subject).map(|(issuer, subject)| SignIn { issuer, subject }));
    }
    let (agency, scope) = (agency.flatten(), Scope { sectors, areas });
    Some(Identity { id: id?, role: role?, agency, scope, certificates, sign_ins })
}

//! Who caused an entry, and changes to identities and their keys.

use super::wire::{DecodeError, known, parse, parse_all, proto};
use crate::access::{AccessChange, Actor, Credential, Identity, KeyHash, KeyId, NewKey, Role, Scope, SignIn};
use crate::catalogue::items::Sector;
use crate::model::timestamp::Timestamp;

pub(super) fn actor_to_proto(actor: &Actor) -> Option<proto::By> {
    let kind = |kind| proto::By { kind, ..proto::By::default() };
    match actor {
        Actor::Unknown => None,
        Actor::Open => Some(kind(1)),
        Actor::Local => Some(kind(2)),
        Actor::Identity { id, credential } => {
            let by = proto::By { identity: id.to_string(), ..kind(3) };
            Some(match credential {
                Credential::Key(key) => proto::By { key_id: key.0.to_vec(), ..by },
                Credential::Certificate(uri) => proto::By { certificate: uri.to_string(), ..by },
                Credential::SignIn(sign_in) => proto::By { sign_in: Some(sign_in_to_proto(sign_in)), ..by },
            })
        }
    }
}

pub(super) fn actor_from_proto(by: Option<proto::By>) -> Result<Actor, DecodeError> {
    let Some(by) = by else { return Ok(Actor::Unknown) };
    match by.kind {
        1 => Ok(Actor::Open),
        2 => Ok(Actor::Local),
        3 => {
            let credential = match by.sign_in {
                Some(sign_in) => Credential::SignIn(sign_in_from_proto(&sign_in)?),
                None if by.key_id.is_empty() => Credential::Certificate(parse(&by.certificate)?),
                None => Credential::Key(key_id(&by.key_id)?),
            };
            Ok(Actor::Identity { id: parse(&by.identity)?, credential })
        }
        other => Err(DecodeError::new(format!("caused by something of kind {other}"))),
    }
}

pub(super) fn change_to_proto(change: &AccessChange) -> proto::AccessChange {
    use proto::access_change::Change as P;
    let change = match change {
        AccessChange::Create { identity, key } => P::Created(proto::IdentityCreated {
            id: identity.id.to_string(),
            role: identity.role.code(),
            agency: identity.agency.as_ref().map(ToString::to_string).unwrap_or_default(),
            sectors: identity.scope.sectors.iter().map(|sector| sector.code()).collect(),
            areas: identity.scope.areas.iter().map(ToString::to_string).collect(),
            certificates: identity.certificates.iter().map(ToString::to_string).collect(),
            key: key.as_ref().map(key_to_proto),
            sign_ins: identity.sign_ins.iter().map(sign_in_to_proto).collect(),
        }),
        AccessChange::Rotate { identity, key, older_until } => P::Rotated(proto::KeyRotated {
            id: identity.to_string(),
            key: Some(key_to_proto(key)),
            older_until_micros: older_until.0,
        }),
        AccessChange::Revoke { identity, key } => P::Revoked(proto::Revoked {
            id: identity.to_string(),
            key_id: key.map(|key| key.0.to_vec()).unwrap_or_default(),
        }),
    };
    proto::AccessChange { change: Some(change) }
}

pub(super) fn change_from_proto(change: proto::AccessChange) -> Result<AccessChange, DecodeError> {
    use proto::access_change::Change as P;
    match change.change {
        Some(P::Created(created)) => {
            let sector = |code: i32| known("sector", code, Sector::from_code(code));
            let agency = created.agency.as_str();
            Ok(AccessChange::Create {
                identity: Identity {
                    id: parse(&created.id)?,
                    role: known("role", created.role, Role::from_code(created.role))?,
                    agency: if agency.is_empty() { None } else { Some(parse(agency)?) },
                    scope: Scope {
                        sectors: created.sectors.into_iter().map(sector).collect::<Result<_, _>>()?,
                        areas: parse_all(&created.areas)?.into_iter().collect(),
                    },
                    certificates: parse_all(&created.certificates)?,
                    sign_ins: created.sign_ins.iter().map(sign_in_from_proto).collect::<Result<_, _>>()?,
                },
                key: created.key.map(key_from_proto).transpose()?,
            })
        }
        Some(P::Rotated(rotated)) => Ok(AccessChange::Rotate {
            identity: parse(&rotated.id)?,
            key: key_from_proto(rotated.key.ok_or_else(|| DecodeError::new("a further key that isn't there"))?)?,
            older_until: Timestamp(rotated.older_until_micros),
        }),
        Some(P::Revoked(revoked)) => {
            let key = if revoked.key_id.is_empty() { None } else { Some(key_id(&revoked.key_id)?) };
            Ok(AccessChange::Revoke { identity: parse(&revoked.id)?, key })
        }
        None => Err(DecodeError::new("a change of no known kind")),
    }
}

fn sign_in_to_proto(sign_in: &SignIn) -> proto::SignIn {
    proto::SignIn { issuer: sign_in.issuer.to_string(), subject: sign_in.subject.to_string() }
}

fn sign_in_from_proto(sign_in: &proto::SignIn) -> Result<SignIn, DecodeError> {
    Ok(SignIn { issuer: parse(&sign_in.issuer)?, subject: parse(&sign_in.subject)? })
}

fn key_to_proto(key: &NewKey) -> proto::NewKey {
    proto::NewKey { id: key.id.0.to_vec(), hash: key.hash.as_bytes().to_vec(), expires_at_micros: key.expires_at.0 }
}

fn key_from_proto(key: proto::NewKey) -> Result<NewKey, DecodeError> {
    let hash = <[u8; 32]>::try_from(key.hash).map_err(|_| DecodeError::new("a key's hash of other than 32 bytes"))?;
    Ok(NewKey { id: key_id(&key.id)?, hash: KeyHash::from_bytes(hash), expires_at: Timestamp(key.expires_at_micros) })
}

fn key_id(bytes: &[u8]) -> Result<KeyId, DecodeError> {
    bytes.try_into().map(KeyId).map_err(|_| DecodeError::new("a key's name of other than 8 bytes"))
}

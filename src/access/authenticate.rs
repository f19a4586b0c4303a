//! From the credentials of a call to who is calling: the one way in. Another kind of credential is
//! another field of [`Credentials`], and another arm here.

use std::sync::Arc;

use super::caller::{Caller, Credential, Known, Purpose};
use super::identity::SignIn;
use super::key::{Key, KeyHash, Secret};
use super::register::{IdentityRecord, Register};
use crate::model::id::CertificateUri;
use crate::model::timestamp::Timestamp;

/// What a call presents.
#[derive(Debug, Clone, Default)]
pub struct Credentials<'a> {
    /// The header `authorization`, empty when it can't be read or comes twice.
    pub authorization: Option<&'a str>,
    /// The one URI in a client certificate that the connection's TLS has verified.
    pub certificate: Option<&'a CertificateUri>,
    /// The sign-in of the session at the page that the call is made for. Nothing from the network is this.
    pub sign_in: Option<&'a SignIn>,
    /// What the caller says it is reading for.
    pub purpose: Option<Purpose>,
}

/// The caller is not authenticated. The error reveals nothing that the caller doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// Nothing was presented.
    #[error("no credentials: send an API key in the header `authorization: Bearer cps_…`, or use a client certificate")]
    Missing,
    /// What was presented is not, or no longer, known, or can't be read.
    #[error("these credentials are not accepted")]
    Refused,
    /// The key was good, and has expired. Only its holder gets this answer.
    #[error("this key has expired; ask for another")]
    Expired,
}

/// Who is calling, at an instant. A key that is presented decides, whatever else there is; and a sign-in, whatever the
/// certificate says.
///
/// # Errors
/// When the credentials are missing, refused or expired.
pub fn authenticate(
    register: &Register,
    credentials: &Credentials<'_>,
    at: Timestamp,
) -> Result<Caller, Unauthenticated> {
    if register.is_empty() {
        return Ok(Caller::Open);
    }
    let (record, credential) = match (credentials.authorization, credentials.sign_in, credentials.certificate) {
        (Some(header), _, _) => by_key(register, header, at)?,
        (None, Some(sign_in), _) => {
            let record = register.of_sign_in(sign_in).ok_or(Unauthenticated::Refused)?;
            (record, Credential::SignIn(sign_in.clone()))
        }
        (None, None, Some(uri)) => {
            let record = register.of_certificate(uri).ok_or(Unauthenticated::Refused)?;
            (record, Credential::Certificate(uri.clone()))
        }
        (None, None, None) => return Err(Unauthenticated::Missing),
    };
    if record.revoked_at.is_some() {
        return Err(Unauthenticated::Refused);
    }
    let identity = Arc::clone(&record.identity);
    Ok(Caller::Known(Known { identity, credential, purpose: credentials.purpose.clone() }))
}

/// Whose key is presented, whether or not it is good still. Without its secret it is nobody's.
pub(crate) fn holder<'r>(register: &'r Register, header: &str) -> Option<(&'r IdentityRecord, &'r Key)> {
    let (scheme, text) = header.split_once(' ')?;
    let secret = Secret::parse(text.trim()).ok()?;
    let found = register.of_key(secret.id());
    // A name that isn't known costs as much as one that is, and its hash is no secret's.
    let kept = found.map_or(KeyHash::NONE, |(_, key)| key.hash);
    let same = secret.hash() == kept;
    found.filter(|_| same && scheme.eq_ignore_ascii_case("bearer"))
}

fn by_key<'r>(
    register: &'r Register,
    header: &str,
    at: Timestamp,
) -> Result<(&'r IdentityRecord, Credential), Unauthenticated> {
    let (record, key) = holder(register, header).ok_or(Unauthenticated::Refused)?;
    if key.revoked_at.is_some() {
        return Err(Unauthenticated::Refused);
    }
    if !key.is_valid(at) {
        return Err(Unauthenticated::Expired);
    }
    Ok((record, Credential::Key(key.id)))
}

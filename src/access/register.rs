//! The identities and their keys: a fold of the journal's entries about them.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

use super::identity::{Identity, Role};
use super::key::{Key, KeyId, NewKey};
use crate::catalogue::Catalogue;
use crate::model::id::{CertificateUri, IdentityId};
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;

/// How many keys of an identity may be live at once: the old one and the new, while its holder goes
/// over from one to the other.
pub(crate) const KEYS_LIVE_MAX: usize = 2;
/// The longest that a key may hold.
pub(crate) const KEY_DAYS_MAX: i64 = 731;
/// The longest that a key may go on holding once it is replaced.
pub(crate) const OVERLAP_HOURS_MAX: i64 = 31 * 24;
/// How many identities there may be, of all times: a linear pass over them stays cheap.
const IDENTITIES_MAX: usize = 100_000;
/// How many certificate names an identity may have.
const CERTIFICATES_MAX: usize = 16;

/// A change of the identities or their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new identity, with a key or without.
    Create {
        /// The identity.
        identity: Identity,
        /// Its first key.
        key: Option<NewKey>,
    },
    /// A further key for an identity.
    Rotate {
        /// Whose.
        identity: IdentityId,
        /// The key.
        key: NewKey,
        /// When the key that it replaces stops to hold, at the latest.
        older_until: Timestamp,
    },
    /// A key, or a whole identity, that no longer holds.
    Revoke {
        /// Whose.
        identity: IdentityId,
        /// Which key; none for the identity with all its credentials.
        key: Option<KeyId>,
    },
}

/// In words, for the audit log.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { identity, key } => {
                write!(f, "create {}, {}", identity.id, identity.role)?;
                if let Some(agency) = &identity.agency {
                    write!(f, " of {agency}")?;
                }
                key.as_ref().map_or(Ok(()), |key| write!(f, " key {}", key.id))
            }
            Self::Rotate { identity, key, .. } => write!(f, "rotate {identity} key {}", key.id),
            Self::Revoke { identity, key: Some(key) } => write!(f, "revoke {identity} key {key}"),
            Self::Revoke { identity, key: None } => write!(f, "revoke {identity}"),
        }
    }
}

/// What is known of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who.
    pub identity: Arc<Identity>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, with all its credentials.
    pub revoked_at: Option<Timestamp>,
    /// Its keys, the oldest first. Those that no longer hold go when another comes.
    pub keys: Vec<Key>,
}

/// The identities.
#[derive(Debug, Clone, Default)]
pub struct Register {
    identities: OrdMap<IdentityId, Arc<Record>>,
    by_key: OrdMap<KeyId, IdentityId>,
    by_certificate: OrdMap<CertificateUri, IdentityId>,
}

impl Register {
    /// Whether there has never been an identity. It doesn't become so again: one that is revoked
    /// stays known.
    pub(crate) fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The identities, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.identities.values().map(Arc::as_ref)
    }

    /// An identity.
    pub(crate) fn get(&self, id: &IdentityId) -> Option<&Record> {
        self.identities.get(id).map(Arc::as_ref)
    }

    /// A key, and whose it is.
    pub(crate) fn of_key(&self, id: KeyId) -> Option<(&Record, &Key)> {
        let record = self.get(self.by_key.get(&id)?)?;
        record.keys.iter().find(|key| key.id == id).map(|key| (record, key))
    }

    /// The identity of a certificate's name.
    pub(crate) fn of_certificate(&self, uri: &CertificateUri) -> Option<&Record> {
        self.get(self.by_certificate.get(uri)?)
    }

    /// Everything that is wrong with changes, made together at an instant.
    pub(crate) fn review(&self, changes: &[Change], catalogue: &Catalogue, at: Timestamp) -> Violations {
        let mut violations = Violations::default();
        let mut after = self.clone();
        for change in changes {
            after.review_one(change, catalogue, at, &mut violations);
            if violations.is_empty() {
                after.apply_one(change, at);
            }
        }
        violations
    }

    fn review_one(&self, change: &Change, catalogue: &Catalogue, at: Timestamp, violations: &mut Violations) {
        match change {
            Change::Create { identity, key } => {
                self.review_identity(identity, catalogue, violations);
                if let Some(key) = key {
                    self.review_key(key, at, violations);
                } else if identity.certificates.is_empty() {
                    violations.add("certificates", "found none, and no key; allowed: a key, a certificate, or both");
                }
            }
            Change::Rotate { identity, key, older_until } => {
                self.review_key(key, at, violations);
                let longest = Timestamp(at.0.saturating_add(OVERLAP_HOURS_MAX * MICROS_AN_HOUR));
                if !(at..=longest).contains(older_until) {
                    violations.add("overlap_hours", format!("allowed: 0 to {OVERLAP_HOURS_MAX} hours"));
                }
                let Some(record) = self.known(identity, violations) else { return };
                if record.keys.iter().filter(|key| key.is_live(at)).count() >= KEYS_LIVE_MAX {
                    violations
                        .add("identity", "two of its keys hold already; allowed: one to be replaced. Revoke one first");
                }
            }
            Change::Revoke { identity, key } => {
                let Some(record) = self.known(identity, violations) else { return };
                if let Some(key) = key
                    && !record.keys.iter().any(|known| known.id == *key && known.revoked_at.is_none())
                {
                    violations.add("key_id", format!("found `{key}`; `{identity}` has no such key"));
                }
            }
        }
    }

    fn known(&self, id: &IdentityId, violations: &mut Violations) -> Option<&Record> {
        let found = self.get(id);
        match found {
            None => violations.add("identity", format!("found `{id}`; there is no such identity")),
            Some(record) if record.revoked_at.is_some() => {
                violations.add("identity", format!("`{id}` is revoked, for good; create another"));
            }
            Some(_) => return found,
        }
        None
    }

    fn review_identity(&self, identity: &Identity, catalogue: &Catalogue, violations: &mut Violations) {
        if self.identities.contains_key(&identity.id) {
            violations.add("identity", format!("`{}` is taken; a name is never given twice", identity.id));
        }
        if self.identities.len() >= IDENTITIES_MAX {
            violations.add("identity", format!("there are {IDENTITIES_MAX} already; allowed: no more"));
        }
        if self.is_empty() && identity.role != Role::Operator {
            let what = "the first identity must be an operator: once there is one, credentials are asked of everybody";
            violations.add("role", what);
        }
        match (&identity.agency, identity.role) {
            (None, Role::Submitter) => violations.add("agency", "found nothing; a submitter has an agency"),
            (Some(_), Role::Reader | Role::Analyst | Role::Steward | Role::Operator) => {
                violations.add("agency", format!("allowed: nothing for a role of {}", identity.role));
            }
            (Some(agency), Role::Submitter) if catalogue.agency(agency).is_none() => {
                violations.add("agency", format!("found `{agency}`; there is no such agency in the catalogue"));
            }
            (Some(_), Role::Submitter) | (None, Role::Reader | Role::Analyst | Role::Steward | Role::Operator) => {}
        }
        if !identity.scope.is_everything() && identity.role != Role::Analyst {
            violations.add("sectors", format!("found sectors or areas; allowed: none for a role of {}", identity.role));
        }
        for code in identity.scope.areas.iter().filter(|code| catalogue.area(code).is_none()) {
            violations.add("areas", format!("found `{code}`; there is no such area in the catalogue"));
        }
        if identity.certificates.len() > CERTIFICATES_MAX {
            violations.add("certificates", format!("allowed: {CERTIFICATES_MAX} at the most"));
        }
        for (index, uri) in identity.certificates.iter().enumerate() {
            if self.by_certificate.contains_key(uri) || identity.certificates[..index].contains(uri) {
                violations.add("certificates", format!("`{uri}` shows an identity already"));
            }
        }
    }

    fn review_key(&self, key: &NewKey, at: Timestamp, violations: &mut Violations) {
        if self.by_key.contains_key(&key.id) {
            violations.add("key_id", "the key's name is taken; try again");
        }
        let longest = Timestamp(at.0.saturating_add(KEY_DAYS_MAX * 24 * MICROS_AN_HOUR));
        if key.expires_at <= at || key.expires_at > longest {
            violations.add("days", format!("allowed: 1 to {KEY_DAYS_MAX} days"));
        }
    }

    /// Applies changes that were reviewed. It can't fail.
    pub fn apply(&mut self, changes: &[Change], at: Timestamp) {
        for change in changes {
            self.apply_one(change, at);
        }
    }

    fn apply_one(&mut self, change: &Change, at: Timestamp) {
        match change {
            Change::Create { identity, key } => {
                for uri in &identity.certificates {
                    self.by_certificate.insert(uri.clone(), identity.id.clone());
                }
                let record =
                    Record { identity: Arc::new(identity.clone()), created_at: at, revoked_at: None, keys: Vec::new() };
                self.identities.insert(identity.id.clone(), Arc::new(record));
                if let Some(key) = key {
                    self.issue(&identity.id, key, at, at);
                }
            }
            Change::Rotate { identity, key, older_until } => self.issue(identity, key, at, *older_until),
            Change::Revoke { identity, key } => self.revoke(identity, *key, at),
        }
    }

    fn record(&mut self, id: &IdentityId) -> &mut Record {
        Arc::make_mut(self.identities.get_mut(id).expect("review knows the identity"))
    }

    fn issue(&mut self, id: &IdentityId, new: &NewKey, at: Timestamp, older_until: Timestamp) {
        let record = self.record(id);
        let (live, dead): (Vec<_>, Vec<_>) =
            std::mem::take(&mut record.keys).into_iter().partition(|key| key.is_live(at));
        record.keys = live;
        for key in &mut record.keys {
            key.expires_at = key.expires_at.min(older_until);
        }
        record.keys.push(Key {
            id: new.id,
            hash: new.hash,
            issued_at: at,
            expires_at: new.expires_at,
            revoked_at: None,
        });
        for key in dead {
            self.by_key.remove(&key.id);
        }
        self.by_key.insert(new.id, id.clone());
    }

    fn revoke(&mut self, id: &IdentityId, key: Option<KeyId>, at: Timestamp) {
        let record = self.record(id);
        for known in record.keys.iter_mut().filter(|known| key.is_none_or(|key| known.id == key)) {
            known.revoked_at.get_or_insert(at);
        }
        if key.is_none() {
            record.revoked_at = Some(at);
            // Somebody else may come by a certificate of that name.
            let identity = Arc::clone(&record.identity);
            for uri in &identity.certificates {
                self.by_certificate.remove(uri);
            }
        }
    }
}

const MICROS_AN_HOUR: i64 = 3_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Caller, Credentials, Scope, Secret, Unauthenticated, authenticate};

    const HOUR: i64 = MICROS_AN_HOUR;

    fn id(name: &str) -> IdentityId {
        IdentityId::parse(name).unwrap()
    }

    fn secret(n: u8) -> Secret {
        Secret::from_random([n; Secret::RANDOM_BYTES])
    }

    fn key(n: u8, expires_at: i64) -> NewKey {
        NewKey { id: secret(n).id(), hash: secret(n).hash(), expires_at: Timestamp(expires_at) }
    }

    fn create(name: &str, role: Role, key: NewKey, certificates: &[&str]) -> Change {
        let certificates = certificates.iter().map(|uri| CertificateUri::parse(uri).unwrap()).collect();
        let identity = Identity { id: id(name), role, agency: None, scope: Scope::default(), certificates };
        Change::Create { identity, key: Some(key) }
    }

    fn rotate(name: &str, key: NewKey, older_until: i64) -> Change {
        Change::Rotate { identity: id(name), key, older_until: Timestamp(older_until) }
    }

    fn wrong(register: &Register, change: Change, at: i64) -> Vec<String> {
        let violations = register.review(&[change], &Catalogue::default(), Timestamp(at));
        violations.iter().map(|violation| violation.field.clone()).collect()
    }

    fn change(register: &mut Register, change: Change, at: i64) {
        assert_eq!(wrong(register, change.clone(), at), [""; 0]);
        register.apply(&[change], Timestamp(at));
    }

    fn who(register: &Register, n: u8, at: i64) -> Result<String, Unauthenticated> {
        let header = format!("Bearer {}", secret(n).reveal());
        let credentials = Credentials { authorization: Some(&header), ..Credentials::default() };
        authenticate(register, &credentials, Timestamp(at)).map(|caller| caller.actor().to_string())
    }

    fn with_operator() -> Register {
        let mut register = Register::default();
        change(&mut register, create("jo", Role::Operator, key(1, 10 * HOUR), &[]), 0);
        register
    }

    #[test]
    fn anyone_may_call_until_there_is_an_operator() {
        let register = Register::default();
        assert!(matches!(authenticate(&register, &Credentials::default(), Timestamp(0)), Ok(Caller::Open)));
        assert_eq!(wrong(&register, create("al", Role::Analyst, key(1, HOUR), &[]), 0), ["role"]);
        let register = with_operator();
        let nobody = authenticate(&register, &Credentials::default(), Timestamp(0));
        assert_eq!(nobody.unwrap_err(), Unauthenticated::Missing);
    }

    #[test]
    fn a_key_holds_until_it_expires_and_only_its_holder_learns_that_it_has() {
        let register = with_operator();
        assert_eq!(who(&register, 1, 10 * HOUR - 1), Ok("jo by key 0101010101010101".to_owned()));
        assert_eq!(who(&register, 1, 10 * HOUR), Err(Unauthenticated::Expired));
        assert_eq!(who(&register, 2, 0), Err(Unauthenticated::Refused));
        // The right name, the right scheme, and another's secret.
        let header = secret(1).reveal().replace(&"01".repeat(32), &"02".repeat(32));
        let header = format!("Bearer {header}");
        let credentials = Credentials { authorization: Some(&header), ..Credentials::default() };
        assert_eq!(authenticate(&register, &credentials, Timestamp(10 * HOUR)).unwrap_err(), Unauthenticated::Refused);
    }

    #[test]
    fn two_keys_hold_while_one_replaces_the_other_and_never_three() {
        let mut register = with_operator();
        change(&mut register, rotate("jo", key(2, 20 * HOUR), 2 * HOUR), HOUR);
        for n in [1, 2] {
            assert!(who(&register, n, 2 * HOUR - 1).is_ok(), "{n}");
        }
        assert_eq!(wrong(&register, rotate("jo", key(3, 20 * HOUR), 2 * HOUR), HOUR), ["identity"]);
        assert_eq!(who(&register, 1, 2 * HOUR), Err(Unauthenticated::Expired));
        change(&mut register, rotate("jo", key(3, 20 * HOUR), 2 * HOUR), 2 * HOUR);
        assert_eq!(register.get(&id("jo")).unwrap().keys.len(), KEYS_LIVE_MAX);
        assert_eq!(who(&register, 1, 2 * HOUR), Err(Unauthenticated::Refused));
    }

    #[test]
    fn what_is_revoked_never_opens_again_and_its_name_is_not_given_twice() {
        let mut register = with_operator();
        change(&mut register, create("al", Role::Analyst, key(2, 9 * HOUR), &["spiffe://a/b"]), 0);
        change(&mut register, Change::Revoke { identity: id("al"), key: Some(secret(2).id()) }, HOUR);
        assert_eq!(who(&register, 2, HOUR), Err(Unauthenticated::Refused));
        change(&mut register, rotate("al", key(3, 9 * HOUR), HOUR), HOUR);
        assert!(who(&register, 3, HOUR).is_ok());
        change(&mut register, Change::Revoke { identity: id("al"), key: None }, HOUR);
        assert_eq!(who(&register, 3, HOUR), Err(Unauthenticated::Refused));
        assert_eq!(wrong(&register, rotate("al", key(4, 9 * HOUR), HOUR), HOUR), ["identity"]);
        assert_eq!(wrong(&register, create("al", Role::Reader, key(4, 9 * HOUR), &[]), HOUR), ["identity"]);
    }

    #[test]
    fn a_certificate_stands_for_exactly_the_name_in_it() {
        let mut register = with_operator();
        change(&mut register, create("al", Role::Analyst, key(2, 9 * HOUR), &["spiffe://a/b"]), 0);
        let who = |register: &Register, uri| {
            let uri = CertificateUri::parse(uri).unwrap();
            let credentials = Credentials { certificate: Some(&uri), ..Credentials::default() };
            authenticate(register, &credentials, Timestamp(0)).map(|caller| caller.actor().to_string())
        };
        assert_eq!(who(&register, "spiffe://a/b"), Ok("al by certificate spiffe://a/b".to_owned()));
        for other in ["spiffe://a/B", "spiffe://a/b/", "spiffe://a/bc", "urn:a"] {
            assert_eq!(who(&register, other), Err(Unauthenticated::Refused), "{other}");
        }
        assert_eq!(wrong(&register, create("bo", Role::Analyst, key(3, HOUR), &["spiffe://a/b"]), 0), ["certificates"]);
        change(&mut register, Change::Revoke { identity: id("al"), key: None }, 0);
        assert_eq!(who(&register, "spiffe://a/b"), Err(Unauthenticated::Refused));
        change(&mut register, create("bo", Role::Analyst, key(3, HOUR), &["spiffe://a/b"]), 0);
        assert!(who(&register, "spiffe://a/b").is_ok());
    }

    #[test]
    fn a_key_decides_whatever_the_certificate_says() {
        let mut register = with_operator();
        change(&mut register, create("al", Role::Analyst, key(2, 9 * HOUR), &["spiffe://a/b"]), 0);
        let uri = CertificateUri::parse("spiffe://a/b").unwrap();
        for (header, expected) in [
            (format!("bearer {}", secret(1).reveal()), Ok("jo by key 0101010101010101".to_owned())),
            ("Bearer cps_".to_owned(), Err(Unauthenticated::Refused)),
            (String::new(), Err(Unauthenticated::Refused)),
        ] {
            let credentials =
                Credentials { authorization: Some(&header), certificate: Some(&uri), ..Credentials::default() };
            let found = authenticate(&register, &credentials, Timestamp(0)).map(|caller| caller.actor().to_string());
            assert_eq!(found, expected, "{header}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let register = with_operator();
        let too_long = (KEY_DAYS_MAX * 24 + 1) * HOUR;
        for (change, expected) in [
            (create("al", Role::Submitter, key(2, HOUR), &[]), "agency"),
            (create("al", Role::Analyst, key(1, HOUR), &[]), "key_id"),
            (create("al", Role::Analyst, key(2, 0), &[]), "days"),
            (create("al", Role::Analyst, key(2, too_long), &[]), "days"),
            (rotate("jo", key(2, HOUR), -1), "overlap_hours"),
            (rotate("nobody", key(2, HOUR), 0), "identity"),
            (Change::Revoke { identity: id("jo"), key: Some(secret(2).id()) }, "key_id"),
        ] {
            assert_eq!(wrong(&register, change.clone(), 0), [expected], "{change:?}");
        }
    }
}

//! The identities and their keys: a fold of the journal's entries about them.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

use super::identity::{Identity, Role, SignIn};
use super::key::{Key, KeyId, NewKey};
use crate::catalogue::Catalogue;
use crate::model::id::{CertificateUri, IdentityId};
use crate::model::timestamp::Timestamp;
use crate::model::violation::{NO_SUCH, Violations};

/// How many keys of an identity may be valid at once: the old one and the new, while its holder goes
/// over from one to the other.
pub(crate) const KEYS_VALID_MAX: usize = 2;
/// The longest that a key may be valid.
pub(crate) const KEY_DAYS_MAX: i64 = 731;
/// The longest that a key may stay valid once it is replaced.
pub(crate) const OVERLAP_HOURS_MAX: i64 = 31 * 24;
/// How many identities there may be, of all times: a linear pass over them stays cheap.
const IDENTITIES_MAX: usize = 100_000;
/// How many certificate names an identity may have.
const CERTIFICATES_MAX: usize = 16;
/// How many sign-ins an identity may have.
const SIGN_INS_MAX: usize = 16;

/// A change of the identities or their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessChange {
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
        /// When the key that it replaces is no longer valid, at the latest; at once when that has passed.
        older_until: Timestamp,
    },
    /// A key, or a whole identity, that is no longer valid.
    Revoke {
        /// Whose.
        identity: IdentityId,
        /// Which key; none for the identity with all its credentials.
        key: Option<KeyId>,
    },
}

/// In words, for the audit log.
impl fmt::Display for AccessChange {
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

impl AccessChange {
    /// A revocation from its words.
    pub(crate) fn parse_revocation(words: &str) -> Option<Self> {
        let rest = words.strip_prefix("revoke ")?;
        let (identity, key) = match rest.split_once(" key ") {
            Some((identity, key)) => (identity, Some(key.parse().ok()?)),
            None => (rest, None),
        };
        Some(Self::Revoke { identity: IdentityId::parse(identity).ok()?, key })
    }
}

/// What is known of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRecord {
    /// Who.
    pub identity: Arc<Identity>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, with all its credentials.
    pub revoked_at: Option<Timestamp>,
    /// Its keys, the oldest first. Those that are no longer valid go when others come.
    pub keys: Vec<Key>,
}

/// The identities.
#[derive(Debug, Clone, Default)]
pub struct Register {
    identities: OrdMap<IdentityId, Arc<IdentityRecord>>,
    by_key: OrdMap<KeyId, IdentityId>,
    by_certificate: OrdMap<CertificateUri, IdentityId>,
    by_sign_in: OrdMap<SignIn, IdentityId>,
}

impl Register {
    /// Whether there has never been an identity. It doesn't become so again: one that is revoked
    /// stays known.
    pub(crate) fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The identities, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &IdentityRecord> {
        self.identities.values().map(Arc::as_ref)
    }

    /// An identity.
    pub(crate) fn get(&self, id: &IdentityId) -> Option<&IdentityRecord> {
        self.identities.get(id).map(Arc::as_ref)
    }

    /// A key, and whose it is.
    pub(crate) fn of_key(&self, id: KeyId) -> Option<(&IdentityRecord, &Key)> {
        let record = self.get(self.by_key.get(&id)?)?;
        record.keys.iter().find(|key| key.id == id).map(|key| (record, key))
    }

    /// The identity of a certificate's name.
    pub(crate) fn of_certificate(&self, uri: &CertificateUri) -> Option<&IdentityRecord> {
        self.get(self.by_certificate.get(uri)?)
    }

    /// The identity of a sign-in at a provider.
    pub(crate) fn of_sign_in(&self, sign_in: &SignIn) -> Option<&IdentityRecord> {
        self.get(self.by_sign_in.get(sign_in)?)
    }

    /// Whether a key or an identity is known and isn't revoked, so that it could be.
    pub(crate) fn could_revoke(&self, identity: &IdentityId, key: Option<KeyId>) -> bool {
        self.get(identity).filter(|record| record.revoked_at.is_none()).is_some_and(|record| {
            key.is_none_or(|key| record.keys.iter().any(|known| known.id == key && known.revoked_at.is_none()))
        })
    }

    /// Refuses changes after which no operator could make a key any more, unless none could before: only whoever may open
    /// the data folder could then. A sign-in opens the page alone, which makes no keys.
    pub(crate) fn review_operators(&self, changes: &[AccessChange], at: Timestamp) -> Violations {
        let mut violations = Violations::default();
        let mut after = self.clone();
        after.apply(changes, at);
        if self.has_operator(at) && !after.has_operator(at) {
            violations.add(
                "identity",
                "no other operator has a valid key or a certificate, so nobody could make keys any more; create another operator first",
            );
        }
        violations
    }

    fn has_operator(&self, at: Timestamp) -> bool {
        self.iter().any(|IdentityRecord { identity, revoked_at, keys, .. }| {
            let has_credential = !identity.certificates.is_empty() || keys.iter().any(|key| key.is_valid(at));
            identity.role == Role::Operator && revoked_at.is_none() && has_credential
        })
    }

    /// Everything that is wrong with changes, made together at an instant, by the clock that keys expire by.
    pub(crate) fn review(&self, changes: &[AccessChange], catalogue: &Catalogue, at: Timestamp) -> Violations {
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

    fn review_one(&self, change: &AccessChange, catalogue: &Catalogue, at: Timestamp, violations: &mut Violations) {
        match change {
            AccessChange::Create { identity, key } => {
                self.review_identity(identity, catalogue, violations);
                if let Some(key) = key {
                    self.review_key(key, at, violations);
                } else if identity.certificates.is_empty() && identity.sign_ins.is_empty() {
                    let what = "found none, no sign-in and no key; allowed: at least one of the three";
                    violations.add("certificates", what);
                }
            }
            AccessChange::Rotate { identity, key, older_until } => {
                self.review_key(key, at, violations);
                if *older_until > at.plus_hours(OVERLAP_HOURS_MAX) {
                    violations.add("overlap_hours", format_args!("allowed: 0 to {OVERLAP_HOURS_MAX} hours"));
                }
                let Some(record) = self.known(identity, violations) else { return };
                if record.keys.iter().filter(|key| key.is_valid(at)).count() >= KEYS_VALID_MAX {
                    let what = "found two valid keys, the old one and the new; allowed: no third. Revoke one first";
                    violations.add("identity", what);
                }
            }
            AccessChange::Revoke { identity, key } => {
                let Some(record) = self.known(identity, violations) else { return };
                if let Some(key) = key
                    && !record.keys.iter().any(|known| known.id == *key && known.revoked_at.is_none())
                {
                    violations.add("key_id", format_args!("found `{key}`; `{identity}` has no such key"));
                }
            }
        }
    }

    fn known(&self, id: &IdentityId, violations: &mut Violations) -> Option<&IdentityRecord> {
        let found = self.get(id);
        match found {
            None => violations.add("identity", format_args!("found `{id}`; {NO_SUCH} identity")),
            Some(record) if record.revoked_at.is_some() => {
                violations.add("identity", format_args!("`{id}` is revoked, for good; create another"));
            }
            Some(_) => return found,
        }
        None
    }

    fn review_identity(&self, identity: &Identity, catalogue: &Catalogue, violations: &mut Violations) {
        if self.identities.contains_key(&identity.id) {
            violations.add("identity", format_args!("`{}` is taken; a name is never given twice", identity.id));
        }
        if self.identities.len() >= IDENTITIES_MAX {
            violations.add("identity", format_args!("there are {IDENTITIES_MAX} already; allowed: no more"));
        }
        if self.is_empty() && identity.role != Role::Operator {
            let what = "the first identity must be an operator: once there is one, everybody needs credentials";
            violations.add("role", what);
        }
        match (&identity.agency, identity.role.is_of_agency()) {
            (None, true) => violations.add("agency", format_args!("found nothing; a {} has an agency", identity.role)),
            (Some(_), false) => {
                violations.add("agency", format_args!("allowed: nothing for a role of {}", identity.role));
            }
            (Some(agency), true) if catalogue.agency(agency).is_none() => {
                violations.add("agency", format_args!("found `{agency}`; {NO_SUCH} agency in the catalogue"));
            }
            (Some(_), true) | (None, false) => {}
        }
        if !identity.scope.is_everything() && identity.role != Role::Analyst {
            violations
                .add("sectors", format_args!("found sectors or areas; allowed: none for a role of {}", identity.role));
        }
        for code in identity.scope.areas.iter().filter(|code| catalogue.area(code).is_none()) {
            violations.add("areas", format_args!("found `{code}`; {NO_SUCH} area in the catalogue"));
        }
        review_names("certificates", &identity.certificates, CERTIFICATES_MAX, &self.by_certificate, violations);
        review_names("sign_ins", &identity.sign_ins, SIGN_INS_MAX, &self.by_sign_in, violations);
    }

    fn review_key(&self, key: &NewKey, at: Timestamp, violations: &mut Violations) {
        if self.by_key.contains_key(&key.id) {
            violations.add("key_id", "the key's name is taken; try again");
        }
        if key.expires_at <= at || key.expires_at > at.plus_hours(KEY_DAYS_MAX * 24) {
            violations.add("days", format_args!("allowed: 1 to {KEY_DAYS_MAX} days"));
        }
    }

    /// Applies changes that were reviewed. It can't fail.
    pub fn apply(&mut self, changes: &[AccessChange], at: Timestamp) {
        for change in changes {
            self.apply_one(change, at);
        }
    }

    fn apply_one(&mut self, change: &AccessChange, at: Timestamp) {
        match change {
            AccessChange::Create { identity, key } => {
                for uri in &identity.certificates {
                    self.by_certificate.insert(uri.clone(), identity.id.clone());
                }
                for sign_in in &identity.sign_ins {
                    self.by_sign_in.insert(sign_in.clone(), identity.id.clone());
                }
                let record = IdentityRecord {
                    identity: Arc::new(identity.clone()),
                    created_at: at,
                    revoked_at: None,
                    keys: Vec::new(),
                };
                self.identities.insert(identity.id.clone(), Arc::new(record));
                if let Some(key) = key {
                    self.issue(&identity.id, key, at, at);
                }
            }
            AccessChange::Rotate { identity, key, older_until } => self.issue(identity, key, at, *older_until),
            AccessChange::Revoke { identity, key } => self.revoke(identity, *key, at),
        }
    }

    fn record(&mut self, id: &IdentityId) -> &mut IdentityRecord {
        Arc::make_mut(self.identities.get_mut(id).expect("review knows the identity"))
    }

    fn issue(&mut self, id: &IdentityId, new: &NewKey, at: Timestamp, older_until: Timestamp) {
        let record = self.record(id);
        // An entry's time may be ahead of the clock that keys expire by, so the key that is replaced stays until the
        // next one comes, unless it was revoked.
        let replaced = record.keys.last().filter(|key| key.revoked_at.is_none()).map(|key| key.id);
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut record.keys).into_iter().partition(|key| key.is_valid(at) || replaced == Some(key.id));
        record.keys = kept;
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
        for key in gone {
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
            // Somebody else may come by a certificate of that name, and the same person to another identity.
            let identity = Arc::clone(&record.identity);
            for uri in &identity.certificates {
                self.by_certificate.remove(uri);
            }
            for sign_in in &identity.sign_ins {
                self.by_sign_in.remove(sign_in);
            }
        }
    }
}

/// What is wrong with the names of one kind by which others than us know an identity: each is of one identity.
fn review_names<N: Ord + fmt::Display>(
    field: &str,
    names: &[N],
    count_max: usize,
    taken: &OrdMap<N, IdentityId>,
    violations: &mut Violations,
) {
    if names.len() > count_max {
        violations.add(field, format_args!("allowed: {count_max} at the most"));
        return;
    }
    for (index, name) in names.iter().enumerate() {
        if taken.contains_key(name) || names[..index].contains(name) {
            violations.add(field, format_args!("`{name}` already identifies an identity"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Caller, Credentials, Scope, Secret, Unauthenticated, authenticate};
    use crate::model::id::{Issuer, Subject};

    const HOUR: i64 = Timestamp(0).plus_hours(1).0;

    fn id(name: &str) -> IdentityId {
        IdentityId::parse(name).unwrap()
    }

    fn secret(n: u8) -> Secret {
        Secret::from_random([n; Secret::RANDOM_BYTES])
    }

    fn key(n: u8, expires_at: i64) -> NewKey {
        NewKey { id: secret(n).id(), hash: secret(n).hash(), expires_at: Timestamp(expires_at) }
    }

    fn create(name: &str, role: Role, key: NewKey, certificates: &[&str]) -> AccessChange {
        let certificates = certificates.iter().map(|uri| CertificateUri::parse(uri).unwrap()).collect();
        let (scope, sign_ins) = (Scope::default(), Vec::new());
        let identity = Identity { id: id(name), role, agency: None, scope, certificates, sign_ins };
        AccessChange::Create { identity, key: Some(key) }
    }

    fn sign_in(issuer: &str, subject: &str) -> SignIn {
        SignIn { issuer: Issuer::parse(issuer).unwrap(), subject: Subject::parse(subject).unwrap() }
    }

    /// An identity that only a provider knows.
    fn create_signed_in(name: &str, sign_ins: &[SignIn]) -> AccessChange {
        let (scope, certificates, sign_ins) = (Scope::default(), Vec::new(), sign_ins.to_vec());
        let identity = Identity { id: id(name), role: Role::Analyst, agency: None, scope, certificates, sign_ins };
        AccessChange::Create { identity, key: None }
    }

    fn rotate(name: &str, key: NewKey, older_until: i64) -> AccessChange {
        AccessChange::Rotate { identity: id(name), key, older_until: Timestamp(older_until) }
    }

    fn wrong(register: &Register, change: AccessChange, at: i64) -> Vec<String> {
        let violations = register.review(&[change], &Catalogue::default(), Timestamp(at));
        violations.iter().map(|violation| violation.field.clone()).collect()
    }

    fn change(register: &mut Register, change: AccessChange, at: i64) {
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
    fn a_revocation_reads_back_from_its_words_and_nothing_else_does() {
        for key in [None, Some(KeyId([7; 8]))] {
            let revoke = AccessChange::Revoke { identity: id("al"), key };
            assert_eq!(AccessChange::parse_revocation(&revoke.to_string()), Some(revoke));
        }
        for other in ["rotate al key 0707070707070707", "revoke al key", "revoke", "revoke A!", "create al, analyst"] {
            assert_eq!(AccessChange::parse_revocation(other), None, "{other}");
        }
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
    fn a_key_is_valid_until_it_expires_and_only_its_holder_learns_that_it_has() {
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
    fn two_keys_are_valid_while_one_replaces_the_other_and_never_three() {
        let mut register = with_operator();
        change(&mut register, rotate("jo", key(2, 20 * HOUR), 2 * HOUR), HOUR);
        for n in [1, 2] {
            assert!(who(&register, n, 2 * HOUR - 1).is_ok(), "{n}");
        }
        assert_eq!(wrong(&register, rotate("jo", key(3, 20 * HOUR), 2 * HOUR), HOUR), ["identity"]);
        assert_eq!(who(&register, 1, 2 * HOUR), Err(Unauthenticated::Expired));
        change(&mut register, rotate("jo", key(3, 20 * HOUR), 2 * HOUR), 2 * HOUR);
        assert_eq!(register.get(&id("jo")).unwrap().keys.len(), KEYS_VALID_MAX);
        assert_eq!(who(&register, 1, 2 * HOUR), Err(Unauthenticated::Refused));
    }

    #[test]
    fn a_replaced_key_may_end_at_once_though_that_instant_has_passed() {
        let mut register = with_operator();
        change(&mut register, rotate("jo", key(2, 9 * HOUR), HOUR - 1), HOUR);
        assert_eq!(who(&register, 1, HOUR), Err(Unauthenticated::Expired));
        assert!(who(&register, 2, HOUR).is_ok());
    }

    #[test]
    fn what_is_revoked_never_opens_again_and_its_name_is_not_given_twice() {
        let mut register = with_operator();
        change(&mut register, create("al", Role::Analyst, key(2, 9 * HOUR), &["spiffe://a/b"]), 0);
        change(&mut register, AccessChange::Revoke { identity: id("al"), key: Some(secret(2).id()) }, HOUR);
        assert_eq!(who(&register, 2, HOUR), Err(Unauthenticated::Refused));
        change(&mut register, rotate("al", key(3, 9 * HOUR), HOUR), HOUR);
        assert!(who(&register, 3, HOUR).is_ok());
        change(&mut register, AccessChange::Revoke { identity: id("al"), key: None }, HOUR);
        assert_eq!(who(&register, 3, HOUR), Err(Unauthenticated::Refused));
        assert_eq!(wrong(&register, rotate("al", key(4, 9 * HOUR), HOUR), HOUR), ["identity"]);
        assert_eq!(wrong(&register, create("al", Role::Reader, key(4, 9 * HOUR), &[]), HOUR), ["identity"]);
    }

    #[test]
    fn the_last_operator_who_could_make_keys_stays() {
        let mut register = with_operator();
        let revoke =
            |name: &str, key: Option<u8>| AccessChange::Revoke { identity: id(name), key: key.map(|n| secret(n).id()) };
        let refused = |register: &Register, change: AccessChange, at: i64| {
            !register.review_operators(&[change], Timestamp(at)).is_empty()
        };
        change(&mut register, create("al", Role::Analyst, key(2, 9 * HOUR), &[]), 0);
        assert!(refused(&register, revoke("jo", None), 0) && refused(&register, revoke("jo", Some(1)), 0));
        assert!(!refused(&register, revoke("al", None), 0), "who isn't one isn't missed");
        // One who can only sign in can't make keys; one whose key has expired can't, either.
        let signed_in = create_signed_in("bo", &[sign_in("https://a", "1")]);
        let AccessChange::Create { identity, .. } = signed_in else { panic!() };
        let identity = Identity { role: Role::Operator, ..identity };
        change(&mut register, AccessChange::Create { identity, key: None }, 0);
        assert!(refused(&register, revoke("jo", None), 0));
        change(&mut register, create("kim", Role::Operator, key(3, HOUR), &[]), 0);
        assert!(!refused(&register, revoke("jo", None), 0) && refused(&register, revoke("jo", None), HOUR));
        change(&mut register, create("cy", Role::Operator, key(4, HOUR), &["urn:cy"]), 0);
        assert!(!refused(&register, revoke("jo", None), HOUR));
        // A key that was replaced may go, and whoever holds the new one stays.
        change(&mut register, revoke("cy", None), HOUR);
        change(&mut register, rotate("jo", key(5, 9 * HOUR), 5 * HOUR), HOUR);
        assert!(!refused(&register, revoke("jo", Some(1)), HOUR) && refused(&register, revoke("jo", None), HOUR));
        // Where no operator could before, nothing is lost.
        assert!(!refused(&register, revoke("jo", None), 20 * HOUR));
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
        change(&mut register, AccessChange::Revoke { identity: id("al"), key: None }, 0);
        assert_eq!(who(&register, "spiffe://a/b"), Err(Unauthenticated::Refused));
        change(&mut register, create("bo", Role::Analyst, key(3, HOUR), &["spiffe://a/b"]), 0);
        assert!(who(&register, "spiffe://a/b").is_ok());
    }

    #[test]
    fn a_sign_in_stands_for_exactly_its_subject_at_its_issuer() {
        let mut register = with_operator();
        let al = sign_in("https://login.example", "al");
        change(&mut register, create_signed_in("al", &[al.clone(), sign_in("https://other.example", "7")]), 0);
        let who = |register: &Register, issuer, subject| {
            let sign_in = sign_in(issuer, subject);
            // Whoever has signed in is who they are, whatever certificate their browser has.
            let uri = CertificateUri::parse("spiffe://a/b").unwrap();
            let credentials =
                Credentials { sign_in: Some(&sign_in), certificate: Some(&uri), ..Credentials::default() };
            authenticate(register, &credentials, Timestamp(0)).map(|caller| caller.actor().to_string())
        };
        assert_eq!(
            who(&register, "https://login.example", "al"),
            Ok("al by sign-in al at https://login.example".to_owned())
        );
        assert!(who(&register, "https://other.example", "7").is_ok());
        for (issuer, subject) in [
            ("https://login.example", "7"),
            ("https://other.example", "al"),
            ("https://login.example/", "al"),
            ("https://login.example", "Al"),
        ] {
            assert_eq!(who(&register, issuer, subject), Err(Unauthenticated::Refused), "{subject} at {issuer}");
        }
        assert_eq!(wrong(&register, create_signed_in("bo", std::slice::from_ref(&al)), 0), ["sign_ins"]);
        change(&mut register, AccessChange::Revoke { identity: id("al"), key: None }, 0);
        assert_eq!(who(&register, "https://login.example", "al"), Err(Unauthenticated::Refused));
        change(&mut register, create_signed_in("bo", &[al]), 0);
        assert!(who(&register, "https://login.example", "al").is_ok());
    }

    #[test]
    fn a_key_decides_whatever_the_certificate_or_the_sign_in_says() {
        let mut register = with_operator();
        change(&mut register, create("al", Role::Analyst, key(2, 9 * HOUR), &["spiffe://a/b"]), 0);
        let bo = sign_in("https://login.example", "bo");
        change(&mut register, create_signed_in("bo", std::slice::from_ref(&bo)), 0);
        let uri = CertificateUri::parse("spiffe://a/b").unwrap();
        for (header, expected) in [
            (format!("bearer {}", secret(1).reveal()), Ok("jo by key 0101010101010101".to_owned())),
            ("Bearer cps_".to_owned(), Err(Unauthenticated::Refused)),
            (String::new(), Err(Unauthenticated::Refused)),
        ] {
            let credentials = Credentials {
                authorization: Some(&header),
                certificate: Some(&uri),
                sign_in: Some(&bo),
                ..Credentials::default()
            };
            let found = authenticate(&register, &credentials, Timestamp(0)).map(|caller| caller.actor().to_string());
            assert_eq!(found, expected, "{header}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let register = with_operator();
        let too_long = (KEY_DAYS_MAX * 24 + 1) * HOUR;
        let (twice, many) = (sign_in("https://a", "1"), |n: usize| sign_in("https://a", &n.to_string()));
        let too_many: Vec<SignIn> = (0..=SIGN_INS_MAX).map(many).collect();
        for (change, expected) in [
            (create("al", Role::Submitter, key(2, HOUR), &[]), "agency"),
            (create("al", Role::Analyst, key(1, HOUR), &[]), "key_id"),
            (create("al", Role::Analyst, key(2, 0), &[]), "days"),
            (create("al", Role::Analyst, key(2, too_long), &[]), "days"),
            (create_signed_in("al", &[]), "certificates"),
            (create_signed_in("al", &[twice.clone(), twice]), "sign_ins"),
            (create_signed_in("al", &too_many), "sign_ins"),
            (rotate("jo", key(2, HOUR), (OVERLAP_HOURS_MAX + 1) * HOUR), "overlap_hours"),
            (rotate("nobody", key(2, HOUR), 0), "identity"),
            (AccessChange::Revoke { identity: id("jo"), key: Some(secret(2).id()) }, "key_id"),
        ] {
            assert_eq!(wrong(&register, change.clone(), 0), [expected], "{change:?}");
        }
    }
}

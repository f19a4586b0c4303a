//! Identities for tests, with keys in every condition.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use conspectus::access::{AccessChange, Identity, NewKey, Role, Scope, Secret};
use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::Sector;
use conspectus::intake::change_access::ChangeAccess;
use conspectus::intake::writer;
use conspectus::model::id::{AgencyId, AreaCode, CertificateUri, IdentityId};
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::Zone;
use conspectus::rpc::put_request;
use conspectus::server;
use tonic::Request;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp};

/// An identity, before it has credentials.
pub(crate) struct TestIdentity {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) agency: Option<&'static str>,
    pub(crate) certificate: Option<&'static str>,
    sectors: &'static [Sector],
    pub(crate) areas: &'static [&'static str],
}

const fn identity(name: &'static str, role: Role) -> TestIdentity {
    TestIdentity { name, role, agency: None, certificate: None, sectors: &[], areas: &[] }
}

/// One of each role, and two analysts who are limited. The first identity must be an operator.
pub(crate) const IDENTITIES: [TestIdentity; 8] = [
    identity("operator", Role::Operator),
    identity("steward", Role::Steward),
    identity("reader", Role::Reader),
    TestIdentity {
        agency: Some(CHILDRENS_SERVICES),
        certificate: Some("spiffe://partners.test/childrens-services"),
        ..identity("submitter", Role::Submitter)
    },
    TestIdentity { agency: Some(CHILDRENS_SERVICES), ..identity("corrector", Role::Corrector) },
    identity("analyst", Role::Analyst),
    TestIdentity { sectors: &[Sector::SocialCare], ..identity("analyst-of-social-care", Role::Analyst) },
    TestIdentity { areas: &[HAMPSHIRE], ..identity("analyst-of-hampshire", Role::Analyst) },
];

/// The condition of what a caller presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Good,
    Absent,
    Expired,
    Revoked,
    /// The key is good, the identity revoked.
    Gone,
    /// The name of a good key, with another secret.
    Wrong,
    Malformed,
}

impl Condition {
    pub(crate) const ALL: [Self; 7] =
        [Self::Good, Self::Absent, Self::Expired, Self::Revoked, Self::Gone, Self::Wrong, Self::Malformed];
}

/// The key of somebody in a condition: the same for the same, and for no other.
pub(crate) fn secret(name: &str, condition: Condition) -> Secret {
    let bytes = blake3::derive_key("conspectus tests: keys", format!("{name} {condition:?}").as_bytes());
    let mut random = [0; Secret::RANDOM_BYTES];
    random[..32].copy_from_slice(&bytes);
    random[32..].copy_from_slice(&bytes[..8]);
    Secret::from_random(random)
}

/// What somebody sends as `authorization`.
pub(crate) fn authorization(name: &str, condition: Condition) -> Option<String> {
    let reveal = |condition| secret(name, condition).reveal();
    match condition {
        Condition::Good | Condition::Expired | Condition::Revoked | Condition::Gone => {
            Some(format!("Bearer {}", reveal(condition)))
        }
        Condition::Absent => None,
        Condition::Wrong => {
            let good = reveal(Condition::Good);
            let (name, _) = good.rsplit_once('_').unwrap();
            Some(format!("Bearer {name}_{}", "0".repeat(64)))
        }
        Condition::Malformed => Some(format!("Basic {}", reveal(Condition::Good))),
    }
}

/// What they say they read figures for.
pub(crate) const PURPOSE: &str = "the annual report";

/// A request by whoever holds these credentials.
pub(crate) fn with<T>(message: T, authorization: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    request.metadata_mut().insert("conspectus-purpose", PURPOSE.parse().unwrap());
    request
}

/// A request by one of the identities, with its good key.
pub(crate) fn by<T>(name: &str, message: T) -> Request<T> {
    with(message, &authorization(name, Condition::Good).unwrap())
}

/// Puts items of the catalogue, which are TOML, as the steward; the catalogue's revision.
pub(crate) async fn put(app: &TestApp, items: &str) -> i64 {
    let put: CataloguePut = toml::from_str(items).unwrap();
    app.catalogue().put_catalogue(by("steward", put_request(&put, false))).await.unwrap().get_ref().revision
}

const MICROS_A_DAY: i64 = 86_400_000_000;

fn now() -> Timestamp {
    Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap())
}

/// When the identities were seeded: some days ago, so that keys can have expired since.
pub(crate) fn seeded_at() -> Timestamp {
    Timestamp(now().0 - 2 * MICROS_A_DAY)
}

/// Puts the demo's catalogue and everybody's keys into an empty data folder.
pub(crate) async fn seed(folder: &Path) {
    let (journal, state) = server::replay(folder).unwrap();
    let before = seeded_at();
    let running = writer::start(Box::new(journal), state, move || before, Zone::default());
    let put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
    running.handle.write(put).await.unwrap();
    let key = |name: &str, condition, days| {
        let secret = secret(name, condition);
        NewKey { id: secret.id(), hash: secret.hash(), expires_at: Timestamp(before.0 + days * MICROS_A_DAY) }
    };
    for identity in &IDENTITIES {
        let id = |suffix: &str| IdentityId::parse(&format!("{}{suffix}", identity.name)).unwrap();
        let create = |suffix: &str, key| AccessChange::Create {
            identity: Identity {
                id: id(suffix),
                role: identity.role,
                agency: identity.agency.map(|agency| AgencyId::parse(agency).unwrap()),
                scope: Scope {
                    sectors: identity.sectors.iter().copied().collect(),
                    areas: identity.areas.iter().map(|area| AreaCode::parse(area).unwrap()).collect(),
                },
                certificates: if suffix.is_empty() {
                    identity.certificate.iter().map(|uri| CertificateUri::parse(uri).unwrap()).collect()
                } else {
                    Vec::new()
                },
                sign_ins: Vec::new(),
            },
            key: Some(key),
        };
        let revoked = key(identity.name, Condition::Revoked, 300);
        let changes = vec![
            create("", key(identity.name, Condition::Expired, 1)),
            AccessChange::Rotate {
                identity: id(""),
                key: key(identity.name, Condition::Good, 300),
                older_until: Timestamp(before.0 + MICROS_A_DAY),
            },
            create("-revoked", revoked.clone()),
            AccessChange::Revoke { identity: id("-revoked"), key: Some(revoked.id) },
            create("-gone", key(identity.name, Condition::Gone, 300)),
            AccessChange::Revoke { identity: id("-gone"), key: None },
        ];
        running.handle.write(ChangeAccess { changes, now: before }).await.unwrap();
    }
    drop(running.handle);
    tokio::task::spawn_blocking(move || running.thread.join()).await.unwrap().unwrap();
}

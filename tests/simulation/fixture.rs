//! The catalogue, and what is sent: small, so that requests meet.

use std::sync::OnceLock;

use conspectus::access::{AccessChange, Credentials, Identity, NewKey, Role, Scope, Secret};
use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::Agency;
use conspectus::entry::Withdrawal;
use conspectus::model::id::{AgencyId, IdentityId};
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;

pub(crate) const AGENCIES: [&str; 2] = ["police", "health"];
pub(crate) const AREAS: [&str; 2] = ["U1", "U2"];
pub(crate) const PERIODS: [&str; 2] = ["2022-05", "2022-06"];
/// How many request ids each agency has.
pub(crate) const REQUESTS: usize = 4;
pub(crate) const IDENTITIES: usize = 2;
/// How the agencies' names and areas change.
pub(crate) const VERSIONS: usize = 3;
/// 2023-11-14, when both periods are over.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000_000);

const KEY_HOURS: i64 = 700 * 24;

/// The first catalogue.
pub(crate) fn catalogue() -> CataloguePut {
    static PUT: OnceLock<CataloguePut> = OnceLock::new();
    let put = PUT.get_or_init(|| {
        let area = |code: &str| serde_json::json!({ "code": code, "name": code, "level": "upper-tier" });
        let indicator = serde_json::json!({
            "id": "cases", "title": "Cases", "unit": "cases", "kind": "events", "frequency": "month",
            "reporting_level": "upper-tier", "across_agencies": "add",
        });
        serde_json::from_value(serde_json::json!({ "areas": AREAS.map(area), "indicators": [indicator] })).unwrap()
    });
    CataloguePut { agencies: AGENCIES.map(|id| agency(id, 0)).to_vec(), ..put.clone() }
}

fn agency(id: &str, version: usize) -> Agency {
    let areas = if version == 1 { &AREAS[..1] } else { &AREAS[..] };
    serde_json::from_value(serde_json::json!({
        "id": id, "name": format!("{id}, version {version}"), "sector": "other", "areas": areas,
    }))
    .unwrap()
}

/// A change of one agency: its name, and in one version its areas.
pub(crate) fn change(of: usize, version: usize) -> CataloguePut {
    CataloguePut { agencies: vec![agency(AGENCIES[of], version)], ..CataloguePut::default() }
}

pub(crate) fn agency_id(ix: usize) -> AgencyId {
    AGENCIES[ix].parse().unwrap()
}

pub(crate) fn request_id(request: usize) -> String {
    format!("r{request}")
}

/// What an agency sends under a request id; other content under the same one in the second variant. No two numbers
/// are the same.
pub(crate) fn submission(agency: usize, request: usize, variant: usize) -> Submission {
    let observation = |at: usize| Observation {
        indicator: "cases".parse().unwrap(),
        area: AREAS[at % 2].parse().unwrap(),
        period: PERIODS[at / 2].parse().unwrap(),
        breakdown: Breakdown::default(),
        value: Value {
            measure: Some(Measure::Number(number(agency, request, variant, at).parse().unwrap())),
            markers: Markers::NONE,
        },
        note: None,
        explanations: Vec::new(),
    };
    let first = request + variant;
    Submission {
        agency: agency_id(agency),
        request_id: request_id(request).parse().unwrap(),
        source: String::new(),
        sample: false,
        reason: String::new(),
        return_id: None,
        observations: (0..1 + request % 3).map(|count| observation((first + count) % 4)).collect(),
    }
}

fn number(agency: usize, request: usize, variant: usize, at: usize) -> String {
    (1_000 * (agency + 1) + 100 * variant + 10 * request + at).to_string()
}

pub(crate) fn withdrawal(agency: usize, request: usize) -> Withdrawal {
    let request_id = request_id(request).parse().unwrap();
    Withdrawal { agency: agency_id(agency), request_id, reason: String::new() }
}

pub(crate) fn identity_id(ix: usize) -> IdentityId {
    format!("operator-{ix}").parse().unwrap()
}

fn secret(ix: usize) -> Secret {
    Secret::from_random([u8::try_from(ix).unwrap() + 1; Secret::RANDOM_BYTES])
}

pub(crate) fn create(ix: usize, now: Timestamp) -> AccessChange {
    let identity = Identity {
        id: identity_id(ix),
        role: Role::Operator,
        agency: None,
        scope: Scope::default(),
        certificates: Vec::new(),
    };
    let secret = secret(ix);
    let key = NewKey { id: secret.id(), hash: secret.hash(), expires_at: now.plus_hours(KEY_HOURS) };
    AccessChange::Create { identity, key: Some(key) }
}

pub(crate) fn revoke(ix: usize) -> AccessChange {
    AccessChange::Revoke { identity: identity_id(ix), key: None }
}

/// The header with an identity's key.
pub(crate) fn with_key<T>(ix: usize, call: impl FnOnce(&Credentials<'_>) -> T) -> T {
    let header = format!("Bearer {}", secret(ix).reveal());
    call(&Credentials { authorization: Some(&header), ..Credentials::default() })
}

pub(crate) fn periods() -> Vec<Period> {
    PERIODS.iter().map(|it| it.parse().unwrap()).collect()
}

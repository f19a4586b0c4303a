//! The catalogue, and what is sent: small, so that requests meet.

use std::sync::{Arc, LazyLock};

use conspectus::access::{AccessChange, Actor, Credential, Credentials, Identity, NewKey, Role, Scope, Secret};
use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{Agency, IndicatorVersion};
use conspectus::entry::{ReturnCompletion, Withdrawal};
use conspectus::intake::corrections::Locks;
use conspectus::model::id::{AgencyId, IdentityId, ReturnId};
use conspectus::model::manifest::Manifest;
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Breakdown, Explanation, Measure, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;

pub(crate) const AGENCIES: [&str; 2] = ["police", "health"];
pub(crate) const AREAS: [&str; 2] = ["U1", "U2"];
pub(crate) const PERIODS: [&str; 2] = ["2022-05", "2022-06"];
pub(crate) const IDENTITIES: usize = 2;
/// How the agencies' names and areas change.
pub(crate) const AGENCY_VERSIONS: usize = 3;
/// Two hours before a day from which on May is locked, by one version of the indicator; by another that is a day later.
pub(crate) const START: Timestamp = Timestamp(1_659_304_800_000_000);

const KEY_HOURS: i64 = 700 * 24;

/// The first catalogue, with a version of the indicator.
pub(crate) fn catalogue(version: usize) -> CataloguePut {
    let area = |code: &str| serde_json::json!({ "code": code, "name": code, "level": "upper-tier" });
    let areas = serde_json::from_value(serde_json::json!({ "areas": AREAS.map(area) })).unwrap();
    CataloguePut {
        agencies: AGENCIES.map(|id| agency(id, 0)).to_vec(),
        indicators: vec![INDICATORS[version].clone()],
        ..areas
    }
}

/// The versions of the indicator, each in place of the one before: what they expect of figures, and of corrections.
pub(crate) static INDICATORS: LazyLock<[IndicatorVersion; 5]> = LazyLock::new(|| {
    let (checked, unchecked) = (true, false);
    [
        indicator(unchecked, None, false),
        indicator(checked, None, false),
        indicator(unchecked, Some(31), false),
        indicator(checked, None, true),
        indicator(checked, Some(32), true),
    ]
});

fn indicator(is_checked: bool, lock_days: Option<u16>, correction_reason_required: bool) -> IndicatorVersion {
    let checks = serde_json::json!([
        { "id": "jump", "severity": "query", "kind": "change", "tolerance": "15" },
        { "id": "none", "severity": "query", "kind": "zero", "periods_min": 1 },
    ]);
    serde_json::from_value(serde_json::json!({
        "id": "cases", "title": "Cases", "unit": "cases", "kind": "events", "frequency": "month",
        "reporting_level": "upper-tier", "across_agencies": "add", "due_days": 30, "lock_days": lock_days,
        "correction_reason_required": correction_reason_required,
        "checks": if is_checked { checks } else { serde_json::json!([]) },
    }))
    .unwrap()
}

fn agency(id: &str, version: usize) -> Agency {
    let areas = if version == 1 { &AREAS[..1] } else { &AREAS[..] };
    serde_json::from_value(serde_json::json!({
        "id": id, "name": format!("{id}, version {version}"), "sector": "other", "areas": areas,
    }))
    .unwrap()
}

/// A change of one agency: its name, and in one version its areas.
pub(crate) fn change_of_agency(of: usize, version: usize) -> CataloguePut {
    CataloguePut { agencies: vec![agency(AGENCIES[of], version)], ..CataloguePut::default() }
}

/// A change of the indicator.
pub(crate) fn change_of_indicator(version: usize) -> CataloguePut {
    CataloguePut { indicators: vec![INDICATORS[version].clone()], ..CataloguePut::default() }
}

pub(crate) fn agency_id(ix: usize) -> AgencyId {
    AGENCIES[ix].parse().unwrap()
}

pub(crate) fn request_id(request: usize) -> String {
    format!("r{request}")
}

/// What a request does to a figure of its agency.
#[derive(Debug, Clone, Copy)]
enum Does {
    Nothing,
    /// Sets it to so many; each agency counts from another thousand on, but for 0.
    Sets(usize),
    Withdraws,
}

/// How many request ids each agency has.
pub(crate) const REQUESTS: usize = 7;

/// What each does to the figures of both areas in May, and then in June. Some say the same of a figure as others.
const REQUESTS_DO: [[Does; 4]; REQUESTS] = {
    use Does::{Nothing, Sets, Withdraws};
    [
        [Sets(10), Nothing, Nothing, Nothing],
        [Sets(10), Sets(20), Sets(12), Sets(24)],
        [Nothing, Sets(21), Sets(60), Sets(22)],
        [Nothing, Nothing, Sets(0), Sets(0)],
        [Withdraws, Nothing, Nothing, Nothing],
        [Nothing, Sets(22), Withdraws, Nothing],
        [Withdraws, Nothing, Withdraws, Withdraws],
    ]
};

/// In how many ways what is sent under a request id may differ.
pub(crate) const VARIANTS: usize = 6;
/// In which way each request is mostly sent: so that enough of them are accepted.
pub(crate) const USUAL_VARIANT: [usize; REQUESTS] = [0, 0, 3, 0, 1, 4, 1];

/// How many returns each agency sends.
pub(crate) const RETURNS: usize = 2;
/// Which each request is mostly a part of.
pub(crate) const USUAL_RETURN: [Option<usize>; REQUESTS] = [Some(0), None, Some(0), Some(1), None, Some(0), Some(1)];

/// What else is sent: whether there is a reason, why the figures are right, and how much is added to each of them.
fn variant(variant: usize) -> (bool, Option<Explanation>, usize) {
    let explanation = |check: Option<&str>| {
        let check = check.map(|id| id.parse().unwrap());
        Some(Explanation { check, text: Arc::from("counted twice") })
    };
    let all: [_; VARIANTS] = [
        (false, None, 0),
        (true, None, 0),
        (false, explanation(None), 0),
        (true, explanation(None), 0),
        (true, explanation(Some("jump")), 0),
        (true, explanation(None), 100),
    ];
    all[variant].clone()
}

/// What an agency sends under a request id, in which variant and as a part of which return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) agency: usize,
    pub(crate) request: usize,
    pub(crate) variant: usize,
    pub(crate) of_return: Option<usize>,
}

/// What the first figures come with: the request that sets all of them.
pub(crate) const FIRST: Content = Content { agency: 0, request: 1, variant: 0, of_return: None };

pub(crate) fn submission(Content { agency, request, variant, of_return }: Content) -> Submission {
    let (has_reason, explanation, more) = self::variant(variant);
    let observation = |(at, does): (usize, &Does)| {
        let (measure, explanation) = match *does {
            Does::Nothing => return None,
            Does::Sets(0) => (Some(0), explanation.clone()),
            Does::Sets(number) => (Some(1_000 * (agency + 1) + number + more), explanation.clone()),
            Does::Withdraws => (None, None),
        };
        Some(Observation {
            indicator: "cases".parse().unwrap(),
            area: AREAS[at % 2].parse().unwrap(),
            period: PERIODS[at / 2].parse().unwrap(),
            breakdown: Breakdown::default(),
            value: Value {
                measure: measure.map(|number| Measure::Number(number.to_string().parse().unwrap())),
                markers: Markers::NONE,
            },
            note: None,
            explanations: explanation.into_iter().collect(),
        })
    };
    Submission {
        agency: agency_id(agency),
        request_id: request_id(request).parse().unwrap(),
        source: String::new(),
        sample: false,
        reason: if has_reason { "counted again".to_owned() } else { String::new() },
        return_id: of_return.map(return_id),
        observations: REQUESTS_DO[request].iter().enumerate().filter_map(observation).collect(),
    }
}

pub(crate) fn withdrawal(agency: usize, request: usize) -> Withdrawal {
    let request_id = request_id(request).parse().unwrap();
    Withdrawal { agency: agency_id(agency), request_id, reason: String::new() }
}

pub(crate) fn return_id(of: usize) -> ReturnId {
    format!("return-{of}").parse().unwrap()
}

pub(crate) fn completion(agency: usize, of_return: usize, manifest: Manifest) -> ReturnCompletion {
    ReturnCompletion { agency: agency_id(agency), return_id: return_id(of_return), manifest }
}

/// Who sends: somebody for whom the locks of periods hold, or a corrector.
pub(crate) fn actor(locks: Locks) -> Actor {
    match locks {
        Locks::Kept => Actor::Local,
        Locks::Lifted => {
            Actor::Identity { id: "corrector".parse().unwrap(), credential: Credential::Key(secret(0).id()) }
        }
    }
}

/// What locks mean for whoever caused an entry.
pub(crate) fn locks(of: &Actor) -> Locks {
    if *of == actor(Locks::Lifted) { Locks::Lifted } else { Locks::Kept }
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
        sign_ins: Vec::new(),
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

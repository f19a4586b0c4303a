//! A world that is too large for quick answers, beside the demo's catalogue and the identities.

use std::path::Path;

use conspectus::access::{AccessChange, Identity, NewKey, Role, Scope};
use conspectus::catalogue::CataloguePut;
use conspectus::intake::change_access::ChangeAccess;
use conspectus::intake::prepare::Prepared;
use conspectus::intake::writer;
use conspectus::model::id::{AgencyId, IdentityId, RequestId};
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Measure, Observation, Value};
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::Zone;
use conspectus::rpc::proto::{AreaLevel, Comparison, GroupBy, PeriodRange, QueryAggregateRequest};
use conspectus::server;
use serde_json::json;
use tokio::task::JoinSet;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE};
use crate::identities::{self, Condition, secret};

/// An analyst besides the one whom everybody knows.
pub(crate) const OTHER_ANALYST: &str = "other-analyst";
/// The whole of the areas.
pub(crate) const WHOLE: &str = "WHOLE";
/// What is counted in each ward and month.
pub(crate) const CASES: &str = "cases";
/// The first month, and the first of the year after the last.
const YEARS: std::ops::Range<i32> = 2021..2024;

/// How large a world is. Each district has an agency of its own, which reports for its wards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub(crate) districts: usize,
    pub(crate) wards: usize,
}

fn district(ix: usize) -> String {
    format!("DISTRICT{ix:04}")
}

fn ward(district: usize, ix: usize) -> String {
    format!("WARD{district:04}{ix:04}")
}

pub(crate) fn agency(ix: usize) -> String {
    format!("agency-{ix}")
}

fn observation(indicator: &str, area: &str, period: &str, number: usize) -> Observation {
    let measure = Some(Measure::Number(number.to_string().parse().unwrap()));
    Observation {
        indicator: indicator.parse().unwrap(),
        area: area.parse().unwrap(),
        period: period.parse().unwrap(),
        breakdown: "".parse().unwrap(),
        value: Value { measure, markers: Markers::default() },
        note: None,
        explanations: Vec::new(),
    }
}

impl World {
    fn wards(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.districts).flat_map(move |district| (0..self.wards).map(move |ward| (district, ward)))
    }

    fn catalogue(self) -> CataloguePut {
        let area = |code: String, level, parent: Option<String>| {
            let parents: Vec<_> = parent.into_iter().map(|code| json!({ "code": code })).collect();
            json!({ "code": code, "name": code, "level": level, "parents": parents })
        };
        let districts = (0..self.districts).map(|ix| area(district(ix), "district", Some(WHOLE.to_owned())));
        let wards = self.wards().map(|(of, ix)| area(ward(of, ix), "ward", Some(district(of))));
        let areas: Vec<_> =
            [area(WHOLE.to_owned(), "upper-tier", None)].into_iter().chain(districts).chain(wards).collect();
        let agencies = (0..self.districts).map(|ix| {
            let areas: Vec<_> = (0..self.wards).map(|of| ward(ix, of)).collect();
            json!({ "id": agency(ix), "name": agency(ix), "sector": "health", "areas": areas })
        });
        let expected: Vec<_> =
            (0..self.districts).map(|ix| json!({ "agency": agency(ix), "valid_from": "2020-01-01" })).collect();
        let people = json!({
            "id": "people", "title": "People", "unit": "people", "kind": "stock", "frequency": "calendar-year",
            "reporting_level": "ward", "across_agencies": "add", "expected_agencies": [],
        });
        let cases = json!({
            "id": CASES, "title": "Cases", "unit": "cases", "kind": "events", "frequency": "month", "due_days": 30,
            "reporting_level": "ward", "across_agencies": "add", "expected_agencies": expected,
            "rate": { "population_indicator": "people", "per": 10_000, "rule": "latest", "decimals": 1 },
        });
        let put = json!({ "areas": areas, "agencies": agencies.collect::<Vec<_>>(), "indicators": [people, cases] });
        serde_json::from_value(put).unwrap()
    }

    /// What one agency submits: its wards' people and cases.
    fn submission(self, of: usize) -> Submission {
        let observations = (0..self.wards).flat_map(|ix| {
            let area = ward(of, ix);
            let people = observation("people", &area, "2020-06-30", 10_000 + 10 * of + ix);
            let months = YEARS.flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}")));
            let cases: Vec<_> = months.map(|month| observation(CASES, &area, &month, 1 + (of + 7 * ix) % 40)).collect();
            [people].into_iter().chain(cases)
        });
        Submission {
            agency: AgencyId::parse(&agency(of)).unwrap(),
            request_id: RequestId::parse("all").unwrap(),
            source: String::new(),
            sample: true,
            reason: String::new(),
            return_id: None,
            observations: observations.collect(),
        }
    }

    /// Puts it, and a second analyst, into an empty data folder.
    pub(crate) async fn seed(self, folder: &Path) {
        identities::seed(folder).await;
        let (journal, state) = server::replay(folder).unwrap();
        // As the identities', in the past.
        let at = identities::seeded_at();
        let running = writer::start(Box::new(journal), state, move || at, Zone::default());
        running.handle.write(self.catalogue()).await.unwrap();
        for of in 0..self.districts {
            running.handle.write(Prepared::new(self.submission(of))).await.unwrap();
        }
        let secret = secret(OTHER_ANALYST, Condition::Good);
        let expires_at = Timestamp(at.0 + 300 * 86_400_000_000);
        let create = AccessChange::Create {
            identity: Identity {
                id: IdentityId::parse(OTHER_ANALYST).unwrap(),
                role: Role::Analyst,
                agency: None,
                scope: Scope::default(),
                certificates: Vec::new(),
                sign_ins: Vec::new(),
            },
            key: Some(NewKey { id: secret.id(), hash: secret.hash(), expires_at }),
        };
        running.handle.write(ChangeAccess { changes: vec![create], now: at }).await.unwrap();
        drop(running.handle);
        tokio::task::spawn_blocking(move || running.thread.join()).await.unwrap().unwrap();
    }
}

/// The dearest question about every ward and month: all that can be added to a figure.
pub(crate) fn dearest() -> QueryAggregateRequest {
    QueryAggregateRequest {
        indicators: vec![CASES.to_owned()],
        areas: vec![WHOLE.to_owned()],
        area_level: AreaLevel::Ward.into(),
        period_range: Some(PeriodRange { first: "2021-01".to_owned(), last: "2023-12".to_owned() }),
        group_by: vec![GroupBy::Area.into(), GroupBy::Period.into()],
        comparison: Comparison::YearBefore.into(),
        year_to_date: true,
        rate: true,
        rank: true,
        share: true,
        ..QueryAggregateRequest::default()
    }
}

/// What is answered at once.
pub(crate) fn cheap() -> QueryAggregateRequest {
    QueryAggregateRequest {
        indicators: vec![CASES.to_owned()],
        areas: vec![ward(0, 0)],
        periods: vec!["2021-01".to_owned()],
        ..QueryAggregateRequest::default()
    }
}

/// Puts so many values of one figure of the demo's into an empty data folder, each with a source of the longest kind.
pub(crate) async fn seed_history(folder: &Path, revisions: usize) {
    identities::seed(folder).await;
    let (journal, state) = server::replay(folder).unwrap();
    let at = identities::seeded_at();
    let running = writer::start(Box::new(journal), state, move || at, Zone::default());
    let submission = |revision: usize| Submission {
        agency: AgencyId::parse(CHILDRENS_SERVICES).unwrap(),
        request_id: RequestId::parse(&format!("revision-{revision}")).unwrap(),
        source: "€".repeat(500),
        sample: false,
        reason: String::new(),
        return_id: None,
        observations: [observation("initial-contacts", HAMPSHIRE, "FY2021-22", revision)].into_iter().collect(),
    };
    // A group of entries has one sync.
    for group in (0..revisions).collect::<Vec<_>>().chunks(100) {
        let mut writes = JoinSet::new();
        for revision in group {
            let (handle, prepared) = (running.handle.clone(), Prepared::new(submission(*revision)));
            writes.spawn(async move { handle.write(prepared).await.map(drop) });
        }
        writes.join_all().await.into_iter().for_each(|written| written.unwrap());
    }
    drop(running.handle);
    tokio::task::spawn_blocking(move || running.thread.join()).await.unwrap().unwrap();
}

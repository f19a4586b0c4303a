//! The world of the hostile day: a county's sizes many times over, with every kind of indicator, areas that moved
//! and ended, breakdowns, rates, expected agencies and reconciliation rules; and the callers.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use conspectus::access::{AccessChange, Identity, NewKey, Role, Scope, Secret};
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
use conspectus::server;
use serde_json::json;
use tokio::task::JoinSet;

/// The whole of the areas.
pub(crate) const WHOLE: &str = "WHOLE";
/// An area, an indicator and an agency that no hostile request names: for those who are measured.
pub(crate) const PROBE_AREA: &str = "PROBE";
pub(crate) const PROBE_INDICATOR: &str = "probe-cases";
pub(crate) const PROBE_AGENCY: &str = "probe-agency";
/// The agency of every hostile submitter.
pub(crate) const HOSTILE_AGENCY: &str = "council-000";
/// The most callers of one role.
pub(crate) const CALLERS: usize = 8;
/// The submission that many values of one figure came with: which figure that is.
pub(crate) const HISTORY_PERIOD: &str = "CY2019";

const KINDS: [&str; 6] = ["events", "stock", "distinct", "ratio", "mean", "amount"];
const ACROSS: [&str; 3] = ["add", "lead", "side-by-side"];
const AGE_BANDS: usize = 10;
const FIRST_YEAR: usize = 2021;
/// What one submission may have.
const OBSERVATIONS_MAX: usize = 5_000;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub(crate) tiers: usize,
    pub(crate) districts: usize,
    pub(crate) wards: usize,
    /// Indicators that are counted in each ward and month.
    pub(crate) ward_indicators: usize,
    /// Indicators that are counted in each district, by two agencies and by age.
    pub(crate) district_indicators: usize,
    pub(crate) months: usize,
    /// How many values one figure has had.
    pub(crate) history: usize,
}

pub(crate) fn tier(ix: usize) -> String {
    format!("TIER{ix:03}")
}

pub(crate) fn district(ix: usize) -> String {
    format!("DISTRICT{ix:03}")
}

fn ward(ix: usize) -> String {
    format!("WARD{ix:04}")
}

fn council(tier: usize) -> String {
    format!("council-{tier:03}")
}

pub(crate) fn ward_indicator(ix: usize) -> String {
    format!("in-wards-{ix:02}")
}

pub(crate) fn district_indicator(ix: usize) -> String {
    format!("in-districts-{ix:02}")
}

pub(crate) fn month(ix: usize) -> String {
    format!("{}-{:02}", FIRST_YEAR + ix / 12, 1 + ix % 12)
}

fn observation(indicator: &str, area: &str, period: &str, breakdown: &str, measure: Measure) -> Observation {
    Observation {
        indicator: indicator.parse().unwrap(),
        area: area.parse().unwrap(),
        period: period.parse().unwrap(),
        breakdown: breakdown.parse().unwrap(),
        value: Value { measure: Some(measure), markers: Markers::default() },
        note: None,
        explanations: Vec::new(),
    }
}

fn number(value: usize) -> Measure {
    Measure::Number(value.to_string().parse().unwrap())
}

fn measure(kind: &str, value: usize) -> Measure {
    let decimal = |value: usize| value.to_string().parse().unwrap();
    match kind {
        "ratio" => Measure::Ratio { numerator: decimal(value), denominator: decimal(value + 10) },
        "mean" => Measure::Mean { mean: decimal(value), count: decimal(value + 1) },
        _ => number(value),
    }
}

impl World {
    /// Figures by the month: 43 indicators, 1.3 million figures.
    pub(crate) const FULL: Self = Self {
        tiers: 150,
        districts: 330,
        wards: 3_000,
        ward_indicators: 11,
        district_indicators: 31,
        months: 36,
        history: 20_000,
    };
    /// What shows in seconds that the harness works.
    pub(crate) const SMALL: Self = Self {
        tiers: 4,
        districts: 10,
        wards: 60,
        ward_indicators: 6,
        district_indicators: 6,
        months: 12,
        history: 100,
    };

    /// Where a ward's figures of a month are counted: every fiftieth ward gave way to another one at the end of the
    /// first year.
    fn ward_in(ix: usize, month: usize) -> String {
        if ix.is_multiple_of(50) && month >= 12 { format!("{}B", ward(ix)) } else { ward(ix) }
    }

    fn ward_codes(self, ix: usize) -> impl Iterator<Item = String> {
        let ended = ix.is_multiple_of(50).then(|| format!("{}B", ward(ix)));
        std::iter::once(ward(ix)).chain(ended)
    }

    fn tier_of_ward(self, ix: usize) -> usize {
        ix % self.districts % self.tiers
    }

    pub(crate) fn area_codes(self) -> Vec<String> {
        let tiers = (0..self.tiers).map(tier);
        let wards = (0..self.wards).flat_map(|ix| self.ward_codes(ix));
        [WHOLE.to_owned()].into_iter().chain(tiers).chain((0..self.districts).map(district)).chain(wards).collect()
    }

    pub(crate) fn indicators(self) -> Vec<String> {
        let wards = (0..self.ward_indicators).map(ward_indicator);
        wards.chain((0..self.district_indicators).map(district_indicator)).chain(["people".to_owned()]).collect()
    }

    pub(crate) fn agencies(self) -> Vec<String> {
        (0..self.tiers).map(council).chain(["police".to_owned(), "health".to_owned()]).collect()
    }

    pub(crate) fn rules(self) -> Vec<String> {
        (0..self.district_indicators).map(|ix| format!("rule-{ix:02}")).collect()
    }

    fn areas(self) -> Vec<serde_json::Value> {
        let area = |code: &str, level: &str, parents: serde_json::Value| json!({ "code": code, "name": code, "level": level, "parents": parents });
        let tiers = (0..self.tiers).map(|ix| area(&tier(ix), "upper-tier", json!([{ "code": WHOLE }])));
        let districts = (0..self.districts).map(|ix| {
            let home = tier(ix % self.tiers);
            // Every tenth district moved.
            let parents = match ix % 10 {
                0 => json!([
                    { "code": home, "valid_to": "2022-06-30" },
                    { "code": tier((ix + 1) % self.tiers), "valid_from": "2022-07-01" },
                ]),
                _ => json!([{ "code": home }]),
            };
            area(&district(ix), "district", parents)
        });
        let wards = (0..self.wards).flat_map(|ix| {
            let parents = json!([{ "code": district(ix % self.districts) }]);
            let mut all = vec![area(&ward(ix), "ward", parents.clone())];
            if ix.is_multiple_of(50) {
                let after = format!("{}B", ward(ix));
                all[0]["valid_to"] = json!("2021-12-31");
                all[0]["successors"] = json!([after]);
                all.push(area(&after, "ward", parents));
                all[1]["valid_from"] = json!("2022-01-01");
            }
            all
        });
        let whole = [area(WHOLE, "country", json!([])), area(PROBE_AREA, "upper-tier", json!([]))];
        whole.into_iter().chain(tiers).chain(districts).chain(wards).collect()
    }

    /// The catalogue that its figures need.
    pub(crate) fn catalogue(self) -> CataloguePut {
        let agency = |id: &str, areas: Vec<String>| json!({ "id": id, "name": id, "sector": "health", "areas": areas });
        let councils = (0..self.tiers).map(|of| {
            let districts = (0..self.districts).filter(|ix| ix % self.tiers == of).map(district);
            let wards = (0..self.wards).filter(|ix| self.tier_of_ward(*ix) == of).flat_map(|ix| self.ward_codes(ix));
            agency(&council(of), [tier(of)].into_iter().chain(districts).chain(wards).collect())
        });
        let others = ["police", "health"].map(|id| agency(id, self.area_codes()));
        let probe = agency(PROBE_AGENCY, vec![PROBE_AREA.to_owned()]);
        let agencies: Vec<_> = councils.chain(others).chain([probe]).collect();
        let expected = |agencies: Vec<String>| -> Vec<_> {
            agencies.into_iter().map(|agency| json!({ "agency": agency, "valid_from": "2020-01-01" })).collect()
        };
        let indicator = |id: &str, kind: &str, level: &str, across: &str, agencies: Vec<String>| {
            let lead = (across == "lead").then_some("police");
            json!({
                "id": id, "title": id, "unit": "cases", "kind": kind, "frequency": "month", "due_days": 30,
                "decimals": 1, "reporting_level": level, "across_agencies": across, "lead_agency": lead,
                "expected_agencies": expected(agencies), "dimensions": ["age-band", "sex"],
            })
        };
        let with_rate = |mut indicator: serde_json::Value| {
            if ["events", "distinct"].contains(&indicator["kind"].as_str().unwrap()) {
                indicator["rate"] =
                    json!({ "population_indicator": "people", "per": 10_000, "rule": "latest", "decimals": 1 });
            }
            indicator
        };
        let all_councils = || (0..self.tiers).map(council).collect::<Vec<_>>();
        let in_wards = (0..self.ward_indicators)
            .map(|ix| with_rate(indicator(&ward_indicator(ix), KINDS[ix % 6], "ward", "add", all_councils())));
        let in_districts = (0..self.district_indicators).map(|ix| {
            let id = district_indicator(ix);
            with_rate(indicator(&id, KINDS[ix % 6], "district", ACROSS[ix / 6 % 3], self.agencies()))
        });
        let mut people = indicator("people", "stock", "ward", "add", Vec::new());
        people["frequency"] = json!("calendar-year");
        let probe = indicator(PROBE_INDICATOR, "events", "upper-tier", "add", Vec::new());
        let indicators: Vec<_> = [people, probe].into_iter().chain(in_wards).chain(in_districts).collect();
        let bands: Vec<_> = (0..AGE_BANDS).map(|ix| json!({ "id": format!("band-{ix}"), "title": "A band" })).collect();
        let sexes: Vec<_> = ["female", "male"].map(|id| json!({ "id": id, "title": id })).into();
        let dimensions = json!([
            { "id": "age-band", "title": "Age", "categories": bands },
            { "id": "sex", "title": "Sex", "categories": sexes },
        ]);
        let rules: Vec<_> = self
            .rules()
            .iter()
            .enumerate()
            .map(|(ix, id)| {
                let (left, right) = (district_indicator(ix), district_indicator((ix + 6) % self.district_indicators));
                let right =
                    if KINDS[ix % 6] == KINDS[(ix + 6) % self.district_indicators % 6] { right } else { left.clone() };
                json!({
                    "id": id, "title": id, "tolerance": "1",
                    "left": { "indicator": left, "agency": "police" },
                    "right": { "indicator": right, "agency": "health" },
                })
            })
            .collect();
        let put = json!({
            "areas": self.areas(), "agencies": agencies, "dimensions": dimensions, "indicators": indicators,
            "reconciliation_rules": rules,
        });
        serde_json::from_value(put).unwrap()
    }

    /// What an agency submits, in submissions of a bounded size.
    fn observations(self, agency: &str) -> Vec<Observation> {
        let of_council = (0..self.tiers).find(|tier| council(*tier) == agency);
        let mut all = Vec::new();
        if let Some(tier) = of_council {
            for ix in (0..self.wards).filter(|ix| self.tier_of_ward(*ix) == tier) {
                for year in 2020..2023 {
                    let day = format!("{year}-06-30");
                    let area = Self::ward_in(ix, if year > 2021 { 12 } else { 0 });
                    all.push(observation("people", &area, &day, "", number(5_000 + ix)));
                }
                for indicator in 0..self.ward_indicators {
                    for at in 0..self.months {
                        let (id, area) = (ward_indicator(indicator), Self::ward_in(ix, at));
                        let value = measure(KINDS[indicator % 6], 1 + (ix + 7 * at + indicator) % 40);
                        all.push(observation(&id, &area, &month(at), "", value));
                    }
                }
            }
        }
        // Each district by its council and by the police, half a year long; every tenth by age.
        let districts = (0..self.districts).filter(|ix| of_council.is_none_or(|tier| ix % self.tiers == tier));
        for ix in districts.filter(|_| agency != "health") {
            for indicator in 0..self.district_indicators {
                for at in 0..self.months.min(6) {
                    let id = district_indicator(indicator);
                    let value = |more: usize| measure(KINDS[indicator % 6], 20 + (ix + at + more) % 90);
                    all.push(observation(&id, &district(ix), &month(at), "", value(0)));
                    if ix.is_multiple_of(10) && indicator < 6 {
                        for band in 0..AGE_BANDS {
                            let breakdown = format!("age-band=band-{band}");
                            all.push(observation(&id, &district(ix), &month(at), &breakdown, value(band)));
                        }
                    }
                }
            }
        }
        all
    }

    /// Puts it and the callers into an empty data folder; says how many figures that are.
    pub(crate) async fn seed(self, folder: &Path) -> usize {
        let (journal, state) = server::replay(folder).unwrap();
        let at = seeded_at();
        let running = writer::start(Box::new(journal), state, move || at, Zone::default());
        running.handle.write(self.catalogue()).await.unwrap();
        let mut count = 0;
        for agency in self.agencies() {
            for (part, observations) in self.observations(&agency).chunks(OBSERVATIONS_MAX).enumerate() {
                count += observations.len();
                let id = format!("part-{part}");
                let submission = submission(&agency, &id, String::new(), observations.to_vec());
                running.handle.write(Prepared::new(submission)).await.unwrap();
            }
        }
        for group in (0..self.history).collect::<Vec<_>>().chunks(500) {
            let mut writes = JoinSet::new();
            for value in group {
                let indicator = ward_indicator(0);
                let observations = vec![observation(&indicator, &ward(1), HISTORY_PERIOD, "", number(*value))];
                let id = format!("value-{value}");
                let agency = council(self.tier_of_ward(1));
                let prepared = Prepared::new(submission(&agency, &id, "€".repeat(500), observations));
                let handle = running.handle.clone();
                writes.spawn(async move { handle.write(prepared).await.map(drop) });
            }
            writes.join_all().await.into_iter().for_each(|written| written.unwrap());
        }
        let changes = callers().into_iter().map(|(name, role)| create(&name, role)).collect();
        running.handle.write(ChangeAccess { changes, now: at }).await.unwrap();
        drop(running.handle);
        tokio::task::spawn_blocking(move || running.thread.join()).await.unwrap().unwrap();
        count + self.history
    }

    /// Who submitted the figure with many values.
    pub(crate) fn history_agency(self) -> String {
        council(self.tier_of_ward(1))
    }
}

/// The area of the figure with many values.
pub(crate) fn history_area() -> String {
    ward(1)
}

fn submission(agency: &str, id: &str, source: String, observations: Vec<Observation>) -> Submission {
    Submission {
        agency: AgencyId::parse(agency).unwrap(),
        request_id: RequestId::parse(id).unwrap(),
        source,
        sample: true,
        reason: String::new(),
        return_id: None,
        observations: observations.into_iter().collect(),
    }
}

/// When it was all submitted: so long ago that keys made then hold, and no clock is behind it.
fn seeded_at() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    Timestamp(i64::try_from(now).unwrap() - MICROS_A_DAY)
}

/// A caller's name: by its role and number, or of those who are measured.
pub(crate) fn caller(role: Role, number: usize) -> String {
    let role = match role {
        Role::Operator => "operator",
        Role::Steward => "steward",
        Role::Submitter => "submitter",
        Role::Analyst => "analyst",
        Role::Reader => "reader",
        Role::Corrector => "corrector",
    };
    format!("{role}-{number}")
}

pub(crate) const PROBE_ANALYST: &str = "probe-analyst";
pub(crate) const PROBE_SUBMITTER: &str = "probe-submitter";
/// An identity whose keys may be replaced and revoked.
pub(crate) const TARGET: &str = "target";

fn callers() -> Vec<(String, Role)> {
    let numbered = [Role::Operator, Role::Analyst, Role::Submitter, Role::Steward]
        .into_iter()
        .flat_map(|role| (0..CALLERS).map(move |number| (caller(role, number), role)));
    let others = [(PROBE_ANALYST, Role::Analyst), (PROBE_SUBMITTER, Role::Submitter), (TARGET, Role::Analyst)];
    numbered.chain(others.map(|(name, role)| (name.to_owned(), role))).collect()
}

fn secret(name: &str) -> Secret {
    let bytes = blake3::derive_key("conspectus tests: hostile callers", name.as_bytes());
    let mut random = [0; Secret::RANDOM_BYTES];
    random[..32].copy_from_slice(&bytes);
    Secret::from_random(random)
}

/// What a caller sends as `authorization`.
pub(crate) fn authorization(name: &str) -> String {
    format!("Bearer {}", secret(name).reveal())
}

fn create(name: &str, role: Role) -> AccessChange {
    let agency = if name == PROBE_SUBMITTER { PROBE_AGENCY } else { HOSTILE_AGENCY };
    let secret = secret(name);
    AccessChange::Create {
        identity: Identity {
            id: IdentityId::parse(name).unwrap(),
            role,
            agency: role.is_of_agency().then(|| AgencyId::parse(agency).unwrap()),
            scope: Scope::default(),
            certificates: Vec::new(),
            sign_ins: Vec::new(),
        },
        key: Some(NewKey {
            id: secret.id(),
            hash: secret.hash(),
            expires_at: Timestamp(seeded_at().0 + 300 * MICROS_A_DAY),
        }),
    }
}

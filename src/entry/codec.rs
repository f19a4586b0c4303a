//! The persisted form of an entry: what joins the journal's bytes to the domain.
//!
//! The format is `conspectus.journal.v1`. Decoding checks everything again, so that bytes which
//! were damaged below the chain's hashes, or written by something else, are refused and never
//! half understood.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use prost::Message;

use super::{Body, Entry, Fingerprint, Withdrawal};
use crate::access::{AccessChange, Actor, Credential, Identity, KeyHash, KeyId, NewKey, Role, Scope};
use crate::catalogue::CataloguePut;
use crate::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, Category, Dimension, ExpectedAgency, IndicatorVersion, Kind,
    Polarity, PopulationRule, RateRule, ReconciliationRule, ReconciliationSide, Sector, Validity,
};
use crate::model::date::Date;
use crate::model::decimal::Rounding;
use crate::model::observation::Breakdown;
use crate::model::observations::{Dictionaries, Line, Observations};
use crate::model::packed::Packed;
use crate::model::period::Frequency;
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;

#[allow(missing_docs, unreachable_pub, reason = "generated from proto/conspectus/journal/v1, where it is documented")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/conspectus.journal.v1.rs"));
}

/// The bytes aren't an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of a known format: {0}")]
pub struct DecodeError(String);

impl DecodeError {
    fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }
}

/// The bytes of an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    encode_around(entry.at, &encode_body(&entry.body), &entry.actor)
}

/// The bytes of an entry but for its time, and who caused it, which are known last. See [`encode_around`].
pub(crate) fn encode_body(body: &Body) -> Vec<u8> {
    use proto::entry::Body as P;
    let body = match body {
        Body::CataloguePut(put) => P::CataloguePut(put_to_proto(put)),
        Body::Submission { submission, fingerprint } => P::Submission(submission_to_proto(submission, *fingerprint)),
        Body::Withdrawal(withdrawal) => P::Withdrawal(proto::Withdrawal {
            agency: withdrawal.agency.to_string(),
            request_id: withdrawal.request_id.to_string(),
            reason: withdrawal.reason.clone(),
        }),
        Body::Access(changes) => {
            P::AccessPut(proto::AccessPut { changes: changes.iter().map(change_to_proto).collect() })
        }
    };
    proto::Entry { accepted_at_micros: 0, by: None, body: Some(body) }.encode_to_vec()
}

/// The bytes of an entry from those of its body: fields of protobuf stand one after the other.
pub(crate) fn encode_around(at: Timestamp, body: &[u8], actor: &Actor) -> Vec<u8> {
    let time = proto::Entry { accepted_at_micros: at.0, by: None, body: None };
    let actor = proto::Entry { accepted_at_micros: 0, by: actor_to_proto(actor), body: None };
    let mut bytes = Vec::with_capacity(time.encoded_len() + body.len() + actor.encoded_len());
    time.encode(&mut bytes).expect("a vector has room");
    bytes.extend_from_slice(body);
    actor.encode(&mut bytes).expect("a vector has room");
    bytes
}

/// The entry of bytes.
///
/// # Errors
/// When the bytes aren't what [`encode`] gives, in this version or an earlier one.
pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
    use proto::entry::Body as P;
    let entry = proto::Entry::decode(bytes).map_err(DecodeError::new)?;
    let body = match entry.body {
        Some(P::CataloguePut(put)) => Body::CataloguePut(put_from_proto(put)?),
        Some(P::Submission(submission)) => {
            let fingerprint = <[u8; 16]>::try_from(submission.fingerprint.as_ref())
                .map_err(|_| DecodeError::new("a fingerprint of other than 16 bytes"))?;
            let submission = Arc::new(submission_from_proto(submission)?);
            Body::Submission { submission, fingerprint: Fingerprint(fingerprint) }
        }
        Some(P::Withdrawal(withdrawal)) => Body::Withdrawal(Withdrawal {
            agency: parse(&withdrawal.agency)?,
            request_id: parse(&withdrawal.request_id)?,
            reason: withdrawal.reason,
        }),
        Some(P::AccessPut(put)) => {
            Body::Access(put.changes.into_iter().map(change_from_proto).collect::<Result<_, _>>()?)
        }
        None => return Err(DecodeError::new("an entry of no known kind")),
    };
    Ok(Entry { at: Timestamp(entry.accepted_at_micros), actor: actor_from_proto(entry.by)?, body })
}

fn texts<T: Display>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn submission_to_proto(submission: &Submission, fingerprint: Fingerprint) -> proto::Submission {
    let table = &submission.observations;
    let (dictionaries, lines) = (table.dictionaries(), table.lines());
    let column = |index: fn(&Line) -> u32| lines.iter().map(index).collect();
    let mut columns = proto::Submission {
        agency: submission.agency.to_string(),
        request_id: submission.request_id.to_string(),
        fingerprint: fingerprint.0.to_vec(),
        source: submission.source.clone(),
        sample: submission.sample,
        indicators: texts(&dictionaries.indicators),
        areas: texts(&dictionaries.areas),
        periods: texts(&dictionaries.periods),
        indicator: column(|line| line.indicator),
        area: column(|line| line.area),
        period: column(|line| line.period),
        form: Vec::with_capacity(lines.len()),
        first: Vec::with_capacity(lines.len()),
        second: Vec::with_capacity(lines.len()),
        notes: table
            .notes()
            .iter()
            .map(|(line, text)| proto::Note { observation: *line, text: text.to_string() })
            .collect(),
        ..proto::Submission::default()
    };
    if !dictionaries.breakdowns.iter().all(Breakdown::is_total) {
        columns.breakdowns = texts(&dictionaries.breakdowns);
        columns.breakdown = column(|line| line.breakdown);
    }
    for line in lines {
        let Packed { word, first, second } = Packed::from(&line.value);
        columns.form.push(word);
        columns.first.push(first);
        columns.second.push(second);
    }
    if columns.second.iter().all(|second| *second == 0) {
        columns.second.clear();
    }
    columns
}

fn submission_from_proto(columns: proto::Submission) -> Result<Submission, DecodeError> {
    let count = columns.indicator.len();
    let whole = [columns.area.len(), columns.period.len(), columns.form.len(), columns.first.len()];
    let optional = [columns.breakdown.len(), columns.second.len()];
    if whole.iter().any(|len| *len != count) || optional.iter().any(|len| *len != count && *len != 0) {
        return Err(DecodeError::new("columns of different lengths"));
    }
    let all_total = columns.breakdown.is_empty();
    let dictionaries = Dictionaries {
        indicators: parse_all(&columns.indicators)?,
        areas: parse_all(&columns.areas)?,
        periods: parse_all(&columns.periods)?,
        breakdowns: if all_total { vec![Breakdown::default()] } else { parse_all(&columns.breakdowns)? },
    };
    let line = |at: usize| {
        let second = columns.second.get(at).copied().unwrap_or(0);
        let packed = Packed { word: columns.form[at], first: columns.first[at], second };
        Ok(Line {
            indicator: columns.indicator[at],
            area: columns.area[at],
            period: columns.period[at],
            breakdown: columns.breakdown.get(at).copied().unwrap_or(0),
            value: packed.value().map_err(DecodeError::new)?,
        })
    };
    let lines = (0..count).map(line).collect::<Result<Vec<_>, DecodeError>>()?;
    let notes = columns.notes.into_iter().map(|note| (note.observation, Arc::from(note.text))).collect();
    Ok(Submission {
        agency: parse(&columns.agency)?,
        request_id: parse(&columns.request_id)?,
        source: columns.source,
        sample: columns.sample,
        observations: Observations::new(dictionaries, lines, notes).map_err(DecodeError::new)?,
    })
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, DecodeError> {
    text.parse().map_err(DecodeError::new)
}

fn parse_all<T: FromStr<Err: Display>>(texts: &[String]) -> Result<Vec<T>, DecodeError> {
    texts.iter().map(|text| parse(text)).collect()
}

fn parse_day(text: &str) -> Result<Option<Date>, DecodeError> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn link(id: impl Display, validity: Validity) -> proto::Link {
    let validity = proto::Validity { valid_from: day(validity.valid_from), valid_to: day(validity.valid_to) };
    proto::Link { id: id.to_string(), validity: Some(validity) }
}

fn unlink<T: FromStr<Err: Display>>(link: &proto::Link) -> Result<(T, Validity), DecodeError> {
    let (from, to) =
        link.validity.as_ref().map(|span| (span.valid_from.as_str(), span.valid_to.as_str())).unwrap_or_default();
    Ok((parse(&link.id)?, Validity { valid_from: parse_day(from)?, valid_to: parse_day(to)? }))
}

fn put_to_proto(put: &CataloguePut) -> proto::CataloguePut {
    proto::CataloguePut {
        areas: put
            .areas
            .iter()
            .map(|area| proto::Area {
                code: area.code.to_string(),
                name: area.name.clone(),
                level: area.level.code(),
                parents: area.parents.iter().map(|parent| link(&parent.code, parent.validity)).collect(),
            })
            .collect(),
        agencies: put
            .agencies
            .iter()
            .map(|agency| proto::Agency {
                id: agency.id.to_string(),
                name: agency.name.clone(),
                sector: agency.sector.code(),
                areas: agency.areas.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        dimensions: put
            .dimensions
            .iter()
            .map(|dimension| proto::Dimension {
                id: dimension.id.to_string(),
                title: dimension.title.clone(),
                categories: dimension
                    .categories
                    .iter()
                    .map(|category| proto::Category { id: category.id.to_string(), title: category.title.clone() })
                    .collect(),
            })
            .collect(),
        indicators: put.indicators.iter().map(version_to_proto).collect(),
        reconciliation_rules: put.reconciliation_rules.iter().map(rule_to_proto).collect(),
    }
}

fn version_to_proto(version: &IndicatorVersion) -> proto::IndicatorVersion {
    proto::IndicatorVersion {
        id: version.id.to_string(),
        effective_from: day(version.effective_from),
        title: version.title.clone(),
        definition: version.definition.clone(),
        unit: version.unit.clone(),
        kind: version.kind.code(),
        decimals: u32::from(version.decimals),
        rounding: version.rounding.code(),
        polarity: version.polarity.code(),
        frequency: version.frequency.code(),
        due_days: u32::from(version.due_days),
        reporting_level: version.reporting_level.code(),
        across_agencies: version.across_agencies.code(),
        lead_agency: version.lead_agency.as_ref().map(ToString::to_string).unwrap_or_default(),
        expected_agencies: version
            .expected_agencies
            .iter()
            .map(|expected| link(&expected.agency, expected.validity))
            .collect(),
        dimensions: version.dimensions.iter().map(ToString::to_string).collect(),
        breaks_comparability: version.breaks_comparability,
        version_note: version.version_note.clone(),
        source: version.source.clone(),
        rate: version.rate.as_ref().map(|rate| proto::RateRule {
            population_indicator: rate.population_indicator.to_string(),
            per: rate.per,
            rule: rate.rule.code(),
            decimals: u32::from(rate.decimals),
        }),
    }
}

fn rule_to_proto(rule: &ReconciliationRule) -> proto::ReconciliationRule {
    let agency = |side: &ReconciliationSide| side.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    proto::ReconciliationRule {
        id: rule.id.to_string(),
        title: rule.title.clone(),
        left_indicator: rule.left.indicator.to_string(),
        left_agency: agency(&rule.left),
        right_indicator: rule.right.indicator.to_string(),
        right_agency: agency(&rule.right),
        tolerance: rule.tolerance.to_string(),
        tolerance_percent: rule.tolerance_percent.to_string(),
    }
}

fn known<T>(what: &str, code: i32, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or_else(|| DecodeError::new(format!("an unknown {what}, {code}")))
}

fn put_from_proto(put: proto::CataloguePut) -> Result<CataloguePut, DecodeError> {
    Ok(CataloguePut {
        areas: put.areas.into_iter().map(area_from_proto).collect::<Result<_, _>>()?,
        agencies: put.agencies.into_iter().map(agency_from_proto).collect::<Result<_, _>>()?,
        dimensions: put.dimensions.into_iter().map(dimension_from_proto).collect::<Result<_, _>>()?,
        indicators: put.indicators.into_iter().map(version_from_proto).collect::<Result<_, _>>()?,
        reconciliation_rules: put.reconciliation_rules.into_iter().map(rule_from_proto).collect::<Result<_, _>>()?,
    })
}

fn area_from_proto(area: proto::Area) -> Result<Area, DecodeError> {
    let parent = |parent| unlink(parent).map(|(code, validity)| AreaParent { code, validity });
    Ok(Area {
        code: parse(&area.code)?,
        level: known("level", area.level, AreaLevel::from_code(area.level))?,
        parents: area.parents.iter().map(parent).collect::<Result<_, _>>()?,
        name: area.name,
    })
}

fn agency_from_proto(agency: proto::Agency) -> Result<Agency, DecodeError> {
    Ok(Agency {
        id: parse(&agency.id)?,
        sector: known("sector", agency.sector, Sector::from_code(agency.sector))?,
        areas: parse_all(&agency.areas)?,
        name: agency.name,
    })
}

fn dimension_from_proto(dimension: proto::Dimension) -> Result<Dimension, DecodeError> {
    let category = |category: proto::Category| Ok(Category { id: parse(&category.id)?, title: category.title });
    Ok(Dimension {
        id: parse(&dimension.id)?,
        categories: dimension.categories.into_iter().map(category).collect::<Result<_, DecodeError>>()?,
        title: dimension.title,
    })
}

fn version_from_proto(version: proto::IndicatorVersion) -> Result<IndicatorVersion, DecodeError> {
    let expected = |expected| unlink(expected).map(|(agency, validity)| ExpectedAgency { agency, validity });
    let lead = version.lead_agency.as_str();
    Ok(IndicatorVersion {
        id: parse(&version.id)?,
        effective_from: parse_day(&version.effective_from)?,
        kind: known("kind", version.kind, Kind::from_code(version.kind))?,
        decimals: u8::try_from(version.decimals).map_err(DecodeError::new)?,
        rounding: known("rounding", version.rounding, Rounding::from_code(version.rounding))?,
        polarity: known("polarity", version.polarity, Polarity::from_code(version.polarity))?,
        frequency: known("frequency", version.frequency, Frequency::from_code(version.frequency))?,
        due_days: u16::try_from(version.due_days).map_err(DecodeError::new)?,
        reporting_level: known("level", version.reporting_level, AreaLevel::from_code(version.reporting_level))?,
        across_agencies: known("rule", version.across_agencies, AcrossAgencies::from_code(version.across_agencies))?,
        lead_agency: if lead.is_empty() { None } else { Some(parse(lead)?) },
        expected_agencies: version.expected_agencies.iter().map(expected).collect::<Result<_, _>>()?,
        dimensions: parse_all(&version.dimensions)?,
        breaks_comparability: version.breaks_comparability,
        title: version.title,
        definition: version.definition,
        unit: version.unit,
        version_note: version.version_note,
        source: version.source,
        rate: version.rate.as_ref().map(rate_from_proto).transpose()?,
    })
}

fn rate_from_proto(rate: &proto::RateRule) -> Result<RateRule, DecodeError> {
    Ok(RateRule {
        population_indicator: parse(&rate.population_indicator)?,
        per: rate.per,
        rule: known("rule", rate.rule, PopulationRule::from_code(rate.rule))?,
        decimals: u8::try_from(rate.decimals).map_err(DecodeError::new)?,
    })
}

fn rule_from_proto(rule: proto::ReconciliationRule) -> Result<ReconciliationRule, DecodeError> {
    let side = |indicator: &str, agency: &str| {
        let agency = if agency.is_empty() { None } else { Some(parse(agency)?) };
        Ok(ReconciliationSide { indicator: parse(indicator)?, agency })
    };
    Ok(ReconciliationRule {
        id: parse(&rule.id)?,
        left: side(&rule.left_indicator, &rule.left_agency)?,
        right: side(&rule.right_indicator, &rule.right_agency)?,
        tolerance: parse(&rule.tolerance)?,
        tolerance_percent: parse(&rule.tolerance_percent)?,
        title: rule.title,
    })
}

fn actor_to_proto(actor: &Actor) -> Option<proto::By> {
    let kind = |kind| proto::By { kind, ..proto::By::default() };
    match actor {
        Actor::Unknown => None,
        Actor::Open => Some(kind(1)),
        Actor::Local => Some(kind(2)),
        Actor::Identity { id, credential } => {
            let (key_id, certificate) = match credential {
                Credential::Key(key) => (key.0.to_vec(), String::new()),
                Credential::Certificate(uri) => (Vec::new(), uri.to_string()),
            };
            Some(proto::By { identity: id.to_string(), key_id, certificate, ..kind(3) })
        }
    }
}

fn actor_from_proto(by: Option<proto::By>) -> Result<Actor, DecodeError> {
    let Some(by) = by else { return Ok(Actor::Unknown) };
    match by.kind {
        1 => Ok(Actor::Open),
        2 => Ok(Actor::Local),
        3 => {
            let credential = if by.key_id.is_empty() {
                Credential::Certificate(parse(&by.certificate)?)
            } else {
                Credential::Key(key_id(&by.key_id)?)
            };
            Ok(Actor::Identity { id: parse(&by.identity)?, credential })
        }
        other => Err(DecodeError::new(format!("caused by something of kind {other}"))),
    }
}

fn change_to_proto(change: &AccessChange) -> proto::AccessChange {
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

fn change_from_proto(change: proto::AccessChange) -> Result<AccessChange, DecodeError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decimal::Decimal;
    use crate::model::marker::Markers;
    use crate::model::observation::{Measure, Observation, Value};

    fn observation(of: [&str; 4], measure: Option<Measure>, markers: u16, note: Option<&str>) -> Observation {
        let [indicator, area, period, breakdown] = of;
        Observation {
            indicator: indicator.parse().unwrap(),
            area: area.parse().unwrap(),
            period: period.parse().unwrap(),
            breakdown: breakdown.parse().unwrap(),
            value: Value { measure, markers: Markers::from_bits(markers).unwrap() },
            note: note.map(Arc::from),
        }
    }

    fn entry(observations: Vec<Observation>) -> Entry {
        let submission = Submission {
            agency: "police".parse().unwrap(),
            request_id: "one".parse().unwrap(),
            source: "a report".to_owned(),
            sample: true,
            observations: observations.into_iter().collect(),
        };
        let fingerprint = Fingerprint::of(&submission);
        Entry {
            at: Timestamp(1_700_000_000_000_000),
            actor: Actor::Unknown,
            body: Body::Submission { submission: Arc::new(submission), fingerprint },
        }
    }

    /// Every form of value, markers, breakdowns and notes.
    fn rich() -> Entry {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let number = |text| Some(Measure::Number(decimal(text)));
        let ratio = Measure::Ratio { numerator: decimal("3"), denominator: decimal("4") };
        let percentage = Measure::Percentage { percent: decimal("87.90"), base: decimal("18496") };
        let mean = Measure::Mean { mean: decimal("-1.5"), count: decimal("12") };
        entry(vec![
            observation(["contacts", "E10000014", "2022-06", ""], number("117188"), 0, None),
            observation(["contacts", "E06000046", "2022-06", "sex=female"], number("-0.25"), 0b1010_0000, Some("why")),
            observation(["timely", "E06000046", "FY2021-22", "sex=female"], Some(ratio), 0, None),
            observation(["timely", "E10000014", "CY2021-Q2", ""], Some(percentage), 0b1_0000_0000, None),
            observation(["delay", "E10000014", "2022-W07", "age=0-to-4;sex=male"], Some(mean), 0, Some("é")),
            observation(["contacts", "E10000014", "2022-03-31", ""], None, 0b10, None),
        ])
    }

    /// Nothing but totals and numbers: columns that say nothing are left out.
    fn plain() -> Entry {
        let number = |number| Some(Measure::Number(Decimal::new(number, 0).unwrap()));
        entry(vec![
            observation(["contacts", "E10000014", "2022-06", ""], number(5), 0, None),
            observation(["contacts", "E10000014", "2022-07", ""], number(0), 0, None),
        ])
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.chunks(32).fold(String::new(), |text, line| {
            text + &line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
        })
    }

    #[test]
    fn the_format_and_the_fingerprint_never_change_by_accident() {
        insta::assert_snapshot!(hex(&encode(&rich())), @"
        088080f9c0c1c482031a89020a06706f6c69636512036f6e651a10486727b522
        c0dff8dd2fa99f1917c711220861207265706f727428013208636f6e74616374
        73320674696d656c79320564656c61793a094531303030303031343a09453036
        3030303034364207323032322d303642094659323032312d3232420943593230
        32312d51324208323032322d573037420a323032322d30332d33314a004a0a73
        65783d66656d616c654a136167653d302d746f2d343b7365783d6d616c655206
        0000010102005a0600010100000062060000010203046a06000101000200720b
        01918005029380080c80087a0a88a70e3106ac89011d0082010800000880a102
        18008a0107080112037768798a010608041202c3a9
        ");
        insta::assert_snapshot!(hex(&encode(&plain())), @"
        088080f9c0c1c482031a660a06706f6c69636512036f6e651a1076d38c378b1d
        8672f91fdf1e08980b34220861207265706f727428013208636f6e7461637473
        3a094531303030303031344207323032322d30364207323032322d3037520200
        005a02000062020001720201017a020a00
        ");
    }

    #[test]
    fn a_submission_reads_back_as_written() {
        for entry in [rich(), plain()] {
            assert_eq!(decode(&encode(&entry)).unwrap(), entry);
        }
    }

    fn hex_line(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn withdrawal() -> Body {
        Body::Withdrawal(Withdrawal {
            agency: "a".parse().unwrap(),
            request_id: "r".parse().unwrap(),
            reason: "why".to_owned(),
        })
    }

    /// As it stood in journals before entries said who caused them.
    const BEFORE_CALLERS: &str = "0807220b0a01611201721a03776879";

    #[test]
    fn an_entry_of_before_callers_were_kept_is_read_and_written_as_it_was() {
        let entry = Entry { at: Timestamp(7), actor: Actor::Unknown, body: withdrawal() };
        assert_eq!(decode(&bytes(BEFORE_CALLERS)), Ok(entry.clone()));
        assert_eq!(hex_line(&encode(&entry)), BEFORE_CALLERS);
    }

    /// What is in journals must be read for ever.
    #[test]
    fn entries_are_written_as_they_always_were() {
        let key = |n: u8| NewKey {
            id: KeyId([n; 8]),
            hash: KeyHash::from_bytes([n + 1; 32]),
            expires_at: Timestamp(1_000 + i64::from(n)),
        };
        let identity = |id: &str, role, agency: Option<&str>| Identity {
            id: id.parse().unwrap(),
            role,
            agency: agency.map(|agency| agency.parse().unwrap()),
            scope: Scope::default(),
            certificates: vec!["spiffe://a/b".parse().unwrap()],
        };
        let analyst = Identity {
            scope: Scope {
                sectors: [Sector::Police, Sector::Health].into(),
                areas: ["E10000014".parse().unwrap()].into(),
            },
            ..identity("al", Role::Analyst, None)
        };
        let changes = vec![
            AccessChange::Create { identity: analyst, key: Some(key(1)) },
            AccessChange::Create { identity: identity("feed", Role::Submitter, Some("force")), key: None },
            AccessChange::Rotate { identity: "al".parse().unwrap(), key: key(3), older_until: Timestamp(9) },
            AccessChange::Revoke { identity: "al".parse().unwrap(), key: Some(KeyId([1; 8])) },
            AccessChange::Revoke { identity: "feed".parse().unwrap(), key: None },
        ];
        let jo = |credential| Actor::Identity { id: "jo".parse().unwrap(), credential };
        let entries = [
            Entry { at: Timestamp(7), actor: Actor::Open, body: withdrawal() },
            Entry { at: Timestamp(7), actor: Actor::Local, body: withdrawal() },
            Entry { at: Timestamp(7), actor: jo(Credential::Key(KeyId([9; 8]))), body: withdrawal() },
            Entry {
                at: Timestamp(7),
                actor: jo(Credential::Certificate("urn:x".parse().unwrap())),
                body: Body::Access(changes),
            },
        ];
        let written: Vec<String> = entries.iter().map(|entry| hex_line(&encode(entry))).collect();
        for (entry, written) in entries.iter().zip(&written) {
            assert_eq!(decode(&bytes(written)).as_ref(), Ok(entry));
        }
        insta::assert_snapshot!(written.join("\n"));
    }
}

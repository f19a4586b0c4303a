//! The persisted form of an entry: what joins the journal's bytes to the domain.
//!
//! The format is `conspectus.journal.v1`. Decoding checks everything again, so that bytes which
//! were damaged below the chain's hashes, or written by something else, are refused and never
//! half understood.

mod access;
mod catalogue;
mod submission;
mod wire;

use std::sync::Arc;

use prost::Message;

use super::{AuditAnchor, Body, Entry, ReturnCompletion, Withdrawal};
use crate::access::Actor;
use crate::model::chain::ChainHash;
use crate::model::manifest::{Manifest, Totals};
use crate::model::protobuf::{Fields, Writer};
use crate::model::timestamp::Timestamp;
pub use wire::DecodeError;
use wire::{parse, proto};

/// The bytes of an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    encode_around(entry.at, &encode_body(&entry.body), &entry.actor)
}

/// The field of an entry that a submission stands in.
const SUBMISSION: u32 = 3;

/// The bytes of an entry but for its time, and who caused it, which are known last. See [`encode_around`].
pub(crate) fn encode_body(body: &Body) -> Vec<u8> {
    use proto::entry::Body as P;
    let body = match body {
        Body::CataloguePut(put) => P::CataloguePut(catalogue::to_proto(put)),
        Body::Submission { submission, fingerprint } => {
            let mut out = Writer::with_capacity(submission.bytes_expected());
            out.message(SUBMISSION, |out| submission::write(out, submission, *fingerprint));
            return out.into_vec();
        }
        Body::Withdrawal(withdrawal) => P::Withdrawal(proto::Withdrawal {
            agency: withdrawal.agency.to_string(),
            request_id: withdrawal.request_id.to_string(),
            reason: withdrawal.reason.clone(),
        }),
        Body::Access(changes) => {
            P::AccessPut(proto::AccessPut { changes: changes.iter().map(access::change_to_proto).collect() })
        }
        Body::AuditAnchor(AuditAnchor { lines, chain, lost_lines, lost_revisions }) => {
            let (lines, lost_lines, lost_revisions) = (*lines, *lost_lines, *lost_revisions);
            P::AuditAnchor(proto::AuditAnchor { lines, chain: chain.0.to_vec(), lost_lines, lost_revisions })
        }
        Body::ReturnCompletion(completion) => P::ReturnCompletion(completion_to_proto(completion)),
    };
    proto::Entry { accepted_at_micros: 0, by: None, body: Some(body) }.encode_to_vec()
}

/// The bytes of an entry from those of its body: fields of protobuf stand one after the other.
pub(crate) fn encode_around(at: Timestamp, body: &[u8], actor: &Actor) -> Vec<u8> {
    let time = proto::Entry { accepted_at_micros: at.0, by: None, body: None };
    let actor = proto::Entry { accepted_at_micros: 0, by: access::actor_to_proto(actor), body: None };
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
    let (entry, submission) = envelope(bytes)?;
    let body = match (entry.body, submission) {
        (None, Some(submission)) => {
            let (submission, fingerprint) = submission::read(submission)?;
            Body::Submission { submission: Arc::new(submission), fingerprint }
        }
        (Some(body), None) => body_from_proto(body)?,
        (None, None) => return Err(DecodeError::new("an entry of no known kind")),
        (Some(_), Some(_)) => return Err(DecodeError::new("an entry of two kinds")),
    };
    Ok(Entry { at: Timestamp(entry.accepted_at_micros), actor: access::actor_from_proto(entry.by)?, body })
}

/// When an entry was accepted.
///
/// # Errors
/// When the bytes are no entry's.
pub(crate) fn accepted_at(bytes: &[u8]) -> Result<Timestamp, DecodeError> {
    envelope(bytes).map(|(entry, _)| Timestamp(entry.accepted_at_micros))
}

/// An entry but for its submission, where it has one, and that one's fields.
fn envelope(bytes: &[u8]) -> Result<(proto::Entry, Option<&[u8]>), DecodeError> {
    let (mut entry, mut submission) = (proto::Entry::default(), None);
    let mut fields = Fields::of(bytes);
    loop {
        let from = fields.rest();
        let Some(field) = fields.next() else { return Ok((entry, submission)) };
        match field? {
            (SUBMISSION, value) => {
                if submission.replace(value.bytes()?).is_some() {
                    return Err(DecodeError::new("an entry of two submissions"));
                }
            }
            // Fields stand one after the other, so each is a message of its own.
            _ => entry.merge(&from[..from.len() - fields.rest().len()]).map_err(DecodeError::new)?,
        }
    }
}

fn body_from_proto(body: proto::entry::Body) -> Result<Body, DecodeError> {
    use proto::entry::Body as P;
    Ok(match body {
        P::CataloguePut(put) => Body::CataloguePut(catalogue::from_proto(put)?),
        P::Submission(_) => return Err(DecodeError::new("a submission in another field than its own")),
        P::Withdrawal(withdrawal) => Body::Withdrawal(Withdrawal {
            agency: parse(&withdrawal.agency)?,
            request_id: parse(&withdrawal.request_id)?,
            reason: withdrawal.reason,
        }),
        P::AccessPut(put) => {
            Body::Access(put.changes.into_iter().map(access::change_from_proto).collect::<Result<_, _>>()?)
        }
        P::AuditAnchor(anchor) => {
            let chain = <[u8; 32]>::try_from(anchor.chain.as_slice())
                .map_err(|_| DecodeError::new("a chain hash of other than 32 bytes"))?;
            let proto::AuditAnchor { lines, lost_lines, lost_revisions, .. } = anchor;
            Body::AuditAnchor(AuditAnchor { lines, chain: ChainHash(chain), lost_lines, lost_revisions })
        }
        P::ReturnCompletion(completion) => Body::ReturnCompletion(completion_from_proto(&completion)?),
    })
}

fn completion_to_proto(ReturnCompletion { agency, return_id, manifest }: &ReturnCompletion) -> proto::ReturnCompletion {
    let totals = manifest.totals.iter().map(|(indicator, totals)| proto::IndicatorTotals {
        indicator: indicator.to_string(),
        figures: totals.figures,
        sum: totals.sum.to_string(),
        base_sum: totals.base_sum.to_string(),
    });
    proto::ReturnCompletion {
        agency: agency.to_string(),
        return_id: return_id.to_string(),
        parts: manifest.parts.iter().map(ToString::to_string).collect(),
        figures: manifest.figures,
        totals: totals.collect(),
    }
}

fn completion_from_proto(completion: &proto::ReturnCompletion) -> Result<ReturnCompletion, DecodeError> {
    let totals = |of: &proto::IndicatorTotals| {
        let totals = Totals { figures: of.figures, sum: parse(&of.sum)?, base_sum: parse(&of.base_sum)? };
        Ok((parse(&of.indicator)?, totals))
    };
    Ok(ReturnCompletion {
        agency: parse(&completion.agency)?,
        return_id: parse(&completion.return_id)?,
        manifest: Manifest {
            parts: completion.parts.iter().map(|part| parse(part)).collect::<Result<_, _>>()?,
            figures: completion.figures,
            totals: completion.totals.iter().map(totals).collect::<Result<_, DecodeError>>()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccessChange, Credential, Identity, KeyHash, KeyId, NewKey, Role, Scope, SignIn};
    use crate::catalogue::items::Sector;
    use crate::entry::Fingerprint;
    use crate::model::decimal::Decimal;
    use crate::model::hex::{self, Hex};
    use crate::model::marker::Markers;
    use crate::model::observation::{Measure, Observation, Value};
    use crate::model::submission::Submission;

    fn observation(of: [&str; 4], measure: Option<Measure>, markers: u16, note: Option<&str>) -> Observation {
        let [indicator, area, period, breakdown] = of;
        Observation {
            indicator: indicator.parse().unwrap(),
            area: area.parse().unwrap(),
            period: period.parse().unwrap(),
            breakdown: breakdown.parse().unwrap(),
            value: Value { measure, markers: Markers::from_bits(markers).unwrap() },
            note: note.map(Arc::from),
            explanations: Vec::new(),
        }
    }

    fn entry(observations: Vec<Observation>) -> Entry {
        let submission = Submission {
            agency: "police".parse().unwrap(),
            request_id: "one".parse().unwrap(),
            source: "a report".to_owned(),
            sample: true,
            reason: String::new(),
            return_id: None,
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

    #[test]
    fn how_far_the_audit_log_had_come_is_kept_and_reads_back() {
        let at = Timestamp(1);
        let anchor = AuditAnchor { lines: 5, chain: ChainHash([7; 32]), lost_lines: false, lost_revisions: 0 };
        let entry = Entry { at, actor: Actor::Unknown, body: Body::AuditAnchor(anchor) };
        let bytes = encode(&entry);
        assert_eq!(bytes, [&[0x08, 1, 0x3a, 36, 0x08, 5, 0x12, 32], [7; 32].as_slice()].concat());
        assert_eq!(decode(&bytes).unwrap(), entry);
        let anchor = AuditAnchor { lost_lines: true, lost_revisions: 3, ..anchor };
        let entry = Entry { body: Body::AuditAnchor(anchor), ..entry };
        assert_eq!(decode(&encode(&entry)).unwrap(), entry);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        let short = [&[0x3a, 33, 0x12, 31], [7; 31].as_slice()].concat();
        assert!(decode(&short).is_err());
    }

    /// Nothing but totals and numbers: columns that say nothing are left out.
    fn plain() -> Entry {
        let number = |number| Some(Measure::Number(Decimal::new(number, 0).unwrap()));
        entry(vec![
            observation(["contacts", "E10000014", "2022-06", ""], number(5), 0, None),
            observation(["contacts", "E10000014", "2022-07", ""], number(0), 0, None),
        ])
    }

    fn lines_of_hex(bytes: &[u8]) -> String {
        bytes.chunks(32).map(|line| format!("{}\n", Hex(line))).collect()
    }

    #[test]
    fn the_format_and_the_fingerprint_never_change_by_accident() {
        insta::assert_snapshot!(lines_of_hex(&encode(&rich())), @"
        088080f9c0c1c482031a89020a06706f6c69636512036f6e651a103add29055d
        4e5310873f7b1b98d85bb3220861207265706f727428013208636f6e74616374
        73320674696d656c79320564656c61793a094531303030303031343a09453036
        3030303034364207323032322d303642094659323032312d3232420943593230
        32312d51324208323032322d573037420a323032322d30332d33314a004a0a73
        65783d66656d616c654a136167653d302d746f2d343b7365783d6d616c655206
        0000010102005a0600010100000062060000010203046a06000101000200720b
        01918005029380080c80087a0a88a70e3106ac89011d0082010800000880a102
        18008a0107080112037768798a010608041202c3a9
        ");
        insta::assert_snapshot!(lines_of_hex(&encode(&plain())), @"
        088080f9c0c1c482031a660a06706f6c69636512036f6e651a10339769da5371
        139e2405f9154195f5ed220861207265706f727428013208636f6e7461637473
        3a094531303030303031344207323032322d30364207323032322d3037520200
        005a02000062020001720201017a020a00
        ");
    }

    #[test]
    fn the_fingerprint_of_versions_before_0_3_is_the_one_that_they_wrote() {
        for (entry, written) in
            [(rich(), "486727b522c0dff8dd2fa99f1917c711"), (plain(), "76d38c378b1d8672f91fdf1e08980b34")]
        {
            let Body::Submission { submission, .. } = entry.body else { panic!() };
            assert_eq!(Hex(&Fingerprint::v1_of(&submission).0).to_string(), written);
        }
    }

    #[test]
    fn a_submission_reads_back_as_written() {
        for entry in [rich(), plain()] {
            assert_eq!(decode(&encode(&entry)).unwrap(), entry);
        }
    }

    #[test]
    fn the_completion_of_a_return_is_kept_and_reads_back() {
        let totals = |sum: &str| Totals { figures: 2, sum: sum.parse().unwrap(), base_sum: "0".parse().unwrap() };
        let manifest = Manifest {
            parts: ["b".parse().unwrap(), "a".parse().unwrap()].into(),
            figures: 4,
            totals: [("x".parse().unwrap(), totals("0.5")), ("w".parse().unwrap(), totals("-3"))].into(),
        };
        let (agency, return_id) = ("police".parse().unwrap(), "whole".parse().unwrap());
        let body = Body::ReturnCompletion(ReturnCompletion { agency, return_id, manifest });
        let entry = Entry { at: Timestamp(7), actor: Actor::Local, body };
        let bytes = encode(&entry);
        assert_eq!(decode(&bytes), Ok(entry));
        insta::assert_snapshot!(lines_of_hex(&bytes));
    }

    #[test]
    fn a_submission_of_a_return_reads_back_as_written() {
        let mut entry = plain();
        let Body::Submission { submission, .. } = &mut entry.body else { panic!() };
        Arc::make_mut(submission).return_id = Some("whole".parse().unwrap());
        assert_eq!(decode(&encode(&entry)), Ok(entry));
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
        assert_eq!(decode(&hex::parse_all(BEFORE_CALLERS).unwrap()), Ok(entry.clone()));
        assert_eq!(Hex(&encode(&entry)).to_string(), BEFORE_CALLERS);
    }

    fn jo(credential: Credential) -> Actor {
        Actor::Identity { id: "jo".parse().unwrap(), credential }
    }

    #[test]
    fn a_sign_in_is_written_as_it_always_was_and_reads_back() {
        let sign_in = SignIn { issuer: "https://login.example".parse().unwrap(), subject: "7|jo".parse().unwrap() };
        let identity = Identity {
            id: "al".parse().unwrap(),
            role: Role::Analyst,
            agency: None,
            scope: Scope::default(),
            certificates: Vec::new(),
            sign_ins: vec![sign_in.clone()],
        };
        let body = Body::Access(vec![AccessChange::Create { identity, key: None }]);
        let entry = Entry { at: Timestamp(7), actor: jo(Credential::SignIn(sign_in)), body };
        let bytes = encode(&entry);
        assert_eq!(decode(&bytes), Ok(entry));
        insta::assert_snapshot!(lines_of_hex(&bytes));
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
            sign_ins: Vec::new(),
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
        let written: Vec<String> = entries.iter().map(|entry| Hex(&encode(entry)).to_string()).collect();
        for (entry, written) in entries.iter().zip(&written) {
            assert_eq!(decode(&hex::parse_all(written).unwrap()).as_ref(), Ok(entry));
        }
        insta::assert_snapshot!(written.join("\n"));
    }
}

//! Any bytes and texts: what reads them refuses them or understands them, and never panics.
//! `CONSPECTUS_FUZZ_CASES=1000000` sets how many of each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use conspectus::access::{
    AccessChange, Credentials, Identity, NewKey, Purpose, Register, Role, Scope, Secret, SignIn, authenticate,
};
use conspectus::catalogue::CataloguePut;
use conspectus::entry::{Body, Entry, codec};
use conspectus::model::date::Date;
use conspectus::model::decimal::Decimal;
use conspectus::model::id::{AreaCode, CertificateUri, IdentityId, RequestId};
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::model::timestamp::Timestamp;
use conspectus::rpc::proto;
use conspectus::{audit, figures};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;

fn fuzz<S: Strategy>(strategy: S, check: impl Fn(S::Value)) {
    let cases = std::env::var("CONSPECTUS_FUZZ_CASES").map_or(2_000, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&strategy, |input| {
        check(input);
        Ok(())
    });
    run.unwrap();
}

/// Any bytes, and the bytes of something real with some of them changed, left out, or doubled.
fn bytes(real: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (prop::sample::select(real), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..6));
    let changed = changed.prop_map(|(mut bytes, changes)| {
        for (index, byte, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        bytes
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..600), changed]
}

/// Texts as they come by keyboard and by accident: of the letters that the parsers know, and of any.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9A-Za-z/ .,:+-]{0,24}", "(FY|CY|AY|Q|H|W|Apr|Jun|to| |-|/|[0-9]{1,5}){0,8}", "\\PC{0,40}"]
}

fn entries() -> Vec<Vec<u8>> {
    let put: CataloguePut = toml::from_str(include_str!("../data/catalogue.toml")).unwrap();
    let identity = Identity {
        id: IdentityId::parse("jo").unwrap(),
        role: Role::Operator,
        agency: None,
        scope: Scope::default(),
        certificates: vec![CertificateUri::parse("urn:jo").unwrap()],
        sign_ins: vec![SignIn { issuer: "https://login.example".parse().unwrap(), subject: "jo".parse().unwrap() }],
    };
    let secret = Secret::from_random([7; Secret::RANDOM_BYTES]);
    let key = NewKey { id: secret.id(), hash: secret.hash(), expires_at: Timestamp(9) };
    let bodies = [Body::CataloguePut(put), Body::Access(vec![AccessChange::Create { identity, key: Some(key) }])];
    bodies.map(|body| codec::encode(&Entry { at: Timestamp(1), actor: Default::default(), body })).into()
}

#[test]
fn a_journal_entry_of_any_bytes_is_refused_or_understood() {
    fuzz(bytes(entries()), |bytes| {
        // What is understood is written as it was, but for what protobuf may write in several ways.
        if let Ok(entry) = codec::decode(&bytes) {
            assert_eq!(codec::decode(&codec::encode(&entry)), Ok(entry));
        }
    });
}

#[test]
fn a_request_of_any_bytes_is_refused_or_understood() {
    let submission = proto::SubmitObservationsRequest {
        agency: "hampshire-constabulary".to_owned(),
        request_id: "1".to_owned(),
        observations: vec![proto::Observation { period: "2021/22".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    fuzz(bytes(vec![submission.encode_to_vec()]), |bytes| {
        drop(proto::SubmitObservationsRequest::decode(bytes.as_slice()));
        drop(proto::PutCatalogueRequest::decode(bytes.as_slice()));
        drop(proto::QueryAggregateRequest::decode(bytes.as_slice()));
        drop(proto::CreateKeyRequest::decode(bytes.as_slice()));
    });
}

#[test]
fn any_text_is_refused_or_means_the_same_when_it_is_printed() {
    fuzz(texts(), |text| {
        if let Ok(period) = text.parse::<Period>() {
            assert_eq!(period.to_string().parse::<Period>(), Ok(period), "{text}");
        }
        if let Ok(decimal) = text.parse::<Decimal>() {
            assert_eq!(decimal.to_string().parse::<Decimal>().unwrap().to_string(), decimal.to_string(), "{text}");
        }
        if let Ok(date) = text.parse::<Date>() {
            assert_eq!(date.to_string().parse::<Date>().ok(), Some(date), "{text}");
        }
        drop(text.parse::<Breakdown>());
        drop((AreaCode::parse(&text), RequestId::parse(&text), CertificateUri::parse(&text), Purpose::parse(&text)));
    });
}

#[test]
fn a_spreadsheet_of_any_bytes_is_refused_or_understood() {
    let real = [include_str!("../data/sample-figures.csv"), include_str!("../docs/missing-episodes-with-mistakes.csv")];
    let real = real.map(|text| text.lines().take(6).collect::<Vec<_>>().join("\n").into_bytes());
    fuzz(bytes(real.into()), |bytes| drop(figures::read(bytes.as_slice())));
}

#[test]
fn a_catalogue_file_of_any_bytes_is_refused_or_understood() {
    let real = include_str!("../data/catalogue.toml").lines().take(40).collect::<Vec<_>>().join("\n");
    fuzz(bytes(vec![real.into_bytes()]), |bytes| {
        drop(toml::from_str::<CataloguePut>(&String::from_utf8_lossy(&bytes)));
    });
}

#[test]
fn nothing_but_the_key_is_let_in() {
    let mut register = Register::default();
    for bytes in entries() {
        if let Body::Access(changes) = codec::decode(&bytes).unwrap().body {
            register.apply(&changes, Timestamp(1));
        }
    }
    let secret = Secret::from_random([7; Secret::RANDOM_BYTES]).reveal();
    let good = format!("Bearer {secret}");
    fuzz(bytes(vec![good.clone().into_bytes()]), |bytes| {
        let header = String::from_utf8_lossy(&bytes);
        let credentials = Credentials { authorization: Some(&header), ..Credentials::default() };
        let let_in = authenticate(&register, &credentials, Timestamp(2)).is_ok();
        assert!(!let_in || header.contains(&secret), "this isn't the key: {header}");
        assert!(let_in || header != good);
    });
}

#[test]
fn an_audit_log_of_any_bytes_is_found_altered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(audit::FILE_NAME);
    fuzz(
        bytes(vec![b"{\"n\":1,\"at\":\"x\",\"event\":\"read\",\"outcome\":\"OK\",\"chain\":\"00\"}\n".to_vec()]),
        |bytes| {
            std::fs::write(&path, &bytes).unwrap();
            let whole = audit::verify(&path, &mut |_| {});
            assert!(whole.is_err() || bytes.is_empty());
        },
    );
}

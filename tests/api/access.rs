//! Who is calling: keys and their lives, streams of callers who are let go, deadlines, and the audit
//! log.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use conspectus::audit::{self, Event, NumberedLine};
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::rpc::client::catalogue_service_client::CatalogueServiceClient;
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::get_caller_response::Credential;
use conspectus::rpc::proto::stream_submissions_response::Result as StreamResult;
use conspectus::rpc::proto::{
    CreateKeyRequest, GetCallerRequest, GetPictureRequest, GetSubmissionRequest, ListAreasRequest, ListKeysRequest,
    RevokeKeyRequest, Role, RotateKeyRequest, SignIn, StreamSubmissionsRequest, WatchPictureRequest,
};
use conspectus::rpc::{CallRate, Limits};
use conspectus::server::{self, Config, Error, Network};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, endpoint, figure, health, refusal_text, submission};
use crate::identities::{self, Condition, IDENTITIES, TestIdentity, authorization, by, with};
use crate::raw;

/// Streams must be cut off within a minute; when something changes, they are at once.
const AT_ONCE: Duration = Duration::from_secs(10);

fn keys(app: &TestApp) -> KeyServiceClient<Channel> {
    KeyServiceClient::new(app.channel())
}

fn picture() -> GetPictureRequest {
    GetPictureRequest { area: HAMPSHIRE.to_owned(), period: "FY2021-22".to_owned(), ..GetPictureRequest::default() }
}

fn refusal<T: Debug>(result: Result<T, Status>) -> String {
    refusal_text(&result.unwrap_err())
}

fn new_analyst(identity: &str) -> CreateKeyRequest {
    CreateKeyRequest { identity: identity.to_owned(), role: Role::Analyst.into(), ..CreateKeyRequest::default() }
}

#[tokio::test]
async fn a_key_is_made_used_replaced_and_revoked() {
    let mut app = TestApp::seeded(identities::seed).await;
    let made = keys(&app).create_key(by("operator", new_analyst("al"))).await.unwrap().into_inner();
    let old = format!("Bearer {}", made.secret);
    let ask = async |app: &TestApp, authorization: &str| {
        PictureServiceClient::new(app.channel()).get_picture(with(picture(), authorization)).await
    };
    ask(&app, &old).await.unwrap();
    let rotate = RotateKeyRequest { identity: "al".to_owned(), ..RotateKeyRequest::default() };
    let next = keys(&app).rotate_key(by("operator", rotate.clone())).await.unwrap().into_inner();
    let new = format!("Bearer {}", next.secret);
    for authorization in [&old, &new] {
        ask(&app, authorization).await.unwrap();
    }
    let third = keys(&app).rotate_key(by("operator", rotate)).await;
    assert!(refusal(third).contains("found two valid keys"));

    let listed = keys(&app).list_keys(by("operator", ListKeysRequest::default())).await.unwrap().into_inner();
    let al = listed.identities.iter().find(|identity| identity.id == "al").unwrap();
    let ids: Vec<&str> = al.keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, [&made.key_id, &next.key_id]);
    assert!(al.keys.iter().all(|key| key.last_used_at.is_some()));

    let revoke = |key_id: &str| RevokeKeyRequest { identity: "al".to_owned(), key_id: key_id.to_owned() };
    keys(&app).revoke_key(by("operator", revoke(&made.key_id))).await.unwrap();
    assert_eq!(ask(&app, &old).await.unwrap_err().code(), Code::Unauthenticated);
    // It is so after a restart too: keys are entries of the journal.
    app.restart().await;
    assert_eq!(ask(&app, &old).await.unwrap_err().code(), Code::Unauthenticated);
    ask(&app, &new).await.unwrap();
    let listed = keys(&app).list_keys(by("operator", ListKeysRequest::default())).await.unwrap().into_inner();
    let al = listed.identities.iter().find(|identity| identity.id == "al").unwrap();
    assert!(al.keys.iter().all(|key| key.last_used_at.is_some()), "when they were used is known after a restart");
    keys(&app).revoke_key(by("operator", revoke(""))).await.unwrap();
    assert_eq!(ask(&app, &new).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn the_last_operator_who_can_make_keys_may_not_be_revoked() {
    let app = TestApp::seeded(identities::seed).await;
    let create =
        CreateKeyRequest { identity: "kim".to_owned(), role: Role::Operator.into(), ..CreateKeyRequest::default() };
    let revoke = |identity: &str| RevokeKeyRequest { identity: identity.to_owned(), ..RevokeKeyRequest::default() };
    let refused = keys(&app).revoke_key(by("operator", revoke("operator"))).await;
    assert!(refusal(refused).contains("nobody could make keys any more"));
    keys(&app).create_key(by("operator", create)).await.unwrap();
    keys(&app).revoke_key(by("operator", revoke("operator"))).await.unwrap();
}

#[tokio::test]
async fn every_caller_learns_who_it_is() {
    let app = TestApp::seeded(identities::seed).await;
    let mut client = keys(&app);
    for TestIdentity { name, role, agency, areas, .. } in &IDENTITIES {
        let answer = client.get_caller(by(name, GetCallerRequest {})).await.unwrap().into_inner();
        let identity = answer.identity.unwrap();
        assert_eq!((identity.id.as_str(), identity.role), (*name, role.code()));
        assert_eq!(identity.agency, agency.unwrap_or_default(), "{name}");
        assert_eq!(identity.areas, *areas, "{name}");
        let Some(Credential::Key(key)) = answer.credential else { panic!("{name}") };
        let sent = authorization(name, Condition::Good).unwrap();
        assert!(sent.starts_with(&format!("Bearer cps_{}_", key.id)) && key.expires_at.is_some(), "{name}");
        assert_eq!(identity.keys, [], "of its other keys it learns nothing");
        assert_eq!(answer.server_version, env!("CARGO_PKG_VERSION"));
        assert!(answer.revision > 0 && answer.server_time.is_some());
    }
}

#[tokio::test]
async fn while_there_are_no_identities_nobody_in_particular_is_calling() {
    let app = TestApp::empty().await;
    let answer = keys(&app).get_caller(GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!((answer.identity, answer.credential), (None, None));
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_with_every_reason() {
    let app = TestApp::seeded(identities::seed).await;
    let request = CreateKeyRequest {
        identity: "No Name".to_owned(),
        agency: "A!".to_owned(),
        sectors: vec![99],
        areas: vec!["?".to_owned()],
        certificates: vec!["no uri".to_owned()],
        sign_ins: vec![SignIn { issuer: "http://login.example".to_owned(), subject: String::new() }],
        days: -1,
        ..CreateKeyRequest::default()
    };
    let many = refusal(keys(&app).create_key(by("operator", request)).await);
    let orphan = CreateKeyRequest { role: Role::Submitter.into(), ..new_analyst("feed") };
    let orphan = refusal(keys(&app).create_key(by("operator", orphan)).await);
    let long = CreateKeyRequest { days: 10_000, ..new_analyst("long") };
    let long = refusal(keys(&app).create_key(by("operator", long)).await);
    insta::assert_snapshot!([many, orphan, long].join("\n"));
}

#[tokio::test]
async fn whom_a_provider_knows_is_one_identity_until_it_is_revoked() {
    let app = TestApp::seeded(identities::seed).await;
    let sign_in = SignIn { issuer: "https://login.example".to_owned(), subject: "7".to_owned() };
    let analyst =
        |identity| CreateKeyRequest { without_key: true, sign_ins: vec![sign_in.clone()], ..new_analyst(identity) };
    let made = keys(&app).create_key(by("operator", analyst("al"))).await.unwrap().into_inner();
    assert!(made.secret.is_empty());
    let listed = keys(&app).list_keys(by("operator", ListKeysRequest::default())).await.unwrap().into_inner();
    let al = listed.identities.iter().find(|identity| identity.id == "al").unwrap();
    assert_eq!((al.sign_ins.as_slice(), al.keys.len()), ([sign_in.clone()].as_slice(), 0));
    let other = refusal(keys(&app).create_key(by("operator", analyst("bo"))).await);
    assert!(other.ends_with("sign_ins: `7 at https://login.example` already identifies an identity"), "{other}");
    let revoke = RevokeKeyRequest { identity: "al".to_owned(), key_id: String::new() };
    keys(&app).revoke_key(by("operator", revoke)).await.unwrap();
    keys(&app).create_key(by("operator", analyst("bo"))).await.unwrap();
    let nobody = CreateKeyRequest { without_key: true, ..new_analyst("nobody") };
    assert!(refusal(keys(&app).create_key(by("operator", nobody)).await).contains("at least one of the three"));
}

#[tokio::test]
async fn a_watcher_is_cut_off_once_its_key_is_revoked() {
    let app = TestApp::seeded(identities::seed).await;
    let made = keys(&app).create_key(by("operator", new_analyst("al"))).await.unwrap().into_inner();
    let watch = WatchPictureRequest { picture: Some(picture()), after_revision: 0, after_time: None };
    let request = with(watch, &format!("Bearer {}", made.secret));
    let mut watched = PictureServiceClient::new(app.channel()).watch_picture(request).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    let start = Instant::now();
    let revoke = RevokeKeyRequest { identity: "al".to_owned(), key_id: String::new() };
    keys(&app).revoke_key(by("operator", revoke)).await.unwrap();
    let ended = watched.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_sender_is_cut_off_once_its_key_is_revoked_and_that_is_in_the_audit_log() {
    let mut app = TestApp::seeded(identities::seed).await;
    let feed = CreateKeyRequest {
        identity: "feed".to_owned(),
        role: Role::Submitter.into(),
        agency: CHILDRENS_SERVICES.to_owned(),
        ..CreateKeyRequest::default()
    };
    let made = keys(&app).create_key(by("operator", feed)).await.unwrap().into_inner();
    let (send, messages) = mpsc::channel(1);
    let request = with(ReceiverStream::new(messages), &format!("Bearer {}", made.secret));
    let mut client = SubmissionServiceClient::new(app.channel());
    let mut answers = client.stream_submissions(request).await.unwrap().into_inner();
    let submission = |request_id: &str| StreamSubmissionsRequest {
        submission: Some(submission(request_id, [figure("initial-contacts", "FY2021-22", "5")])),
    };
    send.send(submission("before")).await.unwrap();
    assert!(matches!(answers.message().await.unwrap().unwrap().result, Some(StreamResult::Accepted(_))));
    let revoke = RevokeKeyRequest { identity: "feed".to_owned(), key_id: String::new() };
    keys(&app).revoke_key(by("operator", revoke)).await.unwrap();
    send.send(submission("after")).await.unwrap();
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unauthenticated);
    let get = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "after".to_owned(),
        ..GetSubmissionRequest::default()
    };
    assert_eq!(client.get_submission(by("submitter", get)).await.unwrap_err().code(), Code::NotFound);
    drop((send, answers));
    app.stop().await;
    let mut refused = Vec::new();
    let path = app.folder().join(audit::FILE_NAME);
    audit::verify(&path, &mut |NumberedLine { line, .. }| {
        if line.event == Event::Refused {
            refused.push((line.identity.clone(), line.outcome.clone()));
        }
    })
    .unwrap();
    assert_eq!(refused, [("feed".to_owned(), "UNAUTHENTICATED".to_owned())]);
}

/// An operator can tell whose system still calls with an old key. Without its secret, the name of a key is anybody's.
#[tokio::test]
async fn whose_key_it_was_that_is_no_longer_good_is_in_the_audit_log_and_nobody_elses_name_is() {
    let mut app = TestApp::seeded(identities::seed).await;
    let conditions = [Condition::Expired, Condition::Revoked, Condition::Gone, Condition::Wrong, Condition::Malformed];
    for condition in conditions {
        let request = with(picture(), &authorization("analyst", condition).unwrap());
        let mut pictures = PictureServiceClient::new(app.channel());
        assert_eq!(pictures.get_picture(request).await.unwrap_err().code(), Code::Unauthenticated, "{condition:?}");
    }
    app.stop().await;
    let mut named = Vec::new();
    audit::verify(&app.folder().join(audit::FILE_NAME), &mut |NumberedLine { line, .. }| {
        if line.event == Event::Refused {
            named.push(!line.identity.is_empty() && line.credential.starts_with("key "));
        }
    })
    .unwrap();
    assert_eq!(named, [true, true, true, false, false]);
}

#[tokio::test]
async fn every_read_and_refusal_is_in_the_audit_log_and_no_figure_or_secret_is() {
    let mut app = TestApp::seeded(identities::seed).await;
    let mut submissions = SubmissionServiceClient::new(app.channel());
    let request = submission("audited", [figure("initial-contacts", "FY2021-22", "987654321")]);
    submissions.submit_observations(by("submitter", request)).await.unwrap();
    let get = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "audited".to_owned(),
        ..Default::default()
    };
    submissions.get_submission(by("submitter", get)).await.unwrap();
    let mut pictures = PictureServiceClient::new(app.channel());
    let answer = pictures.get_picture(by("analyst", picture())).await.unwrap().into_inner();
    assert!(format!("{answer:?}").contains("987654321"));
    pictures.get_picture(by("steward", picture())).await.unwrap_err();
    pictures.get_picture(picture()).await.unwrap_err();
    keys(&app).create_key(by("operator", new_analyst("al"))).await.unwrap();
    app.stop().await;

    let path = app.folder().join(audit::FILE_NAME);
    let mut lines = Vec::new();
    audit::verify(&path, &mut |numbered| {
        let line = &numbered.line;
        let method = line.method.rsplit('/').next().unwrap();
        let (identity, outcome) = (line.identity.as_str(), line.outcome.as_str());
        lines.push(format!("{:?} {identity} {method} [{}] {} {outcome}", line.event, line.scope, line.purpose));
    })
    .unwrap();
    let lines: Vec<String> = lines.into_iter().map(|line| line.split(" key ").next().unwrap().to_owned()).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("987654321") && !text.contains("cps_"));
    for identity in &identities::IDENTITIES {
        let secret = identities::secret(identity.name, Condition::Good).reveal();
        assert!(!text.contains(secret.rsplit('_').next().unwrap()), "{}", identity.name);
    }
}

#[tokio::test]
async fn a_log_that_was_changed_anywhere_is_found_out_and_a_torn_end_is_repaired() {
    let mut app = TestApp::seeded(identities::seed).await;
    for _ in 0..5 {
        PictureServiceClient::new(app.channel()).get_picture(by("analyst", picture())).await.unwrap();
    }
    app.stop().await;
    let path = app.folder().join(audit::FILE_NAME);
    let good = std::fs::read(&path).unwrap();
    assert_eq!(audit::verify(&path, &mut |_| {}).unwrap().n, 5);
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    for at in (0..good.len()).step_by(7) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(audit::verify(&path, &mut |_| {}).is_err(), "byte {at}");
    }
    for without in 0..4 {
        let mut rest = lines.clone();
        rest.remove(without);
        std::fs::write(&path, rest.concat()).unwrap();
        assert!(audit::verify(&path, &mut |_| {}).is_err(), "line {without}");
    }
    std::fs::write(&path, [&good[..], b"{\"n\":6,\"at"].concat()).unwrap();
    let known = audit::Known { tail: audit::LogTail::START, revision: Revision(u64::MAX) };
    let opened = audit::Log::open(
        app.folder(),
        Timestamp(0),
        known,
        audit::Accepted::default(),
        audit::SegmentLimits::default(),
    )
    .unwrap();
    drop(opened.log);
    opened.thread.join().unwrap();
    let mut last = None;
    assert_eq!(audit::verify(&path, &mut |numbered| last = Some(numbered.line.event)).unwrap().n, 6);
    assert_eq!(last, Some(Event::Repaired));
}

#[tokio::test]
async fn a_call_past_its_deadline_fails_as_such_and_leaves_nothing_half_done() {
    let app = TestApp::seeded(identities::seed).await;
    let mut late = 0;
    for n in 0..60 {
        let request = submission(&format!("late-{n}"), [figure("initial-contacts", "FY2021-22", &n.to_string())]);
        // By hand: a client of the library's would end the call itself.
        let key = authorization("submitter", Condition::Good).unwrap();
        let headers = [("authorization", key.as_str()), ("grpc-timeout", &format!("{}u", n * 40))];
        let path = "/conspectus.v1.SubmissionService/SubmitObservations";
        let code = raw::status_of(app.address(), path, &headers, &request.encode_to_vec()).await;
        if code != Code::Ok {
            assert_eq!(code, Code::DeadlineExceeded);
            late += 1;
        }
        let mut submissions = SubmissionServiceClient::new(app.channel());
        // Whole or not at all: a retry is right in both cases, and finds one submission.
        let again = submissions.submit_observations(by("submitter", request)).await.unwrap().into_inner();
        assert_eq!(again.receipt.unwrap().outcomes.len(), 1);
    }
    assert!(late > 0, "none was late");
}

#[tokio::test]
async fn without_credentials_it_listens_on_this_machine_only_and_without_tls_too() {
    let run = async |network: Network| {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let config = Config { network, ..Config::new(folder.path()) };
        server::run(listener, config, std::future::pending()).await.unwrap_err()
    };
    assert!(matches!(run(Network::default()).await, Error::Plaintext(_)));
    let network = Network { allow_plaintext_network: true, ..Network::default() };
    assert!(matches!(run(network).await, Error::Open(_)));
}

#[tokio::test]
async fn a_caller_over_its_rate_learns_when_to_try_again_while_others_and_health_are_answered() {
    let limits = Limits { calls_a_second_of_identity_max: CallRate::new(1), ..Limits::default() };
    let network = Network { limits, ..Network::default() };
    let app = TestApp::seeded_with(identities::seed, network, |address| endpoint("http", address)).await;
    let list =
        async |name| CatalogueServiceClient::new(app.channel()).list_areas(by(name, ListAreasRequest::default())).await;
    let mut refused = None;
    for _ in 0..10 {
        refused = refused.or(list("steward").await.err());
    }
    let refused = refused.unwrap();
    assert!(refusal_text(&refused).starts_with("ResourceExhausted RATE_LIMITED"), "{refused:?}");
    assert!(refused.get_details_retry_info().unwrap().retry_delay.unwrap() <= Duration::from_secs(3));
    list("analyst").await.unwrap();
    health(&app.channel(), "").await;
}

#[tokio::test]
async fn health_is_answered_when_the_server_has_all_the_calls_that_it_takes() {
    let limits = Limits { calls_max: 1, calls_kept_of_identity: 0, ..Limits::default() };
    let network = Network { limits, ..Network::default() };
    let app = TestApp::seeded_with(identities::seed, network, |address| endpoint("http", address)).await;
    let watch = by("analyst", WatchPictureRequest { picture: Some(picture()), after_revision: 0, after_time: None });
    let watched = PictureServiceClient::new(app.channel()).watch_picture(watch).await.unwrap();
    let other = CatalogueServiceClient::new(app.channel()).list_areas(by("steward", ListAreasRequest::default())).await;
    assert!(refusal(other).starts_with("Unavailable OVERLOADED"));
    health(&app.channel(), "").await;
    drop(watched);
}

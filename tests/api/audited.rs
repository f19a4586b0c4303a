//! The audit log: what a line says of a read, whose refusals have lines, and that neither the log nor the journal can
//! go back without a word.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conspectus::audit::{self, Accepted, Event, NumberedLine, SegmentLimits};
use conspectus::entry::{AuditAnchor, Body, codec};
use conspectus::journal::{DiskJournal, Journal};
use conspectus::model::revision::Revision;
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::{
    CreateKeyRequest, GetCompletenessRequest, GetPictureRequest, GetSubmissionRequest, GroupBy, ListAreasRequest,
    ListSubmissionsRequest, QueryAggregateRequest, ReconcileRequest, RevokeKeyRequest, Role, StreamSubmissionsRequest,
    WatchAggregateRequest, WatchPictureRequest,
};
use conspectus::rpc::{FILE_DESCRIPTOR_SET, METHODS};
use conspectus::server::{Config, Error};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};
use tonic::Code;
use tonic::transport::Channel;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, figure, query, refusal_text, submission};
use crate::binary;
use crate::identities::{self, Condition, by, with};
use crate::raw;

const INDICATOR: &str = "initial-contacts";
/// Long enough for a thread that looks once a second, on a machine that is busy.
const LOOKS: Duration = Duration::from_secs(30);

fn picture_of(area: &str) -> GetPictureRequest {
    GetPictureRequest { area: area.to_owned(), period: "FY2021-22".to_owned(), ..GetPictureRequest::default() }
}

async fn read(app: &TestApp) {
    app.pictures().get_picture(by("analyst", picture_of(HAMPSHIRE))).await.unwrap();
}

fn log(folder: &Path) -> PathBuf {
    folder.join(audit::FILE_NAME)
}

fn lines_of(path: &Path) -> Vec<NumberedLine> {
    let mut lines = Vec::new();
    audit::verify(path, &mut |line| lines.push(line.clone())).unwrap();
    lines
}

/// The lines of a server that has stopped.
fn lines(app: &TestApp) -> Vec<NumberedLine> {
    lines_of(&log(app.folder()))
}

#[tokio::test]
async fn what_a_list_of_a_read_has_twice_is_refused_with_both_positions() {
    let app = TestApp::empty().await;
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let repeated = vec![a.clone(), b, a.clone()];
    let query = QueryAggregateRequest {
        indicators: repeated.clone(),
        areas: repeated.clone(),
        agencies: repeated.clone(),
        benchmark_areas: repeated.clone(),
        group_by: vec![GroupBy::Area.into(), GroupBy::Area.into()],
        periods: repeated.clone(),
        ..QueryAggregateRequest::default()
    };
    let mut said = vec![refusal_text(&app.try_query(query.clone()).await.unwrap_err())];
    let watch = WatchAggregateRequest { query: Some(query), ..WatchAggregateRequest::default() };
    said.push(refusal_text(&app.pictures().watch_aggregate(watch).await.unwrap_err()));
    let picture = GetPictureRequest { indicators: repeated.clone(), ..picture_of("a") };
    said.push(refusal_text(&app.pictures().get_picture(picture).await.unwrap_err()));
    let completeness = GetCompletenessRequest {
        indicators: repeated.clone(),
        agencies: repeated.clone(),
        periods: repeated.clone(),
        ..GetCompletenessRequest::default()
    };
    said.push(refusal_text(&app.pictures().get_completeness(completeness).await.unwrap_err()));
    let reconcile = ReconcileRequest {
        rules: repeated.clone(),
        areas: repeated.clone(),
        periods: repeated,
        ..ReconcileRequest::default()
    };
    said.push(refusal_text(&app.pictures().reconcile(reconcile).await.unwrap_err()));
    let twice = |said: &str| said.lines().filter(|line| line.contains("[0]` has; allowed: each once")).count();
    assert_eq!(said.iter().map(|said| twice(said)).collect::<Vec<_>>(), [6, 6, 1, 3, 3], "{}", said.join("\n"));
    assert!(said[1].contains("query.indicators[2]: found what `indicators[0]` has; allowed: each once"), "{}", said[1]);
}

/// The messages with one field set, to each of two values: for each field, and each field of its messages.
fn variants(descriptor: &MessageDescriptor) -> Vec<(String, DynamicMessage)> {
    let mut all = Vec::new();
    for field in descriptor.fields() {
        let values: Vec<(String, Value)> = match field.kind() {
            Kind::Message(inner) => variants(&inner)
                .into_iter()
                .map(|(name, message)| (format!(".{name}"), Value::Message(message)))
                .chain([(" set".to_owned(), Value::Message(DynamicMessage::new(inner)))])
                .collect(),
            Kind::String => ["one", "two"].map(|text| (format!("={text}"), Value::String(text.to_owned()))).into(),
            Kind::Bool => vec![("=true".to_owned(), Value::Bool(true))],
            Kind::Enum(_) => [1, 2].map(|number| (format!("={number}"), Value::EnumNumber(number))).into(),
            Kind::Int32 => [1, 2].map(|number| (format!("={number}"), Value::I32(number))).into(),
            Kind::Int64 => [1, 2].map(|number| (format!("={number}"), Value::I64(number.into()))).into(),
            Kind::Double
            | Kind::Float
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
            | Kind::Bytes => panic!("{}: a kind of field that the test has no values for", field.full_name()),
        };
        for (name, value) in values {
            let mut message = DynamicMessage::new(descriptor.clone());
            let value = if field.is_list() { Value::List(vec![value]) } else { value };
            message.set_field(&field, value);
            all.push((format!("{}{name}", field.name()), message));
        }
    }
    all
}

/// Every question is one that its caller may not ask, so that it may be nonsense; its line says what it was.
#[tokio::test]
async fn every_field_of_every_read_makes_another_line_on_a_running_server() {
    let mut app = TestApp::seeded(identities::seed).await;
    // Those whose refusals have lines of their own, by turns: there are more than a caller has in a second.
    let callers: Vec<String> = limited_analysts(&app, 8).await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut sent = Vec::new();
    for (path, _) in METHODS.iter().filter(|(path, _)| path.contains("PictureService")) {
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let input = service.methods().find(|it| it.name() == method).unwrap().input();
        for (name, message) in variants(&input) {
            let key = &callers[sent.len() % callers.len()];
            let headers = [("authorization", key.as_str()), ("conspectus-purpose", "the annual report")];
            let code = raw::status_of(app.address(), path, &headers, &message.encode_to_vec()).await;
            assert_eq!(code, Code::PermissionDenied, "{method} {name}");
            sent.push(format!("{method} {name}"));
        }
    }
    app.stop().await;
    let lines: Vec<NumberedLine> = lines(&app).into_iter().filter(|line| line.line.event == Event::Refused).collect();
    assert_eq!(lines.len(), sent.len());
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for (line, sent) in lines.iter().zip(&sent) {
        let says = format!("{} {}", line.line.method, line.line.scope);
        if let Some(other) = known.insert(says, sent) {
            panic!("{sent} and {other} have the same line: {line:?}");
        }
    }
    assert!(sent.len() > 100, "{}", sent.len());
}

/// Analysts who are limited to a sector, of which none of the questions is: their keys.
async fn limited_analysts(app: &TestApp, count: usize) -> Vec<String> {
    let mut keys = Vec::new();
    for n in 0..count {
        let create = CreateKeyRequest {
            identity: format!("al-{n}"),
            role: Role::Analyst.into(),
            sectors: vec![1],
            ..CreateKeyRequest::default()
        };
        let made = KeyServiceClient::new(app.channel()).create_key(by("operator", create)).await.unwrap();
        keys.push(format!("Bearer {}", made.get_ref().secret));
    }
    keys
}

#[tokio::test]
async fn a_question_too_long_for_its_line_is_kept_whole_and_its_line_says_where_and_of_what_area() {
    let mut app = TestApp::seeded(identities::seed).await;
    let months: Vec<String> =
        (1960..2020).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}"))).collect();
    let long = QueryAggregateRequest { periods: months, ..query([INDICATOR], [], [GroupBy::Period]) };
    app.pictures().query_aggregate(by("analyst", long.clone())).await.unwrap();
    app.pictures().query_aggregate(by("analyst", long)).await.unwrap();
    let refused = QueryAggregateRequest { periods: vec!["x".repeat(9_000)], ..query([INDICATOR], [], []) };
    app.pictures().query_aggregate(by("analyst-of-social-care", refused)).await.unwrap_err();
    app.stop().await;
    let lines = lines(&app);
    let line = &lines[0].line;
    assert!(line.scope.contains(&format!("areas={HAMPSHIRE}")) && line.scope.contains("more"), "{}", line.scope);
    assert_eq!(line.question, lines[1].line.question);
    let question = audit::read_question(app.folder(), &line.question).unwrap();
    assert!(question.contains("1960-01") && question.contains("2019-12") && question.len() > 5_000, "{question}");
    let folder = app.folder().join(audit::QUESTIONS_FOLDER);
    let modes = [folder.clone(), folder.join(&line.question)].map(|path| fs::metadata(path).unwrap().mode() & 0o777);
    assert_eq!(modes, [0o700, 0o600], "they are their owner's alone");
    // What wasn't answered isn't kept: nobody fills the disk by being refused.
    let kept: Vec<_> = fs::read_dir(app.folder().join(audit::QUESTIONS_FOLDER)).unwrap().collect();
    assert_eq!(kept.len(), 1);
    assert!(!lines[2].line.question.is_empty() && lines[2].line.event == Event::Refused);
    let path = app.folder().join(audit::QUESTIONS_FOLDER).join(&line.question);
    fs::write(&path, question.replace("1960-01", "1961-01")).unwrap();
    audit::read_question(app.folder(), &line.question).unwrap_err();
}

#[tokio::test]
async fn reading_back_what_was_submitted_is_in_the_log_as_a_list_and_one_by_one() {
    let mut app = TestApp::seeded(identities::seed).await;
    let request = submission("one", [figure(INDICATOR, "FY2021-22", "7")]);
    app.submissions().submit_observations(by("submitter", request.clone())).await.unwrap();
    let dry = conspectus::rpc::proto::SubmitObservationsRequest { validate_only: true, ..request };
    app.submissions().submit_observations(by("submitter", dry.clone())).await.unwrap();
    let dry = StreamSubmissionsRequest { submission: Some(dry) };
    let streamed = app.submissions().stream_submissions(by("submitter", tokio_stream::iter([dry]))).await.unwrap();
    assert!(streamed.into_inner().message().await.unwrap().is_some());
    let (agency, request_id) = (CHILDRENS_SERVICES.to_owned(), "one".to_owned());
    let list = ListSubmissionsRequest { agency: agency.clone(), page_size: 5, ..ListSubmissionsRequest::default() };
    app.submissions().list_submissions(by("submitter", list)).await.unwrap();
    app.submissions()
        .get_submission(by("submitter", GetSubmissionRequest { agency, request_id, ..Default::default() }))
        .await
        .unwrap();
    app.stop().await;
    let scopes: Vec<String> = lines(&app).into_iter().map(|line| line.line.scope).collect();
    assert_eq!(
        scopes,
        [
            format!("agency={CHILDRENS_SERVICES} request_id=one dry run of 1 figures"),
            format!("agency={CHILDRENS_SERVICES} request_id=one dry run of 1 figures"),
            format!("agency={CHILDRENS_SERVICES} page_size=5"),
            format!("agency={CHILDRENS_SERVICES} request_id=one"),
        ]
    );
}

#[tokio::test]
async fn each_message_of_a_watch_has_a_line_with_its_revision() {
    let mut app = TestApp::seeded(identities::seed).await;
    let watch = WatchPictureRequest { picture: Some(picture_of(HAMPSHIRE)), ..WatchPictureRequest::default() };
    let mut watched = app.pictures().watch_picture(by("analyst", watch)).await.unwrap().into_inner();
    let mut revisions = vec![watched.message().await.unwrap().unwrap().revision];
    for number in ["7", "8"] {
        let request = submission(number, [figure(INDICATOR, "FY2021-22", number)]);
        app.submissions().submit_observations(by("submitter", request)).await.unwrap();
        revisions.push(watched.message().await.unwrap().unwrap().revision);
    }
    drop(watched);
    app.stop().await;
    let lines = lines(&app).into_iter().filter(|line| line.line.event == Event::Read);
    assert_eq!(lines.map(|line| i64::try_from(line.line.revision).unwrap()).collect::<Vec<_>>(), revisions);
}

#[tokio::test]
async fn a_refusal_within_a_scope_says_what_was_asked() {
    let mut app = TestApp::seeded(identities::seed).await;
    app.pictures().get_picture(by("analyst-of-hampshire", picture_of("E06000046"))).await.unwrap_err();
    let submit = submission("not-its-own", [figure(INDICATOR, "FY2021-22", "987654321")]);
    let submit =
        conspectus::rpc::proto::SubmitObservationsRequest { agency: "hampshire-constabulary".to_owned(), ..submit };
    app.submissions().submit_observations(by("submitter", submit)).await.unwrap_err();
    app.stop().await;
    let scopes: Vec<String> = lines(&app).into_iter().map(|line| line.line.scope).collect();
    assert_eq!(scopes, ["area=E06000046 period=FY2021-22", "agency=\"hampshire-constabulary\""]);
}

#[tokio::test]
async fn a_flood_of_strangers_hides_no_refusal_of_a_known_caller() {
    const STRANGERS: u64 = 1_000;
    const INSIDERS: u64 = 50;
    let mut app = TestApp::seeded(identities::seed).await;
    for _ in 0..STRANGERS / INSIDERS {
        let strangers = (0..INSIDERS).map(|_| {
            let mut client = PictureServiceClient::new(app.channel());
            tokio::spawn(async move { client.get_picture(picture_of(HAMPSHIRE)).await.unwrap_err() })
        });
        for stranger in strangers.collect::<Vec<_>>() {
            stranger.await.unwrap();
        }
    }
    for _ in 0..INSIDERS {
        app.pictures().get_picture(by("steward", picture_of(HAMPSHIRE))).await.unwrap_err();
    }
    app.stop().await;
    let (mut strangers, mut counted, mut insiders) = (0, 0, 0);
    for NumberedLine { line, .. } in lines(&app) {
        match (line.event, line.identity.as_str()) {
            (Event::Refused, "") => strangers += 1,
            (Event::Refused, "steward") => insiders += 1,
            (Event::RefusedMore, "") => {
                assert_eq!(line.outcome, "UNAUTHENTICATED");
                counted += line.scope.strip_suffix(" more").unwrap().parse::<u64>().unwrap();
            }
            other => panic!("{other:?}: {line:?}"),
        }
    }
    assert_eq!(insiders, INSIDERS);
    assert_eq!(strangers + counted, STRANGERS, "{strangers} lines and {counted} counted");
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LOOKS, so).await.unwrap_or_else(|_| panic!("not so within {LOOKS:?}: {what}"));
}

#[tokio::test]
async fn a_log_that_is_moved_deleted_cut_or_replaced_while_the_server_runs_goes_on_in_a_new_file_that_says_so() {
    type Drill = fn(&Path);
    let drills: [(&str, Drill); 6] = [
        ("moved", |path| fs::rename(path, path.with_extension("log.1")).unwrap()),
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| fs::write(path, b"").unwrap()),
        ("cut", |path| {
            let length = fs::metadata(path).unwrap().len();
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length - 10).unwrap();
        }),
        ("added to", |path| {
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b"something else\n").unwrap();
        }),
        ("replaced", |path| {
            let fresh = path.with_extension("fresh");
            fs::write(&fresh, b"something else\n").unwrap();
            fs::rename(&fresh, path).unwrap();
        }),
    ];
    for (drill, disturb) in drills {
        let mut app = TestApp::seeded(identities::seed).await;
        for _ in 0..3 {
            read(&app).await;
        }
        let path = log(app.folder());
        let before = fs::read(&path).unwrap();
        let last = lines_of(&path).pop().unwrap();
        disturb(&path);
        // Nobody need ask for it to be seen.
        until(drill, || fs::read_to_string(&path).is_ok_and(|text| text.contains("\"event\":\"continued\""))).await;
        read(&app).await;
        app.stop().await;
        let after = lines(&app);
        assert_eq!(
            after.iter().map(|line| (line.n, line.line.event)).collect::<Vec<_>>(),
            [(4, Event::Continued), (5, Event::Read)]
        );
        assert!(after[0].line.scope.starts_with("after line 3: "), "{drill}: {}", after[0].line.scope);
        // What was in its place is kept.
        let aside = fs::read(format!("{}.set-aside-before-line-4", path.display())).ok();
        let expected = match drill {
            "cut" => Some(before[..before.len() - 10].to_vec()),
            "added to" => Some([&before[..], b"something else\n"].concat()),
            "replaced" => Some(b"something else\n".to_vec()),
            _ => None,
        };
        assert_eq!(aside, expected, "{drill}");
        let chain = String::from_utf8(before).unwrap().lines().last().unwrap().to_owned();
        assert!(chain.contains(&after[0].line.previous) && last.n == 3, "{drill}");
        // The journal has learnt of it: the same log is good at the next start.
        app.restart_as(|_| {}, |config| config).await;
        read(&app).await;
        app.stop().await;
        assert_eq!(lines(&app).last().unwrap().n, 6, "{drill}");
    }
}

/// How far the log had come, as the entries of a journal have it.
fn anchors(folder: &Path) -> Vec<AuditAnchor> {
    let journal = DiskJournal::open(folder).unwrap();
    let reader = journal.reader();
    let entry = |revision| reader.read(Revision(revision)).unwrap().unwrap();
    let bodies = (1..=journal.tail().revision.0).map(|revision| codec::decode(&entry(revision).payload).unwrap().body);
    bodies.filter_map(|body| if let Body::AuditAnchor(anchor) = body { Some(anchor) } else { None }).collect()
}

/// The newest revision, by a read that isn't audited.
async fn revision(app: &TestApp) -> i64 {
    app.catalogue().list_areas(by("steward", ListAreasRequest::default())).await.unwrap().get_ref().revision
}

/// Waits for the journal to have one more revision.
async fn until_after(app: &TestApp, before: i64, what: &str) {
    let recorded = async {
        while revision(app).await == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LOOKS, recorded).await.unwrap_or_else(|_| panic!("the journal doesn't know {what}"));
    assert_eq!(revision(app).await, before + 1, "{what}");
}

#[tokio::test]
async fn the_journal_knows_of_the_log_at_a_start_after_a_thousand_lines_and_in_a_new_file() {
    const LINES: usize = 1_000;
    let app = TestApp::seeded(identities::seed).await;
    let before = revision(&app).await;
    for _ in 0..3 {
        read(&app).await;
    }
    // What a crash leaves: lines that the journal doesn't know of yet.
    let crashed = TestApp::seeded(async |folder: &Path| {
        copy_journal(app.folder(), folder);
        fs::copy(log(app.folder()), log(folder)).unwrap();
    });
    let crashed = crashed.await;
    assert_eq!((revision(&app).await, revision(&crashed).await), (before, before + 1), "at a start");

    let mut reads = tokio::task::JoinSet::new();
    for n in 3..LINES {
        let mut client = app.pictures();
        reads.spawn(async move { client.get_picture(by("analyst", picture_of(HAMPSHIRE))).await.map(drop) });
        if n % 50 == 0 {
            while reads.join_next().await.is_some_and(|read| read.unwrap().is_ok()) {}
        }
    }
    assert!(reads.join_all().await.iter().all(Result::is_ok));
    until_after(&app, before, "of a thousand lines").await;

    fs::rename(log(app.folder()), app.folder().join("audit.log.1")).unwrap();
    until_after(&app, before + 1, "of a new file").await;
}

#[tokio::test]
async fn a_log_that_lacks_what_the_journal_knows_is_refused_at_the_start_until_the_loss_is_accepted() {
    type Drill = fn(&Path, &[u8]);
    let drills: [(&str, Drill); 6] = [
        ("its last line isn't one", |path, _| fs::write(path, b"no log at all\n").unwrap()),
        ("line 5 is not what was written", |path, _| {
            let text = fs::read_to_string(path).unwrap();
            let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
            fs::write(path, format!("{before}\n{}\n", last.replace("E10000014", "E06000046"))).unwrap();
        }),
        ("the log ends with line 0", |path, _| fs::remove_file(path).unwrap()),
        ("the log ends with line 0", |path, _| fs::write(path, b"").unwrap()),
        ("the log ends with line 2", |path, older| fs::write(path, older).unwrap()),
        ("its line 5 is another one", |path, _| {
            // A log whose lines follow from each other, but not those of this one.
            let other = tempfile::tempdir().unwrap();
            let known =
                audit::Known { tail: audit::LogTail::START, revision: conspectus::model::revision::Revision(9) };
            for n in 0..6_u8 {
                fs::write(log(other.path()), [fs::read(log(other.path())).unwrap_or_default(), vec![b'{'; 3]].concat())
                    .unwrap();
                let at = conspectus::model::timestamp::Timestamp(n.into());
                let opened =
                    audit::Log::open(other.path(), at, known, Accepted::default(), SegmentLimits::default()).unwrap();
                drop(opened.log);
                opened.thread.join().unwrap();
            }
            fs::copy(log(other.path()), path).unwrap();
        }),
    ];
    for (words, disturb) in drills {
        let mut app = TestApp::seeded(identities::seed).await;
        read(&app).await;
        read(&app).await;
        let older = fs::read(log(app.folder())).unwrap();
        for _ in 0..3 {
            read(&app).await;
        }
        let refused = app.start_error(|folder| disturb(&log(folder), &older)).await;
        assert!(matches!(refused, Error::Audit(audit::Error::Lost { known: 5, .. })), "{words}: {refused:?}");
        let said = refused.to_string();
        assert!(said.contains(words) && said.contains("--accept-lost-audit-lines"), "{said}");

        let found = fs::read(log(app.folder())).unwrap_or_default();
        let accepted = Accepted { lost_lines: true, ..Accepted::default() };
        app.restart_as(|_| {}, |config| Config { accepted, ..config }).await;
        let aside = fs::read(format!("{}.set-aside-before-line-6", log(app.folder()).display()));
        assert_eq!(aside.unwrap_or_default(), found, "{words}: what was there is kept");
        read(&app).await;
        app.restart_as(|_| {}, |config| config).await;
        app.stop().await;
        let lost = anchors(app.folder()).into_iter().map(|anchor| anchor.lost_lines);
        assert_eq!(lost.filter(|lost| *lost).count(), 1, "the journal knows of the loss");
        let lines = lines(&app);
        assert_eq!((lines[0].n, lines[0].line.event), (6, Event::Lost));
        assert!(lines[0].line.scope.contains(words), "{}", lines[0].line.scope);
        assert_eq!((lines[1].n, lines[1].line.event), (7, Event::Read));
    }
}

#[tokio::test]
async fn a_journal_older_than_the_log_is_refused_until_accepted_and_what_was_revoked_since_stays_revoked() {
    let mut app = TestApp::seeded(identities::seed).await;
    let mut keys = KeyServiceClient::new(app.channel());
    let create = |name: &str| CreateKeyRequest {
        identity: name.to_owned(),
        role: Role::Analyst.into(),
        ..CreateKeyRequest::default()
    };
    let leaked = keys.create_key(by("operator", create("leaked"))).await.unwrap().into_inner();
    let gone = keys.create_key(by("operator", create("gone"))).await.unwrap().into_inner();
    let good = keys.create_key(by("operator", create("good"))).await.unwrap().into_inner();
    app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy_journal(app.folder(), backup.path());

    app.restart_as(|_| {}, |config| config).await;
    let mut keys = KeyServiceClient::new(app.channel());
    let revoke = |identity: &str, key_id: &str| {
        by("operator", RevokeKeyRequest { identity: identity.to_owned(), key_id: key_id.to_owned() })
    };
    keys.revoke_key(revoke("leaked", &leaked.key_id)).await.unwrap();
    keys.revoke_key(revoke("gone", "")).await.unwrap();
    SubmissionServiceClient::new(app.channel())
        .submit_observations(by("submitter", submission("since", [figure(INDICATOR, "FY2021-22", "7")])))
        .await
        .unwrap();
    read(&app).await;
    let refused = app.start_error(|folder| copy_journal(backup.path(), folder)).await;
    assert!(matches!(refused, Error::Audit(audit::Error::OlderJournal { .. })), "{refused:?}");
    assert!(refused.to_string().contains("--accept-older-journal"), "{refused}");

    let accepted = Accepted { older_journal: true, ..Accepted::default() };
    app.restart_as(|_| {}, |config| Config { accepted, ..config }).await;
    for round in ["at once", "after a restart that accepts nothing"] {
        let ask = async |secret: &str| {
            let mut client: PictureServiceClient<Channel> = app.pictures();
            client.get_picture(with(picture_of(HAMPSHIRE), &format!("Bearer {secret}"))).await.map(drop)
        };
        assert_eq!(ask(&leaked.secret).await.unwrap_err().code(), Code::Unauthenticated, "{round}");
        assert_eq!(ask(&gone.secret).await.unwrap_err().code(), Code::Unauthenticated, "{round}");
        ask(&good.secret).await.unwrap();
        app.restart_as(|_| {}, |config| config).await;
    }
    app.stop().await;
    let again = lines(&app).into_iter().filter(|line| line.line.scope.starts_with("on this machine: ")).count();
    assert_eq!(again, 2, "what is revoked again has a line");
    let events: Vec<Event> = lines(&app).into_iter().map(|line| line.line.event).collect();
    assert_eq!(events.iter().filter(|event| **event == Event::OlderJournal).count(), 1);
    let lost = anchors(app.folder()).into_iter().filter(|anchor| anchor.lost_revisions > 0);
    assert_eq!(lost.count(), 1, "the journal knows that it was an older one");
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_however_often_the_older_journal_is_put_back() {
    let mut app = TestApp::seeded(identities::seed).await;
    let create = CreateKeyRequest { identity: "leaked".to_owned(), role: Role::Analyst.into(), ..Default::default() };
    let leaked = KeyServiceClient::new(app.channel()).create_key(by("operator", create)).await.unwrap().into_inner();
    app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy_journal(app.folder(), backup.path());

    app.restart_as(|_| {}, |config| config).await;
    let revoke = RevokeKeyRequest { identity: "leaked".to_owned(), ..RevokeKeyRequest::default() };
    KeyServiceClient::new(app.channel()).revoke_key(by("operator", revoke)).await.unwrap();
    // The second time, the log says twice that it was revoked.
    let accepted = Accepted { older_journal: true, ..Accepted::default() };
    for time in ["first", "second"] {
        let put_back = |folder: &Path| copy_journal(backup.path(), folder);
        app.restart_as(put_back, |config| Config { accepted, ..config }).await;
        let ask = with(picture_of(HAMPSHIRE), &format!("Bearer {}", leaked.secret));
        let refused = app.pictures().get_picture(ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "the {time} time");
    }
}

/// Copies what is the journal's, and not the audit log.
fn copy_journal(from: &Path, to: &Path) {
    for name in ["ahead", "witness"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let _ = fs::remove_dir_all(to.join("sled"));
    copy_folder(&from.join("sled"), &to.join("sled"));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_receipt_shows_whether_a_journal_has_what_its_sender_was_told() {
    let mut app = TestApp::seeded(identities::seed).await;
    let send = async |app: &TestApp, request_id: &str, number: &str| {
        let request = submission(request_id, [figure(INDICATOR, "FY2021-22", number)]);
        let answer = app.submissions().submit_observations(by("submitter", request)).await.unwrap();
        let receipt = answer.into_inner().receipt.unwrap();
        let hash: String = receipt.chain_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        (receipt.revision.to_string(), hash)
    };
    let verify = |app: &TestApp, of: &(String, String), more: &[&str]| {
        let mut command = binary::command();
        command.args(["receipt", "verify", &of.0, &of.1]).args(more);
        command.env("CONSPECTUS_KEY", identities::secret("submitter", Condition::Good).reveal());
        let data = app.folder().to_str().unwrap().to_owned();
        let output = if more.is_empty() { command.args(["--data", &data]).output() } else { command.output() }.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let first = send(&app, "first", "7").await;
    app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy_journal(app.folder(), backup.path());
    app.restart_as(|_| {}, |config| config).await;
    let second = send(&app, "second", "8").await;
    let server = format!("http://{}", app.address());
    // The server's thread of this test must be free to answer.
    let (app, good, wrong) = tokio::task::spawn_blocking({
        let (second, other) = (second.clone(), first.clone());
        move || {
            let asked = ["--agency", CHILDRENS_SERVICES, "--request-id", "second", "--server", &server];
            let good = verify(&app, &second, &asked);
            let wrong = [
                other.clone(),
                // The hash at another revision, and the revision with another hash.
                (other.0.clone(), second.1.clone()),
                (second.0.clone(), other.1),
            ];
            let wrong = wrong.map(|receipt| verify(&app, &receipt, &asked));
            (app, good, wrong)
        }
    })
    .await
    .unwrap();
    assert!(good.0 && good.1.starts_with("The journal has it"), "{good:?}");
    assert!(wrong.iter().all(|(has, said)| !has && said.contains("doesn't have it")), "{wrong:?}");
    let mut app = app;
    app.stop().await;
    for receipt in [&first, &second] {
        let (has, said) = verify(&app, receipt, &[]);
        assert!(has, "{said}");
    }
    // The backup has the first and not the second, also once it has gone on otherwise.
    copy_journal(backup.path(), app.folder());
    assert!(verify(&app, &first, &[]).0);
    let (has, said) = verify(&app, &second, &[]);
    assert!(!has && said.contains("It is an older one"), "{said}");
    let accepted = Accepted { older_journal: true, ..Accepted::default() };
    app.restart_as(|_| {}, |config| Config { accepted, ..config }).await;
    send(&app, "third", "9").await;
    send(&app, "fourth", "10").await;
    app.stop().await;
    let (has, said) = verify(&app, &second, &[]);
    assert!(!has && said.contains("has gone on otherwise"), "{said}");
}

#[tokio::test]
async fn the_command_line_says_where_a_file_of_the_log_goes_on_and_prints_a_whole_question() {
    let mut app = TestApp::seeded(identities::seed).await;
    read(&app).await;
    let path = log(app.folder());
    let moved = app.folder().join("audit.log.1");
    fs::rename(&path, &moved).unwrap();
    until("moved", || fs::read_to_string(&path).is_ok_and(|text| text.contains("\"event\":\"continued\""))).await;
    let months: Vec<String> =
        (1960..2020).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}"))).collect();
    let long = QueryAggregateRequest { periods: months, ..query([INDICATOR], [], [GroupBy::Period]) };
    app.pictures().query_aggregate(by("analyst", long)).await.unwrap();
    app.stop().await;
    let audit = |more: &[&str]| {
        let output = binary::command().arg("audit").arg("--data").arg(app.folder()).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (listed, said) = audit(&[]);
    assert!(said.contains("Lines 2 to 3, none changed. Lines 1 to 1 aren't there, as line 2 says of"), "{said}");
    let hash = lines(&app).pop().unwrap().line.question;
    assert!(listed.contains(&hash), "{listed}");
    let (question, _) = audit(&["--question", &hash]);
    assert!(question.contains("1987-06"), "{question}");
    let (_, said) = audit(&["--file", path.to_str().unwrap()]);
    assert!(said.contains("Lines 2 to 3, none changed. The file goes on after line 1, whose chain hash was"), "{said}");
    let (_, said) = audit(&["--file", moved.to_str().unwrap()]);
    assert!(said.contains("1 lines, none changed"), "{said}");
}

//! The JSON lane: what it takes and gives, beside gRPC.

use std::time::{Duration, Instant};

use conspectus::http::PageOrigin;
use conspectus::rpc::{CallRate, FILE_DESCRIPTOR_SET, METHODS};
use conspectus::server::{Config, Network};
use hyper::{Method, StatusCode};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp};
use crate::http::{Answer, send};
use crate::identities::{self, Condition, PURPOSE, authorization};
use crate::matrix;
use crate::raw::{Call, call};

const JSON: (&str, &str) = ("content-type", "application/json");

/// The method at a path, by the descriptors.
pub(crate) fn descriptor(path: &str) -> MethodDescriptor {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let (service, method) = path[1..].split_once('/').unwrap();
    pool.get_service_by_name(service).unwrap().methods().find(|found| found.name() == method).unwrap()
}

async fn post(app: &TestApp, method: &str, headers: &[(&str, &str)], message: &Value) -> Answer {
    let path = format!("/conspectus.v1.{method}");
    send(app.address(), Method::POST, &path, &[&[JSON], headers].concat(), message.to_string()).await
}

/// The reason of a refusal, and its violations.
fn refusal(answer: &Answer) -> (String, Vec<(String, String)>) {
    let error = answer.json();
    let (mut reason, mut violations) = (String::new(), Vec::new());
    for detail in error["details"].as_array().unwrap() {
        match detail["type"].as_str().unwrap() {
            "google.rpc.ErrorInfo" => reason = detail["debug"]["reason"].as_str().unwrap().to_owned(),
            "google.rpc.BadRequest" => {
                let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
                let found = detail["debug"]["fieldViolations"].as_array().unwrap();
                violations.extend(found.iter().map(|it| (text(it, "field"), text(it, "description"))));
            }
            _ => {}
        }
    }
    (reason, violations)
}

#[tokio::test]
async fn every_read_gives_by_json_and_by_address_what_it_gives_over_grpc() {
    let app = TestApp::with_demo().await;
    let mut compared = 0;
    for row in matrix::ROWS {
        let path = format!("/conspectus.v1.{}", row.method);
        let descriptor = descriptor(&path);
        let is_read = !matches!(
            row.method.split_once('/').unwrap().1,
            "PutCatalogue"
                | "CreateKey"
                | "RevokeKey"
                | "RotateKey"
                | "CompleteReturn"
                | "SubmitObservations"
                | "WithdrawSubmission"
                | "StreamSubmissions"
                | "WatchPicture"
                | "WatchAggregate"
        );
        if !is_read {
            continue;
        }
        let message = (row.request)(matrix::Whose::Own);
        let asked = DynamicMessage::decode(descriptor.input(), &*message).unwrap();
        let asked = serde_json::to_string(&asked).unwrap();
        let by_grpc = call(Call::to(&app, row.method, message)).await;
        let encoded: String = asked.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let by_address = format!("{path}?connect=v1&encoding=json&message={encoded}");
        for answer in [
            send(app.address(), Method::POST, &path, &[JSON], asked.clone()).await,
            send(app.address(), Method::GET, &by_address, &[], "").await,
        ] {
            match &by_grpc {
                Ok(by_grpc) => {
                    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
                    let json = serde_json::Deserializer::from_slice(&answer.body).into_iter::<Value>().next();
                    let mut by_json = DynamicMessage::deserialize(descriptor.output(), json.unwrap().unwrap()).unwrap();
                    let mut by_grpc = DynamicMessage::decode(descriptor.output(), &**by_grpc).unwrap();
                    for answer in [&mut by_json, &mut by_grpc] {
                        for of_the_moment in ["as_of", "server_time"] {
                            answer.clear_field_by_name(of_the_moment);
                        }
                    }
                    assert_eq!(by_json, by_grpc, "{path}");
                    compared += 1;
                }
                Err(status) => assert_eq!(answer.json()["message"], status.message(), "{path}"),
            }
        }
    }
    assert!(compared >= 40, "{compared}");
}

#[tokio::test]
async fn protobuf_without_a_frame_is_taken_too() {
    let app = TestApp::with_demo().await;
    let message = (matrix::row("PictureService/GetPicture").request)(matrix::Whose::Own);
    let path = "/conspectus.v1.PictureService/GetPicture";
    let answer =
        send(app.address(), Method::POST, path, &[("content-type", "application/proto")], message.clone()).await;
    assert_eq!(answer.header("content-type"), Some("application/proto"));
    let by_grpc = call(Call::to(&app, "PictureService/GetPicture", message)).await.unwrap();
    let decoded = |bytes: &[u8]| {
        let mut message = DynamicMessage::decode(descriptor(path).output(), bytes).unwrap();
        message.clear_field_by_name("as_of");
        message
    };
    let json = |message: DynamicMessage| serde_json::to_string(&message).unwrap();
    assert_eq!(json(decoded(&answer.body)), json(decoded(&by_grpc)));
}

fn submission(value: &str) -> Value {
    json!({
        "agency": CHILDRENS_SERVICES,
        "requestId": "json-1",
        "observations": [{
            "indicator": "initial-contacts", "area": HAMPSHIRE, "period": "FY2023-24", "number": value,
        }],
    })
}

#[tokio::test]
async fn a_submission_of_json_is_on_the_journal_once_however_often_it_is_sent() {
    let app = TestApp::with_catalogue().await;
    let first = post(&app, "SubmissionService/SubmitObservations", &[], &submission("117188")).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    let again = post(&app, "SubmissionService/SubmitObservations", &[], &submission("117188")).await;
    assert_eq!(first.json()["receipt"]["revision"], again.json()["receipt"]["revision"]);
    assert_eq!(app.value("initial-contacts", "FY2023-24").await, "117188");
    let other = post(&app, "SubmissionService/SubmitObservations", &[], &submission("117189")).await;
    assert_eq!((other.status, refusal(&other).0.as_str()), (StatusCode::CONFLICT, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn every_problem_is_in_the_body_however_many_there_are() {
    let app = TestApp::with_catalogue().await;
    let observation = json!({ "indicator": "none", "area": "nowhere", "period": "2022", "number": "many" });
    let many = json!({ "agency": CHILDRENS_SERVICES, "requestId": "many", "observations": vec![observation; 250] });
    let answer = post(&app, "SubmissionService/SubmitObservations", &[], &many).await;
    let (reason, violations) = refusal(&answer);
    assert_eq!((answer.status, reason.as_str()), (StatusCode::BAD_REQUEST, "INVALID_REQUEST"));
    for n in [0, 249] {
        for field in ["indicator", "area", "period"] {
            let field = format!("observations[{n}].{field}");
            assert!(violations.iter().any(|(found, _)| *found == field), "{field}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_no_call_is_refused_as_http_has_it() {
    let app = TestApp::with_catalogue().await;
    let (put, list) = ("/conspectus.v1.CatalogueService/PutCatalogue", "/conspectus.v1.CatalogueService/ListAreas");
    let watch = "/conspectus.v1.PictureService/WatchPicture";
    let none = "/conspectus.v1.CatalogueService/None";
    let mut refused = Vec::new();
    for (method, path, headers, body) in [
        (Method::POST, none, vec![JSON], "{}"),
        (Method::GET, "/nowhere", vec![], ""),
        (Method::GET, put, vec![], ""),
        (Method::DELETE, list, vec![], ""),
        (Method::POST, list, vec![("content-type", "text/csv")], "a,b"),
        (Method::POST, list, vec![("content-type", "application/json; charset=latin1")], "{}"),
        (Method::POST, list, vec![("content-type", "application/connect+json")], "{}"),
        (Method::POST, list, vec![JSON, ("content-encoding", "gzip")], "{}"),
        (Method::POST, list, vec![JSON, ("connect-protocol-version", "2")], "{}"),
        (Method::POST, list, vec![JSON, ("connect-timeout-ms", "soon")], "{}"),
        (Method::POST, list, vec![JSON, ("connect-timeout-ms", "12345678901")], "{}"),
        (Method::POST, watch, vec![JSON], "{}"),
        (Method::POST, list, vec![JSON], "{"),
        (Method::POST, list, vec![JSON], r#"{"pageSize":"many"}"#),
        (Method::GET, &format!("{list}?encoding=xml"), vec![], ""),
        (Method::GET, &format!("{list}?encoding=json&message=e30&base64=yes"), vec![], ""),
        (Method::GET, &format!("{list}?encoding=json&message=***&base64=1"), vec![], ""),
        (Method::GET, &format!("{list}?encoding=json&compression=gzip"), vec![], ""),
        (Method::GET, &format!("{list}?encoding=json&messages=%7B%7D"), vec![], ""),
    ] {
        let answer = send(app.address(), method.clone(), path, &headers, body).await;
        let what = if answer.header("content-type") == Some("application/json") {
            let error = answer.json();
            format!("{}: {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
        } else {
            answer.text().trim_end().to_owned()
        };
        refused.push(format!("{method} {path} {headers:?} {body}\n  {} {what}", answer.status.as_u16()));
    }
    insta::assert_snapshot!(refused.join("\n"));
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_also_while_its_body_does_not_come() {
    let app = TestApp::with_catalogue().await;
    let start = Instant::now();
    let waits = json!({ "areas": [HAMPSHIRE], "minRevision": "99" });
    let answer = post(&app, "PictureService/ListChanges", &[("connect-timeout-ms", "50")], &waits).await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (StatusCode::GATEWAY_TIMEOUT, Some("deadline_exceeded"))
    );
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = "POST /conspectus.v1.CatalogueService/ListAreas HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnect-timeout-ms: 50\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 504"), "{}", String::from_utf8_lossy(&answer));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_body_is_bounded_whether_its_length_is_said_or_not() {
    let app = TestApp::with_catalogue().await;
    let large = vec![b' '; (4 << 20) + 1];
    let path = "/conspectus.v1.SubmissionService/SubmitObservations";
    let answer = send(app.address(), Method::POST, path, &[JSON], large.clone()).await;
    let found = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(found.contains("4194305 bytes; allowed: 4194304"), "{found}");
    // In chunks, each of which is small.
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [format!("{:x}\r\n", 1 << 16).into_bytes(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    for _ in 0..65 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("allowed: 4194304"), "{answer}");
    // And a whole one in chunks is taken.
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let body = submission("5").to_string();
    let (first, rest) = body.split_at(20);
    let whole = format!("{head}{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", first.len(), rest.len());
    stream.write_all(whole.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_call_again() {
    let network = |limit| {
        let mut network = Network::default();
        network.limits.calls_a_second_of_identity_max = CallRate::new(limit);
        network
    };
    let reach = |address| crate::app::endpoint("http", address);
    let app = TestApp::seeded_with(identities::seed, network(1), reach).await;
    let key = authorization("steward", Condition::Good).unwrap();
    let mut refused = None;
    for _ in 0..10 {
        let answer = post(&app, "CatalogueService/ListAreas", &[("authorization", &key)], &json!({})).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("ten calls in a moment were let through");
    assert_eq!(refusal(&refused).0, "RATE_LIMITED");
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}

#[tokio::test]
async fn who_is_not_known_is_asked_for_a_key() {
    let app = TestApp::seeded(identities::seed).await;
    let answer = post(&app, "CatalogueService/ListAreas", &[], &json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"conspectus\""));
    let key = authorization("analyst", Condition::Good).unwrap();
    let picture = json!({ "area": HAMPSHIRE, "period": "FY2021-22" });
    let without = post(&app, "PictureService/GetPicture", &[("authorization", &key)], &picture).await;
    assert_eq!((without.status, refusal(&without).0.as_str()), (StatusCode::FORBIDDEN, "PURPOSE_MISSING"));
    let with = [("authorization", &*key), ("conspectus-purpose", PURPOSE)];
    assert_eq!(post(&app, "PictureService/GetPicture", &with, &picture).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_call_whose_deadline_is_over_is_not_begun() {
    let app = TestApp::with_catalogue().await;
    for _ in 0..50 {
        let late = post(&app, "CatalogueService/ListAreas", &[("connect-timeout-ms", "0")], &json!({})).await;
        assert_eq!((late.status, refusal(&late).0.as_str()), (StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED"));
    }
}

#[tokio::test]
async fn scripts_of_pages_elsewhere_may_call_from_origins_that_are_listed() {
    let mut app = TestApp::with_catalogue().await;
    let page_origins = vec![PageOrigin::parse("https://intranet.example.gov.uk").unwrap()];
    app.restart_with(|config| Config { network: Network { page_origins, ..Network::default() }, ..config }).await;
    let path = "/conspectus.v1.CatalogueService/ListAreas";
    let allowed = async |origin: &str, method| {
        let headers = [("origin", origin), ("access-control-request-method", "POST"), JSON];
        let answer = send(app.address(), method, path, &headers, "{}").await;
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    for method in [Method::OPTIONS, Method::POST] {
        let listed = "https://intranet.example.gov.uk";
        assert_eq!(allowed(listed, method.clone()).await.as_deref(), Some(listed));
        for other in ["https://elsewhere.example", "http://intranet.example.gov.uk", "null"] {
            assert_eq!(allowed(other, method.clone()).await, None, "{other}");
        }
    }
    let headers = [("origin", "https://intranet.example.gov.uk"), ("x-request-id", "from-a-page"), JSON];
    let answer = send(app.address(), Method::POST, path, &headers, "{}").await;
    assert_eq!(answer.header("x-request-id"), Some("from-a-page"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("x-request-id"));
    let asked = [("access-control-request-method", "POST"), ("access-control-request-headers", "x-request-id")];
    let headers = [&[("origin", "https://intranet.example.gov.uk")], &asked[..]].concat();
    let answer = send(app.address(), Method::OPTIONS, path, &headers, "").await;
    assert!(answer.header("access-control-allow-headers").unwrap().contains("x-request-id"));
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port() {
    for good in ["https://a.example", "http://127.0.0.1:8080", "https://a.example:8443"] {
        assert!(PageOrigin::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "*",
        "null",
        "a.example",
        "https://a.example/",
        "https://a.example/b",
        "ftp://a.example",
        "https://u@a.example",
        "https://",
    ] {
        assert!(PageOrigin::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_browser_sees_what_arrives_of_its_caller() {
    let app = TestApp::seeded(identities::seed).await;
    let described = send(app.address(), Method::GET, "/openapi.json", &[], "").await.json();
    let answer = &described["paths"]["/v1/hello"]["get"]["responses"]["200"];
    let schema = &answer["content"]["application/json"]["schema"];
    let hello = async |key: Option<String>| {
        let headers: Vec<_> = key.iter().map(|key| ("authorization", key.as_str())).collect();
        let mut hello = send(app.address(), Method::GET, "/v1/hello", &headers, "").await.json();
        let fields = hello.as_object_mut().unwrap();
        let is_described = |name: &String| schema["properties"].get(name).is_some();
        assert!(fields.keys().all(is_described), "{fields:?}");
        let mut required = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        assert!(required.all(|name| fields.contains_key(name)), "{fields:?}");
        assert_eq!(
            (&fields["protocol"], &fields["tls"], &fields["address"]),
            (&json!("HTTP/1.1"), &Value::Null, &json!("127.0.0.1"))
        );
        assert_eq!(fields["sent_credentials"], json!(key.is_some()));
        ["caller", "identity", "role", "agency", "reason"]
            .map(|name| fields.get(name).and_then(Value::as_str).unwrap_or("-").to_owned())
            .join(" ")
    };
    assert_eq!(hello(None).await, "unknown - - - UNAUTHENTICATED");
    assert_eq!(
        hello(authorization("submitter", Condition::Good)).await,
        format!("known submitter submitter {CHILDRENS_SERVICES} -")
    );
    assert_eq!(hello(authorization("reader", Condition::Expired)).await, "unknown - - - KEY_EXPIRED");
    let open = TestApp::with_catalogue().await;
    let answer = send(open.address(), Method::GET, "/v1/hello", &[], "").await;
    assert_eq!(answer.json()["caller"], "anyone");
}

#[tokio::test]
async fn the_api_is_described_at_an_address_of_its_own() {
    let app = TestApp::seeded(identities::seed).await;
    let answer = send(app.address(), Method::GET, "/openapi.json", &[], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let described = answer.json();
    let streams = 3;
    let paths = described["paths"].as_object().unwrap();
    let methods = paths.keys().filter(|path| path.starts_with("/conspectus.v1."));
    assert_eq!(methods.count(), METHODS.len() - streams);
    let addresses: Vec<&str> = paths.keys().map(String::as_str).filter(|path| path.starts_with("/v1/")).collect();
    let files = ["changes", "figures", "picture"].map(|name| [format!("/v1/{name}.csv"), format!("/v1/{name}.xlsx")]);
    let mut expected: Vec<String> = files.concat();
    expected.insert(4, "/v1/hello".to_owned());
    assert_eq!(addresses, expected);
}

#[tokio::test]
async fn a_connection_that_is_kept_open_ends_when_the_server_stops() {
    let mut app = TestApp::with_catalogue().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut some = [0; 16];
    stream.read_exact(&mut some).await.unwrap();
    let start = Instant::now();
    app.stop().await;
    assert!(start.elapsed() < crate::app::DRAIN_TIMEOUT);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

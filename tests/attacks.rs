//! Attacks on a running server, and what others notice of them: a caller who calls all the while is
//! answered every time, in time; memory stays within a bound; nothing crashes.
//!
//! Attackers come from other addresses of this machine, and with no key, but for those who have one of
//! their own. `cargo test --test attacks -- --nocapture` prints what was measured.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use binary::Server;
use binary::memory::memory_bytes;
use conspectus::rpc::client::catalogue_service_client::CatalogueServiceClient;
use conspectus::rpc::proto::GetAgencyRequest;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// How long each attack goes on while the other caller is measured.
const ATTACK: Duration = Duration::from_millis(1_500);
/// The longest that any call of the other caller may take, whatever goes on: attackers, the server and
/// the caller share the cores of the test's machine.
const CALL_MAX: Duration = Duration::from_secs(5);
/// How much the server's memory may grow in all, over every attack.
const GROWTH_BYTES_MAX: u64 = 256 << 20;
/// More connections than the server takes of one address.
const SILENT: usize = 2_000;
/// More connections than the server takes in all.
const IDLE: usize = 10_000;
/// Connections whose answers are never read, each with as many calls as it may have: more in all than
/// their caller may.
const UNREAD_CONNECTIONS: usize = 10;
/// The last part of the attackers' addresses.
const ATTACKERS: [u8; 2] = [10, 40];

/// How many attackers that build something up have built it.
static BUILT_UP: AtomicUsize = AtomicUsize::new(0);
/// What the attackers have sent: streams, or connections.
static SENT: AtomicU64 = AtomicU64::new(0);

fn resident_bytes(server: &Server) -> u64 {
    memory_bytes(server.id(), "VmRSS")
}

/// The other caller: calls again and again, and notes how long each took.
async fn measured(channel: &Channel, key: &str) -> Histogram<u64> {
    let mut micros = Histogram::new(3).unwrap();
    let mut client = CatalogueServiceClient::new(channel.clone());
    let start = Instant::now();
    while start.elapsed() < ATTACK {
        let mut request = Request::new(GetAgencyRequest { id: "hampshire-icb".to_owned(), as_of_revision: 0 });
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        let begun = Instant::now();
        client.get_agency(request).await.unwrap();
        assert!(begun.elapsed() < CALL_MAX, "{:?}", begun.elapsed());
        micros.record(u64::try_from(begun.elapsed().as_micros()).unwrap()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    micros
}

/// Connects from an address of this machine that is not the other caller's.
async fn connect(address: SocketAddr, from: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 1, from)), 0).into())?;
    socket.connect(address).await
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header in HPACK, as a literal.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// The headers of a call: `:method` and `:scheme` from HPACK's own table, the others as literals.
fn call_headers(path: &str) -> Vec<u8> {
    let (path, kind) = (literal(":path", path), literal("content-type", "application/grpc"));
    [vec![0x83, 0x86], literal(":authority", "localhost"), path, kind, literal("te", "trailers")].concat()
}

/// An open connection of HTTP/2, with settings of its own.
async fn begun(address: SocketAddr, from: u8, settings: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = connect(address, from).await?;
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await?;
    Ok(stream)
}

/// Writes what it is given for each stream in turn, as fast as the server takes it, and reads nothing
/// that it doesn't have to; begins again when the server has had enough.
async fn flood(address: SocketAddr, from: u8, of_stream: impl Fn(u32) -> Vec<u8>) {
    loop {
        if let Ok(mut stream) = begun(address, from, &[]).await {
            let mut sink = vec![0; 64 << 10];
            for id in (1..).step_by(2) {
                if stream.write_all(&of_stream(id)).await.is_err() {
                    break;
                }
                SENT.fetch_add(1, Ordering::Relaxed);
                while let Ok(Ok(1..)) = tokio::time::timeout(Duration::ZERO, stream.read(&mut sink)).await {}
                tokio::task::yield_now().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

const LIST: &str = "/conspectus.v1.CatalogueService/ListAgencies";

/// Streams that are begun and reset at once (CVE-2023-44487).
async fn rapid_reset(address: SocketAddr, from: u8) {
    let headers = call_headers(LIST);
    flood(address, from, |id| {
        [frame(HEADERS, END_HEADERS, id, &headers), frame(RESET, 0, id, &8_u32.to_be_bytes())].concat()
    })
    .await;
}

/// Streams that the server has to reset itself, because the client breaks them (CVE-2025-8671).
async fn made_you_reset(address: SocketAddr, from: u8) {
    let headers = call_headers(LIST);
    flood(address, from, |id| {
        [frame(HEADERS, END_HEADERS, id, &headers), frame(WINDOW_UPDATE, 0, id, &0_u32.to_be_bytes())].concat()
    })
    .await;
}

/// Headers that never end (CVE-2024-27316).
async fn continuation_flood(address: SocketAddr, from: u8) {
    let headers = call_headers(LIST);
    let more = literal("x-more", &"x".repeat(100)).repeat(100);
    flood(address, from, |id| {
        let first = if id == 1 { frame(HEADERS, 0, 1, &headers) } else { Vec::new() };
        [first, frame(CONTINUATION, 0, 1, &more)].concat()
    })
    .await;
}

/// Headers larger than the server takes.
async fn oversized_headers(address: SocketAddr, from: u8) {
    let headers = [call_headers(LIST), literal("x-large", &"x".repeat(100)).repeat(140)].concat();
    flood(address, from, |id| frame(HEADERS, END_HEADERS | END_STREAM, id, &headers)).await;
}

/// Messages that say they have 4 GiB, by a caller who may not even begin.
async fn oversized_messages(address: SocketAddr, from: u8) {
    let headers = call_headers("/conspectus.v1.SubmissionService/SubmitObservations");
    let data = [&[0, 0xff, 0xff, 0xff, 0xff], vec![0; 16_000].as_slice()].concat();
    flood(address, from, |id| [frame(HEADERS, END_HEADERS, id, &headers), frame(DATA, 0, id, &data)].concat()).await;
}

/// Makes connections, sixteen at a time, and counts itself as built up when there are as many as it can have.
async fn many<T: Send + 'static, F: Future<Output = std::io::Result<T>> + Send + 'static>(
    count: usize,
    connect: impl Fn(usize) -> F + Copy + Send + Sync + 'static,
) -> Vec<T> {
    const AT_ONCE: usize = 16;
    let mut makers = JoinSet::new();
    for maker in 0..AT_ONCE {
        makers.spawn(async move {
            let mut open = Vec::new();
            for n in (maker..count).step_by(AT_ONCE) {
                if let Ok(connected) = tokio::time::timeout(Duration::from_secs(1), connect(n)).await {
                    open.extend(connected);
                }
                SENT.fetch_add(1, Ordering::Relaxed);
            }
            open
        });
    }
    let open = makers.join_all().await.into_iter().flatten().collect();
    BUILT_UP.fetch_add(1, Ordering::Relaxed);
    open
}

/// Connections that say nothing, or the preface a byte at a time.
async fn silent(address: SocketAddr, from: u8) {
    let mut open = many(SILENT / ATTACKERS.len(), move |_| connect(address, from)).await;
    for byte in PREFACE.iter().cycle() {
        for stream in open.iter_mut().step_by(2) {
            drop(stream.write_all(&[*byte]).await);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Connections that begin to speak HTTP/2, and then say nothing.
async fn idle(address: SocketAddr, from: u8) {
    let open = many(IDLE / ATTACKERS.len(), move |n| {
        let host = from + u8::try_from(n / 1_000).unwrap();
        async move { begun(address, host, &[]).await }
    })
    .await;
    std::future::pending::<()>().await;
    drop(open);
}

/// Answers to a caller who may have them, never taken: the window is one byte.
async fn never_reads(address: SocketAddr, from: u8, key: &str) {
    // An empty request for a long answer.
    let data = [0; 5];
    let bearer = literal("authorization", &format!("Bearer {key}"));
    let headers = [call_headers("/conspectus.v1.CatalogueService/ListIndicators"), bearer].concat();
    let window = [&4_u16.to_be_bytes()[..], &1_u32.to_be_bytes()].concat();
    let mut open = Vec::new();
    for _ in 0..UNREAD_CONNECTIONS {
        if let Ok(mut stream) = begun(address, from, &window).await {
            for id in (1..400).step_by(2) {
                let call = [frame(HEADERS, END_HEADERS, id, &headers), frame(DATA, END_STREAM, id, &data)].concat();
                if stream.write_all(&call).await.is_err() {
                    break;
                }
                SENT.fetch_add(1, Ordering::Relaxed);
            }
            open.push(stream);
        }
    }
    std::future::pending::<()>().await;
    drop(open);
}

/// Heads of HTTP/1.1 that come a byte at a time.
async fn slow_heads(address: SocketAddr, from: u8) {
    let mut open = many(SILENT / ATTACKERS.len(), move |_| connect(address, from)).await;
    let head = format!("GET /openapi.json HTTP/1.1\r\nhost: a\r\nx-more: {}", "x".repeat(1_000));
    for byte in head.as_bytes() {
        for stream in &mut open {
            drop(stream.write_all(&[*byte]).await);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The head of a call by JSON, of a caller who has a key.
fn json_head(method: &str, key: &str, length: usize) -> String {
    format!(
        "POST /conspectus.v1.{method} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\nconspectus-purpose: attack\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Bodies of as much as may be, most of which doesn't come.
async fn slow_bodies(address: SocketAddr, from: u8, key: &str) {
    let mut open = Vec::new();
    for _ in 0..UNREAD_CONNECTIONS * 20 {
        if let Ok(mut stream) = connect(address, from).await {
            let head = json_head("SubmissionService/SubmitObservations", key, 4 << 20);
            let some = vec![b' '; 15 << 10];
            drop(stream.write_all(head.as_bytes()).await);
            drop(stream.write_all(&some).await);
            SENT.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    }
    loop {
        for stream in &mut open {
            drop(stream.write_all(b" ").await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// JSON that takes much more memory than its bytes, again and again, and bodies that are far too large.
async fn json_bombs(address: SocketAddr, from: u8, key: &str) {
    let bomb = format!("{{\"observations\":[{}{{}}]}}", "{},".repeat((4 << 20) / 3 - 20));
    let allowed = format!("{{\"observations\":[{}{{}}]}}", "{},".repeat(490_000));
    let nested = "[".repeat(4 << 20);
    for body in [bomb, allowed, nested].iter().cycle() {
        let head = json_head("SubmissionService/SubmitObservations", key, body.len());
        let Ok(mut stream) = connect(address, from).await else { continue };
        if stream.write_all(head.as_bytes()).await.is_ok() && stream.write_all(body.as_bytes()).await.is_ok() {
            let mut answer = [0; 64];
            drop(stream.read(&mut answer).await);
        }
        SENT.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut stream) = connect(address, from).await {
            let head = json_head("SubmissionService/SubmitObservations", key, 100 << 20);
            drop(stream.write_all(head.as_bytes()).await);
            for _ in 0..100 {
                if stream.write_all(&vec![b' '; 1 << 20]).await.is_err() {
                    break;
                }
            }
        }
    }
}

/// Answers over HTTP/1.1 that are never taken, each asked for again and again on a connection of its own.
async fn json_unread(address: SocketAddr, from: u8, key: &str) {
    let mut open = Vec::new();
    for _ in 0..UNREAD_CONNECTIONS * 10 {
        if let Ok(mut stream) = connect(address, from).await {
            let call = json_head("CatalogueService/ListIndicators", key, 2) + "{}";
            for _ in 0..20 {
                if tokio::time::timeout(Duration::from_millis(5), stream.write_all(call.as_bytes())).await.is_err() {
                    break;
                }
                SENT.fetch_add(1, Ordering::Relaxed);
            }
            open.push(stream);
        }
    }
    std::future::pending::<()>().await;
    drop(open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_callers_are_answered_in_time_during_every_attack() {
    raise_descriptors();
    let folder = tempfile::tempdir().unwrap();
    let (server, variables) = Server::start_demo(folder.path()).await;
    let address = server.address();
    let key = |name: &str| variables.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let (steward, analyst) = (key("CONSPECTUS_KEY_STEWARD"), key("CONSPECTUS_KEY_ANALYST"));
    // One who may submit, and begins what is never accepted.
    let attacker = key("CONSPECTUS_KEY_HAMPSHIRE_ICB");
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let quiet = measured(&channel, &steward).await;
    let before = resident_bytes(&server);
    let print = |name: &str, micros: &Histogram<u64>| {
        let (p50, p99) = (micros.value_at_quantile(0.5), micros.value_at_quantile(0.99));
        let ratio = p99 * 100 / quiet.value_at_quantile(0.99).max(1);
        let sent = SENT.swap(0, Ordering::Relaxed);
        let mib = resident_bytes(&server) >> 20;
        println!(
            "{name:<20} {sent:>7} sent; {:>5} calls, p50 {p50:>6} µs, p99 {p99:>6} µs ({ratio} % of quiet), {mib} MiB",
            micros.len()
        );
    };
    print("quiet", &quiet);
    let attacks = [
        "rapid reset",
        "made you reset",
        "CONTINUATION flood",
        "oversized headers",
        "oversized messages",
        "silent",
        "idle",
        "never reads",
        "slow heads",
        "slow bodies",
        "JSON bombs",
        "JSON unread",
    ];
    for attack in attacks {
        let mut attackers = JoinSet::new();
        for from in ATTACKERS {
            let (analyst, attacker) = (analyst.clone(), attacker.clone());
            attackers.spawn(async move {
                match attack {
                    "rapid reset" => rapid_reset(address, from).await,
                    "made you reset" => made_you_reset(address, from).await,
                    "CONTINUATION flood" => continuation_flood(address, from).await,
                    "oversized headers" => oversized_headers(address, from).await,
                    "oversized messages" => oversized_messages(address, from).await,
                    "silent" => silent(address, from).await,
                    "idle" => idle(address, from).await,
                    "never reads" => never_reads(address, from, &analyst).await,
                    "slow heads" => slow_heads(address, from).await,
                    "slow bodies" => slow_bodies(address, from, &attacker).await,
                    "JSON bombs" => json_bombs(address, from, &attacker).await,
                    "JSON unread" => json_unread(address, from, &analyst).await,
                    other => panic!("{other}"),
                }
            });
        }
        if matches!(attack, "silent" | "idle" | "slow heads") {
            while BUILT_UP.load(Ordering::Relaxed) < ATTACKERS.len() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            BUILT_UP.store(0, Ordering::Relaxed);
        }
        let micros = measured(&channel, &steward).await;
        // New callers are let in all the same.
        measured(&Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap(), &steward).await;
        print(attack, &micros);
        attackers.shutdown().await;
        let grown = resident_bytes(&server).saturating_sub(before);
        assert!(grown < GROWTH_BYTES_MAX, "{attack}: {} MiB more", grown >> 20);
    }
    measured(&channel, &steward).await;
}

/// Ten thousand connections are ten thousand descriptors.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

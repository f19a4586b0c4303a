//! What the doors cost beside each other: the same picture over gRPC, as JSON, and as a page, in one run. Run it by
//! `cargo bench --bench doors`; docs/performance.md has what it printed.
//!
//! The server is the demo's, with identities and the audit log on. The doors take turns, so that what else the machine does
//! falls on all of them; a figure is the median of the rounds.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "rates and ratios are for reading; whatever fails ends the benchmark"
)]

#[expect(dead_code, reason = "another benchmark asks for the process")]
mod demo;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::proto::GetPictureRequest;
use demo::Demo;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::codegen::http;
use tonic::transport::{Channel, Endpoint};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const CLIENTS: [usize; 2] = [1, 16];
const AREA: &str = "E10000014";
const PERIOD: &str = "FY2021-22";
const PURPOSE: &str = "the benchmark of the doors";

/// The demo's server.
struct Server {
    _demo: Demo,
    address: SocketAddr,
    page: SocketAddr,
    key: String,
    /// Of the analyst, who has signed in to the page.
    cookie: String,
}

impl Server {
    fn start(folder: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conspectus"));
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(folder).stderr(Stdio::null());
        let demo = Demo::start(&mut command);
        Self {
            address: demo.address.parse().unwrap(),
            page: demo.page.as_ref().unwrap().parse().unwrap(),
            key: demo.keys["ANALYST"].clone(),
            cookie: String::new(),
            _demo: demo,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Door {
    Grpc,
    Json,
    Page,
}

impl Door {
    const ALL: [Self; 3] = [Self::Grpc, Self::Json, Self::Page];

    const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::Json => "JSON over HTTP/1.1",
            Self::Page => "the page",
        }
    }
}

/// One client of a door.
enum Client {
    Grpc(PictureServiceClient<Channel>),
    Http(SendRequest<Full<Bytes>>),
}

async fn client(door: Door, server: &Server) -> Client {
    let address = match door {
        Door::Grpc => {
            let channel = Endpoint::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
            return Client::Grpc(PictureServiceClient::new(channel));
        }
        Door::Json => server.address,
        Door::Page => server.page,
    };
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Client::Http(sender)
}

impl Client {
    /// Asks once; the bytes of the answer.
    async fn ask(&mut self, door: Door, credentials: &[(&'static str, String)]) -> usize {
        match self {
            Self::Grpc(client) => {
                let area = AREA.to_owned();
                let mut request =
                    Request::new(GetPictureRequest { area, period: PERIOD.to_owned(), ..GetPictureRequest::default() });
                for (name, value) in credentials {
                    request.metadata_mut().insert(*name, value.parse().unwrap());
                }
                let answer = client.get_picture(request).await.unwrap().into_inner();
                prost::Message::encoded_len(&answer)
            }
            Self::Http(sender) => {
                let (method, path, body) = match door {
                    Door::Grpc | Door::Json => (
                        http::Method::POST,
                        "/conspectus.v1.PictureService/GetPicture".to_owned(),
                        format!("{{\"area\":\"{AREA}\",\"period\":\"{PERIOD}\"}}"),
                    ),
                    Door::Page => (http::Method::GET, format!("/picture?area={AREA}&period={PERIOD}"), String::new()),
                };
                let mut request = http::Request::builder().method(method).uri(path).header("host", "localhost");
                request = request.header("content-type", "application/json");
                for (name, value) in credentials {
                    request = request.header(*name, value);
                }
                let answer = sender.send_request(request.body(Full::from(body)).unwrap()).await.unwrap();
                assert_eq!(answer.status(), http::StatusCode::OK);
                answer.into_body().collect().await.unwrap().to_bytes().len()
            }
        }
    }
}

/// What one round of a door gave: how many answers a second, the median in microseconds, and the bytes of an answer.
async fn round(door: Door, clients: usize, server: &Server) -> (f64, f64, usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let mut client = client(door, server).await;
        let credentials = credentials(door, server).await;
        tasks.spawn(async move {
            let mut micros = Histogram::<u64>::new(3).unwrap();
            let start = Instant::now();
            let mut bytes = 0;
            while start.elapsed() < ROUND {
                let begun = Instant::now();
                bytes = client.ask(door, &credentials).await;
                micros.record(u64::try_from(begun.elapsed().as_micros()).unwrap()).unwrap();
            }
            (micros, bytes)
        });
    }
    let (mut all, mut bytes) = (Histogram::<u64>::new(3).unwrap(), 0);
    while let Some(ended) = tasks.join_next().await {
        let (micros, of_answer) = ended.unwrap();
        all.add(micros).unwrap();
        bytes = of_answer;
    }
    (all.len() as f64 / ROUND.as_secs_f64(), all.value_at_quantile(0.5) as f64, bytes)
}

/// What a client presents: its key, or the cookie that it is given for it.
async fn credentials(door: Door, server: &Server) -> Vec<(&'static str, String)> {
    match door {
        Door::Grpc | Door::Json => {
            vec![("authorization", format!("Bearer {}", server.key)), ("conspectus-purpose", PURPOSE.to_owned())]
        }
        Door::Page => vec![("cookie", server.cookie.clone())],
    }
}

/// Signs in to the page, as a browser does; the session's cookie.
async fn sign_in(page: SocketAddr, key: &str) -> String {
    let send = async |form: Option<String>, path: &str, cookie: &str| {
        let stream = TcpStream::connect(page).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let method = if form.is_some() { http::Method::POST } else { http::Method::GET };
        let request = http::Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("cookie", cookie).header("content-type", "application/x-www-form-urlencoded");
        let body = Full::<Bytes>::from(form.unwrap_or_default());
        let (head, body) = sender.send_request(request.body(body).unwrap()).await.unwrap().into_parts();
        let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let cookie = head.headers.get("set-cookie").map(|cookie| cookie.to_str().unwrap());
        let cookie = cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned()).unwrap_or_default();
        let token = html.split("name=\"csrf\" value=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        (cookie, token.unwrap_or_default())
    };
    let (browser, token) = send(None, "/sign-in", "").await;
    let (session, _) = send(Some(format!("csrf={token}&next=/&key={key}")), "/sign-in", &browser).await;
    let (_, token) = send(None, "/sign-in/purpose", &session).await;
    let purpose = PURPOSE.replace(' ', "+");
    send(Some(format!("csrf={token}&next=/&purpose={purpose}")), "/sign-in/purpose", &session).await;
    session
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("nothing is measured: run it by `cargo bench --bench doors`");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<20} {:>7} {:>12} {:>10} {:>8} {:>12}", "door", "clients", "answers/s", "p50 µs", "× gRPC", "bytes");
    runtime.block_on(async {
        server.cookie = sign_in(server.page, &server.key).await;
        for clients in CLIENTS {
            let mut rounds = Door::ALL.map(|_| Vec::new());
            for _ in 0..=ROUNDS {
                for (door, rounds) in Door::ALL.into_iter().zip(&mut rounds) {
                    rounds.push(round(door, clients, &server).await);
                }
            }
            // The first is the warm-up.
            let of = |rounds: &[(f64, f64, usize)], value: fn(&(f64, f64, usize)) -> f64| {
                median(rounds[1..].iter().map(value).collect())
            };
            let of_grpc = of(&rounds[0], |round| round.1);
            for (door, rounds) in Door::ALL.into_iter().zip(&rounds) {
                let (rate, p50) = (of(rounds, |round| round.0), of(rounds, |round| round.1));
                let bytes = rounds[0].2;
                println!(
                    "{:<20} {clients:>7} {rate:>12.0} {p50:>10.0} {:>8.2} {bytes:>12}",
                    door.name(),
                    p50 / of_grpc
                );
            }
        }
    });
}

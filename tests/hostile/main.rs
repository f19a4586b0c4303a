//! A hostile day: callers with keys ask for the dearest that they may, and others look at what they notice of it.
//!
//! The dearest requests of every method are found by a search over their fields. Then 1, 2 and 8 callers send them,
//! again and again, with deadlines of a second, while health, a cheap question and a single submission are asked for
//! beside them. In the suite this is a small world, short, by a debug build; the whole is
//!
//! ```sh
//! CONSPECTUS_HOSTILE=full cargo test --release --test hostile -- --nocapture
//! ```
//!
//! `CONSPECTUS_HOSTILE_SEED` makes another search, `CONSPECTUS_HOSTILE_METHODS=GetHistory,…` has these methods alone,
//! `CONSPECTUS_HOSTILE_SECONDS` bounds the search for each, and
//! `CONSPECTUS_HOSTILE_FOUND=FILE` keeps what a search finds, for the next one to begin with.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "milliseconds and ratios are for reading: they are floating-point numbers"
)]

#[path = "../binary/mod.rs"]
mod binary;
mod call;
mod measure;
#[path = "../random/mod.rs"]
mod random;
#[path = "../../benches/load/raw.rs"]
mod raw;
mod requests;
mod search;
mod world;

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conspectus::access::Role;
use prost::Message;
use prost_reflect::DynamicMessage;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use binary::Server;
use call::Caller;
use measure::{Noticed, PROBES, Process, Stop, channel, probe_for};
use random::Random;
use requests::{Form, Method, Requests, as_new};
use search::{Found, Patience, search, searcher};
use world::{CALLERS, World, caller};

/// The hostile callers' deadline.
const DEADLINE: Duration = Duration::from_secs(1);
/// How many calls of a method each has open; of all methods together, one of each.
const CALLS: usize = 4;
/// How many watches.
const WATCHES: usize = 64;
/// What a p99 may be, if it isn't within [`IDLE_RATIO_MAX`] of what it is when nobody else calls.
const P99_MILLISECONDS: f64 = 50.0;
const IDLE_RATIO_MAX: f64 = 3.0;
/// What memory may grow by above what the data takes.
const GROWTH_BYTES_MAX: u64 = 512 << 20;

/// How long, and how large.
#[derive(Debug, Clone, Copy)]
struct Scale {
    world: World,
    patience: Patience,
    window: Duration,
    callers: &'static [usize],
    drains: usize,
    /// What a p99 may be: none of it is measured in a debug build, on a machine that does other things too.
    p99_milliseconds: f64,
}

fn is_full() -> bool {
    env::var("CONSPECTUS_HOSTILE").is_ok_and(|scale| scale == "full")
}

fn scale() -> Scale {
    if is_full() {
        let seconds = env::var("CONSPECTUS_HOSTILE_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
        Scale {
            world: World::FULL,
            patience: Patience {
                search: Duration::from_secs(seconds),
                request: Duration::from_secs(8),
                leisure: Duration::from_secs(68),
            },
            window: Duration::from_secs(3),
            callers: &[1, 2, CALLERS],
            drains: 20,
            p99_milliseconds: P99_MILLISECONDS,
        }
    } else {
        Scale {
            world: World::SMALL,
            patience: Patience {
                search: Duration::from_millis(100),
                request: Duration::from_secs(1),
                leisure: Duration::from_secs(1),
            },
            window: Duration::from_millis(150),
            callers: &[2],
            drains: 1,
            p99_milliseconds: 2_000.0,
        }
    }
}

fn seed() -> u64 {
    env::var("CONSPECTUS_HOSTILE_SEED").map_or(1, |seed| seed.parse().unwrap())
}

fn methods() -> Vec<Method> {
    let only = env::var("CONSPECTUS_HOSTILE_METHODS").unwrap_or_default();
    let is_meant = |method: &Method| only.is_empty() || only.split(',').any(|name| name == method.name());
    Method::all().into_iter().filter(is_meant).collect()
}

/// A method with its dearest requests.
#[derive(Clone)]
struct Attack {
    method: Method,
    /// Encoded.
    dearest: Arc<[Bytes]>,
}

static SENT: AtomicU64 = AtomicU64::new(0);

/// Sends an attack's requests again and again, each as soon as the one before is answered or given up.
async fn send(attack: Attack, caller: Caller, stop: Stop) {
    let Attack { method, dearest } = attack;
    for encoded in dearest.iter().cycle() {
        if stop.is_set() {
            return;
        }
        let id = as_new(&method, SENT.fetch_add(1, Ordering::Relaxed));
        let message = if id.is_empty() { encoded.clone() } else { [&encoded[..], &id].concat().into() };
        let _ = caller.call((method.path, method.form), message, DEADLINE).await;
    }
}

/// The same for watches: each stays open, and takes what comes.
async fn watch(attack: Attack, caller: Caller, time: Duration) {
    let begun = Instant::now();
    for request in attack.dearest.iter().cycle() {
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return;
        }
        if caller.watch(attack.method.path, request.clone(), left).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Where hostile callers compute. They would have machines of their own: here their threads have what the server and
/// those who look leave of the cores.
fn elsewhere() -> &'static Runtime {
    static ELSEWHERE: LazyLock<Runtime> = LazyLock::new(|| {
        // Of the thread that asks.
        let step_back = || rustix::process::setpriority_process(None, 19).unwrap();
        tokio::runtime::Builder::new_multi_thread().on_thread_start(step_back).enable_all().build().unwrap()
    });
    &ELSEWHERE
}

/// What others notice while so many callers send, and how many cores the server takes.
async fn attacked(server: &Server, attacks: &[Attack], callers: usize, window: Duration) -> (Noticed, f64) {
    let stop = Stop::default();
    let senders = senders(server, attacks, callers, window, &stop);
    let (begun, before) = (Instant::now(), Process::of(server).cpu());
    let noticed = probe_for(server, window).await;
    let computed = Process::of(server).cpu().saturating_sub(before);
    stop.set();
    senders.join_all().await;
    (noticed, computed.as_secs_f64() / begun.elapsed().as_secs_f64())
}

fn senders(server: &Server, attacks: &[Attack], callers: usize, window: Duration, stop: &Stop) -> JoinSet<()> {
    let _elsewhere = elsewhere().enter();
    let mut senders = JoinSet::new();
    for attack in attacks {
        for number in 0..callers {
            let caller = Caller { name: caller(attack.method.role, number), channel: channel(server) };
            let calls = match attack.method.form {
                _ if attacks.len() > 1 => 1,
                Form::Watch => WATCHES,
                Form::Unary | Form::Stream => CALLS,
            };
            for _ in 0..calls {
                match attack.method.form {
                    Form::Watch => senders.spawn(watch(attack.clone(), caller.clone(), window)),
                    Form::Unary | Form::Stream => senders.spawn(send(attack.clone(), caller.clone(), stop.clone())),
                };
            }
        }
    }
    senders
}

/// The table's rows, and the goals that weren't met.
struct Report {
    idle: [f64; 3],
    p99_milliseconds: f64,
    missed: Vec<String>,
}

impl Report {
    fn header() {
        print!("{:<34}", "p50, p99 and the longest, in ms");
        PROBES.iter().for_each(|probe| print!("{probe:>30}"));
        println!("{:>8}{:>12}", "cores", "memory");
    }

    /// A row that has to meet the goals.
    fn row(&mut self, what: &str, noticed: &Noticed, cores: f64, memory: u64) {
        Self::print(what, noticed, cores, memory);
        let p99 = noticed.milliseconds(0.99);
        for ix in 0..PROBES.len() {
            let most = self.p99_milliseconds.max(IDLE_RATIO_MAX * self.idle[ix]);
            if p99[ix] > most {
                self.missed.push(format!("{what}: {} has a p99 of {:.1} ms, more than {most:.1}", PROBES[ix], p99[ix]));
            }
        }
        self.missed.extend(noticed.refused.iter().take(3).map(|refused| format!("{what}: {refused}")));
    }

    fn print(what: &str, noticed: &Noticed, cores: f64, memory: u64) {
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|quantile| noticed.milliseconds(quantile));
        print!("{what:<34}");
        for ix in 0..PROBES.len() {
            let text = format!("{:.2} {:.2} {:.1}", p50[ix], p99[ix], longest[ix]);
            print!("{text:>30}");
        }
        println!("{cores:>8.2}{:>8} MiB", memory >> 20);
    }
}

async fn start(folder: &Path) -> Server {
    // A flood of calls is another test's; here each is dear.
    Server::start_with(folder, &["--drain-seconds", "2"]).await.unwrap()
}

/// Where searches keep what they find, for the next ones.
fn kept_in() -> Option<PathBuf> {
    env::var_os("CONSPECTUS_HOSTILE_FOUND").map(PathBuf::from)
}

/// What other searches found of a method.
fn kept(method: &Method) -> Vec<DynamicMessage> {
    let text = kept_in().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let of_method = text.lines().filter_map(|line| line.strip_prefix(method.name())?.strip_prefix('\t'));
    let request = |json: &str| {
        DynamicMessage::deserialize(method.input.clone(), &mut serde_json::Deserializer::from_str(json)).unwrap()
    };
    of_method.map(request).collect()
}

fn keep(method: &Method, found: &Found) {
    let Some(path) = kept_in() else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for dear in &found.dearest {
        writeln!(file, "{}\t{}", method.name(), serde_json::to_string(&dear.request).unwrap()).unwrap();
    }
}

async fn dearest(server: &Server, scale: &Scale) -> Vec<Attack> {
    let (requests, mut random) = (Requests::of(scale.world), Random(seed()));
    let process = Process::of(server);
    let mut attacks = Vec::new();
    for method in methods() {
        let caller = Caller { name: searcher(method.role), channel: channel(server) };
        let known = kept(&method);
        let found = search((&caller, process), &method, &requests, known, &mut random, scale.patience).await;
        println!("{}: {} tried\n{}", method.name(), found.tried, found.describe());
        keep(&method, &found);
        let dearest = found.dearest.iter().map(|dear| dear.request.encode_to_vec().into()).collect();
        attacks.push(Attack { method, dearest });
    }
    attacks
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_what_others_ask_for() {
    let scale = scale();
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let count = scale.world.seed(folder.path()).await;
    println!("{count} figures, seeded in {:?}", begun.elapsed());
    let server = start(folder.path()).await;
    println!("{} MiB with the data", Process::of(&server).resident() >> 20);
    let attacks = dearest(&server, &scale).await;
    server.terminate().await;

    let server = start(folder.path()).await;
    let memory = Process::of(&server);
    let before = memory.begin();
    println!("{} MiB with the data", before >> 20);
    let idle = probe_for(&server, scale.window.max(Duration::from_secs(1))).await;
    let mut report =
        Report { idle: idle.milliseconds(0.99), p99_milliseconds: scale.p99_milliseconds, missed: Vec::new() };
    Report::header();
    report.row("nobody else", &idle, 0.0, 0);
    for attack in &attacks {
        for callers in scale.callers {
            let (noticed, cores) = attacked(&server, std::slice::from_ref(attack), *callers, scale.window).await;
            report.row(&format!("{} by {callers}", attack.method.name()), &noticed, cores, memory.peak_since(before));
        }
    }
    let of_analysts: Vec<Attack> = attacks.iter().filter(|it| it.method.role == Role::Analyst).cloned().collect();
    if of_analysts.len() > 1 {
        let (noticed, cores) = attacked(&server, &of_analysts, CALLERS, 2 * scale.window).await;
        report.row(&format!("all that analysts ask, by {CALLERS}"), &noticed, cores, memory.peak_since(before));
    }
    // Beyond the goals: these keep more cores busy than a small machine has.
    let (noticed, cores) = attacked(&server, &attacks, CALLERS, 2 * scale.window).await;
    Report::print(&format!("all methods by {CALLERS} of each role"), &noticed, cores, memory.peak_since(before));
    idle_ones(&server, &scale, &mut report, (memory, before)).await;

    let peak = memory.peak();
    server.terminate().await;
    // With all that was accepted meanwhile.
    let server = start(folder.path()).await;
    let data = Process::of(&server).resident();
    let growth = peak.saturating_sub(data);
    println!("memory: {} MiB at most, {} MiB above the data", peak >> 20, growth >> 20);
    if growth > GROWTH_BYTES_MAX {
        report.missed.push(format!("memory grew by {} MiB above the data", growth >> 20));
    }
    drains(server, folder.path(), &attacks, &scale, &mut report).await;
    assert!(report.missed.is_empty(), "missed:\n{}", report.missed.join("\n"));
}

/// A thousand connections, streams and watches of one caller that do nothing.
async fn idle_ones(server: &Server, scale: &Scale, report: &mut Report, (memory, before): (Process, u64)) {
    let count = if is_full() { 1_000 } else { 100 };
    let time = 2 * scale.window;
    let analyst = || Caller { name: caller(Role::Analyst, 1), channel: channel(server) };
    let submitter = Caller { name: caller(Role::Submitter, 1), channel: channel(server) };
    let requests = Requests::of(scale.world);
    let method = |name: &str| Method::all().into_iter().find(|method| method.name() == name).unwrap();
    for what in ["idle connections", "idle streams", "idle watches"] {
        let mut open = JoinSet::new();
        let shared = analyst();
        for _ in 0..count {
            match what {
                "idle connections" => {
                    let (caller, get) = (analyst(), method("GetArea"));
                    let message: Bytes = requests.start(&get).encode_to_vec().into();
                    open.spawn(async move {
                        let first = caller.call((get.path, Form::Unary), message, time).await;
                        tokio::time::sleep(time).await;
                        first.is_ok()
                    });
                }
                "idle streams" => {
                    let caller = submitter.clone();
                    let path = method("StreamSubmissions").path;
                    open.spawn(async move { caller.idle_stream(path, time).await.is_ok() });
                }
                _ => {
                    let (caller, watch) = (shared.clone(), method("WatchPicture"));
                    let message: Bytes = requests.start(&watch).encode_to_vec().into();
                    open.spawn(async move {
                        caller.watch(watch.path, message, time).await.is_ok_and(|answers| answers > 0)
                    });
                }
            }
        }
        let noticed = probe_for(server, time).await;
        let taken = open.join_all().await.into_iter().filter(|is_taken| *is_taken).count();
        report.row(&format!("{count} {what}, {taken} taken"), &noticed, 0.0, memory.peak_since(before));
    }
}

/// Stops it while the dearest are asked for, again and again.
async fn drains(first: Server, folder: &Path, attacks: &[Attack], scale: &Scale, report: &mut Report) {
    const DRAIN: Duration = Duration::from_secs(2);
    /// The program has to end after its drain.
    const TO_END: Duration = Duration::from_secs(1);
    let (mut server, mut took) = (Some(first), Vec::new());
    for _ in 0..scale.drains {
        let running = match server.take() {
            Some(running) => running,
            None => start(folder).await,
        };
        let stop = Stop::default();
        let mut senders = JoinSet::new();
        for attack in attacks {
            for number in 0..CALLERS {
                let caller = Caller { name: caller(attack.method.role, number), channel: channel(&running) };
                senders.spawn(send(attack.clone(), caller, stop.clone()));
            }
        }
        tokio::time::sleep(DEADLINE).await;
        let ended = running.terminate().await;
        stop.set();
        senders.join_all().await;
        let most = if is_full() { DRAIN + TO_END } else { DRAIN + 10 * TO_END };
        if ended > most {
            report.missed.push(format!("a stop took {ended:?}"));
        }
        took.push(ended);
    }
    took.sort_unstable();
    println!("{} stops: {:?} to {:?}", took.len(), took[0], took[took.len() - 1]);
}

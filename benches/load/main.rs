//! What the service does on this machine, beside what the machine can do: run by `cargo bench
//! --bench load`, explained in `docs/performance.md`.
//!
//! A run measures the disk and a bare echo, then fills a fresh server and queries it. Every comparison
//! is a ratio within one run; the report gives medians over the runs.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "rates and ratios are for reading: they are floating-point numbers"
)]

mod drive;
mod echo;
mod export;
mod growth;
mod open;
mod process;
mod raw;
mod report;
mod stream;
mod wire;
mod workload;

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use conspectus::rpc::proto;
use prost::Message;
use tokio::signal::unix::{SignalKind, signal};

use drive::{Measured, Window, drive};
use process::Server;
use report::{Report, Section, Unit};
use wire::Call;
use workload::{BATCH_OBSERVATIONS, Packer, Question, Workload};

/// Why there is no report.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const SENDERS: [usize; 4] = [1, 16, 64, 256];
const BATCH_SENDERS: usize = 16;
const QUERY_SENDERS: usize = 16;
/// How many senders of single observations are the write load under which queries are measured.
const LOAD_SENDERS: usize = 64;
const STREAMS: [usize; 2] = [1, 4];
const OPEN_SHARES: [f64; 3] = [0.25, 0.5, 0.75];
const MESSAGE_BYTES: usize = 100;
const PAGE_BYTES: usize = 4096;
const PAGES_MAX: u64 = 2_000;
const DISK_TIME_MAX: Duration = Duration::from_millis(500);

/// Measures the service beside the limits of this machine.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// How many observations to fill the server with.
    #[arg(long, default_value_t = 1_000_000)]
    observations: u64,
    /// How often to measure everything.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many seconds each measurement goes on, after a quarter of that to warm up.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// One short run over few observations: shows that everything works, and no figures to quote.
    #[arg(long)]
    quick: bool,
    /// Other seeds give other figures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure only these parts; the server is filled in any case.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Also write the figures into this file, as JSON for other programs.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["growth", "export"])]
    json: Option<PathBuf>,
    /// Instead of all else, how cost grows: a line of CSV for each of these numbers of observations.
    #[arg(long, value_delimiter = ',')]
    growth: Vec<u64>,
    /// Instead of all else, write the data into this folder.
    #[arg(long)]
    export: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the echo.
    #[arg(long, hide = true)]
    serve_echo: bool,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Submissions of columns, and streams of submissions, each on a fresh server.
    Bulk,
    /// What a start takes, and the sizes.
    Size,
    /// The queries.
    Queries,
    /// Submissions of one observation: closed loop.
    Single,
    /// Submissions of one observation: open loop.
    Open,
    /// Queries under write load.
    UnderLoad,
}

fn main() -> ExitCode {
    let mut args = Args::parse();
    if !args.bench {
        println!("nothing is measured: run it by `cargo bench --bench load`");
        return ExitCode::SUCCESS;
    }
    if args.quick {
        args = Args { observations: 50_000, runs: 1, seconds: 0.3, ..args };
    }
    let ended =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::from).and_then(|runtime| {
            runtime.block_on(async {
                if args.serve_echo {
                    return echo::serve().await;
                }
                tokio::select! {
                    ended = measure(&args) => ended,
                    stopped = stop() => stopped.and(Err("stopped".into())),
                }
            })
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Ends at Ctrl-C or SIGTERM, so that the servers and the folder go too.
async fn stop() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn measure(args: &Args) -> Result<(), Failure> {
    let measured = Duration::from_secs_f64(args.seconds);
    let window = Window { warm_up: measured / 4, measured };
    if !args.growth.is_empty() {
        return growth::measure(&args.growth, args.seed, window).await;
    }
    let workload = Workload { observations: args.observations, seed: args.seed };
    if let Some(folder) = &args.export {
        return export::export(workload, folder);
    }
    // Before the work: a file that can't be written is then no loss.
    let json = args.json.as_ref().map(File::create).transpose()?;
    eprintln!("encoding {} observations", args.observations);
    let batches: Arc<[Bytes]> = workload.batches().map(|batch| batch.encode_to_vec().into()).collect();
    let mut report = Report::default();
    for number in 1..=args.runs {
        eprintln!("run {number} of {}", args.runs);
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let echo = Server::echo()?;
        let mut run = Run { window, workload, report: &mut report, echo, folder: folder.path(), only: &args.only };
        run.all(&batches).await?;
    }
    let cores = std::thread::available_parallelism()?;
    if let Some(file) = json {
        let measured = serde_json::json!({
            "observations": args.observations,
            "runs": args.runs,
            "seconds": args.seconds,
            "seed": args.seed,
            "cores": cores,
        });
        report.write(BufWriter::new(file), &measured)?;
    }
    println!(
        "{} observations, medians of {} runs of {} s each, {cores} cores for client and server together",
        args.observations, args.runs, args.seconds
    );
    report.print();
    Ok(())
}

/// How fast 4 KiB are written and synced, one after the other: at the end of a growing file, and
/// in place, which spares the file system a note of the new length. The median of the latter, in
/// milliseconds.
fn disk(folder: &Path, report: &mut Report) -> Result<f64, Failure> {
    let path = folder.join("pages");
    let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let mut median = 0.0;
    for what in ["append", "overwrite"] {
        let mut file = open()?;
        let mut nanoseconds = drive::histogram()?;
        let start = Instant::now();
        // What is overwritten was appended just before; the further it gets, the more there is.
        let pages_max = if what == "append" { PAGES_MAX } else { file.metadata()?.len() / PAGE_BYTES as u64 };
        while start.elapsed() < DISK_TIME_MAX && nanoseconds.len() < pages_max {
            let one = Instant::now();
            file.write_all(&[1; PAGE_BYTES])?;
            file.sync_data()?;
            nanoseconds.record(u64::try_from(one.elapsed().as_nanos())?)?;
        }
        median = nanoseconds.value_at_quantile(0.5) as f64 / 1e6;
        let rate = nanoseconds.len() as f64 / start.elapsed().as_secs_f64();
        let (key, label) = (format!("fdatasync_{what}"), format!("{what} 4 KiB and fdatasync"));
        report.add(Section::Machine, &key, &format!("{label}, one at a time"), rate, Unit::PerSecond);
        let (key, label) = (format!("{key}_p50"), format!("{label}, p50"));
        report.add(Section::Machine, &key, &label, median, Unit::Milliseconds);
    }
    std::fs::remove_file(&path)?;
    Ok(median)
}

/// One run of everything.
struct Run<'a> {
    window: Window,
    workload: Workload,
    report: &'a mut Report,
    echo: Server,
    folder: &'a Path,
    only: &'a [Part],
}

/// A server on a fresh folder, with the catalogue.
async fn fresh(data: &Path) -> Result<Server, Failure> {
    let (server, _) = Server::conspectus(data).await?;
    let put = conspectus::rpc::put_request(&workload::catalogue()?, false).encode_to_vec();
    wire::call(&server.channel()?, Call { method: wire::PUT_CATALOGUE, message: put.into() }).await?;
    Ok(server)
}

impl Run<'_> {
    async fn all(&mut self, batches: &Arc<[Bytes]>) -> Result<(), Failure> {
        let only = self.only;
        let has = |part| only.is_empty() || only.contains(&part);
        let data = self.folder.join("data");
        let mut server = fresh(&data).await?;
        let empty = (server.resident_bytes()?, process::disk_bytes(&data)?);
        self.large(Section::Large, ("", ""), &server, batches).await?;
        if has(Part::Size) {
            let filled = server.resident_bytes()?;
            server.stop()?;
            server = self.size(&data, empty, filled).await?;
        }
        if has(Part::Bulk) {
            self.bulk(batches).await?;
        }
        let sizes = if has(Part::Queries) || has(Part::UnderLoad) { self.queries(&server).await? } else { Vec::new() };
        if has(Part::Single) {
            self.single(&server).await?;
        }
        if has(Part::Open) {
            self.open(&server).await?;
        }
        if has(Part::UnderLoad) {
            self.under_load(&server, &sizes).await?;
        }
        server.stop()
    }

    async fn echo(&self, senders: usize, bytes: usize, answer_bytes: usize) -> Result<Measured, Failure> {
        let message = echo::message(bytes, answer_bytes);
        let next = move |_| Some(Call { method: wire::ECHO, message: message.clone() });
        drive(&self.echo, senders, Some(self.window), next).await
    }

    /// Fills the server: a tenth by one sender, the rest by several. The figures' keys and labels
    /// begin with `prefixes`.
    async fn large(
        &mut self,
        section: Section,
        prefixes: (&str, &str),
        server: &Server,
        batches: &Arc<[Bytes]>,
    ) -> Result<(), Failure> {
        let alone = batches.len().div_ceil(10);
        for (senders, from, to) in [(1, 0, alone), (BATCH_SENDERS, alone, batches.len())] {
            let batches = Arc::clone(batches);
            let bytes = batches[from].len();
            let next = move |number| {
                let at = from + usize::try_from(number).ok()?;
                (at < to).then(|| Call { method: wire::SUBMIT, message: batches[at].clone() })
            };
            let before = server.cpu()?;
            let found = drive(server, senders, None, next).await?;
            let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / ((to - from) * BATCH_OBSERVATIONS) as f64;
            let echo = self.echo(senders, bytes, found.answer_bytes).await?;
            let of = |found: &Measured| found.rate() * BATCH_OBSERVATIONS as f64;
            let key = |of: &str| format!("{}senders_{senders}{of}", prefixes.0);
            let label = |of: &str| format!("{}{senders} at a time{of}", prefixes.1);
            let limit = ("echo of the same size", of(&echo));
            self.report.compare(section, &key(""), &label(""), of(&found), Unit::ObservationsPerSecond, limit);
            let p50 = found.milliseconds(0.5);
            let limit = ("echo", echo.milliseconds(0.5));
            self.report.compare(section, &key("_p50"), &label(", p50"), p50, Unit::Milliseconds, limit);
            let p99 = found.milliseconds(0.99);
            self.report.add(section, &key("_p99"), &label(", p99"), p99, Unit::Milliseconds);
            let label = label(", CPU of the server, each observation");
            self.report.add(section, &key("_cpu"), &label, cpu, Unit::MicrosecondsPerObservation);
        }
        Ok(())
    }

    /// The same observations again, each way on a fresh server.
    async fn bulk(&mut self, batches: &Arc<[Bytes]>) -> Result<(), Failure> {
        let requests: Vec<_> = batches
            .iter()
            .map(|batch| proto::SubmitObservationsRequest::decode(batch.clone()))
            .collect::<Result<_, _>>()?;
        let columns = requests.iter().map(|request| Packer::default().pack(request).encode_to_vec().into()).collect();
        let server = fresh(&self.folder.join("columns")).await?;
        self.large(Section::Bulk, ("columns_", "columns, "), &server, &columns).await?;
        server.stop()?;
        for streams in STREAMS {
            for (name, packed) in [("messages", false), ("columns", true)] {
                let server = fresh(&self.folder.join(format!("{name}-{streams}"))).await?;
                let messages = shares(&requests, streams, packed);
                let bytes = messages.iter().flatten().map(Bytes::len).sum::<usize>() / requests.len();
                let before = server.cpu()?;
                let found = stream::stream(&server, wire::STREAM, messages.clone(), is_accepted).await?;
                let observations = (requests.len() * BATCH_OBSERVATIONS) as f64;
                let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / observations;
                server.stop()?;
                let echoed = echo::message(bytes, found.answer_bytes);
                let echoes = messages.iter().map(|share| vec![echoed.clone(); share.len()]).collect();
                let echo = stream::stream(&self.echo, wire::ECHO_STREAM, echoes, |_| Ok(())).await?;
                let of = |found: &stream::Streamed| found.rate() * BATCH_OBSERVATIONS as f64;
                let limit = ("echo of the same stream", of(&echo));
                let key = format!("streams_{streams}_{name}");
                let label = format!("streams of {name} of {bytes} bytes, {streams} at once");
                self.report.compare(Section::Bulk, &key, &label, of(&found), Unit::ObservationsPerSecond, limit);
                let (key, label) = (format!("{key}_cpu"), format!("{label}, CPU of the server, each observation"));
                self.report.add(Section::Bulk, &key, &label, cpu, Unit::MicrosecondsPerObservation);
            }
        }
        Ok(())
    }

    /// What the observations take on the disk and in memory, and how long a start takes.
    async fn size(&mut self, data: &Path, empty: (u64, u64), filled: u64) -> Result<Server, Failure> {
        let observations = self.workload.observations as f64;
        let each = |bytes: u64, before: u64| bytes.saturating_sub(before) as f64 / observations;
        let disk = each(process::disk_bytes(data)?, empty.1);
        let received = each(filled, empty.0);
        let (server, took) = Server::conspectus(data).await?;
        let replayed = each(server.resident_bytes()?, empty.0);
        let took = took.as_secs_f64();
        for (key, label, value, unit) in [
            ("disk", "disk, each observation", disk, Unit::BytesPerObservation),
            ("memory_received", "memory, each observation, once received", received, Unit::BytesPerObservation),
            ("memory_replayed", "memory, each observation, once replayed", replayed, Unit::BytesPerObservation),
            ("start", "start to serving", took, Unit::Seconds),
            ("replay", "replayed and verified", observations / took, Unit::ObservationsPerSecond),
        ] {
            self.report.add(Section::Size, key, label, value, unit);
        }
        Ok(server)
    }

    /// The queries, alone and at once; gives what [`Self::under_load`] compares with.
    async fn queries(&mut self, server: &Server) -> Result<Vec<f64>, Failure> {
        let mut p99s = Vec::new();
        for question in Question::ALL {
            let one = ask(server, 1, self.window, question).await?;
            let bytes = one.answer_bytes;
            let echo = self.echo(1, MESSAGE_BYTES, bytes).await?;
            let key = |of: &str| format!("{}{of}", question.key());
            let label = |of: &str| format!("{question:?}, {of}");
            let limit = (&*format!("echo of {bytes} bytes"), echo.milliseconds(0.5));
            let p50 = one.milliseconds(0.5);
            self.report.compare(Section::Queries, &key("_p50"), &label("p50"), p50, Unit::Milliseconds, limit);
            let p99 = one.milliseconds(0.99);
            self.report.add(Section::Queries, &key("_p99"), &label("p99"), p99, Unit::Milliseconds);
            let many = ask(server, QUERY_SENDERS, self.window, question).await?;
            let echo = self.echo(QUERY_SENDERS, MESSAGE_BYTES, bytes).await?;
            let key = key(&format!("_senders_{QUERY_SENDERS}"));
            let label = label(&format!("{QUERY_SENDERS} at a time"));
            let limit = ("echo", echo.rate());
            self.report.compare(Section::Queries, &key, &label, many.rate(), Unit::PerSecond, limit);
            p99s.push(p99);
        }
        Ok(p99s)
    }

    async fn single(&mut self, server: &Server) -> Result<(), Failure> {
        for (group, senders) in (0..).zip(SENDERS) {
            // A shared disk differs from moment to moment: it is measured right before what is compared with it.
            let disk = disk(self.folder, self.report)?;
            let echo = self.echo(senders, MESSAGE_BYTES, MESSAGE_BYTES).await?;
            let p50 = echo.milliseconds(0.5);
            let key = format!("echo_senders_{senders}");
            let label = format!("echo of {MESSAGE_BYTES} bytes, {senders} at a time");
            self.report.add(Section::Machine, &key, &label, echo.rate(), Unit::PerSecond);
            let (key, label) = (format!("{key}_p50"), format!("{label}, p50"));
            self.report.add(Section::Machine, &key, &label, p50, Unit::Milliseconds);
            let next = self.singles(group);
            let before = server.cpu()?;
            let found = drive(server, senders, Some(self.window), next).await?;
            let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / found.calls() as f64;
            let key = |of: &str| format!("senders_{senders}{of}");
            let label = |of: &str| format!("{senders} at a time{of}");
            let limit = ("echo", echo.rate());
            self.report.compare(Section::Single, &key(""), &label(""), found.rate(), Unit::PerSecond, limit);
            let limit = ("echo p50 + overwrite p50", p50 + disk);
            let p50 = found.milliseconds(0.5);
            self.report.compare(Section::Single, &key("_p50"), &label(", p50"), p50, Unit::Milliseconds, limit);
            let p99 = found.milliseconds(0.99);
            self.report.add(Section::Single, &key("_p99"), &label(", p99"), p99, Unit::Milliseconds);
            let label = label(", CPU of the server, each");
            self.report.add(Section::Single, &key("_cpu"), &label, cpu, Unit::Microseconds);
        }
        Ok(())
    }

    /// At shares of what a closed loop of as many senders as the write load's gets.
    async fn open(&mut self, server: &Server) -> Result<(), Failure> {
        let closed = drive(server, LOAD_SENDERS, Some(self.window), self.singles(20)).await?;
        for (group, share) in (21..).zip(OPEN_SHARES) {
            let rate = closed.rate() * share;
            let nanoseconds = open::open_loop(server, rate, self.window, self.singles(group)).await?;
            let key = |of: &str| format!("at_{}_percent{of}", share * 100.0);
            let label = |of: &str| format!("at {share} of the closed loop's rate{of}");
            for (of, name, quantile) in [("_p50", ", p50", 0.5), ("_p99", ", p99", 0.99), ("_p99_9", ", p99.9", 0.999)]
            {
                let latency = nanoseconds.value_at_quantile(quantile) as f64 / 1e6;
                self.report.add(Section::Open, &key(of), &label(name), latency, Unit::Milliseconds);
            }
            self.report.add(Section::Open, &key(""), &label(""), rate, Unit::PerSecond);
        }
        Ok(())
    }

    /// Submissions of one observation that no other group sends.
    fn singles(&self, group: u64) -> impl Fn(u64) -> Option<Call> + Send + Sync + 'static {
        const EACH_MAX: u64 = 1 << 32;
        let workload = self.workload;
        move |number| {
            let message = workload.single(group * EACH_MAX + number).encode_to_vec().into();
            Some(Call { method: wire::SUBMIT, message })
        }
    }

    async fn under_load(&mut self, server: &Server, idle_p99s: &[f64]) -> Result<(), Failure> {
        for ((group, question), idle) in (10..).zip(Question::ALL).zip(idle_p99s) {
            let writes = drive(server, LOAD_SENDERS, Some(self.window), self.singles(group));
            let (writes, found) = tokio::join!(writes, ask(server, 1, self.window, question));
            let (writes, found) = (writes?, found?);
            let key = |of: &str| format!("{}{of}", question.key());
            let (p50, p99, limit) = (found.milliseconds(0.5), found.milliseconds(0.99), ("idle", *idle));
            let label = format!("{question:?} under load");
            self.report.add(Section::UnderLoad, &key("_p50"), &format!("{label}, p50"), p50, Unit::Milliseconds);
            let p99_label = format!("{label}, p99");
            self.report.compare(Section::UnderLoad, &key("_p99"), &p99_label, p99, Unit::Milliseconds, limit);
            let label = format!("writes meanwhile ({question:?})");
            self.report.add(Section::UnderLoad, &key("_writes"), &label, writes.rate(), Unit::PerSecond);
        }
        Ok(())
    }
}

/// Messages for so many streams, each with the dictionaries of its own when they are packed.
fn shares(requests: &[proto::SubmitObservationsRequest], streams: usize, packed: bool) -> Vec<Vec<Bytes>> {
    let share = |first: usize| {
        let mut packer = Packer::default();
        let message = |request: &proto::SubmitObservationsRequest| {
            let request = if packed { packer.pack(request) } else { request.clone() };
            proto::StreamSubmissionsRequest { submission: Some(request) }.encode_to_vec().into()
        };
        requests.iter().skip(first).step_by(streams).map(message).collect()
    };
    (0..streams).map(share).collect()
}

/// An answer begins with the request id, as field 1; then comes field 2, unless it is a refusal.
fn is_accepted(answer: &Bytes) -> Result<(), Failure> {
    const ACCEPTED: u8 = 2 << 3 | 2;
    let after_id = answer.get(1).map(|length| 2 + usize::from(*length)).and_then(|at| answer.get(at));
    if after_id == Some(&ACCEPTED) {
        return Ok(());
    }
    Err(format!("refused: {:?}", proto::StreamSubmissionsResponse::decode(answer.clone())?).into())
}

async fn ask(server: &Server, senders: usize, window: Window, question: Question) -> Result<Measured, Failure> {
    let method = if question == Question::Q3 { wire::PICTURE } else { wire::AGGREGATE };
    let next = move |number| Some(Call { method, message: question.request(number) });
    drive(server, senders, Some(window), next).await
}

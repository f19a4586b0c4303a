//! What the service does on this machine, beside what the machine can do: run by `cargo bench
//! --bench load`, explained in `docs/performance.md`.
//!
//! A run measures the disk and a bare echo, then fills a fresh server and asks it. Every comparison
//! is a ratio within one run; the report gives medians over the runs.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "rates and ratios are for reading: they are floating-point numbers"
)]

mod drive;
mod echo;
mod process;
mod report;
mod wire;
mod workload;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use prost::Message;
use tokio::signal::unix::{SignalKind, signal};

use drive::{Measured, Window, drive};
use process::Server;
use report::Report;
use wire::Call;
use workload::{BATCH_OBSERVATIONS, Question, Workload};

/// Why there is no report.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const SENDERS: [usize; 4] = [1, 16, 64, 256];
const BATCH_SENDERS: usize = 16;
const QUERY_SENDERS: usize = 16;
/// How many senders of single observations are the write load under which queries are measured.
const LOAD_SENDERS: usize = 64;
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
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the echo.
    #[arg(long, hide = true)]
    serve_echo: bool,
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
    let workload = Workload { observations: args.observations, seed: args.seed };
    eprintln!("encoding {} observations", args.observations);
    let batches: Arc<[Bytes]> = workload.batches().map(|batch| batch.encode_to_vec().into()).collect();
    let mut report = Report::of([MACHINE, SINGLE, LARGE, QUERIES, UNDER_LOAD, SIZE]);
    for number in 1..=args.runs {
        eprintln!("run {number} of {}", args.runs);
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut run = Run { window, workload, report: &mut report, echo: Server::echo()? };
        run.all(&folder.path().join("data"), &batches).await?;
    }
    let cores = std::thread::available_parallelism()?;
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
        report.add(MACHINE, format!("{what} 4 KiB and fdatasync, one at a time"), rate, "/s");
        report.add(MACHINE, format!("{what} 4 KiB and fdatasync, p50"), median, "ms");
    }
    std::fs::remove_file(&path)?;
    Ok(median)
}

const MACHINE: &str = "The machine";
const SINGLE: &str = "Submissions of one observation, durable";
const LARGE: &str = "Submissions of 1,000 observations, durable";
const QUERIES: &str = "Queries";
const UNDER_LOAD: &str = "Queries under write load";
const SIZE: &str = "Start and size";

/// One run of everything.
struct Run<'a> {
    window: Window,
    workload: Workload,
    report: &'a mut Report,
    echo: Server,
}

impl Run<'_> {
    async fn all(&mut self, data: &Path, batches: &Arc<[Bytes]>) -> Result<(), Failure> {
        let (server, _) = Server::conspectus(data).await?;
        let put = conspectus::rpc::put_request(&workload::catalogue()?, false).encode_to_vec();
        wire::call(&server.channel()?, Call { method: wire::PUT_CATALOGUE, message: put.into() }).await?;
        let empty = (server.resident_bytes()?, process::disk_bytes(data)?);
        self.large(&server, batches).await?;
        let filled = server.resident_bytes()?;
        server.stop()?;
        let server = self.size(data, empty, filled).await?;
        let sizes = self.queries(&server).await?;
        self.single(&server, data).await?;
        self.under_load(&server, &sizes).await?;
        server.stop()
    }

    async fn echo(&self, senders: usize, bytes: usize, answer_bytes: usize) -> Result<Measured, Failure> {
        let message = echo::message(bytes, answer_bytes);
        let next = move |_| Some(Call { method: wire::ECHO, message: message.clone() });
        drive(&self.echo, senders, Some(self.window), next).await
    }

    /// Fills the server: a tenth by one sender, the rest by several.
    async fn large(&mut self, server: &Server, batches: &Arc<[Bytes]>) -> Result<(), Failure> {
        let alone = batches.len().div_ceil(10);
        for (senders, from, to) in [(1, 0, alone), (BATCH_SENDERS, alone, batches.len())] {
            let batches = Arc::clone(batches);
            let bytes = batches[from].len();
            let next = move |number| {
                let at = from + usize::try_from(number).ok()?;
                (at < to).then(|| Call { method: wire::SUBMIT, message: batches[at].clone() })
            };
            let found = drive(server, senders, None, next).await?;
            let echo = self.echo(senders, bytes, found.answer_bytes).await?;
            let of = |found: &Measured| found.rate() * BATCH_OBSERVATIONS as f64;
            let name = format!("{senders} at a time");
            let limit = ("echo of the same size", of(&echo));
            self.report.beside(LARGE, &name, of(&found), "obs/s", limit);
            let p50 = ("echo", echo.milliseconds(0.5));
            self.report.beside(LARGE, format!("{name}, p50"), found.milliseconds(0.5), "ms", p50);
            self.report.add(LARGE, format!("{name}, p99"), found.milliseconds(0.99), "ms");
        }
        Ok(())
    }

    /// What the observations take on the disk and in memory, and how long a start takes.
    async fn size(&mut self, data: &Path, empty: (u64, u64), filled: u64) -> Result<Server, Failure> {
        let observations = self.workload.observations as f64;
        let each = |bytes: u64, before: u64| bytes.saturating_sub(before) as f64 / observations;
        self.report.add(SIZE, "disk, each observation", each(process::disk_bytes(data)?, empty.1), "bytes");
        self.report.add(SIZE, "memory, each observation, once received", each(filled, empty.0), "bytes");
        let (server, took) = Server::conspectus(data).await?;
        self.report.add(
            SIZE,
            "memory, each observation, once replayed",
            each(server.resident_bytes()?, empty.0),
            "bytes",
        );
        self.report.add(SIZE, "start to serving", took.as_secs_f64(), "s");
        self.report.add(SIZE, "replayed and verified", observations / took.as_secs_f64(), "obs/s");
        Ok(server)
    }

    /// The queries, alone and at once; gives what [`Self::under_load`] compares with.
    async fn queries(&mut self, server: &Server) -> Result<Vec<f64>, Failure> {
        let mut p99s = Vec::new();
        for question in Question::ALL {
            let one = ask(server, 1, self.window, question).await?;
            let bytes = one.answer_bytes;
            let echo = self.echo(1, MESSAGE_BYTES, bytes).await?;
            let name = format!("{question:?}");
            let size = format!("echo of {bytes} bytes");
            let p50 = (size.as_str(), echo.milliseconds(0.5));
            self.report.beside(QUERIES, format!("{name}, p50"), one.milliseconds(0.5), "ms", p50);
            self.report.add(QUERIES, format!("{name}, p99"), one.milliseconds(0.99), "ms");
            let many = ask(server, QUERY_SENDERS, self.window, question).await?;
            let echo = self.echo(QUERY_SENDERS, MESSAGE_BYTES, bytes).await?;
            let rate = ("echo", echo.rate());
            self.report.beside(QUERIES, format!("{name}, {QUERY_SENDERS} at a time"), many.rate(), "/s", rate);
            p99s.push(one.milliseconds(0.99));
        }
        Ok(p99s)
    }

    async fn single(&mut self, server: &Server, data: &Path) -> Result<(), Failure> {
        let beside_data = data.parent().ok_or("the data has no folder around it")?;
        for (place, senders) in (0..).zip(SENDERS) {
            // A shared disk has its moments: it is asked right before what is compared with it.
            let disk = disk(beside_data, self.report)?;
            let echo = self.echo(senders, MESSAGE_BYTES, MESSAGE_BYTES).await?;
            self.report.add(MACHINE, format!("echo of {MESSAGE_BYTES} bytes, {senders} at a time"), echo.rate(), "/s");
            let p50 = echo.milliseconds(0.5);
            self.report.add(MACHINE, format!("echo of {MESSAGE_BYTES} bytes, {senders} at a time, p50"), p50, "ms");
            let next = self.singles(place);
            let found = drive(server, senders, Some(self.window), next).await?;
            let name = format!("{senders} at a time");
            self.report.beside(SINGLE, &name, found.rate(), "/s", ("echo", echo.rate()));
            let parts = ("echo p50 + overwrite p50", p50 + disk);
            self.report.beside(SINGLE, format!("{name}, p50"), found.milliseconds(0.5), "ms", parts);
            self.report.add(SINGLE, format!("{name}, p99"), found.milliseconds(0.99), "ms");
        }
        Ok(())
    }

    /// Submissions of one observation that no other place sends.
    fn singles(&self, place: u64) -> impl Fn(u64) -> Option<Call> + Send + Sync + 'static {
        const EACH_MAX: u64 = 1 << 32;
        let workload = self.workload;
        move |number| {
            let message = workload.single(place * EACH_MAX + number).encode_to_vec().into();
            Some(Call { method: wire::SUBMIT, message })
        }
    }

    async fn under_load(&mut self, server: &Server, idle_p99s: &[f64]) -> Result<(), Failure> {
        for ((place, question), idle) in (10..).zip(Question::ALL).zip(idle_p99s) {
            let writes = drive(server, LOAD_SENDERS, Some(self.window), self.singles(place));
            let (writes, found) = tokio::join!(writes, ask(server, 1, self.window, question));
            let (writes, found) = (writes?, found?);
            let name = format!("{question:?}");
            self.report.add(UNDER_LOAD, format!("{name} under load, p50"), found.milliseconds(0.5), "ms");
            let p99 = ("idle", *idle);
            self.report.beside(UNDER_LOAD, format!("{name} under load, p99"), found.milliseconds(0.99), "ms", p99);
            self.report.add(UNDER_LOAD, format!("writes meanwhile ({name})"), writes.rate(), "/s");
        }
        Ok(())
    }
}

async fn ask(server: &Server, senders: usize, window: Window, question: Question) -> Result<Measured, Failure> {
    let method = if question == Question::Q3 { wire::PICTURE } else { wire::AGGREGATE };
    let next = move |number| Some(Call { method, message: question.request(number) });
    drive(server, senders, Some(window), next).await
}

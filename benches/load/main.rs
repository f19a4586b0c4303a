//! What the service does on this machine, beside what the machine and others can do: run by `benches/peers/run`, or
//! without the others by `cargo bench --bench load`, explained in `docs/performance.md`.
//!
//! A run fills a fresh server and queries it, and measures the disk and a bare echo of the same messages right beside.
//! Every comparison is a ratio within one run; the report gives medians over the runs.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "rates and ratios are for reading: they are floating-point numbers"
)]

mod drive;
mod echo;
mod export;
mod fill;
mod goals;
mod identities;
mod machine;
mod not_plain;
mod open;
mod peers;
mod process;
mod questions;
mod raw;
mod report;
mod single;
mod stream;
mod syncs;
mod wire;
mod workload;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use prost::Message;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use drive::{Measured, Window, drive};
use echo::Echoed;
use fill::Batches;
use peers::Peers;
use process::Server;
use report::Report;
use wire::Call;
use workload::Workload;

/// Why there is no report.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many senders of single observations are the write load under which queries are measured.
const LOAD_SENDERS: usize = 64;

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
    #[arg(long, default_value_t = 1.0)]
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
    /// Also write the figures and the goals into this file, as JSON for other programs.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure what one would use instead, too, by a Python that has the packages: `benches/peers/run` gives it.
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Add the engine's figures, from where `cargo bench --bench kernels` has just written them.
    #[arg(long, value_name = "FOLDER")]
    kernels: Option<PathBuf>,
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
    /// What a start takes, the sizes, and what submissions cost at this size.
    Size,
    /// Submissions of columns, and streams of submissions, each on a fresh server.
    Bulk,
    /// The questions.
    Queries,
    /// Questions that aren't plain, each beside a plain one of as many cells.
    NotPlain,
    /// Submissions of one observation: closed loop.
    Single,
    /// Submissions of one observation: open loop.
    Open,
    /// Questions under write load.
    UnderLoad,
    /// Submissions and reads with identities, the audit log and the log on.
    Identities,
    /// What one would use instead, with `--peers`.
    Peers,
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
    // Before the work: a file that can't be written is then no loss.
    let json = args.json.as_ref().map(File::create).transpose()?;
    let (machine, commit) = (machine::describe()?, machine::commit());
    eprintln!("encoding observations");
    let batches = Batches::new(workload);
    let mut peers = args.peers.as_deref().map(|python| Peers::new(python, workload)).transpose()?;
    let mut report = Report::default();
    if let Some(kernels) = &args.kernels {
        peers::engine(kernels, &mut report)?;
    }
    for number in 1..=args.runs {
        eprintln!("run {number} of {}", args.runs);
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let echo = Server::echo()?;
        let mut run = Run { window, workload, report: &mut report, echo, folder: folder.path(), only: &args.only };
        run.all(&batches, peers.as_mut()).await?;
    }
    let load_average = machine::load_average()?;
    let title = format!(
        "{} observations, medians of {} runs of {} s each, load average {load_average} at the end",
        args.observations, args.runs, args.seconds
    );
    if let Some(file) = json {
        let all = json!({
            "machine": machine,
            "commit": commit,
            "measured": {
                "observations": args.observations,
                "runs": args.runs,
                "seconds": args.seconds,
                "seed": args.seed,
                "load_average_at_the_end": load_average,
            },
            "peers": peers.map(Peers::versions),
            "figures": report.json(),
            "goals": goals::standings(&report, args.observations),
        });
        serde_json::to_writer_pretty(BufWriter::new(file), &all)?;
    }
    println!("{title}");
    report.print();
    Ok(())
}

/// One run of everything.
pub(crate) struct Run<'a> {
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
    wire::call(&server.channel()?, Call::new(wire::PUT_CATALOGUE, put)).await?;
    Ok(server)
}

impl Run<'_> {
    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    async fn all(&mut self, batches: &Batches, peers: Option<&mut Peers>) -> Result<(), Failure> {
        let mut peers = peers.filter(|_| self.has(Part::Peers));
        let data = self.folder.join("data");
        let mut server = fresh(&data).await?;
        let empty = (server.resident_bytes()?, process::disk_bytes(&data)?);
        self.fill(&server, batches).await?;
        if self.has(Part::Size) {
            server = self.size(server, &data, empty).await?;
        }
        if let Some(peers) = &mut peers {
            peers.check(&server).await?;
        }
        if self.has(Part::Queries) {
            self.queries(&server).await?;
        }
        if self.has(Part::NotPlain) {
            self.not_plain(&server).await?;
        }
        if self.has(Part::Single) {
            self.single(&server).await?;
        }
        if self.has(Part::Open) {
            self.open(&server).await?;
        }
        if self.has(Part::UnderLoad) {
            self.under_load(&server).await?;
        }
        if self.has(Part::Size) {
            self.last(&server).await?;
            self.size_of_singles(server, &data).await?;
        } else {
            server.stop()?;
        }
        if self.has(Part::Bulk) {
            self.bulk(batches).await?;
        }
        if self.has(Part::Identities) {
            self.identities().await?;
        }
        if let Some(peers) = peers {
            self.disk()?;
            peers.measure(self.window, self.report).await?;
        }
        Ok(())
    }

    /// What the echo does with these messages, when it answers each with `answer`.
    async fn echo(
        &self,
        senders: usize,
        echoed: Echoed,
        answer: &Bytes,
        message: impl Fn(u64) -> Bytes + Send + Sync + 'static,
    ) -> Result<Measured, Failure> {
        self.echo_answers(echoed, answer).await?;
        let next = move |number| Some(Call::new(echoed.method(), message(number)));
        drive(&self.echo, senders, Some(self.window), next).await
    }

    async fn echo_answers(&self, echoed: Echoed, answer: &Bytes) -> Result<(), Failure> {
        wire::call(&self.echo.channel()?, Call::new(echoed.answer_method(), answer.clone())).await?;
        Ok(())
    }
}

//! The parts that a submission and a query are made of, without the network and, but for `journal/append`, without
//! the disk: run by `cargo bench --bench kernels`, explained in `docs/performance.md`.

#[path = "kernels/not_plain.rs"]
mod not_plain;
#[path = "kernels/questions.rs"]
mod questions;
#[path = "load/workload.rs"]
#[expect(dead_code, reason = "shared with the load, which needs more of it")]
mod workload;

use std::cell::RefCell;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use conspectus::access::Actor;
use conspectus::catalogue::IndicatorIx;
use conspectus::entry::{Entry, Fingerprint, codec};
use conspectus::intake::admit::{Command, Decision};
use conspectus::intake::basis::Basis;
use conspectus::intake::prepare::Prepared;
use conspectus::intake::writer;
use conspectus::journal::{DiskJournal, Journal, MemoryDisk, MemoryJournal};
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId, RequestId};
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::picture::answer;
use conspectus::rpc::proto::submission_service_server::SubmissionService;
use conspectus::rpc::{Context, Gate, Submissions, Submitted, local, proto};
use conspectus::state::view::{AreasAsOf, View};
use conspectus::state::{Fold, State};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use questions::Questions;
use workload::{BATCH_OBSERVATIONS, Workload};

type Failure = Box<dyn std::error::Error>;

const OBSERVATIONS: u64 = 1_000_000;
/// What the disk alone writes over, again and again.
const BLOCKS: usize = 4_096;
const BLOCK_BYTES: usize = 4 << 10;
/// How many submissions are applied one after the other.
const OTHERS: usize = 100;
/// Any time that is after the data's months.
const NOW: Timestamp = Timestamp(1_780_000_000_000_000);

/// What everything starts from: a state full of figures, and submissions that it hasn't seen.
struct Fixture {
    empty: Growing,
    full: Growing,
    large: Vec<Prepared>,
    single: Vec<Prepared>,
}

/// A fold that grows by what is measured, and its newest state, which readers hold.
struct Growing {
    fold: RefCell<Fold>,
    state: State,
}

impl Growing {
    fn of(commands: impl IntoIterator<Item = Prepared>) -> Result<Self, Failure> {
        let mut fold = Fold::default();
        fold.apply(&decide(&State::default(), &workload::catalogue()?)?);
        for command in commands {
            let entry = decide(&fold.state(), &command)?;
            fold.apply(&entry);
        }
        Ok(Self { state: fold.state(), fold: RefCell::new(fold) })
    }
}

impl Fixture {
    fn new() -> Result<Self, Failure> {
        let all = (Workload { observations: OBSERVATIONS, seed: 1 }).batches();
        let full = Growing::of(all.map(|batch| prepared(&batch)).collect::<Result<Vec<_>, _>>()?)?;
        let other = Workload { observations: OBSERVATIONS, seed: 2 };
        let named = |(number, request)| {
            prepared(&proto::SubmitObservationsRequest { request_id: format!("other-{number}"), ..request })
        };
        let large = other.batches().skip(10).take(OTHERS).enumerate().map(named);
        let single = (0..OTHERS as u64).map(|number| other.single(number)).enumerate().map(named);
        let (large, single) = (large.collect::<Result<_, _>>()?, single.collect::<Result<_, _>>()?);
        Ok(Self { empty: Growing::of([])?, full, large, single })
    }
}

fn decide(state: &State, command: &impl Command) -> Result<Entry, Failure> {
    match command.admit(&Basis::durable(state, NOW, &UTC))? {
        Decision::Accept(body, _) => Ok(Entry { at: NOW, actor: Actor::default(), body }),
        Decision::Already(_) => Err("the submission isn't new".into()),
    }
}

fn prepared(request: &proto::SubmitObservationsRequest) -> Result<Prepared, Failure> {
    let submission = Submission {
        agency: AgencyId::parse(&request.agency)?,
        request_id: RequestId::parse(&request.request_id)?,
        source: String::new(),
        sample: false,
        reason: String::new(),
        return_id: None,
        observations: request.observations.iter().map(observation).collect::<Result<_, _>>()?,
    };
    Ok(Prepared::new(submission))
}

fn observation(observation: &proto::Observation) -> Result<Observation, Failure> {
    let measure = match observation.measure.as_ref().ok_or("no measure")? {
        proto::observation::Measure::Number(number) => Measure::Number(number.parse()?),
        proto::observation::Measure::Ratio(ratio) => {
            Measure::Ratio { numerator: ratio.numerator.parse()?, denominator: ratio.denominator.parse()? }
        }
        proto::observation::Measure::Percentage(_) | proto::observation::Measure::Mean(_) => {
            return Err("the workload has none".into());
        }
    };
    let breakdown: Vec<_> =
        observation.breakdown.iter().map(|one| format!("{}={}", one.dimension, one.category)).collect();
    Ok(Observation {
        indicator: IndicatorId::parse(&observation.indicator)?,
        area: AreaCode::parse(&observation.area)?,
        period: observation.period.parse()?,
        breakdown: breakdown.join(";").parse::<Breakdown>()?,
        value: Value { measure: Some(measure), markers: Markers::default() },
        note: None,
        explanations: Vec::new(),
    })
}

fn submissions(c: &mut Criterion, fixture: &Fixture) -> Result<(), Failure> {
    let mut group = c.benchmark_group("submission");
    for (name, commands, count) in [("of 1", &fixture.single, 1), ("of 1,000", &fixture.large, BATCH_OBSERVATIONS)] {
        group.throughput(Throughput::Elements(count as u64));
        let command = &commands[0];
        for (size, Growing { fold, state }) in [("empty", &fixture.empty), ("full", &fixture.full)] {
            let basis = Basis::durable(state, NOW, &UTC);
            group.bench_function(format!("{name}: admit, {size}"), |b| b.iter(|| command.admit(&basis)));
            let entries = commands.iter().map(|command| decide(state, command)).collect::<Result<Vec<_>, _>>()?;
            let mut entries = entries.iter().cycle();
            group.bench_function(format!("{name}: apply and publish, {size}"), |b| {
                b.iter(|| {
                    let mut fold = fold.borrow_mut();
                    fold.apply(entries.next().expect("they go round"));
                    fold.state()
                });
            });
        }
        let entry = decide(&fixture.full.state, command)?;
        let bytes = codec::encode(&entry);
        group.bench_function(format!("{name}: encode"), |b| b.iter(|| codec::encode(black_box(&entry))));
        group.bench_function(format!("{name}: decode"), |b| b.iter(|| codec::decode(black_box(&bytes))));
        group.bench_function(format!("{name}: fingerprint"), |b| {
            b.iter(|| Fingerprint::of(black_box(command.submission())));
        });
    }
    group.finish();
    Ok(())
}

/// The whole way of a submission but for the network and the disk: parse, queue, admit, frame,
/// apply, receipt.
fn service(c: &mut Criterion) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let journal = MemoryJournal::open(&MemoryDisk::new())?;
    let reader = journal.reader();
    let running = writer::start(Box::new(journal), Fold::default(), || NOW, UTC.clone());
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let context = Context {
        writer: running.handle,
        state: running.state,
        timeline: running.timeline,
        reader,
        clock: Arc::new(|| NOW),
        zone: UTC.clone(),
        stopping,
    };
    runtime.block_on(context.writer.write(workload::catalogue()?))?;
    let gate = Gate::default();
    gate.open(context);
    let service = Submissions::new(gate);
    let mut group = c.benchmark_group("service, journal in memory");
    let mut number = 0;
    let workload = Workload { observations: OBSERVATIONS, seed: 3 };
    let mut batches = workload.batches().collect::<Vec<_>>().into_iter().cycle();
    let mut next = |count: usize| {
        number += 1;
        let mut request = if count == 1 { workload.single(number) } else { batches.next().unwrap_or_default() };
        request.request_id = format!("request-{number}");
        request
    };
    for count in [1, BATCH_OBSERVATIONS] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("submission of {count}"), |b| {
            b.iter_batched(
                || local(Submitted::try_from(next(count)).expect("the workload keeps to the limits")),
                |request| runtime.block_on(service.submit_observations(request)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    Ok(())
}

/// The figures that a question touches, packed as tightly as they go: what a loop over them takes
/// is the limit.
fn dense(view: View<'_>, indicators: &[IndicatorIx], months: &[Period]) -> Vec<(u32, i64, i64)> {
    let mut cells = Vec::new();
    for indicator in indicators {
        for slab in months.iter().filter_map(|month| view.columns.slab(*indicator, *month)) {
            for row in slab
                .rows(view.as_of)
                .filter(|row| view.columns.breakdown_at(row.key.breakdown()).is_some_and(Breakdown::is_total))
            {
                let (first, second) = match row.measure() {
                    Some(Measure::Ratio { numerator, denominator }) => (numerator.mantissa(), denominator.mantissa()),
                    Some(Measure::Number(number)) => (number.mantissa(), 0),
                    Some(Measure::Percentage { .. } | Measure::Mean { .. }) | None => (0, 0),
                };
                cells.push((row.key.agency().0, first, second));
            }
        }
    }
    cells
}

fn sum(cells: &[(u32, i64, i64)]) -> [(i64, i64); 64] {
    let mut sums = [(0, 0); 64];
    for (agency, first, second) in cells {
        let sum = &mut sums[*agency as usize % 64];
        sum.0 += first;
        sum.1 += second;
    }
    sums
}

fn queries(c: &mut Criterion, fixture: &Fixture) -> Result<(), Failure> {
    let state = &fixture.full.state;
    let catalogue = state.catalogue();
    let view = state.view(catalogue, state.revision(), &UTC, UTC.date(NOW), AreasAsOf::Then);
    let Questions { q1, q2, q3, q4 } = Questions::new(catalogue)?;
    let months = questions::months()?;
    let all = (0..200).map(|ix| questions::indicator(catalogue, ix)).collect::<Result<Vec<_>, _>>()?;
    let mut group = c.benchmark_group("query");
    let cells = [
        dense(view, &q1.indicators, &months[60..61]),
        dense(view, &q2.indicators, &months),
        dense(view, &all, &months[59..61]),
        dense(view, &q4.indicators, &months[60..72]),
    ];
    for (name, cells) in ["Q1", "Q2", "Q3", "Q4"].iter().zip(&cells) {
        group.throughput(Throughput::Elements(cells.len() as u64));
        group.bench_function(format!("{name}: dense loop"), |b| b.iter(|| sum(black_box(cells))));
        group.bench_function(format!("{name}: engine"), |b| match *name {
            "Q1" => b.iter(|| answer::aggregate(view, &q1)),
            "Q2" => b.iter(|| answer::aggregate(view, &q2)),
            "Q3" => b.iter(|| answer::picture(view, &q3)),
            _ => b.iter(|| answer::aggregate(view, &q4)),
        });
    }
    group.finish();
    Ok(())
}

/// Questions that take more than adding up, each beside a plain one of as many figures.
fn not_plain(c: &mut Criterion) -> Result<(), Failure> {
    let state = not_plain::world()?;
    let view = state.view(state.catalogue(), state.revision(), &UTC, UTC.date(NOW), AreasAsOf::Then);
    let mut group = c.benchmark_group("not plain");
    for (name, query) in not_plain::questions(&state)? {
        group.bench_function(name, |b| b.iter(|| answer::aggregate(view, &query)));
    }
    let query = not_plain::picture(&state)?;
    group.bench_function("picture", |b| b.iter(|| answer::picture(view, &query)));
    group.finish();
    Ok(())
}

fn notation(c: &mut Criterion) {
    let mut group = c.benchmark_group("period");
    for text in ["2022-06", "FY2021-22-Q1", "Apr-Jun 2021", "2021/22"] {
        group.bench_function(text, |b| b.iter(|| black_box(text).parse::<Period>()));
    }
    group.finish();
}

/// Framing, chaining and storing a group, without a disk.
fn framing(c: &mut Criterion, fixture: &Fixture) -> Result<(), Failure> {
    let single = codec::encode(&decide(&fixture.full.state, &fixture.single[0])?);
    let large = codec::encode(&decide(&fixture.full.state, &fixture.large[0])?);
    let mut group = c.benchmark_group("append to memory");
    for (name, payloads) in [("64 entries of 1", vec![single; 64]), ("16 entries of 1,000", vec![large; 16])] {
        let bytes: usize = payloads.iter().map(Vec::len).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |b| {
            b.iter_batched(
                || MemoryJournal::open(&MemoryDisk::new()),
                |journal| journal.and_then(|mut journal| journal.append(Revision::ZERO, &payloads)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    Ok(())
}

/// Making a group durable, beside what the disk takes to write a block over and sync it.
fn appending(c: &mut Criterion, fixture: &Fixture) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let single = codec::encode(&decide(&fixture.full.state, &fixture.single[0])?);
    let large = codec::encode(&decide(&fixture.full.state, &fixture.large[0])?);
    let mut group = c.benchmark_group("journal");
    let file = File::create(folder.path().join("blocks"))?;
    file.write_all_at(&vec![0; BLOCKS * BLOCK_BYTES], 0)?;
    file.sync_all()?;
    let mut blocks = (0..BLOCKS).cycle();
    group.bench_function("append: the disk alone, 4 KiB written over and synced", |b| {
        b.iter(|| {
            let at = blocks.next().unwrap_or_default() * BLOCK_BYTES;
            file.write_all_at(&[1; BLOCK_BYTES], at as u64).and_then(|()| file.sync_data())
        });
    });
    for (count, of, payload) in [
        (1, 1, &single),
        (16, 1, &single),
        (64, 1, &single),
        (256, 1, &single),
        (1, 1_000, &large),
        (16, 1_000, &large),
    ] {
        let payloads = vec![payload.clone(); count];
        let mut journal = DiskJournal::open(&folder.path().join(format!("{count} of {of}")))?;
        group.throughput(Throughput::Elements((count * of) as u64));
        group.bench_function(format!("append: a group of {count} entries of {of}"), |b| {
            b.iter(|| journal.append(journal.tail().revision, &payloads));
        });
        let tail = journal.tail().revision;
        journal.append(tail, &payloads)?;
    }
    group.finish();
    Ok(())
}

fn all(c: &mut Criterion) {
    let run = |c: &mut Criterion| -> Result<(), Failure> {
        let fixture = Fixture::new()?;
        submissions(c, &fixture)?;
        service(c)?;
        queries(c, &fixture)?;
        not_plain(c)?;
        notation(c);
        framing(c, &fixture)?;
        appending(c, &fixture)
    };
    run(c).expect("the workload is admitted");
}

criterion_group! {
    name = kernels;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = all
}
criterion_main!(kernels);

//! How many instructions the service takes for what it does most: run by `.ci/instructions` under callgrind, explained
//! in `docs/performance.md`.
//!
//! Calls go through the served methods, from the bytes of a request to those of its answer. The writer has no thread of
//! its own, so that nothing depends on which thread runs when.

#[path = "kernels/checks.rs"]
mod checks;
#[path = "kernels/not_plain.rs"]
mod not_plain;
#[path = "kernels/questions.rs"]
mod questions;
#[path = "load/workload.rs"]
#[expect(dead_code, reason = "shared with the load, which needs more of it")]
mod workload;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, BufMut, Bytes};
use conspectus::entry::codec;
use conspectus::intake::writer::{Bounds, Writer};
use conspectus::journal::{Journal, MemoryDisk, MemoryJournal};
use conspectus::model::revision::Revision;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::picture::answer;
use conspectus::rpc::proto::picture_service_server::PictureServiceServer;
use conspectus::rpc::proto::submission_service_server::SubmissionServiceServer;
use conspectus::rpc::{Context, Gate, Picture, Submissions, local, proto};
use conspectus::state::view::AreasAsOf;
use conspectus::state::{Fold, State};
use http_body::{Body as _, Frame};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use questions::Questions;
use workload::{Packer, Question, Workload};

type Failure = Box<dyn std::error::Error>;

const OBSERVATIONS: u64 = 100_000;
/// Any time that is after the data's months.
const NOW: Timestamp = Timestamp(1_780_000_000_000_000);

/// When this is called, callgrind writes down what it has, and begins at zero.
#[inline(never)]
fn begin_counting() {
    black_box("begin");
}

/// When this is called, callgrind writes down what it has: the kernel's count.
#[inline(never)]
fn end_counting() {
    black_box("end");
}

/// Counts a kernel's second run: the first fills what is computed once.
fn kernel<T>(name: &str, mut work: impl FnMut() -> Result<T, Failure>) -> Result<(), Failure> {
    black_box(work()?);
    println!("{name}");
    begin_counting();
    let done = black_box(work());
    end_counting();
    done.map(drop)
}

/// A request's body.
struct Sent(Option<Bytes>);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The request of a call, as a connection gives it to the service.
fn request(message: &impl Message, path: &'static str) -> Result<http::Request<Body>, Failure> {
    let mut framed = vec![0];
    framed.put_u32(u32::try_from(message.encoded_len())?);
    message.encode(&mut framed)?;
    let mut request = http::Request::post(path).body(Body::new(Sent(Some(framed.into()))))?;
    *request.extensions_mut() = local(()).into_parts().1;
    Ok(request)
}

/// The service without a network, on a journal in memory.
struct World {
    runtime: Runtime,
    writer: Writer,
    context: Context,
    submissions: SubmissionServiceServer<Submissions>,
    pictures: PictureServiceServer<Picture>,
}

impl World {
    fn new() -> Result<Self, Failure> {
        let journal = MemoryJournal::open(&MemoryDisk::new())?;
        let reader = journal.reader();
        let (writer, handle) = Writer::new(Box::new(journal), Fold::default(), || NOW, UTC.clone(), Bounds::default());
        let (_, stopping) = tokio::sync::watch::channel(false);
        let context = Context {
            writer: handle,
            state: writer.published(),
            timeline: writer.timeline(),
            reader,
            clock: Arc::new(|| NOW),
            zone: UTC.clone(),
            stopping,
        };
        let gate = Gate::default();
        gate.open(context.clone());
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build()?,
            writer,
            context,
            submissions: SubmissionServiceServer::new(Submissions::new(gate.clone())),
            pictures: PictureServiceServer::new(Picture::new(gate)),
        })
    }

    /// Waits for what the writer is to answer, and has it write whenever that is waited for.
    fn wait<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        let writer = &mut self.writer;
        self.runtime.block_on(poll_fn(|task| {
            let mut polled = what.as_mut().poll(task);
            while polled.is_pending() && writer.write_group() > 0 {
                polled = what.as_mut().poll(task);
            }
            polled
        }))
    }

    /// How many bytes a call is answered with.
    fn call<F>(&mut self, call: F) -> Result<usize, Failure>
    where
        F: Future<Output = Result<http::Response<Body>, Infallible>>,
    {
        self.wait(async {
            let mut answer = pin!(call.await?.into_body());
            let mut bytes = 0;
            while let Some(frame) = poll_fn(|task| answer.as_mut().poll_frame(task)).await {
                bytes += frame?.data_ref().map_or(0, Buf::remaining);
            }
            // A refusal has no message.
            if bytes == 0 { Err("the call was refused".into()) } else { Ok(bytes) }
        })
    }

    fn submit(&mut self, request: http::Request<Body>) -> Result<usize, Failure> {
        let call = self.submissions.call(request);
        self.call(call)
    }

    fn ask(&mut self, request: http::Request<Body>) -> Result<usize, Failure> {
        let call = self.pictures.call(request);
        self.call(call)
    }

    /// Every entry's bytes.
    fn journal(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let newest = self.context.state.borrow().revision();
        let read = |revision| -> Result<Vec<u8>, Failure> {
            Ok(self.context.reader.read(Revision(revision))?.ok_or("no such entry")?.payload)
        };
        (1..=newest.0).map(read).collect()
    }
}

fn submission(message: &proto::SubmitObservationsRequest) -> Result<http::Request<Body>, Failure> {
    request(message, "/conspectus.v1.SubmissionService/SubmitObservations")
}

fn submissions(world: &mut World) -> Result<(), Failure> {
    let other = Workload { observations: OBSERVATIONS, seed: 2 };
    let batches = other.batches().skip(10).zip(1..).take(4);
    let batches: Vec<_> = batches
        .map(|(batch, n)| proto::SubmitObservationsRequest { request_id: format!("other-{n}"), ..batch })
        .collect();
    let messages = batches[..2].iter().map(submission).collect::<Result<Vec<_>, _>>()?;
    let columns = batches[2..].iter().map(|batch| submission(&Packer::default().pack(batch)));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let singles = (1..3).map(|n| submission(&other.single(n))).collect::<Result<Vec<_>, _>>()?;
    for (name, requests) in [
        ("submission of 1,000 as messages", messages),
        ("submission of 1,000 as columns", columns),
        ("submission of 1", singles),
    ] {
        let mut requests = requests.into_iter();
        kernel(name, || world.submit(requests.next().ok_or("too few requests")?))?;
    }
    Ok(())
}

/// Submissions of a thousand that are held against checks.
fn checked() -> Result<(), Failure> {
    let mut world = World::new()?;
    let (writer, put) = (world.context.writer.clone(), checks::catalogue()?);
    world.wait(writer.write(put))?;
    let named = checks::INDICATORS.iter().enumerate().filter(|(_, (name, ..))| !name.is_empty());
    for (indicator, (name, ..)) in named {
        let request = |at| submission(&checks::submission(indicator, at).ok_or("no such month")?);
        for at in 0..checks::MONTHS {
            world.submit(request(at)?)?;
        }
        let mut requests = [request(checks::MONTHS)?, request(checks::MONTHS + 1)?].into_iter();
        let name = format!("submission of 1,000 with {name}");
        kernel(&name, || world.submit(requests.next().ok_or("too few requests")?))?;
    }
    Ok(())
}

fn questions(world: &mut World) -> Result<(), Failure> {
    let state = Arc::clone(&world.context.state.borrow());
    let catalogue = state.catalogue();
    let view = state.view(catalogue, state.revision(), &UTC, UTC.date(NOW), AreasAsOf::Then);
    let Questions { q1, q2, q3, q4 } = Questions::new(catalogue)?;
    kernel("Q1", || Ok(answer::aggregate(view, &q1)))?;
    kernel("Q2", || Ok(answer::aggregate(view, &q2)))?;
    kernel("Q3", || Ok(answer::picture(view, &q3)))?;
    kernel("Q4", || Ok(answer::aggregate(view, &q4)))?;
    for (name, question) in [("Q1", Question::Q1), ("Q2", Question::Q2), ("Q4", Question::Q4)] {
        let path = "/conspectus.v1.PictureService/QueryAggregate";
        asked(world, &format!("{name}, asked for by a call"), || request(&question.aggregate(59), path))?;
    }
    let path = "/conspectus.v1.PictureService/GetPicture";
    asked(world, "picture, asked for by a call", || request(&workload::picture(59), path))
}

/// Counts the second of two calls.
fn asked(
    world: &mut World,
    name: &str,
    request: impl Fn() -> Result<http::Request<Body>, Failure>,
) -> Result<(), Failure> {
    let mut requests = [request()?, request()?].into_iter();
    kernel(name, || world.ask(requests.next().ok_or("too few requests")?))
}

/// Questions that take more than adding up, each beside a plain one of as many figures.
fn not_plain() -> Result<(), Failure> {
    let state = not_plain::world()?;
    let view = state.view(state.catalogue(), state.revision(), &UTC, UTC.date(NOW), AreasAsOf::Then);
    for (name, query) in not_plain::questions(&state)? {
        kernel(name, || Ok(answer::aggregate(view, &query)))?;
    }
    let query = not_plain::picture(&state)?;
    kernel("picture of these", || Ok(answer::picture(view, &query)))
}

fn replay(entries: &[Vec<u8>]) -> Result<State, Failure> {
    let mut fold = Fold::default();
    for entry in entries {
        fold.apply(&codec::decode(entry)?);
    }
    Ok(fold.state())
}

fn main() -> Result<(), Failure> {
    let mut world = World::new()?;
    let writer = world.context.writer.clone();
    world.wait(writer.write(workload::catalogue()?))?;
    for batch in (Workload { observations: OBSERVATIONS, seed: 1 }).batches() {
        world.submit(submission(&batch)?)?;
    }
    let entries = world.journal()?;
    kernel("replay of 100,000", || replay(&entries))?;
    questions(&mut world)?;
    not_plain()?;
    submissions(&mut world)?;
    checked()
}

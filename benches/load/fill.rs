//! Large submissions: what fills a server, what that costs, and what a full server takes.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use conspectus::rpc::proto;
use prost::Message;

use crate::drive::{Measured, drive};
use crate::echo::Echoed;
use crate::process::{self, Each, Server};
use crate::report::{Section, Unit};
use crate::stream::Streamed;
use crate::wire::{self, Call};
use crate::workload::{BATCH_OBSERVATIONS, Packer, Workload};
use crate::{Failure, Run, echo, fresh, stream};

const SENDERS: usize = 16;
const STREAMS: [usize; 2] = [1, 4];
/// So many submissions are encoded before the clock starts. Those of a larger fill don't fit into memory beside the
/// server: they are made as they are sent, and not measured.
const MEASURED_MAX: usize = 1_100;
/// Submissions to the full server, by which their cost at its size is measured.
const LAST: usize = 200;

/// The submissions that fill a server.
pub(crate) struct Batches {
    workload: Workload,
    /// The first of them, encoded.
    measured: Arc<[Bytes]>,
}

impl Batches {
    pub(crate) fn new(workload: Workload) -> Self {
        let measured = workload.batches().take(MEASURED_MAX).map(|batch| batch.encode_to_vec().into());
        Self { workload, measured: measured.collect() }
    }
}

impl Run<'_> {
    /// Fills the server: the submissions that are measured, then the others.
    pub(crate) async fn fill(&mut self, server: &Server, batches: &Batches) -> Result<(), Failure> {
        self.large(Section::Large, ("", ""), server, &batches.measured).await?;
        let rest = Mutex::new(batches.workload.batches().skip(MEASURED_MAX));
        let next = move |_| {
            let batch = rest.lock().ok()?.next()?;
            Some(Call::new(wire::SUBMIT, Packer::default().pack(&batch).encode_to_vec()))
        };
        let found = drive(server, SENDERS, None, next).await?;
        if found.calls() > 0 {
            let rate = found.rate() * BATCH_OBSERVATIONS as f64;
            let label = "the rest of the fill, made as it is sent, 16 at a time";
            self.report.add(Section::Large, "rest", label, rate, Unit::ObservationsPerSecond);
        }
        Ok(())
    }

    /// Sends submissions: a tenth by one sender, the rest by several. The figures' keys and labels
    /// begin with `prefixes`.
    async fn large(
        &mut self,
        section: Section,
        prefixes: (&str, &str),
        server: &Server,
        batches: &Arc<[Bytes]>,
    ) -> Result<(), Failure> {
        let alone = batches.len().div_ceil(10);
        for (senders, from, to) in [(1, 0, alone), (SENDERS, alone, batches.len())] {
            let sent = Arc::clone(batches);
            let next = move |number| {
                let at = from + usize::try_from(number).ok()?;
                (at < to).then(|| Call::new(wire::SUBMIT, sent[at].clone()))
            };
            let before = server.usage()?;
            let found = drive(server, senders, None, next).await?;
            let each = server.usage()?.each_since(before, ((to - from) * BATCH_OBSERVATIONS) as u64);
            let sent = Arc::clone(batches);
            let message = move |number| sent[from + usize::try_from(number).unwrap_or(0) % (to - from)].clone();
            let echo = self.echo(senders, Echoed::Submission, &found.answer, message).await?;
            let of = |found: &Measured| found.rate() * BATCH_OBSERVATIONS as f64;
            let key = |of: &str| format!("{}senders_{senders}{of}", prefixes.0);
            let label = |of: &str| format!("{}{senders} at a time{of}", prefixes.1);
            let beside = ("echo", of(&echo));
            self.report.compare(section, &key(""), &label(""), of(&found), Unit::ObservationsPerSecond, beside);
            let beside = ("echo", echo.milliseconds(0.5));
            let p50 = found.milliseconds(0.5);
            self.report.compare(section, &key("_p50"), &label(", p50"), p50, Unit::Milliseconds, beside);
            let p99 = found.milliseconds(0.99);
            self.report.add(section, &key("_p99"), &label(", p99"), p99, Unit::Milliseconds);
            self.cost_of_observations(section, (&key(""), &label("")), each);
        }
        Ok(())
    }

    fn cost_of_observations(&mut self, section: Section, names: (&str, &str), each: Each) {
        for (of, value) in [("cpu", each.cpu), ("cpu_system", each.system)] {
            let key = format!("{}_{of}", names.0);
            let label = format!("{}, {of} of the server", names.1);
            self.report.add(section, &key, &label, value, Unit::MicrosecondsPerObservation);
        }
    }

    /// The measured observations again, each way on a fresh server.
    pub(crate) async fn bulk(&mut self, batches: &Batches) -> Result<(), Failure> {
        let requests: Vec<_> = batches
            .measured
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
                let before = server.usage()?;
                let found = stream::stream(&server, wire::STREAM, messages.clone(), is_accepted).await?;
                let each = server.usage()?.each_since(before, (requests.len() * BATCH_OBSERVATIONS) as u64);
                server.stop()?;
                self.echo_answers(Echoed::Submission, &found.answer).await?;
                let echo = stream::stream(&self.echo, echo::STREAM, messages, |_| Ok(())).await?;
                let of = |found: &Streamed| found.rate() * BATCH_OBSERVATIONS as f64;
                let key = format!("streams_{streams}_{name}");
                let label = format!("streams of {name}, {streams} at once");
                let beside = ("echo", of(&echo));
                self.report.compare(Section::Bulk, &key, &label, of(&found), Unit::ObservationsPerSecond, beside);
                self.cost_of_observations(Section::Bulk, (&key, &label), each);
            }
        }
        Ok(())
    }

    /// What the observations take on the disk and in memory, and how long a start takes.
    pub(crate) async fn size(&mut self, server: Server, data: &Path, empty: (u64, u64)) -> Result<Server, Failure> {
        let observations = self.workload.observations as f64;
        let each = |bytes: u64, before: u64| bytes.saturating_sub(before) as f64 / observations;
        let received = each(server.resident_bytes()?, empty.0);
        server.stop()?;
        let disk = each(process::disk_bytes(data)?, empty.1);
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

    /// What large submissions cost at this size, beside what they cost on an empty server.
    pub(crate) async fn last(&mut self, server: &Server) -> Result<(), Failure> {
        let other = Workload { seed: !self.workload.seed, ..self.workload };
        let messages: Vec<Bytes> = (0..)
            .zip(other.batches().take(LAST))
            .map(|(number, batch)| {
                let request_id = format!("last-{number}");
                proto::SubmitObservationsRequest { request_id, ..batch }.encode_to_vec().into()
            })
            .collect();
        let next = move |number| Some(Call::new(wire::SUBMIT, messages.get(usize::try_from(number).ok()?)?.clone()));
        let found = drive(server, SENDERS, None, next).await?.rate() * BATCH_OBSERVATIONS as f64;
        let Some(first) = self.report.last(Section::Large, "senders_16_obs_per_s") else { return Ok(()) };
        let beside = ("empty", first);
        let label = "1,000 a submission, 16 at a time, when full";
        self.report.compare(Section::Size, "last", label, found, Unit::ObservationsPerSecond, beside);
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

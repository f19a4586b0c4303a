//! The search for a method's dearest requests: one after another, from a small one that is in order, each with some
//! fields of a dear one changed; kept are those for which the server computed longest, and those for which it took
//! most memory.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conspectus::access::Role;
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::Status;

use crate::call::Caller;
use crate::measure::Process;
use crate::random::Random;
use crate::requests::{Method, Requests, as_new, next_page};

/// How many of the dearest are changed further.
const KEPT: usize = 8;
/// After how many that aren't dearer by a tenth than those before the search ends.
const STALE: usize = 800;

/// How long a search goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a method.
    pub(crate) search: Duration,
    /// For a request. Dearer is as dear: the hostile callers' deadlines are shorter.
    pub(crate) request: Duration,
    /// For the dearest once more: longer than the server computes for a caller without a deadline.
    pub(crate) leisure: Duration,
}

/// A request, and what it took.
#[derive(Debug, Clone)]
pub(crate) struct Dear {
    pub(crate) request: DynamicMessage,
    /// How long the server computed.
    pub(crate) cpu: Duration,
    /// How long it took.
    pub(crate) time: Duration,
    /// What the server's memory grew by while it was answered.
    pub(crate) bytes: u64,
    /// How it was answered.
    pub(crate) outcome: String,
}

/// The dearest that were found, by time and by memory; and how many were tried.
pub(crate) struct Found {
    pub(crate) dearest: Vec<Dear>,
    /// The dearest once more, by a caller who waits for it.
    pub(crate) at_leisure: Dear,
    pub(crate) tried: usize,
}

impl Found {
    /// Their texts, the longest cut.
    pub(crate) fn describe(&self) -> String {
        let describe = |dear: &Dear| {
            let text = serde_json::to_string(&dear.request).unwrap();
            let cut: String = text.chars().take(300).collect();
            let bytes = dear.request.encoded_len();
            let memory = dear.bytes >> 20;
            let (cpu, time) = (dear.cpu, dear.time);
            format!("    {cpu:.1?} computed, {time:.1?}, {memory} MiB, {}, of {bytes} bytes: {cut}", dear.outcome)
        };
        self.dearest.iter().chain([&self.at_leisure]).map(describe).collect::<Vec<_>>().join("\n")
    }
}

/// Searches until nothing dearer has been found for a while, and for no longer than this; begins with what other
/// searches found.
pub(crate) async fn search(
    (caller, process): (&Caller, Process),
    method: &Method,
    requests: &Requests,
    mut known: Vec<DynamicMessage>,
    random: &mut Random,
    patience: Patience,
) -> Found {
    let begun = Instant::now();
    let (mut by_cpu, mut by_bytes): (Vec<Dear>, Vec<Dear>) = (Vec::new(), Vec::new());
    let mut next = Some(requests.start(method));
    let (mut tried, mut improved) = (0, 0);
    while tried < 5 || !known.is_empty() || (begun.elapsed() < patience.search && tried - improved < STALE) {
        let request = next.take().or_else(|| known.pop()).unwrap_or_else(|| {
            let kept = if random.one_in(3) { &by_bytes } else { &by_cpu };
            let from = if random.one_in(6) { requests.start(method) } else { random.pick(kept).request.clone() };
            match random.below(4) {
                0 => Requests::crossed(&from, &random.pick(&by_cpu).request.clone(), random),
                _ => requests.changed(&from, random).unwrap_or(from),
            }
        });
        tried += 1;
        let (mut dear, answer) = took((caller, process), method, request, random, patience.request).await;
        let is_among = |kept: &[Dear], dear: &Dear| kept.len() < KEPT || dear.cpu > kept[KEPT - 1].cpu;
        if is_among(&by_cpu, &dear) {
            // What was dear by chance isn't twice.
            let (again, _) = took((caller, process), method, dear.request.clone(), random, patience.request).await;
            dear.cpu = dear.cpu.min(again.cpu);
        }
        if let Ok(answer) = &answer {
            next = next_page(method, &dear.request, answer).filter(|_| random.one_in(2));
        }
        let is_dearer =
            |most: Option<&Dear>, of: fn(&Dear) -> u128| most.is_none_or(|most| of(&dear) * 10 > of(most) * 11);
        if is_dearer(by_cpu.first(), |dear| dear.cpu.as_nanos())
            || is_dearer(by_bytes.first(), |dear| dear.bytes.into())
        {
            improved = tried;
        }
        by_cpu.push(dear.clone());
        by_cpu.sort_by_key(|dear| std::cmp::Reverse(dear.cpu));
        by_cpu.truncate(KEPT);
        by_bytes.push(dear);
        by_bytes.sort_by_key(|dear| std::cmp::Reverse(dear.bytes));
        by_bytes.truncate(KEPT);
    }
    let dearest = [by_cpu.swap_remove(0), by_bytes.swap_remove(0)];
    let dear = dearest[0].request.clone();
    let (at_leisure, _) = took((caller, process), method, dear, random, patience.leisure).await;
    Found { dearest: dearest.into(), at_leisure, tried }
}

/// Sends a request, and says what it took, and how it was answered.
async fn took(
    (caller, process): (&Caller, Process),
    method: &Method,
    request: DynamicMessage,
    random: &mut Random,
    deadline: Duration,
) -> (Dear, Result<Bytes, Status>) {
    let mut sent = request.encode_to_vec();
    sent.extend(as_new(method, random.below(usize::MAX) as u64));
    let before = process.begin();
    let (cpu, begun) = (process.cpu(), Instant::now());
    let answer = caller.call((method.path, method.form), sent.into(), deadline).await;
    let dear = Dear {
        time: begun.elapsed(),
        cpu: process.cpu().saturating_sub(cpu),
        bytes: process.peak_since(before),
        outcome: match &answer {
            Ok(answer) => format!("{} bytes", answer.len()),
            Err(status) => format!("{:?}", status.code()),
        },
        request,
    };
    (dear, answer)
}

/// Whose requests a search sends.
pub(crate) fn searcher(role: Role) -> String {
    crate::world::caller(role, 0)
}

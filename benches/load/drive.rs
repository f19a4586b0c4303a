//! The closed loop: so many senders, each with one call open at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tonic::transport::Channel;

use crate::Failure;
use crate::process::Server;
use crate::wire::{self, Call};

/// Over how many connections many senders go. HTTP/2 would take one, whose lock they would then
/// share in the client and in the server.
const CONNECTIONS_MAX: usize = 4;
/// No measurement takes longer.
const DRIVE_TIMEOUT: Duration = Duration::from_secs(900);

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
}

/// What came of it.
pub(crate) struct Measured {
    nanoseconds: Histogram<u64>,
    elapsed: Duration,
    calls: u64,
    /// The largest of the senders' last answers.
    pub(crate) answer: Bytes,
}

impl Measured {
    /// How many calls there were, the uncounted of the warm-up too.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// Calls a second.
    pub(crate) fn rate(&self) -> f64 {
        self.nanoseconds.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the latency, in milliseconds.
    pub(crate) fn milliseconds(&self, quantile: f64) -> f64 {
        self.nanoseconds.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Drives a server with calls, numbered from 0, until the window ends or there is no further call.
/// Without a window it goes on until there is none, and counts all.
pub(crate) async fn drive(
    server: &Server,
    senders: usize,
    window: Option<Window>,
    next: impl Fn(u64) -> Option<Call> + Send + Sync + 'static,
) -> Result<Measured, Failure> {
    let channels = (0..senders.min(CONNECTIONS_MAX)).map(|_| server.channel()).collect::<Result<Vec<_>, _>>()?;
    let (next, number) = (Arc::new(next), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let from = window.map(|window| start + window.warm_up);
    let until = window.map_or(start + DRIVE_TIMEOUT, |window| start + window.warm_up + window.measured);
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..senders {
        let channel = channels[sender % channels.len()].clone();
        let (next, number) = (Arc::clone(&next), Arc::clone(&number));
        tasks.spawn(async move {
            let next = || next(number.fetch_add(1, Ordering::Relaxed));
            send(&channel, next, from, until).await
        });
    }
    let mut all = Measured { nanoseconds: histogram()?, elapsed: Duration::ZERO, calls: 0, answer: Bytes::new() };
    let mut first_sent = None;
    while let Some(ended) = tasks.join_next().await {
        let sent = ended??;
        all.nanoseconds.add(sent.nanoseconds)?;
        all.calls += sent.calls;
        if sent.answer.len() > all.answer.len() {
            all.answer = sent.answer;
        }
        first_sent = first_sent.into_iter().chain(sent.first).min();
    }
    all.elapsed = first_sent.map_or(Duration::ZERO, |first| first.elapsed());
    if window.is_none() && Instant::now() >= until {
        return Err(format!("not done after {} seconds", DRIVE_TIMEOUT.as_secs()).into());
    }
    Ok(all)
}

/// What one sender counted.
struct Sent {
    nanoseconds: Histogram<u64>,
    /// When the first call that is counted was sent.
    first: Option<Instant>,
    calls: u64,
    answer: Bytes,
}

/// One sender: calls until the end. What was sent after the warm-up is counted, and at least one
/// call after the first, so that slow ones are counted too.
async fn send(
    channel: &Channel,
    next: impl Fn() -> Option<Call>,
    from: Option<Instant>,
    until: Instant,
) -> Result<Sent, Failure> {
    let mut counted = Sent { nanoseconds: histogram()?, first: None, calls: 0, answer: Bytes::new() };
    let mut is_warm = from.is_none();
    while let Some(call) = next() {
        let sent = Instant::now();
        if sent >= until && (from.is_none() || counted.first.is_some()) {
            break;
        }
        counted.answer = wire::call(channel, call).await?;
        counted.calls += 1;
        if is_warm {
            counted.first.get_or_insert(sent);
            counted.nanoseconds.record(u64::try_from(sent.elapsed().as_nanos())?)?;
        }
        is_warm |= from.is_some_and(|from| Instant::now() >= from);
    }
    Ok(counted)
}

/// Latencies up to a minute and beyond, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new(3)?)
}

//! The open loop: calls at a fixed rate, whatever becomes of those before. A latency counts from when
//! its call should have been sent, so that a server that falls behind shows it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Failure;
use crate::drive::{Window, histogram};
use crate::process::Server;
use crate::wire::{self, Call};

const CONNECTIONS: usize = 4;
/// A server that is further behind isn't waited for.
const OPEN_CALLS_MAX: usize = 50_000;

/// Sends calls, numbered from 0, at a rate a second; gives the latencies in nanoseconds.
pub(crate) async fn open_loop(
    server: &Server,
    rate: f64,
    window: Window,
    next: impl Fn(u64) -> Option<Call> + Send + 'static,
) -> Result<Histogram<u64>, Failure> {
    let channels = (0..CONNECTIONS).map(|_| server.channel()).collect::<Result<Vec<_>, _>>()?;
    let (done, mut latencies) = tokio::sync::mpsc::unbounded_channel();
    let open = Arc::new(tokio::sync::Semaphore::new(OPEN_CALLS_MAX));
    let runtime = tokio::runtime::Handle::current();
    let start = Instant::now();
    let (from, until) = (start + window.warm_up, start + window.warm_up + window.measured);
    // A thread of its own: the runtime's timer has whole milliseconds only.
    let sender = std::thread::spawn(move || {
        for number in 0.. {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            if due >= until {
                return Ok(());
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let Some(call) = next(number) else { return Ok(()) };
            let permit = Arc::clone(&open).try_acquire_owned().map_err(|_| "the server doesn't keep up")?;
            let channel = channels[usize::try_from(number).unwrap_or(0) % CONNECTIONS].clone();
            let done = done.clone();
            runtime.spawn(async move {
                let answer = wire::call(&channel, call).await.map(|_| due.elapsed());
                drop(done.send((due >= from, answer)));
                drop(permit);
            });
        }
        Ok::<_, Failure>(())
    });
    let mut nanoseconds = histogram()?;
    while let Some((is_counted, latency)) = latencies.recv().await {
        let latency = u64::try_from(latency?.as_nanos())?;
        if is_counted {
            nanoseconds.record(latency)?;
        }
    }
    sender.join().map_err(|_| "the sender panicked")??;
    Ok(nanoseconds)
}

//! How cost grows with what is stored: the same measurements at several sizes, as CSV for a chart.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use prost::Message;

use crate::Failure;
use crate::drive::{Window, drive};
use crate::process::{self, Server};
use crate::wire::{self, Call};
use crate::workload::{BATCH_OBSERVATIONS, Question, Workload};

const SENDERS: usize = 16;
const WINDOW: Window = Window { warm_up: Duration::from_millis(500), measured: Duration::from_secs(2) };
/// Submissions after the fill, by which its cost at the full size is told.
const LAST_SUBMISSIONS: usize = 200;

/// Measures each size on a fresh server.
pub(crate) async fn measure(sizes: &[u64], seed: u64) -> Result<(), Failure> {
    println!(
        "observations,fill_obs_per_s,last_obs_per_s,single_per_s,q1_ms,q2_ms,q3_ms,q4_ms,start_s,memory_bytes_per_obs,disk_bytes_per_obs"
    );
    for observations in sizes {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        println!("{}", line(&folder.path().join("data"), Workload { observations: *observations, seed }).await?);
    }
    Ok(())
}

async fn line(data: &Path, workload: Workload) -> Result<String, Failure> {
    let server = crate::fresh(data).await?;
    let empty = (server.resident_bytes()?, process::disk_bytes(data)?);
    // Encoded as they are sent: the larger sizes don't fit beside the server.
    let batches = Mutex::new(workload.batches());
    let next = move |_| {
        let batch = batches.lock().ok()?.next()?;
        Some(Call { method: wire::SUBMIT, message: batch.encode_to_vec().into() })
    };
    let fill = drive(&server, SENDERS, None, next).await?.rate() * BATCH_OBSERVATIONS as f64;
    let other = Workload { seed: !workload.seed, ..workload };
    let last = Mutex::new(other.batches().take(LAST_SUBMISSIONS));
    let next = move |number| {
        let mut batch = last.lock().ok()?.next()?;
        batch.request_id = format!("last-{number}");
        Some(Call { method: wire::SUBMIT, message: batch.encode_to_vec().into() })
    };
    let last = drive(&server, SENDERS, None, next).await?.rate() * BATCH_OBSERVATIONS as f64;
    let singles =
        move |number| Some(Call { method: wire::SUBMIT, message: workload.single(number).encode_to_vec().into() });
    let single = drive(&server, SENDERS, Some(WINDOW), singles).await?.rate();
    server.stop()?;
    let disk = process::disk_bytes(data)?.saturating_sub(empty.1) as f64 / workload.observations as f64;
    let (server, start) = Server::conspectus(data).await?;
    let memory = server.resident_bytes()?.saturating_sub(empty.0) as f64 / workload.observations as f64;
    let mut line = format!("{},{fill:.0},{last:.0},{single:.0}", workload.observations);
    for question in Question::ALL {
        let asked = crate::ask(&server, 1, WINDOW, question).await?;
        line += &format!(",{:.3}", asked.milliseconds(0.5));
    }
    server.stop()?;
    Ok(line + &format!(",{:.3},{memory:.1},{disk:.1}", start.as_secs_f64()))
}

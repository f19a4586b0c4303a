//! How cost grows with what is stored: the same measurements at several sizes, as CSV for a chart.

use std::path::Path;
use std::sync::Mutex;

use prost::Message;

use crate::Failure;
use crate::drive::{Window, drive};
use crate::process::{self, Server};
use crate::wire::{self, Call};
use crate::workload::{BATCH_OBSERVATIONS, Question, Workload};

const SENDERS: usize = 16;
/// Submissions after the fill, by which its cost at the full size is measured.
const LAST_SUBMISSIONS: usize = 200;

/// Measures each size on a fresh server.
pub(crate) async fn measure(sizes: &[u64], seed: u64, window: Window) -> Result<(), Failure> {
    let mut csv = csv::Writer::from_writer(std::io::stdout());
    for (number, observations) in sizes.iter().enumerate() {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let workload = Workload { observations: *observations, seed };
        let (columns, values): (Vec<_>, Vec<_>) =
            figures(&folder.path().join("data"), workload, window).await?.into_iter().unzip();
        if number == 0 {
            csv.write_record(columns)?;
        }
        csv.write_record(values)?;
        csv.flush()?; // The larger sizes take minutes.
    }
    Ok(())
}

/// The figures of one size by their column.
async fn figures(data: &Path, workload: Workload, window: Window) -> Result<Vec<(String, String)>, Failure> {
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
    let single = drive(&server, SENDERS, Some(window), singles).await?.rate();
    server.stop()?;
    let disk = process::disk_bytes(data)?.saturating_sub(empty.1) as f64 / workload.observations as f64;
    let (server, start) = Server::conspectus(data).await?;
    let memory = server.resident_bytes()?.saturating_sub(empty.0) as f64 / workload.observations as f64;
    let mut p50s = Vec::new();
    for question in Question::ALL {
        let measured = crate::ask(&server, 1, window, question).await?;
        p50s.push((format!("{}_ms", question.key()), format!("{:.3}", measured.milliseconds(0.5))));
    }
    server.stop()?;
    let column = |name: &str, value: String| (name.to_owned(), value);
    let before = [
        column("observations", workload.observations.to_string()),
        column("fill_obs_per_s", format!("{fill:.0}")),
        column("last_obs_per_s", format!("{last:.0}")),
        column("single_per_s", format!("{single:.0}")),
    ];
    let after = [
        column("start_s", format!("{:.3}", start.as_secs_f64())),
        column("memory_bytes_per_obs", format!("{memory:.1}")),
        column("disk_bytes_per_obs", format!("{disk:.1}")),
    ];
    Ok(before.into_iter().chain(p50s).chain(after).collect())
}

//! The machine: what it is, and what its disk does at this moment.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::report::{Section, Unit};
use crate::{Failure, Run, drive};

const PAGE_BYTES: usize = 4096;
const PAGES_MAX: u64 = 2_000;
const DISK_TIME_MAX: Duration = Duration::from_millis(500);

/// The medians of writing and syncing 4 KiB, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    /// At the end of a growing file.
    pub(crate) append: f64,
    /// In place, which spares the file system a note of the new length.
    pub(crate) overwrite: f64,
}

impl Run<'_> {
    /// How fast 4 KiB are written and synced, one after the other.
    pub(crate) fn disk(&mut self) -> Result<Disk, Failure> {
        let path = self.folder.join("pages");
        let mut one = |key: &str, label: &str| -> Result<f64, Failure> {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            let mut nanoseconds = drive::histogram()?;
            let start = Instant::now();
            // What is overwritten was appended just before; the further it gets, the more there is.
            let there = file.metadata()?.len() / PAGE_BYTES as u64;
            let pages_max = if there == 0 { PAGES_MAX } else { there };
            while start.elapsed() < DISK_TIME_MAX && nanoseconds.len() < pages_max {
                let one = Instant::now();
                file.write_all(&[1; PAGE_BYTES])?;
                file.sync_data()?;
                nanoseconds.record(u64::try_from(one.elapsed().as_nanos())?)?;
            }
            let median = nanoseconds.value_at_quantile(0.5) as f64 / 1e6;
            self.report.add(Section::Machine, key, label, median, Unit::Milliseconds);
            Ok(median)
        };
        let append = one("fdatasync_append_p50", "4 KiB appended and synced, p50")?;
        let overwrite = one("fdatasync_overwrite_p50", "4 KiB overwritten and synced, p50")?;
        std::fs::remove_file(&path)?;
        Ok(Disk { append, overwrite })
    }
}

/// What the figures hold for.
pub(crate) fn describe() -> Result<Value, Failure> {
    let of = |file: &str, name: &str| -> Result<String, Failure> {
        let text = std::fs::read_to_string(file)?;
        let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        Ok(line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default())
    };
    Ok(json!({
        "processor": of("/proc/cpuinfo", "model name")?,
        "cores": std::thread::available_parallelism()?,
        "memory": of("/proc/meminfo", "MemTotal")?,
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        "date": jiff::Timestamp::now().to_string(),
        "load_average_at_the_start": load_average()?,
    }))
}

/// How many processes have wanted to run, over the last minute.
pub(crate) fn load_average() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// The commit, and whether there are changes since.
pub(crate) fn commit() -> Value {
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    json!({ "id": git(&["rev-parse", "--short=10", "HEAD"]), "changed": changed })
}

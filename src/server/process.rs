//! What the system knows of this process. `/proc` is in memory: reading it waits for no disk.

use std::fs;

use prometheus_client::metrics::info::Info;
use rustix::process::{Resource, getrlimit};

use crate::metrics::{self, Registry};
use crate::model::timestamp::Timestamp;

/// Adds the metrics of the process, which started at an instant.
pub(super) fn register(registry: &mut Registry, started: Timestamp) {
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    metrics::register(registry, "conspectus_build", "The program's version", version);
    let started = started.0 / 1_000_000;
    let help = "When the server started, in seconds since 1970";
    metrics::gauge(registry, "process_start_time_seconds", help, move || Some(started));
    metrics::gauge(registry, "conspectus_memory_bytes", "The memory that the process has (resident)", memory_bytes);
    metrics::gauge(registry, "conspectus_open_files", "Files and connections that the process has open", open_files);
    metrics::gauge(registry, "conspectus_open_files_max", "How many it may have open", open_files_max);
}

/// Where the system says.
pub(super) fn memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024)
}

pub(super) fn open_files() -> Option<u64> {
    // Without the one that reads the list.
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

/// None where there is no limit.
pub(super) fn open_files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_how_much_memory_and_how_many_files_there_are() {
        let megabyte = 1 << 20;
        let before = memory_bytes().unwrap();
        let taken = vec![1_u8; 64 * megabyte];
        assert!(memory_bytes().unwrap() > before + 32 * megabyte as u64, "{}", taken.len());
        let max = open_files_max().unwrap_or(u64::MAX);
        assert!((3..max).contains(&open_files().unwrap()));
    }
}

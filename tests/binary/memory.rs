//! The memory of a process, as Linux says it.

/// One of the sizes in `/proc/PID/status`, in bytes: `VmRSS` is what it has, `VmHWM` the most that it had.
pub(crate) fn memory_bytes(process: u32, size: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(size)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

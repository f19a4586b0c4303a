//! A server's syncs of the disk, counted from outside.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::Failure;
use crate::process::Server;

/// A running `strace`, which counts a server's syncs.
pub(crate) struct Syncs {
    child: Child,
    /// Its standard error: a pipe that must stay open.
    _stderr: BufReader<ChildStderr>,
    counts: PathBuf,
}

impl Syncs {
    /// None without `strace`, or without the right to trace.
    pub(crate) fn count(server: &Server, counts: &Path) -> Result<Option<Self>, Failure> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-e", "trace=fsync,fdatasync", "-p", &server.id().to_string(), "-o"]);
        let Ok(mut child) = strace.arg(counts).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
            return Ok(None);
        };
        // The first line is that it is attached, or why it can't be.
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().ok_or("strace has no standard error")?);
        stderr.read_line(&mut line)?;
        if !line.contains("attached") {
            child.wait()?;
            return Ok(None);
        }
        Ok(Some(Self { child, _stderr: stderr, counts: counts.to_owned() }))
    }

    /// How many there were.
    pub(crate) fn end(mut self) -> Result<u64, Failure> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        let counts = std::fs::read_to_string(&self.counts)?;
        // `100.00    0.018205          90       202           fdatasync`, and a total.
        let calls = counts.lines().filter(|line| line.ends_with("sync"));
        Ok(calls.filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok()).sum())
    }
}

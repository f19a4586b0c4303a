//! Looks at the real server from outside, through `strace`: between a submission and its acknowledgement the
//! write-ahead log is written and synced, and submissions that come together share a sync.
//!
//! Needs `strace` and the right to trace; without it the test prints `skipped` and passes.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod binary;

use binary::Server;
use binary::load::{Load, request};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A running `strace` of one process.
struct Trace {
    process: Child,
    /// Its standard error: a pipe that must stay open.
    _stderr: BufReader<ChildStderr>,
}

/// A call to the write-ahead log's file that ended well: when it began and ended, in microseconds.
#[derive(Debug)]
struct Call {
    sync: bool,
    began: u128,
    ended: u128,
}

impl Trace {
    fn of(server: &Server, output: &Path) -> Option<Self> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-ttt", "-T", "-e", "trace=pwrite64,fdatasync", "-p", &server.id().to_string(), "-o"]);
        let mut started = strace.arg(output).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
        // The first line is that it is attached, or why it can't be.
        let mut line = String::new();
        let mut stderr = BufReader::new(started.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let attached = line.contains("attached");
        if !attached {
            started.wait().unwrap();
        }
        attached.then_some(Self { process: started, _stderr: stderr })
    }

    /// Ends it, and gives the calls to the write-ahead log's file.
    fn calls(mut self, output: &Path) -> Vec<Call> {
        Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        self.process.wait().unwrap();
        fs::read_to_string(output).unwrap().lines().filter_map(parse).collect()
    }
}

/// `1234 1700000000.123456 fdatasync(9</path/ahead>) = 0 <0.000123>`; a call that another thread's interrupts has
/// its end on a line of its own, and only the first names its file.
fn parse(line: &str) -> Option<Call> {
    let mut words = line.split_whitespace().skip(1);
    let began = micros(words.next()?)?;
    let call = words.next()?;
    let sync = call.starts_with("fdatasync(");
    if !line.contains("/ahead>") || !(sync || call.starts_with("pwrite64(")) {
        return None;
    }
    let took = micros(line.rsplit_once('<')?.1.strip_suffix('>')?)?;
    Some(Call { sync, began, ended: began + took })
}

/// Seconds with six decimals.
fn micros(text: &str) -> Option<u128> {
    let (seconds, micros) = text.split_once('.')?;
    Some(seconds.parse::<u128>().ok()? * 1_000_000 + micros.parse::<u128>().ok()?)
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

#[tokio::test]
async fn an_acknowledgement_comes_after_a_sync_and_a_group_shares_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data")).await.unwrap();
    server.put_catalogue().await;

    let output = folder.path().join("one at a time");
    let Some(trace) = Trace::of(&server, &output) else {
        println!("skipped: strace can't be run here");
        return;
    };
    let mut answered = Vec::new();
    for n in 0..50 {
        let sent = now();
        server.submit(&request("traced", 1, n)).await.unwrap();
        answered.push((sent, now()));
    }
    let calls = trace.calls(&output);
    for (sent, acknowledged) in &answered {
        let within: Vec<_> = calls.iter().filter(|call| call.began >= *sent && call.ended <= *acknowledged).collect();
        assert!(matches!(within[..], [Call { sync: false, .. }, Call { sync: true, .. }]), "{within:?}");
    }

    let output = folder.path().join("together");
    let trace = Trace::of(&server, &output).unwrap();
    let load = Load::on(&server, "together");
    load.until(500, Duration::ZERO).await;
    let syncs = trace.calls(&output).iter().filter(|call| call.sync).count();
    server.kill();
    let acknowledged = load.outcome().await.0.len();
    println!("{acknowledged} acknowledged with {syncs} syncs");
    assert!(syncs > 0 && syncs * 2 < acknowledged, "{syncs} syncs for {acknowledged}");
}

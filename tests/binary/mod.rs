//! The real binary in processes of its own: every test starts it here. The benchmarks start it
//! themselves (`benches/load/process.rs`), because they time its start.

#![allow(dead_code, reason = "each test that uses this uses its own part of it")]

pub(crate) mod demo;
pub(crate) mod folders;
pub(crate) mod load;
pub(crate) mod memory;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// What goes wrong, and the line that has the address.
const LOG_FILTER: &str = "warn,conspectus::cli::serve=info";

/// The binary, which the caller gives its arguments.
pub(crate) fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_conspectus"))
}

/// Runs it to its end, which must be a success.
pub(crate) fn run(args: impl IntoIterator<Item = impl AsRef<OsStr>>) {
    let output = command().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A child process, killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `conspectus serve`, killed when dropped.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    pub(crate) channel: Channel,
    printed: mpsc::Receiver<String>,
}

impl Server {
    /// Starts a server on a folder and waits until it serves. The error is what it logged before it ended.
    pub(crate) async fn start(folder: &Path) -> Result<Self, String> {
        Self::start_with(folder, &[]).await
    }

    /// Starts a server with the demo, and waits until it has printed all that it prints at the start; gives it
    /// with the variables that a reader is to set.
    pub(crate) async fn start_demo(folder: &Path) -> (Self, Vec<(String, String)>) {
        let server = Self::start_with(folder, &["--demo"]).await.unwrap();
        let until_served = server.printed.iter().take_while(|line| !line.starts_with("Serving on "));
        let mut variables: Vec<(String, String)> = Vec::new();
        for line in until_served {
            for (name, value) in line.strip_prefix("export ").into_iter().flat_map(assignments) {
                let value = match value.strip_prefix('$') {
                    None => value,
                    Some(other) => variables.iter().find(|(name, _)| name == other).unwrap().1.clone(),
                };
                variables.push((name, value));
            }
        }
        (server, variables)
    }

    /// The same, with further arguments.
    pub(crate) async fn start_with(folder: &Path, args: &[&str]) -> Result<Self, String> {
        Self::start_at(folder, "127.0.0.1:0", args).await
    }

    /// The same, at an address.
    pub(crate) async fn start_at(folder: &Path, address: &str, args: &[&str]) -> Result<Self, String> {
        let mut command = command();
        command.args(["serve", "--listen", address, "--data"]).arg(folder).args(args);
        command.env("CONSPECTUS_LOG", LOG_FILTER).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        let printed = lines(process.0.stdout.take().unwrap());
        let logged = lines(process.0.stderr.take().unwrap());
        let address = |line: String| line.split_once("address=")?.1.split_whitespace().next()?.parse().ok();
        let address: SocketAddr = logged.iter().find_map(address).ok_or("it ended before it listened")?;
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        let mut server = Self { process, address, channel, printed };
        let start = Instant::now();
        while !server.is_serving().await {
            if server.process.0.try_wait().unwrap().is_some() {
                return Err(logged.iter().collect::<Vec<_>>().join("\n"));
            }
            assert!(start.elapsed() < START_TIMEOUT, "it doesn't serve");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(server)
    }

    async fn is_serving(&self) -> bool {
        let answer = HealthClient::new(self.channel.clone()).check(HealthCheckRequest::default()).await;
        answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to stop, as SIGTERM does, and waits until it has ended well; returns how long that took.
    pub(crate) async fn terminate(mut self) -> Duration {
        let id = rustix::process::Pid::from_child(&self.process.0);
        let start = Instant::now();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let status = loop {
            match self.process.0.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(POLL_INTERVAL).await,
            }
        };
        assert!(status.success(), "{status}");
        start.elapsed()
    }

    /// Ends it as SIGKILL does: at once, whatever it is doing.
    pub(crate) fn kill(self) {
        drop(self.process);
    }
}

/// What comes out of a pipe, line by line. It is read as it comes, whether anyone takes the lines or not, so
/// that the pipe is never full.
pub(crate) fn lines(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (to, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
    lines
}

/// The assignments of a line, as a shell reads them: `A=1 B="two words"`.
fn assignments(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => value.split_once(' ').unwrap_or((value, "")),
        };
        found.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    found
}

//! The servers that are measured, each a process of its own that never outlives this one. Apart from the
//! tests' harness (`tests/binary`), because a start is timed here, and the echo is started too.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tonic::transport::{Channel, Endpoint};

use crate::Failure;
use crate::wire::{self, Call};

const START_TIMEOUT: Duration = Duration::from_secs(300);
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(2);
/// The service's program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_conspectus");
/// A `HealthCheckResponse` with `SERVING`.
const SERVING: [u8; 2] = [0x08, 0x01];

/// What a server has taken of the processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    user: Duration,
    system: Duration,
    /// How often a thread has given way to another, by itself or not.
    switches: u64,
}

/// What each of some calls took: microseconds and a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Each {
    pub(crate) cpu: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) switches: f64,
}

impl Usage {
    /// What each of `count` took since.
    pub(crate) fn each_since(self, before: Self, count: u64) -> Each {
        let each = |now: Duration, then: Duration| (now - then).as_secs_f64() * 1e6 / count as f64;
        let (user, system) = (each(self.user, before.user), each(self.system, before.system));
        let switches = self.switches.saturating_sub(before.switches) as f64 / count as f64;
        Each { cpu: user + system, user, system, switches }
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Kills the server when this process is gone, however it went: it then reads the end of its
    /// standard input.
    watchdog: Option<Child>,
    port: u16,
}

impl Server {
    /// Starts the echo: this very program.
    pub(crate) fn echo() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--bench", "--serve-echo"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take();
        let mut server = Self { child, watchdog: None, port: 0 };
        let mut line = String::new();
        BufReader::new(out.ok_or("the echo has no standard output")?).read_line(&mut line)?;
        server.port = line.trim().parse()?;
        Ok(server)
    }

    /// Starts the service on a data folder, with warnings alone in its log, and gives it with the time it took until it
    /// served.
    pub(crate) async fn conspectus(data: &Path) -> Result<(Self, Duration), Failure> {
        Self::conspectus_with(data, "warn", &[]).await
    }

    /// The same with another log, written to a file beside the folder, and further arguments.
    pub(crate) async fn conspectus_with(data: &Path, log: &str, args: &[&str]) -> Result<(Self, Duration), Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let start = Instant::now();
        let child = Command::new(PROGRAM)
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(data)
            .args(args)
            .env("CONSPECTUS_LOG", log)
            .stdin(Stdio::null())
            .stderr(if log == "warn" { Stdio::inherit() } else { File::create(data.with_extension("log"))?.into() })
            .spawn()?;
        let mut server = Self { child, watchdog: None, port };
        server.watchdog = Some(watchdog(server.child.id(), "KILL")?);
        let channel = server.channel()?;
        while start.elapsed() < START_TIMEOUT {
            if wire::call(&channel, Call::new(wire::HEALTH, Bytes::new())).await.is_ok_and(|answer| *answer == SERVING)
            {
                return Ok((server, start.elapsed()));
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended before it served: {status}").into());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err(format!("the server doesn't serve after {} seconds", START_TIMEOUT.as_secs()).into())
    }

    /// Connects to it, once something is sent.
    pub(crate) fn channel(&self) -> Result<Channel, Failure> {
        let windows = 4 << 20;
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address()))?;
        Ok(endpoint.initial_stream_window_size(windows).initial_connection_window_size(windows).connect_lazy())
    }

    /// How much memory it has, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it has taken of the processor so far: unlike a rate, little changed by what else the machine does.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name, which is in parentheses and may hold spaces, these are the 12th and 13th.
        let (_, fields) = stat.rsplit_once(") ").ok_or("no name")?;
        let mut ticks = fields.split(' ').skip(11).map(str::parse::<u32>);
        let mut time = || -> Result<_, Failure> { Ok(TICK * ticks.next().ok_or("no time")??) };
        let (user, system) = (time()?, time()?);
        let mut switches = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may have ended since.
            let status = std::fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            let counts = status.lines().filter_map(|line| line.split_once("_ctxt_switches:"));
            switches += counts.map(|(_, count)| count.trim().parse::<u64>()).sum::<Result<u64, _>>()?;
        }
        Ok(Usage { user, system, switches })
    }

    /// Asks it to stop, as an operator would, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > STOP_TIMEOUT {
                return Err("the server doesn't stop".into());
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }
}

/// Sends a process a signal when this one is gone.
pub(crate) fn watchdog(process: u32, signal: &str) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", "cat >/dev/null; kill -$1 $0 2>/dev/null", &process.to_string(), signal])
        .stdin(Stdio::piped())
        .spawn()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        // Before it can take another process for the one that it watched.
        if let Some(watchdog) = &mut self.watchdog {
            drop(watchdog.kill());
            drop(watchdog.wait());
        }
    }
}

/// How many bytes the files of a folder take on the disk.
pub(crate) fn disk_bytes(folder: &Path) -> std::io::Result<u64> {
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = 0;
    let mut open: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                open.push(entry.path());
            } else {
                bytes += metadata.blocks() * BLOCK_BYTES;
            }
        }
    }
    Ok(bytes)
}

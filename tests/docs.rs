//! The console examples of the documents print what they say.
//!
//! Each document has a demo server of its own, so that revisions are as a reader finds them.
//! `TRYCMD=overwrite cargo test --test docs` writes what is printed now into the documents; receipts
//! and times are then to be elided again, with `[..]`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use conspectus::server::{self, Config};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

const CONSPECTUS: &str = env!("CARGO_BIN_EXE_conspectus");

/// A demo server on a port of its own, until it is dropped.
struct Demo {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), server::Error>>>,
    _folder: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let config = Config { data: folder.path().to_owned(), demo: true, drain_timeout: Duration::from_secs(1) };
        let running =
            thread::spawn(move || runtime.block_on(server::run(listener, config, async { drop(stopped.await) })));
        let demo = Self { address, stop: Some(stop), running: Some(running), _folder: folder };
        demo.wait();
        demo
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let serving = || {
            let mut health = Command::new(CONSPECTUS);
            health.args(["health", "--server", &self.address]).stdout(Stdio::null()).stderr(Stdio::null());
            health.status().unwrap().success()
        };
        while !serving() {
            assert!(Instant::now() < deadline, "the demo server doesn't serve");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            running.join().unwrap().unwrap();
        }
    }
}

/// Runs the console blocks of a document from the package's folder, in order.
fn check(document: &str) {
    if !Path::new(document).exists() {
        return;
    }
    let demo = Demo::start();
    let cases = trycmd::TestCases::new();
    cases
        .env("CONSPECTUS_SERVER", &demo.address)
        .register_bin("conspectus", Path::new(CONSPECTUS).to_owned())
        .case(document)
        .run();
}

#[test]
fn the_worked_examples_print_what_they_say() {
    check("docs/examples.md");
}

#[test]
fn the_readme_prints_what_it_says() {
    check("README.md");
}

//! The console examples of the documents print what they say.
//!
//! Each document has a demo server of its own, so that revisions are as a reader finds them.
//! `TRYCMD=overwrite cargo test --test docs` writes what is printed now into the documents; receipts
//! and times are then to be elided again, with `[..]`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CONSPECTUS: &str = env!("CARGO_BIN_EXE_conspectus");

/// A demo server on a port of its own, started as a reader starts it, until it is dropped.
struct Demo {
    server: Child,
    address: String,
    /// The variables that it tells its reader to set.
    variables: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(CONSPECTUS);
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        let mut server = command.env("CONSPECTUS_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
        let mut variables: Vec<(String, String)> = Vec::new();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.by_ref().find_map(|line| {
            for (name, value) in line.strip_prefix("export ").into_iter().flat_map(assignments) {
                let value = match value.strip_prefix('$') {
                    None => value,
                    Some(other) => variables.iter().find(|(name, _)| name == other).unwrap().1.clone(),
                };
                variables.push((name, value));
            }
            let (address, _) = line.strip_prefix("Serving on ")?.split_once(". ")?;
            Some(format!("http://{address}"))
        });
        // The rest is read as it comes, so that its pipe is never full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { server, address: address.unwrap(), variables, _folder: folder }
    }
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

impl Drop for Demo {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

/// Runs the console blocks of a document from the package's folder, in order.
fn check(document: &str) {
    if !Path::new(document).exists() {
        return;
    }
    let demo = Demo::start();
    let cases = trycmd::TestCases::new();
    for (name, value) in &demo.variables {
        cases.env(name, value);
    }
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

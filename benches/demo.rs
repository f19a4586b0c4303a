//! A demo's server, as the benchmarks of whole servers start it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process, killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server on the demo's figures.
pub(crate) struct Demo {
    pub(crate) process: Process,
    /// Where it serves, and where its page is, if it has one.
    pub(crate) address: String,
    pub(crate) page: Option<String>,
    /// The key of each identity, by the end of its variable, such as `ANALYST`.
    pub(crate) keys: BTreeMap<String, String>,
}

impl Demo {
    /// Starts `conspectus serve --demo`, whose further arguments the command has, and waits until it says where it serves.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = Process(command.stdout(Stdio::piped()).spawn().unwrap());
        let lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut keys = BTreeMap::new();
        for line in lines {
            if let Some((name, key)) =
                line.strip_prefix("export CONSPECTUS_KEY_").and_then(|export| export.split_once('='))
            {
                keys.insert(name.to_owned(), key.to_owned());
            }
            if let Some(places) = line.strip_prefix("Serving on ") {
                let places = places.split(". ").next().unwrap().trim_end_matches('.');
                let (address, page) = match places.split_once(", and the page on http://") {
                    Some((address, page)) => (address, Some(page.to_owned())),
                    None => (places, None),
                };
                return Self { process, address: address.to_owned(), page, keys };
            }
        }
        panic!("the server ended before it served")
    }
}

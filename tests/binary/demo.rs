//! A demo server, and the verbs that its reader runs.

use std::process::Command;

use super::Server;

/// A demo server on a port of its own, started as a reader starts it, until it is dropped.
pub(crate) struct Demo {
    pub(crate) server: Server,
    /// The variables that it asks its reader to set.
    pub(crate) variables: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (server, variables) = runtime.block_on(Server::start_demo(folder.path()));
        Self { server, variables, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// A verb, as the demo's reader runs it.
    pub(crate) fn verb(&self, line: &str) -> Command {
        let mut command = super::command();
        command.args(line.split(' ')).envs(self.variables.iter().cloned());
        command.env("CONSPECTUS_SERVER", self.url()).env("CONSPECTUS_DATA", self.folder.path());
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

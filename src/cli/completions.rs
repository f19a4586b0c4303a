//! `conspectus completions`: what a shell completes of this command line.

use clap::{Command, Parser};
use clap_complete::Shell;

use super::failure::Failure;
use super::output;

/// Print a script with which a shell completes verbs and flags. Needs no server.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus completions bash > /usr/share/bash-completion/completions/conspectus\n  conspectus completions powershell > conspectus.ps1"
)]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints the script for the whole command line.
///
/// # Errors
/// When it can't be printed.
pub(super) fn run(args: &Args, mut whole: Command) -> Result<(), Failure> {
    let name = whole.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, name, &mut script);
    output::print(String::from_utf8(script)?)
}

//! `conspectus config`: the server's settings, before it runs.

mod check;
mod print;
mod sample;

use clap::{Parser, Subcommand};

use super::common_args::Format;
use super::failure::Failure;
use super::settings::Settings;
use super::{output, serve};

/// The settings of `conspectus serve`: a sample file, whether they can be used, and where each is from. Needs no server.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print a file of settings to begin with: each with what it is for and its default, commented out.
    #[command(after_help = "Examples:\n  conspectus config sample")]
    Sample,
    /// Check the settings as `serve` would take them, with the same flags, variables and file: every problem of these is
    /// listed, with its line. Files of certificates and secrets are read too; nothing is started.
    #[command(after_help = "Examples:\n  conspectus config check --config /etc/conspectus/conspectus.toml")]
    Check(Box<serve::Args>),
    /// Print the settings as `serve` would take them, and where each is from: a flag, a variable, a line of the file, or
    /// its default. Secrets are hidden.
    #[command(
        after_help = "Examples:\n  conspectus config print --config /etc/conspectus/conspectus.toml --calls-a-second 100"
    )]
    Print {
        #[command(flatten)]
        serve: Box<serve::Args>,
        #[command(flatten)]
        format: Format,
    },
}

pub(super) async fn run(args: Args, settings: &Settings) -> Result<(), Failure> {
    match args.verb {
        Verb::Sample => output::print(sample::text()),
        Verb::Check(args) => check::run(&args, settings).await,
        Verb::Print { format, .. } => print::run(format, settings),
    }
}

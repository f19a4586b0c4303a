//! The command line: one file a verb. Answers go to standard output; a failure is one plain
//! sentence on standard error and a non-zero exit. Everything printed passes through `output`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod audit;
mod catalogue;
mod catalogue_lookup;
mod cert;
mod common_args;
mod completeness;
mod connect;
mod deadline;
mod explain;
mod failure;
mod figure_columns;
mod format;
mod health;
mod history;
mod key;
mod legend;
mod output;
mod picture;
mod query;
mod receipt;
mod reconcile;
mod serve;
mod submit;
mod table;
mod template;
mod watch;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use failure::Failure;

/// Takes indicator figures from partner agencies and answers for the multi-agency picture.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Args),
    Template(template::Args),
    Submit(submit::Args),
    Receipt(receipt::Args),
    Picture(picture::Args),
    Query(query::Args),
    Explain(explain::Args),
    History(history::Args),
    Completeness(completeness::Args),
    Reconcile(reconcile::Args),
    Watch(watch::Args),
    Catalogue(catalogue::Args),
    Key(key::Args),
    Audit(audit::Args),
    Cert(cert::Args),
    Health(health::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("CONSPECTUS_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // A log that nobody reads any more is no reason to panic.
        .log_internal_errors(false)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit_code(Err(error.into())),
    };
    let result = runtime.block_on(async {
        match cli.verb {
            Verb::Serve(args) => serve::run(args).await,
            Verb::Template(args) => template::run(args).await,
            Verb::Submit(args) => submit::run(args).await,
            Verb::Receipt(args) => receipt::run(args).await,
            Verb::Picture(args) => picture::run(args).await,
            Verb::Query(args) => query::run(args).await,
            Verb::Explain(args) => explain::run(args).await,
            Verb::History(args) => history::run(args).await,
            Verb::Completeness(args) => completeness::run(args).await,
            Verb::Reconcile(args) => reconcile::run(args).await,
            Verb::Watch(args) => watch::run(args).await,
            Verb::Catalogue(args) => catalogue::run(args).await,
            Verb::Key(args) => key::run(args).await,
            Verb::Audit(args) => audit::run(&args),
            Verb::Cert(args) => cert::run(args),
            Verb::Health(args) => health::run(args).await,
        }
    });
    exit_code(result)
}

fn exit_code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Message(message)) => {
            output::note(format_args!("conspectus: {message}"));
            ExitCode::FAILURE
        }
    }
}

//! The command line: one file a verb. Answers go to standard output; a failure is one plain
//! sentence on standard error and a non-zero exit.

mod audit;
mod catalogue;
mod catalogue_lookup;
mod cert;
mod common_args;
mod completeness;
mod connect;
mod explain;
mod format;
mod health;
mod history;
mod key;
mod picture;
mod query;
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

/// A failure, as one plain sentence, or several lines of them.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("CONSPECTUS_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::from(error)),
    };
    let result = runtime.block_on(async {
        match cli.verb {
            Verb::Serve(args) => serve::run(args).await,
            Verb::Template(args) => template::run(args).await,
            Verb::Submit(args) => submit::run(args).await,
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
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("conspectus: {}", failure.0);
    ExitCode::FAILURE
}

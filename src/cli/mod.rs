//! The command line: one file a verb. Answers go to standard output; a failure is one plain
//! sentence on standard error and an exit status that says of what kind (`failure`). Everything printed passes through `output`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod audit;
mod catalogue;
mod catalogue_lookup;
#[cfg(feature = "server")]
mod cert;
mod changes;
mod common_args;
mod completeness;
mod connect;
mod deadline;
mod doctor;
mod explain;
mod failure;
mod figure_file;
mod format;
mod health;
mod history;
mod key;
mod legend;
mod log;
mod mapping;
mod next_step;
mod observation_text;
mod output;
#[cfg(feature = "server")]
mod own_stderr;
mod picture;
mod printout;
mod progress;
mod query;
mod receipt;
mod receipt_file;
mod reconcile;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod sign_in_args;
mod spreadsheet_path;
mod submission;
mod submit;
mod table;
mod template;
mod terminal;
#[cfg(feature = "server")]
mod traces;
mod watch;
mod wrap;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use failure::Failure;
use log::Log;

/// How long the end waits for work in the background, such as a write that nobody takes.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Takes indicator figures from partner agencies and answers for the multi-agency picture.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[cfg(feature = "server")]
    Serve(serve::Args),
    Template(template::Args),
    Submit(submit::Args),
    Submission(submission::Args),
    Return(submit::ReturnArgs),
    Mapping(mapping::Args),
    Receipt(receipt::Args),
    Picture(picture::Args),
    Query(query::Args),
    Explain(explain::Args),
    History(history::Args),
    Completeness(completeness::Args),
    Reconcile(reconcile::Args),
    Watch(watch::Args),
    Changes(changes::Args),
    Catalogue(catalogue::Args),
    Key(key::Args),
    #[cfg(feature = "server")]
    Audit(audit::Args),
    #[cfg(feature = "server")]
    Cert(cert::Args),
    #[cfg(feature = "server")]
    Api(api::Args),
    Health(health::Args),
    Doctor(doctor::Args),
}

impl Verb {
    /// Whether it runs until it is asked to stop.
    #[cfg(feature = "server")]
    fn is_server(&self) -> bool {
        matches!(self, Self::Serve(_))
    }

    #[cfg(not(feature = "server"))]
    fn is_server(&self) -> bool {
        false
    }

    /// How its log is written.
    fn log_format(&self) -> log::Format {
        #[cfg(feature = "server")]
        if let Self::Serve(args) = self {
            return args.log_format;
        }
        log::Format::default()
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_server = cli.verb.is_server();
    #[cfg(feature = "server")]
    if is_server {
        serve::keep_few_arenas();
    }
    let log = match Log::start(cli.verb.log_format()) {
        Ok(log) => log,
        Err(failure) => return exit_code(Err(failure)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit_code(Err(error.into())),
    };
    let result = runtime.block_on(async {
        #[cfg(feature = "server")]
        serve::survive_file_size_limit()?;
        match cli.verb {
            #[cfg(feature = "server")]
            Verb::Serve(args) => serve::run(args).await,
            Verb::Template(args) => template::run(args).await,
            Verb::Submit(args) => submit::run(args).await,
            Verb::Submission(args) => submission::run(args).await,
            Verb::Return(args) => submit::run_return(args).await,
            Verb::Mapping(args) => mapping::run(&args),
            Verb::Receipt(args) => receipt::run(args).await,
            Verb::Picture(args) => picture::run(args).await,
            Verb::Query(args) => query::run(args).await,
            Verb::Explain(args) => explain::run(args).await,
            Verb::History(args) => history::run(args).await,
            Verb::Completeness(args) => completeness::run(args).await,
            Verb::Reconcile(args) => reconcile::run(args).await,
            Verb::Watch(args) => watch::run(args).await,
            Verb::Changes(args) => changes::run(args).await,
            Verb::Catalogue(args) => catalogue::run(args).await,
            Verb::Key(args) => key::run(args).await,
            #[cfg(feature = "server")]
            Verb::Audit(args) => audit::run(&args),
            #[cfg(feature = "server")]
            Verb::Cert(args) => cert::run(args),
            #[cfg(feature = "server")]
            Verb::Api(args) => api::run(&args),
            Verb::Health(args) => health::run(args).await,
            Verb::Doctor(args) => doctor::run(args).await,
        }
    });
    runtime.shutdown_timeout(END_TIMEOUT);
    if let (true, Err(Failure::Message(exit, message))) = (is_server, &result) {
        // A server ends in time, whether anybody takes this or not.
        log.write(&format!("conspectus: {message}"));
        return ExitCode::from(*exit as u8);
    }
    drop(log);
    exit_code(result)
}

fn exit_code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Message(exit, message)) => {
            output::complain(&message);
            ExitCode::from(exit as u8)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    /// The options that have a letter, wherever they are.
    const LETTERS: [(&str, char); 6] =
        [("agency", 'a'), ("indicator", 'i'), ("period", 'p'), ("dry-run", 'n'), ("help", 'h'), ("version", 'V')];

    /// A verb's options, and those of the verbs below it.
    fn options(command: &clap::Command) -> Vec<(String, String, Option<char>)> {
        let name = command.get_name().to_owned();
        let own =
            command.get_arguments().filter_map(|it| Some((name.clone(), it.get_long()?.to_owned(), it.get_short())));
        own.chain(command.get_subcommands().flat_map(options)).collect()
    }

    #[test]
    fn a_letter_means_the_same_in_every_verb() {
        let mut command = Cli::command();
        command.build();
        let mut letters_used = BTreeSet::new();
        for (verb, long, short) in options(&command) {
            let expected = LETTERS.iter().find(|(name, _)| *name == long).map(|(_, letter)| *letter);
            assert_eq!(short, expected, "--{long} of {verb}");
            letters_used.extend(short);
        }
        assert_eq!(letters_used, LETTERS.map(|(_, letter)| letter).into());
    }
}

//! The command line: one file a verb. Answers go to standard output; a failure is one plain
//! sentence on standard error and an exit status that says of what kind (`failure`). Everything printed passes through `output`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "server")]
mod advice;
#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod audit;
#[cfg(feature = "server")]
mod backup;
mod catalogue;
mod catalogue_lookup;
mod causes;
#[cfg(feature = "server")]
mod cert;
mod changes;
mod common_args;
mod completeness;
mod completions;
#[cfg(feature = "server")]
mod config;
mod connect;
#[cfg(feature = "server")]
mod control;
mod deadline;
mod doctor;
mod explain;
#[cfg(feature = "server")]
mod export;
mod failure;
mod figure_file;
mod format;
mod health;
mod history;
mod key;
mod legend;
mod log;
mod log_filter;
mod manual;
mod mapping;
#[cfg(feature = "server")]
mod migrate;
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
mod secret;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod settings;
#[cfg(feature = "server")]
mod sign_in_args;
mod spreadsheet_path;
#[cfg(feature = "server")]
mod status;
mod submission;
mod submit;
mod table;
mod template;
mod terminal;
#[cfg(feature = "server")]
mod traces;
mod watch;
mod wrap;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;
use log::Log;
use log_filter::Filter;
#[cfg(feature = "server")]
use settings::Settings;

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
    Serve(Box<serve::Args>),
    #[cfg(feature = "server")]
    Config(config::Args),
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
    Status(status::Args),
    #[cfg(feature = "server")]
    Backup(backup::BackupArgs),
    #[cfg(feature = "server")]
    Restore(backup::RestoreArgs),
    #[cfg(feature = "server")]
    Verify(backup::VerifyArgs),
    #[cfg(feature = "server")]
    Export(export::ExportArgs),
    #[cfg(feature = "server")]
    Import(export::ImportArgs),
    #[cfg(feature = "server")]
    Migrate(migrate::Args),
    #[cfg(feature = "server")]
    Cert(cert::Args),
    #[cfg(feature = "server")]
    Api(api::Args),
    Health(health::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Manual(manual::Args),
}

/// What a command line comes to.
struct Parsed {
    cli: Cli,
    #[cfg(feature = "server")]
    settings: Settings,
}

#[cfg(feature = "server")]
fn parse(line: &[OsString]) -> Result<Parsed, clap::Error> {
    let (cli, settings) = settings::parse(line, &|name| std::env::var_os(name))?;
    Ok(Parsed { cli, settings })
}

#[cfg(not(feature = "server"))]
fn parse(line: &[OsString]) -> Result<Parsed, clap::Error> {
    Ok(Parsed { cli: Cli::try_parse_from(line)? })
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

    /// What it logs.
    ///
    /// # Errors
    /// When what the environment has isn't a filter.
    fn log_filter(&self) -> Result<Filter, Failure> {
        #[cfg(feature = "server")]
        if let Self::Serve(args) = self {
            return Ok(args.log_filter().clone());
        }
        // What is wrong with the variable is among what this reports.
        #[cfg(feature = "server")]
        if matches!(self, Self::Config(_)) {
            return Ok(Filter::of_environment().unwrap_or_default());
        }
        Filter::of_environment()
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
    let line: Vec<OsString> = std::env::args_os().collect();
    let parsed = parse(&line).unwrap_or_else(|error| error.exit());
    let cli = parsed.cli;
    let is_server = cli.verb.is_server();
    #[cfg(feature = "server")]
    if is_server {
        serve::keep_few_arenas();
    }
    let log_format = cli.verb.log_format();
    let log = match cli.verb.log_filter().and_then(|filter| Log::start(log_format, &filter)) {
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
            Verb::Serve(args) => serve::run(*args, parsed.settings, log.change()).await,
            #[cfg(feature = "server")]
            Verb::Config(args) => config::run(args, &parsed.settings).await,
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
            Verb::Audit(args) => audit::run(&args).await,
            #[cfg(feature = "server")]
            Verb::Status(args) => status::run(args).await,
            #[cfg(feature = "server")]
            Verb::Backup(args) => backup::run(args).await,
            #[cfg(feature = "server")]
            Verb::Restore(args) => backup::run_restore(&args),
            #[cfg(feature = "server")]
            Verb::Verify(args) => backup::run_verify(args).await,
            #[cfg(feature = "server")]
            Verb::Export(args) => export::run(args).await,
            #[cfg(feature = "server")]
            Verb::Import(args) => export::run_import(&args),
            #[cfg(feature = "server")]
            Verb::Migrate(args) => migrate::run(args).await,
            #[cfg(feature = "server")]
            Verb::Cert(args) => cert::run(args),
            #[cfg(feature = "server")]
            Verb::Api(args) => api::run(&args),
            Verb::Health(args) => health::run(args).await,
            Verb::Doctor(args) => doctor::run(args).await,
            Verb::Completions(args) => completions::run(&args, Cli::command()),
            Verb::Manual(args) => manual::run(&args, Cli::command()),
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

    /// The words of a line, as a shell splits it: quotes keep words together, and what follows a pipe or goes to a file
    /// isn't the program's.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (at, part) in line.split('"').enumerate() {
            if at % 2 == 1 {
                words.push(part.to_owned());
            } else {
                let own = part.split_whitespace().take_while(|word| !["|", ">"].contains(word));
                words.extend(own.map(str::to_owned));
            }
        }
        words
    }

    /// Each verb that does something itself, by its words.
    fn leaves(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
        let path = format!("{path}{}", command.get_name());
        if !command.has_subcommands() {
            return vec![(path, command.clone())];
        }
        let below = command.get_subcommands().filter(|verb| verb.get_name() != "help");
        below.flat_map(|verb| leaves(verb, &format!("{path} "))).collect()
    }

    #[test]
    fn every_verb_has_examples_in_its_help_which_it_accepts() {
        let mut command = Cli::command();
        command.build();
        for (path, verb) in leaves(&command, "") {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines = help.strip_prefix("Examples:\n").unwrap_or_else(|| panic!("{path} has no examples: {help}"));
            for line in lines.lines() {
                let line = line.strip_prefix("  ").unwrap_or_else(|| panic!("{path}: {line}"));
                assert!(line == path || line.starts_with(&format!("{path} ")), "an example of {path}: {line}");
                if let Err(error) = Cli::try_parse_from(words(line)) {
                    panic!("{line}\n{error}");
                }
            }
        }
    }
}

//! `conspectus audit prune`: the oldest files of the log are deleted, and the log says so.

use std::path::PathBuf;

use clap::{ArgGroup, Parser};

use super::super::failure::Failure;
use super::super::format::counted;
use super::super::output;
use super::since::instant;
use crate::journal;
use crate::model::timestamp::Timestamp;
use crate::server::{self, PruneRule, Pruned, prune_offline};

/// Delete the oldest files of the audit log, by your rule, on a data folder that no server runs on.
///
/// Only closed files whose lines are all old enough, and known to the journal. The whole log is verified first, and a line is
/// written that says which lines go and by what rule; `conspectus audit --verify` has it from then on. Whole questions
/// that only those lines name go with them. Without --yes it lists what it would delete.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus audit prune --keep-days 2557\n  conspectus audit prune --before 2020-04-01 --yes",
    group = ArgGroup::new("rule").required(true)
)]
pub(super) struct Args {
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Delete files whose lines are all from before then: a date, which begins at midnight UTC, or an instant.
    #[arg(long, value_name = "TIME", value_parser = instant, group = "rule")]
    before: Option<Timestamp>,
    /// Delete files whose lines are all older than so many days.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=36_600), group = "rule")]
    keep_days: Option<u16>,
    /// Delete them.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let rule = args.before.map(PruneRule::Before).or(args.keep_days.map(PruneRule::KeepDays));
    let rule = rule.ok_or_else(|| Failure::usage("--before or --keep-days is needed"))?;
    if let Some(before) = args.before.filter(|before| *before > server::now()) {
        return Err(Failure::usage(format!(
            "--before: found {before}, which is to come; allowed: a time that has passed"
        )));
    }
    let pruned = prune_offline(&args.data, rule, args.yes).await.map_err(failure)?;
    let Some(Pruned { files, lines: (first, last), times: (from, to), questions }) = pruned else {
        output::note("No closed file is old enough, and known to the journal: nothing is deleted.");
        return Ok(());
    };
    let list: String = files.iter().map(|path| format!("{}\n", path.display())).collect();
    output::print(list)?;
    let what = format!(
        "lines {first} to {last}, of {from} to {to}, and {} with them",
        counted(questions, "question", "questions")
    );
    output::note(if args.yes {
        format!("Deleted {what}; the log says so.")
    } else {
        format!("With --yes these are deleted: {what}.")
    });
    Ok(())
}

/// What isn't done where a server runs can be the server's to do.
fn failure(error: server::Error) -> Failure {
    let is_in_use = matches!(error, server::Error::Journal(journal::Error::Locked { .. }));
    match Failure::from(error) {
        Failure::Message(exit, message) if is_in_use => Failure::Message(
            exit,
            format!("{message}; stop the server first, or have it do so itself: serve --audit-keep-days DAYS"),
        ),
        other @ (Failure::Message(..) | Failure::OutputClosed) => other,
    }
}

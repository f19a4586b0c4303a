//! `conspectus audit`: who read what, who was refused, and who changed keys.

mod follow;
mod prune;
mod since;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use self::since::instant;
use super::control::Control;
use super::failure::Failure;
use super::output;
use super::printout::Printout;
use super::table::{Align, Table};
use crate::audit::{self, Event, Filter, LogTail, NumberedLine, Taken, Verified};
use crate::journal::{DiskJournal, check_format};
use crate::model::chain::ChainHash;
use crate::model::text::visible_json;
use crate::model::timestamp::Timestamp;
use crate::server::{OpenFolder, Status, StoreStatus, control_path};

/// List the audit log of a data folder, and check that nothing in it was changed.
///
/// It reads the files, so run it on the server's machine; the server may be running. The last thing
/// that it prints is the number of lines and the chain hash of the last one. Keep both elsewhere:
/// with them you can see whether lines were cut off the end later.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus audit --data conspectus-data\n  conspectus audit --json",
    args_conflicts_with_subcommands = true
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Only this identity's lines.
    #[arg(long)]
    identity: Option<String>,
    /// Only lines of this method, such as GetPicture.
    #[arg(long)]
    method: Option<String>,
    /// Only lines whose question names this area, by its code.
    #[arg(long, value_name = "CODE")]
    area: Option<String>,
    /// Only lines about this, such as read or keys.
    #[arg(long, value_parser = event)]
    event: Option<Event>,
    /// Only lines with this in their purpose, in capitals or not.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Only lines from then on: a date, which begins at midnight UTC, or an instant such as 2026-03-01T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only lines before then, given as for --since.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Timestamp>,
    /// Only refusals.
    #[arg(long)]
    refused: bool,
    /// At most this many lines, the last ones.
    #[arg(long, value_name = "LINES", default_value_t = 1_000)]
    last: usize,
    /// Only check the log, also that it has the last line that the server, or the journal, knows of; list nothing.
    #[arg(long, conflicts_with_all = ["since", "until"])]
    verify: bool,
    /// Print each line as a JSON object.
    #[arg(long)]
    json: bool,
    /// Read this file alone, instead of all of the folder's: one that was moved away.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the whole question of a line that has only its hash; list nothing.
    #[arg(long, value_name = "HASH")]
    question: Option<String>,
    /// Print each line as it was written, once it is durable, until standard output is closed.
    #[arg(long, requires = "json", conflicts_with_all = ["identity", "method", "area", "event", "purpose", "since", "until", "refused", "last", "verify", "file", "question"])]
    follow: bool,
    /// With --follow, go on after this line: the number of the last one that was taken.
    #[arg(long, value_name = "LINE", default_value_t = 0, requires = "follow")]
    after: u64,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Prune(prune::Args),
}

fn event(text: &str) -> Result<Event, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    if let Some(Verb::Prune(args)) = &args.verb {
        return prune::run(args).await;
    }
    if args.file.is_none() {
        check_format(&args.data)?;
    }
    if let Some(hash) = &args.question {
        return output::print_line(audit::read_question(&args.data, hash)?);
    }
    if args.follow {
        return follow::follow(&args.data, args.after);
    }
    let filter = Filter {
        identity: args.identity.clone(),
        method: args.method.clone(),
        area: args.area.clone(),
        event: args.event,
        is_refusal: args.refused,
        purpose: args.purpose.clone(),
        since: args.since,
        until: args.until,
    };
    let mut found = VecDeque::new();
    let mut first = None;
    let each = &mut |line: &NumberedLine| {
        first.get_or_insert_with(|| line.clone());
        if !args.verify && filter.matches(line) {
            found.push_back(line.clone());
            if found.len() > args.last {
                found.pop_front();
            }
        }
    };
    // What is known by now is there when it is read.
    let known = if args.verify && args.file.is_none() { known(&args.data).await? } else { LogTail::START };
    let checked = match &args.file {
        Some(file) => audit::verify(file, each).map(|tail| Verified { tail, files: 1, skipped: 0, taken: Vec::new() }),
        None => audit::verify_within(&args.data, (args.since, args.until), each),
    };
    let printed = print(args, &found);
    // A log that was changed is a failure, whether or not anybody reads the list to its end.
    let verified = checked?;
    printed?;
    audit::check_known(&args.data, known)?;
    output::note(summary(&verified, first.as_ref(), args.file.is_some()));
    Ok(())
}

/// Where a folder's log ends at least, as the server says that runs on it, or else its journal; the start where neither can.
async fn known(data: &Path) -> Result<LogTail, Failure> {
    if let Some(mut control) = Control::connect(data).await? {
        let status: Status = control.get(control_path::STATUS).await?;
        let Some(StoreStatus { audit_lines, audit_chain, .. }) = status.store else { return Ok(LogTail::START) };
        let chain =
            ChainHash::parse(&audit_chain).ok_or_else(|| Failure::failed("the server's answer has no chain"))?;
        return Ok(LogTail { n: audit_lines, chain });
    }
    if !DiskJournal::is_in(data)? {
        return Ok(LogTail::START);
    }
    let data = data.to_owned();
    Ok(tokio::task::spawn_blocking(move || OpenFolder::open(&data).map(|open| open.known_log())).await??)
}

/// What was read, and of lines that aren't there what the log says.
fn summary(Verified { tail, files, skipped, taken }: &Verified, first: Option<&NumberedLine>, is_file: bool) -> String {
    if *files == 0 && *skipped > 0 {
        return format!("No file has lines of that time. None of {skipped} was read: --verify reads all.");
    }
    let mut text = match first.filter(|first| first.n > 1) {
        Some(first) => format!("Lines {} to {}", first.n, tail.n),
        None => format!("{} lines", tail.n),
    };
    if *files > 1 {
        text += &format!(" in {files} files");
    }
    text += ", none changed.";
    if let Some(first) = first.filter(|first| is_file && first.n > 1) {
        text += &format!(
            " The file goes on after line {}, whose chain hash was {}: {}.",
            first.n - 1,
            first.line.previous,
            first.line.scope
        );
    }
    if *skipped > 0 {
        text += &format!(" {skipped} files with lines of other times weren't read: --verify reads all.");
    }
    for Taken { first, last, says } in taken {
        text += &format!(
            " Lines {first} to {last} aren't there, as line {} says of {}: {}.",
            says.n, says.at, says.line.scope
        );
    }
    text + &format!(" Chain hash of the last: {}", tail.chain)
}

fn print(args: &Args, lines: &VecDeque<NumberedLine>) -> Result<(), Failure> {
    if args.json {
        let lines = lines.iter().map(|line| Ok(visible_json(&serde_json::to_string(line)?).into_owned() + "\n"));
        output::print(lines.collect::<Result<String, Failure>>()?)
    } else if lines.is_empty() {
        Ok(())
    } else {
        output::show(&Printout::default().table(table(lines)))
    }
}

fn table(lines: &VecDeque<NumberedLine>) -> Table {
    let headings = ["line", "at", "who", "from", "method", "of", "what for", "revision", "outcome"];
    let mut table = Table::new(headings.map(|heading| (heading, Align::Left)));
    for NumberedLine { n, at, line } in lines {
        let who = match (line.identity.as_str(), line.credential.as_str()) {
            (identity, "") => identity.to_owned(),
            (identity, credential) => format!("{identity} by {credential}"),
        };
        let of = match line.question.as_str() {
            "" => line.scope.clone(),
            hash => format!("{} (whole question: {hash})", line.scope),
        };
        let method = line.method.rsplit('.').next().unwrap_or_default().to_owned();
        let revision = if line.revision == 0 { String::new() } else { line.revision.to_string() };
        let columns = [n.to_string(), at.clone(), who, line.address.clone(), method, of];
        table.push(columns.into_iter().chain([line.purpose.clone(), revision, line.outcome.clone()]));
    }
    table
}

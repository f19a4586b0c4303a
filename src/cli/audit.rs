//! `conspectus audit`: who read what, who was refused, who changed keys.

use std::path::PathBuf;

use clap::Parser;

use super::Failure;
use super::table::{Align, Table};
use crate::audit::{self, Event, NumberedLine};

/// List the audit log of a data folder, and check that it is what was written.
///
/// It reads the file, so it runs on the server's machine, whether the server runs or not. What it
/// prints at the end, the number of lines and the chain of the last, is worth keeping elsewhere:
/// lines that were cut off the end later are then noticed.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Only this identity's lines.
    #[arg(long)]
    identity: Option<String>,
    /// Only refusals.
    #[arg(long)]
    refused: bool,
    /// Only the last so many of them.
    #[arg(long, value_name = "LINES", default_value_t = 1_000)]
    last: usize,
    /// Only check.
    #[arg(long)]
    verify: bool,
    /// Print each line as the JSON object that it is.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut found = std::collections::VecDeque::new();
    let checked = audit::verify(&args.data.join(audit::FILE_NAME), &mut |placed| {
        if !args.verify && wanted(args, placed) {
            found.push_back(placed.clone());
            if found.len() > args.last {
                found.pop_front();
            }
        }
    });
    if args.json {
        for placed in &found {
            println!("{}", serde_json::to_string(placed)?);
        }
    } else if !found.is_empty() {
        print!("{}", table(found.iter()));
    }
    let head = checked?;
    eprintln!("{} lines, each as it was written. The last one's chain: {}", head.n, head.chain);
    Ok(())
}

fn wanted(args: &Args, placed: &NumberedLine) -> bool {
    let refused = match placed.line.event {
        Event::Refused | Event::RefusedMore => true,
        Event::Read | Event::Keys | Event::Repaired => false,
    };
    (!args.refused || refused) && args.identity.as_ref().is_none_or(|identity| placed.line.identity == *identity)
}

fn table<'p>(lines: impl Iterator<Item = &'p NumberedLine>) -> Table {
    let headings = ["line", "at", "who", "from", "method", "of", "what for", "revision", "outcome"];
    let mut table = Table::new(headings.map(|heading| (heading, Align::Left)));
    for NumberedLine { n, at, line } in lines {
        let who =
            if line.identity.is_empty() { String::new() } else { format!("{} by {}", line.identity, line.credential) };
        let method = line.method.rsplit('.').next().unwrap_or_default().to_owned();
        let revision = if line.revision == 0 { String::new() } else { line.revision.to_string() };
        let columns = [n.to_string(), at.clone(), who, line.address.clone(), method, line.scope.clone()];
        table.push(columns.into_iter().chain([line.purpose.clone(), revision, line.outcome.clone()]));
    }
    table
}

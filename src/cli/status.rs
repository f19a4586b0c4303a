//! `conspectus status`: what the server that runs on a data folder is doing.

use std::path::PathBuf;

use clap::Parser;

use super::control::Control;
use super::failure::Failure;
use super::output;
use super::printout::Printout;
use super::table::{Align, Table};
use crate::backup::KnownBackup;
use crate::server::{OpenCounts, Status, StoreStatus, control_path};

/// Show what the server that runs on a data folder is doing: what is open and whose, what waits, what was verified and
/// backed up.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus status\n  conspectus status --json")]
pub(super) struct Args {
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Print it as a JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let Some(mut control) = Control::connect(&args.data).await? else {
        return Err(Failure::unreachable(format!("no server runs on {}", args.data.display())));
    };
    let status: Status = control.get(control_path::STATUS).await?;
    if args.json {
        return output::print_line(serde_json::to_string(&status)?);
    }
    let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
    for (what, value) in rows(&status) {
        table.push([what.to_owned(), value]);
    }
    let mut printout = Printout::default().table(table);
    if !status.of_identity.is_empty() {
        let headings = [("identity", Align::Left), ("connections", Align::Right), ("calls", Align::Right)];
        let mut of_identity = Table::new(headings.into_iter().chain([("watching", Align::Right)]));
        for (identity, OpenCounts { connections, calls, watchers }) in &status.of_identity {
            let counts = [connections, calls, watchers].map(ToString::to_string);
            of_identity.push([identity.clone()].into_iter().chain(counts));
        }
        printout = printout.text("\n").table(of_identity);
    }
    output::show(&printout)
}

fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let state = if status.reasons.is_empty() { "ready".to_owned() } else { status.reasons.join("; ") };
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let OpenCounts { connections, calls, watchers } = status.open;
    let mut rows = vec![
        ("state", state),
        ("version", status.version.clone()),
        ("process", format!("{}, since {}", status.process, status.started_at)),
        ("memory", status.memory_bytes.map_or_else(String::new, mebibytes)),
        ("open", format!("{connections} connections, {calls} calls, {watchers} of them watching")),
    ];
    if let (Some(open), Some(max)) = (status.open_files, status.open_files_max) {
        rows.push(("files", format!("{open} open, of at most {max}")));
    }
    let Some(store) = &status.store else { return rows };
    let StoreStatus { revision, lag, queued, figures, audit_lines, verified, .. } = store;
    let behind = if *lag == 0 { String::new() } else { format!(", and {lag} that are durable and not answered yet") };
    rows.extend([
        ("revision", format!("{revision}{behind}")),
        ("figures", figures.to_string()),
        ("waiting", format!("{queued} writes")),
        ("audit log", format!("{audit_lines} lines")),
        ("verified", format!("at {}, up to revision {}", verified.at, verified.revision)),
    ]);
    if let Some(failure) = &store.scrub_failure {
        rows.push(("NOT VERIFIED", failure.clone()));
    }
    rows.push(("backed up", backed_up(store.newest_backup.as_ref(), "never")));
    rows.push(("restorable", backed_up(store.newest_verified_backup.as_ref(), "no backup was restored yet")));
    rows
}

fn backed_up(backup: Option<&KnownBackup>, never: &str) -> String {
    backup.map_or_else(
        || never.to_owned(),
        |backup| format!("at {}, up to revision {}", backup.taken_at, backup.to.journal.revision),
    )
}

//! `conspectus migrate`: what the first start of this version does to a data folder of an earlier one, looked at or done.

use std::path::{Path, PathBuf};

use clap::Parser;
use serde::Serialize;

use super::failure::Failure;
use super::format::counted;
use super::output;
use crate::server::{Upgrade, UpgradeStep, upgrade};

/// Take a data folder over from an earlier version, as the first start does, and end; or only say what that would do.
///
/// With --dry-run nothing in the folder changes, and a server may be running on it: it says which version's format the
/// folder has, what the first start would do, and how to keep a copy. Without it no server may be running. A folder of
/// this version's format stays as it is. Afterwards earlier versions don't read the folder.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus migrate --data conspectus-data --dry-run\n  conspectus migrate --data conspectus-data"
)]
pub(super) struct Args {
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data", value_name = "FOLDER")]
    data: PathBuf,
    /// Only say what would be done, and change nothing.
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Print it as a JSON object.
    #[arg(long)]
    json: bool,
    /// Go on though the clock is more than an hour behind what was written last: for when the clock is right now, and
    /// wasn't then.
    #[arg(long, conflicts_with = "dry_run")]
    accept_clock_behind_journal: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'a> {
    /// Whether it was done.
    is_done: bool,
    #[serde(flatten)]
    upgrade: &'a Upgrade,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let found = if args.dry_run {
        let data = args.data.clone();
        tokio::task::spawn_blocking(move || Upgrade::planned(&data)).await??
    } else {
        upgrade(&args.data, args.accept_clock_behind_journal).await?
    };
    let is_done = !args.dry_run && found.refused.is_none();
    if args.json {
        output::print_line(serde_json::to_string(&Report { is_done, upgrade: &found })?)?;
    } else {
        output::print_text(&words(&found, is_done))?;
    }
    match &found.refused {
        Some(why) => Err(Failure::refused(format!("the first start would be refused: {why}"))),
        None => Ok(()),
    }
}

fn words(found: &Upgrade, is_done: bool) -> String {
    let (folder, own) = (found.folder.display(), env!("CARGO_PKG_VERSION"));
    let (Some(format), Some(since)) = (found.format, found.written_since) else {
        return format!("There is no journal in {folder}: nothing would change, and the first start begins one.\n");
    };
    let (next, read_by) = (found.format_written, found.read_by);
    let is_upgrade = format != next;
    let has_been = if is_done && is_upgrade { "had" } else { "has" };
    let mut text = format!(
        "{folder} {has_been} format {format}, which version {since} was the first to write. This is version {own}, which writes format {next}.\n"
    );
    if found.steps.is_empty() {
        text += if is_done { "There was nothing to change.\n" } else { "Nothing would change.\n" };
        return text;
    }
    text += if is_done { "\nDone:\n" } else { "\nAt the first start:\n" };
    for step in &found.steps {
        text += &format!("- {}\n", step_words(step));
    }
    let revision = found.revision;
    text += &format!("- the journal, up to revision {revision} at least, is read and verified, as at every start\n");
    if is_done {
        return text;
    }
    let (needed, free) = (mebibytes(found.bytes_needed), found.bytes_free >> 20);
    text += &format!("\nThe disk needs {needed} MiB of free space, and has {free} MiB.\n");
    if found.is_in_use {
        text += "A server runs on the folder, or something else has it open: some of this may change until it has stopped.\n";
    }
    if is_upgrade {
        let (copy, bytes) = (found.folder.with_file_name(copy_name(&found.folder, format)), mebibytes(found.bytes));
        text += &format!(
            "\nVersions before {read_by} don't read the folder afterwards: the only way back is a copy. Stop the server, and make one, of up to {bytes} MiB:\n\n  cp -aT {} {}\n",
            shell_word(&found.folder),
            shell_word(&copy)
        );
    }
    text
}

fn step_words(step: &UpgradeStep) -> String {
    match step {
        UpgradeStep::WriteFormat { format, read_by } => {
            format!("the file `format` is written: format {format}, which version {read_by} and later read")
        }
        UpgradeStep::CreateWriteAheadLog { bytes_max } => {
            format!("the write-ahead log is created; it grows to {} MiB at most", mebibytes(*bytes_max))
        }
        UpgradeStep::VerifyAuditLog { lines, files, bytes, milliseconds } => {
            let lines = counted(usize::try_from(*lines).unwrap_or(usize::MAX), "line", "lines");
            let files = counted(*files, "file", "files");
            format!(
                "the whole audit log is verified: {lines}, {bytes} bytes in {files}; to look at it took {milliseconds} ms"
            )
        }
        UpgradeStep::RecordAuditLog => {
            "the journal gets an entry that records how far the audit log has come: one revision more".to_owned()
        }
        UpgradeStep::DropTornAppend { revision } => {
            format!(
                "what is left of an append that was cut off, and never acknowledged, is dropped: revision {revision}"
            )
        }
        UpgradeStep::DropTornLine { bytes } => {
            format!(
                "what is left of a line of the audit log that was cut off is dropped, {bytes} bytes, and a line says so"
            )
        }
        UpgradeStep::SetSnapshotAside { path } => {
            format!(
                "a damaged snapshot file of the store is set aside, without which nothing is lost: {}",
                path.display()
            )
        }
        UpgradeStep::CloseToOthers { files } => {
            let files = counted(*files, "file or folder", "files or folders");
            format!("others than the owner lose their rights to {files} of the store")
        }
    }
}

/// Rounded up.
fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn copy_name(folder: &Path, format: u32) -> String {
    format!("{}-format-{format}", folder.file_name().unwrap_or_default().to_string_lossy())
}

/// A path as a shell takes it for one word.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Upgrade {
        Upgrade {
            folder: PathBuf::from("county's data"),
            format: Some(1),
            written_since: Some("0.1.0"),
            format_written: 3,
            read_by: "0.3.0",
            is_in_use: true,
            revision: 19,
            steps: vec![
                UpgradeStep::WriteFormat { format: 3, read_by: "0.3.0" },
                UpgradeStep::CreateWriteAheadLog { bytes_max: 16 << 20 },
                UpgradeStep::DropTornAppend { revision: 20 },
                UpgradeStep::SetSnapshotAside { path: PathBuf::from("data/sled/snap.1") },
                UpgradeStep::CloseToOthers { files: 1 },
                UpgradeStep::DropTornLine { bytes: 12 },
                UpgradeStep::VerifyAuditLog { lines: 1_000, files: 2, bytes: 420_000, milliseconds: 7 },
                UpgradeStep::RecordAuditLog,
            ],
            refused: None,
            bytes: (9 << 20) + 1,
            bytes_needed: 80 << 20,
            bytes_free: 1 << 30,
        }
    }

    /// The version is left out of the snapshots.
    fn said(found: &Upgrade, is_done: bool) -> String {
        words(found, is_done).replace(env!("CARGO_PKG_VERSION"), "OWN")
    }

    #[test]
    fn what_would_be_done_and_what_was_done_are_said() {
        insta::assert_snapshot!(format!("{}---\n{}", said(&found(), false), said(&found(), true)));
    }

    #[test]
    fn a_folder_that_is_up_to_date_or_empty_is_said_to_stay_as_it_is() {
        let current = Upgrade { format: Some(3), written_since: Some("0.3.0"), steps: Vec::new(), ..found() };
        let empty = Upgrade { format: None, written_since: None, steps: Vec::new(), ..found() };
        insta::assert_snapshot!(format!("{}{}{}", said(&current, false), said(&current, true), said(&empty, false)));
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, word) in [("data", "data"), ("/var/lib/x-1", "/var/lib/x-1"), ("-x", "'-x'"), ("a b", "'a b'")] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
        assert_eq!(shell_word(Path::new("o'data")), r"'o'\''data'");
    }
}

//! `conspectus export` and `import`: the journal as lines of JSON, so that nobody needs this program to read it.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use clap::Parser;

use super::backup::failure;
use super::control::Control;
use super::failure::Failure;
use super::output;
use crate::backup::{self, import};
use crate::server::{OpenFolder, control_path};

/// Print the whole journal as lines of JSON, one for each entry, while its server runs or not.
///
/// docs/backups.md says what a line has. It is every figure: keep it as safe as the data folder. The audit log is lines of
/// JSON already.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus export --data conspectus-data")]
pub(super) struct ExportArgs {
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
}

/// Make a data folder of lines that `conspectus export` printed: a journal with the same revisions and the same chain of
/// hashes, so that every receipt stays as it is.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus import journal.jsonl --data imported")]
pub(super) struct ImportArgs {
    /// The lines: a file, or - for standard input.
    file: PathBuf,
    /// The folder, which isn't there yet, or empty.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
}

pub(super) async fn run(args: ExportArgs) -> Result<(), Failure> {
    match Control::connect(&args.data).await? {
        Some(mut control) => control.stream(control_path::EXPORT, &(), &mut io::stdout()).await,
        None => {
            tokio::task::spawn_blocking(move || {
                let open = OpenFolder::open(&args.data)?;
                open.export(io::BufWriter::new(io::stdout().lock())).map_err(failure)
            })
            .await?
        }
    }
}

pub(super) fn run_import(args: &ImportArgs) -> Result<(), Failure> {
    let lines: Box<dyn BufRead> = match args.file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => {
            let file = File::open(&args.file);
            Box::new(BufReader::new(
                file.map_err(|error| Failure::failed(format!("{}: {error}", args.file.display())))?,
            ))
        }
    };
    let tail = import(lines, &args.data, |folder| {
        let open = OpenFolder::open(folder);
        open.map(drop).map_err(|error| backup::Error::Differs { what: error.to_string() })
    })
    .map_err(failure)?;
    output::print_line(format_args!(
        "Imported {}: revision {}\nchain hash {}",
        args.data.display(),
        tail.revision,
        tail.hash
    ))
}

//! `conspectus manual`: the manual pages.

use std::path::PathBuf;

use clap::{Command, Parser, ValueHint};
use clap_mangen::Man;

use super::failure::Failure;
use super::output;

/// Print the program's manual page, or write a page for each verb to a folder. Needs no server.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus manual | man -l -\n  conspectus manual /usr/local/share/man/man1")]
pub(super) struct Args {
    /// The folder, which is made if it isn't there.
    #[arg(value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

/// Prints the page of the whole command line, or writes all pages.
///
/// # Errors
/// When they can't be written.
pub(super) fn run(args: &Args, whole: Command) -> Result<(), Failure> {
    // There is no page of `help`.
    let whole = whole.disable_help_subcommand(true);
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        Man::new(whole).render(&mut page)?;
        return output::print(String::from_utf8(page)?);
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(whole, folder));
    written.map_err(|error| Failure::failed(format!("can't write the pages to {}: {error}", folder.display())))
}

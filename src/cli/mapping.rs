//! `conspectus mapping`: how a partner's own return is laid out, and whether a file is read by it.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use super::connect::problems;
use super::failure::Failure;
use super::figure_file;
use super::format::counted;
use super::output;
use crate::figures::empty_rows::EmptyRows;
use crate::figures::problem::grouped;
use crate::figures::{self, Layout, Taken};

/// A mapping says how your own spreadsheet is laid out, so that it can be submitted as it is.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check a mapping, and read a file by it. No server is asked; `submit --mapping … --dry-run` asks it.
    #[command(after_help = "Examples:\n  conspectus mapping check our-return.toml our-return.csv")]
    Check {
        /// The mapping, a TOML file. docs/files.md says what it may have.
        mapping: PathBuf,
        /// The file.
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Verb::Check { mapping, file } = &args.verb;
    let layout = read(mapping)?;
    let input = figure_file::open(file)?;
    let (mut count, mut empty) = (0, EmptyRows::default());
    let mut reading = figures::read_each(&input, &layout, |figure| {
        count += usize::from(!empty.has(&figure));
        Taken::Yes
    });
    let problem = empty.problem(&reading, false, count == 0);
    reading.problems.extend(problem);
    if !reading.problems.is_empty() {
        let lines: Vec<String> = grouped(reading.problems).iter().map(ToString::to_string).collect();
        return Err(problems(&format!(" in {}", file.display()), &lines, 0));
    }
    let mut lines = vec![format!("{} can be read.", counted(count, "figure", "figures"))];
    lines.extend(reading.notes.iter().map(|note| format!("  {note}")));
    output::print_text(&format!("{}\n", lines.join("\n")))
}

/// Reads a mapping.
pub(super) fn read(path: &Path) -> Result<Layout, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("can't read {}: {error}", path.display())))?;
    Layout::of_mapping(&text).map_err(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        problems(&format!(" in {}", path.display()), &lines, 0)
    })
}

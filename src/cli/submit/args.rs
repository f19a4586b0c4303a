//! The arguments of `conspectus submit`, and the file read as they say.

use std::path::PathBuf;

use clap::Parser;

use super::super::connect::Server;
use super::super::progress::Progress;
use super::super::spreadsheet_path::SpreadsheetPath;
use super::selection::SelectionArgs;
use crate::figures::input::Input;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::submitting::part::PartSize;
use crate::submitting::{CatalogueNames, Selection, Sheet};

/// Submit the figures of a spreadsheet, a workbook (.xlsx) or a text file (CSV): all of them, or none if one is wrong.
///
/// Running it again is safe: where every figure stands already, nothing is sent. A file that differs from
/// what stands now is a new submission, also when it was submitted once before.
///
/// A file of more than 10,000 figures is sent in parts, once all of it can be read. Interrupted at any point, the same
/// command goes on with what wasn't received.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus submit figures.xlsx --agency portsmouth-childrens-services --dry-run\n  conspectus submit figures.xlsx --agency portsmouth-childrens-services --source \"Case system\""
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) server: Server,
    /// The file. The first row that names the columns is its header: indicator, area, period and value,
    /// and where they are needed base, numerator, denominator, count, breakdown, markers, note, explanation and action
    /// (withdraw: the figure of the row is withdrawn).
    /// The columns title, unit and due aren't read. docs/files.md has all that is accepted.
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    /// Your id for this submission, which is stored once. By default it is derived from the figures and
    /// from what stands where they go.
    #[arg(long)]
    pub(super) request_id: Option<String>,
    /// Make the file a part of a return of several files, by your own id for it: `return complete` says that it is whole.
    #[arg(long, value_name = "ID", conflicts_with = "request_id")]
    pub(super) return_id: Option<String>,
    /// Store the file again, as a new submission, also when all of its figures stand already: its notes and
    /// source are in the journal, and the figures keep theirs.
    #[arg(long)]
    pub(super) resubmit: bool,
    /// Where the figures come from.
    #[arg(long, default_value = "")]
    pub(super) source: String,
    /// Why figures that were submitted before are revised or withdrawn. An indicator may require one, and a locked period
    /// does.
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// Mark the figures as made up.
    #[arg(long)]
    pub(super) sample: bool,
    /// Only check: report what would happen, and store nothing.
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Store nothing if one of the figures has changed since this revision, such as the one that a dry run named.
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(1..))]
    pub(super) unchanged_since: Option<i64>,
    /// Also write the problems to this file: a workbook with your own rows, each problem beside its row and
    /// its cell marked (a name in .xlsx), or a list of them (.csv). Without problems nothing is written.
    #[arg(long, value_name = "FILE")]
    pub(super) problems: Option<SpreadsheetPath>,
    /// Also write the receipt to this file, which mustn't be there yet: `receipt verify` reads it. Where nothing is sent,
    /// none is written.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) receipt: Option<PathBuf>,
    /// Print the answer as JSON; of a file that is sent in parts each on a line.
    #[arg(long)]
    pub(super) json: bool,
    /// How many figures a part has at most: fewer than a submission may have only to try things out.
    #[arg(long, hide = true, value_name = "COUNT", default_value_t = OBSERVATIONS_MAX, value_parser = part_figures)]
    pub(super) part_figures: usize,
}

fn part_figures(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=OBSERVATIONS_MAX).contains(count));
    count.ok_or_else(|| format!("allowed: 1 to {OBSERVATIONS_MAX}"))
}

impl Args {
    pub(super) fn part_size(&self) -> PartSize {
        PartSize { figures: self.part_figures, ..PartSize::default() }
    }

    /// Reads the file once.
    pub(super) fn read(&self, input: &Input, selection: &Selection, names: Option<&CatalogueNames>) -> Sheet {
        let mut progress = Progress::new("Read", None);
        Sheet::of(input, selection, names, self.part_size(), |figures| {
            // A small file is read before anybody can look.
            if figures > OBSERVATIONS_MAX as u64 && figures % 4_096 == 0 {
                progress.at(figures);
            }
        })
    }
}

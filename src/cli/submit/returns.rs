//! `conspectus return`: returns of several submissions, and whether they are whole.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::super::common_args::Format;
use super::super::connect::{Server, pages, problems};
use super::super::failure::Failure;
use super::super::figure_file;
use super::super::format::{csv, json, time};
use super::super::output;
use super::super::printout::Printout;
use super::super::table::{Align, Table};
use super::completion;
use super::names::catalogue_names;
use super::selection::SelectionArgs;
use crate::figures::problem::grouped;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::rpc::proto::{
    GetReturnResponse, ListReturnsRequest, ListReturnsResponse, Return, ReturnManifest, SubmitObservationsRequest,
};
use crate::submitting::part::PartSize;
use crate::submitting::request_id::{self, Digest};
use crate::submitting::{Selection, Sheet};
use crate::wording::number::thousands;

/// List returns, show one, and say that one is complete.
///
/// A file of more than 10,000 figures is a return by itself, which `submit` completes. One of several files is made with
/// `submit --return-id`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List returns: which are complete, and which are open.
    #[command(after_help = "Examples:\n  conspectus return list --agency portsmouth-childrens-services")]
    List {
        /// Only those of this agency, by id.
        #[arg(short = 'a', long, default_value = "")]
        agency: String,
        #[command(flatten)]
        format: Format,
    },
    /// Show one return: what its submissions that stand have.
    #[command(after_help = "Examples:\n  conspectus return show q1 --agency portsmouth-childrens-services")]
    Show {
        /// Its id.
        return_id: String,
        /// The agency whose it is, by id.
        #[arg(short = 'a', long)]
        agency: String,
        /// Print the answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that a return is complete: what its files have is compared with what was received, and every difference is
    /// reported.
    #[command(
        after_help = "Examples:\n  conspectus return complete q1 contacts.csv referrals.csv --agency portsmouth-childrens-services"
    )]
    Complete {
        /// Its id.
        return_id: String,
        /// All of its files, with the options that they were submitted with.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        selection: Box<SelectionArgs>,
        /// The source that they were submitted with.
        #[arg(long, default_value = "")]
        source: String,
        /// The reason that they were submitted with.
        #[arg(long, default_value = "")]
        reason: String,
        /// That they were submitted as made up.
        #[arg(long)]
        sample: bool,
        /// The size of a part that they were submitted with.
        #[arg(long, hide = true, default_value_t = OBSERVATIONS_MAX)]
        part_figures: usize,
    },
}

pub(super) async fn run(Args { server, verb }: Args) -> Result<(), Failure> {
    match verb {
        Verb::List { agency, format } => list(&server, agency, format).await,
        Verb::Show { return_id, agency, json: is_json } => {
            let found = completion::find(&server, &agency, &return_id).await?;
            let found = found.ok_or_else(|| Failure::refused(format!("`{agency}` has no return `{return_id}`")))?;
            if is_json {
                return output::print_line(json(&found, "GetReturnResponse")?);
            }
            output::show(&shown(&found))
        }
        Verb::Complete { return_id, files, selection, source, reason, sample, part_figures } => {
            let agency = selection.agency.clone();
            let head = SubmitObservationsRequest {
                agency: agency.clone(),
                source,
                reason,
                sample,
                return_id: return_id.clone(),
                ..SubmitObservationsRequest::default()
            };
            let size = PartSize { figures: part_figures, ..PartSize::default() };
            let manifest = manifest_of(&server, &files, &selection.selection()?, &head, size).await?;
            let (figures, parts) = (thousands(&manifest.figures.to_string()), manifest.parts.len());
            let answer = completion::complete(&server, &agency, &return_id, manifest).await?;
            let revision = answer.completed_at_revision;
            output::print_line(format_args!(
                "Return `{return_id}` is complete since revision {revision}: {figures} figures in {parts} parts."
            ))
        }
    }
}

/// What a return has by its files.
async fn manifest_of(
    server: &Server,
    files: &[PathBuf],
    selection: &Selection,
    head: &SubmitObservationsRequest,
    size: PartSize,
) -> Result<ReturnManifest, Failure> {
    let known = completion::find(server, &head.agency, &head.return_id).await?;
    let known = known.and_then(|found| found.manifest).map(|manifest| manifest.parts).unwrap_or_default();
    let known: BTreeSet<String> = known.into_iter().collect();
    let (mut names, mut surveyed) = (None, Vec::new());
    for file in files {
        let input = figure_file::open(file)?;
        let mut sheet = Sheet::of(&input, selection, names.as_ref(), size, |_| {});
        if sheet.needs_names {
            names = Some(catalogue_names(server).await?);
            sheet = Sheet::of(&input, selection, names.as_ref(), size, |_| {});
        }
        if !sheet.reading.problems.is_empty() {
            let lines: Vec<String> = grouped(sheet.reading.problems).iter().map(ToString::to_string).collect();
            return Err(problems(&format!(" in {}", file.display()), &lines, 0));
        }
        surveyed.push(sheet.parts);
    }
    let digests = surveyed.iter().flat_map(|file| &file.digests);
    let parts = digests.map(|digest| part_id(head, *digest, &known)).collect();
    Ok(completion::manifest(parts, &surveyed))
}

/// The id of a part: the one that the return has, where it was withdrawn and sent again.
fn part_id(head: &SubmitObservationsRequest, digest: Digest, known: &BTreeSet<String>) -> String {
    const WITHDRAWN_MAX: u32 = 100;
    let mut ids = (0..WITHDRAWN_MAX).map(|withdrawn| request_id::of_part(head, digest, withdrawn));
    ids.find(|id| known.contains(id)).unwrap_or_else(|| request_id::of_part(head, digest, 0))
}

fn state(of: &Return) -> String {
    if of.complete {
        format!("complete since revision {} ({})", of.completed_at_revision, time(of.completed_at.as_ref()))
    } else {
        "open".to_owned()
    }
}

fn shown(found: &GetReturnResponse) -> Printout {
    let (of, manifest) = (found.summary.clone().unwrap_or_default(), found.manifest.clone().unwrap_or_default());
    let grouped = |count: i64| thousands(&count.to_string());
    let (parts, opened) = (of.part_count, time(of.opened_at.as_ref()));
    let text = format!(
        "Return `{}` of `{}`, opened at revision {} ({opened}): {}; {} figures in {parts} parts\n\n",
        of.return_id,
        of.agency,
        of.opened_at_revision,
        state(&of),
        grouped(of.figure_count)
    );
    let mut table = Table::new([
        ("indicator", Align::Left),
        ("figures", Align::Right),
        ("sum", Align::Right),
        ("sum of bases", Align::Right),
    ]);
    for totals in &manifest.totals {
        let base_sum = if totals.base_sum == "0" { String::new() } else { thousands(&totals.base_sum) };
        table.push([totals.indicator.clone(), grouped(totals.figures), thousands(&totals.sum), base_sum]);
    }
    Printout::default().text(text).table(table)
}

const HEADINGS: [&str; 7] =
    ["agency", "return_id", "complete", "parts", "figures", "opened_at_revision", "completed_at_revision"];

async fn list(server: &Server, agency: String, format: Format) -> Result<(), Failure> {
    const PAGE: i32 = 1_000;
    let mut client = server.submissions().await?;
    let mut answer = ListReturnsResponse::default();
    let get = async |page_token| {
        client.list_returns(ListReturnsRequest { agency: agency.clone(), page_size: PAGE, page_token }).await
    };
    pages(get, |page| {
        answer.revision = page.revision;
        answer.returns.extend(page.returns);
        page.next_page_token
    })
    .await?;
    let row = |of: &Return| {
        [
            of.agency.clone(),
            of.return_id.clone(),
            of.complete.to_string(),
            of.part_count.to_string(),
            of.figure_count.to_string(),
            of.opened_at_revision.to_string(),
            of.completed_at_revision.to_string(),
        ]
    };
    let table = || {
        let mut table = Table::new([
            ("return", Align::Left),
            ("agency", Align::Left),
            ("parts", Align::Right),
            ("figures", Align::Right),
            ("", Align::Left),
        ]);
        for of in &answer.returns {
            let counts = [of.part_count.to_string(), thousands(&of.figure_count.to_string())];
            let [parts, figures] = counts;
            table.push([of.return_id.clone(), of.agency.clone(), parts, figures, state(of)]);
        }
        Printout::default().table(table)
    };
    format.print(|| json(&answer, "ListReturnsResponse"), || csv(HEADINGS, answer.returns.iter().map(row)), table)
}

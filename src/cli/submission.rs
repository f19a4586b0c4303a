//! `conspectus submission`: what an agency has submitted, each with its receipt; and taking one back.

use clap::{Parser, Subcommand};

use super::catalogue_lookup;
use super::common_args::Format;
use super::connect::{Server, pages, response};
use super::failure::Failure;
use super::format::{counted, json, table_csv, time};
use super::legend::Legend;
use super::observation_text::{FIGURE_COLUMNS, figure_cells};
use super::output;
use super::printout::Printout;
use super::table::{Align, Table as TextTable};
use crate::model::hex::Hex;
use crate::model::text::visible;
use crate::rpc::proto::{
    GetSubmissionRequest, GetSubmissionResponse, ListSubmissionsRequest, ListSubmissionsResponse, ObservationOutcome,
    Submission, WithdrawSubmissionRequest,
};
use crate::submitting::change::{did, effect};
use crate::submitting::figure_file;
use crate::tables::{self, Labels};

/// The most items that a page may have.
const PAGE: i32 = 1_000;

/// List what was submitted, show it, and take it back.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List submissions, newest first.
    #[command(after_help = "Examples:\n  conspectus submission list --agency portsmouth-childrens-services")]
    List {
        /// Only those of this agency, by id.
        #[arg(short = 'a', long, default_value = "")]
        agency: String,
        /// The most to list.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Show one submission: its figures as they were received, what each did, and the receipt.
    ///
    /// With --csv it is the file that was submitted: to correct it, change the cells that were wrong, and submit it again.
    #[command(
        after_help = "Examples:\n  conspectus submission show 71ab5eebc4ffb847be627c436b10d777 --agency portsmouth-childrens-services --csv"
    )]
    Show {
        /// The request id that it was submitted under: `submission list` has it.
        request_id: String,
        /// The agency that submitted it, by id.
        #[arg(short = 'a', long)]
        agency: String,
        #[command(flatten)]
        format: Format,
    },
    /// Withdraw a submission: each figure whose newest value came with it goes back to the value before.
    ///
    /// Nothing is erased: answers as of earlier revisions stay as they were. To correct single figures, submit them again;
    /// to withdraw some of them, submit them with `withdraw` in a column action.
    #[command(
        after_help = "Examples:\n  conspectus submission withdraw 71ab5eebc4ffb847be627c436b10d777 --agency portsmouth-childrens-services --reason \"The old file was sent again\" --dry-run"
    )]
    Withdraw {
        /// The request id that it was submitted under.
        request_id: String,
        /// The agency that submitted it, by id.
        #[arg(short = 'a', long)]
        agency: String,
        /// Why; it is kept in the journal.
        #[arg(long)]
        reason: String,
        /// Only check: report what would happen, and store nothing.
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let server = args.server;
    match args.verb {
        Verb::List { agency, limit, format } => list(&server, agency, limit, format).await,
        Verb::Show { request_id, agency, format } => show(&server, agency, request_id, format).await,
        Verb::Withdraw { request_id, agency, reason, dry_run } => {
            let request = WithdrawSubmissionRequest { agency, request_id, reason, validate_only: dry_run };
            withdraw(&server, request).await
        }
    }
}

async fn list(server: &Server, agency: String, limit: u32, format: Format) -> Result<(), Failure> {
    let mut client = server.submissions().await?;
    let limit = usize::try_from(limit)?;
    let page_size = i32::try_from(limit).unwrap_or(PAGE).min(PAGE);
    let mut answer = ListSubmissionsResponse::default();
    let get = async |page_token| {
        let request = ListSubmissionsRequest { agency: agency.clone(), page_size, page_token };
        client.list_submissions(request).await
    };
    pages(get, |page| {
        answer.revision = page.revision;
        answer.submissions.extend(page.submissions);
        let is_more = answer.submissions.len() < limit;
        answer.next_page_token.clone_from(&page.next_page_token);
        if is_more { page.next_page_token } else { String::new() }
    })
    .await?;
    let is_cut = !answer.next_page_token.is_empty() || answer.submissions.len() > limit;
    answer.submissions.truncate(limit);
    let rows = &answer.submissions;
    let labels = if format.csv { catalogue_lookup::all_labels(server).await? } else { Labels::default() };
    let table = tables::submissions(labels);
    format.print(|| json(&answer, "ListSubmissionsResponse"), || table_csv(&table, rows), || list_table(rows, is_cut))
}

fn list_table(submissions: &[Submission], is_cut: bool) -> Printout {
    if submissions.is_empty() {
        return "Nothing was submitted.\n".into();
    }
    let mut table = TextTable::new([
        ("revision", Align::Right),
        ("accepted", Align::Left),
        ("agency", Align::Left),
        ("request id", Align::Left),
        ("figures", Align::Right),
        ("source", Align::Wrap(40)),
        ("return", Align::Left),
        ("", Align::Left),
    ]);
    for submission in submissions {
        table.push([
            submission.revision.to_string(),
            time(submission.accepted_at.as_ref()),
            submission.agency.clone(),
            submission.request_id.clone(),
            submission.observation_count.to_string(),
            submission.source.clone(),
            submission.return_id.clone(),
            flags(submission),
        ]);
    }
    let more = if is_cut { "There are earlier ones: --limit shows more.\n" } else { "" };
    Printout::default().table(table).text(more)
}

/// What stands beside a submission: whether it is made up, and whether it was withdrawn.
fn flags(submission: &Submission) -> String {
    let sample = submission.sample.then(|| "made up".to_owned());
    let withdrawn = submission.withdrawn_at_revision;
    let withdrawn = (withdrawn != 0).then(|| format!("withdrawn at revision {withdrawn}"));
    sample.into_iter().chain(withdrawn).collect::<Vec<_>>().join(", ")
}

async fn show(server: &Server, agency: String, request_id: String, format: Format) -> Result<(), Failure> {
    let mut client = server.submissions().await?;
    let request = GetSubmissionRequest { agency, request_id, page_size: PAGE, page_token: String::new() };
    let mut answer = GetSubmissionResponse::default();
    let mut outcomes: Vec<ObservationOutcome> = Vec::new();
    let get = async |page_token| client.get_submission(GetSubmissionRequest { page_token, ..request.clone() }).await;
    pages(get, |page| {
        answer.observations.extend(page.observations);
        let mut receipt = page.receipt.unwrap_or_default();
        outcomes.append(&mut receipt.outcomes);
        (answer.revision, answer.submission, answer.receipt) = (page.revision, page.submission, Some(receipt));
        page.next_page_token
    })
    .await?;
    if let Some(receipt) = &mut answer.receipt {
        receipt.outcomes = outcomes;
    }
    format.print(
        || json(&answer, "GetSubmissionResponse"),
        || Ok(figure_file::csv(&answer.observations)?),
        || shown(&answer),
    )
}

fn shown(answer: &GetSubmissionResponse) -> Printout {
    let submission = answer.submission.clone().unwrap_or_default();
    let receipt = answer.receipt.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "Submission `{}` of {}, {}: {}.",
        submission.request_id,
        submission.agency,
        time(submission.accepted_at.as_ref()),
        counted(answer.observations.len(), "figure", "figures")
    )];
    if !submission.source.is_empty() {
        lines.push(format!("Source: {}", submission.source));
    }
    if !submission.return_id.is_empty() {
        lines.push(format!("It is a part of return `{}`.", submission.return_id));
    }
    if submission.sample {
        lines.push("Its figures are made up.".to_owned());
    }
    if !submission.reason.is_empty() {
        lines.push(format!("Reason: {}", visible(&submission.reason)));
    }
    match (submission.withdrawn_at_revision, submission.withdrawal_reason.as_str()) {
        (0, _) => {}
        (at, "") => lines.push(format!("It was withdrawn at revision {at}.")),
        (at, reason) => lines.push(format!("It was withdrawn at revision {at}: {}", visible(reason))),
    }
    let chain_hash = Hex(&receipt.chain_hash);
    lines.push(format!("Revision {}, receipt {chain_hash}", receipt.revision));
    let beside = [("", Align::Left), ("it was", Align::Left), ("note", Align::Wrap(40))];
    let mut table = TextTable::new(FIGURE_COLUMNS.into_iter().chain(beside));
    let mut legend = Legend::default();
    for (figure, outcome) in answer.observations.iter().zip(&receipt.outcomes) {
        let flags = legend.submitted_flags(&figure.markers, false).to_owned();
        table.push(figure_cells(figure).into_iter().chain([flags, did(outcome), figure.note.clone()]));
    }
    Printout::from(format!("{}\n\n", lines.join("\n"))).table(table).text(legend.below())
}

async fn withdraw(server: &Server, request: WithdrawSubmissionRequest) -> Result<(), Failure> {
    let (id, is_check) = (request.request_id.clone(), request.validate_only);
    let answer = response(server.submissions().await?.withdraw_submission(request).await)?;
    let effect = effect(&answer);
    let changes_nothing = answer.restored_count + answer.removed_count == 0;
    let text = match (answer.withdrawn_at_revision, is_check) {
        (0, _) => format!("Withdrawing `{id}` would do this: {effect}. Nothing was stored."),
        (at, true) => format!("`{id}` is withdrawn already, since revision {at}. Nothing was stored."),
        (at, false) if changes_nothing => {
            format!("`{id}` is withdrawn since revision {at}; no figure changed.")
        }
        (at, false) => format!("`{id}` is withdrawn at revision {at}: {effect}."),
    };
    output::print_line(text)
}

#[cfg(test)]
mod tests {
    use super::super::printout::at_several_widths;
    use super::*;

    #[test]
    fn a_list_of_submissions_fits_the_terminal() {
        let first = Submission {
            agency: "portsmouth-childrens-services".to_owned(),
            request_id: "a639cf8cac9ff946bcc1262688958e06".to_owned(),
            revision: 15,
            observation_count: 1_204,
            source: "Case system, extract of 3 May by the performance team".to_owned(),
            accepted_at: Some(prost_types::Timestamp { seconds: 1_622_000_000, nanos: 0 }),
            ..Submission::default()
        };
        let second = Submission {
            revision: 16,
            source: String::new(),
            withdrawn_at_revision: 17,
            sample: true,
            ..first.clone()
        };
        insta::assert_snapshot!(at_several_widths(&list_table(&[second, first], true)));
    }
}

//! `conspectus submit`: submits the figures of a spreadsheet.
//!
//! The file is checked by the server before anything is sent to be stored, so that all that is wrong with
//! it is reported in one go, and so that the request's id can say what it changes.

mod dry_run;
mod problem_report;
mod report;
mod request_id;
mod sheet;

use std::path::PathBuf;

use clap::Parser;
use tonic::Status;

use super::catalogue_lookup;
use super::connect::{Connection, Found, Server, problems, refusal, violations};
use super::failure::Failure;
use super::figure_file;
use super::format::json;
use super::output;
use super::receipt_file::ReceiptFile;
use super::spreadsheet_path::SpreadsheetPath;
use crate::figures::names::{self, Names};
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::proto::{ObservationOutcome, Outcome, SubmitObservationsRequest, SubmitObservationsResponse};
use request_id::Repeat;
use sheet::{Selection, Sheet};

/// Submit the figures of a spreadsheet, a workbook (.xlsx) or a text file (CSV): all of them, or none if one is wrong.
///
/// Running it again is safe: where every figure stands already, nothing is sent. A file that differs from
/// what stands now is a new submission, also when it was submitted once before.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The file. The first row that names the columns is its header: indicator, area, period and value,
    /// and where they are needed base, numerator, denominator, count, breakdown, markers, note, explanation and action
    /// (withdraw: the figure of the row is withdrawn).
    /// The columns title, unit and due aren't read. docs/files.md has all that is accepted.
    file: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Your id for this submission, which is stored once. By default it is derived from the figures and
    /// from what stands where they go.
    #[arg(long)]
    request_id: Option<String>,
    /// Store the file again, as a new submission, also when all of its figures stand already: its notes and
    /// source are in the journal, and the figures keep theirs.
    #[arg(long)]
    resubmit: bool,
    /// Where the figures come from.
    #[arg(long, default_value = "")]
    source: String,
    /// Why figures that were submitted before are revised or withdrawn. An indicator may require one, and a locked period
    /// does.
    #[arg(long, default_value = "")]
    reason: String,
    /// Mark the figures as made up.
    #[arg(long)]
    sample: bool,
    /// Only check: report what would happen, and store nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Also write the problems to this file: a workbook with your own rows, each problem beside its row and
    /// its cell marked (a name in .xlsx), or a list of them (.csv). Without problems nothing is written.
    #[arg(long, value_name = "FILE")]
    problems: Option<SpreadsheetPath>,
    /// Also write the receipt to this file, which mustn't be there yet: `receipt verify` reads it. Where nothing is sent,
    /// none is written.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    receipt: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    if args.problems.as_ref().is_some_and(|report| report.path() == args.file) {
        return Err(Failure::usage("--problems names the file itself; allowed: another file"));
    }
    if let Some(path) = args.receipt.as_ref().filter(|path| path.exists()) {
        return Err(Failure::usage(format!("--receipt: {} is there already; name a new file", path.display())));
    }
    let mut sheet = Sheet::of(&figure_file::read(&args.file)?, &args.selection)?;
    if !sheet.is_sendable() {
        return Err(refused(&args, &sheet, &Found::default()));
    }
    if names::are_needed(&sheet.reading.figures)
        && let Err(failure) = take_names(&args.server, &mut sheet).await
    {
        return Err(unchecked(&args, &sheet, failure));
    }
    let mut call = match args.server.submissions().await {
        Ok(client) => Call { client, args: &args, sheet: &sheet },
        Err(failure) => return Err(unchecked(&args, &sheet, failure)),
    };
    let request = SubmitObservationsRequest {
        agency: args.selection.agency.clone(),
        observations: sheet.reading.figures.iter().map(|figure| figure.observation.clone()).collect(),
        source: args.source.clone(),
        sample: args.sample,
        reason: args.reason.clone(),
        ..SubmitObservationsRequest::default()
    };
    let check = SubmitObservationsRequest {
        request_id: request_id::of_check(&request),
        validate_only: true,
        ..request.clone()
    };
    let answer = match args.request_id.clone().filter(|_| sheet.reading.problems.is_empty()) {
        Some(request_id) => {
            call.submit(SubmitObservationsRequest { request_id, validate_only: args.dry_run, ..request }).await?
        }
        None => {
            let checked = call.submit(check.clone()).await?;
            if !sheet.reading.problems.is_empty() {
                return Err(refused(&args, &sheet, &Found::default()));
            }
            if !args.resubmit && changed(&checked) == 0 {
                return print(
                    &args,
                    &checked,
                    &[report::nothing_changes(&checked), sheet.notes(), sheet.left_out()].concat(),
                );
            }
            if args.dry_run {
                checked
            } else {
                // What changes nothing is told apart from the same before by when it is sent.
                let sent_again_at = if changed(&checked) == 0 { checked.revision } else { 0 };
                call.submit_change(&request, &checked.receipt.unwrap_or_default().outcomes, sent_again_at).await?
            }
        }
    };
    if answer.withdrawn_at_revision != 0 {
        return Err(report::withdrawn(&answer));
    }
    let changed_since = if answer.already_received { changed(&call.submit(check).await?) } else { 0 };
    print(
        &args,
        &answer,
        &[report::lines(&answer, &sheet, args.dry_run, changed_since), sheet.notes(), sheet.left_out()].concat(),
    )?;
    match &args.receipt {
        None => Ok(()),
        Some(path) => ReceiptFile::of(&answer.receipt.unwrap_or_default(), &args.file).write(path),
    }
}

/// Puts ids in the places of names, by the server's catalogue.
async fn take_names(server: &Server, sheet: &mut Sheet) -> Result<(), Failure> {
    let indicators = catalogue_lookup::indicators(server).await?.into_values();
    let areas = catalogue_lookup::areas(server).await?;
    let indicators = Names::of(indicators.map(|indicator| (indicator.id, indicator.title)));
    let areas = Names::of(areas.into_iter().map(|area| (area.code, area.name)));
    sheet.reading.take_names(&indicators, &areas);
    Ok(())
}

fn print(args: &Args, answer: &SubmitObservationsResponse, lines: &[String]) -> Result<(), Failure> {
    if args.json {
        return output::print_line(json(answer, "SubmitObservationsResponse")?);
    }
    output::print_text(&format!("{}\n", lines.join("\n")))
}

/// How many figures aren't already so.
fn changed(answer: &SubmitObservationsResponse) -> usize {
    let outcomes = answer.receipt.iter().flat_map(|receipt| &receipt.outcomes);
    outcomes.filter(|outcome| outcome.outcome() != Outcome::Unchanged).count()
}

/// A call of the server, for the figures of a file.
struct Call<'a> {
    client: SubmissionServiceClient<Connection>,
    args: &'a Args,
    sheet: &'a Sheet,
}

impl Call<'_> {
    async fn submit(&mut self, request: SubmitObservationsRequest) -> Result<SubmitObservationsResponse, Failure> {
        let answer = self.client.submit_observations(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| self.failure(&status))
    }

    /// Submits what changes what stands. Where the same change was made and withdrawn before, without a
    /// trace in the figures, it is one more.
    async fn submit_change(
        &mut self,
        request: &SubmitObservationsRequest,
        before: &[ObservationOutcome],
        sent_again_at: i64,
    ) -> Result<SubmitObservationsResponse, Failure> {
        let mut withdrawn = 0;
        loop {
            let request_id = request_id::of(request, before, Repeat { withdrawn, sent_again_at });
            let answer = self.submit(SubmitObservationsRequest { request_id, ..request.clone() }).await?;
            if answer.withdrawn_at_revision == 0 {
                return Ok(answer);
            }
            withdrawn += 1;
        }
    }

    fn failure(&self, status: &Status) -> Failure {
        let found = violations(status);
        if found.listed.is_empty() {
            return unchecked(self.args, self.sheet, refusal(status, str::to_owned));
        }
        refused(self.args, self.sheet, &found)
    }
}

/// Everything that is wrong, by row: what the file itself has, and what the server found.
fn refused(args: &Args, sheet: &Sheet, found: &Found) -> Failure {
    let (all, omitted) = sheet.all_problems(found);
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    let Failure::Message(exit, mut message) = problems(&format!(" in {}", args.file.display()), &lines, omitted) else {
        return Failure::OutputClosed;
    };
    for line in sheet.notes() {
        message.push_str(&format!("\n{line}"));
    }
    if let Some(report) = &args.problems {
        match problem_report::write(report, &sheet.reading, &all) {
            Ok(()) => message.push_str(&format!("\nThe problems are in {}, at their rows", report.path().display())),
            Err(Failure::Message(_, why)) => message.push_str(&format!("\n{why}")),
            Err(Failure::OutputClosed) => {}
        }
    }
    Failure::Message(exit, message)
}

/// The server couldn't check the file.
fn unchecked(args: &Args, sheet: &Sheet, failure: Failure) -> Failure {
    match (sheet.reading.problems.is_empty(), refused(args, sheet, &Found::default()), failure) {
        (false, Failure::Message(exit, found), Failure::Message(_, why)) => {
            Failure::Message(exit, format!("{found}\nThe server checked nothing of it: {why}"))
        }
        (_, _, failure) => failure,
    }
}

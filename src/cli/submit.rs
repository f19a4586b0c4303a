//! `conspectus submit`: submits the figures of a spreadsheet.
//!
//! The file is checked by the server before anything is sent to be stored, so that all that is wrong with
//! it is reported in one go, and so that the request's id can say what it changes.

mod args;
mod columns;
mod completion;
mod dry_run;
mod lane;
mod large;
mod names;
mod problem_report;
mod refused;
mod report;
mod returns;
mod selection;
mod tally;
mod twice;

use std::sync::Arc;

use tonic::Status;

use super::connect::{Connection, refusal};
use super::failure::Failure;
use super::figure_file;
use super::format::json;
use super::output;
use super::receipt_file;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::proto::{ObservationOutcome, Outcome, SubmitObservationsRequest, SubmitObservationsResponse};
use crate::submitting::request_id::{self, Repeat};
use crate::submitting::{Found, Sheet, others};
pub(super) use args::Args;
use large::Large;
use names::catalogue_names;
use refused::{refused, unchecked};
pub(super) use returns::Args as ReturnArgs;

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    if args.problems.as_ref().is_some_and(|report| report.path() == args.file) {
        return Err(Failure::usage("--problems names the file itself; allowed: another file"));
    }
    if let Some(path) = args.receipt.as_ref().filter(|path| path.exists()) {
        return Err(Failure::usage(format!("--receipt: {} is there already; name a new file", path.display())));
    }
    let input = figure_file::open(&args.file)?;
    let selection = args.selection.selection()?;
    let mut sheet = args.read(&input, &selection, None);
    if !sheet.is_sendable() {
        return Err(refused(&args, &sheet, &Found::default()));
    }
    let names = match sheet.needs_names {
        false => None,
        true => match catalogue_names(&args.server).await {
            Ok(names) => Some(Arc::new(names)),
            Err(failure) => return Err(unchecked(&args, &sheet, failure)),
        },
    };
    // A part of a return is sent as a large file is: its id is to be known from its content alone.
    let is_large = sheet.parts.digests.len() > 1 || args.return_id.is_some() && sheet.reading.problems.is_empty();
    match &names {
        None => {}
        Some(names) if is_large => sheet = args.read(&input, &selection, Some(names)),
        Some(names) => names.put_into(&mut sheet.reading),
    }
    if is_large {
        if !sheet.reading.problems.is_empty() {
            return Err(refused(&args, &sheet, &Found::default()));
        }
        return Large { args: &args, selection, input, sheet: &sheet, names }.submit().await;
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
        unchanged_since_revision: args.unchanged_since.unwrap_or_default(),
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
                    &[report::nothing_changes(&checked, &request.observations), sheet.notes()].concat(),
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
    print(&args, &answer, &[report::lines(&answer, &sheet, args.dry_run, changed_since), sheet.notes()].concat())?;
    match &args.receipt {
        None => Ok(()),
        Some(path) => {
            let receipt = receipt_file::receipt_of(&answer.receipt.unwrap_or_default(), &args.file);
            receipt_file::write(&[receipt], path)
        }
    }
}

/// `conspectus return`.
pub(super) async fn run_return(args: ReturnArgs) -> Result<(), Failure> {
    returns::run(args).await
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
        match self.client.submit_observations(request.clone()).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.failure(&request, &status).await),
        }
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

    async fn failure(&mut self, request: &SubmitObservationsRequest, status: &Status) -> Failure {
        let found = Found::of(status);
        if found.listed.is_empty() {
            return unchecked(self.args, self.sheet, refusal(status, str::to_owned));
        }
        refused(self.args, self.sheet, &others::found_with(&mut self.client, request, found).await)
    }
}

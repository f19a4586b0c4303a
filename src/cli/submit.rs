//! `conspectus submit`: figures of a spreadsheet to a server.

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;

use super::Failure;
use super::connect::{Server, refusal};
use super::format::json;
use crate::figures::{self, column_of};
use crate::rpc::proto::{Observation, Outcome, Receipt, SubmitObservationsRequest};

/// Submit the figures of a CSV file: all of them or, when one is wrong, none.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The file. Its first row names the columns: indicator, area, period, value, and where they
    /// are needed base, numerator, denominator, count, breakdown, markers, note.
    file: PathBuf,
    /// The agency whose figures these are. Rows of other agencies, where a column names them, are
    /// left out.
    #[arg(long)]
    agency: String,
    /// Only the rows of this report, where a column names it.
    #[arg(long)]
    report: Option<String>,
    /// Your id for this submission. Left out, it is made from the figures, so that the same file
    /// submitted twice is received once.
    #[arg(long)]
    request_id: Option<String>,
    /// Where the figures come from.
    #[arg(long, default_value = "")]
    source: String,
    /// Mark the figures as made up.
    #[arg(long)]
    sample: bool,
    /// Only check: say what would happen, and store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let file =
        File::open(&args.file).map_err(|error| Failure(format!("can't read {}: {error}", args.file.display())))?;
    let mut figures = figures::read(file).map_err(|violations| {
        let lines = violations.iter().map(|violation| format!("\n  {}: {}", violation.field, violation.description));
        Failure(format!("{} problems in {}:{}", violations.len(), args.file.display(), lines.collect::<String>()))
    })?;
    figures.retain(|figure| figure.agency.is_empty() || figure.agency == args.agency);
    figures.retain(|figure| args.report.as_ref().is_none_or(|report| figure.report == *report));
    let rows: Vec<u64> = figures.iter().map(|figure| figure.row).collect();
    let observations: Vec<Observation> = figures.into_iter().map(|figure| figure.observation).collect();
    let request_id = args.request_id.unwrap_or_else(|| id_of(&args.agency, &observations));
    let request = SubmitObservationsRequest {
        agency: args.agency,
        request_id,
        validate_only: args.dry_run,
        observations,
        source: args.source,
        sample: args.sample,
        columns: None,
    };
    let mut client = args.server.submissions().await?;
    let answer = client
        .submit_observations(request)
        .await
        .map_err(|status| refusal(&status, |field| place(field, &rows)))?
        .into_inner();
    if args.json {
        println!("{}", json(&answer, "SubmitObservationsResponse")?);
        return Ok(());
    }
    let receipt = answer.receipt.unwrap_or_default();
    println!("{}", summary(&receipt, answer.already_received, args.dry_run));
    for (row, outcome) in
        rows.iter().zip(&receipt.outcomes).filter(|(_, outcome)| outcome.outcome() == Outcome::Revised)
    {
        println!("  row {row} revises {}, of revision {}", outcome.revised_from, outcome.previous_revision);
    }
    Ok(())
}

/// An id that the same figures always get.
fn id_of(agency: &str, observations: &[Observation]) -> String {
    use prost::Message;
    let mut hasher = blake3::Hasher::new_derive_key("conspectus submit request id v1");
    hasher.update(agency.as_bytes());
    for observation in observations {
        hasher.update(&observation.encode_length_delimited_to_vec());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Where in the file a field of the request stands.
fn place(field: &str, rows: &[u64]) -> String {
    let inner = field.strip_prefix("observations[").and_then(|rest| rest.split_once(']'));
    let row =
        inner.and_then(|(index, rest)| Some((rows.get(index.parse::<usize>().ok()?)?, rest.trim_start_matches('.'))));
    match row {
        Some((row, "")) => format!("row {row}"),
        Some((row, field)) => format!("row {row}, column {}", column_of(field)),
        None => field.to_owned(),
    }
}

fn summary(receipt: &Receipt, already_received: bool, dry_run: bool) -> String {
    let Receipt { new_count, revised_count, unchanged_count, .. } = receipt;
    let counts = format!("{new_count} new, {revised_count} revised, {unchanged_count} unchanged");
    let hash: String = receipt.chain_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    match (already_received, dry_run) {
        (true, _) => format!("Already received at revision {}: {counts}. Receipt {hash}", receipt.revision),
        (false, true) => format!("Nothing is wrong. Submitted, this would be: {counts}. Nothing was stored."),
        (false, false) => format!("Received at revision {}: {counts}. Receipt {hash}", receipt.revision),
    }
}

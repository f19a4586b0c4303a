//! `conspectus submit`: submits the figures of a spreadsheet.

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;

use super::connect::{Server, refusal};
use super::failure::Failure;
use super::format::{self, json};
use super::output;
use crate::figures::{self, column_of};
use crate::model::hex::Hex;
use crate::rpc::proto::{Observation, Outcome, Receipt, SubmitObservationsRequest};

/// Submit the figures of a CSV file: all of them, or none if one is wrong.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The file. Its first row names the columns: indicator, area, period and value, and where they
    /// are needed base, numerator, denominator, count, breakdown, markers and note.
    file: PathBuf,
    /// The agency whose figures these are, by id. If the file has an agency column, rows of other
    /// agencies are skipped.
    #[arg(long)]
    agency: String,
    /// Only the rows of this report, if the file has a report column.
    #[arg(long)]
    report: Option<String>,
    /// Your id for this submission. By default it is derived from the figures, so that the same file
    /// submitted twice is stored once.
    #[arg(long)]
    request_id: Option<String>,
    /// Where the figures come from.
    #[arg(long, default_value = "")]
    source: String,
    /// Mark the figures as made up.
    #[arg(long)]
    sample: bool,
    /// Only check: report what would happen, and store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let file = File::open(&args.file)
        .map_err(|error| Failure::Message(format!("can't read {}: {error}", args.file.display())))?;
    let mut figures = figures::read(file).map_err(|violations| {
        let lines = violations.iter().map(|violation| format!("\n  {}: {}", violation.field, violation.description));
        Failure::Message(format!(
            "{} in {}:{}",
            format::counted(violations.len(), "problem", "problems"),
            args.file.display(),
            lines.collect::<String>()
        ))
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
        .map_err(|status| refusal(&status, |field| location(field, &rows)))?
        .into_inner();
    if args.json {
        return output::print_line(json(&answer, "SubmitObservationsResponse")?);
    }
    let receipt = answer.receipt.unwrap_or_default();
    let mut lines = vec![summary(&receipt, answer.already_received, args.dry_run)];
    let revised = rows.iter().zip(&receipt.outcomes).filter(|(_, outcome)| outcome.outcome() == Outcome::Revised);
    lines.extend(revised.map(|(row, outcome)| {
        format!("  row {row} revises {}, of revision {}", outcome.revised_from, outcome.previous_revision)
    }));
    output::print_line(lines.join("\n"))
}

/// An id derived from the figures: the same for the same figures.
fn id_of(agency: &str, observations: &[Observation]) -> String {
    use prost::Message;
    let mut hasher = blake3::Hasher::new_derive_key("conspectus submit request id v1");
    hasher.update(agency.as_bytes());
    for observation in observations {
        hasher.update(&observation.encode_length_delimited_to_vec());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The row and column of the file that a field of the request came from.
fn location(field: &str, rows: &[u64]) -> String {
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
    let hash = Hex(&receipt.chain_hash);
    match (already_received, dry_run) {
        (true, _) => format!("Already received at revision {}: {counts}. Receipt {hash}", receipt.revision),
        (false, true) => format!("No problems found. Submitting it would give: {counts}. Nothing was stored."),
        (false, false) => format!("Received at revision {}: {counts}. Receipt {hash}", receipt.revision),
    }
}

//! What a submission did, or would do, in words.

use super::super::failure::Failure;
use super::super::format::counted;
use super::dry_run as dry_run_report;
use crate::figures::Figure;
use crate::model::hex::Hex;
use crate::rpc::proto::{Finding, Observation, Outcome, Receipt, SubmitObservationsResponse};
use crate::submitting::{Counts, Sheet, standing};

/// The receipt, and a line for each figure that it revised. `changed_since` is how many of the figures of
/// a submission that was received before aren't what they were then.
pub(super) fn lines(
    answer: &SubmitObservationsResponse,
    sheet: &Sheet,
    dry_run: bool,
    changed_since: usize,
) -> Vec<String> {
    let receipt = answer.receipt.clone().unwrap_or_default();
    let mut lines = vec![summary(answer, &receipt, dry_run)];
    let figures = &sheet.reading.figures;
    if dry_run {
        lines.extend(dry_run_report::lines(figures, &receipt.outcomes));
    } else {
        let outcomes = figures.iter().zip(&receipt.outcomes);
        lines.extend(outcomes.filter_map(|(figure, outcome)| {
            let did = match outcome.outcome() {
                Outcome::Revised => "revises",
                Outcome::Withdrawn => "withdraws",
                Outcome::Unspecified | Outcome::New | Outcome::Unchanged => return None,
            };
            let (before, revision) = (&outcome.revised_from, outcome.previous_revision);
            Some(format!("  row {} {did} {before}, of revision {revision}", figure.row))
        }));
    }
    lines.extend(findings(figures, &receipt));
    if receipt.more_findings_count > 0 {
        lines.push(format!("  and {} more that checks found", receipt.more_findings_count));
    }
    if changed_since > 0 {
        let figures = counted(changed_since, "of its figures has", "of its figures have");
        lines.push(format!("  {figures} changed since; to submit the file over that, leave --request-id out"));
    }
    lines
}

/// What checks found of the figures of a submission, and was taken all the same.
pub(super) fn findings(figures: &[Figure], receipt: &Receipt) -> Vec<String> {
    let line = |finding: &Finding| {
        let row = figures.get(usize::try_from(finding.observation).ok()?)?.row;
        Some(found(row, finding))
    };
    receipt.findings.iter().filter_map(line).collect()
}

/// What a check found of a row, and was taken all the same.
fn found(row: u64, finding: &Finding) -> String {
    let Finding { check, found, expected, explanation, .. } = finding;
    let taken = match explanation.as_str() {
        "" => "it is noted".to_owned(),
        explanation => format!("explained: {explanation}"),
    };
    format!("  row {row}: found {found}; check `{check}` expects {expected}; {taken}")
}

fn summary(answer: &SubmitObservationsResponse, receipt: &Receipt, dry_run: bool) -> String {
    let counts = Counts::of(receipt);
    let hash = Hex(&receipt.chain_hash);
    match (answer.already_received, dry_run) {
        (true, _) => format!("Already received at revision {}: {counts}. Receipt {hash}", receipt.revision),
        (false, true) => format!(
            "No problems found. As of revision {}, submitting it would give: {counts}. Nothing was stored.",
            answer.revision
        ),
        (false, false) => format!("Received at revision {}: {counts}. Receipt {hash}", receipt.revision),
    }
}

/// That every figure stands already, or is withdrawn already, and since when.
pub(super) fn nothing_changes(checked: &SubmitObservationsResponse, submitted: &[Observation]) -> Vec<String> {
    vec![format!(
        "Nothing would change: {}. Nothing was sent; --resubmit stores the file again as a new submission, with its notes \
         and source, and the figures keep theirs.",
        standing(checked, submitted)
    )]
}

/// A submission that was received and withdrawn: sent again, its figures stay withdrawn.
pub(super) fn withdrawn(answer: &SubmitObservationsResponse) -> Failure {
    let receipt = answer.receipt.clone().unwrap_or_default();
    Failure::refused(format!(
        "`{}` was received at revision {} and withdrawn at revision {}: its figures stay withdrawn. To submit them \
         again, use a new --request-id, or none",
        receipt.request_id, receipt.revision, answer.withdrawn_at_revision
    ))
}

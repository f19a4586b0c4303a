//! What became of the parts of a large file, all together.

use std::path::Path;

use super::super::format::counted;
use super::super::receipt_file;
use super::report;
use crate::rpc::proto::SubmitObservationsResponse;
use crate::submitting::part::Part;
use crate::submitting::{Counts, ReceiptFile};

/// The most lines of what checks found.
const FOUND_SHOWN_MAX: usize = 50;

/// What became of the parts that were accepted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Counts,
    parts: usize,
    /// How many of the parts had been received before.
    received_before: usize,
    /// What the first part of a dry run was held against: no other was held against an earlier one.
    checked_at: Option<i64>,
    /// The first revision, and the last.
    revisions: Option<(i64, i64)>,
    /// The rows whose figures are stored, from the first of a part to the last; parts that follow each other as one.
    rows: Vec<(u64, u64)>,
    receipts: Vec<ReceiptFile>,
    found: Vec<String>,
    found_omitted: usize,
}

impl Tally {
    pub(super) fn add(&mut self, part: &Part, answer: &SubmitObservationsResponse, file: &Path) {
        let receipt = answer.receipt.clone().unwrap_or_default();
        self.counts += Counts::of(&receipt);
        self.parts += 1;
        self.received_before += usize::from(answer.already_received);
        let lines = report::findings(&part.figures, &receipt);
        let room = FOUND_SHOWN_MAX - self.found.len().min(FOUND_SHOWN_MAX);
        self.found_omitted += lines.len().saturating_sub(room);
        self.found.extend(lines.into_iter().take(room));
        if receipt.revision == 0 {
            self.checked_at = self.checked_at.or(Some(answer.revision));
            return;
        }
        let (first, last) = self.revisions.unwrap_or((receipt.revision, receipt.revision));
        self.revisions = Some((first.min(receipt.revision), last.max(receipt.revision)));
        self.rows.push(part.rows());
        self.receipts.push(receipt_file::receipt_of(&receipt, file));
    }

    pub(super) fn receipts(&self) -> &[ReceiptFile] {
        &self.receipts
    }

    /// Whether all figures are already so.
    pub(super) fn changes_nothing(&self) -> bool {
        self.counts.changed() == 0
    }

    /// The request ids of the parts that are stored.
    pub(super) fn request_ids(&self) -> Vec<String> {
        self.receipts.iter().map(|receipt| receipt.request_id.clone()).collect()
    }

    /// What was done, or would be.
    pub(super) fn lines(&self, is_dry_run: bool) -> Vec<String> {
        let Self { counts, parts, received_before, .. } = self;
        let parts_in_all = counted(*parts, "part", "parts");
        let (first, last) = self.revisions.unwrap_or_default();
        let mut lines = vec![if is_dry_run {
            let checked_at = self.checked_at.unwrap_or_default();
            format!(
                "No problems found. As of revision {checked_at}, submitting it in {parts_in_all} would give: {counts}. \
                 Nothing was stored."
            )
        } else if received_before == parts {
            format!("Already received in {parts_in_all}, at revisions {first} to {last}: {counts}.")
        } else {
            format!("Received in {parts_in_all}, at revisions {first} to {last}: {counts}.")
        }];
        if *received_before > 0 && received_before < parts && !is_dry_run {
            lines.push(format!("  {} had been received before", counted(*received_before, "part", "parts")));
        }
        lines.extend(self.found.iter().cloned());
        if self.found_omitted > 0 {
            lines.push(format!("  and {} more that checks found", self.found_omitted));
        }
        lines
    }

    /// What is stored although not all is; on a line of its own.
    pub(super) fn stays(&self, is_dry_run: bool) -> String {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        for (first, last) in rows {
            match spans.last_mut() {
                // Rows between two parts may be blank, or of somebody else.
                Some(span) if first <= span.1 + 1 => span.1 = last,
                _ => spans.push((first, last)),
            }
        }
        let shown: Vec<String> = spans.iter().take(10).map(|(first, last)| format!("{first} to {last}")).collect();
        let more = spans.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(", and {more} more such") } else { String::new() };
        if is_dry_run || spans.is_empty() {
            return "\nNothing was stored".to_owned();
        }
        format!("\nRows {}{more} were received, and stay; nothing of the others was stored", shown.join(", "))
    }
}

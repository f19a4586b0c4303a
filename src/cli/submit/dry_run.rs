//! What a dry run says of each figure: what it would change.

use super::super::format::counted;
use crate::figures::Figure;
use crate::rpc::proto::{ObservationOutcome, Outcome};
use crate::submitting::change::percent;
use crate::submitting::value::{shown, value};

/// The most figures that are listed; the others are counted.
const CHANGES_SHOWN_MAX: usize = 50;

/// A line for each figure that is new or another one, in the order of the file, and for those that are left out.
pub(super) fn lines(figures: &[Figure], outcomes: &[ObservationOutcome]) -> Vec<String> {
    let changed = || figures.iter().zip(outcomes).filter(|(_, outcome)| outcome.outcome() != Outcome::Unchanged);
    let mut lines: Vec<String> =
        changed().take(CHANGES_SHOWN_MAX).map(|(figure, outcome)| line(figure, outcome)).collect();
    let left_out = changed().count() - lines.len();
    if left_out > 0 {
        lines.push(format!("  and {}", counted(left_out, "further change", "further changes")));
    }
    lines
}

fn line(figure: &Figure, outcome: &ObservationOutcome) -> String {
    let observation = &figure.observation;
    let breakdown: String =
        observation.breakdown.iter().map(|of| format!(", {}={}", of.dimension, of.category)).collect();
    let of = format!("{} {} {}{breakdown}", observation.indicator, observation.area, observation.period);
    let new = value(observation);
    let change = match outcome.outcome() {
        Outcome::Revised => {
            let change = percent(&outcome.revised_from, &new).map(|change| format!(" ({change})")).unwrap_or_default();
            format!("{} -> {}{change}", shown(&outcome.revised_from), shown(&new))
        }
        Outcome::Withdrawn => format!("{} -> withdrawn", shown(&outcome.revised_from)),
        Outcome::New | Outcome::Unchanged | Outcome::Unspecified => format!("new, {}", shown(&new)),
    };
    format!("  row {}: {of}: {change}", figure.row)
}

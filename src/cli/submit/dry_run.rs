//! What a dry run says of each figure: what it would change.

use super::super::format::counted;
use super::super::observation_text::{shown, value};
use crate::figures::Figure;
use crate::model::decimal::{Decimal, Quotient, Rounding};
use crate::rpc::proto::{ObservationOutcome, Outcome};
use crate::wording::number::signed;

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
            let change = change(&outcome.revised_from, &new).map(|change| format!(" ({change})")).unwrap_or_default();
            format!("{} -> {}{change}", shown(&outcome.revised_from), shown(&new))
        }
        Outcome::Withdrawn => format!("{} -> withdrawn", shown(&outcome.revised_from)),
        Outcome::New | Outcome::Unchanged | Outcome::Unspecified => format!("new, {}", shown(&new)),
    };
    format!("  row {}: {of}: {change}", figure.row)
}

/// The change of one number to another in per cent, to one decimal; none of nothing, and none of ratios, which differ
/// by percentage points.
fn change(old: &str, new: &str) -> Option<String> {
    let number = |text: &str| -> Option<Quotient> {
        let (number, markers) = text.split_once(' ').unwrap_or((text, ""));
        let is_plain = markers.split_whitespace().all(|marker| marker.starts_with('['));
        number.parse::<Decimal>().ok().filter(|_| is_plain).map(Quotient::from)
    };
    let (old, new) = (number(old)?, number(new)?);
    // Below zero the sign of a share says nothing.
    let old = Some(old).filter(|old| !old.is_negative())?;
    let share = new.checked_sub(old)?.checked_mul(100.into())?.checked_div(old)?;
    Some(format!("{}%", signed(&share.round(1, Rounding::HalfUp)?.decimal()?.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_per_cent_where_both_are_numbers() {
        for (old, new, expect) in [
            ("70", "72", Some("+2.9%")),
            ("72 [p]", "70", Some("-2.8%")),
            ("100", "100.0", Some("0.0%")),
            ("1", "12", Some("+1,100.0%")),
            ("0", "5", None),
            ("-5", "5", None),
            ("[x]", "5", None),
            ("5", "[c]", None),
            ("87.90 % of 18496", "88 % of 18496", None),
        ] {
            assert_eq!(change(old, new).as_deref(), expect, "{old}, {new}");
        }
    }
}

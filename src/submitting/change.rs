//! What a submission, or its withdrawal, does to figures.

use crate::model::decimal::{Decimal, Quotient, Rounding};
use crate::rpc::proto::{ObservationOutcome, Outcome, WithdrawSubmissionResponse};
use crate::wording::count::counted;
use crate::wording::number::signed;

/// The change of one value to another in per cent, to one decimal: `+2.9%`. None from zero or from below it, none where
/// one is no number, and none of ratios, which differ by percentage points.
pub(crate) fn percent(old: &str, new: &str) -> Option<String> {
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

/// What a figure did: `new`, `revised from 5`.
pub(crate) fn did(outcome: &ObservationOutcome) -> String {
    match outcome.outcome() {
        Outcome::Unspecified => String::new(),
        Outcome::New => "new".to_owned(),
        Outcome::Revised => format!("revised from {}", outcome.revised_from),
        Outcome::Unchanged => "unchanged".to_owned(),
        Outcome::Withdrawn => format!("withdrew {}", outcome.revised_from),
    }
}

/// What a withdrawal does: `2 figures go back to the value before, 1 has no value any more`.
pub(crate) fn effect(withdrawal: &WithdrawSubmissionResponse) -> String {
    let [restored, removed] =
        [withdrawal.restored_count, withdrawal.removed_count].map(|count| usize::try_from(count).unwrap_or(0));
    format!(
        "{} back to the value before, {} no value any more",
        counted(restored, "figure goes", "figures go"),
        counted(removed, "has", "have")
    )
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
            assert_eq!(percent(old, new).as_deref(), expect, "{old}, {new}");
        }
    }
}

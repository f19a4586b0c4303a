//! What a check of the catalogue expects, in words.

use super::number::{is_zero, thousands};
use crate::rpc::proto::check::Rule;
use crate::rpc::proto::{Check, CheckSeverity, MissingValues};

/// What is expected of a figure: `at least 0`, `no further from that of the period before than 20%`.
pub(crate) fn expectation(check: &Check) -> String {
    let tolerance = tolerance(check);
    match &check.rule {
        None => String::new(),
        Some(Rule::Range(range)) => {
            let bound = |what: &str, bound: &str| (!bound.is_empty()).then(|| format!("{what} {}", thousands(bound)));
            let bounds = bound("at least", &range.min).into_iter().chain(bound("at most", &range.max));
            bounds.collect::<Vec<_>>().join(" and ")
        }
        Some(Rule::Numerator(_)) => "a numerator that is not above its denominator".to_owned(),
        Some(Rule::Parts(parts)) => {
            format!("the categories of {} add up to the total{}", parts.dimension, off_by(&tolerance))
        }
        Some(Rule::NotAbove(limit)) => format!("not above the figure of {}{}", limit.indicator, off_by(&tolerance)),
        Some(Rule::Change(_)) => format!("no further from that of the period before than {tolerance}"),
        Some(Rule::Outlier(outlier)) => {
            let or = if tolerance.is_empty() { String::new() } else { format!(", or {tolerance}") };
            format!(
                "no further from the median of its history than {} median absolute deviations{or}; from {} figures on",
                outlier.deviations, outlier.periods_min
            )
        }
        Some(Rule::Zero(zero)) => {
            format!("not zero where none of its history is; from {} figures on", zero.periods_min)
        }
        Some(Rule::Breakdown(breakdown)) => format!("a total comes with every category of {}", breakdown.dimension),
    }
}

/// How far off a figure may be: `5 or 2%, whichever is wider`; empty if not at all.
fn tolerance(check: &Check) -> String {
    let is_some = |text: &str| !text.is_empty() && !is_zero(text);
    match (is_some(&check.tolerance), is_some(&check.tolerance_percent)) {
        (false, false) => String::new(),
        (true, false) => thousands(&check.tolerance),
        (false, true) => format!("{}%", check.tolerance_percent),
        (true, true) => {
            format!("{} or {}%, whichever is wider", thousands(&check.tolerance), check.tolerance_percent)
        }
    }
}

fn off_by(tolerance: &str) -> String {
    if tolerance.is_empty() { String::new() } else { format!(", to within {tolerance}") }
}

/// What becomes of a figure that isn't as it is expected.
pub(crate) fn consequence(severity: CheckSeverity) -> &'static str {
    match severity {
        CheckSeverity::Unspecified => "",
        CheckSeverity::Error => "error: refused",
        CheckSeverity::Query => "query: accepted with an explanation",
        CheckSeverity::Note => "note: accepted, and said in the receipt",
    }
}

/// What becomes of a check when a value that it needs is missing.
pub(crate) fn when_missing(missing: MissingValues) -> &'static str {
    match missing {
        MissingValues::Unspecified | MissingValues::SkipAny => "not judged when any value is missing",
        MissingValues::SkipAll => "not judged when all values are missing",
        MissingValues::Fail => "a missing value is found",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{
        BreakdownCheck, ChangeCheck, NotAboveCheck, NumeratorCheck, OutlierCheck, PartsCheck, RangeCheck, ZeroCheck,
    };

    #[test]
    fn every_kind_of_check_says_what_it_expects() {
        let check = |rule: Rule, tolerance: &str, percent: &str| Check {
            rule: Some(rule),
            tolerance: tolerance.to_owned(),
            tolerance_percent: percent.to_owned(),
            ..Check::default()
        };
        let text = |text: &str| text.to_owned();
        let checks = [
            check(Rule::Range(RangeCheck { min: text("0"), max: text("12500") }), "", ""),
            check(Rule::Range(RangeCheck { min: String::new(), max: text("5") }), "", ""),
            check(Rule::Numerator(NumeratorCheck {}), "", ""),
            check(Rule::Parts(PartsCheck { dimension: text("sex") }), "5", ""),
            check(Rule::NotAbove(NotAboveCheck { indicator: text("referrals") }), "0", "0"),
            check(Rule::Change(ChangeCheck {}), "50", "20"),
            check(Rule::Outlier(OutlierCheck { deviations: text("5.19"), periods_min: 8 }), "", "10"),
            check(Rule::Zero(ZeroCheck { periods_min: 4 }), "", ""),
            check(Rule::Breakdown(BreakdownCheck { dimension: text("age-band") }), "", ""),
        ];
        insta::assert_snapshot!(checks.iter().map(expectation).collect::<Vec<_>>().join("\n"));
    }
}

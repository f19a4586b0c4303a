//! The checks of an indicator's version.

use super::super::wire::{DecodeError, known, parse, proto};
use crate::catalogue::checks::{Check, CheckKind, CheckRule, MissingValues, Severity};
use crate::model::decimal::Decimal;

pub(super) fn to_proto(check: &Check) -> proto::Check {
    let tolerance = |tolerance: Decimal| if tolerance.is_zero() { String::new() } else { tolerance.to_string() };
    let head = proto::Check {
        id: check.id.to_string(),
        severity: check.severity.code(),
        missing_values: check.missing_values.code(),
        tolerance: tolerance(check.tolerance),
        tolerance_percent: tolerance(check.tolerance_percent),
        kind: check.rule.kind().code(),
        ..proto::Check::default()
    };
    let bound = |bound: &Option<Decimal>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    match &check.rule {
        CheckRule::Range { min, max } => proto::Check { min: bound(min), max: bound(max), ..head },
        CheckRule::Parts { dimension } | CheckRule::Breakdown { dimension } => {
            proto::Check { dimension: dimension.to_string(), ..head }
        }
        CheckRule::NotAbove { indicator } => proto::Check { indicator: indicator.to_string(), ..head },
        CheckRule::Outlier { deviations, periods_min } => {
            proto::Check { deviations: deviations.to_string(), periods_min: u32::from(*periods_min), ..head }
        }
        CheckRule::Zero { periods_min } => proto::Check { periods_min: u32::from(*periods_min), ..head },
        CheckRule::Numerator {} | CheckRule::Change {} => head,
    }
}

pub(super) fn from_proto(check: &proto::Check) -> Result<Check, DecodeError> {
    let tolerance = |text: &str| if text.is_empty() { Ok(Decimal::ZERO) } else { parse(text) };
    Ok(Check {
        id: parse(&check.id)?,
        severity: known("severity", check.severity, Severity::from_code(check.severity))?,
        missing_values: known("rule", check.missing_values, MissingValues::from_code(check.missing_values))?,
        tolerance: tolerance(&check.tolerance)?,
        tolerance_percent: tolerance(&check.tolerance_percent)?,
        rule: rule(check)?,
    })
}

fn rule(check: &proto::Check) -> Result<CheckRule, DecodeError> {
    let bound = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    let periods_min = || u16::try_from(check.periods_min).map_err(DecodeError::new);
    Ok(match known("kind of check", check.kind, CheckKind::from_code(check.kind))? {
        CheckKind::Range => CheckRule::Range { min: bound(&check.min)?, max: bound(&check.max)? },
        CheckKind::Numerator => CheckRule::Numerator {},
        CheckKind::Parts => CheckRule::Parts { dimension: parse(&check.dimension)? },
        CheckKind::NotAbove => CheckRule::NotAbove { indicator: parse(&check.indicator)? },
        CheckKind::Change => CheckRule::Change {},
        CheckKind::Outlier => CheckRule::Outlier { deviations: parse(&check.deviations)?, periods_min: periods_min()? },
        CheckKind::Zero => CheckRule::Zero { periods_min: periods_min()? },
        CheckKind::Breakdown => CheckRule::Breakdown { dimension: parse(&check.dimension)? },
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::model::hex::Hex;

    fn range(min: Option<&str>, max: Option<&str>) -> CheckRule {
        let bound = |bound: Option<&str>| bound.map(|bound| bound.parse().unwrap());
        CheckRule::Range { min: bound(min), max: bound(max) }
    }

    /// What is in journals must be read for ever.
    #[test]
    fn a_check_of_each_kind_is_written_as_it_always_was_and_reads_back() {
        let (dimension, deviations) = ("sex".parse().unwrap(), "3.5".parse().unwrap());
        let rules = [
            range(Some("0"), Some("5.50")),
            range(None, Some("-1")),
            CheckRule::Numerator {},
            CheckRule::Parts { dimension },
            CheckRule::NotAbove { indicator: "contacts".parse().unwrap() },
            CheckRule::Change {},
            CheckRule::Outlier { deviations, periods_min: 8 },
            CheckRule::Zero { periods_min: 120 },
            CheckRule::Breakdown { dimension: "age".parse().unwrap() },
        ];
        let mut written = String::new();
        for rule in rules {
            let check = Check {
                id: "a".parse().unwrap(),
                severity: Severity::Error,
                missing_values: MissingValues::Fail,
                tolerance: "0.50".parse().unwrap(),
                tolerance_percent: Decimal::ZERO,
                rule,
            };
            let bytes = to_proto(&check).encode_to_vec();
            written += &format!("{} {}\n", Hex(&bytes), check.rule.kind());
            assert_eq!(from_proto(&proto::Check::decode(&*bytes).unwrap()), Ok(check));
        }
        insta::assert_snapshot!(written);
    }

    #[test]
    fn what_is_no_check_is_refused() {
        let good =
            || proto::Check { id: "a".to_owned(), severity: 1, missing_values: 1, kind: 2, ..Default::default() };
        assert!(from_proto(&good()).is_ok());
        for wrong in [
            proto::Check { id: String::new(), ..good() },
            proto::Check { severity: 0, ..good() },
            proto::Check { missing_values: 9, ..good() },
            proto::Check { kind: 9, ..good() },
            proto::Check { kind: 3, ..good() },
            proto::Check { kind: 8, dimension: "Sex".to_owned(), ..good() },
            proto::Check { kind: 7, periods_min: 1 << 16, ..good() },
            proto::Check { tolerance: "wide".to_owned(), ..good() },
        ] {
            assert!(from_proto(&wrong).is_err(), "{wrong:?}");
        }
    }
}

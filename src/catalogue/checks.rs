//! The checks of an indicator: what is expected of its submitted figures, and what becomes of one that isn't so.
//!
//! The rules by which each is judged are in `docs/statistics.md`, section 20.

use serde::{Deserialize, Serialize};

use crate::model::code_list::code_list;
use crate::model::decimal::Decimal;
use crate::model::id::{CheckId, DimensionId, IndicatorId};

/// How many periods before a figure's own are its history, at the most.
pub const HISTORY_PERIODS_MAX: u16 = 120;

code_list! {
    /// What becomes of a figure that a check finds.
    pub enum Severity {
        /// Its submission is refused.
        Error = 1, "error";
        /// It is taken with an explanation, which is kept and shown beside it.
        Query = 2, "query";
        /// It is taken, and the receipt says so.
        Note = 3, "note";
    }
}

code_list! {
    /// What becomes of a check one of whose sides has no value: nothing was submitted for it, or a marker.
    pub enum MissingValues {
        /// It isn't judged when one side is missing.
        SkipAny = 1, "skip-any";
        /// It isn't judged when all sides are missing; one that is missing beside another is found.
        SkipAll = 2, "skip-all";
        /// A side that is missing is found.
        Fail = 3, "fail";
    }
}

/// What is expected of an indicator's figures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Check {
    /// Its id, unique among the checks of the indicator.
    pub id: CheckId,
    /// What becomes of a figure that it finds.
    pub severity: Severity,
    /// What becomes of it when a side has no value.
    #[serde(default = "skip_any", skip_serializing_if = "is_skip_any")]
    pub missing_values: MissingValues,
    /// How far off a figure may be, in the indicator's unit (percentage points for ratios); 0 or more.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub tolerance: Decimal,
    /// How far off a figure may be, in per cent of what it is held against. The wider tolerance holds.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub tolerance_percent: Decimal,
    /// What is expected.
    #[serde(flatten)]
    pub rule: CheckRule,
}

/// What a check expects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CheckRule {
    /// A figure is within a range, both ends included, either of them open.
    Range {
        /// The least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<Decimal>,
        /// The greatest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Decimal>,
    },
    /// The numerator of a ratio isn't above its denominator, nor a percentage above 100. Without such a check, one that
    /// is is refused.
    Numerator {},
    /// The categories of a dimension add up to the total, within the tolerance.
    Parts {
        /// The dimension.
        dimension: DimensionId,
    },
    /// A figure isn't above that of another indicator by more than the tolerance.
    NotAbove {
        /// The other indicator.
        indicator: IndicatorId,
    },
    /// A figure differs from that of the period before by no more than the tolerance.
    Change {},
    /// A figure isn't further from the median of its history than so many median absolute deviations, or the
    /// tolerance.
    Outlier {
        /// How many median absolute deviations, above 0.
        deviations: Decimal,
        /// How many figures its history has at least, 1 to [`HISTORY_PERIODS_MAX`].
        periods_min: u16,
    },
    /// A figure isn't zero where none of its history is.
    Zero {
        /// How many figures its history has at least, 1 to [`HISTORY_PERIODS_MAX`].
        periods_min: u16,
    },
    /// A total comes with every category of a dimension, or a marker for it.
    Breakdown {
        /// The dimension.
        dimension: DimensionId,
    },
}

impl CheckRule {
    /// Its kind, as the catalogue's file has it.
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Range { .. } => CheckKind::Range,
            Self::Numerator {} => CheckKind::Numerator,
            Self::Parts { .. } => CheckKind::Parts,
            Self::NotAbove { .. } => CheckKind::NotAbove,
            Self::Change {} => CheckKind::Change,
            Self::Outlier { .. } => CheckKind::Outlier,
            Self::Zero { .. } => CheckKind::Zero,
            Self::Breakdown { .. } => CheckKind::Breakdown,
        }
    }

    /// The indicator that a figure isn't to be above, where the check has one.
    pub(crate) fn limit(&self) -> Option<&IndicatorId> {
        match self {
            Self::NotAbove { indicator } => Some(indicator),
            Self::Range { .. }
            | Self::Numerator {}
            | Self::Parts { .. }
            | Self::Change {}
            | Self::Outlier { .. }
            | Self::Zero { .. }
            | Self::Breakdown { .. } => None,
        }
    }
}

code_list! {
    /// The kinds of checks.
    pub enum CheckKind {
        /// Within a range.
        Range = 1, "range";
        /// A numerator not above its denominator.
        Numerator = 2, "numerator";
        /// Categories that add up to the total.
        Parts = 3, "parts";
        /// Not above another indicator.
        NotAbove = 4, "not-above";
        /// The change against the period before.
        Change = 5, "change";
        /// An outlier of its history.
        Outlier = 6, "outlier";
        /// Zero where never zero before.
        Zero = 7, "zero";
        /// A breakdown that is expected and missing.
        Breakdown = 8, "breakdown";
    }
}

impl CheckKind {
    /// Whether it has a tolerance.
    pub(super) fn has_tolerance(self) -> bool {
        match self {
            Self::Parts | Self::NotAbove | Self::Change | Self::Outlier => true,
            Self::Range | Self::Numerator | Self::Zero | Self::Breakdown => false,
        }
    }

    /// Whether it looks at other figures than the one that it judges.
    pub(crate) fn looks_at_others(self) -> bool {
        match self {
            Self::Parts | Self::NotAbove | Self::Change | Self::Outlier | Self::Zero | Self::Breakdown => true,
            Self::Range | Self::Numerator => false,
        }
    }
}

fn skip_any() -> MissingValues {
    MissingValues::SkipAny
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
fn is_skip_any(missing: &MissingValues) -> bool {
    *missing == MissingValues::SkipAny
}

fn zero() -> Decimal {
    Decimal::ZERO
}

fn is_zero(decimal: &Decimal) -> bool {
    decimal.is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Checks {
        checks: Vec<Check>,
    }

    /// A check of each kind, as a catalogue's file has it.
    const ALL: &str = r#"
        checks = [
            { id = "a", severity = "error", kind = "range", min = "0", max = "5.5" },
            { id = "b", severity = "error", kind = "numerator" },
            { id = "c", severity = "query", kind = "parts", dimension = "sex", tolerance = "2", missing_values = "fail" },
            { id = "d", severity = "note", kind = "not-above", indicator = "contacts" },
            { id = "e", severity = "query", kind = "change", tolerance = "10", tolerance_percent = "20" },
            { id = "f", severity = "query", kind = "outlier", deviations = "5", periods_min = 8 },
            { id = "g", severity = "query", kind = "zero", periods_min = 3 },
            { id = "h", severity = "note", kind = "breakdown", dimension = "sex" },
        ]
    "#;

    #[test]
    fn a_check_of_each_kind_is_read_from_a_file_and_written_back() {
        let Checks { checks } = toml::from_str(ALL).unwrap();
        let kinds: Vec<CheckKind> = checks.iter().map(|check| check.rule.kind()).collect();
        assert_eq!(kinds, CheckKind::ALL);
        let written = toml::to_string(&Checks { checks: checks.clone() }).unwrap();
        assert_eq!(toml::from_str::<Checks>(&written).unwrap().checks, checks);
        assert_eq!(
            (checks[2].missing_values, checks[4].tolerance_percent.to_string()),
            (MissingValues::Fail, "20".to_owned())
        );
    }

    #[test]
    fn what_a_kind_does_not_have_is_refused() {
        for wrong in [
            r#"{ id = "a", severity = "error", kind = "change", min = "0" }"#,
            r#"{ id = "a", severity = "error", kind = "numerator", tolerence = "0" }"#,
            r#"{ id = "a", severity = "error", kind = "parts" }"#,
            r#"{ id = "a", severity = "error", kind = "between" }"#,
            r#"{ id = "a", kind = "numerator" }"#,
        ] {
            assert!(toml::from_str::<Checks>(&format!("checks = [{wrong}]")).is_err(), "{wrong}");
        }
    }
}

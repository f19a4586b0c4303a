//! What may stand in a number's cell: in words, and as the formula by which a spreadsheet checks it.

use crate::catalogue::checks::{Check, CheckRule, Severity};
use crate::catalogue::items::{IndicatorVersion, Kind};
use crate::figures::Field;
use crate::model::decimal::Decimal;

/// What is allowed in a cell, by the indicator's kind, its decimals, and those of its checks that refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    min: Option<Decimal>,
    max: Option<Decimal>,
    /// How many decimals; any number of them if none.
    decimals: Option<u8>,
    /// The cell of the same row that it is at most, or at least.
    beside: Option<Beside>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    AtMostDenominator,
    AtLeastNumerator,
}

impl Bounds {
    /// The bounds of a column, for a row of an indicator; none where its kind has no such number.
    pub(super) fn of(definition: &IndicatorVersion, field: Field) -> Option<Self> {
        let none = Self { min: None, max: None, decimals: None, beside: None };
        let from_zero = Self { min: Some(Decimal::ZERO), ..none.clone() };
        let is_part = !lets_numerator_exceed(definition);
        let with = |beside| Some(Self { beside: is_part.then_some(beside), ..from_zero.clone() });
        match (field, definition.kind) {
            (Field::Value, Kind::Events | Kind::Stock | Kind::Distinct) => {
                Some(Self { decimals: Some(definition.decimals), ..from_zero }.narrowed(&definition.checks))
            }
            (Field::Value, Kind::Amount) => {
                Some(Self { decimals: Some(definition.decimals), ..none }.narrowed(&definition.checks))
            }
            (Field::Value, Kind::Mean) => Some(none.narrowed(&definition.checks)),
            (Field::Value, Kind::Ratio) => Some(Self { max: Decimal::new(100, 0).filter(|_| is_part), ..from_zero }),
            (Field::Numerator, Kind::Ratio) => with(Beside::AtMostDenominator),
            (Field::Denominator, Kind::Ratio) => with(Beside::AtLeastNumerator),
            (Field::Base, Kind::Ratio) | (Field::Count, Kind::Mean) => Some(from_zero),
            (_, Kind::Events | Kind::Stock | Kind::Distinct | Kind::Ratio | Kind::Mean | Kind::Amount) => None,
        }
    }

    /// Within the ranges of checks, too.
    fn narrowed(mut self, checks: &[Check]) -> Self {
        for check in checks.iter().filter(|check| check.severity == Severity::Error) {
            let CheckRule::Range { min, max } = &check.rule else { continue };
            self.min = self.min.into_iter().chain(*min).max();
            self.max = self.max.into_iter().chain(*max).min();
        }
        self
    }

    /// In words: `a whole number, 0 or more`.
    pub(super) fn words(&self) -> String {
        let number = match self.decimals {
            None => "a number".to_owned(),
            Some(0) => "a whole number".to_owned(),
            Some(1) => "a number of at most 1 decimal".to_owned(),
            Some(decimals) => format!("a number of at most {decimals} decimals"),
        };
        let range = match (self.min, self.max) {
            (None, None) => ", below zero too".to_owned(),
            (Some(min), None) => format!(", {min} or more"),
            (None, Some(max)) => format!(", {max} or less"),
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
        };
        let beside = match self.beside {
            None => "",
            Some(Beside::AtMostDenominator) => ", at most the denominator",
            Some(Beside::AtLeastNumerator) => ", at least the numerator",
        };
        format!("{number}{range}{beside}")
    }

    /// The formula that is true of what is allowed. `cell` has the reference of a column's cell in the row.
    pub(super) fn formula(&self, field: Field, cell: impl Fn(Field) -> String) -> String {
        let own = cell(field);
        let mut conditions = vec![format!("ISNUMBER({own})")];
        conditions.extend(self.min.map(|min| format!("{own}>={min}")));
        conditions.extend(self.max.map(|max| format!("{own}<={max}")));
        conditions.extend(self.decimals.map(|decimals| format!("ROUND({own},{decimals})={own}")));
        conditions.extend(self.beside.map(|beside| {
            let (other, sign) = match beside {
                Beside::AtMostDenominator => (cell(Field::Denominator), "<="),
                Beside::AtLeastNumerator => (cell(Field::Numerator), ">="),
            };
            format!("OR(ISBLANK({other}),{own}{sign}{other})")
        }));
        format!("=AND({})", conditions.join(","))
    }
}

/// Whether a numerator above its denominator may be taken: checks of it that don't refuse let it through.
fn lets_numerator_exceed(definition: &IndicatorVersion) -> bool {
    let checks = definition.checks.iter().filter(|check| check.rule == CheckRule::Numerator {});
    let severities: Vec<Severity> = checks.map(|check| check.severity).collect();
    !severities.is_empty() && !severities.contains(&Severity::Error)
}

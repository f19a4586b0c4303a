//! Manifests: what a sender says that a return of several submissions has in all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::decimal::Decimal;
use super::id::{IndicatorId, RequestId};
use super::observation::Measure;
use super::submission::Submission;

/// The most submissions that a return may have.
pub(crate) const PARTS_MAX: usize = 10_000;

/// A sum of figures' numbers that shows whether all of them have arrived. It is exact, and no statistic: figures of
/// different places and times are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ControlSum {
    /// Of ten million figures of at most 15 digits it is far from the type's bounds.
    millionths: i128,
}

const DECIMALS: usize = 6;

impl ControlSum {
    fn add(&mut self, number: Decimal) {
        let unit = 10_i128.pow(6 - u32::from(number.scale()).min(6));
        self.millionths = self.millionths.saturating_add(i128::from(number.mantissa()) * unit);
    }

    fn plus(self, other: Self) -> Self {
        Self { millionths: self.millionths.saturating_add(other.millionths) }
    }
}

/// As short as it can be: `12`, `-0.5`.
impl fmt::Display for ControlSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, sign) = (self.millionths.unsigned_abs(), if self.millionths < 0 { "-" } else { "" });
        let (whole, rest) = (digits / 1_000_000, digits % 1_000_000);
        let decimals = format!("{rest:06}");
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{decimals}")
    }
}

/// That a text is no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("allowed: a decimal number of at most 30 digits, 6 of them decimals, such as 1234.5")]
pub struct NotASum;

impl FromStr for ControlSum {
    type Err = NotASum;

    fn from_str(text: &str) -> Result<Self, NotASum> {
        const DIGITS_MAX: usize = 24;
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(NotASum),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > DIGITS_MAX || decimals.len() > DECIMALS {
            return Err(NotASum);
        }
        if !is_digits(whole) || !is_digits(decimals) {
            return Err(NotASum);
        }
        let millionths: i128 = format!("{whole}{decimals:0<6}").parse().map_err(|_| NotASum)?;
        Ok(Self { millionths: if unsigned.len() < text.len() { -millionths } else { millionths } })
    }
}

/// What the figures of one indicator come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many there are, those without a value too.
    pub figures: u64,
    /// Their numbers, numerators, percentages or means, added up.
    pub sum: ControlSum,
    /// Their denominators, bases or counts, added up.
    pub base_sum: ControlSum,
}

impl Totals {
    /// Adds a figure.
    pub(crate) fn add(&mut self, measure: Option<Measure>) {
        self.figures += 1;
        let (first, second) = match measure {
            None => (Decimal::ZERO, Decimal::ZERO),
            Some(Measure::Number(number)) => (number, Decimal::ZERO),
            Some(Measure::Ratio { numerator, denominator }) => (numerator, denominator),
            Some(Measure::Percentage { percent, base }) => (percent, base),
            Some(Measure::Mean { mean, count }) => (mean, count),
        };
        self.sum.add(first);
        self.base_sum.add(second);
    }

    /// Adds those of other figures.
    pub(crate) fn merge(&mut self, other: Self) {
        self.figures += other.figures;
        self.sum = self.sum.plus(other.sum);
        self.base_sum = self.base_sum.plus(other.base_sum);
    }
}

/// What a submission's figures come to, by indicator.
pub(crate) fn totals_of(submission: &Submission) -> BTreeMap<IndicatorId, Totals> {
    let dictionary = &submission.observations.dictionaries().indicators;
    let mut totals = vec![Totals::default(); dictionary.len()];
    for line in submission.observations.lines() {
        totals[line.indicator as usize].add(line.value.measure);
    }
    let mut by_indicator: BTreeMap<IndicatorId, Totals> = BTreeMap::new();
    // An indicator may stand in a dictionary twice, and without a figure.
    for (id, totals) in dictionary.iter().zip(totals).filter(|(_, totals)| totals.figures > 0) {
        by_indicator.entry(id.clone()).or_default().merge(totals);
    }
    by_indicator
}

/// What a return has, as its sender says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// Its submissions, by request id.
    pub parts: BTreeSet<RequestId>,
    /// How many figures they have.
    pub figures: u64,
    /// What these come to, by indicator.
    pub totals: BTreeMap<IndicatorId, Totals>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_exact_and_reads_back() {
        let mut sum = ControlSum::default();
        for number in ["999999999999999", "0.000001", "-0.5", "999999999999999"] {
            sum.add(number.parse().unwrap());
        }
        assert_eq!(sum.to_string(), "1999999999999997.500001");
        for text in ["0", "12", "-0.5", "1999999999999997.500001", "-999999999999999999999999.999999"] {
            assert_eq!(text.parse::<ControlSum>().unwrap().to_string(), text);
        }
        assert_eq!("012.50".parse::<ControlSum>().unwrap().to_string(), "12.5");
        for text in ["", "-", "1.", ".5", "1e3", "+1", "1,000", "1.0000001", "--1", "1000000000000000000000000", "1.-5"]
        {
            assert_eq!(text.parse::<ControlSum>(), Err(NotASum), "{text}");
        }
    }
}

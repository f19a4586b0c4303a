//! What an indicator's kind does to its figures, and how a submitted measure adds up. Nothing else in
//! the service decides arithmetic: others add components, and compare values.
//!
//! | kind | over time | over areas | the value | its change |
//! |---|---|---|---|---|
//! | events, amount | add | add | the sum | a number, and per cent |
//! | stock | the last in the period | add | the sum | the same |
//! | distinct people | never | add | the sum | the same |
//! | ratio | add numerators and denominators | the same | 100 × numerators / denominators | percentage points |
//! | mean | add mean × count, and counts | the same | the one over the other | a number, and per cent |
//!
//! A printed percentage adds as `percent × base / 100` over `base`, exactly. Shown alone it is what was
//! printed; a value combined of it and other figures is estimated, because it was rounded before it was
//! printed.

use crate::catalogue::items::Kind;
use crate::model::decimal::{Decimal, Exact, Quotient, Sum};
use crate::model::observation::Measure;

/// How figures of consecutive periods make the figure of the period that they fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OverTime {
    /// They add.
    Add,
    /// The last one is it.
    Last,
    /// They don't: only what was submitted for the period itself is its figure.
    Never,
}

/// How figures of a kind combine over time.
pub(super) const fn over_time(kind: Kind) -> OverTime {
    match kind {
        Kind::Events | Kind::Ratio | Kind::Mean | Kind::Amount => OverTime::Add,
        Kind::Stock => OverTime::Last,
        Kind::Distinct => OverTime::Never,
    }
}

/// Why there is no value where one could stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// Nothing was submitted.
    NotReported,
    /// It was submitted without a value; the markers say why.
    Marked,
    /// The agencies' figures stay side by side.
    SideBySide,
    /// The kind doesn't combine over these periods; or the areas lay within each other.
    NotCombinable,
    /// The base is zero.
    ZeroBase,
    /// The lead agency hasn't reported.
    LeadNotReported,
    /// The lead agency isn't among the agencies asked for.
    LeadNotAsked,
    /// The exact result has more digits than can be computed with.
    TooLarge,
    /// It lies within a figure of a longer period or a wider area, which can't be split.
    Contained,
    /// The period isn't made of whole periods of the indicator's frequency.
    PeriodMismatch,
    /// No population covers the areas.
    NoPopulation,
    /// The population isn't broken down by a dimension of the figure's.
    PopulationNotBrokenDown,
    /// One of the parts of a whole is below zero.
    NegativePart,
    /// The figure is partial, and so isn't ranked.
    Partial,
}

/// What adds up of a figure: exact, of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Components {
    /// The count, the numerator, or the mean times its count.
    pub(super) number: Exact,
    /// The denominator or the count; zero for kinds that have none.
    pub(super) weight: Exact,
    /// How well the number is known.
    pub(super) basis: Basis,
}

/// How well a combined number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Every figure in it was submitted as a number.
    Counted,
    /// It is one printed percentage.
    Printed,
    /// Printed percentages are combined in it, with each other or with numbers.
    Estimated,
}

impl Components {
    /// The components of a submitted measure; none when they have too many digits.
    pub(super) fn of(measure: Measure) -> Option<Self> {
        let exact = |number, weight| Self { number, weight, basis: Basis::Counted };
        match measure {
            Measure::Number(number) => Some(exact(number.into(), Exact::ZERO)),
            Measure::Ratio { numerator, denominator } => Some(exact(numerator.into(), denominator.into())),
            Measure::Percentage { percent, base } => {
                let hundredth = Exact::from(Decimal::new(1, 2)?);
                let number = Exact::from(percent).checked_mul(base.into())?.checked_mul(hundredth)?;
                Some(Self { number, weight: base.into(), basis: Basis::Printed })
            }
            Measure::Mean { mean, count } => Some(exact(Exact::from(mean).checked_mul(count.into())?, count.into())),
        }
    }

    /// Both together; none when the sum has too many digits.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            number: self.number.checked_add(other.number)?,
            weight: self.weight.checked_add(other.weight)?,
            basis: match (self.weight.is_zero(), other.weight.is_zero()) {
                // A base of zero contributes nothing to the other.
                (true, false) => other.basis,
                (false, true) => self.basis,
                (true, true) => self.basis.max(other.basis),
                (false, false) => match (self.basis, other.basis) {
                    (Basis::Counted, Basis::Counted) => Basis::Counted,
                    (Basis::Printed | Basis::Estimated, _) | (_, Basis::Printed | Basis::Estimated) => Basis::Estimated,
                },
            },
        })
    }

    /// The value of the components, not rounded yet.
    ///
    /// # Errors
    /// When the base is zero, or there are too many digits.
    pub(super) fn value(self, kind: Kind) -> Result<Quotient, Gap> {
        let over = |number: Exact, weight: Exact| {
            if weight.is_zero() { Err(Gap::ZeroBase) } else { Quotient::of(number, weight).ok_or(Gap::TooLarge) }
        };
        match kind {
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => Ok(self.number.into()),
            Kind::Ratio => over(self.number.checked_mul(Exact::from(100)).ok_or(Gap::TooLarge)?, self.weight),
            Kind::Mean => over(self.number, self.weight),
        }
    }

    /// Whether values of the kind have a numerator and a denominator to show.
    pub(super) const fn are_shown(kind: Kind) -> bool {
        match kind {
            Kind::Ratio | Kind::Mean => true,
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => false,
        }
    }
}

/// The components of many submitted measures together. Plain numbers, of which there are most, are added
/// as integers of one scale first: an addition for each, and no product.
#[derive(Default)]
pub(super) struct MeasureSum {
    number: Sum,
    weight: Sum,
    has_plain: bool,
    /// What takes a product before it adds: means and printed percentages.
    weighted: Option<Components>,
    too_large: bool,
}

impl MeasureSum {
    #[inline]
    pub(super) fn add(&mut self, measure: Measure) {
        match measure {
            Measure::Number(number) => {
                self.number.add(number);
                self.has_plain = true;
            }
            Measure::Ratio { numerator, denominator } => {
                self.number.add(numerator);
                self.weight.add(denominator);
                self.has_plain = true;
            }
            Measure::Percentage { .. } | Measure::Mean { .. } => self.add_weighted(measure),
        }
    }

    fn add_weighted(&mut self, measure: Measure) {
        let sum = Components::of(measure).and_then(|components| match self.weighted {
            None => Some(components),
            Some(known) => known.plus(components),
        });
        self.too_large |= sum.is_none();
        self.weighted = sum;
    }

    /// Whether something was added that takes a product before it adds.
    pub(super) fn is_weighted(&self) -> bool {
        self.too_large || self.weighted.is_some()
    }

    /// All that was added; nothing when nothing was.
    ///
    /// # Errors
    /// When there are too many digits.
    #[inline]
    pub(super) fn total(&self) -> Result<Option<Components>, Gap> {
        if self.too_large {
            return Err(Gap::TooLarge);
        }
        if !self.has_plain {
            return Ok(self.weighted);
        }
        let plain = Components { number: self.number.total(), weight: self.weight.total(), basis: Basis::Counted };
        match self.weighted {
            None => Ok(Some(plain)),
            Some(weighted) => weighted.plus(plain).map(Some).ok_or(Gap::TooLarge),
        }
    }
}

/// Whether figures of a kind add over areas, so that one can be a share of another.
pub(super) const fn adds_over_areas(kind: Kind) -> bool {
    match kind {
        Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => true,
        Kind::Ratio | Kind::Mean => false,
    }
}

/// What the sum of a dimension's categories says of their total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CategorySum {
    /// All of them are the total. Some of them are no more than the total.
    Bounded,
    /// All of them are the total; some of them may be more, because others may be below zero.
    Whole,
    /// Nothing: one person may be in several.
    Unrelated,
}

/// How the categories of a kind's figures add up.
pub(super) const fn category_sum(kind: Kind) -> CategorySum {
    match kind {
        Kind::Events | Kind::Stock => CategorySum::Bounded,
        Kind::Ratio | Kind::Mean | Kind::Amount => CategorySum::Whole,
        Kind::Distinct => CategorySum::Unrelated,
    }
}

/// The unit of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeUnit {
    /// The indicator's own; a percentage change is defined.
    Number,
    /// Percentage points; a percentage change of a percentage is refused.
    PercentagePoints,
}

/// The unit in which figures of a kind change.
pub(super) const fn change_unit(kind: Kind) -> ChangeUnit {
    match kind {
        Kind::Ratio => ChangeUnit::PercentagePoints,
        Kind::Events | Kind::Stock | Kind::Distinct | Kind::Mean | Kind::Amount => ChangeUnit::Number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decimal::Rounding;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn percentage(percent: &str, base: &str) -> Components {
        Components::of(Measure::Percentage { percent: decimal(percent), base: decimal(base) }).unwrap()
    }

    /// DfE, Characteristics of children in need, methodology: a rate over several authorities is the
    /// total of its numerators over the total of its denominators. Figures: Hampshire's report.
    #[test]
    fn percentages_combine_by_their_base_and_are_never_averaged() {
        let two_years = percentage("87.9", "18496").plus(percentage("90.9", "18003")).unwrap();
        let value = two_years.value(Kind::Ratio).unwrap();
        // (16257.984 + 16364.727) / 36499; the mean of the two percentages would be 89.4.
        assert_eq!(value.round(3, Rounding::HalfUp).unwrap().to_string(), "89.380");
        assert_eq!(two_years.basis, Basis::Estimated);
        assert_eq!(percentage("87.9", "18496").basis, Basis::Printed);
    }

    #[test]
    fn means_combine_by_their_count() {
        let mean = |mean, count| Components::of(Measure::Mean { mean: decimal(mean), count: decimal(count) }).unwrap();
        let both = mean("10", "1").plus(mean("20", "3")).unwrap();
        assert_eq!(both.value(Kind::Mean).unwrap().round(1, Rounding::HalfUp).unwrap().to_string(), "17.5");
    }

    #[test]
    fn nothing_over_nothing_has_no_value() {
        assert_eq!(percentage("0", "0").value(Kind::Ratio), Err(Gap::ZeroBase));
    }
}

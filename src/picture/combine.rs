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
use crate::model::decimal::{Decimal, Exact, ProductSum, Quotient, Sum};
use crate::model::observation::Measure;
use crate::model::packed::Packed;

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

impl Basis {
    /// That of two numbers together.
    const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Counted, Self::Counted) => Self::Counted,
            (Self::Printed | Self::Estimated, _) | (_, Self::Printed | Self::Estimated) => Self::Estimated,
        }
    }
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
                (false, false) => self.basis.with(other.basis),
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

/// The components of many measures together, the same in whichever order and by whichever parts they are added. Plain
/// numbers, of which there are most, are added as integers of one scale: an addition for each, and no product.
#[derive(Default)]
pub(super) struct MeasureSum {
    number: Sum,
    weight: Sum,
    /// What takes a product before it adds: means and printed percentages.
    products: ProductSum,
    has_products: bool,
    /// How well what has a weight is known.
    weighty: Option<Basis>,
    /// The same of what has none: it counts where nothing else is there.
    weightless: Option<Basis>,
    /// Whether there may be too many digits, which depends on what is added first.
    may_be_too_large: bool,
}

impl MeasureSum {
    #[inline]
    pub(super) fn add(&mut self, measure: Measure) {
        match measure {
            Measure::Number(number) => {
                self.number.add(number);
                self.add_basis(Basis::Counted, true);
            }
            Measure::Ratio { numerator, denominator } => {
                self.number.add(numerator);
                self.weight.add(denominator);
                self.add_basis(Basis::Counted, denominator.is_zero());
            }
            Measure::Percentage { .. } | Measure::Mean { .. } => match Components::of(measure) {
                Some(components) => self.add_components(components),
                None => self.may_be_too_large = true,
            },
        }
    }

    /// Adds plain values of one word by the sums of their mantissas: at least one.
    pub(super) fn add_plain(&mut self, word: u32, [first, second]: [i128; 2]) {
        let [first_scale, second_scale] = Packed::scales(word);
        self.number.add_scaled(first, first_scale);
        self.weight.add_scaled(second, second_scale);
        self.add_basis(Basis::Counted, !Packed::is_ratio(word));
    }

    /// Adds what was added up before.
    pub(super) fn add_components(&mut self, components: Components) {
        let Components { number, weight, basis } = components;
        match self.products.plus(number) {
            Some(products) => self.products = products,
            None => self.may_be_too_large = true,
        }
        self.has_products = true;
        self.weight.add_sum(weight);
        self.add_basis(basis, weight.is_zero());
    }

    #[inline]
    fn add_basis(&mut self, basis: Basis, is_weightless: bool) {
        if is_weightless {
            self.weightless = self.weightless.max(Some(basis));
        } else {
            self.weighty = Some(self.weighty.map_or(basis, |known| known.with(basis)));
        }
    }

    /// All that was added; nothing when nothing was.
    ///
    /// # Errors
    /// When whether there are too many digits depends on what is added first.
    #[inline]
    pub(super) fn total(&self) -> Result<Option<Components>, Gap> {
        if self.may_be_too_large {
            return Err(Gap::TooLarge);
        }
        // A base of zero contributes nothing to the others.
        let Some(basis) = self.weighty.or(self.weightless) else { return Ok(None) };
        let mut number = self.number.total();
        if self.has_products {
            let products = self.products.total();
            number = products.and_then(|products| number.checked_add(products)).ok_or(Gap::TooLarge)?;
        }
        Ok(Some(Components { number, weight: self.weight.total(), basis }))
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
    fn measures_add_up_to_what_their_components_do_unless_the_order_may_decide() {
        let percentage = |percent, base| Measure::Percentage { percent: decimal(percent), base: decimal(base) };
        let ratio = Measure::Ratio { numerator: decimal("1.5"), denominator: decimal("30") };
        let nothing = Measure::Ratio { numerator: Decimal::ZERO, denominator: Decimal::ZERO };
        let mean = Measure::Mean { mean: decimal("-2.25"), count: decimal("4") };
        let printed = percentage("87.9", "18496");
        for measures in [
            vec![ratio, nothing],
            vec![nothing, percentage("0", "0")],
            vec![printed, nothing],
            vec![nothing, printed, ratio],
            vec![printed, percentage("90.9", "18003")],
            vec![mean, mean],
            vec![Measure::Number(decimal("0.25")), Measure::Number(decimal("-7"))],
        ] {
            let mut sum = MeasureSum::default();
            measures.iter().for_each(|measure| sum.add(*measure));
            let components: Vec<_> = measures.iter().filter_map(|measure| Components::of(*measure)).collect();
            let one_by_one = components[1..].iter().fold(components[0], |sum, one| sum.plus(*one).unwrap());
            assert_eq!(sum.total(), Ok(Some(one_by_one)), "{measures:?}");
        }
        let large = Measure::Mean { mean: decimal("999999999999999"), count: decimal("999999999999999") };
        let mut sum = MeasureSum::default();
        assert_eq!(sum.total(), Ok(None));
        sum.add(large);
        assert_eq!(sum.total(), Err(Gap::TooLarge));
    }

    #[test]
    fn nothing_over_nothing_has_no_value() {
        assert_eq!(percentage("0", "0").value(Kind::Ratio), Err(Gap::ZeroBase));
    }
}

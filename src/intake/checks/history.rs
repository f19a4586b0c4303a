//! The figures of a series before one of its periods, and their median.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::figures::{Figures, From, Grounds, Place, best, is_after_break, names, number};
use crate::catalogue::IndicatorIx;
use crate::catalogue::checks::HISTORY_PERIODS_MAX;
use crate::catalogue::items::{Indicator, Kind};
use crate::model::decimal::Quotient;
use crate::model::observations::Hashing;
use crate::model::period::{Frequency, Period};
use crate::model::revision::Revision;
use crate::state::columns::Slab;
use crate::state::view::AreasAsOf;

/// A period of a series, and the names of it under which there may be figures.
struct Step<'a> {
    period: Period,
    /// The newest revision that was accepted before it was over.
    unfinished: Revision,
    names: Vec<Name<'a>>,
}

/// A name, its slab, and whether the submission has figures under it.
struct Name<'a> {
    period: Period,
    slab: Option<&'a Slab>,
    is_own: bool,
}

/// The period that a figure is compared with: the one of the same length before. Of the day that a stock is as at, the
/// one before the period of the indicator's frequency that ends on it; where none does, the same day a year before.
pub(super) fn before(indicator: &Indicator, period: Period) -> Option<Period> {
    let version = indicator.version_for(period);
    let is_named_by_day = period.frequency() == Frequency::Day && version.frequency != Frequency::Day;
    if version.kind != Kind::Stock || !is_named_by_day {
        return period.previous();
    }
    match Period::of(version.frequency, period.end()).filter(|closed| closed.end() == period.end()) {
        Some(closed) => closed.previous(),
        None => period.year_before(),
    }
}

/// The periods before those of a submission, by indicator: looked up once for all of its figures.
#[derive(Default)]
pub(super) struct Past<'a>(RefCell<HashMap<(IndicatorIx, Period), Steps<'a>, Hashing>>);

/// Periods, the newest first, back to the last break of the definition.
type Steps<'a> = Rc<[Step<'a>]>;

impl<'a> Past<'a> {
    fn steps(&self, figures: &Figures<'a>, indicator: IndicatorIx, period: Period) -> Steps<'a> {
        if let Some(known) = self.0.borrow().get(&(indicator, period)) {
            return Rc::clone(known);
        }
        let of = figures.indicator(indicator);
        let earlier = std::iter::successors(before(of, period), |period| before(of, *period));
        let earlier = earlier.take(HISTORY_PERIODS_MAX.into());
        let earlier = earlier.take_while(|earlier| !of.breaks_between(*earlier, period));
        let Grounds { state, catalogue, as_of, zone, today } = figures.grounds;
        let view = state.view(catalogue, as_of, zone, today, AreasAsOf::Then);
        let kind = of.kind();
        let step = |period: Period| {
            let names = names(kind, period).map(|name| Name {
                period: name,
                slab: state.columns().slab(indicator, name),
                is_own: figures.has_own(indicator, name),
            });
            let unfinished = match kind {
                Kind::Stock => Revision::ZERO,
                Kind::Events | Kind::Distinct | Kind::Ratio | Kind::Mean | Kind::Amount => {
                    view.revision_on(kind.last_unfinished_day(period))
                }
            };
            Step { period, unfinished, names: names.filter(|name| name.slab.is_some() || name.is_own).collect() }
        };
        let steps: Steps<'a> = earlier.map(step).collect();
        self.0.borrow_mut().insert((indicator, period), Rc::clone(&steps));
        steps
    }

    /// The values of a series before a place, the newest first, back to the last break. What was taken before its period
    /// was over is none of them.
    pub(super) fn values(&self, figures: &Figures<'a>, place: Place) -> Vec<Quotient> {
        let kind = figures.indicator(place.indicator).kind();
        let mut values = Vec::new();
        for step in self.steps(figures, place.indicator, place.period).iter() {
            let at = Place { period: step.period, ..place };
            let found = step.names.iter().filter_map(|name| match name {
                Name { slab: Some(slab), is_own: false, .. } => figures.before(at, slab),
                Name { period, slab, .. } => figures.under(at, *period, *slab),
            });
            let Some(figure) = best(found) else { continue };
            let is_to_date = match figure.from {
                From::Line(_) => figures.is_to_date(kind, step.period, &figure),
                From::Submission(revision) => revision <= step.unfinished,
            };
            if !is_to_date {
                values.extend(number(&figure.value));
            }
            if is_after_break(&figure.value) {
                break;
            }
        }
        values
    }
}

/// The median: of an even number of values half the sum of the middle two. None of no value, and where it has too many
/// digits.
pub(super) fn median(values: &mut [Quotient]) -> Option<Quotient> {
    let (middle, is_odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable(middle);
    if is_odd {
        return Some(*upper);
    }
    let lower = below.iter().max().copied()?;
    lower.checked_add(*upper)?.checked_div(2.into())
}

/// The median, and the median of the distances from it.
pub(super) fn median_and_deviation(mut values: Vec<Quotient>) -> Option<(Quotient, Quotient)> {
    let middle = median(&mut values)?;
    for value in &mut values {
        *value = distance(*value, middle)?;
    }
    Some((middle, median(&mut values)?))
}

/// How far apart two values are; none where that has too many digits.
pub(super) fn distance(one: Quotient, other: Quotient) -> Option<Quotient> {
    one.checked_sub(other)?.checked_abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[i64]) -> Vec<Quotient> {
        values.iter().map(|value| Quotient::from(*value)).collect()
    }

    #[test]
    fn the_median_of_an_even_number_is_half_the_sum_of_the_middle_two() {
        for (values, twice) in [(&[5][..], 10), (&[3, 1], 4), (&[9, 1, 4], 8), (&[4, 1, 9, 7], 11), (&[0, 0, 0, 6], 0)]
        {
            let expect = Quotient::of(twice.into(), 2.into());
            assert_eq!(median(&mut of(values)), expect, "{values:?}");
        }
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn the_deviation_is_the_median_distance() {
        // A worked example: the median of 1, 1, 2, 2, 4, 6, 9 is 2, the distances are 1, 1, 0, 0, 2, 4, 7.
        let found = median_and_deviation(of(&[6, 1, 9, 1, 2, 2, 4]));
        assert_eq!(found, Some((2.into(), 1.into())));
    }

    proptest! {
        #[test]
        fn the_median_is_that_of_the_sorted_values(values in prop::collection::vec(-50..50_i64, 1..40)) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let twice = sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2];
            prop_assert_eq!(median(&mut of(&values)), Quotient::of(twice.into(), 2.into()));
        }
    }
}

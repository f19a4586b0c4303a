//! Figures of areas that lay within each other: they are never added up, because both count the same.
//!
//! By the hierarchy of their own period no two figures of a sum overlap. By that of another day they can: a district
//! that has left its county stands beside it today, and what was submitted for the county before is of both. A stock
//! that is older than its sum is of another day, by any view; and so is what a year's sum has of its months.

use std::collections::{BTreeMap, BTreeSet};

use super::accumulator::ByAgency;
use super::combine::OverTime;
use crate::catalogue::AreaIx;
use crate::model::date::Date;
use crate::model::period::Period;
use crate::state::view::View;

/// Takes the value from each sum in which two figures overlap, and so from all that it goes into.
pub(super) fn withhold(view: View<'_>, rule: OverTime, sums: &mut ByAgency) {
    for (_, sum) in sums.iter_mut().filter(|(_, sum)| sum.added.len() > 1) {
        if view.spend(sum.added.len()).is_err() {
            return;
        }
        if overlap(view, rule, &sum.added) {
            (sum.components, sum.too_large, sum.overlaps) = (None, false, true);
        }
    }
}

/// Whether one of some figures is of the area of another or of one within it, by the hierarchy of the last day that both are of.
/// Stocks are all of one sum's day, whichever they were submitted for.
fn overlap(view: View<'_>, rule: OverTime, figures: &[(AreaIx, Period)]) -> bool {
    let mut by_area = BTreeMap::<AreaIx, Vec<Period>>::new();
    figures.iter().for_each(|(area, period)| by_area.entry(*area).or_default().push(*period));
    let ends: BTreeSet<Date> = figures.iter().map(|(_, period)| period.end()).collect();
    let has_begun = |period: &Period, day: Date| rule == OverTime::Last || period.start() <= day;
    let is_of = |period: &Period, day: Date| has_begun(period, day) && day <= period.end();
    figures.iter().any(|(area, period)| {
        // The days of the period itself: looking through those before it for each would be quadratic in periods.
        let first = if rule == OverTime::Last { ends.first().copied() } else { Some(period.start()) };
        first.is_some_and(|first| {
            ends.range(first..=period.end()).any(|day| {
                let hierarchy = view.catalogue.hierarchy(*day);
                let shares_last = |other: &Period| is_of(other, *day) && period.end().min(other.end()) == *day;
                let mut holders = std::iter::successors(Some(*area), |area| hierarchy.parent(*area));
                holders.any(|holder| {
                    let periods = by_area.get(&holder).into_iter().flatten();
                    periods.filter(|other| shares_last(other)).count() > usize::from(holder == *area)
                })
            })
        })
    })
}

//! Figures that can't be split: a slot without a figure of its own can lie within one that its agency
//! submitted for a longer period or a wider area. Nothing else decides that.

use std::cell::RefCell;
use std::collections::HashMap;

use super::combine::OverTime;
use super::submitted::Submitted;
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::model::observations::Hashing;
use crate::model::period::{Frequencies, Frequency, Period};

/// The area and the period, under its storage name, of a figure that a slot lies within.
pub(super) type Container = (AreaIx, Period);

/// The periods whose figures the slots of a period at the indicator's frequency can lie within.
pub(super) struct Containers {
    period: Period,
    /// The period itself; for a stock every other that ends on its last day too.
    own: Vec<Period>,
    /// Longer periods that divide into it, the shortest first.
    longer: Vec<Period>,
    /// What was found for an area and all that it lies within. Slots of one area have that in common.
    known: RefCell<HashMap<(AgencyIx, AreaIx), Option<Container>, Hashing>>,
}

impl Containers {
    pub(super) fn of(submitted: &Submitted<'_>, period: Period) -> Self {
        let has_figures = |name: &Period| submitted.slab(*name).is_some();
        let longer = match submitted.rule() {
            OverTime::Add => longer(period, submitted.frequencies(), has_figures),
            OverTime::Last | OverTime::Never => Vec::new(),
        };
        Self {
            period,
            own: submitted.names(period).into_iter().filter(has_figures).collect(),
            longer,
            known: RefCell::default(),
        }
    }

    /// The nearest figure of an agency that a slot lies within: of the same area before wider ones, of the
    /// shorter period before longer ones.
    pub(super) fn nearest(
        &self,
        submitted: &Submitted<'_>,
        hierarchy: &Hierarchy,
        agency: AgencyIx,
        area: AreaIx,
    ) -> Option<Container> {
        if self.own.is_empty() && self.longer.is_empty() {
            return None;
        }
        // A figure of the area for the period itself would be the slot's own.
        self.among(submitted, &self.longer, agency, area)
            .or_else(|| self.above(submitted, hierarchy, agency, hierarchy.parent(area)?))
    }

    /// Whether slots within an area, of an agency that has no figure there, can lie within a figure of it at all.
    pub(super) fn may_hold(
        &self,
        submitted: &Submitted<'_>,
        hierarchy: &Hierarchy,
        agency: AgencyIx,
        area: AreaIx,
    ) -> bool {
        let is_above = |parent| self.above(submitted, hierarchy, agency, parent).is_some();
        !self.longer.is_empty() || hierarchy.parent(area).is_some_and(is_above)
    }

    /// The nearest figure for an area, or for one that it lies within.
    fn above(
        &self,
        submitted: &Submitted<'_>,
        hierarchy: &Hierarchy,
        agency: AgencyIx,
        area: AreaIx,
    ) -> Option<Container> {
        if let Some(known) = self.known.borrow().get(&(agency, area)) {
            return *known;
        }
        let found = self
            .among(submitted, &self.own, agency, area)
            .or_else(|| self.among(submitted, &self.longer, agency, area))
            .or_else(|| self.above(submitted, hierarchy, agency, hierarchy.parent(area)?));
        self.known.borrow_mut().insert((agency, area), found);
        found
    }

    fn among(&self, submitted: &Submitted<'_>, names: &[Period], agency: AgencyIx, area: AreaIx) -> Option<Container> {
        let fills = |name: &&Period| submitted.fills(**name, area, agency, self.period);
        names.iter().find(fills).map(|name| (area, *name))
    }
}

/// The longer periods that have figures and divide into periods of which this is one, under their storage
/// names: the shortest first, and of years the one that began last.
fn longer(period: Period, frequencies: Frequencies, has_figures: impl Fn(&Period) -> bool) -> Vec<Period> {
    // Mostly nothing was submitted for any of them, and dividing one costs more than looking.
    let around = |frequency| {
        let it = if frequencies.contains(frequency) { Period::of(frequency, period.start()) } else { None };
        it.filter(&has_figures)
    };
    let is_one_of = |longer: &Period| {
        let within = longer.divide(period.frequency()).unwrap_or_default();
        longer.frequency() != period.frequency() && within.iter().any(|one| one.storage_key() == period.storage_key())
    };
    let mut years: Vec<Period> = [Frequency::FinancialYear, Frequency::CalendarYear, Frequency::AcademicYear]
        .into_iter()
        .filter_map(around)
        .collect();
    years.sort_unstable_by_key(|year| std::cmp::Reverse(*year));
    let shorter = [Frequency::Quarter, Frequency::HalfYear].into_iter().filter_map(around);
    shorter.chain(years).filter(is_one_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_lies_within_the_longer_ones_that_divide_into_it() {
        let mut all = Frequencies::default();
        Frequency::ALL.iter().for_each(|frequency| all.insert(*frequency));
        let texts = |period: &str| -> Vec<String> {
            longer(period.parse().unwrap(), all, |_| true).iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts("2021-11"), ["FY2021-22-Q3", "FY2021-22-H2", "AY2021-22", "FY2021-22", "CY2021"]);
        assert_eq!(texts("CY2021-Q2"), ["FY2021-22-H1", "FY2021-22", "CY2021"]);
        assert_eq!(texts("FY2021-22-H1"), ["FY2021-22"]);
        assert!(texts("CY2021").is_empty() && texts("2022-W07").is_empty() && texts("2022-03-31").is_empty());
    }
}

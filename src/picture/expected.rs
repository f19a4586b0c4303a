//! Who is expected to report what: the slots of those who are, and what becomes of one that nothing
//! has filled. Nothing else decides it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::accumulator::{Accumulator, MISSING_NAMED_MAX, Missing, MissingReason};
use super::combine::{OverTime, over_time};
use crate::catalogue::items::{Indicator, IndicatorVersion, Validity};
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::model::date::Date;
use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::state::view::View;

/// Who is expected to report one indicator, and where.
pub(super) struct Expected<'a> {
    view: View<'a>,
    indicator: &'a Indicator,
    /// The agencies that each version names.
    named: Vec<OnceCell<Vec<(AgencyIx, Validity)>>>,
    periods: RefCell<HashMap<Period, Rc<[ExpectedPeriod<'a>]>, Hashing>>,
}

/// A period at the indicator's frequency, and who is expected to report it.
pub(super) struct ExpectedPeriod<'a> {
    pub(super) period: Period,
    pub(super) version: &'a IndicatorVersion,
    pub(super) hierarchy: &'a Hierarchy,
    /// The agencies that are expected to report it, ascending.
    pub(super) agencies: Vec<AgencyIx>,
    due: Date,
    /// Whether that has passed.
    is_late: bool,
}

/// One expected figure.
#[derive(Clone, Copy)]
pub(super) struct ExpectedSlot {
    pub(super) agency: AgencyIx,
    pub(super) area: AreaIx,
    pub(super) period: Period,
    pub(super) due: Date,
    /// Whether that has passed.
    pub(super) is_late: bool,
}

impl ExpectedPeriod<'_> {
    pub(super) fn expects(&self, agency: AgencyIx) -> bool {
        self.agencies.binary_search(&agency).is_ok()
    }

    /// Adds an unfilled slot.
    pub(super) fn add_slot(&self, to: &mut Accumulator, agency: AgencyIx, area: AreaIx) {
        to.coverage.expected += 1;
        to.coverage.late += usize::from(self.is_late);
        if to.missing.len() < MISSING_NAMED_MAX {
            let reason = if self.is_late { MissingReason::Late } else { MissingReason::NotDue };
            to.missing.push(Missing { agency, area, period: self.period, reason });
        }
    }
}

impl<'a> Expected<'a> {
    pub(super) fn new(view: View<'a>, indicator: &'a Indicator) -> Self {
        let named = indicator.versions().iter().map(|_| OnceCell::new()).collect();
        Self { view, indicator, named, periods: RefCell::default() }
    }

    /// The periods at the indicator's frequency that a figure of this period rests on: all within it,
    /// and for a stock the one that closes it. Nothing rests on periods that don't combine.
    pub(super) fn periods(&self, period: Period) -> Rc<[ExpectedPeriod<'a>]> {
        if let Some(known) = self.periods.borrow().get(&period) {
            return Rc::clone(known);
        }
        let mut within = self.within(period);
        match over_time(self.indicator.kind()) {
            OverTime::Add => {}
            OverTime::Last => drop(within.drain(..within.len().saturating_sub(1))),
            OverTime::Never => within.retain(|one| one.frequency() == period.frequency()),
        }
        let periods: Rc<[_]> = within.into_iter().map(|period| self.expected_period(period)).collect();
        self.periods.borrow_mut().insert(period, Rc::clone(&periods));
        periods
    }

    fn within(&self, period: Period) -> Vec<Period> {
        period.divide(self.indicator.version_for(period).frequency).unwrap_or_default()
    }

    /// Every slot within an area and a period, also of those that the period's own figure doesn't rest
    /// on: a stock is expected each quarter of a year.
    pub(super) fn slots_within(&self, area: AreaIx, period: Period) -> impl Iterator<Item = ExpectedSlot> {
        let periods = self.within(period).into_iter().map(|period| self.expected_period(period));
        periods.flat_map(move |expected| {
            let ExpectedPeriod { period, due, is_late, .. } = expected;
            let slots = |agency| {
                let areas = self.areas(&expected, agency, area);
                areas.map(move |area| ExpectedSlot { agency, area, period, due, is_late }).collect::<Vec<_>>()
            };
            expected.agencies.iter().copied().flat_map(slots).collect::<Vec<_>>()
        })
    }

    fn expected_period(&self, period: Period) -> ExpectedPeriod<'a> {
        let (index, version) = self.indicator.indexed_version_for(period);
        let named = self.named[index].get_or_init(|| {
            let known = |id| self.view.catalogue.agency(id).map(|(agency, _)| agency);
            version.expected_agencies.iter().filter_map(|named| Some((known(&named.agency)?, named.validity))).collect()
        });
        let agencies = named.iter().filter(|(_, validity)| validity.covers(period)).map(|(agency, _)| *agency);
        let mut agencies: Vec<AgencyIx> = agencies.collect();
        agencies.sort_unstable();
        agencies.dedup();
        let due = version.due(period);
        ExpectedPeriod {
            period,
            version,
            hierarchy: self.view.hierarchy(period),
            agencies,
            due,
            is_late: due < self.view.today,
        }
    }

    /// The areas at the reporting level within an area that an agency reports for.
    pub(super) fn areas(
        &self,
        period: &ExpectedPeriod<'_>,
        agency: AgencyIx,
        within: AreaIx,
    ) -> impl Iterator<Item = AreaIx> {
        let (hierarchy, level) = (period.hierarchy, period.version.reporting_level);
        let is_expected = move |area: &AreaIx| hierarchy.level(*area) == level && hierarchy.is_within(*area, within);
        self.view.catalogue.reports_for(agency).iter().copied().filter(is_expected)
    }

    /// Adds the slots of an agency that is expected to report the period, unfilled: one for each area at
    /// the reporting level that it reports for. Below that level nobody is expected.
    pub(super) fn add_expected(
        &self,
        to: &mut Accumulator,
        period: &ExpectedPeriod<'_>,
        agency: AgencyIx,
        area: AreaIx,
    ) {
        self.areas(period, agency, area).for_each(|area| period.add_slot(to, agency, area));
    }

    /// Adds the slots of an agency that has reported elsewhere and not for this area, unfilled: those
    /// that it is expected to report; below the reporting level the area itself, because the sum of an
    /// area needs all that it is made of.
    pub(super) fn add_unreported(&self, to: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        for period in &*self.periods(period) {
            if period.hierarchy.level(area) > period.version.reporting_level {
                period.add_slot(to, agency, area);
            } else if period.expects(agency) {
                self.add_expected(to, period, agency, area);
            }
        }
    }

    /// Adds the slots of an agency that reports for this very area, unfilled: those that it is expected
    /// to report, and at least the area itself.
    pub(super) fn add_reporter(&self, to: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        let before = to.coverage.expected;
        self.add_unreported(to, agency, area, period);
        if to.coverage.expected == before {
            self.periods(period).iter().for_each(|period| period.add_slot(to, agency, area));
        }
    }

    /// The slots of an agency that reports for this very area.
    pub(super) fn of_reporter(&self, agency: AgencyIx, area: AreaIx, period: Period) -> Accumulator {
        let mut unfilled = Accumulator::default();
        self.add_reporter(&mut unfilled, agency, area, period);
        unfilled
    }
}

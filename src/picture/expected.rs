//! Who is expected to report what: the slots of those who are, and what becomes of one that nothing
//! has filled. Nothing else decides it. The rules are in docs/statistics.md, section 6.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::accumulator::{Accumulator, Missing, MissingReason};
use super::combine::OverTime;
use super::contained::Containers;
use super::reporters::Reporters;
use super::submitted::Submitted;
use crate::catalogue::items::{Indicator, IndicatorVersion, Validity};
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::model::date::Date;
use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::state::view::View;

/// As many areas as a search for one of them costs, nearly.
const SEARCH_STEPS: usize = 8;

/// Who is expected to report one indicator, and where.
pub(super) struct Expected<'a> {
    view: View<'a>,
    indicator: &'a Indicator,
    submitted: Rc<Submitted<'a>>,
    /// The agencies that each version names.
    named: Vec<OnceCell<Vec<(AgencyIx, Validity)>>>,
    /// The agencies that some version names, ascending.
    named_ever: OnceCell<Vec<AgencyIx>>,
    periods: RefCell<HashMap<Period, Rc<[ExpectedPeriod<'a>]>, Hashing>>,
    reporters: Reporters<'a>,
}

/// A period at the indicator's frequency, and who is expected to report it.
pub(super) struct ExpectedPeriod<'a> {
    pub(super) period: Period,
    /// Its last day, which every slot asks for.
    pub(super) last: Date,
    pub(super) version: &'a IndicatorVersion,
    pub(super) hierarchy: &'a Hierarchy,
    /// The agencies that are expected to report it, ascending.
    pub(super) agencies: Vec<AgencyIx>,
    /// Whether nobody is expected to report such a period, so that whoever does is a volunteer.
    is_unexpected: bool,
    due: Date,
    /// Whether that has passed.
    is_late: bool,
    /// What its slots can lie within; found when the first is unfilled.
    containers: OnceCell<Containers>,
}

/// One expected figure.
#[derive(Clone, Copy)]
pub(super) struct ExpectedSlot {
    pub(super) agency: AgencyIx,
    pub(super) area: AreaIx,
    pub(super) period: Period,
    pub(super) due: Date,
}

impl ExpectedPeriod<'_> {
    pub(super) fn expects(&self, agency: AgencyIx) -> bool {
        self.agencies.binary_search(&agency).is_ok()
    }
}

impl<'a> Expected<'a> {
    pub(super) fn new(view: View<'a>, indicator: &'a Indicator, submitted: Rc<Submitted<'a>>) -> Self {
        let named = indicator.versions().iter().map(|_| OnceCell::new()).collect();
        let (named_ever, periods) = (OnceCell::new(), RefCell::default());
        let reporters = Reporters::new(view);
        Self { view, indicator, submitted, named, named_ever, periods, reporters }
    }

    /// Whether a period fits the indicator.
    pub(super) fn fits(&self, period: Period) -> bool {
        self.is_expected(period) || !self.within(period).is_empty()
    }

    /// Of consecutive periods, those whose slots all of them together have: of a stock the last.
    pub(super) fn together<'p>(&self, periods: &'p [Period]) -> &'p [Period] {
        match self.submitted.rule() {
            OverTime::Add | OverTime::Never => periods,
            OverTime::Last => &periods[periods.len().saturating_sub(1)..],
        }
    }

    /// The periods whose slots a figure of this period has: all at the indicator's frequency within it, and for a stock
    /// the one that closes it. Nothing rests on periods that don't combine. Where that is none, nobody is expected, and a
    /// reporter's slot is of the period itself.
    pub(super) fn periods(&self, period: Period) -> Rc<[ExpectedPeriod<'a>]> {
        if let Some(known) = self.periods.borrow().get(&period) {
            return Rc::clone(known);
        }
        let mut within = if self.is_expected(period) { vec![period] } else { self.within(period) };
        match self.submitted.rule() {
            OverTime::Add => {}
            OverTime::Last => drop(within.drain(..within.len().saturating_sub(1))),
            OverTime::Never => within.retain(|one| one.frequency() == period.frequency()),
        }
        within.retain(|one| self.is_expected(*one));
        let mut periods: Vec<_> = within.into_iter().map(|period| self.expected_period(period)).collect();
        if periods.is_empty() {
            let itself = self.expected_period(period);
            periods.push(ExpectedPeriod { agencies: Vec::new(), is_unexpected: true, is_late: false, ..itself });
        }
        let periods: Rc<[_]> = periods.into();
        self.periods.borrow_mut().insert(period, Rc::clone(&periods));
        periods
    }

    /// The agencies that are expected to report a period, but for some that have no slots within an area.
    pub(super) fn agencies_within<'p>(&self, period: &'p ExpectedPeriod<'a>, area: AreaIx) -> Cow<'p, [AgencyIx]> {
        let all = period.agencies.as_slice();
        match self.reporters.within(period.hierarchy, area, all.len()) {
            Some(few) => few.into_iter().filter(|agency| period.expects(*agency)).collect(),
            None => all.into(),
        }
    }

    /// The agencies of which [`Self::add_unreported`] can add anything for an area and some periods, where they are
    /// known and fewer than `all`.
    pub(super) fn reporters_within(&self, area: AreaIx, periods: &[Period], all: usize) -> Option<Vec<AgencyIx>> {
        let mut agencies = Vec::new();
        let mut hierarchies: Vec<&Hierarchy> = Vec::new();
        for period in self.together(periods) {
            for slot in &*self.periods(*period) {
                // Below the reporting level every agency has a slot of the area itself.
                if slot.hierarchy.level(area) > slot.version.reporting_level {
                    return None;
                }
                if !hierarchies.iter().any(|known| std::ptr::eq(*known, slot.hierarchy)) {
                    hierarchies.push(slot.hierarchy);
                    agencies.extend(self.reporters.within(slot.hierarchy, area, all)?);
                }
            }
        }
        Some(agencies)
    }

    /// Whether a period has slots: the definition that was in force for it may have expected longer periods, or shorter
    /// ones, than the one of the period that it lies within.
    fn is_expected(&self, period: Period) -> bool {
        self.indicator.version_for(period).frequency == period.frequency()
    }

    /// The periods at the indicator's frequency that a period divides into; for a stock that has none, the one
    /// that ends on its last day.
    fn within(&self, period: Period) -> Vec<Period> {
        let frequency = self.indicator.version_for(period).frequency;
        let closing = || match self.submitted.rule() {
            OverTime::Last => Period::of(frequency, period.end()).filter(|closing| closing.shares_last_day(period)),
            OverTime::Add | OverTime::Never => None,
        };
        period.divide(frequency).unwrap_or_else(|| closing().into_iter().collect())
    }

    /// Every slot within an area and a period, also of those that the period's own figure doesn't rest
    /// on: a stock is expected each quarter of a year.
    pub(super) fn slots_within(&self, area: AreaIx, period: Period) -> impl Iterator<Item = ExpectedSlot> {
        let expected = self.within(period).into_iter().filter(|period| self.is_expected(*period));
        let periods = expected.map(|period| self.expected_period(period));
        periods.flat_map(move |expected| {
            let ExpectedPeriod { period, due, .. } = expected;
            let slots = |agency| {
                let areas = self.areas(&expected, agency, area);
                areas.map(move |area| ExpectedSlot { agency, area, period, due }).collect::<Vec<_>>()
            };
            let agencies = expected.agencies.iter().copied().take_while(|_| self.view.spend(1).is_ok());
            agencies.flat_map(slots).collect::<Vec<_>>()
        })
    }

    /// Whether an agency that reports has slots in a period: it is expected to report it, or is a volunteer.
    /// One that the definition names has just the slots that it is expected for.
    pub(super) fn has_slots(&self, slot: &ExpectedPeriod<'_>, agency: AgencyIx) -> bool {
        slot.is_unexpected || slot.expects(agency) || self.named_ever().binary_search(&agency).is_err()
    }

    /// Whether no version of the definition names an agency.
    pub(super) fn names_nobody(&self) -> bool {
        self.named_ever().is_empty()
    }

    fn named_ever(&self) -> &[AgencyIx] {
        self.named_ever.get_or_init(|| {
            let named = self.indicator.versions().iter().enumerate();
            let mut named: Vec<AgencyIx> =
                named.flat_map(|(index, version)| self.named(index, version)).map(|(agency, _)| *agency).collect();
            named.sort_unstable();
            named
        })
    }

    /// The agencies that a version names.
    fn named(&self, index: usize, version: &IndicatorVersion) -> &[(AgencyIx, Validity)] {
        self.named[index].get_or_init(|| {
            let known = |id| self.view.catalogue.agency(id).map(|(agency, _)| agency);
            version.expected_agencies.iter().filter_map(|named| Some((known(&named.agency)?, named.validity))).collect()
        })
    }

    fn expected_period(&self, period: Period) -> ExpectedPeriod<'a> {
        let (index, version) = self.indicator.indexed_version_for(period);
        let named = self.named(index, version);
        let agencies = named.iter().filter(|(_, validity)| validity.covers(period)).map(|(agency, _)| *agency);
        let mut agencies: Vec<AgencyIx> = agencies.collect();
        agencies.sort_unstable();
        agencies.dedup();
        let due = self.view.catalogue.due(version, period);
        ExpectedPeriod {
            period,
            last: period.end(),
            version,
            hierarchy: self.view.hierarchy(period),
            agencies,
            is_unexpected: false,
            due,
            is_late: due < self.view.today,
            containers: OnceCell::new(),
        }
    }

    /// The areas at the reporting level within an area that an agency reports for, and that are of the period.
    pub(super) fn areas(
        &self,
        period: &ExpectedPeriod<'_>,
        agency: AgencyIx,
        within: AreaIx,
    ) -> impl Iterator<Item = AreaIx> {
        let (hierarchy, level, last) = (period.hierarchy, period.version.reporting_level, period.last);
        let catalogue = self.view.catalogue;
        let (inner, reported) = (hierarchy.within(within), catalogue.reports_for(agency));
        // A ward has few areas within it, where an agency reports for thousands.
        let is_small = inner.len() * SEARCH_STEPS < reported.len();
        let found = is_small.then(|| {
            let is_reported = |area: &AreaIx| reported.binary_search(area).is_ok();
            let mut found: Vec<AreaIx> = inner.iter().copied().filter(is_reported).collect();
            found.sort_unstable();
            found
        });
        let is_within = move |area: &AreaIx| hierarchy.is_within(*area, within);
        let all = (!is_small).then(|| reported.iter().copied().filter(is_within));
        let is_expected = move |area: &AreaIx| hierarchy.level(*area) == level && catalogue.exists_on(*area, last);
        found.into_iter().flatten().chain(all.into_iter().flatten()).filter(is_expected)
    }

    /// What the slots of a period can lie within.
    fn containers<'p>(&self, slot: &'p ExpectedPeriod<'_>) -> &'p Containers {
        slot.containers.get_or_init(|| Containers::of(&self.submitted, slot.period))
    }

    /// Adds an unfilled slot: contained in another figure, or else late or not due yet. An area that isn't of the
    /// period has none.
    pub(super) fn add_slot(&self, to: &mut Accumulator, slot: &ExpectedPeriod<'_>, agency: AgencyIx, area: AreaIx) {
        if !self.exists(slot, area) {
            return;
        }
        let reason = match self.containers(slot).nearest(&self.submitted, slot.hierarchy, agency, area) {
            Some((area, period)) => MissingReason::Contained { area, period },
            None if slot.is_late => MissingReason::Late,
            None => MissingReason::NotDue,
        };
        to.add_missing(Missing { agency, area, period: slot.period, reason });
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
        self.areas(period, agency, area).for_each(|area| self.add_slot(to, period, agency, area));
    }

    /// Adds the slots of an agency that has reported elsewhere and not for this area, unfilled.
    pub(super) fn add_unreported(&self, to: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        to.lacks_areas |=
            self.unreported(agency, area, period, true, &mut |slot, area| self.add_slot(to, slot, agency, area));
    }

    /// Adds the slots of an agency that reports for this very area, unfilled.
    pub(super) fn add_reporter(&self, to: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        self.of_reporter(agency, area, period, |slot, area| self.add_slot(to, slot, agency, area));
    }

    /// Adds those of the slots of an agency that lie within a larger figure of it. It is no reporter, so the others
    /// aren't expected of it.
    pub(super) fn add_contained(&self, to: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        let may_be_contained =
            |slot: &ExpectedPeriod<'_>| self.containers(slot).may_hold(&self.submitted, slot.hierarchy, agency, area);
        if !self.periods(period).iter().any(may_be_contained) {
            return;
        }
        self.itself_or_unreported(agency, area, period, false, &mut |slot, area| {
            let mut one = Accumulator::default();
            self.add_slot(&mut one, slot, agency, area);
            if one.coverage.contained > 0 {
                to.add(&one);
            }
        });
    }

    /// The slots of an agency that has a figure of this area: those that it is expected to report, or would be as a
    /// volunteer, and at least the area itself, if it reports for that or for an area within it.
    pub(super) fn of_reporter(
        &self,
        agency: AgencyIx,
        area: AreaIx,
        period: Period,
        mut each: impl FnMut(&ExpectedPeriod<'_>, AreaIx),
    ) {
        self.itself_or_unreported(agency, area, period, true, &mut each);
    }

    fn itself_or_unreported(
        &self,
        agency: AgencyIx,
        area: AreaIx,
        period: Period,
        is_reporter: bool,
        each: &mut dyn FnMut(&ExpectedPeriod<'_>, AreaIx),
    ) {
        let has_slots = |slot: &ExpectedPeriod<'_>| !is_reporter || self.has_slots(slot, agency);
        let mut has_some = false;
        self.unreported(agency, area, period, is_reporter, &mut |slot, area| {
            has_some = true;
            each(slot, area);
        });
        if has_some {
            return;
        }
        let reports = |slot: &ExpectedPeriod<'_>| !is_reporter || self.reports_within(slot, agency, area);
        let periods = self.periods(period);
        // A figure that was accepted before the area was ended keeps its slots.
        let has_ended = !periods.iter().any(|slot| self.exists(slot, area));
        let periods = periods.iter().filter(|slot| has_ended || self.exists(slot, area));
        periods.filter(|slot| has_slots(slot) && reports(slot)).for_each(|slot| each(slot, area));
    }

    /// Whether an agency reports for an area, or for one within it that is of the slot's period.
    pub(super) fn reports_within(&self, slot: &ExpectedPeriod<'_>, agency: AgencyIx, area: AreaIx) -> bool {
        let reported = self.view.catalogue.reports_for(agency);
        let reports = |area: &AreaIx| reported.binary_search(area).is_ok();
        reports(&area) || slot.hierarchy.within(area).iter().any(|inner| reports(inner) && self.exists(slot, *inner))
    }

    /// The slots of an agency that has reported elsewhere and not for this area, in the periods in which it has
    /// any: those that it is expected to report; below the reporting level the area itself, because the sum of an
    /// area needs all that it is made of. Returns whether it is a volunteer that reports for an area there: nobody
    /// expects that, and the sum lacks it all the same.
    fn unreported(
        &self,
        agency: AgencyIx,
        area: AreaIx,
        period: Period,
        is_reporter: bool,
        each: &mut dyn FnMut(&ExpectedPeriod<'_>, AreaIx),
    ) -> bool {
        let mut lacks_areas = false;
        for slot in self.periods(period).iter().filter(|slot| !is_reporter || self.has_slots(slot, agency)) {
            if slot.hierarchy.level(area) <= slot.version.reporting_level {
                let mut areas = self.areas(slot, agency, area);
                if is_reporter && !slot.expects(agency) {
                    lacks_areas |= areas.next().is_some();
                } else {
                    areas.for_each(|area| each(slot, area));
                }
            } else if self.exists(slot, area) {
                each(slot, area);
            }
        }
        lacks_areas
    }

    /// Whether an area is of a slot's period.
    pub(super) fn exists(&self, slot: &ExpectedPeriod<'_>, area: AreaIx) -> bool {
        self.view.catalogue.exists_on(area, slot.last)
    }
}

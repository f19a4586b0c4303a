//! What is owed: the slots of those who are expected to report, and haven't.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::accumulator::{Accumulator, MISSING_NAMED_MAX, Missing, MissingReason};
use super::combine::{OverTime, over_time};
use crate::catalogue::items::{Indicator, IndicatorVersion, Validity};
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::state::view::View;

/// Who is expected to report one indicator, and where.
pub(super) struct Expected<'a> {
    view: View<'a>,
    indicator: &'a Indicator,
    /// The agencies that each version names.
    expected: Vec<OnceCell<Vec<(AgencyIx, Validity)>>>,
    parts: RefCell<HashMap<Period, Rc<[Part<'a>]>, Hashing>>,
}

/// A period at the indicator's frequency: who owes it.
pub(super) struct Part<'a> {
    pub(super) period: Period,
    pub(super) version: &'a IndicatorVersion,
    pub(super) hierarchy: &'a Hierarchy,
    /// The agencies that are expected to report it, ascending.
    pub(super) expected: Vec<AgencyIx>,
    /// What becomes of a slot that nothing has filled.
    pub(super) unfilled: MissingReason,
}

impl Part<'_> {
    pub(super) fn expects(&self, agency: AgencyIx) -> bool {
        self.expected.binary_search(&agency).is_ok()
    }
}

impl<'a> Expected<'a> {
    pub(super) fn new(view: View<'a>, indicator: &'a Indicator) -> Self {
        let expected = indicator.versions().iter().map(|_| OnceCell::new()).collect();
        Self { view, indicator, expected, parts: RefCell::default() }
    }

    /// The periods at the indicator's frequency that a figure of this period rests on.
    pub(super) fn parts(&self, period: Period) -> Rc<[Part<'a>]> {
        if let Some(known) = self.parts.borrow().get(&period) {
            return Rc::clone(known);
        }
        let parts: Rc<[Part<'a>]> = self.divided(period).into_iter().map(|part| self.part(part)).collect();
        self.parts.borrow_mut().insert(period, Rc::clone(&parts));
        parts
    }

    fn divided(&self, period: Period) -> Vec<Period> {
        let frequency = self.indicator.version_for(period).frequency;
        let mut parts = period.divide(frequency).unwrap_or_default();
        match over_time(self.indicator.kind()) {
            OverTime::Add => parts,
            OverTime::Last => parts.split_off(parts.len().saturating_sub(1)),
            OverTime::Never if period.frequency() == frequency => parts,
            OverTime::Never => Vec::new(),
        }
    }

    fn part(&self, period: Period) -> Part<'a> {
        let (place, version) = self.indicator.placed_version_for(period);
        let named = self.expected[place].get_or_init(|| {
            let known = |id| self.view.catalogue.agency(id).map(|(agency, _)| agency);
            version.expected_agencies.iter().filter_map(|named| Some((known(&named.agency)?, named.validity))).collect()
        });
        let expected = named.iter().filter(|(_, validity)| validity.covers(period)).map(|(agency, _)| *agency);
        let mut expected: Vec<AgencyIx> = expected.collect();
        expected.sort_unstable();
        expected.dedup();
        let is_late = version.due(period) < self.view.today;
        Part {
            period,
            version,
            hierarchy: self.view.hierarchy(period),
            expected,
            unfilled: if is_late { MissingReason::Late } else { MissingReason::NotDue },
        }
    }

    /// Owes the slots that an agency has not filled, if it has filled none: of the areas at the reporting
    /// level that it is expected to report for; below that level, of the area itself, because the
    /// sum of an area needs all that it is made of.
    pub(super) fn owe_agency(&self, owed: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        for part in &*self.parts(period) {
            if part.hierarchy.level(area) > part.version.reporting_level {
                owe(owed, part, agency, area);
            } else if part.expects(agency) {
                self.owe_expected(owed, part, agency, area);
            }
        }
    }

    /// Owes the slots of one that reports for this very area: what it is expected to report, and at
    /// least the area itself.
    pub(super) fn owe_reporter(&self, owed: &mut Accumulator, agency: AgencyIx, area: AreaIx, period: Period) {
        let before = owed.slots.expected;
        self.owe_agency(owed, agency, area, period);
        if owed.slots.expected == before {
            for part in &*self.parts(period) {
                owe(owed, part, agency, area);
            }
        }
    }

    /// The slots of one that reports for this very area.
    pub(super) fn by_reporter(&self, agency: AgencyIx, area: AreaIx, period: Period) -> Accumulator {
        let mut owed = Accumulator::default();
        self.owe_reporter(&mut owed, agency, area, period);
        owed
    }

    /// The slots of an agency that is expected to report the part, for each area at the reporting level
    /// that it reports for. Below that level nobody is expected.
    pub(super) fn owe_expected(&self, owed: &mut Accumulator, part: &Part<'_>, agency: AgencyIx, area: AreaIx) {
        for place in self.expected_areas(part, agency, area) {
            owe(owed, part, agency, place);
        }
    }

    /// The areas at the reporting level within an area that an agency reports for.
    pub(super) fn expected_areas(
        &self,
        part: &Part<'_>,
        agency: AgencyIx,
        area: AreaIx,
    ) -> impl Iterator<Item = AreaIx> {
        let (hierarchy, level) = (part.hierarchy, part.version.reporting_level);
        let is_asked = move |place: &AreaIx| hierarchy.level(*place) == level && hierarchy.is_within(*place, area);
        self.view.catalogue.reports_for(agency).iter().copied().filter(is_asked)
    }
}

/// Owes a part for an area.
pub(super) fn owe(owed: &mut Accumulator, part: &Part<'_>, agency: AgencyIx, area: AreaIx) {
    owed.slots.expected += 1;
    owed.slots.late += usize::from(part.unfilled == MissingReason::Late);
    if owed.missing.len() < MISSING_NAMED_MAX {
        owed.missing.push(Missing { agency, area, period: part.period, reason: part.unfilled });
    }
}

//! Section 6: the slots of a figure, before and after they are filled.

use conspectus::catalogue::items::Kind;
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::period::Period;

use super::periods::{closing, cut, is_same, shares_last_day};
use super::series::Series;
use super::sight::Standing;
use super::sum::{Fate, Slot, Sum};

impl<'a> Series<'a> {
    /// 6.1: the periods of a figure's slots. "A stock has only the slots of the period of its frequency that ends on its
    /// last day […]. Distinct people have slots only of the period itself."
    pub(crate) fn slot_periods(&self, period: Period) -> Vec<Period> {
        let frequency = self.version(period).frequency;
        let parts = match self.kind {
            Kind::Events | Kind::Amount | Kind::Ratio | Kind::Mean => cut(period, frequency),
            Kind::Stock => closing(period, frequency).into_iter().collect(),
            Kind::Distinct => Some(period).into_iter().filter(|it| it.frequency() == frequency).collect(),
        };
        parts.into_iter().filter(|part| self.is_at_its_frequency(*part)).collect()
    }

    /// Where the frequency changed, the shorter periods of before have no slots.
    pub(crate) fn is_at_its_frequency(&self, part: Period) -> bool {
        self.version(part).frequency == part.frequency()
    }

    /// What an agency is expected to report for an area and a period, whether or not it has.
    pub(crate) fn expected(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Slot> {
        self.slot_periods(period).into_iter().flat_map(|part| self.expected_of(agency, area, part)).collect()
    }

    /// 6.1: "where this gives no period at all […], nobody is expected, and a reporter's slots are of the period itself".
    pub(crate) fn reporter_periods(&self, period: Period) -> Vec<Period> {
        let parts = self.slot_periods(period);
        if parts.is_empty() { vec![period] } else { parts }
    }

    /// 6.2: "expected is an agency that the definition in force for the slot's period names for all of that period".
    fn is_expected(&self, agency: &AgencyId, part: Period) -> bool {
        self.version(part).expected_agencies.iter().any(|it| {
            let (from, to) = (it.validity.valid_from, it.validity.valid_to);
            it.agency == *agency && from.is_none_or(|from| from <= part.start()) && to.is_none_or(|to| part.end() <= to)
        })
    }

    /// "A **volunteer** is an agency that no version of the definition names, or any agency where nobody is expected."
    fn is_volunteer(&self, agency: &AgencyId, part: Period) -> bool {
        let mut named = self.sight.versions_of(&self.indicator).flat_map(|version| &version.expected_agencies);
        self.slot_periods(part).is_empty() || named.all(|it| it.agency != *agency)
    }

    /// "In the periods in which it is expected or a volunteer."
    pub(crate) fn has_slots(&self, agency: &AgencyId, part: Period) -> bool {
        self.is_volunteer(agency, part) || self.is_expected(agency, part)
    }

    /// What an agency is expected for, "for the areas that it reports for", at the reporting level.
    pub(crate) fn expected_of(&self, agency: &AgencyId, area: &AreaCode, part: Period) -> Vec<Slot> {
        if self.is_expected(agency, part) { self.at_its_level(agency, area, part) } else { vec![] }
    }

    /// The areas at the reporting level that an agency reports for, and that are of the period.
    fn at_its_level(&self, agency: &AgencyId, area: &AreaCode, part: Period) -> Vec<Slot> {
        let reports_for = &self.sight.agencies.iter().find(|it| it.id == *agency).unwrap().areas;
        let areas = self.sight.areas_of_level(area, self.version(part).reporting_level, self.day(part), part);
        areas.into_iter().filter(|it| reports_for.contains(it)).map(|it| self.empty(agency, it, part)).collect()
    }

    /// 6.2: "one that has reported some parts of a sum has slots for its other parts: above the reporting level and at
    /// it, for the areas at that level that it reports for; below, for each area".
    pub(crate) fn unfilled(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Slot> {
        let has_slots = |part| self.has_slots(agency, part);
        self.slots_of_parts(agency, area, period, has_slots, |part| self.is_expected_here(agency, part))
    }

    /// "But a sum *lacks* the areas at that level that it reports for, in the parts that it hasn't reported."
    pub(crate) fn lacks_areas(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> bool {
        self.reporter_periods(period).into_iter().any(|part| {
            let is_below = self.sight.area(area).level > self.version(part).reporting_level;
            let is_mere_volunteer = self.is_volunteer(agency, part) && !self.is_expected_here(agency, part);
            !is_below && is_mere_volunteer && !self.at_its_level(agency, area, part).is_empty()
        })
    }

    /// Whether the agency is expected for a part that has slots by the frequency.
    fn is_expected_here(&self, agency: &AgencyId, part: Period) -> bool {
        !self.slot_periods(part).is_empty() && self.is_expected(agency, part)
    }

    /// What an agency that is unfilled for an area comes to in a sum.
    pub(crate) fn unreported(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Sum<'a> {
        let lacks_areas = self.lacks_areas(agency, area, period);
        Sum { lacks_areas, ..Sum::of_slots(self.unfilled(agency, area, period)) }
    }

    fn slots_of_parts(
        &self,
        agency: &AgencyId,
        area: &AreaCode,
        period: Period,
        has_slots: impl Fn(Period) -> bool,
        has_at_its_level: impl Fn(Period) -> bool,
    ) -> Vec<Slot> {
        let is_below = |part: Period| self.sight.area(area).level > self.version(part).reporting_level;
        let itself = |part: Period| self.sight.is_of(area, part).then(|| self.empty(agency, area, part));
        let parts = self.reporter_periods(period).into_iter().filter(|part| has_slots(*part));
        parts
            .flat_map(|part| {
                if is_below(part) {
                    itself(part).into_iter().collect()
                } else if has_at_its_level(part) {
                    self.at_its_level(agency, area, part)
                } else {
                    vec![]
                }
            })
            .collect()
    }

    pub(crate) fn unfilled_of_reporter(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Slot> {
        let itself = || {
            let parts = self.reporter_periods(period).into_iter().filter(|part| self.sight.is_of(area, *part));
            let parts = parts.filter(|part| self.has_slots(agency, *part) && self.reports_within(agency, area, *part));
            parts.map(|part| self.empty(agency, area, part)).collect()
        };
        let unfilled = self.unfilled(agency, area, period);
        if unfilled.is_empty() { itself() } else { unfilled }
    }

    /// "In those, one that reports for the very area, or for an area within it that is of the slot's period, has at least
    /// a slot for the very area."
    pub(crate) fn reports_within(&self, agency: &AgencyId, area: &AreaCode, part: Period) -> bool {
        let reports_for = &self.sight.agencies.iter().find(|it| it.id == *agency).unwrap().areas;
        let is_within = |inner: &AreaCode| {
            inner == area || (self.sight.is_within(inner, area, self.day(part)) && self.sight.is_of(inner, part))
        };
        reports_for.iter().any(is_within)
    }

    /// 6.2: "one that is asked for by name, and is neither, has the slots that are contained (6.5) in other figures of its
    /// own", whether or not it is named for their periods.
    pub(crate) fn within_its_figures(&self, agency: &AgencyId, area: &AreaCode, periods: &[Period]) -> Vec<Slot> {
        let slots = periods.iter().flat_map(|period| {
            let slots = self.slots_of_parts(agency, area, *period, |_| true, |_| true);
            let parts = self.reporter_periods(*period).into_iter().filter(|part| self.sight.is_of(area, *part));
            let itself = || parts.map(|part| self.empty(agency, area, part)).collect();
            if slots.is_empty() { itself() } else { slots }
        });
        slots.filter(|slot| matches!(slot.fate, Fate::Contained(..))).collect()
    }

    /// A slot without a figure of its own.
    pub(crate) fn empty(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Slot {
        // 6.6: "late from the day after its due day, and before that not due. Where nobody is expected (6.1) nothing is
        // due, and so nothing is late."
        let due = self.sight.due(self.version(period), period);
        let is_late = self.sight.today > due && !self.slot_periods(period).is_empty();
        let unreported = if is_late { Fate::Late } else { Fate::NotDue };
        let container = self.containers(agency, area, period).into_iter().next();
        let fate = container.map_or(unreported, |it| Fate::Contained(it.key.area.clone(), it.key.period));
        Slot { agency: agency.clone(), area: area.clone(), period, fate }
    }

    /// 6.5: the figures that a slot lies within, the nearest first. "Contained when […] its agency submitted one for a
    /// longer period that it lies within (for kinds that add over time), or for a wider area, or both."
    pub(crate) fn containers(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<&'a Standing> {
        let day = self.day(period);
        let accepted = |it: &Standing| self.sight.zone.date(it.accepted);
        let is = |it: &&Standing| {
            let (wide, long) = (&it.key.area, it.key.period);
            let is_of_period = match self.kind {
                Kind::Events | Kind::Amount | Kind::Ratio | Kind::Mean => {
                    cut(long, period.frequency()).into_iter().any(|part| is_same(part, period))
                }
                Kind::Stock => shares_last_day(long, period),
                Kind::Distinct => is_same(long, period),
            };
            let is_itself = wide == area && (is_same(long, period) || self.kind == Kind::Stock);
            it.fills()
                && is_of_period
                && self.sight.is_within(area, wide, day)
                && !is_itself
                && (!self.is_unfinished(it) || period.end() < accepted(it))
        };
        let mut found: Vec<&Standing> = self.of(agency).filter(is).collect();
        let steps = |it: &Standing| {
            let mut at = area;
            let mut steps = 0;
            while *at != it.key.area {
                at = self.sight.parent(at, day).unwrap();
                steps += 1;
            }
            steps
        };
        // "Of the same area before wider ones, then of the shorter period before longer ones, and of years the one that
        // began last."
        let months = |it: &Standing| (it.key.period.end().days() - it.key.period.start().days() + 15) / 30;
        found.sort_by_key(|it| {
            let own = it.key.period;
            (steps(it), !is_same(own, period), months(it), std::cmp::Reverse(own.start()))
        });
        found
    }
}

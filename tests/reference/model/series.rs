//! Section 5: an agency's figure for one area and one period.

use std::cell::RefCell;
use std::collections::BTreeMap;

use conspectus::catalogue::items::{IndicatorVersion, Kind};
use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId};
use conspectus::model::marker::Marker;
use conspectus::model::observation::Breakdown;
use conspectus::model::period::{Frequency, Period};

use super::number::{Number, number_and_weight, whole};
use super::periods::{is_same, next_finer, shares_last_day};
use super::sight::{Sight, Standing};
use super::sum::{Fate, Slot, Sum};

/// 2.4: which hierarchy figures are rolled up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roll {
    /// That of each period's last day.
    Then,
    /// That of this day, for every period.
    On(Date),
}

/// One indicator under one breakdown, of some agencies or all.
pub(crate) struct Series<'a> {
    pub(crate) sight: &'a Sight,
    pub(crate) indicator: IndicatorId,
    pub(crate) kind: Kind,
    pub(crate) breakdown: Breakdown,
    pub(crate) agencies: Vec<AgencyId>,
    pub(crate) roll: Roll,
    /// What was submitted of it.
    figures: Vec<&'a Standing>,
    /// What was found before. Without it a case takes minutes.
    found: RefCell<BTreeMap<(AgencyId, AreaCode, Period), Option<Sum<'a>>>>,
}

/// A way to build a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Submitted,
    OverTime,
    OverAreas,
    Marked,
    Nothing,
}

impl<'a> Series<'a> {
    pub(crate) fn new(
        sight: &'a Sight,
        indicator: &IndicatorId,
        breakdown: &Breakdown,
        agencies: Option<&[AgencyId]>,
        roll: Roll,
    ) -> Self {
        let is = |it: &&Standing| it.key.indicator == *indicator && it.key.breakdown == *breakdown;
        Self {
            sight,
            indicator: indicator.clone(),
            kind: sight.versions_of(indicator).next().unwrap().kind,
            breakdown: breakdown.clone(),
            agencies: agencies.map_or_else(|| sight.agency_ids(), <[AgencyId]>::to_vec),
            roll,
            figures: sight.figures.iter().filter(is).collect(),
            found: RefCell::default(),
        }
    }

    pub(crate) fn version(&self, period: Period) -> &'a IndicatorVersion {
        self.sight.version(&self.indicator, period)
    }

    /// The day whose hierarchy a period is rolled up by.
    pub(crate) fn day(&self, period: Period) -> Date {
        match self.roll {
            Roll::Then => period.end(),
            Roll::On(day) => day,
        }
    }

    /// Everything that an agency submitted.
    pub(crate) fn of<'s>(&'s self, agency: &'s AgencyId) -> impl Iterator<Item = &'a Standing> + 's {
        self.figures.iter().copied().filter(move |it| it.key.agency == *agency)
    }

    /// 4.2: what an agency submitted for an area and a period, the best first.
    pub(crate) fn submitted(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<&'a Standing> {
        let is = |it: &&Standing| {
            let is_as_good = self.kind == Kind::Stock && shares_last_day(it.key.period, period);
            it.key.area == *area && (is_same(it.key.period, period) || is_as_good)
        };
        let mut found: Vec<&Standing> = self.of(agency).filter(is).collect();
        // "A figure comes before a marker, then the day itself, then the shorter": but what was submitted for the
        // very period before all others.
        found.sort_by_key(|it| {
            let own = it.key.period;
            (
                it.value.measure.is_none(),
                !is_same(own, period),
                own.frequency() != Frequency::Day,
                std::cmp::Reverse(own.start()),
            )
        });
        found
    }

    /// An agency's figure for an area and a period; none when nothing is known of it.
    pub(crate) fn figure(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Sum<'a>> {
        let key = (agency.clone(), area.clone(), period);
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let found = self.work_out(agency, area, period).1;
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    pub(crate) fn way(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Way {
        self.work_out(agency, area, period).0
    }

    fn work_out(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> (Way, Option<Sum<'a>>) {
        // 5.1: "a figure submitted for the area and the period is it".
        let submitted = self.submitted(agency, area, period);
        if let Some(whole) = submitted.first().filter(|it| it.value.measure.is_some()) {
            return (Way::Submitted, Some(self.submitted_whole(whole, area, period)));
        }
        // 5.2: "a way without a figure comes after one with a figure".
        let ways = [
            (Way::OverTime, self.over_time(agency, area, period)),
            (Way::OverAreas, self.over_areas(agency, area, period)),
        ];
        let ways = ways.into_iter().filter_map(|(way, sum)| Some((way, sum?)));
        let (valued, empty): (Vec<_>, Vec<_>) = ways.partition(|(_, sum)| sum.value.is_some());
        if let Some((way, sum)) = self.better(valued, area, period) {
            return (way, Some(sum));
        }
        // 5.3: "otherwise a marker submitted in place of a figure says why there is none; otherwise the markers of a
        // way without a figure do".
        if let Some(marker) = submitted.first() {
            return (Way::Marked, Some(self.submitted_whole(marker, area, period)));
        }
        if let Some((way, sum)) = self.better(empty, area, period) {
            return (way, Some(sum));
        }
        let has_parts = || next_finer(period).into_iter().any(|part| self.figure(agency, area, part).is_some());
        let uncombined = self.kind == Kind::Distinct && has_parts();
        let slots = || self.unfilled_of_reporter(agency, area, period);
        (Way::Nothing, uncombined.then(|| Sum { uncombined, ..Sum::of_slots(slots()) }))
    }

    /// 5.2: "where the kind adds over time and the hierarchy changes within the period […], the way over time is taken:
    /// each part of the year is then rolled up as it was". With one hierarchy for every period nothing changes.
    fn is_built_over_time(&self, period: Period) -> bool {
        match self.kind {
            Kind::Events | Kind::Amount | Kind::Ratio | Kind::Mean => {
                self.roll == Roll::Then && self.sight.changes_within(period)
            }
            Kind::Stock | Kind::Distinct => false,
        }
    }

    /// "Otherwise the way that misses fewer of its slots, as a share, is taken. Of two that miss as many: for a stock the
    /// one over areas, unless the one over time was submitted for the very area; for other kinds the one that rests on fewer submitted figures, then the one over time." Over time
    /// comes first in the list.
    fn better(&self, mut ways: Vec<(Way, Sum<'a>)>, area: &AreaCode, period: Period) -> Option<(Way, Sum<'a>)> {
        if self.is_built_over_time(period) && !ways.is_empty() {
            return Some(ways.remove(0));
        }
        let is_own = |time: &Sum<'_>| time.rests_on.iter().all(|it| it.key.area == *area);
        let is_better = |areas: &Sum<'_>, time: &Sum<'_>| match areas.share().cmp(&time.share()) {
            std::cmp::Ordering::Equal if self.kind == Kind::Stock => !is_own(time),
            std::cmp::Ordering::Equal => areas.rests_on.len() < time.rests_on.len(),
            unequal @ (std::cmp::Ordering::Less | std::cmp::Ordering::Greater) => unequal.is_gt(),
        };
        ways.into_iter().reduce(|first, second| if is_better(&second.1, &first.1) { second } else { first })
    }

    /// 6.3: "a figure submitted whole fills all slots of its area and period, but for the ones that weren't over when
    /// it was accepted".
    fn submitted_whole(&self, it: &'a Standing, area: &AreaCode, period: Period) -> Sum<'a> {
        let fate = if it.fills() {
            if it.value.markers.contains(Marker::Estimated) { Fate::Estimated } else { Fate::Reported }
        } else {
            Fate::NotAvailable
        };
        let mut slots = self.unfilled_of_reporter(&it.key.agency, area, period);
        // What was accepted has its slots, also where the area was ended afterwards.
        let (agency, parts) = (&it.key.agency, self.reporter_periods(period));
        if slots.is_empty() && !parts.iter().any(|part| self.sight.is_of(area, *part)) {
            let parts = parts.into_iter().filter(|part| self.has_slots(agency, *part));
            let parts = parts.filter(|part| self.reports_within(agency, area, *part));
            slots.extend(parts.map(|part| self.empty(agency, area, part)));
        }
        let accepted = self.sight.zone.date(it.accepted);
        let to_date = self.to_date(it);
        for slot in &mut slots {
            // "A marker `c`, `x` or `low` in its place is for all of them, whenever it was accepted."
            if !it.fills() || !self.is_unfinished(it) || slot.period.end() < accepted {
                slot.fate = fate.clone();
            }
        }
        // 6.2: "None of these slots is of an area that isn't of the slot's period", but for what was accepted.
        let is_empty = |slot: &Slot| !slot.fate.is_reported() && slot.fate != Fate::NotAvailable;
        slots.retain(|slot| !is_empty(slot) || self.sight.is_of(&slot.area, slot.period));
        Sum {
            value: it.value.measure.map(number_and_weight),
            markers: it.value.markers.iter().collect(),
            sample: it.sample,
            rests_on: vec![it],
            added: vec![it].into_iter().filter(|it| it.value.measure.is_some()).collect(),
            slots,
            to_date,
            ..Sum::default()
        }
    }

    /// Whether it was accepted before its period was over. Never a stock, which is of one day.
    pub(crate) fn is_unfinished(&self, it: &Standing) -> bool {
        self.kind != Kind::Stock && self.sight.zone.date(it.accepted) <= it.key.period.end()
    }

    /// 4.3: "a figure to date: of its period up to the day before it was accepted".
    fn to_date(&self, it: &Standing) -> Option<Date> {
        (it.fills() && self.is_unfinished(it)).then(|| self.sight.zone.date(it.accepted).plus_days(-1))
    }

    pub(crate) fn over_time(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Sum<'a>> {
        let parts = next_finer(period);
        // 5.4: "distinct people are never combined".
        if self.kind == Kind::Distinct || parts.is_empty() { None } else { self.joined(agency, area, &parts) }
    }

    /// 8.2: periods that follow each other, together.
    pub(crate) fn joined(&self, agency: &AgencyId, area: &AreaCode, periods: &[Period]) -> Option<Sum<'a>> {
        if let [one] = periods {
            return self.figure(agency, area, *one);
        }
        let figures: Vec<Option<Sum<'_>>> = periods.iter().map(|period| self.figure(agency, area, *period)).collect();
        if figures.iter().all(Option::is_none) {
            return None;
        }
        if self.kind == Kind::Stock {
            return Some(self.last(agency, area, periods, &figures));
        }
        let unfilled = |period: &Period| Sum::of_slots(self.unfilled_of_reporter(agency, area, *period));
        Some(Sum::of(figures.into_iter().zip(periods).map(|(it, period)| it.unwrap_or_else(|| unfilled(period)))))
    }

    /// 5.4: "of stocks the last one that there is counts, and is *as at* its own period when that isn't the last".
    fn last(&self, agency: &AgencyId, area: &AreaCode, periods: &[Period], figures: &[Option<Sum<'a>>]) -> Sum<'a> {
        let (close, closing) = (periods[periods.len() - 1], figures[figures.len() - 1].as_ref());
        let known = || periods.iter().zip(figures).rev().filter_map(|(period, it)| Some((*period, it.as_ref()?)));
        let (period, figure) = known().find(|(_, it)| it.value.is_some()).or_else(|| known().next()).unwrap();
        if period == close {
            return figure.clone();
        }
        let slots = closing.map_or_else(|| self.unfilled_of_reporter(agency, area, close), |it| it.slots.clone());
        let as_at = figure.value.is_some().then(|| figure.as_at.unwrap_or(period));
        Sum { slots, as_at, ..figure.clone() }
    }

    pub(crate) fn over_areas(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Sum<'a>> {
        let children = self.sight.inhabited_below(area, self.day(period), period);
        let figures: Vec<Option<Sum<'_>>> = children.iter().map(|child| self.figure(agency, child, period)).collect();
        if figures.iter().all(Option::is_none) {
            return None;
        }
        let unfilled = |child: &AreaCode| self.unreported(agency, child, period);
        let parts = figures.into_iter().zip(children).map(|(it, child)| it.unwrap_or_else(|| unfilled(child)));
        Some(self.over_areas_once(Sum::of(parts)))
    }

    /// 5.6: "what an agency submitted for both is never added up". "The sum has no value then, nor has any that it is
    /// part of."
    pub(crate) fn over_areas_once(&self, sum: Sum<'a>) -> Sum<'a> {
        let lies_within = |inner: &Standing, outer: &Standing| {
            let (one, other) = (inner.key.period, outer.key.period);
            let are_of_one_day = self.kind == Kind::Stock || (one.start() <= other.end() && other.start() <= one.end());
            let last = one.end().min(other.end());
            are_of_one_day && self.sight.is_within(&inner.key.area, &outer.key.area, last)
        };
        let others = |at: usize| sum.added.iter().enumerate().filter(move |(other, _)| *other != at);
        let overlaps = |(at, inner): (usize, &&Standing)| others(at).any(|(_, outer)| lies_within(inner, outer));
        if sum.added.iter().enumerate().any(overlaps) {
            return Sum { value: None, overlaps: true, ..sum };
        }
        sum
    }

    /// The value of what was added up, which is where a percentage or a mean is worked out; or none, of zero.
    pub(crate) fn value(&self, sum: &Sum<'_>) -> Option<Option<Number>> {
        let (number, weight) = sum.value.clone()?;
        let over = |number: Number| (weight != whole(0)).then(|| number / weight);
        Some(match self.kind {
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => Some(number),
            Kind::Ratio => over(number * whole(100)),
            Kind::Mean => over(number),
        })
    }
}

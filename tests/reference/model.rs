//! The reference model: the rules in words, worked out from the list of entries each time.
//!
//! It is slow and obvious on purpose. Everything is looked up by text in plain vectors, each slot is a
//! line in a list rather than a count, fractions are exact and unbounded, and periods are divided by
//! walking the calendar. It shares with the service the plain types of `model` and
//! `catalogue::items`, and nothing of how an answer is found.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use conspectus::catalogue::items::{AcrossAgencies, Agency, Area, AreaLevel, IndicatorVersion, Kind};
use conspectus::entry::{Body, Entry};
use conspectus::model::date::Date;
use conspectus::model::decimal::Decimal;
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId, RequestId};
use conspectus::model::marker::Marker;
use conspectus::model::observation::{Breakdown, Measure, Value};
use conspectus::model::period::{Frequency, Period};
use num_rational::BigRational as Number;

use crate::canonical::{CanonicalFigure, CanonicalMissing, Markers};

/// What is known at a revision, on a day.
pub(crate) struct Sight {
    pub(crate) areas: Vec<Area>,
    pub(crate) agencies: Vec<Agency>,
    pub(crate) versions: Vec<IndicatorVersion>,
    pub(crate) figures: Vec<Standing>,
    pub(crate) today: Date,
}

/// A figure that stands: the newest that a submission which wasn't withdrawn says.
pub(crate) struct Standing {
    agency: AgencyId,
    indicator: IndicatorId,
    area: AreaCode,
    period: Period,
    breakdown: Breakdown,
    value: Value,
    sample: bool,
}

impl Sight {
    pub(crate) fn of(entries: &[Entry], as_of: usize, today: Date) -> Self {
        let entries = &entries[..as_of];
        let mut sight = Self { areas: vec![], agencies: vec![], versions: vec![], figures: vec![], today };
        let withdrawn: Vec<(&AgencyId, &RequestId)> = entries
            .iter()
            .filter_map(|entry| match &entry.body {
                Body::Withdrawal(withdrawal) => Some((&withdrawal.agency, &withdrawal.request_id)),
                Body::CataloguePut(_) | Body::Submission { .. } | Body::Access(_) => None,
            })
            .collect();
        for entry in entries {
            match &entry.body {
                Body::CataloguePut(put) => {
                    put.areas.iter().for_each(|it| replace(&mut sight.areas, it, |a, b| a.code == b.code));
                    put.agencies.iter().for_each(|it| replace(&mut sight.agencies, it, |a, b| a.id == b.id));
                    put.indicators.iter().for_each(|it| {
                        replace(&mut sight.versions, it, |a, b| a.id == b.id && a.effective_from == b.effective_from);
                    });
                }
                Body::Submission { submission, .. } => {
                    if withdrawn.contains(&(&submission.agency, &submission.request_id)) {
                        continue;
                    }
                    for observation in submission.observations.iter() {
                        let standing = Standing {
                            agency: submission.agency.clone(),
                            indicator: observation.indicator.clone(),
                            area: observation.area.clone(),
                            period: observation.period,
                            breakdown: observation.breakdown.clone(),
                            value: observation.value,
                            sample: submission.sample,
                        };
                        sight.figures.retain(|known| !known.is_same_figure(&standing));
                        sight.figures.push(standing);
                    }
                }
                Body::Withdrawal(_) | Body::Access(_) => {}
            }
        }
        sight
    }

    pub(crate) fn area(&self, code: &AreaCode) -> &Area {
        self.areas.iter().find(|area| area.code == *code).unwrap()
    }

    pub(crate) fn parent(&self, code: &AreaCode, day: Date) -> Option<&AreaCode> {
        let valid =
            |from: Option<Date>, to: Option<Date>| from.is_none_or(|it| it <= day) && to.is_none_or(|it| day <= it);
        let parents = &self.area(code).parents;
        parents.iter().find(|it| valid(it.validity.valid_from, it.validity.valid_to)).map(|it| &it.code)
    }

    pub(crate) fn is_within(&self, inner: &AreaCode, outer: &AreaCode, day: Date) -> bool {
        inner == outer || self.parent(inner, day).is_some_and(|parent| self.is_within(parent, outer, day))
    }

    /// The areas directly below.
    pub(crate) fn children(&self, code: &AreaCode, day: Date) -> Vec<&AreaCode> {
        self.areas.iter().map(|area| &area.code).filter(|child| self.parent(child, day) == Some(code)).collect()
    }

    fn areas_of_level(&self, code: &AreaCode, level: AreaLevel, day: Date) -> Vec<&AreaCode> {
        let of_level = self.areas.iter().filter(|area| area.level == level).map(|area| &area.code);
        of_level.filter(|inner| self.is_within(inner, code, day)).collect()
    }

    fn versions_of<'a>(&'a self, indicator: &IndicatorId) -> impl Iterator<Item = &'a IndicatorVersion> {
        self.versions.iter().filter(move |version| version.id == *indicator)
    }

    /// "The newest whose `effective_from` is on or before the period's last day."
    pub(crate) fn version(&self, indicator: &IndicatorId, period: Period) -> &IndicatorVersion {
        self.versions_of(indicator)
            .filter(|version| version.effective_from.is_none_or(|from| from <= period.end()))
            .max_by_key(|version| version.effective_from)
            .unwrap()
    }

    /// Whether a version that breaks comparability took effect after the one period's end and by the other's.
    pub(crate) fn definition_breaks(&self, indicator: &IndicatorId, earlier: Period, later: Period) -> bool {
        let between = |day: Date| earlier.end() < day && day <= later.end();
        self.versions_of(indicator)
            .any(|version| version.breaks_comparability && version.effective_from.is_some_and(between))
    }

    pub(crate) fn indicator_ids(&self) -> BTreeSet<IndicatorId> {
        self.versions.iter().map(|version| version.id.clone()).collect()
    }

    pub(crate) fn agency_ids(&self) -> BTreeSet<AgencyId> {
        self.agencies.iter().map(|agency| agency.id.clone()).collect()
    }
}

fn replace<T: Clone>(items: &mut Vec<T>, new: &T, is_same: impl Fn(&T, &T) -> bool) {
    items.retain(|known| !is_same(known, new));
    items.push(new.clone());
}

impl Standing {
    fn is_same_figure(&self, other: &Self) -> bool {
        (&self.agency, &self.indicator, &self.area, &self.breakdown)
            == (&other.agency, &other.indicator, &other.area, &other.breakdown)
            && is_same_period(self.period, other.period)
    }
}

/// `CY2021-Q2` and `FY2021-22-Q1` are one.
fn is_same_period(one: Period, other: Period) -> bool {
    (one.frequency(), one.start(), one.end()) == (other.frequency(), other.start(), other.end())
}

/// A period cut into those of a frequency, which must fill it exactly. Calendar years have calendar quarters.
pub(crate) fn cut(period: Period, frequency: Frequency) -> Vec<Period> {
    if frequency == period.frequency() {
        return vec![period];
    }
    if matches!(frequency, Frequency::Week | Frequency::Day) {
        return vec![];
    }
    let mut tiles = vec![];
    let mut at = period.start();
    while at <= period.end() {
        let Some(tile) = Period::of(frequency, at) else { return vec![] };
        if tile.start() != at || tile.end() > period.end() {
            return vec![];
        }
        at = tile.end().plus_days(1);
        let in_calendar_year = period.frequency() == Frequency::CalendarYear && frequency == Frequency::Quarter;
        let name = format!("CY{}-Q{}", tile.start().year(), tile.start().month().div_ceil(3));
        tiles.push(if in_calendar_year { name.parse().unwrap() } else { tile });
    }
    tiles
}

/// "A year from halves, from quarters, from months."
pub(crate) fn next_finer(period: Period) -> Vec<Period> {
    let finer = match period.frequency() {
        Frequency::FinancialYear => Frequency::HalfYear,
        Frequency::CalendarYear | Frequency::HalfYear => Frequency::Quarter,
        Frequency::AcademicYear | Frequency::Quarter => Frequency::Month,
        Frequency::Month | Frequency::Week | Frequency::Day => return vec![],
    };
    cut(period, finer)
}

/// A figure that can still be combined. The value is a number and its weight: a denominator or a count.
#[derive(Clone, Default)]
pub(crate) struct Accumulator {
    pub(crate) value: Option<(Number, Number)>,
    /// What was submitted that is in the value.
    measures: Vec<Measure>,
    pub(crate) markers: Markers,
    pub(crate) sample: bool,
    /// How many submitted figures and markers it rests on.
    pub(crate) submitted: usize,
    pub(crate) slots: Vec<Slot>,
    pub(crate) as_at: Option<Period>,
    /// Whether parts were submitted that are never combined.
    pub(crate) uncombined: bool,
}

/// One expected agency, for one area and one period, and what became of it.
#[derive(Clone)]
pub(crate) struct Slot {
    agency: AgencyId,
    area: AreaCode,
    period: Period,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Reported,
    Estimated,
    NotAvailable,
    Late,
    NotDue,
}

impl Accumulator {
    pub(crate) fn add(&mut self, other: &Self) {
        self.value = match (self.value.take(), other.value.clone()) {
            (Some((a, b)), Some((c, d))) => Some((a + c, b + d)),
            (one, other) => one.or(other),
        };
        self.markers.extend(other.markers.iter().copied());
        self.sample |= other.sample;
        self.uncombined |= other.uncombined;
        self.submitted += other.submitted;
        self.measures.extend(&other.measures);
        // Of several that are out of date the oldest counts.
        self.as_at = self.as_at.into_iter().chain(other.as_at).min_by_key(|period| (period.end(), period.start()));
        self.slots.extend(other.slots.iter().cloned());
    }

    fn sum(accumulators: impl IntoIterator<Item = Self>) -> Self {
        accumulators.into_iter().fold(Self::default(), |mut sum, figure| {
            sum.add(&figure);
            sum
        })
    }

    fn of_slots(slots: Vec<Slot>) -> Self {
        Self { slots, ..Self::default() }
    }

    /// How many of the slots are reported, as a share; none when there are none.
    fn share(&self) -> Number {
        let reported = self.slots.iter().filter(|slot| slot.fate.is_reported()).count();
        if self.slots.is_empty() { whole(0) } else { Number::new(reported.into(), self.slots.len().into()) }
    }

    /// How well the numerator is known: "kept exactly, combined by weight, and told apart from an exact
    /// numerator". Beside something that has a base, what has none contributes nothing.
    pub(crate) fn numerator_basis(&self) -> &'static str {
        let weighing: Vec<&Measure> =
            self.measures.iter().filter(|measure| number_and_weight(**measure).1 != whole(0)).collect();
        let counting = if weighing.is_empty() { self.measures.iter().collect() } else { weighing.clone() };
        let is_printed = |measure: &&&Measure| matches!(measure, Measure::Percentage { .. });
        match (counting.iter().filter(is_printed).count(), weighing.len()) {
            (0, _) => "Counted",
            (_, 0 | 1) => "Printed",
            _ => "Estimated",
        }
    }

    pub(crate) fn has_absence(&self) -> bool {
        self.markers.iter().any(|marker| marker.is_absence())
    }

    /// Everything but the value, as it is shown. "It never looks complete": neither does what has no value and
    /// nobody to expect one of.
    pub(crate) fn canonical(&self, has_value: bool) -> CanonicalFigure {
        let has_something = has_value || !self.slots.is_empty();
        let count = |fate: &[Fate]| self.slots.iter().filter(|slot| fate.contains(&slot.fate)).count();
        let reported = count(&[Fate::Reported, Fate::Estimated]);
        let missing = self.slots.iter().filter(|slot| !slot.fate.is_reported()).map(|slot| CanonicalMissing {
            agency: slot.agency.clone(),
            area: slot.area.clone(),
            period: slot.period.to_string(),
            reason: match slot.fate {
                Fate::Late => "Late",
                Fate::NotDue => "NotDue",
                Fate::NotAvailable => "NotAvailable",
                Fate::Reported | Fate::Estimated => unreachable!(),
            }
            .to_owned(),
        });
        CanonicalFigure {
            markers: self.markers.clone(),
            sample: self.sample,
            expected: self.slots.len(),
            reported,
            late: count(&[Fate::Late]),
            not_available: count(&[Fate::NotAvailable]),
            imputed: count(&[Fate::Estimated]),
            complete: reported == self.slots.len() && self.as_at.is_none() && !self.uncombined && has_something,
            missing: missing.collect(),
            as_at: self.as_at.map(|period| period.to_string()),
            ..CanonicalFigure::default()
        }
    }
}

impl Fate {
    fn is_reported(self) -> bool {
        matches!(self, Self::Reported | Self::Estimated)
    }
}

pub(crate) fn whole(number: i64) -> Number {
    Number::from_integer(number.into())
}

fn fraction(decimal: Decimal) -> Number {
    whole(decimal.mantissa()) / whole(10_i64.pow(decimal.scale().into()))
}

/// What adds up of a submitted figure.
pub(crate) fn number_and_weight(measure: Measure) -> (Number, Number) {
    match measure {
        Measure::Number(number) => (fraction(number), whole(0)),
        Measure::Ratio { numerator, denominator } => (fraction(numerator), fraction(denominator)),
        Measure::Percentage { percent, base } => (fraction(percent) * fraction(base) / whole(100), fraction(base)),
        Measure::Mean { mean, count } => (fraction(mean) * fraction(count), fraction(count)),
    }
}

/// One indicator under one breakdown, of some agencies or all.
pub(crate) struct Series<'a> {
    pub(crate) sight: &'a Sight,
    pub(crate) indicator: &'a IndicatorId,
    pub(crate) kind: Kind,
    breakdown: &'a Breakdown,
    pub(crate) agencies: BTreeSet<AgencyId>,
    /// What was found before. Without it a case takes minutes.
    found: RefCell<BTreeMap<(AgencyId, AreaCode, Period), Option<Accumulator>>>,
}

impl<'a> Series<'a> {
    pub(crate) fn new(
        sight: &'a Sight,
        indicator: &'a IndicatorId,
        breakdown: &'a Breakdown,
        agencies: Option<&[AgencyId]>,
    ) -> Self {
        let kind = sight.versions_of(indicator).next().unwrap().kind;
        let agencies = agencies.map_or_else(|| sight.agency_ids(), |some| some.iter().cloned().collect());
        Self { sight, indicator, kind, breakdown, agencies, found: RefCell::default() }
    }

    pub(crate) fn version(&self, period: Period) -> &'a IndicatorVersion {
        self.sight.version(self.indicator, period)
    }

    /// An agency's figure for an area and a period; none when nothing is known of it.
    pub(crate) fn figure(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Accumulator> {
        let key = (agency.clone(), area.clone(), period);
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let found = self.work_out(agency, area, period);
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    fn work_out(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Accumulator> {
        // 1. "A figure submitted for the area and the period themselves is it. (For a stock, one submitted
        //    for another period that ends on the same day is as good: the day itself first, then the shortest.
        //    Weeks share only with days.)"
        let mut submitted: Vec<&Standing> = self.submitted(agency, area, period).collect();
        if self.kind == Kind::Stock {
            let is = |period: Period, frequency| period.frequency() == frequency;
            let mut others: Vec<&Standing> = self
                .standing(agency)
                .filter(|it| it.area == *area && it.period.end() == period.end() && !is_same_period(it.period, period))
                .filter(|it| {
                    let weeks = [it.period, period].into_iter().filter(|one| is(*one, Frequency::Week)).count();
                    weeks != 1 || is(it.period, Frequency::Day) || is(period, Frequency::Day)
                })
                .collect();
            others.sort_by_key(|it| std::cmp::Reverse(it.period.start()));
            submitted.extend(others);
        }
        if let Some(direct) = submitted.iter().find(|standing| standing.value.measure.is_some()) {
            return Some(self.submitted_whole(direct, period));
        }
        // 2. "Otherwise there may be two ways to build it […] The way that misses fewer of its reports, as a
        //    share, is taken. Of two that miss as many, for a stock the one over areas is; for other kinds the
        //    one that rests on fewer submitted figures […]; and when these are as many too, the one over time."
        //    A way that ends without a figure doesn't build one.
        let over_time = self.over_time(agency, area, period);
        let over_areas = self.over_areas(agency, area, period);
        let (valued, empty): (Vec<Accumulator>, Vec<Accumulator>) =
            over_time.into_iter().chain(over_areas).partition(|way| way.value.is_some());
        // The ways are in the order over time, over areas.
        let is_better = |areas: &Accumulator, time: &Accumulator| match areas.share().cmp(&time.share()) {
            std::cmp::Ordering::Equal => self.kind == Kind::Stock || areas.submitted < time.submitted,
            unequal @ (std::cmp::Ordering::Less | std::cmp::Ordering::Greater) => unequal.is_gt(),
        };
        let better = |ways: Vec<Accumulator>| {
            ways.into_iter().reduce(|first, second| if is_better(&second, &first) { second } else { first })
        };
        // 3. "Otherwise a marker submitted in place of a figure says why there is none."
        let marked = submitted.first().map(|standing| self.submitted_whole(standing, period));
        let uncombined = || {
            let has_parts = next_finer(period).into_iter().any(|part| self.figure(agency, area, part).is_some());
            (self.kind == Kind::Distinct && has_parts)
                .then(|| Accumulator { uncombined: true, ..Accumulator::default() })
        };
        better(valued).or(marked).or_else(|| better(empty)).or_else(uncombined)
    }

    fn submitted<'s>(
        &'s self,
        agency: &'s AgencyId,
        area: &'s AreaCode,
        period: Period,
    ) -> impl Iterator<Item = &'s Standing> {
        self.standing(agency).filter(move |it| it.area == *area && is_same_period(it.period, period))
    }

    fn standing<'s>(&'s self, agency: &'s AgencyId) -> impl Iterator<Item = &'s Standing> {
        let figures = self.sight.figures.iter();
        figures.filter(move |it| {
            it.indicator == *self.indicator && it.breakdown == *self.breakdown && it.agency == *agency
        })
    }

    /// "A figure submitted whole fills all slots of its area and period."
    fn submitted_whole(&self, standing: &Standing, period: Period) -> Accumulator {
        let value = standing.value.measure.map(number_and_weight);
        let sent: Markers = standing.value.markers.iter().collect();
        let fate = if value.is_some() || sent.contains(&Marker::NotApplicable) {
            if sent.contains(&Marker::Estimated) { Fate::Estimated } else { Fate::Reported }
        } else {
            Fate::NotAvailable
        };
        let mut slots = self.unfilled_of_reporter(&standing.agency, &standing.area, period);
        slots.iter_mut().for_each(|slot| slot.fate = fate);
        Accumulator {
            measures: standing.value.measure.into_iter().collect(),
            value,
            markers: sent,
            sample: standing.sample,
            submitted: 1,
            slots,
            ..Accumulator::default()
        }
    }

    fn over_time(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Accumulator> {
        let parts = next_finer(period);
        // Distinct people are never combined over time.
        if self.kind == Kind::Distinct || parts.is_empty() { None } else { self.joined(agency, area, &parts) }
    }

    /// Consecutive periods together.
    pub(crate) fn joined(&self, agency: &AgencyId, area: &AreaCode, periods: &[Period]) -> Option<Accumulator> {
        if let [one] = periods {
            return self.figure(agency, area, *one);
        }
        let figures: Vec<Option<Accumulator>> =
            periods.iter().map(|period| self.figure(agency, area, *period)).collect();
        if figures.iter().all(Option::is_none) {
            return None;
        }
        if self.kind == Kind::Stock {
            return Some(self.last(agency, area, periods, &figures));
        }
        let unfilled = |period: &Period| Accumulator::of_slots(self.unfilled_of_reporter(agency, area, *period));
        Some(Accumulator::sum(
            figures.into_iter().zip(periods).map(|(it, period)| it.unwrap_or_else(|| unfilled(period))),
        ))
    }

    /// "The last in the period; never added."
    fn last(
        &self,
        agency: &AgencyId,
        area: &AreaCode,
        periods: &[Period],
        figures: &[Option<Accumulator>],
    ) -> Accumulator {
        let (close, closing) = (periods[periods.len() - 1], figures[figures.len() - 1].as_ref());
        let known = || periods.iter().zip(figures).rev().filter_map(|(period, it)| Some((*period, it.as_ref()?)));
        let (period, figure) = known().find(|(_, it)| it.value.is_some()).or_else(|| known().next()).unwrap();
        if period == close {
            return figure.clone();
        }
        let slots = closing.map_or_else(|| self.unfilled_of_reporter(agency, area, close), |it| it.slots.clone());
        let as_at = figure.value.is_some().then(|| figure.as_at.unwrap_or(period));
        Accumulator { slots, as_at, ..figure.clone() }
    }

    fn over_areas(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Option<Accumulator> {
        let children = self.sight.children(area, period.end());
        let figures: Vec<Option<Accumulator>> =
            children.iter().map(|child| self.figure(agency, child, period)).collect();
        if figures.iter().all(Option::is_none) {
            return None;
        }
        let unfilled = |child: &AreaCode| Accumulator::of_slots(self.unfilled(agency, child, period));
        Some(Accumulator::sum(
            figures.into_iter().zip(children).map(|(it, child)| it.unwrap_or_else(|| unfilled(child))),
        ))
    }

    /// The slots of an agency that has reported elsewhere, unfilled: what is expected of it; and below the
    /// reporting level the area itself, because a sum needs all that it is made of.
    fn unfilled(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Slot> {
        let is_below = |part: Period| self.sight.area(area).level > self.version(part).reporting_level;
        let parts = self.rests_on(period).into_iter();
        parts
            .flat_map(|part| {
                if is_below(part) { vec![self.slot(agency, area, part)] } else { self.expected_of(agency, area, part) }
            })
            .collect()
    }

    /// Those of one that has reported for this very area: at least the area itself.
    fn unfilled_of_reporter(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Slot> {
        let unfilled = self.unfilled(agency, area, period);
        let itself = || self.rests_on(period).into_iter().map(|part| self.slot(agency, area, part)).collect();
        if unfilled.is_empty() { itself() } else { unfilled }
    }

    /// What an agency is expected to report for an area and a period, whether or not it has.
    pub(crate) fn expected(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Slot> {
        self.rests_on(period).into_iter().flat_map(|part| self.expected_of(agency, area, part)).collect()
    }

    /// "One expected agency, for one of its areas at the indicator's reporting level, for one period at the
    /// indicator's frequency." Nothing is expected below that level.
    fn expected_of(&self, agency: &AgencyId, area: &AreaCode, part: Period) -> Vec<Slot> {
        let version = self.version(part);
        let holds = |day: Date, from: Option<Date>, to: Option<Date>| {
            from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
        };
        let is_expected = version.expected_agencies.iter().any(|it| {
            let (from, to) = (it.validity.valid_from, it.validity.valid_to);
            it.agency == *agency && holds(part.start(), from, to) && holds(part.end(), from, to)
        });
        if !is_expected {
            return vec![];
        }
        let reports_for = &self.sight.agencies.iter().find(|it| it.id == *agency).unwrap().areas;
        let areas = self.sight.areas_of_level(area, version.reporting_level, part.end());
        areas.into_iter().filter(|it| reports_for.contains(it)).map(|it| self.slot(agency, it, part)).collect()
    }

    /// An empty slot: late once its due day has passed.
    fn slot(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Slot {
        let due = period.end().plus_days(self.version(period).due_days.into());
        let fate = if self.sight.today > due { Fate::Late } else { Fate::NotDue };
        Slot { agency: agency.clone(), area: area.clone(), period, fate }
    }

    /// The periods at the indicator's frequency that a figure rests on: for a stock the one that closes the
    /// period; for distinct people none but itself.
    fn rests_on(&self, period: Period) -> Vec<Period> {
        let all = cut(period, self.version(period).frequency);
        match self.kind {
            Kind::Events | Kind::Amount | Kind::Ratio | Kind::Mean => all,
            Kind::Stock => all.last().copied().into_iter().collect(),
            Kind::Distinct => all.into_iter().filter(|part| *part == period).collect(),
        }
    }

    /// The value of what was added up, which is where a percentage or a mean is worked out.
    pub(crate) fn value(&self, sum: &Accumulator) -> Option<Result<Number, &'static str>> {
        let (number, weight) = sum.value.clone()?;
        let over = |number: Number| if weight == whole(0) { Err("ZeroBase") } else { Ok(number / weight) };
        Some(match self.kind {
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => Ok(number),
            Kind::Ratio => over(number * whole(100)),
            Kind::Mean => over(number),
        })
    }

    /// Whether the figures of some agencies are broken between two periods: by the definition, or by the marker of
    /// one of them on whatever it sent within the areas for a period that ends after the earlier one and by the
    /// later one. What adds must lie between the two altogether.
    pub(crate) fn is_broken(&self, agencies: &[&AgencyId], areas: &[AreaCode], earlier: Period, later: Period) -> bool {
        let is_between = |period: Period| {
            earlier.end() < period.end()
                && period.end() <= later.end()
                && (self.kind == Kind::Stock || earlier.end() < period.start())
        };
        let is_inside = |it: &Standing| areas.iter().any(|area| self.sight.is_within(&it.area, area, it.period.end()));
        let marks = |it: &Standing| it.value.markers.contains(Marker::Break) && is_between(it.period) && is_inside(it);
        self.sight.definition_breaks(self.indicator, earlier, later)
            || agencies.iter().any(|agency| self.standing(agency).any(marks))
    }

    pub(crate) fn across(&self, period: Period) -> (AcrossAgencies, Option<&'a AgencyId>) {
        let version = self.version(period);
        (version.across_agencies, version.lead_agency.as_ref())
    }
}

//! The figure of each agency for an area and a period, from what was submitted for it, or for its
//! subperiods and the areas within it.
//!
//! What was submitted for the area and the period themselves is it. Otherwise there may be two ways to build
//! it, over time and over areas; [`super::derivation`] has the choice in code, and docs/statistics.md, section
//! 5, in words.
//!
//! Which way it is depends on nothing but these rules ([`super::derivation`] has them in code), so that an
//! explanation follows the figure. Agencies are combined last, and a figure is finished once, when it is
//! answered: [`super::aggregate`], [`super::figure`].
//!
//! Beside each figure stand its slots ([`super::expected`]; section 6).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::accumulator::{Accumulator, ByAgency, Missing, MissingReason};
use super::combine::{Components, OverTime, over_time};
use super::derivation::{Candidates, Derivation, last_known};
use super::expected::Expected;
use super::scan::Scan;
use super::submitted::Submitted;
use super::sums;
use crate::catalogue::items::{AcrossAgencies, Indicator, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::state::columns::{BreakdownIx, Row};
use crate::state::view::View;

/// The figures of one indicator under one breakdown, for any area and period.
pub(super) struct Series<'a> {
    view: View<'a>,
    /// The indicator.
    pub(super) ix: IndicatorIx,
    /// Its definition.
    pub(super) indicator: &'a Indicator,
    /// What was submitted of it.
    pub(super) submitted: Rc<Submitted<'a>>,
    known: HashMap<(AreaIx, Period), Resolved, Hashing>,
    /// How each agency's figure comes about, where that was asked for.
    derivations: HashMap<(AreaIx, Period), Vec<(AgencyIx, Derivation)>, Hashing>,
    expected: Expected<'a>,
}

/// The figures of an area and a period.
#[derive(Clone)]
struct Resolved {
    figures: Rc<ByAgency>,
    /// Whether they are plain sums: every figure within the area and the period is of the reporting
    /// level and of the indicator's frequency, so that there was nothing to choose.
    is_plain: bool,
}

impl<'a> Series<'a> {
    /// The figures of an indicator under a breakdown, of some agencies or all.
    pub(super) fn new(
        view: View<'a>,
        ix: IndicatorIx,
        breakdown: Option<BreakdownIx>,
        agencies: Option<HashSet<AgencyIx>>,
    ) -> Self {
        let indicator = view.catalogue.indicator_at(ix);
        let submitted = Rc::new(Submitted::new(view, ix, breakdown, agencies));
        let expected = Expected::new(view, indicator, Rc::clone(&submitted));
        let (known, derivations) = (HashMap::default(), HashMap::default());
        Self { view, ix, indicator, submitted, known, derivations, expected }
    }

    /// What the series is looked at through.
    pub(super) fn view(&self) -> View<'a> {
        self.view
    }

    /// Who is expected to report it.
    pub(super) fn expected(&self) -> &Expected<'a> {
        &self.expected
    }

    /// The version of the definition in force for a period.
    pub(super) fn version(&self, period: Period) -> &'a IndicatorVersion {
        self.indicator.version_for(period)
    }

    /// The lead agency, where its figure stands for all.
    pub(super) fn lead(&self, version: &IndicatorVersion) -> Option<AgencyIx> {
        let lead = version.lead_agency.as_ref().filter(|_| version.across_agencies == AcrossAgencies::Lead)?;
        self.view.catalogue.agency(lead).map(|(agency, _)| agency)
    }

    /// Whether an agency's figure goes into the combined one.
    pub(super) fn goes_into_combined(&self, version: &IndicatorVersion, agency: AgencyIx) -> bool {
        match version.across_agencies {
            AcrossAgencies::Add => true,
            AcrossAgencies::Lead => self.lead(version) == Some(agency),
            AcrossAgencies::SideBySide => false,
        }
    }

    /// The figure of every agency that has submitted one, or a marker in its place, for the area and
    /// the period, for subperiods, or for areas within it.
    pub(super) fn figures(&mut self, area: AreaIx, period: Period) -> Rc<ByAgency> {
        self.resolved(area, period).figures
    }

    fn resolved(&mut self, area: AreaIx, period: Period) -> Resolved {
        if let Some(known) = self.known.get(&(area, period)) {
            return known.clone();
        }
        // What is built of figures that weren't looked up is no answer, and isn't used as one.
        if self.view.spend(1).is_err() {
            return Resolved { figures: Rc::default(), is_plain: true };
        }
        let plain = self.scan(area, period).or_else(|| self.sum_of_plain_subperiods(area, period));
        let is_plain = plain.is_some();
        let figures = Rc::new(plain.unwrap_or_else(|| self.resolve(area, period)));
        let resolved = Resolved { figures, is_plain };
        self.known.insert((area, period), resolved.clone());
        resolved
    }

    /// The slots of the agencies that are expected to report for the area and the periods, and are
    /// not among those found. Below the reporting level nobody is expected.
    pub(super) fn non_reporters(&self, area: AreaIx, periods: &[Period], found: &ByAgency) -> ByAgency {
        let mut non_reporters = ByAgency::default();
        // Who is expected is for the definition of each period at the indicator's frequency to say: it may
        // have changed within a longer one.
        for period in self.expected.together(periods) {
            for period in &*self.expected.periods(*period) {
                let agencies = self.expected.agencies_within(period, area);
                if self.view.spend(agencies.len()).is_err() {
                    return non_reporters;
                }
                for agency in agencies.iter().copied().filter(|agency| self.submitted.asks_for(*agency)) {
                    if !found.contains(agency) {
                        let mut unfilled = Accumulator::default();
                        self.expected.add_expected(&mut unfilled, period, agency, area);
                        if unfilled.coverage.expected > 0 {
                            non_reporters.entry(agency).add_slots(&unfilled);
                        }
                    }
                }
            }
        }
        non_reporters
    }

    /// The sums of the figures of some areas for consecutive periods.
    pub(super) fn over_these(&self, by_area: &[(AreaIx, Rc<ByAgency>)], periods: &[Period]) -> ByAgency {
        sums::over_areas(self.view, (&self.submitted, &self.expected), by_area, periods)
    }

    /// What became of a slot: of an agency that is expected to report for this very area and period.
    pub(super) fn slot(&mut self, agency: AgencyIx, area: AreaIx, period: Period) -> Accumulator {
        let figures = self.figures(area, period);
        figures.get(agency).cloned().unwrap_or_else(|| {
            let mut unfilled = Accumulator::default();
            self.expected.add_reporter(&mut unfilled, agency, area, period);
            unfilled
        })
    }

    /// Of the slots of an agency that nothing is known of, those that lie within a larger figure of it.
    pub(super) fn contained(&self, agency: AgencyIx, areas: &[AreaIx], periods: &[Period]) -> Accumulator {
        let mut slots = Accumulator::default();
        for area in areas.iter().take_while(|_| self.view.spend(1).is_ok()) {
            for period in self.expected.together(periods) {
                self.expected.add_contained(&mut slots, agency, *area, *period);
            }
        }
        slots
    }

    fn resolve(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let mut candidates = self.candidates(area, period);
        let mut found = ByAgency::of_all(candidates.agencies());
        found.iter_mut().for_each(|(agency, figure)| *figure = candidates.take(agency));
        if over_time(self.indicator.kind()) == OverTime::Never {
            for agency in self.uncombined(area, period) {
                found.or_insert_with(agency, || {
                    let mut uncombined = Accumulator { uncombined: true, ..Accumulator::default() };
                    self.expected.add_reporter(&mut uncombined, agency, area, period);
                    uncombined
                });
            }
        }
        found
    }

    fn candidates(&mut self, area: AreaIx, period: Period) -> Candidates {
        let mut submitted = ByAgency::default();
        for (name, row) in self.submitted.best(area, period) {
            *submitted.entry(row.key.agency()) = self.whole(name, &row, area, period);
        }
        Candidates {
            rule: over_time(self.indicator.kind()),
            is_time_first: over_time(self.indicator.kind()) == OverTime::Add
                && self.view.hierarchy_changes_within(period),
            submitted,
            over_time: self.over_time(area, period),
            over_areas: self.over_areas(area, period),
        }
    }

    /// How an agency's figure for an area and a period comes about.
    pub(super) fn derivation(&mut self, agency: AgencyIx, area: AreaIx, period: Period) -> Derivation {
        if !self.derivations.contains_key(&(area, period)) && self.view.spend(1).is_ok() {
            let candidates = self.candidates(area, period);
            let agencies: BTreeSet<AgencyIx> = candidates.agencies().collect();
            let derivations = agencies.into_iter().map(|agency| (agency, candidates.derivation(agency))).collect();
            self.derivations.insert((area, period), derivations);
        }
        let derivations = self.derivations.get(&(area, period)).map(Vec::as_slice).unwrap_or_default();
        let known = derivations.binary_search_by_key(&agency, |(agency, _)| *agency);
        known.map_or(Derivation::Nothing, |at| derivations[at].1)
    }

    /// The figures by one pass over the slab, where there is nothing to choose.
    fn scan(&self, area: AreaIx, period: Period) -> Option<ByAgency> {
        let expected = self.expected.periods(period);
        let [expected] = &*expected else { return None };
        let hierarchy = expected.hierarchy;
        let level = hierarchy.level(area);
        let has_below = || hierarchy.children(area).any(|child| self.submitted.covers(child));
        let only_way = self.view.has_own_hierarchy(period)
            && expected.period.storage_key() == period.storage_key()
            && (level < expected.version.reporting_level
                || (level == expected.version.reporting_level && !has_below()))
            && !period.subperiods().iter().any(|subperiod| self.submitted.has_figures_within(*subperiod))
            && self.submitted.names(period).len() == 1;
        if !only_way {
            return None;
        }
        let Some((slab, breakdown)) = self.submitted.slab(period).zip(self.submitted.breakdown()) else {
            return Some(ByAgency::default());
        };
        let scan = Scan { slab, breakdown, as_of: self.view.as_of, area, name: period, period: expected };
        if self.view.spend(scan.steps()).is_err() {
            return Some(ByAgency::default());
        }
        scan.by_agency(&self.submitted, &self.expected)
    }

    /// The figures built over time, where the figures of every subperiod are plain sums, by the same
    /// definition and hierarchy as the period's, and none was submitted for the period itself.
    ///
    /// Nor may an area begin or end within the period: over areas it has fewer slots then than over time.
    ///
    /// The way over areas needs no trying: it adds the same submitted figures, and can't miss a smaller
    /// share of its reports. Take one agency and one subperiod. Over areas its slots are one for each area
    /// that it has a figure for in *any* subperiod, and one for each that it is expected to report. Over
    /// time they are one for each area that it has a figure for in *this* subperiod, and the latter, or a
    /// single one when these are none at all. The reported are as many both ways; so over time no more are
    /// missing. Of equals, the way over time is taken.
    fn sum_of_plain_subperiods(&mut self, area: AreaIx, period: Period) -> Option<ByAgency> {
        let (version, hierarchy) = (self.version(period), self.view.hierarchy(period));
        let subperiods = period.subperiods();
        let is_alike = |subperiod: &Period| {
            std::ptr::eq(self.version(*subperiod), version) && std::ptr::eq(self.view.hierarchy(*subperiod), hierarchy)
        };
        let exist = |subperiod: &Period| self.view.catalogue.all_exist_on(hierarchy.within(area), subperiod.end());
        let may_be_plain = over_time(self.indicator.kind()) == OverTime::Add
            && self.submitted.covers(area)
            && !subperiods.is_empty()
            && subperiods.iter().all(is_alike)
            && subperiods.iter().all(exist)
            && self.submitted.slab(period).is_none();
        let is_plain = may_be_plain && subperiods.iter().all(|subperiod| self.resolved(area, *subperiod).is_plain);
        is_plain.then(|| self.over_time(area, period))
    }

    /// The agencies that have figures for subperiods, of a kind that doesn't combine.
    fn uncombined(&mut self, area: AreaIx, period: Period) -> BTreeSet<AgencyIx> {
        let mut agencies = BTreeSet::new();
        if self.submitted.covers(area) {
            for subperiod in period.subperiods() {
                if self.submitted.has_figures_within(subperiod) {
                    agencies.extend(self.figures(area, subperiod).agencies());
                }
            }
        }
        agencies
    }

    /// A submitted row as a figure that fills all slots of its area and period, but for those that weren't over
    /// when it was accepted.
    fn whole(&self, name: Period, row: &Row, area: AreaIx, period: Period) -> Accumulator {
        let agency = row.key.agency();
        let measure = row.measure();
        let components = measure.and_then(Components::of);
        let (fills, imputed) = (row.fills_slot(), usize::from(row.is_imputed()));
        let to_date = self.submitted.to_date(name, row);
        let mut figure = Accumulator {
            components,
            too_large: measure.is_some() && components.is_none(),
            markers: row.markers(),
            sample: row.is_sample(),
            is_own: true,
            submitted: 1,
            to_date,
            ..Accumulator::default()
        };
        if measure.is_some() && self.submitted.may_overlap(period) {
            figure.added.push((area, name));
        }
        self.expected.of_reporter(agency, area, period, |slot, area| {
            if !fills {
                let reason = MissingReason::NotAvailable;
                figure.add_missing(Missing { agency, area, period: slot.period, reason });
            } else if to_date.is_none_or(|last| slot.period.end() <= last) {
                figure.coverage.expected += 1;
                figure.coverage.reported += 1;
                figure.coverage.imputed += imputed;
            } else {
                self.expected.add_slot(&mut figure, slot, agency, area);
            }
        });
        figure
    }

    /// The areas directly below that are of a period, or have an area within them that is.
    pub(super) fn parts(&self, area: AreaIx, period: Period) -> Vec<AreaIx> {
        let (hierarchy, day) = (self.view.hierarchy(period), period.end());
        let is_of_period = |child: &AreaIx| self.view.catalogue.any_exists_on(hierarchy.within(*child), day);
        hierarchy.children(area).filter(is_of_period).collect()
    }

    /// The figures built from the areas directly below, for the same period.
    pub(super) fn over_areas(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let children = self.parts(area, period);
        if !children.iter().any(|child| self.submitted.covers(*child)) {
            return ByAgency::default();
        }
        let found: Vec<(AreaIx, Rc<ByAgency>)> = children
            .into_iter()
            .map(|child| {
                let figures = if self.submitted.covers(child) { self.figures(child, period) } else { Rc::default() };
                (child, figures)
            })
            .collect();
        self.over_these(&found, &[period])
    }

    /// The figures built from the period's subperiods, for the same area.
    pub(super) fn over_time(&mut self, area: AreaIx, period: Period) -> ByAgency {
        if over_time(self.indicator.kind()) == OverTime::Never || !self.submitted.covers(area) {
            return ByAgency::default();
        }
        let subperiods = period.subperiods();
        if !subperiods.iter().any(|subperiod| self.submitted.has_figures_within(*subperiod)) {
            return ByAgency::default();
        }
        self.several(area, &subperiods)
    }

    /// The figures of an area for consecutive periods together, by the kind's rule over time. A
    /// single period is itself, for every kind.
    pub(super) fn joined(&mut self, area: AreaIx, periods: &[Period]) -> Rc<ByAgency> {
        match periods {
            [one] => self.figures(area, *one),
            several => Rc::new(self.several(area, several)),
        }
    }

    fn several(&mut self, area: AreaIx, periods: &[Period]) -> ByAgency {
        let found: Vec<(Period, Rc<ByAgency>)> = periods
            .iter()
            .map(|period| {
                let figures = if self.submitted.has_figures_within(*period) {
                    self.figures(area, *period)
                } else {
                    Rc::default()
                };
                (*period, figures)
            })
            .collect();
        let mut joined = ByAgency::of_all(found.iter().flat_map(|(_, figures)| figures.agencies()));
        if self.view.spend(found.len().saturating_mul(joined.len())).is_err() {
            return joined;
        }
        match over_time(self.indicator.kind()) {
            OverTime::Add => {
                for (period, figures) in &found {
                    let mut figures = figures.iter().peekable();
                    for (agency, sum) in joined.iter_mut() {
                        match figures.next_if(|(known, _)| *known == agency) {
                            Some((_, figure)) => sum.add(figure),
                            None => self.expected.add_reporter(sum, agency, area, *period),
                        }
                    }
                }
            }
            OverTime::Last => joined.iter_mut().for_each(|(agency, last)| *last = self.last(agency, area, &found)),
            OverTime::Never => joined.iter_mut().for_each(|(_, figure)| figure.uncombined = true),
        }
        joined
    }

    /// The subperiod whose stock is an agency's for the period, as [`Self::last`] takes it.
    pub(super) fn last_subperiod(&mut self, agency: AgencyIx, area: AreaIx, period: Period) -> Option<Period> {
        let subperiods = period.subperiods().into_iter();
        let found: Vec<_> = subperiods.map(|subperiod| (subperiod, self.figures(area, subperiod))).collect();
        let known = found.iter().filter_map(|(subperiod, figures)| Some((*subperiod, figures.get(agency)?)));
        last_known(known).map(|(subperiod, _)| subperiod)
    }

    /// The stock at the end of the last of some periods that has one. When that isn't the last of them,
    /// the slots of the close are as they are: still unfilled, or said to be not available.
    fn last(&self, agency: AgencyIx, area: AreaIx, found: &[(Period, Rc<ByAgency>)]) -> Accumulator {
        let known = || found.iter().filter_map(|(period, figures)| Some((*period, figures.get(agency)?)));
        let (Some((close, closing)), Some((period, figure))) = (found.last(), last_known(known())) else {
            return Accumulator::default();
        };
        if period.end() == close.end() {
            return figure.clone();
        }
        let mut stale = Accumulator {
            components: figure.components,
            too_large: figure.too_large,
            overlaps: figure.overlaps,
            markers: figure.markers,
            sample: figure.sample,
            is_own: figure.is_own,
            submitted: figure.submitted,
            to_date: figure.to_date,
            added: figure.added.clone(),
            // A marker isn't a stock, whenever it is of.
            as_at: figure.has_figure().then(|| figure.as_at.unwrap_or(period)),
            ..Accumulator::default()
        };
        match closing.get(agency) {
            Some(marked) => stale.add_slots(marked),
            None => self.expected.add_reporter(&mut stale, agency, area, *close),
        }
        stale
    }
}

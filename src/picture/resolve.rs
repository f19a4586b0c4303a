//! The figure of each agency for an area and a period, from what was submitted for it, or for its
//! subperiods and the areas within it.
//!
//! What was submitted for the area and the period themselves is it. Otherwise there may be two ways to build
//! it, over time and over areas ([`super::build`]). Which way it is depends on nothing but the rules of
//! docs/statistics.md, section 5, which [`super::derivation`] has in code, so that an explanation follows the figure.
//! Where only one way can be, a pass over the slab finds the figures ([`super::sums`]).
//!
//! Agencies are combined last, and a figure is finished once, when it is
//! answered: [`super::aggregate`], [`super::figure`].
//!
//! Beside each figure stand its slots ([`super::expected`]; section 6).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::accumulator::{Accumulator, ByAgency};
use super::combine::OverTime;
use super::derivation::Derivation;
use super::expected::{Expected, ExpectedPeriod};
use super::over_areas;
use super::submitted::Submitted;
use super::sums::Sums;
use crate::catalogue::items::{AcrossAgencies, Indicator, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;
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
        let plain = self.sums(&[area], &[period]).pop().flatten();
        // What is built of figures that weren't looked up is no answer, and isn't used as one.
        if plain.is_none() && self.view.spend(1).is_err() {
            return Resolved { figures: Rc::default(), is_plain: true };
        }
        let plain = plain.or_else(|| self.sum_of_plain_subperiods(area, period));
        let is_plain = plain.is_some();
        let figures = Rc::new(plain.unwrap_or_else(|| self.resolve(area, period)));
        let resolved = Resolved { figures, is_plain };
        self.known.insert((area, period), resolved.clone());
        resolved
    }

    /// The periods at the indicator's frequency in some periods that anybody is expected to report.
    pub(super) fn expected_within(&self, periods: &[Period]) -> Vec<Rc<[ExpectedPeriod<'a>]>> {
        // Who is expected is for the definition of each period at the indicator's frequency to say: it may
        // have changed within a longer one.
        let expected = self.expected.together(periods).iter().map(|period| self.expected.periods(*period));
        expected.filter(|periods| periods.iter().any(|period| !period.agencies.is_empty())).collect()
    }

    /// The slots of the agencies that are [expected](Self::expected_within) to report for the area, and are
    /// not among those found. Below the reporting level nobody is expected.
    pub(super) fn non_reporters(
        &self,
        area: AreaIx,
        expected: &[Rc<[ExpectedPeriod<'a>]>],
        found: &ByAgency,
    ) -> ByAgency {
        let mut non_reporters = ByAgency::default();
        for periods in expected {
            for period in &**periods {
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
        over_areas::sums(self.view, (&self.submitted, &self.expected), by_area, periods)
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
        if self.submitted.rule() == OverTime::Never {
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

    /// The figures of each of some areas for consecutive periods together by one pass over the slabs, where there is
    /// nothing to choose.
    pub(super) fn sums(&self, areas: &[AreaIx], periods: &[Period]) -> Vec<Option<ByAgency>> {
        let (submitted, expected) = (&*self.submitted, &self.expected);
        Sums { view: self.view, submitted, expected, areas, periods }.by_area()
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
        let may_be_plain = self.submitted.rule() == OverTime::Add
            && self.submitted.covers(area)
            && !subperiods.is_empty()
            && subperiods.iter().all(is_alike)
            && subperiods.iter().all(exist)
            && self.submitted.slab(period).is_none();
        if !may_be_plain {
            return None;
        }
        self.sums(&[area], &subperiods).pop().flatten().or_else(|| {
            let is_plain = subperiods.iter().all(|subperiod| self.resolved(area, *subperiod).is_plain);
            is_plain.then(|| self.over_time(area, period))
        })
    }
}

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
use super::pass::Asked;
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
    known: HashMap<(AreaIx, Period), Rc<ByAgency>, Hashing>,
    /// How each agency's figure comes about, where that was asked for.
    derivations: HashMap<(AreaIx, Period), Vec<(AgencyIx, Derivation)>, Hashing>,
    expected: Rc<Expected<'a>>,
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
        let expected = Rc::new(Expected::new(view, indicator, Rc::clone(&submitted)));
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
        if let Some(known) = self.known.get(&(area, period)) {
            return Rc::clone(known);
        }
        let figures = self.passed(&[area], &[period]).pop().unwrap_or_default();
        self.known.insert((area, period), Rc::clone(&figures));
        figures
    }

    /// Looks up the figures of some areas for a period, and, unless they are known, those of others that will be asked
    /// about: by one pass.
    pub(super) fn look_up(&mut self, areas: &[AreaIx], others: &[AreaIx], period: Period) {
        let is_unknown = |area: &&AreaIx| !self.known.contains_key(&(**area, period));
        if areas.iter().any(|area| is_unknown(&area)) {
            let mut unknown: Vec<AreaIx> = areas.iter().chain(others).filter(is_unknown).copied().collect();
            unknown.sort_unstable();
            unknown.dedup();
            let figures = self.passed(&unknown, &[period]);
            self.known.extend(unknown.into_iter().map(|area| (area, period)).zip(figures));
        }
    }

    /// The figures of each of some areas for consecutive periods together, by the kind's rule over time; of fewer once
    /// the answer is stopped. A single period is itself, for every kind.
    pub(super) fn joined(&mut self, areas: &[AreaIx], periods: &[Period]) -> Vec<Rc<ByAgency>> {
        match (areas, periods) {
            ([area], [period]) => vec![self.figures(*area, *period)],
            _ => self.passed(areas, periods),
        }
    }

    fn passed(&mut self, areas: &[AreaIx], periods: &[Period]) -> Vec<Rc<ByAgency>> {
        let view = self.view;
        let alive = areas.iter().take_while(|_| view.spend(0).is_ok());
        if periods.len() > 1 && self.submitted.rule() != OverTime::Add {
            return alive.map(|area| Rc::new(self.several(*area, periods))).collect();
        }
        let (submitted, expected) = (Rc::clone(&self.submitted), Rc::clone(&self.expected));
        let mut sums = Sums::new(Asked { view, submitted: &submitted, expected: &expected, areas });
        let mut whole = Vec::new();
        for period in periods {
            for ix in sums.add_period(*period) {
                let area = areas[ix as usize];
                // Of several areas one may lie within another, and be plain all the same.
                let figures = if areas.len() > 1 { self.figures(area, *period) } else { self.by_rules(area, *period) };
                if periods.len() > 1 {
                    sums.add_figures(ix, &figures);
                } else {
                    whole.push((ix, figures));
                }
            }
        }
        let mut sums = sums.finish();
        whole.into_iter().for_each(|(ix, figures)| sums[ix as usize] = Some(figures));
        let joined = alive.zip(sums).map(|(area, sums)| match (sums, periods) {
            (Some(sums), _) => sums,
            (None, [one]) => self.by_rules(*area, *one),
            (None, several) => Rc::new(self.several(*area, several)),
        });
        joined.collect()
    }

    /// The figures for an area and a period of which there may be something to choose.
    fn by_rules(&mut self, area: AreaIx, period: Period) -> Rc<ByAgency> {
        if let Some(known) = self.known.get(&(area, period)) {
            return Rc::clone(known);
        }
        // What is built of figures that weren't looked up is no answer, and isn't used as one.
        if self.view.spend(1).is_err() {
            return Rc::default();
        }
        let figures = Rc::new(self.resolve(area, period));
        self.known.insert((area, period), Rc::clone(&figures));
        figures
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
}

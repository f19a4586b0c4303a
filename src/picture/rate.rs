//! Rates: a figure per so many of a population, and which population that is.
//!
//! A population is a stock, and so of a day. It stands under a rate only when it covers all of the
//! figure's areas on that day, so that numerator and denominator are of the same thing. It is rolled up by
//! the hierarchy of the figure's last period, and it is of the figure's categories.

use std::collections::HashMap;
use std::rc::Rc;

use super::aggregate::{Aggregate, Who};
use super::combine::Gap;
use super::figure::Figure;
use super::question::QueryBreakdown;
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::items::{Indicator, IndicatorVersion, PopulationRule, RateRule};
use crate::catalogue::{AgencyIx, AreaIx, Hierarchy, IndicatorIx};
use crate::model::date::Date;
use crate::model::decimal::Quotient;
use crate::model::period::{Frequency, Period};
use crate::state::columns::BreakdownIx;
use crate::state::view::{AreasAsOf, View};

/// A population's day, as a period, and its figure.
type DayFigure = (Period, Rc<Figure>);

/// The populations under the rates of one indicator.
pub(super) struct Rates<'a> {
    view: View<'a>,
    indicator: &'a Indicator,
    /// The series of each population and breakdown, by each hierarchy.
    populations: Vec<(IndicatorIx, Option<BreakdownIx>, Series<'a>)>,
}

/// The population under a rate.
pub(super) struct Population<'a> {
    rule: &'a RateRule,
    /// The population, or why there is none.
    found: Result<DayFigure, Gap>,
    /// Where none covers the areas: the newest that has a value.
    newest: Option<DayFigure>,
}

impl<'a> Rates<'a> {
    pub(super) fn new(view: View<'a>, ix: IndicatorIx) -> Self {
        Self { view, indicator: view.catalogue.indicator_at(ix), populations: Vec::new() }
    }

    /// The population of some areas under the figure of a run of periods, by its last; none when the
    /// version in force has no rate rule.
    fn population(&mut self, areas: &[AreaIx], last: Period, breakdown: &QueryBreakdown) -> Option<Population<'a>> {
        let rule = self.indicator.version_for(last).rate.as_ref()?;
        let without = |gap| Population { rule, found: Err(gap), newest: None };
        let Some((ix, population)) = self.view.catalogue.indicator(&rule.population_indicator) else {
            return Some(without(Gap::NoPopulation));
        };
        let known = &population.version_for(last).dimensions;
        if !breakdown.dimensions.iter().all(|dimension| known.contains(dimension)) {
            return Some(without(Gap::PopulationNotBrokenDown));
        }
        Some(find(self.series(ix, breakdown.breakdown, last), areas, last, rule))
    }

    fn series(&mut self, ix: IndicatorIx, breakdown: Option<BreakdownIx>, last: Period) -> &mut Series<'a> {
        let mut view = self.view;
        view.areas = AreasAsOf::On(view.hierarchy_day(last));
        let is_it = |(known, of, series): &(IndicatorIx, Option<BreakdownIx>, Series<'_>)| {
            (*known, *of) == (ix, breakdown) && std::ptr::eq(series.view().hierarchy(last), view.hierarchy(last))
        };
        let at = self.populations.iter().position(is_it).unwrap_or_else(|| {
            self.populations.push((ix, breakdown, Series::new(view, ix, breakdown, None)));
            self.populations.len() - 1
        });
        &mut self.populations[at].2
    }
}

/// The populations under the rates of a run of periods, by their areas: many rows have the same.
pub(super) struct Populations<'r, 'a> {
    rates: &'r mut Rates<'a>,
    breakdown: &'r QueryBreakdown,
    /// The last of the run.
    last: Period,
    known: HashMap<Vec<AreaIx>, Option<Rc<Population<'a>>>>,
}

impl<'r, 'a> Populations<'r, 'a> {
    pub(super) fn new(rates: &'r mut Rates<'a>, breakdown: &'r QueryBreakdown, last: Period) -> Self {
        Self { rates, breakdown, last, known: HashMap::new() }
    }

    /// The population of the parts of some areas that some agencies report for; none when the version in force
    /// has no rate rule.
    pub(super) fn of(&mut self, areas: &[AreaIx], agencies: &[AgencyIx]) -> Option<Rc<Population<'a>>> {
        let parts = reported_for(self.rates.view, areas, agencies, self.last);
        if let Some(known) = self.known.get(&parts) {
            return known.clone();
        }
        let population = self.rates.population(&parts, self.last, self.breakdown).map(Rc::new);
        self.known.insert(parts, population.clone());
        population
    }
}

/// The population of the newest day on which it covers the areas.
fn find<'a>(series: &mut Series<'_>, areas: &[AreaIx], last: Period, rule: &'a RateRule) -> Population<'a> {
    let days = days(series, last.end(), rule.rule);
    for day in &days {
        if areas.iter().all(|area| covers(series, *area, *day)) {
            let figure = combined(series, areas, *day);
            if figure.value.is_ok() && figure.complete {
                return Population { rule, found: Ok((*day, figure)), newest: None };
            }
        }
    }
    let newest = days.into_iter().find_map(|day| {
        let figure = combined(series, areas, day);
        figure.value.is_ok().then_some((day, figure))
    });
    Population { rule, found: Err(Gap::NoPopulation), newest }
}

fn combined(series: &mut Series<'_>, areas: &[AreaIx], day: Period) -> Rc<Figure> {
    Rc::new(Aggregate::of(series, areas, &[day]).figure(series, Who::Combined))
}

/// The days that a population may be of, the newest first.
fn days(series: &Series<'_>, end: Date, rule: PopulationRule) -> Vec<Period> {
    let mut days: Vec<Date> = match rule {
        PopulationRule::SamePeriod => vec![end],
        PopulationRule::Latest => {
            let earliest = end.years_before(PopulationRule::YEARS_BACK_MAX);
            let submitted = series.submitted.by_end().iter().map(|(day, _)| *day);
            submitted.filter(|day| earliest <= *day && *day <= end).collect()
        }
    };
    days.dedup();
    days.into_iter().rev().filter_map(|day| Period::of(Frequency::Day, day)).collect()
}

/// Whether a population covers an area on a day: by a figure submitted for it, or by all areas directly
/// below it that there are on that day.
fn covers(series: &Series<'_>, area: AreaIx, day: Period) -> bool {
    if !series.submitted.covers(area) {
        return false;
    }
    let version = series.version(day);
    let is_submitted = series
        .submitted
        .best(area, day)
        .iter()
        .any(|(_, row)| row.measure().is_some() && series.goes_into_combined(version, row.key.agency()));
    if is_submitted {
        return true;
    }
    let (view, hierarchy) = (series.view(), series.view().hierarchy(day));
    let mut below = hierarchy
        .children(area)
        .filter(|child| view.catalogue.any_exists_on(hierarchy.within(*child), day.end()))
        .peekable();
    below.peek().is_some() && below.all(|child| covers(series, child, day))
}

/// Of some areas the parts that some agencies report for in a period: the areas themselves, or else the
/// highest within them. Where that is nothing at all, the areas as they are.
fn reported_for(view: View<'_>, areas: &[AreaIx], agencies: &[AgencyIx], period: Period) -> Vec<AreaIx> {
    let reported = Reported { view, hierarchy: view.hierarchy(period), agencies, period };
    let mut parts = Vec::new();
    areas.iter().for_each(|area| reported.add(*area, &mut parts));
    if parts.is_empty() { areas.to_vec() } else { parts }
}

/// The areas that some agencies report for.
struct Reported<'a> {
    view: View<'a>,
    hierarchy: &'a Hierarchy,
    agencies: &'a [AgencyIx],
    period: Period,
}

impl Reported<'_> {
    fn add(&self, area: AreaIx, parts: &mut Vec<AreaIx>) {
        if self.holds(area) {
            parts.push(area);
        } else {
            self.below(area).for_each(|child| self.add(child, parts));
        }
    }

    fn holds(&self, area: AreaIx) -> bool {
        let is_listed = |agency: &AgencyIx| self.view.catalogue.reports_for(*agency).binary_search(&area).is_ok();
        self.agencies.iter().any(is_listed) || {
            let mut below = self.below(area).peekable();
            below.peek().is_some() && below.all(|child| self.holds(child))
        }
    }

    /// The areas directly below that are of the period, or have one within them that is.
    fn below(&self, area: AreaIx) -> impl Iterator<Item = AreaIx> {
        let (catalogue, day) = (self.view.catalogue, self.period.end());
        let is_of_period = move |child: &AreaIx| catalogue.any_exists_on(self.hierarchy.within(*child), day);
        self.hierarchy.children(area).filter(is_of_period)
    }
}

/// A figure per so many of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The rate, exact and rounded, or why there is none.
    pub value: Result<FigureValue, Gap>,
    /// Per how many.
    pub per: u32,
    /// The population's day and figure; where none covers the areas, the newest that has a value.
    pub population: Option<DayFigure>,
    /// Whether the figure or the population is partial.
    pub partial: bool,
}

impl Rate {
    pub(super) fn of(figure: &Figure, population: &Population<'_>, version: &IndicatorVersion) -> Self {
        let Population { rule, found, newest } = population;
        let value = || {
            let above = figure.value.as_ref().map_err(|gap| *gap)?;
            let (_, population) = found.as_ref().map_err(|gap| *gap)?;
            let below = population.value.as_ref().map_err(|gap| *gap)?;
            if below.exact.is_zero() {
                return Err(Gap::ZeroBase);
            }
            let scaled = above.exact.checked_mul(Quotient::from(i64::from(rule.per))).ok_or(Gap::TooLarge)?;
            let exact = scaled.checked_div(below.exact).ok_or(Gap::TooLarge)?;
            FigureValue::of(exact, rule.decimals, version)
        };
        let population = found.as_ref().ok().or(newest.as_ref()).cloned();
        let is_partial = |(_, population): &DayFigure| found.is_err() || !population.complete;
        let partial = !figure.complete || population.as_ref().is_some_and(is_partial);
        Self { value: value(), per: rule.per, population, partial }
    }
}

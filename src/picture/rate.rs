//! Rates: a figure per so many of a population, and which population that is.
//!
//! A population is a stock, and so of a day. It stands under a rate only when it covers all of the
//! figure's areas on that day, so that numerator and denominator are of the same thing. It is rolled up by
//! the hierarchy of the figure's last period, and it is of the figure's categories.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::aggregate::{Aggregate, Who};
use super::combine::Gap;
use super::figure::Figure;
use super::question::QueryBreakdown;
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::items::{Indicator, IndicatorVersion, PopulationRule, RateRule};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::decimal::Quotient;
use crate::model::observations::Hashing;
use crate::model::period::{Frequency, Period};
use crate::state::columns::BreakdownIx;
use crate::state::view::{AreasAsOf, View};

/// A population's day, as a period, and its figure.
type DayFigure = (Period, Rc<Figure>);

/// The populations under the rates of one indicator.
pub(super) struct Rates<'a> {
    view: View<'a>,
    indicator: &'a Indicator,
    /// The areas whose rates are asked for, each for itself.
    areas: Vec<AreaIx>,
    /// Those of each population and breakdown, by each hierarchy.
    populations: Vec<PopulationSeries<'a>>,
}

/// The figures of a population under one breakdown, by one hierarchy.
struct PopulationSeries<'a> {
    ix: IndicatorIx,
    breakdown: Option<BreakdownIx>,
    series: Series<'a>,
    /// By the areas, the last day that was looked at and what there is by that: the next period's rates need
    /// only the days since.
    known: HashMap<Vec<AreaIx>, (Date, Found), Hashing>,
}

/// What there is of a population on some days.
#[derive(Clone, Default)]
struct Found {
    /// The newest that covers the areas.
    covering: Option<DayFigure>,
    /// The newest that has a value, not older than that.
    valued: Option<DayFigure>,
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
        Self { view, indicator: view.catalogue.indicator_at(ix), areas: Vec::new(), populations: Vec::new() }
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
        let others = std::mem::take(&mut self.areas);
        let population = self.series(ix, breakdown.breakdown, last).find((areas, &others), last.end(), rule);
        self.areas = others;
        Some(population)
    }

    fn series(&mut self, ix: IndicatorIx, breakdown: Option<BreakdownIx>, last: Period) -> &mut PopulationSeries<'a> {
        let mut view = self.view;
        view.areas = AreasAsOf::On(view.hierarchy_day(last));
        let is_it = |known: &PopulationSeries<'_>| {
            (known.ix, known.breakdown) == (ix, breakdown)
                && std::ptr::eq(known.series.view().hierarchy(last), view.hierarchy(last))
        };
        // Mostly it is the last: breakdown after breakdown is answered.
        let at = self.populations.iter().rposition(is_it).unwrap_or_else(|| {
            let series = Series::new(view, ix, breakdown, None);
            self.populations.push(PopulationSeries { ix, breakdown, series, known: HashMap::default() });
            self.populations.len() - 1
        });
        &mut self.populations[at]
    }
}

/// The population under a rate; none when the version in force has no rate rule.
type Underlying<'a> = Option<Rc<Population<'a>>>;

/// The populations under the rates of a run of periods, by their areas: many rows have the same.
pub(super) struct Populations<'r, 'a> {
    rates: &'r mut Rates<'a>,
    breakdown: &'r QueryBreakdown,
    /// The last of the run.
    last: Period,
    /// By the areas and agencies asked for: of a benchmark's areas every row asks.
    known: HashMap<(Vec<AreaIx>, Vec<AgencyIx>), Underlying<'a>, Hashing>,
    /// By the parts that these agencies report for.
    of_parts: HashMap<Vec<AreaIx>, Underlying<'a>, Hashing>,
}

impl<'r, 'a> Populations<'r, 'a> {
    /// `areas` are those whose rates are asked for, each for itself.
    pub(super) fn new(rates: &'r mut Rates<'a>, breakdown: &'r QueryBreakdown, last: Period, areas: &[AreaIx]) -> Self {
        rates.areas = areas.to_vec();
        Self { rates, breakdown, last, known: HashMap::default(), of_parts: HashMap::default() }
    }

    /// The population of the parts of some areas that some agencies report for.
    pub(super) fn of(&mut self, areas: &[AreaIx], agencies: Vec<AgencyIx>) -> Underlying<'a> {
        let Self { rates, breakdown, last, known, of_parts } = self;
        let asked = known.entry((areas.to_vec(), agencies));
        let population = asked.or_insert_with_key(|(areas, agencies)| {
            let parts = of_parts.entry(reported_for(rates.view, areas, agencies, *last));
            let find = |parts: &Vec<AreaIx>| rates.population(parts, *last, breakdown).map(Rc::new);
            parts.or_insert_with_key(find).clone()
        });
        population.clone()
    }
}

impl Found {
    /// Looks at the days from one to another, the newest first, until the population covers the areas. The others will be
    /// asked about.
    fn between(series: &mut Series<'_>, (areas, others): (&[AreaIx], &[AreaIx]), from: Date, to: Date) -> Self {
        let mut found = Self::default();
        let mut days: Vec<Date> = series.submitted.ending(from, to).map(Period::end).collect();
        days.dedup();
        let view = series.view();
        let days = days.into_iter().rev().filter_map(|day| Period::of(Frequency::Day, day));
        for day in days.take_while(|_| view.spend(1).is_ok()) {
            series.look_up(areas, others, day);
            // Mostly there is nothing on a day, and combining nothing costs more than looking.
            if !areas.iter().any(|area| has_figure(series, *area, day, false)) {
                continue;
            }
            let covers = areas.iter().all(|area| covers(series, *area, day));
            if !covers && found.valued.is_some() {
                continue;
            }
            let figure = Aggregate::of(series, areas, &[day]).figure(series, Who::Combined);
            if figure.value.is_ok() {
                found.valued.get_or_insert_with(|| (day, Rc::clone(&figure)));
                if covers && figure.complete {
                    found.covering = Some((day, figure));
                    break;
                }
            }
        }
        found
    }
}

impl PopulationSeries<'_> {
    /// The population of the newest day on which it covers the areas, of those that a rule takes.
    fn find<'r>(&mut self, areas: (&[AreaIx], &[AreaIx]), end: Date, rule: &'r RateRule) -> Population<'r> {
        let Found { covering, valued } = match rule.rule {
            PopulationRule::SamePeriod => Found::between(&mut self.series, areas, end, end),
            PopulationRule::Latest => self.latest(areas, end),
        };
        let newest = valued.filter(|_| covering.is_none());
        Population { rule, found: covering.ok_or(Gap::NoPopulation), newest }
    }

    /// What there is by a day. Of the days that were looked at for an earlier one, what was found is known.
    fn latest(&mut self, (areas, others): (&[AreaIx], &[AreaIx]), end: Date) -> Found {
        let earliest = end.years_before(PopulationRule::YEARS_BACK_MAX);
        let (from, before) = match self.known.get(areas) {
            Some((until, before)) if *until <= end => (earliest.max(until.plus_days(1)), before.clone()),
            Some(_) | None => (earliest, Found::default()),
        };
        let now = Found::between(&mut self.series, (areas, others), from, end);
        let is_in_time = |(day, _): &DayFigure| earliest <= day.end();
        let found = Found {
            covering: now.covering.or(before.covering.filter(is_in_time)),
            valued: now.valued.or(before.valued.filter(is_in_time)),
        };
        self.known.insert(areas.to_vec(), (end, found.clone()));
        found
    }
}

/// Whether a population covers an area on a day: by a figure submitted for it, or by all areas directly
/// below it that there are on that day.
fn covers(series: &mut Series<'_>, area: AreaIx, day: Period) -> bool {
    if series.view().spend(1).is_err() || !series.submitted.covers(area) {
        return false;
    }
    if has_figure(series, area, day, true) {
        return true;
    }
    let below: Vec<AreaIx> = series.view().parts(area, day).collect();
    series.look_up(&below, &[], day);
    !below.is_empty() && below.into_iter().all(|child| covers(series, child, day))
}

/// Whether a figure that goes into the combined one was submitted for an area, or for that or one within it.
fn has_figure(series: &mut Series<'_>, area: AreaIx, day: Period, is_own: bool) -> bool {
    let (version, figures) = (series.version(day), series.figures(area, day));
    let goes_in = |agency| series.goes_into_combined(version, agency);
    figures.iter().any(|(agency, figure)| figure.has_figure() && (figure.is_own || !is_own) && goes_in(agency))
}

/// Of some areas the parts that some agencies report for in a period: the areas themselves, or else the
/// highest within them. Where that is nothing at all, the areas as they are.
fn reported_for(view: View<'_>, areas: &[AreaIx], agencies: &[AgencyIx], period: Period) -> Vec<AreaIx> {
    let hierarchy = view.hierarchy(period);
    let within: usize = areas.iter().map(|area| hierarchy.within(*area).len()).sum();
    let listed = || agencies.iter().flat_map(|agency| view.catalogue.reports_for(*agency));
    let all = (within * agencies.len() > listed().count()).then(|| listed().copied().collect());
    let reported = Reported { view, agencies, all, period };
    let mut parts = Vec::new();
    areas.iter().for_each(|area| reported.add(*area, &mut parts));
    if parts.is_empty() { areas.to_vec() } else { parts }
}

/// The areas that some agencies report for.
struct Reported<'a> {
    view: View<'a>,
    agencies: &'a [AgencyIx],
    /// All of them, where so many are looked up that looking for each by each agency is more work.
    all: Option<HashSet<AreaIx>>,
    period: Period,
}

impl Reported<'_> {
    fn add(&self, area: AreaIx, parts: &mut Vec<AreaIx>) {
        let steps = if self.all.is_some() { 1 } else { self.agencies.len() };
        if self.view.spend(steps).is_err() || self.holds(area) {
            parts.push(area);
        } else {
            self.view.parts(area, self.period).for_each(|child| self.add(child, parts));
        }
    }

    fn holds(&self, area: AreaIx) -> bool {
        let lists = |agency: &AgencyIx| self.view.catalogue.reports_for(*agency).binary_search(&area).is_ok();
        let is_listed = || self.all.as_ref().map_or_else(|| self.agencies.iter().any(lists), |all| all.contains(&area));
        is_listed() || {
            let mut below = self.view.parts(area, self.period).peekable();
            below.peek().is_some() && below.all(|child| self.holds(child))
        }
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

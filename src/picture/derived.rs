//! What can be added to a figure: its rate, its share, its rank, a benchmark.

use std::collections::BTreeMap;

use super::aggregate::{Aggregate, Who};
use super::combine::Gap;
use super::figure::Figure;
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::items::{Indicator, IndicatorVersion, Polarity, PopulationRule, RateRule};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::decimal::{Quotient, Rounded};
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;
use crate::state::view::View;

/// Shares are shown to one decimal.
const SHARE_DECIMALS: u8 = 1;
const QUARTERS: usize = 4;

/// The populations under the rates of one indicator.
pub(super) struct Rates<'a> {
    view: View<'a>,
    indicator: &'a Indicator,
    /// The series of each population that a version of the indicator names.
    populations: BTreeMap<IndicatorIx, Series<'a>>,
}

/// The population under a rate.
pub(super) struct Population {
    rule: Option<RateRule>,
    found: Option<(Period, Figure)>,
}

impl<'a> Rates<'a> {
    pub(super) fn new(view: View<'a>, ix: IndicatorIx) -> Self {
        Self { view, indicator: view.catalogue.indicator_at(ix), populations: BTreeMap::new() }
    }

    /// The population of some areas for a period, by the rule of the version in force.
    pub(super) fn population(&mut self, areas: &[AreaIx], period: Period) -> Population {
        let Some(rule) = &self.indicator.version_for(period).rate else {
            return Population { rule: None, found: None };
        };
        let found = self.view.catalogue.indicator(&rule.population_indicator).and_then(|(ix, _)| {
            let view = self.view;
            let series =
                self.populations.entry(ix).or_insert_with(|| Series::new(view, ix, Some(BreakdownIx::TOTAL), None));
            population(series, areas, period, rule.rule)
        });
        Population { rule: Some(rule.clone()), found }
    }
}

fn population(
    series: &mut Series<'_>,
    areas: &[AreaIx],
    period: Period,
    rule: PopulationRule,
) -> Option<(Period, Figure)> {
    let mut candidates = match rule {
        PopulationRule::SamePeriod => vec![period],
        PopulationRule::Latest => {
            let earliest = period.end().year() - PopulationRule::YEARS_BACK_MAX;
            let fits = |known: &Period| known.end() <= period.end() && known.end().year() >= earliest;
            series.submitted.by_end().iter().map(|(_, period)| *period).filter(fits).collect()
        }
    };
    candidates.sort_by_key(|candidate| (candidate.end(), *candidate));
    candidates.into_iter().rev().find_map(|candidate| {
        let figure = Aggregate::of(series, areas, &[candidate]).figure(series, Who::Combined);
        figure.value.is_ok().then_some((candidate, figure))
    })
}

/// A figure per so many of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The rate, exact and rounded, or why there is none.
    pub value: Result<FigureValue, Gap>,
    /// Per how many; 0 when the version in force has no rule.
    pub per: u32,
    /// The population's period and figure.
    pub population: Option<(Period, Figure)>,
}

impl Rate {
    pub(super) fn of(figure: &Figure, population: &Population, version: &IndicatorVersion) -> Self {
        let value = || {
            let rule = population.rule.as_ref().ok_or(Gap::NotReported)?;
            let (_, below) = population.found.as_ref().ok_or(Gap::NotReported)?;
            let (above, below) =
                (figure.value.as_ref().map_err(|gap| *gap)?, below.value.as_ref().map_err(|gap| *gap)?);
            if below.exact.is_zero() {
                return Err(Gap::ZeroBase);
            }
            let scaled = above.exact.checked_mul(Quotient::from(i64::from(rule.per))).ok_or(Gap::TooLarge)?;
            let exact = scaled.checked_div(below.exact).ok_or(Gap::TooLarge)?;
            FigureValue::of(exact, rule.decimals, version)
        };
        Self {
            value: value(),
            per: population.rule.as_ref().map_or(0, |rule| rule.per),
            population: population.found.clone(),
        }
    }
}

/// A figure as a part of all areas asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The percentage; none when one of the two has no value or the total is zero.
    pub percent: Option<Rounded>,
    /// All areas together.
    pub total: Figure,
}

impl Share {
    pub(super) fn of(figure: &Figure, total: Figure, version: &IndicatorVersion) -> Self {
        let percent = || {
            let (part, whole) = (figure.value.as_ref().ok()?.exact, total.value.as_ref().ok()?.exact);
            let hundredfold = part.checked_mul(Quotient::from(100))?;
            if whole.is_zero() {
                return None;
            }
            Some(FigureValue::of(hundredfold.checked_div(whole)?, SHARE_DECIMALS, version).ok()?.rounded)
        };
        Self { percent: percent(), total }
    }
}

/// How a figure ranks among the areas asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// 1 for the best; equal figures have equal ranks, and the next one counts them all.
    pub rank: usize,
    /// Among how many that have a value.
    pub of: usize,
    /// The quarter that the rank is in, 1 to 4.
    pub quartile: usize,
}

/// What stands in one ranking: the figures of an agency, or of all, for a period, or for all.
type Ranking = (Option<AgencyIx>, Option<Period>);

/// The ranks of values, each in its ranking; none where there is no value.
pub(super) fn ranks(values: &[(Ranking, Option<Quotient>)], indicator: &Indicator) -> Vec<Option<Rank>> {
    let mut rankings: BTreeMap<Ranking, Vec<Quotient>> = BTreeMap::new();
    for (ranking, value) in values {
        rankings.entry(*ranking).or_default().extend(*value);
    }
    let rank = |(ranking, value): &(Ranking, Option<Quotient>)| {
        let (value, (_, period), all) = ((*value)?, ranking, &rankings[ranking]);
        let version = period.map_or_else(|| indicator.newest(), |period| indicator.version_for(period));
        let is_better = |other: &&Quotient| match version.polarity {
            Polarity::LowerIsBetter => **other < value,
            Polarity::HigherIsBetter | Polarity::Neutral => **other > value,
        };
        let (rank, of) = (1 + all.iter().filter(is_better).count(), all.len());
        Some(Rank { rank, of, quartile: (QUARTERS * rank).div_ceil(of).min(QUARTERS) })
    };
    values.iter().map(rank).collect()
}

/// A figure beside that of a group of areas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benchmark {
    /// The group's value: its rate where rates are asked for, else its figure.
    pub value: Option<Rounded>,
    /// The figure or rate less the group's.
    pub difference: Option<Rounded>,
    /// The group's figure.
    pub figure: Figure,
}

impl Benchmark {
    pub(super) fn of(
        figure: &Figure,
        rate: Option<&Rate>,
        group: Figure,
        group_rate: Option<Rate>,
        version: &IndicatorVersion,
    ) -> Self {
        let of_figure = |figure: &Figure| figure.value.ok();
        let of_rate = |rate: &Rate| rate.value.ok();
        let (own, theirs, decimals) = match (rate, group_rate) {
            (Some(rate), Some(group_rate)) => {
                let decimals = version.rate.as_ref().map_or(version.decimals, |rule| rule.decimals);
                (of_rate(rate), of_rate(&group_rate), decimals)
            }
            _ => (of_figure(figure), of_figure(&group), version.decimals),
        };
        let difference = || {
            let exact = own?.exact.checked_sub(theirs?.exact)?;
            Some(FigureValue::of(exact, decimals, version).ok()?.rounded)
        };
        Self { value: theirs.map(|value| value.rounded), difference: difference(), figure: group }
    }
}

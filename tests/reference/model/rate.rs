//! Section 10: rates.

use conspectus::catalogue::items::{PopulationRule, RateRule};
use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::observation::Breakdown;
use conspectus::model::period::{Frequency, Period};
use conspectus::rpc::proto::{self, Gap};

use super::group::{Found, Group};
use super::number::{Number, rounded, whole};
use super::series::{Roll, Series};
use super::sight::Sight;

/// A rate of an answer, and what its value is exactly.
pub(crate) struct FoundRate {
    pub(crate) rate: proto::Rate,
    pub(crate) exact: Option<Number>,
}

/// A population of some areas on a day.
struct Population<'a> {
    day: Date,
    found: Found<'a>,
    covers: bool,
}

impl Group<'_, '_> {
    /// 10.1: "a rate is the figure times the rule's *per*, over the population, rounded once".
    pub(crate) fn rate(&self, found: &Found<'_>, agency: Option<&AgencyId>) -> FoundRate {
        let version = self.series.version(self.last());
        let rule = version.rate.as_ref().unwrap();
        let mut rate = proto::Rate { per: i32::try_from(rule.per).unwrap(), ..proto::Rate::default() };
        rate.partial = !found.is_complete();
        let sight = self.series.sight;
        // 10.4: "rolled up by the hierarchy of the last period's figures, whatever its own day".
        let roll = Roll::On(self.series.day(self.last()));
        let breakdown = &self.series.breakdown;
        let population = Series::new(sight, &rule.population_indicator, breakdown, None, roll);
        if !is_broken_down(sight, rule, breakdown, self.last()) {
            rate.set_gap(if found.exact.is_some() { Gap::PopulationNotBrokenDown } else { found.gap });
            return FoundRate { rate, exact: None };
        }
        let of = population_of(&population, rule, &self.reported_for(agency), self.last());
        if let Some(of) = &of {
            // 10.6: "or when the population that is shown is, or doesn't cover the areas".
            rate.partial |= !of.covers;
            rate.population_period = of.day.to_string();
            rate.population = Some(of.found.figure.clone());
        }
        let exact = match (&found.exact, of.filter(|of| of.covers).and_then(|of| of.found.exact)) {
            (None, _) => Err(found.gap),
            (Some(_), None) => Err(Gap::NoPopulation),
            (Some(_), Some(zero)) if zero == whole(0) => Err(Gap::ZeroBase),
            (Some(value), Some(people)) => Ok(value * whole(rule.per.into()) / people),
        };
        match &exact {
            Ok(exact) => rate.value = Some(rounded(exact, rule.decimals, version.rounding)),
            Err(gap) => rate.set_gap(*gap),
        }
        FoundRate { rate, exact: exact.ok() }
    }
}

impl Group<'_, '_> {
    /// 10.8: "of the areas that the figure's agencies […] report for. […] Each queried area that isn't is replaced by the
    /// highest areas within it that are; if there are none anywhere, the queried areas stay."
    fn reported_for(&self, agency: Option<&AgencyId>) -> Vec<AreaCode> {
        let behind = self.behind(agency).into_iter();
        let behind: Vec<AgencyId> = behind.filter(|it| agency.is_some() || self.has(it)).collect();
        let highest: Vec<AreaCode> = self.areas.iter().flat_map(|area| self.highest(area, &behind)).collect();
        if highest.is_empty() { self.areas.clone() } else { highest }
    }

    fn highest(&self, area: &AreaCode, behind: &[AgencyId]) -> Vec<AreaCode> {
        if self.is_reported_for(area, behind) {
            return vec![area.clone()];
        }
        let below = inhabited_below(self.series.sight, area, self.series.day(self.last()), self.last());
        below.into_iter().flat_map(|child| self.highest(child, behind)).collect()
    }

    /// "If one of them has it among the areas that it reports for, or if all areas directly below it that are of the last
    /// period, or have an area within them that is, are reported for."
    fn is_reported_for(&self, area: &AreaCode, behind: &[AgencyId]) -> bool {
        let sight = self.series.sight;
        let mut agencies = sight.agencies.iter().filter(|agency| behind.contains(&agency.id));
        if agencies.any(|agency| agency.areas.contains(area)) {
            return true;
        }
        let mut below = inhabited_below(sight, area, self.series.day(self.last()), self.last()).into_iter().peekable();
        below.peek().is_some() && below.all(|child| self.is_reported_for(child, behind))
    }
}

/// The areas directly below, by the hierarchy of a day, that are of a period, or have an area within them that is.
fn inhabited_below<'s>(sight: &'s Sight, area: &AreaCode, day: Date, period: Period) -> Vec<&'s AreaCode> {
    let is_inhabited = |child: &AreaCode| {
        sight.areas.iter().any(|it| sight.is_of(&it.code, period) && sight.is_within(&it.code, child, day))
    };
    sight.children(area, day).into_iter().filter(|child| is_inhabited(child)).collect()
}

/// 10.5: "a figure of a category, or of several, takes the population of the same categories".
fn is_broken_down(sight: &Sight, rule: &RateRule, breakdown: &Breakdown, period: Period) -> bool {
    let dimensions = &sight.version(&rule.population_indicator, period).dimensions;
    breakdown.iter().all(|(dimension, _)| dimensions.contains(dimension))
}

/// 10.2: the population of the day that the rule takes; without one that covers the areas the newest that has a value.
fn population_of<'a>(series: &Series<'a>, rule: &RateRule, areas: &[AreaCode], last: Period) -> Option<Population<'a>> {
    let on = |day: Date| {
        let day_itself = Period::of(Frequency::Day, day).unwrap();
        let group = Group { series, areas: areas.to_vec(), periods: vec![day_itself] };
        let found = group.figure(None);
        let covers = found.exact.is_some()
            && found.is_complete()
            && areas.iter().all(|area| is_covered(&group, area, day_itself));
        Population { day, found, covers }
    };
    match rule.rule {
        PopulationRule::SamePeriod => Some(on(last.end())).filter(|it| it.found.exact.is_some()),
        PopulationRule::Latest => {
            let (first, last) = (ten_years_before(last.end()), last.end());
            // Days on which nothing was submitted have no population.
            let figures = series.agencies.iter().flat_map(|agency| series.of(agency));
            let mut days: Vec<Date> = figures.map(|it| it.key.period.end()).collect();
            days.retain(|day| first <= *day && *day <= last);
            days.sort();
            days.dedup();
            let mut newest = None;
            for day in days.into_iter().rev() {
                let population = on(day);
                if population.covers {
                    return Some(population);
                }
                newest = newest.or(Some(population).filter(|it| it.found.exact.is_some()));
            }
            newest
        }
    }
}

/// "Not earlier than the same date ten years before it (28 February for 29 February)."
fn ten_years_before(day: Date) -> Date {
    let same = |date: u8| Date::new(day.year() - 10, day.month(), date);
    same(day.day()).or_else(|| same(28)).unwrap()
}

/// 10.3: "each of the areas is covered: by a figure submitted for it for that day (4.2), by an agency that goes into
/// the combined figure, or by all areas directly below it that exist, or have an area within them that exists, on
/// that day".
fn is_covered(group: &Group<'_, '_>, area: &AreaCode, day: Period) -> bool {
    let sight = group.series.sight;
    let behind = group.behind(None);
    let mut submitted = behind.iter().flat_map(|agency| group.series.submitted(agency, area, day));
    if submitted.any(|it| it.value.measure.is_some()) {
        return true;
    }
    let below = inhabited_below(sight, area, group.series.day(day), day);
    !below.is_empty() && below.into_iter().all(|child| is_covered(group, child, day))
}

//! Sections 11, 12 and 13: shares, ranks and benchmarks, of the rows that are compared with each other: those of one
//! agency, one period and one category, one for each queried area.

use std::collections::BTreeSet;

use conspectus::catalogue::items::{IndicatorVersion, Polarity};
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::rpc::proto::{self, Gap};

use super::group::{Found, Group};
use super::number::{Number, rounded, whole};
use super::rate::FoundRate;

/// A queried area's figure and, if asked for, rate.
pub(crate) struct Compared<'a> {
    pub(crate) area: AreaCode,
    pub(crate) found: Found<'a>,
    pub(crate) rate: Option<FoundRate>,
}

impl Compared<'_> {
    /// The value that is ranked, exactly and as it is answered; or why there is none.
    fn ranked_by(&self, version: &IndicatorVersion) -> Result<Number, Gap> {
        match &self.rate {
            None => self.found.exact.clone().ok_or(self.found.gap),
            Some(rate) => rate.exact.clone().ok_or(rate.rate.gap()),
        }
        .map(|exact| {
            let decimals = self.rate.as_ref().map_or(version.decimals, |_| version.rate.as_ref().unwrap().decimals);
            let answered = rounded(&exact, decimals, version.rounding);
            parse(&answered)
        })
    }

    fn is_partial(&self) -> bool {
        !self.found.is_complete() || self.rate.as_ref().is_some_and(|rate| rate.rate.partial)
    }
}

fn parse(decimal: &str) -> Number {
    let (digits, scale) = match decimal.split_once('.') {
        Some((whole, rest)) => (format!("{whole}{rest}"), rest.len()),
        None => (decimal.to_owned(), 0),
    };
    let digits: i64 = digits.parse().unwrap();
    whole(digits) / whole(10_i64.pow(u32::try_from(scale).unwrap()))
}

/// 11.1: "the figure as a percentage of all queried areas together".
pub(crate) fn share(
    one: &Compared<'_>,
    all: &[Compared<'_>],
    total: &Found<'_>,
    version: &IndicatorVersion,
) -> proto::Share {
    let mut share = proto::Share { total: Some(total.figure.clone()), ..proto::Share::default() };
    share.partial = !one.found.is_complete() || !total.is_complete();
    let is_negative = |it: &Compared<'_>| it.found.exact.as_ref().is_some_and(|exact| *exact < whole(0));
    // 11.2: "no share of zero, nor where any queried area's figure is below zero".
    match (&one.found.exact, &total.exact) {
        (None, _) => share.set_gap(one.found.gap),
        (Some(_), None) => share.set_gap(total.gap),
        (Some(_), Some(_)) if all.iter().any(is_negative) => share.set_gap(Gap::NegativePart),
        (Some(_), Some(total)) if *total == whole(0) => share.set_gap(Gap::ZeroBase),
        (Some(value), Some(total)) => {
            share.percent = Some(rounded(&(value * whole(100) / total), 1, version.rounding));
        }
    }
    share
}

/// Section 12.
pub(crate) fn rank(one: &Compared<'_>, all: &[Compared<'_>], version: &IndicatorVersion) -> proto::Rank {
    let mut ranked = vec![];
    let mut partial: Vec<String> = vec![];
    for it in all {
        match it.ranked_by(version) {
            Ok(_) if it.is_partial() => partial.push(it.area.to_string()),
            Ok(value) => ranked.push((it, value)),
            Err(_) => {}
        }
    }
    let mut markers = BTreeSet::new();
    let mut rank = proto::Rank { of: i32::try_from(ranked.len()).unwrap(), ..proto::Rank::default() };
    for (it, _) in &ranked {
        let population = it.rate.as_ref().and_then(|rate| rate.rate.population.as_ref());
        for figure in [Some(&it.found.figure), population].into_iter().flatten() {
            markers.extend(figure.markers.iter().copied());
            rank.sample |= figure.sample;
        }
    }
    rank.markers = markers.into_iter().collect();
    rank.partial_count = i32::try_from(partial.len()).unwrap();
    partial.truncate(20);
    rank.partial_areas = partial;
    match one.ranked_by(version) {
        Err(gap) => rank.set_gap(gap),
        Ok(_) if one.is_partial() => rank.set_gap(Gap::Partial),
        Ok(own) => {
            // 12.2: "The best is first, by the polarity […]; without one, the highest."
            let is_better = |other: &Number| match version.polarity {
                Polarity::HigherIsBetter | Polarity::Neutral => *other > own,
                Polarity::LowerIsBetter => *other < own,
            };
            let better = ranked.iter().filter(|(_, value)| is_better(value)).count();
            rank.rank = i32::try_from(better + 1).unwrap();
            // 12.3: "⌊4 × (rank − 1) ∕ of⌋ + 1".
            rank.quartile = i32::try_from(4 * better / ranked.len() + 1).unwrap();
        }
    }
    rank
}

/// 13.1: "the figure (with rates, the rate) of the group's areas together, and the difference from it, taken before
/// rounding".
pub(crate) fn benchmark(
    found: &Found<'_>,
    rate: Option<&FoundRate>,
    of: &Group<'_, '_>,
    agency: Option<&AgencyId>,
) -> proto::Benchmark {
    let version = of.series.version(of.last());
    let group = of.figure(agency);
    let group_rate = rate.map(|_| of.rate(&group, agency));
    let mut benchmark = proto::Benchmark {
        partial: !found.is_complete() || !group.is_complete(),
        figure: Some(group.figure.clone()),
        rate: group_rate.as_ref().map(|it| it.rate.clone()),
        ..proto::Benchmark::default()
    };
    benchmark.partial |= [rate, group_rate.as_ref()].into_iter().flatten().any(|it| it.rate.partial);
    let (own, own_gap, its, its_gap, decimals) = match (rate, &group_rate) {
        (Some(own), Some(its)) => {
            let decimals = version.rate.as_ref().unwrap().decimals;
            (own.exact.clone(), own.rate.gap(), its.exact.clone(), its.rate.gap(), decimals)
        }
        _ => (found.exact.clone(), found.gap, group.exact.clone(), group.gap, version.decimals),
    };
    let shown = |number: &Number| rounded(number, decimals, version.rounding);
    benchmark.value = its.as_ref().map(shown);
    match (own, its) {
        (_, None) => benchmark.set_gap(its_gap),
        (None, Some(_)) => benchmark.set_gap(own_gap),
        (Some(own), Some(its)) => benchmark.difference = Some(shown(&(own - its))),
    }
    benchmark
}

//! What may be asked for beside a figure, each in a sentence: its rate, its share, its rank, its benchmark.

use super::gap::reason;
use super::notes::{markers, qualified};
use super::stated::stated;
use crate::model::marker::Markers;
use crate::model::text::visible;
use crate::rpc::proto::{AggregateRow, Benchmark, Figure, Gap, Indicator, Kind, Polarity, Rank, Rate, Share};
use crate::web::subject::Subject;
use crate::wording::number::{is_zero, thousands, unsigned};
use crate::wording::period::Span;

/// The sentences of what stands beside a row's figure. Without a figure there are none: its own sentence says why.
pub(super) fn sentences(subject: &Subject<'_>, row: &AggregateRow) -> Vec<String> {
    if row.figure.as_ref().is_none_or(|figure| figure.value.is_none()) {
        return Vec::new();
    }
    let added = [
        row.rate.as_ref().map(|rate| of_rate(subject, rate)),
        row.share.as_ref().map(|share| of_share(subject, share)),
        row.rank.as_ref().map(|rank| of_rank(subject, row, rank)),
        row.benchmark.as_ref().map(|benchmark| of_benchmark(subject, row, benchmark)),
    ];
    added.into_iter().flatten().map(|sentence| visible(&sentence).into_owned()).collect()
}

/// That something rests on a partial figure.
fn far(partial: bool) -> &'static str {
    if partial { ", as far as reported" } else { "" }
}

fn of_rate(subject: &Subject<'_>, rate: &Rate) -> String {
    match &rate.value {
        Some(value) => format!("The rate{}: {}.", far(rate.partial), per_population(subject, value, rate)),
        None if rate.gap() == Gap::ZeroBase => "No rate, because the population is zero.".to_owned(),
        None => {
            let newest = population(subject, rate).map(|newest| format!(" The newest that there is: {newest}."));
            format!("No rate{}{}", because(rate.gap()), newest.unwrap_or_default())
        }
    }
}

/// `58.2 per 10,000 of a population of 285,700 at 30 June 2018`.
fn per_population(subject: &Subject<'_>, value: &str, rate: &Rate) -> String {
    let of = population(subject, rate).map(|population| format!(" of a population of {population}"));
    format!("{} per {}{}", thousands(value), thousands(&rate.per.to_string()), of.unwrap_or_default())
}

/// The population of a rate, with what has to be known of it.
fn population(subject: &Subject<'_>, rate: &Rate) -> Option<String> {
    let people = Indicator { kind: Kind::Stock.into(), ..Indicator::default() };
    let population = rate.population.as_ref().filter(|_| !rate.population_period.is_empty())?;
    Some(stated(
        &Subject { indicator: &people, periods: Span::Period(&rate.population_period), ..*subject },
        population,
    ))
}

fn of_share(subject: &Subject<'_>, share: &Share) -> String {
    let total = share.total.as_ref().map(|total| stated(subject, total)).unwrap_or_default();
    match &share.percent {
        Some(percent) => {
            format!("The share of all areas asked about{}: {}% of {total}.", far(share.partial), thousands(percent))
        }
        None if share.gap() == Gap::ZeroBase => "No share, because the total is zero.".to_owned(),
        None if share.total.as_ref().is_some_and(|total| total.value.is_none()) => {
            format!("No share of all areas asked about: {total}.")
        }
        None => format!("No share{}", because(share.gap())),
    }
}

fn of_rank(subject: &Subject<'_>, row: &AggregateRow, rank: &Rank) -> String {
    if rank.rank == 0 {
        return format!("No rank{}", because(rank.gap()));
    }
    let quartile = match rank.quartile {
        1 => ", first quartile",
        2 => ", second quartile",
        3 => ", third quartile",
        4 => ", fourth quartile",
        _ => "",
    };
    let by = if row.rate.is_some() { "by the rate" } else { "by the figure" };
    let best = match subject.indicator.polarity() {
        Polarity::LowerIsBetter => "lowest",
        Polarity::HigherIsBetter | Polarity::Neutral | Polarity::Unspecified => "highest",
    };
    let apart = match rank.partial_count {
        0 => String::new(),
        1 => "; 1 more isn't ranked, because it is partial".to_owned(),
        count => format!("; {count} more aren't ranked, because they are partial"),
    };
    let others = marks_of_others(row, rank).map(|marks| format!("; some of those ranked {marks}")).unwrap_or_default();
    format!("Rank: {} of {}{quartile}, {by}, the {best} first{apart}{others}.", ordinal(rank.rank), rank.of)
}

/// What has to be known of the figures ranked, and isn't said of the row's own.
fn marks_of_others(row: &AggregateRow, rank: &Rank) -> Option<String> {
    let own = [row.figure.as_ref(), row.rate.as_ref().and_then(|rate| rate.population.as_ref())];
    let own: Vec<&Figure> = own.into_iter().flatten().collect();
    let known = own.iter().fold(Markers::NONE, |known, figure| known.union(markers(figure)));
    let all = Figure { markers: rank.markers.clone(), ..Figure::default() };
    let others = qualified(markers(&all).iter().filter(|it| !known.contains(*it)).collect());
    let made_up = (rank.sample && !own.iter().any(|figure| figure.sample)).then_some("rest on made-up sample figures");
    let others = (!others.is_empty()).then(|| format!("are {others}"));
    match (others, made_up) {
        (Some(others), Some(made_up)) => Some(format!("{others}, and some {made_up}")),
        (Some(others), None) => Some(others),
        (None, made_up) => made_up.map(str::to_owned),
    }
}

fn of_benchmark(subject: &Subject<'_>, row: &AggregateRow, benchmark: &Benchmark) -> String {
    let Some(value) = &benchmark.value else { return format!("No benchmark{}", because(benchmark.gap())) };
    let group = benchmark.figure.clone().unwrap_or_default();
    let known = match &benchmark.rate {
        Some(rate) => {
            let rate = per_population(subject, value, rate);
            format!("The benchmark{}: {rate}. It is the rate of {}.", far(benchmark.partial), stated(subject, &group))
        }
        None => {
            let group = Figure { value: Some(value.clone()), ..group };
            format!("The benchmark: {}.", stated(subject, &group))
        }
    };
    let what = if row.rate.is_some() { "The rate" } else { "The figure" };
    let against = match benchmark.difference.as_deref() {
        None => format!("No difference from it{}", because(benchmark.gap()).trim_end_matches('.')),
        Some(difference) if is_zero(difference) => format!("{what} is the same"),
        Some(difference) => {
            let side = if difference.starts_with('-') { "below" } else { "above" };
            let difference = unsigned(difference);
            let difference = match subject.kind() {
                _ if row.rate.is_some() => thousands(difference),
                Kind::Ratio => format!("{difference} percentage points"),
                Kind::Events | Kind::Stock | Kind::Distinct | Kind::Mean | Kind::Amount | Kind::Unspecified => {
                    subject.quantity(difference)
                }
            };
            format!("{what} is {difference} {side} the benchmark")
        }
    };
    format!("{known} {against}.")
}

/// The rest of a sentence that says that there is no value.
fn because(gap: Gap) -> String {
    match reason(gap) {
        "" => ".".to_owned(),
        reason => format!(", because {reason}."),
    }
}

/// `1st`, `2nd`, `11th`.
fn ordinal(number: i32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{}{ending}", thousands(&number.to_string()))
}

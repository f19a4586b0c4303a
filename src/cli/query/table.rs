//! The rows of a query as a table.

use std::collections::BTreeMap;

use super::super::catalogue_lookup::kind_of;
use super::super::legend::{Legend, Marks};
use super::super::printout::Printout;
use super::super::table::{Align, Cell, Table};
use crate::rpc::proto::{AggregateRow, Gap, Indicator, Kind, QueryAggregateResponse, Rank, Rate, Share};
use crate::wording::figure::{coverage, gap_text};
use crate::wording::number::{difference, number, thousands};

/// The headings that depend on the query.
#[derive(Debug)]
pub(super) struct Headings {
    pub(super) period: &'static str,
    pub(super) dimension: String,
}

pub(super) fn table(
    answer: &QueryAggregateResponse,
    indicators: &BTreeMap<String, Indicator>,
    headings: &Headings,
) -> Printout {
    let rate_per = one_per(&answer.rows);
    let rate_heading = rate_per.map_or_else(|| "rate".to_owned(), |per| format!("per {}", thousands(&per.to_string())));
    let mut table = Table::new([
        ("indicator", Align::Left),
        ("area", Align::Left),
        ("agency", Align::Left),
        (headings.period, Align::Left),
        (&headings.dimension, Align::Left),
        ("figure", Align::Right),
        ("", Align::Left),
        (&rate_heading, Align::Right),
        ("of a population", Align::Right),
        ("", Align::Left),
        ("share", Align::Right),
        ("rank", Align::Right),
        ("quartile", Align::Right),
        ("benchmark", Align::Right),
        ("against it", Align::Right),
        ("since", Align::Left),
        ("was", Align::Right),
        ("change", Align::Right),
        ("", Align::Right),
        ("reported", Align::Left),
    ]);
    let mut legend = Legend::default();
    for row in &answer.rows {
        let keys = keys(row, &headings.dimension);
        let kind = kind_of(indicators, &row.indicator);
        table.push(keys.map(Cell::from).into_iter().chain(values(&mut legend, row, kind, rate_per.is_some())));
    }
    if table.is_empty() {
        return "No such figures are expected or submitted.\n".into();
    }
    let below = format!("{}\nat revision {}\n", legend.below(), answer.revision);
    Printout::default().table(table).text(below)
}

/// What a row is of: its indicator, area, agency, period and category.
fn keys(row: &AggregateRow, dimension: &str) -> [String; 5] {
    let category = if row.category.is_empty() && !dimension.is_empty() { "total" } else { &row.category };
    [&row.indicator, &row.area, &row.agency, &row.period, category].map(str::to_owned)
}

/// The figure of a row, and what stands beside it.
fn values(legend: &mut Legend, row: &AggregateRow, kind: Kind, per_in_heading: bool) -> Vec<Cell> {
    legend.of_area(&row.area);
    let own = Marks::of([row.figure.as_ref(), row.rate.as_ref().and_then(|rate| rate.population.as_ref())]);
    let figure = row.figure.clone().unwrap_or_default();
    let (value, flags) = (legend.value(&figure, kind), legend.flags_cell(&figure));
    legend.discrepancies(&name(row), kind, &figure);
    let (rate, population, population_flags) = rate(legend, row.rate.as_ref(), per_in_heading);
    let share = row.share.as_ref().map(|added| share(legend, &own, added));
    let (rank, quartile) = row.rank.as_ref().map(|added| rank(legend, &own, added)).unwrap_or_default();
    let (benchmark, against) = benchmark(legend, &own, row, kind);
    let since = row.change.as_ref().map(|change| change.from_period.clone());
    let was = row.change.as_ref().and_then(|change| change.from.as_ref()).map(|from| legend.value(from, kind));
    let (by, percent) = legend.change(row.change.as_ref());
    let beside = [
        rate,
        population,
        population_flags,
        share.unwrap_or_default(),
        rank,
        quartile,
        benchmark,
        against,
        since.unwrap_or_default(),
        was.unwrap_or_default(),
        by,
        percent,
        coverage(figure.coverage.as_ref()),
    ];
    [Cell::from(value), flags].into_iter().chain(beside.map(Cell::from)).collect()
}

/// What a row's figure is of, as its keys say.
fn name(row: &AggregateRow) -> String {
    let keys = [&row.indicator, &row.area, &row.period, &row.category];
    let given: Vec<&str> = keys.into_iter().map(String::as_str).filter(|key| !key.is_empty()).collect();
    given.join(", ")
}

/// What all rates are per, when it is the same.
fn one_per(rows: &[AggregateRow]) -> Option<i32> {
    let mut all = rows.iter().filter_map(|row| row.rate.as_ref()).map(|rate| rate.per);
    let first = all.next()?;
    all.all(|per| per == first).then_some(first)
}

/// The rate, and the population under it with the period that it is for.
fn rate(legend: &mut Legend, rate: Option<&Rate>, per_in_heading: bool) -> (String, String, String) {
    let Some(rate) = rate else { return Default::default() };
    let per = if per_in_heading { String::new() } else { format!(" per {}", thousands(&rate.per.to_string())) };
    let value = match &rate.value {
        Some(value) => legend.resting(format!("{}{per}", thousands(value)), rate.partial),
        None => gap_text(rate.gap()).to_owned(),
    };
    let Some(population) = rate.population.as_ref().filter(|_| !rate.population_period.is_empty()) else {
        return (value, "–".to_owned(), String::new());
    };
    let of = format!("{} at {}", legend.value(population, Kind::Stock), rate.population_period);
    let of = legend.resting(of, rate.gap() == Gap::NoPopulation);
    (value, of, legend.flags(population))
}

fn share(legend: &mut Legend, own: &Marks, share: &Share) -> String {
    match &share.percent {
        Some(percent) => {
            let text = legend.resting(format!("{percent}%"), share.partial);
            legend.marked(text, own, &Marks::of([share.total.as_ref()]))
        }
        None => gap_text(share.gap()).to_owned(),
    }
}

/// The rank with how many are ranked and how many are apart, or why it has none; and the quartile.
fn rank(legend: &mut Legend, own: &Marks, rank: &Rank) -> (String, String) {
    if rank.rank == 0 {
        return (gap_text(rank.gap()).to_owned(), String::new());
    }
    let apart = if rank.partial_count == 0 { String::new() } else { format!(", {} partial", rank.partial_count) };
    let text = format!("{} of {}{apart}", rank.rank, rank.of);
    (legend.marked(text, own, &Marks::new(&rank.markers, rank.sample)), rank.quartile.to_string())
}

/// The group's value, and the difference from it: in percentage points for a ratio, but not for a rate.
fn benchmark(legend: &mut Legend, own: &Marks, row: &AggregateRow, kind: Kind) -> (String, String) {
    let Some(benchmark) = &row.benchmark else { return Default::default() };
    let kind = if row.rate.is_some() { Kind::Events } else { kind };
    let value = match &benchmark.value {
        Some(value) => {
            let population = benchmark.rate.as_ref().and_then(|rate| rate.population.as_ref());
            let text = legend.resting(number(value, kind), benchmark.partial);
            legend.marked(text, own, &Marks::of([benchmark.figure.as_ref(), population]))
        }
        None => gap_text(benchmark.gap()).to_owned(),
    };
    let against = benchmark.difference.as_deref().map(|text| difference(text, kind)).unwrap_or_default();
    (value, legend.resting(against, benchmark.partial))
}

#[cfg(test)]
mod tests {
    use super::super::super::printout::at_several_widths;
    use super::*;
    use crate::rpc::proto::{
        Benchmark, Change, ChangeGap, Coverage, Discrepancy, DiscrepancyKind, Figure, Marker, Missing, MissingReason,
    };

    fn figure(value: &str) -> Figure {
        let coverage = Coverage { expected: 1, reported: 1, complete: true, ..Coverage::default() };
        Figure { value: Some(value.to_owned()), coverage: Some(coverage), ..Figure::default() }
    }

    #[test]
    fn additions_stand_beside_the_figure_and_discrepancies_below() {
        let rate = Rate {
            value: Some("216.5".to_owned()),
            per: 10_000,
            population: Some(figure("43700")),
            population_period: "2021-06-30".to_owned(),
            ..Rate::default()
        };
        let discrepancy = Discrepancy {
            kind: DiscrepancyKind::OverTime.into(),
            agency: "police".to_owned(),
            submitted: "1946".to_owned(),
            parts: "1943".to_owned(),
            difference: "-3".to_owned(),
            ..Discrepancy::default()
        };
        let full = AggregateRow {
            indicator: "missing".to_owned(),
            area: "E06000044".to_owned(),
            period: "FY2021-22".to_owned(),
            figure: Some(Figure { discrepancies: vec![discrepancy], ..figure("1946") }),
            change: Some(Change {
                from_period: "FY2020-21".to_owned(),
                from: Some(figure("797")),
                gap: ChangeGap::Break.into(),
                ..Change::default()
            }),
            rate: Some(rate.clone()),
            share: Some(Share { percent: Some("15.3".to_owned()), ..Share::default() }),
            rank: Some(Rank { rank: 4, of: 4, quartile: 4, ..Rank::default() }),
            benchmark: Some(Benchmark {
                value: Some("151.6".to_owned()),
                difference: Some("64.8".to_owned()),
                ..Benchmark::default()
            }),
            ..AggregateRow::default()
        };
        let empty = AggregateRow {
            figure: Some(Figure { gap: Gap::NotReported.into(), ..Figure::default() }),
            category: "female".to_owned(),
            change: None,
            rate: Some(Rate { gap: Gap::NotReported.into(), per: 10_000, ..Rate::default() }),
            share: Some(Share::default()),
            rank: None,
            benchmark: Some(Benchmark { gap: Gap::NotReported.into(), ..Benchmark::default() }),
            ..full.clone()
        };
        let answer =
            QueryAggregateResponse { revision: 7, rows: vec![full, empty], ..QueryAggregateResponse::default() };
        let headings = Headings { period: "period", dimension: "sex".to_owned() };
        insta::assert_snapshot!(table(&answer, &BTreeMap::new(), &headings));
    }

    #[test]
    fn a_query_fits_the_terminal() {
        let row = |period: &str, value: &str, before: &str, was: &str, by: &str, percent: &str| AggregateRow {
            indicator: "initial-contacts".to_owned(),
            period: period.to_owned(),
            figure: Some(figure(value)),
            change: Some(Change {
                from_period: before.to_owned(),
                from: Some(figure(was)),
                difference: Some(by.to_owned()),
                percent: Some(percent.to_owned()),
                ..Change::default()
            }),
            ..AggregateRow::default()
        };
        let rows = vec![
            row("FY2020-21", "126153", "FY2019-20", "125413", "740", "0.6"),
            row("FY2021-22", "153033", "FY2020-21", "126153", "26880", "21.3"),
        ];
        let answer = QueryAggregateResponse { revision: 14, rows, ..QueryAggregateResponse::default() };
        let headings = Headings { period: "period", dimension: String::new() };
        insta::assert_snapshot!(at_several_widths(&table(&answer, &BTreeMap::new(), &headings)));
    }

    #[test]
    fn what_rests_on_others_shows_their_markers_unless_the_row_has_them() {
        let marked = |markers: &[Marker], sample| Figure {
            markers: markers.iter().map(|marker| (*marker).into()).collect(),
            sample,
            ..figure("10")
        };
        let row = |area: &str, own: Figure| AggregateRow {
            area: area.to_owned(),
            figure: Some(own),
            share: Some(Share {
                percent: Some("10.0".to_owned()),
                total: Some(marked(&[Marker::Estimated], true)),
                ..Share::default()
            }),
            rank: Some(Rank {
                rank: 1,
                of: 2,
                quartile: 1,
                markers: vec![Marker::Estimated.into()],
                sample: true,
                ..Rank::default()
            }),
            benchmark: Some(Benchmark {
                value: Some("9".to_owned()),
                figure: Some(marked(&[Marker::Provisional], false)),
                rate: Some(Rate { population: Some(marked(&[], true)), ..Rate::default() }),
                ..Benchmark::default()
            }),
            ..AggregateRow::default()
        };
        let rows = vec![row("U1", figure("1")), row("U2", marked(&[Marker::Estimated, Marker::Provisional], true))];
        let answer = QueryAggregateResponse { revision: 7, rows, ..QueryAggregateResponse::default() };
        let headings = Headings { period: "period", dimension: String::new() };
        insta::assert_snapshot!(table(&answer, &BTreeMap::new(), &headings));
    }

    #[test]
    fn what_rests_on_a_partial_figure_is_in_brackets_and_what_is_not_ranked_says_why() {
        let rate = |value: Option<&str>, gap: Gap| Rate {
            value: value.map(str::to_owned),
            per: 1_000,
            population: Some(figure("500")),
            population_period: "2021-06-30".to_owned(),
            gap: gap.into(),
            partial: true,
        };
        let partial = AggregateRow {
            area: "U1".to_owned(),
            figure: Some(Figure {
                coverage: Some(Coverage { expected: 12, reported: 6, late: 6, ..Coverage::default() }),
                to_date: Some("2022-01-31".to_owned()),
                ..figure("6")
            }),
            rate: Some(rate(Some("12.0"), Gap::Unspecified)),
            share: Some(Share { percent: Some("6.3".to_owned()), partial: true, ..Share::default() }),
            rank: Some(Rank { of: 2, gap: Gap::Partial.into(), partial_count: 1, ..Rank::default() }),
            benchmark: Some(Benchmark {
                value: Some("32.0".to_owned()),
                difference: Some("-20.0".to_owned()),
                partial: true,
                ..Benchmark::default()
            }),
            ..AggregateRow::default()
        };
        let ranked = AggregateRow {
            area: "U2".to_owned(),
            figure: Some(figure("32")),
            rate: Some(rate(None, Gap::NoPopulation)),
            share: Some(Share { gap: Gap::NegativePart.into(), ..Share::default() }),
            rank: Some(Rank { rank: 2, of: 2, quartile: 3, partial_count: 1, ..Rank::default() }),
            benchmark: Some(Benchmark { gap: Gap::NoPopulation.into(), ..Benchmark::default() }),
            ..AggregateRow::default()
        };
        let within = Missing {
            period: "FY2021-22-Q1".to_owned(),
            reason: MissingReason::Contained.into(),
            contained_in_area: "U3".to_owned(),
            contained_in_period: "FY2021-22-H1".to_owned(),
            ..Missing::default()
        };
        let contained = AggregateRow {
            area: "U3".to_owned(),
            figure: Some(Figure {
                gap: Gap::Contained.into(),
                coverage: Some(Coverage {
                    expected: 3,
                    contained: 3,
                    missing: vec![within.clone()],
                    ..Coverage::default()
                }),
                ..Figure::default()
            }),
            ..AggregateRow::default()
        };
        let partly = |contained| Figure {
            gap: Gap::Contained.into(),
            coverage: Some(Coverage { expected: 3, contained, missing: vec![within.clone()], ..Coverage::default() }),
            ..Figure::default()
        };
        let only_partly = AggregateRow { area: "U3".to_owned(), figure: Some(partly(1)), ..AggregateRow::default() };
        let in_another_area =
            AggregateRow { area: "D1".to_owned(), figure: Some(partly(3)), ..AggregateRow::default() };
        let rows = vec![partial, ranked, contained, only_partly, in_another_area];
        let answer = QueryAggregateResponse { revision: 7, rows, ..QueryAggregateResponse::default() };
        let headings = Headings { period: "period", dimension: String::new() };
        insta::assert_snapshot!(table(&answer, &BTreeMap::new(), &headings));
    }
}

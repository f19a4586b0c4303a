//! The rows of a query as CSV, for spreadsheets and scripts: everything that the table shows, and why
//! something isn't there.

use super::super::figure_columns::{
    answer_fields, answer_headings, change_fields, change_headings, figure_fields, figure_headings, gap, text,
};
use super::super::format::markers;
use crate::rpc::proto::{AggregateRow, Benchmark, Rank, Rate, Share};

const KEYS: [&str; 5] = ["indicator", "area", "agency", "period", "category"];
const RATE: [&str; 5] = ["rate", "rate_per", "rate_gap", "rate_partial", "population_period"];
const SHARE: [&str; 3] = ["share", "share_gap", "share_partial"];
const RANK: [&str; 8] = [
    "rank",
    "rank_of",
    "quartile",
    "rank_gap",
    "rank_partial_count",
    "rank_partial_areas",
    "rank_markers",
    "rank_sample",
];
const BENCHMARK: [&str; 4] = ["benchmark", "benchmark_difference", "benchmark_gap", "benchmark_partial"];

/// The columns.
pub(super) fn headings() -> Vec<String> {
    let own = |headings: &[&str]| headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>();
    [
        own(&KEYS),
        answer_headings(),
        change_headings(),
        own(&RATE),
        figure_headings("population", "population_"),
        own(&SHARE),
        figure_headings("share_total", "share_total_"),
        own(&RANK),
        own(&BENCHMARK),
        figure_headings("benchmark_figure", "benchmark_figure_"),
        own(&["benchmark_population_period"]),
        figure_headings("benchmark_population", "benchmark_population_"),
    ]
    .concat()
}

/// The fields of a row.
pub(super) fn fields(row: &AggregateRow) -> Vec<String> {
    let keys = [&row.indicator, &row.area, &row.agency, &row.period, &row.category];
    let benchmark = row.benchmark.as_ref();
    let their_rate = benchmark.and_then(|benchmark| benchmark.rate.as_ref());
    [
        keys.map(String::clone).to_vec(),
        answer_fields(row.figure.as_ref()),
        change_fields(row.change.as_ref()),
        or_empty(row.rate.as_ref().map(rate)),
        figure_fields(row.rate.as_ref().and_then(|rate| rate.population.as_ref())),
        or_empty(row.share.as_ref().map(share)),
        figure_fields(row.share.as_ref().and_then(|share| share.total.as_ref())),
        or_empty(row.rank.as_ref().map(rank)),
        or_empty(benchmark.map(benchmark_fields)),
        figure_fields(benchmark.and_then(|benchmark| benchmark.figure.as_ref())),
        vec![their_rate.map(|rate| rate.population_period.clone()).unwrap_or_default()],
        figure_fields(their_rate.and_then(|rate| rate.population.as_ref())),
    ]
    .concat()
}

/// What was added to the row, or as many empty texts.
fn or_empty<const N: usize>(added: Option<[String; N]>) -> Vec<String> {
    added.map_or_else(|| vec![String::new(); N], Vec::from)
}

fn rate(rate: &Rate) -> [String; RATE.len()] {
    [
        text(rate.value.as_ref()),
        rate.per.to_string(),
        gap(rate.gap()),
        rate.partial.to_string(),
        rate.population_period.clone(),
    ]
}

fn share(share: &Share) -> [String; SHARE.len()] {
    [text(share.percent.as_ref()), gap(share.gap()), share.partial.to_string()]
}

fn rank(rank: &Rank) -> [String; RANK.len()] {
    let place = |place: i32| if place == 0 { String::new() } else { place.to_string() };
    [
        place(rank.rank),
        rank.of.to_string(),
        place(rank.quartile),
        gap(rank.gap()),
        rank.partial_count.to_string(),
        rank.partial_areas.join(" "),
        markers(&rank.markers),
        rank.sample.to_string(),
    ]
}

fn benchmark_fields(benchmark: &Benchmark) -> [String; BENCHMARK.len()] {
    [
        text(benchmark.value.as_ref()),
        text(benchmark.difference.as_ref()),
        gap(benchmark.gap()),
        benchmark.partial.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{
        Change, ChangeGap, Coverage, Discrepancy, DiscrepancyKind, Figure, Gap, Marker, NumeratorBasis,
    };

    fn figure(value: &str) -> Figure {
        let coverage = Coverage {
            expected: 12,
            reported: 6,
            late: 3,
            not_available: 1,
            imputed: 2,
            contained: 1,
            ..Coverage::default()
        };
        Figure {
            value: Some(value.to_owned()),
            markers: vec![Marker::Estimated.into(), Marker::Provisional.into()],
            coverage: Some(coverage),
            sample: true,
            as_at: Some("FY2021-22-Q3".to_owned()),
            to_date: Some("2022-01-31".to_owned()),
            ..Figure::default()
        }
    }

    /// `heading=field` of every field that isn't empty, a line each.
    fn lines(row: &AggregateRow) -> String {
        let (headings, fields) = (headings(), fields(row));
        assert_eq!(headings.len(), fields.len());
        let all = headings.into_iter().zip(fields).filter(|(_, field)| !field.is_empty());
        all.map(|(heading, field)| format!("{heading}={field}\n")).collect()
    }

    #[test]
    fn a_row_has_everything_that_the_table_shows_and_why_something_is_not_there() {
        let discrepancies = [DiscrepancyKind::OverTime, DiscrepancyKind::Breakdown].map(|kind| Discrepancy {
            kind: kind.into(),
            agency: "police".to_owned(),
            dimension: if kind == DiscrepancyKind::Breakdown { "sex".to_owned() } else { String::new() },
            submitted: "10".to_owned(),
            parts: "9".to_owned(),
            difference: "-1".to_owned(),
        });
        let rate = Rate {
            per: 1000,
            gap: Gap::NoPopulation.into(),
            partial: true,
            population: Some(figure("500")),
            population_period: "2021-06-30".to_owned(),
            ..Rate::default()
        };
        let row = AggregateRow {
            indicator: "missing".to_owned(),
            area: "E06000044".to_owned(),
            agency: "police".to_owned(),
            period: "FY2021-22".to_owned(),
            category: "female".to_owned(),
            figure: Some(Figure {
                numerator: Some("8".to_owned()),
                denominator: Some("10".to_owned()),
                numerator_basis: NumeratorBasis::Counted.into(),
                discrepancies: discrepancies.to_vec(),
                ..figure("80.0")
            }),
            change: Some(Change {
                from_period: "FY2020-21".to_owned(),
                from: Some(figure("70.0")),
                gap: ChangeGap::Break.into(),
                partial: true,
                ..Change::default()
            }),
            rate: Some(rate.clone()),
            share: Some(Share {
                total: Some(figure("100")),
                partial: true,
                gap: Gap::NegativePart.into(),
                ..Share::default()
            }),
            rank: Some(Rank {
                of: 3,
                gap: Gap::Partial.into(),
                partial_count: 2,
                partial_areas: vec!["E06000044".to_owned(), "E06000045".to_owned()],
                markers: vec![Marker::Unreliable.into()],
                sample: true,
                ..Rank::default()
            }),
            benchmark: Some(Benchmark {
                value: Some("151.7".to_owned()),
                figure: Some(figure("6176")),
                rate: Some(rate),
                partial: true,
                gap: Gap::NoPopulation.into(),
                ..Benchmark::default()
            }),
        };
        insta::assert_snapshot!(lines(&row));
    }

    #[test]
    fn what_was_not_asked_for_is_empty() {
        let row = AggregateRow { indicator: "missing".to_owned(), ..AggregateRow::default() };
        assert_eq!(lines(&row), "indicator=missing\n");
    }
}

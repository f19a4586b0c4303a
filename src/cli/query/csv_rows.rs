//! The rows of a query as CSV, for spreadsheets and scripts.

use super::super::format::markers;
use crate::rpc::proto::AggregateRow;

/// The columns.
pub(super) const HEADINGS: [&str; 32] = [
    "indicator",
    "area",
    "agency",
    "period",
    "value",
    "gap",
    "numerator",
    "denominator",
    "numerator_basis",
    "markers",
    "sample",
    "as_at",
    "expected",
    "reported",
    "late",
    "not_available",
    "complete",
    "from_period",
    "from_value",
    "difference",
    "percent",
    "category",
    "rate",
    "rate_per",
    "population",
    "population_period",
    "share",
    "rank",
    "rank_of",
    "quartile",
    "benchmark",
    "benchmark_difference",
];

/// The fields of a row.
pub(super) fn fields(row: &AggregateRow) -> [String; 32] {
    let figure = row.figure.clone().unwrap_or_default();
    let coverage = figure.coverage.clone().unwrap_or_default();
    let change = row.change.clone().unwrap_or_default();
    let rate = row.rate.clone().unwrap_or_default();
    let benchmark = row.benchmark.clone().unwrap_or_default();
    let gap = if figure.value.is_some() { "" } else { figure.gap().as_str_name() };
    let basis = if figure.numerator.is_some() { figure.numerator_basis().as_str_name() } else { "" };
    let text = |text: Option<String>| text.unwrap_or_default();
    let count = |given: bool, count: i32| if given { count.to_string() } else { String::new() };
    let rank = row.rank.clone().unwrap_or_default();
    [
        row.indicator.clone(),
        row.area.clone(),
        row.agency.clone(),
        row.period.clone(),
        text(figure.value.clone()),
        gap.to_owned(),
        text(figure.numerator.clone()),
        text(figure.denominator.clone()),
        basis.to_owned(),
        markers(&figure.markers),
        figure.sample.to_string(),
        text(figure.as_at.clone()),
        coverage.expected.to_string(),
        coverage.reported.to_string(),
        coverage.late.to_string(),
        coverage.not_available.to_string(),
        coverage.complete.to_string(),
        change.from_period,
        text(change.from.and_then(|from| from.value)),
        text(change.difference),
        text(change.percent),
        row.category.clone(),
        text(rate.value),
        count(row.rate.is_some(), rate.per),
        text(rate.population.and_then(|population| population.value)),
        rate.population_period,
        text(row.share.as_ref().and_then(|share| share.percent.clone())),
        count(row.rank.is_some(), rank.rank),
        count(row.rank.is_some(), rank.of),
        count(row.rank.is_some(), rank.quartile),
        text(benchmark.value),
        text(benchmark.difference),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::super::format::csv;
    use super::*;
    use crate::rpc::proto::Rank;

    #[test]
    fn a_csv_row_has_a_field_for_each_heading() {
        let text = csv(HEADINGS, [fields(&AggregateRow { rank: Some(Rank::default()), ..AggregateRow::default() })]);
        let lines: Vec<usize> = text.unwrap().lines().map(|line| line.split(',').count()).collect();
        assert_eq!(lines, [32, 32]);
    }
}

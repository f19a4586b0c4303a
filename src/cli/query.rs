//! `conspectus query`: figures kept apart or combined, as a table, JSON or CSV.

use std::collections::BTreeMap;

use clap::{Parser, ValueEnum};

use super::Failure;
use super::catalogue_lookup::{self, kind_of};
use super::common_args::{AsOf, BrokenDown, Form, Hierarchy, Periods};
use super::connect::{Server, pages};
use super::format::{Remarks, coverage, csv, difference, gap_text, json, markers, number, thousands};
use super::table::{Align, Table};
use crate::catalogue::items::AreaLevel;
use crate::rpc::proto::{
    AggregateRow, Comparison, GroupBy, Indicator, Kind, QueryAggregateRequest, QueryAggregateResponse, Rate,
};

/// Ask for figures of some indicators, areas, agencies and periods, kept apart or combined.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The indicators, by id.
    #[arg(long, required = true, value_delimiter = ',')]
    indicator: Vec<String>,
    /// The areas, by code.
    #[arg(long, required = true, value_delimiter = ',')]
    area: Vec<String>,
    /// Each area stands for the areas of this level within it: country, region, partnership,
    /// upper-tier, district or ward.
    #[arg(long)]
    level: Option<AreaLevel>,
    /// Only these agencies, by id.
    #[arg(long, value_delimiter = ',')]
    agency: Vec<String>,
    #[command(flatten)]
    periods: Periods,
    /// What to keep apart; everything else is combined.
    #[arg(long, value_enum, value_delimiter = ',')]
    by: Vec<By>,
    #[command(flatten)]
    breakdown: BrokenDown,
    /// A row for each category of this dimension too, such as sex.
    #[arg(long, value_name = "DIMENSION")]
    by_dimension: Option<String>,
    /// Each period stands for all of its length from the first of its financial year up to it.
    #[arg(long)]
    year_to_date: bool,
    /// Add the rate, by the indicator's rate rule.
    #[arg(long)]
    rate: bool,
    /// Add each area's share of all areas asked for; with --by area.
    #[arg(long)]
    share: bool,
    /// Add each area's rank and quartile, by the rate where it is asked for; with --by area.
    #[arg(long)]
    rank: bool,
    /// Add the figure of these areas together, or their rate, and the difference from it.
    #[arg(long, value_name = "AREA", value_delimiter = ',')]
    benchmark: Vec<String>,
    /// What to compare with.
    #[arg(long, value_enum)]
    compare: Option<Compare>,
    /// Or compare with this earlier period.
    #[arg(long, conflicts_with = "compare")]
    compare_with: Option<String>,
    /// Compare across a break in comparability too.
    #[arg(long)]
    across_breaks: bool,
    #[command(flatten)]
    hierarchy: Hierarchy,
    #[command(flatten)]
    as_of: AsOf,
    /// Wait until the server has this revision.
    #[arg(long, default_value_t = 0)]
    min_revision: i64,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Indicator,
    Area,
    Agency,
    Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compare {
    Previous,
    YearBefore,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let indicators = catalogue_lookup::indicators(&args.server).await?;
    let mut client = args.server.pictures().await?;
    let headings = Headings {
        period: if args.year_to_date { "year to" } else { "period" },
        dimension: args.by_dimension.clone().unwrap_or_default(),
    };
    let request = QueryAggregateRequest {
        period_range: args.periods.range(),
        periods: args.periods.listed,
        indicators: args.indicator,
        areas: args.area,
        area_level: args.level.map_or(0, AreaLevel::code),
        agencies: args.agency,
        group_by: args.by.iter().map(|by| group(*by).into()).collect(),
        breakdown: args.breakdown.categories(),
        by_dimension: args.by_dimension.unwrap_or_default(),
        year_to_date: args.year_to_date,
        rate: args.rate,
        share: args.share,
        rank: args.rank,
        benchmark_areas: args.benchmark,
        comparison: match args.compare {
            None => Comparison::Unspecified,
            Some(Compare::Previous) => Comparison::PreviousPeriod,
            Some(Compare::YearBefore) => Comparison::YearBefore,
        }
        .into(),
        compare_with: args.compare_with.unwrap_or_default(),
        compare_across_breaks: args.across_breaks,
        areas_as_of: args.hierarchy.code(),
        as_of_revision: args.as_of.revision,
        as_of_time: args.as_of.time,
        min_revision: args.min_revision,
        page_size: 0,
        page_token: String::new(),
    };
    let mut answer = QueryAggregateResponse::default();
    let ask = async |page_token| client.query_aggregate(QueryAggregateRequest { page_token, ..request.clone() }).await;
    pages(ask, |page| {
        answer.revision = page.revision;
        answer.rows.extend(page.rows);
        page.next_page_token
    })
    .await?;
    args.form.print(
        || json(&answer, "QueryAggregateResponse"),
        || csv(CSV_HEADINGS, answer.rows.iter().map(csv_row)),
        || table(&answer, &indicators, &headings),
    )
}

fn group(by: By) -> GroupBy {
    match by {
        By::Indicator => GroupBy::Indicator,
        By::Area => GroupBy::Area,
        By::Agency => GroupBy::Agency,
        By::Period => GroupBy::Period,
    }
}

/// The headings that depend on what was asked.
#[derive(Debug)]
struct Headings {
    period: &'static str,
    dimension: String,
}

fn table(answer: &QueryAggregateResponse, indicators: &BTreeMap<String, Indicator>, headings: &Headings) -> String {
    let dimension = headings.dimension.as_str();
    let per = one_per(&answer.rows);
    let rate_heading = per.map_or_else(|| "rate".to_owned(), |per| format!("per {}", thousands(&per.to_string())));
    let mut table = Table::new([
        ("indicator", Align::Left),
        ("area", Align::Left),
        ("agency", Align::Left),
        (headings.period, Align::Left),
        (dimension, Align::Left),
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
    let mut remarks = Remarks::default();
    for row in &answer.rows {
        let kind = kind_of(indicators, &row.indicator);
        let figure = row.figure.clone().unwrap_or_default();
        let (value, flags) = (remarks.value(&figure, kind), remarks.flags(&figure));
        remarks.discrepancies(&name(row), kind, &figure);
        let (rate, population, population_flags) = rate(&mut remarks, row.rate.as_ref(), per.is_some());
        let (benchmark, against) = benchmark(row, kind);
        let since = row.change.as_ref().map(|change| change.from_period.clone()).unwrap_or_default();
        let was = row.change.as_ref().and_then(|change| change.from.as_ref()).map(|from| remarks.value(from, kind));
        let (by, percent) = remarks.change(row.change.as_ref());
        let share = row.share.as_ref().and_then(|share| share.percent.as_deref());
        let of_total = if row.category.is_empty() && !dimension.is_empty() { "total" } else { &row.category };
        table.push([
            row.indicator.clone(),
            row.area.clone(),
            row.agency.clone(),
            row.period.clone(),
            of_total.to_owned(),
            value,
            flags,
            rate,
            population,
            population_flags,
            share.map(|percent| format!("{percent}%")).unwrap_or_default(),
            row.rank.map(|rank| format!("{} of {}", rank.rank, rank.of)).unwrap_or_default(),
            row.rank.map(|rank| rank.quartile.to_string()).unwrap_or_default(),
            benchmark,
            against,
            since,
            was.unwrap_or_default(),
            by,
            percent,
            coverage(figure.coverage.as_ref()),
        ]);
    }
    if table.is_empty() {
        return "Nothing is expected or known of that.\n".to_owned();
    }
    format!("{table}{}\nat revision {}\n", remarks.below(), answer.revision)
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
fn rate(remarks: &mut Remarks, rate: Option<&Rate>, per_in_heading: bool) -> (String, String, String) {
    let Some(rate) = rate else { return Default::default() };
    let per = if per_in_heading { String::new() } else { format!(" per {}", thousands(&rate.per.to_string())) };
    let value = match &rate.value {
        Some(value) => format!("{}{per}", thousands(value)),
        None => gap_text(rate.gap()).to_owned(),
    };
    let Some(population) = rate.population.as_ref().filter(|_| !rate.population_period.is_empty()) else {
        return (value, "–".to_owned(), String::new());
    };
    let of = format!("{} at {}", remarks.value(population, Kind::Stock), rate.population_period);
    (value, of, remarks.flags(population))
}

/// The group's value, and the difference from it: in percentage points for a ratio, but not for a rate.
fn benchmark(row: &AggregateRow, kind: Kind) -> (String, String) {
    let Some(benchmark) = &row.benchmark else { return Default::default() };
    let kind = if row.rate.is_some() { Kind::Events } else { kind };
    let value = benchmark.value.as_deref().map_or_else(|| "–".to_owned(), |value| number(value, kind));
    (value, benchmark.difference.as_deref().map(|text| difference(text, kind)).unwrap_or_default())
}

const CSV_HEADINGS: [&str; 31] = [
    "indicator",
    "area",
    "agency",
    "period",
    "value",
    "gap",
    "numerator",
    "denominator",
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

fn csv_row(row: &AggregateRow) -> [String; 31] {
    let figure = row.figure.clone().unwrap_or_default();
    let coverage = figure.coverage.clone().unwrap_or_default();
    let change = row.change.clone().unwrap_or_default();
    let rate = row.rate.clone().unwrap_or_default();
    let benchmark = row.benchmark.clone().unwrap_or_default();
    let gap = if figure.value.is_some() { "" } else { figure.gap().as_str_name() };
    let text = |text: Option<String>| text.unwrap_or_default();
    let count = |given: bool, count: i32| if given { count.to_string() } else { String::new() };
    let rank = row.rank.unwrap_or_default();
    [
        row.indicator.clone(),
        row.area.clone(),
        row.agency.clone(),
        row.period.clone(),
        text(figure.value.clone()),
        gap.to_owned(),
        text(figure.numerator.clone()),
        text(figure.denominator.clone()),
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
    use super::*;
    use crate::rpc::proto::{
        Benchmark, Change, ChangeGap, Coverage, Discrepancy, DiscrepancyKind, Figure, Gap, Rank, Share,
    };

    fn figure(value: &str) -> Figure {
        let coverage = Coverage { expected: 1, reported: 1, complete: true, ..Coverage::default() };
        Figure { value: Some(value.to_owned()), coverage: Some(coverage), ..Figure::default() }
    }

    #[test]
    fn what_was_asked_to_be_added_stands_beside_the_figure_and_what_disagrees_below() {
        let rate = Rate {
            value: Some("216.5".to_owned()),
            per: 10_000,
            population: Some(figure("43700")),
            population_period: "2021-06-30".to_owned(),
            gap: 0,
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
            share: Some(Share { percent: Some("15.3".to_owned()), total: None }),
            rank: Some(Rank { rank: 4, of: 4, quartile: 4 }),
            benchmark: Some(Benchmark {
                value: Some("151.6".to_owned()),
                difference: Some("64.8".to_owned()),
                figure: None,
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
            benchmark: Some(Benchmark::default()),
            ..full.clone()
        };
        let answer = QueryAggregateResponse { revision: 7, rows: vec![full, empty], next_page_token: String::new() };
        let headings = Headings { period: "period", dimension: "sex".to_owned() };
        insta::assert_snapshot!(table(&answer, &BTreeMap::new(), &headings));
    }

    #[test]
    fn a_csv_row_has_a_field_for_each_heading() {
        let text =
            csv(CSV_HEADINGS, [csv_row(&AggregateRow { rank: Some(Rank::default()), ..AggregateRow::default() })]);
        let lines: Vec<usize> = text.unwrap().lines().map(|line| line.split(',').count()).collect();
        assert_eq!(lines, [31, 31]);
    }
}

//! The answer to a query as a table: a row for each figure, with everything that the command line's table shows of it, and
//! why something isn't there. What wasn't asked for has no columns.

use super::figure::{change_cells, change_headings, gap, nothing, text, value};
use super::key::{self, named_or_all};
use super::{
    AsOf, Cell, Labels, Table, answer_cells, answer_headings, breakdown, figure_cells, figure_headings, headings,
};
use crate::model::date::Date;
use crate::model::period::Period;
use crate::rpc::proto::{AggregateRow, Benchmark, Comparison, PeriodRange, QueryAggregateRequest, Rank, Rate, Share};

/// With rows for the categories of a dimension.
const CATEGORY: [&str; 2] = ["category", "category_title"];
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

/// The table of a query's answer.
#[derive(Debug, Clone)]
pub(crate) struct AggregateTable {
    question: QueryAggregateRequest,
    labels: Labels,
    as_of: AsOf,
    /// The periods that are asked for, as far as they can be read: the first and the last.
    asked: Option<(Period, Period)>,
}

impl AggregateTable {
    pub(crate) fn new(question: QueryAggregateRequest, labels: Labels, as_of: AsOf) -> Self {
        let listed = question.periods.iter();
        let range = question.period_range.iter().flat_map(|PeriodRange { first, last }| [first, last]);
        let periods: Vec<Period> = listed.chain(range).filter_map(|text| text.parse().ok()).collect();
        let first = periods.iter().copied().min_by_key(|period| period.start());
        let asked = first.zip(periods.iter().copied().max_by_key(|period| period.end()));
        Self { question, labels, as_of, asked }
    }

    fn compares(&self) -> bool {
        let asked = self.question.comparison();
        !self.question.compare_with.is_empty() || !matches!(asked, Comparison::Unspecified | Comparison::None)
    }

    fn has_benchmark(&self) -> bool {
        !self.question.benchmark_areas.is_empty()
    }

    /// What a row is of. What isn't kept apart is named where there is only one that it can be.
    fn keys(&self, row: &AggregateRow) -> Vec<Cell> {
        let areas = if self.question.area_level == 0 { &*self.question.areas } else { &[] };
        let area = own_or_only(&row.area, areas);
        let agency = own_or_only(&row.agency, &self.question.agencies);
        let (period, days) = self.period(row);
        let label = self.labels.indicator(&row.indicator, days.map(|(_, last)| last));
        let [first_day, last_day] = days.map_or_else(
            || [Cell::Text(String::new()), Cell::Text(String::new())],
            |(first, last)| [Cell::Text(first.to_string()), Cell::Text(last.to_string())],
        );
        let indicator = [Cell::text(&row.indicator), Cell::Text(label.title), Cell::Text(label.unit)];
        let area = named_or_all(area, |code| self.labels.area(code));
        let agency = named_or_all(agency, |id| self.labels.agency(id));
        let mut cells = key::answered(indicator, area, agency, [period, first_day, last_day]);
        cells.push(Cell::Text(breakdown(&self.question.breakdown)));
        if !self.question.by_dimension.is_empty() {
            let category = Some(&*row.category).filter(|category| !category.is_empty());
            cells.extend(named_or_all(category, |id| self.labels.category(id)));
        }
        cells
    }

    /// The period of a row, with its first and last day: of all that are asked for, where they are put together.
    fn period(&self, row: &AggregateRow) -> (Cell, Option<(Date, Date)>) {
        let own = row.period.parse::<Period>().ok().map(|period| (period, period));
        let Some((first, last)) = own.or(self.asked) else { return (Cell::text(&row.period), None) };
        let year = last.year_to_date().filter(|_| self.question.year_to_date);
        let first_day = year.and_then(|parts| parts.first().copied()).unwrap_or(first).start();
        let name = if first == last { Cell::Text(last.to_string()) } else { Cell::All };
        (name, Some((first_day, last.end())))
    }
}

impl Table for AggregateTable {
    type Item = AggregateRow;

    fn title(&self) -> String {
        "Figures".to_owned()
    }

    /// Of each heading of the answer whether it is there depends on the question alone.
    fn headings(&self) -> Vec<String> {
        let mut all = headings(key::ANSWERED.into_iter().chain(["breakdown"]));
        if !self.question.by_dimension.is_empty() {
            all.extend(headings(CATEGORY));
        }
        all.extend(answer_headings());
        if self.compares() {
            all.extend(change_headings());
        }
        if self.question.rate {
            all.extend(headings(RATE));
            all.extend(figure_headings("population", "population_"));
        }
        if self.question.share {
            all.extend(headings(SHARE));
            all.extend(figure_headings("share_total", "share_total_"));
        }
        if self.question.rank {
            all.extend(headings(RANK));
        }
        if self.has_benchmark() {
            all.extend(headings(BENCHMARK));
            all.extend(figure_headings("benchmark_figure", "benchmark_figure_"));
        }
        if self.has_benchmark() && self.question.rate {
            all.extend(headings(["benchmark_population_period"]));
            all.extend(figure_headings("benchmark_population", "benchmark_population_"));
        }
        all.extend(headings(AsOf::HEADINGS));
        all
    }

    /// A row under these headings.
    fn rows(&self, row: &AggregateRow) -> Vec<Vec<Cell>> {
        let mut cells = self.keys(row);
        cells.extend(answer_cells(row.figure.as_ref()));
        if self.compares() {
            cells.extend(change_cells(row.change.as_ref()));
        }
        if self.question.rate {
            cells.extend(rate(row.rate.as_ref()));
        }
        if self.question.share {
            cells.extend(share(row.share.as_ref()));
        }
        if self.question.rank {
            cells.extend(rank(row.rank.as_ref()));
        }
        if self.has_benchmark() {
            cells.extend(benchmark(row.benchmark.as_ref()));
        }
        if self.has_benchmark() && self.question.rate {
            cells.extend(benchmark_population(row.benchmark.as_ref()));
        }
        cells.extend(self.as_of.cells());
        vec![cells]
    }
}

/// What a row is of: its own key, or the only one that is asked for.
fn own_or_only<'a>(own: &'a str, asked: &'a [String]) -> Option<&'a str> {
    match (own, asked) {
        ("", [one]) => Some(one),
        ("", _) => None,
        (own, _) => Some(own),
    }
}

fn rate(rate: Option<&Rate>) -> Vec<Cell> {
    let own = rate.map(|rate| {
        vec![
            value(rate.value.as_ref(), rate.gap(), &[]),
            Cell::count(rate.per),
            gap(rate.gap()),
            Cell::flag(rate.partial),
            Cell::text(&rate.population_period),
        ]
    });
    let population = figure_cells(rate.and_then(|rate| rate.population.as_ref()));
    [own.unwrap_or_else(|| nothing(RATE.len())), population].concat()
}

fn share(share: Option<&Share>) -> Vec<Cell> {
    let own = share.map(|share| {
        vec![value(share.percent.as_ref(), share.gap(), &[]), gap(share.gap()), Cell::flag(share.partial)]
    });
    let total = figure_cells(share.and_then(|share| share.total.as_ref()));
    [own.unwrap_or_else(|| nothing(SHARE.len())), total].concat()
}

fn rank(rank: Option<&Rank>) -> Vec<Cell> {
    let Some(rank) = rank else { return nothing(RANK.len()) };
    let place = |place: i32| Cell::Number((place != 0).then(|| place.to_string()));
    vec![
        place(rank.rank),
        Cell::count(rank.of),
        place(rank.quartile),
        gap(rank.gap()),
        Cell::count(rank.partial_count),
        Cell::Text(rank.partial_areas.join(" ")),
        Cell::markers(&rank.markers),
        Cell::flag(rank.sample),
    ]
}

fn benchmark(benchmark: Option<&Benchmark>) -> Vec<Cell> {
    let own = benchmark.map(|benchmark| {
        vec![
            value(benchmark.value.as_ref(), benchmark.gap(), &[]),
            Cell::Number(benchmark.difference.clone()),
            gap(benchmark.gap()),
            Cell::flag(benchmark.partial),
        ]
    });
    let figure = figure_cells(benchmark.and_then(|benchmark| benchmark.figure.as_ref()));
    [own.unwrap_or_else(|| nothing(BENCHMARK.len())), figure].concat()
}

/// With rates, the population of the benchmark's.
fn benchmark_population(benchmark: Option<&Benchmark>) -> Vec<Cell> {
    let rate = benchmark.and_then(|benchmark| benchmark.rate.as_ref());
    let period = text(rate.map(|rate| &rate.population_period));
    [vec![period], figure_cells(rate.and_then(|rate| rate.population.as_ref()))].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{
        Agency, Area, CategoryRef, Change, ChangeGap, Coverage, Discrepancy, DiscrepancyKind, Figure, Gap, Indicator,
        Marker, NumeratorBasis,
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
    fn lines(question: QueryAggregateRequest, row: &AggregateRow) -> String {
        let mut labels = Labels::default();
        labels.add_indicator(Indicator {
            id: "missing".to_owned(),
            title: "Missing episodes".to_owned(),
            unit: "episodes".to_owned(),
            ..Indicator::default()
        });
        labels.add_area(Area { code: "E06000044".to_owned(), name: "Portsmouth".to_owned(), ..Area::default() });
        labels.add_agency(Agency { id: "police".to_owned(), name: "The police".to_owned(), ..Agency::default() });
        let as_of = AsOf { revision: 14, instant: "2022-06-30T17:00:00.000001Z".parse().ok() };
        let table = AggregateTable::new(question, labels, as_of);
        let (headings, cells) = (table.headings(), table.rows(row).remove(0));
        assert_eq!(headings.len(), cells.len());
        let fields = headings.into_iter().zip(cells.into_iter().map(Cell::into_field));
        fields.filter(|(_, field)| !field.is_empty()).map(|(heading, field)| format!("{heading}={field}\n")).collect()
    }

    fn everything() -> QueryAggregateRequest {
        QueryAggregateRequest {
            comparison: Comparison::PreviousPeriod.into(),
            by_dimension: "sex".to_owned(),
            rate: true,
            share: true,
            rank: true,
            benchmark_areas: vec!["E06000044".to_owned()],
            ..QueryAggregateRequest::default()
        }
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
        insta::assert_snapshot!(lines(everything(), &row));
    }

    #[test]
    fn what_was_not_asked_for_has_no_columns() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let row =
            AggregateRow { indicator: "missing".to_owned(), figure: Some(figure("80")), ..AggregateRow::default() };
        let question = QueryAggregateRequest {
            areas: texts(&["E06000044", "E06000045"]),
            periods: texts(&["2021-05", "2021-04"]),
            breakdown: vec![CategoryRef { dimension: "sex".to_owned(), category: "female".to_owned() }],
            ..QueryAggregateRequest::default()
        };
        insta::assert_snapshot!(lines(question, &row));
    }

    #[test]
    fn what_is_put_together_is_named_where_there_is_only_one() {
        let row = AggregateRow { indicator: "missing".to_owned(), ..AggregateRow::default() };
        let question = QueryAggregateRequest {
            areas: vec!["E06000044".to_owned()],
            agencies: vec!["police".to_owned()],
            periods: vec!["Apr-Jun 2021".to_owned()],
            ..QueryAggregateRequest::default()
        };
        let lines = |question| lines(question, &row);
        assert!(lines(question.clone()).contains("area=E06000044\narea_name=Portsmouth\nagency=police\n"));
        assert!(
            lines(question.clone()).contains("period=FY2021-22-Q1\nperiod_start=2021-04-01\nperiod_end=2021-06-30\n")
        );
        let to_date =
            QueryAggregateRequest { year_to_date: true, periods: vec!["2021-06".to_owned()], ..question.clone() };
        assert!(lines(to_date).contains("period=2021-06\nperiod_start=2021-04-01\nperiod_end=2021-06-30\n"));
        let by_level = QueryAggregateRequest { area_level: 5, ..question };
        assert!(!lines(by_level).contains("area="), "the areas of a level within it");
    }
}

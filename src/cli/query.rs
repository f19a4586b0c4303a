//! `conspectus query`: figures kept apart or combined, as a table, JSON or CSV.

mod table;

use clap::{Parser, ValueEnum};

use super::catalogue_lookup;
use super::common_args::{self, BreakdownArg, Format, Hierarchy, Periods};
use super::connect::{Server, pages};
use super::failure::Failure;
use super::format::{json, table_csv};
use crate::catalogue::items::AreaLevel;
use crate::rpc::proto::{Comparison, GroupBy, QueryAggregateRequest, QueryAggregateResponse};
use crate::tables::{AggregateTable, AsOf, Labels};

/// Query figures of some indicators, areas, agencies and periods, kept apart or combined.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus query -i initial-contacts --area E10000014 -p FY2020-21,FY2021-22 --by period\n  conspectus query -i missing-episodes --area HIPS -p FY2021-22 --level upper-tier --by area --rate --rank"
)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The indicators, by id.
    #[arg(short = 'i', long, required = true, value_delimiter = ',')]
    indicator: Vec<String>,
    /// The areas, by code.
    #[arg(long, required = true, value_delimiter = ',')]
    area: Vec<String>,
    /// Replace each area by the areas of this level within it: country, region, partnership,
    /// upper-tier, district or ward.
    #[arg(long)]
    level: Option<AreaLevel>,
    /// Only these agencies, by id.
    #[arg(short = 'a', long, value_delimiter = ',')]
    agency: Vec<String>,
    #[command(flatten)]
    periods: Periods,
    /// What to keep apart, in rows of their own; everything else is combined.
    #[arg(long, value_enum, value_delimiter = ',')]
    by: Vec<GroupKey>,
    #[command(flatten)]
    breakdown: BreakdownArg,
    /// Add a row for each category of this dimension, such as sex.
    #[arg(long, value_name = "DIMENSION")]
    by_dimension: Option<String>,
    /// Cumulative: from the start of each period's financial year to the period's end.
    #[arg(long)]
    year_to_date: bool,
    /// Add the rate, by the indicator's rate rule.
    #[arg(long)]
    rate: bool,
    /// Add each area's share of the total of all the areas; with --by area.
    #[arg(long)]
    share: bool,
    /// Add each area's rank and quartile, by the rate with --rate, else by the figure; with --by area.
    #[arg(long)]
    rank: bool,
    /// Add the combined figure of these areas, or with --rate their rate, and the difference from it.
    #[arg(long, value_name = "AREA", value_delimiter = ',')]
    benchmark: Vec<String>,
    /// What to compare with.
    #[arg(long, value_enum)]
    compare: Option<Compare>,
    /// Compare with this earlier period instead.
    #[arg(long, conflicts_with = "compare")]
    compare_with: Option<String>,
    /// Compare even across a break in comparability.
    #[arg(long)]
    across_breaks: bool,
    #[command(flatten)]
    hierarchy: Hierarchy,
    #[command(flatten)]
    as_of: common_args::AsOf,
    /// Wait until the server has reached this revision.
    #[arg(long, default_value_t = 0)]
    min_revision: i64,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GroupKey {
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
    let server = args.server.clone();
    let indicators = catalogue_lookup::indicators(&server).await?;
    let mut client = server.pictures().await?;
    let headings = table::Headings {
        period: if args.year_to_date { "year to" } else { "period" },
        dimension: args.by_dimension.clone().unwrap_or_default(),
    };
    let format = args.format;
    let request = request(args);
    let mut answer = QueryAggregateResponse::default();
    let query =
        async |page_token| client.query_aggregate(QueryAggregateRequest { page_token, ..request.clone() }).await;
    pages(query, |page| {
        answer.revision = page.revision;
        answer.as_of = page.as_of;
        answer.rows.extend(page.rows);
        page.next_page_token
    })
    .await?;
    let labels = if format.csv { catalogue_lookup::labels(&server, &request).await? } else { Labels::default() };
    format.print(
        || json(&answer, "QueryAggregateResponse"),
        || {
            let as_of = AsOf { revision: answer.revision, instant: answer.as_of };
            table_csv(&AggregateTable::new(request, labels, as_of), &answer.rows)
        },
        || table::table(&answer, &indicators, &headings),
    )
}

/// The request for the first page.
fn request(args: Args) -> QueryAggregateRequest {
    QueryAggregateRequest {
        period_range: args.periods.range(),
        periods: args.periods.listed,
        indicators: args.indicator,
        areas: args.area,
        area_level: args.level.map_or(0, AreaLevel::code),
        agencies: args.agency,
        group_by: args.by.iter().map(|key| group(*key).into()).collect(),
        breakdown: args.breakdown.categories(),
        by_dimension: args.by_dimension.unwrap_or_default(),
        year_to_date: args.year_to_date,
        rate: args.rate,
        share: args.share,
        rank: args.rank,
        benchmark_areas: args.benchmark,
        comparison: args.compare.map_or(Comparison::Unspecified, comparison).into(),
        compare_with: args.compare_with.unwrap_or_default(),
        compare_across_breaks: args.across_breaks,
        areas_as_of: args.hierarchy.code(),
        as_of_revision: args.as_of.revision,
        as_of_time: args.as_of.time,
        min_revision: args.min_revision,
        page_size: 0,
        page_token: String::new(),
    }
}

fn group(key: GroupKey) -> GroupBy {
    match key {
        GroupKey::Indicator => GroupBy::Indicator,
        GroupKey::Area => GroupBy::Area,
        GroupKey::Agency => GroupBy::Agency,
        GroupKey::Period => GroupBy::Period,
    }
}

fn comparison(compare: Compare) -> Comparison {
    match compare {
        Compare::Previous => Comparison::PreviousPeriod,
        Compare::YearBefore => Comparison::YearBefore,
    }
}

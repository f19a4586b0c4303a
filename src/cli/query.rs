//! `conspectus query`: figures kept apart or combined, as a table, JSON or CSV.

use clap::{Parser, ValueEnum};

use super::Failure;
use super::connect::{Server, refusal};
use super::format::{Remarks, coverage, json};
use super::table::{Align, Table};
use crate::catalogue::items::AreaLevel;
use crate::model::observation::Breakdown;
use crate::rpc::proto::{
    AggregateRow, CategoryRef, Comparison, GroupBy, Kind, ListIndicatorsRequest, PeriodRange, QueryAggregateRequest,
    QueryAggregateResponse,
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
    /// The periods; or --from and --to.
    #[arg(long, value_delimiter = ',')]
    period: Vec<String>,
    /// The first of a run of periods.
    #[arg(long, requires = "to", conflicts_with = "period")]
    from: Option<String>,
    /// The last of a run of periods.
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// What to keep apart; everything else is combined.
    #[arg(long, value_enum, value_delimiter = ',')]
    by: Vec<By>,
    /// The breakdown, such as sex=female.
    #[arg(long)]
    breakdown: Option<Breakdown>,
    /// What to compare with.
    #[arg(long, value_enum)]
    compare: Option<Compare>,
    /// Or compare with this earlier period.
    #[arg(long, conflicts_with = "compare")]
    compare_with: Option<String>,
    /// Compare across a break in comparability too.
    #[arg(long)]
    across_breaks: bool,
    /// As of this revision.
    #[arg(long, default_value_t = 0)]
    as_of: i64,
    /// Wait until the server has this revision.
    #[arg(long, default_value_t = 0)]
    min_revision: i64,
    /// Print the answer as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the rows as CSV.
    #[arg(long)]
    csv: bool,
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
    let (as_json, as_csv) = (args.json, args.csv);
    let server = args.server;
    let kinds = kinds(&server).await?;
    let breakdown = args.breakdown.unwrap_or_default();
    let category = |(dimension, category): &(_, _)| CategoryRef {
        dimension: ToString::to_string(dimension),
        category: ToString::to_string(category),
    };
    let mut request = QueryAggregateRequest {
        indicators: args.indicator,
        areas: args.area,
        area_level: args.level.map_or(0, AreaLevel::code),
        agencies: args.agency,
        periods: args.period,
        period_range: args.from.zip(args.to).map(|(first, last)| PeriodRange { first, last }),
        group_by: args.by.iter().map(|by| group(*by).into()).collect(),
        breakdown: breakdown.iter().map(category).collect(),
        comparison: match args.compare {
            None => Comparison::Unspecified,
            Some(Compare::Previous) => Comparison::PreviousPeriod,
            Some(Compare::YearBefore) => Comparison::YearBefore,
        }
        .into(),
        as_of_revision: args.as_of,
        min_revision: args.min_revision,
        page_size: 0,
        page_token: String::new(),
        compare_across_breaks: args.across_breaks,
        compare_with: args.compare_with.unwrap_or_default(),
        ..QueryAggregateRequest::default()
    };
    let mut client = server.pictures().await?;
    let mut answer = QueryAggregateResponse::default();
    loop {
        let page = client
            .query_aggregate(request.clone())
            .await
            .map_err(|status| refusal(&status, str::to_owned))?
            .into_inner();
        answer.revision = page.revision;
        answer.rows.extend(page.rows);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if as_json {
        println!("{}", json(&answer, "QueryAggregateResponse")?);
    } else if as_csv {
        print!("{}", csv(&answer.rows)?);
    } else {
        print!("{}", table(&answer, &kinds));
    }
    Ok(())
}

fn group(by: By) -> GroupBy {
    match by {
        By::Indicator => GroupBy::Indicator,
        By::Area => GroupBy::Area,
        By::Agency => GroupBy::Agency,
        By::Period => GroupBy::Period,
    }
}

/// The kind of each indicator, so that shares are shown as such.
async fn kinds(server: &Server) -> Result<std::collections::BTreeMap<String, Kind>, Failure> {
    let mut client = server.catalogue().await?;
    let mut kinds = std::collections::BTreeMap::new();
    let mut request = ListIndicatorsRequest { page_size: 1_000, ..ListIndicatorsRequest::default() };
    loop {
        let page = client
            .list_indicators(request.clone())
            .await
            .map_err(|status| refusal(&status, str::to_owned))?
            .into_inner();
        kinds.extend(page.indicators.into_iter().map(|indicator| (indicator.id.clone(), indicator.kind())));
        if page.next_page_token.is_empty() {
            return Ok(kinds);
        }
        request.page_token = page.next_page_token;
    }
}

fn table(answer: &QueryAggregateResponse, kinds: &std::collections::BTreeMap<String, Kind>) -> String {
    let mut table = Table::new([
        ("indicator", Align::Left),
        ("area", Align::Left),
        ("agency", Align::Left),
        ("period", Align::Left),
        ("figure", Align::Right),
        ("", Align::Left),
        ("since", Align::Left),
        ("was", Align::Right),
        ("change", Align::Right),
        ("", Align::Right),
        ("reported", Align::Left),
    ]);
    let mut remarks = Remarks::default();
    for row in &answer.rows {
        let kind = kinds.get(&row.indicator).copied().unwrap_or_default();
        let figure = row.figure.clone().unwrap_or_default();
        let (value, flags) = (remarks.value(&figure, kind), remarks.flags(&figure));
        let since = row.change.as_ref().map(|change| change.from_period.clone()).unwrap_or_default();
        let was = row.change.as_ref().and_then(|change| change.from.as_ref()).map(|from| remarks.value(from, kind));
        let (difference, percent) = remarks.change(row.change.as_ref());
        table.push([
            row.indicator.clone(),
            row.area.clone(),
            row.agency.clone(),
            row.period.clone(),
            value,
            flags,
            since,
            was.unwrap_or_default(),
            difference,
            percent,
            coverage(figure.coverage.as_ref()),
        ]);
    }
    if table.is_empty() {
        return "Nothing is expected or known of that.\n".to_owned();
    }
    let lines = remarks.lines();
    format!(
        "{table}{}{lines}{}at revision {}\n",
        if lines.is_empty() { "" } else { "\n" },
        if lines.is_empty() { "\n" } else { "\n\n" },
        answer.revision
    )
}

fn csv(rows: &[AggregateRow]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
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
    ])?;
    for row in rows {
        let figure = row.figure.clone().unwrap_or_default();
        let coverage = figure.coverage.clone().unwrap_or_default();
        let change = row.change.clone().unwrap_or_default();
        let markers: Vec<&str> = figure
            .markers
            .iter()
            .filter_map(|code| crate::model::marker::Marker::from_code(*code))
            .map(super::super::model::marker::Marker::text)
            .collect();
        let gap = if figure.value.is_some() { "" } else { figure.gap().as_str_name() };
        writer.write_record([
            row.indicator.as_str(),
            &row.area,
            &row.agency,
            &row.period,
            figure.value.as_deref().unwrap_or_default(),
            gap,
            figure.numerator.as_deref().unwrap_or_default(),
            figure.denominator.as_deref().unwrap_or_default(),
            &markers.join(" "),
            if figure.sample { "true" } else { "false" },
            figure.as_at.as_deref().unwrap_or_default(),
            &coverage.expected.to_string(),
            &coverage.reported.to_string(),
            &coverage.late.to_string(),
            &coverage.not_available.to_string(),
            if coverage.complete { "true" } else { "false" },
            &change.from_period,
            change.from.as_ref().and_then(|from| from.value.as_deref()).unwrap_or_default(),
            change.difference.as_deref().unwrap_or_default(),
            change.percent.as_deref().unwrap_or_default(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure(error.to_string()))?;
    Ok(String::from_utf8(bytes)?)
}

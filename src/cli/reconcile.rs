//! `conspectus reconcile`: where figures that should agree don't.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;

use super::catalogue_lookup::{self, kind_of};
use super::common_args::{AsOf, Format, Periods};
use super::connect::{Server, response};
use super::failure::Failure;
use super::format::{csv, json};
use super::legend::Legend;
use super::printout::Printout;
use super::table::{Align, Table};
use crate::catalogue::items::AreaLevel;
use crate::rpc::proto::{
    Indicator, ReconcileRequest, ReconcileResponse, ReconciliationRow, ReconciliationRule, ReconciliationStatus,
};
use crate::tables::{figure_cells, figure_headings, texts};
use crate::wording::number::difference;

/// Show where two agencies' figures that should agree don't, by the catalogue's reconciliation rules.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus reconcile E10000014 --from 2021-01 --to 2021-12")]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The areas, by code.
    #[arg(required = true)]
    area: Vec<String>,
    /// Replace each area by the areas of this level within it.
    #[arg(long)]
    level: Option<AreaLevel>,
    #[command(flatten)]
    periods: Periods,
    /// Only these rules, by id.
    #[arg(long, value_delimiter = ',')]
    rule: Vec<String>,
    /// List pairs that agree too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    as_of: AsOf,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let request = ReconcileRequest {
        rules: args.rule,
        areas: args.area,
        area_level: args.level.map_or(0, AreaLevel::code),
        period_range: args.periods.range(),
        periods: args.periods.listed,
        include_agreeing: args.all,
        as_of_revision: args.as_of.revision,
        as_of_time: args.as_of.time,
    };
    let mut client = args.server.pictures().await?;
    let answer = response(client.reconcile(request).await)?;
    let rules = catalogue_lookup::rules(&args.server).await?;
    let indicators = catalogue_lookup::indicators(&args.server).await?;
    args.format.print(
        || json(&answer, "ReconcileResponse"),
        || csv(csv_headings().iter().map(String::as_str), answer.rows.iter().map(csv_row)),
        || text(&answer, &rules, &indicators),
    )
}

fn text(
    answer: &ReconcileResponse,
    rules: &BTreeMap<String, ReconciliationRule>,
    indicators: &BTreeMap<String, Indicator>,
) -> Printout {
    let mut table = Table::new([
        ("rule", Align::Left),
        ("area", Align::Left),
        ("period", Align::Left),
        ("left", Align::Right),
        ("", Align::Left),
        ("right", Align::Right),
        ("", Align::Left),
        ("difference", Align::Right),
        ("", Align::Left),
    ]);
    let mut legend = Legend::default();
    for row in &answer.rows {
        legend.of_area(&row.area);
        let kind = rules.get(&row.rule).map(|rule| kind_of(indicators, &rule.left_indicator)).unwrap_or_default();
        let (left, right) = (row.left.clone().unwrap_or_default(), row.right.clone().unwrap_or_default());
        table.push([
            row.rule.clone(),
            row.area.clone(),
            row.period.clone(),
            legend.value(&left, kind),
            legend.flags(&left),
            legend.value(&right, kind),
            legend.flags(&right),
            row.difference.as_deref().map(|text| difference(text, kind)).unwrap_or_default(),
            status(row.status()).to_owned(),
        ]);
    }
    if table.is_empty() {
        return format!("Nothing disagrees, at revision {}.\n", answer.revision).into();
    }
    let rules_used: BTreeSet<&str> = answer.rows.iter().map(|row| row.rule.as_str()).collect();
    let meanings: Vec<String> = rules_used.into_iter().filter_map(|id| rules.get(id)).map(meaning).collect();
    let signs = legend.below();
    let below = format!("\n{}\n{}\nat revision {}\n", meanings.join("\n"), signs.trim_start(), answer.revision);
    Printout::default().table(table).text(below)
}

/// What a rule compares, and how far apart the two may be.
fn meaning(rule: &ReconciliationRule) -> String {
    let side = |indicator: &str, agency: &str| {
        if agency.is_empty() { indicator.to_owned() } else { format!("{indicator} by {agency}") }
    };
    let set = |text: &str| text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let mut apart: Vec<String> = Vec::new();
    if set(&rule.tolerance) {
        apart.push(rule.tolerance.clone());
    }
    if set(&rule.tolerance_percent) {
        apart.push(format!("{}%", rule.tolerance_percent));
    }
    let apart = if apart.is_empty() { "nothing".to_owned() } else { apart.join(" or ") };
    format!(
        "{}: left is {}; right is {}; they may differ by {apart}",
        rule.id,
        side(&rule.left_indicator, &rule.left_agency),
        side(&rule.right_indicator, &rule.right_agency),
    )
}

fn status(status: ReconciliationStatus) -> &'static str {
    match status {
        ReconciliationStatus::Unspecified => "",
        ReconciliationStatus::Agrees => "agrees",
        ReconciliationStatus::Differs => "differs",
        ReconciliationStatus::OneSided => "one-sided",
        ReconciliationStatus::Partial => "partial",
    }
}

fn csv_headings() -> Vec<String> {
    let texts = |headings: &[&str]| headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>();
    [
        texts(&["rule", "area", "period"]),
        figure_headings("left", "left_"),
        figure_headings("right", "right_"),
        texts(&["difference", "status"]),
    ]
    .concat()
}

fn csv_row(row: &ReconciliationRow) -> Vec<String> {
    [
        vec![row.rule.clone(), row.area.clone(), row.period.clone()],
        texts(figure_cells(row.left.as_ref())),
        texts(figure_cells(row.right.as_ref())),
        vec![row.difference.clone().unwrap_or_default(), status(row.status()).to_owned()],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_row_has_a_field_for_each_heading() {
        assert_eq!(csv_row(&ReconciliationRow::default()).len(), csv_headings().len());
    }
}

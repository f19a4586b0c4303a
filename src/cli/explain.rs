//! `conspectus explain`: why a figure is what it is.

use clap::Parser;

use super::catalogue_lookup;
use super::common_args::{AsOf, BreakdownArg, Format};
use super::connect::{Server, response};
use super::failure::Failure;
use super::format::{json, table_csv};
use super::legend::Legend;
use super::printout::Printout;
use super::table::{Align, Table as TextTable};
use crate::rpc::proto::{
    CategoryRef, Contribution, ExplainFigureRequest, ExplainFigureResponse, Missing, MissingReason,
};
use crate::tables::{self, ExplanationTable, Labels, explanations};
use crate::wording::figure::coverage;

/// Show how a figure was computed: the rule, the sum, and every submitted figure that went into it.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus explain E10000014 FY2021-22 --indicator initial-contacts")]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The area's code.
    area: String,
    /// The period.
    period: String,
    /// The indicator, by id.
    #[arg(short = 'i', long)]
    indicator: String,
    /// This agency's figure; by default the combined figure of all agencies.
    #[arg(short = 'a', long, default_value = "")]
    agency: String,
    #[command(flatten)]
    breakdown: BreakdownArg,
    #[command(flatten)]
    as_of: AsOf,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let request = ExplainFigureRequest {
        indicator: args.indicator,
        area: args.area,
        period: args.period,
        agency: args.agency,
        breakdown: args.breakdown.categories(),
        as_of_revision: args.as_of.revision,
        as_of_time: args.as_of.time,
        min_revision: 0,
    };
    let mut client = args.server.pictures().await?;
    let answer = response(client.explain_figure(request.clone()).await)?;
    let labels = if args.format.csv { catalogue_lookup::all_labels(&args.server).await? } else { Labels::default() };
    let as_of = tables::AsOf { revision: answer.revision, instant: answer.as_of };
    let table = ExplanationTable::new(request.clone(), labels, as_of);
    args.format.print(
        || json(&answer, "ExplainFigureResponse"),
        || table_csv(&table, [&answer]),
        || text(&request, &answer),
    )
}

fn text(request: &ExplainFigureRequest, answer: &ExplainFigureResponse) -> Printout {
    let indicator = answer.indicator.clone().unwrap_or_default();
    let figure = answer.figure.clone().unwrap_or_default();
    let kind = indicator.kind();
    let mut legend = Legend::default();
    legend.of_area(&request.area);
    let mut of = vec![format!("{} ({})", indicator.title, indicator.unit)];
    of.extend(request.breakdown.iter().map(|CategoryRef { dimension, category }| format!("{dimension}={category}")));
    let keys = [&request.area, &request.period, &request.agency];
    of.extend(keys.into_iter().filter(|key| !key.is_empty()).cloned());
    let value = [legend.value(&figure, kind), legend.flags(&figure)].join(" ");
    legend.discrepancies(&indicator.title, kind, &figure);
    let mut lines = vec![format!("{}: {}", of.join(", "), value.trim()), String::new()];
    for (heading, text) in [
        ("rule", &answer.rule),
        ("sum", &answer.formula),
        ("reported", &coverage(figure.coverage.as_ref())),
        ("revision", &answer.revision.to_string()),
    ] {
        if !text.is_empty() {
            lines.push(format!("{heading:<10}{text}"));
        }
    }
    let missing = figure.coverage.iter().flat_map(|coverage| &coverage.missing);
    lines.extend(missing.map(missing_line));
    let table = contributions(&mut legend, &answer.contributions);
    let more = usize::try_from(answer.contribution_count).unwrap_or(0).saturating_sub(answer.contributions.len());
    let more = if more == 0 { String::new() } else { format!("and {more} more\n") };
    let printout = Printout::from(format!("{}\n", lines.join("\n")));
    let printout = if table.is_empty() { printout } else { printout.text("\n").table(table) };
    printout.text(format!("{more}{}", legend.below()))
}

fn missing_line(missing: &Missing) -> String {
    let Missing { agency, area, period, .. } = missing;
    let reason = match missing.reason() {
        MissingReason::Unspecified => String::new(),
        MissingReason::Late => ", late".to_owned(),
        MissingReason::NotDue => ", not due".to_owned(),
        MissingReason::NotAvailable => ", not available".to_owned(),
        MissingReason::Contained => {
            format!(", within {} {}", missing.contained_in_area, missing.contained_in_period)
        }
    };
    format!("missing   {agency}, {area}, {period}{reason}")
}

/// The submitted figures that went into the answer.
fn contributions(legend: &mut Legend, contributions: &[Contribution]) -> TextTable {
    let mut table = TextTable::new([
        ("agency", Align::Left),
        ("area", Align::Left),
        ("period", Align::Left),
        ("submitted", Align::Right),
        ("", Align::Left),
        ("revision", Align::Right),
        ("submission", Align::Left),
        ("source", Align::Wrap(48)),
        ("explanation", Align::Wrap(48)),
        ("reason", Align::Wrap(48)),
    ]);
    for contribution in contributions {
        table.push([
            contribution.agency.clone(),
            contribution.area.clone(),
            contribution.period.clone(),
            contribution.value.clone(),
            legend.submitted_flags(&contribution.markers, contribution.sample).to_owned(),
            contribution.revision.to_string(),
            contribution.request_id.clone(),
            contribution.source.clone(),
            explanations(&contribution.explanations),
            contribution.reason.clone(),
        ]);
    }
    table
}

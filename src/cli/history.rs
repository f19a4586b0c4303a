//! `conspectus history`: every value that a submitted figure has had.

use clap::Parser;

use super::catalogue_lookup;
use super::common_args::{BreakdownArg, Format};
use super::connect::{Server, pages};
use super::failure::Failure;
use super::format::{json, table_csv, time};
use super::legend::Legend;
use super::printout::Printout;
use super::table::{Align, Table as TextTable};
use crate::rpc::proto::{GetHistoryRequest, GetHistoryResponse};
use crate::tables::{self, Labels, event, explanations};

/// Show every value that a submitted figure has had: when, by which submission, and why.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus history E06000044 2021-04 --indicator missing-episodes --agency portsmouth-childrens-services"
)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The area's code.
    area: String,
    /// The period that it was submitted for.
    period: String,
    /// The indicator, by id.
    #[arg(short = 'i', long)]
    indicator: String,
    /// The agency, by id.
    #[arg(short = 'a', long)]
    agency: String,
    #[command(flatten)]
    breakdown: BreakdownArg,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let request = GetHistoryRequest {
        indicator: args.indicator,
        agency: args.agency,
        area: args.area,
        period: args.period,
        breakdown: args.breakdown.categories(),
        ..GetHistoryRequest::default()
    };
    let mut client = args.server.pictures().await?;
    let mut answer = GetHistoryResponse::default();
    let get = async |page_token| client.get_history(GetHistoryRequest { page_token, ..request.clone() }).await;
    pages(get, |page| {
        answer.revision = page.revision;
        answer.items.extend(page.items);
        page.next_page_token
    })
    .await?;
    let labels = if args.format.csv { catalogue_lookup::all_labels(&args.server).await? } else { Labels::default() };
    let values = tables::history(&request, &labels);
    args.format.print(|| json(&answer, "GetHistoryResponse"), || table_csv(&values, &answer.items), || table(&answer))
}

fn table(answer: &GetHistoryResponse) -> Printout {
    let mut table = TextTable::new([
        ("revision", Align::Right),
        ("accepted", Align::Left),
        ("what", Align::Left),
        ("value", Align::Right),
        ("", Align::Left),
        ("submission", Align::Left),
        ("source", Align::Wrap(48)),
        ("reason", Align::Wrap(48)),
        ("explanation", Align::Wrap(48)),
    ]);
    let mut legend = Legend::default();
    for item in &answer.items {
        table.push([
            item.revision.to_string(),
            time(item.accepted_at.as_ref()),
            event(item.event()).to_owned(),
            item.value.clone(),
            legend.submitted_flags(&item.markers, item.sample).to_owned(),
            item.request_id.clone(),
            item.source.clone(),
            item.reason.clone(),
            explanations(&item.explanations),
        ]);
    }
    if table.is_empty() {
        return "That figure was never submitted for that period; `conspectus explain` shows what an answer is computed from.\n"
            .into();
    }
    Printout::default().table(table).text(legend.below())
}

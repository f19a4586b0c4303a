//! `conspectus changes`: every figure that changed after a revision, for those who keep a copy.

use std::time::Duration;

use clap::Parser;
use tonic::Status;

use super::catalogue_lookup;
use super::connect::{Connection, Server, refusal};
use super::failure::Failure;
use super::format::{json_line, table_csv, time};
use super::legend::Legend;
use super::observation_text::{FIGURE_COLUMNS, figure_cells};
use super::output;
use super::printout::Printout;
use super::table::{Align, Table};
use super::watch::{may_resume, reconnecting};
use crate::rpc::Reason;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::proto::{FigureChange, ListChangesRequest, ListChangesResponse};
use crate::tables::{self, Labels, ListTable, event};

/// The most changes that a page may have.
const PAGE: i32 = 10_000;
/// How long to wait before asking again a server that went away.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// List every submitted figure that changed after a revision: submitted, revised, withdrawn, restored.
///
/// To keep a copy, take all of it once, and then again and again what changed after the revision that the last answer
/// names; or let --follow go on with each change as it comes.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus changes --area HIPS --csv\n  conspectus changes --area HIPS --after 14 --follow"
)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// Figures of these areas, by code, and of the areas that lie within them today.
    #[arg(long, required = true, value_delimiter = ',')]
    area: Vec<String>,
    /// Only what changed after this revision; 0 for all.
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    after: i64,
    /// Only these indicators, by id.
    #[arg(short = 'i', long, value_delimiter = ',')]
    indicator: Vec<String>,
    /// Only figures of these agencies, by id.
    #[arg(short = 'a', long, value_delimiter = ',')]
    agency: Vec<String>,
    /// Go on with later changes as they come, until it is ended.
    #[arg(long)]
    follow: bool,
    /// Print each page of the answer as one line of JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the changes as CSV. A text that a spreadsheet would take for a formula has an apostrophe before it.
    #[arg(long)]
    csv: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut request = ListChangesRequest {
        after_revision: args.after,
        areas: args.area.clone(),
        indicators: args.indicator.clone(),
        agencies: args.agency.clone(),
        page_size: PAGE,
        ..ListChangesRequest::default()
    };
    // Of what is added to the catalogue while changes are followed, there are ids alone.
    let labels = if args.csv { catalogue_lookup::all_labels(&args.server).await? } else { Labels::default() };
    let mut printer = Printer { json: args.json, csv: args.csv.then(|| tables::changes(labels)), is_first: true };
    let mut client = args.server.pictures().await?;
    loop {
        let page = next_page(&mut client, &request).await?;
        printer.print(&page)?;
        request.page_token.clone_from(&page.next_page_token);
        if !page.next_page_token.is_empty() {
            continue;
        }
        if !args.follow {
            return printer.end(page.revision);
        }
        (request.after_revision, request.min_revision) = (page.revision, page.revision + 1);
    }
}

/// The next page: where later changes are followed, once there is one. The channel connects again by itself.
async fn next_page(
    client: &mut PictureServiceClient<Connection>,
    request: &ListChangesRequest,
) -> Result<ListChangesResponse, Failure> {
    let (mut is_broken, follows) = (false, request.min_revision > 0);
    loop {
        match client.list_changes(request.clone()).await {
            Ok(page) => return Ok(page.into_inner()),
            Err(status) if follows && is_none_yet(&status) => is_broken = false,
            // A server that is being restarted.
            Err(status) if follows && may_resume(&status) => {
                if !std::mem::replace(&mut is_broken, true) {
                    reconnecting(request.after_revision);
                }
                tokio::time::sleep(RECONNECT_DELAY).await;
            }
            Err(status) => return Err(refusal(&status, str::to_owned)),
        }
    }
}

/// Whether nothing has changed yet.
fn is_none_yet(status: &Status) -> bool {
    Reason::of(status) == Some(Reason::RevisionNotReached)
}

/// Prints pages one after the other, each as soon as it is there.
struct Printer {
    json: bool,
    csv: Option<ListTable<FigureChange>>,
    is_first: bool,
}

impl Printer {
    fn print(&mut self, page: &ListChangesResponse) -> Result<(), Failure> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        if self.json {
            return output::print_line(json_line(page, "ListChangesResponse")?);
        }
        if let Some(table) = &self.csv {
            let text = table_csv(table, &page.changes)?;
            let rows = text.split_once('\n').map_or("", |(_, rows)| rows);
            return output::print(if is_first { &text } else { rows });
        }
        if page.changes.is_empty() { Ok(()) } else { output::show(&table(&page.changes)) }
    }

    /// Says where to go on, beside what is for programs.
    fn end(&self, revision: i64) -> Result<(), Failure> {
        let text = format!("These are all changes up to revision {revision}: go on with --after {revision}.");
        if self.json || self.csv.is_some() {
            output::note(text);
            return Ok(());
        }
        output::print_line(text)
    }
}

fn table(changes: &[FigureChange]) -> Printout {
    let columns =
        [("revision", Align::Right), ("accepted", Align::Left), ("what", Align::Left), ("agency", Align::Left)];
    let after = [("", Align::Left), ("reason", Align::Wrap(48))];
    let mut table = Table::new(columns.into_iter().chain(FIGURE_COLUMNS).chain(after));
    let mut legend = Legend::default();
    for change in changes {
        let change_cells = [
            change.revision.to_string(),
            time(change.accepted_at.as_ref()),
            event(change.event()).to_owned(),
            change.agency.clone(),
        ];
        let figure = change.observation.clone().unwrap_or_default();
        let flags = legend.submitted_flags(&figure.markers, change.sample).to_owned();
        table.push(change_cells.into_iter().chain(figure_cells(&figure)).chain([flags, change.reason.clone()]));
    }
    Printout::default().table(table).text(format!("{}\n", legend.below()))
}

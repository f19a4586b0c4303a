//! `conspectus catalogue`: what is counted, by whom, for where.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::Failure;
use super::connect::{Server, refusal};
use super::table::{Align, Table};
use crate::catalogue::CataloguePut;
use crate::catalogue::items::{AcrossAgencies, AreaLevel, Kind, Sector};
use crate::model::period::Frequency;
use crate::rpc::proto::{
    ListAgenciesRequest, ListAreasRequest, ListDimensionsRequest, ListIndicatorsRequest, PutCatalogueResponse,
    PutOutcome,
};
use crate::rpc::put_request;

/// Put items of a TOML file into the catalogue, or list what is there.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create or change the items of a TOML file: all of them or, when one is wrong, none.
    Put {
        /// The file, with tables [[areas]], [[agencies]], [[dimensions]] and [[indicators]].
        file: PathBuf,
        /// Only check: say what would happen, and store nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// List the agencies.
    Agencies,
    /// List the areas.
    Areas,
    /// List the breakdown dimensions and their categories.
    Dimensions,
    /// List the indicators.
    Indicators,
}

/// Far more than a catalogue has; the server gives pages of it.
const PAGE: i32 = 1_000;

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Put { file, dry_run } => put(&args.server, file, dry_run).await,
        Verb::Agencies => agencies(&args.server).await,
        Verb::Areas => areas(&args.server).await,
        Verb::Dimensions => dimensions(&args.server).await,
        Verb::Indicators => indicators(&args.server).await,
    }
}

async fn put(server: &Server, file: PathBuf, dry_run: bool) -> Result<(), Failure> {
    let text =
        std::fs::read_to_string(&file).map_err(|error| Failure(format!("can't read {}: {error}", file.display())))?;
    let put: CataloguePut = toml::from_str(&text).map_err(|error| Failure(format!("{}: {error}", file.display())))?;
    let mut client = server.catalogue().await?;
    let request = put_request(&put, dry_run);
    let answer = client.put_catalogue(request).await.map_err(|status| refusal(&status, str::to_owned))?.into_inner();
    println!("{}", summary(&answer, dry_run));
    Ok(())
}

fn summary(answer: &PutCatalogueResponse, dry_run: bool) -> String {
    let all = || {
        answer
            .areas
            .iter()
            .chain(&answer.agencies)
            .chain(&answer.dimensions)
            .chain(&answer.indicators)
            .chain(&answer.reconciliation_rules)
    };
    let count = |wanted: PutOutcome| all().filter(|outcome| **outcome == i32::from(wanted)).count();
    let counts = format!(
        "{} created, {} updated, {} versions added, {} unchanged",
        count(PutOutcome::Created),
        count(PutOutcome::Updated),
        count(PutOutcome::VersionAdded),
        count(PutOutcome::Unchanged)
    );
    if dry_run {
        format!("Nothing is wrong. Put, this would be: {counts}. Nothing was stored.")
    } else {
        format!("The catalogue is at revision {}: {counts}.", answer.revision)
    }
}

fn lists<const N: usize>(headings: [&str; N]) -> Table {
    Table::new(headings.map(|heading| (heading, Align::Left)))
}

fn word<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

async fn agencies(server: &Server) -> Result<(), Failure> {
    let mut client = server.catalogue().await?;
    let mut table = lists(["id", "name", "sector", "reports for"]);
    let mut request = ListAgenciesRequest { page_size: PAGE, ..ListAgenciesRequest::default() };
    loop {
        let page =
            client.list_agencies(request.clone()).await.map_err(|status| refusal(&status, str::to_owned))?.into_inner();
        for agency in page.agencies {
            table.push([agency.id, agency.name, word(Sector::from_code(agency.sector)), agency.areas.join(" ")]);
        }
        if page.next_page_token.is_empty() {
            print!("{table}");
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn areas(server: &Server) -> Result<(), Failure> {
    let mut client = server.catalogue().await?;
    let mut table = lists(["code", "name", "level", "within"]);
    let mut request = ListAreasRequest { page_size: PAGE, ..ListAreasRequest::default() };
    loop {
        let page =
            client.list_areas(request.clone()).await.map_err(|status| refusal(&status, str::to_owned))?.into_inner();
        for area in page.areas {
            let parents: Vec<String> = area.parents.into_iter().map(|parent| parent.code).collect();
            table.push([area.code, area.name, word(AreaLevel::from_code(area.level)), parents.join(" ")]);
        }
        if page.next_page_token.is_empty() {
            print!("{table}");
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn dimensions(server: &Server) -> Result<(), Failure> {
    let mut client = server.catalogue().await?;
    let mut table = lists(["dimension", "category", "title"]);
    let mut request = ListDimensionsRequest { page_size: PAGE, ..ListDimensionsRequest::default() };
    loop {
        let page = client
            .list_dimensions(request.clone())
            .await
            .map_err(|status| refusal(&status, str::to_owned))?
            .into_inner();
        for dimension in page.dimensions {
            table.push([dimension.id, String::new(), dimension.title]);
            for category in dimension.categories {
                table.push([String::new(), category.id, category.title]);
            }
        }
        if page.next_page_token.is_empty() {
            print!("{table}");
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn indicators(server: &Server) -> Result<(), Failure> {
    let mut client = server.catalogue().await?;
    let mut table = lists(["id", "title", "unit", "kind", "every", "over agencies"]);
    let mut request = ListIndicatorsRequest { page_size: PAGE, ..ListIndicatorsRequest::default() };
    loop {
        let page = client
            .list_indicators(request.clone())
            .await
            .map_err(|status| refusal(&status, str::to_owned))?
            .into_inner();
        for indicator in page.indicators {
            table.push([
                indicator.id,
                indicator.title,
                indicator.unit,
                word(Kind::from_code(indicator.kind)),
                word(Frequency::from_code(indicator.frequency)),
                word(AcrossAgencies::from_code(indicator.across_agencies)),
            ]);
        }
        if page.next_page_token.is_empty() {
            print!("{table}");
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

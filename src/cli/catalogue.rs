//! `conspectus catalogue`: what is counted, by whom, for where.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::connect::{Server, answered};
use super::table::{Align, Table};
use super::{Failure, catalogue_lookup};
use crate::catalogue::CataloguePut;
use crate::catalogue::items::{AcrossAgencies, AreaLevel, Kind, Sector};
use crate::model::period::Frequency;
use crate::rpc::proto::{PutCatalogueResponse, PutOutcome};
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
        /// The file, with tables [[areas]], [[agencies]], [[dimensions]], [[indicators]] and
        /// [[reconciliation_rules]].
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
    /// List the reconciliation rules.
    Rules,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Put { file, dry_run } => put(&args.server, file, dry_run).await,
        Verb::Agencies => agencies(&args.server).await,
        Verb::Areas => areas(&args.server).await,
        Verb::Dimensions => dimensions(&args.server).await,
        Verb::Indicators => indicators(&args.server).await,
        Verb::Rules => rules(&args.server).await,
    }
}

async fn put(server: &Server, file: PathBuf, dry_run: bool) -> Result<(), Failure> {
    let text =
        std::fs::read_to_string(&file).map_err(|error| Failure(format!("can't read {}: {error}", file.display())))?;
    let put: CataloguePut = toml::from_str(&text).map_err(|error| Failure(format!("{}: {error}", file.display())))?;
    let mut client = server.catalogue().await?;
    let request = put_request(&put, dry_run);
    let answer = answered(client.put_catalogue(request).await)?;
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
    let mut table = lists(["id", "name", "sector", "reports for"]);
    for agency in catalogue_lookup::agencies(server).await? {
        table.push([agency.id, agency.name, word(Sector::from_code(agency.sector)), agency.areas.join(" ")]);
    }
    print!("{table}");
    Ok(())
}

async fn areas(server: &Server) -> Result<(), Failure> {
    let mut table = lists(["code", "name", "level", "within"]);
    for area in catalogue_lookup::areas(server).await? {
        let parents: Vec<String> = area.parents.into_iter().map(|parent| parent.code).collect();
        table.push([area.code, area.name, word(AreaLevel::from_code(area.level)), parents.join(" ")]);
    }
    print!("{table}");
    Ok(())
}

async fn dimensions(server: &Server) -> Result<(), Failure> {
    let mut table = lists(["dimension", "category", "title"]);
    for dimension in catalogue_lookup::dimensions(server).await? {
        table.push([dimension.id, String::new(), dimension.title]);
        for category in dimension.categories {
            table.push([String::new(), category.id, category.title]);
        }
    }
    print!("{table}");
    Ok(())
}

async fn indicators(server: &Server) -> Result<(), Failure> {
    let mut table = lists(["id", "title", "unit", "kind", "every", "over agencies"]);
    for indicator in catalogue_lookup::indicators(server).await?.into_values() {
        table.push([
            indicator.id,
            indicator.title,
            indicator.unit,
            word(Kind::from_code(indicator.kind)),
            word(Frequency::from_code(indicator.frequency)),
            word(AcrossAgencies::from_code(indicator.across_agencies)),
        ]);
    }
    print!("{table}");
    Ok(())
}

async fn rules(server: &Server) -> Result<(), Failure> {
    let mut table = lists(["id", "title", "of", "and of"]);
    for rule in catalogue_lookup::rules(server).await?.into_values() {
        let of = |indicator: String, agency: String| {
            if agency.is_empty() { indicator } else { format!("{indicator} by {agency}") }
        };
        let (left, right) = (of(rule.left_indicator, rule.left_agency), of(rule.right_indicator, rule.right_agency));
        table.push([rule.id, rule.title, left, right]);
    }
    print!("{table}");
    Ok(())
}

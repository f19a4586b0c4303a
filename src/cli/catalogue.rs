//! `conspectus catalogue`: what is counted, by which agencies, for which areas.

#[cfg(feature = "server")]
mod check;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use super::catalogue_lookup;
use super::connect::{Server, response};
use super::failure::Failure;
use super::output;
use super::printout::Printout;
use super::table::{Align, Table};
use crate::catalogue::CataloguePut;
use crate::catalogue::items::{AcrossAgencies, AreaLevel, Kind, Sector};
use crate::model::period::Frequency;
use crate::rpc::proto::{Indicator, PutCatalogueResponse, PutOutcome, UnfinishedPeriods};
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
    /// Create or change the items of a TOML file: all of them, or none if one is wrong.
    #[command(after_help = "Examples:\n  conspectus catalogue put data/catalogue.toml --dry-run")]
    Put {
        /// The file, with tables [[areas]], [[agencies]], [[dimensions]], [[indicators]],
        /// [[reconciliation_rules]] and [[calendars]].
        file: PathBuf,
        /// Only check: report what would happen, and store nothing.
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
    #[cfg(feature = "server")]
    /// Show what the checks of a TOML file would have caught of the figures that were submitted: which agencies', areas'
    /// and periods', and the worst of them. Nothing is stored, and no key is needed.
    ///
    /// Steward's keys don't read figures, so it is done by whoever runs the machine, on the data folder of a server
    /// that is stopped or on a copy of one.
    #[command(after_help = "Examples:\n  conspectus catalogue check draft.toml --data conspectus-data")]
    Check {
        /// The file: a catalogue, or the part of one that is to be put. Its checks are tried.
        file: PathBuf,
        /// The data folder.
        #[arg(long, env = "CONSPECTUS_DATA", value_name = "FOLDER")]
        data: PathBuf,
    },
    /// List the agencies.
    #[command(after_help = "Examples:\n  conspectus catalogue agencies")]
    Agencies,
    /// List the areas.
    #[command(after_help = "Examples:\n  conspectus catalogue areas")]
    Areas,
    /// List the breakdown dimensions and their categories.
    #[command(after_help = "Examples:\n  conspectus catalogue dimensions")]
    Dimensions,
    /// List the indicators.
    #[command(after_help = "Examples:\n  conspectus catalogue indicators")]
    Indicators,
    /// List the reconciliation rules.
    #[command(after_help = "Examples:\n  conspectus catalogue rules")]
    Rules,
    /// List the calendars and their holidays.
    #[command(after_help = "Examples:\n  conspectus catalogue calendars")]
    Calendars,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Put { file, dry_run } => put(&args.server, &file, dry_run).await,
        #[cfg(feature = "server")]
        Verb::Check { file, data } => check::run(&read(&file)?, &file, &data),
        Verb::Agencies => agencies(&args.server).await,
        Verb::Areas => areas(&args.server).await,
        Verb::Dimensions => dimensions(&args.server).await,
        Verb::Indicators => indicators(&args.server).await,
        Verb::Rules => rules(&args.server).await,
        Verb::Calendars => calendars(&args.server).await,
    }
}

/// The items of a file.
fn read(file: &Path) -> Result<CataloguePut, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format!("can't read {}: {error}", file.display())))?;
    toml::from_str(&text).map_err(|error| Failure::refused(format!("{}: {error}", file.display())))
}

async fn put(server: &Server, file: &Path, dry_run: bool) -> Result<(), Failure> {
    let put = read(file)?;
    let mut client = server.catalogue().await?;
    let request = put_request(&put, dry_run);
    let answer = response(client.put_catalogue(request).await)?;
    output::print_line(summary(&answer, dry_run))
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
            .chain(&answer.calendars)
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
        format!("No problems found. Putting it would give: {counts}. Nothing was stored.")
    } else {
        format!("The catalogue is at revision {}: {counts}.", answer.revision)
    }
}

fn list<const N: usize>(headings: [&str; N]) -> Table {
    Table::new(headings.map(|heading| (heading, Align::Left)))
}

fn code<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

async fn agencies(server: &Server) -> Result<(), Failure> {
    let mut table = list(["id", "name", "sector", "reports for"]);
    for agency in catalogue_lookup::agencies(server).await? {
        table.push([agency.id, agency.name, code(Sector::from_code(agency.sector)), agency.areas.join(" ")]);
    }
    output::show(&Printout::default().table(table))
}

async fn areas(server: &Server) -> Result<(), Failure> {
    let mut table = list(["code", "name", "level", "within", "first day", "last day", "went into"]);
    for area in catalogue_lookup::areas(server).await? {
        let parents: Vec<String> = area.parents.into_iter().map(|parent| parent.code).collect();
        table.push([
            area.code,
            area.name,
            code(AreaLevel::from_code(area.level)),
            parents.join(" "),
            area.valid_from,
            area.valid_to,
            area.successors.join(" "),
        ]);
    }
    output::show(&Printout::default().table(table))
}

async fn dimensions(server: &Server) -> Result<(), Failure> {
    let mut table = list(["dimension", "category", "title"]);
    for dimension in catalogue_lookup::dimensions(server).await? {
        table.push([dimension.id, String::new(), dimension.title]);
        for category in dimension.categories {
            table.push([String::new(), category.id, category.title]);
        }
    }
    output::show(&Printout::default().table(table))
}

async fn indicators(server: &Server) -> Result<(), Failure> {
    let mut table =
        list(["id", "title", "unit", "kind", "every", "over agencies", "before a period is over", "corrections"]);
    for indicator in catalogue_lookup::indicators(server).await?.into_values() {
        let unfinished = before_it_is_over(indicator.unfinished_periods());
        let corrections = corrections(&indicator);
        table.push([
            indicator.id,
            indicator.title,
            indicator.unit,
            code(Kind::from_code(indicator.kind)),
            code(Frequency::from_code(indicator.frequency)),
            code(AcrossAgencies::from_code(indicator.across_agencies)),
            unfinished.to_owned(),
            corrections,
        ]);
    }
    output::show(&Printout::default().table(table))
}

/// What it takes to correct its figures, where it takes something.
fn corrections(indicator: &Indicator) -> String {
    let reason = indicator.correction_reason_required.then(|| "with a reason".to_owned());
    let lock = indicator.lock_days.map(|days| format!("locked {days} days after they are due"));
    reason.into_iter().chain(lock).collect::<Vec<_>>().join(", ")
}

/// What becomes of a figure for a period that isn't over, where that isn't the default.
fn before_it_is_over(unfinished: UnfinishedPeriods) -> &'static str {
    match unfinished {
        UnfinishedPeriods::Unspecified | UnfinishedPeriods::Refused => "",
        UnfinishedPeriods::ToDate => "to date",
    }
}

async fn rules(server: &Server) -> Result<(), Failure> {
    let mut table = list(["id", "title", "of", "and of"]);
    for rule in catalogue_lookup::rules(server).await?.into_values() {
        let of = |indicator: String, agency: String| {
            if agency.is_empty() { indicator } else { format!("{indicator} by {agency}") }
        };
        let (left, right) = (of(rule.left_indicator, rule.left_agency), of(rule.right_indicator, rule.right_agency));
        table.push([rule.id, rule.title, left, right]);
    }
    output::show(&Printout::default().table(table))
}

async fn calendars(server: &Server) -> Result<(), Failure> {
    let mut table = list(["calendar", "holidays", "title"]);
    for calendar in catalogue_lookup::calendars(server).await? {
        table.push([calendar.id, String::new(), calendar.title]);
        for holiday in calendar.holidays {
            table.push([String::new(), holiday, String::new()]);
        }
    }
    output::show(&Printout::default().table(table))
}

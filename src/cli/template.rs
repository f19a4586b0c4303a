//! `conspectus template`: a spreadsheet to fill in, with a row for each figure that an agency is
//! expected to report.

mod bounds;
mod content;
mod cover;
mod definitions_sheet;
mod earlier;
mod figures_sheet;
mod lists;
mod rows;
mod sheet;
mod workbook;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use clap::Parser;

use super::connect::{Server, response};
use super::failure::Failure;
use super::format::{self, counted};
use super::spreadsheet_path::SpreadsheetPath;
use super::{catalogue_lookup, completeness, output};
use crate::catalogue::items::Kind;
use crate::figures::Field;
use crate::model::id::DimensionId;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::rpc::proto::{
    Agency, Dimension, GetAgencyRequest, GetCompletenessRequest, GetCompletenessResponse, Slot, SlotStatus,
};
use content::Content;
use rows::{Row, categories};

/// Make a spreadsheet to fill in and submit: a row for each figure that an agency is expected to report.
///
/// As a workbook (--output figures.xlsx) it says what to do, has the names, definitions and your own earlier figures
/// beside the rows, and checks numbers as they are typed. Otherwise it is CSV.
///
/// A row that is left empty is refused when it is submitted: delete it, leave it out with --skip-empty, or give the
/// reason in `markers` (x not available, z not applicable, c confidential). The columns title, place, unit, previous,
/// year before and due are for you, and aren't read. In CSV a text that a spreadsheet would take for a formula has an
/// apostrophe before it.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The agency, by id.
    #[arg(short = 'a', long)]
    agency: String,
    /// The periods. Each includes the shorter periods that indicators are reported for.
    #[arg(short = 'p', long, required = true, value_delimiter = ',')]
    period: Vec<String>,
    /// Only these areas, by code, and the areas within them; by default all that it reports for.
    #[arg(long, value_delimiter = ',')]
    area: Vec<String>,
    /// Only these indicators, by id.
    #[arg(short = 'i', long, value_delimiter = ',')]
    indicator: Vec<String>,
    /// Only figures that haven't been reported yet.
    #[arg(long)]
    missing: bool,
    /// Also a row for each category that a figure may be broken down by. Without this there are those that a check of
    /// the indicator expects.
    #[arg(long)]
    breakdowns: bool,
    /// Write it to this file, which mustn't be there yet: a workbook (a name in .xlsx) or CSV (.csv). By default CSV is
    /// printed.
    #[arg(long, value_name = "FILE")]
    output: Option<SpreadsheetPath>,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    if let Some(path) = args.output.as_ref().map(SpreadsheetPath::path).filter(|path| path.exists()) {
        return Err(Failure::usage(format!("--output: {} is there already; name a new file", path.display())));
    }
    let agency = agency(&args).await?;
    let expected = expected(&args, &agency).await?;
    if expected.slots.is_empty() {
        return match expected.any_expected {
            // Not where the file goes.
            true => {
                output::note(format_args!(
                    "No such figures are missing from {}: there is nothing to fill in.",
                    agency.id
                ));
                Ok(())
            }
            false => Err(Failure::refused(format!("no such figures are expected from {}", args.agency))),
        };
    }
    let ids: BTreeSet<&String> = expected.slots.iter().map(|slot| &slot.indicator).collect();
    let indicators = catalogue_lookup::definitions(&args.server, ids).await?;
    let dimensions = catalogue_lookup::dimensions(&args.server).await?;
    let rows = rows::of(&expected.slots, &indicators, &dimensions, args.breakdowns)?;
    if rows.len() > OBSERVATIONS_MAX {
        return Err(Failure::refused(format!(
            "found {} rows; allowed in one submission: at most {OBSERVATIONS_MAX}. Name fewer periods, areas or indicators",
            rows.len()
        )));
    }
    match &args.output {
        None => output::print(csv(&rows)?),
        Some(SpreadsheetPath::Csv(path)) => write(path, csv(&rows)?.as_bytes(), &rows),
        Some(SpreadsheetPath::Workbook(path)) => {
            let content = Content {
                agency: &agency,
                periods: &args.period,
                made: format::time(expected.as_of.as_ref()),
                revision: expected.revision,
                rows: &rows,
                earlier: &earlier::read(&args.server, &agency.id, &rows).await?,
                places: &catalogue_lookup::areas(&args.server)
                    .await?
                    .into_iter()
                    .map(|it| (it.code, it.name))
                    .collect(),
                categories: allowed_categories(&rows, &dimensions),
                file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            };
            write(path, &workbook::bytes(&content)?, &rows)?;
            if let Some(note) = &content.earlier.note {
                output::note(note);
            }
            Ok(())
        }
    }
}

async fn agency(args: &Args) -> Result<Agency, Failure> {
    let mut client = args.server.catalogue().await?;
    let request = GetAgencyRequest { id: args.agency.clone(), as_of_revision: 0 };
    Ok(response(client.get_agency(request).await)?.agency.unwrap_or_default())
}

/// The figures to report, and whether any are expected at all.
struct Expected {
    slots: Vec<Slot>,
    any_expected: bool,
    revision: i64,
    as_of: Option<prost_types::Timestamp>,
}

async fn expected(args: &Args, agency: &Agency) -> Result<Expected, Failure> {
    let areas: BTreeSet<&String> = if args.area.is_empty() { &agency.areas } else { &args.area }.iter().collect();
    // A county's answer has the figures of its districts too: each row is printed once.
    let (mut slots, mut any_expected) = (BTreeMap::new(), false);
    let mut newest = GetCompletenessResponse::default();
    for area in areas {
        let request = GetCompletenessRequest {
            area: area.clone(),
            periods: args.period.clone(),
            indicators: args.indicator.clone(),
            agencies: vec![args.agency.clone()],
            // All areas are asked about at the instant of the first.
            as_of_time: newest.as_of,
            ..GetCompletenessRequest::default()
        };
        let answer = completeness::fetch(&args.server, request).await?;
        any_expected |= !answer.slots.is_empty();
        (newest.revision, newest.as_of) = (answer.revision, answer.as_of);
        slots.extend(answer.slots.into_iter().filter(|slot| !args.missing || is_missing(slot)).map(|slot| {
            let key = (slot.indicator.clone(), slot.area.clone(), slot.due.clone(), slot.period.clone());
            (key, slot)
        }));
    }
    let slots = slots.into_values().collect();
    Ok(Expected { slots, any_expected, revision: newest.revision, as_of: newest.as_of })
}

fn is_missing(slot: &Slot) -> bool {
    match slot.status() {
        SlotStatus::Late | SlotStatus::NotDue | SlotStatus::NotAvailable => true,
        SlotStatus::Unspecified | SlotStatus::OnTime | SlotStatus::ReportedLate => false,
    }
}

/// The categories of the dimensions that some row may be broken down by.
fn allowed_categories(rows: &[Row<'_>], dimensions: &[Dimension]) -> Vec<rows::Category> {
    let allowed: BTreeSet<&str> =
        rows.iter().flat_map(|row| &row.definition.dimensions).map(DimensionId::as_str).collect();
    dimensions.iter().filter(|dimension| allowed.contains(dimension.id.as_str())).flat_map(categories).collect()
}

/// Writes the file, which isn't there yet, and says what it has.
fn write(path: &Path, bytes: &[u8], rows: &[Row<'_>]) -> Result<(), Failure> {
    let write = || OpenOptions::new().write(true).create_new(true).open(path)?.write_all(bytes);
    write().map_err(|error| Failure::failed(format!("can't write {}: {error}", path.display())))?;
    let days: BTreeSet<&str> = rows.iter().map(|row| row.due.as_str()).collect();
    let due = match (days.first(), days.last()) {
        (Some(first), Some(last)) if first != last => format!(", due from {first} to {last}"),
        (Some(day), _) => format!(", due on {day}"),
        (None, _) => String::new(),
    };
    output::print_text(&format!(
        "{} has {}{due}.\n",
        path.display(),
        counted(rows.len(), "row to fill in", "rows to fill in")
    ))
}

/// The rows to fill in as CSV, with the columns that the indicators need.
fn csv(rows: &[Row<'_>]) -> Result<String, Failure> {
    let has = |kind| rows.iter().any(|row| row.definition.kind == kind);
    let mut columns = vec![Field::Indicator, Field::Area, Field::Period];
    columns.extend(rows.iter().any(|row| row.category.is_some()).then_some(Field::Breakdown));
    columns.push(Field::Value);
    if has(Kind::Ratio) {
        columns.extend([Field::Numerator, Field::Denominator]);
    }
    columns.extend(has(Kind::Mean).then_some(Field::Count));
    columns.extend([Field::Markers, Field::Note, Field::Unit, Field::Due]);
    let cells = |row: &Row<'_>| columns.iter().map(|field| row.given(*field)).collect::<Vec<_>>();
    format::csv(columns.iter().map(|field| field.name()), rows.iter().map(cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::items::Indicator;

    #[test]
    fn the_columns_are_those_that_the_kinds_need() {
        let indicator = |(id, kind, unit): (&str, &str, &str)| {
            let version = format!(
                "id = \"{id}\"\ntitle = \"A title\"\nkind = \"{kind}\"\nunit = \"{unit}\"\nfrequency = \"month\"\n\
                 reporting_level = \"upper-tier\"\nacross_agencies = \"add\"\ndimensions = [\"sex\"]"
            );
            (id.to_owned(), Indicator::new(toml::from_str(&version).unwrap()))
        };
        let kinds = [("contacts", "events", "contacts"), ("timely", "ratio", "per cent"), ("wait", "mean", "days")];
        let indicators: BTreeMap<String, Indicator> = kinds.into_iter().map(indicator).collect();
        let category = |id: &str| crate::rpc::proto::Category { id: id.to_owned(), title: String::new() };
        let sex = Dimension {
            id: "sex".to_owned(),
            categories: vec![category("female"), category("male")],
            ..Default::default()
        };
        let slot = |indicator: &str| Slot {
            indicator: indicator.to_owned(),
            area: "E10000014".to_owned(),
            period: "FY2021-22".to_owned(),
            due: "2022-07-31".to_owned(),
            ..Slot::default()
        };
        let csv = |slots: &[Slot], breakdowns| {
            csv(&rows::of(slots, &indicators, std::slice::from_ref(&sex), breakdowns).unwrap()).unwrap()
        };
        let october = Slot { period: "2009-10".to_owned(), ..slot("contacts") };
        let counts = csv(&[slot("contacts"), october], false);
        let all = csv(&[slot("contacts"), slot("timely"), slot("wait")], false);
        insta::assert_snapshot!(format!("{counts}\n{all}\n{}", csv(&[slot("contacts")], true)));
    }
}

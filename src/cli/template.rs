//! `conspectus template`: a spreadsheet to fill in, with a row for each figure that an agency is
//! expected to report.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use clap::Parser;

use super::connect::{Server, refusal};
use super::failure::Failure;
use super::format::{self, counted};
use super::output;
use super::spreadsheet_path::SpreadsheetPath;
use crate::catalogue::items::Kind;
use crate::figures::Field;
use crate::submitting::template::rows::Row;
use crate::submitting::template::{Error, Expected, Question};

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
#[command(
    after_help = "Examples:\n  conspectus template --agency portsmouth-childrens-services --period FY2021-22-Q1 --output figures.xlsx"
)]
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
    let question = Question {
        agency: args.agency,
        periods: args.period,
        areas: args.area,
        indicators: args.indicator,
        missing: args.missing,
        breakdowns: args.breakdowns,
    };
    let (mut catalogue, mut pictures) = (args.server.catalogue().await?, args.server.pictures().await?);
    let expected =
        Expected::find(&mut catalogue, &mut pictures, &question).await.map_err(Error::from).map_err(failure)?;
    let rows = expected.rows().map_err(failure)?;
    if rows.is_empty() {
        return match expected.any {
            // Not where the file goes.
            true => {
                output::note(format_args!(
                    "No such figures are missing from {}: there is nothing to fill in.",
                    question.agency
                ));
                Ok(())
            }
            false => Err(Failure::refused(format!("no such figures are expected from {}", question.agency))),
        };
    }
    match &args.output {
        None => output::print(csv(&rows)?),
        Some(SpreadsheetPath::Csv(path)) => write(path, csv(&rows)?.as_bytes(), &rows),
        Some(SpreadsheetPath::Workbook(path)) => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let mut submissions = args.server.submissions().await?;
            let made = expected.workbook(&mut catalogue, &mut submissions, &question, &rows, &file).await;
            let (bytes, note) = made.map_err(failure)?;
            write(path, &bytes, &rows)?;
            if let Some(note) = &note {
                output::note(note);
            }
            Ok(())
        }
    }
}

/// Why there is no template.
fn failure(error: Error) -> Failure {
    match error {
        Error::Refused(status) => refusal(&status, str::to_owned),
        Error::TooManyRows(_) => Failure::refused(error.to_string()),
        Error::Period(_) | Error::Workbook(_) => error.into(),
    }
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalogue::items::Indicator;
    use crate::rpc::proto::{Dimension, Slot};
    use crate::submitting::template::rows;

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

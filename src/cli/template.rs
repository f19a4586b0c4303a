//! `conspectus template`: a spreadsheet to fill in, with a row for each figure that an agency is
//! expected to report.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;

use super::connect::{Server, response};
use super::failure::Failure;
use super::{catalogue_lookup, completeness, format, output};
use crate::figures::unambiguous;
use crate::rpc::proto::{GetAgencyRequest, GetCompletenessRequest, Indicator, Kind, Slot, SlotStatus};

/// Print a CSV file to fill in and submit: a row for each figure that an agency is expected to report.
///
/// A row without a value is refused when it is submitted: delete it, or give the reason in `markers`
/// (x not available, z not applicable, c confidential). The columns unit and due are for you, and aren't
/// read. A text that a spreadsheet would take for a formula has an apostrophe before it.
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
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let indicators = catalogue_lookup::indicators(&args.server).await?;
    let mut areas: BTreeSet<String> = args.area.into_iter().collect();
    if areas.is_empty() {
        let mut client = args.server.catalogue().await?;
        let agency =
            response(client.get_agency(GetAgencyRequest { id: args.agency.clone(), as_of_revision: 0 }).await)?;
        areas.extend(agency.agency.unwrap_or_default().areas);
    }
    // A county's answer has the figures of its districts too: each row is printed once.
    let (mut expected, mut any_expected) = (BTreeMap::new(), false);
    for area in areas {
        let request = GetCompletenessRequest {
            area,
            periods: args.period.clone(),
            indicators: args.indicator.clone(),
            agencies: vec![args.agency.clone()],
            ..GetCompletenessRequest::default()
        };
        let answer = completeness::fetch(&args.server, request).await?;
        any_expected |= !answer.slots.is_empty();
        expected.extend(answer.slots.into_iter().filter(|slot| !args.missing || is_missing(slot)).map(|slot| {
            let key = (slot.indicator.clone(), slot.area.clone(), slot.due.clone(), slot.period.clone());
            (key, slot)
        }));
    }
    if expected.is_empty() && args.missing && any_expected {
        // Not where the file goes.
        output::note(format_args!("No such figures are missing from {}: there is nothing to fill in.", args.agency));
        return Ok(());
    }
    if expected.is_empty() {
        return Err(Failure::refused(format!("no such figures are expected from {}", args.agency)));
    }
    output::print(csv(&expected.into_values().collect::<Vec<_>>(), &indicators)?)
}

fn is_missing(slot: &Slot) -> bool {
    match slot.status() {
        SlotStatus::Late | SlotStatus::NotDue | SlotStatus::NotAvailable => true,
        SlotStatus::Unspecified | SlotStatus::OnTime | SlotStatus::ReportedLate => false,
    }
}

/// The rows to fill in, with the columns that the indicators need.
fn csv(slots: &[Slot], indicators: &BTreeMap<String, Indicator>) -> Result<String, Failure> {
    let has = |kind| slots.iter().any(|slot| catalogue_lookup::kind_of(indicators, &slot.indicator) == kind);
    let mut headings = vec!["indicator", "area", "period", "value"];
    if has(Kind::Ratio) {
        headings.extend(["numerator", "denominator"]);
    }
    if has(Kind::Mean) {
        headings.push("count");
    }
    headings.extend(["markers", "note", "unit", "due"]);
    let row = |slot: &Slot| {
        let unit = indicators.get(&slot.indicator).map(|indicator| indicator.unit.as_str()).unwrap_or_default();
        let period = unambiguous(&slot.period);
        let cell = |heading: &&str| match *heading {
            "indicator" => slot.indicator.clone(),
            "area" => slot.area.clone(),
            "period" => period.clone(),
            "unit" => unit.to_owned(),
            "due" => slot.due.clone(),
            _ => String::new(),
        };
        headings.iter().map(cell).collect::<Vec<_>>()
    };
    format::csv(headings.iter().copied(), slots.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_that_the_kinds_need() {
        let kinds =
            [("contacts", Kind::Events, "contacts"), ("timely", Kind::Ratio, "per cent"), ("wait", Kind::Mean, "days")];
        let indicators: BTreeMap<String, Indicator> = kinds
            .iter()
            .map(|(id, kind, unit)| {
                let kind = i32::from(*kind);
                (
                    (*id).to_owned(),
                    Indicator { id: (*id).to_owned(), kind, unit: (*unit).to_owned(), ..Indicator::default() },
                )
            })
            .collect();
        let slot = |indicator: &str| Slot {
            indicator: indicator.to_owned(),
            area: "E10000014".to_owned(),
            period: "FY2021-22".to_owned(),
            due: "2022-07-31".to_owned(),
            ..Slot::default()
        };
        let october = Slot { period: "2009-10".to_owned(), ..slot("contacts") };
        let counts = csv(&[slot("contacts"), october], &indicators).unwrap();
        let all = csv(&[slot("contacts"), slot("timely"), slot("wait")], &indicators).unwrap();
        insta::assert_snapshot!(format!("{counts}\n{all}"));
    }
}

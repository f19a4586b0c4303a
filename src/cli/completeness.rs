//! `conspectus completeness`: which figures are expected, which have been reported, and how late the
//! others are.

use clap::Parser;

use super::common_args::{AsOf, Format, Periods};
use super::connect::{Server, refusal};
use super::failure::Failure;
use super::format::{csv, json, time};
use super::printout::Printout;
use super::table::{Align, Cell, Table};
use crate::model::period::Frequency;
use crate::rpc::proto::{GetCompletenessRequest, GetCompletenessResponse, PeriodMismatch, Slot, SlotStatus};
use crate::submitting::expected;
use crate::wording::figure::slot_status;

/// Show which figures are expected of each agency, which it has reported, and how late the others are.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus completeness HIPS --period FY2021-22 --late-only\n  conspectus completeness HIPS --agency hampshire-icb --due-within 14d"
)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The area's code. Figures expected for the areas within it are included.
    area: String,
    #[command(flatten)]
    periods: Periods,
    /// Only these indicators, by id.
    #[arg(short = 'i', long, value_delimiter = ',')]
    indicator: Vec<String>,
    /// Only these agencies, by id.
    #[arg(short = 'a', long, value_delimiter = ',')]
    agency: Vec<String>,
    /// List only figures that are late; the rates still count all of them.
    #[arg(long)]
    late_only: bool,
    /// Instead of periods: list the figures that aren't reported and are due within so many days, such as 14d.
    #[arg(long, value_name = "DAYS", value_parser = days, conflicts_with_all = ["listed", "from", "to", "late_only"])]
    due_within: Option<i32>,
    #[command(flatten)]
    as_of: AsOf,
    #[command(flatten)]
    format: Format,
}

fn days(text: &str) -> Result<i32, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse().ok();
    days.filter(|days| *days > 0).ok_or_else(|| "allowed: a number of days, such as 14d".to_owned())
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let request = GetCompletenessRequest {
        period_range: args.periods.range(),
        periods: args.periods.listed,
        area: args.area,
        indicators: args.indicator,
        agencies: args.agency,
        late_only: args.late_only,
        due_within_days: args.due_within.unwrap_or_default(),
        as_of_revision: args.as_of.revision,
        as_of_time: args.as_of.time,
        page_size: 0,
        page_token: String::new(),
    };
    let answer = expected::of_area(&mut args.server.pictures().await?, request).await;
    let answer = answer.map_err(|status| refusal(&status, str::to_owned))?;
    args.format.print(
        || json(&answer, "GetCompletenessResponse"),
        || csv(CSV_HEADINGS, answer.slots.iter().map(csv_row).chain(answer.period_mismatches.iter().map(mismatch_row))),
        || tables(&answer),
    )
}

fn tables(answer: &GetCompletenessResponse) -> Printout {
    let mut rates = Table::new([
        ("agency", Align::Left),
        ("period", Align::Left),
        ("expected", Align::Right),
        ("reported", Align::Right),
        ("on time", Align::Right),
        ("late", Align::Right),
        ("not available", Align::Right),
    ]);
    for rate in &answer.rates {
        let counts = [rate.expected, rate.reported, rate.on_time, rate.late, rate.not_available];
        rates.push([rate.agency.clone(), rate.period.clone()].into_iter().chain(counts.map(|count| count.to_string())));
    }
    let mut slots = Table::new([
        ("agency", Align::Left),
        ("indicator", Align::Left),
        ("area", Align::Left),
        ("period", Align::Left),
        ("due", Align::Left),
        ("", Align::Left),
        ("received", Align::Left),
        ("days late", Align::Right),
        ("within", Align::Left),
        ("locked from", Align::Left),
    ]);
    for slot in &answer.slots {
        let keys = [&slot.agency, &slot.indicator, &slot.area, &slot.period, &slot.due].map(String::clone);
        let status_text = slot_status(slot.status()).to_owned();
        let is_late = slot.status() == SlotStatus::Late;
        let status = if is_late { Cell::needing_care(status_text) } else { status_text.into() };
        let beside = [
            time(slot.received_at.as_ref()),
            if slot.days_late == 0 { String::new() } else { slot.days_late.to_string() },
            [slot.contained_in_area.as_str(), &slot.contained_in_period].join(" ").trim().to_owned(),
            slot.locked_from.clone(),
        ];
        slots.push(keys.map(Cell::from).into_iter().chain([status]).chain(beside.map(Cell::from)));
    }
    let mismatches: String = answer.period_mismatches.iter().map(mismatch).collect();
    if rates.is_empty() {
        return if mismatches.is_empty() { "No such figures are expected.\n".into() } else { mismatches.into() };
    }
    let legend = if answer.slots.iter().any(|slot| !slot.contained_in_period.is_empty()) {
        "within: it has no figure of its own, and lies within that one, which can't be split\n"
    } else {
        ""
    };
    let printout = Printout::default().table(rates).text("\n");
    let printout = if slots.is_empty() { printout } else { printout.table(slots).text("\n") };
    printout.text(format!("{legend}{mismatches}at revision {}\n", answer.revision))
}

fn mismatch(mismatch: &PeriodMismatch) -> String {
    let PeriodMismatch { indicator, period, .. } = mismatch;
    let frequency = frequency(mismatch);
    format!(
        "{indicator}: nothing is expected for {period}, which isn't made of whole periods of its frequency, {frequency}\n"
    )
}

fn frequency(mismatch: &PeriodMismatch) -> &'static str {
    Frequency::from_code(mismatch.frequency).map(Frequency::text).unwrap_or_default()
}

const CSV_HEADINGS: [&str; 12] = [
    "agency",
    "indicator",
    "area",
    "period",
    "due",
    "status",
    "received_at",
    "days_late",
    "contained_in_area",
    "contained_in_period",
    "frequency",
    "locked_from",
];

fn csv_row(slot: &Slot) -> [String; 12] {
    [
        slot.agency.clone(),
        slot.indicator.clone(),
        slot.area.clone(),
        slot.period.clone(),
        slot.due.clone(),
        slot_status(slot.status()).to_owned(),
        time(slot.received_at.as_ref()),
        slot.days_late.to_string(),
        slot.contained_in_area.clone(),
        slot.contained_in_period.clone(),
        String::new(),
        slot.locked_from.clone(),
    ]
}

/// That a period asked for has no slots of an indicator, whose frequency is another.
fn mismatch_row(mismatch: &PeriodMismatch) -> [String; 12] {
    let texts =
        ["", &mismatch.indicator, "", &mismatch.period, "", "no such periods", "", "", "", "", frequency(mismatch), ""];
    texts.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::printout::at_several_widths;
    use super::*;
    use crate::rpc::proto::ReportingRate;

    #[test]
    fn completeness_fits_the_terminal() {
        let rate = ReportingRate {
            agency: "portsmouth-childrens-services".to_owned(),
            period: "2021-04".to_owned(),
            expected: 2,
            reported: 1,
            late: 1,
            ..ReportingRate::default()
        };
        let late = Slot {
            agency: "portsmouth-childrens-services".to_owned(),
            indicator: "missing-episodes".to_owned(),
            area: "E06000044".to_owned(),
            period: "2021-04".to_owned(),
            due: "2021-05-20".to_owned(),
            status: SlotStatus::Late.into(),
            days_late: 12,
            ..Slot::default()
        };
        let reported = Slot {
            indicator: "mash-referrals-received-from-police".to_owned(),
            status: SlotStatus::ReportedLate.into(),
            received_at: Some(prost_types::Timestamp { seconds: 1_622_000_000, nanos: 0 }),
            days_late: 6,
            contained_in_area: "E06000044".to_owned(),
            contained_in_period: "FY2021-22-Q1".to_owned(),
            ..late.clone()
        };
        let mismatch = PeriodMismatch {
            indicator: "initial-contacts".to_owned(),
            period: "2021-04".to_owned(),
            frequency: Frequency::FinancialYear.code(),
        };
        let answer = GetCompletenessResponse {
            revision: 14,
            rates: vec![rate],
            slots: vec![late, reported],
            period_mismatches: vec![mismatch],
            ..GetCompletenessResponse::default()
        };
        insta::assert_snapshot!(at_several_widths(&tables(&answer)));
    }
}

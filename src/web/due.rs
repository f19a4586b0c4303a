//! What is expected of an agency, or for an area: what is late, what is due next, and a workbook to fill in.

mod question;

use std::cmp::Reverse;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::Status;

use super::agency;
use super::names::Names;
use super::page::Page;
use super::question::{FileLink, Known};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http::files;
use crate::model::date::Date;
use crate::model::period::{Frequency, Period};
use crate::rpc::proto::{GetCompletenessRequest, GetCompletenessResponse, Slot, SlotStatus};
use crate::submitting::catalogue;
use crate::submitting::expected::of_areas;
use crate::submitting::template::{self, Expected};
use crate::tables;
use crate::wording::count::grouped;
use crate::wording::figure::slot_status;
use crate::wording::instant;
use question::{Question, listed};

/// How many days ahead is looked, unless the address says so: a quarter of a year.
const DAYS_AHEAD: i32 = 92;
/// How many years back what is late is looked for, where the address names no period: this one, and the one before.
const YEARS_BACK: usize = 2;
/// How many weeks back, for what is reported by the week.
const WEEKS_BACK: usize = 13;
/// The most figures of a table; the others are counted.
const SLOTS_SHOWN_MAX: usize = 1_000;
/// The most periods that the link to a workbook names.
const PERIODS_LINKED_MAX: usize = 60;

#[derive(Debug, Template)]
#[template(path = "due.html")]
struct DuePage {
    of: String,
    agency: String,
    has_agencies: bool,
    as_of: String,
    revision: String,
    tables: Vec<Table>,
    /// How far it was looked, where the address names no period; otherwise empty.
    looked: String,
    /// The address of a workbook to fill in; empty for none.
    template: String,
    files: Vec<FileLink>,
}

/// Figures of one kind: late, due, or reported.
#[derive(Debug)]
struct Table {
    title: &'static str,
    none: &'static str,
    rows: Vec<Row>,
    omitted: String,
}

#[derive(Debug)]
struct Row {
    agency: String,
    indicator: String,
    area: String,
    period: String,
    due: String,
    status: String,
    locked: String,
}

/// The page.
pub(super) async fn show(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    if question.agency.is_empty() && question.area.is_empty() {
        if let Some(own) = agency::own(&visitor, "/due").await? {
            return Ok(own);
        }
        let areas = catalogue::areas(&mut visitor.calls.catalogue(), 0).await?;
        return Ok(agency::choose(&visitor, "What is due", "/due", areas).await?);
    }
    let answer = slots(&visitor, &question).await?;
    let names = Names::of(&visitor, 0).await?;
    let mut of: Vec<String> = listed(&question.area).iter().map(|area| names.area(area)).collect();
    if !question.agency.is_empty() {
        of.insert(0, agency::find(&visitor, &question.agency).await?.name);
    }
    Ok(Page(page(&question, of.join(", "), &answer, &names)).into_response())
}

/// What the service answers for each area, put together.
pub(super) async fn file(visitor: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let Known(question) = Known::<Question>::read(query.as_deref())?;
    let answer = slots(&visitor, &question).await?;
    let request = GetCompletenessRequest { periods: listed(&question.period), ..question.request()? };
    let (method, message) = ("/conspectus.v1.PictureService/GetCompleteness", request.encode_to_vec());
    let table = |_: GetCompletenessResponse, labels, as_of| tables::completeness(labels, as_of);
    let file = files::Question::new("due", (method, "slots"), message, table);
    Ok(file.answered(&answer).with_names(files::Names::All))
}

/// Of the periods that are named every slot; otherwise those that are late, and those that are due next.
async fn slots(visitor: &Visitor, question: &Question) -> Result<GetCompletenessResponse, Status> {
    let mut areas = listed(&question.area);
    if areas.is_empty() {
        areas = agency::find(visitor, &question.agency).await?.areas;
    }
    let (areas, request, mut client) = (&areas, question.request()?, visitor.calls.pictures());
    let periods = listed(&question.period);
    if !periods.is_empty() {
        return of_areas(&mut client, areas, &GetCompletenessRequest { periods, due_within_days: 0, ..request }).await;
    }
    let ahead = if request.due_within_days == 0 { DAYS_AHEAD } else { request.due_within_days };
    let soon = GetCompletenessRequest { due_within_days: ahead, ..request.clone() };
    let mut answer = of_areas(&mut client, areas, &soon).await?;
    let today = day_of(&answer);
    let late = GetCompletenessRequest {
        periods: periods_before(today),
        late_only: true,
        due_within_days: 0,
        as_of_time: answer.as_of.filter(|_| request.as_of_revision == 0),
        ..request
    };
    answer.slots.extend(of_areas(&mut client, areas, &late).await?.slots);
    // A quarter has a name in each kind of year that is asked about; here it has one.
    for slot in &mut answer.slots {
        if let Ok(period) = slot.period.parse::<Period>() {
            slot.period = period.storage_key().to_string();
        }
    }
    Ok(answer)
}

/// The periods in which every figure of the last years lies, whatever its frequency.
fn periods_before(today: Date) -> Vec<String> {
    let back =
        |frequency, count| std::iter::successors(Period::of(frequency, today), |period| period.previous()).take(count);
    let years = [Frequency::FinancialYear, Frequency::CalendarYear, Frequency::AcademicYear];
    let years = years.into_iter().flat_map(|frequency| back(frequency, YEARS_BACK));
    years.chain(back(Frequency::Week, WEEKS_BACK)).map(|period| period.to_string()).collect()
}

fn page(question: &Question, of: String, answer: &GetCompletenessResponse, names: &Names) -> DuePage {
    let with = |status: &[SlotStatus]| -> Vec<&Slot> {
        answer.slots.iter().filter(|slot| status.contains(&slot.status())).collect()
    };
    let (mut late, mut due) = (with(&[SlotStatus::Late]), with(&[SlotStatus::NotDue]));
    late.sort_by_key(|slot| (Reverse(slot.days_late), &slot.agency, &slot.indicator));
    due.sort_by_key(|slot| (&slot.due, &slot.agency, &slot.indicator));
    let reported = with(&[SlotStatus::OnTime, SlotStatus::ReportedLate, SlotStatus::NotAvailable]);
    let template = template_of(question, late.iter().chain(&due), day_of(answer));
    let mut tables =
        vec![table("Late", "Nothing is late.", &late, names), table("Due next", "Nothing is due.", &due, names)];
    if !question.period.is_empty() {
        tables.push(table("Reported", "Nothing is reported.", &reported, names));
    }
    DuePage {
        of,
        agency: question.agency.clone(),
        has_agencies: question.agency.is_empty(),
        as_of: answer.as_of.as_ref().map(instant::text).unwrap_or_default(),
        revision: answer.revision.to_string(),
        tables,
        looked: looked(question),
        template,
        files: question.here("/due").files(),
    }
}

/// How far is looked where no period is named.
fn looked(question: &Question) -> String {
    if !question.period.is_empty() {
        return String::new();
    }
    let ahead = match question.request() {
        Ok(request) if request.due_within_days != 0 => request.due_within_days,
        Ok(_) | Err(_) => DAYS_AHEAD,
    };
    format!(
        "What is late is looked for in this year and the one before, whether financial, calendar or academic, and in the \
         last {WEEKS_BACK} weeks for what is reported by the week; what is due next, {ahead} days ahead."
    )
}

/// The day that an answer is of.
fn day_of(answer: &GetCompletenessResponse) -> Date {
    Date::of_unix_seconds(answer.as_of.as_ref().map_or(0, |as_of| as_of.seconds))
}

/// The address of a workbook with a row for each of an agency's figures that isn't reported, of the periods that are over.
fn template_of<'s>(question: &Question, slots: impl Iterator<Item = &'s &'s Slot>, today: Date) -> String {
    let is_over = |period: &str| period.parse::<Period>().is_ok_and(|period| period.end() < today);
    let mut periods: Vec<&str> = slots.map(|slot| slot.period.as_str()).filter(|period| is_over(period)).collect();
    periods.sort_unstable();
    periods.dedup();
    if question.agency.is_empty() || periods.is_empty() || periods.len() > PERIODS_LINKED_MAX {
        return String::new();
    }
    question.whose("/due/template.xlsx").with("period", periods.join(",")).with("missing", "1").href()
}

fn table(title: &'static str, none: &'static str, slots: &[&Slot], names: &Names) -> Table {
    let left_out = slots.len().saturating_sub(SLOTS_SHOWN_MAX);
    Table {
        title,
        none,
        rows: slots.iter().take(SLOTS_SHOWN_MAX).map(|slot| row(slot, names)).collect(),
        omitted: if left_out == 0 { String::new() } else { grouped(left_out, "more figure", "more figures") },
    }
}

fn row(slot: &Slot, names: &Names) -> Row {
    let status = slot_status(slot.status());
    let status = match usize::try_from(slot.days_late) {
        Ok(days) if days > 0 => format!("{status}, by {}", grouped(days, "day", "days")),
        Ok(_) | Err(_) => status.to_owned(),
    };
    Row {
        agency: names.agency(&slot.agency),
        indicator: names.indicator(&slot.indicator),
        area: names.area(&slot.area),
        period: slot.period.clone(),
        due: slot.due.clone(),
        status,
        locked: slot.locked_from.clone(),
    }
}

/// A workbook to fill in, as `conspectus template` makes it.
pub(super) async fn template(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    let asked = template::Question {
        agency: question.agency,
        periods: listed(&question.period),
        areas: listed(&question.area),
        indicators: listed(&question.indicator),
        missing: !question.missing.is_empty(),
        breakdowns: !question.breakdowns.is_empty(),
    };
    let (mut catalogue, mut pictures) = (visitor.calls.catalogue(), visitor.calls.pictures());
    let mut submissions = visitor.calls.submissions();
    let expected = Expected::find(&mut catalogue, &mut pictures, &asked).await?;
    let rows = expected.rows().map_err(refusal)?;
    if rows.is_empty() {
        let what = "No such figures are expected from the agency, or all of them are reported.".to_owned();
        return Err(Refusal::of_page(StatusCode::NOT_FOUND, "There is nothing to fill in", what));
    }
    let file = format!("{}.xlsx", asked.agency);
    let made = expected.workbook(&mut catalogue, &mut submissions, &asked, &rows, &file).await;
    let (bytes, _) = made.map_err(refusal)?;
    // An agency's id, which the service knows, is letters, digits and hyphens.
    let head = [
        (header::CONTENT_TYPE, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
    ];
    Ok((head, bytes).into_response())
}

fn refusal(error: template::Error) -> Refusal {
    match error {
        template::Error::Refused(status) => status.into(),
        template::Error::TooManyRows(_) => {
            Refusal::of_page(StatusCode::UNPROCESSABLE_ENTITY, "There are too many rows", error.to_string())
        }
        template::Error::Period(_) | template::Error::Workbook(_) => Status::internal(error.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_years_are_asked_about_whatever_a_figures_frequency() {
        let periods = periods_before("2026-11-26".parse().unwrap());
        assert_eq!(periods[..6], ["FY2026-27", "FY2025-26", "CY2026", "CY2025", "AY2026-27", "AY2025-26"]);
        assert_eq!((periods.len(), periods[6].as_str(), periods[18].as_str()), (19, "2026-W48", "2026-W36"));
    }

    #[test]
    fn what_is_late_comes_first_the_latest_before_all_and_then_what_is_due_next() {
        let slot = |indicator: &str, period: &str, due: &str, status: SlotStatus, days_late| Slot {
            agency: "portsmouth".to_owned(),
            indicator: indicator.to_owned(),
            area: "E06000044".to_owned(),
            period: period.to_owned(),
            due: due.to_owned(),
            status: status.into(),
            days_late,
            ..Slot::default()
        };
        let answer = GetCompletenessResponse {
            revision: 14,
            as_of: Some(prost_types::Timestamp { seconds: 1_622_000_000, nanos: 5 }),
            slots: vec![
                slot("contacts", "2021-05", "2021-06-20", SlotStatus::NotDue, 0),
                slot("contacts", "2021-03", "2021-04-20", SlotStatus::Late, 1),
                slot("contacts", "2020-12", "2021-01-20", SlotStatus::Late, 1_036),
                Slot {
                    locked_from: "2021-08-01".to_owned(),
                    ..slot("missing<b>", "2021-04", "2021-05-30", SlotStatus::NotDue, 0)
                },
            ],
            ..GetCompletenessResponse::default()
        };
        let names = Names {
            agencies: [("portsmouth".to_owned(), "Portsmouth Children's Services".to_owned())].into(),
            indicators: [("contacts".to_owned(), "Initial contacts".to_owned())].into(),
            areas: [("E06000044".to_owned(), "Portsmouth".to_owned())].into(),
        };
        let question = Question { agency: "portsmouth".to_owned(), ..Question::default() };
        let page = page(&question, "Portsmouth".to_owned(), &answer, &names).render().unwrap();
        insta::assert_snapshot!(page.split("<main").nth(1).unwrap());
    }
}

//! The form that asks for a picture: on the first page, where a question isn't whole or is wrong, and above each picture.

use tonic::Status;

use super::form::{Choice, Field, Form, Group, Input};
use super::question::Parameters;
use super::visitor::Visitor;
use crate::catalogue::items::AreaLevel;
use crate::model::period::{Frequency, Period};
use crate::rpc::proto::{Area, GetCompletenessRequest, Kind};
use crate::submitting::catalogue;
use crate::wording::period::Span;

/// More areas than these aren't listed: who asks about one of a country's wards knows its code.
const AREAS_LISTED_MAX: usize = 500;

/// In how many years it is looked for figures, this one among them.
const YEARS_LOOKED_AT: usize = 10;
/// How many years are offered.
const YEARS_OFFERED: usize = 5;

/// The parameters of the address that it leads to, beside the indicators.
pub(super) const PARAMETERS: [&str; 7] =
    ["area", "period", "compare", "compare_with", "areas_as_of", "as_of_revision", "as_of"];

/// The form, filled in as an address has it, with the areas of a revision.
pub(super) async fn form(visitor: &Visitor, parameters: &Parameters, revision: i64) -> Result<Form, Status> {
    let areas = catalogue::areas(&mut visitor.calls.catalogue(), revision).await?;
    Ok(filled(parameters, &areas, Vec::new()))
}

/// The form for a new question, which also offers periods: the newest in which something was reported.
pub(super) async fn new_form(visitor: &Visitor, parameters: &Parameters) -> Result<Form, Status> {
    let areas = catalogue::areas(&mut visitor.calls.catalogue(), 0).await?;
    let of = match parameters.text("area") {
        area if area.is_empty() => widest(&areas),
        area => Some(area),
    };
    let periods = match of {
        Some(area) => offered(visitor, &area).await,
        None => Vec::new(),
    };
    let offer = |period: Period| {
        let text = period.to_string();
        Choice::new(&text, Span::Period(&text).name(Kind::Unspecified))
    };
    Ok(filled(parameters, &areas, periods.into_iter().map(offer).collect()))
}

/// The first of the areas at the widest level.
fn widest(areas: &[Area]) -> Option<String> {
    areas.iter().min_by_key(|area| area.level).map(|area| area.code.clone())
}

/// The newest financial years in which something was reported of an area, and the quarters of the newest.
async fn offered(visitor: &Visitor, area: &str) -> Vec<Period> {
    let Some(this) = Period::of(Frequency::FinancialYear, visitor.today) else { return Vec::new() };
    let years = std::iter::successors(Some(this), |year| year.previous()).take(YEARS_LOOKED_AT);
    let years = reported(visitor, area, years.collect()).await;
    let quarters = years.first().and_then(|year| year.divide(Frequency::Quarter)).unwrap_or_default();
    let quarters = if quarters.is_empty() { quarters } else { reported(visitor, area, quarters).await };
    years.into_iter().take(YEARS_OFFERED).chain(quarters).collect()
}

/// The periods in which something was reported, the newest first; none where that may not be known.
async fn reported(visitor: &Visitor, area: &str, periods: Vec<Period>) -> Vec<Period> {
    let request = GetCompletenessRequest {
        area: area.to_owned(),
        periods: periods.iter().map(ToString::to_string).collect(),
        // The rates are of all slots.
        page_size: 1,
        ..GetCompletenessRequest::default()
    };
    let Ok(answer) = visitor.calls.pictures().get_completeness(request).await else { return Vec::new() };
    let rates = answer.into_inner().rates;
    let has_some = |period: &Period| rates.iter().any(|rate| rate.reported > 0 && rate.period == period.to_string());
    let mut reported: Vec<Period> = periods.into_iter().filter(has_some).collect();
    reported.sort_by(|one, other| other.cmp(one));
    reported
}

/// The form, filled in as an address has it.
pub(super) fn filled(parameters: &Parameters, areas: &[Area], periods: Vec<Choice>) -> Form {
    let text = |name| parameters.text(name);
    let period = Field {
        input: Input::Text(periods),
        ..Field::text("period", "Period", "Such as 2021-22, Apr-Jun 2021 or 2022-06", text("period"))
    };
    let choices = |choices: &[(&str, &str)]| {
        let choices = choices.iter().map(|(value, label)| Choice::new(*value, *label)).collect();
        Input::OneOf(vec![Group { choices, ..Group::default() }])
    };
    let compare = Field {
        input: choices(&[
            ("", "The period before"),
            ("year-before", "The same period a year before"),
            ("none", "Nothing"),
        ]),
        ..Field::text("compare", "Compare with", "", text("compare"))
    };
    let hint = "Of the same length; leave the choice above as it is";
    let compare_with = Field::text("compare_with", "Or with another earlier period", hint, text("compare_with"));
    let hierarchy = Field {
        input: choices(&[("", "As they were in the period"), ("now", "As they are today")]),
        ..Field::text("areas_as_of", "Areas within each other", "", text("areas_as_of"))
    };
    let mut fields = vec![area(areas, text("area")), period, compare, compare_with, hierarchy];
    fields.extend(Field::as_of(text("as_of_revision"), text("as_of")));
    let hidden = vec![("indicator", text("indicator"))];
    let hidden = hidden.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    Form { action: "/picture", fields, hidden, button: "Show the picture", ..Form::default() }
}

/// The field that asks for an area: a choice by level, the widest first, as long as that isn't too long.
pub(super) fn area(areas: &[Area], value: String) -> Field {
    if areas.is_empty() || areas.len() > AREAS_LISTED_MAX {
        return Field::text("area", "Area", "Its code, such as E10000014", value);
    }
    let of_level = |level: &AreaLevel| {
        let mut choices: Vec<Choice> = areas
            .iter()
            .filter(|area| area.level == level.code())
            .map(|area| Choice::new(&area.code, &area.name))
            .collect();
        choices.sort_by(|one, other| one.label.cmp(&other.label));
        Group { label: in_words(*level), choices }
    };
    // What isn't one of them stays, to be seen beside what is wrong with it.
    let is_known = value.is_empty() || areas.iter().any(|area| area.code == value);
    let unknown = (!is_known).then(|| Group { choices: vec![Choice::new(&value, &value)], ..Group::default() });
    let levels = AreaLevel::ALL.iter().map(of_level).filter(|group| !group.choices.is_empty());
    let groups = unknown.into_iter().chain(levels).collect();
    Field { input: Input::OneOf(groups), ..Field::text("area", "Area", "", value) }
}

/// A level, as a label: `Upper tier`.
fn in_words(level: AreaLevel) -> String {
    let text = level.text().replace('-', " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

//! The lists of the catalogue as tables, each with the revision that it is of.

use super::{Cell, Labels, ListTable, code, named};
use crate::catalogue::items::{AcrossAgencies, AreaLevel, Kind, Sector};
use crate::model::period::Frequency;
use crate::rpc::proto::{
    Agency, Area, AreaParent, Calendar, Dimension, Indicator, Polarity, PopulationRule, ReconciliationRule, Rounding,
    UnfinishedPeriods,
};
use crate::wording::check;

const AREAS: [&str; 11] = [
    "area",
    "area_name",
    "level",
    "valid_from",
    "valid_to",
    "successors",
    "parent",
    "parent_name",
    "parent_valid_from",
    "parent_valid_to",
    "revision",
];

/// The table of areas: a row for each of the areas that one has lain in, one after the other.
pub(crate) fn areas(labels: Labels, revision: i64) -> ListTable<Area> {
    ListTable::new("Areas", AREAS, move |area: &Area| {
        let top = [AreaParent::default()];
        let parents = if area.parents.is_empty() { &top[..] } else { &area.parents };
        let row = |parent: &AreaParent| {
            let mut cells = vec![
                Cell::text(&area.code),
                Cell::text(&area.name),
                code(AreaLevel::from_code(area.level)),
                Cell::text(&area.valid_from),
                Cell::text(&area.valid_to),
                Cell::Text(area.successors.join(" ")),
            ];
            cells.extend(named(&parent.code, |code| labels.area(code)));
            cells.extend([Cell::text(&parent.valid_from), Cell::text(&parent.valid_to), Cell::count(revision)]);
            cells
        };
        parents.iter().map(row).collect()
    })
}

const AGENCIES: [&str; 6] = ["agency", "agency_name", "sector", "area", "area_name", "revision"];

/// The table of agencies: a row for each area that one may report for.
pub(crate) fn agencies(labels: Labels, revision: i64) -> ListTable<Agency> {
    ListTable::new("Agencies", AGENCIES, move |agency: &Agency| {
        let none = [String::new()];
        let areas = if agency.areas.is_empty() { &none[..] } else { &agency.areas };
        let row = |area: &String| {
            let mut cells =
                vec![Cell::text(&agency.id), Cell::text(&agency.name), code(Sector::from_code(agency.sector))];
            cells.extend(named(area, |code| labels.area(code)));
            cells.push(Cell::count(revision));
            cells
        };
        areas.iter().map(row).collect()
    })
}

const INDICATORS: [&str; 30] = [
    "indicator",
    "indicator_title",
    "unit",
    "definition",
    "kind",
    "decimals",
    "rounding",
    "polarity",
    "frequency",
    "reporting_level",
    "due_days",
    "due_calendar",
    "lock_days",
    "unfinished_periods",
    "correction_reason_required",
    "across_agencies",
    "lead_agency",
    "lead_agency_name",
    "expected_agencies",
    "dimensions",
    "rate_population",
    "rate_per",
    "rate_rule",
    "rate_decimals",
    "effective_from",
    "breaks_comparability",
    "version_note",
    "source",
    "checks",
    "revision",
];

/// The table of indicators, or of the versions of one: a row for each definition.
pub(crate) fn indicators(labels: Labels, revision: i64) -> ListTable<Indicator> {
    ListTable::new("Indicators", INDICATORS, move |it: &Indicator| {
        let rate = it.rate.clone();
        let expected: Vec<&str> = it.expected_agencies.iter().map(|expected| expected.agency.as_str()).collect();
        let rule = |rule: PopulationRule| stated(rule == PopulationRule::Unspecified, rule.as_str_name());
        let mut cells = vec![
            Cell::text(&it.id),
            Cell::text(&it.title),
            Cell::text(&it.unit),
            Cell::text(&it.definition),
            code(Kind::from_code(it.kind)),
            Cell::count(it.decimals),
            stated(it.rounding() == Rounding::Unspecified, it.rounding().as_str_name()),
            stated(it.polarity() == Polarity::Unspecified, it.polarity().as_str_name()),
            code(Frequency::from_code(it.frequency)),
            code(AreaLevel::from_code(it.reporting_level)),
            Cell::count(it.due_days),
            Cell::text(&it.due_calendar),
            Cell::Text(it.lock_days.map(|days| days.to_string()).unwrap_or_default()),
            stated(it.unfinished_periods() == UnfinishedPeriods::Unspecified, it.unfinished_periods().as_str_name()),
            Cell::flag(it.correction_reason_required),
            code(AcrossAgencies::from_code(it.across_agencies)),
        ];
        cells.extend(named(&it.lead_agency, |id| labels.agency(id)));
        cells.extend([
            Cell::Text(expected.join(" ")),
            Cell::Text(it.dimensions.join(" ")),
            Cell::Text(rate.as_ref().map(|rate| rate.population_indicator.clone()).unwrap_or_default()),
            rate.as_ref().map_or_else(nothing, |rate| Cell::count(rate.per)),
            rate.as_ref().map_or_else(nothing, |rate| rule(rate.rule())),
            rate.as_ref().map_or_else(nothing, |rate| Cell::count(rate.decimals)),
            Cell::text(&it.effective_from),
            Cell::flag(it.breaks_comparability),
            Cell::text(&it.version_note),
            Cell::text(&it.source),
            Cell::Text(it.checks.iter().map(|check| check.id.as_str()).collect::<Vec<_>>().join(" ")),
            Cell::count(revision),
        ]);
        vec![cells]
    })
}

/// The name of a code, unless none is stated.
fn stated(is_none: bool, name: &str) -> Cell {
    Cell::text(if is_none { "" } else { name })
}

fn nothing() -> Cell {
    Cell::text("")
}

const CHECKS: [&str; 9] = [
    "indicator",
    "indicator_title",
    "check",
    "expects",
    "consequence",
    "when_missing",
    "tolerance",
    "tolerance_percent",
    "revision",
];

/// The table of checks, of the indicators that have them: a row for each check.
pub(crate) fn checks(_: Labels, revision: i64) -> ListTable<Indicator> {
    ListTable::new("Checks", CHECKS, move |indicator: &Indicator| {
        let row = |it: &crate::rpc::proto::Check| {
            vec![
                Cell::text(&indicator.id),
                Cell::text(&indicator.title),
                Cell::text(&it.id),
                Cell::Text(check::expectation(it)),
                Cell::text(check::consequence(it.severity())),
                Cell::text(check::when_missing(it.missing_values())),
                Cell::text(&it.tolerance),
                Cell::text(&it.tolerance_percent),
                Cell::count(revision),
            ]
        };
        indicator.checks.iter().map(row).collect()
    })
}

const DIMENSIONS: [&str; 5] = ["dimension", "dimension_title", "category", "category_title", "revision"];

/// The table of what figures are broken down by: a row for each category of a dimension.
pub(crate) fn dimensions(_: Labels, revision: i64) -> ListTable<Dimension> {
    ListTable::new("Breakdowns", DIMENSIONS, move |dimension: &Dimension| {
        let row = |category: &crate::rpc::proto::Category| {
            let texts = [&dimension.id, &dimension.title, &category.id, &category.title];
            texts.map(Cell::text).into_iter().chain([Cell::count(revision)]).collect()
        };
        dimension.categories.iter().map(row).collect()
    })
}

const RULES: [&str; 13] = [
    "rule",
    "rule_title",
    "left_indicator",
    "left_indicator_title",
    "left_agency",
    "left_agency_name",
    "right_indicator",
    "right_indicator_title",
    "right_agency",
    "right_agency_name",
    "tolerance",
    "tolerance_percent",
    "revision",
];

/// The table of reconciliation rules. A side without an agency is of all together.
pub(crate) fn rules(labels: Labels, revision: i64) -> ListTable<ReconciliationRule> {
    ListTable::new("Reconciliation rules", RULES, move |rule: &ReconciliationRule| {
        let title = |id: &str| labels.indicator(id, None).title;
        let agency = |id: &str| {
            if id.is_empty() { [Cell::All, Cell::All] } else { named(id, |id| labels.agency(id)) }
        };
        let mut cells = vec![Cell::text(&rule.id), Cell::text(&rule.title)];
        cells.extend(named(&rule.left_indicator, title));
        cells.extend(agency(&rule.left_agency));
        cells.extend(named(&rule.right_indicator, title));
        cells.extend(agency(&rule.right_agency));
        cells.extend([Cell::text(&rule.tolerance), Cell::text(&rule.tolerance_percent), Cell::count(revision)]);
        vec![cells]
    })
}

const CALENDARS: [&str; 5] = ["calendar", "calendar_title", "source", "holiday", "revision"];

/// The table of calendars: a row for each holiday.
pub(crate) fn calendars(_: Labels, revision: i64) -> ListTable<Calendar> {
    ListTable::new("Calendars", CALENDARS, move |calendar: &Calendar| {
        let row = |holiday: &String| {
            let texts = [&calendar.id, &calendar.title, &calendar.source, holiday];
            texts.map(Cell::text).into_iter().chain([Cell::count(revision)]).collect()
        };
        calendar.holidays.iter().map(row).collect()
    })
}

//! The sheet of what is counted: each definition in force for a row, with what may stand in its cells and what is
//! expected of its figures.

use rust_xlsxwriter::{Workbook, XlsxError};

use super::bounds::Bounds;
use super::content::Content;
use super::sheet::{self, Looks};
use crate::catalogue::checks::{Check, CheckRule, MissingValues, Severity};
use crate::catalogue::items::{IndicatorVersion, Kind};
use crate::figures::Field;

/// The headings, and how wide the columns are.
const COLUMNS: [(&str, u8); 11] = [
    ("Id", 36),
    ("Title", 28),
    ("Definition", 90),
    ("Unit", 12),
    ("Kind", 26),
    ("Decimals", 10),
    ("Allowed values", 40),
    ("Checks", 50),
    ("Reported", 24),
    ("In force", 24),
    ("Source", 40),
];

/// Writes the sheet.
pub(super) fn write(workbook: &mut Workbook, content: &Content<'_>, looks: &Looks) -> Result<(), XlsxError> {
    let sheet = workbook.add_worksheet().set_name("Definitions")?;
    for (column, (_, width)) in COLUMNS.iter().enumerate() {
        sheet.set_column_width(sheet::index(column)?, *width)?;
    }
    sheet::write_row(sheet, 0, &COLUMNS.map(|(heading, _)| heading), &looks.heading)?;
    for (row, definition) in content.definitions().into_iter().enumerate() {
        let cells = cells(definition);
        sheet::write_row(sheet, row + 1, &cells, &looks.text)?;
        let widths = COLUMNS.iter().map(|(_, width)| *width);
        sheet::fit_height(sheet, row + 1, cells.iter().map(String::as_str).zip(widths))?;
    }
    sheet::keep_headings(sheet)?;
    sheet::protect(sheet);
    sheet::print_settings(sheet, &content.subject());
    Ok(())
}

fn cells(it: &IndicatorVersion) -> [String; 11] {
    let in_force = match it.effective_from {
        None => String::new(),
        Some(from) if it.breaks_comparability => format!("from {from}; not comparable with earlier figures"),
        Some(from) => format!("from {from}"),
    };
    let in_force = [in_force.as_str(), &it.version_note].into_iter().filter(|text| !text.is_empty());
    let in_force = in_force.collect::<Vec<_>>().join("\n");
    let reported = format!(
        "for each {}, by {} area; due {} days after the period's end",
        it.frequency.text().replace('-', " "),
        it.reporting_level,
        it.due_days
    );
    [
        it.id.to_string(),
        it.title.clone(),
        it.definition.clone(),
        it.unit.clone(),
        kind(it.kind).to_owned(),
        it.decimals.to_string(),
        allowed_values(it),
        checks(it),
        reported,
        in_force,
        it.source.clone(),
    ]
}

/// What an indicator's figures are.
const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Events => "events in the period; each counts",
        Kind::Stock => "a stock: how many there are at the end of the period's last day",
        Kind::Distinct => "distinct people: each counts once in the period",
        Kind::Ratio => "a percentage: a numerator of a denominator",
        Kind::Mean => "a mean, and how many values it is of",
        Kind::Amount => "an amount in the period",
    }
}

/// What may stand in each of its columns.
fn allowed_values(definition: &IndicatorVersion) -> String {
    let words = |field| Bounds::of(definition, field).map(|bounds| (field, bounds.words()));
    let line = |(field, words): (Field, String)| format!("{}: {words}", field.name());
    match definition.kind {
        Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount | Kind::Mean => {
            [Field::Value, Field::Count].into_iter().filter_map(words).map(line).collect::<Vec<_>>().join("\n")
        }
        Kind::Ratio => {
            let lines = |fields: [Field; 2]| fields.into_iter().filter_map(words).map(line).collect::<Vec<_>>();
            let counted = lines([Field::Numerator, Field::Denominator]).join("\n");
            format!("{counted}\nor, as printed,\n{}", lines([Field::Value, Field::Base]).join("\n"))
        }
    }
}

/// What is expected of its figures, a line for each check.
fn checks(definition: &IndicatorVersion) -> String {
    definition.checks.iter().map(|check| line(check, definition)).collect::<Vec<_>>().join("\n")
}

/// `steady: a change from the period before of at most 80 or 60%, whichever is more; otherwise it needs an explanation`.
fn line(check: &Check, definition: &IndicatorVersion) -> String {
    let otherwise = match check.severity {
        Severity::Error => "otherwise it is refused",
        Severity::Query => "otherwise say why in explanation",
        Severity::Note => "otherwise it is noted",
    };
    let missing = match check.missing_values {
        MissingValues::SkipAny => "",
        MissingValues::SkipAll => "; with some of the figures that it needs, it needs all",
        MissingValues::Fail => "; it needs all of its figures",
    };
    format!("{}: {}{missing}; {otherwise}", check.id, expected(check, definition))
}

fn expected(check: &Check, definition: &IndicatorVersion) -> String {
    let within = tolerance(check, definition);
    let give_or_take = within.as_ref().map(|within| format!(", give or take {within}")).unwrap_or_default();
    match &check.rule {
        CheckRule::Range { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any figure".to_owned(),
        },
        CheckRule::Numerator {} => "a numerator of at most the denominator".to_owned(),
        CheckRule::Parts { dimension } => format!("the categories of {dimension} add up to the total{give_or_take}"),
        CheckRule::NotAbove { indicator } => format!("at most the figure of {indicator}{give_or_take}"),
        CheckRule::Change {} => {
            let most = within.map(|within| format!(" of at most {within}")).unwrap_or_default();
            format!("a change from the period before{most}")
        }
        CheckRule::Outlier { deviations, periods_min } => {
            let or = within.map(|within| format!(" (or {within}, if that is more)")).unwrap_or_default();
            format!(
                "at most {deviations} median absolute deviations{or} from the median of its history, \
                 of at least {periods_min} figures"
            )
        }
        CheckRule::Zero { periods_min } => {
            format!("not 0, where there are at least {periods_min} earlier figures and none is 0")
        }
        CheckRule::Breakdown { dimension } => format!("a figure, or a marker, for each category of {dimension}"),
    }
}

/// How far off a figure may be.
fn tolerance(check: &Check, definition: &IndicatorVersion) -> Option<String> {
    let unit = if definition.kind == Kind::Ratio { " percentage points" } else { "" };
    let number = (!check.tolerance.is_zero()).then(|| format!("{}{unit}", check.tolerance));
    let percent = (!check.tolerance_percent.is_zero()).then(|| format!("{}%", check.tolerance_percent));
    match (number, percent) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(one),
        (Some(number), Some(percent)) => Some(format!("{number} or {percent}, whichever is more")),
    }
}

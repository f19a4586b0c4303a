//! The sheet of the lists that further rows are chosen from: indicators, areas, periods and breakdowns.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Formula, Workbook, XlsxError};

use super::content::Content;
use super::sheet::{self, Looks};
use crate::figures::table::column_letters;
use crate::figures::{Field, unambiguous};

const NAME: &str = "Lists";

/// The columns that are chosen from a list, each with the place of its list; beside it stands what it means.
const LISTS: [(Field, usize); 4] = [(Field::Indicator, 0), (Field::Area, 2), (Field::Period, 4), (Field::Breakdown, 6)];

/// The items of a column's list, each with what it means.
fn items(content: &Content<'_>, field: Field) -> Vec<(String, String)> {
    // Of an indicator's titles, that of the newest definition.
    let distinct = |items: BTreeMap<String, String>| items.into_iter().collect();
    match field {
        Field::Indicator => {
            let titles = content.rows.iter().map(|row| row.indicator.newest());
            distinct(titles.map(|newest| (newest.id.to_string(), newest.title.clone())).collect())
        }
        Field::Area => {
            let areas = content.rows.iter().map(|row| row.area.as_str());
            distinct(areas.map(|area| (area.to_owned(), content.place(area).to_owned())).collect())
        }
        Field::Period => {
            let mut periods: Vec<_> = content.rows.iter().map(|row| row.period).collect();
            periods.sort_unstable();
            periods.dedup();
            periods.iter().map(|period| (unambiguous(&period.to_string()), String::new())).collect()
        }
        Field::Breakdown => {
            let meaning = |it: &super::rows::Category| format!("{}: {}", it.dimension_title, it.title);
            content.categories.iter().map(|it| (it.text.clone(), meaning(it))).collect()
        }
        Field::Title
        | Field::Place
        | Field::Unit
        | Field::Previous
        | Field::YearBefore
        | Field::Value
        | Field::Numerator
        | Field::Denominator
        | Field::Base
        | Field::Count
        | Field::Markers
        | Field::Note
        | Field::Explanation
        | Field::Action
        | Field::Agency
        | Field::Report
        | Field::Due
        | Field::Problem => Vec::new(),
    }
}

/// The range of a column's list, for a column that has one.
pub(super) fn range(content: &Content<'_>, field: Field) -> Option<Formula> {
    let (_, place) = LISTS.into_iter().find(|(listed, _)| *listed == field)?;
    let letters = column_letters(place);
    let last = items(content, field).len() + 1;
    Some(Formula::new(format!("={NAME}!${letters}$2:${letters}${last}")))
}

/// Writes the sheet.
pub(super) fn write(workbook: &mut Workbook, content: &Content<'_>, looks: &Looks) -> Result<(), XlsxError> {
    let sheet = workbook.add_worksheet().set_name(NAME)?;
    for (field, place) in LISTS {
        sheet.set_column_width(sheet::index(place)?, 24)?;
        sheet.set_column_width(sheet::index(place + 1)?, if field == Field::Period { 4 } else { 36 })?;
        sheet.write_string_with_format(0, sheet::index(place)?, field.name(), &looks.heading)?;
        sheet.write_string_with_format(0, sheet::index(place + 1)?, "", &looks.heading)?;
        for (row, (item, meaning)) in items(content, field).iter().enumerate() {
            sheet.write_string_with_format(sheet::index(row + 1)?, sheet::index(place)?, item, &looks.text)?;
            sheet.write_string_with_format(sheet::index(row + 1)?, sheet::index(place + 1)?, meaning, &looks.text)?;
        }
    }
    sheet::keep_headings(sheet)?;
    sheet::protect(sheet);
    sheet::print_settings(sheet, &content.subject());
    Ok(())
}

//! The sheet to fill in: a row for each figure, with what it was before, and cells that say what they take.

use rust_xlsxwriter::{DataValidation, DataValidationErrorStyle, Formula, Workbook, Worksheet, XlsxError};

use super::bounds::Bounds;
use super::content::Content;
use super::lists;
use super::rows::Row;
use super::sheet::{self, Looks, index, shortened};
use crate::catalogue::checks::Severity;
use crate::catalogue::items::{IndicatorVersion, Kind};
use crate::figures::Field;
use crate::figures::table::column_letters;
use crate::model::marker::Marker;

pub(super) const NAME: &str = "Figures";

/// How many rows there are for further figures, where some may be broken down.
const FURTHER_ROWS: usize = 20;
/// How long a title and a message of a cell may be, in UTF-16 units.
const CELL_TITLE_UNITS_MAX: usize = 32;
const CELL_MESSAGE_UNITS_MAX: usize = 255;

/// What a cell is for.
enum Cell {
    Given(String),
    Number,
    Words,
    Unused,
}

/// Writes the sheet.
pub(super) fn write(workbook: &mut Workbook, content: &Content<'_>, looks: &Looks) -> Result<(), XlsxError> {
    let sheet = workbook.add_worksheet().set_name(NAME)?;
    let columns = columns(content);
    for (column, field) in columns.iter().enumerate() {
        sheet.set_column_width(index(column)?, width(*field))?;
        sheet.write_string_with_format(0, index(column)?, field.name(), &looks.heading)?;
    }
    for (at, row) in content.rows.iter().enumerate() {
        for (column, field) in columns.iter().enumerate() {
            put(sheet, at + 1, column, *field, cell(content, row, *field), looks)?;
        }
        let names = [row.given(Field::Indicator), row.given(Field::Title)];
        let names = names.iter().map(String::as_str).zip([width(Field::Indicator), width(Field::Title)]);
        sheet::fit_height(sheet, at + 1, names)?;
    }
    add_bounds(sheet, content, &columns)?;
    let mut last = content.rows.len();
    if !content.categories.is_empty() {
        add_further_rows(sheet, content, &columns, looks)?;
        last += FURTHER_ROWS;
    }
    let markers = marker_choice()?;
    for column in columns.iter().enumerate().filter(|(_, field)| **field == Field::Markers).map(|(column, _)| column) {
        sheet.add_data_validation(1, index(column)?, index(last)?, index(column)?, &markers)?;
    }
    sheet::keep_headings(sheet)?;
    sheet::protect(sheet);
    sheet::print_settings(sheet, &content.subject());
    Ok(())
}

/// The columns that the rows need: what a figure is of, what it was, what is filled in, and when it is due.
fn columns(content: &Content<'_>) -> Vec<Field> {
    let has = |kind| content.rows.iter().any(|row| row.definition.kind == kind);
    let is_asked = |row: &Row<'_>| row.definition.checks.iter().any(|check| check.severity == Severity::Query);
    let are_shown = |earlier: fn(&Content<'_>, &Row<'_>) -> String| {
        content.rows.iter().any(|row| !earlier(content, row).is_empty())
    };
    let mut columns = vec![Field::Indicator, Field::Title, Field::Area, Field::Place, Field::Period];
    columns.extend((!content.categories.is_empty()).then_some(Field::Breakdown));
    columns.push(Field::Unit);
    columns.extend(are_shown(|content, row| content.earlier.year_before(row)).then_some(Field::YearBefore));
    columns.extend(are_shown(|content, row| content.earlier.previous(row)).then_some(Field::Previous));
    columns.push(Field::Value);
    if has(Kind::Ratio) {
        columns.extend([Field::Numerator, Field::Denominator, Field::Base]);
    }
    columns.extend(has(Kind::Mean).then_some(Field::Count));
    columns.extend([Field::Markers, Field::Note]);
    columns.extend(content.rows.iter().any(is_asked).then_some(Field::Explanation));
    columns.push(Field::Due);
    columns
}

const fn width(field: Field) -> u8 {
    match field {
        Field::Title => 40,
        Field::Indicator => 36,
        Field::Note | Field::Explanation | Field::Problem => 30,
        Field::Place | Field::Breakdown => 24,
        Field::Previous | Field::YearBefore => 18,
        Field::Area
        | Field::Period
        | Field::Unit
        | Field::Value
        | Field::Numerator
        | Field::Denominator
        | Field::Base
        | Field::Count
        | Field::Markers
        | Field::Action
        | Field::Agency
        | Field::Report
        | Field::Due => 13,
    }
}

fn cell(content: &Content<'_>, row: &Row<'_>, field: Field) -> Cell {
    match field {
        Field::Indicator | Field::Title | Field::Area | Field::Period | Field::Breakdown | Field::Unit | Field::Due => {
            Cell::Given(row.given(field))
        }
        Field::Place => Cell::Given(content.place(&row.area).to_owned()),
        Field::YearBefore => Cell::Given(content.earlier.year_before(row)),
        Field::Previous => Cell::Given(content.earlier.previous(row)),
        Field::Value | Field::Numerator | Field::Denominator | Field::Base | Field::Count => {
            if Bounds::of(row.definition, field).is_some() { Cell::Number } else { Cell::Unused }
        }
        Field::Markers | Field::Note | Field::Explanation => Cell::Words,
        Field::Action | Field::Agency | Field::Report | Field::Problem => Cell::Unused,
    }
}

fn put(
    sheet: &mut Worksheet,
    row: usize,
    column: usize,
    field: Field,
    cell: Cell,
    looks: &Looks,
) -> Result<(), XlsxError> {
    let (row, column) = (index(row)?, index(column)?);
    match cell {
        Cell::Given(text) => {
            let is_figure = field == Field::Previous || field == Field::YearBefore;
            let look = if is_figure { &looks.figure } else { &looks.text };
            sheet.write_string_with_format(row, column, text, look)?
        }
        Cell::Number => sheet.write_blank(row, column, &looks.number)?,
        Cell::Words => sheet.write_blank(row, column, &looks.words)?,
        Cell::Unused => sheet.write_blank(row, column, &looks.unused)?,
    };
    Ok(())
}

/// Has each number checked as it is typed, and says what it may be; once for rows of one definition that follow each
/// other.
fn add_bounds(sheet: &mut Worksheet, content: &Content<'_>, columns: &[Field]) -> Result<(), XlsxError> {
    let same = |a: &Row<'_>, b: &Row<'_>| std::ptr::eq(a.definition, b.definition);
    let mut first = 1;
    for rows in content.rows.chunk_by(same) {
        let last = first + rows.len() - 1;
        for (column, field) in columns.iter().enumerate() {
            let Some(bounds) = Bounds::of(rows[0].definition, *field) else { continue };
            // The formula is written for the first of the rows, and a spreadsheet moves it along.
            let cell = |of: Field| {
                let place = columns.iter().position(|field| *field == of).unwrap_or(column);
                format!("{}{}", column_letters(place), first + 1)
            };
            let formula = Formula::new(bounds.formula(*field, cell));
            let check = number_check(rows[0].definition, *field, &bounds)?.allow_custom(formula);
            sheet.add_data_validation(index(first)?, index(column)?, index(last)?, index(column)?, &check)?;
        }
        first = last + 1;
    }
    Ok(())
}

fn number_check(definition: &IndicatorVersion, field: Field, bounds: &Bounds) -> Result<DataValidation, XlsxError> {
    let words = bounds.words();
    let printed = if definition.kind != Kind::Ratio {
        ""
    } else if field == Field::Value {
        " Only without numerator and denominator: the percentage, such as 95.9."
    } else if field == Field::Base {
        " Only beside value: what it is a percentage of."
    } else {
        ""
    };
    let message = format!("{}: {words}.{printed} {}", field.name(), definition.definition);
    let error =
        format!("Allowed here: {words}. If there is no figure, leave this empty and choose a marker that says why.");
    DataValidation::new()
        .set_input_title(shortened(&definition.title, CELL_TITLE_UNITS_MAX))?
        .set_input_message(shortened(&message, CELL_MESSAGE_UNITS_MAX))?
        .set_error_title(shortened(&definition.title, CELL_TITLE_UNITS_MAX))?
        .set_error_message(shortened(&error, CELL_MESSAGE_UNITS_MAX))
}

/// The markers, to choose one from; several may be typed.
fn marker_choice() -> Result<DataValidation, XlsxError> {
    let absences = Marker::ALL.iter().copied().filter(|marker| marker.is_absence());
    let absences: Vec<String> = absences.map(|marker| format!("{marker} {}", marker.meaning())).collect();
    let message = format!(
        "In the place of a number: {}. The others stand beside one; the first sheet has them all. Several are separated \
         by spaces.",
        absences.join("; ")
    );
    let markers: Vec<&str> = Marker::ALL.iter().map(|marker| marker.text()).collect();
    DataValidation::new()
        .allow_list_strings(&markers)?
        .set_error_style(DataValidationErrorStyle::Warning)
        .set_input_title("markers")?
        .set_input_message(shortened(&message, CELL_MESSAGE_UNITS_MAX))?
        .set_error_title("Not one of the list")?
        .set_error_message(format!("Markers: {}. Several are separated by spaces: e p.", markers.join(", ")))
}

/// Adds rows for figures that nobody has to report, such as a breakdown: what they are of is chosen from lists.
fn add_further_rows(
    sheet: &mut Worksheet,
    content: &Content<'_>,
    columns: &[Field],
    looks: &Looks,
) -> Result<(), XlsxError> {
    let first = content.rows.len() + 1;
    for row in first..first + FURTHER_ROWS {
        for (column, field) in columns.iter().enumerate() {
            let cell = match field {
                // A row with nothing but a title isn't read.
                Field::Title if row == first => {
                    Cell::Given("Further figures, such as of one category: choose from the lists".to_owned())
                }
                Field::Indicator | Field::Area | Field::Period | Field::Breakdown => Cell::Words,
                Field::Value | Field::Numerator | Field::Denominator | Field::Base | Field::Count => Cell::Number,
                Field::Markers | Field::Note | Field::Explanation => Cell::Words,
                Field::Title
                | Field::Place
                | Field::Unit
                | Field::Previous
                | Field::YearBefore
                | Field::Due
                | Field::Action
                | Field::Agency
                | Field::Report
                | Field::Problem => Cell::Unused,
            };
            put(sheet, row, column, *field, cell, looks)?;
        }
    }
    for (column, field) in columns.iter().enumerate() {
        let Some(range) = lists::range(content, *field) else { continue };
        let choice = DataValidation::new()
            .allow_list_formula(range)
            .set_error_style(DataValidationErrorStyle::Warning)
            .set_error_title("Not one of the list")?
            .set_error_message("The sheet Lists has what may stand here.")?;
        sheet.add_data_validation(
            index(first)?,
            index(column)?,
            index(first + FURTHER_ROWS - 1)?,
            index(column)?,
            &choice,
        )?;
    }
    Ok(())
}

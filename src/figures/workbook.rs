//! Workbooks (`.xlsx`): their sheets, and the cells of one as its readers see them.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::panic::AssertUnwindSafe;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};

use super::number_format::{self, DateFormat};
use super::package::Package;
use super::table::{CELLS_MAX, COLUMNS_MAX, Cell, CellKind, Fault, Merged, Moment, ROWS_MAX, Row, Table};
use super::text_file::{too_long, too_many, too_wide};
use crate::model::date::Date;

/// A workbook whose sheets can be read.
pub(super) struct Workbook<'a> {
    xlsx: Xlsx<Cursor<&'a [u8]>>,
    package: Package<'a>,
}

/// A sheet's name, and whether it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SheetName {
    pub(super) name: String,
    pub(super) is_hidden: bool,
}

impl<'a> Workbook<'a> {
    /// Opens a workbook that is within the bounds.
    ///
    /// # Errors
    /// Why it can't be read, as a sentence.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let package = Package::open(bytes)?;
        let xlsx = contained(|| Xlsx::new(Cursor::new(bytes)).map_err(damaged))?;
        Ok(Self { xlsx, package })
    }

    /// The sheets of cells, in their order.
    pub(super) fn sheets(&self) -> Vec<SheetName> {
        let sheets = self.xlsx.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        sheets
            .map(|sheet| SheetName { name: sheet.name.clone(), is_hidden: sheet.visible != SheetVisible::Visible })
            .collect()
    }

    /// The cells of a sheet.
    ///
    /// # Errors
    /// Why it can't be read, as a sentence.
    pub(super) fn table(&mut self, sheet: &str) -> Result<Table, String> {
        contained(|| self.read_table(sheet))
    }

    fn read_table(&mut self, sheet: &str) -> Result<Table, String> {
        let mut table = Table { sheet: Some(sheet.to_owned()), ..Table::default() };
        let uncalculated = self.formulas_without_value(sheet)?;
        let mut reader = self.xlsx.worksheet_cells_reader(sheet).map_err(damaged)?;
        let mut cells = 0;
        while let Some((found, style)) = reader.next_cell_with_style_id().map_err(damaged)? {
            let (row, column) = position(found.get_position());
            let style = reader.styles().get(style).and_then(|style| style.number_format.as_ref());
            let cell = if uncalculated.contains(&(row, column)) {
                Cell { text: "=…".to_owned(), kind: CellKind::FormulaWithoutValue }
            } else {
                cell(
                    found.get_value(),
                    style.map_or("General", |style| number_format::shown_code(style.format_id, &style.format_code)),
                )
            };
            if cell.is_empty() {
                continue;
            }
            let faults = &mut table.faults;
            if column >= COLUMNS_MAX {
                faults.push(Fault { row, column: None, what: too_wide() });
                continue;
            }
            faults.extend(too_long(&cell.text).map(|what| Fault { row, column: Some(column), what }));
            cells += put(&mut table.rows, row, column, cell)?;
            if cells > CELLS_MAX || row > ROWS_MAX {
                faults.push(too_many(row, cells));
                return Ok(table);
            }
        }
        drop(reader);
        table.hidden_rows = self.package.hidden_rows(sheet)?;
        table.merged = self.merged(sheet)?;
        Ok(table)
    }

    /// Where there are formulas whose values the program that wrote the file left out.
    fn formulas_without_value(&mut self, sheet: &str) -> Result<BTreeSet<(u64, usize)>, String> {
        let mut found = BTreeSet::new();
        let mut reader = self.xlsx.worksheet_cells_reader(sheet).map_err(damaged)?;
        while let Some(record) = reader.next_cell_with_formula_metadata().map_err(damaged)? {
            if record.formula.is_some() && record.value == DataRef::Empty && found.len() < CELLS_MAX {
                found.insert(position(record.pos));
            }
        }
        Ok(found)
    }

    fn merged(&mut self, sheet: &str) -> Result<Vec<Merged>, String> {
        let merged = self.xlsx.merge_cells_by_sheet_name(sheet).map_err(damaged)?;
        let merged = merged.into_iter().map(|it| {
            let ((first_row, first_column), (last_row, last_column)) = (position(it.start), position(it.end));
            Merged { rows: (first_row, last_row), columns: (first_column, last_column) }
        });
        Ok(merged.collect())
    }
}

/// Has a panic of the library be an error of the file. Its arithmetic on cell references isn't checked: one such as
/// `B2:A1` panics where the build checks for overflow. What was being read isn't used any further.
fn contained<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(damaged("a reference in it isn't one to a cell")))
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("the workbook is damaged, or isn't one that Excel would open: {error}")
}

/// The row's number, and the column.
fn position((row, column): (u32, u32)) -> (u64, usize) {
    (u64::from(row) + 1, usize::try_from(column).unwrap_or(usize::MAX))
}

/// Puts a cell into its place; the number of cells that the rows have more.
fn put(rows: &mut Vec<Row>, row: u64, column: usize, cell: Cell) -> Result<usize, String> {
    match rows.last() {
        Some(last) if last.number > row => {
            return Err(damaged(format_args!("row {row} comes after row {}", last.number)));
        }
        Some(last) if last.number == row => {}
        Some(_) | None => rows.push(Row { number: row, cells: Vec::new() }),
    }
    let Some(last) = rows.last_mut() else { return Ok(0) };
    let before = last.cells.len();
    if column >= before {
        last.cells.resize(column + 1, Cell::default());
    }
    last.cells[column] = cell;
    Ok(last.cells.len() - before)
}

fn cell(value: &DataRef<'_>, code: &str) -> Cell {
    match value {
        DataRef::Empty => Cell::default(),
        DataRef::String(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::text(text),
        DataRef::Int(number) => Cell { text: number.to_string(), kind: CellKind::Number },
        DataRef::Float(number) => Cell { text: number_format::number(*number, code), kind: CellKind::Number },
        DataRef::Bool(is_true) => Cell::text(if *is_true { "TRUE" } else { "FALSE" }),
        DataRef::Error(error) => Cell { text: error.to_string(), kind: CellKind::Error },
        DataRef::DateTime(moment) => date(moment, code),
    }
}

/// A date, as its number format shows it.
fn date(moment: &ExcelDateTime, code: &str) -> Cell {
    let (year, month, day, hour, minute, second, millisecond) = moment.to_ymd_hms_milli();
    let format = DateFormat::of(code);
    let date = Date::new(year.into(), month, day).filter(|_| moment.is_datetime());
    let has_time = (hour, minute, second, millisecond) != (0, 0, 0, 0);
    let text = match date {
        Some(date) => format.shown(date, [hour, minute, second]),
        None => number_format::number(moment.as_f64(), "General"),
    };
    let moment = Moment { date, has_time, shows_day: format.shows_day(), shows_year: format.shows_year() };
    Cell { text, kind: CellKind::Date(moment) }
}

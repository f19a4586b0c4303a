//! Workbooks (`.xlsx`): their sheets, and the cells of one as its readers see them.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};

use super::input::{Input, InputReader};
use super::number_format::{self, DateFormat};
use super::package::Package;
use super::table::{
    COLUMNS_MAX, Cell, CellKind, Fault, Merged, Moment, ROWS_MAX, Row, too_long, too_many_rows, too_wide,
};
use crate::model::date::Date;

/// The most formulas that may have no value. Each is refused, and remembered until then.
const FORMULAS_WITHOUT_VALUE_MAX: usize = 100_000;

/// A workbook whose sheets can be read.
pub(super) struct Workbook {
    xlsx: Xlsx<BufReader<InputReader>>,
    package: Package,
}

/// A sheet's name, and whether it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SheetName {
    pub(super) name: String,
    pub(super) is_hidden: bool,
}

/// Where in a sheet there are formulas whose values the program that wrote the file left out.
pub(super) type WithoutValue = BTreeSet<(u64, usize)>;

impl Workbook {
    /// Opens a workbook that is within the bounds.
    ///
    /// # Errors
    /// Why it can't be read, as a sentence.
    pub(super) fn open(input: &Input) -> Result<Self, String> {
        let package = Package::open(input)?;
        let xlsx = contained(|| Xlsx::new(BufReader::new(input.reader())).map_err(damaged))?;
        Ok(Self { xlsx, package })
    }

    /// The sheets of cells, in their order.
    pub(super) fn sheets(&self) -> Vec<SheetName> {
        let sheets = self.xlsx.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        sheets
            .map(|sheet| SheetName { name: sheet.name.clone(), is_hidden: sheet.visible != SheetVisible::Visible })
            .collect()
    }

    /// Hands over the rows of a sheet, one after the other, until one is the last that is wanted; those without any
    /// text are left out.
    ///
    /// # Errors
    /// Why the sheet can't be read, or not any further, as a sentence.
    pub(super) fn rows(
        &mut self,
        sheet: &str,
        without_value: &WithoutValue,
        take: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let mut reader = contained(|| self.xlsx.worksheet_cells_reader(sheet).map_err(damaged))?;
        let mut row = Row::default();
        while let Some((found, style)) = contained(|| reader.next_cell_with_style_id().map_err(damaged))? {
            let (number, column) = position(found.get_position());
            if number != row.number {
                if number < row.number {
                    return Err(damaged(format_args!("row {number} comes after row {}", row.number)));
                }
                let whole = std::mem::replace(&mut row, Row { number, ..Row::default() });
                if !whole.is_blank() && take(whole).is_break() {
                    return Ok(());
                }
            }
            if number > ROWS_MAX {
                let _is_last = take(Row::unreadable(number, too_many_rows()));
                return Ok(());
            }
            let cell = if without_value.contains(&(number, column)) {
                Cell { text: "=…".to_owned(), kind: CellKind::FormulaWithoutValue }
            } else {
                let style = reader.styles().get(style).and_then(|style| style.number_format.as_ref());
                let code = style.map_or("General", |it| number_format::shown_code(it.format_id, &it.format_code));
                cell(found.get_value(), code)
            };
            put(&mut row, column, cell);
        }
        if !row.is_blank() {
            let _is_last = take(row);
        }
        Ok(())
    }

    /// Where in a sheet there are formulas without a value.
    ///
    /// # Errors
    /// Why the sheet can't be read, as a sentence; also that there are too many.
    pub(super) fn formulas_without_value(&mut self, sheet: &str) -> Result<WithoutValue, String> {
        let mut found = BTreeSet::new();
        let mut reader = contained(|| self.xlsx.worksheet_cells_reader(sheet).map_err(damaged))?;
        while let Some(record) = contained(|| reader.next_cell_with_formula_metadata().map_err(damaged))? {
            if record.formula.is_none() || record.value != DataRef::Empty {
                continue;
            }
            if found.len() == FORMULAS_WITHOUT_VALUE_MAX {
                return Err(format!(
                    "found more than {FORMULAS_WITHOUT_VALUE_MAX} formulas whose values aren't in the file; open the \
                     file in a spreadsheet, calculate, and save it again"
                ));
            }
            found.insert(position(record.pos));
        }
        Ok(found)
    }

    /// The numbers of the rows of a sheet that aren't shown.
    ///
    /// # Errors
    /// Why they can't be read, as a sentence.
    pub(super) fn hidden_rows(&mut self, sheet: &str) -> Result<BTreeSet<u64>, String> {
        self.package.hidden_rows(sheet)
    }

    /// The cells of a sheet that are shown as one.
    ///
    /// # Errors
    /// Why they can't be read, as a sentence.
    pub(super) fn merged(&mut self, sheet: &str) -> Result<Vec<Merged>, String> {
        let merged = contained(|| self.xlsx.merge_cells_by_sheet_name(sheet).map_err(damaged))?;
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

/// Puts a cell into its place in a row.
fn put(row: &mut Row, column: usize, cell: Cell) {
    if cell.is_empty() {
        return;
    }
    if column >= COLUMNS_MAX {
        row.faults.push(Fault { column: None, what: too_wide() });
        return;
    }
    row.faults.extend(too_long(&cell.text).map(|what| Fault { column: Some(column), what }));
    if column >= row.cells.len() {
        row.cells.resize(column + 1, Cell::default());
    }
    row.cells[column] = cell;
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

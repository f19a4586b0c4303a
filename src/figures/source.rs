//! What a file is, by what is in it: a text with one of the separators, or a workbook, and which of its sheets; and its
//! rows, from the first, as often as they are wanted.

use std::ops::ControlFlow;

use super::header::{self, Header, ROWS_ABOVE_MAX};
use super::input::Input;
use super::layout::Layout;
use super::problem::Problem;
use super::table::{ROWS_MAX, Row, Table};
use super::text_file::{Separator, TextFile};
use super::workbook::{WithoutValue, Workbook};
use crate::model::violation::Quoted;

/// The most sheets of a workbook: each is looked at for the columns.
const SHEETS_MAX: usize = 250;

/// What a file's rows are read from.
pub(super) enum Source {
    Text(TextFile, Separator),
    Sheet { workbook: Box<Workbook>, name: String, without_value: WithoutValue },
}

impl Source {
    /// Opens a file by what is in it, as far as its header, and notes what its sender should know of how.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn open(input: &Input, layout: &Layout, notes: &mut Vec<String>) -> Result<(Self, Table), Problem> {
        const OLD_EXCEL: &[u8] = b"\xd0\xcf\x11\xe0";
        if input.bytes() > input.bytes_max() {
            let allowed = input.bytes_max() >> 20;
            return Err(Problem::of_file(format!(
                "found a file of more than {allowed} MiB; allowed: at most {allowed}"
            )));
        }
        let refused = |found: &str| {
            Err(Problem::of_file(format!("found {found}; allowed: a workbook (.xlsx) or a text file (CSV)")))
        };
        let mut start = [0; 4];
        let count = input.start(&mut start).map_err(unreadable)?;
        match &start[..count] {
            [] => Err(Problem::of_file("the file is empty")),
            [b'P', b'K', 3 | 5, ..] => sheet(input, layout, notes),
            OLD_EXCEL => refused("a workbook of the old form (.xls), or one with a password"),
            b"%PDF" => refused("a PDF"),
            _ => {
                let file = TextFile::open(input).map_err(unreadable)?;
                let start: String = file.start.trim_start().chars().take(64).collect::<String>().to_ascii_lowercase();
                if ["<!doctype", "<html", "<?xml", "<table"].iter().any(|tag| start.starts_with(tag)) {
                    return refused("a web page or XML, whatever the file's name says");
                }
                notes.extend(
                    file.encoding().map(|encoding| format!("the file was read as {encoding}, since it isn't in UTF-8")),
                );
                if let Some(sheet) = &layout.sheet {
                    return Err(Problem::of_file(format!(
                        "--sheet: found {}; the file isn't a workbook",
                        Quoted(sheet)
                    )));
                }
                text_table(file, layout, notes)
            }
        }
    }

    /// Hands over the rows from the first, one after the other, until one is the last that is wanted; those without
    /// any text are left out.
    ///
    /// # Errors
    /// Why they can't be read, or not any further.
    pub(super) fn rows(&mut self, take: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), Problem> {
        match self {
            Self::Text(file, separator) => file.rows(*separator, ROWS_MAX, take).map_err(unreadable),
            Self::Sheet { workbook, name, without_value } => {
                workbook.rows(name, without_value, take).map_err(Problem::of_file)
            }
        }
    }
}

/// The file can't be read.
#[expect(clippy::needless_pass_by_value, reason = "it is where errors are turned into problems")]
fn unreadable(error: std::io::Error) -> Problem {
    Problem::of_file(format!("the file can't be read: {error}"))
}

/// The rows of a table as far as its header; where none is found, those that it was looked for in.
#[derive(Default)]
struct Top(Vec<Row>);

impl Top {
    fn take(&mut self, row: Row, layout: &Layout) -> ControlFlow<()> {
        let is_named = layout.header_row.map(|number| row.number.cmp(&number));
        let is_last = match is_named {
            Some(std::cmp::Ordering::Less) if self.0.len() > ROWS_ABOVE_MAX => return ControlFlow::Continue(()),
            Some(std::cmp::Ordering::Less) => false,
            Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Greater) => true,
            None => header::is_header(&row, layout) || self.0.len() == ROWS_ABOVE_MAX,
        };
        self.0.push(row);
        if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Takes a text file's rows, separated as its header is.
fn text_table(file: TextFile, layout: &Layout, notes: &mut Vec<String>) -> Result<(Source, Table), Problem> {
    const ROWS_LOOKED_AT: u64 = 100;
    let top = |separator: Separator, rows_max| {
        let mut top = Top::default();
        file.rows(separator, rows_max, &mut |row| top.take(row, layout)).map_err(unreadable)?;
        Ok(Table { notation: separator.notation(), rows: top.0, ..Table::default() })
    };
    // Of those that are as good, the first.
    let mut found = (Separator::Comma, (false, 0));
    for separator in Separator::ALL {
        let table = top(separator, ROWS_LOOKED_AT)?;
        let named =
            table.rows.iter().map(|row| row.cells.iter().filter(|cell| layout.field(&cell.text).is_some()).count());
        let names = (Header::find(&table, layout).is_some(), named.max().unwrap_or_default());
        if names > found.1 {
            found = (separator, names);
        }
    }
    let separator = file.named_separator().unwrap_or(found.0);
    if separator != Separator::Comma {
        notes.push(format!("the columns are separated by {}", separator.name()));
    }
    let table = top(separator, ROWS_MAX)?;
    Ok((Source::Text(file, separator), table))
}

/// A sheet of a workbook, with what a person doesn't see of it.
fn sheet_table(mut workbook: Workbook, name: &str, table: Table) -> Result<(Source, Table), String> {
    let without_value = workbook.formulas_without_value(name)?;
    let table = Table { hidden_rows: workbook.hidden_rows(name)?, merged: workbook.merged(name)?, ..table };
    Ok((Source::Sheet { workbook: Box::new(workbook), name: name.to_owned(), without_value }, table))
}

/// The rows of a sheet as far as its header.
fn sheet_top(workbook: &mut Workbook, name: &str, layout: &Layout) -> Result<Table, String> {
    let mut top = Top::default();
    workbook.rows(name, &WithoutValue::new(), &mut |row| top.take(row, layout))?;
    Ok(Table { sheet: Some(name.to_owned()), rows: top.0, ..Table::default() })
}

/// Takes a sheet of a workbook: the one that is named, or the only one that has the columns.
fn sheet(input: &Input, layout: &Layout, notes: &mut Vec<String>) -> Result<(Source, Table), Problem> {
    let mut workbook = Workbook::open(input).map_err(Problem::of_file)?;
    let sheets = workbook.sheets();
    if sheets.len() > SHEETS_MAX {
        let what = format!("found a workbook of {} sheets; allowed: at most {SHEETS_MAX}", sheets.len());
        return Err(Problem::of_file(what));
    }
    let list = |names: &[&str]| names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(", ");
    let all: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    if let Some(name) = &layout.sheet {
        let found = sheets.iter().find(|sheet| sheet.name.to_lowercase() == name.trim().to_lowercase());
        let sheet = found
            .ok_or_else(|| Problem::of_file(format!("--sheet: found {}; allowed: {}", Quoted(name), list(&all))))?;
        let table = sheet_top(&mut workbook, &sheet.name, layout).map_err(Problem::of_file)?;
        return sheet_table(workbook, &sheet.name, table).map_err(Problem::of_file);
    }
    let mut having: Vec<(&str, bool)> = Vec::new();
    let (mut taken, mut most_named) = (Table::default(), 0);
    for sheet in &sheets {
        let table = sheet_top(&mut workbook, &sheet.name, layout).map_err(Problem::of_file)?;
        let has_columns = Header::find(&table, layout).is_some();
        if has_columns {
            having.push((&sheet.name, sheet.is_hidden));
        }
        let is_first = having.iter().filter(|(_, is_hidden)| !is_hidden).count() == 1;
        // Where no sheet has them all, the one that has most of them is reported on.
        let named = header::named_columns(&table, layout);
        let is_nearest = having.is_empty() && !sheet.is_hidden && named > most_named;
        if has_columns && !sheet.is_hidden && is_first || is_nearest || sheets.len() == 1 {
            taken = table;
            most_named = named;
        }
    }
    let of = |hidden: bool| having.iter().filter(|(_, it)| *it == hidden).map(|(name, _)| *name).collect::<Vec<_>>();
    let (shown, hidden) = (of(false), of(true));
    match (shown.as_slice(), hidden.as_slice()) {
        ([], []) if sheets.len() == 1 || most_named > 1 => {}
        ([], []) => {
            let what = format!(
                "found no sheet that names the columns in a row; the sheets are {}. Name the one to read with --sheet, to see what it lacks",
                list(&all)
            );
            return Err(Problem::of_file(what));
        }
        ([], hidden) => {
            let what = format!(
                "found the columns in {} only, which the workbook hides; to read it, add --sheet {}",
                list(hidden),
                Quoted(hidden[0])
            );
            return Err(Problem::of_file(what));
        }
        ([one], hidden) => {
            if sheets.len() > 1 {
                notes.push(format!("sheet {} was read, of {}", Quoted(one), list(&all)));
            }
            if !hidden.is_empty() {
                notes.push(format!("the workbook hides {}, with the columns too; it wasn't read", list(hidden)));
            }
        }
        (several, _) => {
            let what = format!("found the columns in the sheets {}; name the one to read with --sheet", list(several));
            return Err(Problem::of_file(what));
        }
    }
    let name = taken.sheet.clone().unwrap_or_default();
    sheet_table(workbook, &name, taken).map_err(Problem::of_file)
}

//! What a file is, by what is in it: a text with one of the separators, or a workbook, and which of its sheets.

use super::header::{self, Header};
use super::layout::Layout;
use super::problem::Problem;
use super::table::{FILE_BYTES_MAX, ROWS_MAX, Table};
use super::text_file::{self, Separator};
use super::workbook::Workbook;
use crate::model::violation::Quoted;

/// Makes the table of a file, by what is in it, and notes what its sender should know of how.
///
/// # Errors
/// Why there is none.
pub(super) fn table(bytes: &[u8], layout: &Layout, notes: &mut Vec<String>) -> Result<Table, Problem> {
    const OLD_EXCEL: &[u8] = b"\xd0\xcf\x11\xe0";
    if bytes.len() > FILE_BYTES_MAX {
        let allowed = FILE_BYTES_MAX >> 20;
        return Err(Problem::of_file(format!("found a file of more than {allowed} MiB; allowed: at most {allowed}")));
    }
    let refused =
        |found: &str| Err(Problem::of_file(format!("found {found}; allowed: a workbook (.xlsx) or a text file (CSV)")));
    match bytes {
        [] => Err(Problem::of_file("the file is empty")),
        [b'P', b'K', 3 | 5, ..] => sheet(bytes, layout, notes),
        _ if bytes.starts_with(OLD_EXCEL) => refused("a workbook of the old form (.xls), or one with a password"),
        _ if bytes.starts_with(b"%PDF") => refused("a PDF"),
        _ => {
            let (text, encoding) = text_file::decoded(bytes);
            let start = text.trim_start().get(..64).unwrap_or(text.trim_start()).to_ascii_lowercase();
            if ["<!doctype", "<html", "<?xml", "<table"].iter().any(|tag| start.starts_with(tag)) {
                return refused("a web page or XML, whatever the file's name says");
            }
            notes.extend(encoding.map(|encoding| format!("the file was read as {encoding}, since it isn't in UTF-8")));
            if let Some(sheet) = &layout.sheet {
                return Err(Problem::of_file(format!("--sheet: found {}; the file isn't a workbook", Quoted(sheet))));
            }
            Ok(text_table(&text, layout, notes))
        }
    }
}

/// Takes a text file's rows, separated as its header is.
fn text_table(text: &str, layout: &Layout, notes: &mut Vec<String>) -> Table {
    const ROWS_LOOKED_AT: u64 = 100;
    let start = |separator| text_file::table(text, separator, ROWS_LOOKED_AT);
    let names = |separator: &Separator| {
        let table = start(*separator);
        let header = Header::find(&table, layout);
        let named =
            table.rows.iter().map(|row| row.cells.iter().filter(|cell| layout.field(&cell.text).is_some()).count());
        (header.is_some(), named.max().unwrap_or_default())
    };
    // Of those that are as good, the first.
    let found = Separator::ALL.into_iter().rev().max_by_key(names).unwrap_or(Separator::Comma);
    let separator = text_file::named_separator(text).unwrap_or(found);
    if separator != Separator::Comma {
        notes.push(format!("the columns are separated by {}", separator.name()));
    }
    text_file::table(text, separator, ROWS_MAX)
}

/// Takes a sheet of a workbook: the one that is named, or the only one that has the columns.
fn sheet(bytes: &[u8], layout: &Layout, notes: &mut Vec<String>) -> Result<Table, Problem> {
    let mut workbook = Workbook::open(bytes).map_err(Problem::of_file)?;
    let sheets = workbook.sheets();
    let list = |names: &[&str]| names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(", ");
    let all: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    if let Some(name) = &layout.sheet {
        let found = sheets.iter().find(|sheet| sheet.name.to_lowercase() == name.trim().to_lowercase());
        let sheet = found
            .ok_or_else(|| Problem::of_file(format!("--sheet: found {}; allowed: {}", Quoted(name), list(&all))))?;
        return workbook.table(&sheet.name).map_err(Problem::of_file);
    }
    let mut having: Vec<(&str, bool)> = Vec::new();
    let (mut taken, mut most_named) = (Table::default(), 0);
    for sheet in &sheets {
        let table = workbook.table(&sheet.name).map_err(Problem::of_file)?;
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
    Ok(taken)
}

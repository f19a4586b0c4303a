//! The sheets of a workbook: a cover, notes, and the table.

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Table as MarkedTable, TableColumn, Workbook, Worksheet,
    XlsxError,
};

use crate::model::marker::Marker;
use crate::model::text::visible_lines;
use crate::tables::Cell;

/// The most characters of a text that a cell takes.
const TEXT_CHARACTERS_MAX: usize = 32_000;
/// The most digits of a number that a spreadsheet keeps; one with more is written as text.
const DIGITS_MAX: usize = 15;
/// The most decimals of a number of the service.
const DECIMALS_MAX: usize = 6;
/// How wide a column of the table is at the most, in pixels.
const WIDTH_PIXELS_MAX: u32 = 320;
/// How wide the texts of the cover and of the notes are, in characters.
const TEXT_WIDTH: f64 = 100.0;

/// What a workbook says.
pub(super) struct Content {
    pub(super) title: String,
    /// What the cover says, a line each.
    pub(super) cover: Vec<String>,
    /// What the sheet of the table is called.
    pub(super) sheet: String,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What the notes explain: a code, and what it means.
    pub(super) notes: Vec<[String; 2]>,
    /// When, in seconds since 1970.
    pub(super) made: i64,
}

impl Content {
    /// The workbook: the same bytes for the same content.
    ///
    /// # Errors
    /// What the library refuses.
    pub(super) fn write(&self) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let made = ExcelDateTime::from_timestamp(self.made)?;
        let properties = DocProperties::new().set_title(&self.title).set_author("conspectus");
        workbook.set_properties(&properties.set_creation_datetime(&made).set_custom_property("Language", "en-GB"));
        let looks = Looks::new();
        text_sheet(workbook.add_worksheet().set_name("Cover")?, &looks, &self.title, &self.cover)?;
        let sheet = workbook.add_worksheet().set_name("Notes")?;
        text_sheet(sheet, &looks, "Notes", &["This worksheet contains one table.".to_owned()])?;
        let notes: Vec<Vec<Cell>> = self.notes.iter().map(|row| row.clone().map(Cell::Text).to_vec()).collect();
        table(sheet, &looks, "notes", &["Shorthand".to_owned(), "Meaning".to_owned()], &notes)?;
        sheet.set_column_width(0, 34)?.set_column_width(1, TEXT_WIDTH)?;
        let sheet = workbook.add_worksheet().set_name(&self.sheet)?;
        text_sheet(sheet, &looks, &self.title, &["This worksheet contains one table.".to_owned()])?;
        table(sheet, &looks, &self.sheet.to_lowercase(), &self.headings, &self.rows)?;
        sheet.set_autofit_max_width(WIDTH_PIXELS_MAX).autofit();
        workbook.save_to_buffer()
    }
}

/// How cells look.
struct Looks {
    title: Format,
    text: Format,
    /// Numbers by their decimals.
    numbers: [Format; DECIMALS_MAX + 1],
    /// What stands in the place of a number.
    shorthand: Format,
}

impl Looks {
    fn new() -> Self {
        let number = |decimals: usize| match decimals {
            0 => Format::new().set_num_format("0"),
            _ => Format::new().set_num_format(format!("0.{}", "0".repeat(decimals))),
        };
        Self {
            title: Format::new().set_bold().set_font_size(16),
            text: Format::new().set_text_wrap().set_align(FormatAlign::Top),
            numbers: std::array::from_fn(number),
            shorthand: Format::new().set_align(FormatAlign::Right),
        }
    }
}

/// The first rows of a sheet: its title, and what there is to say before a table.
fn text_sheet(sheet: &mut Worksheet, looks: &Looks, title: &str, lines: &[String]) -> Result<(), XlsxError> {
    sheet.write_string_with_format(0, 0, title, &looks.title)?;
    for (row, line) in (1..).zip(lines) {
        sheet.write_string(row, 0, line)?;
    }
    Ok(())
}

/// The row of a table's headings, below a title and a line.
const HEADINGS_ROW: u32 = 2;

/// A table, marked up as one. One without rows has one that says so.
fn table(
    sheet: &mut Worksheet,
    looks: &Looks,
    name: &str,
    headings: &[String],
    rows: &[Vec<Cell>],
) -> Result<(), XlsxError> {
    let columns: Vec<TableColumn> = headings.iter().map(|heading| TableColumn::new().set_header(heading)).collect();
    let none = [vec![Cell::Text(String::new()); headings.len()]];
    let rows = if rows.is_empty() { &none[..] } else { rows };
    let size = || XlsxError::RowColumnLimitError;
    let last_row = HEADINGS_ROW + u32::try_from(rows.len()).map_err(|_| size())?;
    let last_column = u16::try_from(headings.len()).map_err(|_| size())?.saturating_sub(1);
    let marked = MarkedTable::new().set_name(name).set_columns(&columns);
    sheet.add_table(HEADINGS_ROW, 0, last_row, last_column, &marked)?;
    for (row, cells) in (HEADINGS_ROW + 1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            write(sheet, looks, (row, column), cell)?;
        }
    }
    Ok(())
}

fn write(sheet: &mut Worksheet, looks: &Looks, (row, column): (u32, u16), cell: &Cell) -> Result<(), XlsxError> {
    let (text, look) = match cell {
        Cell::Number(Some(number)) => match exact(number) {
            Some((number, decimals)) => {
                sheet.write_number_with_format(row, column, number, &looks.numbers[decimals])?;
                return Ok(());
            }
            None => (number.clone(), &looks.shorthand),
        },
        Cell::Number(None) => (format!("[{}]", Marker::NotApplicable), &looks.shorthand),
        Cell::Missing(marker) => (format!("[{marker}]"), &looks.shorthand),
        Cell::Markers(markers) if !markers.is_empty() => {
            (markers.iter().map(|marker| format!("[{marker}]")).collect::<Vec<_>>().join(" "), &looks.text)
        }
        Cell::Text(text) if !text.is_empty() => {
            (visible_lines(text).chars().take(TEXT_CHARACTERS_MAX).collect(), &looks.text)
        }
        Cell::Markers(_) | Cell::Text(_) => ("none".to_owned(), &looks.text),
        Cell::All => ("All".to_owned(), &looks.text),
    };
    sheet.write_string_with_format(row, column, text, look)?;
    Ok(())
}

/// A number as a spreadsheet keeps it, and its decimals; none where it wouldn't keep all of it.
fn exact(number: &str) -> Option<(f64, usize)> {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let parsed = number.parse().ok()?;
    (digits <= DIGITS_MAX && decimals <= DECIMALS_MAX).then_some((parsed, decimals))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader as _, Xlsx};

    use super::*;

    fn content(rows: Vec<Vec<Cell>>) -> Content {
        let headings = ["area", "value", "markers", "agency"].map(str::to_owned).to_vec();
        let cover = vec!["As of today.".to_owned()];
        let notes = vec![["[x]", "not available"].map(str::to_owned)];
        Content {
            title: "Figures".to_owned(),
            cover,
            sheet: "Figures".to_owned(),
            headings,
            rows,
            notes,
            made: 1_664_557_200,
        }
    }

    /// All cells of a sheet, row by row.
    fn cells(bytes: &[u8], sheet: &str) -> Vec<Vec<Data>> {
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
        workbook.worksheet_range(sheet).unwrap().rows().map(<[Data]>::to_vec).collect()
    }

    #[test]
    fn a_number_is_a_number_and_what_is_not_there_says_why() {
        let number = |text: &str| Cell::Number(Some(text.to_owned()));
        let rows = vec![
            vec![
                Cell::text("=1+1"),
                number("87.90"),
                Cell::Markers(vec![Marker::Estimated, Marker::Provisional]),
                Cell::All,
            ],
            vec![Cell::text(""), Cell::Missing(Marker::NotAvailable), Cell::Markers(Vec::new()), Cell::text("a")],
            vec![Cell::text("b"), Cell::Number(None), Cell::Markers(Vec::new()), number("1234567890123456")],
        ];
        let bytes = content(rows).write().unwrap();
        let text = |text: &str| Data::String(text.to_owned());
        let found = cells(&bytes, "Figures");
        assert_eq!(found[2], ["area", "value", "markers", "agency"].map(text));
        assert_eq!(found[3], [text("=1+1"), Data::Float(87.9), text("[e] [p]"), text("All")]);
        assert_eq!(found[4], ["none", "[x]", "none", "a"].map(text));
        assert_eq!(found[5], ["b", "[z]", "none", "1234567890123456"].map(text));
    }

    #[test]
    fn no_table_has_an_empty_cell_and_the_same_content_gives_the_same_bytes() {
        let bytes = content(Vec::new()).write().unwrap();
        for (sheet, headings) in [("Notes", 2), ("Figures", 4)] {
            let rows = cells(&bytes, sheet);
            assert!(rows.len() > 2 && rows[2].len() == headings, "{sheet}");
            assert!(rows[2..].iter().flatten().all(|cell| !matches!(cell, Data::Empty)), "{sheet}");
        }
        assert_eq!(content(Vec::new()).write().unwrap(), bytes);
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(&bytes)).unwrap();
        workbook.load_tables().unwrap();
        assert_eq!(workbook.table_names(), ["notes", "figures"]);
    }
}

//! The sender's own rows as a workbook, with each problem beside its row and its cell marked: by colour, by a note, and
//! in words, since not everybody sees colours or notes. Mended, it can be submitted as it is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Note, Workbook, Worksheet, XlsxError};

use super::field::Field;
use super::problem::Problem;
use super::reading::Reading;
use super::source::Source;
use super::table::Row;

/// The most cells that have a note. Spreadsheets are slow with very many.
const NOTES_MAX: usize = 1_000;

/// A workbook without a clock in it: the same content gives the same bytes, whenever it is made.
///
/// # Errors
/// When the library refuses its date.
pub(crate) fn new_workbook() -> Result<Workbook, XlsxError> {
    let mut workbook = Workbook::new();
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?));
    Ok(workbook)
}

/// The most rows of the sender's that are given back. They are in memory until the workbook is written.
const ROWS_MAX: u64 = 100_000;

/// Why there is no workbook of a file's rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarkedError {
    /// It would have too many.
    #[error(
        "found more than {ROWS_MAX} rows, too many to give back in a workbook; name a file in .csv for the problems"
    )]
    TooManyRows,
    /// They can't be read again.
    #[error("{0}")]
    Unreadable(Problem),
    /// A text is longer than a cell of a workbook may be, or such.
    #[error(transparent)]
    Xlsx(#[from] XlsxError),
}

/// The workbook, as bytes.
///
/// # Errors
/// Why there is none.
pub(crate) fn workbook(reading: &Reading, problems: &[Problem]) -> Result<Vec<u8>, MarkedError> {
    let mut workbook = new_workbook()?;
    let sheet = workbook.add_worksheet();
    sheet.set_name("Rows")?;
    // What is wrong with a heading isn't written beside it, where it would be one more.
    let header = reading.header_row();
    let is_of_file = |problem: &&Problem| problem.rows.iter().all(|row| Some(*row) == header);
    let of_file: Vec<&Problem> = problems.iter().filter(is_of_file).collect();
    rows(sheet, reading, problems)?;
    if !of_file.is_empty() {
        let sheet = workbook.add_worksheet();
        sheet.set_name("The whole file")?;
        sheet.set_column_width(0, 120)?;
        for (row, problem) in (0..).zip(of_file) {
            sheet.write_string_with_format(row, 0, problem.to_string(), &marked())?;
        }
    }
    Ok(workbook.save_to_buffer()?)
}

fn rows(sheet: &mut Worksheet, reading: &Reading, problems: &[Problem]) -> Result<(), MarkedError> {
    let mut of_row: BTreeMap<u64, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        for row in &problem.rows {
            of_row.entry(*row).or_default().push(problem);
        }
    }
    // The column of the problems, which a table that was marked before has already.
    let own = reading.place(Field::Problem);
    let mut rows = Rows { sheet, own, width: 0, notes: 0 };
    let mut failed = Ok(());
    if let Some((input, layout)) = &reading.source {
        let (mut source, _) = Source::open(input, layout, &mut Vec::new()).map_err(MarkedError::Unreadable)?;
        let ended = source.rows(&mut |row| {
            failed = rows.write(&row, of_row.get(&row.number).map_or(&[], Vec::as_slice));
            if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        failed?;
        // What can't be read any further is one of the problems.
        drop(ended);
    }
    let beside = column(own.unwrap_or(rows.width));
    let header = reading.header_row().unwrap_or_default();
    if header > 0 {
        sheet.write_string_with_format(line(header), beside, Field::Problem.name(), &Format::new().set_bold())?;
        sheet.set_freeze_panes(line(header) + 1, 0)?;
    }
    sheet.set_column_width(beside, 100)?;
    for (number, problems) in of_row.into_iter().filter(|(number, _)| *number != header) {
        let text = |problem: &&Problem| {
            let name = problem.column.as_ref().map(ToString::to_string);
            name.map_or_else(|| problem.what.clone(), |name| format!("{name}: {}", problem.what))
        };
        let texts: Vec<String> = problems.iter().map(text).collect();
        sheet.write_string_with_format(line(number), beside, texts.join("\n"), &marked())?;
    }
    Ok(())
}

/// The rows that are given back, with their cells marked.
struct Rows<'a> {
    sheet: &'a mut Worksheet,
    /// The column of the problems in the sender's own table, which isn't given back.
    own: Option<usize>,
    /// The most cells that a row has.
    width: usize,
    notes: usize,
}

impl Rows<'_> {
    fn write(&mut self, row: &Row, problems: &[&Problem]) -> Result<(), MarkedError> {
        if row.number > ROWS_MAX {
            return Err(MarkedError::TooManyRows);
        }
        self.width = self.width.max(row.cells.len());
        for (place, cell) in row.cells.iter().enumerate().filter(|(place, _)| Some(*place) != self.own) {
            self.sheet.write_string(line(row.number), column(place), &cell.text)?;
        }
        for problem in problems {
            let Some(place) = problem.column.as_ref().and_then(|column| column.place) else { continue };
            let (line, column) = (line(row.number), column(place));
            self.sheet.write_string_with_format(line, column, &row.cell(place).text, &marked())?;
            if self.notes < NOTES_MAX {
                self.notes += 1;
                self.sheet.insert_note(line, column, &Note::new(&problem.what).add_author_prefix(false))?;
            }
        }
        Ok(())
    }
}

fn marked() -> Format {
    Format::new().set_background_color(0x00FF_C7CE).set_font_color(0x009C_0006).set_text_wrap()
}

/// A row's number as the writer counts.
fn line(number: u64) -> u32 {
    u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX)
}

fn column(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::input::Input;
    use super::super::workbook::{WithoutValue, Workbook};
    use super::super::{Layout, problem::grouped, read_all};
    use super::*;

    fn rows_of(bytes: &[u8], sheet: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        let take = &mut |row| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        Workbook::open(&Input::of(bytes)).unwrap().rows(sheet, &WithoutValue::new(), take).unwrap();
        rows
    }

    fn read(bytes: &[u8]) -> Reading {
        read_all(&Input::of(bytes), &Layout::default())
    }

    fn marked(file: &[u8]) -> (Reading, Vec<u8>) {
        let reading = read(file);
        let bytes = workbook(&reading, &grouped(reading.problems.clone())).unwrap();
        (reading, bytes)
    }

    #[test]
    fn each_row_has_its_problems_beside_it_and_a_mended_one_can_be_submitted() {
        let file = b"A return\n\nIndicator,Area,Period,Value,Team\na,E1,2022,5,\nb,E1,2022-06,n/a,x\n";
        let (_, bytes) = marked(file);
        let rows: Vec<String> = rows_of(&bytes, "Rows")
            .iter()
            .map(|row| {
                format!(
                    "{}: {}",
                    row.number,
                    row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | ")
                )
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"));

        let mended = b"Indicator,Area,Period,Value\na,E1,2022,5\n";
        let (_, bytes) = marked(mended);
        let reading = read(&bytes);
        assert_eq!(reading.figures.len(), 1);
        assert_eq!(reading.problems.len(), 1, "the column of the problems isn't one itself");
        assert_eq!(marked(mended).1, bytes, "the same bytes each time");
        let (_, bytes) = marked(b"Indicator,Area,Period,Value,Team\na,E1,2021,5,x\n");
        assert_eq!(read(&bytes).problems.len(), 2, "nor is a heading's");
    }

    #[test]
    fn what_is_wrong_with_the_whole_file_has_a_sheet_of_its_own() {
        let (_, bytes) = marked(b"a,b\n1,2\n");
        assert!(rows_of(&bytes, "The whole file")[0].cells[0].text.starts_with("found no row that names the columns"));
    }

    #[test]
    fn the_rows_of_a_large_file_are_not_given_back() {
        let file = "\n".repeat(100_000) + "indicator,area,period,value\na,E1,2022,5\n";
        let reading = read(file.as_bytes());
        assert_eq!(reading.problems.len(), 1);
        assert!(matches!(workbook(&reading, &reading.problems), Err(MarkedError::TooManyRows)));
    }
}

//! The sender's own rows as a workbook, with each problem beside its row and its cell marked: by colour, by a note, and
//! in words, since not everybody sees colours or notes. Mended, it can be submitted as it is.

use std::collections::BTreeMap;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Note, Workbook, Worksheet, XlsxError};

use super::Reading;
use super::field::Field;
use super::problem::Problem;

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

/// The workbook, as bytes.
///
/// # Errors
/// When a text is longer than a cell of a workbook may be, or such.
pub(crate) fn workbook(reading: &Reading, problems: &[Problem]) -> Result<Vec<u8>, XlsxError> {
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
    workbook.save_to_buffer()
}

fn rows(sheet: &mut Worksheet, reading: &Reading, problems: &[Problem]) -> Result<(), XlsxError> {
    let mut of_row: BTreeMap<u64, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        for row in &problem.rows {
            of_row.entry(*row).or_default().push(problem);
        }
    }
    let rows = &reading.table.rows;
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or_default();
    // The column of the problems, which a table that was marked before has already.
    let beside = column(reading.place(Field::Problem).unwrap_or(width));
    let header = reading.header_row().unwrap_or_default();
    for row in rows {
        for (place, cell) in row.cells.iter().enumerate().filter(|(place, _)| column(*place) != beside) {
            sheet.write_string(line(row.number), column(place), &cell.text)?;
        }
    }
    if header > 0 {
        sheet.write_string_with_format(line(header), beside, Field::Problem.name(), &Format::new().set_bold())?;
        sheet.set_freeze_panes(line(header) + 1, 0)?;
    }
    sheet.set_column_width(beside, 100)?;
    let empty = super::table::Row::default();
    let mut notes = 0;
    for (number, problems) in of_row {
        let row = rows.iter().find(|row| row.number == number).unwrap_or(&empty);
        let mut texts = Vec::new();
        for problem in problems {
            let name = problem.column.as_ref().map(ToString::to_string);
            texts.push(name.map_or_else(|| problem.what.clone(), |name| format!("{name}: {}", problem.what)));
            let Some(place) = problem.column.as_ref().and_then(|column| column.place) else { continue };
            sheet.write_string_with_format(line(number), column(place), &row.cell(place).text, &marked())?;
            if notes < NOTES_MAX {
                notes += 1;
                sheet.insert_note(line(number), column(place), &Note::new(&problem.what).add_author_prefix(false))?;
            }
        }
        if number != header {
            sheet.write_string_with_format(line(number), beside, texts.join("\n"), &marked())?;
        }
    }
    Ok(())
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
    use super::super::{Layout, problem::grouped, read_all, workbook::Workbook};
    use super::*;

    fn marked(file: &[u8]) -> (Reading, Vec<u8>) {
        let reading = read_all(file, &Layout::default());
        let bytes = workbook(&reading, &grouped(reading.problems.clone())).unwrap();
        (reading, bytes)
    }

    #[test]
    fn each_row_has_its_problems_beside_it_and_a_mended_one_can_be_submitted() {
        let file = b"A return\n\nIndicator,Area,Period,Value,Team\na,E1,2022,5,\nb,E1,2022-06,n/a,x\n";
        let (_, bytes) = marked(file);
        let table = Workbook::open(&bytes).unwrap().table("Rows").unwrap();
        let rows: Vec<String> = table
            .rows
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
        let reading = read_all(&bytes, &Layout::default());
        assert_eq!(reading.figures.len(), 1);
        assert_eq!(reading.problems.len(), 1, "the column of the problems isn't one itself");
        assert_eq!(marked(mended).1, bytes, "the same bytes each time");
        let (_, bytes) = marked(b"Indicator,Area,Period,Value,Team\na,E1,2021,5,x\n");
        assert_eq!(read_all(&bytes, &Layout::default()).problems.len(), 2, "nor is a heading's");
    }

    #[test]
    fn what_is_wrong_with_the_whole_file_has_a_sheet_of_its_own() {
        let (_, bytes) = marked(b"a,b\n1,2\n");
        let table = Workbook::open(&bytes).unwrap().table("The whole file").unwrap();
        assert!(table.rows[0].cells[0].text.starts_with("found no row that names the columns"));
    }
}

//! The rows of a CSV file, counted as a spreadsheet shows them.

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::cell;

/// One row of a file.
pub(super) struct Row {
    /// Counted from 1, the header too. Blank lines count, and line breaks within a cell don't.
    pub(super) number: u64,
    pub(super) cells: Vec<Cell>,
}

impl Row {
    /// How many cells there are up to the last one with a text.
    pub(super) fn filled(&self) -> usize {
        self.cells.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1)
    }

    /// What stands between the columns that a row names, if it isn't commas.
    pub(super) fn separated_otherwise(&self) -> Option<&'static str> {
        const OTHERS: [(char, &str); 2] = [(';', "`;`"), ('\t', "tabs")];
        let [all] = self.cells.as_slice() else { return None };
        OTHERS.into_iter().find(|(separator, _)| all.text.contains(*separator)).map(|(_, name)| name)
    }
}

/// One cell.
pub(super) struct Cell {
    pub(super) text: String,
    /// Whether the file has it in UTF-8; otherwise parts of the text are lost.
    pub(super) is_utf8: bool,
}

/// The rows of a file; those without any text are left out. The error ends the file.
pub(super) fn rows(bytes: &[u8]) -> impl Iterator<Item = Result<Row, csv::Error>> {
    let csv = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
    let mut number = 0;
    csv.into_byte_records()
        .map(move |record| {
            let record = record?;
            let start = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
            number += 1 + blank_lines(bytes, start);
            Ok(Row { number, cells: cells(&record) })
        })
        .filter(|row| row.as_ref().map_or(true, |row| row.cells.iter().any(|cell| !cell.text.is_empty())))
}

/// How many blank lines there are between the end of one record and the text of the next. A line may end
/// with a carriage return, a line feed, or both; the reader takes only the first for a record's end.
fn blank_lines(bytes: &[u8], start: usize) -> u64 {
    let (before, after) = bytes.split_at(start.min(bytes.len()));
    let mut rest = match (before.last(), after) {
        (Some(b'\r'), [b'\n', rest @ ..]) => rest,
        _ => after,
    };
    let mut lines = 0;
    while let [b'\r', b'\n', tail @ ..] | [b'\r' | b'\n', tail @ ..] = rest {
        lines += 1;
        rest = tail;
    }
    lines
}

fn cells(record: &ByteRecord) -> Vec<Cell> {
    let cell = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        Cell { is_utf8: std::str::from_utf8(bytes).is_ok(), text: cell::original(text.trim()).to_owned() }
    };
    record.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row's number and first cell.
    fn numbered(file: &str) -> Vec<(u64, String)> {
        rows(file.as_bytes()).map(Result::unwrap).map(|row| (row.number, row.cells[0].text.clone())).collect()
    }

    #[test]
    fn rows_are_counted_as_a_spreadsheet_shows_them() {
        let file = "a,b\n\n1,\"x\ny\n\nz\"\n2,\n,\n\n\n3,\n";
        let expect = [(1, "a"), (3, "1"), (4, "2"), (8, "3")].map(|(number, text)| (number, text.to_owned()));
        for line_end in ["\n", "\r\n", "\r"] {
            assert_eq!(numbered(&file.replace('\n', line_end)), expect, "{line_end:?}");
            assert_eq!(numbered(&format!("\u{feff}{}", file.replace('\n', line_end))), expect, "{line_end:?}");
        }
        assert_eq!(numbered("\n\na,b"), [(3, "a".to_owned())]);
        assert_eq!(numbered(""), []);
    }

    #[test]
    fn a_cell_is_trimmed_and_without_its_apostrophe() {
        let row = rows(b" '=1 ,'tis,\"\t''=x\",\xff\n").next().unwrap().unwrap();
        let texts: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(texts, ["=1", "'tis", "'=x", "\u{fffd}"]);
        assert_eq!(row.cells.iter().map(|cell| cell.is_utf8).collect::<Vec<_>>(), [true, true, true, false]);
    }
}

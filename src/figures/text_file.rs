//! Text files of rows: which encoding and which separator they have, and their rows, counted as a spreadsheet shows
//! them.

use std::borrow::Cow;

use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::cell;
use super::table::{CELL_CHARACTERS_MAX, CELLS_MAX, COLUMNS_MAX, Cell, Fault, Notation, ROWS_MAX, Row, Table};

/// What may stand between the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Comma,
    Semicolon,
    Tab,
}

impl Separator {
    pub(super) const ALL: [Self; 3] = [Self::Comma, Self::Semicolon, Self::Tab];

    const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    /// How it is called in a sentence: `separated by …`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
        }
    }
}

/// The text of a file, and the name of its encoding where that isn't UTF-8.
pub(super) fn decoded(bytes: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    let (encoding, start) = Encoding::for_bom(bytes).unwrap_or_else(|| (unmarked(bytes), 0));
    let (text, _) = encoding.decode_without_bom_handling(&bytes[start..]);
    (text, Some(encoding.name()).filter(|_| encoding != UTF_8))
}

/// The encoding of a text without a byte-order mark. In UTF-16 every other byte of a header is 0.
fn unmarked(bytes: &[u8]) -> &'static Encoding {
    match bytes {
        [0, other, ..] if *other != 0 => UTF_16BE,
        [other, 0, ..] if *other != 0 => UTF_16LE,
        _ if std::str::from_utf8(bytes).is_ok() => UTF_8,
        _ => WINDOWS_1252,
    }
}

/// The separator that a first line `sep=;` names, as Excel writes and reads it, and the text after that line.
pub(super) fn named_separator(text: &str) -> Option<Separator> {
    let line = text.lines().next()?.trim().trim_matches('"');
    let named = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    Separator::ALL.into_iter().find(|separator| named.as_bytes() == [separator.byte()])
}

/// The rows of a text; those without any text are left out. At most `rows_max` of them are read, the blank ones too.
pub(super) fn table(text: &str, separator: Separator, rows_max: u64) -> Table {
    let notation = match separator {
        Separator::Semicolon => Notation::PointOrComma,
        Separator::Comma | Separator::Tab => Notation::DecimalPoint,
    };
    let mut table = Table { notation, ..Table::default() };
    let fault = misquoted(text, separator.byte());
    // What comes after a quotation mark that is out of place may belong to another row.
    let (readable, fault_at) = match fault {
        None => (text, None),
        Some(at) => (&text[..at], Some(at)),
    };
    let csv = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator.byte())
        .from_reader(readable.as_bytes());
    let (mut number, mut cells) = (0, 0);
    for record in csv.into_byte_records() {
        let Ok(record) = record else { break };
        let start = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        number += 1 + blank_lines(readable.as_bytes(), start);
        cells += record.len();
        if number > rows_max.min(ROWS_MAX) || cells > CELLS_MAX {
            if rows_max >= ROWS_MAX {
                table.faults.push(too_many(number, cells));
            }
            return table;
        }
        let row = row(number, &record, &mut table.faults);
        let names_separator = number == 1 && named_separator(text).is_some();
        if !row.is_blank() && !names_separator {
            table.rows.push(row);
        }
    }
    if let Some(at) = fault_at {
        let line_ends = readable.len() - readable.trim_end_matches(['\r', '\n']).len();
        if line_ends == 0 && table.rows.last().is_some_and(|row| row.number == number) {
            // The row that the fault is in has been read up to there; it isn't taken.
            table.rows.pop();
        }
        let row = if line_ends == 0 { number.max(1) } else { number + line_count(&readable[at - line_ends..]) };
        table.faults.push(Fault { row, column: None, what: misquoted_text(&text[at..]) });
    }
    table
}

/// A sheet that is too large.
pub(super) fn too_many(row: u64, cells: usize) -> Fault {
    let what = if cells > CELLS_MAX {
        format!("found more than {CELLS_MAX} cells; allowed: at most {CELLS_MAX}")
    } else {
        format!("found more than {ROWS_MAX} rows; allowed: at most {ROWS_MAX}")
    };
    Fault { row, column: None, what }
}

fn row(number: u64, record: &ByteRecord, faults: &mut Vec<Fault>) -> Row {
    let mut row = Row { number, cells: Vec::new() };
    for (column, bytes) in record.iter().enumerate() {
        // The text was decoded as a whole, and is cut where there is a single byte.
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let found = cell_of(text, number, column, faults);
        if column >= COLUMNS_MAX && !found.is_empty() {
            faults.push(Fault { row: number, column: None, what: too_wide() });
            break;
        }
        row.cells.push(found);
    }
    row
}

/// That a row has more columns than a sheet may have.
pub(super) fn too_wide() -> String {
    format!("found more than {COLUMNS_MAX} columns; allowed: at most {COLUMNS_MAX}")
}

fn cell_of(text: &str, row: u64, column: usize, faults: &mut Vec<Fault>) -> Cell {
    let mut add = |what| faults.push(Fault { row, column: Some(column), what });
    if let Some(what) = too_long(text) {
        add(what);
    }
    if text.contains('\u{fffd}') {
        add("found text of which parts are lost; allowed: a file saved in one encoding, such as CSV UTF-8".to_owned());
    }
    Cell::text(cell::original(Cell::text(text).text.as_str()))
}

/// That a cell has more characters than one may have.
pub(super) fn too_long(text: &str) -> Option<String> {
    let characters = if text.len() > CELL_CHARACTERS_MAX { text.chars().count() } else { 0 };
    (characters > CELL_CHARACTERS_MAX)
        .then(|| format!("found {characters} characters; allowed: at most {CELL_CHARACTERS_MAX}"))
}

/// How many lines the ends of lines in a text end.
fn line_count(ends: &str) -> u64 {
    blank_lines(ends.as_bytes(), 0)
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

/// Where a quotation mark is out of place: one that opens a cell and is never closed, or one that closes a cell
/// before its end. The reader of rows takes both, and has the rows that follow in one cell.
fn misquoted(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_end = |at: usize| bytes.get(at).is_none_or(|byte| [separator, b'\r', b'\n'].contains(byte));
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'"' {
            let opened = at;
            at += 1;
            loop {
                let Some(quote) = bytes[at..].iter().position(|byte| *byte == b'"') else { return Some(opened) };
                at += quote + 1;
                match bytes.get(at) {
                    Some(b'"') => at += 1,
                    _ if is_end(at) => break,
                    _ => return Some(opened),
                }
            }
        } else {
            at += (at..bytes.len()).position(is_end).unwrap_or(bytes.len() - at);
        }
        at += 1;
    }
    None
}

fn misquoted_text(rest: &str) -> String {
    let shown: String = rest.lines().next().unwrap_or_default().chars().take(30).collect();
    format!(
        "found a quotation mark that isn't closed where its cell ends, at `{}`; allowed: two of them for one that is \
         part of a text, as in \"a \"\"b\"\"\". The rows from here on weren't read",
        shown.replace('\t', " ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row's number and first cell.
    fn numbered(file: &str) -> Vec<(u64, String)> {
        let rows = table(&decoded(file.as_bytes()).0, Separator::Comma, ROWS_MAX).rows;
        rows.into_iter().map(|row| (row.number, row.cells[0].text.clone())).collect()
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
        let texts = |file: &str| {
            let rows = table(file, Separator::Comma, ROWS_MAX).rows;
            rows[0].cells.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(" '=1 ,'tis,\"\t''=x\",\u{a0}5\u{a0}\n"), ["=1", "'tis", "'=x", "5"]);
    }

    #[test]
    fn an_encoding_is_known_by_its_mark_or_by_its_bytes() {
        let of = |bytes: &[u8]| {
            let (text, encoding) = decoded(bytes);
            (text.into_owned(), encoding)
        };
        let utf_16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        assert_eq!(of("£".as_bytes()), ("£".to_owned(), None));
        assert_eq!(of(b"\xef\xbb\xbfa"), ("a".to_owned(), None));
        assert_eq!(of(b"Children\x92s \xa31"), ("Children’s £1".to_owned(), Some("windows-1252")));
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}area,£");
            assert_eq!(of(&utf_16(&text, u16::to_le_bytes)), ("area,£".to_owned(), Some("UTF-16LE")));
            assert_eq!(of(&utf_16(&text, u16::to_be_bytes)), ("area,£".to_owned(), Some("UTF-16BE")));
        }
    }

    #[test]
    fn a_quotation_mark_that_would_swallow_rows_is_found() {
        let fault = |file: &str| {
            let table = table(file, Separator::Comma, ROWS_MAX);
            (table.rows.len(), table.faults.first().map(|fault| fault.row))
        };
        assert_eq!(fault("a,b\n1,\"x\n2,y\n3,z\n"), (1, Some(2)), "never closed");
        assert_eq!(fault("a,b\n1,\"x\n2,\"y\n3,z\n"), (1, Some(2)), "closed in another row");
        assert_eq!(fault("a,b\n1,\"x\"y\n2,z\n"), (1, Some(2)), "closed within its cell");
        assert_eq!(fault("a,b\n1,\"x\"\"\n2,z\n"), (1, Some(2)), "the last is doubled");
        assert_eq!(fault("a,b\n1,\"x\"\""), (1, Some(2)), "the last is doubled, at the end");
        assert_eq!(fault("a,b\n1,\""), (1, Some(2)), "at the end");
        assert_eq!(fault("a,b\n\n\n\"1,2\n3,4"), (1, Some(4)), "at a row's start");
        for fine in ["a,b\n1,5\" pipe\n2,y\n", "a,b\n1,\"x\"\"y\"\"\"\n2,\"\"\n", "\"a\",\"b\"\r\n1,\"x\ny\"", "\"\""] {
            assert_eq!(fault(fine).1, None, "{fine}");
        }
    }
}

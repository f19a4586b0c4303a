//! The rows of a text, as its quotation marks have them: which of its lines are a row each, and the cells of one.
//!
//! A quotation mark that is out of place, one that opens a cell and is never closed, or one that closes a cell before
//! its end, would have the rows that follow in one cell. So reading ends there.

use std::io::{self, BufRead};

use csv_core::ReadRecordResult;

use super::table::COLUMNS_MAX;

/// The most bytes of a row: as many as its cells may have together. Past them a quotation mark isn't closed.
const ROW_BYTES_MAX: usize = 16 << 20;

/// How much of what follows a quotation mark that is out of place is shown, at most.
const SHOWN_BYTES_MAX: usize = 200;

/// Reads rows, one after the other.
pub(super) struct Lines<R> {
    from: R,
    separator: u8,
    /// How many there were, the blank ones too.
    number: u64,
    /// The text of one.
    row: Vec<u8>,
    /// Whether the one before ended with a carriage return, which a line feed belongs to.
    after_return: bool,
    cells: CellReader,
}

/// What comes next.
pub(super) enum Line<C> {
    /// A row, counted from 1, with the texts of its cells.
    Row {
        number: u64,
        cells: C,
    },
    /// A row with a quotation mark out of place, and the text from there.
    Misquoted {
        number: u64,
        from: String,
    },
    End,
}

/// Where in a row a byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    CellStart,
    Cell,
    /// Between quotation marks, of which the first is at a place in the row.
    Quoted(usize),
    /// Behind one that closes a cell, or is the first of two.
    Closed(usize),
}

/// How a row ends.
enum End {
    Line,
    /// With a quotation mark out of place, at a place in the row.
    Misquoted(usize),
    File,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R, separator: u8) -> Self {
        let cells = CellReader::new(separator);
        Self { from, separator, number: 0, row: Vec::new(), after_return: false, cells }
    }

    /// The next row; a blank one isn't handed over.
    pub(super) fn next(&mut self) -> io::Result<Line<impl Iterator<Item = &[u8]>>> {
        loop {
            self.row.clear();
            let end = self.read_row()?;
            if matches!(end, End::File) && self.row.is_empty() {
                return Ok(Line::End);
            }
            self.number += 1;
            if let End::Misquoted(at) = end {
                self.read_shown(at)?;
                let from = String::from_utf8_lossy(&self.row[at..]).into_owned();
                return Ok(Line::Misquoted { number: self.number, from });
            }
            if !self.row.is_empty() {
                return Ok(Line::Row { number: self.number, cells: self.cells.of(&self.row) });
            }
        }
    }

    /// Reads up to the end of a row.
    fn read_row(&mut self) -> io::Result<End> {
        let mut place = Place::CellStart;
        loop {
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() {
                return Ok(match place {
                    Place::Quoted(at) => End::Misquoted(at),
                    Place::CellStart | Place::Cell | Place::Closed(_) => End::File,
                });
            }
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                self.from.consume(1);
                continue;
            }
            let (read, end) = scan(bytes, self.row.len(), self.separator, &mut place);
            self.row.extend_from_slice(&bytes[..read]);
            match end {
                Some(End::Line) => {
                    self.after_return = bytes[read] == b'\r';
                    self.from.consume(read + 1);
                    return Ok(End::Line);
                }
                Some(end) => {
                    self.from.consume(read);
                    return Ok(end);
                }
                None => self.from.consume(read),
            }
            if let (Place::Quoted(at), true) = (place, self.row.len() > ROW_BYTES_MAX) {
                return Ok(End::Misquoted(at));
            }
        }
    }

    /// Reads on to the end of the line that is shown.
    fn read_shown(&mut self, at: usize) -> io::Result<()> {
        let is_enough = |row: &[u8]| row.len() > at + SHOWN_BYTES_MAX || row[at..].contains(&b'\n');
        while !is_enough(&self.row) {
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let count = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
            self.row.extend_from_slice(&bytes[..count]);
            self.from.consume(count);
        }
        Ok(())
    }
}

/// How many bytes belong to a row of which so many were read before, and how it ends, if it does.
fn scan(bytes: &[u8], before: usize, separator: u8, place: &mut Place) -> (usize, Option<End>) {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let is_line_end = matches!(byte, b'\r' | b'\n');
        *place = match *place {
            Place::CellStart | Place::Cell | Place::Closed(_) if is_line_end => return (at, Some(End::Line)),
            Place::CellStart | Place::Cell | Place::Closed(_) if *byte == separator => Place::CellStart,
            Place::CellStart if *byte == b'"' => Place::Quoted(before + at),
            Place::CellStart | Place::Cell => {
                // Nothing in it matters up to its end.
                let is_end = |byte: &u8| [separator, b'\r', b'\n'].contains(byte);
                at += bytes[at..].iter().position(is_end).unwrap_or(bytes.len() - at);
                *place = Place::Cell;
                continue;
            }
            Place::Quoted(opened) if *byte == b'"' => Place::Closed(opened),
            Place::Quoted(opened) => {
                at += bytes[at..].iter().position(|byte| *byte == b'"').unwrap_or(bytes.len() - at);
                *place = Place::Quoted(opened);
                continue;
            }
            Place::Closed(opened) if *byte == b'"' => Place::Quoted(opened),
            Place::Closed(opened) => return (at, Some(End::Misquoted(opened))),
        };
        at += 1;
    }
    (at, None)
}

/// Takes rows apart into cells.
struct CellReader {
    csv: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl CellReader {
    fn new(separator: u8) -> Self {
        let csv = csv_core::ReaderBuilder::new().delimiter(separator).build();
        Self { csv, text: vec![0; 1_024], ends: vec![0; 32] }
    }

    /// The cells of a row, which has no line's end behind it: at most one more than a sheet has columns.
    fn of(&mut self, row: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            let input = if read < row.len() { &row[read..] } else { b"\n" };
            let (result, taken, text, ends) =
                self.csv.read_record(input, &mut self.text[written..], &mut self.ends[count..]);
            (read, written, count) = (read + taken, written + text, count + ends);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                // What is in further columns counts only if it is any text at all: it is kept as that of one cell.
                ReadRecordResult::OutputEndsFull if count > COLUMNS_MAX => count = COLUMNS_MAX,
                ReadRecordResult::OutputEndsFull => {
                    self.ends.resize((self.ends.len() * 2).min(COLUMNS_MAX + 1), 0);
                }
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        let text = &self.text;
        let starts = std::iter::once(0).chain(self.ends[..count].iter().copied());
        starts.zip(&self.ends[..count]).map(move |(start, end)| &text[start..*end])
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<(u64, Option<Vec<String>>)>;

    /// The rows, with their cells; none for one with a quotation mark out of place.
    fn rows(text: &str, buffer_bytes: usize) -> Rows {
        let mut lines = Lines::new(BufReader::with_capacity(buffer_bytes, text.as_bytes()), b',');
        let mut rows = Vec::new();
        loop {
            match lines.next().unwrap() {
                Line::End => return rows,
                Line::Row { number, cells } => {
                    let cells = cells.map(|cell| String::from_utf8(cell.to_vec()).unwrap());
                    rows.push((number, Some(cells.collect())));
                }
                Line::Misquoted { number, .. } => {
                    rows.push((number, None));
                    return rows;
                }
            }
        }
    }

    #[test]
    fn a_quotation_mark_that_is_closed_too_far_away_isnt_closed() {
        let text = format!("a\n\"{}\"\nb\n", "x".repeat(ROW_BYTES_MAX + (64 << 10)));
        assert_eq!(rows(&text, 8 << 10), [(1, Some(vec!["a".to_owned()])), (2, None)]);
    }

    #[test]
    fn of_too_many_cells_no_more_are_made_than_show_that_they_are() {
        for (last, expect) in [("", ""), ("x", "x")] {
            let cells = rows(&format!("a{}{last}\nb\n", ",".repeat(100_000)), 8 << 10).remove(0).1.unwrap();
            assert_eq!((cells.len(), cells[COLUMNS_MAX].as_str()), (COLUMNS_MAX + 1, expect));
        }
        let cells = rows(&",".repeat(COLUMNS_MAX - 1), 8 << 10).remove(0).1.unwrap();
        assert_eq!(cells.len(), COLUMNS_MAX);
    }

    proptest! {
        /// However the text comes, its rows are those that the library reads of it.
        #[test]
        fn rows_are_the_librarys_wherever_the_buffer_ends(text in "[a\",\r\n]{0,40}", buffer_bytes in 1..9_usize) {
            let read = rows(&text, buffer_bytes);
            prop_assert_eq!(&read, &rows(&text, 1_000));
            if read.iter().all(|(_, cells)| cells.is_some()) {
                let csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                let theirs: Vec<Vec<String>> =
                    csv.into_records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
                prop_assert_eq!(read.into_iter().filter_map(|(_, cells)| cells).collect::<Vec<_>>(), theirs);
            }
        }
    }
}

//! Text files of rows: which encoding and which separator they have, and their rows, counted as a spreadsheet shows
//! them.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::cell;
use super::input::Input;
use super::lines::{Line, Lines};
use super::table::{COLUMNS_MAX, Cell, Fault, Notation, ROWS_MAX, Row, too_long, too_many_rows, too_wide};

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

    /// How numbers may be written between such separators.
    pub(super) const fn notation(self) -> Notation {
        match self {
            Self::Semicolon => Notation::PointOrComma,
            Self::Comma | Self::Tab => Notation::DecimalPoint,
        }
    }
}

/// A text file whose encoding is known.
#[derive(Debug, Clone)]
pub(super) struct TextFile {
    input: Input,
    encoding: &'static Encoding,
    /// Where the text begins, in bytes.
    from: u64,
    /// How it begins.
    pub(super) start: String,
}

impl TextFile {
    /// Finds out a file's encoding: by its byte-order mark, or by all of its bytes.
    pub(super) fn open(input: &Input) -> io::Result<Self> {
        const START_BYTES_MAX: u64 = 4_096;
        let mut start = Vec::new();
        input.reader().take(START_BYTES_MAX).read_to_end(&mut start)?;
        let (encoding, from) = match Encoding::for_bom(&start) {
            Some((encoding, from)) => (encoding, from as u64),
            None => (unmarked(&start, input)?, 0),
        };
        let mut file = Self { input: input.clone(), encoding, from, start: String::new() };
        let mut start = Vec::new();
        file.text()?.take(START_BYTES_MAX).read_to_end(&mut start)?;
        file.start = String::from_utf8_lossy(&start).into_owned();
        Ok(file)
    }

    /// The name of the encoding, where that isn't UTF-8.
    pub(super) fn encoding(&self) -> Option<&'static str> {
        Some(self.encoding.name()).filter(|_| self.encoding != UTF_8)
    }

    /// The separator that a first line `sep=;` names, as Excel writes and reads it.
    pub(super) fn named_separator(&self) -> Option<Separator> {
        let line = self.start.lines().next()?.trim().trim_matches('"');
        let named = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
        Separator::ALL.into_iter().find(|separator| named.as_bytes() == [separator.byte()])
    }

    /// Hands over the rows, one after the other, until one is the last that is wanted; those without any text are
    /// left out. At most `rows_max` of them are read, the blank ones too.
    pub(super) fn rows(
        &self,
        separator: Separator,
        rows_max: u64,
        take: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut lines = Lines::new(BufReader::new(self.text()?), separator.byte());
        let names_separator = self.named_separator().is_some();
        loop {
            let row = match lines.next()? {
                Line::End => return Ok(()),
                Line::Misquoted { number, from } => Row::unreadable(number, misquoted(&from)),
                Line::Row { number, .. } if number > ROWS_MAX => Row::unreadable(number, too_many_rows()),
                Line::Row { number, .. } if number > rows_max => return Ok(()),
                Line::Row { number: 1, .. } if names_separator => continue,
                Line::Row { number, cells } => row(number, cells),
            };
            let is_last = row.faults_of_all().next().is_some() && row.cells.is_empty();
            if !row.is_blank() && take(row).is_break() || is_last {
                return Ok(());
            }
        }
    }

    /// The text in UTF-8, from its beginning.
    fn text(&self) -> io::Result<impl Read> {
        let mut reader = self.input.reader();
        reader.seek(SeekFrom::Start(self.from))?;
        Ok(DecodeReaderBytesBuilder::new()
            .encoding(Some(self.encoding))
            .bom_override(false)
            .bom_sniffing(false)
            .build(BufReader::new(reader)))
    }
}

/// The encoding of a text without a byte-order mark. In UTF-16 every other byte of a header is 0.
fn unmarked(start: &[u8], input: &Input) -> io::Result<&'static Encoding> {
    Ok(match start {
        [0, other, ..] if *other != 0 => UTF_16BE,
        [other, 0, ..] if *other != 0 => UTF_16LE,
        _ if is_utf_8(input.reader())? => UTF_8,
        _ => WINDOWS_1252,
    })
}

/// Whether all bytes are of UTF-8.
fn is_utf_8(mut bytes: impl Read) -> io::Result<bool> {
    const CHUNK_BYTES: usize = 64 << 10;
    let mut buffer = vec![0; CHUNK_BYTES];
    // The beginning of a character whose end is in the next chunk.
    let mut kept = 0;
    loop {
        let count = bytes.read(&mut buffer[kept..])?;
        if count == 0 {
            return Ok(kept == 0);
        }
        let filled = kept + count;
        kept = match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => 0,
            Err(error) if error.error_len().is_none() => {
                buffer.copy_within(error.valid_up_to()..filled, 0);
                filled - error.valid_up_to()
            }
            Err(_) => return Ok(false),
        };
    }
}

fn row<'a>(number: u64, cells: impl Iterator<Item = &'a [u8]>) -> Row {
    let mut row = Row { number, ..Row::default() };
    for (column, bytes) in cells.enumerate() {
        // The text was decoded as a whole, and is cut where there is a single byte.
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if column < COLUMNS_MAX {
            let found = cell_of(text, column, &mut row.faults);
            row.cells.push(found);
        } else if !Cell::text(text).is_empty() {
            row.faults.push(Fault { column: None, what: too_wide() });
        }
    }
    row
}

fn cell_of(text: &str, column: usize, faults: &mut Vec<Fault>) -> Cell {
    let mut add = |what| faults.push(Fault { column: Some(column), what });
    if let Some(what) = too_long(text) {
        add(what);
    }
    if text.contains('\u{fffd}') {
        add("found text of which parts are lost; allowed: a file saved in one encoding, such as CSV UTF-8".to_owned());
    }
    Cell::text(cell::original(Cell::text(text).text.as_str()))
}

fn misquoted(rest: &str) -> String {
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

    fn rows(file: &[u8]) -> Vec<Row> {
        let mut rows = Vec::new();
        let file = TextFile::open(&Input::of(file)).unwrap();
        let take = &mut |row| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        file.rows(Separator::Comma, ROWS_MAX, take).unwrap();
        rows
    }

    /// Each row's number and first cell.
    fn numbered(file: &str) -> Vec<(u64, String)> {
        rows(file.as_bytes()).into_iter().map(|row| (row.number, row.cells[0].text.clone())).collect()
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
        let texts =
            |file: &str| rows(file.as_bytes())[0].cells.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(" '=1 ,'tis,\"\t''=x\",\u{a0}5\u{a0}\n"), ["=1", "'tis", "'=x", "5"]);
    }

    #[test]
    fn an_encoding_is_known_by_its_mark_or_by_its_bytes() {
        let of = |bytes: &[u8]| {
            let file = TextFile::open(&Input::of(bytes)).unwrap();
            (file.start.clone(), file.encoding())
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
    fn an_encoding_is_known_by_the_last_byte_of_a_large_file_too() {
        let encoding = |end: &[u8]| {
            let file = [&"é".repeat(100_000).into_bytes()[..], end].concat();
            TextFile::open(&Input::of(&file)).unwrap().encoding()
        };
        assert_eq!(encoding(b""), None);
        assert_eq!(encoding("’".as_bytes()), None);
        for end in [&b"\xa3"[..], b"\xa3.", b"\xe2\x80"] {
            assert_eq!(encoding(end), Some("windows-1252"), "{end:?}");
        }
    }

    #[test]
    fn a_quotation_mark_that_would_swallow_rows_is_found() {
        let fault = |file: &str| {
            let rows = rows(file.as_bytes());
            let whole = rows.iter().filter(|row| row.faults.is_empty()).count();
            let fault = rows.iter().find(|row| !row.faults.is_empty());
            (whole, fault.map(|row| (row.number, row.faults[0].what.split('`').nth(1).unwrap().to_owned())))
        };
        let found = |row, at: &str| (1, Some((row, at.to_owned())));
        assert_eq!(fault("a,b\n1,\"x\n2,y\n3,z\n"), found(2, "\"x"), "never closed");
        assert_eq!(fault("a,b\n1,\"x\n2,\"y\n3,z\n"), found(2, "\"x"), "closed in another row");
        assert_eq!(fault("a,b\n1,\"x\"y\n2,z\n"), found(2, "\"x\"y"), "closed within its cell");
        assert_eq!(fault("a,b\n1,\"x\"\"\n2,z\n"), found(2, "\"x\"\""), "the last is doubled");
        assert_eq!(fault("a,b\n1,\"x\"\""), found(2, "\"x\"\""), "the last is doubled, at the end");
        assert_eq!(fault("a,b\n1,\""), found(2, "\""), "at the end");
        assert_eq!(fault("a,b\n\n\n\"1,2\n3,4"), found(4, "\"1,2"), "at a row's start");
        for fine in ["a,b\n1,5\" pipe\n2,y\n", "a,b\n1,\"x\"\"y\"\"\"\n2,\"\"\n", "\"a\",\"b\"\r\n1,\"x\ny\"", "\"\""] {
            assert_eq!(fault(fine).1, None, "{fine}");
        }
    }
}

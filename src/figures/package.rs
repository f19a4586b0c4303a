//! The package that a workbook is: a ZIP file of XML. How much it unpacks to is found out before any of it is read as
//! a workbook, since a few kilobytes can unpack to gigabytes; and what calamine leaves out of a sheet is read here.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::input::{Input, InputReader};
use super::table::ROWS_MAX;

/// The most bytes that a workbook may unpack to. Its sheets are read row by row.
pub(crate) const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// The same of a workbook that is in memory, as one that was uploaded: others wait until it is read. One of 10,000 figures
/// unpacks to a tenth of that.
const UNPACKED_IN_MEMORY_BYTES_MAX: u64 = 64 << 20;

/// The most bytes that each of those parts may unpack to that are kept in memory: its texts, and its styles.
pub(crate) const KEPT_BYTES_MAX: u64 = 128 << 20;

/// The most parts that a workbook may have: sheets, styles, pictures.
pub(crate) const PARTS_MAX: usize = 2_000;

/// The most XML elements that the styles of a workbook may have. Each takes hundreds of bytes of memory.
const STYLE_ELEMENTS_MAX: usize = 200_000;

/// The most XML elements that the texts of a workbook may have, four for each text.
const TEXT_ELEMENTS_MAX: usize = 4_000_000;

/// A workbook's package that is within the bounds.
pub(super) struct Package {
    zip: ZipArchive<BufReader<InputReader>>,
}

impl Package {
    /// Opens a package and unpacks all of it once, to see that it is within the bounds.
    ///
    /// # Errors
    /// Why it can't be read, as a sentence.
    pub(super) fn open(input: &Input) -> Result<Self, String> {
        Self::open_within(input, if input.is_in_memory() { UNPACKED_IN_MEMORY_BYTES_MAX } else { UNPACKED_BYTES_MAX })
    }

    fn open_within(input: &Input, unpacked_bytes_max: u64) -> Result<Self, String> {
        let damaged = |error: &dyn std::fmt::Display| format!("the workbook is damaged: {error}");
        let mut zip = ZipArchive::new(BufReader::new(input.reader())).map_err(|error| damaged(&error))?;
        if zip.len() > PARTS_MAX {
            return Err(format!("found a workbook of {} parts; allowed: at most {PARTS_MAX}", zip.len()));
        }
        let mut left = unpacked_bytes_max;
        for index in 0..zip.len() {
            let part = zip.by_index(index).map_err(|error| damaged(&error))?;
            let name = part.name().map_err(|error| damaged(&error))?.to_ascii_lowercase();
            if name.ends_with("workbook.bin") {
                return Err("found a binary workbook (.xlsb); allowed: a workbook saved as .xlsx".to_owned());
            }
            if name == "mimetype" || name == "content.xml" {
                return Err("found a workbook that isn't Excel's (.ods); allowed: one saved as .xlsx".to_owned());
            }
            let watched = [("styles.xml", Watched::Styles), ("sharedstrings.xml", Watched::Texts)];
            let watched = watched.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, watched)| watched);
            let bytes_max = watched.map_or(left, |_| left.min(KEPT_BYTES_MAX));
            let mut counted = Counted { bytes: 0, bytes_max, watched, elements: 0, start: Vec::new() };
            std::io::copy(&mut part.take(bytes_max + 1), &mut counted).map_err(|error| damaged(&error))?;
            counted.check(&name)?;
            left -= counted.bytes;
        }
        if zip.index_for_name("xl/workbook.xml").is_none() {
            return Err(
                "found a ZIP file that isn't a workbook; allowed: a workbook (.xlsx), or a text file (CSV)".to_owned()
            );
        }
        Ok(Self { zip })
    }

    /// The numbers of the rows of a sheet that aren't shown.
    ///
    /// # Errors
    /// Why they can't be read, as a sentence.
    pub(super) fn hidden_rows(&mut self, sheet: &str) -> Result<BTreeSet<u64>, String> {
        let workbook = self.text("xl/workbook.xml")?;
        let relations = self.text("xl/_rels/workbook.xml.rels")?;
        let (mut id, mut path) = (None, None);
        elements(workbook.as_bytes(), "sheet", |element| {
            if attribute(element, "name").as_deref() == Some(sheet) {
                let relation = element.attributes().flatten().find(|it| it.key.local_name().as_ref() == "id");
                id = relation.map(|it| it.value.into_owned());
            }
        })?;
        elements(relations.as_bytes(), "Relationship", |element| {
            if id.is_some() && attribute(element, "Id") == id {
                path = attribute(element, "Target");
            }
        })?;
        let path = path.ok_or_else(|| format!("the workbook is damaged: it doesn't say where sheet `{sheet}` is"))?;
        let path = path.strip_prefix('/').map_or_else(|| format!("xl/{path}"), str::to_owned);
        let (mut hidden, mut number) = (BTreeSet::new(), 0_u64);
        let damaged = |error: &dyn std::fmt::Display| format!("the workbook is damaged: {path}: {error}");
        let part = self.zip.by_name(&path).map_err(|error| damaged(&error))?;
        elements(BufReader::new(part.take(UNPACKED_BYTES_MAX)), "row", |row| {
            // A row without a number follows the one before.
            number = attribute(row, "r").and_then(|number| number.parse().ok()).unwrap_or(number.saturating_add(1));
            let is_hidden = attribute(row, "hidden").is_some_and(|hidden| hidden == "1" || hidden == "true");
            if is_hidden && number <= ROWS_MAX {
                hidden.insert(number);
            }
        })?;
        Ok(hidden)
    }

    /// A small part as a text.
    fn text(&mut self, path: &str) -> Result<String, String> {
        let damaged = |error: &dyn std::fmt::Display| format!("the workbook is damaged: {path}: {error}");
        let mut text = String::new();
        let part = self.zip.by_name(path).map_err(|error| damaged(&error))?;
        part.take(KEPT_BYTES_MAX).read_to_string(&mut text).map_err(|error| damaged(&error))?;
        Ok(text)
    }
}

/// Hands over each element of a name, wherever it is in a document.
fn elements(xml: impl BufRead, name: &str, mut take: impl FnMut(&BytesStart<'_>)) -> Result<(), String> {
    let mut reader = Reader::from_reader(xml);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(element) | Event::Empty(element)) if element.local_name().as_ref() == name => {
                take(&element);
            }
            Ok(Event::Eof) => return Ok(()),
            Ok(
                Event::Start(_)
                | Event::Empty(_)
                | Event::End(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_),
            ) => {}
            Err(error) => return Err(format!("the workbook is damaged: {error}")),
        }
    }
}

/// An attribute, with what it escapes.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let value = element.attributes().flatten().find(|it| it.key.as_ref() == name)?.value.into_owned();
    quick_xml::escape::unescape(&value).ok().map(std::borrow::Cow::into_owned)
}

/// How much that is, in words.
fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{bytes} bytes") } else { format!("{} MiB", bytes.div_ceil(1 << 20)) }
}

/// A part of which the reader of workbooks makes more than its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Styles,
    /// The texts of all sheets. The part says how many there are, and the reader makes room for that many.
    Texts,
}

/// Counts the bytes of a part as it is unpacked, and keeps none but the first.
struct Counted {
    bytes: u64,
    bytes_max: u64,
    watched: Option<Watched>,
    elements: usize,
    start: Vec<u8>,
}

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        const START_BYTES_MAX: usize = 4_096;
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes += count;
        if self.bytes > self.bytes_max {
            return Err(std::io::Error::other(format!(
                "it unpacks to more than {}, which is the most",
                size(self.bytes_max)
            )));
        }
        self.elements += bytes.iter().filter(|byte| **byte == b'<').count();
        self.start.extend(bytes.iter().take(START_BYTES_MAX.saturating_sub(self.start.len())));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Counted {
    fn check(&self, name: &str) -> Result<(), String> {
        match self.watched {
            Some(Watched::Styles) if self.elements > STYLE_ELEMENTS_MAX => Err(format!(
                "found {} elements in the workbook's {name}; allowed: at most {STYLE_ELEMENTS_MAX}",
                self.elements
            )),
            Some(Watched::Texts) if self.elements > TEXT_ELEMENTS_MAX => {
                let found = self.elements;
                Err(format!("found {found} elements in the workbook's {name}; allowed: at most {TEXT_ELEMENTS_MAX}"))
            }
            Some(Watched::Texts) if self.claimed_texts() > self.elements => {
                Err(format!("the workbook is damaged: {name} has fewer texts than it says"))
            }
            Some(Watched::Styles | Watched::Texts) | None => Ok(()),
        }
    }

    /// How many texts the part says it has.
    fn claimed_texts(&self) -> usize {
        let start = String::from_utf8_lossy(&self.start);
        let mut claims = start.split("uniqueCount").skip(1);
        let claim = claims.next().map(|rest| rest.trim_start_matches([' ', '=', '"', '\'', '\t', '\r', '\n']));
        let digits: String = claim.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        if digits.is_empty() { 0 } else { digits.parse().unwrap_or(usize::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A package that unpacks to more than memory should have to hold.
    #[test]
    fn a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_read() {
        let of = |name: &str, mebibytes: u64| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            let mut zip = zip::ZipWriter::new(&mut bytes);
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            (0..mebibytes).for_each(|_| zip.write_all(&vec![b' '; 1 << 20]).unwrap());
            zip.finish().unwrap();
            Input::of(&bytes.into_inner())
        };
        let sheet = of("xl/worksheets/sheet1.xml", 9);
        assert!(sheet.bytes() < 1 << 20);
        let refused = |input: &Input, most| Package::open_within(input, most).err().unwrap();
        let expect = "the workbook is damaged: it unpacks to more than 8 MiB, which is the most";
        assert_eq!(refused(&sheet, 8 << 20), expect);
        assert!(refused(&sheet, 9 << 20).starts_with("found a ZIP file that isn't a workbook"));
        let texts = of("xl/sharedStrings.xml", 129);
        let expect = "the workbook is damaged: it unpacks to more than 128 MiB, which is the most";
        assert_eq!(refused(&texts, UNPACKED_BYTES_MAX), expect);
    }
}

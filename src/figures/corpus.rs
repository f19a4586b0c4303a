//! The reader of figures on the files of tests/files, which are as ugly as people's: what is read of each, and every
//! problem, is held by a snapshot beside it. tests/files/make.py makes the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rust_xlsxwriter::{Format, Workbook};

use super::problem::grouped;
use super::*;
use crate::rpc::proto;
use crate::rpc::proto::observation::Measure;

const FOLDER: &str = "tests/files";

/// How the files are read that aren't read by default.
fn layout(name: &str) -> Layout {
    let mapping = std::fs::read_to_string(Path::new(FOLDER).join(name).with_extension("toml")).unwrap_or_default();
    let mut layout = Layout::of_mapping(&mapping).unwrap();
    match name {
        "unknown-columns-left-out.csv" => layout.ignored_columns = vec!["team".to_owned(), "Valeu".to_owned()],
        "dates-are-months.csv" | "openpyxl-dates-are-months.xlsx" => layout.dates = Some(DatesAre::Months),
        "dates-are-days.csv" => layout.dates = Some(DatesAre::Days),
        "openpyxl-sheet-named.xlsx" => layout.sheet = Some("may".to_owned()),
        "openpyxl-sheet-not-there.xlsx" => layout.sheet = Some("June".to_owned()),
        _ => {}
    }
    layout
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.retain(|path| !path.extension().is_some_and(|extension| extension == "py" || extension == "toml"));
    files.sort();
    files
}

/// A figure on one line.
fn shown(figure: &Figure) -> String {
    let proto::Observation { indicator, area, period, measure, note, .. } = &figure.observation;
    let number = match measure {
        None => "no value".to_owned(),
        Some(Measure::Number(number)) => number.clone(),
        Some(Measure::Ratio(ratio)) => format!("{} of {}", ratio.numerator, ratio.denominator),
        Some(Measure::Percentage(percentage)) => format!("{}% of {}", percentage.percent, percentage.base),
        Some(Measure::Mean(mean)) => format!("mean {} of {}", mean.mean, mean.count),
    };
    let markers: String = figure.observation.markers().map(|marker| format!(" {marker:?}")).collect();
    let note = if note.is_empty() { String::new() } else { format!(" {note:?}") };
    let unread = if figure.unread.is_empty() { String::new() } else { format!(" unread: {:?}", figure.unread) };
    format!("row {}: {indicator} {area} {period}: {number}{markers}{note}{unread}", figure.row)
}

fn report(reading: &Reading) -> String {
    let mut report = String::new();
    let lines = reading.notes.iter().map(|note| format!("note: {note}"));
    let lines = lines.chain(reading.figures.iter().map(shown));
    let lines = lines.chain(grouped(reading.problems.clone()).into_iter().map(|problem| format!("! {problem}")));
    for line in lines {
        writeln!(report, "{line}").unwrap();
    }
    report
}

#[test]
fn each_file_of_the_corpus_is_read_as_its_snapshot_says() {
    let files = files();
    assert!(files.len() >= 85, "{} files", files.len());
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let reading = read_bytes(&std::fs::read(&path).unwrap(), &layout(name));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(Path::new("../..").join(FOLDER).join("expected"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, report(&reading)));
    }
}

#[test]
#[ignore = "writes the workbooks of the corpus that rust_xlsxwriter makes"]
fn write_the_workbooks() {
    let save = |name: &str, fill: &dyn Fn(&mut Workbook)| {
        let mut workbook = Workbook::new();
        fill(&mut workbook);
        workbook.save(Path::new(FOLDER).join(name)).unwrap();
    };
    save("rust-plain.xlsx", &|workbook| {
        let sheet = workbook.add_worksheet();
        sheet.write_row(0, 0, ["Indicator", "Area", "Period", "Value", "Notes"]).unwrap();
        sheet
            .write_row(1, 0, ["missing-episodes", "E06000044", "Apr-21", "1,234", "a \"note\"\nof two lines"])
            .unwrap();
        sheet.write_row(2, 0, ["missing-episodes", "E06000044", "May 2021"]).unwrap();
        sheet.write_number(2, 3, 41.0).unwrap();
    });
    save("rust-formats.xlsx", &|workbook| {
        let sheet = workbook.add_worksheet();
        sheet.write_row(0, 0, HEADINGS).unwrap();
        for (row, (number, code)) in (1..).zip([(0.125, "0.00%"), (1e15, "0"), (1e-7, "0"), (1.5e300, "0")]) {
            sheet.write_row(row, 0, ["missing-episodes", "E06000044", "2021-04"]).unwrap();
            sheet.write_number_with_format(row, 3, number, &Format::new().set_num_format(code)).unwrap();
        }
        sheet.write_number_with_format(5, 2, 44652, &Format::new().set_num_format("mmm yyyy")).unwrap();
        sheet.write_row(5, 0, ["missing-episodes", "E06000044"]).unwrap();
        sheet.write_formula(5, 3, rust_xlsxwriter::Formula::new("=2+3").set_result("5")).unwrap();
    });
}

const HEADINGS: [&str; 4] = ["indicator", "area", "period", "value"];

fn read_bytes(bytes: &[u8], layout: &Layout) -> Reading {
    read_all(&Input::of(bytes), layout)
}

/// A workbook in which a part stands in the place of its own.
fn with_part(name: &str, content: &str) -> Vec<u8> {
    use std::io::{Cursor, Read as _, Write as _};
    let plain = as_workbook(&[HEADINGS.map(str::to_owned).to_vec()]);
    let mut package = zip::ZipArchive::new(Cursor::new(plain)).unwrap();
    let mut changed = Cursor::new(Vec::new());
    let mut new = zip::ZipWriter::new(&mut changed);
    for index in 0..package.len() {
        let mut part = package.by_index(index).unwrap();
        let part_name = part.name().unwrap().into_owned();
        let mut own = Vec::new();
        part.read_to_end(&mut own).unwrap();
        new.start_file(&part_name, zip::write::SimpleFileOptions::default()).unwrap();
        new.write_all(if part_name == name { content.as_bytes() } else { &own }).unwrap();
    }
    new.finish().unwrap();
    changed.into_inner()
}

#[test]
fn a_small_workbook_that_would_take_much_memory_is_refused_or_takes_little() {
    let refused = |bytes: &[u8]| read_bytes(bytes, &Layout::default()).problems.remove(0).to_string();
    let styles = format!("<styleSheet><cellXfs>{}</cellXfs></styleSheet>", "<xf/>".repeat(200_000));
    assert_eq!(
        refused(&with_part("xl/styles.xml", &styles)),
        "found 200004 elements in the workbook's xl/styles.xml; allowed: at most 200000"
    );
    let texts = format!("<sst>{}</sst>", "<si><t></t></si>".repeat(1_000_000));
    assert_eq!(
        refused(&with_part("xl/sharedStrings.xml", &texts)),
        "found 4000002 elements in the workbook's xl/sharedstrings.xml; allowed: at most 4000000"
    );
    let heading =
        |(column, name): (char, &str)| format!("<c r=\"{column}1\" t=\"inlineStr\"><is><t>{name}</t></is></c>");
    let headings: String = ('A'..).zip(HEADINGS).map(heading).collect();
    let merged = "<mergeCell ref=\"A1:XFD1048576\"/>".repeat(10_000);
    let sheet = format!(
        "<worksheet><sheetData><row r=\"1\">{headings}</row></sheetData><mergeCells>{merged}</mergeCells></worksheet>"
    );
    let problems = read_bytes(&with_part("xl/worksheets/sheet1.xml", &sheet), &Layout::default()).problems;
    assert_eq!(problems.len(), 101);
    assert!(problems.iter().all(|problem| problem.rows.len() <= 1));
}

#[test]
fn a_workbook_whose_references_run_backwards_is_refused_or_read() {
    let sheet = "<worksheet><dimension ref=\"B2:A1\"/><sheetData></sheetData></worksheet>";
    let reading = read_bytes(&with_part("xl/worksheets/sheet1.xml", sheet), &Layout::default());
    assert_eq!((reading.figures.len(), reading.problems.len()), (0, 1));
}

#[test]
fn a_file_past_a_bound_is_refused_with_the_bound() {
    let refused = |bytes: &[u8]| read_bytes(bytes, &Layout::default()).problems.remove(0).to_string();
    let pipe = vec![b' '; usize::try_from(input::PIPE_BYTES_MAX).unwrap() + 1];
    assert_eq!(refused(&pipe), "found a file of more than 16 MiB; allowed: at most 16");
    let file = tempfile::tempfile().unwrap();
    file.set_len(input::FILE_BYTES_MAX + 1).unwrap();
    let problem = read_all(&Input::of_file(file).unwrap(), &Layout::default()).problems.remove(0).to_string();
    assert_eq!(problem, "found a file of more than 4096 MiB; allowed: at most 4096");
    let head = "indicator,area,period,value\n";
    let long = format!("{head}{}", "\n".repeat(usize::try_from(table::ROWS_MAX).unwrap()) + "a,E1,2021-04,5\n");
    assert_eq!(refused(long.as_bytes()), "row 10000002: found more than 10000000 rows; allowed: at most 10000000");
    let wide = format!("{head}a,E1,2021-04,5{}x\n", ",".repeat(table::COLUMNS_MAX));
    assert_eq!(refused(wide.as_bytes()), "row 2: found more than 500 columns; allowed: at most 500");
    let cell = format!("{head}{},E1,2021-04,5\n", "a".repeat(table::CELL_CHARACTERS_MAX + 1));
    assert_eq!(refused(cell.as_bytes()), "row 2, column indicator (A): found 32768 characters; allowed: at most 32767");
}

#[test]
fn reading_ends_once_there_are_very_many_problems() {
    let file = "indicator,area,period,value\n".to_owned() + &"a,E1,2021-04,?\n".repeat(PROBLEMS_MAX + 5);
    let start = Instant::now();
    let reading = read_bytes(file.as_bytes(), &Layout::default());
    let problems: Vec<String> = grouped(reading.problems).iter().map(ToString::to_string).collect();
    // A second or two; where each problem costs as much as those before it, minutes.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0], "found more than 100000 problems up to row 100001; what follows wasn't read");
    assert!(problems[1].starts_with("rows 2 to 100001, column value (D): "), "{problems:?}");
}

/// A table as a workbook of texts.
fn as_workbook(table: &[Vec<String>]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, cells) in (0..).zip(table) {
        sheet.write_row(row, 0, cells).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

/// A table as text, its cells in quotes.
fn as_text(table: &[Vec<String>], separator: char) -> String {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |cells: &Vec<String>| cells.iter().map(quoted).collect::<Vec<_>>().join(&separator.to_string()) + "\n";
    table.iter().map(line).collect()
}

fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
    let number = prop_oneof!["[0-9]{1,7}", "-?[1-9][0-9]{0,3}\\.[0-9]{1,2}", "\\([0-9]{1,3}\\)", "c|x|\\[z\\]|low"];
    let period = prop_oneof![Just("2021-22".to_owned()), Just("Apr-22".to_owned()), "20[0-2][0-9]-0[1-9]"];
    let row = (number, period, "[a-zé£’;,\t\"]{0,8}").prop_map(|(number, period, note)| {
        ["missing-episodes", "E06000044", &period, &number, &note].map(str::to_owned).to_vec()
    });
    prop::collection::vec(row, 1..6).prop_map(|rows| {
        let head = ["indicator", "area", "period", "value", "note"].map(str::to_owned).to_vec();
        [vec![head], rows].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_gives_the_same_figures_in_every_format(table in tables()) {
        let comma = as_text(&table, ',');
        let expect = read_bytes(comma.as_bytes(), &Layout::default());
        let utf_16: Vec<u8> = std::iter::once(0xfeff).chain(as_text(&table, '\t').encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for other in [as_text(&table, ';').into_bytes(), as_text(&table, '\t').into_bytes(), utf_16, as_workbook(&table)] {
            let reading = read_bytes(&other, &Layout::default());
            prop_assert_eq!(&reading.figures, &expect.figures);
            prop_assert_eq!(reading.problems.len(), expect.problems.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("CONSPECTUS_FUZZ_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(512)))]

    #[test]
    fn reading_is_total(
        at in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..4), 0..6),
    ) {
        let files = files();
        let mut bytes = std::fs::read(&files[at.index(files.len())]).unwrap();
        for (place, byte, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => drop(bytes.remove(place)),
                _ => bytes.truncate(place),
            }
        }
        drop(read_bytes(&bytes, &Layout::default()));
    }

    /// The parts of a workbook are packed, so that changed bytes seldom reach them: here they are changed unpacked.
    #[test]
    fn reading_a_workbook_of_any_parts_is_total(
        at in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~]{0,3}", 0_usize..4), 1..5),
    ) {
        use std::io::{Cursor, Read as _, Write as _};
        let workbooks: Vec<PathBuf> = files().into_iter().filter(|path| path.extension().is_some_and(|it| it == "xlsx")).collect();
        let bytes = std::fs::read(&workbooks[at.index(workbooks.len())]).unwrap();
        let Ok(mut package) = zip::ZipArchive::new(Cursor::new(bytes)) else { return Ok(()) };
        let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for index in 0..package.len() {
            let mut part = package.by_index(index).unwrap();
            let mut content = Vec::new();
            part.read_to_end(&mut content).unwrap();
            parts.insert(part.name().unwrap().into_owned(), content);
        }
        for (part, place, text, length) in changes {
            let name = parts.keys().nth(part.index(parts.len())).unwrap().clone();
            let content = parts.get_mut(&name).unwrap();
            let place = place.index(content.len() + 1);
            let end = (place + length).min(content.len());
            content.splice(place..end, text.bytes());
        }
        let mut changed = Cursor::new(Vec::new());
        let mut new = zip::ZipWriter::new(&mut changed);
        for (name, content) in &parts {
            new.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            new.write_all(content).unwrap();
        }
        new.finish().unwrap();
        drop(read_bytes(&changed.into_inner(), &Layout::default()));
    }
}

//! A template as a workbook (`.xlsx`): what to do, the rows to fill in, the definitions, and the lists to choose from.
//!
//! Every text is written as a text, never as a formula. The reader of files takes the sheet of the rows by itself: no
//! other names the columns of a figure.

use rust_xlsxwriter::XlsxError;

use super::content::Content;
use super::sheet::Looks;
use super::{cover, definitions_sheet, figures_sheet, lists};
use crate::figures::marked::new_workbook;

/// The workbook, as bytes: the same for the same content.
pub(super) fn bytes(content: &Content<'_>) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = new_workbook()?;
    let looks = Looks::new();
    cover::write(&mut workbook, content, &looks)?;
    figures_sheet::write(&mut workbook, content, &looks)?;
    definitions_sheet::write(&mut workbook, content, &looks)?;
    if !content.categories.is_empty() {
        lists::write(&mut workbook, content, &looks)?;
    }
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Cursor, Read as _};

    use calamine::{Data, Reader as _, Xlsx};

    use super::super::allowed_categories;
    use super::super::earlier::Earlier;
    use super::super::rows;
    use super::*;
    use crate::catalogue::items::{Indicator, IndicatorVersion};
    use crate::figures::empty_rows::EmptyRows;
    use crate::figures::input::Input;
    use crate::figures::problem::listed;
    use crate::figures::{Layout, read_all};
    use crate::rpc::proto::{Agency, Category, Dimension, Slot};

    /// An indicator of each kind of cell, with texts that a spreadsheet would take for formulas.
    const INDICATORS: &str = r#"
        [[versions]]
        id = "contacts"
        title = "=HYPERLINK(\"http://example\")"
        definition = "@SUM(A1) & what is counted."
        unit = "+contacts"
        kind = "events"
        frequency = "month"
        due_days = 20
        reporting_level = "upper-tier"
        across_agencies = "add"
        dimensions = ["sex", "age"]
        checks = [
            { id = "steady", severity = "query", kind = "change", tolerance = "80", tolerance_percent = "60" },
            { id = "by-sex", severity = "error", kind = "breakdown", dimension = "sex" },
            { id = "sums", severity = "note", kind = "parts", dimension = "sex", tolerance = "1" },
            { id = "plausible", severity = "error", kind = "range", max = "5000", missing_values = "fail" },
            { id = "usual", severity = "note", kind = "outlier", deviations = "5", periods_min = 6 },
            { id = "some", severity = "note", kind = "zero", periods_min = 6, missing_values = "skip-all" },
            { id = "of-all", severity = "error", kind = "not-above", indicator = "cost", tolerance_percent = "5" },
        ]

        [[versions]]
        id = "contacts"
        effective_from = "2021-05-01"
        title = "Contacts"
        definition = "Counted anew."
        unit = "contacts"
        kind = "events"
        frequency = "month"
        due_days = 20
        reporting_level = "upper-tier"
        across_agencies = "add"
        breaks_comparability = true
        version_note = "Each call counts."

        [[versions]]
        id = "cost"
        title = "Cost"
        unit = "GBP"
        kind = "amount"
        decimals = 2
        frequency = "financial-year"
        due_days = 90
        reporting_level = "upper-tier"
        across_agencies = "add"

        [[versions]]
        id = "conversion"
        title = "Conversion"
        unit = "per cent"
        kind = "ratio"
        decimals = 1
        frequency = "financial-year"
        reporting_level = "upper-tier"
        across_agencies = "add"
        checks = [{ id = "odd", severity = "note", kind = "numerator" }]

        [[versions]]
        id = "timely"
        title = "In time"
        unit = "per cent"
        kind = "ratio"
        decimals = 1
        frequency = "financial-year"
        reporting_level = "upper-tier"
        across_agencies = "add"
        source = "The census."

        [[versions]]
        id = "wait"
        title = "Wait"
        unit = "days"
        kind = "mean"
        frequency = "financial-year"
        reporting_level = "upper-tier"
        across_agencies = "add"
        checks = [{ id = "real", severity = "error", kind = "range", min = "0" }]
    "#;

    fn indicators() -> BTreeMap<String, Indicator> {
        let mut parsed: BTreeMap<String, Vec<IndicatorVersion>> = toml::from_str(INDICATORS).unwrap();
        let mut indicators: BTreeMap<String, Indicator> = BTreeMap::new();
        for version in parsed.remove("versions").unwrap() {
            match indicators.get_mut(version.id.as_str()) {
                Some(indicator) => indicator.put(version),
                None => drop(indicators.insert(version.id.to_string(), Indicator::new(version))),
            }
        }
        indicators
    }

    fn dimension(id: &str, categories: &[&str]) -> Dimension {
        let category = |id: &&str| Category { id: (*id).to_owned(), title: format!("={id}") };
        Dimension { id: id.to_owned(), title: id.to_uppercase(), categories: categories.iter().map(category).collect() }
    }

    fn slot(indicator: &str, period: &str, due: &str) -> Slot {
        let [indicator, area, period, due] = [indicator, "E1", period, due].map(str::to_owned);
        Slot { indicator, area, period, due, ..Slot::default() }
    }

    fn template(all_breakdowns: bool) -> Vec<u8> {
        let indicators = indicators();
        let slots = [
            slot("contacts", "2021-04", "2021-05-20"),
            slot("contacts", "2021-05", "2021-06-20"),
            slot("conversion", "FY2021-22", "2022-03-31"),
            slot("cost", "FY2021-22", "2022-06-29"),
            slot("timely", "FY2021-22", "2022-03-31"),
            slot("wait", "FY2021-22", "2022-03-31"),
        ];
        let dimensions = [dimension("age", &["0-to-4", "5-and-over"]), dimension("sex", &["female", "male"])];
        let rows = rows::of(&slots, &indicators, &dimensions, all_breakdowns).unwrap();
        let earlier = [
            ("contacts", "E1", "2021-03", "1,234 [p]"),
            ("contacts", "E1", "2020-05", "99"),
            ("contacts", "E1", "2020-04", "=1+1"),
            ("timely", "E1", "FY2020-21", "1,180 of 1230"),
        ];
        let agency = Agency { id: "an-agency".to_owned(), name: "=A & B".to_owned(), ..Agency::default() };
        bytes(&Content {
            agency: &agency,
            periods: &["FY2021-22".to_owned()],
            made: "2026-01-02T03:04:05Z".to_owned(),
            revision: 14,
            rows: &rows,
            earlier: &Earlier::of(&earlier),
            places: &[("E1".to_owned(), "-Somewhere".to_owned())].into(),
            categories: allowed_categories(&rows, &dimensions),
            file: "our figures.xlsx".to_owned(),
        })
        .unwrap()
    }

    /// A part of the package.
    fn part(bytes: &[u8], name: &str) -> String {
        let mut package = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        package.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// The elements of a name, as they are.
    fn elements<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
        let start = format!("<{name} ");
        xml.split(&start).skip(1).map(|rest| rest.split_once('>').unwrap().0.trim_end_matches('/')).collect()
    }

    /// The rows whose cells can be changed in a protected sheet, by column.
    fn unlocked(bytes: &[u8], sheet: &str) -> BTreeMap<String, Vec<u64>> {
        let styles = part(bytes, "xl/styles.xml");
        let formats = styles.split("<cellXfs").nth(1).unwrap().split("</cellXfs>").next().unwrap();
        let is_unlocked: Vec<bool> =
            formats.split("<xf ").skip(1).map(|format| format.contains("locked=\"0\"")).collect();
        let attribute =
            |cell: &str, name: &str| Some(cell.split_once(&format!("{name}=\""))?.1.split_once('"')?.0.to_owned());
        let style = |cell: &str| attribute(cell, "s").map_or(0, |style| style.parse::<usize>().unwrap());
        let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for cell in elements(sheet, "c").into_iter().filter(|cell| is_unlocked[style(cell)]) {
            let reference = attribute(&format!(" {cell}"), " r").unwrap();
            let (column, row) = reference.split_at(reference.find(|c: char| c.is_ascii_digit()).unwrap());
            rows.entry(column.to_owned()).or_default().push(row.parse().unwrap());
        }
        rows
    }

    /// All that a reader sees of a workbook, and what the program that shows it does.
    fn shown(bytes: &[u8]) -> String {
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
        let mut lines = Vec::new();
        for (number, name) in (1..).zip(workbook.sheet_names()) {
            lines.push(format!("== {name}"));
            for (row, cells) in (1..).zip(workbook.worksheet_range(&name).unwrap().rows()) {
                let text = |cell: &Data| cell.to_string().replace('\n', " / ");
                let cells: Vec<String> = cells.iter().map(text).collect();
                let cells = cells.join(" | ");
                lines.push(format!("{row}: {}", cells.trim_end_matches([' ', '|'])));
            }
            let sheet = part(bytes, &format!("xl/worksheets/sheet{number}.xml"));
            assert!(!sheet.contains("<f>"), "no cell has a formula");
            for name in ["sheetProtection", "pane", "pageSetup"] {
                lines.extend(elements(&sheet, name).into_iter().map(|element| format!("{name} {element}")));
            }
            let checks = sheet.split("<dataValidation ").skip(1);
            lines.extend(checks.map(|check| check.split("</dataValidation>").next().unwrap().to_owned()));
            let unlocked = unlocked(bytes, &sheet);
            lines.extend(unlocked.iter().map(|(column, rows)| format!("can be changed: {column}, {}", listed(rows))));
        }
        lines.push(format!("print titles: {:?}", workbook.defined_names()));
        lines.join("\n")
    }

    #[test]
    fn a_template_says_what_to_do_and_checks_what_is_filled_in() {
        let bytes = template(false);
        insta::assert_snapshot!(shown(&bytes));
        assert_eq!(template(false), bytes, "the same bytes each time");
    }

    #[test]
    fn the_reader_takes_the_rows_to_fill_in_and_finds_all_of_them_empty() {
        for (all_breakdowns, rows) in [(false, 8), (true, 10)] {
            let (bytes, mut empty) = (template(all_breakdowns), EmptyRows::default());
            let reading = read_all(&Input::of(&bytes), &Layout::default());
            assert_eq!((reading.figures.len(), reading.problems.len()), (rows, 0), "{:?}", reading.problems);
            let read = "sheet `Figures` was read, of `Start here`, `Figures`, `Definitions`, `Lists`";
            assert_eq!(reading.notes, [read]);
            assert!(reading.figures.iter().all(|figure| empty.has(figure)));
            let problem = empty.problem(&reading, false, true).unwrap();
            assert_eq!(problem.location(), format!("sheet `Figures`, rows 2 to {}", rows + 1));
        }
    }
}

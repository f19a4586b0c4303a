//! Figures in a spreadsheet: reads CSV rows as the observations of requests.
//!
//! The first row names the columns, in any order. `indicator`, `area`, `period` and `value` are
//! required. With a `base`, `value` is a printed percentage; with a `count`, it is a mean. `numerator`
//! and `denominator`, without a `value`, are an exact ratio. `breakdown` is `dimension=category`,
//! several separated by semicolons; `markers` are separated by spaces. The caller may select rows by
//! `agency` and `report`; a `note` is stored with its figure. `title`, `unit` and `due` help whoever
//! fills the file in, and aren't read. A cell that was neutralised is read as it was.

pub(crate) mod cell;
mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use crate::model::marker::Marker;
use crate::model::observation::Breakdown;
use crate::model::period::{Frequency, Period};
use crate::model::violation::{Quoted, Violations};
use crate::rpc::proto;
use rows::Row;

/// The columns that a file must have.
const REQUIRED: [&str; 4] = ["indicator", "area", "period", "value"];

/// The columns that a file may have.
const COLUMNS: [&str; 17] = [
    "indicator",
    "area",
    "period",
    "value",
    "base",
    "numerator",
    "denominator",
    "count",
    "breakdown",
    "markers",
    "note",
    "explanation",
    "agency",
    "report",
    "title",
    "unit",
    "due",
];

/// One figure of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The row, counted from 1 with the header, as spreadsheets do.
    pub row: u64,
    /// The agency in the row, or empty.
    pub agency: String,
    /// The report in the row, or empty.
    pub report: String,
    /// The observation.
    pub observation: proto::Observation,
    /// The columns that couldn't be read: what stands for them in the observation is wrong too.
    pub(crate) unread: Vec<&'static str>,
}

/// Something wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The rows that have it; none for a problem of the whole file.
    pub(crate) rows: Vec<u64>,
    /// The column; empty for a problem of the whole row.
    pub(crate) column: String,
    /// What was found, and what is allowed.
    pub(crate) what: String,
}

impl Problem {
    pub(crate) fn new(rows: Vec<u64>, column: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { rows, column: column.into(), what: what.to_string() }
    }

    /// The rows and the column.
    pub(crate) fn location(&self) -> String {
        let rows = match self.rows.as_slice() {
            [] => return String::new(),
            [one] => format!("row {one}"),
            several => format!("rows {}", listed(several)),
        };
        if self.column.is_empty() { rows } else { format!("{rows}, column {}", self.column) }
    }
}

/// `row 3, column value: found …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location() {
            location if location.is_empty() => f.write_str(&self.what),
            location => write!(f, "{location}: {}", self.what),
        }
    }
}

/// Rows for a sentence, at most ten of them.
fn listed(rows: &[u64]) -> String {
    const SHOWN_MAX: usize = 10;
    let texts = |rows: &[u64]| rows.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    match rows {
        [] => String::new(),
        [first @ .., last] if !first.is_empty() && rows.len() <= SHOWN_MAX => format!("{} and {last}", texts(first)),
        _ if rows.len() > SHOWN_MAX => format!("{} and {} more", texts(&rows[..SHOWN_MAX]), rows.len() - SHOWN_MAX),
        _ => texts(rows),
    }
}

/// What could be read of a file, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) figures: Vec<Figure>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads the figures of a file.
///
/// # Errors
/// Every problem in the file, by row and column.
pub fn read(mut file: impl Read) -> Result<Vec<Figure>, Violations> {
    let mut bytes = Vec::new();
    let mut violations = Violations::default();
    violations.check("", file.read_to_end(&mut bytes));
    let Reading { figures, problems } = read_all(&bytes);
    for problem in problems {
        violations.add(problem.location(), problem.what);
    }
    violations.into_result(figures)
}

/// Reads what can be read of a file.
pub(crate) fn read_all(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut rows = rows::rows(bytes);
    let header = match rows.next() {
        None => return reading.ended_by("the file is empty"),
        Some(Err(error)) => return reading.ended_by(error),
        Some(Ok(row)) => row,
    };
    let columns = reading.columns(&header);
    if REQUIRED.iter().any(|required| !columns.contains(&Some(required))) {
        return reading;
    }
    for row in rows {
        match row {
            Ok(row) => reading.row(&columns, row),
            Err(error) => return reading.ended_by(error),
        }
    }
    reading
}

impl Reading {
    fn ended_by(mut self, what: impl fmt::Display) -> Self {
        self.problems.push(Problem::new(vec![], "", what));
        self
    }

    /// The columns that a header names; none where it names an unknown one.
    fn columns(&mut self, header: &Row) -> Vec<Option<&'static str>> {
        let mut columns: Vec<Option<&'static str>> = Vec::new();
        let mut add = |what: String| self.problems.push(Problem::new(vec![header.number], "", what));
        if let Some(found) = header.separated_otherwise() {
            add(format!("found {found} between the columns; allowed: commas. Save the file comma-separated"));
            return columns;
        }
        for name in header.cells[..header.filled()].iter().map(|cell| &cell.text) {
            let known = COLUMNS.into_iter().find(|column| column == name);
            match known {
                None => add(format!("found column `{name}`; allowed: {}", COLUMNS.join(", "))),
                Some(_) if columns.contains(&known) => add(format!("found column `{name}` twice; allowed: once")),
                Some(_) => {}
            }
            columns.push(known);
        }
        for missing in REQUIRED.into_iter().filter(|required| !columns.contains(&Some(required))) {
            add(format!("found no column `{missing}`; it is needed"));
        }
        columns
    }

    fn row(&mut self, columns: &[Option<&'static str>], row: Row) {
        // Spreadsheets write empty columns after the last one.
        let (found, allowed) = (row.cells.len().min(row.filled().max(columns.len())), columns.len());
        if found != allowed {
            let what = format!("found {found} columns; allowed: {allowed}, as in the first row");
            self.problems.push(Problem::new(vec![row.number], "", what));
            return;
        }
        let mut cells =
            Cells { row: row.number, texts: BTreeMap::new(), unread: Vec::new(), problems: &mut self.problems };
        for (column, cell) in columns.iter().zip(row.cells) {
            let Some(column) = *column else { continue };
            if !cell.is_utf8 {
                cells.add(column, "found text that isn't in UTF-8; allowed: a file saved as CSV in UTF-8");
            }
            cells.texts.insert(column, cell.text);
        }
        let figure = cells.figure();
        self.figures.push(figure);
    }
}

/// The cells of a row, by column, and what is wrong with them.
struct Cells<'a> {
    row: u64,
    texts: BTreeMap<&'static str, String>,
    unread: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl Cells<'_> {
    fn add(&mut self, column: &'static str, what: impl fmt::Display) {
        self.problems.push(Problem::new(vec![self.row], column, what));
        self.unread.push(column);
    }

    fn text(&self, column: &str) -> String {
        self.texts.get(column).cloned().unwrap_or_default()
    }

    fn figure(mut self) -> Figure {
        let period = self.text("period");
        if let Some((month, year)) = both_readings(&period) {
            let written = month.in_words().unwrap_or_default();
            self.add(
                "period",
                format!(
                    "found `{period}`, which may be {written} or the financial year {period}; write {written} or {year}"
                ),
            );
        }
        let observation = proto::Observation {
            breakdown: self.breakdown(),
            measure: self.measure(),
            markers: self.markers(),
            // Spreadsheets break the lines of a cell in either way.
            note: self.text("note").replace("\r\n", "\n"),
            explanation: self.text("explanation").replace("\r\n", "\n"),
            check_explanations: Vec::new(),
            indicator: self.text("indicator"),
            area: self.text("area"),
            period,
        };
        let (agency, report) = (self.text("agency"), self.text("report"));
        Figure { row: self.row, agency, report, observation, unread: self.unread }
    }

    fn markers(&mut self) -> Vec<i32> {
        let texts = self.text("markers");
        let mut markers = Vec::new();
        for text in texts.split_whitespace() {
            let marker = text.trim_matches(['[', ']']).parse::<Marker>();
            markers.push(marker.as_ref().map_or(0, |marker| marker.code()));
            match marker {
                Ok(_) => {}
                Err(_) if text.contains([';', ',', '/', '|', '+']) => {
                    let quoted = Quoted(text);
                    self.add("markers", format!("found {quoted}; separate markers by spaces"));
                }
                Err(error) => self.add("markers", error),
            }
        }
        markers
    }

    fn breakdown(&mut self) -> Vec<proto::CategoryRef> {
        let text = self.text("breakdown");
        let category = |(dimension, category): &(_, _)| proto::CategoryRef {
            dimension: ToString::to_string(dimension),
            category: ToString::to_string(category),
        };
        match text.parse::<Breakdown>() {
            Ok(breakdown) => breakdown.iter().map(category).collect(),
            Err(error) => {
                self.add("breakdown", error);
                // Not nothing, which would be the total.
                vec![proto::CategoryRef { dimension: text, category: String::new() }]
            }
        }
    }

    fn measure(&mut self) -> Option<proto::observation::Measure> {
        use proto::observation::Measure;
        let all = ["base", "count", "denominator", "numerator", "value"];
        let given: Vec<&str> = all.into_iter().filter(|column| !self.text(column).is_empty()).collect();
        match given.as_slice() {
            [] => None,
            ["value"] => Some(Measure::Number(self.text("value"))),
            ["base", "value"] => {
                Some(Measure::Percentage(proto::Percentage { percent: self.text("value"), base: self.text("base") }))
            }
            ["count", "value"] => {
                Some(Measure::Mean(proto::Mean { mean: self.text("value"), count: self.text("count") }))
            }
            ["denominator", "numerator"] => Some(Measure::Ratio(proto::Ratio {
                numerator: self.text("numerator"),
                denominator: self.text("denominator"),
            })),
            other => {
                let what = format!(
                    "found {} together; allowed: value alone, value and base, value and count, or numerator and denominator",
                    other.join(", ")
                );
                self.problems.push(Problem::new(vec![self.row], "", what));
                self.unread.push("value");
                Some(Measure::Number(String::new()))
            }
        }
    }
}

/// The month and the financial year that a text may be: `2009-10` is October 2009 to the API, and a
/// financial year to whoever fills in a spreadsheet.
fn both_readings(text: &str) -> Option<(Period, Period)> {
    let month: Period = text.parse().ok()?;
    let year = format!("FY{text}").parse().ok()?;
    (month.frequency() == Frequency::Month && month.to_string() == text).then_some((month, year))
}

/// A period's text as a file has it, in which it has one reading.
pub(crate) fn unambiguous(period: &str) -> String {
    let in_words = both_readings(period).and_then(|(month, _)| month.in_words());
    in_words.unwrap_or_else(|| period.to_owned())
}

/// The column that a field of an observation is read from.
pub(crate) fn column_of(field: &str) -> &str {
    match field {
        "number" | "percentage.percent" | "percentage" | "mean.mean" | "mean" | "" => "value",
        "percentage.base" => "base",
        "mean.count" => "count",
        "ratio.numerator" | "ratio" => "numerator",
        "ratio.denominator" => "denominator",
        other => other.split(['.', '[']).next().unwrap_or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_row_is_reported_at_once() {
        let file =
            "indicator,area,period,value,base,markers\na,E1,2022-06,1,,q\nb,E1,2022-06,1,,\nc,E1,2022-06,,5,\nd,E1,1\n";
        let violations = read(file.as_bytes()).unwrap_err();
        let lines: Vec<String> =
            violations.iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_period_of_a_file_that_reads_both_ways_is_refused_with_both_readings() {
        let read_period = |period: &str| read_all(format!("indicator,area,period,value\na,E1,{period},5\n").as_bytes());
        // Of every two years that follow each other, twelve name a month too.
        let texts = (1990..2030).map(|year| format!("{year}-{:02}", (year + 1) % 100));
        let refused: Vec<String> = texts.filter(|text| !read_period(text).problems.is_empty()).collect();
        assert_eq!((refused.len(), refused[0].as_str(), refused[11].as_str()), (12, "2000-01", "2011-12"));
        assert_eq!(
            read_period("2009-10").problems[0].to_string(),
            "row 2, column period: found `2009-10`, which may be Oct 2009 or the financial year 2009-10; write Oct 2009 or FY2009-10"
        );
        for period in ["Oct 2009", "FY2009-10", "2009/10", "2009-11", "2021-22", "2022-06"] {
            assert!(read_period(period).problems.is_empty(), "{period}");
        }
        assert_eq!((unambiguous("2009-10"), unambiguous("2009-11")), ("Oct 2009".to_owned(), "2009-11".to_owned()));
    }

    #[test]
    fn what_helps_to_fill_a_file_in_isnt_read() {
        let file = "indicator,title,area,period,value,note,unit,due\na,A title,E1,2022-06,5,,per cent,2022-07-31\n";
        let figures = read(file.as_bytes()).unwrap();
        assert_eq!(figures[0].observation.note, "");
    }

    #[test]
    fn a_header_must_name_what_is_needed_once() {
        let problems = read_all(b"\nindicator,area,period,note,note\na,E1,2022,,\n").problems;
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["row 2: found column `note` twice; allowed: once", "row 2: found no column `value`; it is needed"]
        );
        assert_eq!(read_all(b"").problems[0].to_string(), "the file is empty");
    }

    #[test]
    fn a_file_whose_columns_arent_separated_by_commas_gets_a_hint() {
        for (separator, named) in [(";", "`;`"), ("\t", "tabs")] {
            let file = "indicator,area,period,value\na,E1,2022-06,5\n".replace(',', separator);
            let texts: Vec<String> = read_all(file.as_bytes()).problems.iter().map(ToString::to_string).collect();
            let hint = "allowed: commas. Save the file comma-separated";
            assert_eq!(texts, [format!("row 1: found {named} between the columns; {hint}")]);
        }
    }

    #[test]
    fn empty_columns_at_the_end_are_ignored_and_one_with_a_text_isnt() {
        let reading = read_all(b"indicator,area,period,value,,\na,E1,2022-06,5,,\nb,E1,2022-06,6,,,\nc,E1,2022-06,7\n");
        assert_eq!((reading.figures.len(), reading.problems), (3, vec![]));
        let texts: Vec<String> = read_all(b"indicator,area,period,value,,\na,E1,2022-06,5,,x\n")
            .problems
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, ["row 2: found 6 columns; allowed: 4, as in the first row"]);
    }

    #[test]
    fn markers_that_are_run_together_get_a_hint() {
        for markers in ["x;p", "e/p"] {
            let file = format!("indicator,area,period,value,markers\na,E1,2022-06,5,{markers}\n");
            let problem = &read_all(file.as_bytes()).problems[0];
            assert_eq!(
                problem.to_string(),
                format!("row 2, column markers: found `{markers}`; separate markers by spaces")
            );
        }
    }

    #[test]
    fn a_cell_that_isnt_utf_8_is_named_and_the_rest_is_read() {
        let reading = read_all(b"indicator,area,period,value,note\na,E1,2022-06,5,Children\x92s\nb,E1,2022-06,5,\n");
        assert_eq!(
            reading.problems[0].to_string(),
            "row 2, column note: found text that isn't in UTF-8; allowed: a file saved as CSV in UTF-8"
        );
        assert_eq!((reading.figures.len(), reading.figures[0].unread.as_slice()), (2, &["note"][..]));
    }

    #[test]
    fn an_unknown_column_is_refused() {
        let violations = read("indicator,area,period,value,valeu\n".as_bytes()).unwrap_err();
        assert!(
            violations.to_string().starts_with("row 1: found column `valeu`; allowed: indicator, area"),
            "{violations}"
        );
    }
}

//! Figures in a spreadsheet: reads CSV rows as the observations of requests.
//!
//! The first row names the columns, in any order. `indicator`, `area`, `period` and `value` are
//! required. With a `base`, `value` is a printed percentage; with a `count`, it is a mean. `numerator`
//! and `denominator`, without a `value`, are an exact ratio. `breakdown` is `dimension=category`,
//! several separated by semicolons; `markers` are separated by spaces. The caller may select rows by
//! `agency` and `report`; a `note` is stored with its figure.

use std::collections::BTreeMap;
use std::io::Read;

use crate::model::marker::Marker;
use crate::model::observation::Breakdown;
use crate::model::violation::Violations;
use crate::rpc::proto;

/// One row of the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
struct Row {
    #[serde(default)]
    report: String,
    #[serde(default)]
    agency: String,
    indicator: String,
    area: String,
    period: String,
    value: String,
    #[serde(default)]
    numerator: String,
    #[serde(default)]
    denominator: String,
    #[serde(default)]
    base: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    breakdown: String,
    #[serde(default)]
    markers: String,
    #[serde(default)]
    note: String,
}

/// The columns that a file may have.
const COLUMNS: [&str; 13] = [
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
    "agency",
    "report",
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
}

/// Reads the figures of a file.
///
/// # Errors
/// Every problem in the file, by row and column.
pub fn read(file: impl Read) -> Result<Vec<Figure>, Violations> {
    let mut violations = Violations::default();
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    if let Some(headers) = violations.check("row 1", csv.headers().cloned()) {
        for unknown in headers.iter().filter(|header| !COLUMNS.contains(header)) {
            violations.add("row 1", format!("found column `{unknown}`; allowed: {}", COLUMNS.join(", ")));
        }
    }
    let mut figures = Vec::new();
    for (row, result) in (2..).zip(csv.deserialize::<Row>()) {
        match result {
            Ok(found) => figures.push(figure(row, found, &mut violations)),
            Err(error) => violations.add(format!("row {row}"), description(&error)),
        }
    }
    violations.into_result(figures)
}

fn description(error: &csv::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is another crate's, and will grow")]
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.kind().to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("found {len} columns; allowed: {expected_len}, as in the first row")
        }
        _ => error.to_string(),
    }
}

fn figure(row: u64, found: Row, violations: &mut Violations) -> Figure {
    let mut markers = Vec::new();
    for text in found.markers.split_whitespace() {
        let text = text.trim_matches(['[', ']']);
        if let Some(marker) = violations.check(format!("row {row}, column markers"), text.parse::<Marker>()) {
            markers.push(marker.code());
        }
    }
    let breakdown = violations.check(format!("row {row}, column breakdown"), found.breakdown.parse::<Breakdown>());
    let category = |(dimension, category): &(_, _)| proto::CategoryRef {
        dimension: ToString::to_string(dimension),
        category: ToString::to_string(category),
    };
    let observation = proto::Observation {
        breakdown: breakdown.iter().flat_map(Breakdown::iter).map(category).collect(),
        measure: measure(row, &found, violations),
        markers,
        note: found.note,
        indicator: found.indicator,
        area: found.area,
        period: found.period,
    };
    Figure { row, agency: found.agency, report: found.report, observation }
}

fn measure(row: u64, found: &Row, violations: &mut Violations) -> Option<proto::observation::Measure> {
    use proto::observation::Measure;
    let given: BTreeMap<&str, &str> = [
        ("value", &found.value),
        ("base", &found.base),
        ("count", &found.count),
        ("numerator", &found.numerator),
        ("denominator", &found.denominator),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(column, text)| (column, text.as_str()))
    .collect();
    let columns: Vec<&str> = given.keys().copied().collect();
    let text = |column: &str| given.get(column).copied().unwrap_or_default().to_owned();
    match columns.as_slice() {
        [] => None,
        ["value"] => Some(Measure::Number(text("value"))),
        ["base", "value"] => {
            Some(Measure::Percentage(proto::Percentage { percent: text("value"), base: text("base") }))
        }
        ["count", "value"] => Some(Measure::Mean(proto::Mean { mean: text("value"), count: text("count") })),
        ["denominator", "numerator"] => {
            Some(Measure::Ratio(proto::Ratio { numerator: text("numerator"), denominator: text("denominator") }))
        }
        other => {
            violations.add(
                format!("row {row}"),
                format!(
                    "found {} together; allowed: value alone, value and base, value and count, or numerator and denominator",
                    other.join(", ")
                ),
            );
            None
        }
    }
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
    fn an_unknown_column_is_refused() {
        let violations = read("indicator,area,period,value,valeu\n".as_bytes()).unwrap_err();
        assert!(
            violations.to_string().starts_with("row 1: found column `valeu`; allowed: indicator, area"),
            "{violations}"
        );
    }
}

//! The rows of a file that are to be submitted, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::super::connect::Found;
use super::super::failure::Failure;
use super::super::format::counted;
use super::super::mapping;
use crate::figures::problem::{Problem, grouped};
use crate::figures::{self, DatesAre, Field, Figure, Layout, Reading};
use crate::intake::review::OBSERVATIONS_MAX;
use crate::model::decimal::Decimal;
use crate::rpc::proto::observation::Measure;

/// Which rows of a file are submitted, and how they are taken.
#[derive(Debug, Parser)]
pub(super) struct Selection {
    /// The agency whose figures these are, by id.
    #[arg(short = 'a', long)]
    pub(super) agency: String,
    /// A mapping, which says how your own spreadsheet is laid out. docs/files.md says what it may have.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The sheet of a workbook. By default the one that has the columns.
    #[arg(long)]
    sheet: Option<String>,
    /// What a column is called in the file, as in period=Month. May be given several times.
    #[arg(long, value_name = "NAME=HEADING", value_parser = named_column)]
    column: Vec<(Field, String)>,
    /// Leave this column out, by its heading, or by its letter if it has none. May be given several times.
    #[arg(long, value_name = "HEADING")]
    ignore_column: Vec<String>,
    /// What dates in the column period stand for, where a date such as 1/4/2022 may be a month or a day.
    #[arg(long, value_enum)]
    dates: Option<Dates>,
    /// Leave out the rows of other agencies, if the file has an agency column. Without this they are
    /// refused.
    #[arg(long)]
    pub(super) skip_other_agencies: bool,
    /// Leave out the rows in which nothing was filled in: no number, no marker, no note and no explanation. Without
    /// this they are refused.
    #[arg(long)]
    pub(super) skip_empty: bool,
    /// Only the rows of this report, if the file has a report column.
    #[arg(long)]
    pub(super) report: Option<String>,
    /// Take percentages as they are although all of an indicator are between 0 and 1.
    #[arg(long)]
    pub(super) percentages_as_given: bool,
}

/// A column's name, and what it is called in the file.
fn named_column(text: &str) -> Result<(Field, String), String> {
    let named = text.split_once('=').and_then(|(name, heading)| Some((Field::named(name.trim())?, heading.trim())));
    match named {
        Some((field, heading)) if !heading.is_empty() => Ok((field, heading.to_owned())),
        Some(_) | None => Err(format!("allowed: NAME=HEADING, with a name of {}", Field::allowed())),
    }
}

/// What dates stand for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dates {
    /// The months that they begin, with the day first.
    Months,
    /// Days, with the day first.
    Days,
}

impl Selection {
    /// How the file is laid out: by the mapping, and by what the other options say.
    fn layout(&self) -> Result<Layout, Failure> {
        let mut layout = self.mapping.as_deref().map(mapping::read).transpose()?.unwrap_or_default();
        if self.sheet.is_some() {
            layout.sheet.clone_from(&self.sheet);
        }
        layout.columns.extend(self.column.iter().cloned());
        layout.ignored_columns.extend(self.ignore_column.iter().cloned());
        if let Some(dates) = self.dates {
            layout.dates = Some(match dates {
                Dates::Months => DatesAre::Months,
                Dates::Days => DatesAre::Days,
            });
        }
        Ok(layout)
    }
}

/// The figures to submit.
#[derive(Debug)]
pub(super) struct Sheet {
    /// The figures to submit, and what is wrong before the server has seen any of it.
    pub(super) reading: Reading,
    /// The rows of other agencies that are left out, by agency.
    others: BTreeMap<String, Vec<u64>>,
    /// How many rows of other reports are left out, by report.
    other_reports: BTreeMap<String, usize>,
}

impl Sheet {
    /// The figures of a file that the arguments select.
    ///
    /// # Errors
    /// When the mapping can't be read.
    pub(super) fn of(bytes: &[u8], selection: &Selection) -> Result<Self, Failure> {
        let mut reading = figures::read_all(bytes, &selection.layout()?);
        let is_selected = |figure: &Figure| selection.report.as_ref().is_none_or(|report| figure.report == *report);
        let is_own = |figure: &Figure| figure.agency.is_empty() || figure.agency == selection.agency;
        let (figures, left): (Vec<Figure>, Vec<Figure>) =
            std::mem::take(&mut reading.figures).into_iter().partition(|figure| is_selected(figure) && is_own(figure));
        reading.figures = figures;
        let left_rows: BTreeSet<u64> = left.iter().map(|figure| figure.row).collect();
        let is_kept =
            |problem: &Problem| problem.rows.is_empty() || !problem.rows.iter().all(|row| left_rows.contains(row));
        reading.problems.retain(is_kept);
        let mut others: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut other_reports: BTreeMap<String, usize> = BTreeMap::new();
        for figure in left {
            if is_selected(&figure) {
                others.entry(figure.agency).or_default().push(figure.row);
            } else {
                *other_reports.entry(figure.report).or_default() += 1;
            }
        }
        let mut problems = Vec::new();
        if let Some(report) = &selection.report
            && reading.figures.is_empty()
            && others.is_empty()
            && !other_reports.is_empty()
        {
            problems.push(no_such_report(report, &other_reports));
        }
        reading.take_empty_rows(selection.skip_empty);
        if !selection.skip_other_agencies {
            let of = |(agency, rows): (&String, &Vec<u64>)| {
                reading.problem_at(rows.clone(), Some(Field::Agency), of_another(agency, rows, selection))
            };
            problems.extend(others.iter().map(of));
            others.clear();
        }
        if !selection.percentages_as_given {
            let of = |(rows, what)| reading.problem_at(rows, Some(Field::Value), what);
            problems.extend(proportions(&reading.figures).into_iter().map(of));
        }
        if reading.figures.len() > OBSERVATIONS_MAX {
            problems.push(Problem::of_file(format!(
                "found {} figures; allowed in one submission: at most {OBSERVATIONS_MAX}. Split the file, by periods or by \
                 areas, and submit the parts one after the other",
                reading.figures.len()
            )));
        }
        reading.problems.extend(problems);
        Ok(Self { reading, others, other_reports })
    }

    /// Whether the server can be asked about the figures.
    pub(super) fn is_sendable(&self) -> bool {
        let Reading { figures, problems, .. } = &self.reading;
        (!figures.is_empty() || problems.is_empty()) && figures.len() <= OBSERVATIONS_MAX
    }

    /// What is wrong with the file, and what the server found wrong with its figures, by row, and how much more there
    /// is. A cell that couldn't be read is reported for that alone.
    pub(super) fn all_problems(&self, found: &Found) -> (Vec<Problem>, usize) {
        let of_file = |(field, description): &(String, String)| self.found(field, &self.by_rows(description));
        let of_server: Vec<Problem> = found.listed.iter().filter_map(of_file).collect();
        // The server found those cells too, and some of what it left out is about them.
        let unread: usize = self.reading.figures.iter().map(|figure| figure.unread.len()).sum();
        let unlisted = unread.saturating_sub(found.listed.len() - of_server.len());
        let problems = grouped(self.reading.problems.iter().cloned().chain(of_server).collect());
        (problems, found.omitted.saturating_sub(unlisted))
    }

    /// A problem that the server found, where the file has it.
    fn found(&self, field: &str, description: &str) -> Option<Problem> {
        let of_figure = field.strip_prefix("observations[").and_then(|rest| rest.split_once(']'));
        let figure = of_figure.and_then(|(index, rest)| Some((self.figure(index)?, rest.trim_start_matches('.'))));
        let Some((figure, field)) = figure else {
            let option = match field {
                "" => String::new(),
                "agency" | "source" | "reason" => format!("--{field}: "),
                "request_id" => "--request-id: ".to_owned(),
                "observations" => "the file: ".to_owned(),
                other => format!("{other}: "),
            };
            return Some(Problem::of_file(format!("{option}{description}")));
        };
        self.reading.problem(figure, Field::of_observation(field), description)
    }

    fn figure(&self, index: &str) -> Option<&Figure> {
        self.reading.figures.get(index.parse::<usize>().ok()?)
    }

    /// The text with rows in the place of the request's observations.
    fn by_rows(&self, text: &str) -> String {
        let mut shown = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("observations[") {
            shown.push_str(before);
            rest = after;
            match after.split_once(']').and_then(|(index, tail)| Some((self.figure(index)?.row, tail))) {
                Some((row, tail)) => {
                    shown.push_str(&format!("row {row}"));
                    rest = tail;
                }
                None => shown.push_str("observations["),
            }
        }
        shown + rest
    }

    /// A line for each thing to know of how the file was read.
    pub(super) fn notes(&self) -> Vec<String> {
        self.reading.notes.iter().map(|note| format!("  {note}")).collect()
    }

    /// A line for each agency, and for each report, whose rows are left out.
    pub(super) fn left_out(&self) -> Vec<String> {
        let line = |(agency, rows): (&String, &Vec<u64>)| {
            format!("  left out: {} of `{agency}`", counted(rows.len(), "row", "rows"))
        };
        let report_line = |(report, count): (&String, &usize)| {
            let of = if report.is_empty() { "of no report".to_owned() } else { format!("of report `{report}`") };
            format!("  left out: {} {of}", counted(*count, "row", "rows"))
        };
        self.others.iter().map(line).chain(self.other_reports.iter().map(report_line)).collect()
    }
}

/// The file has rows, and none of the report.
fn no_such_report(report: &str, others: &BTreeMap<String, usize>) -> Problem {
    let known: Vec<String> =
        others.keys().filter(|known| !known.is_empty()).map(|known| format!("`{known}`")).collect();
    let allowed = if known.is_empty() {
        "the file names no report".to_owned()
    } else {
        format!("allowed: {}, the reports in the file", known.join(", "))
    };
    Problem::of_file(format!("--report: found `{report}`; {allowed}"))
}

fn of_another(agency: &str, rows: &[u64], selection: &Selection) -> String {
    format!(
        "found `{agency}`; allowed: `{}`, the agency that submits. To leave {} out, add --skip-other-agencies",
        selection.agency,
        if rows.len() == 1 { "this row" } else { "these rows" }
    )
}

/// The indicators whose every percentage is between 0 and 1: most likely they are proportions.
fn proportions(figures: &[Figure]) -> Vec<(Vec<u64>, String)> {
    let one = Decimal::new(1, 0).unwrap_or(Decimal::ZERO);
    let mut of_indicator: BTreeMap<&str, Vec<(u64, Option<Decimal>)>> = BTreeMap::new();
    for figure in figures {
        if let Some(Measure::Percentage(percentage)) = &figure.observation.measure {
            let of = of_indicator.entry(&figure.observation.indicator).or_default();
            of.push((figure.row, percentage.percent.parse().ok()));
        }
    }
    let is_within = |percent: &Option<Decimal>| percent.is_some_and(|it| !it.is_negative() && it <= one);
    of_indicator
        .into_iter()
        .filter(|(_, all)| all.iter().all(|(_, percent)| is_within(percent)))
        .filter(|(_, all)| all.iter().any(|(_, percent)| percent.is_some_and(|it| !it.is_zero())))
        .map(|(indicator, all)| {
            let what = format!(
                "every percentage of `{indicator}` is between 0 and 1; write per cent, 95.9 and not 0.959, or if \
                 these really are below 1 per cent, add --percentages-as-given"
            );
            (all.into_iter().map(|(row, _)| row).collect(), what)
        })
        .collect()
}

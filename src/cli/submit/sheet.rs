//! The rows of a file that are to be submitted, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;

use super::super::format::counted;
use crate::figures::{self, Figure, Problem, Reading, column_of};
use crate::model::decimal::Decimal;
use crate::rpc::proto::observation::Measure;

/// Which rows of a file are submitted, and how they are taken.
#[derive(Debug, Parser)]
pub(super) struct Selection {
    /// The agency whose figures these are, by id.
    #[arg(long)]
    pub(super) agency: String,
    /// Leave out the rows of other agencies, if the file has an agency column. Without this they are
    /// refused.
    #[arg(long)]
    pub(super) skip_other_agencies: bool,
    /// Only the rows of this report, if the file has a report column.
    #[arg(long)]
    pub(super) report: Option<String>,
    /// Take percentages as they are although all of an indicator are between 0 and 1.
    #[arg(long)]
    pub(super) percentages_as_given: bool,
}

/// The figures to submit.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) figures: Vec<Figure>,
    /// What is wrong before the server has seen any of it.
    pub(super) problems: Vec<Problem>,
    /// The rows of other agencies that are left out, by agency.
    others: BTreeMap<String, Vec<u64>>,
    /// How many rows of other reports are left out, by report.
    other_reports: BTreeMap<String, usize>,
}

impl Sheet {
    /// The figures of a file that the arguments select.
    pub(super) fn of(bytes: &[u8], selection: &Selection) -> Self {
        let Reading { figures, mut problems } = figures::read_all(bytes);
        let is_selected = |figure: &Figure| selection.report.as_ref().is_none_or(|report| figure.report == *report);
        let is_own = |figure: &Figure| figure.agency.is_empty() || figure.agency == selection.agency;
        let (figures, left): (Vec<Figure>, Vec<Figure>) =
            figures.into_iter().partition(|figure| is_selected(figure) && is_own(figure));
        let left_rows: BTreeSet<u64> = left.iter().map(|figure| figure.row).collect();
        problems.retain(|problem| !problem.rows.iter().all(|row| left_rows.contains(row)) || problem.rows.is_empty());
        let mut others: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut other_reports: BTreeMap<String, usize> = BTreeMap::new();
        for figure in left {
            if is_selected(&figure) {
                others.entry(figure.agency).or_default().push(figure.row);
            } else {
                *other_reports.entry(figure.report).or_default() += 1;
            }
        }
        if let Some(report) = &selection.report
            && figures.is_empty()
            && others.is_empty()
            && !other_reports.is_empty()
        {
            problems.push(no_such_report(report, &other_reports));
        }
        if !selection.skip_other_agencies {
            problems.extend(others.iter().map(|(agency, rows)| of_another(agency, rows, selection)));
            others.clear();
        }
        if !selection.percentages_as_given {
            problems.extend(proportions(&figures));
        }
        Self { figures, problems, others, other_reports }
    }

    /// What is wrong with the file, and what the server found wrong with its figures, by row. A cell that
    /// couldn't be read is reported for that alone.
    pub(super) fn all_problems(&self, found: &[(String, String)]) -> Vec<Problem> {
        let found = found.iter().filter_map(|(field, description)| self.found(field, &self.by_rows(description)));
        let mut all: Vec<Problem> = self.problems.iter().cloned().chain(found).collect();
        all.sort_by_key(|problem| problem.rows.first().copied());
        all
    }

    /// A problem that the server found, where the file has it.
    fn found(&self, field: &str, description: &str) -> Option<Problem> {
        let of_figure = field.strip_prefix("observations[").and_then(|rest| rest.split_once(']'));
        let figure = of_figure.and_then(|(index, rest)| Some((self.figure(index)?, rest.trim_start_matches('.'))));
        let Some((figure, field)) = figure else {
            let option = match field {
                "" => String::new(),
                "agency" | "source" => format!("--{field}: "),
                "request_id" => "--request-id: ".to_owned(),
                "observations" => "the file: ".to_owned(),
                other => format!("{other}: "),
            };
            return Some(Problem::new(vec![], "", format!("{option}{description}")));
        };
        let column = if field.is_empty() { "" } else { column_of(field) };
        (!figure.unread.contains(&column)).then(|| Problem::new(vec![figure.row], column, description))
    }

    fn figure(&self, index: &str) -> Option<&Figure> {
        self.figures.get(index.parse::<usize>().ok()?)
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
    Problem::new(vec![], "", format!("--report: found `{report}`; {allowed}"))
}

fn of_another(agency: &str, rows: &[u64], selection: &Selection) -> Problem {
    let what = format!(
        "found `{agency}`; allowed: `{}`, the agency that submits. To leave {} out, add --skip-other-agencies",
        selection.agency,
        if rows.len() == 1 { "this row" } else { "these rows" }
    );
    Problem::new(rows.to_vec(), "agency", what)
}

/// The indicators whose every percentage is between 0 and 1: most likely they are proportions.
fn proportions(figures: &[Figure]) -> Vec<Problem> {
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
            Problem::new(all.into_iter().map(|(row, _)| row).collect(), "value", what)
        })
        .collect()
}

//! Which figures of a file are submitted, one after the other; what is left out; and what is wrong with those of the whole
//! file together.

use std::collections::BTreeMap;

use super::selection::Selection;
use crate::figures::empty_rows::EmptyRows;
use crate::figures::names::{self, Names};
use crate::figures::problem::Problem;
use crate::figures::{Field, Figure, PROBLEMS_MAX, Reading, Taken};
use crate::model::decimal::Decimal;
use crate::rpc::proto::observation::Measure;
use crate::rpc::proto::{Area, Indicator};
use crate::wording::count::counted;

/// The names that the catalogue has.
#[derive(Debug)]
pub(crate) struct CatalogueNames {
    indicators: Names,
    areas: Names,
}

impl CatalogueNames {
    /// Those of a catalogue's indicators and areas.
    pub(crate) fn of(indicators: impl IntoIterator<Item = Indicator>, areas: impl IntoIterator<Item = Area>) -> Self {
        let indicators = indicators.into_iter().map(|indicator| (indicator.id, indicator.title));
        let areas = areas.into_iter().map(|area| (area.code, area.name));
        Self { indicators: Names::of(indicators), areas: Names::of(areas) }
    }

    /// Puts ids in the places of names in all figures of a reading.
    pub(crate) fn put_into(&self, reading: &mut Reading) {
        reading.take_names(&self.indicators, &self.areas);
    }
}

/// Takes the figures that are submitted.
pub(crate) struct Filter<'a> {
    selection: &'a Selection,
    /// What stands for names; none where they are left as they are.
    names: Option<&'a CatalogueNames>,
    /// Whether some of the figures have a text that isn't written as an id.
    pub(crate) needs_names: bool,
    /// Those whose texts stand for no id, with why.
    refused: Vec<(Figure, Field, String)>,
    taken: u64,
    empty: EmptyRows,
    /// The rows of other agencies, by agency.
    others: BTreeMap<String, Vec<u64>>,
    /// How many rows of other reports there are, by report.
    other_reports: BTreeMap<String, usize>,
    proportions: Proportions,
}

impl<'a> Filter<'a> {
    pub(crate) fn new(selection: &'a Selection, names: Option<&'a CatalogueNames>) -> Self {
        Self {
            selection,
            names,
            needs_names: false,
            refused: Vec::new(),
            taken: 0,
            empty: EmptyRows::default(),
            others: BTreeMap::new(),
            other_reports: BTreeMap::new(),
            proportions: Proportions::default(),
        }
    }

    /// Whether a figure is submitted, or what becomes of it. Ids are put in the places of its names.
    pub(crate) fn takes(&mut self, figure: &mut Figure) -> Result<(), Taken> {
        if self.selection.report.as_ref().is_some_and(|report| figure.report != *report) {
            *self.other_reports.entry(figure.report.clone()).or_default() += 1;
            return Err(Taken::No);
        }
        if !figure.agency.is_empty() && figure.agency != self.selection.agency {
            self.others.entry(figure.agency.clone()).or_default().push(figure.row);
            return Err(Taken::No);
        }
        if self.empty.has(figure) {
            return Err(if self.selection.skip_empty { Taken::No } else { Taken::Yes });
        }
        self.taken += 1;
        self.needs_names |= names::is_needed(figure);
        if let Some(CatalogueNames { indicators, areas }) = self.names {
            for (field, refusal) in names::take_names(figure, indicators, areas) {
                if self.refused.len() < PROBLEMS_MAX {
                    self.refused.push((figure.clone(), field, refusal));
                }
                figure.unread.push(field);
            }
        }
        self.proportions.add(figure);
        Ok(())
    }

    /// What is wrong with the figures, as a reading of the file has them, and a line for each thing that is left out.
    pub(crate) fn finish(self, reading: &Reading) -> (Vec<Problem>, Vec<String>) {
        let Self { selection, mut others, other_reports, proportions, refused, taken, empty, .. } = self;
        let is_rest_empty = taken == 0 && reading.problems.is_empty();
        let mut problems: Vec<Problem> =
            empty.problem(reading, selection.skip_empty, is_rest_empty).into_iter().collect();
        let note = empty.note(reading).filter(|_| selection.skip_empty && !is_rest_empty);
        if let Some(report) = &selection.report
            && taken == 0
            && empty.is_none()
            && others.is_empty()
            && !other_reports.is_empty()
        {
            problems.push(no_such_report(report, &other_reports));
        }
        if !selection.skip_other_agencies {
            let of = |(agency, rows): (&String, &Vec<u64>)| {
                reading.problem_at(rows.clone(), Some(Field::Agency), of_another(agency, rows, selection))
            };
            problems.extend(others.iter().map(of));
            others.clear();
        }
        if !selection.percentages_as_given {
            let of = |(rows, what)| reading.problem_at(rows, Some(Field::Value), what);
            problems.extend(proportions.found().into_iter().map(of));
        }
        let refused = refused.iter().filter_map(|(figure, field, what)| reading.problem(figure, Some(*field), what));
        problems.extend(refused);
        let note = note.map(|note| format!("  {note}"));
        (problems, note.into_iter().chain(left_out(&others, &other_reports)).collect())
    }
}

/// A line for each agency, and for each report, whose rows are left out.
fn left_out(others: &BTreeMap<String, Vec<u64>>, other_reports: &BTreeMap<String, usize>) -> Vec<String> {
    let line = |(agency, rows): (&String, &Vec<u64>)| {
        format!("  left out: {} of `{agency}`", counted(rows.len(), "row", "rows"))
    };
    let report_line = |(report, count): (&String, &usize)| {
        let of = if report.is_empty() { "of no report".to_owned() } else { format!("of report `{report}`") };
        format!("  left out: {} {of}", counted(*count, "row", "rows"))
    };
    others.iter().map(line).chain(other_reports.iter().map(report_line)).collect()
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
#[derive(Default)]
struct Proportions(BTreeMap<String, Percentages>);

/// The percentages of an indicator.
enum Percentages {
    /// All are between 0 and 1: their rows, and whether some aren't 0.
    Within { rows: Vec<u64>, has_some: bool },
    /// One isn't.
    Others,
}

impl Proportions {
    fn add(&mut self, figure: &Figure) {
        let Some(Measure::Percentage(percentage)) = &figure.observation.measure else { return };
        let one = Decimal::new(1, 0).unwrap_or(Decimal::ZERO);
        let percent: Option<Decimal> = percentage.percent.parse().ok();
        let percent = percent.filter(|it| !it.is_negative() && *it <= one);
        let indicator = &figure.observation.indicator;
        let known = match self.0.get_mut(indicator) {
            Some(known) => known,
            None => self
                .0
                .entry(indicator.clone())
                .or_insert_with(|| Percentages::Within { rows: Vec::new(), has_some: false }),
        };
        match (known, percent) {
            (Percentages::Within { rows, has_some }, Some(percent)) => {
                rows.push(figure.row);
                *has_some |= !percent.is_zero();
            }
            (known @ Percentages::Within { .. }, None) => *known = Percentages::Others,
            (Percentages::Others, _) => {}
        }
    }

    /// The rows of each, and what is wrong.
    fn found(self) -> Vec<(Vec<u64>, String)> {
        let found = |(indicator, all)| match all {
            Percentages::Within { rows, has_some: true } => {
                let what = format!(
                    "every percentage of `{indicator}` is between 0 and 1; write per cent, 95.9 and not 0.959, or if \
                     these really are below 1 per cent, add --percentages-as-given"
                );
                Some((rows, what))
            }
            Percentages::Within { has_some: false, .. } | Percentages::Others => None,
        };
        self.0.into_iter().filter_map(found).collect()
    }
}

//! Figures as columns of CSV: everything that a table shows of one, and what it is flagged with.

use super::{Cell, headings};
use crate::model::marker::Marker;
use crate::rpc::proto::{Change, ChangeGap, Discrepancy, DiscrepancyKind, Figure, Gap};

/// What follows the value of a figure.
const FIGURE: [&str; 12] = [
    "gap",
    "markers",
    "sample",
    "as_at",
    "to_date",
    "expected",
    "reported",
    "late",
    "not_available",
    "imputed",
    "contained",
    "complete",
];
/// What a figure that is answered has besides.
const ANSWER: [&str; 4] = ["numerator", "denominator", "numerator_basis", "discrepancies"];
/// What a change has besides the period and the figure that it is from.
const CHANGE: [&str; 4] = ["difference", "percent", "change_gap", "change_partial"];

/// The headings of a figure: of its value, and of the rest under a prefix.
pub(crate) fn figure_headings(value: &str, prefix: &str) -> Vec<String> {
    let rest = FIGURE.iter().map(|heading| format!("{prefix}{heading}"));
    std::iter::once(value.to_owned()).chain(rest).collect()
}

/// A figure under these headings; nothing where there is none.
pub(crate) fn figure_cells(figure: Option<&Figure>) -> Vec<Cell> {
    let Some(figure) = figure else { return nothing(1 + FIGURE.len()) };
    let coverage = figure.coverage.clone().unwrap_or_default();
    let counts = [
        coverage.expected,
        coverage.reported,
        coverage.late,
        coverage.not_available,
        coverage.imputed,
        coverage.contained,
    ];
    let mut cells = vec![
        value(figure.value.as_ref(), figure.gap(), &figure.markers),
        gap(figure.gap()),
        Cell::markers(&figure.markers),
        Cell::flag(figure.sample),
        text(figure.as_at.as_ref()),
        text(figure.to_date.as_ref()),
    ];
    cells.extend(counts.map(Cell::count));
    cells.push(Cell::flag(coverage.complete));
    cells
}

/// The headings of a figure that is answered: also of what it is made of, and of its discrepancies.
pub(crate) fn answer_headings() -> Vec<String> {
    [figure_headings("value", ""), headings(ANSWER)].concat()
}

/// A figure that is answered, under these headings.
pub(crate) fn answer_cells(figure: Option<&Figure>) -> Vec<Cell> {
    let mut cells = figure_cells(figure);
    let Some(figure) = figure else { return [cells, nothing(ANSWER.len())].concat() };
    let basis = if figure.numerator.is_some() { figure.numerator_basis().as_str_name() } else { "" };
    let discrepancies: Vec<String> = figure.discrepancies.iter().map(discrepancy).collect();
    cells.extend([
        Cell::Number(figure.numerator.clone()),
        Cell::Number(figure.denominator.clone()),
        Cell::text(basis),
        Cell::Text(discrepancies.join("; ")),
    ]);
    cells
}

/// The headings of a change.
pub(super) fn change_headings() -> Vec<String> {
    [headings(["from_period"]), figure_headings("from_value", "from_"), headings(CHANGE)].concat()
}

/// A change under these headings; nothing where there is none.
pub(super) fn change_cells(change: Option<&Change>) -> Vec<Cell> {
    let Some(change) = change else { return nothing(change_headings().len()) };
    let gap = change.gap();
    let why = if gap == ChangeGap::Unspecified { "" } else { gap.as_str_name() };
    let mut cells = vec![Cell::text(&change.from_period)];
    cells.extend(figure_cells(change.from.as_ref()));
    cells.extend([
        Cell::Number(change.difference.clone()),
        Cell::Number(change.percent.clone()),
        Cell::text(why),
        Cell::flag(change.partial),
    ]);
    cells
}

/// A number; or in its place why there is none, as a marker.
pub(super) fn value(value: Option<&String>, gap: Gap, markers: &[i32]) -> Cell {
    let Some(value) = value else {
        let mut markers = markers.iter().filter_map(|code| Marker::from_code(*code));
        return Cell::Missing(markers.find(|marker| marker.is_absence()).unwrap_or_else(|| shorthand(gap)));
    };
    Cell::Number(Some(value.clone()))
}

/// What stands in the place of a number that isn't there: that there can be none, or that it isn't available.
fn shorthand(gap: Gap) -> Marker {
    match gap {
        Gap::SideBySide
        | Gap::NotCombinable
        | Gap::ZeroBase
        | Gap::PeriodMismatch
        | Gap::PopulationNotBrokenDown
        | Gap::NegativePart => Marker::NotApplicable,
        Gap::Unspecified
        | Gap::NotReported
        | Gap::Marked
        | Gap::LeadNotReported
        | Gap::TooLarge
        | Gap::LeadNotAsked
        | Gap::Contained
        | Gap::NoPopulation
        | Gap::Partial => Marker::NotAvailable,
    }
}

/// Why there is no value, by its name in the API; empty where there is one.
pub(super) fn gap(gap: Gap) -> Cell {
    Cell::text(if gap == Gap::Unspecified { "" } else { gap.as_str_name() })
}

/// A text that may be absent.
pub(super) fn text(text: Option<&String>) -> Cell {
    Cell::Text(text.cloned().unwrap_or_default())
}

/// As many cells with nothing to say.
pub(super) fn nothing(count: usize) -> Vec<Cell> {
    vec![Cell::Text(String::new()); count]
}

fn discrepancy(found: &Discrepancy) -> String {
    let with = match found.kind() {
        DiscrepancyKind::Unspecified => "its parts".to_owned(),
        DiscrepancyKind::OverTime => "shorter periods".to_owned(),
        DiscrepancyKind::OverAreas => "areas below".to_owned(),
        DiscrepancyKind::Breakdown => format!("categories of {}", found.dimension),
    };
    let Discrepancy { agency, submitted, parts, difference, .. } = found;
    format!("{agency}: {submitted} submitted, {parts} by {with} ({difference})")
}

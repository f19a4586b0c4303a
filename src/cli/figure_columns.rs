//! Figures as columns of CSV: everything that a table shows of one, and what it is flagged with.

use super::format::markers;
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

/// The headings of a figure: of its value, and of the rest under a prefix.
pub(super) fn figure_headings(value: &str, prefix: &str) -> Vec<String> {
    let rest = FIGURE.iter().map(|heading| format!("{prefix}{heading}"));
    std::iter::once(value.to_owned()).chain(rest).collect()
}

/// A figure under these headings; empty texts for none.
pub(super) fn figure_fields(figure: Option<&Figure>) -> Vec<String> {
    let Some(figure) = figure else { return vec![String::new(); 1 + FIGURE.len()] };
    let coverage = figure.coverage.clone().unwrap_or_default();
    let counts = [
        coverage.expected,
        coverage.reported,
        coverage.late,
        coverage.not_available,
        coverage.imputed,
        coverage.contained,
    ];
    let mut fields = vec![
        text(figure.value.as_ref()),
        gap(figure.gap()),
        markers(&figure.markers),
        figure.sample.to_string(),
        text(figure.as_at.as_ref()),
        text(figure.to_date.as_ref()),
    ];
    fields.extend(counts.map(|count| count.to_string()));
    fields.push(coverage.complete.to_string());
    fields
}

/// The headings of a figure that is answered: also of what it is made of, and of its discrepancies.
pub(super) fn answer_headings() -> Vec<String> {
    let rest = ["numerator", "denominator", "numerator_basis", "discrepancies"].map(str::to_owned);
    figure_headings("value", "").into_iter().chain(rest).collect()
}

/// A figure that is answered, under these headings.
pub(super) fn answer_fields(figure: Option<&Figure>) -> Vec<String> {
    let mut fields = figure_fields(figure);
    let figure = figure.cloned().unwrap_or_default();
    let basis = if figure.numerator.is_some() { figure.numerator_basis().as_str_name() } else { "" };
    let discrepancies: Vec<String> = figure.discrepancies.iter().map(discrepancy).collect();
    fields.extend([
        text(figure.numerator.as_ref()),
        text(figure.denominator.as_ref()),
        basis.to_owned(),
        discrepancies.join("; "),
    ]);
    fields
}

/// The headings of a change.
pub(super) fn change_headings() -> Vec<String> {
    let change = ["difference", "percent", "change_gap", "change_partial"].map(str::to_owned);
    let from = figure_headings("from_value", "from_");
    std::iter::once("from_period".to_owned()).chain(from).chain(change).collect()
}

/// A change under these headings; empty texts for none.
pub(super) fn change_fields(change: Option<&Change>) -> Vec<String> {
    let Some(change) = change else { return vec![String::new(); change_headings().len()] };
    let gap = change.gap();
    let why = if gap == ChangeGap::Unspecified { "" } else { gap.as_str_name() };
    let mut fields = vec![change.from_period.clone()];
    fields.extend(figure_fields(change.from.as_ref()));
    fields.extend([
        text(change.difference.as_ref()),
        text(change.percent.as_ref()),
        why.to_owned(),
        change.partial.to_string(),
    ]);
    fields
}

/// Why there is no value, by its name in the API; empty when there is one.
pub(super) fn gap(gap: Gap) -> String {
    if gap == Gap::Unspecified { String::new() } else { gap.as_str_name().to_owned() }
}

/// A text that may be absent.
pub(super) fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
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

//! What stands beside a figure, in words: why it has no value, how much of it was reported, its markers.

use std::collections::BTreeSet;

use super::number::{difference, number};
use crate::rpc::proto::{Coverage, Discrepancy, DiscrepancyKind, Figure, Gap, Kind, Missing};

/// Why there is no value, in a cell of a table.
pub(crate) fn gap_text(gap: Gap) -> &'static str {
    match gap {
        Gap::NotReported => "–",
        Gap::Marked | Gap::Unspecified => "",
        Gap::SideBySide => "side by side",
        Gap::NotCombinable => "not combinable",
        Gap::ZeroBase => "of nothing",
        Gap::LeadNotReported => "lead missing",
        Gap::LeadNotAsked => "lead not asked for",
        Gap::TooLarge => "too large",
        Gap::Contained => "not split",
        Gap::PeriodMismatch => "no such periods",
        Gap::NoPopulation => "no population",
        Gap::PopulationNotBrokenDown => "no population by category",
        Gap::NegativePart => "part below zero",
        Gap::Partial => "partial",
    }
}

/// How many reported of how many expected, and what became of others: `7 of 12, 5 late`. Empty where nobody is expected.
pub(crate) fn coverage(coverage: Option<&Coverage>) -> String {
    let Some(coverage) = coverage.filter(|coverage| coverage.expected > 0) else { return String::new() };
    let all = format!("{} of {}", coverage.reported, coverage.expected);
    let others =
        [(coverage.late, "late"), (coverage.not_available, "not available"), (coverage.contained, "not split")];
    let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    std::iter::once(all).chain(others).collect::<Vec<_>>().join(", ")
}

/// Whether something that a figure should have isn't in it.
pub(crate) fn is_partial(figure: &Figure) -> bool {
    figure.value.is_some() && figure.coverage.as_ref().is_some_and(|coverage| !coverage.complete)
}

/// A figure that all of another lies within.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Containing {
    /// The code of its area; none if that is the other's own.
    pub(crate) area: Option<String>,
    /// Its period, in canonical text.
    pub(crate) period: String,
}

/// The figure that all of one lies within, whose area has this code. None where only parts of it do, or several contain
/// it.
pub(crate) fn contained_in(figure: &Figure, own_area: &str) -> Option<Containing> {
    let coverage = figure.coverage.as_ref().filter(|coverage| coverage.contained == coverage.expected)?;
    let containing = |missing: &Missing| {
        let area = Some(missing.contained_in_area.clone()).filter(|area| area != own_area);
        Containing { area, period: missing.contained_in_period.clone() }
    };
    let within: BTreeSet<Containing> = coverage.missing.iter().map(containing).collect();
    if within.len() == 1 { within.into_iter().next() } else { None }
}

/// What was submitted, and what its parts come to instead.
pub(crate) fn discrepancy(kind: Kind, discrepancy: &Discrepancy) -> String {
    let parts = match discrepancy.kind() {
        DiscrepancyKind::Unspecified => "its parts come".to_owned(),
        DiscrepancyKind::OverTime if kind == Kind::Stock => {
            "its figure for another period of that day comes".to_owned()
        }
        DiscrepancyKind::OverTime => "the shorter periods in it come".to_owned(),
        DiscrepancyKind::OverAreas => "the areas in it come".to_owned(),
        DiscrepancyKind::Breakdown => format!("its categories of {} come", discrepancy.dimension),
    };
    format!(
        "{} was submitted; {parts} to {} ({})",
        number(&discrepancy.submitted, kind),
        number(&discrepancy.parts, kind),
        difference(&discrepancy.difference, kind),
    )
}

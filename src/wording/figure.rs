//! What stands beside a figure, in words: why it has no value, how much of it was reported, its markers.

use std::collections::BTreeSet;

use super::number::{difference, number};
use crate::model::marker::Marker;
use crate::rpc::proto::{
    AcrossAgencies, Coverage, Discrepancy, DiscrepancyKind, Figure, Gap, Indicator, Kind, Missing, SlotStatus,
};

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

/// What became of an expected figure.
pub(crate) fn slot_status(status: SlotStatus) -> &'static str {
    match status {
        SlotStatus::Unspecified => "",
        SlotStatus::OnTime => "on time",
        SlotStatus::ReportedLate => "reported late",
        SlotStatus::Late => "late",
        SlotStatus::NotDue => "not due yet",
        SlotStatus::NotAvailable => "not available",
    }
}

/// How many reported of how many expected, and what became of others: `7 of 12, 5 late`. Empty where nobody is expected.
pub(crate) fn coverage(coverage: Option<&Coverage>) -> String {
    counts(coverage, "").join(", ")
}

/// The same in a sentence: `7 of 12 reported, 2 of them estimated, 5 late`.
pub(crate) fn coverage_words(coverage: Option<&Coverage>) -> String {
    let mut words = counts(coverage, " reported");
    let Some(coverage) = coverage.filter(|_| !words.is_empty()) else { return String::new() };
    if coverage.imputed > 0 {
        words.insert(1, format!("{} of them estimated", coverage.imputed));
    }
    if coverage.reported + coverage.late + coverage.not_available + coverage.contained < coverage.expected {
        words.push(if coverage.reported > 0 || words.len() > 1 { "the rest not due" } else { "none due" }.to_owned());
    }
    words.join(", ")
}

fn counts(coverage: Option<&Coverage>, reported: &str) -> Vec<String> {
    let Some(coverage) = coverage.filter(|coverage| coverage.expected > 0) else { return Vec::new() };
    let all = format!("{} of {}{reported}", coverage.reported, coverage.expected);
    let others =
        [(coverage.late, "late"), (coverage.not_available, "not available"), (coverage.contained, "not split")];
    let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    std::iter::once(all).chain(others).collect()
}

/// Whether something that a figure should have isn't in it.
pub(crate) fn is_partial(figure: &Figure) -> bool {
    figure.value.is_some() && figure.coverage.as_ref().is_some_and(|coverage| !coverage.complete)
}

/// What a marker says of a figure, in as few words as there are.
pub(crate) fn marker_words(marker: Marker) -> &'static str {
    match marker {
        Marker::Confidential => "confidential",
        Marker::NotAvailable => "not available",
        Marker::NotApplicable => "not applicable",
        Marker::Low => "rounds to zero, but isn't",
        Marker::Unreliable => "of low reliability",
        Marker::Estimated => "estimated",
        Marker::Provisional => "provisional",
        Marker::Revised => "revised",
        Marker::Break => "a break in the series",
    }
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

/// How the figures of several agencies become one; `lead` is the name of the lead agency, where there is one.
pub(crate) fn how_combined(indicator: &Indicator, lead: &str) -> String {
    let text = match indicator.across_agencies() {
        AcrossAgencies::Unspecified => "",
        AcrossAgencies::SideBySide => "side by side: never added",
        AcrossAgencies::Lead => return format!("lead agency's figure: {lead}"),
        AcrossAgencies::Add => match indicator.kind() {
            Kind::Ratio => "numerators and denominators added up over agencies",
            Kind::Mean => "a mean over agencies, weighted by their counts",
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount | Kind::Unspecified => "added up over agencies",
        },
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_says_what_became_of_whatever_is_not_reported() {
        let of = |expected, reported, late, not_available, contained, imputed| Coverage {
            expected,
            reported,
            late,
            not_available,
            contained,
            imputed,
            ..Coverage::default()
        };
        for (counts, short, words) in [
            (of(0, 0, 0, 0, 0, 0), "", ""),
            (of(1, 1, 0, 0, 0, 0), "1 of 1", "1 of 1 reported"),
            (of(12, 7, 5, 0, 0, 2), "7 of 12, 5 late", "7 of 12 reported, 2 of them estimated, 5 late"),
            (
                of(12, 7, 2, 1, 1, 0),
                "7 of 12, 2 late, 1 not available, 1 not split",
                "7 of 12 reported, 2 late, 1 not available, 1 not split, the rest not due",
            ),
            (of(12, 7, 0, 0, 0, 0), "7 of 12", "7 of 12 reported, the rest not due"),
            (of(3, 0, 1, 0, 0, 0), "0 of 3, 1 late", "0 of 3 reported, 1 late, the rest not due"),
            (of(3, 0, 0, 0, 0, 0), "0 of 3", "0 of 3 reported, none due"),
        ] {
            assert_eq!((coverage(Some(&counts)), coverage_words(Some(&counts))), (short.to_owned(), words.to_owned()));
        }
        assert_eq!((coverage(None), coverage_words(None)), Default::default());
    }

    #[test]
    fn a_meaning_begins_with_the_words_of_the_marker() {
        for marker in Marker::ALL {
            assert!(marker.meaning().starts_with(marker_words(*marker)));
        }
    }

    #[test]
    fn how_agencies_combine_depends_on_the_rule_and_the_kind() {
        let of = |across: AcrossAgencies, kind: Kind| {
            let (across_agencies, kind) = (across.into(), kind.into());
            how_combined(&Indicator { across_agencies, kind, ..Indicator::default() }, "Constabulary")
        };
        let (add, lead, side_by_side) = (AcrossAgencies::Add, AcrossAgencies::Lead, AcrossAgencies::SideBySide);
        assert_eq!(of(add, Kind::Events), "added up over agencies");
        assert_eq!(of(add, Kind::Ratio), "numerators and denominators added up over agencies");
        assert_eq!(of(add, Kind::Mean), "a mean over agencies, weighted by their counts");
        assert_eq!(of(lead, Kind::Stock), "lead agency's figure: Constabulary");
        assert_eq!(of(side_by_side, Kind::Events), "side by side: never added");
    }
}

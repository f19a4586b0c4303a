//! Answered figures: combined over agencies, rounded once, with what they rest on.

use super::accumulator::{Accumulator, ByAgency, Missing, Slots};
use super::combine::{Basis, Components, Gap};
use super::discrepancy::Discrepancy;
use super::resolve::Series;
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion};
use crate::model::decimal::{Exact, Quotient, Rounded};
use crate::model::marker::{Marker, Markers};
use crate::model::period::Period;

/// An answered figure: a value, or the reason that there is none, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The value, exact and rounded to the indicator's decimals, or why there is none.
    pub value: Result<FigureValue, Gap>,
    /// The exact numerator and denominator, for kinds that have them.
    pub parts: Option<(Exact, Exact)>,
    /// The markers of all that went into it.
    pub markers: Markers,
    /// Whether something made up went into it.
    pub sample: bool,
    /// Who was expected, and who reported.
    pub slots: Slots,
    /// Whether nothing expected is missing and nothing is older than the period's close.
    pub complete: bool,
    /// Some of what is missing.
    pub missing: Vec<Missing>,
    /// For a stock that is older than the period's close: the period that it is of.
    pub as_at: Option<Period>,
    /// Where submitted figures that should agree don't.
    pub discrepancies: Vec<Discrepancy>,
}

/// A value before and after rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FigureValue {
    /// The value itself.
    pub exact: Quotient,
    /// As it is shown.
    pub rounded: Rounded,
}

impl Figure {
    /// Finishes an accumulator: the only place where a figure is rounded.
    pub fn of(sum: &Accumulator, version: &IndicatorVersion, gap: Gap) -> Self {
        let value = match sum.components {
            _ if sum.too_large => Err(Gap::TooLarge),
            Some(parts) => parts.value(version.kind).and_then(|exact| {
                let rounded = exact.round(version.decimals, version.rounding).ok_or(Gap::TooLarge)?;
                Ok(FigureValue { exact, rounded })
            }),
            None if sum.markers.absences().next().is_some() => Err(Gap::Marked),
            None if sum.uncombined && gap != Gap::SideBySide => Err(Gap::NotCombinable),
            None => Err(gap),
        };
        let mut markers = sum.markers;
        // Beside the senders' markers the service's own, which is true of the value that is answered alone.
        if value.is_ok() && sum.components.is_some_and(|components| components.basis == Basis::Estimated) {
            markers = markers.with(Marker::Estimated);
        }
        let shown = sum.components.filter(|_| Components::are_shown(version.kind));
        let mut missing = sum.missing.clone();
        missing.sort_by_key(|missing| (missing.agency, missing.area, missing.period));
        Self {
            value,
            parts: shown.map(|components| (components.number, components.weight)),
            markers,
            sample: sum.sample,
            slots: sum.slots,
            complete: sum.is_complete(),
            missing,
            as_at: sum.as_at,
            discrepancies: Vec::new(),
        }
    }
}

/// The figures of some agencies as one, by the indicator's rule: those found and those of non-reporters.
pub fn combined(series: &Series<'_>, version: &IndicatorVersion, found: &ByAgency, non_reporters: &ByAgency) -> Figure {
    let mut all = Accumulator::default();
    let gap = match version.across_agencies {
        AcrossAgencies::Add => Gap::NotReported,
        AcrossAgencies::Lead if series.lead(version).is_some_and(|lead| !series.asks_for(lead)) => Gap::LeadNotAsked,
        AcrossAgencies::Lead => Gap::LeadNotReported,
        AcrossAgencies::SideBySide => Gap::SideBySide,
    };
    match version.across_agencies {
        AcrossAgencies::Add => {
            found.accumulators().chain(non_reporters.accumulators()).for_each(|figure| all.add(figure))
        }
        AcrossAgencies::SideBySide => found.accumulators().chain(non_reporters.accumulators()).for_each(|figure| {
            all.add_slots(figure);
            all.sample |= figure.sample;
        }),
        AcrossAgencies::Lead => {
            if let Some(figure) =
                series.lead(version).and_then(|lead| found.get(lead).or_else(|| non_reporters.get(lead)))
            {
                all.add(figure);
            }
        }
    }
    Figure::of(&all, version, gap)
}

//! Answered figures: what was added up, finished once.

use super::accumulator::{Accumulator, Coverage, Missing};
use super::combine::{Basis, Components, Gap};
use super::discrepancy::Discrepancy;
use super::value::FigureValue;
use crate::catalogue::items::IndicatorVersion;
use crate::model::date::Date;
use crate::model::decimal::Exact;
use crate::model::marker::{Marker, Markers};
use crate::model::period::Period;

/// An answered figure: a value, or the reason that there is none, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The value, exact and rounded to the indicator's decimals, or why there is none.
    pub value: Result<FigureValue, Gap>,
    /// The exact numerator and denominator, for kinds that have them; none when they have too many digits.
    pub fraction: Option<(Exact, Exact)>,
    /// How well the numerator is known, where there is one.
    pub numerator_basis: Option<Basis>,
    /// The markers of all that went into it, and those of the service's own.
    pub markers: Markers,
    /// Whether something made up went into it.
    pub sample: bool,
    /// Who was expected, and who reported.
    pub coverage: Coverage,
    /// Whether nothing expected is missing, and nothing is older than the period's close or of a part of its
    /// period. What has neither a value nor slots isn't complete.
    pub complete: bool,
    /// Some of what is missing.
    pub missing: Vec<Missing>,
    /// For a stock that is older than the period's close: the period that it is of.
    pub as_at: Option<Period>,
    /// Where a figure to date is in it: the last day that the earliest such figure includes.
    pub to_date: Option<Date>,
    /// Where submitted figures that should agree don't.
    pub discrepancies: Vec<Discrepancy>,
}

impl Figure {
    /// Finishes what was added up. `gap` is why there is no value, if there is none; `breaks` says
    /// whether the definition breaks with the period before.
    ///
    /// A marker of the service's own is true of the value that is answered, so it is decided here and
    /// never stands beside a gap: `e` where a printed percentage is combined with other figures, `b`
    /// where the definition breaks.
    pub(super) fn of(
        sum: &Accumulator,
        version: &IndicatorVersion,
        gap: Gap,
        breaks: bool,
        discrepancies: Vec<Discrepancy>,
    ) -> Self {
        let value = sum.value(version).unwrap_or(Err(gap));
        let is_estimated = sum.components.is_some_and(|components| components.basis == Basis::Estimated);
        let own = [(is_estimated, Marker::Estimated), (breaks, Marker::Break)];
        let own = own.into_iter().filter(|(is_true, _)| *is_true && value.is_ok()).map(|(_, marker)| marker);
        let shown = sum.components.filter(|_| Components::are_shown(version.kind) && value != Err(Gap::TooLarge));
        let mut missing = sum.missing.clone();
        missing.sort_by_key(|missing| (missing.agency, missing.area, missing.period));
        Self {
            value,
            fraction: shown.map(|components| (components.number, components.weight)),
            numerator_basis: shown.map(|components| components.basis),
            markers: own.fold(sum.markers, Markers::with),
            sample: sum.sample,
            coverage: sum.coverage,
            complete: sum.is_complete() && (value.is_ok() || sum.coverage.expected > 0),
            missing,
            as_at: sum.as_at,
            to_date: sum.to_date,
            discrepancies,
        }
    }
}

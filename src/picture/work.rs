//! How much work a query takes, counted before it is answered.

use std::collections::BTreeSet;

use super::question::{AggregateQuery, Derived};
use crate::catalogue::AgencyIx;
use crate::model::violation::Violations;
use crate::state::view::View;

/// The most work that one answer may take, in figures looked at: for each of those that it rests on, one by each agency
/// that is asked for or expected, and for each what is added to it.
const QUERY_WORK_MAX: u64 = 20_000_000;

/// The most periods of which a year to date is put together: months are the shortest.
const YEAR_TO_DATE_FIGURES: usize = 12;

/// How many figures are looked at for an answer, counted before any is.
pub(super) struct Work {
    series: usize,
    areas: usize,
    periods: usize,
    /// Those asked for, or expected to report.
    agencies: usize,
    /// How many figures of an agency and an area a period has: of those asked about, or of those reported for.
    of_period: usize,
    /// The figure, and what is added to it.
    each: usize,
    /// The areas of the benchmark, once a period.
    benchmark: usize,
}

impl Work {
    pub(super) fn of(view: View<'_>, query: &AggregateQuery) -> Self {
        let areas = query.areas.most();
        let expected = query.indicators.iter().flat_map(|ix| view.catalogue.indicator_at(*ix).versions());
        let expected = expected.flat_map(|version| &version.expected_agencies);
        let expected: BTreeSet<AgencyIx> =
            expected.filter_map(|named| view.catalogue.agency(&named.agency)).map(|(agency, _)| agency).collect();
        let reported: usize = expected.iter().map(|agency| view.catalogue.reports_for(*agency).len()).sum();
        let agencies = query.agencies.as_ref().map_or(expected.len(), Vec::len).max(1);
        let is_row_each = query.by_agency && query.agencies.is_some();
        let of_each = areas.saturating_mul(agencies);
        let of_period = if is_row_each { of_each } else { of_each.min(areas + reported) };
        let Derived { rate, share, rank, benchmark } = &query.derived;
        let added = [query.change.comparison.is_some(), *rate, *share, *rank, !benchmark.is_empty()];
        let months = if query.year_to_date { YEAR_TO_DATE_FIGURES } else { 1 };
        Self {
            series: query.indicators.len() * query.breakdowns.len(),
            areas,
            periods: query.periods.len(),
            agencies,
            of_period,
            each: months * (1 + added.into_iter().map(usize::from).sum::<usize>()),
            benchmark: benchmark.len(),
        }
    }

    pub(super) fn figures(&self) -> u64 {
        let of_period = self.of_period.saturating_mul(self.each).saturating_add(self.benchmark);
        let factors = [of_period, self.series, self.periods];
        factors.into_iter().map(|factor| u64::try_from(factor).unwrap_or(u64::MAX)).fold(1, u64::saturating_mul)
    }

    /// Refuses what is too much, at each field that less of can be asked for.
    pub(super) fn review(&self, violations: &mut Violations) {
        let Self { series, areas, periods, agencies, each, .. } = self;
        let figures = self.figures();
        if figures <= QUERY_WORK_MAX {
            return;
        }
        for (field, found) in [("areas", areas), ("periods", periods), ("agencies", agencies)] {
            violations.add(
                field,
                format_args!(
                    "found {found}; {areas} areas, {periods} periods, {agencies} agencies and {series} indicators and breakdowns, each with {each} figures to look at, are {figures} in all; allowed: {QUERY_WORK_MAX}. Ask for fewer {field}, or for fewer of the others"
                ),
            );
        }
    }
}

//! Who is expected to report which figure, how late it is, and how reporting has gone. The rules are in
//! docs/statistics.md, section 17.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::accumulator::{Accumulator, Coverage, MissingReason};
use super::contained::Container;
use super::expected::ExpectedSlot;
use super::explain::contribute;
use super::question::QUERY_CELLS_MAX;
use super::resolve::Series;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::period::{Frequency, Period};
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::state::columns::BreakdownIx;
use crate::state::view::View;

/// Asks who is expected to report what, and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompletenessQuery {
    /// The area within which figures are expected.
    pub(crate) area: AreaIx,
    /// Which periods.
    pub(crate) periods: AskedPeriods,
    /// The indicators, by id.
    pub(crate) indicators: Vec<IndicatorIx>,
    /// Only these agencies; all when none.
    pub(crate) agencies: Option<Vec<AgencyIx>>,
}

/// Which periods' figures are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AskedPeriods {
    /// These, each standing for the periods of the indicator's frequency in it.
    Named(Vec<Period>),
    /// Those that are due from a day to another and aren't reported.
    Due {
        /// The first day.
        from: Date,
        /// The last.
        by: Date,
    },
}

impl AskedPeriods {
    fn of(&self, view: View<'_>, indicator: IndicatorIx) -> Cow<'_, [Period]> {
        match self {
            Self::Named(periods) => periods.into(),
            Self::Due { from, by } => view.catalogue.periods_due(indicator, *from, *by).into(),
        }
    }

    /// Whether a slot of these periods is asked for.
    fn has(&self, slot: &Slot) -> bool {
        match self {
            Self::Named(_) => true,
            Self::Due { .. } => slot.status == Status::NotDue,
        }
    }
}

/// What became of a figure that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is there, and came by its due date.
    OnTime,
    /// It is there, and came after.
    ReportedLate,
    /// It isn't there, and its due date has passed.
    Late,
    /// It isn't there, and isn't due yet.
    NotDue,
    /// Its sender said that there is none.
    NotAvailable,
}

/// A figure that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The agency.
    pub(crate) agency: AgencyIx,
    /// The indicator.
    pub(crate) indicator: IndicatorIx,
    /// The area.
    pub(crate) area: AreaIx,
    /// The period, as the first of the periods asked for that contains it names it.
    pub(crate) period: Period,
    /// What became of it.
    pub(crate) status: Status,
    /// The day it is due.
    pub(crate) due: Date,
    /// When the figure that fills it came.
    pub(crate) received: Option<Timestamp>,
    /// How many days after its due date it came, or is late by today.
    pub(crate) days_late: i32,
    /// The area and the period of a larger figure that it lies within.
    pub(crate) contained_in: Option<Container>,
    /// The first day on which it is locked; none where it never is.
    pub(crate) locked_from: Option<Date>,
}

/// How one agency's reporting of one period has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReportingRate {
    /// How many figures are expected.
    pub(crate) expected: usize,
    /// How many are there.
    pub(crate) reported: usize,
    /// How many of those came by their due date.
    pub(crate) on_time: usize,
    /// How many aren't there, and are past their due date.
    pub(crate) late: usize,
    /// How many were said to be not available.
    pub(crate) not_available: usize,
}

/// A period asked for that doesn't fit an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeriodMismatch {
    /// The indicator.
    pub(crate) indicator: IndicatorIx,
    /// The period.
    pub(crate) period: Period,
    /// The indicator's frequency.
    pub(crate) frequency: Frequency,
}

/// Who is expected to report what, and has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Completeness {
    /// Every slot that is asked for, each once, by agency id, indicator id, area code and period.
    pub(crate) slots: Vec<Slot>,
    /// How reporting has gone, by agency and period asked for.
    pub(crate) rates: BTreeMap<(AgencyIx, Period), ReportingRate>,
    /// The indicators, by id, and periods without slots.
    pub(crate) mismatches: Vec<PeriodMismatch>,
}

/// Who is expected to report what, and has; none when the slots of all periods asked for, and the periods that
/// don't fit, are more than [`QUERY_CELLS_MAX`].
pub(crate) fn completeness(view: View<'_>, query: &CompletenessQuery) -> Option<Completeness> {
    let mut found = Completeness::default();
    let mut expected_count = 0;
    let agencies = query.agencies.as_ref().map(|agencies| agencies.iter().copied().collect::<BTreeSet<AgencyIx>>());
    for ix in &query.indicators {
        let mut series = Series::new(view, *ix, Some(BreakdownIx::TOTAL), None);
        // A slot has one status, whichever of the periods asked for contains it.
        let mut known: BTreeMap<(AgencyIx, AreaIx, Period), Status> = BTreeMap::new();
        for within in query.periods.of(view, *ix).iter().take_while(|_| view.spend(1).is_ok()) {
            if !series.expected().fits(*within) {
                let frequency = series.version(*within).frequency;
                found.mismatches.push(PeriodMismatch { indicator: *ix, period: *within, frequency });
                expected_count += 1;
            }
            let is_asked =
                |slot: &ExpectedSlot| agencies.as_ref().is_none_or(|agencies| agencies.contains(&slot.agency));
            let expected = series.expected().slots_within(query.area, *within).filter(is_asked);
            let expected: Vec<_> = expected.take((QUERY_CELLS_MAX + 1).saturating_sub(expected_count)).collect();
            expected_count += expected.len();
            if expected_count > QUERY_CELLS_MAX {
                return None;
            }
            for ExpectedSlot { agency, area, period, due } in expected.into_iter().take_while(|_| view.spend(1).is_ok())
            {
                let status = *known.entry((agency, area, period.storage_key())).or_insert_with(|| {
                    let slot = slot(&mut series, agency, area, period, due);
                    found.slots.push(slot);
                    slot.status
                });
                found.rates.entry((agency, *within)).or_default().count(status);
            }
        }
    }
    found.slots.retain(|slot| query.periods.has(slot));
    let catalogue = view.catalogue;
    let indicator = |ix: IndicatorIx| catalogue.indicator_at(ix).newest().id.clone();
    found.slots.sort_by_cached_key(|slot| {
        let area = catalogue.area_at(slot.area).code.clone();
        (catalogue.agency_at(slot.agency).id.clone(), indicator(slot.indicator), area, slot.period)
    });
    found.mismatches.sort_by_cached_key(|mismatch| (indicator(mismatch.indicator), mismatch.period));
    Some(found)
}

fn slot(series: &mut Series<'_>, agency: AgencyIx, area: AreaIx, period: Period, due: Date) -> Slot {
    let view = series.view();
    let figure = series.slot(agency, area, period);
    let came = came(series, agency, area, period, &figure).and_then(|revision| view.accepted_at(revision));
    let Coverage { expected, reported, late, not_available, contained, .. } = figure.coverage;
    let (status, day) = match came.map(|at| view.date(at)) {
        Some(day) if day <= due => (Status::OnTime, due),
        Some(day) => (Status::ReportedLate, day),
        None if late > 0 => (Status::Late, view.today),
        None if reported + contained + not_available < expected => (Status::NotDue, due),
        None => (Status::NotAvailable, due),
    };
    let days_late = (day.days() - due.days()).max(0);
    let contained_in = containers(&figure).next().filter(|_| reported == 0);
    let locked_from = view.catalogue.locked_from(series.version(period), period);
    Slot {
        agency,
        indicator: series.ix,
        area,
        period,
        status,
        due,
        received: came,
        days_late,
        contained_in,
        locked_from,
    }
}

/// The figures that parts of a slot lie within.
fn containers(figure: &Accumulator) -> impl Iterator<Item = Container> {
    figure.missing.iter().filter_map(|missing| match missing.reason {
        MissingReason::Contained { area, period } => Some((area, period)),
        MissingReason::Late | MissingReason::NotDue | MissingReason::NotAvailable => None,
    })
}

/// The revision with which a slot that is reported or contained came: the newest of those since which the
/// figures that fill it have had a value. None for a slot of which something is missing.
fn came(
    series: &mut Series<'_>,
    agency: AgencyIx,
    area: AreaIx,
    period: Period,
    figure: &Accumulator,
) -> Option<Revision> {
    let coverage = figure.coverage;
    if coverage.expected == 0 || coverage.reported + coverage.contained < coverage.expected {
        return None;
    }
    let mut contributions = Vec::new();
    contribute(series, agency, area, period, &mut contributions);
    // Of a stock that is only as at an earlier period nothing is reported.
    let own = contributions.into_iter().filter(|_| coverage.reported > 0);
    let own = own.map(|contribution| (contribution.area, contribution.period));
    let filling = own.chain(containers(figure));
    filling.filter_map(|(area, name)| series.submitted.filled_since(name, area, agency, period)).max()
}

impl ReportingRate {
    fn count(&mut self, status: Status) {
        self.expected += 1;
        match status {
            Status::OnTime => {
                self.reported += 1;
                self.on_time += 1;
            }
            Status::ReportedLate => self.reported += 1,
            Status::Late => self.late += 1,
            Status::NotDue => {}
            Status::NotAvailable => self.not_available += 1,
        }
    }
}

//! Who is expected to report which figure, how late it is, and how reporting has gone.

use std::collections::BTreeMap;

use super::combine::{OverTime, over_time};
use super::expected::ExpectedSlot;
use super::explain::contribute;
use super::question::QUERY_CELLS_MAX;
use super::resolve::Series;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::state::columns::{BreakdownIx, Row, RowKey, Slab};
use crate::state::view::View;

/// Asks who is expected to report what, and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompletenessQuery {
    /// The area within which figures are expected.
    pub(crate) area: AreaIx,
    /// The periods, each standing for the periods of the indicator's frequency in it.
    pub(crate) periods: Vec<Period>,
    /// The indicators, by id.
    pub(crate) indicators: Vec<IndicatorIx>,
    /// Only these agencies; all when none.
    pub(crate) agencies: Option<Vec<AgencyIx>>,
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
    /// The period.
    pub(crate) period: Period,
    /// The period asked for that it is within.
    pub(crate) within: Period,
    /// What became of it.
    pub(crate) status: Status,
    /// The day it is due.
    pub(crate) due: Date,
    /// When the figure that fills it first came.
    pub(crate) received: Option<Timestamp>,
    /// How many days after its due date it came, or is late by today.
    pub(crate) days_late: i32,
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

/// Every slot that is asked for, by agency id, indicator id, area code and period; none when there
/// are more than [`QUERY_CELLS_MAX`].
pub(crate) fn slots(view: View<'_>, query: &CompletenessQuery) -> Option<Vec<Slot>> {
    let mut found = Vec::new();
    for ix in &query.indicators {
        let mut series = Series::new(view, *ix, Some(BreakdownIx::TOTAL), None);
        for within in &query.periods {
            let is_asked =
                |slot: &ExpectedSlot| query.agencies.as_ref().is_none_or(|agencies| agencies.contains(&slot.agency));
            let expected = series.expected().slots_within(query.area, *within).filter(is_asked);
            let expected: Vec<_> = expected.take(QUERY_CELLS_MAX + 1 - found.len()).collect();
            if found.len() + expected.len() > QUERY_CELLS_MAX {
                return None;
            }
            found.extend(expected.into_iter().map(|expected| slot(&mut series, expected, *within)));
        }
    }
    let catalogue = view.catalogue;
    found.sort_by_cached_key(|slot| {
        let indicator = catalogue.indicator_at(slot.indicator).newest().id.clone();
        let area = catalogue.area_at(slot.area).code.clone();
        (catalogue.agency_at(slot.agency).id.clone(), indicator, area, slot.period)
    });
    Some(found)
}

fn slot(series: &mut Series<'_>, expected: ExpectedSlot, within: Period) -> Slot {
    let ExpectedSlot { agency, area, period, due, is_late } = expected;
    let filled = filled_since(series, agency, area, period);
    let view = series.view();
    let received = filled.and_then(|revision| view.accepted_at(revision));
    let (status, day) = match received.map(|at| view.date(at)) {
        Some(day) if day <= due => (Status::OnTime, due),
        Some(day) => (Status::ReportedLate, day),
        None if is_not_available(series, agency, area, period) => (Status::NotAvailable, due),
        None if is_late => (Status::Late, view.today),
        None => (Status::NotDue, due),
    };
    let days_late = (day.days() - due.days()).max(0);
    Slot { agency, indicator: series.ix, area, period, within, status, due, received, days_late }
}

/// The revision at which a slot was first filled: by a figure of its own period and area or of
/// wider ones, or else by the last of the figures that build it.
fn filled_since(series: &mut Series<'_>, agency: AgencyIx, area: AreaIx, period: Period) -> Option<Revision> {
    let view = series.view();
    let mut wider = vec![area];
    let day = view.hierarchy_day(period);
    while let Some(parent) = wider.last().and_then(|ix| view.catalogue.area_at(*ix).parent_on(day)) {
        let Some((ix, _)) = view.catalogue.area(parent) else { break };
        wider.push(ix);
    }
    let rule = over_time(series.indicator.kind());
    // A figure of a longer period fills the slots of all periods within it, where the kind adds over time; a
    // stock's fills those of all periods that end on the same day.
    let fills = |known: &&Period| match rule {
        OverTime::Add => known.divide(period.frequency()).is_some_and(|within| within.contains(&period)),
        OverTime::Last => series.submitted.names(period).contains(known),
        OverTime::Never => false,
    };
    let submitted = series.submitted.by_end().iter().map(|(_, known)| known);
    let since = submitted
        .filter(|known| **known == period.storage_key() || fills(known))
        .filter_map(|known| view.columns.slab(series.ix, *known))
        .flat_map(|slab| wider.iter().filter_map(|area| first_value(slab, *area, agency, view.as_of)))
        .min();
    if since.is_some() {
        return since;
    }
    // What is built fills the slot only when nothing of it is missing, and so not before its last figure came.
    let built = series.figures(area, period);
    if !built.get(agency).is_some_and(|figure| figure.has_figure() && figure.is_complete()) {
        return None;
    }
    let mut contributions = Vec::new();
    contribute(series, agency, area, period, &mut contributions);
    let since = contributions.iter().filter_map(|contribution| {
        let slab = view.columns.slab(series.ix, contribution.period)?;
        first_value(slab, contribution.area, agency, view.as_of)
    });
    since.max()
}

/// The revision of the first value, or marker that none applies, that a figure had and still has
/// one as of the revision.
fn first_value(slab: &Slab, area: AreaIx, agency: AgencyIx, as_of: Revision) -> Option<Revision> {
    let now = slab.row(RowKey::new(area, BreakdownIx::TOTAL, agency), as_of).filter(Row::fills_slot)?;
    let first = slab.history(now.key).find(Row::fills_slot)?;
    Some(first.revision())
}

fn is_not_available(series: &mut Series<'_>, agency: AgencyIx, area: AreaIx, period: Period) -> bool {
    series.figures(area, period).get(agency).is_some_and(|figure| figure.coverage.not_available > 0)
}

/// How reporting has gone, by agency and period asked for.
pub(crate) fn rates(slots: &[Slot]) -> BTreeMap<(AgencyIx, Period), ReportingRate> {
    let mut rates: BTreeMap<_, ReportingRate> = BTreeMap::new();
    for slot in slots {
        let rate = rates.entry((slot.agency, slot.within)).or_default();
        rate.expected += 1;
        match slot.status {
            Status::OnTime => {
                rate.reported += 1;
                rate.on_time += 1;
            }
            Status::ReportedLate => rate.reported += 1,
            Status::Late => rate.late += 1,
            Status::NotDue => {}
            Status::NotAvailable => rate.not_available += 1,
        }
    }
    rates
}

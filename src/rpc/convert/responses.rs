//! Answers as messages.

use crate::catalogue::Catalogue;
use crate::model::period::Period;
use crate::picture::answer::{AggregateRow, PictureCell, PictureRow};
use crate::picture::completeness::{self, ReportingRate, Slot};
use crate::picture::derived::{Benchmark, Rank, Rate, Share};
use crate::picture::explain::{Contribution, Derivation};
use crate::picture::figure::Figure;
use crate::picture::reconcile::{self, Pair};
use crate::rpc::{convert, count, number, proto};
use crate::state::State;
use crate::state::columns::{Row, Slab};

pub(crate) fn picture_row(catalogue: &Catalogue, row: &PictureRow) -> proto::PictureRow {
    let cell = |cell: &PictureCell| proto::PictureCell {
        agency: Some(convert::agency_name(catalogue.agency_at(cell.agency))),
        figure: Some(convert::figure(catalogue, &cell.figure)),
        change: cell.change.as_ref().map(|change| convert::change(catalogue, change)),
    };
    proto::PictureRow {
        indicator: Some(convert::indicator(&row.version)),
        cells: row.cells.iter().map(cell).collect(),
        combined: Some(convert::figure(catalogue, &row.combined)),
        change: row.change.as_ref().map(|change| convert::change(catalogue, change)),
    }
}

pub(crate) fn aggregate_row(catalogue: &Catalogue, row: &AggregateRow) -> proto::AggregateRow {
    proto::AggregateRow {
        indicator: catalogue.indicator_at(row.indicator).newest().id.as_str().to_owned(),
        area: row.area.map(|ix| catalogue.area_at(ix).code.as_str().to_owned()).unwrap_or_default(),
        agency: row.agency.map(|ix| catalogue.agency_at(ix).id.as_str().to_owned()).unwrap_or_default(),
        period: row.period.map(|period| period.to_string()).unwrap_or_default(),
        category: row.category.as_ref().map(ToString::to_string).unwrap_or_default(),
        figure: Some(convert::figure(catalogue, &row.figure)),
        change: row.change.as_ref().map(|change| convert::change(catalogue, change)),
        rate: row.rate.as_ref().map(|added| rate(catalogue, added)),
        share: row.share.as_ref().map(|added| share(catalogue, added)),
        rank: row.rank.map(rank),
        benchmark: row.benchmark.as_ref().map(|added| benchmark(catalogue, added)),
    }
}

fn rate(catalogue: &Catalogue, rate: &Rate) -> proto::Rate {
    let population = rate.population.as_ref();
    proto::Rate {
        value: rate.value.ok().map(|value| value.rounded.to_string()),
        per: i32::try_from(rate.per).unwrap_or(i32::MAX),
        population: population.map(|(_, figure)| convert::figure(catalogue, figure)),
        population_period: population.map(|(period, _)| period.to_string()).unwrap_or_default(),
        gap: rate.value.as_ref().err().map_or(proto::Gap::Unspecified, |gap| convert::gap(*gap)).into(),
    }
}

fn share(catalogue: &Catalogue, share: &Share) -> proto::Share {
    proto::Share {
        percent: share.percent.map(|percent| percent.to_string()),
        total: Some(convert::figure(catalogue, &share.total)),
    }
}

fn rank(rank: Rank) -> proto::Rank {
    proto::Rank { rank: count(rank.rank), of: count(rank.of), quartile: count(rank.quartile) }
}

fn benchmark(catalogue: &Catalogue, benchmark: &Benchmark) -> proto::Benchmark {
    proto::Benchmark {
        value: benchmark.value.map(|value| value.to_string()),
        difference: benchmark.difference.map(|difference| difference.to_string()),
        figure: Some(convert::figure(catalogue, &benchmark.figure)),
    }
}

pub(crate) fn derivation(derivation: Derivation) -> proto::Derivation {
    match derivation {
        Derivation::Submitted => proto::Derivation::Submitted,
        Derivation::OverTime => proto::Derivation::OverTime,
        Derivation::OverAreas => proto::Derivation::OverAreas,
        Derivation::OverAgencies => proto::Derivation::OverAgencies,
        Derivation::Marked => proto::Derivation::Marked,
        Derivation::Nothing => proto::Derivation::Nothing,
    }
}

pub(crate) fn contribution(state: &State, catalogue: &Catalogue, contribution: &Contribution) -> proto::Contribution {
    let row = &contribution.row;
    let submission = state.submission_at(contribution.source);
    proto::Contribution {
        agency: catalogue.agency_at(contribution.agency).id.as_str().to_owned(),
        area: catalogue.area_at(contribution.area).code.as_str().to_owned(),
        period: contribution.period.to_string(),
        value: row.value().map(|value| value.to_string()).unwrap_or_default(),
        markers: convert::markers(row.markers()),
        sample: row.is_sample(),
        revision: number(row.revision()),
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.clone()).unwrap_or_default(),
        accepted_at: submission.map(|record| convert::timestamp(record.at)),
    }
}

/// A row of a figure's history, which `slab` has.
pub(crate) fn history_item(state: &State, slab: &Slab, row: &Row) -> proto::HistoryItem {
    let source = slab.source(row);
    let value = row.value();
    let event = match value {
        None => proto::HistoryEvent::Withdrawn,
        Some(_) if source != row.revision() => proto::HistoryEvent::Restored,
        Some(_) => proto::HistoryEvent::Submitted,
    };
    let submission = value.and_then(|_| state.submission_at(source));
    proto::HistoryItem {
        revision: number(row.revision()),
        accepted_at: state.accepted_at(row.revision()).map(convert::timestamp),
        event: event.into(),
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        markers: convert::markers(row.markers()),
        sample: row.is_sample(),
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.clone()).unwrap_or_default(),
    }
}

pub(crate) fn slot(catalogue: &Catalogue, slot: &Slot) -> proto::Slot {
    let status = match slot.status {
        completeness::Status::OnTime => proto::SlotStatus::OnTime,
        completeness::Status::ReportedLate => proto::SlotStatus::ReportedLate,
        completeness::Status::Late => proto::SlotStatus::Late,
        completeness::Status::NotDue => proto::SlotStatus::NotDue,
        completeness::Status::NotAvailable => proto::SlotStatus::NotAvailable,
    };
    proto::Slot {
        agency: catalogue.agency_at(slot.agency).id.as_str().to_owned(),
        indicator: catalogue.indicator_at(slot.indicator).newest().id.as_str().to_owned(),
        area: catalogue.area_at(slot.area).code.as_str().to_owned(),
        period: slot.period.to_string(),
        status: status.into(),
        due: slot.due.to_string(),
        received_at: slot.received.map(convert::timestamp),
        days_late: slot.days_late,
    }
}

pub(crate) fn reporting_rate(agency: String, period: Period, rate: &ReportingRate) -> proto::ReportingRate {
    proto::ReportingRate {
        agency,
        period: period.to_string(),
        expected: count(rate.expected),
        reported: count(rate.reported),
        on_time: count(rate.on_time),
        late: count(rate.late),
        not_available: count(rate.not_available),
    }
}

pub(crate) fn pair(catalogue: &Catalogue, pair: &Pair) -> proto::ReconciliationRow {
    let side = |figure: &Figure| Some(convert::figure(catalogue, figure));
    let status = match pair.status {
        reconcile::Status::Agrees => proto::ReconciliationStatus::Agrees,
        reconcile::Status::Differs => proto::ReconciliationStatus::Differs,
        reconcile::Status::OneSided => proto::ReconciliationStatus::OneSided,
        reconcile::Status::Partial => proto::ReconciliationStatus::Partial,
    };
    proto::ReconciliationRow {
        rule: pair.rule.to_string(),
        area: catalogue.area_at(pair.area).code.as_str().to_owned(),
        period: pair.period.to_string(),
        left: side(&pair.left),
        right: side(&pair.right),
        difference: pair.difference.map(|difference| difference.to_string()),
        status: status.into(),
    }
}

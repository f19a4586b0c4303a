//! Answers as messages.

use crate::catalogue::Catalogue;
use crate::model::period::Period;
use crate::picture::accumulator::{Missing, MissingReason};
use crate::picture::answer::{AggregateRow, PictureCell, PictureRow};
use crate::picture::change::{Change, ChangeGap, ChangeUnit};
use crate::picture::combine::{Basis, Gap};
use crate::picture::completeness::{self, PeriodMismatch, ReportingRate, Slot};
use crate::picture::derivation::Derivation;
use crate::picture::derived::{Benchmark, Rank, Share};
use crate::picture::discrepancy::{Discrepancy, DiscrepancyKind};
use crate::picture::explain::Contribution;
use crate::picture::figure::Figure;
use crate::picture::history::{HistoryEvent, HistoryItem};
use crate::picture::rate::Rate;
use crate::picture::reconcile::{self, Pair};
use crate::rpc::convert::catalogue;
use crate::rpc::{convert, count, number, proto};
use crate::state::State;

/// How many of the areas that aren't ranked are named.
const PARTIAL_AREAS_NAMED_MAX: usize = 20;

pub(crate) fn picture_row(catalogue: &Catalogue, row: &PictureRow) -> proto::PictureRow {
    let cell = |cell: &PictureCell| proto::PictureCell {
        agency: Some(catalogue::agency_name(catalogue.agency_at(cell.agency))),
        figure: Some(figure(catalogue, &cell.figure)),
        change: cell.change.as_ref().map(|it| change(catalogue, it)),
    };
    proto::PictureRow {
        indicator: Some(catalogue::indicator(&row.version)),
        cells: row.cells.iter().map(cell).collect(),
        combined: Some(figure(catalogue, &row.combined)),
        change: row.change.as_ref().map(|it| change(catalogue, it)),
    }
}

pub(crate) fn aggregate_row(catalogue: &Catalogue, row: &AggregateRow) -> proto::AggregateRow {
    proto::AggregateRow {
        indicator: catalogue.indicator_at(row.indicator).newest().id.as_str().to_owned(),
        area: row.area.map(|ix| catalogue.area_at(ix).code.as_str().to_owned()).unwrap_or_default(),
        agency: row.agency.map(|ix| catalogue.agency_at(ix).id.as_str().to_owned()).unwrap_or_default(),
        period: row.period.map(|period| period.to_string()).unwrap_or_default(),
        category: row.category.as_ref().map(ToString::to_string).unwrap_or_default(),
        figure: Some(figure(catalogue, &row.figure)),
        change: row.change.as_ref().map(|it| change(catalogue, it)),
        rate: row.rate.as_ref().map(|added| rate(catalogue, added)),
        share: row.share.as_ref().map(|added| share(catalogue, added)),
        rank: row.rank.as_ref().map(|added| rank(catalogue, added)),
        benchmark: row.benchmark.as_ref().map(|added| benchmark(catalogue, added)),
    }
}

fn rate(catalogue: &Catalogue, rate: &Rate) -> proto::Rate {
    let population = rate.population.as_ref();
    proto::Rate {
        value: rate.value.ok().map(|value| value.rounded.to_string()),
        per: i32::try_from(rate.per).unwrap_or(i32::MAX),
        population: population.map(|(_, it)| figure(catalogue, it)),
        population_period: population.map(|(day, _)| day.to_string()).unwrap_or_default(),
        gap: why(rate.value.err()).into(),
        partial: rate.partial,
    }
}

fn share(catalogue: &Catalogue, share: &Share) -> proto::Share {
    proto::Share {
        percent: share.percent.ok().map(|percent| percent.to_string()),
        total: Some(figure(catalogue, &share.total)),
        partial: share.partial,
        gap: why(share.percent.err()).into(),
    }
}

fn rank(catalogue: &Catalogue, rank: &Rank) -> proto::Rank {
    let ranking = &rank.ranking;
    let partial = ranking.partial_areas.iter().take(PARTIAL_AREAS_NAMED_MAX);
    proto::Rank {
        rank: rank.position.map_or(0, |position| count(position.rank)),
        of: count(ranking.of),
        quartile: rank.position.map_or(0, |position| count(position.quartile)),
        gap: why(rank.position.err()).into(),
        partial_count: count(ranking.partial_areas.len()),
        partial_areas: partial.map(|area| catalogue.area_at(*area).code.to_string()).collect(),
        markers: convert::markers(ranking.markers),
        sample: ranking.sample,
    }
}

fn benchmark(catalogue: &Catalogue, benchmark: &Benchmark) -> proto::Benchmark {
    proto::Benchmark {
        value: benchmark.value.map(|value| value.to_string()),
        difference: benchmark.difference.map(|difference| difference.to_string()),
        figure: Some(figure(catalogue, &benchmark.figure)),
        rate: benchmark.rate.as_ref().map(|it| rate(catalogue, it)),
        partial: benchmark.partial,
        gap: why(benchmark.gap).into(),
    }
}

/// Why there is no value, if there is none.
fn why(it: Option<Gap>) -> proto::Gap {
    it.map_or(proto::Gap::Unspecified, gap)
}

pub(crate) fn derivation(derivation: Option<Derivation>) -> proto::Derivation {
    match derivation {
        None => proto::Derivation::OverAgencies,
        Some(Derivation::Submitted) => proto::Derivation::Submitted,
        Some(Derivation::OverTime) => proto::Derivation::OverTime,
        Some(Derivation::OverAreas) => proto::Derivation::OverAreas,
        Some(Derivation::Marked) => proto::Derivation::Marked,
        Some(Derivation::Nothing) => proto::Derivation::Nothing,
    }
}

pub(crate) fn contribution(state: &State, catalogue: &Catalogue, contribution: &Contribution) -> proto::Contribution {
    let submission = state.submission_at(contribution.source);
    proto::Contribution {
        agency: catalogue.agency_at(contribution.agency).id.as_str().to_owned(),
        area: catalogue.area_at(contribution.area).code.as_str().to_owned(),
        period: contribution.period.to_string(),
        value: contribution.value.to_string(),
        markers: convert::markers(contribution.value.markers),
        sample: contribution.sample,
        revision: number(contribution.revision),
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.to_owned()).unwrap_or_default(),
        accepted_at: state.accepted_at(contribution.source).map(convert::timestamp),
    }
}

pub(crate) fn history_item(state: &State, item: &HistoryItem) -> proto::HistoryItem {
    let (event, value) = match item.event {
        HistoryEvent::Submitted(value) => (proto::HistoryEvent::Submitted, Some(value)),
        HistoryEvent::Restored(value) => (proto::HistoryEvent::Restored, Some(value)),
        HistoryEvent::Withdrawn => (proto::HistoryEvent::Withdrawn, None),
    };
    let submission = value.and_then(|_| state.submission_at(item.source));
    proto::HistoryItem {
        revision: number(item.revision),
        accepted_at: state.accepted_at(item.revision).map(convert::timestamp),
        event: event.into(),
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        markers: value.map(|value| convert::markers(value.markers)).unwrap_or_default(),
        sample: item.sample,
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.to_owned()).unwrap_or_default(),
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
        contained_in_area: slot
            .contained_in
            .map(|(area, _)| catalogue.area_at(area).code.to_string())
            .unwrap_or_default(),
        contained_in_period: slot.contained_in.map(|(_, period)| period.to_string()).unwrap_or_default(),
    }
}

pub(crate) fn period_mismatch(catalogue: &Catalogue, mismatch: &PeriodMismatch) -> proto::PeriodMismatch {
    proto::PeriodMismatch {
        indicator: catalogue.indicator_at(mismatch.indicator).newest().id.as_str().to_owned(),
        period: mismatch.period.to_string(),
        frequency: mismatch.frequency.code(),
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
    let side = |it: &Figure| Some(figure(catalogue, it));
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

pub(crate) fn figure(catalogue: &Catalogue, figure: &Figure) -> proto::Figure {
    let large = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let coverage = figure.coverage;
    proto::Figure {
        value: figure.value.as_ref().ok().map(|value| value.rounded.to_string()),
        gap: why(figure.value.err()).into(),
        numerator: figure.fraction.map(|(numerator, _)| numerator.to_string()),
        denominator: figure.fraction.map(|(_, denominator)| denominator.to_string()),
        numerator_basis: numerator_basis(figure.numerator_basis).into(),
        markers: convert::markers(figure.markers),
        coverage: Some(proto::Coverage {
            expected: large(coverage.expected),
            reported: large(coverage.reported),
            late: large(coverage.late),
            not_available: large(coverage.not_available),
            imputed: large(coverage.imputed),
            complete: figure.complete,
            missing: figure.missing.iter().map(|missing| missing_slot(catalogue, missing)).collect(),
            contained: large(coverage.contained),
        }),
        sample: figure.sample,
        as_at: figure.as_at.map(|period| period.to_string()),
        discrepancies: figure.discrepancies.iter().map(|found| discrepancy(catalogue, found)).collect(),
        to_date: figure.to_date.map(|day| day.to_string()),
    }
}

fn missing_slot(catalogue: &Catalogue, missing: &Missing) -> proto::Missing {
    let (reason, within) = match missing.reason {
        MissingReason::Late => (proto::MissingReason::Late, None),
        MissingReason::NotDue => (proto::MissingReason::NotDue, None),
        MissingReason::NotAvailable => (proto::MissingReason::NotAvailable, None),
        MissingReason::Contained { area, period } => (proto::MissingReason::Contained, Some((area, period))),
    };
    proto::Missing {
        agency: catalogue.agency_at(missing.agency).id.as_str().to_owned(),
        area: catalogue.area_at(missing.area).code.as_str().to_owned(),
        period: missing.period.to_string(),
        reason: reason.into(),
        contained_in_area: within.map(|(area, _)| catalogue.area_at(area).code.to_string()).unwrap_or_default(),
        contained_in_period: within.map(|(_, period)| period.to_string()).unwrap_or_default(),
    }
}

fn discrepancy(catalogue: &Catalogue, found: &Discrepancy) -> proto::Discrepancy {
    let (kind, dimension) = match &found.kind {
        DiscrepancyKind::OverTime => (proto::DiscrepancyKind::OverTime, String::new()),
        DiscrepancyKind::OverAreas => (proto::DiscrepancyKind::OverAreas, String::new()),
        DiscrepancyKind::Breakdown(id) => (proto::DiscrepancyKind::Breakdown, id.as_str().to_owned()),
    };
    proto::Discrepancy {
        kind: kind.into(),
        agency: catalogue.agency_at(found.agency).id.as_str().to_owned(),
        dimension,
        submitted: found.submitted.to_string(),
        parts: found.parts.to_string(),
        difference: found.difference.to_string(),
    }
}

fn numerator_basis(basis: Option<Basis>) -> proto::NumeratorBasis {
    match basis {
        None => proto::NumeratorBasis::Unspecified,
        Some(Basis::Counted) => proto::NumeratorBasis::Counted,
        Some(Basis::Printed) => proto::NumeratorBasis::Printed,
        Some(Basis::Estimated) => proto::NumeratorBasis::Estimated,
    }
}

fn gap(gap: Gap) -> proto::Gap {
    match gap {
        Gap::NotReported => proto::Gap::NotReported,
        Gap::Marked => proto::Gap::Marked,
        Gap::SideBySide => proto::Gap::SideBySide,
        Gap::NotCombinable => proto::Gap::NotCombinable,
        Gap::ZeroBase => proto::Gap::ZeroBase,
        Gap::LeadNotReported => proto::Gap::LeadNotReported,
        Gap::LeadNotAsked => proto::Gap::LeadNotAsked,
        Gap::TooLarge => proto::Gap::TooLarge,
        Gap::Contained => proto::Gap::Contained,
        Gap::PeriodMismatch => proto::Gap::PeriodMismatch,
        Gap::NoPopulation => proto::Gap::NoPopulation,
        Gap::PopulationNotBrokenDown => proto::Gap::PopulationNotBrokenDown,
        Gap::NegativePart => proto::Gap::NegativePart,
        Gap::Partial => proto::Gap::Partial,
    }
}

fn change(catalogue: &Catalogue, change: &Change) -> proto::Change {
    let gap = match change.gap {
        None => proto::ChangeGap::Unspecified,
        Some(ChangeGap::NoLaterValue) => proto::ChangeGap::NoLaterValue,
        Some(ChangeGap::NoEarlierValue) => proto::ChangeGap::NoEarlierValue,
        Some(ChangeGap::FromZero) => proto::ChangeGap::FromZero,
        Some(ChangeGap::FromBelowZero) => proto::ChangeGap::FromBelowZero,
        Some(ChangeGap::Break) => proto::ChangeGap::Break,
        Some(ChangeGap::NoEarlierPeriod) => proto::ChangeGap::NoEarlierPeriod,
        Some(ChangeGap::TooLarge) => proto::ChangeGap::TooLarge,
    };
    let unit = match change.unit {
        ChangeUnit::Number => proto::ChangeUnit::Number,
        ChangeUnit::PercentagePoints => proto::ChangeUnit::PercentagePoints,
    };
    proto::Change {
        from_period: change.from.as_ref().map(|(period, _)| period.to_string()).unwrap_or_default(),
        from: change.from.as_ref().map(|(_, earlier)| figure(catalogue, earlier)),
        unit: unit.into(),
        difference: change.difference.map(|difference| difference.to_string()),
        percent: change.percent.map(|percent| percent.to_string()),
        gap: gap.into(),
        partial: change.partial,
    }
}

//! The rows of answers as messages, which the library encodes: what is written must be the same.

use super::rows;
use crate::catalogue::Catalogue;
use crate::catalogue::items::Agency;
use crate::picture::accumulator::{Missing, MissingReason};
use crate::picture::answer::{AggregateRow, PictureCell, PictureRow};
use crate::picture::change::Change;
use crate::picture::derived::{Benchmark, Rank, Share};
use crate::picture::discrepancy::{Discrepancy, DiscrepancyKind};
use crate::picture::figure::Figure;
use crate::picture::rate::Rate;
use crate::picture::reconcile::Pair;
use crate::rpc::{catalogue_items, convert, count, proto};

pub(super) fn picture_row(catalogue: &Catalogue, row: &PictureRow) -> proto::PictureRow {
    let cell = |cell: &PictureCell| proto::PictureCell {
        agency: Some(agency_name(catalogue.agency_at(cell.agency))),
        figure: Some(figure(catalogue, &cell.figure)),
        change: cell.change.as_deref().map(|it| change(catalogue, it)),
    };
    let version = catalogue.indicator_at(row.indicator).version_for(row.period);
    proto::PictureRow {
        indicator: Some(catalogue_items::indicator(version)),
        cells: row.cells.iter().map(cell).collect(),
        combined: Some(figure(catalogue, &row.combined)),
        change: row.change.as_deref().map(|it| change(catalogue, it)),
    }
}

pub(super) fn aggregate_row(catalogue: &Catalogue, row: &AggregateRow) -> proto::AggregateRow {
    proto::AggregateRow {
        indicator: catalogue.indicator_at(row.indicator).newest().id.as_str().to_owned(),
        area: row.area.map(|ix| catalogue.area_at(ix).code.as_str().to_owned()).unwrap_or_default(),
        agency: row.agency.map(|ix| catalogue.agency_at(ix).id.as_str().to_owned()).unwrap_or_default(),
        period: row.period.map(|period| period.to_string()).unwrap_or_default(),
        category: row.category.as_ref().map(ToString::to_string).unwrap_or_default(),
        figure: Some(figure(catalogue, &row.figure)),
        change: row.change.as_deref().map(|it| change(catalogue, it)),
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
        gap: rows::why(rate.value.err()),
        partial: rate.partial,
    }
}

fn share(catalogue: &Catalogue, share: &Share) -> proto::Share {
    proto::Share {
        percent: share.percent.ok().map(|percent| percent.to_string()),
        total: Some(figure(catalogue, &share.total)),
        partial: share.partial,
        gap: rows::why(share.percent.err()),
    }
}

fn rank(catalogue: &Catalogue, rank: &Rank) -> proto::Rank {
    let ranking = &rank.ranking;
    let partial = ranking.partial_areas.iter().take(rows::PARTIAL_AREAS_NAMED_MAX);
    proto::Rank {
        rank: rank.position.map_or(0, |position| count(position.rank)),
        of: count(ranking.of),
        quartile: rank.position.map_or(0, |position| count(position.quartile)),
        gap: rows::why(rank.position.err()),
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
        gap: rows::why(benchmark.gap),
    }
}

pub(super) fn pair(catalogue: &Catalogue, pair: &Pair) -> proto::ReconciliationRow {
    let side = |it: &Figure| Some(figure(catalogue, it));
    proto::ReconciliationRow {
        rule: pair.rule.to_string(),
        area: catalogue.area_at(pair.area).code.as_str().to_owned(),
        period: pair.period.to_string(),
        left: side(&pair.left),
        right: side(&pair.right),
        difference: pair.difference.map(|difference| difference.to_string()),
        status: rows::pair_status(pair.status),
    }
}

fn figure(catalogue: &Catalogue, figure: &Figure) -> proto::Figure {
    let large = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let coverage = figure.coverage;
    proto::Figure {
        value: figure.value.as_ref().ok().map(|value| value.rounded.to_string()),
        gap: rows::why(figure.value.err()),
        numerator: figure.fraction.map(|(numerator, _)| numerator.to_string()),
        denominator: figure.fraction.map(|(_, denominator)| denominator.to_string()),
        numerator_basis: rows::numerator_basis(figure.numerator_basis),
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

fn change(catalogue: &Catalogue, change: &Change) -> proto::Change {
    proto::Change {
        from_period: change.from.as_ref().map(|(period, _)| period.to_string()).unwrap_or_default(),
        from: change.from.as_ref().map(|(_, earlier)| figure(catalogue, earlier)),
        unit: rows::change_unit(change.unit),
        difference: change.difference.map(|difference| difference.to_string()),
        percent: change.percent.map(|percent| percent.to_string()),
        gap: change.gap.map_or(0, rows::change_gap),
        partial: change.partial,
    }
}

/// An agency as it is named in an answer, without the areas that it reports for.
fn agency_name(named: &Agency) -> proto::Agency {
    proto::Agency { areas: Vec::new(), ..catalogue_items::agency(named) }
}

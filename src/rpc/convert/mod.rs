//! Between the served messages and the domain: what several services share.

pub(crate) mod columns;
mod draft;
pub(crate) mod parse_submission;
pub(crate) mod put_catalogue;
pub(crate) mod queries;
pub(crate) mod receipt;
pub(crate) mod responses;
pub(crate) mod snapshot;

use crate::catalogue::Catalogue;
use crate::catalogue::items::{
    Agency, Area, Category, Dimension, IndicatorVersion, ReconciliationRule, ReconciliationSide, Validity,
};
use crate::model::date::Date;
use crate::model::id::{CategoryId, DimensionId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Measure, Value};
use crate::model::period::Period;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::picture::accumulator::{Missing, MissingReason};
use crate::picture::change::{Change, ChangeGap, ChangeUnit};
use crate::picture::combine::{Basis, Gap};
use crate::picture::discrepancy::{Discrepancy, DiscrepancyKind};
use crate::picture::figure::Figure;
use crate::rpc::proto;

pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    prost_types::Timestamp { seconds: at.0.div_euclid(1_000_000), nanos }
}

pub(crate) fn period(field: &str, text: &str, violations: &mut Violations) -> Option<Period> {
    violations.check(field, text.parse::<Period>())
}

pub(crate) fn breakdown(
    field: &str,
    categories: &[proto::CategoryRef],
    violations: &mut Violations,
) -> Option<Breakdown> {
    let mut parsed = Vec::with_capacity(categories.len());
    for (index, category) in categories.iter().enumerate() {
        let dimension =
            violations.check(format!("{field}[{index}].dimension"), DimensionId::parse(&category.dimension));
        let category = violations.check(format!("{field}[{index}].category"), CategoryId::parse(&category.category));
        parsed.push(dimension.zip(category));
    }
    let parsed = parsed.into_iter().collect::<Option<Vec<_>>>()?;
    let breakdown = Breakdown::new(parsed);
    if breakdown.is_none() {
        violations.add(field, "a dimension is there twice; allowed: at most one category of each dimension");
    }
    breakdown
}

pub(crate) fn categories(breakdown: &Breakdown) -> Vec<proto::CategoryRef> {
    let category = |(dimension, category): &(DimensionId, CategoryId)| proto::CategoryRef {
        dimension: dimension.to_string(),
        category: category.to_string(),
    };
    breakdown.iter().map(category).collect()
}

pub(crate) fn markers(markers: Markers) -> Vec<i32> {
    markers.iter().map(Marker::code).collect()
}

pub(crate) fn measure(value: &Value) -> Option<proto::observation::Measure> {
    use proto::observation::Measure as P;
    Some(match value.measure? {
        Measure::Number(number) => P::Number(number.to_string()),
        Measure::Ratio { numerator, denominator } => {
            P::Ratio(proto::Ratio { numerator: numerator.to_string(), denominator: denominator.to_string() })
        }
        Measure::Percentage { percent, base } => {
            P::Percentage(proto::Percentage { percent: percent.to_string(), base: base.to_string() })
        }
        Measure::Mean { mean, count } => P::Mean(proto::Mean { mean: mean.to_string(), count: count.to_string() }),
    })
}

fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

pub(crate) fn agency(agency: &Agency) -> proto::Agency {
    proto::Agency {
        id: agency.id.as_str().to_owned(),
        name: agency.name.clone(),
        sector: agency.sector.code(),
        areas: agency.areas.iter().map(ToString::to_string).collect(),
    }
}

/// An agency as it is named in an answer, without the areas that it reports for.
pub(crate) fn agency_name(agency: &Agency) -> proto::Agency {
    proto::Agency {
        id: agency.id.as_str().to_owned(),
        name: agency.name.clone(),
        sector: agency.sector.code(),
        areas: Vec::new(),
    }
}

pub(crate) fn area(area: &Area) -> proto::Area {
    let parents = area.parents.iter().map(|parent| proto::AreaParent {
        code: parent.code.as_str().to_owned(),
        valid_from: day(parent.validity.valid_from),
        valid_to: day(parent.validity.valid_to),
    });
    proto::Area {
        code: area.code.as_str().to_owned(),
        name: area.name.clone(),
        level: area.level.code(),
        parents: parents.collect(),
    }
}

pub(crate) fn dimension(dimension: &Dimension) -> proto::Dimension {
    let category =
        |category: &Category| proto::Category { id: category.id.as_str().to_owned(), title: category.title.clone() };
    proto::Dimension {
        id: dimension.id.as_str().to_owned(),
        title: dimension.title.clone(),
        categories: dimension.categories.iter().map(category).collect(),
    }
}

pub(crate) fn indicator(version: &IndicatorVersion) -> proto::Indicator {
    let expected = version.expected_agencies.iter().map(|expected| {
        let Validity { valid_from, valid_to } = expected.validity;
        proto::ExpectedAgency {
            agency: expected.agency.to_string(),
            valid_from: day(valid_from),
            valid_to: day(valid_to),
        }
    });
    proto::Indicator {
        id: version.id.as_str().to_owned(),
        title: version.title.clone(),
        definition: version.definition.clone(),
        unit: version.unit.clone(),
        kind: version.kind.code(),
        decimals: i32::from(version.decimals),
        rounding: version.rounding.code(),
        polarity: version.polarity.code(),
        frequency: version.frequency.code(),
        due_days: i32::from(version.due_days),
        reporting_level: version.reporting_level.code(),
        across_agencies: version.across_agencies.code(),
        lead_agency: version.lead_agency.as_ref().map(ToString::to_string).unwrap_or_default(),
        expected_agencies: expected.collect(),
        dimensions: version.dimensions.iter().map(ToString::to_string).collect(),
        effective_from: day(version.effective_from),
        breaks_comparability: version.breaks_comparability,
        version_note: version.version_note.clone(),
        source: version.source.clone(),
        rate: version.rate.as_ref().map(|rate| proto::RateRule {
            population_indicator: rate.population_indicator.to_string(),
            per: i32::try_from(rate.per).unwrap_or(i32::MAX),
            rule: rate.rule.code(),
            decimals: i32::from(rate.decimals),
        }),
    }
}

pub(crate) fn reconciliation_rule(rule: &ReconciliationRule) -> proto::ReconciliationRule {
    let agency = |side: &ReconciliationSide| side.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    proto::ReconciliationRule {
        id: rule.id.as_str().to_owned(),
        title: rule.title.clone(),
        left_indicator: rule.left.indicator.to_string(),
        left_agency: agency(&rule.left),
        right_indicator: rule.right.indicator.to_string(),
        right_agency: agency(&rule.right),
        tolerance: rule.tolerance.to_string(),
        tolerance_percent: rule.tolerance_percent.to_string(),
    }
}

pub(crate) fn figure(catalogue: &Catalogue, figure: &Figure) -> proto::Figure {
    let large = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let slots = figure.slots;
    proto::Figure {
        value: figure.value.as_ref().ok().map(|value| value.rounded.to_string()),
        gap: figure.value.as_ref().err().map_or(proto::Gap::Unspecified, |gap| self::gap(*gap)).into(),
        numerator: figure.parts.map(|(numerator, _)| numerator.to_string()),
        denominator: figure.parts.map(|(_, denominator)| denominator.to_string()),
        numerator_basis: numerator_basis(figure.numerator_basis).into(),
        markers: markers(figure.markers),
        coverage: Some(proto::Coverage {
            expected: large(slots.expected),
            reported: large(slots.reported),
            late: large(slots.late),
            not_available: large(slots.not_available),
            imputed: large(slots.imputed),
            complete: figure.complete,
            missing: figure.missing.iter().map(|missing| missing_slot(catalogue, missing)).collect(),
        }),
        sample: figure.sample,
        as_at: figure.as_at.map(|period| period.to_string()),
        discrepancies: figure.discrepancies.iter().map(|found| discrepancy(catalogue, found)).collect(),
    }
}

fn missing_slot(catalogue: &Catalogue, missing: &Missing) -> proto::Missing {
    let reason = match missing.reason {
        MissingReason::Late => proto::MissingReason::Late,
        MissingReason::NotDue => proto::MissingReason::NotDue,
        MissingReason::NotAvailable => proto::MissingReason::NotAvailable,
    };
    proto::Missing {
        agency: catalogue.agency_at(missing.agency).id.as_str().to_owned(),
        area: catalogue.area_at(missing.area).code.as_str().to_owned(),
        period: missing.period.to_string(),
        reason: reason.into(),
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

pub(crate) fn gap(gap: Gap) -> proto::Gap {
    match gap {
        Gap::NotReported => proto::Gap::NotReported,
        Gap::Marked => proto::Gap::Marked,
        Gap::SideBySide => proto::Gap::SideBySide,
        Gap::NotCombinable => proto::Gap::NotCombinable,
        Gap::ZeroBase => proto::Gap::ZeroBase,
        Gap::LeadNotReported => proto::Gap::LeadNotReported,
        Gap::LeadNotAsked => proto::Gap::LeadNotAsked,
        Gap::TooLarge => proto::Gap::TooLarge,
    }
}

pub(crate) fn change(catalogue: &Catalogue, change: &Change) -> proto::Change {
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

//! The catalogue's items as messages.

use crate::catalogue::CataloguePut;
use crate::catalogue::checks::{Check, CheckRule};
use crate::catalogue::items::{
    Agency, Area, Calendar, Category, Dimension, IndicatorVersion, ReconciliationRule, ReconciliationSide, Validity,
};
use crate::model::date::Date;
use crate::model::decimal::Decimal;
use crate::rpc::proto;

/// The request that puts these items.
pub fn put_request(put: &CataloguePut, validate_only: bool) -> proto::PutCatalogueRequest {
    proto::PutCatalogueRequest {
        areas: put.areas.iter().map(area).collect(),
        agencies: put.agencies.iter().map(agency).collect(),
        dimensions: put.dimensions.iter().map(dimension).collect(),
        indicators: put.indicators.iter().map(indicator).collect(),
        validate_only,
        reconciliation_rules: put.reconciliation_rules.iter().map(reconciliation_rule).collect(),
        calendars: put.calendars.iter().map(calendar).collect(),
    }
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
        valid_from: day(area.valid_from),
        valid_to: day(area.valid_to),
        successors: area.successors.iter().map(ToString::to_string).collect(),
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
        unfinished_periods: version.unfinished_periods.code(),
        checks: version.checks.iter().map(check).collect(),
        lock_days: version.lock_days.map(i32::from),
        due_calendar: version.due_calendar.as_ref().map(ToString::to_string).unwrap_or_default(),
        correction_reason_required: version.correction_reason_required,
    }
}

fn check(check: &Check) -> proto::Check {
    use proto::check::Rule as P;
    let tolerance = |tolerance: Decimal| if tolerance.is_zero() { String::new() } else { tolerance.to_string() };
    let bound = |bound: &Option<Decimal>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    let rule = match &check.rule {
        CheckRule::Range { min, max } => P::Range(proto::RangeCheck { min: bound(min), max: bound(max) }),
        CheckRule::Numerator {} => P::Numerator(proto::NumeratorCheck {}),
        CheckRule::Parts { dimension } => P::Parts(proto::PartsCheck { dimension: dimension.to_string() }),
        CheckRule::NotAbove { indicator } => P::NotAbove(proto::NotAboveCheck { indicator: indicator.to_string() }),
        CheckRule::Change {} => P::Change(proto::ChangeCheck {}),
        CheckRule::Outlier { deviations, periods_min } => {
            P::Outlier(proto::OutlierCheck { deviations: deviations.to_string(), periods_min: i32::from(*periods_min) })
        }
        CheckRule::Zero { periods_min } => P::Zero(proto::ZeroCheck { periods_min: i32::from(*periods_min) }),
        CheckRule::Breakdown { dimension } => P::Breakdown(proto::BreakdownCheck { dimension: dimension.to_string() }),
    };
    proto::Check {
        id: check.id.to_string(),
        severity: check.severity.code(),
        missing_values: check.missing_values.code(),
        tolerance: tolerance(check.tolerance),
        tolerance_percent: tolerance(check.tolerance_percent),
        rule: Some(rule),
    }
}

pub(crate) fn calendar(calendar: &Calendar) -> proto::Calendar {
    proto::Calendar {
        id: calendar.id.to_string(),
        title: calendar.title.clone(),
        source: calendar.source.clone(),
        holidays: calendar.holidays.iter().map(ToString::to_string).collect(),
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

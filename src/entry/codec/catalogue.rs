//! Puts of the catalogue.

mod checks;

use std::fmt::Display;
use std::str::FromStr;

use super::wire::{DecodeError, known, parse, parse_all, proto, texts};
use crate::catalogue::CataloguePut;
use crate::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, Calendar, Category, Dimension, ExpectedAgency,
    IndicatorVersion, Kind, Polarity, PopulationRule, RateRule, ReconciliationRule, ReconciliationSide, Sector,
    UnfinishedPeriods, Validity,
};
use crate::model::date::Date;
use crate::model::decimal::Rounding;
use crate::model::period::Frequency;

pub(super) fn to_proto(put: &CataloguePut) -> proto::CataloguePut {
    proto::CataloguePut {
        areas: put
            .areas
            .iter()
            .map(|area| proto::Area {
                code: area.code.to_string(),
                name: area.name.clone(),
                level: area.level.code(),
                parents: area.parents.iter().map(|parent| link(&parent.code, parent.validity)).collect(),
                // Absent where there is none, so that an entry's bytes are what they always were.
                validity: Some(area.validity()).filter(|it| *it != Validity::default()).map(validity),
                successors: texts(&area.successors),
            })
            .collect(),
        agencies: put
            .agencies
            .iter()
            .map(|agency| proto::Agency {
                id: agency.id.to_string(),
                name: agency.name.clone(),
                sector: agency.sector.code(),
                areas: agency.areas.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        dimensions: put
            .dimensions
            .iter()
            .map(|dimension| proto::Dimension {
                id: dimension.id.to_string(),
                title: dimension.title.clone(),
                categories: dimension
                    .categories
                    .iter()
                    .map(|category| proto::Category { id: category.id.to_string(), title: category.title.clone() })
                    .collect(),
            })
            .collect(),
        indicators: put.indicators.iter().map(version_to_proto).collect(),
        reconciliation_rules: put.reconciliation_rules.iter().map(rule_to_proto).collect(),
        calendars: put.calendars.iter().map(calendar_to_proto).collect(),
    }
}

fn version_to_proto(version: &IndicatorVersion) -> proto::IndicatorVersion {
    proto::IndicatorVersion {
        id: version.id.to_string(),
        effective_from: day(version.effective_from),
        title: version.title.clone(),
        definition: version.definition.clone(),
        unit: version.unit.clone(),
        kind: version.kind.code(),
        decimals: u32::from(version.decimals),
        rounding: version.rounding.code(),
        polarity: version.polarity.code(),
        frequency: version.frequency.code(),
        due_days: u32::from(version.due_days),
        reporting_level: version.reporting_level.code(),
        across_agencies: version.across_agencies.code(),
        lead_agency: version.lead_agency.as_ref().map(ToString::to_string).unwrap_or_default(),
        expected_agencies: version
            .expected_agencies
            .iter()
            .map(|expected| link(&expected.agency, expected.validity))
            .collect(),
        dimensions: version.dimensions.iter().map(ToString::to_string).collect(),
        breaks_comparability: version.breaks_comparability,
        version_note: version.version_note.clone(),
        source: version.source.clone(),
        rate: version.rate.as_ref().map(|rate| proto::RateRule {
            population_indicator: rate.population_indicator.to_string(),
            per: rate.per,
            rule: rate.rule.code(),
            decimals: u32::from(rate.decimals),
        }),
        unfinished_periods: match version.unfinished_periods {
            UnfinishedPeriods::Refused => 0,
            to_date @ UnfinishedPeriods::ToDate => to_date.code(),
        },
        checks: version.checks.iter().map(checks::to_proto).collect(),
        lock_days: version.lock_days.map(u32::from),
        due_calendar: version.due_calendar.as_ref().map(ToString::to_string).unwrap_or_default(),
        correction_reason_required: version.correction_reason_required,
    }
}

fn calendar_to_proto(calendar: &Calendar) -> proto::Calendar {
    proto::Calendar {
        id: calendar.id.to_string(),
        title: calendar.title.clone(),
        source: calendar.source.clone(),
        holidays: texts(&calendar.holidays),
    }
}

fn rule_to_proto(rule: &ReconciliationRule) -> proto::ReconciliationRule {
    let agency = |side: &ReconciliationSide| side.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    proto::ReconciliationRule {
        id: rule.id.to_string(),
        title: rule.title.clone(),
        left_indicator: rule.left.indicator.to_string(),
        left_agency: agency(&rule.left),
        right_indicator: rule.right.indicator.to_string(),
        right_agency: agency(&rule.right),
        tolerance: rule.tolerance.to_string(),
        tolerance_percent: rule.tolerance_percent.to_string(),
    }
}

pub(super) fn from_proto(put: proto::CataloguePut) -> Result<CataloguePut, DecodeError> {
    Ok(CataloguePut {
        areas: put.areas.into_iter().map(area_from_proto).collect::<Result<_, _>>()?,
        agencies: put.agencies.into_iter().map(agency_from_proto).collect::<Result<_, _>>()?,
        dimensions: put.dimensions.into_iter().map(dimension_from_proto).collect::<Result<_, _>>()?,
        indicators: put.indicators.into_iter().map(version_from_proto).collect::<Result<_, _>>()?,
        reconciliation_rules: put.reconciliation_rules.into_iter().map(rule_from_proto).collect::<Result<_, _>>()?,
        calendars: put.calendars.into_iter().map(calendar_from_proto).collect::<Result<_, _>>()?,
    })
}

fn area_from_proto(area: proto::Area) -> Result<Area, DecodeError> {
    let parent = |parent| unlink(parent).map(|(code, validity)| AreaParent { code, validity });
    let Validity { valid_from, valid_to } = parse_validity(area.validity.as_ref())?;
    Ok(Area {
        code: parse(&area.code)?,
        level: known("level", area.level, AreaLevel::from_code(area.level))?,
        parents: area.parents.iter().map(parent).collect::<Result<_, _>>()?,
        name: area.name,
        valid_from,
        valid_to,
        successors: parse_all(&area.successors)?,
    })
}

fn agency_from_proto(agency: proto::Agency) -> Result<Agency, DecodeError> {
    Ok(Agency {
        id: parse(&agency.id)?,
        sector: known("sector", agency.sector, Sector::from_code(agency.sector))?,
        areas: parse_all(&agency.areas)?,
        name: agency.name,
    })
}

fn dimension_from_proto(dimension: proto::Dimension) -> Result<Dimension, DecodeError> {
    let category =
        |category: proto::Category| Ok::<_, DecodeError>(Category { id: parse(&category.id)?, title: category.title });
    Ok(Dimension {
        id: parse(&dimension.id)?,
        categories: dimension.categories.into_iter().map(category).collect::<Result<_, DecodeError>>()?,
        title: dimension.title,
    })
}

fn version_from_proto(version: proto::IndicatorVersion) -> Result<IndicatorVersion, DecodeError> {
    let expected = |expected| unlink(expected).map(|(agency, validity)| ExpectedAgency { agency, validity });
    let (lead, calendar) = (version.lead_agency.as_str(), version.due_calendar.as_str());
    Ok(IndicatorVersion {
        id: parse(&version.id)?,
        effective_from: parse_day(&version.effective_from)?,
        kind: known("kind", version.kind, Kind::from_code(version.kind))?,
        decimals: u8::try_from(version.decimals).map_err(DecodeError::new)?,
        rounding: known("rounding", version.rounding, Rounding::from_code(version.rounding))?,
        polarity: known("polarity", version.polarity, Polarity::from_code(version.polarity))?,
        frequency: known("frequency", version.frequency, Frequency::from_code(version.frequency))?,
        due_days: u16::try_from(version.due_days).map_err(DecodeError::new)?,
        reporting_level: known("level", version.reporting_level, AreaLevel::from_code(version.reporting_level))?,
        across_agencies: known("rule", version.across_agencies, AcrossAgencies::from_code(version.across_agencies))?,
        lead_agency: if lead.is_empty() { None } else { Some(parse(lead)?) },
        expected_agencies: version.expected_agencies.iter().map(expected).collect::<Result<_, _>>()?,
        dimensions: parse_all(&version.dimensions)?,
        breaks_comparability: version.breaks_comparability,
        title: version.title,
        definition: version.definition,
        unit: version.unit,
        version_note: version.version_note,
        source: version.source,
        rate: version.rate.as_ref().map(rate_from_proto).transpose()?,
        unfinished_periods: match version.unfinished_periods {
            0 => UnfinishedPeriods::Refused,
            code => known("rule", code, UnfinishedPeriods::from_code(code))?,
        },
        checks: version.checks.iter().map(checks::from_proto).collect::<Result<_, _>>()?,
        due_calendar: if calendar.is_empty() { None } else { Some(parse(calendar)?) },
        lock_days: version.lock_days.map(u16::try_from).transpose().map_err(DecodeError::new)?,
        correction_reason_required: version.correction_reason_required,
    })
}

fn rate_from_proto(rate: &proto::RateRule) -> Result<RateRule, DecodeError> {
    Ok(RateRule {
        population_indicator: parse(&rate.population_indicator)?,
        per: rate.per,
        rule: known("rule", rate.rule, PopulationRule::from_code(rate.rule))?,
        decimals: u8::try_from(rate.decimals).map_err(DecodeError::new)?,
    })
}

fn calendar_from_proto(calendar: proto::Calendar) -> Result<Calendar, DecodeError> {
    Ok(Calendar {
        id: parse(&calendar.id)?,
        holidays: parse_all(&calendar.holidays)?,
        title: calendar.title,
        source: calendar.source,
    })
}

fn rule_from_proto(rule: proto::ReconciliationRule) -> Result<ReconciliationRule, DecodeError> {
    let side = |indicator: &str, agency: &str| {
        let agency = if agency.is_empty() { None } else { Some(parse(agency)?) };
        Ok::<_, DecodeError>(ReconciliationSide { indicator: parse(indicator)?, agency })
    };
    Ok(ReconciliationRule {
        id: parse(&rule.id)?,
        left: side(&rule.left_indicator, &rule.left_agency)?,
        right: side(&rule.right_indicator, &rule.right_agency)?,
        tolerance: parse(&rule.tolerance)?,
        tolerance_percent: parse(&rule.tolerance_percent)?,
        title: rule.title,
    })
}

fn parse_day(text: &str) -> Result<Option<Date>, DecodeError> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn link(id: impl Display, days: Validity) -> proto::Link {
    proto::Link { id: id.to_string(), validity: Some(validity(days)) }
}

fn validity(days: Validity) -> proto::Validity {
    proto::Validity { valid_from: day(days.valid_from), valid_to: day(days.valid_to) }
}

fn parse_validity(days: Option<&proto::Validity>) -> Result<Validity, DecodeError> {
    let (from, to) = days.map(|span| (span.valid_from.as_str(), span.valid_to.as_str())).unwrap_or_default();
    Ok(Validity { valid_from: parse_day(from)?, valid_to: parse_day(to)? })
}

fn unlink<T: FromStr<Err: Display>>(link: &proto::Link) -> Result<(T, Validity), DecodeError> {
    Ok((parse(&link.id)?, parse_validity(link.validity.as_ref())?))
}

//! What stewards send, as puts of the catalogue.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::catalogue::checks::{Check, CheckKind, CheckRule, HISTORY_PERIODS_MAX, MissingValues, Severity};
use crate::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, Calendar, Category, Dimension, ExpectedAgency,
    IndicatorVersion, Kind, Polarity, PopulationRule, RateRule, ReconciliationRule, ReconciliationSide, Sector,
    UnfinishedPeriods, Validity,
};
use crate::catalogue::review::{DECIMALS_MAX, DUE_DAYS_MAX, LOCK_DAYS_MAX, RATE_PER_MAX};
use crate::catalogue::{Catalogue, CataloguePut};
use crate::model::decimal::{Decimal, Rounding};
use crate::model::id::{AreaCode, CategoryId};
use crate::model::period::Frequency;
use crate::model::violation::{Lazy, Violations};
use crate::rpc::proto;

/// The put of a request, or everything that is wrong with it. Items that could be parsed are
/// reviewed too, so that one answer has every problem.
pub(crate) fn put(catalogue: &Catalogue, request: &proto::PutCatalogueRequest) -> Result<CataloguePut, Violations> {
    let mut parser = Parser { at: String::new(), violations: Violations::default() };
    let areas: Vec<_> = parser.each("areas", &request.areas, Parser::area);
    let agencies: Vec<_> = parser.each("agencies", &request.agencies, Parser::agency);
    let dimensions: Vec<_> = parser.each("dimensions", &request.dimensions, Parser::dimension);
    let indicators: Vec<_> = parser.each("indicators", &request.indicators, Parser::indicator);
    let rules: Vec<_> = parser.each("reconciliation_rules", &request.reconciliation_rules, Parser::rule);
    let calendars: Vec<_> = parser.each("calendars", &request.calendars, Parser::calendar);
    let mut violations = parser.violations;
    let put = || {
        Some(CataloguePut {
            areas: all(areas)?,
            agencies: all(agencies)?,
            dimensions: all(dimensions)?,
            indicators: all(indicators)?,
            reconciliation_rules: all(rules)?,
            calendars: all(calendars)?,
        })
    };
    let Some(put) = put() else { return Err(violations) };
    if !violations.is_empty() {
        violations.extend(catalogue.review(&put));
        return Err(violations);
    }
    Ok(put)
}

/// The versions of indicators that an answer has, or what this program doesn't know of them.
pub(crate) fn indicator_versions(messages: &[proto::Indicator]) -> Result<Vec<IndicatorVersion>, Violations> {
    let mut parser = Parser { at: String::new(), violations: Violations::default() };
    let versions = all(parser.each("versions", messages, Parser::indicator));
    versions.filter(|_| parser.violations.is_empty()).ok_or(parser.violations)
}

fn all<T>(items: Vec<Option<T>>) -> Option<Vec<T>> {
    items.into_iter().collect()
}

/// Parses items, noting what is wrong at their fields.
struct Parser {
    at: String,
    violations: Violations,
}

impl Parser {
    fn each<M, T>(&mut self, list: &str, messages: &[M], parse: fn(&mut Self, &M) -> Option<T>) -> Vec<Option<T>> {
        let outer = self.at.clone();
        let parsed = messages.iter().enumerate().map(|(index, message)| {
            self.at = format!("{outer}{list}[{index}].");
            parse(self, message)
        });
        let parsed = parsed.collect();
        self.at = outer;
        parsed
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, field: impl Display, text: &str) -> Option<T> {
        self.violations.check(format_args!("{}{field}", self.at), text.parse())
    }

    fn parse_each<T: FromStr<Err: Display>>(&mut self, field: &str, texts: &[String]) -> Option<Vec<T>> {
        let parsed: Vec<_> =
            texts.iter().enumerate().map(|(index, text)| self.parse(format_args!("{field}[{index}]"), text)).collect();
        all(parsed)
    }

    fn optional<T: FromStr<Err: Display>>(&mut self, field: impl Display, text: &str) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.parse(field, text).map(Some) }
    }

    fn validity(&mut self, from: &str, to: &str) -> Option<Validity> {
        let valid_from = self.optional("valid_from", from);
        let valid_to = self.optional("valid_to", to);
        Some(Validity { valid_from: valid_from?, valid_to: valid_to? })
    }

    fn code<T>(&mut self, field: &str, code: i32, known: fn(i32) -> Option<T>, allowed: fn() -> String) -> Option<T> {
        let found = known(code);
        if found.is_none() {
            let code = Lazy(|| if code == 0 { "nothing".to_owned() } else { format!("`{code}`") });
            self.violations
                .add(format_args!("{}{field}", self.at), format_args!("found {code}; allowed: {}", Lazy(allowed)));
        }
        found
    }

    /// A number that fits its type. Whether it is within the limits is for the catalogue's review to say.
    fn small<T: TryFrom<i32> + Display>(&mut self, field: &str, number: i32, limits: RangeInclusive<T>) -> Option<T> {
        let (min, max) = limits.into_inner();
        let converted = T::try_from(number).map_err(|_| format!("found {number}; allowed: {min} to {max}"));
        self.violations.check(format_args!("{}{field}", self.at), converted)
    }

    fn area(&mut self, area: &proto::Area) -> Option<Area> {
        let code = self.parse("code", &area.code);
        let level = self.code("level", area.level, AreaLevel::from_code, AreaLevel::allowed);
        let parents = self.each("parents", &area.parents, |parser, parent| {
            let code: Option<AreaCode> = parser.parse("code", &parent.code);
            let validity = parser.validity(&parent.valid_from, &parent.valid_to);
            Some(AreaParent { code: code?, validity: validity? })
        });
        let validity = self.validity(&area.valid_from, &area.valid_to);
        let successors = self.parse_each("successors", &area.successors);
        let Validity { valid_from, valid_to } = validity?;
        Some(Area {
            code: code?,
            name: area.name.clone(),
            level: level?,
            parents: all(parents)?,
            valid_from,
            valid_to,
            successors: successors?,
        })
    }

    fn agency(&mut self, agency: &proto::Agency) -> Option<Agency> {
        let id = self.parse("id", &agency.id);
        let sector = self.code("sector", agency.sector, Sector::from_code, Sector::allowed);
        let areas = self.parse_each("areas", &agency.areas);
        Some(Agency { id: id?, name: agency.name.clone(), sector: sector?, areas: areas? })
    }

    fn dimension(&mut self, dimension: &proto::Dimension) -> Option<Dimension> {
        let id = self.parse("id", &dimension.id);
        let categories = self.each("categories", &dimension.categories, |parser, category| {
            let id: Option<CategoryId> = parser.parse("id", &category.id);
            Some(Category { id: id?, title: category.title.clone() })
        });
        Some(Dimension { id: id?, title: dimension.title.clone(), categories: all(categories)? })
    }

    fn indicator(&mut self, message: &proto::Indicator) -> Option<IndicatorVersion> {
        let id = self.parse("id", &message.id);
        let effective_from = self.optional("effective_from", &message.effective_from);
        let kind = self.code("kind", message.kind, Kind::from_code, Kind::allowed);
        let decimals = self.small("decimals", message.decimals, 0..=DECIMALS_MAX);
        let rounding = match message.rounding {
            0 => Some(Rounding::HalfUp),
            code => self.code("rounding", code, Rounding::from_code, Rounding::allowed),
        };
        let polarity = match message.polarity {
            0 => Some(Polarity::Neutral),
            code => self.code("polarity", code, Polarity::from_code, Polarity::allowed),
        };
        let unfinished = match message.unfinished_periods {
            0 => Some(UnfinishedPeriods::Refused),
            code => self.code("unfinished_periods", code, UnfinishedPeriods::from_code, UnfinishedPeriods::allowed),
        };
        let frequency = self.code("frequency", message.frequency, Frequency::from_code, Frequency::allowed);
        let due_days = self.small("due_days", message.due_days, 0..=DUE_DAYS_MAX);
        let due_calendar = self.optional("due_calendar", &message.due_calendar);
        let lock_days = match message.lock_days {
            None => Some(None),
            Some(days) => self.small("lock_days", days, 0..=LOCK_DAYS_MAX).map(Some),
        };
        let level = self.code("reporting_level", message.reporting_level, AreaLevel::from_code, AreaLevel::allowed);
        let across =
            self.code("across_agencies", message.across_agencies, AcrossAgencies::from_code, AcrossAgencies::allowed);
        let lead_agency = self.optional("lead_agency", &message.lead_agency);
        let expected = self.each("expected_agencies", &message.expected_agencies, Self::expected_agency);
        let dimensions = self.parse_each("dimensions", &message.dimensions);
        let checks = self.each("checks", &message.checks, Self::check);
        let rate = match &message.rate {
            None => Some(None),
            Some(rate) => self.rate(rate).map(Some),
        };
        Some(IndicatorVersion {
            id: id?,
            effective_from: effective_from?,
            title: message.title.clone(),
            definition: message.definition.clone(),
            unit: message.unit.clone(),
            kind: kind?,
            decimals: decimals?,
            rounding: rounding?,
            polarity: polarity?,
            frequency: frequency?,
            due_days: due_days?,
            reporting_level: level?,
            across_agencies: across?,
            lead_agency: lead_agency?,
            expected_agencies: all(expected)?,
            dimensions: dimensions?,
            breaks_comparability: message.breaks_comparability,
            version_note: message.version_note.clone(),
            source: message.source.clone(),
            rate: rate?,
            unfinished_periods: unfinished?,
            checks: all(checks)?,
            due_calendar: due_calendar?,
            lock_days: lock_days?,
            correction_reason_required: message.correction_reason_required,
        })
    }

    fn check(&mut self, check: &proto::Check) -> Option<Check> {
        let id = self.parse("id", &check.id);
        let severity = self.code("severity", check.severity, Severity::from_code, Severity::allowed);
        let missing_values = match check.missing_values {
            0 => Some(MissingValues::SkipAny),
            code => self.code("missing_values", code, MissingValues::from_code, MissingValues::allowed),
        };
        let tolerance = self.tolerance("tolerance", &check.tolerance);
        let tolerance_percent = self.tolerance("tolerance_percent", &check.tolerance_percent);
        let rule = self.check_rule(check.rule.as_ref());
        Some(Check {
            id: id?,
            severity: severity?,
            missing_values: missing_values?,
            tolerance: tolerance?,
            tolerance_percent: tolerance_percent?,
            rule: rule?,
        })
    }

    fn check_rule(&mut self, rule: Option<&proto::check::Rule>) -> Option<CheckRule> {
        use proto::check::Rule as P;
        let periods = |parser: &mut Self, field, periods| parser.small(field, periods, 1..=HISTORY_PERIODS_MAX);
        match rule {
            None => {
                let found = format_args!("found nothing; allowed: {}", Lazy(CheckKind::allowed));
                self.violations.add(format_args!("{}rule", self.at), found);
                None
            }
            Some(P::Range(range)) => {
                let min = self.optional("range.min", &range.min);
                let max = self.optional("range.max", &range.max);
                Some(CheckRule::Range { min: min?, max: max? })
            }
            Some(P::Numerator(proto::NumeratorCheck {})) => Some(CheckRule::Numerator {}),
            Some(P::Parts(parts)) => {
                Some(CheckRule::Parts { dimension: self.parse("parts.dimension", &parts.dimension)? })
            }
            Some(P::NotAbove(other)) => {
                Some(CheckRule::NotAbove { indicator: self.parse("not_above.indicator", &other.indicator)? })
            }
            Some(P::Change(proto::ChangeCheck {})) => Some(CheckRule::Change {}),
            Some(P::Outlier(outlier)) => {
                let deviations = self.parse("outlier.deviations", &outlier.deviations);
                let periods_min = periods(self, "outlier.periods_min", outlier.periods_min);
                Some(CheckRule::Outlier { deviations: deviations?, periods_min: periods_min? })
            }
            Some(P::Zero(zero)) => {
                Some(CheckRule::Zero { periods_min: periods(self, "zero.periods_min", zero.periods_min)? })
            }
            Some(P::Breakdown(breakdown)) => {
                Some(CheckRule::Breakdown { dimension: self.parse("breakdown.dimension", &breakdown.dimension)? })
            }
        }
    }

    fn expected_agency(&mut self, expected: &proto::ExpectedAgency) -> Option<ExpectedAgency> {
        let agency = self.parse("agency", &expected.agency);
        let validity = self.validity(&expected.valid_from, &expected.valid_to);
        Some(ExpectedAgency { agency: agency?, validity: validity? })
    }

    fn rate(&mut self, rate: &proto::RateRule) -> Option<RateRule> {
        let population = self.parse("rate.population_indicator", &rate.population_indicator);
        let per = self.small("rate.per", rate.per, 1..=RATE_PER_MAX);
        let rule = self.code("rate.rule", rate.rule, PopulationRule::from_code, PopulationRule::allowed);
        let decimals = self.small("rate.decimals", rate.decimals, 0..=DECIMALS_MAX);
        Some(RateRule { population_indicator: population?, per: per?, rule: rule?, decimals: decimals? })
    }

    fn calendar(&mut self, calendar: &proto::Calendar) -> Option<Calendar> {
        let id = self.parse("id", &calendar.id);
        let holidays = self.parse_each("holidays", &calendar.holidays);
        let (title, source) = (calendar.title.clone(), calendar.source.clone());
        Some(Calendar { id: id?, title, source, holidays: holidays? })
    }

    fn rule(&mut self, rule: &proto::ReconciliationRule) -> Option<ReconciliationRule> {
        let id = self.parse("id", &rule.id);
        let left = self.side("left", &rule.left_indicator, &rule.left_agency);
        let right = self.side("right", &rule.right_indicator, &rule.right_agency);
        let tolerance = self.tolerance("tolerance", &rule.tolerance);
        let tolerance_percent = self.tolerance("tolerance_percent", &rule.tolerance_percent);
        Some(ReconciliationRule {
            id: id?,
            title: rule.title.clone(),
            left: left?,
            right: right?,
            tolerance: tolerance?,
            tolerance_percent: tolerance_percent?,
        })
    }

    fn side(&mut self, side: &str, indicator: &str, agency: &str) -> Option<ReconciliationSide> {
        let indicator = self.parse(format_args!("{side}_indicator"), indicator);
        let agency = self.optional(format_args!("{side}_agency"), agency);
        Some(ReconciliationSide { indicator: indicator?, agency: agency? })
    }

    fn tolerance(&mut self, field: &str, text: &str) -> Option<Decimal> {
        if text.is_empty() { Some(Decimal::ZERO) } else { self.parse(field, text) }
    }
}

//! Whether a submission may be admitted: every problem of every observation, at its field.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::catalogue::items::{Agency, Indicator, IndicatorVersion, Kind};
use crate::model::date::Date;
use crate::model::decimal::Decimal;
use crate::model::id::{AgencyId, AreaCode, IndicatorId};
use crate::model::observation::{Breakdown, Measure, Observation, Value};
use crate::model::period::Period;
use crate::model::violation::Violations;

/// The most observations that one submission may have.
pub const OBSERVATIONS_MAX: usize = 10_000;

/// An observation as far as it could be parsed: what is missing was told as a violation already.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What is counted.
    pub indicator: Option<IndicatorId>,
    /// Where.
    pub area: Option<AreaCode>,
    /// When.
    pub period: Option<Period>,
    /// Of whom.
    pub breakdown: Option<Breakdown>,
    /// The figure.
    pub value: Option<Value>,
    /// A remark.
    pub note: Option<Arc<str>>,
}

impl Draft {
    /// The observation, when nothing is missing.
    pub fn complete(self) -> Option<Observation> {
        Some(Observation {
            indicator: self.indicator?,
            area: self.area?,
            period: self.period?,
            breakdown: self.breakdown?,
            value: self.value?,
            note: self.note,
        })
    }

    fn fields(&self) -> Fields<'_> {
        Fields {
            indicator: self.indicator.as_ref(),
            area: self.area.as_ref(),
            period: self.period,
            breakdown: self.breakdown.as_ref(),
            value: self.value.as_ref(),
        }
    }
}

/// What is known of an observation, parsed in full or in part.
#[derive(Clone, Copy)]
struct Fields<'a> {
    indicator: Option<&'a IndicatorId>,
    area: Option<&'a AreaCode>,
    period: Option<Period>,
    breakdown: Option<&'a Breakdown>,
    value: Option<&'a Value>,
}

impl<'a> From<&'a Observation> for Fields<'a> {
    fn from(observation: &'a Observation) -> Self {
        Self {
            indicator: Some(&observation.indicator),
            area: Some(&observation.area),
            period: Some(observation.period),
            breakdown: Some(&observation.breakdown),
            value: Some(&observation.value),
        }
    }
}

/// Every problem that drafts have with the catalogue and with each other, on a day.
pub fn review_drafts(catalogue: &Catalogue, agency: Option<&AgencyId>, drafts: &[Draft], today: Date) -> Violations {
    review(catalogue, agency, drafts.iter().map(Draft::fields), today)
}

/// Every problem that observations have with the catalogue and with each other, on a day.
pub fn review_observations(
    catalogue: &Catalogue,
    agency: &AgencyId,
    observations: &[Observation],
    today: Date,
) -> Violations {
    review(catalogue, Some(agency), observations.iter().map(Fields::from), today)
}

fn review<'a>(
    catalogue: &Catalogue,
    agency: Option<&AgencyId>,
    observations: impl ExactSizeIterator<Item = Fields<'a>>,
    today: Date,
) -> Violations {
    let mut violations = Violations::default();
    let count = observations.len();
    if !(1..=OBSERVATIONS_MAX).contains(&count) {
        violations.add("observations", format!("found {count} observations; allowed: 1 to {OBSERVATIONS_MAX}"));
    }
    let known = agency.and_then(|id| catalogue.agency(id)).map(|(_, agency)| agency);
    if let (Some(id), None) = (agency, known) {
        violations.add("agency", format!("found `{id}`; there is no such agency in the catalogue"));
    }
    let mut seen = BTreeMap::new();
    for (index, fields) in observations.enumerate() {
        let mut one = Review { index, violations: &mut violations };
        one.observation(catalogue, known, fields, today);
        if let Fields {
            indicator: Some(indicator),
            area: Some(area),
            period: Some(period),
            breakdown: Some(breakdown),
            ..
        } = fields
            && let Some(first) = seen.insert((indicator, area, period.slot(), breakdown), index)
        {
            violations.add(
                format!("observations[{index}]"),
                format!("the same figure as observations[{first}]: `{indicator}`, {area}, {period}{}", of(breakdown)),
            );
        }
    }
    violations
}

fn of(breakdown: &Breakdown) -> String {
    if breakdown.is_total() { String::new() } else { format!(", {breakdown}") }
}

struct Review<'a> {
    index: usize,
    violations: &'a mut Violations,
}

impl Review<'_> {
    fn add(&mut self, field: &str, description: impl std::fmt::Display) {
        self.violations.add(format!("observations[{}].{field}", self.index), description);
    }

    fn observation(&mut self, catalogue: &Catalogue, agency: Option<&Agency>, fields: Fields<'_>, today: Date) {
        if let Some(area) = fields.area {
            self.area(catalogue, agency, area);
        }
        if let Some(period) = fields.period
            && period.start() > today
        {
            self.add(
                "period",
                format!("found `{period}`, which starts after today ({today}); allowed: a period that has begun"),
            );
        }
        let Some(id) = fields.indicator else { return };
        let Some((_, indicator)) = catalogue.indicator(id) else {
            self.add("indicator", format!("found `{id}`; there is no such indicator in the catalogue"));
            return;
        };
        if let Some(value) = fields.value {
            self.value(indicator, fields.period, value);
        }
        let Some(period) = fields.period else { return };
        let version = indicator.version_for(period);
        if !version.takes(period) {
            self.add("period", format!("found `{period}`; {}", allowed_periods(version)));
        }
        if let Some(breakdown) = fields.breakdown {
            self.breakdown(catalogue, version, breakdown);
        }
    }

    fn area(&mut self, catalogue: &Catalogue, agency: Option<&Agency>, code: &AreaCode) {
        if catalogue.area(code).is_none() {
            self.add("area", format!("found `{code}`; there is no such area in the catalogue"));
        } else if let Some(agency) = agency
            && !agency.areas.contains(code)
        {
            self.add("area", format!("found `{code}`; `{}` reports for {}", agency.id, some(&agency.areas)));
        }
    }

    fn breakdown(&mut self, catalogue: &Catalogue, version: &IndicatorVersion, breakdown: &Breakdown) {
        for (dimension, category) in breakdown.iter() {
            if !version.dimensions.contains(dimension) {
                let allowed =
                    if version.dimensions.is_empty() { "no breakdown".to_owned() } else { some(&version.dimensions) };
                self.add("breakdown", format!("found `{dimension}`; allowed for `{}`: {allowed}", version.id));
            } else if let Some(known) = catalogue.dimension(dimension)
                && known.categories.iter().all(|other| other.id != *category)
            {
                let ids: Vec<_> = known.categories.iter().map(|category| &category.id).collect();
                self.add("breakdown", format!("found `{category}`; allowed for `{dimension}`: {}", some(&ids)));
            }
        }
    }

    fn value(&mut self, indicator: &Indicator, period: Option<Period>, value: &Value) {
        let version = period.map_or_else(|| indicator.newest(), |period| indicator.version_for(period));
        let Some(measure) = value.measure else { return };
        match (version.kind, measure) {
            (Kind::Events | Kind::Stock | Kind::Distinct, Measure::Number(number)) => {
                self.not_negative("number", number);
                self.decimals(version, number);
            }
            (Kind::Amount, Measure::Number(number)) => self.decimals(version, number),
            (Kind::Ratio, Measure::Ratio { numerator, denominator }) => {
                self.not_negative("ratio.numerator", numerator);
                self.not_negative("ratio.denominator", denominator);
                if numerator > denominator {
                    self.add(
                        "ratio.numerator",
                        format!(
                            "found `{numerator}`, above the denominator `{denominator}`; allowed: 0 to the denominator"
                        ),
                    );
                }
            }
            (Kind::Ratio, Measure::Percentage { percent, base }) => {
                self.not_negative("percentage.percent", percent);
                self.not_negative("percentage.base", base);
                if Decimal::new(100, 0).is_some_and(|hundred| percent > hundred) {
                    self.add("percentage.percent", format!("found `{percent}`; allowed: 0 to 100"));
                }
            }
            (Kind::Mean, Measure::Mean { count, .. }) => self.not_negative("mean.count", count),
            (kind @ (Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount), _) => {
                self.add(field_of(&measure), format!("`{}` is of kind {kind}; allowed: a number", version.id));
            }
            (Kind::Ratio, _) => {
                self.add(
                    field_of(&measure),
                    format!(
                        "`{}` is a ratio; allowed: a numerator and denominator, or a percentage and its base",
                        version.id
                    ),
                );
            }
            (Kind::Mean, _) => {
                self.add(field_of(&measure), format!("`{}` is a mean; allowed: a mean and its count", version.id));
            }
        }
    }

    fn not_negative(&mut self, field: &str, number: Decimal) {
        if number.is_negative() {
            self.add(field, format!("found `{number}`; allowed: 0 or more"));
        }
    }

    fn decimals(&mut self, version: &IndicatorVersion, number: Decimal) {
        if number.scale() > version.decimals {
            let allowed = match version.decimals {
                0 => "a whole number".to_owned(),
                decimals => format!("at most {decimals} decimals"),
            };
            self.add("number", format!("found `{number}`; allowed for `{}`: {allowed}", version.id));
        }
    }
}

fn field_of(measure: &Measure) -> &'static str {
    match measure {
        Measure::Number(_) => "number",
        Measure::Ratio { .. } => "ratio",
        Measure::Percentage { .. } => "percentage",
        Measure::Mean { .. } => "mean",
    }
}

fn allowed_periods(version: &IndicatorVersion) -> String {
    let day = if version.kind == Kind::Stock { ", or the day that the stock is as at" } else { "" };
    format!(
        "`{}` is reported by {}; allowed: that, or a longer period made of whole ones{day}",
        version.id, version.frequency
    )
}

/// A list for a sentence, at most ten of it.
fn some<T: std::fmt::Display>(items: &[T]) -> String {
    const SHOWN_MAX: usize = 10;
    let shown = items.iter().take(SHOWN_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match items.len() {
        0 => "nothing".to_owned(),
        count if count > SHOWN_MAX => format!("{shown} and {} more", count - SHOWN_MAX),
        _ => shown,
    }
}

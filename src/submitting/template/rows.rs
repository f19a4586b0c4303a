//! The rows of a template: one for each figure that is expected, and those of the categories that come with it.

use std::collections::BTreeMap;

use crate::catalogue::checks::CheckRule;
use crate::catalogue::items::{Indicator, IndicatorVersion};
use crate::figures::{Field, unambiguous};
use crate::model::id::DimensionId;
use crate::model::period::{Period, PeriodError};
use crate::rpc::proto::{Dimension, Slot};

/// A figure to report.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    pub(crate) indicator: &'a Indicator,
    /// The definition in force for the period.
    pub(crate) definition: &'a IndicatorVersion,
    pub(crate) area: String,
    pub(crate) period: Period,
    /// None for the total.
    pub(crate) category: Option<Category>,
    /// The day on which it is due.
    pub(crate) due: String,
}

/// A category of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Category {
    /// As a file has it: `sex=female`.
    pub(crate) text: String,
    pub(crate) title: String,
    pub(crate) dimension_title: String,
}

impl Row<'_> {
    /// What a cell of a column says of the figure; empty where there is something to fill in.
    pub(crate) fn given(&self, field: Field) -> String {
        match field {
            Field::Indicator => self.definition.id.to_string(),
            Field::Title => match &self.category {
                None => self.definition.title.clone(),
                Some(category) => format!("{}: {}", self.definition.title, category.title),
            },
            Field::Area => self.area.clone(),
            Field::Period => unambiguous(&self.period.to_string()),
            Field::Breakdown => self.breakdown().to_owned(),
            Field::Unit => self.definition.unit.clone(),
            Field::Due => self.due.clone(),
            Field::Place
            | Field::Previous
            | Field::YearBefore
            | Field::Value
            | Field::Base
            | Field::Numerator
            | Field::Denominator
            | Field::Count
            | Field::Markers
            | Field::Note
            | Field::Explanation
            | Field::Action
            | Field::Agency
            | Field::Report
            | Field::Problem => String::new(),
        }
    }

    /// The breakdown as a file has it; empty for the total.
    pub(crate) fn breakdown(&self) -> &str {
        self.category.as_ref().map(|category| category.text.as_str()).unwrap_or_default()
    }
}

/// The rows of expected figures, in their order. After a total come the categories that a check expects with it, or with
/// `all_breakdowns` those of each dimension that the indicator may be broken down by.
pub(crate) fn of<'a>(
    slots: &[Slot],
    indicators: &'a BTreeMap<String, Indicator>,
    dimensions: &[Dimension],
    all_breakdowns: bool,
) -> Result<Vec<Row<'a>>, PeriodError> {
    let mut rows = Vec::new();
    for slot in slots {
        let Some(indicator) = indicators.get(&slot.indicator) else { continue };
        let period: Period = slot.period.parse()?;
        let definition = indicator.version_for(period);
        let total =
            Row { indicator, definition, area: slot.area.clone(), period, category: None, due: slot.due.clone() };
        let of_categories = dimensions
            .iter()
            .filter(|dimension| is_broken_down(definition, &dimension.id, all_breakdowns))
            .flat_map(categories)
            .map(|category| Row { category: Some(category), ..total.clone() })
            .collect::<Vec<_>>();
        rows.push(total);
        rows.extend(of_categories);
    }
    Ok(rows)
}

/// The categories of a dimension.
pub(crate) fn categories(dimension: &Dimension) -> impl Iterator<Item = Category> {
    dimension.categories.iter().map(|category| Category {
        text: format!("{}={}", dimension.id, category.id),
        title: category.title.clone(),
        dimension_title: dimension.title.clone(),
    })
}

fn is_broken_down(definition: &IndicatorVersion, dimension: &str, all_breakdowns: bool) -> bool {
    let is_it = |id: &DimensionId| id.as_str() == dimension;
    let is_expected = |rule: &CheckRule| match rule {
        CheckRule::Breakdown { dimension } => is_it(dimension),
        CheckRule::Range { .. }
        | CheckRule::Numerator {}
        | CheckRule::Parts { .. }
        | CheckRule::NotAbove { .. }
        | CheckRule::Change {}
        | CheckRule::Outlier { .. }
        | CheckRule::Zero { .. } => false,
    };
    definition.checks.iter().any(|check| is_expected(&check.rule))
        || all_breakdowns && definition.dimensions.iter().any(is_it)
}

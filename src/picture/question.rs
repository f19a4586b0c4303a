//! The queries of the picture and of aggregates.

use super::areas::Areas;
use super::change::{ChangeRule, Comparison};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::id::{CategoryId, DimensionId};
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;

/// The most figures that one query may rest on: indicators × areas × periods × categories.
pub const QUERY_CELLS_MAX: usize = 200_000;

/// Asks for the picture of an area and a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureQuery {
    /// The area.
    pub area: AreaIx,
    /// The period.
    pub period: Period,
    /// Only these indicators; all that anything is expected or known of when none.
    pub indicators: Option<Vec<IndicatorIx>>,
    /// What to compare with.
    pub comparison: Option<Comparison>,
}

/// Asks for figures of some indicators, areas, agencies and periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateQuery {
    /// The indicators, each once.
    pub indicators: Vec<IndicatorIx>,
    /// The areas.
    pub areas: Areas,
    /// Only these agencies; all when none.
    pub agencies: Option<Vec<AgencyIx>>,
    /// The periods, each once, ascending.
    pub periods: Vec<Period>,
    /// The breakdowns, each kept apart: at least one.
    pub breakdowns: Vec<QueryBreakdown>,
    /// Keep indicators apart.
    pub by_indicator: bool,
    /// Keep areas apart.
    pub by_area: bool,
    /// Keep agencies apart.
    pub by_agency: bool,
    /// Keep periods apart.
    pub by_period: bool,
    /// What to compare with.
    pub change: ChangeRule,
    /// Each period stands for all of its length from the first of its financial year up to it.
    pub year_to_date: bool,
    /// What to add to each figure.
    pub derived: Derived,
}

impl AggregateQuery {
    /// The periods that some stand for: themselves, or of one its year to date.
    pub(super) fn run(&self, periods: &[Period]) -> Vec<Period> {
        let to_date = match periods {
            [period] if self.year_to_date => period.year_to_date(),
            _ => None,
        };
        to_date.unwrap_or_else(|| periods.to_vec())
    }

    /// The first period of the length asked for of those that one stands for.
    pub(super) fn first_of_run(&self, period: Period) -> Period {
        let first = if self.year_to_date { period.first_of_financial_year() } else { None };
        first.unwrap_or(period)
    }

    /// The runs of periods that are answered together.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[Period]> {
        self.periods.chunks(if self.by_period { 1 } else { self.periods.len().max(1) })
    }
}

/// A breakdown that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryBreakdown {
    /// The category, where a dimension's are kept apart; none for the breakdown as it was asked for.
    pub category: Option<CategoryId>,
    /// The breakdown; none for one that nothing was ever submitted under.
    pub breakdown: Option<BreakdownIx>,
    /// The dimensions that it is by.
    pub dimensions: Vec<DimensionId>,
}

impl QueryBreakdown {
    /// The total.
    pub const TOTAL: Self = Self { category: None, breakdown: Some(BreakdownIx::TOTAL), dimensions: Vec::new() };
}

/// What can be added to each figure of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derived {
    /// The rate.
    pub rate: bool,
    /// The share of all areas asked for.
    pub share: bool,
    /// The rank among the areas asked for.
    pub rank: bool,
    /// The areas whose figure together is the benchmark; none for no benchmark.
    pub benchmark: Vec<AreaIx>,
}

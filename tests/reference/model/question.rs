//! Questions, in ids: what a request asks for.

use conspectus::catalogue::items::AreaLevel;
use conspectus::model::id::{AgencyId, AreaCode, CategoryId, DimensionId, IndicatorId, RuleId};
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::model::timestamp::Timestamp;

/// 1.2: the instant that an answer is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsOf {
    Now,
    Revision(usize),
    Time(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    PreviousPeriod,
    YearBefore,
    With(Period),
}

impl Comparison {
    /// The period that one is compared with.
    pub(crate) fn earlier(self, period: Period) -> Option<Period> {
        match self {
            Self::PreviousPeriod => period.previous(),
            Self::YearBefore => period.year_before(),
            Self::With(earlier) => Some(earlier),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct PictureQuestion {
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) indicators: Vec<IndicatorId>,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) areas_now: bool,
}

/// Indicators, areas, agencies and periods ascending, each once.
#[derive(Debug, Clone)]
pub(crate) struct QueryQuestion {
    pub(crate) indicators: Vec<IndicatorId>,
    pub(crate) areas: Vec<AreaCode>,
    pub(crate) area_level: Option<AreaLevel>,
    /// None are all.
    pub(crate) agencies: Vec<AgencyId>,
    pub(crate) periods: Vec<Period>,
    pub(crate) breakdown: Breakdown,
    pub(crate) by_indicator: bool,
    pub(crate) by_area: bool,
    pub(crate) by_agency: bool,
    pub(crate) by_period: bool,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) across_breaks: bool,
    pub(crate) areas_now: bool,
    pub(crate) year_to_date: bool,
    pub(crate) by_dimension: Option<DimensionId>,
    pub(crate) rate: bool,
    pub(crate) share: bool,
    pub(crate) rank: bool,
    pub(crate) benchmark_areas: Vec<AreaCode>,
}

#[derive(Debug, Clone)]
pub(crate) struct ExplainQuestion {
    pub(crate) indicator: IndicatorId,
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) agency: Option<AgencyId>,
    pub(crate) breakdown: Breakdown,
}

#[derive(Debug, Clone)]
pub(crate) struct HistoryQuestion {
    pub(crate) indicator: IndicatorId,
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) agency: AgencyId,
    pub(crate) breakdown: Breakdown,
}

#[derive(Debug, Clone)]
pub(crate) struct CompletenessQuestion {
    pub(crate) area: AreaCode,
    pub(crate) periods: Vec<Period>,
    pub(crate) indicators: Vec<IndicatorId>,
    pub(crate) agencies: Vec<AgencyId>,
    pub(crate) late_only: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ReconcileQuestion {
    pub(crate) rules: Vec<RuleId>,
    pub(crate) areas: Vec<AreaCode>,
    pub(crate) area_level: Option<AreaLevel>,
    pub(crate) periods: Vec<Period>,
    pub(crate) include_agreeing: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Picture(PictureQuestion),
    Query(Box<QueryQuestion>),
    Explain(ExplainQuestion),
    History(HistoryQuestion),
    Completeness(CompletenessQuestion),
    Reconcile(ReconcileQuestion),
}

/// A question, asked at an instant, about another or the same.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) now: Timestamp,
    pub(crate) as_of: AsOf,
    pub(crate) what: What,
}

/// A category of a dimension that rows are kept apart by; none for all of them.
pub(crate) type OfCategory = Option<CategoryId>;

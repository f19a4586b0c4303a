//! The four questions of `docs/performance.md`, as the engine is asked them.

use conspectus::catalogue::{AreaIx, Catalogue, IndicatorIx};
use conspectus::model::id::{AreaCode, IndicatorId};
use conspectus::model::period::Period;
use conspectus::picture::areas::Areas;
use conspectus::picture::change::{ChangeRule, Comparison};
use conspectus::picture::question::{AggregateQuery, Derived, PictureQuery, QueryBreakdown};

use crate::Failure;
use crate::workload;

pub(crate) struct Questions {
    pub(crate) q1: AggregateQuery,
    pub(crate) q2: AggregateQuery,
    pub(crate) q3: PictureQuery,
    pub(crate) q4: AggregateQuery,
}

/// Of one indicator's totals, everything added up.
pub(crate) fn all_together(indicator: IndicatorIx, areas: Vec<AreaIx>, periods: Vec<Period>) -> AggregateQuery {
    AggregateQuery {
        indicators: vec![indicator],
        areas: Areas::listed(areas),
        agencies: None,
        periods,
        breakdowns: vec![QueryBreakdown::TOTAL],
        by_indicator: false,
        by_area: false,
        by_agency: false,
        by_period: false,
        change: ChangeRule::default(),
        year_to_date: false,
        derived: Derived::default(),
    }
}

impl Questions {
    pub(crate) fn new(catalogue: &Catalogue) -> Result<Self, Failure> {
        let area = |code: &str| -> Result<AreaIx, Failure> {
            Ok(catalogue.area(&AreaCode::parse(code)?).ok_or("no such area")?.0)
        };
        let months = months()?;
        let areas = (0..150).map(|ix| area(&workload::area(ix))).collect::<Result<Vec<_>, _>>()?;
        let whole = area(workload::WHOLE)?;
        let base = all_together(indicator(catalogue, 8)?, vec![whole], vec![months[60]]);
        Ok(Self {
            q1: AggregateQuery { areas: Areas::listed(areas), by_area: true, ..base.clone() },
            q2: AggregateQuery { periods: months.clone(), by_agency: true, ..base.clone() },
            q3: PictureQuery {
                area: whole,
                period: months[60],
                indicators: None,
                comparison: Some(Comparison::PreviousPeriod),
            },
            q4: AggregateQuery {
                indicators: vec![indicator(catalogue, 40)?],
                periods: vec!["CY2020".parse()?],
                ..base
            },
        })
    }
}

/// An indicator of the workload.
pub(crate) fn indicator(catalogue: &Catalogue, ix: u64) -> Result<IndicatorIx, Failure> {
    let id = IndicatorId::parse(&workload::indicator(ix))?;
    Ok(catalogue.indicator(&id).ok_or("no such indicator")?.0)
}

/// The workload's months.
pub(crate) fn months() -> Result<Vec<Period>, Failure> {
    (0..120).map(|ix| Ok(workload::month(ix).parse()?)).collect()
}

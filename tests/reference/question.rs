//! Questions, in ids, and the service's answers to them.

use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId};
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::model::revision::Revision;
use conspectus::model::zone::UTC;
use conspectus::picture::answer;
use conspectus::picture::areas::Areas;
use conspectus::picture::change::{ChangeRule, Comparison};
use conspectus::picture::question::{AggregateQuery, Derived, PictureQuery, QueryBreakdown};
use conspectus::picture::review::review;
use conspectus::state::State;
use conspectus::state::view::AreasAsOf;

use crate::canonical::{self, Row};

/// A question, as of a revision, on a day.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) as_of: usize,
    pub(crate) today: Date,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Picture(PictureQuestion),
    Aggregate(AggregateQuestion),
}

#[derive(Debug, Clone)]
pub(crate) struct PictureQuestion {
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) indicators: Option<Vec<IndicatorId>>,
    pub(crate) comparison: Option<Comparison>,
}

/// Indicators, areas and agencies by id and periods ascending, each once.
#[derive(Debug, Clone)]
pub(crate) struct AggregateQuestion {
    pub(crate) indicators: Vec<IndicatorId>,
    pub(crate) areas: Vec<AreaCode>,
    pub(crate) agencies: Option<Vec<AgencyId>>,
    pub(crate) periods: Vec<Period>,
    pub(crate) breakdown: Breakdown,
    pub(crate) by_indicator: bool,
    pub(crate) by_area: bool,
    pub(crate) by_agency: bool,
    pub(crate) by_period: bool,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) across_breaks: bool,
}

/// The service's answer; none when it refuses the question.
pub(crate) fn ask(state: &State, question: &Question) -> Option<Vec<Row>> {
    let as_of = Revision(question.as_of as u64);
    let catalogue = state.catalogue_as_of(as_of);
    let view = state.view(&catalogue, as_of, &UTC, question.today, AreasAsOf::Then);
    let area = |code| catalogue.area(code).unwrap().0;
    let indicators = |ids: &[_]| ids.iter().map(|id| catalogue.indicator(id).unwrap().0).collect::<Vec<_>>();
    match &question.what {
        What::Picture(asked) => {
            let query = PictureQuery {
                area: area(&asked.area),
                period: asked.period,
                indicators: asked.indicators.as_deref().map(indicators),
                comparison: asked.comparison,
            };
            Some(canonical::picture(view, &answer::picture(view, &query)))
        }
        What::Aggregate(asked) => {
            let agencies = asked.agencies.as_ref();
            let query = AggregateQuery {
                indicators: indicators(&asked.indicators),
                areas: Areas::listed(asked.areas.iter().map(area).collect()),
                agencies: agencies.map(|ids| ids.iter().map(|id| catalogue.agency(id).unwrap().0).collect()),
                periods: asked.periods.clone(),
                breakdowns: vec![QueryBreakdown {
                    category: None,
                    breakdown: state.columns().breakdown(&asked.breakdown),
                    dimensions: asked.breakdown.iter().map(|(dimension, _)| dimension.clone()).collect(),
                }],
                by_indicator: asked.by_indicator,
                by_area: asked.by_area,
                by_agency: asked.by_agency,
                by_period: asked.by_period,
                change: ChangeRule { comparison: asked.comparison, across_breaks: asked.across_breaks },
                year_to_date: false,
                derived: Derived::default(),
            };
            let is_answered = review(view, &query).is_empty();
            is_answered.then(|| canonical::aggregate(view, &answer::aggregate(view, &query)))
        }
    }
}

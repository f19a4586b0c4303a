//! What a request would read: whose figures, of where, of which periods and as of when, for the permission. What the
//! audit log says of it is its [`question`](super::question).

use crate::access::Agencies;
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::picture::change::Comparison;
use crate::rpc::convert::query_periods;
use crate::rpc::proto::{self, AreasAsOf};

/// A request that reads.
pub(crate) trait AuditScope {
    /// The areas that it names, in its own texts.
    fn areas(&self) -> Vec<&str>;

    /// Whose figures its answer may rest on.
    fn agencies(&self) -> Agencies<'_>;

    /// The periods that it asks about, and those that it compares them with; none when they can't be read, since the
    /// request is then refused.
    fn periods(&self) -> Vec<Period>;

    /// The run of periods that it asks about, where it may name one.
    fn period_range(&self) -> Option<&proto::PeriodRange> {
        None
    }

    /// The state that it is to be answered from; the newest, unless the request can say otherwise.
    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState::default()
    }
}

/// The state that a request is to be answered from, in the request's own fields.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestedState<'a> {
    /// Waits for this revision.
    pub(crate) min_revision: i64,
    /// Answers as of this revision, or else of this instant.
    pub(crate) as_of_revision: i64,
    pub(crate) as_of_time: Option<&'a prost_types::Timestamp>,
    /// Adds up areas by the hierarchy of then, or of now.
    pub(crate) areas_as_of: i32,
    /// Of a page after the first, its token, which says what all pages are as of.
    pub(crate) page_token: &'a str,
}

impl<'a> RequestedState<'a> {
    /// The state as of a revision, or else of an instant.
    fn as_of(as_of_revision: i64, as_of_time: Option<&'a prost_types::Timestamp>) -> Self {
        Self { as_of_revision, as_of_time, ..Self::default() }
    }
}

/// Names an agency, or leaves it to anyone's figures.
fn one(agency: &String) -> Agencies<'_> {
    if agency.is_empty() { Agencies::Any } else { Agencies::Named(std::slice::from_ref(agency)) }
}

fn some(agencies: &[String]) -> Agencies<'_> {
    if agencies.is_empty() { Agencies::Any } else { Agencies::Named(agencies) }
}

fn period(text: &str) -> Vec<Period> {
    text.parse().ok().into_iter().collect()
}

fn periods(listed: &[String], range: Option<&proto::PeriodRange>) -> Vec<Period> {
    query_periods::periods(listed, range, &mut Violations::default()).unwrap_or_default()
}

/// The periods with those that they are compared with.
fn compared(mut periods: Vec<Period>, code: i32, with: &str, default: Option<Comparison>) -> Vec<Period> {
    let comparison = query_periods::comparison(code, with, default, &periods, &mut Violations::default());
    let earlier: Vec<Period> = periods.iter().filter_map(|period| comparison?.earlier(*period)).collect();
    periods.extend(earlier);
    periods
}

impl AuditScope for proto::GetPictureRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        Agencies::Any
    }

    fn periods(&self) -> Vec<Period> {
        compared(period(&self.period), self.comparison, &self.compare_with, query_periods::PICTURE_COMPARISON)
    }

    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState {
            min_revision: self.min_revision,
            as_of_revision: self.as_of_revision,
            as_of_time: self.as_of_time.as_ref(),
            areas_as_of: self.areas_as_of,
            page_token: "",
        }
    }
}

impl AuditScope for proto::QueryAggregateRequest {
    fn areas(&self) -> Vec<&str> {
        self.areas.iter().chain(&self.benchmark_areas).map(String::as_str).collect()
    }

    fn agencies(&self) -> Agencies<'_> {
        // A rate rests on a population too, which is another agency's figure.
        if self.rate { Agencies::Any } else { some(&self.agencies) }
    }

    fn periods(&self) -> Vec<Period> {
        let asked = periods(&self.periods, self.period_range.as_ref());
        compared(asked, self.comparison, &self.compare_with, None)
    }

    fn period_range(&self) -> Option<&proto::PeriodRange> {
        self.period_range.as_ref()
    }

    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState {
            min_revision: self.min_revision,
            as_of_revision: self.as_of_revision,
            as_of_time: self.as_of_time.as_ref(),
            areas_as_of: self.areas_as_of,
            page_token: &self.page_token,
        }
    }
}

impl AuditScope for proto::ExplainFigureRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        one(&self.agency)
    }

    fn periods(&self) -> Vec<Period> {
        period(&self.period)
    }

    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState {
            min_revision: self.min_revision,
            as_of_revision: self.as_of_revision,
            as_of_time: self.as_of_time.as_ref(),
            ..RequestedState::default()
        }
    }
}

impl AuditScope for proto::GetHistoryRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        one(&self.agency)
    }

    fn periods(&self) -> Vec<Period> {
        period(&self.period)
    }

    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState { page_token: &self.page_token, ..RequestedState::default() }
    }
}

impl AuditScope for proto::ListChangesRequest {
    fn areas(&self) -> Vec<&str> {
        self.areas.iter().map(String::as_str).collect()
    }

    fn agencies(&self) -> Agencies<'_> {
        some(&self.agencies)
    }

    fn periods(&self) -> Vec<Period> {
        Vec::new()
    }

    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState {
            min_revision: self.min_revision,
            // Figures of all periods: whose area lies within which is judged by one hierarchy.
            areas_as_of: AreasAsOf::Now.into(),
            page_token: &self.page_token,
            ..RequestedState::default()
        }
    }
}

impl AuditScope for proto::GetCompletenessRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        some(&self.agencies)
    }

    fn periods(&self) -> Vec<Period> {
        periods(&self.periods, self.period_range.as_ref())
    }

    fn period_range(&self) -> Option<&proto::PeriodRange> {
        self.period_range.as_ref()
    }

    fn requested_state(&self) -> RequestedState<'_> {
        let as_of = RequestedState::as_of(self.as_of_revision, self.as_of_time.as_ref());
        // What is due is asked without naming periods: whose area lies within which is judged by one hierarchy.
        let areas_as_of = if self.due_within_days == 0 { AreasAsOf::Unspecified } else { AreasAsOf::Now };
        RequestedState { page_token: &self.page_token, areas_as_of: areas_as_of.into(), ..as_of }
    }
}

impl AuditScope for proto::ReconcileRequest {
    fn areas(&self) -> Vec<&str> {
        self.areas.iter().map(String::as_str).collect()
    }

    fn agencies(&self) -> Agencies<'_> {
        Agencies::Any
    }

    fn periods(&self) -> Vec<Period> {
        periods(&self.periods, self.period_range.as_ref())
    }

    fn period_range(&self) -> Option<&proto::PeriodRange> {
        self.period_range.as_ref()
    }

    fn requested_state(&self) -> RequestedState<'_> {
        RequestedState::as_of(self.as_of_revision, self.as_of_time.as_ref())
    }
}

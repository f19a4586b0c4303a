//! What is refused: questions that have no right answer, and figures that can't be taken.

use conspectus::catalogue::items::{AcrossAgencies, IndicatorVersion, Kind, UnfinishedPeriods};
use conspectus::model::id::{AreaCode, IndicatorId};
use conspectus::model::marker::Marker;
use conspectus::model::observation::Measure;
use conspectus::model::period::{Frequency, Period};
use conspectus::model::submission::Submission;

use super::periods::{next_finer, year_to_date};
use super::question::{QueryQuestion, What};
use super::sight::Sight;

/// 3.1: "a question that lists a period twice, under whichever names, is refused".
fn lists_one_twice(what: &What) -> bool {
    let periods: &[Period] = match what {
        What::Query(asked) => &asked.periods,
        What::Completeness(asked) => &asked.periods,
        What::Reconcile(asked) => &asked.periods,
        What::Picture(_) | What::Explain(_) | What::History(_) => &[],
    };
    let is_same = |one: &Period, other: &Period| {
        one.frequency() == other.frequency() && one.start() == other.start() && one.end() == other.end()
    };
    periods.iter().enumerate().any(|(at, period)| periods[..at].iter().any(|other| is_same(period, other)))
}

impl Sight {
    pub(crate) fn refuses(&self, what: &What) -> bool {
        lists_one_twice(what) || self.refuses_otherwise(what)
    }

    fn refuses_otherwise(&self, what: &What) -> bool {
        match what {
            What::Picture(asked) => self.has_ended(&asked.area, &[asked.period]),
            What::Explain(asked) => self.has_ended(&asked.area, &[asked.period]),
            What::Completeness(asked) => self.has_ended(&asked.area, &asked.periods),
            What::History(_) => false,
            What::Reconcile(asked) => {
                let listed = |period: &Period| self.listed_areas(&asked.areas, asked.area_level, *period, false);
                self.is_one_that_ended(&asked.areas, &asked.periods)
                    || asked.periods.iter().all(|period| listed(period).is_empty())
            }
            What::Query(asked) => self.refuses_query(asked),
        }
    }

    /// 2.6: "a question about one area, none of whose periods it is of because it has ended, is refused".
    fn has_ended(&self, area: &AreaCode, periods: &[Period]) -> bool {
        let ended = |period: &Period| self.area(area).valid_to.is_some_and(|to| to < period.end());
        periods.iter().all(ended)
    }

    fn is_one_that_ended(&self, areas: &[AreaCode], periods: &[Period]) -> bool {
        matches!(areas, [one] if self.has_ended(one, periods))
    }

    fn refuses_query(&self, asked: &QueryQuestion) -> bool {
        let kind = |id: &IndicatorId| self.versions_of(id).next().unwrap().kind;
        let last = asked.periods[asked.periods.len() - 1];
        let several_periods = asked.periods.len() > 1 && !asked.by_period;
        let listed: Vec<_> = asked.periods.iter().map(|period| self.listed(asked, *period)).collect();
        let has_distinct = asked.indicators.iter().any(|it| kind(it) == Kind::Distinct);
        let follows = |pair: &[Period]| {
            pair[0].frequency() == pair[1].frequency() && pair[0].end().plus_days(1) == pair[1].start()
        };
        // 8.2, and 2.5: "where periods are combined and their lists differ, the question is refused".
        let is_no_run = several_periods
            && (!asked.periods.windows(2).all(follows)
                || has_distinct
                || asked.comparison.is_some()
                || asked.year_to_date
                || listed.windows(2).any(|pair| pair[0] != pair[1]));
        let yearly = [Frequency::Month, Frequency::Quarter, Frequency::HalfYear, Frequency::FinancialYear];
        let is_no_year_to_date =
            asked.year_to_date && (has_distinct || asked.periods.iter().any(|it| !yearly.contains(&it.frequency())));
        let one_agency = asked.agencies.len() == 1;
        let side_by_side = |id| self.version(id, last).across_agencies == AcrossAgencies::SideBySide;
        listed.iter().all(Vec::is_empty)
            || self.is_one_that_ended(&asked.areas, &asked.periods)
            || asked.indicators.len() > 1 && !asked.by_indicator
            || is_no_run
            || is_no_year_to_date
            || (!asked.by_area || asked.share) && self.any_nested(asked, &listed)
            || self.any_nested(asked, &vec![asked.benchmark_areas.clone(); listed.len()])
            || !asked.by_agency && !one_agency && asked.indicators.iter().any(side_by_side)
            || self.refuses_derived(asked)
    }

    /// "A county together with one of its districts" would be counted twice.
    /// 2.7: "in any hierarchy that their figures, or those that they are compared with, are built by".
    fn any_nested(&self, asked: &QueryQuestion, listed: &[Vec<AreaCode>]) -> bool {
        let day = |period: Period| if asked.areas_now { self.today } else { period.end() };
        let earlier = |period: &Period| asked.comparison.and_then(|it| it.earlier(*period));
        let run = |period: Period| if asked.year_to_date { year_to_date(period) } else { vec![period] };
        asked.periods.iter().zip(listed).any(|(period, areas)| {
            let both = [Some(*period), earlier(period)].into_iter().flatten();
            let days = both.flat_map(run).flat_map(parts).map(day).collect::<Vec<_>>();
            let pairs = areas.iter().flat_map(|inner| areas.iter().map(move |outer| (inner, outer)));
            let nested = |(inner, outer): (&AreaCode, &AreaCode)| {
                inner != outer && days.iter().any(|day| self.is_within(inner, outer, *day))
            };
            pairs.into_iter().any(nested)
        })
    }

    fn refuses_derived(&self, asked: &QueryQuestion) -> bool {
        let versions = asked.indicators.iter().flat_map(|id| asked.periods.iter().map(|it| self.version(id, *it)));
        let mut versions = versions;
        (asked.share || asked.rank) && !asked.by_area
            || versions.any(|version| {
                let is_share_of = matches!(version.kind, Kind::Ratio | Kind::Mean);
                asked.rate && version.rate.is_none()
                    || asked.share && is_share_of
                    || !asked.benchmark_areas.is_empty() && !is_share_of && !asked.rate
            })
    }

    /// Whether the catalogue has what a submission names, and the agency reports for its areas.
    pub(crate) fn knows(&self, submission: &Submission) -> bool {
        let agency = self.agencies.iter().find(|agency| agency.id == submission.agency);
        agency.is_some_and(|agency| {
            submission.observations.iter().all(|it| {
                let Some(version) = self.versions_of(&it.indicator).next() else { return false };
                let version = self.version(&version.id, it.period);
                agency.areas.contains(&it.area)
                    && version.takes(it.period)
                    && it.breakdown.iter().all(|(dimension, _)| version.dimensions.contains(dimension))
                    && matches!(it.value.measure, Some(Measure::Number(number)) if number.scale() <= version.decimals)
            })
        })
    }

    /// Whether a submission is taken, of what the catalogue has.
    pub(crate) fn takes(&self, submission: &Submission) -> bool {
        submission.observations.iter().all(|it| {
            let version = self.version(&it.indicator, it.period);
            let is_provisional = it.value.markers.contains(Marker::Provisional);
            self.is_of(&it.area, it.period) && self.is_over(version, it.period, is_provisional)
        })
    }

    /// 4.3: "a figure isn't taken for a period that isn't over: before the day after its last day, or for a stock before
    /// its last day. An indicator whose `unfinished_periods` is *to date* takes one marked `p` for a period that has
    /// begun (never for a stock)."
    fn is_over(&self, version: &IndicatorVersion, period: Period, is_provisional: bool) -> bool {
        if version.kind == Kind::Stock {
            return period.end() <= self.today;
        }
        let to_date = version.unfinished_periods == UnfinishedPeriods::ToDate && is_provisional;
        period.end() < self.today || (to_date && period.start() <= self.today)
    }
}

/// A period and everything that it is built from.
fn parts(period: Period) -> Vec<Period> {
    next_finer(period).into_iter().flat_map(parts).chain([period]).collect()
}

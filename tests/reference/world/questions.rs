//! Questions about a random world.

use conspectus::catalogue::items::AreaLevel;
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId};
use conspectus::model::observation::Observation;
use conspectus::model::period::{Frequency, Period};
use conspectus::model::timestamp::Timestamp;

use super::catalogue::PEOPLE;
use super::{DAY_MICROS, Lived, World};
use crate::answer;
use crate::model::question::{
    AsOf, Comparison, CompletenessQuestion, ExplainQuestion, HistoryQuestion, PictureQuestion, QueryQuestion, Question,
    ReconcileQuestion, What,
};
use crate::model::sight::Sight;

/// What a question may name, and what it is about.
struct Matter {
    codes: Vec<AreaCode>,
    ids: Vec<IndicatorId>,
    agencies: Vec<AgencyId>,
    seen: Option<Observation>,
    about: IndicatorId,
    area: AreaCode,
    period: Period,
}

impl World {
    /// When it is asked, and as of when.
    fn asked_when(&mut self, lived: &Lived) -> Question {
        let now = Timestamp(lived.newest_at().0 + self.random.between(0, 500) * DAY_MICROS / 2);
        let newest = lived.entries.len();
        let first = lived.entries[0].at.0;
        let as_of = match self.random.below(10) {
            0 | 1 => AsOf::Revision(1 + self.random.below(newest)),
            2 | 3 => AsOf::Time(Timestamp(self.random.between(first, now.0))),
            _ => AsOf::Now,
        };
        let nothing = HistoryQuestion {
            indicator: "none".parse().unwrap(),
            area: "none".parse().unwrap(),
            period: "2021-04".parse().unwrap(),
            agency: "none".parse().unwrap(),
            breakdown: "".parse().unwrap(),
        };
        Question { now, as_of, what: What::History(nothing) }
    }

    /// Most often about something that was sent, where it was sent for, or above.
    fn matter(&mut self, sight: &Sight) -> Matter {
        self.matter_but(sight, "")
    }

    fn matter_but(&mut self, sight: &Sight, unwanted: &str) -> Matter {
        let codes: Vec<_> = sight.areas.iter().map(|area| area.code.clone()).collect();
        let mut ids = sight.indicator_ids();
        if ids.iter().any(|id| id.as_str() != unwanted) {
            ids.retain(|id| id.as_str() != unwanted);
        }
        let sent = self.sent_observations();
        let sent: Vec<_> = sent.into_iter().filter(|it| ids.contains(&it.indicator)).collect();
        let seen =
            if sent.is_empty() || self.random.percent(15) { None } else { Some(self.random.pick(&sent).clone()) };
        let about = seen.as_ref().map_or_else(|| self.random.pick(&ids).clone(), |it| it.indicator.clone());
        let period = self.asked_period(&about, seen.as_ref().map(|it| it.period));
        let mut area = self.random.pick(&codes).clone();
        if let Some(seen) = seen.as_ref().filter(|it| codes.contains(&it.area)) {
            area = seen.area.clone();
            while let Some(parent) = sight.parent(&area, period.end()).filter(|_| self.random.percent(45)) {
                area = parent.clone();
            }
        }
        Matter { codes, ids, agencies: sight.agency_ids(), seen, about, area, period }
    }

    pub(crate) fn question(&mut self, lived: &Lived) -> Question {
        if self.random.percent(40) { self.about_picture(lived) } else { self.about_rows(lived, |_| {}) }
    }

    fn comparison(&mut self, period: Period) -> Option<Comparison> {
        match self.random.below(6) {
            0 => None,
            1 => Some(Comparison::YearBefore),
            2 => {
                let before: Vec<_> = std::iter::successors(period.previous(), |it| it.previous()).take(4).collect();
                Some(Comparison::With(*self.random.pick(&before)))
            }
            _ => Some(Comparison::PreviousPeriod),
        }
    }

    pub(crate) fn about_picture(&mut self, lived: &Lived) -> Question {
        let question = self.asked_when(lived);
        let sight = answer::sight(lived, &question).2;
        let matter = self.matter(&sight);
        let indicators = if self.random.percent(30) { self.random.some(&matter.ids, 50) } else { vec![] };
        let comparison = self.comparison(matter.period);
        let areas_now = self.random.percent(15);
        let Matter { area, period, .. } = matter;
        let what = What::Picture(PictureQuestion { area, period, indicators, comparison, areas_now });
        Question { what, ..question }
    }

    /// A query, with something else asked of it.
    pub(crate) fn about_rows(&mut self, lived: &Lived, change: impl Fn(&mut QueryQuestion)) -> Question {
        self.about_rows_but(lived, "", change)
    }

    fn about_rows_but(&mut self, lived: &Lived, unwanted: &str, change: impl Fn(&mut QueryQuestion)) -> Question {
        let question = self.asked_when(lived);
        let sight = answer::sight(lived, &question).2;
        let matter = self.matter_but(&sight, unwanted);
        let mut indicators = vec![matter.about.clone()];
        if self.random.percent(15) {
            indicators.clone_from(&matter.ids);
        }
        let mut areas = if self.random.percent(40) { self.random.some(&matter.codes, 30) } else { vec![] };
        areas.push(matter.area.clone());
        areas.sort();
        areas.dedup();
        let levels = [AreaLevel::UpperTier, AreaLevel::UpperTier, AreaLevel::District];
        let area_level = if self.random.percent(15) { Some(*self.random.pick(&levels)) } else { None };
        let some = self.random.some(&matter.agencies, 50);
        let agencies = if self.random.percent(40) { some } else { vec![] };
        let periods = self.asked_periods(matter.period);
        let comparison = self.comparison(periods[0]);
        let areas_now = self.random.percent(15);
        let across_breaks = self.random.percent(20);
        let mut by = || self.random.percent(40);
        let (by_indicator, by_area, by_agency) = (by() || indicators.len() > 1, by(), by());
        let by_period = by();
        let is_with = matches!(comparison, Some(Comparison::With(_)));
        let comparison = comparison.filter(|_| (by() || by_period) && (!is_with || periods.len() == 1));
        let mut asked = QueryQuestion {
            indicators,
            areas,
            area_level,
            agencies,
            periods,
            breakdown: matter.seen.map_or_else(|| self.breakdown(), |it| it.breakdown),
            by_indicator,
            by_area,
            by_agency,
            by_period,
            comparison,
            across_breaks,
            areas_now,
            year_to_date: false,
            by_dimension: None,
            rate: false,
            share: false,
            rank: false,
            benchmark_areas: vec![],
        };
        change(&mut asked);
        Question { what: What::Query(Box::new(asked)), ..question }
    }

    /// A query of every area of a level or of some, each in a row of its own.
    pub(crate) fn about_areas(&mut self, lived: &Lived, change: impl Fn(&mut QueryQuestion)) -> Question {
        let wide = self.random.percent(50);
        let by_dimension = self.random.percent(30);
        let by_period = self.random.percent(40);
        // Rates are of others.
        let unwanted = if self.random.percent(80) { PEOPLE } else { "" };
        self.about_rows_but(lived, unwanted, |asked| {
            asked.by_area = true;
            asked.comparison = None;
            asked.indicators.truncate(1);
            asked.by_period |= by_period;
            if by_dimension {
                asked.by_dimension = Some("sex".parse().unwrap());
                asked.breakdown = "".parse().unwrap();
            }
            if wide {
                asked.areas = vec!["P".parse().unwrap()];
                asked.area_level = Some(AreaLevel::UpperTier);
            }
            change(asked);
        })
    }

    pub(crate) fn about_explanation(&mut self, lived: &Lived) -> Question {
        let question = self.asked_when(lived);
        let sight = answer::sight(lived, &question).2;
        let matter = self.matter(&sight);
        let agency = if self.random.percent(30) { None } else { Some(self.random.pick(&matter.agencies).clone()) };
        let breakdown = matter.seen.map(|it| it.breakdown).unwrap_or_default();
        let (indicator, area, period) = (matter.about, matter.area, matter.period);
        let what = What::Explain(ExplainQuestion { indicator, area, period, agency, breakdown });
        Question { what, ..question }
    }

    pub(crate) fn about_history(&mut self, lived: &Lived) -> Question {
        let question = Question { as_of: AsOf::Now, ..self.asked_when(lived) };
        let sight = answer::sight(lived, &question).2;
        let matter = self.matter(&sight);
        let agency = self.random.pick(&matter.agencies).clone();
        let (indicator, area, period, breakdown) = match matter.seen {
            Some(seen) if matter.codes.contains(&seen.area) => (seen.indicator, seen.area, seen.period, seen.breakdown),
            _ => (matter.about, matter.area, matter.period, "".parse().unwrap()),
        };
        Question { what: What::History(HistoryQuestion { indicator, area, period, agency, breakdown }), ..question }
    }

    pub(crate) fn about_completeness(&mut self, lived: &Lived) -> Question {
        let question = self.asked_when(lived);
        let sight = answer::sight(lived, &question).2;
        let matter = self.matter(&sight);
        let mut periods = self.asked_periods(matter.period);
        if self.random.percent(20) {
            periods.push(Period::of(Frequency::FinancialYear, periods[0].end()).unwrap());
        }
        periods.sort();
        periods.dedup();
        let indicators = if self.random.percent(70) { vec![matter.about] } else { vec![] };
        let agencies = if self.random.percent(30) { self.random.some(&matter.agencies, 50) } else { vec![] };
        let late_only = self.random.percent(10);
        let area = matter.area;
        let what = What::Completeness(CompletenessQuestion { area, periods, indicators, agencies, late_only });
        Question { what, ..question }
    }

    pub(crate) fn about_reconciliation(&mut self, lived: &Lived) -> Question {
        let question = self.asked_when(lived);
        let sight = answer::sight(lived, &question).2;
        let matter = self.matter(&sight);
        let mut areas = self.random.some(&matter.codes, 60);
        areas.push(matter.area);
        areas.sort();
        areas.dedup();
        let area_level = if self.random.percent(25) { Some(AreaLevel::UpperTier) } else { None };
        let periods = self.asked_periods(matter.period);
        let include_agreeing = self.random.percent(50);
        let what = What::Reconcile(ReconcileQuestion { rules: vec![], areas, area_level, periods, include_agreeing });
        Question { what, ..question }
    }

    /// A period of the indicator's frequency, or a longer one that holds one.
    fn asked_period(&mut self, id: &IndicatorId, seen: Option<Period>) -> Period {
        let own = seen.unwrap_or_else(|| self.period_for(id));
        use Frequency as F;
        let likely = [F::Month, F::Quarter, F::Quarter, F::HalfYear, F::FinancialYear, F::FinancialYear];
        let all = [likely.as_slice(), &[F::CalendarYear, F::AcademicYear]].concat();
        let frequency = *self.random.pick(&all);
        if self.random.percent(35) { Period::of(frequency, own.end()).unwrap() } else { own }
    }

    /// One period, or a run of them, or some.
    fn asked_periods(&mut self, first: Period) -> Vec<Period> {
        let mut periods = vec![if self.random.percent(15) { first.previous().unwrap() } else { first }];
        if self.random.percent(40) {
            let following = std::iter::successors(periods[0].next(), |period| period.next());
            let count = 1 + self.random.below(5);
            periods.extend(following.take(count).filter(|_| self.random.percent(90)));
            if self.random.percent(10) {
                periods.push(self.period_of(Frequency::Quarter));
            }
        }
        periods.sort();
        periods.dedup();
        periods
    }
}

//! What is submitted in a random world.

use conspectus::catalogue::items::{Agency, IndicatorVersion, Kind, UnfinishedPeriods};
use conspectus::model::decimal::Decimal;
use conspectus::model::id::IndicatorId;
use conspectus::model::marker::{Marker, Markers};
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::period::{Frequency, Period};
use conspectus::model::submission::Submission;

use super::catalogue::{PEOPLE, number};
use super::{World, day};
use crate::model::periods::{cut, is_same};

const OBSERVATIONS_MAX: usize = 9;

impl World {
    pub(super) fn period_of(&mut self, frequency: Frequency) -> Period {
        if frequency == Frequency::Quarter && self.random.percent(30) {
            let names = ["CY2021-Q1", "CY2021-Q2", "CY2021-Q3", "CY2021-Q4", "CY2022-Q1", "CY2022-Q2"];
            return self.random.pick(&names).parse().unwrap();
        }
        // Mostly one financial year, so that figures meet.
        let offset = if self.random.percent(75) { self.random.between(0, 364) } else { self.random.between(-400, 500) };
        let date = day("2021-04-01").plus_days(i32::try_from(offset).unwrap());
        let period = Period::of(frequency, date).unwrap();
        let closing = frequency == Frequency::Day && self.random.percent(85);
        let longer = *self.random.pick(&[Frequency::Month, Frequency::Month, Frequency::Quarter, Frequency::Week]);
        if closing { Period::of(Frequency::Day, Period::of(longer, date).unwrap().end()).unwrap() } else { period }
    }

    /// A period that a version of the indicator takes, most often one of its own frequency.
    pub(super) fn period_for(&mut self, id: &IndicatorId) -> Period {
        let versions: Vec<_> = self.indicators.iter().filter(|version| version.id == *id).cloned().collect();
        let own = self.random.pick(&versions).clone();
        let any = *self.random.pick(Frequency::ALL);
        let wanted = match self.random.below(10) {
            0..6 => own.frequency,
            6..8 if own.kind == Kind::Stock => Frequency::Day,
            _ => any,
        };
        let period = self.period_of(wanted);
        if own.takes(period) { period } else { self.period_of(own.frequency) }
    }

    fn in_force(&self, id: &IndicatorId, period: Period) -> Option<IndicatorVersion> {
        let versions = self.indicators.iter().filter(|version| version.id == *id);
        let in_force = versions.filter(|version| version.effective_from.is_none_or(|from| from <= period.end()));
        in_force.max_by_key(|version| version.effective_from).cloned()
    }

    fn observations(&mut self, agency: &Agency) -> Vec<Observation> {
        let ids: Vec<_> = self.indicators.iter().map(|version| version.id.clone()).collect();
        let id = self.random.pick(&ids).clone();
        let breakdown = self.breakdown();
        let first = self.period_for(&id);
        let one_area = self.random.percent(40).then(|| self.random.pick(&agency.areas).clone());
        let one_period = self.random.percent(40);
        // A part and what it is a part of, now and then.
        let parts: Vec<Period> = [Frequency::Month, Frequency::Quarter, Frequency::HalfYear]
            .into_iter()
            .flat_map(|frequency| cut(first, frequency))
            .collect();
        let count = 1 + self.random.below(OBSERVATIONS_MAX);
        let mut observations = Vec::new();
        for _ in 0..count {
            let area = one_area.clone().unwrap_or_else(|| self.random.pick(&agency.areas).clone());
            let period = match self.random.below(10) {
                _ if one_period => first,
                0..3 => first,
                3 => first.previous().unwrap(),
                4..8 if !parts.is_empty() => *self.random.pick(&parts),
                _ => self.period_for(&id),
            };
            let value = self.value(&id, period);
            observations.push(Observation {
                indicator: id.clone(),
                area,
                period,
                breakdown: breakdown.clone(),
                value,
                note: None,
                explanations: Vec::new(),
            });
        }
        observations
    }

    pub(super) fn breakdown(&mut self) -> Breakdown {
        let texts = ["", "", "", "", "", "", "", "sex=f", "sex=m"];
        self.random.pick(&texts).parse().unwrap()
    }

    fn value(&mut self, id: &IndicatorId, period: Period) -> Value {
        let version = self.in_force(id, period);
        let unfinished = version.as_ref().is_some_and(|it| it.unfinished_periods == UnfinishedPeriods::ToDate)
            && period.end() >= self.today();
        let (kind, scale) = version.map_or((Kind::Events, 0), |version| (version.kind, version.decimals));
        let mut markers = Markers::NONE;
        for marker in [Marker::Unreliable, Marker::Estimated, Marker::Provisional, Marker::Revised, Marker::Break] {
            if self.random.percent(5) {
                markers = markers.with(marker);
            }
        }
        if unfinished && self.random.percent(90) {
            markers = markers.with(Marker::Provisional);
        }
        if self.random.percent(10) {
            let absences = [Marker::Confidential, Marker::NotAvailable, Marker::NotApplicable, Marker::Low];
            return Value { measure: None, markers: markers.with(*self.random.pick(&absences)) };
        }
        let measure = match kind {
            // One of sixteen is 6.25%, a half at one decimal. Few numbers, so that some are equal.
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount if self.random.percent(35) => {
                Measure::Number(number(*self.random.pick(&[0, 4, 4, 16, 17, 19]), 0))
            }
            Kind::Events | Kind::Stock | Kind::Distinct => Measure::Number(self.number(0, 40, scale)),
            Kind::Amount => Measure::Number(self.number(-40, 60, scale)),
            // Bases whose quotients often end in a half.
            Kind::Ratio if self.random.percent(60) => {
                let denominator = *self.random.pick(&[0, 1, 3, 7, 8, 16, 16, 40, 80]);
                let numerator = self.random.between(0, denominator);
                Measure::Ratio { numerator: number(numerator, 0), denominator: number(denominator, 0) }
            }
            Kind::Ratio => {
                let base = *self.random.pick(&[0, 3, 8, 20]);
                Measure::Percentage { percent: self.number(0, 100, 1), base: number(base, 0) }
            }
            Kind::Mean => {
                let count = *self.random.pick(&[0, 1, 2, 4, 4, 7]);
                Measure::Mean { mean: self.number(-9, 30, 1), count: number(count, 0) }
            }
        };
        Value { measure: Some(measure), markers }
    }

    fn number(&mut self, low: i64, high: i64, scale: u8) -> Decimal {
        let scale = u8::try_from(self.random.below(usize::from(scale) + 1)).unwrap();
        let factor = 10_i64.pow(scale.into());
        number(self.random.between(low * factor, high * factor), scale)
    }

    pub(super) fn submission(&mut self) {
        let agency = self.random.pick(&self.agencies).clone();
        if agency.areas.is_empty() {
            return;
        }
        let mut observations = self.observations(&agency);
        if self.random.percent(30) {
            observations.extend(self.observations(&agency));
        }
        self.send_observations(&agency, observations);
    }

    /// People of some areas on one day, or on two.
    pub(super) fn population(&mut self) {
        let agency = self.random.pick(&self.agencies).clone();
        let id: IndicatorId = PEOPLE.parse().unwrap();
        let breakdowns = if self.random.percent(40) { vec!["", "sex=f", "sex=m"] } else { vec![""] };
        let mut observations = Vec::new();
        for _ in 0..=self.random.below(2) {
            // Most often before what it is the population of.
            let days = ["2019-06-30", "2020-02-29", "2020-06-30", "2021-03-31", "2021-06-30", "2021-12-31"];
            let before = self.random.pick::<&str>(&days).parse().unwrap();
            let period = if self.random.percent(70) { before } else { self.period_for(&id) };
            let often = *self.random.pick(&[60, 100, 100]);
            for area in self.random.some(&agency.areas, often) {
                for breakdown in &breakdowns {
                    let (breakdown, value) = (breakdown.parse().unwrap(), self.value(&id, period));
                    let area = area.clone();
                    observations.push(Observation {
                        indicator: id.clone(),
                        area,
                        period,
                        breakdown,
                        value,
                        note: None,
                        explanations: Vec::new(),
                    });
                }
            }
        }
        self.send_observations(&agency, observations);
    }

    /// Some figures that were sent before, as they were, written another way, or different.
    pub(super) fn again(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let earlier = self.random.pick(&self.sent).clone();
        let Some(agency) = self.agencies.iter().find(|agency| agency.id == earlier.agency).cloned() else { return };
        let observations: Vec<_> = earlier.observations.iter().collect();
        let mut observations = if self.random.percent(50) { observations } else { self.random.some(&observations, 60) };
        for observation in &mut observations {
            if self.random.percent(40) {
                observation.value = self.value(&observation.indicator, observation.period);
            } else if let (Some(Measure::Number(it)), true) = (observation.value.measure, self.random.percent(50)) {
                // 5.0 for 5.
                let longer = Decimal::new(it.mantissa() * 10, it.scale() + 1);
                observation.value.measure = longer.map(Measure::Number).or(observation.value.measure);
            }
        }
        self.send_observations(&agency, observations);
    }

    /// Sends those that the catalogue takes, each figure once.
    fn send_observations(&mut self, agency: &Agency, observations: Vec<Observation>) {
        let mut unique: Vec<Observation> = Vec::new();
        let today = self.today();
        for observation in observations {
            let is_same_figure = |other: &Observation| {
                (&other.indicator, &other.area, &other.breakdown)
                    == (&observation.indicator, &observation.area, &observation.breakdown)
                    && is_same(other.period, observation.period)
            };
            let version = self.in_force(&observation.indicator, observation.period);
            let is_taken = version.is_some_and(|version| {
                let decimals = match observation.value.measure {
                    Some(Measure::Number(number)) => number.scale(),
                    _ => 0,
                };
                version.takes(observation.period)
                    && decimals <= version.decimals
                    && (observation.breakdown.is_total() || !version.dimensions.is_empty())
                    && is_over(&version, &observation, today)
            });
            // What isn't over, or ended, is sent now and then: it must be refused.
            let area = self.areas.iter().find(|area| area.code == observation.area).unwrap();
            let has_ended = !area.validity().holds(observation.period.end());
            let is_tried = self.random.percent(1);
            if ((is_taken && !has_ended) || is_tried) && !unique.iter().any(is_same_figure) {
                unique.push(observation);
            }
        }
        if unique.is_empty() {
            return;
        }
        self.requests += 1;
        let submission = Submission {
            agency: agency.id.clone(),
            request_id: format!("r{}", self.requests).parse().unwrap(),
            source: String::new(),
            sample: self.random.percent(10),
            reason: String::new(),
            return_id: None,
            observations: unique.into_iter().collect(),
        };
        self.submit(submission);
    }

    /// Everything that was sent, admitted or not.
    pub(crate) fn sent_observations(&self) -> Vec<Observation> {
        self.sent.iter().flat_map(|it| it.observations.iter()).collect()
    }
}

fn is_over(version: &IndicatorVersion, observation: &Observation, today: conspectus::model::date::Date) -> bool {
    let period = observation.period;
    match version.kind {
        Kind::Stock => period.end() <= today,
        Kind::Events | Kind::Distinct | Kind::Ratio | Kind::Mean | Kind::Amount => {
            let to_date = version.unfinished_periods == UnfinishedPeriods::ToDate
                && observation.value.markers.contains(Marker::Provisional);
            period.end() < today || (to_date && period.start() <= today)
        }
    }
}

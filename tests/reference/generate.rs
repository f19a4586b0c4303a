//! Random small worlds: a history of commands and questions about it, each from a seed.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, Category, Dimension, ExpectedAgency, IndicatorVersion, Kind,
    Polarity, Sector, UnfinishedPeriods, Validity,
};
use conspectus::entry::{Entry, Withdrawal};
use conspectus::model::date::Date;
use conspectus::model::decimal::{Decimal, Rounding};
use conspectus::model::id::IndicatorId;
use conspectus::model::marker::{Marker, Markers};
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::period::{Frequency, Period};
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::picture::change::Comparison;
use conspectus::state::State;

use crate::command::Command;
use crate::fixture::{day, submit};
use crate::model::cut;
use crate::question::{AggregateQuestion, PictureQuestion, Question, What};

/// SplitMix64 (Steele, Lea and Flood, 2014): one number from another, the same on every machine.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.below(usize::try_from(high - low + 1).unwrap())).unwrap()
    }

    /// Whether something happens that does so often, in a hundred.
    pub(crate) fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    pub(crate) fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }

    fn some<T: Clone>(&mut self, items: &[T], often: usize) -> Vec<T> {
        items.iter().filter(|_| self.percent(often)).cloned().collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// The commands of a history, in order, and the day of the first.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) commands: Vec<Command>,
}

/// The entries that were admitted, and the state that they made.
pub(crate) struct Lived {
    pub(crate) entries: Vec<Entry>,
    pub(crate) state: State,
}

/// Every period that is used has begun by then.
const FIRST_INSTANT: Timestamp = Timestamp(1_704_067_200_000_000);
const HOUR_MICROS: i64 = 3_600_000_000;

impl History {
    /// Admits and applies each command; those that are refused, or change nothing, are left out.
    pub(crate) fn live(&self) -> Lived {
        let mut lived = Lived { entries: Vec::new(), state: State::default() };
        for (command, hours) in self.commands.iter().zip(0..) {
            lived.take(command, Timestamp(FIRST_INSTANT.0 + hours * HOUR_MICROS));
        }
        lived
    }
}

impl Lived {
    pub(crate) fn take(&mut self, command: &Command, at: Timestamp) {
        if let Ok(Some(entry)) = command.admit(&self.state, at) {
            self.state.apply(&entry);
            self.entries.push(entry);
        }
    }
}

const AGENCIES: [&str; 3] = ["police", "health", "care"];
const SUBMISSIONS_MAX: usize = 10;
const OBSERVATIONS_MAX: usize = 7;

/// What a world is made of, as it is being made.
pub(crate) struct World {
    pub(crate) random: Random,
    areas: Vec<Area>,
    agencies: Vec<Agency>,
    indicators: Vec<IndicatorVersion>,
    commands: Vec<Command>,
    sent: Vec<Submission>,
    requests: usize,
}

/// A random history.
pub(crate) fn history(random: Random) -> (History, World) {
    let mut world = World {
        random,
        areas: Vec::new(),
        agencies: Vec::new(),
        indicators: Vec::new(),
        commands: Vec::new(),
        sent: Vec::new(),
        requests: 0,
    };
    world.first_put();
    for _ in 0..1 + world.random.below(SUBMISSIONS_MAX) {
        match world.random.below(100) {
            0..64 => world.submission(),
            64..76 => world.again(),
            76..88 => world.withdrawal(),
            _ => world.catalogue_change(),
        }
    }
    (History { commands: std::mem::take(&mut world.commands) }, world)
}

impl World {
    fn first_put(&mut self) {
        let top = area("P", AreaLevel::Partnership, vec![]);
        let mut areas = vec![top];
        for code in ["U1", "U2", "U3"] {
            let parents = self.parents(&["P"]);
            areas.push(area(code, AreaLevel::UpperTier, parents));
        }
        for code in ["D1", "D2", "D3"] {
            let parents = self.parents(&["U1", "U2"]);
            areas.push(area(code, AreaLevel::District, parents));
        }
        let kept = 3 + self.random.below(5);
        let late = areas.split_off(kept.min(areas.len()));
        self.areas = areas;
        let codes: Vec<_> = self.areas.iter().map(|area| area.code.clone()).collect();
        let mut ids = AGENCIES;
        self.random.shuffle(&mut ids);
        for id in &ids[..1 + self.random.below(AGENCIES.len())] {
            let areas = if self.random.percent(60) { codes.clone() } else { self.random.some(&codes, 60) };
            let (id, name, sector) = (id.parse().unwrap(), (*id).to_owned(), Sector::Other);
            self.agencies.push(Agency { id, name, sector, areas });
        }
        for id in ["first", "second"] {
            if self.indicators.is_empty() || self.random.percent(40) {
                let version = self.version(id);
                self.indicators.push(version);
            }
        }
        if self.random.percent(40) {
            self.later_version();
        }
        let categories = ["f", "m"].map(|id| Category { id: id.parse().unwrap(), title: id.to_owned() }).to_vec();
        let dimension = Dimension { id: "sex".parse().unwrap(), title: "Sex".to_owned(), categories };
        let mut put = CataloguePut {
            areas: self.areas.clone(),
            agencies: self.agencies.clone(),
            dimensions: vec![dimension],
            indicators: self.indicators.clone(),
            reconciliation_rules: vec![],
        };
        self.random.shuffle(&mut put.areas);
        self.commands.push(Command::PutCatalogue(put));
        self.areas.extend(late);
    }

    /// One parent throughout, or another one from a day on.
    fn parents(&mut self, codes: &[&str]) -> Vec<AreaParent> {
        let parent = |code: &str, valid_from, valid_to| AreaParent {
            code: code.parse().unwrap(),
            validity: Validity { valid_from, valid_to },
        };
        let first = *self.random.pick(codes);
        let change = self.change_day();
        match self.random.below(10) {
            0 => vec![],
            1 => vec![parent(first, Some(change), None)],
            2 => vec![parent(first, None, Some(change))],
            3 | 4 if codes.len() > 1 => {
                let other = codes.iter().find(|code| **code != first).unwrap();
                vec![parent(first, None, Some(change.plus_days(-1))), parent(other, Some(change), None)]
            }
            _ => vec![parent(first, None, None)],
        }
    }

    /// A day on which something changes: mostly the first of a quarter.
    fn change_day(&mut self) -> Date {
        let days = ["2021-04-01", "2021-07-01", "2021-08-01", "2021-10-01", "2022-01-01", "2022-03-31", "2022-04-01"];
        day(self.random.pick::<&str>(&days))
    }

    fn version(&mut self, id: &str) -> IndicatorVersion {
        use Frequency as F;
        let kind = *self.random.pick(Kind::ALL);
        let many = [F::Month, F::Month, F::Month, F::Quarter, F::Quarter, F::Quarter, F::HalfYear];
        let few = [F::FinancialYear, F::CalendarYear, F::AcademicYear, F::Week, F::Day];
        let mut frequency = if self.random.percent(80) { *self.random.pick(&many) } else { *self.random.pick(&few) };
        if frequency == F::Day && kind != Kind::Stock {
            frequency = F::Month;
        }
        let mut version = IndicatorVersion {
            id: id.parse().unwrap(),
            effective_from: None,
            title: id.to_owned(),
            definition: String::new(),
            unit: "things".to_owned(),
            kind,
            decimals: u8::try_from(self.random.below(3)).unwrap(),
            rounding: Rounding::HalfUp,
            polarity: Polarity::Neutral,
            frequency,
            due_days: 0,
            reporting_level: AreaLevel::UpperTier,
            across_agencies: AcrossAgencies::Add,
            lead_agency: None,
            expected_agencies: vec![],
            dimensions: self.random.some(&["sex".parse().unwrap()], 60),
            breaks_comparability: false,
            version_note: String::new(),
            source: String::new(),
            rate: None,
            unfinished_periods: UnfinishedPeriods::Refused,
        };
        self.vary(&mut version);
        version
    }

    /// What may differ from version to version.
    fn vary(&mut self, version: &mut IndicatorVersion) {
        version.rounding = *self.random.pick(Rounding::ALL);
        version.due_days = *self.random.pick(&[0, 1, 30, 90, 400]);
        let levels = [AreaLevel::Partnership, AreaLevel::UpperTier, AreaLevel::UpperTier, AreaLevel::District];
        version.reporting_level = *self.random.pick(&levels);
        version.across_agencies = *self.random.pick(AcrossAgencies::ALL);
        let ids: Vec<_> = self.agencies.iter().map(|agency| agency.id.clone()).collect();
        let lead = self.random.pick(&ids).clone();
        version.lead_agency = (version.across_agencies == AcrossAgencies::Lead).then_some(lead);
        version.expected_agencies.clear();
        for agency in self.random.some(&ids, 70) {
            let change = self.change_day();
            let (valid_from, valid_to) = match self.random.below(8) {
                0 => (Some(change), None),
                1 => (None, Some(change)),
                _ => (None, None),
            };
            let validity = Validity { valid_from, valid_to };
            version.expected_agencies.push(ExpectedAgency { agency, validity });
        }
    }

    fn later_version(&mut self) {
        let mut version = self.random.pick(&self.indicators).clone();
        version.effective_from = Some(self.change_day());
        version.breaks_comparability = self.random.percent(50);
        if self.random.percent(70) {
            self.vary(&mut version);
        }
        if self.random.percent(20) {
            version.decimals = u8::try_from(self.random.below(3)).unwrap();
        }
        if self.random.percent(15) {
            version.frequency = *self.random.pick(&[Frequency::Month, Frequency::Quarter, Frequency::HalfYear]);
        }
        let is_same =
            |known: &IndicatorVersion| known.id == version.id && known.effective_from == version.effective_from;
        self.indicators.retain(|known| !is_same(known));
        self.indicators.push(version);
    }

    fn catalogue_change(&mut self) {
        let mut put = CataloguePut::default();
        match self.random.below(5) {
            0 => {
                // Areas that weren't there before, for everyone.
                put.areas.clone_from(&self.areas);
                let codes: Vec<_> = self.areas.iter().map(|area| area.code.clone()).collect();
                self.agencies.iter_mut().for_each(|agency| agency.areas.clone_from(&codes));
                put.agencies.clone_from(&self.agencies);
            }
            1 => {
                let at = self.random.below(self.areas.len());
                let is_upper_tier = self.areas[at].level == AreaLevel::UpperTier;
                let parents = self.parents(if is_upper_tier { &["P"] } else { &["U1", "U2"] });
                if at > 0 {
                    self.areas[at].parents = parents;
                }
                put.areas.push(self.areas[at].clone());
            }
            2 => {
                if let Some(id) = AGENCIES.into_iter().find(|id| self.agencies.iter().all(|it| it.id.as_str() != *id)) {
                    let areas = self.areas.iter().take(3).map(|area| area.code.clone()).collect();
                    let (id, name, sector) = (id.parse().unwrap(), id.to_owned(), Sector::Other);
                    self.agencies.push(Agency { id, name, sector, areas });
                }
                put.agencies.clone_from(&self.agencies);
            }
            3 => {
                let version = self.version("third");
                if self.indicators.iter().all(|known| known.id != version.id) {
                    self.indicators.push(version);
                }
                put.indicators.extend(self.indicators.last().cloned());
            }
            _ => {
                self.later_version();
                put.indicators.extend(self.indicators.last().cloned());
            }
        }
        self.commands.push(Command::PutCatalogue(put));
    }

    fn period_of(&mut self, frequency: Frequency) -> Period {
        if frequency == Frequency::Quarter && self.random.percent(30) {
            let names = ["CY2021-Q1", "CY2021-Q2", "CY2021-Q3", "CY2021-Q4", "CY2022-Q1", "CY2022-Q2"];
            return self.random.pick(&names).parse().unwrap();
        }
        // Mostly one financial year, so that figures meet.
        let offset = if self.random.percent(75) { self.random.between(0, 364) } else { self.random.between(-400, 800) };
        let date = day("2021-04-01").plus_days(i32::try_from(offset).unwrap());
        let period = Period::of(frequency, date).unwrap();
        let closing = frequency == Frequency::Day && self.random.percent(85);
        let longer = *self.random.pick(&[Frequency::Month, Frequency::Month, Frequency::Quarter, Frequency::Week]);
        if closing { Period::of(Frequency::Day, Period::of(longer, date).unwrap().end()).unwrap() } else { period }
    }

    /// A period that a version of the indicator takes, most often one of its own frequency.
    fn period_for(&mut self, id: &IndicatorId) -> Period {
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

    fn observations(&mut self, agency: &Agency) -> Vec<Observation> {
        let id = self.random.pick(&self.indicators).id.clone();
        let period = self.period_for(&id);
        let area = self.random.pick(&agency.areas).clone();
        let few = 1 + self.random.below(OBSERVATIONS_MAX);
        let breakdown = self.breakdown();
        // One figure; or a run of periods, most often whole years; or all areas; or anything.
        let cells: Vec<_> = match self.random.below(10) {
            0 => vec![(area, period)],
            1..4 => {
                let lengths = [Frequency::FinancialYear, Frequency::HalfYear, Frequency::Quarter];
                let length = *self.random.pick(&lengths);
                let span = self.period_of(length);
                let tiles = cut(span, period.frequency());
                let tiles = if tiles.is_empty() { vec![period] } else { tiles };
                let run = if self.random.percent(60) { tiles } else { self.random.some(&tiles, 70) };
                run.into_iter().map(|tile| (area.clone(), tile)).collect()
            }
            4 => agency.areas.iter().map(|area| (area.clone(), period)).collect(),
            5 | 6 => {
                // A whole year, or nearly, of every area of one level.
                let level = *self.random.pick(&[AreaLevel::UpperTier, AreaLevel::UpperTier, AreaLevel::District]);
                let of_level = self.areas.iter().filter(|it| it.level == level && agency.areas.contains(&it.code));
                let codes: Vec<_> = of_level.map(|it| it.code.clone()).collect();
                let tiles = cut("FY2021-22".parse().unwrap(), period.frequency());
                let tiles = if tiles.is_empty() { vec![period] } else { tiles };
                let often = *self.random.pick(&[100, 100, 95]);
                let all = codes.iter().flat_map(|code| tiles.iter().map(move |tile| (code.clone(), *tile)));
                all.filter(|_| self.random.percent(often)).collect()
            }
            _ => (0..few).map(|_| (self.random.pick(&agency.areas).clone(), self.period_for(&id))).collect(),
        };
        let cells = cells.into_iter();
        cells
            .map(|(area, period)| {
                let value = self.value(&id, period);
                Observation { indicator: id.clone(), area, period, breakdown: breakdown.clone(), value, note: None }
            })
            .collect()
    }

    fn breakdown(&mut self) -> Breakdown {
        let texts = ["", "", "", "", "", "", "", "sex=f", "sex=m"];
        self.random.pick(&texts).parse().unwrap()
    }

    fn value(&mut self, id: &IndicatorId, period: Period) -> Value {
        let versions = self.indicators.iter().filter(|version| version.id == *id);
        let version = versions
            .filter(|version| version.effective_from.is_none_or(|from| from <= period.end()))
            .max_by_key(|version| version.effective_from);
        let (kind, scale) = version.map_or((Kind::Events, 0), |version| (version.kind, version.decimals));
        let mut markers = Markers::NONE;
        for marker in [Marker::Unreliable, Marker::Estimated, Marker::Provisional, Marker::Revised, Marker::Break] {
            if self.random.percent(5) {
                markers = markers.with(marker);
            }
        }
        if self.random.percent(10) {
            let absences = [Marker::Confidential, Marker::NotAvailable, Marker::NotApplicable, Marker::Low];
            return Value { measure: None, markers: markers.with(*self.random.pick(&absences)) };
        }
        let measure = match kind {
            // One of sixteen is 6.25%, a half at one decimal.
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount if self.random.percent(15) => {
                Measure::Number(number(*self.random.pick(&[16, 17, 19]), 0))
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

    fn submission(&mut self) {
        let agency = self.random.pick(&self.agencies).clone();
        if agency.areas.is_empty() {
            return;
        }
        let mut observations = self.observations(&agency);
        if self.random.percent(30) {
            observations.extend(self.observations(&agency));
        }
        self.send(&agency, observations);
    }

    /// Some figures that were sent before, as they were or different.
    fn again(&mut self) {
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
            }
        }
        self.send(&agency, observations);
    }

    fn send(&mut self, agency: &Agency, observations: Vec<Observation>) {
        let mut unique: Vec<Observation> = Vec::new();
        for observation in observations {
            let is_same = |other: &Observation| {
                (&other.indicator, &other.area, other.period.storage_key(), &other.breakdown)
                    == (
                        &observation.indicator,
                        &observation.area,
                        observation.period.storage_key(),
                        &observation.breakdown,
                    )
            };
            let versions = self.indicators.iter().filter(|version| version.id == observation.indicator);
            let version = versions
                .filter(|version| version.effective_from.is_none_or(|from| from <= observation.period.end()))
                .max_by_key(|version| version.effective_from);
            let is_taken = version.is_some_and(|version| {
                version.takes(observation.period)
                    && (observation.breakdown.is_total() || !version.dimensions.is_empty())
            });
            if is_taken && !unique.iter().any(is_same) {
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
            observations: unique.into_iter().collect(),
        };
        self.sent.push(submission.clone());
        self.commands.push(submit(submission));
    }

    fn withdrawal(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let sent = self.random.pick(&self.sent);
        let (agency, request_id) = (sent.agency.clone(), sent.request_id.clone());
        self.commands.push(Command::Withdraw(Withdrawal { agency, request_id, reason: String::new() }));
    }

    /// Everything that was sent, admitted or not.
    pub(crate) fn sent_observations(&self) -> Vec<Observation> {
        self.sent.iter().flat_map(|it| it.observations.iter()).collect()
    }

    /// A random question about what was lived. What it names is in the catalogue as of its revision.
    pub(crate) fn question(&mut self, lived: &Lived) -> Question {
        let revisions = lived.entries.len();
        let as_of = if self.random.percent(70) { revisions } else { 1 + self.random.below(revisions) };
        let sight = crate::model::Sight::of(&lived.entries, as_of, day("2022-01-01"));
        let codes: Vec<_> = sight.areas.iter().map(|area| area.code.clone()).collect();
        let ids: Vec<_> = sight.indicator_ids().into_iter().collect();
        let agencies: Vec<_> = sight.agency_ids().into_iter().collect();
        let comparison = match self.random.below(4) {
            0 => None,
            1 => Some(Comparison::YearBefore),
            _ => Some(Comparison::PreviousPeriod),
        };
        // Most often about something that was sent, where it was sent for, or above.
        let sent: Vec<_> =
            self.sent.iter().flat_map(|it| it.observations.iter()).filter(|it| ids.contains(&it.indicator)).collect();
        let seen =
            if sent.is_empty() || self.random.percent(15) { None } else { Some(self.random.pick(&sent).clone()) };
        let about = seen.as_ref().map_or_else(|| self.random.pick(&ids).clone(), |it| it.indicator.clone());
        let offset = i32::try_from(self.random.below(900)).unwrap();
        let today = day("2021-04-01").plus_days(offset);
        let period = self.asked_period(&about, seen.as_ref().map(|it| it.period));
        let mut area = self.random.pick(&codes).clone();
        if let Some(seen) = seen.as_ref().filter(|it| codes.contains(&it.area)) {
            area = seen.area.clone();
            while let Some(parent) = sight.parent(&area, period.end()).filter(|_| self.random.percent(45)) {
                area = parent.clone();
            }
        }
        let what = if self.random.percent(40) {
            let indicators = self.random.percent(30).then(|| self.random.some(&ids, 50)).filter(|it| !it.is_empty());
            What::Picture(PictureQuestion { area, period, indicators, comparison })
        } else {
            let mut indicators = vec![about.clone()];
            if self.random.percent(15) {
                indicators.clone_from(&ids);
            }
            let mut areas = if self.random.percent(40) { self.random.some(&codes, 30) } else { vec![] };
            areas.push(area);
            areas.sort();
            areas.dedup();
            let some = self.random.some(&agencies, 50);
            let periods = self.asked_periods(period);
            let mut by = || self.random.percent(40);
            let (by_indicator, by_area, by_agency) = (by() || indicators.len() > 1, by(), by());
            let by_period = by();
            let comparison = comparison.filter(|_| by() || by_period);
            What::Aggregate(AggregateQuestion {
                indicators,
                areas,
                agencies: Some(some).filter(|some| !some.is_empty() && self.random.percent(40)),
                periods,
                breakdown: seen.map_or_else(|| self.breakdown(), |it| it.breakdown),
                by_indicator,
                by_area,
                by_agency,
                by_period,
                comparison,
                across_breaks: self.random.percent(20),
            })
        };
        Question { as_of, today, what }
    }

    /// A period of the indicator's frequency, or a longer one that holds one.
    fn asked_period(&mut self, id: &IndicatorId, seen: Option<Period>) -> Period {
        let own = seen.unwrap_or_else(|| self.period_for(id));
        let frequency = *self.random.pick(Frequency::ALL);
        if self.random.percent(50) && frequency != Frequency::Day && frequency != Frequency::Week {
            Period::of(frequency, own.end()).unwrap()
        } else {
            own
        }
    }

    /// One period, or a run of them, or some.
    fn asked_periods(&mut self, first: Period) -> Vec<Period> {
        let mut periods = vec![if self.random.percent(30) { first.previous().unwrap() } else { first }];
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

fn area(code: &str, level: AreaLevel, parents: Vec<AreaParent>) -> Area {
    Area {
        code: code.parse().unwrap(),
        name: code.to_owned(),
        level,
        parents,
        valid_from: None,
        valid_to: None,
        successors: vec![],
    }
}

fn number(mantissa: i64, scale: u8) -> Decimal {
    Decimal::new(mantissa, scale).unwrap()
}

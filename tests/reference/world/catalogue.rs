//! The catalogue of a random world, and how it changes.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, Category, Dimension, ExpectedAgency, IndicatorVersion, Kind,
    Polarity, PopulationRule, RateRule, ReconciliationRule, ReconciliationSide, Sector, UnfinishedPeriods, Validity,
};
use conspectus::model::date::Date;
use conspectus::model::decimal::{Decimal, Rounding};
use conspectus::model::period::Frequency;

use super::{World, day};
use crate::command::Command;

const AGENCIES: [&str; 3] = ["police", "health", "care"];
pub(super) const PEOPLE: &str = "people";

impl World {
    pub(super) fn first_puts(&mut self) {
        self.areas.push(area("P", AreaLevel::Partnership, vec![]));
        for code in ["U1", "U2", "U3"] {
            let parents = self.parents(&["P"]);
            self.areas.push(area(code, AreaLevel::UpperTier, parents));
        }
        for code in ["D1", "D2", "D3"] {
            let parents = self.parents(&["U1", "U2"]);
            self.areas.push(area(code, AreaLevel::District, parents));
        }
        let kept = 3 + self.random.below(5);
        let late = self.areas.split_off(kept.min(self.areas.len()));
        let codes: Vec<_> = self.areas.iter().map(|area| area.code.clone()).collect();
        let mut ids = AGENCIES;
        self.random.shuffle(&mut ids);
        for id in &ids[..1 + self.random.below(AGENCIES.len())] {
            let areas = if self.random.percent(60) { codes.clone() } else { self.random.some(&codes, 60) };
            self.agencies.push(agency(id, areas));
        }
        let people = self.people();
        self.indicators.push(people);
        for id in ["first", "second"] {
            if self.indicators.len() == 1 || self.random.percent(40) {
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
            calendars: vec![],
        };
        self.random.shuffle(&mut put.areas);
        self.send(Command::PutCatalogue(put));
        self.areas.extend(late);
        if self.random.percent(40) {
            self.end_an_area(true);
        }
        self.rules();
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

    /// An area ends, and goes into none, two, or a new one of its level; or it begins. Before anything is submitted it
    /// may go into a new one: a code that goes on as that of another area has no rule.
    pub(super) fn end_an_area(&mut self, is_first: bool) {
        let at = self.random.below(self.areas.len());
        let mut ended = self.areas[at].clone();
        if ended.level == AreaLevel::Partnership {
            return;
        }
        let change = self.change_day();
        let mut put = CataloguePut::default();
        if self.random.percent(25) {
            ended.valid_from = Some(change);
        } else {
            ended.valid_to = Some(change.plus_days(-1));
            let is_open = |it: &&Area| it.level == ended.level && it.code != ended.code && it.valid_to.is_none();
            let others: Vec<Area> = self.areas.iter().filter(is_open).cloned().collect();
            // What lies within an area goes where that goes.
            let is_below = |it: &Area| it.parents.iter().any(|parent| parent.code == ended.code);
            let has_below = self.areas.iter().any(is_below);
            let count = if has_below { 1 } else { *self.random.pick(&[0, 1, 1, 1, 2]) };
            if others.len() < count || (count == 1 && !is_first) {
                return;
            }
            ended.successors = others[..count].iter().map(|it| it.code.clone()).collect();
            if count == 1 {
                put.areas.push(Area { valid_from: Some(change), ..others[0].clone() });
            }
        }
        put.areas.push(ended);
        for area in &put.areas {
            let known = self.areas.iter_mut().find(|known| known.code == area.code).unwrap();
            known.clone_from(area);
        }
        self.send(Command::PutCatalogue(put));
    }

    /// A day on which something changes: mostly the first of a quarter.
    fn change_day(&mut self) -> Date {
        let days = ["2021-04-01", "2021-07-01", "2021-08-01", "2021-10-01", "2022-01-01", "2022-03-31", "2022-04-01"];
        day(self.random.pick::<&str>(&days))
    }

    /// The population that rates are of.
    fn people(&mut self) -> IndicatorVersion {
        let mut version = self.version(PEOPLE);
        version.kind = Kind::Stock;
        version.frequency = *self.random.pick(&[Frequency::FinancialYear, Frequency::Quarter, Frequency::Day]);
        if self.random.percent(60) {
            version.across_agencies = AcrossAgencies::Add;
            version.lead_agency = None;
            version.expected_agencies.truncate(1);
        }
        version.rate = None;
        version.unfinished_periods = UnfinishedPeriods::Refused;
        version
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
            decimals: u8::try_from(*self.random.pick(&[0, 0, 1, 2, 6])).unwrap(),
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
            checks: vec![],
            due_calendar: None,
            lock_days: None,
            correction_reason_required: false,
        };
        self.vary(&mut version);
        version
    }

    /// What may differ from version to version.
    fn vary(&mut self, version: &mut IndicatorVersion) {
        version.rounding = *self.random.pick(Rounding::ALL);
        version.polarity = *self.random.pick(Polarity::ALL);
        version.due_days = *self.random.pick(&[0, 1, 30, 90, 400]);
        let levels = [AreaLevel::Partnership, AreaLevel::UpperTier, AreaLevel::UpperTier, AreaLevel::District];
        version.reporting_level = *self.random.pick(&levels);
        let add = [AcrossAgencies::Add; 2];
        let across: Vec<_> = AcrossAgencies::ALL.iter().chain(&add).copied().collect();
        version.across_agencies = *self.random.pick(&across);
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
        if version.kind != Kind::Stock && self.random.percent(30) {
            version.unfinished_periods = UnfinishedPeriods::ToDate;
        }
        let has_rate = matches!(version.kind, Kind::Events | Kind::Stock | Kind::Distinct);
        version.rate = (has_rate && version.id.as_str() != PEOPLE).then(|| RateRule {
            population_indicator: PEOPLE.parse().unwrap(),
            per: *self.random.pick(&[1, 10, 1_000]),
            rule: *self.random.pick(&[PopulationRule::SamePeriod, PopulationRule::Latest, PopulationRule::Latest]),
            decimals: u8::try_from(self.random.below(3)).unwrap(),
        });
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

    /// Pairs that should agree.
    fn rules(&mut self) {
        let mut put = CataloguePut::default();
        let ids: Vec<_> = self.agencies.iter().map(|agency| agency.id.clone()).collect();
        for left in self.indicators.clone() {
            let same: Vec<_> =
                self.indicators.iter().filter(|it| it.kind == left.kind).map(|it| it.id.clone()).collect();
            let right = self.random.pick(&same).clone();
            let mut side = |indicator| {
                let agency = if self.random.percent(60) { Some(self.random.pick(&ids).clone()) } else { None };
                ReconciliationSide { indicator, agency }
            };
            let (left, right) = (side(left.id.clone()), side(right));
            if left == right || put.reconciliation_rules.len() == 2 {
                continue;
            }
            put.reconciliation_rules.push(ReconciliationRule {
                id: format!("rule-{}", put.reconciliation_rules.len()).parse().unwrap(),
                title: "Rule".to_owned(),
                left,
                right,
                tolerance: number(*self.random.pick(&[0, 0, 2, 5]), 0),
                tolerance_percent: number(*self.random.pick(&[0, 0, 10, 50]), 0),
            });
        }
        if !put.reconciliation_rules.is_empty() {
            self.send(Command::PutCatalogue(put));
        }
    }

    pub(super) fn catalogue_change(&mut self) {
        let mut put = CataloguePut::default();
        match self.random.below(6) {
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
                    self.agencies.push(agency(id, areas));
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
            4 => return self.end_an_area(false),
            _ => {
                self.later_version();
                put.indicators.extend(self.indicators.last().cloned());
            }
        }
        self.send(Command::PutCatalogue(put));
    }
}

fn agency(id: &str, areas: Vec<conspectus::model::id::AreaCode>) -> Agency {
    Agency { id: id.parse().unwrap(), name: id.to_owned(), sector: Sector::Other, areas }
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

pub(super) fn number(mantissa: i64, scale: u8) -> Decimal {
    Decimal::new(mantissa, scale).unwrap()
}

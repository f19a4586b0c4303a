//! The catalogue: who reports, for where, what is counted, and how it is broken down.
//!
//! A catalogue is a value: cheap to clone (it shares with the one it was cloned from), so the state
//! keeps one for every revision that changed it, and a query as of a revision has the definitions
//! and the hierarchy of that revision.
//!
//! Nothing is ever deleted, so each item has an index (`AgencyIx` and so on), given in the order of
//! creation, that stays. The columns of the picture are keyed by these.

mod area;
mod calendar;
pub mod checks;
mod days;
mod hierarchy;
mod index;
pub mod items;
mod put;
pub(crate) mod review;
pub(crate) mod suggest;
mod table;

use std::sync::Arc;

use imbl::{OrdMap, Vector};

pub(crate) use hierarchy::{ApartSpans, Hierarchy};
pub use index::{AgencyIx, AreaIx, IndicatorIx};
pub use put::{CataloguePut, PutOutcome, PutOutcomes};

use crate::model::date::Date;
use crate::model::id::{AgencyId, AreaCode, CalendarId, DimensionId, IndicatorId, RuleId};
use crate::model::period::Period;
use hierarchy::Hierarchies;
use items::{
    Agency, Area, AreaLevel, Calendar, Dimension, Indicator, IndicatorVersion, Kind, ReconciliationRule, Validity,
};
use table::Table;

/// The most agencies that a catalogue may hold.
pub const AGENCIES_MAX: usize = 1 << 16;
/// The most areas that a catalogue may hold.
pub const AREAS_MAX: usize = 1 << 24;

/// Who reports, for where, what is counted, and how it is broken down, at one revision.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    areas: Table<AreaCode, Area>,
    agencies: Table<AgencyId, Agency>,
    dimensions: Table<DimensionId, Dimension>,
    indicators: Table<IndicatorId, Indicator>,
    rules: Table<RuleId, ReconciliationRule>,
    calendars: Table<CalendarId, Calendar>,
    /// By the agency's index: the areas that it reports for, by index.
    reported: Vector<Arc<[AreaIx]>>,
    /// For each area, the areas that name it as a parent at some time, by code.
    children: OrdMap<AreaCode, Vec<AreaIx>>,
    /// The areas as trees.
    hierarchies: Arc<Hierarchies>,
    /// Whether some area has a first or a last day.
    has_bounded_areas: bool,
    /// Whether an indicator has or had a check.
    has_checks: bool,
    /// Whether an indicator has or had a rule on corrections.
    limits_corrections: bool,
    /// For each indicator that others aren't to be above by a check, those others.
    limited: OrdMap<IndicatorIx, Vec<IndicatorIx>>,
}

impl Catalogue {
    /// An agency by id.
    pub fn agency(&self, id: &AgencyId) -> Option<(AgencyIx, &Agency)> {
        self.agencies.get(id).map(|(ix, agency)| (AgencyIx(ix), agency))
    }

    /// The agency of an index of this catalogue.
    pub fn agency_at(&self, ix: AgencyIx) -> &Agency {
        self.agencies.row(ix.0)
    }

    /// The agencies by id, after one id.
    pub(crate) fn agencies_after(&self, id: Option<&AgencyId>) -> impl Iterator<Item = &Agency> {
        self.agencies.after(id)
    }

    /// By index, where each agency comes by id.
    pub(crate) fn agency_ranks(&self) -> &[u32] {
        self.agencies.ranks()
    }

    /// How many agencies there are.
    pub(crate) fn agency_count(&self) -> usize {
        self.agencies.len()
    }

    /// An area by code.
    pub fn area(&self, code: &AreaCode) -> Option<(AreaIx, &Area)> {
        self.areas.get(code).map(|(ix, area)| (AreaIx(ix), area))
    }

    /// The area of an index of this catalogue.
    pub fn area_at(&self, ix: AreaIx) -> &Area {
        self.areas.row(ix.0)
    }

    /// Whether an area exists on a day.
    pub(crate) fn exists_on(&self, area: AreaIx, day: Date) -> bool {
        !self.has_bounded_areas || self.area_at(area).validity().holds(day)
    }

    /// Whether some area begins or ends.
    pub(crate) fn has_bounded_areas(&self) -> bool {
        self.has_bounded_areas
    }

    /// Whether one of some areas exists on a day.
    pub(crate) fn any_exists_on(&self, areas: &[AreaIx], day: Date) -> bool {
        !self.has_bounded_areas || areas.iter().any(|area| self.exists_on(*area, day))
    }

    /// Whether all of some areas exist on a day.
    pub(crate) fn all_exist_on(&self, areas: &[AreaIx], day: Date) -> bool {
        !self.has_bounded_areas || areas.iter().all(|area| self.exists_on(*area, day))
    }

    /// The areas by code, after one code.
    pub(crate) fn areas_after(&self, code: Option<&AreaCode>) -> impl Iterator<Item = &Area> {
        self.areas.after(code)
    }

    /// By index, where each area comes by code.
    pub(crate) fn area_ranks(&self) -> &[u32] {
        self.areas.ranks()
    }

    /// How many areas there are.
    pub(crate) fn area_count(&self) -> usize {
        self.areas.len()
    }

    /// A dimension by id.
    pub(crate) fn dimension(&self, id: &DimensionId) -> Option<&Dimension> {
        self.dimensions.get(id).map(|(_, dimension)| dimension)
    }

    /// The dimensions by id, after one id.
    pub(crate) fn dimensions_after(&self, id: Option<&DimensionId>) -> impl Iterator<Item = &Dimension> {
        self.dimensions.after(id)
    }

    /// An indicator by id.
    pub fn indicator(&self, id: &IndicatorId) -> Option<(IndicatorIx, &Indicator)> {
        self.indicators.get(id).map(|(ix, indicator)| (IndicatorIx(ix), indicator))
    }

    /// The indicator of an index of this catalogue.
    pub fn indicator_at(&self, ix: IndicatorIx) -> &Indicator {
        self.indicators.row(ix.0)
    }

    /// Whether an indicator has or had a check.
    pub(crate) fn has_checks(&self) -> bool {
        self.has_checks
    }

    /// Whether an indicator has or had a rule on corrections.
    pub(crate) fn limits_corrections(&self) -> bool {
        self.limits_corrections
    }

    /// The periods of an indicator's frequency whose figures are due from one day to another, in order of their ends.
    pub(crate) fn periods_due(&self, indicator: IndicatorIx, from: Date, by: Date) -> Vec<Period> {
        let indicator = self.indicator_at(indicator);
        let mut periods = Vec::new();
        for version in indicator.versions() {
            let newest = Period::of(version.frequency, by.plus_days(-i32::from(version.due_days)));
            // Of one version what ends later isn't due before.
            let due = |period: &Period| self.due(version, *period);
            let back = std::iter::successors(newest, |period| period.previous()).take_while(|it| due(it) >= from);
            let is_its = |period: &Period| std::ptr::eq(indicator.version_for(*period), version);
            periods.extend(back.filter(|period| due(period) <= by && is_its(period)));
        }
        periods.sort_unstable_by_key(|period| (period.end(), *period));
        periods
    }

    /// The first day on which figures of a period are locked, by the version in force for it; none where they never are.
    ///
    /// A longer period is locked as soon as the first that it is made of is: its figure would change what is said of
    /// that. A stock is of its last day alone.
    pub fn locked_from(&self, version: &IndicatorVersion, period: Period) -> Option<Date> {
        let days = version.lock_days?;
        let first = match version.kind {
            Kind::Stock => None,
            Kind::Events | Kind::Distinct | Kind::Ratio | Kind::Mean | Kind::Amount => period.divide(version.frequency),
        };
        let first = first.and_then(|parts| parts.first().copied()).unwrap_or(period);
        Some(self.due(version, first).plus_days(i32::from(days) + 1))
    }

    /// The indicators that aren't to be above one, by a check of a version of theirs.
    pub(crate) fn limited_by(&self, indicator: IndicatorIx) -> &[IndicatorIx] {
        self.limited.get(&indicator).map(Vec::as_slice).unwrap_or_default()
    }

    /// The indicators by id, after one id.
    pub(crate) fn indicators_after(&self, id: Option<&IndicatorId>) -> impl Iterator<Item = &Indicator> {
        self.indicators.after(id)
    }

    /// A reconciliation rule by id.
    pub(crate) fn rule(&self, id: &RuleId) -> Option<&ReconciliationRule> {
        self.rules.get(id).map(|(_, rule)| rule)
    }

    /// The reconciliation rules by id, after one id.
    pub(crate) fn rules_after(&self, id: Option<&RuleId>) -> impl Iterator<Item = &ReconciliationRule> {
        self.rules.after(id)
    }

    /// A calendar by id.
    pub(crate) fn calendar(&self, id: &CalendarId) -> Option<&Calendar> {
        self.calendars.get(id).map(|(_, calendar)| calendar)
    }

    /// The calendars by id, after one id.
    pub(crate) fn calendars_after(&self, id: Option<&CalendarId>) -> impl Iterator<Item = &Calendar> {
        self.calendars.after(id)
    }

    /// The day by which the figure of a period is due, by a version of an indicator: so many days after its last day,
    /// or on the next working day of the version's calendar.
    pub fn due(&self, version: &IndicatorVersion, period: Period) -> Date {
        let due = period.end().plus_days(version.due_days.into());
        let calendar = version.due_calendar.as_ref().and_then(|id| self.calendar(id));
        calendar.map_or(due, |calendar| calendar.working_day_from(due))
    }

    /// The areas as they lie within each other on a day.
    pub(crate) fn hierarchy(&self, day: Date) -> &Hierarchy {
        self.hierarchies.on(day, || {
            let areas: Vec<_> = self.areas.iter().map(|area| (area.level, self.parent_on(area, day))).collect();
            Hierarchy::new(&areas, self.area_ranks())
        })
    }

    /// Whether areas lie otherwise on some day than on another.
    pub(crate) fn has_several_hierarchies(&self) -> bool {
        self.hierarchies.are_several()
    }

    /// The area that an area lies directly below on a day. One that went into a new area together with its parent
    /// stays below that: beside it, what was submitted for both would count twice.
    fn parent_on(&self, area: &Area, day: Date) -> Option<AreaIx> {
        let last_parent = area.valid_to.filter(|last| *last < day).and_then(|last| area.parent_on(last));
        let went_together = |parent: &&AreaCode| {
            let parent = self.area(parent).map(|(_, parent)| parent);
            parent.is_some_and(|parent| {
                parent.valid_to.is_some_and(|last| last < day)
                    && area.successors.len() == 1
                    && parent.successors == area.successors
            })
        };
        let code = last_parent.filter(went_together).or_else(|| area.parent_on(day))?;
        self.area(code).map(|(parent, _)| parent)
    }

    /// The areas of a level that exist on a day, and lie within an area in the hierarchy of another day or the
    /// same, itself included.
    pub(crate) fn areas_of_level(
        &self,
        ix: AreaIx,
        level: AreaLevel,
        day: Date,
        hierarchy_day: Date,
    ) -> impl Iterator<Item = AreaIx> {
        self.hierarchy(hierarchy_day).of_level(ix, level).filter(move |inner| self.exists_on(*inner, day))
    }

    /// The areas that an agency reports for, by index.
    pub(crate) fn reports_for(&self, agency: AgencyIx) -> &[AreaIx] {
        &self.reported[agency.0 as usize]
    }

    /// What the put would do to each item.
    pub(crate) fn outcomes(&self, put: &CataloguePut) -> PutOutcomes {
        PutOutcomes {
            areas: put.areas.iter().map(|area| self.areas.outcome(&area.code, area)).collect(),
            agencies: put.agencies.iter().map(|agency| self.agencies.outcome(&agency.id, agency)).collect(),
            dimensions: put
                .dimensions
                .iter()
                .map(|dimension| self.dimensions.outcome(&dimension.id, dimension))
                .collect(),
            indicators: put.indicators.iter().map(|version| self.version_outcome(version)).collect(),
            reconciliation_rules: put
                .reconciliation_rules
                .iter()
                .map(|rule| self.rules.outcome(&rule.id, rule))
                .collect(),
            calendars: put.calendars.iter().map(|calendar| self.calendars.outcome(&calendar.id, calendar)).collect(),
        }
    }

    fn version_outcome(&self, version: &IndicatorVersion) -> PutOutcome {
        let Some((_, indicator)) = self.indicator(&version.id) else { return PutOutcome::Created };
        match indicator.versions().iter().find(|known| known.effective_from == version.effective_from) {
            None => PutOutcome::VersionAdded,
            Some(known) if known == version => PutOutcome::Unchanged,
            Some(_) => PutOutcome::Updated,
        }
    }

    /// Puts the items. They have passed [`Catalogue::review`].
    pub(crate) fn apply(&mut self, put: &CataloguePut) {
        for area in &put.areas {
            self.put_area(area);
            self.has_bounded_areas |= area.validity() != Validity::default();
        }
        if !put.areas.is_empty() {
            self.hierarchies = Arc::new(Hierarchies::new(self.areas.iter()));
        }
        for agency in &put.agencies {
            self.put_agency(agency);
        }
        for dimension in &put.dimensions {
            self.dimensions.put(dimension.id.clone(), dimension.clone());
        }
        for rule in &put.reconciliation_rules {
            self.rules.put(rule.id.clone(), rule.clone());
        }
        for calendar in &put.calendars {
            self.calendars.put(calendar.id.clone(), calendar.clone());
        }
        for version in &put.indicators {
            let indicator = match self.indicator(&version.id) {
                None => Indicator::new(version.clone()),
                Some((_, known)) => {
                    let mut indicator = known.clone();
                    indicator.put(version.clone());
                    indicator
                }
            };
            self.indicators.put(version.id.clone(), indicator);
        }
        // Once all of them are there: a check may name one that comes after.
        for version in &put.indicators {
            self.has_checks |= !version.checks.is_empty();
            self.limits_corrections |= version.limits_corrections();
            self.note_limits(version);
        }
    }

    /// Takes note of the indicators that one isn't to be above. One that a newer version no longer names stays: whoever
    /// asks looks at the version in force.
    fn note_limits(&mut self, version: &IndicatorVersion) {
        for check in &version.checks {
            let Some(indicator) = check.rule.limit() else { continue };
            let Some(((limit, _), (of, _))) = self.indicator(indicator).zip(self.indicator(&version.id)) else {
                continue;
            };
            let mut limited = self.limited_by(limit).to_vec();
            if !limited.contains(&of) {
                limited.push(of);
                limited.sort_unstable();
                self.limited.insert(limit, limited);
            }
        }
    }

    fn put_agency(&mut self, agency: &Agency) {
        let ix = self.agencies.put(agency.id.clone(), agency.clone()) as usize;
        let mut areas: Vec<AreaIx> =
            agency.areas.iter().filter_map(|code| self.area(code)).map(|(area, _)| area).collect();
        areas.sort_unstable();
        if ix == self.reported.len() {
            self.reported.push_back(areas.into());
        } else {
            self.reported.set(ix, areas.into());
        }
    }

    fn put_area(&mut self, area: &Area) {
        let before: Vec<AreaCode> = self
            .area(&area.code)
            .map(|(_, known)| known.parents.iter().map(|parent| parent.code.clone()).collect())
            .unwrap_or_default();
        let ix = AreaIx(self.areas.put(area.code.clone(), area.clone()));
        for code in before {
            if let Some(children) = self.children.get_mut(&code) {
                children.retain(|child| *child != ix);
            }
        }
        for parent in &area.parents {
            let mut children = self.children.get(&parent.code).cloned().unwrap_or_default();
            if !children.contains(&ix) {
                children.push(ix);
                children.sort_by(|a, b| self.area_at(*a).code.cmp(&self.area_at(*b).code));
                self.children.insert(parent.code.clone(), children);
            }
        }
    }
}

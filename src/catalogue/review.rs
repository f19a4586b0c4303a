//! Whether a put may be applied: every problem of every item, at its field.

mod areas;
mod checks;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::days::Days;
use super::items::{
    AcrossAgencies, Agency, Area, Calendar, Dimension, IndicatorVersion, Kind, ReconciliationRule, UnfinishedPeriods,
    Validity,
};
use super::{AGENCIES_MAX, AREAS_MAX, Catalogue, CataloguePut};
use crate::model::decimal::Decimal;
use crate::model::id::{AgencyId, AreaCode, CalendarId, DimensionId, IndicatorId};
use crate::model::period::Frequency;
use crate::model::text::{self, Layout};
use crate::model::violation::{Lazy, NO_SUCH, Violations};

/// The most items that one put may have.
pub(crate) const PUT_ITEMS_MAX: usize = 10_000;
const TITLE_CHARACTERS_MAX: usize = 200;
const UNIT_CHARACTERS_MAX: usize = 64;
const DEFINITION_CHARACTERS_MAX: usize = 4_000;
const VERSION_NOTE_CHARACTERS_MAX: usize = 1_000;
const SOURCE_CHARACTERS_MAX: usize = 500;
const CATEGORIES_MAX: usize = 1_000;
const HOLIDAYS_MAX: usize = 1_000;
/// The latest that a figure may be due, in days after its period.
pub(crate) const DUE_DAYS_MAX: u16 = 3_660;
/// The latest that a period may be locked, in days after its figure is due.
pub(crate) const LOCK_DAYS_MAX: u16 = 3_660;
/// The most decimals that figures and rates are shown with.
pub(crate) const DECIMALS_MAX: u8 = 6;
/// The largest number of people that a rate may be per.
pub(crate) const RATE_PER_MAX: u32 = 1_000_000;

impl Catalogue {
    /// Every reason why the put may not be applied; none when it may. Items may refer to each other
    /// and to what is there.
    pub fn review<'a>(&'a self, put: &'a CataloguePut) -> Violations {
        let mut review = Review { catalogue: self, put: Names::of(put), violations: Violations::default() };
        review.sizes(put);
        unique(&mut review.violations, "areas", "code", put.areas.iter().map(|area| area.code.as_str()));
        for (index, area) in put.areas.iter().enumerate() {
            review.area(&format!("areas[{index}]"), area);
        }
        review.circles(&put.areas);
        unique(&mut review.violations, "agencies", "id", put.agencies.iter().map(|agency| agency.id.as_str()));
        for (index, agency) in put.agencies.iter().enumerate() {
            review.agency(&format!("agencies[{index}]"), agency);
        }
        unique(
            &mut review.violations,
            "dimensions",
            "id",
            put.dimensions.iter().map(|dimension| dimension.id.as_str()),
        );
        for (index, dimension) in put.dimensions.iter().enumerate() {
            review.dimension(&format!("dimensions[{index}]"), dimension);
        }
        review.versions(&put.indicators);
        for (index, version) in put.indicators.iter().enumerate() {
            review.indicator(&format!("indicators[{index}]"), version);
        }
        review.check_circles(&put.indicators);
        let rules = &put.reconciliation_rules;
        unique(&mut review.violations, "reconciliation_rules", "id", rules.iter().map(|rule| rule.id.as_str()));
        for (index, rule) in rules.iter().enumerate() {
            review.rule(&format!("reconciliation_rules[{index}]"), rule);
        }
        unique(&mut review.violations, "calendars", "id", put.calendars.iter().map(|calendar| calendar.id.as_str()));
        for (index, calendar) in put.calendars.iter().enumerate() {
            review.calendar(&format!("calendars[{index}]"), calendar);
        }
        review.violations
    }
}

/// What a put brings, by name, for references within it.
struct Names<'a> {
    areas: BTreeMap<&'a AreaCode, &'a Area>,
    agencies: BTreeSet<&'a AgencyId>,
    dimensions: BTreeSet<&'a DimensionId>,
    indicators: BTreeMap<&'a IndicatorId, Kind>,
    calendars: BTreeSet<&'a CalendarId>,
}

impl<'a> Names<'a> {
    fn of(put: &'a CataloguePut) -> Self {
        Self {
            areas: put.areas.iter().map(|area| (&area.code, area)).collect(),
            agencies: put.agencies.iter().map(|agency| &agency.id).collect(),
            dimensions: put.dimensions.iter().map(|dimension| &dimension.id).collect(),
            indicators: put.indicators.iter().map(|version| (&version.id, version.kind)).collect(),
            calendars: put.calendars.iter().map(|calendar| &calendar.id).collect(),
        }
    }
}

struct Review<'a> {
    catalogue: &'a Catalogue,
    put: Names<'a>,
    violations: Violations,
}

impl<'a> Review<'a> {
    fn sizes(&mut self, put: &CataloguePut) {
        let items = put.areas.len()
            + put.agencies.len()
            + put.dimensions.len()
            + put.indicators.len()
            + put.reconciliation_rules.len()
            + put.calendars.len();
        if items == 0 {
            self.violations
                .add("areas", "the put has no items; allowed: at least one area, agency, dimension or indicator");
        }
        if items > PUT_ITEMS_MAX {
            self.violations
                .add("areas", format_args!("the put has {items} items; allowed: {PUT_ITEMS_MAX} at the most"));
        }
        if self.catalogue.area_count() + put.areas.len() > AREAS_MAX {
            self.violations.add("areas", format_args!("allowed: {AREAS_MAX} areas in all"));
        }
        if self.catalogue.agency_count() + put.agencies.len() > AGENCIES_MAX {
            self.violations.add("agencies", format_args!("allowed: {AGENCIES_MAX} agencies in all"));
        }
    }

    /// The area as it will be: the put's, or else the catalogue's.
    fn find_area(&self, code: &AreaCode) -> Option<&'a Area> {
        self.put.areas.get(code).copied().or_else(|| self.catalogue.area(code).map(|(_, area)| area))
    }

    fn agency(&mut self, at: &str, agency: &Agency) {
        self.text(&format!("{at}.name"), &agency.name, 1, TITLE_CHARACTERS_MAX);
        unique(&mut self.violations, &format!("{at}.areas"), "", agency.areas.iter().map(AreaCode::as_str));
        for (index, code) in agency.areas.iter().enumerate() {
            if self.find_area(code).is_none() {
                self.unknown(format_args!("{at}.areas[{index}]"), "area", code.as_str());
            }
        }
    }

    fn dimension(&mut self, at: &str, dimension: &Dimension) {
        self.text(&format!("{at}.title"), &dimension.title, 1, TITLE_CHARACTERS_MAX);
        let count = dimension.categories.len();
        if !(1..=CATEGORIES_MAX).contains(&count) {
            self.violations
                .add(format_args!("{at}.categories"), format_args!("found {count}; allowed: 1 to {CATEGORIES_MAX}"));
        }
        unique(
            &mut self.violations,
            &format!("{at}.categories"),
            "id",
            dimension.categories.iter().map(|category| category.id.as_str()),
        );
        for (index, category) in dimension.categories.iter().enumerate() {
            self.text(&format!("{at}.categories[{index}].title"), &category.title, 1, TITLE_CHARACTERS_MAX);
        }
        let known =
            self.catalogue.dimension(&dimension.id).map(|known| known.categories.as_slice()).unwrap_or_default();
        for gone in known.iter().filter(|known| dimension.categories.iter().all(|category| category.id != known.id)) {
            self.violations.add(
                format_args!("{at}.categories"),
                format_args!("`{}` is missing; a category, once there, stays", gone.id),
            );
        }
    }

    fn calendar(&mut self, at: &str, calendar: &Calendar) {
        self.text(&format!("{at}.title"), &calendar.title, 1, TITLE_CHARACTERS_MAX);
        self.text(&format!("{at}.source"), &calendar.source, 0, SOURCE_CHARACTERS_MAX);
        let holidays = &calendar.holidays;
        if holidays.len() > HOLIDAYS_MAX {
            let what = format_args!("found {}; allowed: {HOLIDAYS_MAX} at the most", holidays.len());
            self.violations.add(format_args!("{at}.holidays"), what);
        }
        for (index, days) in holidays.windows(2).enumerate().filter(|(_, days)| days[0] >= days[1]) {
            let what = format_args!("found {} after {}; allowed: each day once, in order", days[1], days[0]);
            self.violations.add(format_args!("{at}.holidays[{}]", index + 1), what);
        }
    }

    /// What the versions of one indicator must have in common.
    fn versions(&mut self, versions: &[IndicatorVersion]) {
        let mut first: BTreeMap<&IndicatorId, Kind> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let begun: BTreeSet<&IndicatorId> =
            versions.iter().filter(|version| version.effective_from.is_none()).map(|version| &version.id).collect();
        for (index, version) in versions.iter().enumerate() {
            let at = format!("indicators[{index}]");
            if !seen.insert((&version.id, version.effective_from)) {
                self.violations.add(
                    format_args!("{at}.effective_from"),
                    format_args!("this version of `{}` is in the request twice", version.id),
                );
            }
            let known = self.catalogue.indicator(&version.id).map(|(_, indicator)| indicator.kind());
            let kind = known.unwrap_or_else(|| *first.entry(&version.id).or_insert(version.kind));
            if version.kind != kind {
                self.violations.add(
                    format_args!("{at}.kind"),
                    format_args!("found `{}`; allowed: `{kind}`, the kind of `{}`. What is counted otherwise is another indicator", version.kind, version.id),
                );
            }
            if known.is_none() && !begun.contains(&version.id) {
                self.violations.add(
                    format_args!("{at}.effective_from"),
                    format_args!("`{}` has no first version yet; allowed: nothing, for its first version", version.id),
                );
            }
        }
    }

    fn indicator(&mut self, at: &str, version: &IndicatorVersion) {
        self.text(&format!("{at}.title"), &version.title, 1, TITLE_CHARACTERS_MAX);
        self.laid_out(&format!("{at}.definition"), &version.definition, 0..=DEFINITION_CHARACTERS_MAX, Layout::Lines);
        self.text(&format!("{at}.unit"), &version.unit, 1, UNIT_CHARACTERS_MAX);
        let version_note = 0..=VERSION_NOTE_CHARACTERS_MAX;
        self.laid_out(&format!("{at}.version_note"), &version.version_note, version_note, Layout::Lines);
        self.text(&format!("{at}.source"), &version.source, 0, SOURCE_CHARACTERS_MAX);
        if version.decimals > DECIMALS_MAX {
            self.violations.add(
                format_args!("{at}.decimals"),
                format_args!("found {}; allowed: 0 to {DECIMALS_MAX}", version.decimals),
            );
        }
        if version.due_days > DUE_DAYS_MAX {
            self.violations.add(
                format_args!("{at}.due_days"),
                format_args!("found {}; allowed: 0 to {DUE_DAYS_MAX}", version.due_days),
            );
        }
        if let Some(calendar) = &version.due_calendar
            && self.catalogue.calendar(calendar).is_none()
            && !self.put.calendars.contains(calendar)
        {
            self.unknown(format_args!("{at}.due_calendar"), "calendar", calendar.as_str());
        }
        if let Some(days) = version.lock_days.filter(|days| *days > LOCK_DAYS_MAX) {
            let what = format_args!("found {days}; allowed: 0 to {LOCK_DAYS_MAX}, or nothing");
            self.violations.add(format_args!("{at}.lock_days"), what);
        }
        if version.frequency == Frequency::Day && version.kind != Kind::Stock {
            self.violations.add(format_args!("{at}.frequency"), "found `day`; allowed for stocks only");
        }
        if version.unfinished_periods == UnfinishedPeriods::ToDate && version.kind == Kind::Stock {
            let what = "found `to-date`; a stock is of one day, so allowed: `refused`";
            self.violations.add(format_args!("{at}.unfinished_periods"), what);
        }
        if version.breaks_comparability && version.effective_from.is_none() {
            self.violations
                .add(format_args!("{at}.breaks_comparability"), "a first version has nothing before it to break with");
        }
        self.rate(at, version);
        self.checks(at, version);
        self.lead(at, version);
        self.expected(at, version);
        unique(
            &mut self.violations,
            &format!("{at}.dimensions"),
            "",
            version.dimensions.iter().map(DimensionId::as_str),
        );
        for (index, dimension) in version.dimensions.iter().enumerate() {
            if self.catalogue.dimension(dimension).is_none() && !self.put.dimensions.contains(dimension) {
                self.unknown(format_args!("{at}.dimensions[{index}]"), "dimension", dimension.as_str());
            }
        }
    }

    /// The kind of an indicator, the catalogue's or the put's; noted when there is none.
    fn kind_of(&mut self, field: &str, id: &IndicatorId) -> Option<Kind> {
        let known = self.catalogue.indicator(id).map(|(_, indicator)| indicator.kind());
        let kind = known.or_else(|| self.put.indicators.get(id).copied());
        if kind.is_none() {
            self.unknown(field, "indicator", id.as_str());
        }
        kind
    }

    fn rate(&mut self, at: &str, version: &IndicatorVersion) {
        let Some(rate) = &version.rate else { return };
        match version.kind {
            Kind::Events | Kind::Stock | Kind::Distinct => {}
            kind @ (Kind::Ratio | Kind::Mean | Kind::Amount) => {
                self.violations.add(
                    format_args!("{at}.rate"),
                    format_args!("`{}` is of kind {kind}; allowed for events, stocks and distinct people", version.id),
                );
            }
        }
        let field = format!("{at}.rate.population_indicator");
        if let Some(kind) = self.kind_of(&field, &rate.population_indicator)
            && kind != Kind::Stock
        {
            let found = format!("`{}` is of kind {kind}; allowed: a stock", rate.population_indicator);
            self.violations.add(field, found);
        }
        if !(1..=RATE_PER_MAX).contains(&rate.per) {
            self.violations
                .add(format_args!("{at}.rate.per"), format_args!("found {}; allowed: 1 to {RATE_PER_MAX}", rate.per));
        }
        if rate.decimals > DECIMALS_MAX {
            let found = format!("found {}; allowed: 0 to {DECIMALS_MAX}", rate.decimals);
            self.violations.add(format_args!("{at}.rate.decimals"), found);
        }
    }

    fn rule(&mut self, at: &str, rule: &ReconciliationRule) {
        self.text(&format!("{at}.title"), &rule.title, 1, TITLE_CHARACTERS_MAX);
        let left = self.kind_of(&format!("{at}.left_indicator"), &rule.left.indicator);
        let right = self.kind_of(&format!("{at}.right_indicator"), &rule.right.indicator);
        if let (Some(left), Some(right)) = (left, right)
            && left != right
        {
            self.violations.add(
                format_args!("{at}.right_indicator"),
                format_args!(
                    "`{}` is of kind {right}; allowed: {left}, the kind of the left one",
                    rule.right.indicator
                ),
            );
        }
        for (side, agency) in [("left_agency", &rule.left.agency), ("right_agency", &rule.right.agency)] {
            if let Some(agency) = agency {
                self.agency_known(format_args!("{at}.{side}"), agency);
            }
        }
        if rule.tolerance.is_negative() {
            self.violations
                .add(format_args!("{at}.tolerance"), format_args!("found `{}`; allowed: 0 or more", rule.tolerance));
        }
        let hundred = Decimal::new(100, 0).unwrap_or(Decimal::ZERO);
        if rule.tolerance_percent.is_negative() || rule.tolerance_percent > hundred {
            let found = format!("found `{}`; allowed: 0 to 100", rule.tolerance_percent);
            self.violations.add(format_args!("{at}.tolerance_percent"), found);
        }
    }

    fn lead(&mut self, at: &str, version: &IndicatorVersion) {
        let field = format!("{at}.lead_agency");
        match (version.across_agencies, &version.lead_agency) {
            (AcrossAgencies::Lead, None) => {
                self.violations.add(field, "found nothing; with `lead`, the lead agency is needed");
            }
            (AcrossAgencies::Lead, Some(lead)) => self.agency_known(&field, lead),
            (AcrossAgencies::Add | AcrossAgencies::SideBySide, Some(lead)) => {
                self.violations.add(field, format_args!("found `{lead}`; allowed only with `lead`"));
            }
            (AcrossAgencies::Add | AcrossAgencies::SideBySide, None) => {}
        }
    }

    fn expected(&mut self, at: &str, version: &IndicatorVersion) {
        let mut days: BTreeMap<&AgencyId, Days> = BTreeMap::new();
        for (index, expected) in version.expected_agencies.iter().enumerate() {
            let field = Lazy(|| format!("{at}.expected_agencies[{index}]"));
            self.agency_known(format_args!("{field}.agency"), &expected.agency);
            self.validity(&field, expected.validity);
            if !days.entry(&expected.agency).or_default().add(expected.validity) {
                self.violations.add(field, format_args!("`{}` is already expected on the same days", expected.agency));
            }
        }
    }

    fn agency_known(&mut self, field: impl Display, id: &AgencyId) {
        if self.catalogue.agency(id).is_none() && !self.put.agencies.contains(id) {
            self.unknown(field, "agency", id.as_str());
        }
    }

    fn validity(&mut self, at: impl Display, validity: Validity) {
        if validity.is_reversed() {
            self.violations.add(
                format_args!("{at}.valid_to"),
                "found a last day before the first; allowed: the first or a later one",
            );
        }
    }

    fn text(&mut self, field: &str, text: &str, min: usize, max: usize) {
        self.laid_out(field, text, min..=max, Layout::Line);
    }

    fn laid_out(&mut self, field: &str, text: &str, characters: RangeInclusive<usize>, layout: Layout) {
        let (min, max) = characters.into_inner();
        let characters = text.chars().count();
        if !(min..=max).contains(&characters) {
            self.violations.add(field, format_args!("found {characters} characters; allowed: {min} to {max}"));
        }
        self.violations.check(field, text::check(text, layout));
    }

    fn unknown(&mut self, field: impl Display, what: &str, id: &str) {
        self.violations.add(field, format_args!("found `{id}`; {NO_SUCH} {what} in the catalogue or in this request"));
    }
}

fn unique<'t>(violations: &mut Violations, list: &str, key: &str, texts: impl Iterator<Item = &'t str>) {
    let mut seen = BTreeMap::new();
    for (index, text) in texts.enumerate() {
        if let Some(first) = seen.insert(text, index) {
            let dot = if key.is_empty() { "" } else { "." };
            violations.add(
                format_args!("{list}[{index}]{dot}{key}"),
                format_args!("found `{text}`, which is also {list}[{first}]"),
            );
        }
    }
}

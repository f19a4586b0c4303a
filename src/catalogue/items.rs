//! What the catalogue holds: areas, agencies, breakdown dimensions and indicator versions.

use serde::{Deserialize, Serialize};

pub use super::area::{Area, AreaLevel, AreaParent};
pub use super::calendar::Calendar;
use super::checks::Check;
use crate::model::code_list::code_list;
use crate::model::date::Date;
use crate::model::decimal::{Decimal, Rounding};
use crate::model::id::{AgencyId, AreaCode, CalendarId, CategoryId, DimensionId, IndicatorId, RuleId};
use crate::model::period::{Frequency, Period};

code_list! {
    /// The part of the partnership that an agency belongs to.
    pub enum Sector {
        /// Police forces.
        Police = 1, "police";
        /// Integrated care boards, hospital and community trusts.
        Health = 2, "health";
        /// Children's and adults' social care.
        SocialCare = 3, "social-care";
        /// Schools and colleges, and those who answer for them.
        Education = 4, "education";
        /// Youth justice services.
        YouthJustice = 5, "youth-justice";
        /// Any other.
        Other = 6, "other";
    }
}

code_list! {
    /// What an indicator counts, which decides all of its arithmetic
    /// (see [`crate::picture::combine`]).
    pub enum Kind {
        /// Events in a period.
        Events = 1, "events";
        /// A stock at a point.
        Stock = 2, "stock";
        /// Distinct people in a period.
        Distinct = 3, "distinct";
        /// A proportion, in per cent.
        Ratio = 4, "ratio";
        /// A mean, weighted by its count.
        Mean = 5, "mean";
        /// An amount, of money for one.
        Amount = 6, "amount";
    }
}

code_list! {
    /// How the figures of several agencies combine.
    pub enum AcrossAgencies {
        /// They add.
        Add = 1, "add";
        /// The lead agency's figure stands for all.
        Lead = 2, "lead";
        /// They are views of one thing, and stay side by side.
        SideBySide = 3, "side-by-side";
    }
}

code_list! {
    /// Which direction is good.
    pub enum Polarity {
        /// Higher is better.
        HigherIsBetter = 1, "higher-is-better";
        /// Lower is better.
        LowerIsBetter = 2, "lower-is-better";
        /// Neither: the figure describes.
        Neutral = 3, "neutral";
    }
}

impl Kind {
    /// Whether a period is over on a day, so that there can be a figure for all of it.
    pub fn is_over(self, period: Period, day: Date) -> bool {
        self.last_unfinished_day(period) < day
    }

    /// The last day on which a period isn't over: its own last day, or for a stock, which is of that day, the
    /// day before.
    pub fn last_unfinished_day(self, period: Period) -> Date {
        match self {
            Self::Stock => period.end().plus_days(-1),
            Self::Events | Self::Distinct | Self::Ratio | Self::Mean | Self::Amount => period.end(),
        }
    }
}

/// From a first day to a last, both inclusive, either of them open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validity {
    /// The first day; none from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// The last day; none until further notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
}

impl Validity {
    /// Whether the day is within.
    pub fn holds(self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }

    /// Whether the whole period is within.
    pub fn covers(self, period: Period) -> bool {
        self.holds(period.start()) && self.holds(period.end())
    }

    /// Whether the first day is after the last.
    pub fn is_reversed(self) -> bool {
        matches!((self.valid_from, self.valid_to), (Some(from), Some(to)) if from > to)
    }

    /// Whether some day is within both.
    pub fn overlaps(self, other: Self) -> bool {
        let starts_by = |a: Self, b: Self| match (a.valid_from, b.valid_to) {
            (Some(from), Some(to)) => from <= to,
            _ => true,
        };
        starts_by(self, other) && starts_by(other, self)
    }
}

/// An organisation that submits figures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Its id.
    pub id: AgencyId,
    /// Its name, as shown.
    pub name: String,
    /// Its sector.
    pub sector: Sector,
    /// The areas that it may report for.
    #[serde(default)]
    pub areas: Vec<AreaCode>,
}

/// One value that a dimension can take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// Its title, as shown.
    pub title: String,
}

/// A way to break a figure down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Its id.
    pub id: DimensionId,
    /// Its title, as shown.
    pub title: String,
    /// Its categories, in the order in which they are shown.
    pub categories: Vec<Category>,
}

/// An agency that is expected to report an indicator, for as long as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ExpectedAgency {
    /// The agency.
    pub agency: AgencyId,
    /// The days of the periods that are expected of it.
    #[serde(flatten)]
    pub validity: Validity,
}

code_list! {
    /// Which figure of a population stands under a rate.
    pub enum PopulationRule {
        /// The population of the period's last day.
        SamePeriod = 1, "same-period";
        /// That of the newest day that covers the areas, by the last day of the period asked for and at most
        /// [`PopulationRule::YEARS_BACK_MAX`] years before.
        Latest = 2, "latest";
    }
}

impl PopulationRule {
    /// How old a population may be.
    pub const YEARS_BACK_MAX: i32 = 10;
}

code_list! {
    /// What becomes of a figure for a period that isn't over.
    pub enum UnfinishedPeriods {
        /// It is refused.
        Refused = 1, "refused";
        /// It is taken as a figure to date, with the marker `p`.
        ToDate = 2, "to-date";
    }
}

/// How an indicator is made a rate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateRule {
    /// The indicator that is the population: a stock.
    pub population_indicator: IndicatorId,
    /// Per how many of it, 1 to 1,000,000.
    pub per: u32,
    /// Which of its figures is taken.
    pub rule: PopulationRule,
    /// The decimals that rates are rounded to, 0 to 6.
    #[serde(default)]
    pub decimals: u8,
}

/// A figure of one agency that should agree with another's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReconciliationRule {
    /// Its id.
    pub id: RuleId,
    /// Its title, as shown.
    pub title: String,
    /// One side.
    pub left: ReconciliationSide,
    /// The other side.
    pub right: ReconciliationSide,
    /// How far apart they may be, in the indicators' unit; 0 or more.
    #[serde(default = "zero")]
    pub tolerance: Decimal,
    /// How far apart they may be, in per cent of the larger, 0 to 100. The wider tolerance holds.
    #[serde(default = "zero")]
    pub tolerance_percent: Decimal,
}

/// One side of a reconciliation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReconciliationSide {
    /// The indicator.
    pub indicator: IndicatorId,
    /// The agency; all together, by the indicator's rule, when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyId>,
}

fn zero() -> Decimal {
    Decimal::ZERO
}

/// One version of an indicator's definition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IndicatorVersion {
    /// The indicator's id.
    pub id: IndicatorId,
    /// The first day on which this version counts; none for the first version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<Date>,
    /// Its title, as shown.
    pub title: String,
    /// What exactly is counted.
    #[serde(default)]
    pub definition: String,
    /// The unit that is counted.
    pub unit: String,
    /// The kind; the same for every version.
    pub kind: Kind,
    /// The decimals that answers are rounded to, 0 to 6.
    #[serde(default)]
    pub decimals: u8,
    /// How halves are rounded.
    #[serde(default = "half_up")]
    pub rounding: Rounding,
    /// Which direction is good.
    #[serde(default = "neutral")]
    pub polarity: Polarity,
    /// The shortest period that is reported.
    pub frequency: Frequency,
    /// How many days after a period's last day its figure is due.
    #[serde(default)]
    pub due_days: u16,
    /// The calendar by which a due date moves to a working day; none where it doesn't move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_calendar: Option<CalendarId>,
    /// How many days after its figure is due a period is locked; none where it never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_days: Option<u16>,
    /// Whether a figure is only revised or withdrawn with a reason.
    #[serde(default, skip_serializing_if = "is_not")]
    pub correction_reason_required: bool,
    /// The level of the areas that figures are expected for.
    pub reporting_level: AreaLevel,
    /// How the figures of several agencies combine.
    pub across_agencies: AcrossAgencies,
    /// The lead agency, with [`AcrossAgencies::Lead`] and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_agency: Option<AgencyId>,
    /// The agencies that are expected to report it.
    #[serde(default)]
    pub expected_agencies: Vec<ExpectedAgency>,
    /// The dimensions that it may be broken down by.
    #[serde(default)]
    pub dimensions: Vec<DimensionId>,
    /// Whether its figures can't be compared with those before it.
    #[serde(default)]
    pub breaks_comparability: bool,
    /// Why this version was made.
    #[serde(default)]
    pub version_note: String,
    /// Where the definition comes from.
    #[serde(default)]
    pub source: String,
    /// How it is made a rate, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateRule>,
    /// What becomes of a figure for a period that isn't over.
    #[serde(default = "refused", skip_serializing_if = "is_refused")]
    pub unfinished_periods: UnfinishedPeriods,
    /// What is expected of its figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

fn refused() -> UnfinishedPeriods {
    UnfinishedPeriods::Refused
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
fn is_refused(unfinished: &UnfinishedPeriods) -> bool {
    *unfinished == UnfinishedPeriods::Refused
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
fn is_not(flag: &bool) -> bool {
    !flag
}

fn half_up() -> Rounding {
    Rounding::HalfUp
}

fn neutral() -> Polarity {
    Polarity::Neutral
}

impl IndicatorVersion {
    /// Whether some figures of it are only corrected with a reason, or by a corrector.
    pub(crate) fn limits_corrections(&self) -> bool {
        self.lock_days.is_some() || self.correction_reason_required
    }

    /// Whether figures for the period are taken: periods of the indicator's frequency, longer ones
    /// made of whole such periods, and for stocks the day they are as at.
    pub fn takes(&self, period: Period) -> bool {
        if period.frequency() == Frequency::Day {
            return self.kind == Kind::Stock || self.frequency == Frequency::Day;
        }
        period.frequency() == self.frequency || period.divide(self.frequency).is_some()
    }
}

/// An indicator: the versions of its definition, by `effective_from`, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    versions: Vec<IndicatorVersion>,
}

impl Indicator {
    /// An indicator of one version.
    pub fn new(version: IndicatorVersion) -> Self {
        Self { versions: vec![version] }
    }

    /// Adds the version, or replaces the one of the same `effective_from`.
    pub fn put(&mut self, version: IndicatorVersion) {
        match self.versions.binary_search_by_key(&version.effective_from, |known| known.effective_from) {
            Ok(at) => self.versions[at] = version,
            Err(at) => self.versions.insert(at, version),
        }
    }

    /// The versions, the newest last.
    pub fn versions(&self) -> &[IndicatorVersion] {
        &self.versions
    }

    /// The version in force for a period: the newest that is effective by its last day.
    pub fn version_for(&self, period: Period) -> &IndicatorVersion {
        self.indexed_version_for(period).1
    }

    /// The version in force for a period, and its index among the versions.
    pub fn indexed_version_for(&self, period: Period) -> (usize, &IndicatorVersion) {
        let is_effective = |version: &IndicatorVersion| version.effective_from.is_none_or(|from| from <= period.end());
        let index = self.versions.partition_point(is_effective).saturating_sub(1);
        (index, &self.versions[index])
    }

    /// The newest version.
    pub fn newest(&self) -> &IndicatorVersion {
        &self.versions[self.versions.len() - 1]
    }

    /// The kind, which all versions share.
    pub fn kind(&self) -> Kind {
        self.versions[0].kind
    }

    /// Whether comparability is broken between the two periods: a version that breaks it is in
    /// force for the later and wasn't for the earlier, or came between.
    pub fn breaks_between(&self, earlier: Period, later: Period) -> bool {
        self.versions.iter().any(|version| {
            version.breaks_comparability
                && version.effective_from.is_some_and(|from| earlier.end() < from && from <= later.end())
        })
    }
}
